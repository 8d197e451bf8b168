/*
 * url.h - does a certificate name a place to ask? Nothing is followed.
 */
#ifndef CERTAUTH_TRUST_URL_H
#define CERTAUTH_TRUST_URL_H

#include <stdbool.h>

#include <openssl/x509.h>

enum url_kind { URL_CRL, URL_OCSP, URL_ISSUER };

/* Is there an http or https URL of that kind? Leaves the error queue alone. */
bool	url_has_http(X509 *, enum url_kind);

#endif
