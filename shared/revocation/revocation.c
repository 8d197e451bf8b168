/*
 * revocation.c - is any link revoked, and how fresh is that knowledge?
 *
 * The conductor over one path: asks for each certificate below the anchor what
 * the CRLs in force say (crl_status.c), and makes findings of it as the options
 * want. Reads no file and no CRL.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "revocation/crl_status.h"

struct question {
	const struct revocation_data	*data;
	const struct revocation_options	*options;
	int64_t				 now;
	revocation_vouch_fn		*vouch;
	void				*context;
	struct certauth_verdict		*verdict;
	int				 path;
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

static void
find_listed(const struct question *q, const struct cert *cert, int depth,
    const struct crl_answer *answer)
{
	enum certauth_reason	reason;
	char			serial[2 * CERT_MAX_SERIAL + 4], date[32];
	char			list[800];

	reason = depth > 0 ? CERTAUTH_ISSUER_REVOKED :
	    answer->status == CRL_STATUS_HOLD ? CERTAUTH_ON_HOLD :
	    CERTAUTH_REVOKED;
	verdict_fault(q->verdict, reason, q->path, depth,
	    "serial %s on %s (%s) by the %s",
	    serial_text(cert, serial, sizeof(serial)),
	    text_time_print(date, sizeof(date), answer->entry.date),
	    crl_status_reason_text(answer->entry.reason),
	    crl_status_list_text(answer, list, sizeof(list)));
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
    const struct crl_answer *answer)
{
	char	serial[2 * CERT_MAX_SERIAL + 4], list[800];
	bool	grace = answer->status == CRL_STATUS_GRACE;

	verdict_add(q->verdict, CERTAUTH_REVOCATION_STALE,
	    grace || q->options->unknown == REVOCATION_ACCEPT ?
	    CERTAUTH_WARNING : CERTAUTH_FATAL, q->path, depth,
	    "serial %s is not on the %s, which is %s",
	    serial_text(cert, serial, sizeof(serial)),
	    crl_status_list_text(answer, list, sizeof(list)),
	    grace ? "out of date but within its grace" :
	    answer->status == CRL_STATUS_FUTURE ? "not yet in force" :
	    "out of date");
}

/* The whole file name is for who asks on the machine itself. */
static void
tell_list(const struct question *q, int depth, const struct crl_answer *answer)
{
	bool	listed = answer->status == CRL_STATUS_HOLD ||
		    answer->status == CRL_STATUS_REVOKED;
	char	source[300];

	verdict_tell(q->verdict, "  revocation: depth %d is %s, says %s", depth,
	    listed ? "listed" : "not listed", text_printable(source,
	    sizeof(source), answer->list->source, strlen(answer->list->source)));
}

/* ------------------------------------------------------------ one link */

static void
check_link(const struct question *q, const struct cert *cert,
    const struct cert *issuer, int depth)
{
	struct crl_answer	answer;

	crl_status(q->data, q->options, cert, issuer, q->now, q->vouch,
	    q->context, &answer);
	if (answer.list != NULL)
		tell_list(q, depth, &answer);
	switch (answer.status) {
	case CRL_STATUS_UNKNOWN:
		find_unknown(q, cert, depth, answer.why);
		return;
	case CRL_STATUS_BROKEN:
		/* Not softened by `unknown = accept`: it may hide a revocation. */
		verdict_fault(q->verdict, CERTAUTH_DATA_REFUSED, q->path, depth,
		    "the revocation index is damaged; run `certauth compile`");
		return;
	case CRL_STATUS_HOLD:
	case CRL_STATUS_REVOKED:
		find_listed(q, cert, depth, &answer);
		return;
	case CRL_STATUS_STALE:
		find_stale(q, cert, depth, &answer);
		return;
	case CRL_STATUS_FUTURE:
	case CRL_STATUS_GRACE:
		find_stale(q, cert, depth, &answer);
		break;
	case CRL_STATUS_GOOD:
		break;
	}
	verdict_holds(q->verdict, answer.from, answer.until);
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
