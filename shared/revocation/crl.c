/*
 * crl.c - what does this CRL say?
 *
 * A DER walker (X.690) for CertificateList (RFC 5280 5.1): definite minimal
 * lengths, minimal integers, nothing behind the end. Works on borrowed bytes and
 * takes no memory, so a list of a million entries costs what its bytes cost.
 * Does not check who signed (crl_sign.c), which certificates the list is for
 * (crl_idp.c, crl_status.c), and does not know what time it is.
 */

#include <string.h>

#include "base/text.h"
#include "revocation/crl_extension.h"
#include "revocation/crl_idp.h"

static bool
refuse(struct certauth_error *error_r, const char *text)
{
	error_set(error_r, NULL, 0, "%s", text);
	return false;
}

/* ----------------------------------------------------------- CRL extensions */

static bool
read_aki(struct crl *crl, struct der value)
{
	struct der	seq, id, rest;

	if (!der_take(&value, TAG_SEQUENCE, &seq) || value.p != value.end)
		return false;
	if (der_next_is(&seq, CONTEXT(0))) {
		if (!der_take(&seq, CONTEXT(0), &id))
			return false;
		crl->aki = id.p;
		crl->aki_len = der_length(&id);
	}
	/* Issuer and serial of the key's certificate are of no use to us. */
	if (der_next_is(&seq, CONTEXT_CONS(1)) &&
	    !der_take(&seq, CONTEXT_CONS(1), &rest))
		return false;
	if (der_next_is(&seq, CONTEXT(2)) && !der_take(&seq, CONTEXT(2), &rest))
		return false;
	return seq.p == seq.end;
}

static bool
read_number(struct der value, unsigned char out[CRL_MAX_NUMBER], size_t *len_r)
{
	struct der	number;
	bool		negative;

	return der_take(&value, TAG_INTEGER, &number) && value.p == value.end &&
	    der_integer(&number, out, CRL_MAX_NUMBER, len_r, &negative) &&
	    !negative;
}

/* Only a place to fetch from: the refresher reads it. Here: is it a list of
 * distribution points at all (RFC 5280 5.2.6)? */
static bool
read_freshest(struct crl *crl, struct der value)
{
	struct der	list, point;

	crl->freshest = value.p;
	crl->freshest_len = der_length(&value);
	if (!der_take(&value, TAG_SEQUENCE, &list) || value.p != value.end ||
	    list.p == list.end)
		return false;
	while (list.p < list.end)
		if (!der_take(&list, TAG_SEQUENCE, &point))
			return false;
	return true;
}

/* --------------------------------------------------------- CRL extensions */

static bool
read_extension(struct crl *crl, enum extension kind, bool critical,
    struct der value, struct certauth_error *error_r)
{
	switch (kind) {
	case EXT_AKI:
		if (!read_aki(crl, value))
			return refuse(error_r, "authorityKeyIdentifier does not "
			    "decode (RFC 5280 5.2.1)");
		return true;
	case EXT_NUMBER:
		if (critical)
			return refuse(error_r, "cRLNumber is critical, which it "
			    "must not be (RFC 5280 5.2.3)");
		if (!read_number(value, crl->number, &crl->number_len))
			return refuse(error_r, "cRLNumber is not a number of at "
			    "most 20 octets (RFC 5280 5.2.3)");
		return true;
	case EXT_DELTA:
		crl->delta = true;
		if (!read_number(value, crl->base, &crl->base_len))
			return refuse(error_r, "the BaseCRLNumber of "
			    "deltaCRLIndicator is not a number of at most 20 "
			    "octets (RFC 5280 5.2.4)");
		return true;
	case EXT_IDP:
		return crl_read_idp(crl, value, error_r);
	case EXT_FRESHEST:
		if (critical)
			return refuse(error_r, "freshestCRL is critical, which "
			    "it must not be (RFC 5280 5.2.6)");
		if (!read_freshest(crl, value))
			return refuse(error_r, "freshestCRL does not decode "
			    "(RFC 5280 5.2.6)");
		return true;
	case EXT_REASON:
	case EXT_CERT_ISSUER:
	case EXT_OTHER:
	case EXT_NUM:
		break;
	}
	if (critical)
		return refuse(error_r, "the list has a critical extension that "
		    "is not understood (RFC 5280 5.2)");
	return true;
}

static bool
read_extensions(struct crl *crl, struct der in, struct certauth_error *error_r)
{
	struct der	list, oid, value, seen[CRL_MAX_EXTENSIONS];
	size_t		n = 0;
	bool		critical;

	if (!der_take(&in, TAG_SEQUENCE, &list) || in.p != in.end ||
	    list.p == list.end)
		return refuse(error_r, "crlExtensions does not decode "
		    "(RFC 5280 5.1.2.7)");
	while (list.p < list.end) {
		if (!take_extension(&list, &oid, &critical, &value))
			return refuse(error_r, "an extension of the list does "
			    "not decode (RFC 5280 4.1)");
		if (n == CRL_MAX_EXTENSIONS || seen_before(seen, n, &oid))
			return refuse(error_r, "the list has an extension twice "
			    "or too many of them (RFC 5280 4.2)");
		seen[n++] = oid;
		if (!read_extension(crl, extension_kind(&oid), critical, value,
		    error_r))
			return false;
	}
	/* RFC 5280 5.2.3, 5.2.4: without its own number a delta can follow
	 * nothing. */
	if (crl->delta && crl->number_len == 0)
		return refuse(error_r, "the list is a delta CRL without "
		    "cRLNumber (RFC 5280 5.2.3)");
	if (crl->delta && crl_compare_number(crl->number, crl->number_len,
	    crl->base, crl->base_len) < 0)
		return refuse(error_r, "the list is a delta CRL of a base that "
		    "is newer than itself (RFC 5280 5.2.4)");
	return true;
}

/* --------------------------------------------------------------------- list */

/* issuer, thisUpdate, nextUpdate. */
static bool
read_head(struct crl *crl, struct der *tbs, struct certauth_error *error_r)
{
	struct der		 value;
	const unsigned char	*start = tbs->p;

	if (!der_take(tbs, TAG_SEQUENCE, &value))
		return refuse(error_r, "the issuer name does not decode "
		    "(RFC 5280 5.1.2.3)");
	crl->issuer = start;
	crl->issuer_len = (size_t)(tbs->p - start);
	if (value.p == value.end ||
	    !crl_hash_name(crl->issuer, crl->issuer_len, crl->issuer_sha256))
		return refuse(error_r, "the issuer name is empty or does not "
		    "decode (RFC 5280 5.1.2.3)");
	if (!der_take_time(tbs, &crl->this_update))
		return refuse(error_r, "thisUpdate is not a time of "
		    "RFC 5280 5.1.2.4");
	crl->next_update = CRL_NO_TIME;
	if (der_next_is(tbs, TAG_UTC) || der_next_is(tbs, TAG_GENERALIZED)) {
		if (!der_take_time(tbs, &crl->next_update))
			return refuse(error_r, "nextUpdate is not a time of "
			    "RFC 5280 5.1.2.5");
		if (crl->next_update < crl->this_update)
			return refuse(error_r, "nextUpdate is before thisUpdate");
	}
	return true;
}

static bool
read_tbs(struct crl *crl, struct der tbs, const struct der *outer,
    struct certauth_error *error_r)
{
	struct der		 value, algorithm;
	const unsigned char	*start;

	if (der_next_is(&tbs, TAG_INTEGER)) {
		if (!der_take(&tbs, TAG_INTEGER, &value) || der_length(&value) != 1 ||
		    value.p[0] != 1)
			return refuse(error_r, "the version is not 2 "
			    "(RFC 5280 5.1.2.1)");
		crl->v2 = true;
	}
	start = tbs.p;
	if (!der_take(&tbs, TAG_SEQUENCE, &algorithm))
		return refuse(error_r, "the signature algorithm does not decode");
	/* RFC 5280 5.1.1.2: both must be the same. */
	if ((size_t)(tbs.p - start) != der_length(outer) ||
	    memcmp(start, outer->p, der_length(outer)) != 0)
		return refuse(error_r, "the signature algorithm inside differs "
		    "from the one outside (RFC 5280 5.1.1.2)");
	if (!read_head(crl, &tbs, error_r))
		return false;
	/* The extensions come last but decide how the entries are read. */
	if (der_next_is(&tbs, TAG_SEQUENCE)) {
		if (!der_take(&tbs, TAG_SEQUENCE, &value))
			return refuse(error_r, "the entries do not decode "
			    "(RFC 5280 5.1.2.6)");
	} else
		value.p = value.end = tbs.p;
	if (tbs.p < tbs.end) {
		struct der	extensions;

		if (!der_take(&tbs, CONTEXT_CONS(0), &extensions) ||
		    tbs.p != tbs.end)
			return refuse(error_r, "the list has bytes that are no "
			    "field of RFC 5280 5.1");
		if (!crl->v2)
			return refuse(error_r, "a version 1 list has extensions "
			    "(RFC 5280 5.1.2.1)");
		if (!read_extensions(crl, extensions, error_r))
			return false;
	}
	/* RFC 5280 5.1.2.6 wants an empty list left out; several CAs write it
	 * all the same, and it says nothing else. */
	crl->entries = value.p;
	crl->entries_len = der_length(&value);
	return true;
}

bool
crl_parse_frame(struct crl *crl, const unsigned char *data, size_t data_len,
    struct certauth_error *error_r)
{
	struct der		 in = { data, data + data_len };
	struct der		 list, tbs, value, outer;
	const unsigned char	*start;

	memset(crl, 0, sizeof(*crl));
	crl->next_update = CRL_NO_TIME;
	if (data == NULL || !der_take(&in, TAG_SEQUENCE, &list))
		return refuse(error_r, "is not DER, or the file is cut short");
	if (in.p != in.end)
		return refuse(error_r, "has bytes behind the end of the list");
	crl->der = data;
	crl->der_len = data_len;
	start = list.p;
	if (!der_take(&list, TAG_SEQUENCE, &tbs))
		return refuse(error_r, "is not a CRL (RFC 5280 5.1)");
	crl->tbs = start;
	crl->tbs_len = (size_t)(list.p - start);
	outer.p = list.p;
	if (!der_take(&list, TAG_SEQUENCE, &value))
		return refuse(error_r, "is not a CRL (RFC 5280 5.1)");
	outer.end = list.p;
	crl->algorithm = outer.p;
	crl->algorithm_len = der_length(&outer);
	/* A signature is whole octets: no unused bits. */
	if (!der_take(&list, TAG_BIT_STRING, &value) || der_length(&value) < 2 ||
	    value.p[0] != 0)
		return refuse(error_r, "the signature does not decode "
		    "(RFC 5280 5.1.1.3)");
	crl->signature = value.p + 1;
	crl->signature_len = der_length(&value) - 1;
	if (list.p != list.end)
		return refuse(error_r, "has bytes behind the signature");
	return read_tbs(crl, tbs, &outer, error_r);
}

bool
crl_parse(struct crl *crl, const unsigned char *data, size_t data_len,
    struct certauth_error *error_r)
{
	return crl_parse_frame(crl, data, data_len, error_r) &&
	    crl_read_entries(crl, error_r);
}
