/*
 * test_digest.c - does the profile's digest change with everything that decides?
 *
 * It is the session id context of the servers (INTERFACE 7): two rule sets with
 * one digest would open each other's sessions (peers row 03).
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "certauth.h"

#define PKI	"tests/pki/"

static char	folder[] = "/tmp/certauth-digest-XXXXXX";

static void
write_file(const char *name, const char *text)
{
	char	 path[256];
	FILE	*f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_int_not_equal(fputs(text, f), EOF);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0644), 0);
}

static void
copy_file(const char *from, const char *name)
{
	char	 text[16384];
	FILE	*f = fopen(from, "re");
	size_t	 n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	write_file(name, text);
}

/* The digest of profile "web" of this text. */
static void
digest(const char *policy, unsigned char digest_r[32])
{
	const struct certauth_profile	*profile;
	struct certauth_error		 error = { 0 };
	struct certauth			*engine;
	char				 conf[256];

	write_file("policy.conf", policy);
	snprintf(conf, sizeof(conf), "%s/policy.conf", folder);
	engine = certauth_open(conf, &error);
	if (engine == NULL)
		fail_msg("%s:%u: %s\n%s", error.file, error.line, error.text,
		    policy);
	profile = certauth_profile_find(engine, "web");
	assert_non_null(profile);
	certauth_profile_digest(profile, digest_r);
	certauth_free(engine);
}

/* The whole policy; each argument replaces the usual text of one place. */
static const char *
policy(const char *authority, const char *profile)
{
	static char	text[4096];

	snprintf(text, sizeof(text),
	    "version = 1;\nauthorities: {\n"
	    "  ca: { %s };\n"
	    "  house: { anchors = [ \"house.pem\" ]; revocation: { check = \"none\"; }; };\n"
	    "};\nprofiles: {\n  web: { %s };\n"
	    "  other: { authorities = [ \"house\" ]; };\n};\n",
	    authority, profile);
	return text;
}

#define AUTHORITY	"anchors = [ \"root.pem\" ]; issuers = [ \"issuing.pem\" ]; " \
			"revocation: { check = \"leaf\"; grace = \"72h\"; };"
#define PROFILE		"authorities = [ \"ca\" ];"

static const struct { const char *authority, *profile; } changes[] = {
	{ AUTHORITY, PROFILE },
	{ "anchors = [ \"house.pem\" ]; issuers = [ \"issuing.pem\" ]; "
	    "revocation: { check = \"leaf\"; };", PROFILE },
	{ "anchors = [ \"root.pem\", \"house.pem\" ]; issuers = [ \"issuing.pem\" ]; "
	    "revocation: { check = \"leaf\"; };", PROFILE },
	{ "anchors = [ \"root.pem\" ]; revocation: { check = \"leaf\"; };", PROFILE },
	{ "anchors = [ \"root.pem\" ]; issuers = [ \"mid.pem\" ]; "
	    "revocation: { check = \"leaf\"; };", PROFILE },
	{ "anchors = [ \"root.pem\" ]; issuers = [ \"issuing.pem\" ]; "
	    "revocation: { check = \"chain\"; };", PROFILE },
	{ "anchors = [ \"root.pem\" ]; issuers = [ \"issuing.pem\" ]; "
	    "revocation: { check = \"none\"; };", PROFILE },
	{ "anchors = [ \"root.pem\" ]; issuers = [ \"issuing.pem\" ]; "
	    "revocation: { check = \"leaf\"; unknown = \"accept\"; };", PROFILE },
	{ "anchors = [ \"root.pem\" ]; issuers = [ \"issuing.pem\" ]; "
	    "revocation: { check = \"leaf\"; grace = \"1h\"; };", PROFILE },
	{ "anchors = [ \"root.pem\" ]; issuers = [ \"issuing.pem\" ]; "
	    "revocation: { check = \"leaf\"; max_age = \"1h\"; };", PROFILE },
	{ AUTHORITY, "authorities = [ \"house\" ];" },
	{ AUTHORITY, "authorities = [ \"ca\", \"house\" ];" },
	{ AUTHORITY, PROFILE " purposes = [ \"emailProtection\" ];" },
	{ AUTHORITY, PROFILE " purposes = [ \"any\" ];" },
	{ AUTHORITY, PROFILE " policies = [ \"1.2.3.4\" ];" },
	{ AUTHORITY, PROFILE " policies = [ \"1.2.3.5\" ];" },
	{ AUTHORITY, PROFILE " keys: { rsa_min = 3072; };" },
	{ AUTHORITY, PROFILE " keys: { rsa_max = 4096; };" },
	{ AUTHORITY, PROFILE " keys: { curves = [ \"P-256\" ]; };" },
	{ AUTHORITY, PROFILE " keys: { ed = false; };" },
	{ AUTHORITY, PROFILE " keys: { digests = [ \"sha256\" ]; };" },
	{ AUTHORITY, PROFILE " max_lifetime = \"825d\";" },
	{ AUTHORITY, PROFILE " depth = 2;" },
	{ AUTHORITY, PROFILE " denied = \"denied\";" },
	{ AUTHORITY, PROFILE " identity = ( { name = \"a\"; user = \"{san.email}\"; } );" },
	{ AUTHORITY, PROFILE " identity = ( { name = \"a\"; user = \"{san.email|lower}\"; } );" },
	{ AUTHORITY, PROFILE " identity = ( { name = \"a\"; user = \"{san.upn}\"; } );" },
	{ AUTHORITY, PROFILE " identity = ( { name = \"a\"; user = \"{san.email}\"; "
	    "when = \"san.upn present\"; } );" },
	{ AUTHORITY, PROFILE " identity = ( { name = \"a\"; user = \"{san.email}\"; "
	    "must_exist = \"map\"; } );" },
	{ AUTHORITY, PROFILE " identity = ( { name = \"a\"; user = \"{san.email}\"; "
	    "groups = \"{san.email.domain}\"; } );" },
	{ AUTHORITY, PROFILE " identity = ( { name = \"a\"; key = \"{san.email}\"; "
	    "table = \"map\"; } );" },
	{ AUTHORITY, PROFILE " identity = ( { name = \"a\"; key = \"{san.email}\"; "
	    "table = \"map2\"; } );" },
	{ AUTHORITY, PROFILE " identity = ( { name = \"a\"; key = \"{san.email}\"; "
	    "table = \"map\"; on_miss = \"next\"; } );" },
};
#define NUM_CHANGES	(sizeof(changes) / sizeof(changes[0]))

static void
test_every_setting(void **state)
{
	unsigned char	d[NUM_CHANGES][32];
	size_t		i, j;

	(void)state;
	for (i = 0; i < NUM_CHANGES; i++)
		digest(policy(changes[i].authority, changes[i].profile), d[i]);
	for (i = 0; i < NUM_CHANGES; i++)
		for (j = 0; j < i; j++)
			if (memcmp(d[i], d[j], 32) == 0)
				fail_msg("one digest for\n%s %s\n%s %s",
				    changes[i].authority, changes[i].profile,
				    changes[j].authority, changes[j].profile);
}

/* The same rules written in other words, and another profile's rules. */
static void
test_what_does_not_decide(void **state)
{
	unsigned char	a[32], b[32];

	(void)state;
	digest(policy(AUTHORITY, PROFILE), a);
	digest(policy(AUTHORITY, PROFILE), b);
	assert_memory_equal(a, b, 32);
	digest(policy("/* words */ revocation: { grace = \"3d\"; check = \"leaf\"; };\n"
	    "issuers = [ \"issuing.pem\" ];\n anchors = [ \"root.pem\" ];",
	    PROFILE " purposes = [ \"clientAuth\" ]; depth = 5;"), b);
	assert_memory_equal(a, b, 32);
}

/* The file keeps its name and gets another certificate. */
static void
test_content_of_files(void **state)
{
	unsigned char	a[32], b[32];

	(void)state;
	digest(policy(AUTHORITY, PROFILE), a);
	copy_file(PKI "two-level/mid.pem", "issuing.pem");
	digest(policy(AUTHORITY, PROFILE), b);
	assert_memory_not_equal(a, b, 32);
	copy_file(PKI "two-level/issuing.pem", "issuing.pem");
	copy_file(PKI "trap/old-root.pem", "root.pem");
	digest(policy(AUTHORITY, PROFILE), b);
	assert_memory_not_equal(a, b, 32);
	copy_file(PKI "two-level/root.pem", "root.pem");
	digest(policy(AUTHORITY, PROFILE), b);
	assert_memory_equal(a, b, 32);
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	copy_file(PKI "two-level/root.pem", "root.pem");
	copy_file(PKI "two-level/issuing.pem", "issuing.pem");
	copy_file(PKI "two-level/mid.pem", "mid.pem");
	copy_file(PKI "issuers/in-house.pem", "house.pem");
	write_file("map", "a@b a\n");
	write_file("map2", "a@b a\n");
	write_file("denied", "# nobody\n");
	return 0;
}

static int
teardown(void **state)
{
	static const char *const names[] = { "root.pem", "issuing.pem", "mid.pem",
	    "house.pem", "map", "map2", "denied", "policy.conf" };
	char	path[256];
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		(void)unlink(path);
	}
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_setting),
		cmocka_unit_test(test_what_does_not_decide),
		cmocka_unit_test(test_content_of_files),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
