/*
 * scan.h - private to config/: the tokens of one file, and what files share.
 */
#ifndef CERTAUTH_CONFIG_SCAN_H
#define CERTAUTH_CONFIG_SCAN_H

#include "base/text.h"
#include "config/read.h"

struct file_identity { uint64_t device, inode; };

/* What all files of one policy share. */
struct scan {
	struct conf_source		*source;
	const struct bundle	*bundle;	/* NULL: the disk */
	const struct file_owners *owners;
	struct certauth_error	*error_r;
	struct text		 out;
	size_t			 place_capacity;
	size_t			 bytes, settings, includes;
	bool			 last_string;
	struct file_identity	 open[SOURCE_MAX_DEPTH + 1];	/* being read */
	unsigned		 depth;
	unsigned		 nesting;
};

/* One file. */
struct cursor {
	struct scan	*scan;
	const char	*at, *end, *line_start;
	unsigned	 file, line;
	unsigned	 token_line;	/* of the last token, 0: none */
	unsigned	 include_line;	/* of the last @include, 0: none */
	struct { char closes; unsigned line; } open[SOURCE_MAX_NESTING];
	unsigned	 num_open;
};

/* Appends the tokens of `bytes` to scan->out. False: scan->error_r filled. */
bool	scan_bytes(struct scan *, unsigned file, const struct file_bytes *bytes);
/*
 * read.c: the cursor stands behind `@include "name"`. Appends that file's tokens.
 */
bool	scan_include(struct cursor *, const char *name);

/* Fills error_r with the place the cursor is at; always false. */
bool	scan_fault(const struct cursor *, const char *text);
bool	scan_no_memory(const struct scan *);

#endif
