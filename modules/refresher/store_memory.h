/* store_memory.h - private to store.c: the memory file of one address. */
#ifndef REFRESHER_STORE_MEMORY_H
#define REFRESHER_STORE_MEMORY_H

#include "store.h"

#define STORE_MAX_MEMORY	8192	/* bytes of one file */

/* Fills what is saved, and has_object. */
void	store_memory_load(const struct store *, struct source *);
/* The whole file as text. False: none. */
bool	store_memory_read(const struct store *, const char *file, char *buf,
	    size_t size);
/* fn(context, word, value) for each line. The text is cut up. */
void	store_memory_lines(char *text, void (*fn)(void *, const char *,
	    const char *), void *context);

#endif
