/*
 * cmd_state.c - how fresh is what is known, and who could not be reached?
 *
 * What the refresher wrote into its status file beside what the engine has. The
 * file is its word alone: numbers and dates to read, nothing is decided by it.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json.h"
#include "terminal.h"

#define STATUS_FILE	"status.json"

/* The refresher's file; NULL: none, or it cannot be read. */
json_t *
state_read(const struct certauth *engine)
{
	char	 path[4096];
	json_t	*root;

	if (certauth_state(engine)[0] == '\0' ||
	    (size_t)snprintf(path, sizeof(path), "%s/" STATUS_FILE,
	    certauth_state(engine)) >= sizeof(path))
		return NULL;
	root = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	if (root != NULL && !json_is_array(json_object_get(root, "sources"))) {
		json_decref(root);
		root = NULL;
	}
	return root;
}

/* What the engine has in force: one row a list. */
static json_t *
lists_json(struct certauth *engine, int64_t now)
{
	struct certauth_revocation_row	 row;
	json_t				*lists = json_array();
	char				 this[32], next[32];
	size_t				 i;

	for (i = 0; certauth_revocation_at(engine, i, &row); i++) {
		certauth_time_print(this, sizeof(this), row.this_update);
		certauth_time_print(next, sizeof(next), row.next_update);
		add_json(lists, json_pack(
		    "{s:s,s:s,s:s,s:s,s:I,s:I,s:b,s:b}", "issuer", row.issuer,
		    "source", row.source, "thisUpdate", this, "nextUpdate",
		    row.next_update != 0 ? next : "", "age",
		    (json_int_t)(now - row.this_update), "entries",
		    (json_int_t)row.entries, "published", row.published,
		    "stale", row.next_update != 0 && row.next_update < now));
	}
	return lists;
}

static json_t *
overrides_json(struct certauth *engine)
{
	struct certauth_override	 o;
	json_t				*rows = json_array();
	char				 until[32];
	size_t				 i;

	for (i = 0; certauth_override_at(engine, i, &o); i++)
		add_json(rows, json_pack("{s:s,s:s,s:s,s:s}",
		    "authority", o.authority, "until", certauth_time_print(until,
		    sizeof(until), o.until), "by", o.by, "reason", o.reason));
	return rows;
}

static void
print_age(json_int_t seconds)
{
	if (seconds < 0)
		(void)printf("from the future");
	else if (seconds < 3 * 3600)
		(void)printf("%d min old", (int)(seconds / 60));
	else if (seconds < 3 * 86400)
		(void)printf("%d h old", (int)(seconds / 3600));
	else
		(void)printf("%d d old", (int)(seconds / 86400));
}

static void
print_lists(const json_t *lists)
{
	const json_t	*row;
	size_t		 i;

	json_array_foreach(lists, i, row) {
		(void)printf("%s\n    %s, ", text_of(row, "issuer"),
		    text_of(row, "source"));
		print_age(json_integer_value(json_object_get(row, "age")));
		(void)printf(", %d entries, next %s",
		    (int)json_integer_value(json_object_get(row, "entries")),
		    text_of(row, "nextUpdate")[0] != '\0' ?
		    text_of(row, "nextUpdate") : "not given");
		if (json_is_true(json_object_get(row, "stale")))
			print_toned(TONE_BAD, " (STALE)");
		(void)putchar('\n');
	}
	if (json_array_size(lists) == 0)
		(void)printf("no CRL is known\n");
}

static void
print_sources(const json_t *status, const char *dead)
{
	const json_t	*row;
	size_t		 i;

	if (status == NULL) {
		(void)printf("\nno refresher has worked here\n");
		return;
	}
	(void)printf("\nthe refresher, %s:\n", text_of(status, "written"));
	if (dead[0] != '\0') {
		print_toned(TONE_BAD, "NOBODY FETCHES");
		(void)printf(": %s\n", dead);
	}
	json_array_foreach(json_object_get(status, "sources"), i, row) {
		(void)printf("%s: %s (%s)\n    number %s, %s; last success %s, "
		    "next try %s\n", text_of(row, "authority"),
		    text_of(row, "url"), text_of(row, "origin"),
		    text_of(row, "number")[0] != '\0' ? text_of(row, "number") :
		    "none", text_of(row, "issuer")[0] != '\0' ?
		    text_of(row, "issuer") : "nothing fetched yet",
		    text_of(row, "lastSuccess")[0] != '\0' ?
		    text_of(row, "lastSuccess") : "never",
		    text_of(row, "nextTry"));
		if (text_of(row, "error")[0] == '\0')
			continue;
		print_toned(TONE_BAD, "    ERROR");
		(void)printf(" %s\n", text_of(row, "error"));
	}
}

int
cmd_show_revocation(struct args *args)
{
	struct certauth_error	 error = { .line = 0 };
	struct certauth		*engine;
	json_t			*root, *status, *overrides, *row;
	char			 dead[1500] = "";
	size_t			 i, answers, revoked;
	int			 result = EXIT_FINE;

	if (args->rest.num_items > 0)
		return complain("show revocation takes no file");
	engine = certauth_open(args_conf(args), &error);
	if (engine == NULL)
		return complain_error(&error);
	certauth_answers_count(engine, &answers, &revoked);
	status = state_read(engine);
	(void)refresher_dead(engine, status, dead, sizeof(dead));
	overrides = overrides_json(engine);
	root = json_pack("{s:o,s:o,s:{s:I,s:I},s:s,s:O?}", "lists",
	    lists_json(engine, args->now != 0 ? args->now :
	    certauth_now(engine)), "overrides", overrides, "answers", "known",
	    (json_int_t)answers, "revoked", (json_int_t)revoked,
	    "refresherFault", dead, "refresher", status);
	if (args->json || root == NULL)
		result = print_json(json_incref(root), EXIT_FINE);
	else {
		print_lists(json_object_get(root, "lists"));
		(void)printf("%zu OCSP answers, %zu of them revoked\n", answers,
		    revoked);
		json_array_foreach(overrides, i, row) {
			print_toned(TONE_WARN, "OVERRIDE");
			(void)printf(" %s: stale data counts until %s; "
			    "%s: %s\n", text_of(row, "authority"),
			    text_of(row, "until"), text_of(row, "by"),
			    text_of(row, "reason"));
		}
		print_sources(status, dead);
	}
	json_decref(root);
	json_decref(status);
	certauth_free(engine);
	return result;
}
