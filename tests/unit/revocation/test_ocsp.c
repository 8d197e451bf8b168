/*
 * test_ocsp.c - requests as OpenSSL reads them, responses as OpenSSL writes them:
 * nonce, several signers, and every cut and every flipped bit of a good one.
 */

#include <openssl/ocsp.h>

#include "revocation/ocsp.h"
#include "trust/mesh.h"

static EVP_PKEY		*ca_key;
static X509		*ca, *leaf;
static struct cert	*issuer, *cert;

static int
set_up(void **state)
{
	(void)state;
	ca_key = mesh_key();
	ca = mesh_cert("CA", ca_key, "CA", ca_key, true, NOW - DAY, NOW + DAY);
	leaf = mesh_cert("alice", ca_key, "CA", ca_key, false, NOW - DAY,
	    NOW + DAY);
	issuer = cert_new(ca);
	cert = cert_new(leaf);
	return issuer != NULL && cert != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	cert_free(issuer);
	cert_free(cert);
	X509_free(ca);
	X509_free(leaf);
	EVP_PKEY_free(ca_key);
	return 0;
}

static void
test_request(void **state)
{
	static const unsigned char	 nonce[OCSP_MAX_NONCE + 1] = "nonce";
	const unsigned char		*p;
	unsigned char			*der;
	OCSP_REQUEST			*request;
	OCSP_CERTID			*id;
	size_t				 len, more;

	(void)state;
	der = ocsp_request_make(leaf, ca, NULL, 0, &len);
	assert_non_null(der);
	p = der;
	request = d2i_OCSP_REQUEST(NULL, &p, (long)len);
	assert_non_null(request);
	assert_ptr_equal(p, der + len);
	assert_int_equal(OCSP_request_onereq_count(request), 1);
	id = OCSP_cert_to_id(EVP_sha1(), leaf, ca);
	assert_int_equal(OCSP_id_cmp(id, OCSP_onereq_get0_id(
	    OCSP_request_onereq_get0(request, 0))), 0);
	assert_int_equal(OCSP_REQUEST_get_ext_count(request), 0);
	OCSP_CERTID_free(id);
	OCSP_REQUEST_free(request);
	free(der);
	der = ocsp_request_make(leaf, ca, nonce, 16, &more);
	assert_non_null(der);
	assert_true(more > len + 16);
	free(der);
	assert_null(ocsp_request_make(leaf, ca, nonce, OCSP_MAX_NONCE + 1, &len));
	assert_null(ocsp_request_make(NULL, ca, NULL, 0, &len));
	assert_null(ocsp_request_make(leaf, NULL, NULL, 0, &len));
	assert_int_equal(len, 0);
	assert_int_equal(ERR_peek_error(), 0);
}

/* A response with a nonce when `nonce` is given. */
static unsigned char *
response(const char *nonce, size_t *len_r)
{
	OCSP_BASICRESP		*basic = OCSP_BASICRESP_new();
	OCSP_RESPONSE		*whole;
	OCSP_CERTID		*id = OCSP_cert_to_id(EVP_sha256(), leaf, ca);
	ASN1_GENERALIZEDTIME	*this_time, *next_time;
	unsigned char		*der = NULL;
	int			 len;

	this_time = ASN1_GENERALIZEDTIME_set(NULL, (time_t)NOW);
	next_time = ASN1_GENERALIZEDTIME_set(NULL, (time_t)(NOW + DAY));
	assert_non_null(OCSP_basic_add1_status(basic, id,
	    V_OCSP_CERTSTATUS_GOOD, 0, NULL, this_time, next_time));
	if (nonce != NULL)
		assert_int_equal(OCSP_basic_add1_nonce(basic,
		    (unsigned char *)(uintptr_t)nonce, (int)strlen(nonce)), 1);
	assert_non_null(ASN1_GENERALIZEDTIME_set((ASN1_GENERALIZEDTIME *)
	    (uintptr_t)OCSP_resp_get0_produced_at(basic), (time_t)NOW));
	assert_int_equal(OCSP_basic_sign(basic, ca, ca_key, EVP_sha256(), NULL,
	    OCSP_NOTIME), 1);
	whole = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	len = i2d_OCSP_RESPONSE(whole, &der);
	assert_true(len > 0);
	*len_r = (size_t)len;
	OCSP_RESPONSE_free(whole);
	OCSP_BASICRESP_free(basic);
	OCSP_CERTID_free(id);
	ASN1_GENERALIZEDTIME_free(this_time);
	ASN1_GENERALIZEDTIME_free(next_time);
	return der;
}

/* Everything at once: does it say "good" of the leaf? */
static bool
says_good(const unsigned char *der, size_t len)
{
	struct certauth_error	error;
	struct ocsp_answer	answer;
	struct ocsp		o;

	return ocsp_parse(&o, der, len, &error) &&
	    ocsp_find(&o, cert, issuer, &answer, &error) &&
	    answer.status == OCSP_GOOD &&
	    ocsp_signed(&o, issuer, NOW, NULL, NULL, &error);
}

static void
test_nonce(void **state)
{
	struct certauth_error	 error;
	struct ocsp		 o;
	unsigned char		*der;
	size_t			 len;

	(void)state;
	der = response(NULL, &len);
	assert_true(ocsp_parse(&o, der, len, &error));
	assert_null(o.nonce);
	OPENSSL_free(der);
	der = response("0123456789abcdef", &len);
	assert_true(ocsp_parse(&o, der, len, &error));
	assert_int_equal(o.nonce_len, 16);
	assert_memory_equal(o.nonce, "0123456789abcdef", 16);
	assert_true(says_good(der, len));
	OPENSSL_free(der);
}

/* No bytes at all, however they are said. */
static void
test_empty(void **state)
{
	static const unsigned char	nothing[1] = "";
	struct certauth_error		error;
	struct ocsp			o;

	(void)state;
	assert_false(ocsp_parse(&o, NULL, 0, &error));
	assert_string_equal(error.text, "is empty");
	assert_false(ocsp_parse(&o, nothing, 0, &error));
	assert_string_equal(error.text, "is empty");
	assert_int_equal(ERR_peek_error(), 0);
}

/* No cut and no flipped bit leaves a good word that was not signed. */
static void
test_every_bit(void **state)
{
	unsigned char	*der, *copy;
	size_t		 len, i;

	(void)state;
	der = response(NULL, &len);
	assert_true(says_good(der, len));
	for (i = 0; i < len; i++) {
		copy = malloc(i + 1);
		assert_non_null(copy);
		memcpy(copy, der, i);
		assert_false(says_good(copy, i));
		free(copy);
	}
	for (i = 0; i < len * 8; i++) {
		der[i / 8] ^= (unsigned char)(1u << i % 8);
		if (says_good(der, len)) {
			/* The certificates beside it are not signed: the CA
			 * itself speaks here and needs none. */
			struct certauth_error	error;
			struct ocsp		o;

			assert_true(ocsp_parse(&o, der, len, &error));
			assert_true(der + i / 8 >= o.signature +
			    o.signature_len);
		}
		der[i / 8] ^= (unsigned char)(1u << i % 8);
	}
	OPENSSL_free(der);
	assert_int_equal(ERR_peek_error(), 0);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_request), cmocka_unit_test(test_nonce),
		cmocka_unit_test(test_empty), cmocka_unit_test(test_every_bit),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
