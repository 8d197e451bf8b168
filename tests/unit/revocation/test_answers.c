/*
 * test_answers.c - the answers index: found again, merged by age, and refused
 * when one byte is wrong.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "revocation/answers.h"

#define NOW	1772366400

static struct answers_record
record(unsigned n, enum ocsp_status status, int64_t this_update,
    int64_t keep_until)
{
	struct answers_record	r = { .this_update = this_update,
	    .next_update = this_update + 100, .keep_until = keep_until,
	    .status = (uint8_t)status, .reason = 1, .date = 4711 };

	/* scattered, as hashes are */
	memset(r.key, (int)(n * 151u), sizeof(r.key));
	memcpy(r.key + 4, &n, sizeof(n));
	return r;
}

/* The next edition in place of the last. */
static void
next(struct answers *a, unsigned char **bytes, const struct answers_record *r,
    size_t num, int64_t now)
{
	struct certauth_error	 error;
	unsigned char		*made;
	size_t			 len = 0;

	made = answers_make(*bytes != NULL ? a : NULL, r, num, now, &len);
	assert_non_null(made);
	if (!answers_open(a, made, len, &error))
		fail_msg("%s", error.text);
	free(*bytes);
	*bytes = made;
}

static void
test_merge(void **state)
{
	struct answers_record	 r[300], key;
	struct answers		 a;
	struct ocsp_answer	 said;
	unsigned char		*bytes = NULL;
	size_t			 i;

	(void)state;
	next(&a, &bytes, NULL, 0, NOW);
	assert_int_equal(a.num_records, 0);
	key = record(7, OCSP_GOOD, 0, 0);
	assert_false(answers_find(&a, key.key, &said));

	for (i = 0; i < 300; i++)
		r[i] = record((unsigned)i, i % 3 == 0 ? OCSP_REVOKED : OCSP_GOOD,
		    NOW - 10, NOW + 10);
	next(&a, &bytes, r, 300, NOW);
	assert_int_equal(a.num_records, 300);
	for (i = 0; i < 300; i++) {
		assert_true(answers_find(&a, r[i].key, &said));
		assert_int_equal(said.status, r[i].status);
		assert_int_equal(said.this_update, NOW - 10);
		assert_int_equal(said.next_update, NOW + 90);
		assert_int_equal(said.date, 4711);
		assert_int_equal(said.reason, 1);
		assert_false(said.short_lived);
	}
	key = record(300, OCSP_GOOD, 0, 0);
	assert_false(answers_find(&a, key.key, &said));

	r[0] = record(1, OCSP_REVOKED, NOW - 5, NOW + 10);	/* newer */
	r[1] = record(2, OCSP_HOLD, NOW - 20, NOW + 10);	/* older */
	r[2] = record(8, OCSP_UNKNOWN, NOW - 5, NOW + 10);	/* taken away */
	r[3] = record(4, OCSP_REVOKED, NOW - 10, NOW + 10);	/* as old, worse */
	r[4] = record(5, OCSP_GOOD, NOW - 5, NOW);		/* over already */
	r[5] = record(7, OCSP_UNKNOWN, NOW - 20, NOW + 10);	/* older */
	next(&a, &bytes, r, 6, NOW);
	assert_int_equal(a.num_records, 298);
	assert_true(answers_find(&a, r[0].key, &said));
	assert_int_equal(said.status, OCSP_REVOKED);
	assert_true(answers_find(&a, r[1].key, &said));
	assert_int_equal(said.status, OCSP_GOOD);
	assert_false(answers_find(&a, r[2].key, &said));
	assert_true(answers_find(&a, r[3].key, &said));
	assert_int_equal(said.status, OCSP_REVOKED);
	assert_false(answers_find(&a, r[4].key, &said));
	assert_true(answers_find(&a, r[5].key, &said));
	assert_int_equal(said.status, OCSP_GOOD);
	/* All of it ends. */
	next(&a, &bytes, NULL, 0, NOW + 11);
	assert_int_equal(a.num_records, 0);
	free(bytes);
}

/* Of too many the good ones go, those in their grace first; no revocation does. */
static void
test_too_many(void **state)
{
	struct answers_record	*r = calloc(ANSWERS_MAX, sizeof(*r)), more[3];
	struct answers		 a;
	struct ocsp_answer	 said;
	unsigned char		*bytes = NULL;
	size_t			 i, len;

	(void)state;
	assert_non_null(r);
	for (i = 0; i < ANSWERS_MAX; i++) {
		r[i] = record((unsigned)i, i % 2 == 0 ? OCSP_REVOKED : OCSP_GOOD,
		    NOW - 10, NOW + 1000);
		if (i == 5)
			r[i].next_update = NOW - 1;	/* in its grace */
	}
	next(&a, &bytes, r, ANSWERS_MAX, NOW);
	assert_int_equal(a.num_records, ANSWERS_MAX);
	more[0] = record(ANSWERS_MAX, OCSP_REVOKED, NOW - 10, NOW + 1000);
	next(&a, &bytes, more, 1, NOW);
	assert_int_equal(a.num_records, ANSWERS_MAX);
	assert_false(answers_find(&a, r[5].key, &said));
	assert_true(answers_find(&a, r[7].key, &said));
	assert_true(answers_find(&a, more[0].key, &said));
	assert_int_equal(said.status, OCSP_REVOKED);
	/* none is in its grace any more: another good one goes */
	more[1] = record(ANSWERS_MAX + 1, OCSP_REVOKED, NOW - 10, NOW + 1000);
	next(&a, &bytes, more + 1, 1, NOW);
	assert_int_equal(a.num_records, ANSWERS_MAX);
	for (i = 0; i < ANSWERS_MAX; i += 2)
		assert_true(answers_find(&a, r[i].key, &said));
	/* and when all of them are revoked nothing is made, and the last one stays */
	for (i = 0; i < ANSWERS_MAX; i++)
		r[i].status = OCSP_REVOKED;
	assert_null(answers_make(&a, r, ANSWERS_MAX, NOW, &len));
	free(bytes);
	free(r);
}

/* One responder of a CA lags behind the other, or is somebody else's by now:
 * neither "good" nor "unknown", however new, takes a revocation away. A hold is
 * lifted by newer word. */
static void
test_revoked_for_ever(void **state)
{
	static const enum ocsp_status	after[] = { OCSP_GOOD, OCSP_UNKNOWN,
		OCSP_HOLD };
	struct answers_record	 r[2];
	struct answers		 a;
	struct ocsp_answer	 said;
	unsigned char		*bytes = NULL;
	size_t			 i;

	(void)state;
	for (i = 0; i < sizeof(after) / sizeof(after[0]); i++) {
		r[0] = record((unsigned)i, OCSP_REVOKED, NOW - 10, NOW + 1000);
		next(&a, &bytes, r, 1, NOW);
		r[1] = record((unsigned)i, after[i], NOW - 5, NOW + 1000);
		next(&a, &bytes, r + 1, 1, NOW);
		assert_true(answers_find(&a, r[0].key, &said));
		assert_int_equal(said.status, OCSP_REVOKED);
		/* also when both come in one batch, and when it comes late */
		r[0] = record((unsigned)i + 10, after[i], NOW - 5, NOW + 1000);
		r[1] = record((unsigned)i + 10, OCSP_REVOKED, NOW - 10,
		    NOW + 1000);
		next(&a, &bytes, r, 2, NOW);
		assert_true(answers_find(&a, r[0].key, &said));
		assert_int_equal(said.status, OCSP_REVOKED);
	}
	r[0] = record(20, OCSP_HOLD, NOW - 10, NOW + 1000);
	r[1] = record(20, OCSP_GOOD, NOW - 5, NOW + 1000);
	next(&a, &bytes, r, 2, NOW);
	assert_true(answers_find(&a, r[0].key, &said));
	assert_int_equal(said.status, OCSP_GOOD);
	free(bytes);
}

/* Every bit of it counts, and its length. */
static void
test_damaged(void **state)
{
	struct answers_record	 r[2] = { record(1, OCSP_GOOD, NOW, NOW + 1),
				    record(2, OCSP_REVOKED, NOW, NOW + 1) };
	struct certauth_error	 error;
	struct answers		 a;
	unsigned char		*bytes, *copy;
	size_t			 len, i;

	(void)state;
	bytes = answers_make(NULL, r, 2, NOW, &len);
	assert_non_null(bytes);
	for (i = 0; i < len; i++) {
		/* the header's spare bytes may mean something one day */
		if (i >= offsetof(struct answers_header, reserved) &&
		    i < sizeof(struct answers_header))
			continue;
		bytes[i] ^= 0x20;
		assert_false(answers_open(&a, bytes, len, &error));
		assert_null(a.records);
		bytes[i] ^= 0x20;
	}
	assert_true(answers_open(&a, bytes, len, &error));
	for (i = 0; i < len; i++) {
		copy = malloc(i + 1);
		assert_non_null(copy);
		memcpy(copy, bytes, i);
		assert_false(answers_open(&a, copy, i, &error));
		free(copy);
	}
	copy = calloc(1, len + 64);
	assert_non_null(copy);
	memcpy(copy, bytes, len);
	assert_false(answers_open(&a, copy, len + 64, &error));
	free(copy);
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_revoked_for_ever),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
