/*
 * table.c - which user does this key mean, and is there such a user?
 *
 * One block of data, 36 bytes a line and two hash indexes, in private memory or in
 * a mapped file. Immutable. Does not read files and knows no certificate.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/text.h"
#include "identity/source.h"
#include "identity/table_inside.h"
#include "identity/template.h"

/* --------------------------------------------------------------- keys, rows */

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * Spells a key as extraction does, in place; used on both sides of every
 * comparison, so it need only be the same function, and only fold what can mean
 * the same. A mailbox: its domain in lower case; not when there is a colon, as
 * a URI says different things in different case. 32 bytes in hexadecimal, with
 * colons or without: lower case without.
 */
size_t
table_key_fold(char *data, size_t len)
{
	size_t	i, digits = 0, colons = 0;

	for (i = 0; i < len && len <= 95; i++) {
		if (hex_digit(data[i]) >= 0)
			digits++;
		else if (data[i] == ':' && i % 3 == 2)
			colons++;
		else
			break;
	}
	if (i == len && digits == 64 && (colons == 0 || colons == 31)) {
		for (i = 0, digits = 0; i < len; i++)
			if (data[i] != ':')
				data[digits++] = data[i];
		text_lower_ascii(data, digits);
		data[digits] = '\0';
		return digits;
	}
	if (memchr(data, ':', len) == NULL)
		mailbox_fold(data, len);
	return len;
}

/* Does this piece of the data end in its NUL? */
static bool
piece_ok(const struct table *table, uint32_t at, uint32_t len)
{
	return (uint64_t)at + len < table->data_len &&
	    table->data[(size_t)at + len] == '\0';
}

/* A mapped file is believed no further than its bounds. */
const struct table_row *
table_row_at(const struct table *table, uint32_t n)
{
	const struct table_row	*row;

	if (n >= table->num_rows)
		return NULL;
	row = &table->rows[n];
	if (table->map != NULL && (row->time > table->num_times ||
	    !piece_ok(table, row->key, row->key_len) ||
	    !piece_ok(table, row->user, row->user_len) ||
	    !piece_ok(table, row->groups, row->groups_len)))
		return NULL;
	return row;
}

/* The next one of a list: its number falls, so the list ends. */
static uint32_t
older(uint32_t n, uint32_t next)
{
	return next < n ? next : TABLE_NO_ROW;
}

struct table_span
table_row_time(const struct table *table, const struct table_row *row)
{
	static const struct table_span	always = { INT64_MIN, INT64_MAX };

	return row->time == 0 ? always : table->times[row->time - 1];
}

static bool
in_force(const struct table *table, const struct table_row *row, int64_t now)
{
	struct table_span	time = table_row_time(table, row);

	return now >= time.from && now <= time.until;
}

uint32_t
table_find_row(const struct table *table, bool by_user, const char *data,
    size_t data_len, struct keyindex_probe *end_r)
{
	const struct keyindex	*index = by_user ? &table->users : &table->keys;
	struct keyindex_probe	 probe;
	const struct table_row	*row;
	uint32_t		 n;

	keyindex_probe(index, data, data_len, &probe);
	if (end_r != NULL)
		*end_r = probe;
	while ((n = keyindex_next(index, &probe)) != KEYINDEX_NONE) {
		row = table_row_at(table, n);
		if (row == NULL)
			continue;
		if (end_r != NULL)
			*end_r = probe;
		if (by_user ? row->user_len == data_len &&
		    memcmp(table->data + row->user, data, data_len) == 0 :
		    row->key_len == data_len &&
		    memcmp(table->data + row->key, data, data_len) == 0)
			return n;
	}
	return TABLE_NO_ROW;
}

/* ------------------------------------------------------------------ public */

struct table *
table_ref(struct table *table)
{
	atomic_fetch_add(&table->refs, 1);
	return table;
}

void
table_free(struct table *table)
{
	if (table == NULL || atomic_fetch_sub(&table->refs, 1) != 1)
		return;
	if (table->map != NULL) {
		(void)munmap(table->map, table->map_len);
		free(table);
		return;
	}
	keyindex_free(&table->keys);
	keyindex_free(&table->users);
	free(table->times);
	free(table->rows);
	free(table->data);
	free(table);
}

bool
table_lookup(const struct table *table, const char *key, size_t key_len,
    int64_t now, struct table_entry *entry_r)
{
	char			 folded[TABLE_MAX_LINE + 1];
	const struct table_row	*row;
	uint32_t		 n;

	entry_r->user = entry_r->groups = entry_r->also = "";
	if (key_len == 0 || key_len > TABLE_MAX_LINE || key[0] == TABLE_MARK)
		return false;
	memcpy(folded, key, key_len);
	folded[key_len] = '\0';
	key_len = table_key_fold(folded, key_len);
	for (n = table_find_row(table, false, folded, key_len, NULL);
	    (row = table_row_at(table, n)) != NULL;
	    n = older(n, row->next_key)) {
		if (in_force(table, row, now)) {
			entry_r->user = table->data + row->user;
			entry_r->groups = table->data + row->groups;
			entry_r->also = table_row_also(table, n);
			return true;
		}
	}
	return false;
}

bool
table_has(const struct table *table, const char *user, size_t user_len,
    int64_t now)
{
	char			 folded[TABLE_MAX_LINE + 1];
	const struct table_row	*row;
	uint32_t		 n;

	if (user_len == 0 || user_len > TABLE_MAX_LINE)
		return false;
	for (n = table_find_row(table, true, user, user_len, NULL);
	    (row = table_row_at(table, n)) != NULL;
	    n = older(n, row->next_user)) {
		if (in_force(table, row, now))
			return true;
	}
	/* In a list of one column the name is a key, and folded like one. */
	memcpy(folded, user, user_len);
	folded[user_len] = '\0';
	user_len = table_key_fold(folded, user_len);
	for (n = table_find_row(table, true, folded, user_len, NULL);
	    (row = table_row_at(table, n)) != NULL;
	    n = older(n, row->next_user)) {
		if (row->user == row->key && in_force(table, row, now))
			return true;
	}
	return false;
}

bool
table_row_is_aside(const struct table *table, const struct table_row *row)
{
	return table->data[row->key] == TABLE_MARK ||
	    table->data[row->key] == TABLE_ALSO;
}

const char *
table_row_also(const struct table *table, uint32_t n)
{
	const struct table_row	*row = table_row_at(table, n + 1);

	return row != NULL && table->data[row->key] == TABLE_ALSO ?
	    table->data + row->user : "";
}

/* The mark's key: a control character, the authority, another one, the name. */
static void
read_mark(const struct table *table, const struct table_row *row,
    struct table_line *line)
{
	const char	*key = table->data + row->key, *end;

	if (row->key_len == 0)
		return;
	end = memchr(key + 1, TABLE_MARK, row->key_len - 1u);
	if (end == NULL)
		return;
	line->authority = key + 1;
	line->authority_len = (size_t)(end - line->authority);
	line->same = end + 1;
}

bool
table_next_line(const struct table *table, size_t *at_io,
    struct table_line *line_r)
{
	const struct table_row	*row = NULL;
	struct table_span	 time;

	memset(line_r, 0, sizeof(*line_r));
	while (*at_io < table->num_rows) {
		row = table_row_at(table, (uint32_t)(*at_io)++);
		if (row != NULL && !table_row_is_aside(table, row))
			break;
		row = NULL;
	}
	if (row == NULL)
		return false;
	time = table_row_time(table, row);
	line_r->key = table->data + row->key;
	line_r->user = table->data + row->user;
	line_r->groups = table->data + row->groups;
	line_r->authority = line_r->same = "";
	line_r->from = time.from;
	line_r->until = time.until;
	line_r->line = row->line;
	line_r->also = table_row_also(table, (uint32_t)*at_io - 1);
	while (*at_io < table->num_rows) {
		row = table_row_at(table, (uint32_t)*at_io);
		if (row == NULL || !table_row_is_aside(table, row))
			break;
		if (table->data[row->key] == TABLE_MARK)
			read_mark(table, row, line_r);
		(*at_io)++;
	}
	return true;
}

size_t
table_size(const struct table *table)
{
	const struct table_row	*row;
	size_t			 i, num = 0;

	for (i = 0; i < table->num_rows; i++) {
		row = table_row_at(table, (uint32_t)i);
		num += row != NULL && !table_row_is_aside(table, row);
	}
	return num;
}

size_t
table_case_twins(const struct table *table, table_twin_fn *tell, void *context)
{
	struct keyindex		 index = { 0 };
	struct keyindex_probe	 probe, end;
	const struct table_row	*row, *other;
	char			 low[TABLE_MAX_LINE + 1], low2[TABLE_MAX_LINE + 1];
	uint32_t		 n, m;
	size_t			 found = 0;

	if (!keyindex_init(&index, table->num_rows))
		return 0;
	for (n = 0; n < table->num_rows; n++) {
		row = table_row_at(table, n);
		if (row == NULL || row->key_len > TABLE_MAX_LINE ||
		    table_row_is_aside(table, row))
			continue;
		memcpy(low, table->data + row->key, row->key_len);
		text_lower_ascii(low, row->key_len);
		keyindex_probe(&index, low, row->key_len, &probe);
		end = probe;
		while ((m = keyindex_next(&index, &probe)) != KEYINDEX_NONE) {
			other = table_row_at(table, m);
			if (other == NULL ||
			    other->key_len != row->key_len)
				continue;
			memcpy(low2, table->data + other->key, row->key_len);
			text_lower_ascii(low2, row->key_len);
			if (memcmp(low, low2, row->key_len) == 0)
				break;
		}
		if (m == KEYINDEX_NONE) {
			keyindex_put(&index, &end, n);
			continue;
		}
		other = &table->rows[m];
		if (strcmp(table->data + row->user,
		    table->data + other->user) != 0 &&
		    memcmp(table->data + row->key, table->data + other->key,
		    row->key_len) != 0 && found++ < TABLE_MAX_TWINS)
			tell(context, other->line, row->line,
			    table->data + row->key);
	}
	keyindex_free(&index);
	return found;
}

bool
table_is_timed(const struct table *table)
{
	return table->num_times > 0;
}
