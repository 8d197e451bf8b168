/* test_enrolled.c - the mark behind a line of a map: written, read, looked up */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "identity/enrolled.h"

#define TEST(name)	cmocka_unit_test(name)

static struct enrolled *
parse(const char *text)
{
	struct enrolled	*e = enrolled_parse((const unsigned char *)text,
			    strlen(text));

	assert_non_null(e);
	return e;
}

static const struct enrolled_line *
find(const struct enrolled *e, const char *authority, const char *same,
    bool *others)
{
	return enrolled_find(e, authority, same, strlen(same), others);
}

static void
test_find(void **state)
{
	const struct enrolled_line	*l;
	struct enrolled			*e;
	bool				 others;

	(void)state;
	e = parse("k1 alice staff # enrolled authority=ca mailbox=a@x ends=@100\n"
	    "k2 alice staff not-after=2027-01-01 # enrolled authority=ca mailbox=a@x "
	    "ends=@200 \"issuer=CN=Some CA\"\n"
	    "k3 bob # enrolled authority=ca mailbox=b@x\n"
	    "k4 eve # enrolled authority=ca mailbox=b@x\n"
	    "k5 dan # enrolled mailbox=d@x\n"
	    "k6 dan # my own note: enrolled authority=ca mailbox=d@x\n"
	    "k7 dan # enrolled authority=ca\n");
	l = find(e, "ca", "a@x", &others);
	assert_non_null(l);
	assert_string_equal(l->key, "k2");
	assert_string_equal(l->user, "alice");
	assert_string_equal(l->groups, "staff");
	assert_int_equal(l->ends, 200);
	assert_false(others);
	assert_non_null(find(e, "ca", "b@x", &others));
	assert_true(others);
	assert_null(find(e, "cb", "a@x", &others));
	assert_null(find(e, "c", "aa@x", &others));
	assert_null(find(e, "ca", "d@x", &others));
	assert_null(find(e, "ca", "", &others));
	enrolled_free(e);
	e = parse("");
	assert_null(find(e, "ca", "a@x", &others));
	enrolled_free(e);
}

static bool
keep(void *context, const struct enrolled_line *line)
{
	struct enrolled_line	*l = context;

	*l = *line;
	l->key = strdup(line->key);
	l->user = strdup(line->user);
	l->groups = strdup(line->groups);
	l->authority = strdup(line->authority);
	l->same = strdup(line->same);
	l->issuer = strdup(line->issuer);
	return true;
}

/* What is written is read again, whatever the names hold. */
static void
test_round_trip(void **state)
{
	static const char *const	names[] = { "a", "a b", "a\"b", "a\\b",
				    "#a", "a=b", "not-after=2020-01-01" };
	struct enrolled_line		mark, got;
	struct text			t;
	struct certauth_error		error = { .line = 0 };
	size_t				i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		memset(&t, 0, sizeof(t));
		mark = (struct enrolled_line){ .authority = names[i],
		    .same = names[i], .issuer = "CN=A, O=\"B\"", .ends = 86400 };
		enrolled_print(&t, names[i], names[i], names[i], &mark,
		    "san.email");
		assert_true(enrolled_each((unsigned char *)t.data, t.len, "m",
		    keep, &got, &error));
		assert_string_equal(got.key, names[i]);
		assert_string_equal(got.user, names[i]);
		assert_string_equal(got.groups, names[i]);
		assert_string_equal(got.authority, names[i]);
		assert_string_equal(got.same, names[i]);
		assert_string_equal(got.issuer, mark.issuer);
		assert_int_equal(got.ends, 86400);
		free((void *)(uintptr_t)got.key);
		free((void *)(uintptr_t)got.user);
		free((void *)(uintptr_t)got.groups);
		free((void *)(uintptr_t)got.authority);
		free((void *)(uintptr_t)got.same);
		free((void *)(uintptr_t)got.issuer);
		text_free(&t);
	}
}

/* Ten thousand lines of one mailbox cost no square. */
static void
test_many(void **state)
{
	struct text	t = { 0 };
	struct enrolled	*e;
	bool		 others;
	int		 i;

	(void)state;
	for (i = 0; i < 10000; i++)
		text_printf(&t, "k%d u # enrolled authority=ca mailbox=a@x\n", i);
	e = parse(t.data);
	assert_non_null(find(e, "ca", "a@x", &others));
	assert_false(others);
	enrolled_free(e);
	text_free(&t);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		TEST(test_find), TEST(test_round_trip), TEST(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
