/* test_renewal.c - when is a certificate due, overdue, neither? */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "trust/renewal.h"

#define DAY	((int64_t)86400)
#define TEST(name)	cmocka_unit_test(name)

static const char *
word(int64_t begin, int64_t end, int64_t before, int64_t after, int64_t now)
{
	struct policy_options	o = { .renew_before = before,
				    .renew_after = after };
	struct cert		c = { .not_before = begin, .not_after = end };

	return renewal_word(renewal_state(&o, &c, now));
}

static void
test_window(void **state)
{
	int64_t	end = 730 * DAY;

	(void)state;
	assert_string_equal(word(0, end, 90 * DAY, 7 * DAY, -1), "");
	assert_string_equal(word(0, end, 90 * DAY, 7 * DAY, end - 90 * DAY - 1), "");
	assert_string_equal(word(0, end, 90 * DAY, 7 * DAY, end - 90 * DAY), "due");
	assert_string_equal(word(0, end, 90 * DAY, 7 * DAY, end), "due");
	assert_string_equal(word(0, end, 90 * DAY, 7 * DAY, end + 1), "overdue");
	assert_string_equal(word(0, end, 90 * DAY, 7 * DAY, end + 7 * DAY), "overdue");
	assert_string_equal(word(0, end, 90 * DAY, 7 * DAY, end + 7 * DAY + 1), "");
}

/* A device's certificate of a week is not due all its life. */
static void
test_short_life(void **state)
{
	(void)state;
	assert_string_equal(word(0, 9 * DAY, 90 * DAY, 0, 6 * DAY - 1), "");
	assert_string_equal(word(0, 9 * DAY, 90 * DAY, 0, 6 * DAY), "due");
	assert_string_equal(word(0, 9 * DAY, 90 * DAY, 0, 9 * DAY + 1), "");
}

static void
test_off_and_odd(void **state)
{
	(void)state;
	assert_string_equal(word(0, 100 * DAY, 0, 0, 100 * DAY), "");
	assert_string_equal(word(0, 100 * DAY, 0, 0, 100 * DAY + 1), "");
	/* dates the wrong way round are never due */
	assert_string_equal(word(10 * DAY, 0, 90 * DAY, 0, 5 * DAY), "");
	assert_string_equal(word(10 * DAY, 0, 90 * DAY, 0, 11 * DAY), "");
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		TEST(test_window), TEST(test_short_life), TEST(test_off_and_odd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
