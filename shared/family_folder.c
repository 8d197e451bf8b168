/*
 * family_folder.c - which of these certificates may lie in the folders of a policy?
 *
 * Those that a manifest names, by SHA-256 and nothing else. Each is written whole
 * or not at all, so that a server that reads meanwhile sees a smaller pool, never
 * a broken one.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/file.h"
#include "base/text.h"
#include "family.h"
#include "input.h"
#include "trust/cert.h"
#include "trust/read.h"

#define FOLDER_MAX_FILES	4096

static const char *const	role_folders[] = { [FAMILY_APART] = NULL,
    [FAMILY_ANCHOR] = "anchors", [FAMILY_ISSUER] = "issuers",
    [FAMILY_INTERMEDIATE] = "intermediates" };

struct work {
	const struct certauth_family *f;
	const char		*folder;
	const char		*file;		/* where the certificates come from */
	certauth_family_fn	*fn;
	void			*context;
	struct certauth_error	*error_r;
};

const char *
certauth_family_word(enum family_word word)
{
	static const char *const	words[] = { [FAMILY_TAKEN] = "taken",
	    [FAMILY_HAD] = "there already", [FAMILY_LEFT] = "left out",
	    [FAMILY_UNKNOWN] = "not of the family",
	    [FAMILY_UNREADABLE] = "unreadable", [FAMILY_MISSING] = "missing",
	    [FAMILY_ENDING] = "ending", [FAMILY_SUPERSEDED] = "superseded",
	    [FAMILY_OWN] = "own", [FAMILY_WRONG] = "wrong",
	    [FAMILY_NEW] = "new", [FAMILY_REVOKED] = "revoked",
	    [FAMILY_GONE] = "gone", [FAMILY_OTHER] = "other" };

	return words[word];
}

static void
say(const struct work *w, enum family_word word, const unsigned char *sha256,
    const char *name, const char *group, const char *text)
{
	struct text		hash = { 0 };
	char			shown[256];
	struct family_line	line = { word, "", "", group, w->file, text };

	if (sha256 != NULL)
		text_add_hex(&hash, sha256, 32);
	if (hash.data != NULL)
		line.sha256 = hash.data;
	line.name = text_printable(shown, sizeof(shown), name, strlen(name));
	w->fn(w->context, &line);
	text_free(&hash);
}

static void
say_cert(const struct work *w, enum family_word word, const struct cert *cert,
    const char *group, const char *text)
{
	char	*name = cert_subject_print(cert);

	say(w, word, cert->sha256, name != NULL ? name : "", group, text);
	free(name);
}

/* ----------------------------------------------------------------- writing */

/* "globalsign-gcc-r45-smime-ca-2025-488f465d.pem" */
static void
file_name(char *buf, size_t buf_len, const struct family_ca *ca)
{
	size_t	i, n = 0;
	char	c;

	for (i = 0; ca->name[i] != '\0' && n + 24 < buf_len; i++) {
		c = ca->name[i];
		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			buf[n++] = c;
		else if (n > 0 && buf[n - 1] != '-')
			buf[n++] = '-';
	}
	if (n > 0 && buf[n - 1] == '-')
		n--;
	(void)snprintf(buf + n, buf_len - n, "-%02x%02x%02x%02x.pem",
	    ca->sha256[0], ca->sha256[1], ca->sha256[2], ca->sha256[3]);
}

/* Makes it when it is not there; -1: error_r. */
static int
open_folder(int at, const char *name, struct certauth_error *error_r)
{
	int	fd = -1;

	if (mkdirat(at, name, 0755) == 0 || errno == EEXIST)
		fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		error_set(error_r, name, 0, "no such folder, and it cannot be "
		    "made: %s", strerror(errno));
	return fd;
}

bool
certauth_family_write(const char *folder, const char *name, const void *data,
    size_t data_len, struct certauth_error *error_r)
{
	int	fd = open_folder(AT_FDCWD, folder, error_r);
	bool	ok;

	if (fd < 0)
		return false;
	ok = flock(fd, LOCK_EX) == 0 &&
	    file_replace(fd, name, data, data_len, error_r);
	(void)close(fd);
	return ok;
}

static bool
write_pem(int at, const char *name, X509 *x, struct certauth_error *error_r)
{
	BIO	*bio = BIO_new(BIO_s_mem());
	char	*pem = NULL;
	long	 len;
	bool	 ok = false;

	if (bio != NULL && PEM_write_bio_X509(bio, x) == 1 &&
	    (len = BIO_get_mem_data(bio, &pem)) > 0)
		ok = file_replace(at, name, pem, (size_t)len, error_r);
	else
		error_set(error_r, name, 0, "out of memory");
	BIO_free(bio);
	return ok;
}

/* Into one group. *had_r: it was there. */
static bool
put(const struct work *w, size_t group, const struct family_ca *ca, X509 *x,
    bool *had_r)
{
	char	name[160];
	int	base, top = -1, at = -1;
	bool	ok = false;

	file_name(name, sizeof(name), ca);
	base = open_folder(AT_FDCWD, w->folder, w->error_r);
	if (base < 0 || flock(base, LOCK_EX) != 0)
		goto out;
	top = open_folder(base, w->f->groups[group].name, w->error_r);
	if (top < 0)
		goto out;
	at = open_folder(top, role_folders[ca->role], w->error_r);
	if (at < 0)
		goto out;
	*had_r = faccessat(at, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	ok = *had_r || write_pem(at, name, x, w->error_r);
out:
	if (at >= 0)
		(void)close(at);
	if (top >= 0)
		(void)close(top);
	if (base >= 0)
		(void)close(base);
	return ok;
}

/* The facts beside the hash are for people; a wrong one would mislead them. */
static const char *
contradicts(const struct family_ca *ca, const struct cert *cert)
{
	if (memcmp(ca->key_sha256, cert->spki_sha256, 32) != 0)
		return "the manifest has another key for it";
	if (ca->not_before != cert->not_before ||
	    ca->not_after != cert->not_after)
		return "the manifest has other times for it";
	if (ca->ski_len != cert->ski_len || (ca->ski_len > 0 &&
	    memcmp(ca->ski, cert->ski, ca->ski_len) != 0))
		return "the manifest has another key id for it";
	return cert->is_ca ? NULL : "it is no CA";
}

static bool
take(const struct work *w, X509 *x)
{
	const struct family_ca	*ca;
	struct cert		*cert = cert_new(x);
	const char		*why;
	size_t			 i;
	bool			 had, ok = true;

	if (cert == NULL)
		return true;
	ca = certauth_family_find(w->f, cert->sha256);
	if (ca == NULL) {
		say_cert(w, FAMILY_UNKNOWN, cert, "", "");
	} else if (ca->role == FAMILY_APART || ca->retired) {
		say(w, FAMILY_LEFT, cert->sha256, ca->name, "", ca->retired ?
		    "retired" : "apart: it is never taken");
	} else if ((why = contradicts(ca, cert)) != NULL) {
		say(w, FAMILY_LEFT, cert->sha256, ca->name, "", why);
	} else {
		for (i = 0; ok && i < w->f->num_groups; i++) {
			if ((ca->groups >> i & 1) == 0)
				continue;
			ok = put(w, i, ca, x, &had);
			if (ok)
				say(w, had ? FAMILY_HAD : FAMILY_TAKEN,
				    cert->sha256, ca->name,
				    w->f->groups[i].name,
				    role_folders[ca->role]);
		}
	}
	cert_free(cert);
	return ok;
}

/* ----------------------------------------------------------------- reading */

/* *num_r: certificates found. */
static bool
take_all(const struct work *w, const void *data, size_t data_len, size_t *num_r)
{
	struct read_result	found = { .certs = NULL };
	int			i;
	bool			ok;

	ERR_set_mark();
	ok = read_certs(data, data_len, NULL, &found);
	if (!ok)
		error_set(w->error_r, w->file, 0, "out of memory");
	for (i = 0; ok && i < sk_X509_num(found.certs); i++)
		ok = take(w, sk_X509_value(found.certs, i));
	*num_r += ok ? (size_t)sk_X509_num(found.certs) : 0;
	read_result_free(&found);
	ERR_pop_to_mark();
	return ok;
}

static bool
take_csv(const struct work *w, const void *data, size_t data_len, size_t *num_r)
{
	struct csv_columns	columns;
	struct csv		csv;
	char			*fields[CSV_MAX_FIELDS], *pem;
	size_t			num;
	bool			ok = false;
	enum csv_result		got;

	if (!csv_open(&csv, w->file, data, data_len, w->error_r))
		return false;
	if (csv_next(&csv, fields, &num, w->error_r) != CSV_ROW)
		goto out;
	if (!csv_columns(fields, num, &columns) || columns.pem < 0) {
		error_set(w->error_r, w->file, 1, "has no column of "
		    "certificates in PEM; the Common CA Database has a record "
		    "with one");
		goto out;
	}
	while ((got = csv_next(&csv, fields, &num, w->error_r)) == CSV_ROW) {
		if ((size_t)columns.pem >= num ||
		    (pem = csv_pem(fields[columns.pem])) == NULL)
			continue;
		ok = take_all(w, pem, strlen(pem), num_r);
		free(pem);
		if (!ok)
			goto out;
	}
	ok = got == CSV_END;
out:
	csv_close(&csv);
	return ok;
}

bool
certauth_family_import(const struct certauth_family *f, const char *folder,
    const char *file, const void *data, size_t data_len, certauth_family_fn *fn,
    void *context, struct certauth_error *error_r)
{
	struct work	w = { f, folder, file, fn, context, error_r };
	unsigned char	*own = NULL;
	size_t		 num = 0;
	bool		 ok;

	memset(error_r, 0, sizeof(*error_r));
	if (data == NULL) {
		if (!input_read(file, &own, &data_len, error_r))
			return false;
		data = own;
	}
	ok = csv_is(data, data_len) ? take_csv(&w, data, data_len, &num) :
	    take_all(&w, data, data_len, &num);
	if (ok && num == 0)
		say(&w, FAMILY_UNREADABLE, NULL, "", "", "holds no certificate "
		    "that can be read; expected PEM, DER, PKCS#7 or CSV");
	free(own);
	return ok;
}

/* ------------------------------------------------------------------- check */

struct seen { unsigned char sha256[32]; };
struct shelf {			/* one group's */
	struct seen	*seen;
	size_t		 num, capacity;
	bool		 anchor, issuer;
};

static bool
remember(struct shelf *s, const unsigned char sha256[32])
{
	struct seen	*grown;

	if (s->num == s->capacity) {
		grown = reallocarray(s->seen, s->capacity * 2 + 16,
		    sizeof(*grown));
		if (grown == NULL)
			return false;
		s->seen = grown;
		s->capacity = s->capacity * 2 + 16;
	}
	memcpy(s->seen[s->num++].sha256, sha256, 32);
	return true;
}

static bool
is_seen(const struct shelf *s, const unsigned char sha256[32])
{
	size_t	i;

	for (i = 0; i < s->num; i++)
		if (memcmp(s->seen[i].sha256, sha256, 32) == 0)
			return true;
	return false;
}

static void
check_cert(const struct work *w, size_t group, enum family_role role,
    const struct cert *cert, int64_t now)
{
	const struct family_ca	*ca = certauth_family_find(w->f, cert->sha256);
	const char		*name = w->f->groups[group].name;

	if (ca != NULL && ca->role == FAMILY_APART)
		say(w, FAMILY_WRONG, cert->sha256, ca->name, name,
		    "it must never be in a pool; remove it");
	else if (ca != NULL && ((ca->groups >> group & 1) == 0 ||
	    ca->role != role))
		say(w, FAMILY_WRONG, cert->sha256, ca->name, name,
		    "it belongs into another folder; remove it");
	else if (cert->not_after < now || (ca != NULL && ca->retired))
		say_cert(w, FAMILY_SUPERSEDED, cert, name, cert->not_after < now
		    ? "it has ended; remove it" : "it is retired; remove it");
	else if (cert->not_after < now + FAMILY_SOON)
		say_cert(w, FAMILY_ENDING, cert, name, "it ends within 90 days");
	else if (ca == NULL)
		say_cert(w, FAMILY_OWN, cert, name, "accepted by hand; the "
		    "manifest does not know it");
}

static bool
check_file(struct work *w, const struct file_ref *ref, size_t group,
    enum family_role role, int64_t now, struct shelf *shelf)
{
	struct read_result	 found = { .certs = NULL };
	unsigned char		*data = NULL;
	struct cert		*cert;
	size_t			 data_len;
	int			 i, n;
	bool			 ok = false;

	w->file = ref->path;
	if (!input_read(ref->path, &data, &data_len, w->error_r))
		return false;
	ERR_set_mark();
	if (!read_certs(data, data_len, NULL, &found))
		goto out;
	n = sk_X509_num(found.certs);
	if (n == 0 && w->fn != NULL)
		say(w, FAMILY_UNREADABLE, NULL, "", w->f->groups[group].name,
		    "holds no certificate that can be read");
	for (ok = true, i = 0; ok && i < n; i++) {
		cert = cert_new(sk_X509_value(found.certs, i));
		if (cert == NULL)
			continue;
		ok = remember(shelf, cert->sha256);
		shelf->anchor |= role == FAMILY_ANCHOR;
		shelf->issuer |= role == FAMILY_ISSUER;
		if (w->fn != NULL)
			check_cert(w, group, role, cert, now);
		cert_free(cert);
	}
out:
	if (!ok)
		error_set(w->error_r, ref->path, 0, "out of memory");
	read_result_free(&found);
	ERR_pop_to_mark();
	free(data);
	return ok;
}

static bool
check_folder(struct work *w, size_t group, enum family_role role, int64_t now,
    struct shelf *shelf)
{
	struct file_owners	owners;
	struct file_list	list;
	struct file_ref		ref;
	char			path[4096];
	size_t			i;
	bool			ok = true;

	(void)snprintf(path, sizeof(path), "%s/%s/%s", w->folder,
	    w->f->groups[group].name, role_folders[role]);
	file_owners_init(&owners);
	if (!file_ref_open_missing(&ref, NULL, path, w->error_r))
		return false;
	if (!file_is_folder(&ref)) {
		file_ref_close(&ref);
		return true;
	}
	if (!file_list_read(&ref, &owners, FOLDER_MAX_FILES, &list, w->error_r)) {
		file_ref_close(&ref);
		return false;
	}
	for (i = 0; ok && i < list.num_refs; i++)
		ok = check_file(w, &list.refs[i], group, role, now, shelf);
	file_list_free(&list);
	file_ref_close(&ref);
	return ok;
}

static bool
check_group(struct work *w, size_t group, int64_t now, bool *ready_r)
{
	const struct family_ca	*ca;
	struct shelf		 shelf = { .num = 0 };
	enum family_role	 role;
	size_t			 i;
	bool			 ok = true;

	for (role = FAMILY_ANCHOR; ok && role <= FAMILY_INTERMEDIATE; role++)
		ok = check_folder(w, group, role, now, &shelf);
	*ready_r = ok && shelf.anchor && shelf.issuer;
	w->file = w->folder;
	/* A group that nobody uses misses nothing. */
	for (i = 0; ok && w->fn != NULL && shelf.num > 0 &&
	    i < w->f->num_cas; i++) {
		ca = &w->f->cas[i];
		if ((ca->groups >> group & 1) != 0 && !ca->retired &&
		    ca->not_after >= now && !is_seen(&shelf, ca->sha256))
			say(w, FAMILY_MISSING, ca->sha256, ca->name,
			    w->f->groups[group].name, role_folders[ca->role]);
	}
	free(shelf.seen);
	return ok;
}

bool
certauth_family_check(const struct certauth_family *f, const char *folder,
    int64_t now, certauth_family_fn *fn, void *context,
    struct certauth_error *error_r)
{
	struct work	w = { f, folder, folder, fn, context, error_r };
	size_t		i;
	bool		ready, ok = true;

	memset(error_r, 0, sizeof(*error_r));
	for (i = 0; ok && i < f->num_groups; i++)
		ok = check_group(&w, i, now, &ready);
	return ok;
}

uint32_t
certauth_family_ready(const struct certauth_family *f, const char *folder)
{
	struct certauth_error	error;
	struct work		w = { f, folder, folder, NULL, NULL, &error };
	uint32_t		groups = 0;
	size_t			i;
	bool			ready;

	for (i = 0; i < f->num_groups; i++)
		if (check_group(&w, i, 0, &ready) && ready)
			groups |= 1u << i;
	return groups;
}
