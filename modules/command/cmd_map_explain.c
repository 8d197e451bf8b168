/*
 * cmd_map_explain.c - map --explain: who would these certificates be?
 *
 * One certificate: the story of each rule. Several, or a folder of them: a table
 * with one line for each and each authority, tabs between; on a terminal aligned.
 */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "json.h"
#include "terminal.h"

/* Certificates of one folder. */
#define EXPLAIN_MAX_FILES	100000

struct explain {
	struct certauth			*engine;
	const struct certauth_profile	*profile;
	const struct args		*args;
	bool				 table;
	bool				 keep;	/* rows are printed at the end */
	size_t				 num_done, num_files;
	bool				 named;	/* some certificate has a user */
	bool				 failed; /* some has none, or no rule */
	const char			*file;
	json_t				*rows;
};

static void
keep_json(struct explain *x, const struct certauth_map_try *t)
{
	json_t	*lines = json_array();
	size_t	 i;

	for (i = 0; i < t->num_lines; i++)
		add_json(lines, json_string(t->lines[i]));
	add_json(x->rows, json_pack(
	    "{s:o,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:o}", "certificate",
	    name_json(x->file),
	    "authority", t->authority, "reason", certauth_reason_slug(t->reason),
	    "user", t->user, "groups", t->groups, "rule", t->rule, "strength",
	    t->strength, "detail", t->detail, "rules", lines));
}

static void
keep_try(void *context, const struct certauth_map_try *t)
{
	struct explain	*x = context;
	size_t		 i;

	if (t->reason == CERTAUTH_OK)
		x->named = true;
	if (x->keep) {
		keep_json(x, t);
		return;
	}
	if (x->table) {
		(void)printf("%s\t%s\t%s\t%s\t%s\t%s\t%s\n", x->file,
		    t->authority, certauth_reason_slug(t->reason), t->user,
		    t->groups, t->rule, t->strength);
		return;
	}
	(void)printf("authority %s\n", t->authority);
	for (i = 0; i < t->num_lines; i++)
		(void)printf("  %s\n", t->lines[i]);
	if (t->reason == CERTAUTH_OK) {
		(void)printf("  ");
		print_toned(TONE_GOOD, "user %s", t->user);
		(void)printf("%s%s, by rule %s, %s\n",
		    t->groups[0] != '\0' ? ", groups " : "", t->groups, t->rule,
		    t->strength);
	} else {
		(void)printf("  ");
		print_toned(TONE_BAD, "%s", certauth_reason_slug(t->reason));
		(void)printf(": %s\n", t->detail);
	}
}

static bool
explain_file(struct explain *x, const char *file)
{
	struct certauth_error	 error = { .line = 0 };
	struct certauth_map_ask	 ask = { .service = x->args->service,
				    .now = x->args->now };
	STACK_OF(X509)		*sent = NULL;
	bool			 ok;

	x->file = file;
	x->named = false;
	progress_at(x->num_done++, x->num_files, file);
	ok = certauth_read_leaf(file, NULL, &ask.leaf, &sent, &error) &&
	    ask.leaf != NULL && certauth_map_explain(x->engine, x->profile, &ask,
	    keep_try, x, &error);
	if (!ok)
		complain_error(&error);
	X509_free(ask.leaf);
	sk_X509_pop_free(sent, X509_free);
	x->failed = x->failed || !ok || !x->named;
	return ok;
}

static int
not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* In the order of names. What is no certificate is said and passed over. */
static bool
explain_folder(struct explain *x, const char *folder)
{
	struct dirent	**entries = NULL;
	char		*path;
	int		 i, n = scandir(folder, &entries, not_hidden, alphasort);

	if (n < 0) {
		complain("%s: cannot be read", folder);
		return false;
	}
	x->num_files += (size_t)n - 1;	/* the folder itself is none */
	for (i = 0; i < n; i++) {
		if (i < EXPLAIN_MAX_FILES &&
		    asprintf(&path, "%s/%s", folder, entries[i]->d_name) > 0) {
			(void)explain_file(x, path);
			free(path);
		}
		free(entries[i]);
	}
	free(entries);
	return true;
}

static bool
is_folder(const char *path)
{
	struct stat	st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void
print_table(const json_t *rows)
{
	static const struct column	columns[] = {
		{ "certificate", "certificate", COLUMN_PATH },
		{ "authority", "authority", COLUMN_TEXT }, { "reason", "reason", COLUMN_REASON },
		{ "user", "user", COLUMN_TEXT }, { "groups", "groups", COLUMN_TEXT },
		{ "rule", "rule", COLUMN_TEXT }, { "strength", "strength", COLUMN_TEXT },
	};

	print_columns(rows, columns, sizeof(columns) / sizeof(columns[0]));
}

int
cmd_map_explain(struct args *args)
{
	struct explain	 x = { .args = args };
	size_t		 i;
	int		 status;
	bool		 ok = true;

	if (!args->story)
		return complain("expected certauth map enroll | list | remove, or "
		    "map --explain CERT; see certauth map --help");
	if (args->rest.num_items == 0)
		return complain("which certificate? see certauth --help");
	x.engine = open_profile(args, &x.profile);
	if (x.engine == NULL)
		return EXIT_USAGE;
	x.rows = json_array();
	x.table = args->rest.num_items > 1 || is_folder(args->rest.items[0]);
	x.keep = args->json || (x.table && terminal_width(STDOUT_FILENO) > 0);
	x.num_files = args->rest.num_items;
	/* Not between lines that are printed on the same terminal. */
	if (x.keep || terminal_width(STDOUT_FILENO) == 0)
		progress_begin("map");
	if (x.table && !x.keep)
		(void)printf("certificate\tauthority\treason\tuser\tgroups\trule"
		    "\tstrength\n");
	for (i = 0; i < args->rest.num_items; i++)
		ok = (is_folder(args->rest.items[i]) ?
		    explain_folder(&x, args->rest.items[i]) :
		    explain_file(&x, args->rest.items[i])) && ok;
	status = !ok ? EXIT_USAGE : x.failed ? EXIT_REJECTED : EXIT_FINE;
	progress_end();
	if (args->json && ok)
		status = print_json(json_incref(x.rows), status);
	else if (x.table && x.keep && !args->json) {
		print_table(x.rows);
		if (json_lost())
			status = EXIT_USAGE;
	}
	json_decref(x.rows);
	certauth_free(x.engine);
	return status;
}
