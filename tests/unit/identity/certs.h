/*
 * certs.h - certificates made on the spot, with exactly these bytes in them.
 *
 * For the tests of shared/identity. Each is really signed, encoded and read back
 * with cert_new(), so that what the tests see is what a server sees.
 */
#ifndef TESTS_IDENTITY_CERTS_H
#define TESTS_IDENTITY_CERTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "trust/cert.h"

enum part_kind {
	PART_END, PART_SUBJECT, PART_EMAIL, PART_DNS, PART_URI, PART_OTHER,
	PART_SERIAL, PART_SKI
};
struct part {
	enum part_kind	 kind;
	const char	*oid;		/* attribute or otherName */
	int		 type;		/* V_ASN1_* */
	const char	*data;
	int		 data_len;
	int		 set;		/* 0: new RDN, -1: joins the one before */
};

#define BYTES(s)	(s), (int)sizeof(s) - 1
#define EMAIL(s)	{ PART_EMAIL, NULL, V_ASN1_IA5STRING, BYTES(s), 0 }
#define DNS(s)		{ PART_DNS, NULL, V_ASN1_IA5STRING, BYTES(s), 0 }
#define URI(s)		{ PART_URI, NULL, V_ASN1_IA5STRING, BYTES(s), 0 }
#define OTHER(oid, type, s)	{ PART_OTHER, oid, type, BYTES(s), 0 }
#define UPN(s)		OTHER("1.3.6.1.4.1.311.20.2.3", V_ASN1_UTF8STRING, s)
#define SUBJECT(name, s)	{ PART_SUBJECT, name, V_ASN1_UTF8STRING, BYTES(s), 0 }
#define SUBJECT_AS(name, type, s)	{ PART_SUBJECT, name, type, BYTES(s), 0 }
#define SUBJECT_JOINED(name, s)	{ PART_SUBJECT, name, V_ASN1_UTF8STRING, BYTES(s), -1 }
#define SERIAL(s)	{ PART_SERIAL, NULL, 0, BYTES(s), 0 }
#define SKI(s)		{ PART_SKI, NULL, 0, BYTES(s), 0 }

static inline EVP_PKEY *
test_key(void)
{
	static EVP_PKEY	*key;

	if (key == NULL)
		key = EVP_EC_gen("P-256");
	assert_non_null(key);
	return key;
}

static inline void
add_subject(X509_NAME *name, const struct part *part)
{
	ASN1_OBJECT	*oid = OBJ_txt2obj(part->oid, 0);
	X509_NAME_ENTRY	*entry;

	assert_non_null(oid);
	entry = X509_NAME_ENTRY_create_by_OBJ(NULL, oid, V_ASN1_UTF8STRING,
	    (const unsigned char *)"x", 1);
	assert_non_null(entry);
	assert_int_equal(X509_NAME_ENTRY_set_data(entry, part->type,
	    (const unsigned char *)part->data, part->data_len), 1);
	assert_int_equal(X509_NAME_add_entry(name, entry, -1, part->set), 1);
	X509_NAME_ENTRY_free(entry);
	ASN1_OBJECT_free(oid);
}

static inline GENERAL_NAME *
make_san(const struct part *part)
{
	GENERAL_NAME	*san = GENERAL_NAME_new();
	ASN1_STRING	*value = ASN1_STRING_type_new(part->type);

	assert_int_equal(ASN1_STRING_set(value, part->data, part->data_len), 1);
	if (part->kind == PART_OTHER) {
		ASN1_TYPE	*any = ASN1_TYPE_new();

		ASN1_TYPE_set(any, part->type, value);
		assert_int_equal(GENERAL_NAME_set0_othername(san,
		    OBJ_txt2obj(part->oid, 1), any), 1);
		return san;
	}
	GENERAL_NAME_set0_value(san, part->kind == PART_EMAIL ? GEN_EMAIL :
	    part->kind == PART_DNS ? GEN_DNS : GEN_URI, value);
	return san;
}

/* The last part is { 0 }. */
static inline struct cert *
make_cert(const struct part *parts)
{
	X509		*x = X509_new(), *read = NULL;
	X509_NAME	*name = X509_get_subject_name(x);
	GENERAL_NAMES	*sans = sk_GENERAL_NAME_new_null();
	ASN1_OCTET_STRING *ski;
	BIGNUM		*bn;
	unsigned char	*der = NULL;
	const unsigned char *p;
	struct cert	*cert;
	int		 len;

	ASN1_INTEGER_set(X509_get_serialNumber(x), 0x3a1);
	X509_set_version(x, X509_VERSION_3);
	ASN1_TIME_set(X509_getm_notBefore(x), 1767225600);	/* 2026 */
	ASN1_TIME_set(X509_getm_notAfter(x), 1798761600);
	X509_set_pubkey(x, test_key());
	for (; parts->kind != PART_END; parts++) {
		switch (parts->kind) {
		case PART_SUBJECT:
			add_subject(name, parts);
			break;
		case PART_SERIAL:
			bn = BN_bin2bn((const unsigned char *)parts->data,
			    parts->data_len, NULL);
			BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x));
			BN_free(bn);
			break;
		case PART_SKI:
			ski = ASN1_OCTET_STRING_new();
			ASN1_OCTET_STRING_set(ski,
			    (const unsigned char *)parts->data, parts->data_len);
			X509_add1_ext_i2d(x, NID_subject_key_identifier, ski, 0, 0);
			ASN1_OCTET_STRING_free(ski);
			break;
		case PART_EMAIL:
		case PART_DNS:
		case PART_URI:
		case PART_OTHER:
		case PART_END:
			sk_GENERAL_NAME_push(sans, make_san(parts));
			break;
		}
	}
	if (sk_GENERAL_NAME_num(sans) > 0)
		assert_int_equal(X509_add1_ext_i2d(x, NID_subject_alt_name,
		    sans, 0, 0), 1);
	GENERAL_NAMES_free(sans);
	X509_set_issuer_name(x, name);
	assert_true(X509_sign(x, test_key(), EVP_sha256()) > 0);
	len = i2d_X509(x, &der);
	assert_true(len > 0);
	p = der;
	read = d2i_X509(NULL, &p, len);
	/* Some names OpenSSL does not even read; that another version might is
	 * no reason to do without the second guard. */
	if (read == NULL)
		ERR_clear_error();
	cert = cert_new(read != NULL ? read : x);
	assert_non_null(cert);
	X509_free(read);
	X509_free(x);
	OPENSSL_free(der);
	return cert;
}
#define CERT(...)	make_cert((const struct part[]){ __VA_ARGS__, { 0 } })

#endif
