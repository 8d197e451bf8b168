/*
 * identity.h - a certificate out of hostile bytes, for the fuzzers of
 * shared/identity, and what must hold of every answer.
 */
#ifndef FUZZ_IDENTITY_H
#define FUZZ_IDENTITY_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "base/text.h"
#include "identity/rules.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)	do { if (!(condition)) { \
		fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
		abort(); } } while (0)

#define FUZZ_MAX_SANS	80

/* A view as cert.c fills it; the subject is set beside it, raw. */
struct hostile {
	struct cert	cert;
	struct cert_san	sans[FUZZ_MAX_SANS];
	X509		*x509;
};

/*
 * Names: one byte of kind (SAN kinds, then attributes), one of length, the value.
 */
static inline void
hostile_fill(struct hostile *h, const uint8_t *data, size_t size)
{
	static const int	nids[] = { NID_commonName, NID_pkcs9_emailAddress,
				    NID_organizationalUnitName };
	static const int	types[] = { V_ASN1_UTF8STRING, V_ASN1_BMPSTRING,
				    V_ASN1_T61STRING, V_ASN1_PRINTABLESTRING,
				    V_ASN1_UNIVERSALSTRING, V_ASN1_BIT_STRING };
	X509_NAME_ENTRY	*entry;
	size_t		 at = 0, len;
	unsigned	 kind;

	memset(h, 0, sizeof(*h));
	h->x509 = X509_new();
	h->cert.x509 = h->x509;
	h->cert.sans = h->sans;
	while (at + 2 <= size) {
		kind = data[at];
		len = data[at + 1];
		if (len == 255)		/* long ones too */
			len = 300;
		at += 2;
		if (len > size - at)
			len = size - at;
		if (kind % 12 < 6) {
			if (h->cert.num_sans == FUZZ_MAX_SANS)
				break;
			h->sans[h->cert.num_sans].kind =
			    (enum cert_san_kind)(kind % 12);
			h->sans[h->cert.num_sans].data = data + at;
			h->sans[h->cert.num_sans++].data_len = len;
		} else if (kind % 12 < 9) {
			entry = X509_NAME_ENTRY_create_by_NID(NULL,
			    nids[kind % 3], V_ASN1_UTF8STRING,
			    (const unsigned char *)"x", 1);
			X509_NAME_ENTRY_set_data(entry, types[kind / 12 % 6],
			    data + at, (int)len);
			X509_NAME_add_entry(X509_get_subject_name(h->x509),
			    entry, -1, 0);
			X509_NAME_ENTRY_free(entry);
		} else if (kind % 12 == 9) {
			h->cert.ski = data + at;
			h->cert.ski_len = len;
		} else if (kind % 12 == 10) {
			h->cert.serial_len = len > CERT_MAX_SERIAL ?
			    CERT_MAX_SERIAL : len;
			memcpy(h->cert.serial, data + at, h->cert.serial_len);
			h->cert.serial_negative = kind >= 128;
		} else
			h->cert.faults = kind / 12;
		at += len;
	}
	if (h->cert.serial_len == 0)
		h->cert.serial_len = 1;
	ERR_clear_error();
}

static inline void
hostile_clear(struct hostile *h)
{
	X509_free(h->x509);
}

static inline void
must_be_one_line(const char *text)
{
	MUST(text != NULL);
	MUST(text_utf8_valid(text, strlen(text)));
	MUST(!text_has_control(text, strlen(text)));
}

static inline void
must_be_user(const char *user)
{
	size_t	len = strlen(user);

	MUST(len > 0 && len <= RULES_MAX_USER_LEN);
	must_be_one_line(user);
	MUST(user[0] != ' ' && user[len - 1] != ' ');
	MUST(user[0] != '-' && user[0] != '.');
}

/* The next part of the input, up to a 0xff byte, as a string the caller frees. */
static inline char *
next_string(const uint8_t **data, size_t *size)
{
	const uint8_t	*end = *size == 0 ? NULL : memchr(*data, 0xff, *size);
	size_t		 len = end != NULL ? (size_t)(end - *data) : *size;
	char		*copy = malloc(len + 1);

	if (len > 0)
		memcpy(copy, *data, len);
	copy[len] = '\0';
	*data += len;
	*size -= len;
	if (*size > 0) {
		(*data)++;
		(*size)--;
	}
	return copy;
}

#endif
