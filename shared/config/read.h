/*
 * read.h - the policy file and what it includes, as one text libconfig may see.
 */
#ifndef CERTAUTH_CONFIG_READ_H
#define CERTAUTH_CONFIG_READ_H

#include "base/bundle.h"

/* Includes within includes. */
#define SOURCE_MAX_DEPTH	8
/* Groups within lists within groups; the deepest real setting has 5. */
#define SOURCE_MAX_NESTING	16
/* libconfig compares each new name with all of its group. */
#define SOURCE_MAX_SETTINGS	16384
#define SOURCE_MAX_NAME		64

struct conf_place { unsigned file, line; };

struct conf_source {
	char			*text;	/* about one token a line, no comments */
	struct conf_place	*places;	/* of each line of text */
	size_t			 num_places;
	char		       **files;	/* absolute; the first is the main one */
	size_t			 num_files;
};

/*
 * Reads `path` (in the bundle, NULL: on the disk) and resolves its includes. Every byte was checked: the text holds
 * no @include, no unclosed string or comment, no NUL, no number that libconfig
 * would cut. False: error_r filled, nothing to free.
 */
bool	conf_source_read(struct conf_source *, const struct bundle *,
	    const char *path, const struct file_owners *,
	    struct certauth_error *error_r);
void	conf_source_free(struct conf_source *);		/* zeroed struct allowed */

/* Where line `line` (from 1) of the text came from. Borrowed from the source. */
const char *conf_source_place(const struct conf_source *, unsigned line,
	    unsigned *line_r);

#endif
