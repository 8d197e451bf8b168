/* apply.h - what the files of `certauth apply` share. */
#ifndef CERTAUTH_APPLY_INSIDE_H
#define CERTAUTH_APPLY_INSIDE_H

#include <sys/types.h>

#include "base/bundle.h"

/* What everybody who reads each of the parts may do with the whole: no more. */
struct apply_rights {
	mode_t	mode;
	gid_t	gid;		/* with has_gid: whose group may read */
	bool	has_gid;
};

/* apply_collect.c: what a generation of the file as it is now holds. False: error_r,
 * nothing to free. */
bool	apply_collect(const char *conf, struct bundle *bundle_r,
	    struct apply_rights *rights_r, struct certauth_error *error_r);

#endif
