/*
 * cert.h - what does this certificate say? A view, read once.
 *
 * Never judges: a field that is unreadable is a flag in `faults`, which
 * validate.c and policy.c turn into findings.
 */
#ifndef CERTAUTH_TRUST_CERT_H
#define CERTAUTH_TRUST_CERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "certauth.h"
#include "trust/key.h"

/* A certificate larger than this is not looked at. */
#define CERT_MAX_BYTES		(64u * 1024)
/* Names of all kinds in one certificate (LibreSSL takes 512). */
#define CERT_MAX_NAMES		512
/* Distribution point names remembered for partitioned CRLs. */
#define CERT_MAX_DISTRIBUTION_POINTS	64
/* A name of more attributes than this is compared by its bytes. */
#define CERT_MAX_NAME_ENTRIES	256
/* RFC 5280 4.1.2.2 says 20; GlobalSign uses up to 18; a sign octet is stripped. */
#define CERT_MAX_SERIAL		20

enum cert_san_kind {
	CERT_SAN_EMAIL, CERT_SAN_DNS, CERT_SAN_URI, CERT_SAN_UPN,
	CERT_SAN_SMTP_UTF8, CERT_SAN_OTHER
};
struct cert_oid { const unsigned char *data; size_t data_len; };	/* contents */
struct cert_san {
	enum cert_san_kind	 kind;
	const unsigned char	*data;	/* raw bytes of the value, may hold NUL */
	size_t			 data_len;
};

/* faults: bits */
#define CERT_FAULT_EXTENSION	0x01u	/* an extension does not decode */
#define CERT_FAULT_DUPLICATE	0x02u	/* one extension twice, RFC 5280 4.2 */
#define CERT_FAULT_SAN		0x04u	/* SAN does not decode or is empty */
#define CERT_FAULT_SERIAL	0x08u	/* longer than CERT_MAX_SERIAL */
#define CERT_FAULT_TRAILING	0x10u	/* bytes after an extension's value */
#define CERT_FAULT_TOO_BIG	0x20u	/* bytes or names over the ceilings */
#define CERT_FAULT_ALGORITHM	0x40u	/* tbs and outer signature algorithm differ */
#define CERT_FAULT_TIME		0x80u	/* a validity date does not decode */
#define CERT_FAULT_VERSION	0x100u	/* extensions in a v1/v2 certificate */
#define CERT_FAULT_DER		0x200u	/* BER, or no version of RFC 5280 4.1.2.1 */
#define CERT_FAULT_ISSUER	0x400u	/* issuer (or a CA's subject) is empty */
#define CERT_FAULT_CA_ONLY	0x800u	/* name constraints in what is no CA */
#define CERT_FAULT_QUALIFIER	0x1000u	/* critical policies, unknown qualifier */

/* an extension may not say what it seems to */
#define CERT_FAULTS_EXTENSION	(CERT_FAULT_EXTENSION | CERT_FAULT_DUPLICATE | \
				CERT_FAULT_TRAILING)

struct constraints;
struct constraints_names;
struct signature_ready;

/* RFC 5280 4.2.1.13: one of cRLDistributionPoints. */
struct cert_point {
	bool	 has_name, has_issuer, has_reasons;
	unsigned reasons;		/* bit n: ReasonFlags' bit n, 1 to 8 */
	size_t	 first_dp, num_dps;		/* of dps: its names */
	size_t	 first_issuer, num_issuers;	/* of point_issuers */
};

struct cert {
	X509		*x509;		/* one reference */
	unsigned	 faults;
	unsigned char	 sha256[32];	/* of the DER */
	unsigned char	 spki_sha256[32];	/* of the SubjectPublicKeyInfo DER */
	unsigned char	 subject_sha256[32];	/* of OpenSSL's canonical name */
	unsigned char	 issuer_sha256[32];	/* likewise; "names equal" = equal */
	struct key	 key;
	unsigned char	 serial[CERT_MAX_SERIAL];	/* big-endian, no leading zeros; "0" is one zero byte */
	size_t		 serial_len;
	bool		 serial_negative;
	int64_t		 not_before, not_after;
	const unsigned char *ski, *aki;	/* key ids, NULL when absent */
	size_t		 ski_len, aki_len;
	bool		 self_issued;	/* subject == issuer */
	bool		 is_ca;		/* basicConstraints CA true */
	bool		 has_bc;
	long		 path_len;	/* -1: none */
	bool		 has_key_usage;
	uint32_t	 key_usage;	/* KU_* of x509v3.h */
	bool		 critical_unknown;	/* RFC 5280 4.2: nobody may use it */
	bool		 has_eku;
	ASN1_OBJECT    **ekus;	 size_t num_ekus;
	struct cert_san	*sans;	 size_t num_sans;
	/* sha256 of each distribution point's GeneralName DER (fullName), and of
	 * the directoryName that a relative name makes */
	unsigned char  (*dps)[32]; size_t num_dps;
	/* the distribution points one by one (points.c), and the hashes of their
	 * cRLIssuer names: of directoryNames as issuer_sha256. No points, but
	 * dps: points that have nothing but names. */
	struct cert_point *points; size_t num_points;
	unsigned char  (*point_issuers)[32]; size_t num_point_issuers;
	/* constraints.c's, read when first asked for; NULL: not yet */
	_Atomic(struct constraints *)	constraints;
	_Atomic(struct constraints_names *)	names;
	/* signature.c's, for what this key signed; likewise */
	_Atomic(struct signature_ready *)	ready;
	struct cert_oid	*policies; size_t num_policies;
	/* mappings, constraints or inhibit-any, or policies that `policies` has
	 * not: only X509_policy_check() will do */
	bool		 has_policy_rules;
	bool		 has_name_constraints;
	/* the signed bytes, NULL where CERT_FAULT_DER says that they are no DER */
	const unsigned char *tbs; size_t tbs_len;
	void		*owned;		/* cert.c's own */
};

/* Takes a reference of its own. NULL: out of memory or not a certificate at
 * all. Immutable afterwards: any thread may read it. */
struct cert *cert_new(X509 *);
/* The same, spared the encoding: `der` is what i2d_X509() gives, borrowed for as
 * long as the view lives. */
struct cert *cert_new_der(X509 *, const unsigned char *der, size_t der_len);
struct cert *cert_ref(struct cert *);
void	cert_free(struct cert *);			/* NULL allowed */

/* The n-th (0 first) value of a subject attribute by NID or dotted OID/short or
 * long name, as UTF-8 bytes; false: no such value or it does not convert.
 * *data_r is freed by the caller with OPENSSL_free(). */
bool	cert_subject_attr(const struct cert *, const char *name, size_t n,
	    unsigned char **data_r, size_t *data_len_r);
/* Subject (or issuer) in RFC 4514 order and escaping, printable. Caller frees
 * with free(). NULL: out of memory. */
char   *cert_subject_print(const struct cert *);
char   *cert_issuer_print(const struct cert *);
char   *cert_name_print(const X509_NAME *);
/*
 * SHA-256 over a canonical form of the name (RFC 5280 7.1: string types as
 * UTF-8, ASCII lower case, white space folded, the attributes of one RDN in any
 * order): equal hashes are equal names. False: out of memory.
 */
bool	cert_name_sha256(const X509_NAME *, unsigned char sha256_r[32]);
/* The same for each RDN, from the first. Caller frees *rdns_r. False: out of
 * memory, or more than CERT_MAX_NAME_ENTRIES attributes. */
bool	cert_name_rdns(const X509_NAME *, unsigned char (**rdns_r)[32],
	    size_t *num_rdns_r);
/* The same for one GeneralName: a directoryName by cert_name_sha256, all other
 * kinds by their DER. */
bool	cert_general_name_sha256(const GENERAL_NAME *, unsigned char sha256_r[32]);
/* True when `data` could be one mailbox: local@domain, no control characters,
 * valid UTF-8. */
bool	cert_mailbox_plain(const unsigned char *data, size_t data_len);
/* ASN1_STRING_to_UTF8() that tells no memory (CERT_NO_MEMORY) from a string that
 * does not convert (CERT_NO_TEXT). Else the length, *utf8_r is the caller's
 * (OPENSSL_free). OpenSSL's errors are the caller's too. */
#define CERT_NO_TEXT	(-1)
#define CERT_NO_MEMORY	(-2)
int	cert_string_utf8(const ASN1_STRING *, unsigned char **utf8_r);
/* Is that name this mailbox? Local part to the letter, domain without ASCII case
 * (RFC 5280 7.5). */
bool	cert_mailbox_is(const unsigned char *data, size_t data_len,
	    const char *mailbox);

#endif
