/* picture.h - the path search of a closed verdict as nodes and edges. */
#ifndef CERTAUTH_VERDICT_PICTURE_H
#define CERTAUTH_VERDICT_PICTURE_H

#include "verdict/verdict.h"

/* Nobody looks at more; the rest is counted. */
#define PICTURE_MAX_NODES	48u
#define PICTURE_MAX_EDGES	96u

enum picture_kind { PICTURE_LEAF, PICTURE_CA, PICTURE_ANCHOR, PICTURE_MISSING };

struct picture_node {
	enum picture_kind	 kind;
	const X509		*cert;		/* borrowed; NULL: missing */
	char			*name;		/* printable */
	unsigned		 column, row;	/* 0: the leaf's */
	const char		*slug, *detail;	/* first fault, or NULL */
	bool			 shown;		/* on the path told of */
};
struct picture_edge { size_t from, to; bool shown; };

struct picture {
	struct picture_node	 nodes[PICTURE_MAX_NODES];
	size_t			 num_nodes;
	struct picture_edge	 edges[PICTURE_MAX_EDGES];
	size_t			 num_edges;
	size_t			 num_left_out;	/* paths with something not drawn */
	unsigned		 num_columns, num_rows;
};

/* Borrows from the verdict, which must outlive it. False: out of memory, nothing to
 * free. */
bool	picture_make(struct picture *, const struct certauth_verdict *);
void	picture_free(struct picture *);

#endif
