/*
 * outline.c - where are subject and key in these bytes of a certificate?
 *
 * Walks over the elements of TBSCertificate and looks at none but two.
 */

#include <string.h>

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "trust/cert.h"
#include "trust/digest.h"
#include "trust/outline.h"
#include "trust/strict.h"

/* One element; false: none, or not the tag wanted. */
static bool
take(const unsigned char **p, const unsigned char *end, int class, int tag,
    const unsigned char **content_r)
{
	const unsigned char	*q = *p;
	long			 len = 0;
	int			 got_tag = 0, got_class = 0, ret;

	if (end - q <= 0)
		return false;
	ret = ASN1_get_object(&q, &len, &got_tag, &got_class, end - q);
	if ((ret & 0x80) != 0 || (ret & 1) != 0 || got_tag != tag ||
	    got_class != class)
		return false;
	*content_r = q;
	*p = q + len;
	return true;
}

/* RFC 5280 4.1: [0] version, serial, algorithm, issuer, validity, subject, key. */
static bool
find_in_tbs(const unsigned char *p, const unsigned char *end,
    struct outline_parts *parts)
{
	const unsigned char	*ignored;

	(void)take(&p, end, V_ASN1_CONTEXT_SPECIFIC, 0, &ignored);
	if (!take(&p, end, V_ASN1_UNIVERSAL, V_ASN1_INTEGER, &ignored) ||
	    !take(&p, end, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &ignored) ||
	    !take(&p, end, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &ignored) ||
	    !take(&p, end, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &ignored))
		return false;
	parts->subject = p;
	if (!take(&p, end, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &ignored))
		return false;
	parts->subject_len = (size_t)(p - parts->subject);
	parts->key = p;
	if (!take(&p, end, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &ignored))
		return false;
	parts->key_len = (size_t)(p - parts->key);
	return true;
}

bool
outline_find(const unsigned char *data, size_t data_len,
    struct outline_parts *parts_r)
{
	const unsigned char	*p = data, *end = data + data_len;
	const unsigned char	*body, *tbs, *ignored;
	bool			 ok = false;

	memset(parts_r, 0, sizeof(*parts_r));
	ERR_set_mark();
	if (!take(&p, end, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &body) || p != end)
		goto out;
	p = parts_r->tbs = body;
	if (!take(&p, end, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &tbs))
		goto out;
	parts_r->tbs_len = (size_t)(p - body);
	ok = find_in_tbs(tbs, p, parts_r) &&
	    take(&p, end, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &ignored) &&
	    take(&p, end, V_ASN1_UNIVERSAL, V_ASN1_BIT_STRING, &ignored) &&
	    p == end;
out:
	if (!ok)
		memset(parts_r, 0, sizeof(*parts_r));
	ERR_pop_to_mark();
	return ok;
}

bool
outline_read(const unsigned char *data, size_t data_len,
    struct outline *outline_r)
{
	struct outline_parts	 parts;
	const unsigned char	*p;
	X509_NAME		*name;
	size_t			 used;
	bool			 ok;

	if (data_len > CERT_MAX_BYTES || !strict_der(data, data_len, &used) ||
	    !outline_find(data, data_len, &parts))
		return false;
	ERR_set_mark();
	p = parts.subject;
	name = d2i_X509_NAME(NULL, &p, (long)parts.subject_len);
	ok = name != NULL && cert_name_sha256(name, outline_r->subject_sha256);
	X509_NAME_free(name);
	outline_r->subject_at = (size_t)(parts.subject - data);
	outline_r->subject_len = parts.subject_len;
	digest_sha256(parts.key, parts.key_len, outline_r->spki_sha256);
	digest_sha256(data, data_len, outline_r->sha256);
	ERR_pop_to_mark();
	return ok;
}
