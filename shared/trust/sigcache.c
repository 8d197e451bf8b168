/*
 * sigcache.c - "this issuer's key signed this certificate", remembered.
 *
 * A table of fixed size, four places for each pair; both hashes are compared in
 * full, so a pair that was never checked is never taken for one that was.
 */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "trust/sigcache.h"

/* 1024 pairs of 64 bytes: a site has some ten, GlobalSign's family 200. */
#define SIGCACHE_SETS	256
#define SIGCACHE_WAYS	4

struct pair { unsigned char certificate[32], key[32]; };

struct sigcache {
	pthread_mutex_t	 lock;
	struct {
		struct pair	 pairs[SIGCACHE_WAYS];
		unsigned	 used, next;
	} sets[SIGCACHE_SETS];
};

struct sigcache *
sigcache_new(void)
{
	struct sigcache	*c = calloc(1, sizeof(*c));

	if (c != NULL)
		pthread_mutex_init(&c->lock, NULL);
	return c;
}

void
sigcache_free(struct sigcache *c)
{
	if (c == NULL)
		return;
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* The hash is SHA-256 already: any byte of it spreads well. */
static size_t
set_of(const struct cert *certificate)
{
	return certificate->sha256[0] % SIGCACHE_SETS;
}

static bool
find(const struct sigcache *c, size_t set, const struct cert *certificate,
    const struct cert *issuer)
{
	const struct pair	*p;
	unsigned		 i;

	for (i = 0; i < c->sets[set].used; i++) {
		p = &c->sets[set].pairs[i];
		if (memcmp(p->certificate, certificate->sha256, 32) == 0 &&
		    memcmp(p->key, issuer->spki_sha256, 32) == 0)
			return true;
	}
	return false;
}

bool
sigcache_known(struct sigcache *c, const struct cert *certificate,
    const struct cert *issuer)
{
	bool	known;

	if (c == NULL)
		return false;
	pthread_mutex_lock(&c->lock);
	known = find(c, set_of(certificate), certificate, issuer);
	pthread_mutex_unlock(&c->lock);
	return known;
}

void
sigcache_add(struct sigcache *c, const struct cert *certificate,
    const struct cert *issuer)
{
	size_t		 set = set_of(certificate);
	struct pair	*p;

	if (c == NULL)
		return;
	pthread_mutex_lock(&c->lock);
	if (!find(c, set, certificate, issuer)) {
		p = &c->sets[set].pairs[c->sets[set].next];
		memcpy(p->certificate, certificate->sha256, 32);
		memcpy(p->key, issuer->spki_sha256, 32);
		c->sets[set].next = (c->sets[set].next + 1) % SIGCACHE_WAYS;
		if (c->sets[set].used < SIGCACHE_WAYS)
			c->sets[set].used++;
	}
	pthread_mutex_unlock(&c->lock);
}
