/*
 * audit_policies.c - which policy of a profile can never be there?
 *
 * A CA may assert the policies of its own certificate and no other (RFC 5280 6.1.3):
 * a profile that asks for another one refuses everybody, each with a message that
 * blames the certificate.
 */

#include <stdlib.h>
#include <string.h>

#include <openssl/objects.h>

#include "audit.h"
#include "base/text.h"
#include "engine.h"
#include "trust/policies.h"

#define ANY_POLICY	"\x55\x1d\x20\x00"
/* CAs whose policies are told. */
#define MAX_TOLD	6

/* One that may sign the certificates of people, and is bound in what it asserts. */
static bool
issues(const struct engine_authority *a, const struct pool_member *m,
    const struct cert *c)
{
	return a->has_issuers ? (m->roles & POOL_ISSUER) != 0 : c->is_ca;
}

static bool
may_assert(const struct pool_member *m, const struct cert *c,
    const ASN1_OBJECT *policy)
{
	size_t	i;

	/* What an anchor says of policies is not part of it; mappings may make
	 * one out of another. */
	if ((m->roles & POOL_ANCHOR) != 0 || c->has_policy_rules)
		return true;
	for (i = 0; i < c->num_policies; i++)
		if ((c->policies[i].data_len == 4 &&
		    memcmp(c->policies[i].data, ANY_POLICY, 4) == 0) ||
		    (c->policies[i].data_len == OBJ_length(policy) &&
		    memcmp(c->policies[i].data, OBJ_get0_data(policy),
		    OBJ_length(policy)) == 0))
			return true;
	return false;
}

/* Somebody in the profile's authorities may. */
static bool
anybody_may(const struct certauth *e, const struct certauth_profile *p,
    const ASN1_OBJECT *policy)
{
	const struct engine_authority	*a;
	const struct pool_member	*m;
	const struct cert		*c;
	size_t				 i, j;

	for (i = 0; i < p->num_authorities; i++) {
		a = &e->authorities[p->authorities[i]];
		for (j = 0; (m = pool_at(a->pool, j)) != NULL; j++) {
			c = pool_cert(m);
			if (c != NULL && issues(a, m, c) &&
			    may_assert(m, c, policy))
				return true;
		}
	}
	return false;
}

/* "1.2.3, 1.2.4": what the CAs of the profile do allow. */
static void
tell_allowed(struct text *out, const struct certauth *e,
    const struct certauth_profile *p)
{
	const struct engine_authority	*a;
	const struct pool_member	*m;
	const struct cert		*c;
	struct text			 line = { 0 };
	size_t				 i, j, told = 0;
	char				*name;

	for (i = 0; i < p->num_authorities; i++) {
		a = &e->authorities[p->authorities[i]];
		for (j = 0; told < MAX_TOLD && (m = pool_at(a->pool, j)) != NULL;
		    j++) {
			c = pool_cert(m);
			if (c == NULL || !issues(a, m, c))
				continue;
			name = cert_subject_print(c);
			text_printf(&line, "%s%s allows ", told++ > 0 ? "; " : "",
			    name != NULL ? name : "?");
			policies_tell_one(&line, c);
			free(name);
		}
	}
	text_add(out, line.data != NULL ? line.data : "there is no such CA");
	text_free(&line);
}

static void
audit_profile(const struct certauth *e, const struct certauth_profile *p,
    certauth_audit_fn *say, void *context)
{
	struct text	line = { 0 };
	size_t		i, never = 0;
	char		oid[128];

	for (i = 0; i < p->policy.num_policies; i++) {
		if (anybody_may(e, p, p->policy.policies[i]))
			continue;
		text_add(&line, never++ > 0 ? ", " : "");
		if (OBJ_obj2txt(oid, sizeof(oid), p->policy.policies[i], 1) > 0)
			text_add(&line, oid);
	}
	if (never > 0) {
		text_printf(&line, ": no issuing CA of profile \"%s\" may assert "
		    "%s, so %s; ", p->name, never > 1 ? "these policies" :
		    "this policy", never == p->policy.num_policies ?
		    "nobody can ever enter" : "no certificate can match");
		tell_allowed(&line, e, p);
	}
	if (never > 0 && !line.failed)
		say(context, never == p->policy.num_policies ? CERTAUTH_FATAL :
		    CERTAUTH_WARNING, line.data);
	text_free(&line);
}

void
audit_policies(const struct certauth *e, certauth_audit_fn *say, void *context)
{
	size_t	i;

	for (i = 0; i < e->num_profiles; i++)
		audit_profile(e, &e->profiles[i], say, context);
}
