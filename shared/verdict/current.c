/*
 * current.c - for how long does a verdict hold?
 *
 * As long as everything that it stands on: certificates, revocation data, the
 * generation of the engine. Reads no clock.
 */

#include "verdict/inside.h"

void
verdict_holds(struct certauth_verdict *v, int64_t from, int64_t until)
{
	if (from > v->from)
		v->from = from;
	if (until < v->until)
		v->until = until;
}

void
verdict_holds_with(struct certauth_verdict *v, const struct certauth_verdict *other)
{
	verdict_holds(v, other->from, other->until);
}

void
verdict_set_generation(struct certauth_verdict *v, uint64_t engine,
    uint64_t generation)
{
	v->engine = engine;
	v->generation = generation;
}

bool
verdict_is_current(const struct certauth_verdict *v, uint64_t engine,
    uint64_t generation, int64_t now)
{
	return v->closed && v->engine == engine &&
	    v->generation == generation && now >= v->from && now < v->until;
}
