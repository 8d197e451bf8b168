/*
 * known.h - the certificates asked about lately, so that their next answer is
 * fetched ahead.
 */
#ifndef REFRESHER_KNOWN_H
#define REFRESHER_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ask/ask.h"

/* Certificates whose answers are fetched ahead. */
#define KNOWN_MAX		2048
#define KNOWN_MAX_BYTES		(32u * 1024 * 1024)
/* Nobody asked for so long: forgotten. Servers ask when no answer is there, or when
 * it has ended; who is forgotten waits for one answer and is known again. */
#define KNOWN_SECONDS		(7 * 86400)
/* After a failure. */
#define KNOWN_RETRY		60

struct known;
struct known *known_new(void);
void	known_free(struct known *);
/* It was asked about now, and has an answer until `until`. */
void	known_keep(struct known *, const unsigned char id[ASK_ID_BYTES],
	    const struct ask_question *, int64_t now, int64_t until,
	    uint32_t random);
/* The next one whose answer should be fetched again; its time is moved on. The
 * question is borrowed until the next call. */
bool	known_due(struct known *, int64_t now, struct ask_question *question_r,
	    unsigned char id_r[ASK_ID_BYTES]);
/* It has a new answer (until > now), or none. */
void	known_fetched(struct known *, const unsigned char id[ASK_ID_BYTES],
	    int64_t now, int64_t until, uint32_t random);
size_t	known_count(const struct known *);

/* Over a restart: lines of text, at most so many bytes. */
#define KNOWN_MAX_TEXT		(KNOWN_MAX_BYTES / 3 * 4 + KNOWN_MAX * 64)
/* Is there one that the file has not, or the other way? */
bool	known_changed(const struct known *);
/* What is to be in the file, the caller frees; not terminated. NULL: out of
 * memory. */
char   *known_print(struct known *, size_t *len_r);
/* What was in it (terminated; cut up here). A line that is none is passed over. */
void	known_read(struct known *, char *text, int64_t now);

#endif
