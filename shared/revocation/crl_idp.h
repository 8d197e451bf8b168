/*
 * crl_idp.h - between crl.c, crl_idp.c and the writer of indirect lists.
 */
#ifndef CERTAUTH_REVOCATION_CRL_IDP_H
#define CERTAUTH_REVOCATION_CRL_IDP_H

#include "revocation/crl.h"
#include "revocation/der.h"

/* The hash that struct cert keeps for the same Name (DER): names are compared in
 * canonical form. False: no Name, or out of memory. */
bool	crl_hash_name(const unsigned char *der, size_t der_len,
	    unsigned char sha256_r[32]);
/* issuingDistributionPoint's value; crl->issuer is there already. */
bool	crl_read_idp(struct crl *, struct der value,
	    struct certauth_error *error_r);

#endif
