/*
 * permit.c - a certificate that is accepted, and a place that asks for more.
 *
 * The host knows what its place asks for (a group, a policy, an authority); here
 * is how an accepted verdict is compared with it, and refused for it.
 */

#include <string.h>

#include "engine.h"
#include "verdict/verdict.h"

bool
certauth_verdict_has(const struct certauth_verdict *v, const char *name,
    const char *word)
{
	const char	*value = certauth_verdict_get(v, name), *comma;
	size_t		 len = strlen(word);

	if (certauth_verdict_decision(v) != CERTAUTH_ACCEPT || value == NULL ||
	    len == 0)
		return false;
	/* Only these two are lists; a user is one name, commas and all. */
	if (strcmp(name, "groups") != 0 && strcmp(name, "policies") != 0)
		return strcmp(value, word) == 0;
	if (strchr(word, ',') != NULL)
		return false;
	for (;; value = comma + 1) {
		comma = strchr(value, ',');
		if ((comma != NULL ? (size_t)(comma - value) : strlen(value)) ==
		    len && memcmp(value, word, len) == 0)
			return true;
		if (comma == NULL)
			return false;
	}
}

struct certauth_verdict *
certauth_verdict_not_permitted(const struct certauth_verdict *from,
    const char *detail)
{
	return verdict_refuse_as(from, CERTAUTH_NOT_PERMITTED, detail);
}
