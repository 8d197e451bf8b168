/*
 * ocsp_sign.c - may whoever signed this response speak for that CA?
 *
 * RFC 6960 4.2.2.2: the CA itself, or a responder whose certificate the same key
 * signed directly, with id-kp-OCSPSigning. The third way, responders that are
 * trusted because they are configured, is not offered.
 */

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>

#include "base/text.h"
#include "revocation/crl.h"
#include "revocation/ocsp.h"
#include "trust/policy.h"

static bool
refuse(struct certauth_error *error_r, const char *text)
{
	error_set(error_r, NULL, 0, "%s", text);
	return false;
}

/* The signature of a list and of a response have the same three parts. */
static bool
signed_by(const struct ocsp *o, const struct cert *signer,
    struct certauth_error *error_r)
{
	EVP_PKEY	*key = X509_get0_pubkey(signer->x509);
	struct crl	 parts;

	memset(&parts, 0, sizeof(parts));
	parts.tbs = o->tbs;
	parts.tbs_len = o->tbs_len;
	parts.algorithm = o->algorithm;
	parts.algorithm_len = o->algorithm_len;
	parts.signature = o->signature;
	parts.signature_len = o->signature_len;
	return key != NULL && crl_signed_by(&parts, key, error_r);
}

/* Does the response say that it is of this one? (RFC 6960 4.2.2.3) */
static bool
is_responder(const struct ocsp *o, const struct cert *cert)
{
	const ASN1_BIT_STRING	*key;
	const unsigned char	*p = o->responder.p;
	unsigned char		 hash[EVP_MAX_MD_SIZE], sha256[32];
	unsigned		 len = 0;
	X509_NAME		*name;
	bool			 same;

	if (o->by_key) {
		key = X509_get0_pubkey_bitstr(cert->x509);
		return key != NULL && EVP_Digest(ASN1_STRING_get0_data(key),
		    (size_t)ASN1_STRING_length(key), hash, &len, EVP_sha1(),
		    NULL) == 1 && der_length(&o->responder) == len &&
		    memcmp(o->responder.p, hash, len) == 0;
	}
	name = d2i_X509_NAME(NULL, &p, (long)der_length(&o->responder));
	same = name != NULL && p == o->responder.end &&
	    cert_name_sha256(name, sha256) &&
	    memcmp(sha256, cert->subject_sha256, 32) == 0;
	X509_NAME_free(name);
	return same;
}

static bool
has_purpose(const struct cert *cert)
{
	size_t	i;

	/* anyExtendedKeyUsage is not enough: every certificate for everything
	 * would be a responder. */
	for (i = 0; cert->has_eku && i < cert->num_ekus; i++)
		if (OBJ_obj2nid(cert->ekus[i]) == NID_OCSP_sign)
			return true;
	return false;
}

/* Everything about a delegate but its own revocation. */
static bool
may_speak(const struct cert *delegate, const struct cert *issuer, int64_t now,
    struct certauth_error *error_r)
{
	struct policy_options	 floors;
	char			 why[128] = "";
	EVP_PKEY		*key = X509_get0_pubkey(issuer->x509);
	bool			 ok;

	if (memcmp(delegate->issuer_sha256, issuer->subject_sha256, 32) != 0)
		return refuse(error_r, "its signer is neither the issuer of the "
		    "certificate nor was named by it");
	if (!has_purpose(delegate))
		return refuse(error_r, "its signer has no extended key usage "
		    "OCSPSigning (RFC 6960 4.2.2.2)");
	if (delegate->faults != 0 || delegate->critical_unknown)
		return refuse(error_r, "its signer's certificate is faulty");
	if (delegate->has_key_usage && (delegate->key_usage &
	    (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) == 0)
		return refuse(error_r, "its signer's key usage has no "
		    "digitalSignature");
	if (now < delegate->not_before || now > delegate->not_after)
		return refuse(error_r, "its signer's certificate is not valid "
		    "now");
	policy_options_init(&floors);
	ok = policy_key_allowed(&floors, delegate, why, sizeof(why)) &&
	    policy_digest_allowed(&floors, delegate, why, sizeof(why));
	policy_options_clear(&floors);
	if (!ok) {
		error_set(error_r, NULL, 0, "its signer: %s", why);
		return false;
	}
	/* The key, not the name: another CA may have the same. */
	if (key == NULL || X509_verify(delegate->x509, key) != 1)
		return refuse(error_r, "its signer was not named by the key that "
		    "issued the certificate");
	return true;
}

static bool
not_revoked(const struct cert *delegate, const struct cert *issuer,
    ocsp_delegate_fn *status, void *context, struct certauth_error *error_r)
{
	bool	nocheck = X509_get_ext_by_NID(delegate->x509,
		    NID_id_pkix_OCSP_noCheck, -1) >= 0;

	switch (status != NULL ? status(context, delegate, issuer) :
	    OCSP_DELEGATE_UNKNOWN) {
	case OCSP_DELEGATE_GOOD:
		return true;
	case OCSP_DELEGATE_UNKNOWN:
		if (nocheck)
			return true;
		return refuse(error_r, "it is not known whether its signer is "
		    "revoked: no nocheck, and no CRL covers it (RFC 6960 "
		    "4.2.2.2.1)");
	case OCSP_DELEGATE_REVOKED:
		break;
	}
	return refuse(error_r, "its signer is revoked");
}

/* The certificate at the front of the rest; NULL: it does not decode. */
static struct cert *
take_cert(struct der *certs)
{
	const unsigned char	*start = certs->p, *p = start;
	struct der		 value;
	struct cert		*cert = NULL;
	X509			*x = NULL;

	if (!der_take(certs, TAG_SEQUENCE, &value)) {
		certs->p = certs->end;
		return NULL;
	}
	if ((size_t)(certs->p - start) <= CERT_MAX_BYTES)
		x = d2i_X509(NULL, &p, (long)(certs->p - start));
	if (x != NULL && p == certs->p)
		cert = cert_new(x);
	X509_free(x);
	return cert;
}

static bool
delegate_signed(const struct ocsp *o, const struct cert *issuer, int64_t now,
    ocsp_delegate_fn *status, void *context, struct certauth_error *error_r)
{
	struct der	 certs = o->certs;
	struct cert	*cert;
	int		 i;
	bool		 ok = false;

	refuse(error_r, "its signer is neither the issuer of the certificate nor "
	    "among the certificates it brings");
	for (i = 0; !ok && certs.p != certs.end && i < OCSP_MAX_CERTS; i++) {
		cert = take_cert(&certs);
		ok = cert != NULL && is_responder(o, cert) &&
		    may_speak(cert, issuer, now, error_r) &&
		    signed_by(o, cert, error_r) &&
		    not_revoked(cert, issuer, status, context, error_r);
		cert_free(cert);
	}
	return ok;
}

bool
ocsp_signed(const struct ocsp *o, const struct cert *issuer, int64_t now,
    ocsp_delegate_fn *status, void *context, struct certauth_error *error_r)
{
	bool	ok;

	ERR_set_mark();
	if (o->produced > now + OCSP_SKEW_SECONDS)
		ok = refuse(error_r, "was made in the future");
	else if (is_responder(o, issuer) && signed_by(o, issuer, error_r))
		ok = true;
	else
		ok = delegate_signed(o, issuer, now, status, context, error_r);
	ERR_pop_to_mark();
	return ok;
}
