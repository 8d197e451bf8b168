/*
 * kept.h - replies given lately, so that equal questions cost nothing, and the
 * certificates asked about lately, so that their next answer is fetched ahead.
 */
#ifndef REFRESHER_KEPT_H
#define REFRESHER_KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ask/ask.h"

/* Replies kept, and their bytes. */
#define KEPT_MAX		4096
#define KEPT_MAX_BYTES	(16u * 1024 * 1024)
/* "Not found out" is believed for so long, milliseconds: a few logins do not wait
 * for a responder that is dead, and one that is back is soon asked. */
#define KEPT_NOTHING_MS	10000
/* A good answer likewise: by then it is in the published index. */
#define KEPT_GOOD_MS		300000

struct kept;
struct kept *kept_new(void);		/* NULL: no memory */
void	kept_free(struct kept *);		/* NULL allowed */
/* Borrowed until the next call that changes something. */
bool	kept_find(struct kept *, const unsigned char id[ASK_ID_BYTES],
	    int64_t ticks, enum ask_result *result_r,
	    const unsigned char **payload_r, size_t *payload_len_r);
void	kept_add(struct kept *, const unsigned char id[ASK_ID_BYTES],
	    enum ask_result, const void *payload, size_t payload_len,
	    int64_t expires);
void	kept_clear(struct kept *);

/* Certificates whose answers are fetched ahead. */
#define KNOWN_MAX		2048
#define KNOWN_MAX_BYTES		(32u * 1024 * 1024)
/* Servers ask once for each answer's life; nobody asked for so long: forgotten. */
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

#endif
