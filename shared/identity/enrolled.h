/*
 * enrolled.h - what a map keeps beside a key: whose certificate it was.
 *
 *	KEY USER [GROUPS] # enrolled authority=NAME mailbox=ADDR ends=TIME issuer="..."
 *
 * A comment to table.c. It lets nobody in: it only tells a renewed certificate of
 * somebody known from one of a stranger.
 */
#ifndef CERTAUTH_IDENTITY_ENROLLED_H
#define CERTAUTH_IDENTITY_ENROLLED_H

#include "base/arena.h"
#include "base/text.h"
#include "identity/rules.h"

/* Lines of one map that are told of; more are no longer distinguished. */
#define ENROLLED_MAX		(1u << 24)
#define ENROLLED_MAX_BYTES	(1024u * 1024 * 1024)

struct enrolled_line {
	const char	*key, *user, *groups;
	/* `same`: mailbox, or what else the rule's continuity says; "" when the
	 * line is not of an enrolment */
	const char	*authority, *same, *issuer;
	int64_t		 ends;		/* INT64_MAX: not said */
	unsigned	 line;
};

struct enrolled;

/* Never a fault of the file: what is no mark is a comment. NULL: out of memory. */
struct enrolled *enrolled_parse(const unsigned char *data, size_t data_len);
struct enrolled *enrolled_ref(struct enrolled *);
void	enrolled_free(struct enrolled *);
/* The line of that authority and name; *others_r: another line leads to somebody
 * else. NULL: none. Borrowed. */
const struct enrolled_line *enrolled_find(const struct enrolled *,
    const char *authority, const char *same, size_t same_len, bool *others_r);

/* Every line of a map in turn, enrolled or not; false from `each` ends it. False:
 * the map cannot be read (error_r), or `each` said so. */
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
    const char *groups, const struct enrolled_line *mark,
    const char *continuity);

#endif
