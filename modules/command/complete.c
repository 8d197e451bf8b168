/*
 * complete.c - which words may come next on the command line?
 *
 * For the shells (conf-examples/completions): they hand over the words before the
 * one that is typed and get one candidate a line; none means a file. From the same
 * tables that read the words, so nothing is listed twice.
 */

#include <string.h>

#include "command.h"

/* The row of that option; false: there is no such one. */
static bool
find_option(const char *word, struct option_row *row_r)
{
	size_t	i;

	for (i = 0; option_at(i, row_r); i++)
		if (strcmp(row_r->name, word) == 0)
			return true;
	return false;
}

/* "client|email|any|OID": what stands in capitals is typed by hand. */
static void
print_values(const char *values)
{
	size_t	len;

	while (*values != '\0') {
		len = strcspn(values, "|");
		if (len > 0 && (*values < 'A' || *values > 'Z'))
			(void)printf("%.*s\n", (int)len, values);
		values += len;
		values += *values == '|';
	}
}

/* The command's words among all of them: neither options nor their values. */
static size_t
command_words(char **words, size_t num, const char *found_r[2])
{
	struct option_row	 row;
	size_t			 i, n = 0;

	for (i = 0; i < num && n < 2; i++) {
		if (words[i][0] != '-')
			found_r[n++] = words[i];
		else if (find_option(words[i], &row) && row.value[0] != '\0')
			i++;
	}
	return n;
}

/* Does the row's name begin with these words? Then *rest_r is its next one. */
static bool
begins(const struct command *command, const char *const words[2], size_t n,
    const char **rest_r)
{
	const char	*name = command->name;
	size_t		 i, len;

	for (i = 0; i < n && *name != '\0'; i++) {
		len = strcspn(name, " ");
		if (strlen(words[i]) != len || memcmp(words[i], name, len) != 0)
			return false;
		name += len;
		name += *name == ' ';
	}
	*rest_r = name;
	return true;
}

int
cmd_complete(size_t num, char **words)
{
	const char		*found[2], *rest, *last = "";
	struct option_row	 row;
	size_t			 i, k, n = command_words(words, num, found);
	bool			 any;

	if (num > 0 && words[num - 1][0] == '-' &&
	    find_option(words[num - 1], &row) && row.value[0] != '\0') {
		print_values(row.value);
		return EXIT_FINE;
	}
	for (i = 0; i < num_commands; i++) {
		if (!begins(&commands[i], found, n, &rest) || *rest == '\0' ||
		    strncmp(last, rest, strcspn(rest, " ")) == 0)
			continue;
		(void)printf("%.*s\n", (int)strcspn(rest, " "), rest);
		last = rest;
	}
	for (k = 0; option_at(k, &row); k++) {
		for (i = 0, any = false; i < num_commands && !any; i++)
			any = begins(&commands[i], found, n, &rest) &&
			    (n > 0 ? command_takes(&commands[i], row.name) :
			    command_takes_all(row.name));
		if (any)
			(void)printf("%s\n", row.name);
	}
	return EXIT_FINE;
}
