/*
 * commands.c - which commands are there, and which options does each take?
 *
 * One table for --help, for the check of what was typed, and (certauth help --json)
 * for completions and for the test of the manual. Does not read the words.
 */

#include <stdio.h>
#include <string.h>

#include "command.h"
#include "json.h"
#include "terminal.h"

/* Taken by all: which policy, how to print. */
#define EVERYWHERE	"--config --json --help -h --version"
/* These look at all profiles and at now; saying so was never wrong. */
#define LOOKS_AT_ALL	"--profile --time"

#define BY_PROFILE	"[--config FILE [--in-force]] --profile NAME [--sent FILE]... [--time T] " \
			"[--service NAME] [--account NAME] " \
			"[--password-file FILE] CERT"
#define BY_ROOTS	"--roots FILE... [--intermediates FILE]... " \
			"[--crls FILE]... [--ocsp-response FILE]... [--sent FILE]... " \
			"[--purpose client|email|any|OID] [--require-policy OID]... " \
			"[--explicit-policy] [--inhibit-any-policy] " \
			"[--inhibit-policy-mapping] [--max-depth N] [--email ADDR] " \
			"[--revocation none|leaf|chain] [--time T] [--service NAME] " \
			"[--password-file FILE] CERT"
#define DENIABLE	"CERT | user:NAME | mailbox:ADDR | serial:HEX"

const struct command	commands[] = {
	{ "verify", cmd_verify, BY_PROFILE,
	    "may this certificate in, and as whom?" },
	{ "verify", cmd_verify, BY_ROOTS, "" },
	{ "explain", cmd_explain, "[--html | --dot] " BY_PROFILE,
	    "the whole story: every path tried, what failed, what to do" },
	{ "explain", cmd_explain, "[--html | --dot] " BY_ROOTS, "" },
	{ "explain", cmd_explain, "--id ID [--log FILE]...",
	    "a decision of the past, from the servers' logs" },
	{ "check", cmd_check, "[--config FILE [--in-force]] [--user NAME]... [--time T]",
	    "opens everything as the servers' users would" },
	{ "check", cmd_check, "--server nginx|apache|dovecot "
	    "[--server-config FILE] [--server-binary FILE] [--config FILE] "
	    "[--time T]",
	    "the same, and what in a server's configuration would hurt" },
	{ "check", cmd_check, "--connect HOST:PORT [--cert FILE [--key FILE]] "
	    "[--starttls imap|pop3|submission|sieve] [--password-file FILE]",
	    "what a server that runs says to a client, and what that means" },
	{ "init", cmd_init, "--server nginx|apache|dovecot --profile NAME "
	    "[--config FILE] [--server-config FILE] [--server-binary FILE]",
	    "the least to paste into a server's configuration" },
	{ "apply", cmd_apply, "[--config FILE] [--user NAME]... [--force] "
	    "[--time T]",
	    "the policy, checked, as one generation that the servers read" },
	{ "apply", cmd_apply, "[--config FILE] --list", "" },
	{ "apply", cmd_apply, "[--config FILE] --remove [--user NAME]... "
	    "[--force]", "" },
	{ "rollback", cmd_rollback, "[--config FILE] [N] [--user NAME]...",
	    "back to generation N, or to the one before" },
	{ "diff", cmd_diff, "[--config FILE] [--new FILE | --to N] "
	    "[--profile NAME] [--service NAME] [--time T] [CERT | FOLDER]...",
	    "whom a change of the policy would let in or keep out" },
	{ "compile", cmd_compile, "[--config FILE]",
	    "CRLs into the index that all processes map" },
	{ "compile", cmd_compile, "--issuers FILE... --output DIR CRL...", "" },
	{ "publish", cmd_publish, "[--config FILE] CRL",
	    "hands in a CRL, as if the refresher had fetched it" },
	{ "override", cmd_override, "AUTHORITY --stale-until TIME --reason TEXT",
	    "in an emergency stale data counts for longer; ends by itself" },
	{ "override", cmd_override, "AUTHORITY --end", "" },
	{ "override", cmd_override, "", "what is in force" },
	{ "deny", cmd_deny, "[--profile NAME] " DENIABLE " --reason TEXT "
	    "[--until TIME] [--time T]",
	    "out, in two seconds, at every door" },
	{ "allow", cmd_allow, "[--profile NAME] " DENIABLE " [--time T]",
	    "takes such lines out of the denied files again" },
	{ "pool setup", cmd_pool, "[--config FILE] [--from DIR] [FILE...] "
	    "[--time T]",
	    "PersonalSign from nothing: its CAs, profiles, policy file" },
	{ "pool import", cmd_pool, "FILE...",
	    "CAs into the folders beside the policy file, by SHA-256" },
	{ "pool fetch", cmd_pool, "[--time T]",
	    "the same, what is missing, by the refresher" },
	{ "pool check", cmd_pool, "[--time T]",
	    "what is missing, ends soon or should not be there" },
	{ "pool diff", cmd_pool, "RECORD.csv",
	    "what a record of the Common CA Database says of them" },
	{ "pool pending", cmd_pool, "[LOG...]",
	    "issuing CAs that were seen and are not listed" },
	{ "pool accept", cmd_pool, "SHA256 [AUTHORITY] [FILE...]",
	    "lists one of them" },
	{ "map", cmd_map_explain, "[--in-force] --explain [--profile NAME] [--service NAME] "
	    "[--time T] CERT|FOLDER...",
	    "what each rule matched, took and found; of several, a table" },
	{ "map enroll", cmd_map_enroll, "[--profile NAME] --user USER "
	    "[--groups G,G] [--service NAME] [--into NAME] [--dry-run] [--time T] "
	    "CERT",
	    "a line for a good certificate that no login knows yet" },
	{ "map enroll", cmd_map_enroll, "[--profile NAME] [--service NAME] "
	    "[--into NAME] [--dry-run] [--time T] --csv FILE", "the same for rows CERT,USER[,GROUP;GROUP]" },
	{ "map enroll", cmd_map_enroll, "[--profile NAME] --pending LOG...",
	    "whom the servers refused for the lack of such a line" },
	{ "map list", cmd_map_list, "[--profile NAME]",
	    "what is in the maps of the profile's rules" },
	{ "map remove", cmd_map_remove, "[--profile NAME] CERT | KEY | user:NAME",
	    "takes lines out of them" },
	{ "forecast", cmd_forecast, "[--in-force] [--profile NAME] [--service NAME] "
	    "[--until TIME] [--time T] FOLDER | LOG.json | CERT...",
	    "who will be refused, when and why (90 days unless --until)" },
	{ "table build", cmd_table_build, "--output FILE MAP...",
	    "maps into one compiled table; also for a million users" },
	{ "table check", cmd_table_check, "MAP", "whether all of a map is good" },
	{ "table lookup", cmd_table_lookup, "[--time T] MAP KEY",
	    "what a map says of one key" },
	{ "table import", cmd_table_import, "--format grid-mapfile|pg_ident|ad|sssd "
	    "[--map NAME] FILE", "a list of another program as a map" },
	{ "table export", cmd_table_export, "--format grid-mapfile|pg_ident|ad "
	    "[--map NAME] MAP", "a map as a list for another program" },
	{ "table export", cmd_table_export, "--format sssd [--profile NAME] "
	    "[--map DOMAIN] FILE", "identity rules as SSSD's" },
	{ "show authorities", cmd_show_authorities, "[--config FILE [--in-force]] [--time T]",
	    "whom the policy file trusts, until when, and from which file" },
	{ "show revocation", cmd_show_revocation, "[--config FILE] [--time T]",
	    "how fresh is what is known, and who could not be reached" },
	{ "show", cmd_show, "--index DIR --issuer FILE --serial HEX",
	    "what the index says of one certificate" },
};
const size_t	num_commands = sizeof(commands) / sizeof(commands[0]);

/* Is `option` one of the words in `text`, alone or in brackets? */
static bool
names_option(const char *text, const char *option)
{
	size_t		 len = strlen(option);
	const char	*p = text;

	while ((p = strstr(p, option)) != NULL) {
		if ((p == text || p[-1] == ' ' || p[-1] == '[') &&
		    strchr(" ]", p[len]) != NULL)	/* or the end */
			return true;
		p += len;
	}
	return false;
}

/* In any row of that name: which go together is the command's business. */
static bool
takes(const struct command *command, const char *option)
{
	size_t	i;

	if (names_option(EVERYWHERE, option))
		return true;
	for (i = 0; i < num_commands; i++)
		if (strcmp(commands[i].name, command->name) == 0 &&
		    names_option(commands[i].usage, option))
			return true;
	return (command->run == cmd_check || command->run == cmd_compile ||
	    command->run == cmd_show || command->run == cmd_show_revocation ||
	    command->run == cmd_show_authorities) &&
	    names_option(LOOKS_AT_ALL, option);
}

bool
command_takes(const struct command *command, const char *option)
{
	return takes(command, option);
}

bool
command_takes_all(const char *option)
{
	return names_option(EVERYWHERE, option);
}

/* How many of the words the name takes; 0: it is another. */
static size_t
matches(const struct command *command, const struct list *words)
{
	const char	*space = strchr(command->name, ' ');
	size_t		 len = space != NULL ? (size_t)(space - command->name) :
			    strlen(command->name);

	if (words->num_items == 0 || strlen(words->items[0]) != len ||
	    memcmp(words->items[0], command->name, len) != 0)
		return 0;
	if (space == NULL)
		return 1;
	return words->num_items > 1 && strcmp(words->items[1], space + 1) == 0 ?
	    2 : 0;
}

/* "certauth pool takes setup, import, ..."; false: there is no such word. */
static bool
complain_verbs(const char *word)
{
	size_t		 i, len = strlen(word);
	bool		 any = false;

	for (i = 0; i < num_commands; i++) {
		if (strncmp(commands[i].name, word, len) != 0 ||
		    commands[i].name[len] != ' ' || (i > 0 &&
		    strcmp(commands[i].name, commands[i - 1].name) == 0))
			continue;
		if (!any)
			(void)fprintf(stderr, "certauth: expected certauth %s",
			    word);
		(void)fprintf(stderr, "%s%s", any ? " | " : " ",
		    commands[i].name + len + 1);
		any = true;
	}
	if (any)
		(void)fputs("; see certauth --help\n", stderr);
	return any;
}

const struct command *
command_find(struct args *args)
{
	const struct command	*command = NULL;
	size_t			 i, num = 0;

	for (i = 0; i < num_commands; i++)
		if (matches(&commands[i], &args->rest) > num) {
			command = &commands[i];
			num = matches(command, &args->rest);
		}
	if (command == NULL) {
		if (!complain_verbs(args->rest.items[0]))
			complain("unknown command \"%s\"; see certauth --help",
			    args->rest.items[0]);
		return NULL;
	}
	for (i = 0; i < args->given.num_items; i++)
		if (!takes(command, args->given.items[i])) {
			complain("%s is no option of certauth %s; see certauth "
			    "%s --help", args->given.items[i], command->name,
			    command->name);
			return NULL;
		}
	args->verb = num > 1 ? args->rest.items[1] : "";
	args->rest.num_items -= num;
	memmove(args->rest.items, args->rest.items + num,
	    args->rest.num_items * sizeof(*args->rest.items));
	return command;
}

/* ------------------------------------------------------------------- usage */

/* In a pipe, and at most on a terminal: long lines are hard to read. */
#define WIDTH		78
#define INDENT		15
/* Narrower ones break lines by themselves. */
#define LEAST_WIDTH	40

static const char *
text_at(size_t i)
{
	while (i > 0 && commands[i].text[0] == '\0')
		i--;
	return commands[i].text;
}

/* Words that stand in brackets together stay on one line. */
static void
print_wrapped(FILE *to, const char *text, size_t column)
{
	const char	*end;
	size_t		 len, width = terminal_width(fileno(to));
	int		 depth;

	width = width == 0 || width > WIDTH ? WIDTH :
	    width < LEAST_WIDTH ? LEAST_WIDTH : width;
	while (*text != '\0') {
		for (end = text, depth = 0; *end != '\0' && (*end != ' ' ||
		    depth > 0); end++)
			depth += *end == '[' ? 1 : *end == ']' ? -1 : 0;
		len = (size_t)(end - text);
		if (column + 1 + len > width) {
			(void)fprintf(to, "\n%*s", INDENT - 1, "");
			column = INDENT - 1;
		}
		(void)fprintf(to, " %.*s", (int)len, text);
		column += 1 + len;
		text = *end == ' ' ? end + 1 : end;
	}
}

void
command_usage(FILE *to, const char *word)
{
	size_t	i, len = strlen(word);

	for (i = 0; i < num_commands; i++) {
		if (strncmp(commands[i].name, word, len) != 0 || (len > 0 &&
		    strchr(" ", commands[i].name[len]) == NULL))
			continue;
		(void)fprintf(to, "  certauth %s", commands[i].name);
		print_wrapped(to, commands[i].usage,
		    strlen("  certauth ") + strlen(commands[i].name));
		(void)fputc('\n', to);
		if (i + 1 == num_commands || commands[i + 1].text[0] != '\0')
			(void)fprintf(to, "%*s%s\n", INDENT, "", text_at(i));
	}
}

int
command_json(void)
{
	struct option_row	 o;
	json_t			*rows = json_array(), *options = json_array(), *all;
	size_t			 i, k;

	for (i = 0; i < num_commands; i++) {
		all = json_array();
		for (k = 0; option_at(k, &o); k++)
			if (takes(&commands[i], o.name))
				add_json(all, json_string(o.name));
		add_json(rows, json_pack("{s:s,s:s,s:s,s:o}", "name",
		    commands[i].name, "usage", commands[i].usage, "text",
		    text_at(i), "options", all));
	}
	for (i = 0; option_at(i, &o); i++)
		add_json(options, json_pack("{s:s,s:s,s:b,s:b,s:s}", "name",
		    o.name, "value", o.value, "many", o.many, "everywhere",
		    names_option(EVERYWHERE, o.name), "text", o.text));
	return print_json(json_pack("{s:o,s:o}", "commands", rows, "options",
	    options), EXIT_FINE);
}
