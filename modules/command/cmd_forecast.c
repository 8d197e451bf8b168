/*
 * cmd_forecast.c - who will be refused, when, and why?
 *
 * Reads a folder of certificates, or a log of decisions in JSON, one a line. What
 * is in a log says when certificates end; of another profile it tells some refusals
 * and never that somebody may enter.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certificates.h"
#include "command.h"
#include "json.h"
#include "log_lines.h"
#include "terminal.h"

#define DAY		86400
/* Without --until: people who renew have 90 days. */
#define DEFAULT_DAYS	90
#define MAX_FILES	1000000
/* Told on stderr; all are counted. */
#define MAX_COMPLAINTS	20
/* Policies of a line. */
#define MAX_POLICIES	64

struct forecast {
	struct certauth			*engine;
	const struct certauth_profile	*profile;
	const char			*service;
	json_t				*rows;
	const char			*file;	/* that is looked at */
	int64_t				 now, until;
	size_t				 read, unreadable;
	/* another profile's word, and the log does not say what ours would be */
	size_t				 others;
};

static void
add_row(struct forecast *f, int64_t when, const char *reason,
    const char *message, const char *user, const char *subject,
    const char *issuer, const char *serial, const char *email)
{
	char	time[32];

	add_json(f->rows, json_pack(
	    "{s:s,s:I,s:s,s:s,s:s,s:s,s:s,s:s,s:o,s:s}", "when",
	    certauth_time_print(time, sizeof(time), when), "days",
	    (json_int_t)((when - f->now) / DAY), "reason", reason, "user", user,
	    "email", email, "subject", subject, "issuer", issuer, "serial",
	    serial, "file", name_json(f->file), "message", message));
}

static void
tell(void *context, int64_t when, const struct certauth_verdict *now,
    const struct certauth_verdict *then)
{
	struct forecast	*f = context;
	int64_t		 end;

	if (then != NULL)
		add_row(f, when, certauth_reason_slug(
		    certauth_verdict_reason(then)),
		    certauth_verdict_get(then, "message"),
		    certauth_verdict_user(now), certauth_verdict_get(now,
		    "subject"), certauth_verdict_get(now, "issuer"),
		    certauth_verdict_get(now, "serial"),
		    certauth_verdict_get(now, "email"));
	else if (certauth_time_parse(certauth_verdict_get(now, "not_after"),
	    &end) && end <= f->until)
		add_row(f, end, "purpose", "It is for servers and for clients; "
		    "public CAs end such certificates in 2026 and 2027, so a "
		    "renewed one will probably lack clientAuth.",
		    certauth_verdict_user(now), certauth_verdict_get(now,
		    "subject"), certauth_verdict_get(now, "issuer"),
		    certauth_verdict_get(now, "serial"),
		    certauth_verdict_get(now, "email"));
}

/* Whoever is in it will not be in the answer: told, and exit 1. */
static void
unreadable(struct forecast *f, const char *why)
{
	if (f->unreadable++ < MAX_COMPLAINTS)
		(void)complain("%s: %s", f->file, why);
}

static void
take_certificate(void *context, const char *file, X509 *leaf,
    STACK_OF(X509) *sent, const char *why)
{
	struct forecast		*f = context;
	struct certauth_request	 ask = { .profile = f->profile, .now = f->now,
				    .service = f->service, .leaf = leaf,
				    .sent = sent };

	f->file = file;
	if (leaf != NULL && certauth_forecast(f->engine, &ask, f->until, tell, f))
		f->read++;
	else
		unreadable(f, leaf == NULL ? why : "cannot be judged");
}

/* The last line of a certificate counts. */
struct log_of { struct forecast *f; json_t *last; };

static void
take_decision(void *context, const json_t *row, const char *why)
{
	const struct log_of	*log = context;
	struct forecast		*f = log->f;
	char			 key[4096];
	int64_t			 end;
	int			 len;

	len = snprintf(key, sizeof(key), "%s %s", text_of(row, "serial"),
	    text_of(row, "issuer"));
	if (row == NULL)
		unreadable(f, why);
	else if (strcmp(text_of(row, "reason"), "no-certificate") == 0 ||
	    (strcmp(text_of(row, "result"), "accept") != 0 &&
	    strcmp(text_of(row, "result"), "reject") != 0))
		return;		/* nobody's, or nobody was asked */
	else if (text_of(row, "reason")[0] == '\0')
		unreadable(f, "a line without a reason");
	else if (text_of(row, "serial")[0] == '\0')
		unreadable(f, "a line without a serial number");
	else if (strcmp(text_of(row, "result"), "accept") == 0 &&
	    !certauth_time_parse(text_of(row, "notAfter"), &end))
		unreadable(f, "a certificate was accepted, and the line does not "
		    "say until when it is valid (notAfter)");
	else if (len < 0 || (size_t)len >= sizeof(key) ||
	    json_object_size(log->last) >= MAX_FILES ||
	    json_object_set(log->last, key, (json_t *)(uintptr_t)row) != 0)
		unreadable(f, "a line that is too long, or one too many");
	else
		f->read++;
}

/* What our profile refuses of somebody whom another one accepted, by what the line
 * says. False: it does not say enough. */
static bool
refused_by_log(struct forecast *f, const json_t *row)
{
	const json_t		*list = json_object_get(row, "policies"), *oid;
	const char		*policies[MAX_POLICIES];
	struct certauth_logged	 logged = { .lifetime = -1 };
	enum certauth_reason	 reason;
	char			 why[200];
	int64_t			 from, until;
	size_t			 i;

	if (strcmp(text_of(row, "result"), "accept") != 0)
		return false;
	logged.profile = text_of(row, "profile");
	logged.issuer = text_of(row, "issuer");
	logged.key = text_of(row, "key");
	if (certauth_time_parse(text_of(row, "notBefore"), &from) &&
	    certauth_time_parse(text_of(row, "notAfter"), &until))
		logged.lifetime = until - from;
	if (json_is_array(list) && json_array_size(list) <= MAX_POLICIES) {
		logged.policies = policies;
		json_array_foreach(list, i, oid)
			policies[logged.num_policies++] =
			    json_is_string(oid) ? json_string_value(oid) : "";
	}
	reason = certauth_forecast_logged(f->engine, f->profile, &logged, why,
	    sizeof(why));
	if (reason == CERTAUTH_OK)
		return false;
	add_row(f, f->now, certauth_reason_slug(reason), why, text_of(row, "user"),
	    text_of(row, "subject"), text_of(row, "issuer"),
	    text_of(row, "serial"), text_of(row, "email"));
	return true;
}

static void
judge_decision(struct forecast *f, const json_t *row)
{
	const char	*profile = text_of(row, "profile");
	int64_t		 end;

	if (profile[0] != '\0' && strcmp(profile,
	    certauth_profile_name(f->profile)) != 0) {
		if (refused_by_log(f, row))
			return;
		if (f->others++ == 0)
			(void)complain("%s: was judged by profile %s: what %s "
			    "would say the log does not tell of everybody; give "
			    "the certificates, or let the server judge by both "
			    "(certauth_report, CertAuthReport)", f->file, profile,
			    certauth_profile_name(f->profile));
	}
	if (strcmp(text_of(row, "result"), "accept") != 0)
		add_row(f, f->now, text_of(row, "reason"), text_of(row, "message"),
		    text_of(row, "user"), text_of(row, "subject"),
		    text_of(row, "issuer"), text_of(row, "serial"),
		    text_of(row, "email"));
	else if (certauth_time_parse(text_of(row, "notAfter"),
	    &end) && end < f->until)
		add_row(f, end < f->now ? f->now : end + 1, "expired",
		    "The certificate ends.", text_of(row, "user"),
		    text_of(row, "subject"), text_of(row, "issuer"),
		    text_of(row, "serial"), text_of(row, "email"));
}

static bool
read_log(struct forecast *f, const char *path)
{
	json_t		*last = json_object(), *row;
	struct log_of	 log = { f, last };
	const char	*key;
	bool		 ok;

	f->file = path;
	ok = log_lines_read(path, take_decision, &log);
	json_object_foreach(last, key, row)
		judge_decision(f, row);
	json_decref(last);
	return ok;
}

static bool
read_one(struct forecast *f, const char *path)
{
	return log_lines_looks_like(path) ? read_log(f, path) :
	    certificates_read(path, take_certificate, f);
}

/* Lists that end before `until`; usually a newer one comes long before. */
static json_t *
lists(const struct forecast *f)
{
	struct certauth_revocation_row	 row;
	json_t				*out = json_array();
	char				 next[32];
	size_t				 i;

	for (i = 0; certauth_revocation_at(f->engine, i, &row); i++)
		if (row.next_update != 0 && row.next_update < f->until)
			add_json(out, json_pack("{s:s,s:s,s:s,s:b}",
			    "issuer", row.issuer, "source", row.source,
			    "nextUpdate", certauth_time_print(next,
			    sizeof(next), row.next_update), "stale",
			    row.next_update < f->now));
	return out;
}

static int
compare_rows(const void *a, const void *b)
{
	return strcmp(text_of(*(json_t *const *)a, "when"),
	    text_of(*(json_t *const *)b, "when"));
}

static json_t *
sorted(const json_t *rows)
{
	size_t	 i, n = json_array_size(rows);
	json_t	**list = calloc(n + 1, sizeof(*list)), *out = json_array();

	for (i = 0; list != NULL && i < n; i++)
		list[i] = json_array_get(rows, i);
	if (list != NULL)
		qsort(list, n, sizeof(*list), compare_rows);
	/* NULL, and so lost and said, when memory is out */
	for (i = 0; i < n; i++)
		add_json(out, list != NULL ? json_incref(list[i]) : NULL);
	free(list);
	return out;
}

static void
print(const struct forecast *f, const json_t *rows, const json_t *crls)
{
	const json_t	*row;
	size_t		 i;
	bool		 stale;

	json_array_foreach(rows, i, row) {
		(void)printf("%s  ", text_of(row, "when"));
		/* Now, or later. */
		print_toned(json_integer_value(json_object_get(row, "days")) > 0 ?
		    TONE_WARN : TONE_BAD, "%-18s", text_of(row, "reason"));
		(void)printf(" %-20s %s (serial %s, issued by %s)\n"
		    "    %s\n", text_of(row, "user")[0] != '\0' ? text_of(row, "user") :
		    text_of(row, "email"), text_of(row, "subject"),
		    text_of(row, "serial"), text_of(row, "issuer"),
		    text_of(row, "message"));
	}
	json_array_foreach(crls, i, row) {
		stale = json_is_true(json_object_get(row, "stale"));
		(void)printf("%s  CRL ", text_of(row, "nextUpdate"));
		print_toned(stale ? TONE_BAD : TONE_NONE, stale ? "is stale" :
		    "ends");
		(void)printf(" of %s%s\n", text_of(row, "issuer"), stale ?
		    ": those it covers are refused when the grace is over" : "");
	}
	(void)printf("%zu read, %zu unreadable; %zu refused or to be refused\n",
	    f->read, f->unreadable, json_array_size(rows));
	if (f->others > 0)
		(void)printf("%zu not known: judged by another profile\n",
		    f->others);
}

int
cmd_forecast(struct args *args)
{
	struct forecast	 f = { .engine = NULL };
	json_t		*rows, *crls;
	size_t		 i;
	int		 status = EXIT_USAGE;

	if (args->rest.num_items == 0)
		return complain("expected forecast FOLDER | LOG.json | CERT ...");
	f.engine = open_profile(args, &f.profile);
	if (f.engine == NULL)
		return EXIT_USAGE;
	f.service = args->service;
	f.now = args->now != 0 ? args->now : certauth_now(f.engine);
	f.until = f.now + (int64_t)DEFAULT_DAYS * DAY;
	f.rows = json_array();
	if (args->until != NULL && !certauth_time_parse(args->until, &f.until)) {
		complain("--until: \"%s\" is no time", args->until);
		goto out;
	}
	progress_begin("forecast");
	for (i = 0; i < args->rest.num_items; i++)
		if (!read_one(&f, args->rest.items[i]))
			goto out;
	progress_end();
	rows = sorted(f.rows);
	crls = lists(&f);
	status = json_array_size(rows) > 0 || f.unreadable > 0 || f.others > 0 ?
	    EXIT_REJECTED : EXIT_FINE;
	if (args->json) {
		status = print_json(json_pack("{s:s,s:I,s:I,s:I,s:O,s:O}", "profile",
		    certauth_profile_name(f.profile), "read",
		    (json_int_t)f.read, "unreadable", (json_int_t)f.unreadable,
		    "otherProfile", (json_int_t)f.others, "rows", rows, "crls", crls), status);
	} else {
		print(&f, rows, crls);
		if (json_lost())
			status = EXIT_USAGE;
	}
	json_decref(rows);
	json_decref(crls);
out:
	json_decref(f.rows);
	certauth_free(f.engine);
	return status;
}
