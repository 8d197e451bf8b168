/*
 * permit.c - a certificate that is accepted, and a place that asks for more.
 *
 * The host knows what its place asks for (a group, a policy, an authority); here
 * is how an accepted verdict is compared with it, and refused for it.
 */

#include <string.h>

#include "base/text.h"
#include "engine.h"
#include "verdict/verdict.h"

#define PERMIT_MAX_DETAIL	512

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
	/* Who was refused stays visible; as whom he would have entered does not. */
	static const enum verdict_attr	kept[] = {
		VERDICT_EMAIL, VERDICT_SERIAL, VERDICT_FINGERPRINT,
		VERDICT_POLICIES, VERDICT_DAYS_LEFT, VERDICT_PROFILE,
		VERDICT_AUTHORITY, VERDICT_ID,
	};
	struct certauth_verdict		*v;
	STACK_OF(X509)			*path;
	char				 shown[PERMIT_MAX_DETAIL] = "";
	size_t				 i;
	int				 number = -1;

	v = verdict_new(certauth_verdict_profile(from), "",
	    from != NULL ? verdict_now(from) : 0, 0);
	if (v == NULL)
		return NULL;
	for (i = 0; from != NULL && i < sizeof(kept) / sizeof(kept[0]); i++)
		verdict_set(v, kept[i], verdict_attr(from, kept[i]));
	path = certauth_verdict_get0_path(from);
	if (path != NULL && sk_X509_num(path) > 0) {
		verdict_set_leaf(v, sk_X509_value(path, 0));
		number = verdict_path_begin(v, path,
		    verdict_attr(from, VERDICT_AUTHORITY));
	}
	if (detail != NULL)
		text_printable(shown, sizeof(shown), detail, strlen(detail));
	verdict_fault(v, CERTAUTH_NOT_PERMITTED, number, number < 0 ? -1 : 0,
	    "%s", shown);
	verdict_close(v, -1);
	return v;
}
