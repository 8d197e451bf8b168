/*
 * plain.c - the values of extensions in the plain form that nearly all have.
 *
 * Refuses nothing: what it does not know is OpenSSL's to read or to refuse.
 * tests/unit/trust/test_plain.c and tests/fuzz/fuzz_cert.c hold both together.
 */

#include <stdlib.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "trust/walk.h"
#include "trust/digest.h"
#include "trust/plain.h"

static bool
same(const struct span *d, const char *bytes, size_t len)
{
	return walk_length(d) == len && memcmp(d->at, bytes, len) == 0;
}

/* RFC 5280 4.2.1.9 */
static bool
read_basic_constraints(struct cert *c, struct span d)
{
	struct span	list, v;
	bool		ca = false;
	long		path_len = -1;

	if (!walk_only(d, WALK_SEQUENCE, &list))
		return false;
	if (walk_next_is(&list, WALK_BOOLEAN)) {
		if (!walk_take(&list, WALK_BOOLEAN, &v) || walk_length(&v) != 1)
			return false;
		ca = *v.at != 0;
	}
	if (walk_next_is(&list, WALK_INTEGER)) {
		if (!walk_take(&list, WALK_INTEGER, &v) || walk_at_end(&v) ||
		    walk_length(&v) > 4 || (*v.at & 0x80) != 0)
			return false;
		for (path_len = 0; !walk_at_end(&v); v.at++)
			path_len = path_len << 8 | *v.at;
	}
	if (!walk_at_end(&list))
		return false;
	c->has_bc = true;
	c->is_ca = ca;
	c->path_len = path_len;
	return true;
}

/* RFC 5280 4.2.1.3; one without a bit is OpenSSL's to refuse. */
static bool
read_key_usage(struct cert *c, struct span d)
{
	struct span	v;
	uint32_t	bits;

	if (!walk_only(d, WALK_BITS, &v) || walk_length(&v) < 2 ||
	    walk_length(&v) > 3)
		return false;
	bits = v.at[1];
	if (walk_length(&v) == 3)
		bits |= (uint32_t)v.at[2] << 8;
	if (bits == 0)
		return false;
	c->has_key_usage = true;
	c->key_usage = bits;
	return true;
}

/* RFC 5280 4.2.1.12 */
static bool
read_ekus(struct cert *c, struct span d)
{
	const unsigned char	*element;
	struct span		 list, all, v;
	size_t			 n = 0;

	if (!walk_only(d, WALK_SEQUENCE, &list))
		return false;
	for (all = list; !walk_at_end(&all); n++)
		if (n == CERT_MAX_NAMES || !walk_take(&all, WALK_OID, &v))
			return false;
	if (n == 0 || (c->ekus = calloc(n, sizeof(*c->ekus))) == NULL)
		return false;
	while (!walk_at_end(&list)) {
		element = list.at;
		/* a known one is OpenSSL's own and costs nothing */
		c->ekus[c->num_ekus] = d2i_ASN1_OBJECT(NULL, &element,
		    list.end - list.at);
		if (c->ekus[c->num_ekus] == NULL ||
		    !walk_take(&list, WALK_OID, &v) || element != list.at)
			break;
		c->num_ekus++;
	}
	if (c->num_ekus == n) {
		c->has_eku = true;
		return true;
	}
	for (n = 0; n <= c->num_ekus; n++)
		ASN1_OBJECT_free(c->ekus[n]);
	free(c->ekus);
	c->ekus = NULL;
	c->num_ekus = 0;
	return false;
}

/* RFC 5280 4.2.1.2 */
static bool
read_ski(struct cert *c, struct span d)
{
	struct span	v;

	if (!walk_only(d, WALK_OCTETS, &v))
		return false;
	if (!walk_at_end(&v)) {
		c->ski = v.at;
		c->ski_len = walk_length(&v);
	}
	return true;
}

/* RFC 5280 4.2.1.1; issuer and serial are left to OpenSSL. */
static bool
read_aki(struct cert *c, struct span d)
{
	struct span	list, v;

	if (!walk_only(d, WALK_SEQUENCE, &list) ||
	    !walk_only(list, WALK_CONTEXT(0), &v))
		return false;
	if (!walk_at_end(&v)) {
		c->aki = v.at;
		c->aki_len = walk_length(&v);
	}
	return true;
}

/* RFC 5280 4.2.1.6: otherName with a UTF8String. */
static bool
read_other_name(struct span d, struct cert_san *san)
{
	struct span	oid, value, text;

	if (!walk_take(&d, WALK_OID, &oid) ||
	    !walk_only(d, WALK_NESTED(0), &value) ||
	    !walk_only(value, WALK_UTF8, &text))
		return false;
	if (same(&oid, "\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03", 10))
		san->kind = CERT_SAN_UPN;
	else if (same(&oid, "\x2b\x06\x01\x05\x05\x07\x08\x09", 8))
		san->kind = CERT_SAN_SMTP_UTF8;
	san->data = text.at;
	san->data_len = walk_length(&text);
	return true;
}

/* One GeneralName; advances. False: not one of the plain kinds. san->kind OTHER
 * is of no use to us. */
static bool
read_general_name(struct span *d, struct cert_san *san)
{
	struct span	v;
	unsigned	tag = walk_at_end(d) ? 0 : *d->at;

	san->kind = CERT_SAN_OTHER;
	if (!walk_take(d, tag, &v))
		return false;
	san->data = v.at;
	san->data_len = walk_length(&v);
	switch (tag) {
	case WALK_NESTED(0):
		return read_other_name(v, san);
	case WALK_CONTEXT(1):
		san->kind = CERT_SAN_EMAIL;
		return true;
	case WALK_CONTEXT(2):
		san->kind = CERT_SAN_DNS;
		return true;
	case WALK_CONTEXT(6):
		san->kind = CERT_SAN_URI;
		return true;
	case WALK_CONTEXT(7):	/* iPAddress */
		return true;
	default:
		return false;
	}
}

static bool
read_sans(struct cert *c, struct span d)
{
	struct cert_san	san;
	struct span	list, all;
	size_t		n = 0, num = 0;

	if (!walk_only(d, WALK_SEQUENCE, &list))
		return false;
	for (all = list; !walk_at_end(&all); n++) {
		if (n == CERT_MAX_NAMES || !read_general_name(&all, &san))
			return false;
		num += san.kind != CERT_SAN_OTHER;
	}
	if (n == 0 || (c->sans = calloc(num + 1, sizeof(*c->sans))) == NULL)
		return false;
	while (!walk_at_end(&list) && read_general_name(&list, &san))
		if (san.kind != CERT_SAN_OTHER)
			c->sans[c->num_sans++] = san;
	return true;
}

/* RFC 5280 4.2.1.13: points that have nothing but URIs. */
static bool
read_distribution_points(struct cert *c, struct span d)
{
	struct span		list, all, point, name, full, v;
	const unsigned char	*element;
	size_t			 n = 0, pass;

	if (!walk_only(d, WALK_SEQUENCE, &list) || walk_at_end(&list))
		return false;
	for (pass = 0; pass < 2; pass++) {
		for (all = list; !walk_at_end(&all);) {
			if (!walk_take(&all, WALK_SEQUENCE, &point) ||
			    !walk_only(point, WALK_NESTED(0), &name) ||
			    !walk_only(name, WALK_NESTED(0), &full) ||
			    walk_at_end(&full))
				return false;
			while (!walk_at_end(&full)) {
				element = full.at;
				if (!walk_take(&full, WALK_CONTEXT(6), &v))
					return false;
				if (pass == 0)
					n++;
				else
					digest_sha256(element,
					    (size_t)(full.at - element),
					    c->dps[c->num_dps++]);
			}
		}
		if (n > CERT_MAX_DISTRIBUTION_POINTS)
			return false;
		if (pass == 0 &&
		    (c->dps = calloc(n, sizeof(*c->dps))) == NULL)
			return false;
	}
	return true;
}

/* RFC 5280 4.2.2: access descriptions with URIs. */
static bool
read_access(struct span d)
{
	struct span	list, one, v;

	if (!walk_only(d, WALK_SEQUENCE, &list) || walk_at_end(&list))
		return false;
	while (!walk_at_end(&list))
		if (!walk_take(&list, WALK_SEQUENCE, &one) ||
		    !walk_take(&one, WALK_OID, &v) ||
		    !walk_only(one, WALK_CONTEXT(6), &v))
			return false;
	return true;
}

/* RFC 5280 4.2.1.4: no qualifiers but pointers to a CPS. */
static bool
plain_qualifiers(struct span d)
{
	struct span	list, one, v;

	if (walk_at_end(&d))
		return true;
	if (!walk_only(d, WALK_SEQUENCE, &list) || walk_at_end(&list))
		return false;
	while (!walk_at_end(&list))
		if (!walk_take(&list, WALK_SEQUENCE, &one) ||
		    !walk_take(&one, WALK_OID, &v) ||
		    !same(&v, "\x2b\x06\x01\x05\x05\x07\x02\x01", 8) ||
		    !walk_only(one, WALK_IA5, &v))
			return false;
	return true;
}

static bool
read_policies(struct cert *c, struct span d, bool any_qualifiers)
{
	struct span	list, all, one, v;
	size_t		n = 0;

	if (!walk_only(d, WALK_SEQUENCE, &list))
		return false;
	for (all = list; !walk_at_end(&all); n++)
		if (!walk_take(&all, WALK_SEQUENCE, &one) ||
		    !walk_take(&one, WALK_OID, &v) ||
		    !(any_qualifiers || plain_qualifiers(one)))
			return false;
	if (n == 0 || (c->policies = calloc(n, sizeof(*c->policies))) == NULL)
		return false;
	while (!walk_at_end(&list) && walk_take(&list, WALK_SEQUENCE, &one) &&
	    walk_take(&one, WALK_OID, &v))
		c->policies[c->num_policies++] = (struct cert_oid){ v.at,
		    walk_length(&v) };
	return true;
}

bool
plain_policies(struct cert *c, const unsigned char *data, size_t data_len)
{
	return read_policies(c, (struct span){ data, data + data_len }, true);
}

bool
plain_read(struct cert *c, int nid, const unsigned char *data, size_t data_len)
{
	struct span	d = { data, data + data_len };

	switch (nid) {
	case NID_basic_constraints:
		return read_basic_constraints(c, d);
	case NID_key_usage:
		return read_key_usage(c, d);
	case NID_ext_key_usage:
		return read_ekus(c, d);
	case NID_subject_key_identifier:
		return read_ski(c, d);
	case NID_authority_key_identifier:
		return read_aki(c, d);
	case NID_subject_alt_name:
		return read_sans(c, d);
	case NID_crl_distribution_points:
		return read_distribution_points(c, d);
	case NID_info_access:
	case NID_sinfo_access:
		return read_access(d);
	case NID_certificate_policies:
		return read_policies(c, d, false);
	default:
		return false;
	}
}
