/*
 * mod_certauth_ssl.c - the TLS side: who is asked, what happens in the
 * handshake, which sessions may come back, and the verdicts of a connection.
 *
 * The request gate (mod_certauth_gate.c) is the only authority; what is done
 * here may only refuse early. It never lets a request in.
 */

#include "mod_certauth.h"
#include "mod_ssl_hooks.h"

#include <http_connection.h>

APLOG_USE_MODULE(certauth);

/* Indexes of libcrypto, which outlives a reload of this module: linked with
 * -z nodelete, so these stay. No free_func is ever given with them, libcrypto
 * would call it at an address that may be gone. */
static int ssl_index = -1;
static int ctx_index = -1;

/* mod_ssl's own session cache callbacks, the same for every SSL_CTX; taken anew
 * at each init_server, because mod_ssl may have moved with a reload. */
static SSL_SESSION *(*mod_ssl_get)(SSL *, const unsigned char *, int, int *);
static int (*mod_ssl_new)(SSL *, SSL_SESSION *);

void certauth_ssl_pre_config(void)
{
    if (ssl_index < 0) {
        ssl_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    }
    if (ctx_index < 0) {
        ctx_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    }
}

/* ---------------------------------------------------------- the connection */

certauth_conn *certauth_conn_of(conn_rec *c)
{
    return ap_get_module_config((c->master ? c->master : c)->conn_config,
                                &certauth_module);
}

static certauth_ctx *ctx_of(const SSL *ssl)
{
    SSL_CTX *ctx = SSL_get_SSL_CTX(ssl);

    return ctx != NULL ? SSL_CTX_get_ex_data(ctx, ctx_index) : NULL;
}

certauth_ctx *certauth_conn_ctx(const certauth_conn *cc)
{
    return ctx_of(cc->ssl);
}

static void forget_verdicts(certauth_conn *cc)
{
    int i;

    for (i = 0; i < cc->num; i++) {
        certauth_verdict_free(cc->verdicts[i]);
        cc->verdicts[i] = NULL;
    }
}

/* Takes references. What was judged about another certificate is forgotten;
 * with the same one a chain that we have stays (a resumed session has none). */
static void set_peer(certauth_conn *cc, X509 *leaf, STACK_OF(X509) *sent)
{
    int same = cc->leaf != NULL && leaf != NULL
               && X509_cmp(cc->leaf, leaf) == 0;

    if (same && (sent == NULL || cc->sent != NULL)) {
        return;
    }
    if (!same) {
        forget_verdicts(cc);
    }
    X509_free(cc->leaf);
    sk_X509_pop_free(cc->sent, X509_free);
    cc->leaf = NULL;
    cc->sent = NULL;
    if (leaf != NULL && X509_up_ref(leaf) == 1) {
        cc->leaf = leaf;
        cc->sent = sent != NULL ? X509_chain_up_ref(sent) : NULL;
    }
}

static apr_status_t free_conn(void *data)
{
    certauth_conn *cc = data;

    forget_verdicts(cc);
    set_peer(cc, NULL, NULL);
    SSL_free(cc->ssl);
    return APR_SUCCESS;
}

/* cc->mutex is held. */
static struct certauth_verdict *judge(certauth_conn *cc, int use)
{
    certauth_use *u = certauth_use_at(use);
    certauth_ctx *ctx = ctx_of(cc->ssl);
    struct certauth_request req = { 0 };
    struct certauth_verdict *v = cc->verdicts[use];

    if (certauth_proc->broken || certauth_proc->engine == NULL
        || u->profile == NULL) {
        if (v == NULL) {
            v = certauth_refuse(NULL, CERTAUTH_DATA_MISSING,
                                "see the error log of the last reload");
        }
    }
    else if (v == NULL
             || !certauth_verdict_current(certauth_proc->engine, v, 0)) {
        req.profile = u->profile;
        req.leaf = cc->leaf;
        req.sent = cc->sent;
        req.service = "http";
        req.host = ctx != NULL ? ctx->s->server_hostname : NULL;
        v = certauth_verify(certauth_proc->engine, &req);
        certauth_verdict_free(cc->verdicts[use]);
    }
    cc->verdicts[use] = v;
    return v != NULL ? certauth_verdict_ref(v) : NULL;
}

struct certauth_verdict *certauth_conn_verdict(certauth_conn *cc, int use)
{
    struct certauth_verdict *v;

    if (use < 0 || use >= cc->num
        || apr_thread_mutex_lock(cc->mutex) != APR_SUCCESS) {
        return NULL;
    }
    v = judge(cc, use);
    apr_thread_mutex_unlock(cc->mutex);
    return v;
}

struct certauth_verdict *certauth_conn_judge_with(certauth_conn *cc, int use,
    const apr_array_header_t *replies, unsigned flags)
{
    certauth_ctx *ctx = ctx_of(cc->ssl);
    struct certauth_request req = { 0 };
    struct certauth_verdict *v;
    X509 *leaf = NULL;
    STACK_OF(X509) *sent = NULL;

    if (use < 0 || use >= cc->num
        || apr_thread_mutex_lock(cc->mutex) != APR_SUCCESS) {
        return NULL;
    }
    if (cc->leaf != NULL && X509_up_ref(cc->leaf) == 1) {
        leaf = cc->leaf;
        sent = cc->sent != NULL ? X509_chain_up_ref(cc->sent) : NULL;
    }
    apr_thread_mutex_unlock(cc->mutex);
    req.profile = certauth_use_at(use)->profile;
    req.leaf = leaf;
    req.sent = sent;
    req.service = "http";
    req.host = ctx != NULL ? ctx->s->server_hostname : NULL;
    req.flags = flags;
    req.replies = (const struct certauth_bytes *)replies->elts;
    req.num_replies = (size_t)replies->nelts;
    v = certauth_verify(certauth_proc->engine, &req);
    if (v != NULL && apr_thread_mutex_lock(cc->mutex) == APR_SUCCESS) {
        if (cc->leaf == leaf) {
            certauth_verdict_free(cc->verdicts[use]);
            cc->verdicts[use] = certauth_verdict_ref(v);
        }
        apr_thread_mutex_unlock(cc->mutex);
    }
    X509_free(leaf);
    sk_X509_pop_free(sent, X509_free);
    return v;
}

int certauth_conn_news(certauth_conn *cc, int slot, enum certauth_reason reason)
{
    int news;

    if (slot < 0 || slot >= 2 * cc->num
        || apr_thread_mutex_lock(cc->mutex) != APR_SUCCESS) {
        return 1;
    }
    news = cc->logged[slot] != reason;
    cc->logged[slot] = reason;
    apr_thread_mutex_unlock(cc->mutex);
    return news;
}

void certauth_conn_mark(certauth_conn *cc, const struct certauth_verdict *v)
{
    certauth_ctx *ctx = ctx_of(cc->ssl);
    long result = X509_V_OK;

    /* A vhost that does not ask is mod_ssl's own affair. */
    if (cc->leaf == NULL || ctx == NULL || !certauth_asks(ctx->sc)) {
        return;
    }
    if (certauth_verdict_decision(v) != CERTAUTH_ACCEPT) {
        result = v ? certauth_reason_x509(certauth_verdict_reason(v))
                   : X509_V_ERR_CERT_UNTRUSTED;
        if (result == X509_V_OK) {
            result = X509_V_ERR_CERT_UNTRUSTED;
        }
    }
    /* Streams of HTTP/2 come here in parallel, as in mod_ssl's own hook:
     * one aligned number, and all of them want the same. */
    if (SSL_get_verify_result(cc->ssl) != result) {
        SSL_set_verify_result(cc->ssl, result);
    }
}

static int pre_handshake(conn_rec *c, SSL *ssl, int is_proxy)
{
    certauth_conn *cc;

    if (is_proxy || certauth_proc == NULL || certauth_proc->uses->nelts == 0) {
        return DECLINED;
    }
    cc = apr_pcalloc(c->pool, sizeof(*cc));
    cc->c = c;
    cc->ssl = ssl;
    cc->num = certauth_proc->uses->nelts;
    cc->verdicts = apr_pcalloc(c->pool, (apr_size_t)cc->num
                                            * sizeof(cc->verdicts[0]));
    cc->logged = apr_pcalloc(c->pool, 2 * (apr_size_t)cc->num
                                          * sizeof(cc->logged[0]));
    if (apr_thread_mutex_create(&cc->mutex, APR_THREAD_MUTEX_DEFAULT, c->pool)
            != APR_SUCCESS
        || SSL_set_ex_data(ssl, ssl_index, cc) != 1
        /* mod_ssl frees its own for plain HTTP on a TLS port, before the error
         * page; requests still look at ours then. */
        || SSL_up_ref(ssl) != 1) {
        return HTTP_INTERNAL_SERVER_ERROR;  /* mod_ssl drops the connection */
    }
    apr_pool_cleanup_register(c->pool, cc, free_conn, apr_pool_cleanup_null);
    ap_set_module_config(c->conn_config, &certauth_module, cc);
    certauth_poll_sometimes(c->base_server);
    return OK;
}

/* After mod_ssl's process_connection has made the handshake, before HTTP/2
 * starts threads: note who is there and say so to mod_ssl. Event MPM comes
 * here again for each request on a kept-alive connection. */
static int process_connection(conn_rec *c)
{
    certauth_conn *cc = c->master ? NULL : certauth_conn_of(c);
    certauth_ctx *ctx = cc != NULL ? ctx_of(cc->ssl) : NULL;
    struct certauth_verdict *v = NULL;
    X509 *leaf;

    if (ctx == NULL || SSL_is_init_finished(cc->ssl) != 1) {
        return DECLINED;
    }
    leaf = SSL_get0_peer_certificate(cc->ssl);
    if (apr_thread_mutex_lock(cc->mutex) != APR_SUCCESS) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    set_peer(cc, leaf, SSL_get_peer_cert_chain(cc->ssl));
    cc->settled = 1;
    apr_thread_mutex_unlock(cc->mutex);
    if (leaf != NULL) {
        v = certauth_conn_verdict(cc, ctx->handshake_use);
    }
    certauth_conn_mark(cc, v);
    certauth_verdict_free(v);
    return DECLINED;
}

/* ----------------------------------------------------------- the handshake */

/*
 * Replaces mod_ssl's verification. Mode `handshake` refuses here, with the
 * alert that belongs to the reason; what no alert says (no-user, denied ...) it
 * leaves to the gate, and what is not known yet, for the gate can wait. Mode `request` lets the connection live and
 * refuses each request: mod_ssl (SSLVerifyClient none) drops a connection with
 * any other result than X509_V_OK, so that is what it gets until the handshake
 * is over; process_connection() then puts the truth in its place.
 */
static int verify(X509_STORE_CTX *store, void *arg)
{
    certauth_ctx *ctx = arg;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store,
                                   SSL_get_ex_data_X509_STORE_CTX_idx());
    certauth_conn *cc = ssl ? SSL_get_ex_data(ssl, ssl_index) : NULL;
    struct certauth_verdict *v = NULL;
    STACK_OF(X509) *path;
    int hard, result, ok = 0;

    X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
    if (cc == NULL) {
        return 0;
    }
    /* A second handshake on the connection was asked for by mod_ssl itself
     * (SSLVerifyClient in a .htaccess): it believes what we return. */
    hard = ctx->sc->refuse == CERTAUTH_REFUSE_HANDSHAKE || cc->settled;
    set_peer(cc, X509_STORE_CTX_get0_cert(store),
             X509_STORE_CTX_get0_untrusted(store));
    v = certauth_conn_verdict(cc, ctx->handshake_use);
    if (certauth_verdict_decision(v) == CERTAUTH_ACCEPT) {
        path = certauth_verdict_get0_path(v);
        if (path != NULL) {
            X509_STORE_CTX_set0_verified_chain(store, X509_chain_up_ref(path));
        }
        result = X509_V_OK;
        ok = 1;
    }
    else if (!hard || (!cc->settled
             && (certauth_verdict_decision(v) == CERTAUTH_UNDECIDED
                 || !certauth_reason_alert(certauth_verdict_reason(v))))) {
        SSL_set_num_tickets(ssl, 0);    /* tickets only for accepted sessions */
        result = X509_V_OK;
        ok = 1;
    }
    else {
        result = certauth_reason_x509(certauth_verdict_reason(v));
        if (result == X509_V_OK) {
            result = X509_V_ERR_UNSPECIFIED;
        }
        certauth_log_handshake(cc, v);
    }
    X509_STORE_CTX_set_error(store, result);
    certauth_verdict_free(v);
    return ok;
}

/* -------------------------------------------------------- resumed sessions */

/*
 * A resumed session skips verify(). What is known about it travels in the
 * session itself (ticket_appdata, which is part of tickets and of mod_ssl's
 * cache entries): the digest of the profile that accepted it. mod_ssl binds its
 * sessions to the virtual host's name only, with a session id context that it
 * sets per connection after every hook of ours; the digest also ends a session
 * when the rules behind that name change.
 */
static int record(SSL *ssl, SSL_SESSION *ss)
{
    certauth_conn *cc = SSL_get_ex_data(ssl, ssl_index);
    certauth_ctx *ctx = ctx_of(ssl);
    certauth_use *u = NULL;
    struct certauth_verdict *v = NULL;
    int accepted = 0;

    if (ctx == NULL || !certauth_asks(ctx->sc)) {
        return 1;
    }
    if (cc != NULL && cc->leaf != NULL && ctx->handshake_use >= 0) {
        u = certauth_use_at(ctx->handshake_use);
        v = certauth_conn_verdict(cc, ctx->handshake_use);
        accepted = u->profile != NULL
                   && certauth_verdict_decision(v) == CERTAUTH_ACCEPT;
    }
    if (accepted) {
        accepted = SSL_SESSION_set1_ticket_appdata(ss, u->digest,
                                                   sizeof(u->digest)) == 1;
    }
    certauth_verdict_free(v);
    return accepted;
}

static int may_resume(SSL *ssl, SSL_SESSION *ss)
{
    certauth_conn *cc = SSL_get_ex_data(ssl, ssl_index);
    certauth_ctx *ctx = ctx_of(ssl);
    certauth_use *u;
    struct certauth_verdict *v = NULL;
    X509 *leaf = SSL_SESSION_get0_peer(ss);
    const char *why = NULL;
    void *data = NULL;
    size_t len = 0;

    if (SSL_SESSION_get0_ticket_appdata(ss, &data, &len) != 1) {
        len = 0;
    }
    if (ctx == NULL || !certauth_asks(ctx->sc)) {
        return len == 0;    /* a session of a vhost with rules stays there */
    }
    if (cc == NULL) {
        return 0;
    }
    u = ctx->handshake_use >= 0 ? certauth_use_at(ctx->handshake_use) : NULL;
    if (leaf == NULL || u == NULL || u->profile == NULL) {
        why = "nothing to judge";
    }
    else if (len != sizeof(u->digest) || memcmp(data, u->digest, len) != 0) {
        why = "accepted by other rules";
    }
    else {
        set_peer(cc, leaf, NULL);
        v = certauth_conn_verdict(cc, ctx->handshake_use);
        if (certauth_verdict_decision(v) != CERTAUTH_ACCEPT) {
            why = certauth_reason_slug(certauth_verdict_reason(v));
            set_peer(cc, NULL, NULL);
        }
        certauth_verdict_free(v);
    }
    if (why != NULL) {
        ap_log_cerror(APLOG_MARK, APLOG_DEBUG, 0, cc->c,
                      "certauth: session not resumed: %s", why);
    }
    return why == NULL;
}

static SSL_SESSION *session_get(SSL *ssl, const unsigned char *id, int len,
                                int *copy)
{
    SSL_SESSION *ss = mod_ssl_get ? mod_ssl_get(ssl, id, len, copy) : NULL;

    if (ss != NULL && !may_resume(ssl, ss)) {
        if (!*copy) {
            SSL_SESSION_free(ss);
        }
        return NULL;
    }
    return ss;
}

static int session_new(SSL *ssl, SSL_SESSION *ss)
{
    if (mod_ssl_new == NULL || !record(ssl, ss)) {
        return 0;   /* not kept */
    }
    return mod_ssl_new(ssl, ss);
}

static int ticket_make(SSL *ssl, void *arg)
{
    SSL_SESSION *ss = SSL_get_session(ssl);

    (void)arg;
    if (ss != NULL && !record(ssl, ss)) {
        /* The ticket cannot be held back in TLS 1.2; one byte that no digest
         * equals makes it worthless. */
        return SSL_SESSION_set1_ticket_appdata(ss, "-", 1);
    }
    return 1;
}

static SSL_TICKET_RETURN ticket_use(SSL *ssl, SSL_SESSION *ss,
                                    const unsigned char *key_name, size_t len,
                                    SSL_TICKET_STATUS status, void *arg)
{
    (void)key_name;
    (void)len;
    (void)arg;
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) {
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    }
    if (!may_resume(ssl, ss)) {
        return SSL_TICKET_RETURN_IGNORE_RENEW;  /* a full handshake */
    }
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE
                                        : SSL_TICKET_RETURN_USE_RENEW;
}

/* On every SSL_CTX: OpenSSL asks those of the first vhost of an address, SNI
 * or not; which vhost it is about is looked up in the SSL. */
static void watch_sessions(SSL_CTX *ctx)
{
    SSL_SESSION *(*get)(SSL *, const unsigned char *, int, int *);
    int (*new)(SSL *, SSL_SESSION *);

    get = SSL_CTX_sess_get_get_cb(ctx);
    if (get != NULL && get != session_get) {
        mod_ssl_get = get;
        SSL_CTX_sess_set_get_cb(ctx, session_get);
    }
    new = SSL_CTX_sess_get_new_cb(ctx);
    if (new != NULL && new != session_new) {
        mod_ssl_new = new;
        SSL_CTX_sess_set_new_cb(ctx, session_new);
    }
    SSL_CTX_set_session_ticket_cb(ctx, ticket_make, ticket_use, NULL);
}

/* ---------------------------------------------------------------- CA names */

static int same_name(STACK_OF(X509_NAME) *names, const X509_NAME *name)
{
    int i;

    for (i = 0; i < sk_X509_NAME_num(names); i++) {
        if (X509_NAME_cmp(sk_X509_NAME_value(names, i), name) == 0) {
            return 1;
        }
    }
    return 0;
}

static void add_names(STACK_OF(X509_NAME) *names, STACK_OF(X509_NAME) *more)
{
    X509_NAME *copy;
    int i;

    for (i = 0; i < sk_X509_NAME_num(more); i++) {
        if (same_name(names, sk_X509_NAME_value(more, i))) {
            continue;
        }
        copy = X509_NAME_dup(sk_X509_NAME_value(more, i));
        if (copy == NULL || sk_X509_NAME_push(names, copy) <= 0) {
            X509_NAME_free(copy);
            return;
        }
    }
}

static void add_use(STACK_OF(X509_NAME) *names, int use,
                    enum certauth_names which)
{
    const struct certauth_profile *profile;

    profile = use >= 0 ? certauth_use_at(use)->profile : NULL;
    if (profile != NULL) {
        add_names(names, certauth_profile_get0_ca_names(profile, which));
    }
}

static void set_names(server_rec *s, certauth_server_conf *sc, SSL_CTX *ctx)
{
    STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
    enum certauth_names which = CERTAUTH_NAMES_ISSUERS;
    certauth_section *section = (certauth_section *)sc->sections->elts;
    int i, len, size = 0;

    if (names == NULL) {
        return;
    }
    if (sc->name_list != NULL) {
        add_names(names, sc->name_list);
    }
    else if (sc->names == NULL || strcmp(sc->names, "none") != 0) {
        if (sc->names != NULL && strcmp(sc->names, "anchors") == 0) {
            which = CERTAUTH_NAMES_ANCHORS;
        }
        add_use(names, sc->use, which);
        for (i = 0; i < sc->sections->nelts; i++) {
            add_use(names, section[i].use, which);
        }
    }
    for (i = 0; i < sk_X509_NAME_num(names); i++) {
        len = i2d_X509_NAME(sk_X509_NAME_value(names, i), NULL);
        size += len > 0 ? len + 2 : 0;
    }
    if (size > CERTAUTH_NAMES_WARN) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     "certauth: %d CA names (%d bytes) are sent to every "
                     "client; many fail above %d: see CertAuthNames",
                     sk_X509_NAME_num(names), size, CERTAUTH_NAMES_WARN);
    }
    SSL_CTX_set_client_CA_list(ctx, names);     /* takes them over */
}

static int init_server(server_rec *s, apr_pool_t *p, int is_proxy, SSL_CTX *ctx)
{
    certauth_server_conf *sc = certauth_server_conf_of(s);
    certauth_ctx *info;
    int mode = SSL_VERIFY_PEER;

    if (is_proxy || certauth_proc->uses->nelts == 0) {
        return OK;
    }
    info = apr_pcalloc(p, sizeof(*info));
    info->s = s;
    info->sc = sc;
    info->handshake_use = certauth_handshake_use(sc);
    if (SSL_CTX_set_ex_data(ctx, ctx_index, info) != 1) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    watch_sessions(ctx);
    if (!certauth_asks(sc)) {
        return OK;
    }
    if (sc->refuse == CERTAUTH_REFUSE_HANDSHAKE) {
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    }
    /* mod_ssl's callback stays in its place; with ours it is never called. */
    SSL_CTX_set_verify(ctx, mode, SSL_CTX_get_verify_callback(ctx));
    SSL_CTX_set_cert_verify_callback(ctx, verify, info);
    set_names(s, sc, ctx);
    return OK;
}

void certauth_ssl_register_hooks(void)
{
    static const char *const after[] = { "mod_ssl.c", NULL };
    static const char *const before[] = { "mod_http2.c", NULL };

    APR_OPTIONAL_HOOK(ssl, init_server, init_server, NULL, NULL,
                      APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(ssl, pre_handshake, pre_handshake, NULL, NULL,
                      APR_HOOK_MIDDLE);
    ap_hook_process_connection(process_connection, after, before,
                               APR_HOOK_MIDDLE);
}
