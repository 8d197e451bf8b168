/*
 * applied.c - which policy is in force?
 *
 * Reads what is in FILE.applied/. What decides is covered by a SHA-256 in its first
 * line, and that by `current`. Writes nothing (apply.c does).
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/sha.h>

#include "base/open.h"
#include "config/applied.h"

/* And then SHA-256, in hex, of all that comes behind that line. */
#define FIRST_WORDS	"certauth generation 1 "
#define FIRST_CURRENT	"certauth applied 1\n"
#define MAX_CURRENT	256u
/* A reader that is so slow that its generation was removed meanwhile looks again;
 * ten generations must come in force in between, each time. */
#define MAX_TRIES	3u

#define MEND	"; certauth apply or certauth rollback N mends it, certauth apply " \
		"--remove puts the file itself in force"

/* ------------------------------------------------------------------- parts */

/* A number from 1, without leading zeros, that ends at `stop`. NULL: none. */
static const char *
take_number(const char *p, char stop, unsigned *number_r)
{
	unsigned	n = 0;
	const char	*start = p;

	for (; *p >= '0' && *p <= '9' && p - start < 9; p++)
		n = n * 10 + (unsigned)(*p - '0');
	if (p == start || *start == '0' || *p != stop)
		return NULL;
	*number_r = n;
	return p;
}

/* 64 digits and the line's end, behind which is what comes back. NULL: they are not. */
static const char *
take_sha256(const char *p, unsigned char sha256_r[32])
{
	char	hex[65];
	size_t	len;

	/* text_hex_parse() passes over blanks and colons */
	if (strspn(p, "0123456789abcdef") != 64 || p[64] != '\n')
		return NULL;
	memcpy(hex, p, 64);
	hex[64] = '\0';
	return text_hex_parse(hex, sha256_r, 32, &len) && len == 32 ? p + 65 : NULL;
}

unsigned
applied_number(const char *name)
{
	unsigned	number;

	return take_number(name, '\0', &number) != NULL ? number : 0;
}

static bool
ref_open(struct file_ref *ref, const char *conf, const char *name,
    struct certauth_error *error_r)
{
	struct text	 path = { 0 };
	bool		 ok;

	text_printf(&path, "%s" APPLIED_SUFFIX "/%s", conf, name);
	if (path.failed) {
		error_set(error_r, conf, 0, "out of memory");
		text_free(&path);
		return false;
	}
	ok = file_ref_open_missing(ref, NULL, path.data, error_r);
	text_free(&path);
	return ok;
}

char *
applied_root(const char *conf, struct certauth_error *error_r)
{
	struct file_ref	 ref;
	char		*root;

	if (!file_ref_open_missing(&ref, NULL, conf, error_r))
		return NULL;
	root = strndup(ref.path, (size_t)(strrchr(ref.path, '/') - ref.path));
	file_ref_close(&ref);
	if (root == NULL)
		error_set(error_r, conf, 0, "out of memory");
	return root;
}

/* ----------------------------------------------------------------- current */

void
applied_print_current(unsigned number, const unsigned char sha256[32],
    struct text *text)
{
	text_printf(text, FIRST_CURRENT "%u ", number);
	text_add_hex(text, sha256, 32);
	text_add(text, "\n");
}

static bool
parse_current(const struct file_bytes *bytes, unsigned *number_r,
    unsigned char sha256_r[32])
{
	const char	*p = (const char *)bytes->data;
	size_t		 len = strlen(FIRST_CURRENT);

	if (strlen(p) != bytes->data_len || strncmp(p, FIRST_CURRENT, len) != 0)
		return false;
	p = take_number(p + len, ' ', number_r);
	return p != NULL && (p = take_sha256(p + 1, sha256_r)) != NULL &&
	    *p == '\0';
}

/*
 * Is it the folder, and may nobody else write in it? That `current` is not there puts
 * the file in force, so whoever can remove it decides. No folder at all is fine.
 */
static bool
folder_ok(const char *conf, int folder_fd, const struct file_owners *owners,
    struct certauth_error *error_r)
{
	struct text	path = { 0 };
	struct stat	st;
	bool		ok = false;

	text_printf(&path, "%s" APPLIED_SUFFIX, conf);
	if (path.failed)
		error_set(error_r, conf, 0, "out of memory");
	else if (folder_fd >= 0)
		ok = fstat(folder_fd, &st) == 0 ? open_owner_ok(owners, &st,
		    path.data, "folder", error_r) : open_refuse(error_r,
		    path.data, errno, NULL);
	else if (lstat(path.data, &st) == 0)
		error_set(error_r, path.data, 0, "is no folder; expected that of "
		    "the generations, or nothing of that name");
	else
		ok = errno == ENOENT || errno == ENOTDIR ||
		    open_refuse(error_r, path.data, errno, NULL);
	text_free(&path);
	return ok;
}

/* Nothing of that name puts the file in force; a link that leads nowhere is something. */
static bool
is_link(const struct file_ref *ref)
{
	struct stat	st;

	return ref->folder_fd >= 0 && fstatat(ref->folder_fd, ref->name, &st,
	    AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
}

enum applied_found
applied_current(const char *conf, const struct file_owners *owners,
    unsigned *number_r, unsigned char sha256_r[32],
    struct certauth_error *error_r)
{
	struct file_ref		 ref;
	struct file_bytes	 bytes;
	bool			 ok;

	*number_r = 0;
	if (!ref_open(&ref, conf, APPLIED_CURRENT, error_r))
		return APPLIED_BAD;
	if (!folder_ok(conf, ref.folder_fd, owners, error_r)) {
		file_ref_close(&ref);
		return APPLIED_BAD;
	}
	if (!file_read(&ref, owners, MAX_CURRENT, &bytes, error_r)) {
		ok = errno == ENOENT && !is_link(&ref);
		file_ref_close(&ref);
		return ok ? APPLIED_NONE : APPLIED_BAD;
	}
	ok = parse_current(&bytes, number_r, sha256_r);
	if (!ok)
		error_set(error_r, ref.path, 0, "does not say which generation "
		    "is in force" MEND);
	file_bytes_free(&bytes);
	file_ref_close(&ref);
	return ok ? APPLIED_FOUND : APPLIED_BAD;
}

/* -------------------------------------------------------------- generation */

void
applied_print(struct applied *applied, struct text *text)
{
	struct text	rest = { 0 };
	char		when[32];

	text_printf(&rest, "number %u\nreplaces %u\ntime %s\nby %s\nfolder %s\n",
	    applied->number, applied->replaces,
	    text_time_print(when, sizeof(when), applied->time), applied->by,
	    applied->bundle.root);
	bundle_print(&applied->bundle, &rest);
	if (rest.failed || SHA256((unsigned char *)rest.data, rest.len,
	    applied->sha256) == NULL) {
		text->failed = true;
	} else {
		text_add(text, FIRST_WORDS);
		text_add_hex(text, applied->sha256, 32);
		text_add(text, "\n");
		text_add_n(text, rest.data, rest.len);
	}
	text_free(&rest);
}

void
applied_free(struct applied *applied)
{
	bundle_free(&applied->bundle);
	memset(applied, 0, sizeof(*applied));
}

/* The value of the line `KEY VALUE` at *p into buf; *p goes to the next line. */
static bool
take_value(const char **p, const char *key, char *buf, size_t buf_size)
{
	size_t		 len = strlen(key);
	const char	*end;

	if (strncmp(*p, key, len) != 0 || (*p)[len] != ' ')
		return false;
	*p += len + 1;
	end = strchr(*p, '\n');
	if (end == NULL || (size_t)(end - *p) >= buf_size)
		return false;
	memcpy(buf, *p, (size_t)(end - *p));
	buf[end - *p] = '\0';
	*p = end + 1;
	return true;
}

/* *p comes to stand behind the first line. */
static bool
check_sha256(struct applied *applied, const struct file_bytes *bytes,
    const char **p, const char *path, struct certauth_error *error_r)
{
	unsigned char	found[32];
	const char	*end = (const char *)bytes->data + bytes->data_len;

	if (strncmp(*p, FIRST_WORDS, strlen(FIRST_WORDS)) != 0 ||
	    (*p = take_sha256(*p + strlen(FIRST_WORDS), applied->sha256)) ==
	    NULL) {
		error_set(error_r, path, 0, "is no generation that this version "
		    "knows" MEND);
		errno = EINVAL;
		return false;
	}
	if (SHA256((const unsigned char *)*p, (size_t)(end - *p), found) == NULL ||
	    memcmp(found, applied->sha256, 32) != 0) {
		error_set(error_r, path, 0, "is not what was applied: its SHA-256 "
		    "is another" MEND);
		errno = EINVAL;
		return false;
	}
	return true;
}

static bool
parse(struct applied *applied, const struct file_bytes *bytes, const char *path,
    struct certauth_error *error_r)
{
	const char	*p = (const char *)bytes->data;
	char		 number[16], replaces[16], when[40];
	char		 folder[PATH_MAX];

	if (!check_sha256(applied, bytes, &p, path, error_r))
		return false;
	if (!take_value(&p, "number", number, sizeof(number)) ||
	    !take_value(&p, "replaces", replaces, sizeof(replaces)) ||
	    !take_value(&p, "time", when, sizeof(when)) ||
	    !take_value(&p, "by", applied->by, sizeof(applied->by)) ||
	    !take_value(&p, "folder", folder, sizeof(folder)) ||
	    text_has_control(applied->by, strlen(applied->by)) ||
	    !text_utf8_valid(applied->by, strlen(applied->by)) ||
	    !text_time_parse(when, &applied->time) ||
	    (applied->number = applied_number(number)) == 0 ||
	    ((applied->replaces = applied_number(replaces)) == 0 &&
	    strcmp(replaces, "0") != 0))
		goto bad;
	if (!bundle_parse(&applied->bundle, (const unsigned char *)p,
	    bytes->data_len - (size_t)(p - (const char *)bytes->data), path,
	    error_r))
		return false;
	applied->bundle.made_at = strdup(folder);
	if (applied->bundle.made_at == NULL) {
		error_set(error_r, path, 0, "out of memory");
		errno = ENOMEM;
		return false;
	}
	return true;
bad:
	error_set(error_r, path, 0, "is no generation that this version "
	    "knows" MEND);
	errno = EINVAL;
	return false;
}

/* `sha256` NULL: any. */
static bool
read_one(const char *conf, const char *name, const struct file_owners *owners,
    const unsigned char *sha256, struct applied *applied,
    struct certauth_error *error_r)
{
	struct file_ref		 ref;
	struct file_bytes	 bytes;
	bool			 ok = false;
	int			 saved;

	memset(applied, 0, sizeof(*applied));
	if (!ref_open(&ref, conf, name, error_r))
		return false;
	if (!file_read(&ref, owners, APPLIED_MAX_BYTES, &bytes, error_r))
		goto out;
	ok = parse(applied, &bytes, ref.path, error_r) &&
	    (applied->bundle.root = applied_root(conf, error_r)) != NULL;
	if (ok && sha256 != NULL && memcmp(sha256, applied->sha256, 32) != 0) {
		error_set(error_r, ref.path, 0, "is not the one that is in "
		    "force: its SHA-256 is another" MEND);
		errno = EINVAL;
		ok = false;
	}
	saved = errno;
	file_bytes_free(&bytes);
	errno = saved;
out:
	saved = errno;
	file_ref_close(&ref);
	if (!ok)
		applied_free(applied);
	errno = saved;
	return ok;
}

bool
applied_read(const char *conf, const char *name,
    const struct file_owners *owners, struct applied *applied_r,
    struct certauth_error *error_r)
{
	return read_one(conf, name, owners, NULL, applied_r, error_r);
}

enum applied_found
applied_in_force(const char *conf, const struct file_owners *owners,
    struct applied *applied_r, struct certauth_error *error_r)
{
	enum applied_found	found;
	unsigned char		sha256[32];
	unsigned		number, tries;
	char			name[APPLIED_NAME_BYTES];

	memset(applied_r, 0, sizeof(*applied_r));
	for (tries = 0; tries < MAX_TRIES; tries++) {
		found = applied_current(conf, owners, &number, sha256, error_r);
		if (found != APPLIED_FOUND)
			return found;
		(void)snprintf(name, sizeof(name), "%u", number);
		if (read_one(conf, name, owners, sha256, applied_r, error_r))
			return APPLIED_FOUND;
		if (errno != ENOENT)
			return APPLIED_BAD;
	}
	error_set(error_r, conf, 0, "generation %u is in force, and its file is "
	    "not there" MEND, number);
	return APPLIED_BAD;
}
