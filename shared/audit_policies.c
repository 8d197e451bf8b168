/*
 * audit_policies.c - which policy or class of a profile can never be there?
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
#include "identity/class.h"
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

/* How the i-th is called by who wrote the profile: an OID or a class. */
static void
tell_name(struct text *out, const ASN1_OBJECT *policy, bool class)
{
	const char	*name = NULL;
	char		 oid[128];

	if (OBJ_obj2txt(oid, sizeof(oid), policy, 1) > 0)
		name = class ? class_of_policy(oid) : oid;
	text_add(out, name != NULL ? name : "?");
}

static bool
same_class(const ASN1_OBJECT *a, const ASN1_OBJECT *b)
{
	struct text	one = { 0 }, other = { 0 };
	bool		same;

	tell_name(&one, a, true);
	tell_name(&other, b, true);
	same = one.data != NULL && other.data != NULL &&
	    strcmp(one.data, other.data) == 0;
	text_free(&one);
	text_free(&other);
	return same;
}

/* Is it the first of its class, and may nobody assert any of that class? A plain
 * policy is a class of its own. *first_r: it is the first. */
static bool
never(const struct certauth *e, const struct certauth_profile *p, size_t i,
    size_t from, size_t to, bool class, bool *first_r)
{
	size_t	j;

	*first_r = true;
	for (j = from; class && j < i; j++)
		if (same_class(p->policy.policies[j], p->policy.policies[i]))
			*first_r = false;
	if (!*first_r || anybody_may(e, p, p->policy.policies[i]))
		return false;
	for (j = i + 1; class && j < to; j++)
		if (same_class(p->policy.policies[j], p->policy.policies[i]) &&
		    anybody_may(e, p, p->policy.policies[j]))
			return false;
	return true;
}

/* Of `policies` one must hold, and of `classes` one: each by itself. */
static void
audit_group(const struct certauth *e, const struct certauth_profile *p,
    size_t from, size_t to, bool class, certauth_audit_fn *say, void *context)
{
	struct text	line = { 0 };
	size_t		i, num = 0, num_never = 0;
	bool		first, is_never;

	for (i = from; i < to; i++) {
		is_never = never(e, p, i, from, to, class, &first);
		num += first;
		if (!is_never)
			continue;
		text_add(&line, num_never++ > 0 ? ", " : "");
		tell_name(&line, p->policy.policies[i], class);
	}
	if (num_never > 0) {
		text_printf(&line, ": no issuing CA of profile \"%s\" may assert "
		    "%s %s, so %s; ", p->name, num_never > 1 ? "these" : "this",
		    class ? (num_never > 1 ? "classes" : "class") :
		    num_never > 1 ? "policies" : "policy", num_never == num ?
		    "nobody can ever enter" : "no certificate can match");
		tell_allowed(&line, e, p);
	}
	if (num_never > 0 && !line.failed)
		say(context, num_never == num ? CERTAUTH_FATAL :
		    CERTAUTH_WARNING, line.data);
	text_free(&line);
}

static void
audit_profile(const struct certauth *e, const struct certauth_profile *p,
    certauth_audit_fn *say, void *context)
{
	size_t	plain = p->policy.has_classes ? p->policy.num_plain :
		    p->policy.num_policies;

	audit_group(e, p, 0, plain, false, say, context);
	audit_group(e, p, plain, p->policy.num_policies, true, say, context);
}

void
audit_policies(const struct certauth *e, certauth_audit_fn *say, void *context)
{
	size_t	i;

	for (i = 0; i < e->num_profiles; i++)
		audit_profile(e, &e->profiles[i], say, context);
}
