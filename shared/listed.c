/*
 * listed.c - may the CA that issued this certificate issue here?
 *
 * An authority with `issuers` pins their keys. `new_issuers = "accept"` lets the next
 * one of a series in ("GCC R45 SMIME CA 2027" beside "... 2025"), which is what a CA
 * does about each year; it is the administrator's trust in how the CA names its CAs.
 */

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/text.h"
#include "listed.h"
#include "trust/name_alike.h"

/* The same one value of that attribute, byte for byte. */
static bool
same_attr(const struct cert *a, const struct cert *b, const char *name)
{
	unsigned char	*x = NULL, *y = NULL, *more = NULL;
	size_t		 x_len, y_len, more_len;
	bool		 same;

	same = cert_subject_attr(a, name, 0, &x, &x_len) &&
	    cert_subject_attr(b, name, 0, &y, &y_len) && x_len > 0 &&
	    x_len == y_len && memcmp(x, y, x_len) == 0 &&
	    !cert_subject_attr(a, name, 1, &more, &more_len);
	OPENSSL_free(x);
	OPENSSL_free(y);
	OPENSSL_free(more);
	return same;
}

/* Issued by the same key of the same CA, which is an anchor; of the same
 * organization; of the same name but for its numbers. */
static bool
is_next_of(const struct cert *issuer, const struct cert *listed)
{
	char	*a, *b;
	bool	 next;

	if (!listed->is_ca || issuer->aki_len == 0 ||
	    issuer->aki_len != listed->aki_len ||
	    memcmp(issuer->aki, listed->aki, issuer->aki_len) != 0 ||
	    memcmp(issuer->issuer_sha256, listed->issuer_sha256, 32) != 0 ||
	    !same_attr(issuer, listed, "O"))
		return false;
	a = cert_subject_print(issuer);
	b = cert_subject_print(listed);
	next = a != NULL && b != NULL && name_alike(a, b);
	free(a);
	free(b);
	return next;
}

static const struct cert *
find_series(const struct engine_authority *a, const struct path *path)
{
	const struct pool_member	*m;
	const struct cert		*listed;
	size_t				 i;

	/* directly under the anchor, as those that are listed */
	if (a->config == NULL || !a->config->new_issuers || path->num_certs != 3)
		return NULL;
	for (i = 0; (m = pool_at(a->pool, i)) != NULL; i++)
		if ((m->roles & POOL_ISSUER) != 0 &&
		    (listed = pool_cert(m)) != NULL &&
		    is_next_of(path->certs[1], listed))
			return listed;
	return NULL;
}

void
listed_check(struct certauth_verdict *v, const struct engine_authority *a,
    const struct path *path, int path_no)
{
	const struct cert	*issuer, *listed;
	char			*name, *anchor;
	struct text		 hash = { 0 };

	if (!a->has_issuers || path->num_certs < 2)
		return;
	issuer = path->certs[1];
	if (pool_key_has_role(a->pool, issuer->spki_sha256, POOL_ISSUER))
		return;
	name = cert_subject_print(issuer);
	listed = find_series(a, path);
	if (listed != NULL) {
		anchor = cert_subject_print(listed);
		verdict_add(v, CERTAUTH_ISSUER_NOT_LISTED, CERTAUTH_NOTE, path_no,
		    1, "It was issued by %s, which is not listed but like %s of "
		    "the same anchor (new_issuers = accept).",
		    name != NULL ? name : "?", anchor != NULL ? anchor : "?");
	} else {
		anchor = cert_subject_print(path->certs[path->num_certs - 1]);
		text_add_hex(&hash, issuer->sha256, 32);
		verdict_fault(v, CERTAUTH_ISSUER_NOT_LISTED, path_no, 1,
		    "It was issued by %s, valid under the anchor %s. To accept "
		    "this CA: certauth pool accept %s \"%s\", then reload.",
		    name != NULL ? name : "?", anchor != NULL ? anchor : "?",
		    hash.data != NULL ? hash.data : "?", a->name);
	}
	free(name);
	free(anchor);
	text_free(&hash);
}
