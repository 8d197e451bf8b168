/*
 * crl_idp.c - which certificates and which reasons is this list for?
 *
 * Reads issuingDistributionPoint (RFC 5280 5.2.5) into struct crl. Whether one
 * certificate is among them is crl_status.c's.
 */

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/sha.h>

#include "base/text.h"
#include "revocation/crl_idp.h"

static bool
refuse(struct certauth_error *error_r, const char *text)
{
	error_set(error_r, NULL, 0, "%s", text);
	return false;
}

bool
crl_hash_name(const unsigned char *der, size_t der_len, unsigned char out[32])
{
	const unsigned char	*p = der;
	X509_NAME		*name;
	bool			 ok;

	if (der_len > CRL_MAX_NAME_BYTES)
		return false;
	ERR_set_mark();
	name = d2i_X509_NAME(NULL, &p, (long)der_len);
	ok = name != NULL && p == der + der_len && cert_name_sha256(name, out);
	X509_NAME_free(name);
	ERR_pop_to_mark();
	return ok;
}

static bool
add_dp(struct crl *crl, const unsigned char hash[32])
{
	size_t	at, i;

	for (at = 0; at < crl->num_dps; at++) {
		int	c = memcmp(crl->dps[at], hash, 32);

		if (c == 0)
			return true;
		if (c > 0)
			break;
	}
	if (crl->num_dps == CRL_MAX_DPS)
		return false;
	for (i = crl->num_dps; i > at; i--)
		memcpy(crl->dps[i], crl->dps[i - 1], 32);
	memcpy(crl->dps[at], hash, 32);
	crl->num_dps++;
	return true;
}

static bool
read_full_name(struct crl *crl, struct der names)
{
	struct der		 value;
	const unsigned char	*start;
	unsigned char		 hash[32];
	unsigned		 tag;

	if (names.p == names.end)
		return false;
	while (names.p < names.end) {
		start = names.p;
		if (!der_take_any(&names, &tag, &value))
			return false;
		if (tag == CONTEXT_CONS(4)) {
			if (!crl_hash_name(value.p, der_length(&value), hash))
				return false;
		} else if (tag > CONTEXT_CONS(8) ||
		    SHA256(start, (size_t)(names.p - start), hash) == NULL)
			return false;
		if (!add_dp(crl, hash))
			return false;
	}
	return true;
}

static size_t
put_header(unsigned char *out, unsigned tag, size_t len)
{
	out[0] = (unsigned char)tag;
	if (len < 0x80) {
		out[1] = (unsigned char)len;
		return 2;
	}
	if (len < 0x100) {
		out[1] = 0x81;
		out[2] = (unsigned char)len;
		return 3;
	}
	out[1] = 0x82;
	out[2] = (unsigned char)(len >> 8);
	out[3] = (unsigned char)len;
	return 4;
}

/* nameRelativeToCRLIssuer: the issuer's name and one more RDN (RFC 5280
 * 4.2.1.13). */
static bool
read_relative_name(struct crl *crl, struct der rdn)
{
	struct der	 issuer = { crl->issuer, crl->issuer + crl->issuer_len };
	struct der	 rdns;
	unsigned char	*buf, head[4], hash[32];
	size_t		 head_len, len;
	bool		 ok;

	if (!der_take(&issuer, TAG_SEQUENCE, &rdns) ||
	    der_length(&rdns) + der_length(&rdn) + 16 > CRL_MAX_NAME_BYTES)
		return false;
	buf = malloc(CRL_MAX_NAME_BYTES);
	if (buf == NULL)
		return false;
	head_len = put_header(head, TAG_SET, der_length(&rdn));
	len = put_header(buf, TAG_SEQUENCE,
	    der_length(&rdns) + head_len + der_length(&rdn));
	memcpy(buf + len, rdns.p, der_length(&rdns));
	len += der_length(&rdns);
	memcpy(buf + len, head, head_len);
	len += head_len;
	memcpy(buf + len, rdn.p, der_length(&rdn));
	len += der_length(&rdn);
	ok = crl_hash_name(buf, len, hash) && add_dp(crl, hash);
	free(buf);
	return ok;
}

static bool
read_distribution_point(struct crl *crl, struct der value)
{
	struct der	name;
	unsigned	tag;

	if (!der_take_any(&value, &tag, &name) || value.p != value.end)
		return false;
	crl->has_dps = true;
	if (tag == CONTEXT_CONS(0))
		return read_full_name(crl, name);
	return tag == CONTEXT_CONS(1) && read_relative_name(crl, name);
}

/* RFC 5280 4.2.1.13: ReasonFlags. Bit 0 is not used; what comes behind bit 8 no
 * certificate can be revoked for. */
static bool
read_reasons(struct crl *crl, struct der bits)
{
	size_t		len = der_length(&bits), i;

	if (len < 1 || bits.p[0] > 7 || (len == 1 && bits.p[0] != 0))
		return false;
	for (i = 1; i <= 8 && 1 + i / 8 < len; i++)
		if ((bits.p[1 + i / 8] & (0x80u >> (i % 8))) != 0)
			crl->reasons |= (uint16_t)(1u << i);
	/* None would read as all. */
	return crl->reasons != 0;
}

bool
crl_read_idp(struct crl *crl, struct der value, struct certauth_error *error_r)
{
	static const char bad[] = "issuingDistributionPoint does not decode "
	    "(RFC 5280 5.2.5)";
	struct der	seq, field;
	unsigned	tag, number, next = 0;

	if (!der_take(&value, TAG_SEQUENCE, &seq) || value.p != value.end ||
	    seq.p == seq.end)
		return refuse(error_r, bad);
	while (seq.p < seq.end) {
		if (!der_take_any(&seq, &tag, &field))
			return refuse(error_r, bad);
		number = tag & 0x1fu;
		if (number < next || number > 5 ||
		    tag != (number == 0 ? CONTEXT_CONS(0) : CONTEXT(number)) ||
		    (number != 0 && number != 3 && !der_true(&field)))
			return refuse(error_r, bad);
		next = number + 1;
		switch (number) {
		case 0:
			if (!read_distribution_point(crl, field))
				return refuse(error_r, bad);
			break;
		case 1:
			crl->user_only = true;
			break;
		case 2:
			crl->ca_only = true;
			break;
		case 3:
			if (!read_reasons(crl, field))
				return refuse(error_r, "onlySomeReasons names no "
				    "reason (RFC 5280 5.2.5)");
			break;
		case 4:
			crl->indirect = true;
			break;
		case 5:
			return refuse(error_r, "the list is for attribute "
			    "certificates only (onlyContainsAttributeCerts)");
		}
	}
	if (crl->user_only && crl->ca_only)
		return refuse(error_r, "issuingDistributionPoint is for users "
		    "only and for CAs only at once (RFC 5280 5.2.5)");
	return true;
}
