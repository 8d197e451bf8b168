/*
 * ask_refresher.c - what would the refresher say to a verdict's questions?
 *
 * For `certauth verify` and `explain`, which answer what a login would be answered:
 * the same questions, the same deadline, the same last word. Whoever listens on the
 * socket is not trusted: frames are cut off here, the core looks at them.
 */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/un.h>

#include "command.h"

/* Replies of one verdict; a path has fewer certificates. */
#define MAX_REPLIES	(33 * CERTAUTH_MAX_ROUNDS)
#define READ_BYTES	16384

struct talk {
	int			 fd;
	int64_t			 end;		/* on the monotonic clock, ms */
	unsigned char		*data;		/* read, and not yet a frame */
	size_t			 len;
	struct certauth_bytes	 replies[MAX_REPLIES];	/* each malloc'ed */
	size_t			 num_replies;
};

int
refresher_dial(const char *path)
{
	struct sockaddr_un	address = { .sun_family = AF_UNIX };
	int			fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address,
	    sizeof(address)) != 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static bool
tell(const struct talk *t, const struct certauth_bytes *question)
{
	size_t	at = 0;
	ssize_t	n;

	while (at < question->data_len) {
		n = send(t->fd, question->data + at, question->data_len - at,
		    MSG_NOSIGNAL);
		if (n > 0)
			at += (size_t)n;
		else if (n == 0 || (errno != EAGAIN && errno != EINTR) ||
		    !wait_until(t->fd, POLLOUT, t->end))
			return false;
	}
	return true;
}

/* Takes a whole frame off the front of what was read. */
static bool
cut(struct talk *t, size_t size)
{
	unsigned char	*frame = malloc(size);

	if (frame == NULL)
		return false;
	memcpy(frame, t->data, size);
	t->replies[t->num_replies].data = frame;
	t->replies[t->num_replies++].data_len = size;
	t->len -= size;
	memmove(t->data, t->data + size, t->len);
	return true;
}

/* One frame; certauth_frame_length() holds the ceiling of its size. */
static bool
hear(struct talk *t)
{
	unsigned char	*grown;
	size_t		 size;
	ssize_t		 n;

	for (;;) {
		size = certauth_frame_length(t->data, t->len);
		if (size == CERTAUTH_FRAME_BAD)
			return false;
		if (size > 0 && size <= t->len)
			return cut(t, size);
		grown = realloc(t->data, t->len + READ_BYTES);
		if (grown == NULL)
			return false;
		t->data = grown;
		do {
			if (!wait_until(t->fd, POLLIN, t->end))
				return false;
			n = recv(t->fd, t->data + t->len, READ_BYTES, 0);
		} while (n < 0 && (errno == EAGAIN || errno == EINTR));
		if (n <= 0)
			return false;
		t->len += (size_t)n;
	}
}

/* As many replies as questions. */
static bool
exchange(struct talk *t, const struct certauth_bytes *questions, size_t n)
{
	size_t	i;

	if (n > MAX_REPLIES - t->num_replies)
		return false;
	for (i = 0; i < n; i++)
		if (!tell(t, &questions[i]))
			return false;
	for (i = 0; i < n; i++)
		if (!hear(t))
			return false;
	return true;
}

static struct certauth_verdict *
again(struct certauth *engine, struct certauth_request *request,
    const struct talk *t, unsigned flags)
{
	struct certauth_error	error;

	/* The refresher may have published what it found. */
	(void)certauth_poll(engine, &error);
	request->replies = t->replies;
	request->num_replies = t->num_replies;
	request->flags |= flags;
	return certauth_verify(engine, request);
}

struct certauth_verdict *
refresher_settle(struct certauth *engine, struct certauth_request *request,
    struct certauth_verdict *verdict)
{
	const struct certauth_bytes	*questions;
	struct talk			 t = { .fd = -1 };
	size_t				 n, i;
	int				 round = 0;

	if (certauth_verdict_decision(verdict) != CERTAUTH_UNDECIDED)
		return verdict;
	t.end = monotonic_ms() + (int64_t)certauth_profile_deadline(request->profile);
	/* Of another time it knows nothing. */
	if (request->now == 0) {
		t.fd = refresher_dial(certauth_refresher(engine));
		if (t.fd < 0)
			(void)fprintf(stderr, "certauth: %s: the refresher was not "
			    "asked: %s\n", certauth_refresher(engine),
			    strerror(errno));
	}
	while (t.fd >= 0 && round++ < CERTAUTH_MAX_ROUNDS &&
	    certauth_verdict_decision(verdict) == CERTAUTH_UNDECIDED) {
		n = certauth_verdict_questions(verdict, &questions);
		if (n == 0)
			break;
		if (!exchange(&t, questions, n)) {
			(void)fprintf(stderr, "certauth: %s: no answer within the "
			    "profile's deadline\n", certauth_refresher(engine));
			break;
		}
		certauth_verdict_free(verdict);
		verdict = again(engine, request, &t, 0);
		if (verdict == NULL)
			break;
	}
	if (verdict != NULL &&
	    certauth_verdict_decision(verdict) == CERTAUTH_UNDECIDED) {
		certauth_verdict_free(verdict);
		verdict = again(engine, request, &t, CERTAUTH_FINAL);
	}
	if (t.fd >= 0)
		(void)close(t.fd);
	for (i = 0; i < t.num_replies; i++)
		free((unsigned char *)(uintptr_t)t.replies[i].data);
	free(t.data);
	request->replies = NULL;
	request->num_replies = 0;
	return verdict;
}
