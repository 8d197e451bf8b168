/*
 * crl_status.h - what do the CRLs in force say about this one certificate?
 *
 * Inside this room: revocation.c is the conductor over a path and makes findings
 * of the answer.
 */
#ifndef CERTAUTH_REVOCATION_CRL_STATUS_H
#define CERTAUTH_REVOCATION_CRL_STATUS_H

#include "revocation/load.h"

/* Clocks of two machines; RFC 6960 responders are given as much. */
#define REVOCATION_SKEW_SECONDS	300

enum crl_status {
	CRL_STATUS_UNKNOWN,	/* no list covers it; `why` says more */
	CRL_STATUS_BROKEN,	/* the index is damaged where it would be */
	CRL_STATUS_FUTURE,	/* not listed; the list begins later */
	CRL_STATUS_STALE,	/* not listed; too old even with grace */
	CRL_STATUS_GRACE,	/* not listed; out of date within its grace */
	CRL_STATUS_GOOD,	/* not listed; fresh */
	CRL_STATUS_HOLD,	/* listed, at any age of the list */
	CRL_STATUS_REVOKED
};

struct crl_answer {
	enum crl_status		 status;
	const struct load_row	*list;	/* relied on; NULL: UNKNOWN, BROKEN */
	struct index_entry	 entry;	/* HOLD, REVOKED */
	/* GOOD, GRACE: valid in [from, until); FUTURE: until it begins */
	int64_t			 from, until;
	const char		*why;	/* UNKNOWN */
};

/*
 * `data` NULL: UNKNOWN. The vouch function (may be NULL) as revocation_check()'s.
 * Of options only grace and max_age. No allocation, no text: a good answer must
 * cost what the look-up costs.
 */
void	crl_status(const struct revocation_data *,
	    const struct revocation_options *, const struct cert *cert,
	    const struct cert *issuer, int64_t now, revocation_vouch_fn *vouch,
	    void *context, struct crl_answer *answer_r);

/*
 * The same for a serial alone, whatever the age of the lists and whichever of the
 * issuer's certificates they are for: REVOKED, HOLD, GOOD (a complete list does
 * not have it), BROKEN or UNKNOWN. Indirect lists of others can only accuse.
 */
enum crl_status crl_status_serial(const struct revocation_data *,
	    const struct cert *issuer, const unsigned char *serial,
	    size_t serial_len, bool negative, struct index_entry *entry_r);

/* The list in words: whose, from where (no folder: a refused stranger may read
 * it on an error page), of when. Gives `buf`. */
const char *crl_status_list_text(const struct crl_answer *, char *buf,
	    size_t buf_len);
/* "keyCompromise", ... for RFC 5280 5.3.1's numbers; never NULL. */
const char *crl_status_reason_text(unsigned reason);

#endif
