/* extract.h - private to identity/: values on their way out of a certificate. */
#ifndef CERTAUTH_IDENTITY_EXTRACT_H
#define CERTAUTH_IDENTITY_EXTRACT_H

#include <openssl/x509v3.h>

#include "identity/source.h"

/* One that is being read. */
struct extract {
	struct extractor	*extractor;
	const struct source	*source;
	struct values		*values;
};

/* `data` is shown in the fault, whatever it holds. Always false. */
bool	extract_fault(struct extract *, const char *fault, const void *data,
	    size_t data_len);
/* `ascii`: the string's type allows nothing over 7f. Adds it once. False: it
 * must not be used, or no memory: stop here. */
bool	extract_add(struct extract *, const unsigned char *data, size_t data_len,
	    bool ascii);
/* One string by its type. */
bool	extract_string(struct extract *, const ASN1_STRING *);
bool	extract_hex(struct extract *, const unsigned char *data, size_t data_len,
	    bool upper, bool negative);
/* NULL: it can be a value. */
const char *extract_value_fault(const unsigned char *data, size_t data_len,
	    bool ascii, size_t max);

/* names.c */
void	extract_names(struct extract *);	/* ATTRIBUTE, DN */
void	extract_other(struct extract *);	/* SAN_OTHER */
/* facts.c */
void	extract_fact(struct extract *);
/* The i-th word that a CLASS, KEY_USAGE or KEY_TYPE may be; NULL: past the end. */
const char *fact_word(enum source_kind, size_t i);

#endif
