/*
 * certauth_login_smtp.c - where does submission begin TLS, and which name does its
 * AUTH command ask for?
 *
 * The other three protocols read commands in login-common and tell of STARTTLS
 * by a hook; submission leaves both to lib-smtp, whose table of callbacks is ours
 * to stand before. The two structures below are Dovecot's; they hold for exactly
 * DOVECOT_KNOWN of the Makefile. It judges nothing.
 */

#include "login-common.h"
#include "auth-client.h"
#include "smtp-server-private.h"
#include "certauth_login_plugin.h"

/* The beginning of submission-login's own struct (client.h, not installed). */
struct certauth_submission_client {
	struct client common;
	const void *set;
	enum smtp_capability backend_capabilities;
	struct smtp_server_connection *conn;
	struct smtp_server_cmd_ctx *pending_auth;
};

static int certauth_smtp_start_tls(void *conn_ctx, struct istream **input,
				   struct ostream **output)
{
	struct client *client = conn_ctx;
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	int ret;

	ret = cclient->smtp_next->conn_start_tls(conn_ctx, input, output);
	if (ret >= 0)
		certauth_ssl_attach(client);
	return ret;
}

static int certauth_smtp_auth(void *conn_ctx, struct smtp_server_cmd_ctx *cmd,
			      struct smtp_server_cmd_auth *data)
{
	struct client *client = conn_ctx;
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	int ret;

	client_ref(client);
	cclient->smtp_response = data->initial_response;
	ret = cclient->smtp_next->conn_cmd_auth(conn_ctx, cmd, data);
	/* gate 1 has read it by now, the command may be gone */
	cclient->smtp_response = NULL;
	(void)client_unref(&client);
	return ret;
}

static int
certauth_smtp_auth_continue(void *conn_ctx, struct smtp_server_cmd_ctx *cmd,
			    const char *response)
{
	struct client *client = conn_ctx;
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	if (client->auth_request != NULL && strcmp(response, "*") != 0) {
		switch (certauth_sasl_response(client, response)) {
		case 1:
			break;
		case 0:
			response = "";
			break;
		default:
			return 0;
		}
	}
	return cclient->smtp_next->conn_cmd_auth_continue(conn_ctx, cmd,
							  response);
}

static void certauth_smtp_disconnect(void *conn_ctx, const char *reason)
{
	struct client *client = conn_ctx;
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	certauth_hold_let_go(client);
	cclient->smtp_next->conn_disconnect(conn_ctx, reason);
}

static void certauth_smtp_free(void *conn_ctx)
{
	struct client *client = conn_ctx;
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	certauth_hold_let_go(client);
	cclient->smtp_next->conn_free(conn_ctx);
}

void certauth_smtp_hook(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	struct certauth_submission_client *subm_client;
	struct smtp_server_callbacks *callbacks;

	if (strcmp(login_binary->protocol, "submission") != 0)
		return;
	subm_client = (struct certauth_submission_client *)client;
	/* It is created with the client as its context; anything else would mean
	   that the structure is another. */
	if (subm_client->conn == NULL ||
	    smtp_server_connection_get_context(subm_client->conn) !=
	    subm_client ||
	    subm_client->conn->callbacks == NULL ||
	    subm_client->conn->callbacks->conn_start_tls == NULL ||
	    subm_client->conn->callbacks->conn_cmd_auth == NULL ||
	    subm_client->conn->callbacks->conn_cmd_auth_continue == NULL ||
	    subm_client->conn->callbacks->conn_disconnect == NULL ||
	    subm_client->conn->callbacks->conn_free == NULL) {
		/* STARTTLS stays without a certificate, which refuses */
		e_error(client->event, "certauth: submission is not the one "
			"of Dovecot %s", DOVECOT_VERSION);
		return;
	}

	cclient->smtp_next = subm_client->conn->callbacks;
	callbacks = p_new(client->pool, struct smtp_server_callbacks, 1);
	*callbacks = *cclient->smtp_next;
	callbacks->conn_start_tls = certauth_smtp_start_tls;
	callbacks->conn_cmd_auth = certauth_smtp_auth;
	callbacks->conn_cmd_auth_continue = certauth_smtp_auth_continue;
	callbacks->conn_disconnect = certauth_smtp_disconnect;
	callbacks->conn_free = certauth_smtp_free;
	subm_client->conn->callbacks = callbacks;
}
