/* dn.h - whole names, printed for others to compare and read for us to compare. */
#ifndef CERTAUTH_IDENTITY_DN_H
#define CERTAUTH_IDENTITY_DN_H

#include <openssl/x509.h>

#include "base/text.h"
#include "identity/source.h"

/* Hexadecimal forms too. False: it cannot be printed so, or no memory. */
bool	dn_print(const X509_NAME *, enum source_form, struct text *out);

/*
 * A name in RFC 4514 ("CN=Alice,O=Example ag", blanks round = , + allowed): the
 * SHA-256 of its normal form, RFC 5280 7.1. NULL, or what was expected.
 */
const char *dn_parse(const char *text, size_t text_len,
	    unsigned char sha256_r[32]);

/*
 * One attribute's value in its normal form, in place: ASCII letters in lower case,
 * no blanks at the ends, one where several stand together; as names are compared
 * whole (RFC 5280 7.1). Returns its length.
 */
size_t	dn_value_fold(char *data, size_t data_len);

#endif
