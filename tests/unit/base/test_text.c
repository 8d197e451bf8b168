/*
 * test_text.c - is what we print printable, and is what we parse all there is?
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/text.h"

#define BYTES(s)	(s), sizeof(s) - 1

static void
test_growing(void **state)
{
	struct text	 text = { 0 };
	char		*taken;
	int		 i;

	(void)state;
	taken = text_take(&text);
	assert_string_equal(taken, "");
	free(taken);
	for (i = 0; i < 1000; i++)
		text_printf(&text, "%d,", i % 10);
	text_add(&text, "end");
	text_add_n(&text, "xyz", 2);
	text_add_hex(&text, (const unsigned char *)"\x00\xab", 2);
	assert_false(text.failed);
	assert_int_equal(text.len, 2000 + 3 + 2 + 4);
	assert_string_equal(text.data + 2000, "endxy00ab");
	taken = text_take(&text);
	assert_non_null(taken);
	assert_int_equal(strlen(taken), 2009);
	assert_null(text.data);
	free(taken);
}

/* After a failure nothing is added, and taking gives NULL, not a part. */
static void
test_failed(void **state)
{
	struct text	text = { 0 };

	(void)state;
	text_add(&text, "secret");
	text_add_n(&text, "x", (size_t)1 << 40);
	assert_true(text.failed);
	text_add(&text, "more");
	assert_int_equal(text.len, 6);
	assert_null(text_take(&text));
	assert_null(text.data);
	assert_false(text.failed);
}

static void
printable(const char *data, size_t len, const char *expected)
{
	struct text	text = { 0 };
	char		buf[256];

	assert_string_equal(text_printable(buf, sizeof(buf), data, len),
	    expected);
	text_add_printable(&text, data, len, 1000);
	assert_string_equal(text.data == NULL ? "" : text.data, expected);
	text_free(&text);
}

static void
test_printable(void **state)
{
	(void)state;
	printable(BYTES(""), "");
	printable(BYTES("Alice Example"), "Alice Example");
	printable(BYTES("J\xc3\xbcrgen \xe6\x97\xa5 \xf0\x9f\x98\x80"),
	    "J\xc3\xbcrgen \xe6\x97\xa5 \xf0\x9f\x98\x80");
	printable(BYTES("a\0b\n\r\t\x1b[31m\x7f"),
	    "a\\x00b\\x0a\\x0d\\x09\\x1b[31m\\x7f");
	printable(BYTES("say \"x\" \\n"), "say \\x22x\\x22 \\x5cn");
	/* C1, line and paragraph separator, bidi override, isolate, BOM */
	printable(BYTES("\xc2\x85"), "\\xc2\\x85");
	printable(BYTES("\xe2\x80\xa8\xe2\x80\xa9"),
	    "\\xe2\\x80\\xa8\\xe2\\x80\\xa9");
	printable(BYTES("\xe2\x80\xae"), "\\xe2\\x80\\xae");
	printable(BYTES("\xe2\x81\xa6"), "\\xe2\\x81\\xa6");
	printable(BYTES("\xd8\x9c"), "\\xd8\\x9c");
	printable(BYTES("\xe2\x80\x8b"), "\\xe2\\x80\\x8b");
	printable(BYTES("\xef\xbb\xbf"), "\\xef\\xbb\\xbf");
	printable(BYTES("\xf3\xa0\x81\x81"), "\\xf3\\xa0\\x81\\x81");
	/* Not UTF-8: each byte, and what follows is read anew. */
	printable(BYTES("\xc3("), "\\xc3(");
	printable(BYTES("\xff\xfe"), "\\xff\\xfe");
	printable(BYTES("\xe6\x97"), "\\xe6\\x97");
	printable(BYTES("\xc0\xaf"), "\\xc0\\xaf");
	printable(BYTES("\xed\xa0\x80"), "\\xed\\xa0\\x80");
	printable(BYTES("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
	printable(BYTES("\xe2\xe2\x80\xae"), "\\xe2\\xe2\\x80\\xae");
	printable(NULL, 5, "");
}

static void
test_printable_cut(void **state)
{
	struct text	text = { 0 };
	char		buf[16], tiny[4];
	size_t		i;

	(void)state;
	text_add_printable(&text, "abcdef", 6, 4);
	assert_string_equal(text.data, "abcd...");
	text_free(&text);
	text_add_printable(&text, "abcd", 4, 4);
	assert_string_equal(text.data, "abcd");
	text_free(&text);
	/* Never half a character. */
	text_add_printable(&text, "abc\xc3\xbc", 5, 4);
	assert_string_equal(text.data, "abc...");
	text_free(&text);

	text_printable(buf, sizeof(buf), BYTES("123456789012345"));
	assert_string_equal(buf, "123456789012345");
	text_printable(buf, sizeof(buf), BYTES("1234567890123456"));
	assert_string_equal(buf, "123456789012...");
	text_printable(buf, sizeof(buf), BYTES("12345678901\xc3\xbcxxx"));
	assert_string_equal(buf, "12345678901...");
	text_printable(buf, sizeof(buf), BYTES("\n\n\n\n\n"));
	assert_string_equal(buf, "\\x0a\\x0a\\x0a...");
	for (i = 1; i <= sizeof(tiny); i++) {
		memset(tiny, 'z', sizeof(tiny));
		text_printable(tiny, i, BYTES("abcdefgh"));
		assert_true(strlen(tiny) < i);
		assert_true(strspn(tiny, ".") == strlen(tiny));
	}
	buf[0] = 'q';
	assert_ptr_equal(text_printable(buf, 0, BYTES("abc")), buf);
	assert_int_equal(buf[0], 'q');
}

static void
test_utf8(void **state)
{
	static const struct { const char *data; size_t len; bool valid; }
	cases[] = {
		{ BYTES(""), true }, { BYTES("abc"), true },
		{ BYTES("\0"), true },
		{ BYTES("\xc2\x80"), true }, { BYTES("\xdf\xbf"), true },
		{ BYTES("\xe0\xa0\x80"), true }, { BYTES("\xed\x9f\xbf"), true },
		{ BYTES("\xee\x80\x80"), true },
		{ BYTES("\xf0\x90\x80\x80"), true },
		{ BYTES("\xf4\x8f\xbf\xbf"), true },
		{ BYTES("\x80"), false }, { BYTES("\xbf"), false },
		{ BYTES("\xc0\x80"), false }, { BYTES("\xc1\xbf"), false },
		{ BYTES("\xc2"), false }, { BYTES("\xc2\x7f"), false },
		{ BYTES("\xe0\x9f\xbf"), false },
		{ BYTES("\xed\xa0\x80"), false },
		{ BYTES("\xed\xbf\xbf"), false },
		{ BYTES("\xf0\x8f\xbf\xbf"), false },
		{ BYTES("\xf4\x90\x80\x80"), false },
		{ BYTES("\xf5\x80\x80\x80"), false },
		{ BYTES("\xf8\x88\x80\x80\x80"), false },
		{ BYTES("\xff"), false }, { BYTES("abc\xe2\x82"), false },
	};
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(text_utf8_valid(cases[i].data, cases[i].len),
		    cases[i].valid);
}

static void
test_control(void **state)
{
	(void)state;
	assert_false(text_has_control(BYTES("")));
	assert_false(text_has_control(BYTES("J\xc3\xbcrgen")));
	assert_false(text_has_control(BYTES("\xc2\xa0")));
	assert_true(text_has_control(BYTES("a\0b")));
	assert_true(text_has_control(BYTES("a\n")));
	assert_true(text_has_control(BYTES("\x1f")));
	assert_true(text_has_control(BYTES("\x7f")));
	assert_true(text_has_control(BYTES("x\xc2\x80")));
	assert_true(text_has_control(BYTES("\xc2\x9f")));
	assert_false(text_has_control(BYTES("\xc2")));
}

static void
test_lower(void **state)
{
	char	name[] = "ALICE@Example.COM \xc3\x9c[`{";

	(void)state;
	text_lower_ascii(name, sizeof(name) - 1);
	assert_string_equal(name, "alice@example.com \xc3\x9c[`{");
}

static void
time_is(const char *string, int64_t expected)
{
	int64_t	seconds = -1;

	if (!text_time_parse(string, &seconds))
		fail_msg("%s was refused", string);
	assert_int_equal(seconds, expected);
}

static void
test_time(void **state)
{
	static const char *const bad[] = {
		"", "@", "@-", "@1x", "@ 1", "@+1", "@9999999999999", "2026",
		"2026-13-01", "2026-00-01", "2026-02-29", "2100-02-29",
		"2026-04-31", "2026-01-00", "26-01-01", "2026-1-1",
		"2026-03-01 12:00:00Z", "2026-03-01T", "2026-03-01T12:00Z",
		"2026-03-01T12:00:00", "2026-03-01T24:00:00Z",
		"2026-03-01T12:60:00Z", "2026-03-01T12:00:61Z",
		"2026-03-01T12:00:00.Z", "2026-03-01T12:00:00Zx",
		"2026-03-01T12:00:00+1:00", "2026-03-01T12:00:00+0100",
		"2026-03-01T12:00:00+24:00", "2026-03-01T12:00:00+01:60",
		"2026-03-01Z", " 2026-03-01", "2026-03-01 ", "now",
		"0000-01-01T00:00:00+00:01",
	};
	int64_t	seconds = 77;
	size_t	i;

	(void)state;
	time_is("1970-01-01T00:00:00Z", 0);
	time_is("2026-03-01T12:00:00Z", 1772366400);
	time_is("2026-03-01t12:00:00z", 1772366400);
	time_is("2026-03-01T12:00:00.999999999999Z", 1772366400);
	time_is("2026-03-01T13:30:00+01:30", 1772366400);
	time_is("2026-03-01T02:00:00-10:00", 1772366400);
	time_is("2026-03-01", 1772323200);
	time_is("@1772366400", 1772366400);
	time_is("@0", 0);
	time_is("@-86400", -86400);
	time_is("1969-12-31", -86400);
	time_is("2000-02-29", 951782400);
	time_is("2016-12-31T23:59:60Z", 1483228800);
	time_is("0000-01-01", -62167219200);
	time_is("9999-12-31T23:59:59Z", 253402300799);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (text_time_parse(bad[i], &seconds))
			fail_msg("\"%s\" was taken", bad[i]);
		assert_int_equal(seconds, 77);
	}
	assert_false(text_time_parse(NULL, &seconds));
}

/* Against the C library, and back. */
static void
test_time_print(void **state)
{
	int64_t		seconds, again;
	char		buf[32], other[32];
	struct tm	tm;
	time_t		t;

	(void)state;
	for (seconds = -62167219200; seconds <= 253402300799;
	    seconds += 86400 * 97 + 12345) {
		t = (time_t)seconds;
		assert_non_null(gmtime_r(&t, &tm));
		strftime(other, sizeof(other), "-%m-%dT%H:%M:%SZ", &tm);
		text_time_print(buf, sizeof(buf), seconds);
		assert_int_equal(strlen(buf), 20);
		assert_int_equal(atoi(buf), tm.tm_year + 1900);
		assert_string_equal(buf + 4, other);
		assert_true(text_time_parse(buf, &again));
		assert_int_equal(again, seconds);
	}
	assert_string_equal(text_time_print(buf, sizeof(buf), INT64_MAX),
	    "@9223372036854775807");
	assert_string_equal(text_time_print(buf, sizeof(buf), INT64_MIN),
	    "@-9223372036854775808");
	assert_string_equal(text_time_print(buf, 5, 0), "1970");
}

static void
test_duration(void **state)
{
	static const struct { const char *string; int64_t seconds; } good[] = {
		{ "30s", 30 }, { "5m", 300 }, { "72h", 259200 },
		{ "90d", 7776000 }, { "0s", 0 }, { "007d", 604800 },
		{ "36525d", 3155760000 },
	};
	static const char *const bad[] = {
		"", "5", "d", "-5m", "+5m", " 5m", "5m ", "5 m", "1.5h", "5w",
		"5D", "5min", "36526d", "99999999999s", "9999999999d", "1h30m",
	};
	int64_t	seconds;
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(text_duration_parse(good[i].string, &seconds));
		assert_int_equal(seconds, good[i].seconds);
	}
	seconds = 77;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (text_duration_parse(bad[i], &seconds))
			fail_msg("\"%s\" was taken", bad[i]);
		assert_int_equal(seconds, 77);
	}
	assert_false(text_duration_parse(NULL, &seconds));
}

static void
test_hex(void **state)
{
	static const char *const bad[] = {
		"", "0", "abc", "0x01", "01:", ":01", "01::02", "01  02", " 01",
		"01 ", "0g", "01-02", "0 1", "0102030405",
	};
	unsigned char	buf[4];
	size_t		len, i;

	(void)state;
	assert_true(text_hex_parse("00ABcd", buf, sizeof(buf), &len));
	assert_int_equal(len, 3);
	assert_memory_equal(buf, "\x00\xab\xcd", 3);
	assert_true(text_hex_parse("01:02 03:fF", buf, sizeof(buf), &len));
	assert_int_equal(len, 4);
	assert_memory_equal(buf, "\x01\x02\x03\xff", 4);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (text_hex_parse(bad[i], buf, sizeof(buf), &len))
			fail_msg("\"%s\" was taken", bad[i]);
	assert_false(text_hex_parse(NULL, buf, sizeof(buf), &len));
}

static void
test_error(void **state)
{
	struct certauth_error	error;
	char			path[600];

	(void)state;
	error_set(NULL, "x", 1, "nobody listens");
	error_set(&error, "/etc/x.conf", 12, "found \"%s\"", "\\x0a");
	assert_string_equal(error.file, "/etc/x.conf");
	assert_int_equal(error.line, 12);
	assert_int_equal(error.column, 0);
	assert_string_equal(error.text, "found \"\\x0a\"");

	/* What somebody forgot to escape breaks no line and no terminal. */
	error_set(&error, "a\nb", 0, "x\n\x1b[0m\xff\xe2\x80\xae\xc3\xbc");
	assert_string_equal(error.file, "a?b");
	assert_string_equal(error.text, "x??[0m????\xc3\xbc");

	/* Of a long path the end, of a long text the beginning. */
	memset(path, 'p', sizeof(path));
	memcpy(path + sizeof(path) - 6, "/last", 6);
	error_set(&error, path, 0, "%s", path);
	assert_int_equal(strlen(error.file), sizeof(error.file) - 1);
	assert_memory_equal(error.file, "...p", 4);
	assert_string_equal(error.file + sizeof(error.file) - 6, "/last");
	assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
	assert_string_equal(error.text + sizeof(error.text) - 5, "p...");

	error_set(&error, NULL, 0, "x");
	assert_string_equal(error.file, "");
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_growing),
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_printable),
		cmocka_unit_test(test_printable_cut),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_control),
		cmocka_unit_test(test_lower),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_time_print),
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
