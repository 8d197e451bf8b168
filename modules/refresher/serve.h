/*
 * serve.h - questions in, replies out: the unix socket that servers ask on.
 *
 * Frames only (shared/ask/ask.h); what they mean is inquire.c's. A peer that is
 * slow, silent or lies is closed, and costs the others nothing.
 */
#ifndef REFRESHER_SERVE_H
#define REFRESHER_SERVE_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ask/ask.h"

/* A server's worker holds one; Dovecot's login processes come and go. */
#define SERVE_MAX_CONNECTIONS	512
/* Questions of one connection that wait for a reply. */
#define SERVE_MAX_PENDING	256

struct server;

/* Which connection asked; the number is never used again. */
struct asker { unsigned slot; uint64_t number; };

typedef void serve_question_fn(void *context, struct asker,
    const struct ask_question *, const unsigned char id[ASK_ID_BYTES]);

/* Binds PATH, mode 0660, group certauth where there is one and we may. A socket
 * that somebody listens on is not taken away. NULL: said on the log. */
struct server *serve_open(const char *path, serve_question_fn *, void *context);
void	serve_close(struct server *);		/* NULL allowed */

/* The descriptors to wait for, at most `max`. Returns how many. */
size_t	serve_fds(struct server *, struct pollfd *fds, size_t max);
/* After the wait, with what serve_fds() gave; `ticks`: milliseconds. */
void	serve_run(struct server *, const struct pollfd *fds, size_t num_fds,
    int64_t ticks);
/* False: the connection is gone. */
bool	serve_reply(struct server *, struct asker,
	    const unsigned char id[ASK_ID_BYTES], enum ask_result,
	    const void *payload, size_t payload_len);

#endif
