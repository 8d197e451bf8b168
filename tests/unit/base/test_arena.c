/*
 * test_arena.c - does the arena keep its ceiling, its alignment and its zeros?
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"

static void
test_zeroed_and_aligned(void **state)
{
	struct arena	*arena = arena_new(1024 * 1024);
	unsigned char	*data, zero[300] = { 0 };
	size_t		 i, size;

	(void)state;
	assert_non_null(arena);
	for (i = 0; i < 2000; i++) {
		size = i % sizeof(zero);
		data = arena_alloc(arena, size);
		assert_non_null(data);
		assert_int_equal((uintptr_t)data % _Alignof(max_align_t), 0);
		assert_memory_equal(data, zero, size);
		memset(data, 0xff, size);
	}
	arena_free(arena);
}

/* What one gave out is never given out again. */
static void
test_no_overlap(void **state)
{
	struct arena	*arena = arena_new(4 * 1024 * 1024);
	unsigned char	*data[400];
	size_t		 i, j, size;

	(void)state;
	for (i = 0; i < 400; i++) {
		size = i % 10 == 0 ? 9000 : 40;
		data[i] = arena_alloc(arena, size);
		assert_non_null(data[i]);
		memset(data[i], (int)(i & 0xff), size);
	}
	for (i = 0; i < 400; i++) {
		size = i % 10 == 0 ? 9000 : 40;
		for (j = 0; j < size; j++)
			assert_int_equal(data[i][j], i & 0xff);
	}
	arena_free(arena);
}

static void
test_ceiling(void **state)
{
	struct arena	*arena = arena_new(10000);
	size_t		 got = 0;

	(void)state;
	assert_null(arena_alloc(arena, 10001));
	while (got <= 10000 && arena_alloc(arena, 16) != NULL)
		got += 16;
	assert_true(got <= 10000);
	assert_true(got >= 9000);
	assert_null(arena_alloc(arena, 1000));
	arena_free(arena);

	arena = arena_new(10016);
	assert_non_null(arena_alloc(arena, 10000));
	assert_null(arena_alloc(arena, 100));
	arena_free(arena);

	arena = arena_new(0);
	assert_null(arena_alloc(arena, 1));
	assert_null(arena_alloc(arena, 0));
	arena_free(arena);
}

static void
test_overflow(void **state)
{
	struct arena	*arena = arena_new(SIZE_MAX);

	(void)state;
	assert_null(arena_alloc(arena, SIZE_MAX));
	assert_null(arena_alloc(arena, SIZE_MAX - 8));
	assert_null(arena_array(arena, SIZE_MAX / 2, 3));
	assert_null(arena_array(arena, 3, SIZE_MAX / 2));
	assert_null(arena_string_n(arena, "x", SIZE_MAX));
	assert_non_null(arena_array(arena, 3, 5));
	assert_non_null(arena_array(arena, 0, 5));
	assert_non_null(arena_array(arena, 5, 0));
	arena_free(arena);
}

static void
test_null(void **state)
{
	struct arena	*arena = arena_new(1000);

	(void)state;
	assert_null(arena_alloc(NULL, 1));
	assert_null(arena_array(NULL, 1, 1));
	assert_null(arena_copy(NULL, "x", 1));
	assert_null(arena_copy(arena, NULL, 0));
	assert_null(arena_string(arena, NULL));
	assert_null(arena_string(NULL, "x"));
	assert_null(arena_string_n(arena, NULL, 3));
	assert_null(arena_printf(NULL, "x"));
	arena_free(arena);
	arena_free(NULL);
}

static void
test_strings(void **state)
{
	struct arena	*arena = arena_new(100000);
	char		 big[6000], *copy;

	(void)state;
	assert_string_equal(arena_string(arena, "alice"), "alice");
	assert_string_equal(arena_string(arena, ""), "");
	assert_string_equal(arena_string_n(arena, "alice", 3), "ali");
	assert_string_equal(arena_string_n(arena, "alice", 0), "");
	assert_memory_equal(arena_copy(arena, "a\0b", 3), "a\0b", 3);
	assert_string_equal(arena_printf(arena, "%s-%d", "x", 7), "x-7");
	memset(big, 'y', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	copy = arena_printf(arena, "%s.", big);
	assert_non_null(copy);
	assert_int_equal(strlen(copy), sizeof(big));
	arena_free(arena);

	/* Over the ceiling: NULL, never a cut string. */
	arena = arena_new(100);
	assert_null(arena_printf(arena, "%s", big));
	assert_null(arena_string(arena, big));
	arena_free(arena);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_zeroed_and_aligned),
		cmocka_unit_test(test_no_overlap),
		cmocka_unit_test(test_ceiling),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_null),
		cmocka_unit_test(test_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
