#ifndef CERTAUTH_LOGIN_PLUGIN_H
#define CERTAUTH_LOGIN_PLUGIN_H

/*
 * certauth_login_plugin.h - what the files of this plugin share.
 *
 * login_plugin  opens the engine as root, before the chroot; one judge per client
 * login_ssl     asks for the certificate; hands the user's name to Dovecot
 * login_sasl    the gates: which mechanism may begin, who may log in, what is said
 * login_smtp    submission has a command loop of its own; its three seams
 */

#include "client-common.h"
#include "module-context.h"

#include "certauth.h"

/*
 * The code reads structures that Dovecot does not promise to keep (struct
 * ssl_iostream, struct smtp_server_connection). They changed within one ABI
 * string before, so the upstream version is compared word by word, here and
 * again with the running master.
 */
#define CERTAUTH_DOVECOT_KNOWN "2.3.19.1"

enum certauth_mode {
	/* EXTERNAL wants a certificate; passwords are as without us */
	CERTAUTH_MODE_EXTERNAL = 0,
	/* every login wants a certificate, and its user */
	CERTAUTH_MODE_REQUIRE
};

/* One per login process. */
struct certauth_login {
	struct certauth *engine;	/* NULL: broken, see why */
	const struct certauth_profile *profile;
	enum certauth_mode mode;
	/* Why nothing can be judged; NULL: all is well. */
	char *broken;
	/* The running Dovecot is the one we were built for; FALSE: do not touch
	   the inside of its structures. */
	bool layout_known;
	time_t last_poll;
	/* names sent in the CertificateRequest, owned */
	STACK_OF(X509_NAME) *ca_names;
	/* OIDs of our own: the mapped user; never present */
	int user_nid, no_user_nid;
};

/* One per client. */
struct certauth_client {
	union login_client_module_context module_ctx;

	bool attached;
	/* The certificate as it was sent, before the hand-over touches Dovecot's
	   copy, and what came with it. Owned. */
	X509 *leaf;
	STACK_OF(X509) *sent;
	/* Dovecot's own copy whose subject was replaced; a reference */
	X509 *handed;
	/* the answer; owned */
	struct certauth_verdict *verdict;

	/* this attempt: Dovecot's callback that ours stands before */
	sasl_server_callback_t *next_callback;
	/* this attempt is EXTERNAL */
	bool external;
	/* this attempt: a name was handed over, it replaces the typed one */
	bool name_handed;
	/* this attempt: LOGIN in require mode, the name has not been seen yet */
	bool login_name_due;
	/* this attempt: the name asked for was looked at and may be dropped */
	bool authzid_done;
	bool restarting;
	/* this attempt: an accepted certificate let it begin */
	bool accepted;
	/* this attempt: the final user was compared */
	bool user_checked;
	/* this attempt is refused by us and why; owned */
	struct certauth_verdict *refusal;

	/* sieve: the response to the challenge, as far as it could be seen */
	char *sieve_response;
	/* submission: the name asked for in the AUTH command, or NULL */
	const char *smtp_response;
	const struct smtp_server_callbacks *smtp_next;
};

extern struct certauth_login certauth_login;

extern MODULE_CONTEXT_DEFINE(certauth_login_module, &login_module_register);
#define CERTAUTH_CLIENT(obj) \
	MODULE_CONTEXT_REQUIRE(obj, certauth_login_module)

/* ---------------------------------------------------------- login_plugin.c */

/* The answer for the certificate of this connection, judged now if there is
   none or something changed since. Never NULL unless out of memory; NULL
   refuses. Owned by the client. Only after the handshake. */
const struct certauth_verdict *
certauth_login_judge(struct client *client);

/* ------------------------------------------------------------- login_ssl.c */

/* Once, in the process, before chroot. FALSE: no identifier for our OIDs. */
bool certauth_ssl_init(void);
/* The names to send, or an empty list; never more than TLS can carry.
   `warning_r` is set when the administrator should know. */
STACK_OF(X509_NAME) *
certauth_ssl_names(const struct certauth_profile *profile,
		   const char **warning_r);
/* TLS begins: ask for a certificate, accept any for now, no resumption. */
void certauth_ssl_attach(struct client *client);
/* Takes our copies of what the client sent. FALSE: there is no certificate. */
bool certauth_ssl_take(struct client *client);
/* Dovecot sees no certificate at all. */
void certauth_ssl_hide(struct client *client);
/* Dovecot sees a valid certificate, with the user's name if `user` is not NULL.
   FALSE: that cannot be done, nothing is shown. */
bool certauth_ssl_show(struct client *client, const char *user);

/* ------------------------------------------------------------ login_sasl.c */

void certauth_sasl_hook(struct client *client, struct client_vfuncs *v);
/* The name that the client asks for in EXTERNAL (base64, "" and "=" are empty):
   1 it is empty, 0 it may be dropped, -1 refused and `refusal` is set. */
int certauth_sasl_authzid(struct client *client, const char *response);
/* What the client answers to a challenge of the attempt that runs: 1 it may go on as
   it is, 0 an empty one in its place, -1 the attempt was refused and is over. */
int certauth_sasl_response(struct client *client, const char *response);

/* ------------------------------------------------------------ login_smtp.c */

void certauth_smtp_hook(struct client *client);

#endif
