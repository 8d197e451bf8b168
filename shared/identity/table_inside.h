/*
 * table_inside.h - private to identity/table*.c: a table in memory, which is also
 * how it lies in a compiled file.
 */
#ifndef CERTAUTH_IDENTITY_TABLE_INSIDE_H
#define CERTAUTH_IDENTITY_TABLE_INSIDE_H

#include <stdatomic.h>

#include "identity/enrolled.h"
#include "identity/keyindex.h"
#include "identity/lines.h"
#include "identity/table.h"

#define TABLE_NO_ROW		UINT32_MAX
/* Begins the key of a row that is no line but the mark behind one (enrolled.h):
 * no line and no certificate may hold a control character. */
#define TABLE_MARK		'\x01'
/* The same for the other accounts of a line (also=): `user` is their list. Such rows
 * stand right behind their line's, and no index has them. */
#define TABLE_ALSO		'\x02'

struct table_row {
	uint32_t	key, user, groups;	/* offsets in the data */
	uint16_t	key_len, user_len, groups_len;
	uint16_t	file;			/* number; in memory only */
	uint32_t	line;
	uint32_t	time;			/* number in times, 0: always */
	uint32_t	next_key, next_user;	/* older row of the same: a lower number */
};
struct table_span { int64_t from, until; };	/* both belong to it */

struct table {
	atomic_uint	   refs;
	char		  *data;		/* data[0] is NUL */
	size_t		   data_len;
	struct table_row  *rows;
	size_t		   num_rows;
	struct table_span *times;
	size_t		   num_times, max_times;
	struct keyindex	   keys, users;
	void		  *map;			/* compiled: all of it is in here */
	size_t		   map_len;
};

/* What one line of a text says, and the mark behind it. */
struct table_text_line {
	struct word		key, user, groups;	/* groups.data NULL: none */
	char			*also;	/* NULL: none; "also=" stands before it */
	struct table_span	time;
	char			*rest;	/* where the comment stood */
	struct enrolled_mark	 mark;
};
/* table_text.c. The line that lines_next() found; false: error_r. */
bool	table_text_read(struct lines *, struct table_text_line *line_r,
	    struct certauth_error *error_r);

/* table.c. Is it no line, but something of the line before it? */
bool	table_row_is_aside(const struct table *, const struct table_row *);
/* The other accounts of the line of row n; "": none. */
const char *table_row_also(const struct table *, uint32_t n);
/* Number n, when it lies within the table; NULL otherwise. */
const struct table_row *table_row_at(const struct table *, uint32_t n);
/* The newest row of that key or user; *end_r (NULL allowed): where it belongs. */
uint32_t table_find_row(const struct table *, bool by_user, const char *data,
	    size_t data_len, struct keyindex_probe *end_r);
struct table_span table_row_time(const struct table *, const struct table_row *);

/* table_file.c */
#define TABLE_MAGIC		"CATABLE1"
#define TABLE_MAGIC_LEN		8
/* A compiled file; takes over fd. NULL: error_r. */
struct table *table_map(int fd, size_t size, const char *path,
	    struct certauth_error *error_r);

#endif
