/*
 * test_schedule.c - is everything due in time, never at once, and never too late?
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schedule.h"

#define HOUR	((int64_t)3600)
#define DAY	(24 * HOUR)
#define NOW	((int64_t)1793000000)

/* With this one nothing is taken off. */
#define NO_JITTER	0u

static void
test_success(void **state)
{
	(void)state;
	/* a week's list: each hour, as `refresh` says */
	assert_int_equal(schedule_after_success(NOW, NOW, NOW + 7 * DAY, HOUR,
	    NO_JITTER), NOW + HOUR);
	/* an hour's list: at half of its life */
	assert_int_equal(schedule_after_success(NOW, NOW, NOW + HOUR, HOUR,
	    NO_JITTER), NOW + HOUR / 2);
	/* the end comes near: half of what is left, but not under the floor */
	assert_int_equal(schedule_after_success(NOW, NOW - 7 * DAY, NOW + 600,
	    HOUR, NO_JITTER), NOW + 300);
	assert_int_equal(schedule_after_success(NOW, NOW - 7 * DAY, NOW + 10,
	    HOUR, NO_JITTER), NOW + 30);
	/* it has ended and there is no newer one */
	assert_int_equal(schedule_after_success(NOW, NOW - 7 * DAY, NOW - 10,
	    HOUR, NO_JITTER), NOW + 300);
	/* no nextUpdate, or one before thisUpdate */
	assert_int_equal(schedule_after_success(NOW, NOW, 0, HOUR, NO_JITTER),
	    NOW + HOUR);
	assert_int_equal(schedule_after_success(NOW, NOW, NOW - 1, HOUR,
	    NO_JITTER), NOW + HOUR);
	/* the administrator may want less than the floor */
	assert_int_equal(schedule_after_success(NOW, NOW, NOW + 7 * DAY, 2,
	    NO_JITTER), NOW + 2);
	/* nonsense of a CA: a list that lives for ever, or for no time */
	assert_int_equal(schedule_after_success(NOW, 0, INT64_MAX / 2, HOUR,
	    NO_JITTER), NOW + HOUR);
	assert_int_equal(schedule_after_success(NOW, NOW, NOW + 1, HOUR,
	    NO_JITTER), NOW + 30);
}

static void
test_failure(void **state)
{
	int64_t		at, last = 0;
	unsigned	n;

	(void)state;
	assert_int_equal(schedule_after_failure(NOW, 1, HOUR, NO_JITTER),
	    NOW + 30);
	assert_int_equal(schedule_after_failure(NOW, 2, HOUR, NO_JITTER),
	    NOW + 60);
	assert_int_equal(schedule_after_failure(NOW, 3, HOUR, NO_JITTER),
	    NOW + 120);
	for (n = 1; n < 2000; n++) {
		at = schedule_after_failure(NOW, n, 90 * DAY, NO_JITTER) - NOW;
		assert_true(at >= last && at > 0 && at <= HOUR);
		last = at;
	}
	assert_int_equal(last, HOUR);
	/* never later than a success would be */
	assert_int_equal(schedule_after_failure(NOW, 50, 300, NO_JITTER),
	    NOW + 300);
	assert_int_equal(schedule_after_failure(NOW, 1, 2, NO_JITTER), NOW + 2);
	assert_int_equal(schedule_after_failure(NOW, UINT32_MAX, HOUR,
	    NO_JITTER), NOW + HOUR);
}

/* Up to a tenth sooner, never later. */
static void
test_jitter(void **state)
{
	int64_t		at, least = INT64_MAX, most = 0;
	uint32_t	i;

	(void)state;
	for (i = 0; i < 100000; i++) {
		at = schedule_after_success(NOW, NOW, NOW + 7 * DAY, HOUR,
		    i * 2654435761u) - NOW;
		least = at < least ? at : least;
		most = at > most ? at : most;
	}
	assert_int_equal(least, HOUR - HOUR / 10);
	assert_int_equal(most, HOUR);
	assert_true(schedule_after_success(NOW, NOW, NOW + DAY, 1, 12345) >
	    NOW);
}

static void
test_alerts(void **state)
{
	const int64_t	end = NOW, grace = 64 * HOUR;
	unsigned	n, last = 0;
	int64_t		t;

	(void)state;
	assert_int_equal(schedule_alerts(end - 1, end, grace), 0);
	assert_int_equal(schedule_alerts(end, end, grace), 1);
	assert_int_equal(schedule_alerts(end + 31 * HOUR, end, grace), 1);
	assert_int_equal(schedule_alerts(end + 32 * HOUR, end, grace), 2);
	assert_int_equal(schedule_alerts(end + 47 * HOUR, end, grace), 2);
	assert_int_equal(schedule_alerts(end + 48 * HOUR, end, grace), 3);
	assert_int_equal(schedule_alerts(end + 56 * HOUR, end, grace), 4);
	for (t = end; t < end + 100 * HOUR; t += 60) {
		n = schedule_alerts(t, end, grace);
		assert_true(n >= last && n <= last + 1 + (t > end + grace - 600));
		last = n;
	}
	assert_true(last < 20);
	assert_int_equal(schedule_alerts(end, 0, grace), 0);
	assert_true(schedule_alerts(end, end, 0) >= 1);
}

static void
test_clock(void **state)
{
	int64_t	ticks = schedule_ticks();

	(void)state;
	assert_true(schedule_now() > 1700000000);
	assert_true(schedule_ticks() >= ticks);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_success), cmocka_unit_test(test_failure),
		cmocka_unit_test(test_jitter), cmocka_unit_test(test_alerts),
		cmocka_unit_test(test_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
