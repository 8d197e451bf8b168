/*
 * test_waiting.c - is there somebody to ask, and what must a host know to ask?
 */

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "certauth.h"
#include "engine.h"
#include "trust/mesh.h"
#include "trust/url.h"

static char		 folder[] = "/tmp/certauth-waiting-XXXXXX";
static EVP_PKEY		*root_key, *sub_key;
static X509		*root, *sub, *leaf;
static struct certauth	*engine;

static const char *
in_folder(const char *name)
{
	static char	path[100];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void
put_cert(const char *name, X509 *x)
{
	FILE	*f = fopen(in_folder(name), "w");

	assert_non_null(f);
	PEM_write_X509(f, x);
	fclose(f);
	chmod(in_folder(name), 0644);
}

static int
set_up(void **state)
{
	struct certauth_error	 error;
	FILE			*f;

	(void)state;
	if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0)
		return -1;
	root_key = mesh_key();
	sub_key = mesh_key();
	root = mesh_cert("Root", root_key, "Root", root_key, true, NOW - DAY,
	    NOW + 9 * DAY);
	sub = mesh_cert("Sub", sub_key, "Root", root_key, true, NOW - DAY,
	    NOW + 9 * DAY);
	leaf = mesh_cert("alice", sub_key, "Sub", sub_key, false, NOW - DAY,
	    NOW + 9 * DAY);
	mesh_ext(leaf, NID_crl_distribution_points,
	    "URI:http://crl.example/1.crl,URI:ldap:///CN=x,URI:http://b/");
	mesh_ext(leaf, NID_info_access, "OCSP;URI:http://ocsp.example/,"
	    "caIssuers;URI:http://aia.example/sub.cer,"
	    "OCSP;email:a@b.example,OCSP;URI:http://second/");
	assert_true(X509_sign(leaf, sub_key, EVP_sha256()) > 0);
	put_cert("root.pem", root);
	put_cert("sub.pem", sub);
	f = fopen(in_folder("conf"), "w");
	fputs("version = 1; refresher = \"sock\"; authorities: {\n"
	    "a: { anchors = [ \"root.pem\" ]; intermediates = [ \"sub.pem\" ];\n"
	    "revocation: { sources = [ \"ocsp\", \"crl\" ]; grace = \"1h\";\n"
	    "crl_urls = [ \"http://x/1\", \"file:///x/2\" ]; refresh = \"5m\"; }; };\n"
	    "b: { anchors = [ \"root.pem\" ]; revocation: { check = \"none\"; }; };\n"
	    "}; profiles: { p: { authorities = [ \"a\" ]; deadline = \"7s\"; }; };\n",
	    f);
	fclose(f);
	chmod(in_folder("conf"), 0644);
	engine = certauth_open(in_folder("conf"), &error);
	if (engine == NULL)
		print_error("%s:%u %s\n", error.file, error.line, error.text);
	return engine != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	static const char *const	names[] = { "root.pem", "sub.pem", "conf" };
	size_t				i;

	(void)state;
	certauth_free(engine);
	X509_free(root);
	X509_free(sub);
	X509_free(leaf);
	EVP_PKEY_free(root_key);
	EVP_PKEY_free(sub_key);
	for (i = 0; i < 3; i++)
		(void)unlink(in_folder(names[i]));
	return rmdir(folder);
}

static void
test_urls(void **state)
{
	X509	*plain = mesh_cert("plain", sub_key, "Sub", sub_key, false,
		    NOW - DAY, NOW + DAY);

	(void)state;
	assert_true(url_has_http(leaf, URL_CRL));
	assert_true(url_has_http(leaf, URL_OCSP));
	assert_true(url_has_http(leaf, URL_ISSUER));
	assert_false(url_has_http(root, URL_CRL));
	assert_false(url_has_http(root, URL_OCSP));
	mesh_ext(plain, NID_crl_distribution_points,
	    "URI:ldap:///CN=x,URI:http://,URI:file:///etc/passwd");
	mesh_ext(plain, NID_info_access, "OCSP;email:a@b.example,"
	    "caIssuers;URI:HTTPS://x/");
	assert_false(url_has_http(plain, URL_CRL));
	assert_false(url_has_http(plain, URL_OCSP));
	assert_true(url_has_http(plain, URL_ISSUER));
	X509_free(plain);
	assert_int_equal(ERR_peek_error(), 0);
}

/* Nobody is asked where no refresher ever was. */
static void
test_socket(void **state)
{
	struct sockaddr_un	at = { .sun_family = AF_UNIX };
	struct certauth_error	error;
	int			fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	assert_string_equal(certauth_refresher(engine), in_folder("sock"));
	assert_string_equal(certauth_refresher(NULL), "");
	assert_int_equal(certauth_profile_deadline(
	    certauth_profile_at(engine, 0)), 7000);
	assert_int_equal(certauth_profile_deadline(NULL), 0);
	assert_false(atomic_load(&engine->asks));
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", in_folder("sock"));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	certauth_poll(engine, &error);
	assert_true(atomic_load(&engine->asks));
	unlink(in_folder("sock"));
	certauth_poll(engine, &error);
	assert_false(atomic_load(&engine->asks));
	close(fd);
	assert_int_equal(certauth_frame_length((const unsigned char *)"CAR1\0\0\0\1",
	    8), 9);
	assert_int_equal(certauth_frame_length((const unsigned char *)"CAR", 3), 0);
	assert_true(certauth_frame_length((const unsigned char *)"CAQ", 3) ==
	    CERTAUTH_FRAME_BAD);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_urls), cmocka_unit_test(test_socket),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
