/*
 * in_force.c - which of the lists that were loaded are in force?
 *
 * Owns the state: its parts are counted and shared between generations. Of
 * several editions of one list it picks one.
 */

#include <stdlib.h>
#include <string.h>

#include "revocation/load.h"

/* ------------------------------------------------------------------ memory */

void
load_memory_free(struct load_memory *memory)
{
	if (memory == NULL ||
	    atomic_fetch_sub_explicit(&memory->refs, 1, memory_order_acq_rel) != 1)
		return;
	free(memory->bytes);
	free(memory);
}

struct load_memory *
load_memory_ref(struct load_memory *memory)
{
	if (memory != NULL)
		atomic_fetch_add_explicit(&memory->refs, 1, memory_order_relaxed);
	return memory;
}

void
load_mapped_free(struct load_mapped *mapped)
{
	if (mapped == NULL ||
	    atomic_fetch_sub_explicit(&mapped->refs, 1, memory_order_acq_rel) != 1)
		return;
	publish_unmap(&mapped->map);
	free(mapped);
}

struct revocation_data *
revocation_ref(const struct revocation_data *data)
{
	/* The count is the one thing in it that changes. */
	struct revocation_data	*mine = (void *)(uintptr_t)data;

	if (mine != NULL)
		atomic_fetch_add_explicit(&mine->refs, 1, memory_order_relaxed);
	return mine;
}

void
revocation_free(struct revocation_data *data)
{
	size_t	i;

	if (data == NULL ||
	    atomic_fetch_sub_explicit(&data->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (i = 0; i < data->num_units; i++) {
		free(data->units[i].path);
		load_memory_free(data->units[i].memory);
	}
	load_mapped_free(data->mapped);
	free(data->units);
	free(data->broken);
	free(data->rows);
	free(data);
}

struct revocation_data *
load_data_new(size_t num_sources)
{
	struct revocation_data	*data = calloc(1, sizeof(*data));

	if (data == NULL)
		return NULL;
	atomic_init(&data->refs, 1);
	data->broken = calloc(num_sources + 1, sizeof(*data->broken));
	data->num_broken = num_sources;
	if (data->broken == NULL) {
		revocation_free(data);
		return NULL;
	}
	return data;
}

/* Has some other source a list of this scope that is at least as new? */
static bool
superseded(const struct revocation_data *data, size_t num_units,
    const struct index *index, const struct index_row *row)
{
	const struct index	*other;
	size_t			 i, j, first, n;

	for (i = 0; i <= num_units; i++) {
		if (i < num_units)
			other = data->units[i].memory != NULL ?
			    &data->units[i].memory->index : NULL;
		else
			other = data->mapped != NULL ?
			    &data->mapped->map.index : NULL;
		if (other == NULL)
			continue;
		n = index_find(other, row->issuer_sha256, &first);
		for (j = first; j < first + n; j++) {
			const struct index_row *newer = index_row(other, j);

			if (newer != NULL &&
			    index_same_scope(other, newer, index, row) &&
			    index_compare_age(newer, row) >= 0)
				return true;
		}
	}
	return false;
}

bool
load_superseded(const struct revocation_data *data, size_t num_units,
    const struct load_memory *memory)
{
	size_t	i;

	for (i = 0; i < index_num_rows(&memory->index); i++) {
		const struct index_row *row = index_row(&memory->index, i);

		if (row != NULL &&
		    !superseded(data, num_units, &memory->index, row))
			return false;
	}
	return true;
}

/* ---------------------------------------------------------------- in force */

static void
add_rows(struct revocation_data *data, const struct index *index,
    const char *source, bool is_published)
{
	size_t	i;

	for (i = 0; i < index_num_rows(index); i++) {
		const struct index_row *row = index_row(index, i);

		if (row == NULL)
			continue;
		data->rows[data->num_rows].index = index;
		data->rows[data->num_rows].row = row;
		data->rows[data->num_rows].source = source;
		data->rows[data->num_rows].waits = false;
		data->rows[data->num_rows++].published = is_published;
	}
}

/* Scope first; of one scope the one in force comes first. */
static int
compare_rows(const void *a, const void *b)
{
	const struct load_row	*x = a, *y = b;
	int			 c;

	c = memcmp(x->row->issuer_sha256, y->row->issuer_sha256, 32);
	if (c == 0)
		c = memcmp(x->row->key_sha256, y->row->key_sha256, 32);
	if (c == 0 && x->row->flags != y->row->flags)
		c = x->row->flags < y->row->flags ? -1 : 1;
	if (c == 0 && x->row->num_dps != y->row->num_dps)
		c = x->row->num_dps < y->row->num_dps ? -1 : 1;
	if (c == 0 && x->row->num_dps != 0)
		c = memcmp(index_dps(x->index, x->row),
		    index_dps(y->index, y->row), (size_t)x->row->num_dps * 32);
	if (c == 0)
		c = -index_compare_age(x->row, y->row);
	if (c == 0 && x->published != y->published)
		c = x->published ? -1 : 1;
	return c != 0 ? c : strcmp(x->source, y->source);
}

/* Of two lists for one scope the higher number wins, equal: the later
 * thisUpdate, then the published one (INTERFACE 3). The next best is kept behind
 * it: a list that was published before its day must not blind us till then. */
bool
load_put_in_force(struct revocation_data *data)
{
	size_t	i, n = 0, total = 0;
	bool	same;

	for (i = 0; i < data->num_units; i++)
		if (data->units[i].memory != NULL)
			total += index_num_rows(&data->units[i].memory->index);
	if (data->mapped != NULL)
		total += index_num_rows(&data->mapped->map.index);
	data->rows = calloc(total + 1, sizeof(*data->rows));
	if (data->rows == NULL)
		return false;
	for (i = 0; i < data->num_units; i++)
		if (data->units[i].memory != NULL)
			add_rows(data, &data->units[i].memory->index,
			    data->units[i].path, false);
	if (data->mapped != NULL)
		add_rows(data, &data->mapped->map.index, data->mapped->source,
		    true);
	qsort(data->rows, data->num_rows, sizeof(*data->rows), compare_rows);
	for (i = 0; i < data->num_rows; i++) {
		same = n > 0 && index_same_scope(data->rows[n - 1].index,
		    data->rows[n - 1].row, data->rows[i].index,
		    data->rows[i].row);
		if (same && data->rows[n - 1].waits)
			continue;
		data->rows[n] = data->rows[i];
		data->rows[n++].waits = same;
	}
	data->num_rows = n;
	return true;
}
