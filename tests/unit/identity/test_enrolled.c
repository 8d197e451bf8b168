/* test_enrolled.c - the mark behind a line of a map: written, read, looked up */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "identity/enrolled.h"

#define TEST(name)	cmocka_unit_test(name)

static struct table *
parse(const char *text)
{
	struct certauth_error	 error = { .line = 0 };
	struct table		*table;

	table = table_parse((const unsigned char *)text, strlen(text), "m",
	    &error);
	if (table == NULL)
		fail_msg("%u: %s", error.line, error.text);
	return table;
}

/* The user, "" for nobody. */
static const char *
find(const struct table *table, const char *authority, const char *same,
    bool *others)
{
	struct table_entry	entry;

	return enrolled_find(table, authority, same, strlen(same), &entry,
	    others) ? entry.user : "";
}

static void
test_find(void **state)
{
	struct table_entry	entry;
	struct table_line	line;
	struct table		*t;
	size_t			at = 0;
	bool			others;

	(void)state;
	t = parse("k1 alice staff # enrolled authority=ca mailbox=a@x ends=@100\n"
	    "k2 alice ops not-after=2027-01-01 # enrolled authority=ca mailbox=a@x "
	    "ends=@200 \"issuer=CN=Some CA\"\n"
	    "k3 bob # enrolled authority=ca mailbox=b@x\n"
	    "k4 eve # enrolled authority=ca mailbox=b@x\n"
	    "k5 dan # enrolled mailbox=d@x\n"
	    "k6 dan # my own note: enrolled authority=ca mailbox=d@x\n"
	    "k7 dan # enrolled authority=ca\n"
	    "k8 gone not-after=2020-01-01 # enrolled mailbox=g@x authority=ca\n");
	/* of two lines the newer: its groups stand in the ready line */
	assert_true(enrolled_find(t, "ca", "a@x", 3, &entry, &others));
	assert_string_equal(entry.user, "alice");
	assert_string_equal(entry.groups, "ops");
	assert_false(others);
	assert_string_equal(find(t, "ca", "b@x", &others), "eve");
	assert_true(others);
	assert_string_equal(find(t, "cb", "a@x", &others), "");
	assert_string_equal(find(t, "c", "aa@x", &others), "");
	assert_string_equal(find(t, "ca", "d@x", &others), "");
	assert_string_equal(find(t, "ca", "", &others), "");
	assert_string_equal(find(t, "", "a@x", &others), "");
	assert_string_equal(find(t, "ca", "g@x", &others), "gone");
	/* A mark is no line: nobody's key, and no user of a list. */
	assert_int_equal(table_size(t), 8);
	assert_false(table_lookup(t, "\x01" "ca\x01" "a@x", 7, 0, &entry));
	assert_false(table_has(t, "gone", 4, 1780272000));
	assert_true(table_next_line(t, &at, &line));
	assert_string_equal(line.key, "k1");
	assert_int_equal(line.authority_len, 2);
	assert_memory_equal(line.authority, "ca", 2);
	assert_string_equal(line.same, "a@x");
	assert_true(table_next_line(t, &at, &line));
	assert_int_equal(line.until, 1798847999);
	for (at = 0; table_next_line(t, &at, &line);)
		;
	assert_string_equal(line.key == NULL ? "" : line.key, "");
	table_free(t);
	t = parse("");
	assert_string_equal(find(t, "ca", "a@x", &others), "");
	table_free(t);
}

static bool
keep(void *context, const struct enrolled_line *line)
{
	struct enrolled_line	*l = context;

	*l = *line;
	l->key = strdup(line->key);
	l->user = strdup(line->user);
	l->groups = strdup(line->groups);
	l->mark.authority = strdup(line->mark.authority);
	l->mark.same = strdup(line->mark.same);
	l->mark.issuer = strdup(line->mark.issuer);
	return true;
}

/* What is written is read again, whatever the names hold. */
static void
test_round_trip(void **state)
{
	static const char *const	names[] = { "a", "a b", "a\"b", "a\\b",
				    "#a", "a=b", "not-after=2020-01-01" };
	struct enrolled_mark		mark;
	struct enrolled_line		got;
	struct text			t;
	struct certauth_error		error = { .line = 0 };
	size_t				i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		memset(&t, 0, sizeof(t));
		mark = (struct enrolled_mark){ .authority = names[i],
		    .same = names[i], .issuer = "CN=A, O=\"B\"", .ends = 86400 };
		enrolled_print(&t, names[i], names[i], names[i], &mark,
		    "san.email");
		assert_true(enrolled_each((unsigned char *)t.data, t.len, "m",
		    keep, &got, &error));
		assert_string_equal(got.key, names[i]);
		assert_string_equal(got.user, names[i]);
		assert_string_equal(got.groups, names[i]);
		assert_string_equal(got.mark.authority, names[i]);
		assert_string_equal(got.mark.same, names[i]);
		assert_string_equal(got.mark.issuer, mark.issuer);
		assert_int_equal(got.mark.ends, 86400);
		free((void *)(uintptr_t)got.key);
		free((void *)(uintptr_t)got.user);
		free((void *)(uintptr_t)got.groups);
		free((void *)(uintptr_t)got.mark.authority);
		free((void *)(uintptr_t)got.mark.same);
		free((void *)(uintptr_t)got.mark.issuer);
		text_free(&t);
	}
}

/* Ten thousand lines of one mailbox cost no square. */
static void
test_many(void **state)
{
	struct text	 t = { 0 };
	struct table	*table;
	bool		 others;
	int		 i;

	(void)state;
	for (i = 0; i < 10000; i++)
		text_printf(&t, "k%d u # enrolled authority=ca mailbox=a@x\n", i);
	table = parse(t.data);
	assert_string_equal(find(table, "ca", "a@x", &others), "u");
	assert_false(others);
	assert_int_equal(table_size(table), 10000);
	table_free(table);
	text_free(&t);
}

static bool
note(void *context, const struct enrolled_line *line)
{
	*(struct enrolled_line *)context = *line;
	return true;
}

/* Lines are read as a server reads them: folded, with their dates; what it refuses
 * is refused. */
static void
test_lines_are_the_tables(void **state)
{
	static const char	*const bad[] = { "k u g h\n", "k -u\n",
				    "k u not-afer=2027-01-01\n", "k u g,,h\n" };
	struct enrolled_line	 line;
	struct certauth_error	 error = { .line = 0 };
	char			 text[128];
	size_t			 i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(enrolled_each((const unsigned char *)bad[i],
		    strlen(bad[i]), "m", note, &line, &error));
	snprintf(text, sizeof(text), "A@B.C u not-before=@5 not-after=@9\n");
	assert_true(enrolled_each((const unsigned char *)text, strlen(text), "m",
	    note, &line, &error));
	assert_int_equal(line.from, 5);
	assert_int_equal(line.until, 9);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		TEST(test_find), TEST(test_round_trip), TEST(test_many),
		TEST(test_lines_are_the_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
