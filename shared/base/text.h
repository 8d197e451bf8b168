/* text.h - a growing string, and hostile bytes made safe to print. */
#ifndef CERTAUTH_BASE_TEXT_H
#define CERTAUTH_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "certauth.h"

/* Zero it first. `failed` once out of memory: later adds do nothing, and
 * text_take() gives NULL, so only the end needs a check. */
struct text {
	char	*data;		/* NUL-terminated, or NULL while empty */
	size_t	 len, capacity;
	bool	 failed;
};

void	text_free(struct text *);
char   *text_take(struct text *);	/* caller frees with free(); NULL: failed */
void	text_add(struct text *, const char *);		/* trusted text */
void	text_add_n(struct text *, const char *data, size_t data_len);
void	text_printf(struct text *, const char *format, ...) CERTAUTH_PRINTF(2, 3);

/*
 * Hostile bytes: printable UTF-8 stays, everything else (control characters,
 * DEL, C1, U+2028/2029, bidi controls, invalid UTF-8, backslash, double quote)
 * becomes \xHH per byte. At most `max` input bytes, then "...".
 */
void	text_add_printable(struct text *, const void *data, size_t data_len,
	    size_t max);
/* The same into a fixed buffer, always terminated. Returns buf. */
char   *text_printable(char *buf, size_t buf_len, const void *data,
	    size_t data_len);

/* ` key="value"`: quotes and backslashes of the value are escaped; it is printable. */
void	text_add_quoted(struct text *, const char *key, const char *value);
void	text_add_hex(struct text *, const unsigned char *data, size_t data_len);

/* RFC 3629: no overlong forms, no surrogates, nothing over U+10FFFF. */
bool	text_utf8_valid(const void *data, size_t data_len);
/* True when there is a byte below 0x20, 0x7f, or a C1 control in UTF-8. */
bool	text_has_control(const void *data, size_t data_len);
/* ASCII only, in place; never the locale. */
void	text_lower_ascii(char *data, size_t data_len);

/* "2026-03-01T12:00:00Z" (fractions cut), "2026-03-01", "@1772366400".
 * False: not a time. */
bool	text_time_parse(const char *, int64_t *seconds_r);
/* buf of at least 32 bytes; RFC 3339 in UTC. Returns buf. */
char   *text_time_print(char *buf, size_t buf_len, int64_t seconds);
/* "90d", "72h", "5m", "30s"; no sign, no fraction, no unit-less number. */
bool	text_duration_parse(const char *, int64_t *seconds_r);
/* hex digits, colons and spaces allowed between bytes; even count. False: bad
 * or longer than buf. */
bool	text_hex_parse(const char *, unsigned char *buf, size_t buf_size,
	    size_t *len_r);

/* Fills error_r (NULL allowed); `file` NULL: none. */
void	error_set(struct certauth_error *error_r, const char *file,
	    unsigned line, const char *format, ...) CERTAUTH_PRINTF(4, 5);

#endif
