/*
 * remember.c - was this question answered before?
 *
 * The door of the large question, which verify.c answers. Decides nothing.
 */

#include "engine.h"

static struct certauth_verdict *
remembered(struct certauth *e, const struct verdict_key *key,
    uint64_t generation, int64_t now)
{
	struct certauth_verdict	*v = verdict_cache_get(e->verdicts, key, e->id,
				    generation, now);

	if (v != NULL)
		(void)atomic_fetch_add_explicit(&e->remembered, 1,
		    memory_order_relaxed);
	return v;
}

struct certauth_verdict *
certauth_verify(struct certauth *e, const struct certauth_request *request)
{
	struct certauth_verdict	*v;
	struct verdict_key	 key;
	STACK_OF(X509)		*sent = request->sent;
	uint64_t		 generation;
	int64_t			 now;
	bool			 many, sent_used;

	if (e == NULL || request->profile == NULL)
		return certauth_refuse(request->profile, CERTAUTH_DATA_MISSING,
		    "no policy is loaded, or no such profile");
	(void)atomic_fetch_add_explicit(&e->asked, 1, memory_order_relaxed);
	now = request->now != 0 ? request->now : engine_clock(e);
	many = sent != NULL && sk_X509_num(sent) > VERIFY_MAX_SENT;
	/* A story is told anew each time; too many certificates are refused. */
	if ((request->flags & CERTAUTH_EXPLAIN) != 0 || many)
		return verify_anew(e, request, now, NULL, &sent_used);
	generation = certauth_generation(e);
	verdict_key_make(e->verdicts, &key, request->service,
	    request->profile, request->leaf, NULL);
	v = remembered(e, &key, generation, now);
	if (v != NULL)
		return v;
	if (sent != NULL && verdict_cache_has_sent(e->verdicts)) {
		verdict_key_add(e->verdicts, &key, sent);
		v = remembered(e, &key, generation, now);
		if (v != NULL)
			return v;
		verdict_key_leaf_only(e->verdicts, &key);
	}
	v = verify_anew(e, request, now, &key, &sent_used);
	if (v == NULL)
		return NULL;
	if (sent_used)
		verdict_key_add(e->verdicts, &key, sent);
	verdict_cache_put(e->verdicts, &key, v);
	return v;
}
