/*
 * main.c - certauth: ask on a terminal what the servers ask.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "json.h"
#include "terminal.h"

int
complain(const char *format, ...)
{
	va_list	ap;

	progress_hold();
	(void)fputs("certauth: ", stderr);
	va_start(ap, format);
	(void)vfprintf(stderr, format, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	progress_release();
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

int
complain_fault(const struct certauth_error *error)
{
	bool	theirs = errno == EINVAL;

	(void)complain_error(error);
	return theirs ? EXIT_REJECTED : EXIT_USAGE;
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
usage(FILE *to, const struct args *args)
{
	char	word[64] = "";

	if (args->rest.num_items > 0)
		(void)snprintf(word, sizeof(word), "%s%s%s",
		    args->rest.items[0], args->rest.num_items > 1 ? " " : "",
		    args->rest.num_items > 1 ? args->rest.items[1] : "");
	(void)fputs("usage: certauth [--config FILE] [--json] COMMAND ...\n\n",
	    to);
	command_usage(to, word);
	(void)fputs("\nThe policy file is " DEFAULT_CONFIG " unless --config "
	    "names another.\nExit status: 0 accepted or fine, 1 rejected or "
	    "faults found, 2 usage or I/O.\n", to);
	return to == stdout ? EXIT_FINE : EXIT_USAGE;
}

static int
run(struct args *args)
{
	const struct command	*command;
	bool			 help = args->help;

	if (args->version && args->json)
		return print_json(json_pack("{s:s}", "version",
		    certauth_version()), EXIT_FINE);
	if (args->version) {
		(void)printf("%s\n", certauth_version());
		return EXIT_FINE;
	}
	if (args->rest.num_items > 0 &&
	    strcmp(args->rest.items[0], "help") == 0) {
		help = true;
		args->rest.num_items--;
		memmove(args->rest.items, args->rest.items + 1,
		    args->rest.num_items * sizeof(*args->rest.items));
	}
	if (help)
		return args->json ? command_json() : usage(stdout, args);
	if (args->rest.num_items == 0)
		return usage(stderr, args);
	command = command_find(args);
	return command != NULL ? command->run(args) : EXIT_USAGE;
}

int
main(int argc, char **argv)
{
	struct args	args;
	int		status;

	/* Before anything is read: these are words of a line that is not done. */
	if (argc > 1 && strcmp(argv[1], "complete") == 0)
		return cmd_complete((size_t)argc - 2, argv + 2);
	status = args_read(&args, argc - 1, argv + 1) ? run(&args) : EXIT_USAGE;
	progress_end();
	args_free(&args);
	/* A full disk behind the pipe: what was promised is not there. */
	if (fflush(stdout) != 0 || ferror(stdout))
		status = complain("the output cannot be written");
	return status;
}
