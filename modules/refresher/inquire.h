/*
 * inquire.h - what a server's question means, and who is asked for it.
 */
#ifndef REFRESHER_INQUIRE_H
#define REFRESHER_INQUIRE_H

#include "refresher.h"
#include "serve.h"

/* Questions being looked into at one time, and those who wait for one of them. */
#define INQUIRE_MAX		1024
#define INQUIRE_MAX_WAITERS	512
/* Nobody waits longer for a reply, milliseconds; servers give up before. */
#define INQUIRE_MS		20000

struct inquiries;
struct inquiries *inquire_new(struct refresher *);	/* NULL: no memory */
void	inquire_free(struct inquiries *);	/* after fetcher_free() */
/* From now on questions come; NULL: no more. What is fetched ahead is read then, and
 * written. */
void	inquire_serve(struct inquiries *, struct server *);

/* A serve_question_fn; `context` is the struct inquiries. */
void	inquire_question(void *context, struct asker,
	    const struct ask_question *, const unsigned char id[ASK_ID_BYTES]);
/* After each turn of the loop. Returns the milliseconds until it should be called
 * again at the latest. */
int	inquire_tick(struct inquiries *, int64_t ticks, int64_t now);
/* The policy is new: what was answered may be wrong. */
void	inquire_reload(struct inquiries *);

#endif
