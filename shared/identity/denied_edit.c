/*
 * denied_edit.c - how does a denied file look with one line more or fewer?
 *
 * Bytes in, bytes out: reads and writes no file. What is not understood refuses
 * the edit, as it would refuse the file.
 */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "identity/denied.h"

#define DENIED_EDIT_MAX_REASON	200u
/* For messages about what somebody typed. */
#define TYPED			NULL

bool
denied_is_line(const char *what)
{
	size_t	i;

	for (i = 0; denied_kinds[i] != NULL; i++)
		if (strncmp(what, denied_kinds[i], strlen(denied_kinds[i])) == 0)
			return true;
	return false;
}

/* kind:value, the value in quotes where a blank or a sign wants them. */
static void
add_value(struct text *line, const char *what)
{
	const char	*value = strchr(what, ':') + 1;

	text_add_n(line, what, (size_t)(value - what));
	if (value[0] != '\0' && value[0] != '#' && strpbrk(value, " \"\\") == NULL) {
		text_add(line, value);
		return;
	}
	text_add(line, "\"");
	for (; *value != '\0'; value++) {
		if (*value == '"' || *value == '\\')
			text_add(line, "\\");
		text_add_n(line, value, 1);
	}
	text_add(line, "\"");
}

/* Reads a line of our own making; *copy_r holds the row's bytes. */
static bool
read_made(const struct text *line, char **copy_r, struct denied_row *row_r,
    struct certauth_error *error_r)
{
	struct lines	lines;

	*copy_r = line->failed ? NULL : strdup(line->data);
	if (*copy_r == NULL) {
		error_set(error_r, TYPED, 0, "out of memory");
		return false;
	}
	lines_init(&lines, *copy_r, line->len, TYPED);
	if (lines_next(&lines, error_r) != LINES_GOT ||
	    !denied_read_row(&lines, row_r, error_r)) {
		if (error_r != NULL)
			error_r->line = 0;
		return false;
	}
	return true;
}

static bool
make_line(const char *what, const char *until, const char *reason,
    struct text *line, struct certauth_error *error_r)
{
	size_t	len = reason != NULL ? strlen(reason) : 0;

	if (!denied_is_line(what) || text_has_control(what, strlen(what))) {
		error_set(error_r, TYPED, 0, "expected user:NAME, mailbox:ADDR, "
		    "serial:HEX, cert:SHA256, key:SHA256 or the file of a "
		    "certificate");
		return false;
	}
	add_value(line, what);
	if (until != NULL) {
		if (until[0] == '\0' || strpbrk(until, " \t\r\n\"#") != NULL) {
			error_set(error_r, TYPED, 0, "expected a time as "
			    "2026-03-31 or 2026-03-31T12:00:00Z");
			return false;
		}
		text_printf(line, " until=%s", until);
	}
	if (reason != NULL) {
		if (len == 0 || len > DENIED_EDIT_MAX_REASON ||
		    strspn(reason, " ") == len || text_has_control(reason, len) ||
		    !text_utf8_valid(reason, len)) {
			error_set(error_r, TYPED, 0, "the reason must be one "
			    "line of 1 to %u bytes", DENIED_EDIT_MAX_REASON);
			return false;
		}
		text_printf(line, " reason=%s", reason);
	}
	return true;
}

/* --------------------------------------------------------------- the file */

struct walk {
	const unsigned char	*next, *end;
	const char		*file;
	unsigned		 line;
	/* the line last given, its end included */
	const char		*data;
	size_t			 data_len;
};

/* The next line as it stands; whether it is one of `row`'s in *same_r, and until
 * when it holds. LINES_END: no more. */
static enum lines_result
next_line(struct walk *walk, const struct denied_row *row, bool *same_r,
    int64_t *until_r, struct certauth_error *error_r)
{
	const unsigned char	*stop;
	struct lines		 lines;
	struct denied_row	 here;
	enum lines_result	 got;
	char			*copy;

	*same_r = false;
	if (walk->next == walk->end)
		return LINES_END;
	stop = memchr(walk->next, '\n', (size_t)(walk->end - walk->next));
	stop = stop != NULL ? stop + 1 : walk->end;
	walk->data = (const char *)walk->next;
	walk->data_len = (size_t)(stop - walk->next);
	walk->next = stop;
	walk->line++;
	copy = malloc(walk->data_len + 1);
	if (copy == NULL) {
		error_set(error_r, walk->file, walk->line, "out of memory");
		return LINES_BAD;
	}
	memcpy(copy, walk->data, walk->data_len);
	copy[walk->data_len] = '\0';
	lines_init(&lines, copy, walk->data_len, walk->file);
	lines.line = walk->line - 1;
	got = lines_next(&lines, error_r);
	if (got == LINES_GOT && !denied_read_row(&lines, &here, error_r))
		got = LINES_BAD;
	if (got == LINES_GOT) {
		*same_r = here.kind == row->kind &&
		    here.data_len == row->data_len &&
		    memcmp(here.data, row->data, row->data_len) == 0;
		*until_r = here.until;
	}
	free(copy);
	return got == LINES_BAD ? LINES_BAD : LINES_GOT;
}

bool
denied_add(const unsigned char *data, size_t data_len, const char *file,
    const char *what, const char *until, const char *reason, int64_t now,
    struct text *text_r, size_t *num_r, struct certauth_error *error_r)
{
	struct walk		 walk = { .next = data, .end = data + data_len,
				    .file = file };
	struct text		 line = { 0 };
	struct denied_row	 row;
	enum lines_result	 got;
	char			*copy = NULL;
	int64_t			 ends = 0;
	bool			 ok = false, same, there = false;

	*num_r = 0;
	if (!make_line(what, until, reason, &line, error_r) ||
	    !read_made(&line, &copy, &row, error_r))
		goto out;
	if (row.until < now) {
		error_set(error_r, TYPED, 0, "that time is over");
		goto out;
	}
	while ((got = next_line(&walk, &row, &same, &ends, error_r)) ==
	    LINES_GOT)
		there |= same && ends >= row.until;
	if (got == LINES_BAD)
		goto out;
	text_add_n(text_r, (const char *)data, data_len);
	if (!there) {
		if (data_len > 0 && data[data_len - 1] != '\n')
			text_add(text_r, "\n");
		text_add_n(text_r, line.data, line.len);
		text_add(text_r, "\n");
		*num_r = 1;
	}
	ok = !text_r->failed;
	if (!ok)
		error_set(error_r, file, 0, "out of memory");
out:
	free(copy);
	text_free(&line);
	return ok;
}

bool
denied_remove(const unsigned char *data, size_t data_len, const char *file,
    const char *what, struct text *text_r, size_t *num_r,
    struct certauth_error *error_r)
{
	struct walk		 walk = { .next = data, .end = data + data_len,
				    .file = file };
	struct text		 line = { 0 };
	struct denied_row	 row;
	enum lines_result	 got;
	char			*copy = NULL;
	int64_t			 ends;
	bool			 ok = false, same;

	*num_r = 0;
	if (!make_line(what, NULL, NULL, &line, error_r) ||
	    !read_made(&line, &copy, &row, error_r))
		goto out;
	while ((got = next_line(&walk, &row, &same, &ends, error_r)) ==
	    LINES_GOT) {
		if (same)
			(*num_r)++;
		else
			text_add_n(text_r, walk.data, walk.data_len);
	}
	ok = got == LINES_END && !text_r->failed;
	if (text_r->failed)
		error_set(error_r, file, 0, "out of memory");
out:
	free(copy);
	text_free(&line);
	return ok;
}
