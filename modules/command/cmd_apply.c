/*
 * cmd_apply.c - which policy do the servers read, and how does another come into
 * force?
 *
 * The core writes generations and says which is in force; here it is looked at as each
 * server's user before, and what came of it is told.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json.h"

/* ------------------------------------------------------------------- which */

struct certauth *
args_open(const struct args *args, struct certauth_error *error_r)
{
	const char	*conf = args_conf(args);

	if (args->generation != NULL)
		return args->generation[0] != '\0' ?
		    certauth_open_applied(conf, args->generation, error_r) :
		    certauth_open_file(conf, error_r);
	return args->config != NULL && !args->in_force ?
	    certauth_open_file(conf, error_r) : certauth_open(conf, error_r);
}

struct certauth *
args_open_saying(const struct args *args)
{
	const char		*conf = args_conf(args);
	struct certauth_error	 error;
	struct certauth		*engine = args_open(args, &error);
	unsigned		 number = 0;

	if (engine == NULL) {
		complain_error(&error);
		return NULL;
	}
	if (certauth_applied(engine) != 0) {
		if (certauth_applied_differs(conf, &error) !=
		    CERTAUTH_DIFFERENCE_NONE)
			(void)complain("note: by generation %u, which is in "
			    "force; %s differs from it (certauth diff)",
			    certauth_applied(engine), conf);
	} else if (!certauth_generations(conf, NULL, NULL, &number, &error) ||
	    number != 0) {
		(void)complain("note: by %s; the servers read a generation of it "
		    "(certauth apply --list)", conf);
	}
	return engine;
}

/* -------------------------------------------------------------------- list */

static void
add_generation(void *context, const struct certauth_generation *g)
{
	char	when[32];

	add_json(context, json_pack("{s:I,s:b,s:b,s:s,s:s,s:I,s:I}",
	    "generation", (json_int_t)g->number, "inForce", g->in_force,
	    "damaged", g->damaged, "time", g->damaged ? "" :
	    certauth_time_print(when, sizeof(when), g->time), "by", g->by,
	    "replaces", (json_int_t)g->replaces, "files", (json_int_t)g->files));
}

static void
print_generations(const json_t *rows)
{
	const json_t	*row;
	size_t		 i;

	json_array_foreach(rows, i, row) {
		(void)printf("%8" JSON_INTEGER_FORMAT "  ", json_integer_value(
		    json_object_get(row, "generation")));
		if (json_is_true(json_object_get(row, "damaged")))
			(void)printf("DAMAGED");
		else
			(void)printf("%s  %4" JSON_INTEGER_FORMAT " files  by %s",
			    text_of(row, "time"), json_integer_value(
			    json_object_get(row, "files")), text_of(row, "by"));
		(void)printf("%s\n", json_is_true(json_object_get(row,
		    "inForce")) ? "  in force" : "");
	}
}

static const char *
difference_word(enum certauth_difference difference)
{
	return difference == CERTAUTH_DIFFERENCE_NONE ? "same" :
	    difference == CERTAUTH_DIFFERENCE_SOME ? "differs" : "unknown";
}

static int
list(const struct args *args)
{
	const char		*conf = args_conf(args);
	struct certauth_error	 error, why = { .line = 0 };
	enum certauth_difference difference = CERTAUTH_DIFFERENCE_NONE;
	json_t			*rows = json_array();
	unsigned		 number;
	int			 status = EXIT_FINE;

	if (!certauth_generations(conf, add_generation, rows, &number, &error)) {
		(void)complain_error(&error);
		status = EXIT_REJECTED;
		difference = CERTAUTH_DIFFERENCE_UNKNOWN;
	} else if (number != 0) {
		difference = certauth_applied_differs(conf, &why);
		if (difference == CERTAUTH_DIFFERENCE_UNKNOWN) {
			(void)complain_error(&why);
			status = EXIT_REJECTED;
		}
	}
	if (args->json)
		return print_json(json_pack("{s:o,s:I,s:s,s:o}", "file",
		    name_json(conf), "inForce", (json_int_t)number,
		    "difference", difference_word(difference), "generations",
		    rows), status);
	print_generations(rows);
	json_decref(rows);
	if (json_lost())
		return EXIT_USAGE;
	if (number == 0 && status == EXIT_FINE)
		(void)printf("%s itself is in force\n", conf);
	else if (number != 0)
		(void)printf("generation %u is in force; %s %s\n", number, conf,
		    difference == CERTAUTH_DIFFERENCE_NONE ? "is the same" :
		    difference == CERTAUTH_DIFFERENCE_SOME ? "differs from it: "
		    "certauth diff says what that would change" :
		    "cannot be compared with it");
	return status;
}

/* ------------------------------------------------------------------ change */

/* "generation 3", or the file. */
static const char *
name_of(char *buf, size_t size, unsigned number, const char *conf)
{
	if (number == 0)
		(void)snprintf(buf, size, "%s itself", conf);
	else
		(void)snprintf(buf, size, "generation %u", number);
	return buf;
}

static int
print_result(const struct args *args, const struct check_report *r,
    const struct certauth_apply *a, const char *word, int status)
{
	const char	*conf = args_conf(args);
	unsigned	 number = certauth_apply_number(a),
			 was = certauth_apply_was(a);
	char		 now[300], before[300];

	if (args->json)
		return print_json(json_pack("{s:s,s:o,s:I,s:I,s:I,s:I,s:O}",
		    "result", word, "file", name_json(conf), "generation",
		    (json_int_t)number, "was", (json_int_t)was, "faults",
		    (json_int_t)r->faults, "warnings", (json_int_t)r->warnings,
		    "lines", r->lines), status);
	if (json_lost())
		return EXIT_USAGE;
	name_of(now, sizeof(now), number, conf);
	name_of(before, sizeof(before), was, conf);
	if (strcmp(word, "same") == 0)
		(void)printf("%s is in force already\n", now);
	else if (strcmp(word, "refused") == 0)
		(void)printf("nothing was changed: %s is in force\n", before);
	else
		(void)printf("%s is in force; it was %s. Dovecot reads it with "
		    "its next login process; reload nginx, Apache and "
		    "certauth-refresher\n", now, before);
	return status;
}

/* In which role a CA is trusted, and by whom. */
static const char *
key_of(char *buf, size_t size, const struct certauth_ca *ca)
{
	(void)snprintf(buf, size, "%s %s %s", ca->sha256, ca->role,
	    ca->authority);
	return buf;
}

/* CAs that what is in force does not have: one may have been taken out because its key
 * was stolen. Where nothing can be opened now, everything is new. */
static void
say_returning(const struct args *args, const struct args *as,
    struct check_report *r)
{
	struct certauth_error	 error;
	struct certauth_ca	 ca;
	struct certauth		*now = certauth_open(args_conf(args), &error);
	struct certauth		*then = args_open(as, &error);
	json_t			*known = json_object();
	char			 text[900];
	size_t			 i;

	for (i = 0; now != NULL && certauth_ca_at(now, i, &ca); i++)
		(void)json_object_set_new(known, key_of(text, sizeof(text), &ca),
		    json_true());
	for (i = 0; then != NULL && certauth_ca_at(then, i, &ca); i++) {
		if (json_object_get(known, key_of(text, sizeof(text), &ca)) != NULL)
			continue;
		(void)snprintf(text, sizeof(text), "comes back: %s of %s, %s, SHA-256 "
		    "%s", ca.role, ca.authority, ca.subject, ca.sha256);
		check_add(r, "trust", CERTAUTH_WARNING, text);
	}
	json_decref(known);
	certauth_free(now);
	certauth_free(then);
}

/* Looks at what is to come, and lets it come. `back`: an emergency; faults that let
 * somebody in all the same do not hinder. */
static int
change(const struct args *args, struct certauth_apply *a, bool back)
{
	struct check_report	 r = { .lines = json_array() };
	struct certauth_error	 error;
	struct args		 as = *args;
	int			 status = EXIT_USAGE;

	as.generation = certauth_apply_name(a);
	if (certauth_apply_is_same(a)) {
		status = print_result(args, &r, a, "same", EXIT_FINE);
		goto out;
	}
	if (!check_as_servers(&r, &as))
		goto out;
	if (back)
		say_returning(args, &as, &r);
	if (!args->json)
		check_print(&r);
	if (r.unopened > 0 || (r.faults > 0 && !back && !args->force)) {
		if (!args->json && r.unopened == 0)
			(void)printf("--force applies it all the same\n");
		status = print_result(args, &r, a, "refused", EXIT_REJECTED);
	} else if (!certauth_apply_commit(a, &error)) {
		status = complain_error(&error);
	} else {
		status = print_result(args, &r, a, "applied", EXIT_FINE);
	}
out:
	json_decref(r.lines);
	certauth_apply_end(a);
	return status;
}

/* The file is at fault, or something else. */
static int
refused(const struct args *args, const struct certauth_error *error)
{
	struct certauth_error	 unused;
	struct certauth		*engine = certauth_open_file(args_conf(args),
				    &unused);
	int			 status = engine == NULL ? EXIT_REJECTED :
				    EXIT_USAGE;

	certauth_free(engine);
	(void)complain_error(error);
	return status;
}

int
cmd_apply(struct args *args)
{
	struct certauth_apply_ask	 ask = { .by = who(), .now = args->now };
	struct certauth_error		 error;
	struct certauth_apply		*a;

	if (args->rest.num_items > 0)
		return complain("apply takes no file; the policy file is "
		    "--config");
	if (args->list && (args->remove || args->force))
		return complain("--list goes with neither --remove nor --force");
	if (args->list)
		return list(args);
	ask.kind = args->remove ? CERTAUTH_APPLY_REMOVE : CERTAUTH_APPLY_FILE;
	a = certauth_apply_begin(args_conf(args), &ask, &error);
	return a != NULL ? change(args, a, false) : refused(args, &error);
}

int
cmd_rollback(struct args *args)
{
	struct certauth_apply_ask	 ask = { .kind = CERTAUTH_APPLY_BACK };
	struct certauth_error		 error;
	struct certauth_apply		*a;
	char				*end;
	unsigned long			 number;

	if (args->rest.num_items > 1)
		return complain("expected rollback, or rollback N");
	if (args->rest.num_items == 1) {
		number = strtoul(args->rest.items[0], &end, 10);
		if (*end != '\0' || args->rest.items[0][0] < '1' ||
		    args->rest.items[0][0] > '9' || number > 999999999)
			return complain("\"%s\" is no number of a generation; "
			    "certauth apply --list has them",
			    args->rest.items[0]);
		ask.number = (unsigned)number;
	}
	a = certauth_apply_begin(args_conf(args), &ask, &error);
	return a != NULL ? change(args, a, true) : complain_error(&error);
}
