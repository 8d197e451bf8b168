/*
 * test_timed.c - a verdict ends when a line of a map or a denied list does, though
 * no file changes.
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
	static const char *const	names[] = { "ca.pem", "map", "denied", "conf" };
	char				path[128];
	size_t				i;

	(void)state;
	X509_free(leaf);
	for (i = 0; i < 4; i++) {
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
		cmocka_unit_test(test_ids),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
