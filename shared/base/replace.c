/*
 * replace.c - how does a new file take the place of an old one?
 *
 * Whole, or not at all: written beside it, on the disk before the rename. Who may
 * read the new one is the caller's.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

/* Signals that may interrupt one write before we give up. */
#define REPLACE_MAX_INTERRUPTS	1000u

bool
file_write_all(int fd, const void *data, size_t data_len)
{
	const unsigned char	*bytes = data;
	size_t			 done = 0;
	unsigned		 interrupts = 0;
	ssize_t			 wrote;

	/* The kernel itself cuts at 2 GiB. */
	while (done < data_len) {
		wrote = write(fd, bytes + done, data_len - done);
		if (wrote < 0 && errno == EINTR &&
		    ++interrupts < REPLACE_MAX_INTERRUPTS)
			continue;
		if (wrote <= 0) {
			if (wrote == 0)
				errno = EIO;
			return false;
		}
		done += (size_t)wrote;
	}
	return true;
}

bool
file_part_make(struct file_part *part, int dirfd, const char *name)
{
	int	len = snprintf(part->part, sizeof(part->part), "%s.part", name);

	_Static_assert(sizeof(part->part) == NAME_MAX + 1, "a name fits");
	if (name[0] == '\0' || strchr(name, '/') != NULL || len < 0 ||
	    (size_t)len >= sizeof(part->part)) {
		errno = len > 0 && (size_t)len >= sizeof(part->part) ?
		    ENAMETOOLONG : EINVAL;
		return false;
	}
	(void)snprintf(part->name, sizeof(part->name), "%s", name);
	part->dirfd = dirfd;
	if (unlinkat(dirfd, part->part, 0) != 0 && errno != ENOENT)
		return false;
	part->fd = openat(dirfd, part->part, O_WRONLY | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, 0600);
	part->open = part->made = part->fd >= 0;
	return part->open;
}

bool
file_part_seal(struct file_part *part)
{
	if (fsync(part->fd) != 0)
		return false;
	part->open = false;
	return close(part->fd) == 0;
}

bool
file_part_place(struct file_part *part)
{
	if (renameat(part->dirfd, part->part, part->dirfd, part->name) != 0)
		return false;
	part->made = false;
	part->placed = true;
	/* Some file systems cannot; the rename stands all the same. */
	return fsync(part->dirfd) == 0 || errno == EINVAL || errno == EROFS;
}

void
file_part_drop(struct file_part *part)
{
	int	saved = errno;

	if (part->open)
		(void)close(part->fd);
	if (part->made)
		(void)unlinkat(part->dirfd, part->part, 0);
	part->open = part->made = false;
	errno = saved;
}

bool
file_replace_mode(int dirfd, const char *name, const void *data,
    size_t data_len, mode_t mode, struct certauth_error *error_r)
{
	struct file_part	part = { .open = false };
	int			saved;
	bool			ok;

	/* Not what the umask left of it: the servers must be able to read. */
	ok = file_part_make(&part, dirfd, name) && fchmod(part.fd, mode) == 0 &&
	    file_write_all(part.fd, data, data_len) && file_part_seal(&part) &&
	    file_part_place(&part);
	if (!ok) {
		saved = errno;
		error_set(error_r, name, 0, "cannot be written: %s",
		    strerror(saved));
		errno = saved;
	}
	file_part_drop(&part);
	return ok;
}

bool
file_replace(int dirfd, const char *name, const void *data, size_t data_len,
    struct certauth_error *error_r)
{
	return file_replace_mode(dirfd, name, data, data_len, 0644, error_r);
}
