/*
 * test_crl.c - does the walker take right lists, all of them, and nothing else?
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/err.h>

#include "revocation/crl.h"
#include "revocation/make.h"

static struct ca	ca;
static struct crl	crl;
static struct certauth_error error;

static int
setup(void **state)
{
	const struct make_cert	m = { .name = "Test CA" };

	(void)state;
	make_cert(&ca, &m);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	ca_free(&ca);
	return 0;
}

/* Parses and frees what was made. */
static bool
parses(struct buf der)
{
	unsigned char	*exact = malloc(der.len + 1);
	bool		 ok;

	/* no byte of room behind the end: a sanitizer sees an overrun */
	must(exact != NULL);
	if (der.len > 0) {
		exact = realloc(exact, der.len);
		must(exact != NULL);
		memcpy(exact, der.data, der.len);
	}
	memset(&error, 0, sizeof(error));
	ok = crl_parse(&crl, exact, der.len, &error);
	assert_true(ok || error.text[0] != '\0');
	assert_int_equal(ERR_peek_error(), 0);
	free(exact);
	buf_free(&der);
	return ok;
}

static bool
says(const char *text)
{
	if (strstr(error.text, text) != NULL)
		return true;
	print_message("said: %s\n", error.text);
	return false;
}

/* ------------------------------------------------------------------- fields */

static void
test_fields(void **state)
{
	struct buf		entries = { 0 };
	struct make_crl		m = { .ca = &ca, .number = "0102", .entries = &entries };
	struct buf		der;
	struct crl_entry	entry;
	size_t			offset = 0;

	(void)state;
	buf_entry(&entries, "\x03\xa1", 2, "251231235959Z", 1);
	buf_entry(&entries, "\x00\xff", 2, "251231235959Z", -1);
	buf_entry(&entries, "\x00", 1, "500101000000Z", 6);
	buf_entry(&entries, "\xff", 1, "491231000000Z", 10);
	der = make_crl(&m);
	assert_true(crl_parse(&crl, der.data, der.len, &error));
	assert_true(crl.v2);
	assert_int_equal(crl.this_update, T_THIS);
	assert_int_equal(crl.next_update, T_NEXT);
	assert_int_equal(crl.number_len, 2);
	assert_memory_equal(crl.number, "\x01\x02", 2);
	assert_memory_equal(crl.issuer_sha256, ca.cert->subject_sha256, 32);
	assert_int_equal(crl.aki_len, ca.cert->ski_len);
	assert_memory_equal(crl.aki, ca.cert->ski, crl.aki_len);
	assert_int_equal(crl.num_entries, 4);
	assert_int_equal(crl.lengths[0][1], 2);
	assert_int_equal(crl.lengths[0][2], 1);
	assert_int_equal(crl.lengths[1][1], 1);

	assert_true(crl_entry_next(&crl, &offset, &entry));
	assert_int_equal(entry.serial_len, 2);
	assert_memory_equal(entry.serial, "\x03\xa1", 2);
	assert_false(entry.negative);
	assert_int_equal(entry.date, T_THIS - 1);
	assert_int_equal(entry.reason, 1);
	assert_true(crl_entry_next(&crl, &offset, &entry));
	assert_int_equal(entry.serial_len, 1);
	assert_int_equal(entry.serial[0], 0xff);
	assert_int_equal(entry.reason, CRL_NO_REASON);
	assert_true(crl_entry_next(&crl, &offset, &entry));
	assert_int_equal(entry.serial_len, 1);
	assert_int_equal(entry.serial[0], 0);
	assert_int_equal(entry.date, -631152000);	/* 1950 */
	assert_int_equal(entry.reason, CRL_HOLD);
	assert_true(crl_entry_next(&crl, &offset, &entry));
	assert_true(entry.negative);
	assert_int_equal(entry.serial[0], 1);		/* -1 */
	assert_false(crl_entry_next(&crl, &offset, &entry));
	buf_free(&der);
	buf_free(&entries);
}

/* OpenSSL's own writer, and its view of the same dates and numbers. */
static void
test_written_by_openssl(void **state)
{
	X509_CRL	*x = X509_CRL_new();
	X509_REVOKED	*r = X509_REVOKED_new();
	ASN1_TIME	*t = ASN1_TIME_new();
	ASN1_INTEGER	*n = ASN1_INTEGER_new();
	ASN1_ENUMERATED	*reason = ASN1_ENUMERATED_new();
	struct buf	 der = { 0 };
	unsigned char	*out = NULL;
	int		 len;

	(void)state;
	must(X509_CRL_set_version(x, X509_CRL_VERSION_2) == 1);
	must(X509_CRL_set_issuer_name(x, X509_get_subject_name(ca.x509)) == 1);
	must(ASN1_TIME_set(t, T_THIS) != NULL);
	must(X509_CRL_set1_lastUpdate(x, t) == 1);
	must(X509_REVOKED_set_revocationDate(r, t) == 1);
	must(ASN1_TIME_set(t, 2524608000 + DAY) != NULL);	/* 2050 */
	must(X509_CRL_set1_nextUpdate(x, t) == 1);
	must(ASN1_INTEGER_set_uint64(n, 0xfedcba9876543210u) == 1);
	must(X509_REVOKED_set_serialNumber(r, n) == 1);
	must(ASN1_ENUMERATED_set(reason, 4) == 1);
	must(X509_REVOKED_add1_ext_i2d(r, NID_crl_reason, reason, 0, 0) == 1);
	must(X509_CRL_add0_revoked(x, r) == 1);
	must(X509_CRL_add1_ext_i2d(x, NID_crl_number, n, 0, 0) == 1);
	must(X509_CRL_sign(x, ca.key, EVP_sha384()) > 0);
	len = i2d_X509_CRL(x, &out);
	must(len > 0);
	buf_add(&der, out, (size_t)len);
	assert_true(crl_parse(&crl, der.data, der.len, &error));
	assert_int_equal(crl.next_update, 2524608000 + DAY);
	assert_int_equal(crl.number_len, 8);
	assert_int_equal(crl.num_entries, 1);
	assert_true(crl_signed_by(&crl, ca.key, &error));
	buf_free(&der);
	OPENSSL_free(out);
	X509_CRL_free(x);
	ASN1_TIME_free(t);
	ASN1_INTEGER_free(n);
	ASN1_ENUMERATED_free(reason);
}

static void
test_versions(void **state)
{
	struct buf	entries = { 0 };
	struct make_crl	v1 = { .ca = &ca, .v1 = true, .no_extensions = true,
			    .entries = &entries };

	(void)state;
	buf_entry(&entries, "\x05", 1, THIS, -1);
	assert_true(parses(make_crl(&v1)));
	assert_false(crl.v2);
	assert_int_equal(crl.number_len, 0);
	v1.no_extensions = false;
	assert_false(parses(make_crl(&v1)));
	assert_true(says("version 1 list has extensions"));
	v1.no_extensions = true;
	buf_entry(&entries, "\x06", 1, THIS, 1);
	assert_false(parses(make_crl(&v1)));
	assert_true(says("version 1 list has entry extensions"));
	v1.v1 = false;
	assert_true(parses(make_crl(&v1)));
	v1.version = 2;
	assert_false(parses(make_crl(&v1)));
	assert_true(says("version"));
	buf_free(&entries);
}

static void
test_times(void **state)
{
	static const char *const bad[] = {
		"260101000000",			/* no Z */
		"2601010000Z", "260101000000+0000", "260101000000.5Z",
		"260230000000Z", "260101240000Z", "260101006000Z",
		"260101000060Z", "261301000000Z", "260001000000Z",
		"260100000000Z", "2x0101000000Z", "20260101000000.0Z",
		"2026010100000Z", "20260101000000z", "20250229000000Z",
		"21000229000000Z", "",
	};
	struct make_crl	m = { .ca = &ca };
	size_t		i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		m.this_update = bad[i];
		if (parses(make_crl(&m)))
			fail_msg("taken: %s", bad[i]);
		if (bad[i][0] == '\0')
			continue;
		m.this_update = NULL;
		m.next_update = bad[i];
		if (parses(make_crl(&m)))
			fail_msg("taken: %s", bad[i]);
		m.next_update = NULL;
	}
	m.this_update = "20240229235959Z";
	assert_true(parses(make_crl(&m)));
	assert_int_equal(crl.this_update, 1709251199);
	m.next_update = "99991231235959Z";
	assert_true(parses(make_crl(&m)));
	assert_int_equal(crl.next_update, 253402300799);
	m.next_update = "991231235959Z";	/* 1999 */
	assert_false(parses(make_crl(&m)));
	assert_true(says("before thisUpdate"));
	m.next_update = "";
	assert_true(parses(make_crl(&m)));
	assert_true(crl.next_update == CRL_NO_TIME);
}

/* ------------------------------------------------------------------- strict */

/* Every cut of a good list, and every byte behind it. */
static void
test_cut_and_trailing(void **state)
{
	struct buf	entries = { 0 }, der, other = { 0 };
	struct make_crl	m = { .ca = &ca, .entries = &entries };
	size_t		n;

	(void)state;
	buf_entry(&entries, "\x05", 1, THIS, 1);
	der = make_crl(&m);
	for (n = 0; n < der.len; n++) {
		other = (struct buf){ 0 };
		buf_add(&other, der.data, n);
		assert_false(parses(other));
	}
	other = (struct buf){ 0 };
	buf_add(&other, der.data, der.len);
	buf_add(&other, "\0", 1);
	assert_false(parses(other));
	assert_true(says("behind the end"));
	other = (struct buf){ 0 };
	buf_add(&other, der.data, der.len);
	assert_true(parses(other));
	buf_free(&der);
	buf_free(&entries);
}

/*
 * Each single byte changed to each other value: whatever is still taken says the
 * same in the parts we rely on, or its signature no longer holds.
 */
static void
test_every_byte(void **state)
{
	struct buf	entries = { 0 }, der;
	struct make_crl	m = { .ca = &ca, .entries = &entries };
	unsigned char	was;
	size_t		n, taken = 0;
	unsigned	v;

	(void)state;
	buf_entry(&entries, "\x05", 1, THIS, 1);
	der = make_crl(&m);
	for (n = 0; n < der.len; n++) {
		was = der.data[n];
		for (v = 0; v < 256; v += 5) {
			if (v == was)
				continue;
			der.data[n] = (unsigned char)v;
			if (!crl_parse(&crl, der.data, der.len, &error))
				continue;
			taken++;
			assert_false(crl_signed_by(&crl, ca.key, &error));
		}
		der.data[n] = was;
	}
	assert_true(crl_parse(&crl, der.data, der.len, &error));
	assert_true(crl_signed_by(&crl, ca.key, &error));
	assert_true(taken > 0);
	assert_int_equal(ERR_peek_error(), 0);
	buf_free(&der);
	buf_free(&entries);
}

/* A TBSCertList of given parts. */
static bool
entry_taken(const void *data, size_t len)
{
	struct buf	entries = { 0 };
	struct make_crl	m = { .ca = &ca, .entries = &entries };
	bool		ok;

	buf_add(&entries, data, len);
	ok = parses(make_crl(&m));
	buf_free(&entries);
	return ok;
}

#define TIME_DER	"\x17\x0d" THIS
#define ENTRY(s)	entry_taken("" s, sizeof(s) - 1)

static void
test_entry_der(void **state)
{
	(void)state;
	assert_true(ENTRY("\x30\x12\x02\x01\x05" TIME_DER));
	/* length in the long form where the short one does */
	assert_false(ENTRY("\x30\x81\x12\x02\x01\x05" TIME_DER));
	assert_false(ENTRY("\x30\x13\x02\x81\x01\x05" TIME_DER));
	/* indefinite length */
	assert_false(ENTRY("\x30\x80\x02\x01\x05" TIME_DER "\0\0"));
	/* not minimal, empty */
	assert_false(ENTRY("\x30\x13\x02\x02\x00\x05" TIME_DER));
	assert_true(says("serial number"));
	assert_false(ENTRY("\x30\x13\x02\x02\xff\x85" TIME_DER));
	assert_false(ENTRY("\x30\x11\x02\x00" TIME_DER));
	/* no date, date first, an element more, trailing bytes */
	assert_false(ENTRY("\x30\x03\x02\x01\x05"));
	assert_false(ENTRY("\x30\x12" TIME_DER "\x02\x01\x05"));
	assert_false(ENTRY("\x30\x14\x02\x01\x05" TIME_DER "\x05\x00"));
	assert_false(ENTRY("\x30\x12\x02\x01\x05" TIME_DER "\x00"));
	/* SET, NULL, high tag number */
	assert_false(ENTRY("\x31\x12\x02\x01\x05" TIME_DER));
	assert_false(ENTRY("\x05\x00"));
	assert_false(ENTRY("\x3f\x12\x02\x01\x05" TIME_DER));
	/* empty extensions; critical FALSE written out; reason not ENUMERATED */
	assert_false(ENTRY("\x30\x14\x02\x01\x05" TIME_DER "\x30\x00"));
	assert_true(ENTRY("\x30\x20\x02\x01\x05" TIME_DER
	    "\x30\x0c\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01\x01"));
	assert_false(ENTRY("\x30\x23\x02\x01\x05" TIME_DER
	    "\x30\x0f\x30\x0d\x06\x03\x55\x1d\x15\x01\x01\x00\x04\x03\x0a\x01\x01"));
	assert_false(ENTRY("\x30\x23\x02\x01\x05" TIME_DER
	    "\x30\x0f\x30\x0d\x06\x03\x55\x1d\x15\x01\x01\x01\x04\x03\x0a\x01\x01"));
	assert_true(ENTRY("\x30\x23\x02\x01\x05" TIME_DER
	    "\x30\x0f\x30\x0d\x06\x03\x55\x1d\x15\x01\x01\xff\x04\x03\x0a\x01\x01"));
	assert_false(ENTRY("\x30\x20\x02\x01\x05" TIME_DER
	    "\x30\x0c\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x02\x01\x01"));
	/* the same extension twice */
	assert_false(ENTRY("\x30\x2c\x02\x01\x05" TIME_DER
	    "\x30\x18\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01\x01"
	    "\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01\x01"));
}

static void
test_serials(void **state)
{
	unsigned char	serial[22];
	struct buf	entries = { 0 };
	struct make_crl	m = { .ca = &ca, .entries = &entries };

	(void)state;
	memset(serial, 0x7f, sizeof(serial));
	buf_entry(&entries, serial, 20, THIS, -1);
	assert_true(parses(make_crl(&m)));
	assert_int_equal(crl.lengths[0][20], 1);
	/* twenty octets and a sign octet */
	memset(serial, 0xff, sizeof(serial));
	serial[0] = 0;
	buf_entry(&entries, serial, 21, THIS, -1);
	assert_true(parses(make_crl(&m)));
	assert_int_equal(crl.lengths[0][20], 2);
	/* -2^160 is 21 octets: magnitude of 21 */
	memset(serial, 0, sizeof(serial));
	serial[0] = 0xff;
	buf_free(&entries);
	buf_entry(&entries, serial, 21, THIS, -1);
	assert_false(parses(make_crl(&m)));
	memset(serial, 0x7f, sizeof(serial));
	buf_free(&entries);
	buf_entry(&entries, serial, 21, THIS, -1);
	assert_false(parses(make_crl(&m)));
	assert_true(says("20 octets"));
	buf_free(&entries);
	/* an empty list that is there is taken, and so is none */
	buf_add(&entries, "", 0);
	assert_true(parses(make_crl(&m)));
	assert_int_equal(crl.num_entries, 0);
	m.entries = NULL;
	assert_true(parses(make_crl(&m)));
	buf_free(&entries);
}

/* --------------------------------------------------------------- extensions */

static bool
entry_with(unsigned arc, bool critical, const char *value, size_t len)
{
	struct buf	entries = { 0 }, ext = { 0 };
	struct make_crl	m = { .ca = &ca, .entries = &entries };
	bool		ok;

	buf_add(&entries, "\x02\x01\x05" TIME_DER, 18);
	buf_extension(&ext, arc, critical, value, len);
	buf_tlv(&entries, 0x30, ext.data, ext.len);
	buf_wrap(&entries, 0x30);
	ok = parses(make_crl(&m));
	buf_free(&entries);
	buf_free(&ext);
	return ok;
}

static bool
crl_with(unsigned arc, bool critical, const char *value, size_t len)
{
	struct buf	ext = { 0 };
	struct make_crl	m = { .ca = &ca, .extra = &ext };
	bool		ok;

	buf_extension(&ext, arc, critical, value, len);
	ok = parses(make_crl(&m));
	buf_free(&ext);
	return ok;
}

static void
test_entry_extensions(void **state)
{
	unsigned	reason;

	(void)state;
	for (reason = 0; reason < 16; reason++) {
		char	value[3] = { 0x0a, 1, (char)reason };
		bool	legal = reason <= 10 && reason != 7 && reason != 8;

		assert_int_equal(entry_with(21, false, value, 3), legal);
	}
	assert_false(entry_with(21, false, "\x0a\x01\x08", 3));
	assert_true(says("removeFromCRL"));
	assert_false(entry_with(21, false, "\x0a\x02\x00\x01", 4));
	assert_false(entry_with(21, false, "\x0a\x01\x01\x00", 4));
	assert_true(entry_with(24, false, "anything", 8));	/* invalidityDate */
	assert_false(entry_with(24, true, "anything", 8));
	assert_true(says("critical extension"));
}

/* C4 row 47, first part: an entry of another issuer is never taken for one of
 * the list's own. */
static void
test_c4_47_indirect(void **state)
{
	static const unsigned char	indirect[] = { 4, 0 };
	static const char		name[] = "\x30\x10\xa4\x0e\x30\x0c\x31\x0a"
	    "\x30\x08\x06\x03\x55\x04\x03\x0c\x01X";
	struct buf			idp = make_idp(NULL, indirect);
	struct make_crl			m = { .ca = &ca, .idp = &idp };
	struct crl_entry		entry = { 0 };
	struct buf			entries = { 0 }, der;
	size_t				offset = 0;

	(void)state;
	assert_true(parses(make_crl(&m)));
	assert_true(crl.indirect);
	assert_false(entry_with(29, true, name, sizeof(name) - 1));
	assert_true(says("not indirect"));
	assert_false(entry_with(29, false, name, sizeof(name) - 1));
	assert_true(says("not indirect"));
	m.entries = &entries;
	buf_entry(&entries, "\x01", 1, "260101000000Z", -1);
	buf_entry_of(&entries, "\x02", 1, "260101000000Z", -1, name,
	    sizeof(name) - 1);
	buf_entry(&entries, "\x03", 1, "260101000000Z", -1);
	der = make_crl(&m);
	assert_true(crl_parse(&crl, der.data, der.len, &error));
	assert_true(crl_entry_next(&crl, &offset, &entry));
	assert_null(entry.issuer);
	/* carried forward */
	while (crl_entry_next(&crl, &offset, &entry)) {
		assert_int_equal(entry.issuer_len, 14);
		assert_memory_equal(entry.issuer, name + 4, 14);
	}
	assert_int_equal(entry.serial[0], 3);
	buf_free(&der);
	/* no directoryName, two, junk behind, a name cut short */
	static const struct { const char *value; size_t len; } bad[] = {
		{ "\x30\x00", 2 }, { "\x30\x03\x82\x01x", 5 },
		{ "\x30\x20\xa4\x0e\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03"
		    "\x0c\x01X\xa4\x0e\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03"
		    "\x0c\x01Y", 34 },
		{ "\x30\x02\xa4\x00\x00", 5 }, { "\x30\x02\xa4\x10", 4 }
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		entries.len = 0;
		buf_entry_of(&entries, "\x02", 1, "260101000000Z", -1,
		    bad[i].value, bad[i].len);
		assert_false(parses(make_crl(&m)));
		assert_true(says("certificateIssuer"));
	}
	buf_free(&entries);
	buf_free(&idp);
}

static void
test_crl_extensions(void **state)
{
	struct make_crl	m = { .ca = &ca, .two_aki = true };
	struct buf	many = { 0 };
	unsigned	i;

	(void)state;
	/* C4 row 41: freshestCRL; one point without names is enough for its form */
	assert_true(crl_with(46, false, "\x30\x02\x30\x00", 4));
	assert_int_equal(crl.freshest_len, 4);
	assert_false(crl_with(46, false, "anything", 8));
	assert_false(crl_with(46, false, "\x30\x00", 2));
	assert_false(crl_with(46, false, "\x30\x02\x30\x00\x00", 5));
	assert_false(crl_with(46, false, "\x30\x02\x04\x00", 4));
	assert_true(says("freshestCRL does not decode"));
	assert_false(crl_with(46, true, "\x30\x02\x30\x00", 4));
	assert_true(says("freshestCRL is critical"));
	/* the number, critical (RFC 5280 5.2.3); the list has no other one */
	m = (struct make_crl){ .ca = &ca, .number = "", .extra = &many };
	buf_extension(&many, 20, true, "\x02\x01\x05", 3);
	assert_false(parses(make_crl(&m)));
	assert_true(says("cRLNumber is critical"));
	buf_free(&many);
	buf_extension(&many, 20, false, "\x02\x01\x05", 3);
	assert_true(parses(make_crl(&m)));
	buf_free(&many);
	m = (struct make_crl){ .ca = &ca, .two_aki = true };
	assert_false(crl_with(27, false, "", 0));
	assert_true(says("BaseCRLNumber"));
	assert_false(crl_with(20, false, "\x02\x01\x02", 3));
	assert_true(says("twice"));
	assert_false(parses(make_crl(&m)));
	assert_true(says("twice"));
	m.two_aki = false;
	m.no_aki = true;
	m.extra = &many;
	assert_true(parses(make_crl(&m)));
	assert_null(crl.aki);
	for (i = 0; i < CRL_MAX_EXTENSIONS - 1; i++)
		buf_extension(&many, 64 + i, false, "", 0);
	assert_true(parses(make_crl(&m)));
	buf_extension(&many, 63, false, "", 0);
	assert_false(parses(make_crl(&m)));
	buf_free(&many);
}

/* C4 row 41: a delta CRL without number, with a base that cannot be, ... */
static void
test_c4_41_delta(void **state)
{
	static const struct {
		const char *number, *value; size_t len; const char *says;
	} bad[] = {
		{ "", "\x02\x01\x01", 3, "without cRLNumber" },
		{ "05", "\x02\x01\x06", 3, "newer than itself" },
		{ "05", "\x02\x02\x01\x00", 4, "newer than itself" },
		{ "05", "\x02\x01\xff", 3, "BaseCRLNumber" },
		{ "05", "\x02\x02\x00\x01", 4, "BaseCRLNumber" },
		{ "05", "\x02\x01\x01\x00", 4, "BaseCRLNumber" },
		{ "05", "\x04\x01\x01", 3, "BaseCRLNumber" },
	};
	struct buf	ext = { 0 }, entries = { 0 };
	struct make_crl	m = { .ca = &ca, .extra = &ext, .entries = &entries };
	size_t		i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ext.len = 0;
		buf_extension(&ext, 27, true, bad[i].value, bad[i].len);
		m.number = bad[i].number;
		assert_false(parses(make_crl(&m)));
		assert_true(says(bad[i].says));
	}
	ext.len = 0;
	buf_extension(&ext, 27, true, "\x02\x01\x05", 3);
	m.number = "05";
	assert_true(parses(make_crl(&m)));
	assert_true(crl.delta);
	assert_int_equal(crl.base_len, 1);
	assert_int_equal(crl.base[0], 5);
	/* removeFromCRL is for delta CRLs only */
	buf_entry(&entries, "\x01", 1, "260101000000Z", CRL_REMOVE);
	assert_true(parses(make_crl(&m)));
	ext.len = 0;
	assert_false(parses(make_crl(&m)));
	assert_true(says("removeFromCRL"));
	buf_free(&ext);
	buf_free(&entries);
}

/* onlySomeReasons as a mask; none is no list. */
static void
test_reasons(void **state)
{
	static const struct { const char *value; size_t len; unsigned mask; }
	ok[] = {
		{ "\x30\x04\x83\x02\x06\x40", 6, 1u << 1 },
		{ "\x30\x04\x83\x02\x05\x60", 6, 1u << 1 | 1u << 2 },
		{ "\x30\x05\x83\x03\x07\x7f\x80", 7, CRL_ALL_REASONS },
		{ "\x30\x05\x83\x03\x07\x00\x80", 7, 1u << 8 },
	}, bad[] = {
		{ "\x30\x03\x83\x01\x00", 5, 0 },	/* no bits */
		{ "\x30\x04\x83\x02\x07\x80", 6, 0 },	/* only the unused one */
		{ "\x30\x05\x83\x03\x06\x00\x40", 7, 0 },	/* only unknown ones */
		{ "\x30\x02\x83\x00", 4, 0 },
		{ "\x30\x04\x83\x02\x08\x40", 6, 0 },	/* eight unused bits */
	};
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(ok) / sizeof(ok[0]); i++) {
		assert_true(crl_with(28, true, ok[i].value, ok[i].len));
		assert_int_equal(crl.reasons, ok[i].mask);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(crl_with(28, true, bad[i].value, bad[i].len));
}

static void
test_number(void **state)
{
	struct make_crl	m = { .ca = &ca };

	(void)state;
	m.number = "00";
	assert_true(parses(make_crl(&m)));
	assert_int_equal(crl.number_len, 1);
	m.number = "7F00000000000000000000000000000000000000";	/* 20 octets */
	assert_true(parses(make_crl(&m)));
	m.number = "7F0000000000000000000000000000000000000000";
	assert_false(parses(make_crl(&m)));
	m.number = "FF";					/* -1 */
	assert_false(parses(make_crl(&m)));
	assert_true(says("cRLNumber"));
	m.number = "0001";
	assert_false(parses(make_crl(&m)));
	m.number = "";
	assert_true(parses(make_crl(&m)));
	assert_int_equal(crl.number_len, 0);
}

static void
test_idp(void **state)
{
	static const char *const two[] = { "http://b/", "http://a/", NULL };
	static const unsigned char only[6][3] = {
		{ 0 }, { 1, 0 }, { 2, 0 }, { 3, 0 }, { 4, 0 }, { 5, 0 }
	};
	static const unsigned char both[] = { 1, 2, 0 }, back[] = { 2, 1, 0 };
	struct buf	idp;
	struct make_crl	m = { .ca = &ca, .idp = &idp };
	unsigned	i;

	(void)state;
	idp = make_idp(two, only[1]);
	assert_true(parses(make_crl(&m)));
	assert_true(crl.user_only && !crl.ca_only && crl.has_dps);
	assert_int_equal(crl.num_dps, 2);
	assert_true(memcmp(crl.dps[0], crl.dps[1], 32) < 0);
	buf_free(&idp);
	for (i = 0; i <= 5; i++) {
		idp = make_idp(i == 0 ? NULL : two, only[i]);
		assert_int_equal(parses(make_crl(&m)),
		    i >= 1 && i <= 4);
		buf_free(&idp);
	}
	idp = make_idp(NULL, both);
	assert_false(parses(make_crl(&m)));
	buf_free(&idp);
	idp = make_idp(NULL, back);
	assert_false(parses(make_crl(&m)));
	buf_free(&idp);
	/* FALSE written out, trailing bytes, an empty fullName */
	assert_false(crl_with(28, true, "\x30\x03\x81\x01\x00", 5));
	assert_false(crl_with(28, true, "\x30\x03\x81\x01\xff\x00", 6));
	assert_false(crl_with(28, true, "\x30\x04\xa0\x02\xa0\x00", 6));
	assert_false(crl_with(28, true, "\x30\x05\xa0\x03\xa0\x00\x00", 7));
}

/* C4 row 40: X.400 and EDI names are bytes to us, never a structure. */
static void
test_c4_40_odd_names(void **state)
{
	(void)state;
	assert_true(crl_with(28, true, "\x30\x08\xa0\x06\xa0\x04\xa3\x02\x30\x00",
	    10));
	assert_true(crl.has_dps);
	assert_true(crl_with(28, true, "\x30\x08\xa0\x06\xa0\x04\xa5\x02\xa1\x00",
	    10));
	assert_false(crl_with(28, true, "\x30\x08\xa0\x06\xa0\x04\xa9\x02\x30\x00",
	    10));
	/* a directoryName that is none */
	assert_false(crl_with(28, true, "\x30\x08\xa0\x06\xa0\x04\xa4\x02\x04\x00",
	    10));
}

/* The names in list and certificate meet, in every form (C4 row 35's ground). */
static void
test_names_as_cert(void **state)
{
	const struct make_cert	plain = {
		.name = "Leaf", .issuer = &ca, .leaf = true,
		.points = "URI:http://one/,URI:http://two/"
	};
	struct ca		leaf;
	struct buf		idp, rdn = { 0 }, name = { 0 };
	struct make_crl		m = { .ca = &ca, .idp = &idp };
	static const char *const uri[] = { "http://two/", NULL };
	size_t			i;
	bool			found = false;

	(void)state;
	make_cert(&leaf, &plain);
	idp = make_idp(uri, NULL);
	assert_true(parses(make_crl(&m)));
	for (i = 0; i < leaf.cert->num_dps; i++)
		found |= memcmp(leaf.cert->dps[i], crl.dps[0], 32) == 0;
	assert_true(found);
	buf_free(&idp);
	ca_free(&leaf);
	/* nameRelativeToCRLIssuer: issuer's name and one more CN */
	buf_tlv(&rdn, 0x06, "\x55\x04\x03", 3);
	buf_tlv(&rdn, 0x0c, "part 1", 6);
	buf_wrap(&rdn, 0x30);
	buf_tlv(&name, 0xa1, rdn.data, rdn.len);
	buf_wrap(&name, 0xa0);
	buf_wrap(&name, 0x30);
	idp = name;
	assert_true(parses(make_crl(&m)));
	assert_int_equal(crl.num_dps, 1);
	buf_free(&idp);
	buf_free(&rdn);
}

/* ---------------------------------------------------------------- signature */

static bool
signer(struct pool *pool, struct buf der, unsigned char key[32])
{
	const struct pool *const pools[] = { pool };
	bool	ok;

	memset(&error, 0, sizeof(error));
	ok = crl_parse(&crl, der.data, der.len, &error) &&
	    crl_find_signer(&crl, pools, 1, key, &error);
	assert_true(ok || error.text[0] != '\0');
	assert_int_equal(ERR_peek_error(), 0);
	buf_free(&der);
	return ok;
}

static void
test_signer(void **state)
{
	const struct ca *const	just[] = { &ca };
	struct make_crl		m = { .ca = &ca };
	struct pool		*pool = make_pool(just, 1), *none = make_pool(NULL, 0);
	unsigned char		key[32];

	(void)state;
	assert_true(signer(pool, make_crl(&m), key));
	assert_memory_equal(key, ca.cert->spki_sha256, 32);
	assert_false(signer(none, make_crl(&m), key));
	assert_true(says("no CA of the authorities"));
	m.no_aki = true;
	assert_true(signer(pool, make_crl(&m), key));
	m.bad_signature = true;
	assert_false(signer(pool, make_crl(&m), key));
	assert_true(says("signature does not hold"));
	m.bad_signature = false;
	m.outer_md = "SHA512";
	assert_false(signer(pool, make_crl(&m), key));
	assert_true(says("inside differs"));
	m.outer_md = NULL;
	m.md = EVP_sha1();
	assert_false(signer(pool, make_crl(&m), key));
	assert_true(says("digest"));
	m.md = EVP_sha384();
	assert_true(signer(pool, make_crl(&m), key));
	m.md = EVP_sha512();
	assert_true(signer(pool, make_crl(&m), key));
	pool_free(pool);
	pool_free(none);
}

/* C4 row 47: signer without cRLSign, and a CA of the same name with another
 * key. */
static void
test_c4_47_signers(void **state)
{
	const struct make_cert	no_sign = {
		.name = "Test CA", .use_key = ca.key,
		.key_usage = "critical,keyCertSign"
	};
	const struct make_cert	no_usage = {
		.name = "Test CA", .use_key = ca.key, .key_usage = ""
	};
	const struct make_cert	other_key = { .name = "Test CA" };
	struct ca		silent, free_use, twin;
	const struct ca		*cas[2];
	struct make_crl		m = { .ca = &ca };
	struct pool		*pool;
	unsigned char		key[32];

	(void)state;
	make_cert(&silent, &no_sign);
	make_cert(&free_use, &no_usage);
	make_cert(&twin, &other_key);
	cas[0] = &silent;
	pool = make_pool(cas, 1);
	assert_false(signer(pool, make_crl(&m), key));
	assert_true(says("cRLSign"));
	pool_free(pool);
	cas[0] = &free_use;
	pool = make_pool(cas, 1);
	assert_true(signer(pool, make_crl(&m), key));
	pool_free(pool);
	/* the twin is not the signer, and is told apart from the one who is */
	cas[0] = &twin;
	pool = make_pool(cas, 1);
	assert_false(signer(pool, make_crl(&m), key));
	assert_true(says("signature does not hold"));
	pool_free(pool);
	cas[1] = &ca;
	pool = make_pool(cas, 2);
	assert_true(signer(pool, make_crl(&m), key));
	assert_memory_equal(key, ca.cert->spki_sha256, 32);
	m.ca = &twin;
	assert_true(signer(pool, make_crl(&m), key));
	assert_memory_equal(key, twin.cert->spki_sha256, 32);
	pool_free(pool);
	ca_free(&silent);
	ca_free(&free_use);
	ca_free(&twin);
}

static void
test_keys(void **state)
{
	static const struct { const char *kind; bool ok; } kinds[] = {
		{ "rsa2048", true }, { "rsa1024", false }, { "P-384", true },
		{ "P-521", true }, { "secp256k1", false }, { "P-224", false },
		{ "ed25519", true }
	};
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct make_cert cert = { .name = "K", .key = kinds[i].kind };
		struct ca	 k;
		const struct ca *const just[] = { &k };
		struct make_crl	 m = { .ca = &k };
		struct pool	*pool;
		unsigned char	 key[32];

		make_cert(&k, &cert);
		pool = make_pool(just, 1);
		if (signer(pool, make_crl(&m), key) != kinds[i].ok)
			fail_msg("%s: %s", kinds[i].kind, error.text);
		pool_free(pool);
		ca_free(&k);
	}
}

/* RSA-PSS as OpenSSL writes it; SHA-1 inside is refused. */
static void
test_pss(void **state)
{
	struct make_cert	cert = { .name = "PSS", .key = "rsa2048" };
	struct ca		k;
	const struct ca *const	just[] = { &k };
	struct pool		*pool;
	const EVP_MD		*mds[] = { EVP_sha256(), EVP_sha512(), EVP_sha1() };
	unsigned char		key[32], *out;
	size_t			i;

	(void)state;
	make_cert(&k, &cert);
	pool = make_pool(just, 1);
	for (i = 0; i < 3; i++) {
		X509_CRL	*x = X509_CRL_new();
		ASN1_TIME	*t = ASN1_TIME_new();
		EVP_MD_CTX	*ctx = EVP_MD_CTX_new();
		EVP_PKEY_CTX	*pctx;
		struct buf	 der = { 0 };
		int		 len;

		must(X509_CRL_set_version(x, 1) == 1);
		must(X509_CRL_set_issuer_name(x,
		    X509_get_subject_name(k.x509)) == 1);
		must(ASN1_TIME_set(t, T_THIS) != NULL);
		must(X509_CRL_set1_lastUpdate(x, t) == 1);
		must(EVP_DigestSignInit(ctx, &pctx, mds[i], NULL, k.key) == 1);
		must(EVP_PKEY_CTX_set_rsa_padding(pctx,
		    RSA_PKCS1_PSS_PADDING) == 1);
		must(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, 32) == 1);
		must(X509_CRL_sign_ctx(x, ctx) > 0);
		out = NULL;
		len = i2d_X509_CRL(x, &out);
		must(len > 0);
		buf_add(&der, out, (size_t)len);
		OPENSSL_free(out);
		assert_int_equal(signer(pool, der, key), i < 2);
		X509_CRL_free(x);
		ASN1_TIME_free(t);
		EVP_MD_CTX_free(ctx);
	}
	assert_true(says("digest"));
	pool_free(pool);
	ca_free(&k);
}

/* ---------------------------------------------------------------------- age */

static void
test_age(void **state)
{
	const unsigned char	one[] = { 1 }, two[] = { 2 }, big[] = { 1, 0 };

	(void)state;
	assert_true(crl_compare_age(one, 1, 9, two, 1, 5) < 0);
	assert_true(crl_compare_age(big, 2, 5, two, 1, 9) > 0);
	assert_true(crl_compare_age(one, 1, 5, one, 1, 9) < 0);
	assert_int_equal(crl_compare_age(one, 1, 5, one, 1, 5), 0);
	assert_true(crl_compare_age(NULL, 0, 9, one, 1, 5) > 0);
	assert_true(crl_compare_age(NULL, 0, 4, NULL, 0, 5) < 0);
}

/* -------------------------------------------------------------------- files */

static size_t
count(const void *data, size_t len, size_t *bad_r)
{
	struct crl_file		 cursor = { 0 };
	const unsigned char	*der;
	unsigned char		*owned;
	size_t			 der_len, taken = 0;
	enum crl_next		 next;

	*bad_r = 0;
	while ((next = crl_file_next(&cursor, data, len, &owned, &der, &der_len,
	    &error)) != CRL_NEXT_END) {
		if (next == CRL_NEXT_BAD || !crl_parse(&crl, der, der_len, &error))
			++*bad_r;
		else
			taken++;
		free(owned);
		assert_true(taken + *bad_r < 100);
	}
	return taken;
}

static void
test_files(void **state)
{
	struct make_crl	m = { .ca = &ca };
	struct buf	der = make_crl(&m), pem = { 0 }, junk = { 0 };
	size_t		bad;

	(void)state;
	assert_int_equal(count(der.data, der.len, &bad), 1);
	assert_int_equal(bad, 0);
	buf_add(&pem, "0 a comment that begins as DER does\n", 36);
	buf_pem(&pem, &der, "X509 CRL");
	buf_pem(&pem, &der, "CERTIFICATE");
	assert_int_equal(count(pem.data, pem.len, &bad), 1);
	buf_pem(&pem, &der, "X509 CRL");
	assert_int_equal(count(pem.data, pem.len, &bad), 2);
	assert_int_equal(bad, 0);
	buf_add(&junk, "junk", 4);
	buf_pem(&pem, &junk, "X509 CRL");
	buf_pem(&pem, &der, "X509 CRL");
	assert_int_equal(count(pem.data, pem.len, &bad), 3);
	assert_int_equal(bad, 1);
	assert_int_equal(count(pem.data, pem.len - 30, &bad), 2);
	assert_int_equal(bad, 2);
	assert_int_equal(count("", 0, &bad), 0);
	assert_int_equal(bad, 1);
	assert_int_equal(count("hello", 5, &bad), 0);
	assert_int_equal(bad, 1);
	assert_int_equal(ERR_peek_error(), 0);
	buf_free(&der);
	buf_free(&pem);
	buf_free(&junk);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_written_by_openssl),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_cut_and_trailing),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_entry_der),
		cmocka_unit_test(test_serials),
		cmocka_unit_test(test_entry_extensions),
		cmocka_unit_test(test_c4_47_indirect),
		cmocka_unit_test(test_crl_extensions),
		cmocka_unit_test(test_c4_41_delta),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_number),
		cmocka_unit_test(test_idp),
		cmocka_unit_test(test_c4_40_odd_names),
		cmocka_unit_test(test_names_as_cert),
		cmocka_unit_test(test_signer),
		cmocka_unit_test(test_c4_47_signers),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_pss),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
