/*
 * index_pack.c - turns the staged records of one width and sign into a table:
 * sorts them, drops twins, lays out lines and records.
 *
 * Part by part: what is worked on fits into the processor's cache, and the blocks
 * of a part that was read take the records that were made of it.
 */

#include <stdlib.h>
#include <string.h>

#include "revocation/index_build.h"
#include "revocation/index_hash.h"

/* Records of one line, about. Of lines with 38 one in three thousand spills. */
#define LINE_RECORDS	38u
/* Keys that are not worth counting. */
#define FEW_KEYS	64u
#define DIGIT_BITS	12u

struct packer {
	struct built_table	*built;
	struct index_table	*table;
	struct stage_blocks	*blocks;
	size_t			 staged;	/* size of a staged record */
	size_t			 stride;
	/* one part */
	unsigned char		*records;
	size_t			 max_records;
	uint64_t		*keys, *spare;	/* hash, number of the record */
	/* the line that is being filled */
	uint32_t		 line;
	unsigned char		*prints;
	size_t			 num_prints, max_prints;
	size_t			 max_spill;
	const unsigned char	*last;		/* staged; NULL: none in this part */
};

/* ----------------------------------------------------------------- sorting */

static uint32_t
staged_hash(const unsigned char *staged)
{
	uint32_t	hash;

	memcpy(&hash, staged + STAGE_HASH, sizeof(hash));
	return hash;
}

/* By counting, `bits` lowest bits of the hash. Stable. */
static void
sort_keys(uint64_t **keys, uint64_t **spare, size_t n, unsigned bits)
{
	uint32_t	 counts[1u << DIGIT_BITS], sum, c;
	uint64_t	*from = *keys, *to = *spare, *swap, key;
	const unsigned	 mask = (1u << DIGIT_BITS) - 1;
	unsigned	 shift;
	size_t		 i, j;

	if (n <= FEW_KEYS) {
		for (i = 1; i < n; i++) {
			key = from[i];
			for (j = i; j > 0 && from[j - 1] > key; j--)
				from[j] = from[j - 1];
			from[j] = key;
		}
		return;
	}
	for (shift = 32; shift < 32 + bits; shift += DIGIT_BITS) {
		memset(counts, 0, sizeof(counts));
		for (i = 0; i < n; i++)
			counts[from[i] >> shift & mask]++;
		for (sum = 0, i = 0; i <= mask; i++) {
			c = counts[i];
			counts[i] = sum;
			sum += c;
		}
		for (i = 0; i < n; i++)
			to[counts[from[i] >> shift & mask]++] = from[i];
		swap = from;
		from = to;
		to = swap;
	}
	*keys = from;
	*spare = to;
}

/* Of two entries for one serial the one that is told: revoked before on hold
 * before removed. */
static unsigned
rank(unsigned char reason)
{
	return reason == CRL_REMOVE ? 2 : reason == CRL_HOLD ? 1 : 0;
}

/* Two of the same hash: by `rest`; of twins the worst, then the older. */
static int
compare_staged(const void *a, const void *b, void *context)
{
	const struct packer	*p = context;
	const unsigned char	*x, *y;
	uint32_t		 x_date, y_date;
	unsigned		 x_rank, y_rank;
	int			 c;

	x = p->records + (uint32_t)*(const uint64_t *)a * p->staged;
	y = p->records + (uint32_t)*(const uint64_t *)b * p->staged;
	c = memcmp(x + STAGE_REST, y + STAGE_REST, p->staged - STAGE_REST);
	if (c != 0)
		return c;
	x_rank = rank(x[STAGE_REASON]);
	y_rank = rank(y[STAGE_REASON]);
	if (x_rank != y_rank)
		return x_rank < y_rank ? -1 : 1;
	memcpy(&x_date, x + STAGE_DATE, sizeof(x_date));
	memcpy(&y_date, y + STAGE_DATE, sizeof(y_date));
	return x_date < y_date ? -1 : x_date > y_date;
}

/* Rare, unless a list names one serial a million times. */
static void
sort_alike(struct packer *p, size_t n)
{
	size_t	i, j;

	for (i = 0; i < n; i = j) {
		for (j = i + 1; j < n && p->keys[j] >> 32 == p->keys[i] >> 32;
		    j++)
			;
		if (j - i > 1)
			qsort_r(p->keys + i, j - i, sizeof(*p->keys),
			    compare_staged, p);
	}
}

/* ------------------------------------------------------------------- lines */

static bool
spill_line(struct packer *p, struct index_line *line)
{
	struct index_table	*table = p->table;
	uint32_t		 at = table->spill_size;
	uint32_t		 n = (uint32_t)p->num_prints;
	unsigned char		*grown;
	size_t			 more;

	if (p->num_prints > UINT32_MAX - at)
		return false;
	if (at + p->num_prints > p->max_spill) {
		more = (at + p->num_prints) * 2;
		grown = realloc(p->built->own_spill, more);
		if (grown == NULL)
			return false;
		p->built->own_spill = grown;
		p->max_spill = more;
	}
	memcpy(p->built->own_spill + at, p->prints, n);
	table->spill_size += n;
	line->count = INDEX_LINE_SPILLED;
	memcpy(line->print, &at, sizeof(at));
	memcpy(line->print + sizeof(at), &n, sizeof(n));
	return true;
}

/* Ends the line in work and all empty ones before `next`. */
static bool
next_line(struct packer *p, uint32_t next)
{
	struct index_line	*line = &p->built->own_lines[p->line];

	if (p->num_prints <= INDEX_LINE_PRINTS) {
		line->count = (uint8_t)p->num_prints;
		memcpy(line->print, p->prints, p->num_prints);
	} else if (!spill_line(p, line))
		return false;
	p->num_prints = 0;
	while (p->line < next)
		p->built->own_lines[++p->line].first = p->table->num_records;
	return true;
}

static bool
add_print(struct packer *p, unsigned char print)
{
	unsigned char	*grown;
	size_t		 more;

	if (p->num_prints == p->max_prints) {
		more = p->max_prints * 2;
		grown = realloc(p->prints, more);
		if (grown == NULL)
			return false;
		p->prints = grown;
		p->max_prints = more;
	}
	p->prints[p->num_prints++] = print;
	return true;
}

/* ----------------------------------------------------------------- records */

static unsigned char *
record_room(struct packer *p)
{
	struct stage_chain	*chain = &p->built->chain;
	struct stage_block	*block = chain->last;

	if (p->built->own_records != NULL)
		return p->built->own_records +
		    p->stride * p->table->num_records;
	if (block == NULL || block->used + p->stride > sizeof(block->data)) {
		block = stage_block_take(p->blocks);
		if (block == NULL)
			return NULL;
		if (chain->last != NULL)
			chain->last->next = block;
		else
			chain->first = block;
		chain->last = block;
	}
	block->used += (uint32_t)p->stride;
	return block->data + block->used - p->stride;
}

static bool
put_record(struct packer *p, const unsigned char *staged)
{
	struct index_table	*table = p->table;
	unsigned char		*room, bytes[8];
	uint32_t		 hash = staged_hash(staged), date;
	uint64_t		 offset, tail;
	uint32_t		 line;

	/* a twin of the one before, which is the worse */
	if (p->last != NULL && staged_hash(p->last) == hash &&
	    memcmp(p->last + STAGE_REST, staged + STAGE_REST,
	    p->staged - STAGE_REST) == 0)
		return true;
	p->last = staged;
	line = (uint32_t)(hash / table->span);
	offset = hash % table->span;
	if (line != p->line && !next_line(p, line))
		return false;
	room = record_room(p);
	if (room == NULL ||
	    !add_print(p, (unsigned char)(offset >> table->low_bits)))
		return false;
	memcpy(&date, staged + STAGE_DATE, sizeof(date));
	tail = (offset & (((uint64_t)1 << table->low_bits) - 1)) |
	    (uint64_t)staged[STAGE_REASON] << table->low_bits |
	    (uint64_t)(date - table->date_base) <<
	    (table->low_bits + INDEX_REASON_BITS);
	memcpy(bytes, &tail, sizeof(bytes));
	index_copy(room, bytes, table->tail_size);
	index_copy(room + table->tail_size, staged + STAGE_REST,
	    p->staged - STAGE_REST);
	table->num_records++;
	return true;
}

/* `n` records of p->records, whose hashes differ in the lowest `bits`. */
static bool
pack_part(struct packer *p, size_t n, unsigned bits)
{
	size_t	i;

	for (i = 0; i < n; i++)
		p->keys[i] = (uint64_t)staged_hash(p->records + i * p->staged) <<
		    32 | i;
	sort_keys(&p->keys, &p->spare, n, bits);
	sort_alike(p, n);
	p->last = NULL;
	for (i = 0; i < n; i++)
		if (!put_record(p, p->records +
		    (uint32_t)p->keys[i] * p->staged))
			return false;
	return true;
}

/* Into one piece; its blocks are free then. */
static size_t
gather(struct packer *p, struct stage_chain *chain)
{
	struct stage_block	*block, *next;
	size_t			 len = 0;

	for (block = chain->first; block != NULL; block = next) {
		next = block->next;
		memcpy(p->records + len, block->data, block->used);
		len += block->used;
		stage_block_give(p->blocks, block);
	}
	chain->first = chain->last = NULL;
	return len / p->staged;
}

/* ------------------------------------------------------------------- table */

static void
measure(struct index_table *table, const struct stage_bin *bin)
{
	const uint64_t	all = (uint64_t)1 << 32;
	uint64_t	lines = (bin->num + LINE_RECORDS - 1) / LINE_RECORDS;
	unsigned	bits;

	table->span = (all + lines - 1) / lines;
	table->num_lines = (uint32_t)((all - 1) / table->span + 1);
	table->low_bits = (uint8_t)index_low_bits(table->span);
	table->date_base = bin->first_date;
	bits = table->low_bits + INDEX_REASON_BITS +
	    index_bits((uint64_t)(bin->last_date - bin->first_date) + 1);
	table->tail_size = (uint8_t)((bits + 7) / 8);
}

static bool
packer_init(struct packer *p, const struct stage_bin *bin)
{
	size_t	max = bin->num_few, i, n;

	for (i = 0; bin->parts != NULL && i < STAGE_PARTS; i++) {
		n = stage_part_end(&bin->parts[i], p->staged);
		if (n > max)
			max = n;
	}
	p->max_prints = 2 * INDEX_LINE_PRINTS;
	p->prints = malloc(p->max_prints);
	p->keys = calloc(max, sizeof(*p->keys));
	p->spare = calloc(max, sizeof(*p->spare));
	p->built->own_lines = calloc(p->table->num_lines,
	    sizeof(*p->built->own_lines));
	p->built->lines = p->built->own_lines;
	if (bin->parts != NULL)
		p->records = malloc(max * p->staged);
	else {
		p->records = bin->few;
		p->built->own_records = malloc(max * p->stride);
		if (p->built->own_records == NULL)
			return false;
	}
	return p->prints != NULL && p->keys != NULL && p->spare != NULL &&
	    p->records != NULL && p->built->own_lines != NULL;
}

bool
pack_table(struct built_table *built, struct stage *stage,
    struct stage_bin *bin, unsigned width, bool negative)
{
	struct packer	p = { .built = built, .table = &built->table,
			    .blocks = &stage->blocks };
	size_t		i;
	bool		ok;

	memset(&built->table, 0, sizeof(built->table));
	built->table.seed = stage->seed;
	built->table.width = (uint8_t)width;
	built->table.negative = negative;
	built->table.kind = INDEX_KIND_REVOKED;
	measure(&built->table, bin);
	p.staged = STAGE_SIZE(width);
	p.stride = INDEX_STRIDE(width, built->table.tail_size);
	ok = packer_init(&p, bin);
	if (ok && bin->parts == NULL)
		ok = pack_part(&p, bin->num_few, 32);
	for (i = 0; ok && bin->parts != NULL && i < STAGE_PARTS; i++)
		ok = pack_part(&p, gather(&p, &bin->parts[i].chain), 24);
	ok = ok && next_line(&p, built->table.num_lines - 1);
	/* the last line may be the one that was in work */
	built->spill = built->own_spill;
	built->records = built->own_records;
	free(p.prints);
	free(p.keys);
	free(p.spare);
	if (bin->parts != NULL)
		free(p.records);
	return ok;
}
