/*
 * extension.h - what do the extensions of a certificate say, and are they what
 * they have to be? (RFC 5280 4.2)
 */
#ifndef CERTAUTH_TRUST_EXTENSION_H
#define CERTAUTH_TRUST_EXTENSION_H

#include "trust/cert.h"

/* Objects of OpenSSL that fields of the view point into; freed by the caller. */
struct extension_kept {
	GENERAL_NAMES		*san;
	ASN1_OCTET_STRING	*ski;
	AUTHORITY_KEYID		*aki;
};

/* Fills what the view has of extensions, their `faults` and critical_unknown.
 * False: out of memory. */
bool	extension_read_all(struct cert *, struct extension_kept *);
/* Is the extension acted on here, so that it may be critical? */
bool	extension_processed(X509_EXTENSION *);

#endif
