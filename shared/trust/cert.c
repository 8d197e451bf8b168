/*
 * cert.c - what does this certificate say?
 *
 * Reads a certificate once into plain fields. Judges nothing: what cannot be
 * read is a bit in `faults`.
 */

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "base/text.h"
#include "trust/cert.h"
#include "trust/constraints.h"
#include "trust/digest.h"
#include "trust/extension.h"
#include "trust/outline.h"
#include "trust/points.h"
#include "trust/signature.h"
#include "trust/strict.h"
#include "verdict/name.h"

/* What cert.c keeps alive behind the public fields. */
struct cert_owned {
	atomic_uint		 refs;
	unsigned char		*der;	/* NULL: borrowed */
	struct extension_kept	 kept;
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

int
cert_string_utf8(const ASN1_STRING *string, unsigned char **utf8_r)
{
	int	len;

	*utf8_r = NULL;
	/* OpenSSL's memory is malloc's. */
	errno = 0;
	len = ASN1_STRING_to_UTF8(utf8_r, string);
	if (len >= 0)
		return len;
	*utf8_r = NULL;
	return errno == ENOMEM ? CERT_NO_MEMORY : CERT_NO_TEXT;
}

bool
cert_mailbox_is(const unsigned char *data, size_t data_len, const char *mailbox)
{
	const char	*at = strrchr(mailbox, '@');
	size_t		 local;

	if (at == NULL || data_len != strlen(mailbox))
		return false;
	local = (size_t)(at - mailbox) + 1;
	return memcmp(data, mailbox, local) == 0 &&
	    strncasecmp((const char *)data + local, mailbox + local,
	    data_len - local) == 0;
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
	if (!cert->is_ca && cert->has_name_constraints)
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

/* OpenSSL encodes a key again; these bytes are the same, where they are DER. */
static bool
hash_key(struct cert *cert, const unsigned char *spki, size_t spki_len)
{
	unsigned char	*der = NULL;
	int		 len;

	if (spki != NULL) {
		digest_sha256(spki, spki_len, cert->spki_sha256);
		return true;
	}
	len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert->x509), &der);
	if (len <= 0)
		return false;
	digest_sha256(der, (size_t)len, cert->spki_sha256);
	OPENSSL_free(der);
	return true;
}

static bool
read_hashes(struct cert *cert, const unsigned char *der, size_t der_len)
{
	struct outline_parts	parts = { .tbs = { NULL, NULL } };
	size_t			used;

	if (der_len > CERT_MAX_BYTES)
		cert->faults |= CERT_FAULT_TOO_BIG;
	else if (!strict_der(der, der_len, &used) ||
	    !outline_find(der, der_len, &parts))
		cert->faults |= CERT_FAULT_DER;
	cert->tbs = parts.tbs.at;
	cert->tbs_len = walk_length(&parts.tbs);
	digest_sha256(der, der_len, cert->sha256);
	return hash_key(cert, parts.key.at, walk_length(&parts.key)) &&
	    cert_name_sha256(X509_get_subject_name(cert->x509),
	    cert->subject_sha256) &&
	    cert_name_sha256(X509_get_issuer_name(cert->x509),
	    cert->issuer_sha256);
}

struct cert *
cert_new_der(X509 *x509, const unsigned char *der, size_t der_len)
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
	if (!read_hashes(cert, der, der_len))
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
	ok = extension_read_all(cert, &owned->kept);
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
cert_new(X509 *x509)
{
	unsigned char	*der = NULL;
	struct cert	*cert = NULL;
	int		 len;

	if (x509 == NULL)
		return NULL;
	ERR_set_mark();
	len = i2d_X509(x509, &der);
	if (len > 0)
		cert = cert_new_der(x509, der, (size_t)len);
	if (cert != NULL)
		((struct cert_owned *)cert->owned)->der = der;
	else
		OPENSSL_free(der);
	ERR_pop_to_mark();
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
	size_t			 i;

	if (cert == NULL)
		return;
	owned = cert->owned;
	if (atomic_fetch_sub(&owned->refs, 1) != 1)
		return;
	GENERAL_NAMES_free(owned->kept.san);
	ASN1_OCTET_STRING_free(owned->kept.ski);
	AUTHORITY_KEYID_free(owned->kept.aki);
	OPENSSL_free(owned->der);
	constraints_free(cert->constraints);
	constraints_names_free(cert->names);
	signature_ready_free(cert->ready);
	free(owned);
	for (i = 0; i < cert->num_ekus; i++)
		ASN1_OBJECT_free(cert->ekus[i]);
	free(cert->ekus);
	free(cert->sans);
	points_free(cert);
	free(cert->policies);
	X509_free(cert->x509);
	free(cert);
}
