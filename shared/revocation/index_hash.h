/*
 * index_hash.h - where in its table does a serial lie? Shared by reader and
 * writer; inline, because both do it by the million.
 */
#ifndef CERTAUTH_REVOCATION_INDEX_HASH_H
#define CERTAUTH_REVOCATION_INDEX_HASH_H

#include <stdint.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "revocation/index_format.h"

/* The finisher of MurmurHash3: every step can be undone. */
static inline uint32_t
index_mix(uint32_t h)
{
	h ^= h >> 16;
	h *= 0x85ebca6bu;
	h ^= h >> 13;
	h *= 0xc2b2ae35u;
	return h ^ h >> 16;
}

/* serial[width], width at least 4. */
static inline uint32_t
index_hash(const unsigned char *serial, size_t width, uint64_t seed)
{
	uint32_t	head;

	memcpy(&head, serial, sizeof(head));
	head = __builtin_bswap32(head);
	return index_mix(head ^ (uint32_t)XXH3_64bits_withSeed(serial + 4,
	    width - 4, seed));
}

/* memcpy() of at most 16 bytes, without a call. */
static inline void
index_copy(unsigned char *to, const unsigned char *from, size_t n)
{
	uint64_t	a, b;
	uint32_t	c, d;

	if (n >= 8) {
		memcpy(&a, from, 8);
		memcpy(&b, from + n - 8, 8);
		memcpy(to, &a, 8);
		memcpy(to + n - 8, &b, 8);
	} else if (n >= 4) {
		memcpy(&c, from, 4);
		memcpy(&d, from + n - 4, 4);
		memcpy(to, &c, 4);
		memcpy(to + n - 4, &d, 4);
	} else
		while (n-- > 0)
			to[n] = from[n];
}

/* Bits of the numbers 0 to n - 1; n at least 1. */
static inline unsigned
index_bits(uint64_t n)
{
	return n <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(n - 1);
}

static inline unsigned
index_low_bits(uint64_t span)
{
	unsigned	bits = index_bits(span);

	return bits > INDEX_PRINT_BITS ? bits - INDEX_PRINT_BITS : 0;
}

#endif
