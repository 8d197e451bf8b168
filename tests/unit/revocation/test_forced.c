/*
 * test_forced.c - C3 row 28: whatever OpenSSL returns that is not its one word for
 * "good" refuses. The linker puts our functions before OpenSSL's (Makefile, --wrap).
 */

#include <limits.h>

#include <openssl/ocsp.h>

#include "revocation/crl.h"
#include "revocation/ocsp.h"
#include "trust/mesh.h"
#include "trust/signature.h"

enum { X509_VERIFY, DIGEST_VERIFY, DIGEST_VERIFY_INIT, PKEY_VERIFY,
    PKEY_VERIFY_INIT, DIGEST, NUM_FUNCTIONS };

static struct { bool forced; int value; unsigned calls; } at[NUM_FUNCTIONS];

/* Every function that signatures hang on: ours first, then OpenSSL's own. */
#define WRAP(number, name, parameters, arguments) \
	int __real_##name parameters; \
	int __wrap_##name parameters; \
	int \
	__wrap_##name parameters \
	{ \
		at[number].calls++; \
		return at[number].forced ? at[number].value : \
		    __real_##name arguments; \
	}

WRAP(X509_VERIFY, X509_verify, (X509 *x, EVP_PKEY *key), (x, key))
WRAP(DIGEST_VERIFY, EVP_DigestVerify, (EVP_MD_CTX *ctx, const unsigned char *s,
    size_t s_len, const unsigned char *tbs, size_t tbs_len),
    (ctx, s, s_len, tbs, tbs_len))
WRAP(DIGEST_VERIFY_INIT, EVP_DigestVerifyInit, (EVP_MD_CTX *ctx,
    EVP_PKEY_CTX **key_ctx, const EVP_MD *md, ENGINE *e, EVP_PKEY *key),
    (ctx, key_ctx, md, e, key))
WRAP(PKEY_VERIFY, EVP_PKEY_verify, (EVP_PKEY_CTX *ctx, const unsigned char *s,
    size_t s_len, const unsigned char *tbs, size_t tbs_len),
    (ctx, s, s_len, tbs, tbs_len))
WRAP(PKEY_VERIFY_INIT, EVP_PKEY_verify_init, (EVP_PKEY_CTX *ctx), (ctx))
WRAP(DIGEST, EVP_Digest, (const void *data, size_t len, unsigned char *md,
    unsigned *md_len, const EVP_MD *type, ENGINE *e),
    (data, len, md, md_len, type, e))

static EVP_PKEY		*ca_key, *delegate_key;
static X509		*ca, *leaf, *delegate;
static unsigned char	*direct_der, *delegated_der, *crl_der;
static size_t		 direct_len, delegated_len, crl_len;

static unsigned char *
response(X509 *signer, EVP_PKEY *key, size_t *len_r)
{
	OCSP_BASICRESP		*basic = OCSP_BASICRESP_new();
	OCSP_RESPONSE		*whole;
	OCSP_CERTID		*id = OCSP_cert_to_id(EVP_sha256(), leaf, ca);
	ASN1_GENERALIZEDTIME	*from, *to;
	unsigned char		*der = NULL;
	int			 len;

	from = ASN1_GENERALIZEDTIME_set(NULL, (time_t)NOW);
	to = ASN1_GENERALIZEDTIME_set(NULL, (time_t)(NOW + DAY));
	assert_non_null(OCSP_basic_add1_status(basic, id,
	    V_OCSP_CERTSTATUS_GOOD, 0, NULL, from, to));
	assert_non_null(ASN1_GENERALIZEDTIME_set((ASN1_GENERALIZEDTIME *)
	    (uintptr_t)OCSP_resp_get0_produced_at(basic), (time_t)NOW));
	/* by key: the hash of it is looked at, too */
	assert_int_equal(OCSP_basic_sign(basic, signer, key, EVP_sha256(), NULL,
	    OCSP_NOTIME | OCSP_RESPID_KEY), 1);
	whole = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	len = i2d_OCSP_RESPONSE(whole, &der);
	assert_true(len > 0);
	*len_r = (size_t)len;
	OCSP_RESPONSE_free(whole);
	OCSP_BASICRESP_free(basic);
	OCSP_CERTID_free(id);
	ASN1_GENERALIZEDTIME_free(from);
	ASN1_GENERALIZEDTIME_free(to);
	return der;
}

static void
make_list(void)
{
	X509_CRL	*crl = X509_CRL_new();
	ASN1_INTEGER	*number = ASN1_INTEGER_new();
	ASN1_TIME	*from = ASN1_TIME_set(NULL, (time_t)(NOW - 60));
	ASN1_TIME	*to = ASN1_TIME_set(NULL, (time_t)(NOW + DAY));
	int		 len;

	ASN1_INTEGER_set(number, 1);
	assert_int_equal(X509_CRL_set_version(crl, X509_CRL_VERSION_2), 1);
	assert_int_equal(X509_CRL_set_issuer_name(crl,
	    X509_get_subject_name(ca)), 1);
	assert_int_equal(X509_CRL_set1_lastUpdate(crl, from), 1);
	assert_int_equal(X509_CRL_set1_nextUpdate(crl, to), 1);
	assert_int_equal(X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0),
	    1);
	assert_true(X509_CRL_sign(crl, ca_key, EVP_sha256()) > 0);
	len = i2d_X509_CRL(crl, &crl_der);
	assert_true(len > 0);
	crl_len = (size_t)len;
	X509_CRL_free(crl);
	ASN1_INTEGER_free(number);
	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
}

static int
set_up(void **state)
{
	(void)state;
	ca_key = mesh_key();
	delegate_key = mesh_key();
	ca = mesh_cert("CA", ca_key, "CA", ca_key, true, NOW - DAY, NOW + DAY);
	leaf = mesh_cert("alice", ca_key, "CA", ca_key, false, NOW - DAY,
	    NOW + DAY);
	delegate = mesh_cert("Responder", delegate_key, "CA", ca_key, false,
	    NOW - DAY, NOW + DAY);
	mesh_ext(delegate, NID_ext_key_usage, "OCSPSigning");
	mesh_ext(delegate, NID_id_pkix_OCSP_noCheck, "NULL");
	assert_true(X509_sign(delegate, ca_key, EVP_sha256()) > 0);
	direct_der = response(ca, ca_key, &direct_len);
	delegated_der = response(delegate, delegate_key, &delegated_len);
	make_list();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	OPENSSL_free(direct_der);
	OPENSSL_free(delegated_der);
	OPENSSL_free(crl_der);
	X509_free(ca);
	X509_free(leaf);
	X509_free(delegate);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(delegate_key);
	return 0;
}

/* ------------------------------------------------ whoever must not be let in */

/* Nothing of an earlier check is at hand: the certificates are read anew. */
static bool
certificate(struct cert *of_ca, struct cert *of_leaf)
{
	return signature_good(of_leaf, of_ca);
}

static bool
says_good(struct cert *of_ca, struct cert *of_leaf, const unsigned char *der,
    size_t len)
{
	struct certauth_error	error;
	struct ocsp_answer	answer;
	struct ocsp		o;

	return ocsp_parse(&o, der, len, &error) &&
	    ocsp_find(&o, of_leaf, of_ca, &answer, &error) &&
	    answer.status == OCSP_GOOD &&
	    ocsp_signed(&o, of_ca, NOW, NULL, NULL, &error);
}

static bool
answer_of_the_ca(struct cert *of_ca, struct cert *of_leaf)
{
	return says_good(of_ca, of_leaf, direct_der, direct_len);
}

static bool
answer_of_a_delegate(struct cert *of_ca, struct cert *of_leaf)
{
	return says_good(of_ca, of_leaf, delegated_der, delegated_len);
}

static bool
list(struct cert *of_ca, struct cert *of_leaf)
{
	struct crl	crl;

	(void)of_leaf;
	assert_true(crl_parse(&crl, crl_der, crl_len, NULL));
	return crl_signed_by(&crl, X509_get0_pubkey(of_ca->x509), NULL);
}

/* A long one is read in pieces, and its digest is there already. */
static bool
long_list(struct cert *of_ca, struct cert *of_leaf)
{
	EVP_MD_CTX	*ctx = EVP_MD_CTX_new();
	struct crl	 crl;
	unsigned	 len = 0;
	bool		 ok;

	(void)of_leaf;
	assert_true(crl_parse(&crl, crl_der, crl_len, NULL));
	assert_int_equal(EVP_DigestInit_ex(ctx, EVP_sha256(), NULL), 1);
	assert_int_equal(EVP_DigestUpdate(ctx, crl.tbs, crl.tbs_len), 1);
	assert_int_equal(EVP_DigestFinal_ex(ctx, crl.digest, &len), 1);
	crl.digest_len = len;
	ok = crl_signed_by(&crl, X509_get0_pubkey(of_ca->x509), NULL);
	EVP_MD_CTX_free(ctx);
	return ok;
}

static const struct check {
	bool		(*run)(struct cert *of_ca, struct cert *of_leaf);
	/* that it hangs on; what is in one row stands in for each other */
	unsigned	 needs[4];
} checks[] = {
#define BIT(f)	(1u << (f))
	{ certificate, { BIT(DIGEST_VERIFY),
	    BIT(DIGEST_VERIFY_INIT) | BIT(X509_VERIFY) } },
	{ answer_of_the_ca, { BIT(DIGEST_VERIFY), BIT(DIGEST_VERIFY_INIT),
	    BIT(DIGEST) } },
	{ answer_of_a_delegate, { BIT(DIGEST_VERIFY), BIT(DIGEST_VERIFY_INIT),
	    BIT(X509_VERIFY), BIT(DIGEST) } },
	{ list, { BIT(DIGEST_VERIFY), BIT(DIGEST_VERIFY_INIT) } },
	{ long_list, { BIT(PKEY_VERIFY), BIT(PKEY_VERIFY_INIT) } },
#undef BIT
};

static bool
run(const struct check *check, unsigned forced, int value)
{
	struct cert	*of_ca = cert_new(ca), *of_leaf = cert_new(leaf);
	unsigned	 f;
	bool		 good;

	assert_non_null(of_ca);
	assert_non_null(of_leaf);
	for (f = 0; f < NUM_FUNCTIONS; f++) {
		at[f].forced = (forced >> f & 1) != 0;
		at[f].value = value;
		at[f].calls = 0;
	}
	good = check->run(of_ca, of_leaf);
	/* It is no test of what was never asked. */
	for (f = 0; f < NUM_FUNCTIONS; f++) {
		assert_true(!at[f].forced || at[f].calls > 0);
		at[f].forced = false;
	}
	assert_int_equal(ERR_peek_error(), 0);
	cert_free(of_ca);
	cert_free(of_leaf);
	return good;
}

static void
test_c3_28_every_return(void **state)
{
	static const int	values[] = { -1, 0, 2, -2, INT_MAX, INT_MIN };
	size_t			i, j, k;

	(void)state;
	for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		assert_true(run(&checks[i], 0, 0));
		for (j = 0; j < 4 && checks[i].needs[j] != 0; j++)
			for (k = 0; k < sizeof(values) / sizeof(values[0]); k++)
				if (run(&checks[i], checks[i].needs[j],
				    values[k]))
					fail_msg("check %zu, functions %x, "
					    "return %d", i, checks[i].needs[j],
					    values[k]);
		assert_true(run(&checks[i], 0, 0));
	}
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_c3_28_every_return),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
