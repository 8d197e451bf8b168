/*
 * certauth_login_plugin.c - how does a Dovecot login process come to its engine,
 * and each of its clients to a verdict?
 *
 * The order in a login process: init runs as root before the chroot, each
 * client is served as dovenull inside it. So everything is opened in init; later
 * polls go through the descriptors that the engine holds.
 *
 * Our own troubles never end the process: with service_count = 1 that would be
 * every connection, passwords included. They make the plugin `broken`, which
 * refuses certificates (and in require mode everybody) with data-missing.
 */

#include "login-common.h"
#include "array.h"
#include "ioloop.h"
#include "module-dir.h"
#include "iostream-openssl.h"
#include "certauth_login_plugin.h"

#include <stdlib.h>

/* The core's notes after one open or poll; more than these say nothing new. */
#define CERTAUTH_MAX_NOTES 64

/* An answer that was waited for counts for the attempt that it was waited for. */
#define CERTAUTH_SETTLED_SECS 2

/* All else is hidden: two plugins of different age may meet in one process. */
#define CERTAUTH_EXPORT __attribute__((visibility("default")))

CERTAUTH_EXPORT extern const char *certauth_plugin_version;
CERTAUTH_EXPORT void certauth_plugin_init(struct module *module);
CERTAUTH_EXPORT void certauth_plugin_deinit(void);

const char *certauth_plugin_version = DOVECOT_ABI_VERSION;

struct certauth_login certauth_login;

struct certauth_login_module certauth_login_module =
	MODULE_CONTEXT_INIT(&login_module_register);

static void certauth_login_break(const char *why)
{
	if (certauth_login.broken != NULL)
		return;
	certauth_login.broken = i_strdup(why);
	i_error("certauth: %s: certificates are refused with data-missing%s",
		why, certauth_login.mode == CERTAUTH_MODE_REQUIRE ?
		", and so is every login (CERTAUTH_MODE=require)" : "");
}

static void certauth_login_notes(void)
{
	struct certauth_note note;

	for (unsigned int i = 0; i < CERTAUTH_MAX_NOTES; i++) {
		if (!certauth_take_note(certauth_login.engine, &note))
			break;
		switch (note.severity) {
		case CERTAUTH_NOTE:
			i_info("certauth: %s", note.text);
			break;
		case CERTAUTH_WARNING:
			i_warning("certauth: %s", note.text);
			break;
		case CERTAUTH_FATAL:
			i_error("certauth: %s", note.text);
			break;
		}
	}
}

static const char *certauth_error_str(const struct certauth_error *error)
{
	if (error->file[0] == '\0')
		return error->text;
	if (error->line == 0)
		return t_strdup_printf("%s: %s", error->file, error->text);
	return t_strdup_printf("%s:%u: %s", error->file, error->line,
			       error->text);
}

void certauth_login_poll(bool now)
{
	struct certauth_error error;
	enum certauth_news news;
	char *line;

	if (certauth_login.last_poll == ioloop_time && !now)
		return;
	certauth_login.last_poll = ioloop_time;

	i_zero(&error);
	news = certauth_poll(certauth_login.engine, &error);
	while ((line = certauth_decision_rest(certauth_login.engine, 0)) != NULL) {
		i_warning("certauth: %s", line);
		free(line);
	}
	if (news == CERTAUTH_NEWS_NONE)
		return;
	if (news == CERTAUTH_NEWS_FAILED)
		i_error("certauth: new data refused, the last good stays: %s",
			certauth_error_str(&error));
	certauth_login_notes();
}

/* What Dovecot's own metrics and event exporters may tell decisions apart by. Who it
   was is not among them: the line of the log has that, as the policy's `log` wants
   it. */
static void
certauth_login_fields(struct event *event, const struct certauth_event *about,
		      const struct certauth_verdict *verdict)
{
	static const char *const words[] = {
		"verdict", "reason", "profile", "authority", "renewal"
	};
	intmax_t days;

	for (unsigned int i = 0; i < N_ELEMENTS(words); i++)
		event_add_str(event, words[i],
			      certauth_verdict_get(verdict, words[i]));
	if (str_to_intmax(certauth_verdict_get(verdict, "days_left"),
			  &days) == 0)
		event_add_int(event, "days_left", days);
	event_add_str(event, "resumed", about->resumed ? "yes" : "no");
	event_add_int(event, "waited", about->waited);
}

void certauth_login_tell(struct client *client,
			 const struct certauth_verdict *verdict,
			 const char *name, const char *before)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	struct certauth_event about = {
		.server = "dovecot",
		.service = login_binary->protocol,
		.client = net_ip2addr(&client->ip),
		.waited = cclient->waited,
	};
	struct event *event = event_create(client->event);
	char *line;

	if (client->ssl_iostream != NULL) {
		SSL *ssl = client->ssl_iostream->ssl;

		about.host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
		about.resumed = SSL_session_reused(ssl) == 1;
	}
	cclient->waited = 0;
	event_set_name(event, name);
	certauth_login_fields(event, &about, verdict);
	line = certauth_decision(certauth_login.engine, verdict, &about, 0);
	if (line != NULL)
		e_info(event, "certauth: %s%s", before, line);
	else if (before[0] != '\0')
		e_info(event, "certauth: %s%s", before,
		       certauth_verdict_get(verdict, "reason"));
	else {
		/* too many of its kind for the log; metrics count it */
		e_debug(event, "certauth: not logged: %s",
			certauth_verdict_get(verdict, "reason"));
	}
	free(line);
	event_unref(&event);
}

/* NULL: it can be judged. */
static struct certauth_verdict *certauth_login_unfit(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	if (certauth_login.broken != NULL)
		return certauth_refuse(NULL, CERTAUTH_DATA_MISSING,
				       certauth_login.broken);
	if (client->ssl_iostream == NULL || !certauth_client_tls(client))
		return certauth_refuse(certauth_login.profile,
				       CERTAUTH_NO_TLS, NULL);
	if (cclient->leaf == NULL && !certauth_ssl_take(client))
		return certauth_refuse(certauth_login.profile,
				       CERTAUTH_NO_CERTIFICATE, NULL);
	return NULL;
}

void certauth_login_verify(struct client *client, unsigned int flags,
			   const struct certauth_bytes *replies,
			   size_t num_replies)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	struct certauth_verdict *verdict = certauth_login_unfit(client);
	struct certauth_request request;

	if (verdict == NULL &&
	    (certauth_login.broken == NULL && cclient->leaf != NULL)) {
		i_zero(&request);
		request.profile = certauth_login.profile;
		request.leaf = cclient->leaf;
		request.sent = cclient->sent;
		request.service = login_binary->protocol;
		request.host = client->local_name;
		request.flags = flags;
		request.replies = replies;
		request.num_replies = num_replies;
		verdict = certauth_verify(certauth_login.engine, &request);
	}
	certauth_verdict_free(cclient->verdict);
	cclient->verdict = verdict;
}

/* Answers were waited for, and nothing happened since. */
static bool certauth_login_settled(struct certauth_client *cclient)
{
	bool settled = cclient->verdict != NULL && cclient->settled != 0 &&
		ioloop_time - cclient->settled <= CERTAUTH_SETTLED_SECS &&
		cclient->settled_generation ==
			certauth_generation(certauth_login.engine);

	cclient->settled = 0;
	return settled;
}

const struct certauth_verdict *
certauth_login_judge(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	if (certauth_login.engine != NULL) {
		certauth_login_poll(FALSE);
		if (certauth_login_settled(cclient))
			return cclient->verdict;
		if (cclient->verdict != NULL &&
		    certauth_verdict_decision(cclient->verdict) ==
		    CERTAUTH_ACCEPT &&
		    certauth_verdict_current(certauth_login.engine,
					     cclient->verdict, 0))
			return cclient->verdict;
	}
	/* A refusal is never kept: fresher data may turn it. */
	certauth_login_verify(client, 0, NULL, 0);
	return cclient->verdict;
}

static void certauth_client_forget(struct certauth_client *cclient)
{
	certauth_verdict_free(cclient->verdict);
	cclient->verdict = NULL;
	X509_free(cclient->leaf);
	sk_X509_pop_free(cclient->sent, X509_free);
	cclient->leaf = NULL;
	cclient->sent = NULL;
	pool_unref(&cclient->replies_pool);
	cclient->num_replies = 0;
}

static void certauth_client_destroy(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	certauth_hold_destroy(client);
	certauth_verdict_free(cclient->refusal);
	cclient->refusal = NULL;
	X509_free(cclient->handed);
	cclient->handed = NULL;
	i_free(cclient->sieve_response);
	i_free(cclient->account);
	if (!certauth_session_begin(client))
		certauth_client_forget(cclient);

	if (cclient->module_ctx.super.destroy != NULL)
		cclient->module_ctx.super.destroy(client);
}

/* The session is over, too. */
static void certauth_client_free(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	certauth_session_free(client);
	certauth_client_forget(cclient);
	if (cclient->module_ctx.super.free != NULL)
		cclient->module_ctx.super.free(client);
}

static void certauth_client_starttls(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	certauth_ssl_attach(client);
	cclient->module_ctx.super.starttls(client);
}

#if CERTAUTH_DOVECOT_24
static int certauth_client_create(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	if (cclient->module_ctx.super.create(client) < 0)
		return -1;
	certauth_smtp_hook(client);
	return 0;
}
#else
static void certauth_client_create(struct client *client, void **other_sets)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);

	cclient->module_ctx.super.create(client, other_sets);
	certauth_smtp_hook(client);
}
#endif

static void certauth_client_allocated(struct client *client)
{
	struct client_vfuncs *v = client->vlast;
	struct certauth_client *cclient;

	cclient = p_new(client->pool, struct certauth_client, 1);
	cclient->module_ctx.super = *v;
	client->vlast = &cclient->module_ctx.super;
	MODULE_CONTEXT_SET(client, certauth_login_module, cclient);

	certauth_sasl_hook(client, v);
	v->destroy = certauth_client_destroy;
	if (!certauth_login.layout_known)
		return;
	v->create = certauth_client_create;
	v->free = certauth_client_free;
	certauth_hold_hook(v);
	if (v->starttls != NULL)
		v->starttls = certauth_client_starttls;

	/* A PROXY v2 TLV names somebody whose certificate we never saw. */
	client->client_cert_common_name = NULL;
	/* implicit TLS: the stream is there, the handshake has not begun */
	certauth_ssl_attach(client);
}

static const struct login_client_hooks certauth_login_hooks = {
	.client_allocated = certauth_client_allocated
};

static const char *certauth_login_profile_name(void)
{
	static const struct {
		const char *protocol, *name;
	} own[] = {
		{ "imap", "CERTAUTH_PROFILE_IMAP" },
		{ "pop3", "CERTAUTH_PROFILE_POP3" },
		{ "submission", "CERTAUTH_PROFILE_SUBMISSION" },
		{ "sieve", "CERTAUTH_PROFILE_SIEVE" },
	};
	const char *value;

	for (unsigned int i = 0; i < N_ELEMENTS(own); i++) {
		if (strcmp(login_binary->protocol, own[i].protocol) != 0)
			continue;
		value = getenv(own[i].name);
		if (value != NULL && *value != '\0')
			return value;
	}
	value = getenv("CERTAUTH_PROFILE");
	return value != NULL && *value != '\0' ? value : NULL;
}

static void certauth_login_set_mode(void)
{
	const char *mode = getenv("CERTAUTH_MODE");

	if (mode == NULL || strcmp(mode, "external") == 0) {
		certauth_login.mode = CERTAUTH_MODE_EXTERNAL;
		return;
	}
	certauth_login.mode = CERTAUTH_MODE_REQUIRE;
	if (strcmp(mode, "require") != 0) {
		/* Nobody writes this setting to have the default: a typing error
		   in "require" must not open the passwords. */
		certauth_login_break(t_strdup_printf(
			"CERTAUTH_MODE=\"%s\" is unknown, expected external or "
			"require", mode));
	}
}

static void certauth_login_set_sessions(void)
{
	const char *sessions = getenv("CERTAUTH_SESSIONS");

	if (sessions == NULL || *sessions == '\0' ||
	    strcmp(sessions, "keep") == 0)
		return;
	certauth_login.end_sessions = TRUE;
	if (strcmp(sessions, "end") != 0)
		i_error("certauth: CERTAUTH_SESSIONS=\"%s\" is unknown, "
			"expected keep or end; it counts as end", sessions);
}

static void certauth_login_open(void)
{
	const char *conf = getenv("CERTAUTH_CONF");
	const char *name = certauth_login_profile_name();
	const char *warning = NULL;
	struct certauth_error error;

	if (conf == NULL || *conf == '\0')
		conf = "/etc/certauth/certauth.conf";

	i_zero(&error);
	certauth_login.engine = certauth_open(conf, &error);
	if (certauth_login.engine == NULL) {
		certauth_login_break(certauth_error_str(&error));
		return;
	}
	certauth_login.last_poll = ioloop_time;
	certauth_login_notes();
	certauth_ask_init();

	if (name == NULL) {
		certauth_login_break("no profile is named; set CERTAUTH_PROFILE "
				     "and list it in import_environment");
		return;
	}
	certauth_login.profile =
		certauth_profile_find(certauth_login.engine, name);
	if (certauth_login.profile == NULL) {
		certauth_login_break(t_strdup_printf(
			"%s has no profile \"%s\"", conf, name));
		return;
	}
	certauth_login.ca_names =
		certauth_ssl_names(certauth_login.profile, &warning);
	if (warning != NULL)
		i_warning("certauth: %s", warning);
}

void certauth_plugin_init(struct module *module)
{
	const char *master = getenv("DOVECOT_VERSION");

	/* Sessions of URLAUTH come from our own logged-in processes, by token,
	   over a Unix socket. */
	if (strcmp(login_binary->protocol, "imap-urlauth") == 0)
		return;

	certauth_login_set_mode();
	certauth_login_set_sessions();
	certauth_login.layout_known = master == NULL ||
		strcmp(master, DOVECOT_VERSION) == 0;
	if (!certauth_login.layout_known) {
		certauth_login_break(t_strdup_printf(
			"built for Dovecot %s, but this is %s",
			DOVECOT_VERSION, master));
	} else if (!certauth_version_init()) {
		certauth_login_break("OpenSSL knows no room for an OID");
	} else {
		certauth_login_open();
	}
	login_client_hooks_add(module, &certauth_login_hooks);
}

void certauth_plugin_deinit(void)
{
	if (strcmp(login_binary->protocol, "imap-urlauth") == 0)
		return;
	login_client_hooks_remove(&certauth_login_hooks);
	sk_X509_NAME_pop_free(certauth_login.ca_names, X509_NAME_free);
	certauth_login.ca_names = NULL;
	certauth_ask_deinit();
	certauth_free(certauth_login.engine);
	certauth_login.engine = NULL;
	i_free(certauth_login.broken);
}
