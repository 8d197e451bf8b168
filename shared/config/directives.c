/*
 * directives.c - which settings are there, and what did the typist mean?
 *
 * Turns directives.def into a table. Reads no file and judges no value.
 */

#include <stdint.h>
#include <string.h>

#include "config/directives.h"

/* Longer words are not compared: no setting is so long. */
#define SUGGEST_MAX_LEN	40u
/* Names of one kind that are looked at for a suggestion. */
#define SUGGEST_MAX_WORDS	2048u

#define REQUIRED	true
#define OPTIONAL	false

static const struct directive directives[] = {
#define DIRECTIVE(section, name, type, need, fallback, issue, help) \
	{ SECTION_##section, name, TYPE_##type, need, fallback, issue, help },
#include "config/directives.def"
#undef DIRECTIVE
};

#define NUM_DIRECTIVES	(sizeof(directives) / sizeof(directives[0]))

static bool
is_done(const struct directive *row)
{
	return strchr(DIRECTIVES_DONE, row->issue) != NULL;
}

static size_t
least(size_t a, size_t b, size_t c)
{
	if (b < a)
		a = b;
	return c < a ? c : a;
}

/*
 * Levenshtein's distance: insertions, deletions and replacements of one byte,
 * and two neighbours that changed places count once.
 */
static size_t
distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t	rows[3][SUGGEST_MAX_LEN + 1];
	size_t	*before, *above, *row, *spare, i, j, cost;

	before = rows[0];
	above = rows[1];
	row = rows[2];
	for (j = 0; j <= b_len; j++) {
		before[j] = 0;
		above[j] = j;
	}
	for (i = 1; i <= a_len; i++) {
		row[0] = i;
		for (j = 1; j <= b_len; j++) {
			cost = a[i - 1] == b[j - 1] ? 0 : 1;
			row[j] = least(above[j] + 1, row[j - 1] + 1,
			    above[j - 1] + cost);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		spare = before;
		before = above;
		above = row;
		row = spare;
	}
	return above[b_len];
}

const struct directive *
directive_next(const struct directive *row)
{
	row = row == NULL ? directives : row + 1;
	for (; row < directives + NUM_DIRECTIVES; row++)
		if (is_done(row))
			return row;
	return NULL;
}

const struct directive *
directive_find(enum directive_section section, const char *name)
{
	size_t	i;

	for (i = 0; i < NUM_DIRECTIVES; i++)
		if (directives[i].section == section &&
		    is_done(&directives[i]) &&
		    strcmp(directives[i].name, name) == 0)
			return &directives[i];
	return NULL;
}

bool
directive_may_be_empty(const struct directive *row)
{
	return row->fallback != NULL && strcmp(row->fallback, "\"\"") == 0;
}

const char *
directive_section_name(enum directive_section section)
{
	switch (section) {
	case SECTION_TOP:
		return "the top level";
	case SECTION_AUTHORITY:
		return "an authority";
	case SECTION_REVOCATION:
		return "the revocation of an authority";
	case SECTION_PROFILE:
		return "a profile";
	case SECTION_KEYS:
		return "the keys of a profile";
	case SECTION_RENEWAL:
		return "the renewal of a profile";
	case SECTION_RULE:
		return "an identity rule";
	case SECTION_USERS:
		return "the users of an identity rule";
	case SECTION_LOG:
		return "the log of the top level";
	case SECTION_COUNT:
		break;
	}
	return "no section";
}

const char *
directive_suggest(enum directive_section section, const char *name)
{
	const char	*words[NUM_DIRECTIVES];
	size_t		 i, num_words = 0;

	for (i = 0; i < NUM_DIRECTIVES; i++)
		if (directives[i].section == section && is_done(&directives[i]))
			words[num_words++] = directives[i].name;
	return directive_closest(name, words, num_words);
}

enum directive_section
directive_elsewhere(enum directive_section section, const char *name)
{
	size_t	i;

	for (i = 0; i < NUM_DIRECTIVES; i++)
		if (directives[i].section != section &&
		    is_done(&directives[i]) &&
		    strcmp(directives[i].name, name) == 0)
			return directives[i].section;
	return SECTION_COUNT;
}

const char *
directive_closest(const char *word, const char *const *words, size_t num_words)
{
	const char	*best = NULL;
	size_t		 i, len, other_len, d, best_d = SIZE_MAX;

	len = strlen(word);
	if (len == 0 || len > SUGGEST_MAX_LEN)
		return NULL;
	if (num_words > SUGGEST_MAX_WORDS)
		num_words = SUGGEST_MAX_WORDS;
	for (i = 0; i < num_words; i++) {
		other_len = strlen(words[i]);
		if (other_len > SUGGEST_MAX_LEN)
			continue;
		d = distance(word, len, words[i], other_len);
		/* One slip for each three letters, two in short words too. */
		if (d < best_d && d <= len / 3 + 1 && d < other_len) {
			best = words[i];
			best_d = d;
		}
	}
	return best;
}
