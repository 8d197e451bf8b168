/*
 * policies_tell.c - what would a person want to know of a refused policy?
 *
 * What the certificate carries and what its issuer allows, in words. Decides nothing.
 */

#include <openssl/x509v3.h>

#include "trust/policies.h"

/* More than these are counted. */
#define MAX_TOLD	8
#define MAX_OID_TEXT	128

void
policies_tell_one(struct text *out, const struct cert *cert)
{
	CERTIFICATEPOLICIES	*list;
	char			 oid[MAX_OID_TEXT];
	const ASN1_OBJECT	*policy;
	int			 i, n;

	list = X509_get_ext_d2i(cert->x509, NID_certificate_policies, NULL, NULL);
	n = sk_POLICYINFO_num(list);
	if (n <= 0)
		text_add(out, "none");
	for (i = 0; i < n && i < MAX_TOLD; i++) {
		policy = sk_POLICYINFO_value(list, i)->policyid;
		text_add(out, i > 0 ? ", " : "");
		if (OBJ_obj2nid(policy) == NID_any_policy)
			text_add(out, "any");
		else if (OBJ_obj2txt(oid, sizeof(oid), policy, 1) > 0)
			text_add(out, oid);
	}
	if (n > MAX_TOLD)
		text_printf(out, " and %d more", n - MAX_TOLD);
	CERTIFICATEPOLICIES_free(list);
}

void
policies_tell(struct text *out, struct cert *const *path, size_t num_path)
{
	text_add(out, " The certificate carries ");
	policies_tell_one(out, path[0]);
	if (num_path > 2) {	/* what an anchor says is not part of it */
		text_add(out, "; its issuer allows ");
		policies_tell_one(out, path[1]);
	}
	text_add(out, ".");
}
