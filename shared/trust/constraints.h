/*
 * constraints.h - may a CA's name constraints let this certificate's names be?
 * (RFC 5280 4.2.1.10)
 *
 * Knows one CA and one certificate below it; who stands below whom, and which
 * certificates are exempt, is validate.c's. What was read of either is kept with
 * its certificate and read once, whatever the number of paths.
 */
#ifndef CERTAUTH_TRUST_CONSTRAINTS_H
#define CERTAUTH_TRUST_CONSTRAINTS_H

#include <stdbool.h>
#include <stddef.h>

#include "trust/cert.h"

/* Names x subtrees of their kind that are compared for one question: 512 names
 * under 512 constraints (LibreSSL's ceilings) fit twice. */
#define CONSTRAINTS_MAX_COMPARISONS	(2u * 512 * 512)
/* Subtrees of one CA, permitted and excluded. */
#define CONSTRAINTS_MAX_SUBTREES	2048

/*
 * Is this CA free of constraints, or can all of them be used? False: `why` says
 * what no constraint may be. Unreadable ones are a fault of the certificate, not
 * told here.
 */
bool	constraints_sound(struct cert *ca, char *why, size_t why_len);

/*
 * False: a name of `below` is outside what `ca` allows, or cannot be compared, or
 * more than *comparisons_left would be needed (counted down); `why` is one
 * printable sentence without its end.
 */
bool	constraints_fit(struct cert *ca, struct cert *below,
	    unsigned *comparisons_left, char *why, size_t why_len);

void	constraints_free(struct constraints *);		/* NULL allowed */
void	constraints_names_free(struct constraints_names *);	/* NULL allowed */

#endif
