/*
 * connect_link.c - one TCP connection with TLS on it, as a client has it.
 *
 * Every wait has a deadline, every line a ceiling. Whom to trust is not asked here:
 * the server is looked at, nothing is entrusted to it.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "connect.h"

/* For each address of a name; up to the end of the handshake; for each answer, since
 * servers make who fails wait, and some ask their refresher. */
#define TCP_MS		10000
#define HANDSHAKE_MS	20000
#define ANSWER_MS	30000
/* Addresses of one name. */
#define MAX_ADDRESSES	8

/* The words live as long as the process: errno's, OpenSSL's, ours. */
static bool
ended(struct link *l, const char *why)
{
	if (l->why == NULL)
		l->why = why;
	return false;
}

static bool
too_late(struct link *l)
{
	l->late = true;
	return ended(l, "no answer in time");
}

static bool
try_address(struct link *l, const struct addrinfo *a)
{
	socklen_t	len = sizeof(errno);
	int		error = 0;

	l->fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    a->ai_protocol);
	if (l->fd < 0)
		return false;
	if (connect(l->fd, a->ai_addr, a->ai_addrlen) == 0)
		return true;
	if (errno == EINPROGRESS && wait_until(l->fd, POLLOUT, l->until)) {
		if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 &&
		    error == 0)
			return true;
	} else
		error = errno == EINPROGRESS ? ETIMEDOUT : errno;
	(void)close(l->fd);
	l->fd = -1;
	errno = error;
	return false;
}

bool
link_open(struct link *l, const char *host, const char *port)
{
	struct addrinfo	 hints = { .ai_socktype = SOCK_STREAM }, *all = NULL, *a;
	size_t		 n = 0;
	int		 failed;

	memset(l, 0, sizeof(*l));
	l->fd = l->alert = -1;
	failed = getaddrinfo(host, port, &hints, &all);
	if (failed != 0)
		return ended(l, gai_strerror(failed));
	for (a = all; a != NULL && n < MAX_ADDRESSES && l->fd < 0;
	    a = a->ai_next, n++) {
		l->until = monotonic_ms() + TCP_MS;
		if (!try_address(l, a) && a->ai_next == NULL)
			(void)ended(l, strerror(errno));
	}
	l->until = monotonic_ms() + HANDSHAKE_MS;
	freeaddrinfo(all);
	return l->fd >= 0 || ended(l, "cannot be reached");
}

/* ---------------------------------------------------------------------- TLS */

static void
note_alert(const SSL *ssl, int where, int value)
{
	struct link	*l = SSL_get_app_data(ssl);

	/* close_notify is no complaint */
	if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT &&
	    (value & 0xff) != SSL3_AD_CLOSE_NOTIFY)
		l->alert = value & 0xff;
}

/* Called when the server asks; the certificate, if any, is there already. */
static int
note_asked(SSL *ssl, void *context)
{
	struct link	*l = context;

	(void)ssl;
	l->asked = true;
	return 1;
}

/* After a call that did not succeed. True: once more. */
static bool
again(struct link *l, int returned)
{
	int		 error = SSL_get_error(l->ssl, returned), number = errno;
	const char	*why;

	switch (error) {
	case SSL_ERROR_WANT_READ:
		return wait_until(l->fd, POLLIN, l->until) || too_late(l);
	case SSL_ERROR_WANT_WRITE:
		return wait_until(l->fd, POLLOUT, l->until) || too_late(l);
	case SSL_ERROR_ZERO_RETURN:
		return ended(l, "the server closes");
	case SSL_ERROR_SYSCALL:
		return ended(l, number != 0 ? strerror(number) :
		    "the server closes");
	default:
		why = ERR_reason_error_string(ERR_peek_last_error());
		return ended(l, ERR_GET_REASON(ERR_peek_last_error()) ==
		    SSL_R_UNEXPECTED_EOF_WHILE_READING ? "the server closes" :
		    why != NULL ? why : "TLS fails");
	}
}

/* OpenSSL goes on by itself as long as bytes come that say nothing (HelloRequests,
 * tickets, KeyUpdates): past the deadline there are none, and again() sees why. */
static long
read_in_time(BIO *bio, int operation, const char *data, size_t len, int number,
    long value, int returned, size_t *done)
{
	const struct link	*l = (const void *)BIO_get_callback_arg(bio);

	(void)data;
	(void)len;
	(void)number;
	(void)value;
	(void)done;
	if (operation != BIO_CB_READ || monotonic_ms() < l->until)
		return returned;
	BIO_set_retry_read(bio);
	return -1;
}

static bool
is_address(const char *name)
{
	unsigned char	buf[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, name, buf) == 1 ||
	    inet_pton(AF_INET6, name, buf) == 1;
}

bool
link_tls(struct link *l, SSL_CTX *ctx, const char *name, SSL_SESSION *session)
{
	X509_VERIFY_PARAM	*param;
	int			 returned;

	ERR_clear_error();
	l->ssl = SSL_new(ctx);
	if (l->ssl == NULL || SSL_set_fd(l->ssl, l->fd) != 1)
		return ended(l, "out of memory");
	BIO_set_callback_arg(SSL_get_rbio(l->ssl), (char *)l);
	BIO_set_callback_ex(SSL_get_rbio(l->ssl), read_in_time);
	SSL_set_app_data(l->ssl, l);
	SSL_set_info_callback(l->ssl, note_alert);
	SSL_set_cert_cb(l->ssl, note_asked, l);
	param = SSL_get0_param(l->ssl);
	if (is_address(name))
		(void)X509_VERIFY_PARAM_set1_ip_asc(param, name);
	else {
		(void)SSL_set_tlsext_host_name(l->ssl, name);
		(void)X509_VERIFY_PARAM_set1_host(param, name, 0);
	}
	if (session != NULL && SSL_set_session(l->ssl, session) != 1)
		return ended(l, "the session cannot be used");
	l->until = monotonic_ms() + HANDSHAKE_MS;
	do {
		ERR_clear_error();
		errno = 0;
		returned = SSL_connect(l->ssl);
	} while (returned != 1 && again(l, returned));
	l->until = monotonic_ms() + ANSWER_MS;
	return returned == 1;
}

/* -------------------------------------------------------------------- bytes */

/* > 0: so many bytes; 0: once more; < 0: `why`. */
static int
take(struct link *l, char *to, size_t size)
{
	ssize_t	got;
	int	returned;

	if (l->ssl != NULL) {
		ERR_clear_error();
		errno = 0;
		returned = SSL_read(l->ssl, to, (int)size);
		return returned > 0 ? returned : again(l, returned) ? 0 : -1;
	}
	got = recv(l->fd, to, size, 0);
	if (got > 0)
		return (int)got;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return wait_until(l->fd, POLLIN, l->until) ? 0 :
		    (too_late(l), -1);
	(void)ended(l, got == 0 ? "the server closes" : strerror(errno));
	return -1;
}

bool
link_say(struct link *l, const char *text)
{
	size_t	len = strlen(text);
	ssize_t	sent;
	int	returned;

	l->until = monotonic_ms() + ANSWER_MS;
	while (len > 0 && l->why == NULL) {
		if (l->ssl != NULL) {
			ERR_clear_error();
			errno = 0;
			returned = SSL_write(l->ssl, text, (int)len);
			/* all of it, or nothing (no partial writes are on) */
			if (returned > 0 || !again(l, returned))
				break;
			continue;
		}
		sent = send(l->fd, text, len, MSG_NOSIGNAL);
		if (sent > 0) {
			text += sent;
			len -= (size_t)sent;
		} else if (errno != EAGAIN ||
		    !wait_until(l->fd, POLLOUT, l->until))
			(void)ended(l, strerror(errno));
	}
	return l->why == NULL;
}

/* A server that refuses closes, with what it has not read: a client that says
 * something then hears a reset. The alert was there before it. */
static void
hear_the_rest(struct link *l)
{
	char	byte;

	if (l->ssl != NULL && l->alert < 0)
		(void)SSL_read(l->ssl, &byte, 1);
}

/* What is there of `in`, up to `len` bytes, as the line; the rest moves up. */
static const char *
cut_line(struct link *l, size_t len, size_t end)
{
	size_t	i;

	for (i = 0; i < len; i++)
		l->line[i] = l->in[i] != '\0' ? l->in[i] : '?';
	if (len > 0 && l->line[len - 1] == '\r')
		len--;
	l->line[len] = '\0';
	l->in_len -= end;
	memmove(l->in, l->in + end, l->in_len);
	return l->line;
}

const char *
link_line(struct link *l)
{
	char	*end;
	int	 got;

	for (;;) {
		end = memchr(l->in, '\n', l->in_len);
		if (end != NULL)
			return cut_line(l, (size_t)(end - l->in),
			    (size_t)(end - l->in) + 1);
		if (l->in_len == sizeof(l->in))
			return cut_line(l, l->in_len, l->in_len);
		got = l->why == NULL ? take(l, l->in + l->in_len,
		    sizeof(l->in) - l->in_len) : -1;
		if (got > 0)
			l->in_len += (size_t)got;
		if (got < 0 && l->in_len > 0)
			return cut_line(l, l->in_len, l->in_len);
		if (got < 0) {
			hear_the_rest(l);
			return NULL;
		}
	}
}

bool
link_speaks(struct link *l, int64_t ms)
{
	int64_t	until = l->until;
	int	got = 0;

	l->until = monotonic_ms() + ms;
	while (l->in_len == 0 && got == 0 && l->why == NULL)
		got = take(l, l->in, sizeof(l->in));
	if (got > 0)
		l->in_len = (size_t)got;
	/* silence is no end */
	if (l->late) {
		l->late = false;
		l->why = NULL;
	}
	l->until = until;
	return l->in_len > 0;
}

void
link_close(struct link *l)
{
	if (l->ssl != NULL) {
		/* without it OpenSSL forgets the session, too */
		(void)SSL_shutdown(l->ssl);
		SSL_free(l->ssl);
	}
	if (l->fd >= 0)
		(void)close(l->fd);
	l->ssl = NULL;
	l->fd = -1;
	ERR_clear_error();
}
