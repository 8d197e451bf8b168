/* mapped.h - for audit.c: two people whom the rules take for one. */
#ifndef CERTAUTH_MAPPED_H
#define CERTAUTH_MAPPED_H

#include "engine.h"

typedef void mapped_fold_fn(void *context, const char *line);
void	mapped_folds(struct certauth *, const struct snapshot *,
	    mapped_fold_fn *, void *context);

#endif
