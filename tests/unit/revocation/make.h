/*
 * make.h - certificates and CRLs for the tests of this room.
 *
 * CRLs are written byte by byte, so that a wrong one is as easy as a right one;
 * only the certificates and the signatures are OpenSSL's.
 */
#ifndef CERTAUTH_TEST_REVOCATION_MAKE_H
#define CERTAUTH_TEST_REVOCATION_MAKE_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "trust/cert.h"
#include "trust/pool.h"

#define MAKE	static inline __attribute__((unused))

/* What must not fail in a test's own preparations. */
#define must(x) do { if (!(x)) { \
	fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); abort(); \
} } while (0)

struct buf { unsigned char *data; size_t len, size; };

MAKE void
buf_add(struct buf *buf, const void *data, size_t len)
{
	must(len < (size_t)1 << 32);
	if (buf->len + len > buf->size) {
		buf->size = (buf->len + len) * 2 + 64;
		buf->data = realloc(buf->data, buf->size);
		must(buf->data != NULL);
	}
	if (len > 0)
		memcpy(buf->data + buf->len, data, len);
	buf->len += len;
}

MAKE void
buf_free(struct buf *buf)
{
	free(buf->data);
	memset(buf, 0, sizeof(*buf));
}

MAKE void
buf_tlv(struct buf *buf, unsigned tag, const void *data, size_t len)
{
	unsigned char	head[6];
	size_t		n = 0, bytes = 0, t;

	head[n++] = (unsigned char)tag;
	if (len < 0x80)
		head[n++] = (unsigned char)len;
	else {
		for (t = len; t != 0; t >>= 8)
			bytes++;
		head[n++] = (unsigned char)(0x80 | bytes);
		while (bytes-- > 0)
			head[n++] = (unsigned char)(len >> (8 * bytes));
	}
	buf_add(buf, head, n);
	buf_add(buf, data, len);
}

/* Wraps all that is in `buf`. */
MAKE void
buf_wrap(struct buf *buf, unsigned tag)
{
	struct buf	outer = { 0 };

	buf_tlv(&outer, tag, buf->data, buf->len);
	free(buf->data);
	*buf = outer;
}

/* An unsigned number as INTEGER. */
MAKE void
buf_integer(struct buf *buf, uint64_t value)
{
	unsigned char	bytes[9];
	size_t		n = sizeof(bytes);

	do {
		bytes[--n] = (unsigned char)value;
		value >>= 8;
	} while (value != 0);
	if ((bytes[n] & 0x80) != 0)
		bytes[--n] = 0;
	buf_tlv(buf, 0x02, bytes + n, sizeof(bytes) - n);
}

/* Extension with an OID of 2.5.29.<arc>. */
MAKE void
buf_extension(struct buf *buf, unsigned arc, bool critical, const void *value,
    size_t value_len)
{
	unsigned char	oid[3] = { 0x55, 0x1d, (unsigned char)arc };
	struct buf	ext = { 0 };

	buf_tlv(&ext, 0x06, oid, sizeof(oid));
	if (critical)
		buf_tlv(&ext, 0x01, "\xff", 1);
	buf_tlv(&ext, 0x04, value, value_len);
	buf_wrap(&ext, 0x30);
	buf_add(buf, ext.data, ext.len);
	buf_free(&ext);
}

/* reason -1: no extension; issuer: the value of certificateIssuer, or NULL. */
MAKE void
buf_entry_of(struct buf *buf, const void *serial, size_t serial_len,
    const char *utc, int reason, const void *issuer, size_t issuer_len)
{
	struct buf	entry = { 0 }, ext = { 0 };

	buf_tlv(&entry, 0x02, serial, serial_len);
	buf_tlv(&entry, 0x17, utc, strlen(utc));
	if (reason >= 0) {
		unsigned char value[3] = { 0x0a, 1, (unsigned char)reason };

		buf_extension(&ext, 21, false, value, sizeof(value));
	}
	if (issuer != NULL)
		buf_extension(&ext, 29, true, issuer, issuer_len);
	if (ext.len > 0)
		buf_tlv(&entry, 0x30, ext.data, ext.len);
	buf_tlv(buf, 0x30, entry.data, entry.len);
	buf_free(&entry);
	buf_free(&ext);
}

MAKE void
buf_entry(struct buf *buf, const void *serial, size_t serial_len,
    const char *utc, int reason)
{
	buf_entry_of(buf, serial, serial_len, utc, reason, NULL, 0);
}

/* ------------------------------------------------------------ certificates */

struct ca {
	EVP_PKEY	*key;
	X509		*x509;
	struct cert	*cert;
};

MAKE EVP_PKEY *
make_key(const char *kind)
{
	EVP_PKEY	*key;

	if (strncmp(kind, "rsa", 3) == 0)
		key = EVP_RSA_gen((unsigned)atoi(kind + 3));
	else if (strcmp(kind, "ed25519") == 0)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	else
		key = EVP_EC_gen(kind);
	must(key != NULL);
	return key;
}

MAKE void
add_ext(X509 *x509, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX	ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	must(ext != NULL);
	must(X509_add_ext(x509, ext, -1) == 1);
	X509_EXTENSION_free(ext);
}

struct make_cert {
	const char	*name;		/* CN */
	const char	*key;		/* kind; NULL: P-256 */
	EVP_PKEY	*use_key;	/* instead, one more reference */
	const struct ca	*issuer;	/* NULL: itself */
	const char	*key_usage;	/* NULL: keyCertSign, cRLSign; "": none */
	const char	*points;	/* crlDistributionPoints, NULL: none */
	const void	*serial;	/* big-endian magnitude; NULL: 1 */
	size_t		 serial_len;
	bool		 leaf, negative;
};

MAKE void
make_cert(struct ca *out, const struct make_cert *m)
{
	X509		*x509 = X509_new();
	X509_NAME	*name = X509_NAME_new();
	BIGNUM		*bn;
	const struct ca	*issuer = m->issuer != NULL ? m->issuer : out;
	const EVP_MD	*md = EVP_sha256();
	int		 type;

	memset(out, 0, sizeof(*out));
	if (m->use_key != NULL) {
		out->key = m->use_key;
		must(EVP_PKEY_up_ref(out->key) == 1);
	} else
		out->key = make_key(m->key != NULL ? m->key : "P-256");
	out->x509 = x509;
	must(X509_set_version(x509, X509_VERSION_3) == 1);
	bn = m->serial != NULL ? BN_bin2bn(m->serial, (int)m->serial_len, NULL) :
	    BN_bin2bn((const unsigned char *)"\x01", 1, NULL);
	BN_set_negative(bn, m->negative);
	must(BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x509)) != NULL);
	BN_free(bn);
	must(X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
	    (const unsigned char *)"Test", -1, -1, 0) == 1);
	must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
	    (const unsigned char *)m->name, -1, -1, 0) == 1);
	must(X509_set_subject_name(x509, name) == 1);
	must(X509_set_issuer_name(x509,
	    X509_get_subject_name(issuer->x509)) == 1);
	must(ASN1_TIME_set_string(X509_getm_notBefore(x509),
	    "20200101000000Z") == 1);
	must(ASN1_TIME_set_string(X509_getm_notAfter(x509),
	    "20491231000000Z") == 1);
	must(X509_set_pubkey(x509, out->key) == 1);
	if (!m->leaf) {
		add_ext(x509, issuer->x509, NID_basic_constraints,
		    "critical,CA:TRUE");
		add_ext(x509, issuer->x509, NID_subject_key_identifier, "hash");
	}
	if (m->key_usage == NULL)
		add_ext(x509, issuer->x509, NID_key_usage, m->leaf ?
		    "critical,digitalSignature" :
		    "critical,keyCertSign,cRLSign");
	else if (m->key_usage[0] != '\0')
		add_ext(x509, issuer->x509, NID_key_usage, m->key_usage);
	if (m->points != NULL)
		add_ext(x509, issuer->x509, NID_crl_distribution_points,
		    m->points);
	type = EVP_PKEY_get_base_id(issuer->key);
	if (type == EVP_PKEY_ED25519)
		md = NULL;
	must(X509_sign(x509, issuer->key, md) > 0);
	X509_NAME_free(name);
	out->cert = cert_new(x509);
	must(out->cert != NULL);
}

MAKE void
ca_free(struct ca *ca)
{
	cert_free(ca->cert);
	X509_free(ca->x509);
	EVP_PKEY_free(ca->key);
	memset(ca, 0, sizeof(*ca));
}

MAKE struct pool *
make_pool(const struct ca *const *cas, size_t n)
{
	struct pool	*pool = pool_new();
	size_t		 i;

	must(pool != NULL);
	for (i = 0; i < n; i++)
		must(pool_add(pool, cas[i]->x509, POOL_ANCHOR, "test"));
	must(pool_seal(pool));
	return pool;
}

/* -------------------------------------------------------------------- CRLs */

#define THIS	"260101000000Z"		/* 1767225600 */
#define NEXT	"260108000000Z"		/* 1767830400 */
#define T_THIS	1767225600
#define T_NEXT	1767830400
#define DAY	86400

struct make_crl {
	const struct ca	*ca;
	EVP_PKEY	*key;		/* NULL: the CA's */
	const char	*this_update, *next_update;	/* NULL: THIS, NEXT; "": none */
	const char	*number;	/* INTEGER's bytes in hex; NULL: 01; "": none */
	const struct buf *entries;	/* NULL: no list */
	const struct buf *extra;	/* more extensions */
	const struct buf *idp;		/* value of issuingDistributionPoint */
	const EVP_MD	*md;		/* NULL: SHA-256 */
	const char	*outer_md;	/* another digest in signatureAlgorithm */
	bool		 v1, no_aki, two_aki, no_extensions;
	bool		 bad_signature;
	unsigned char	 version;	/* 0: 1 (v2) */
};

MAKE void
add_algorithm(struct buf *out, EVP_PKEY *key, const EVP_MD *md)
{
	X509_ALGOR	*algor = X509_ALGOR_new();
	unsigned char	*der = NULL;
	int		 nid, len, type = EVP_PKEY_get_base_id(key);

	if (type == EVP_PKEY_ED25519)
		nid = NID_ED25519;
	else
		must(OBJ_find_sigid_by_algs(&nid, EVP_MD_get_type(md), type) == 1);
	must(X509_ALGOR_set0(algor, OBJ_nid2obj(nid), type == EVP_PKEY_RSA ?
	    V_ASN1_NULL : V_ASN1_UNDEF, NULL) == 1);
	len = i2d_X509_ALGOR(algor, &der);
	must(len > 0);
	buf_add(out, der, (size_t)len);
	OPENSSL_free(der);
	X509_ALGOR_free(algor);
}

MAKE void
add_hex_integer(struct buf *out, const char *hex)
{
	long		 len;
	unsigned char	*bytes = OPENSSL_hexstr2buf(hex, &len);

	must(bytes != NULL);
	buf_tlv(out, 0x02, bytes, (size_t)len);
	OPENSSL_free(bytes);
}

MAKE void
add_crl_extensions(struct buf *tbs, const struct make_crl *m)
{
	struct buf	exts = { 0 }, value = { 0 };
	int		i;

	for (i = 0; i < (m->no_aki ? 0 : m->two_aki ? 2 : 1); i++) {
		buf_tlv(&value, 0x80, m->ca->cert->ski, m->ca->cert->ski_len);
		buf_wrap(&value, 0x30);
		buf_extension(&exts, 35, false, value.data, value.len);
		buf_free(&value);
	}
	if (m->number == NULL || m->number[0] != '\0') {
		add_hex_integer(&value, m->number != NULL ? m->number : "01");
		buf_extension(&exts, 20, false, value.data, value.len);
		buf_free(&value);
	}
	if (m->idp != NULL)
		buf_extension(&exts, 28, true, m->idp->data, m->idp->len);
	if (m->extra != NULL)
		buf_add(&exts, m->extra->data, m->extra->len);
	if (exts.len > 0) {
		buf_wrap(&exts, 0x30);
		buf_tlv(tbs, 0xa0, exts.data, exts.len);
	}
	buf_free(&exts);
}

/* Signs a finished TBSCertList; adds the outer parts. */
MAKE struct buf
sign_crl(struct buf *tbs, EVP_PKEY *key, const EVP_MD *md, const EVP_MD *outer,
    bool bad)
{
	EVP_MD_CTX	*ctx = EVP_MD_CTX_new();
	unsigned char	 sig[2048];
	size_t		 sig_len = sizeof(sig) - 1;
	struct buf	 out = { 0 };

	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519)
		md = NULL;
	must(EVP_DigestSignInit(ctx, NULL, md, NULL, key) == 1);
	sig[0] = 0;
	must(EVP_DigestSign(ctx, sig + 1, &sig_len, tbs->data, tbs->len) == 1);
	EVP_MD_CTX_free(ctx);
	if (bad)
		sig[sig_len] ^= 1;
	buf_add(&out, tbs->data, tbs->len);
	add_algorithm(&out, key, outer != NULL ? outer : md);
	buf_tlv(&out, 0x03, sig, sig_len + 1);
	buf_wrap(&out, 0x30);
	buf_free(tbs);
	return out;
}

MAKE struct buf
make_tbs(const struct make_crl *m)
{
	EVP_PKEY	*key = m->key != NULL ? m->key : m->ca->key;
	const EVP_MD	*md = m->md != NULL ? m->md : EVP_sha256();
	struct buf	 tbs = { 0 };
	unsigned char	*name = NULL;
	const char	*t;
	int		 len;

	if (!m->v1)
		buf_integer(&tbs, m->version != 0 ? m->version : 1);
	add_algorithm(&tbs, key, md);
	len = i2d_X509_NAME(X509_get_subject_name(m->ca->x509), &name);
	must(len > 0);
	buf_add(&tbs, name, (size_t)len);
	OPENSSL_free(name);
	t = m->this_update != NULL ? m->this_update : THIS;
	buf_tlv(&tbs, strlen(t) == 13 ? 0x17 : 0x18, t, strlen(t));
	t = m->next_update != NULL ? m->next_update : NEXT;
	if (t[0] != '\0')
		buf_tlv(&tbs, strlen(t) == 13 ? 0x17 : 0x18, t, strlen(t));
	if (m->entries != NULL)
		buf_tlv(&tbs, 0x30, m->entries->data, m->entries->len);
	if (!m->no_extensions)
		add_crl_extensions(&tbs, m);
	buf_wrap(&tbs, 0x30);
	return tbs;
}

MAKE struct buf
make_crl(const struct make_crl *m)
{
	struct buf	tbs = make_tbs(m);

	return sign_crl(&tbs, m->key != NULL ? m->key : m->ca->key,
	    m->md != NULL ? m->md : EVP_sha256(), m->outer_md != NULL ?
	    EVP_get_digestbyname(m->outer_md) : NULL, m->bad_signature);
}

/* --------------------------------------------------------------------- IDP */

/* The value of issuingDistributionPoint: one URI (NULL: none) and flags, the
 * numbers of RFC 5280 5.2.5's fields in ascending order, ended by 0. */
MAKE struct buf
make_idp(const char *const *uris, const unsigned char *flags)
{
	struct buf	idp = { 0 }, name = { 0 };

	for (; uris != NULL && *uris != NULL; uris++)
		buf_tlv(&name, 0x86, *uris, strlen(*uris));
	if (name.len > 0) {
		buf_wrap(&name, 0xa0);	/* fullName */
		buf_wrap(&name, 0xa0);	/* distributionPoint */
		buf_add(&idp, name.data, name.len);
	}
	buf_free(&name);
	for (; flags != NULL && *flags != 0; flags++) {
		if (*flags == 3)
			buf_tlv(&idp, 0x83, "\x01\x02", 2);
		else
			buf_tlv(&idp, 0x80u | *flags, "\xff", 1);
	}
	buf_wrap(&idp, 0x30);
	return idp;
}

/* ------------------------------------------------------------------- files */

MAKE void
write_file(const char *folder, const char *name, const void *data, size_t len)
{
	char	path[512], part[520];
	FILE	*f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	snprintf(part, sizeof(part), "%s.part", path);
	f = fopen(part, "wb");
	must(f != NULL);
	must(len == 0 || fwrite(data, 1, len, f) == len);
	must(fclose(f) == 0);
	must(rename(part, path) == 0);
}

/* "X509 CRL" in PEM, appended. */
MAKE void
buf_pem(struct buf *out, const struct buf *der, const char *label)
{
	unsigned char	*text = malloc(der->len * 2 + 64);
	char		 line[64];
	size_t		 i;
	int		 n;

	must(text != NULL);
	snprintf(line, sizeof(line), "-----BEGIN %s-----\n", label);
	buf_add(out, line, strlen(line));
	for (i = 0; i < der->len; i += 48) {
		n = EVP_EncodeBlock(text, der->data + i,
		    (int)(der->len - i < 48 ? der->len - i : 48));
		buf_add(out, text, (size_t)n);
		buf_add(out, "\n", 1);
	}
	snprintf(line, sizeof(line), "-----END %s-----\n", label);
	buf_add(out, line, strlen(line));
	free(text);
}

#endif
