/*
 * ngx_certauth_ssl.c - what does a TLS handshake of this server do for us?
 *
 * It asks for a certificate, offers names of CAs, marks the session with the
 * profile that accepted it, and drops marked sessions that would no longer be
 * accepted. Only with "certauth_refuse handshake" does it refuse; otherwise it
 * lets everybody through to the gate, which alone decides.
 */

#include "ngx_certauth.h"


/* From here on mobile clients and middleboxes begin to lose handshakes. */
#define NGX_CERTAUTH_NAMES_WARN     16384
/* RFC 8446 4.2.4: authorities<3..2^16-1>, with the extension's own length. */
#define NGX_CERTAUTH_NAMES_MAX      65000

/*
 * The mark of a session, kept with it as application data: 'A' and the digest
 * of the profile that accepted, or 'R'. Sessions without certificate of servers
 * without certauth have none.
 */
#define NGX_CERTAUTH_MARK_LEN       (1 + NGX_CERTAUTH_DIGEST_LEN)


static int ngx_certauth_verify_handler(X509_STORE_CTX *store, void *data);
static ngx_certauth_profile_t *ngx_certauth_accepting(ngx_connection_t *c,
    ngx_http_certauth_srv_conf_t *scf, X509 *leaf, STACK_OF(X509) *sent,
    struct certauth_verdict **verdict_r);
static void ngx_certauth_mark(SSL_SESSION *session,
    ngx_certauth_profile_t *profile);
static ngx_uint_t ngx_certauth_mark_good(ngx_http_certauth_srv_conf_t *scf,
    SSL_SESSION *session);
static int ngx_certauth_ticket_made(SSL *ssl, void *data);
static SSL_TICKET_RETURN ngx_certauth_ticket_came(SSL *ssl,
    SSL_SESSION *session, const unsigned char *name, size_t len,
    SSL_TICKET_STATUS status, void *data);
static SSL_SESSION *ngx_certauth_session_came(SSL *ssl,
    const unsigned char *id, int len, int *copy);
static ngx_int_t ngx_certauth_names(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf, ngx_http_certauth_srv_conf_t *scf,
    SSL_CTX *ctx);
static ngx_int_t ngx_certauth_add_names(STACK_OF(X509_NAME) *list,
    STACK_OF(X509_NAME) *more);


/* nginx's own look into the shared cache; the same for every context */
static SSL_SESSION *(*ngx_certauth_next_session)(SSL *ssl,
    const unsigned char *id, int len, int *copy);


/* A server under certauth: ask, offer names, and answer the handshake. */

ngx_int_t
ngx_certauth_ssl_server(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf,
    ngx_http_certauth_srv_conf_t *scf)
{
    SSL_CTX                  *ctx;
    ngx_str_t                 none = ngx_null_string;
    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];
    ctx = sscf->ssl.ctx;

    if (sscf->crl.len) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "certauth: \"ssl_crl\" does nothing under certauth, name "
                      "the file in \"crls\" of the authority; server in %s:%ui",
                      cscf->file_name, cscf->line);
    }

    if (sscf->ocsp) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "certauth: \"ssl_ocsp\" does nothing under certauth; "
                      "server in %s:%ui", cscf->file_name, cscf->line);

        /* or nginx would validate with X509_verify_cert() beside us */
        SSL_CTX_set_ex_data(ctx, ngx_ssl_ocsp_index, NULL);
    }

    /*
     * As "ssl_verify_client optional_no_ca": nginx's protection against a
     * connection of one virtual host that talks to another looks at it.
     */

    sscf->verify = 3;

    if (ngx_ssl_client_certificate(cf, &sscf->ssl, &none, sscf->verify_depth)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (scf->refuse == NGX_CERTAUTH_HANDSHAKE) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER|SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                           SSL_CTX_get_verify_callback(ctx));
    }

    SSL_CTX_set_cert_verify_callback(ctx, ngx_certauth_verify_handler, scf);

    if (SSL_CTX_set_session_id_context(ctx, scf->digest,
                                       NGX_CERTAUTH_DIGEST_LEN)
        != 1)
    {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "certauth: SSL_CTX_set_session_id_context() failed");
        return NGX_ERROR;
    }

    return ngx_certauth_names(cf, cscf, scf, ctx);
}


/*
 * Every server, under certauth or not: OpenSSL looks for a session before it
 * has read the name of the virtual host, in the default server's context.
 */

ngx_int_t
ngx_certauth_ssl_sessions(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf,
    ngx_http_certauth_srv_conf_t *scf)
{
    SSL_CTX                  *ctx;
    ngx_http_ssl_srv_conf_t  *sscf;

    SSL_SESSION *(*next)(SSL *ssl, const unsigned char *id, int len, int *copy);

    sscf = cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];
    ctx = sscf->ssl.ctx;

    if (ctx == NULL) {
        return NGX_OK;
    }

    if (SSL_CTX_set_session_ticket_cb(ctx, ngx_certauth_ticket_made,
                                      ngx_certauth_ticket_came, scf)
        != 1)
    {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "certauth: SSL_CTX_set_session_ticket_cb() failed");
        return NGX_ERROR;
    }

    next = SSL_CTX_sess_get_get_cb(ctx);

    if (next != NULL && next != ngx_certauth_session_came) {
        ngx_certauth_next_session = next;
        SSL_CTX_sess_set_get_cb(ctx, ngx_certauth_session_came);
    }

    return NGX_OK;
}


/* In place of X509_verify_cert(); full handshakes only. */

static int
ngx_certauth_verify_handler(X509_STORE_CTX *store, void *data)
{
    ngx_http_certauth_srv_conf_t  *scf = data;

    SSL                      *ssl;
    STACK_OF(X509)           *path;
    ngx_connection_t         *c;
    enum certauth_reason      reason;
    ngx_certauth_profile_t   *profile;
    struct certauth_verdict  *verdict;

    ssl = X509_STORE_CTX_get_ex_data(store,
                                     SSL_get_ex_data_X509_STORE_CTX_idx());
    c = ngx_ssl_get_connection(ssl);

    profile = ngx_certauth_accepting(c, scf, X509_STORE_CTX_get0_cert(store),
                                     X509_STORE_CTX_get0_untrusted(store),
                                     &verdict);

    ngx_certauth_mark(SSL_get0_session(ssl), profile);

    if (profile != NULL) {
        path = certauth_verdict_get0_path(verdict);

        if (path != NULL) {
            X509_STORE_CTX_set0_verified_chain(store, X509_chain_up_ref(path));
        }

        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }

    /* TLS 1.3 sends tickets only now; those of TLS 1.2 are marked */
    (void) SSL_set_num_tickets(ssl, 0);

    reason = certauth_verdict_reason(verdict);

    /*
     * A good certificate that stands for nobody here is told so by the gate, as
     * no alert says that. And the gate waits for what is not known yet.
     */

    if (scf->refuse == NGX_CERTAUTH_HANDSHAKE
        && certauth_verdict_decision(verdict) != CERTAUTH_UNDECIDED
        && certauth_reason_alert(reason))
    {
        profile = *(ngx_certauth_profile_t **) scf->profiles.elts;
        ngx_certauth_log(scf->main, c, c->log, profile, verdict,
                         NGX_LOG_INFO, 0);

        /* nginx takes a failed handshake for its own fault: [crit] */
        c->ssl->handshake_rejected = 1;

        X509_STORE_CTX_set_error(store, certauth_reason_x509(reason));
        return 0;
    }

    /*
     * One of the five errors that nginx lets through with optional_no_ca, so
     * that the gate can answer; $ssl_client_verify is never SUCCESS with it.
     */

    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_UNTRUSTED);
    return 1;
}


/* The server's own profile counts; where it has none, any location's. */

static ngx_certauth_profile_t *
ngx_certauth_accepting(ngx_connection_t *c, ngx_http_certauth_srv_conf_t *scf,
    X509 *leaf, STACK_OF(X509) *sent, struct certauth_verdict **verdict_r)
{
    ngx_uint_t                i, n;
    ngx_certauth_profile_t  **profile;

    profile = scf->profiles.elts;
    n = scf->own ? 1 : scf->profiles.nelts;
    *verdict_r = NULL;

    for (i = 0; i < n; i++) {
        *verdict_r = ngx_certauth_verify(c, scf, profile[i], leaf, sent);

        if (certauth_verdict_decision(*verdict_r) == CERTAUTH_ACCEPT) {
            return profile[i];
        }
    }

    return NULL;
}


static void
ngx_certauth_mark(SSL_SESSION *session, ngx_certauth_profile_t *profile)
{
    u_char  mark[NGX_CERTAUTH_MARK_LEN];

    if (session == NULL) {
        return;
    }

    if (profile == NULL) {
        mark[0] = 'R';
        (void) SSL_SESSION_set1_ticket_appdata(session, mark, 1);
        return;
    }

    mark[0] = 'A';
    ngx_memcpy(mark + 1, profile->digest, NGX_CERTAUTH_DIGEST_LEN);
    (void) SSL_SESSION_set1_ticket_appdata(session, mark,
                                           NGX_CERTAUTH_MARK_LEN);
}


/*
 * Would the profile that accepted this session accept it today? False makes a
 * full handshake, never a refusal: the client may have a better certificate,
 * or its chain, which no session keeps.
 */

static ngx_uint_t
ngx_certauth_mark_good(ngx_http_certauth_srv_conf_t *scf, SSL_SESSION *session)
{
    void                      *mark;
    X509                      *leaf;
    size_t                     len;
    ngx_uint_t                 i;
    ngx_certauth_profile_t   **profile;

    if (SSL_SESSION_get0_ticket_appdata(session, &mark, &len) != 1
        || len == 0)
    {
        return 1;
    }

    leaf = SSL_SESSION_get0_peer(session);

    if (len != NGX_CERTAUTH_MARK_LEN || *(u_char *) mark != 'A'
        || leaf == NULL)
    {
        return 0;
    }

    profile = scf->main->profiles.elts;

    for (i = 0; i < scf->main->profiles.nelts; i++) {

        if (ngx_memcmp(profile[i]->digest, (u_char *) mark + 1,
                       NGX_CERTAUTH_DIGEST_LEN)
            != 0)
        {
            continue;
        }

        return ngx_certauth_would_accept(scf, profile[i], leaf);
    }

    /* the profile is another now, or no more */

    return 0;
}


/*
 * Tickets only for accepted sessions. One that the handshake did not mark is
 * of a client without certificate: a later visit shall be asked for one again.
 */

static int
ngx_certauth_ticket_made(SSL *ssl, void *data)
{
    ngx_http_certauth_srv_conf_t  *scf = data;

    void         *mark;
    size_t        len;
    SSL_SESSION  *session;

    session = SSL_get0_session(ssl);

    if (scf->profiles.nelts != 0 && session != NULL
        && (SSL_SESSION_get0_ticket_appdata(session, &mark, &len) != 1
            || len == 0))
    {
        ngx_certauth_mark(session, NULL);
    }

    return 1;
}


static SSL_TICKET_RETURN
ngx_certauth_ticket_came(SSL *ssl, SSL_SESSION *session,
    const unsigned char *name, size_t len, SSL_TICKET_STATUS status, void *data)
{
    switch (status) {

    case SSL_TICKET_EMPTY:
    case SSL_TICKET_NO_DECRYPT:
        return SSL_TICKET_RETURN_IGNORE_RENEW;

    case SSL_TICKET_SUCCESS:
    case SSL_TICKET_SUCCESS_RENEW:

        if (!ngx_certauth_mark_good(data, session)) {
            return SSL_TICKET_RETURN_IGNORE_RENEW;
        }

        return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE
                                            : SSL_TICKET_RETURN_USE_RENEW;

    default:
        return SSL_TICKET_RETURN_ABORT;
    }
}


static SSL_SESSION *
ngx_certauth_session_came(SSL *ssl, const unsigned char *id, int len,
    int *copy)
{
    SSL_SESSION                   *session;
    ngx_connection_t              *c;
    ngx_http_connection_t         *hc;
    ngx_http_certauth_srv_conf_t  *scf;

    session = ngx_certauth_next_session(ssl, id, len, copy);

    if (session == NULL) {
        return NULL;
    }

    c = ngx_ssl_get_connection(ssl);
    hc = c->data;
    scf = hc->conf_ctx->srv_conf[ngx_http_certauth_module.ctx_index];

    if (ngx_certauth_mark_good(scf, session)) {
        return session;
    }

    ngx_ssl_remove_cached_session(c->ssl->session_ctx, session);

    if (!*copy) {
        SSL_SESSION_free(session);
    }

    return NULL;
}


static ngx_int_t
ngx_certauth_names(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf,
    ngx_http_certauth_srv_conf_t *scf, SSL_CTX *ctx)
{
    int                        i, len;
    size_t                     size;
    ngx_uint_t                 n;
    ngx_certauth_profile_t   **profile;
    STACK_OF(X509_NAME)       *list, *more;

    if (ngx_strcmp(scf->names.data, "issuers") == 0
        || ngx_strcmp(scf->names.data, "anchors") == 0
        || ngx_strcmp(scf->names.data, "none") == 0)
    {
        list = sk_X509_NAME_new_null();
        profile = scf->profiles.elts;

        for (n = 0; scf->names.data[0] != 'n' && n < scf->profiles.nelts; n++) {

            more = certauth_profile_get0_ca_names(profile[n]->profile,
                                     scf->names.data[0] == 'i'
                                     ? CERTAUTH_NAMES_ISSUERS
                                     : CERTAUTH_NAMES_ANCHORS);

            if (list == NULL || ngx_certauth_add_names(list, more) != NGX_OK) {
                sk_X509_NAME_pop_free(list, X509_NAME_free);
                return NGX_ERROR;
            }
        }

    } else {
        list = SSL_load_client_CA_file((char *) scf->names.data);
    }

    if (list == NULL) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "certauth: no names of CAs in \"%V\" (certauth_names "
                      "takes issuers, anchors, none or a file of certificates "
                      "in PEM)", &scf->names);
        return NGX_ERROR;
    }

    /* owns the list from here on */
    SSL_CTX_set_client_CA_list(ctx, list);

    size = 0;

    for (i = 0; i < sk_X509_NAME_num(list); i++) {
        len = i2d_X509_NAME(sk_X509_NAME_value(list, i), NULL);
        size += 2 + (len > 0 ? (size_t) len : 0);
    }

    if (size > NGX_CERTAUTH_NAMES_MAX) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "certauth: the names of %d CAs take %uz bytes, and TLS "
                      "carries 64k: set \"certauth_names anchors\", \"none\" "
                      "or a file for the server in %s:%ui",
                      sk_X509_NAME_num(list), size, cscf->file_name,
                      cscf->line);
        return NGX_ERROR;
    }

    if (size > NGX_CERTAUTH_NAMES_WARN) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "certauth: the names of %d CAs take %uz bytes in every "
                      "handshake; \"certauth_names\" anchors, none or a file "
                      "makes it shorter; server in %s:%ui",
                      sk_X509_NAME_num(list), size, cscf->file_name,
                      cscf->line);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_certauth_add_names(STACK_OF(X509_NAME) *list, STACK_OF(X509_NAME) *more)
{
    int         i, k;
    X509_NAME  *name;

    for (i = 0; i < sk_X509_NAME_num(more); i++) {

        for (k = 0; k < sk_X509_NAME_num(list); k++) {
            if (X509_NAME_cmp(sk_X509_NAME_value(list, k),
                              sk_X509_NAME_value(more, i))
                == 0)
            {
                break;
            }
        }

        if (k < sk_X509_NAME_num(list)) {
            continue;
        }

        name = X509_NAME_dup(sk_X509_NAME_value(more, i));

        if (name == NULL || sk_X509_NAME_push(list, name) <= 0) {
            X509_NAME_free(name);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
