/*
 * outline.c - where are subject and key in these bytes of a certificate?
 *
 * Walks over the elements of TBSCertificate and looks at none but two.
 */

#include <limits.h>

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

static bool
read_name(const unsigned char *der, size_t len, unsigned char sha256_r[32])
{
	X509_NAME	*name = d2i_X509_NAME(NULL, &der, (long)len);
	bool		 ok = name != NULL && cert_name_sha256(name, sha256_r);

	X509_NAME_free(name);
	return ok;
}

/* RFC 5280 4.1: [0] version, serial, algorithm, issuer, validity, subject, key. */
static bool
read_tbs(const unsigned char *p, const unsigned char *end,
    const unsigned char *data, struct outline *o)
{
	const unsigned char	*ignored, *subject, *key;

	(void)take(&p, end, V_ASN1_CONTEXT_SPECIFIC, 0, &ignored);
	if (!take(&p, end, V_ASN1_UNIVERSAL, V_ASN1_INTEGER, &ignored) ||
	    !take(&p, end, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &ignored) ||
	    !take(&p, end, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &ignored) ||
	    !take(&p, end, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &ignored))
		return false;
	subject = p;
	if (!take(&p, end, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &ignored))
		return false;
	key = p;
	if (!take(&p, end, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &ignored))
		return false;
	o->subject_at = (size_t)(subject - data);
	o->subject_len = (size_t)(key - subject);
	digest_sha256(key, (size_t)(p - key), o->spki_sha256);
	return read_name(subject, (size_t)(key - subject), o->subject_sha256);
}

bool
outline_read(const unsigned char *data, size_t data_len,
    struct outline *outline_r)
{
	const unsigned char	*p = data, *end = data + data_len;
	const unsigned char	*body, *tbs, *ignored;
	size_t			 used;
	bool			 ok = false;

	if (data_len > CERT_MAX_BYTES || !strict_der(data, data_len, &used) ||
	    used != data_len)
		return false;
	ERR_set_mark();
	if (!take(&p, end, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &body) || p != end)
		goto out;
	p = body;
	if (!take(&p, end, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &tbs))
		goto out;
	ok = read_tbs(tbs, p, data, outline_r) &&
	    take(&p, end, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, &ignored) &&
	    take(&p, end, V_ASN1_UNIVERSAL, V_ASN1_BIT_STRING, &ignored) &&
	    p == end;
	digest_sha256(data, data_len, outline_r->sha256);
out:
	ERR_pop_to_mark();
	return ok;
}
