/*
 * extension.c - what do the extensions of a certificate say, and are they what
 * they have to be?
 *
 * Each known one is decoded once, so that what nobody asks for is looked at too:
 * by plain.c where it can, else by OpenSSL.
 */

#include <limits.h>
#include <stdlib.h>

#include <openssl/x509v3.h>

#include "trust/extension.h"
#include "trust/plain.h"
#include "trust/points.h"
#include "trust/strict.h"

/* RFC 5280 defines 17; a certificate with more than this is an attack. */
#define CERT_MAX_EXTENSIONS	128

/* The extensions of RFC 5280 4.2; others are decoded by nobody here. */
static bool
known_extension(int nid)
{
	static const int	known[] = {
		NID_authority_key_identifier, NID_subject_key_identifier,
		NID_key_usage, NID_certificate_policies, NID_policy_mappings,
		NID_subject_alt_name, NID_issuer_alt_name,
		NID_basic_constraints, NID_name_constraints,
		NID_policy_constraints, NID_ext_key_usage,
		NID_crl_distribution_points, NID_inhibit_any_policy,
		NID_freshest_crl, NID_info_access, NID_sinfo_access
	};
	size_t			i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (nid == known[i])
			return true;
	return false;
}

static bool
is_processed(int nid)
{
	static const int	processed[] = {
		NID_basic_constraints, NID_key_usage, NID_ext_key_usage,
		NID_subject_alt_name, NID_name_constraints,
		NID_certificate_policies, NID_policy_mappings,
		NID_policy_constraints, NID_inhibit_any_policy,
		NID_crl_distribution_points
	};
	size_t			i;

	for (i = 0; i < sizeof(processed) / sizeof(processed[0]); i++)
		if (nid == processed[i])
			return true;
	return false;
}

bool
extension_processed(X509_EXTENSION *ext)
{
	return is_processed(OBJ_obj2nid(X509_EXTENSION_get_object(ext)));
}

/*
 * The rules of RFC 5280 4.2.1.4 and 4.2.1.10 about a decoded value that
 * OpenSSL's decoder does not know.
 */
static void
read_decoded(struct cert *cert, int nid, const void *decoded, bool critical)
{
	const NAME_CONSTRAINTS		*nc = decoded;
	const CERTIFICATEPOLICIES	*policies = decoded;
	const STACK_OF(POLICYQUALINFO)	*list;
	int				 i, j, q;

	if (nid == NID_name_constraints &&
	    (sk_GENERAL_SUBTREE_num(nc->permittedSubtrees) == 0 ||
	    sk_GENERAL_SUBTREE_num(nc->excludedSubtrees) == 0))
		cert->faults |= CERT_FAULT_EXTENSION;	/* SIZE (1..MAX) */
	/* SkipCerts (0..MAX), 4.2.1.14 */
	if (nid == NID_inhibit_any_policy &&
	    ASN1_STRING_type(decoded) == V_ASN1_NEG_INTEGER)
		cert->faults |= CERT_FAULT_EXTENSION;
	if (nid != NID_certificate_policies)
		return;
	for (i = 0; i < sk_POLICYINFO_num(policies); i++) {
		list = sk_POLICYINFO_value(policies, i)->qualifiers;
		if (sk_POLICYQUALINFO_num(list) == 0)	/* SIZE (1..MAX) */
			cert->faults |= CERT_FAULT_EXTENSION;
		for (j = 0; j < sk_POLICYQUALINFO_num(list); j++) {
			q = OBJ_obj2nid(sk_POLICYQUALINFO_value(list, j)->pqualid);
			if (critical && q != NID_id_qt_cps &&
			    q != NID_id_qt_unotice)
				cert->faults |= CERT_FAULT_QUALIFIER;
		}
	}
}

/* ------------------------------------------- what OpenSSL decoded, kept */

/* The values are raw bytes and may hold anything. */
static bool
keep_san(struct cert *cert, const GENERAL_NAMES *names)
{
	const GENERAL_NAME	*name;
	struct cert_san		*san;
	int			 i, n = sk_GENERAL_NAME_num(names);

	if (n == 0)
		cert->faults |= CERT_FAULT_SAN;	/* RFC 5280 4.2.1.6: at least one */
	if (n > CERT_MAX_NAMES) {
		cert->faults |= CERT_FAULT_TOO_BIG;
		return true;
	}
	cert->sans = calloc((size_t)n + 1, sizeof(*cert->sans));
	if (cert->sans == NULL)
		return false;
	for (i = 0; i < n; i++) {
		const ASN1_STRING	*s = NULL;
		const ASN1_TYPE		*other;

		name = sk_GENERAL_NAME_value(names, i);
		san = &cert->sans[cert->num_sans];
		san->kind = CERT_SAN_OTHER;
		switch (name->type) {
		case GEN_EMAIL:
			san->kind = CERT_SAN_EMAIL;
			s = name->d.rfc822Name;
			break;
		case GEN_DNS:
			san->kind = CERT_SAN_DNS;
			s = name->d.dNSName;
			break;
		case GEN_URI:
			san->kind = CERT_SAN_URI;
			s = name->d.uniformResourceIdentifier;
			break;
		case GEN_OTHERNAME:
			other = name->d.otherName->value;
			if (other == NULL || other->type != V_ASN1_UTF8STRING)
				break;
			if (OBJ_obj2nid(name->d.otherName->type_id) == NID_ms_upn)
				san->kind = CERT_SAN_UPN;
			else if (OBJ_obj2nid(name->d.otherName->type_id) ==
			    NID_id_on_SmtpUTF8Mailbox)
				san->kind = CERT_SAN_SMTP_UTF8;
			else
				break;
			s = other->value.utf8string;
			break;
		default:	/* the other GeneralName forms map to nobody */
			break;
		}
		if (s == NULL)
			continue;
		san->data = ASN1_STRING_get0_data(s);
		san->data_len = (size_t)ASN1_STRING_length(s);
		cert->num_sans++;
	}
	return true;
}

static void
keep_basic_constraints(struct cert *cert, const BASIC_CONSTRAINTS *bc)
{
	cert->has_bc = true;
	cert->is_ca = bc->ca != 0;
	if (bc->pathlen == NULL)
		return;
	/* RFC 5280 4.2.1.9: never negative. Beside "no CA" it must not be, but
	 * many have it so, and it says nothing. */
	if (ASN1_STRING_type(bc->pathlen) == V_ASN1_NEG_INTEGER) {
		cert->faults |= CERT_FAULT_EXTENSION;
		cert->path_len = 0;
		return;
	}
	cert->path_len = ASN1_INTEGER_get(bc->pathlen);
	if (cert->path_len < 0)
		cert->path_len = LONG_MAX;	/* more than a long holds */
}

static void
keep_key_usage(struct cert *cert, const ASN1_BIT_STRING *usage)
{
	const unsigned char	*data = ASN1_STRING_get0_data(usage);
	int			 len = ASN1_STRING_length(usage);

	cert->has_key_usage = true;
	cert->key_usage = 0;
	if (len > 0)
		cert->key_usage = data[0];
	if (len > 1)
		cert->key_usage |= (uint32_t)data[1] << 8;
	/* RFC 5280 4.2.1.3: at least one bit */
	if (cert->key_usage == 0)
		cert->faults |= CERT_FAULT_EXTENSION;
}

/* Takes the objects over; the list itself is freed by the caller. */
static bool
keep_ekus(struct cert *cert, EXTENDED_KEY_USAGE *ekus)
{
	int	n = sk_ASN1_OBJECT_num(ekus);

	cert->has_eku = true;
	if (n > CERT_MAX_NAMES) {
		cert->faults |= CERT_FAULT_TOO_BIG;
		return true;	/* present with none that we read: allows nothing */
	}
	cert->ekus = calloc((size_t)n + 1, sizeof(*cert->ekus));
	if (cert->ekus == NULL)
		return false;
	while (sk_ASN1_OBJECT_num(ekus) > 0)
		cert->ekus[cert->num_ekus++] = sk_ASN1_OBJECT_shift(ekus);
	return true;
}

static void
keep_key_ids(struct cert *cert, const struct extension_kept *kept)
{
	const ASN1_OCTET_STRING	*id = kept->ski;

	if (id != NULL && ASN1_STRING_length(id) > 0) {
		cert->ski = ASN1_STRING_get0_data(id);
		cert->ski_len = (size_t)ASN1_STRING_length(id);
	}
	id = kept->aki != NULL ? kept->aki->keyid : NULL;
	if (id != NULL && ASN1_STRING_length(id) > 0) {
		cert->aki = ASN1_STRING_get0_data(id);
		cert->aki_len = (size_t)ASN1_STRING_length(id);
	}
}

/* *decoded becomes NULL where it is kept as it is. */
static bool
keep(struct cert *cert, struct extension_kept *kept, int nid, void **decoded)
{
	void	*mine = *decoded;

	switch (nid) {
	case NID_basic_constraints:
		keep_basic_constraints(cert, mine);
		return true;
	case NID_key_usage:
		keep_key_usage(cert, mine);
		return true;
	case NID_ext_key_usage:
		return keep_ekus(cert, mine);
	case NID_crl_distribution_points:
		return points_read(cert, mine);
	case NID_subject_alt_name:
		kept->san = mine;
		*decoded = NULL;
		return keep_san(cert, mine);
	case NID_subject_key_identifier:
		kept->ski = mine;
		*decoded = NULL;
		keep_key_ids(cert, kept);
		return true;
	case NID_authority_key_identifier:
		kept->aki = mine;
		*decoded = NULL;
		keep_key_ids(cert, kept);
		return true;
	default:
		return true;
	}
}

/* ------------------------------------------------------- one extension */

static void
free_decoded(X509_EXTENSION *ext, void *decoded)
{
	const X509V3_EXT_METHOD	*method = X509V3_EXT_get(ext);

	if (decoded == NULL)
		return;
	if (method->it != NULL)
		ASN1_item_free(decoded, ASN1_ITEM_ptr(method->it));
	else
		method->ext_free(decoded);
}

/* By OpenSSL. `twice`: which of two would be a guess, so neither is kept. */
static bool
read_by_openssl(struct cert *cert, struct extension_kept *kept, int nid,
    X509_EXTENSION *ext, bool twice)
{
	void	*decoded = X509V3_EXT_d2i(ext);
	bool	 ok = true;

	if (decoded == NULL) {
		cert->faults |= CERT_FAULT_EXTENSION;
		if (nid == NID_subject_alt_name)
			cert->faults |= CERT_FAULT_SAN;
		return true;
	}
	read_decoded(cert, nid, decoded, X509_EXTENSION_get_critical(ext) != 0);
	/* a string in pieces, which its tag does not tell (X.690 10.2) */
	if (nid == NID_subject_alt_name && i2d_GENERAL_NAMES(decoded, NULL) !=
	    ASN1_STRING_length(X509_EXTENSION_get_data(ext)))
		cert->faults |= CERT_FAULT_SAN;
	if (!twice)
		ok = keep(cert, kept, nid, &decoded);
	free_decoded(ext, decoded);
	return ok;
}

/* RFC 5280 4.2.1.6: rfc822Name, dNSName and URI are IA5String. */
static void
check_strings(struct cert *cert)
{
	const struct cert_san	*san;
	size_t			 i, j;

	for (i = 0; i < cert->num_sans; i++) {
		san = &cert->sans[i];
		if (san->kind != CERT_SAN_EMAIL && san->kind != CERT_SAN_DNS &&
		    san->kind != CERT_SAN_URI)
			continue;
		for (j = 0; j < san->data_len; j++)
			if ((san->data[j] & 0x80) != 0)
				cert->faults |= CERT_FAULT_SAN;
	}
}

/* One of RFC 5280 4.2. */
static bool
read_extension(struct cert *cert, struct extension_kept *kept, int nid,
    X509_EXTENSION *ext, bool twice)
{
	const ASN1_OCTET_STRING	*value = X509_EXTENSION_get_data(ext);
	const unsigned char	*data = ASN1_STRING_get0_data(value);
	size_t			 used, len = (size_t)ASN1_STRING_length(value);
	unsigned		 fault = 0;
	bool			 ok;

	if (!strict_der(data, len, &used))
		fault = CERT_FAULT_EXTENSION;
	else if (used != len)
		fault = CERT_FAULT_TRAILING;
	/* All lists of RFC 5280 4.2 are SIZE (1..MAX); only these two have
	 * nothing but optional fields. */
	else if (len == 2 &&
	    data[0] == (V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED) &&
	    nid != NID_basic_constraints && nid != NID_authority_key_identifier)
		fault = CERT_FAULT_EXTENSION;
	cert->faults |= fault;
	cert->has_name_constraints |= nid == NID_name_constraints;
	cert->has_policy_rules |= nid == NID_policy_mappings ||
	    nid == NID_policy_constraints || nid == NID_inhibit_any_policy;
	if (fault == 0 && !twice && plain_read(cert, nid, data, len))
		return true;
	ok = read_by_openssl(cert, kept, nid, ext, twice);
	if (nid == NID_certificate_policies && (twice ||
	    (cert->faults & (CERT_FAULT_EXTENSION | CERT_FAULT_TRAILING)) != 0 ||
	    !plain_policies(cert, data, len)))
		cert->has_policy_rules = true;
	return ok;
}

/* Others that OpenSSL's own validation decodes, and then refuses. */
static void
read_other(struct cert *cert, int nid, X509_EXTENSION *ext)
{
	void	*decoded;

	if (nid != NID_netscape_cert_type && nid != NID_sbgp_ipAddrBlock &&
	    nid != NID_sbgp_autonomousSysNum && nid != NID_proxyCertInfo)
		return;
	decoded = X509V3_EXT_d2i(ext);
	if (decoded == NULL)
		cert->faults |= CERT_FAULT_EXTENSION;
	free_decoded(ext, decoded);
}

/* The extensions of one certificate, each with its NID. */
struct list {
	X509_EXTENSION	*exts[CERT_MAX_EXTENSIONS];
	int		 nids[CERT_MAX_EXTENSIONS];
	int		 num;
};

/* Is the same one there once more? */
static bool
is_twice(const struct list *l, int i)
{
	int	j;

	for (j = 0; j < l->num; j++)
		if (j != i && l->nids[j] == l->nids[i] &&
		    (l->nids[i] != NID_undef ||
		    OBJ_cmp(X509_EXTENSION_get_object(l->exts[i]),
		    X509_EXTENSION_get_object(l->exts[j])) == 0))
			return true;
	return false;
}

static bool
list_has(const struct list *l, int nid)
{
	int	i;

	for (i = 0; i < l->num; i++)
		if (l->nids[i] == nid)
			return true;
	return false;
}

bool
extension_read_all(struct cert *cert, struct extension_kept *kept)
{
	X509		*x = cert->x509;
	int		 i, n = X509_get_ext_count(x);
	struct list	 l;
	bool		 twice;

	cert->path_len = -1;
	if (n > 0 && X509_get_version(x) != X509_VERSION_3)
		cert->faults |= CERT_FAULT_VERSION;
	if (n == 0 && X509_get0_extensions(x) != NULL)
		cert->faults |= CERT_FAULT_EXTENSION;	/* SIZE (1..MAX) */
	if (n > CERT_MAX_EXTENSIONS) {
		cert->faults |= CERT_FAULT_TOO_BIG;
		n = CERT_MAX_EXTENSIONS;
	}
	l.num = n > 0 ? n : 0;
	for (i = 0; i < l.num; i++) {
		l.exts[i] = X509_get_ext(x, i);
		l.nids[i] = OBJ_obj2nid(X509_EXTENSION_get_object(l.exts[i]));
	}
	for (i = 0; i < l.num; i++) {
		twice = is_twice(&l, i);
		if (twice)
			cert->faults |= CERT_FAULT_DUPLICATE;
		if (!is_processed(l.nids[i]) &&
		    X509_EXTENSION_get_critical(l.exts[i]) != 0)
			cert->critical_unknown = true;
		if (!known_extension(l.nids[i]))
			read_other(cert, l.nids[i], l.exts[i]);
		else if (!read_extension(cert, kept, l.nids[i], l.exts[i],
		    twice))
			return false;
	}
	check_strings(cert);
	/* RFC 3820 3.4 to 3.7 */
	if (list_has(&l, NID_proxyCertInfo) && (cert->is_ca ||
	    list_has(&l, NID_subject_alt_name) ||
	    list_has(&l, NID_issuer_alt_name)))
		cert->faults |= CERT_FAULT_EXTENSION;
	return true;
}
