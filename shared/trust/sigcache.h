/*
 * sigcache.h - "this issuer's key signed this certificate", remembered.
 *
 * For certificates of CAs: the same few are checked with every leaf. Holds what
 * never turns wrong, so nothing has to be thrown away but for room.
 */
#ifndef CERTAUTH_TRUST_SIGCACHE_H
#define CERTAUTH_TRUST_SIGCACHE_H

#include "trust/cert.h"

struct sigcache;

/* NULL: out of memory; a NULL cache knows nothing and learns nothing. */
struct sigcache *sigcache_new(void);
void	sigcache_free(struct sigcache *);

/* Any thread; a lock is held for nanoseconds, never during a signature check. */
bool	sigcache_known(struct sigcache *, const struct cert *certificate,
	    const struct cert *issuer);
void	sigcache_add(struct sigcache *, const struct cert *certificate,
	    const struct cert *issuer);

#endif
