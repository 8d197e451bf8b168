/* test_verdict.c - which finding is told, and that every doubt refuses. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "verdict/verdict.h"

static struct certauth_verdict *
fresh(void)
{
	struct certauth_verdict	*v = verdict_new(NULL, "web", 1000, 0);

	assert_non_null(v);
	return v;
}

static int
path(struct certauth_verdict *v)
{
	STACK_OF(X509)	*none = sk_X509_new_null();
	int		 n = verdict_path_begin(v, none, "authority");

	sk_X509_free(none);
	assert_true(n >= 0);
	return n;
}

static void
test_accept(void **state)
{
	struct certauth_verdict	*v = fresh();
	int			 p = path(v);

	(void)state;
	verdict_add(v, CERTAUTH_REVOCATION_STALE, CERTAUTH_WARNING, p, 0, "old");
	verdict_set_user(v, "alice", "staff", "mailbox");
	verdict_close(v, p);
	assert_int_equal(certauth_verdict_decision(v), CERTAUTH_ACCEPT);
	assert_int_equal(certauth_verdict_reason(v), CERTAUTH_OK);
	assert_string_equal(certauth_verdict_user(v), "alice");
	assert_non_null(strstr(certauth_verdict_text(v),
	    "softened=revocation-stale"));
	certauth_verdict_free(v);
}

/* The account asked for, of those that the verdict has; the rest stays. */
static void
test_accounts(void **state)
{
	static const char *const	not[] = { "offic", "office,", "Office",
					    "office,support", "root" };
	struct certauth_verdict	*v = fresh(), *as, *back;
	int			 p = path(v);
	size_t			 i;

	(void)state;
	verdict_set_user(v, "alice", "staff", "people");
	verdict_add_account(v, "office");
	verdict_add_account(v, "support");
	verdict_add_mailbox(v, "a@x", 3);
	verdict_set_generation(v, 7, 8);
	verdict_holds(v, 10, 20);
	verdict_close(v, p);
	assert_string_equal(certauth_verdict_get(v, "accounts"),
	    "office,support");
	as = certauth_verdict_as(v, "office", 6);
	assert_int_equal(certauth_verdict_decision(as), CERTAUTH_ACCEPT);
	assert_string_equal(certauth_verdict_user(as), "office");
	assert_string_equal(certauth_verdict_get(as, "groups"), "staff");
	assert_string_equal(certauth_verdict_get(as, "accounts"),
	    "alice,support");
	assert_true(certauth_verdict_is_user(as, "alice", 5));
	assert_true(verdict_is_current(as, 7, 8, 15));
	assert_false(verdict_is_current(as, 7, 8, 20));
	assert_false(verdict_is_current(as, 7, 9, 15));
	/* and from there to another */
	back = certauth_verdict_as(as, "support", 7);
	assert_string_equal(certauth_verdict_user(back), "support");
	certauth_verdict_free(back);
	certauth_verdict_free(as);
	/* nothing asked, himself, a mailbox: the very same */
	assert_ptr_equal(as = certauth_verdict_as(v, "", 0), v);
	certauth_verdict_free(as);
	assert_ptr_equal(as = certauth_verdict_as(v, "alice", 5), v);
	certauth_verdict_free(as);
	assert_ptr_equal(as = certauth_verdict_as(v, "a@x", 3), v);
	certauth_verdict_free(as);
	for (i = 0; i < sizeof(not) / sizeof(not[0]); i++) {
		as = certauth_verdict_as(v, not[i], strlen(not[i]));
		assert_int_equal(certauth_verdict_decision(as), CERTAUTH_REJECT);
		assert_int_equal(certauth_verdict_reason(as),
		    CERTAUTH_WRONG_USER);
		assert_string_equal(certauth_verdict_user(as), "");
		certauth_verdict_free(as);
	}
	as = certauth_verdict_as(v, "office\0", 7);
	assert_int_equal(certauth_verdict_reason(as), CERTAUTH_WRONG_USER);
	certauth_verdict_free(as);
	certauth_verdict_free(v);
	/* A refusal has no accounts. */
	v = fresh();
	verdict_set_user(v, "alice", "", "r");
	verdict_add_account(v, "office");
	verdict_fault(v, CERTAUTH_EXPIRED, -1, 0, "%s", "");
	verdict_close(v, -1);
	assert_ptr_equal(as = certauth_verdict_as(v, "office", 6), v);
	assert_string_equal(certauth_verdict_get(v, "accounts"), "");
	assert_false(certauth_verdict_is_user(v, "office", 6));
	certauth_verdict_free(as);
	certauth_verdict_free(v);
	assert_null(certauth_verdict_account(NULL, "office", 6));
}

/* An open verdict, no path, a fault beside the path: each refuses. */
static void
test_refuses(void **state)
{
	struct certauth_verdict	*v = fresh();
	int			 p, i;

	(void)state;
	assert_int_equal(certauth_verdict_decision(v), CERTAUTH_REJECT);
	verdict_close(v, -1);
	assert_int_equal(certauth_verdict_decision(v), CERTAUTH_REJECT);
	assert_int_equal(certauth_verdict_reason(v), CERTAUTH_INTERNAL);
	certauth_verdict_free(v);

	v = fresh();
	p = path(v);
	verdict_set_user(v, "alice", "", "r");
	verdict_fault(v, CERTAUTH_TOO_BIG, -1, -1, "%s", "");
	verdict_close(v, p);
	assert_int_equal(certauth_verdict_reason(v), CERTAUTH_TOO_BIG);
	assert_string_equal(certauth_verdict_user(v), "");
	assert_string_equal(certauth_verdict_get(v, "user"), "");
	certauth_verdict_free(v);

	/* a fault that finds no place any more is not forgotten */
	v = fresh();
	p = path(v);
	for (i = 0; i < VERDICT_MAX_FINDINGS; i++)
		verdict_add(v, CERTAUTH_OK, CERTAUTH_NOTE, p, 0, "%d", i);
	verdict_fault(v, CERTAUTH_REVOKED, p, 0, "late");
	verdict_close(v, p);
	assert_int_equal(certauth_verdict_decision(v), CERTAUTH_REJECT);
	certauth_verdict_free(v);

	assert_int_equal(certauth_verdict_decision(NULL), CERTAUTH_REJECT);
	assert_int_equal(certauth_verdict_reason(NULL), CERTAUTH_INTERNAL);
	assert_string_equal(certauth_verdict_user(NULL), "");
	assert_string_equal(certauth_verdict_get(NULL, "verdict"), "reject");
	assert_false(certauth_verdict_may_act_as(NULL, "", 0));
}

/* The path that came furthest is told, and of it the gravest fault. */
static void
test_primary(void **state)
{
	struct certauth_verdict	*v = fresh();
	const struct certauth_finding *f;
	int			 a = path(v), b = path(v), c = path(v);

	(void)state;
	verdict_fault(v, CERTAUTH_BAD_SIGNATURE, a, 0, "a");
	verdict_fault(v, CERTAUTH_REVOCATION_UNKNOWN, b, 0, "b");
	verdict_fault(v, CERTAUTH_REVOKED, b, 0, "b");
	verdict_fault(v, CERTAUTH_EXPIRED, c, 0, "c");
	verdict_fault(v, CERTAUTH_REVOKED, c, 0, "c");
	verdict_close(v, -1);
	assert_int_equal(certauth_verdict_reason(v), CERTAUTH_REVOKED);
	/* b is path 0 now */
	assert_int_equal(certauth_verdict_findings(v, &f), 5);
	assert_int_equal(f[1].path, 0);
	assert_int_equal(f[0].path, 1);
	assert_int_equal(f[3].path, 2);
	certauth_verdict_free(v);
}

static void
test_cut_search(void **state)
{
	struct certauth_verdict	*v = fresh();

	(void)state;
	verdict_fault(v, CERTAUTH_BAD_SIGNATURE, path(v), 0, "%s", "");
	verdict_fault(v, CERTAUTH_PATH_LIMIT, -1, -1, "%s", "");
	verdict_close(v, -1);
	assert_int_equal(certauth_verdict_reason(v), CERTAUTH_PATH_LIMIT);
	certauth_verdict_free(v);
	v = fresh();
	verdict_fault(v, CERTAUTH_EXPIRED, path(v), 0, "%s", "");
	verdict_fault(v, CERTAUTH_PATH_LIMIT, -1, -1, "%s", "");
	verdict_close(v, -1);
	assert_int_equal(certauth_verdict_reason(v), CERTAUTH_EXPIRED);
	certauth_verdict_free(v);
}

static void
test_names(void **state)
{
	struct certauth_verdict	*v = fresh();
	int			 p = path(v);

	(void)state;
	verdict_add_mailbox(v, "a@example.com", 13);
	verdict_set_user(v, "alice", "", "r");
	verdict_close(v, p);
	assert_true(certauth_verdict_may_act_as(v, "", 0));
	assert_true(certauth_verdict_may_act_as(v, "alice", 5));
	assert_true(certauth_verdict_may_act_as(v, "a@example.com", 13));
	assert_false(certauth_verdict_may_act_as(v, "a@example.co", 12));
	assert_false(certauth_verdict_may_act_as(v, "alice\0x", 7));
	assert_false(certauth_verdict_may_act_as(v, "bob", 3));
	assert_true(certauth_verdict_is_user(v, "alice", 5));
	assert_false(certauth_verdict_is_user(v, "", 0));
	assert_false(certauth_verdict_is_user(v, "a@example.com", 13));
	certauth_verdict_free(v);

	v = fresh();	/* accepted, but nobody */
	p = path(v);
	verdict_close(v, p);
	assert_false(certauth_verdict_may_act_as(v, "", 0));
	assert_false(certauth_verdict_is_user(v, "", 0));
	certauth_verdict_free(v);
}

static void
test_time(void **state)
{
	struct certauth_verdict	*v = fresh();
	int			 p = path(v);

	(void)state;
	verdict_set_generation(v, 7, 3);
	verdict_holds(v, 900, 2000);
	verdict_holds(v, 1000, 3000);
	assert_false(verdict_is_current(v, 7, 3, 1500));	/* still open */
	verdict_close(v, p);
	assert_true(verdict_is_current(v, 7, 3, 1000));
	assert_true(verdict_is_current(v, 7, 3, 1999));
	assert_false(verdict_is_current(v, 7, 3, 2000));
	assert_false(verdict_is_current(v, 7, 3, 999));
	assert_false(verdict_is_current(v, 7, 4, 1500));
	assert_false(verdict_is_current(v, 8, 3, 1500));
	certauth_verdict_free(v);
}

/* Hostile text stays one line and valid JSON. */
static void
test_printed(void **state)
{
	struct certauth_verdict	*v = fresh();
	json_t			*root;
	json_error_t		 error;

	(void)state;
	verdict_set(v, VERDICT_SERIAL, "01");
	verdict_set(v, VERDICT_SUBJECT, "CN=a\\\"b");
	verdict_fault(v, CERTAUTH_NO_USER, path(v), 0, "\"%s\"", "x");
	verdict_close(v, -1);
	assert_null(strchr(certauth_verdict_text(v), '\n'));
	assert_non_null(strstr(certauth_verdict_text(v),
	    "subject=\"CN=a\\\\\\\"b\""));
	root = json_loads(certauth_verdict_json(v), 0, &error);
	assert_non_null(root);
	assert_string_equal(json_string_value(json_object_get(root, "result")),
	    "reject");
	assert_string_equal(json_string_value(json_object_get(root, "reason")),
	    "no-user");
	json_decref(root);
	certauth_verdict_free(v);
}

/* What a place may ask for beyond the profile. */
static void
test_has(void **state)
{
	struct certauth_verdict	*v = fresh(), *bad = fresh();

	(void)state;
	verdict_set(v, VERDICT_USER, "x,admin");
	verdict_set(v, VERDICT_GROUPS, "staff,a b,wheel");
	verdict_set(v, VERDICT_POLICIES, "1.2.3,1.2.34");
	verdict_close(v, path(v));
	assert_int_equal(certauth_verdict_decision(v), CERTAUTH_ACCEPT);
	assert_true(certauth_verdict_has(v, "groups", "staff"));
	assert_true(certauth_verdict_has(v, "groups", "a b"));
	assert_true(certauth_verdict_has(v, "groups", "wheel"));
	assert_true(certauth_verdict_has(v, "policies", "1.2.34"));
	assert_false(certauth_verdict_has(v, "policies", "1.2"));
	assert_false(certauth_verdict_has(v, "groups", "staf"));
	assert_false(certauth_verdict_has(v, "groups", "staff,a b"));
	assert_false(certauth_verdict_has(v, "groups", ""));
	/* a name is one name, whatever is in it */
	assert_true(certauth_verdict_has(v, "user", "x,admin"));
	assert_false(certauth_verdict_has(v, "user", "x"));
	assert_false(certauth_verdict_has(v, "user", "admin"));
	assert_false(certauth_verdict_has(v, "authority", "auth"));
	assert_true(certauth_verdict_has(v, "authority", "authority"));
	assert_false(certauth_verdict_has(v, "no-such", "x"));
	assert_false(certauth_verdict_has(NULL, "user", "x"));
	certauth_verdict_free(v);
	/* who is refused has nothing, though the log may know it */
	verdict_set(bad, VERDICT_GROUPS, "staff");
	verdict_fault(bad, CERTAUTH_REVOKED, path(bad), 0, "x");
	verdict_close(bad, -1);
	assert_string_equal(certauth_verdict_get(bad, "authority"), "authority");
	assert_false(certauth_verdict_has(bad, "authority", "authority"));
	assert_false(certauth_verdict_has(bad, "groups", "staff"));
	certauth_verdict_free(bad);
}

static void
test_reasons(void **state)
{
	(void)state;
	assert_string_equal(certauth_reason_slug(CERTAUTH_OK), "ok");
	/* an unknown number is our own mistake: refuses, blames nobody */
	assert_string_equal(certauth_reason_slug((enum certauth_reason)4711),
	    "internal");
	assert_int_equal(certauth_reason_http((enum certauth_reason)0), 503);
	assert_true(certauth_reason_ours((enum certauth_reason)0));
	assert_true(certauth_reason_final(CERTAUTH_REVOKED));
	assert_true(certauth_reason_final(CERTAUTH_DENIED));
	assert_false(certauth_reason_final(CERTAUTH_NO_CERTIFICATE));
	assert_true(certauth_reason_anybody(CERTAUTH_NO_CERTIFICATE));
	assert_true(certauth_reason_anybody(CERTAUTH_MISDIRECTED));
	assert_false(certauth_reason_anybody(CERTAUTH_OK));
	assert_false(certauth_reason_anybody(CERTAUTH_REVOKED));
	assert_false(certauth_reason_anybody((enum certauth_reason)0));
	assert_true(certauth_reason_alert(CERTAUTH_REVOKED));
	assert_true(certauth_reason_alert((enum certauth_reason)0));
	assert_false(certauth_reason_alert(CERTAUTH_DENIED));
	assert_false(certauth_reason_alert(CERTAUTH_NO_USER));
	assert_int_equal(certauth_reason_nginx(CERTAUTH_NO_CERTIFICATE), 496);
	assert_int_equal(certauth_reason_nginx(CERTAUTH_EXPIRED), 495);
	assert_int_equal(certauth_reason_nginx(CERTAUTH_NO_USER), 403);
}

static void
test_headers_of_ours(void **state)
{
	static const char *const	ours[] = { "Client-Cert", "CLIENT_CERT",
	    "client-cert-chain", "Certauth-User", "x_certauth_any",
	    "X-Client-Cert", "X-SSL-Client-Verify", "Remote_User",
	    "X-Remote-Groups" };
	static const char *const	others[] = { "", "Client-Cer",
	    "Client-Certs", "Certauth", "X-SSL-Client", "Remote-Users",
	    "Authorization", "Cookie", "XX-Remote-User" };
	size_t				i;

	(void)state;
	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		assert_true(certauth_header_is_ours(ours[i], strlen(ours[i])));
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(certauth_header_is_ours(others[i],
		    strlen(others[i])));
	/* as long as it says, no longer */
	assert_false(certauth_header_is_ours("Remote-User", 10));
	assert_true(certauth_header_is_ours("Remote-UserX", 11));
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_accept),
		cmocka_unit_test(test_accounts),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_primary),
		cmocka_unit_test(test_cut_search),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_printed),
		cmocka_unit_test(test_has),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_headers_of_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
