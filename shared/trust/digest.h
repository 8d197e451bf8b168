/* digest.h - SHA-256 of bytes, and of a certificate. */
#ifndef CERTAUTH_TRUST_DIGEST_H
#define CERTAUTH_TRUST_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/x509.h>

void	digest_sha256(const void *data, size_t data_len,
	    unsigned char sha256_r[32]);
/* Of the DER. False: out of memory, or over `max` bytes of it. */
bool	digest_x509(X509 *, size_t max, unsigned char sha256_r[32]);

#endif
