/* arena.h - memory that is freed all at once. One thread at a time. */
#ifndef CERTAUTH_BASE_ARENA_H
#define CERTAUTH_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena;

/* `ceiling` bytes in all at most. NULL: out of memory. */
struct arena *arena_new(size_t ceiling);
void	arena_free(struct arena *);			/* NULL allowed */

/* All: zeroed or copied memory that lives as long as the arena; NULL when out
 * of memory, over the ceiling, or given NULL. */
void   *arena_alloc(struct arena *, size_t size);
void   *arena_array(struct arena *, size_t num, size_t size);	/* overflow-safe */
void   *arena_copy(struct arena *, const void *data, size_t data_len);
char   *arena_string(struct arena *, const char *);
char   *arena_string_n(struct arena *, const char *data, size_t data_len);
char   *arena_printf(struct arena *, const char *format, ...)
	    __attribute__((format(printf, 2, 3)));
char   *arena_vprintf(struct arena *, const char *format, va_list)
	    __attribute__((format(printf, 2, 0)));

#endif
