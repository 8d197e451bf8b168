/*
 * cmd_show.c - what does the index say of one certificate, and whom does the policy
 * trust?
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json.h"
#include "terminal.h"

/* RFC 5280 5.3.1; 7 is not used. */
static const char *const	reasons[] = { "unspecified", "keyCompromise",
	"cACompromise", "affiliationChanged", "superseded",
	"cessationOfOperation", "certificateHold", NULL, "removeFromCRL",
	"privilegeWithdrawn", "aACompromise" };

static const char *
reason_word(int reason)
{
	if (reason < 0 || (size_t)reason >= sizeof(reasons) / sizeof(reasons[0]) ||
	    reasons[reason] == NULL)
		return "";
	return reasons[reason];
}

/* The CAs of the authority that row `from` is of, anchors first; returns where the
 * next one's begin. */
static size_t
add_authority(struct certauth *engine, size_t from, json_t *rows)
{
	static const char *const	 roles[] = { "anchor", "issuer",
						    "intermediate" };
	struct certauth_ca		 ca;
	const char			*authority = NULL;
	char				 ends[32];
	size_t				 i = from, role;

	for (role = 0; role < sizeof(roles) / sizeof(roles[0]); role++)
		for (i = from; certauth_ca_at(engine, i, &ca) &&
		    (i == from || strcmp(ca.authority, authority) == 0); i++) {
			authority = ca.authority;
			if (strcmp(ca.role, roles[role]) != 0)
				continue;
			certauth_time_print(ends, sizeof(ends), ca.not_after);
			add_json(rows, json_pack("{s:s,s:s,s:s,s:s,s:I,s:s,s:o}",
			    "authority", ca.authority, "role", ca.role,
			    "subject", ca.subject, "notAfter", ends, "ends",
			    (json_int_t)ca.not_after, "sha256", ca.sha256,
			    "file", name_json(ca.source)));
		}
	return i;
}

int
cmd_show_authorities(struct args *args)
{
	struct certauth_ca	 ca;
	struct certauth		*engine;
	json_t			*rows = json_array(), *row;
	const char		*last = "";
	int64_t			 now;
	size_t			 i;
	int			 status = EXIT_FINE;

	engine = args->rest.num_items > 0 ? NULL : args_open_saying(args);
	if (engine == NULL) {
		json_decref(rows);
		return args->rest.num_items > 0 ? complain("show authorities "
		    "takes no file; the policy file is --config") : EXIT_USAGE;
	}
	now = args->now != 0 ? args->now : certauth_now(engine);
	for (i = 0; certauth_ca_at(engine, i, &ca);)
		i = add_authority(engine, i, rows);
	if (args->json)
		status = print_json(json_pack("{s:O}", "authorities", rows),
		    EXIT_FINE);
	else
		json_array_foreach(rows, i, row) {
			if (strcmp(last, text_of(row, "authority")) != 0)
				(void)printf("%s\n", text_of(row, "authority"));
			last = text_of(row, "authority");
			(void)printf("  %-12s %s\n      until %s",
			    text_of(row, "role"), text_of(row, "subject"),
			    text_of(row, "notAfter"));
			if (json_integer_value(json_object_get(row, "ends")) <
			    now)
				print_toned(TONE_BAD, " (ENDED)");
			(void)printf(", %s\n", text_of(row, "file"));
		}
	json_decref(rows);
	certauth_free(engine);
	return status;
}

int
cmd_show(struct args *args)
{
	struct certauth_show	 show;
	struct certauth_error	 error = { .line = 0 };
	const char		*status;
	char			 date[32] = "";

	if (args->index == NULL || args->serial == NULL ||
	    args->issuers.num_items != 1 || args->rest.num_items > 0)
		return complain("expected show revocation, or show --index DIR "
		    "--issuer FILE --serial HEX");
	if (!certauth_show(args->index, args->issuers.items[0], args->serial,
	    &show, &error))
		return complain_error(&error);
	status = show.status == CERTAUTH_LISTED ? "revoked" :
	    show.status == CERTAUTH_NOT_LISTED ? "not-listed" : "not-covered";
	if (show.status == CERTAUTH_LISTED)
		certauth_time_print(date, sizeof(date), show.date);
	if (!args->json) {
		(void)printf("%s%s%s%s%s\n", status, date[0] != '\0' ?
		    " since " : "", date, reason_word(show.status ==
		    CERTAUTH_LISTED ? show.reason : -1)[0] != '\0' ? ", " : "",
		    show.status == CERTAUTH_LISTED ?
		    reason_word(show.reason) : "");
		return EXIT_FINE;
	}
	return print_json(json_pack("{s:s,s:s,s:s}", "status", status, "date", date,
	    "reason", show.status == CERTAUTH_LISTED ?
	    reason_word(show.reason) : ""), EXIT_FINE);
}
