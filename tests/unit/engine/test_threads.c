/*
 * test_threads.c - may many threads verify beside a poll while files change?
 *
 * Most useful under ThreadSanitizer (make tsan). CRLs with rising numbers, a map
 * and a denied file are replaced all the time; every verdict must be one that some
 * set of these files gives, and each kind must be seen. Data only, no network.
 */

#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "certauth.h"

#define PKI		"tests/pki/two-level/"
#define THREADS		8
/* Rounds of the writer; each changes one file and waits until it is taken up. */
#define ROUNDS		96
#define DAY		86400

static const char policy[] =
    "version = 1;\n"
    "authorities: { ca: { anchors = [ \"root.pem\" ];\n"
    "  issuers = [ \"issuing.pem\" ];\n"
    "  revocation: { check = \"leaf\"; crls = [ \"crls\" ]; }; }; };\n"
    "profiles: { web: { authorities = [ \"ca\" ]; denied = \"denied\";\n"
    "  identity = ( { name = \"mail\"; key = \"{san.email}\";\n"
    "    table = \"map\"; } ); }; };\n";

struct world {
	char			 folder[64];
	struct certauth		*engine;
	const struct certauth_profile *profile;
	X509			*alice, *issuing;
	EVP_PKEY		*key;
	STACK_OF(X509)		*sent;
	long			 number;
	atomic_bool		 stop;
	atomic_uint		 accepted, revoked, denied, nobody, other, stale;
	struct certauth_verdict	*shared;	/* freed by the last of many */
};

static X509 *
read_cert(const char *file)
{
	BIO	*in = BIO_new_file(file, "r");
	X509	*x;

	assert_non_null(in);
	x = PEM_read_bio_X509(in, NULL, NULL, NULL);
	assert_non_null(x);
	BIO_free(in);
	return x;
}

static void
in_folder(const struct world *w, const char *name, char path_r[PATH_MAX])
{
	assert_true(snprintf(path_r, PATH_MAX, "%s/%s", w->folder, name) > 0);
}

/* Beside and rename, as an administrator should. */
static void
put(const struct world *w, const char *name, const void *data, size_t data_len)
{
	char	 path[PATH_MAX], part[PATH_MAX];
	FILE	*f;

	in_folder(w, name, path);
	in_folder(w, "part", part);
	f = fopen(part, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, data_len, f), data_len);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename(part, path), 0);
}

static void
put_text(const struct world *w, const char *name, const char *text)
{
	put(w, name, text, strlen(text));
}

static void
copy(const struct world *w, const char *from, const char *name)
{
	char	 data[8192];
	FILE	*f = fopen(from, "rb");
	size_t	 n;

	assert_non_null(f);
	n = fread(data, 1, sizeof(data), f);
	fclose(f);
	assert_in_range(n, 1, sizeof(data) - 1);
	put(w, name, data, n);
}

/* The next CRL of the issuing CA, with or without Alice. */
static void
put_crl(struct world *w, bool alice)
{
	X509_CRL	*crl = X509_CRL_new();
	X509_REVOKED	*row;
	ASN1_INTEGER	*number = ASN1_INTEGER_new();
	ASN1_TIME	*at = ASN1_TIME_new();
	unsigned char	*der = NULL;
	int		 len;

	assert_int_equal(X509_CRL_set_version(crl, X509_CRL_VERSION_2), 1);
	assert_int_equal(X509_CRL_set_issuer_name(crl,
	    X509_get_subject_name(w->issuing)), 1);
	assert_non_null(ASN1_TIME_set(at, time(NULL) - 3600));
	assert_int_equal(X509_CRL_set1_lastUpdate(crl, at), 1);
	if (alice) {
		row = X509_REVOKED_new();
		assert_int_equal(X509_REVOKED_set_serialNumber(row,
		    X509_get_serialNumber(w->alice)), 1);
		assert_int_equal(X509_REVOKED_set_revocationDate(row, at), 1);
		assert_int_equal(X509_CRL_add0_revoked(crl, row), 1);
	}
	assert_non_null(ASN1_TIME_set(at, time(NULL) + 7 * DAY));
	assert_int_equal(X509_CRL_set1_nextUpdate(crl, at), 1);
	assert_int_equal(ASN1_INTEGER_set(number, ++w->number), 1);
	assert_int_equal(X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0), 1);
	assert_true(X509_CRL_sign(crl, w->key, EVP_sha256()) > 0);
	len = i2d_X509_CRL(crl, &der);
	assert_true(len > 0);
	put(w, "crls/issuing.crl", der, (size_t)len);
	OPENSSL_free(der);
	ASN1_TIME_free(at);
	ASN1_INTEGER_free(number);
	X509_CRL_free(crl);
}

/* A leaf of our own: those that are checked in end one day, and so would this. */
static X509 *
new_leaf(struct world *w)
{
	X509		*x = X509_new(), *like = read_cert(PKI "alice.pem");
	X509_EXTENSION	*san;
	EVP_PKEY	*key = EVP_EC_gen("P-256");
	X509V3_CTX	 ctx;

	X509V3_set_ctx(&ctx, w->issuing, x, NULL, NULL, 0);
	assert_int_equal(X509_set_version(x, X509_VERSION_3), 1);
	assert_int_equal(X509_set_serialNumber(x, X509_get_serialNumber(like)), 1);
	assert_int_equal(X509_set_subject_name(x, X509_get_subject_name(like)), 1);
	assert_int_equal(X509_set_issuer_name(x,
	    X509_get_subject_name(w->issuing)), 1);
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(x), -DAY));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x), DAY));
	assert_int_equal(X509_set_pubkey(x, key), 1);
	san = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name,
	    "email:alice@example.com");
	assert_non_null(san);
	assert_int_equal(X509_add_ext(x, san, -1), 1);
	assert_true(X509_sign(x, w->key, EVP_sha256()) > 0);
	X509_EXTENSION_free(san);
	EVP_PKEY_free(key);
	X509_free(like);
	return x;
}

static int
setup(void **state)
{
	struct world		*w = calloc(1, sizeof(*w));
	struct certauth_error	 error;
	char			 path[PATH_MAX];
	BIO			*in;

	assert_non_null(w);
	strcpy(w->folder, "/tmp/certauth-threads-XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	in_folder(w, "crls", path);
	assert_int_equal(mkdir(path, 0755), 0);
	copy(w, PKI "root.pem", "root.pem");
	copy(w, PKI "issuing.pem", "issuing.pem");
	put_text(w, "certauth.conf", policy);
	put_text(w, "map", "alice@example.com alice staff\n");
	put_text(w, "denied", "# nobody\n");
	w->issuing = read_cert(PKI "issuing.pem");
	in = BIO_new_file(PKI "issuing.key", "r");
	assert_non_null(in);
	w->key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
	assert_non_null(w->key);
	BIO_free(in);
	w->alice = new_leaf(w);
	w->sent = sk_X509_new_null();
	assert_true(sk_X509_push(w->sent, w->issuing) > 0);
	put_crl(w, false);
	in_folder(w, "certauth.conf", path);
	w->engine = certauth_open(path, &error);
	if (w->engine == NULL)
		fail_msg("%s:%u: %s", error.file, error.line, error.text);
	w->profile = certauth_profile_find(w->engine, "web");
	assert_non_null(w->profile);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	static const char *const names[] = { "crls/issuing.crl", "root.pem",
	    "issuing.pem", "certauth.conf", "map", "denied", "crls", "" };
	struct world	*w = *state;
	char		 path[PATH_MAX];
	size_t		 i;

	certauth_free(w->engine);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		in_folder(w, names[i], path);
		remove(path);
	}
	sk_X509_free(w->sent);
	X509_free(w->alice);
	X509_free(w->issuing);
	EVP_PKEY_free(w->key);
	free(w);
	return 0;
}

static struct certauth_verdict *
ask(struct world *w, bool resumed, unsigned flags)
{
	struct certauth_request	 request;

	memset(&request, 0, sizeof(request));
	request.profile = w->profile;
	request.leaf = w->alice;
	request.sent = resumed ? NULL : w->sent;
	request.service = "http";
	request.flags = flags;
	return certauth_verify(w->engine, &request);
}

/* No assert in threads: cmocka may only be left by the thread that runs it. */
static void
count(struct world *w, const struct certauth_verdict *v)
{
	const char	*user = certauth_verdict_user(v);

	switch (certauth_verdict_reason(v)) {
	case CERTAUTH_OK:
		if (certauth_verdict_decision(v) == CERTAUTH_ACCEPT &&
		    strcmp(user, "alice") == 0)
			atomic_fetch_add(&w->accepted, 1);
		else
			atomic_fetch_add(&w->other, 1);
		return;
	case CERTAUTH_REVOKED:
		atomic_fetch_add(user[0] == '\0' ? &w->revoked : &w->other, 1);
		return;
	case CERTAUTH_DENIED:
		atomic_fetch_add(user[0] == '\0' ? &w->denied : &w->other, 1);
		return;
	case CERTAUTH_NO_USER:
		atomic_fetch_add(user[0] == '\0' ? &w->nobody : &w->other, 1);
		return;
	default:
		fprintf(stderr, "%s\n", certauth_verdict_text(v));
		atomic_fetch_add(&w->other, 1);
	}
}

static void *
verifier(void *argument)
{
	struct world		*w = argument;
	struct certauth_verdict	*v, *again;
	unsigned		 n;

	for (n = 0; !atomic_load(&w->stop); n++) {
		v = ask(w, n % 2 == 1, n % 16 == 0 ? CERTAUTH_EXPLAIN : 0);
		count(w, v);
		if (!certauth_verdict_current(w->engine, v, 0))
			atomic_fetch_add(&w->stale, 1);
		again = certauth_verdict_ref(w->shared);
		if (certauth_verdict_json(again) == NULL ||
		    certauth_verdict_get(again, "serial") == NULL ||
		    ERR_peek_error() != 0)
			atomic_fetch_add(&w->other, 1);
		certauth_verdict_free(again);
		certauth_verdict_free(v);
	}
	return NULL;
}

/* A server's timer, on any thread; two of them are two workers' requests. */
static void *
poller(void *argument)
{
	struct world		*w = argument;
	struct certauth_error	 error;
	struct certauth_note	 note;
	struct timespec		 pause = { 0, 2000000 };

	while (!atomic_load(&w->stop)) {
		(void)certauth_poll(w->engine, &error);
		while (certauth_take_note(w->engine, &note))
			if (note.severity == CERTAUTH_FATAL) {
				fprintf(stderr, "%s\n", note.text);
				atomic_fetch_add(&w->other, 1);
			}
		nanosleep(&pause, NULL);
	}
	return NULL;
}

/* True when a verdict with that reason is given within ten seconds. */
static bool
becomes(struct world *w, enum certauth_reason reason)
{
	struct certauth_verdict	*v;
	struct timespec		 pause = { 0, 5000000 };
	enum certauth_reason	 now;
	unsigned		 i;

	for (i = 0; i < 2000; i++) {
		v = ask(w, true, 0);
		now = certauth_verdict_reason(v);
		certauth_verdict_free(v);
		if (now == reason)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

static void
many_threads_verify_beside_a_poll(void **state)
{
	struct world	*w = *state;
	pthread_t	 threads[THREADS + 2];
	uint64_t	 before = certauth_generation(w->engine);
	unsigned	 i, taken = 0;

	w->shared = ask(w, false, 0);
	assert_int_equal(certauth_verdict_reason(w->shared), CERTAUTH_OK);
	for (i = 0; i < THREADS + 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
		    i < THREADS ? verifier : poller, w), 0);
	for (i = 0; i < ROUNDS; i++)
		switch (i % 6) {
		case 0:
			put_crl(w, true);
			taken += becomes(w, CERTAUTH_REVOKED);
			break;
		case 1:
			put_crl(w, false);
			taken += becomes(w, CERTAUTH_OK);
			break;
		case 2:
			put_text(w, "denied", "user:alice reason=threads\n");
			taken += becomes(w, CERTAUTH_DENIED);
			break;
		case 3:
			put_text(w, "denied", "# nobody again\n");
			taken += becomes(w, CERTAUTH_OK);
			break;
		case 4:
			put_text(w, "map", "bob@example.com bob\n");
			taken += becomes(w, CERTAUTH_NO_USER);
			break;
		case 5:
			put_text(w, "map", "alice@example.com alice\n");
			taken += becomes(w, CERTAUTH_OK);
			break;
		}
	atomic_store(&w->stop, true);
	for (i = 0; i < THREADS + 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	certauth_verdict_free(w->shared);

	assert_int_equal(taken, ROUNDS);
	assert_true(certauth_generation(w->engine) > before);
	assert_int_equal(atomic_load(&w->other), 0);
	assert_true(atomic_load(&w->accepted) > 0);
	assert_true(atomic_load(&w->revoked) > 0);
	assert_true(atomic_load(&w->denied) > 0);
	assert_true(atomic_load(&w->nobody) > 0);
}

/* A closed verdict holds nothing of its engine. */
static void
a_verdict_outlives_its_engine(void **state)
{
	struct world		*w = *state;
	struct certauth_verdict	*v = ask(w, false, CERTAUTH_EXPLAIN);

	assert_int_equal(certauth_verdict_decision(v), CERTAUTH_ACCEPT);
	certauth_free(w->engine);
	w->engine = NULL;
	assert_string_equal(certauth_verdict_user(v), "alice");
	assert_true(strlen(certauth_verdict_explain(v)) > 0);
	assert_int_equal(sk_X509_num(certauth_verdict_get0_path(v)), 3);
	certauth_verdict_free(v);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test_setup_teardown(many_threads_verify_beside_a_poll,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(a_verdict_outlives_its_engine,
		    setup, teardown),
	};

	return cmocka_run_group_tests_name("engine/threads", tests, NULL, NULL);
}
