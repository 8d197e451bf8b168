/* mesh.h - certificates made on the spot: a CA, another name, another key. */
#ifndef TESTS_TRUST_MESH_H
#define TESTS_TRUST_MESH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/conf.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "trust/cert.h"

#define NOW	((int64_t)1772366400)	/* 2026-03-01T12:00:00Z */
#define DAY	((int64_t)86400)

static inline void
mesh_ext(X509 *x, int nid, const char *value)
{
	X509_EXTENSION	*ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(ext);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

/* One certificate policy; sign again afterwards. */
static inline void
mesh_policy(X509 *x, const char *oid)
{
	CERTIFICATEPOLICIES	*all = CERTIFICATEPOLICIES_new();
	POLICYINFO		*one = POLICYINFO_new();

	one->policyid = OBJ_txt2obj(oid, 1);
	assert_true(sk_POLICYINFO_push(all, one) > 0);
	assert_int_equal(X509_add1_ext_i2d(x, NID_certificate_policies, all, 0,
	    X509V3_ADD_DEFAULT), 1);
	CERTIFICATEPOLICIES_free(all);
}

/* Signed by issuer_key under the name `issuer`; a CA when `ca`. */
static inline X509 *
mesh_cert(const char *subject, EVP_PKEY *key, const char *issuer,
    EVP_PKEY *issuer_key, bool ca, int64_t from, int64_t to)
{
	static long	 serial = 100;
	X509		*x = X509_new();
	X509_NAME	*name;

	assert_non_null(x);
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
	name = X509_get_subject_name(x);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
	    (const unsigned char *)subject, -1, -1, 0);
	name = X509_NAME_new();
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
	    (const unsigned char *)issuer, -1, -1, 0);
	X509_set_issuer_name(x, name);
	X509_NAME_free(name);
	ASN1_TIME_set(X509_getm_notBefore(x), (time_t)from);
	ASN1_TIME_set(X509_getm_notAfter(x), (time_t)to);
	X509_set_pubkey(x, key);
	mesh_ext(x, NID_basic_constraints, ca ? "critical,CA:TRUE" :
	    "critical,CA:FALSE");
	mesh_ext(x, NID_key_usage, ca ? "critical,keyCertSign,cRLSign" :
	    "critical,digitalSignature");
	assert_true(X509_sign(x, issuer_key, EVP_sha256()) > 0);
	return x;
}

static inline EVP_PKEY *
mesh_key(void)
{
	EVP_PKEY	*key = EVP_EC_gen("P-256");

	assert_non_null(key);
	return key;
}

#endif
