/* test_template.c - which names do templates make, and which do they refuse? */

#include <stdio.h>

#include "base/text.h"
#include "map.h"

#define T(text)		RULE(.user = (text))

static void
sources_give_their_values(void **state)
{
	(void)state;
	assert_user(T("{san.email}"), CERT(EMAIL("alice@example.com")),
	    "alice@example.com");
	assert_user(T("{san.upn}"), CERT(UPN("J\xc3\xbcrg@example.com")),
	    "J\xc3\xbcrg@example.com");
	assert_user(T("{san.dns}"), CERT(DNS("host.example.com")),
	    "host.example.com");
	assert_user(T("{san.uri}"), CERT(URI("urn:device:17")), "urn:device:17");
	assert_user(T("{subject.CN}"), CERT(SUBJECT("CN", "Alice Smith")),
	    "Alice Smith");
	assert_user(T("{subject.commonName}"), CERT(SUBJECT("CN", "a")), "a");
	assert_user(T("{subject.2.5.4.3}"), CERT(SUBJECT("CN", "a")), "a");
	assert_user(T("{subject.UID}"), CERT(SUBJECT("UID", "u1")), "u1");
	assert_user(T("{subject.serialNumber}"),
	    CERT(SUBJECT("serialNumber", "42")), "42");
	assert_user(T("{subject.SN}"), CERT(SUBJECT("SN", "Smith")), "Smith");
	assert_user(T("{subject.organizationIdentifier}"),
	    CERT(SUBJECT("organizationIdentifier", "NTRUS+DE-6610117")),
	    "NTRUS+DE-6610117");
	assert_user(T("{subject.1.3.6.1.4.1.99999.1}"),
	    CERT(SUBJECT("1.3.6.1.4.1.99999.1", "own")), "own");
	assert_user(T("{serial}"), CERT(SUBJECT("CN", "a")), "03A1");
	assert_user(T("{serial}"), CERT(SERIAL("\xff\x00\x0a")), "FF000A");
	assert_user(T("{ski}"), CERT(SKI("\xab\x01")), "ab01");
}

static void
hashes_are_lower_case_hex(void **state)
{
	struct cert	*cert = CERT(SUBJECT("CN", "a"));
	struct text	 sha = { 0 }, spki = { 0 };
	unsigned char	 digest[32];
	unsigned int	 len;

	(void)state;
	assert_int_equal(X509_digest(cert->x509, EVP_sha256(), digest, &len), 1);
	text_add_hex(&sha, digest, 32);
	text_add_hex(&spki, cert->spki_sha256, 32);
	assert_user(T("{cert.sha256}"), cert_ref(cert), sha.data);
	assert_user(T("{spki.sha256}"), cert, spki.data);
	assert_int_equal(strlen(spki.data), 64);
	text_free(&sha);
	text_free(&spki);
}

static void
domain_is_folded_and_the_local_part_is_not(void **state)
{
	(void)state;
	assert_user(T("{san.email}"), CERT(EMAIL("First.Last@Example.COM")),
	    "First.Last@example.com");
	assert_user(T("{san.upn}"), CERT(UPN("First.Last@Example.COM")),
	    "First.Last@example.com");
	assert_user(T("{subject.emailAddress}"),
	    CERT(SUBJECT_AS("emailAddress", V_ASN1_IA5STRING, "A@B.C")), "A@b.c");
	assert_user(T("{subject.CN}"), CERT(SUBJECT("CN", "A@B.C")), "A@B.C");
	assert_user(T("{san.email|lower}"),
	    CERT(EMAIL("First.Last@Example.COM")), "first.last@example.com");
	assert_user(T("{san.email|local}"), CERT(EMAIL("Al@Example.COM")), "Al");
	assert_user(T("{san.email|local|lower}"), CERT(EMAIL("Al@X")), "al");
	assert_user(T("{san.email|lower|local}"), CERT(EMAIL("Al@X")), "al");
	assert_user(T("{san.email.local.lower}"), CERT(EMAIL("Al@X")), "al");
	assert_user(T("{ san.email | domain }"), CERT(EMAIL("Al@X.Y")), "x.y");
	/* ASCII only: the locale and Unicode have no say. */
	assert_user(T("{subject.CN|lower}"),
	    CERT(SUBJECT("CN", "\xc3\x84" "BC")), "\xc3\x84" "bc");
}

static void
literals_and_braces(void **state)
{
	(void)state;
	assert_user(T("dev-{serial|lower}.x"), CERT(SUBJECT("CN", "a")),
	    "dev-03a1.x");
	assert_user(T("{{{subject.CN}}}"), CERT(SUBJECT("CN", "a")), "{a}");
	assert_user(T("guest"), CERT(SUBJECT("CN", "a")), "guest");
	assert_user(T("{san.email|local}@{san.email|domain}"),
	    CERT(EMAIL("a@X.org")), "a@x.org");
	assert_user(T("{subject.O}-{san.email|local}"),
	    CERT(SUBJECT("O", "acme"), EMAIL("a@x.org")), "acme-a");
}

static void
no_value_no_user(void **state)
{
	(void)state;
	assert_refused(T("{san.email}"), CERT(SUBJECT("CN", "a@b")),
	    CERTAUTH_NO_USER);
	assert_refused(T("{ski}"), CERT(SUBJECT("CN", "a")), CERTAUTH_NO_USER);
	assert_refused(T("{subject.OU}"), CERT(SUBJECT("O", "a")),
	    CERTAUTH_NO_USER);
	/* Not exactly one usable @. */
	assert_refused(T("{san.email|local}"), CERT(EMAIL("alice")),
	    CERTAUTH_NO_USER);
	assert_refused(T("{san.email|local}"), CERT(EMAIL("@example.com")),
	    CERTAUTH_NO_USER);
	assert_refused(T("{san.email|domain}"), CERT(EMAIL("alice@")),
	    CERTAUTH_NO_USER);
	assert_refused(T("{san.email|local}"), CERT(EMAIL("admin@x@y")),
	    CERTAUTH_NO_USER);
	/* Not one plain mailbox (peers C6 73). */
	assert_refused(T("{san.email|local}"), CERT(EMAIL("A <a@x.org>")),
	    CERTAUTH_NO_USER);
	assert_refused(T("{san.email|local}"), CERT(EMAIL("a b@x.org")),
	    CERTAUTH_NO_USER);
	assert_refused(T("{san.email|local}"), CERT(EMAIL("a@x.org, b")),
	    CERTAUTH_NO_USER);
	assert_refused(T("{subject.O}-{san.email|local}"), CERT(EMAIL("a@x")),
	    CERTAUTH_NO_USER);
}

/* peers C6 68: several values, an arbitrary one chosen. */
static void
c6_68_several_values_are_one_user_or_none(void **state)
{
	(void)state;
	assert_refused(T("{san.email}"), CERT(EMAIL("a@x"), EMAIL("b@x")),
	    CERTAUTH_AMBIGUOUS_USER);
	assert_refused(T("{subject.CN}"),
	    CERT(SUBJECT("CN", "a"), SUBJECT("CN", "b")),
	    CERTAUTH_AMBIGUOUS_USER);
	/* Two spellings of one name are one. */
	assert_user(T("{san.email}"), CERT(EMAIL("a@x"), EMAIL("a@X")), "a@x");
	assert_user(T("{san.email|lower}"), CERT(EMAIL("A@x"), EMAIL("a@x")),
	    "a@x");
	assert_refused(T("{san.email}"), CERT(EMAIL("A@x"), EMAIL("a@x")),
	    CERTAUTH_AMBIGUOUS_USER);
	/* The same value on both sides of the @, never a mixture. */
	assert_refused(T("{san.email|local}@{san.email|domain}"),
	    CERT(EMAIL("a@x"), EMAIL("b@y")), CERTAUTH_AMBIGUOUS_USER);
	/* Two sources with several values each belong together in no way. */
	assert_refused(T("{subject.O}-{san.email|local}"),
	    CERT(SUBJECT("O", "p"), SUBJECT("O", "q"), EMAIL("a@x"),
	    EMAIL("a@y")), CERTAUTH_AMBIGUOUS_USER);
}

static void
too_many_values_refuse(void **state)
{
	struct part	parts[RULES_MAX_VALUES + 2];
	char		names[RULES_MAX_VALUES + 1][16];
	size_t		i;

	(void)state;
	memset(parts, 0, sizeof(parts));
	for (i = 0; i <= RULES_MAX_VALUES; i++) {
		snprintf(names[i], sizeof(names[i]), "same@x%zu", i);
		parts[i].kind = PART_EMAIL;
		parts[i].type = V_ASN1_IA5STRING;
		parts[i].data = names[i];
		parts[i].data_len = (int)strlen(names[i]);
	}
	assert_refused(T("{san.email|local}"), make_cert(parts),
	    CERTAUTH_BAD_NAME);
	parts[RULES_MAX_VALUES].kind = PART_END;
	assert_user(T("{san.email|local}"), make_cert(parts), "same");
}

/* peers C6 63: NUL, control, CR/LF, tab, overlong, invalid UTF-8, BMPString,
 * T61String in each source. */
static void
c6_63_bad_bytes_in_san(void **state)
{
	(void)state;
	assert_refused(T("{san.email}"), CERT(EMAIL("admin@x.org\0.evil.org")),
	    CERTAUTH_BAD_NAME);
	assert_refused(T("{san.email|local}"), CERT(EMAIL("a\0@x.org")),
	    CERTAUTH_BAD_NAME);
	assert_refused(T("{san.email}"), CERT(EMAIL("a\r\n@x")), CERTAUTH_BAD_NAME);
	assert_refused(T("{san.email}"), CERT(EMAIL("a\t@x")), CERTAUTH_BAD_NAME);
	assert_refused(T("{san.email}"), CERT(EMAIL("a\x7f@x")), CERTAUTH_BAD_NAME);
	assert_refused(T("{san.email}"), CERT(EMAIL("")), CERTAUTH_BAD_NAME);
	/* RFC 5280 4.2.1.6: IA5String. */
	assert_refused(T("{san.email}"), CERT(EMAIL("j\xc3\xbcrg@x")),
	    CERTAUTH_BAD_NAME);
	assert_refused(T("{san.dns}"), CERT(DNS("h\xc3\xbc.org")),
	    CERTAUTH_BAD_NAME);
	assert_refused(T("{san.dns}"), CERT(DNS("a.org\0.b")), CERTAUTH_BAD_NAME);
	assert_refused(T("{san.uri}"), CERT(URI("urn:a\0b")), CERTAUTH_BAD_NAME);
	assert_refused(T("{san.uri}"), CERT(URI("urn:\xff")), CERTAUTH_BAD_NAME);
	assert_refused(T("{san.upn}"), CERT(UPN("a\xc0\x80@x")), CERTAUTH_BAD_NAME);
	assert_refused(T("{san.upn}"), CERT(UPN("a\xed\xa0\x80@x")),
	    CERTAUTH_BAD_NAME);
	assert_refused(T("{san.upn}"), CERT(UPN("a\xc2\x85@x")), CERTAUTH_BAD_NAME);
	assert_refused(T("{san.upn}"), CERT(UPN("a\0@x")), CERTAUTH_BAD_NAME);
	/* A bad one beside a good one is not skipped. */
	assert_refused(T("{san.email}"), CERT(EMAIL("a@x"), EMAIL("a@x\0y")),
	    CERTAUTH_BAD_NAME);
	/* Nor one that the rule asks for in its groups only. */
	assert_refused(RULE(.user = "{san.email}", .groups = "{subject.OU}"),
	    CERT(EMAIL("a@x"), SUBJECT("OU", "g\0h")), CERTAUTH_BAD_NAME);
	/* But one that no rule asks for is nobody's business. */
	assert_user(T("{san.email}"), CERT(EMAIL("a@x"), DNS("x\0y")), "a@x");
}

static void
c6_63_bad_bytes_in_subject(void **state)
{
	(void)state;
	assert_refused(T("{subject.CN}"), CERT(SUBJECT("CN", "admin\0x")),
	    CERTAUTH_BAD_NAME);
	assert_refused(T("{subject.CN}"), CERT(SUBJECT("CN", "a\nb")),
	    CERTAUTH_BAD_NAME);
	assert_refused(T("{subject.CN}"),
	    CERT(SUBJECT_AS("CN", V_ASN1_UTF8STRING, "\xc0\xaf")),
	    CERTAUTH_BAD_NAME);
	assert_refused(T("{subject.CN}"),
	    CERT(SUBJECT_AS("CN", V_ASN1_PRINTABLESTRING, "a\xe9")),
	    CERTAUTH_BAD_NAME);
	/* T61String: ASCII means the same in every reading, the rest does not. */
	assert_user(T("{subject.CN}"),
	    CERT(SUBJECT_AS("CN", V_ASN1_T61STRING, "abc")), "abc");
	assert_refused(T("{subject.CN}"),
	    CERT(SUBJECT_AS("CN", V_ASN1_T61STRING, "a\xe9")),
	    CERTAUTH_BAD_NAME);
	/* BMPString: UTF-16 without surrogates. */
	assert_user(T("{subject.CN}"),
	    CERT(SUBJECT_AS("CN", V_ASN1_BMPSTRING, "\0a\0\xe9")), "a\xc3\xa9");
	assert_refused(T("{subject.CN}"),
	    CERT(SUBJECT_AS("CN", V_ASN1_BMPSTRING, "\0a\0\0")),
	    CERTAUTH_BAD_NAME);
	assert_refused(T("{subject.CN}"),
	    CERT(SUBJECT_AS("CN", V_ASN1_BMPSTRING, "\0a\xd8\x00")),
	    CERTAUTH_BAD_NAME);
	assert_refused(T("{subject.CN}"),
	    CERT(SUBJECT_AS("CN", V_ASN1_BMPSTRING, "\0a\0\x0a")),
	    CERTAUTH_BAD_NAME);
	assert_user(T("{subject.CN}"),
	    CERT(SUBJECT_AS("CN", V_ASN1_UNIVERSALSTRING, "\0\0\0a")), "a");
	assert_refused(T("{subject.CN}"),
	    CERT(SUBJECT_AS("CN", V_ASN1_BIT_STRING, "abc")), CERTAUTH_BAD_NAME);
	assert_refused(T("{subject.CN}"),
	    CERT(SUBJECT("CN", "a"), SUBJECT("CN", "b\x01")), CERTAUTH_BAD_NAME);
}

static void
too_long_values_refuse(void **state)
{
	char		long_name[RULES_MAX_USER_LEN + 2];
	struct part	parts[2] = { { PART_SUBJECT, "O", V_ASN1_UTF8STRING,
			    long_name, RULES_MAX_USER_LEN + 1, 0 }, { 0 } };

	(void)state;
	memset(long_name, 'a', sizeof(long_name));
	assert_refused(T("{subject.O}"), make_cert(parts), CERTAUTH_BAD_NAME);
	parts[0].data_len = RULES_MAX_USER_LEN;
	long_name[RULES_MAX_USER_LEN] = '\0';
	assert_user(T("{subject.O}"), make_cert(parts), long_name);
	assert_refused(T("{subject.O}x"), make_cert(parts), CERTAUTH_BAD_NAME);
}

/* peers C6 64: typed SAN only, otherName by exact OID and tag. */
static void
c6_64_types_are_never_mixed(void **state)
{
	(void)state;
	assert_refused(T("{san.dns}"), CERT(EMAIL("host.example.com")),
	    CERTAUTH_NO_USER);
	assert_refused(T("{san.email}"), CERT(DNS("a@example.com")),
	    CERTAUTH_NO_USER);
	assert_refused(T("{san.dns}"), CERT(URI("host.example.com")),
	    CERTAUTH_NO_USER);
	assert_refused(T("{san.email}"), CERT(UPN("a@example.com")),
	    CERTAUTH_NO_USER);
	assert_refused(T("{san.upn}"), CERT(EMAIL("a@example.com")),
	    CERTAUTH_NO_USER);
	/* Another OID with the same beginning, and the right one as another type. */
	assert_refused(T("{san.upn}"), CERT(OTHER("1.3.6.1.4.1.311.20.2.3.1",
	    V_ASN1_UTF8STRING, "a@x")), CERTAUTH_NO_USER);
	assert_refused(T("{san.upn}"), CERT(OTHER("1.3.6.1.4.1.311.20.2.3",
	    V_ASN1_IA5STRING, "a@x")), CERTAUTH_NO_USER);
	/* SmtpUTF8Mailbox is not for what an rfc822Name can say. */
	assert_refused(T("{san.email}"), CERT(OTHER("1.3.6.1.5.5.7.8.9",
	    V_ASN1_UTF8STRING, "a@x")), CERTAUTH_BAD_NAME);
	/* Nor does the subject stand in for a missing SAN. */
	assert_refused(T("{san.email}"), CERT(SUBJECT_AS("emailAddress",
	    V_ASN1_IA5STRING, "a@x")), CERTAUTH_NO_USER);
}

/* peers C6 65: printed names taken apart. */
static void
c6_65_no_printed_name_is_parsed(void **state)
{
	(void)state;
	assert_user(T("{subject.CN}"), CERT(SUBJECT("CN", "x, CN=admin")),
	    "x, CN=admin");
	assert_refused(T("{subject.CN}"), CERT(SUBJECT("CN", "x/CN=admin")),
	    CERTAUTH_BAD_NAME);
	assert_refused(T("{subject.CN}"), CERT(SUBJECT("O", "x/CN=admin")),
	    CERTAUTH_NO_USER);
	assert_refused(T("{san.dns}"), CERT(EMAIL("a@x, DNS:admin")),
	    CERTAUTH_NO_USER);
	assert_refused(T("{san.email}"), CERT(EMAIL("a@x, DNS:admin")),
	    CERTAUTH_BAD_NAME);
	/* Multi-valued RDNs, in either order. */
	assert_user(T("{subject.UID}"),
	    CERT(SUBJECT("CN", "b"), SUBJECT_JOINED("UID", "u")), "u");
	assert_user(T("{subject.UID}"),
	    CERT(SUBJECT("UID", "u"), SUBJECT_JOINED("CN", "b")), "u");
	assert_refused(T("{subject.CN}"),
	    CERT(SUBJECT("CN", "a"), SUBJECT_JOINED("CN", "b")),
	    CERTAUTH_AMBIGUOUS_USER);
}

/* peers C6 69: certificate text into LDAP filters, SQL, paths. */
static void
c6_69_user_names_do_not_escape(void **state)
{
	static const char *const	bad[] = {
		"*", "a*", "a(b", "a)b", "a\\b", "a\"b", "a:b", "a/b", "../b",
		"..", ".", ".ssh", "-rf", "a@.", "a@..", "..@b", "a@-b", " a",
		"a ", "a\xe2\x80\xae" "b", "a\xe2\x80\x8b", "\xef\xbb\xbf" "a"
	};
	struct part	parts[2] = { { PART_SUBJECT, "CN", V_ASN1_UTF8STRING,
			    NULL, 0, 0 }, { 0 } };
	size_t		i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		parts[0].data = bad[i];
		parts[0].data_len = (int)strlen(bad[i]);
		assert_refused(T("{subject.CN}"), make_cert(parts),
		    CERTAUTH_BAD_NAME);
	}
	/* People are called so; hosts quote it. */
	assert_user(T("{san.email}"), CERT(EMAIL("o'brien+x@example.com")),
	    "o'brien+x@example.com");
	assert_refused(T("{san.uri}"), CERT(URI("https://x/a/../b")),
	    CERTAUTH_BAD_NAME);
	assert_refused(T("{san.uri}"), CERT(URI("urn:*")), CERTAUTH_BAD_NAME);
	assert_user(T("{san.uri}"), CERT(URI("spiffe://x/ns/a..b")),
	    "spiffe://x/ns/a..b");
	/* An administrator's own colon is a decision. */
	assert_user(T("dev:{serial}"), CERT(SUBJECT("CN", "a")), "dev:03A1");
}

/* peers C6 73: wildcards, IDN mailbox, case of the local part. */
static void
c6_73_wildcards_and_idn(void **state)
{
	(void)state;
	assert_refused(T("{san.dns}"), CERT(DNS("*.example.com")),
	    CERTAUTH_BAD_NAME);
	assert_user(T("{san.email}"), CERT(EMAIL("a@XN--MNCHEN-3YA.de")),
	    "a@xn--mnchen-3ya.de");
	assert_user(T("{san.email}"), CERT(EMAIL("First.Last@x.de")),
	    "First.Last@x.de");
}

static void
templates_that_are_refused(void **state)
{
	(void)state;
	assert_no_rule(2, "found \"san.emial\"", "did you mean san.email?",
	    T("{san.emial}"));
	assert_no_rule(12, "found \"lowr\"", "did you mean lower?",
	    T("{san.email|lowr}"));
	assert_no_rule(3, "found \"subject.cn\"", "did you mean subject.CN?",
	    T("x{subject.cn}"));
	assert_no_rule(2, "found \"subject.sha256\"", NULL, T("{subject.sha256}"));
	assert_no_rule(2, "found \"subject.clientAuth\"", NULL,
	    T("{subject.clientAuth}"));
	assert_no_rule(16, "found \"\"", NULL, T("{subject.2.5.4.}"));
	assert_no_rule(12, "found \"domian\"", "did you mean domain?",
	    T("{san.email.domian}"));
	assert_no_rule(2, "found \"\"", NULL, T("{}"));
	assert_no_rule(257, "at most 32 pieces", NULL, T(
	    "{serial}{serial}{serial}{serial}{serial}{serial}{serial}{serial}"
	    "{serial}{serial}{serial}{serial}{serial}{serial}{serial}{serial}"
	    "{serial}{serial}{serial}{serial}{serial}{serial}{serial}{serial}"
	    "{serial}{serial}{serial}{serial}{serial}{serial}{serial}{serial}"
	    "x"));
	assert_no_rule(12, "found \"\"", "transform", T("{san.email|}"));
	assert_no_rule(1, "not closed", NULL, T("{san.email"));
	assert_no_rule(1, "not closed", NULL, T("{san.{email}}"));
	assert_no_rule(2, "closes nothing", NULL, T("a}b"));
	assert_no_rule(1, "found nothing", NULL, T(""));
	assert_no_rule(1, "control", NULL, T("a\nb"));
	assert_no_rule(1, "UTF-8", NULL, T("\xff"));
	assert_no_rule(18, "only once", NULL, T("{san.email|local|domain}"));
	assert_no_rule(14, "an @", NULL, T("{spki.sha256|local}"));
	assert_no_rule(13, "found san.upn beside san.email", NULL,
	    T("{san.email}{san.upn}"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sources_give_their_values),
		cmocka_unit_test(hashes_are_lower_case_hex),
		cmocka_unit_test(domain_is_folded_and_the_local_part_is_not),
		cmocka_unit_test(literals_and_braces),
		cmocka_unit_test(no_value_no_user),
		cmocka_unit_test(c6_68_several_values_are_one_user_or_none),
		cmocka_unit_test(too_many_values_refuse),
		cmocka_unit_test(c6_63_bad_bytes_in_san),
		cmocka_unit_test(c6_63_bad_bytes_in_subject),
		cmocka_unit_test(too_long_values_refuse),
		cmocka_unit_test(c6_64_types_are_never_mixed),
		cmocka_unit_test(c6_65_no_printed_name_is_parsed),
		cmocka_unit_test(c6_69_user_names_do_not_escape),
		cmocka_unit_test(c6_73_wildcards_and_idn),
		cmocka_unit_test(templates_that_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
