/*
 * metrics.c - how old is everything, in the words of Prometheus?
 *
 * A text file for the node exporter's textfile collector, written beside and
 * renamed. Labels are printable ASCII and quoted.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "log.h"
#include "refresher.h"

/* Exposition format: backslash, quote and line feed are escaped in a label. */
static void
add_label(FILE *out, const char *name, const char *value, const char *end)
{
	(void)fprintf(out, "%s=\"", name);
	for (; *value != '\0'; value++) {
		if (*value == '"' || *value == '\\')
			(void)fputc('\\', out);
		(void)fputc(*value == '\n' ? ' ' : *value, out);
	}
	(void)fprintf(out, "\"%s", end);
}

static void
add_rows(FILE *out, const struct refresher *r, const char *name,
    const char *help, int64_t (*value)(const struct source *, int64_t),
    int64_t now)
{
	const struct source	*s;
	size_t			 i;

	(void)fprintf(out, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
	for (i = 0; i < r->store.num_sources; i++) {
		s = r->store.sources[i];
		if (!s->listed)
			continue;
		(void)fprintf(out, "%s{", name);
		add_label(out, "authority", s->authority, ",");
		add_label(out, "issuer", s->issuer, ",");
		add_label(out, "url", s->url, "");
		(void)fprintf(out, "} %" PRId64 "\n", value(s, now));
	}
}

static int64_t
age(const struct source *s, int64_t now)
{
	return s->this_update == 0 ? -1 : now - s->this_update;
}

static int64_t
next_update(const struct source *s, int64_t now)
{
	(void)now;
	return s->next_update;
}

static int64_t
entries(const struct source *s, int64_t now)
{
	(void)now;
	return (int64_t)s->entries;
}

static int64_t
failures(const struct source *s, int64_t now)
{
	(void)now;
	return s->failures;
}

static int64_t
succeeded(const struct source *s, int64_t now)
{
	(void)now;
	return s->succeeded;
}

/* One number without labels. */
static void
add_number(FILE *out, const char *name, const char *type, const char *help,
    uint64_t value)
{
	(void)fprintf(out, "# HELP %s %s\n# TYPE %s %s\n%s %" PRIu64 "\n",
	    name, help, name, type, name, value);
}

static void
add_lists(FILE *out, const struct refresher *r, int64_t now)
{
	static const struct {
		const char	*name, *help;
		int64_t		(*value)(const struct source *, int64_t);
	}	rows[] = {
		{ "certauth_crl_age_seconds",
		    "Time since thisUpdate of the last good list; -1: none.", age },
		{ "certauth_crl_next_update_seconds",
		    "nextUpdate of the last good list; 0: none.", next_update },
		{ "certauth_crl_entries",
		    "Serial numbers on the last good list.", entries },
		{ "certauth_crl_failures", "Failures in a row.", failures },
		{ "certauth_crl_last_success_seconds",
		    "When the address last gave a good answer.", succeeded },
	};
	size_t	i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		add_rows(out, r, rows[i].name, rows[i].help, rows[i].value, now);
}

static void
add_all(FILE *out, const struct refresher *r, int64_t now)
{
	const struct {
		const char	*name, *help;
		uint64_t	 value;
	}	counters[] = {
		{ "certauth_fetches_total", "Lists asked for.", r->fetches },
		{ "certauth_fetch_errors_total",
		    "Of these, transfers that failed.", r->fetch_errors },
		{ "certauth_fetch_bytes_total",
		    "Bytes of bodies received.", r->bytes },
		{ "certauth_refused_total",
		    "Lists that came and were refused.", r->refused },
		{ "certauth_published_total",
		    "Indexes published.", r->published },
		{ "certauth_questions_total",
		    "Questions of servers.", r->questions },
		{ "certauth_answers_total",
		    "Of these, answered with data.", r->answered },
		{ "certauth_questions_cached_total",
		    "Of these, answered without asking a CA.", r->cached },
		{ "certauth_ocsp_fetches_total",
		    "Questions to OCSP responders.", r->ocsp_fetches },
	};
	size_t	i;

	add_lists(out, r, now);
	for (i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		add_number(out, counters[i].name, "counter", counters[i].help,
		    counters[i].value);
	add_number(out, "certauth_publish_fault", "gauge",
	    "1: a list was left out of what was published last.",
	    r->publish_fault[0] != '\0' || r->publish_error[0] != '\0');
	add_number(out, "certauth_refresher_time_seconds", "gauge",
	    "When this was written.", now > 0 ? (uint64_t)now : 0);
}

void
metrics_write(const struct refresher *r, int64_t now)
{
	char	*part = NULL;
	FILE	*out = NULL;
	int	 fd = -1;
	bool	 ok = false;

	if (r->metrics == NULL)
		return;
	if (asprintf(&part, "%s.part", r->metrics) < 0)
		return;
	(void)unlink(part);
	fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    0644);
	out = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (out != NULL) {
		add_all(out, r, now);
		ok = fchmod(fd, 0644) == 0 && fflush(out) == 0 &&
		    ferror(out) == 0;
		ok = fclose(out) == 0 && ok;
	} else if (fd >= 0) {
		(void)close(fd);
	}
	if (!ok || rename(part, r->metrics) != 0) {
		say(LEVEL_WARNING, "%s cannot be written: %s", r->metrics,
		    strerror(errno));
		(void)unlink(part);
	}
	free(part);
}
