/*
 * terminal.h - what a person at a terminal gets beyond the words: colours, columns,
 * a line that says how far long work has come.
 *
 * Each of them repeats or orders what is said; nothing is told by it alone, and none
 * of it goes into a pipe or a file.
 */
#ifndef CERTAUTH_COMMAND_TERMINAL_H
#define CERTAUTH_COMMAND_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "certauth_data.h"

/* -------------------------------------------------------------- terminal.c */

enum tone { TONE_NONE, TONE_GOOD, TONE_WARN, TONE_BAD };

/* Of a word that says how something is: "ACCEPT", "fault", "expired", ... */
enum tone tone_of(const char *word, size_t len);
/* On stdout, in that colour where it is a terminal that has any (NO_COLOR: not). */
void	print_toned(enum tone, const char *format, ...) CERTAUTH_PRINTF(2, 3);
/* Some lines of the core's, whose first words are such. */
void	print_story(const char *text);

/* Columns of that descriptor's terminal; 0: it is none. */
size_t	terminal_width(int fd);
/* Does it take more than letters (TERM)? */
bool	terminal_moves(void);
/* How many bytes of the text fit into so many columns; *used_r columns then. */
size_t	terminal_fit(const char *text, size_t columns, size_t *used_r);

/* --------------------------------------------------------------- columns.c */

enum column_kind {
	COLUMN_TEXT,
	COLUMN_PATH,		/* its end tells most: cut in front */
	COLUMN_REASON		/* "ok", or why not */
};
struct column {
	const char	*key, *heading;		/* of an object of strings */
	enum column_kind kind;
};
/* For a terminal: below headings, columns that are empty in all rows left out, the
 * widest cut to what fits. */
void	print_columns(const json_t *rows, const struct column *, size_t num);

/* -------------------------------------------------------------- progress.c */

/* From here on, after a moment: "WHAT: 3 of 40, NAME, 2 s" on stderr, one line that
 * goes away. Not where stderr is no terminal or stdout a pipe. */
void	progress_begin(const char *what);
/* `total` 0: unknown. Of `name` the last part of the path. Cheap. */
void	progress_at(size_t done, size_t total, const char *name);
/* The same as a share of bytes. */
void	progress_bytes(size_t done, size_t total, const char *name);
/* The same for the core. */
extern const struct certauth_progress progress_core;
/* Before the answer is printed; a second time does nothing. */
void	progress_end(void);
/* Around what is said on stderr meanwhile. */
void	progress_hold(void);
void	progress_release(void);

#endif
