/* audit.h - what the files of an audit share. */
#ifndef CERTAUTH_AUDIT_H
#define CERTAUTH_AUDIT_H

#include "certauth_data.h"

/* audit_policies.c: profiles that ask for a policy nobody may assert. */
void	audit_policies(const struct certauth *, certauth_audit_fn *, void *context);

#endif
