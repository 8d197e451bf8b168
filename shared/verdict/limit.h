/* limit.h - how many lines has one kind of refusal had lately? */
#ifndef CERTAUTH_VERDICT_LIMIT_H
#define CERTAUTH_VERDICT_LIMIT_H

#include "certauth.h"

#define LIMIT_WINDOW	10	/* seconds */
#define LIMIT_MAX_KINDS	128	/* further ones share the last place */

/* Reason and authority, both of fixed sets: no attacker can make new kinds. */
struct limit_kind {
	enum certauth_reason	 reason;
	int			 authority;	/* number, -1: none */
	int64_t			 begin;		/* of its window */
	unsigned		 logged;
	uint64_t		 unlogged;
};
/* Zero it first. The caller holds its lock. */
struct decision_limit {
	struct limit_kind	 kinds[LIMIT_MAX_KINDS];
	size_t			 num_kinds;
};

/* May one more be logged at `now`? Then *unlogged_r were not since the last one. */
bool	limit_take(struct decision_limit *, enum certauth_reason, int authority,
	    unsigned max, int64_t now, uint64_t *unlogged_r);
/* Takes the next kind whose window is over and which has some that were not
 * logged; false: none. */
bool	limit_rest(struct decision_limit *, int64_t now,
	    struct limit_kind *kind_r);

#endif
