/* listed.h - may the CA that issued this certificate issue here? */
#ifndef CERTAUTH_LISTED_H
#define CERTAUTH_LISTED_H

#include "engine.h"
#include "trust/path.h"

/* Faults with issuer-not-listed on the path unless the authority lists the CA, or
 * takes new ones (`new_issuers`) and this is one. */
void	listed_check(struct certauth_verdict *, const struct engine_authority *,
	    const struct path *, int path_no);

#endif
