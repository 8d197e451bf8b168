/*
 * twin.c - which other bytes are this very certificate, with a good signature?
 *
 * An ECDSA signature (r, s) is as good as (r, n - s), n being the order of the
 * curve (SEC 1 4.1.6), and anybody can write one for the other. So whoever is
 * denied by the fingerprint of his certificate could come with another
 * fingerprint, without a key of the CA. The curve is the issuer's, which is not
 * known here: all that a policy can allow are tried. RSA and EdDSA signatures
 * have one spelling (RFC 8017 8.2.2, RFC 8032 5.1.7: S < L).
 */

#include <string.h>

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/sha.h>

#include "identity/twin.h"

/* Orders of the curves that policy_curve_parse() knows (FIPS 186-5, SP 800-186). */
static const char *const orders[TWIN_MAX] = {
	"FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551",
	"FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF"
	"581A0DB248B0A77AECEC196ACCC52973",
	"01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
	"FA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409",
};

static bool
is_ecdsa(X509 *x509)
{
	int	kind = NID_undef;

	return OBJ_find_sigid_algs(X509_get_signature_nid(x509), NULL, &kind) &&
	    kind == NID_X9_62_id_ecPublicKey;
}

/* *sig with n - s; NULL where s is not below n, *failed_r: out of memory. */
static ECDSA_SIG *
turned(const ECDSA_SIG *sig, const char *order, bool *failed_r)
{
	BIGNUM		*n = NULL, *r = NULL, *s = NULL;
	ECDSA_SIG	*other = NULL;

	*failed_r = true;
	s = BN_new();
	if (s == NULL || BN_hex2bn(&n, order) == 0)
		goto out;
	if (BN_cmp(ECDSA_SIG_get0_s(sig), n) >= 0) {
		*failed_r = false;
		goto out;
	}
	r = BN_dup(ECDSA_SIG_get0_r(sig));
	other = ECDSA_SIG_new();
	if (r == NULL || other == NULL ||
	    BN_sub(s, n, ECDSA_SIG_get0_s(sig)) != 1 ||
	    ECDSA_SIG_set0(other, r, s) != 1) {
		ECDSA_SIG_free(other);
		other = NULL;
		goto out;
	}
	r = s = NULL;	/* the signature's now */
	*failed_r = false;
out:
	BN_free(n);
	BN_free(r);
	BN_free(s);
	return other;
}

/* X.690: the certificate's sequence, with this signature as its last member. */
static bool
hash_with(X509 *x509, const ECDSA_SIG *other, unsigned char sha256_r[32])
{
	const ASN1_BIT_STRING	*bits;
	unsigned char		*der = NULL, *sig = NULL, *out = NULL, *p;
	const unsigned char	*body;
	long			 body_len;
	int			 der_len, sig_len, len, tag, class;
	bool			 ok = false;

	X509_get0_signature(&bits, NULL, x509);
	der_len = i2d_X509(x509, &der);
	sig_len = i2d_ECDSA_SIG(other, &sig);
	if (der_len <= 0 || sig_len <= 0)
		goto out;
	body = der;
	if (ASN1_get_object(&body, &body_len, &tag, &class, der_len) !=
	    V_ASN1_CONSTRUCTED)
		goto out;
	/* a bit string begins with the number of its unused bits: none */
	body_len -= ASN1_object_size(0, ASN1_STRING_length(bits) + 1,
	    V_ASN1_BIT_STRING);
	if (body_len <= 0)
		goto out;
	len = (int)body_len + ASN1_object_size(0, sig_len + 1,
	    V_ASN1_BIT_STRING);
	p = out = OPENSSL_malloc((size_t)ASN1_object_size(1, len,
	    V_ASN1_SEQUENCE));
	if (out == NULL)
		goto out;
	ASN1_put_object(&p, 1, len, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
	memcpy(p, body, (size_t)body_len);
	p += body_len;
	ASN1_put_object(&p, 0, sig_len + 1, V_ASN1_BIT_STRING,
	    V_ASN1_UNIVERSAL);
	*p++ = 0;
	memcpy(p, sig, (size_t)sig_len);
	p += sig_len;
	ok = SHA256(out, (size_t)(p - out), sha256_r) != NULL;
out:
	OPENSSL_free(der);
	OPENSSL_free(sig);
	OPENSSL_free(out);
	return ok;
}

size_t
twin_sha256(const struct cert *cert, unsigned char sha256_r[TWIN_MAX][32])
{
	const ASN1_BIT_STRING	*bits = NULL;
	const unsigned char	*p;
	ECDSA_SIG		*sig, *other;
	size_t			 i, n = 0;
	bool			 failed = false;

	if (cert->x509 == NULL || !is_ecdsa(cert->x509))
		return 0;
	X509_get0_signature(&bits, NULL, cert->x509);
	ERR_set_mark();
	p = ASN1_STRING_get0_data(bits);
	sig = d2i_ECDSA_SIG(NULL, &p, ASN1_STRING_length(bits));
	/* What cannot be read verifies nowhere. */
	for (i = 0; sig != NULL && !failed && i < TWIN_MAX; i++) {
		other = turned(sig, orders[i], &failed);
		if (other != NULL)
			failed = !hash_with(cert->x509, other, sha256_r[n++]);
		ECDSA_SIG_free(other);
	}
	ECDSA_SIG_free(sig);
	ERR_pop_to_mark();
	return failed ? TWIN_MAX + 1 : n;
}
