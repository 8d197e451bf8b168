/*
 * key.c - what key is this?
 *
 * Reads the SubjectPublicKeyInfo by itself: OpenSSL's getters build numbers and
 * contexts, which costs more than half a signature check, for a key that may
 * not even be allowed. Judges nothing; policy.c does.
 */

#include <stdint.h>
#include <string.h>

#include <openssl/obj_mac.h>
#include <openssl/objects.h>

#include "trust/key.h"
#include "trust/strict.h"

/* The INTEGER at *p without leading zeros; advances. False: none, or negative. */
static bool
take_integer(const unsigned char **p, const unsigned char *end,
    const unsigned char **data_r, size_t *len_r)
{
	const unsigned char	*q = *p;
	long			 len = 0;
	int			 tag = 0, class = 0, ret;

	if (end - q <= 0)
		return false;
	ret = ASN1_get_object(&q, &len, &tag, &class, end - q);
	if ((ret & 0x80) != 0 || tag != V_ASN1_INTEGER ||
	    class != V_ASN1_UNIVERSAL || len <= 0 || (q[0] & 0x80) != 0)
		return false;
	*p = q + len;
	while (len > 1 && q[0] == 0) {
		q++;
		len--;
	}
	*data_r = q;
	*len_r = (size_t)len;
	return true;
}

/* RFC 8017 A.1.1: SEQUENCE { modulus, publicExponent }. */
static bool
read_rsa(const unsigned char *data, int data_len, struct key *key)
{
	const unsigned char	*p = data, *end = data + data_len, *n, *e;
	size_t			 n_len, e_len;
	long			 len = 0;
	int			 tag = 0, class = 0, ret;
	unsigned char		 top;
	uint32_t		 value;
	size_t			 i, used;

	if (data_len <= 0 || !strict_der(data, (size_t)data_len, &used))
		return false;
	ret = ASN1_get_object(&p, &len, &tag, &class, data_len);
	if ((ret & 0x80) != 0 || tag != V_ASN1_SEQUENCE || p + len != end ||
	    !take_integer(&p, end, &n, &n_len) ||
	    !take_integer(&p, end, &e, &e_len) || p != end ||
	    n_len > 65536 || (n[n_len - 1] & 1) == 0)
		return false;
	key->bits = (unsigned)(n_len * 8);
	for (top = n[0]; (top & 0x80) == 0 && key->bits > 0; key->bits--)
		top = (unsigned char)(top << 1 | 1);
	key->sane_exponent = e_len <= 4 && (e[e_len - 1] & 1) != 0 &&
	    !(e_len == 1 && e[0] == 1);
	/* a square for each bit below the highest, a product for each that is set */
	for (value = 0, i = 0; key->sane_exponent && i < e_len; i++)
		value = value << 8 | e[i];
	for (; value > 1; value >>= 1)
		key->steps += 1 + (value & 1);
	return true;
}

/* Of OpenSSL 3.0 on x86-64: P-384 has no code of its own there. */
unsigned
key_cost(const struct key *key)
{
	unsigned	units;

	switch (key->kind) {
	case KEY_RSA:
		/* RSA-4096 with 65537, of 17 steps, is one */
		units = key->bits / 64 * (key->bits / 64) * key->steps;
		return (units + 64 * 64 * 17 - 1) / (64 * 64 * 17);
	case KEY_EC:
		return key->curve == NID_X9_62_prime256v1 ? 1 :
		    key->curve == NID_secp521r1 ? 9 : 11;
	case KEY_EDWARDS:
		return 4;
	case KEY_OTHER:
		break;
	}
	return 1;	/* such a key is never used */
}

void
key_read(const X509_PUBKEY *pub, struct key *key_r)
{
	ASN1_OBJECT		*oid = NULL;
	const unsigned char	*data = NULL;
	X509_ALGOR		*algor = NULL;
	const ASN1_OBJECT	*ignored;
	const void		*value = NULL;
	int			 len = 0, type = 0;

	memset(key_r, 0, sizeof(*key_r));
	if (X509_PUBKEY_get0_param(&oid, &data, &len, &algor, pub) != 1 ||
	    /* what OpenSSL cannot use is no key, whatever the bytes say */
	    X509_PUBKEY_get0(pub) == NULL)
		return;
	switch (OBJ_obj2nid(oid)) {
	case NID_rsaEncryption:
	case NID_rsassaPss:
		if (read_rsa(data, len, key_r))
			key_r->kind = KEY_RSA;
		break;
	case NID_X9_62_id_ecPublicKey:
		/* RFC 5480 2.2: no hybrid form, and no point at infinity */
		if (len < 1 || data[0] < 2 || data[0] > 4)
			break;
		X509_ALGOR_get0(&ignored, &type, &value, algor);
		key_r->kind = KEY_EC;
		/* RFC 5480 2.1.1: namedCurve is the one choice there is */
		if (type == V_ASN1_OBJECT)
			key_r->curve = OBJ_obj2nid(value);
		break;
	case NID_ED25519:
	case NID_ED448:
		key_r->kind = KEY_EDWARDS;
		break;
	default:	/* DSA, GOST, what may come: never allowed */
		break;
	}
}
