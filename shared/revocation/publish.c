/*
 * publish.c - which index is in force, and how does a new one come into force?
 *
 * Numbered files, written once; a manifest, replaced by rename. A reader sees
 * the old or the new and needs no lock. Does not know what is in an index.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/text.h"
#include "revocation/answers.h"
#include "revocation/publish.h"

/* A reader that saw the old manifest has opened its file long before. */
#define KEEP_SECONDS	60
/* Looked at in one go; a whole number of pages. */
#define PIECE		((size_t)1024 * 1024)
/* Left-overs looked at in one folder. */
#define MAX_NAMES	10000u

static bool
refuse_errno(struct certauth_error *error_r, const char *path, const char *what)
{
	int	saved = errno;

	error_set(error_r, path, 0, "%s: %s", what, strerror(saved));
	errno = saved;
	return false;
}

/* ----------------------------------------------------------------- reading */

static bool
owner_accepted(const struct file_owners *owners, const struct stat *st)
{
	size_t	i;

	if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return false;
	for (i = 0; i < owners->num_uids; i++)
		if (owners->uids[i] == st->st_uid)
			return true;
	return false;
}

static bool
open_kind(enum publish_kind kind, struct publish_map *map,
    struct certauth_error *error_r)
{
	switch (kind) {
	case PUBLISH_CRL:
		return index_open(&map->index, map->data, map->data_len,
		    error_r);
	case PUBLISH_ANSWERS:
		return answers_open(&map->answers, map->data, map->data_len,
		    error_r);
	case PUBLISH_POOL:	/* whoever asks for it reads it */
		return true;
	}
	return false;
}

/* The one thing that is mapped: immutable, and only accepted owners can write
 * it (INTERFACE 1). False: errno tells our own want from the file's fault. */
static bool
map_file(enum publish_kind kind, int dirfd, const struct file_owners *owners,
    struct publish_map *map, struct certauth_error *error_r)
{
	const struct publish_entry *entry = &map->entry;
	struct stat	 st;
	void		*data = MAP_FAILED;
	int		 fd, saved = EINVAL;
	bool		 ok = false;

	fd = openat(dirfd, entry->name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return refuse_errno(error_r, entry->name, "cannot be opened");
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    !owner_accepted(owners, &st)) {
		error_set(error_r, entry->name, 0, "is no file of an accepted "
		    "owner that nobody else may write");
		goto out;
	}
	if (st.st_size <= 0 || (uint64_t)st.st_size != entry->size ||
	    entry->size > SIZE_MAX / 2) {
		error_set(error_r, entry->name, 0, "has %jd bytes; the "
		    "manifest says %" PRIu64, (intmax_t)st.st_size, entry->size);
		goto out;
	}
	data = mmap(NULL, (size_t)entry->size, PROT_READ, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED) {
		saved = errno;
		refuse_errno(error_r, entry->name, "cannot be mapped");
		goto out;
	}
	map->data = data;
	map->data_len = (size_t)entry->size;
	ok = open_kind(kind, map, error_r);
	if (!ok) {
		/* the entry stays: it says what was looked at */
		munmap(data, map->data_len);
		map->data = NULL;
	}
out:
	close(fd);
	errno = saved;
	return ok;
}

/*
 * The folder by the descriptor of its parent, anew each time: it may have been
 * made, or replaced, since.
 */
static int
open_state(const struct file_ref *state, const struct file_owners *owners,
    struct certauth_error *error_r)
{
	struct stat	st;
	int		fd;

	if (state == NULL || state->path == NULL || state->folder_fd < 0) {
		errno = ENOENT;
		return -1;
	}
	fd = openat(state->folder_fd, state->name,
	    O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) != 0 || !owner_accepted(owners, &st)) {
		close(fd);
		if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
			error_set(error_r, state->path, 0, "others than the owner "
			    "may write in the state folder (chmod go-w)");
		else
			error_set(error_r, state->path, 0, "the state folder "
			    "belongs to user %lu, who is neither root nor the "
			    "reader nor the setting `owner`: set owner to that "
			    "user's name in the policy file",
			    (unsigned long)st.st_uid);
		errno = EPERM;
		return -1;
	}
	return fd;
}

bool
publish_believed(const struct file_ref *state, const struct file_owners *owners,
    struct certauth_error *error_r)
{
	int	fd = open_state(state, owners, error_r);

	if (fd < 0)
		return errno != EPERM;
	close(fd);
	return true;
}

/* FAILED: errno as map_file()'s. */
static enum publish_news
read_manifest(enum publish_kind kind, const struct file_ref *ref,
    const struct file_owners *owners,
    const struct file_stamp *seen, struct file_stamp *stamp_r,
    struct publish_map *map_r, struct certauth_error *error_r)
{
	struct file_stamp	 none = { 0 };
	struct file_bytes	 bytes;
	bool			 ok;

	file_stat(ref, stamp_r);
	if (file_stamp_equal(stamp_r, &none))
		return PUBLISH_NONE;
	if (seen != NULL && file_stamp_equal(stamp_r, seen))
		return PUBLISH_SAME;
	if (!file_read(ref, owners, PUBLISH_MAX_MANIFEST, &bytes, error_r))
		return errno == ENOENT ? PUBLISH_NONE : PUBLISH_FAILED;
	*stamp_r = map_r->stamp = bytes.stamp;
	ok = publish_manifest_find(kind, bytes.data, bytes.data_len,
	    &map_r->entry, error_r);
	file_bytes_free(&bytes);
	if (ok && map_r->entry.name[0] == '\0')
		return PUBLISH_NONE;
	errno = EINVAL;
	return ok && map_file(kind, ref->folder_fd, owners, map_r, error_r) ?
	    PUBLISH_TAKEN : PUBLISH_FAILED;
}

enum publish_news
publish_open_kind(enum publish_kind kind, const struct file_ref *state,
    const struct file_owners *owners, const struct file_stamp *seen,
    struct file_stamp *stamp_r, struct publish_map *map_r,
    struct certauth_error *error_r)
{
	static char	  name[] = PUBLISH_MANIFEST;
	struct file_ref	  ref = { 0 };
	enum publish_news news = PUBLISH_FAILED;
	size_t		  size;
	int		  dirfd;

	memset(stamp_r, 0, sizeof(*stamp_r));
	memset(map_r, 0, sizeof(*map_r));
	dirfd = open_state(state, owners, error_r);
	if (dirfd < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return PUBLISH_NONE;
		if (file_look_again(errno)) {
			refuse_errno(error_r, state->path, "cannot be opened");
			file_stamp_forget(stamp_r);
		}
		return PUBLISH_FAILED;
	}
	size = strlen(state->path) + sizeof("/" PUBLISH_MANIFEST);
	ref.path = malloc(size);
	if (ref.path == NULL) {
		error_set(error_r, NULL, 0, "out of memory");
		errno = ENOMEM;
		goto out;
	}
	snprintf(ref.path, size, "%s/%s", state->path, PUBLISH_MANIFEST);
	ref.name = name;
	ref.folder_fd = dirfd;
	news = read_manifest(kind, &ref, owners, seen, stamp_r, map_r, error_r);
out:
	/* Nothing will change in the file when the want is over. */
	if (news == PUBLISH_FAILED && file_look_again(errno))
		file_stamp_forget(stamp_r);
	free(ref.path);
	close(dirfd);
	return news;
}

enum publish_news
publish_open(const struct file_ref *state, const struct file_owners *owners,
    const struct file_stamp *seen, struct file_stamp *stamp_r,
    struct publish_map *map_r, struct certauth_error *error_r)
{
	return publish_open_kind(PUBLISH_CRL, state, owners, seen, stamp_r,
	    map_r, error_r);
}

void
publish_unmap(struct publish_map *map)
{
	if (map != NULL && map->data != NULL)
		munmap((void *)(uintptr_t)map->data, map->data_len);
	if (map != NULL)
		memset(map, 0, sizeof(*map));
}

bool
publish_intact(const struct publish_map *map, struct certauth_error *error_r)
{
	size_t		meta = map->index.header->meta_size, at, n, skip;
	XXH3_state_t	state;

	XXH3_64bits_reset(&state);
	for (at = 0; at < map->data_len; at += n) {
		n = map->data_len - at < PIECE ? map->data_len - at : PIECE;
		skip = meta <= at ? 0 : meta - at < n ? meta - at : n;
		XXH3_64bits_update(&state, map->data + at + skip, n - skip);
		/* It stays in the page cache, not in our account. */
		(void)madvise((void *)(uintptr_t)(map->data + at), n,
		    MADV_DONTNEED);
	}
	if (XXH3_64bits_digest(&state) == map->index.header->tables_hash)
		return true;
	error_set(error_r, map->entry.name, 0, "is damaged: the hash of its "
	    "tables does not match");
	return false;
}

bool
publish_verify(const struct publish_map *map, struct certauth_error *error_r)
{
	unsigned char	digest[32];
	size_t		len = map->index.header != NULL ?
			    map->index.header->meta_size : map->data_len;

	if (EVP_Digest(map->data, len, digest, NULL,
	    EVP_sha256(), NULL) != 1 ||
	    memcmp(digest, map->entry.sha256, sizeof(digest)) != 0) {
		error_set(error_r, map->entry.name, 0, "is damaged: its SHA-256 "
		    "is not the one of the manifest");
		return false;
	}
	return index_check(&map->index, error_r);
}

/* ----------------------------------------------------------------- writing */

/*
 * What root makes here belongs to the folder's owner, who is the next to write.
 * Only for files that were made a moment ago with O_EXCL: an older one might be a
 * link to something of root's.
 */
static bool
give_to_owner(int dirfd, int fd)
{
	struct stat	st;

	if (geteuid() != 0)
		return true;
	return fstat(dirfd, &st) == 0 && fchown(fd, st.st_uid, st.st_gid) == 0;
}

/* A file of its own, closed to others: anybody could lock the folder. */
static int
open_lock(int dirfd)
{
	int	fd = openat(dirfd, PUBLISH_LOCK,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno != EEXIST ? -1 : openat(dirfd, PUBLISH_LOCK,
		    O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (!give_to_owner(dirfd, fd)) {
		close(fd);
		return -1;
	}
	return fd;
}

bool
publish_begin(struct publish_folder *folder_r, const char *path,
    struct certauth_error *error_r)
{
	memset(folder_r, 0, sizeof(*folder_r));
	folder_r->fd = folder_r->lock_fd = -1;
	folder_r->path = strdup(path);
	if (folder_r->path == NULL) {
		errno = ENOMEM;
		goto fail;
	}
	if (mkdir(path, 0755) != 0 && errno != EEXIST)
		goto fail;
	folder_r->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder_r->fd < 0)
		goto fail;
	folder_r->lock_fd = open_lock(folder_r->fd);
	if (folder_r->lock_fd < 0 || flock(folder_r->lock_fd, LOCK_EX) != 0)
		goto fail;
	return true;
fail:
	refuse_errno(error_r, path, "cannot be written");
	publish_end(folder_r);
	return false;
}

void
publish_end(struct publish_folder *folder)
{
	if (folder->lock_fd >= 0)
		close(folder->lock_fd);
	if (folder->fd >= 0)
		close(folder->fd);
	free(folder->path);
	folder->path = NULL;
	folder->fd = folder->lock_fd = -1;
}

/* fn for each numbered file of that kind. */
static bool
each_index(enum publish_kind kind, int dirfd, void (*fn)(int, const char *, uint64_t, void *),
    void *context)
{
	struct dirent	*entry;
	uint64_t	 number;
	unsigned	 names;
	DIR		*dir;
	int		 fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY |
			    O_CLOEXEC);

	dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	for (names = 0; names < MAX_NAMES; names++) {
		entry = readdir(dir);
		if (entry == NULL)
			break;
		if (publish_name_is(kind, entry->d_name, strlen(entry->d_name),
		    &number))
			fn(dirfd, entry->d_name, number, context);
	}
	closedir(dir);
	return true;
}

static void
highest(int dirfd, const char *name, uint64_t number, void *context)
{
	uint64_t	*max = context;

	(void)dirfd;
	(void)name;
	if (number > *max)
		*max = number;
}

struct cleaning { const char *named; time_t now; };

/* The time at which a file lost its name is its mtime (see commit_manifest). */
static void
remove_old(int dirfd, const char *name, uint64_t number, void *context)
{
	struct cleaning	*cleaning = context;
	struct stat	 st;

	(void)number;
	if (strcmp(name, cleaning->named) != 0 &&
	    fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_mtime + KEEP_SECONDS < cleaning->now)
		unlinkat(dirfd, name, 0);
}

static bool
commit_manifest(enum publish_kind kind, struct publish_folder *folder,
    struct publish_entry *entry, struct certauth_error *error_r)
{
	struct publish_entry	old = { 0 };
	struct text		text = { 0 };
	bool			ok;

	ok = publish_manifest_text(kind, folder->fd, entry, &text, &old);
	if (!ok)
		error_set(error_r, folder->path, 0, "out of memory");
	/* From now on nobody names the old one: its minute begins. Before the
	 * rename, so that a crash in between only makes it live longer. */
	if (ok && old.name[0] != '\0')
		utimensat(folder->fd, old.name, NULL, AT_SYMLINK_NOFOLLOW);
	ok = ok && file_replace(folder->fd, PUBLISH_MANIFEST, text.data,
	    text.len, error_r);
	text_free(&text);
	return ok;
}

/* What readers will map is what we look at: the file, not our memory. */
static bool
self_check(enum publish_kind kind, int fd, const struct publish_entry *entry,
    struct certauth_error *error_r)
{
	struct publish_map	 map = { .data_len = (size_t)entry->size };
	void			*data;
	bool			 ok;

	data = mmap(NULL, map.data_len, PROT_READ, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED)
		return refuse_errno(error_r, entry->name, "cannot be mapped");
	map.data = data;
	ok = open_kind(kind, &map, error_r) &&
	    (kind != PUBLISH_CRL || publish_intact(&map, error_r));
	munmap(data, map.data_len);
	return ok;
}

/* What is to be written: a sealed index, or bytes. */
struct product {
	enum publish_kind		 kind;
	const struct index_writer	*writer;
	const unsigned char		*data;
	size_t				 data_len;
};

static bool
write_product(const struct product *product, int fd, unsigned char sha256_r[32])
{
	if (product->writer != NULL)
		return index_writer_write(product->writer, fd, sha256_r);
	return file_write_all(fd, product->data, product->data_len) &&
	    EVP_Digest(product->data, product->data_len, sha256_r, NULL,
	    EVP_sha256(), NULL) == 1;
}

static bool
commit(struct publish_folder *folder, const struct product *product,
    struct certauth_error *error_r)
{
	enum publish_kind	kind = product->kind;
	struct publish_entry	entry = { 0 };
	struct cleaning		cleaning;
	struct stat		st;
	uint64_t		number = 0;
	int			fd = -1;
	bool			ok = false, named = false;

	each_index(kind, folder->fd, highest, &number);
	entry.generation = number + 1;
	publish_name(kind, entry.generation, entry.name, sizeof(entry.name));
	entry.size = product->writer != NULL ?
	    index_writer_size(product->writer) : product->data_len;
	fd = openat(folder->fd, entry.name, O_RDWR | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0 || fchmod(fd, 0644) != 0 || !give_to_owner(folder->fd, fd) ||
	    !write_product(product, fd, entry.sha256) || fsync(fd) != 0 ||
	    fstat(fd, &st) != 0) {
		refuse_errno(error_r, folder->path, "cannot be written");
		goto out;
	}
	if ((uint64_t)st.st_size != entry.size) {
		error_set(error_r, folder->path, 0, "%s came out with %jd bytes "
		    "instead of %" PRIu64, entry.name, (intmax_t)st.st_size,
		    entry.size);
		goto out;
	}
	if (!self_check(kind, fd, &entry, error_r))
		goto out;
	/* Even a failed commit may have renamed: from here on it stays. */
	named = true;
	if (!commit_manifest(kind, folder, &entry, error_r))
		goto out;
	ok = true;
	/* The new file's time is now, by the clock that stamps the others. */
	cleaning.named = entry.name;
	cleaning.now = st.st_mtime;
	each_index(kind, folder->fd, remove_old, &cleaning);
out:
	if (fd >= 0) {
		if (!named)
			unlinkat(folder->fd, entry.name, 0);
		close(fd);
	}
	return ok;
}

bool
publish_commit(struct publish_folder *folder, const struct index_writer *writer,
    struct certauth_error *error_r)
{
	const struct product	product = { .kind = PUBLISH_CRL,
	    .writer = writer };

	return commit(folder, &product, error_r);
}

bool
publish_commit_answers(struct publish_folder *folder, const unsigned char *data,
    size_t data_len, struct certauth_error *error_r)
{
	const struct product	product = { .kind = PUBLISH_ANSWERS,
	    .data = data, .data_len = data_len };

	return commit(folder, &product, error_r);
}

bool
publish_commit_pool(struct publish_folder *folder, const unsigned char *data,
    size_t data_len, struct certauth_error *error_r)
{
	const struct product	product = { .kind = PUBLISH_POOL,
	    .data = data, .data_len = data_len };

	return commit(folder, &product, error_r);
}
