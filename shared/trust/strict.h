/*
 * strict.h - are these bytes DER?
 *
 * OpenSSL reads BER and keeps the bytes of a certificate's signed part as they
 * came, so that encoding it again proves nothing. Looks at the encoding only,
 * knows no certificate.
 */
#ifndef CERTAUTH_TRUST_STRICT_H
#define CERTAUTH_TRUST_STRICT_H

#include <stdbool.h>
#include <stddef.h>

/* Elements within elements; a certificate needs about 12. */
#define STRICT_MAX_DEPTH	32

/*
 * True: the first element of `data` is DER; *used_r is its whole length.
 * Not looked at: the order of a SET, named bits with zeros behind them, and
 * defaults that are written out. CAs in use do these (X.690 11.6, 11.2.2, 11.5),
 * and they hide nothing, because the signed bytes themselves are kept.
 */
bool	strict_der(const unsigned char *data, size_t data_len, size_t *used_r);

#endif
