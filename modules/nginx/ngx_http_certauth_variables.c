/*
 * ngx_http_certauth_variables.c - what may a configuration know of the verdict?
 *
 * $certauth_*, and $remote_user, which under a profile is never what a client
 * wrote into its Authorization header. Decides nothing.
 */

#include "ngx_certauth.h"


static ngx_int_t ngx_http_certauth_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_certauth_remote_user(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


/* $certauth_NAME is the verdict's attribute NAME; the last one is the request's,
 * and after it comes $remote_user */

static const char  *ngx_http_certauth_names[] = {
    "verdict", "reason", "message", "user", "groups", "email", "serial",
    "issuer", "subject", "fingerprint", "policies", "days_left", "profile", "id",
    "renewal", "not_after", "accounts", "client_cert", "client_cert_chain", "waited"
};

#define NGX_CERTAUTH_NVARIABLES                                               \
    (sizeof(ngx_http_certauth_names) / sizeof(ngx_http_certauth_names[0]))

/* RFC 9440, of an accepted one alone */
#define NGX_CERTAUTH_CERT  (NGX_CERTAUTH_NVARIABLES - 3)
#define NGX_CERTAUTH_CHAIN  (NGX_CERTAUTH_NVARIABLES - 2)

/* milliseconds in which the refresher was waited for */
#define NGX_CERTAUTH_WAITED  (NGX_CERTAUTH_NVARIABLES - 1)


static ngx_int_t  ngx_http_certauth_indexes[NGX_CERTAUTH_NVARIABLES + 1];

static ngx_http_get_variable_pt  ngx_http_certauth_next_remote_user;


ngx_int_t
ngx_http_certauth_add_variables(ngx_conf_t *cf)
{
    ngx_str_t             name;
    ngx_uint_t            i;
    ngx_http_variable_t  *var;

    for (i = 0; i < NGX_CERTAUTH_NVARIABLES; i++) {

        name.len = sizeof("certauth_") - 1
                   + ngx_strlen(ngx_http_certauth_names[i]);

        name.data = ngx_pnalloc(cf->pool, name.len + 1);
        if (name.data == NULL) {
            return NGX_ERROR;
        }

        ngx_sprintf(name.data, "certauth_%s%Z", ngx_http_certauth_names[i]);

        var = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOCACHEABLE);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = ngx_http_certauth_variable;
        var->data = i;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_certauth_variables_init(ngx_conf_t *cf)
{
    ngx_str_t                   name;
    ngx_uint_t                  i;
    ngx_hash_key_t             *key;
    ngx_http_variable_t        *var;
    ngx_http_core_main_conf_t  *cmcf;
    u_char                      buf[64];

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    key = cmcf->variables_keys->keys.elts;

    for (i = 0; i < cmcf->variables_keys->keys.nelts; i++) {

        if (key[i].key.len != sizeof("remote_user") - 1
            || ngx_strncmp(key[i].key.data, "remote_user",
                           sizeof("remote_user") - 1)
               != 0)
        {
            continue;
        }

        var = key[i].value;
        var->flags |= NGX_HTTP_VAR_NOCACHEABLE;

        /* nginx makes the table anew for each cycle */

        ngx_http_certauth_next_remote_user = var->get_handler;
        var->get_handler = ngx_http_certauth_remote_user;
    }

    if (ngx_http_certauth_next_remote_user == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "certauth: nginx has no variable \"remote_user\"");
        return NGX_ERROR;
    }

    for (i = 0; i <= NGX_CERTAUTH_NVARIABLES; i++) {

        name.data = buf;
        name.len = (i < NGX_CERTAUTH_NVARIABLES
                    ? ngx_snprintf(buf, sizeof(buf), "certauth_%s",
                                   ngx_http_certauth_names[i])
                    : ngx_snprintf(buf, sizeof(buf), "remote_user"))
                   - buf;

        ngx_http_certauth_indexes[i] = ngx_http_get_variable_index(cf, &name);

        if (ngx_http_certauth_indexes[i] == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* The access log takes what is cached, however old. */

void
ngx_http_certauth_forget(ngx_http_request_t *r)
{
    ngx_uint_t                  i;
    ngx_http_variable_value_t  *v;

    for (i = 0; i <= NGX_CERTAUTH_NVARIABLES; i++) {
        v = &r->variables[ngx_http_certauth_indexes[i]];
        v->valid = 0;
        v->not_found = 0;
    }
}


static ngx_int_t
ngx_http_certauth_set(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    const char *text)
{
    size_t  len;

    len = text ? ngx_strlen(text) : 0;

    if (len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    /* a copy: the verdict may be replaced before the request is over */

    v->data = ngx_pnalloc(r->pool, len);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(v->data, text, len);

    v->len = len;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_certauth_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    char                     *field;
    u_char                    buf[NGX_INT64_LEN + 1];
    ngx_int_t                 rc;
    ngx_http_certauth_ctx_t  *ctx;

    ctx = ngx_http_certauth_judged(r);

    if (ctx != NULL && data == NGX_CERTAUTH_WAITED) {
        ngx_sprintf(buf, "%M%Z", ctx->waited);
        return ngx_http_certauth_set(r, v, (char *) buf);
    }

    if (ctx == NULL) {
        /* no profile here: nobody was judged */
        return ngx_http_certauth_set(r, v, data == 0 ? "none" : NULL);
    }

    if (data == NGX_CERTAUTH_CERT || data == NGX_CERTAUTH_CHAIN) {
        field = ctx->refused ? NULL
                             : certauth_verdict_forward(ctx->verdict,
                                                  data == NGX_CERTAUTH_CHAIN);
        rc = ngx_http_certauth_set(r, v, field);
        free(field);
        return rc;
    }

    return ngx_http_certauth_set(r, v,
                 certauth_verdict_get(ctx->verdict,
                                      ngx_http_certauth_names[data]));
}


static ngx_int_t
ngx_http_certauth_remote_user(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    const char                    *user;
    ngx_http_certauth_ctx_t       *ctx;

    ctx = ngx_http_certauth_judged(r);

    if (ctx == NULL) {
        return ngx_http_certauth_next_remote_user(r, v, data);
    }

    user = certauth_verdict_user(ctx->verdict);

    if (user[0] == '\0' && ctx->basic && !ctx->refused) {

        v->data = r->main->headers_in.user.data;
        v->len = r->main->headers_in.user.len;
        v->valid = 1;
        v->no_cacheable = 1;
        v->not_found = 0;

        return NGX_OK;
    }

    return ngx_http_certauth_set(r, v, user);
}
