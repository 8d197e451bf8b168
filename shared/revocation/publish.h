/*
 * publish.h - private to the files that put numbered files in force.
 */
#ifndef CERTAUTH_REVOCATION_PUBLISH_H
#define CERTAUTH_REVOCATION_PUBLISH_H

#include "base/text.h"
#include "revocation/index.h"

/* manifest.c. Is it the name of a file of that kind? */
bool	publish_name_is(enum publish_kind, const char *name, size_t len,
	    uint64_t *number_r);
void	publish_name(enum publish_kind, uint64_t number, char *buf,
	    size_t buf_len);
/* The manifest with `entry` in place of its kind's line, which goes to old_r. */
bool	publish_manifest_text(enum publish_kind, int dirfd,
	    const struct publish_entry *entry, struct text *text,
	    struct publish_entry *old_r);

#endif
