/*
 * revocation.c - is any link revoked, and how fresh is that knowledge?
 *
 * For each certificate of a path below the anchor: which lists cover it, does
 * one of them name it, and is one of them fresh. "Not listed" is good only where
 * a list covers; everything else is unknown. Reads no file and no CRL.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "base/text.h"
#include "revocation/load.h"

/* Clocks of two machines; RFC 6960 responders are given as much. */
#define SKEW_SECONDS	300

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

	if (row->this_update > now + SKEW_SECONDS) {
		*until_r = row->this_update - SKEW_SECONDS;
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

/* ------------------------------------------------------------ findings */

struct question {
	const struct revocation_data	*data;
	const struct revocation_options	*options;
	int64_t				 now;
	revocation_vouch_fn		*vouch;
	void				*context;
	struct certauth_verdict		*verdict;
	int				 path;
};

static const char *
serial_text(const struct cert *cert, char *buf, size_t buf_len)
{
	size_t	i, n = 0;

	if (cert->serial_negative && buf_len > 1)
		buf[n++] = '-';
	for (i = 0; i < cert->serial_len && n + 3 <= buf_len; i++, n += 2)
		snprintf(buf + n, 3, "%02X", cert->serial[i]);
	buf[n] = '\0';
	return buf;
}

/* A refused stranger may read this on an error page: the file's name helps the
 * administrator, its folder is nobody's business. */
static const char *
base_name(const char *path)
{
	const char	*slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* The list in words: whose, from where, of when. */
static const char *
list_text(const struct load_row *force, char *buf, size_t buf_len)
{
	const char	*name = base_name(force->source);
	char		 this_update[32], next_update[32] = "none", source[300];

	text_time_print(this_update, sizeof(this_update),
	    force->row->this_update);
	if (force->row->next_update != INDEX_NO_TIME)
		text_time_print(next_update, sizeof(next_update),
		    force->row->next_update);
	snprintf(buf, buf_len, "CRL of \"%s\" (%s), thisUpdate %s, "
	    "nextUpdate %s", index_string(force->index, force->row->issuer),
	    text_printable(source, sizeof(source), name, strlen(name)), this_update, next_update);
	return buf;
}

static const char *
reason_text(unsigned reason)
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

static void
find_listed(const struct question *q, const struct cert *cert, int depth,
    const struct load_row *force, const struct index_entry *entry)
{
	enum certauth_reason	reason;
	char			serial[2 * CERT_MAX_SERIAL + 4], date[32];
	char			list[800];

	reason = depth > 0 ? CERTAUTH_ISSUER_REVOKED :
	    entry->reason == CRL_HOLD ? CERTAUTH_ON_HOLD : CERTAUTH_REVOKED;
	verdict_fault(q->verdict, reason, q->path, depth,
	    "serial %s on %s (%s) by the %s",
	    serial_text(cert, serial, sizeof(serial)),
	    text_time_print(date, sizeof(date), entry->date),
	    reason_text(entry->reason), list_text(force, list, sizeof(list)));
}

static void
find_unknown(const struct question *q, const struct cert *cert, int depth,
    const char *why)
{
	char	serial[2 * CERT_MAX_SERIAL + 4], *issuer = cert_issuer_print(cert);

	if (issuer != NULL)
		crl_cut_text(issuer, CRL_MAX_ISSUER_TEXT);
	verdict_add(q->verdict, CERTAUTH_REVOCATION_UNKNOWN,
	    q->options->unknown == REVOCATION_ACCEPT ? CERTAUTH_WARNING :
	    CERTAUTH_FATAL, q->path, depth,
	    "serial %s of \"%s\": %s (RFC 5280 6.3.3)",
	    serial_text(cert, serial, sizeof(serial)),
	    issuer != NULL ? issuer : "", why);
	free(issuer);
}

/* Stale beyond grace refuses (or warns, when unknown is accepted); within grace
 * it is only told. */
static void
find_stale(const struct question *q, const struct cert *cert, int depth,
    const struct load_row *force, enum freshness freshness)
{
	char	serial[2 * CERT_MAX_SERIAL + 4], list[800];
	bool	softened = freshness == GRACE ||
		    q->options->unknown == REVOCATION_ACCEPT;

	verdict_add(q->verdict, CERTAUTH_REVOCATION_STALE,
	    softened ? CERTAUTH_WARNING : CERTAUTH_FATAL, q->path, depth,
	    "serial %s is not on the %s, which is %s",
	    serial_text(cert, serial, sizeof(serial)),
	    list_text(force, list, sizeof(list)),
	    freshness == GRACE ? "out of date but within its grace" :
	    freshness == FUTURE ? "not yet in force" : "out of date");
}

/* ------------------------------------------------------------ one link */

/* What the lists that cover one certificate say together. */
struct answer {
	const struct load_row	*listed;
	struct index_entry	 entry;
	const struct load_row	*best;		/* of those it is not on */
	enum freshness		 freshness;
	int64_t			 until;
	bool			 broken;
};

/* Of several lists that name it, a hold is the mildest. */
static void
note_listed(struct answer *answer, const struct load_row *force,
    const struct index_entry *entry)
{
	if (answer->listed != NULL &&
	    (answer->entry.reason != CRL_HOLD || entry->reason == CRL_HOLD))
		return;
	answer->listed = force;
	answer->entry = *entry;
}

static void
ask_row(const struct question *q, const struct cert *cert,
    const struct cert *issuer, const struct load_row *force,
    struct answer *answer)
{
	struct index_entry	entry = { 0, 0 };
	enum freshness		freshness;
	int64_t			until;

	if (!scope_covers(force, cert) ||
	    !signer_covers(force, issuer, q->vouch, q->context))
		return;
	switch (index_lookup(force->index, force->row, cert->serial,
	    cert->serial_len, cert->serial_negative, &entry)) {
	case INDEX_LISTED:
		/* At any age: a certificate once revoked stays so. */
		note_listed(answer, force, &entry);
		return;
	case INDEX_BROKEN:
		answer->broken = true;
		return;
	case INDEX_NOT_LISTED:
		break;
	}
	freshness = judge_age(force->row, q->options, q->now, &until);
	if (answer->best == NULL || freshness > answer->freshness ||
	    (freshness == answer->freshness && until > answer->until)) {
		answer->best = force;
		answer->freshness = freshness;
		answer->until = until;
	}
}

/* The whole file name is for who asks on the machine itself. */
static void
tell_list(const struct question *q, int depth, const char *word,
    const struct load_row *force)
{
	char	source[300];

	verdict_tell(q->verdict, "  revocation: depth %d is %s, says %s", depth,
	    word, text_printable(source, sizeof(source), force->source,
	    strlen(force->source)));
}

static void
check_link(const struct question *q, const struct cert *cert,
    const struct cert *issuer, int depth)
{
	struct answer	answer;
	size_t		first, n, i;
	int64_t		until;

	memset(&answer, 0, sizeof(answer));
	if ((cert->faults & CERT_FAULT_SERIAL) != 0 || cert->serial_len == 0) {
		find_unknown(q, cert, depth, "a serial number of more than 20 "
		    "octets can be on no list");
		return;
	}
	n = find_rows(q->data, cert->issuer_sha256, &first);
	for (i = first; i < first + n; i++) {
		if (q->data->rows[i].waits &&
		    judge_age(q->data->rows[i - 1].row, q->options, q->now,
		    &until) != FUTURE)
			continue;
		ask_row(q, cert, issuer, &q->data->rows[i], &answer);
	}
	if (answer.listed != NULL) {
		tell_list(q, depth, "listed", answer.listed);
		find_listed(q, cert, depth, answer.listed, &answer.entry);
		return;
	}
	if (answer.broken) {
		/* Not softened by `unknown = accept`: it may hide a revocation. */
		verdict_fault(q->verdict, CERTAUTH_DATA_REFUSED, q->path, depth,
		    "the revocation index is damaged; run `certauth compile`");
		return;
	}
	if (answer.best == NULL) {
		find_unknown(q, cert, depth, n == 0 ? "there is no CRL of this "
		    "issuer" : "no CRL of this issuer's key and scope covers "
		    "it");
		return;
	}
	tell_list(q, depth, "not listed", answer.best);
	if (answer.freshness != FRESH)
		find_stale(q, cert, depth, answer.best, answer.freshness);
	if (answer.freshness == FRESH || answer.freshness == GRACE)
		verdict_holds(q->verdict,
		    answer.best->row->this_update - SKEW_SECONDS, answer.until);
	else if (answer.freshness == FUTURE)
		verdict_holds(q->verdict, q->now, answer.until);
}

/* ---------------------------------------------------------------- public */

void
revocation_check(const struct revocation_data *data,
    const struct revocation_options *options, struct cert *const *path,
    size_t num_path, int64_t now, revocation_vouch_fn *vouch, void *context,
    struct certauth_verdict *verdict, int path_no)
{
	const struct question	q = {
		.data = data, .options = options, .now = now, .vouch = vouch,
		.context = context, .verdict = verdict, .path = path_no
	};
	size_t			i;

	switch (options->check) {
	case REVOCATION_NONE:
		return;
	case REVOCATION_LEAF:
	case REVOCATION_CHAIN:
		break;
	}
	for (i = 0; i + 1 < num_path; i++) {
		if (data == NULL)
			find_unknown(&q, path[i], (int)i, "there is no "
			    "revocation data");
		else
			check_link(&q, path[i], path[i + 1], (int)i);
		if (options->check == REVOCATION_LEAF)
			return;
	}
}

bool
revocation_row_at(const struct revocation_data *data, size_t i,
    struct revocation_row *row_r)
{
	const struct load_row	*force;
	size_t			 k;

	memset(row_r, 0, sizeof(*row_r));
	if (data == NULL)
		return false;
	for (k = 0; k < data->num_rows; k++)
		if (!data->rows[k].waits && i-- == 0)
			break;
	if (k == data->num_rows)
		return false;
	force = &data->rows[k];
	row_r->source = force->source;
	row_r->issuer = index_string(force->index, force->row->issuer);
	row_r->this_update = force->row->this_update;
	row_r->next_update = force->row->next_update == INDEX_NO_TIME ? 0 :
	    force->row->next_update;
	row_r->entries = (size_t)force->row->entries;
	row_r->published = force->published;
	return true;
}
