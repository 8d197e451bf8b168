/*
 * ocsp_status.c - what do the OCSP answers at hand say about this certificate?
 *
 * Of several the newest counts, but a revocation is for ever. Judges freshness as
 * crl_status.c does for lists. Makes no findings.
 */

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "revocation/ocsp_status.h"

/* ------------------------------------------------------------- freshness */

/*
 * The skew is the clocks'. An answer without nextUpdate has no grace: whoever
 * gave it has newer word at any time.
 */
static enum crl_status
judge_age(const struct revocation_query *q, struct ocsp_word *word)
{
	const struct ocsp_answer	*said = &word->said;
	int64_t				 fresh, end, oldest;

	word->from = said->this_update - OCSP_SKEW_SECONDS;
	if (word->from > q->now) {
		word->until = word->from;
		word->from = q->now;
		return CRL_STATUS_FUTURE;
	}
	fresh = said->next_update + OCSP_SKEW_SECONDS;
	end = said->short_lived ? fresh : fresh + q->options->grace;
	if (q->options->max_age > 0) {
		oldest = said->this_update + q->options->max_age;
		fresh = fresh < oldest ? fresh : oldest;
		end = end < oldest ? end : oldest;
	}
	if (end < q->options->prolonged)
		end = q->options->prolonged;
	word->until = q->now < fresh ? fresh : end;
	return q->now < fresh ? CRL_STATUS_GOOD : q->now < end ?
	    CRL_STATUS_GRACE : CRL_STATUS_STALE;
}

static void
judge(const struct revocation_query *q, struct ocsp_word *word)
{
	switch (word->said.status) {
	case OCSP_REVOKED:
		word->status = CRL_STATUS_REVOKED;
		return;
	case OCSP_HOLD:
		word->status = CRL_STATUS_HOLD;
		return;
	case OCSP_GOOD:
		word->status = judge_age(q, word);
		return;
	case OCSP_UNKNOWN:
	case OCSP_NOTHING:
		break;
	}
	word->status = CRL_STATUS_UNKNOWN;
	(void)snprintf(word->why, sizeof(word->why), "the OCSP responder does "
	    "not know it");
}

/* ------------------------------------------------------------ the signer */

/* A delegate without nocheck stands on the same CRLs as everybody else. */
static enum ocsp_delegate
delegate_status(void *context, const struct cert *delegate,
    const struct cert *issuer)
{
	const struct revocation_query	*q = context;
	struct crl_answer		 answer;

	crl_status(q->data, q->options, delegate, issuer, q->now, q->vouch,
	    q->context, &answer);
	switch (answer.status) {
	case CRL_STATUS_GOOD:
	case CRL_STATUS_GRACE:
		return OCSP_DELEGATE_GOOD;
	case CRL_STATUS_HOLD:
	case CRL_STATUS_REVOKED:
	case CRL_STATUS_BROKEN:
		return OCSP_DELEGATE_REVOKED;
	case CRL_STATUS_UNKNOWN:
	case CRL_STATUS_FUTURE:
	case CRL_STATUS_STALE:
		break;
	}
	return OCSP_DELEGATE_UNKNOWN;
}

bool
ocsp_status_read(const struct revocation_query *q,
    const struct certauth_bytes *bytes, const struct cert *cert,
    const struct cert *issuer, struct ocsp_answer *said,
    struct certauth_error *error_r)
{
	struct ocsp	response;

	/* The signature last: it costs most. */
	return ocsp_parse(&response, bytes->data, bytes->data_len, error_r) &&
	    ocsp_find(&response, cert, issuer, said, error_r) &&
	    ocsp_signed(&response, issuer, q->now, delegate_status,
	    (void *)(uintptr_t)q, error_r);
}

/* ---------------------------------------------------------------- public */

/* Does `said` say more than what is there so far? */
static bool
is_better(const struct revocation_query *q, const struct ocsp_answer *said,
    const struct ocsp_answer *best)
{
	bool	future = said->this_update > q->now + OCSP_SKEW_SECONDS;
	bool	best_future = best->this_update > q->now + OCSP_SKEW_SECONDS;

	if (best->status == OCSP_NOTHING || best->status == OCSP_REVOKED)
		return best->status == OCSP_NOTHING;
	if (said->status == OCSP_REVOKED)
		return true;
	if (future != best_future)
		return best_future;
	if (said->this_update != best->this_update)
		return said->this_update > best->this_update;
	return said->status > best->status;
}

static bool
has_kept(const struct revocation_query *q)
{
	return q->data != NULL && q->data->answers != NULL &&
	    q->data->answers->map.answers.num_records > 0;
}

bool
ocsp_status_any(const struct revocation_query *q)
{
	return has_kept(q) ||
	    (q->evidence != NULL && q->evidence->num_responses > 0);
}

void
ocsp_status(const struct revocation_query *q, const struct cert *cert,
    const struct cert *issuer, struct ocsp_word *word)
{
	const struct revocation_evidence	*evidence = q->evidence;
	struct certauth_error			 error;
	struct ocsp_answer			 said;
	unsigned char				 key[32];
	size_t					 i;

	memset(word, 0, sizeof(*word));
	if (has_kept(q) && answers_key(cert, issuer, key) &&
	    answers_find(&q->data->answers->map.answers, key, &said))
		word->said = said;
	for (i = 0; evidence != NULL && i < evidence->num_responses &&
	    i < REVOCATION_MAX_RESPONSES; i++) {
		memset(&error, 0, sizeof(error));
		if (!ocsp_status_read(q, &evidence->responses[i], cert, issuer,
		    &said, &error))
			(void)snprintf(word->why, sizeof(word->why),
			    "an OCSP answer %.150s", error.text);
		else if (is_better(q, &said, &word->said))
			word->said = said;
	}
	if (word->said.status != OCSP_NOTHING)
		judge(q, word);
}

const char *
ocsp_status_text(const struct ocsp_word *word, char *buf, size_t buf_len)
{
	char	this_update[32], next_update[32] = "none";

	text_time_print(this_update, sizeof(this_update),
	    word->said.this_update);
	if (!word->said.short_lived)
		text_time_print(next_update, sizeof(next_update),
		    word->said.next_update);
	(void)snprintf(buf, buf_len, "OCSP answer, thisUpdate %s, nextUpdate %s",
	    this_update, next_update);
	return buf;
}
