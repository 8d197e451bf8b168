/*
 * certauth_login_ask.c - how does a login wait for the refresher while the other
 * logins of its process go on?
 *
 * The core is a function: an UNDECIDED verdict has questions, and is asked for anew
 * with the replies (DESIGN: waiting without callbacks). Here are the socket, the two
 * ends of its buffer and the clock, all on Dovecot's ioloop. What a reply means, and
 * what counts when none comes, is the core's to say; who is held back meanwhile, and
 * how, is login_hold's.
 *
 * A connection for each waiting client: nothing of one can delay another, and the
 * refresher makes one request of equal questions. No socket, no answer, rubbish, no
 * time left: the profile's own rule decides at once (CERTAUTH_FINAL).
 */

/* O_PATH */
#define _GNU_SOURCE

#include "login-common.h"
#include "array.h"
#include "buffer.h"
#include "fd-util.h"
#include "ioloop.h"
#include "time-util.h"
#include "certauth_login_plugin.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The refresher is at its limit of connections: until the next try. */
#define CERTAUTH_ASK_RETRY_MSECS 50
/* A process says at most so often that nobody answers. */
#define CERTAUTH_ASK_WARN_SECS 60

struct certauth_ask {
	struct client *client;
	certauth_ask_callback_t *done;
	pool_t pool;

	int fd;
	struct io *io_read, *io_write;
	struct timeout *to_deadline, *to_retry;

	buffer_t *out, *in;
	size_t out_pos;
	/* everything that came so far, whole frames */
	ARRAY(struct certauth_bytes) replies;
	/* rounds begun; replies that this one waits for */
	unsigned int rounds, awaited;
	struct timeval begun;
};

/* The folder of the refresher's socket, opened before the chroot. */
static struct {
	int folder_fd;
	const char *name;
	time_t warned;
} certauth_refresher_at = { .folder_fd = -1 };

static void certauth_ask_next(struct certauth_ask *ask);

/* ------------------------------------------------------------- the socket */

void certauth_ask_init(void)
{
	const char *path = certauth_refresher(certauth_login.engine);
	const char *slash = strrchr(path, '/');
	const char *folder;

	if (*path != '/' || slash[1] == '\0')
		return;
	folder = slash == path ? "/" : t_strdup_until(path, slash);
	certauth_refresher_at.name = slash + 1;
	/* Without a folder there is no refresher, and nothing to say about it:
	   the core does not ask then. */
	certauth_refresher_at.folder_fd =
		open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void certauth_ask_deinit(void)
{
	i_close_fd(&certauth_refresher_at.folder_fd);
}

static void certauth_ask_warn(const char *what)
{
	if (certauth_refresher_at.warned != 0 &&
	    ioloop_time - certauth_refresher_at.warned < CERTAUTH_ASK_WARN_SECS)
		return;
	certauth_refresher_at.warned = ioloop_time;
	i_warning("certauth: refresher %s: %s; the profile's own rule decides",
		  certauth_refresher(certauth_login.engine), what);
}

/* connect() knows no folder descriptor, and the login process is in its chroot: the
   name must be relative, from a folder that lies outside. So the working folder is
   another for the length of one call that does not block. Back is tried before
   away: Dovecot's own sockets have relative names too. */
static int certauth_ask_connect_fd(int fd)
{
	struct sockaddr_un sa;
	int ret, error, home;

	i_zero(&sa);
	sa.sun_family = AF_UNIX;
	if (i_strocpy(sa.sun_path, certauth_refresher_at.name,
		      sizeof(sa.sun_path)) < 0) {
		errno = ENAMETOOLONG;
		return -1;
	}
	home = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (home == -1)
		return -1;
	if (fchdir(home) < 0 || fchdir(certauth_refresher_at.folder_fd) < 0) {
		error = errno;
		i_close_fd(&home);
		errno = error;
		return -1;
	}
	ret = connect(fd, (const struct sockaddr *)&sa, sizeof(sa));
	error = errno;
	if (fchdir(home) < 0)
		i_fatal("certauth: fchdir(back to the login folder): %m");
	i_close_fd(&home);
	errno = error;
	return ret;
}

/* 1: connected; 0: its queue is full, later; -1: nobody is there. */
static int certauth_ask_connect(struct certauth_ask *ask)
{
	int fd, ret, error;

	if (certauth_refresher_at.folder_fd == -1) {
		certauth_ask_warn("its folder was not there when this process began");
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1) {
		certauth_ask_warn(t_strdup_printf("socket(): %m"));
		return -1;
	}
	ret = certauth_ask_connect_fd(fd);
	if (ret == 0) {
		ask->fd = fd;
		return 1;
	}
	error = errno;
	i_close_fd(&fd);
	if (error == EAGAIN)
		return 0;
	certauth_ask_warn(t_strdup_printf("connect(): %s", strerror(error)));
	return -1;
}

/* --------------------------------------------------------------- the end */

static void certauth_ask_free(struct certauth_ask *ask)
{
	struct client *client = ask->client;
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	cclient->ask = NULL;
	cclient->waited = (unsigned int)
		I_MAX(timeval_diff_msecs(&ioloop_timeval, &ask->begun), 0);
	io_remove(&ask->io_read);
	io_remove(&ask->io_write);
	timeout_remove(&ask->to_deadline);
	timeout_remove(&ask->to_retry);
	i_close_fd(&ask->fd);
	buffer_free(&ask->out);
	buffer_free(&ask->in);
	array_free(&ask->replies);
	pool_unref(&ask->pool);
}

void certauth_ask_abort(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	if (cclient->ask != NULL)
		certauth_ask_free(cclient->ask);
}

static void certauth_ask_verify(struct certauth_ask *ask, unsigned int flags)
{
	const struct certauth_bytes *replies;
	unsigned int count;

	replies = array_get(&ask->replies, &count);
	certauth_login_verify(ask->client, flags, replies, count);
}

/* What the verdict stands on is wanted again while the session lives. */
static void certauth_ask_keep(struct certauth_ask *ask,
			      struct certauth_client *cclient)
{
	const struct certauth_bytes *replies;
	unsigned int count;

	replies = array_get(&ask->replies, &count);
	pool_unref(&cclient->replies_pool);
	cclient->num_replies = count;
	cclient->replies = NULL;
	if (count == 0)
		return;
	cclient->replies = p_memdup(ask->pool, replies,
				    count * sizeof(*replies));
	cclient->replies_pool = ask->pool;
	pool_ref(cclient->replies_pool);
}

/* The verdict is settled, or made so. */
static void certauth_ask_finish(struct certauth_ask *ask)
{
	struct client *client = ask->client;
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	certauth_ask_callback_t *done = ask->done;

	if (certauth_verdict_decision(cclient->verdict) == CERTAUTH_UNDECIDED)
		certauth_ask_verify(ask, CERTAUTH_FINAL);
	certauth_ask_keep(ask, cclient);
	certauth_ask_free(ask);
	cclient->settled = ioloop_time;
	cclient->settled_generation = certauth_generation(certauth_login.engine);

	client_ref(client);
	done(client);
	client_unref(&client);
}

static void certauth_ask_give_up(struct certauth_ask *ask, const char *why)
{
	certauth_ask_warn(why);
	certauth_ask_finish(ask);
}

static void certauth_ask_deadline(struct certauth_ask *ask)
{
	certauth_ask_give_up(ask, "no answer within the profile's deadline");
}

/* ------------------------------------------------------------ the buffers */

static void certauth_ask_write(struct certauth_ask *ask)
{
	const unsigned char *data = ask->out->data;
	ssize_t ret;

	while (ask->out_pos < ask->out->used) {
		ret = send(ask->fd, data + ask->out_pos,
			   ask->out->used - ask->out_pos, MSG_NOSIGNAL);
		if (ret < 0 && errno == EINTR)
			continue;
		if (ret < 0 && errno == EAGAIN) {
			if (ask->io_write == NULL)
				ask->io_write = io_add(ask->fd, IO_WRITE,
						certauth_ask_write, ask);
			return;
		}
		if (ret <= 0) {
			/* What it still had to say can be read; its end, too. */
			break;
		}
		ask->out_pos += (size_t)ret;
	}
	io_remove(&ask->io_write);
}

/* Takes whole frames out of `in`. FALSE: what came is none. */
static bool certauth_ask_frames(struct certauth_ask *ask)
{
	struct certauth_bytes *reply;
	size_t len;

	while (ask->awaited > 0) {
		len = certauth_frame_length(ask->in->data, ask->in->used);
		if (len == CERTAUTH_FRAME_BAD)
			return FALSE;
		if (len == 0 || len > ask->in->used)
			return TRUE;
		reply = array_append_space(&ask->replies);
		reply->data = p_memdup(ask->pool, ask->in->data, len);
		reply->data_len = len;
		buffer_delete(ask->in, 0, len);
		ask->awaited--;
	}
	return TRUE;
}

static void certauth_ask_read(struct certauth_ask *ask)
{
	unsigned char chunk[8192];
	ssize_t ret;

	/* One piece each time: a refresher that never stops talking must not
	   keep the others of this process from their turn. The size of a frame
	   has a ceiling in the core, their number is that of the questions. */
	ret = recv(ask->fd, chunk, sizeof(chunk), 0);
	if (ret < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (ret <= 0) {
		certauth_ask_give_up(ask, "it closed the connection");
		return;
	}
	buffer_append(ask->in, chunk, (size_t)ret);
	if (!certauth_ask_frames(ask))
		certauth_ask_give_up(ask, "it answered with rubbish");
	else if (ask->awaited == 0)
		certauth_ask_next(ask);
}

/* -------------------------------------------------------------- the rounds */

static void certauth_ask_retry(struct certauth_ask *ask);

/* TRUE: what is to be said is on its way. */
static bool certauth_ask_send(struct certauth_ask *ask)
{
	if (ask->fd == -1) {
		switch (certauth_ask_connect(ask)) {
		case -1:
			return FALSE;
		case 0:
			if (ask->to_retry == NULL)
				ask->to_retry = timeout_add_short(
					CERTAUTH_ASK_RETRY_MSECS,
					certauth_ask_retry, ask);
			return TRUE;
		}
		ask->io_read = io_add(ask->fd, IO_READ, certauth_ask_read, ask);
	}
	timeout_remove(&ask->to_retry);
	certauth_ask_write(ask);
	return TRUE;
}

static void certauth_ask_retry(struct certauth_ask *ask)
{
	if (!certauth_ask_send(ask))
		certauth_ask_finish(ask);
}

/* Asks what the verdict wants to know. FALSE: nothing, nobody, or often enough. */
static bool certauth_ask_round(struct certauth_ask *ask)
{
	struct client *client = ask->client;
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	const struct certauth_bytes *questions;
	size_t i, count;

	count = certauth_verdict_questions(cclient->verdict, &questions);
	if (count == 0 || ask->rounds++ == CERTAUTH_MAX_ROUNDS)
		return FALSE;
	for (i = 0; i < count; i++)
		buffer_append(ask->out, questions[i].data,
			      questions[i].data_len);
	ask->awaited += (unsigned int)count;
	return certauth_ask_send(ask);
}

/* As many answers as questions are there. */
static void certauth_ask_next(struct certauth_ask *ask)
{
	struct client *client = ask->client;
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	/* "look into the state folder" is an answer too */
	certauth_login_poll(TRUE);
	certauth_ask_verify(ask, 0);
	if (certauth_verdict_decision(cclient->verdict) != CERTAUTH_UNDECIDED ||
	    !certauth_ask_round(ask))
		certauth_ask_finish(ask);
}

bool certauth_ask_begin(struct client *client, certauth_ask_callback_t *done)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	unsigned int msecs = certauth_profile_deadline(certauth_login.profile);
	struct certauth_ask *ask;
	pool_t pool;

	i_assert(cclient->ask == NULL);
	pool = pool_alloconly_create("certauth ask", 1024);
	ask = p_new(pool, struct certauth_ask, 1);
	ask->pool = pool;
	ask->client = client;
	ask->done = done;
	ask->fd = -1;
	ask->begun = ioloop_timeval;
	ask->out = buffer_create_dynamic(default_pool, 1024);
	ask->in = buffer_create_dynamic(default_pool, 1024);
	i_array_init(&ask->replies, 4);
	cclient->ask = ask;

	if (msecs == 0 || !certauth_ask_round(ask)) {
		certauth_ask_verify(ask, CERTAUTH_FINAL);
		certauth_ask_free(ask);
		return FALSE;
	}
	ask->to_deadline = timeout_add_short(msecs, certauth_ask_deadline, ask);
	return TRUE;
}
