/* test_read.c - every form in which people keep certificates, whole or damaged. */

#include <openssl/pkcs12.h>
#include <openssl/pkcs7.h>

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

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_pem),
		cmocka_unit_test(test_der),
		cmocka_unit_test(test_pkcs7),
		cmocka_unit_test(test_pkcs12),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
