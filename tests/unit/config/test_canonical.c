/*
 * test_canonical.c - has a profile one canonical text, the same for the same
 * rules and another for any other?
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "config/directives.h"
#include "config/policy.h"

/* The canonical text of the first profile. */
static char *
canonical(const char *text)
{
	struct config	*config = load(text);
	char		*copy = strdup(config->profiles[0].canonical);

	assert_non_null(copy);
	config_free(config);
	return copy;
}

static void
same(const char *one, const char *two)
{
	char	*a = canonical(one), *b = canonical(two);

	assert_string_equal(a, b);
	free(a);
	free(b);
}

static void
differ(const char *one, const char *two)
{
	char	*a = canonical(one), *b = canonical(two);

	assert_string_not_equal(a, b);
	free(a);
	free(b);
}

static void
test_canonical(void **state)
{
	char	*text;

	(void)state;
	text = canonical(MINIMAL);
	assert_string_equal(text,
	    "authority.a.anchors=\"root.pem\"\n"
	    "authority.a.new_issuers=\"refuse\"\n"
	    "authority.a.revocation.check=\"chain\"\n"
	    "authority.a.revocation.grace=259200s\n"
	    "authority.a.revocation.ldap=false\n"
	    "authority.a.revocation.max_age=none\n"
	    "authority.a.revocation.ocsp_nonce=false\n"
	    "authority.a.revocation.private_addresses=false\n"
	    "authority.a.revocation.refresh=3600s\n"
	    "authority.a.revocation.sources=\"crl\" \"ocsp\"\n"
	    "authority.a.revocation.unknown=\"refuse\"\n"
	    "owner=\"\"\n"
	    "profile.authorities=\"a\"\n"
	    "profile.deadline=2s\n"
	    "profile.depth=5\n"
	    "profile.keys.curves=\"P-256\" \"P-384\" \"P-521\"\n"
	    "profile.keys.digests=\"sha256\" \"sha384\" \"sha512\"\n"
	    "profile.keys.ed=true\n"
	    "profile.keys.rsa_max=8192\n"
	    "profile.keys.rsa_min=2048\n"
	    "profile.min_strength=\"weak\"\n"
	    "profile.no_empty_names=false\n"
	    "profile.purposes=\"clientAuth\"\n"
	    "profile.renewal.after=604800s\n"
	    "profile.renewal.before=7776000s\n"
	    "refresher=\"/run/certauth/refresher.sock\"\n"
	    "state=\"/var/lib/certauth\"\n"
	    "version=1\n");
	free(text);
}

static void
test_canonical_same(void **state)
{
	(void)state;
	/* Order, spelling and place of what is the same. */
	same(MINIMAL, P A "/* x */" V);
	same(MINIMAL, PROFILE("depth = 5; keys: { rsa_min = 2048; };"));
	same(MINIMAL, AUTHORITY("revocation: { grace = \"3d\"; };"));
	same(MINIMAL, PROFILE("keys: { curves = [ \"P-521\", \"P-256\","
	    " \"P-384\", \"P-256\" ]; };"));
	same(V A "profiles: { p: { base = \"q\"; depth = 3; };"
	    " q: { authorities = [ \"a\" ]; depth = 4; }; };",
	    PROFILE("depth = 3;"));
	/* Another profile and another authority are no business of this one. */
	same(MINIMAL, V "authorities: { b: { anchors = [ \"denied\" ]; };"
	    "a: { anchors = [ \"root.pem\" ]; }; };\n" P);
	same(MINIMAL, V A "profiles: { p: { authorities = [ \"a\" ]; };"
	    "q: { authorities = [ \"a\" ]; depth = 1; }; };\n");
}

static void
test_canonical_differs(void **state)
{
	static const char *const	settings[] = {
		"purposes = [ \"any\" ];", "policies = [ \"1.2.3\" ];",
		"keys: { rsa_min = 2049; };", "keys: { rsa_max = 8191; };",
		"keys: { curves = [ \"P-256\" ]; };", "keys: { ed = false; };",
		"keys: { digests = [ \"sha256\" ]; };",
		"max_lifetime = \"1d\";", "depth = 4;", "denied = \"denied\";",
		"identity = ( { name = \"r\"; user = \"{san.email}\"; } );",
		"identity = ( { name = \"q\"; user = \"{san.email}\"; } );",
		"identity = ( { name = \"r\"; user = \"{san.email|lower}\"; } );",
		"identity = ( { name = \"r\"; user = \"{san.email}\";"
		    " must_exist = \"people.map\"; } );",
		"identity = ( { name = \"r\"; user = \"{san.email}\";"
		    " must_exist = \"denied\"; } );",
		"identity = ( { name = \"r\"; key = \"{san.email}\";"
		    " table = \"people.map\"; } );",
		"identity = ( { name = \"r\"; key = \"{san.email}\";"
		    " table = \"people.map\"; on_miss = \"next\"; } );",
		"identity = ( { name = \"r\"; user = \"{san.email}\";"
		    " authorities = [ \"a\" ]; } );",
		"identity = ( { name = \"r\"; user = \"{san.email}\"; },"
		    " { name = \"q\"; user = \"{san.email}\"; } );",
		"identity = ( { name = \"q\"; user = \"{san.email}\"; },"
		    " { name = \"r\"; user = \"{san.email}\"; } );",
	};
	char	*texts[sizeof(settings) / sizeof(settings[0])], conf[600];
	size_t	 i, j;

	(void)state;
	for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		snprintf(conf, sizeof(conf), V A "profiles: { p: {"
		    " authorities = [ \"a\" ]; %s }; };", settings[i]);
		texts[i] = canonical(conf);
		for (j = 0; j < i; j++)
			assert_string_not_equal(texts[i], texts[j]);
	}
	for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		free(texts[i]);

	differ(MINIMAL, AUTHORITY("revocation: { check = \"leaf\"; };"));
	differ(MINIMAL, AUTHORITY("revocation: { unknown = \"accept\"; };"));
	differ(MINIMAL, AUTHORITY("revocation: { grace = \"1h\"; };"));
	differ(MINIMAL, AUTHORITY("revocation: { max_age = \"1h\"; };"));
	differ(MINIMAL, AUTHORITY("revocation: { crls = [ \"x\" ]; };"));
	differ(MINIMAL, AUTHORITY("issuers = [ \"root.pem\" ];"));
	differ(MINIMAL, AUTHORITY("intermediates = [ \"root.pem\" ];"));
	differ(MINIMAL, V "state = \"x\";" A P);
	/* The order of authorities is a preference. */
	differ(V "authorities: { a: { anchors = [ \"root.pem\" ]; };"
	    " b: { anchors = [ \"root.pem\" ]; }; };\n"
	    "profiles: { p: { authorities = [ \"a\", \"b\" ]; }; };",
	    V "authorities: { a: { anchors = [ \"root.pem\" ]; };"
	    " b: { anchors = [ \"root.pem\" ]; }; };\n"
	    "profiles: { p: { authorities = [ \"b\", \"a\" ]; }; };");
	/* Two names are never one with a blank or a quote in it. */
	put("x y", "");
	put("x\" \"y", "");
	put("x", "");
	put("y", "");
	differ(AUTHORITY("issuers = [ \"x\", \"y\" ];"),
	    AUTHORITY("issuers = [ \"x y\" ];"));
	differ(AUTHORITY("issuers = [ \"x\", \"y\" ];"),
	    AUTHORITY("issuers = [ \"x\\\" \\\"y\" ];"));
}

/* The documented defaults are the real ones: all of them, written out. */
static void
test_defaults(void **state)
{
	static const struct { enum directive_section section;
	    const char *open, *close; } groups[] = {
		{ SECTION_TOP, V, "" },
		{ SECTION_AUTHORITY, "authorities: { a: { anchors ="
		    " [ \"root.pem\" ];", "" },
		{ SECTION_REVOCATION, "revocation: {", "}; }; };\n" },
		{ SECTION_PROFILE, "profiles: { p: { authorities = [ \"a\" ];",
		    "" },
		{ SECTION_KEYS, "keys: {", "};" },
		{ SECTION_RENEWAL, "renewal: {", "}; }; };\n" },
	};
	const struct directive	*row;
	struct text		 text = { 0 };
	size_t			 g, defaults = 0;

	(void)state;
	for (g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
		text_add(&text, groups[g].open);
		for (row = NULL; (row = directive_next(row)) != NULL;) {
			if (row->section != groups[g].section ||
			    row->fallback == NULL)
				continue;
			text_printf(&text, "%s = %s;\n", row->name,
			    row->fallback);
			defaults++;
		}
		text_add(&text, groups[g].close);
	}
	assert_true(defaults >= 13);
	same(MINIMAL, text.data);
	text_free(&text);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		TEST(test_canonical), TEST(test_canonical_same),
		TEST(test_canonical_differs), TEST(test_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
