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
#include "revocation/crl_idp.h"

static bool
refuse(struct certauth_error *error_r, const char *text)
{
	error_set(error_r, NULL, 0, "%s", text);
	return false;
}

/* -------------------------------------------------------------- extensions */

enum extension {
	EXT_OTHER, EXT_AKI, EXT_NUMBER, EXT_DELTA, EXT_IDP, EXT_REASON,
	EXT_CERT_ISSUER, EXT_FRESHEST, EXT_NUM
};

/* All that RFC 5280 5.2 and 5.3 make us know are 2.5.29.n. */
static enum extension
extension_kind(const struct der *oid)
{
	if (der_length(oid) != 3 || oid->p[0] != 0x55 || oid->p[1] != 0x1d)
		return EXT_OTHER;
	switch (oid->p[2]) {
	case 20: return EXT_NUMBER;
	case 21: return EXT_REASON;
	case 27: return EXT_DELTA;
	case 28: return EXT_IDP;
	case 29: return EXT_CERT_ISSUER;
	case 35: return EXT_AKI;
	case 46: return EXT_FRESHEST;
	}
	return EXT_OTHER;
}

/* One Extension: { OID, BOOLEAN critical DEFAULT FALSE, OCTET STRING }. */
static bool
take_extension(struct der *in, struct der *oid_r, bool *critical_r,
    struct der *value_r)
{
	struct der	ext, flag;

	if (!der_take(in, TAG_SEQUENCE, &ext) || !der_take(&ext, TAG_OID, oid_r) ||
	    der_length(oid_r) == 0)
		return false;
	*critical_r = false;
	if (der_next_is(&ext, TAG_BOOLEAN)) {
		if (!der_take(&ext, TAG_BOOLEAN, &flag) || !der_true(&flag))
			return false;
		*critical_r = true;
	}
	return der_take(&ext, TAG_OCTETS, value_r) && ext.p == ext.end;
}

/* RFC 5280 4.2: no extension twice. `seen` holds the OIDs of the n before. */
static bool
seen_before(const struct der *seen, size_t n, const struct der *oid)
{
	size_t	i;

	for (i = 0; i < n; i++)
		if (der_length(&seen[i]) == der_length(oid) &&
		    memcmp(seen[i].p, oid->p, der_length(oid)) == 0)
			return true;
	return false;
}

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

/* ------------------------------------------------------------------ entries */

static const char entry_bad[] =
    "an entry of the list does not decode (RFC 5280 5.1.2.6)";

static bool
read_reason(struct der value, unsigned *reason_r)
{
	struct der	number;

	if (!der_take(&value, TAG_ENUMERATED, &number) || value.p != value.end ||
	    der_length(&number) != 1)
		return false;
	*reason_r = number.p[0];
	/* RFC 5280 5.3.1: 7 is not used. */
	return *reason_r <= 10 && *reason_r != 7;
}

/*
 * Whose certificate: the one directoryName of GeneralNames. Names of other kinds
 * may stand beside it and tell us nothing (RFC 5280 5.3.3).
 */
static bool
read_cert_issuer(struct der value, struct crl_entry *entry)
{
	struct der	names, name;
	unsigned	tag;
	bool		found = false;

	if (!der_take(&value, TAG_SEQUENCE, &names) || value.p != value.end)
		return false;
	while (names.p < names.end) {
		if (!der_take_any(&names, &tag, &name))
			return false;
		if (tag != CONTEXT_CONS(4))
			continue;
		if (found || der_length(&name) > CRL_MAX_NAME_BYTES)
			return false;
		found = true;
		entry->issuer = name.p;
		entry->issuer_len = der_length(&name);
	}
	return found;
}

static bool
read_entry_extension(const struct crl *crl, enum extension kind, bool critical,
    struct der value, struct crl_entry *entry, struct certauth_error *error_r)
{
	if (kind == EXT_CERT_ISSUER) {
		if (!crl->indirect)
			return refuse(error_r, "an entry is of another issuer "
			    "(certificateIssuer) in a list that is not indirect "
			    "(RFC 5280 5.3.3)");
		if (!read_cert_issuer(value, entry))
			return refuse(error_r, "a certificateIssuer does not "
			    "decode or has not one directoryName "
			    "(RFC 5280 5.3.3)");
		return true;
	}
	if (kind != EXT_REASON) {
		if (critical)
			return refuse(error_r, "an entry has a critical "
			    "extension that is not understood (RFC 5280 5.3)");
		return true;
	}
	if (!read_reason(value, &entry->reason))
		return refuse(error_r, "a reasonCode does not decode "
		    "(RFC 5280 5.3.1)");
	if (entry->reason == CRL_REMOVE && !crl->delta)
		return refuse(error_r, "removeFromCRL in a list that is no "
		    "delta CRL (RFC 5280 5.3.1)");
	return true;
}

static bool
read_entry_extensions(const struct crl *crl, struct der list,
    struct crl_entry *entry, struct certauth_error *error_r)
{
	struct der	oid, value, seen[CRL_MAX_ENTRY_EXTENSIONS];
	size_t		n = 0;
	bool		critical;

	if (list.p == list.end)
		return refuse(error_r, entry_bad);
	while (list.p < list.end) {
		if (!take_extension(&list, &oid, &critical, &value) ||
		    n == CRL_MAX_ENTRY_EXTENSIONS || seen_before(seen, n, &oid))
			return refuse(error_r, entry_bad);
		seen[n++] = oid;
		if (!read_entry_extension(crl, extension_kind(&oid), critical,
		    value, entry, error_r))
			return false;
	}
	return true;
}

/* RFC 5280 5.1: SEQUENCE { serial, revocationDate, extensions OPTIONAL }. */
static bool
take_entry(const struct crl *crl, struct der *in, struct crl_entry *entry,
    struct certauth_error *error_r)
{
	struct der	seq, serial, extensions;

	if (!der_take(in, TAG_SEQUENCE, &seq) || !der_take(&seq, TAG_INTEGER, &serial))
		return refuse(error_r, entry_bad);
	if (!der_integer(&serial, entry->serial, sizeof(entry->serial),
	    &entry->serial_len, &entry->negative))
		return refuse(error_r, "a serial number is not minimal or longer "
		    "than 20 octets (RFC 5280 4.1.2.2)");
	if (!der_take_time(&seq, &entry->date))
		return refuse(error_r, "a revocationDate is not a time of "
		    "RFC 5280 5.1.2.6");
	entry->reason = CRL_NO_REASON;
	if (seq.p == seq.end)
		return true;
	if (!der_take(&seq, TAG_SEQUENCE, &extensions) || seq.p != seq.end)
		return refuse(error_r, entry_bad);
	if (!crl->v2)
		return refuse(error_r, "a version 1 list has entry extensions "
		    "(RFC 5280 5.1.2.1)");
	return read_entry_extensions(crl, extensions, entry, error_r);
}

bool
crl_entry_next(const struct crl *crl, size_t *offset, struct crl_entry *entry_r)
{
	struct der	in;

	if (*offset >= crl->entries_len)
		return false;
	in.p = crl->entries + *offset;
	in.end = crl->entries + crl->entries_len;
	if (!take_entry(crl, &in, entry_r, NULL))
		return false;
	*offset = (size_t)(in.p - crl->entries);
	return true;
}

static bool
read_entries(struct crl *crl, struct der list, struct certauth_error *error_r)
{
	struct crl_entry	entry = { 0 };

	/* RFC 5280 5.1.2.6 wants an empty list left out; several CAs write it
	 * all the same, and it says nothing else. */
	crl->entries = list.p;
	crl->entries_len = der_length(&list);
	while (list.p < list.end) {
		if (!take_entry(crl, &list, &entry, error_r))
			return false;
		crl->lengths[entry.negative][entry.serial_len]++;
		crl->num_entries++;
	}
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
			return refuse(error_r, entry_bad);
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
	return read_entries(crl, value, error_r);
}

bool
crl_parse(struct crl *crl, const unsigned char *data, size_t data_len,
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
