/* test_family.c - a manifest of CAs: the shipped one whole, a wrong one by its line. */

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "certauth_family.h"

#define MANIFEST	"conf-examples/personalsign/manifest"
#define A64	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define TOP	"family F\ngroup g\n"
#define FACTS	"sha256 " A64 "\nkey " A64 "\nvalid 2020-01-01 2030-01-01\n"
#define CA	"ca X\nrole issuer\ngroups g\nstatus current\n" FACTS

static const struct {
	const char	*text;
	unsigned	 line;
	const char	*says;
} faults[] = {
	{ "", 0, "family" },
	{ "family F\n", 0, "names no CA" },
	{ "\n\nnonsense here\n", 3, "expected family" },
	{ "family\n", 1, "a word and its value" },
	{ "family F\nfamily G\n", 2, "expected family" },
	{ "family F\ngroup G!\n", 2, "expected a name" },
	{ "family F\ngroup ../etc\n", 2, "expected a name" },
	{ "family F\ngroup g\ngroup g\n", 3, "already" },
	{ "family F\ngroup g\nrole issuer\n", 3, "expected title" },
	{ "family F\nprofile p\ngroups g\n", 3, "group that stands above" },
	{ TOP "profile p\nca X\n", 3, "no groups" },
	{ TOP "profile p\ngroups g\nprofile p\n", 5, "already" },
	{ TOP "ca X\nrole king\n", 4, "expected anchor" },
	{ TOP "ca X\nrole issuer\nrole issuer\n", 5, "second time" },
	{ TOP "ca X\nstatus maybe\n", 4, "current or retired" },
	{ TOP "ca X\nsha256 12\n", 4, "SHA-256" },
	{ TOP "ca X\nsha256 " A64 "00\n", 4, "SHA-256" },
	{ TOP "ca X\nski xyz\n", 4, "hexadecimal" },
	{ TOP "ca X\nvalid 2020-01-01\n", 4, "two times" },
	{ TOP "ca X\nvalid 2030-01-01 2020-01-01\n", 4, "two times" },
	{ TOP "ca X\npolicies 1.2..3\n", 4, "an OID" },
	{ TOP "ca X\nget file:///etc/passwd\n", 4, "http:" },
	{ TOP "ca X\nget ftp://a/b\n", 4, "http:" },
	{ TOP "ca X\nget http://a/\"b\n", 4, "http:" },
	{ TOP "ca X\nmother Y\n", 4, "expected role" },
	{ TOP "ca X\nrole issuer\nstatus current\n" FACTS, 3, "has no groups" },
	{ TOP "ca X\nrole apart\ngroups g\nstatus current\n" FACTS, 3, "apart" },
	{ TOP "ca X\nrole issuer\ngroups g\n" FACTS, 3, "no status" },
	{ TOP "ca X\nrole issuer\ngroups g\nstatus current\n", 3, "no sha256" },
	{ TOP CA CA, 10, "already" },
	{ TOP "ca X\x01\n", 3, "control character" },
};

static void
test_faults(void **state)
{
	struct certauth_error	 error;
	struct certauth_family	*f;
	size_t			 i;

	(void)state;
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		memset(&error, 0, sizeof(error));
		f = certauth_family_parse("m", faults[i].text,
		    strlen(faults[i].text), &error);
		if (f != NULL || error.line != faults[i].line ||
		    strstr(error.text, faults[i].says) == NULL)
			fail_msg("row %zu: %s: line %u: %s", i,
			    f != NULL ? "taken" : "refused", error.line,
			    error.text);
	}
}

/* Everything one may write, and that the order of CAs does not matter. */
static void
test_whole(void **state)
{
	static const char	 text[] = "# c\n" TOP "title A title\n"
	    "profile p\n groups g\n" CA
	    "ski 0102\npolicies any 1.2.3\nget http://a/b\ntry https://c/d\n"
	    "aia http://e/f\ncrl http://g/h\nissues-crl http://i/j\n"
	    "ca Y\nrole apart\nstatus retired\nsha256 " B64 "\nkey " A64
	    "\nvalid 2020-01-01 2030-01-01\n";
	const struct family_ca	*ca;
	struct certauth_error	 error = { .line = 0 };
	struct certauth_family	*f;
	unsigned char		 hash[32];

	(void)state;
	f = certauth_family_parse("m", text, sizeof(text) - 1, &error);
	if (f == NULL)
		fail_msg("%u: %s", error.line, error.text);
	assert_string_equal(f->name, "F");
	assert_string_equal(f->as_of, "");
	assert_int_equal(f->num_groups, 1);
	assert_string_equal(f->groups[0].title, "A title");
	assert_int_equal(f->profiles[0].groups, 1);
	memset(hash, 0xaa, sizeof(hash));
	ca = certauth_family_find(f, hash);
	assert_non_null(ca);
	assert_string_equal(ca->name, "X");
	assert_int_equal(ca->role, FAMILY_ISSUER);
	assert_false(ca->retired);
	assert_int_equal(ca->groups, 1);
	assert_int_equal(ca->ski_len, 2);
	assert_int_equal(ca->num_policies, 2);
	assert_int_equal(ca->num_urls, 2);
	assert_string_equal(ca->urls[1], "https://c/d");
	memset(hash, 0xbb, sizeof(hash));
	ca = certauth_family_find(f, hash);
	assert_non_null(ca);
	assert_int_equal(ca->role, FAMILY_APART);
	assert_true(ca->retired);
	memset(hash, 0xcc, sizeof(hash));
	assert_null(certauth_family_find(f, hash));
	certauth_family_free(f);
}

static const struct family_ca *
by_prefix(const struct certauth_family *f, const char *prefix)
{
	unsigned char	want[4];
	size_t		i, len;

	assert_true(text_hex_parse(prefix, want, sizeof(want), &len));
	for (i = 0; i < f->num_cas; i++)
		if (memcmp(f->cas[i].sha256, want, len) == 0)
			return &f->cas[i];
	return NULL;
}

/* The shipped facts: what must be there, and what must never be taken. */
static void
test_shipped(void **state)
{
	static const struct { const char *sha256; enum family_role role; } rows[] = {
		{ "319af0a7", FAMILY_ANCHOR }, { "5cbf6fb8", FAMILY_ANCHOR },
		{ "165c7e81", FAMILY_ANCHOR }, { "8b0f0faa", FAMILY_ANCHOR },
		{ "cbb522d7", FAMILY_ANCHOR }, { "179fbc14", FAMILY_ANCHOR },
		{ "2cabeafe", FAMILY_ANCHOR },
		{ "488f465d", FAMILY_ISSUER }, { "36d73148", FAMILY_ISSUER },
		{ "d50946d5", FAMILY_ISSUER }, { "1aa7f7fb", FAMILY_ISSUER },
		{ "8c8c66ee", FAMILY_ISSUER },
		/* the cross-certificates of Secure Mail R45 and E45 */
		{ "5268c945", FAMILY_APART }, { "5b87841e", FAMILY_APART },
		/* R1, R46 and the customers' hub */
		{ "ebd41040", FAMILY_APART }, { "4fa3126d", FAMILY_APART },
		{ "4e707867", FAMILY_APART },
	};
	struct certauth_error	 error = { .line = 0 };
	struct certauth_family	*f = certauth_family_open(MANIFEST, &error);
	const struct family_ca	*ca;
	uint32_t		 with_anchor = 0, with_issuer = 0;
	size_t			 i;

	(void)state;
	if (f == NULL)
		fail_msg("%s:%u: %s", error.file, error.line, error.text);
	assert_int_equal(f->num_cas, 112);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ca = by_prefix(f, rows[i].sha256);
		if (ca == NULL || ca->role != rows[i].role ||
		    (ca->role != FAMILY_APART && ca->retired))
			fail_msg("%s is %s", rows[i].sha256, ca != NULL ?
			    "another" : "not there");
	}
	for (i = 0; i < f->num_cas; i++) {
		if (f->cas[i].retired)
			continue;
		if (f->cas[i].role == FAMILY_ANCHOR)
			with_anchor |= f->cas[i].groups;
		if (f->cas[i].role == FAMILY_ISSUER)
			with_issuer |= f->cas[i].groups;
	}
	assert_int_equal(with_anchor, (1u << f->num_groups) - 1);
	assert_int_equal(with_issuer, with_anchor);
	assert_int_equal(f->num_profiles, 9);
	certauth_family_free(f);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_shipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
