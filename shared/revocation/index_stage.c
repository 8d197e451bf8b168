/*
 * index_stage.c - keeps the entries of one list until it is known how many there
 * are.
 *
 * One sequential write an entry; nothing is looked at twice. Sorting and the
 * layout of tables are index_pack.c's.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <openssl/rand.h>

#include "revocation/index_hash.h"
#include "revocation/index_stage.h"

/* What is taken from the system at once: a huge page. */
#define PIECE	((size_t)2 * 1024 * 1024)
#define PIECE_BLOCKS	(PIECE / sizeof(struct stage_block))

_Static_assert(sizeof(struct stage_block) == STAGE_BLOCK, "stage_block");

/* ------------------------------------------------------------------ blocks */

static bool
more_blocks(struct stage_blocks *blocks)
{
	unsigned char	**grown;
	unsigned char	 *piece;
	size_t		  more;

	if (blocks->num_pieces == blocks->capacity) {
		more = blocks->capacity == 0 ? 16 : blocks->capacity * 2;
		grown = reallocarray(blocks->pieces, more, sizeof(*grown));
		if (grown == NULL)
			return false;
		blocks->pieces = grown;
		blocks->capacity = more;
	}
	piece = aligned_alloc(PIECE, PIECE);
	if (piece == NULL)
		return false;
	/* Only faster: 512 page faults less. */
	(void)madvise(piece, PIECE, MADV_HUGEPAGE);
	blocks->pieces[blocks->num_pieces++] = piece;
	blocks->used = 0;
	return true;
}

struct stage_block *
stage_block_take(struct stage_blocks *blocks)
{
	struct stage_block	*block = blocks->spare;

	if (block != NULL)
		blocks->spare = block->next;
	else {
		if ((blocks->num_pieces == 0 || blocks->used == PIECE_BLOCKS) &&
		    !more_blocks(blocks))
			return NULL;
		block = (void *)(blocks->pieces[blocks->num_pieces - 1] +
		    blocks->used++ * sizeof(*block));
	}
	block->next = NULL;
	block->used = 0;
	return block;
}

void
stage_block_give(struct stage_blocks *blocks, struct stage_block *block)
{
	block->next = blocks->spare;
	blocks->spare = block;
}

void
stage_blocks_free(struct stage_blocks *blocks)
{
	size_t	i;

	for (i = 0; i < blocks->num_pieces; i++)
		free(blocks->pieces[i]);
	free(blocks->pieces);
	memset(blocks, 0, sizeof(*blocks));
}

/* ------------------------------------------------------------------- stage */

bool
stage_init(struct stage *stage)
{
	memset(stage, 0, sizeof(*stage));
	/* Nobody can choose serials that meet without knowing it. */
	return RAND_bytes((unsigned char *)&stage->seed,
	    sizeof(stage->seed)) == 1;
}

void
stage_free(struct stage *stage)
{
	struct stage_bin	*bin;
	unsigned		 sign, i;

	for (sign = 0; sign < 2; sign++)
		for (i = 0; i < STAGE_WIDTHS; i++) {
			bin = &stage->bins[sign][i];
			free(bin->few);
			free(bin->parts);
			memset(bin, 0, sizeof(*bin));
		}
	stage_blocks_free(&stage->blocks);
}

static bool
next_block(struct stage *stage, struct stage_part *part)
{
	struct stage_block	*block = stage_block_take(&stage->blocks);

	if (block == NULL)
		return false;
	if (part->chain.last != NULL) {
		part->chain.last->used = (uint32_t)(part->at -
		    part->chain.last->data);
		part->chain.last->next = block;
	} else
		part->chain.first = block;
	part->chain.last = block;
	part->at = block->data;
	part->end = block->data + sizeof(block->data);
	return true;
}

/* Where a record of `size` bytes goes in the part of that hash. */
static inline unsigned char *
part_room(struct stage *stage, struct stage_bin *bin, uint32_t hash, size_t size)
{
	struct stage_part	*part = &bin->parts[hash >> 24];

	if ((size_t)(part->end - part->at) < size && !next_block(stage, part))
		return NULL;
	part->at += size;
	/* The line after next of this part, for when its turn comes again. */
	__builtin_prefetch(part->at + 64, 1);
	return part->at - size;
}

size_t
stage_part_end(struct stage_part *part, size_t size)
{
	struct stage_block	*block;
	size_t			 n = 0;

	if (part->chain.last != NULL)
		part->chain.last->used = (uint32_t)(part->at -
		    part->chain.last->data);
	for (block = part->chain.first; block != NULL; block = block->next)
		n += block->used / size;
	return n;
}

/* They are no longer few. */
static bool
part_bin(struct stage *stage, struct stage_bin *bin, size_t size)
{
	unsigned char	*room;
	uint32_t	 hash;
	size_t		 i;

	bin->parts = calloc(STAGE_PARTS, sizeof(*bin->parts));
	if (bin->parts == NULL)
		return false;
	for (i = 0; i < bin->num_few; i++) {
		memcpy(&hash, bin->few + i * size + STAGE_HASH, sizeof(hash));
		room = part_room(stage, bin, hash, size);
		if (room == NULL)
			return false;
		memcpy(room, bin->few + i * size, size);
	}
	free(bin->few);
	bin->few = NULL;
	bin->num_few = bin->max_few = 0;
	return true;
}

static unsigned char *
few_room(struct stage_bin *bin, size_t size)
{
	unsigned char	*grown;
	size_t		 more;

	if (bin->num_few == bin->max_few) {
		more = bin->max_few == 0 ? 16 : bin->max_few * 2;
		grown = reallocarray(bin->few, more, size);
		if (grown == NULL)
			return NULL;
		bin->few = grown;
		bin->max_few = more;
	}
	return bin->few + bin->num_few++ * size;
}

static bool
no_memory(struct stage *stage)
{
	stage->no_memory = true;
	return false;
}

static bool
add(struct stage *stage, const struct crl_entry *entry,
    const unsigned char *serial, size_t width)
{
	struct stage_bin	*bin = &stage->bins[entry->negative][width -
				    INDEX_MIN_WIDTH];
	unsigned char		*room;
	size_t			 size = STAGE_SIZE(width);
	uint32_t		 hash, date;

	if (bin->num == UINT32_MAX) {
		stage->too_many = true;
		return false;
	}
	hash = index_hash(serial, width, stage->seed);
	if (bin->parts == NULL && bin->num == STAGE_FEW &&
	    !part_bin(stage, bin, size))
		return no_memory(stage);
	room = bin->parts != NULL ? part_room(stage, bin, hash, size) :
	    few_room(bin, size);
	if (room == NULL)
		return no_memory(stage);
	/* 1970 to 2106; a date outside is told as the nearer end. */
	date = entry->date < 0 ? 0 : entry->date > (int64_t)UINT32_MAX ?
	    UINT32_MAX : (uint32_t)entry->date;
	if (bin->num == 0)
		bin->first_date = bin->last_date = date;
	else if (date < bin->first_date)
		bin->first_date = date;
	else if (date > bin->last_date)
		bin->last_date = date;
	memcpy(room + STAGE_HASH, &hash, sizeof(hash));
	memcpy(room + STAGE_DATE, &date, sizeof(date));
	room[STAGE_REASON] = (unsigned char)entry->reason;
	index_copy(room + STAGE_REST, serial + 4, width - 4);
	bin->num++;
	stage->num++;
	return true;
}

bool
stage_add(struct stage *stage, const struct crl_entry *entry)
{
	unsigned char	padded[INDEX_MIN_WIDTH] = { 0 };

	if (entry->serial_len >= INDEX_MIN_WIDTH)
		return add(stage, entry, entry->octets, entry->serial_len);
	memcpy(padded + INDEX_MIN_WIDTH - entry->serial_len, entry->octets,
	    entry->serial_len);
	return add(stage, entry, padded, INDEX_MIN_WIDTH);
}
