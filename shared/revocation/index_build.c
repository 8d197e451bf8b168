/*
 * index_build.c - makes one row of an index: what the list says of itself, and a
 * table for each width and sign of its serials.
 *
 * Does not check signatures.
 */

#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include "base/text.h"
#include "revocation/index_build.h"

static bool
no_memory(struct certauth_error *error_r)
{
	error_set(error_r, NULL, 0, "out of memory");
	return false;
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
built_row_pack(struct built_row *row, struct stage *stage,
    struct certauth_error *error_r)
{
	struct stage_bin	*bin;
	unsigned		 sign, width;
	bool			 ok = true;

	row->row.entries = stage->num;
	for (sign = 0; ok && sign < 2; sign++)
		for (width = INDEX_MIN_WIDTH; ok && width <= INDEX_MAX_WIDTH;
		    width++) {
			bin = &stage->bins[sign][width - INDEX_MIN_WIDTH];
			if (bin->num > 0)
				ok = pack_table(&row->tables[
				    row->row.num_tables++], stage, bin, width,
				    sign == 1);
		}
	/* The tables are in them. */
	row->blocks = stage->blocks;
	memset(&stage->blocks, 0, sizeof(stage->blocks));
	return ok || no_memory(error_r);
}

bool
built_row_tables(struct built_row *row, const struct crl *crl,
    struct certauth_error *error_r)
{
	struct stage		*stage = calloc(1, sizeof(*stage));
	struct crl_entry	 entry = { 0 };
	size_t			 offset = 0;
	bool			 ok = false;

	if (stage == NULL)
		return no_memory(error_r);
	if (!stage_init(stage)) {
		error_set(error_r, NULL, 0, "no random numbers");
		goto out;
	}
	while (crl_entry_next(crl, &offset, &entry))
		if (!stage_add(stage, &entry)) {
			error_set(error_r, NULL, 0, "%s", stage->too_many ?
			    "the list is too long" : "out of memory");
			goto out;
		}
	/* The bytes are the caller's own memory: they cannot change. */
	if (stage->num != crl->num_entries) {
		error_set(error_r, NULL, 0, "the list changed while it was read");
		goto out;
	}
	ok = built_row_pack(row, stage, error_r);
out:
	stage_free(stage);
	free(stage);
	return ok;
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
		free(row->tables[i].own_lines);
		free(row->tables[i].own_spill);
		free(row->tables[i].own_records);
	}
	stage_blocks_free(&row->blocks);
	free(row->dps);
	free(row->source);
	free(row->issuer);
	free(row);
}
