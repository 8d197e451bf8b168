/*
 * der.c - which number, which time is this element?
 */

#include <string.h>

#include "revocation/der.h"

/* X.690 8.3.2: at least one octet, the first nine bits not all alike. */
static bool
integer_minimal(const struct der *in)
{
	size_t	n = der_length(in);

	if (n == 0)
		return false;
	return n == 1 || !((in->p[0] == 0x00 && in->p[1] < 0x80) ||
	    (in->p[0] == 0xff && in->p[1] >= 0x80));
}

/* Negative serials break RFC 5280 4.1.2.2, but readers are asked to bear them. */
bool
der_integer(const struct der *in, unsigned char *out, size_t max,
    size_t *len_r, bool *negative_r)
{
	unsigned char	 buf[DER_MAX_INTEGER + 1];
	size_t		 n = der_length(in), i, start;
	unsigned	 carry = 1, value;

	if (!integer_minimal(in) || n > sizeof(buf) || max > DER_MAX_INTEGER)
		return false;
	memcpy(buf, in->p, n);
	*negative_r = (buf[0] & 0x80) != 0;
	if (*negative_r) {
		for (i = n; i > 0; i--) {
			value = (unsigned)(unsigned char)~buf[i - 1] + carry;
			buf[i - 1] = (unsigned char)value;
			carry = value >> 8;
		}
	}
	for (start = 0; start + 1 < n && buf[start] == 0; start++)
		;
	if (n - start > max)
		return false;
	memcpy(out, buf + start, n - start);
	*len_r = n - start;
	return true;
}

/* Two decimal digits; half of the time that a list takes is spent on dates. */
static inline bool
two(const unsigned char *p, unsigned *value_r)
{
	unsigned	tens = (unsigned)p[0] - '0', ones = (unsigned)p[1] - '0';

	*value_r = tens * 10 + ones;
	return tens <= 9 && ones <= 9;
}

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar. */
static int64_t
days(unsigned year, unsigned month, unsigned day)
{
	int64_t	y = (int64_t)year - (month <= 2), era, yoe, doy;

	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 +
	    (int64_t)day - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/*
 * RFC 5280 5.1.2.4: seconds are there, "Z", no fractions. A GeneralizedTime
 * before 2050 is against the letter but says the same time, so it is taken.
 */
bool
der_time(unsigned tag, const struct der *in, int64_t *seconds_r)
{
	static const unsigned char month_days[12] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
	};
	const unsigned char *p = in->p;
	unsigned	 year, month, day, hour, minute, second, last, century;

	if (tag == TAG_UTC) {
		if (der_length(in) != 13 || !two(p, &year))
			return false;
		year += year < 50 ? 2000 : 1900;
		p += 2;
	} else if (tag == TAG_GENERALIZED) {
		if (der_length(in) != 15 || !two(p, &century) ||
		    !two(p + 2, &year))
			return false;
		year += century * 100;
		p += 4;
	} else
		return false;
	if (!two(p, &month) || !two(p + 2, &day) || !two(p + 4, &hour) ||
	    !two(p + 6, &minute) || !two(p + 8, &second) || p[10] != 'Z')
		return false;
	if (month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59)
		return false;
	last = month_days[month - 1];
	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		last = 29;
	if (day < 1 || day > last)
		return false;
	*seconds_r = days(year, month, day) * 86400 + (int64_t)hour * 3600 +
	    (int64_t)minute * 60 + (int64_t)second;
	return true;
}

/*
 * The two digits of each pair beside each other, the first pair in the lowest
 * byte; false: not all are digits.
 */
static inline bool
pairs(uint64_t text, uint64_t *pairs_r)
{
	const uint64_t	high = 0xf0f0f0f0f0f0f0f0u, zero = 0x3030303030303030u;

	if ((text & high) != zero ||
	    ((text + 0x0606060606060606u) & high) != zero)
		return false;
	text -= zero;
	*pairs_r = (text * 10 + (text >> 8)) & 0x00ff00ff00ff00ffu;
	return true;
}

bool
der_utc(const unsigned char *p, int64_t *seconds_r)
{
	/* days before the month, of a year that is no leap year */
	static const uint16_t before[13] = {
		0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334
	};
	static const unsigned char length[13] = {
		0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
	};
	uint64_t	date, time;
	uint32_t	rest;
	unsigned	year, month, day, hour, minute, second, leap;
	int64_t		days_since;

	memcpy(&date, p, sizeof(date));
	memcpy(&rest, p + 8, sizeof(rest));
	/* two digits more, so that there are eight */
	if (!pairs(date, &date) ||
	    !pairs(rest | (uint64_t)0x30303030 << 32, &time) || p[12] != 'Z')
		return false;
	year = date & 0xff;
	month = date >> 16 & 0xff;
	day = date >> 32 & 0xff;
	hour = date >> 48 & 0xff;
	minute = time & 0xff;
	second = time >> 16 & 0xff;
	/* Of 1950 to 2049 every fourth year is a leap year. */
	leap = year % 4 == 0;
	if (month < 1 || month > 12 || day < 1 ||
	    day > length[month] + (leap & (month == 2)) || hour > 23 ||
	    minute > 59 || second > 59)
		return false;
	year += year < 50 ? 100 : 0;		/* since 1900 */
	days_since = (int64_t)year * 365 + (year - 1) / 4 - 25567 +
	    before[month] + (leap & (month > 2)) + day - 1;
	*seconds_r = days_since * 86400 + (int64_t)hour * 3600 +
	    (int64_t)minute * 60 + (int64_t)second;
	return true;
}

bool
der_take_time(struct der *in, int64_t *seconds_r)
{
	struct der	value;
	unsigned	tag;

	return der_take_any(in, &tag, &value) && der_time(tag, &value, seconds_r);
}
