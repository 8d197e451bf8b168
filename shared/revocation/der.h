/*
 * der.h - what is the next element? X.690 DER, strictly: definite minimal
 * lengths, low tag numbers. The short functions are inline because a list of a
 * million entries calls them seven million times.
 */
#ifndef CERTAUTH_REVOCATION_DER_H
#define CERTAUTH_REVOCATION_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAG_BOOLEAN	0x01u
#define TAG_INTEGER	0x02u
#define TAG_BIT_STRING	0x03u
#define TAG_OCTETS	0x04u
#define TAG_OID		0x06u
#define TAG_ENUMERATED	0x0au
#define TAG_UTC		0x17u
#define TAG_GENERALIZED	0x18u
#define TAG_SEQUENCE	0x30u
#define TAG_SET		0x31u
#define CONTEXT(n)	(0x80u | (n))
#define CONTEXT_CONS(n)	(0xa0u | (n))

/* What is left to read. */
struct der { const unsigned char *p, *end; };

/*
 * The next element, whatever its tag. Definite, minimal lengths of at most four
 * octets (X.690 10.1); no high tag numbers, nothing here has them.
 */
static inline bool
der_take_any(struct der *in, unsigned *tag_r, struct der *value_r)
{
	size_t		left = (size_t)(in->end - in->p), len, i, n;

	if (left < 2 || (in->p[0] & 0x1f) == 0x1f)
		return false;
	*tag_r = in->p[0];
	len = in->p[1];
	in->p += 2;
	left -= 2;
	if (len >= 0x80) {
		n = len & 0x7f;
		if (n == 0 || n > 4 || n > left || in->p[0] == 0)
			return false;
		for (len = 0, i = 0; i < n; i++)
			len = len << 8 | in->p[i];
		if (len < 0x80)
			return false;
		in->p += n;
		left -= n;
	}
	if (len > left)
		return false;
	value_r->p = in->p;
	value_r->end = in->p + len;
	in->p += len;
	return true;
}

static inline bool
der_take(struct der *in, unsigned tag, struct der *value_r)
{
	unsigned	found;

	return der_take_any(in, &found, value_r) && found == tag;
}

static inline bool
der_next_is(const struct der *in, unsigned tag)
{
	return in->p < in->end && *in->p == tag;
}

static inline size_t
der_length(const struct der *in)
{
	return (size_t)(in->end - in->p);
}

/* X.690 11.1: TRUE is ff; a DEFAULT FALSE is left out (11.5). */
static inline bool
der_true(const struct der *in)
{
	return der_length(in) == 1 && in->p[0] == 0xff;
}

/*
 * Magnitude without leading zeros into out[max], max at most DER_MAX_INTEGER;
 * false: not minimal (X.690 8.3.2) or longer.
 */
#define DER_MAX_INTEGER	20
bool	der_integer(const struct der *, unsigned char *out, size_t max,
	    size_t *len_r, bool *negative_r);
/* UTCTime or GeneralizedTime as RFC 5280 5.1.2.4 wants them. */
bool	der_time(unsigned tag, const struct der *, int64_t *seconds_r);
/* The 13 octets of a UTCTime, quickly; says the same. */
bool	der_utc(const unsigned char *, int64_t *seconds_r);
bool	der_take_time(struct der *, int64_t *seconds_r);

#endif
