/*
 * connect.c - what does a server that runs say to a client: whom it asks for a
 * certificate, which names of CAs it offers, what comes back?
 *
 * Visits it a few times, as a client would: with each version of TLS, without and
 * with the certificate. Changes nothing there and believes nothing of it: what is
 * heard is escaped where it is printed.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/store.h>
#include <openssl/ui.h>

#include "connect.h"
#include "json.h"

/* Names of CAs in the text; in the answer as JSON. */
#define SHOW_NAMES	20
#define MAX_NAMES	2000
/* In a file with a private key. */
#define MAX_OBJECTS	1000

struct looking {
	const struct args *args;
	doctor_fn	*say;
	void		*context;
	char		 host[256], port[32];
	const char	*path;
	enum speech	 speech, starttls;
	X509		*leaf;		/* of --cert; NULL: none */
	STACK_OF(X509)	*sent;
	EVP_PKEY	*key;
	json_t		*seen;
};

/* ------------------------------------------------------- what was asked for */

/* "HOST:PORT", "[ADDRESS]:PORT", and "/PATH" behind it. */
static bool
take_place(struct looking *w)
{
	const char	*text = w->args->connect, *end = text, *port, *p;
	size_t		 len;

	if (text[0] == '[' && (end = strchr(text, ']')) != NULL)
		end++;
	else
		end = text + strcspn(text, ":/");
	len = (size_t)(end - text);
	port = end + (*end == ':');
	w->path = port + strcspn(port, "/");
	for (p = w->path; *p > ' ' && *p < 0x7f; p++)
		;
	if (*end != ':' || w->path == port || len == 0 || *p != '\0' ||
	    len >= sizeof(w->host) || strlen(w->path) > 1024 ||
	    (size_t)(w->path - port) >= sizeof(w->port)) {
		(void)complain("--connect: expected HOST:PORT, or HOST:PORT/PATH");
		return false;
	}
	if (text[0] == '[' && end[-1] == ']') {
		text++;
		len -= 2;
	}
	(void)snprintf(w->host, sizeof(w->host), "%.*s", (int)len, text);
	(void)snprintf(w->port, sizeof(w->port), "%.*s", (int)(w->path - port),
	    port);
	if (*w->path == '\0')
		w->path = "/";
	w->speech = speech_of_port(w->port);
	if (w->args->starttls != NULL) {
		w->speech = w->starttls = speech_find(w->args->starttls);
		if (w->starttls == SPEECH_UNKNOWN)
			(void)complain("--starttls: expected imap, pop3, submission "
			    "or sieve");
	}
	return w->args->starttls == NULL || w->starttls != SPEECH_UNKNOWN;
}

static int
give_password(char *buf, int size, int writing, void *context)
{
	const char	*password = context;
	size_t		 len = strlen(password);

	(void)writing;
	if (size < 0 || len > (size_t)size)
		return -1;
	memcpy(buf, password, len);
	return (int)len;
}

/* PEM, DER, PKCS#8 or PKCS#12: whatever holds a private key. */
static EVP_PKEY *
read_key(const char *file, char *password)
{
	UI_METHOD	*ui = UI_UTIL_wrap_read_pem_callback(give_password, 0);
	OSSL_STORE_CTX	*store;
	OSSL_STORE_INFO	*info;
	EVP_PKEY	*key = NULL;
	int		 i;

	store = ui != NULL ? OSSL_STORE_open(file, ui, password, NULL, NULL) : NULL;
	for (i = 0; i < MAX_OBJECTS && store != NULL && key == NULL &&
	    OSSL_STORE_eof(store) == 0; i++) {
		info = OSSL_STORE_load(store);
		if (info == NULL && OSSL_STORE_error(store) != 0)
			break;
		if (info != NULL &&
		    OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
			key = OSSL_STORE_INFO_get1_PKEY(info);
		OSSL_STORE_INFO_free(info);
	}
	(void)OSSL_STORE_close(store);
	UI_destroy_method(ui);
	ERR_clear_error();
	return key;
}

static bool
take_certificate(struct looking *w)
{
	const struct args	*a = w->args;
	const char		*file = a->key != NULL ? a->key : a->cert;
	struct certauth_error	 error;
	static char		 none[] = "";
	char			*password = NULL;
	bool			 ok;

	if (a->cert == NULL)
		return true;
	if (a->password_file != NULL &&
	    (password = read_password(a->password_file)) == NULL)
		return false;
	ok = certauth_read_leaf(a->cert, password, &w->leaf, &w->sent, &error);
	if (!ok)
		(void)complain_error(&error);
	else {
		w->key = read_key(file, password != NULL ? password : none);
		ok = w->key != NULL && X509_check_private_key(w->leaf, w->key) == 1;
		if (w->key == NULL)
			(void)complain("%s: no private key can be read; is there "
			    "one, and is its password the first line of "
			    "--password-file?", file);
		else if (!ok)
			(void)complain("%s: not the private key of this "
			    "certificate", file);
	}
	ERR_clear_error();
	free(password);
	return ok;
}

/* ------------------------------------------------------------------- visits */

static SSL_CTX *
make_context(const struct looking *w, const struct visit *v)
{
	SSL_CTX	*ctx = SSL_CTX_new(TLS_client_method());
	int	 least = v->version == TLS1_1_VERSION ? TLS1_VERSION : v->version;

	if (ctx == NULL)
		return NULL;
	/* A weak certificate is the server's to refuse, and old TLS to be seen. */
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	/* what is in a context's own cache ends with the context */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
	    SSL_SESS_CACHE_NO_INTERNAL);
	(void)SSL_CTX_set_default_verify_paths(ctx);
	if (SSL_CTX_set_min_proto_version(ctx, least) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, v->version) != 1 || (v->with &&
	    (SSL_CTX_use_certificate(ctx, w->leaf) != 1 ||
	    (w->sent != NULL && SSL_CTX_set1_chain(ctx, w->sent) != 1) ||
	    SSL_CTX_use_PrivateKey(ctx, w->key) != 1))) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

static json_t *
names_json(const STACK_OF(X509_NAME) *names)
{
	json_t	*all = json_array();
	char	*text;
	int	 i;

	for (i = 0; names != NULL && i < sk_X509_NAME_num(names) && i < MAX_NAMES;
	    i++) {
		text = certauth_name_print(sk_X509_NAME_value(names, i));
		add_json(all, json_string(text));
		free(text);
	}
	return all;
}

static void
add_seen(struct looking *w, const struct visit *v)
{
	char	line[4 * sizeof(v->talk.line) + 1], text[4 * sizeof(v->talk.text) + 1];

	add_json(w->seen, json_pack("{s:s,s:b,s:b,s:b,s:b,s:o,s:s,s:s,s:s,s:s,s:b,"
	    "s:b}", "tls", v->version == TLS1_3_VERSION ? "1.3" :
	    v->version == TLS1_2_VERSION ? "1.2" : "1.1", "certificate", v->with,
	    "handshake", v->done, "resumed", v->resumed, "asked", v->asked, "names",
	    names_json(v->names), "alert", alert_name(v->alert), "answer",
	    certauth_printable(line, sizeof(line), v->talk.line), "page",
	    certauth_printable(text, sizeof(text), v->talk.text), "reason",
	    v->talk.told ? certauth_reason_slug(v->talk.reason) : "", "external",
	    v->talk.external, "let_in", visit_let_in(v)));
}

/* One connection from its beginning to its end. */
static void
visit_once(struct looking *w, struct visit *v, SSL_SESSION *session)
{
	struct link	 l;
	SSL_CTX		*ctx = make_context(w, v);

	memset(&v->talk, 0, sizeof(v->talk));
	v->talk.speech = w->speech;
	v->talk.login = v->with;
	if (ctx == NULL) {
		v->why = "OpenSSL of this machine cannot do it";
		ERR_clear_error();
		return;
	}
	v->reached = link_open(&l, w->host, w->port) &&
	    (w->starttls == SPEECH_UNKNOWN || talk_starttls(&l, w->starttls));
	v->done = v->reached && link_tls(&l, ctx, w->host, session);
	v->asked = l.asked;
	if (l.ssl != NULL && l.asked && SSL_get0_peer_CA_list(l.ssl) != NULL)
		v->names = SSL_dup_CA_list(SSL_get0_peer_CA_list(l.ssl));
	v->names_size = names_size(v->names);
	if (v->done) {
		v->verified = SSL_get_verify_result(l.ssl);
		v->resumed = SSL_session_reused(l.ssl) == 1;
		talk(&l, &v->talk, w->host, w->path,
		    w->starttls != SPEECH_UNKNOWN);
		v->session = SSL_get1_session(l.ssl);
	}
	v->alert = l.alert;
	v->late = l.late;
	v->why = l.why;
	link_close(&l);
	SSL_CTX_free(ctx);
}

static void
visit_free(struct visit *v)
{
	sk_X509_NAME_pop_free(v->names, X509_NAME_free);
	SSL_SESSION_free(v->session);
	v->names = NULL;
	v->names_size = 0;
	v->session = NULL;
}

static void
visit(struct looking *w, struct visit *v, int version, bool with,
    SSL_SESSION *session)
{
	memset(v, 0, sizeof(*v));
	v->version = version;
	v->with = with;
	v->alert = -1;
	visit_once(w, v, session);
	if (w->speech == SPEECH_UNKNOWN)
		w->speech = v->talk.speech;
	if (v->talk.anew) {
		visit_free(v);
		visit_once(w, v, session);
	}
	add_seen(w, v);
}

/* ----------------------------------------------------------- what is to say */

typedef void mean_fn(const struct visit *, struct saying *);

static void
say(struct looking *w, enum certauth_severity severity, const char *text,
    const char *remedy)
{
	char	shown[4 * 1500 + 1];

	w->say(w->context, severity, "", 0,
	    certauth_printable(shown, sizeof(shown), text), remedy);
}

/* Of both versions, in one line where they do the same. */
static void
say_both(struct looking *w, const struct visit v[2], mean_fn *mean)
{
	static const char *const	names[] = { "TLS 1.3", "TLS 1.2" };
	struct saying			s[2];
	char				text[sizeof(s[0].text) + 64];
	size_t				i;
	bool				same;

	memset(s, 0, sizeof(s));
	mean(&v[0], &s[0]);
	mean(&v[1], &s[1]);
	same = s[0].severity == s[1].severity &&
	    strcmp(s[0].text, s[1].text) == 0;
	for (i = 0; i < (same ? 1 : 2); i++) {
		if (s[i].text[0] == '\0')
			continue;
		(void)snprintf(text, sizeof(text), "%s: %.*s", same ?
		    "TLS 1.2 and 1.3" : names[i], (int)sizeof(s[i].text) - 1,
		    s[i].text);
		say(w, s[i].severity, text, s[i].remedy);
	}
}

/* Does the list name who issued the certificate, or one that is sent beside it? */
static bool
names_issuer(const struct looking *w, const STACK_OF(X509_NAME) *names)
{
	const X509_NAME	*name;
	int		 i, k;

	for (k = -1; k < (w->sent != NULL ? sk_X509_num(w->sent) : 0); k++) {
		name = X509_get_issuer_name(k < 0 ? w->leaf :
		    sk_X509_value(w->sent, k));
		for (i = 0; i < sk_X509_NAME_num(names); i++)
			if (X509_NAME_cmp(name, sk_X509_NAME_value(names, i)) == 0)
				return true;
	}
	return false;
}

static void
say_names(struct looking *w, const struct visit *v)
{
	char	*name, text[1000];
	int	 i, n = v->names != NULL ? sk_X509_NAME_num(v->names) : 0;

	for (i = 0; i < n && i < SHOW_NAMES; i++) {
		name = certauth_name_print(sk_X509_NAME_value(v->names, i));
		(void)snprintf(text, sizeof(text), "name of a CA: %s",
		    name != NULL ? name : "");
		free(name);
		say(w, CERTAUTH_NOTE, text, "");
	}
	if (n > SHOW_NAMES) {
		(void)snprintf(text, sizeof(text), "and %d more names; --json has "
		    "them", n - SHOW_NAMES);
		say(w, CERTAUTH_NOTE, text, "");
	}
	if (v->asked && n == 0)
		say(w, CERTAUTH_NOTE, "no names of CAs: programs ask people to "
		    "choose among all their certificates", "");
	if (v->names_size > NAMES_WARN)
		say(w, CERTAUTH_WARNING, "the names take over 16 KiB in every "
		    "handshake: some clients give up", "certauth_names, "
		    "CertAuthNames: anchors, none or a file");
	if (n > 0 && w->leaf != NULL && !names_issuer(w, v->names))
		say(w, CERTAUTH_WARNING, "who issued the certificate is not among the "
		    "names: browsers and GnuTLS do not offer it", "name the issuing "
		    "CA in \"issuers\" or \"intermediates\" of an authority of the "
		    "profile");
}

/* The server's own certificate, as this machine sees it. */
static void
say_server(struct looking *w, const struct visit *v)
{
	bool	hurts = v->verified == X509_V_ERR_CERT_HAS_EXPIRED ||
		    v->verified == X509_V_ERR_CERT_NOT_YET_VALID ||
		    v->verified == X509_V_ERR_HOSTNAME_MISMATCH ||
		    v->verified == X509_V_ERR_IP_ADDRESS_MISMATCH;
	char	text[300];

	if (!v->done || v->verified == X509_V_OK)
		return;
	(void)snprintf(text, sizeof(text), "the server's own certificate is not "
	    "trusted here: %s", X509_verify_cert_error_string(v->verified));
	say(w, hurts ? CERTAUTH_WARNING : CERTAUTH_NOTE, text, hurts ?
	    "give the server another, or ask it by its name" : "");
}

/* Who is let in resumes the session at the next visit. */
static void
come_back(struct looking *w, const struct visit v[2])
{
	struct visit	again[2];
	size_t		i;

	memset(again, 0, sizeof(again));
	for (i = 0; i < 2; i++)
		if (v[i].version != 0 && visit_let_in(&v[i]) && v[i].session != NULL &&
		    SSL_SESSION_is_resumable(v[i].session) == 1)
			visit(w, &again[i], v[i].version, true, v[i].session);
	say_both(w, again, mean_again);
	visit_free(&again[0]);
	visit_free(&again[1]);
}

static bool
look(struct looking *w)
{
	struct visit	bare[2], with[2], old;
	size_t		i;

	visit(w, &bare[0], TLS1_3_VERSION, false, NULL);
	if (!bare[0].reached) {
		(void)complain("%s:%s: %s", w->host, w->port, bare[0].why);
		visit_free(&bare[0]);
		return false;
	}
	/* who is silent is not asked again, to be silent as long */
	memset(&bare[1], 0, sizeof(bare[1]));
	if (bare[0].done || !bare[0].late)
		visit(w, &bare[1], TLS1_2_VERSION, false, NULL);
	say_both(w, bare, mean_asking);
	if (!bare[0].done && !bare[1].done && !bare[0].asked && !bare[1].asked)
		say(w, CERTAUTH_FATAL, "no TLS: nobody can show a certificate",
		    "is it the right port? where TLS begins later, --starttls "
		    "names the protocol");
	if (bare[1].version == 0)
		goto out;
	say_names(w, bare[0].asked ? &bare[0] : &bare[1]);
	say_server(w, bare[0].done ? &bare[0] : &bare[1]);
	visit(w, &old, TLS1_1_VERSION, false, NULL);
	if (old.done || old.asked)
		say(w, CERTAUTH_FATAL, "TLS 1.0 or 1.1 is spoken, which RFC 8996 "
		    "forbids: certificates travel in the clear there",
		    "offer TLS 1.2 and 1.3 alone");
	say_both(w, bare, mean_without);
	for (i = 0; i < 2; i++) {
		memset(&with[i], 0, sizeof(with[i]));
		if (w->leaf != NULL && (bare[i].done || bare[i].asked))
			visit(w, &with[i], bare[i].version, true, NULL);
	}
	say_both(w, with, mean_with);
	come_back(w, with);
	visit_free(&with[0]);
	visit_free(&with[1]);
	visit_free(&old);
out:
	visit_free(&bare[0]);
	visit_free(&bare[1]);
	return true;
}

bool
connect_look(const struct args *args, doctor_fn *say_fn, void *context,
    json_t **seen_r)
{
	struct looking	w = { .args = args, .say = say_fn, .context = context };
	bool		ok;

	*seen_r = w.seen = json_array();
	/* a server that closes is an answer */
	(void)signal(SIGPIPE, SIG_IGN);
	ok = w.seen != NULL && take_place(&w) && take_certificate(&w) && look(&w);
	(void)signal(SIGPIPE, SIG_DFL);
	X509_free(w.leaf);
	sk_X509_pop_free(w.sent, X509_free);
	EVP_PKEY_free(w.key);
	return ok;
}
