/*
 * dn.c - how do nginx, Apache, Active Directory and old lists spell this name?
 *
 * The spelling is another's and may change with its version; so what is compared
 * by us is a name's normal form (RFC 5280 7.1), never one of these strings.
 */

#include <string.h>
#include <strings.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/objects.h>

#include "identity/dn.h"

/* ----------------------------------------------------------------- printing */

static bool
print_flags(const X509_NAME *name, unsigned long flags, struct text *out)
{
	BIO		*bio = BIO_new(BIO_s_mem());
	char		*data = NULL;
	long		 len;
	bool		 ok = false;

	if (bio == NULL)
		return false;
	if (X509_NAME_print_ex(bio, name, 0, flags) >= 0) {
		len = BIO_get_mem_data(bio, &data);
		if (len > 0)
			text_add_n(out, data, (size_t)len);
		ok = len >= 0;
	}
	BIO_free(bio);
	return ok && !out->failed;
}

static bool
print_oneline(const X509_NAME *name, struct text *out)
{
	char	*line = X509_NAME_oneline(name, NULL, 0);

	if (line != NULL)
		text_add(out, line);
	OPENSSL_free(line);
	return line != NULL && !out->failed;
}

/* What Active Directory calls it where OpenSSL says otherwise. */
static const char *
ad_name(const ASN1_OBJECT *oid, char *buf, size_t buf_size)
{
	switch (OBJ_obj2nid(oid)) {
	case NID_pkcs9_emailAddress:
		return "E";
	case NID_stateOrProvinceName:
		return "S";
	case NID_givenName:
		return "G";
	case NID_title:
		return "T";
	case NID_initials:
		return "I";
	case NID_serialNumber:
		return "SERIALNUMBER";
	case NID_streetAddress:
		return "STREET";
	case NID_userId:
		return "UID";
	case NID_commonName:
	case NID_countryName:
	case NID_localityName:
	case NID_organizationName:
	case NID_organizationalUnitName:
	case NID_domainComponent:
	case NID_surname:
		return OBJ_nid2sn(OBJ_obj2nid(oid));
	default:
		memcpy(buf, "OID.", 4);
		if (OBJ_obj2txt(buf + 4, (int)buf_size - 4, oid, 1) <= 0)
			return NULL;
		return buf;
	}
}

/* CertNameToStr: "..." where there is something special, " doubled. */
static void
ad_value(const char *data, size_t data_len, struct text *out)
{
	size_t	i;
	bool	quote = data_len == 0 || data[0] == ' ' ||
		    data[data_len - 1] == ' ';

	for (i = 0; i < data_len; i++)
		quote = quote || strchr(",+=\"\n<>#;", data[i]) != NULL;
	if (quote)
		text_add_n(out, "\"", 1);
	for (i = 0; i < data_len; i++) {
		if (data[i] == '"')
			text_add_n(out, "\"", 1);
		text_add_n(out, data + i, 1);
	}
	if (quote)
		text_add_n(out, "\"", 1);
}

/* From the root down, as altSecurityIdentities has it. */
static bool
print_ad(const X509_NAME *name, struct text *out)
{
	const X509_NAME_ENTRY	*entry;
	unsigned char		*utf8 = NULL;
	const char		*type;
	char			 buf[160];
	int			 i, len, set = -1, n = X509_NAME_entry_count(name);

	for (i = 0; i < n; i++) {
		entry = X509_NAME_get_entry(name, i);
		type = ad_name(X509_NAME_ENTRY_get_object(entry), buf,
		    sizeof(buf));
		len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));
		if (type == NULL || len < 0)
			return false;
		if (i > 0)
			text_add(out, X509_NAME_ENTRY_set(entry) == set ? "+" :
			    ",");
		set = X509_NAME_ENTRY_set(entry);
		text_printf(out, "%s=", type);
		ad_value((const char *)utf8, (size_t)len, out);
		OPENSSL_free(utf8);
		utf8 = NULL;
	}
	return !out->failed;
}

bool
dn_print(const X509_NAME *name, enum source_form form, struct text *out)
{
	unsigned char	sha256[32];
	unsigned	len;
	bool		ok = false;

	ERR_set_mark();
	switch (form) {
	case FORM_NGINX:	/* $ssl_client_s_dn: bytes over 7f as \C3 */
		ok = print_flags(name, XN_FLAG_RFC2253, out);
		break;
	case FORM_RFC4514:
	case FORM_APACHE:	/* SSL_CLIENT_S_DN */
		ok = print_flags(name, XN_FLAG_RFC2253 &
		    ~(unsigned long)ASN1_STRFLGS_ESC_MSB, out);
		break;
	case FORM_ONELINE:	/* $ssl_client_s_dn_legacy, grid-mapfiles */
		ok = print_oneline(name, out);
		break;
	case FORM_AD:
		ok = print_ad(name, out);
		break;
	case FORM_SHA256:
		ok = X509_NAME_digest(name, EVP_sha256(), sha256, &len) == 1 &&
		    len == sizeof(sha256);
		if (ok)
			text_add_hex(out, sha256, sizeof(sha256));
		break;
	case FORM_NORMAL:
		ok = cert_name_sha256(name, sha256);
		if (ok)
			text_add_hex(out, sha256, sizeof(sha256));
		break;
	default:
		break;
	}
	ERR_pop_to_mark();
	return ok && !out->failed;
}

/* ------------------------------------------------------------------ reading */

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* RFC 4514 2.4. Ends at an unescaped , or + */
static const char *
value_read(const char **at, const char *end, struct text *out)
{
	const char	*p = *at;
	size_t		 keep = 0;	/* length up to the last that is no blank */
	char		 c;

	for (; p < end && *p != ',' && *p != '+'; p++) {
		c = *p;
		if (c == '\\') {
			if (++p == end)
				return "something behind the last \\";
			c = *p;
			if (hex_digit(c) >= 0 && p + 1 < end &&
			    hex_digit(p[1]) >= 0) {
				c = (char)(hex_digit(c) << 4 | hex_digit(p[1]));
				p++;
			}
			text_add_n(out, &c, 1);
			keep = out->len;
			continue;
		}
		if (memchr("\";<>", c, 4) != NULL || (c == '#' && out->len == 0))
			return "special signs of RFC 4514 behind a \\";
		text_add_n(out, &c, 1);
		if (c != ' ')
			keep = out->len;
	}
	if (keep == 0)
		return "a value behind each =";
	out->len = keep;
	*at = p;
	return NULL;
}

/* RFC 4514 2.3: in whichever case; the short names of others too. */
static ASN1_OBJECT *
type_read(const char *type)
{
	static const struct { const char *name; int nid; } types[] = {
		{ "CN", NID_commonName }, { "C", NID_countryName },
		{ "L", NID_localityName }, { "ST", NID_stateOrProvinceName },
		{ "S", NID_stateOrProvinceName }, { "O", NID_organizationName },
		{ "OU", NID_organizationalUnitName },
		{ "DC", NID_domainComponent }, { "UID", NID_userId },
		{ "STREET", NID_streetAddress }, { "E", NID_pkcs9_emailAddress },
		{ "EMAIL", NID_pkcs9_emailAddress },
		{ "emailAddress", NID_pkcs9_emailAddress },
		{ "SN", NID_surname }, { "G", NID_givenName },
		{ "GN", NID_givenName }, { "serialNumber", NID_serialNumber },
		{ "organizationIdentifier", NID_organizationIdentifier }
	};
	size_t	i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcasecmp(types[i].name, type) == 0)
			return OBJ_nid2obj(types[i].nid);
	return OBJ_txt2obj(type, type[0] >= '0' && type[0] <= '9');
}

static const char *
entry_read(const char **at, const char *end, bool joined, X509_NAME *name)
{
	const char	*equals, *start, *why;
	struct text	 value = { 0 };
	ASN1_OBJECT	*oid;
	char		 type[128];
	size_t		 len;

	while (*at < end && **at == ' ')
		++*at;
	start = *at;
	equals = memchr(start, '=', (size_t)(end - start));
	if (equals == NULL)
		return "TYPE=VALUE, separated by commas, as in RFC 4514";
	for (len = (size_t)(equals - start); len > 0 && start[len - 1] == ' ';
	    len--)
		;
	if (len == 0 || len >= sizeof(type))
		return "the name of an attribute before each =";
	memcpy(type, start, len);
	type[len] = '\0';
	oid = type_read(type);
	if (oid == NULL)
		return "attributes that are known, or their OIDs";
	for (*at = equals + 1; *at < end && **at == ' '; ++*at)
		;
	why = value_read(at, end, &value);
	if (why == NULL && (value.failed ||
	    !text_utf8_valid(value.data, value.len) ||
	    /* the new RDN's members come one after the other: -1 joins */
	    X509_NAME_add_entry_by_OBJ(name, oid, V_ASN1_UTF8STRING,
	    (const unsigned char *)value.data, (int)value.len, -1,
	    joined ? -1 : 0) != 1))
		why = "values in UTF-8, not too long";
	text_free(&value);
	ASN1_OBJECT_free(oid);
	return why;
}

/* RFC 4514 2.1 begins with the last RDN; cert_name_sha256() reads in order. */
static X509_NAME *
turn(const X509_NAME *name)
{
	X509_NAME		*turned = X509_NAME_new();
	const X509_NAME_ENTRY	*entry;
	int			 i, first, last, n = X509_NAME_entry_count(name);
	bool			 joined;

	for (last = n - 1; turned != NULL && last >= 0; last = first - 1) {
		for (first = last; first > 0 && X509_NAME_ENTRY_set(
		    X509_NAME_get_entry(name, first - 1)) ==
		    X509_NAME_ENTRY_set(X509_NAME_get_entry(name, last)); first--)
			;
		for (i = first; i <= last; i++) {
			entry = X509_NAME_get_entry(name, i);
			joined = i > first;
			if (X509_NAME_add_entry(turned, entry, -1,
			    joined ? -1 : 0) != 1) {
				X509_NAME_free(turned);
				return NULL;
			}
		}
	}
	return turned;
}

const char *
dn_parse(const char *text, size_t text_len, unsigned char sha256_r[32])
{
	X509_NAME	*name = NULL, *turned = NULL;
	const char	*at = text, *end = text + text_len, *why = NULL;
	bool		 joined = false;

	ERR_set_mark();
	name = X509_NAME_new();
	while (name != NULL && why == NULL) {
		why = entry_read(&at, end, joined, name);
		if (why != NULL || at == end)
			break;
		joined = *at++ == '+';
	}
	if (name == NULL)
		why = "more memory";
	if (why == NULL && ((turned = turn(name)) == NULL ||
	    !cert_name_sha256(turned, sha256_r)))
		why = "more memory";
	X509_NAME_free(name);
	X509_NAME_free(turned);
	ERR_pop_to_mark();
	return why;
}

size_t
dn_value_fold(char *data, size_t data_len)
{
	size_t	i, n = 0;

	for (i = 0; i < data_len; i++)
		if (data[i] != ' ' || (n > 0 && data[n - 1] != ' '))
			data[n++] = data[i];
	if (n > 0 && data[n - 1] == ' ')
		n--;
	text_lower_ascii(data, n);
	return n;
}
