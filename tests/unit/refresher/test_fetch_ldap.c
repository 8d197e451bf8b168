/*
 * test_fetch_ldap.c - the one list in an entry, whatever else the server says.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fetch_ldap.h"

static const char	*why;
static size_t		 len;

static unsigned char *
value(const char *text)
{
	/* Just so many bytes: the sanitizers see one that is read behind. */
	size_t		 text_len = strlen(text);
	unsigned char	*copy = malloc(text_len + (text_len == 0)), *der;

	assert_non_null(copy);
	memcpy(copy, text, text_len);
	der = ldap_value(copy, text_len, &len, &why);
	free(copy);
	return der;
}

static void
is(const char *text, const char *wanted)
{
	unsigned char	*der = value(text);

	assert_non_null(der);
	assert_int_equal(len, strlen(wanted));
	assert_memory_equal(der, wanted, len);
	free(der);
}

static void
refuses(const char *text, const char *wanted)
{
	assert_null(value(text));
	assert_int_equal(len, 0);
	assert_non_null(strstr(why, wanted));
}

static void
test_found(void **state)
{
	(void)state;
	is("DN: cn=x\n\tcertificateRevocationList;binary:: YWJj\n\n\n", "abc");
	is("\tCERTIFICATEREVOCATIONLIST:: YWI=", "ab");
	is("\tauthorityRevocationList;binary:: YQ==\n", "a");
	is("DN: cn=x\n\tcn: x\n\tdeltaRevocationList;binary:: YWJj\n"
	    "\tcACertificate;binary:: ZGVm\n\n", "abc");
}

static void
test_refused(void **state)
{
	(void)state;
	refuses("", "no CRL");
	refuses("\t", "no CRL");
	refuses("\n\n\n", "no CRL");
	refuses("DN: certificateRevocationList;binary:: YWJj\n", "no CRL");
	refuses("\tcertificateRevocationList;binary: YWJj\n", "no CRL");
	refuses("\tcertificateRevocationList;bin", "no CRL");
	refuses("\tcertificateRevocationList;binary::", "no CRL");
	refuses("\tcertificateRevocationListX:: YWJj\n", "no CRL");
	refuses("\tcertificateRevocationList;binary:: \n", "no base64");
	refuses("\tcertificateRevocationList;binary:: YWJ\n", "no base64");
	refuses("\tcertificateRevocationList;binary:: YW!j\n", "no base64");
	refuses("\tcertificateRevocationList;binary:: ====\n", "no base64");
	refuses("\tcertificateRevocationList;binary:: YWJj\n"
	    "\tcertificateRevocationList;binary:: YWJj\n", "several");
	refuses("\tauthorityRevocationList;binary:: YWJj\n\n"
	    "DN: cn=y\n\tcertificateRevocationList:: YWJj\n", "several");
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_found), cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
