/* test_table.c - which user does a map give, and which maps are refused? */

#include <stdio.h>

#include "map.h"

static void
assert_entry(const struct table *table, const char *key, int64_t now,
    const char *user, const char *groups)
{
	struct table_entry	entry;
	bool			found;

	found = table_lookup(table, key, strlen(key), now, &entry);
	if (user == NULL) {
		assert_false(found);
		assert_string_equal(entry.user, "");
		return;
	}
	assert_true(found);
	assert_string_equal(entry.user, user);
	assert_string_equal(entry.groups, groups);
}

static void
refused_bytes(const char *text, size_t len, unsigned line, const char *part,
    const char *part2)
{
	struct certauth_error	 error = { 0 };
	struct table		*table;

	table = table_parse((const unsigned char *)text, len, "people.map",
	    &error);
	if (table != NULL)
		fail_msg("taken, expected: %s", part);
	assert_string_equal(error.file, "people.map");
	if (error.line != line || strstr(error.text, part) == NULL ||
	    (part2 != NULL && strstr(error.text, part2) == NULL))
		fail_msg("line %u: %s", error.line, error.text);
}
#define assert_no_table(text, line, part, part2) \
	refused_bytes(text, sizeof(text) - 1, line, part, part2)

static void
lines_are_read(void **state)
{
	struct table	*table = make_table(
	    "# people\n"
	    "\n"
	    "  \t\n"
	    "alice@example.com alice staff,mail   # our first\n"
	    "\tbob@example.com\tbob\n"
	    "\"CN with blank\" \"carol c\" \"Domain Users,x\"\n"
	    "\"q\\\"\\\\\" dave\r\n"
	    "\"#hash\" eve\r\n"
	    "a=b frank\n"
	    "last grace");

	(void)state;
	assert_int_equal(table_size(table), 7);
	assert_entry(table, "alice@example.com", NOW, "alice", "staff,mail");
	assert_entry(table, "bob@example.com", NOW, "bob", "");
	assert_entry(table, "CN with blank", NOW, "carol c", "Domain Users,x");
	assert_entry(table, "q\"\\", NOW, "dave", "");
	assert_entry(table, "#hash", NOW, "eve", "");
	assert_entry(table, "a=b", NOW, "frank", "");
	assert_entry(table, "last", NOW, "grace", "");
	assert_entry(table, "alice", NOW, NULL, NULL);
	assert_entry(table, "", NOW, NULL, NULL);
	assert_entry(table, "alice@example.co", NOW, NULL, NULL);
	assert_entry(table, "alice@example.comm", NOW, NULL, NULL);
	assert_false(table_lookup(table, "bob@example.com\0x", 17, NOW,
	    &(struct table_entry){ 0 }));
	table_free(table);
}

static void
nothing_is_an_empty_table(void **state)
{
	struct table		*table = table_parse(NULL, 0, "m", NULL);

	(void)state;
	assert_non_null(table);
	assert_int_equal(table_size(table), 0);
	assert_entry(table, "a", NOW, NULL, NULL);
	assert_false(table_has(table, "a", 1, NOW));
	assert_false(table_has(table, "", 0, NOW));
	table_free(table);
	table = make_table("\xef\xbb\xbf" "a b\n");
	assert_entry(table, "a", NOW, "b", "");
	table_free(table_ref(table));
	assert_entry(table, "a", NOW, "b", "");
	table_free(table);
	table_free(NULL);
}

/* As extraction spells them, on both sides. */
static void
keys_are_folded_like_values(void **state)
{
	struct table	*table = make_table(
	    "Alice@Example.COM alice\n"
	    "urn:x@Y uri\n"
	    "a@b@C odd\n"
	    "AB:CD:EF:01:23:45:67:89:ab:cd:ef:01:23:45:67:89:"
	    "AB:CD:EF:01:23:45:67:89:ab:cd:ef:01:23:45:67:89 device\n"
	    "03A1 serial\n");

	(void)state;
	assert_entry(table, "Alice@example.com", NOW, "alice", "");
	assert_entry(table, "Alice@EXAMPLE.com", NOW, "alice", "");
	assert_entry(table, "alice@example.com", NOW, NULL, NULL);
	/* A URI's case has a meaning. */
	assert_entry(table, "urn:x@Y", NOW, "uri", "");
	assert_entry(table, "urn:x@y", NOW, NULL, NULL);
	assert_entry(table, "a@b@C", NOW, "odd", "");
	assert_entry(table, "a@b@c", NOW, NULL, NULL);
	assert_entry(table, "abcdef0123456789abcdef0123456789"
	    "abcdef0123456789abcdef0123456789", NOW, "device", "");
	assert_entry(table, "03A1", NOW, "serial", "");
	assert_entry(table, "03a1", NOW, NULL, NULL);
	table_free(table);
}

static void
times_bind(void **state)
{
	struct table	*table = make_table(
	    "k old not-after=2026-05-31\n"
	    "k new not-before=2026-06-01 not-after=2026-06-01T12:00:00Z\n"
	    "k later g not-before=@1780315201\n"
	    "only-after x not-before=2027-01-01\n"
	    "listed not-after=2026-01-01\n");
	int64_t		 t;

	(void)state;
	/* NOW is the first second of 2026-06-01. */
	assert_entry(table, "k", NOW - 1, "old", "");
	assert_entry(table, "k", NOW, "new", "");
	assert_entry(table, "k", NOW + 12 * 3600, "new", "");
	t = NOW + 12 * 3600 + 1;
	assert_int_equal(t, 1780315201);
	assert_entry(table, "k", t, "later", "g");
	assert_entry(table, "only-after", NOW, NULL, NULL);
	assert_true(table_has(table, "old", 3, NOW - 1));
	assert_false(table_has(table, "old", 3, NOW));
	assert_true(table_has(table, "new", 3, NOW));
	/* One column: the key is the user, and its time counts. */
	assert_false(table_has(table, "listed", 6, NOW));
	assert_true(table_has(table, "listed", 6, INT64_C(1767225600) - 1));
	table_free(table);
}

static void
has_knows_users(void **state)
{
	struct table	*table = make_table(
	    "a1 alice\n"
	    "a2 alice not-after=2020-01-01\n"
	    "a3 alice\n"
	    "bob\n"
	    "Carol@Example.COM\n"
	    "d Dora@Example.COM\n");

	(void)state;
	assert_true(table_has(table, "alice", 5, NOW));
	assert_false(table_has(table, "a1", 2, NOW));
	assert_false(table_has(table, "Alice", 5, NOW));
	assert_false(table_has(table, "alic", 4, NOW));
	assert_true(table_has(table, "bob", 3, NOW));
	assert_true(table_has(table, "Carol@example.com", 17, NOW));
	assert_true(table_has(table, "Carol@Example.COM", 17, NOW));
	assert_false(table_has(table, "carol@example.com", 17, NOW));
	/* A user's name is what the host gets: byte by byte. */
	assert_true(table_has(table, "Dora@Example.COM", 16, NOW));
	assert_false(table_has(table, "Dora@example.com", 16, NOW));
	table_free(table);
}

static void
tables_that_are_refused(void **state)
{
	char	line[TABLE_MAX_LINE + 8];

	(void)state;
	assert_no_table("a b\nc d e f\n", 2, "fourth word", NULL);
	assert_no_table("a b\n\nc\0d e\n", 3, "NUL", NULL);
	assert_no_table("a b\rc d\n", 1, "control character", NULL);
	assert_no_table("a \x1b\n", 1, "control character", NULL);
	assert_no_table("a b\xc2\x85\n", 1, "control character", NULL);
	assert_no_table("a b\xff\n", 1, "not UTF-8", NULL);
	assert_no_table("a b\n\"a\n", 2, "end of the line", "closing");
	assert_no_table("\"a\" \"b\\n\"\n", 1, "backslash", NULL);
	assert_no_table("\"a\"b c\n", 1, "blank", NULL);
	assert_no_table("a\"b c\n", 1, "middle of a word", NULL);
	assert_no_table("\"a\tb\" c\n", 1, "tab", NULL);
	assert_no_table("\"\" c\n", 1, "empty key", NULL);
	assert_no_table("a \"\"\n", 1, "empty user name", NULL);
	assert_no_table("a \" b\"\n", 1, "blank at its end", NULL);
	assert_no_table("a -b\n", 1, "begins with - or .", NULL);
	assert_no_table("a \"b\xe2\x80\x8b\"\n", 1, "invisible", NULL);
	assert_no_table("a b c,,d\n", 1, "empty group", NULL);
	assert_no_table("a b ,c\n", 1, "empty group", NULL);
	assert_no_table("a b \"c, d\"\n", 1, "blank beside a comma", NULL);
	assert_no_table("a b also=\n", 1, "empty user name", "also=USER");
	assert_no_table("a b also=c,\n", 1, "empty user name", NULL);
	assert_no_table("a b also=c,-d\n", 1, "begins with - or .", NULL);
	assert_no_table("a b also=c also=d\n", 1, "second time", NULL);
	assert_no_table("a also=c\n", 1, "without a user", NULL);
	assert_no_table("a b also=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17\n", 1,
	    "more than 16", NULL);
	assert_no_table("a b also=c\na b also=d\n", 2, "other groups or accounts",
	    NULL);
	assert_no_table("a b\na b also=d\n", 2, "other groups or accounts", NULL);
	assert_no_table("a b not-after=tomorrow\n", 1, "not-after=tomorrow",
	    "expected a date");
	assert_no_table("a b not-after=2026-02-30\n", 1, "expected a date", NULL);
	assert_no_table("a b not-after=\n", 1, "expected a date", NULL);
	/* A misspelt not-after is no group. */
	assert_no_table("a b notafter=2026-01-01\n", 1, "notafter=2026-01-01",
	    "did you mean not-after=?");
	assert_no_table("a b g until=2026-01-01\n", 1, "until=", NULL);
	assert_no_table("a b not-after=2026-01-01 not-after=2027-01-01\n", 1,
	    "second time", NULL);
	assert_no_table("a b not-before=2027-01-01 not-after=2026-01-01\n", 1,
	    "not-before after not-after", NULL);
	memset(line, 'a', sizeof(line));
	line[TABLE_MAX_LINE] = '\n';
	{
		struct table *t = table_parse((unsigned char *)line,
		    TABLE_MAX_LINE + 1, "m", NULL);

		assert_non_null(t);
		table_free(t);
	}
	line[TABLE_MAX_LINE] = 'a';
	line[TABLE_MAX_LINE + 1] = '\n';
	refused_bytes(line, TABLE_MAX_LINE + 2, 1, "4097 bytes", "4096");
	memset(line, 'a', 300);
	line[1] = ' ';
	refused_bytes(line, 300, 1, "over 255 bytes", NULL);
}

/* peers C6 67: two people, one key. */
static void
c6_67_two_users_for_one_key(void **state)
{
	struct table	*table;
	char		 many[80 * 70];
	size_t		 n = 0, i;

	(void)state;
	assert_no_table("k alice\nx y\nk bob\n", 3, "line 1 has it for \"alice\"",
	    "for user \"bob\"");
	assert_no_table("A@Example.com alice\nA@example.COM bob\n", 2, "line 1",
	    NULL);
	assert_no_table("k alice\nk alice g\n", 2, "other groups", NULL);
	assert_no_table("k alice not-after=2026-06-01\n"
	    "k bob not-before=2026-06-01\n", 2, "line 1", NULL);
	/* The second is not the only other line. */
	assert_no_table("k a not-after=2026-01-01\n"
	    "k b not-before=2026-01-02 not-after=2026-01-03\n"
	    "k c not-before=2026-01-03\n", 3, "line 2", NULL);
	/* Said twice is said once; times apart are two facts. */
	table = make_table("k alice g\nk alice g\n");
	assert_entry(table, "k", NOW, "alice", "g");
	table_free(table);
	table = make_table("k alice not-after=2026-01-01\n"
	    "k bob not-before=2026-01-02\n");
	assert_entry(table, "k", NOW, "bob", "");
	table_free(table);
	for (i = 0; i < 70; i++)
		n += (size_t)snprintf(many + n, sizeof(many) - n,
		    "k u not-after=@%zu\n", i);
	refused_bytes(many, n, 65, "more than 64 lines", NULL);
}

struct twins { unsigned line, other; size_t told; };

static void
note_twin(void *context, unsigned line, unsigned other_line, const char *key)
{
	struct twins	*twins = context;

	(void)key;
	twins->line = line;
	twins->other = other_line;
	twins->told++;
}

static void
c6_67_case_twins_are_told(void **state)
{
	struct twins	 twins = { 0 };
	struct table	*table = make_table("First.Last@x one\nother two\n"
	    "first.last@x three\nOTHER two\n");

	(void)state;
	assert_int_equal(table_case_twins(table, note_twin, &twins), 1);
	assert_int_equal(twins.told, 1);
	assert_int_equal(twins.line, 1);
	assert_int_equal(twins.other, 3);
	table_free(table);
}

/* peers C6 69: what looks like a filter or SQL is only a key. */
static void
c6_69_keys_are_only_bytes(void **state)
{
	struct table	*table = make_table("*)(uid=* a\n"
	    "\"' OR 1=1 --\" b\n\"a\\\\b\" c\n* d\n");

	(void)state;
	assert_entry(table, "*)(uid=*", NOW, "a", "");
	assert_entry(table, "' OR 1=1 --", NOW, "b", "");
	assert_entry(table, "a\\b", NOW, "c", "");
	assert_entry(table, "*", NOW, "d", "");
	assert_entry(table, "x", NOW, NULL, NULL);
	table_free(table);
}

static void
many_lines(void **state)
{
	enum { LINES = 20000 };
	char			*text = malloc(LINES * 64);
	char			 key[64], user[64];
	size_t			 n = 0, i;
	struct table		*table;

	(void)state;
	for (i = 0; i < LINES; i++)
		n += (size_t)sprintf(text + n, "user%zu@example.com u%zu g%zu\n",
		    i, i / 2, i % 3);
	table = table_parse((unsigned char *)text, n, "m", NULL);
	assert_non_null(table);
	assert_int_equal(table_size(table), LINES);
	for (i = 0; i < LINES; i += 7) {
		struct table_entry entry;
		snprintf(key, sizeof(key), "user%zu@Example.com", i);
		snprintf(user, sizeof(user), "u%zu", i / 2);
		assert_true(table_lookup(table, key, strlen(key), NOW, &entry));
		assert_string_equal(entry.user, user);
		assert_true(table_has(table, user, strlen(user), NOW));
	}
	assert_entry(table, "user20000@example.com", NOW, NULL, NULL);
	table_free(table);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_read),
		cmocka_unit_test(nothing_is_an_empty_table),
		cmocka_unit_test(keys_are_folded_like_values),
		cmocka_unit_test(times_bind),
		cmocka_unit_test(has_knows_users),
		cmocka_unit_test(tables_that_are_refused),
		cmocka_unit_test(c6_67_two_users_for_one_key),
		cmocka_unit_test(c6_67_case_twins_are_told),
		cmocka_unit_test(c6_69_keys_are_only_bytes),
		cmocka_unit_test(many_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
