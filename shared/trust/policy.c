/*
 * policy.c - do we like it: key, digest, purpose, lifetime, depth?
 *
 * What an administrator decides beyond RFC 5280's yes or no. Policy OIDs are
 * part of path validation and live in validate.c.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/text.h"
#include "trust/policy.h"

#define POLICY_RSA_CEILING	8192

void
policy_options_init(struct policy_options *o)
{
	memset(o, 0, sizeof(*o));
	o->rsa_min = 2048;
	o->rsa_max = POLICY_RSA_CEILING;
	o->curves = POLICY_CURVE_P256 | POLICY_CURVE_P384 | POLICY_CURVE_P521;
	o->ed = true;
	o->digests = POLICY_DIGEST_SHA256 | POLICY_DIGEST_SHA384 |
	    POLICY_DIGEST_SHA512;
	o->depth = 5;
}

void
policy_options_clear(struct policy_options *o)
{
	size_t	i;

	for (i = 0; i < o->num_purposes; i++)
		ASN1_OBJECT_free(o->purposes[i].oid);
	for (i = 0; i < o->num_policies; i++)
		ASN1_OBJECT_free(o->policies[i]);
	free(o->email);
	memset(o, 0, sizeof(*o));
}

bool
policy_options_copy(struct policy_options *to, const struct policy_options *from)
{
	size_t	i;

	policy_options_clear(to);
	*to = *from;
	to->num_purposes = to->num_policies = 0;
	to->email = NULL;
	for (i = 0; i < from->num_purposes; i++) {
		to->purposes[i] = from->purposes[i];
		if (from->purposes[i].oid != NULL) {
			to->purposes[i].oid = OBJ_dup(from->purposes[i].oid);
			if (to->purposes[i].oid == NULL)
				return false;
		}
		to->num_purposes++;
	}
	for (i = 0; i < from->num_policies; i++) {
		to->policies[i] = OBJ_dup(from->policies[i]);
		if (to->policies[i] == NULL)
			return false;
		to->num_policies++;
	}
	if (from->email != NULL && (to->email = strdup(from->email)) == NULL)
		return false;
	return true;
}

/* ----------------------------------------------------------------- words */

bool
policy_add_purpose(struct policy_options *o, const char *word)
{
	enum policy_purpose_kind	kind;
	ASN1_OBJECT			*oid = NULL;

	if (o->num_purposes == POLICY_MAX_PURPOSES)
		return false;
	if (strcmp(word, "client") == 0 || strcmp(word, "clientAuth") == 0 ||
	    strcmp(word, "1.3.6.1.5.5.7.3.2") == 0) {
		kind = PURPOSE_CLIENT;
	} else if (strcmp(word, "email") == 0 ||
	    strcmp(word, "emailProtection") == 0 ||
	    strcmp(word, "1.3.6.1.5.5.7.3.4") == 0) {
		kind = PURPOSE_EMAIL;
	} else if (strcmp(word, "any") == 0) {
		kind = PURPOSE_ANY;
	} else {
		kind = PURPOSE_EKU;
		ERR_set_mark();
		oid = OBJ_txt2obj(word, 0);
		ERR_pop_to_mark();
		/* anyEKU asked for by name would match every certificate */
		if (oid == NULL || OBJ_obj2nid(oid) == NID_anyExtendedKeyUsage) {
			ASN1_OBJECT_free(oid);
			return false;
		}
	}
	o->purposes[o->num_purposes].kind = kind;
	o->purposes[o->num_purposes++].oid = oid;
	return true;
}

bool
policy_add_oid(struct policy_options *o, const char *oid)
{
	ASN1_OBJECT	*object;

	if (o->num_policies == POLICY_MAX_OIDS)
		return false;
	ERR_set_mark();
	object = OBJ_txt2obj(oid, 1);	/* dotted only: names may change */
	ERR_pop_to_mark();
	if (object == NULL)
		return false;
	o->policies[o->num_policies++] = object;
	return true;
}

bool
policy_curve_parse(const char *word, unsigned *bit_r)
{
	if (strcmp(word, "P-256") == 0)
		*bit_r = POLICY_CURVE_P256;
	else if (strcmp(word, "P-384") == 0)
		*bit_r = POLICY_CURVE_P384;
	else if (strcmp(word, "P-521") == 0)
		*bit_r = POLICY_CURVE_P521;
	else
		return false;
	return true;
}

bool
policy_digest_parse(const char *word, unsigned *bit_r)
{
	if (strcasecmp(word, "sha256") == 0)
		*bit_r = POLICY_DIGEST_SHA256;
	else if (strcasecmp(word, "sha384") == 0)
		*bit_r = POLICY_DIGEST_SHA384;
	else if (strcasecmp(word, "sha512") == 0)
		*bit_r = POLICY_DIGEST_SHA512;
	else if (strcasecmp(word, "sha1") == 0)
		*bit_r = POLICY_DIGEST_SHA1;
	else if (strcasecmp(word, "sha224") == 0)
		*bit_r = POLICY_DIGEST_SHA224;
	else
		return false;
	return true;
}

/* ------------------------------------------------------------------ keys */

/*
 * An exponent over 2^32 makes a check of a key that somebody sent cost
 * milliseconds; an even one, or 1, makes it mean nothing.
 */
static bool
rsa_allowed(const struct policy_options *o, const struct key *key, char *buf,
    size_t buf_len)
{
	if (key->bits < o->rsa_min || key->bits > o->rsa_max ||
	    key->bits > POLICY_RSA_CEILING) {
		snprintf(buf, buf_len, "RSA key of %u bits, allowed are %u to %u",
		    key->bits, o->rsa_min, o->rsa_max);
		return false;
	}
	if (!key->sane_exponent) {
		snprintf(buf, buf_len,
		    "RSA exponent is even, 1, or over 2^32");
		return false;
	}
	return true;
}

static bool
ec_allowed(const struct policy_options *o, const struct key *key, char *buf,
    size_t buf_len)
{
	unsigned	bit = 0;

	if (key->curve == NID_undef) {
		snprintf(buf, buf_len, "EC key with explicit or unknown curve "
		    "parameters (RFC 5480 2.1.1 forbids them)");
		return false;
	}
	if (key->curve == NID_X9_62_prime256v1)
		bit = POLICY_CURVE_P256;
	else if (key->curve == NID_secp384r1)
		bit = POLICY_CURVE_P384;
	else if (key->curve == NID_secp521r1)
		bit = POLICY_CURVE_P521;
	if ((o->curves & bit) == 0) {
		snprintf(buf, buf_len, "EC key on curve %s is not allowed",
		    OBJ_nid2sn(key->curve));
		return false;
	}
	return true;
}

bool
policy_key_allowed(const struct policy_options *o, const struct cert *cert,
    char *buf, size_t buf_len)
{
	switch (cert->key.kind) {
	case KEY_RSA:
		return rsa_allowed(o, &cert->key, buf, buf_len);
	case KEY_EC:
		return ec_allowed(o, &cert->key, buf, buf_len);
	case KEY_EDWARDS:
		if (o->ed)
			return true;
		snprintf(buf, buf_len, "Ed25519 and Ed448 keys are not allowed");
		return false;
	case KEY_OTHER:
		break;
	}
	snprintf(buf, buf_len, "public key of a kind that is never allowed, or "
	    "unreadable");
	return false;
}

/* X509_get_signature_info() reads the whole certificate before it answers: only
 * where the digest is in the parameters (RSA-PSS) or part of the algorithm. */
static bool
signature_info(const struct cert *cert, int *md_r, int *pk_r)
{
	if (OBJ_find_sigid_algs(X509_get_signature_nid(cert->x509), md_r,
	    pk_r) == 1 && *md_r != NID_undef && *pk_r != NID_undef)
		return true;
	*md_r = *pk_r = NID_undef;
	return X509_get_signature_info(cert->x509, md_r, pk_r, NULL, NULL) == 1;
}

bool
policy_digest_allowed(const struct policy_options *o, const struct cert *cert,
    char *buf, size_t buf_len)
{
	int		md = NID_undef, pk = NID_undef;
	unsigned	bit = 0;
	bool		ok = false;

	ERR_set_mark();
	if (!signature_info(cert, &md, &pk)) {
		snprintf(buf, buf_len, "signature algorithm is unknown");
		goto out;
	}
	if (pk == NID_ED25519 || pk == NID_ED448) {
		ok = o->ed;
		if (!ok)
			snprintf(buf, buf_len,
			    "Ed25519 and Ed448 are not allowed");
		goto out;
	}
	switch (md) {
	case NID_sha256:
		bit = POLICY_DIGEST_SHA256;
		break;
	case NID_sha384:
		bit = POLICY_DIGEST_SHA384;
		break;
	case NID_sha512:
		bit = POLICY_DIGEST_SHA512;
		break;
	case NID_sha1:
		bit = POLICY_DIGEST_SHA1;
		break;
	case NID_sha224:
		bit = POLICY_DIGEST_SHA224;
		break;
	default:	/* MD5 and the like: no bit, never allowed */
		break;
	}
	ok = (o->digests & bit) != 0;
	if (!ok)
		snprintf(buf, buf_len, "signed with %s, which is not allowed",
		    md != NID_undef ? OBJ_nid2sn(md) : "no known digest");
out:
	ERR_pop_to_mark();
	return ok;
}

/* -------------------------------------------------------------- purposes */

static bool
eku_allows(const struct cert *cert, const struct policy_purpose *purpose)
{
	size_t	i;
	int	nid, want;

	if (!cert->has_eku || purpose->kind == PURPOSE_ANY)
		return true;	/* RFC 5280 4.2.1.12: absent is unrestricted */
	want = purpose->kind == PURPOSE_CLIENT ? NID_client_auth :
	    purpose->kind == PURPOSE_EMAIL ? NID_email_protect : NID_undef;
	for (i = 0; i < cert->num_ekus; i++) {
		nid = OBJ_obj2nid(cert->ekus[i]);
		if (nid == NID_anyExtendedKeyUsage)
			return true;
		if (purpose->oid != NULL ?
		    OBJ_cmp(cert->ekus[i], purpose->oid) == 0 :
		    want != NID_undef && nid == want)
			return true;
	}
	return false;
}

/* RFC 5280 4.2.1.3 and 4.2.1.12: usage and purpose must agree. */
static bool
key_usage_allows(const struct cert *cert, const struct policy_purpose *purpose)
{
	switch (purpose->kind) {
	case PURPOSE_CLIENT:
		return !cert->has_key_usage ||
		    (cert->key_usage & KU_DIGITAL_SIGNATURE) != 0;
	case PURPOSE_EMAIL:
		return !cert->has_key_usage || (cert->key_usage &
		    (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) != 0;
	case PURPOSE_EKU:
	case PURPOSE_ANY:
		return true;
	case PURPOSE_NONE:
		break;
	}
	return false;
}

bool
policy_purpose_possible(const struct policy_options *o, const struct cert *cert)
{
	size_t	i;

	for (i = 0; i < o->num_purposes; i++)
		if (o->purposes[i].kind != PURPOSE_NONE &&
		    eku_allows(cert, &o->purposes[i]))
			return true;
	return false;
}

static void
add_ekus(struct text *out, const struct cert *cert)
{
	char	name[80];
	size_t	i;

	if (!cert->has_eku)
		text_add(out, "none");
	for (i = 0; i < cert->num_ekus && i < 16; i++) {
		OBJ_obj2txt(name, sizeof(name), cert->ekus[i], 0);
		text_printf(out, "%s%s", i > 0 ? ", " : "", name);
	}
}

static void
check_purposes(const struct policy_options *o, struct cert *const *path,
    size_t num_path, struct certauth_verdict *v, int path_no)
{
	struct text	has = { 0 };
	size_t		i, depth, worst = 0;
	bool		usage_only = false;

	for (i = 0; i < o->num_purposes; i++) {
		if (o->purposes[i].kind == PURPOSE_NONE)
			continue;
		/* from the anchor down: the highest CA that forbids is told */
		for (depth = num_path; depth > 0; depth--)
			if (!eku_allows(path[depth - 1], &o->purposes[i]))
				break;
		if (depth > 0) {
			if (i == 0)
				worst = depth - 1;
			continue;
		}
		if (key_usage_allows(path[0], &o->purposes[i]))
			return;
		usage_only = true;
	}
	if (usage_only) {
		verdict_fault(v, CERTAUTH_KEY_USAGE, path_no, 0,
		    "The key usage extension lacks what this purpose needs "
		    "(RFC 5280 4.2.1.3).");
		return;
	}
	add_ekus(&has, path[worst]);
	verdict_fault(v, CERTAUTH_PURPOSE, path_no, (int)worst,
	    "Its extended key usage is: %s (RFC 5280 4.2.1.12).",
	    has.data != NULL ? has.data : "unknown");
	text_free(&has);
}

/* ----------------------------------------------------------------- email */

static bool
carries_mailbox(const struct cert *cert, const char *email)
{
	unsigned char	*data;
	size_t		 i, data_len;
	bool		 in_san = false, same;

	for (i = 0; i < cert->num_sans; i++) {
		if (cert->sans[i].kind != CERT_SAN_EMAIL &&
		    cert->sans[i].kind != CERT_SAN_SMTP_UTF8)
			continue;
		in_san = true;
		if (cert_mailbox_is(cert->sans[i].data,
		    cert->sans[i].data_len, email))
			return true;
	}
	/* RFC 5280 4.1.2.6: the legacy attribute counts where SAN has none. */
	for (i = 0; !in_san && i < 16 &&
	    cert_subject_attr(cert, "emailAddress", i, &data, &data_len); i++) {
		same = cert_mailbox_is(data, data_len, email);
		OPENSSL_free(data);
		if (same)
			return true;
	}
	return false;
}

/* ---------------------------------------------------------------- the sum */

static void
check_depth(const struct policy_options *o, struct cert *const *path,
    size_t num_path, struct certauth_verdict *v, int path_no)
{
	size_t	i, counted = 0;

	for (i = 1; i + 1 < num_path; i++)
		counted += !path[i]->self_issued;
	if (counted > o->depth)
		verdict_fault(v, CERTAUTH_PATH_LENGTH, path_no, -1,
		    "There are %zu intermediates on the path, %u are allowed.",
		    counted, o->depth);
}

/* FDA ESG, Appendix C: no blank data element. */
static bool
name_is_full(const X509_NAME *name)
{
	unsigned char	*utf8 = NULL;
	int		 i, j, len, n = X509_NAME_entry_count(name);
	bool		 blank = n == 0;

	for (i = 0; i < n && !blank; i++) {
		ERR_set_mark();
		len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(
		    X509_NAME_get_entry(name, i)));
		ERR_pop_to_mark();
		blank = true;
		for (j = 0; j < len && blank; j++)
			blank = utf8[j] <= ' ';
		if (len >= 0)
			OPENSSL_free(utf8);
		utf8 = NULL;
	}
	return !blank;
}

void
policy_check(const struct policy_options *o, struct cert *const *path,
    size_t num_path, struct certauth_verdict *v, int path_no)
{
	char	buf[160];
	size_t	i;
	int64_t	life;

	for (i = 0; i < num_path; i++) {
		if (!policy_key_allowed(o, path[i], buf, sizeof(buf)))
			verdict_fault(v, CERTAUTH_WEAK_KEY, path_no, (int)i,
			    "%s.", buf);
		/* an anchor is trusted as it is, not for its own signature */
		if (i + 1 < num_path &&
		    !policy_digest_allowed(o, path[i], buf, sizeof(buf)))
			verdict_fault(v, CERTAUTH_WEAK_SIGNATURE, path_no,
			    (int)i, "%s.", buf);
	}
	check_purposes(o, path, num_path, v, path_no);
	check_depth(o, path, num_path, v, path_no);
	life = path[0]->not_after - path[0]->not_before;
	if (o->max_lifetime > 0 && life > o->max_lifetime)
		verdict_fault(v, CERTAUTH_LIFETIME, path_no, 0,
		    "It lives %lld days, %lld are allowed.",
		    (long long)(life / 86400),
		    (long long)(o->max_lifetime / 86400));
	if (life < o->min_lifetime)
		verdict_fault(v, CERTAUTH_LIFETIME, path_no, 0,
		    "It lives %lld days, %lld are the least.",
		    (long long)(life / 86400),
		    (long long)(o->min_lifetime / 86400));
	if (o->no_empty_names &&
	    (!name_is_full(X509_get_subject_name(path[0]->x509)) ||
	    !name_is_full(X509_get_issuer_name(path[0]->x509))))
		verdict_fault(v, CERTAUTH_BAD_NAME, path_no, 0,
		    "Its subject or issuer is empty or has an empty attribute, "
		    "which no_empty_names refuses.");
	if (o->email != NULL && !carries_mailbox(path[0], o->email))
		verdict_fault(v, CERTAUTH_WRONG_USER, path_no, 0,
		    "It does not carry the mailbox asked for.");
}
