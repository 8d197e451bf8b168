/*
 * accept.c - a CA that issued somebody's certificate and is not listed: may it, from
 * now on?
 *
 * An administrator says so, by SHA-256. What he says is checked: it must be a CA, in
 * force, and under an anchor of the authority.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/text.h"
#include "certauth_family.h"
#include "fetched.h"
#include "input.h"
#include "trust/read.h"

static bool
is_listed(const struct engine_authority *a, const struct cert *c)
{
	return pool_key_has_role(a->pool, c->spki_sha256, POOL_ISSUER);
}

static bool
fits(const struct engine_authority *a, struct cert *c,
    const struct snapshot *data, int64_t now)
{
	return a->config != NULL && a->has_issuers && engine_may_issue(c) &&
	    c->not_after >= now && c->not_before <= now &&
	    fetched_under_anchor(a->pool, c, data->fetched, now);
}

/* ------------------------------------------------------------------ pending */

static void
fill(struct certauth_pending *p, const struct engine_authority *a,
    const struct cert *c)
{
	struct text	 hash = { 0 };
	char		*name = cert_subject_print(c), *above = cert_issuer_print(c);

	text_add_hex(&hash, c->sha256, 32);
	(void)snprintf(p->sha256, sizeof(p->sha256), "%s",
	    hash.data != NULL ? hash.data : "");
	(void)snprintf(p->authority, sizeof(p->authority), "%s", a->name);
	(void)snprintf(p->name, sizeof(p->name), "%s", name != NULL ? name : "");
	(void)snprintf(p->anchor_of, sizeof(p->anchor_of), "%s",
	    above != NULL ? above : "");
	p->not_after = c->not_after;
	text_free(&hash);
	free(name);
	free(above);
}

bool
certauth_pending_at(struct certauth *e, size_t i, struct certauth_pending *p)
{
	struct cert	*certs[FETCHED_MAX];
	struct snapshot	*data = engine_snapshot(e);
	int64_t		 now = engine_clock(e);
	size_t		 k, n, a;
	bool		 found = false;

	if (data == NULL)
		return false;
	memset(p, 0, sizeof(*p));
	n = fetched_give(data->fetched, certs);
	for (k = 0; k < n; k++) {
		for (a = 0; !found && a < e->num_authorities; a++)
			if (!is_listed(&e->authorities[a], certs[k]) &&
			    fits(&e->authorities[a], certs[k], data, now) &&
			    i-- == 0) {
				fill(p, &e->authorities[a], certs[k]);
				found = true;
			}
		cert_free(certs[k]);
	}
	snapshot_free(data);
	return found;
}

/* ------------------------------------------------------------------- accept */

static struct cert *
find_in_file(const char *file, const unsigned char sha256[32],
    struct certauth_error *error_r)
{
	struct read_result	 found = { .certs = NULL };
	unsigned char		*data = NULL;
	struct cert		*c = NULL;
	size_t			 data_len;
	int			 i;

	if (!input_read(file, &data, &data_len, error_r)) {
		errno = EIO;
		return NULL;
	}
	errno = EINVAL;
	ERR_set_mark();
	if (read_certs(data, data_len, NULL, &found))
		for (i = 0; c == NULL && i < sk_X509_num(found.certs); i++) {
			c = cert_new(sk_X509_value(found.certs, i));
			if (c != NULL && memcmp(c->sha256, sha256, 32) != 0) {
				cert_free(c);
				c = NULL;
			}
		}
	read_result_free(&found);
	ERR_pop_to_mark();
	free(data);
	return c;
}

/* A reference; NULL: nowhere. */
static struct cert *
find_cert(struct certauth *e, const struct snapshot *data,
    const unsigned char sha256[32], const char *const *files, size_t num_files,
    struct certauth_error *error_r)
{
	const struct pool_member *m;
	struct cert		*certs[FETCHED_MAX], *known, *c = NULL;
	size_t			 i, n;

	n = fetched_give(data->fetched, certs);
	for (i = 0; i < n; i++) {
		if (c == NULL && memcmp(certs[i]->sha256, sha256, 32) == 0)
			c = cert_ref(certs[i]);
		cert_free(certs[i]);
	}
	for (i = 0; c == NULL && i < e->num_authorities; i++) {
		m = pool_find(e->authorities[i].pool, sha256);
		if (m != NULL && (known = pool_cert(m)) != NULL)
			c = cert_ref(known);
	}
	for (i = 0; c == NULL && i < num_files; i++) {
		c = find_in_file(files[i], sha256, error_r);
		if (c == NULL && error_r->text[0] != '\0')
			return NULL;	/* a file that cannot be read */
	}
	if (c == NULL)
		error_set(error_r, NULL, 0, "no certificate of that SHA-256 was "
		    "fetched or is in a pool; name a file that holds it");
	return c;
}

/* The authority it goes to; NULL: error_r. */
static const struct engine_authority *
choose(struct certauth *e, const struct snapshot *data, struct cert *c,
    const char *name, struct certauth_error *error_r)
{
	const struct engine_authority	*a, *chosen = NULL;
	int64_t				 now = engine_clock(e);
	size_t				 i;

	for (i = 0; i < e->num_authorities; i++) {
		a = &e->authorities[i];
		if ((name != NULL && strcmp(a->name, name) != 0) ||
		    !fits(a, c, data, now))
			continue;
		if (chosen != NULL) {
			error_set(error_r, NULL, 0, "it fits \"%s\" and \"%s\"; "
			    "name the authority behind the SHA-256",
			    chosen->name, a->name);
			return NULL;
		}
		chosen = a;
	}
	if (chosen == NULL)
		error_set(error_r, NULL, 0, "it is no CA in force under an "
		    "anchor of %s%s%s with `issuers`", name != NULL ?
		    "authority \"" : "any authority", name != NULL ? name : "",
		    name != NULL ? "\"" : "");
	else if (is_listed(chosen, c)) {
		error_set(error_r, NULL, 0, "authority \"%s\" lists that CA "
		    "already", chosen->name);
		chosen = NULL;
	}
	return chosen;
}

static bool
write_cert(const char *folder, const struct cert *c, char *path_r,
    size_t path_size, struct certauth_error *error_r)
{
	BIO	*bio = BIO_new(BIO_s_mem());
	char	 name[80], *pem = NULL;
	long	 len;
	size_t	 i;
	bool	 ok = false;

	(void)snprintf(name, sizeof(name), "accepted-");
	for (i = 0; i < 8; i++)
		(void)snprintf(name + 9 + 2 * i, sizeof(name) - 9 - 2 * i,
		    "%02x", c->sha256[i]);
	(void)snprintf(name + 25, sizeof(name) - 25, ".pem");
	(void)snprintf(path_r, path_size, "%s/%s", folder, name);
	if (bio != NULL && PEM_write_bio_X509(bio, c->x509) == 1 &&
	    (len = BIO_get_mem_data(bio, &pem)) > 0)
		ok = certauth_family_write(folder, name, pem, (size_t)len,
		    error_r);
	else
		error_set(error_r, NULL, 0, "out of memory");
	BIO_free(bio);
	return ok;
}

bool
certauth_accept_issuer(struct certauth *e, const struct certauth_family *family,
    const unsigned char sha256[32], const char *authority,
    const char *const *files, size_t num_files, char *path_r, size_t path_size,
    struct certauth_error *error_r)
{
	const struct engine_authority	*a = NULL;
	const struct family_ca		*ca;
	const struct config_refs	*refs;
	int				 error = EINVAL;
	struct snapshot			*data = engine_snapshot(e);
	struct cert			*c = NULL;
	size_t				 i;
	bool				 ok = false;

	memset(error_r, 0, sizeof(*error_r));
	if (data == NULL)
		return false;
	ca = family != NULL ? certauth_family_find(family, sha256) : NULL;
	if (ca != NULL && (ca->role == FAMILY_APART || ca->retired)) {
		error_set(error_r, NULL, 0, "the manifest says that %s is %s",
		    ca->name, ca->retired ? "retired" :
		    "apart, and must never be in a pool");
		goto out;
	}
	errno = EINVAL;
	c = find_cert(e, data, sha256, files, num_files, error_r);
	error = c == NULL ? errno : EINVAL;
	a = c != NULL ? choose(e, data, c, authority, error_r) : NULL;
	if (a == NULL)
		goto out;
	refs = &a->config->issuers;
	for (i = 0; i < refs->num_refs && !file_is_folder(&refs->refs[i]); i++)
		;
	if (i == refs->num_refs) {
		error_set(error_r, a->config->file, a->config->line, "the "
		    "`issuers` of \"%s\" are files; add the certificate to one, "
		    "or name a folder", a->name);
		goto out;
	}
	error = EIO;
	ok = write_cert(refs->refs[i].path, c, path_r, path_size, error_r);
out:
	cert_free(c);
	snapshot_free(data);
	errno = error;
	return ok;
}
