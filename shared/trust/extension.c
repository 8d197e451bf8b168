/*
 * extension.c - are the extensions of a certificate what they have to be?
 *
 * Each known one is decoded once, so that what nobody asks for is looked at too.
 * Fills in no values; cert.c does.
 */

#include <openssl/x509v3.h>

#include "trust/extension.h"
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

bool
extension_processed(X509_EXTENSION *ext)
{
	static const int	processed[] = {
		NID_basic_constraints, NID_key_usage, NID_ext_key_usage,
		NID_subject_alt_name, NID_name_constraints,
		NID_certificate_policies, NID_policy_mappings,
		NID_policy_constraints, NID_inhibit_any_policy,
		NID_crl_distribution_points
	};
	int			nid = OBJ_obj2nid(X509_EXTENSION_get_object(ext));
	size_t			i;

	for (i = 0; i < sizeof(processed) / sizeof(processed[0]); i++)
		if (nid == processed[i])
			return true;
	return false;
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

/* One known extension. */
static void
read_extension(struct cert *cert, X509_EXTENSION *ext,
    const X509V3_EXT_METHOD *method)
{
	const ASN1_OCTET_STRING	*value = X509_EXTENSION_get_data(ext);
	const unsigned char	*data = ASN1_STRING_get0_data(value);
	size_t			 used, len = (size_t)ASN1_STRING_length(value);
	void			*decoded;

	if (!strict_der(data, len, &used)) {
		cert->faults |= CERT_FAULT_EXTENSION;
	} else if (used != len) {
		cert->faults |= CERT_FAULT_TRAILING;
		return;
	}
	/* All lists of RFC 5280 4.2 are SIZE (1..MAX); only these two have
	 * nothing but optional fields. */
	if (len == 2 && data[0] == (V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED) &&
	    method->ext_nid != NID_basic_constraints &&
	    method->ext_nid != NID_authority_key_identifier)
		cert->faults |= CERT_FAULT_EXTENSION;
	decoded = X509V3_EXT_d2i(ext);
	if (decoded == NULL) {
		cert->faults |= CERT_FAULT_EXTENSION;
		if (method->ext_nid == NID_subject_alt_name)
			cert->faults |= CERT_FAULT_SAN;
		return;
	}
	read_decoded(cert, method->ext_nid, decoded,
	    X509_EXTENSION_get_critical(ext) != 0);
	if (method->it != NULL)
		ASN1_item_free(decoded, ASN1_ITEM_ptr(method->it));
	else
		method->ext_free(decoded);
}

void
extension_read_all(struct cert *cert)
{
	X509		*x = cert->x509;
	int		 i, j, n = X509_get_ext_count(x);
	X509_EXTENSION	*ext;
	const X509V3_EXT_METHOD *method;

	if (n > 0 && X509_get_version(x) != X509_VERSION_3)
		cert->faults |= CERT_FAULT_VERSION;
	if (n == 0 && X509_get0_extensions(x) != NULL)
		cert->faults |= CERT_FAULT_EXTENSION;	/* SIZE (1..MAX) */
	if (n > CERT_MAX_EXTENSIONS) {
		cert->faults |= CERT_FAULT_TOO_BIG;
		return;
	}
	for (i = 0; i < n; i++) {
		ext = X509_get_ext(x, i);
		for (j = 0; j < i; j++)
			if (OBJ_cmp(X509_EXTENSION_get_object(ext),
			    X509_EXTENSION_get_object(X509_get_ext(x, j))) == 0)
				cert->faults |= CERT_FAULT_DUPLICATE;
		if (X509_EXTENSION_get_critical(ext) != 0 &&
		    !extension_processed(ext))
			cert->critical_unknown = true;
		method = X509V3_EXT_get(ext);
		if (method != NULL && known_extension(method->ext_nid))
			read_extension(cert, ext, method);
	}
}
