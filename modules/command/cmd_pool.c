/*
 * cmd_pool.c - certauth pool: the CAs of a family in the folders of a policy.
 *
 * Words in, the core's answers out. What is fetched comes by the refresher.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cmd_pool.h"

bool
pool_path(char *buf, const char *folder, const char *name)
{
	int	n = snprintf(buf, POOL_MAX_PATH, "%s/%s", folder, name);

	if (n > 0 && n < POOL_MAX_PATH)
		return true;
	complain("%s: the path is too long", folder);
	return false;
}

void
pool_line(void *context, const struct family_line *line)
{
	struct pool_run	*run = context;

	run->counts[line->word]++;
	/* Thousands in a record of all CAs. */
	if (line->word == FAMILY_UNKNOWN || line->word == FAMILY_OTHER)
		return;
	add_json(run->lines, json_pack(
	    "{s:s,s:s,s:s,s:s,s:s,s:s}", "word",
	    certauth_family_word(line->word), "sha256", line->sha256, "name",
	    line->name, "group", line->group, "file", line->file, "text",
	    line->text));
}

static void
print_line(const json_t *row)
{
	const char	*group = text_of(row, "group");
	const char	*word = text_of(row, "word");

	print_toned(tone_of(word, strlen(word)), "%-14s", word);
	(void)printf(" %s%s%s", group,
	    group[0] != '\0' ? ": " : "", text_of(row, "name")[0] != '\0' ?
	    text_of(row, "name") : text_of(row, "file"));
	if (text_of(row, "sha256")[0] != '\0')
		(void)printf(" (%.16s)", text_of(row, "sha256"));
	if (text_of(row, "text")[0] != '\0')
		(void)printf(", %s", text_of(row, "text"));
	(void)printf("\n");
}

int
pool_report(struct pool_run *run, int status)
{
	json_t	*counts, *row;
	size_t	 i;

	progress_end();
	if (!run->args->json) {
		json_array_foreach(run->lines, i, row)
			print_line(row);
		for (i = 0; i <= FAMILY_OTHER; i++)
			if (run->counts[i] > 0)
				(void)printf("%zu %s\n", run->counts[i],
				    certauth_family_word((enum family_word)i));
		return status;
	}
	counts = json_object();
	for (i = 0; i <= FAMILY_OTHER; i++)
		json_object_set_new(counts,
		    certauth_family_word((enum family_word)i),
		    json_integer((json_int_t)run->counts[i]));
	return print_json(json_pack("{s:s,s:o,s:O}", "result", status == EXIT_FINE ?
	    "fine" : "faults", "counts", counts, "lines", run->lines), status);
}

/* ------------------------------------------------------------------- verbs */

static bool
take_files(struct pool_run *run)
{
	struct certauth_error	error;
	size_t			i;

	for (i = 0; i < run->args->rest.num_items; i++)
		if (!certauth_family_import(run->family, run->folder,
		    run->args->rest.items[i], NULL, 0, pool_line, run, &error)) {
			complain_error(&error);
			return false;
		}
	return true;
}

static int
verb_import(struct pool_run *run)
{
	size_t	profiles;

	if (run->args->rest.num_items == 0)
		return complain("expected pool import FILE...");
	if (!take_files(run) || !pool_lists(run, &profiles))
		return EXIT_USAGE;
	return pool_report(run, run->counts[FAMILY_TAKEN] +
	    run->counts[FAMILY_HAD] > 0 && run->counts[FAMILY_UNREADABLE] == 0 ?
	    EXIT_FINE : EXIT_REJECTED);
}

static int
verb_fetch(struct pool_run *run)
{
	size_t	profiles;

	if (run->args->rest.num_items > 0)
		return complain("pool fetch takes no file; see pool import");
	if (!pool_fetch(run) || !pool_lists(run, &profiles))
		return EXIT_USAGE;
	return pool_report(run, run->counts[FAMILY_UNREADABLE] == 0 ?
	    EXIT_FINE : EXIT_REJECTED);
}

static int
verb_check(struct pool_run *run)
{
	struct certauth_error	error;
	int64_t			now = run->args->now;

	if (run->args->rest.num_items > 0)
		return complain("pool check takes no file");
	if (now == 0)
		now = (int64_t)time(NULL);
	if (!certauth_family_check(run->family, run->folder, now, pool_line, run,
	    &error))
		return complain_error(&error);
	if (!run->args->json)
		(void)printf("%s, as of %s\n", run->family->name,
		    run->family->as_of);
	return pool_report(run, run->counts[FAMILY_MISSING] +
	    run->counts[FAMILY_WRONG] + run->counts[FAMILY_UNREADABLE] == 0 ?
	    EXIT_FINE : EXIT_REJECTED);
}

static int
verb_diff(struct pool_run *run)
{
	struct certauth_error	error;

	if (run->args->rest.num_items != 1)
		return complain("expected pool diff FILE.csv, a record of the "
		    "Common CA Database");
	if (!certauth_family_diff(run->family, run->args->rest.items[0],
	    pool_line, run, &error))
		return complain_error(&error);
	return pool_report(run, run->counts[FAMILY_NEW] +
	    run->counts[FAMILY_REVOKED] + run->counts[FAMILY_GONE] == 0 ?
	    EXIT_FINE : EXIT_REJECTED);
}

static const struct {
	const char	*name;
	int		(*run)(struct pool_run *);
	bool		 sets_up, anywhere;	/* no manifest is needed */
} verbs[] = {
	{ "setup", pool_setup, true, false },
	{ "import", verb_import, false, false },
	{ "fetch", verb_fetch, false, false },
	{ "check", verb_check, false, false },
	{ "diff", verb_diff, false, false },
	{ "pending", pool_pending, false, true },
	{ "accept", pool_accept, false, true },
};
#define NUM_VERBS	(sizeof(verbs) / sizeof(verbs[0]))

/* The folder is beside the policy file, whose relative paths begin there. */
static bool
find_folder(struct pool_run *run)
{
	const char	*conf = args_conf(run->args);
	const char	*slash = strrchr(conf, '/');
	char		 base[POOL_MAX_PATH];
	size_t		 len = slash == NULL ? 0 : slash == conf ? 1 :
			    (size_t)(slash - conf);

	if (strlen(conf) >= sizeof(base)) {
		complain("%.60s...: the path is too long", conf);
		return false;
	}
	(void)snprintf(run->conf, sizeof(run->conf), "%s", conf);
	(void)snprintf(base, sizeof(base), "%.*s", (int)len, conf);
	return pool_path(run->folder, len == 0 ? "." : base, POOL_FOLDER);
}

int
cmd_pool(struct args *args)
{
	struct pool_run		run = { .args = args };
	struct certauth_error	error = { .line = 0 };
	char			path[POOL_MAX_PATH];
	size_t			i;
	int			status = EXIT_USAGE;

	for (i = 0; i < NUM_VERBS && strcmp(args->verb, verbs[i].name) != 0; i++)
		;
	if (i == NUM_VERBS)	/* in the table of commands, and not here */
		return complain("pool %s is not made", args->verb);
	(void)umask(022);	/* the servers must be able to read */
	run.lines = json_array();
	if (run.lines == NULL || !find_folder(&run) ||
	    !pool_path(path, run.folder, "manifest"))
		goto out;
	if (!verbs[i].sets_up &&
	    (!verbs[i].anywhere || access(path, F_OK) == 0)) {
		run.family = certauth_family_open(path, &error);
		if (run.family == NULL) {
			complain_error(&error);
			complain("certauth pool setup makes that folder");
			goto out;
		}
	}
	status = verbs[i].run(&run);
out:
	certauth_family_free(run.family);
	json_decref(run.lines);
	return status;
}
