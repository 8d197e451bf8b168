/*
 * crl_sign.c - did a CA of the pool sign this CRL, and where are the CRLs in
 * these bytes?
 *
 * The signature is checked over the raw bytes of the list, once, when the list
 * is compiled. Does not ask whether the signer's certificate is on a valid path:
 * revocation.c compares its key with the path's issuer for each certificate.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "base/text.h"
#include "revocation/crl.h"
#include "trust/policy.h"

/* RSA-PSS salts are as long as the digest; no honest one is longer. */
#define CRL_MAX_SALT	64

static bool
refuse(struct certauth_error *error_r, const char *text)
{
	error_set(error_r, NULL, 0, "%s", text);
	return false;
}

/* ------------------------------------------------------------- algorithm */

/* SHA-1 and MD5 lists can be forged; the others nobody uses. */
static const EVP_MD *
digest_allowed(int nid)
{
	switch (nid) {
	case NID_sha256: return EVP_sha256();
	case NID_sha384: return EVP_sha384();
	case NID_sha512: return EVP_sha512();
	}
	return NULL;
}

struct algorithm {
	int		 key_type;	/* EVP_PKEY_* */
	const EVP_MD	*digest;	/* NULL: the key's own (Ed25519) */
	bool		 pss;
	int		 salt;
};

static const char weak[] = "is signed with a digest that is not allowed; "
    "expected SHA-256, SHA-384 or SHA-512";

/* RFC 4055 3.1: MGF1 must use the same digest. */
static bool
read_pss(const X509_ALGOR *algor, struct algorithm *out,
    struct certauth_error *error_r)
{
	RSA_PSS_PARAMS	*pss = NULL;
	X509_ALGOR	*mask = NULL;
	int64_t		 value;
	bool		 ok = false;

	if (algor->parameter != NULL && algor->parameter->type == V_ASN1_SEQUENCE)
		pss = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(RSA_PSS_PARAMS),
		    algor->parameter);
	if (pss == NULL || pss->hashAlgorithm == NULL) {
		/* The default is SHA-1. */
		refuse(error_r, weak);
		goto out;
	}
	out->digest = digest_allowed(OBJ_obj2nid(pss->hashAlgorithm->algorithm));
	if (out->digest == NULL) {
		refuse(error_r, weak);
		goto out;
	}
	if (pss->maskGenAlgorithm == NULL ||
	    OBJ_obj2nid(pss->maskGenAlgorithm->algorithm) != NID_mgf1 ||
	    (mask = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(X509_ALGOR),
	    pss->maskGenAlgorithm->parameter)) == NULL ||
	    OBJ_obj2nid(mask->algorithm) != EVP_MD_get_type(out->digest)) {
		refuse(error_r, "is signed with RSA-PSS whose mask function "
		    "uses another digest");
		goto out;
	}
	out->salt = 20;
	if (pss->saltLength != NULL) {
		if (ASN1_INTEGER_get_int64(&value, pss->saltLength) != 1 ||
		    value < 0 || value > CRL_MAX_SALT) {
			refuse(error_r, "has an RSA-PSS salt of a length that "
			    "is not allowed");
			goto out;
		}
		out->salt = (int)value;
	}
	if (pss->trailerField != NULL &&
	    (ASN1_INTEGER_get_int64(&value, pss->trailerField) != 1 ||
	    value != 1)) {
		refuse(error_r, "has an RSA-PSS trailer that is not known");
		goto out;
	}
	out->pss = true;
	ok = true;
out:
	X509_ALGOR_free(mask);
	RSA_PSS_PARAMS_free(pss);
	return ok;
}

static bool
read_algor(const X509_ALGOR *algor, struct algorithm *out,
    struct certauth_error *error_r)
{
	int	digest, key, param = V_ASN1_UNDEF;

	if (algor->parameter != NULL)
		param = ASN1_TYPE_get(algor->parameter);
	if (OBJ_obj2nid(algor->algorithm) == NID_rsassaPss) {
		out->key_type = EVP_PKEY_RSA;
		return read_pss(algor, out, error_r);
	}
	if (OBJ_find_sigid_algs(OBJ_obj2nid(algor->algorithm), &digest,
	    &key) != 1)
		return refuse(error_r, "is signed with an unknown algorithm");
	if (key == EVP_PKEY_ED25519 || key == EVP_PKEY_ED448) {
		/* RFC 8410 3: parameters must be absent. */
		if (param != V_ASN1_UNDEF)
			return refuse(error_r, "has parameters that its "
			    "signature algorithm must not have");
		out->key_type = key;
		return true;
	}
	out->digest = digest_allowed(digest);
	if (out->digest == NULL)
		return refuse(error_r, weak);
	/* RFC 4055 5: NULL; RFC 5758 3.2: absent. */
	if (key == EVP_PKEY_RSA)
		param = param == V_ASN1_NULL ? V_ASN1_UNDEF : param;
	else if (key != EVP_PKEY_EC)
		return refuse(error_r, "is signed with an algorithm that is not "
		    "supported");
	if (param != V_ASN1_UNDEF)
		return refuse(error_r, "has parameters that its signature "
		    "algorithm must not have");
	out->key_type = key;
	return true;
}

static bool
read_algorithm(const struct crl *crl, struct algorithm *out,
    struct certauth_error *error_r)
{
	const unsigned char	*p = crl->algorithm;
	X509_ALGOR		*algor;
	bool			 ok;

	memset(out, 0, sizeof(*out));
	algor = d2i_X509_ALGOR(NULL, &p, (long)crl->algorithm_len);
	if (algor == NULL || p != crl->algorithm + crl->algorithm_len)
		ok = refuse(error_r, "has a signature algorithm that does not "
		    "decode");
	else
		ok = read_algor(algor, out, error_r);
	X509_ALGOR_free(algor);
	return ok;
}

/* ------------------------------------------------------------- signature */

const EVP_MD *
crl_digest(const struct crl *crl, struct certauth_error *error_r)
{
	struct algorithm	algorithm;
	bool			ok;

	ERR_set_mark();
	ok = read_algorithm(crl, &algorithm, error_r);
	ERR_pop_to_mark();
	return ok ? algorithm.digest : NULL;
}

static bool
set_pss(EVP_PKEY_CTX *ctx, const struct algorithm *algorithm)
{
	return !algorithm->pss ||
	    (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
	    EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, algorithm->digest) > 0 &&
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, algorithm->salt) > 0);
}

/* The list was hashed while it was read. */
static bool
verify_digest(const struct crl *crl, const struct algorithm *algorithm,
    EVP_PKEY *key)
{
	EVP_PKEY_CTX	*ctx = EVP_PKEY_CTX_new(key, NULL);
	bool		 ok;

	ok = ctx != NULL && algorithm->digest != NULL &&
	    crl->digest_len == (size_t)EVP_MD_get_size(algorithm->digest) &&
	    EVP_PKEY_verify_init(ctx) == 1 &&
	    (algorithm->pss || algorithm->key_type != EVP_PKEY_RSA ||
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0) &&
	    EVP_PKEY_CTX_set_signature_md(ctx, algorithm->digest) > 0 &&
	    set_pss(ctx, algorithm) &&
	    EVP_PKEY_verify(ctx, crl->signature, crl->signature_len,
	    crl->digest, crl->digest_len) == 1;
	EVP_PKEY_CTX_free(ctx);
	return ok;
}

static bool
verify(const struct crl *crl, const struct algorithm *algorithm, EVP_PKEY *key)
{
	EVP_MD_CTX	*ctx = NULL;
	EVP_PKEY_CTX	*key_ctx = NULL;
	bool		 ok;

	if (EVP_PKEY_get_base_id(key) != algorithm->key_type)
		return false;
	if (crl->digest_len > 0)
		return verify_digest(crl, algorithm, key);
	ctx = EVP_MD_CTX_new();
	ok = ctx != NULL && EVP_DigestVerifyInit(ctx, &key_ctx,
	    algorithm->digest, NULL, key) == 1 && set_pss(key_ctx, algorithm) &&
	    EVP_DigestVerify(ctx, crl->signature, crl->signature_len, crl->tbs,
	    crl->tbs_len) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

bool
crl_signed_by(const struct crl *crl, EVP_PKEY *key,
    struct certauth_error *error_r)
{
	struct algorithm	algorithm;
	bool			ok;

	ERR_set_mark();
	ok = read_algorithm(crl, &algorithm, error_r);
	if (ok && !verify(crl, &algorithm, key))
		ok = refuse(error_r, "the signature does not hold");
	ERR_pop_to_mark();
	return ok;
}

/* ---------------------------------------------------------------- signer */

/* What became of the candidates, for the message. */
struct search {
	const struct cert	*candidates[CRL_MAX_SIGNERS];
	size_t			 num_candidates;
	bool			 too_many, no_crl_sign;
	char			 key_text[128];
};

static bool
aki_names(const struct crl *crl, const struct cert *cert)
{
	return crl->aki != NULL && cert->ski != NULL &&
	    crl->aki_len == cert->ski_len &&
	    memcmp(crl->aki, cert->ski, cert->ski_len) == 0;
}

/* One candidate a key: twins and cross-certificates share it. */
static void
add_candidate(struct search *search, const struct cert *cert)
{
	size_t	i;

	/* RFC 5280 4.2.1.3: whoever signs CRLs has cRLSign, if key usage is
	 * there. */
	if (cert->has_key_usage && (cert->key_usage & KU_CRL_SIGN) == 0) {
		search->no_crl_sign = true;
		return;
	}
	for (i = 0; i < search->num_candidates; i++)
		if (memcmp(search->candidates[i]->spki_sha256,
		    cert->spki_sha256, 32) == 0)
			return;
	if (search->num_candidates == CRL_MAX_SIGNERS) {
		search->too_many = true;
		return;
	}
	search->candidates[search->num_candidates++] = cert;
}

/* Those that the AKI names in the first round, the others in the second. */
static void
collect(const struct crl *crl, const struct pool *const *pools, size_t num_pools,
    bool named, struct search *search)
{
	const struct cert	*cert;
	const uint32_t		*indexes;
	size_t			 i, j, n;

	for (i = 0; i < num_pools; i++) {
		n = pool_by_subject(pools[i], crl->issuer_sha256, &indexes);
		for (j = 0; j < n; j++) {
			cert = pool_cert(pool_at(pools[i], indexes[j]));
			if (cert != NULL && aki_names(crl, cert) == named)
				add_candidate(search, cert);
		}
	}
}

static bool
key_allowed(const struct policy_options *floors, const struct cert *cert,
    struct search *search)
{
	char	why[128];

	if (policy_key_allowed(floors, cert, why, sizeof(why)))
		return true;
	memcpy(search->key_text, why, sizeof(why));
	return false;
}

static bool
nobody(const struct crl *crl, const struct search *search,
    struct certauth_error *error_r)
{
	char	*issuer = crl_issuer_print(crl);

	if (search->num_candidates > 0)
		error_set(error_r, NULL, 0, "no CA of the authorities signed "
		    "it: %s; issuer \"%s\"", search->too_many ?
		    "too many keys of one name" : search->key_text[0] != '\0' ?
		    search->key_text : "the signature does not hold",
		    issuer != NULL ? issuer : "");
	else if (search->no_crl_sign)
		error_set(error_r, NULL, 0, "its issuer \"%s\" may not sign "
		    "CRLs: key usage without cRLSign (RFC 5280 4.2.1.3)",
		    issuer != NULL ? issuer : "");
	else
		error_set(error_r, NULL, 0, "it is of \"%s\", which is no CA of "
		    "the authorities", issuer != NULL ? issuer : "");
	free(issuer);
	return false;
}

bool
crl_find_signer(const struct crl *crl, const struct pool *const *pools,
    size_t num_pools, unsigned char spki_sha256_r[32],
    struct certauth_error *error_r)
{
	struct policy_options	 floors;
	struct search		 search;
	struct algorithm	 algorithm;
	EVP_PKEY		*key;
	size_t			 i;
	bool			 ok = false;

	memset(&search, 0, sizeof(search));
	policy_options_init(&floors);
	ERR_set_mark();
	if (!read_algorithm(crl, &algorithm, error_r))
		goto out;
	collect(crl, pools, num_pools, true, &search);
	collect(crl, pools, num_pools, false, &search);
	for (i = 0; i < search.num_candidates && !ok; i++) {
		if (!key_allowed(&floors, search.candidates[i], &search))
			continue;
		key = X509_get0_pubkey(search.candidates[i]->x509);
		ok = key != NULL && verify(crl, &algorithm, key);
		if (ok)
			memcpy(spki_sha256_r, search.candidates[i]->spki_sha256,
			    32);
	}
	if (!ok)
		nobody(crl, &search, error_r);
out:
	ERR_pop_to_mark();
	policy_options_clear(&floors);
	return ok;
}

void
crl_cut_text(char *text, size_t max)
{
	if (strlen(text) <= max)
		return;
	while (max > 0 && ((unsigned char)text[max] & 0xc0) == 0x80)
		max--;
	text[max] = '\0';
}

char *
crl_issuer_print(const struct crl *crl)
{
	const unsigned char	*p = crl->issuer;
	X509_NAME		*name;
	char			*text = NULL;

	ERR_set_mark();
	name = d2i_X509_NAME(NULL, &p, (long)crl->issuer_len);
	if (name != NULL)
		text = cert_name_print(name);
	if (text != NULL)
		crl_cut_text(text, CRL_MAX_ISSUER_TEXT);
	X509_NAME_free(name);
	ERR_pop_to_mark();
	return text;
}

int
crl_compare_number(const unsigned char *a, size_t a_len, const unsigned char *b,
    size_t b_len)
{
	if (a_len != b_len)
		return a_len < b_len ? -1 : 1;
	return memcmp(a, b, a_len);
}

int
crl_compare_age(const unsigned char *a_number, size_t a_len, int64_t a_this,
    const unsigned char *b_number, size_t b_len, int64_t b_this)
{
	int	c;

	if (a_len != 0 && b_len != 0) {
		c = crl_compare_number(a_number, a_len, b_number, b_len);
		if (c != 0)
			return c;
	}
	return a_this < b_this ? -1 : a_this > b_this;
}

/* ------------------------------------------------------------------- file */

/* RFC 7468 5: this label and no other. */
static const char pem_begin[] = "-----BEGIN X509 CRL-----";
static const char pem_end[] = "-----END X509 CRL-----";

static bool
decode_base64(const unsigned char *text, size_t text_len, unsigned char **out_r,
    size_t *out_len_r)
{
	EVP_ENCODE_CTX	*ctx = EVP_ENCODE_CTX_new();
	unsigned char	*out = NULL;
	int		 len = 0, last = 0;
	bool		 ok = false;

	if (ctx == NULL || text_len > INT_MAX / 2)
		goto out;
	out = malloc(text_len / 4 * 3 + 64);
	if (out == NULL)
		goto out;
	EVP_DecodeInit(ctx);
	if (EVP_DecodeUpdate(ctx, out, &len, text, (int)text_len) < 0 ||
	    EVP_DecodeFinal(ctx, out + len, &last) != 1 || len + last <= 0)
		goto out;
	*out_r = out;
	*out_len_r = (size_t)len + (size_t)last;
	out = NULL;
	ok = true;
out:
	free(out);
	EVP_ENCODE_CTX_free(ctx);
	return ok;
}

static enum crl_next
bad(struct certauth_error *error_r, const char *text)
{
	refuse(error_r, text);
	return CRL_NEXT_BAD;
}

static enum crl_next
next_pem(struct crl_file *cursor, const unsigned char *data, size_t data_len,
    unsigned char **owned_r, size_t *len_r, struct certauth_error *error_r)
{
	const unsigned char	*begin, *end;

	begin = memmem(data + cursor->offset, data_len - cursor->offset,
	    pem_begin, sizeof(pem_begin) - 1);
	if (begin == NULL) {
		cursor->ended = true;
		if (cursor->num == 0)
			return bad(error_r, "has no CRL in it; expected DER or "
			    "PEM (X509 CRL)");
		return CRL_NEXT_END;
	}
	if (cursor->num++ == CRL_MAX_PER_FILE) {
		cursor->ended = true;
		return bad(error_r, "has too many CRLs in one file");
	}
	begin += sizeof(pem_begin) - 1;
	end = memmem(begin, data_len - (size_t)(begin - data), pem_end,
	    sizeof(pem_end) - 1);
	if (end == NULL) {
		cursor->ended = true;
		return bad(error_r, "a PEM block has no end: the file is cut "
		    "short");
	}
	cursor->offset = (size_t)(end - data) + sizeof(pem_end) - 1;
	if (!decode_base64(begin, (size_t)(end - begin), owned_r, len_r))
		return bad(error_r, "a PEM block is not base64");
	return CRL_NEXT_TAKEN;
}

enum crl_next
crl_file_next(struct crl_file *cursor, const unsigned char *data, size_t data_len,
    unsigned char **owned_r, const unsigned char **crl_r, size_t *crl_len_r,
    struct certauth_error *error_r)
{
	enum crl_next	next;

	*owned_r = NULL;
	*crl_r = NULL;
	*crl_len_r = 0;
	if (cursor->ended)
		return CRL_NEXT_END;
	if (data_len == 0) {
		cursor->ended = true;
		return bad(error_r, "is empty");
	}
	/* No text begins with a SEQUENCE's tag but "0": PEM has dashes. */
	if (data[0] == 0x30 && cursor->offset == 0 &&
	    memmem(data, data_len < 4096 ? data_len : 4096, pem_begin,
	    sizeof(pem_begin) - 1) == NULL) {
		cursor->ended = true;
		cursor->num++;
		*crl_r = data;
		*crl_len_r = data_len;
		return CRL_NEXT_TAKEN;
	}
	next = next_pem(cursor, data, data_len, owned_r, crl_len_r, error_r);
	*crl_r = *owned_r;
	return next;
}
