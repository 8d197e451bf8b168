/*
 * services.h - by which service does somebody come in, where nobody says?
 *
 * A rule's `users` names people for the web and for mail, and nobody where no
 * service is named. Whoever asks beforehand (enroll, forecast) means any of them.
 */
#ifndef CERTAUTH_SERVICES_H
#define CERTAUTH_SERVICES_H

#include "engine.h"

/* The i-th service to try: `asked` alone, or with NULL none, and where a rule has
 * `users`, the web and mail. False: past the end. */
bool	services_at(const struct certauth_profile *, const char *asked, size_t i,
	    const char **service_r);
/* As certauth_verify(): the first that is accepted, else the refusal that is not
 * just the want of a name. *service_r: whose it is. NULL: no memory. */
struct certauth_verdict *services_verify(struct certauth *,
	    const struct certauth_request *, const char **service_r);

#endif
