/*
 * arena.c - whose memory is this? The arena's, until it is freed all at once.
 *
 * A list of chunks and a bump pointer. Gives nothing back before the end and
 * knows no threads. The ceiling counts what is asked of malloc for data, so that
 * a hostile certificate cannot make one verdict eat the server.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

/* A verdict's usual findings fit into the first chunk. */
#define ARENA_CHUNK_MIN	4096u
/* Chunks double up to here; larger requests get a chunk of their own. */
#define ARENA_CHUNK_MAX	(64u * 1024)

#define ARENA_ALIGN	_Alignof(max_align_t)

struct chunk {
	struct chunk	*next;
	size_t		 size, used;
	_Alignas(max_align_t) unsigned char data[];
};

struct arena {
	struct chunk	*chunks;	/* the one in use is first */
	size_t		 ceiling, taken, next_size;
};

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static struct chunk *
add_chunk(struct arena *arena, size_t need)
{
	struct chunk	*chunk;
	size_t		 size = arena->next_size, left;

	left = arena->ceiling - arena->taken;
	if (need > left)
		return NULL;
	if (size < need)
		size = need;
	size = smaller(size, left);
	if (size > SIZE_MAX - sizeof(*chunk))
		return NULL;

	/* Zeroed piece by piece: most of a chunk is never used. */
	chunk = malloc(sizeof(*chunk) + size);
	if (chunk == NULL)
		return NULL;
	chunk->size = size;
	chunk->used = 0;
	arena->taken += size;
	arena->next_size = smaller(arena->next_size * 2, ARENA_CHUNK_MAX);

	/* A chunk made for one large request is full: keep bumping in the
	 * present one. */
	if (size == need && arena->chunks != NULL) {
		chunk->next = arena->chunks->next;
		arena->chunks->next = chunk;
	} else {
		chunk->next = arena->chunks;
		arena->chunks = chunk;
	}
	return chunk;
}

struct arena *
arena_new(size_t ceiling)
{
	struct arena	*arena;

	arena = calloc(1, sizeof(*arena));
	if (arena == NULL)
		return NULL;
	arena->ceiling = ceiling;
	arena->next_size = ARENA_CHUNK_MIN;
	return arena;
}

void
arena_free(struct arena *arena)
{
	struct chunk	*chunk, *next;

	if (arena == NULL)
		return;
	for (chunk = arena->chunks; chunk != NULL; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	free(arena);
}

void *
arena_alloc(struct arena *arena, size_t size)
{
	struct chunk	*chunk;
	void		*data;

	if (arena == NULL || size > SIZE_MAX - ARENA_ALIGN)
		return NULL;
	/* Two requests of no bytes are still two pointers. */
	if (size == 0)
		size = 1;
	size = (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;

	chunk = arena->chunks;
	if (chunk == NULL || chunk->size - chunk->used < size) {
		chunk = add_chunk(arena, size);
		if (chunk == NULL)
			return NULL;
	}
	/* size is a multiple of the alignment, so `used` stays aligned. */
	data = chunk->data + chunk->used;
	chunk->used += size;
	return memset(data, 0, size);
}

void *
arena_array(struct arena *arena, size_t num, size_t size)
{
	if (size != 0 && num > SIZE_MAX / size)
		return NULL;
	return arena_alloc(arena, num * size);
}

void *
arena_copy(struct arena *arena, const void *data, size_t data_len)
{
	void	*copy;

	if (data == NULL)
		return NULL;
	copy = arena_alloc(arena, data_len);
	if (copy != NULL && data_len != 0)
		memcpy(copy, data, data_len);
	return copy;
}

char *
arena_string(struct arena *arena, const char *string)
{
	if (string == NULL)
		return NULL;
	return arena_string_n(arena, string, strlen(string));
}

char *
arena_string_n(struct arena *arena, const char *data, size_t data_len)
{
	char	*copy;

	if (data == NULL || data_len == SIZE_MAX)
		return NULL;
	copy = arena_alloc(arena, data_len + 1);
	if (copy != NULL && data_len != 0)
		memcpy(copy, data, data_len);
	return copy;
}

char *
arena_printf(struct arena *arena, const char *format, ...)
{
	va_list	 ap;
	char	*string;

	va_start(ap, format);
	string = arena_vprintf(arena, format, ap);
	va_end(ap);
	return string;
}

char *
arena_vprintf(struct arena *arena, const char *format, va_list ap)
{
	va_list	 again;
	char	*string = NULL;
	int	 len;

	if (arena == NULL || format == NULL)
		return NULL;
	va_copy(again, ap);
	len = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (len < 0)
		return NULL;
	string = arena_alloc(arena, (size_t)len + 1);
	if (string == NULL)
		return NULL;
	if (vsnprintf(string, (size_t)len + 1, format, ap) != len)
		return NULL;
	return string;
}
