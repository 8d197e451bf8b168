#ifndef CERTAUTH_LOGIN_PLUGIN_H
#define CERTAUTH_LOGIN_PLUGIN_H

/*
 * certauth_login_plugin.h - what the files of this plugin share.
 *
 * login_plugin  opens the engine as root, before the chroot; one judge per client
 * login_ssl     asks for the certificate; hands the user's name to Dovecot
 * login_sasl    the gates: which mechanism may begin, who may log in, what is said
 * login_ask     questions to the refresher, on the ioloop
 * login_hold    the login that waits for them
 * login_session looks at the certificates of sessions after the login
 * login_output  the last words of a session
 * login_smtp    submission has a command loop of its own; its seams
 * login_sieve   the name that a sieve client of 2.3 asks for
 * login_23, login_24  what is done in another way in 2.3 and 2.4; one of them is built
 *
 * The code reads structures that Dovecot does not promise to keep (struct
 * ssl_iostream, struct smtp_server_connection). They changed within one ABI
 * string before, so the upstream version is compared word by word: the headers'
 * by the Makefile (DOVECOT_KNOWN), the running master's when the plugin is loaded.
 */

#include "client-common.h"
#include "module-context.h"

#include "certauth.h"
#include "compat_24.h"

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
	/* a session ends when its certificate is no longer accepted */
	bool end_sessions;
	/* Why nothing can be judged; NULL: all is well. */
	char *broken;
	/* The running Dovecot is the one we were built for; FALSE: do not touch
	   the inside of its structures. */
	bool layout_known;
	time_t last_poll;
	/* names sent in the CertificateRequest, owned */
	STACK_OF(X509_NAME) *ca_names;
};

/* One per client. */
struct certauth_client {
	union login_client_module_context module_ctx;

	bool attached;
	/* The certificate as it was sent, before the hand-over touches Dovecot's
	   copy, and what came with it. Owned. */
	X509 *leaf;
	STACK_OF(X509) *sent;
	/* 2.3: Dovecot's own copy whose subject was replaced; a reference */
	X509 *handed;
	/* 2.4: the last name that was handed over */
	const char *shown_user;
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

	/* The verdict was waited for: since when it stands (0: it was not, or it
	   has served), and on which data. */
	time_t settled;
	uint64_t settled_generation;
	/* the wait that is under way, or NULL; owned */
	struct certauth_ask *ask;
	/* how long the last wait took, milliseconds; until it was told */
	unsigned int waited;
	/* what the last wait brought; owned, in a pool of their own */
	const struct certauth_bytes *replies;
	size_t num_replies;
	pool_t replies_pool;
	/* this attempt waits for it; its response, which may be NULL; owned */
	bool held;
	char *held_response;
	/* require: since the last attempt a command came, and was looked at */
	bool looked;
	/* it waited, and is read now */
	bool gone_on;
	/* the session that login_session watches, or NULL; owned */
	struct certauth_session *session;
	/* its output is ours */
	bool watched;
	/* certauth_hold_hush() is in force; 2.3: the settings that it put away */
	bool hushed;
	const struct login_settings *loud_set;

	/* this attempt: the account asked for, or NULL: the mapped user; owned */
	char *account;

	/* the response to the challenge, of which the auth process must not hear:
	   sieve's of 2.3, as far as it could be seen, and one that asks for
	   another account than was handed over */
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
   none or something changed since. May be UNDECIDED. Never NULL unless out of
   memory; NULL refuses. Owned by the client. Only after the handshake. */
const struct certauth_verdict *
certauth_login_judge(struct client *client);
/* Logs a decision, and sends it as an event of this name for Dovecot's metrics.
   `before` stands in front of the line. */
void certauth_login_tell(struct client *client,
			 const struct certauth_verdict *verdict,
			 const char *name, const char *before);
/* The same, judged now; `flags` and replies as in struct certauth_request. */
void certauth_login_verify(struct client *client, unsigned int flags,
			   const struct certauth_bytes *replies,
			   size_t num_replies);
/* Takes up new data, once a second at most unless `now`. */
void certauth_login_poll(bool now);

/* ------------------------------------------------------------- login_ssl.c */

/* The names to send, or an empty list; never more than TLS can carry.
   `warning_r` is set when the administrator should know. */
STACK_OF(X509_NAME) *
certauth_ssl_names(const struct certauth_profile *profile,
		   const char **warning_r);
/* TLS begins: ask for a certificate, accept any for now, no resumption. */
void certauth_ssl_attach(struct client *client);
/* Takes our copies of what the client sent. FALSE: there is no certificate. */
bool certauth_ssl_take(struct client *client);

/* ------------------------------------------------- login_23.c or login_24.c */

/* Once, in the process, before chroot. FALSE: no identifier for our OIDs. */
bool certauth_version_init(void);
void certauth_version_hook(struct client_vfuncs *v);
/* Dovecot sees no certificate at all. */
void certauth_ssl_hide(struct client *client);
/* Dovecot sees a valid certificate, with the user's name if `user` is not NULL.
   FALSE: that cannot be done, nothing is shown. */
bool certauth_ssl_show(struct client *client, const char *user);
/* sasl_server_auth_begin() writes "Authenticate EXTERNAL failed: Unsupported
   authentication mechanism" of an attempt that gate 1 stops. Of one that has not
   failed, but waits or begins anew, that would be wrong: it is not written between
   these two. The second is in our callback; nothing else runs before it. */
void certauth_hold_hush(struct client *client);
void certauth_hold_unhush(struct client *client);

/* ------------------------------------------------------------ login_sasl.c */

void certauth_sasl_hook(struct client *client, struct client_vfuncs *v);
/* The initial response of an attempt that begins, as it was typed; NULL: none. */
const char *certauth_sasl_initial_response(struct client *client);
/* The attempt that gate 1 has just stopped is made again, with `response`. The
   protocol's callback is `next`. */
void certauth_sasl_anew(struct client *client, const char *response,
			sasl_server_callback_t *next);
/* The name that the client asks for in EXTERNAL (base64, "" and "=" are empty):
   1 it is empty, 0 it may be dropped, -1 refused and `refusal` is set. */
int certauth_sasl_authzid(struct client *client, const char *response);
/* Who logs in: the account asked for, while the verdict has it, or the mapped user. */
const char *certauth_login_user(struct client *client);
/* What the client answers to a challenge of the attempt that runs: 1 it may go on as
   it is, 0 an empty one in its place, -1 the attempt was refused and is over. */
int certauth_sasl_response(struct client *client, const char *response);

/* ------------------------------------------------------------- login_ask.c */

/* Before and after the chroot's life; needs the engine. */
void certauth_ask_init(void);
void certauth_ask_deinit(void);

typedef void certauth_ask_callback_t(struct client *client);
/* Waits for what the UNDECIDED verdict of this client asks. TRUE: `done` is called
   once, later, and the verdict is settled then. FALSE: nobody can be asked; the
   verdict is what the profile's rule makes of it. */
bool certauth_ask_begin(struct client *client, certauth_ask_callback_t *done);
/* Waits no longer; `done` is not called. */
void certauth_ask_abort(struct client *client);

/* ------------------------------------------------------------ login_hold.c */

void certauth_hold_hook(struct client_vfuncs *v);
/* From gate 1, the verdict being UNDECIDED. TRUE: the attempt waits, stop it here.
   FALSE: it cannot; the verdict is final. */
bool certauth_hold_attempt(struct client *client);
/* From the callback of the attempt that was stopped so. */
void certauth_hold_begin(struct client *client);
/* The client is about to be disconnected or destroyed. */
void certauth_hold_let_go(struct client *client);
/* It is being destroyed. */
void certauth_hold_destroy(struct client *client);

/* --------------------------------------------------------- login_session.c */

/* From gate 2: the login is good, the mail process is yet to be asked for. */
void certauth_session_prepare(struct client *client);
/* The session has begun and is watched; what the verdict was made of must stay.
   FALSE: it is not to be watched. */
bool certauth_session_begin(struct client *client);
/* The client is being freed. */
void certauth_session_free(struct client *client);

/* ---------------------------------------------------------- login_output.c */

/* A stream on top of `parent`. */
struct ostream *certauth_output_create(struct ostream *parent);
/* Says `last_words` where a line may begin, and nothing after them. TRUE: they are
   said; FALSE: not yet, ask again. */
bool certauth_output_end(struct ostream *output, const char *last_words);

/* ----------------------------------------------------------- login_sieve.c */

/* 2.3: looks at the response to an empty challenge. FALSE: not whole yet, wait for
   more input. */
bool certauth_sieve_peek(struct client *client);

/* ------------------------------------------------------------ login_smtp.c */

void certauth_smtp_hook(struct client *client);

#endif
