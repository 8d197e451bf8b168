/*
 * edit.c - how is a file changed without losing anything of it?
 *
 * A new one beside the old, then a rename, under a lock on the folder. An editor
 * that knows no locks is seen by the stamp: then nothing is written. Does not know
 * what stands in the file.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/edit.h"
#include "base/open.h"

/* Waiting for other commands, each of which syncs a disk: half a minute. */
#define EDIT_MAX_TRIES		600
#define EDIT_PAUSE_NS		50000000L
#define EDIT_MAX_ATTRIBUTES	(64 * 1024)

struct edit {
	struct file_ref		ref;
	struct file_part	part;
	int			dirfd;		/* also the lock */
	struct stat		st;
};

static bool
refuse(const struct edit *edit, const char *what,
    struct certauth_error *error_r)
{
	error_set(error_r, edit->ref.path, 0, "%s: %s; nothing was changed", what,
	    strerror(errno));
	return false;
}

/* The file itself, when the name is a link to it: followed as a reader would, only
 * where nobody else could have put it. */
static bool
find(struct edit *edit, const char *path, const struct file_owners *owners,
    struct certauth_error *error_r)
{
	int	fd;

	if (!file_ref_open(&edit->ref, NULL, path, error_r))
		return false;
	fd = open_reached(&edit->ref, owners, 0, error_r);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static bool
lock(struct edit *edit, struct certauth_error *error_r)
{
	const struct timespec	pause = { 0, EDIT_PAUSE_NS };
	unsigned		i;

	edit->dirfd = openat(edit->ref.folder_fd, ".",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (edit->dirfd < 0)
		return refuse(edit, "its folder cannot be opened", error_r);
	for (i = 0; flock(edit->dirfd, LOCK_EX | LOCK_NB) != 0; i++) {
		if (i == EDIT_MAX_TRIES || (errno != EWOULDBLOCK &&
		    errno != EINTR))
			return refuse(edit, "its folder cannot be locked",
			    error_r);
		(void)nanosleep(&pause, NULL);
	}
	return true;
}

/* Access lists, labels: all that hangs on the old one. */
static bool
copy_attributes(int from, int to)
{
	char	*names = malloc(EDIT_MAX_ATTRIBUTES);
	char	*value = malloc(EDIT_MAX_ATTRIBUTES);
	ssize_t	 len, got, at;
	bool	 ok = names != NULL && value != NULL;

	len = ok ? flistxattr(from, names, EDIT_MAX_ATTRIBUTES) : -1;
	if (ok && len < 0 && (errno == ENOTSUP || errno == ENOSYS))
		len = 0;
	ok = ok && len >= 0;
	for (at = 0; ok && at < len; at += (ssize_t)strlen(names + at) + 1) {
		got = fgetxattr(from, names + at, value, EDIT_MAX_ATTRIBUTES);
		ok = got >= 0 &&
		    fsetxattr(to, names + at, value, (size_t)got, 0) == 0;
	}
	free(names);
	free(value);
	return ok;
}

/* NAME.part as the old one in all but words. */
static bool
write_part(struct edit *edit, const struct text *text,
    struct certauth_error *error_r)
{
	int	old;
	bool	ok = false;

	old = openat(edit->ref.folder_fd, edit->ref.name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (!file_part_make(&edit->part, edit->dirfd, edit->ref.name))
		refuse(edit, "its folder cannot be written", error_r);
	else if (old < 0 || fchown(edit->part.fd, edit->st.st_uid,
	    edit->st.st_gid) != 0 ||
	    fchmod(edit->part.fd, edit->st.st_mode & 07777) != 0 ||
	    !copy_attributes(old, edit->part.fd))
		refuse(edit, "its owner, mode and access list cannot be kept",
		    error_r);
	else if (!file_write_all(edit->part.fd, text->data, text->len) ||
	    !file_part_seal(&edit->part))
		refuse(edit, "cannot be written", error_r);
	else
		ok = true;
	if (old >= 0)
		close(old);
	return ok;
}

/* The last look, as close to the rename as can be. */
static bool
put_in_place(struct edit *edit, const struct file_stamp *was,
    struct certauth_error *error_r)
{
	struct file_stamp	now;

	file_stat(&edit->ref, &now);
	if (!file_stamp_equal(&now, was)) {
		error_set(error_r, edit->ref.path, 0, "somebody else changed it "
		    "at the same time; nothing was changed, try again");
		return false;
	}
	if (file_part_place(&edit->part))
		return true;
	if (!edit->part.placed)
		return refuse(edit, "cannot be replaced", error_r);
	error_set(error_r, edit->ref.path, 0, "was changed, but that may not "
	    "outlive a power cut: %s", strerror(errno));
	return false;
}

bool
edit_file(const char *path, const struct file_owners *owners, size_t max,
    edit_fn *fn, void *context, struct certauth_error *error_r)
{
	struct edit		edit = { .dirfd = -1 };
	struct file_bytes	bytes = { 0 };
	struct text		text = { 0 };
	bool			changed = false, ok = false;

	edit.ref.folder_fd = -1;
	if (!find(&edit, path, owners, error_r) || !lock(&edit, error_r) ||
	    !file_read(&edit.ref, owners, max, &bytes, error_r))
		goto out;
	if (fstatat(edit.dirfd, edit.ref.name, &edit.st,
	    AT_SYMLINK_NOFOLLOW) != 0) {
		refuse(&edit, "cannot be looked at", error_r);
		goto out;
	}
	if (edit.st.st_nlink != 1) {
		error_set(error_r, edit.ref.path, 0, "has %lu names (hard links); "
		    "the others would keep the old text; nothing was changed",
		    (unsigned long)edit.st.st_nlink);
		goto out;
	}
	if (!fn(context, &bytes, &text, &changed, error_r))
		goto out;
	if (!changed) {
		ok = true;
		goto out;
	}
	if (text.failed || text.len > max) {
		error_set(error_r, edit.ref.path, 0, text.failed ?
		    "out of memory" : "would be too big; nothing was changed");
		goto out;
	}
	ok = write_part(&edit, &text, error_r) &&
	    put_in_place(&edit, &bytes.stamp, error_r);
out:
	file_part_drop(&edit.part);
	text_free(&text);
	file_bytes_free(&bytes);
	if (edit.dirfd >= 0)
		close(edit.dirfd);
	file_ref_close(&edit.ref);
	return ok;
}
