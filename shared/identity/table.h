/*
 * table.h - key -> user and groups, from a text or a compiled file; and who is
 * denied.
 *
 * Immutable after parsing, reference counted, any thread may look up.
 */
#ifndef CERTAUTH_IDENTITY_TABLE_H
#define CERTAUTH_IDENTITY_TABLE_H

#include "base/arena.h"
#include "base/file.h"
#include "base/text.h"
#include "certauth.h"
#include "trust/cert.h"

#define TABLE_MAX_BYTES		(256u * 1024 * 1024)
#define TABLE_MAX_LINE		4096
#define DENIED_MAX_BYTES	(16u * 1024 * 1024)

struct table;

/*
 * Lines: key user [group,group...] [also=USER,USER] [not-before=DATE]
 * [not-after=DATE], `#` comments, blank lines; a key alone is its own user. NULL: error_r names `file`
 * and line, errno is ENOMEM or, where it is the file's fault, EINVAL. Two lines of one key with different users or groups are an error (two
 * lines of one key whose times do not overlap are fine). Both dates belong to the
 * time in force, a date without time is its whole day in UTC.
 */
struct table *table_parse(const unsigned char *data, size_t data_len,
    const char *file, struct certauth_error *error_r);
/* Several files as if they were one: a key of two must say the same in both. */
#define TABLE_MAX_FILES		1000u
struct table_source {
	const unsigned char	*data;
	size_t			 data_len;
	const char		*file;		/* for messages */
};
struct table *table_parse_all(const struct table_source *, size_t num_sources,
    struct certauth_error *error_r);
/*
 * What `ref` names: a text, a compiled table (mapped: no process has its own copy;
 * a new one is put in place by rename), or a folder of texts. *stamp_r: what
 * table_stamp() will say as long as nothing changes. NULL: error_r, and errno as
 * file_look_again() wants it (EINVAL: the file's fault).
 */
struct table *table_load(const struct file_ref *, const struct file_owners *,
    struct file_stamp *stamp_r, struct certauth_error *error_r);
void	table_stamp(const struct file_ref *, const struct file_owners *,
	    struct file_stamp *stamp_r);
/*
 * Writes a compiled table in place of `path`, with the mode, owner and group of
 * what was there, else of `like` (a descriptor), else 0640. False: error_r, what
 * was there stays.
 */
bool	table_write(const struct table *, const char *path, int like,
	    struct certauth_error *error_r);
/* Digest of a compiled one, and each row within its bounds. True for others. */
bool	table_is_sound(const struct table *, struct certauth_error *error_r);
bool	table_is_compiled(const struct table *);
struct table *table_ref(struct table *);
void	table_free(struct table *);

/* Borrowed from the table. `also`: other accounts of his, separated by commas; "". */
struct table_entry { const char *user, *groups, *also; };
/* False: no line for that key that is in force at `now`. Byte by byte, but of a
 * key that looks like a mailbox the domain, and of 64 hexadecimal digits all, is
 * compared in lower case (and without colons). */
bool	table_lookup(const struct table *, const char *key, size_t key_len,
	    int64_t now, struct table_entry *entry_r);
/* Is `user` the user (or, for a one-column line, the key) of any line in force?
 * What `must_exist` asks. */
bool	table_has(const struct table *, const char *user, size_t user_len,
	    int64_t now);
/*
 * The line that stands at or behind *at_io (0 first), borrowed, and *at_io behind
 * it. False past the end. authority and same "": no mark (enrolled.h).
 */
struct table_line {
	const char	*key, *user, *groups, *also, *authority, *same;
	size_t		 authority_len;
	int64_t		 from, until;	/* INT64_MIN, INT64_MAX: no such date */
	unsigned	 line;
};
bool	table_next_line(const struct table *, size_t *at_io,
	    struct table_line *line_r);
size_t	table_size(const struct table *);		/* lines */
/* As extraction spells a key, in place. Returns its length. */
size_t	table_key_fold(char *data, size_t len);
/* May an answer change by time alone (some line has not-before or not-after)? */
bool	table_is_timed(const struct table *);

/*
 * Tells of keys that differ in ASCII case only and lead to different users: with
 * `lower` in a key template they would be one person. At most TABLE_MAX_TWINS are
 * told, all are counted. For `certauth check`; `key` is not escaped.
 */
#define TABLE_MAX_TWINS		100u
typedef void table_twin_fn(void *context, unsigned line, unsigned other_line,
    const char *key);
size_t	table_case_twins(const struct table *, table_twin_fn *tell, void *context);

/* Lines: cert:SHA256 | key:SHA256 | serial:HEX | user:NAME | mailbox:ADDR, then
 * optional until=TIME and reason=TEXT (the rest of the line). */
struct denied;
/* NULL: error_r and errno as table_parse(). */
struct denied *denied_parse(const unsigned char *data, size_t data_len,
    const char *file, struct certauth_error *error_r);
struct denied *denied_ref(struct denied *);
void	denied_free(struct denied *);
/* May an answer change by time alone (some line has until=)? */
bool	denied_is_timed(const struct denied *);
/* `user` "" before mapping. True: denied; *detail_r printable, in the arena (or
 * static when out of memory). */
bool	denied_match(const struct denied *, const struct cert *, const char *user,
	    int64_t now, struct arena *, const char **detail_r);

/*
 * A denied file with one line more, or without those of one value; comments and
 * all other bytes stay. `what` is as at the beginning of a line, kind:value, the
 * value without quotes; `until` a time as in a file, NULL: none; `reason` one line.
 * *text_r is zeroed by the caller and his. *num_r: lines added or taken out; 0: a
 * line that holds as long is there already, or none is. False: error_r.
 */
bool	denied_add(const unsigned char *data, size_t data_len, const char *file,
	    const char *what, const char *until, const char *reason, int64_t now,
	    struct text *text_r, size_t *num_r, struct certauth_error *error_r);
bool	denied_remove(const unsigned char *data, size_t data_len,
	    const char *file, const char *what, struct text *text_r,
	    size_t *num_r, struct certauth_error *error_r);
/* Does it begin as a line does: kind and a colon? */
bool	denied_is_line(const char *what);

#endif
