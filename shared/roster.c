/*
 * roster.c - whom does a policy trust?
 *
 * The CA certificates of an open engine, one after the other. Decides nothing.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "certauth_data.h"
#include "engine.h"

/* Cut where it is too long, between characters. */
static void
copy_name(char *buf, size_t size, const char *name)
{
	size_t	len;

	(void)snprintf(buf, size, "%s", name);
	for (len = strlen(buf); len > 0 && !text_utf8_valid(buf, len); len--)
		buf[len - 1] = '\0';
}

bool
certauth_ca_at(struct certauth *e, size_t i, struct certauth_ca *ca_r)
{
	const struct pool_member	*m;
	const struct cert		*cert;
	char				*name;
	size_t				 a, k;

	memset(ca_r, 0, sizeof(*ca_r));
	for (a = 0; a < e->num_authorities; a++) {
		if (i < pool_size(e->authorities[a].pool))
			break;
		i -= pool_size(e->authorities[a].pool);
	}
	if (a == e->num_authorities)
		return false;
	m = pool_at(e->authorities[a].pool, i);
	cert = pool_cert(m);
	ca_r->authority = e->authorities[a].name;
	ca_r->source = m->source;
	ca_r->role = (m->roles & POOL_ANCHOR) != 0 ? "anchor" :
	    (m->roles & POOL_ISSUER) != 0 ? "issuer" : "intermediate";
	if (cert == NULL) {
		(void)snprintf(ca_r->subject, sizeof(ca_r->subject),
		    "cannot be decoded");
		return true;
	}
	name = cert_subject_print(cert);
	copy_name(ca_r->subject, sizeof(ca_r->subject), name != NULL ? name : "?");
	free(name);
	for (k = 0; k < sizeof(cert->sha256); k++)
		(void)snprintf(ca_r->sha256 + 2 * k, 3, "%02x",
		    cert->sha256[k]);
	ca_r->not_after = cert->not_after;
	return true;
}
