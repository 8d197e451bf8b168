/* read.h - which certificates are in these bytes? */
#ifndef CERTAUTH_TRUST_READ_H
#define CERTAUTH_TRUST_READ_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/x509.h>

/* Certificates taken from one file; the rest is counted as unreadable. */
#define READ_MAX_CERTS	20000

struct read_result {
	STACK_OF(X509)	*certs;		/* in the order of the file; owned */
	X509		*key_cert;	/* PKCS#12: belongs to the key; one more reference */
	size_t		 unreadable;	/* members that were no readable certificate */
	const char	*hint;		/* static text on why, or NULL */
};

/*
 * PEM, DER, PKCS#7 and PKCS#12, one or many objects. `password` NULL: none; only
 * PKCS#12 asks for one. Members of other kinds (keys, CRLs) are passed over.
 * False: out of memory. Free with read_result_free().
 */
bool	read_certs(const unsigned char *data, size_t data_len,
	    const char *password, struct read_result *result_r);
void	read_result_free(struct read_result *);

#endif
