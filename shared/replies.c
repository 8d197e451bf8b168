/*
 * replies.c - what did a host bring to this question, and whom may it ask?
 *
 * Takes frames apart; what is in them is judged by the revocation room. The frames
 * come over a socket that nobody trusts.
 */

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "engine.h"
#include "trust/url.h"

/* Of an engine without policy: the responses named on the command line. */
static void
add_own(struct replies *r, const struct certauth *e, size_t *num)
{
	size_t	i;

	for (i = 0; i < e->num_responses && *num < REVOCATION_MAX_RESPONSES; i++)
		r->responses[(*num)++] = e->responses[i];
}

void
replies_read(struct replies *r, const struct certauth *e,
    const struct certauth_request *request, struct certauth_verdict *v)
{
	struct ask_reply	reply;
	size_t			i, num = 0, answered = 0;

	add_own(r, e, &num);
	for (i = 0; i < request->num_replies && answered < ASK_MAX_QUESTIONS;
	    i++) {
		if (!ask_reply_parse(request->replies[i].data,
		    request->replies[i].data_len, &reply))
			continue;
		memcpy(r->answered[answered++], reply.id, ASK_ID_BYTES);
		if (reply.result == ASK_OCSP && num < REVOCATION_MAX_RESPONSES)
			r->responses[num++] = reply.payload;
	}
	r->evidence.responses = r->responses;
	r->evidence.num_responses = num;
	r->evidence.answered = (const unsigned char (*)[ASK_ID_BYTES])r->answered;
	r->evidence.num_answered = answered;
	/* What only this one question had must not answer the next. */
	r->final = (request->flags & CERTAUTH_FINAL) != 0;
	if (request->num_replies > 0 || r->final)
		verdict_transient(v);
	r->may_ask = atomic_load(&e->asks) && !r->final;
}

void
replies_query(const struct replies *r, const struct engine_authority *a,
    const struct revocation_data *data, int64_t now,
    struct revocation_query *query)
{
	memset(query, 0, sizeof(*query));
	query->data = data;
	query->options = &a->revocation;
	query->evidence = &r->evidence;
	query->now = now;
	if (!r->may_ask || a->config == NULL)
		return;
	query->authority = a->name;
	query->crl_place = a->config->num_crl_urls > 0;
	query->ocsp_place = a->config->ocsp_url != NULL;
}

static bool
was_answered(const struct replies *r, const unsigned char *frame,
    size_t frame_len)
{
	unsigned char	id[ASK_ID_BYTES];
	size_t		i;

	if (!ask_question_id(frame, frame_len, id))
		return true;
	for (i = 0; i < r->evidence.num_answered; i++)
		if (memcmp(r->answered[i], id, sizeof(id)) == 0)
			return true;
	return false;
}

void
replies_orphan(struct replies *r, const struct engine_authority *a,
    const struct cert *orphan, bool is_leaf)
{
	struct ask_question	 question = { .kind = ASK_ISSUER,
				    .authority = a->name, .num_certs = 1 };
	unsigned char		*der = NULL, *frame;
	size_t			 frame_len;
	int			 len;

	/* Where the issuing CAs are pinned, one that is not here cannot be one
	 * of them. */
	if (!r->may_ask || r->num_orphans == REPLIES_MAX_ORPHANS ||
	    orphan->self_issued || (is_leaf && a->has_issuers) ||
	    !url_has_http(orphan->x509, URL_ISSUER))
		return;
	len = i2d_X509(orphan->x509, &der);
	if (len <= 0)
		return;
	question.authority_len = strlen(a->name);
	question.certs[0].data = der;
	question.certs[0].data_len = (size_t)len;
	frame = ask_question_make(&question, &frame_len);
	OPENSSL_free(der);
	if (frame == NULL || was_answered(r, frame, frame_len)) {
		free(frame);
		return;
	}
	r->orphans[r->num_orphans].data = frame;
	r->orphans[r->num_orphans++].data_len = frame_len;
}

void
replies_ask_issuers(struct replies *r, struct certauth_verdict *v)
{
	size_t	i;

	for (i = 0; i < r->num_orphans; i++)
		verdict_ask(v, (unsigned char *)(uintptr_t)r->orphans[i].data,
		    r->orphans[i].data_len);
	r->num_orphans = 0;	/* the verdict's now */
}

void
replies_hold(const struct replies *r, struct certauth_verdict *v, int chosen,
    int64_t now)
{
	const struct certauth_finding	*f;
	size_t				 i, n;
	bool				 makeshift = r->final && chosen < 0;

	n = certauth_verdict_findings(v, &f);
	for (i = 0; i < n; i++) {
		if (f[i].path != chosen || f[i].severity != CERTAUTH_WARNING)
			continue;
		/* Newer local data is another generation, and ends it anyway. */
		makeshift |= f[i].reason == CERTAUTH_REVOCATION_UNKNOWN ||
		    (r->final && f[i].reason == CERTAUTH_REVOCATION_STALE);
	}
	if (makeshift)
		verdict_holds(v, now, now + REPLIES_MAKESHIFT_AGE);
}

void
replies_free(struct replies *r)
{
	while (r->num_orphans > 0)
		free((void *)(uintptr_t)r->orphans[--r->num_orphans].data);
}
