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

#include "trust/walk.h"

struct outline {
	unsigned char	sha256[32];		/* of the whole */
	unsigned char	subject_sha256[32];	/* as cert_name_sha256() */
	unsigned char	spki_sha256[32];
	size_t		subject_at, subject_len;	/* in the bytes */
};

/* Where the parts are, in the bytes looked at. */
struct outline_parts {
	struct span	tbs, subject, key;	/* whole elements */
	struct span	version;	/* contents; at NULL: it is not there */
	struct span	algorithm, issuer, validity, outer;	/* contents */
	struct span	rest;		/* of the TBSCertificate, behind the key */
};

/* False (and no parts): not the outline of a certificate that ends where the
 * bytes end. Says nothing about DER. */
bool	outline_find(const unsigned char *data, size_t data_len,
	    struct outline_parts *parts_r);

/*
 * True: exactly these bytes are a certificate in DER (RFC 5280 4.1), of the
 * plain form that nearly all have, and OpenSSL will read it; whether it can use
 * the key is not said. False: decode it to know.
 */
bool	outline_read(const unsigned char *data, size_t data_len,
	    struct outline *outline_r);

#endif
