/*
 * outline.h - where are subject and key in these bytes of a certificate?
 *
 * Enough to find a certificate in a pool without decoding it: OpenSSL takes 0.2
 * milliseconds for one, nearly all of it for the key, and a pool has hundreds of
 * which a path needs two.
 */
#ifndef CERTAUTH_TRUST_OUTLINE_H
#define CERTAUTH_TRUST_OUTLINE_H

#include <stdbool.h>
#include <stddef.h>

struct outline {
	unsigned char	sha256[32];		/* of the whole */
	unsigned char	subject_sha256[32];	/* as cert_name_sha256() */
	unsigned char	spki_sha256[32];
	size_t		subject_at, subject_len;	/* in the bytes */
};

/* Where the parts are, in the bytes looked at. */
struct outline_parts {
	const unsigned char	*tbs, *subject, *key;	/* whole elements */
	size_t			 tbs_len, subject_len, key_len;
};

/* False (and no parts): not the outline of a certificate that ends where the
 * bytes end. Says nothing about DER. */
bool	outline_find(const unsigned char *data, size_t data_len,
	    struct outline_parts *parts_r);

/* False: not the outline of an X.509 certificate in DER, exactly `data_len`
 * bytes of it (RFC 5280 4.1). True does not say that the rest can be read. */
bool	outline_read(const unsigned char *data, size_t data_len,
	    struct outline *outline_r);

#endif
