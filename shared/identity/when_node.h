/* when_node.h - private to when*.c: the tree of a condition. */
#ifndef CERTAUTH_IDENTITY_WHEN_NODE_H
#define CERTAUTH_IDENTITY_WHEN_NODE_H

#include "identity/when.h"

enum node_kind {
	NODE_IN, NODE_PRESENT, NODE_MATCHES, NODE_COUNT, NODE_NUMBER,
	NODE_NOT, NODE_AND, NODE_OR
};
enum comparison { LESS, LESS_OR_EQUAL, EQUAL, MORE_OR_EQUAL, MORE };

struct when {
	enum node_kind		 kind;
	const struct when	*left, *right;	/* NOT: left only */
	struct expression	 expression;	/* of a condition */
	struct value		*values;	/* IN */
	size_t			 num_values;
	bool			 alike;		/* IN: dn_value_fold() first */
	const struct pattern	*pattern;	/* MATCHES */
	enum comparison		 comparison;	/* COUNT, NUMBER */
	int64_t			 number;
};

/* when_literal.c. "825d" or "3072" as the number that the source (NULL: a count)
 * gives; NULL, or what was expected. */
const char *when_number(const struct source *, const char *data,
	    int64_t *number_r);
/* Spells `data` in place, NUL-terminated in `size` bytes, as a value of the
 * expression is spelled. NULL, or what was expected, where no value is like it. */
const char *when_literal(const struct expression *, char *data, size_t size,
	    size_t *len);

#endif
