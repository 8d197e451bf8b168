/*
 * file.c - what is in this file now?
 *
 * Reads into private memory, tells changes. Everything after
 * file_ref_open() goes through descriptors, so that it works the same after
 * chroot and setuid. Who may be believed is open.c's, how a file is replaced is
 * replace.c's; does not look inside.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/open.h"
#include "base/text.h"

/* A rename over a file whose reader is not through changes its ctime; a file that is
 * replaced so often cannot be read. */
#define FILE_MAX_REPLACED	3u
/* Signals that may interrupt one read or write before we give up. */
#define FILE_MAX_INTERRUPTS	1000u

/* ------------------------------------------------------------------- stamp */

static int64_t
nanoseconds(struct timespec time)
{
	/* A wrapped value still differs from another: no signed overflow. */
	return (int64_t)((uint64_t)time.tv_sec * 1000000000u +
	    (uint64_t)time.tv_nsec);
}

static void
stamp_set(struct file_stamp *stamp, const struct stat *st)
{
	stamp->device = (uint64_t)st->st_dev;
	stamp->inode = (uint64_t)st->st_ino;
	stamp->size = (int64_t)st->st_size;
	stamp->mtime_ns = nanoseconds(st->st_mtim);
	stamp->ctime_ns = nanoseconds(st->st_ctim);
}

bool
file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b)
{
	return a->device == b->device && a->inode == b->inode &&
	    a->size == b->size && a->mtime_ns == b->mtime_ns &&
	    a->ctime_ns == b->ctime_ns;
}

void
file_stamp_forget(struct file_stamp *stamp)
{
	memset(stamp, 0xff, sizeof(*stamp));
}

bool
file_look_again(int error)
{
	switch (error) {
	case EAGAIN:		/* changed while it was read */
	case EINTR:
	case EIO:
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case ESTALE:		/* NFS: replaced on the server */
	case ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

/* --------------------------------------------------------------- reference */

static bool
ref_open(struct file_ref *ref, const char *base, const char *path,
    bool may_miss, struct certauth_error *error_r)
{
	char	*folder = NULL;
	bool	 ok = false;

	memset(ref, 0, sizeof(*ref));
	ref->folder_fd = -1;
	if (path == NULL || path[0] == '\0' || strlen(path) >= PATH_MAX) {
		error_set(error_r, NULL, 0,
		    "a file name is empty or longer than %d bytes", PATH_MAX);
		errno = EINVAL;
		goto out;
	}
	ref->path = open_absolute(base, path);
	if (ref->path == NULL || !open_split(ref->path, &folder, &ref->name)) {
		error_set(error_r, path, 0, "out of memory or no current folder");
		errno = ENOMEM;
		goto out;
	}
	ref->folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (ref->folder_fd < 0 &&
	    !(may_miss && (errno == ENOENT || errno == ENOTDIR))) {
		error_set(error_r, ref->path, 0, "its folder cannot be opened: "
		    "%s; expected a folder that exists", strerror(errno));
		goto out;
	}
	ok = true;
out:
	free(folder);
	if (!ok)
		file_ref_close(ref);
	return ok;
}

bool
file_ref_open(struct file_ref *ref, const char *base, const char *path,
    struct certauth_error *error_r)
{
	return ref_open(ref, base, path, false, error_r);
}

bool
file_ref_open_missing(struct file_ref *ref, const char *base, const char *path,
    struct certauth_error *error_r)
{
	return ref_open(ref, base, path, true, error_r);
}

void
file_ref_close(struct file_ref *ref)
{
	int	saved = errno;

	if (ref == NULL)
		return;
	/* Without a path the struct is zeroed and 0 is no descriptor of ours. */
	if (ref->path != NULL && ref->folder_fd >= 0 && !ref->borrowed)
		close(ref->folder_fd);
	free(ref->path);
	free(ref->name);
	memset(ref, 0, sizeof(*ref));
	ref->folder_fd = -1;
	errno = saved;
}

void
file_stat(const struct file_ref *ref, struct file_stamp *stamp_r)
{
	struct stat	st;

	if (ref->bundle != NULL) {
		bundle_stat(ref, stamp_r);
		return;
	}
	memset(stamp_r, 0, sizeof(*stamp_r));
	if (ref->path == NULL || ref->folder_fd < 0)
		return;
	if (fstatat(ref->folder_fd, ref->name, &st, 0) == 0)
		stamp_set(stamp_r, &st);
}

bool
file_is_folder(const struct file_ref *ref)
{
	struct stat	st;

	if (ref->bundle != NULL)
		return bundle_is_folder(ref);
	if (ref->path == NULL || ref->folder_fd < 0)
		return false;
	return fstatat(ref->folder_fd, ref->name, &st, 0) == 0 &&
	    S_ISDIR(st.st_mode);
}

/* -------------------------------------------------------------------- read */

void
file_bytes_free(struct file_bytes *bytes)
{
	if (bytes == NULL)
		return;
	free(bytes->data);
	memset(bytes, 0, sizeof(*bytes));
}

/*
 * Exactly `size` bytes and then the end; `data` has room for one more. *changed_r
 * when there were fewer or more.
 */
static bool
read_all(int fd, unsigned char *data, size_t size, bool *changed_r)
{
	size_t		len = 0;
	unsigned	interrupts = 0;
	ssize_t		got;

	*changed_r = false;
	for (;;) {
		got = read(fd, data + len, size + 1 - len);
		if (got < 0) {
			if (errno == EINTR && ++interrupts < FILE_MAX_INTERRUPTS)
				continue;
			return false;
		}
		len += (size_t)got;
		if (got == 0 || len > size)
			break;
	}
	*changed_r = len != size;
	return true;
}

int
file_open(const struct file_ref *ref, const struct file_owners *owners,
    size_t max, struct file_stamp *stamp_r, struct certauth_error *error_r)
{
	struct stat	st;
	int		fd, saved;

	memset(stamp_r, 0, sizeof(*stamp_r));
	fd = open_checked(ref, owners, 0, error_r);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) != 0) {
		open_refuse(error_r, ref->path, errno, NULL);
		goto refused;
	}
	if (!S_ISREG(st.st_mode)) {
		open_refuse(error_r, ref->path, S_ISDIR(st.st_mode) ? EISDIR : EINVAL,
		    S_ISDIR(st.st_mode) ? "is a folder; expected a file" :
		    "is a device, pipe or socket; expected a file");
		goto refused;
	}
	if (!open_owner_ok(owners, &st, ref->path, "file", error_r))
		goto refused;
	if (st.st_size < 0 || (uintmax_t)st.st_size > max ||
	    (uintmax_t)st.st_size >= SIZE_MAX) {
		error_set(error_r, ref->path, 0, "has %jd bytes; expected at "
		    "most %zu", (intmax_t)st.st_size, max);
		errno = EFBIG;
		goto refused;
	}
	stamp_set(stamp_r, &st);
	return fd;
refused:
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

void
file_stat_fd(int fd, struct file_stamp *stamp_r)
{
	struct stat	st;

	memset(stamp_r, 0, sizeof(*stamp_r));
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		stamp_set(stamp_r, &st);
}

/* *replaced_r when it changed and its name leads to another file, or none, by now. */
static bool
read_once(const struct file_ref *ref, const struct file_owners *owners,
    size_t max, struct file_bytes *bytes_r, bool *replaced_r,
    struct certauth_error *error_r)
{
	struct file_stamp	 after, there;
	unsigned char		*data = NULL;
	size_t			 size;
	int			 fd, saved;
	bool			 ok = false, changed;

	*replaced_r = false;
	memset(bytes_r, 0, sizeof(*bytes_r));
	fd = file_open(ref, owners, max, &bytes_r->stamp, error_r);
	if (fd < 0)
		return false;
	size = (size_t)bytes_r->stamp.size;
	data = malloc(size + 1);
	if (data == NULL) {
		open_refuse(error_r, ref->path, ENOMEM, NULL);
		goto out;
	}
	if (!read_all(fd, data, size, &changed)) {
		open_refuse(error_r, ref->path, errno, NULL);
		goto out;
	}
	file_stat_fd(fd, &after);
	if (changed || !file_stamp_equal(&bytes_r->stamp, &after)) {
		file_stat(ref, &there);
		*replaced_r = there.device != after.device ||
		    there.inode != after.inode;
		open_refuse(error_r, ref->path, EAGAIN, "changed while it was read; "
		    "expected new files to be put in place by rename");
		goto out;
	}
	data[size] = '\0';
	bytes_r->data = data;
	bytes_r->data_len = size;
	data = NULL;
	ok = true;
out:
	saved = errno;
	free(data);
	close(fd);
	if (!ok)
		memset(bytes_r, 0, sizeof(*bytes_r));
	errno = saved;
	return ok;
}

bool
file_read(const struct file_ref *ref, const struct file_owners *owners,
    size_t max, struct file_bytes *bytes_r, struct certauth_error *error_r)
{
	unsigned	tries = 0;
	bool		ok, replaced;

	if (ref->bundle != NULL)
		return bundle_read(ref, max, bytes_r, error_r);
	do
		ok = read_once(ref, owners, max, bytes_r, &replaced, error_r);
	while (!ok && replaced && ++tries < FILE_MAX_REPLACED);
	return ok;
}
