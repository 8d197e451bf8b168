/*
 * columns.c - rows below each other, as wide as the terminal.
 *
 * Whoever wants all of a cut value asks in a pipe, or with --json.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include "json.h"
#include "terminal.h"

#define MAX_COLUMNS	16u
#define GAP		2u
/* No column is cut below. */
#define LEAST		8u
#define MORE		"\xe2\x80\xa6"	/* one column: the rest is cut off */

/* A copy that is safe to print; NULL: out of memory. */
static char *
cell(const json_t *row, const char *key)
{
	const char	*value = text_of(row, key);
	size_t		 size = 4 * strlen(value) + 1;
	char		*shown = malloc(size);

	return shown != NULL ? certauth_printable(shown, size, value) : NULL;
}

static size_t
width_of(const char *text)
{
	size_t	used;

	(void)terminal_fit(text, SIZE_MAX, &used);
	return used;
}

/* 0: nothing is in it. */
static size_t
widest(const json_t *rows, const struct column *column)
{
	const json_t	*row;
	size_t		 i, width, most = 0;
	char		*shown;

	json_array_foreach(rows, i, row) {
		shown = cell(row, column->key);
		width = shown != NULL ? width_of(shown) : 0;
		most = width > most ? width : most;
		free(shown);
	}
	width = width_of(column->heading);
	return most > 0 && most < width ? width : most;
}

/* The widest ones give way until all fit, or none has anything to give. */
static void
shrink(size_t *widths, size_t num, size_t width)
{
	size_t	i, all = 0, most;

	for (i = 0; i < num; i++) {
		if (widths[i] > width)
			widths[i] = width;
		all += widths[i] > 0 ? widths[i] + GAP : 0;
	}
	while (all > width + GAP) {
		for (i = most = 0; i < num; i++)
			if (widths[i] > widths[most])
				most = i;
		if (widths[most] <= LEAST)
			return;
		widths[most]--;
		all--;
	}
}

/* The end of it that has at most so many columns. */
static const char *
tail(const char *text, size_t width)
{
	while (width_of(text) > width)
		do
			text++;
		while (((unsigned char)*text & 0xc0) == 0x80);
	return text;
}

/* *blanks: still to be printed, when something stands behind them. */
static void
print_cell(const char *text, size_t width, enum column_kind kind, size_t *blanks)
{
	enum tone	tone = kind != COLUMN_REASON ? TONE_NONE :
			    strcmp(text, "ok") == 0 ? TONE_GOOD : TONE_BAD;
	bool		whole = width_of(text) <= width;
	bool		front = !whole && kind == COLUMN_PATH;
	size_t		used, len;

	if (front)
		text = tail(text, width - 1);
	len = terminal_fit(text, whole ? width : width - 1, &used);
	used += whole ? 0 : 1;
	if (len > 0) {
		(void)printf("%*s", (int)*blanks, "");
		*blanks = 0;
		print_toned(tone, "%s%.*s%s", front ? MORE : "", (int)len, text,
		    whole || front ? "" : MORE);
	}
	*blanks += width - used + GAP;
}

void
print_columns(const json_t *rows, const struct column *columns, size_t num)
{
	const json_t	*row;
	size_t		 i, k, blanks = 0, widths[MAX_COLUMNS];
	char		*shown;

	if (num > MAX_COLUMNS || json_array_size(rows) == 0)
		return;
	for (i = 0; i < num; i++)
		widths[i] = widest(rows, &columns[i]);
	shrink(widths, num, terminal_width(STDOUT_FILENO));
	for (i = 0; i < num; i++)
		if (widths[i] > 0)
			print_cell(columns[i].heading, widths[i], COLUMN_TEXT,
			    &blanks);
	(void)putchar('\n');
	json_array_foreach(rows, k, row) {
		for (i = 0, blanks = 0; i < num; i++) {
			if (widths[i] == 0)
				continue;
			shown = cell(row, columns[i].key);
			/* never a row that looks whole and is not */
			print_cell(shown != NULL ? shown : "?", widths[i],
			    columns[i].kind, &blanks);
			free(shown);
		}
		(void)putchar('\n');
	}
}
