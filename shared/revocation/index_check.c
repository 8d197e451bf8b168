/*
 * index_check.c - is all of this index in order? For writers and `certauth
 * check`; a lookup only looks at what it touches.
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

/* One line's records, and its prints. */
struct line {
	const unsigned char	*records, *prints;
	uint32_t		 num;
};

/* Where the next line begins says how many this one has. */
static bool
read_line(const struct index *index, const struct index_table *table,
    uint32_t number, struct line *line_r)
{
	const struct index_line	*line = (const struct index_line *)(const void *)
				    (index->data + table->lines) + number;
	uint32_t		 next = number + 1 < table->num_lines ?
				    line[1].first : table->num_records;
	uint32_t		 at, n;

	if (line->first > next || next > table->num_records)
		return false;
	line_r->num = next - line->first;
	line_r->records = index->data + table->records + (size_t)line->first *
	    INDEX_STRIDE(table->width, table->tail_size);
	line_r->prints = line->print;
	if (line->count != INDEX_LINE_SPILLED)
		return line->count <= INDEX_LINE_PRINTS &&
		    line->count == line_r->num;
	memcpy(&at, line->print, sizeof(at));
	memcpy(&n, line->print + sizeof(at), sizeof(n));
	line_r->prints = index->data + table->spill + at;
	return n > INDEX_LINE_PRINTS && n == line_r->num &&
	    at <= table->spill_size && n <= table->spill_size - at;
}

/* Offsets inside the line's span and in order; of one offset by the rest. */
static bool
check_line(const struct index_table *table, const struct line *line)
{
	size_t			 stride = INDEX_STRIDE(table->width,
				    table->tail_size);
	size_t			 rest = table->width - 4u;
	const unsigned char	*record = line->records;
	uint64_t		 tail, offset, last = 0;
	uint32_t		 i;

	for (i = 0; i < line->num; i++, record += stride) {
		memcpy(&tail, record, sizeof(tail));
		offset = (uint64_t)line->prints[i] << table->low_bits |
		    (tail & (((uint64_t)1 << table->low_bits) - 1));
		if (offset >= table->span)
			return false;
		if (i > 0 && (offset < last || (offset == last &&
		    memcmp(record - stride + table->tail_size,
		    record + table->tail_size, rest) >= 0)))
			return false;
		last = offset;
	}
	return true;
}

static bool
check_table(const struct index *index, const struct index_table *table)
{
	struct line	line;
	uint32_t	i, sum = 0;

	for (i = 0; i < table->num_lines; i++) {
		if (!read_line(index, table, i, &line) ||
		    !check_line(table, &line))
			return false;
		sum += line.num;
	}
	/* nothing before the first line */
	return sum == table->num_records;
}

bool
index_check(const struct index *index, struct certauth_error *error_r)
{
	const struct index_row	*row;
	uint64_t		 all = 0, entries;
	size_t			 meta = index->header->meta_size;
	uint32_t		 i, j;

	if (XXH3_64bits(index->data + meta, index->data_len - meta) !=
	    index->header->tables_hash)
		return refuse(error_r, "is damaged: the hash of its tables does "
		    "not match");
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
		/* A serial that is listed twice is one record. */
		if (entries > row->entries ||
		    (entries == 0) != (row->entries == 0))
			return refuse(error_r, "has a row whose entries do not "
			    "add up");
		all += row->entries;
	}
	if (all != index->header->entries)
		return refuse(error_r, "has entries that do not add up");
	return true;
}
