/* test_read.c - every form in which people keep certificates, whole or damaged. */

#include <openssl/pkcs12.h>
#include <openssl/pkcs7.h>

#include "trust/cert.h"
#include "trust/mesh.h"
#include "trust/read.h"

static EVP_PKEY	*key;
static X509	*one, *two;

static int
set_up(void **state)
{
	(void)state;
	key = mesh_key();
	one = mesh_cert("one", key, "ca", key, false, NOW, NOW + DAY);
	two = mesh_cert("two", key, "ca", key, true, NOW, NOW + DAY);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	X509_free(one);
	X509_free(two);
	EVP_PKEY_free(key);
	return 0;
}

static void
expect(const void *data, size_t len, const char *password, int certs,
    size_t unreadable)
{
	struct read_result	r;

	assert_true(read_certs(data, len, password, &r));
	assert_int_equal(sk_X509_num(r.certs), certs);
	assert_int_equal(r.unreadable, unreadable);
	assert_int_equal(ERR_peek_error(), 0);
	read_result_free(&r);
}

static size_t
pem(char **out)
{
	BIO	*bio = BIO_new(BIO_s_mem());
	char	*data;
	long	 len;

	PEM_write_bio_X509(bio, one);
	PEM_write_bio_X509(bio, two);
	len = BIO_get_mem_data(bio, &data);
	*out = malloc((size_t)len + 1);
	memcpy(*out, data, (size_t)len);
	(*out)[len] = '\0';
	BIO_free(bio);
	return (size_t)len;
}

static void
test_pem(void **state)
{
	char	*data, *p;
	size_t	 len = pem(&data);

	(void)state;
	expect(data, len, NULL, 2, 0);
	/* damage in the first block does not hide the second */
	p = strchr(data, '\n') + 5;
	*p = '!';
	expect(data, len, NULL, 1, 1);
	/* cut in the middle of the second */
	*p = 'A';
	expect(data, len - 40, NULL, 0, 2);
	free(data);
	expect("", 0, NULL, 0, 0);
	expect("hello", 5, NULL, 0, 1);
}

static void
test_der(void **state)
{
	unsigned char	*data = NULL, *p;
	int		 n1 = i2d_X509(one, NULL), n2 = i2d_X509(two, NULL);

	(void)state;
	data = malloc((size_t)(n1 + n2) + 1);
	p = data;
	i2d_X509(one, &p);
	expect(data, (size_t)n1, NULL, 1, 0);
	i2d_X509(two, &p);
	expect(data, (size_t)(n1 + n2), NULL, 2, 0);
	expect(data, (size_t)(n1 + n2 - 1), NULL, 1, 1);
	data[n1] = 0;
	expect(data, (size_t)n1 + 1, NULL, 1, 1);	/* trailing byte */
	free(data);
}

static void
test_pkcs7(void **state)
{
	PKCS7		*p7 = PKCS7_new();
	unsigned char	*der = NULL;
	int		 len;

	(void)state;
	assert_int_equal(PKCS7_set_type(p7, NID_pkcs7_signed), 1);
	assert_int_equal(PKCS7_content_new(p7, NID_pkcs7_data), 1);
	assert_int_equal(PKCS7_add_certificate(p7, one), 1);
	assert_int_equal(PKCS7_add_certificate(p7, two), 1);
	len = i2d_PKCS7(p7, &der);
	assert_true(len > 0);
	expect(der, (size_t)len, NULL, 2, 0);
	OPENSSL_free(der);
	PKCS7_free(p7);
}

static void
test_pkcs12(void **state)
{
	STACK_OF(X509)	*others = sk_X509_new_null();
	PKCS12		*p12;
	unsigned char	*der = NULL;
	struct read_result r;
	int		 len;

	(void)state;
	sk_X509_push(others, two);
	p12 = PKCS12_create("secret", "me", key, one, others, 0, 0, 0, 0, 0);
	assert_non_null(p12);
	len = i2d_PKCS12(p12, &der);
	assert_true(read_certs(der, (size_t)len, "secret", &r));
	assert_int_equal(sk_X509_num(r.certs), 2);
	assert_non_null(r.key_cert);
	assert_int_equal(X509_cmp(r.key_cert, one), 0);
	read_result_free(&r);
	/* a wrong password is no certificate, and says so */
	assert_true(read_certs(der, (size_t)len, "wrong", &r));
	assert_int_equal(sk_X509_num(r.certs), 0);
	assert_int_equal(r.unreadable, 1);
	assert_non_null(strstr(r.hint, "password"));
	read_result_free(&r);
	assert_int_equal(ERR_peek_error(), 0);
	OPENSSL_free(der);
	PKCS12_free(p12);
	sk_X509_free(others);
}

/* What has an outline OpenSSL decodes, to the same certificate. */
static bool
outline_holds(const unsigned char *data, size_t len)
{
	struct outline		 outline;
	struct cert		*cert;
	const unsigned char	*p = data;
	X509			*x;

	if (!outline_read(data, len, &outline))
		return false;
	x = d2i_X509(NULL, &p, (long)len);
	assert_non_null(x);
	assert_ptr_equal(p, data + len);
	cert = cert_new(x);
	assert_non_null(cert);
	assert_memory_equal(cert->sha256, outline.sha256, 32);
	assert_memory_equal(cert->spki_sha256, outline.spki_sha256, 32);
	assert_memory_equal(cert->subject_sha256, outline.subject_sha256, 32);
	cert_free(cert);
	X509_free(x);
	return true;
}

/* Without decoding, the same certificates are readable. */
static void
same_count(const unsigned char *data, size_t len)
{
	struct read_result	all, outlines;

	assert_true(read_certs(data, len, NULL, &all));
	assert_true(read_outlines(data, len, &outlines));
	assert_int_equal(sk_X509_num(all.certs), outlines.num_ders +
	    (size_t)sk_X509_num(outlines.certs));
	assert_int_equal(all.unreadable, outlines.unreadable);
	read_result_free(&all);
	read_result_free(&outlines);
}

/* Each byte of a certificate replaced: nothing that OpenSSL refuses passes as an
 * outline, and nothing that it reads is left out. */
static void
test_outline(void **state)
{
	static const unsigned char	 values[] = { 0x00, 0x01, 0x03, 0x05,
					    0x1e, 0x30, 0x80, 0xa1, 0xff };
	unsigned char			*der = NULL, was;
	int				 len = i2d_X509(two, &der), i;
	size_t				 k, plain = 0;

	(void)state;
	assert_true(outline_holds(der, (size_t)len));
	assert_false(outline_holds(der, (size_t)len - 1));
	same_count(der, (size_t)len);
	for (i = 0; i < len; i++) {
		was = der[i];
		for (k = 0; k < sizeof(values); k++) {
			der[i] = values[k];
			plain += outline_holds(der, (size_t)len);
			if (i < 64 || k == 0)
				same_count(der, (size_t)len);
		}
		der[i] = was;
	}
	ERR_clear_error();	/* d2i's own */
	assert_true(plain > 100);
	OPENSSL_free(der);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_pem),
		cmocka_unit_test(test_der),
		cmocka_unit_test(test_pkcs7),
		cmocka_unit_test(test_pkcs12),
		cmocka_unit_test(test_outline),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
