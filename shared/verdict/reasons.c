/*
 * reasons.c - reasons.def turned into look-ups.
 */

#include <string.h>

#include <openssl/x509_vfy.h>

#include "verdict/verdict.h"

struct reason {
	enum certauth_reason	 number;
	const char		*slug;
	int			 rank, stage, x509, http, nginx;
	const char		*imap;
	unsigned		 flags;
	const char		*text, *mend;
};

static const struct reason	reasons[NUM_REASONS] = {
#define REASON(number, symbol, slug, rank, stage, x509, http, nginx, imap, flags, text, mend) \
	{ CERTAUTH_##symbol, slug, rank, stage, x509, http, nginx, imap, flags, text, mend },
#include "reasons.def"
#undef REASON
};

/* An unknown number is our own mistake and refuses as such. */
static const struct reason *
find(enum certauth_reason number)
{
	size_t	i;

	for (i = 0; i < NUM_REASONS; i++)
		if (reasons[i].number == number)
			return &reasons[i];
	return &reasons[NUM_REASONS - 1];	/* internal is the last row */
}

_Static_assert(CERTAUTH_INTERNAL == 1901, "internal must stay the last row");

const char *
certauth_reason_slug(enum certauth_reason number)
{
	return find(number)->slug;
}

enum certauth_reason
certauth_reason_find(const char *slug)
{
	size_t	i;

	for (i = 0; i < NUM_REASONS; i++)
		if (strcmp(reasons[i].slug, slug) == 0)
			return reasons[i].number;
	return CERTAUTH_INTERNAL;
}

const char *
certauth_reason_text(enum certauth_reason number)
{
	return find(number)->text;
}

const char *
certauth_reason_mend(enum certauth_reason number)
{
	return find(number)->mend;
}

int
certauth_reason_x509(enum certauth_reason number)
{
	return find(number)->x509;
}

int
certauth_reason_http(enum certauth_reason number)
{
	return find(number)->http;
}

int
certauth_reason_nginx(enum certauth_reason number)
{
	return find(number)->nginx;
}

const char *
certauth_reason_imap(enum certauth_reason number)
{
	return find(number)->imap;
}

bool
certauth_reason_final(enum certauth_reason number)
{
	return (find(number)->flags & FINAL) != 0;
}

bool
certauth_reason_ours(enum certauth_reason number)
{
	return (find(number)->flags & OURS) != 0;
}

bool
certauth_reason_anybody(enum certauth_reason number)
{
	return (find(number)->flags & ANYBODY) != 0;
}

bool
certauth_reason_alert(enum certauth_reason number)
{
	return find(number)->x509 != X509_V_ERR_APPLICATION_VERIFICATION;
}

size_t
reason_index(enum certauth_reason number)
{
	return (size_t)(find(number) - reasons);
}

enum certauth_reason
reason_at(size_t i)
{
	return reasons[i].number;
}

int
reason_rank(enum certauth_reason number)
{
	return find(number)->rank;
}

int
reason_stage(enum certauth_reason number)
{
	return find(number)->stage;
}
