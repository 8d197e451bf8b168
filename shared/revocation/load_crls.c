/*
 * load_crls.c - which lists does one CRL file bring, and are they good?
 *
 * Form, signer and age of each; what the file no longer gives well is taken from
 * the last edition. Shared by the engine (load.c) and `certauth compile`.
 */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "revocation/crl_stream.h"
#include "revocation/load.h"

bool
load_from_file(const struct index *index, const struct index_row *row,
    const char *file)
{
	return strcmp(index_string(index, row->source), file) == 0;
}

/* Delta CRLs of lower bases that are kept behind the newest. */
#define MAX_KEPT_DELTAS	2

/* Is that row another edition of this list, from the same file? */
static bool
is_edition(const struct index *index, const struct index_row *row,
    const struct crl *crl, const unsigned char key_sha256[32], const char *file)
{
	return row != NULL && load_from_file(index, row, file) &&
	    memcmp(row->key_sha256, key_sha256, 32) == 0 &&
	    row->flags == index_flags(crl) && row->reasons == crl->reasons &&
	    row->num_dps == crl->num_dps && (crl->num_dps == 0 ||
	    memcmp(index_dps(index, row), crl->dps, crl->num_dps * 32) == 0);
}

/* The newest of them that is older than `before` (NULL: the newest of all) and,
 * where `base` is, of a lower base; or NULL. */
static const struct index_row *
find_edition(const struct index *index, const struct crl *crl,
    const unsigned char key_sha256[32], const char *file,
    const struct index_row *before, bool base)
{
	const struct index_row	*row, *found = NULL;
	size_t			 first, n, i;

	n = index_find(index, crl->issuer_sha256, &first);
	for (i = first; i < first + n; i++) {
		row = index_row(index, i);
		if (!is_edition(index, row, crl, key_sha256, file) ||
		    (before != NULL && index_compare_age(row, before) >= 0) ||
		    (base && crl_compare_number(row->base, row->base_len,
		    crl->base, crl->base_len) >= 0))
			continue;
		if (found == NULL || index_compare_age(row, found) > 0)
			found = row;
	}
	return found;
}

/*
 * A delta CRL of a newer base does not repeat what the one before it says. Until
 * its complete list is here too, that one's revocations must not be forgotten.
 */
static bool
keep_before(struct index_writer *writer, const struct crl *crl,
    const unsigned char key_sha256[32], const char *file,
    const struct index *last, struct certauth_error *error_r)
{
	const struct index_row	*row = NULL;
	bool			 kept;
	unsigned		 i;

	for (i = 0; last != NULL && crl->delta && i < MAX_KEPT_DELTAS; i++) {
		row = find_edition(last, crl, key_sha256, file, row, true);
		if (row == NULL)
			break;
		if (!index_writer_copy(writer, last, row, &kept, error_r))
			return false;
	}
	return true;
}

/* A list that was read; `stage` NULL: with its entries. */
static bool
take_crl(struct index_writer *writer, const struct crl *crl, struct stage *stage,
    const struct index_source *source, const struct pool *const *pools,
    size_t num_pools, const struct index *last, struct certauth_error *error_r)
{
	const struct index_row	*edition;
	unsigned char		 key[32];
	char			 then[32], now[32];
	bool			 kept;

	if (!crl_find_signer(crl, pools, num_pools, key, error_r))
		return false;
	edition = last != NULL ? find_edition(last, crl, key, source->file,
	    NULL, false) : NULL;
	/* RFC 5280 5.2.3: numbers only grow. An old list that somebody puts
	 * back would make revoked certificates good again. */
	if (edition != NULL && crl_compare_age(crl->number, crl->number_len,
	    crl->this_update, edition->number, edition->number_len,
	    edition->this_update) < 0) {
		error_set(error_r, NULL, 0, "the list is older than the one in "
		    "force: of %s, expected %s or later with a CRL number that "
		    "has not gone back", text_time_print(now, sizeof(now),
		    crl->this_update), text_time_print(then, sizeof(then),
		    edition->this_update));
		return false;
	}
	if (!keep_before(writer, crl, key, source->file, last, error_r))
		return false;
	return stage != NULL ?
	    index_writer_add_stage(writer, crl, stage, key, source, &kept,
	    error_r) : index_writer_add(writer, crl, key, source, &kept, error_r);
}

/* What `last` has of that file and the writer has not, or has older. */
static void
copy_last(struct index_writer *writer, const char *file, const struct index *last,
    load_crl_fn *fn, void *context)
{
	const struct index_row	*row;
	struct certauth_error	 error;
	size_t			 i;
	bool			 kept;

	for (i = 0; last != NULL && i < index_num_rows(last); i++) {
		row = index_row(last, i);
		/* An error is one more list that could not be kept. */
		if (row != NULL && load_from_file(last, row, file) &&
		    !index_writer_copy(writer, last, row, &kept, &error))
			fn(context, NULL, error.text);
	}
}

bool
load_crls(struct index_writer *writer, const unsigned char *data,
    size_t data_len, const struct index_source *source,
    const struct pool *const *pools, size_t num_pools, const struct index *last,
    bool copy, load_crl_fn *fn, void *context)
{
	struct certauth_error	 error;
	struct crl_file		 cursor = { 0 };
	struct crl		*crl = calloc(1, sizeof(*crl));
	const unsigned char	*der;
	unsigned char		*owned;
	size_t			 der_len;
	enum crl_next		 next;
	bool			 ok = true;

	if (crl == NULL) {
		fn(context, NULL, "out of memory");
		return false;
	}
	while ((next = crl_file_next(&cursor, data, data_len, &owned, &der,
	    &der_len, &error)) != CRL_NEXT_END) {
		memset(crl, 0, sizeof(*crl));
		if (next == CRL_NEXT_TAKEN &&
		    crl_parse(crl, der, der_len, &error) && take_crl(writer, crl,
		    NULL, source, pools, num_pools, last, &error))
			fn(context, crl, NULL);
		else {
			fn(context, crl->issuer != NULL ? crl : NULL, error.text);
			ok = false;
		}
		free(owned);
	}
	free(crl);
	if (!ok && copy)
		copy_last(writer, source->file, last, fn, context);
	return ok;
}

bool
load_long_crl(struct index_writer *writer, int fd, size_t len,
    const struct index_source *source, const struct pool *const *pools,
    size_t num_pools, const struct index *last, load_crl_fn *fn, void *context)
{
	struct certauth_error	 error = { 0 };
	struct crl_stream	 stream = { 0 };
	struct stage		*stage = NULL;
	struct crl		*crl;
	enum crl_streamed	 answer = CRL_STREAM_OTHER;

	if (len < CRL_STREAM_LEAST)
		return false;
	crl = calloc(1, sizeof(*crl));
	stage = calloc(1, sizeof(*stage));
	if (crl == NULL || stage == NULL || !stage_init(stage))
		goto out;
	answer = crl_stream_read(&stream, fd, len, crl, stage, &error);
	if (answer == CRL_STREAM_OTHER)
		goto out;
	if (answer == CRL_STREAM_TAKEN && take_crl(writer, crl, stage, source,
	    pools, num_pools, last, &error))
		fn(context, crl, NULL);
	else {
		fn(context, crl->issuer != NULL ? crl : NULL, error.text);
		copy_last(writer, source->file, last, fn, context);
	}
out:
	if (stage != NULL)
		stage_free(stage);
	free(stage);
	free(crl);
	crl_stream_free(&stream);
	return answer != CRL_STREAM_OTHER;
}
