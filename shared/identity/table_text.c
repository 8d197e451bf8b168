/*
 * table_text.c - what does a map say, or where is it wrong?
 *
 * From text to a table in memory. Several files make one table as if they were
 * one. Looks nothing up.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "identity/lines.h"
#include "identity/rules.h"
#include "identity/suggest.h"
#include "identity/table_inside.h"
#include "identity/template.h"

_Static_assert(LINES_MAX_LINE == TABLE_MAX_LINE, "one ceiling for lines");

/* Lines of one key, each for another time. */
#define TABLE_MAX_SAME_KEY	64u
/* Accounts of one line. */
#define TABLE_MAX_ALSO		16u

struct reading {
	struct table			*table;
	const struct table_source	*sources;	/* for messages */
	size_t				 source;
};

/* --------------------------------------------------------------- one line */

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

/* also=USER,USER: who the client may ask to be instead of the user. */
static bool
read_also(const struct lines *lines, const struct word *word,
    struct table_text_line *entry, struct certauth_error *error_r)
{
	const char	*name = word->data + strlen("also="), *fault = NULL;
	size_t		 len, num = 0;

	if (entry->also != NULL)
		fault = "also= a second time";
	for (;; name += len + 1) {
		len = strcspn(name, ",");
		if (fault == NULL)
			fault = user_name_fault(name, len);
		if (++num > TABLE_MAX_ALSO)
			fault = "more than 16 accounts";
		if (fault != NULL || name[len] == '\0')
			break;
	}
	if (fault != NULL) {
		error_set(error_r, lines->file, lines->line, "found %s, expected "
		    "also=USER,USER with at most 16 names", fault);
		return false;
	}
	entry->also = word->data + strlen("also=");
	return true;
}

/* True when the word is a date setting or nothing that may stand here. */
static bool
read_setting(const struct lines *lines, const struct word *word,
    struct table_text_line *entry, bool *fault_r, struct certauth_error *error_r)
{
	static const char *const names[] = {
		"not-before=", "not-after=", "also=", NULL
	};
	char		 shown[128];
	int64_t		*at;
	bool		 end;

	*fault_r = false;
	if (word->quoted || memchr(word->data, '=', word->data_len) == NULL)
		return false;
	text_printable(shown, sizeof(shown), word->data, word->data_len);
	*fault_r = true;
	if (strncmp(word->data, names[2], strlen(names[2])) == 0) {
		*fault_r = !read_also(lines, word, entry, error_r);
		return true;
	}
	end = strncmp(word->data, names[1], strlen(names[1])) == 0;
	if (!end && strncmp(word->data, names[0], strlen(names[0])) != 0) {
		/* A misspelt not-after that is taken for a group would be
		 * access without end. */
		error_set(error_r, lines->file, lines->line, "found \"%s\", "
		    "expected not-before=DATE, not-after=DATE or also=USER,USER "
		    "(a name with an = goes in quotes)", shown);
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
check_entry(const struct lines *lines, struct table_text_line *entry,
    struct certauth_error *error_r)
{
	const char	*fault;

	if (entry->key.data_len == 0) {
		error_set(error_r, lines->file, lines->line,
		    "found an empty key, expected what the rule's key gives");
		return false;
	}
	entry->key.data_len = table_key_fold(entry->key.data, entry->key.data_len);
	if (entry->user.data == NULL && entry->also != NULL) {
		error_set(error_r, lines->file, lines->line, "found also= "
		    "without a user, expected key user also=USER,USER");
		return false;
	}
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

bool
table_text_read(struct lines *lines, struct table_text_line *entry_r,
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
			    "[group,group...] [also=USER,USER] "
			    "[not-before=DATE] [not-after=DATE] (a name with a blank goes in "
			    "quotes)");
			return false;
		}
	}
	if (got != LINES_END || !check_entry(lines, entry_r, error_r))
		return false;
	lines_rest(lines, &word);
	entry_r->rest = word.data;
	enrolled_read(word.data, &entry_r->mark);
	return true;
}

/* ---------------------------------------------------------------- the rows */

static bool
same_word(const struct table *table, uint32_t a, uint32_t b)
{
	return strcmp(table->data + a, table->data + b) == 0;
}

/* Two rows of one key say different things of one time. */
static bool
refuse_row(const struct reading *r, const struct table_row *row,
    const struct table_row *other, struct certauth_error *error_r)
{
	const struct table	*table = r->table;
	char			 key[128], one[128], two[128], from[128] = "";

	text_printable(key, sizeof(key), table->data + row->key, row->key_len);
	text_printable(one, sizeof(one), table->data + other->user,
	    other->user_len);
	text_printable(two, sizeof(two), table->data + row->user, row->user_len);
	if (other->file != row->file)
		(void)snprintf(from, sizeof(from), " of %.120s",
		    r->sources[other->file].file);
	error_set(error_r, r->sources[row->file].file, row->line, "found key "
	    "\"%.100s\" for user \"%.100s\", but line %u%s has it for "
	    "\"%.100s\"%s at the same time; expected one user and one list of "
	    "groups for a key", key, two, other->line, from, one,
	    strcmp(one, two) == 0 ? " with other groups or accounts" : "");
	return false;
}

/* Rows of one key must agree wherever their times overlap. */
static bool
check_same_key(const struct reading *r, uint32_t first,
    const struct table_row *row, const char *also,
    struct certauth_error *error_r)
{
	const struct table	*table = r->table;
	const struct table_row	*other;
	struct table_span	 a = table_row_time(table, row), b;
	uint32_t		 n, num = 0;

	for (n = first; n != TABLE_NO_ROW; n = other->next_key) {
		other = &table->rows[n];
		b = table_row_time(table, other);
		if (++num == TABLE_MAX_SAME_KEY) {
			error_set(error_r, r->sources[row->file].file, row->line,
			    "found more than %u lines for one key",
			    TABLE_MAX_SAME_KEY);
			return false;
		}
		if (a.from > b.until || b.from > a.until ||
		    (same_word(table, row->user, other->user) &&
		    same_word(table, row->groups, other->groups) &&
		    strcmp(also, table_row_also(table, n)) == 0))
			continue;
		return refuse_row(r, row, other, error_r);
	}
	return true;
}

static bool
add_time(struct table *table, const struct table_span *time, uint32_t *number_r)
{
	struct table_span	*grown;
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

/* Puts the newest row of a key or user into the index; gives the one before. */
static uint32_t
index_row(struct keyindex *index, const struct keyindex_probe *end,
    uint32_t older, uint32_t n)
{
	if (older == TABLE_NO_ROW)
		keyindex_put(index, end, n);
	else
		keyindex_replace(index, end, n);
	return older;
}

/* The other accounts of the newest row as a row of their own; its key is written
 * over the word "also=". */
static void
add_also(struct table *table, const struct table_text_line *entry)
{
	struct table_row	*row = &table->rows[table->num_rows];
	char			*key;

	if (entry->also == NULL)
		return;
	key = entry->also - strlen("also=");
	key[0] = TABLE_ALSO;
	key[1] = '\0';
	*row = row[-1];
	row->key = (uint32_t)(key - table->data);
	row->key_len = 1;
	row->user = (uint32_t)(entry->also - table->data);
	row->user_len = (uint16_t)strlen(entry->also);
	row->groups = 0;
	row->groups_len = 0;
	row->time = 0;
	row->next_key = row->next_user = TABLE_NO_ROW;
	table->num_rows++;
}

/*
 * The mark behind the newest row as a row of its own, which only enrolled_find()
 * asks for: no list of users has it. Its key is written over the comment, which
 * has more bytes: it named both.
 */
static void
add_mark(struct table *table, const struct table_text_line *entry)
{
	struct table_row	*row = &table->rows[table->num_rows];
	const struct table_row	*line = &row[entry->also != NULL ? -2 : -1];
	uint32_t		 n = (uint32_t)table->num_rows, older;
	struct keyindex_probe	 end;
	char			 key[TABLE_MAX_LINE];
	size_t			 len;

	if (entry->mark.same[0] == '\0')
		return;
	len = enrolled_key(entry->mark.authority, entry->mark.same,
	    strlen(entry->mark.same), key, sizeof(key));
	if (len == 0)
		return;
	memcpy(entry->rest, key, len);
	entry->rest[len] = '\0';
	*row = *line;
	row->key = (uint32_t)(entry->rest - table->data);
	row->key_len = (uint16_t)len;
	row->time = 0;
	older = table_find_row(table, false, key, len, &end);
	row->next_key = index_row(&table->keys, &end, older, n);
	row->next_user = TABLE_NO_ROW;
	table->num_rows++;
}

static bool
add_row(const struct reading *r, const struct table_text_line *entry,
    const struct lines *lines, struct certauth_error *error_r)
{
	struct table		*table = r->table;
	struct table_row	*row = &table->rows[table->num_rows];
	uint32_t		 n = (uint32_t)table->num_rows, older;
	struct keyindex_probe	 end;

	memset(row, 0, sizeof(*row));
	row->key = (uint32_t)(entry->key.data - table->data);
	row->key_len = (uint16_t)entry->key.data_len;
	row->user = (uint32_t)(entry->user.data - table->data);
	row->user_len = (uint16_t)entry->user.data_len;
	/* Offset 0 holds a NUL: no groups. */
	if (entry->groups.data != NULL) {
		row->groups = (uint32_t)(entry->groups.data - table->data);
		row->groups_len = (uint16_t)entry->groups.data_len;
	}
	row->file = (uint16_t)r->source;
	row->line = lines->line;
	if (!add_time(table, &entry->time, &row->time)) {
		error_set(error_r, lines->file, lines->line, "out of memory");
		errno = ENOMEM;
		return false;
	}
	older = table_find_row(table, false, entry->key.data,
	    entry->key.data_len, &end);
	if (!check_same_key(r, older, row, entry->also != NULL ? entry->also :
	    "", error_r))
		return false;
	row->next_key = index_row(&table->keys, &end, older, n);
	older = table_find_row(table, true, entry->user.data,
	    entry->user.data_len, &end);
	row->next_user = index_row(&table->users, &end, older, n);
	table->num_rows++;
	add_also(table, entry);
	add_mark(table, entry);
	return true;
}

/* ------------------------------------------------------------------ public */

static size_t
count(const struct table_source *source, const char *what)
{
	const unsigned char	*found;
	size_t			 n = 0, at = 0, len = strlen(what);

	while (at < source->data_len && (found = memmem(source->data + at,
	    source->data_len - at, what, len)) != NULL) {
		at = (size_t)(found - source->data) + len;
		n++;
	}
	return n;
}

/* Memory for all of them; false: too big, or none. */
static struct table *
new_table(const struct table_source *sources, size_t num_sources,
    struct certauth_error *error_r)
{
	struct table	*table;
	size_t		 i, bytes = 1, lines = 0;

	for (i = 0; i < num_sources; i++) {
		bytes += sources[i].data_len + 1;
		if (sources[i].data_len > TABLE_MAX_BYTES ||
		    bytes > (size_t)TABLE_MAX_BYTES + TABLE_MAX_FILES + 1) {
			error_set(error_r, sources[i].file, 0, "found %zu "
			    "bytes, expected at most %u", sources[i].data_len,
			    TABLE_MAX_BYTES);
			errno = EINVAL;
			return NULL;
		}
		/* No more rows than lines, and what may stand behind each. */
		lines += 1 + count(&sources[i], "\n") +
		    count(&sources[i], ENROLLED_MARK) +
		    count(&sources[i], "also=");
	}
	table = calloc(1, sizeof(*table));
	if (table == NULL)
		goto no_memory;
	atomic_init(&table->refs, 1);
	/* One NUL in front, for "no groups", and one behind each. */
	table->data = calloc(bytes, 1);
	table->data_len = bytes;
	table->rows = malloc((lines + 1) * sizeof(*table->rows));
	if (table->data != NULL && table->rows != NULL &&
	    keyindex_init(&table->keys, lines) &&
	    keyindex_init(&table->users, lines))
		return table;
no_memory:
	error_set(error_r, num_sources > 0 ? sources[0].file : NULL, 0,
	    "out of memory");
	table_free(table);
	errno = ENOMEM;
	return NULL;
}

/* One file into the table, its bytes to `at`. False: error_r and errno. */
static bool
read_source(const struct reading *r, char *at, struct certauth_error *error_r)
{
	const struct table_source	*source = &r->sources[r->source];
	struct lines			 lines;
	struct table_text_line			 entry;
	enum lines_result		 got;

	if (source->data_len > 0)
		memcpy(at, source->data, source->data_len);
	lines_init(&lines, at, source->data_len, source->file);
	while ((got = lines_next(&lines, error_r)) == LINES_GOT) {
		errno = EINVAL;	/* whatever is wrong but memory */
		if (!table_text_read(&lines, &entry, error_r) ||
		    !add_row(r, &entry, &lines, error_r))
			return false;
	}
	errno = EINVAL;
	return got == LINES_END;
}

struct table *
table_parse_all(const struct table_source *sources, size_t num_sources,
    struct certauth_error *error_r)
{
	struct reading	 r = { .sources = sources };
	struct table_row *shrunk;
	size_t		 at = 1;
	int		 error;

	if (num_sources > TABLE_MAX_FILES) {
		error_set(error_r, NULL, 0, "found more than %u files",
		    TABLE_MAX_FILES);
		errno = EINVAL;
		return NULL;
	}
	r.table = new_table(sources, num_sources, error_r);
	if (r.table == NULL)
		return NULL;
	for (; r.source < num_sources; r.source++) {
		if (!read_source(&r, r.table->data + at, error_r)) {
			error = errno;
			table_free(r.table);
			errno = error;
			return NULL;
		}
		at += sources[r.source].data_len + 1;
	}
	shrunk = realloc(r.table->rows,
	    (r.table->num_rows + 1) * sizeof(*r.table->rows));
	if (shrunk != NULL)
		r.table->rows = shrunk;
	return r.table;
}

struct table *
table_parse(const unsigned char *data, size_t data_len, const char *file,
    struct certauth_error *error_r)
{
	const struct table_source	source = { data, data_len, file };

	return table_parse_all(&source, 1, error_r);
}
