/*
 * ngx_http_certauth_require.c - what does this location ask for besides an
 * accepted certificate?
 *
 * Compares words of an accepted verdict with words of the configuration. An
 * optional profile is none where something is required.
 */

#include "ngx_certauth.h"


typedef struct {
    ngx_uint_t                        kind;
    char                             *value;
} ngx_http_certauth_word_t;


typedef struct {
    ngx_str_t                         text;     /* for the log */
    ngx_array_t                       words;    /* ngx_http_certauth_word_t */
} ngx_http_certauth_require_t;


static const struct {
    ngx_str_t                         name;     /* as it is written */
    const char                       *attribute;
} ngx_http_certauth_kinds[] = {
    { ngx_string("policy="), "policies" },
    { ngx_string("group="), "groups" },
    { ngx_string("authority="), "authority" }
};

#define NGX_CERTAUTH_NKINDS                                                   \
    (sizeof(ngx_http_certauth_kinds) / sizeof(ngx_http_certauth_kinds[0]))


static char *
ngx_http_certauth_require_word(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_certauth_word_t *word)
{
    ngx_uint_t   k;
    ngx_str_t   *name;

    for (k = 0; k < NGX_CERTAUTH_NKINDS; k++) {

        name = (ngx_str_t *) &ngx_http_certauth_kinds[k].name;

        if (value->len < name->len
            || ngx_strncmp(value->data, name->data, name->len) != 0)
        {
            continue;
        }

        word->kind = k;
        word->value = (char *) value->data + name->len;

        if (value->len == name->len
            || ngx_strlchr(value->data, value->data + value->len, ',') != NULL
            || ngx_strlen(value->data) != value->len)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "certauth: one name expected in \"%V\"; of "
                               "several parameters of a kind one must hold",
                               value);
            return NGX_CONF_ERROR;
        }

        if (ngx_strchr(value->data, '$') != NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "certauth: no variables expected in \"%V\"",
                               value);
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "certauth: \"%V\" found, \"policy=OID\", "
                       "\"group=NAME\" or \"authority=NAME\" expected", value);
    return NGX_CONF_ERROR;
}


/* Each line must hold: of each kind that it names, one of the names. */

char *
ngx_http_certauth_require(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_certauth_loc_conf_t *lcf = conf;

    u_char                       *p;
    size_t                        len;
    ngx_str_t                    *value;
    ngx_uint_t                    i;
    ngx_http_certauth_word_t     *word;
    ngx_http_certauth_require_t  *require;

    value = cf->args->elts;

    if (!lcf->requires_own) {
        lcf->requires = ngx_array_create(cf->pool, 1,
                                         sizeof(ngx_http_certauth_require_t));
        if (lcf->requires == NULL) {
            return NGX_CONF_ERROR;
        }

        lcf->requires_own = 1;
    }

    require = ngx_array_push(lcf->requires);
    if (require == NULL
        || ngx_array_init(&require->words, cf->pool, cf->args->nelts - 1,
                          sizeof(ngx_http_certauth_word_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    len = 0;

    for (i = 1; i < cf->args->nelts; i++) {

        word = ngx_array_push(&require->words);

        if (word == NULL
            || ngx_http_certauth_require_word(cf, &value[i], word)
               != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }

        len += value[i].len + 1;
    }

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    require->text.data = p;

    for (i = 1; i < cf->args->nelts; i++) {
        p = ngx_cpymem(p, value[i].data, value[i].len);
        *p++ = ' ';
    }

    require->text.len = len - 1;

    return NGX_CONF_OK;
}


/* Inherited where a level has none of its own, as nginx does with lists. */

void
ngx_http_certauth_merge_require(ngx_http_certauth_loc_conf_t *prev,
    ngx_http_certauth_loc_conf_t *conf)
{
    if (!conf->requires_own) {
        conf->requires = prev->requires;
    }

    conf->mode = conf->written;

    if (conf->requires && conf->mode == NGX_CERTAUTH_OPTIONAL) {
        /* without a certificate nothing that is required is there */
        conf->mode = NGX_CERTAUTH_REQUIRED;
    }
}


static ngx_uint_t
ngx_http_certauth_holds(ngx_http_certauth_require_t *require,
    struct certauth_verdict *verdict)
{
    ngx_uint_t                 i, k, named, has;
    ngx_http_certauth_word_t  *word;

    word = require->words.elts;

    for (k = 0; k < NGX_CERTAUTH_NKINDS; k++) {

        named = 0;
        has = 0;

        for (i = 0; i < require->words.nelts; i++) {

            if (word[i].kind != k) {
                continue;
            }

            named = 1;
            has |= certauth_verdict_has(verdict,
                                        ngx_http_certauth_kinds[k].attribute,
                                        word[i].value);
        }

        if (named && !has) {
            return 0;
        }
    }

    return 1;
}


struct certauth_verdict *
ngx_http_certauth_required(ngx_http_certauth_loc_conf_t *lcf,
    struct certauth_verdict *verdict)
{
    ngx_uint_t                    i;
    struct certauth_verdict      *refused;
    ngx_http_certauth_require_t  *require;
    u_char                        detail[512];

    if (lcf->requires == NULL
        || certauth_verdict_decision(verdict) != CERTAUTH_ACCEPT)
    {
        return verdict;
    }

    require = lcf->requires->elts;

    for (i = 0; i < lcf->requires->nelts; i++) {

        if (ngx_http_certauth_holds(&require[i], verdict)) {
            continue;
        }

        *ngx_snprintf(detail, sizeof(detail) - 1, "user %s, groups [%s], "
                      "policies [%s], authority %s; required: %V",
                      certauth_verdict_user(verdict),
                      certauth_verdict_get(verdict, "groups"),
                      certauth_verdict_get(verdict, "policies"),
                      certauth_verdict_get(verdict, "authority"),
                      &require[i].text)
                     = '\0';

        refused = certauth_verdict_not_permitted(verdict, (char *) detail);
        certauth_verdict_free(verdict);

        return refused;
    }

    return verdict;
}
