/* renewal.h - is it time to renew, and may it still be renewed? */
#ifndef CERTAUTH_TRUST_RENEWAL_H
#define CERTAUTH_TRUST_RENEWAL_H

#include "trust/policy.h"

enum renewal {
	RENEWAL_NONE,		/* not yet, no longer, or nobody asked */
	RENEWAL_DUE,		/* valid, in the last days */
	RENEWAL_OVERDUE		/* expired, but the CA still renews it */
};

/* Before notBefore: NONE. Never says that a certificate is valid. */
enum renewal renewal_state(const struct policy_options *,
    const struct cert *, int64_t now);
/* The last second in which it may be renewed. */
int64_t	renewal_end(const struct policy_options *, const struct cert *);
/* "due", "overdue" or "". */
const char *renewal_word(enum renewal);

#endif
