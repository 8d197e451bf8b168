/*
 * test_live.c - a map or denied list that changed while the process wanted for
 * descriptors is taken up when the want is over, though the file stays as it is.
 */

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certauth.h"
#include "trust/mesh.h"

static char	 folder[] = "/tmp/certauth-live-XXXXXX";
static X509	*leaf;

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
	FILE	*f;

	(void)unlink(in_folder(name));	/* another file: another stamp */
	f = fopen(in_folder(name), "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(in_folder(name), 0644), 0);
}

static int
set_up(void **state)
{
	EVP_PKEY	*key = mesh_key();
	X509		*ca = mesh_cert("CA", key, "CA", key, true, NOW - DAY,
			    NOW + 9 * DAY);
	FILE		*f;

	(void)state;
	if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0)
		return -1;
	leaf = mesh_cert("alice", key, "CA", key, false, NOW - DAY, NOW + 9 * DAY);
	f = fopen(in_folder("ca.pem"), "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, ca), 1);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(in_folder("ca.pem"), 0644), 0);
	X509_free(ca);
	EVP_PKEY_free(key);
	return 0;
}

static int
tear_down(void **state)
{
	static const char *const	names[] = { "ca.pem", "map", "denied", "conf" };
	size_t				i;

	(void)state;
	X509_free(leaf);
	for (i = 0; i < 4; i++)
		(void)unlink(in_folder(names[i]));
	return rmdir(folder);
}

static struct certauth *
open_engine(void)
{
	struct certauth_error	error;
	struct certauth		*engine;

	write_text("map", "alice alice\n");
	write_text("denied", "user:mallory\n");
	write_text("conf", "version = 1;\n"
	    "authorities: { a: { anchors = [ \"ca.pem\" ];"
	    " revocation: { check = \"none\"; }; }; };\n"
	    "profiles: { p: { authorities = [ \"a\" ]; denied = \"denied\";"
	    " identity = ( { name = \"cn\"; key = \"{subject.CN}\";"
	    " table = \"map\"; } ); }; };\n");
	engine = certauth_open(in_folder("conf"), &error);
	if (engine == NULL)
		fail_msg("%s:%u: %s", error.file, error.line, error.text);
	return engine;
}

static enum certauth_reason
ask(struct certauth *engine)
{
	struct certauth_request	 request = {
		.profile = certauth_profile_find(engine, "p"), .leaf = leaf,
		.now = NOW
	};
	struct certauth_verdict	*v = certauth_verify(engine, &request);
	enum certauth_reason	 reason = certauth_verdict_reason(v);

	certauth_verdict_free(v);
	return reason;
}

static size_t
notes(struct certauth *engine, const char *word)
{
	struct certauth_note	note;
	size_t			n = 0;

	while (certauth_take_note(engine, &note))
		n += strstr(note.text, word) != NULL;
	return n;
}

/* A poll that may open no file. */
static enum certauth_news
poll_in_want(struct certauth *engine)
{
	struct certauth_error	error;
	struct rlimit		before, none;
	enum certauth_news	news;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	news = certauth_poll(engine, &error);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	return news;
}

static void
takes_up(const char *name, const char *text, enum certauth_reason reason)
{
	struct certauth		*engine = open_engine();
	struct certauth_error	 error;

	assert_int_equal(ask(engine), CERTAUTH_OK);
	write_text(name, text);
	assert_int_equal(poll_in_want(engine), CERTAUTH_NEWS_FAILED);
	assert_int_equal(notes(engine, "last good version stays"), 1);
	assert_int_equal(ask(engine), CERTAUTH_OK);
	/* still in want: known already */
	assert_int_equal(poll_in_want(engine), CERTAUTH_NEWS_NONE);
	assert_int_equal(notes(engine, ""), 0);
	/* and now, though nobody touched the file */
	assert_int_equal(certauth_poll(engine, &error), CERTAUTH_NEWS_TAKEN);
	assert_int_equal(ask(engine), reason);
	assert_int_equal(certauth_poll(engine, &error), CERTAUTH_NEWS_NONE);
	certauth_free(engine);
}

static void
test_denied(void **state)
{
	(void)state;
	takes_up("denied", "user:alice\n", CERTAUTH_DENIED);
}

static void
test_map(void **state)
{
	(void)state;
	takes_up("map", "bob bob\n", CERTAUTH_NO_USER);
}

/* What the file itself has wrong is said once for each edition of it. */
static void
test_bad_line(void **state)
{
	struct certauth		*engine = open_engine();
	struct certauth_error	 error;
	int			 i;

	(void)state;
	for (i = 0; i < 2; i++) {
		write_text("denied", i == 0 ? "usr:alice\n" : "usr:alice \n");
		assert_int_equal(certauth_poll(engine, &error),
		    CERTAUTH_NEWS_FAILED);
		assert_int_equal(notes(engine, "line 1"), 1);
		assert_int_equal(certauth_poll(engine, &error),
		    CERTAUTH_NEWS_NONE);
		assert_int_equal(notes(engine, ""), 0);
	}
	assert_int_equal(ask(engine), CERTAUTH_OK);
	certauth_free(engine);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_bad_line),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
