/*
 * renewal.c - is it time to renew, and may it still be renewed?
 *
 * A public CA lets people renew from some weeks before to some days after the
 * end of their certificate. This tells where `now` lies in that window. It lets
 * nobody in: an expired certificate is refused, whatever is said here.
 */

#include "trust/renewal.h"

/* Of a certificate that lives for days the window would be its whole life, so it
 * is due in its last third at the earliest. */
#define RENEWAL_SHARE	3

enum renewal
renewal_state(const struct policy_options *o, const struct cert *c, int64_t now)
{
	int64_t	before = o->renew_before, life;

	/* dates of a certificate lie between the years 0 and 9999 */
	life = c->not_after - c->not_before;
	if (before > life / RENEWAL_SHARE)
		before = life / RENEWAL_SHARE;
	if (now < c->not_before)
		return RENEWAL_NONE;
	if (now > c->not_after)
		return now <= renewal_end(o, c) && o->renew_after > 0 ?
		    RENEWAL_OVERDUE : RENEWAL_NONE;
	return before > 0 && now >= c->not_after - before ? RENEWAL_DUE :
	    RENEWAL_NONE;
}

int64_t
renewal_end(const struct policy_options *o, const struct cert *c)
{
	return c->not_after + o->renew_after;
}

const char *
renewal_word(enum renewal renewal)
{
	switch (renewal) {
	case RENEWAL_DUE:
		return "due";
	case RENEWAL_OVERDUE:
		return "overdue";
	case RENEWAL_NONE:
		break;
	}
	return "";
}
