/*
 * counted.c - in whose memory, and under which profiles, are decisions counted?
 *
 * What is counted and how it is told is verdict/counters.c.
 */

#include <string.h>

#include "engine.h"
#include "verdict/counters.h"

static const char	magic[16] = "CERTAUTHCOUNT1";

size_t
certauth_counters_size(void)
{
	return sizeof(struct certauth_counters);
}

/* Of another layout when a reason, a step or a field came in between. */
static bool
is_ours(const struct certauth_counters *c)
{
	return memcmp(c->magic, magic, sizeof(magic)) == 0 &&
	    c->layout == sizeof(*c) && c->num_rows >= 1 &&
	    c->num_rows <= COUNTERS_MAX_ROWS;
}

struct certauth_counters *
certauth_counters_open(void *memory, const struct certauth *e)
{
	struct certauth_counters	*c = memory;
	size_t				 i;

	if (c->layout == 0) {
		memcpy(c->magic, magic, sizeof(magic));
		c->num_rows = 1;
		c->layout = sizeof(*c);
	} else if (!is_ours(c)) {
		return NULL;
	}
	for (i = 0; e != NULL && i < e->num_profiles; i++)
		(void)counters_row(c, e->profiles[i].name);
	return c;
}

void
certauth_counters_add(struct certauth_counters *c, struct certauth *e,
    const struct certauth_verdict *v, const struct certauth_event *event,
    int64_t now)
{
	if (c == NULL)
		return;
	counters_add(c, v, event, now != 0 ? now : engine_clock(e));
	if (e == NULL)
		return;
	/* Each process has its own; whoever decides brings them. */
	atomic_fetch_add(&c->asked, atomic_exchange(&e->asked, 0));
	atomic_fetch_add(&c->remembered, atomic_exchange(&e->remembered, 0));
}
