/*
 * keyindex.c - which rows may these bytes mean?
 *
 * Open addressing over XXH3, at most two thirds full, eight bytes a slot: one
 * cache line answers most questions. A slot keeps 32 bits of the hash, so rows
 * are touched only when they very likely match.
 */

#include <stdlib.h>

#include <openssl/rand.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "identity/keyindex.h"

/* 2^28 rows are more lines than TABLE_MAX_BYTES has bytes. */
#define KEYINDEX_MAX_ROWS	(UINT32_C(1) << 28)

bool
keyindex_init(struct keyindex *index, size_t rows)
{
	uint32_t	slots = 8;

	index->slots = NULL;
	if (rows > KEYINDEX_MAX_ROWS)
		return false;
	/* A random seed: whoever may propose names to an administrator cannot
	 * choose ones that fall together. */
	if (RAND_bytes((unsigned char *)&index->seed, sizeof(index->seed)) != 1)
		return false;
	while (slots / 3 * 2 <= rows)
		slots *= 2;
	index->slots = calloc(slots, sizeof(*index->slots));
	index->mask = slots - 1;
	return index->slots != NULL;
}

void
keyindex_free(struct keyindex *index)
{
	free(index->slots);
	index->slots = NULL;
}

void
keyindex_probe(const struct keyindex *index, const void *data, size_t data_len,
    struct keyindex_probe *probe_r)
{
	uint64_t	hash = XXH3_64bits_withSeed(data, data_len, index->seed);

	probe_r->tag = (uint32_t)(hash >> 32);
	probe_r->at = (uint32_t)hash & index->mask;
	probe_r->left = index->mask;
}

/* Our own are never full; one from a file may be, so each slot is seen once. */
uint32_t
keyindex_next(const struct keyindex *index, struct keyindex_probe *probe)
{
	const struct keyindex_slot	*slot;

	for (;;) {
		slot = &index->slots[probe->at];
		if (slot->row == 0 || probe->left == 0)
			return KEYINDEX_NONE;
		probe->left--;
		probe->at = (probe->at + 1) & index->mask;
		if (slot->tag == probe->tag)
			return slot->row - 1;
	}
}

void
keyindex_put(struct keyindex *index, const struct keyindex_probe *probe,
    uint32_t row)
{
	uint32_t	at = probe->at;

	while (index->slots[at].row != 0)
		at = (at + 1) & index->mask;
	index->slots[at].tag = probe->tag;
	index->slots[at].row = row + 1;
}

void
keyindex_replace(struct keyindex *index, const struct keyindex_probe *probe,
    uint32_t row)
{
	index->slots[(probe->at - 1) & index->mask].row = row + 1;
}
