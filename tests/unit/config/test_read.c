/*
 * test_read.c - is every way to cut, hide or smuggle in the policy file refused?
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/policy.h"
#include "config/read.h"

static void
test_bytes(void **state)
{
	(void)state;
	refused("", 0, "is empty");
	refused("\n\n# nothing\n", 1, "no setting", "version = 1");
	refused(MINIMAL "\0", 4, "NUL");
	refused(V "# a\0\n" A P, 2, "NUL");
	refused(V "state = \"x\\x00y\";\n" A P, 2, "\\x00", "NUL");
	refused("\xef\xbb\xbf" MINIMAL, 1, "byte order mark");
	refused(V "# \xff\n" A P, 2, "UTF-8");
	refused(MINIMAL "# \xe2\x82", 4, "UTF-8");
	refused(V "# a\rstate = \"x\";\n", 2, "carriage return");
	refused(V "\f" A P, 2, "control character");
	refused(V "# \x1b[2J\n", 2, "control character");
	config_free(load("version = 1;\r\n" A P "\t\r\n"));
}

static void
test_comments(void **state)
{
	(void)state;
	config_free(load("# a\n// b\n/* c\n d */" V "/**/" A "/***/" P "/*/ */"));
	config_free(load(V A P "# no line end"));
	config_free(load(V "state = \"/tmp//x/* y # z\";" A P));
	refused(MINIMAL "/* never", 4, "never ends", "*/");
	refused(V "/* never\n" A P, 2, "never ends");
	refused(MINIMAL "/*/", 4, "never ends");
	refused(MINIMAL "/", 4, "found \"/\"", "expected");
}

static void
test_strings(void **state)
{
	(void)state;
	refused(V "state = \"x;\n" A P, 2, "not closed", "\"");
	refused(V "state = \"x\\\";\n" A P, 2, "not closed");
	refused(MINIMAL "state = \"x", 4, "not closed");
	refused(MINIMAL "state = \"x\\", 4, "not closed");
	/* What libconfig makes of escapes is looked at after it. */
	refused(V "state = \"x\\n\";\n" A P, 2, "control characters", "\\x0a");
	refused(V "state = \"x\\x1b\";\n" A P, 2, "control characters");
	refused(V "state = \"\\xff\";\n" A P, 2, "UTF-8");
	config_free(load(V "state = \"x\\\"\\\\\";\n" A P));
}

static void
test_numbers(void **state)
{
	(void)state;
	refused("version = 4294967297;\n" A P, 1, "4294967297",
	    "at most nine digits");
	refused("version = 18446744073709551617;\n" A P, 1, "whole number");
	refused("version = 0x1;\n" A P, 1, "0x1");
	refused("version = 1.0;\n" A P, 1, "1.0");
	refused("version = 1L;\n" A P, 1, "1L");
	refused("version = 01;\n" A P, 1, "01");
	refused("version = +1;\n" A P, 1, "+1");
	refused("version = .1;\n" A P, 1, ".1");
	refused("version = -;\n" A P, 1, "found \"-\"");
	refused(V P "authorities: { a: { anchors = [ \"root.pem\" ];\n"
	    "revocation: { grace = 72h; }; }; };\n", 4, "found \"72h\"",
	    "durations are strings");
}

/* A file that was cut anywhere is never taken for the whole. */
static void
test_cut(void **state)
{
	static const char	text[] = V
	    "authorities: { a: { anchors = [ \"root.pem\", \"root.pem\" ];\n"
	    "revocation: { check = \"leaf\"; }; }; };\n"
	    "profiles: { p: { authorities = [ \"a\" ]; denied = \"denied\";\n"
	    "identity = ( { name = \"r\"; user = \"{san.email}\"; } );"
	    " }; };";
	struct config		*config;
	size_t			 i;

	(void)state;
	config_free(load(text));
	for (i = 0; i < sizeof(text) - 1; i++) {
		config = load_n(text, i);
		if (config != NULL) {
			/* Only the last ";" may be missing. */
			assert_int_equal(i, sizeof(text) - 2);
			config_free(config);
		} else
			assert_true(error.text[0] != '\0');
	}
}

static void
test_grammar(void **state)
{
	(void)state;
	refused(V "version = 1;\n" A P, 2, "duplicate", "version");
	refused(V A "profiles: { p: { authorities = [ \"a\" ]; };\n"
	    "p: { authorities = [ \"a\" ]; }; };\n", 4, "duplicate", "found \"p\"",
	    "once");
	refused(V "authorities: { a: { anchors = [ \"root.pem\" ]; }; };\n"
	    "authorities: { b: { anchors = [ \"root.pem\" ]; }; };\n" P, 3,
	    "duplicate", "authorities");
	refused(V A "profiles: { p: { authorities = [ \"a\" ]; depth = 3;\n\n"
	    "depth = 4; }; };\n", 5, "duplicate", "depth");
	refused(V "state \"x\";\n" A P, 2, "syntax error", "NAME = VALUE");
	refused(V "state = ;\n" A P, 2, "syntax error", "found \";\"");
	refused(V "state = yes;\n" A P, 2, "syntax error", "yes");
	refused(V "state = \"x\" \"y\" z = 1\n" A P, 2, "unknown setting");
	refused(V A "profiles: { p: { authorities = [ \"a\", 3 ]; }; };\n", 3,
	    "one kind");
	refused(V A "profiles: { p: { authorities = [ \"a\" ; }; };\n", 3,
	    "found \"}\"", "expected \"]\"");
	refused(V A "profiles: { p: { authorities = [ \"a\" ; ]; }; };\n", 3,
	    "syntax error", "a\\x22 ;\"");
	refused(V A P "}\n", 4, "none is open");
	refused(V "state = ( \"x\" ];\n" A P, 2, "\")\"", "line 2");
	refused(V A "profiles: { p: {\n", 3, "never closed");
	refused(V "state = $x;\n" A P, 2, "found \"$\"");
	refused(V "\xc3\xa4 = 1;\n" A P, 2, "found");
	refused(V "a.b = 1;\n" A P, 2, "found \".b\"");
	refused(V "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    " = 1;\n", 2, "at most 64");
	refused(V "a = ((((((((((((((((( 1 )))))))))))))))));\n" A P, 2,
	    "within each other");
}

static void
test_size(void **state)
{
	char	*text;
	size_t	 i, len = 0;

	(void)state;
	text = malloc(CONFIG_MAX_BYTES + 100);
	assert_non_null(text);
	memset(text, '\n', CONFIG_MAX_BYTES + 100);
	memcpy(text, MINIMAL, sizeof(MINIMAL) - 1);
	config_free(load_n(text, CONFIG_MAX_BYTES));
	assert_string_equal(error.text, "");
	refused_in(text, CONFIG_MAX_BYTES + 1, "certauth.conf", 0,
	    (const char *const []){ "1048577 bytes", "at most 1048576", NULL });
	/* libconfig compares every new name with all of its group. */
	for (i = 0; i <= SOURCE_MAX_SETTINGS; i++)
		len += (size_t)sprintf(text + len, "a%zu=1;\n", i);
	refused_in(text, len, "certauth.conf", SOURCE_MAX_SETTINGS + 1,
	    (const char *const []){ "more than 16384 settings", NULL });
	free(text);
}

/* ---------------------------------------------------------------- includes */

static void
test_include(void **state)
{
	struct config	*config;

	(void)state;
	assert_int_equal(mkdir(in_base("conf.d"), 0755), 0);
	put("conf.d/a.conf", "authorities: {\n  @include \"in/a.conf\"\n};\n");
	assert_int_equal(mkdir(in_base("conf.d/in"), 0755), 0);
	/* Files it names are relative to the main file, includes to this one. */
	put("conf.d/in/a.conf", "a: { anchors = [ \"root.pem\" ]; };\n");
	config = load(V "\t@include\t\"conf.d/a.conf\" # why\n" P);
	assert_int_equal(config->num_files, 3);
	assert_string_equal(config->authorities[0].file,
	    in_base("conf.d/in/a.conf"));
	assert_int_equal(config->authorities[0].line, 1);
	assert_string_equal(config->authorities[0].anchors.refs[0].path,
	    in_base("root.pem"));
	assert_string_equal(config->profiles[0].file, in_base("certauth.conf"));
	assert_int_equal(config->profiles[0].line, 3);
	config_free(config);

	put("conf.d/in/a.conf", "a: {\nanchors = [ \"root.pem\" ];\nx = 1; };\n");
	refused_in(V "@include \"conf.d/a.conf\"\n" P, sizeof(V P) + 24,
	    "conf.d/in/a.conf", 3, (const char *const []){ "authorities.a.x",
	    "unknown setting", NULL });
	put("conf.d/in/a.conf", "a: {\n");
	refused_in(V "@include \"conf.d/a.conf\"\n" P, sizeof(V P) + 24,
	    "conf.d/in/a.conf", 1, (const char *const []){ "never closed",
	    "in this file", NULL });
	put("conf.d/in/a.conf", "}; a: {\n");
	refused_in(V "@include \"conf.d/a.conf\"\n" P, sizeof(V P) + 24,
	    "conf.d/in/a.conf", 1, (const char *const []){ "none is open",
	    NULL });
	/* A comment ends with its file. */
	put("conf.d/in/a.conf", "/* open\n");
	refused_in(V "@include \"conf.d/a.conf\"\n" P, sizeof(V P) + 24,
	    "conf.d/in/a.conf", 1, (const char *const []){ "never ends", NULL });
	/* Absolute names as well. */
	{
		char	text[400];

		put("abs.conf", A);
		snprintf(text, sizeof(text), V "@include \"%s\"\n" P,
		    in_base("abs.conf"));
		config_free(load(text));
	}
}

/* libconfig 1.5 ends the process here. */
static void
test_include_folder(void **state)
{
	(void)state;
	assert_int_equal(mkdir(in_base("conf.d"), 0755), 0);
	refused(V "@include \"conf.d\"\n" A P, 2, "@include \"conf.d\"",
	    "is a folder", "expected a file");
	refused(V "@include \"conf.d/\"\n" A P, 2, "is a folder");
	refused(V "@include \"*.conf\"\n" A P, 2, "No such file");
	refused(V "@include \"\"\n" A P, 2, "empty file name");
	refused(V "@include \"a\\\\b\"\n" A P, 2, "backslash");
	refused(V "@include a.conf\n" A P, 2, "in quotes");
	refused(V "@include", 2, "in quotes");
	refused(V "@inclde \"x\"\n", 2, "expected @include");
	refused(V "@includex\n" A P, 2, "in quotes");
	refused(V "@include \"x\n" A P, 2, "not closed");
	refused(V "x = 1; @include \"x\"\n", 2, "alone on its line");
	refused(V "/* */ = @include \"x\"\n", 2, "alone on its line");
	put("a.conf", A);
	refused(V "@include \"a.conf\" state = \"x\";\n" P, 2,
	    "nothing behind an @include");
	refused(V "@include \"a.conf\" @include \"a.conf\"\n" P, 2,
	    "alone on its line");
	put("empty.conf", "");
	refused(V "@include \"empty.conf\"\n" A P, 2, "is empty");
	assert_int_equal(mkfifo(in_base("pipe"), 0644), 0);
	refused(V "@include \"pipe\"\n" A P, 2, "pipe", "expected a file");
	/* Not an include: in strings and comments it is text. */
	config_free(load(V "# @include \"conf.d\"\n/*\n@include \"conf.d\"\n*/\n"
	    "state =\n\"@include\" \" \\\"conf.d\\\"\";\n" A P));
}

/* libconfig never sees the word at the start of a line, nor outside of quotes. */
static void
test_include_never_seen(void **state)
{
	static const char *const	texts[] = {
		MINIMAL,
		V "/*\n*/ /* @include \"x\" */ // @include \"x\"\n" A P,
		V "state = \"@include\"\n\"@include \\\"x\\\"\";\n" A P,
	};
	struct conf_source		source;
	struct file_owners		owners;
	const char			*at;
	size_t				 i;

	(void)state;
	file_owners_init(&owners);
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		put("certauth.conf", texts[i]);
		assert_true(conf_source_read(&source, NULL, in_base("certauth.conf"),
		    &owners, &error));
		for (at = source.text; (at = strchr(at, '@')) != NULL; at++)
			assert_true(at > source.text && at[-1] == '"');
		conf_source_free(&source);
	}
}

static void
test_include_cycles(void **state)
{
	char	name[16], text[400];
	int	i;

	(void)state;
	put("self.conf", "@include \"self.conf\"\n");
	refused_in(V "\n@include \"self.conf\"\n", sizeof(V) + 21, "self.conf",
	    1, (const char *const []){ "includes itself", NULL });
	put("x.conf", "\n@include \"certauth.conf\"\n");
	refused_in(V "@include \"x.conf\"\n", sizeof(V) + 17, "x.conf", 2,
	    (const char *const []){ "includes itself", NULL });
	/* By another name. */
	assert_int_equal(symlink("certauth.conf", in_base("link.conf")), 0);
	refused(V "@include \"link.conf\"\n", 2, "includes itself");
	/* Twice is no cycle; the doubled setting is the fault. */
	put("a.conf", A);
	refused_in(V "@include \"a.conf\"\n@include \"a.conf\"\n" P,
	    sizeof(V P) + 35, "a.conf", 1, (const char *const []){ "duplicate",
	    NULL });

	for (i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "d%d.conf", i);
		snprintf(text, sizeof(text), "@include \"d%d.conf\"\n", i + 1);
		put(name, text);
	}
	put("d8.conf", A);
	config_free(load(V "@include \"d1.conf\"\n" P));
	put("d8.conf", "@include \"d9.conf\"\n");
	put("d9.conf", A);
	refused_in(V "@include \"d1.conf\"\n" P, sizeof(V P) + 18, "d8.conf", 1,
	    (const char *const []){ "more than 8 deep", NULL });
}

static void
test_include_count(void **state)
{
	char	text[4000];
	size_t	len;
	int	i;

	(void)state;
	put("c.conf", "# only a comment\n");
	len = (size_t)sprintf(text, MINIMAL);
	for (i = 0; i < CONFIG_MAX_INCLUDES; i++)
		len += (size_t)sprintf(text + len, "@include \"c.conf\"\n");
	config_free(load(text));
	sprintf(text + len, "@include \"c.conf\"\n");
	refused_in(text, strlen(text), "certauth.conf", 4 + CONFIG_MAX_INCLUDES,
	    (const char *const []){ "more than 64 includes", NULL });
}

static void
test_include_size(void **state)
{
	char	*text = malloc(CONFIG_MAX_BYTES);

	(void)state;
	assert_non_null(text);
	memset(text, '\n', CONFIG_MAX_BYTES);
	put_n("big.conf", text, CONFIG_MAX_BYTES - 100);
	refused(MINIMAL "@include \"big.conf\"\n", 4, "big.conf",
	    "over 1048576 bytes");
	free(text);
}

/* ------------------------------------------------------------------ owners */

static void
test_owner(void **state)
{
	(void)state;
	put("a.conf", A);
	config_free(load(V "@include \"a.conf\"\n" P));
	assert_int_equal(chmod(in_base("a.conf"), 0664), 0);
	refused(V "@include \"a.conf\"\n" P, 2, "a.conf", "0664", "chmod go-w");
	assert_int_equal(chmod(in_base("certauth.conf"), 0646), 0);
	refused(MINIMAL, 0, "mode 0646");
	assert_int_equal(chmod(in_base("certauth.conf"), 0644), 0);
	config_free(load(MINIMAL));
	if (geteuid() != 0)
		return;
	assert_int_equal(chmod(in_base("a.conf"), 0644), 0);
	assert_int_equal(chown(in_base("a.conf"), 65534, 65534), 0);
	refused(V "owner = \"nobody\";\n@include \"a.conf\"\n" P, 3,
	    "belongs to user 65534");
	assert_int_equal(chown(in_base("certauth.conf"), 65534, 65534), 0);
	refused(MINIMAL, 0, "belongs to user 65534", "expected root");
}

static void
test_links(void **state)
{
	(void)state;
	put("a.conf", A);
	assert_int_equal(symlink("a.conf", in_base("l.conf")), 0);
	config_free(load(V "@include \"l.conf\"\n" P));
	assert_int_equal(chmod(base, 01777), 0);
	refused(V "@include \"l.conf\"\n" P, 2, "symbolic link", "mode 1777");
	config_free(load(V "@include \"a.conf\"\n" P));
}

static void
test_missing(void **state)
{
	(void)state;
	assert_null(config_load(in_base("none.conf"), &error));
	assert_string_equal(error.file, in_base("none.conf"));
	assert_non_null(strstr(error.text, "No such file"));
	assert_null(config_load(in_base("no/certauth.conf"), &error));
	assert_non_null(strstr(error.text, "folder"));
	assert_null(config_load(base, &error));
	assert_non_null(strstr(error.text, "is a folder"));
	assert_null(config_load("", &error));
	assert_null(config_load(in_base("none.conf"), NULL));
	put("bad.conf", "@include \"x\"\n");
	assert_null(config_load(in_base("bad.conf"), NULL));
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		TEST(test_bytes), TEST(test_comments), TEST(test_strings),
		TEST(test_numbers), TEST(test_cut), TEST(test_grammar),
		TEST(test_size), TEST(test_include), TEST(test_include_folder),
		TEST(test_include_never_seen), TEST(test_include_cycles),
		TEST(test_include_count), TEST(test_include_size),
		TEST(test_owner), TEST(test_links), TEST(test_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
