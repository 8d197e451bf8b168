/*
 * limit.c - may one more refusal of this kind be logged?
 *
 * The first of a kind always may, and nothing is lost without being counted.
 */

#include "verdict/limit.h"

static struct limit_kind *
find(struct decision_limit *l, enum certauth_reason reason, int authority)
{
	struct limit_kind	*kind;
	size_t			 i;

	for (i = 0; i < l->num_kinds; i++)
		if (l->kinds[i].reason == reason &&
		    l->kinds[i].authority == authority)
			return &l->kinds[i];
	if (l->num_kinds == LIMIT_MAX_KINDS)
		return &l->kinds[LIMIT_MAX_KINDS - 1];
	kind = &l->kinds[l->num_kinds++];
	*kind = (struct limit_kind){ .reason = reason, .authority = authority,
	    .begin = INT64_MIN };
	return kind;
}

/* A clock that went back begins anew too. */
static bool
is_over(const struct limit_kind *kind, int64_t now)
{
	return kind->begin == INT64_MIN || now < kind->begin ||
	    now - kind->begin >= LIMIT_WINDOW;
}

bool
limit_take(struct decision_limit *l, enum certauth_reason reason, int authority,
    unsigned max, int64_t now, uint64_t *unlogged_r)
{
	struct limit_kind	*kind = find(l, reason, authority);

	if (is_over(kind, now)) {
		kind->begin = now;
		kind->logged = 0;
	}
	if (max != 0 && kind->logged >= max) {
		kind->unlogged++;
		return false;
	}
	kind->logged++;
	*unlogged_r = kind->unlogged;
	kind->unlogged = 0;
	return true;
}

bool
limit_rest(struct decision_limit *l, int64_t now, struct limit_kind *kind_r)
{
	size_t	i;

	for (i = 0; i < l->num_kinds; i++)
		if (l->kinds[i].unlogged > 0 && is_over(&l->kinds[i], now)) {
			*kind_r = l->kinds[i];
			l->kinds[i].unlogged = 0;
			return true;
		}
	return false;
}
