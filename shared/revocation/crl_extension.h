/*
 * crl_extension.h - one Extension of a list or of an entry: between crl.c and
 * crl_entry.c only.
 */
#ifndef CERTAUTH_REVOCATION_CRL_EXTENSION_H
#define CERTAUTH_REVOCATION_CRL_EXTENSION_H

#include <string.h>

#include "revocation/crl.h"
#include "revocation/der.h"

enum extension {
	EXT_OTHER, EXT_AKI, EXT_NUMBER, EXT_DELTA, EXT_IDP, EXT_REASON,
	EXT_CERT_ISSUER, EXT_FRESHEST, EXT_NUM
};

/* All that RFC 5280 5.2 and 5.3 make us know are 2.5.29.n. */
static inline enum extension
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
static inline bool
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
static inline bool
seen_before(const struct der *seen, size_t n, const struct der *oid)
{
	size_t	i;

	for (i = 0; i < n; i++)
		if (der_length(&seen[i]) == der_length(oid) &&
		    memcmp(seen[i].p, oid->p, der_length(oid)) == 0)
			return true;
	return false;
}

/* Sets entries, reads each and counts. */
bool	crl_read_entries(struct crl *, struct certauth_error *error_r);

#endif
