/* when_node.h - private to when.c and when_parse.c: the tree of a condition. */
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
	const struct pattern	*pattern;	/* MATCHES */
	enum comparison		 comparison;	/* COUNT, NUMBER */
	int64_t			 number;
};

#endif
