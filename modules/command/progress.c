/*
 * progress.c - is it still at work, and how far?
 *
 * One line on stderr, drawn by a thread of its own, so that it lives while the core is
 * inside of one large file, and gone before anything else is said there.
 */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sys/stat.h>
#include <unistd.h>

#include "terminal.h"

/* Work that is done by then had no line. */
#define FIRST_MS	500
#define EACH_MS		250
#define MAX_NAME	200

static struct {
	pthread_mutex_t	 lock;
	pthread_cond_t	 wake;
	pthread_t	 thread;
	bool		 runs, ended, drawn, at_once;
	const char	*what;
	char		 share[64], name[4 * MAX_NAME + 1];
	struct timespec	 since;
} now = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ------------------------------------------------------ with the lock held */

static void
erase(void)
{
	if (now.drawn)
		(void)fputs("\r\033[K", stderr);
	now.drawn = false;
}

/* The cursor goes back to the front: what another process says there, or a prompt
 * after ^C, begins a line. */
static void
draw(void)
{
	struct timespec	t;
	char		line[sizeof(now.share) + sizeof(now.name) + 64];
	size_t		used, len, width = terminal_width(STDERR_FILENO);
	long		seconds;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	seconds = (long)(t.tv_sec - now.since.tv_sec);
	(void)snprintf(line, sizeof(line), "%s: %s%s%s%ld s", now.what, now.share,
	    now.name, now.name[0] != '\0' ? ", " : "", seconds);
	len = terminal_fit(line, width > 1 ? width - 1 : 1, &used);
	(void)fprintf(stderr, "\r\033[K%.*s\r", (int)len, line);
	(void)fflush(stderr);
	now.drawn = true;
}

/* ------------------------------------------------------------------ thread */

static void
add_ms(struct timespec *t, long ms)
{
	t->tv_nsec += ms * 1000000;
	t->tv_sec += t->tv_nsec / 1000000000;
	t->tv_nsec %= 1000000000;
}

static void *
run(void *unused)
{
	struct timespec	next = now.since;

	(void)unused;
	add_ms(&next, FIRST_MS);
	(void)pthread_mutex_lock(&now.lock);
	while (!now.ended) {
		if (pthread_cond_timedwait(&now.wake, &now.lock, &next) == 0 ||
		    now.ended)
			continue;
		draw();
		(void)clock_gettime(CLOCK_MONOTONIC, &next);
		add_ms(&next, EACH_MS);
	}
	(void)pthread_mutex_unlock(&now.lock);
	return NULL;
}

/* Somebody who can see it, and whose stdout is no other program's input. */
static bool
is_watched(void)
{
	struct stat	st;

	return isatty(STDERR_FILENO) == 1 && terminal_moves() &&
	    fstat(STDOUT_FILENO, &st) == 0 && !S_ISFIFO(st.st_mode) &&
	    !S_ISSOCK(st.st_mode);
}

/* ------------------------------------------------------------------ public */

void
progress_begin(const char *what)
{
	pthread_condattr_t	attr;

	if (now.runs || !is_watched())
		return;
	now.what = what;
	now.share[0] = now.name[0] = '\0';
	now.ended = false;
	(void)clock_gettime(CLOCK_MONOTONIC, &now.since);
#ifdef CERTAUTH_TEST
	/* Tests wait for no clock: each step has its line. */
	now.at_once = getenv("CERTAUTH_PROGRESS_AT_ONCE") != NULL;
#endif
	if (pthread_condattr_init(&attr) != 0)
		return;
	now.runs = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
	    pthread_cond_init(&now.wake, &attr) == 0 &&
	    pthread_create(&now.thread, NULL, run, NULL) == 0;
	(void)pthread_condattr_destroy(&attr);
}

static void
tell(const char *share, const char *name)
{
	const char	*slash = strrchr(name, '/');
	char		 cut[MAX_NAME + 1];

	(void)snprintf(cut, sizeof(cut), "%s", slash != NULL && slash[1] != '\0' ?
	    slash + 1 : name);
	(void)pthread_mutex_lock(&now.lock);
	(void)snprintf(now.share, sizeof(now.share), "%s", share);
	(void)certauth_printable(now.name, sizeof(now.name), cut);
	if (now.at_once)
		draw();
	(void)pthread_mutex_unlock(&now.lock);
}

void
progress_at(size_t done, size_t total, const char *name)
{
	char	share[64] = "";

	if (!now.runs)
		return;
	if (total > 0)
		(void)snprintf(share, sizeof(share), "%zu of %zu, ", done, total);
	tell(share, name);
}

void
progress_bytes(size_t done, size_t total, const char *name)
{
	char	share[64] = "";

	if (!now.runs)
		return;
	if (total > 0 && done <= total)
		(void)snprintf(share, sizeof(share), "%d%% of ",
		    (int)((double)done * 100 / (double)total));
	tell(share, name);
}

static void
core_at(void *unused, size_t done, size_t total, const char *name)
{
	(void)unused;
	progress_at(done, total, name);
}

const struct certauth_progress	progress_core = { core_at, NULL };

void
progress_end(void)
{
	if (!now.runs)
		return;
	(void)pthread_mutex_lock(&now.lock);
	now.ended = true;
	erase();
	(void)fflush(stderr);
	(void)pthread_cond_signal(&now.wake);
	(void)pthread_mutex_unlock(&now.lock);
	(void)pthread_join(now.thread, NULL);
	(void)pthread_cond_destroy(&now.wake);
	now.runs = false;
}

void
progress_hold(void)
{
	(void)pthread_mutex_lock(&now.lock);
	erase();
}

void
progress_release(void)
{
	(void)pthread_mutex_unlock(&now.lock);
}
