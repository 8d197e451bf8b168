/*
 * cmd_pool_accept.c - CAs that are not listed: which were seen, and this one may.
 *
 * Seen: what the refresher fetched for certificates that named it, and what the
 * servers' logs say of refused ones.
 */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_pool.h"
#include "log_lines.h"

/* As the refusal says it (issuer-not-listed). */
#define HINT		"certauth pool accept "
#define MAX_SEEN	256

static bool
is_sha256(const char *text)
{
	size_t	i;

	for (i = 0; i < 64; i++)
		if (!isxdigit((unsigned char)text[i]))
			return false;
	return !isxdigit((unsigned char)text[64]);
}

static void
add_row(struct pool_run *run, const char *sha256, const char *name,
    const char *authority, const char *where)
{
	char	text[200];

	(void)snprintf(text, sizeof(text), "%s; certauth pool accept %s%s%s",
	    where, sha256, authority[0] != '\0' ? " " : "", authority);
	add_json(run->lines, json_pack("{s:s,s:s,s:s,s:s,s:s}",
	    "word", "pending", "sha256", sha256, "name", name, "group",
	    authority, "text", text));
}

static bool
is_there(const struct pool_run *run, const char *sha256)
{
	json_t	*row;
	size_t	 i;

	json_array_foreach(run->lines, i, row)
		if (strcmp(text_of(row, "sha256"),
		    sha256) == 0)
			return true;
	return false;
}

/* What the refusal tells of one, as far as the line has it. */
struct log_of { struct pool_run *run; const char *file; };

static void
take_decision(void *context, const json_t *decision, const char *why)
{
	static const char	 before[] = "issued by ";
	const struct log_of	*log = context;
	const char		*message, *hint, *from, *to;
	char			 sha256[65], name[512] = "";

	(void)why;	/* of others, or of an older program: no hint in it */
	if (decision == NULL || strcmp(text_of(decision, "reason"),
	    "issuer-not-listed") != 0)
		return;
	message = text_of(decision, "message");
	/* The name of a CA stands in front of it: the last one is ours. */
	for (hint = NULL; (from = strstr(hint != NULL ? hint : message, HINT)) !=
	    NULL; hint = from + sizeof(HINT) - 1)
		;
	if (hint == NULL || !is_sha256(hint))
		return;
	(void)snprintf(sha256, sizeof(sha256), "%.64s", hint);
	if (is_there(log->run, sha256) ||
	    json_array_size(log->run->lines) >= MAX_SEEN)
		return;
	from = strstr(message, before);
	to = from != NULL ? strstr(from, ", valid under") : NULL;
	if (to != NULL)
		(void)snprintf(name, sizeof(name), "%.*s", (int)(to - from) -
		    (int)(sizeof(before) - 1), from + sizeof(before) - 1);
	add_row(log->run, sha256, name, "", log->file);
}

int
pool_pending(struct pool_run *run)
{
	struct certauth_pending	 p;
	struct certauth_error	 error = { .line = 0 };
	struct certauth		*engine = certauth_open_file(run->conf, &error);
	size_t			 i;
	bool			 ok = true;

	if (engine == NULL)
		return complain_error(&error);
	for (i = 0; certauth_pending_at(engine, i, &p); i++)
		add_row(run, p.sha256, p.name, p.authority, "fetched");
	certauth_free(engine);
	progress_begin("pool pending");
	for (i = 0; ok && i < run->args->rest.num_items; i++)
		ok = log_lines_read(run->args->rest.items[i], take_decision,
		    &(struct log_of){ run, run->args->rest.items[i] });
	progress_end();
	if (!ok)
		return EXIT_USAGE;
	if (json_array_size(run->lines) == 0 && !run->args->json)
		(void)printf("nothing is pending\n");
	return pool_report(run, EXIT_FINE);
}

static const char *
when_taken(const char *conf)
{
	struct certauth_error	error;
	unsigned		number;

	return certauth_generations(conf, NULL, NULL, &number, &error) &&
	    number == 0 ? "the servers take it at their reload" :
	    "the servers take it after certauth apply, at their reload";
}

int
pool_accept(struct pool_run *run)
{
	const struct args	*args = run->args;
	struct certauth_authority a;
	struct certauth_error	 error = { .line = 0 };
	struct certauth		*engine;
	const char		*name = NULL;
	unsigned char		 sha256[32];
	char			 path[POOL_MAX_PATH];
	size_t			 i, first = 1;
	int			 status = EXIT_FINE;

	if (args->rest.num_items == 0 ||
	    strlen(args->rest.items[0]) != 64 || !is_sha256(args->rest.items[0]))
		return complain("expected pool accept SHA256 [AUTHORITY] "
		    "[FILE...], 64 hexadecimal digits first");
	for (i = 0; i < 32; i++) {
		(void)snprintf(path, sizeof(path), "%.2s",
		    args->rest.items[0] + 2 * i);
		sha256[i] = (unsigned char)strtoul(path, NULL, 16);
	}
	engine = certauth_open_file(run->conf, &error);
	if (engine == NULL)
		return complain_error(&error);
	for (i = 0; args->rest.num_items > 1 &&
	    certauth_authority_at(engine, i, &a); i++)
		if (strcmp(a.name, args->rest.items[1]) == 0) {
			name = a.name;
			first = 2;
			break;
		}
	if (!certauth_accept_issuer(engine, run->family, sha256, name,
	    args->rest.items + first, args->rest.num_items > first ?
	    args->rest.num_items - first : 0, path, sizeof(path), &error)) {
		status = complain_fault(&error);
	} else if (args->json)
		add_json(run->lines, json_pack("{s:s,s:s,s:s,s:s,s:o,s:s}",
		    "word", "accepted", "sha256", args->rest.items[0], "name", "",
		    "group", name != NULL ? name : "", "file", name_json(path),
		    "text", when_taken(run->conf)));
	else
		(void)printf("accepted, as %s; %s\n", path,
		    when_taken(run->conf));
	certauth_free(engine);
	return args->json && status != EXIT_USAGE ? pool_report(run, status) :
	    status;
}
