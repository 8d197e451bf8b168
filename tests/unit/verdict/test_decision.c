/* The line of one decision, and how many of a kind are logged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/text.h"
#include "verdict/decision.h"
#include "verdict/limit.h"

#define NOW	INT64_C(1800000000)

static struct certauth_verdict *
refusal(const char *user, const char *detail)
{
	struct certauth_verdict	*v = verdict_new(NULL, "staff", NOW, 0);

	assert_non_null(v);
	verdict_set(v, VERDICT_EMAIL, "alice@example.com");
	verdict_set(v, VERDICT_SUBJECT, "CN=Alice \"the\" Smith");
	verdict_set(v, VERDICT_ISSUER, "CN=Issuing CA");
	verdict_set(v, VERDICT_SERIAL, "0A1B");
	verdict_set(v, VERDICT_NOT_AFTER, "2028-01-15T08:00:00Z");
	verdict_set(v, VERDICT_REVOCATION, "crl");
	verdict_set(v, VERDICT_REVOCATION_FROM, "2027-01-15T07:00:00Z");
	verdict_set_user(v, user, "", "mail");
	verdict_fault(v, CERTAUTH_WRONG_USER, -1, -1, "%s", detail);
	verdict_close(v, -1);
	return v;
}

static char *
tell(bool as_json, enum decision_personal personal, unsigned char key,
    const char *detail, uint64_t unlogged)
{
	struct decision_options	 options = { as_json, personal, { key }, 0 };
	const struct certauth_event event = { "nginx", "http", "a\nb\xff", "::1",
	    true, 12 };
	struct certauth_verdict	*v = refusal("alice", detail);
	char			*line = decision_line(&options, v, &event, NOW,
				    unlogged);

	certauth_verdict_free(v);
	assert_non_null(line);
	assert_null(strchr(line, '\n'));
	return line;
}

static void
assert_json(json_t *root, const char *key, const char *value)
{
	const char	*got = json_string_value(json_object_get(root, key));

	if (got == NULL || strcmp(got, value) != 0)
		fail_msg("%s is %s, not %s", key, got != NULL ? got : "missing",
		    value);
}

static void
test_json(void **state)
{
	char	*line = tell(true, DECISION_PLAIN, 0, "asked for \"bob\"", 7);
	json_t	*root = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

	(void)state;
	assert_non_null(root);
	assert_json(root, "result", "reject");
	assert_json(root, "reason", "wrong-user");
	assert_json(root, "profile", "staff");
	assert_json(root, "serial", "0A1B");
	assert_json(root, "notAfter", "2028-01-15T08:00:00Z");
	assert_json(root, "email", "alice@example.com");
	assert_json(root, "server", "nginx");
	assert_json(root, "client", "::1");
	assert_json(root, "host", "a\\x0ab\\xff");
	assert_json(root, "time", "2027-01-15T08:00:00Z");
	assert_json(root, "revocation", "crl");
	assert_int_equal(json_integer_value(json_object_get(root,
	    "revocation_age")), 3600);
	assert_int_equal(json_integer_value(json_object_get(root, "code")), 1503);
	assert_int_equal(json_integer_value(json_object_get(root, "waited")), 12);
	assert_int_equal(json_integer_value(json_object_get(root, "unlogged")),
	    7);
	assert_true(json_is_true(json_object_get(root, "resumed")));
	assert_non_null(strstr(json_string_value(json_object_get(root,
	    "message")), "bob"));
	json_decref(root);
	free(line);
}

static json_t *
tell_accepted(EVP_PKEY *key, const char *policies)
{
	struct decision_options	 options = { .json = true };
	const struct certauth_event event = { .server = "nginx" };
	struct certauth_verdict	*v = verdict_new(NULL, "staff", NOW, 0);
	STACK_OF(X509)		*path = sk_X509_new_null();
	X509			*leaf = X509_new();
	char			*line;
	json_t			*root;

	assert_true(v != NULL && path != NULL && leaf != NULL);
	assert_non_null(ASN1_TIME_set(X509_getm_notBefore(leaf), NOW));
	assert_int_equal(X509_set_pubkey(leaf, key), 1);
	assert_true(sk_X509_push(path, leaf) > 0);
	assert_int_equal(verdict_path_begin(v, path, "ours"), 0);
	verdict_set(v, VERDICT_POLICIES, policies);
	verdict_close(v, 0);
	line = decision_line(&options, v, &event, NOW, 0);
	certauth_verdict_free(v);
	sk_X509_pop_free(path, X509_free);
	assert_true(line != NULL && strlen(line) <= DECISION_MAX_BYTES);
	root = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	free(line);
	assert_non_null(root);
	return root;
}

/* What another profile may ask about: none of it is cut to something else. */
static void
test_certificate(void **state)
{
	struct { EVP_PKEY *key; const char *word; } keys[] = {
		{ EVP_RSA_gen(2048), "rsa-2048" },
		{ EVP_EC_gen("P-384"), "P-384" },
		{ EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), "Ed25519" },
		{ EVP_EC_gen("secp256k1"), NULL },
	};
	char	 many[600];
	json_t	*root, *list;
	size_t	 i;

	(void)state;
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		assert_non_null(keys[i].key);
		root = tell_accepted(keys[i].key, "1.2.3,2.16.840");
		if (keys[i].word != NULL)
			assert_json(root, "key", keys[i].word);
		else
			assert_null(json_object_get(root, "key"));
		assert_json(root, "result", "accept");
		assert_json(root, "notBefore", "2027-01-15T08:00:00Z");
		list = json_object_get(root, "policies");
		assert_int_equal(json_array_size(list), 2);
		assert_string_equal(json_string_value(json_array_get(list, 1)),
		    "2.16.840");
		json_decref(root);
	}
	root = tell_accepted(keys[1].key, "");
	assert_int_equal(json_array_size(json_object_get(root, "policies")), 0);
	assert_true(json_is_array(json_object_get(root, "policies")));
	json_decref(root);
	memset(many, '1', sizeof(many) - 1);
	many[sizeof(many) - 1] = '\0';
	root = tell_accepted(keys[1].key, many);
	assert_null(json_object_get(root, "policies"));
	json_decref(root);
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		EVP_PKEY_free(keys[i].key);
}

/* Nobody's name in any form, and one secret's hashes are not another's. */
static void
test_hashed(void **state)
{
	char	*lines[3];
	size_t	 i;

	(void)state;
	lines[0] = tell(true, DECISION_HASHED, 1, "asked for \"bob\"", 0);
	lines[1] = tell(true, DECISION_HASHED, 2, "asked for \"bob\"", 0);
	lines[2] = tell(false, DECISION_HASHED, 1, "asked for \"bob\"", 0);
	for (i = 0; i < 3; i++) {
		assert_null(strstr(lines[i], "lice"));
		assert_null(strstr(lines[i], "bob"));
		assert_non_null(strstr(lines[i], "hmac:"));
		assert_non_null(strstr(lines[i], "wrong-user"));
		assert_non_null(strstr(lines[i], "CN=Issuing CA"));
	}
	assert_non_null(strstr(lines[2], " not_after=2028-01-15T08:00:00Z "));
	assert_string_not_equal(lines[0], lines[1]);
	for (i = 0; i < 3; i++)
		free(lines[i]);
}

static void
test_text(void **state)
{
	char	*line = tell(false, DECISION_PLAIN, 0, "why", 3);

	(void)state;
	assert_memory_equal(line, "REJECT 1503 wrong-user ", 23);
	assert_non_null(strstr(line, " serial=0A1B not_after=2028-01-15T08:00:00Z "
	    "subject="));
	assert_non_null(strstr(line, " detail=\"why\""));
	assert_non_null(strstr(line, " waited=12ms unlogged=3"));
	free(line);
}

/* However long the parts are: the line is whole JSON, and not too long. */
static void
test_long(void **state)
{
	static char	 detail[5000];
	struct decision_options	 options = { .json = true };
	const struct certauth_event event = { .server = "nginx" };
	struct certauth_verdict	*v;
	json_t			*root;
	char			*line;
	size_t			 i;

	(void)state;
	/* characters of three bytes, each six in JSON's worst form */
	for (i = 0; i + 3 < sizeof(detail); i += 3)
		memcpy(detail + i, "\xe2\x82\xac", 3);
	v = verdict_new(NULL, detail, NOW, 0);
	verdict_set(v, VERDICT_EMAIL, detail);
	verdict_set(v, VERDICT_SUBJECT, detail);
	verdict_set(v, VERDICT_ISSUER, detail);
	verdict_set(v, VERDICT_RULE, detail);
	verdict_fault(v, CERTAUTH_NO_USER, -1, -1, "%s", detail);
	verdict_close(v, -1);
	line = decision_line(&options, v, &event, NOW, 0);
	certauth_verdict_free(v);
	assert_non_null(line);
	assert_true(strlen(line) <= DECISION_MAX_BYTES);
	root = json_loads(line, 0, NULL);
	assert_non_null(root);
	assert_json(root, "reason", "no-user");
	json_decref(root);
	free(line);
}

static void
test_null(void **state)
{
	struct decision_options	 options = { .json = true };
	const struct certauth_event event = { .server = NULL };
	char			*line = decision_line(&options, NULL, &event,
				    NOW, 0);

	(void)state;
	assert_non_null(line);
	assert_non_null(strstr(line, "\"reason\":\"internal\""));
	assert_non_null(strstr(line, "\"result\":\"reject\""));
	free(line);
}

static void
test_limit(void **state)
{
	struct decision_limit	l = { .num_kinds = 0 };
	struct limit_kind	kind;
	uint64_t		unlogged;
	int			i;

	(void)state;
	for (i = 0; i < 100; i++)
		assert_int_equal(limit_take(&l, CERTAUTH_REVOKED, 0, 20, NOW,
		    &unlogged), i < 20);
	/* another reason, another authority: other kinds */
	assert_true(limit_take(&l, CERTAUTH_EXPIRED, 0, 20, NOW, &unlogged));
	assert_true(limit_take(&l, CERTAUTH_REVOKED, 1, 20, NOW, &unlogged));
	assert_int_equal(unlogged, 0);
	assert_false(limit_rest(&l, NOW + LIMIT_WINDOW - 1, &kind));
	assert_true(limit_rest(&l, NOW + LIMIT_WINDOW, &kind));
	assert_int_equal(kind.unlogged, 80);
	assert_int_equal(kind.reason, CERTAUTH_REVOKED);
	assert_false(limit_rest(&l, NOW + LIMIT_WINDOW, &kind));
	/* the next line carries what no rest has told */
	for (i = 0; i < 25; i++)
		(void)limit_take(&l, CERTAUTH_REVOKED, 0, 20, NOW + 20, &unlogged);
	assert_true(limit_take(&l, CERTAUTH_REVOKED, 0, 20, NOW + 30, &unlogged));
	assert_int_equal(unlogged, 5);
	/* no limit; a clock that went back */
	for (i = 0; i < 100; i++)
		assert_true(limit_take(&l, CERTAUTH_EXPIRED, 0, 0, NOW, &unlogged));
	assert_true(limit_take(&l, CERTAUTH_REVOKED, 0, 20, NOW - 100, &unlogged));
}

static void
test_many_kinds(void **state)
{
	struct decision_limit	l = { .num_kinds = 0 };
	uint64_t		unlogged;
	int			i;

	(void)state;
	for (i = 0; i < 10 * LIMIT_MAX_KINDS; i++)
		(void)limit_take(&l, CERTAUTH_REVOKED, i, 1, NOW, &unlogged);
	assert_int_equal(l.num_kinds, LIMIT_MAX_KINDS);
	assert_int_equal(l.kinds[LIMIT_MAX_KINDS - 1].unlogged,
	    9 * LIMIT_MAX_KINDS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_certificate),
		cmocka_unit_test(test_hashed),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_null),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_many_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
