/*
 * services.c - by which service does somebody come in, where nobody says?
 */

#include "services.h"

bool
services_at(const struct certauth_profile *profile, const char *asked, size_t i,
    const char **service_r)
{
	static const char *const	all[] = { NULL, "http", "imap" };

	if (asked != NULL || !rules_use_services(profile->rules)) {
		*service_r = asked;
		return i == 0;
	}
	if (i == sizeof(all) / sizeof(all[0]))
		return false;
	*service_r = all[i];
	return true;
}

struct certauth_verdict *
services_verify(struct certauth *e, const struct certauth_request *asked,
    const char **service_r)
{
	struct certauth_request	 request = *asked;
	struct certauth_verdict	*best = NULL, *v;
	bool			 better;
	size_t			 i;

	*service_r = asked->service;
	for (i = 0; services_at(asked->profile, asked->service, i,
	    &request.service); i++) {
		v = certauth_verify(e, &request);
		better = best == NULL ||
		    certauth_verdict_decision(v) == CERTAUTH_ACCEPT ||
		    (certauth_verdict_reason(best) == CERTAUTH_NO_USER &&
		    certauth_verdict_reason(v) != CERTAUTH_NO_USER);
		if (!better) {
			certauth_verdict_free(v);
			continue;
		}
		certauth_verdict_free(best);
		best = v;
		*service_r = request.service;
		if (certauth_verdict_decision(v) == CERTAUTH_ACCEPT)
			break;
	}
	return best;
}
