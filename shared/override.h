/* override.h - stale data that counts for longer, by an administrator's word. */
#ifndef CERTAUTH_OVERRIDE_H
#define CERTAUTH_OVERRIDE_H

#include "engine.h"

/* In the state folder; lines "AUTHORITY UNTIL WRITTEN BY REASON...". */
#define OVERRIDE_NAME		"overrides"
#define OVERRIDE_MAX_BYTES	(64u * 1024)

struct override {
	char	*authority, *by, *reason;	/* printable */
	int64_t	 until, written;
};
struct overrides {
	atomic_uint	 refs;
	struct file_stamp stamp;	/* zero: no file */
	struct override	 items[CONFIG_MAX_AUTHORITIES];
	size_t		 num_items;
};

/* The file as it is now, or `last` again. A file that is none, or of a wrong owner,
 * is a remark and overrides nothing: softening wants to be certain. NULL: no
 * memory, which overrides nothing. */
struct overrides *override_load(struct certauth *, struct overrides *last,
	    bool *changed_r);
void	override_free(struct overrides *);		/* NULL allowed */
/* The authority as it counts now: itself, or *copy with its data prolonged. */
const struct engine_authority *override_authority(const struct overrides *,
	    const struct engine_authority *, struct engine_authority *copy);

#endif
