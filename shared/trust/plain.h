/*
 * plain.h - the values of extensions in the plain form that nearly all have.
 *
 * OpenSSL's decoder makes an object of each piece, which costs more than
 * hashing the whole certificate. What is not plain is left to it.
 */
#ifndef CERTAUTH_TRUST_PLAIN_H
#define CERTAUTH_TRUST_PLAIN_H

#include "trust/cert.h"

/*
 * Fills the fields of the view from the extension `nid`, whose value is `data`,
 * DER already looked at (strict.c) and nothing behind it. True: all of it was
 * read, and OpenSSL would have read the same. False: ask OpenSSL; nothing was
 * filled in (or no memory).
 */
bool	plain_read(struct cert *, int nid, const unsigned char *data,
	    size_t data_len);
/* The OIDs of certificate policies, whatever their qualifiers are. False: it is
 * no such list, or no memory. */
bool	plain_policies(struct cert *, const unsigned char *data, size_t data_len);

#endif
