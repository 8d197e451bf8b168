/* signature.h - did this key sign this certificate? */
#ifndef CERTAUTH_TRUST_SIGNATURE_H
#define CERTAUTH_TRUST_SIGNATURE_H

#include "trust/cert.h"

/*
 * One check with the issuer's key, which somebody has vouched for and which is
 * allowed (policy.c). What has to be looked up to use the key is kept with the
 * issuer. Any thread; no lock is held.
 */
bool	signature_good(const struct cert *certificate, struct cert *issuer);
void	signature_ready_free(struct signature_ready *);	/* NULL allowed */

#endif
