/*
 * test_plain.c - extensions read by us are what OpenSSL reads, and what it
 * refuses is a fault: good ones, and each of them damaged in many ways.
 */

#include <openssl/conf.h>

#include "trust/mesh.h"
#include "trust/same.h"

static const struct { int nid; const char *value; } plain[] = {
	{ NID_basic_constraints, "CA:TRUE" },
	{ NID_basic_constraints, "CA:FALSE" },
	{ NID_basic_constraints, "CA:TRUE,pathlen:0" },
	{ NID_basic_constraints, "CA:TRUE,pathlen:70000" },
	{ NID_key_usage, "digitalSignature" },
	{ NID_key_usage, "keyCertSign,cRLSign" },
	{ NID_key_usage, "digitalSignature,decipherOnly" },
	{ NID_ext_key_usage, "clientAuth" },
	{ NID_ext_key_usage, "clientAuth,emailProtection,1.3.6.1.4.1.311.20.2.2" },
	{ NID_ext_key_usage, "anyExtendedKeyUsage,1.2.3.4.5.6.7.8.9" },
	{ NID_subject_key_identifier, "00:11:22:33" },
	{ NID_subject_alt_name, "email:a@example.org" },
	{ NID_subject_alt_name, "email:a@example.org,DNS:x.example,"
	    "URI:https://x.example/,IP:127.0.0.1" },
	{ NID_subject_alt_name,
	    "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:u@example.org,"
	    "otherName:1.3.6.1.5.5.7.8.9;UTF8:\xc3\xa4@example.org,"
	    "otherName:1.2.3.4;UTF8:x" },
	{ NID_subject_alt_name, "otherName:1.3.6.1.4.1.311.20.2.3;IA5:u@x,"
	    "email:b@example.org" },
	{ NID_subject_alt_name, "RID:1.2.3.4,email:b@example.org" },
	{ NID_crl_distribution_points, "URI:http://x.example/1.crl" },
	{ NID_crl_distribution_points,
	    "URI:http://x.example/1.crl,URI:ldap://x.example/2" },
	{ NID_info_access, "OCSP;URI:http://x.example/,"
	    "caIssuers;URI:http://x.example/ca.crt" },
	{ NID_info_access, "OCSP;DNS:x.example" },
	{ NID_certificate_policies, "1.2.3.4" },
	{ NID_certificate_policies, "1.2.3.4,2.5.29.32.0,1.3.6.1.4.1.4146.1.1" },
};

static const struct { int nid; const char *der; int len; } raw[] = {
	{ NID_authority_key_identifier, "\x30\x06\x80\x04" "abcd", 8 },
	{ NID_authority_key_identifier, "\x30\x00", 2 },
	{ NID_authority_key_identifier, "\x30\x05\x80\x00\x82\x01\x05", 7 },
	{ NID_key_usage, "\x03\x01\x00", 3 },
	{ NID_key_usage, "\x03\x02\x07\x00", 4 },
	{ NID_key_usage, "\x03\x04\x00\x01\x02\x03", 6 },
	{ NID_basic_constraints, "\x30\x00", 2 },
	{ NID_basic_constraints, "\x30\x03\x02\x01\xff", 5 },
	{ NID_basic_constraints, "\x30\x07\x02\x05\x7f\xff\xff\xff\xff", 9 },
	{ NID_basic_constraints, "\x30\x06\x02\x01\x00\x01\x01\xff", 8 },
	{ NID_subject_alt_name, "\x30\x00", 2 },
	{ NID_subject_alt_name, "\x30\x02\x81\x00", 4 },
	{ NID_subject_alt_name, "\x30\x04\xa1\x02\x16\x00", 6 },
	{ NID_certificate_policies, "\x30\x00", 2 },
	/* a CPS, a notice, an empty list of qualifiers */
	{ NID_certificate_policies, "\x30\x18\x30\x16\x06\x02\x2a\x03\x30\x10"
	    "\x30\x0e\x06\x08\x2b\x06\x01\x05\x05\x07\x02\x01\x16\x02" "ab", 26 },
	{ NID_certificate_policies, "\x30\x16\x30\x14\x06\x02\x2a\x03\x30\x0e"
	    "\x30\x0c\x06\x08\x2b\x06\x01\x05\x05\x07\x02\x02\x30\x00", 24 },
	{ NID_certificate_policies, "\x30\x08\x30\x06\x06\x02\x2a\x03\x30\x00", 10 },
	{ NID_crl_distribution_points, "\x30\x02\x30\x00", 4 },
	{ NID_crl_distribution_points, "\x30\x05\x30\x03\x81\x01\x00", 7 },
	{ NID_crl_distribution_points, "\x30\x06\x30\x04\xa0\x02\xa0\x00", 8 },
	{ NID_crl_distribution_points, "\x30\x0a\x30\x08\xa0\x06\xa0\x04\x86\x02"
	    "ab", 12 },
};

/* The extension alone, with these bytes; the signed part is none of ours. */
static void
look(int nid, const unsigned char *data, int len)
{
	EVP_PKEY		*key = mesh_key();
	X509			*x = X509_new();
	ASN1_OCTET_STRING	*value = ASN1_OCTET_STRING_new();
	X509_EXTENSION		*ext;
	struct cert		*c;
	const char		*differs;
	size_t			 i;

	X509_set_version(x, X509_VERSION_3);
	ASN1_TIME_set(X509_getm_notBefore(x), (time_t)NOW);
	ASN1_TIME_set(X509_getm_notAfter(x), (time_t)NOW);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN",
	    MBSTRING_UTF8, (const unsigned char *)"x", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	ASN1_OCTET_STRING_set(value, data, len);
	ext = X509_EXTENSION_create_by_NID(NULL, nid, 0, value);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	c = cert_new(x);
	assert_non_null(c);
	differs = same_as_openssl(x, c);
	if (differs != NULL) {
		fprintf(stderr, "%s: %s:", OBJ_nid2sn(nid), differs);
		for (i = 0; i < (size_t)len; i++)
			fprintf(stderr, " %02x", data[i]);
		fprintf(stderr, "\n");
		fail();
	}
	cert_free(c);
	X509_EXTENSION_free(ext);
	ASN1_OCTET_STRING_free(value);
	X509_free(x);
	EVP_PKEY_free(key);
	assert_int_equal(ERR_peek_error(), 0);
}

/* Each byte changed in some ways, each one left out, and the end cut off. */
static void
damage(int nid, const unsigned char *data, int len)
{
	static const unsigned char	flips[] = { 0x01, 0x02, 0x10, 0x20, 0x80 };
	unsigned char			copy[512];
	size_t				f;
	int				i;

	assert_true(len > 0 && len < (int)sizeof(copy));
	look(nid, data, len);
	for (i = 0; i < len; i++) {
		for (f = 0; f < sizeof(flips); f++) {
			memcpy(copy, data, (size_t)len);
			copy[i] ^= flips[f];
			look(nid, copy, len);
		}
		memcpy(copy, data, (size_t)i);
		memcpy(copy + i, data + i + 1, (size_t)(len - i - 1));
		look(nid, copy, len - 1);
		look(nid, data, i);
	}
	memcpy(copy, data, (size_t)len);
	copy[len] = 0;
	look(nid, copy, len + 1);
}

static void
test_conf(void **state)
{
	X509V3_CTX		 ctx;
	CONF			*conf = NCONF_new(NULL);
	X509_EXTENSION		*ext;
	ASN1_OCTET_STRING	*value;
	size_t			 i;

	(void)state;
	X509V3_set_ctx(&ctx, NULL, NULL, NULL, NULL, 0);
	assert_non_null(conf);
	X509V3_set_nconf(&ctx, conf);
	for (i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		ext = X509V3_EXT_nconf_nid(conf, &ctx, plain[i].nid,
		    plain[i].value);
		if (ext == NULL)
			fail_msg("%s", plain[i].value);
		value = X509_EXTENSION_get_data(ext);
		damage(plain[i].nid, ASN1_STRING_get0_data(value),
		    ASN1_STRING_length(value));
		X509_EXTENSION_free(ext);
	}
	NCONF_free(conf);
}

static void
test_raw(void **state)
{
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(raw) / sizeof(raw[0]); i++)
		damage(raw[i].nid, (const unsigned char *)raw[i].der,
		    raw[i].len);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_conf),
		cmocka_unit_test(test_raw),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
