/*
 * policy.h - do we like it: key, digest, purpose, policy OIDs, lifetime, depth?
 *
 * What an administrator decides beyond RFC 5280's yes or no.
 */
#ifndef CERTAUTH_TRUST_POLICY_H
#define CERTAUTH_TRUST_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/objects.h>

#include "trust/cert.h"
#include "verdict/verdict.h"

#define POLICY_MAX_PURPOSES	16
#define POLICY_MAX_OIDS		64

enum policy_purpose_kind {
	PURPOSE_NONE,		/* zero matches nothing */
	PURPOSE_CLIENT,		/* clientAuth, digitalSignature */
	PURPOSE_EMAIL,		/* emailProtection, digitalSignature or nonRepudiation */
	PURPOSE_EKU,		/* that EKU */
	PURPOSE_ANY		/* neither EKU nor key usage looked at */
};
struct policy_purpose {
	enum policy_purpose_kind kind;
	ASN1_OBJECT		*oid;	/* PURPOSE_EKU; owned */
};

#define POLICY_CURVE_P256	0x1u
#define POLICY_CURVE_P384	0x2u
#define POLICY_CURVE_P521	0x4u
#define POLICY_DIGEST_SHA256	0x1u
#define POLICY_DIGEST_SHA384	0x2u
#define POLICY_DIGEST_SHA512	0x4u
#define POLICY_DIGEST_SHA1	0x8u
#define POLICY_DIGEST_SHA224	0x10u

struct policy_options {
	struct policy_purpose	purposes[POLICY_MAX_PURPOSES];	/* any of */
	size_t			num_purposes;
	/* user-initial-policy-set, RFC 5280 6.1.1 (c); none: any-policy */
	ASN1_OBJECT	       *policies[POLICY_MAX_OIDS];
	size_t			num_policies;
	/* Those from num_plain on stand for classes: one of them must hold, and
	 * one of the others when there are any. */
	size_t			num_plain;
	bool			has_classes;
	bool			explicit_policy, inhibit_any, inhibit_mapping;
	unsigned		rsa_min, rsa_max;	/* bits */
	unsigned		curves;			/* POLICY_CURVE_* */
	bool			ed;			/* Ed25519 and Ed448 */
	unsigned		digests;		/* POLICY_DIGEST_* */
	int64_t			max_lifetime;		/* seconds; 0: no limit */
	int64_t			renew_before, renew_after; /* trust/renewal.h; 0: no window */
	int64_t			min_lifetime;		/* likewise */
	bool			no_empty_names;
	unsigned		depth;			/* intermediates, self-issued ones not counted */
	char		       *email;			/* the leaf must carry it; NULL: none. Owned */
};
/* INTERFACE 2's defaults: purposes none (the caller adds clientAuth). */
void	policy_options_init(struct policy_options *);
void	policy_options_clear(struct policy_options *);
/* Deep copy into an initialised struct. False: out of memory. */
bool	policy_options_copy(struct policy_options *, const struct policy_options *);

/* Words of INTERFACE 2 and 3. False: unknown word (nothing changed). */
bool	policy_add_purpose(struct policy_options *, const char *word_or_oid);
	/* clientAuth|client, emailProtection|email, any, a name or OID */
bool	policy_add_oid(struct policy_options *, const char *oid);
bool	policy_curve_parse(const char *, unsigned *bit_r);	/* "P-256" ... */
bool	policy_digest_parse(const char *, unsigned *bit_r);	/* "sha256" ... */

/* Findings about `path[0]` leaf ... `path[n-1]` anchor go into the verdict. */
void	policy_check(const struct policy_options *, struct cert *const *path,
	    size_t num_path, struct certauth_verdict *, int path_no);
/* Could a path with this certificate serve any of the purposes? (EKU only) */
bool	policy_purpose_possible(const struct policy_options *,
	    const struct cert *);
/* May this key be used to check a signature at all? False: `text_r` (static or
 * buf) says why. Used before any signature check. */
bool	policy_key_allowed(const struct policy_options *, const struct cert *,
	    char *buf, size_t buf_len);
/* The same of the digest that the certificate was signed with. */
bool	policy_digest_allowed(const struct policy_options *,
	    const struct cert *, char *buf, size_t buf_len);

#endif
