/*
 * extract.c - what does this certificate say under this name?
 *
 * Reads typed values out of the certificate and refuses those that cannot be a
 * name: it never skips one, because a skipped value is a decision made without
 * it. Does not judge who somebody is.
 */

#include <stdio.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/sha.h>

#include "base/text.h"
#include "identity/extract.h"

const char *
extract_value_fault(const unsigned char *data, size_t data_len, bool ascii,
    size_t max)
{
	size_t	i;

	if (data_len == 0)
		return "an empty value";
	if (memchr(data, '\0', data_len) != NULL)
		return "a NUL byte";
	if (data_len > max)
		return max == RULES_MAX_USER_LEN ? "a value over 255 bytes" :
		    "a name over 2000 bytes";
	if (!text_utf8_valid(data, data_len))
		return "bytes that are not UTF-8";
	if (text_has_control(data, data_len))
		return "a control character";
	for (i = 0; ascii && i < data_len; i++)
		if (data[i] >= 0x80)
			return "bytes over 7f in a string that must be ASCII";
	return NULL;
}

bool
extract_fault(struct extract *x, const char *fault, const void *data,
    size_t data_len)
{
	char	shown[256];

	text_printable(shown, sizeof(shown), data, data_len);
	x->values->fault = arena_printf(x->extractor->arena, "%s has %s: \"%s\"",
	    x->source->name, fault, shown);
	if (x->values->fault == NULL)
		x->values->fault = fault;
	return false;
}

bool
extract_add(struct extract *x, const unsigned char *data, size_t data_len,
    bool ascii)
{
	struct values	*values = x->values;
	const char	*fault;
	char		*copy;
	size_t		 i;

	fault = extract_value_fault(data, data_len, ascii,
	    x->source->kind == SOURCE_DN ? SOURCE_MAX_DN : RULES_MAX_USER_LEN);
	if (fault != NULL)
		return extract_fault(x, fault, data, data_len);
	copy = arena_string_n(x->extractor->arena, (const char *)data, data_len);
	if (copy == NULL) {
		values->no_memory = true;
		return false;
	}
	if (source_is_mailbox(x->source))
		mailbox_fold(copy, data_len);
	for (i = 0; i < values->num_items; i++)
		if (values->items[i].data_len == data_len &&
		    memcmp(values->items[i].data, copy, data_len) == 0)
			return true;
	if (values->num_items == RULES_MAX_VALUES)
		return extract_fault(x, "more than 64 values", data, data_len);
	values->items[values->num_items].data = copy;
	values->items[values->num_items++].data_len = data_len;
	return true;
}

/*
 * OpenSSL reads T61String, and any single-byte string, as Latin-1; whether the
 * CA meant that nobody knows, so over 7f they are no name.
 */
bool
extract_string(struct extract *x, const ASN1_STRING *string)
{
	unsigned char	*utf8 = NULL;
	const unsigned char *data = ASN1_STRING_get0_data(string);
	int		 len = ASN1_STRING_length(string);
	bool		 ok;

	switch (ASN1_STRING_type(string)) {
	case V_ASN1_UTF8STRING:
		return extract_add(x, data, (size_t)len, false);
	case V_ASN1_PRINTABLESTRING:
	case V_ASN1_IA5STRING:
	case V_ASN1_NUMERICSTRING:
	case V_ASN1_VISIBLESTRING:
	case V_ASN1_T61STRING:
		return extract_add(x, data, (size_t)len, true);
	case V_ASN1_BMPSTRING:
	case V_ASN1_UNIVERSALSTRING:
		ERR_set_mark();
		len = ASN1_STRING_to_UTF8(&utf8, string);
		ERR_pop_to_mark();
		if (len < 0)
			return extract_fault(x,
			    "a BMPString or UniversalString that is not Unicode",
			    data, (size_t)ASN1_STRING_length(string));
		ok = extract_add(x, utf8, (size_t)len, false);
		OPENSSL_free(utf8);
		return ok;
	default:
		return extract_fault(x, "a value that is no text", data,
		    (size_t)len);
	}
}

bool
extract_hex(struct extract *x, const unsigned char *data, size_t data_len,
    bool upper, bool negative)
{
	const char	*digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char		 hex[RULES_MAX_USER_LEN + 1];
	size_t		 i, n = 0;

	if (data_len == 0 || data_len > (sizeof(hex) - 2) / 2)
		return extract_fault(x, "no value or too long a one", data,
		    data_len < 32 ? data_len : 32);
	if (negative)
		hex[n++] = '-';
	for (i = 0; i < data_len; i++) {
		hex[n++] = digits[data[i] >> 4];
		hex[n++] = digits[data[i] & 0x0f];
	}
	return extract_add(x, (const unsigned char *)hex, n, true);
}

/* ------------------------------------------------------- alternative names */

static bool
smtp_utf8(struct extract *x, const struct cert_san *san)
{
	char		 out[RULES_MAX_USER_LEN + 1];
	const char	*fault;
	size_t		 n = 0;

	fault = extract_value_fault(san->data, san->data_len, false,
	    RULES_MAX_USER_LEN);
	if (fault == NULL)
		fault = mailbox_smtp_utf8((const char *)san->data, san->data_len,
		    out, sizeof(out), &n);
	if (fault == NULL)
		return extract_add(x, (const unsigned char *)out, n, false);
	if (fault[0] == '\0') {
		x->values->no_memory = true;
		return false;
	}
	return extract_fault(x, fault, san->data, san->data_len);
}

static void
san_values(struct extract *x, enum cert_san_kind kind)
{
	const struct cert	*cert = x->extractor->cert;
	size_t			 i;

	if ((cert->faults & (CERT_FAULT_SAN | CERT_FAULT_TOO_BIG |
	    CERT_FAULT_DUPLICATE | CERT_FAULT_TRAILING)) != 0) {
		x->values->fault = "the subjectAltName is not readable";
		return;
	}
	for (i = 0; i < cert->num_sans && i < CERT_MAX_NAMES; i++) {
		/* rfc822Name, dNSName and URI are IA5String, RFC 5280 4.2.1.6;
		 * the UPN is UTF8String. */
		if (cert->sans[i].kind == kind && !extract_add(x,
		    cert->sans[i].data, cert->sans[i].data_len,
		    kind != CERT_SAN_UPN))
			return;
		if (kind == CERT_SAN_EMAIL &&
		    cert->sans[i].kind == CERT_SAN_SMTP_UTF8 &&
		    !smtp_utf8(x, &cert->sans[i]))
			return;
	}
}

/* ------------------------------------------------------------ serial number */

static bool
serial_dec(struct extract *x, const struct cert *cert)
{
	BIGNUM	*number = BN_bin2bn(cert->serial, (int)cert->serial_len, NULL);
	char	*text = NULL;
	bool	 ok = false;

	if (number == NULL) {
		x->values->no_memory = true;
		return false;
	}
	BN_set_negative(number, cert->serial_negative);
	text = BN_bn2dec(number);
	if (text != NULL)
		ok = extract_add(x, (const unsigned char *)text, strlen(text),
		    true);
	else
		x->values->no_memory = true;
	OPENSSL_free(text);
	BN_free(number);
	return ok;
}

static void
serial_value(struct extract *x)
{
	const struct cert	*cert = x->extractor->cert;
	unsigned char		 turned[CERT_MAX_SERIAL];
	char			 colon[3 * CERT_MAX_SERIAL + 2];
	size_t			 i, n = 0;

	if ((cert->faults & CERT_FAULT_SERIAL) != 0 ||
	    cert->serial_len > CERT_MAX_SERIAL) {
		x->values->fault = "the serial number has more than 20 bytes";
		return;
	}
	switch (x->source->form) {
	case FORM_DEC:
		(void)serial_dec(x, cert);
		return;
	case FORM_COLON:	/* as openssl x509 -text */
		if (cert->serial_negative)
			colon[n++] = '-';
		for (i = 0; i < cert->serial_len; i++)
			n += (size_t)snprintf(colon + n, sizeof(colon) - n,
			    i == 0 ? "%02x" : ":%02x", cert->serial[i]);
		(void)extract_add(x, (const unsigned char *)colon, n, true);
		return;
	case FORM_REVERSED:	/* <SR> of altSecurityIdentities */
		for (i = 0; i < cert->serial_len; i++)
			turned[i] = cert->serial[cert->serial_len - 1 - i];
		(void)extract_hex(x, turned, cert->serial_len, false,
		    cert->serial_negative);
		return;
	default:
		(void)extract_hex(x, cert->serial, cert->serial_len, true,
		    cert->serial_negative);
	}
}

/* --------------------------------------------------------------- everything */

static void
spki_sha1(struct extract *x)
{
	const X509_PUBKEY	*spki = x->extractor->cert->x509 == NULL ? NULL :
				    X509_get_X509_PUBKEY(x->extractor->cert->x509);
	unsigned char		*der = NULL, sha1[20];
	int			 len;

	if (spki == NULL)
		return;
	ERR_set_mark();
	len = i2d_X509_PUBKEY(spki, &der);
	ERR_pop_to_mark();
	if (len <= 0) {
		x->values->fault = "the public key is not readable";
		return;
	}
	(void)SHA1(der, (size_t)len, sha1);
	OPENSSL_free(der);
	(void)extract_hex(x, sha1, sizeof(sha1), false, false);
}

static void
given_value(struct extract *x, const char *data, size_t data_len)
{
	if (data != NULL && data_len > 0)
		(void)extract_add(x, (const unsigned char *)data, data_len,
		    false);
}

static void
read_values(struct extract *x)
{
	const struct cert	*cert = x->extractor->cert;

	switch (x->source->kind) {
	case SOURCE_NONE:
		x->values->fault = "no source";
		return;
	case SOURCE_SAN_EMAIL:
		san_values(x, CERT_SAN_EMAIL);
		return;
	case SOURCE_SAN_UPN:
		san_values(x, CERT_SAN_UPN);
		return;
	case SOURCE_SAN_URI:
		san_values(x, CERT_SAN_URI);
		return;
	case SOURCE_SAN_DNS:
		san_values(x, CERT_SAN_DNS);
		return;
	case SOURCE_SAN_OTHER:
		extract_other(x);
		return;
	case SOURCE_ATTRIBUTE:
	case SOURCE_DN:
		extract_names(x);
		return;
	case SOURCE_SERIAL:
		serial_value(x);
		return;
	case SOURCE_SPKI_SHA256:
		(void)extract_hex(x, cert->spki_sha256, 32, false, false);
		return;
	case SOURCE_SPKI_SHA1:
		spki_sha1(x);
		return;
	case SOURCE_CERT_SHA256:
		(void)extract_hex(x, cert->sha256, 32, false, false);
		return;
	case SOURCE_SKI:
		if ((cert->faults & (CERT_FAULT_DUPLICATE |
		    CERT_FAULT_EXTENSION)) != 0)
			x->values->fault = "an extension is not readable";
		else if (cert->ski != NULL)
			(void)extract_hex(x, cert->ski, cert->ski_len, false,
			    false);
		return;
	case SOURCE_USER:
		given_value(x, x->extractor->user.data,
		    x->extractor->user.data_len);
		return;
	case SOURCE_AUTHORITY:
		if (x->extractor->authority != NULL)
			given_value(x, x->extractor->authority,
			    strlen(x->extractor->authority));
		return;
	default:
		extract_fact(x);
	}
}

struct cached {
	struct cached	*next;
	struct source	 source;
	struct values	 values;
};

const struct values *
source_values(struct extractor *extractor, const struct source *source)
{
	static const struct values	 no_memory = { .no_memory = true };
	struct extract			 x = { extractor, source, NULL };
	struct cached			*cached;

	for (cached = extractor->cached; cached != NULL; cached = cached->next)
		if (source_equal(&cached->source, source))
			return &cached->values;
	if (extractor->num_cached == SOURCE_MAX_CACHED)
		return &no_memory;
	cached = arena_alloc(extractor->arena, sizeof(*cached));
	if (cached == NULL)
		return &no_memory;
	cached->source = *source;
	x.values = &cached->values;
	read_values(&x);
	/* What a rule found is not the certificate's: the next rule, or the
	 * second try of this one, has another. */
	if (source->kind == SOURCE_USER)
		return &cached->values;
	cached->next = extractor->cached;
	extractor->cached = cached;
	extractor->num_cached++;
	return &cached->values;
}
