/* test_language.c - every source, transform and predicate: one that gives and one
 * that refuses. */

#include "base/text.h"
#include "identity/dn.h"
#include "identity/expression.h"
#include "map.h"

#define T(text)		RULE(.user = (text))
#define W(text)		RULE(.user = "u", .when = (text))
#define UTF8(oid, s)	OTHER(oid, V_ASN1_UTF8STRING, s)
#define SMTP(s)		UTF8("1.3.6.1.5.5.7.8.9", s)

/* The key that a template makes, by a table that has it. */
static void
key_is(const char *template, struct cert *cert, const char *key)
{
	const struct rule_options option = RULE(.key = template, .table = 0);
	char		 map[1024];
	struct table	*table;
	int		 reason;
	const char	*user;

	snprintf(map, sizeof(map), "%s u\n", key);
	table = make_table(map);
	user = ask_one(&option, cert, &table, 1, &reason);
	if (reason != CERTAUTH_OK)
		fail_msg("%s is not %s", template, key);
	assert_string_equal(user, "u");
	table_free(table);
}

static void
international_mailboxes(void **state)
{
	(void)state;
	assert_user(T("{san.email}"), CERT(SMTP("J\xc3\xbcrg@Example.com")),
	    "J\xc3\xbcrg@example.com");
	/* RFC 8398 wrote U-labels: one spelling for both */
	assert_user(T("{san.email}"), CERT(SMTP("J\xc3\xbcrg@b\xc3\xbc"
	    "cher.example")), "J\xc3\xbcrg@xn--bcher-kva.example");
	assert_user(T("{san.email|unicode}"), CERT(EMAIL(
	    "a@xn--bcher-kva.example")), "a@b\xc3\xbc" "cher.example");
	assert_user(T("{san.upn|idna}"), CERT(UPN("a@B\xc3\xbc" "cher.example")),
	    "a@xn--bcher-kva.example");
	/* u and a combining diaeresis is not what the map has */
	assert_refused(T("{san.email}"), CERT(SMTP("Ju\xcc\x88rg@example.com")),
	    CERTAUTH_BAD_NAME);
	assert_refused(T("{san.email}"), CERT(SMTP("alice@example.com")),
	    CERTAUTH_BAD_NAME);
	assert_refused(T("{san.email}"), CERT(SMTP("\xc3\xa4")),
	    CERTAUTH_BAD_NAME);
	assert_refused(T("{san.email}"), CERT(SMTP("\xc3\xa4@a..b\xc3\xbc")),
	    CERTAUTH_BAD_NAME);
	/* one bad one beside a good one refuses */
	assert_refused(T("{san.email}"), CERT(EMAIL("a@b.c"),
	    SMTP("a\0@x")), CERTAUTH_BAD_NAME);
	assert_refused(T("{san.email}"), CERT(EMAIL("a@b.c"),
	    SMTP("\xc3\xa4@x")), CERTAUTH_AMBIGUOUS_USER);
}

static void
other_names(void **state)
{
	(void)state;
	assert_user(T("{san.other(1.2.3.4)}"), CERT(UTF8("1.2.3.4", "n17")),
	    "n17");
	assert_user(T("{san.other(1.2.3.4)|lower}"), CERT(OTHER("1.2.3.4",
	    V_ASN1_IA5STRING, "N17")), "n17");
	assert_refused(T("{san.other(1.2.3.4)}"), CERT(UTF8("1.2.3.5", "n17")),
	    CERTAUTH_NO_USER);
	assert_refused(T("{san.other(1.2.3)}"), CERT(UTF8("1.2.3.4", "n17")),
	    CERTAUTH_NO_USER);
	assert_refused(T("{san.other(1.2.3.4)}"), CERT(OTHER("1.2.3.4",
	    V_ASN1_OCTET_STRING, "n17")), CERTAUTH_BAD_NAME);
	assert_refused(T("{san.other(1.2.3.4)}"), CERT(UTF8("1.2.3.4", "n\0x")),
	    CERTAUTH_BAD_NAME);
	assert_refused(T("{san.other(1.2.3.4)}"), CERT(UTF8("1.2.3.4", "a"),
	    UTF8("1.2.3.4", "b")), CERTAUTH_AMBIGUOUS_USER);
	assert_no_rule(2, "expected a source", NULL, T("{san.other(CN)}"));
	assert_no_rule(2, "expected a source", NULL, T("{san.other(1.2.)}"));
}

static void
positions(void **state)
{
	(void)state;
#define OUS SUBJECT("O", "x"), SUBJECT("OU", "a"), SUBJECT("OU", "b"), \
	SUBJECT_JOINED("OU", "c")
	assert_user(T("{subject.OU[1]}"), CERT(OUS), "a");
	assert_user(T("{subject.OU[2]}"), CERT(OUS), "b");
	assert_user(T("{subject.OU[3]}"), CERT(OUS), "c");
	assert_user(T("{subject.OU[-1]}"), CERT(OUS), "c");
	assert_user(T("{subject.OU[-3]}"), CERT(OUS), "a");
	assert_user(T("{issuer.2.5.4.11[2]}"), CERT(OUS), "b");
	assert_user(T("{subject.OU[1]}-{subject.OU[2]}"), CERT(OUS), "a-b");
	assert_refused(T("{subject.OU[4]}"), CERT(OUS), CERTAUTH_NO_USER);
	assert_refused(T("{subject.OU[-4]}"), CERT(OUS), CERTAUTH_NO_USER);
	assert_refused(T("{subject.OU}"), CERT(OUS), CERTAUTH_AMBIGUOUS_USER);
	/* what must not be used refuses at another position too */
	assert_refused(T("{subject.OU[1]}"), CERT(SUBJECT("OU", "a"),
	    SUBJECT("OU", "b\n")), CERTAUTH_BAD_NAME);
	assert_no_rule(2, "expected a source", NULL, T("{subject.OU[0]}"));
	assert_no_rule(2, "expected a source", NULL, T("{subject.OU[100]}"));
	assert_no_rule(2, "expected a source", NULL, T("{subject.OU[1}"));
}

#define EXAMPLE SUBJECT("C", "CH"), SUBJECT("ST", "Z\xc3\xbcrich"), \
	SUBJECT("O", "Example, ag"), SUBJECT("CN", "First Last"), \
	SUBJECT_AS("emailAddress", V_ASN1_IA5STRING, "f@example.com")

static void
whole_names(void **state)
{
	(void)state;
	key_is("{subject.dn}", CERT(EXAMPLE), "\"emailAddress=f@example.com,"
	    "CN=First Last,O=Example\\\\, ag,ST=Z\xc3\xbcrich,C=CH\"");
	key_is("{subject.dn.apache}", CERT(EXAMPLE), "\"emailAddress="
	    "f@example.com,CN=First Last,O=Example\\\\, ag,ST=Z\xc3\xbcrich,"
	    "C=CH\"");
	key_is("{subject.dn.nginx}", CERT(EXAMPLE), "\"emailAddress="
	    "f@example.com,CN=First Last,O=Example\\\\, ag,ST=Z\\\\C3\\\\BCrich,"
	    "C=CH\"");
	key_is("{issuer.dn.oneline}", CERT(EXAMPLE), "\"/C=CH/ST=Z\\\\xC3\\\\x"
	    "BCrich/O=Example, ag/CN=First Last/emailAddress=f@example.com\"");
	key_is("{subject.dn.ad}", CERT(EXAMPLE), "\"C=CH,S=Z\xc3\xbcrich,O="
	    "\\\"Example, ag\\\",CN=First Last,E=f@example.com\"");
	assert_refused(RULE(.key = "{subject.dn}", .table = 0),
	    CERT(SUBJECT("O", "x"), SUBJECT("CN", "a\nb")), CERTAUTH_BAD_NAME);
	assert_refused(RULE(.key = "{subject.dn.sha256}", .table = 0),
	    CERT(SUBJECT("CN", "a\0b")), CERTAUTH_BAD_NAME);
}

/* RFC 5280 7.1: another string type, case and blanks are the same name. */
/* Attributes too, RFC 5280 7.1: string type, case, blanks. */
static void
attributes_are_compared_normalized(void **state)
{
	(void)state;
	assert_user(W("subject.O == \"example  AG\""),
	    CERT(SUBJECT("O", " Example ag ")), "u");
	assert_user(W("subject.O in other, \" Example ag\""),
	    CERT(SUBJECT_AS("O", V_ASN1_PRINTABLESTRING, "EXAMPLE AG")), "u");
	assert_refused(W("not subject.OU == Externals"),
	    CERT(SUBJECT("OU", "EXTERNALS")), CERTAUTH_NO_USER);
	assert_refused(W("subject.O == \"Example ag\""),
	    CERT(SUBJECT("O", "Exampleag")), CERTAUTH_NO_USER);
	/* a mailbox's local part is its owner's, and pieces are bytes */
	assert_refused(W("subject.emailAddress == al@x"),
	    CERT(SUBJECT_AS("emailAddress", V_ASN1_IA5STRING, "Al@x")),
	    CERTAUTH_NO_USER);
	assert_refused(W("subject.CN|capture('(..).*') == al"),
	    CERT(SUBJECT("CN", "Alice")), CERTAUTH_NO_USER);
	assert_no_rule(14, "more than blanks", NULL, W("subject.O == \"  \""));
}

static void
names_are_compared_normalized(void **state)
{
	static const char when[] = "subject.dn == \"cn=first  last,"
	    "o=Example\\\\2C ag, ST=Z\xc3\xbcrich , C=ch\"";

	(void)state;
	assert_user(W(when), CERT(SUBJECT_AS("C", V_ASN1_PRINTABLESTRING, "CH"),
	    SUBJECT("ST", "Z\xc3\xbcrich"), SUBJECT_AS("O",
	    V_ASN1_PRINTABLESTRING, "EXAMPLE,  ag "), SUBJECT("CN",
	    "First Last")), "u");
	assert_refused(W(when), CERT(SUBJECT("C", "CH"),
	    SUBJECT("ST", "Z\xc3\xbcrich"), SUBJECT("CN", "First Last"),
	    SUBJECT("O", "Example, ag")), CERTAUTH_NO_USER);
	assert_refused(W(when), CERT(SUBJECT("C", "CH"),
	    SUBJECT("ST", "Zurich"), SUBJECT("O", "Example, ag"),
	    SUBJECT("CN", "First Last")), CERTAUTH_NO_USER);
	/* members of one RDN in any order */
	assert_user(W("subject.dn == \"CN=a+OU=b,O=c\""), CERT(SUBJECT("O", "c"),
	    SUBJECT("OU", "b"), SUBJECT_JOINED("CN", "a")), "u");
	assert_refused(W("subject.dn == \"CN=a,OU=b,O=c\""), CERT(SUBJECT("O",
	    "c"), SUBJECT("OU", "b"), SUBJECT_JOINED("CN", "a")),
	    CERTAUTH_NO_USER);
	/* a comma inside a value is no separator */
	assert_refused(W("subject.dn == \"CN=x,O=y\""), CERT(SUBJECT("CN",
	    "x,O=y")), CERTAUTH_NO_USER);
	assert_no_rule(15, "attributes that are known", NULL,
	    W("subject.dn == \"XY=1\""));
	assert_no_rule(15, "a value behind each =", NULL,
	    W("subject.dn == \"CN=\""));
	assert_no_rule(15, "RFC 4514", NULL, W("subject.dn == \"CN=a,b\""));
}

static void
serial_numbers(void **state)
{
	(void)state;
	assert_user(T("{serial.dec}"), CERT(SERIAL("\x01\x00\x00")), "65536");
	assert_user(T("{serial.reversed}"), CERT(SERIAL("\x12\x34\xab")),
	    "ab3412");
	key_is("{serial.colon}", CERT(SERIAL("\x12\x34\xab")), "12:34:ab");
	assert_user(W("serial.reversed == AB3412"),
	    CERT(SERIAL("\x12\x34\xab")), "u");
	assert_refused(W("serial.reversed == 1234ab"),
	    CERT(SERIAL("\x12\x34\xab")), CERTAUTH_NO_USER);
}

static void
transforms(void **state)
{
	struct cert	*nec = CERT(SUBJECT("CN", "CC-12345P678901, LAST FIRST"));

	(void)state;
	assert_user(T("{subject.CN|capture('CC-(\\d+P\\d+), .*')|lower}"), nec,
	    "12345p678901");
	/* anchored: nothing before or behind */
	assert_refused(T("{subject.CN|capture('(\\d+)')}"),
	    CERT(SUBJECT("CN", "x17")), CERTAUTH_NO_USER);
	assert_refused(T("{subject.CN|capture('(\\d+)')}"),
	    CERT(SUBJECT("CN", "17x")), CERTAUTH_NO_USER);
	assert_user(T("{subject.CN|capture(\"([a-z|}{]+) .*\")}"),
	    CERT(SUBJECT("CN", "a|b 1")), "a|b");
	assert_user(T("{san.email|domain|prefix('x-')|suffix('-y')}"),
	    CERT(EMAIL("a@B.c")), "x-b.c-y");
	assert_user(T("{subject.CN|capture('(.).*')}{subject.CN|capture('. (.*)')}"),
	    CERT(SUBJECT("CN", "a bc")), "abc");
	/* an optional group that is not there gives nothing */
	assert_refused(T("{subject.CN|capture('a(b)?')}"),
	    CERT(SUBJECT("CN", "a")), CERTAUTH_NO_USER);
	/* a pattern that would run for years decides nothing */
	assert_refused(RULE(.key = "{subject.CN|capture('((?:a+)+)b')}",
	    .table = 0), CERT(SUBJECT("CN", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaabc")), CERTAUTH_BAD_NAME);
	assert_no_rule(22, "exactly one ( )", NULL,
	    T("{subject.CN|capture('[a-z]')}"));
	assert_no_rule(19, "in quotes", NULL, T("{san.email|capture}") );
	assert_no_rule(17, "nothing behind", NULL, T("{san.email|lower('x')}"));
	assert_no_rule(21, "begins with (*", NULL,
	    T("{san.email|capture('(*UCP)(a)')}"));
}

static void
predicates(void **state)
{
	(void)state;
	assert_user(W("san.email matches '[a-z]+@example\\.com'"),
	    CERT(EMAIL("al@example.com")), "u");
	assert_refused(W("san.email matches '[a-z]+@example\\.com'"),
	    CERT(EMAIL("al@example.com.evil.example")), CERTAUTH_NO_USER);
	assert_refused(W("san.email matches 'l@example\\.com'"),
	    CERT(EMAIL("al@example.com")), CERTAUTH_NO_USER);
	/* also where the pattern's author thought of lines and alternatives */
	assert_refused(W("san.email matches 'a@b|c'"),
	    CERT(EMAIL("xc@d")), CERTAUTH_NO_USER);
	assert_user(W("san.email count == 1 and san.dns count < 1"),
	    CERT(EMAIL("a@b")), "u");
	assert_refused(W("san.email count == 1"),
	    CERT(EMAIL("a@b"), EMAIL("c@d")), CERTAUTH_NO_USER);
	assert_refused(RULE(.user = "{san.email}", .when = "san.email count == 1"),
	    CERT(EMAIL("a@b"), EMAIL("c@d")), CERTAUTH_NO_USER);
	assert_user(W("san.email|domain in x y and san.email count >= 2"),
	    CERT(EMAIL("a@x"), EMAIL("c@d")), "u");
	/* the test key is P-256; the test life is 365 days */
	assert_user(W("key.type == P-256 and key.bits >= 256"),
	    CERT(EMAIL("a@b")), "u");
	assert_refused(W("key.bits > 256"), CERT(EMAIL("a@b")),
	    CERTAUTH_NO_USER);
	assert_user(W("lifetime < 366d and not lifetime < 365d"),
	    CERT(EMAIL("a@b")), "u");
	assert_user(W("authority == ca"), CERT(EMAIL("a@b")), "u");
	assert_refused(W("authority in other, names"), CERT(EMAIL("a@b")),
	    CERTAUTH_NO_USER);
	assert_refused(W("eku == clientAuth or ku present or policy present or "
	    "class present or sid present"), CERT(EMAIL("a@b")),
	    CERTAUTH_NO_USER);
	assert_no_rule(13, "a duration", NULL, W("lifetime <= 5"));
	assert_no_rule(13, "a whole number", NULL, W("key.bits <= 5d"));
	assert_no_rule(11, "in LIST", NULL, W("san.email < 5"));
	assert_no_rule(19, "pattern in quotes", NULL, W("san.email matches a"));
}

/* What an administrator wrote is spelled as the value is, step by step; what no
 * value is like is refused, since under `not` it would be true of everybody. */
static void
literals_are_spelled_as_values(void **state)
{
	static const char *const	true_of_all[] = {
		"san.email|domain|idna == B\xc3\xbc" "cher.example",
		"san.email|domain == b\xc3\xbc" "cher.Example",
		"san.email == Al@b\xc3\xbc" "cher.example",
		"san.email|lower == AL@B\xc3\x9c" "cher.example",
		"san.email|unicode|domain == xn--BCHER-kva.example",
		"san.email|domain|unicode == xn--bcher-kva.example",
		"san.email|lower|local|prefix('X-') == X-AL",
		"san.email|local|prefix('X-')|lower == x-AL",
		"san.email|local|suffix('-Y')|prefix('X-') == X-Al-Y",
		"san.email|capture('(..)@.*')|lower == AL",
		"san.email|domain|capture('(xn).*') == XN",
		"serial == 00:03:A1", "serial|lower == 03A1",
		"serial|prefix('n') == n03a1", "serial|capture('..(..)') == a1",
		"serial.colon == 03:A1",
		"key.type == P-256", "key.type|lower == P-256",
		"key.bits|prefix('b') == b0256",
		"not eku == 1.3.6.1.5.5.7.3.2",
	};
	static const struct { const char *when; unsigned column; } never[] = {
		{ "not san.email|lower|prefix('X-') == Y-a", 37 },
		{ "not san.email|prefix('X-') == X-", 31 },
		{ "not san.email|suffix('-Y') == X-a", 31 },
		{ "not san.email|local == al@x", 24 },
		{ "not san.email.domain in \"a b\"", 25 },
		{ "not san.email|domain|idna == a..b", 30 },
		{ "not key.type == p-256", 17 }, { "not ku == crlSign", 11 },
		{ "not class in sponsor, mailboxes", 23 },
		{ "not policy == sponsor", 15 }, { "not eku == clientauth", 12 },
	};
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(true_of_all) / sizeof(true_of_all[0]); i++) {
		const struct rule_options o = W(true_of_all[i]);
		int		reason;

		(void)ask_one(&o, CERT(EMAIL("Al@xn--bcher-kva.example")), NULL,
		    0, &reason);
		if (reason != CERTAUTH_OK)
			fail_msg("%s: %d", true_of_all[i], reason);
	}
	for (i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		assert_no_rule(never[i].column, "expected", NULL,
		    W(never[i].when));
}

/* The reason, and the user in a static buffer. */
static int
ask_service(const struct rule_options *option, const char *service, bool pinned,
    enum rule_strength min, const char **user_r, const char **strength_r)
{
	static char		 user[256], strength[16];
	struct certauth_error	 error = { 0 };
	struct rules		*rules = rules_compile(option, 1, &error);
	struct cert		*cert = CERT(EMAIL("al@x"), SUBJECT("CN", "c"));
	struct table		*table = make_table("al@x alice g\n");
	struct arena		*arena = arena_new(1024 * 1024);
	struct rules_query	 query = { .cert = cert, .authority = "ca",
				    .pinned = pinned, .service = service,
				    .min_strength = min, .tables = &table,
				    .num_tables = 1, .now = NOW };
	struct rules_answer	 answer;

	if (rules == NULL)
		fail_msg("%s", error.text);
	rules_ask(rules, &query, arena, &answer);
	snprintf(user, sizeof(user), "%s", answer.user);
	snprintf(strength, sizeof(strength), "%s", answer.strength);
	*user_r = user;
	*strength_r = strength;
	arena_free(arena);
	table_free(table);
	cert_free(cert);
	rules_free(rules);
	return (int)answer.reason;
}

static void
users_have_a_name_for_each_service(void **state)
{
	const struct rule_options dressed = RULE(.key = "{san.email}", .table = 0,
	    .web = "w-{user}", .mail = "{user}@{san.email|domain}");
	const struct rule_options plain = RULE(.mail = "{san.email}");
	const char	*user, *strength;

	(void)state;
	assert_int_equal(ask_service(&dressed, "http", false, STRENGTH_NONE,
	    &user, &strength), CERTAUTH_OK);
	assert_string_equal(user, "w-alice");
	assert_int_equal(ask_service(&dressed, "imap", false, STRENGTH_NONE,
	    &user, &strength), CERTAUTH_OK);
	assert_string_equal(user, "alice@x");
	assert_int_equal(ask_service(&plain, "submission", false, STRENGTH_NONE,
	    &user, &strength), CERTAUTH_OK);
	assert_string_equal(user, "al@x");
	/* no name for it, and a service that nobody knows */
	assert_int_equal(ask_service(&plain, "http", false, STRENGTH_NONE,
	    &user, &strength), CERTAUTH_NO_USER);
	assert_int_equal(ask_service(&dressed, "xmpp", false, STRENGTH_NONE,
	    &user, &strength), CERTAUTH_NO_USER);
	assert_int_equal(ask_service(&dressed, NULL, false, STRENGTH_NONE,
	    &user, &strength), CERTAUTH_NO_USER);
	assert_string_equal(user, "");
	assert_no_rule(0, "in users alone", NULL, T("{user}"));
	assert_no_rule(0, "in users alone", NULL, RULE(.web = "{user}"));
	assert_no_rule(20, "not {user}", NULL, W("san.email == a and user == b"));
	/* what the rule's strength, table and must_exist say nothing of */
	assert_no_rule(0, "users without {user}", NULL, RULE(.key = "{spki.sha256}",
	    .table = 0, .web = "{subject.CN}"));
	assert_no_rule(0, "users without {user}", NULL, RULE(.user = "{san.email}",
	    .mail = "{san.upn}"));
}

/* What one rule found is nothing to the next. */
static void
what_was_found_belongs_to_one_rule(void **state)
{
	const struct rule_options rules[] = {
		RULE(.name = "a", .key = "{san.email}", .table = 0,
		    .on_miss = RULE_MISS_NEXT, .web = "{subject.UID}-{user}"),
		RULE(.name = "b", .key = "b-{san.email}", .table = 0,
		    .web = "{user}", .mail = "{user}@x"),
	};
	struct rules		*compiled = rules_compile(rules, 2, NULL);
	struct cert		*cert = CERT(EMAIL("al@x"));
	struct table		*table = make_table("al@x alice\nb-al@x bob\n");
	struct arena		*arena = arena_new(1024 * 1024);
	struct rules_query	 query = { .cert = cert, .authority = "ca",
				    .service = "http", .tables = &table,
				    .num_tables = 1, .now = NOW };
	struct rules_answer	 answer;

	(void)state;
	assert_non_null(compiled);
	rules_ask(compiled, &query, arena, &answer);
	assert_int_equal(answer.reason, CERTAUTH_OK);
	assert_string_equal(answer.rule, "b");
	assert_string_equal(answer.user, "bob");
	query.service = "imap";
	rules_ask(compiled, &query, arena, &answer);
	assert_int_equal(answer.reason, CERTAUTH_NO_USER);
	assert_string_equal(answer.found, "");
	rules_free(compiled);
	compiled = rules_compile(rules + 1, 1, NULL);
	rules_ask(compiled, &query, arena, &answer);
	assert_string_equal(answer.user, "bob@x");
	assert_string_equal(answer.found, "bob");
	arena_free(arena);
	table_free(table);
	cert_free(cert);
	rules_free(compiled);
}

static void
strength(void **state)
{
	static const struct {
		const char *key, *when, *free, *pinned;
	} rows[] = {
		{ "{san.email}", NULL, "weak", "medium" },
		{ "{subject.CN}", NULL, "weak", "weak" },
		{ "{subject.CN}{san.email}", NULL, "weak", "medium" },
		{ "{spki.sha256}", NULL, "strong", "strong" },
		{ "{spki.sha256|capture('(..).*')}", NULL, "weak", "weak" },
		{ "{serial}", NULL, "weak", "medium" },
		{ "{issuer.dn.ad}{serial.reversed}", NULL, "strong", "strong" },
		{ "{subject.dn.sha256}", NULL, "weak", "weak" },
		{ "u", "san.email == al@x", "weak", "medium" },
		{ "u", "san.email == al@x or subject.CN == c", "weak", "weak" },
		{ "u", "san.email == al@x and subject.CN == c", "weak", "medium" },
		{ "u", "not san.email == al@y", "weak", "weak" },
		{ "u", "san.email present", "weak", "weak" },
	};
	const char	*user, *is;
	size_t		 i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct rule_options o = RULE(.user = rows[i].key,
		    .when = rows[i].when);

		assert_int_equal(ask_service(&o, NULL, false, STRENGTH_NONE,
		    &user, &is), CERTAUTH_OK);
		assert_string_equal(is, rows[i].free);
		assert_int_equal(ask_service(&o, NULL, true, STRENGTH_NONE,
		    &user, &is), CERTAUTH_OK);
		assert_string_equal(is, rows[i].pinned);
		if (strcmp(rows[i].pinned, "weak") == 0)
			assert_int_equal(ask_service(&o, NULL, true,
			    STRENGTH_MEDIUM, &user, &is), CERTAUTH_NO_USER);
		if (strcmp(rows[i].free, "weak") == 0)
			assert_int_equal(ask_service(&o, NULL, false,
			    STRENGTH_MEDIUM, &user, &is), CERTAUTH_NO_USER);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(international_mailboxes),
		cmocka_unit_test(other_names),
		cmocka_unit_test(positions),
		cmocka_unit_test(whole_names),
		cmocka_unit_test(names_are_compared_normalized),
		cmocka_unit_test(attributes_are_compared_normalized),
		cmocka_unit_test(serial_numbers),
		cmocka_unit_test(transforms),
		cmocka_unit_test(predicates),
		cmocka_unit_test(literals_are_spelled_as_values),
		cmocka_unit_test(users_have_a_name_for_each_service),
		cmocka_unit_test(what_was_found_belongs_to_one_rule),
		cmocka_unit_test(strength),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
