/*
 * fuzz_table.c - is every map either refused with a line, or answered from only
 * as it says?
 */

#include "identity.h"
#include "identity/table.h"

static void
note_twin(void *context, unsigned line, unsigned other_line, const char *key)
{
	MUST(line > 0 && other_line > line && key[0] != '\0');
	++*(size_t *)context;
}

/* Every word of the input as a key and as a user, at one time. */
static void
look_up_words(const struct table *table, const char *data, size_t size,
    int64_t now)
{
	struct table_entry	entry;
	size_t			i, start = 0, num = 0;

	for (i = 0; i <= size && num < 200; i++) {
		if (i < size && data[i] != ' ' && data[i] != '\n' &&
		    data[i] != '\t' && data[i] != '"')
			continue;
		num++;
		if (table_lookup(table, data + start, i - start, now, &entry)) {
			must_be_one_line(entry.user);
			must_be_one_line(entry.groups);
			MUST(entry.user[0] != '\0');
			MUST(table_has(table, entry.user, strlen(entry.user),
			    now));
		} else
			MUST(entry.user[0] == '\0');
		(void)table_has(table, data + start, i - start, now);
		start = i + 1;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct certauth_error	 error = { 0 };
	struct table		*table;
	size_t			 told = 0;

	table = table_parse(data, size, "m", &error);
	if (table == NULL) {
		must_be_one_line(error.text);
		MUST(error.text[0] != '\0' && error.line > 0);
		return 0;
	}
	look_up_words(table, (const char *)data, size, 1780272000);
	look_up_words(table, (const char *)data, size, 0);
	MUST(table_case_twins(table, note_twin, &told) >= told);
	table_free(table);
	return 0;
}
