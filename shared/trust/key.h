/* key.h - what key is this? Read from its encoding, without using it. */
#ifndef CERTAUTH_TRUST_KEY_H
#define CERTAUTH_TRUST_KEY_H

#include <stdbool.h>

#include <openssl/x509.h>

enum key_kind { KEY_OTHER, KEY_RSA, KEY_EC, KEY_EDWARDS };

struct key {
	enum key_kind	kind;	/* KEY_OTHER: another, or unreadable */
	unsigned	bits;	/* RSA: of the modulus */
	bool		sane_exponent;	/* RSA: odd, over 1, at most 2^32 */
	unsigned	steps;	/* RSA: multiplications that the exponent takes */
	int		curve;	/* EC: NID of the named curve; NID_undef: explicit */
};

/* Looks at the bytes only; a key that somebody sent costs next to nothing. */
void	key_read(const X509_PUBKEY *, struct key *key_r);
/* What a signature check with it costs, in checks with P-256, rounded up. */
unsigned	key_cost(const struct key *);

#endif
