/*
 * read.c - which certificates are in these bytes?
 *
 * Takes every form in which people keep certificates. Looks at no file and
 * judges no certificate.
 */

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/pkcs7.h>

#include "trust/read.h"

static bool
keep(struct read_result *r, X509 *x)
{
	if ((size_t)sk_X509_num(r->certs) + r->num_ders >= READ_MAX_CERTS) {
		X509_free(x);
		r->unreadable++;
		r->hint = "too many certificates in one file";
		return true;
	}
	if (sk_X509_push(r->certs, x) > 0)
		return true;
	X509_free(x);
	return false;
}

/* The very bytes must be DER: what re-encodes differently was not. */
static bool
is_der(X509 *x, const unsigned char *data, size_t data_len)
{
	unsigned char	*der = NULL;
	int		 len = i2d_X509(x, &der);
	bool		 same;

	same = len > 0 && (size_t)len == data_len &&
	    memcmp(der, data, data_len) == 0;
	OPENSSL_free(der);
	return same;
}

/* One certificate at *p; advances. False: none there. */
static X509 *
take_cert(const unsigned char **p, size_t len)
{
	const unsigned char	*start = *p;
	X509			*x;

	if (len > LONG_MAX)
		return NULL;
	x = d2i_X509(NULL, p, (long)len);
	if (x != NULL && !is_der(x, start, (size_t)(*p - start))) {
		X509_free(x);
		*p = start;
		return NULL;
	}
	return x;
}

/* The bytes of one element at *p; advances. 0: no whole element there. */
static size_t
element_length(const unsigned char *data, size_t len)
{
	const unsigned char	*p = data;
	long			 content = 0;
	int			 tag, class, ret;

	if (len > LONG_MAX)
		return 0;
	ret = ASN1_get_object(&p, &content, &tag, &class, (long)len);
	if ((ret & 0x80) != 0 || (ret & 1) != 0)
		return 0;
	return (size_t)(p - data) + (size_t)content;
}

static bool
keep_der(struct read_result *r, const unsigned char *data, size_t len,
    const struct outline *outline)
{
	struct read_der	*grown;
	size_t		 more;

	if (r->num_ders + (size_t)sk_X509_num(r->certs) >= READ_MAX_CERTS) {
		r->unreadable++;
		r->hint = "too many certificates in one file";
		return true;
	}
	if (r->num_ders == r->ders_capacity) {
		more = r->ders_capacity == 0 ? 32 : r->ders_capacity * 2;
		grown = reallocarray(r->ders, more, sizeof(*grown));
		if (grown == NULL)
			return false;
		r->ders = grown;
		r->ders_capacity = more;
	}
	grown = &r->ders[r->num_ders];
	grown->data = malloc(len);
	grown->data_len = len;
	if (grown->data == NULL)
		return false;
	memcpy(grown->data, data, len);
	grown->outline = *outline;
	r->num_ders++;
	return true;
}

enum taken { TAKEN_NONE, TAKEN_ONE, TAKEN_NO_MEMORY };

/* One certificate at *p into the result, decoded or not; advances. */
static enum taken
take_one(struct read_result *r, const unsigned char **p, size_t len)
{
	struct outline	outline;
	X509		*x;
	size_t		 n;

	if (r->outlines && (n = element_length(*p, len)) > 0 &&
	    outline_read(*p, n, &outline)) {
		if (!keep_der(r, *p, n, &outline))
			return TAKEN_NO_MEMORY;
		*p += n;
		return TAKEN_ONE;
	}
	x = take_cert(p, len);
	if (x == NULL)
		return TAKEN_NONE;
	return keep(r, x) ? TAKEN_ONE : TAKEN_NO_MEMORY;
}

static bool
take_pkcs7(struct read_result *r, const unsigned char *data, size_t len,
    bool *found_r)
{
	const unsigned char	*p = data;
	PKCS7			*p7;
	STACK_OF(X509)		*certs = NULL;
	int			 i;
	bool			 ok = true;

	*found_r = false;
	p7 = d2i_PKCS7(NULL, &p, (long)len);
	if (p7 == NULL)
		return true;
	if (PKCS7_type_is_signed(p7) && p7->d.sign != NULL)
		certs = p7->d.sign->cert;
	else if (PKCS7_type_is_signedAndEnveloped(p7) &&
	    p7->d.signed_and_enveloped != NULL)
		certs = p7->d.signed_and_enveloped->cert;
	*found_r = true;
	for (i = 0; ok && certs != NULL && i < sk_X509_num(certs); i++) {
		X509	*x = sk_X509_value(certs, i);

		ok = X509_up_ref(x) == 1 && keep(r, x);
	}
	PKCS7_free(p7);
	return ok;
}

static bool
take_pkcs12(struct read_result *r, const unsigned char *data, size_t len,
    const char *password, bool *found_r)
{
	const unsigned char	*p = data;
	PKCS12			*p12;
	EVP_PKEY		*key = NULL;
	X509			*own = NULL;
	STACK_OF(X509)		*others = NULL;
	bool			 ok = true;

	*found_r = false;
	p12 = d2i_PKCS12(NULL, &p, (long)len);
	if (p12 == NULL)
		return true;
	*found_r = true;
	if (PKCS12_parse(p12, password, &key, &own, &others) != 1) {
		r->unreadable++;
		r->locked = true;
		r->hint = "PKCS#12: wrong password, or encrypted with an old "
		    "algorithm (convert it with openssl pkcs12 -legacy)";
		goto out;
	}
	if (own != NULL) {
		if (key != NULL && r->key_cert == NULL && X509_up_ref(own) == 1)
			r->key_cert = own;
		ok = X509_up_ref(own) == 1 && keep(r, own);
	}
	while (ok && others != NULL && sk_X509_num(others) > 0)
		ok = keep(r, sk_X509_shift(others));
out:
	EVP_PKEY_free(key);
	X509_free(own);
	sk_X509_pop_free(others, X509_free);
	PKCS12_free(p12);
	return ok;
}

static bool
read_der(struct read_result *r, const unsigned char *data, size_t len,
    const char *password)
{
	const unsigned char	*p = data, *end = data + len;
	enum taken		 taken = TAKEN_ONE;
	bool			 found, ok;

	while (p < end && taken == TAKEN_ONE)
		taken = take_one(r, &p, (size_t)(end - p));
	if (taken == TAKEN_NO_MEMORY)
		return false;
	if (p != data || len == 0 || len > LONG_MAX) {
		/* Certificates came; what is left behind them is none. */
		r->unreadable += p < end;
		return true;
	}
	ok = take_pkcs7(r, data, len, &found);
	if (!ok || found)
		return ok;
	ok = take_pkcs12(r, data, len, password, &found);
	if (ok && !found)
		r->unreadable++;
	return ok;
}

static bool
take_pem_block(struct read_result *r, const char *block, size_t len,
    const char *password)
{
	BIO		*bio = BIO_new_mem_buf(block, (int)len);
	char		*name = NULL, *header = NULL;
	unsigned char	*data = NULL;
	const unsigned char *p;
	long		 n = 0;
	X509		*x;
	bool		 ok = true, found;

	if (bio == NULL)
		return false;
	if (PEM_read_bio(bio, &name, &header, &data, &n) != 1) {
		/* A damaged block counts only if it claims to be one of ours. */
		if (len > 30 && memmem(block, len, "CERTIFICATE-", 12) != NULL)
			r->unreadable++;
		goto out;
	}
	p = data;
	if (strcmp(name, PEM_STRING_X509) == 0 ||
	    strcmp(name, PEM_STRING_X509_OLD) == 0) {
		if (element_length(data, (size_t)n) != (size_t)n) {
			r->unreadable++;
			goto out;
		}
		switch (take_one(r, &p, (size_t)n)) {
		case TAKEN_ONE:
			break;
		case TAKEN_NONE:
			r->unreadable++;
			break;
		case TAKEN_NO_MEMORY:
			ok = false;
			break;
		}
	} else if (strcmp(name, PEM_STRING_X509_TRUSTED) == 0) {
		/* OpenSSL's trust settings are not ours: the certificate counts. */
		x = d2i_X509_AUX(NULL, &p, n);
		if (x != NULL)
			ok = keep(r, x);
		else
			r->unreadable++;
	} else if (strcmp(name, PEM_STRING_PKCS7) == 0 ||
	    strcmp(name, PEM_STRING_PKCS7_SIGNED) == 0 ||
	    strcmp(name, PEM_STRING_CMS) == 0) {
		ok = take_pkcs7(r, data, (size_t)n, &found);
		r->unreadable += !found;
	} else if (strcmp(name, "PKCS12") == 0) {
		ok = take_pkcs12(r, data, (size_t)n, password, &found);
		r->unreadable += !found;
	}
out:
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(data);
	BIO_free(bio);
	return ok;
}

/* Block by block, so that one damaged block does not hide the next. */
static bool
read_pem(struct read_result *r, const char *data, size_t len,
    const char *password)
{
	const char	*p = data, *end = data + len, *next, *stop;

	while ((p = memmem(p, (size_t)(end - p), "-----BEGIN ", 11)) != NULL) {
		stop = memmem(p + 11, (size_t)(end - p - 11), "-----END ", 9);
		next = memmem(p + 11, (size_t)(end - p - 11), "-----BEGIN ", 11);
		if (stop == NULL || (next != NULL && next < stop)) {
			/* cut off in the middle */
			r->unreadable++;
			r->hint = "a PEM block has no end line";
			if (next == NULL || stop == NULL)
				return true;
			p = next;
			continue;
		}
		stop = memchr(stop, '\n', (size_t)(end - stop));
		stop = stop != NULL ? stop + 1 : end;
		if (stop - p > INT_MAX)
			r->unreadable++;
		else if (!take_pem_block(r, p, (size_t)(stop - p), password))
			return false;
		p = stop;
	}
	return true;
}

static bool
read_all(const unsigned char *data, size_t data_len, const char *password,
    bool outlines, struct read_result *result_r)
{
	bool	ok;

	memset(result_r, 0, sizeof(*result_r));
	result_r->outlines = outlines;
	result_r->certs = sk_X509_new_null();
	if (result_r->certs == NULL)
		return false;
	ERR_set_mark();
	if (memmem(data, data_len, "-----BEGIN ", 11) != NULL)
		ok = read_pem(result_r, (const char *)data, data_len, password);
	else
		ok = read_der(result_r, data, data_len, password);
	ERR_pop_to_mark();
	if (!ok)
		read_result_free(result_r);
	return ok;
}

bool
read_certs(const unsigned char *data, size_t data_len, const char *password,
    struct read_result *result_r)
{
	return read_all(data, data_len, password, false, result_r);
}

bool
read_outlines(const unsigned char *data, size_t data_len,
    struct read_result *result_r)
{
	return read_all(data, data_len, NULL, true, result_r);
}

void
read_result_free(struct read_result *r)
{
	size_t	i;

	for (i = 0; i < r->num_ders; i++)
		free(r->ders[i].data);
	free(r->ders);
	sk_X509_pop_free(r->certs, X509_free);
	X509_free(r->key_cert);
	memset(r, 0, sizeof(*r));
}
