/*
 * crl_status.c - what do the CRLs in force say about this one certificate?
 *
 * Which lists cover it, does one of them name it, and is one of them fresh. "Not
 * listed" is good only where a list covers; everything else is unknown. Knows
 * nothing of paths, softening and findings (revocation.c) and reads no file.
 */

#include <stdio.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "base/text.h"
#include "revocation/crl_status.h"

/* ----------------------------------------------------------- freshness */

/* Worst first. */
enum freshness { STALE, FUTURE, GRACE, FRESH };

/*
 * How far may "not listed" on this list be believed, and until when? Without
 * nextUpdate, which RFC 5280 5.1.2.5 demands, a list is fresh for max_age if
 * that is set, and otherwise stale from its first day, with grace.
 */
static enum freshness
judge_age(const struct index_row *row, const struct revocation_options *options,
    int64_t now, int64_t *until_r)
{
	int64_t	fresh, end, oldest = row->this_update + options->max_age;

	if (row->this_update > now + REVOCATION_SKEW_SECONDS) {
		*until_r = row->this_update - REVOCATION_SKEW_SECONDS;
		return FUTURE;
	}
	if (row->next_update != INDEX_NO_TIME) {
		fresh = row->next_update;
		end = fresh + options->grace;
	} else if (options->max_age > 0)
		fresh = end = oldest;
	else {
		fresh = row->this_update;
		end = fresh + options->grace;
	}
	if (options->max_age > 0) {
		fresh = fresh < oldest ? fresh : oldest;
		end = end < oldest ? end : oldest;
	}
	*until_r = now < fresh ? fresh : end;
	return now < fresh ? FRESH : now < end ? GRACE : STALE;
}

/* ------------------------------------------------------------ coverage */

/* RFC 5280 6.3.3 (b) (2): kind of certificate, and any of its distribution
 * points with any name of the list's. */
static bool
scope_covers(const struct load_row *force, const struct cert *cert)
{
	const struct index_row	*row = force->row;
	const unsigned char	*dps;
	size_t			 i, j;

	if ((row->flags & INDEX_USER_ONLY) != 0 && cert->is_ca)
		return false;
	if ((row->flags & INDEX_CA_ONLY) != 0 && !cert->is_ca)
		return false;
	if ((row->flags & INDEX_HAS_DPS) == 0)
		return true;
	dps = index_dps(force->index, row);
	for (i = 0; i < cert->num_dps; i++)
		for (j = 0; j < row->num_dps; j++)
			if (memcmp(cert->dps[i], dps + j * 32, 32) == 0)
				return true;
	return false;
}

/*
 * RFC 5280 6.3.3 (f): signed with the key that signed the certificate, by
 * somebody who may sign CRLs; or the caller vouches for a path to that key.
 */
static bool
signer_covers(const struct load_row *force, const struct cert *issuer,
    revocation_vouch_fn *vouch, void *context)
{
	if (memcmp(force->row->key_sha256, issuer->spki_sha256, 32) == 0 &&
	    (!issuer->has_key_usage ||
	    (issuer->key_usage & KU_CRL_SIGN) != 0))
		return true;
	return vouch != NULL && vouch(context, force->row->issuer_sha256,
	    force->row->key_sha256);
}

/* The rows of that issuer are [first, first + n). */
static size_t
find_rows(const struct revocation_data *data,
    const unsigned char issuer_sha256[32], size_t *first_r)
{
	size_t	low = 0, high = data->num_rows, middle, n;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (memcmp(data->rows[middle].row->issuer_sha256, issuer_sha256,
		    32) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (n = 0; low + n < data->num_rows &&
	    memcmp(data->rows[low + n].row->issuer_sha256, issuer_sha256,
	    32) == 0; n++)
		;
	*first_r = low;
	return n;
}

/* ------------------------------------------------------- one certificate */

struct question {
	const struct revocation_options	*options;
	const struct cert		*cert, *issuer;
	int64_t				 now;
	revocation_vouch_fn		*vouch;
	void				*context;
};

/* What the lists that cover one certificate say together. */
struct tally {
	const struct load_row	*listed;
	struct index_entry	 entry;
	const struct load_row	*best;		/* of those it is not on */
	enum freshness		 freshness;
	int64_t			 until;
	bool			 broken;
};

/* Of several lists that name it, a hold is the mildest. */
static void
note_listed(struct tally *tally, const struct load_row *force,
    const struct index_entry *entry)
{
	if (tally->listed != NULL &&
	    (tally->entry.reason != CRL_HOLD || entry->reason == CRL_HOLD))
		return;
	tally->listed = force;
	tally->entry = *entry;
}

static void
ask_row(const struct question *q, const struct load_row *force,
    struct tally *tally)
{
	struct index_entry	entry = { 0, 0 };
	enum freshness		freshness;
	int64_t			until;

	if (!scope_covers(force, q->cert) ||
	    !signer_covers(force, q->issuer, q->vouch, q->context))
		return;
	switch (index_lookup(force->index, force->row, q->cert->serial,
	    q->cert->serial_len, q->cert->serial_negative, &entry)) {
	case INDEX_LISTED:
		/* At any age: a certificate once revoked stays so. */
		note_listed(tally, force, &entry);
		return;
	case INDEX_BROKEN:
		tally->broken = true;
		return;
	case INDEX_NOT_LISTED:
		break;
	}
	freshness = judge_age(force->row, q->options, q->now, &until);
	if (tally->best == NULL || freshness > tally->freshness ||
	    (freshness == tally->freshness && until > tally->until)) {
		tally->best = force;
		tally->freshness = freshness;
		tally->until = until;
	}
}

static void
conclude(const struct question *q, const struct tally *tally,
    struct crl_answer *answer_r)
{
	static const enum crl_status status[] = {
		[STALE] = CRL_STATUS_STALE, [FUTURE] = CRL_STATUS_FUTURE,
		[GRACE] = CRL_STATUS_GRACE, [FRESH] = CRL_STATUS_GOOD
	};

	if (tally->listed != NULL) {
		answer_r->status = tally->entry.reason == CRL_HOLD ?
		    CRL_STATUS_HOLD : CRL_STATUS_REVOKED;
		answer_r->list = tally->listed;
		answer_r->entry = tally->entry;
		return;
	}
	if (tally->broken) {
		answer_r->status = CRL_STATUS_BROKEN;
		return;
	}
	if (tally->best == NULL)
		return;
	answer_r->status = status[tally->freshness];
	answer_r->list = tally->best;
	answer_r->from = tally->freshness == FUTURE ? q->now :
	    tally->best->row->this_update - REVOCATION_SKEW_SECONDS;
	answer_r->until = tally->until;
}

/* ---------------------------------------------------------------- public */

void
crl_status(const struct revocation_data *data,
    const struct revocation_options *options, const struct cert *cert,
    const struct cert *issuer, int64_t now, revocation_vouch_fn *vouch,
    void *context, struct crl_answer *answer_r)
{
	const struct question	q = {
		.options = options, .cert = cert, .issuer = issuer, .now = now,
		.vouch = vouch, .context = context
	};
	struct tally		tally = { 0 };
	size_t			first, n, i;
	int64_t			until;

	memset(answer_r, 0, sizeof(*answer_r));
	if (data == NULL) {
		answer_r->why = "there is no revocation data";
		return;
	}
	if ((cert->faults & CERT_FAULT_SERIAL) != 0 || cert->serial_len == 0) {
		answer_r->why = "a serial number of more than 20 octets can be "
		    "on no list";
		return;
	}
	n = find_rows(data, cert->issuer_sha256, &first);
	answer_r->why = n == 0 ? "there is no CRL of this issuer" :
	    "no CRL of this issuer's key and scope covers it";
	for (i = first; i < first + n; i++) {
		if (data->rows[i].waits && judge_age(data->rows[i - 1].row,
		    options, now, &until) != FUTURE)
			continue;
		ask_row(&q, &data->rows[i], &tally);
	}
	conclude(&q, &tally, answer_r);
}

/* A refused stranger may read this on an error page: the file's name helps the
 * administrator, its folder is nobody's business. */
static const char *
base_name(const char *path)
{
	const char	*slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

const char *
crl_status_list_text(const struct crl_answer *answer, char *buf, size_t buf_len)
{
	const struct load_row	*list = answer->list;
	const char		*name = base_name(list->source);
	char			 this_update[32], next_update[32] = "none";
	char			 source[300];

	text_time_print(this_update, sizeof(this_update),
	    list->row->this_update);
	if (list->row->next_update != INDEX_NO_TIME)
		text_time_print(next_update, sizeof(next_update),
		    list->row->next_update);
	snprintf(buf, buf_len, "CRL of \"%s\" (%s), thisUpdate %s, "
	    "nextUpdate %s", index_string(list->index, list->row->issuer),
	    text_printable(source, sizeof(source), name, strlen(name)),
	    this_update, next_update);
	return buf;
}

const char *
crl_status_reason_text(unsigned reason)
{
	static const char *const names[] = {
		"unspecified", "keyCompromise", "cACompromise",
		"affiliationChanged", "superseded", "cessationOfOperation",
		"certificateHold", "", "removeFromCRL", "privilegeWithdrawn",
		"aACompromise"
	};

	return reason < sizeof(names) / sizeof(names[0]) ? names[reason] :
	    "no reason given";
}
