/*
 * text.c - what may be shown?
 *
 * A growing string, and hostile bytes made safe to print. Never looks at the
 * locale. What words mean is in notation.c.
 */

#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* A text is an explanation or a log line; a verdict's memory is smaller. */
#define TEXT_MAX_LEN	(64u * 1024 * 1024)
#define TEXT_FIRST	128u

struct code_range { uint32_t first, last; };

/*
 * Well-formed, but not to be shown as it is: it breaks the line, turns its
 * direction or cannot be seen, so that two different names look the same.
 */
static const struct code_range hidden[] = {
	{ 0x00, 0x1f }, { 0x7f, 0x9f }, { 0xad, 0xad }, { 0x034f, 0x034f },
	{ 0x061c, 0x061c }, { 0x115f, 0x1160 }, { 0x17b4, 0x17b5 },
	{ 0x180b, 0x180f }, { 0x200b, 0x200f }, { 0x2028, 0x202e },
	{ 0x2060, 0x206f }, { 0x3164, 0x3164 }, { 0xfdd0, 0xfdef },
	{ 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 },
	{ 0xfff0, 0xfffb }, { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a },
	{ 0xe0000, 0xe0fff },
	{ '"', '"' }, { '\\', '\\' }
};

/* ------------------------------------------------------------------- UTF-8 */

/*
 * Length of the well-formed sequence at data[0] (RFC 3629 section 4, the table
 * of byte ranges), 0 when there is none.
 */
static size_t
utf8_sequence(const unsigned char *data, size_t data_len, uint32_t *code_r)
{
	unsigned char	lead, low = 0x80, high = 0xbf;
	size_t		i, len;
	uint32_t	code;

	if (data_len == 0)
		return 0;
	lead = data[0];
	if (lead < 0x80) {
		*code_r = lead;
		return 1;
	}
	if (lead >= 0xc2 && lead <= 0xdf) {
		len = 2;
		code = lead & 0x1fu;
	} else if (lead >= 0xe0 && lead <= 0xef) {
		len = 3;
		code = lead & 0x0fu;
		if (lead == 0xe0)
			low = 0xa0;		/* overlong */
		if (lead == 0xed)
			high = 0x9f;		/* surrogates */
	} else if (lead >= 0xf0 && lead <= 0xf4) {
		len = 4;
		code = lead & 0x07u;
		if (lead == 0xf0)
			low = 0x90;		/* overlong */
		if (lead == 0xf4)
			high = 0x8f;		/* over U+10FFFF */
	} else
		return 0;
	if (data_len < len)
		return 0;
	for (i = 1; i < len; i++) {
		if (data[i] < low || data[i] > high)
			return 0;
		code = code << 6 | (data[i] & 0x3fu);
		low = 0x80;
		high = 0xbf;
	}
	*code_r = code;
	return len;
}

static bool
is_hidden(uint32_t code)
{
	size_t	i;

	for (i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (code >= hidden[i].first && code <= hidden[i].last)
			return true;
	/* Noncharacters: the last two of every plane. */
	return (code & 0xfffeu) == 0xfffeu;
}

/*
 * The next piece of output for hostile bytes: at most 16 bytes in `piece`.
 * Returns how many input bytes it stands for (at least 1).
 */
static size_t
print_piece(const unsigned char *data, size_t data_len, char piece[17],
    size_t *piece_len_r)
{
	static const char	digits[] = "0123456789abcdef";
	uint32_t		code = 0;
	size_t			i, len;

	len = utf8_sequence(data, data_len, &code);
	if (len != 0 && !is_hidden(code)) {
		memcpy(piece, data, len);
		*piece_len_r = len;
		piece[len] = '\0';
		return len;
	}
	if (len == 0)
		len = 1;
	for (i = 0; i < len; i++) {
		piece[4 * i] = '\\';
		piece[4 * i + 1] = 'x';
		piece[4 * i + 2] = digits[data[i] >> 4];
		piece[4 * i + 3] = digits[data[i] & 0x0f];
	}
	piece[4 * len] = '\0';
	*piece_len_r = 4 * len;
	return len;
}

/* ---------------------------------------------------------- growing string */

/* Room for `more` bytes and the NUL. */
static bool
make_room(struct text *text, size_t more)
{
	size_t	 capacity;
	char	*data;

	if (text->failed)
		return false;
	if (more > TEXT_MAX_LEN || text->len > TEXT_MAX_LEN - more)
		goto fail;
	if (text->data != NULL && text->len + more < text->capacity)
		return true;
	capacity = text->capacity == 0 ? TEXT_FIRST : text->capacity;
	while (capacity <= text->len + more)	/* at most TEXT_MAX_LEN * 2 */
		capacity *= 2;
	data = realloc(text->data, capacity);
	if (data == NULL)
		goto fail;
	text->data = data;
	text->capacity = capacity;
	return true;

fail:
	text->failed = true;
	return false;
}

void
text_free(struct text *text)
{
	if (text == NULL)
		return;
	free(text->data);
	memset(text, 0, sizeof(*text));
}

char *
text_take(struct text *text)
{
	char	*data;

	/* An empty text is "", not NULL: NULL means failed. */
	if (!make_room(text, 0)) {
		text_free(text);
		return NULL;
	}
	text->data[text->len] = '\0';
	data = text->data;
	memset(text, 0, sizeof(*text));
	return data;
}

void
text_add(struct text *text, const char *string)
{
	text_add_n(text, string, strlen(string));
}

void
text_add_n(struct text *text, const char *data, size_t data_len)
{
	if (!make_room(text, data_len))
		return;
	if (data_len != 0)
		memcpy(text->data + text->len, data, data_len);
	text->len += data_len;
	text->data[text->len] = '\0';
}

void
text_printf(struct text *text, const char *format, ...)
{
	va_list	ap;
	int	len;

	va_start(ap, format);
	len = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	if (len < 0) {
		text->failed = true;
		return;
	}
	if (!make_room(text, (size_t)len))
		return;
	va_start(ap, format);
	if (vsnprintf(text->data + text->len, (size_t)len + 1, format, ap) !=
	    len)
		text->failed = true;
	else
		text->len += (size_t)len;
	va_end(ap);
}

/* How many bytes from the first on are ASCII that stands for itself. */
static size_t
plain_run(const unsigned char *data, size_t data_len)
{
	size_t	i;

	for (i = 0; i < data_len && data[i] >= 0x20 && data[i] < 0x7f &&
	    data[i] != '"' && data[i] != '\\'; i++)
		;
	return i;
}

void
text_add_printable(struct text *text, const void *data, size_t data_len,
    size_t max)
{
	const unsigned char	*bytes = data;
	char			 piece[17];
	size_t			 i, used, piece_len;

	if (data == NULL)
		return;
	i = plain_run(bytes, data_len < max ? data_len : max);
	text_add_n(text, (const char *)bytes, i);
	for (; i < data_len; i += used) {
		used = print_piece(bytes + i, data_len - i, piece, &piece_len);
		if (used > max || i > max - used) {
			text_add(text, "...");
			return;
		}
		text_add_n(text, piece, piece_len);
		if (text->failed)
			return;
	}
}

char *
text_printable(char *buf, size_t buf_len, const void *data, size_t data_len)
{
	const unsigned char	*bytes = data;
	char			 piece[17];
	size_t			 i, used, piece_len, out = 0, mark = 0;

	if (buf_len == 0)
		return buf;
	if (data == NULL)
		data_len = 0;
	for (i = 0; i < data_len; i += used) {
		used = print_piece(bytes + i, data_len - i, piece, &piece_len);
		if (piece_len >= buf_len - out) {
			/* `mark` is the last cut after which "..." fits. */
			out = mark;
			for (i = 0; i < 3 && out + 1 < buf_len; i++)
				buf[out++] = '.';
			break;
		}
		memcpy(buf + out, piece, piece_len);
		out += piece_len;
		if (buf_len - out > 3)
			mark = out;
	}
	buf[out] = '\0';
	return buf;
}

void
text_add_hex(struct text *text, const unsigned char *data, size_t data_len)
{
	static const char	digits[] = "0123456789abcdef";
	char			pair[2];
	size_t			i;

	for (i = 0; i < data_len && !text->failed; i++) {
		pair[0] = digits[data[i] >> 4];
		pair[1] = digits[data[i] & 15];
		text_add_n(text, pair, sizeof(pair));
	}
}

bool
text_utf8_valid(const void *data, size_t data_len)
{
	const unsigned char	*bytes = data;
	uint32_t		 code;
	size_t			 i, len;

	for (i = 0; i < data_len; i += len) {
		len = utf8_sequence(bytes + i, data_len - i, &code);
		if (len == 0)
			return false;
	}
	return true;
}

bool
text_has_control(const void *data, size_t data_len)
{
	const unsigned char	*bytes = data;
	size_t			 i;

	for (i = 0; i < data_len; i++) {
		if (bytes[i] < 0x20 || bytes[i] == 0x7f)
			return true;
		if (bytes[i] == 0xc2 && i + 1 < data_len &&
		    bytes[i + 1] >= 0x80 && bytes[i + 1] <= 0x9f)
			return true;
	}
	return false;
}

void
text_lower_ascii(char *data, size_t data_len)
{
	size_t	i;

	for (i = 0; i < data_len; i++)
		if (data[i] >= 'A' && data[i] <= 'Z')
			data[i] = (char)(data[i] - 'A' + 'a');
}

/* ------------------------------------------------------------------- error */

/*
 * The last guard of "one printable line": the callers escape what is hostile,
 * this catches what they forgot without escaping their escapes again.
 */
static void
one_line(char *string)
{
	unsigned char	*at = (unsigned char *)string;
	uint32_t	 code = 0;
	size_t		 len, left = strlen(string);

	while (left != 0) {
		len = utf8_sequence(at, left, &code);
		if (len == 0) {
			*at = '?';
			len = 1;
		} else if (code != '"' && code != '\\' && is_hidden(code))
			memset(at, '?', len);
		at += len;
		left -= len;
	}
}

void
error_set(struct certauth_error *error_r, const char *file, unsigned line,
    const char *format, ...)
{
	static const char	dots[] = "...";
	va_list			ap;
	size_t			file_len, len;
	int			wrote;

	if (error_r == NULL)
		return;
	memset(error_r, 0, sizeof(*error_r));
	error_r->line = line;
	if (file != NULL) {
		/* Of a long path the end tells more. */
		file_len = strlen(file);
		if (file_len >= sizeof(error_r->file)) {
			memcpy(error_r->file, dots, 3);
			len = sizeof(error_r->file) - 4;
			memcpy(error_r->file + 3, file + file_len - len, len);
			error_r->file[sizeof(error_r->file) - 1] = '\0';
		} else
			memcpy(error_r->file, file, file_len + 1);
		one_line(error_r->file);
	}
	va_start(ap, format);
	wrote = vsnprintf(error_r->text, sizeof(error_r->text), format, ap);
	va_end(ap);
	if (wrote < 0)
		snprintf(error_r->text, sizeof(error_r->text),
		    "unprintable error");
	else if ((size_t)wrote >= sizeof(error_r->text))
		memcpy(error_r->text + sizeof(error_r->text) - 4, dots, 4);
	one_line(error_r->text);
}

void
text_add_quoted(struct text *out, const char *key, const char *value)
{
	const char	*p;

	text_printf(out, " %s=\"", key);
	for (p = value; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			text_add(out, "\\");
		text_add_n(out, p, 1);
	}
	text_add(out, "\"");
}
