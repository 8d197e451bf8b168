/*
 * ocsp_status.h - what do the OCSP answers at hand say about this certificate?
 *
 * Inside this room: the pair of crl_status.h, and in its words.
 */
#ifndef CERTAUTH_REVOCATION_OCSP_STATUS_H
#define CERTAUTH_REVOCATION_OCSP_STATUS_H

#include "revocation/crl_status.h"
#include "revocation/ocsp.h"

struct ocsp_word {
	/* UNKNOWN, FUTURE, STALE, GRACE, GOOD, HOLD or REVOKED */
	enum crl_status	   status;
	struct ocsp_answer said;
	int64_t		   from, until;	/* as crl_answer's */
	char		   why[200];	/* UNKNOWN; "": there was no answer at all */
};

/* One certificate and its issuer under a query. Checks signatures of what is about
 * this certificate, and no other; `word_r` is UNKNOWN when nothing is. */
void	ocsp_status(const struct revocation_query *, const struct cert *cert,
	    const struct cert *issuer, struct ocsp_word *word_r);
/* What one response says of the certificate, signer and all; false: nothing,
 * error_r why. */
bool	ocsp_status_read(const struct revocation_query *,
	    const struct certauth_bytes *response, const struct cert *cert,
	    const struct cert *issuer, struct ocsp_answer *said_r,
	    struct certauth_error *error_r);
/* Is there anything that ocsp_status() could look at? */
bool	ocsp_status_any(const struct revocation_query *);

/* "OCSP answer, thisUpdate ..., nextUpdate ...". Gives `buf`. */
const char *ocsp_status_text(const struct ocsp_word *, char *buf,
	    size_t buf_len);

#endif
