/*
 * template.h - text with holes that a certificate fills: "{san.email|local}".
 *
 * Literal text and {SOURCE|TRANSFORM...}; {{ and }} are literal braces.
 */
#ifndef CERTAUTH_IDENTITY_TEMPLATE_H
#define CERTAUTH_IDENTITY_TEMPLATE_H

#include "identity/expression.h"
#include "identity/when.h"

#define TEMPLATE_MAX_PIECES	32u
#define TEMPLATE_MAX_BYTES	1024u
/* A key is looked up, so it may be longer than a user name. */
#define TEMPLATE_MAX_KEY	2048u

/* What the result is for decides which bytes of a certificate may be in it. */
enum template_use { TEMPLATE_KEY, TEMPLATE_USER, TEMPLATE_GROUPS };

struct template;

/* In `arena`, immutable. NULL: error_r (column in `text`, 1 first). */
const struct template *template_compile(const char *text, enum template_use,
    struct arena *, struct certauth_error *error_r);
/* What was compiled, for messages. */
const char *template_text(const struct template *);
/* Are they the same, however they are spelled? (No: they may be.) */
bool	template_equal(const struct template *, const struct template *);
/* Does it say anything about the certificate? */
bool	template_has_source(const struct template *);
bool	template_uses(const struct template *, enum source_kind);
/* Does one of its sources go through that step? */
bool	template_folds(const struct template *, enum step_kind);
/* NONE: it has no source. */
enum rule_strength template_strength(const struct template *, bool pinned);

enum template_status {
	TEMPLATE_BAD,		/* detail: a value that must not be used */
	TEMPLATE_AMBIGUOUS,	/* detail: two sources have several values */
	TEMPLATE_NO_MEMORY,
	TEMPLATE_NONE,		/* detail: which source has no value */
	TEMPLATE_FILLED
};
struct template_results {
	struct value	 items[RULES_MAX_VALUES];	/* different from each other */
	size_t		 num_items;
	const char	*detail;	/* printable, in the arena or static */
};

/*
 * Fills the template once for each value of the source that has several. `when`
 * (NULL: none) is asked again with each of these values alone: one for which it
 * is not true is left out, so that "san.email.domain in example.com" lets no
 * mailbox of another domain through beside one that matches.
 */
enum template_status template_fill(const struct template *, const struct when *,
    struct extractor *, struct template_results *results_r);

/* Why this may not be a user name, a constant; NULL: it may. */
const char *user_name_fault(const char *data, size_t data_len);

#endif
