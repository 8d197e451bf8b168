/*
 * manifest.c - which file is in force for each kind?
 *
 * Lines "name size sha256 generation" of the manifest, and the names of numbered
 * files. Opens none of them.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "revocation/publish.h"

/* Lines of a manifest: CRLs, answers and what may come. */
#define MAX_LINES	64u

static const struct { const char *before, *behind; } names[] = {
	[PUBLISH_CRL] = { "crl.", ".idx" },
	[PUBLISH_ANSWERS] = { "answers.", ".idx" },
	[PUBLISH_POOL] = { "pool.", ".pem" },
};

/* "crl.<number>.idx", no leading zeros. */
bool
publish_name_is(enum publish_kind kind, const char *name, size_t len,
    uint64_t *number_r)
{
	size_t		before = strlen(names[kind].before), i;
	uint64_t	number = 0;

	if (len < before + 5 || len > before + 24 ||
	    memcmp(name, names[kind].before, before) != 0 ||
	    memcmp(name + len - 4, names[kind].behind, 4) != 0 || name[before] == '0')
		return false;
	for (i = before; i < len - 4; i++) {
		if (name[i] < '0' || name[i] > '9' || number > UINT64_MAX / 100)
			return false;
		number = number * 10 + (uint64_t)(name[i] - '0');
	}
	*number_r = number;
	return true;
}

/* The next word of the line, ended by one space or the line's end. */
static bool
take_word(const char **p, const char *end, char *word, size_t size)
{
	const char	*start = *p;
	size_t		 len;

	while (*p < end && **p > ' ' && **p < 0x7f)
		(*p)++;
	len = (size_t)(*p - start);
	if (len == 0 || len >= size)
		return false;
	memcpy(word, start, len);
	word[len] = '\0';
	/* A space is between words, never behind the last. */
	return *p == end || (*(*p)++ == ' ' && *p < end);
}

static bool
read_number(const char *word, uint64_t *number_r)
{
	char	*end;

	if (word[0] < '0' || word[0] > '9')
		return false;
	errno = 0;
	*number_r = strtoull(word, &end, 10);
	return errno == 0 && *end == '\0';
}

static bool
read_line(const char *line, const char *end, struct publish_entry *entry)
{
	char	size[32], digest[72], generation[32];
	size_t	len;

	return take_word(&line, end, entry->name, sizeof(entry->name)) &&
	    take_word(&line, end, size, sizeof(size)) &&
	    take_word(&line, end, digest, sizeof(digest)) &&
	    take_word(&line, end, generation, sizeof(generation)) &&
	    line == end && strlen(digest) == 64 &&
	    text_hex_parse(digest, entry->sha256, sizeof(entry->sha256), &len) &&
	    len == 32 && read_number(size, &entry->size) &&
	    read_number(generation, &entry->generation);
}

void
publish_name(enum publish_kind kind, uint64_t number, char *buf, size_t buf_len)
{
	(void)snprintf(buf, buf_len, "%s%" PRIu64 "%s", names[kind].before,
	    number, names[kind].behind);
}

bool
publish_manifest_find(enum publish_kind kind, const unsigned char *data,
    size_t data_len, struct publish_entry *entry_r,
    struct certauth_error *error_r)
{
	static const char	 bad[] = "is no manifest of certauth: expected "
	    "lines \"name size sha256 generation\"";
	struct publish_entry	 entry;
	const char		*p = (const char *)data, *end = p + data_len, *eol;
	uint64_t		 number;
	unsigned		 lines;
	bool			 found = false;

	memset(entry_r, 0, sizeof(*entry_r));
	for (lines = 0; p < end; lines++, p = eol + 1) {
		eol = memchr(p, '\n', (size_t)(end - p));
		memset(&entry, 0, sizeof(entry));
		if (eol == NULL || lines == MAX_LINES ||
		    !read_line(p, eol, &entry)) {
			error_set(error_r, NULL, lines + 1, "%s", bad);
			return false;
		}
		if (!publish_name_is(kind, entry.name, strlen(entry.name),
		    &number))
			continue;
		if (found) {
			error_set(error_r, NULL, lines + 1,
			    "names two files of one kind");
			return false;
		}
		*entry_r = entry;
		found = true;
	}
	if (lines == 0)
		error_set(error_r, NULL, 0, "%s", bad);
	return lines > 0;
}

bool
publish_manifest_parse(const unsigned char *data, size_t data_len,
    struct publish_entry *entry_r, struct certauth_error *error_r)
{
	if (!publish_manifest_find(PUBLISH_CRL, data, data_len, entry_r,
	    error_r))
		return false;
	if (entry_r->name[0] == '\0')
		error_set(error_r, NULL, 0, "names no CRL index");
	return entry_r->name[0] != '\0';
}

/* Other kinds of lines are another writer's and stay. */
bool
publish_manifest_text(enum publish_kind kind, int dirfd,
    const struct publish_entry *entry, struct text *text,
    struct publish_entry *old_r)
{
	char		 buf[PUBLISH_MAX_MANIFEST], digest[65];
	const char	*p = buf, *eol, *end;
	ssize_t		 n = 0;
	size_t		 i;
	uint64_t	 number;
	int		 fd = openat(dirfd, PUBLISH_MANIFEST,
			    O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0) {
		n = read(fd, buf, sizeof(buf));
		close(fd);
	}
	/* A manifest that is none is replaced. */
	if (n <= 0 || !publish_manifest_find(kind, (unsigned char *)buf,
	    (size_t)n, old_r, NULL))
		n = 0;
	for (end = buf + n; p < end; p = eol + 1) {
		const char *space = memchr(p, ' ', (size_t)(end - p));

		eol = memchr(p, '\n', (size_t)(end - p));
		if (eol == NULL || space == NULL)
			break;
		if (!publish_name_is(kind, p, (size_t)(space - p), &number))
			text_add_n(text, p, (size_t)(eol + 1 - p));
	}
	for (i = 0; i < 32; i++)
		snprintf(digest + 2 * i, 3, "%02x", entry->sha256[i]);
	text_printf(text, "%s %" PRIu64 " %s %" PRIu64 "\n", entry->name,
	    entry->size, digest, entry->generation);
	return !text->failed;
}
