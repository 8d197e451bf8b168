/*
 * fuzz_chain.c - is a chain ever accepted that must not be?
 *
 * The input is a program: each of its steps changes one thing of one of six
 * certificates (two roots, a CA that both have certified, one below it, a leaf),
 * before or after they are signed. What comes out is asked of a whole engine; what
 * is accepted is judged again here, with plain calls of OpenSSL and nothing of ours.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "certauth.h"
#include "certauth_data.h"
#include "unit/trust/policy_leak.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)	do { if (!(condition)) { \
		fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
		abort(); } } while (0)

#define NOW		1772366400	/* 2026-03-01T12:00:00Z */
#define NUM_CERTS	6
#define NUM_KEYS	6
#define MAX_EXTS	10
#define MAX_FLIPS	4
#define MAX_STEPS	12

enum { LEAF, SUB, MID, ROOT, CROSS, OTHER };

struct ext {
	int		 nid;
	bool		 critical;
	uint8_t		 value[80];
	size_t		 len;
};

struct spec {
	unsigned	 subject, issuer, key, signer;
	int64_t		 not_before, not_after;
	long		 version, serial;
	struct ext	 exts[MAX_EXTS];
	size_t		 num_exts;
	struct { uint16_t at; uint8_t bits; } flips[MAX_FLIPS];
	size_t		 num_flips;
	bool		 missing;
};

static const char *const names[] = { "Leaf", "Sub", "Mid", "Root", "Other root",
			    "", "mid", "Mid ", "Stranger" };
#define NUM_NAMES	(sizeof(names) / sizeof(names[0]))

static const int nids[] = { NID_basic_constraints, NID_key_usage,
			    NID_ext_key_usage, NID_subject_alt_name,
			    NID_name_constraints, NID_certificate_policies,
			    NID_policy_constraints, NID_policy_mappings,
			    NID_inhibit_any_policy, NID_netscape_comment,
			    NID_proxyCertInfo, NID_crl_distribution_points,
			    NID_authority_key_identifier,
			    NID_subject_key_identifier, NID_info_access };
#define NUM_NIDS	(sizeof(nids) / sizeof(nids[0]))

static const char	bc_ca[] = "\x30\x03\x01\x01\xff";
static const char	bc_zero[] = "\x30\x06\x01\x01\xff\x02\x01\x00";
static const char	bc_leaf[] = "\x30\x00";
static const char	ku_ca[] = "\x03\x02\x01\x06";
static const char	ku_crl[] = "\x03\x02\x01\x02";
static const char	ku_leaf[] = "\x03\x02\x07\x80";
static const char	eku_client[] = "\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02";
static const char	eku_mail[] = "\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x04";
static const char	san_mail[] = "\x30\x0d\x81\x0b" "a@b.example";
static const char	san_mixed[] = "\x30\x1e\x81\x0b" "a@b.example" "\x82\x0f"
			    "www.b.example.x";
static const char	san_uri[] = "\x30\x14\x86\x12" "http://b.example/x";
static const char	nc_mail[] = "\x30\x0f\xa0\x0d\x30\x0b\x81\x09" "b.example";
static const char	nc_dns[] = "\x30\x0f\xa1\x0d\x30\x0b\x82\x09" "b.example";
static const char	nc_uri[] = "\x30\x10\xa0\x0e\x30\x0c\x86\x0a" ".b.example";
static const char	policy_any[] = "\x30\x08\x30\x06\x06\x04\x55\x1d\x20\x00";
static const char	need_policy[] = "\x30\x03\x80\x01\x00";

#define PRESET(nid, critical, bytes) \
	{ nid, critical, (const uint8_t *)bytes, sizeof(bytes) - 1 }
static const struct {
	int		 nid;
	bool		 critical;
	const uint8_t	*value;
	size_t		 len;
} presets[] = {
	PRESET(NID_basic_constraints, true, bc_ca),
	PRESET(NID_basic_constraints, true, bc_zero),
	PRESET(NID_basic_constraints, true, bc_leaf),
	PRESET(NID_key_usage, true, ku_ca),
	PRESET(NID_key_usage, true, ku_crl),
	PRESET(NID_key_usage, true, ku_leaf),
	PRESET(NID_ext_key_usage, false, eku_client),
	PRESET(NID_ext_key_usage, false, eku_mail),
	PRESET(NID_subject_alt_name, false, san_mail),
	PRESET(NID_subject_alt_name, false, san_mixed),
	PRESET(NID_subject_alt_name, false, san_uri),
	PRESET(NID_name_constraints, true, nc_mail),
	PRESET(NID_name_constraints, true, nc_dns),
	PRESET(NID_name_constraints, true, nc_uri),
	PRESET(NID_certificate_policies, false, policy_any),
	PRESET(NID_policy_constraints, true, need_policy)
};
#define NUM_PRESETS	(sizeof(presets) / sizeof(presets[0]))

static EVP_PKEY	*keys[NUM_KEYS];
static char	 roots_file[64];

/* ---------------------------------------------------------------- the program */

struct input {
	const uint8_t	*p;
	size_t		 left;
};

static unsigned
take(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->p++;
}

static void
set_ext(struct spec *s, int nid, bool critical, const uint8_t *value, size_t len)
{
	struct ext	*e = NULL;
	size_t		 i;

	for (i = 0; e == NULL && i < s->num_exts; i++)
		if (s->exts[i].nid == nid)
			e = &s->exts[i];
	if (e == NULL && s->num_exts < MAX_EXTS)
		e = &s->exts[s->num_exts++];
	if (e == NULL || len > sizeof(e->value))
		return;
	e->nid = nid;
	e->critical = critical;
	memcpy(e->value, value, len);
	e->len = len;
}

static void
set_preset(struct spec *s, size_t n)
{
	set_ext(s, presets[n].nid, presets[n].critical, presets[n].value,
	    presets[n].len);
}

static void
begin(struct spec specs[NUM_CERTS])
{
	static const struct { unsigned subject, issuer, key, signer; }
	    shape[NUM_CERTS] = { { 0, 1, 0, 1 }, { 1, 2, 1, 2 }, { 2, 3, 2, 3 },
	    { 3, 3, 3, 3 }, { 2, 4, 2, 4 }, { 4, 4, 4, 4 } };
	size_t		 i;

	memset(specs, 0, NUM_CERTS * sizeof(*specs));
	for (i = 0; i < NUM_CERTS; i++) {
		specs[i].subject = shape[i].subject;
		specs[i].issuer = shape[i].issuer;
		specs[i].key = shape[i].key;
		specs[i].signer = shape[i].signer;
		specs[i].not_before = NOW - 86400;
		specs[i].not_after = NOW + 86400;
		specs[i].version = 2;
		specs[i].serial = (long)i + 1;
		set_preset(&specs[i], i == LEAF ? 5 : 0);
		set_preset(&specs[i], i == LEAF ? 8 : 3);
		if (i == LEAF)
			set_preset(&specs[i], 6);
	}
}

static void
raw_ext(struct spec *s, struct input *in)
{
	uint8_t		value[80];
	size_t		i, len;
	int		nid = nids[take(in) % NUM_NIDS];
	bool		critical = (take(in) & 1) != 0;

	len = take(in) % sizeof(value);
	for (i = 0; i < len; i++)
		value[i] = (uint8_t)take(in);
	set_ext(s, nid, critical, value, len);
}

static void
step(struct spec specs[NUM_CERTS], struct input *in)
{
	unsigned	 op = take(in) % 16;
	struct spec	*s = &specs[take(in) % NUM_CERTS];
	struct ext	*e = s->num_exts > 0 ?
			    &s->exts[take(in) % s->num_exts] : NULL;
	unsigned	 arg = take(in);

	switch (op) {
	case 0:
		s->subject = arg % NUM_NAMES;
		break;
	case 1:
		s->issuer = arg % NUM_NAMES;
		break;
	case 2:
		s->key = arg % NUM_KEYS;
		break;
	case 3:
		s->signer = arg % NUM_KEYS;
		break;
	case 4:
		s->not_before = NOW + (int8_t)arg;
		break;
	case 5:
		s->not_after = NOW + (int8_t)arg;
		break;
	case 6:
		s->version = arg % 4;
		break;
	case 7:
		s->missing = true;
		break;
	case 8:
	case 9:
		set_preset(s, arg % NUM_PRESETS);
		break;
	case 10:
		raw_ext(s, in);
		break;
	case 11:
		if (e != NULL)
			*e = s->exts[--s->num_exts];
		break;
	case 12:
		if (e != NULL && e->len > 0)
			e->value[arg % e->len] ^= (uint8_t)take(in);
		break;
	case 13:
		if (e != NULL)
			e->critical = !e->critical;
		break;
	case 14:
		if (e != NULL && s->num_exts < MAX_EXTS)
			s->exts[s->num_exts++] = *e;	/* twice */
		break;
	default:
		if (s->num_flips == MAX_FLIPS)
			break;
		s->flips[s->num_flips].at = (uint16_t)(arg << 8 | take(in));
		s->flips[s->num_flips++].bits = (uint8_t)take(in);
	}
}

/* -------------------------------------------------------------- certificates */

static void
set_name(X509 *x, bool subject, const char *cn)
{
	X509_NAME	*name = X509_NAME_new();

	MUST(name != NULL);
	if (cn[0] != '\0')
		MUST(X509_NAME_add_entry_by_NID(name, NID_commonName,
		    MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0) == 1);
	if (subject)
		MUST(X509_set_subject_name(x, name) == 1);
	else
		MUST(X509_set_issuer_name(x, name) == 1);
	X509_NAME_free(name);
}

static void
add_ext(X509 *x, const struct ext *e)
{
	ASN1_OCTET_STRING	*value = ASN1_OCTET_STRING_new();
	X509_EXTENSION		*ext;

	MUST(value != NULL);
	MUST(ASN1_OCTET_STRING_set(value, e->value, (int)e->len) == 1);
	ext = X509_EXTENSION_create_by_NID(NULL, e->nid, e->critical, value);
	MUST(ext != NULL && X509_add_ext(x, ext, -1) == 1);
	X509_EXTENSION_free(ext);
	ASN1_OCTET_STRING_free(value);
}

/* Its bytes, signed, and then perhaps spoilt. */
static size_t
make(const struct spec *s, unsigned char **der_r)
{
	X509	*x = X509_new();
	size_t	 i;
	int	 len;

	MUST(x != NULL && X509_set_version(x, s->version) == 1);
	MUST(ASN1_INTEGER_set(X509_get_serialNumber(x), s->serial) == 1);
	set_name(x, true, names[s->subject]);
	set_name(x, false, names[s->issuer]);
	MUST(ASN1_TIME_set(X509_getm_notBefore(x), s->not_before) != NULL);
	MUST(ASN1_TIME_set(X509_getm_notAfter(x), s->not_after) != NULL);
	MUST(X509_set_pubkey(x, keys[s->key]) == 1);
	for (i = 0; i < s->num_exts; i++)
		add_ext(x, &s->exts[i]);
	MUST(X509_sign(x, keys[s->signer], NULL) > 0);
	*der_r = NULL;
	len = i2d_X509(x, der_r);
	MUST(len > 0);
	for (i = 0; i < s->num_flips; i++)
		(*der_r)[s->flips[i].at % len] ^= s->flips[i].bits;
	X509_free(x);
	return (size_t)len;
}

/* ----------------------------------------------------------------- the judge */

static bool
has_eku(X509 *x, int want)
{
	EXTENDED_KEY_USAGE	*eku;
	int			 i, nid, critical;
	bool			 found = false;

	eku = X509_get_ext_d2i(x, NID_ext_key_usage, &critical, NULL);
	if (eku == NULL) {
		MUST(critical == -1);	/* absent, not unreadable and not twice */
		return true;
	}
	for (i = 0; i < sk_ASN1_OBJECT_num(eku); i++) {
		nid = OBJ_obj2nid(sk_ASN1_OBJECT_value(eku, i));
		found |= nid == want || nid == NID_anyExtendedKeyUsage;
	}
	EXTENDED_KEY_USAGE_free(eku);
	return found;
}

static void
judge_extensions(X509 *x)
{
	X509_EXTENSION	*ext;
	int		 i, j, n = X509_get_ext_count(x);

	MUST(n == 0 || X509_get_version(x) == X509_VERSION_3);
	for (i = 0; i < n; i++) {
		ext = X509_get_ext(x, i);
		for (j = 0; j < i; j++)
			MUST(OBJ_cmp(X509_EXTENSION_get_object(ext),
			    X509_EXTENSION_get_object(X509_get_ext(x, j))) != 0);
		if (X509_EXTENSION_get_critical(ext))
			MUST(X509_supported_extension(ext) == 1);
	}
}

static void
judge_issuer(X509 *x, int below)
{
	uint32_t	flags = X509_get_extension_flags(x);
	long		path_len = X509_get_pathlen(x);

	MUST((flags & EXFLAG_INVALID) == 0);
	if (X509_get_version(x) == X509_VERSION_3)
		MUST((flags & EXFLAG_CA) != 0);
	else
		MUST(X509_NAME_cmp(X509_get_subject_name(x),
		    X509_get_issuer_name(x)) == 0);
	if ((flags & EXFLAG_KUSAGE) != 0)
		MUST((X509_get_key_usage(x) & KU_KEY_CERT_SIGN) != 0);
	MUST(path_len < 0 || below <= path_len);
}

/* Ours lets a dot at the end be, and knows SmtpUTF8Mailbox better. */
static bool
openssl_differs(X509 *x)
{
	GENERAL_NAMES		*san;
	const GENERAL_NAME	*g;
	int			 i;
	bool			 differs = false;

	san = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	for (i = 0; i < sk_GENERAL_NAME_num(san); i++) {
		g = sk_GENERAL_NAME_value(san, i);
		differs |= g->type == GEN_OTHERNAME || (g->type == GEN_DNS &&
		    g->d.dNSName->length > 0 &&
		    g->d.dNSName->data[g->d.dNSName->length - 1] == '.') ||
		    g->type == GEN_URI;
	}
	GENERAL_NAMES_free(san);
	return differs;
}

static void
judge_constraints(STACK_OF(X509) *path, int at)
{
	NAME_CONSTRAINTS	*nc;
	X509			*x;
	int			 i, rc;

	nc = X509_get_ext_d2i(sk_X509_value(path, at), NID_name_constraints,
	    NULL, NULL);
	for (i = 0; nc != NULL && i < at; i++) {
		x = sk_X509_value(path, i);
		if (i > 0 && X509_NAME_cmp(X509_get_subject_name(x),
		    X509_get_issuer_name(x)) == 0)
			continue;
		rc = NAME_CONSTRAINTS_check(x, nc);
		MUST(rc == X509_V_OK || openssl_differs(x));
	}
	NAME_CONSTRAINTS_free(nc);
}

static void
judge(STACK_OF(X509) *path, STACK_OF(X509) *anchors)
{
	X509	*x, *up;
	time_t	 now = NOW;
	int	 i, j, below = 0, n = sk_X509_num(path);
	bool	 anchored = false;

	MUST(n >= 1);
	for (i = 0; i < sk_X509_num(anchors); i++)
		anchored |= X509_cmp(sk_X509_value(path, n - 1),
		    sk_X509_value(anchors, i)) == 0;
	MUST(anchored);
	for (i = 0; i < n; i++) {
		x = sk_X509_value(path, i);
		MUST(X509_cmp_time(X509_get0_notBefore(x), &now) <= 0);
		/* -1 also for the very second, which still counts */
		j = X509_cmp_time(X509_get0_notAfter(x), &now);
		now--;
		MUST(j > 0 || X509_cmp_time(X509_get0_notAfter(x), &now) > 0);
		now++;
		judge_extensions(x);
		MUST(has_eku(x, NID_client_auth));
		if (i > 0) {
			judge_issuer(x, below);
			judge_constraints(path, i);
			below += X509_NAME_cmp(X509_get_subject_name(x),
			    X509_get_issuer_name(x)) != 0;
		}
		if (i + 1 == n)
			break;
		up = sk_X509_value(path, i + 1);
		MUST(X509_NAME_cmp(X509_get_issuer_name(x),
		    X509_get_subject_name(up)) == 0);
		MUST(X509_verify(x, X509_get0_pubkey(up)) == 1);
	}
	x = sk_X509_value(path, 0);
	MUST(n > 1 || (X509_get_extension_flags(x) & EXFLAG_CA) == 0);
	if ((X509_get_extension_flags(x) & EXFLAG_KUSAGE) != 0)
		MUST((X509_get_key_usage(x) & KU_DIGITAL_SIGNATURE) != 0);
}

/* -------------------------------------------------------------------- asking */

static void
forget(void)
{
	(void)unlink(roots_file);
}

static void
once(void)
{
	unsigned char	 raw[32];
	int		 i;

	if (keys[0] != NULL)
		return;
	for (i = 0; i < NUM_KEYS; i++) {
		memset(raw, i + 1, sizeof(raw));
		keys[i] = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL,
		    raw, sizeof(raw));
		MUST(keys[i] != NULL);
	}
	(void)snprintf(roots_file, sizeof(roots_file), "/tmp/fuzz-chain.%ld",
	    (long)getpid());
	(void)atexit(forget);
}

static struct certauth *
open_engine(const struct spec specs[NUM_CERTS], STACK_OF(X509) *anchors)
{
	const char		*file = roots_file;
	struct certauth_setup	 setup = { .roots = &file, .num_roots = 1,
				    .max_depth = 10 };
	struct certauth_error	 error;
	struct certauth		*e;
	const unsigned char	*p;
	unsigned char		*der;
	X509			*x;
	size_t			 i, len;
	FILE			*f = fopen(roots_file, "wb");

	MUST(f != NULL);
	for (i = ROOT; i < NUM_CERTS; i++) {
		if (specs[i].missing || i == CROSS)
			continue;
		len = make(&specs[i], &der);
		p = der;
		x = d2i_X509(NULL, &p, (long)len);
		if (x != NULL) {
			MUST(fwrite(der, 1, len, f) == len);
			MUST(sk_X509_push(anchors, x) > 0);
		}
		OPENSSL_free(der);
	}
	MUST(fclose(f) == 0);
	ERR_clear_error();
	e = certauth_open_setup(&setup, &error);
	return e;
}

static X509 *
reread(const struct spec *s)
{
	const unsigned char	*p;
	unsigned char		*der;
	size_t			 len = make(s, &der);
	X509			*x;

	p = der;
	x = d2i_X509(NULL, &p, (long)len);
	OPENSSL_free(der);
	return x;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int	 sent_order[] = { CROSS, SUB, MID };
	struct spec		 specs[NUM_CERTS];
	struct input		 in = { data, size };
	STACK_OF(X509)		*anchors = sk_X509_new_null();
	struct certauth_request	 request = { .now = NOW };
	struct certauth_verdict	*v;
	struct certauth		*e;
	X509			*x;
	int			 i;

	once();
	begin(specs);
	for (i = 0; i < MAX_STEPS && in.left > 0; i++)
		step(specs, &in);
	e = open_engine(specs, anchors);
	request.leaf = specs[LEAF].missing ? NULL : reread(&specs[LEAF]);
	request.sent = sk_X509_new_null();
	for (i = 0; i < 3; i++) {
		if (specs[sent_order[i]].missing ||
		    (x = reread(&specs[sent_order[i]])) == NULL)
			continue;
		MUST(sk_X509_push(request.sent, x) > 0);
	}
	ERR_clear_error();
	if (e != NULL) {
		request.profile = certauth_profile_find(e, "command");
		v = certauth_verify(e, &request);
		MUST(v != NULL && ERR_peek_error() == 0);
		if (size == 0)		/* nothing was changed */
			MUST(certauth_verdict_decision(v) == CERTAUTH_ACCEPT);
		if (certauth_verdict_decision(v) == CERTAUTH_ACCEPT)
			judge(certauth_verdict_get0_path(v), anchors);
		certauth_verdict_free(v);
		certauth_free(e);
	}
	X509_free(request.leaf);
	sk_X509_pop_free(request.sent, X509_free);
	sk_X509_pop_free(anchors, X509_free);
	ERR_clear_error();
	return 0;
}
