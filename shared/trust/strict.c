/*
 * strict.c - are these bytes DER? (X.690 8 and 10)
 *
 * One walk over tags and lengths. Makes no value of anything.
 */

#include "trust/strict.h"

#define CLASS		0xc0u
#define CONSTRUCTED	0x20u

struct element {
	unsigned		 id;	/* class and form */
	unsigned		 number;	/* of the tag */
	const unsigned char	*value;
	size_t			 len;
};

/* X.690 8.1.2.4: a tag of 31 and more, in the fewest octets. */
static bool
high_tag(const unsigned char **p, const unsigned char *end, unsigned *number_r)
{
	unsigned	n = 0;

	do {
		if (*p == end || n > (1u << 20) || (n == 0 && **p == 0x80))
			return false;
		n = n << 7 | (**p & 0x7fu);
	} while ((*(*p)++ & 0x80u) != 0);
	*number_r = n;
	return n >= 31;
}

/* Advances behind the element. Definite lengths in the fewest octets (10.1). */
static bool
next_element(const unsigned char **p, const unsigned char *end,
    struct element *e)
{
	size_t	len, octets;

	if (end - *p < 2)
		return false;
	e->id = **p & (CLASS | CONSTRUCTED);
	e->number = *(*p)++ & 0x1fu;
	if (e->number == 31 && !high_tag(p, end, &e->number))
		return false;
	if (*p == end)
		return false;
	len = *(*p)++;
	if (len >= 0x80) {
		octets = len & 0x7fu;
		if (octets == 0 || octets > 4 || (size_t)(end - *p) < octets ||
		    **p == 0)
			return false;
		for (len = 0; octets > 0; octets--)
			len = len << 8 | *(*p)++;
		if (len < 0x80)
			return false;
	}
	if (len > (size_t)(end - *p))
		return false;
	e->value = *p;
	e->len = len;
	*p += len;
	return true;
}

static bool
integer_fits(const unsigned char *v, size_t len)
{
	if (len == 0)
		return false;
	return len == 1 || !((v[0] == 0 && v[1] < 0x80) ||
	    (v[0] == 0xff && v[1] >= 0x80));
}

static bool
bits_fit(const unsigned char *v, size_t len)
{
	if (len == 0 || v[0] > 7)
		return false;
	return len == 1 ? v[0] == 0 : (v[len - 1] & ((1u << v[0]) - 1)) == 0;
}

static bool
oid_fits(const unsigned char *v, size_t len)
{
	size_t	i;

	if (len == 0 || (v[len - 1] & 0x80u) != 0)
		return false;
	for (i = 0; i < len; i++)
		if (v[i] == 0x80 && (i == 0 || (v[i - 1] & 0x80u) == 0))
			return false;
	return true;
}

/* A primitive of the universal class. */
static bool
value_fits(const struct element *e)
{
	switch (e->number) {
	case 1:		/* BOOLEAN, 11.1 */
		return e->len == 1 && (e->value[0] == 0 || e->value[0] == 0xff);
	case 2:		/* INTEGER, 8.3.2 */
	case 10:	/* ENUMERATED */
		return integer_fits(e->value, e->len);
	case 3:		/* BIT STRING, 8.6.2 and 11.2.1 */
		return bits_fit(e->value, e->len);
	case 5:		/* NULL */
		return e->len == 0;
	case 6:		/* OBJECT IDENTIFIER, 8.19.2 */
		return oid_fits(e->value, e->len);
	case 0:		/* end of contents, BER only */
	case 16:	/* SEQUENCE and SET are constructed, 8.9.1 */
	case 17:
		return false;
	default:
		return true;
	}
}

bool
strict_der(const unsigned char *data, size_t data_len, size_t *used_r)
{
	const unsigned char	*ends[STRICT_MAX_DEPTH], *p = data;
	struct element		 e;
	size_t			 depth = 0;

	*used_r = 0;
	ends[0] = data + data_len;
	do {
		if (!next_element(&p, ends[depth], &e))
			return false;
		if (depth == 0)
			*used_r = (size_t)(p - data);
		if ((e.id & CONSTRUCTED) != 0) {
			/* 10.2: strings are primitive; only these two are not */
			if ((e.id & CLASS) == 0 && e.number != 16 &&
			    e.number != 17)
				return false;
			/* every SET of a certificate is SIZE (1..MAX) */
			if ((e.id & CLASS) == 0 && e.number == 17 && e.len == 0)
				return false;
			if (++depth == STRICT_MAX_DEPTH)
				return false;
			ends[depth] = e.value + e.len;
			p = e.value;
		} else if ((e.id & CLASS) == 0 && !value_fits(&e)) {
			return false;
		}
		while (depth > 0 && p == ends[depth])
			depth--;
	} while (depth > 0);
	return true;
}
