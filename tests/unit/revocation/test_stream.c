/*
 * test_stream.c - does a list that is read piece by piece say what it says in
 * memory, and is a file that is cut or changed meanwhile refused?
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>

#include "revocation/crl_stream.h"
#include "revocation/der.h"
#include "revocation/index.h"
#include "revocation/make.h"

/* Entries of 35 octets, and as many more octets as make a list long. */
#define ENTRIES		40000u

static struct ca	ca, edwards;
static struct pool	*pool;
static struct certauth_error error;
static const struct index_source source = { "long.crl", { 1, 2, 3, 4, 5 } };
static char		path[64];

static int
setup(void **state)
{
	const struct make_cert	m = { .name = "Stream CA" };
	const struct make_cert	e = { .name = "Edwards CA", .key = "ed25519" };
	const struct ca		*cas[] = { &ca, &edwards };
	int			 fd;

	(void)state;
	make_cert(&ca, &m);
	make_cert(&edwards, &e);
	pool = make_pool(cas, 2);
	snprintf(path, sizeof(path), "/tmp/test_stream.XXXXXX");
	fd = mkstemp(path);
	must(fd >= 0);
	close(fd);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	pool_free(pool);
	ca_free(&ca);
	ca_free(&edwards);
	return 0;
}

/* ------------------------------------------------------------------- lists */

static void
serial_of(unsigned i, unsigned char out[16], size_t *len_r)
{
	const size_t	len = i % 7 == 0 ? 9 : i % 5 == 0 ? 20 - i % 3 : 16;
	size_t		j;

	*len_r = len < 16 ? len : 16;
	for (j = 0; j < *len_r; j++)
		out[j] = (unsigned char)((i >> (8 * (j % 3))) + j * 37 + 1);
	out[0] = (unsigned char)(0x21 + i % 0x50);
	memcpy(out + 1, &i, sizeof(i));
}

/* Dates, reasons and lengths of all kinds. */
static struct buf
long_entries(unsigned num)
{
	struct buf	out = { 0 };
	unsigned char	serial[16];
	char		date[32];
	size_t		len;
	unsigned	i;

	for (i = 0; i < num; i++) {
		serial_of(i, serial, &len);
		snprintf(date, sizeof(date), "%02u%02u%02u%02u%02u%02uZ",
		    i % 40 < 30 ? i % 30 : 70 + i % 10, 1 + i % 12, 1 + i % 28,
		    i % 24, i % 60, i % 59);
		buf_entry(&out, serial, len, date, i % 3 == 0 ? -1 :
		    i % 3 == 1 ? (int)(i % 7) : i % 2 == 0 ? 9 : 10);
	}
	return out;
}

static void
put(const void *data, size_t len)
{
	FILE	*f = fopen(path, "wb");

	must(f != NULL && fwrite(data, 1, len, f) == len && fclose(f) == 0);
}

/* ------------------------------------------------------------------ reading */

struct read {
	struct crl_stream	 stream;
	struct crl		 crl;
	struct stage		 stage;
};

static enum crl_streamed
read_list(struct read *r, size_t len)
{
	enum crl_streamed	answer;
	int			fd = open(path, O_RDONLY);

	must(fd >= 0);
	memset(r, 0, sizeof(*r));
	memset(&error, 0, sizeof(error));
	must(stage_init(&r->stage));
	answer = crl_stream_read(&r->stream, fd, len, &r->crl, &r->stage,
	    &error);
	close(fd);
	return answer;
}

static void
read_end(struct read *r)
{
	stage_free(&r->stage);
	crl_stream_free(&r->stream);
}

static unsigned char *
index_of(const struct crl *crl, struct stage *stage, struct index *index)
{
	struct index_writer	*writer = index_writer_new();
	unsigned char		 key[32], *bytes;
	const struct pool	*pools[] = { pool };
	bool			 kept;

	assert_true(crl_find_signer(crl, pools, 1, key, &error));
	assert_true(stage != NULL ? index_writer_add_stage(writer, crl, stage,
	    key, &source, &kept, &error) : index_writer_add(writer, crl, key,
	    &source, &kept, &error));
	assert_true(kept && index_writer_seal(writer, &error));
	bytes = index_writer_bytes(writer);
	assert_true(index_open(index, bytes, index_writer_size(writer), &error));
	assert_true(index_check(index, &error));
	index_writer_free(writer);
	return bytes;
}

static void
assert_same(const struct crl *crl, const struct index *a, const struct index *b)
{
	const struct index_row	*x = index_row(a, 0), *y = index_row(b, 0);
	struct crl_entry	 entry = { 0 };
	struct index_entry	 left, right;
	size_t			 offset = 0, n = 0;

	assert_memory_equal(x->signature_sha256, y->signature_sha256, 32);
	assert_int_equal(x->entries, y->entries);
	assert_int_equal(x->flags, y->flags);
	assert_memory_equal(x->number, y->number, sizeof(x->number));
	while (crl_entry_next(crl, &offset, &entry)) {
		assert_int_equal(index_lookup(a, x, entry.serial,
		    entry.serial_len, entry.negative, &left), INDEX_LISTED);
		assert_int_equal(index_lookup(b, y, entry.serial,
		    entry.serial_len, entry.negative, &right), INDEX_LISTED);
		assert_int_equal(left.date, right.date);
		assert_int_equal(left.reason, right.reason);
		assert_int_equal(left.date, entry.date < 0 ? 0 : entry.date);
		assert_int_equal(left.reason, entry.reason);
		entry.serial[entry.serial_len - 1] ^= 0x81;
		assert_int_equal(index_lookup(a, x, entry.serial,
		    entry.serial_len, entry.negative, NULL), index_lookup(b, y,
		    entry.serial, entry.serial_len, entry.negative, NULL));
		n++;
	}
	assert_int_equal(n, x->entries);
}

static struct buf
long_list(const struct ca *signer, const EVP_MD *md, bool extensions)
{
	struct buf	entries = long_entries(ENTRIES), der;
	struct make_crl	m = { .ca = signer, .entries = &entries, .md = md,
			    .number = "0177" };

	if (!extensions) {
		m.no_extensions = true;
		m.next_update = "";
	}
	der = make_crl(&m);
	must(der.len > CRL_STREAM_LEAST);
	put(der.data, der.len);
	buf_free(&entries);
	return der;
}

/* -------------------------------------------------------------------- tests */

static void
test_same(void **state)
{
	const EVP_MD	*digests[] = { EVP_sha256(), EVP_sha384(), EVP_sha512() };
	struct index	 streamed, whole;
	unsigned char	*a, *b;
	struct read	 r;
	struct crl	*crl = malloc(sizeof(*crl));
	struct buf	 der;
	size_t		 i;

	(void)state;
	must(crl != NULL);
	for (i = 0; i < 3; i++) {
		der = long_list(&ca, digests[i], true);
		assert_int_equal(read_list(&r, der.len), CRL_STREAM_TAKEN);
		assert_true(crl_parse(crl, der.data, der.len, &error));
		assert_int_equal(r.crl.num_entries, crl->num_entries);
		assert_int_equal(r.crl.digest_len, EVP_MD_get_size(digests[i]));
		a = index_of(&r.crl, &r.stage, &streamed);
		b = index_of(crl, NULL, &whole);
		assert_same(crl, &streamed, &whole);
		free(a);
		free(b);
		read_end(&r);
		buf_free(&der);
	}
	free(crl);
}

/* Not for this way: nothing is said of them. */
static void
test_other(void **state)
{
	static const unsigned char	 indirect[] = { 4, 0 };
	struct buf			 idp = make_idp(NULL, indirect);
	struct buf			 entries = long_entries(ENTRIES), der;
	struct make_crl			 m = { .ca = &ca, .entries = &entries };
	struct buf			 text = { 0 };
	struct read			 r;

	(void)state;
	m.idp = &idp;
	der = make_crl(&m);
	put(der.data, der.len);
	assert_int_equal(read_list(&r, der.len), CRL_STREAM_OTHER);
	read_end(&r);
	assert_int_equal(read_list(&r, CRL_STREAM_LEAST - 1), CRL_STREAM_OTHER);
	read_end(&r);
	buf_pem(&text, &der, "X509 CRL");
	put(text.data, text.len);
	assert_int_equal(read_list(&r, text.len), CRL_STREAM_OTHER);
	read_end(&r);
	/* its key wants to read all of it */
	buf_free(&der);
	der = long_list(&edwards, NULL, true);
	assert_int_equal(read_list(&r, der.len), CRL_STREAM_OTHER);
	read_end(&r);
	/* bytes behind the end */
	buf_free(&der);
	der = long_list(&ca, NULL, true);
	buf_add(&der, "", 1);
	put(der.data, der.len);
	assert_int_equal(read_list(&r, der.len), CRL_STREAM_OTHER);
	read_end(&r);
	buf_free(&der);
	buf_free(&text);
	buf_free(&idp);
	buf_free(&entries);
}

/* Any octet changed, in any of the parts: refused, here or by the signature. */
static void
test_changed(void **state)
{
	const struct pool	*pools[] = { pool };
	struct buf		 der = long_list(&ca, NULL, true);
	unsigned char		 key[32];
	struct read		 r;
	size_t			 i, at;

	(void)state;
	for (i = 0; i < 60; i++) {
		at = i < 20 ? i * 11 : i < 40 ? der.len - 1 - (i - 20) * 9 :
		    der.len / 20 * (i - 40) + 65536;
		if (at >= der.len)
			continue;
		der.data[at] ^= 0x04;
		put(der.data, der.len);
		switch (read_list(&r, der.len)) {
		case CRL_STREAM_TAKEN:
			assert_false(crl_find_signer(&r.crl, pools, 1, key,
			    &error));
			break;
		case CRL_STREAM_BAD:
			assert_true(error.text[0] != '\0');
			break;
		case CRL_STREAM_OTHER:
			break;
		}
		read_end(&r);
		der.data[at] ^= 0x04;
	}
	/* shorter than it was when it was looked at */
	for (i = 1; i < 10; i++) {
		put(der.data, der.len * i / 10);
		assert_int_equal(read_list(&r, der.len), CRL_STREAM_BAD);
		assert_non_null(strstr(error.text, "cut short"));
		read_end(&r);
	}
	put(der.data, der.len);
	assert_int_equal(read_list(&r, der.len), CRL_STREAM_TAKEN);
	assert_true(crl_find_signer(&r.crl, pools, 1, key, &error));
	/* a digest of another length is none */
	r.crl.digest_len = 20;
	assert_false(crl_find_signer(&r.crl, pools, 1, key, &error));
	read_end(&r);
	buf_free(&der);
}

/* ------------------------------------------------------------------ entries */

/* The quick way and the one that knows everything say the same of entries with
 * any octet changed to anything. */
static void
test_two_ways(void **state)
{
	static const struct { size_t len; int reason; } forms[] = {
		{ 16, -1 }, { 16, 1 }, { 8, -1 }, { 9, 6 }, { 20, 10 }, { 7, 0 },
		{ 17, 3 }, { 21, 1 }
	};
	struct crl	 quick = { .v2 = true }, slow = { .v2 = true };
	unsigned char	 serial[24];
	size_t		 i, at;
	unsigned	 value;

	(void)state;
	slow.indirect = true;
	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct buf entry = { 0 };

		memset(serial, 0x51, sizeof(serial));
		if (forms[i].len == 21) {
			serial[0] = 0;
			serial[1] = 0x81;
		}
		buf_entry(&entry, serial, forms[i].len, "250714120559Z",
		    forms[i].reason);
		/* what lies behind is not its own */
		buf_add(&entry, "\x30\x00\x30\x00\x30\x00\x30\x00", 8);
		for (at = 0; at < entry.len - 8; at++)
			for (value = 0; value < 256; value++) {
				struct crl_entry one = { 0 }, two = { 0 };
				const unsigned char *p = entry.data, *q = p;
				unsigned char was = entry.data[at];
				bool ok;

				entry.data[at] = (unsigned char)value;
				ok = crl_entry_take(&quick, &p,
				    entry.data + entry.len, &one, NULL);
				/* certificateIssuer may stand in one only */
				if (ok || value != 29)
					assert_int_equal(crl_entry_take(&slow,
					    &q, entry.data + entry.len, &two,
					    NULL), ok);
				if (ok) {
					assert_ptr_equal(p, q);
					assert_int_equal(one.serial_len,
					    two.serial_len);
					assert_memory_equal(one.serial,
					    two.serial, one.serial_len);
					assert_memory_equal(one.octets,
					    two.serial, one.serial_len);
					assert_int_equal(one.negative,
					    two.negative);
					assert_int_equal(one.date, two.date);
					assert_int_equal(one.reason,
					    two.reason);
				}
				entry.data[at] = was;
			}
		buf_free(&entry);
	}
}

/* Every day that a UTCTime can name, and many that it cannot. */
static void
test_utc(void **state)
{
	unsigned char	text[16];
	struct der	value = { text, text + 13 };
	unsigned	year, month, day, i;
	int64_t		quick, slow;
	bool		ok;

	(void)state;
	for (year = 0; year < 100; year++)
		for (month = 0; month < 14; month++)
			for (day = 0; day < 33; day++) {
				snprintf((char *)text, sizeof(text),
				    "%02u%02u%02u%02u%02u%02uZ", year, month,
				    day, (year + day) % 25, (month + day) % 61,
				    (year + month) % 61);
				ok = der_time(TAG_UTC, &value, &slow);
				assert_int_equal(der_utc(text, &quick), ok);
				if (ok)
					assert_int_equal(quick, slow);
			}
	memcpy(text, "251231235959Z", 13);
	for (i = 0; i < 13 * 256; i++) {
		unsigned char was = text[i / 256];

		text[i / 256] = (unsigned char)i;
		ok = der_time(TAG_UTC, &value, &slow);
		assert_int_equal(der_utc(text, &quick), ok);
		if (ok)
			assert_int_equal(quick, slow);
		text[i / 256] = was;
	}
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_other),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_two_ways),
		cmocka_unit_test(test_utc)
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
