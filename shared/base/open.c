/*
 * open.c - may this be opened and believed?
 *
 * Owners, modes and symbolic links, for files and folders alike. Reads nothing
 * but links.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/open.h"
#include "base/text.h"

/* The kernel follows forty; an administrator needs two or three. */
#define FILE_MAX_LINKS		8
/* A user's record; the longest lines of real directories are a few KB. */
#define FILE_MAX_PASSWD		(1024u * 1024)

#define WRITABLE_BY_OTHERS	(S_IWGRP | S_IWOTH)
#define READING	(O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)

/* ------------------------------------------------------------------ owners */

static void
add_owner(struct file_owners *owners, uid_t uid)
{
	size_t	i;

	for (i = 0; i < owners->num_uids; i++)
		if (owners->uids[i] == uid)
			return;
	owners->uids[owners->num_uids++] = uid;
}

void
file_owners_init(struct file_owners *owners)
{
	memset(owners, 0, sizeof(*owners));
	add_owner(owners, 0);
	add_owner(owners, geteuid());
}

bool
file_owners_add(struct file_owners *owners, const char *user,
    struct certauth_error *error_r)
{
	struct passwd	 record, *found = NULL;
	char		*buf = NULL, *more, shown[128];
	size_t		 size = 1024;
	int		 error;
	bool		 ok = false;

	text_printable(shown, sizeof(shown), user, strlen(user));
	do {
		size *= 2;
		more = realloc(buf, size);
		if (more == NULL) {
			error_set(error_r, NULL, 0, "out of memory");
			goto out;
		}
		buf = more;
		error = getpwnam_r(user, &record, buf, size, &found);
	} while (error == ERANGE && size < FILE_MAX_PASSWD);
	if (found == NULL) {
		error_set(error_r, NULL, 0, "user \"%s\" does not exist%s%s; "
		    "expected the name of a user of this machine", shown,
		    error != 0 ? ": " : "", error != 0 ? strerror(error) : "");
		goto out;
	}
	if (owners->num_uids == sizeof(owners->uids) / sizeof(owners->uids[0])) {
		error_set(error_r, NULL, 0, "one owner too many: \"%s\"", shown);
		goto out;
	}
	add_owner(owners, record.pw_uid);
	ok = true;
out:
	free(buf);
	return ok;
}

static bool
owner_accepted(const struct file_owners *owners, uid_t uid)
{
	size_t	i;

	for (i = 0; i < owners->num_uids; i++)
		if (owners->uids[i] == uid)
			return true;
	return false;
}

/* ------------------------------------------------------------------- paths */

char *
open_absolute(const char *base, const char *path)
{
	struct text	 text = { 0 };
	char		*cwd = NULL;

	if (path[0] != '/') {
		if (base == NULL || base[0] != '/') {
			cwd = getcwd(NULL, 0);
			if (cwd == NULL)
				return NULL;
			text_add(&text, cwd);
			free(cwd);
		}
		if (base != NULL) {
			if (base[0] != '/')
				text_add(&text, "/");
			text_add(&text, base);
		}
		if (text.len == 0 || text.data[text.len - 1] != '/')
			text_add(&text, "/");
	}
	text_add(&text, path);
	/* "folder/" is "folder"; "/" stays. */
	while (!text.failed && text.len > 1 && text.data[text.len - 1] == '/')
		text.data[--text.len] = '\0';
	return text_take(&text);
}

bool
open_split(const char *path, char **folder_r, char **name_r)
{
	const char	*slash = strrchr(path, '/');

	if (slash == NULL) {
		*folder_r = strdup("");
		*name_r = strdup(path);
	} else {
		*folder_r = strndup(path, (size_t)(slash - path) + 1);
		*name_r = strdup(slash[1] == '\0' ? "." : slash + 1);
	}
	if (*folder_r != NULL && *name_r != NULL)
		return true;
	free(*folder_r);
	free(*name_r);
	*folder_r = *name_r = NULL;
	return false;
}

/* -------------------------------------------------------------------- open */

bool
open_refuse(struct certauth_error *error_r, const char *path, int error,
    const char *text)
{
	if (text != NULL)
		error_set(error_r, path, 0, "%s", text);
	else
		error_set(error_r, path, 0, "cannot be read: %s",
		    strerror(error));
	errno = error;
	return false;
}

bool
open_owner_ok(const struct file_owners *owners, const struct stat *st,
    const char *path, const char *what, struct certauth_error *error_r)
{
	if (!owner_accepted(owners, st->st_uid)) {
		error_set(error_r, path, 0, "%s belongs to user %lu; expected "
		    "root, the server's user or the setting owner", what,
		    (unsigned long)st->st_uid);
		errno = EPERM;
		return false;
	}
	if ((st->st_mode & WRITABLE_BY_OTHERS) != 0) {
		error_set(error_r, path, 0, "%s has mode %04o; expected that "
		    "neither group nor others may write (chmod go-w)", what,
		    (unsigned)st->st_mode & 07777u);
		errno = EPERM;
		return false;
	}
	return true;
}

/*
 * One symbolic link: *folder_fd and *name become what it points to. Followed
 * only inside a folder that nobody but an accepted owner can write; a sticky
 * folder like /tmp is writable by others all the same.
 */
static bool
follow_link(int *folder_fd, char **name, const struct file_owners *owners,
    const char *path, struct certauth_error *error_r)
{
	struct stat	st;
	char		target[PATH_MAX], *folder = NULL, *last = NULL;
	ssize_t		len;
	int		fd;

	if (fstat(*folder_fd, &st) != 0)
		return open_refuse(error_r, path, errno, NULL);
	if (!open_owner_ok(owners, &st, path,
	    "is a symbolic link, and the folder it is in", error_r)) {
		errno = ELOOP;
		return false;
	}
	len = readlinkat(*folder_fd, *name, target, sizeof(target));
	if (len <= 0 || (size_t)len >= sizeof(target))
		return open_refuse(error_r, path, len < 0 ? errno : ENAMETOOLONG,
		    NULL);
	target[len] = '\0';
	while (len > 1 && target[len - 1] == '/')
		target[--len] = '\0';
	if (!open_split(target, &folder, &last))
		return open_refuse(error_r, path, ENOMEM, NULL);
	fd = openat(*folder_fd, folder[0] == '\0' ? "." : folder,
	    O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(folder);
	if (fd < 0) {
		free(last);
		return open_refuse(error_r, path, errno, NULL);
	}
	close(*folder_fd);
	free(*name);
	*folder_fd = fd;
	*name = last;
	return true;
}

/* Through links, if it is one. *folder_fd_r and *name_r: where it lies; the caller's
 * when a descriptor is given. */
static int
open_through(const struct file_ref *ref, const struct file_owners *owners,
    int flags, int *folder_fd_r, char **name_r, struct certauth_error *error_r)
{
	struct stat	 st;
	char		*name = strdup(ref->name);
	int		 folder_fd = fcntl(ref->folder_fd, F_DUPFD_CLOEXEC, 0);
	int		 fd = -1, saved;
	unsigned	 i;

	if (folder_fd < 0 || name == NULL) {
		open_refuse(error_r, ref->path, folder_fd < 0 ? errno : ENOMEM,
		    NULL);
		goto out;
	}
	for (i = 0; i <= FILE_MAX_LINKS; i++) {
		fd = openat(folder_fd, name, flags);
		if (fd >= 0) {
			*folder_fd_r = folder_fd;
			*name_r = name;
			return fd;
		}
		saved = errno;
		/* With O_DIRECTORY a link is ENOTDIR; lstat tells them apart. */
		if ((saved != ELOOP && saved != ENOTDIR) ||
		    (fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    !S_ISLNK(st.st_mode))) {
			open_refuse(error_r, ref->path, saved, NULL);
			goto out;
		}
		if (i < FILE_MAX_LINKS && !follow_link(&folder_fd, &name, owners,
		    ref->path, error_r))
			goto out;
	}
	open_refuse(error_r, ref->path, ELOOP, "is a link to a link to a link, too "
	    "many of them; expected a file");
out:
	saved = errno;
	if (folder_fd >= 0)
		close(folder_fd);
	free(name);
	errno = saved;
	return -1;
}

int
open_reached(struct file_ref *ref, const struct file_owners *owners, int flags,
    struct certauth_error *error_r)
{
	char	*name;
	int	 folder_fd, fd;

	if (ref->path == NULL || ref->folder_fd < 0) {
		open_refuse(error_r, ref->path, ENOENT, NULL);
		return -1;
	}
	fd = open_through(ref, owners, flags | READING, &folder_fd, &name,
	    error_r);
	if (fd < 0)
		return -1;
	if (!ref->borrowed)
		close(ref->folder_fd);
	free(ref->name);
	ref->folder_fd = folder_fd;
	ref->borrowed = false;
	ref->name = name;
	return fd;
}

int
open_checked(const struct file_ref *ref, const struct file_owners *owners,
    int flags, struct certauth_error *error_r)
{
	char	*name;
	int	 folder_fd, fd;

	if (ref->path == NULL || ref->folder_fd < 0) {
		open_refuse(error_r, ref->path, ENOENT, NULL);
		return -1;
	}
	/* The way of nearly all: nothing to be allocated. */
	fd = openat(ref->folder_fd, ref->name, flags | READING);
	if (fd >= 0)
		return fd;
	if (errno != ELOOP && errno != ENOTDIR) {
		open_refuse(error_r, ref->path, errno, NULL);
		return -1;
	}
	fd = open_through(ref, owners, flags | READING, &folder_fd, &name,
	    error_r);
	if (fd >= 0) {
		close(folder_fd);
		free(name);
	}
	return fd;
}
