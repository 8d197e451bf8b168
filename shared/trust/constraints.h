/*
 * constraints.h - may a CA's name constraints let this certificate's names be?
 * (RFC 5280 4.2.1.10)
 *
 * Knows one CA and one certificate below it; who stands below whom, and which
 * certificates are exempt, is validate.c's.
 */
#ifndef CERTAUTH_TRUST_CONSTRAINTS_H
#define CERTAUTH_TRUST_CONSTRAINTS_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/x509.h>

/* names x subtrees compared on one path: 512 names under 512 constraints
 * (LibreSSL's ceilings) just fit. */
#define CONSTRAINTS_MAX_COMPARISONS	(512u * 512)
/* Subtrees of one CA, permitted and excluded. */
#define CONSTRAINTS_MAX_SUBTREES	2048

struct constraints;

/*
 * The constraints of a CA. *constraints_r NULL and true: it has none, or they
 * are unreadable (then its view has a fault). False: `why` says what no
 * constraint may be.
 */
bool	constraints_new(X509 *ca, struct constraints **constraints_r, char *why,
	    size_t why_len);
void	constraints_free(struct constraints *);		/* NULL allowed */

/*
 * False: a name of `x` is outside, or cannot be compared, or more than
 * *comparisons_left would be needed (counted down); `why` is one printable
 * sentence.
 */
bool	constraints_fit(const struct constraints *, X509 *x,
	    unsigned *comparisons_left, char *why, size_t why_len);

#endif
