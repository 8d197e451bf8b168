/*
 * digest.c - SHA-256 of bytes, and of a certificate.
 *
 * By the plain functions: the EVP ones of OpenSSL 3 look the algorithm up under
 * a lock with every call, which takes longer than hashing a name.
 */

#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/err.h>
#include <openssl/sha.h>

#include "trust/digest.h"

/* Certificates fit on the stack; larger ones take memory. */
#define DIGEST_STACK	4096

void
digest_sha256(const void *data, size_t data_len, unsigned char sha256_r[32])
{
	SHA256_CTX	ctx;

	(void)SHA256_Init(&ctx);	/* none of the three can fail */
	(void)SHA256_Update(&ctx, data, data_len);
	(void)SHA256_Final(sha256_r, &ctx);
}

bool
digest_x509(X509 *x, size_t max, unsigned char sha256_r[32])
{
	unsigned char	 stack[DIGEST_STACK], *der = stack, *p = stack;
	int		 len;
	bool		 ok = false;

	ERR_set_mark();
	len = i2d_X509(x, NULL);
	if (len <= 0 || (size_t)len > max)
		goto out;
	if ((size_t)len > sizeof(stack)) {
		der = OPENSSL_malloc((size_t)len);
		p = der;
	}
	if (der == NULL || i2d_X509(x, &p) != len)
		goto out;
	digest_sha256(der, (size_t)len, sha256_r);
	ok = true;
out:
	if (der != stack)
		OPENSSL_free(der);
	ERR_pop_to_mark();
	return ok;
}
