/*
 * fetched.c - which intermediates has the refresher found, and may this one join
 * them?
 *
 * Takes up the pool file that the manifest names, and writes its next edition.
 * Fetches nothing.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/text.h"
#include "certauth_data.h"
#include "fetched.h"
#include "revocation/index.h"
#include "trust/path.h"
#include "trust/read.h"

struct fetched {
	atomic_uint		 refs;
	struct publish_entry	 entry;		/* empty: there is no file */
	struct cert		*certs[FETCHED_MAX];
	size_t			 num_certs;
};

void
fetched_free(struct fetched *f)
{
	size_t	i;

	if (f == NULL || atomic_fetch_sub_explicit(&f->refs, 1,
	    memory_order_acq_rel) != 1)
		return;
	for (i = 0; i < f->num_certs; i++)
		cert_free(f->certs[i]);
	free(f);
}

static struct fetched *
fetched_ref(struct fetched *f)
{
	if (f != NULL)
		atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
	return f;
}

size_t
fetched_give(const struct fetched *f, struct cert **sent)
{
	size_t	i;

	for (i = 0; f != NULL && i < f->num_certs; i++)
		sent[i] = cert_ref(f->certs[i]);
	return i;
}

/* ----------------------------------------------------------------- reading */

static bool
has(const struct fetched *f, const unsigned char sha256[32])
{
	size_t	i;

	for (i = 0; i < f->num_certs; i++)
		if (memcmp(f->certs[i]->sha256, sha256, 32) == 0)
			return true;
	return false;
}

/* False: not one certificate, or too many, or (errno ENOMEM) out of memory. */
static bool
take_certs(struct fetched *f, const unsigned char *data, size_t data_len)
{
	struct read_result	 result;
	struct cert		*cert;
	int			 i, n;
	int			 error = EINVAL;
	bool			 ok;

	errno = error;
	if (data_len > FETCHED_MAX_BYTES)
		return false;
	ERR_set_mark();
	ok = read_certs(data, data_len, NULL, &result);
	n = ok ? sk_X509_num(result.certs) : 0;
	ok = n > 0 && n <= (int)FETCHED_MAX && result.unreadable == 0;
	for (i = 0; ok && i < n; i++) {
		cert = cert_new(sk_X509_value(result.certs, i));
		ok = cert != NULL;
		if (!ok)
			error = ENOMEM;
		if (ok && cert->is_ca && !has(f, cert->sha256))
			f->certs[f->num_certs++] = cert;
		else
			cert_free(cert);
	}
	read_result_free(&result);
	ERR_pop_to_mark();
	errno = error;
	return ok;
}

static struct fetched *
fetched_new(void)
{
	struct fetched	*f = calloc(1, sizeof(*f));

	if (f != NULL)
		atomic_init(&f->refs, 1);
	return f;
}

static void
refuse(struct certauth *e, const char *why, bool have)
{
	char	line[640];

	(void)snprintf(line, sizeof(line), "fetched intermediates refused: %s; "
	    "%s", why, have ? "the last good ones stay" :
	    "there are no earlier ones");
	engine_note(e, CERTAUTH_WARNING, e->config->state.path, line);
}

struct fetched *
fetched_load(struct certauth *e, struct fetched *last, bool *changed_r)
{
	struct file_stamp	*seen = &e->fetched_manifest, stamp;
	struct publish_map	 map = { 0 };
	struct certauth_error	 error = { 0 };
	struct fetched		*next;

	if (e->config == NULL || !e->config->has_state)
		return NULL;
	switch (publish_open_kind(PUBLISH_POOL, &e->config->state,
	    &e->config->owners, seen, &stamp, &map, &error)) {
	case PUBLISH_FAILED:
		/* Without a manifest that can be read the CRLs' part speaks. */
		if (map.entry.name[0] != '\0' && !file_stamp_equal(seen, &stamp))
			refuse(e, error.text, last != NULL);
		*seen = stamp;
		return fetched_ref(last);
	case PUBLISH_SAME:
	case PUBLISH_NONE:
		*seen = stamp;
		return fetched_ref(last);
	case PUBLISH_TAKEN:
		break;
	}
	*seen = stamp;
	if (last != NULL && memcmp(&last->entry, &map.entry,
	    sizeof(map.entry)) == 0) {
		publish_unmap(&map);
		return fetched_ref(last);
	}
	next = fetched_new();
	if (next == NULL || !take_certs(next, map.data, map.data_len)) {
		if (next == NULL || file_look_again(errno))
			file_stamp_forget(seen);
		else
			refuse(e, "not a file of certificates", last != NULL);
		fetched_free(next);
		next = NULL;
	}
	if (next != NULL) {
		next->entry = map.entry;
		*changed_r = true;
	}
	publish_unmap(&map);
	return next != NULL ? next : fetched_ref(last);
}

struct pool *
fetched_pool(const struct file_ref *state, const struct file_owners *owners)
{
	struct file_stamp	 stamp;
	struct publish_map	 map = { 0 };
	struct pool		*pool;
	bool			 ok;

	if (publish_open_kind(PUBLISH_POOL, state, owners, NULL, &stamp, &map,
	    NULL) != PUBLISH_TAKEN)
		return NULL;
	pool = pool_new();
	ok = pool != NULL && map.data_len <= FETCHED_MAX_BYTES &&
	    pool_load_bytes(pool, map.data, map.data_len, map.entry.name,
	    POOL_INTERMEDIATE, NULL, NULL, NULL) && pool_seal(pool);
	publish_unmap(&map);
	if (ok)
		return pool;
	pool_free(pool);
	return NULL;
}

struct pool *
engine_fetched_pool(const struct certauth *e)
{
	return e->config == NULL || !e->config->has_state ? NULL :
	    fetched_pool(&e->config->state, &e->config->owners);
}

/* ----------------------------------------------------------------- writing */

static bool
add_pem(BIO *out, const struct fetched *f)
{
	size_t	i;

	for (i = 0; i < f->num_certs; i++)
		if (PEM_write_bio_X509(out, f->certs[i]->x509) != 1)
			return false;
	return true;
}

bool
fetched_under_anchor(const struct pool *pool, struct cert *cert,
    const struct fetched *beside, int64_t now)
{
	struct policy_options	 floors;
	struct path_search	*search;
	struct path		 path;
	size_t			 i;
	bool			 good = false;

	policy_options_init(&floors);
	search = path_search_new(pool, &floors, cert,
	    beside != NULL ? beside->certs : NULL,
	    beside != NULL ? beside->num_certs : 0, now);
	while (search != NULL && !good &&
	    path_next(search, &path) == PATH_FOUND) {
		good = path.num_certs > 1;
		for (i = path.num_certs - 1; good && i-- > 0; )
			good = (i + 2 == path.num_certs ||
			    engine_may_issue(path.certs[i + 1])) &&
			    engine_signed_by(&floors, path.certs[i],
			    path.certs[i + 1]);
	}
	path_search_free(search);
	policy_options_clear(&floors);
	return good;
}

/* What the file in force has and still counts. */
static bool
read_last(struct certauth *e, struct fetched *f, int64_t now)
{
	const struct file_stamp	 none = { 0 };
	struct file_stamp	 stamp;
	struct publish_map	 map = { 0 };
	size_t			 i, kept = 0;
	bool			 ok;

	switch (publish_open_kind(PUBLISH_POOL, &e->config->state,
	    &e->config->owners, &none, &stamp, &map, NULL)) {
	case PUBLISH_TAKEN:
		break;
	case PUBLISH_NONE:
	case PUBLISH_SAME:
	case PUBLISH_FAILED:	/* a bad one is replaced */
		return true;
	}
	ok = take_certs(f, map.data, map.data_len);
	publish_unmap(&map);
	for (i = 0; i < f->num_certs; i++) {
		if (f->certs[i]->not_after < now)
			cert_free(f->certs[i]);
		else
			f->certs[kept++] = f->certs[i];
	}
	f->num_certs = kept;
	return ok || kept == 0;
}

static enum certauth_issuer_news
add_issuer(struct certauth *e, size_t authority, struct cert *cert, int64_t now,
    struct certauth_error *error_r)
{
	struct publish_folder		 folder;
	struct fetched			*f = fetched_new();
	BIO				*out = BIO_new(BIO_s_mem());
	char				*pem;
	long				 len;
	enum certauth_issuer_news	 news = CERTAUTH_ISSUER_REFUSED;

	if (f == NULL || out == NULL || !publish_begin(&folder,
	    e->config->state.path, error_r))
		goto out;
	read_last(e, f, now);
	if (has(f, cert->sha256)) {
		news = CERTAUTH_ISSUER_KNOWN;
	} else if (f->num_certs == FETCHED_MAX) {
		error_set(error_r, NULL, 0, "%u fetched intermediates are the "
		    "most; name those you need as `intermediates`",
		    FETCHED_MAX);
	} else if (!fetched_under_anchor(e->authorities[authority].pool, cert, f,
	    now)) {
		error_set(error_r, NULL, 0, "no signatures lead to it from an "
		    "anchor of that authority");
	} else {
		f->certs[f->num_certs++] = cert_ref(cert);
		if (add_pem(out, f) && (len = BIO_get_mem_data(out, &pem)) > 0 &&
		    publish_commit_pool(&folder, (unsigned char *)pem,
		    (size_t)len, error_r))
			news = CERTAUTH_ISSUER_TAKEN;
	}
	publish_end(&folder);
out:
	BIO_free(out);
	fetched_free(f);
	return news;
}

enum certauth_issuer_news
certauth_issuer_publish(struct certauth *e, size_t authority,
    const struct certauth_bytes *der, int64_t now,
    struct certauth_error *error_r)
{
	const unsigned char		*p = der->data;
	struct cert			*cert = NULL;
	X509				*x509 = NULL;
	enum certauth_issuer_news	 news = CERTAUTH_ISSUER_REFUSED;

	memset(error_r, 0, sizeof(*error_r));
	if (e->config == NULL || !e->config->has_state ||
	    authority >= e->num_authorities) {
		error_set(error_r, NULL, 0, "no state folder, or no such "
		    "authority");
		return news;
	}
	if (now == 0)
		now = engine_clock(e);
	ERR_set_mark();
	if (der->data_len > 0 && der->data_len <= CERT_MAX_BYTES)
		x509 = d2i_X509(NULL, &p, (long)der->data_len);
	if (x509 != NULL && p == der->data + der->data_len)
		cert = cert_new(x509);
	if (cert == NULL)
		error_set(error_r, NULL, 0, "is not one certificate in DER");
	else if (!engine_may_issue(cert) || cert->not_after < now)
		error_set(error_r, NULL, 0, "is no CA that may sign "
		    "certificates today");
	else if (pool_find(e->authorities[authority].pool, cert->sha256) != NULL)
		news = CERTAUTH_ISSUER_KNOWN;
	else
		news = add_issuer(e, authority, cert, now, error_r);
	cert_free(cert);
	X509_free(x509);
	ERR_pop_to_mark();
	return news;
}
