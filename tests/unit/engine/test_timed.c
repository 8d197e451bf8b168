/*
 * test_timed.c - a verdict ends when a line of a map or a denied list does, or a
 * certificate that vouches for a CRL's signer, though no file changes.
 */

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "certauth.h"
#include "trust/mesh.h"

static char	folder[] = "/tmp/certauth-timed-XXXXXX";

static void
write_text(const char *name, const char *text)
{
	char	path[128];
	FILE	*f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	chmod(path, 0644);
}

static X509	*leaf;

static int
set_up(void **state)
{
	EVP_PKEY	*key = mesh_key();
	X509		*ca = mesh_cert("CA", key, "CA", key, true, NOW - DAY,
			    NOW + 9 * DAY);
	char		 path[128];
	FILE		*f;

	(void)state;
	if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0)
		return -1;
	leaf = mesh_cert("alice", key, "CA", key, false, NOW - DAY, NOW + 9 * DAY);
	snprintf(path, sizeof(path), "%s/ca.pem", folder);
	f = fopen(path, "w");
	PEM_write_X509(f, ca);
	fclose(f);
	chmod(path, 0644);
	X509_free(ca);
	EVP_PKEY_free(key);
	return 0;
}

static int
tear_down(void **state)
{
	static const char *const	names[] = { "ca.pem", "map", "denied", "conf",
					    "root.pem", "subs.pem", "crl.pem",
					    "signer.conf" };
	char				path[128];
	size_t				i;

	(void)state;
	X509_free(leaf);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		(void)unlink(path);
	}
	return rmdir(folder);
}

static struct certauth *
open_engine(const char *map, const char *denied)
{
	struct certauth_error	error;
	struct certauth		*engine;
	char			path[128];

	write_text("map", map);
	write_text("denied", denied);
	write_text("conf", "version = 1;\n"
	    "authorities: { a: { anchors = [ \"ca.pem\" ];"
	    " revocation: { check = \"none\"; }; }; };\n"
	    "profiles: { p: { authorities = [ \"a\" ]; denied = \"denied\";"
	    " identity = ( { name = \"cn\"; key = \"{subject.CN}\";"
	    " table = \"map\"; } ); }; };\n");
	snprintf(path, sizeof(path), "%s/conf", folder);
	engine = certauth_open(path, &error);
	if (engine == NULL)
		fail_msg("%s:%u: %s", error.file, error.line, error.text);
	return engine;
}

static struct certauth_verdict *
ask(struct certauth *engine, int64_t now)
{
	struct certauth_request	request = {
		.profile = certauth_profile_find(engine, "p"), .leaf = leaf,
		.now = now
	};

	return certauth_verify(engine, &request);
}

/* Accepted now, and how the same question ends a second later. */
static void
ends(const char *map, const char *denied, enum certauth_reason reason)
{
	struct certauth		*engine = open_engine(map, denied);
	struct certauth_verdict	*v = ask(engine, NOW);

	assert_int_equal(certauth_verdict_reason(v), CERTAUTH_OK);
	assert_true(certauth_verdict_current(engine, v, NOW));
	assert_false(certauth_verdict_current(engine, v, NOW + 1));
	certauth_verdict_free(v);
	v = ask(engine, NOW + 1);
	assert_int_equal(certauth_verdict_reason(v), reason);
	certauth_verdict_free(v);
	certauth_free(engine);
}

static void
test_line_ends(void **state)
{
	(void)state;
	ends("alice alice not-after=2026-03-01T12:00:00Z\n", "", CERTAUTH_NO_USER);
	/* a denial that ended before makes nobody wait, one to come is none */
	ends("alice alice not-after=2026-03-02\n", "", CERTAUTH_OK);
	ends("alice alice\n", "user:bob until=2026-03-02\n", CERTAUTH_OK);
}

static void
test_no_times(void **state)
{
	struct certauth		*engine = open_engine("alice alice\n", "");
	struct certauth_verdict	*v = ask(engine, NOW), *again;

	(void)state;
	assert_true(certauth_verdict_current(engine, v, NOW + 59));
	again = ask(engine, NOW + 59);
	assert_ptr_equal(v, again);	/* remembered */
	certauth_verdict_free(again);
	assert_false(certauth_verdict_current(engine, v, NOW + 60));
	certauth_verdict_free(v);
	certauth_free(engine);
}

static void
write_certs(const char *name, X509 *one, X509 *two)
{
	char	 path[128];
	FILE	*f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, one), 1);
	assert_int_equal(PEM_write_X509(f, two), 1);
	assert_int_equal(fclose(f), 0);
	chmod(path, 0644);
}

/* An empty CRL in the name of `issuer`. */
static void
write_crl(const char *name, X509 *issuer, EVP_PKEY *key)
{
	X509_CRL	*crl = X509_CRL_new();
	ASN1_TIME	*at = ASN1_TIME_new();
	char		 path[128];
	FILE		*f;

	assert_int_equal(X509_CRL_set_version(crl, X509_CRL_VERSION_2), 1);
	assert_int_equal(X509_CRL_set_issuer_name(crl,
	    X509_get_subject_name(issuer)), 1);
	assert_non_null(ASN1_TIME_set(at, (time_t)(NOW - DAY)));
	assert_int_equal(X509_CRL_set1_lastUpdate(crl, at), 1);
	assert_non_null(ASN1_TIME_set(at, (time_t)(NOW + DAY)));
	assert_int_equal(X509_CRL_set1_nextUpdate(crl, at), 1);
	assert_true(X509_CRL_sign(crl, key, EVP_sha256()) > 0);
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_X509_CRL(f, crl), 1);
	assert_int_equal(fclose(f), 0);
	chmod(path, 0644);
	ASN1_TIME_free(at);
	X509_CRL_free(crl);
}

/* The CRL is signed with a newer key of the CA, whose certificate ends first. */
static void
test_crl_signer(void **state)
{
	EVP_PKEY		*root_key = mesh_key(), *old_key = mesh_key();
	EVP_PKEY		*new_key = mesh_key();
	X509			*root, *old, *new, *person;
	struct certauth_error	 error;
	struct certauth_request	 request = { .now = NOW };
	struct certauth_verdict	*v;
	struct certauth		*engine;
	char			 path[128];

	(void)state;
	root = mesh_cert("Root", root_key, "Root", root_key, true, NOW - DAY,
	    NOW + 9 * DAY);
	old = mesh_cert("Sub", old_key, "Root", root_key, true, NOW - DAY,
	    NOW + 9 * DAY);
	new = mesh_cert("Sub", new_key, "Root", root_key, true, NOW - DAY,
	    NOW + 20);
	person = mesh_cert("alice", new_key, "Sub", old_key, false, NOW - DAY,
	    NOW + 9 * DAY);
	write_certs("root.pem", root, root);
	write_certs("subs.pem", old, new);
	write_crl("crl.pem", new, new_key);
	write_text("signer.conf", "version = 1;\n"
	    "authorities: { a: { anchors = [ \"root.pem\" ]; intermediates = "
	    "[ \"subs.pem\" ]; revocation: { check = \"leaf\"; crls = "
	    "[ \"crl.pem\" ]; }; }; };\n"
	    "profiles: { p: { authorities = [ \"a\" ]; }; };\n");
	snprintf(path, sizeof(path), "%s/signer.conf", folder);
	engine = certauth_open(path, &error);
	if (engine == NULL)
		fail_msg("%s", error.text);
	request.profile = certauth_profile_find(engine, "p");
	request.leaf = person;
	v = certauth_verify(engine, &request);
	assert_int_equal(certauth_verdict_reason(v), CERTAUTH_OK);
	assert_true(certauth_verdict_current(engine, v, NOW + 20));
	assert_false(certauth_verdict_current(engine, v, NOW + 21));
	certauth_verdict_free(v);
	request.now = NOW + 21;
	v = certauth_verify(engine, &request);
	assert_int_equal(certauth_verdict_reason(v),
	    CERTAUTH_REVOCATION_UNKNOWN);
	certauth_verdict_free(v);
	certauth_free(engine);
	X509_free(root);
	X509_free(old);
	X509_free(new);
	X509_free(person);
	EVP_PKEY_free(root_key);
	EVP_PKEY_free(old_key);
	EVP_PKEY_free(new_key);
}

/* The workers of a server share an engine that was opened before the fork. */
static void
test_ids(void **state)
{
	struct certauth		*engine = open_engine("bob bob\n", "");
	struct certauth_verdict	*v;
	char			 theirs[17] = "";
	int			 fds[2];
	pid_t			 pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	v = ask(engine, NOW);		/* refused, so it is not remembered */
	if (pid == 0) {
		ssize_t n = write(fds[1], certauth_verdict_get(v, "id"), 16);

		_exit(n == 16 ? 0 : 1);
	}
	assert_int_equal(read(fds[0], theirs, 16), 16);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(strlen(certauth_verdict_get(v, "id")), 16);
	assert_string_not_equal(certauth_verdict_get(v, "id"), theirs);
	certauth_verdict_free(v);
	v = ask(engine, NOW);
	assert_string_not_equal(certauth_verdict_get(v, "id"), theirs);
	certauth_verdict_free(v);
	close(fds[0]);
	close(fds[1]);
	certauth_free(engine);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_line_ends),
		cmocka_unit_test(test_no_times),
		cmocka_unit_test(test_crl_signer),
		cmocka_unit_test(test_ids),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
