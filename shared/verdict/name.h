/* name.h - how is a distinguished name shown? */
#ifndef CERTAUTH_VERDICT_NAME_H
#define CERTAUTH_VERDICT_NAME_H

#include <openssl/x509.h>

/* RFC 4514 order and escaping, printable UTF-8. Caller frees with free(). NULL:
 * out of memory. */
char   *name_print(const X509_NAME *);

#endif
