/*
 * revocation.c - is any link revoked, and how fresh is that knowledge?
 *
 * The conductor over one path: asks for each certificate below the anchor what
 * the CRLs in force (crl_status.c) and the OCSP answers at hand (ocsp_status.c)
 * say, weighs them, and makes findings of it as the options want, or a question
 * to whoever can fetch more. Reads no file, no CRL and no response.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "revocation/ocsp_status.h"
#include "trust/url.h"

/* What all sources together say of one certificate, and where that comes from. */
struct word {
	enum revocation_source	source;
	enum crl_status		status;
	int64_t			this_update, from, until;
	struct crl_answer	crl;
	struct ocsp_word	ocsp;
};

/* One certificate of the path. */
struct link {
	const struct revocation_query	*query;
	struct cert *const		*path;	/* [0]: it, [1]: its issuer ... */
	size_t				 num_path;
	struct certauth_verdict		*verdict;
	int				 path_no, depth;
};

/* ------------------------------------------------------------ findings */

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

/* The list or the answer that is relied on, in words. */
static const char *
source_text(const struct word *word, char *buf, size_t buf_len)
{
	return word->source == REVOCATION_CRL ?
	    crl_status_list_text(&word->crl, buf, buf_len) :
	    ocsp_status_text(&word->ocsp, buf, buf_len);
}

static void
find_listed(const struct link *l, const struct word *word)
{
	enum certauth_reason	reason;
	char			serial[2 * CERT_MAX_SERIAL + 4], date[32];
	char			source[800];
	bool			crl = word->source == REVOCATION_CRL;

	reason = l->depth > 0 ? CERTAUTH_ISSUER_REVOKED :
	    word->status == CRL_STATUS_HOLD ? CERTAUTH_ON_HOLD :
	    CERTAUTH_REVOKED;
	verdict_fault(l->verdict, reason, l->path_no, l->depth,
	    "serial %s on %s (%s) by the %s",
	    serial_text(l->path[0], serial, sizeof(serial)),
	    text_time_print(date, sizeof(date), crl ? word->crl.entry.date :
	    word->ocsp.said.date),
	    crl_status_reason_text(crl ? word->crl.entry.reason :
	    word->ocsp.said.reason), source_text(word, source, sizeof(source)));
}

static void
find_unknown(const struct link *l, const struct word *word, const char *more,
    enum certauth_severity severity)
{
	char		 serial[2 * CERT_MAX_SERIAL + 4];
	char		*issuer = cert_issuer_print(l->path[0]);
	const char	*why = word->source == REVOCATION_CRL ?
			    word->crl.why : word->ocsp.why;

	if (issuer != NULL)
		crl_cut_text(issuer, CRL_MAX_ISSUER_TEXT);
	verdict_add(l->verdict, CERTAUTH_REVOCATION_UNKNOWN, severity,
	    l->path_no, l->depth, "serial %s of \"%s\": %s%s%s (RFC 5280 6.3.3)",
	    serial_text(l->path[0], serial, sizeof(serial)),
	    issuer != NULL ? issuer : "", why[0] != '\0' ? why :
	    "there is no OCSP answer", more[0] != '\0' ? "; " : "", more);
	free(issuer);
}

/* Stale beyond grace refuses (or warns, when unknown is accepted); within grace
 * it is only told. */
static void
find_stale(const struct link *l, const struct word *word,
    enum certauth_severity severity)
{
	char	serial[2 * CERT_MAX_SERIAL + 4], source[800];

	verdict_add(l->verdict, CERTAUTH_REVOCATION_STALE, severity, l->path_no,
	    l->depth, word->source == REVOCATION_CRL ?
	    "serial %s is not on the %s, which is %s" :
	    "serial %s is good by the %s, which is %s",
	    serial_text(l->path[0], serial, sizeof(serial)),
	    source_text(word, source, sizeof(source)),
	    word->status == CRL_STATUS_GRACE ?
	    (l->query->options->prolonged > l->query->now ?
	    "out of date but prolonged by an override" :
	    "out of date but within its grace") :
	    word->status == CRL_STATUS_FUTURE ? "not yet in force" :
	    "out of date");
}

/* The whole file name is for who asks on the machine itself. */
static void
tell_source(const struct link *l, const struct word *word)
{
	bool		 listed = word->status == CRL_STATUS_HOLD ||
			    word->status == CRL_STATUS_REVOKED;
	char		 text[300];

	if (word->source == REVOCATION_OCSP && word->status !=
	    CRL_STATUS_UNKNOWN)
		verdict_tell(l->verdict, "  revocation: depth %d is %s, says the "
		    "%s", l->depth, listed ? "revoked" : "good",
		    ocsp_status_text(&word->ocsp, text, sizeof(text)));
	else if (word->source == REVOCATION_CRL && word->crl.list != NULL)
		verdict_tell(l->verdict, "  revocation: depth %d is %s, says %s",
		    l->depth, listed ? "listed" : "not listed",
		    text_printable(text, sizeof(text), word->crl.list->source,
		    strlen(word->crl.list->source)));
}

/* ----------------------------------------------------------- questions */

/* Does anybody have an address for this certificate's status? */
static bool
has_place(const struct link *l)
{
	const struct revocation_query	*q = l->query;
	size_t				 i;
	bool				 found = false;

	for (i = 0; i < q->options->num_sources && !found; i++)
		found = q->options->sources[i] == REVOCATION_CRL ?
		    q->crl_place || url_has_http(l->path[0]->x509, URL_CRL) :
		    q->ocsp_place || url_has_http(l->path[0]->x509, URL_OCSP);
	return found;
}

static bool
was_answered(const struct revocation_query *q, const unsigned char *frame,
    size_t frame_len)
{
	unsigned char	id[ASK_ID_BYTES];
	size_t		i;

	if (q->evidence == NULL || !ask_question_id(frame, frame_len, id))
		return false;
	for (i = 0; i < q->evidence->num_answered; i++)
		if (memcmp(q->evidence->answered[i], id, sizeof(id)) == 0)
			return true;
	return false;
}

/* The question about l->path[0]; NULL: it cannot be asked, or was. */
static unsigned char *
make_question(const struct link *l, size_t *len_r)
{
	struct ask_question	 question = { .kind = ASK_STATUS,
				    .authority = l->query->authority };
	unsigned char		*ders[ASK_MAX_CERTS] = { NULL }, *frame = NULL;
	size_t			 i;
	int			 len;

	if (l->query->authority == NULL || l->num_path > ASK_MAX_CERTS ||
	    !has_place(l))
		return NULL;
	question.authority_len = strlen(l->query->authority);
	for (i = 0; i < l->num_path; i++) {
		len = i2d_X509(l->path[i]->x509, &ders[i]);
		if (len <= 0)
			goto out;
		question.certs[i].data = ders[i];
		question.certs[i].data_len = (size_t)len;
	}
	question.num_certs = l->num_path;
	frame = ask_question_make(&question, len_r);
	if (frame != NULL && was_answered(l->query, frame, *len_r)) {
		free(frame);
		frame = NULL;
	}
out:
	for (i = 0; i < l->num_path; i++)
		OPENSSL_free(ders[i]);
	return frame;
}

/* No source has a status: a question, or what the policy says about that. */
static void
find_nothing(const struct link *l, const struct word *word, const char *more)
{
	enum certauth_severity	 severity;
	unsigned char		*frame;
	size_t			 frame_len = 0;

	frame = make_question(l, &frame_len);
	severity = frame == NULL &&
	    l->query->options->unknown == REVOCATION_ACCEPT ?
	    CERTAUTH_WARNING : CERTAUTH_FATAL;
	if (word->status == CRL_STATUS_UNKNOWN)
		find_unknown(l, word, more, severity);
	else
		find_stale(l, word, severity);
	if (word->status == CRL_STATUS_FUTURE)
		verdict_holds(l->verdict, word->from, word->until);
	if (frame != NULL)
		verdict_ask(l->verdict, frame, frame_len);
}

/* ------------------------------------------------------------- weighing */

static void
ask_source(const struct link *l, enum revocation_source source,
    struct word *word)
{
	const struct revocation_query	*q = l->query;

	word->source = source;
	if (source == REVOCATION_CRL) {
		crl_status(q->data, q->options, l->path[0], l->path[1], q->now,
		    q->vouch, q->context, &word->crl);
		word->status = word->crl.status;
		word->from = word->crl.from;
		word->until = word->crl.until;
		word->this_update = word->crl.list != NULL ?
		    word->crl.list->row->this_update : INT64_MIN;
	} else {
		ocsp_status(q, l->path[0], l->path[1], &word->ocsp);
		word->status = word->ocsp.status;
		word->from = word->ocsp.from;
		word->until = word->ocsp.until;
		word->this_update = word->ocsp.said.this_update;
	}
}

static bool
is_good(const struct word *word)
{
	return word->status == CRL_STATUS_GOOD ||
	    word->status == CRL_STATUS_GRACE;
}

/* How much a word counts against the other source's; of equal ones the first in
 * order. A hold may be lifted: newer good word does so. */
static int
weight(const struct word *word, const struct word *other)
{
	switch (word->status) {
	case CRL_STATUS_REVOKED:
		return 6;
	case CRL_STATUS_HOLD:
		return other != NULL && is_good(other) &&
		    other->this_update > word->this_update ? 0 : 5;
	case CRL_STATUS_BROKEN:
		return 4;
	case CRL_STATUS_GOOD:
		return 3;
	case CRL_STATUS_GRACE:
		return 2;
	case CRL_STATUS_STALE:
	case CRL_STATUS_FUTURE:
		return 1;
	case CRL_STATUS_UNKNOWN:
		break;
	}
	return 0;
}

/* For the log: what the leaf's answer rests on, and how old it is. */
static void
note_source(const struct link *l, const struct word *word)
{
	char	when[32];

	if (l->depth != 0 || word->this_update == INT64_MIN ||
	    word->status == CRL_STATUS_UNKNOWN)
		return;
	verdict_set(l->verdict, VERDICT_REVOCATION,
	    word->source == REVOCATION_CRL ? "crl" : "ocsp");
	verdict_set(l->verdict, VERDICT_REVOCATION_FROM,
	    text_time_print(when, sizeof(when), word->this_update));
}

/*
 * Good by its grace alone. Nobody publishes an answer before somebody asks for it,
 * so where a responder's last word has ended it is asked for the next one; the
 * grace is for when none comes.
 */
static void
find_grace(const struct link *l, const struct word *word, bool answer_ended)
{
	unsigned char	*frame = NULL;
	size_t		 frame_len = 0;

	if (answer_ended)
		frame = make_question(l, &frame_len);
	find_stale(l, word, frame != NULL ? CERTAUTH_FATAL : CERTAUTH_WARNING);
	if (frame != NULL)
		verdict_ask(l->verdict, frame, frame_len);
}

static bool
answer_ended(const struct word *word)
{
	return word != NULL && word->source == REVOCATION_OCSP &&
	    word->status == CRL_STATUS_GRACE;
}

/* `other`: what the other source says; NULL: there is none. */
static void
find(const struct link *l, const struct word *word, const struct word *other)
{
	const char	*more = other != NULL &&
			    other->source == REVOCATION_OCSP ? other->ocsp.why : "";

	tell_source(l, word);
	note_source(l, word);
	switch (word->status) {
	case CRL_STATUS_UNKNOWN:
	case CRL_STATUS_STALE:
	case CRL_STATUS_FUTURE:
		find_nothing(l, word, more);
		return;
	case CRL_STATUS_BROKEN:
		/* Not softened by `unknown = accept`: it may hide a revocation. */
		verdict_fault(l->verdict, CERTAUTH_DATA_REFUSED, l->path_no,
		    l->depth, "the revocation index is damaged; run `certauth "
		    "compile`");
		return;
	case CRL_STATUS_HOLD:
	case CRL_STATUS_REVOKED:
		find_listed(l, word);
		return;
	case CRL_STATUS_GRACE:
		find_grace(l, word, answer_ended(word) || answer_ended(other));
		break;
	case CRL_STATUS_GOOD:
		break;
	}
	verdict_holds(l->verdict, word->from, word->until);
}

static void
check_link(const struct link *l)
{
	const struct revocation_options	*options = l->query->options;
	struct word			 words[2];
	size_t				 i, n = options->num_sources;

	/* Options that name none are a caller's who knows of CRLs alone. */
	if (n == 0) {
		ask_source(l, REVOCATION_CRL, &words[0]);
		find(l, &words[0], NULL);
		return;
	}
	for (i = 0; i < n; i++) {
		ask_source(l, options->sources[i], &words[i]);
		/* The usual case: a good list, and no answer that could say
		 * otherwise. */
		if (i == 0 && words[0].status == CRL_STATUS_GOOD &&
		    !ocsp_status_any(l->query)) {
			find(l, &words[0], NULL);
			return;
		}
	}
	i = n == 2 && weight(&words[1], &words[0]) >
	    weight(&words[0], &words[1]);
	find(l, &words[i], n == 2 ? &words[1 - i] : NULL);
}

/* ---------------------------------------------------------------- public */

void
revocation_judge(const struct revocation_query *query, struct cert *const *path,
    size_t num_path, struct certauth_verdict *verdict, int path_no)
{
	struct link	l = { .query = query, .verdict = verdict,
			    .path_no = path_no };
	size_t		i;

	switch (query->options->check) {
	case REVOCATION_NONE:
		return;
	case REVOCATION_LEAF:
	case REVOCATION_CHAIN:
		break;
	}
	for (i = 0; i + 1 < num_path; i++) {
		l.path = path + i;
		l.num_path = num_path - i;
		l.depth = (int)i;
		check_link(&l);
		if (query->options->check == REVOCATION_LEAF)
			return;
	}
}

void
revocation_check(const struct revocation_data *data,
    const struct revocation_options *options, struct cert *const *path,
    size_t num_path, int64_t now, revocation_vouch_fn *vouch, void *context,
    struct certauth_verdict *verdict, int path_no)
{
	const struct revocation_query	query = {
		.data = data, .options = options, .now = now, .vouch = vouch,
		.context = context
	};

	revocation_judge(&query, path, num_path, verdict, path_no);
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
	row_r->entries = (size_t)index_entries(force->index, force->row);
	row_r->delta = (force->row->flags & INDEX_DELTA) != 0;
	row_r->indirect = (force->row->flags & INDEX_INDIRECT) != 0;
	row_r->published = force->published;
	return true;
}
