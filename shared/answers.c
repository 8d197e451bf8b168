/*
 * answers.c - door 2 for OCSP: what to send to a responder, and what of its answers
 * is kept for every server of the machine.
 *
 * Reaches no responder. Only answers that were checked are published.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "base/text.h"
#include "certauth_data.h"
#include "engine.h"
#include "revocation/ocsp_status.h"

unsigned char *
certauth_ocsp_request(X509 *cert, X509 *issuer,
    const unsigned char nonce[CERTAUTH_OCSP_NONCE], size_t *len_r)
{
	/* A nonce makes every answer the responder's own work; without one the
	 * times say how old it is. */
	return ocsp_request_make(cert, issuer, nonce,
	    nonce != NULL ? CERTAUTH_OCSP_NONCE : 0, len_r);
}

/* ------------------------------------------------------------------- check */

struct checked {
	struct cert		*cert, *issuer;
	struct ocsp_answer	 said;
};

static void
checked_free(struct checked *c)
{
	cert_free(c->cert);
	cert_free(c->issuer);
	c->cert = c->issuer = NULL;
}

static bool
check(struct certauth *e, const struct certauth_answer *answer, int64_t now,
    struct checked *c, struct certauth_error *error_r)
{
	struct snapshot		*data;
	struct revocation_query	 query = { .now = now };
	bool			 ok = false;

	memset(c, 0, sizeof(*c));
	memset(error_r, 0, sizeof(*error_r));
	if (answer->authority >= e->num_authorities || answer->proof == NULL ||
	    sk_X509_num(answer->proof) < 2) {
		error_set(error_r, NULL, 0, "no such authority, or no path");
		return false;
	}
	c->cert = cert_new(sk_X509_value(answer->proof, 0));
	c->issuer = cert_new(sk_X509_value(answer->proof, 1));
	data = engine_snapshot(e);
	if (c->cert == NULL || c->issuer == NULL || data == NULL) {
		error_set(error_r, NULL, 0, "out of memory");
		goto out;
	}
	query.data = data->revocation;
	query.options = &e->authorities[answer->authority].revocation;
	ok = ocsp_status_read(&query, &answer->response, c->cert, c->issuer,
	    &c->said, error_r);
out:
	snapshot_free(data);
	if (!ok)
		checked_free(c);
	return ok;
}

/* RFC 6960 4.4.1: the answer to this very question. */
static bool
nonce_is(const struct certauth_bytes *response, const unsigned char *nonce,
    struct certauth_error *error_r)
{
	struct ocsp	o;

	if (!ocsp_parse(&o, response->data, response->data_len, error_r))
		return false;
	if (o.nonce == NULL)
		error_set(error_r, NULL, 0, "does not bring back the nonce of "
		    "the request");
	else if (o.nonce_len != CERTAUTH_OCSP_NONCE ||
	    memcmp(o.nonce, nonce, CERTAUTH_OCSP_NONCE) != 0)
		error_set(error_r, NULL, 0, "is the answer to another request: "
		    "its nonce is another one");
	else
		return true;
	return false;
}

/* A revocation counts at any age; everything else while it lasts. */
static bool
in_time(const struct ocsp_answer *said, int64_t now)
{
	return said->status == OCSP_REVOKED ||
	    (said->this_update <= now + OCSP_SKEW_SECONDS &&
	    now < said->next_update + OCSP_SKEW_SECONDS);
}

enum certauth_ocsp
certauth_ocsp_check(struct certauth *e, size_t authority, STACK_OF(X509) *proof,
    const struct certauth_bytes *response,
    const unsigned char nonce[CERTAUTH_OCSP_NONCE], int64_t now,
    struct certauth_ocsp_report *report_r)
{
	const struct certauth_answer	answer = { .authority = authority,
	    .proof = proof, .response = *response };
	struct certauth_error		error;
	struct checked			c;

	memset(report_r, 0, sizeof(*report_r));
	if (now == 0)
		now = engine_clock(e);
	ERR_set_mark();
	memset(&error, 0, sizeof(error));
	if ((nonce != NULL && !nonce_is(response, nonce, &error)) ||
	    !check(e, &answer, now, &c, &error)) {
		(void)snprintf(report_r->error, sizeof(report_r->error),
		    "%.255s", error.text);
		goto out;
	}
	report_r->this_update = c.said.this_update;
	report_r->next_update = c.said.next_update;
	report_r->until = c.said.next_update;
	if (!in_time(&c.said, now))
		(void)snprintf(report_r->error, sizeof(report_r->error),
		    c.said.this_update > now ? "begins in the future" :
		    "is out of date");
	else if (c.said.status == OCSP_GOOD)
		report_r->status = CERTAUTH_OCSP_GOOD;
	else if (c.said.status == OCSP_UNKNOWN)
		report_r->status = CERTAUTH_OCSP_UNKNOWN;
	else
		report_r->status = CERTAUTH_OCSP_REVOKED;
	checked_free(&c);
out:
	ERR_pop_to_mark();
	return report_r->status;
}

/* ----------------------------------------------------------------- publish */

static bool
make_record(struct certauth *e, const struct certauth_answer *answer,
    int64_t now, struct answers_record *record)
{
	const struct revocation_options	*options;
	struct certauth_error		 error;
	struct checked			 c;
	bool				 ok;

	if (!check(e, answer, now, &c, &error))
		return false;
	options = &e->authorities[answer->authority].revocation;
	memset(record, 0, sizeof(*record));
	ok = in_time(&c.said, now) && answers_key(c.cert, c.issuer, record->key);
	record->this_update = c.said.this_update;
	record->next_update = c.said.next_update;
	record->status = (uint8_t)c.said.status;
	record->reason = (uint8_t)c.said.reason;
	record->short_lived = c.said.short_lived;
	record->date = c.said.date > 0 && c.said.date < UINT32_MAX ?
	    (uint32_t)c.said.date : 0;
	/* What is good lasts with its grace; what is not, as long as the
	 * certificate could be used. */
	record->keep_until = c.said.status != OCSP_GOOD ?
	    c.cert->not_after + 1 : c.said.next_update + OCSP_SKEW_SECONDS +
	    (c.said.short_lived ? 0 : options->grace);
	checked_free(&c);
	return ok;
}

/* What is in force now, read in the folder that is locked. */
static bool
publish(struct certauth *e, const struct answers_record *fresh, size_t num_fresh,
    int64_t now, struct certauth_error *error_r)
{
	struct publish_folder	folder;
	struct publish_map	last = { .data = NULL };
	struct file_stamp	stamp;
	unsigned char		*bytes = NULL;
	size_t			 len = 0;
	bool			 ok = false, have;

	if (!publish_begin(&folder, e->config->state.path, error_r))
		return false;
	/* A damaged one is replaced: all of it can be asked again. */
	have = publish_open_kind(PUBLISH_ANSWERS, &e->config->state,
	    &e->config->owners, NULL, &stamp, &last, NULL) == PUBLISH_TAKEN;
	bytes = answers_make(have ? &last.answers : NULL, fresh, num_fresh, now,
	    &len);
	if (bytes == NULL)
		error_set(error_r, e->config->state.path, 0, "out of memory, or "
		    "over %u answers", ANSWERS_MAX);
	else if (have ? len == last.data_len &&
	    memcmp(bytes, last.data, len) == 0 : len == sizeof(struct
	    answers_header))
		ok = true;	/* nothing is new: no process need look */
	else
		ok = publish_commit_answers(&folder, bytes, len, error_r);
	free(bytes);
	if (have)
		publish_unmap(&last);
	publish_end(&folder);
	return ok;
}

bool
certauth_answers_publish(struct certauth *e,
    const struct certauth_answer *answers, size_t num_answers, int64_t now,
    size_t *num_r, struct certauth_error *error_r)
{
	struct answers_record	*fresh;
	size_t			 i;
	bool			 ok = false;

	*num_r = 0;
	memset(error_r, 0, sizeof(*error_r));
	if (e->config == NULL || !e->config->has_state ||
	    num_answers > ANSWERS_MAX) {
		error_set(error_r, NULL, 0, "no state folder");
		return false;
	}
	if (now == 0)
		now = engine_clock(e);
	fresh = calloc(num_answers + 1, sizeof(*fresh));
	if (fresh == NULL) {
		error_set(error_r, NULL, 0, "out of memory");
		return false;
	}
	ERR_set_mark();
	for (i = 0; i < num_answers; i++)
		if (make_record(e, &answers[i], now, &fresh[*num_r]))
			(*num_r)++;
	ok = publish(e, fresh, *num_r, now, error_r);
	ERR_pop_to_mark();
	free(fresh);
	return ok;
}

void
certauth_answers_count(struct certauth *e, size_t *num_r, size_t *num_revoked_r)
{
	struct snapshot		*data = engine_snapshot(e);
	const struct answers	*answers;
	size_t			 i;

	*num_r = *num_revoked_r = 0;
	if (data != NULL && data->revocation != NULL &&
	    data->revocation->answers != NULL) {
		answers = &data->revocation->answers->map.answers;
		*num_r = answers->num_records;
		for (i = 0; i < answers->num_records; i++)
			*num_revoked_r += answers->records[i].status !=
			    OCSP_GOOD;
	}
	snapshot_free(data);
}
