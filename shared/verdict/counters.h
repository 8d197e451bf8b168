/*
 * counters.h - where decisions are counted: in memory of several processes.
 *
 * One row for each profile, fixed places for reasons and for the steps of the
 * histograms: nobody can make it grow. No pointers in it, as another process may
 * have it at another address.
 */
#ifndef CERTAUTH_VERDICT_COUNTERS_H
#define CERTAUTH_VERDICT_COUNTERS_H

#include <stdatomic.h>

#include "verdict/verdict.h"

#define COUNTERS_MAX_ROWS	64	/* profiles over that share the first row */
#define COUNTERS_MAX_NAME	64	/* of a profile, cut there */

/* How long the accepted certificates are still valid, and how long somebody waited:
 * upper ends in milliseconds, the last step has none. */
#define COUNTERS_NUM_LEFT	9
#define COUNTERS_NUM_WAIT	8

struct counters_row {
	char			name[COUNTERS_MAX_NAME];
	_Atomic uint64_t	verdicts[NUM_REASONS];
	_Atomic uint64_t	resumed;
	_Atomic uint64_t	left[COUNTERS_NUM_LEFT + 1], left_sum;
	_Atomic uint64_t	wait[COUNTERS_NUM_WAIT + 1], wait_sum;
};

struct certauth_counters {
	char			magic[16];
	_Atomic uint64_t	layout;		/* the size of all; 0: not begun */
	_Atomic uint64_t	num_rows;	/* the first is of no profile */
	_Atomic uint64_t	asked, remembered;
	struct counters_row	rows[COUNTERS_MAX_ROWS];
};

/* The row of that profile, made if it is new; the first when there is no room. One
 * process at a time; others may count meanwhile. */
struct counters_row *counters_row(struct certauth_counters *, const char *name);
/* One decision; of a profile without a row in the first. Any thread and process. */
void	counters_add(struct certauth_counters *, const struct certauth_verdict *,
	    const struct certauth_event *, int64_t now);

#endif
