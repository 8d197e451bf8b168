/*
 * scan.c - which tokens does this file hold?
 *
 * Every byte is accounted for: what passes here, libconfig reads the same way.
 * Writes the tokens out about one a line, so that each line of the output has
 * one place in one file. Opens no file and knows no setting.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/scan.h"

/* ------------------------------------------------------------------ faults */

static bool
fault_at(const struct cursor *cur, unsigned line, const char *text)
{
	error_set(cur->scan->error_r, cur->scan->source->files[cur->file], line,
	    "%s", text);
	return false;
}

/* At the byte the cursor is on. */
bool
scan_fault(const struct cursor *cur, const char *text)
{
	fault_at(cur, cur->line, text);
	if (cur->scan->error_r != NULL)
		cur->scan->error_r->column =
		    (unsigned)(cur->at - cur->line_start) + 1;
	return false;
}

static bool
fault_word(const struct cursor *cur, const char *data, size_t data_len,
    const char *text)
{
	char	shown[96];

	text_printable(shown, sizeof(shown), data, data_len);
	error_set(cur->scan->error_r, cur->scan->source->files[cur->file],
	    cur->line, "found \"%s\"; %s", shown, text);
	if (cur->scan->error_r != NULL)
		cur->scan->error_r->column =
		    (unsigned)(data - cur->line_start) + 1;
	return false;
}

bool
scan_no_memory(const struct scan *scan)
{
	error_set(scan->error_r, NULL, 0, "out of memory");
	return false;
}

/* ------------------------------------------------------------------ output */

static bool
new_line(struct cursor *cur)
{
	struct scan		*scan = cur->scan;
	struct conf_source		*source = scan->source;
	struct conf_place	*places;
	size_t			 more;

	if (source->num_places == scan->place_capacity) {
		more = scan->place_capacity == 0 ? 256 :
		    scan->place_capacity * 2;
		places = reallocarray(source->places, more, sizeof(*places));
		if (places == NULL)
			return scan_no_memory(scan);
		source->places = places;
		scan->place_capacity = more;
	}
	if (source->num_places != 0)
		text_add(&scan->out, "\n");
	source->places[source->num_places].file = cur->file;
	source->places[source->num_places].line = cur->line;
	source->num_places++;
	return true;
}

/*
 * libconfig gives the element of a list the line of the token behind it when the
 * element is a string (it waits for more strings to append), so what follows a
 * string stays on the string's line.
 */
static bool
emit(struct cursor *cur, const char *data, size_t data_len)
{
	struct scan	*scan = cur->scan;
	bool		 is_string = data[0] == '"';

	if (cur->include_line == cur->line)
		return fault_word(cur, data, data_len,
		    "expected nothing behind an @include on its line");
	if (scan->last_string && !is_string)
		text_add(&scan->out, " ");
	else if (!new_line(cur))
		return false;
	text_add_n(&scan->out, data, data_len);
	scan->last_string = is_string;
	cur->token_line = cur->line;
	if (scan->out.failed)
		return scan_no_memory(scan);
	return true;
}

/* ------------------------------------------------------------------ tokens */

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
take_block_comment(struct cursor *cur)
{
	unsigned	line = cur->line;

	for (cur->at += 2; cur->at < cur->end; cur->at++) {
		if (*cur->at == '\n') {
			cur->line++;
			cur->line_start = cur->at + 1;
		}
		if (cur->end - cur->at >= 2 && cur->at[0] == '*' &&
		    cur->at[1] == '/') {
			cur->at += 2;
			return true;
		}
	}
	return fault_at(cur, line, "comment begins here and never ends; "
	    "expected */");
}

static void
skip_line(struct cursor *cur)
{
	while (cur->at < cur->end && *cur->at != '\n')
		cur->at++;
}

/*
 * The closing quote of the string that begins at cur->at, NULL after a fault.
 * Strings that span lines are refused: the usual reason is a forgotten quote,
 * and at the start of a line nothing but libconfig's own words may stand.
 */
static const char *
string_end(struct cursor *cur)
{
	const char	*at;

	for (at = cur->at + 1; at < cur->end && *at != '\n'; at++) {
		if (*at == '"')
			return at;
		if (*at != '\\' || cur->end - at < 2)
			continue;
		if (cur->end - at >= 4 && (at[1] == 'x' || at[1] == 'X') &&
		    at[2] == '0' && at[3] == '0') {
			cur->at = at;
			scan_fault(cur, "found \\x00 in a string; expected no NUL");
			return NULL;
		}
		/* A quote or backslash behind it is not the end. */
		if (at[1] == '"' || at[1] == '\\')
			at++;
	}
	scan_fault(cur, "string is not closed on its line; expected \"");
	return NULL;
}

static bool
take_string(struct cursor *cur)
{
	const char	*begin = cur->at, *last;

	last = string_end(cur);
	if (last == NULL)
		return false;
	cur->at = last + 1;
	return emit(cur, begin, (size_t)(cur->at - begin));
}

static bool
take_name(struct cursor *cur)
{
	const char	*begin = cur->at;
	size_t		 len;

	while (cur->at < cur->end && (is_letter(*cur->at) ||
	    is_digit(*cur->at) || strchr("-_*", *cur->at) != NULL))
		cur->at++;
	len = (size_t)(cur->at - begin);
	if (len > SOURCE_MAX_NAME)
		return fault_word(cur, begin, len,
		    "expected a name of at most 64 bytes");
	return emit(cur, begin, len);
}

static bool
take_number(struct cursor *cur)
{
	const char	*begin = cur->at, *digits;
	size_t		 len, i;
	bool		 good;

	while (cur->at < cur->end && (is_letter(*cur->at) ||
	    is_digit(*cur->at) || strchr("+-._", *cur->at) != NULL))
		cur->at++;
	len = (size_t)(cur->at - begin);
	digits = *begin == '-' ? begin + 1 : begin;
	good = digits < cur->at && cur->at - digits <= 9;
	for (i = 0; good && i < (size_t)(cur->at - digits); i++)
		good = is_digit(digits[i]);
	if (good && digits[0] == '0' && cur->at - digits > 1)
		good = false;
	if (!good)
		return fault_word(cur, begin, len, "expected a whole number of "
		    "at most nine digits; durations are strings as \"72h\"");
	return emit(cur, begin, len);
}

static bool
take_open(struct cursor *cur, char closes)
{
	if (cur->scan->nesting == SOURCE_MAX_NESTING)
		return scan_fault(cur, "too many groups and lists within each other");
	cur->scan->nesting++;
	cur->open[cur->num_open].closes = closes;
	cur->open[cur->num_open].line = cur->line;
	cur->num_open++;
	cur->at++;
	return emit(cur, cur->at - 1, 1);
}

static bool
take_close(struct cursor *cur)
{
	char	found = *cur->at, text[128];

	if (cur->num_open == 0)
		return fault_word(cur, cur->at, 1,
		    "expected no closing bracket, none is open in this file");
	if (cur->open[cur->num_open - 1].closes != found) {
		snprintf(text, sizeof(text), "expected \"%c\" for the bracket "
		    "opened in line %u", cur->open[cur->num_open - 1].closes,
		    cur->open[cur->num_open - 1].line);
		return fault_word(cur, cur->at, 1, text);
	}
	cur->num_open--;
	cur->scan->nesting--;
	cur->at++;
	return emit(cur, cur->at - 1, 1);
}

static bool
take_mark(struct cursor *cur)
{
	if ((*cur->at == '=' || *cur->at == ':') &&
	    ++cur->scan->settings > SOURCE_MAX_SETTINGS)
		return scan_fault(cur, "more than 16384 settings");
	cur->at++;
	return emit(cur, cur->at - 1, 1);
}

/* ----------------------------------------------------------------- include */

/*
 * The name in @include "NAME", NULL after a fault. The cursor is on the "@" and
 * ends behind the closing quote. The caller frees it.
 */
static char *
include_name(struct cursor *cur)
{
	static const char	word[] = "@include";
	const char		*begin, *last;
	char			*name;

	if (cur->token_line == cur->line || cur->include_line == cur->line) {
		scan_fault(cur, "found \"@\"; expected @include alone on its line");
		return NULL;
	}
	if ((size_t)(cur->end - cur->at) < sizeof(word) - 1 ||
	    memcmp(cur->at, word, sizeof(word) - 1) != 0) {
		scan_fault(cur, "found \"@\"; expected @include \"FILE\"");
		return NULL;
	}
	cur->at += sizeof(word) - 1;
	while (cur->at < cur->end && (*cur->at == ' ' || *cur->at == '\t'))
		cur->at++;
	if (cur->at == cur->end || *cur->at != '"') {
		scan_fault(cur, "expected @include \"FILE\", the name of one file in "
		    "quotes");
		return NULL;
	}
	begin = cur->at + 1;
	last = string_end(cur);
	if (last == NULL)
		return NULL;
	if (last == begin || memchr(begin, '\\', (size_t)(last - begin)) != NULL) {
		scan_fault(cur, "found an empty file name or one with a backslash; "
		    "expected @include \"FILE\"");
		return NULL;
	}
	cur->at = last + 1;
	name = strndup(begin, (size_t)(last - begin));
	if (name == NULL)
		scan_no_memory(cur->scan);
	return name;
}

static bool
take_include(struct cursor *cur)
{
	char	*name;
	bool	 ok;

	name = include_name(cur);
	if (name == NULL)
		return false;
	cur->include_line = cur->line;
	ok = scan_include(cur, name);
	free(name);
	return ok;
}

/* ------------------------------------------------------------------- bytes */

/* Bytes that no line of a policy file needs, wherever they stand. */
static bool
check_bytes(struct cursor *cur)
{
	const char	*at = cur->at;

	if (cur->end - at >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
		return scan_fault(cur, "begins with a byte order mark; expected "
		    "UTF-8 without one");
	for (; cur->at < cur->end; cur->at++) {
		if (*cur->at == '\n') {
			/* Line by line, so that the fault has its line. */
			if (!text_utf8_valid(cur->line_start,
			    (size_t)(cur->at - cur->line_start)))
				break;
			cur->line++;
			cur->line_start = cur->at + 1;
		} else if (*cur->at == '\0')
			return scan_fault(cur, "found a NUL byte; expected text");
		else if (*cur->at == '\r') {
			if (cur->end - cur->at < 2 || cur->at[1] != '\n')
				return scan_fault(cur, "found a carriage return that "
				    "ends no line; expected a line feed");
		} else if (((unsigned char)*cur->at < 0x20 &&
		    *cur->at != '\t') || *cur->at == 0x7f)
			return scan_fault(cur, "found a control character; expected "
			    "text");
	}
	if (!text_utf8_valid(cur->line_start,
	    (size_t)(cur->at - cur->line_start)))
		return fault_at(cur, cur->line, "line is not valid UTF-8");
	cur->at = at;
	cur->line = 1;
	cur->line_start = at;
	return true;
}

static bool
take_token(struct cursor *cur)
{
	char	c = *cur->at;

	switch (c) {
	case '\n':
		cur->line++;
		cur->line_start = cur->at + 1;
		cur->at++;
		return true;
	case ' ':
	case '\t':
	case '\r':
		cur->at++;
		return true;
	case '#':
		skip_line(cur);
		return true;
	case '/':
		if (cur->end - cur->at >= 2 && cur->at[1] == '/') {
			skip_line(cur);
			return true;
		}
		if (cur->end - cur->at >= 2 && cur->at[1] == '*')
			return take_block_comment(cur);
		break;
	case '"':
		return take_string(cur);
	case '@':
		return take_include(cur);
	case '{':
		return take_open(cur, '}');
	case '(':
		return take_open(cur, ')');
	case '[':
		return take_open(cur, ']');
	case '}':
	case ')':
	case ']':
		return take_close(cur);
	case '=':
	case ':':
	case ',':
	case ';':
		return take_mark(cur);
	default:
		if (is_letter(c) || c == '*')
			return take_name(cur);
		if (is_digit(c) || c == '-' || c == '+' || c == '.')
			return take_number(cur);
		break;
	}
	return fault_word(cur, cur->at, 1, "expected a name, a value or one of "
	    "= : ; , { } ( ) [ ] ; texts stand in quotes");
}

bool
scan_bytes(struct scan *scan, unsigned file, const struct file_bytes *bytes)
{
	struct cursor	cur = { .scan = scan, .file = file, .line = 1 };

	cur.at = cur.line_start = (const char *)bytes->data;
	cur.end = cur.at + bytes->data_len;
	if (!check_bytes(&cur))
		return false;
	while (cur.at < cur.end)
		if (!take_token(&cur))
			return false;
	/* A file that was cut, or half of a group put into an include. */
	if (cur.num_open != 0)
		return fault_at(&cur, cur.open[cur.num_open - 1].line,
		    "bracket opened here is never closed in this file");
	return true;
}
