/*
 * cmd_map.c - map list, map remove: what is in the maps of a profile's rules.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "command.h"

static void
keep_line(void *context, const struct certauth_map_line *l)
{
	char	ends[32] = "";

	if (l->ends != INT64_MAX)
		certauth_time_print(ends, sizeof(ends), l->ends);
	json_array_append_new(context, json_pack(
	    "{s:s,s:I,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "file", l->file, "line",
	    (json_int_t)l->line, "key", l->key, "user", l->user, "groups",
	    l->groups, "authority", l->authority, "name", l->same, "issuer",
	    l->issuer, "ends", ends));
}

static const char *
member(const json_t *row, const char *name)
{
	const char	*text = json_string_value(json_object_get(row, name));

	return text != NULL ? text : "";
}

static int
list(struct certauth *engine, const struct certauth_profile *profile,
    const struct args *args)
{
	struct certauth_error	 error = { .line = 0 };
	json_t			*rows = json_array();
	const json_t		*row;
	char			*text;
	size_t			 i;
	int			 status = EXIT_FINE;

	if (!certauth_map_list(engine, profile, keep_line, rows, &error))
		status = complain_error(&error);
	else if (args->json) {
		text = json_dumps(rows, JSON_COMPACT);
		(void)printf("%s\n", text != NULL ? text : "[]");
		free(text);
	} else
		json_array_foreach(rows, i, row)
			(void)printf("%s:%d\t%s\t%s\t%s\t%s\t%s\n",
			    member(row, "file"), (int)json_integer_value(
			    json_object_get(row, "line")), member(row, "key"),
			    member(row, "user"), member(row, "groups"),
			    member(row, "name"), member(row, "ends"));
	json_decref(rows);
	return status;
}

/* The certificate's line by its hash and by its key's hash. */
static int
remove_lines(struct certauth *engine, const struct certauth_profile *profile,
    const char *what)
{
	struct certauth_error	 error = { .line = 0 };
	STACK_OF(X509)		*sent = NULL;
	X509			*leaf = NULL;
	char			 hashes[2][65];
	const char		*keys[2] = { what, NULL };
	size_t			 i, num, all = 0;
	bool			 ok = true;

	if (strncmp(what, "user:", 5) != 0 &&
	    certauth_read_leaf(what, NULL, &leaf, &sent, &error)) {
		ok = certauth_cert_hashes(leaf, hashes[0], hashes[1]);
		keys[0] = hashes[0];
		keys[1] = hashes[1];
	}
	for (i = 0; ok && i < 2 && keys[i] != NULL; i++) {
		ok = certauth_map_remove(engine, profile, keys[i], &num, &error);
		all += num;
	}
	X509_free(leaf);
	sk_X509_pop_free(sent, X509_free);
	if (!ok)
		return complain_error(&error);
	(void)printf("%zu line%s taken out\n", all, all == 1 ? "" : "s");
	return all > 0 ? EXIT_FINE : EXIT_REJECTED;
}

int
cmd_map(struct args *args)
{
	const struct certauth_profile	*profile = NULL;
	struct certauth			*engine;
	const char			*word;
	int				 status;

	if (args->story)
		return cmd_map_explain(args);
	word = args->rest.num_items > 0 ? args->rest.items[0] : "";
	if (strcmp(word, "enroll") == 0)
		return args->pending.num_items > 0 ? cmd_map_pending(args) :
		    cmd_map_enroll(args);
	if ((strcmp(word, "list") != 0 || args->rest.num_items != 1) &&
	    (strcmp(word, "remove") != 0 || args->rest.num_items != 2))
		return complain("expected map enroll, map list or map remove; see "
		    "certauth --help");
	engine = open_profile(args, &profile);
	if (engine == NULL)
		return EXIT_USAGE;
	status = args->rest.num_items == 1 ? list(engine, profile, args) :
	    remove_lines(engine, profile, args->rest.items[1]);
	certauth_free(engine);
	return status;
}
