/*
 * name.c - when are two names equal? (RFC 5280 7.1)
 *
 * By a hash over a canonical form, so that equality is transitive and costs one
 * comparison. Prints nothing (verdict/name.c does) and parses nothing.
 */

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "base/text.h"
#include "trust/cert.h"
#include "trust/digest.h"

#define LENGTH_BYTES	4

static void
put_length(char bytes[LENGTH_BYTES], size_t len)
{
	size_t	i;

	for (i = LENGTH_BYTES; i-- > 0; len >>= 8)
		bytes[i] = (char)(len & 0xff);
}

static void
add_length(struct text *out, size_t len)
{
	char	bytes[LENGTH_BYTES];

	put_length(bytes, len);
	text_add_n(out, bytes, sizeof(bytes));
}

/* One byte a character and all of them ASCII: UTF-8 as it stands. */
static bool
is_ascii(int type, const unsigned char *data, size_t len)
{
	size_t	i;

	if (type == V_ASN1_BMPSTRING || type == V_ASN1_UNIVERSALSTRING)
		return false;
	for (i = 0; i < len; i++)
		if ((data[i] & 0x80) != 0)
			return false;
	return true;
}

/* ASCII lower case; white space folded, none at the ends. */
static void
add_folded(struct text *out, const unsigned char *data, size_t len)
{
	char	folded[256];
	size_t	i, n = 0;
	bool	space = false, begun = false;

	for (i = 0; i < len; i++) {
		unsigned char	c = data[i];

		if (c == ' ' || (c >= '\t' && c <= '\r')) {
			space = true;
			continue;
		}
		if (n + 2 > sizeof(folded)) {
			text_add_n(out, folded, n);
			n = 0;
		}
		if (space && begun)
			folded[n++] = ' ';
		space = false;
		begun = true;
		folded[n++] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
	}
	text_add_n(out, folded, n);
}

/* One attribute in canonical form, appended to `out`. */
static bool
canonical_entry(struct text *out, const X509_NAME_ENTRY *entry)
{
	const ASN1_OBJECT	*oid = X509_NAME_ENTRY_get_object(entry);
	const ASN1_STRING	*value = X509_NAME_ENTRY_get_data(entry);
	unsigned char		*utf8 = NULL;
	const unsigned char	*data;
	size_t			 len, start;
	int			 n, type = ASN1_STRING_type(value);
	bool			 string;

	string = type == V_ASN1_UTF8STRING || type == V_ASN1_BMPSTRING ||
	    type == V_ASN1_UNIVERSALSTRING || type == V_ASN1_PRINTABLESTRING ||
	    type == V_ASN1_T61STRING || type == V_ASN1_IA5STRING ||
	    type == V_ASN1_VISIBLESTRING;
	add_length(out, OBJ_length(oid));
	text_add_n(out, (const char *)OBJ_get0_data(oid), OBJ_length(oid));
	data = ASN1_STRING_get0_data(value);
	len = (size_t)ASN1_STRING_length(value);
	if (string && !is_ascii(type, data, len)) {
		n = cert_string_utf8(value, &utf8);
		if (n == CERT_NO_MEMORY) {
			out->failed = true;
			return false;
		}
		string = n >= 0;
		if (string) {
			data = utf8;
			len = (size_t)n;
		}
	}
	if (!string) {
		/* Another type, or bytes that are no such string: as they are. */
		text_add(out, "r");
		add_length(out, (size_t)type);
		add_length(out, len);
		text_add_n(out, (const char *)data, len);
		return !out->failed;
	}
	text_add_n(out, "s", 1);
	start = out->len;
	add_length(out, 0);
	add_folded(out, data, len);
	/* The length in front keeps the whole uniquely readable. */
	if (!out->failed)
		put_length(out->data + start, out->len - start - LENGTH_BYTES);
	OPENSSL_free(utf8);
	return !out->failed;
}

static int
compare_text(const void *a, const void *b)
{
	const struct text	*x = a, *y = b;
	size_t			 n = x->len < y->len ? x->len : y->len;
	int			 c = n == 0 ? 0 : memcmp(x->data, y->data, n);

	if (c != 0)
		return c;
	return x->len < y->len ? -1 : x->len > y->len;
}

/* All attributes in canonical form; NULL: out of memory. */
static struct text *
canonical_entries(const X509_NAME *name, int n)
{
	struct text	*avas = calloc((size_t)n + 1, sizeof(*avas));
	int		 i;

	for (i = 0; avas != NULL && i < n; i++)
		(void)canonical_entry(&avas[i], X509_NAME_get_entry(name, i));
	return avas;
}

/* The RDN that begins at `first`, its attributes in any order, appended to
 * `out`. Returns where the next one begins. */
static int
canonical_rdn(struct text *out, const X509_NAME *name, struct text *avas,
    int first, int n)
{
	int	set = X509_NAME_ENTRY_set(X509_NAME_get_entry(name, first));
	int	i, end;

	for (end = first; end < n &&
	    X509_NAME_ENTRY_set(X509_NAME_get_entry(name, end)) == set; end++)
		;
	qsort(&avas[first], (size_t)(end - first), sizeof(*avas), compare_text);
	text_add(out, "(");
	for (i = first; i < end; i++) {
		text_add_n(out, avas[i].data, avas[i].len);
		out->failed |= avas[i].failed;
	}
	text_add(out, ")");
	return end;
}

static void
free_entries(struct text *avas, int n)
{
	int	i;

	for (i = 0; avas != NULL && i < n; i++)
		text_free(&avas[i]);
	free(avas);
}

/* One attribute in each RDN, as nearly always: nothing to sort. */
static bool
all_single(const X509_NAME *name, int n)
{
	int	i;

	for (i = 1; i < n; i++)
		if (X509_NAME_ENTRY_set(X509_NAME_get_entry(name, i)) ==
		    X509_NAME_ENTRY_set(X509_NAME_get_entry(name, i - 1)))
			return false;
	return true;
}

bool
cert_name_sha256(const X509_NAME *name, unsigned char sha256_r[32])
{
	struct text	*avas, whole = { 0 };
	int		 first, n = X509_NAME_entry_count(name);
	bool		 ok = false;

	memset(sha256_r, 0, 32);
	if (n > CERT_MAX_NAME_ENTRIES) {
		/* Too long to be canonicalised: its DER stands for it. */
		unsigned int len;

		return X509_NAME_digest(name, EVP_sha256(), sha256_r, &len) == 1;
	}
	if (all_single(name, n)) {
		for (first = 0; first < n; first++) {
			text_add_n(&whole, "(", 1);
			(void)canonical_entry(&whole,
			    X509_NAME_get_entry(name, first));
			text_add_n(&whole, ")", 1);
		}
	} else {
		avas = canonical_entries(name, n);
		whole.failed = avas == NULL;
		for (first = 0; avas != NULL && first < n;)
			first = canonical_rdn(&whole, name, avas, first, n);
		free_entries(avas, n);
	}
	if (!whole.failed) {
		digest_sha256(whole.data != NULL ? whole.data : "", whole.len,
		    sha256_r);
		ok = true;
	}
	text_free(&whole);
	return ok;
}

bool
cert_name_rdns(const X509_NAME *name, unsigned char (**rdns_r)[32],
    size_t *num_rdns_r)
{
	unsigned char	(*rdns)[32] = NULL;
	struct text	*avas, rdn;
	int		 first, n = X509_NAME_entry_count(name);
	size_t		 num = 0;
	bool		 ok;

	*rdns_r = NULL;
	*num_rdns_r = 0;
	if (n > CERT_MAX_NAME_ENTRIES)
		return false;
	avas = canonical_entries(name, n);
	rdns = calloc((size_t)n + 1, sizeof(*rdns));
	ok = avas != NULL && rdns != NULL;
	for (first = 0; ok && first < n;) {
		rdn = (struct text){ 0 };
		first = canonical_rdn(&rdn, name, avas, first, n);
		ok = !rdn.failed;
		if (ok)
			digest_sha256(rdn.data, rdn.len, rdns[num++]);
		text_free(&rdn);
	}
	free_entries(avas, n);
	if (!ok) {
		free(rdns);
		return false;
	}
	*rdns_r = rdns;
	*num_rdns_r = num;
	return true;
}

bool
cert_general_name_sha256(const GENERAL_NAME *name, unsigned char sha256_r[32])
{
	unsigned char	*der = NULL;
	int		 len;

	if (name->type == GEN_DIRNAME)
		return cert_name_sha256(name->d.directoryName, sha256_r);
	len = i2d_GENERAL_NAME(name, &der);
	if (len <= 0)
		return false;
	digest_sha256(der, (size_t)len, sha256_r);
	OPENSSL_free(der);
	return true;
}
