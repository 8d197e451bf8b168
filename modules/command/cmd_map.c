/*
 * cmd_map.c - map list, map remove: what is in the maps of a profile's rules.
 */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "json.h"
#include "terminal.h"

static void
keep_line(void *context, const struct certauth_map_line *l)
{
	char	ends[32] = "", from[32] = "", until[32] = "";

	if (l->ends != INT64_MAX)
		certauth_time_print(ends, sizeof(ends), l->ends);
	if (l->from != INT64_MIN)
		certauth_time_print(from, sizeof(from), l->from);
	if (l->until != INT64_MAX)
		certauth_time_print(until, sizeof(until), l->until);
	add_json(context, json_pack(
	    "{s:s,s:I,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "file", l->file,
	    "line", (json_int_t)l->line, "key", l->key, "user", l->user,
	    "groups", l->groups, "authority", l->authority, "name", l->same,
	    "issuer", l->issuer, "ends", ends, "notBefore", from, "notAfter",
	    until, "also", l->also));
}

/* For a person's eyes; a script has tabs, and all of each value. */
static const struct column	columns[] = {
	{ "place", "line", COLUMN_PATH }, { "key", "key", COLUMN_TEXT },
	{ "user", "user", COLUMN_TEXT }, { "groups", "groups", COLUMN_TEXT },
	{ "also", "also", COLUMN_TEXT }, { "name", "name", COLUMN_TEXT },
	{ "ends", "ends", COLUMN_TEXT }, { "notBefore", "not before", COLUMN_TEXT },
	{ "notAfter", "not after", COLUMN_TEXT },
};

static void
print_aligned(json_t *rows)
{
	json_t	*row;
	size_t	 i;

	json_array_foreach(rows, i, row)
		json_object_set_new(row, "place", json_sprintf("%s:%d",
		    text_of(row, "file"), (int)json_integer_value(
		    json_object_get(row, "line"))));
	print_columns(rows, columns, sizeof(columns) / sizeof(columns[0]));
}

static int
list(struct certauth *engine, const struct certauth_profile *profile,
    const struct args *args)
{
	struct certauth_error	 error = { .line = 0 };
	json_t			*rows = json_array();
	const json_t		*row;
	size_t			 i;
	int			 status = EXIT_FINE;

	if (!certauth_map_list(engine, profile, keep_line, rows, &error))
		status = complain_error(&error);
	else if (args->json)
		return print_json(rows, status);
	else if (terminal_width(STDOUT_FILENO) > 0)
		print_aligned(rows);
	else
		json_array_foreach(rows, i, row)
			(void)printf("%s:%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			    text_of(row, "file"), (int)json_integer_value(
			    json_object_get(row, "line")), text_of(row, "key"),
			    text_of(row, "user"), text_of(row, "groups"),
			    text_of(row, "name"), text_of(row, "ends"),
			    text_of(row, "notBefore"),
			    text_of(row, "notAfter"),
			    text_of(row, "also"));
	json_decref(rows);
	return status;
}

/* The certificate's line by its hash and by its key's hash. */
static int
remove_lines(struct certauth *engine, const struct certauth_profile *profile,
    const struct args *args)
{
	struct certauth_error	 error = { .line = 0 };
	const char		*what = args->rest.items[0];
	STACK_OF(X509)		*sent = NULL;
	X509			*leaf = NULL;
	char			 hashes[2][65];
	const char		*keys[2] = { what, NULL };
	struct certauth_removed	 removed, all = { .num = 0 };
	size_t			 i;
	bool			 ok = true;
	int			 status;

	if (strncmp(what, "user:", 5) != 0 &&
	    certauth_read_leaf(what, NULL, &leaf, &sent, &error)) {
		ok = certauth_cert_hashes(leaf, hashes[0], hashes[1]);
		keys[0] = hashes[0];
		keys[1] = hashes[1];
	}
	for (i = 0; ok && i < 2 && keys[i] != NULL; i++) {
		ok = certauth_map_remove(engine, profile, keys[i], &removed,
		    &error);
		all.num += removed.num;
		all.left += removed.left;
		if (removed.left > 0)
			memcpy(all.where, removed.where, sizeof(all.where));
	}
	X509_free(leaf);
	sk_X509_pop_free(sent, X509_free);
	if (!ok)
		return complain_error(&error);
	status = all.num > 0 && all.left == 0 ? EXIT_FINE : EXIT_REJECTED;
	if (args->json)
		return print_json(json_pack("{s:I,s:I,s:s}", "removed",
		    (json_int_t)all.num, "left", (json_int_t)all.left, "where",
		    all.where), status);
	(void)printf("%zu line%s taken out\n", all.num, all.num == 1 ? "" : "s");
	if (all.left > 0)
		(void)complain("%s is a compiled table and still has %zu such "
		    "line%s: take them out of the text that it is made from, and "
		    "build it again with certauth table build", all.where,
		    all.left, all.left == 1 ? "" : "s");
	return status;
}

static int
on_profile(struct args *args, int (*run)(struct certauth *,
    const struct certauth_profile *, const struct args *))
{
	const struct certauth_profile	*profile = NULL;
	struct certauth			*engine = open_profile(args, &profile);
	int				 status;

	if (engine == NULL)
		return EXIT_USAGE;
	status = run(engine, profile, args);
	certauth_free(engine);
	return status;
}

int
cmd_map_list(struct args *args)
{
	if (args->rest.num_items > 0)
		return complain("map list takes no file");
	return on_profile(args, list);
}

int
cmd_map_remove(struct args *args)
{
	if (args->rest.num_items != 1)
		return complain("expected map remove CERT | KEY | user:NAME");
	return on_profile(args, remove_lines);
}
