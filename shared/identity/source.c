/*
 * source.c - which thing of a certificate does this word mean?
 *
 * Reads words of the language, not certificates (extract.c does).
 */

#include <string.h>

#include <openssl/err.h>
#include <openssl/objects.h>

#include "identity/source.h"

static const struct known {
	const char		*name;
	enum source_kind	 kind;
	enum source_form	 form;
} known[] = {
	{ "san.email", SOURCE_SAN_EMAIL, FORM_PLAIN },
	{ "san.upn", SOURCE_SAN_UPN, FORM_PLAIN },
	{ "san.uri", SOURCE_SAN_URI, FORM_PLAIN },
	{ "san.dns", SOURCE_SAN_DNS, FORM_PLAIN },
	{ "serial", SOURCE_SERIAL, FORM_PLAIN },
	{ "serial.hex", SOURCE_SERIAL, FORM_PLAIN },
	{ "serial.colon", SOURCE_SERIAL, FORM_COLON },
	{ "serial.dec", SOURCE_SERIAL, FORM_DEC },
	{ "serial.reversed", SOURCE_SERIAL, FORM_REVERSED },
	{ "spki.sha256", SOURCE_SPKI_SHA256, FORM_PLAIN },
	{ "spki.sha1", SOURCE_SPKI_SHA1, FORM_PLAIN },
	{ "cert.sha256", SOURCE_CERT_SHA256, FORM_PLAIN },
	{ "ski", SOURCE_SKI, FORM_PLAIN },
	{ "sid", SOURCE_SID, FORM_PLAIN },
	{ "policy", SOURCE_POLICY, FORM_PLAIN },
	{ "class", SOURCE_CLASS, FORM_PLAIN },
	{ "eku", SOURCE_EKU, FORM_PLAIN },
	{ "ku", SOURCE_KEY_USAGE, FORM_PLAIN },
	{ "key.type", SOURCE_KEY_TYPE, FORM_PLAIN },
	{ "key.bits", SOURCE_KEY_BITS, FORM_PLAIN },
	{ "lifetime", SOURCE_LIFETIME, FORM_PLAIN },
	{ "authority", SOURCE_AUTHORITY, FORM_PLAIN },
	{ "user", SOURCE_USER, FORM_PLAIN }
};
#define NUM_KNOWN	(sizeof(known) / sizeof(known[0]))

static const struct prefix {
	const char		*text;
	enum source_where	 where;
} prefixes[] = {
	{ "subject.", WHERE_SUBJECT },
	{ "issuer.", WHERE_ISSUER },
	{ "san.dirname.", WHERE_SAN }
};
#define NUM_PREFIXES	(sizeof(prefixes) / sizeof(prefixes[0]))

static const struct { const char *name; enum source_form form; } forms[] = {
	{ "dn", FORM_RFC4514 },
	{ "dn.rfc4514", FORM_RFC4514 },
	{ "dn.nginx", FORM_NGINX },
	{ "dn.apache", FORM_APACHE },
	{ "dn.oneline", FORM_ONELINE },
	{ "dn.ad", FORM_AD },
	{ "dn.sha256", FORM_SHA256 },
	{ "dn.normal", FORM_NORMAL }
};
#define NUM_FORMS	(sizeof(forms) / sizeof(forms[0]))

static const char *const source_names[] = {
	"san.email", "san.upn", "san.uri", "san.dns", "san.dirname",
	"san.other(OID)", "serial", "serial.colon", "serial.dec",
	"serial.reversed", "spki.sha256", "spki.sha1", "cert.sha256", "ski",
	"sid", "policy", "class", "eku", "ku", "key.type", "key.bits",
	"lifetime", "authority", "subject.dn", "subject.dn.nginx",
	"subject.dn.apache", "subject.dn.oneline", "subject.dn.ad",
	"subject.dn.sha256", "subject.dn.normal", "issuer.dn", "issuer.dn.ad",
	"issuer.dn.sha256", "issuer.dn.normal", "issuer.CN", "issuer.O",
	"subject.CN", "subject.commonName",
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

const char *const *
source_words(void)
{
	return source_names;
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

/* An attribute by its name, or any OID in digits and dots. */
static bool
oid_parse(const char *name, bool dotted_only, struct source *source_r)
{
	ASN1_OBJECT	*oid = NULL;
	bool		 ok = false, dotted;

	dotted = name[0] >= '0' && name[0] <= '9';
	ERR_set_mark();
	/* OBJ_txt2obj() reads "2.5.4." as 2.5.4. */
	if (name[0] == '\0' || (dotted && name[strlen(name) - 1] == '.') ||
	    (dotted_only && !dotted))
		goto out;
	oid = OBJ_txt2obj(name, dotted ? 1 : 0);
	if (oid == NULL || (!dotted && !is_attribute(oid)))
		goto out;
	if (OBJ_length(oid) == 0 || OBJ_length(oid) > SOURCE_MAX_OID)
		goto out;
	source_r->oid_len = OBJ_length(oid);
	memcpy(source_r->oid, OBJ_get0_data(oid), source_r->oid_len);
	ok = true;
out:
	ASN1_OBJECT_free(oid);
	ERR_pop_to_mark();
	return ok;
}

/* "[2]" or "[-1]" at the end; cuts it off. */
static bool
position_parse(char *name, int *position_r)
{
	char	*open = strchr(name, '['), *at;
	bool	 last;
	int	 n = 0;

	*position_r = 0;
	if (open == NULL)
		return true;
	at = open + 1;
	last = *at == '-';
	at += last;
	if (*at < '1' || *at > '9')
		return false;
	for (; *at >= '0' && *at <= '9'; at++) {
		n = n * 10 + (*at - '0');
		if (n > SOURCE_MAX_POSITION)
			return false;
	}
	if (at[0] != ']' || at[1] != '\0')
		return false;
	*open = '\0';
	*position_r = last ? -n : n;
	return true;
}

/* What stands behind "subject." and the like. */
static bool
name_parse(const char *word, enum source_where where, struct source *source_r)
{
	char	name[SOURCE_MAX_NAME];
	size_t	i;

	source_r->where = where;
	for (i = 0; i < NUM_FORMS; i++)
		if (strcmp(word, forms[i].name) == 0) {
			source_r->kind = SOURCE_DN;
			source_r->form = forms[i].form;
			return true;
		}
	memcpy(name, word, strlen(word) + 1);
	source_r->kind = SOURCE_ATTRIBUTE;
	return position_parse(name, &source_r->position) &&
	    oid_parse(name, false, source_r);
}

static bool
other_parse(const char *word, struct source *source_r)
{
	char	oid[SOURCE_MAX_NAME];
	size_t	len = strlen(word);

	if (len < 2 || word[len - 1] != ')')
		return false;
	memcpy(oid, word, len - 1);
	oid[len - 1] = '\0';
	source_r->kind = SOURCE_SAN_OTHER;
	return oid_parse(oid, true, source_r);
}

bool
source_parse(const char *word, size_t word_len, struct source *source_r)
{
	size_t	i, len;

	memset(source_r, 0, sizeof(*source_r));
	if (word_len == 0 || word_len >= sizeof(source_r->name) ||
	    memchr(word, '\0', word_len) != NULL)
		return false;
	memcpy(source_r->name, word, word_len);
	for (i = 0; i < NUM_KNOWN; i++)
		if (strcmp(source_r->name, known[i].name) == 0) {
			source_r->kind = known[i].kind;
			source_r->form = known[i].form;
			return true;
		}
	if (strcmp(source_r->name, "san.dirname") == 0)
		return name_parse("dn", WHERE_SAN, source_r);
	if (strncmp(source_r->name, "san.other(", 10) == 0)
		return other_parse(source_r->name + 10, source_r);
	for (i = 0; i < NUM_PREFIXES; i++) {
		len = strlen(prefixes[i].text);
		if (strncmp(source_r->name, prefixes[i].text, len) == 0)
			return name_parse(source_r->name + len,
			    prefixes[i].where, source_r);
	}
	return false;
}

bool
source_equal(const struct source *a, const struct source *b)
{
	return a->kind == b->kind && a->where == b->where &&
	    a->form == b->form && a->position == b->position &&
	    a->oid_len == b->oid_len &&
	    memcmp(a->oid, b->oid, a->oid_len) == 0;
}

bool
source_is_san(const struct source *source)
{
	switch (source->kind) {
	case SOURCE_SAN_EMAIL:
	case SOURCE_SAN_UPN:
	case SOURCE_SAN_URI:
	case SOURCE_SAN_DNS:
	case SOURCE_SAN_OTHER:
		return true;
	case SOURCE_ATTRIBUTE:
	case SOURCE_DN:
		return source->where == WHERE_SAN;
	default:
		return false;
	}
}

bool
source_is_mailbox(const struct source *source)
{
	const ASN1_OBJECT	*oid;

	if (source->kind != SOURCE_ATTRIBUTE)
		return source->kind == SOURCE_SAN_EMAIL ||
		    source->kind == SOURCE_SAN_UPN;
	oid = OBJ_nid2obj(NID_pkcs9_emailAddress);
	return source->oid_len == OBJ_length(oid) &&
	    memcmp(source->oid, OBJ_get0_data(oid), source->oid_len) == 0;
}

bool
source_is_hex(const struct source *source)
{
	switch (source->kind) {
	case SOURCE_SERIAL:
		return source->form == FORM_PLAIN ||
		    source->form == FORM_REVERSED;
	case SOURCE_DN:
		return source->form == FORM_SHA256 ||
		    source->form == FORM_NORMAL;
	case SOURCE_SPKI_SHA256:
	case SOURCE_SPKI_SHA1:
	case SOURCE_CERT_SHA256:
	case SOURCE_SKI:
		return true;
	default:
		return false;
	}
}

bool
source_is_number(const struct source *source)
{
	return source->kind == SOURCE_KEY_BITS ||
	    source->kind == SOURCE_LIFETIME;
}

enum rule_strength
source_strength(const struct source *source, bool pinned)
{
	switch (source->kind) {
	case SOURCE_SPKI_SHA256:
	case SOURCE_CERT_SHA256:
	case SOURCE_SID:
		return STRENGTH_STRONG;
	case SOURCE_SAN_EMAIL:
	case SOURCE_SAN_UPN:
	case SOURCE_SAN_URI:
	case SOURCE_SAN_DNS:
	case SOURCE_SAN_OTHER:
	/* Chosen by the CA; SHA-1 can be made to collide. */
	case SOURCE_SKI:
	case SOURCE_SPKI_SHA1:
	/* Of one CA's certificates; with the issuer's name: expression.c. */
	case SOURCE_SERIAL:
		return pinned ? STRENGTH_MEDIUM : STRENGTH_WEAK;
	default:
		return STRENGTH_WEAK;
	}
}
