/*
 * fuzz_crl.c - any bytes at all as a CRL file: split, walked, and, when it is a
 * list, put into an index whose answers must be those of the list.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "revocation/crl_idp.h"
#include "revocation/index.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Longer ones add time, not paths. */
#define MAX_ENTRIES	2000

/* Where the entries of that issuer must be. */
static const struct index_row *
row_of(const struct index *index, const struct crl *crl,
    const struct crl_entry *entry)
{
	const struct index_row	*head = NULL;
	unsigned char		 sha256[32];
	size_t			 i;

	for (i = 0; head == NULL && i < index_num_rows(index); i++)
		head = index_row(index, i);
	assert(head != NULL);
	if (entry->issuer == NULL)
		return head;
	assert(crl->indirect &&
	    crl_hash_name(entry->issuer, entry->issuer_len, sha256));
	return memcmp(sha256, crl->issuer_sha256, 32) == 0 ? head :
	    index_member(index, head, sha256);
}

static void
index_it(const struct crl *crl)
{
	static const struct index_source source = { "fuzz", { 0 } };
	static const unsigned char	 key[32];
	struct index_writer		*writer = index_writer_new();
	struct certauth_error		 error;
	struct crl_entry		 entry = { 0 };
	const struct index_row		*row;
	struct index			 index;
	unsigned char			*bytes;
	size_t				 offset = 0, n = 0;
	bool				 kept;

	if (writer == NULL)
		return;
	if (!index_writer_add(writer, crl, key, &source, &kept, &error)) {
		/* a name that is none shows only when it is hashed */
		assert(crl->indirect);
		index_writer_free(writer);
		return;
	}
	assert(kept && index_writer_seal(writer, &error));
	bytes = index_writer_bytes(writer);
	assert(bytes != NULL);
	assert(index_open(&index, bytes, index_writer_size(writer), &error));
	assert(index_check(&index, &error));
	while (crl_entry_next(crl, &offset, &entry)) {
		n++;
		row = row_of(&index, crl, &entry);
		assert(row != NULL && index_lookup(&index, row, entry.serial,
		    entry.serial_len, entry.negative, NULL) == INDEX_LISTED);
	}
	assert(n == crl->num_entries);
	assert(index_writer_entries(writer) == n);
	free(bytes);
	index_writer_free(writer);
}

/* A list that would say more than it does. */
static void
check_kind(const struct crl *crl)
{
	assert(!crl->delta || (crl->number_len != 0 && crl->base_len != 0));
	assert(crl->delta || crl->base_len == 0);
	assert((crl->reasons & ~CRL_ALL_REASONS) == 0);
	assert(!(crl->user_only && crl->ca_only));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct crl	 crl;
	struct certauth_error	 error;
	struct crl_file		 cursor = { 0 };
	const unsigned char	*der;
	unsigned char		*owned;
	size_t			 der_len;
	enum crl_next		 next;

	while ((next = crl_file_next(&cursor, data, size, &owned, &der,
	    &der_len, &error)) != CRL_NEXT_END) {
		if (next == CRL_NEXT_TAKEN &&
		    crl_parse(&crl, der, der_len, &error)) {
			check_kind(&crl);
			free(crl_issuer_print(&crl));
			crl_find_signer(&crl, NULL, 0,
			    (unsigned char[32]){ 0 }, &error);
			if (crl.num_entries <= MAX_ENTRIES)
				index_it(&crl);
		}
		free(owned);
	}
	assert(ERR_peek_error() == 0);
	return 0;
}
