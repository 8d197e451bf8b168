/*
 * fuzz_answers.c - any bytes as an answers index: what opens is found again, and
 * written again as it was.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "revocation/answers.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct certauth_error	 error;
	struct answers_header	*header;
	struct answers		 answers;
	struct ocsp_answer	 said;
	unsigned char		*copy = malloc(size + 1), *again;
	size_t			 i, len;

	assert(copy != NULL);
	memcpy(copy, data, size);
	/* The fuzzer cannot guess a hash: it is made right. */
	if (size >= sizeof(*header)) {
		header = (struct answers_header *)(void *)copy;
		header->hash = XXH3_64bits(copy + sizeof(*header),
		    size - sizeof(*header));
	}
	if (answers_open(&answers, copy, size, &error)) {
		for (i = 0; i < answers.num_records; i++)
			assert(answers_find(&answers, answers.records[i].key,
			    &said) && said.status != OCSP_NOTHING);
		again = answers_make(&answers, NULL, 0, INT64_MIN, &len);
		assert(again != NULL && len <= size);
		free(again);
	}
	free(copy);
	return 0;
}
