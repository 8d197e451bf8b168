/*
 * outline.c - where are subject and key in these bytes of a certificate?
 *
 * Walks over the elements of a certificate and makes a value of the subject
 * alone. Refuses nothing: what is not plain is OpenSSL's to read.
 */

#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "base/text.h"
#include "trust/cert.h"
#include "trust/walk.h"
#include "trust/digest.h"
#include "trust/outline.h"
#include "trust/strict.h"

/* The next element with its tag and length. */
static bool
take_whole(struct span *d, struct span *whole_r, struct span *value_r)
{
	whole_r->at = d->at;
	if (!walk_take(d, WALK_SEQUENCE, value_r))
		return false;
	whole_r->end = d->at;
	return true;
}

bool
outline_find(const unsigned char *data, size_t data_len,
    struct outline_parts *parts_r)
{
	struct span	d = { data, data + data_len }, body, tbs, v;
	bool		ok;

	memset(parts_r, 0, sizeof(*parts_r));
	/* RFC 5280 4.1 */
	ok = walk_only(d, WALK_SEQUENCE, &body) &&
	    take_whole(&body, &parts_r->tbs, &tbs) &&
	    walk_take(&body, WALK_SEQUENCE, &parts_r->outer) &&
	    walk_only(body, WALK_BITS, &v);
	if (ok)
		(void)walk_take(&tbs, WALK_NESTED(0), &parts_r->version);
	ok = ok && walk_take(&tbs, WALK_INTEGER, &v) &&
	    walk_take(&tbs, WALK_SEQUENCE, &parts_r->algorithm) &&
	    walk_take(&tbs, WALK_SEQUENCE, &parts_r->issuer) &&
	    walk_take(&tbs, WALK_SEQUENCE, &parts_r->validity) &&
	    take_whole(&tbs, &parts_r->subject, &v) &&
	    take_whole(&tbs, &parts_r->key, &v);
	if (ok)
		parts_r->rest = tbs;
	else
		memset(parts_r, 0, sizeof(*parts_r));
	return ok;
}

/* ------------------------------------------------------------ plain parts */

/* AlgorithmIdentifier with the parameters that algorithms have. */
static bool
plain_algorithm(struct span d)
{
	struct span	v;

	if (!walk_take(&d, WALK_OID, &v))
		return false;
	return walk_at_end(&d) || walk_only(d, WALK_NULL, &v) ||
	    walk_only(d, WALK_OID, &v) || walk_only(d, WALK_SEQUENCE, &v);
}

static bool
is_ascii(const struct span *d)
{
	const unsigned char	*p;

	for (p = d->at; p < d->end; p++)
		if ((*p & 0x80) != 0)
			return false;
	return true;
}

/* Name with the strings that RFC 5280 4.1.2.4 knows and CAs use. */
static bool
plain_name(struct span d)
{
	struct span	set, one, v;

	while (!walk_at_end(&d)) {
		if (!walk_take(&d, WALK_SET, &set) || walk_at_end(&set))
			return false;
		while (!walk_at_end(&set)) {
			if (!walk_take(&set, WALK_SEQUENCE, &one) ||
			    !walk_take(&one, WALK_OID, &v))
				return false;
			if (walk_only(one, WALK_PRINTABLE, &v) ||
			    walk_only(one, WALK_IA5, &v)) {
				if (!is_ascii(&v))
					return false;
			} else if (!walk_only(one, WALK_UTF8, &v) ||
			    !text_utf8_valid(v.at, walk_length(&v))) {
				return false;
			}
		}
	}
	return true;
}

static bool
plain_time(struct span *d)
{
	struct span	v;

	return walk_take(d, WALK_UTC_TIME, &v) || walk_take(d, WALK_TIME, &v);
}

static bool
plain_validity(struct span d)
{
	return plain_time(&d) && plain_time(&d) && walk_at_end(&d);
}

/* SubjectPublicKeyInfo; whether OpenSSL can use the key is asked later. */
static bool
plain_key(struct span d)
{
	struct span	key, algorithm, v;

	return walk_only(d, WALK_SEQUENCE, &key) &&
	    walk_take(&key, WALK_SEQUENCE, &algorithm) &&
	    plain_algorithm(algorithm) && walk_only(key, WALK_BITS, &v);
}

/* Behind the key: nothing, or extensions. Unique ids are not plain. */
static bool
plain_extensions(struct span d)
{
	struct span	outer, list, one, v;

	if (walk_at_end(&d))
		return true;
	if (!walk_only(d, WALK_NESTED(3), &outer) ||
	    !walk_only(outer, WALK_SEQUENCE, &list))
		return false;
	while (!walk_at_end(&list)) {
		if (!walk_take(&list, WALK_SEQUENCE, &one) ||
		    !walk_take(&one, WALK_OID, &v))
			return false;
		(void)walk_take(&one, WALK_BOOLEAN, &v);
		if (!walk_only(one, WALK_OCTETS, &v))
			return false;
	}
	return true;
}

/* OpenSSL's d2i_X509() takes what is plain. */
static bool
is_plain(const struct outline_parts *parts)
{
	struct span	v;

	return (parts->version.at == NULL ||
	    walk_only(parts->version, WALK_INTEGER, &v)) &&
	    plain_algorithm(parts->algorithm) && plain_name(parts->issuer) &&
	    plain_validity(parts->validity) && plain_key(parts->key) &&
	    plain_extensions(parts->rest) && plain_algorithm(parts->outer);
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
	    !outline_find(data, data_len, &parts) || !is_plain(&parts))
		return false;
	ERR_set_mark();
	p = parts.subject.at;
	name = d2i_X509_NAME(NULL, &p, (long)walk_length(&parts.subject));
	ok = name != NULL && p == parts.subject.end &&
	    cert_name_sha256(name, outline_r->subject_sha256);
	X509_NAME_free(name);
	outline_r->subject_at = (size_t)(parts.subject.at - data);
	outline_r->subject_len = walk_length(&parts.subject);
	digest_sha256(parts.key.at, walk_length(&parts.key),
	    outline_r->spki_sha256);
	digest_sha256(data, data_len, outline_r->sha256);
	ERR_pop_to_mark();
	return ok;
}
