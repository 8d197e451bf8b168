/*
 * fuzz_log_lines.c - is every line of a log either no decision, refused with a word,
 * or values that can be shown; and can no name in a line pass for another field?
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "identity.h"

/* The command's reader is no part of the library. */
#include "../../modules/command/log_lines.c"

#define MAX_SHOWN	4096

int
complain(const char *format, ...)
{
	(void)format;
	return EXIT_USAGE;
}

void
progress_bytes(size_t done, size_t total, const char *name)
{
	(void)done;
	(void)total;
	(void)name;
}

static void
must_be_shown(const json_t *row)
{
	char		 shown[MAX_SHOWN];
	const json_t	*value;
	const char	*key;

	json_object_foreach((json_t *)(uintptr_t)row, key, value)
		if (json_is_string(value) &&
		    json_string_length(value) < sizeof(shown) / 4)
			MUST(strcmp(json_string_value(value), certauth_printable(
			    shown, sizeof(shown), json_string_value(value))) == 0);
}

/* Whoever chose the line. */
static void
read_line(const char *line)
{
	const char	*why = NULL;
	json_t		*row = log_lines_parse(line, &why);

	MUST(row == NULL || why == NULL);
	MUST(row == NULL || json_is_string(json_object_get(row, "result")));
	must_be_shown(row);
	json_decref(row);
}

static void
must_be(const json_t *row, const char *key, const char *value)
{
	const char	*got = json_string_value(json_object_get(row, key));

	MUST(got != NULL && strcmp(got, value) == 0);
}

/* Whoever chose the names in a line of ours, behind what the server writes. */
static void
read_ours(const char *name)
{
	struct text	 line = { 0 };
	char		 shown[MAX_SHOWN];
	const char	*why;
	json_t		*row;

	(void)certauth_printable(shown, sizeof(shown), name);
	text_add(&line, "2026/03/01 12:00:00 [error] 4#4: *4 certauth: REJECT "
	    "1506 new-key user=\"\" profile=staff serial=0A "
	    "not_after=2027-03-01T12:00:00Z");
	text_add_quoted(&line, "subject", shown);
	text_add_quoted(&line, "issuer", shown);
	text_add(&line, " id=7");
	text_add_quoted(&line, "detail", shown);
	text_add(&line, ", client: 192.0.2.7, server: www");
	MUST(!line.failed);
	row = log_lines_parse(line.data, &why);
	MUST(row != NULL);
	MUST(json_object_size(row) == 10);
	must_be(row, "result", "reject");
	must_be(row, "reason", "new-key");
	must_be(row, "user", "");
	must_be(row, "profile", "staff");
	must_be(row, "serial", "0A");
	must_be(row, "notAfter", "2027-03-01T12:00:00Z");
	must_be(row, "id", "7");
	must_be(row, "subject", shown);
	must_be(row, "issuer", shown);
	must_be(row, "message", shown);
	json_decref(row);
	text_free(&line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	*line = malloc(size + 1);

	MUST(line != NULL);
	if (size > 0)
		memcpy(line, data, size);
	line[size] = '\0';	/* a NUL ends it, as getline() and all behind it do */
	line[strcspn(line, "\r\n")] = '\0';
	read_line(line);
	read_ours(line);
	free(line);
	return 0;
}
