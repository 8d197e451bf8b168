/*
 * ngx_http_certauth_gate.c - may this request be served?
 *
 * Asks for the connection's verdict in each phase that can answer, on every
 * request: a resumed session asked nobody, a kept-alive connection may have been
 * made long ago. Holds no rule about certificates.
 *
 * SERVER_REWRITE  the server's profile, before a "return" of the server
 * REWRITE         the location's, before a "return" of the location
 * ACCESS          under "satisfy any" only, beside auth_basic
 * PRECONTENT      nginx let the request in: by whose word?
 * header filter   nothing leaves that no gate has passed
 */

#include "ngx_certauth.h"


static ngx_int_t ngx_http_certauth_server_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_certauth_location_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_certauth_access_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_certauth_let_in_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_certauth_header_filter(ngx_http_request_t *r);

static ngx_int_t ngx_http_certauth_gate(ngx_http_request_t *r,
    ngx_http_certauth_ctx_t *ctx, ngx_uint_t phase);
static ngx_int_t ngx_http_certauth_refuse(ngx_http_request_t *r,
    ngx_http_certauth_ctx_t *ctx, struct certauth_verdict *verdict);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;

/* nginx's own, when it is built with it; NULL otherwise */
static ngx_module_t  *ngx_http_certauth_auth_request;


ngx_int_t
ngx_http_certauth_gate_init(ngx_conf_t *cf)
{
    ngx_uint_t                  i;
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    static struct {
        ngx_uint_t           phase;
        ngx_http_handler_pt  handler;
    } gates[] = {
        { NGX_HTTP_SERVER_REWRITE_PHASE, ngx_http_certauth_server_handler },
        { NGX_HTTP_REWRITE_PHASE, ngx_http_certauth_location_handler },
        { NGX_HTTP_ACCESS_PHASE, ngx_http_certauth_access_handler },
        { NGX_HTTP_PRECONTENT_PHASE, ngx_http_certauth_let_in_handler }
    };

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    /* the last to be registered runs first */

    for (i = 0; i < sizeof(gates) / sizeof(gates[0]); i++) {

        h = ngx_array_push(&cmcf->phases[gates[i].phase].handlers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = gates[i].handler;
    }

    ngx_http_certauth_auth_request = NULL;

    for (i = 0; cf->cycle->modules[i]; i++) {

        if (ngx_strcmp(cf->cycle->modules[i]->name,
                       "ngx_http_auth_request_module")
            == 0)
        {
            ngx_http_certauth_auth_request = cf->cycle->modules[i];
        }
    }

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_certauth_header_filter;

    return NGX_OK;
}


static ngx_int_t
ngx_http_certauth_server_handler(ngx_http_request_t *r)
{
    ngx_http_certauth_ctx_t       *ctx;
    ngx_http_certauth_loc_conf_t  *lcf;
    ngx_http_certauth_srv_conf_t  *scf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_certauth_module);

    if (lcf->mode == NGX_CERTAUTH_OFF || r != r->main) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_certauth_get_ctx(r, 1);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->refused && !ctx->page) {
        return NGX_DECLINED;
    }

    ctx->refused = 0;
    ctx->passed = 0;

    scf = ngx_http_get_module_srv_conf(r, ngx_http_certauth_module);

    if (scf->mixed) {

        /*
         * The location may be open, or have its own error page: it decides.
         * Should the server itself answer, the header filter asks.
         */

        return NGX_DECLINED;
    }

    return ngx_http_certauth_gate(r, ctx, 1);
}


static ngx_int_t
ngx_http_certauth_location_handler(ngx_http_request_t *r)
{
    ngx_http_certauth_ctx_t       *ctx;
    ngx_http_certauth_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_certauth_module);
    ctx = ngx_http_certauth_get_ctx(r->main, lcf->mode != NGX_CERTAUTH_OFF);

    if (ctx == NULL) {
        return lcf->mode == NGX_CERTAUTH_OFF ? NGX_DECLINED
                                             : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r != r->main) {

        /* the main request's verdict stays what it is */

        return lcf->mode == NGX_CERTAUTH_OFF ? NGX_DECLINED
                                             : ngx_http_certauth_gate(r, ctx, 1);
    }

    if (ctx->alternative && !ctx->let_in
        && (r->err_status == NGX_HTTP_UNAUTHORIZED
            || r->err_status == NGX_HTTP_FORBIDDEN))
    {
        /* neither certificate nor password: the page that says so */
        ctx->refused = 1;
    }

    if (ctx->refused && !ctx->page) {

        /* the page of our refusal, this one step; where it leads is gated */

        ctx->page = 1;
        return NGX_DECLINED;
    }

    ctx->refused = 0;

    if (lcf->mode == NGX_CERTAUTH_OFF) {

        if (!ctx->placed) {
            ngx_http_certauth_keep(r, ctx, NULL);
            ctx->judged = 0;
        }

        ctx->passed = 1;
        ctx->alternative = 0;

        return NGX_DECLINED;
    }

    ctx->placed = 1;
    ctx->passed = 0;
    ctx->let_in = 0;
    ctx->basic = 0;

    /* a name that was read from Authorization till now, nobody has checked */
    ngx_str_null(&r->headers_in.user);

    return ngx_http_certauth_gate(r, ctx, 1);
}


/* "satisfy any": a good certificate will do, and so may something else. */

static ngx_int_t
ngx_http_certauth_access_handler(ngx_http_request_t *r)
{
    ngx_http_certauth_ctx_t       *ctx;
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_certauth_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_certauth_module);
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (lcf->mode != NGX_CERTAUTH_REQUIRED
        || clcf->satisfy != NGX_HTTP_SATISFY_ANY)
    {
        return NGX_DECLINED;
    }

    ctx = ngx_http_certauth_get_ctx(r, 0);

    if (ctx == NULL || !ctx->judged) {
        return NGX_HTTP_FORBIDDEN;
    }

    /* from here on nginx counts who is satisfied */

    ctx->passed = 1;

    if (ctx->refused
        || certauth_verdict_decision(ctx->verdict) == CERTAUTH_ACCEPT)
    {
        return NGX_OK;
    }

    return NGX_HTTP_FORBIDDEN;
}


static ngx_int_t
ngx_http_certauth_let_in_handler(ngx_http_request_t *r)
{
    ngx_http_certauth_ctx_t  *ctx;

    ctx = ngx_http_certauth_get_ctx(r->main, 0);

    if (ctx == NULL || r != r->main || !ctx->alternative || ctx->refused) {
        return NGX_DECLINED;
    }

    /*
     * Was it auth_basic? It reads the name before it checks the password, and
     * nobody else asked for the name till now ($remote_user is ours); where it
     * failed it has left its challenge, but not where its file is missing: then
     * auth_request, which comes after it, was asked.
     */

    ctx->let_in = 1;

    if (r->headers_in.user.len && r->headers_out.www_authenticate == NULL
        && (ngx_http_certauth_auth_request == NULL
            || r->ctx[ngx_http_certauth_auth_request->ctx_index] == NULL))
    {
        ctx->basic = 1;
        ngx_http_certauth_forget(r);
    }

    return NGX_DECLINED;
}


/*
 * The last word: an answer that was given before a gate could refuse (a "return"
 * of a server whose locations differ, a "return" under "satisfy any", another
 * module's handler in front of ours) does not leave.
 */

static ngx_int_t
ngx_http_certauth_header_filter(ngx_http_request_t *r)
{
    ngx_int_t                      rc;
    ngx_http_certauth_ctx_t       *ctx;
    ngx_http_certauth_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_certauth_module);

    if (r != r->main || lcf->mode != NGX_CERTAUTH_REQUIRED) {
        return ngx_http_next_header_filter(r);
    }

    ctx = ngx_http_certauth_get_ctx(r, 0);

    if (ctx == NULL) {

        if (r->err_status) {
            /* nginx could not read the request */
            return ngx_http_next_header_filter(r);
        }

        ctx = ngx_http_certauth_get_ctx(r, 1);
        if (ctx == NULL) {
            return NGX_ERROR;
        }
    }

    if (ctx->passed || ctx->refused) {
        return ngx_http_next_header_filter(r);
    }

    rc = ngx_http_certauth_gate(r, ctx, 0);

    if (rc == NGX_DECLINED) {
        return ngx_http_next_header_filter(r);
    }

    if (r->err_status == 0) {
        return rc;
    }

    /* too late for an error page: nginx is writing one, or a redirect */

    ngx_http_clear_location(r);

    r->headers_out.status_line.len = 0;
    r->headers_out.status =
                   certauth_reason_http(certauth_verdict_reason(ctx->verdict));

    return ngx_http_next_header_filter(r);
}


/*
 * NGX_DECLINED: go on. With `phase` an undecided verdict puts the request aside
 * (NGX_DONE), and a refusal that a password may replace is left to the ACCESS
 * phase.
 */

static ngx_int_t
ngx_http_certauth_gate(ngx_http_request_t *r, ngx_http_certauth_ctx_t *ctx,
    ngx_uint_t phase)
{
    ngx_int_t                      rc;
    enum certauth_reason           reason;
    struct certauth_verdict       *verdict;
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_certauth_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_certauth_module);
    rc = ngx_http_certauth_judge(r, lcf, phase, &verdict);

    if (rc != NGX_OK) {
        /* a rewrite phase that has answered */
        return rc == NGX_AGAIN ? NGX_DONE : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r != r->main) {

        rc = NGX_DECLINED;

        if (lcf->mode == NGX_CERTAUTH_REQUIRED
            && certauth_verdict_decision(verdict) != CERTAUTH_ACCEPT)
        {
            rc = ngx_http_certauth_refuse(r, NULL, verdict);
        }

        certauth_verdict_free(verdict);
        return rc;
    }

    ngx_http_certauth_keep(r, ctx, verdict);
    ngx_http_certauth_report(r, lcf, verdict);
    ctx->alternative = 0;

    if (lcf->mode == NGX_CERTAUTH_OPTIONAL
        || certauth_verdict_decision(verdict) == CERTAUTH_ACCEPT)
    {
        ctx->passed = 1;
        return NGX_DECLINED;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    reason = certauth_verdict_reason(verdict);

    if (lcf->preflight && reason == CERTAUTH_NO_CERTIFICATE
        && ngx_http_certauth_is_preflight(r))
    {
        /* as nobody */
        ctx->passed = 1;
        return NGX_DECLINED;
    }

    if (phase
        && clcf->satisfy == NGX_HTTP_SATISFY_ANY
        && ngx_http_certauth_transport(r) == CERTAUTH_OK
        && reason != CERTAUTH_INTERNAL
        && !certauth_reason_final(reason))
    {
        ctx->alternative = 1;
        return NGX_DECLINED;
    }

    return ngx_http_certauth_refuse(r, ctx, verdict);
}


static ngx_int_t
ngx_http_certauth_refuse(ngx_http_request_t *r, ngx_http_certauth_ctx_t *ctx,
    struct certauth_verdict *verdict)
{
    int                   status;
    ngx_connection_t     *c;
    enum certauth_reason  reason;

    c = r->connection;
    reason = certauth_verdict_reason(verdict);

    /* another location may be open to the same certificate */

    if (reason != CERTAUTH_NOT_PERMITTED
        && ngx_http_certauth_transport(r) == CERTAUTH_OK)
    {
        ngx_ssl_remove_cached_session(c->ssl->session_ctx,
                                   (SSL_get0_session(c->ssl->connection)));
    }

    if (ctx) {
        ctx->refused = 1;
        /* and the verdict stays, wherever this leads */
        ctx->placed = 1;
    }

    status = certauth_reason_nginx(reason);

    return status >= NGX_HTTP_BAD_REQUEST ? status
                                          : NGX_HTTP_INTERNAL_SERVER_ERROR;
}
