/*
 * signature.c - did this key sign this certificate?
 *
 * X509_verify() looks algorithm and key up under locks each time, which costs a
 * sixth of a check with RSA-2048. For the plain algorithms a context made ready
 * once is copied instead; all others are X509_verify()'s.
 */

#include <stdatomic.h>

#include <openssl/evp.h>
#include <openssl/objects.h>

#include "trust/signature.h"

struct signature_ready {
	int		 md;	/* NID of the digest it is for */
	EVP_MD_CTX	*ctx;	/* never changed once it stands here: it is copied */
};

void
signature_ready_free(struct signature_ready *r)
{
	if (r == NULL)
		return;
	EVP_MD_CTX_free(r->ctx);
	OPENSSL_free(r);
}

static struct signature_ready *
make_ready(EVP_PKEY *key, int md)
{
	struct signature_ready	*r = OPENSSL_zalloc(sizeof(*r));

	if (r == NULL)
		return NULL;
	r->md = md;
	r->ctx = EVP_MD_CTX_new();
	if (r->ctx != NULL && EVP_DigestVerifyInit(r->ctx, NULL,
	    EVP_get_digestbynid(md), NULL, key) == 1)
		return r;
	signature_ready_free(r);
	return NULL;
}

/* The digest, where algorithm and key are a pair that needs no parameters; the
 * same conditions as in X509_verify(). */
static bool
plain_digest(const struct cert *c, const EVP_PKEY *key,
    const ASN1_BIT_STRING *bits, int *md_r)
{
	int	pk;

	if (c->tbs == NULL || (c->faults & CERT_FAULT_ALGORITHM) != 0 ||
	    (bits->flags & 7) != 0 ||
	    OBJ_find_sigid_algs(X509_get_signature_nid(c->x509), md_r, &pk) != 1)
		return false;
	if (*md_r != NID_sha256 && *md_r != NID_sha384 && *md_r != NID_sha512)
		return false;
	if (pk == NID_rsaEncryption)
		return EVP_PKEY_is_a(key, "RSA") == 1;
	return pk == NID_X9_62_id_ecPublicKey && EVP_PKEY_is_a(key, "EC") == 1;
}

/* 1 good, 0 bad, -1: not done. */
static int
check_copy(const struct signature_ready *ready, const ASN1_BIT_STRING *bits,
    const struct cert *c)
{
	EVP_MD_CTX	*ctx = EVP_MD_CTX_new();
	int		 done = -1;

	if (ctx != NULL && EVP_MD_CTX_copy_ex(ctx, ready->ctx) == 1)
		done = EVP_DigestVerify(ctx, ASN1_STRING_get0_data(bits),
		    (size_t)ASN1_STRING_length(bits), c->tbs, c->tbs_len) == 1;
	EVP_MD_CTX_free(ctx);
	return done;
}

bool
signature_good(const struct cert *c, struct cert *issuer)
{
	struct signature_ready	*have = atomic_load(&issuer->ready), *mine;
	const ASN1_BIT_STRING	*bits;
	EVP_PKEY		*key = X509_get0_pubkey(issuer->x509);
	int			 md = NID_undef, done = -1;

	X509_get0_signature(&bits, NULL, c->x509);
	if (key == NULL)
		return false;
	if (!plain_digest(c, key, bits, &md))
		return X509_verify(c->x509, key) == 1;
	if (have != NULL && have->md == md) {
		done = check_copy(have, bits, c);
	} else if ((mine = make_ready(key, md)) != NULL) {
		done = check_copy(mine, bits, c);
		/* kept where it serves again; another thread may have been faster */
		if (done != 1 || have != NULL ||
		    !atomic_compare_exchange_strong(&issuer->ready, &have, mine))
			signature_ready_free(mine);
	}
	return done >= 0 ? done == 1 : X509_verify(c->x509, key) == 1;
}
