/*
 * waiting.c - how long is left until a deadline, and is a descriptor ready before it?
 */

#include <errno.h>
#include <poll.h>
#include <time.h>

#include "command.h"

int64_t
monotonic_ms(void)
{
	struct timespec	ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

bool
wait_until(int fd, short events, int64_t until)
{
	struct pollfd	p = { .fd = fd, .events = events };
	int64_t		left;
	int		n;

	do {
		left = until - monotonic_ms();
		n = left > 0 ? poll(&p, 1, (int)left) : 0;
	} while (n < 0 && errno == EINTR);
	return n > 0;
}
