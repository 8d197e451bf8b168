/*
 * certauth_login_ssl.c - how does Dovecot's TLS come to ask for a certificate, and we
 * to what was sent?
 *
 * It judges nothing. How the mapped user's name comes to Dovecot's auth process is
 * certauth_login_23.c's and certauth_login_24.c's.
 */

#include "login-common.h"
#include "iostream-openssl.h"
#include "certauth_login_plugin.h"

#include <openssl/err.h>

/* The list is one TLS vector of 16 bit length, beside others in one message. */
#define NAMES_MAX	(60 * 1024)
/* From here on clients have been seen to give up. */
#define NAMES_WARN	(16 * 1024)

static size_t certauth_names_size(STACK_OF(X509_NAME) *names)
{
	size_t size = 0;
	int i, len;

	for (i = 0; i < sk_X509_NAME_num(names); i++) {
		len = i2d_X509_NAME(sk_X509_NAME_value(names, i), NULL);
		if (len < 0)
			return SIZE_MAX;
		size += 2 + (size_t)len;
	}
	return size;
}

STACK_OF(X509_NAME) *
certauth_ssl_names(const struct certauth_profile *profile,
		   const char **warning_r)
{
	STACK_OF(X509_NAME) *names;
	size_t size;

	*warning_r = NULL;
	names = certauth_profile_get0_ca_names(profile, CERTAUTH_NAMES_ISSUERS);
	size = certauth_names_size(names);
	if (size > NAMES_MAX) {
		/* A list that TLS cannot carry would end every handshake, those
		   of password users too. */
		names = certauth_profile_get0_ca_names(profile,
						       CERTAUTH_NAMES_ANCHORS);
		*warning_r = "the names of the issuers are too many for TLS; "
			"only those of the anchors are offered to clients";
		if (certauth_names_size(names) > NAMES_MAX) {
			names = NULL;
			*warning_r = "the names of issuers and anchors are too "
				"many for TLS; none is offered to clients";
		}
	} else if (size > NAMES_WARN) {
		*warning_r = t_strdup_printf("the names offered to clients have "
			"%zu bytes; some clients give up over 16384", size);
	}
	return names == NULL ? NULL : SSL_dup_CA_list(names);
}

/* Whatever comes is taken; the gate judges it after the handshake, with words
   that an alert does not have. */
static int certauth_verify_any(int ok ATTR_UNUSED,
			       X509_STORE_CTX *ctx ATTR_UNUSED)
{
	return 1;
}

static int certauth_verify_none(X509_STORE_CTX *ctx, void *arg ATTR_UNUSED)
{
	X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return 1;
}

void certauth_ssl_attach(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	struct ssl_iostream *io = client->ssl_iostream;
	STACK_OF(X509_NAME) *names;
	unsigned char digest[32];

	if (io == NULL || cclient->attached)
		return;
	cclient->attached = TRUE;

	/* ssl_verify_client_cert may have told Dovecot to do this by itself. */
	certauth_ssl_hide(client);
	if (certauth_login.broken != NULL) {
		SSL_set_verify(io->ssl, SSL_VERIFY_NONE, NULL);
		return;
	}

	ERR_set_mark();
	SSL_set_verify(io->ssl, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE,
		       certauth_verify_any);
	/* Server contexts only: what Dovecot connects to as a client is not our
	   business. Without it OpenSSL would build paths that nobody uses. */
	SSL_CTX_set_cert_verify_callback(io->ctx->ssl_ctx, certauth_verify_none,
					 NULL);
	/* No resumption in any form: it would bring a certificate without what
	   was sent with it, and stock 2.3 fails it anyway for want of a session
	   id context. A client that tries gets a full handshake. */
	SSL_CTX_set_session_cache_mode(io->ctx->ssl_ctx, SSL_SESS_CACHE_OFF);
	SSL_set_options(io->ssl, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
	(void)SSL_set_num_tickets(io->ssl, 0);
	certauth_profile_digest(certauth_login.profile, digest);
	(void)SSL_set_session_id_context(io->ssl, digest, sizeof(digest));

	names = certauth_login.ca_names == NULL ? NULL :
		SSL_dup_CA_list(certauth_login.ca_names);
	if (names == NULL)
		names = sk_X509_NAME_new_null();
	SSL_set_client_CA_list(io->ssl, names);
	ERR_pop_to_mark();
}

bool certauth_ssl_take(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	struct ssl_iostream *io = client->ssl_iostream;
	STACK_OF(X509) *sent;
	X509 *leaf;

	/* An unfinished handshake has proven nothing yet. */
	if (!cclient->attached || !io->handshaked ||
	    SSL_is_init_finished(io->ssl) != 1)
		return FALSE;
	leaf = SSL_get0_peer_certificate(io->ssl);
	if (leaf == NULL)
		return FALSE;

	ERR_set_mark();
	/* A copy of the bytes, not a reference: the object is changed below. */
	cclient->leaf = X509_dup(leaf);
	if (cclient->leaf != NULL && !SSL_session_reused(io->ssl)) {
		/* On the server's side without the leaf. A resumed session has
		   none; the core knows NULL as that. */
		sent = SSL_get_peer_cert_chain(io->ssl);
		cclient->sent = sent == NULL ? sk_X509_new_null() :
			X509_chain_up_ref(sent);
		if (cclient->sent == NULL) {
			X509_free(cclient->leaf);
			cclient->leaf = NULL;
		}
	}
	ERR_pop_to_mark();
	return cclient->leaf != NULL;
}
