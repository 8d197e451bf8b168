/*
 * index_build.c - turns the entries of one list into tables.
 *
 * Three passes over a list: crl_parse() counted, the second counts buckets, the
 * third puts each record in its place; memory is the result and nothing else.
 * Does not check signatures.
 */

#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>
#include <openssl/sha.h>

#include "base/text.h"
#include "revocation/index_build.h"

/* Records of one bucket, about: a cache line or three. */
#define BUCKET_RECORDS	8u
/* A width gets a table of its own from 1/8 of the list's serials on; rarer ones
 * are padded into the next wider one. */
#define OWN_TABLE	8u

static bool
no_memory(struct certauth_error *error_r)
{
	error_set(error_r, NULL, 0, "out of memory");
	return false;
}

/* ------------------------------------------------------------------ tables */

/* Which width a serial of that length goes to; zero: none of that length. */
struct widths { unsigned char of[CERT_MAX_SERIAL + 1]; };

static void
choose_widths(const size_t *lengths, struct widths *widths)
{
	size_t		total = 0, n;
	unsigned	len, width = 0;

	memset(widths, 0, sizeof(*widths));
	for (len = 1; len <= CERT_MAX_SERIAL; len++)
		total += lengths[len];
	for (len = CERT_MAX_SERIAL; len > INDEX_MIN_WIDTH; len--) {
		n = lengths[len];
		if (n != 0 && (width == 0 || n >= total / OWN_TABLE + 1))
			width = len;
		if (n != 0)
			widths->of[len] = (unsigned char)width;
	}
	n = lengths[1] + lengths[2] + lengths[3] + lengths[4];
	if (n != 0 && (width == 0 || n >= total / OWN_TABLE + 1))
		width = INDEX_MIN_WIDTH;
	for (len = 1; len <= INDEX_MIN_WIDTH; len++)
		if (lengths[len] != 0)
			widths->of[len] = (unsigned char)width;
}

static unsigned
choose_bits(size_t num)
{
	unsigned	bits = 0;

	while (bits < INDEX_MAX_BITS && (BUCKET_RECORDS << bits) < num)
		bits++;
	return bits;
}

static bool
table_begin(struct built_row *row, unsigned width, bool negative, size_t num,
    struct certauth_error *error_r)
{
	struct built_table	*built = &row->tables[row->row.num_tables];
	struct index_table	*table = &built->table;

	if (num > UINT32_MAX || row->row.num_tables == INDEX_MAX_ROW_TABLES) {
		error_set(error_r, NULL, 0, "the list is too long");
		return false;
	}
	table->num_records = (uint32_t)num;
	table->width = (uint8_t)width;
	table->negative = negative;
	table->bucket_bits = (uint8_t)choose_bits(num);
	table->kind = INDEX_KIND_REVOKED;
	if (RAND_bytes((unsigned char *)&table->seed, sizeof(table->seed)) != 1) {
		error_set(error_r, NULL, 0, "no random numbers");
		return false;
	}
	row->row.num_tables++;
	built->own_buckets = calloc(((size_t)1 << table->bucket_bits) + 2,
	    sizeof(uint32_t));
	built->own_records = calloc(num,
	    INDEX_STRIDE(table->width, table->bucket_bits));
	built->buckets = built->own_buckets;
	built->records = built->own_records;
	if (built->own_buckets == NULL || built->own_records == NULL)
		return no_memory(error_r);
	return true;
}

static bool
tables_begin(struct built_row *row, const struct crl *crl,
    struct widths widths[2], struct certauth_error *error_r)
{
	size_t		num;
	unsigned	sign, width, len;

	for (sign = 0; sign < 2; sign++) {
		choose_widths(crl->lengths[sign], &widths[sign]);
		for (width = INDEX_MIN_WIDTH; width <= INDEX_MAX_WIDTH; width++) {
			for (num = 0, len = 1; len <= CERT_MAX_SERIAL; len++)
				if (widths[sign].of[len] == width)
					num += crl->lengths[sign][len];
			if (num != 0 &&
			    !table_begin(row, width, sign == 1, num, error_r))
				return false;
		}
	}
	return true;
}

/* The entry's table, its serial padded to the width, and its hash. */
static struct built_table *
place(struct built_row *row, const struct widths widths[2],
    const struct crl_entry *entry, unsigned char padded[INDEX_MAX_WIDTH],
    uint32_t *hash_r, uint32_t *bucket_r)
{
	struct built_table	*built;
	unsigned		 width, bits;
	uint32_t		 i;

	width = widths[entry->negative].of[entry->serial_len];
	for (i = 0; i < row->row.num_tables; i++) {
		built = &row->tables[i];
		if (built->table.width == width &&
		    (built->table.negative != 0) == entry->negative)
			goto found;
	}
	return NULL;
found:
	memset(padded, 0, INDEX_MAX_WIDTH);
	memcpy(padded + width - entry->serial_len, entry->serial,
	    entry->serial_len);
	*hash_r = index_hash(padded, width, built->table.seed);
	bits = built->table.bucket_bits;
	*bucket_r = bits == 0 ? 0 : *hash_r >> (32 - bits);
	return built;
}

static void
put_record(struct built_table *built, uint32_t at, uint32_t hash,
    const unsigned char *padded, const struct crl_entry *entry)
{
	unsigned	 width = built->table.width;
	unsigned	 bits = built->table.bucket_bits, i;
	unsigned char	*p = built->own_records +
			    (size_t)at * INDEX_STRIDE(width, bits);
	uint32_t	 date;

	for (i = INDEX_SPARED(bits); i < 4; i++)
		*p++ = (unsigned char)(hash >> (8 * (3 - i)));
	memcpy(p, padded + 4, width - 4);
	p += width - 4;
	/* 1970 to 2106; a date outside is told as the nearer end. */
	date = entry->date < 0 ? 0 : entry->date > (int64_t)UINT32_MAX ?
	    UINT32_MAX : (uint32_t)entry->date;
	memcpy(p, &date, sizeof(date));
	p[4] = (unsigned char)entry->reason;
}

/* Of several entries for one serial the worst counts; removeFromCRL says least. */
static int
mildness(unsigned reason)
{
	return reason == CRL_REMOVE ? 2 : reason == CRL_HOLD ? 1 : 0;
}

/* Serial part first; of twins the worst first, and of two alike the older. */
static int
compare_records(const void *a, const void *b, void *context)
{
	size_t			 key_len = *(const size_t *)context;
	const unsigned char	*x = a, *y = b;
	uint32_t		 x_date, y_date;
	int			 c = index_compare_keys(x, y, key_len);

	if (c == 0)
		c = mildness(x[key_len + 4]) - mildness(y[key_len + 4]);
	if (c != 0)
		return c;
	memcpy(&x_date, x + key_len, sizeof(x_date));
	memcpy(&y_date, y + key_len, sizeof(y_date));
	return x_date < y_date ? -1 : x_date > y_date;
}

static void
sort_bucket(unsigned char *records, uint32_t num, size_t stride)
{
	unsigned char	moved[INDEX_MAX_WIDTH + INDEX_TAIL];
	size_t		key_len = stride - INDEX_TAIL;
	uint32_t	i, j;

	/* A CA that picks serials to fill one bucket gains nothing. */
	if (num > 4 * BUCKET_RECORDS) {
		qsort_r(records, num, stride, compare_records, &key_len);
		return;
	}
	for (i = 1; i < num; i++) {
		for (j = i; j > 0 && compare_records(records + stride * (j - 1),
		    records + stride * i, &key_len) > 0; j--)
			;
		if (j == i)
			continue;
		memcpy(moved, records + stride * i, stride);
		memmove(records + stride * (j + 1), records + stride * j,
		    stride * (i - j));
		memcpy(records + stride * j, moved, stride);
	}
}

/* Counts -> first record of each bucket, plus one for the end. */
static void
sum_buckets(struct built_table *built)
{
	uint32_t	i, n = (uint32_t)1 << built->table.bucket_bits;
	uint32_t	sum = 0, count;

	for (i = 0; i <= n; i++) {
		count = built->own_buckets[i];
		built->own_buckets[i] = sum;
		sum += count;
	}
}

/* Filling moved each start to its end, which is the next one's start. */
static void
finish_buckets(struct built_table *built)
{
	uint32_t	 i, n = (uint32_t)1 << built->table.bucket_bits;
	uint32_t	*buckets = built->own_buckets;
	size_t		 stride = INDEX_STRIDE(built->table.width,
			    built->table.bucket_bits);

	memmove(buckets + 1, buckets, (size_t)n * sizeof(*buckets));
	buckets[0] = 0;
	for (i = 0; i < n; i++)
		sort_bucket(built->own_records + stride * buckets[i],
		    buckets[i + 1] - buckets[i], stride);
}

static bool
fill_tables(struct built_row *row, const struct crl *crl,
    const struct widths widths[2], struct certauth_error *error_r)
{
	unsigned char		 padded[INDEX_MAX_WIDTH];
	struct crl_entry	 entry = { 0 };
	struct built_table	*built;
	size_t			 offset, n;
	uint32_t		 hash, bucket, i;
	int			 pass;

	for (pass = 0; pass < 2; pass++) {
		for (offset = 0, n = 0;
		    crl_entry_next(crl, &offset, &entry); n++) {
			built = place(row, widths, &entry, padded, &hash,
			    &bucket);
			if (built == NULL)
				break;
			if (pass == 0)
				built->own_buckets[bucket]++;
			else
				put_record(built, built->own_buckets[bucket]++,
				    hash, padded, &entry);
		}
		/* The bytes are the caller's own memory: they cannot change. */
		if (n != crl->num_entries) {
			error_set(error_r, NULL, 0, "the list changed while it "
			    "was read");
			return false;
		}
		for (i = 0; i < row->row.num_tables; i++) {
			if (pass == 0)
				sum_buckets(&row->tables[i]);
			else
				finish_buckets(&row->tables[i]);
		}
	}
	return true;
}

static bool
row_head(struct built_row *row, const struct crl *crl,
    const unsigned char key_sha256[32], const struct index_source *source,
    struct certauth_error *error_r)
{
	struct index_row	*out = &row->row;

	memcpy(out->issuer_sha256, crl->issuer_sha256, 32);
	memcpy(out->key_sha256, key_sha256, 32);
	if (SHA256(crl->signature, crl->signature_len,
	    out->signature_sha256) == NULL) {
		error_set(error_r, NULL, 0, "SHA-256 failed");
		return false;
	}
	out->this_update = crl->this_update;
	out->next_update = crl->next_update;
	out->entries = crl->num_entries;
	out->flags = index_flags(crl);
	out->reasons = crl->reasons;
	out->base_len = (uint8_t)crl->base_len;
	memcpy(out->base, crl->base, crl->base_len);
	out->number_len = (uint8_t)crl->number_len;
	memcpy(out->number, crl->number, crl->number_len);
	out->num_dps = (uint32_t)crl->num_dps;
	out->stamp[0] = source->stamp.device;
	out->stamp[1] = source->stamp.inode;
	out->stamp[2] = (uint64_t)source->stamp.size;
	out->stamp[3] = (uint64_t)source->stamp.mtime_ns;
	out->stamp[4] = (uint64_t)source->stamp.ctime_ns;
	row->source = strdup(source->file);
	row->issuer = crl_issuer_print(crl);
	row->dps = malloc(crl->num_dps * 32 + 1);
	if (row->source == NULL || row->issuer == NULL || row->dps == NULL)
		return no_memory(error_r);
	memcpy(row->dps, crl->dps, crl->num_dps * 32);
	return true;
}

struct built_row *
built_row_new(const struct crl *crl, const unsigned char key_sha256[32],
    const struct index_source *source, struct certauth_error *error_r)
{
	struct built_row	*row = calloc(1, sizeof(*row));

	if (row == NULL) {
		no_memory(error_r);
		return NULL;
	}
	if (!row_head(row, crl, key_sha256, source, error_r)) {
		built_row_free(row);
		return NULL;
	}
	return row;
}

bool
built_row_tables(struct built_row *row, const struct crl *crl,
    struct certauth_error *error_r)
{
	struct widths	widths[2];

	return tables_begin(row, crl, widths, error_r) &&
	    fill_tables(row, crl, widths, error_r);
}

void
built_row_free(struct built_row *row)
{
	size_t	i;

	if (row == NULL)
		return;
	for (i = 0; i < row->num_members; i++)
		built_row_free(row->members[i]);
	free(row->members);
	for (i = 0; i < INDEX_MAX_ROW_TABLES; i++) {
		free(row->tables[i].own_buckets);
		free(row->tables[i].own_records);
	}
	free(row->dps);
	free(row->source);
	free(row->issuer);
	free(row);
}
