/*
 * cmd_table.c - maps: compile them, look whether they are good, ask them, take them
 * from other programs and give them back.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json.h"
#include "terminal.h"

/* A user name has 255 bytes at most, groups are the rest of a line. */
#define USER_BYTES	512
#define GROUPS_BYTES	4200

static int
report(const struct args *args, const char *file,
    const struct certauth_table_report *report)
{
	if (args->json)
		return print_json(json_pack("{s:o,s:I,s:I,s:b}", "file",
		    name_json(file), "rows", (json_int_t)report->rows, "bytes",
		    (json_int_t)report->bytes, "compiled", report->compiled), EXIT_FINE);
	(void)printf("%s: %zu lines, %zu bytes%s\n", file, report->rows,
	    report->bytes, report->compiled ? ", compiled" : "");
	return EXIT_FINE;
}

int
cmd_table_build(struct args *args)
{
	struct certauth_table_report	 r;
	struct certauth_error		 error = { .line = 0 };

	if (args->output == NULL || args->rest.num_items < 1)
		return complain("expected table build --output FILE MAP...");
	progress_begin("table build");
	if (!certauth_table_build(args->rest.items, args->rest.num_items,
	    args->output, &progress_core, &r, &error))
		return complain_fault(&error);
	progress_end();
	return report(args, args->output, &r);
}

int
cmd_table_check(struct args *args)
{
	struct certauth_table_report	 r;
	struct certauth_error		 error = { .line = 0 };

	if (args->rest.num_items != 1)
		return complain("expected table check MAP");
	progress_begin("table check");
	progress_at(0, 0, args->rest.items[0]);
	if (!certauth_table_check(args->rest.items[0], &r, &error))
		return complain_fault(&error);
	progress_end();
	return report(args, args->rest.items[0], &r);
}

int
cmd_table_lookup(struct args *args)
{
	struct certauth_error	 error = { .line = 0 };
	char			 user[USER_BYTES], groups[GROUPS_BYTES];
	bool			 found;

	if (args->rest.num_items != 2)
		return complain("expected table lookup MAP KEY");
	if (!certauth_table_lookup(args->rest.items[0], args->rest.items[1],
	    args->now, user, sizeof(user), groups, sizeof(groups), &found,
	    &error))
		return complain_error(&error);
	if (args->json)
		return print_json(json_pack("{s:b,s:s,s:s}", "found", found,
		    "user", user, "groups", groups), found ? EXIT_FINE :
		    EXIT_REJECTED);
	if (found)
		(void)printf("%s%s%s\n", user, groups[0] != '\0' ? " " : "",
		    groups);
	else
		(void)printf("not in the map\n");
	return found ? EXIT_FINE : EXIT_REJECTED;
}

/* On stdout: a person looks before it is put in place. */
static int
exchange(struct args *args, bool import)
{
	struct certauth_error	 error = { .line = 0 };
	const char		*file;
	char			*text;
	int			 status = EXIT_FINE;

	if (args->format == NULL || args->rest.num_items != 1)
		return complain("expected table %s --format grid-mapfile | pg_ident "
		    "| ad | sssd [--map NAME] FILE", import ? "import" : "export");
	file = args->rest.items[0];
	if (!(import ? certauth_map_import(args->format, file, args->map, &text,
	    &error) : certauth_map_export(args->format, file, args->map,
	    args->profile, &text, &error)))
		return complain_fault(&error);
	if (args->json)
		status = print_json(json_pack("{s:s,s:s}", "format", args->format,
		    "text", text), EXIT_FINE);
	else
		(void)fputs(text, stdout);
	free(text);
	return status;
}

int
cmd_table_import(struct args *args)
{
	return exchange(args, true);
}

int
cmd_table_export(struct args *args)
{
	return exchange(args, false);
}
