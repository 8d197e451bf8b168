/*
 * main.c - certauth: ask on a terminal what the servers ask.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "command.h"

static const struct {
	const char	*name;
	int		(*run)(struct args *);
	const char	*help;
} commands[] = {
	{ "verify", cmd_verify,
	    "verify [--config FILE] --profile NAME [--sent FILE] CERT\n"
	    "      verify --roots FILE... [--intermediates FILE]... [--crls FILE]...\n"
	    "             [--ocsp-response FILE]...\n"
	    "             [--purpose client|email|any|OID] [--require-policy OID]...\n"
	    "             [--explicit-policy] [--inhibit-any-policy]\n"
	    "             [--inhibit-policy-mapping] [--max-depth N] [--email ADDR]\n"
	    "             [--revocation none|leaf|chain] CERT\n"
	    "          may this certificate in, and as whom?" },
	{ "explain", cmd_explain,
	    "explain [the same]\n"
	    "          the whole story: every path tried, what failed, what to do" },
	{ "check", cmd_check,
	    "check [--config FILE] [--user NAME]...\n"
	    "          opens everything as the servers' users would" },
	{ "compile", cmd_compile,
	    "compile [--config FILE]\n"
	    "      compile --issuers FILE... --output DIR CRL...\n"
	    "          CRLs into the index that all processes map" },
	{ "publish", cmd_publish,
	    "publish [--config FILE] FILE\n"
	    "          hands in a CRL, as if the refresher had fetched it" },
	{ "override", cmd_override,
	    "override AUTHORITY --stale-until TIME --reason TEXT\n"
	    "      override AUTHORITY --end\n"
	    "          in an emergency stale data counts for longer; ends by itself" },
	{ "deny", cmd_deny,
	    "deny [--profile NAME] CERT | user:NAME | mailbox:ADDR | serial:HEX\n"
	    "             --reason TEXT [--until TIME]\n"
	    "          out, in two seconds, at every door" },
	{ "allow", cmd_allow,
	    "allow [--profile NAME] CERT | user:NAME | mailbox:ADDR | serial:HEX\n"
	    "          takes such lines out of the denied files again" },
	{ "pool", cmd_pool,
	    "pool setup [--config FILE] [--from DIR] [FILE...]\n"
	    "          PersonalSign from nothing: its CAs, profiles, policy file\n"
	    "      pool import FILE... | fetch | check | diff RECORD.csv\n"
	    "          the CAs beside the policy file, by SHA-256\n"
	    "      pool pending [LOG...] | accept SHA256 [AUTHORITY] [FILE...]\n"
	    "          issuing CAs that were seen and are not listed" },
	{ "map", cmd_map,
	    "map enroll [--profile NAME] --user USER [--groups G,G] [--dry-run] CERT\n"
	    "      map enroll [--profile NAME] --csv FILE     (rows: CERT,USER[,GROUP;GROUP])\n"
	    "      map enroll --pending LOG...\n"
	    "          a line for a good certificate that no login knows yet\n"
	    "      map --explain [--profile NAME] [--service http|imap|...] CERT|FOLDER...\n"
	    "          what each rule matched, took and found; of several, a table\n"
	    "      map list | map remove CERT | KEY | user:NAME  [--profile NAME]\n"
	    "          the maps of the profile's rules" },
	{ "forecast", cmd_forecast,
	    "forecast [--profile NAME] [--until TIME] FOLDER | LOG.json | CERT...\n"
	    "          who will be refused, when and why (90 days unless --until)" },
	{ "table", cmd_table,
	    "table build --output FILE MAP...\n"
	    "          maps into one compiled table; also for a million users\n"
	    "      table check MAP | table lookup MAP KEY\n"
	    "          is it good, and what does it say?\n"
	    "      table import | export --format grid-mapfile | pg_ident | ad | sssd\n"
	    "             [--map NAME] FILE\n"
	    "          maps of other programs, and maps for them" },
	{ "show", cmd_show,
	    "show revocation [--config FILE]\n"
	    "          how fresh is what is known, and who could not be reached\n"
	    "      show --index DIR --issuer FILE --serial HEX\n"
	    "          what the index says of one certificate" },
};
#define NUM_COMMANDS	(sizeof(commands) / sizeof(commands[0]))

int
complain(const char *format, ...)
{
	va_list	ap;

	(void)fputs("certauth: ", stderr);
	va_start(ap, format);
	(void)vfprintf(stderr, format, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	return EXIT_USAGE;
}

int
complain_error(const struct certauth_error *error)
{
	if (error->file[0] != '\0' && error->line > 0)
		return complain("%s:%u: %s", error->file, error->line,
		    error->text);
	if (error->file[0] != '\0')
		return complain("%s: %s", error->file, error->text);
	return complain("%s", error->text);
}

void
print_notes(struct certauth *engine)
{
	struct certauth_note	note;

	while (certauth_take_note(engine, &note))
		complain("%s: %s", note.severity == CERTAUTH_FATAL ? "error" :
		    note.severity == CERTAUTH_WARNING ? "warning" : "note",
		    note.text);
}

static int
usage(FILE *to)
{
	size_t	i;

	(void)fputs("usage: certauth [--config FILE] [--profile NAME] [--json] "
	    "[--time T] COMMAND ...\n\n", to);
	for (i = 0; i < NUM_COMMANDS; i++)
		(void)fprintf(to, "  certauth %s\n", commands[i].help);
	(void)fputs("\nThe policy file is " DEFAULT_CONFIG " unless --config "
	    "names another.\nExit status: 0 accepted or fine, 1 rejected or "
	    "faults found, 2 usage or I/O.\n", to);
	return to == stdout ? EXIT_FINE : EXIT_USAGE;
}

int
main(int argc, char **argv)
{
	struct args	args;
	size_t		i, k;
	int		status;

	if (!args_read(&args, argc - 1, argv + 1)) {
		args_free(&args);
		return EXIT_USAGE;
	}
	if (args.version) {
		(void)printf("%s\n", certauth_version());
		status = EXIT_FINE;
	} else if (args.help) {
		status = usage(stdout);
	} else if (args.rest.num_items == 0) {
		status = usage(stderr);
	} else {
		status = -1;
		for (i = 0; i < NUM_COMMANDS; i++) {
			if (strcmp(args.rest.items[0], commands[i].name) != 0)
				continue;
			args.rest.num_items--;
			for (k = 0; k < args.rest.num_items; k++)
				args.rest.items[k] = args.rest.items[k + 1];
			status = commands[i].run(&args);
			break;
		}
		if (status < 0)
			status = complain("unknown command \"%s\"; see "
			    "certauth --help", args.rest.items[0]);
	}
	args_free(&args);
	return status;
}
