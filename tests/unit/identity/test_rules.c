/* test_rules.c - which rule decides, and to whom does it lead? */

#include <stdio.h>

#include "base/text.h"
#include "map.h"

#define IN_EXAMPLE	"san.email.domain in example.com"

static int
reason_of(struct asked asked)
{
	int	reason = (int)asked.answer.reason;

	asked_free(&asked);
	return reason;
}

/* First rule that speaks decides; scoped to authorities. */
static void
first_matching_rule_decides(void **state)
{
	static const char *const	in_house[] = { "in-house", "other" };
	const struct rule_options	rules[] = {
		RULE(.name = "one", .authorities = in_house,
		    .num_authorities = 2, .user = "house-{serial}"),
		RULE(.name = "two", .when = IN_EXAMPLE,
		    .user = "{san.email|local}"),
		RULE(.name = "three", .user = "{san.email}", .groups = "rest"),
	};
	struct asked	asked;

	(void)state;
	asked = ask_as(rules, 3, "in-house", CERT(EMAIL("a@example.com")), NULL, 0);
	assert_int_equal(asked.answer.reason, CERTAUTH_OK);
	assert_string_equal(asked.answer.user, "house-03A1");
	assert_string_equal(asked.answer.rule, "one");
	assert_string_equal(asked.answer.groups, "");
	asked_free(&asked);
	asked = ask_as(rules, 3, "public", CERT(EMAIL("a@example.com")), NULL, 0);
	assert_string_equal(asked.answer.user, "a");
	assert_string_equal(asked.answer.rule, "two");
	asked_free(&asked);
	asked = ask_as(rules, 3, "public", CERT(EMAIL("a@example.org")), NULL, 0);
	assert_string_equal(asked.answer.user, "a@example.org");
	assert_string_equal(asked.answer.groups, "rest");
	asked_free(&asked);
	/* No authority is none of the listed ones. */
	assert_int_equal(reason_of(ask_as(rules, 1, NULL,
	    CERT(EMAIL("a@example.com")), NULL, 0)), CERTAUTH_NO_USER);
	assert_int_equal(reason_of(ask_as(rules, 1, "in-hous",
	    CERT(EMAIL("a@example.com")), NULL, 0)), CERTAUTH_NO_USER);
}

static void
no_rules_no_user_but_ok(void **state)
{
	struct asked	asked;

	(void)state;
	asked = ask_as(NULL, 0, "ca", CERT(EMAIL("a@x")), NULL, 0);
	assert_int_equal(asked.answer.reason, CERTAUTH_OK);
	assert_string_equal(asked.answer.user, "");
	asked_free(&asked);
}

static void
missing_arguments_refuse(void **state)
{
	struct rules_answer	 answer;
	struct arena		*arena = arena_new(1024 * 1024), *tiny = arena_new(64);
	struct cert		*cert = CERT(EMAIL("a@x"));
	const struct rule_options option = RULE(.user = "{san.email}");
	struct rules		*rules = rules_compile(&option, 1, NULL);

	(void)state;
	rules_map(NULL, cert, "ca", NULL, 0, NOW, arena, NULL, NULL, &answer);
	assert_int_equal(answer.reason, CERTAUTH_INTERNAL);
	rules_map(rules, NULL, "ca", NULL, 0, NOW, arena, NULL, NULL, &answer);
	assert_int_equal(answer.reason, CERTAUTH_INTERNAL);
	rules_map(rules, cert, "ca", NULL, 0, NOW, NULL, NULL, NULL, &answer);
	assert_int_equal(answer.reason, CERTAUTH_INTERNAL);
	/* Out of memory is no user. */
	rules_map(rules, cert, "ca", NULL, 0, NOW, tiny, NULL, NULL, &answer);
	assert_int_equal(answer.reason, CERTAUTH_INTERNAL);
	assert_string_equal(answer.user, "");
	rules_free(rules);
	cert_free(cert);
	arena_free(arena);
	arena_free(tiny);
}

static void
a_table_gives_user_and_groups(void **state)
{
	const struct rule_options option = RULE(.key = "{san.email}", .table = 0);
	struct table	*table = make_table(
	    "alice@example.com alice staff,mail\n"
	    "a.smith@example.com alice mail,board\n"
	    "Bob@Example.COM bob\n");
	struct asked	 asked;

	(void)state;
	asked = ask_as(&option, 1, "ca", CERT(EMAIL("alice@Example.com")), &table, 1);
	assert_int_equal(asked.answer.reason, CERTAUTH_OK);
	assert_string_equal(asked.answer.user, "alice");
	assert_string_equal(asked.answer.groups, "staff,mail");
	asked_free(&asked);
	/* Two mailboxes of one person. */
	asked = ask_as(&option, 1, "ca", CERT(EMAIL("alice@example.com"),
	    EMAIL("a.smith@example.com")), &table, 1);
	assert_string_equal(asked.answer.user, "alice");
	assert_string_equal(asked.answer.groups, "staff,mail,board");
	asked_free(&asked);
	/* One that leads nowhere beside one that leads to somebody. */
	asked = ask_as(&option, 1, "ca", CERT(EMAIL("nobody@example.com"),
	    EMAIL("Bob@example.com")), &table, 1);
	assert_string_equal(asked.answer.user, "bob");
	assert_string_equal(asked.answer.groups, "");
	asked_free(&asked);
	/* Two people. */
	assert_int_equal(reason_of(ask_as(&option, 1, "ca",
	    CERT(EMAIL("alice@example.com"), EMAIL("Bob@example.com")),
	    &table, 1)), CERTAUTH_AMBIGUOUS_USER);
	/* The local part's case counts. */
	assert_int_equal(reason_of(ask_as(&option, 1, "ca",
	    CERT(EMAIL("bob@example.com")), &table, 1)), CERTAUTH_NO_USER);
	/* A table that is not there is not an empty table. */
	assert_int_equal(reason_of(ask_as(&option, 1, "ca",
	    CERT(EMAIL("bob@example.com")), NULL, 0)), CERTAUTH_DATA_MISSING);
	table_free(table);
	table = NULL;
	assert_int_equal(reason_of(ask_as(&option, 1, "ca",
	    CERT(EMAIL("bob@example.com")), &table, 1)), CERTAUTH_DATA_MISSING);
}

static void
must_exist_binds(void **state)
{
	const struct rule_options option = RULE(.when = IN_EXAMPLE,
	    .user = "{san.email|local|lower}", .must_exist = 0);
	const struct rule_options both = RULE(.key = "{san.email}", .table = 1,
	    .must_exist = 0);
	struct table	*tables[2] = { make_table("alice\nbob\nroot\n"),
			    make_table("a@x alice\nc@x carol\n") };
	struct table	*none[2] = { NULL, tables[1] };
	int		 reason;

	(void)state;
	assert_string_equal(ask_one(&option, CERT(EMAIL("Alice@Example.com")),
	    tables, 2, &reason), "alice");
	(void)ask_one(&option, CERT(EMAIL("carol@example.com")), tables, 2, &reason);
	assert_int_equal(reason, CERTAUTH_NO_USER);
	/* One of two mailboxes is a user here. */
	assert_string_equal(ask_one(&option, CERT(EMAIL("bob@example.com"),
	    EMAIL("robert@example.com")), tables, 2, &reason), "bob");
	(void)ask_one(&option, CERT(EMAIL("bob@example.com"),
	    EMAIL("alice@example.com")), tables, 2, &reason);
	assert_int_equal(reason, CERTAUTH_AMBIGUOUS_USER);
	(void)ask_one(&option, CERT(EMAIL("bob@example.com")), none, 2, &reason);
	assert_int_equal(reason, CERTAUTH_DATA_MISSING);
	/* Both: found in the map, and listed. */
	assert_string_equal(ask_one(&both, CERT(EMAIL("a@x")), tables, 2,
	    &reason), "alice");
	(void)ask_one(&both, CERT(EMAIL("c@x")), tables, 2, &reason);
	assert_int_equal(reason, CERTAUTH_NO_USER);
	(void)ask_one(&both, CERT(EMAIL("a@x")), none, 2, &reason);
	assert_int_equal(reason, CERTAUTH_DATA_MISSING);
	table_free(tables[0]);
	table_free(tables[1]);
}

/* A mailbox of another domain must not ride along with one that matches. */
static void
when_filters_the_values_of_its_source(void **state)
{
	const struct rule_options option = RULE(.when = IN_EXAMPLE,
	    .user = "{san.email|local|lower}", .must_exist = 0,
	    .groups = "{san.email|local}");
	const struct rule_options plain = RULE(.when = IN_EXAMPLE,
	    .user = "{san.email|local|lower}");
	const struct rule_options split = RULE(
	    .when = IN_EXAMPLE " and san.email.local == root",
	    .user = "{san.email|local}");
	struct table	*table = make_table("root\nalice\n");
	struct asked	 asked;
	int		 reason;

	(void)state;
	(void)ask_one(&option, CERT(EMAIL("mallory@example.com"),
	    EMAIL("root@evil.org")), &table, 1, &reason);
	assert_int_equal(reason, CERTAUTH_NO_USER);
	asked = ask_as(&option, 1, "ca", CERT(EMAIL("alice@example.com"),
	    EMAIL("wheel@evil.org")), &table, 1);
	assert_string_equal(asked.answer.user, "alice");
	assert_string_equal(asked.answer.groups, "alice");
	asked_free(&asked);
	assert_string_equal(ask_one(&plain, CERT(EMAIL("root@evil.org"),
	    EMAIL("alice@example.com")), NULL, 0, &reason), "alice");
	/* No single mailbox satisfies both halves. */
	(void)ask_one(&split, CERT(EMAIL("alice@example.com"),
	    EMAIL("root@evil.org")), NULL, 0, &reason);
	assert_int_equal(reason, CERTAUTH_NO_USER);
	table_free(table);
}

static void
on_miss_next_asks_on(void **state)
{
	const struct rule_options rules[] = {
		RULE(.name = "key", .key = "{spki.sha256}", .table = 0,
		    .on_miss = RULE_MISS_NEXT),
		RULE(.name = "mail", .key = "{san.email}", .table = 1),
		RULE(.name = "never", .user = "guest"),
	};
	struct table	*tables[2] = { make_table("00 x\n"),
			    make_table("a@x alice\n") };
	struct asked	 asked;

	(void)state;
	asked = ask_as(rules, 3, "ca", CERT(EMAIL("a@x")), tables, 2);
	assert_string_equal(asked.answer.user, "alice");
	assert_string_equal(asked.answer.rule, "mail");
	asked_free(&asked);
	/* The second refuses: nobody becomes a guest by missing. */
	asked = ask_as(rules, 3, "ca", CERT(EMAIL("b@x")), tables, 2);
	assert_int_equal(asked.answer.reason, CERTAUTH_NO_USER);
	assert_string_equal(asked.answer.rule, "mail");
	asked_free(&asked);
	/* The last one misses and there is no next. */
	assert_int_equal(reason_of(ask_as(rules, 1, "ca", CERT(EMAIL("b@x")),
	    tables, 2)), CERTAUTH_NO_USER);
	/* Bad and ambiguous values are no miss. */
	{
		const struct rule_options again[] = {
			RULE(.name = "mail", .key = "{san.email}", .table = 1,
			    .on_miss = RULE_MISS_NEXT),
			RULE(.name = "guest", .user = "guest"),
		};
		struct table	*two = make_table("a@x alice\nb@x bob\n");
		struct table	*both[2] = { two, two };

		assert_int_equal(reason_of(ask_as(again, 2, "ca",
		    CERT(EMAIL("a@x\0")), both, 2)), CERTAUTH_BAD_NAME);
		assert_int_equal(reason_of(ask_as(again, 2, "ca",
		    CERT(EMAIL("a@x"), EMAIL("b@x")), both, 2)),
		    CERTAUTH_AMBIGUOUS_USER);
		assert_int_equal(reason_of(ask_as(again, 2, "ca",
		    CERT(EMAIL("a@x")), NULL, 0)), CERTAUTH_DATA_MISSING);
		table_free(two);
	}
	table_free(tables[0]);
	table_free(tables[1]);
}

/* True when the rule with this `when` speaks of the certificate. */
static bool
speaks(const char *when, struct cert *cert)
{
	const struct rule_options option = { .name = "r", .when = when,
	    .user = "u", .table = -1, .must_exist = -1 };
	int	reason;

	(void)ask_one(&option, cert, NULL, 0, &reason);
	assert_true(reason == CERTAUTH_OK || reason == CERTAUTH_NO_USER);
	return reason == CERTAUTH_OK;
}

static void
when_says_what_it_says(void **state)
{
	struct cert	*c = CERT(SUBJECT("CN", "Alice Smith"),
			    SUBJECT("OU", "Sales"), SUBJECT("OU", "North"),
			    EMAIL("Alice@Example.com"), EMAIL("x@example.org"),
			    URI("urn:a"), SKI("\x0a\xff"));

	(void)state;
	assert_true(speaks("san.email.domain in example.com", cert_ref(c)));
	assert_true(speaks("san.email|domain in EXAMPLE.com", cert_ref(c)));
	assert_true(speaks("san.email | domain in b.c, example.org", cert_ref(c)));
	assert_true(speaks("san.email.domain in b.c example.org", cert_ref(c)));
	assert_true(speaks("san.email.domain in \"b.c\" , \"example.org\"",
	    cert_ref(c)));
	assert_false(speaks("san.email.domain in xample.com", cert_ref(c)));
	assert_false(speaks("san.email.domain in example.co", cert_ref(c)));
	assert_true(speaks("san.email == Alice@EXAMPLE.com", cert_ref(c)));
	assert_false(speaks("san.email == alice@example.com", cert_ref(c)));
	assert_true(speaks("san.email.lower == ALICE@example.com", cert_ref(c)));
	assert_true(speaks("subject.CN == \"Alice Smith\"", cert_ref(c)));
	assert_true(speaks("subject.CN==\"Alice Smith\"", cert_ref(c)));
	assert_false(speaks("subject.CN == Alice", cert_ref(c)));
	assert_true(speaks("subject.OU in North", cert_ref(c)));
	assert_true(speaks("subject.OU in north", cert_ref(c)));
	assert_false(speaks("subject.OU in nort", cert_ref(c)));
	assert_true(speaks("subject.OU present", cert_ref(c)));
	assert_false(speaks("subject.UID present", cert_ref(c)));
	assert_false(speaks("san.dns present", cert_ref(c)));
	assert_false(speaks("san.uri.local present", cert_ref(c)));
	assert_true(speaks("not san.dns present", cert_ref(c)));
	assert_false(speaks("not not san.dns present", cert_ref(c)));
	assert_true(speaks("serial == 03a1 and ski in 0A:FF", cert_ref(c)));
	assert_true(speaks("serial == 00:03:A1", cert_ref(c)));
	/* and binds closer than or. */
	assert_true(speaks("ski present or san.dns present and san.upn present",
	    cert_ref(c)));
	assert_false(speaks("(ski present or san.dns present) and san.upn present",
	    cert_ref(c)));
	assert_false(speaks("not (ski present)", cert_ref(c)));
	assert_true(speaks("not san.dns present and not san.upn present",
	    cert_ref(c)));
	/* Words of the language as values. */
	assert_false(speaks("subject.OU in \"and\", \"or\"", cert_ref(c)));
	assert_true(speaks("subject.OU in x, Sales and ski present", cert_ref(c)));
	cert_free(c);
	c = CERT(SUBJECT("O", "a \"b\" \\c"));
	assert_true(speaks("subject.O == \"a \\\"b\\\" \\\\c\"", c));
}

static void
when_with_a_bad_value_refuses(void **state)
{
	const struct rule_options rules[] = {
		RULE(.name = "a", .when = "not san.dns in evil.org",
		    .user = "{san.email}"),
		RULE(.name = "b", .user = "guest"),
	};
	const struct rule_options later[] = {
		RULE(.name = "a", .when = "ski present and san.dns in x",
		    .user = "{san.email}"),
		RULE(.name = "b", .user = "guest"),
	};
	struct asked	asked;

	(void)state;
	assert_int_equal(reason_of(ask_as(rules, 2, "ca", CERT(EMAIL("a@x"),
	    DNS("evil.org\0x")), NULL, 0)), CERTAUTH_BAD_NAME);
	/* What need not be asked does not matter. */
	asked = ask_as(later, 2, "ca", CERT(EMAIL("a@x"), DNS("x\0")), NULL, 0);
	assert_int_equal(asked.answer.reason, CERTAUTH_OK);
	assert_string_equal(asked.answer.user, "guest");
	asked_free(&asked);
}

static void
groups_from_a_template(void **state)
{
	const struct rule_options option = RULE(.user = "{san.email}",
	    .groups = "staff, {subject.OU|lower}");
	const struct rule_options over = RULE(.key = "{san.email}", .table = 0,
	    .groups = "{subject.OU}");
	struct table	*table = make_table("a@x alice from-table\n");
	struct asked	 asked;

	(void)state;
	asked = ask_as(&option, 1, "ca", CERT(EMAIL("a@x"),
	    SUBJECT("OU", "Sales"), SUBJECT("OU", "North")), NULL, 0);
	assert_string_equal(asked.answer.groups, "staff,sales,north");
	asked_free(&asked);
	/* No OU: no groups, but still the user. */
	asked = ask_as(&option, 1, "ca", CERT(EMAIL("a@x")), NULL, 0);
	assert_int_equal(asked.answer.reason, CERTAUTH_OK);
	assert_string_equal(asked.answer.groups, "");
	asked_free(&asked);
	asked = ask_as(&over, 1, "ca", CERT(EMAIL("a@x"), SUBJECT("OU", "g")),
	    &table, 1);
	assert_string_equal(asked.answer.user, "alice");
	assert_string_equal(asked.answer.groups, "g");
	asked_free(&asked);
	/* A comma would be a second group. */
	assert_refused(RULE(.user = "{san.email}", .groups = "{subject.OU}"),
	    CERT(EMAIL("a@x"), SUBJECT("OU", "Example, admin")),
	    CERTAUTH_BAD_NAME);
	assert_refused(RULE(.user = "{san.email}", .groups = "{subject.OU}"),
	    CERT(EMAIL("a@x"), SUBJECT("OU", " a")), CERTAUTH_BAD_NAME);
	table_free(table);
}

/* peers C6 58: the mapped field is missing or empty; nothing fills the gap. */
static void
c6_58_nothing_fills_a_missing_field(void **state)
{
	(void)state;
	assert_refused(RULE(.user = "{subject.CN}"), CERT(EMAIL("admin@x")),
	    CERTAUTH_NO_USER);
	assert_refused(RULE(.user = "{subject.CN}"), CERT(SUBJECT("CN", "")),
	    CERTAUTH_BAD_NAME);
	assert_refused(RULE(.user = "{subject.CN}"),
	    CERT(SUBJECT("CN", "a"), SUBJECT("CN", "")), CERTAUTH_BAD_NAME);
	assert_refused(RULE(.user = "{subject.CN}"),
	    CERT(SUBJECT("CN", "a"), SUBJECT("CN", "b")),
	    CERTAUTH_AMBIGUOUS_USER);
	assert_refused(RULE(.user = "x{subject.CN}"), CERT(EMAIL("a@x")),
	    CERTAUTH_NO_USER);
	/* OpenSC's mapfile: what is not in the map is not its own result. */
	{
		const struct rule_options option = RULE(.key = "{subject.CN}",
		    .table = 0);
		struct table	*table = make_table("# nobody\n");
		int		 reason;

		(void)ask_one(&option, CERT(SUBJECT("CN", "root")), &table, 1,
		    &reason);
		assert_int_equal(reason, CERTAUTH_NO_USER);
		table_free(table);
	}
}

/* peers C6 61: only the certificate that is asked about has a say; what stands
 * beside it in a handshake never comes here. */
static void
c6_61_one_certificate_has_a_say(void **state)
{
	const struct rule_options option = RULE(.user = "{subject.CN}");
	struct cert	*leaf = CERT(SUBJECT("CN", "leaf"));
	struct cert	*extra = CERT(SUBJECT("CN", "extra"));
	int		 reason;

	(void)state;
	assert_string_equal(ask_one(&option, leaf, NULL, 0, &reason), "leaf");
	assert_string_equal(ask_one(&option, extra, NULL, 0, &reason), "extra");
}

/* peers C6 67: joining and folding do not make one of two people. */
static void
c6_67_joining_keeps_people_apart(void **state)
{
	const struct rule_options option = RULE(
	    .key = "{subject.O}|{subject.OU}", .table = 0);
	struct table	*table = make_table("\"a|b\" one\n\"a|B\" two\n");
	int		 reason;

	(void)state;
	assert_string_equal(ask_one(&option, CERT(SUBJECT("O", "a"),
	    SUBJECT("OU", "b")), &table, 1, &reason), "one");
	assert_string_equal(ask_one(&option, CERT(SUBJECT("O", "a"),
	    SUBJECT("OU", "B")), &table, 1, &reason), "two");
	table_free(table);
}

static void
keep_line(void *context, const char *line)
{
	text_add(context, line);
	text_add(context, "\n");
}

/* peers C6 70: hostile names in one line of printable text. */
static void
c6_70_the_story_is_printable(void **state)
{
	const struct rule_options options[] = {
		RULE(.name = "none", .when = "san.dns present", .user = "u"),
		RULE(.name = "key", .key = "{subject.O}", .table = 0,
		    .on_miss = RULE_MISS_NEXT),
		RULE(.name = "cn", .user = "{subject.CN}"),
	};
	struct rules		*rules = rules_compile(options, 3, NULL);
	struct table		*table = make_table("");
	struct arena		*arena = arena_new(1024 * 1024);
	struct cert		*cert = CERT(SUBJECT("O", "x\"y\\ \xe2\x80\xae"),
				    SUBJECT("CN", "\x1b[2J\r\nfake: ok"));
	struct rules_answer	 answer;
	struct text		 story = { 0 };
	size_t			 i, lines = 0;

	(void)state;
	rules_map(rules, cert, "ca", &table, 1, NOW, arena, keep_line, &story,
	    &answer);
	assert_int_equal(answer.reason, CERTAUTH_BAD_NAME);
	for (i = 0; i < story.len; i++) {
		lines += story.data[i] == '\n';
		assert_true(story.data[i] == '\n' ||
		    (story.data[i] >= 0x20 && story.data[i] < 0x7f));
	}
	assert_int_equal(lines, 3);
	assert_non_null(strstr(story.data, "rule none: `san.dns present` is not so"));
	assert_non_null(strstr(story.data, "\\x22y\\x5c \\xe2\\x80\\xae"));
	assert_non_null(strstr(story.data, "\\x1b[2J\\x0d\\x0afake"));
	assert_null(strchr(answer.detail, '\n'));
	text_free(&story);
	rules_free(rules);
	table_free(table);
	cert_free(cert);
	arena_free(arena);
}

static void
rules_that_are_refused(void **state)
{
	struct rule_options	many[RULES_MAX + 1];
	size_t			i;

	(void)state;
	assert_no_rule(0, "second time", "\"r\"", RULE(.user = "a"),
	    RULE(.user = "b"));
	assert_no_rule(0, "either user, or key", NULL,
	    RULE(.user = "a", .key = "{serial}", .table = 0));
	assert_no_rule(0, "either user, or key", NULL,
	    RULE(.user = "a", .table = 0));
	assert_no_rule(0, "key without table", NULL, RULE(.key = "{serial}"));
	assert_no_rule(0, "table without key", NULL, RULE(.table = 0));
	assert_no_rule(0, "neither user nor key", NULL, RULE(.on_miss = 0));
	assert_no_rule(0, "the same for every", NULL,
	    RULE(.key = "x", .table = 0));
	assert_no_rule(0, "a name", NULL, RULE(.name = "", .user = "u"));
	assert_no_rule(0, "a name", NULL, RULE(.name = "a\nb", .user = "u"));
	assert_no_rule(0, "a name", NULL, RULE(.name = NULL, .user = "u"));
	memset(many, 0, sizeof(many));
	for (i = 0; i <= RULES_MAX; i++)
		many[i] = (struct rule_options){ .name = "r", .user = "u",
		    .table = -1, .must_exist = -1, .file = "test.conf",
		    .line = 7 };
	refused_rule(many, RULES_MAX + 1, 0, "at most 256", NULL);
}

#define W(text)	RULE(.when = (text), .user = "u")

static void
whens_that_are_refused(void **state)
{
	(void)state;
	assert_no_rule(1, "found the end", "a source", W(""));
	assert_no_rule(1, "san.emial", "did you mean san.email?",
	    W("san.emial present"));
	assert_no_rule(11, "found \"presnt\"", "did you mean present?",
	    W("san.email presnt"));
	assert_no_rule(10, "found the end", "in LIST", W("san.email"));
	assert_no_rule(11, "found \"=\"", "==", W("san.email = a"));
	assert_no_rule(13, "found the end", "a value", W("san.email in"));
	assert_no_rule(14, "found \"and\"", "in quotes", W("san.dns in a,and b"));
	assert_no_rule(14, "found the end", "a value", W("san.dns in a,"));
	assert_no_rule(12, "found \"", "in quotes", W("san.dns == \"a"));
	assert_no_rule(17, "found \"or\"", "a source",
	    W("ski present and or ski present") );
	assert_no_rule(13, "found the end", "closing )", W("(ski present"));
	assert_no_rule(12, "found \")\"", "the end", W("ski present)"));
	assert_no_rule(13, "found \"xor\"", "and, or", W("ski present xor x"));
	assert_no_rule(8, "hexadecimal", NULL, W("ski == xyz"));
	assert_no_rule(11, "hexadecimal", NULL, W("serial == 123"));
	assert_no_rule(11, "transform", "did you mean domain?",
	    W("san.email.domian in x"));
	{
		char	many[24000] = "ski in";
		size_t	n = strlen(many), i;

		for (i = 0; i < 4096; i++)
			n += (size_t)sprintf(many + n, " %02x", (unsigned)i % 256);
		assert_user(RULE(.when = many, .user = "u"), CERT(SKI("\x07")),
		    "u");
		sprintf(many + n, " 00");
		assert_no_rule((unsigned)n + 2, "at most 4096", "a table", W(many));
		memset(many, 'a', 300);
		memcpy(many, "san.dns in ", 11);
		many[300] = '\0';
		assert_no_rule(12, "255 bytes", NULL, W(many));
		for (n = 0, i = 0; i < 200; i++)
			n += (size_t)sprintf(many + n, "%sski present",
			    i > 0 ? " or " : "");
		assert_no_rule(1933, "at most 256 conditions", NULL, W(many));
	}
	assert_no_rule(17, "16 levels", NULL,
	    W("(((((((((((((((((ski present)))))))))))))))))"));
	assert_no_rule(65, "16 levels", NULL, W("not not not not not not not "
	    "not not not not not not not not not not ski present"));
}

/* What cert.c could not read is not taken as absent. */
static int
reason_with(const char *user, unsigned faults, bool negative)
{
	const struct rule_options option = { .name = "r", .user = user,
	    .table = -1, .must_exist = -1 };
	struct cert		*cert = CERT(EMAIL("a@x"), SKI("\x01"));
	struct cert		 view = *cert;
	struct rules		*rules = rules_compile(&option, 1, NULL);
	struct arena		*arena = arena_new(1024 * 1024);
	struct rules_answer	 answer;

	view.faults |= faults;
	view.serial_negative = negative;
	rules_map(rules, &view, "ca", NULL, 0, NOW, arena, NULL, NULL, &answer);
	if (answer.reason == CERTAUTH_OK && negative)
		assert_string_equal(answer.user, "s-03A1");
	rules_free(rules);
	arena_free(arena);
	cert_free(cert);
	return (int)answer.reason;
}

static void
unreadable_is_not_absent(void **state)
{
	(void)state;
	assert_int_equal(reason_with("{san.email}", 0, false), CERTAUTH_OK);
	assert_int_equal(reason_with("{san.email}", CERT_FAULT_SAN, false),
	    CERTAUTH_BAD_NAME);
	assert_int_equal(reason_with("{san.email}", CERT_FAULT_DUPLICATE, false),
	    CERTAUTH_BAD_NAME);
	assert_int_equal(reason_with("{san.dns}", CERT_FAULT_TOO_BIG, false),
	    CERTAUTH_BAD_NAME);
	assert_int_equal(reason_with("{ski}", CERT_FAULT_EXTENSION, false),
	    CERTAUTH_BAD_NAME);
	assert_int_equal(reason_with("{serial}", CERT_FAULT_SERIAL, false),
	    CERTAUTH_BAD_NAME);
	/* The number with the other sign is another number; as a name it would
	 * begin with the sign. */
	assert_int_equal(reason_with("s{serial}", 0, true), CERTAUTH_OK);
	assert_int_equal(reason_with("{serial}", 0, true), CERTAUTH_BAD_NAME);
}

/* Not only the first of several values is looked at. */
static void
a_later_value_refuses_too(void **state)
{
	const struct rule_options ambiguous = RULE(.user = "{serial}",
	    .groups = "{subject.O}{subject.OU}");
	struct part	parts[RULES_MAX_VALUES + 1];
	char		names[RULES_MAX_VALUES][201];
	size_t		i;

	(void)state;
	assert_refused(RULE(.user = "u{subject.CN}"),
	    CERT(SUBJECT("CN", "a"), SUBJECT("CN", "a/b")), CERTAUTH_BAD_NAME);
	/* Asked of the second mailbox alone, `when` has to look at a bad value. */
	assert_refused(RULE(.when = "san.email.domain in x or san.dns present",
	    .user = "{san.email}"), CERT(EMAIL("a@x"), EMAIL("a@y"),
	    DNS("\0")), CERTAUTH_BAD_NAME);
	assert_refused(ambiguous, CERT(SUBJECT("O", "a"), SUBJECT("O", "b"),
	    SUBJECT("OU", "c"), SUBJECT("OU", "d")), CERTAUTH_AMBIGUOUS_USER);
	/* More groups than anybody has. */
	memset(parts, 0, sizeof(parts));
	for (i = 0; i < RULES_MAX_VALUES; i++) {
		snprintf(names[i], sizeof(names[i]), "%0200zu", i);
		parts[i].kind = PART_SUBJECT;
		parts[i].oid = "OU";
		parts[i].type = V_ASN1_UTF8STRING;
		parts[i].data = names[i];
		parts[i].data_len = 200;
	}
	assert_refused(RULE(.user = "u", .groups = "{subject.OU}"),
	    make_cert(parts), CERTAUTH_BAD_NAME);
	parts[20].kind = PART_END;
	assert_user(RULE(.user = "u", .groups = "{subject.OU}"),
	    make_cert(parts), "u");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_matching_rule_decides),
		cmocka_unit_test(no_rules_no_user_but_ok),
		cmocka_unit_test(missing_arguments_refuse),
		cmocka_unit_test(a_table_gives_user_and_groups),
		cmocka_unit_test(must_exist_binds),
		cmocka_unit_test(when_filters_the_values_of_its_source),
		cmocka_unit_test(on_miss_next_asks_on),
		cmocka_unit_test(when_says_what_it_says),
		cmocka_unit_test(when_with_a_bad_value_refuses),
		cmocka_unit_test(groups_from_a_template),
		cmocka_unit_test(c6_58_nothing_fills_a_missing_field),
		cmocka_unit_test(c6_61_one_certificate_has_a_say),
		cmocka_unit_test(c6_67_joining_keeps_people_apart),
		cmocka_unit_test(c6_70_the_story_is_printable),
		cmocka_unit_test(unreadable_is_not_absent),
		cmocka_unit_test(a_later_value_refuses_too),
		cmocka_unit_test(rules_that_are_refused),
		cmocka_unit_test(whens_that_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
