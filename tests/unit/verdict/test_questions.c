/* test_questions.c - what may be asked, and that a question softens no refusal. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "verdict/verdict.h"

static struct certauth_verdict	*v;

static int
fresh(void **state)
{
	(void)state;
	v = verdict_new(NULL, "web", 1000, 0);
	return v != NULL ? 0 : -1;
}

static int
gone(void **state)
{
	(void)state;
	certauth_verdict_free(v);
	return 0;
}

static int
path(void)
{
	STACK_OF(X509)	*none = sk_X509_new_null();
	int		 n = verdict_path_begin(v, none, "authority");

	sk_X509_free(none);
	assert_true(n >= 0);
	return n;
}

static void
ask(const char *frame)
{
	verdict_ask(v, (unsigned char *)strdup(frame), strlen(frame));
}

static void
ends(enum certauth_decision decision, enum certauth_reason reason,
    size_t num_questions)
{
	const struct certauth_bytes	*q;

	assert_int_equal(certauth_verdict_questions(v, &q), 0);	/* open: none */
	verdict_close(v, -1);
	assert_int_equal(certauth_verdict_decision(v), decision);
	assert_int_equal(certauth_verdict_reason(v), reason);
	assert_int_equal(certauth_verdict_questions(v, &q), num_questions);
	assert_true((q == NULL) == (num_questions == 0));
	assert_string_equal(certauth_verdict_user(v), "");
	assert_string_equal(certauth_verdict_get(v, "verdict"), "reject");
	assert_non_null(strstr(certauth_verdict_json(v), "\"reject\""));
}

static void
test_one(void **state)
{
	const struct certauth_bytes	*q;
	int				 p = path();

	(void)state;
	verdict_fault(v, CERTAUTH_REVOCATION_UNKNOWN, p, 0, "no list");
	ask("leaf");
	verdict_fault(v, CERTAUTH_REVOCATION_STALE, p, 1, "old list");
	ask("issuer");
	assert_true(verdict_faulty(v, p));
	assert_true(verdict_undecided(v, p));
	verdict_set_user(v, "alice", "staff", "r");
	ends(CERTAUTH_UNDECIDED, CERTAUTH_REVOCATION_STALE, 2);
	certauth_verdict_questions(v, &q);
	assert_memory_equal(q[1].data, "issuer", 6);
	assert_int_equal(q[1].data_len, 6);
	assert_string_equal(certauth_verdict_get(v, "user"), "");
	assert_non_null(strstr(certauth_verdict_text(v), "UNDECIDED 1405"));
}

/* One finding that no answer can turn makes it a refusal. */
static void
test_other_fault(void **state)
{
	int	p = path();

	(void)state;
	verdict_fault(v, CERTAUTH_REVOCATION_UNKNOWN, p, 0, "no list");
	ask("leaf");
	verdict_fault(v, CERTAUTH_EXPIRED, p, 0, "yesterday");
	assert_false(verdict_undecided(v, p));
	ends(CERTAUTH_REJECT, CERTAUTH_EXPIRED, 0);
}

static void
test_unasked(void **state)
{
	int	p = path();

	(void)state;
	verdict_fault(v, CERTAUTH_REVOCATION_UNKNOWN, p, 0, "no list");
	ask("leaf");
	verdict_fault(v, CERTAUTH_REVOCATION_UNKNOWN, p, 1, "nobody to ask");
	ends(CERTAUTH_REJECT, CERTAUTH_REVOCATION_UNKNOWN, 0);
}

/* The open path is told of, though the other came as far. */
static void
test_second_path(void **state)
{
	int	bad = path(), open;

	(void)state;
	verdict_fault(v, CERTAUTH_ISSUER_REVOKED, bad, 1, "gone");
	open = path();
	verdict_fault(v, CERTAUTH_REVOCATION_STALE, open, 0, "old");
	ask("leaf");
	verdict_fault(v, CERTAUTH_PATH_LIMIT, -1, -1, "too many");
	ends(CERTAUTH_UNDECIDED, CERTAUTH_REVOCATION_STALE, 1);
}

/* A leaf revoked on one path is revoked on all. */
static void
test_revoked_elsewhere(void **state)
{
	int	open = path(), bad;

	(void)state;
	verdict_fault(v, CERTAUTH_REVOCATION_UNKNOWN, open, 0, "no list");
	ask("leaf");
	bad = path();
	verdict_fault(v, CERTAUTH_REVOKED, bad, 0, "gone");
	ends(CERTAUTH_REJECT, CERTAUTH_REVOKED, 0);
}

static void
test_clean_path_wins(void **state)
{
	const struct certauth_bytes	*q;
	int				 open = path(), good;

	(void)state;
	verdict_fault(v, CERTAUTH_REVOCATION_UNKNOWN, open, 0, "no list");
	ask("leaf");
	good = path();
	verdict_close(v, good);
	assert_int_equal(certauth_verdict_decision(v), CERTAUTH_ACCEPT);
	assert_int_equal(certauth_verdict_questions(v, &q), 0);
	assert_null(q);
}

static void
test_no_path(void **state)
{
	(void)state;
	verdict_fault(v, CERTAUTH_NO_PATH, -1, -1, "whose is it?");
	ask("orphan");
	ends(CERTAUTH_UNDECIDED, CERTAUTH_NO_PATH, 1);
}

static void
test_no_path_and_more(void **state)
{
	(void)state;
	verdict_fault(v, CERTAUTH_NO_PATH, -1, -1, "whose is it?");
	ask("orphan");
	verdict_fault(v, CERTAUTH_TOO_BIG, -1, -1, "large");
	ends(CERTAUTH_REJECT, CERTAUTH_TOO_BIG, 0);
}

/* Equal ones are asked once; over the ceiling the finding is a plain refusal. */
static void
test_many(void **state)
{
	char	frame[16];
	int	p = path(), i;

	(void)state;
	for (i = 0; i < 2 * VERDICT_MAX_QUESTIONS; i++) {
		verdict_fault(v, CERTAUTH_REVOCATION_UNKNOWN, p, i, "no list");
		snprintf(frame, sizeof(frame), "%d", i / 2);
		ask(frame);
	}
	assert_true(verdict_undecided(v, p));
	verdict_fault(v, CERTAUTH_REVOCATION_UNKNOWN, p, i, "no list");
	ask("one more");
	assert_false(verdict_undecided(v, p));
	ends(CERTAUTH_REJECT, CERTAUTH_REVOCATION_UNKNOWN, 0);
}

static void
test_no_memory(void **state)
{
	int	p = path();

	(void)state;
	verdict_fault(v, CERTAUTH_REVOCATION_UNKNOWN, p, 0, "no list");
	verdict_ask(v, NULL, 0);
	ends(CERTAUTH_REJECT, CERTAUTH_INTERNAL, 0);
}

/* Nothing to open: a question alone decides nothing. */
static void
test_alone(void **state)
{
	(void)state;
	(void)path();
	ask("leaf");
	ends(CERTAUTH_REJECT, CERTAUTH_INTERNAL, 0);
}

static void
test_null(void **state)
{
	const struct certauth_bytes	*q;

	(void)state;
	assert_int_equal(certauth_verdict_questions(NULL, &q), 0);
	assert_null(q);
}

#define TEST(f)	cmocka_unit_test_setup_teardown(f, fresh, gone)

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		TEST(test_one), TEST(test_other_fault), TEST(test_unasked),
		TEST(test_second_path), TEST(test_revoked_elsewhere),
		TEST(test_clean_path_wins), TEST(test_no_path),
		TEST(test_no_path_and_more), TEST(test_many),
		TEST(test_no_memory), TEST(test_alone), TEST(test_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
