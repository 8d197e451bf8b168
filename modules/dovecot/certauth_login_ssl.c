/*
 * certauth_login_ssl.c - how does Dovecot's TLS come to ask for a certificate, and
 * how does the mapped user's name come to Dovecot's auth process?
 *
 * It judges nothing. The second half is the one ugly thing of this plugin:
 *
 * Dovecot 2.3 sends the auth process a cert_username that sasl_server_auth_begin()
 * reads itself, from the subject of the certificate that lies in the SSL object,
 * by the field username_nid. There is no other door: client_cert_common_name is
 * overwritten as soon as there is TLS, the table of the ssl functions is static,
 * the AUTH line is escaped. (2.4 has a door: client_cert_common_name.) So the
 * subject of that copy in memory is replaced, whole, by one entry under an OID of
 * our own that holds the mapped user. Whole: nothing that a client wrote into its
 * subject is left that could be read as a name.
 *
 * What makes it safe:
 * - the verdict and every later one is made from our own copy of the leaf;
 * - only the copy that was judged is ever touched (compared first), and
 *   renegotiation, which could put another in its place, is off;
 * - sessions and tickets are off, so no other connection sees the object;
 * - outside of an attempt that may use it, cert_received is FALSE: Dovecot sees
 *   no certificate at all, and a password login is as without us.
 */

#include "login-common.h"
#include "iostream-openssl.h"
#include "certauth_login_plugin.h"

#include <openssl/err.h>
#include <openssl/objects.h>

/* OIDs under UUIDs (X.667); nobody else's, and they never leave the process. */
#define OID_USER	"2.25.221378061329573240167213498573120598231"
#define OID_NO_USER	"2.25.104829350712364895720349857203948572034"

/* The list is one TLS vector of 16 bit length, beside others in one message. */
#define NAMES_MAX	(60 * 1024)
/* From here on clients have been seen to give up. */
#define NAMES_WARN	(16 * 1024)

static int certauth_ssl_nid(const char *oid, const char *name)
{
	int nid = OBJ_txt2nid(oid);

	return nid != NID_undef ? nid : OBJ_create(oid, name, name);
}

bool certauth_ssl_init(void)
{
	ERR_set_mark();
	certauth_login.user_nid = certauth_ssl_nid(OID_USER, "certauthUser");
	certauth_login.no_user_nid =
		certauth_ssl_nid(OID_NO_USER, "certauthNoUser");
	ERR_pop_to_mark();
	return certauth_login.user_nid != NID_undef &&
		certauth_login.no_user_nid != NID_undef;
}

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

void certauth_ssl_hide(struct client *client)
{
	struct ssl_iostream *io = client->ssl_iostream;

	if (io == NULL || !certauth_login.layout_known)
		return;
	io->cert_received = FALSE;
	io->cert_broken = TRUE;
	io->username_nid = certauth_login.no_user_nid;
}

static bool certauth_replace_subject(struct certauth_client *cclient,
				     X509 *peer, const char *user)
{
	X509_NAME *name;
	bool ok;

	if (cclient->handed == NULL) {
		/* first time: it must be the very certificate that was judged */
		if (X509_cmp(peer, cclient->leaf) != 0)
			return FALSE;
	} else if (cclient->handed != peer)
		return FALSE;

	name = X509_NAME_new();
	ok = name != NULL &&
		X509_NAME_add_entry_by_NID(name, certauth_login.user_nid,
			V_ASN1_UTF8STRING, (const unsigned char *)user,
			-1, -1, 0) == 1 &&
		X509_set_subject_name(peer, name) == 1;
	X509_NAME_free(name);
	if (ok && cclient->handed == NULL && X509_up_ref(peer) == 1)
		cclient->handed = peer;
	return ok && cclient->handed == peer;
}

bool certauth_ssl_show(struct client *client, const char *user)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	struct ssl_iostream *io = client->ssl_iostream;
	X509 *peer;
	bool ok;

	certauth_ssl_hide(client);
	if (io == NULL || !cclient->attached || cclient->leaf == NULL)
		return FALSE;
	peer = SSL_get0_peer_certificate(io->ssl);
	if (peer == NULL)
		return FALSE;

	ERR_set_mark();
	/* Also where no name is shown: the client's own subject must be gone. */
	ok = certauth_replace_subject(cclient, peer,
				      user != NULL ? user : "-");
	ERR_pop_to_mark();
	if (!ok)
		return FALSE;
	io->username_nid = user != NULL ? certauth_login.user_nid :
		certauth_login.no_user_nid;
	io->cert_received = TRUE;
	io->cert_broken = FALSE;
	return TRUE;
}
