/*
 * lines.h - the lines and words of a map or a denied file.
 *
 * Works in place on a private copy of the file, one NUL behind its end, so that
 * the words can stay where they are.
 */
#ifndef CERTAUTH_IDENTITY_LINES_H
#define CERTAUTH_IDENTITY_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "certauth.h"

/* Without the line's end. A longer one is an error, not cut. */
#define LINES_MAX_LINE	4096u

struct lines {
	const char	*file;		/* for messages */
	char		*next, *end;	/* what is not read yet */
	char		*at;		/* where the next word of this line begins */
	unsigned	 line;		/* number, 1 first */
};

struct word {
	char	*data;			/* NUL-terminated, in the copy */
	size_t	 data_len;
	bool	 quoted;
};

enum lines_result { LINES_BAD, LINES_END, LINES_GOT };

/* `data` writable, data[data_len] is NUL. A UTF-8 byte order mark is skipped. */
void	lines_init(struct lines *, char *data, size_t data_len, const char *file);

/*
 * The next line that is not blank or a comment. BAD: longer than LINES_MAX_LINE,
 * or holds a NUL, another control character than tab, or invalid UTF-8. One
 * carriage return before the line's end is taken as part of the end.
 */
enum lines_result lines_next(struct lines *, struct certauth_error *error_r);

/*
 * The next word of the line: bare up to a blank, or "quoted" with \" and \\.
 * END: nothing more, or a word that begins with `#` (a comment).
 */
enum lines_result lines_word(struct lines *, struct word *word_r,
    struct certauth_error *error_r);

/* The rest of the line without blanks at its ends, comment signs included. */
void	lines_rest(struct lines *, struct word *word_r);

#endif
