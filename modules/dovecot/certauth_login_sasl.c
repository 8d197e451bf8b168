/*
 * certauth_login_sasl.c - may this login begin, may this user enter, and what does
 * the client hear?
 *
 * Three gates, in the order of a login; each refuses by itself:
 *
 * 1. sasl_filter_mech, at the begin of an attempt. The choke point of all four
 *    protocols: IMAP LOGIN, POP3 USER/PASS and APOP come through it too.
 *    EXTERNAL (and in require mode everything) needs an accepted certificate.
 * 2. sasl_check_login, after the auth process has said yes and before the session
 *    is handed to the mail process. The answer names the user who would log in;
 *    in require mode it must be the certificate's.
 * 3. The callback that the protocol gave to sasl_server_auth_begin(): ours stands
 *    before it. Proxied and "nologin" answers do not pass gate 2, so they are
 *    compared here. A login that comes by without having been compared is cut.
 *
 * The typed name is never trusted: in require mode the mapped user is handed over
 * (see login_ssl), so that the password is checked against that user's and a
 * certificate of one's own does not help to try another's; then the typed name,
 * which the auth process repeats as original_user, must be the same person. The
 * LOGIN mechanism of 2.3 cannot have a name beforehand (it takes its first line
 * for the password); its first line is looked at before it goes on, so that no
 * password of somebody else is ever asked for. Without auth_ssl_username_from_cert
 * the typed name becomes the user that gate 2 compares.
 */

#include "login-common.h"
#include "array.h"
#include "base64.h"
#include "buffer.h"
#include "str.h"
#include "iostream-openssl.h"
#include "auth-client.h"
#include "certauth_login_plugin.h"

#define CERTAUTH_ALERT_DAYS 7

static bool certauth_required(void)
{
	return certauth_login.mode == CERTAUTH_MODE_REQUIRE;
}

/* -------------------------------------------------------------- refusing */

/* The one line of a login. The prefix of a client's event asks the TLS stream for
   its state, which a client that went away has no more. */
static void certauth_sasl_log(struct client *client,
			      const struct certauth_verdict *verdict)
{
	if (certauth_client_tls(client) && client->ssl_iostream == NULL)
		return;
	certauth_login_tell(client, verdict, "certauth_verdict", "");
}

/* Takes `verdict`, which may be NULL (out of memory). */
static void certauth_sasl_refuse(struct client *client,
				 struct certauth_verdict *verdict)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	if (verdict == NULL)
		verdict = certauth_refuse(NULL, CERTAUTH_INTERNAL, NULL);
	certauth_verdict_free(cclient->refusal);
	cclient->refusal = verdict;
	certauth_sasl_log(client, verdict);
}

static void certauth_sasl_wrong_user(struct client *client, const char *asked)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	certauth_sasl_refuse(client, certauth_refuse(certauth_login.profile,
		CERTAUTH_WRONG_USER, t_strdup_printf(
			"asked for \"%s\", the certificate is for \"%s\"",
			asked, certauth_verdict_user(cclient->verdict))));
}

/* The result whose answer in each protocol is the one of this reason: IMAP has
   the codes of RFC 5530, POP3 [AUTH] and [SYS/TEMP] (RFC 3206), submission 535
   5.7.8 and 454 4.7.0 (RFC 4954), sieve NO and NO (TRYLATER). */
static enum client_auth_result
certauth_result(const struct certauth_verdict *refusal)
{
	enum certauth_reason reason = certauth_verdict_reason(refusal);
	const char *code = certauth_reason_imap(reason);

	if (certauth_reason_ours(reason))
		return CLIENT_AUTH_RESULT_TEMPFAIL;
	if (strcmp(code, "AUTHORIZATIONFAILED") == 0)
		return CLIENT_AUTH_RESULT_AUTHZFAILED;
	if (strcmp(code, "EXPIRED") == 0)
		return CLIENT_AUTH_RESULT_PASS_EXPIRED;
	if (strcmp(code, "PRIVACYREQUIRED") == 0)
		return CLIENT_AUTH_RESULT_SSL_REQUIRED;
	return CLIENT_AUTH_RESULT_AUTHFAILED;
}

static void
certauth_auth_result(struct client *client, enum client_auth_result result,
		     const struct client_auth_reply *reply, const char *text)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	enum certauth_reason reason;

	if (cclient->refusal != NULL &&
	    result != CLIENT_AUTH_RESULT_SUCCESS) {
		/* The slug and its sentence only: details of our own data are
		   for the log. */
		reason = certauth_verdict_reason(cclient->refusal);
		result = certauth_result(cclient->refusal);
		text = t_strdup_printf("Client certificate refused: %s: %s%s",
			certauth_reason_slug(reason), certauth_reason_text(reason),
			strcmp(certauth_verdict_get(cclient->refusal, "renewal"),
			       "overdue") != 0 ? "" :
			" Its CA still renews it.");
		/* said once; a later answer may be about something else */
		certauth_verdict_free(cclient->refusal);
		cclient->refusal = NULL;
	}
	cclient->module_ctx.super.auth_result(client, result, reply, text);
}

/* ----------------------------------------------------- the name asked for */

int certauth_sasl_authzid(struct client *client, const char *response)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	const char *account;
	buffer_t *name;
	size_t len;

	if (response == NULL || *response == '\0' ||
	    strcmp(response, "=") == 0)
		return 1;
	len = strlen(response);
	name = t_buffer_create(MAX_BASE64_DECODED_SIZE(len));
	/* what is not base64 asks for nobody */
	if (certauth_base64_decode(response, len, name) < 0) {
		certauth_sasl_wrong_user(client, "(not base64)");
		return -1;
	}
	if (name->used == 0)
		return 1;
	account = certauth_verdict_account(cclient->verdict, name->data,
					   name->used);
	if (account == NULL) {
		certauth_sasl_wrong_user(client,
			t_strndup(name->data, name->used));
		return -1;
	}
	i_free(cclient->account);
	if (cclient->external &&
	    strcmp(account, certauth_verdict_user(cclient->verdict)) != 0)
		cclient->account = i_strdup(account);
	return 0;
}

/* Where IMAP, POP3 and sieve keep it is part of struct client; submission's comes
   through login_smtp. */
const char *certauth_sasl_initial_response(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	if (cclient->smtp_next != NULL)
		return cclient->smtp_response;
	return client->auth_response == NULL ? NULL :
		str_c(client->auth_response);
}

/* The first line of the LOGIN mechanism in require mode: it must be the mapped user
   or a mailbox of the certificate. Where nothing was typed the mechanism goes on
   to ask for it. FALSE: refused, and `refusal` is set. */
static bool certauth_login_name(struct client *client, const char *response,
				bool initial)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	if (initial && (response == NULL || *response == '\0'))
		return TRUE;
	cclient->login_name_due = FALSE;
	switch (certauth_sasl_authzid(client, response)) {
	case 0:
		return TRUE;
	case 1:
		certauth_sasl_wrong_user(client, "");
		return FALSE;
	default:
		return FALSE;
	}
}

/* What the client answers to a challenge, before the auth process hears of it. */
int certauth_sasl_response(struct client *client, const char *response)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	if (cclient->external) {
		int ret = certauth_sasl_authzid(client, response);

		if (ret == 0 && cclient->account != NULL) {
			/* Dovecot has the mapped user already: let it refuse
			   the other name, and begin anew with the account. */
			i_free(cclient->sieve_response);
			cclient->sieve_response = i_strdup(response);
			return 1;
		}
		if (ret >= 0)
			return 0;
	} else if (!cclient->login_name_due ||
		   certauth_login_name(client, response, FALSE))
		return 1;

	sasl_server_auth_failed(client, "certauth: wrong-user",
				AUTH_CLIENT_FAIL_CODE_AUTHZFAILED);
	return -1;
}

const char *certauth_login_user(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	/* The verdict may be another one by now. */
	if (cclient->account != NULL && certauth_verdict_is_user(
		cclient->verdict, cclient->account, strlen(cclient->account)))
		return cclient->account;
	return certauth_verdict_user(cclient->verdict);
}

/* ------------------------------------------------------ gate 2: who it is */

static const char *certauth_arg(const char *const *args, const char *key)
{
	const char *value = NULL;

	for (; args != NULL && *args != NULL; args++) {
		if (strncmp(*args, key, strlen(key)) == 0)
			value = *args + strlen(key);
	}
	return value;
}

/* The typed name, where a handed-over one has replaced it, may be the mapped user
   or a mailbox of the certificate: not another account of his, for the session
   would be the mapped user's. `typed` NULL: it was the same. */
static bool
certauth_typed_ok(struct certauth_client *cclient, const char *typed)
{
	const char *account;

	if (cclient->external || !cclient->name_handed ||
	    typed == NULL || *typed == '\0')
		return TRUE;
	account = certauth_verdict_account(cclient->verdict, typed,
					   strlen(typed));
	return account != NULL &&
		strcmp(account, certauth_verdict_user(cclient->verdict)) == 0;
}

/* `args` is what the auth process answered to a good login. */
static bool
certauth_check_user(struct client *client, const char *const *args)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	const char *user = certauth_arg(args, "user=");
	const char *typed = certauth_arg(args, "original_user=");
	const char *master = certauth_arg(args, "auth_user=");
	const char *wrong = NULL;

	cclient->user_checked = TRUE;
	if (!cclient->external && !certauth_required())
		return TRUE;

	/* A master user acts as somebody else, whatever names they are. */
	if (master != NULL && *master != '\0')
		wrong = user;
	else if (certauth_required() &&
		 (user == NULL || !certauth_verdict_is_user(cclient->verdict,
						user, strlen(user))))
		wrong = user;
	else if (!certauth_typed_ok(cclient, typed))
		wrong = typed;
	else
		return TRUE;

	certauth_sasl_wrong_user(client, wrong != NULL ? wrong : "");
	return FALSE;
}

static bool certauth_sasl_check_login(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	if (!certauth_check_user(client, client->auth_passdb_args)) {
		sasl_server_auth_failed(client, "certauth: wrong-user",
					AUTH_CLIENT_FAIL_CODE_AUTHZFAILED);
		return FALSE;
	}
	if (cclient->module_ctx.super.sasl_check_login != NULL &&
	    !cclient->module_ctx.super.sasl_check_login(client))
		return FALSE;
	certauth_session_prepare(client);
	return TRUE;
}

/* -------------------------------------------------- gate 3: the callback */

/* The auth process said no. Where the reason is the name, say so. */
static void
certauth_explain_failure(struct client *client, const char *const *args)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	const char *typed = certauth_arg(args, "original_user=");
	const char *user = certauth_arg(args, "user=");

	if (!cclient->accepted || cclient->refusal != NULL)
		return;
	/* In the first two the same words whatever the password was. */
	if (!certauth_typed_ok(cclient, typed))
		certauth_sasl_wrong_user(client, typed);
	else if (!cclient->name_handed && user != NULL &&
		 !certauth_verdict_is_user(cclient->verdict, user,
					   strlen(user)))
		certauth_sasl_wrong_user(client, user);
	else if (cclient->sieve_response != NULL) {
		if (certauth_sasl_authzid(client,
					  cclient->sieve_response) == 0)
			cclient->restarting = TRUE;
	}
	i_free(cclient->sieve_response);
}

void certauth_sasl_anew(struct client *client, const char *response,
			sasl_server_callback_t *next)
{
	static const char *const tempfail_args[] = {
		"code="AUTH_CLIENT_FAIL_CODE_TEMPFAIL, NULL
	};
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	/* It was when the attempt began. */
	if (!auth_client_is_connected(auth_client)) {
		next(client, SASL_SERVER_REPLY_AUTH_FAILED, NULL, tempfail_args);
		return;
	}
	client_ref(client);
	client->auth_attempts--;
	cclient->smtp_response = response;
	certauth_auth_begin(client, t_strdup(client->auth_mech_name),
			    client->auth_flags, response, next);
	cclient->smtp_response = NULL;
	client_unref(&client);
}

/* An untagged OK before the tagged one (RFC 3501 7.1.1): only IMAP has such a place.
   [ALERT] is shown to people at each login, so not before the last week. */
static void certauth_sasl_renewal(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	const char *days = certauth_verdict_get(cclient->verdict, "days_left");

	if (strcmp(login_binary->protocol, "imap") != 0 ||
	    strcmp(certauth_verdict_get(cclient->verdict, "renewal"),
		   "due") != 0)
		return;
	client_notify_status(client, FALSE, t_strdup_printf(
		"%sYour client certificate ends in %s days, on %s: time to "
		"renew it.", strtol(days, NULL, 10) <= CERTAUTH_ALERT_DAYS ?
		"[ALERT] " : "", days,
		t_strcut(certauth_verdict_get(cclient->verdict, "not_after"),
			 'T')));
}

static void
certauth_sasl_callback(struct client *client, enum sasl_server_reply reply,
		       const char *data, const char *const *args)
{
	static const char *const refused_args[] = {
		"code="AUTH_CLIENT_FAIL_CODE_AUTHZFAILED, NULL
	};
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	sasl_server_callback_t *next = cclient->next_callback;

	if (reply == SASL_SERVER_REPLY_CONTINUE) {
		next(client, reply, data, args);
		return;
	}
	certauth_hold_unhush(client);
	if (cclient->held) {
		certauth_hold_begin(client);
		return;
	}
	/* The attempt has ended; nothing of it stays. */
	cclient->next_callback = NULL;
	certauth_ssl_hide(client);

	if (reply == SASL_SERVER_REPLY_AUTH_FAILED)
		certauth_explain_failure(client, args);
	if (reply == SASL_SERVER_REPLY_AUTH_FAILED && cclient->restarting &&
	    !client->destroyed) {
		/* The same again, without the name that may be dropped. */
		certauth_sasl_anew(client, "", next);
		return;
	}
	if (reply == SASL_SERVER_REPLY_SUCCESS && args != NULL &&
	    !certauth_check_user(client, args)) {
		reply = SASL_SERVER_REPLY_AUTH_FAILED;
		data = "certauth: wrong-user";
		args = refused_args;
	} else if (reply == SASL_SERVER_REPLY_SUCCESS &&
		   !cclient->user_checked) {
		/* Cannot happen while gate 2 stands; if it falls, nobody
		   enters: this reply shuts the connection down. */
		e_error(client->event,
			"certauth: BUG: a login passed without being compared");
		reply = SASL_SERVER_REPLY_MASTER_FAILED;
		data = NULL;
		args = NULL;
	} else if (cclient->accepted && cclient->refusal == NULL) {
		/* a refusal has had its line */
		certauth_sasl_log(client, cclient->verdict);
		if (reply == SASL_SERVER_REPLY_SUCCESS)
			certauth_sasl_renewal(client);
	}
	cclient->accepted = FALSE;
	next(client, reply, data, args);
	/* NOTE: client may be gone */
}

/* ------------------------------------------------- gate 1: may it begin */

/* Shows Dovecot what this attempt may see of the certificate. */
static bool certauth_sasl_show(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	const char *user = certauth_login_user(client);

	if (cclient->external && !client->set->auth_ssl_username_from_cert) {
		e_warning(client->event, "certauth: EXTERNAL finds no user "
			  "without auth_ssl_username_from_cert = yes");
	}
	cclient->login_name_due = !cclient->external &&
		strcmp(client->auth_mech_name, "LOGIN") == 0;
	if (cclient->login_name_due &&
	    !certauth_login_name(client, certauth_sasl_initial_response(client),
				 TRUE))
		return FALSE;
	cclient->name_handed = cclient->external ||
		(client->set->auth_ssl_username_from_cert &&
		 strcmp(client->auth_mech_name, "LOGIN") != 0);
	if (!certauth_ssl_show(client, cclient->name_handed ? user : NULL)) {
		certauth_sasl_refuse(client, NULL);
		return FALSE;
	}
	cclient->accepted = TRUE;
	return TRUE;
}

/* An attempt begins: EXTERNAL, or anything in require mode. */
static bool certauth_sasl_begin(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	struct certauth_verdict *verdict;

	if (certauth_verdict_decision(certauth_login_judge(client)) ==
	    CERTAUTH_UNDECIDED && certauth_hold_attempt(client))
		return FALSE;
	verdict = cclient->verdict;
	if (certauth_verdict_decision(verdict) != CERTAUTH_ACCEPT) {
		certauth_sasl_refuse(client, verdict == NULL ? NULL :
				     certauth_verdict_ref(verdict));
		return FALSE;
	}
	if (*certauth_verdict_user(verdict) == '\0') {
		certauth_sasl_refuse(client, certauth_refuse(
			certauth_login.profile, CERTAUTH_NO_USER,
			"the certificate is accepted, but maps to no user"));
		return FALSE;
	}
	if (cclient->external && !cclient->authzid_done) {
		cclient->authzid_done = TRUE;
		switch (certauth_sasl_authzid(client,
				certauth_sasl_initial_response(client))) {
		case 1:
			break;
		case 0:
			/* Dovecot would take it for the wish to act as another
			   user; it is the same person. */
			certauth_hold_hush(client);
			cclient->restarting = TRUE;
			return FALSE;
		default:
			return FALSE;
		}
	}
	return certauth_sasl_show(client);
}

/* Sieve reads the lines of an exchange by itself, where nobody can look at the name
   before the password is asked for. (RFC 5804 has no LOGIN.) */
static bool certauth_login_unreadable(const struct auth_mech_desc *mech)
{
	return certauth_required() && strcasecmp(mech->name, "LOGIN") == 0 &&
		strcmp(login_binary->protocol, "sieve") == 0;
}

/* Called for each mechanism that is offered: is EXTERNAL worth a word? Not
   where no certificate can come, or none has. Where a bad one came it stays, so
   that the client that tries it hears why. */
static bool
certauth_sasl_offer(struct client *client, const struct auth_mech_desc *mech)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	if (certauth_login_unreadable(mech))
		return FALSE;
	if (strcasecmp(mech->name, "EXTERNAL") != 0)
		return TRUE;
	if (client->ssl_iostream == NULL || !cclient->attached)
		return FALSE;
	/* The greeting of implicit TLS is composed before the handshake. */
	if (!ssl_iostream_is_handshaked(client->ssl_iostream))
		return TRUE;
	return SSL_get0_peer_certificate(client->ssl_iostream->ssl) != NULL;
}

/* %{passdb:forward_certauth_groups}; at each attempt, for the last one counts. */
static void certauth_sasl_groups(struct client *client,
				 const struct certauth_verdict *verdict)
{
	client_add_forward_field(client, "certauth_groups",
		certauth_verdict_decision(verdict) == CERTAUTH_ACCEPT ?
		certauth_verdict_get(verdict, "groups") : "");
}

static bool certauth_sasl_filter_mech(struct client *client,
				      struct auth_mech_desc *mech)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	bool by_cert, external = strcasecmp(mech->name, "EXTERNAL") == 0;

	if (cclient->module_ctx.super.sasl_filter_mech != NULL &&
	    !cclient->module_ctx.super.sasl_filter_mech(client, mech))
		return FALSE;
	if (!certauth_login.layout_known)
		return !external && !certauth_required();

	/* sasl_server_auth_begin() asks about its one mechanism between setting
	   the first and the second; after a good answer the third is set. All
	   other questions are about what to offer. */
	if (!client->authenticating || client->auth_request != NULL ||
	    client->master_auth_id != 0)
		return certauth_sasl_offer(client, mech);

	if (client->sasl_callback != certauth_sasl_callback) {
		cclient->next_callback = client->sasl_callback;
		client->sasl_callback = certauth_sasl_callback;
	}
	cclient->external = external;
	cclient->name_handed = FALSE;
	cclient->user_checked = FALSE;
	cclient->accepted = FALSE;
	cclient->looked = FALSE;
	i_free(cclient->sieve_response);
	/* a restart goes on with the same attempt */
	cclient->authzid_done = cclient->restarting;
	if (!cclient->restarting)
		i_free(cclient->account);
	cclient->restarting = FALSE;
	certauth_verdict_free(cclient->refusal);
	cclient->refusal = NULL;
	certauth_ssl_hide(client);

	cclient->login_name_due = FALSE;
	by_cert = external || certauth_required();
	if (by_cert && (certauth_login_unreadable(mech) ||
			!certauth_sasl_begin(client)))
		return FALSE;
	certauth_sasl_groups(client, by_cert ? cclient->verdict : NULL);
	return TRUE;
}

void certauth_sasl_hook(struct client *client ATTR_UNUSED,
			struct client_vfuncs *v)
{
	v->sasl_filter_mech = certauth_sasl_filter_mech;
	if (!certauth_login.layout_known)
		return;
	v->sasl_check_login = certauth_sasl_check_login;
	v->auth_result = certauth_auth_result;
	certauth_version_hook(v);
}
