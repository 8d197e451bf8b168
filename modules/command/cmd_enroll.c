/*
 * cmd_enroll.c - map enroll: one certificate, a list of them, or what the logs say
 * of those who were refused.
 *
 * Pending ones are read from the servers' logs, where each refusal is one line:
 * nothing has to be kept for it, and no server writes to a file for it.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json.h"
#include "log_lines.h"
#include "terminal.h"

#define MAX_PENDING	10000

/*
 * One line for each row of a list, at once: what is enrolled is enrolled, and whoever
 * reads along knows of it even when this process does not come to its end.
 */
static int
print_row(const char *file, const char *user, const char *result,
    const struct certauth_enrolled *enrolled, const char *message, int status)
{
	status = print_json(json_pack("{s:o,s:o,s:s,s:s,s:o,s:o,s:o}",
	    "certificate", name_json(file), "user", name_json(user), "result",
	    result, "reason", enrolled->reason, "message", name_json(message),
	    "file", name_json(enrolled->file), "line",
	    name_json(enrolled->line)), status);
	(void)fflush(stdout);
	return status;
}

/* A row that names no certificate, or no user. Said; it has its line all the same. */
static int
refuse_row(const struct args *args, const char *file, const char *user,
    const char *message)
{
	static const struct certauth_enrolled	none = { .reason = "malformed" };

	return args->json ? print_row(file, user, "refused", &none, message,
	    EXIT_REJECTED) : EXIT_REJECTED;
}

/* 0: enrolled or there already; 1: refused. Says so. */
static int
enroll_one(struct certauth *engine, const struct certauth_profile *profile,
    const struct args *args, const char *file, const char *user,
    const char *groups)
{
	struct certauth_enroll		 ask = { .profile = profile, .user = user,
					    .groups = groups, .now = args->now,
					    .file = args->into,
					    .service = args->service,
					    .dry = args->dry_run };
	struct certauth_enrolled	 result = { .already = false };
	struct certauth_error		 error = { .line = 0 };
	bool				 ok;

	if (!certauth_read_leaf(file, NULL, &ask.leaf, &ask.sent, &error) ||
	    ask.leaf == NULL) {
		(void)complain_error(&error);
		return args->csv != NULL ? refuse_row(args, file, user,
		    error.text) : EXIT_USAGE;
	}
	ok = certauth_enroll(engine, &ask, &result, &error);
	X509_free(ask.leaf);
	sk_X509_pop_free(ask.sent, X509_free);
	if (args->json) {
		return print_row(file, user, !ok ? "refused" : result.already ?
		    "already" : args->dry_run ? "would enroll" : "enrolled",
		    &result, ok ? "" : error.text, ok ? EXIT_FINE :
		    EXIT_REJECTED);
	} else if (!ok) {
		(void)printf("%s: ", file);
		print_toned(TONE_BAD, "REFUSED");
		(void)printf(" %s%s%s\n", error.text,
		    result.line[0] != '\0' ? ": " : "", result.line);
	} else if (result.already)
		(void)printf("%s: is %s's already\n", file, user);
	else
		(void)printf("%s: %s: %s\n", file, args->dry_run ?
		    "would go into the map" : result.file, result.line);
	return ok ? EXIT_FINE : EXIT_REJECTED;
}

/* Fields of `CERT,USER[,GROUP;GROUP]`; no quoting: none of them has a comma. */
static int
enroll_csv(struct certauth *engine, const struct certauth_profile *profile,
    const struct args *args)
{
	FILE		*f = fopen(args->csv, "r");
	char		*line = NULL, *user, *groups, *p;
	size_t		 size = 0;
	unsigned	 number = 0;
	int		 status = EXIT_FINE;

	if (f == NULL)
		return complain("%s: %s", args->csv, strerror(errno));
	while (getline(&line, &size, f) >= 0) {
		number++;
		line[strcspn(line, "\r\n")] = '\0';
		if (line[0] == '\0' || line[0] == '#')
			continue;
		user = strchr(line, ',');
		if (user != NULL)
			*user++ = '\0';
		groups = user != NULL ? strchr(user, ',') : NULL;
		if (groups != NULL)
			*groups++ = '\0';
		if (user == NULL || user[0] == '\0' ||
		    (groups != NULL && strchr(groups, ',') != NULL)) {
			(void)complain("%s:%u: expected CERT,USER or "
			    "CERT,USER,GROUP;GROUP", args->csv, number);
			(void)refuse_row(args, line, user != NULL ? user : "",
			    "expected CERT,USER or CERT,USER,GROUP;GROUP");
			status = EXIT_REJECTED;
			continue;
		}
		for (p = groups; p != NULL && *p != '\0'; p++)
			if (*p == ';')
				*p = ',';
		if (enroll_one(engine, profile, args, line, user, groups) !=
		    EXIT_FINE)
			status = EXIT_REJECTED;
	}
	free(line);
	(void)fclose(f);
	return status;
}

/* ----------------------------------------------------------------- pending */

/* A refusal of somebody whose certificate is good. */
static void
take_decision(void *context, const json_t *decision, const char *why)
{
	json_t		*found = context, *row;
	const char	*reason;
	char		 id[2048];

	if (decision == NULL) {
		(void)complain("%s", why);
		return;
	}
	reason = text_of(decision, "reason");
	if (strcmp(text_of(decision, "result"), "reject") != 0 ||
	    (strcmp(reason, "new-key") != 0 && strcmp(reason, "no-user") != 0))
		return;
	(void)snprintf(id, sizeof(id), "%s %s %s", text_of(decision, "profile"),
	    text_of(decision, "serial"), text_of(decision, "issuer"));
	row = json_object_get(found, id);
	if (row != NULL)
		json_object_set_new(row, "times", json_integer(1 +
		    json_integer_value(json_object_get(row, "times"))));
	else if (json_object_size(found) < MAX_PENDING)
		json_object_set_new(found, id, json_pack(
		    "{s:s,s:s,s:s,s:s,s:s,s:s,s:I}", "reason", reason, "profile",
		    text_of(decision, "profile"), "serial", text_of(decision,
		    "serial"), "subject", text_of(decision, "subject"), "issuer",
		    text_of(decision, "issuer"), "detail", text_of(decision,
		    "message"), "times", (json_int_t)1));
}

static int
pending(const struct args *args)
{
	json_t		*found = json_object(), *rows = json_array(), *row;
	const char	*key, *profile;
	size_t		 i;
	int		 status = EXIT_FINE;

	progress_begin("map enroll");
	for (i = 0; i < args->pending.num_items; i++)
		if (!log_lines_read(args->pending.items[i], take_decision,
		    found))
			status = EXIT_USAGE;
	progress_end();
	json_object_foreach(found, key, row) {
		profile = text_of(row, "profile");
		if (args->profile == NULL || strcmp(profile, args->profile) == 0)
			json_array_append(rows, row);
	}
	if (status == EXIT_FINE && args->json)
		status = print_json(json_incref(rows), status);
	else if (status == EXIT_FINE)
		json_array_foreach(rows, i, row)
			(void)printf("%s %s, %d times, profile %s\n    serial %s, "
			    "issued by %s\n    %s\n",
			    text_of(row, "reason"),
			    text_of(row, "subject"),
			    (int)json_integer_value(json_object_get(row, "times")),
			    text_of(row, "profile"),
			    text_of(row, "serial"),
			    text_of(row, "issuer"),
			    text_of(row, "detail"));
	json_decref(rows);
	json_decref(found);
	return status;
}

/* ------------------------------------------------------------------ the verb */

int
cmd_map_enroll(struct args *args)
{
	const struct certauth_profile	*profile = NULL;
	struct certauth			*engine;
	const char			*user, *cert;
	int				 status;

	if (args->pending.num_items > 0)
		return pending(args);
	args_give_last(args);	/* --user takes all the words behind it */
	user = args->users.num_items > 0 ? args->users.items[0] : NULL;
	cert = args->rest.num_items > 0 ? args->rest.items[0] : NULL;
	if (args->csv != NULL ? user != NULL || cert != NULL :
	    args->users.num_items != 1 || args->rest.num_items != 1)
		return complain("expected map enroll [--profile NAME] --user USER "
		    "CERT, or --csv FILE, or --pending LOG...");
	engine = open_profile(args, &profile);
	if (engine == NULL)
		return EXIT_USAGE;
	print_notes(engine);
	status = args->csv != NULL ? enroll_csv(engine, profile, args) :
	    enroll_one(engine, profile, args, cert, user, args->groups);
	certauth_free(engine);
	return status;
}
