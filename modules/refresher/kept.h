/*
 * kept.h - replies given lately, so that equal questions cost nothing.
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

#endif
