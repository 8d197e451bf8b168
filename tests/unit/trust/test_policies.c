/*
 * test_policies.c - policies taken together by hand are what OpenSSL's tree gives,
 * on thousands of random paths; where the tree is needed, it is asked.
 */

#include "trust/mesh.h"
#include "trust/policies.h"
#include "trust/policy_leak.h"

#define PATHS	1000
#define LONGEST	6

static uint32_t	state_of_random = 1;

static unsigned
below(unsigned n)
{
	state_of_random = state_of_random * 1664525u + 1013904223u;
	return (state_of_random >> 8) % n;
}

static const char *const oids[] = {
	"2.5.29.32.0", "1.2.77", "1.2.840.113556.1.4.9", "2.999.1.4294967296",
	"0.9.2342.1", "1.3.6.1.4.1.4146.1.40", "2.16.840.1.101.3.2.1.48.1"
};
#define OIDS	(sizeof(oids) / sizeof(oids[0]))

static void
add(X509 *x, int nid, void *value)
{
	assert_int_equal(X509_add1_ext_i2d(x, nid, value, 0, X509V3_ADD_APPEND),
	    1);
}

static void
add_policies(X509 *x)
{
	CERTIFICATEPOLICIES	*list = sk_POLICYINFO_new_null();
	POLICYINFO		*one;
	unsigned		 i, n = 1 + below(5), k, used = 0;

	for (i = 0; i < n; i++) {
		/* anyPolicy often, one policy twice now and then */
		k = below(3) == 0 ? 0 : below(OIDS);
		if ((used & 1u << k) != 0 && below(40) != 0)
			continue;
		used |= 1u << k;
		one = POLICYINFO_new();
		ASN1_OBJECT_free(one->policyid);
		one->policyid = OBJ_txt2obj(oids[k], 1);
		sk_POLICYINFO_push(list, one);
	}
	add(x, NID_certificate_policies, list);
	CERTIFICATEPOLICIES_free(list);
}

static void
add_rule(X509 *x)
{
	ASN1_INTEGER		*skip = ASN1_INTEGER_new();
	POLICY_CONSTRAINTS	*constraints = POLICY_CONSTRAINTS_new();

	ASN1_INTEGER_set(skip, below(3));
	if (below(2) == 0) {
		add(x, NID_inhibit_any_policy, skip);
		ASN1_INTEGER_free(skip);
	} else {
		constraints->requireExplicitPolicy = skip;
		add(x, NID_policy_constraints, constraints);
	}
	POLICY_CONSTRAINTS_free(constraints);
}

static struct cert *
make(EVP_PKEY *key, unsigned depth, bool *rule_r)
{
	char		 subject[8], issuer[8];
	struct cert	*c;
	X509		*x;

	(void)snprintf(subject, sizeof(subject), "c%u", depth);
	/* self-issued ones count differently in constraints */
	(void)snprintf(issuer, sizeof(issuer), "c%u",
	    below(6) == 0 ? depth : depth + 1);
	x = mesh_cert(subject, key, issuer, key, depth > 0, NOW, NOW + DAY);
	if (below(12) != 0)
		add_policies(x);
	*rule_r = below(20) == 0;
	if (*rule_r)
		add_rule(x);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	c = cert_new(x);
	assert_non_null(c);
	assert_int_equal(c->has_policy_rules, *rule_r);
	X509_free(x);
	return c;
}

/* The same OIDs, in whatever order. */
static bool
same_set(const struct text *a, const struct text *b)
{
	char	copy[512], *oid, *rest = copy;

	if (a->len != b->len || a->len >= sizeof(copy))
		return false;
	memcpy(copy, a->len > 0 ? a->data : "", a->len);
	copy[a->len] = '\0';
	while (a->len > 0 && (oid = strsep(&rest, ",")) != NULL) {
		const char	*at = b->data;

		/* no OID of the test is part of another */
		if (strstr(at, oid) == NULL)
			return false;
	}
	return true;
}

static void
test_random(void **state)
{
	struct policy_options	 o;
	struct cert		*path[LONGEST];
	struct text		 hand, tree, both;
	const char		*why;
	EVP_PKEY		*key = mesh_key();
	unsigned		 i, k, n, by_hand = 0, non_empty = 0;
	bool			 done, rule, rules;
	enum certauth_reason	 a, b;

	(void)state;
	policy_options_init(&o);
	for (i = 0; i < PATHS; i++) {
		n = 2 + below(LONGEST - 1);
		for (k = 0, rules = false; k < n; k++) {
			path[k] = make(key, k, &rule);
			rules |= rule && k + 1 < n;	/* the anchor's bind not */
		}
		hand = tree = both = (struct text){ 0 };
		a = policies_by_hand(&o, path, n, &hand, &done);
		b = policies_by_tree(&o, path, n, &tree, &why);
		assert_false(done && rules);
		if (done) {
			assert_int_equal(a, CERTAUTH_OK);
			assert_int_equal(b, CERTAUTH_OK);
			assert_true(same_set(&hand, &tree));
			by_hand++;
			non_empty += hand.len > 0;
		}
		assert_int_equal(policies_check(&o, path, n, &both, &why), b);
		assert_true(same_set(&both, &tree));
		text_free(&hand);
		text_free(&tree);
		text_free(&both);
		for (k = 0; k < n; k++)
			cert_free(path[k]);
	}
	/* it was not all for nothing */
	assert_true(by_hand > PATHS / 2 && non_empty > PATHS / 8);
	EVP_PKEY_free(key);
	assert_int_equal(ERR_peek_error(), 0);
}

/* What is asked for needs the tree. */
static void
test_asked(void **state)
{
	struct policy_options	 o;
	struct cert		*path[2];
	struct text		 set = { 0 };
	const char		*why;
	EVP_PKEY		*key = mesh_key();
	X509			*x;
	bool			 done;
	unsigned		 i;

	(void)state;
	for (i = 0; i < 2; i++) {
		x = mesh_cert(i == 0 ? "leaf" : "ca", key, "ca", key, i > 0,
		    NOW, NOW + DAY);
		path[i] = cert_new(x);
		X509_free(x);
	}
	policy_options_init(&o);
	o.explicit_policy = true;
	(void)policies_by_hand(&o, path, 2, &set, &done);
	assert_false(done);
	assert_int_equal(policies_check(&o, path, 2, &set, &why),
	    CERTAUTH_POLICY_REQUIRED);
	o.explicit_policy = false;
	o.inhibit_any = true;
	(void)policies_by_hand(&o, path, 2, &set, &done);
	assert_false(done);
	o.inhibit_any = false;
	assert_true(policy_add_oid(&o, "1.2.3"));
	(void)policies_by_hand(&o, path, 2, &set, &done);
	assert_false(done);
	policy_options_clear(&o);
	text_free(&set);
	cert_free(path[0]);
	cert_free(path[1]);
	EVP_PKEY_free(key);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
