/*
 * store.c - what is remembered on disk, and where does it lie?
 *
 * Every file is written beside, synced and renamed, so that whoever is killed at
 * any moment leaves the old or the new. Judges no object.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "log.h"
#include "store.h"
#include "store_memory.h"

#define LOCK_NAME	"refresher.lock"
#define MAX_NAMES	100000	/* looked at in a folder */

/* ------------------------------------------------------------------- files */

bool
store_replace(const struct store *s, const char *name, const char *data,
    size_t data_len, mode_t mode)
{
	struct certauth_error	error;

	if (certauth_replace(s->state_fd, name, data, data_len, mode,
	    &error))
		return true;
	say(LEVEL_ERROR, "%s/%s %s", s->path, name, error.text);
	return false;
}

bool
store_read_all(int fd, size_t max, unsigned char **data_r, size_t *len_r)
{
	struct stat	 st;
	unsigned char	*data;
	size_t		 len = 0, size;
	ssize_t		 n = 0;

	if (fstat(fd, &st) != 0)
		return false;
	if (!S_ISREG(st.st_mode) || st.st_size < 0 ||
	    (uint64_t)st.st_size > max) {
		errno = EFBIG;
		return false;
	}
	size = (size_t)st.st_size;
	data = malloc(size + 1);
	if (data == NULL)
		return false;
	while (len < size) {
		n = read(fd, data + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	if (n < 0) {
		free(data);
		return false;
	}
	data[len] = '\0';
	*data_r = data;
	*len_r = len;
	return true;
}

char *
store_text(const struct store *s, const char *name, size_t max)
{
	int		 fd = openat(s->state_fd, name, O_RDONLY | O_NOFOLLOW |
			    O_NONBLOCK | O_CLOEXEC);
	unsigned char	*data = NULL;
	size_t		 len;

	if (fd < 0)
		return NULL;
	if (!store_read_all(fd, max, &data, &len))
		data = NULL;
	(void)close(fd);
	return (char *)data;
}

static bool
ends_in(const char *name, const char *end)
{
	size_t	len = strlen(name), end_len = strlen(end);

	return len > end_len && strcmp(name + len - end_len, end) == 0;
}

/* fn for each name in the folder. */
static void
each_name(int dirfd, void (*fn)(struct store *, int, const char *, void *),
    struct store *s, void *context)
{
	int		 fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY |
			    O_CLOEXEC);
	DIR		*dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent	*entry;
	unsigned	 names;

	if (dir == NULL) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	for (names = 0; names < MAX_NAMES; names++) {
		entry = readdir(dir);
		if (entry == NULL)
			break;
		fn(s, dirfd, entry->d_name, context);
	}
	(void)closedir(dir);
}

static void
remove_part(struct store *s, int dirfd, const char *name, void *context)
{
	(void)s;
	(void)context;
	if (ends_in(name, ".part"))
		(void)unlinkat(dirfd, name, 0);
}

/* -------------------------------------------------------------------- open */

static bool
fault(struct certauth_error *error_r, const char *path, const char *what)
{
	(void)snprintf(error_r->file, sizeof(error_r->file), "%s", path);
	(void)snprintf(error_r->text, sizeof(error_r->text), "%s: %s", what,
	    strerror(errno));
	return false;
}

static int
open_folder(int dirfd, const char *name)
{
	if (mkdirat(dirfd, name, 0755) != 0 && errno != EEXIST)
		return -1;
	return openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
}

static bool
open_folders(struct store *s, struct certauth_error *error_r)
{
	int	spool;

	if (mkdir(s->path, 0755) != 0 && errno != EEXIST)
		return fault(error_r, s->path, "cannot be made");
	s->state_fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->state_fd < 0)
		return fault(error_r, s->path, "cannot be opened");
	spool = open_folder(s->state_fd, "spool");
	if (spool >= 0) {
		s->crl_fd = open_folder(spool, "crl");
		s->url_fd = open_folder(spool, "url");
		(void)close(spool);
	}
	return s->crl_fd >= 0 && s->url_fd >= 0 ? true :
	    fault(error_r, s->path, "the spool cannot be made");
}

enum store_open
store_open(struct store *s, const char *state, struct certauth_error *error_r)
{
	char	text[32];
	int	len;

	memset(s, 0, sizeof(*s));
	memset(error_r, 0, sizeof(*error_r));
	s->state_fd = s->crl_fd = s->url_fd = s->lock_fd = -1;
	s->path = strdup(state);
	if (s->path == NULL || !open_folders(s, error_r))
		goto fail;
	s->lock_fd = openat(s->state_fd, LOCK_NAME, O_RDWR | O_CREAT |
	    O_NOFOLLOW | O_CLOEXEC, 0600);
	if (s->lock_fd < 0) {
		fault(error_r, s->path, LOCK_NAME " cannot be opened");
		goto fail;
	}
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
		(void)snprintf(error_r->file, sizeof(error_r->file), "%s",
		    s->path);
		(void)snprintf(error_r->text, sizeof(error_r->text),
		    "another refresher works here");
		store_close(s);
		return STORE_LOCKED;
	}
	len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (ftruncate(s->lock_fd, 0) != 0 ||
	    !certauth_write(s->lock_fd, text, (size_t)len)) {
		fault(error_r, s->path, LOCK_NAME " cannot be written");
		goto fail;
	}
	each_name(s->crl_fd, remove_part, s, NULL);
	each_name(s->url_fd, remove_part, s, NULL);
	return STORE_OPEN;
fail:
	store_close(s);
	return STORE_FAILED;
}

static void
free_source(struct source *source)
{
	free(source->url);
	free(source->authority);
	free(source);
}

void
store_close(struct store *s)
{
	size_t	i;

	for (i = 0; i < s->num_sources; i++)
		free_source(s->sources[i]);
	free(s->sources);
	free(s->path);
	if (s->lock_fd >= 0)
		(void)close(s->lock_fd);
	if (s->url_fd >= 0)
		(void)close(s->url_fd);
	if (s->crl_fd >= 0)
		(void)close(s->crl_fd);
	if (s->state_fd >= 0)
		(void)close(s->state_fd);
	memset(s, 0, sizeof(*s));
	s->state_fd = s->crl_fd = s->url_fd = s->lock_fd = -1;
}

/* ----------------------------------------------------------------- sources */

static bool
make_name(const char *authority, const char *url, char name_r[STORE_NAME_BYTES])
{
	unsigned char	 digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX	*ctx = EVP_MD_CTX_new();
	size_t		 i;
	bool		 ok;

	/* The NUL between them keeps two pairs from being one. */
	ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
	    EVP_DigestUpdate(ctx, authority, strlen(authority) + 1) == 1 &&
	    EVP_DigestUpdate(ctx, url, strlen(url)) == 1 &&
	    EVP_DigestFinal_ex(ctx, digest, NULL) == 1;
	for (i = 0; ok && i < (STORE_NAME_BYTES - 1) / 2; i++)
		(void)snprintf(name_r + 2 * i, 3, "%02x", digest[i]);
	EVP_MD_CTX_free(ctx);
	return ok;
}

/* Is there room for one more that only clients' certificates name? */
static bool
room_for_seen(const struct store *s, const char *authority)
{
	size_t	i, all = 0, same = 0;

	for (i = 0; i < s->num_sources; i++) {
		if (s->sources[i]->origin != ORIGIN_SEEN)
			continue;
		all++;
		same += strcmp(s->sources[i]->authority, authority) == 0;
	}
	return all < STORE_MAX_SEEN && same < STORE_SHARE_SEEN;
}

static struct source *
add_source(struct store *s, const char *authority, size_t number,
    const char *url, const char *name)
{
	struct source	*source = calloc(1, sizeof(*source)), **grown;

	if (source == NULL)
		return NULL;
	memcpy(source->name, name, STORE_NAME_BYTES);
	source->url = strdup(url);
	source->authority = strdup(authority);
	source->number = number;
	grown = reallocarray(s->sources, s->num_sources + 1, sizeof(*grown));
	if (grown != NULL)
		s->sources = grown;
	if (source->url == NULL || source->authority == NULL || grown == NULL) {
		free_source(source);
		return NULL;
	}
	s->sources[s->num_sources++] = source;
	store_memory_load(s, source);
	return source;
}

struct source *
store_find(const struct store *s, const char *name)
{
	size_t	i;

	for (i = 0; i < s->num_sources; i++)
		if (strcmp(s->sources[i]->name, name) == 0)
			return s->sources[i];
	return NULL;
}

struct source *
store_source(struct store *s, const char *authority, size_t number,
    const char *url, enum origin origin)
{
	struct source	*source;
	char		 name[STORE_NAME_BYTES];

	if (!make_name(authority, url, name))
		return NULL;
	source = store_find(s, name);
	if (source == NULL) {
		if (s->num_sources >= STORE_MAX_SOURCES ||
		    (origin == ORIGIN_SEEN && !room_for_seen(s, authority)))
			return NULL;
		source = add_source(s, authority, number, url, name);
		if (source == NULL)
			return NULL;
		source->origin = origin;
	}
	if (origin > source->origin)
		source->origin = origin;
	source->number = number;
	source->listed = true;
	return source;
}

struct seen {
	bool	(*find)(void *, const char *, size_t *);
	void	*context;
	char	url[STORE_MAX_MEMORY], authority[512];
	int	origin;
};

static void
take_seen(void *context, const char *name, const char *value)
{
	struct seen	*seen = context;

	if (strcmp(name, "url") == 0)
		(void)snprintf(seen->url, sizeof(seen->url), "%s", value);
	else if (strcmp(name, "authority") == 0)
		(void)snprintf(seen->authority, sizeof(seen->authority), "%s",
		    value);
	else if (strcmp(name, "origin") == 0)
		seen->origin = (int)strtol(value, NULL, 10);
}

static void
read_seen(struct store *s, int dirfd, const char *name, void *context)
{
	struct seen	*seen = context;
	char		 text[STORE_MAX_MEMORY];
	size_t		 number;

	(void)dirfd;
	if (!ends_in(name, ".txt") ||
	    !store_memory_read(s, name, text, sizeof(text)))
		return;
	seen->url[0] = seen->authority[0] = '\0';
	seen->origin = -1;
	store_memory_lines(text, take_seen, seen);
	if (seen->origin == (int)ORIGIN_SEEN && seen->url[0] != '\0' &&
	    seen->find(seen->context, seen->authority, &number))
		(void)store_source(s, seen->authority, number, seen->url,
		    ORIGIN_SEEN);
}

void
store_read_seen(struct store *s, bool (*find)(void *, const char *, size_t *),
    void *context)
{
	struct seen	seen = { .find = find, .context = context };

	each_name(s->url_fd, read_seen, s, &seen);
}

/* Files of addresses that nobody lists any more. */
static void
remove_unlisted(struct store *s, int dirfd, const char *name, void *context)
{
	bool	*gone = context;
	size_t	 i, len = STORE_NAME_BYTES - 1;

	/* Others' names (pushed lists) are not ours to remove. */
	if (strlen(name) != len + 4 || strspn(name, "0123456789abcdef") != len ||
	    (!ends_in(name, ".crl") && !ends_in(name, ".txt")))
		return;
	for (i = 0; i < s->num_sources; i++)
		if (strncmp(s->sources[i]->name, name, len) == 0)
			return;
	if (unlinkat(dirfd, name, 0) == 0 && ends_in(name, ".crl"))
		*gone = true;
}

bool
store_sweep(struct store *s)
{
	size_t	i, n = 0;
	bool	gone = false;

	for (i = 0; i < s->num_sources; i++)
		if (s->sources[i]->listed || s->sources[i]->busy)
			s->sources[n++] = s->sources[i];
		else
			free_source(s->sources[i]);
	s->num_sources = n;
	each_name(s->crl_fd, remove_unlisted, s, &gone);
	each_name(s->url_fd, remove_unlisted, s, &gone);
	return gone;
}

/* ----------------------------------------------------------------- objects */

int
store_part(struct store *s, const struct source *source)
{
	char	file[STORE_NAME_BYTES + 8];

	(void)snprintf(file, sizeof(file), "%s.part", source->name);
	(void)unlinkat(s->crl_fd, file, 0);
	return openat(s->crl_fd, file, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0644);
}

void
store_part_remove(const struct store *s, const char *name)
{
	char	file[STORE_NAME_BYTES + 8];

	(void)snprintf(file, sizeof(file), "%s.part", name);
	(void)unlinkat(s->crl_fd, file, 0);
}

static void
count_object(struct store *s, int dirfd, const char *name, void *context)
{
	(void)s;
	(void)dirfd;
	*(bool *)context |= ends_in(name, ".crl");
}

bool
store_has_objects(struct store *s)
{
	bool	found = false;

	each_name(s->crl_fd, count_object, s, &found);
	return found;
}

int
store_read(const struct store *s, const char *name, bool part)
{
	char	file[STORE_NAME_BYTES + 8];

	(void)snprintf(file, sizeof(file), "%s.%s", name, part ? "part" : "crl");
	return openat(s->crl_fd, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC);
}

bool
store_keep(const struct store *s, const char *name)
{
	char	from[STORE_NAME_BYTES + 8], to[STORE_NAME_BYTES + 8];
	int	fd;
	bool	ok;

	(void)snprintf(from, sizeof(from), "%s.part", name);
	(void)snprintf(to, sizeof(to), "%s.crl", name);
	fd = openat(s->crl_fd, from, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return false;
	ok = fchmod(fd, 0644) == 0 && fsync(fd) == 0;
	ok = close(fd) == 0 && ok;
	return ok && renameat(s->crl_fd, from, s->crl_fd, to) == 0 &&
	    fsync(s->crl_fd) == 0;
}
