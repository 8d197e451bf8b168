/*
 * ngx_http_certauth_account.c - as which of the certificate's accounts?
 *
 * Asks the core with the name that the configuration takes from the request. Who
 * may be who is in the policy's maps: no name from outside makes anybody else.
 */

#include "ngx_certauth.h"


/* What is made of the answer cannot be part of the question. */

char *
ngx_http_certauth_account(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_certauth_loc_conf_t *lcf = conf;

    ngx_str_t                         *value;
    ngx_http_compile_complex_value_t   ccv;

    if (lcf->account_own) {
        return "is duplicate";
    }

    value = cf->args->elts;
    lcf->account_own = 1;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_strstr(value[1].data, "$certauth_")
        || ngx_strstr(value[1].data, "${certauth_")
        || ngx_strstr(value[1].data, "remote_user"))
    {
        return "cannot ask for what the certificate says";
    }

    lcf->account = ngx_pcalloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (lcf->account == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[1];
    ccv.complex_value = lcf->account;

    return ngx_http_compile_complex_value(&ccv) == NGX_OK ? NGX_CONF_OK
                                                         : NGX_CONF_ERROR;
}


/* Takes the verdict, gives one; NULL is a refusal. */

struct certauth_verdict *
ngx_http_certauth_as(ngx_http_request_t *r, ngx_http_certauth_loc_conf_t *lcf,
    struct certauth_verdict *verdict)
{
    ngx_str_t                 name;
    ngx_http_certauth_ctx_t  *ctx;
    struct certauth_verdict  *as;

    if (lcf->account == NULL
        || certauth_verdict_decision(verdict) != CERTAUTH_ACCEPT)
    {
        return verdict;
    }

    ctx = ngx_http_certauth_get_ctx(r->main, 1);

    /* a map of a variable of ours would ask in a circle */

    if (ctx == NULL || ctx->choosing) {
        certauth_verdict_free(verdict);
        return certauth_refuse(lcf->profile->profile, CERTAUTH_INTERNAL,
                               "certauth_account depends on its own answer");
    }

    ctx->choosing = 1;
    ngx_str_null(&name);

    if (ngx_http_complex_value(r, lcf->account, &name) == NGX_OK) {
        as = certauth_verdict_as(verdict, (char *) name.data, name.len);

    } else {
        as = certauth_refuse(lcf->profile->profile, CERTAUTH_INTERNAL,
                             "certauth_account has no value");
    }

    ctx->choosing = 0;
    certauth_verdict_free(verdict);

    return as;
}
