/*
 * certauth_login_hold.c - what becomes of a login while login_ask waits?
 *
 * It is held back, never let through. Two places, for Dovecot knows the response of
 * an attempt in one of them only:
 *
 * - An attempt whose response we have (EXTERNAL; all of submission). Gate 1 refuses
 *   it, as ever, before the auth process hears of it; the protocol is not told.
 *   The client then looks like one whose attempt is under way: nothing is read.
 *   Afterwards the same attempt is made again, through gate 1 again.
 * - In require mode, the first command after TLS and after each attempt, in the
 *   other protocols: IMAP's LOGIN and POP3's PASS give their response to nobody.
 *   It waits unread.
 *
 * It decides nothing. A client that goes away meanwhile is found by Dovecot as
 * during any other attempt; who is destroyed takes the wait along.
 */

#include "login-common.h"
#include "ioloop.h"
#include "safe-memset.h"
#include "str.h"
#include "auth-client.h"
#include "iostream-openssl.h"
#include "certauth_login_plugin.h"

/* --------------------------------------------------------------- an attempt */

/* As the protocol gave it to sasl_server_auth_begin(). */
static char *certauth_hold_response(struct client *client)
{
	const char *response = certauth_sasl_initial_response(client);
	bool imap = strcmp(login_binary->protocol, "imap") == 0;

	if ((client->auth_flags & SASL_SERVER_AUTH_FLAG_IMPLICIT) != 0)
		return i_strdup("=");
	if (response == NULL)
		return NULL;
	if (*response == '\0' &&
	    (imap || strcmp(login_binary->protocol, "pop3") == 0))
		return NULL;
	return i_strdup(imap && strcmp(response, "=") == 0 ? "" : response);
}

static void certauth_hold_forget(struct certauth_client *cclient)
{
	cclient->held = FALSE;
	if (cclient->held_response == NULL)
		return;
	/* a password, perhaps */
	safe_memset(cclient->held_response, 0, strlen(cclient->held_response));
	i_free(cclient->held_response);
}

/* The verdict of the attempt is settled: gate 1 shall look again. */
static void certauth_hold_resume(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	sasl_server_callback_t *next = cclient->next_callback;

	client->authenticating = FALSE;
	cclient->next_callback = NULL;
	if (client->disconnected || client->ssl_iostream == NULL) {
		certauth_hold_forget(cclient);
		next(client, SASL_SERVER_REPLY_AUTH_ABORTED, NULL, NULL);
		return;
	}
	/* it may have been one without the name that was dropped */
	cclient->restarting = cclient->authzid_done;
	T_BEGIN {
		const char *response = t_strdup(cclient->held_response);

		certauth_hold_forget(cclient);
		certauth_sasl_anew(client, response, next);
		if (response != NULL)
			safe_memset((char *)response, 0, strlen(response));
	} T_END;
}

bool certauth_hold_attempt(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	if (!cclient->external && cclient->smtp_next == NULL) {
		/* with what the wait before this command has brought */
		certauth_login_verify(client, CERTAUTH_FINAL, cclient->replies,
				      cclient->num_replies);
		return FALSE;
	}
	if (!certauth_ask_begin(client, certauth_hold_resume))
		return FALSE;
	cclient->held = TRUE;
	cclient->held_response = certauth_hold_response(client);
	certauth_hold_hush(client);
	return TRUE;
}

void certauth_hold_begin(struct client *client)
{
	certauth_hold_unhush(client);
	/* Until certauth_hold_resume(): no command is read, the protocol waits
	   for its callback. */
	client->authenticating = TRUE;
}

/* client_destroy() knows an attempt that is under way by requests that ours does not
   have, and asserts. All that comes to it on the ioloop while nothing is read from
   the client comes by here first. */
void certauth_hold_let_go(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	if (cclient->held)
		client->authenticating = FALSE;
}

void certauth_hold_destroy(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	sasl_server_callback_t *next = cclient->next_callback;

	certauth_ask_abort(client);
	if (!cclient->held)
		return;
	certauth_hold_forget(cclient);
	client->authenticating = FALSE;
	cclient->next_callback = NULL;
	/* gives back its reference to the client */
	next(client, SASL_SERVER_REPLY_AUTH_ABORTED, NULL, NULL);
}

static void
certauth_hold_notify_disconnect(struct client *client,
				enum client_disconnect_reason reason,
				const char *text)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	certauth_hold_let_go(client);
	cclient->module_ctx.super.notify_disconnect(client, reason, text);
}

/* ---------------------------------------------------------------- a command */

static void certauth_hold_go_on(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	if (client->destroyed || client->disconnected || client->io != NULL)
		return;
	client->io = io_add_istream(client->input, client_input, client);
	io_set_pending(client->io);
	cclient->gone_on = TRUE;
}

static bool certauth_hold_next_cmd(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	bool more;

	if (!cclient->looked && client->ssl_iostream != NULL) {
		/* Called after STLS at once. The protocol's own reading could end
		   the handshake and run the first command, past this look. */
		if (!ssl_iostream_is_handshaked(client->ssl_iostream))
			return FALSE;
		cclient->looked = TRUE;
		if (certauth_verdict_decision(certauth_login_judge(client)) ==
		    CERTAUTH_UNDECIDED &&
		    certauth_ask_begin(client, certauth_hold_go_on)) {
			io_remove(&client->io);
			return FALSE;
		}
	}
	more = cclient->module_ctx.super.input_next_cmd(client);
	if (!more && cclient->gone_on && client->io != NULL) {
		/* ManageSieve stops after an attempt that fails at once. What was
		   read during the wait has no other event to come. */
		cclient->gone_on = FALSE;
		io_set_pending(client->io);
	}
	return more;
}

void certauth_hold_hook(struct client_vfuncs *v)
{
	if (v->notify_disconnect != NULL)
		v->notify_disconnect = certauth_hold_notify_disconnect;
	if (v->input_next_cmd != NULL &&
	    certauth_login.mode == CERTAUTH_MODE_REQUIRE)
		v->input_next_cmd = certauth_hold_next_cmd;
}
