/* test_cert.c - names compared as RFC 5280 7.1 says, and what a view flags. */

#include "trust/mesh.h"

struct ava { const char *type; int kind; const char *value; int set; };

static void
hash(const struct ava *avas, size_t n, unsigned char out[32])
{
	X509_NAME	*name = X509_NAME_new();
	size_t		 i;

	for (i = 0; i < n; i++)
		assert_int_equal(X509_NAME_add_entry_by_txt(name, avas[i].type,
		    avas[i].kind, (const unsigned char *)avas[i].value, -1, -1,
		    avas[i].set), 1);
	assert_true(cert_name_sha256(name, out));
	X509_NAME_free(name);
}

static void
same(const struct ava *a, size_t na, const struct ava *b, size_t nb, bool equal)
{
	unsigned char	x[32], y[32];

	hash(a, na, x);
	hash(b, nb, y);
	assert_int_equal(memcmp(x, y, 32) == 0, equal);
}

#define A(...)	(const struct ava[]){ __VA_ARGS__ }

static void
test_names(void **state)
{
	(void)state;
	/* case, blanks and string type do not matter */
	same(A({ "O", V_ASN1_PRINTABLESTRING, "Example  Org", 0 }), 1,
	    A({ "O", V_ASN1_UTF8STRING, " EXAMPLE org ", 0 }), 1, true);
	/* other letters do, and so does the attribute */
	same(A({ "O", V_ASN1_UTF8STRING, "Example", 0 }), 1,
	    A({ "O", V_ASN1_UTF8STRING, "Examp1e", 0 }), 1, false);
	same(A({ "O", V_ASN1_UTF8STRING, "Example", 0 }), 1,
	    A({ "OU", V_ASN1_UTF8STRING, "Example", 0 }), 1, false);
	/* only ASCII is folded */
	same(A({ "O", V_ASN1_UTF8STRING, "\xc3\x84", 0 }), 1,
	    A({ "O", V_ASN1_UTF8STRING, "\xc3\xa4", 0 }), 1, false);
	/* the order of RDNs matters, that inside one does not */
	same(A({ "O", V_ASN1_UTF8STRING, "a", 0 }, { "CN", V_ASN1_UTF8STRING, "b", 0 }), 2,
	    A({ "CN", V_ASN1_UTF8STRING, "b", 0 }, { "O", V_ASN1_UTF8STRING, "a", 0 }), 2,
	    false);
	same(A({ "O", V_ASN1_UTF8STRING, "a", 0 }, { "CN", V_ASN1_UTF8STRING, "b", -1 }), 2,
	    A({ "CN", V_ASN1_UTF8STRING, "b", 0 }, { "O", V_ASN1_UTF8STRING, "a", -1 }), 2,
	    true);
	/* one RDN of two is not two RDNs */
	same(A({ "O", V_ASN1_UTF8STRING, "a", 0 }, { "CN", V_ASN1_UTF8STRING, "b", -1 }), 2,
	    A({ "O", V_ASN1_UTF8STRING, "a", 0 }, { "CN", V_ASN1_UTF8STRING, "b", 0 }), 2,
	    false);
}

static struct cert *
view(X509 *x)
{
	struct cert	*c = cert_new(x);

	assert_non_null(c);
	X509_free(x);
	return c;
}

static X509 *
plain(void)
{
	EVP_PKEY	*key = mesh_key();
	X509		*x = mesh_cert("leaf", key, "ca", key, false, NOW,
			    NOW + DAY);

	EVP_PKEY_free(key);
	return x;
}

static void
add_raw(X509 *x, int nid, const char *der, int len)
{
	ASN1_OCTET_STRING	*value = ASN1_OCTET_STRING_new();
	X509_EXTENSION		*ext;

	ASN1_OCTET_STRING_set(value, (const unsigned char *)der, len);
	ext = X509_EXTENSION_create_by_NID(NULL, nid, 0, value);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	X509_EXTENSION_free(ext);
	ASN1_OCTET_STRING_free(value);
}

/* Signed anew, so that what was added is part of it. */
static struct cert *
resigned(X509 *x)
{
	EVP_PKEY	*key = mesh_key();

	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	EVP_PKEY_free(key);
	return view(x);
}

static void
test_faults(void **state)
{
	struct cert	*c;
	X509		*x;

	(void)state;
	c = view(plain());
	assert_int_equal(c->faults, 0);
	assert_false(c->is_ca);
	assert_int_equal(c->path_len, -1);
	assert_int_equal(c->not_before, NOW);
	assert_int_equal(c->not_after, NOW + DAY);
	cert_free(c);

	x = plain();	/* the same extension twice */
	mesh_ext(x, NID_ext_key_usage, "clientAuth");
	mesh_ext(x, NID_ext_key_usage, "clientAuth");
	c = resigned(x);
	assert_true((c->faults & CERT_FAULT_DUPLICATE) != 0);
	cert_free(c);

	x = plain();	/* an empty list of purposes */
	add_raw(x, NID_ext_key_usage, "\x30\x00", 2);
	c = resigned(x);
	assert_true((c->faults & CERT_FAULT_EXTENSION) != 0);
	cert_free(c);

	x = plain();	/* a byte behind the value */
	add_raw(x, NID_subject_key_identifier, "\x04\x01" "A" "\x00", 4);
	c = resigned(x);
	assert_true((c->faults & CERT_FAULT_TRAILING) != 0);
	cert_free(c);

	x = plain();	/* a name that is none: SEQUENCE of garbage */
	add_raw(x, NID_subject_alt_name, "\x30\x02\x1f\x00", 4);
	c = resigned(x);
	assert_true((c->faults & (CERT_FAULT_SAN | CERT_FAULT_EXTENSION)) != 0);
	cert_free(c);
	assert_int_equal(ERR_peek_error(), 0);
}

static void
test_printed(void **state)
{
	X509_NAME	*name = X509_NAME_new();
	char		*shown;

	(void)state;
	X509_NAME_add_entry_by_txt(name, "O", V_ASN1_UTF8STRING,
	    (const unsigned char *)"Z\xc3\xbcrich, \x1b[31m", -1, -1, 0);
	shown = cert_name_print(name);
	assert_non_null(shown);
	/* the umlaut may be read, the terminal escape may not act */
	assert_null(strchr(shown, '\x1b'));
	assert_non_null(strstr(shown, "\\,"));
	free(shown);
	X509_NAME_free(name);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_printed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
