/*
 * policies.h - which certificate policies hold on the whole path?
 * (RFC 5280 6.1.2 to 6.1.5)
 */
#ifndef CERTAUTH_TRUST_POLICIES_H
#define CERTAUTH_TRUST_POLICIES_H

#include "base/text.h"
#include "trust/policy.h"

/* Certificate policies of one path: nodes that its policy tree may have. */
#define POLICIES_MAX	512

/*
 * path[0] leaf ... path[n-1] anchor. CERTAUTH_OK: the user-constrained-policy-set
 * as dotted OIDs, comma separated, is added to `set_r`. Else the reason, and in
 * *why_r a static sentence.
 */
enum certauth_reason policies_check(const struct policy_options *,
	    struct cert *const *path, size_t num_path, struct text *set_r,
	    const char **why_r);

/*
 * The two ways of it, for the test that compares them. The first is for paths
 * without mappings and constraints, where nothing is asked for; *done_r false:
 * it is another, or says that another has to look.
 */
enum certauth_reason policies_by_hand(const struct policy_options *,
	    struct cert *const *path, size_t num_path, struct text *set_r,
	    bool *done_r);
enum certauth_reason policies_by_tree(const struct policy_options *,
	    struct cert *const *path, size_t num_path, struct text *set_r,
	    const char **why_r);

/* policies_tell.c: a sentence on what path[0] carries and path[1] allows; and the
 * policies of one certificate, at most a few of them. */
void	policies_tell(struct text *out, struct cert *const *path,
	    size_t num_path);
void	policies_tell_one(struct text *out, const struct cert *);

#endif
