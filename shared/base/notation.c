/*
 * notation.c - what do these few words mean: a time, a duration, hex?
 *
 * The small notations that policy file, tables and command share; text.h has
 * their contracts. Never looks at the locale, never at the clock.
 */

#include <stdint.h>
#include <stdio.h>

#include "base/text.h"

/* Years 0000 to 9999, what RFC 3339 can write. */
#define TIME_MIN	(-62167219200LL)
#define TIME_MAX	253402300799LL
/* A century; longer durations are typing errors. */
#define DURATION_MAX	(36525LL * 24 * 3600)

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

static void
put_digits(char *at, int64_t number, unsigned count)
{
	for (; count > 0; number /= 10)
		at[--count] = (char)('0' + number % 10);
}

char *
text_time_print(char *buf, size_t buf_len, int64_t seconds)
{
	int64_t	days, rest, era, doe, yoe, doy, mp, year, month, day;
	char	text[] = "0000-00-00T00:00:00Z";

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
	/* by hand: it is done with every answer */
	put_digits(text, year, 4);
	put_digits(text + 5, month, 2);
	put_digits(text + 8, day, 2);
	put_digits(text + 11, rest / 3600, 2);
	put_digits(text + 14, rest / 60 % 60, 2);
	put_digits(text + 17, rest % 60, 2);
	snprintf(buf, buf_len, "%s", text);
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
