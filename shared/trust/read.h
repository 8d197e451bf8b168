/* read.h - which certificates are in these bytes? */
#ifndef CERTAUTH_TRUST_READ_H
#define CERTAUTH_TRUST_READ_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/x509.h>

#include "trust/outline.h"

/* Certificates taken from one file; the rest is counted as unreadable. */
#define READ_MAX_CERTS	20000

struct read_der {
	unsigned char	*data;
	size_t		 data_len;
	struct outline	 outline;
};

struct read_result {
	STACK_OF(X509)	*certs;		/* in the order of the file; owned */
	bool		 outlines;	/* asked for by read_outlines() */
	struct read_der	*ders;		/* undecoded ones; owned */
	size_t		 num_ders, ders_capacity;
	X509		*key_cert;	/* PKCS#12: belongs to the key; one more reference */
	size_t		 unreadable;	/* members that were no readable certificate */
	const char	*hint;		/* static text on why, or NULL */
	bool		 locked;	/* a PKCS#12 wants another password */
};

/*
 * PEM, DER, PKCS#7 and PKCS#12, one or many objects. `password` NULL: none; only
 * PKCS#12 asks for one. Members of other kinds (keys, CRLs) are passed over.
 * False: out of memory. Free with read_result_free().
 */
bool	read_certs(const unsigned char *data, size_t data_len,
	    const char *password, struct read_result *result_r);
/* The same without decoding: certificates that stand alone and are plain come as
 * bytes and their outline, in `ders`; others, and those of PKCS#7 and PKCS#12, in
 * `certs`. What is readable is so in both. */
bool	read_outlines(const unsigned char *data, size_t data_len,
	    struct read_result *result_r);
void	read_result_free(struct read_result *);

#endif
