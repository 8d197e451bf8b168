/*
 * cmd_deny.c - out, and in again: lines in the denied files.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json.h"

struct told {
	json_t	*files, *without;
	size_t	 num;
};

static void
tell(void *context, const char *profile, const char *file, size_t num)
{
	struct told	*told = context;

	if (file == NULL) {
		add_json(told->without, json_string(profile));
		return;
	}
	add_json(told->files, json_pack("{s:s,s:s,s:I}", "file",
	    file, "profile", profile, "lines", (json_int_t)num));
	told->num += num;
}

static void
print(const struct told *told, bool allow)
{
	const json_t	*row;
	json_int_t	 num;
	size_t		 i;

	json_array_foreach(told->files, i, row) {
		num = json_integer_value(json_object_get(row, "lines"));
		(void)printf("%s: %s\n",
		    text_of(row, "file"), num == 0 ?
		    (allow ? "was not listed" : "was listed already") :
		    allow ? "taken out" : "denied; the servers know in two "
		    "seconds");
	}
}

static int
run(struct args *args, bool allow)
{
	struct certauth_deny	 ask = { .allow = allow };
	struct certauth_error	 error = { .line = 0 };
	struct told		 told;
	const json_t		*name;
	size_t			 i;
	int			 status = EXIT_FINE;

	if (args->rest.num_items != 1 || (args->reason != NULL) == allow ||
	    (allow && args->until != NULL))
		return complain(allow ? "expected allow CERT | user:NAME | "
		    "mailbox:ADDR | serial:HEX" : "expected deny CERT | "
		    "user:NAME | mailbox:ADDR | serial:HEX --reason TEXT "
		    "[--until TIME]");
	ask.profile = args->profile;
	ask.what = args->rest.items[0];
	ask.until = args->until;
	ask.reason = args->reason;
	ask.now = args->now;
	told.files = json_array();
	told.without = json_array();
	told.num = 0;
	if (!certauth_deny(args_conf(args),
	    &ask, tell, &told, &error)) {
		status = complain_error(&error);
		if (!args->json)
			print(&told, allow);
		goto out;
	}
	if (args->json) {
		status = print_json(json_pack("{s:O,s:O}", "files", told.files,
		    "profilesWithout", told.without), status);
		if (status != EXIT_FINE)
			goto out;
	} else
		print(&told, allow);
	/* A door that stays open is not "done". */
	json_array_foreach(told.without, i, name) {
		if (!allow) {
			(void)complain("profile %s has no denied file: it does "
			    "not know of this; give it a setting denied = "
			    "\"FILE\"", json_string_value(name));
			status = EXIT_REJECTED;
		}
	}
	if (allow && told.num == 0)
		status = EXIT_REJECTED;
out:
	json_decref(told.files);
	json_decref(told.without);
	return status;
}

int
cmd_deny(struct args *args)
{
	return run(args, false);
}

int
cmd_allow(struct args *args)
{
	return run(args, true);
}
