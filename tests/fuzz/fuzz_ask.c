/*
 * fuzz_ask.c - any bytes as frames of the refresher's protocol, one after the
 * other: what is taken must be written again with the same bytes.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ask/ask.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
same(unsigned char *again, size_t again_len, const uint8_t *frame, size_t len)
{
	assert(again != NULL && again_len == len);
	assert(memcmp(again, frame, len) == 0);
	free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ask_question	question;
	struct ask_reply	reply;
	unsigned char		id[ASK_ID_BYTES];
	size_t			len, again_len;
	unsigned char		*again;
	bool			is_question, is_reply;

	for (;;) {
		len = ask_frame_length(data, size);
		if (len == ASK_MORE || len == ASK_BAD || len > size)
			return 0;
		is_question = ask_question_parse(data, len, &question);
		is_reply = ask_reply_parse(data, len, &reply);
		assert(!is_question || !is_reply);
		if (is_question) {
			assert(ask_question_id(data, len, id));
			again = ask_question_make(&question, &again_len);
			same(again, again_len, data, len);
		}
		if (is_reply) {
			again = ask_reply_make(&reply, &again_len);
			same(again, again_len, data, len);
		}
		data += len;
		size -= len;
	}
}
