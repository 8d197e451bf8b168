/*
 * serve.c - questions in, replies out: the unix socket that servers ask on.
 *
 * Knows frames and connections, not what is asked. Every buffer, count and wait
 * has a ceiling; who crosses one is closed, and asks again if it is honest.
 */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "log.h"
#include "serve.h"

/* Replies that a peer has not read: then we read no more of its questions, and
 * later close. */
#define MAX_UNREAD	(512u * 1024)
/* Replies to questions that were taken before: more is not kept for one peer. */
#define MAX_PILE	(2u * MAX_UNREAD)
/* Half a frame, or replies that nobody reads, milliseconds. */
#define STALL_MS	10000
/* Nothing at all. Servers keep a connection open between logins. */
#define IDLE_MS		(15 * 60 * 1000)
/* New connections taken in one turn of the loop. */
#define MAX_ACCEPTS	64

struct connection {
	int		 fd;		/* -1: free */
	uint64_t	 number;
	unsigned char	*in, *out;
	size_t		 in_len, in_size, out_len, out_size;
	unsigned	 pending;
	int64_t		 progress;	/* ticks */
};

struct server {
	int			 fd;
	char			*path;
	dev_t			 device;
	ino_t			 inode;
	serve_question_fn	*fn;
	void			*context;
	uint64_t		 numbers;
	struct connection	 connections[SERVE_MAX_CONNECTIONS];
};

/* -------------------------------------------------------------------- bytes */

static bool
room_for(unsigned char **data, size_t *size, size_t want)
{
	unsigned char	*grown;
	size_t		 more = *size == 0 ? 4096 : *size;

	if (want <= *size)
		return true;
	while (more < want)
		more *= 2;
	grown = realloc(*data, more);
	if (grown == NULL)
		return false;
	*data = grown;
	*size = more;
	return true;
}

static void
drop(struct connection *c)
{
	if (c->fd >= 0)
		(void)close(c->fd);
	free(c->in);
	free(c->out);
	memset(c, 0, sizeof(*c));
	c->fd = -1;
}

static void
flush_out(struct connection *c, int64_t ticks)
{
	ssize_t	n;

	while (c->out_len > 0) {
		n = send(c->fd, c->out, c->out_len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n <= 0) {
			drop(c);
			return;
		}
		c->out_len -= (size_t)n;
		memmove(c->out, c->out + n, c->out_len);
		c->progress = ticks;
	}
}

/* Every whole frame in the buffer. */
static void
take_frames(struct server *s, struct connection *c)
{
	struct ask_question	question;
	struct asker		asker = { (unsigned)(c - s->connections),
				    c->number };
	unsigned char		id[ASK_ID_BYTES];
	size_t			at = 0, len;

	while (c->fd >= 0 && c->pending < SERVE_MAX_PENDING &&
	    c->out_len < MAX_UNREAD) {
		len = ask_frame_length(c->in + at, c->in_len - at);
		if (len == ASK_BAD) {
			drop(c);
			return;
		}
		if (len == ASK_MORE || len > c->in_len - at)
			break;
		if (!ask_question_parse(c->in + at, len, &question) ||
		    !ask_question_id(c->in + at, len, id)) {
			drop(c);
			return;
		}
		c->pending++;
		s->fn(s->context, asker, &question, id);
		at += len;
	}
	if (c->fd < 0 || at == 0)
		return;
	c->in_len -= at;
	memmove(c->in, c->in + at, c->in_len);
}

static void
read_in(struct server *s, struct connection *c, int64_t ticks)
{
	ssize_t	n;

	if (c->in_len < ASK_HEADER_BYTES + ASK_MAX_BYTES) {
		if (!room_for(&c->in, &c->in_size, c->in_len + 1)) {
			drop(c);
			return;
		}
		n = recv(c->fd, c->in + c->in_len, c->in_size - c->in_len,
		    MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK ||
		    errno == EINTR))
			return;
		if (n <= 0) {
			drop(c);
			return;
		}
		/* A byte at a time is no progress: the frame's first byte is
		 * what the clock runs from. */
		if (c->in_len == 0)
			c->progress = ticks;
		c->in_len += (size_t)n;
	}
	take_frames(s, c);
}

/* -------------------------------------------------------------------- socket */

static bool
somebody_listens(const struct sockaddr_un *address)
{
	int	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool	yes;

	if (fd < 0)
		return false;
	yes = connect(fd, (const struct sockaddr *)address, sizeof(*address)) ==
	    0 || errno == EAGAIN;
	(void)close(fd);
	return yes;
}

static bool
listen_at(struct server *s, const struct sockaddr_un *address)
{
	const struct group	*group = getgrnam("certauth");
	struct stat		 st;
	mode_t			 mask;
	bool			 ok;

	if (lstat(s->path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode) || somebody_listens(address)) {
			errno = EADDRINUSE;
			return false;
		}
		(void)unlink(s->path);
	}
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return false;
	mask = umask(0117);
	ok = bind(s->fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
	(void)umask(mask);
	if (!ok || lstat(s->path, &st) != 0)
		return false;
	s->device = st.st_dev;
	s->inode = st.st_ino;
	/* As a service it is that group's already, and the unit of systemd lets
	 * nobody call chown(). Who may not give it away runs for a test. */
	if (group != NULL && group->gr_gid != st.st_gid && chown(s->path, (uid_t)-1, group->gr_gid) != 0)
		say(LEVEL_INFO, "%s stays with our own group: %s", s->path,
		    strerror(errno));
	return listen(s->fd, SOMAXCONN) == 0;
}

struct server *
serve_open(const char *path, serve_question_fn *fn, void *context)
{
	struct sockaddr_un	 address = { .sun_family = AF_UNIX };
	struct server		*s = calloc(1, sizeof(*s));
	size_t			 i;

	if (s == NULL || (s->path = strdup(path)) == NULL) {
		say(LEVEL_ERROR, "out of memory");
		free(s);
		return NULL;
	}
	s->fd = -1;
	s->fn = fn;
	s->context = context;
	for (i = 0; i < SERVE_MAX_CONNECTIONS; i++)
		s->connections[i].fd = -1;
	if (strlen(path) >= sizeof(address.sun_path))
		errno = ENAMETOOLONG;
	else {
		memcpy(address.sun_path, path, strlen(path) + 1);
		if (listen_at(s, &address))
			return s;
	}
	say(LEVEL_ERROR, "%s: %s", path, strerror(errno));
	serve_close(s);
	return NULL;
}

void
serve_close(struct server *s)
{
	struct stat	st;
	size_t		i;

	if (s == NULL)
		return;
	for (i = 0; i < SERVE_MAX_CONNECTIONS; i++)
		drop(&s->connections[i]);
	/* Only our own: another refresher may have taken the place. */
	if (s->inode != 0 && lstat(s->path, &st) == 0 &&
	    st.st_dev == s->device && st.st_ino == s->inode)
		(void)unlink(s->path);
	if (s->fd >= 0)
		(void)close(s->fd);
	free(s->path);
	free(s);
}

static struct connection *
free_slot(struct server *s)
{
	struct connection	*oldest = NULL, *c;
	size_t			 i;

	for (i = 0; i < SERVE_MAX_CONNECTIONS; i++) {
		c = &s->connections[i];
		if (c->fd < 0)
			return c;
		if (c->pending == 0 && (oldest == NULL ||
		    c->progress < oldest->progress))
			oldest = c;
	}
	/* Whoever waits for nothing makes room. */
	if (oldest != NULL)
		drop(oldest);
	return oldest;
}

static void
take_connections(struct server *s, int64_t ticks)
{
	struct connection	*c;
	unsigned		 i;
	int			 fd;

	for (i = 0; i < MAX_ACCEPTS; i++) {
		fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0)
			return;
		c = free_slot(s);
		if (c == NULL) {
			(void)close(fd);
			continue;
		}
		c->fd = fd;
		c->number = ++s->numbers;
		c->progress = ticks;
	}
}

/* --------------------------------------------------------------------- door */

size_t
serve_fds(struct server *s, struct pollfd *fds, size_t max)
{
	struct connection	*c;
	size_t			 i, n = 0;

	if (max == 0)
		return 0;
	fds[n++] = (struct pollfd){ s->fd, POLLIN, 0 };
	for (i = 0; i < SERVE_MAX_CONNECTIONS && n < max; i++) {
		c = &s->connections[i];
		if (c->fd < 0)
			continue;
		fds[n] = (struct pollfd){ c->fd, 0, 0 };
		if (c->pending < SERVE_MAX_PENDING && c->out_len < MAX_UNREAD)
			fds[n].events |= POLLIN;
		if (c->out_len > 0)
			fds[n].events |= POLLOUT;
		n++;
	}
	return n;
}

static struct connection *
find(struct server *s, int fd)
{
	size_t	i;

	for (i = 0; i < SERVE_MAX_CONNECTIONS; i++)
		if (s->connections[i].fd == fd)
			return &s->connections[i];
	return NULL;
}

static void
look_after(struct server *s, struct connection *c, int64_t ticks)
{
	/* Room for replies again: questions may be waiting in the buffer. */
	if (c->in_len > 0)
		take_frames(s, c);
	if (c->fd < 0)
		return;
	if (c->in_len == 0 && c->out_len == 0 && c->pending > 0)
		c->progress = ticks;
	if (ticks - c->progress > (c->out_len > 0 || (c->in_len > 0 &&
	    c->pending == 0) ? STALL_MS : IDLE_MS))
		drop(c);
}

void
serve_run(struct server *s, const struct pollfd *fds, size_t num_fds,
    int64_t ticks)
{
	struct connection	*c;
	size_t			 i;

	/* The connections first: a slot that is freed now is not yet another's. */
	for (i = 1; i < num_fds; i++) {
		c = fds[i].revents != 0 ? find(s, fds[i].fd) : NULL;
		if (c == NULL)
			continue;
		if ((fds[i].revents & POLLOUT) != 0)
			flush_out(c, ticks);
		if (c->fd >= 0 && (fds[i].revents & POLLIN) != 0)
			read_in(s, c, ticks);
		else if (c->fd >= 0 && (fds[i].revents &
		    (POLLERR | POLLHUP | POLLNVAL)) != 0)
			drop(c);
	}
	for (i = 0; i < SERVE_MAX_CONNECTIONS; i++)
		if (s->connections[i].fd >= 0)
			look_after(s, &s->connections[i], ticks);
	if (num_fds > 0 && fds[0].revents != 0)
		take_connections(s, ticks);
}

bool
serve_reply(struct server *s, struct asker asker,
    const unsigned char id[ASK_ID_BYTES], enum ask_result result,
    const void *payload, size_t payload_len)
{
	struct connection	*c = &s->connections[asker.slot];
	struct ask_reply	 reply = { .result = result };
	unsigned char		*frame;
	size_t			 len;
	bool			 ok = false;

	if (c->fd < 0 || c->number != asker.number)
		return false;
	if (c->pending > 0)
		c->pending--;
	memcpy(reply.id, id, ASK_ID_BYTES);
	reply.payload.data = payload;
	reply.payload.data_len = payload_len;
	frame = ask_reply_make(&reply, &len);
	if (frame != NULL && c->out_len + len <= MAX_PILE && room_for(&c->out, &c->out_size, c->out_len + len)) {
		memcpy(c->out + c->out_len, frame, len);
		c->out_len += len;
		ok = true;
	}
	free(frame);
	if (ok)
		flush_out(c, c->progress);
	else
		drop(c);
	return ok;
}
