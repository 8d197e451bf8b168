/*
 * test_codes.c - only OpenSSL's exact "yes" is one.
 *
 * Each function that says whether a signature or a policy is good is made to answer
 * -2, -1, 0, 2 or 3 in turn (--wrap), of chains and of a CRL that are good.
 */

#include <sys/stat.h>
#include <unistd.h>

#include "certauth.h"
#include "trust/mesh.h"

/* What is forced, and to which answer. */
enum { VERIFY_X509 = 1, VERIFY_DIGEST = 2, VERIFY_KEY = 4, INIT = 8, POLICY = 16 };
static unsigned	forced;
static int	answer;
static unsigned	asked[32];

static int
said(unsigned what, int honest)
{
	asked[what]++;
	return (forced & what) != 0 ? answer : honest;
}

int	__real_X509_verify(X509 *, EVP_PKEY *);
int	__wrap_X509_verify(X509 *, EVP_PKEY *);
int	__real_EVP_DigestVerify(EVP_MD_CTX *, const unsigned char *, size_t,
	    const unsigned char *, size_t);
int	__wrap_EVP_DigestVerify(EVP_MD_CTX *, const unsigned char *, size_t,
	    const unsigned char *, size_t);
int	__real_EVP_PKEY_verify(EVP_PKEY_CTX *, const unsigned char *, size_t,
	    const unsigned char *, size_t);
int	__wrap_EVP_PKEY_verify(EVP_PKEY_CTX *, const unsigned char *, size_t,
	    const unsigned char *, size_t);
int	__real_EVP_DigestVerifyInit(EVP_MD_CTX *, EVP_PKEY_CTX **, const EVP_MD *,
	    ENGINE *, EVP_PKEY *);
int	__wrap_EVP_DigestVerifyInit(EVP_MD_CTX *, EVP_PKEY_CTX **, const EVP_MD *,
	    ENGINE *, EVP_PKEY *);
int	__real_X509_policy_check(X509_POLICY_TREE **, int *, STACK_OF(X509) *,
	    STACK_OF(ASN1_OBJECT) *, unsigned);
int	__wrap_X509_policy_check(X509_POLICY_TREE **, int *, STACK_OF(X509) *,
	    STACK_OF(ASN1_OBJECT) *, unsigned);

int
__wrap_X509_verify(X509 *x, EVP_PKEY *key)
{
	return said(VERIFY_X509, __real_X509_verify(x, key));
}

int
__wrap_EVP_DigestVerify(EVP_MD_CTX *ctx, const unsigned char *sig, size_t sig_len,
    const unsigned char *data, size_t data_len)
{
	return said(VERIFY_DIGEST, __real_EVP_DigestVerify(ctx, sig, sig_len,
	    data, data_len));
}

int
__wrap_EVP_PKEY_verify(EVP_PKEY_CTX *ctx, const unsigned char *sig,
    size_t sig_len, const unsigned char *data, size_t data_len)
{
	return said(VERIFY_KEY, __real_EVP_PKEY_verify(ctx, sig, sig_len, data,
	    data_len));
}

int
__wrap_EVP_DigestVerifyInit(EVP_MD_CTX *ctx, EVP_PKEY_CTX **key_ctx,
    const EVP_MD *md, ENGINE *engine, EVP_PKEY *key)
{
	return said(INIT, __real_EVP_DigestVerifyInit(ctx, key_ctx, md, engine,
	    key));
}

int
__wrap_X509_policy_check(X509_POLICY_TREE **tree, int *needed,
    STACK_OF(X509) *certs, STACK_OF(ASN1_OBJECT) *wanted, unsigned flags)
{
	return said(POLICY, __real_X509_policy_check(tree, needed, certs, wanted,
	    flags));
}

/* ----------------------------------------------------------------- the world */

static char	 folder[] = "/tmp/certauth-codes-XXXXXX";
static X509	*plain, *edwards;	/* leaves */

static const char *
in_folder(const char *name)
{
	static char	path[100];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static FILE *
create(const char *name)
{
	FILE	*f = fopen(in_folder(name), "w");

	assert_non_null(f);
	return f;
}

static void
finish(FILE *f, const char *name)
{
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(in_folder(name), 0644), 0);
}

static void
write_crl(X509 *issuer, EVP_PKEY *key)
{
	X509_CRL	*crl = X509_CRL_new();
	ASN1_TIME	*at = ASN1_TIME_new();
	FILE		*f = create("crl");

	X509_CRL_set_version(crl, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer));
	ASN1_TIME_set(at, (time_t)(NOW - DAY));
	X509_CRL_set1_lastUpdate(crl, at);
	ASN1_TIME_set(at, (time_t)(NOW + DAY));
	X509_CRL_set1_nextUpdate(crl, at);
	assert_true(X509_CRL_sign(crl, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509_CRL(f, crl), 1);
	finish(f, "crl");
	ASN1_TIME_free(at);
	X509_CRL_free(crl);
}

/* OpenSSL signs with Ed25519 without a digest. */
static X509 *
edwards_leaf(EVP_PKEY *key, EVP_PKEY *issuer_key)
{
	EVP_PKEY	*other = mesh_key();
	X509		*x = mesh_cert("bob", key, "Ed", other, false, NOW - DAY,
			    NOW + 9 * DAY);

	EVP_PKEY_free(other);
	assert_true(X509_sign(x, issuer_key, NULL) > 0);
	return x;
}

static int
set_up(void **state)
{
	EVP_PKEY	*key = mesh_key(), *ed = EVP_PKEY_Q_keygen(NULL, NULL,
			    "ED25519");
	X509		*ca = mesh_cert("CA", key, "CA", key, true, NOW - DAY,
			    NOW + 9 * DAY);
	X509		*ed_ca = mesh_cert("Ed", ed, "CA", key, true, NOW - DAY,
			    NOW + 9 * DAY);
	FILE		*f;

	(void)state;
	if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0)
		return -1;
	plain = mesh_cert("alice", key, "CA", key, false, NOW - DAY,
	    NOW + 9 * DAY);
	mesh_policy(plain, "1.2.3");
	assert_true(X509_sign(plain, key, EVP_sha256()) > 0);
	edwards = edwards_leaf(key, ed);
	f = create("ca.pem");
	assert_int_equal(PEM_write_X509(f, ca), 1);
	assert_int_equal(PEM_write_X509(f, ed_ca), 1);
	finish(f, "ca.pem");
	write_crl(ca, key);
	X509_free(ca);
	X509_free(ed_ca);
	EVP_PKEY_free(ed);
	EVP_PKEY_free(key);
	return 0;
}

static int
tear_down(void **state)
{
	static const char *const	names[] = { "ca.pem", "crl", "conf" };
	size_t				i;

	(void)state;
	X509_free(plain);
	X509_free(edwards);
	for (i = 0; i < 3; i++)
		(void)unlink(in_folder(names[i]));
	return rmdir(folder);
}

/* A new engine each time: nothing is remembered. */
static enum certauth_reason
ask(X509 *leaf, const char *authority, const char *profile)
{
	struct certauth_error	 error;
	struct certauth_request	 request = { .leaf = leaf, .now = NOW };
	struct certauth_verdict	*v;
	struct certauth		*engine;
	enum certauth_reason	 reason;
	FILE			*f = create("conf");

	fprintf(f, "version = 1;\nauthorities: { a: { anchors = [ \"ca.pem\" ];"
	    " revocation: { %s }; }; };\nprofiles: { p: { authorities = "
	    "[ \"a\" ]; %s }; };\n", authority, profile);
	finish(f, "conf");
	memset(asked, 0, sizeof(asked));
	engine = certauth_open(in_folder("conf"), &error);
	if (engine == NULL)
		fail_msg("%s", error.text);
	request.profile = certauth_profile_find(engine, "p");
	v = certauth_verify(engine, &request);
	reason = certauth_verdict_reason(v);
	assert_int_equal(certauth_verdict_decision(v) == CERTAUTH_ACCEPT,
	    reason == CERTAUTH_OK);
	certauth_verdict_free(v);
	certauth_free(engine);
	return reason;
}

#define NO_CRL	"check = \"none\";"
#define CRL	"check = \"leaf\"; crls = [ \"crl\" ];"

/* Good as it is, refused with each other answer of `what`, which is asked. */
static void
only_one_will_do(unsigned what, unsigned is_asked, X509 *leaf,
    const char *authority, const char *profile, int also_good)
{
	static const int	answers[] = { -2, -1, 0, 2, 3, 256 };
	size_t			i;

	forced = 0;
	assert_int_equal(ask(leaf, authority, profile), CERTAUTH_OK);
	for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		if (answers[i] == also_good)
			continue;
		forced = what;
		answer = answers[i];
		if (ask(leaf, authority, profile) == CERTAUTH_OK)
			fail_msg("accepted when %#x say %d", what, answers[i]);
		forced = 0;
		assert_true(asked[is_asked] > 0);
	}
}

static void
test_certificate(void **state)
{
	(void)state;
	only_one_will_do(VERIFY_DIGEST, VERIFY_DIGEST, plain, NO_CRL, "", 1);
	/* a context that was not made is not used; the other way says no */
	only_one_will_do(INIT | VERIFY_X509, INIT, plain, NO_CRL, "", 1);
	only_one_will_do(VERIFY_X509, VERIFY_X509, edwards, NO_CRL, "", 1);
}

/* Refused when it is read: there is no status. */
static void
test_crl(void **state)
{
	(void)state;
	only_one_will_do(VERIFY_KEY | VERIFY_DIGEST, VERIFY_DIGEST, plain, CRL,
	    "", 1);
}

/* 2 is X509_PCY_TREE_EMPTY, which OpenSSL says only where none is wanted. */
static void
test_policies(void **state)
{
	(void)state;
	only_one_will_do(POLICY, POLICY, plain, NO_CRL,
	    "policies = [ \"1.2.3\" ];", X509_PCY_TREE_EMPTY);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_certificate),
		cmocka_unit_test(test_crl),
		cmocka_unit_test(test_policies),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
