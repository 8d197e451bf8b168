/*
 * walk.h - the next element of what is left to read.
 *
 * For bytes that strict.c took for DER: looks at no value, and not whether a
 * length could have been written shorter. What is not what it should be stays
 * where it was.
 */
#ifndef CERTAUTH_TRUST_WALK_H
#define CERTAUTH_TRUST_WALK_H

#include <stdbool.h>
#include <stddef.h>

/* Tags, one octet each (X.690 8.1.2). */
#define WALK_BOOLEAN		0x01u
#define WALK_INTEGER		0x02u
#define WALK_BITS		0x03u
#define WALK_OCTETS		0x04u
#define WALK_NULL		0x05u
#define WALK_OID			0x06u
#define WALK_UTF8		0x0cu
#define WALK_PRINTABLE		0x13u
#define WALK_IA5			0x16u
#define WALK_UTC_TIME		0x17u
#define WALK_TIME		0x18u
#define WALK_SEQUENCE		0x30u
#define WALK_SET			0x31u
#define WALK_CONTEXT(n)		(0x80u | (n))
#define WALK_NESTED(n)		(0xa0u | (n))

/* What is left to read. */
struct span { const unsigned char *at, *end; };

static inline bool
walk_at_end(const struct span *d)
{
	return d->at == d->end;
}

static inline size_t
walk_length(const struct span *d)
{
	return (size_t)(d->end - d->at);
}

static inline bool
walk_next_is(const struct span *d, unsigned tag)
{
	return d->at < d->end && *d->at == tag;
}

/* The next element if it has this tag; advances. */
static inline bool
walk_take(struct span *d, unsigned tag, struct span *value_r)
{
	const unsigned char	*p = d->at;
	size_t			 len, octets;

	if (d->end - p < 2 || *p++ != tag)
		return false;
	len = *p++;
	if (len >= 0x80) {
		octets = len & 0x7f;
		if (octets == 0 || octets > 3 || (size_t)(d->end - p) < octets)
			return false;
		for (len = 0; octets > 0; octets--)
			len = len << 8 | *p++;
	}
	if (len > (size_t)(d->end - p))
		return false;
	*value_r = (struct span){ p, p + len };
	d->at = p + len;
	return true;
}

/* One element of that tag and nothing behind it. */
static inline bool
walk_only(struct span d, unsigned tag, struct span *value_r)
{
	return walk_take(&d, tag, value_r) && walk_at_end(&d);
}

#endif
