/* test_denied.c - who is on the list, and which lists are refused? */

#include <stdio.h>

#include <openssl/ec.h>

#include "base/text.h"
#include "map.h"

static struct denied *
make_denied(const char *text)
{
	struct certauth_error	 error = { 0 };
	struct denied		*denied;

	denied = denied_parse((const unsigned char *)text, strlen(text),
	    "denied", &error);
	if (denied == NULL)
		fail_msg("line %u: %s", error.line, error.text);
	return denied;
}

/* Does this one line deny? Frees `cert`. */
static bool
denies_at(const char *text, struct cert *cert, const char *user, int64_t now,
    const char *part)
{
	struct denied	*denied = make_denied(text);
	struct arena	*arena = arena_new(64 * 1024);
	const char	*detail = NULL;
	bool		 found;

	found = denied_match(denied, cert, user, now, arena, &detail);
	assert_non_null(detail);
	if (found && part != NULL && strstr(detail, part) == NULL)
		fail_msg("%s", detail);
	denied_free(denied);
	arena_free(arena);
	cert_free(cert);
	return found;
}

static bool
denies(const char *text, struct cert *cert, const char *user)
{
	return denies_at(text, cert, user, NOW, NULL);
}

static void
certificates_and_keys(void **state)
{
	struct cert	*cert = CERT(SUBJECT("CN", "a"));
	struct text	 hex = { 0 };
	char		 line[256];
	size_t		 i;

	(void)state;
	text_add_hex(&hex, cert->sha256, 32);
	snprintf(line, sizeof(line), "cert:%s\n", hex.data);
	assert_true(denies_at(line, cert_ref(cert), "", NOW, "line 1 denies cert:"));
	assert_false(denies(line, CERT(SUBJECT("CN", "b")), ""));
	snprintf(line, sizeof(line), "key:%s\n", hex.data);
	assert_false(denies(line, cert_ref(cert), ""));
	text_free(&hex);
	/* As `openssl x509 -fingerprint` writes it. */
	snprintf(line, sizeof(line), "key:");
	for (i = 0; i < 32; i++)
		snprintf(line + 4 + 3 * i, 4, "%02X%s", cert->spki_sha256[i],
		    i < 31 ? ":" : "");
	assert_true(denies(line, cert_ref(cert), ""));
	/* The same key in another certificate. */
	assert_true(denies(line, CERT(SUBJECT("CN", "b")), ""));
	line[4] = line[4] == '0' ? '1' : '0';
	assert_false(denies(line, cert, ""));
}

/* (r, n - s) verifies as (r, s) does: the same certificate with other bytes. */
static void
the_twin_of_an_ecdsa_signature(void **state)
{
	static const int	curves[] = { NID_X9_62_prime256v1,
				    NID_secp384r1, NID_secp521r1 };
	const ASN1_BIT_STRING	*bits;
	const unsigned char	*p;
	unsigned char		*der = NULL;
	EC_GROUP		*group;
	EVP_PKEY		*key;
	ECDSA_SIG		*sig;
	struct cert		*cert, *twin;
	struct text		 hex = { 0 };
	BIGNUM			*s;
	X509			*x;
	char			 line[256];
	size_t			 i;
	int			 len;

	(void)state;
	for (i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		cert = CERT(SUBJECT("CN", "a"));
		x = X509_dup(cert->x509);
		cert_free(cert);
		key = EVP_EC_gen(OBJ_nid2sn(curves[i]));
		assert_true(X509_sign(x, key, EVP_sha256()) > 0);
		cert = cert_new(x);
		X509_get0_signature(&bits, NULL, x);
		p = ASN1_STRING_get0_data(bits);
		sig = d2i_ECDSA_SIG(NULL, &p, ASN1_STRING_length(bits));
		group = EC_GROUP_new_by_curve_name(curves[i]);
		s = BN_new();
		BN_sub(s, EC_GROUP_get0_order(group), ECDSA_SIG_get0_s(sig));
		ECDSA_SIG_set0(sig, BN_dup(ECDSA_SIG_get0_r(sig)), s);
		len = i2d_ECDSA_SIG(sig, &der);
		ASN1_STRING_set0((ASN1_STRING *)(uintptr_t)bits, der, len);
		der = NULL;
		assert_int_equal(X509_verify(x, key), 1);
		twin = cert_new(x);
		assert_memory_not_equal(cert->sha256, twin->sha256, 32);
		text_add_hex(&hex, cert->sha256, 32);
		snprintf(line, sizeof(line), "cert:%s\n", hex.data);
		text_free(&hex);
		assert_true(denies(line, cert, ""));
		assert_true(denies_at(line, cert_ref(twin), "", NOW,
		    "line 1 denies cert:"));
		line[5] = line[5] == '0' ? '1' : '0';
		assert_false(denies(line, twin, ""));
		EC_GROUP_free(group);
		ECDSA_SIG_free(sig);
		EVP_PKEY_free(key);
		X509_free(x);
	}
}

static void
serial_numbers(void **state)
{
	(void)state;
	assert_true(denies("serial:03A1\n", CERT(SUBJECT("CN", "a")), ""));
	assert_true(denies("serial:3a1", CERT(SUBJECT("CN", "a")), ""));
	assert_true(denies("serial:00:03:A1", CERT(SUBJECT("CN", "a")), ""));
	assert_false(denies("serial:3a10", CERT(SUBJECT("CN", "a")), ""));
	assert_false(denies("serial:-3a1", CERT(SUBJECT("CN", "a")), ""));
	assert_true(denies("serial:1", CERT(SERIAL("\x01")), ""));
	assert_true(denies("serial:FF01", CERT(SERIAL("\xff\x01")), ""));
	assert_true(denies("serial:0", CERT(SERIAL("\x00")), ""));
	assert_false(denies("serial:0", CERT(SERIAL("\x10")), ""));
}

static void
users(void **state)
{
	(void)state;
	assert_true(denies("user:alice\n", CERT(EMAIL("a@x")), "alice"));
	assert_true(denies("user:alice\n", CERT(EMAIL("a@x")), "Alice"));
	assert_true(denies("user:ALICE\n", CERT(EMAIL("a@x")), "alicE"));
	assert_false(denies("user:alice\n", CERT(EMAIL("a@x")), ""));
	assert_false(denies("user:alice\n", CERT(EMAIL("a@x")), NULL));
	assert_false(denies("user:alice\n", CERT(EMAIL("alice@x")), "alice2"));
	assert_true(denies("user:\"Alice Smith\"\n", CERT(EMAIL("a@x")),
	    "Alice Smith"));
}

static void
mailboxes_in_every_place_and_case(void **state)
{
	static const char line[] = "mailbox:First.Last@Example.com\n";

	(void)state;
	assert_true(denies(line, CERT(EMAIL("first.last@example.COM")), ""));
	assert_true(denies(line, CERT(EMAIL("FIRST.LAST@example.com")), "other"));
	assert_true(denies(line, CERT(EMAIL("x@y"),
	    EMAIL("First.Last@example.com")), ""));
	assert_true(denies(line, CERT(UPN("First.Last@example.com")), ""));
	assert_true(denies(line, CERT(OTHER("1.3.6.1.5.5.7.8.9",
	    V_ASN1_UTF8STRING, "First.Last@example.com")), ""));
	assert_true(denies(line, CERT(SUBJECT_AS("emailAddress",
	    V_ASN1_IA5STRING, "First.Last@example.com")), ""));
	assert_true(denies(line, CERT(SUBJECT_AS("emailAddress",
	    V_ASN1_IA5STRING, "x@y"), SUBJECT_AS("emailAddress",
	    V_ASN1_PRINTABLESTRING, "first.last@example.com")), ""));
	assert_false(denies(line, CERT(EMAIL("first.last@example.co")), ""));
	assert_false(denies(line, CERT(EMAIL("irst.last@example.com")), ""));
	assert_false(denies(line, CERT(DNS("first.last@example.com")), ""));
	assert_false(denies(line, CERT(SUBJECT("CN", "a")), ""));
}

static void
until_and_reason(void **state)
{
	static const char line[] =
	    "user:a until=2026-06-01 reason=left # not a comment\r\n";

	(void)state;
	assert_true(denies_at(line, CERT(EMAIL("a@x")), "a", NOW,
	    "line 1 denies user:a: left # not a comment"));
	assert_true(denies_at(line, CERT(EMAIL("a@x")), "a", NOW + 86399, NULL));
	assert_false(denies_at(line, CERT(EMAIL("a@x")), "a", NOW + 86400, NULL));
	assert_true(denies_at("user:a until=@5\nuser:b\nuser:a reason=for good\n",
	    CERT(EMAIL("a@x")), "a", NOW, "line 3 denies user:a: for good"));
	assert_true(denies_at("user:a until=2026-06-01T00:00:00Z # c\n",
	    CERT(EMAIL("a@x")), "a", NOW, "line 1"));
	assert_false(denies_at("user:a until=2026-06-01T00:00:00Z # c\n",
	    CERT(EMAIL("a@x")), "a", NOW + 1, NULL));
	assert_true(denies_at("user:a reason=\n", CERT(EMAIL("a@x")), "a", NOW,
	    "line 1 denies user:a"));
}

static void
nobody_is_denied_by_an_empty_list(void **state)
{
	(void)state;
	assert_false(denies("", CERT(EMAIL("a@x")), "a"));
	assert_false(denies("# user:a\n\n", CERT(EMAIL("a@x")), "a"));
}

static void
missing_data_denies(void **state)
{
	struct denied	*denied = make_denied("user:a\n");
	struct cert	*cert = CERT(EMAIL("a@x"));
	struct arena	*tiny = arena_new(1);
	const char	*detail = NULL;

	(void)state;
	assert_true(denied_match(NULL, cert, "b", NOW, tiny, &detail));
	assert_non_null(detail);
	assert_true(denied_match(denied, NULL, "b", NOW, tiny, &detail));
	/* Out of memory: denied all the same. */
	assert_true(denied_match(denied, cert, "a", NOW, tiny, &detail));
	assert_string_equal(detail, "a line denies it");
	denied_free(denied_ref(denied));
	denied_free(denied);
	denied_free(NULL);
	cert_free(cert);
	arena_free(tiny);
}

static void
refused_bytes(const char *text, size_t len, unsigned line, const char *part,
    const char *part2)
{
	struct certauth_error	 error = { 0 };

	if (denied_parse((const unsigned char *)text, len, "denied",
	    &error) != NULL)
		fail_msg("taken, expected: %s", part);
	assert_string_equal(error.file, "denied");
	if (error.line != line || strstr(error.text, part) == NULL ||
	    (part2 != NULL && strstr(error.text, part2) == NULL))
		fail_msg("line %u: %s", error.line, error.text);
}
#define assert_no_list(text, line, part, part2) \
	refused_bytes(text, sizeof(text) - 1, line, part, part2)

/* A line that is not understood must not let somebody stay. */
static void
lists_that_are_refused(void **state)
{
	(void)state;
	assert_no_list("user:a\nusr:b\n", 2, "found \"usr:\"",
	    "did you mean user:?");
	assert_no_list("alice\n", 1, "found \"alice\"", "cert:, key:");
	assert_no_list("User:a\n", 1, "User:", "did you mean user:?");
	assert_no_list("user: a\n", 1, "right behind the colon", NULL);
	assert_no_list("user:\n", 1, "right behind the colon", NULL);
	assert_no_list("user:#x\n", 1, "right behind the colon", NULL);
	assert_no_list("user:\"\"\n", 1, "right behind the colon", NULL);
	assert_no_list("user:a b\n", 1, "found \"b\"", "until=TIME");
	assert_no_list("user:a til=2026-01-01\n", 1, "til=", NULL);
	assert_no_list("user:a until=soon\n", 1, "until=soon", "2026-03-31");
	assert_no_list("user:a until=2026-01-01 until=2026-01-02\n", 1, "once",
	    NULL);
	assert_no_list("cert:abcd\n", 1, "64 hexadecimal", NULL);
	assert_no_list("key:zz\n", 1, "64 hexadecimal", NULL);
	assert_no_list("serial:0x12\n", 1, "serial number", NULL);
	assert_no_list("serial:-\n", 1, "serial number", NULL);
	assert_no_list("serial::1\n", 1, "serial number", NULL);
	assert_no_list("serial:1:\n", 1, "serial number", NULL);
	assert_no_list("serial:010203040506070809101112131415161718192021\n", 1,
	    "20 bytes", NULL);
	assert_no_list("mailbox:alice\n", 1, "local@domain", NULL);
	assert_no_list("mailbox:alice@\n", 1, "local@domain", NULL);
	assert_no_list("mailbox:@x\n", 1, "local@domain", NULL);
	assert_no_list("user:a\0b\n", 1, "NUL", NULL);
	assert_no_list("user:a\x01\n", 1, "control", NULL);
	assert_no_list("user:\xff\n", 1, "UTF-8", NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates_and_keys),
		cmocka_unit_test(the_twin_of_an_ecdsa_signature),
		cmocka_unit_test(serial_numbers),
		cmocka_unit_test(users),
		cmocka_unit_test(mailboxes_in_every_place_and_case),
		cmocka_unit_test(until_and_reason),
		cmocka_unit_test(nobody_is_denied_by_an_empty_list),
		cmocka_unit_test(missing_data_denies),
		cmocka_unit_test(lists_that_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
