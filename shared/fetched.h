/*
 * fetched.h - intermediates that the refresher found by AIA (RFC 5280 4.2.2.1).
 *
 * They help to build a path as certificates do that a client sends, and are
 * trusted as little. Immutable, reference counted.
 */
#ifndef CERTAUTH_FETCHED_H
#define CERTAUTH_FETCHED_H

#include "engine.h"

/* Of all authorities; GlobalSign's family has some 180, and most are in pools. */
#define FETCHED_MAX		256u
#define FETCHED_MAX_BYTES	(4u * 1024 * 1024)

struct fetched;

/*
 * The next state: what the manifest in the state folder names, or what `last`
 * (NULL: first load) has when nothing changed or the new file is bad (a note
 * says so). NULL: there is none. Sets *changed_r when it differs from `last`, and
 * never clears it. One poll at a time.
 */
struct fetched *fetched_load(struct certauth *, struct fetched *last,
	    bool *changed_r);
void	fetched_free(struct fetched *);		/* drops a reference; NULL allowed */
/* References to its certificates into `sent`, at most FETCHED_MAX; how many. */
size_t	fetched_give(const struct fetched *, struct cert **sent);
/* The certificates of the file in force as a pool, for whoever looks for the signer
 * of a list: what a list signed by them is worth is found out with each path. NULL:
 * there are none (or no memory). */
struct pool *fetched_pool(const struct file_ref *state,
	    const struct file_owners *);
struct pool *engine_fetched_pool(const struct certauth *);
/* Does a path of good signatures lead from an anchor of `pool` to it? `beside`
 * (NULL: none) may help. */
bool	fetched_under_anchor(const struct pool *, struct cert *,
	    const struct fetched *beside, int64_t now);

#endif
