/*
 * test_pending.c - an issuing CA that was fetched and is not listed: shown, and
 * listed once somebody accepts it, and not before.
 */

#include <sys/stat.h>
#include <unistd.h>

#include "certauth.h"
#include "certauth_data.h"
#include "certauth_family.h"
#include "trust/mesh.h"

static char	 folder[] = "/tmp/certauth-pending-XXXXXX";
static EVP_PKEY	*root_key, *sub_key, *new_key, *leaf_key;
static X509	*root, *sub, *new, *leaf;

static const char *
in_folder(const char *name)
{
	static char	path[100];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void
write_text(const char *name, const char *text)
{
	FILE	*f = fopen(in_folder(name), "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(in_folder(name), 0644), 0);
}

static void
write_cert(const char *name, X509 *x)
{
	FILE	*f = fopen(in_folder(name), "w");

	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, x), 1);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(in_folder(name), 0644), 0);
}

static struct certauth *
open_engine(void)
{
	struct certauth_error	 error;
	struct certauth		*e = certauth_open(in_folder("conf"), &error);

	if (e == NULL)
		fail_msg("%s", error.text);
	return e;
}

static int
set_up(void **state)
{
	char	clock[40];

	(void)state;
	if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0 ||
	    mkdir(in_folder("issuers"), 0755) != 0 ||
	    mkdir(in_folder("state"), 0755) != 0)
		return -1;
	root_key = mesh_key();
	sub_key = mesh_key();
	new_key = mesh_key();
	leaf_key = mesh_key();
	root = mesh_cert("Root", root_key, "Root", root_key, true, NOW - DAY,
	    NOW + 9 * DAY);
	sub = mesh_cert("Sub 1", sub_key, "Root", root_key, true, NOW - DAY,
	    NOW + 9 * DAY);
	new = mesh_cert("Sub 2", new_key, "Root", root_key, true, NOW - DAY,
	    NOW + 9 * DAY);
	leaf = mesh_cert("alice", leaf_key, "Sub 2", new_key, false, NOW - DAY,
	    NOW + 9 * DAY);
	write_cert("root.pem", root);
	write_cert("issuers/sub.pem", sub);
	snprintf(clock, sizeof(clock), "@%lld\n", (long long)NOW);
	write_text("clock", clock);
	write_text("conf", "version = 1; state = \"state\"; test_clock = "
	    "\"clock\";\nauthorities: { a: { anchors = [ \"root.pem\" ]; "
	    "issuers = [ \"issuers\" ];\nrevocation: { check = \"none\"; }; }; };\n"
	    "profiles: { p: { authorities = [ \"a\" ]; }; };\n");
	return 0;
}

static int
tear_down(void **state)
{
	char	command[160];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	if (system(command) != 0)
		return -1;
	X509_free(root);
	X509_free(sub);
	X509_free(new);
	X509_free(leaf);
	EVP_PKEY_free(root_key);
	EVP_PKEY_free(sub_key);
	EVP_PKEY_free(new_key);
	EVP_PKEY_free(leaf_key);
	return 0;
}

static enum certauth_reason
ask(struct certauth *e)
{
	struct certauth_request	 request = { .leaf = leaf, .now = NOW };
	struct certauth_verdict	*v;
	enum certauth_reason	 reason;

	request.profile = certauth_profile_find(e, "p");
	v = certauth_verify(e, &request);
	reason = certauth_verdict_reason(v);
	certauth_verdict_free(v);
	return reason;
}

static void
publish(struct certauth *e, X509 *x, enum certauth_issuer_news expected)
{
	unsigned char		*der = NULL;
	struct certauth_bytes	 bytes;
	struct certauth_error	 error;
	int			 len = i2d_X509(x, &der);

	assert_true(len > 0);
	bytes.data = der;
	bytes.data_len = (size_t)len;
	assert_int_equal(certauth_issuer_publish(e, 0, &bytes, NOW, &error),
	    expected);
	OPENSSL_free(der);
	(void)certauth_poll(e, &error);
}

static void
test_pending(void **state)
{
	struct certauth_pending	 p;
	struct certauth_error	 error;
	struct certauth		*e = open_engine();
	unsigned char		 sha256[32];
	unsigned		 len;
	char			 path[200];

	(void)state;
	assert_int_equal(X509_digest(new, EVP_sha256(), sha256, &len), 1);
	assert_false(certauth_pending_at(e, 0, &p));
	assert_int_equal(ask(e), CERTAUTH_NO_PATH);
	/* nobody has its bytes yet */
	assert_false(certauth_accept_issuer(e, NULL, sha256, NULL, NULL, 0, path,
	    sizeof(path), &error));
	assert_non_null(strstr(error.text, "name a file"));
	publish(e, new, CERTAUTH_ISSUER_TAKEN);
	publish(e, sub, CERTAUTH_ISSUER_KNOWN);
	assert_int_equal(ask(e), CERTAUTH_ISSUER_NOT_LISTED);
	assert_true(certauth_pending_at(e, 0, &p));
	assert_string_equal(p.name, "CN=Sub 2");
	assert_string_equal(p.anchor_of, "CN=Root");
	assert_string_equal(p.authority, "a");
	assert_false(certauth_pending_at(e, 1, &p));
	/* another authority, another hash */
	assert_false(certauth_accept_issuer(e, NULL, sha256, "b", NULL, 0, path,
	    sizeof(path), &error));
	sha256[0] ^= 1;
	assert_false(certauth_accept_issuer(e, NULL, sha256, NULL, NULL, 0, path,
	    sizeof(path), &error));
	sha256[0] ^= 1;
	assert_int_equal(ask(e), CERTAUTH_ISSUER_NOT_LISTED);
	if (!certauth_accept_issuer(e, NULL, sha256, NULL, NULL, 0, path,
	    sizeof(path), &error))
		fail_msg("%s", error.text);
	assert_memory_equal(path, in_folder("issuers/accepted-"),
	    strlen(in_folder("issuers/accepted-")));
	assert_int_equal(access(path, R_OK), 0);
	/* pinned issuers are the engine's: a reload */
	assert_int_equal(ask(e), CERTAUTH_ISSUER_NOT_LISTED);
	certauth_free(e);
	e = open_engine();
	assert_int_equal(ask(e), CERTAUTH_OK);
	assert_false(certauth_pending_at(e, 0, &p));
	assert_false(certauth_accept_issuer(e, NULL, sha256, NULL, NULL, 0, path,
	    sizeof(path), &error));
	assert_non_null(strstr(error.text, "already"));
	certauth_free(e);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_pending),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
