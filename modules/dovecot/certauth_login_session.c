/*
 * certauth_login_session.c - may a session go on whose certificate has been revoked,
 * has expired or is denied since the login?
 *
 * The login process of 2.3 keeps TLS for as long as the session lasts and passes the
 * bytes on to the mail process. So it has the certificate, can look at it again when
 * data changes, and can end what it passes on: with `* BYE` in IMAP, BYE in
 * ManageSieve, 421 in submission, and in POP3, where a server speaks only when
 * asked, without a word.
 *
 * It looks once a second, in processes that have such sessions, and judges anew only
 * what is no longer current. What is missing or stale on our side ends no session:
 * that a certificate was good is not undone by our not knowing any more.
 *
 * Not here: sessions that log in by password beside a certificate that nobody asked
 * for (external mode), without TLS, those that login-common passes on to another
 * server, and those that a Dovecot proxy of 2.4 brings with side channels in them.
 */

#include "login-common.h"
#include "ioloop.h"
#include "iostream-openssl.h"
#include "iostream-proxy.h"
#include "llist.h"
#include "ostream.h"
#include "certauth_login_plugin.h"

#include <sys/socket.h>

#define CERTAUTH_SESSION_MSECS 1000
/* A verdict that is never current (our own data is missing or stale) is made again
   after so long, if nothing changes before. */
#define CERTAUTH_SESSION_AGAIN_SECS 10
/* A place for the last words comes within this time, or they are not said; so
   long may they then take to arrive. */
#define CERTAUTH_SESSION_WORDS_MSECS 50
#define CERTAUTH_SESSION_WORDS_TRIES 10
#define CERTAUTH_SESSION_LINGER_MSECS 200

struct certauth_session {
	struct certauth_session *prev, *next;
	struct client *client;
	struct timeout *to_end;
	char *user, *last_words;
	unsigned int tries;
	/* when it was judged last, and on which data */
	time_t judged;
	uint64_t generation;
};

static struct certauth_session *certauth_sessions;
static struct timeout *certauth_sessions_to;

/* ------------------------------------------------------------------ the end */

/* As when the mail process had closed its end. */
static void certauth_session_close(struct certauth_session *session)
{
	struct client *client = session->client;

	timeout_remove(&session->to_end);
	client_unref(&client);
}

static void certauth_session_shut(struct certauth_session *session)
{
	struct client *client = session->client;

	timeout_remove(&session->to_end);
	/* The mail process sees its end, the client that of TLS. Not yet the
	   socket's: what it had still sent would make its kernel drop our last
	   words. */
	iostream_proxy_unref(&client->iostream_fd_proxy);
	(void)o_stream_flush(client->output);
	ssl_iostream_destroy(&client->ssl_iostream);
	(void)shutdown(client->fd, SHUT_WR);
	session->to_end = timeout_add_short(CERTAUTH_SESSION_LINGER_MSECS,
					    certauth_session_close, session);
}

static void certauth_session_try(struct certauth_session *session)
{
	timeout_remove(&session->to_end);
	if (session->last_words == NULL ||
	    certauth_output_end(session->client->output, session->last_words) ||
	    ++session->tries > CERTAUTH_SESSION_WORDS_TRIES) {
		certauth_session_shut(session);
		return;
	}
	session->to_end = timeout_add_short(CERTAUTH_SESSION_WORDS_MSECS,
					    certauth_session_try, session);
}

static char *certauth_session_words(enum certauth_reason reason)
{
	static const struct {
		const char *protocol, *begin, *end;
	} words[] = {
		{ "imap", "* BYE ", "\r\n" },
		{ "sieve", "BYE \"", "\"\r\n" },
		{ "submission", "421 4.7.0 ", "\r\n" },
	};

	for (unsigned int i = 0; i < N_ELEMENTS(words); i++) {
		if (strcmp(login_binary->protocol, words[i].protocol) == 0)
			return i_strdup_printf(
				"%sClient certificate refused: %s: %s%s",
				words[i].begin, certauth_reason_slug(reason),
				certauth_reason_text(reason), words[i].end);
	}
	return NULL;
}

static void certauth_session_end(struct certauth_session *session,
				 const struct certauth_verdict *verdict)
{
	certauth_login_tell(session->client, verdict, "certauth_session_ended",
			    t_strdup_printf("session of user=<%s> ended: ",
					    session->user));
	session->last_words =
		certauth_session_words(certauth_verdict_reason(verdict));
	certauth_session_try(session);
}

/* ---------------------------------------------------------------- the watch */

static bool certauth_session_stands(struct certauth_session *session)
{
	struct client *client = session->client;
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	if (certauth_verdict_decision(cclient->verdict) == CERTAUTH_ACCEPT &&
	    certauth_verdict_current(certauth_login.engine, cclient->verdict, 0))
		return TRUE;
	return session->generation ==
		certauth_generation(certauth_login.engine) &&
		session->judged != 0 &&
		ioloop_time - session->judged < CERTAUTH_SESSION_AGAIN_SECS;
}

static void certauth_session_judge(struct certauth_session *session)
{
	struct client *client = session->client;
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	struct certauth_verdict *refusal;

	session->judged = ioloop_time;
	session->generation = certauth_generation(certauth_login.engine);
	/* Nobody waits here: what the refresher finds out is published, and
	   seen then. The answers of the login count for as long as they say. */
	certauth_login_verify(client, CERTAUTH_FINAL, cclient->replies,
			      cclient->num_replies);

	if (certauth_verdict_decision(cclient->verdict) != CERTAUTH_ACCEPT) {
		if (cclient->verdict != NULL && !certauth_reason_ours(
			certauth_verdict_reason(cclient->verdict)))
			certauth_session_end(session, cclient->verdict);
	} else if (!certauth_verdict_is_user(cclient->verdict, session->user,
					     strlen(session->user))) {
		refusal = certauth_refuse(certauth_login.profile,
			CERTAUTH_WRONG_USER, t_strdup_printf(
				"the certificate is for \"%s\" now",
				certauth_verdict_user(cclient->verdict)));
		certauth_session_end(session, refusal);
		certauth_verdict_free(refusal);
	}
}

static void certauth_sessions_look(void *context ATTR_UNUSED)
{
	struct certauth_session *session, *next;

	certauth_login_poll(FALSE);
	for (session = certauth_sessions; session != NULL; session = next) {
		next = session->next;
		if (session->to_end == NULL &&
		    !certauth_session_stands(session)) T_BEGIN {
			certauth_session_judge(session);
		} T_END;
	}
}

void certauth_session_prepare(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	struct ostream *output = client->output;

	if (!certauth_login.end_sessions || !cclient->accepted ||
	    !certauth_client_tls(client) || client->ssl_iostream == NULL ||
	    cclient->watched || certauth_client_multiplexed(client))
		return;
	cclient->watched = TRUE;
	client->output = certauth_output_create(output);
	o_stream_unref(&output);
}

bool certauth_session_begin(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	struct certauth_session *session;

	if (!cclient->watched || !client->login_success ||
	    client->iostream_fd_proxy == NULL)
		return FALSE;
	session = i_new(struct certauth_session, 1);
	session->client = client;
	session->user = i_strdup(certauth_login_user(client));
	cclient->session = session;
	DLLIST_PREPEND(&certauth_sessions, session);
	if (certauth_sessions_to == NULL)
		certauth_sessions_to = timeout_add(CERTAUTH_SESSION_MSECS,
			certauth_sessions_look, (void *)NULL);
	return TRUE;
}

void certauth_session_free(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	struct certauth_session *session = cclient->session;

	if (session == NULL)
		return;
	cclient->session = NULL;
	DLLIST_REMOVE(&certauth_sessions, session);
	timeout_remove(&session->to_end);
	i_free(session->user);
	i_free(session->last_words);
	i_free(session);
	if (certauth_sessions == NULL)
		timeout_remove(&certauth_sessions_to);
}
