/*
 * match.c - is this name within that one?
 *
 * With OpenSSL's NAME_CONSTRAINTS_check, which compares ends of strings,
 * "a@evil@example.com" is within example.com, "https://evil.org#.example.com"
 * within .example.com, and "*.example.com" beside an excluded www.example.com.
 * Here a name that is not what its kind demands is never comparable.
 */

#include <string.h>

#include "base/text.h"
#include "trust/match.h"

/* Octets of a host name (RFC 1035 2.3.4). */
#define HOST_MAX	253
#define LABEL_MAX	63

static unsigned char
lower(unsigned char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool
same(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static bool
ends_with(struct span s, struct span end)
{
	return s.len >= end.len &&
	    same((struct span){ s.p + (s.len - end.len), end.len }, end);
}

static struct span
skip(struct span s, size_t n)
{
	return (struct span){ s.p + n, s.len - n };
}

static struct span
fold(struct span s, unsigned char *room)
{
	size_t	i;

	for (i = 0; i < s.len; i++)
		room[i] = lower(s.p[i]);
	return (struct span){ room, s.len };
}

/* ------------------------------------------------------------------- hosts */

/*
 * Labels of letters, digits, '-' and '_' (which is used, whatever RFC 1123
 * 2.1 says), none empty; in a dNSName the first may be "*".
 */
static bool
host_valid(struct span h, bool wildcard)
{
	size_t		i, label = 0;
	unsigned char	c;

	if (wildcard && h.len > 2 && h.p[0] == '*' && h.p[1] == '.')
		h = skip(h, 2);
	if (h.len == 0 || h.len > HOST_MAX)
		return false;
	for (i = 0; i < h.len; i++) {
		c = h.p[i];
		if (c == '.') {
			if (label == 0)
				return false;
			label = 0;
			continue;
		}
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    c == '-' || c == '_') || ++label > LABEL_MAX)
			return false;
	}
	return label > 0;
}

/* A last label of digits is an IPv4 address, not a name (RFC 3986 3.2.2, 7.4). */
static bool
host_is_address(struct span h)
{
	while (h.len > 0 && h.p[h.len - 1] != '.') {
		if (h.p[h.len - 1] < '0' || h.p[h.len - 1] > '9')
			return false;
		h.len--;
	}
	return true;
}

/* A fully qualified name may end in a dot; so may a constraint. */
static struct span
without_last_dot(struct span h)
{
	if (h.len > 1 && h.p[h.len - 1] == '.')
		h.len--;
	return h;
}

/* ".host" is what is below, "host" the host alone (mail and URI). */
static bool
host_within(struct span host, struct span base)
{
	return base.p[0] == '.' ?
	    host.len > base.len && ends_with(host, base) : same(host, base);
}

/*
 * "host" is the host and all below it; ".host", which RFC 5280 does not know
 * but many CAs write, only what is below. A wildcard stands for every name with
 * one more label, and is excluded as soon as one of them is.
 */
static bool
dns_within(struct span name, struct span base, bool excluded)
{
	const unsigned char	*dot;

	if (base.p[0] == '.')
		return name.len > base.len && ends_with(name, base);
	if (ends_with(name, base) && (name.len == base.len ||
	    name.p[name.len - base.len - 1] == '.'))
		return true;
	if (!excluded || name.p[0] != '*')
		return false;
	dot = memchr(base.p, '.', base.len);
	return dot != NULL && same(skip(name, 2),
	    skip(base, (size_t)(dot - base.p) + 1));
}

/* -------------------------------------------------------------------- mail */

/* RFC 5321 4.1.2 dot-string; quoted ones are in no use, and are a trick. */
static bool
local_valid(struct span l, bool utf8)
{
	size_t	i;

	if (l.len == 0 || (utf8 && !text_utf8_valid(l.p, l.len)))
		return false;
	for (i = 0; i < l.len; i++) {
		if (l.p[i] <= ' ' || l.p[i] == 0x7f || (l.p[i] > 0x7f && !utf8) ||
		    strchr("\"(),:;<>@[\\]", l.p[i]) != NULL)
			return false;
	}
	return true;
}

static bool
split_mailbox(struct span m, struct span *local_r, struct span *host_r)
{
	size_t	at;

	for (at = m.len; at > 0 && m.p[at - 1] != '@'; at--)
		;
	if (at == 0)
		return false;
	*local_r = (struct span){ m.p, at - 1 };
	*host_r = skip(m, at);
	return true;
}

/* --------------------------------------------------------------------- URI */

/* scheme "://" [ userinfo "@" ] host [ ":" port ] (RFC 3986 3); no IP-literal. */
static bool
uri_host(struct span u, struct span *host_r)
{
	size_t	i, colon, end;

	for (i = 0; i < u.len; i++)
		if (u.p[i] <= ' ' || u.p[i] >= 0x7f || u.p[i] == '\\')
			return false;
	/* RFC 3986 3.1, in lower case */
	for (colon = 0; colon < u.len && u.p[colon] != ':'; colon++)
		if (!(u.p[colon] >= 'a' && u.p[colon] <= 'z') && (colon == 0 ||
		    memchr("0123456789+-.", u.p[colon], 13) == NULL))
			return false;
	if (colon == 0 || u.len - colon < 3 || u.p[colon + 1] != '/' ||
	    u.p[colon + 2] != '/')
		return false;
	u = skip(u, colon + 3);
	for (end = 0; end < u.len && memchr("/?#", u.p[end], 3) == NULL; end++)
		;
	u.len = end;
	for (i = u.len; i > 0 && u.p[i - 1] != '@'; i--)
		;
	if (i > 0 && memchr(u.p, '@', i - 1) != NULL)
		return false;
	u = skip(u, i);
	for (end = 0; end < u.len && u.p[end] != ':'; end++)
		;
	for (i = end + 1; i < u.len; i++)
		if (u.p[i] < '0' || u.p[i] > '9')
			return false;
	*host_r = without_last_dot((struct span){ u.p, end });
	return host_valid(*host_r, false) && !host_is_address(*host_r);
}

/* --------------------------------------------------------------- both sides */

void
match_name(enum match_kind kind, struct span value, unsigned char *room,
    struct match_side *side)
{
	struct span	folded = fold(value, room);

	memset(side, 0, sizeof(*side));
	switch (kind) {
	case MATCH_MAIL:
	case MATCH_MAIL_UTF8:
		if (split_mailbox(folded, &side->folded, &side->host)) {
			side->local = (struct span){ value.p, side->folded.len };
			side->never = !local_valid(side->local,
			    kind == MATCH_MAIL_UTF8) ||
			    !host_valid(side->host, false);
			return;
		}
		break;
	case MATCH_DNS:
		side->host = without_last_dot(folded);
		side->never = !host_valid(side->host, true);
		return;
	case MATCH_URI:
		side->never = !uri_host(folded, &side->host);
		return;
	}
	side->never = true;
}

/*
 * RFC 5280 4.2.1.10: of mail a mailbox, a host, or ".domain"; of URIs a host or
 * ".domain". RFC 9598 6: the same for SmtpUTF8Mailbox, whose host is in A-labels.
 */
void
match_base(enum match_kind kind, struct span value, unsigned char *room,
    struct match_side *side)
{
	bool	mail = kind == MATCH_MAIL || kind == MATCH_MAIL_UTF8;

	memset(side, 0, sizeof(*side));
	side->host = fold(value, room);
	if (mail && split_mailbox(side->host, &side->folded, &side->host)) {
		side->local = (struct span){ value.p, side->folded.len };
		side->never = !local_valid(side->local, false) ||
		    !host_valid(side->host, false);
		return;
	}
	if (!mail)
		side->host = without_last_dot(side->host);
	if (side->host.len == 0) {
		side->any = kind == MATCH_DNS;
		side->never = !side->any;
		return;
	}
	side->never = !host_valid(skip(side->host, side->host.p[0] == '.'),
	    false);
}

enum match
match_within(enum match_kind kind, const struct match_side *name,
    const struct match_side *base, bool excluded)
{
	if (name->never || base->never)
		return MATCH_NEVER;
	if (base->any)
		return MATCH_YES;
	if (kind == MATCH_DNS)
		return dns_within(name->host, base->host, excluded) ?
		    MATCH_YES : MATCH_NO;
	if (base->local.p == NULL)
		return host_within(name->host, base->host) ?
		    MATCH_YES : MATCH_NO;
	/* The case of the local part tells people apart (7.5), but many
	 * servers do not know that: it does not lead out of an exclusion. */
	return same(name->host, base->host) && (excluded ?
	    same(name->folded, base->folded) : same(name->local, base->local)) ?
	    MATCH_YES : MATCH_NO;
}

/* ---------------------------------------------------------------- addresses */

/* RFC 4632: ones, then zeros. */
bool
match_mask_valid(struct span s)
{
	size_t	i;
	bool	zero = false;
	int	bit;

	for (i = s.len / 2; i < s.len; i++) {
		for (bit = 7; bit >= 0; bit--) {
			if ((s.p[i] >> bit & 1) == 0)
				zero = true;
			else if (zero)
				return false;
		}
	}
	return true;
}

enum match
match_ip(struct span name, struct span base)
{
	size_t	i;

	if (name.len != 4 && name.len != 16)
		return MATCH_NEVER;
	if (base.len != 2 * name.len)
		return MATCH_NO;	/* the other family */
	for (i = 0; i < name.len; i++)
		if (((name.p[i] ^ base.p[i]) & base.p[name.len + i]) != 0)
			return MATCH_NO;
	return MATCH_YES;
}
