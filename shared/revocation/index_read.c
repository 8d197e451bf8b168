/*
 * index_read.c - is this serial on the list of that CA?
 *
 * Opens an index over borrowed bytes and looks serials up without allocating.
 * Every offset is checked: those of the small parts once, at open; those of the
 * tables when a lookup touches them, so that opening costs the same at any size.
 * Does not know what "fresh" or "covers" means.
 */

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/text.h"
#include "revocation/index.h"

#define CACHE_LINE	64

static bool
refuse(struct certauth_error *error_r, const char *text)
{
	error_set(error_r, NULL, 0, "index: %s", text);
	return false;
}

/* -------------------------------------------------------------------- hash */

/* The finisher of MurmurHash3: every step can be undone. */
static inline uint32_t
mix(uint32_t h)
{
	h ^= h >> 16;
	h *= 0x85ebca6bu;
	h ^= h >> 13;
	h *= 0xc2b2ae35u;
	return h ^ h >> 16;
}

uint32_t
index_hash(const unsigned char *serial, size_t width, uint64_t seed)
{
	uint32_t	head = (uint32_t)serial[0] << 24 |
			    (uint32_t)serial[1] << 16 |
			    (uint32_t)serial[2] << 8 | serial[3];

	return mix(head ^ (uint32_t)XXH3_64bits_withSeed(serial + 4, width - 4,
	    seed));
}

/* -------------------------------------------------------------------- open */

/* num x size bytes from `offset` on, 8-aligned, inside [low, high]? */
static bool
inside(uint64_t offset, uint64_t num, uint64_t size, uint64_t low, uint64_t high)
{
	return offset % 8 == 0 && offset >= low && offset <= high &&
	    num <= (high - offset) / size;
}

static bool
header_plausible(const struct index_header *header, size_t data_len,
    struct certauth_error *error_r)
{
	if (memcmp(header->magic, INDEX_MAGIC, sizeof(header->magic)) != 0)
		return refuse(error_r, "is not an index of certauth");
	if (header->version != INDEX_VERSION) {
		error_set(error_r, NULL, 0, "index: has version %u; this "
		    "program reads version %u", header->version, INDEX_VERSION);
		return false;
	}
	if (header->header_size != sizeof(*header) ||
	    header->row_size != sizeof(struct index_row) ||
	    header->table_size != sizeof(struct index_table))
		return refuse(error_r, "has sizes that are not of this version");
	if (header->file_size != data_len)
		return refuse(error_r, "is cut short or has grown");
	if (header->meta_size % 8 != 0 || header->meta_size < sizeof(*header) ||
	    header->meta_size > header->file_size ||
	    header->num_rows > INDEX_MAX_ROWS ||
	    header->num_tables > header->num_rows * INDEX_MAX_ROW_TABLES ||
	    header->num_dps > INDEX_MAX_DPS ||
	    header->strings_size > INDEX_MAX_STRINGS ||
	    header->strings_size == 0)
		return refuse(error_r, "has counts out of bounds");
	if (!inside(header->rows, header->num_rows, sizeof(struct index_row),
	    sizeof(*header), header->meta_size) ||
	    !inside(header->tables, header->num_tables,
	    sizeof(struct index_table), sizeof(*header), header->meta_size) ||
	    !inside(header->dps, header->num_dps, 32, sizeof(*header),
	    header->meta_size) ||
	    !inside(header->strings, header->strings_size, 1, sizeof(*header),
	    header->meta_size))
		return refuse(error_r, "has parts that lie outside");
	return true;
}

static uint64_t
meta_hash(const unsigned char *data, const struct index_header *header)
{
	struct index_header	copy = *header;
	XXH3_state_t		state;

	copy.meta_hash = 0;
	XXH3_64bits_reset(&state);
	XXH3_64bits_update(&state, &copy, sizeof(copy));
	XXH3_64bits_update(&state, data + sizeof(copy),
	    header->meta_size - sizeof(copy));
	return XXH3_64bits_digest(&state);
}

static bool
table_inside(const struct index_header *header, const struct index_table *table)
{
	if (table->kind != INDEX_KIND_REVOKED)
		return true;	/* passed over, never looked into */
	if (table->width < INDEX_MIN_WIDTH || table->width > INDEX_MAX_WIDTH ||
	    table->negative > 1 || table->bucket_bits > INDEX_MAX_BITS)
		return false;
	return inside(table->buckets, ((uint64_t)1 << table->bucket_bits) + 1,
	    sizeof(uint32_t), header->meta_size, header->file_size) &&
	    inside(table->records, table->num_records,
	    INDEX_STRIDE(table->width, table->bucket_bits), header->meta_size,
	    header->file_size);
}

static bool
row_inside(const struct index_header *header, const struct index_row *row)
{
	return row->num_tables <= INDEX_MAX_ROW_TABLES &&
	    row->first_table <= header->num_tables &&
	    row->num_tables <= header->num_tables - row->first_table &&
	    row->num_dps <= CRL_MAX_DPS && row->first_dp <= header->num_dps &&
	    row->num_dps <= header->num_dps - row->first_dp &&
	    row->source < header->strings_size &&
	    row->issuer < header->strings_size &&
	    row->number_len <= CRL_MAX_NUMBER && row->base_len <= CRL_MAX_NUMBER;
}

bool
index_open(struct index *index_r, const unsigned char *data, size_t data_len,
    struct certauth_error *error_r)
{
	const struct index_header	*header;
	uint32_t			 i;

	memset(index_r, 0, sizeof(*index_r));
	if (data == NULL || data_len < sizeof(*header) ||
	    (uintptr_t)data % 8 != 0)
		return refuse(error_r, "is shorter than its header");
	header = (const void *)data;
	if (!header_plausible(header, data_len, error_r))
		return false;
	if (header->meta_hash != meta_hash(data, header))
		return refuse(error_r, "is damaged: its hash does not match");
	if (data[header->strings + header->strings_size - 1] != '\0')
		return refuse(error_r, "has strings without an end");
	index_r->rows = (const void *)(data + header->rows);
	index_r->tables = (const void *)(data + header->tables);
	for (i = 0; i < header->num_tables; i++)
		if (!table_inside(header, &index_r->tables[i]))
			goto outside;
	for (i = 0; i < header->num_rows; i++) {
		if (!row_inside(header, &index_r->rows[i]))
			goto outside;
		/* index_find() searches by bisection. */
		if (i > 0 && memcmp(index_r->rows[i - 1].issuer_sha256,
		    index_r->rows[i].issuer_sha256, 32) > 0)
			goto outside;
	}
	index_r->data = data;
	index_r->data_len = data_len;
	index_r->header = header;
	return true;
outside:
	memset(index_r, 0, sizeof(*index_r));
	return refuse(error_r, "has rows or tables that lie outside or are not "
	    "in order");
}

/* -------------------------------------------------------------------- rows */

size_t
index_num_rows(const struct index *index)
{
	return index->header != NULL ? index->header->num_rows : 0;
}

/* A part of a list that we do not understand must not say "good". */
static bool
row_understood(const struct index_row *row)
{
	return (row->flags & ~INDEX_KNOWN_FLAGS) == 0 &&
	    (row->reasons & ~CRL_ALL_REASONS) == 0 &&
	    ((row->flags & INDEX_DELTA) != 0) == (row->base_len != 0);
}

const struct index_row *
index_row(const struct index *index, size_t i)
{
	const struct index_row	*row;

	if (i >= index_num_rows(index))
		return NULL;
	row = &index->rows[i];
	return row_understood(row) && (row->flags & INDEX_MEMBER) == 0 ? row :
	    NULL;
}

bool
index_is_member(const struct index_row *row, const struct index_row *head)
{
	return (head->flags & INDEX_INDIRECT) != 0 &&
	    row->flags == (head->flags | INDEX_MEMBER) &&
	    memcmp(row->signature_sha256, head->signature_sha256, 32) == 0 &&
	    memcmp(row->key_sha256, head->key_sha256, 32) == 0 &&
	    row_understood(row);
}

const struct index_row *
index_member(const struct index *index, const struct index_row *head,
    const unsigned char issuer_sha256[32])
{
	size_t	first, n, i;

	if ((head->flags & INDEX_INDIRECT) == 0)
		return NULL;
	n = index_find(index, issuer_sha256, &first);
	for (i = first; i < first + n; i++)
		if (index_is_member(&index->rows[i], head))
			return &index->rows[i];
	return NULL;
}

uint64_t
index_entries(const struct index *index, const struct index_row *head)
{
	uint64_t	n = head->entries;
	size_t		i;

	if ((head->flags & INDEX_INDIRECT) == 0)
		return n;
	for (i = 0; i < index_num_rows(index); i++)
		if (index_is_member(&index->rows[i], head))
			n += index->rows[i].entries;
	return n;
}

size_t
index_find(const struct index *index, const unsigned char issuer_sha256[32],
    size_t *first_r)
{
	size_t	low = 0, high = index_num_rows(index), middle, n;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (memcmp(index->rows[middle].issuer_sha256, issuer_sha256,
		    32) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (n = 0; low + n < index_num_rows(index) &&
	    memcmp(index->rows[low + n].issuer_sha256, issuer_sha256, 32) == 0;
	    n++)
		;
	*first_r = low;
	return n;
}

const char *
index_string(const struct index *index, uint32_t offset)
{
	if (index->header == NULL || offset >= index->header->strings_size)
		return "";
	return (const char *)index->data + index->header->strings + offset;
}

const unsigned char *
index_dps(const struct index *index, const struct index_row *row)
{
	return index->data + index->header->dps + (size_t)row->first_dp * 32;
}

void
index_row_stamp(const struct index_row *row, struct file_stamp *stamp_r)
{
	stamp_r->device = row->stamp[0];
	stamp_r->inode = row->stamp[1];
	stamp_r->size = (int64_t)row->stamp[2];
	stamp_r->mtime_ns = (int64_t)row->stamp[3];
	stamp_r->ctime_ns = (int64_t)row->stamp[4];
}

bool
index_same_scope(const struct index *a_index, const struct index_row *a,
    const struct index *b_index, const struct index_row *b)
{
	return memcmp(a->issuer_sha256, b->issuer_sha256, 32) == 0 &&
	    memcmp(a->key_sha256, b->key_sha256, 32) == 0 &&
	    a->flags == b->flags && a->reasons == b->reasons &&
	    a->num_dps == b->num_dps &&
	    (a->num_dps == 0 || memcmp(index_dps(a_index, a),
	    index_dps(b_index, b), (size_t)a->num_dps * 32) == 0);
}

bool
index_same_edition(const struct index *a_index, const struct index_row *a,
    const struct index *b_index, const struct index_row *b)
{
	return index_same_scope(a_index, a, b_index, b) &&
	    crl_compare_number(a->base, a->base_len, b->base, b->base_len) == 0;
}

uint32_t
index_flags(const struct crl *crl)
{
	return (crl->user_only ? INDEX_USER_ONLY : 0) |
	    (crl->ca_only ? INDEX_CA_ONLY : 0) |
	    (crl->has_dps ? INDEX_HAS_DPS : 0) |
	    (crl->indirect ? INDEX_INDIRECT : 0) |
	    (crl->delta ? INDEX_DELTA : 0);
}

int
index_compare_age(const struct index_row *a, const struct index_row *b)
{
	return crl_compare_age(a->number, a->number_len, a->this_update,
	    b->number, b->number_len, b->this_update);
}

/* ------------------------------------------------------------------ lookup */

/* One bucket's records; false: the directory is damaged there. */
static inline bool
bucket_range(const struct index *index, const struct index_table *table,
    uint32_t bucket, uint32_t *first_r, uint32_t *last_r)
{
	const uint32_t	*buckets = (const void *)(index->data + table->buckets);

	*first_r = buckets[bucket];
	*last_r = buckets[(size_t)bucket + 1];
	return *first_r <= *last_r && *last_r <= table->num_records;
}

static inline uint32_t
bucket_of(uint32_t h, unsigned bits)
{
	return bits == 0 ? 0 : h >> (32 - bits);
}

/* The bytes a record has for this serial: lower bytes of h, then the rest. */
static inline size_t
record_key(unsigned char *key, uint32_t h, const unsigned char *serial,
    size_t width, unsigned bits)
{
	size_t	spared = INDEX_SPARED(bits), i, n = 0;

	for (i = spared; i < 4; i++)
		key[n++] = (unsigned char)(h >> (8 * (3 - i)));
	memcpy(key + n, serial + 4, width - 4);
	return n + width - 4;
}

static enum index_answer
lookup_table(const struct index *index, const struct index_table *table,
    const unsigned char *padded, struct index_entry *entry_r)
{
	unsigned char		 key[INDEX_MAX_WIDTH];
	const unsigned char	*records = index->data + table->records, *found;
	size_t			 stride, key_len;
	uint32_t		 h, low, high, last, middle, date;

	h = index_hash(padded, table->width, table->seed);
	if (!bucket_range(index, table, bucket_of(h, table->bucket_bits), &low,
	    &last))
		return INDEX_BROKEN;
	key_len = record_key(key, h, padded, table->width, table->bucket_bits);
	stride = key_len + INDEX_TAIL;
	/* A bucket is two or three cache lines: ask for them at once. */
	__builtin_prefetch(records + stride * low);
	__builtin_prefetch(records + stride * low + CACHE_LINE);
	/* The first that is not smaller: of twins the worst. */
	for (high = last; low < high; ) {
		middle = low + (high - low) / 2;
		if (index_compare_keys(records + stride * middle, key,
		    key_len) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	found = records + stride * low;
	if (low == last || index_compare_keys(found, key, key_len) != 0)
		return INDEX_NOT_LISTED;
	if (entry_r != NULL) {
		memcpy(&date, found + key_len, sizeof(date));
		entry_r->date = date;
		entry_r->reason = found[key_len + 4] & 0x0fu;
	}
	return INDEX_LISTED;
}

enum index_answer
index_lookup(const struct index *index, const struct index_row *row,
    const unsigned char *serial, size_t serial_len, bool negative,
    struct index_entry *entry_r)
{
	const struct index_table *table, *best = NULL;
	unsigned char		  padded[INDEX_MAX_WIDTH] = { 0 };
	uint32_t		  i;

	if (serial_len == 0 || serial_len > CERT_MAX_SERIAL)
		return INDEX_BROKEN;
	for (i = 0; i < row->num_tables; i++) {
		table = &index->tables[row->first_table + i];
		if (table->kind >= INDEX_KIND_AUXILIARY)
			continue;
		/* What is in a table of another kind we cannot say. */
		if (table->kind != INDEX_KIND_REVOKED)
			return INDEX_BROKEN;
		if ((table->negative != 0) == negative &&
		    table->width >= serial_len &&
		    (best == NULL || table->width < best->width))
			best = table;
	}
	if (best == NULL)
		return INDEX_NOT_LISTED;
	memcpy(padded + best->width - serial_len, serial, serial_len);
	return lookup_table(index, best, padded, entry_r);
}

/* ------------------------------------------------------------------- check */

static bool
check_bucket(const struct index_table *table, const unsigned char *records,
    uint32_t bucket, uint32_t first, uint32_t last)
{
	unsigned	bits = table->bucket_bits, left = bits % 8;
	size_t		stride = INDEX_STRIDE(table->width, bits);
	uint32_t	i;

	for (i = first; i < last; i++) {
		const unsigned char *record = records + stride * i;

		/* The bits of the bucket's number that are stored again. */
		if (left != 0 && (unsigned)(record[0] >> (8 - left)) !=
		    (bucket & ((1u << left) - 1)))
			return false;
		if (i > first && index_compare_keys(record - stride, record,
		    stride - INDEX_TAIL) > 0)
			return false;
	}
	return true;
}

static bool
check_table(const struct index *index, const struct index_table *table)
{
	const unsigned char	*records = index->data + table->records;
	uint32_t		 bucket, first, last, expected = 0;

	for (bucket = 0; bucket < (uint32_t)1 << table->bucket_bits; bucket++) {
		if (!bucket_range(index, table, bucket, &first, &last) ||
		    first != expected ||
		    !check_bucket(table, records, bucket, first, last))
			return false;
		expected = last;
	}
	return expected == table->num_records;
}

bool
index_check(const struct index *index, struct certauth_error *error_r)
{
	const struct index_row	*row;
	uint64_t		 all = 0, entries;
	uint32_t		 i, j;

	for (i = 0; i < index_num_rows(index); i++) {
		row = &index->rows[i];
		for (entries = 0, j = 0; j < row->num_tables; j++) {
			const struct index_table *table =
			    &index->tables[row->first_table + j];

			if (table->kind != INDEX_KIND_REVOKED)
				continue;
			if (!check_table(index, table))
				return refuse(error_r, "has a table that is not "
				    "in order");
			entries += table->num_records;
		}
		if (entries != row->entries)
			return refuse(error_r, "has a row whose entries do not "
			    "add up");
		all += entries;
	}
	if (all != index->header->entries)
		return refuse(error_r, "has entries that do not add up");
	return true;
}
