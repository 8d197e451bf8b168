/*
 * index_copy.c - takes a row of one index over into another, as it is.
 *
 * Tables are borrowed, not read: copying a list of any length costs nothing until
 * it is written.
 */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "revocation/index_build.h"

static bool
no_memory(struct certauth_error *error_r)
{
	error_set(error_r, NULL, 0, "out of memory");
	return false;
}

static bool
copy_tables(struct built_row *row, const struct index *from,
    const struct index_row *from_row, struct certauth_error *error_r)
{
	struct built_table	*built;
	uint32_t		 i;

	row->row.num_tables = 0;
	for (i = 0; i < from_row->num_tables; i++) {
		const struct index_table *table =
		    &from->tables[from_row->first_table + i];

		/* What only helps can be left out; what we do not understand
		 * we cannot carry over. */
		if (table->kind >= INDEX_KIND_AUXILIARY)
			continue;
		if (table->kind != INDEX_KIND_REVOKED) {
			error_set(error_r, NULL, 0, "the index has a table of "
			    "a newer kind");
			return false;
		}
		built = &row->tables[row->row.num_tables++];
		built->table = *table;
		built->lines = (const void *)(from->data + table->lines);
		built->spill = from->data + table->spill;
		built->records = from->data + table->records;
	}
	return true;
}

struct built_row *
built_row_copy(const struct index *from, const struct index_row *from_row,
    struct certauth_error *error_r)
{
	struct built_row	*row = calloc(1, sizeof(*row));

	if (row == NULL) {
		no_memory(error_r);
		return NULL;
	}
	row->row = *from_row;
	row->source = strdup(index_string(from, from_row->source));
	row->issuer = strdup(index_string(from, from_row->issuer));
	row->dps = malloc((size_t)from_row->num_dps * 32 + 1);
	if (row->source == NULL || row->issuer == NULL || row->dps == NULL) {
		built_row_free(row);
		no_memory(error_r);
		return NULL;
	}
	memcpy(row->dps, index_dps(from, from_row),
	    (size_t)from_row->num_dps * 32);
	if (!copy_tables(row, from, from_row, error_r)) {
		built_row_free(row);
		return NULL;
	}
	return row;
}

bool
built_row_copy_members(struct built_row *row, const struct index *from,
    const struct index_row *head, struct certauth_error *error_r)
{
	struct built_row	*member;
	size_t			 i;

	for (i = 0; i < index_num_rows(from); i++) {
		if (!index_is_member(&from->rows[i], head))
			continue;
		member = built_row_copy(from, &from->rows[i], error_r);
		if (member == NULL || !built_row_member(row, member, error_r))
			return false;
	}
	return true;
}
