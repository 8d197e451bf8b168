/*
 * policies.c - which certificate policies hold on the whole path?
 *
 * OpenSSL's policy tree is built only where it has something to say that the
 * intersection of the certificates' policies has not (RFC 5280 6.1.3 (d)).
 */

#include <stdlib.h>
#include <string.h>

#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "trust/policies.h"

#define ANY_POLICY	"2.5.29.32.0"

/* The policies that hold down to one certificate. */
struct set {
	struct cert_oid	oids[POLICIES_MAX];
	size_t		num;
	bool		any;	/* anyPolicy */
};

static int
compare(const void *a, const void *b)
{
	const struct cert_oid	*x = a, *y = b;

	if (x->data_len != y->data_len)
		return x->data_len < y->data_len ? -1 : 1;
	return memcmp(x->data, y->data, x->data_len);
}

static bool
is_any(const struct cert_oid *oid)
{
	return oid->data_len == 4 && memcmp(oid->data, "\x55\x1d\x20\x00", 4) == 0;
}

static bool
holds(const struct cert_oid *oids, size_t num, const struct cert_oid *oid)
{
	size_t	i;

	for (i = 0; i < num; i++)
		if (compare(&oids[i], oid) == 0)
			return true;
	return false;
}

static size_t
count(struct cert *const *path, size_t num_path)
{
	CERTIFICATEPOLICIES	*list;
	size_t			 i, n = 0;

	for (i = 0; i < num_path; i++) {
		n += path[i]->num_policies;
		if (path[i]->num_policies > 0 || !path[i]->has_policy_rules)
			continue;
		list = X509_get_ext_d2i(path[i]->x509, NID_certificate_policies,
		    NULL, NULL);
		if (sk_POLICYINFO_num(list) > 0)
			n += (size_t)sk_POLICYINFO_num(list);
		CERTIFICATEPOLICIES_free(list);
	}
	return n;
}

/* RFC 5280 6.1.3 (d): what one certificate leaves of the set. At most
 * POLICIES_MAX, as many as the path has. False: a policy is there twice. */
static bool
step(struct set *s, const struct cert *c)
{
	struct cert_oid	 kept[POLICIES_MAX];
	size_t		 i, n = 0;
	bool		 any = false;

	for (i = 0; i < c->num_policies; i++) {
		if (holds(c->policies, i, &c->policies[i]))
			return false;
		if (is_any(&c->policies[i]))
			any = true;
		else if (s->any || holds(s->oids, s->num, &c->policies[i]))
			kept[n++] = c->policies[i];
	}
	for (i = 0; any && i < s->num; i++)
		if (!holds(kept, n, &s->oids[i]))
			kept[n++] = s->oids[i];
	s->any &= any;
	s->num = n;
	if (n > 0)
		memcpy(s->oids, kept, n * sizeof(kept[0]));
	return true;
}

static void
print_number(struct text *out, const char *before, uint64_t n)
{
	char	digits[24];
	size_t	at = sizeof(digits);

	do
		digits[--at] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	text_add(out, before);
	text_add_n(out, &digits[at], sizeof(digits) - at);
}

/* Dotted. False: a number over 2^57. */
static bool
print(struct text *out, const struct cert_oid *oid)
{
	uint64_t	n = 0, first;
	size_t		i;
	bool		begun = false;

	for (i = 0; i < oid->data_len; i++) {
		if (n > (uint64_t)1 << 50)
			return false;
		n = n << 7 | (oid->data[i] & 0x7fu);
		if ((oid->data[i] & 0x80) != 0)
			continue;
		if (!begun) {
			first = n < 80 ? n / 40 : 2;
			print_number(out, "", first);
			print_number(out, ".", n - first * 40);
			begun = true;
		} else {
			print_number(out, ".", n);
		}
		n = 0;
	}
	return true;
}

enum certauth_reason
policies_by_hand(const struct policy_options *o, struct cert *const *path,
    size_t num_path, struct text *set_r, bool *done_r)
{
	struct text	out = { 0 };
	struct set	s;
	size_t		i;

	*done_r = false;
	if (o->num_policies > 0 || o->explicit_policy || o->inhibit_any ||
	    num_path < 2 || count(path, num_path) > POLICIES_MAX)
		return CERTAUTH_INTERNAL;
	for (i = 0; i + 1 < num_path; i++)
		if (path[i]->has_policy_rules)
			return CERTAUTH_INTERNAL;
	s.num = 0;
	s.any = true;
	/* what the anchor says of policies is not part of it (6.1.1 (d)) */
	for (i = num_path - 1; i-- > 0;)
		if (!step(&s, path[i]))
			return CERTAUTH_INTERNAL;
	if (s.any) {
		/* any includes the others */
		s.num = 0;
		text_add(&out, ANY_POLICY);
	}
	if (s.num > 1)
		qsort(s.oids, s.num, sizeof(s.oids[0]), compare);
	for (i = 0; i < s.num; i++) {
		text_add(&out, i > 0 ? "," : "");
		if (!print(&out, &s.oids[i])) {
			text_free(&out);
			return CERTAUTH_INTERNAL;
		}
	}
	*done_r = true;
	text_add_n(set_r, out.data != NULL ? out.data : "", out.len);
	set_r->failed |= out.failed;
	text_free(&out);
	return CERTAUTH_OK;
}

/* ---------------------------------------------------------------- the tree */

/* OpenSSL prints no OID of over 586 octets (CVE-2023-2650): four digits each. */
#define OID_MAX_TEXT	4096

/* False: an OID that cannot be printed whole; half of it would be another. */
static bool
add_set(struct text *set_r, X509_POLICY_TREE *tree)
{
	STACK_OF(X509_POLICY_NODE)	*nodes;
	char				 oid[OID_MAX_TEXT];
	int				 i, n;

	nodes = X509_policy_tree_get0_user_policies(tree);
	for (i = 0; nodes != NULL && i < sk_X509_POLICY_NODE_num(nodes); i++) {
		n = OBJ_obj2txt(oid, sizeof(oid), X509_policy_node_get0_policy(
		    sk_X509_POLICY_NODE_value(nodes, i)), 1);
		if (n <= 0 || (size_t)n >= sizeof(oid))
			return false;
		text_printf(set_r, "%s%s", i > 0 ? "," : "", oid);
	}
	return true;
}

static enum certauth_reason
result(int rc, X509_POLICY_TREE *tree, struct text *set_r, const char **why_r)
{
	switch (rc) {
	case X509_PCY_TREE_VALID:
	case X509_PCY_TREE_EMPTY:
		if (tree == NULL || add_set(set_r, tree))
			return CERTAUTH_OK;
		*why_r = "A policy of the path has an OID of over 586 octets.";
		return CERTAUTH_PATH_LIMIT;
	case X509_PCY_TREE_FAILURE:
		*why_r = "No policy that is acceptable here is valid on the "
		    "whole path (RFC 5280 6.1.5 (g)).";
		return CERTAUTH_POLICY_REQUIRED;
	case X509_PCY_TREE_INVALID:
		*why_r = "A policy extension of the path is invalid.";
		return CERTAUTH_BAD_EXTENSION;
	default:
		/* memory, or more nodes than OpenSSL makes; RFC 9618 3 */
		*why_r = "The policies of the path map to too many others.";
		return CERTAUTH_PATH_LIMIT;
	}
}

/* Leaf first; `fresh`: copies that nobody has looked at. NULL: out of memory. */
static STACK_OF(X509) *
stack_of(struct cert *const *path, size_t num_path, bool fresh)
{
	STACK_OF(X509)	*certs = sk_X509_new_null();
	X509		*x;
	size_t		 i;

	for (i = 0; certs != NULL && i < num_path; i++) {
		x = path[i]->x509;
		x = fresh ? X509_dup(x) : X509_up_ref(x) == 1 ? x : NULL;
		if (x == NULL || sk_X509_push(certs, x) <= 0) {
			X509_free(x);
			sk_X509_pop_free(certs, X509_free);
			return NULL;
		}
	}
	return certs;
}

enum certauth_reason
policies_by_tree(const struct policy_options *o, struct cert *const *path,
    size_t num_path, struct text *set_r, const char **why_r)
{
	STACK_OF(X509)		*certs = NULL;
	STACK_OF(ASN1_OBJECT)	*wanted = sk_ASN1_OBJECT_new_null();
	X509_POLICY_TREE	*tree = NULL;
	enum certauth_reason	 reason = CERTAUTH_INTERNAL;
	unsigned		 flags = 0;
	size_t			 i;
	int			 rc = X509_PCY_TREE_INVALID, again;
	int			 explicit_needed = 0;

	*why_r = "The policy tree could not be built.";
	if (wanted == NULL)
		goto out;
	for (i = 0; i < o->num_policies; i++)
		if (sk_ASN1_OBJECT_push(wanted, o->policies[i]) <= 0)
			goto out;
	/* RFC 5280 6.1.1 (c): no wish means any-policy; an empty set would mean
	 * that nothing will do. */
	if (o->num_policies == 0 && sk_ASN1_OBJECT_push(wanted,
	    OBJ_nid2obj(NID_any_policy)) <= 0)
		goto out;
	if (o->explicit_policy)
		flags |= X509_V_FLAG_EXPLICIT_POLICY;
	if (o->inhibit_any)
		flags |= X509_V_FLAG_INHIBIT_ANY;
	if (o->inhibit_mapping)
		flags |= X509_V_FLAG_INHIBIT_MAP;
	/* OpenSSL keeps "invalid" with a certificate, also where it only wanted for
	 * memory: such a one is asked again as a copy. */
	for (again = 0; again < 2 && rc == X509_PCY_TREE_INVALID; again++) {
		X509_policy_tree_free(tree);
		tree = NULL;
		sk_X509_pop_free(certs, X509_free);
		certs = stack_of(path, num_path, again == 1);
		if (certs == NULL)
			goto out;
		rc = X509_policy_check(&tree, &explicit_needed, certs, wanted,
		    flags);
	}
	reason = result(rc, tree, set_r, why_r);
out:
	X509_policy_tree_free(tree);
	sk_X509_pop_free(certs, X509_free);
	sk_ASN1_OBJECT_free(wanted);
	return reason;
}

/* Is any of o->policies[from .. to) among the comma-separated ones? */
static bool
set_has(const struct text *set, const struct policy_options *o, size_t from,
    size_t to)
{
	const char	*at;
	char		 oid[256];
	size_t		 i, n;

	for (i = from; i < to && set->data != NULL; i++) {
		if (OBJ_obj2txt(oid, sizeof(oid), o->policies[i], 1) >=
		    (int)sizeof(oid))
			continue;
		for (at = set->data; *at != '\0'; at += n + (at[n] == ',')) {
			n = strcspn(at, ",");
			if (n == strlen(oid) && memcmp(at, oid, n) == 0)
				return true;
		}
	}
	return false;
}

enum certauth_reason
policies_check(const struct policy_options *o, struct cert *const *path,
    size_t num_path, struct text *set_r, const char **why_r)
{
	enum certauth_reason	reason;
	bool			done;

	*why_r = "";
	if (count(path, num_path) > POLICIES_MAX) {
		*why_r = "The path has over 512 certificate policies.";
		return CERTAUTH_PATH_LIMIT;
	}
	if (num_path == 1) {
		/* The leaf is an anchor: there is no CA to assert a policy. */
		if (!o->explicit_policy)
			return CERTAUTH_OK;
		*why_r = "It is an anchor itself, so no CA vouches for a "
		    "policy.";
		return CERTAUTH_POLICY_REQUIRED;
	}
	reason = policies_by_hand(o, path, num_path, set_r, &done);
	if (!done)
		reason = policies_by_tree(o, path, num_path, set_r, why_r);
	if (reason == CERTAUTH_OK && o->has_classes && o->num_plain > 0 &&
	    (!set_has(set_r, o, 0, o->num_plain) ||
	    !set_has(set_r, o, o->num_plain, o->num_policies))) {
		*why_r = "It has one of the policies or one of the classes asked "
		    "for, but not one of each.";
		reason = CERTAUTH_POLICY_REQUIRED;
	}
	return reason;
}
