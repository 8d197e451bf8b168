/*
 * cert.c - what does this certificate say?
 *
 * Reads a certificate once into plain fields. Judges nothing: what cannot be
 * read is a bit in `faults`.
 */

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "base/text.h"
#include "trust/cert.h"
#include "trust/constraints.h"
#include "trust/digest.h"
#include "trust/extension.h"
#include "trust/strict.h"
#include "verdict/name.h"

/* What cert.c keeps alive behind the public fields. */
struct cert_owned {
	atomic_uint		 refs;
	GENERAL_NAMES		*san;
	EXTENDED_KEY_USAGE	*eku;
	ASN1_OCTET_STRING	*ski;
	AUTHORITY_KEYID		*aki;
};

char *
cert_name_print(const X509_NAME *name)
{
	return name_print(name);
}

char *
cert_subject_print(const struct cert *cert)
{
	return cert_name_print(X509_get_subject_name(cert->x509));
}

char *
cert_issuer_print(const struct cert *cert)
{
	return cert_name_print(X509_get_issuer_name(cert->x509));
}

bool
cert_subject_attr(const struct cert *cert, const char *name, size_t n,
    unsigned char **data_r, size_t *data_len_r)
{
	const X509_NAME	*subject = X509_get_subject_name(cert->x509);
	ASN1_OBJECT	*oid = NULL;
	ASN1_STRING	*value;
	int		 at = -1, len;
	size_t		 i;
	bool		 ok = false;

	*data_r = NULL;
	*data_len_r = 0;
	ERR_set_mark();
	oid = OBJ_txt2obj(name, 0);
	if (oid == NULL || n > CERT_MAX_NAME_ENTRIES)
		goto out;
	for (i = 0; i <= n; i++) {
		at = X509_NAME_get_index_by_OBJ(subject, oid, at);
		if (at < 0)
			goto out;
	}
	value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
	len = ASN1_STRING_to_UTF8(data_r, value);
	if (len < 0) {
		*data_r = NULL;
		goto out;
	}
	*data_len_r = (size_t)len;
	ok = true;
out:
	ASN1_OBJECT_free(oid);
	ERR_pop_to_mark();
	return ok;
}

bool
cert_mailbox_plain(const unsigned char *data, size_t data_len)
{
	const unsigned char	*at = memchr(data, '@', data_len);
	size_t			 local;

	if (at == NULL || text_has_control(data, data_len) ||
	    !text_utf8_valid(data, data_len))
		return false;
	local = (size_t)(at - data);
	return local > 0 && local + 1 < data_len &&
	    memchr(at + 1, '@', data_len - local - 1) == NULL;
}

/* ----------------------------------------------------------- extensions */

/* Typed SAN only; the values are raw bytes and may hold anything. */
static bool
read_san(struct cert *cert, struct cert_owned *owned)
{
	GENERAL_NAME	*name;
	struct cert_san	*san;
	int		 i, n;

	if ((cert->faults & CERT_FAULT_DUPLICATE) != 0)
		return true;	/* which of two would be a guess */
	owned->san = X509_get_ext_d2i(cert->x509, NID_subject_alt_name, NULL, NULL);
	if (owned->san == NULL)
		return true;
	n = sk_GENERAL_NAME_num(owned->san);
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

		name = sk_GENERAL_NAME_value(owned->san, i);
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

static bool
add_dp(struct cert *cert, const GENERAL_NAME *name)
{
	if (cert->num_dps == CERT_MAX_DISTRIBUTION_POINTS)
		return true;	/* further ones match no partition */
	return cert_general_name_sha256(name, cert->dps[cert->num_dps]) &&
	    ++cert->num_dps > 0;
}

/* RFC 5280 4.2.1.13: full names, and names relative to the CRL issuer. */
static bool
read_distribution_points(struct cert *cert)
{
	CRL_DIST_POINTS	*points;
	DIST_POINT	*point;
	GENERAL_NAME	 relative;
	const X509_NAME	*base;
	int		 i, j;
	bool		 ok = true;

	points = X509_get_ext_d2i(cert->x509, NID_crl_distribution_points, NULL,
	    NULL);
	if (points == NULL)
		return true;
	cert->dps = calloc(CERT_MAX_DISTRIBUTION_POINTS, sizeof(*cert->dps));
	if (cert->dps == NULL)
		ok = false;
	for (i = 0; ok && i < sk_DIST_POINT_num(points); i++) {
		if (i == CERT_MAX_DISTRIBUTION_POINTS)
			break;
		point = sk_DIST_POINT_value(points, i);
		if (point->distpoint == NULL)
			continue;
		if (point->distpoint->type == 0) {
			GENERAL_NAMES *full = point->distpoint->name.fullname;

			for (j = 0; ok && j < sk_GENERAL_NAME_num(full) &&
			    j < CERT_MAX_DISTRIBUTION_POINTS; j++)
				ok = add_dp(cert, sk_GENERAL_NAME_value(full, j));
			continue;
		}
		base = X509_get_issuer_name(cert->x509);
		if (point->CRLissuer != NULL &&
		    sk_GENERAL_NAME_num(point->CRLissuer) == 1 &&
		    sk_GENERAL_NAME_value(point->CRLissuer, 0)->type == GEN_DIRNAME)
			base = sk_GENERAL_NAME_value(point->CRLissuer, 0)->
			    d.directoryName;
		if (DIST_POINT_set_dpname(point->distpoint,
		    (X509_NAME *)(uintptr_t)base) != 1)
			continue;
		relative.type = GEN_DIRNAME;
		relative.d.directoryName = point->distpoint->dpname;
		ok = add_dp(cert, &relative);
	}
	sk_DIST_POINT_pop_free(points, DIST_POINT_free);
	return ok;
}

static bool
read_usages(struct cert *cert, struct cert_owned *owned)
{
	uint32_t		 flags = X509_get_extension_flags(cert->x509);
	BASIC_CONSTRAINTS	*bc;
	int			 i, n;

	if ((flags & (EXFLAG_INVALID | EXFLAG_INVALID_POLICY)) != 0)
		cert->faults |= CERT_FAULT_EXTENSION;
	cert->path_len = -1;
	bc = X509_get_ext_d2i(cert->x509, NID_basic_constraints, NULL, NULL);
	if (bc != NULL) {
		cert->has_bc = true;
		cert->is_ca = bc->ca != 0;
		if (bc->pathlen != NULL) {
			cert->path_len = ASN1_INTEGER_get(bc->pathlen);
			/* RFC 5280 4.2.1.9: never negative. Beside "no CA" it
			 * must not be, but many have it so, and it says nothing. */
			if (cert->path_len < 0)
				cert->faults |= CERT_FAULT_EXTENSION;
			if (cert->path_len < 0)
				cert->path_len = 0;
		}
		BASIC_CONSTRAINTS_free(bc);
	}
	if ((flags & EXFLAG_KUSAGE) != 0) {
		cert->has_key_usage = true;
		cert->key_usage = X509_get_key_usage(cert->x509);
	}
	owned->eku = X509_get_ext_d2i(cert->x509, NID_ext_key_usage, NULL, NULL);
	if (owned->eku == NULL)
		return true;
	cert->has_eku = true;
	n = sk_ASN1_OBJECT_num(owned->eku);
	if (n > CERT_MAX_NAMES) {
		cert->faults |= CERT_FAULT_TOO_BIG;
		return true;	/* present with none that we read: allows nothing */
	}
	cert->ekus = calloc((size_t)n + 1, sizeof(*cert->ekus));
	if (cert->ekus == NULL)
		return false;
	for (i = 0; i < n; i++)
		cert->ekus[cert->num_ekus++] = sk_ASN1_OBJECT_value(owned->eku, i);
	return true;
}

/* -------------------------------------------------------------- the rest */

/* RFC 5280 4.1.2.5: UTCTime or GeneralizedTime with seconds and Z. */
static bool
read_time(const ASN1_TIME *time, int64_t *seconds_r)
{
	struct tm	tm;
	int		len = ASN1_STRING_length(time);
	const unsigned char *data = ASN1_STRING_get0_data(time);

	*seconds_r = 0;
	if (ASN1_STRING_type(time) == V_ASN1_UTCTIME ? len != 13 : len != 15)
		return false;
	if (data[len - 1] != 'Z' || ASN1_TIME_to_tm(time, &tm) != 1)
		return false;
	*seconds_r = (int64_t)timegm(&tm);
	return true;
}

/* What the parts say together. */
static void
read_form(struct cert *cert)
{
	const X509		*x = cert->x509;
	const ASN1_BIT_STRING	*issuer_id, *subject_id;
	long			 version = X509_get_version(x);

	X509_get0_uids(x, &issuer_id, &subject_id);
	/* RFC 5280 4.1.2.1, 4.1.2.8 */
	if (version < X509_VERSION_1 || version > X509_VERSION_3 ||
	    (version == X509_VERSION_1 && (issuer_id != NULL ||
	    subject_id != NULL)))
		cert->faults |= CERT_FAULT_DER;
	/* 4.1.2.4, 4.1.2.6 */
	if (X509_NAME_entry_count(X509_get_issuer_name(x)) == 0 ||
	    (cert->is_ca &&
	    X509_NAME_entry_count(X509_get_subject_name(x)) == 0))
		cert->faults |= CERT_FAULT_ISSUER;
	/* 4.2.1.10 */
	if (!cert->is_ca && X509_get_ext_by_NID(x, NID_name_constraints, -1) >= 0)
		cert->faults |= CERT_FAULT_CA_ONLY;
}

static void
read_serial(struct cert *cert)
{
	const ASN1_INTEGER	*serial = X509_get0_serialNumber(cert->x509);
	const unsigned char	*data = ASN1_STRING_get0_data(serial);
	int			 len = ASN1_STRING_length(serial);

	while (len > 1 && data[0] == 0) {
		data++;
		len--;
	}
	cert->serial_negative = ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER;
	if (len > CERT_MAX_SERIAL) {
		cert->faults |= CERT_FAULT_SERIAL;
		len = CERT_MAX_SERIAL;
	}
	if (len > 0)
		memcpy(cert->serial, data, (size_t)len);
	cert->serial_len = len > 0 ? (size_t)len : 1;
}

static bool
read_hashes(struct cert *cert)
{
	unsigned char	*der = NULL;
	size_t		 used;
	int		 len;

	len = i2d_X509(cert->x509, &der);
	if (len <= 0)
		return false;
	if ((unsigned)len > CERT_MAX_BYTES)
		cert->faults |= CERT_FAULT_TOO_BIG;
	else if (!strict_der(der, (size_t)len, &used))
		cert->faults |= CERT_FAULT_DER;
	digest_sha256(der, (size_t)len, cert->sha256);
	OPENSSL_free(der);
	der = NULL;
	len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert->x509), &der);
	if (len <= 0)
		return false;
	digest_sha256(der, (size_t)len, cert->spki_sha256);
	OPENSSL_free(der);
	return cert_name_sha256(X509_get_subject_name(cert->x509),
	    cert->subject_sha256) &&
	    cert_name_sha256(X509_get_issuer_name(cert->x509),
	    cert->issuer_sha256);
}

static void
read_key_ids(struct cert *cert, struct cert_owned *owned)
{
	owned->ski = X509_get_ext_d2i(cert->x509, NID_subject_key_identifier,
	    NULL, NULL);
	if (owned->ski != NULL && ASN1_STRING_length(owned->ski) > 0) {
		cert->ski = ASN1_STRING_get0_data(owned->ski);
		cert->ski_len = (size_t)ASN1_STRING_length(owned->ski);
	}
	owned->aki = X509_get_ext_d2i(cert->x509, NID_authority_key_identifier,
	    NULL, NULL);
	if (owned->aki != NULL && owned->aki->keyid != NULL &&
	    ASN1_STRING_length(owned->aki->keyid) > 0) {
		cert->aki = ASN1_STRING_get0_data(owned->aki->keyid);
		cert->aki_len = (size_t)ASN1_STRING_length(owned->aki->keyid);
	}
}

struct cert *
cert_new(X509 *x509)
{
	struct cert		*cert;
	struct cert_owned	*owned;
	const X509_ALGOR	*outer;
	bool			 ok = false;

	if (x509 == NULL)
		return NULL;
	cert = calloc(1, sizeof(*cert));
	owned = calloc(1, sizeof(*owned));
	if (cert == NULL || owned == NULL || X509_up_ref(x509) != 1) {
		free(cert);
		free(owned);
		return NULL;
	}
	atomic_init(&owned->refs, 1);
	cert->owned = owned;
	cert->x509 = x509;
	ERR_set_mark();
	/* Makes OpenSSL read what it caches; its answer is not asked for. */
	(void)X509_check_purpose(x509, -1, 0);
	if (!read_hashes(cert))
		goto out;
	read_serial(cert);
	key_read(X509_get_X509_PUBKEY(x509), &cert->key);
	if (!read_time(X509_get0_notBefore(x509), &cert->not_before) ||
	    !read_time(X509_get0_notAfter(x509), &cert->not_after))
		cert->faults |= CERT_FAULT_TIME;
	X509_get0_signature(NULL, &outer, x509);
	if (X509_ALGOR_cmp(X509_get0_tbs_sigalg(x509), outer) != 0)
		cert->faults |= CERT_FAULT_ALGORITHM;
	cert->self_issued = memcmp(cert->subject_sha256, cert->issuer_sha256,
	    32) == 0;
	extension_read_all(cert);
	read_key_ids(cert, owned);
	ok = read_san(cert, owned) && read_usages(cert, owned) &&
	    read_distribution_points(cert);
	read_form(cert);
out:
	ERR_pop_to_mark();
	if (!ok) {
		cert_free(cert);
		return NULL;
	}
	return cert;
}

struct cert *
cert_ref(struct cert *cert)
{
	atomic_fetch_add(&((struct cert_owned *)cert->owned)->refs, 1);
	return cert;
}

void
cert_free(struct cert *cert)
{
	struct cert_owned	*owned;

	if (cert == NULL)
		return;
	owned = cert->owned;
	if (atomic_fetch_sub(&owned->refs, 1) != 1)
		return;
	GENERAL_NAMES_free(owned->san);
	EXTENDED_KEY_USAGE_free(owned->eku);
	ASN1_OCTET_STRING_free(owned->ski);
	AUTHORITY_KEYID_free(owned->aki);
	constraints_free(cert->constraints);
	constraints_names_free(cert->names);
	free(owned);
	free(cert->ekus);
	free(cert->sans);
	free(cert->dps);
	X509_free(cert->x509);
	free(cert);
}
