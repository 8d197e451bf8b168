/*
 * index_stage.h - the entries of one list on their way into tables: between
 * index_stage.c, index_pack.c and index_build.c only.
 *
 * Records are kept in the order of the upper bits of their hash, in blocks that
 * are used again for the finished tables: memory is the result and little else.
 */
#ifndef CERTAUTH_REVOCATION_INDEX_STAGE_H
#define CERTAUTH_REVOCATION_INDEX_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "revocation/crl.h"
#include "revocation/index_format.h"

/* Room in a block. */
#define STAGE_BLOCK	8192u
struct stage_block {
	struct stage_block	*next;
	uint32_t		 used;
	unsigned char		 data[STAGE_BLOCK - 16];
};
struct stage_chain { struct stage_block *first, *last; };

/* Blocks, taken from the system in large pieces. */
struct stage_blocks {
	struct stage_block	 *spare;
	unsigned char		**pieces;
	size_t			  num_pieces, capacity;
	size_t			  used;		/* of the last piece */
};
struct stage_block *stage_block_take(struct stage_blocks *);	/* NULL: no memory */
void	stage_block_give(struct stage_blocks *, struct stage_block *);
void	stage_blocks_free(struct stage_blocks *);

/* A staged record: hash, date, reason, the serial behind its first four octets. */
#define STAGE_HASH	0u
#define STAGE_DATE	4u
#define STAGE_REASON	8u
#define STAGE_REST	9u
#define STAGE_SIZE(width)	(STAGE_REST + (width) - 4)

/* Records of one width and sign: in one piece while they are few, then parted by
 * the upper byte of their hash. */
#define STAGE_PARTS	256u
/* Where the next record goes is not looked up in the block: blocks lie 8 KB apart,
 * and their heads would drive each other out of the cache. */
struct stage_part {
	struct stage_chain	 chain;		/* `used` of the last: see below */
	unsigned char		*at, *end;	/* in the last block */
};
#define STAGE_FEW	4096u
struct stage_bin {
	unsigned char		*few;
	size_t			 num_few, max_few;
	struct stage_part	*parts;		/* NULL: few */
	size_t			 num;
	uint32_t		 first_date, last_date;
};

#define STAGE_WIDTHS	(INDEX_MAX_WIDTH - INDEX_MIN_WIDTH + 1)
struct stage {
	struct stage_blocks	 blocks;
	uint64_t		 seed;
	struct stage_bin	 bins[2][STAGE_WIDTHS];
	size_t			 num;
	bool			 no_memory, too_many;
};

bool	stage_init(struct stage *);		/* false: no random numbers */
/* False: out of memory or too many; said in the struct. */
bool	stage_add(struct stage *, const struct crl_entry *);
/* Sets `used` of every block; the records of the part. */
size_t	stage_part_end(struct stage_part *, size_t size);
/* The records, in the chains or few, and every block. */
void	stage_free(struct stage *);		/* zeroed struct allowed */

#endif
