/*
 * schedule.c - what is due when?
 *
 * Pure functions of the time they are given; the refresher's only look at the
 * clock is here too.
 */

#include <stdlib.h>
#include <time.h>

#include <sys/random.h>

#include "schedule.h"

/* Nobody is asked more often, unless `refresh` says so. */
#define SCHEDULE_FLOOR		30
/* A list has ended and its issuer has no new one: look often. */
#define SCHEDULE_STALE		300
/* First pause after a failure, doubled each time, up to the ceiling. */
#define SCHEDULE_RETRY		30
#define SCHEDULE_MAX_RETRY	3600
#define SCHEDULE_MAX_DOUBLINGS	12
/* Alerts while the grace runs out: the last comes at 1/1024 of it. */
#define SCHEDULE_MAX_ALERTS	11

int64_t
schedule_now(void)
{
	return (int64_t)time(NULL);
}

int64_t
schedule_ticks(void)
{
	struct timespec	ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

uint32_t
schedule_random(void)
{
	uint32_t	random = 0;

	/* Without it everything happens on time, which is no harm. */
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) !=
	    (ssize_t)sizeof(random))
		random = 0;
	return random;
}

bool
schedule_nonce(unsigned char *bytes, size_t len)
{
	return getrandom(bytes, len, 0) == (ssize_t)len;
}

/* Up to a tenth shorter: never later than was asked for. */
static int64_t
spread(int64_t interval, uint32_t random)
{
	int64_t	tenth = interval / 10;

	return tenth > 0 ? interval - (int64_t)(random % (uint64_t)(tenth + 1)) :
	    interval;
}

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t
schedule_after_success(int64_t now, int64_t this_update, int64_t next_update,
    int64_t refresh, uint32_t random)
{
	int64_t	interval = refresh, floor = least(SCHEDULE_FLOOR, refresh);

	if (next_update > this_update) {
		interval = least(interval, (next_update - this_update) / 2);
		interval = next_update > now ?
		    least(interval, (next_update - now) / 2) :
		    least(interval, SCHEDULE_STALE);
	}
	if (interval < floor)
		interval = floor;
	return now + spread(interval, random);
}

int64_t
schedule_after_failure(int64_t now, unsigned failures, int64_t refresh,
    uint32_t random)
{
	int64_t		pause = least(SCHEDULE_RETRY, refresh);
	unsigned	i;

	for (i = 1; i < failures && i < SCHEDULE_MAX_DOUBLINGS; i++)
		pause *= 2;
	pause = least(pause, least(refresh, SCHEDULE_MAX_RETRY));
	return now + spread(pause, random);
}

unsigned
schedule_alerts(int64_t now, int64_t next_update, int64_t grace)
{
	int64_t		left, half = grace;
	unsigned	n;

	if (next_update == 0 || now < next_update)
		return 0;
	left = next_update + grace - now;
	for (n = 1; n < SCHEDULE_MAX_ALERTS; n++) {
		half /= 2;
		if (left > half)
			break;
	}
	return n;
}
