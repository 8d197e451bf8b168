/* policy.h - a folder with a policy file for the tests of config/. */
#ifndef TEST_CONFIG_POLICY_H
#define TEST_CONFIG_POLICY_H

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"

#define V	"version = 1;\n"
#define A	"authorities: { a: { anchors = [ \"root.pem\" ]; }; };\n"
#define P	"profiles: { p: { authorities = [ \"a\" ]; }; };\n"
#define MINIMAL	V A P
/* One profile with these settings, from line 3. */
#define PROFILE(s) V A "profiles: { p: { authorities = [ \"a\" ];\n" s "\n}; };\n"
#define AUTHORITY(s) V P "authorities: { a: { anchors = [ \"root.pem\" ];\n" s \
	"\n}; };\n"
#define RULE(s)	PROFILE("identity = ( { name = \"r\";\n" s "} );")

/* libconfig 1.5 forgets the text it was at when the grammar is broken. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

static char			 base[64];
static struct certauth_error	 error;

static const char *
in_base(const char *name)
{
	static char	paths[4][PATH_MAX];
	static int	turn;

	turn = (turn + 1) % 4;
	snprintf(paths[turn], sizeof(paths[turn]), "%s/%s", base, name);
	return paths[turn];
}

static void
put_n(const char *name, const char *data, size_t data_len)
{
	FILE	*f = fopen(in_base(name), "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, data_len, f), data_len);
	assert_int_equal(fclose(f), 0);
}

static void
put(const char *name, const char *text)
{
	put_n(name, text, strlen(text));
}

static int
setup(void **state)
{
	(void)state;
	umask(022);
	memset(&error, 0, sizeof(error));
	snprintf(base, sizeof(base), "/tmp/certauth-config.XXXXXX");
	if (mkdtemp(base) == NULL || chmod(base, 0755) != 0)
		return -1;
	put("root.pem", "anchor");
	put("people.map", "alice alice\n");
	put("denied", "");
	return 0;
}

static int
teardown(void **state)
{
	char	command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", base);
	return system(command) == 0 ? 0 : -1;
}

static struct config *
load_n(const char *data, size_t data_len)
{
	put_n("certauth.conf", data, data_len);
	memset(&error, 0, sizeof(error));
	return config_load(in_base("certauth.conf"), &error);
}

static struct config *
load(const char *text)
{
	struct config	*config = load_n(text, strlen(text));

	if (config == NULL)
		print_error("%s:%u: %s\n", error.file, error.line, error.text);
	assert_non_null(config);
	return config;
}

/* Refused, in `file` and `line`, and the text says each of the words. */
__attribute__((unused)) static void
refused_in(const char *text, size_t text_len, const char *file, unsigned line,
    const char *const *words)
{
	struct config	*config = load_n(text, text_len);

	if (config != NULL) {
		print_error("taken: %s\n", text);
		config_free(config);
		fail();
	}
	if (strcmp(error.file, in_base(file)) != 0 || error.line != line)
		fail_msg("%s\nexpected %s:%u, found %s:%u: %s", text, file, line,
		    error.file, error.line, error.text);
	for (; *words != NULL; words++)
		if (strstr(error.text, *words) == NULL)
			fail_msg("%s\nexpected \"%s\", found: %s", text, *words,
			    error.text);
}

#define refused(text, line, ...) \
	refused_in(text, sizeof(text) - 1, "certauth.conf", line, \
	    (const char *const []){ __VA_ARGS__, NULL })

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
