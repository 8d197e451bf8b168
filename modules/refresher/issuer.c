/*
 * issuer.c - where is the certificate of whoever issued this one?
 *
 * A client that sends its certificate alone, and an issuing CA that is not in the
 * pool. Nothing about the certificate is proven yet: so its caIssuers addresses
 * are followed only to hosts that the authority is known to use, a few in a
 * minute, and what comes joins the published intermediates only when the core
 * finds signatures from an anchor down to it.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>

#include "inquire_inside.h"
#include "log.h"

/* Forged certificates cost a CA's server no more than this many requests. */
#define MAX_PER_MINUTE	30
struct finding { struct inquiry *q; };

static void
take_url(void *context, enum certauth_url_kind kind, const char *url)
{
	struct inquiry	*q = ((struct finding *)context)->q;
	const char	*why;

	if (kind != CERTAUTH_URL_ISSUER || q->num_responders == MAX_RESPONDERS ||
	    !fetch_url_ok(url, false, q->private_ok, false, &why))
		return;
	if (!hosts_have(&q->all->r->hosts, q->authority, url)) {
		say(LEVEL_INFO, "authority \"%s\": a certificate without issuer "
		    "names %s, a host that nobody proven names: not asked",
		    q->authority_name, url);
		return;
	}
	q->responders[q->num_responders] = strdup(url);
	if (q->responders[q->num_responders] != NULL)
		q->num_responders++;
}

static bool
find_authority(struct inquiry *q, const struct ask_question *question)
{
	struct certauth_authority	a;
	size_t				i;

	for (i = 0; certauth_authority_at(q->all->r->engine, i, &a); i++) {
		if (strlen(a.name) != question->authority_len ||
		    memcmp(a.name, question->authority, strlen(a.name)) != 0)
			continue;
		q->authority = i;
		q->authority_name = strdup(a.name);
		q->ca_file = a.ca_file != NULL ? strdup(a.ca_file) : NULL;
		q->private_ok = a.private_addresses;
		return q->authority_name != NULL &&
		    (a.ca_file == NULL || q->ca_file != NULL);
	}
	return false;
}

bool
issuer_find_sources(struct inquiry *q, const struct ask_question *question,
    int64_t now)
{
	struct finding		 f = { q };
	const unsigned char	*p;
	unsigned char		*num;
	X509			*cert;

	if (question->num_certs != 1 || !find_authority(q, question))
		return false;
	if (q->all->minute != now / 60) {
		q->all->minute = now / 60;
		memset(q->all->num_minute, 0, sizeof(q->all->num_minute));
	}
	num = &q->all->num_minute[q->authority %
	    sizeof(q->all->num_minute)];
	if (*num >= MAX_PER_MINUTE)
		return false;
	ERR_set_mark();
	p = question->certs[0].data;
	cert = d2i_X509(NULL, &p, (long)question->certs[0].data_len);
	if (cert != NULL)
		certauth_cert_urls(cert, take_url, &f);
	X509_free(cert);
	ERR_pop_to_mark();
	if (q->num_responders == 0)
		return false;
	(*num)++;
	q->ask_at = q->began;
	return true;
}

/* ------------------------------------------------------------- what came back */

static void
add_cert(struct publish_issuer *found, X509 *cert)
{
	struct certauth_bytes	*at = &found->certs[found->num_certs];
	unsigned char		*der = NULL;
	int			 len;

	if (found->num_certs == PUBLISH_MAX_CERTS)
		return;
	len = i2d_X509(cert, NULL);
	if (len <= 0 || (der = malloc((size_t)len)) == NULL)
		return;
	at->data = der;
	at->data_len = (size_t)len;
	/* it moves the pointer */
	if (i2d_X509(cert, &der) == len)
		found->num_certs++;
	else
		free((void *)(uintptr_t)at->data);
}

/* The publisher has looked at them. */
static void
published(void *context, enum certauth_issuer_news news, const char *error)
{
	struct inquiry	*q = context;

	q->asking = false;
	if (news != CERTAUTH_ISSUER_REFUSED) {
		if (news == CERTAUTH_ISSUER_TAKEN)
			say(LEVEL_NOTICE, "authority \"%s\": an intermediate of "
			    "%.250s is published", q->authority_name,
			    q->responders[q->next_responder - 1]);
		inquire_reply(q, ASK_PUBLISHED, "published", 9, 0);
		return;
	}
	(void)snprintf(q->why, sizeof(q->why), "%.190s", error);
	say(LEVEL_INFO, "authority \"%s\": %s: %s", q->authority_name,
	    q->responders[q->next_responder - 1], q->why);
	issuer_ask(q);
}

/* OpenSSL's own would ask on the terminal. */
static int
no_password(char *buf, int size, int writing, void *context)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)context;
	return -1;
}

/* RFC 5280 4.2.2.1: one certificate in DER, or a PKCS#7 of several; PEM is seen
 * too. */
static void
take_object(struct publish_issuer *found, const unsigned char *data, size_t len)
{
	const unsigned char	*p = data;
	BIO			*bio = NULL;
	PKCS7			*p7;
	X509			*cert;
	int			 i, n;

	cert = d2i_X509(NULL, &p, (long)len);
	if (cert != NULL && p == data + len)
		add_cert(found, cert);
	X509_free(cert);
	p = data;
	p7 = found->num_certs > 0 ? NULL : d2i_PKCS7(NULL, &p, (long)len);
	if (p7 != NULL && PKCS7_type_is_signed(p7) && p7->d.sign != NULL)
		for (i = 0, n = sk_X509_num(p7->d.sign->cert); i < n &&
		    i < PUBLISH_MAX_CERTS; i++)
			add_cert(found, sk_X509_value(p7->d.sign->cert, i));
	if (p7 == NULL && found->num_certs == 0)
		bio = BIO_new_mem_buf(data, (int)len);
	for (i = 0; bio != NULL && i < PUBLISH_MAX_CERTS &&
	    (cert = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL; i++) {
		add_cert(found, cert);
		X509_free(cert);
	}
	BIO_free(bio);
	PKCS7_free(p7);
}

static void
fetched(void *context, const struct fetch_result *result)
{
	struct inquiry			*q = context;
	struct publish_issuer		 found = { .authority = q->authority,
					    .fn = published, .context = q };
	struct certauth_authority	 a;

	q->asking = false;
	q->all->r->bytes += result->size;
	(void)snprintf(q->why, sizeof(q->why), "%.190s", result->ok ?
	    "holds no certificate" : result->error);
	ERR_set_mark();
	/* After a reload the number may be another's. */
	if (result->ok && result->data_len > 0 &&
	    certauth_authority_at(q->all->r->engine, q->authority, &a) &&
	    strcmp(a.name, q->authority_name) == 0)
		take_object(&found, result->data, result->data_len);
	ERR_pop_to_mark();
	/* Not here: it waits for a lock. The inquiry lives until it is told. */
	if (found.num_certs > 0 && publish_issuers(q->all->r->publisher,
	    &found)) {
		q->asking = true;
		return;
	}
	publish_issuer_clear(&found);
	say(LEVEL_INFO, "authority \"%s\": %s: %s", q->authority_name,
	    q->responders[q->next_responder - 1], q->why);
	issuer_ask(q);
}

void
issuer_ask(struct inquiry *q)
{
	struct fetch_request	request = { .authority = q->authority,
				    .max = FETCH_MAX_CERT,
				    .seconds = FETCH_SMALL_SECONDS };

	while (!q->asking && q->next_responder < q->num_responders) {
		request.url = q->responders[q->next_responder++];
		request.private_ok = q->private_ok;
		request.ca_file = q->ca_file;
		q->all->r->fetches++;
		q->asking = fetch_start(q->all->r->fetcher, &request, fetched, q);
	}
}
