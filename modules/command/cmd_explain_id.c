/*
 * cmd_explain_id.c - what did a server decide under this id, and what is to be done?
 *
 * Reads logs, by default those of this machine's servers, and judges nothing anew: the
 * certificate is not in a log.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "json.h"
#include "log_lines.h"
#include "terminal.h"

/* Where Debian's servers log. The newest last: what it says is printed last. */
static const char *const usual[] = {
	"/var/log/nginx/error.log.1", "/var/log/nginx/error.log",
	"/var/log/apache2/error.log.1", "/var/log/apache2/error.log",
	"/var/log/mail.log.1", "/var/log/mail.log",
	"/var/log/dovecot.log", "/var/log/dovecot-info.log",
};
#define NUM_USUAL	(sizeof(usual) / sizeof(usual[0]))
/* A verdict that is remembered has one id for many logins. */
#define MAX_FOUND	1000

struct search {
	const char	*id, *file;
	json_t		*found;
};

static void
take(void *context, const json_t *decision, const char *why)
{
	const struct search	*search = context;
	enum certauth_reason	 reason;
	json_t			*row;

	(void)why;	/* of other programs, or cut: no id can be read in it */
	if (decision == NULL || strcmp(text_of(decision, "id"), search->id) != 0 ||
	    json_array_size(search->found) >= MAX_FOUND)
		return;
	row = json_copy((json_t *)(uintptr_t)decision);
	reason = certauth_reason_find(text_of(decision, "reason"));
	if (row != NULL) {
		json_object_set_new(row, "file", name_json(search->file));
		json_object_set_new(row, "text",
		    json_string(certauth_reason_text(reason)));
		json_object_set_new(row, "mend",
		    json_string(certauth_reason_mend(reason)));
	}
	add_json(search->found, row);
}

static void
print_row(const json_t *row)
{
	static const char *const	told[] = { "id", "time", "server", "service",
	    "host", "client", "profile", "authority", "subject", "issuer", "serial",
	    "email", "user", "rule", "strength", "notAfter", "renewal", "revocation",
	    "message" };
	bool				accepted = strcmp(text_of(row, "result"),
					    "accept") == 0;
	size_t				i;

	print_toned(accepted ? TONE_GOOD : TONE_BAD, accepted ? "ACCEPT" :
	    "REJECT");
	(void)printf(" %s (%s)\n", text_of(row, "reason"), text_of(row, "file"));
	for (i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		if (text_of(row, told[i])[0] != '\0')
			(void)printf("  %-10s %s\n", told[i],
			    text_of(row, told[i]));
	(void)printf("  %s\n  What to do: %s\n", text_of(row, "text"),
	    text_of(row, "mend"));
}

/* False: a file that was named cannot be read. One of the usual places may be
 * missing, but one that is there and closed to us must be said. */
static bool
read_logs(const struct args *args, struct search *search, size_t *num_read_r)
{
	size_t	i;
	bool	ok = true;

	*num_read_r = args->logs.num_items;
	for (i = 0; ok && i < args->logs.num_items; i++) {
		search->file = args->logs.items[i];
		ok = log_lines_read(search->file, take, search);
	}
	for (i = 0; args->logs.num_items == 0 && i < NUM_USUAL; i++) {
		search->file = usual[i];
		if (access(usual[i], F_OK) != 0 && errno == ENOENT)
			continue;
		ok = log_lines_read(usual[i], take, search) && ok;
		++*num_read_r;
	}
	return ok;
}

int
cmd_explain_id(struct args *args)
{
	struct search	 search = { .id = args->id, .found = json_array() };
	size_t		 i, num_read = 0;
	int		 status = EXIT_FINE;
	bool		 ok;

	if (args->rest.num_items != 0 || args->roots.num_items != 0 ||
	    args->profile != NULL) {
		json_decref(search.found);
		return complain("expected explain --id ID [--log FILE]...: the log "
		    "has the decision, not the certificate");
	}
	progress_begin("explain");
	ok = read_logs(args, &search, &num_read);
	progress_end();
	if (!ok || json_lost()) {
		json_decref(search.found);
		return EXIT_USAGE;
	}
	if (json_array_size(search.found) == 0) {
		status = EXIT_REJECTED;
		(void)complain(num_read == 0 ?
		    "no log of a server is here; name one with --log FILE (\"-\": "
		    "standard input, as of journalctl or zcat)" :
		    "no decision with the id %s in %zu logs; older ones: zcat "
		    "FILE | certauth explain --id ID --log -", args->id, num_read);
	}
	if (args->json)
		return print_json(json_pack("{s:o}", "decisions", search.found),
		    status);
	for (i = 0; i < json_array_size(search.found); i++)
		print_row(json_array_get(search.found, i));
	json_decref(search.found);
	return status;
}
