/*
 * forecast.c - when will this certificate be refused, and why?
 *
 * Asks the very question that a login asks, now and at each time at which
 * something on its path ends. What the future CRLs will say nobody knows, so that
 * they will be out of date by then is no answer.
 */

#include <stdlib.h>
#include <string.h>

#include "certauth_data.h"
#include "engine.h"
#include "services.h"

/* Ends of certificates on one path: leaf, intermediates, anchor. */
#define FORECAST_MAX_TIMES	(CONFIG_MAX_DEPTH + 2)

static int
compare_times(const void *a, const void *b)
{
	int64_t	x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static size_t
path_ends(const struct certauth_verdict *v, int64_t times_r[FORECAST_MAX_TIMES])
{
	STACK_OF(X509)	*path = certauth_verdict_get0_path(v);
	struct cert	*c;
	size_t		 num = 0;
	int		 i, n = path != NULL ? sk_X509_num(path) : 0;

	for (i = 0; i < n && num < FORECAST_MAX_TIMES; i++) {
		c = cert_new(sk_X509_value(path, i));
		if (c != NULL)
			times_r[num++] = c->not_after + 1;
		cert_free(c);
	}
	qsort(times_r, num, sizeof(*times_r), compare_times);
	return num;
}

static bool
is_of_data(const struct certauth_verdict *v)
{
	return certauth_verdict_reason(v) == CERTAUTH_REVOCATION_STALE ||
	    certauth_verdict_reason(v) == CERTAUTH_REVOCATION_UNKNOWN;
}

/* RFC 5280 4.2.1.12 lets one certificate be for servers and for clients; the
 * programs of the browsers end that for public CAs in 2026 and 2027. */
static bool
loses_purpose(const struct certauth_profile *profile, X509 *leaf)
{
	uint32_t	both = XKU_SSL_CLIENT | XKU_SSL_SERVER;
	size_t		i;
	bool		client = false;

	for (i = 0; i < profile->policy.num_purposes; i++)
		client |= profile->policy.purposes[i].kind == PURPOSE_CLIENT;
	return client && (X509_get_extension_flags(leaf) & EXFLAG_XKUSAGE) != 0 &&
	    (X509_get_extended_key_usage(leaf) & both) == both;
}

bool
certauth_forecast(struct certauth *engine, const struct certauth_request *asked,
    int64_t until, certauth_forecast_fn *tell, void *context)
{
	struct certauth_request	 request = *asked;
	struct certauth_verdict	*v, *later;
	int64_t			 times[FORECAST_MAX_TIMES];
	size_t			 i, num;
	bool			 told = false;

	request.flags |= CERTAUTH_FINAL;
	v = services_verify(engine, &request, &request.service);
	if (v == NULL)
		return false;
	if (certauth_verdict_decision(v) != CERTAUTH_ACCEPT) {
		tell(context, request.now, v, v);
		certauth_verdict_free(v);
		return true;
	}
	num = path_ends(v, times);
	for (i = 0; !told && i < num && times[i] <= until; i++) {
		request.now = times[i];
		later = certauth_verify(engine, &request);
		told = certauth_verdict_decision(later) != CERTAUTH_ACCEPT &&
		    !is_of_data(later);
		if (told)
			tell(context, times[i], v, later);
		certauth_verdict_free(later);
	}
	if (loses_purpose(asked->profile, asked->leaf))
		tell(context, 0, v, NULL);
	certauth_verdict_free(v);
	return true;
}
