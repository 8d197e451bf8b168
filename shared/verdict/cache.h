/*
 * cache.h - verdicts already made, for a certificate that comes again.
 *
 * Holds only what stays true while its data does: an ACCEPT that nothing
 * softened, and `revoked`. Never a refusal that a better chain could turn.
 */
#ifndef CERTAUTH_VERDICT_CACHE_H
#define CERTAUTH_VERDICT_CACHE_H

#include "verdict/verdict.h"

/* Leaf and sent chain of one question; larger ones are not remembered. What was
 * sent is part of the key only where it matters. */
#define VERDICT_KEY_MAX	(16u * 1024)
/* Names of services in a key: "http", "imap", "submission" ... */
#define VERDICT_KEY_SERVICE	16u

/* Everything a verdict depends on but the data and the time, byte by byte: two
 * questions have one key only when they are the same question. */
struct verdict_key {
	uint64_t	hash;
	size_t		data_len;	/* 0: cannot be remembered */
	size_t		leaf_at, leaf_len;	/* its DER in data; 0: not there */
	unsigned char	data[VERDICT_KEY_MAX];
};

struct verdict_cache;

/* NULL: out of memory; a NULL cache knows nothing and keeps nothing. */
struct verdict_cache *verdict_cache_new(void);
void	verdict_cache_free(struct verdict_cache *);

/* Fills the key; the order of `sent` counts. With `sent` NULL it is the key of
 * every question about that leaf whose answer does not hang on what was sent. */
void	verdict_key_make(const struct verdict_cache *, struct verdict_key *key_r,
	    const char *service, const struct certauth_profile *, X509 *leaf,
	    STACK_OF(X509) *sent);
/* Is any verdict kept whose key has what was sent? Any thread. */
bool	verdict_cache_has_sent(const struct verdict_cache *);
/* Makes the first kind of key the second; and back. */
void	verdict_key_add(const struct verdict_cache *, struct verdict_key *,
	    STACK_OF(X509) *sent);
void	verdict_key_leaf_only(const struct verdict_cache *,
	    struct verdict_key *);

/* A reference to a verdict that is still current, or NULL. Any thread. */
struct certauth_verdict *verdict_cache_get(struct verdict_cache *,
	    const struct verdict_key *, uint64_t engine, uint64_t generation,
	    int64_t now);
/* Keeps a reference if the (closed) verdict may be kept. Any thread. */
void	verdict_cache_put(struct verdict_cache *, const struct verdict_key *,
	    struct certauth_verdict *);

#endif
