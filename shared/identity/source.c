/*
 * source.c - what does this certificate say under this name?
 *
 * Reads typed values out of the certificate and refuses those that cannot be a
 * name: it never skips one, because a skipped value is a decision made without
 * it. Does not judge who somebody is.
 */

#include <string.h>

#include <openssl/err.h>
#include <openssl/objects.h>

#include "base/text.h"
#include "identity/source.h"
#include "identity/suggest.h"

static const struct known {
	const char		*name;
	enum source_kind	 kind;
} known[] = {
	{ "san.email", SOURCE_SAN_EMAIL },
	{ "san.upn", SOURCE_SAN_UPN },
	{ "san.uri", SOURCE_SAN_URI },
	{ "san.dns", SOURCE_SAN_DNS },
	{ "serial", SOURCE_SERIAL },
	{ "spki.sha256", SOURCE_SPKI_SHA256 },
	{ "cert.sha256", SOURCE_CERT_SHA256 },
	{ "ski", SOURCE_SKI }
};
#define NUM_KNOWN	(sizeof(known) / sizeof(known[0]))

static const char *const source_names[] = {
	"san.email", "san.upn", "san.uri", "san.dns", "serial", "spki.sha256",
	"cert.sha256", "ski", "subject.CN", "subject.commonName",
	"subject.emailAddress", "subject.O", "subject.organizationName",
	"subject.OU", "subject.organizationalUnitName", "subject.UID",
	"subject.userId", "subject.serialNumber", "subject.SN",
	"subject.surname", "subject.GN", "subject.givenName", "subject.title",
	"subject.pseudonym", "subject.DC", "subject.domainComponent",
	"subject.C", "subject.countryName", "subject.L", "subject.localityName",
	"subject.ST", "subject.stateOrProvinceName", "subject.initials",
	"subject.name", "subject.dnQualifier", "subject.organizationIdentifier",
	"subject.description", "subject.street", NULL
};
static const char *const transform_names[] = { "lower", "local", "domain", NULL };

/* ----------------------------------------------------------------- parsing */

static void
fault_at(struct certauth_error *error_r, size_t offset, const char *word,
    size_t word_len, const char *expected)
{
	char	shown[128];

	text_printable(shown, sizeof(shown), word, word_len);
	error_set(error_r, NULL, 0, "found \"%s\", expected %s", shown, expected);
	if (error_r != NULL)
		error_r->column = (unsigned)(offset + 1);
}

/*
 * Is it an attribute type? A name that OpenSSL knows as something else (an
 * extension, a digest) would be a rule that never matches. X.520, RFC 4519,
 * PKCS#9, and the jurisdiction attributes of extended validation.
 */
static bool
is_attribute(const ASN1_OBJECT *oid)
{
	static const char *const	arcs[] = {
		"2.5.4.", "0.9.2342.19200300.100.1.", "1.2.840.113549.1.9.",
		"1.3.6.1.4.1.311.60.2.1.", NULL
	};
	char	dotted[128];
	size_t	i;

	if (OBJ_obj2txt(dotted, sizeof(dotted), oid, 1) <= 0)
		return false;
	for (i = 0; arcs[i] != NULL; i++)
		if (strncmp(dotted, arcs[i], strlen(arcs[i])) == 0)
			return true;
	return false;
}

static bool
subject_parse(const char *name, struct source *source_r)
{
	ASN1_OBJECT	*oid = NULL;
	bool		 ok = false, dotted;

	dotted = name[0] >= '0' && name[0] <= '9';
	ERR_set_mark();
	/* OBJ_txt2obj() reads "2.5.4." as 2.5.4. */
	if (dotted && name[strlen(name) - 1] == '.')
		goto out;
	oid = OBJ_txt2obj(name, dotted ? 1 : 0);
	if (oid == NULL || (!dotted && !is_attribute(oid)))
		goto out;
	if (OBJ_length(oid) == 0 || OBJ_length(oid) > SOURCE_MAX_OID)
		goto out;
	source_r->kind = SOURCE_SUBJECT;
	source_r->oid_len = OBJ_length(oid);
	memcpy(source_r->oid, OBJ_get0_data(oid), source_r->oid_len);
	ok = true;
out:
	ASN1_OBJECT_free(oid);
	ERR_pop_to_mark();
	return ok;
}

static bool
source_parse(const char *word, size_t word_len, struct source *source_r)
{
	size_t	i;

	memset(source_r, 0, sizeof(*source_r));
	if (word_len == 0 || word_len >= sizeof(source_r->name) ||
	    memchr(word, '\0', word_len) != NULL)
		return false;
	memcpy(source_r->name, word, word_len);
	for (i = 0; i < NUM_KNOWN; i++)
		if (strcmp(source_r->name, known[i].name) == 0) {
			source_r->kind = known[i].kind;
			return true;
		}
	return strncmp(source_r->name, "subject.", 8) == 0 &&
	    subject_parse(source_r->name + 8, source_r);
}

static bool
transform_add(struct expression *expression, const char *word, size_t word_len,
    size_t offset, struct certauth_error *error_r)
{
	enum source_part	part;

	if (word_len == 5 && memcmp(word, "lower", 5) == 0) {
		expression->lower = true;
		return true;
	}
	if (word_len == 5 && memcmp(word, "local", 5) == 0)
		part = PART_LOCAL;
	else if (word_len == 6 && memcmp(word, "domain", 6) == 0)
		part = PART_DOMAIN;
	else {
		fault_at(error_r, offset, word, word_len,
		    "a transform (lower, local, domain)");
		error_suggest(error_r, word, word_len, transform_names);
		return false;
	}
	/* What is left has no `@` any more: it would never have a value. */
	if (expression->part != PART_WHOLE || source_is_hex(&expression->source)) {
		fault_at(error_r, offset, word, word_len,
		    "it only once, and on a value that may hold an @");
		return false;
	}
	expression->part = part;
	return true;
}

/*
 * The alias spelling: "san.email.domain" is "san.email|domain". From the right,
 * as long as what is left is no source by itself.
 */
static bool
alias_parse(const char *word, size_t word_len, size_t offset,
    struct expression *expression, struct certauth_error *error_r)
{
	size_t	dot, len = word_len;

	while (!source_parse(word, len, &expression->source)) {
		for (dot = len; dot > 0 && word[dot - 1] != '.'; dot--)
			;
		if (dot <= 1) {
			fault_at(error_r, offset, word, word_len,
			    "a source (san.email, san.upn, san.uri, san.dns, "
			    "subject.ATTRIBUTE, serial, spki.sha256, "
			    "cert.sha256, ski)");
			error_suggest(error_r, word, word_len, source_names);
			return false;
		}
		len = dot - 1;
	}
	while (len < word_len) {
		size_t	start = len + 1;

		for (len = start; len < word_len && word[len] != '.'; len++)
			;
		if (!transform_add(expression, word + start, len - start,
		    offset + start, error_r))
			return false;
	}
	return true;
}

bool
expression_parse(const char *text, size_t text_len,
    struct expression *expression_r, struct certauth_error *error_r)
{
	size_t	start, stop, next;
	bool	first = true;

	memset(expression_r, 0, sizeof(*expression_r));
	for (start = 0; first || start <= text_len; start = next + 1) {
		for (next = start; next < text_len && text[next] != '|'; next++)
			;
		while (start < next && text[start] == ' ')
			start++;
		for (stop = next; stop > start && text[stop - 1] == ' '; stop--)
			;
		if (first ? !alias_parse(text + start, stop - start, start,
		    expression_r, error_r) :
		    !transform_add(expression_r, text + start, stop - start,
		    start, error_r))
			return false;
		first = false;
	}
	return true;
}

bool
source_equal(const struct source *a, const struct source *b)
{
	return a->kind == b->kind && a->oid_len == b->oid_len &&
	    memcmp(a->oid, b->oid, a->oid_len) == 0;
}

bool
source_is_san(const struct source *source)
{
	return source->kind == SOURCE_SAN_EMAIL ||
	    source->kind == SOURCE_SAN_UPN || source->kind == SOURCE_SAN_URI ||
	    source->kind == SOURCE_SAN_DNS;
}

bool
source_is_mailbox(const struct source *source)
{
	const ASN1_OBJECT	*oid;

	if (source->kind != SOURCE_SUBJECT)
		return source->kind == SOURCE_SAN_EMAIL ||
		    source->kind == SOURCE_SAN_UPN;
	oid = OBJ_nid2obj(NID_pkcs9_emailAddress);
	return source->oid_len == OBJ_length(oid) &&
	    memcmp(source->oid, OBJ_get0_data(oid), source->oid_len) == 0;
}

bool
source_is_hex(const struct source *source)
{
	return source->kind == SOURCE_SERIAL ||
	    source->kind == SOURCE_SPKI_SHA256 ||
	    source->kind == SOURCE_CERT_SHA256 || source->kind == SOURCE_SKI;
}

/* ------------------------------------------------------------------ values */

static size_t
mailbox_at(const char *data, size_t data_len)
{
	const char	*at = memchr(data, '@', data_len);
	size_t		 n;

	if (at == NULL)
		return 0;
	n = (size_t)(at - data);
	if (n == 0 || n + 1 == data_len ||
	    memchr(at + 1, '@', data_len - n - 1) != NULL)
		return 0;
	return n;
}

void
mailbox_fold(char *data, size_t data_len)
{
	size_t	at = mailbox_at(data, data_len);

	if (at != 0)
		text_lower_ascii(data + at + 1, data_len - at - 1);
}

static const char *
value_fault(const unsigned char *data, size_t data_len, bool ascii)
{
	size_t	i;

	if (data_len == 0)
		return "an empty value";
	if (memchr(data, '\0', data_len) != NULL)
		return "a NUL byte";
	if (data_len > RULES_MAX_USER_LEN)
		return "a value over 255 bytes";
	if (!text_utf8_valid(data, data_len))
		return "bytes that are not UTF-8";
	if (text_has_control(data, data_len))
		return "a control character";
	for (i = 0; ascii && i < data_len; i++)
		if (data[i] >= 0x80)
			return "bytes over 7f in a string that must be ASCII";
	return NULL;
}

static void
set_fault(struct extractor *extractor, struct values *values,
    const struct source *source, const char *fault, const void *data,
    size_t data_len)
{
	char	shown[256];

	text_printable(shown, sizeof(shown), data, data_len);
	values->fault = arena_printf(extractor->arena, "%s has %s: \"%s\"",
	    source->name, fault, shown);
	if (values->fault == NULL)
		values->fault = fault;
}

/* `ascii`: the string's type allows nothing over 7f. False: stop here. */
static bool
add_value(struct extractor *extractor, const struct source *source,
    const unsigned char *data, size_t data_len, bool ascii,
    struct values *values)
{
	const char	*fault;
	char		*copy;
	size_t		 i;

	fault = value_fault(data, data_len, ascii);
	if (fault != NULL) {
		set_fault(extractor, values, source, fault, data, data_len);
		return false;
	}
	copy = arena_string_n(extractor->arena, (const char *)data, data_len);
	if (copy == NULL) {
		values->no_memory = true;
		return false;
	}
	if (source_is_mailbox(source))
		mailbox_fold(copy, data_len);
	for (i = 0; i < values->num_items; i++)
		if (values->items[i].data_len == data_len &&
		    memcmp(values->items[i].data, copy, data_len) == 0)
			return true;
	if (values->num_items == RULES_MAX_VALUES) {
		set_fault(extractor, values, source, "more than 64 values",
		    data, data_len);
		return false;
	}
	values->items[values->num_items].data = copy;
	values->items[values->num_items++].data_len = data_len;
	return true;
}

static void
san_values(struct extractor *extractor, const struct source *source,
    enum cert_san_kind kind, struct values *values)
{
	const struct cert	*cert = extractor->cert;
	size_t			 i;

	if ((cert->faults & (CERT_FAULT_SAN | CERT_FAULT_TOO_BIG |
	    CERT_FAULT_DUPLICATE | CERT_FAULT_TRAILING)) != 0) {
		values->fault = "the subjectAltName is not readable";
		return;
	}
	for (i = 0; i < cert->num_sans && i < CERT_MAX_NAMES; i++)
		/* rfc822Name, dNSName and URI are IA5String, RFC 5280 4.2.1.6;
		 * the UPN is UTF8String. */
		if (cert->sans[i].kind == kind && !add_value(extractor, source,
		    cert->sans[i].data, cert->sans[i].data_len,
		    kind != CERT_SAN_UPN, values))
			return;
}

/*
 * One attribute value. OpenSSL reads T61String, and any single-byte string, as
 * Latin-1; whether the CA meant that nobody knows, so over 7f they are no name.
 */
static bool
attribute_value(struct extractor *extractor, const struct source *source,
    const ASN1_STRING *string, struct values *values)
{
	unsigned char	*utf8 = NULL;
	const unsigned char *data = ASN1_STRING_get0_data(string);
	int		 len = ASN1_STRING_length(string);
	bool		 ok;

	switch (ASN1_STRING_type(string)) {
	case V_ASN1_UTF8STRING:
		return add_value(extractor, source, data, (size_t)len, false,
		    values);
	case V_ASN1_PRINTABLESTRING:
	case V_ASN1_IA5STRING:
	case V_ASN1_NUMERICSTRING:
	case V_ASN1_VISIBLESTRING:
	case V_ASN1_T61STRING:
		return add_value(extractor, source, data, (size_t)len, true,
		    values);
	case V_ASN1_BMPSTRING:
	case V_ASN1_UNIVERSALSTRING:
		ERR_set_mark();
		len = ASN1_STRING_to_UTF8(&utf8, string);
		ERR_pop_to_mark();
		if (len < 0) {
			set_fault(extractor, values, source,
			    "a BMPString or UniversalString that is not Unicode",
			    data, (size_t)ASN1_STRING_length(string));
			return false;
		}
		ok = add_value(extractor, source, utf8, (size_t)len, false,
		    values);
		OPENSSL_free(utf8);
		return ok;
	default:
		set_fault(extractor, values, source, "a value that is no text",
		    data, (size_t)len);
		return false;
	}
}

static void
subject_values(struct extractor *extractor, const struct source *source,
    struct values *values)
{
	const X509_NAME		*subject;
	const X509_NAME_ENTRY	*entry;
	const ASN1_OBJECT	*oid;
	int			 i, n;

	if (extractor->cert->x509 == NULL)
		return;
	subject = X509_get_subject_name(extractor->cert->x509);
	n = X509_NAME_entry_count(subject);
	if (n > SOURCE_MAX_ENTRIES) {
		values->fault = "the subject has more than 1024 attributes";
		return;
	}
	/* Entry by entry, the members of a multi-valued RDN like any other. */
	for (i = 0; i < n; i++) {
		entry = X509_NAME_get_entry(subject, i);
		oid = X509_NAME_ENTRY_get_object(entry);
		if (OBJ_length(oid) == source->oid_len &&
		    memcmp(OBJ_get0_data(oid), source->oid,
		    source->oid_len) == 0 &&
		    !attribute_value(extractor, source,
		    X509_NAME_ENTRY_get_data(entry), values))
			return;
	}
}

static void
hex_values(struct extractor *extractor, const struct source *source,
    const unsigned char *data, size_t data_len, bool upper, bool negative,
    struct values *values)
{
	const char	*digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char		 hex[RULES_MAX_USER_LEN + 1];
	size_t		 i, n = 0;

	if (data_len == 0 || data_len > (sizeof(hex) - 2) / 2) {
		set_fault(extractor, values, source, "no value or too long a one",
		    data, data_len < 32 ? data_len : 32);
		return;
	}
	if (negative)
		hex[n++] = '-';
	for (i = 0; i < data_len; i++) {
		hex[n++] = digits[data[i] >> 4];
		hex[n++] = digits[data[i] & 0x0f];
	}
	(void)add_value(extractor, source, (const unsigned char *)hex, n, true,
	    values);
}

static void
read_values(struct extractor *extractor, const struct source *source,
    struct values *values)
{
	const struct cert	*cert = extractor->cert;

	switch (source->kind) {
	case SOURCE_NONE:
		values->fault = "no source";
		return;
	case SOURCE_SAN_EMAIL:
		san_values(extractor, source, CERT_SAN_EMAIL, values);
		return;
	case SOURCE_SAN_UPN:
		san_values(extractor, source, CERT_SAN_UPN, values);
		return;
	case SOURCE_SAN_URI:
		san_values(extractor, source, CERT_SAN_URI, values);
		return;
	case SOURCE_SAN_DNS:
		san_values(extractor, source, CERT_SAN_DNS, values);
		return;
	case SOURCE_SUBJECT:
		subject_values(extractor, source, values);
		return;
	case SOURCE_SERIAL:
		if ((cert->faults & CERT_FAULT_SERIAL) != 0)
			values->fault = "the serial number has more than 20 bytes";
		else
			hex_values(extractor, source, cert->serial,
			    cert->serial_len, true, cert->serial_negative,
			    values);
		return;
	case SOURCE_SPKI_SHA256:
		hex_values(extractor, source, cert->spki_sha256, 32, false,
		    false, values);
		return;
	case SOURCE_CERT_SHA256:
		hex_values(extractor, source, cert->sha256, 32, false, false,
		    values);
		return;
	case SOURCE_SKI:
		if ((cert->faults & (CERT_FAULT_DUPLICATE |
		    CERT_FAULT_EXTENSION)) != 0)
			values->fault = "an extension is not readable";
		else if (cert->ski != NULL)
			hex_values(extractor, source, cert->ski, cert->ski_len,
			    false, false, values);
		return;
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
	read_values(extractor, source, &cached->values);
	cached->next = extractor->cached;
	extractor->cached = cached;
	extractor->num_cached++;
	return &cached->values;
}

bool
expression_part(const struct expression *expression, const struct value *in,
    struct value *out_r)
{
	size_t	at, i;

	*out_r = *in;
	if (expression->part == PART_WHOLE)
		return true;
	at = mailbox_at(in->data, in->data_len);
	if (at == 0)
		return false;
	/* "Alice <alice@example.com>" and "alice@example.com, x" hold an
	 * address and are none (RFC 5280 4.2.1.6: Mailbox of RFC 2821). */
	for (i = 0; i < in->data_len; i++)
		if (strchr(" ,;<>", in->data[i]) != NULL)
			return false;
	if (expression->part == PART_DOMAIN) {
		out_r->data += at + 1;
		out_r->data_len -= at + 1;
	} else
		out_r->data_len = at;
	return true;
}
