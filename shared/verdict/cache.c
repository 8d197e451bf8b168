/*
 * cache.c - verdicts already made, for a certificate that comes again.
 *
 * A table of fixed size. The hash only finds a place: the bytes of the question
 * are compared whole, so no two certificates can be taken for one another.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/rand.h>
#define XXH_INLINE_ALL		/* header only: no library to load */
#include <xxhash.h>

#include "verdict/cache.h"

/* 512 verdicts; with chains sent, some 4 MB at the most usual. */
#define CACHE_SETS	128
#define CACHE_WAYS	4

struct entry {
	uint64_t		 hash;
	unsigned char		*data;		/* NULL: empty */
	size_t			 data_len;
	struct certauth_verdict	*verdict;
};

struct verdict_cache {
	pthread_mutex_t	lock;
	uint64_t	seed;		/* nobody outside can aim at one set */
	atomic_bool	has_sent;	/* once one was kept */
	struct {
		struct entry	entries[CACHE_WAYS];
		unsigned	next;
	} sets[CACHE_SETS];
};

struct verdict_cache *
verdict_cache_new(void)
{
	struct verdict_cache	*c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	if (RAND_bytes((unsigned char *)&c->seed, (int)sizeof(c->seed)) != 1) {
		free(c);
		return NULL;
	}
	pthread_mutex_init(&c->lock, NULL);
	return c;
}

static void
empty(struct entry *e)
{
	free(e->data);
	certauth_verdict_free(e->verdict);
	memset(e, 0, sizeof(*e));
}

void
verdict_cache_free(struct verdict_cache *c)
{
	size_t	i, k;

	if (c == NULL)
		return;
	for (i = 0; i < CACHE_SETS; i++)
		for (k = 0; k < CACHE_WAYS; k++)
			empty(&c->sets[i].entries[k]);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* Appends the DER; false: no room, or none could be made. */
static bool
append(struct verdict_key *key, X509 *x)
{
	unsigned char	*p = key->data + key->data_len;
	int		 len = i2d_X509(x, NULL);

	if (len <= 0 || (size_t)len > VERDICT_KEY_MAX - key->data_len ||
	    i2d_X509(x, &p) != len)
		return false;
	key->data_len += (size_t)len;
	return true;
}

static void
hash_key(const struct verdict_cache *c, struct verdict_key *key)
{
	key->hash = XXH3_64bits_withSeed(key->data, key->data_len, c->seed);
}

void
verdict_key_add(const struct verdict_cache *c, struct verdict_key *key,
    STACK_OF(X509) *sent)
{
	int	i, n = sent != NULL ? sk_X509_num(sent) : 0;
	bool	ok = true;

	if (c == NULL || key->data_len == 0)
		return;
	ERR_set_mark();
	/* DER says where it ends: a list of certificates reads in one way only */
	for (i = 0; ok && i < n; i++)
		ok = append(key, sk_X509_value(sent, i));
	ERR_pop_to_mark();
	if (ok)
		hash_key(c, key);
	else
		key->data_len = 0;
}

void
verdict_key_leaf_only(const struct verdict_cache *c, struct verdict_key *key)
{
	if (c == NULL || key->leaf_len == 0)
		return;
	key->data_len = key->leaf_at + key->leaf_len;
	hash_key(c, key);
}

void
verdict_key_make(const struct verdict_cache *c, struct verdict_key *key_r,
    const char *service, const struct certauth_profile *profile, X509 *leaf,
    STACK_OF(X509) *sent)
{
	size_t	len = service != NULL ? strlen(service) : 0;

	key_r->data_len = key_r->leaf_at = key_r->leaf_len = 0;
	if (c == NULL || leaf == NULL || len >= VERDICT_KEY_SERVICE)
		return;
	memcpy(key_r->data, &profile, sizeof(profile));
	/* a rule may name somebody differently for web and mail */
	memset(key_r->data + sizeof(profile), 0, VERDICT_KEY_SERVICE);
	memcpy(key_r->data + sizeof(profile), service != NULL ? service : "",
	    len);
	key_r->data_len = key_r->leaf_at = sizeof(profile) +
	    VERDICT_KEY_SERVICE;
	ERR_set_mark();
	if (append(key_r, leaf))
		key_r->leaf_len = key_r->data_len - key_r->leaf_at;
	else
		key_r->data_len = 0;
	ERR_pop_to_mark();
	if (key_r->data_len > 0)
		hash_key(c, key_r);
	if (sent != NULL)
		verdict_key_add(c, key_r, sent);
}

bool
verdict_cache_has_sent(const struct verdict_cache *c)
{
	return c != NULL && atomic_load(&c->has_sent);
}

static struct entry *
find(struct verdict_cache *c, const struct verdict_key *key)
{
	struct entry	*e;
	size_t		 k;

	for (k = 0; k < CACHE_WAYS; k++) {
		e = &c->sets[key->hash % CACHE_SETS].entries[k];
		if (e->data != NULL && e->hash == key->hash &&
		    e->data_len == key->data_len &&
		    memcmp(e->data, key->data, key->data_len) == 0)
			return e;
	}
	return NULL;
}

struct certauth_verdict *
verdict_cache_get(struct verdict_cache *c, const struct verdict_key *key,
    uint64_t engine, uint64_t generation, int64_t now)
{
	struct certauth_verdict	*v = NULL;
	struct entry		*e;

	if (c == NULL || key->data_len == 0)
		return NULL;
	pthread_mutex_lock(&c->lock);
	e = find(c, key);
	if (e != NULL && verdict_is_current(e->verdict, engine, generation, now))
		v = certauth_verdict_ref(e->verdict);
	pthread_mutex_unlock(&c->lock);
	return v;
}

/* What was softened must be seen again each time; what may turn is not kept. */
static bool
may_keep(const struct certauth_verdict *v)
{
	const struct certauth_finding	*f;
	size_t				 i, n;

	if (verdict_is_transient(v))
		return false;
	if (certauth_verdict_decision(v) != CERTAUTH_ACCEPT)
		return certauth_verdict_reason(v) == CERTAUTH_REVOKED;
	n = certauth_verdict_findings(v, &f);
	for (i = 0; i < n; i++)
		if (f[i].severity == CERTAUTH_WARNING)
			return false;
	return true;
}

void
verdict_cache_put(struct verdict_cache *c, const struct verdict_key *key,
    struct certauth_verdict *v)
{
	struct entry	*e, old = { 0 }, fresh = { .hash = key->hash,
			    .data_len = key->data_len };
	unsigned	*next;

	if (c == NULL || key->data_len == 0 || !may_keep(v))
		return;
	fresh.data = malloc(key->data_len);
	if (fresh.data == NULL)
		return;
	memcpy(fresh.data, key->data, key->data_len);
	fresh.verdict = certauth_verdict_ref(v);
	if (key->data_len > key->leaf_at + key->leaf_len)
		atomic_store(&c->has_sent, true);
	pthread_mutex_lock(&c->lock);
	e = find(c, key);
	if (e == NULL) {
		next = &c->sets[key->hash % CACHE_SETS].next;
		e = &c->sets[key->hash % CACHE_SETS].entries[*next];
		*next = (*next + 1) % CACHE_WAYS;
	}
	old = *e;
	*e = fresh;
	pthread_mutex_unlock(&c->lock);
	empty(&old);
}
