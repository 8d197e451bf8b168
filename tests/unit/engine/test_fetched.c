/*
 * test_fetched.c - an intermediate that nobody sent and no pool has: refused until
 * the refresher found it, and found only under an anchor.
 */

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certauth.h"
#include "certauth_data.h"
#include "trust/mesh.h"

static char		 folder[] = "/tmp/certauth-fetched-XXXXXX";
static EVP_PKEY		*root_key, *sub_key, *low_key, *other_key;
static X509		*root, *sub, *low, *leaf, *foreign, *person, *old;
static struct certauth	*engine;

static const char *
in_folder(const char *name)
{
	static char	path[100];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static int
set_up(void **state)
{
	struct certauth_error	error;
	FILE			*f;

	(void)state;
	if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0)
		return -1;
	root_key = mesh_key();
	sub_key = mesh_key();
	low_key = mesh_key();
	other_key = mesh_key();
	root = mesh_cert("Root", root_key, "Root", root_key, true, NOW - DAY,
	    NOW + 9 * DAY);
	sub = mesh_cert("Sub", sub_key, "Root", root_key, true, NOW - DAY,
	    NOW + 9 * DAY);
	low = mesh_cert("Low", low_key, "Sub", sub_key, true, NOW - DAY,
	    NOW + 9 * DAY);
	old = mesh_cert("Low", low_key, "Sub", sub_key, true, NOW - 9 * DAY,
	    NOW - DAY);
	leaf = mesh_cert("alice", low_key, "Low", low_key, false, NOW - DAY,
	    NOW + 9 * DAY);
	person = mesh_cert("bob", sub_key, "Sub", sub_key, false, NOW - DAY,
	    NOW + 9 * DAY);
	/* the name of the anchor, another key */
	foreign = mesh_cert("Low", other_key, "Root", other_key, true,
	    NOW - DAY, NOW + 9 * DAY);
	f = fopen(in_folder("root.pem"), "w");
	if (f == NULL)
		return -1;
	PEM_write_X509(f, root);
	fclose(f);
	chmod(in_folder("root.pem"), 0644);
	f = fopen(in_folder("conf"), "w");
	if (f == NULL)
		return -1;
	fprintf(f, "version = 1; state = \"state\";\n"
	    "authorities: { a: { anchors = [ \"root.pem\" ];\n"
	    "revocation: { check = \"none\"; }; }; };\n"
	    "profiles: { p: { authorities = [ \"a\" ]; }; };\n");
	fclose(f);
	chmod(in_folder("conf"), 0644);
	engine = certauth_open(in_folder("conf"), &error);
	return engine != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	char	command[160];

	(void)state;
	certauth_free(engine);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	if (system(command) != 0)
		return -1;
	X509_free(root);
	X509_free(sub);
	X509_free(low);
	X509_free(old);
	X509_free(leaf);
	X509_free(person);
	X509_free(foreign);
	EVP_PKEY_free(root_key);
	EVP_PKEY_free(sub_key);
	EVP_PKEY_free(low_key);
	EVP_PKEY_free(other_key);
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

static enum certauth_issuer_news
publish(X509 *x)
{
	unsigned char			*der = NULL;
	struct certauth_bytes		 bytes;
	struct certauth_error		 error;
	enum certauth_issuer_news	 news;
	int				 len = i2d_X509(x, &der);

	assert_true(len > 0);
	bytes = (struct certauth_bytes){ der, (size_t)len };
	news = certauth_issuer_publish(engine, 0, &bytes, NOW, &error);
	assert_true((news == CERTAUTH_ISSUER_REFUSED) ==
	    (error.text[0] != '\0'));
	OPENSSL_free(der);
	return news;
}

static void
refuses_what_no_anchor_vouches_for(void **state)
{
	const struct certauth_bytes	junk = {
	    (const unsigned char *)"junk", 4 };
	struct certauth_error		error;

	(void)state;
	assert_int_equal(publish(foreign), CERTAUTH_ISSUER_REFUSED);
	assert_int_equal(publish(person), CERTAUTH_ISSUER_REFUSED);
	assert_int_equal(publish(old), CERTAUTH_ISSUER_REFUSED);
	/* its own issuer is not known yet */
	assert_int_equal(publish(low), CERTAUTH_ISSUER_REFUSED);
	assert_int_equal(certauth_issuer_publish(engine, 0, &junk, NOW, &error),
	    CERTAUTH_ISSUER_REFUSED);
	assert_int_equal(certauth_issuer_publish(engine, 1, &junk, NOW, &error),
	    CERTAUTH_ISSUER_REFUSED);
	assert_int_equal(publish(root), CERTAUTH_ISSUER_KNOWN);
	assert_int_equal(ask(engine), CERTAUTH_NO_PATH);
}

static void
completes_the_path_at_the_next_poll(void **state)
{
	struct certauth_error	error;
	struct certauth		*second;
	struct rlimit		before, none;

	(void)state;
	assert_int_equal(publish(sub), CERTAUTH_ISSUER_TAKEN);
	assert_int_equal(publish(sub), CERTAUTH_ISSUER_KNOWN);
	assert_int_equal(publish(low), CERTAUTH_ISSUER_TAKEN);
	assert_int_equal(ask(engine), CERTAUTH_NO_PATH);
	/* A poll without a descriptor left is no look at it. */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(certauth_poll(engine, &error), CERTAUTH_NEWS_FAILED);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(ask(engine), CERTAUTH_NO_PATH);
	assert_int_equal(certauth_poll(engine, &error), CERTAUTH_NEWS_TAKEN);
	assert_int_equal(ask(engine), CERTAUTH_OK);
	assert_int_equal(certauth_poll(engine, &error), CERTAUTH_NEWS_NONE);
	assert_int_equal(ask(engine), CERTAUTH_OK);
	second = certauth_open(in_folder("conf"), &error);
	assert_non_null(second);
	assert_int_equal(ask(second), CERTAUTH_OK);
	certauth_free(second);
}

static void
keeps_the_last_good_ones(void **state)
{
	struct certauth_note	note;
	struct certauth_error	error;
	bool			told = false;
	FILE			*f;

	(void)state;
	while (certauth_take_note(engine, &note))
		;
	f = fopen(in_folder("state/pool.9.pem"), "w");
	assert_non_null(f);
	fputs("damaged", f);
	fclose(f);
	chmod(in_folder("state/pool.9.pem"), 0644);
	f = fopen(in_folder("state/new"), "w");
	assert_non_null(f);
	fprintf(f, "pool.9.pem 7 %064d 9\n", 0);
	fclose(f);
	chmod(in_folder("state/new"), 0644);
	{
		char	to[120];

		snprintf(to, sizeof(to), "%s/state/current", folder);
		assert_int_equal(rename(in_folder("state/new"), to), 0);
	}
	(void)certauth_poll(engine, &error);
	while (certauth_take_note(engine, &note))
		told |= strstr(note.text, "the last good ones stay") != NULL;
	assert_true(told);
	assert_int_equal(ask(engine), CERTAUTH_OK);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(refuses_what_no_anchor_vouches_for),
		cmocka_unit_test(completes_the_path_at_the_next_poll),
		cmocka_unit_test(keeps_the_last_good_ones),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
