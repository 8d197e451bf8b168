/*
 * text.c - what may be shown, and what do these few words mean?
 *
 * A growing string, hostile bytes made safe to print, and the small notations
 * the policy file and the command share: time, duration, hex. Never looks at the
 * locale, never at the clock.
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

/* Years 0000 to 9999, what RFC 3339 can write. */
#define TIME_MIN	(-62167219200LL)
#define TIME_MAX	253402300799LL
/* A century; longer durations are typing errors. */
#define DURATION_MAX	(36525LL * 24 * 3600)

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

void
text_add_printable(struct text *text, const void *data, size_t data_len,
    size_t max)
{
	const unsigned char	*bytes = data;
	char			 piece[17];
	size_t			 i, used, piece_len;

	if (data == NULL)
		return;
	for (i = 0; i < data_len; i += used) {
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
	size_t	i;

	for (i = 0; i < data_len && !text->failed; i++)
		text_printf(text, "%02x", data[i]);
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

/* -------------------------------------------------------------------- time */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Exactly `count` digits. */
static bool
take_number(const char **at, unsigned count, int64_t *number_r)
{
	unsigned	i;

	*number_r = 0;
	for (i = 0; i < count; i++) {
		if (!is_digit((*at)[i]))
			return false;
		*number_r = *number_r * 10 + ((*at)[i] - '0');
	}
	*at += count;
	return true;
}

/*
 * Days since 1970-01-01 in the Gregorian calendar, in whole numbers (H. Hinnant,
 * "chrono-compatible low-level date algorithms"). The C library's timegm() takes
 * 31 February for 3 March.
 */
static int64_t
days_from_date(int64_t year, int64_t month, int64_t day)
{
	int64_t	era, year_of_era, day_of_year;

	if (month <= 2)
		year--;
	era = (year >= 0 ? year : year - 399) / 400;
	year_of_era = year - era * 400;
	day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + year_of_era * 365 + year_of_era / 4 -
	    year_of_era / 100 + day_of_year - 719468;
}

static int64_t
days_in_month(int64_t year, int64_t month)
{
	static const unsigned char	days[] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
	};

	if (month == 2 &&
	    ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0))
		return 29;
	return days[month - 1];
}

/* "Z" or "+hh:mm" and the end of the string. RFC 3339 section 5.6. */
static bool
take_offset(const char *at, int64_t *seconds_r)
{
	int64_t	hours, minutes, sign;

	*seconds_r = 0;
	if ((at[0] == 'Z' || at[0] == 'z') && at[1] == '\0')
		return true;
	if (at[0] != '+' && at[0] != '-')
		return false;
	sign = at[0] == '-' ? -1 : 1;
	at++;
	if (!take_number(&at, 2, &hours) || *at != ':')
		return false;
	at++;
	if (!take_number(&at, 2, &minutes) || *at != '\0')
		return false;
	if (hours > 23 || minutes > 59)
		return false;
	*seconds_r = sign * (hours * 3600 + minutes * 60);
	return true;
}

static bool
take_clock(const char *at, int64_t *seconds_r)
{
	int64_t	hour, minute, second, offset;

	if (!take_number(&at, 2, &hour) || *at++ != ':' ||
	    !take_number(&at, 2, &minute) || *at++ != ':' ||
	    !take_number(&at, 2, &second))
		return false;
	/* 60 is a leap second; it counts as the first of the next minute. */
	if (hour > 23 || minute > 59 || second > 60)
		return false;
	if (*at == '.') {
		at++;
		if (!is_digit(*at))
			return false;
		while (is_digit(*at))
			at++;
	}
	if (!take_offset(at, &offset))
		return false;
	*seconds_r = hour * 3600 + minute * 60 + second - offset;
	return true;
}

static bool
parse_epoch(const char *at, int64_t *seconds_r)
{
	int64_t	 seconds = 0, sign = 1;
	unsigned n;

	if (*at == '-') {
		sign = -1;
		at++;
	}
	for (n = 0; is_digit(at[n]); n++) {
		if (n >= 12)		/* TIME_MAX has twelve digits */
			return false;
		seconds = seconds * 10 + (at[n] - '0');
	}
	if (n == 0 || at[n] != '\0')
		return false;
	seconds *= sign;
	if (seconds < TIME_MIN || seconds > TIME_MAX)
		return false;
	*seconds_r = seconds;
	return true;
}

bool
text_time_parse(const char *string, int64_t *seconds_r)
{
	const char	*at = string;
	int64_t		 year, month, day, clock = 0, seconds;

	if (string == NULL)
		return false;
	if (*at == '@')
		return parse_epoch(at + 1, seconds_r);
	if (!take_number(&at, 4, &year) || *at++ != '-' ||
	    !take_number(&at, 2, &month) || *at++ != '-' ||
	    !take_number(&at, 2, &day))
		return false;
	if (month < 1 || month > 12 || day < 1 ||
	    day > days_in_month(year, month))
		return false;
	if (*at != '\0') {
		if (*at != 'T' && *at != 't')
			return false;
		if (!take_clock(at + 1, &clock))
			return false;
	}
	seconds = days_from_date(year, month, day) * 86400 + clock;
	if (seconds < TIME_MIN || seconds > TIME_MAX)
		return false;
	*seconds_r = seconds;
	return true;
}

char *
text_time_print(char *buf, size_t buf_len, int64_t seconds)
{
	int64_t	days, rest, era, doe, yoe, doy, mp, year, month, day;

	if (buf_len == 0)
		return buf;
	if (seconds < TIME_MIN || seconds > TIME_MAX) {
		snprintf(buf, buf_len, "@%lld", (long long)seconds);
		return buf;
	}
	/* The way back of days_from_date(). */
	days = seconds / 86400;
	rest = seconds % 86400;
	if (rest < 0) {
		rest += 86400;
		days--;
	}
	days += 719468;
	era = (days >= 0 ? days : days - 146096) / 146097;
	doe = days - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	day = doy - (153 * mp + 2) / 5 + 1;
	month = mp < 10 ? mp + 3 : mp - 9;
	year = yoe + era * 400 + (month <= 2 ? 1 : 0);
	snprintf(buf, buf_len, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)year,
	    (int)month, (int)day, (int)(rest / 3600), (int)(rest / 60 % 60),
	    (int)(rest % 60));
	return buf;
}

bool
text_duration_parse(const char *string, int64_t *seconds_r)
{
	int64_t	 number = 0, unit;
	unsigned n;

	if (string == NULL)
		return false;
	for (n = 0; is_digit(string[n]); n++) {
		if (n >= 10)		/* DURATION_MAX in seconds has ten */
			return false;
		number = number * 10 + (string[n] - '0');
	}
	if (n == 0)
		return false;
	switch (string[n]) {
	case 's':
		unit = 1;
		break;
	case 'm':
		unit = 60;
		break;
	case 'h':
		unit = 3600;
		break;
	case 'd':
		unit = 86400;
		break;
	default:
		return false;
	}
	if (string[n + 1] != '\0' || number > DURATION_MAX / unit)
		return false;
	*seconds_r = number * unit;
	return true;
}

/* --------------------------------------------------------------------- hex */

static int
hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
text_hex_parse(const char *string, unsigned char *buf, size_t buf_size,
    size_t *len_r)
{
	size_t	len = 0;
	int	high, low;

	if (string == NULL || *string == '\0')
		return false;
	while (*string != '\0') {
		high = hex_digit(string[0]);
		if (high < 0)
			return false;
		low = hex_digit(string[1]);
		if (low < 0 || len == buf_size)
			return false;
		buf[len++] = (unsigned char)(high << 4 | low);
		string += 2;
		/* One separator, and only between two bytes. */
		if (*string == ':' || *string == ' ') {
			string++;
			if (*string == '\0')
				return false;
		}
	}
	*len_r = len;
	return true;
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
