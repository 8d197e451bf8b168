/*
 * path.h - which chains are worth trying, in which order?
 *
 * Finds, never judges: names and hints only, no signature is checked here. The
 * conductor asks for one path after another until one holds.
 */
#ifndef CERTAUTH_TRUST_PATH_H
#define CERTAUTH_TRUST_PATH_H

#include "trust/policy.h"
#include "trust/pool.h"

/* Ceilings for one question. Beyond them the answer is path-limit. */
#define PATH_MAX_CANDIDATES	64	/* whole paths tried (LibreSSL: 8) */
#define PATH_MAX_LENGTH		34	/* leaf, 32 intermediates, anchor */
#define PATH_MAX_NODES		1024	/* certificates that could be on a path */
#define PATH_MAX_EDGES		16384	/* "could have issued" between them */
#define PATH_MAX_STEPS		65536	/* of the search */
/*
 * Signatures checked for one question, in checks with P-256 (64 us). Where the
 * dearest keys on one path of the depth that is allowed need more, so much.
 */
#define PATH_MAX_SIGNATURES	120
#define PATH_DEAREST_SIGNATURE	11

enum path_edge_state { PATH_EDGE_UNKNOWN, PATH_EDGE_GOOD, PATH_EDGE_BAD };
/* "this certificate could have issued that one"; the state is remembered for the
 * length of one question, so that no signature is checked twice. */
struct path_edge {
	uint32_t		issuer;		/* node */
	bool			clean;
	enum path_edge_state	state;
};

struct path {
	struct cert	 *certs[PATH_MAX_LENGTH];	/* leaf ... anchor; borrowed */
	struct path_edge *edges[PATH_MAX_LENGTH];	/* edges[i]: certs[i] by certs[i+1] */
	size_t		  num_certs;
	/* bit i: validate.c found that certs[i] cannot stand above this leaf */
	uint64_t	  hopeless;
};

struct path_search;

/* `sent` are certificates that somebody sent, never trusted. All borrowed.
 * NULL: out of memory. */
struct path_search *path_search_new(const struct pool *,
    const struct policy_options *, struct cert *leaf,
    struct cert *const *sent, size_t num_sent, int64_t now);
void	path_search_free(struct path_search *);

enum path_next { PATH_END, PATH_LIMIT, PATH_FOUND };
/* The next best path; it is valid until the next call. Edges that were marked
 * BAD and certificates given to path_dead() are not proposed again. */
enum path_next path_next(struct path_search *, struct path *path_r);
/* path.certs[i] can be on no good path (it is revoked, say). An anchor stays:
 * what was wrong with it as an intermediate may not matter where it is trusted. */
void	path_dead(struct path_search *, const struct path *, size_t i);
/* path_tell.c. For the story: the path, and where each CA on it comes from. */
void	path_tell(struct certauth_verdict *, const struct pool *,
	    const struct path *);
/* For the story when no path was found: how many certificates could be reached,
 * and one whose issuer is missing (NULL: none). */
const struct cert *path_missing_issuer(const struct path_search *);

#endif
