/*
 * notify.c - tells systemd that we are ready, alive and what we do.
 *
 * Built without libsystemd each function does nothing; with it, likewise when
 * nobody listens.
 */

#include <stdio.h>
#include <time.h>

#ifdef HAVE_LIBSYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "notify.h"

static void
tell(const char *text)
{
#ifdef HAVE_LIBSYSTEMD
	(void)sd_notify(0, text);
#else
	(void)text;
#endif
}

void
notify_ready(void)
{
	tell("READY=1");
}

void
notify_reloading(void)
{
	struct timespec	now;
	char		line[64];

	/* The time says which RELOADING belongs to which SIGHUP, sd_notify(3). */
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)snprintf(line, sizeof(line), "RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	tell(line);
}

void
notify_stopping(void)
{
	tell("STOPPING=1");
}

void
notify_status(const char *text)
{
	char	line[512];

	(void)snprintf(line, sizeof(line), "STATUS=%s", text);
	tell(line);
}

int
notify_alive(int64_t ticks)
{
#ifdef HAVE_LIBSYSTEMD
	static int64_t	last;
	uint64_t	usec;
	int64_t		pause;

	if (sd_watchdog_enabled(0, &usec) <= 0)
		return -1;
	/* Twice in the time that systemd gives, as sd_watchdog_enabled(3) says. */
	pause = (int64_t)(usec / 2000);
	if (last == 0 || ticks - last >= pause / 2) {
		tell("WATCHDOG=1");
		last = ticks;
	}
	return (int)(pause / 2);
#else
	(void)ticks;
	return -1;
#endif
}
