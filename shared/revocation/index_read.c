/*
 * index_read.c - is this serial on the list of that CA?
 *
 * Opens an index over borrowed bytes and looks serials up without allocating.
 * Every offset is checked: those of the small parts once, at open; those of the
 * tables when a lookup touches them, so that opening costs the same at any size.
 * Does not know what "fresh" or "covers" means.
 */

#include <string.h>

#include "base/text.h"
#include "revocation/index.h"
#include "revocation/index_hash.h"

static bool
refuse(struct certauth_error *error_r, const char *text)
{
	error_set(error_r, NULL, 0, "index: %s", text);
	return false;
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
	const uint64_t	all = (uint64_t)1 << 32;
	uint64_t	low = header->meta_size, high = header->file_size;

	if (table->kind != INDEX_KIND_REVOKED)
		return true;	/* passed over, never looked into */
	if (table->width < INDEX_MIN_WIDTH || table->width > INDEX_MAX_WIDTH ||
	    table->negative > 1 || table->tail_size == 0 ||
	    table->tail_size > INDEX_MAX_TAIL || table->span == 0 ||
	    table->span > all || table->low_bits != index_low_bits(table->span) ||
	    /* every h has its line */
	    (all - 1) / table->span + 1 != table->num_lines ||
	    table->low_bits + INDEX_REASON_BITS > table->tail_size * 8u)
		return false;
	return inside(table->lines, table->num_lines, sizeof(struct index_line),
	    low, high) && inside(table->spill, table->spill_size, 1, low, high) &&
	    high - low >= INDEX_SLACK &&
	    inside(table->records, table->num_records,
	    INDEX_STRIDE(table->width, table->tail_size), low,
	    high - INDEX_SLACK);
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

/* A serial as its table has it. */
struct wanted {
	const unsigned char	*rest;
	size_t			 rest_len;
	uint64_t		 low;	/* of the offset */
	unsigned char		 print;
};

/* The prints of a line; false: it is damaged there. */
static inline bool
line_prints(const struct index *index, const struct index_table *table,
    const struct index_line *line, const unsigned char **prints_r,
    uint32_t *num_r)
{
	uint32_t	at, n;

	if (line->count <= INDEX_LINE_PRINTS) {
		*prints_r = line->print;
		*num_r = line->count;
	} else {
		memcpy(&at, line->print, sizeof(at));
		memcpy(&n, line->print + sizeof(at), sizeof(n));
		if (line->count != INDEX_LINE_SPILLED ||
		    at > table->spill_size || n > table->spill_size - at)
			return false;
		*prints_r = index->data + table->spill + at;
		*num_r = n;
	}
	return line->first <= table->num_records &&
	    *num_r <= table->num_records - line->first;
}

static inline bool
same_record(const unsigned char *record, const struct index_table *table,
    const struct wanted *wanted)
{
	uint64_t	tail;

	memcpy(&tail, record, sizeof(tail));
	return (tail & (((uint64_t)1 << table->low_bits) - 1)) == wanted->low &&
	    memcmp(record + table->tail_size, wanted->rest,
	    wanted->rest_len) == 0;
}

static void
tell(const struct index_table *table, const unsigned char *record,
    struct index_entry *entry_r)
{
	uint64_t	tail;

	memcpy(&tail, record, sizeof(tail));
	if (table->tail_size < sizeof(tail))
		tail &= ((uint64_t)1 << (table->tail_size * 8)) - 1;
	tail >>= table->low_bits;
	entry_r->reason = tail & ((1u << INDEX_REASON_BITS) - 1);
	entry_r->date = (int64_t)(tail >> INDEX_REASON_BITS) + table->date_base;
}

/* Sets the top bit of each byte of `line`[8] that may be `print`: of those behind
 * a right one a few are wrong, none is left out. */
static inline uint64_t
matches(const unsigned char *eight, uint64_t pattern)
{
	const uint64_t	ones = 0x0101010101010101u;
	uint64_t	word;

	memcpy(&word, eight, sizeof(word));
	word ^= pattern;
	return (word - ones) & ~word & ones << 7;
}

/* A line that did not spill, the usual one: eight prints at a time. */
static inline const unsigned char *
search_line(const struct index_line *line, const struct index_table *table,
    const unsigned char *records, size_t stride, const struct wanted *wanted)
{
	const unsigned char	*bytes = (const void *)line, *record;
	const unsigned		 skip = offsetof(struct index_line, print);
	uint64_t		 pattern = wanted->print *
				    (uint64_t)0x0101010101010101u, hits;
	unsigned		 i, at;

	for (i = 0; i < sizeof(*line); i += 8) {
		hits = matches(bytes + i, pattern);
		for (; __builtin_expect(hits != 0, 0); hits &= hits - 1) {
			at = i + (unsigned)__builtin_ctzll(hits) / 8;
			if (at < skip || at - skip >= line->count)
				continue;
			record = records + stride * (at - skip);
			if (same_record(record, table, wanted))
				return record;
		}
	}
	return NULL;
}

static enum index_answer
lookup_table(const struct index *index, const struct index_table *table,
    const unsigned char *padded, struct index_entry *entry_r)
{
	const struct index_line	*line;
	const unsigned char	*prints, *records, *found = NULL;
	struct wanted		 wanted;
	uint64_t		 offset;
	size_t			 stride;
	uint32_t		 h, n, i;

	h = index_hash(padded, table->width, table->seed);
	line = (const struct index_line *)(const void *)(index->data +
	    table->lines) + h / table->span;
	offset = h % table->span;
	wanted.print = (unsigned char)(offset >> table->low_bits);
	wanted.low = offset & (((uint64_t)1 << table->low_bits) - 1);
	wanted.rest = padded + 4;
	wanted.rest_len = table->width - 4u;
	if (!line_prints(index, table, line, &prints, &n))
		return INDEX_BROKEN;
	stride = INDEX_STRIDE(table->width, table->tail_size);
	records = index->data + table->records + stride * line->first;
	if (line->count != INDEX_LINE_SPILLED)
		found = search_line(line, table, records, stride, &wanted);
	else
		for (i = 0; i < n && found == NULL; i++)
			if (prints[i] == wanted.print &&
			    same_record(records + stride * i, table, &wanted))
				found = records + stride * i;
	if (found == NULL)
		return INDEX_NOT_LISTED;
	if (entry_r != NULL)
		tell(table, found, entry_r);
	return INDEX_LISTED;
}

enum index_answer
index_lookup(const struct index *index, const struct index_row *row,
    const unsigned char *serial, size_t serial_len, bool negative,
    struct index_entry *entry_r)
{
	const struct index_table *table, *found = NULL;
	unsigned char		  padded[INDEX_MAX_WIDTH] = { 0 };
	size_t			  width = serial_len > INDEX_MIN_WIDTH ?
				    serial_len : INDEX_MIN_WIDTH;
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
		if (table->width == width && (table->negative != 0) == negative)
			found = table;
	}
	if (found == NULL)
		return INDEX_NOT_LISTED;
	memcpy(padded + width - serial_len, serial, serial_len);
	return lookup_table(index, found, padded, entry_r);
}
