/*
 * fuzz_index.c - any bytes at all as an index and as a manifest: open, check and
 * look up must stay inside.
 *
 * Input: first byte odd: the rest is a manifest. Else the rest is an index whose
 * hashes are mended first, or the fuzzer would never pass it.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "revocation/index.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
look(const struct index *index)
{
	static const unsigned char serials[][20] = {
		{ 1 }, { 3, 0xa1 }, { 1, 2, 3 },
		{ 0x40, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 }
	};
	const struct index_row	*row;
	struct index_entry	 entry;
	struct file_stamp	 stamp;
	size_t			 i, j, len, first, n;

	for (i = 0; i < index_num_rows(index); i++) {
		row = index_row(index, i);
		if (row == NULL)
			continue;
		n = index_find(index, row->issuer_sha256, &first);
		assert(n > 0 && first <= i && i < first + n);
		assert(strlen(index_string(index, row->source)) < index->data_len);
		assert(strlen(index_string(index, row->issuer)) < index->data_len);
		index_row_stamp(row, &stamp);
		assert(index_same_scope(index, row, index, row));
		assert(index_same_edition(index, row, index, row));
		assert(index_compare_age(row, row) == 0);
		assert((row->flags & INDEX_MEMBER) == 0);
		index_entries(index, row);
		for (j = 0; j < index_num_rows(index); j++)
			if (index_is_member(&index->rows[j], row))
				assert(index_member(index, row,
				    index->rows[j].issuer_sha256) != NULL);
		for (j = 0; j < sizeof(serials) / sizeof(serials[0]); j++)
			for (len = 1; len <= 20; len++) {
				index_lookup(index, row, serials[j], len, false,
				    &entry);
				index_lookup(index, row, serials[j], len, true,
				    NULL);
			}
	}
}

static void
copy(const struct index *index)
{
	struct index_writer	*writer = index_writer_new();
	struct certauth_error	 error;
	struct index		 other;
	unsigned char		*bytes;
	size_t			 i;
	bool			 kept;

	if (writer == NULL)
		return;
	for (i = 0; i < index_num_rows(index) && i < 8; i++)
		if (index_row(index, i) != NULL)
			index_writer_copy(writer, index, index_row(index, i),
			    &kept, &error);
	assert(index_writer_seal(writer, &error));
	if (index_writer_size(writer) < 16 * 1024 * 1024) {
		bytes = index_writer_bytes(writer);
		assert(bytes != NULL);
		assert(index_open(&other, bytes, index_writer_size(writer),
		    &error));
		assert(index_check(&other, &error));
		free(bytes);
	}
	index_writer_free(writer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct certauth_error	 error;
	struct publish_entry	 entry;
	struct index_header	 header;
	struct index		 index;
	unsigned char		*bytes;

	if (size == 0)
		return 0;
	if ((data[0] & 1) != 0) {
		if (publish_manifest_parse(data + 1, size - 1, &entry, &error))
			assert(strncmp(entry.name, "crl.", 4) == 0 &&
			    strchr(entry.name, '/') == NULL);
		return 0;
	}
	data++;
	size--;
	bytes = malloc(size + 1);
	if (bytes == NULL)
		return 0;
	bytes = realloc(bytes, size > 0 ? size : 1);
	memcpy(bytes, data, size);
	if (size >= sizeof(header)) {
		memcpy(&header, bytes, sizeof(header));
		if (header.meta_size >= sizeof(header) && header.meta_size <= size) {
			header.tables_hash = XXH3_64bits(bytes +
			    header.meta_size, size - header.meta_size);
			header.meta_hash = 0;
			memcpy(bytes, &header, sizeof(header));
			header.meta_hash = XXH3_64bits(bytes, header.meta_size);
			memcpy(bytes, &header, sizeof(header));
		}
	}
	if (index_open(&index, bytes, size, &error)) {
		look(&index);
		if (index_check(&index, &error))
			copy(&index);
	}
	free(bytes);
	return 0;
}
