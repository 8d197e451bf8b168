/*
 * expression.h - a source and what is made of its values:
 * `san.email|domain|lower`, `subject.CN|capture('([0-9]+) .*')`.
 */
#ifndef CERTAUTH_IDENTITY_EXPRESSION_H
#define CERTAUTH_IDENTITY_EXPRESSION_H

#include "identity/pattern.h"
#include "identity/source.h"

#define EXPRESSION_MAX_STEPS	8u
#define EXPRESSION_MAX_TEXT	255u
/* The longest value a step may make. */
#define EXPRESSION_MAX_VALUE	2047u

enum step_kind {
	STEP_LOWER, STEP_LOCAL, STEP_DOMAIN, STEP_IDNA, STEP_UNICODE,
	STEP_CAPTURE, STEP_PREFIX, STEP_SUFFIX
};
struct step {
	enum step_kind		 kind;
	const struct pattern	*pattern;	/* CAPTURE */
	struct value		 text;		/* PREFIX, SUFFIX */
};
struct expression {
	struct source	source;
	struct step	steps[EXPRESSION_MAX_STEPS];
	size_t		num_steps;
};

/*
 * "san.email|local|lower" or the alias spelling "san.email.local.lower". False:
 * error_r says what was found and expected (column: in `text`, 1 first).
 */
bool	expression_parse(const char *text, size_t text_len, struct arena *,
	    struct expression *expression_r, struct certauth_error *error_r);
/* Bytes from `text` to the first of `stops` that stands outside of quotes. */
size_t	expression_length(const char *text, const char *stops);
/* '...' or "..." at `text`, in the arena; bytes of it, 0: none, not closed or
 * empty, or no memory. In "..." \" is a quote, all else stands for itself. */
size_t	quoted_read(const char *text, struct arena *, struct value *value_r);
bool	expression_has(const struct expression *, enum step_kind);
enum rule_strength expression_strength(const struct expression *, bool pinned);

struct room { char data[2][EXPRESSION_MAX_VALUE + 1]; };
enum apply_result {
	APPLY_BAD,	/* *fault_r: why nothing may be decided; NULL: no memory */
	APPLY_NONE,	/* it has no such part */
	APPLY_DONE	/* a part of `in` or in the room */
};
enum apply_result expression_apply(const struct expression *,
	    const struct value *in, struct room *, struct value *out_r,
	    const char **fault_r);

#endif
