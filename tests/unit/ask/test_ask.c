/*
 * test_ask.c - do questions and replies come back as they went, and is
 * everything else refused?
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include "ask/ask.h"

static struct ask_question
status(void)
{
	return (struct ask_question){ .kind = ASK_STATUS, .authority = "people",
	    .authority_len = 6, .num_certs = 3,
	    .certs = { { (const unsigned char *)"leaf", 4 },
	    { (const unsigned char *)"issuing", 7 },
	    { (const unsigned char *)"root", 4 } } };
}

static void
test_status(void **state)
{
	struct ask_question	 q = status(), back;
	unsigned char		*frame, id[ASK_ID_BYTES], sha256[32];
	size_t			 len, i;

	(void)state;
	frame = ask_question_make(&q, &len);
	assert_non_null(frame);
	assert_int_equal(len, 8 + 1 + 2 + 6 + 1 + 8 + 11 + 8);
	assert_memory_equal(frame, "CAQ1\0\0\0\x25\x01\0\6people\3\0\0\0\4leaf",
	    26);
	assert_int_equal(ask_frame_length(frame, len), len);
	assert_true(ask_question_parse(frame, len, &back));
	assert_int_equal(back.kind, ASK_STATUS);
	assert_int_equal(back.authority_len, 6);
	assert_memory_equal(back.authority, "people", 6);
	assert_int_equal(back.num_certs, 3);
	for (i = 0; i < 3; i++) {
		assert_int_equal(back.certs[i].data_len, q.certs[i].data_len);
		assert_memory_equal(back.certs[i].data, q.certs[i].data,
		    q.certs[i].data_len);
	}
	assert_true(ask_question_id(frame, len, id));
	SHA256(frame + 8, len - 8, sha256);
	assert_memory_equal(id, sha256, ASK_ID_BYTES);
	free(frame);
}

/* Cut anywhere, or with one byte more: not a question. */
static void
test_cut(void **state)
{
	struct ask_question	 q = status(), back;
	unsigned char		*frame, *copy, id[ASK_ID_BYTES];
	size_t			 len, i;

	(void)state;
	frame = ask_question_make(&q, &len);
	assert_non_null(frame);
	for (i = 0; i < len; i++) {
		copy = malloc(i + 1);
		assert_non_null(copy);
		memcpy(copy, frame, i);
		assert_false(ask_question_parse(copy, i, &back));
		assert_false(ask_question_id(copy, i, id));
		/* the header may claim the shorter length, too */
		if (i > 8) {
			copy[7] = (unsigned char)(i - 8);
			assert_false(ask_question_parse(copy, i, &back));
		}
		free(copy);
	}
	copy = calloc(1, len + 1);
	assert_non_null(copy);
	memcpy(copy, frame, len);
	assert_false(ask_question_parse(copy, len + 1, &back));
	copy[7]++;
	assert_false(ask_question_parse(copy, len + 1, &back));
	free(copy);
	free(frame);
}

static void
test_length(void **state)
{
	static const unsigned char	most[] = { 'C', 'A', 'R', '1', 0, 1, 0xff, 0xf8 };
	static const unsigned char	over[] = { 'C', 'A', 'R', '1', 0, 1, 0xff, 0xf9 };
	static const unsigned char	huge[] = { 'C', 'A', 'Q', '1', 255, 255, 255, 255 };
	static const unsigned char	none[] = { 'C', 'A', 'Q', '1', 0, 0, 0, 0 };

	(void)state;
	assert_int_equal(ask_frame_length(most, 0), ASK_MORE);
	assert_int_equal(ask_frame_length(most, 3), ASK_MORE);
	assert_int_equal(ask_frame_length(most, 7), ASK_MORE);
	assert_int_equal(ask_frame_length(most, 8), ASK_MAX_BYTES);
	assert_true(ask_frame_length(over, 8) == ASK_BAD);
	assert_true(ask_frame_length(huge, 8) == ASK_BAD);
	assert_true(ask_frame_length(none, 8) == ASK_BAD);
	assert_true(ask_frame_length((const unsigned char *)"H", 1) == ASK_BAD);
	assert_true(ask_frame_length((const unsigned char *)"CAX", 3) == ASK_BAD);
	assert_true(ask_frame_length((const unsigned char *)"CAQ2", 4) == ASK_BAD);
}

static void
test_kinds(void **state)
{
	struct ask_question	 q = status(), back;
	unsigned char		*frame;
	size_t			 len;

	(void)state;
	q.num_certs = 1;
	assert_null(ask_question_make(&q, &len));	/* no issuer */
	q.kind = ASK_ISSUER;
	frame = ask_question_make(&q, &len);
	assert_non_null(frame);
	assert_true(ask_question_parse(frame, len, &back));
	assert_int_equal(back.kind, ASK_ISSUER);
	assert_int_equal(back.num_certs, 1);
	frame[8] = ASK_STATUS;		/* a status without an issuer */
	assert_false(ask_question_parse(frame, len, &back));
	frame[8] = 0;
	assert_false(ask_question_parse(frame, len, &back));
	frame[8] = 3;
	assert_false(ask_question_parse(frame, len, &back));
	free(frame);

	q.num_certs = 2;
	assert_null(ask_question_make(&q, &len));	/* two orphans */
	q.kind = ASK_STATUS;
	q.certs[1].data_len = 0;
	assert_null(ask_question_make(&q, &len));
	q.certs[1].data_len = ASK_MAX_BYTES;
	assert_null(ask_question_make(&q, &len));
	q = status();
	q.authority_len = ASK_MAX_AUTHORITY + 1;
	assert_null(ask_question_make(&q, &len));
	q = status();
	q.num_certs = ASK_MAX_CERTS + 1;
	assert_null(ask_question_make(&q, &len));
}

static void
test_admin(void **state)
{
	struct ask_question	 q = { .kind = ASK_ADMIN,
	    .text = { (const unsigned char *)"{}", 2 } }, back;
	unsigned char		*frame;
	size_t			 len;

	(void)state;
	frame = ask_question_make(&q, &len);
	assert_non_null(frame);
	assert_int_equal(len, 11);
	assert_true(ask_question_parse(frame, len, &back));
	assert_int_equal(back.kind, ASK_ADMIN);
	assert_int_equal(back.text.data_len, 2);
	assert_memory_equal(back.text.data, "{}", 2);
	free(frame);
}

static void
test_reply(void **state)
{
	struct ask_reply	 reply = { .result = ASK_OCSP,
	    .payload = { (const unsigned char *)"der", 3 } }, back;
	unsigned char		*frame;
	size_t			 len, i;

	(void)state;
	memset(reply.id, 7, sizeof(reply.id));
	frame = ask_reply_make(&reply, &len);
	assert_non_null(frame);
	assert_int_equal(len, 8 + 16 + 1 + 3);
	assert_true(ask_reply_parse(frame, len, &back));
	assert_memory_equal(back.id, reply.id, sizeof(back.id));
	assert_int_equal(back.result, ASK_OCSP);
	assert_int_equal(back.payload.data_len, 3);
	assert_memory_equal(back.payload.data, "der", 3);
	for (i = 0; i < len; i++)
		assert_false(ask_reply_parse(frame, i, &back));
	assert_false(ask_question_parse(frame, len,
	    &(struct ask_question){ 0 }));
	frame[8 + 16] = 4;
	assert_false(ask_reply_parse(frame, len, &back));
	/* an id without a result */
	frame[7] = 16;
	assert_false(ask_reply_parse(frame, 24, &back));
	free(frame);

	reply.payload.data_len = 0;
	reply.result = ASK_NOTHING;
	frame = ask_reply_make(&reply, &len);
	assert_non_null(frame);
	assert_true(ask_reply_parse(frame, len, &back));
	assert_int_equal(back.result, ASK_NOTHING);
	assert_int_equal(back.payload.data_len, 0);
	free(frame);
	reply.payload.data_len = ASK_MAX_BYTES;
	assert_null(ask_reply_make(&reply, &len));
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_status), cmocka_unit_test(test_cut),
		cmocka_unit_test(test_length), cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_admin), cmocka_unit_test(test_reply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
