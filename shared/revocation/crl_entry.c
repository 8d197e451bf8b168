/*
 * crl_entry.c - which certificate does this entry of a CRL revoke?
 *
 * Nearly every entry of nearly every list has one of two forms; they are read
 * without a loop, all others by the walker that knows everything. The two must
 * say the same (tests/unit/revocation/test_crl.c compares them).
 */

#include "base/text.h"
#include "revocation/crl_extension.h"

static bool
refuse(struct certauth_error *error_r, const char *text)
{
	error_set(error_r, NULL, 0, "%s", text);
	return false;
}

/* -------------------------------------------------------------- every entry */

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
	struct der		 seq, serial, extensions;
	const unsigned char	*start = in->p;

	if (!der_take(in, TAG_SEQUENCE, &seq) || !der_take(&seq, TAG_INTEGER, &serial))
		return refuse(error_r, entry_bad);
	if ((size_t)(in->p - start) > CRL_MAX_ENTRY_BYTES)
		return refuse(error_r, "an entry of the list is too long");
	if (!der_integer(&serial, entry->serial, sizeof(entry->serial),
	    &entry->serial_len, &entry->negative))
		return refuse(error_r, "a serial number is not minimal or longer "
		    "than 20 octets (RFC 5280 4.1.2.2)");
	entry->octets = entry->serial;
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

/* ------------------------------------------------------------- usual entries */

/* reasonCode alone, not critical; then the code. */
static const unsigned char usual_reason[13] = {
	0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a,
	0x01
};
#define USUAL_REASON	(sizeof(usual_reason) + 1)
/* UTCTime with its head. */
#define USUAL_TIME	15u

static inline uint64_t
load64(const unsigned char *p)
{
	uint64_t	x;

	memcpy(&x, p, sizeof(x));
	return x;
}

/* 8 to 20 bytes, which may overlap each other. */
static inline void
copy_serial(unsigned char *to, const unsigned char *from, size_t n)
{
	uint64_t	a = load64(from), b = load64(from + n - 8), c;

	c = n > 16 ? load64(from + 8) : b;
	memcpy(to, &a, 8);
	if (n > 16)
		memcpy(to + 8, &c, 8);
	memcpy(to + n - 8, &b, 8);
}

/*
 * A positive serial of 8 to 20 octets, a UTCTime, no extension or reasonCode
 * alone. False, with nothing changed that counts: not of that form.
 */
static inline bool
usual_entry(struct der *in, struct crl_entry *entry)
{
	const unsigned char	*p = in->p, *time;
	size_t			 left = der_length(in), len, n, more;

	/* Short lengths: of the whole, and of the serial with its zero octet. */
	if (left < 2 || p[0] != TAG_SEQUENCE || p[1] >= 0x80 ||
	    (len = p[1]) > left - 2 || len < 2 + 8 + USUAL_TIME ||
	    p[2] != TAG_INTEGER || (n = p[3]) > CERT_MAX_SERIAL + 1 || n < 8 ||
	    len < 2 + n + USUAL_TIME)
		return false;
	more = len - (2 + n + USUAL_TIME);
	time = p + 4 + n;
	if (time[0] != TAG_UTC || time[1] != 13)
		return false;
	p += 4;
	if (p[0] == 0) {
		/* the zero octet must be needed */
		if (p[1] < 0x80)
			return false;
		p++;
		n--;
	} else if (p[0] >= 0x80)
		return false;
	if (n < 8 || n > CERT_MAX_SERIAL)
		return false;
	entry->reason = CRL_NO_REASON;
	if (more != 0) {
		const unsigned char *ext = time + USUAL_TIME;

		if (more != USUAL_REASON || memcmp(ext, usual_reason,
		    sizeof(usual_reason)) != 0)
			return false;
		entry->reason = ext[sizeof(usual_reason)];
		/* 7 is none, 8 has a rule of its own */
		if (entry->reason > 6)
			return false;
	}
	if (!der_utc(time + 2, &entry->date))
		return false;
	copy_serial(entry->serial, p, n);
	entry->octets = p;
	entry->serial_len = n;
	entry->negative = false;
	in->p += 2 + len;
	return true;
}

bool
crl_entry_take(const struct crl *crl, const unsigned char **p,
    const unsigned char *end, struct crl_entry *entry,
    struct certauth_error *error_r)
{
	struct der	in = { *p, end };

	/* The issuer is carried forward, entry by entry: the slow way. */
	if ((!crl->v2 || crl->indirect || !usual_entry(&in, entry)) &&
	    !take_entry(crl, &in, entry, error_r))
		return false;
	*p = in.p;
	return true;
}

bool
crl_entry_next(const struct crl *crl, size_t *offset, struct crl_entry *entry_r)
{
	const unsigned char	*p = crl->entries + *offset;

	if (*offset >= crl->entries_len || !crl_entry_take(crl, &p,
	    crl->entries + crl->entries_len, entry_r, NULL))
		return false;
	*offset = (size_t)(p - crl->entries);
	return true;
}

bool
crl_read_entries(struct crl *crl, struct certauth_error *error_r)
{
	struct crl_entry	 entry = { 0 };
	const unsigned char	*p = crl->entries, *end = p + crl->entries_len;

	while (p < end) {
		if (!crl_entry_take(crl, &p, end, &entry, error_r))
			return false;
		crl->lengths[entry.negative][entry.serial_len]++;
		crl->num_entries++;
	}
	return true;
}
