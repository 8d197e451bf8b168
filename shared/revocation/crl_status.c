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
		/* "after the value of the next update field" it is not
		 * current any more, RFC 5280 6.3.3 (a) (1) */
		fresh = row->next_update + 1;
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
	if (end < options->prolonged)
		end = options->prolonged;
	*until_r = now < fresh ? fresh : end;
	return now < fresh ? FRESH : now < end ? GRACE : STALE;
}

/* ------------------------------------------------------------ coverage */

struct question {
	const struct revocation_data	*data;
	const struct revocation_options	*options;
	const struct cert		*cert, *issuer;
	int64_t				 now;
	revocation_vouch_fn		*vouch;
	void				*context;
};

static bool
is_among(const unsigned char hash[32], const unsigned char *hashes, size_t num)
{
	size_t	i;

	for (i = 0; i < num; i++)
		if (memcmp(hash, hashes + i * 32, 32) == 0)
			return true;
	return false;
}

/* Any of these names with any of the list's. */
static bool
names_meet(const struct load_row *force, const unsigned char *names,
    size_t num_names)
{
	const unsigned char	*dps = index_dps(force->index, force->row);
	size_t			 i;

	for (i = 0; i < num_names; i++)
		if (is_among(names + i * 32, dps, force->row->num_dps))
			return true;
	return false;
}

static bool
is_own_list(const struct load_row *force, const struct cert *cert)
{
	return memcmp(force->row->issuer_sha256, cert->issuer_sha256, 32) == 0;
}

/* RFC 5280 6.3.3 (b) (1), (2) (i): is the list one that this distribution point
 * speaks of? */
static bool
point_meets(const struct load_row *force, const struct cert *cert,
    const struct cert_point *point)
{
	const unsigned char	*dps = cert->dps[point->first_dp];
	const unsigned char	*issuers =
				    cert->point_issuers[point->first_issuer];

	if (point->has_issuer) {
		if ((force->row->flags & INDEX_INDIRECT) == 0 ||
		    !is_among(force->row->issuer_sha256, issuers,
		    point->num_issuers))
			return false;
	} else if (!is_own_list(force, cert))
		return false;
	if ((force->row->flags & INDEX_HAS_DPS) == 0)
		return true;
	return point->has_name ? names_meet(force, dps, point->num_dps) :
	    names_meet(force, issuers, point->num_issuers);
}

/*
 * For which reasons of revocation does the list speak of this certificate (mask;
 * 0: it does not cover it)? RFC 5280 6.3.3 (b) and (d), for each distribution
 * point, and for one that is not written: a list of the issuer's own, by its name
 * or by none.
 */
static unsigned
covered_reasons(const struct load_row *force, const struct cert *cert)
{
	const struct index_row	*row = force->row;
	unsigned		 all, mask = 0;
	size_t			 i;

	if ((row->flags & INDEX_USER_ONLY) != 0 && cert->is_ca)
		return 0;
	if ((row->flags & INDEX_CA_ONLY) != 0 && !cert->is_ca)
		return 0;
	all = row->reasons != 0 ? row->reasons : CRL_ALL_REASONS;
	if (is_own_list(force, cert) &&
	    ((row->flags & INDEX_HAS_DPS) == 0 || names_meet(force, cert->issuer_sha256, 1)))
		return all;
	if (cert->num_points == 0)
		return cert->num_dps != 0 && is_own_list(force, cert) &&
		    names_meet(force, cert->dps[0], cert->num_dps) ? all : 0;
	for (i = 0; i < cert->num_points; i++)
		if (point_meets(force, cert, &cert->points[i]))
			mask |= cert->points[i].has_reasons ?
			    all & cert->points[i].reasons : all;
	return mask;
}

/*
 * RFC 5280 6.3.3 (f): signed with the key that signed the certificate, by
 * somebody who may sign CRLs; or the caller vouches for a path to that key.
 */
static bool
signer_covers(const struct question *q, const struct load_row *force)
{
	if (is_own_list(force, q->cert) &&
	    memcmp(force->row->key_sha256, q->issuer->spki_sha256, 32) == 0 &&
	    (!q->issuer->has_key_usage ||
	    (q->issuer->key_usage & KU_CRL_SIGN) != 0))
		return true;
	return q->vouch != NULL && q->vouch(q->context,
	    force->row->issuer_sha256, force->row->key_sha256);
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

/* ------------------------------------------------------------- one list */

/* How well "not listed" is known. */
struct proof {
	const struct load_row	*list;		/* NULL: not at all */
	enum freshness		 freshness;
	int64_t			 from, until;
};

/* What the lists that cover one certificate say together. */
struct tally {
	const struct load_row	*listed;
	struct index_entry	 entry;
	struct proof		 proofs[CRL_NUM_REASONS];	/* from 1 on */
	unsigned		 reasons;	/* that have a proof */
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

/* The better of two, where either is enough. */
static void
keep_better(struct proof *proof, const struct proof *other)
{
	if (proof->list == NULL || other->freshness > proof->freshness ||
	    (other->freshness == proof->freshness &&
	    other->until > proof->until))
		*proof = *other;
}

static void
add_proof(const struct question *q, const struct load_row *force,
    struct proof *proof)
{
	struct proof	other = { .list = force };

	other.freshness = judge_age(force->row, q->options, q->now,
	    &other.until);
	other.from = other.freshness == FUTURE ? q->now :
	    force->row->this_update - REVOCATION_SKEW_SECONDS;
	keep_better(proof, &other);
}

static enum index_answer
look_up(const struct question *q, const struct load_row *force,
    struct index_entry *entry_r)
{
	const struct index_row	*row = force->row;

	if (!is_own_list(force, q->cert))
		row = index_member(force->index, row, q->cert->issuer_sha256);
	if (row == NULL)
		return INDEX_NOT_LISTED;
	return index_lookup(force->index, row, q->cert->serial,
	    q->cert->serial_len, q->cert->serial_negative, entry_r);
}

/* -------------------------------------------------------------- delta CRLs */

static bool
is_newer(const struct load_row *delta, const struct load_row *list)
{
	return index_compare_age(delta->row, list->row) > 0;
}

/*
 * RFC 5280 5.2.4: a delta CRL makes a newer list of one whose number is its base
 * or higher, and lower than its own; the result may be followed by the next.
 * A bit for each that does so now.
 */
static unsigned
follow_deltas(const struct question *q, const struct load_row *list)
{
	const struct index_row	*known = list->row, *row;
	unsigned		 mask = 0;
	int64_t			 until;
	size_t			 i;

	if (known->number_len == 0)
		return 0;
	for (i = list->num_deltas; i > 0; i--) {
		row = q->data->rows[list->first_delta + i - 1].row;
		if (crl_compare_number(row->base, row->base_len, known->number,
		    known->number_len) > 0 ||
		    crl_compare_number(row->number, row->number_len,
		    known->number, known->number_len) <= 0 ||
		    judge_age(row, q->options, q->now, &until) == FUTURE)
			continue;
		mask |= 1u << (i - 1);
		known = row;
	}
	return mask;
}

enum delta_answer { DELTA_SILENT, DELTA_LISTED, DELTA_REMOVED };

/*
 * RFC 5280 6.3.3 (i): the newest word on the certificate counts. One that does
 * not follow the list (there is a newer complete one that we do not have) can
 * still say "revoked". A removal counts as long as the delta CRL is fresh.
 */
static enum delta_answer
ask_deltas(const struct question *q, const struct load_row *list,
    struct tally *tally, struct proof *proof)
{
	const struct load_row	*delta;
	struct index_entry	 entry = { 0, 0 };
	unsigned		 followed = follow_deltas(q, list);
	size_t			 i;

	for (i = 0; i < list->num_deltas; i++) {
		delta = &q->data->rows[list->first_delta + i];
		if (!is_newer(delta, list))
			continue;
		if ((followed >> i & 1) != 0)
			add_proof(q, delta, proof);
		switch (look_up(q, delta, &entry)) {
		case INDEX_BROKEN:
			tally->broken = true;
			break;
		case INDEX_NOT_LISTED:
			break;
		case INDEX_LISTED:
			if (entry.reason != CRL_REMOVE) {
				note_listed(tally, delta, &entry);
				return DELTA_LISTED;
			}
			if ((followed >> i & 1) != 0 &&
			    proof->freshness >= GRACE)
				return DELTA_REMOVED;
			break;
		}
	}
	return DELTA_SILENT;
}

/* ------------------------------------------------------- one certificate */

/* A delta CRL without its complete list proves nothing, but it can accuse. */
static void
ask_alone(const struct question *q, const struct load_row *delta,
    struct tally *tally)
{
	struct index_entry	entry = { 0, 0 };

	switch (look_up(q, delta, &entry)) {
	case INDEX_BROKEN:
		tally->broken = true;
		break;
	case INDEX_NOT_LISTED:
		break;
	case INDEX_LISTED:
		if (entry.reason != CRL_REMOVE)
			note_listed(tally, delta, &entry);
		break;
	}
}

static void
ask_list(const struct question *q, const struct load_row *list, unsigned reasons,
    struct tally *tally)
{
	struct index_entry	entry = { 0, 0 };
	struct proof		proof = { 0 };
	unsigned		i;

	switch (ask_deltas(q, list, tally, &proof)) {
	case DELTA_LISTED:
		return;
	case DELTA_REMOVED:
		break;
	case DELTA_SILENT:
		switch (look_up(q, list, &entry)) {
		case INDEX_LISTED:
			/* At any age: a certificate once revoked stays so. */
			note_listed(tally, list, &entry);
			return;
		case INDEX_BROKEN:
			tally->broken = true;
			return;
		case INDEX_NOT_LISTED:
			break;
		}
		add_proof(q, list, &proof);
	}
	for (i = 1; i < CRL_NUM_REASONS; i++)
		if ((reasons >> i & 1) != 0)
			keep_better(&tally->proofs[i], &proof);
	tally->reasons |= reasons;
}

/* All lists of that name; gives how many there are. */
static size_t
ask_issuer(const struct question *q, const unsigned char issuer_sha256[32],
    struct tally *tally)
{
	const struct load_row	*row;
	size_t			 first, n, i;
	unsigned		 reasons;
	int64_t			 until;

	n = find_rows(q->data, issuer_sha256, &first);
	for (i = first; i < first + n; i++) {
		row = &q->data->rows[i];
		if (((row->row->flags & INDEX_DELTA) != 0 && !row->alone) ||
		    (row->waits && judge_age(row[-1].row, q->options, q->now,
		    &until) != FUTURE))
			continue;
		reasons = covered_reasons(row, q->cert);
		if (reasons == 0 || !signer_covers(q, row))
			continue;
		if (row->alone)
			ask_alone(q, row, tally);
		else
			ask_list(q, row, reasons, tally);
	}
	return n;
}

/* Every reason must have its proof (RFC 5280 6.3.3); the weakest counts. */
static void
conclude(const struct tally *tally, struct crl_answer *answer_r)
{
	static const enum crl_status status[] = {
		[STALE] = CRL_STATUS_STALE, [FUTURE] = CRL_STATUS_FUTURE,
		[GRACE] = CRL_STATUS_GRACE, [FRESH] = CRL_STATUS_GOOD
	};
	const struct proof	*proof, *weakest = &tally->proofs[1];
	unsigned		 i;

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
	if (tally->reasons != CRL_ALL_REASONS) {
		if (tally->reasons != 0)
			answer_r->why = "the CRLs that cover it speak of some "
			    "reasons of revocation only (onlySomeReasons)";
		return;
	}
	answer_r->from = weakest->from;
	answer_r->until = weakest->until;
	for (i = 2; i < CRL_NUM_REASONS; i++) {
		proof = &tally->proofs[i];
		if (proof->freshness < weakest->freshness ||
		    (proof->freshness == weakest->freshness &&
		    proof->until < weakest->until))
			weakest = proof;
		if (proof->from > answer_r->from)
			answer_r->from = proof->from;
		if (proof->until < answer_r->until)
			answer_r->until = proof->until;
	}
	answer_r->status = status[weakest->freshness];
	answer_r->list = weakest->list;
}

/* ---------------------------------------------------------------- public */

void
crl_status(const struct revocation_data *data,
    const struct revocation_options *options, const struct cert *cert,
    const struct cert *issuer, int64_t now, revocation_vouch_fn *vouch,
    void *context, struct crl_answer *answer_r)
{
	const struct question	q = {
		.data = data, .options = options, .cert = cert,
		.issuer = issuer, .now = now, .vouch = vouch,
		.context = context
	};
	struct tally		tally = { 0 };
	size_t			n, i;

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
	n = ask_issuer(&q, cert->issuer_sha256, &tally);
	/* Indirect lists of others, each name once. */
	for (i = 0; i < cert->num_point_issuers; i++)
		if (memcmp(cert->point_issuers[i], cert->issuer_sha256,
		    32) != 0 && !is_among(cert->point_issuers[i],
		    cert->point_issuers[0], i))
			n += ask_issuer(&q, cert->point_issuers[i], &tally);
	answer_r->why = n == 0 ? "there is no CRL of this issuer" :
	    "no CRL of this issuer's key and scope covers it";
	conclude(&tally, answer_r);
}

enum crl_status
crl_status_serial(const struct revocation_data *data, const struct cert *issuer,
    const unsigned char *serial, size_t serial_len, bool negative,
    struct index_entry *entry_r)
{
	/* Every list has begun and is within its grace. */
	const struct revocation_options	options = { .grace = INT64_MAX / 4 };
	struct cert			cert = { .serial_len = serial_len };
	const struct question		q = {
		.data = data, .options = &options, .cert = &cert,
		.now = INT64_MAX / 4
	};
	const struct load_row		*row;
	struct crl_answer		answer = { 0 };
	struct tally			tally = { 0 };
	size_t				i;

	memcpy(cert.serial, serial, serial_len);
	cert.serial_negative = negative;
	memcpy(cert.issuer_sha256, issuer->subject_sha256, 32);
	for (i = 0; i < data->num_rows; i++) {
		row = &data->rows[i];
		if (row->waits ||
		    ((row->row->flags & INDEX_DELTA) != 0 && !row->alone))
			continue;
		if (row->alone || !is_own_list(row, &cert))
			ask_alone(&q, row, &tally);
		else if (memcmp(row->row->key_sha256, issuer->spki_sha256,
		    32) == 0)
			ask_list(&q, row, row->row->reasons != 0 ?
			    row->row->reasons : CRL_ALL_REASONS, &tally);
	}
	conclude(&tally, &answer);
	*entry_r = answer.entry;
	return answer.status;
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
	snprintf(buf, buf_len, "%sCRL of \"%s\" (%s), thisUpdate %s, "
	    "nextUpdate %s", (list->row->flags & INDEX_DELTA) != 0 ? "delta " :
	    "", index_string(list->index, list->row->issuer),
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
