/*
 * keyindex.h - bytes to row numbers. Knows hashes, not the rows themselves.
 *
 * Filled by one thread, then read by any number.
 */
#ifndef CERTAUTH_IDENTITY_KEYINDEX_H
#define CERTAUTH_IDENTITY_KEYINDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keyindex_slot { uint32_t tag, row; };	/* row + 1; 0: empty */
struct keyindex {
	struct keyindex_slot	*slots;
	uint64_t		 seed;
	uint32_t		 mask;
};
struct keyindex_probe { uint32_t tag, at, left; };

#define KEYINDEX_NONE	UINT32_MAX

/* Room for `rows` rows at most 2^28. False: out of memory or no random seed. */
bool	keyindex_init(struct keyindex *, size_t rows);
void	keyindex_free(struct keyindex *);	/* zeroed struct allowed */

/*
 * The rows that may be meant by these bytes, one call each, KEYINDEX_NONE at the
 * end; the caller compares the bytes. Then keyindex_put() at the same probe adds
 * a row.
 */
void	keyindex_probe(const struct keyindex *, const void *data, size_t data_len,
	    struct keyindex_probe *probe_r);
uint32_t keyindex_next(const struct keyindex *, struct keyindex_probe *);
/* In place of the row that keyindex_next() gave last. */
void	keyindex_replace(struct keyindex *, const struct keyindex_probe *,
	    uint32_t row);
void	keyindex_put(struct keyindex *, const struct keyindex_probe *,
	    uint32_t row);

#endif
