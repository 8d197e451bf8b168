/*
 * cmd_publish.c - hands in a CRL that was not fetched, and gives an emergency its
 * longer grace.
 *
 * Both write into the state folder: as root, or as its owner.
 */

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "json.h"
#include "terminal.h"

int
cmd_publish(struct args *args)
{
	struct certauth_crl_report	report;
	struct certauth_error		error = { .line = 0 };
	char				next[32];
	size_t				authority = 0;

	if (args->rest.num_items != 1)
		return complain("expected publish FILE");
	progress_begin("publish");
	if (!certauth_push(args_conf(args), args->rest.items[0], &authority,
	    &report, &error))
		return complain_fault(&error);
	progress_end();
	certauth_time_print(next, sizeof(next), report.next_update);
	if (args->json)
		return print_json(json_pack("{s:s,s:s,s:s,s:I}", "issuer",
		    report.issuer, "number", report.number, "nextUpdate",
		    report.next_update != 0 ? next : "", "entries",
		    (json_int_t)report.entries), EXIT_FINE);
	(void)printf("published: %s, number %s, %zu entries, next %s\n",
	    report.issuer, report.number[0] != '\0' ? report.number : "none",
	    report.entries, report.next_update != 0 ? next : "not given");
	return EXIT_FINE;
}

/* ----------------------------------------------------------------- override */

/* Sudo says whom it let in. */
const char *
who(void)
{
	const char		*name = getuid() == 0 ? getenv("SUDO_USER") : NULL;
	const struct passwd	*pw;

	if (name != NULL && name[0] != '\0')
		return name;
	pw = getpwuid(getuid());
	return pw != NULL ? pw->pw_name : "unknown";
}

static int
list(struct certauth *engine, bool as_json)
{
	struct certauth_override	 o;
	json_t				*rows = json_array();
	char				 until[32], written[32];
	size_t				 i;

	for (i = 0; certauth_override_at(engine, i, &o); i++) {
		certauth_time_print(until, sizeof(until), o.until);
		certauth_time_print(written, sizeof(written), o.written);
		add_json(rows, json_pack("{s:s,s:s,s:s,s:s,s:s}",
		    "authority", o.authority, "until", until, "written", written,
		    "by", o.by, "reason", o.reason));
		if (!as_json)
			(void)printf("%s: stale data counts until %s; %s, %s: "
			    "%s\n", o.authority, until, written, o.by, o.reason);
	}
	if (as_json)
		return print_json(json_pack("{s:o}", "overrides", rows),
		    EXIT_FINE);
	if (i == 0)
		(void)printf("no override is in force\n");
	json_decref(rows);
	return EXIT_FINE;
}

int
cmd_override(struct args *args)
{
	struct certauth_error	 error = { .line = 0 };
	struct certauth		*engine;
	int64_t			 until = 0;
	int			 status;

	if (args->rest.num_items > 1 || (args->rest.num_items == 1 &&
	    !args->end && (args->stale_until == NULL || args->reason == NULL)) ||
	    (args->end && (args->stale_until != NULL ||
	    args->rest.num_items != 1)))
		return complain("expected override AUTHORITY --stale-until TIME "
		    "--reason TEXT, or override AUTHORITY --end, or override");
	if (args->stale_until != NULL &&
	    !certauth_time_parse(args->stale_until, &until))
		return complain("--stale-until: \"%s\" is no time; expected for "
		    "example 2026-03-01T12:00:00Z", args->stale_until);
	engine = certauth_open(args_conf(args), &error);
	if (engine == NULL)
		return complain_error(&error);
	if (args->rest.num_items == 0)
		status = list(engine, args->json);
	else if (!certauth_override_write(engine, args->rest.items[0],
	    args->end ? 0 : until, who(),
	    args->reason != NULL ? args->reason : "", &error))
		status = complain_error(&error);
	else {
		if (!args->json)
			(void)printf(args->end ? "%s: its grace is that of the "
			    "policy again\n" : "%s: stale data counts; serials "
			    "that are listed refuse all the same\n",
			    args->rest.items[0]);
		certauth_free(engine);
		engine = certauth_open(args_conf(args), &error);
		status = engine == NULL ? complain_error(&error) :
		    args->end && !args->json ? EXIT_FINE :
		    list(engine, args->json);
	}
	certauth_free(engine);
	return status;
}
