/*
 * module_stamp.c - which certauth is in this module?
 *
 * Finds the core's ELF note (certauth_data.h) in the beginning of a file, or of
 * what a process has mapped of it. Only our own kind of machine is understood.
 */

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

/* Headers and notes lie in front; ours is within the first page or two. */
#define MAX_BYTES	65536u
#define MAX_SEGMENTS	64

static bool
read_note(const unsigned char *p, size_t len, struct certauth_stamp *stamp_r)
{
	Elf64_Nhdr	h;
	size_t		name, desc, at = 0;

	while (at <= len && len - at >= sizeof(h)) {
		memcpy(&h, p + at, sizeof(h));
		at += sizeof(h);
		name = ((size_t)h.n_namesz + 3) / 4 * 4;
		desc = ((size_t)h.n_descsz + 3) / 4 * 4;
		if (name > len - at || desc > len - at - name)
			return false;
		if (h.n_type == CERTAUTH_STAMP_TYPE &&
		    h.n_namesz == sizeof(CERTAUTH_STAMP_NAME) &&
		    memcmp(p + at, CERTAUTH_STAMP_NAME, h.n_namesz) == 0 &&
		    h.n_descsz >= sizeof(*stamp_r)) {
			memcpy(stamp_r, p + at + name, sizeof(*stamp_r));
			stamp_r->version[sizeof(stamp_r->version) - 1] = '\0';
			return true;
		}
		at += name + desc;
	}
	return false;
}

bool
module_stamp(int fd, off_t offset, struct certauth_stamp *stamp_r)
{
	unsigned char	*bytes = malloc(MAX_BYTES);
	Elf64_Ehdr	 ehdr;
	Elf64_Phdr	 phdr;
	size_t		 len = 0;
	ssize_t		 n = 1;
	unsigned	 i;
	bool		 have = false;

	/* Memory may end before: what is there counts. */
	while (bytes != NULL && len < MAX_BYTES && n > 0) {
		n = pread(fd, bytes + len, MAX_BYTES - len, offset + (off_t)len);
		if (n > 0)
			len += (size_t)n;
	}
	if (len < sizeof(ehdr))
		goto out;
	memcpy(&ehdr, bytes, sizeof(ehdr));
	if (memcmp(ehdr.e_ident, ELFMAG, SELFMAG) != 0 ||
	    ehdr.e_ident[EI_CLASS] != ELFCLASS64 ||
	    ehdr.e_phentsize != sizeof(phdr) || ehdr.e_phnum > MAX_SEGMENTS ||
	    ehdr.e_phoff > len ||
	    ehdr.e_phnum * sizeof(phdr) > len - ehdr.e_phoff)
		goto out;
	for (i = 0; i < ehdr.e_phnum && !have; i++) {
		memcpy(&phdr, bytes + ehdr.e_phoff + i * sizeof(phdr),
		    sizeof(phdr));
		have = phdr.p_type == PT_NOTE && phdr.p_offset <= len &&
		    phdr.p_filesz <= len - phdr.p_offset &&
		    read_note(bytes + phdr.p_offset, phdr.p_filesz, stamp_r);
	}
out:
	free(bytes);
	return have;
}
