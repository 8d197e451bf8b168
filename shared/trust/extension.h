/*
 * extension.h - are the extensions of a certificate what they have to be?
 * (RFC 5280 4.2)
 */
#ifndef CERTAUTH_TRUST_EXTENSION_H
#define CERTAUTH_TRUST_EXTENSION_H

#include "trust/cert.h"

/* Sets the `faults` that extensions can have, and critical_unknown. */
void	extension_read_all(struct cert *);
/* Is the extension acted on here, so that it may be critical? */
bool	extension_processed(X509_EXTENSION *);

#endif
