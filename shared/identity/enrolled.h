/*
 * enrolled.h - what a map keeps beside a key: whose certificate it was.
 *
 *	KEY USER [GROUPS] # enrolled authority=NAME mailbox=ADDR ends=TIME issuer="..."
 *
 * A comment behind a line. It lets nobody in: it only tells a renewed certificate
 * of somebody known from one of a stranger. Compiled tables and folders of maps
 * have it too, since table_text.c keeps it as a row under a key that no
 * certificate and no line can give.
 */
#ifndef CERTAUTH_IDENTITY_ENROLLED_H
#define CERTAUTH_IDENTITY_ENROLLED_H

#include "base/arena.h"
#include "base/text.h"
#include "identity/table.h"

/* The word that begins such a comment. */
#define ENROLLED_MARK	"enrolled"

/* What the comment says. */
struct enrolled_mark {
	/* `same`: mailbox, or what else the rule's continuity says; "" when the
	 * line is not of an enrolment */
	const char	*authority, *same, *issuer;
	int64_t		 ends;		/* INT64_MAX: not said */
};
/* Reads `rest`, what stands behind a line's last word, in place. Never a fault: what
 * is no mark is a comment. */
void	enrolled_read(char *rest, struct enrolled_mark *mark_r);

/* The key of a mark's row: a control character in front and between. Bytes of it,
 * 0: longer than `size`. */
size_t	enrolled_key(const char *authority, const char *same, size_t same_len,
	    char *key, size_t size);
/*
 * The newest line of that authority and name; *others_r: another line leads to
 * somebody else. False: none. Borrowed from the table.
 */
bool	enrolled_find(const struct table *, const char *authority,
	    const char *same, size_t same_len, struct table_entry *entry_r,
	    bool *others_r);

/* One line of a map, enrolled or not. */
struct enrolled_line {
	const char	*key, *user, *groups, *also;
	int64_t		 from, until;	/* INT64_MIN, INT64_MAX: no such date */
	struct enrolled_mark mark;
	unsigned	 line;
};
/* Every line of a map in turn, spelled as a lookup spells it; false from `each`
 * ends it. False: the map cannot be read (error_r), or `each` said so. */
typedef bool enrolled_each_fn(void *context, const struct enrolled_line *);
bool	enrolled_each(const unsigned char *data, size_t data_len,
    const char *file, enrolled_each_fn *, void *context,
    struct certauth_error *error_r);

/* May a rule's `continuity` be this: san.email, san.upn, san.uri or san.dns? */
bool	enrolled_continuity(const char *text);
/* A certificate's names of that kind, one call each. */
typedef void enrolled_name_fn(void *context, const char *name, size_t name_len);
void	enrolled_names(const struct cert *, const char *continuity,
    struct arena *, enrolled_name_fn *, void *context);

/* A whole line with its end. `mark` NULL: no comment. */
void	enrolled_print(struct text *, const char *key, const char *user,
    const char *groups, const struct enrolled_mark *mark,
    const char *continuity);

#endif
