/*
 * index_write.c - which rows does the new index have, and where do they lie?
 *
 * Keeps the newest list of each scope, and the one in force until that begins;
 * lays header, rows and tables out.
 * Does not build tables (index_build.c), check signatures or know files
 * (publish.c).
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include <openssl/evp.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/text.h"
#include "revocation/index_build.h"

/* Signals that may interrupt one write. */
#define MAX_INTERRUPTS	1000u

struct index_writer {
	struct built_row	**rows;		/* heads */
	size_t			 num_rows, capacity;
	int64_t			 now;
	struct built_row	**all;		/* after seal: members too, sorted */
	size_t			 num_all;
	unsigned char		*meta;		/* after seal */
	size_t			 meta_len, size, entries;
};

static bool
no_memory(struct certauth_error *error_r)
{
	error_set(error_r, NULL, 0, "out of memory");
	return false;
}

/* ------------------------------------------------------------------ memory */

struct index_writer *
index_writer_new(void)
{
	struct index_writer	*writer = calloc(1, sizeof(*writer));

	if (writer != NULL)
		writer->now = INT64_MAX;
	return writer;
}

void
index_writer_set_now(struct index_writer *writer, int64_t now)
{
	writer->now = now;
}

void
index_writer_free(struct index_writer *writer)
{
	size_t	i;

	if (writer == NULL)
		return;
	for (i = 0; i < writer->num_rows; i++)
		built_row_free(writer->rows[i]);
	free(writer->rows);
	free(writer->all);
	free(writer->meta);
	free(writer);
}

/* ------------------------------------------------------------------- scope */

/* As index_same_edition(). */
static bool
same_edition(const struct built_row *a, const struct built_row *b)
{
	return crl_compare_number(a->row.base, a->row.base_len, b->row.base,
	    b->row.base_len) == 0 &&
	    memcmp(a->row.issuer_sha256, b->row.issuer_sha256, 32) == 0 &&
	    memcmp(a->row.key_sha256, b->row.key_sha256, 32) == 0 &&
	    a->row.flags == b->row.flags && a->row.reasons == b->row.reasons &&
	    a->row.num_dps == b->row.num_dps &&
	    (a->row.num_dps == 0 ||
	    memcmp(a->dps, b->dps, (size_t)a->row.num_dps * 32) == 0);
}

static bool
begun(const struct index_writer *writer, const struct built_row *row)
{
	return row->row.this_update <= writer->now;
}

/*
 * Does `row` leave nothing to do for `other`? A list that was published before
 * its day must not push out the one that is in force until then.
 */
static bool
replaces(const struct index_writer *writer, const struct built_row *row,
    const struct built_row *other)
{
	return same_edition(row, other) &&
	    index_compare_age(&row->row, &other->row) >= 0 &&
	    (begun(writer, row) || !begun(writer, other) ||
	    index_compare_age(&row->row, &other->row) == 0);
}

/* Is there nothing as good as this one? */
static bool
wanted(const struct index_writer *writer, const struct built_row *row)
{
	size_t	i;

	for (i = 0; i < writer->num_rows; i++)
		if (replaces(writer, writer->rows[i], row))
			return false;
	return true;
}

/* Takes `row` over, whatever comes of it. */
static bool
put_row(struct index_writer *writer, struct built_row *row,
    struct certauth_error *error_r)
{
	struct built_row	**grown;
	size_t			 i, n, more;

	for (i = n = 0; i < writer->num_rows; i++)
		if (replaces(writer, row, writer->rows[i]))
			built_row_free(writer->rows[i]);
		else
			writer->rows[n++] = writer->rows[i];
	writer->num_rows = n;
	if (writer->num_rows == INDEX_MAX_ROWS) {
		built_row_free(row);
		error_set(error_r, NULL, 0, "more than %u lists", INDEX_MAX_ROWS);
		return false;
	}
	if (writer->num_rows == writer->capacity) {
		more = writer->capacity == 0 ? 4 : writer->capacity * 2;
		grown = reallocarray(writer->rows, more, sizeof(*grown));
		if (grown == NULL) {
			built_row_free(row);
			return no_memory(error_r);
		}
		writer->rows = grown;
		writer->capacity = more;
	}
	writer->rows[writer->num_rows++] = row;
	return true;
}

/* -------------------------------------------------------------------- rows */

/* `stage` NULL: from the list itself. */
static bool
add_list(struct index_writer *writer, const struct crl *crl,
    struct stage *stage, const unsigned char key_sha256[32],
    const struct index_source *source, bool *kept_r,
    struct certauth_error *error_r)
{
	struct built_row	*row;

	*kept_r = false;
	row = built_row_new(crl, key_sha256, source, error_r);
	if (row == NULL)
		return false;
	if (!wanted(writer, row)) {
		built_row_free(row);
		return true;
	}
	if (!(stage != NULL ? built_row_pack(row, stage, error_r) :
	    built_row_fill(row, crl, error_r))) {
		built_row_free(row);
		return false;
	}
	*kept_r = true;
	return put_row(writer, row, error_r);
}

bool
index_writer_add(struct index_writer *writer, const struct crl *crl,
    const unsigned char key_sha256[32], const struct index_source *source,
    bool *kept_r, struct certauth_error *error_r)
{
	return add_list(writer, crl, NULL, key_sha256, source, kept_r, error_r);
}

bool
index_writer_add_stage(struct index_writer *writer, const struct crl *crl,
    struct stage *stage, const unsigned char key_sha256[32],
    const struct index_source *source, bool *kept_r,
    struct certauth_error *error_r)
{
	return add_list(writer, crl, stage, key_sha256, source, kept_r, error_r);
}

bool
index_writer_copy(struct index_writer *writer, const struct index *from,
    const struct index_row *from_row, bool *kept_r,
    struct certauth_error *error_r)
{
	struct built_row	*row = built_row_copy(from, from_row, error_r);

	*kept_r = false;
	if (row == NULL)
		return false;
	if (!wanted(writer, row)) {
		built_row_free(row);
		return true;
	}
	if (!built_row_copy_members(row, from, from_row, error_r)) {
		built_row_free(row);
		return false;
	}
	*kept_r = true;
	return put_row(writer, row, error_r);
}

/* `newer`: newer ones only. */
static bool
has_list(const struct index_writer *writer, const struct index *index,
    const struct index_row *row, bool newer)
{
	struct built_row	key = { .row = *row };
	size_t			i;

	key.dps = (void *)(uintptr_t)index_dps(index, row);
	for (i = 0; i < writer->num_rows; i++)
		if (same_edition(writer->rows[i], &key) && (!newer ||
		    index_compare_age(&writer->rows[i]->row, row) > 0))
			return true;
	return false;
}

bool
index_writer_has(const struct index_writer *writer, const struct index *index,
    const struct index_row *row)
{
	return has_list(writer, index, row, false);
}

bool
index_writer_newer(const struct index_writer *writer, const struct index *index,
    const struct index_row *row)
{
	return has_list(writer, index, row, true);
}

/* -------------------------------------------------------------------- seal */

static int
compare_rows(const void *a, const void *b)
{
	const struct built_row	*x = *(struct built_row *const *)a;
	const struct built_row	*y = *(struct built_row *const *)b;
	int			 c;

	c = memcmp(x->row.issuer_sha256, y->row.issuer_sha256, 32);
	if (c == 0)
		c = memcmp(x->row.key_sha256, y->row.key_sha256, 32);
	if (c == 0 && x->row.flags != y->row.flags)
		c = x->row.flags < y->row.flags ? -1 : 1;
	if (c == 0 && x->row.num_dps != y->row.num_dps)
		c = x->row.num_dps < y->row.num_dps ? -1 : 1;
	if (c == 0)
		c = memcmp(x->dps, y->dps, (size_t)x->row.num_dps * 32);
	if (c == 0)
		c = crl_compare_number(x->row.base, x->row.base_len,
		    y->row.base, y->row.base_len);
	return c != 0 ? c : memcmp(x->row.signature_sha256,
	    y->row.signature_sha256, 32);
}

/* Heads and members in the order of the index. */
static bool
flatten(struct index_writer *writer, struct certauth_error *error_r)
{
	size_t	i, j, n = 0;

	for (i = 0; i < writer->num_rows; i++)
		n += 1 + writer->rows[i]->num_members;
	if (n > INDEX_MAX_ROWS) {
		error_set(error_r, NULL, 0, "more than %u lists and issuers",
		    INDEX_MAX_ROWS);
		return false;
	}
	free(writer->all);
	writer->num_all = 0;
	writer->all = calloc(n + 1, sizeof(*writer->all));
	if (writer->all == NULL)
		return no_memory(error_r);
	for (i = 0; i < writer->num_rows; i++) {
		writer->all[writer->num_all++] = writer->rows[i];
		for (j = 0; j < writer->rows[i]->num_members; j++)
			writer->all[writer->num_all++] =
			    writer->rows[i]->members[j];
	}
	qsort(writer->all, n, sizeof(*writer->all), compare_rows);
	return true;
}

static size_t
round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

/* Lines lie on cache lines; so does all else, for the sake of simplicity. */
static size_t
lines_size(const struct index_table *table)
{
	return (size_t)table->num_lines * sizeof(struct index_line);
}

static size_t
spill_size(const struct index_table *table)
{
	return round_up(table->spill_size, INDEX_ALIGN);
}

static size_t
records_size(const struct index_table *table)
{
	return round_up((size_t)table->num_records *
	    INDEX_STRIDE(table->width, table->tail_size) + INDEX_SLACK,
	    INDEX_ALIGN);
}

/* Where the pieces go: memory, a hash, or a descriptor; there some at a time, so
 * that the system takes large pages for them. */
#define SINK_PIECES	256u
struct sink {
	unsigned char	*p;
	XXH3_state_t	*hash;
	int		 fd;
	unsigned	 num;
	struct iovec	 pieces[SINK_PIECES];
};

static bool
flush(struct sink *sink)
{
	struct iovec	*piece = sink->pieces, *end = piece + sink->num;
	unsigned	 interrupts = 0;
	ssize_t		 n;

	sink->num = 0;
	while (piece < end) {
		n = writev(sink->fd, piece, (int)(end - piece));
		if (n < 0 && errno == EINTR && ++interrupts < MAX_INTERRUPTS)
			continue;
		if (n <= 0) {
			errno = n == 0 ? EIO : errno;
			return false;
		}
		for (; piece < end && (size_t)n >= piece->iov_len; piece++)
			n -= (ssize_t)piece->iov_len;
		if (piece < end) {
			piece->iov_base = (unsigned char *)piece->iov_base + n;
			piece->iov_len -= (size_t)n;
		}
	}
	return true;
}

/* What goes to a descriptor must live until the next flush(). */
static bool
put(struct sink *sink, const void *data, size_t data_len)
{
	if (data_len == 0)
		return true;
	if (sink->p != NULL) {
		memcpy(sink->p, data, data_len);
		sink->p += data_len;
		return true;
	}
	if (sink->hash != NULL) {
		XXH3_64bits_update(sink->hash, data, data_len);
		return true;
	}
	sink->pieces[sink->num].iov_base = (void *)(uintptr_t)data;
	sink->pieces[sink->num++].iov_len = data_len;
	return sink->num < SINK_PIECES || flush(sink);
}

/* Zeros up to `padded` after `len` bytes. */
static bool
put_zeros(struct sink *sink, size_t len, size_t padded)
{
	static const unsigned char zeros[INDEX_ALIGN + INDEX_SLACK];

	return put(sink, zeros, padded - len);
}

static bool
put_records(struct sink *sink, const struct built_table *built)
{
	const struct index_table	*table = &built->table;
	const struct stage_block	*block;
	size_t				 len = (size_t)table->num_records *
					    INDEX_STRIDE(table->width,
					    table->tail_size);

	if (built->records != NULL && !put(sink, built->records, len))
		return false;
	for (block = built->chain.first; block != NULL; block = block->next)
		if (!put(sink, block->data, block->used))
			return false;
	return put_zeros(sink, len, records_size(table));
}

/* Everything behind the head. */
static bool
put_tables(const struct index_writer *writer, struct sink *sink)
{
	size_t		i;
	uint32_t	j;

	for (i = 0; i < writer->num_all; i++)
		for (j = 0; j < writer->all[i]->row.num_tables; j++) {
			const struct built_table *built =
			    &writer->all[i]->tables[j];
			const struct index_table *table = &built->table;

			if (!put(sink, built->lines, lines_size(table)) ||
			    !put(sink, built->spill, table->spill_size) ||
			    !put_zeros(sink, table->spill_size,
			    spill_size(table)) || !put_records(sink, built))
				return false;
		}
	return true;
}

/* Counts and offsets of the small parts. */
static void
lay_out(const struct index_writer *writer, struct index_header *header)
{
	size_t	i, strings = 1;

	memset(header, 0, sizeof(*header));
	memcpy(header->magic, INDEX_MAGIC, sizeof(header->magic));
	header->version = INDEX_VERSION_WRITTEN;
	header->header_size = sizeof(*header);
	header->row_size = sizeof(struct index_row);
	header->table_size = sizeof(struct index_table);
	header->num_rows = (uint32_t)writer->num_all;
	for (i = 0; i < writer->num_all; i++) {
		header->num_tables += writer->all[i]->row.num_tables;
		header->num_dps += writer->all[i]->row.num_dps;
		header->entries += writer->all[i]->row.entries;
		strings += strlen(writer->all[i]->source) + 1 +
		    strlen(writer->all[i]->issuer) + 1;
	}
	header->strings_size = strings > INDEX_MAX_STRINGS ?
	    UINT32_MAX : (uint32_t)strings;
	header->rows = sizeof(*header);
	header->tables = header->rows +
	    (uint64_t)header->num_rows * sizeof(struct index_row);
	header->dps = header->tables +
	    (uint64_t)header->num_tables * sizeof(struct index_table);
	header->strings = header->dps + (uint64_t)header->num_dps * 32;
	header->meta_size = round_up(header->strings + strings, INDEX_ALIGN);
}

static uint32_t
put_string(unsigned char *strings, uint32_t *used, const char *text)
{
	uint32_t	at = *used;
	size_t		len = strlen(text) + 1;

	memcpy(strings + at, text, len);
	*used += (uint32_t)len;
	return at;
}

static void
fill_meta(struct index_writer *writer, struct index_header *header)
{
	unsigned char		*meta = writer->meta;
	struct index_row	*rows = (void *)(meta + header->rows);
	struct index_table	*tables = (void *)(meta + header->tables);
	uint64_t		 offset = header->meta_size;
	uint32_t		 num_tables = 0, num_dps = 0, strings = 1, j;
	XXH3_state_t		 state;
	struct sink		 sink = { .hash = &state, .fd = -1 };
	size_t			 i;

	for (i = 0; i < writer->num_all; i++) {
		struct built_row *built = writer->all[i];

		built->row.first_table = num_tables;
		built->row.first_dp = num_dps;
		built->row.source = put_string(meta + header->strings, &strings,
		    built->source);
		built->row.issuer = put_string(meta + header->strings, &strings,
		    built->issuer);
		rows[i] = built->row;
		memcpy(meta + header->dps + (size_t)num_dps * 32, built->dps,
		    (size_t)built->row.num_dps * 32);
		num_dps += built->row.num_dps;
		for (j = 0; j < built->row.num_tables; j++) {
			struct index_table *table = &tables[num_tables++];

			*table = built->tables[j].table;
			table->lines = offset;
			offset += lines_size(table);
			table->spill = offset;
			offset += spill_size(table);
			table->records = offset;
			offset += records_size(table);
		}
	}
	header->file_size = offset;
	XXH3_64bits_reset(&state);
	put_tables(writer, &sink);
	header->tables_hash = XXH3_64bits_digest(&state);
	memcpy(meta, header, sizeof(*header));
	header->meta_hash = XXH3_64bits(meta, header->meta_size);
	memcpy(meta, header, sizeof(*header));
}

bool
index_writer_seal(struct index_writer *writer, struct certauth_error *error_r)
{
	struct index_header	header;

	if (!flatten(writer, error_r))
		return false;
	lay_out(writer, &header);
	if (header.strings_size > INDEX_MAX_STRINGS ||
	    header.num_dps > INDEX_MAX_DPS) {
		error_set(error_r, NULL, 0, "the lists have too many names");
		return false;
	}
	free(writer->meta);
	writer->meta = calloc(1, header.meta_size);
	if (writer->meta == NULL)
		return no_memory(error_r);
	fill_meta(writer, &header);
	writer->meta_len = header.meta_size;
	writer->size = header.file_size;
	writer->entries = header.entries;
	return true;
}

size_t
index_writer_size(const struct index_writer *writer)
{
	return writer->size;
}

size_t
index_writer_entries(const struct index_writer *writer)
{
	return writer->entries;
}

size_t
index_writer_rows(const struct index_writer *writer)
{
	return writer->num_rows;
}

/* ------------------------------------------------------------------ output */

unsigned char *
index_writer_bytes(const struct index_writer *writer)
{
	struct sink	 sink = { .fd = -1 };
	unsigned char	*bytes = aligned_alloc(INDEX_ALIGN, writer->size);

	if (bytes == NULL)
		return NULL;
	sink.p = bytes;
	put(&sink, writer->meta, writer->meta_len);
	put_tables(writer, &sink);
	return bytes;
}

bool
index_writer_write(const struct index_writer *writer, int fd,
    unsigned char sha256_r[32])
{
	struct sink	sink = { .fd = fd };

	if (EVP_Digest(writer->meta, writer->meta_len, sha256_r, NULL,
	    EVP_sha256(), NULL) != 1) {
		errno = EIO;
		return false;
	}
	return put(&sink, writer->meta, writer->meta_len) &&
	    put_tables(writer, &sink) && flush(&sink);
}
