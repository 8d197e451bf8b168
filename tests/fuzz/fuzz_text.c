/*
 * fuzz_text.c - is what we show of hostile bytes always one printable line?
 *
 * And do the small notations hold what they promise: a time or a duration that is
 * taken can be printed and read back.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "fuzz_text: %s\n", what);
		abort();
	}
}

/* Valid UTF-8, nothing that moves the cursor, turns the line or hides. */
static void
check_line(const char *line)
{
	static const char *const	never[] = {
		"\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaa", "\xe2\x80\xab",
		"\xe2\x80\xac", "\xe2\x80\xad", "\xe2\x80\xae", "\xe2\x81\xa6",
		"\xe2\x81\xa7", "\xe2\x81\xa8", "\xe2\x81\xa9", "\xe2\x80\x8e",
		"\xe2\x80\x8f", "\xd8\x9c", "\xef\xbb\xbf", "\"",
	};
	size_t				i, len = strlen(line);

	check(text_utf8_valid(line, len), "not UTF-8");
	check(!text_has_control(line, len), "a control character");
	for (i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		check(strstr(line, never[i]) == NULL, "a hidden character");
}

static void
fuzz_printable(const uint8_t *data, size_t size)
{
	struct text	text = { 0 };
	char		buf[64];
	size_t		buf_len = size == 0 ? 1 : 1 + data[0] % sizeof(buf);

	memset(buf, 'X', sizeof(buf));
	text_printable(buf, buf_len, data, size);
	check(memchr(buf, '\0', buf_len) != NULL, "not terminated");
	check_line(buf);

	text_add(&text, "");
	text_add_printable(&text, data, size, SIZE_MAX);
	check(!text.failed, "failed");
	check(strlen(text.data) == text.len, "a NUL");
	check_line(text.data);
	/* What needs no escape is shown as it is. */
	check(text.len >= size, "something was left out");
	text_free(&text);

	text_add_printable(&text, data, size, size / 2);
	if (text.data != NULL) {
		check_line(text.data);
		check(text.len <= size / 2 * 4 + 3, "over its bound");
	}
	text_free(&text);
}

static void
fuzz_notations(const char *string)
{
	struct certauth_error	error;
	unsigned char		bytes[32];
	struct text		text = { 0 };
	int64_t			seconds, again;
	size_t			len, again_len;
	char			buf[32];

	if (text_time_parse(string, &seconds)) {
		text_time_print(buf, sizeof(buf), seconds);
		check(text_time_parse(buf, &again) && again == seconds,
		    "a time that changed");
	}
	if (text_duration_parse(string, &seconds))
		check(seconds >= 0 && seconds < (int64_t)1 << 40,
		    "a strange duration");
	if (text_hex_parse(string, bytes, sizeof(bytes), &len)) {
		unsigned char	other[32];

		check(len > 0 && len <= sizeof(bytes), "a strange length");
		text_add_hex(&text, bytes, len);
		check(text_hex_parse(text.data, other, sizeof(other),
		    &again_len) && again_len == len &&
		    memcmp(bytes, other, len) == 0, "hex that changed");
		text_free(&text);
	}
	error_set(&error, string, 1, "found %s", string);
	check(text_utf8_valid(error.text, strlen(error.text)) &&
	    !text_has_control(error.text, strlen(error.text)) &&
	    text_utf8_valid(error.file, strlen(error.file)) &&
	    !text_has_control(error.file, strlen(error.file)), "an error line");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	*string;

	fuzz_printable(data, size);
	string = malloc(size + 1);
	if (string == NULL)
		return 0;
	if (size != 0)
		memcpy(string, data, size);
	string[size] = '\0';
	fuzz_notations(string);
	text_lower_ascii(string, size);
	free(string);
	return 0;
}
