/*
 * exchange_sssd_words.c - what is SSSD's word for ours, and do both mean the same?
 *
 * Tables and the check of expressions; reads and writes no rule.
 */

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/err.h>
#include <openssl/objects.h>

#include "exchange_sssd.h"

const struct sssd_tag	sssd_tags[] = {
	{ "<SUBJECT>", "subject.dn.rfc4514", SSSD_PATTERN },
	{ "<ISSUER>", "issuer.dn.rfc4514", SSSD_PATTERN },
	{ "<KU>", "ku", SSSD_KU }, { "<EKU>", "eku", SSSD_EKU },
	{ "<SAN:rfc822Name>", "san.email", SSSD_PATTERN },
	{ "<SAN:dNSName>", "san.dns", SSSD_PATTERN },
	{ "<SAN:uniformResourceIdentifier>", "san.uri", SSSD_PATTERN },
	{ "<SAN:ntPrincipalName>", "san.upn", SSSD_PATTERN }
};
const size_t	sssd_num_tags = sizeof(sssd_tags) / sizeof(sssd_tags[0]);

const struct sssd_template sssd_templates[] = {
	{ "{subject_rfc822_name}", "{san.email}", false },
	{ "{subject_rfc822_name.short_name}", "{san.email|local}", false },
	{ "{subject_nt_principal}", "{san.upn}", false },
	{ "{subject_principal}", "{san.upn}", false },
	{ "{subject_nt_principal.short_name}", "{san.upn|local}", false },
	{ "{subject_principal.short_name}", "{san.upn|local}", false },
	{ "{subject_dns_name}", "{san.dns}", false },
	{ "{subject_uri}", "{san.uri}", false },
	{ "{cert!sha256}", "{cert.sha256}", true },
	{ "{cert!bin}", "{cert.sha256}", false },
	{ "{cert}", "{cert.sha256}", false },
	{ "{sid}", "{sid}", true },
	{ "{serial_number!dec}", "{serial.dec}", true },
	{ "{serial_number!hex_u}", "{serial}", true },
	{ "{serial_number!hex_c}", "{serial.colon}", true },
	{ "{serial_number!hex_r}", "{serial.reversed}", true },
	{ "{subject_key_id}", "{ski}", true },
	{ "{subject_key_id!hex}", "{ski}", true },
	{ "X509:<I>{issuer_dn!ad_x500}<S>{subject_dn!ad_x500}",
	    "X509:<I>{issuer.dn.ad}<S>{subject.dn.ad}", false },
	{ "X509:<I>{issuer_dn!ad_x500}<SR>{serial_number!hex_ur}",
	    "X509:<I>{issuer.dn.ad}<SR>{serial.reversed}", true },
	{ "X509:<SKI>{subject_key_id!hex_u}", "X509:<SKI>{ski}", true },
	{ "X509:<SKI>{subject_key_id!hex}", "X509:<SKI>{ski}", true },
	{ "X509:<RFC822>{subject_rfc822_name}", "X509:<RFC822>{san.email}", false }
};
const size_t	sssd_num_templates =
		    sizeof(sssd_templates) / sizeof(sssd_templates[0]);

/* -------------------------------------------------------------------- words */

/* SSSD's spelling; OIDs beside those that OpenSSL calls otherwise. */
static const struct { const char *word, *oid; enum sssd_value value; } words[] = {
	{ "digitalSignature", NULL, SSSD_KU }, { "nonRepudiation", NULL, SSSD_KU },
	{ "keyEncipherment", NULL, SSSD_KU }, { "dataEncipherment", NULL, SSSD_KU },
	{ "keyAgreement", NULL, SSSD_KU }, { "keyCertSign", NULL, SSSD_KU },
	{ "cRLSign", NULL, SSSD_KU }, { "encipherOnly", NULL, SSSD_KU },
	{ "decipherOnly", NULL, SSSD_KU },
	{ "serverAuth", NULL, SSSD_EKU }, { "clientAuth", NULL, SSSD_EKU },
	{ "codeSigning", NULL, SSSD_EKU }, { "emailProtection", NULL, SSSD_EKU },
	{ "timeStamping", NULL, SSSD_EKU }, { "OCSPSigning", NULL, SSSD_EKU },
	{ "KPClientAuth", "1.3.6.1.5.2.3.4", SSSD_EKU },
	{ "pkinit", "1.3.6.1.5.2.3.4", SSSD_EKU },
	{ "msScLogin", "1.3.6.1.4.1.311.20.2.2", SSSD_EKU }
};
#define NUM_WORDS	(sizeof(words) / sizeof(words[0]))

static bool
is_oid(const char *word)
{
	return word[0] >= '0' && word[0] <= '9' && strchr(word, '.') != NULL &&
	    word[strspn(word, "0123456789.")] == '\0' && strlen(word) <= 64;
}

const char *
sssd_word_in(enum sssd_value value, const char *word)
{
	size_t	i;

	for (i = 0; i < NUM_WORDS; i++)
		if (words[i].value == value && strcasecmp(words[i].word, word) == 0)
			return words[i].oid != NULL ? words[i].oid : words[i].word;
	return value == SSSD_EKU && is_oid(word) ? word : NULL;
}

bool
sssd_word_out(enum sssd_value value, const char *word, char *buf, size_t size)
{
	ASN1_OBJECT	*oid;
	size_t		 i;
	int		 n = -1;

	for (i = 0; i < NUM_WORDS; i++)
		if (words[i].value == value && strcmp(words[i].word, word) == 0 &&
		    words[i].oid == NULL) {
			(void)snprintf(buf, size, "%s", word);
			return true;
		}
	if (value != SSSD_EKU)
		return false;
	/* OpenSSL has names that SSSD does not know. */
	ERR_set_mark();
	oid = OBJ_txt2obj(word, 0);
	if (oid != NULL)
		n = OBJ_obj2txt(buf, (int)size, oid, 1);
	ASN1_OBJECT_free(oid);
	ERR_pop_to_mark();
	return n > 0 && n < (int)size;
}

/* -------------------------------------------------------------- expressions */

/* [...] at `p`: bytes of it; 0: it is not closed, or has more than characters and
 * ranges of them. A ] that stands first is one of them. */
static size_t
bracket_length(const char *p, size_t len)
{
	size_t	i = 1;

	if (i < len && p[i] == '^')
		i++;
	if (i < len && p[i] == ']')
		i++;
	for (; i < len && p[i] != ']'; i++)
		if (p[i] == '[' || p[i] == '\\' || p[i] == '\'' || p[i] == '"' ||
		    p[i] == '<' || ((unsigned char)p[i] & 0x80) != 0)
			return 0;
	return i < len ? i + 1 : 0;
}

/* {3}, {3,}, {3,5}; regex(7) wants no more than 255. */
static size_t
bound_length(const char *p, size_t len)
{
	size_t		i, commas = 0, digits = 0;
	unsigned	number = 0;

	for (i = 1; i < len && p[i] != '}'; i++) {
		if (p[i] == ',') {
			if (digits == 0 || ++commas > 1)
				return 0;
			number = 0;
		} else if (p[i] < '0' || p[i] > '9' || ++digits > 8)
			return 0;
		else if ((number = number * 10 + (unsigned)(p[i] - '0')) > 255)
			return 0;
	}
	return i < len && digits > 0 ? i + 1 : 0;
}

/* \. and the like; and letters that glibc has, too. */
static bool
escape_is_common(char c)
{
	return strchr("wWsS", c) != NULL ||
	    (ispunct((unsigned char)c) && strchr("<>`'\"", c) == NULL);
}

bool
sssd_pattern_is_common(const char *p, size_t len)
{
	size_t	i, n;
	bool	atom = false;	/* something that * may repeat */

	for (i = 0; i < len; i += n) {
		n = 1;
		switch (p[i]) {
		case '\\':
			n = 2;
			if (i + 1 == len || p[i + 1] == '\0' ||
			    !escape_is_common(p[i + 1]))
				return false;
			atom = true;
			break;
		case '[':
			n = bracket_length(p + i, len - i);
			atom = true;
			break;
		case '{':
			n = atom ? bound_length(p + i, len - i) : 0;
			atom = false;
			break;
		case '*':
		case '+':
		case '?':
			/* behind another one PCRE2 takes it for something else */
			if (!atom)
				return false;
			atom = false;
			break;
		case '(':
			if (i + 1 == len || strchr("?*)", p[i + 1]) != NULL)
				return false;
			atom = false;
			break;
		case '^': case '$': case '|': case '}': case '<': case '\'':
		case '"':
			return false;
		default:
			if (((unsigned char)p[i] & 0x80) != 0)
				return false;
			atom = true;
			break;
		}
		if (n == 0)
			return false;
	}
	return true;
}

bool
sssd_pattern_ends(const char *p, size_t len, const char *tail)
{
	size_t	n = strlen(tail), slashes = 0;

	if (len < n || memcmp(p + len - n, tail, n) != 0)
		return false;
	while (slashes < len - n && p[len - n - slashes - 1] == '\\')
		slashes++;
	return slashes % 2 == 0;
}
