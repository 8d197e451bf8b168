/*
 * certauth_login_23.c - what must be done in a way of its own under Dovecot 2.3?
 * (certauth_login_24.c is the same for 2.4; the Makefile takes one of them.)
 *
 * Three things: how the mapped user's name comes to the auth process, how a line of
 * Dovecot's log is kept back, and where the answer to a challenge can be seen. It
 * judges nothing. The first is the one ugly thing of this plugin:
 *
 * Dovecot 2.3 sends the auth process a cert_username that sasl_server_auth_begin()
 * reads itself, from the subject of the certificate that lies in the SSL object,
 * by the field username_nid. There is no other door: client_cert_common_name is
 * overwritten as soon as there is TLS, the table of the ssl functions is static,
 * the AUTH line is escaped. So the subject of that copy in memory is replaced, whole,
 * by one entry under an OID of our own that holds the mapped user. Whole: nothing that
 * a client wrote into its subject is left that could be read as a name.
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
#include "str.h"
#include "iostream-openssl.h"
#include "certauth_login_plugin.h"

#include <openssl/err.h>
#include <openssl/objects.h>

/* OIDs under UUIDs (X.667); nobody else's, and they never leave the process. */
#define OID_USER	"2.25.221378061329573240167213498573120598231"
#define OID_NO_USER	"2.25.104829350712364895720349857203948572034"

/* OIDs of our own: the mapped user; never present */
static int certauth_user_nid, certauth_no_user_nid;

/* ----------------------------------------------------------- the user's name */

static int certauth_ssl_nid(const char *oid, const char *name)
{
	int nid = OBJ_txt2nid(oid);

	return nid != NID_undef ? nid : OBJ_create(oid, name, name);
}

bool certauth_version_init(void)
{
	ERR_set_mark();
	certauth_user_nid = certauth_ssl_nid(OID_USER, "certauthUser");
	certauth_no_user_nid = certauth_ssl_nid(OID_NO_USER, "certauthNoUser");
	ERR_pop_to_mark();
	return certauth_user_nid != NID_undef &&
		certauth_no_user_nid != NID_undef;
}

void certauth_ssl_hide(struct client *client)
{
	struct ssl_iostream *io = client->ssl_iostream;

	if (io == NULL || !certauth_login.layout_known)
		return;
	io->cert_received = FALSE;
	io->cert_broken = TRUE;
	io->username_nid = certauth_no_user_nid;
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
		X509_NAME_add_entry_by_NID(name, certauth_user_nid,
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
	io->username_nid = user != NULL ? certauth_user_nid :
		certauth_no_user_nid;
	io->cert_received = TRUE;
	io->cert_broken = FALSE;
	return TRUE;
}

/* ------------------------------------------------------- Dovecot's own line */

void certauth_hold_hush(struct client *client)
{
	static struct login_settings quiet;
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	if (cclient->loud_set != NULL)
		return;
	quiet = *client->set;
	quiet.auth_verbose = FALSE;
	cclient->loud_set = client->set;
	client->set = &quiet;
}

void certauth_hold_unhush(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	if (cclient->loud_set == NULL)
		return;
	client->set = cclient->loud_set;
	cclient->loud_set = NULL;
}

/* ---------------------------------------------------------------- responses */

/* The response to an empty challenge. (Submission's comes through login_smtp.) */
static void certauth_auth_parse_response(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	bool sieve = strcmp(login_binary->protocol, "sieve") == 0;

	if (client->auth_request == NULL ||
	    (!cclient->external && !cclient->login_name_due) || sieve) {
		if (sieve && cclient->external &&
		    client->auth_request != NULL &&
		    !certauth_sieve_peek(client))
			return;
		cclient->module_ctx.super.auth_parse_response(client);
		return;
	}
	if (client_auth_read_line(client) <= 0)
		return;
	if (strcmp(str_c(client->auth_response), "*") == 0) {
		sasl_server_auth_abort(client);
		return;
	}
	switch (certauth_sasl_response(client, str_c(client->auth_response))) {
	case 0:
		client_auth_respond(client, "");
		break;
	case 1:
		client_auth_respond(client, str_c(client->auth_response));
		break;
	}
}

void certauth_version_hook(struct client_vfuncs *v)
{
	if (v->auth_parse_response != NULL)
		v->auth_parse_response = certauth_auth_parse_response;
}
