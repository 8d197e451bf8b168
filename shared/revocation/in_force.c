/*
 * in_force.c - which of the lists that were loaded are in force?
 *
 * Owns the state: its parts are counted and shared between generations. Of
 * several editions of one list it picks one, and puts delta CRLs beside it.
 */

#include <stdio.h>
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
	load_mapped_free(data->answers);
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

/*
 * Does `newer` say all that `row` says, or know better? A delta CRL repeats an
 * older one only from its own base on.
 */
static bool
replaces(const struct index *newer_index, const struct index_row *newer,
    const struct index *index, const struct index_row *row)
{
	return index_same_scope(newer_index, newer, index, row) &&
	    index_compare_age(newer, row) >= 0 &&
	    crl_compare_number(newer->base, newer->base_len, row->base,
	    row->base_len) <= 0;
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

			if (newer != NULL && replaces(other, newer, index, row))
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
	struct load_row	*force;
	size_t		 i;

	for (i = 0; i < index_num_rows(index); i++) {
		const struct index_row *row = index_row(index, i);

		if (row == NULL)
			continue;
		force = &data->rows[data->num_rows++];
		memset(force, 0, sizeof(*force));
		force->index = index;
		force->row = row;
		force->source = source;
		force->published = is_published;
	}
}

static bool
is_delta(const struct load_row *force)
{
	return (force->row->flags & INDEX_DELTA) != 0;
}

/* Whose list, of which scope? A delta CRL is of its complete list's. */
static int
compare_scope(const struct load_row *x, const struct load_row *y)
{
	uint32_t	x_flags = x->row->flags & ~INDEX_DELTA;
	uint32_t	y_flags = y->row->flags & ~INDEX_DELTA;
	int		c;

	c = memcmp(x->row->issuer_sha256, y->row->issuer_sha256, 32);
	if (c == 0)
		c = memcmp(x->row->key_sha256, y->row->key_sha256, 32);
	if (c == 0 && x_flags != y_flags)
		c = x_flags < y_flags ? -1 : 1;
	if (c == 0)
		c = (int)x->row->reasons - (int)y->row->reasons;
	if (c == 0 && x->row->num_dps != y->row->num_dps)
		c = x->row->num_dps < y->row->num_dps ? -1 : 1;
	if (c == 0 && x->row->num_dps != 0)
		c = memcmp(index_dps(x->index, x->row),
		    index_dps(y->index, y->row), (size_t)x->row->num_dps * 32);
	return c;
}

/* Scope first; in it the complete lists, then the delta CRLs, newest first. */
static int
compare_rows(const void *a, const void *b)
{
	const struct load_row	*x = a, *y = b;
	int			 c = compare_scope(x, y);

	if (c == 0 && is_delta(x) != is_delta(y))
		c = is_delta(x) ? 1 : -1;
	if (c == 0)
		c = -index_compare_age(x->row, y->row);
	if (c == 0 && x->published != y->published)
		c = x->published ? -1 : 1;
	return c != 0 ? c : strcmp(x->source, y->source);
}

/*
 * Of the rows of one scope: of two lists the higher number wins, equal: the later
 * thisUpdate, then the published one (INTERFACE 3). The next best is kept behind
 * it: a list that was published before its day must not blind us till then.
 * Delta CRLs stay as long as they are different. Gives how many stay, in front.
 */
static size_t
pick_scope(struct load_row *rows, size_t num_rows)
{
	size_t	i, n = 0, complete = 0, deltas = 0;

	for (i = 0; i < num_rows; i++) {
		/* Twice the same, from a file and published, is one. */
		if (n > 0 && index_same_edition(rows[i].index, rows[i].row,
		    rows[n - 1].index, rows[n - 1].row) &&
		    index_compare_age(rows[i].row, rows[n - 1].row) == 0)
			continue;
		if (is_delta(&rows[i]) ? deltas++ >= LOAD_MAX_DELTAS :
		    complete++ >= 2)
			continue;
		rows[n] = rows[i];
		rows[n].waits = !is_delta(&rows[i]) && complete == 2;
		rows[n++].alone = complete == 0;
	}
	return n;
}

static void
link_deltas(struct revocation_data *data, size_t first, size_t num_rows)
{
	size_t	i, complete = 0;

	while (complete < num_rows && !is_delta(&data->rows[first + complete]))
		complete++;
	for (i = first; i < first + complete; i++) {
		data->rows[i].first_delta = first + complete;
		data->rows[i].num_deltas = num_rows - complete;
	}
}

bool
load_put_in_force(struct revocation_data *data)
{
	size_t	i, j, kept, n = 0, total = 0;

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
	for (i = 0; i < data->num_rows; i = j) {
		for (j = i + 1; j < data->num_rows && compare_scope(
		    &data->rows[i], &data->rows[j]) == 0; j++)
			;
		kept = pick_scope(&data->rows[i], j - i);
		memmove(&data->rows[n], &data->rows[i],
		    kept * sizeof(*data->rows));
		link_deltas(data, n, kept);
		n += kept;
	}
	data->num_rows = n;
	return true;
}

struct revocation_data *
load_map_in_force(struct publish_map *map)
{
	struct revocation_data	*data = load_data_new(0);
	struct load_mapped	*mapped = calloc(1, sizeof(*mapped));

	if (data == NULL || mapped == NULL) {
		free(mapped);
		revocation_free(data);
		publish_unmap(map);
		return NULL;
	}
	atomic_init(&mapped->refs, 1);
	mapped->map = *map;
	snprintf(mapped->source, sizeof(mapped->source), "index %s",
	    map->entry.name);
	memset(map, 0, sizeof(*map));
	data->mapped = mapped;
	if (!load_put_in_force(data)) {
		revocation_free(data);
		return NULL;
	}
	return data;
}
