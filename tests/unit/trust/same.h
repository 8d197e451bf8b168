/*
 * same.h - does a view say what OpenSSL reads of the same certificate?
 *
 * For the extensions that plain.c reads by itself. Used by test_plain.c and by
 * fuzz_cert.c.
 */
#ifndef TESTS_TRUST_SAME_H
#define TESTS_TRUST_SAME_H

#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "trust/cert.h"

static inline int
same_bytes(const ASN1_STRING *s, const unsigned char *data, size_t len)
{
	if (s == NULL || ASN1_STRING_length(s) == 0)
		return data == NULL;
	return data != NULL && (size_t)ASN1_STRING_length(s) == len &&
	    memcmp(ASN1_STRING_get0_data(s), data, len) == 0;
}

static inline int
same_sans(const struct cert *c, const GENERAL_NAMES *names)
{
	const GENERAL_NAME	*g;
	const ASN1_STRING	*s;
	enum cert_san_kind	 kind;
	size_t			 n = 0;
	int			 i, nid;

	for (i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		g = sk_GENERAL_NAME_value(names, i);
		kind = CERT_SAN_OTHER;
		s = g->d.ia5;
		if (g->type == GEN_EMAIL)
			kind = CERT_SAN_EMAIL;
		else if (g->type == GEN_DNS)
			kind = CERT_SAN_DNS;
		else if (g->type == GEN_URI)
			kind = CERT_SAN_URI;
		else if (g->type == GEN_OTHERNAME && g->d.otherName->value->type
		    == V_ASN1_UTF8STRING) {
			nid = OBJ_obj2nid(g->d.otherName->type_id);
			s = g->d.otherName->value->value.utf8string;
			if (nid == NID_ms_upn)
				kind = CERT_SAN_UPN;
			else if (nid == NID_id_on_SmtpUTF8Mailbox)
				kind = CERT_SAN_SMTP_UTF8;
		}
		if (kind == CERT_SAN_OTHER)
			continue;
		if (n >= c->num_sans || c->sans[n].kind != kind ||
		    c->sans[n].data_len != (size_t)ASN1_STRING_length(s) ||
		    (c->sans[n].data_len > 0 && memcmp(c->sans[n].data,
		    ASN1_STRING_get0_data(s), c->sans[n].data_len) != 0))
			return 0;
		n++;
	}
	return n == c->num_sans;
}

static inline int
same_ekus(const struct cert *c, const EXTENDED_KEY_USAGE *list)
{
	size_t	i, n = list != NULL ? (size_t)sk_ASN1_OBJECT_num(list) : 0;

	if (c->has_eku != (list != NULL) || c->num_ekus != n)
		return 0;
	for (i = 0; i < n; i++)
		if (OBJ_cmp(sk_ASN1_OBJECT_value(list, (int)i), c->ekus[i]) != 0)
			return 0;
	return 1;
}

static inline int
same_dps(const struct cert *c, const CRL_DIST_POINTS *points)
{
	const DIST_POINT	*p;
	unsigned char		 hash[32];
	size_t			 n = 0;
	int			 i, j;

	for (i = 0; i < sk_DIST_POINT_num(points); i++) {
		p = sk_DIST_POINT_value(points, i);
		if (p->distpoint == NULL)
			continue;
		if (p->distpoint->type != 0)
			return 1;	/* test_cert.c's */
		for (j = 0; j < sk_GENERAL_NAME_num(p->distpoint->name.fullname);
		    j++, n++)
			if (n < CERT_MAX_DISTRIBUTION_POINTS &&
			    (!cert_general_name_sha256(sk_GENERAL_NAME_value(
			    p->distpoint->name.fullname, j), hash) ||
			    n >= c->num_dps || memcmp(c->dps[n], hash, 32) != 0))
				return 0;
	}
	return n > CERT_MAX_DISTRIBUTION_POINTS || n == c->num_dps;
}

static inline int
same_policies(const struct cert *c, const CERTIFICATEPOLICIES *list)
{
	const ASN1_OBJECT	*oid;
	size_t			 i, n = list != NULL ?
				    (size_t)sk_POLICYINFO_num(list) : 0;

	if (c->has_policy_rules && c->num_policies == 0)
		return 1;	/* left to OpenSSL */
	if (c->num_policies != n)
		return 0;
	for (i = 0; i < n; i++) {
		oid = sk_POLICYINFO_value(list, (int)i)->policyid;
		if (OBJ_length(oid) != c->policies[i].data_len ||
		    memcmp(OBJ_get0_data(oid), c->policies[i].data,
		    c->policies[i].data_len) != 0)
			return 0;
	}
	return 1;
}

/* What differs, or NULL. Makes no claim about certificates with an extension
 * twice, or over the ceilings. */
static inline const char *
same_as_openssl(X509 *x, const struct cert *c)
{
	static const int	 known[] = { NID_basic_constraints,
				    NID_key_usage, NID_ext_key_usage,
				    NID_subject_key_identifier,
				    NID_authority_key_identifier,
				    NID_subject_alt_name,
				    NID_crl_distribution_points, NID_info_access,
				    NID_sinfo_access, NID_certificate_policies };
	X509_EXTENSION		*ext;
	void			*decoded;
	BASIC_CONSTRAINTS	*bc;
	ASN1_BIT_STRING		*usage;
	EXTENDED_KEY_USAGE	*eku;
	ASN1_OCTET_STRING	*ski;
	AUTHORITY_KEYID		*aki;
	GENERAL_NAMES		*sans;
	CRL_DIST_POINTS		*dps;
	CERTIFICATEPOLICIES	*policies;
	const char		*differs = NULL;
	uint32_t		 bits = 0;
	size_t			 i;
	int			 at;

	if ((c->faults & (CERT_FAULT_DUPLICATE | CERT_FAULT_TOO_BIG)) != 0)
		return NULL;
	ERR_set_mark();
	bc = X509_get_ext_d2i(x, NID_basic_constraints, NULL, NULL);
	usage = X509_get_ext_d2i(x, NID_key_usage, NULL, NULL);
	eku = X509_get_ext_d2i(x, NID_ext_key_usage, NULL, NULL);
	ski = X509_get_ext_d2i(x, NID_subject_key_identifier, NULL, NULL);
	aki = X509_get_ext_d2i(x, NID_authority_key_identifier, NULL, NULL);
	sans = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	dps = X509_get_ext_d2i(x, NID_crl_distribution_points, NULL, NULL);
	policies = X509_get_ext_d2i(x, NID_certificate_policies, NULL, NULL);
	if (usage != NULL) {
		if (ASN1_STRING_length(usage) > 0)
			bits = ASN1_STRING_get0_data(usage)[0];
		if (ASN1_STRING_length(usage) > 1)
			bits |= (uint32_t)ASN1_STRING_get0_data(usage)[1] << 8;
	}
	if (c->has_bc != (bc != NULL) || c->is_ca != (bc != NULL && bc->ca != 0))
		differs = "basic constraints";
	else if (bc != NULL && c->path_len != (bc->pathlen == NULL ? -1 :
	    ASN1_INTEGER_get(bc->pathlen) < 0 ? 0 :
	    ASN1_INTEGER_get(bc->pathlen)))
		differs = "path length";
	else if (c->has_key_usage != (usage != NULL) || c->key_usage != bits)
		differs = "key usage";
	else if (!same_ekus(c, eku))
		differs = "extended key usage";
	else if (!same_bytes(ski, c->ski, c->ski_len))
		differs = "subject key id";
	else if (!same_bytes(aki != NULL ? aki->keyid : NULL, c->aki,
	    c->aki_len))
		differs = "authority key id";
	else if (!same_sans(c, sans))
		differs = "subject alternative names";
	else if (!same_dps(c, dps))
		differs = "distribution points";
	else if (!same_policies(c, policies))
		differs = "policies";
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		at = X509_get_ext_by_NID(x, known[i], -1);
		if (at < 0 || (ext = X509_get_ext(x, at)) == NULL)
			continue;
		decoded = c->faults == 0 ? X509V3_EXT_d2i(ext) : NULL;
		if (c->faults == 0 && decoded == NULL)
			differs = "what OpenSSL refuses is no fault";
		if (decoded != NULL && X509V3_EXT_get(ext)->it != NULL)
			ASN1_item_free(decoded,
			    ASN1_ITEM_ptr(X509V3_EXT_get(ext)->it));
	}
	/* its own validation refuses such a one */
	if (c->faults == 0 &&
	    (X509_get_extension_flags(x) & EXFLAG_INVALID) != 0)
		differs = "OpenSSL calls it invalid";
	BASIC_CONSTRAINTS_free(bc);
	ASN1_BIT_STRING_free(usage);
	EXTENDED_KEY_USAGE_free(eku);
	ASN1_OCTET_STRING_free(ski);
	AUTHORITY_KEYID_free(aki);
	GENERAL_NAMES_free(sans);
	CRL_DIST_POINTS_free(dps);
	CERTIFICATEPOLICIES_free(policies);
	ERR_pop_to_mark();
	return differs;
}

#endif
