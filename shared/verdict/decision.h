/* decision.h - one closed verdict as one line of the decision log. */
#ifndef CERTAUTH_VERDICT_DECISION_H
#define CERTAUTH_VERDICT_DECISION_H

#include "verdict/verdict.h"

/* nginx cuts a line of its log at 2048 bytes, its own words included. */
#define DECISION_MAX_BYTES	1800u
#define DECISION_MIN_KEY	16u	/* bytes of the secret, at least */
#define DECISION_MAX_KEY	4096u
#define DECISION_MAX_LIMIT	100000

enum decision_personal { DECISION_PLAIN, DECISION_HASHED };

/* Zero: text, plain. */
struct decision_options {
	bool			 json;
	enum decision_personal	 personal;
	unsigned char		 key[32];	/* SHA-256 of the secret */
	unsigned		 limit;		/* lines of a kind in a window, 0: all */
};

/*
 * The line, malloc'ed; NULL: out of memory. Printable, one line, valid JSON also
 * where it had to be cut. With DECISION_HASHED nothing in it names the person: user,
 * mailbox and subject are HMAC-SHA-256 under the key, and a detail is told only of
 * reasons that are about CAs and our own data. `unlogged`: so many like it were not
 * logged before.
 */
char	*decision_line(const struct decision_options *,
	    const struct certauth_verdict *, const struct certauth_event *,
	    int64_t now, uint64_t unlogged);

#endif
