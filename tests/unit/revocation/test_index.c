/*
 * test_index.c - does the index say what the list said, and refuse what is
 * damaged?
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/text.h"
#include "revocation/index.h"
#include "revocation/make.h"

static struct ca	ca;
static struct crl	crl;
static struct certauth_error error;
static const struct index_source source = { "test.crl", { 1, 2, 3, 4, 5 } };

static int
setup(void **state)
{
	const struct make_cert	m = { .name = "Index CA" };

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

/* ---------------------------------------------------------------- helpers */

/* xorshift128+: the same numbers in every run. */
static uint64_t seed[2] = { 0x9e3779b97f4a7c15u, 0xd1b54a32d192ed03u };
static uint64_t
random64(void)
{
	uint64_t	a = seed[0], b = seed[1];

	seed[0] = b;
	a ^= a << 23;
	seed[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
	return seed[1] + b;
}

static void
add_list(struct index_writer *writer, const struct buf *der, bool keeps)
{
	bool	kept;

	assert_true(crl_parse(&crl, der->data, der->len, &error));
	assert_true(index_writer_add(writer, &crl, ca.cert->spki_sha256, &source,
	    &kept, &error));
	assert_int_equal(kept, keeps);
}

/* An index of one list with these entries. Free the result. */
static unsigned char *
build(const struct buf *entries, struct index *index)
{
	struct make_crl		 m = { .ca = &ca, .entries = entries };
	struct buf		 der = make_crl(&m);
	struct index_writer	*writer = index_writer_new();
	unsigned char		*bytes;

	assert_non_null(writer);
	add_list(writer, &der, true);
	assert_true(index_writer_seal(writer, &error));
	bytes = index_writer_bytes(writer);
	assert_non_null(bytes);
	assert_true(index_open(index, bytes, index_writer_size(writer), &error));
	assert_true(index_check(index, &error));
	index_writer_free(writer);
	buf_free(&der);
	return bytes;
}

static enum index_answer
ask(const struct index *index, const void *serial, size_t len, bool negative,
    struct index_entry *entry)
{
	return index_lookup(index, index_row(index, 0), serial, len, negative,
	    entry);
}

/* A serial of exactly `len` octets without leading zero, and its DER content. */
static size_t
make_serial(unsigned char *out, size_t len, unsigned char *content)
{
	size_t	i;

	for (i = 0; i < len; i++)
		out[i] = (unsigned char)random64();
	if (out[0] == 0)
		out[0] = 1;
	content[0] = 0;
	memcpy(content + ((out[0] & 0x80) != 0), out, len);
	return len + ((out[0] & 0x80) != 0);
}

/* ----------------------------------------------------------------- lookup */

static void
check_lengths(const unsigned *lengths, size_t num_lengths, size_t num)
{
	struct buf		 entries = { 0 };
	struct index		 index;
	unsigned char		*bytes, (*serials)[20], content[21];
	unsigned		*lens;
	size_t			 i, n;

	serials = calloc(num, sizeof(*serials));
	lens = calloc(num, sizeof(*lens));
	must(serials != NULL && lens != NULL);
	for (i = 0; i < num; i++) {
		char	utc[16];

		lens[i] = lengths[i % num_lengths];
		n = make_serial(serials[i], lens[i], content);
		snprintf(utc, sizeof(utc), "2501%02u%02u0000Z",
		    (unsigned)(i % 28 + 1), (unsigned)(i % 24));
		buf_entry(&entries, content, n, utc, (int)(i % 6));
	}
	bytes = build(&entries, &index);
	assert_int_equal(index.header->entries, num);
	for (i = 0; i < num; i++) {
		struct index_entry entry;

		assert_int_equal(ask(&index, serials[i], lens[i], false, &entry),
		    INDEX_LISTED);
		/* short serials meet by chance: then another's facts are told */
		if (lens[i] > 4) {
			assert_int_equal(entry.reason, i % 6);
			assert_int_equal(entry.date, 1735689600 +
			    (int64_t)(i % 28) * DAY + (int64_t)(i % 24) * 3600);
		}
		assert_int_equal(ask(&index, serials[i], lens[i], true, NULL),
		    INDEX_NOT_LISTED);
		if (lens[i] < 5)
			continue;
		for (n = 0; n < lens[i]; n++) {
			serials[i][n] ^= 0x10;
			assert_int_equal(ask(&index, serials[i], lens[i], false,
			    NULL), INDEX_NOT_LISTED);
			serials[i][n] ^= 0x10;
		}
		assert_int_equal(ask(&index, serials[i], lens[i] - 1, false,
		    NULL), INDEX_NOT_LISTED);
	}
	free(serials);
	free(lens);
	free(bytes);
	buf_free(&entries);
}

static void
test_every_length(void **state)
{
	unsigned	len, all[20];

	(void)state;
	for (len = 1; len <= 20; len++) {
		all[len - 1] = len;
		check_lengths(&len, 1, len < 3 ? 50 : 300);
	}
	check_lengths(all, 20, 2000);
	check_lengths((const unsigned[]){ 16, 16, 16, 15, 16, 16, 16, 16, 16, 16 },
	    10, 5000);
	check_lengths((const unsigned[]){ 16 }, 1, 1);
	check_lengths((const unsigned[]){ 16 }, 1, 40000);
}

/* Serials that a CA counts up, and ones that were made to meet. */
static void
test_counting(void **state)
{
	struct buf		 entries = { 0 };
	struct index		 index;
	unsigned char		*bytes, content[20] = { 1 };
	uint32_t		 i;

	(void)state;
	for (i = 0; i < 20000; i++) {
		content[2] = (unsigned char)(i >> 16);
		content[3] = (unsigned char)(i >> 8);
		content[4] = (unsigned char)i;
		buf_entry(&entries, content, 5, THIS, -1);
	}
	bytes = build(&entries, &index);
	for (i = 0; i < 40000; i++) {
		content[2] = (unsigned char)(i >> 16);
		content[3] = (unsigned char)(i >> 8);
		content[4] = (unsigned char)i;
		assert_int_equal(ask(&index, content, 5, false, NULL),
		    i < 20000 ? INDEX_LISTED : INDEX_NOT_LISTED);
	}
	free(bytes);
	buf_free(&entries);
}

static void
test_negative(void **state)
{
	struct buf		 entries = { 0 };
	struct index		 index;
	unsigned char		*bytes;

	(void)state;
	buf_entry(&entries, "\xff", 1, THIS, -1);		/* -1 */
	buf_entry(&entries, "\x80\x00", 2, THIS, -1);		/* -32768 */
	buf_entry(&entries, "\x05", 1, THIS, -1);
	bytes = build(&entries, &index);
	assert_int_equal(ask(&index, "\x01", 1, true, NULL), INDEX_LISTED);
	assert_int_equal(ask(&index, "\x01", 1, false, NULL), INDEX_NOT_LISTED);
	assert_int_equal(ask(&index, "\x80\x00", 2, true, NULL), INDEX_LISTED);
	assert_int_equal(ask(&index, "\x05", 1, false, NULL), INDEX_LISTED);
	assert_int_equal(ask(&index, "\x05", 1, true, NULL), INDEX_NOT_LISTED);
	assert_int_equal(ask(&index, "", 0, false, NULL), INDEX_BROKEN);
	assert_int_equal(ask(&index, "012345678901234567890", 21, false, NULL),
	    INDEX_BROKEN);
	free(bytes);
	buf_free(&entries);
}

/* One serial several times: the worst is told, whatever the order. */
static void
test_twins(void **state)
{
	static const struct { const char *utc; int reason; } three[] = {
		{ "250101000000Z", 6 }, { "250301000000Z", -1 },
		{ "250201000000Z", 1 }
	};
	struct index_entry	entry;
	unsigned		order, i;

	(void)state;
	for (order = 0; order < 6; order++) {
		struct buf	 entries = { 0 };
		struct index	 index;
		unsigned char	*bytes;
		unsigned	 a = order % 3, b = order < 3 ? 1 : 2;

		for (i = 0; i < 3; i++)
			buf_entry(&entries, "\x11\x22", 2,
			    three[(a + i * b) % 3].utc,
			    three[(a + i * b) % 3].reason);
		bytes = build(&entries, &index);
		assert_int_equal(ask(&index, "\x11\x22", 2, false, &entry),
		    INDEX_LISTED);
		assert_int_equal(entry.reason, 1);
		assert_int_equal(entry.date, 1738368000);
		free(bytes);
		buf_free(&entries);
	}
}

static void
test_empty(void **state)
{
	struct index_writer	*writer = index_writer_new();
	struct index		 index;
	unsigned char		*bytes;
	struct buf		 none = { 0 };

	(void)state;
	bytes = build(&none, &index);
	assert_int_equal(index_num_rows(&index), 1);
	assert_int_equal(ask(&index, "\x01", 1, false, NULL), INDEX_NOT_LISTED);
	free(bytes);
	assert_true(index_writer_seal(writer, &error));
	bytes = index_writer_bytes(writer);
	assert_true(index_open(&index, bytes, index_writer_size(writer), &error));
	assert_int_equal(index_num_rows(&index), 0);
	assert_null(index_row(&index, 0));
	free(bytes);
	index_writer_free(writer);
}

/* ------------------------------------------------------------------- rows */

static void
test_rows(void **state)
{
	static const char *const uri[] = { "http://part/", NULL };
	static const unsigned char users[] = { 1, 0 };
	struct buf		 idp = make_idp(uri, users), one = { 0 };
	struct make_crl		 full = { .ca = &ca }, part = { .ca = &ca, .idp = &idp };
	struct index_writer	*writer = index_writer_new();
	struct index		 index, copied;
	unsigned char		*bytes, *again;
	struct file_stamp	 stamp;
	struct buf		 der;
	size_t			 first, i, n;
	bool			 kept;

	(void)state;
	buf_entry(&one, "\x07", 1, THIS, -1);
	full.number = "05";
	der = make_crl(&full);
	add_list(writer, &der, true);
	add_list(writer, &der, false);		/* the same again */
	buf_free(&der);
	full.number = "04";
	full.entries = &one;
	der = make_crl(&full);
	add_list(writer, &der, false);		/* older */
	buf_free(&der);
	full.number = "06";
	der = make_crl(&full);
	add_list(writer, &der, true);		/* newer: replaces */
	buf_free(&der);
	der = make_crl(&part);
	add_list(writer, &der, true);		/* another scope: stands beside */
	buf_free(&der);
	assert_true(index_writer_seal(writer, &error));
	bytes = index_writer_bytes(writer);
	assert_true(index_open(&index, bytes, index_writer_size(writer), &error));
	n = index_find(&index, ca.cert->subject_sha256, &first);
	assert_int_equal(n, 2);
	for (i = first; i < first + n; i++) {
		const struct index_row *row = index_row(&index, i);

		assert_string_equal(index_string(&index, row->source), "test.crl");
		assert_non_null(strstr(index_string(&index, row->issuer),
		    "CN=Index CA"));
		index_row_stamp(row, &stamp);
		assert_true(file_stamp_equal(&stamp, &source.stamp));
		if ((row->flags & INDEX_HAS_DPS) == 0) {
			assert_int_equal(row->number[0], 6);
			assert_int_equal(row->entries, 1);
		} else
			assert_int_equal(row->num_dps, 1);
	}
	assert_int_equal(index_find(&index, ca.cert->spki_sha256, &first), 0);
	index_writer_free(writer);

	/* copied into another index, nothing changes */
	writer = index_writer_new();
	for (i = 0; i < 2; i++) {
		assert_false(index_writer_has(writer, &index, index_row(&index, i)));
		assert_true(index_writer_copy(writer, &index, index_row(&index, i),
		    &kept, &error));
		assert_true(kept);
		assert_true(index_writer_has(writer, &index, index_row(&index, i)));
	}
	assert_true(index_writer_seal(writer, &error));
	again = index_writer_bytes(writer);
	assert_true(index_open(&copied, again, index_writer_size(writer), &error));
	assert_true(index_check(&copied, &error));
	assert_int_equal(copied.data_len, index.data_len);
	assert_memory_equal(copied.data, index.data, index.data_len);
	index_writer_free(writer);
	free(bytes);
	free(again);
	buf_free(&idp);
	buf_free(&one);
}

/* A list that was published before its day stands beside the one in force. */
static void
test_not_begun(void **state)
{
	static const struct {
		const char	*number, *this_update;
		int64_t		 now;
		bool		 keeps;
		size_t		 rows;
	} steps[] = {
		{ "05", THIS, T_THIS + 1, true, 1 },
		{ "07", "270101000000Z", T_THIS + 1, true, 2 },
		{ "07", "270101000000Z", T_THIS + 1, false, 2 },
		{ "04", THIS, T_THIS + 1, false, 2 },
		{ "06", THIS, T_THIS + 1, true, 2 },	/* for 05 */
		{ "05", THIS, T_THIS + 1, false, 2 },
		{ "08", "280101000000Z", T_THIS + 1, true, 2 },	/* for 07 */
		{ "07", "270101000000Z", T_THIS + 1, false, 2 },
		{ "09", THIS, T_THIS + 1, true, 1 },	/* for all */
		{ "0A", "270101000000Z", T_THIS - 1, true, 1 },	/* neither */
		{ "0B", "270101000000Z", INT64_MAX, true, 1 },	/* both */
	};
	struct make_crl		 m = { .ca = &ca };
	struct index_writer	*writer = index_writer_new();
	struct buf		 der;
	size_t			 i;

	(void)state;
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		m.number = steps[i].number;
		m.this_update = steps[i].this_update;
		m.next_update = "281231000000Z";
		der = make_crl(&m);
		index_writer_set_now(writer, steps[i].now);
		add_list(writer, &der, steps[i].keeps);
		assert_int_equal(index_writer_rows(writer), steps[i].rows);
		buf_free(&der);
	}
	index_writer_free(writer);
}

/* --------------------------------------------------------------- damaged */

static struct index
small(unsigned char **bytes)
{
	struct buf	entries = { 0 };
	struct index	index;
	unsigned	i;

	for (i = 0; i < 40; i++) {
		unsigned char serial[3] = { 1, 2, (unsigned char)i };

		buf_entry(&entries, serial, 3, THIS, -1);
	}
	*bytes = build(&entries, &index);
	buf_free(&entries);
	return index;
}

/* Every bit of header, rows, tables and strings; every cut. */
static void
test_damaged_head(void **state)
{
	unsigned char	*bytes, *copy;
	struct index	 index = small(&bytes), other;
	size_t		 i, size = index.data_len;
	unsigned	 bit;

	(void)state;
	for (i = 0; i < index.header->meta_size; i++)
		for (bit = 1; bit < 256; bit <<= 1) {
			bytes[i] ^= (unsigned char)bit;
			if (index_open(&other, bytes, size, &error))
				fail_msg("bit %02x of byte %zu", bit, i);
			assert_true(error.text[0] != '\0');
			bytes[i] ^= (unsigned char)bit;
		}
	assert_true(index_open(&other, bytes, size, &error));
	for (i = 0; i < size; i++) {
		copy = malloc(i + 1);
		must(copy != NULL);
		memcpy(copy, bytes, i);
		assert_false(index_open(&other, copy, i, &error));
		free(copy);
	}
	copy = malloc(size + 8);
	must(copy != NULL);
	memcpy(copy, bytes, size);
	memset(copy + size, 0, 8);
	assert_false(index_open(&other, copy, size + 8, &error));
	memmove(copy + 1, copy, size);
	assert_false(index_open(&other, copy + 1, size, &error));
	free(copy);
	free(bytes);
}

/* Behind the head nothing is looked at until a lookup touches it: whatever is
 * there, a lookup stays inside, and index_check() sees the damage. */
static void
test_damaged_tables(void **state)
{
	unsigned char	*bytes, *copy;
	struct index	 index = small(&bytes), other;
	size_t		 i, size = index.data_len, seen = 0;
	unsigned	 serial;

	(void)state;
	copy = malloc(size);
	must(copy != NULL);
	for (i = index.header->meta_size; i < size; i++) {
		memcpy(copy, bytes, size);
		copy[i] ^= 0xff;
		assert_true(index_open(&other, copy, size, &error));
		seen += !index_check(&other, &error);
		for (serial = 0; serial < 256; serial++) {
			unsigned char key[3] = { 1, 2, (unsigned char)serial };

			(void)ask(&other, key, 3, false, NULL);
		}
	}
	assert_true(seen > 0);
	/* a directory that points behind the records */
	memcpy(copy, bytes, size);
	memset(copy + index.tables[0].lines, 0xff, 8);
	assert_true(index_open(&other, copy, size, &error));
	for (serial = 0; serial < 64; serial++) {
		unsigned char key[3] = { 1, 2, (unsigned char)serial };

		if (ask(&other, key, 3, false, NULL) == INDEX_BROKEN)
			break;
	}
	assert_true(serial < 64);
	free(copy);
	free(bytes);
}

/* ------------------------------------------------------------- publishing */

static char folder[64];

static void
folder_make(void)
{
	snprintf(folder, sizeof(folder), "/tmp/test_index.XXXXXX");
	must(mkdtemp(folder) != NULL);
}

static void
folder_remove(void)
{
	DIR		*dir = opendir(folder);
	struct dirent	*entry;

	must(dir != NULL);
	while ((entry = readdir(dir)) != NULL)
		unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	must(rmdir(folder) == 0);
}

static bool
exists(const char *name)
{
	char	path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return access(path, F_OK) == 0;
}

static bool
publish(const char *number)
{
	struct make_crl		 m = { .ca = &ca, .number = number };
	struct buf		 der = make_crl(&m);
	struct index_writer	*writer = index_writer_new();
	struct publish_folder	 out;
	bool			 ok;

	add_list(writer, &der, true);
	buf_free(&der);
	must(index_writer_seal(writer, &error));
	ok = publish_begin(&out, folder, &error) &&
	    publish_commit(&out, writer, &error);
	publish_end(&out);
	index_writer_free(writer);
	return ok;
}

static enum publish_news
look(const struct file_stamp *seen, struct publish_map *map)
{
	struct file_owners	owners;
	struct file_stamp	stamp;
	struct file_ref		ref;
	enum publish_news	news;

	file_owners_init(&owners);
	memset(&error, 0, sizeof(error));
	must(file_ref_open(&ref, NULL, folder, &error));
	news = publish_open(&ref, &owners, seen, &stamp, map, &error);
	file_ref_close(&ref);
	assert_true(news != PUBLISH_FAILED || error.text[0] != '\0');
	return news;
}

static void
test_publish(void **state)
{
	struct publish_map	one, two;

	(void)state;
	folder_make();
	assert_int_equal(look(NULL, &one), PUBLISH_NONE);
	assert_true(publish("01"));
	assert_true(exists("crl.1.idx"));
	assert_int_equal(look(NULL, &one), PUBLISH_TAKEN);
	assert_int_equal(one.entry.generation, 1);
	assert_true(publish_verify(&one, &error));
	assert_int_equal(look(&one.stamp, &two), PUBLISH_SAME);
	assert_true(publish("02"));
	assert_int_equal(look(&one.stamp, &two), PUBLISH_TAKEN);
	assert_string_equal(two.entry.name, "crl.2.idx");
	/* who has the old one keeps it; the file stays for a minute */
	assert_int_equal(index_row(&one.index, 0)->number[0], 1);
	assert_int_equal(index_row(&two.index, 0)->number[0], 2);
	assert_true(exists("crl.1.idx"));
	publish_unmap(&one);
	publish_unmap(&two);
	folder_remove();
}

static void
test_publish_removes(void **state)
{
	struct timespec	old[2] = { { 1700000000, 0 }, { 1700000000, 0 } };
	char		path[512];

	(void)state;
	folder_make();
	assert_true(publish("01"));
	assert_true(publish("02"));
	assert_true(publish("03"));
	assert_true(exists("crl.1.idx") && exists("crl.2.idx"));
	snprintf(path, sizeof(path), "%s/crl.1.idx", folder);
	must(utimensat(AT_FDCWD, path, old, 0) == 0);
	write_file(folder, "crl.x.idx", "mine", 4);
	assert_true(publish("04"));
	assert_false(exists("crl.1.idx"));
	assert_true(exists("crl.2.idx") && exists("crl.3.idx"));
	assert_true(exists("crl.x.idx"));
	/* lines of others stay in the manifest; left-over files are stepped over */
	write_file(folder, "crl.9.idx", "left", 4);
	assert_true(publish("05"));
	assert_true(exists("crl.10.idx"));
	folder_remove();
}

static void
test_publish_lines(void **state)
{
	struct file_bytes	bytes;
	struct file_owners	owners;
	struct publish_map	map;
	struct file_ref		ref;
	char			text[1024], path[512];

	(void)state;
	folder_make();
	file_owners_init(&owners);
	assert_true(publish("01"));
	snprintf(path, sizeof(path), "%s/current", folder);
	must(file_ref_open(&ref, NULL, path, &error));
	must(file_read(&ref, &owners, 1000, &bytes, &error));
	snprintf(text, sizeof(text), "answers.7.idx 5 %064d 7\n%s", 0,
	    (char *)bytes.data);
	file_bytes_free(&bytes);
	write_file(folder, "current", text, strlen(text));
	assert_int_equal(look(NULL, &map), PUBLISH_TAKEN);
	publish_unmap(&map);
	assert_true(publish("02"));
	must(file_read(&ref, &owners, 1000, &bytes, &error));
	assert_non_null(strstr((char *)bytes.data, "answers.7.idx 5 "));
	assert_non_null(strstr((char *)bytes.data, "\ncrl.2.idx "));
	assert_null(strstr((char *)bytes.data, "crl.1.idx"));
	file_bytes_free(&bytes);
	file_ref_close(&ref);
	folder_remove();
}

static void
test_manifest(void **state)
{
#define HEX64 "00000000000000000000000000000000" \
	      "ffffffffffffffffffffffffffffffff"
	static const char *const bad[] = {
		"", "\n", "crl.1.idx", "crl.1.idx 5 " HEX64 " 1",
		"crl.1.idx 5 " HEX64 "\n", "crl.1.idx 5 " HEX64 " 1 2\n",
		"crl.1.idx  5 " HEX64 " 1\n", "crl.1.idx 5 " HEX64 " 1 \n",
		"crl.1.idx -5 " HEX64 " 1\n", "crl.1.idx 5x " HEX64 " 1\n",
		"crl.1.idx 5 " HEX64 "0 1\n", "crl.1.idx 5 zz" HEX64 " 1\n",
		"crl.01.idx 5 " HEX64 " 1\n", "crl..idx 5 " HEX64 " 1\n",
		"../crl.1.idx 5 " HEX64 " 1\n", "crl.1/2.idx 5 " HEX64 " 1\n",
		"answers.1.idx 5 " HEX64 " 1\n",
		"crl.1.idx 5 " HEX64 " 1\ncrl.2.idx 5 " HEX64 " 1\n",
		"crl.1.idx 5 " HEX64 " 1\nx\n",
		"crl.1.idx 99999999999999999999999 " HEX64 " 1\n",
		"crl.99999999999999999999999.idx 5 " HEX64 " 1\n",
	};
	struct publish_entry	entry;
	static const char	good[] = "pool.2.pem 1 " HEX64 " 9\n"
	    "crl.31.idx 1234 " HEX64 " 31\n";
	size_t			i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (publish_manifest_parse((const unsigned char *)bad[i],
		    strlen(bad[i]), &entry, &error))
			fail_msg("taken: %s", bad[i]);
	assert_true(publish_manifest_parse((const unsigned char *)good,
	    sizeof(good) - 1, &entry, &error));
	assert_string_equal(entry.name, "crl.31.idx");
	assert_int_equal(entry.size, 1234);
	assert_int_equal(entry.generation, 31);
	assert_int_equal(entry.sha256[31], 0xff);
	assert_false(publish_manifest_parse((const unsigned char *)"crl.1.idx 5 "
	    "\0", 13, &entry, &error));
}

static void
test_publish_distrust(void **state)
{
	struct publish_map	map;
	char			index[512], current[512], other[512];

	(void)state;
	folder_make();
	assert_true(publish("01"));
	snprintf(index, sizeof(index), "%s/crl.1.idx", folder);
	snprintf(current, sizeof(current), "%s/current", folder);
	must(chmod(index, 0664) == 0);
	assert_int_equal(look(NULL, &map), PUBLISH_FAILED);
	must(chmod(index, 0644) == 0);
	must(chmod(current, 0646) == 0);
	assert_int_equal(look(NULL, &map), PUBLISH_FAILED);
	must(chmod(current, 0644) == 0);
	must(chmod(folder, 0777) == 0);
	assert_int_equal(look(NULL, &map), PUBLISH_FAILED);
	must(chmod(folder, 0755) == 0);
	assert_int_equal(look(NULL, &map), PUBLISH_TAKEN);
	publish_unmap(&map);
	/* another size than the manifest says; a link; gone */
	must(truncate(index, 200) == 0);
	assert_int_equal(look(NULL, &map), PUBLISH_FAILED);
	snprintf(other, sizeof(other), "%s/other", folder);
	must(rename(index, other) == 0);
	must(symlink(other, index) == 0);
	assert_int_equal(look(NULL, &map), PUBLISH_FAILED);
	must(unlink(index) == 0);
	assert_int_equal(look(NULL, &map), PUBLISH_FAILED);
	folder_remove();
}

/* Owners other than root and us: only root can make such a file. */
static void
test_publish_owner(void **state)
{
	struct publish_map	map;
	char			path[512];

	(void)state;
	if (geteuid() != 0)
		skip();
	folder_make();
	assert_true(publish("01"));
	snprintf(path, sizeof(path), "%s/crl.1.idx", folder);
	must(chown(path, 12345, 12345) == 0);
	assert_int_equal(look(NULL, &map), PUBLISH_FAILED);
	must(chown(path, 0, 0) == 0);
	snprintf(path, sizeof(path), "%s/current", folder);
	must(chown(path, 12345, 12345) == 0);
	assert_int_equal(look(NULL, &map), PUBLISH_FAILED);
	must(chown(path, 0, 0) == 0);
	must(chown(folder, 12345, 12345) == 0);
	assert_int_equal(look(NULL, &map), PUBLISH_FAILED);
	must(chown(folder, 0, 0) == 0);
	assert_int_equal(look(NULL, &map), PUBLISH_TAKEN);
	publish_unmap(&map);
	folder_remove();
}

/* Root compiles once by hand; the folder's owner must be able to go on. */
static void
test_publish_by_root(void **state)
{
	struct stat	st;
	char		path[512];
	pid_t		pid;
	int		status;

	(void)state;
	if (geteuid() != 0)
		skip();
	folder_make();
	must(chown(folder, 12345, 12345) == 0);
	must(chmod(folder, 0755) == 0);
	assert_true(publish("01"));
	snprintf(path, sizeof(path), "%s/crl.1.idx", folder);
	must(stat(path, &st) == 0);
	assert_int_equal(st.st_uid, 12345);
	pid = fork();
	must(pid >= 0);
	if (pid == 0) {
		if (setgid(12345) != 0 || setuid(12345) != 0)
			_exit(2);
		_exit(publish("02") ? 0 : 1);
	}
	must(waitpid(pid, &status, 0) == pid);
	assert_int_equal(status, 0);
	assert_true(exists("crl.2.idx"));
	folder_remove();
}

/* Damage that leaves size and head alone: only the full check sees it. */
static void
test_publish_verify(void **state)
{
	struct publish_map	map;
	char			path[512];
	FILE			*f;

	(void)state;
	folder_make();
	assert_true(publish("01"));
	snprintf(path, sizeof(path), "%s/crl.1.idx", folder);
	assert_int_equal(look(NULL, &map), PUBLISH_TAKEN);
	assert_true(publish_verify(&map, &error));
	map.entry.sha256[0] ^= 1;
	assert_false(publish_verify(&map, &error));
	publish_unmap(&map);
	f = fopen(path, "r+b");
	must(f != NULL);
	must(fseek(f, 40, SEEK_SET) == 0);
	must(fputc(0x55, f) != EOF);
	must(fclose(f) == 0);
	assert_int_equal(look(NULL, &map), PUBLISH_FAILED);
	folder_remove();
}

/* Two writers at once: one waits, none is lost. */
static void
test_publish_two(void **state)
{
	struct publish_map	map;
	pid_t			pids[4];
	int			i, status;

	(void)state;
	folder_make();
	for (i = 0; i < 4; i++) {
		pids[i] = fork();
		must(pids[i] >= 0);
		if (pids[i] == 0)
			_exit(publish("01") ? 0 : 1);
	}
	for (i = 0; i < 4; i++) {
		must(waitpid(pids[i], &status, 0) == pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(look(NULL, &map), PUBLISH_TAKEN);
	assert_string_equal(map.entry.name, "crl.4.idx");
	publish_unmap(&map);
	folder_remove();
}

/* ------------------------------------------------------------------- large */

/* C4 row 43, bounded: a million entries, exact, at most 20 bytes each. */
static void
test_c4_43_million(void **state)
{
	enum { NUM = 1000000 };
	struct buf		 entries = { 0 };
	struct index		 index;
	unsigned char		*bytes, entry[35], key[16];
	uint64_t		 kept[2];
	size_t			 i;

	(void)state;
	memcpy(entry, "\x30\x21\x02\x10", 4);
	memcpy(entry + 20, "\x17\x0d" THIS, 15);
	memcpy(kept, seed, sizeof(kept));
	for (i = 0; i < NUM; i++) {
		uint64_t a = random64(), b = random64();

		memcpy(entry + 4, &a, 8);
		memcpy(entry + 12, &b, 8);
		entry[4] = 0x40 | (entry[4] & 0x3f);
		buf_add(&entries, entry, sizeof(entry));
	}
	bytes = build(&entries, &index);
	buf_free(&entries);
	assert_int_equal(index.header->entries, NUM);
	assert_true(index.data_len <= (size_t)20 * NUM);
	memcpy(seed, kept, sizeof(kept));
	for (i = 0; i < NUM; i++) {
		uint64_t a = random64(), b = random64();

		memcpy(key, &a, 8);
		memcpy(key + 8, &b, 8);
		key[0] = 0x40 | (key[0] & 0x3f);
		assert_true(ask(&index, key, 16, false, NULL) == INDEX_LISTED);
		key[15] ^= 1;
		assert_true(ask(&index, key, 16, false, NULL) ==
		    INDEX_NOT_LISTED);
	}
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_counting),
		cmocka_unit_test(test_negative),
		cmocka_unit_test(test_twins),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_not_begun),
		cmocka_unit_test(test_damaged_head),
		cmocka_unit_test(test_damaged_tables),
		cmocka_unit_test(test_manifest),
		cmocka_unit_test(test_publish),
		cmocka_unit_test(test_publish_removes),
		cmocka_unit_test(test_publish_lines),
		cmocka_unit_test(test_publish_distrust),
		cmocka_unit_test(test_publish_owner),
		cmocka_unit_test(test_publish_by_root),
		cmocka_unit_test(test_publish_verify),
		cmocka_unit_test(test_publish_two),
		cmocka_unit_test(test_c4_43_million),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
