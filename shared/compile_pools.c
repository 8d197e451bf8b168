/*
 * compile_pools.c - whose CRLs does a compilation take?
 */

#include <stdlib.h>

#include "base/text.h"
#include "compile_pools.h"
#include "input.h"

/* Every CA the person names; unreadable members are passed over, a file without
 * any is an error. */
struct pool *
compile_issuer_pool(const char *const *issuers, size_t num_issuers,
    struct certauth_error *error_r)
{
	struct pool	*pool = pool_new();
	unsigned char	*data;
	size_t		 data_len, i;
	bool		 ok = pool != NULL;

	if (!ok)
		error_set(error_r, NULL, 0, "out of memory");
	for (i = 0; ok && i < num_issuers; i++) {
		ok = input_read(issuers[i], &data, &data_len, error_r);
		if (!ok)
			break;
		ok = pool_load_bytes(pool, data, data_len, issuers[i],
		    POOL_ISSUER, NULL, NULL, error_r);
		free(data);
	}
	if (ok && !pool_seal(pool)) {
		error_set(error_r, NULL, 0, "out of memory");
		ok = false;
	}
	if (!ok) {
		pool_free(pool);
		pool = NULL;
	}
	return pool;
}

static bool
load_pool(struct pool *pool, const struct config_refs *refs,
    const struct file_owners *owners, enum pool_role role,
    struct certauth_error *error_r)
{
	size_t	i;

	for (i = 0; i < refs->num_refs; i++)
		if (!pool_load(pool, &refs->refs[i], owners, role, NULL, NULL,
		    error_r))
			return false;
	return true;
}

bool
compile_pools(const struct config *config, struct pool **pools,
    struct certauth_error *error_r)
{
	const struct config_authority	*from;
	size_t				 i;

	for (i = 0; i < config->num_authorities; i++) {
		from = &config->authorities[i];
		pools[i] = pool_new();
		if (pools[i] == NULL) {
			error_set(error_r, NULL, 0, "out of memory");
			return false;
		}
		if (!load_pool(pools[i], &from->anchors, &config->owners,
		    POOL_ANCHOR, error_r) ||
		    !load_pool(pools[i], &from->issuers, &config->owners,
		    POOL_ISSUER, error_r) ||
		    !load_pool(pools[i], &from->intermediates, &config->owners,
		    POOL_INTERMEDIATE, error_r))
			return false;
		if (!pool_seal(pools[i])) {
			error_set(error_r, NULL, 0, "out of memory");
			return false;
		}
	}
	return true;
}
