/*
 * points.h - where does this certificate say its CRLs are, and whose are they?
 */
#ifndef CERTAUTH_TRUST_POINTS_H
#define CERTAUTH_TRUST_POINTS_H

#include <stdbool.h>

#include <openssl/x509v3.h>

struct cert;

/* Fills points, dps and point_issuers of `cert`, which are empty. False: out of
 * memory. */
bool	points_read(struct cert *, const CRL_DIST_POINTS *);
void	points_free(struct cert *);

#endif
