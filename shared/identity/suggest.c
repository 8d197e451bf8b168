/*
 * suggest.c - which of the known words was meant?
 *
 * For messages only; nothing is ever decided by likeness.
 */

#include <stdio.h>
#include <string.h>

#include "identity/suggest.h"

#define SUGGEST_MAX	48u

/* Edit distance, ASCII case for free; SUGGEST_MAX when one is too long. */
static size_t
distance(const char *a, size_t a_len, const char *b)
{
	size_t	row[SUGGEST_MAX + 1], i, j, b_len = strlen(b);

	if (a_len > SUGGEST_MAX || b_len > SUGGEST_MAX)
		return SUGGEST_MAX;
	for (j = 0; j <= b_len; j++)
		row[j] = j;
	for (i = 1; i <= a_len; i++) {
		size_t	diagonal = row[0];

		row[0] = i;
		for (j = 1; j <= b_len; j++) {
			size_t	above = row[j], best;

			best = diagonal + ((a[i - 1] | 0x20) != (b[j - 1] | 0x20));
			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = above;
			row[j] = best;
		}
	}
	return row[b_len];
}

void
error_suggest(struct certauth_error *error_r, const char *word, size_t word_len,
    const char *const *options)
{
	size_t		i, d, best = SUGGEST_MAX, used;
	const char	*found = NULL;

	if (error_r == NULL)
		return;
	for (i = 0; options[i] != NULL; i++) {
		d = distance(word, word_len, options[i]);
		if (d < best) {
			best = d;
			found = options[i];
		}
	}
	if (found == NULL || best > 1 + strlen(found) / 5)
		return;
	used = strlen(error_r->text);
	(void)snprintf(error_r->text + used, sizeof(error_r->text) - used,
	    "; did you mean %s?", found);
}
