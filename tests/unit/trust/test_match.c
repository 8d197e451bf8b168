/* test_match.c - one name within another, kind by kind. */

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "trust/match.h"

enum kind { DNS, NOT_DNS, MAIL, NOT_MAIL, UTF8, URI };

static const struct {
	enum kind	 kind;
	const char	*name, *base;
	enum match	 match;
} rows[] = {
	{ DNS, "a.example.com", "example.com", MATCH_YES },
	{ DNS, "example.com", "example.com", MATCH_YES },
	{ DNS, "example.com", "a.example.com", MATCH_NO },
	{ DNS, "xexample.com", "example.com", MATCH_NO },
	{ DNS, "example.com.", "EXAMPLE.com", MATCH_YES },
	{ DNS, "example.com", "example.com.", MATCH_YES },
	{ DNS, "a.example.com", ".example.com", MATCH_YES },
	{ DNS, "example.com", ".example.com", MATCH_NO },
	{ DNS, "localhost", "", MATCH_YES },
	{ DNS, "*.example.com", "a.example.com", MATCH_NO },
	{ DNS, "a_b.example.com", "example.com", MATCH_YES },
	{ DNS, "a..example.com", "example.com", MATCH_NEVER },
	{ DNS, ".example.com", "example.com", MATCH_NEVER },
	{ DNS, "", "example.com", MATCH_NEVER },
	{ DNS, "", "", MATCH_NEVER },
	{ DNS, ".", "", MATCH_NEVER },
	{ DNS, "*", "", MATCH_NEVER },
	{ DNS, "*.", "", MATCH_NEVER },
	{ DNS, "a.example.com", "*.example.com", MATCH_NEVER },
	{ DNS, "a.example.com", "example..com", MATCH_NEVER },
	{ DNS, "a.example.com", ".", MATCH_NEVER },
	{ NOT_DNS, "*.example.com", "a.example.com", MATCH_YES },
	{ NOT_DNS, "*.example.com", "A.Example.com", MATCH_YES },
	{ NOT_DNS, "*.example.com", "a.b.example.com", MATCH_NO },
	{ NOT_DNS, "*.example.com", "com", MATCH_YES },
	{ NOT_DNS, "*.b.example.com", "a.example.com", MATCH_NO },
	{ NOT_DNS, "*.com", "com", MATCH_YES },
	{ NOT_DNS, "a.example.com", "b.example.com", MATCH_NO },
	{ MAIL, "a@example.com", "example.com", MATCH_YES },
	{ MAIL, "a@EXAMPLE.com", "example.com", MATCH_YES },
	{ MAIL, "a@b.example.com", "example.com", MATCH_NO },
	{ MAIL, "a@b.example.com", ".example.com", MATCH_YES },
	{ MAIL, "a@example.com", "a@example.com", MATCH_YES },
	{ MAIL, "A@example.com", "a@example.com", MATCH_NO },
	{ MAIL, "a@example.com", "", MATCH_NEVER },
	{ MAIL, "a@example.com", "@example.com", MATCH_NEVER },
	{ MAIL, "a@example.com", "b@", MATCH_NEVER },
	{ MAIL, "@example.com", "example.com", MATCH_NEVER },
	{ MAIL, "a@b@example.com", "example.com", MATCH_NEVER },
	{ MAIL, "a@[192.0.2.1]", "example.com", MATCH_NEVER },
	{ MAIL, "\xc3\xa4@example.com", "example.com", MATCH_NEVER },
	{ MAIL, "a b@example.com", "example.com", MATCH_NEVER },
	{ NOT_MAIL, "A@example.com", "a@example.com", MATCH_YES },
	{ UTF8, "\xc3\xa4@example.com", "example.com", MATCH_YES },
	{ UTF8, "\xc3@example.com", "example.com", MATCH_NEVER },
	{ UTF8, "a@b\xc3\xbc.example", ".example", MATCH_NEVER },
	{ URI, "https://a.example.com/x", "a.example.com", MATCH_YES },
	{ URI, "https://a.example.com", ".example.com", MATCH_YES },
	{ URI, "https://a.example.com", "example.com", MATCH_NO },
	{ URI, "ldap://A.example.com:389?x", "a.example.com", MATCH_YES },
	{ URI, "https://u:p@a.example.com", "a.example.com", MATCH_YES },
	{ URI, "https://a.example.com:x@evil.example", "a.example.com", MATCH_NO },
	{ URI, "https://evil.example#.example.com", ".example.com", MATCH_NO },
	{ URI, "https://evil.example?@a.example.com", "a.example.com", MATCH_NO },
	{ URI, "https://a@b@a.example.com", "a.example.com", MATCH_NEVER },
	{ URI, "https://a.example.com:8x/", "a.example.com", MATCH_NEVER },
	{ URI, "https:///a.example.com", "a.example.com", MATCH_NEVER },
	{ URI, "https:a.example.com", "a.example.com", MATCH_NEVER },
	{ URI, "//a.example.com", "a.example.com", MATCH_NEVER },
	{ URI, "a/b://a.example.com", "a.example.com", MATCH_NEVER },
	{ URI, "1x://a.example.com", "a.example.com", MATCH_NEVER },
	{ URI, "a+b://a.example.com", "a.example.com", MATCH_YES },
	{ URI, "urn:x", "a.example.com", MATCH_NEVER },
	{ URI, "https://192.0.2.1/", ".2.1", MATCH_NEVER },
	{ URI, "https://[::1]/", "a.example.com", MATCH_NEVER },
	{ URI, "https://a.example.com/", "", MATCH_NEVER },
	{ URI, "https://a.example.com/", "https://a.example.com", MATCH_NEVER },
};

static struct span
text(const char *s)
{
	return (struct span){ (const unsigned char *)s, strlen(s) };
}

static enum match
ask(enum kind kind, struct span name, struct span base)
{
	static const enum match_kind	names[] = { MATCH_DNS, MATCH_DNS,
	    MATCH_MAIL, MATCH_MAIL, MATCH_MAIL_UTF8, MATCH_URI };
	static const enum match_kind	bases[] = { MATCH_DNS, MATCH_DNS,
	    MATCH_MAIL, MATCH_MAIL, MATCH_MAIL, MATCH_URI };
	unsigned char			name_room[256], base_room[256];
	struct match_side		a, b;

	match_name(names[kind], name, name_room, &a);
	match_base(bases[kind], base, base_room, &b);
	return match_within(bases[kind], &a, &b,
	    kind == NOT_DNS || kind == NOT_MAIL);
}

static void
test_rows(void **state)
{
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (ask(rows[i].kind, text(rows[i].name), text(rows[i].base)) !=
		    rows[i].match)
			fail_msg("\"%s\" in \"%s\"", rows[i].name, rows[i].base);
}

static void
test_addresses(void **state)
{
	static const unsigned char	net[] = { 192, 0, 2, 0, 255, 255, 255, 0 };
	static const unsigned char	hole[] = { 192, 0, 2, 0, 255, 0, 255, 0 };
	static const unsigned char	host[] = { 192, 0, 2, 9, 0 };
	static const unsigned char	all[8], none[] = { 0, 0, 0, 0,
					    255, 255, 255, 255 };

	(void)state;
	assert_int_equal(match_ip((struct span){ host, 4 },
	    (struct span){ net, 8 }), MATCH_YES);
	assert_int_equal(match_ip((struct span){ host + 1, 4 },
	    (struct span){ net, 8 }), MATCH_NO);
	assert_int_equal(match_ip((struct span){ host, 5 },
	    (struct span){ net, 8 }), MATCH_NEVER);
	assert_int_equal(match_ip((struct span){ host, 4 },
	    (struct span){ all, 8 }), MATCH_YES);
	assert_int_equal(match_ip((struct span){ host, 4 },
	    (struct span){ none, 8 }), MATCH_NO);
	assert_true(match_mask_valid((struct span){ net, 8 }));
	assert_true(match_mask_valid((struct span){ all, 8 }));
	assert_true(match_mask_valid((struct span){ none, 8 }));
	assert_false(match_mask_valid((struct span){ hole, 8 }));
}

static void
test_nul(void **state)
{
	static const unsigned char	name[] = "evil.example\0.example.com";

	(void)state;
	assert_int_equal(ask(DNS, (struct span){ name, sizeof(name) - 1 },
	    text("example.com")), MATCH_NEVER);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
