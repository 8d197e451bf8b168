/*
 * ngx_http_certauth_judge.c - what is the verdict about this request?
 *
 * What only the server can see comes first, then the connection's verdict. Keeps
 * it with the request. Refuses nobody: that is the gate's part.
 */

#include "ngx_certauth.h"


static void ngx_http_certauth_cleanup(void *data);


ngx_int_t
ngx_http_certauth_judge(ngx_http_request_t *r,
    ngx_http_certauth_loc_conf_t *lcf, ngx_uint_t may_wait,
    struct certauth_verdict **verdict_r)
{
    SSL                           *ssl;
    ngx_int_t                      rc;
    ngx_uint_t                     accepted;
    ngx_connection_t              *c;
    enum certauth_reason           reason;
    struct certauth_verdict       *verdict;
    ngx_http_certauth_srv_conf_t  *scf;

    c = r->connection;
    scf = ngx_http_get_module_srv_conf(r, ngx_http_certauth_module);
    reason = ngx_http_certauth_transport(r);

    if (reason != CERTAUTH_OK) {
        verdict = certauth_refuse(lcf->profile->profile, reason, NULL);

    } else {
        rc = ngx_certauth_decide(r, scf, lcf->profile, may_wait, &verdict);

        if (rc != NGX_OK) {
            *verdict_r = NULL;
            return rc;
        }
    }

    accepted = (certauth_verdict_decision(verdict) == CERTAUTH_ACCEPT);
    verdict = ngx_http_certauth_as(r, lcf, verdict);
    verdict = ngx_http_certauth_required(lcf, verdict);

    *verdict_r = verdict;

    if (certauth_verdict_decision(verdict) != CERTAUTH_UNDECIDED) {
        ngx_certauth_log(scf->main, c, c->log, lcf->profile, verdict,
                         ngx_certauth_log_level(verdict,
                                        lcf->mode == NGX_CERTAUTH_OPTIONAL),
                         ngx_certauth_waited(r, lcf->profile));
    }

    if (c->ssl) {

        /*
         * A resumed session brings the result of its first handshake along:
         * $ssl_client_verify shall not say SUCCESS of what is refused now.
         */

        ssl = c->ssl->connection;

        if (SSL_get0_peer_certificate(ssl) != NULL) {
            SSL_set_verify_result(ssl, accepted ? X509_V_OK
                                                : X509_V_ERR_CERT_UNTRUSTED);
        }
    }

    return NGX_OK;
}


/* What only the server can see; no certificate, no password makes up for it. */

enum certauth_reason
ngx_http_certauth_transport(ngx_http_request_t *r)
{
    ngx_http_certauth_srv_conf_t  *scf, *asked;

    if (r->connection->ssl == NULL) {
        return CERTAUTH_NO_TLS;
    }

    /* RFC 8446 8: early data can be replayed; RFC 8470 5.2: 425 */

    if (!SSL_is_init_finished(r->connection->ssl->connection)) {
        return CERTAUTH_EARLY_DATA;
    }

    /* RFC 9110 15.5.20: another server asked for the certificate */

    scf = ngx_http_get_module_srv_conf(r, ngx_http_certauth_module);
    /* a subrequest has no http_connection */

    asked = r->main->http_connection->conf_ctx->srv_conf
                                        [ngx_http_certauth_module.ctx_index];

    if (asked != scf
        && ngx_memcmp(asked->digest, scf->digest, NGX_CERTAUTH_DIGEST_LEN) != 0)
    {
        return CERTAUTH_MISDIRECTED;
    }

    return CERTAUTH_OK;
}


ngx_http_certauth_ctx_t *
ngx_http_certauth_judged(ngx_http_request_t *r)
{
    ngx_http_certauth_ctx_t       *ctx;
    struct certauth_verdict       *verdict;
    ngx_http_certauth_loc_conf_t  *lcf;

    ctx = ngx_http_certauth_get_ctx(r->main, 0);

    if (ctx && ctx->judged) {
        return ctx;
    }

    lcf = ngx_http_get_module_loc_conf(r->main, ngx_http_certauth_module);

    if (lcf->mode == NGX_CERTAUTH_OFF) {
        return NULL;
    }

    /* a variable of the server, before its location is known; it cannot wait */

    ctx = ngx_http_certauth_get_ctx(r->main, 1);

    if (ctx) {
        (void) ngx_http_certauth_judge(r->main, lcf, 0, &verdict);
        ngx_http_certauth_keep(r->main, ctx, verdict);
    }

    return ctx;
}


void
ngx_http_certauth_keep(ngx_http_request_t *r, ngx_http_certauth_ctx_t *ctx,
    struct certauth_verdict *verdict)
{
    ngx_msec_t                     waited;
    ngx_http_certauth_loc_conf_t  *lcf;

    certauth_verdict_free(ctx->verdict);

    ctx->verdict = verdict;
    ctx->judged = 1;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_certauth_module);
    waited = lcf->profile ? ngx_certauth_waited(r, lcf->profile) : 0;

    /* of several profiles the longest */
    ctx->waited = ngx_max(ctx->waited, waited);

    ngx_http_certauth_forget(r);
}


ngx_http_certauth_ctx_t *
ngx_http_certauth_get_ctx(ngx_http_request_t *r, ngx_uint_t create)
{
    ngx_pool_cleanup_t       *cln;
    ngx_http_certauth_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_certauth_module);

    if (ctx != NULL) {
        return ctx;
    }

    /* an internal redirect clears the modules' contexts: find ours again */

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_certauth_cleanup) {
            ngx_http_set_ctx(r, cln->data, ngx_http_certauth_module);
            return cln->data;
        }
    }

    if (!create) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_certauth_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_certauth_ctx_t));

    cln->handler = ngx_http_certauth_cleanup;

    ngx_http_set_ctx(r, ctx, ngx_http_certauth_module);

    return ctx;
}


static void
ngx_http_certauth_cleanup(void *data)
{
    ngx_http_certauth_ctx_t  *ctx = data;

    certauth_verdict_free(ctx->verdict);
    ctx->verdict = NULL;
}
