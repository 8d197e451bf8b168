/*
 * fuzz_cert.c - any bytes at all as a certificate: its view, its names, its
 * constraints against its own names, the URLs in it.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "certauth_data.h"
#include "trust/cert.h"
#include "trust/constraints.h"
#include "trust/policy.h"
#include "trust/read.h"
#include "trust/strict.h"
#include "trust/url.h"
#include "unit/trust/same.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)	do { if (!(condition)) { \
		fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
		abort(); } } while (0)

/* What the refresher would see: printable, bounded, whatever its scheme. */
static void
look_url(void *context, enum certauth_url_kind kind, const char *url)
{
	const char	*p;

	(void)context;
	(void)kind;
	MUST(url[0] != '\0' && strlen(url) <= 2048);
	for (p = url; *p != '\0'; p++)
		MUST(*p > ' ' && *p <= '~');
}

static void
look(X509 *x)
{
	struct policy_options	 options;
	struct cert		*c = cert_new(x);
	unsigned char		*value, *der = NULL;
	unsigned		 left = CONSTRAINTS_MAX_COMPARISONS;
	size_t			 i, len, used;
	char			 why[256];
	int			 n;

	if (c == NULL)
		return;
	if (same_as_openssl(x, c) != NULL) {
		fprintf(stderr, "differs: %s\n", same_as_openssl(x, c));
		abort();
	}
	n = i2d_X509(x, &der);
	MUST(n > 0);
	MUST(n > (int)CERT_MAX_BYTES || (c->faults & CERT_FAULT_DER) != 0 ||
	    (strict_der(der, (size_t)n, &used) && used == (size_t)n));
	OPENSSL_free(der);
	MUST(c->serial_len >= 1 && c->serial_len <= CERT_MAX_SERIAL);
	MUST(c->num_sans <= CERT_MAX_NAMES);
	MUST(c->num_dps <= CERT_MAX_DISTRIBUTION_POINTS);
	for (i = 0; i < c->num_sans; i++)
		(void)cert_mailbox_plain(c->sans[i].data, c->sans[i].data_len);
	for (i = 0; i < 4 && cert_subject_attr(c, "CN", i, &value, &len); i++)
		OPENSSL_free(value);
	free(cert_subject_print(c));
	free(cert_issuer_print(c));
	policy_options_init(&options);
	(void)policy_key_allowed(&options, c, why, sizeof(why));
	(void)policy_digest_allowed(&options, c, why, sizeof(why));
	policy_options_clear(&options);
	if (constraints_sound(c, why, sizeof(why)))
		(void)constraints_fit(c, c, &left, why, sizeof(why));
	certauth_cert_urls(x, look_url, NULL);
	(void)url_has_http(x, URL_CRL);
	(void)url_has_http(x, URL_OCSP);
	(void)url_has_http(x, URL_ISSUER);
	cert_free(cert_ref(c));
	cert_free(c);
}

/* What is readable is so with and without decoding. */
static void
look_outlines(const unsigned char *data, size_t size, const struct read_result *r)
{
	struct read_result	 outlines;
	const unsigned char	*p;
	X509			*x;
	size_t			 i;

	if (!read_outlines(data, size, &outlines))
		return;
	MUST(outlines.unreadable == r->unreadable && outlines.num_ders +
	    (size_t)sk_X509_num(outlines.certs) == (size_t)sk_X509_num(r->certs));
	for (i = 0; i < outlines.num_ders; i++) {
		p = outlines.ders[i].data;
		ERR_set_mark();
		x = d2i_X509(NULL, &p, (long)outlines.ders[i].data_len);
		ERR_pop_to_mark();
		MUST(x != NULL);
		X509_free(x);
	}
	read_result_free(&outlines);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct read_result	 result;
	unsigned char		*copy = malloc(size + 1);
	int			 i;

	MUST(copy != NULL);
	memcpy(copy, data, size);
	copy[size] = '\0';
	if (read_certs(copy, size, NULL, &result)) {
		look_outlines(copy, size, &result);
		for (i = 0; i < sk_X509_num(result.certs) && i < 8; i++)
			look(sk_X509_value(result.certs, i));
		read_result_free(&result);
	}
	free(copy);
	MUST(ERR_peek_error() == 0);
	return 0;
}
