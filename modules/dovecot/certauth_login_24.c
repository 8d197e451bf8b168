/*
 * certauth_login_24.c - what must be done in a way of its own under Dovecot 2.4?
 * (certauth_login_23.c is the same for 2.3; the Makefile takes one of them.)
 *
 * 2.4 has doors where 2.3 has none: client_cert_common_name goes before the subject of
 * the certificate, a response can be read before it is passed on in every protocol,
 * and Dovecot's lines about logins have an event of their own. It judges nothing.
 */

#include "login-common.h"
#include "str.h"
#include "iostream-openssl.h"
#include "certauth_login_plugin.h"

bool certauth_version_init(void)
{
	return TRUE;
}

/* ----------------------------------------------------------- the user's name */

void certauth_ssl_hide(struct client *client)
{
	struct ssl_iostream *io = client->ssl_iostream;

	if (!certauth_login.layout_known)
		return;
	client->client_cert_common_name = NULL;
	if (io == NULL)
		return;
	io->cert_received = FALSE;
	io->cert_broken = TRUE;
}

bool certauth_ssl_show(struct client *client, const char *user)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	struct ssl_iostream *io = client->ssl_iostream;
	X509 *peer;

	certauth_ssl_hide(client);
	if (io == NULL || !cclient->attached || cclient->leaf == NULL)
		return FALSE;
	/* it must be the very certificate that was judged */
	peer = SSL_get0_peer_certificate(io->ssl);
	if (peer == NULL || X509_cmp(peer, cclient->leaf) != 0)
		return FALSE;

	/* The auth process takes an empty name for none; without it Dovecot would
	   read one from the client's own subject. */
	if (user == NULL)
		user = "";
	if (cclient->shown_user == NULL ||
	    strcmp(cclient->shown_user, user) != 0)
		cclient->shown_user = p_strdup(client->pool, user);
	client->client_cert_common_name = cclient->shown_user;
	io->cert_received = TRUE;
	io->cert_broken = FALSE;
	return TRUE;
}

/* ------------------------------------------------------- Dovecot's own line */

void certauth_hold_hush(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	if (client->event_auth == NULL)
		return;
	event_set_min_log_level(client->event_auth, LOG_TYPE_WARNING);
	cclient->hushed = TRUE;
}

void certauth_hold_unhush(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	if (!cclient->hushed)
		return;
	cclient->hushed = FALSE;
	/* as client_connected() set it */
	event_set_min_log_level(client->event_auth, client->set->auth_verbose ?
				LOG_TYPE_INFO : LOG_TYPE_WARNING);
}

/* ---------------------------------------------------------------- responses */

/* The response to a challenge lies in auth_response when this is done, and is passed
   on from there. (Submission's comes through login_smtp.) */
static bool certauth_auth_parse_response(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	if (!cclient->module_ctx.super.auth_parse_response(client))
		return FALSE;
	if (client->auth_request == NULL ||
	    strcmp(str_c(client->auth_response), "*") == 0)
		return TRUE;
	switch (certauth_sasl_response(client, str_c(client->auth_response))) {
	case 1:
		return TRUE;
	case 0:
		str_truncate(client->auth_response, 0);
		return TRUE;
	}
	return FALSE;
}

void certauth_version_hook(struct client_vfuncs *v)
{
	if (v->auth_parse_response != NULL)
		v->auth_parse_response = certauth_auth_parse_response;
}
