/*
 * facts.c - what kind of certificate is it: policies, class, usages, key, life?
 *
 * For `when`, mostly. Of the certificate alone: whether its CAs may assert what
 * it says is for the profile's `policies` and `classes`.
 */

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/objects.h>

#include "base/text.h"
#include "identity/class.h"
#include "identity/extract.h"

/* EKUs and policies that are looked at. */
#define FACTS_MAX	64u

/* S/MIME baseline requirements 7.1.6.1; NAESB WEQ-012. */
static const struct class {
	const char	*name;
	const char	*oids[4];
} classes[] = {
	{ "mailbox", { "2.23.140.1.5.1.1", "2.23.140.1.5.1.2",
	    "2.23.140.1.5.1.3", NULL } },
	{ "organization", { "2.23.140.1.5.2.1", "2.23.140.1.5.2.2",
	    "2.23.140.1.5.2.3", NULL } },
	{ "sponsor", { "2.23.140.1.5.3.1", "2.23.140.1.5.3.2",
	    "2.23.140.1.5.3.3", NULL } },
	{ "individual", { "2.23.140.1.5.4.1", "2.23.140.1.5.4.2",
	    "2.23.140.1.5.4.3", NULL } },
	{ "naesb-rudimentary", { "2.16.840.1.114505.1.12.1.2", NULL } },
	{ "naesb-basic", { "2.16.840.1.114505.1.12.2.2", NULL } },
	{ "naesb-medium", { "2.16.840.1.114505.1.12.3.2", NULL } },
	{ "naesb-high", { "2.16.840.1.114505.1.12.4.2", NULL } }
};
#define NUM_CLASSES	(sizeof(classes) / sizeof(classes[0]))

const char *
class_name(size_t i)
{
	return i < NUM_CLASSES ? classes[i].name : NULL;
}

const char *
class_policy(const char *name, size_t n)
{
	size_t	i;

	for (i = 0; i < NUM_CLASSES; i++)
		if (strcmp(classes[i].name, name) == 0)
			return n < 4 ? classes[i].oids[n] : NULL;
	return NULL;
}

const char *
class_of_policy(const char *oid)
{
	size_t	i, j;

	for (i = 0; i < NUM_CLASSES; i++)
		for (j = 0; j < 4 && classes[i].oids[j] != NULL; j++)
			if (strcmp(classes[i].oids[j], oid) == 0)
				return classes[i].name;
	return NULL;
}

static bool
add_word(struct extract *x, const char *word)
{
	return extract_add(x, (const unsigned char *)word, strlen(word), true);
}

/* The bytes of an OID, as in cert.h, in digits and dots. */
static bool
dotted(const unsigned char *data, size_t data_len, char *buf, size_t buf_size)
{
	ASN1_OBJECT		*oid = NULL;
	unsigned char		 der[SOURCE_MAX_OID + 2];
	const unsigned char	*p = der;
	int			 n;

	if (data_len == 0 || data_len > SOURCE_MAX_OID)
		return false;
	der[0] = V_ASN1_OBJECT;
	der[1] = (unsigned char)data_len;
	memcpy(der + 2, data, data_len);
	ERR_set_mark();
	oid = d2i_ASN1_OBJECT(NULL, &p, (long)data_len + 2);
	n = oid == NULL ? -1 : OBJ_obj2txt(buf, (int)buf_size, oid, 1);
	ERR_pop_to_mark();
	ASN1_OBJECT_free(oid);
	return n > 0 && (size_t)n < buf_size;
}

static void
policy_values(struct extract *x, bool class)
{
	const struct cert	*cert = x->extractor->cert;
	const char		*name;
	char			 oid[256];
	size_t			 i;

	if ((cert->faults & (CERT_FAULT_EXTENSION | CERT_FAULT_DUPLICATE)) != 0) {
		x->values->fault = "an extension is not readable";
		return;
	}
	for (i = 0; i < cert->num_policies; i++) {
		if (i == FACTS_MAX || !dotted(cert->policies[i].data,
		    cert->policies[i].data_len, oid, sizeof(oid))) {
			x->values->fault = "the certificate's policies are too "
			    "many or too long";
			return;
		}
		name = class ? class_of_policy(oid) : oid;
		if (name != NULL && !add_word(x, name))
			return;
	}
}

/* By the names of the purposes, others by their OID. */
static void
eku_values(struct extract *x)
{
	const struct cert	*cert = x->extractor->cert;
	char			 oid[256];
	size_t			 i;
	int			 nid;

	if ((cert->faults & (CERT_FAULT_EXTENSION | CERT_FAULT_DUPLICATE)) != 0) {
		x->values->fault = "an extension is not readable";
		return;
	}
	for (i = 0; i < cert->num_ekus; i++) {
		nid = OBJ_obj2nid(cert->ekus[i]);
		if (i == FACTS_MAX || OBJ_obj2txt(oid, sizeof(oid),
		    cert->ekus[i], 1) >= (int)sizeof(oid)) {
			x->values->fault = "the certificate's purposes are too "
			    "many or too long";
			return;
		}
		if (!add_word(x, nid == NID_undef ? oid : OBJ_nid2sn(nid)))
			return;
	}
}

static const struct { uint32_t bit; const char *name; } usages[] = {
	{ KU_DIGITAL_SIGNATURE, "digitalSignature" },
	{ KU_NON_REPUDIATION, "nonRepudiation" },
	{ KU_KEY_ENCIPHERMENT, "keyEncipherment" },
	{ KU_DATA_ENCIPHERMENT, "dataEncipherment" },
	{ KU_KEY_AGREEMENT, "keyAgreement" },
	{ KU_KEY_CERT_SIGN, "keyCertSign" },
	{ KU_CRL_SIGN, "cRLSign" },
	{ KU_ENCIPHER_ONLY, "encipherOnly" },
	{ KU_DECIPHER_ONLY, "decipherOnly" }
};
#define NUM_USAGES	(sizeof(usages) / sizeof(usages[0]))

static void
usage_values(struct extract *x)
{
	const struct cert	*cert = x->extractor->cert;
	size_t			 i;

	if ((cert->faults & (CERT_FAULT_EXTENSION | CERT_FAULT_DUPLICATE)) != 0) {
		x->values->fault = "an extension is not readable";
		return;
	}
	for (i = 0; cert->has_key_usage && i < NUM_USAGES; i++)
		if ((cert->key_usage & usages[i].bit) != 0 &&
		    !add_word(x, usages[i].name))
			return;
}

static unsigned
curve_bits(int nid)
{
	return nid == NID_X9_62_prime256v1 ? 256 : nid == NID_secp384r1 ? 384 :
	    nid == NID_secp521r1 ? 521 : 0;
}

/* Edwards curves: told apart by their OID, RFC 8410 3. */
static int
edwards_nid(const struct cert *cert)
{
	ASN1_OBJECT	*oid = NULL;

	if (cert->x509 == NULL || X509_PUBKEY_get0_param(&oid, NULL, NULL, NULL,
	    X509_get_X509_PUBKEY(cert->x509)) != 1)
		return NID_undef;
	return OBJ_obj2nid(oid);
}

static void
key_values(struct extract *x, bool bits)
{
	const struct cert	*cert = x->extractor->cert;
	unsigned		 n = 0;
	const char		*type = NULL;
	char			 number[16];
	int			 nid;

	switch (cert->key.kind) {
	case KEY_RSA:
		type = "rsa";
		n = cert->key.bits;
		break;
	case KEY_EC:
		n = curve_bits(cert->key.curve);
		type = n == 256 ? "P-256" : n == 384 ? "P-384" : n == 521 ?
		    "P-521" : "ec";
		break;
	case KEY_EDWARDS:
		nid = edwards_nid(cert);
		type = nid == NID_ED448 ? "Ed448" : "Ed25519";
		n = nid == NID_ED448 ? 456 : 256;
		break;
	case KEY_OTHER:
		break;
	}
	if (!bits) {
		if (type != NULL)
			(void)add_word(x, type);
		return;
	}
	if (n == 0)
		return;
	(void)snprintf(number, sizeof(number), "%u", n);
	(void)add_word(x, number);
}

/* Counted as max_lifetime is. */
static void
lifetime_value(struct extract *x)
{
	const struct cert	*cert = x->extractor->cert;
	char			 number[32];

	if ((cert->faults & CERT_FAULT_TIME) != 0 ||
	    cert->not_after < cert->not_before) {
		x->values->fault = "the validity dates are not readable";
		return;
	}
	(void)snprintf(number, sizeof(number), "%lld",
	    (long long)(cert->not_after - cert->not_before));
	(void)add_word(x, number);
}

/*
 * [MS-WCCE] 2.2.2.7.7.4: szOID_NTDS_CA_SECURITY_EXT is a SEQUENCE of GeneralName
 * with one otherName, whose OCTET STRING is the SID in text.
 */
static void
sid_value(struct extract *x)
{
	const struct cert	*cert = x->extractor->cert;
	const ASN1_OCTET_STRING	*octets;
	const unsigned char	*p;
	ASN1_OBJECT		*oid = NULL, *object = NULL;
	GENERAL_NAMES		*names = NULL;
	const OTHERNAME		*other;
	int			 at;

	if ((cert->faults & (CERT_FAULT_EXTENSION | CERT_FAULT_DUPLICATE)) != 0) {
		x->values->fault = "an extension is not readable";
		return;
	}
	if (cert->x509 == NULL)
		return;
	ERR_set_mark();
	oid = OBJ_txt2obj("1.3.6.1.4.1.311.25.2", 1);
	object = OBJ_txt2obj("1.3.6.1.4.1.311.25.2.1", 1);
	at = oid == NULL ? -1 : X509_get_ext_by_OBJ(cert->x509, oid, -1);
	if (oid == NULL || object == NULL)
		x->values->no_memory = true;
	if (at < 0 || object == NULL)
		goto out;
	octets = X509_EXTENSION_get_data(X509_get_ext(cert->x509, at));
	p = ASN1_STRING_get0_data(octets);
	names = d2i_GENERAL_NAMES(NULL, &p, ASN1_STRING_length(octets));
	if (names == NULL || p != ASN1_STRING_get0_data(octets) +
	    ASN1_STRING_length(octets) || sk_GENERAL_NAME_num(names) != 1 ||
	    sk_GENERAL_NAME_value(names, 0)->type != GEN_OTHERNAME)
		goto bad;
	other = sk_GENERAL_NAME_value(names, 0)->d.otherName;
	if (OBJ_cmp(other->type_id, object) != 0 || other->value == NULL ||
	    other->value->type != V_ASN1_OCTET_STRING)
		goto bad;
	octets = other->value->value.octet_string;
	if (ASN1_STRING_length(octets) < 4 ||
	    memcmp(ASN1_STRING_get0_data(octets), "S-1-", 4) != 0)
		goto bad;
	(void)extract_add(x, ASN1_STRING_get0_data(octets),
	    (size_t)ASN1_STRING_length(octets), true);
	goto out;
bad:
	(void)extract_fault(x, "a SID extension that is not readable", "", 0);
out:
	GENERAL_NAMES_free(names);
	ASN1_OBJECT_free(oid);
	ASN1_OBJECT_free(object);
	ERR_pop_to_mark();
}

const char *
fact_word(enum source_kind kind, size_t i)
{
	static const char *const	types[] = {
		"rsa", "P-256", "P-384", "P-521", "ec", "Ed25519", "Ed448"
	};

	switch (kind) {
	case SOURCE_CLASS:
		return class_name(i);
	case SOURCE_KEY_USAGE:
		return i < NUM_USAGES ? usages[i].name : NULL;
	case SOURCE_KEY_TYPE:
		return i < sizeof(types) / sizeof(types[0]) ? types[i] : NULL;
	default:
		return NULL;
	}
}

void
extract_fact(struct extract *x)
{
	switch (x->source->kind) {
	case SOURCE_POLICY:
	case SOURCE_CLASS:
		policy_values(x, x->source->kind == SOURCE_CLASS);
		return;
	case SOURCE_EKU:
		eku_values(x);
		return;
	case SOURCE_KEY_USAGE:
		usage_values(x);
		return;
	case SOURCE_KEY_TYPE:
	case SOURCE_KEY_BITS:
		key_values(x, x->source->kind == SOURCE_KEY_BITS);
		return;
	case SOURCE_LIFETIME:
		lifetime_value(x);
		return;
	case SOURCE_SID:
		sid_value(x);
		return;
	default:
		x->values->fault = "no source";
	}
}
