#ifndef CERTAUTH_COMPAT_24_H
#define CERTAUTH_COMPAT_24_H

/*
 * compat_24.h - what Dovecot 2.4 calls otherwise than 2.3.
 *
 * Names and arguments only, so that the code has one word for both; what the two do
 * otherwise has a file for each, certauth_login_23.c and certauth_login_24.c.
 */

#include "base64.h"

#define CERTAUTH_DOVECOT_24 \
	(DOVECOT_VERSION_MAJOR > 2 || DOVECOT_VERSION_MINOR >= 4)

#if CERTAUTH_DOVECOT_24

/* TRUE also where haproxy ended TLS; there is no ssl_iostream then */
#define certauth_client_tls(client) ((client)->connection_tls_secured)
/* The stream is one of several in one; it must be the topmost. */
#define certauth_client_multiplexed(client) \
	((client)->multiplex_output != NULL)
#define certauth_base64_decode(text, len, dest) base64_decode(text, len, dest)
#define certauth_auth_begin(client, mech, flags, response, callback) \
	sasl_server_auth_begin(client, mech, flags, response, callback)

#else

#define certauth_client_tls(client) ((client)->tls)
#define certauth_client_multiplexed(client) FALSE
#define certauth_base64_decode(text, len, dest) \
	base64_decode(text, len, NULL, dest)
#define certauth_auth_begin(client, mech, flags, response, callback) \
	sasl_server_auth_begin(client, login_binary->protocol, mech, flags, \
			       response, callback)

#endif

#endif
