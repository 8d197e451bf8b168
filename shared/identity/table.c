/*
 * table.c - which user does this key mean, and is there such a user?
 *
 * Reads a text map into one private copy of the file, 40 bytes a line and two
 * hash indexes. Immutable afterwards. Does not read files and knows no
 * certificate.
 */

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "identity/keyindex.h"
#include "identity/lines.h"
#include "identity/rules.h"
#include "identity/source.h"
#include "identity/suggest.h"
#include "identity/table.h"
#include "identity/template.h"

_Static_assert(LINES_MAX_LINE == TABLE_MAX_LINE, "one ceiling for lines");

/* Lines of one key, each for another time. */
#define TABLE_MAX_SAME_KEY	64u
#define TABLE_NO_ROW		UINT32_MAX

struct row {
	uint32_t	key, user, groups;	/* offsets in the copy */
	uint16_t	key_len, user_len;
	uint32_t	line;
	uint32_t	time;			/* number in times, 0: always */
	uint32_t	next_key, next_user;	/* older row of the same */
};
struct span { int64_t from, until; };		/* both belong to it */

struct table {
	atomic_uint	 refs;
	char		*data;
	struct row	*rows;
	size_t		 num_rows;
	struct span	*times;
	size_t		 num_times, max_times;
	struct keyindex	 keys, users;
};

/* What one line says. */
struct entry {
	struct word	key, user, groups;
	struct span	time;
};

/* --------------------------------------------------------------- one line */

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
static size_t
key_fold(char *data, size_t len)
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

/* DATE of not-before or not-after. A date alone is the whole day, in UTC. */
static bool
read_date(const char *text, bool end, int64_t *seconds_r)
{
	if (!text_time_parse(text, seconds_r))
		return false;
	if (end && text[0] != '@' && strchr(text, ':') == NULL)
		*seconds_r += 24 * 3600 - 1;
	return true;
}

/* True when the word is a date setting or nothing that may stand here. */
static bool
read_setting(const struct lines *lines, const struct word *word,
    struct entry *entry, bool *fault_r, struct certauth_error *error_r)
{
	static const char *const names[] = { "not-before=", "not-after=", NULL };
	char		 shown[128];
	int64_t		*at;
	bool		 end;

	*fault_r = false;
	if (word->quoted || memchr(word->data, '=', word->data_len) == NULL)
		return false;
	text_printable(shown, sizeof(shown), word->data, word->data_len);
	*fault_r = true;
	end = strncmp(word->data, names[1], strlen(names[1])) == 0;
	if (!end && strncmp(word->data, names[0], strlen(names[0])) != 0) {
		/* A misspelt not-after that is taken for a group would be
		 * access without end. */
		error_set(error_r, lines->file, lines->line, "found \"%s\", "
		    "expected not-before=DATE or not-after=DATE (a name with an "
		    "= goes in quotes)", shown);
		error_suggest(error_r, word->data,
		    strcspn(word->data, "=") + 1, names);
		return true;
	}
	at = end ? &entry->time.until : &entry->time.from;
	if (*at != (end ? INT64_MAX : INT64_MIN)) {
		error_set(error_r, lines->file, lines->line,
		    "found \"%s\" a second time, expected it once", shown);
		return true;
	}
	if (!read_date(word->data + strlen(names[end]), end, at)) {
		error_set(error_r, lines->file, lines->line, "found \"%s\", "
		    "expected a date as 2026-03-31, 2026-03-31T12:00:00Z or "
		    "@1774958400", shown);
		return true;
	}
	*fault_r = false;
	return true;
}

static bool
check_groups(const struct lines *lines, const struct word *groups,
    struct certauth_error *error_r)
{
	const char	*name = groups->data;
	size_t		 len;

	for (;;) {
		len = strcspn(name, ",");
		if (len == 0 || name[0] == ' ' || name[len - 1] == ' ') {
			error_set(error_r, lines->file, lines->line,
			    "found an empty group or a blank beside a comma, "
			    "expected group,group");
			return false;
		}
		if (name[len] == '\0')
			return true;
		name += len + 1;
	}
}

static bool
check_entry(const struct lines *lines, struct entry *entry,
    struct certauth_error *error_r)
{
	const char	*fault;

	if (entry->key.data_len == 0) {
		error_set(error_r, lines->file, lines->line,
		    "found an empty key, expected what the rule's key gives");
		return false;
	}
	entry->key.data_len = key_fold(entry->key.data, entry->key.data_len);
	if (entry->user.data == NULL)
		entry->user = entry->key;	/* a list, for must_exist */
	else {
		fault = user_name_fault(entry->user.data, entry->user.data_len);
		if (fault != NULL) {
			error_set(error_r, lines->file, lines->line,
			    "found %s, expected 1 to 255 bytes that begin with "
			    "neither - nor .", fault);
			return false;
		}
	}
	if (entry->time.from > entry->time.until) {
		error_set(error_r, lines->file, lines->line,
		    "found a not-before after not-after, expected it before");
		return false;
	}
	return entry->groups.data == NULL ||
	    check_groups(lines, &entry->groups, error_r);
}

static bool
read_entry(struct lines *lines, struct entry *entry_r,
    struct certauth_error *error_r)
{
	struct word		 word;
	enum lines_result	 got;
	bool			 fault;

	memset(entry_r, 0, sizeof(*entry_r));
	entry_r->time.from = INT64_MIN;
	entry_r->time.until = INT64_MAX;
	if (lines_word(lines, &entry_r->key, error_r) != LINES_GOT)
		return false;
	while ((got = lines_word(lines, &word, error_r)) == LINES_GOT) {
		if (read_setting(lines, &word, entry_r, &fault, error_r)) {
			if (fault)
				return false;
			continue;
		}
		if (entry_r->user.data == NULL)
			entry_r->user = word;
		else if (entry_r->groups.data == NULL)
			entry_r->groups = word;
		else {
			error_set(error_r, lines->file, lines->line,
			    "found a fourth word, expected key user "
			    "[group,group...] [not-before=DATE] "
			    "[not-after=DATE] (a name with a blank goes in "
			    "quotes)");
			return false;
		}
	}
	return got == LINES_END && check_entry(lines, entry_r, error_r);
}

/* ---------------------------------------------------------------- the rows */

static struct span
row_time(const struct table *table, const struct row *row)
{
	static const struct span	always = { INT64_MIN, INT64_MAX };

	return row->time == 0 ? always : table->times[row->time - 1];
}

static bool
in_force(const struct table *table, const struct row *row, int64_t now)
{
	struct span	time = row_time(table, row);

	return now >= time.from && now <= time.until;
}

static uint32_t
find_row(const struct table *table, bool by_user, const char *data,
    size_t data_len, struct keyindex_probe *end_r)
{
	const struct keyindex	*index = by_user ? &table->users : &table->keys;
	struct keyindex_probe	 probe;
	const struct row	*row;
	uint32_t		 n;

	keyindex_probe(index, data, data_len, &probe);
	if (end_r != NULL)
		*end_r = probe;
	while ((n = keyindex_next(index, &probe)) != KEYINDEX_NONE) {
		row = &table->rows[n];
		if (by_user ? row->user_len == data_len &&
		    memcmp(table->data + row->user, data, data_len) == 0 :
		    row->key_len == data_len &&
		    memcmp(table->data + row->key, data, data_len) == 0)
			return n;
	}
	return TABLE_NO_ROW;
}

/* Rows of one key must agree wherever their times overlap. */
static bool
check_same_key(const struct table *table, uint32_t first, const struct row *row,
    const char *file, struct certauth_error *error_r)
{
	const struct row	*other;
	struct span		 a = row_time(table, row), b;
	char			 key[128], one[128], two[128];
	uint32_t		 n, num = 0;

	for (n = first; n != TABLE_NO_ROW; n = other->next_key) {
		other = &table->rows[n];
		b = row_time(table, other);
		if (++num == TABLE_MAX_SAME_KEY) {
			error_set(error_r, file, row->line,
			    "found more than %u lines for one key",
			    TABLE_MAX_SAME_KEY);
			return false;
		}
		if (a.from > b.until || b.from > a.until)
			continue;
		if (strcmp(table->data + row->user,
		    table->data + other->user) == 0 &&
		    strcmp(table->data + row->groups,
		    table->data + other->groups) == 0)
			continue;
		text_printable(key, sizeof(key), table->data + row->key,
		    row->key_len);
		text_printable(one, sizeof(one), table->data + other->user,
		    other->user_len);
		text_printable(two, sizeof(two), table->data + row->user,
		    row->user_len);
		error_set(error_r, file, row->line, "found key \"%.100s\" for user "
		    "\"%.100s\", but line %u has it for \"%.100s\"%s at the "
		    "same time; expected one user and one list of groups for "
		    "a key", key, two, other->line, one,
		    strcmp(one, two) == 0 ? " with other groups" : "");
		return false;
	}
	return true;
}

static bool
add_time(struct table *table, const struct span *time, uint32_t *number_r)
{
	struct span	*grown;
	size_t		 larger;

	*number_r = 0;
	if (time->from == INT64_MIN && time->until == INT64_MAX)
		return true;
	if (table->num_times == table->max_times) {
		larger = table->max_times == 0 ? 64 : table->max_times * 2;
		grown = realloc(table->times, larger * sizeof(*grown));
		if (grown == NULL)
			return false;
		table->times = grown;
		table->max_times = larger;
	}
	table->times[table->num_times++] = *time;
	*number_r = (uint32_t)table->num_times;
	return true;
}

static bool
add_row(struct table *table, const struct entry *entry,
    const struct lines *lines, struct certauth_error *error_r)
{
	struct row		*row = &table->rows[table->num_rows];
	uint32_t		 n = (uint32_t)table->num_rows, head;
	struct keyindex_probe	 end;

	row->key = (uint32_t)(entry->key.data - table->data);
	row->key_len = (uint16_t)entry->key.data_len;
	row->user = (uint32_t)(entry->user.data - table->data);
	row->user_len = (uint16_t)entry->user.data_len;
	/* Offset 0 holds a NUL: no groups. */
	row->groups = entry->groups.data == NULL ? 0 :
	    (uint32_t)(entry->groups.data - table->data);
	row->line = lines->line;
	row->next_key = row->next_user = TABLE_NO_ROW;
	if (!add_time(table, &entry->time, &row->time)) {
		error_set(error_r, lines->file, lines->line, "out of memory");
		return false;
	}
	head = find_row(table, false, entry->key.data, entry->key.data_len, &end);
	if (!check_same_key(table, head, row, lines->file, error_r))
		return false;
	if (head == TABLE_NO_ROW)
		keyindex_put(&table->keys, &end, n);
	else {
		row->next_key = table->rows[head].next_key;
		table->rows[head].next_key = n;
	}
	head = find_row(table, true, entry->user.data, entry->user.data_len, &end);
	if (head == TABLE_NO_ROW)
		keyindex_put(&table->users, &end, n);
	else {
		row->next_user = table->rows[head].next_user;
		table->rows[head].next_user = n;
	}
	table->num_rows++;
	return true;
}

/* ------------------------------------------------------------------ public */

/* No more rows than this many lines. */
static size_t
count_lines(const unsigned char *data, size_t data_len)
{
	const unsigned char	*found;
	size_t			 n = 1, at = 0;

	while (at < data_len &&
	    (found = memchr(data + at, '\n', data_len - at)) != NULL) {
		at = (size_t)(found - data) + 1;
		n++;
	}
	return n;
}

struct table *
table_parse(const unsigned char *data, size_t data_len, const char *file,
    struct certauth_error *error_r)
{
	struct table		*table;
	struct lines		 lines;
	struct entry		 entry;
	struct row		*shrunk;
	enum lines_result	 got;
	size_t			 max_rows;

	if (data_len > TABLE_MAX_BYTES) {
		error_set(error_r, file, 0, "found %zu bytes, expected at most "
		    "%u", data_len, TABLE_MAX_BYTES);
		return NULL;
	}
	max_rows = count_lines(data, data_len);
	table = calloc(1, sizeof(*table));
	if (table == NULL) {
		error_set(error_r, file, 0, "out of memory");
		return NULL;
	}
	atomic_init(&table->refs, 1);
	/* One NUL in front, for "no groups", and one behind. */
	table->data = malloc(data_len + 2);
	table->rows = malloc(max_rows * sizeof(*table->rows));
	if (table->data == NULL || table->rows == NULL ||
	    !keyindex_init(&table->keys, max_rows) ||
	    !keyindex_init(&table->users, max_rows)) {
		error_set(error_r, file, 0, "out of memory");
		goto fail;
	}
	table->data[0] = '\0';
	if (data_len > 0)
		memcpy(table->data + 1, data, data_len);
	table->data[data_len + 1] = '\0';
	lines_init(&lines, table->data + 1, data_len, file);
	while ((got = lines_next(&lines, error_r)) == LINES_GOT)
		if (!read_entry(&lines, &entry, error_r) ||
		    !add_row(table, &entry, &lines, error_r))
			goto fail;
	if (got != LINES_END)
		goto fail;
	shrunk = realloc(table->rows,
	    (table->num_rows + 1) * sizeof(*table->rows));
	if (shrunk != NULL)
		table->rows = shrunk;
	return table;

fail:
	table_free(table);
	return NULL;
}

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
	const struct row	*row;
	uint32_t		 n;

	entry_r->user = entry_r->groups = "";
	if (key_len == 0 || key_len > TABLE_MAX_LINE)
		return false;
	memcpy(folded, key, key_len);
	folded[key_len] = '\0';
	key_len = key_fold(folded, key_len);
	for (n = find_row(table, false, folded, key_len, NULL);
	    n != TABLE_NO_ROW; n = row->next_key) {
		row = &table->rows[n];
		if (in_force(table, row, now)) {
			entry_r->user = table->data + row->user;
			entry_r->groups = table->data + row->groups;
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
	const struct row	*row;
	uint32_t		 n;

	if (user_len == 0 || user_len > TABLE_MAX_LINE)
		return false;
	for (n = find_row(table, true, user, user_len, NULL);
	    n != TABLE_NO_ROW; n = row->next_user) {
		row = &table->rows[n];
		if (in_force(table, row, now))
			return true;
	}
	/* In a list of one column the name is a key, and folded like one. */
	memcpy(folded, user, user_len);
	folded[user_len] = '\0';
	user_len = key_fold(folded, user_len);
	for (n = find_row(table, true, folded, user_len, NULL);
	    n != TABLE_NO_ROW; n = row->next_user) {
		row = &table->rows[n];
		if (row->user == row->key && in_force(table, row, now))
			return true;
	}
	return false;
}

size_t
table_size(const struct table *table)
{
	return table->num_rows;
}

size_t
table_case_twins(const struct table *table, table_twin_fn *tell, void *context)
{
	struct keyindex		 index = { 0 };
	struct keyindex_probe	 probe, end;
	const struct row	*row, *other;
	char			 low[TABLE_MAX_LINE + 1], low2[TABLE_MAX_LINE + 1];
	uint32_t		 n, m;
	size_t			 found = 0;

	if (!keyindex_init(&index, table->num_rows))
		return 0;
	for (n = 0; n < table->num_rows; n++) {
		row = &table->rows[n];
		memcpy(low, table->data + row->key, row->key_len);
		text_lower_ascii(low, row->key_len);
		keyindex_probe(&index, low, row->key_len, &probe);
		end = probe;
		while ((m = keyindex_next(&index, &probe)) != KEYINDEX_NONE) {
			other = &table->rows[m];
			if (other->key_len != row->key_len)
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
