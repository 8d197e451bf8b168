/* schedule.h - what is due when? Pure functions of `now`, and the clock. */
#ifndef REFRESHER_SCHEDULE_H
#define REFRESHER_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The refresher's only look at the wall clock. */
int64_t	schedule_now(void);
/* Milliseconds that never go back, for waiting. */
int64_t	schedule_ticks(void);
/* Anything; spreads what would else happen in the same second everywhere. */
uint32_t schedule_random(void);
/* What nobody can guess; at most 256 bytes. False: there is none. */
bool	schedule_nonce(unsigned char *, size_t);

/*
 * When to look again after an answer that was fine (new or unchanged): after half
 * of the list's life, but at least each `refresh` seconds; and sooner as its end
 * comes near. next_update 0: none given.
 */
int64_t	schedule_after_success(int64_t now, int64_t this_update,
	    int64_t next_update, int64_t refresh, uint32_t random);
/* After the failures-th failure in a row (1 first). */
int64_t	schedule_after_failure(int64_t now, unsigned failures, int64_t refresh,
	    uint32_t random);

/*
 * Data lives on for `grace` seconds after its nextUpdate. An alert is due when it
 * has ended, and whenever half of what was left of the grace is over. Returns how
 * many alerts there should have been by `now`: one more than before is news.
 */
unsigned schedule_alerts(int64_t now, int64_t next_update, int64_t grace);

#endif
