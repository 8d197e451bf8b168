/*
 * tell.c - says something to the refresher that runs already.
 *
 * One question on its socket (ASK_ADMIN), one reply, with a deadline.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <jansson.h>

#include "ask/ask.h"
#include "log.h"
#include "tell.h"

/* Nobody waits longer for a running refresher. */
#define TELL_SECONDS	10

static int
reach(const char *path)
{
	struct sockaddr_un	 address = { .sun_family = AF_UNIX };
	const struct timeval	 limit = { TELL_SECONDS, 0 };
	int			 fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit,
	    sizeof(limit)) != 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO,
	    &limit, sizeof(limit)) != 0 || connect(fd,
	    (const struct sockaddr *)&address, sizeof(address)) != 0)) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* A short text: one frame that fits. */
static bool
exchange(int fd, const unsigned char *frame, size_t len, unsigned char *buf,
    size_t size, struct ask_reply *reply_r)
{
	size_t	have = 0, want;
	ssize_t	n;

	if (send(fd, frame, len, MSG_NOSIGNAL) != (ssize_t)len)
		return false;
	do {
		n = recv(fd, buf + have, size - have, 0);
		if (n <= 0)
			return false;
		have += (size_t)n;
		want = ask_frame_length(buf, have);
		if (want == ASK_BAD || want > size)
			return false;
	} while (want == ASK_MORE || want > have);
	return ask_reply_parse(buf, want, reply_r);
}

bool
tell_now(const char *path, const char *authority)
{
	struct ask_question	 question = { .kind = ASK_ADMIN };
	struct ask_reply	 reply;
	unsigned char		 buf[4096], *frame = NULL;
	json_t			*words = json_pack("{s:s}", "now", authority);
	json_t			*answer = NULL;
	char			*text = words != NULL ?
				    json_dumps(words, JSON_COMPACT) : NULL;
	size_t			 len;
	bool			 ok = false;
	int			 fd = -1;

	if (text != NULL) {
		question.text.data = (const unsigned char *)text;
		question.text.data_len = strlen(text);
		frame = ask_question_make(&question, &len);
		fd = reach(path);
	}
	if (frame == NULL || fd < 0 ||
	    !exchange(fd, frame, len, buf, sizeof(buf), &reply) ||
	    reply.result != ASK_TEXT)
		say(LEVEL_ERROR, "%s: the refresher that runs does not answer: "
		    "%s", path, strerror(errno));
	else {
		answer = json_loadb((const char *)reply.payload.data,
		    reply.payload.data_len, 0, NULL);
		ok = json_object_get(answer, "result") != NULL;
		if (ok)
			say(LEVEL_INFO, "the refresher that runs asks the "
			    "addresses of \"%s\" now", authority);
		else
			say(LEVEL_ERROR, "the refresher that runs does not know "
			    "\"%s\"; has it read this policy?", authority);
	}
	if (fd >= 0)
		(void)close(fd);
	free(frame);
	free(text);
	json_decref(words);
	json_decref(answer);
	return ok;
}
