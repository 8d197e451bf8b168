/* test_strict.c - what is DER and what is only BER. */

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "trust/strict.h"

static const struct {
	const char	*bytes;
	size_t		 len;
	bool		 der;
} rows[] = {
#define ROW(der, bytes)	{ bytes, sizeof(bytes) - 1, der }
	ROW(true, "\x30\x00"),
	ROW(true, "\x30\x03\x01\x01\xff"),
	ROW(true, "\x30\x03\x02\x01\x80"),
	ROW(true, "\x02\x02\x00\x80"),
	ROW(true, "\x02\x02\xff\x7f"),
	ROW(true, "\x03\x02\x07\x80"),
	ROW(true, "\x03\x01\x00"),
	ROW(true, "\x06\x03\x55\x1d\x20"),
	ROW(true, "\x06\x03\x88\x80\x01"),
	ROW(true, "\x05\x00"),
	ROW(true, "\xa0\x02\x80\x00"),
	ROW(true, "\x9f\x1f\x01x"),
	ROW(true, "\x30\x00trailing is not looked at"),
	ROW(false, ""),
	ROW(false, "\x30"),
	ROW(false, "\x30\x01"),			/* cut */
	ROW(false, "\x30\x80\x00\x00"),		/* indefinite */
	ROW(false, "\x30\x81\x00"),		/* long form of a short length */
	ROW(false, "\x04\x82\x00\x80"),
	ROW(false, "\x30\x03\x01\x01\x01"),	/* TRUE is 255 */
	ROW(false, "\x01\x02\xff\xff"),
	ROW(false, "\x02\x00"),
	ROW(false, "\x02\x02\x00\x01"),		/* padded */
	ROW(false, "\x02\x02\xff\x80"),
	ROW(false, "\x03\x00"),
	ROW(false, "\x03\x01\x01"),
	ROW(false, "\x03\x02\x08\x00"),
	ROW(false, "\x03\x02\x07\x81"),		/* a bit behind the last */
	ROW(false, "\x05\x01\x00"),
	ROW(false, "\x06\x00"),
	ROW(false, "\x06\x02\x80\x01"),
	ROW(false, "\x06\x01\x80"),
	ROW(false, "\x24\x04\x04\x02xx"),	/* a string in pieces */
	ROW(false, "\x10\x00"),			/* primitive SEQUENCE */
	ROW(false, "\x00\x00"),
	ROW(false, "\x1f\x1e\x00"),		/* a low tag in the high form */
	ROW(false, "\x30\x04\x30\x03\x05\x00"),	/* longer than its parent */
};

static void
test_rows(void **state)
{
	size_t	i, used;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strict_der((const unsigned char *)rows[i].bytes, rows[i].len,
		    &used) != rows[i].der)
			fail_msg("row %zu", i);
}

static void
test_used(void **state)
{
	size_t	used;

	(void)state;
	assert_true(strict_der((const unsigned char *)"\x30\x02\x05\x00zz", 6,
	    &used));
	assert_int_equal(used, 4);
}

static void
test_depth(void **state)
{
	unsigned char	der[2 * STRICT_MAX_DEPTH];
	size_t		i, n, used;

	(void)state;
	for (n = STRICT_MAX_DEPTH - 2; n <= STRICT_MAX_DEPTH; n++) {
		for (i = 0; i < n; i++) {
			der[2 * i] = 0x30;
			der[2 * i + 1] = (unsigned char)(2 * (n - i - 1));
		}
		assert_int_equal(strict_der(der, 2 * n, &used),
		    n < STRICT_MAX_DEPTH);
	}
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_used),
		cmocka_unit_test(test_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
