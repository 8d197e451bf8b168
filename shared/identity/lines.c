/*
 * lines.c - which words does this line of a map or denied file hold?
 *
 * Splits and checks bytes. Does not know what the words mean.
 */

#include <string.h>

#include "base/text.h"
#include "identity/lines.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

void
lines_init(struct lines *lines, char *data, size_t data_len, const char *file)
{
	memset(lines, 0, sizeof(*lines));
	lines->file = file;
	lines->next = data;
	lines->end = data + data_len;
	lines->at = data;
	/* Windows editors write a byte order mark; as part of the first key it
	 * would make that one person unknown, and nobody could see why. */
	if (data_len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
		lines->next += 3;
}

/* One pass for the plain ASCII that most lines are. */
static const char *
line_fault(const char *data, size_t data_len)
{
	unsigned char	c;
	bool		ascii = true;
	size_t		i;

	for (i = 0; i < data_len; i++) {
		c = (unsigned char)data[i];
		if (c >= 0x80)
			ascii = false;
		else if (c == '\0')
			return "a NUL byte";
		else if ((c < 0x20 && c != '\t') || c == 0x7f)
			return "a control character";
	}
	if (ascii)
		return NULL;
	if (!text_utf8_valid(data, data_len))
		return "bytes that are not UTF-8";
	for (i = 0; i + 1 < data_len; i++)
		/* C1 controls, U+0080 to U+009F */
		if ((unsigned char)data[i] == 0xc2 &&
		    (unsigned char)data[i + 1] < 0xa0)
			return "a control character";
	return NULL;
}

enum lines_result
lines_next(struct lines *lines, struct certauth_error *error_r)
{
	char		*start, *stop;
	const char	*fault;
	size_t		 len;

	while (lines->next < lines->end) {
		start = lines->next;
		stop = memchr(start, '\n', (size_t)(lines->end - start));
		if (stop == NULL)
			stop = lines->end;
		lines->next = stop < lines->end ? stop + 1 : stop;
		lines->line++;
		len = (size_t)(stop - start);
		if (len > 0 && start[len - 1] == '\r')
			len--;
		if (len > LINES_MAX_LINE) {
			error_set(error_r, lines->file, lines->line,
			    "found a line of %zu bytes, expected at most %u",
			    len, LINES_MAX_LINE);
			return LINES_BAD;
		}
		fault = line_fault(start, len);
		if (fault != NULL) {
			error_set(error_r, lines->file, lines->line,
			    "found %s, expected printable UTF-8", fault);
			return LINES_BAD;
		}
		start[len] = '\0';	/* over the line's end */
		while (is_blank(*start))
			start++;
		if (*start == '\0' || *start == '#')
			continue;
		lines->at = start;
		return LINES_GOT;
	}
	return LINES_END;
}

static enum lines_result
quoted_word(struct lines *lines, struct word *word_r,
    struct certauth_error *error_r)
{
	char	*from = lines->at + 1, *to = from;

	word_r->data = from;
	word_r->quoted = true;
	for (; *from != '"'; from++) {
		if (*from == '\\' && (from[1] == '"' || from[1] == '\\'))
			from++;
		else if (*from == '\\') {
			error_set(error_r, lines->file, lines->line,
			    "found a backslash inside quotes, expected \\\" or "
			    "\\\\ there");
			return LINES_BAD;
		} else if (*from == '\0' || *from == '\t') {
			error_set(error_r, lines->file, lines->line,
			    "found %s, expected a closing \"",
			    *from == '\t' ? "a tab inside quotes" :
			    "the end of the line");
			return LINES_BAD;
		}
		*to++ = *from;
	}
	from++;
	if (*from != '\0' && !is_blank(*from)) {
		error_set(error_r, lines->file, lines->line,
		    "found text right behind a closing \", expected a blank");
		return LINES_BAD;
	}
	lines->at = from;
	*to = '\0';		/* at most over the closing quote */
	word_r->data_len = (size_t)(to - word_r->data);
	return LINES_GOT;
}

enum lines_result
lines_word(struct lines *lines, struct word *word_r,
    struct certauth_error *error_r)
{
	char	*p;

	memset(word_r, 0, sizeof(*word_r));
	while (is_blank(*lines->at))
		lines->at++;
	if (*lines->at == '\0' || *lines->at == '#')
		return LINES_END;
	if (*lines->at == '"')
		return quoted_word(lines, word_r, error_r);
	word_r->data = lines->at;
	for (p = lines->at; *p != '\0' && !is_blank(*p); p++)
		if (*p == '"') {
			error_set(error_r, lines->file, lines->line,
			    "found a \" in the middle of a word, expected the "
			    "whole word in quotes");
			return LINES_BAD;
		}
	word_r->data_len = (size_t)(p - word_r->data);
	lines->at = *p != '\0' ? p + 1 : p;
	*p = '\0';
	return LINES_GOT;
}

void
lines_rest(struct lines *lines, struct word *word_r)
{
	memset(word_r, 0, sizeof(*word_r));
	while (is_blank(*lines->at))
		lines->at++;
	word_r->data = lines->at;
	word_r->data_len = strlen(lines->at);
	while (word_r->data_len > 0 &&
	    is_blank(word_r->data[word_r->data_len - 1]))
		word_r->data_len--;
	word_r->data[word_r->data_len] = '\0';
	lines->at = word_r->data + word_r->data_len;
}
