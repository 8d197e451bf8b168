/*
 * file.c - may this file be believed, and what is in it now?
 *
 * Opens, checks owner and mode, reads into private memory, replaces. Everything
 * after file_ref_open() goes through descriptors, so that it works the same
 * after chroot and setuid. Does not look inside.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

/* The kernel follows forty; an administrator needs two or three. */
#define FILE_MAX_LINKS		8
/* Signals that may interrupt one read or write before we give up. */
#define FILE_MAX_INTERRUPTS	1000u
/* Names looked at in one folder, passed-over ones included. */
#define FILE_MAX_NAMES		200000u
/* A user's record; the longest lines of real directories are a few KB. */
#define FILE_MAX_PASSWD		(1024u * 1024)

#define WRITABLE_BY_OTHERS	(S_IWGRP | S_IWOTH)

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

/* --------------------------------------------------------------- reference */

/* base/path, or path when it is absolute. NULL: out of memory or no cwd. */
static char *
absolute_path(const char *base, const char *path)
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

/*
 * Splits into folder ("" for none, ends in "/" otherwise) and last component.
 * Both are the caller's. False: out of memory.
 */
static bool
split_path(const char *path, char **folder_r, char **name_r)
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
	ref->path = absolute_path(base, path);
	if (ref->path == NULL || !split_path(ref->path, &folder, &ref->name)) {
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

/* -------------------------------------------------------------------- open */

/*
 * Fills error_r and errno. `error` is what errno becomes.
 */
static bool
refuse(struct certauth_error *error_r, const char *path, int error,
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

/* Owner and mode of something open. */
static bool
check_owner(const struct file_owners *owners, const struct stat *st,
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
		return refuse(error_r, path, errno, NULL);
	if (!check_owner(owners, &st, path,
	    "is a symbolic link, and the folder it is in", error_r)) {
		errno = ELOOP;
		return false;
	}
	len = readlinkat(*folder_fd, *name, target, sizeof(target));
	if (len <= 0 || (size_t)len >= sizeof(target))
		return refuse(error_r, path, len < 0 ? errno : ENAMETOOLONG,
		    NULL);
	target[len] = '\0';
	while (len > 1 && target[len - 1] == '/')
		target[--len] = '\0';
	if (!split_path(target, &folder, &last))
		return refuse(error_r, path, ENOMEM, NULL);
	fd = openat(*folder_fd, folder[0] == '\0' ? "." : folder,
	    O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(folder);
	if (fd < 0) {
		free(last);
		return refuse(error_r, path, errno, NULL);
	}
	close(*folder_fd);
	free(*name);
	*folder_fd = fd;
	*name = last;
	return true;
}

/*
 * Opens what `ref` names, without waiting (O_NONBLOCK: a FIFO must not hang a
 * server) and following links only as follow_link() allows. -1: error_r, errno.
 */
static int
open_checked(const struct file_ref *ref, const struct file_owners *owners,
    int flags, struct certauth_error *error_r)
{
	char	*name = NULL;
	int	 folder_fd = -1, fd = -1, saved;
	unsigned i;

	if (ref->path == NULL || ref->folder_fd < 0) {
		refuse(error_r, ref->path, ENOENT, NULL);
		return -1;
	}
	flags |= O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
	fd = openat(ref->folder_fd, ref->name, flags);
	if (fd >= 0)
		return fd;
	/* With O_DIRECTORY a link is ENOTDIR; readlinkat tells them apart. */
	if (errno != ELOOP && errno != ENOTDIR) {
		refuse(error_r, ref->path, errno, NULL);
		return -1;
	}
	saved = errno;
	folder_fd = fcntl(ref->folder_fd, F_DUPFD_CLOEXEC, 0);
	name = strdup(ref->name);
	if (folder_fd < 0 || name == NULL) {
		refuse(error_r, ref->path, ENOMEM, NULL);
		goto out;
	}
	for (i = 0; i < FILE_MAX_LINKS; i++) {
		struct stat	st;

		if (fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    !S_ISLNK(st.st_mode)) {
			refuse(error_r, ref->path, saved, NULL);
			goto out;
		}
		if (!follow_link(&folder_fd, &name, owners, ref->path, error_r))
			goto out;
		fd = openat(folder_fd, name, flags);
		if (fd >= 0)
			goto out;
		saved = errno;
		if (saved != ELOOP && saved != ENOTDIR) {
			refuse(error_r, ref->path, saved, NULL);
			goto out;
		}
	}
	refuse(error_r, ref->path, ELOOP, "is a link to a link to a link, too "
	    "many of them; expected a file");
out:
	saved = errno;
	if (folder_fd >= 0)
		close(folder_fd);
	free(name);
	errno = saved;
	return fd;
}

void
file_stat(const struct file_ref *ref, struct file_stamp *stamp_r)
{
	struct stat	st;

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

bool
file_read(const struct file_ref *ref, const struct file_owners *owners,
    size_t max, struct file_bytes *bytes_r, struct certauth_error *error_r)
{
	struct file_stamp	 after;
	struct stat		 st;
	unsigned char		*data = NULL;
	size_t			 size;
	int			 fd, saved;
	bool			 ok = false, changed;

	memset(bytes_r, 0, sizeof(*bytes_r));
	fd = open_checked(ref, owners, 0, error_r);
	if (fd < 0)
		return false;
	if (fstat(fd, &st) != 0) {
		refuse(error_r, ref->path, errno, NULL);
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		refuse(error_r, ref->path, S_ISDIR(st.st_mode) ? EISDIR : EINVAL,
		    S_ISDIR(st.st_mode) ? "is a folder; expected a file" :
		    "is a device, pipe or socket; expected a file");
		goto out;
	}
	if (!check_owner(owners, &st, ref->path, "file", error_r))
		goto out;
	if (st.st_size < 0 || (uintmax_t)st.st_size > max ||
	    (uintmax_t)st.st_size >= SIZE_MAX) {
		error_set(error_r, ref->path, 0, "has %jd bytes; expected at "
		    "most %zu", (intmax_t)st.st_size, max);
		errno = EFBIG;
		goto out;
	}
	size = (size_t)st.st_size;
	data = malloc(size + 1);
	if (data == NULL) {
		refuse(error_r, ref->path, ENOMEM, NULL);
		goto out;
	}
	stamp_set(&bytes_r->stamp, &st);
	if (!read_all(fd, data, size, &changed) || fstat(fd, &st) != 0) {
		refuse(error_r, ref->path, errno, NULL);
		goto out;
	}
	stamp_set(&after, &st);
	if (changed || !file_stamp_equal(&bytes_r->stamp, &after)) {
		refuse(error_r, ref->path, EAGAIN, "changed while it was read; "
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

/* ------------------------------------------------------------------ folder */

void
file_list_free(struct file_list *list)
{
	size_t	i;

	if (list == NULL)
		return;
	/* Zeroed, there is no list and 0 is no descriptor of ours. */
	if (list->refs != NULL && list->folder_fd >= 0)
		close(list->folder_fd);
	for (i = 0; i < list->num_refs; i++)
		file_ref_close(&list->refs[i]);
	free(list->refs);
	memset(list, 0, sizeof(*list));
	list->folder_fd = -1;
}

static bool
ends_with(const char *name, const char *end)
{
	size_t	name_len = strlen(name), end_len = strlen(end);

	return name_len >= end_len &&
	    memcmp(name + name_len - end_len, end, end_len) == 0;
}

/* Left behind by editors and unfinished copies, or not a file at all. */
static bool
passed_over(int fd, const char *name)
{
	struct stat	st;

	if (name[0] == '.' || ends_with(name, "~") || ends_with(name, ".part"))
		return true;
	return fstatat(fd, name, &st, 0) != 0 || !S_ISREG(st.st_mode);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(((const struct file_ref *)a)->name,
	    ((const struct file_ref *)b)->name);
}

static bool
add_entry(struct file_list *list, size_t *capacity, const char *folder,
    const char *name)
{
	struct file_ref	*refs, *ref;
	size_t		 more;

	if (list->num_refs == *capacity) {
		more = *capacity == 0 ? 16 : *capacity * 2;
		refs = reallocarray(list->refs, more, sizeof(*refs));
		if (refs == NULL)
			return false;
		list->refs = refs;
		*capacity = more;
	}
	ref = &list->refs[list->num_refs];
	memset(ref, 0, sizeof(*ref));
	ref->folder_fd = list->folder_fd;
	ref->borrowed = true;
	ref->path = absolute_path(folder, name);
	ref->name = strdup(name);
	if (ref->path == NULL || ref->name == NULL) {
		file_ref_close(ref);
		return false;
	}
	list->num_refs++;
	return true;
}

static bool
fill_list(struct file_list *list, DIR *dir, const char *path, size_t max_files,
    struct certauth_error *error_r)
{
	struct dirent	*entry;
	size_t		 capacity = 0, names;

	for (names = 0; names < FILE_MAX_NAMES; names++) {
		errno = 0;
		entry = readdir(dir);
		if (entry == NULL) {
			if (errno != 0)
				return refuse(error_r, path, errno, NULL);
			return true;
		}
		if (passed_over(list->folder_fd, entry->d_name))
			continue;
		if (list->num_refs == max_files)
			break;
		if (!add_entry(list, &capacity, path, entry->d_name))
			return refuse(error_r, path, ENOMEM, NULL);
	}
	error_set(error_r, path, 0, "folder has more than %zu files",
	    names < FILE_MAX_NAMES ? max_files : (size_t)FILE_MAX_NAMES);
	errno = EFBIG;
	return false;
}

bool
file_list_read(const struct file_ref *folder, const struct file_owners *owners,
    size_t max_files, struct file_list *list_r, struct certauth_error *error_r)
{
	struct stat	 st;
	DIR		*dir = NULL;
	int		 fd, saved;
	bool		 ok = false;

	memset(list_r, 0, sizeof(*list_r));
	list_r->folder_fd = -1;
	fd = open_checked(folder, owners, O_DIRECTORY, error_r);
	if (fd < 0)
		return false;
	if (fstat(fd, &st) != 0) {
		refuse(error_r, folder->path, errno, NULL);
		goto out;
	}
	if (!check_owner(owners, &st, folder->path, "folder", error_r))
		goto out;
	list_r->folder_fd = openat(fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	dir = fdopendir(fd);
	if (list_r->folder_fd < 0 || dir == NULL) {
		refuse(error_r, folder->path, errno, NULL);
		goto out;
	}
	fd = -1;	/* closedir closes it */
	if (!fill_list(list_r, dir, folder->path, max_files, error_r))
		goto out;
	if (list_r->refs == NULL) {
		/* Keeps the descriptor's owner visible to file_list_free(). */
		close(list_r->folder_fd);
		list_r->folder_fd = -1;
	} else
		qsort(list_r->refs, list_r->num_refs, sizeof(*list_r->refs),
		    compare_names);
	ok = true;
out:
	saved = errno;
	if (dir != NULL)
		closedir(dir);
	if (fd >= 0)
		close(fd);
	if (!ok) {
		if (list_r->refs == NULL && list_r->folder_fd >= 0)
			close(list_r->folder_fd);
		file_list_free(list_r);
	}
	errno = saved;
	return ok;
}

/* ----------------------------------------------------------------- replace */

static bool
write_all(int fd, const unsigned char *data, size_t data_len)
{
	size_t		done = 0;
	unsigned	interrupts = 0;
	ssize_t		wrote;

	while (done < data_len) {
		wrote = write(fd, data + done, data_len - done);
		if (wrote < 0 && errno == EINTR &&
		    ++interrupts < FILE_MAX_INTERRUPTS)
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
file_replace(int dirfd, const char *name, const void *data, size_t data_len,
    struct certauth_error *error_r)
{
	char	 part[NAME_MAX + 1];
	int	 fd = -1, saved = 0, len;
	bool	 made = false, ok = false;

	len = snprintf(part, sizeof(part), "%s.part", name);
	if (name[0] == '\0' || strchr(name, '/') != NULL || len < 0 ||
	    (size_t)len >= sizeof(part)) {
		error_set(error_r, name, 0, "is no file name");
		errno = EINVAL;
		return false;
	}
	/* What a crash left behind; the writers' lock keeps others out. */
	if (unlinkat(dirfd, part, 0) != 0 && errno != ENOENT)
		goto out;
	fd = openat(dirfd, part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0644);
	if (fd < 0)
		goto out;
	made = true;
	/* Not what the umask left of it: the servers must be able to read. */
	if (fchmod(fd, 0644) != 0 || !write_all(fd, data, data_len) ||
	    fsync(fd) != 0)
		goto out;
	if (close(fd) != 0) {
		fd = -1;
		goto out;
	}
	fd = -1;
	if (renameat(dirfd, part, dirfd, name) != 0)
		goto out;
	made = false;
	/* Some file systems cannot; the rename stands all the same. */
	if (fsync(dirfd) != 0 && errno != EINVAL && errno != EROFS)
		goto out;
	ok = true;
out:
	if (!ok) {
		saved = errno;
		error_set(error_r, name, 0, "cannot be written: %s",
		    strerror(saved));
	}
	if (fd >= 0)
		close(fd);
	if (made)
		unlinkat(dirfd, part, 0);
	if (!ok)
		errno = saved;
	return ok;
}
