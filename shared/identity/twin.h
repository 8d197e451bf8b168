/* twin.h - the other spelling of a certificate that ECDSA signed */
#ifndef CERTAUTH_IDENTITY_TWIN_H
#define CERTAUTH_IDENTITY_TWIN_H

#include <stddef.h>

#include "trust/cert.h"

/* One for each curve that a CA's key may have (keys.curves). */
#define TWIN_MAX	3

/*
 * SHA-256 of what this certificate is called when somebody has turned its
 * signature round; how many, 0 where no other spelling exists. TWIN_MAX + 1: out
 * of memory, so it is not known. Leaves the error queue alone.
 */
size_t	twin_sha256(const struct cert *, unsigned char sha256_r[TWIN_MAX][32]);

#endif
