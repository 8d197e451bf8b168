/*
 * validate.h - does this one chain hold under RFC 5280 section 6.1?
 *
 * Judges exactly the chain it is given; finding one is path.c's work.
 */
#ifndef CERTAUTH_TRUST_VALIDATE_H
#define CERTAUTH_TRUST_VALIDATE_H

#include "trust/path.h"
#include "trust/sigcache.h"
#include "verdict/verdict.h"

/* How many signatures may still be checked for one question, how many names
 * compared with constraints, and which CAs' signatures were checked before (NULL:
 * none is remembered). */
struct signatures {
	unsigned	 left;		/* in checks with P-256, key_cost() */
	unsigned	 comparisons_left;
	struct sigcache	*known;
};

/* The most that signatures.left may begin with. */
unsigned	validate_signature_budget(const struct policy_options *);

enum validate_result {
	VALIDATE_UNVOUCHED,	/* a signature or key failed: what is below it is
				   unproved and must not be looked at further */
	VALIDATE_FAULTY,	/* signatures hold, something else does not */
	VALIDATE_HOLDS
};

/*
 * Records every fault of path as findings of `path_no`. Signatures are checked
 * from the anchor down, each by a key that was vouched for before, at most
 * signatures->left (counted down) of them; edges remember the outcome.
 * *policies_r, when the path holds: the user-constrained-policy-set as dotted
 * OIDs, comma separated, in the verdict's arena.
 */
enum validate_result validate_path(const struct policy_options *, struct path *,
    int64_t now, struct signatures *, struct certauth_verdict *,
    int path_no, const char **policies_r);

/* The same for the signer of a CRL: only signature, dates and CA rules of the
 * path; its own key usage must have cRLSign when present. Writes no finding. */
bool	validate_signer(const struct policy_options *, struct path *, int64_t now,
	    struct signatures *);

#endif
