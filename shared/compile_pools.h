/*
 * compile_pools.h - the CAs of a compilation: between compile.c and
 * compile_pools.c only.
 */
#ifndef CERTAUTH_COMPILE_POOLS_H
#define CERTAUTH_COMPILE_POOLS_H

#include "config/config.h"
#include "trust/pool.h"

/* Every CA of these files; unreadable members are passed over, a file without any
 * is an error. NULL: error_r. */
struct pool *compile_issuer_pool(const char *const *issuers, size_t num_issuers,
	    struct certauth_error *error_r);
/* A sealed pool for each authority into pools[num_authorities], which are zero
 * before. False: error_r; the caller frees those that are there. */
bool	compile_pools(const struct config *, struct pool **pools,
	    struct certauth_error *error_r);

#endif
