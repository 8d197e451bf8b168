/*
 * directory.c - when is the directory asked, and may what came replace what was?
 *
 * A full search now and then, since what is deleted leaves no timestamp; between
 * them what has changed. A directory that is dead, or has suddenly lost a fifth of
 * its people, changes nothing: the last good table stays, and the log says so.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <poll.h>
#include <unistd.h>

#include "directory.h"
#include "log.h"
#include "notify.h"
#include "schedule.h"

enum { DIRECTORY_FINE = 0, DIRECTORY_FAILING = 1, DIRECTORY_USAGE = 2 };

struct state {
	struct directory	d;
	struct people		people;
	int64_t			full_at, next_at;	/* ticks, ms */
	bool			complete;	/* people are of a full search */
	int			signals;	/* -1: they end us by themselves */
};

static void
say_error(const struct certauth_error *error)
{
	say(LEVEL_ERROR, "%s: %s; the last good table stays", error->file,
	    error->text);
}

static char *
join(const struct people *p, size_t *len_r)
{
	size_t	 i, len = 0, at = 0, n;
	char	*text;

	for (i = 0; i < p->num_items; i++)
		len += strlen(p->items[i].lines);
	text = malloc(len + 1);
	for (i = 0; text != NULL && i < p->num_items; i++) {
		n = strlen(p->items[i].lines);
		memcpy(text + at, p->items[i].lines, n);
		at += n;
	}
	*len_r = len;
	return text;
}

/* More than a fifth gone: somebody's mistake more likely than a layoff. */
static bool
put_in_place(const struct state *s, bool accept)
{
	struct certauth_table_report	 old, new;
	struct certauth_error		 error = { .line = 0 };
	struct certauth_bytes		 bytes;
	size_t				 len;
	char				*text = join(&s->people, &len);
	size_t				 least = 0;
	bool				 ok;

	if (text == NULL) {
		say(LEVEL_ERROR, "out of memory");
		return false;
	}
	if (!accept && access(s->d.table, F_OK) == 0) {
		if (!certauth_table_check(s->d.table, &old, &error)) {
			say(LEVEL_WARNING, "%s: %s; it is made anew",
			    s->d.table, error.text);
		} else
			least = old.rows - old.rows / 5;
	}
	bytes.data = (const unsigned char *)text;
	bytes.data_len = len;
	ok = certauth_table_make(&bytes, s->d.url, least, s->d.table, &new,
	    &error);
	free(text);
	if (!ok) {
		if (error.line > 0)
			say(LEVEL_ERROR, "%s: line %u of what was found: %s; the "
			    "last good table stays", error.file, error.line,
			    error.text);
		else
			say_error(&error);
		return false;
	}
	say(LEVEL_INFO, "%s: %zu entries, %zu lines in %s%s", s->d.url,
	    s->people.num_items, new.rows, s->d.table,
	    s->people.skipped > 0 ? "; some values were left out" : "");
	return true;
}

static bool
stop_asked(int signals, int64_t ms)
{
	struct pollfd	fd = { signals, POLLIN, 0 };

	return poll(&fd, 1, (int)ms) != 0;
}

static bool
stop_now(void *context)
{
	const struct state	*s = context;

	/* (poll passes over a descriptor of -1) */
	return stop_asked(s->signals, 0);
}

static bool
work(struct state *s, bool accept)
{
	struct certauth_error	error = { .line = 0 };
	int64_t			now = schedule_ticks();
	bool			full = !s->complete || now >= s->full_at ||
				    s->people.newest[0] == '\0';

	if (!directory_search(&s->d, full ? NULL : s->people.newest, stop_now,
	    s, &s->people, &error)) {
		if (!stop_now(s))
			say_error(&error);
		return false;
	}
	if (full) {
		s->complete = true;
		s->full_at = now + (int64_t)s->d.full * 1000;
	}
	return put_in_place(s, accept);
}

int
directory_run(const char *file, bool once, bool accept)
{
	struct certauth_error	error = { .line = 0 };
	struct state		s = { .signals = -1 };
	sigset_t		set;
	int			status = DIRECTORY_USAGE;

	(void)umask(027);
	/* a directory that hangs up */
	(void)signal(SIGPIPE, SIG_IGN);
	if (!directory_read(&s.d, file, &error)) {
		if (error.line > 0)
			say(LEVEL_ERROR, "%s:%u: %s", error.file, error.line,
			    error.text);
		else
			say(LEVEL_ERROR, "%s: %s", error.file, error.text);
		goto out;
	}
	if (once) {
		status = work(&s, accept) ? DIRECTORY_FINE : DIRECTORY_FAILING;
		goto out;
	}
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 ||
	    (s.signals = signalfd(-1, &set, SFD_CLOEXEC)) < 0)
		goto out;
	notify_ready();
	do {
		(void)work(&s, accept);
		accept = false;
	} while (!stop_asked(s.signals, (int64_t)s.d.refresh * 1000));
	notify_stopping();
	(void)close(s.signals);
	status = DIRECTORY_FINE;
out:
	people_clear(&s.people);
	directory_free(&s.d);
	return status;
}
