/*
 * path_tell.c - where do the certificates of a path come from?
 *
 * For the story that `explain` tells. Decides nothing.
 */

#include <stdlib.h>

#include "trust/path.h"
#include "verdict/verdict.h"

/* What the administrator wrote down about a CA. */
static const char *
role_word(unsigned roles)
{
	return (roles & POOL_ANCHOR) != 0 ? "anchor" :
	    (roles & POOL_ISSUER) != 0 ? "issuer" : "intermediate";
}

void
path_tell(struct certauth_verdict *v, const struct pool *pool,
    const struct path *path)
{
	const struct pool_member	*m;
	char				*name;
	size_t				 i;

	name = cert_subject_print(path->certs[path->num_certs - 1]);
	verdict_tell(v, "path of %zu certificates to %s", path->num_certs,
	    name != NULL ? name : "?");
	free(name);
	for (i = 1; i < path->num_certs; i++) {
		m = pool_find(pool, path->certs[i]->sha256);
		if (m != NULL)
			verdict_tell(v, "  depth %zu is of %s, %s", i,
			    m->source, role_word(m->roles));
		else
			verdict_tell(v, "  depth %zu was sent by the client", i);
	}
}
