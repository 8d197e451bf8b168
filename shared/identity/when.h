/*
 * when.h - does this rule speak of this certificate?
 *
 *	san.email.domain in example.com, example.org and not subject.OU present
 *
 * SOURCE in LIST, == "value", matches 'PATTERN', count >= N, present; numbers also
 * < <= >= >; not, and, or, parentheses.
 */
#ifndef CERTAUTH_IDENTITY_WHEN_H
#define CERTAUTH_IDENTITY_WHEN_H

#include "identity/expression.h"

#define WHEN_MAX_BYTES		(64u * 1024)
/* Conditions, words between them, and depth of parentheses and nots. */
#define WHEN_MAX_NODES		256u
#define WHEN_MAX_DEPTH		16u
#define WHEN_MAX_VALUES		4096u

struct when;

enum when_result { WHEN_BAD, WHEN_FALSE, WHEN_TRUE };

/* In `arena`, immutable. NULL: error_r (column in `text`). */
const struct when *when_compile(const char *text, struct arena *,
    struct certauth_error *error_r);

/*
 * Any value of a source may make a condition true. With `bound`, that source is
 * taken to have `value` only. BAD: a source that had to be asked holds a value
 * that must not be used (*fault_r printable) or memory ran out (*fault_r NULL).
 */
enum when_result when_ask(const struct when *, struct extractor *,
    const struct source *bound, const struct value *value,
    const char **fault_r);

/* One of the conditions that must all hold. */
struct when_condition {
	const struct expression	*expression;	/* NULL: or, not, ... of several */
	const char		*pattern;	/* matches; else NULL */
	const struct value	*equal;		/* == or in with one value; else NULL */
};
typedef bool when_condition_fn(void *context, const struct when_condition *);
/* Each of them, as written; false from `each` ends it. */
bool	when_each(const struct when *, when_condition_fn *each, void *context);

/* How sure is it who somebody is for whom it holds? */
enum rule_strength when_strength(const struct when *, bool pinned);
/* Does it hold for the mailboxes of one domain alone (as far as that is seen)? */
bool	when_pins_domain(const struct when *);

#endif
