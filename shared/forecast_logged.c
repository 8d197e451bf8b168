/*
 * forecast_logged.c - what does a profile refuse for sure of a certificate of which
 * only a log tells?
 *
 * Only a refusal can be known: revocation, identity and much else is not in a line,
 * so that nobody is ever let in here.
 */

#include <stdio.h>
#include <string.h>

#include <openssl/ec.h>

#include "certauth_data.h"
#include "engine.h"
#include "identity/dn.h"

#define ANY_POLICY	"2.5.29.32.0"	/* RFC 5280 4.2.1.4 */
/* Certificates of CAs that are looked through. */
#define MAX_CAS		100000u
/* A log cuts longer names. */
#define MAX_ISSUER	300u

/* Can none of the profile's CAs have issued it, by name? RFC 5280 6.1.3 (a)(4). */
static bool
issuer_is_foreign(struct certauth *e, const struct certauth_profile *profile,
    const char *issuer)
{
	const struct engine_authority	*authority;
	struct certauth_ca		 ca;
	unsigned char			 theirs[32], ours[32];
	size_t				 i, k;
	bool				 of_profile;

	if (strlen(issuer) > MAX_ISSUER ||
	    dn_parse(issuer, strlen(issuer), theirs) != NULL)
		return false;
	for (k = 0; k < profile->num_authorities; k++) {
		authority = &e->authorities[profile->authorities[k]];
		if (!authority->has_issuers || (authority->config != NULL &&
		    authority->config->new_issuers))
			return false;
	}
	for (i = 0; certauth_ca_at(e, i, &ca); i++) {
		if (strcmp(ca.role, "intermediate") == 0)
			continue;	/* never lets anybody in */
		of_profile = false;
		for (k = 0; k < profile->num_authorities; k++)
			of_profile |= strcmp(ca.authority, e->authorities[
			    profile->authorities[k]].name) == 0;
		if (of_profile && (i >= MAX_CAS ||
		    strlen(ca.subject) > MAX_ISSUER || dn_parse(ca.subject,
		    strlen(ca.subject), ours) != NULL ||
		    memcmp(ours, theirs, sizeof(ours)) == 0))
			return false;
	}
	return true;
}

static bool
key_of(const char *word, struct cert *cert_r)
{
	char	end;

	memset(cert_r, 0, sizeof(*cert_r));
	cert_r->key.sane_exponent = true;
	if (sscanf(word, "rsa-%5u%c", &cert_r->key.bits, &end) == 1)
		cert_r->key.kind = KEY_RSA;
	else if (strcmp(word, "Ed25519") == 0 || strcmp(word, "Ed448") == 0)
		cert_r->key.kind = KEY_EDWARDS;
	else if ((cert_r->key.curve = EC_curve_nist2nid(word)) != NID_undef)
		cert_r->key.kind = KEY_EC;
	return cert_r->key.kind != KEY_OTHER;
}

/* Is one of the profile's policies from `from` to `to` in the list? */
static bool
has_policy(const struct policy_options *o, size_t from, size_t to,
    const struct certauth_logged *logged)
{
	char	oid[256];
	size_t	i, k;

	for (k = 0; k < logged->num_policies; k++) {
		if (strcmp(logged->policies[k], ANY_POLICY) == 0)
			return true;
		for (i = from; i < to; i++)
			if (OBJ_obj2txt(oid, (int)sizeof(oid), o->policies[i], 1) >=
			    (int)sizeof(oid) ||
			    strcmp(oid, logged->policies[k]) == 0)
				return true;
	}
	return false;
}

/* The list is of those under which it was valid; one that was asked for fewer says
 * nothing of others. */
static bool
lacks_policy(struct certauth *e, const struct policy_options *o,
    const struct certauth_logged *logged)
{
	const struct certauth_profile	*judge;
	size_t				 plain;

	if (logged->policies == NULL || o->num_policies == 0)
		return false;
	judge = certauth_profile_find(e, logged->profile);
	if (judge == NULL || judge->policy.num_policies > 0)
		return false;
	plain = o->has_classes ? o->num_plain : o->num_policies;
	return (plain > 0 && !has_policy(o, 0, plain, logged)) ||
	    (plain < o->num_policies &&
	    !has_policy(o, plain, o->num_policies, logged));
}

enum certauth_reason
certauth_forecast_logged(struct certauth *e,
    const struct certauth_profile *profile,
    const struct certauth_logged *logged, char *why, size_t size)
{
	const struct policy_options	*o = &profile->policy;
	struct cert			 cert;

	(void)snprintf(why, size, "By the log: ");
	why += strlen(why);
	size -= strlen("By the log: ");
	if (issuer_is_foreign(e, profile, logged->issuer)) {
		(void)snprintf(why, size, "no CA of that name is listed in "
		    "`issuers`.");
		return CERTAUTH_ISSUER_NOT_LISTED;
	}
	if (key_of(logged->key, &cert) &&
	    !policy_key_allowed(o, &cert, why, size))
		return CERTAUTH_WEAK_KEY;
	if (logged->lifetime >= 0 && ((o->max_lifetime > 0 &&
	    logged->lifetime > o->max_lifetime) ||
	    logged->lifetime < o->min_lifetime)) {
		(void)snprintf(why, size, "it lives %lld days.",
		    (long long)(logged->lifetime / 86400));
		return CERTAUTH_LIFETIME;
	}
	if (lacks_policy(e, o, logged)) {
		(void)snprintf(why, size, "it was valid for none of the policies "
		    "or classes asked for.");
		return CERTAUTH_POLICY_REQUIRED;
	}
	return CERTAUTH_OK;
}
