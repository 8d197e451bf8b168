/*
 * ngx_http_certauth_module.c - which profile holds where?
 *
 * The directives and how they are merged; ngx_http_certauth_server.c checks the
 * result. Judges nobody.
 */

#include "ngx_certauth.h"


static ngx_int_t ngx_http_certauth_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_certauth_init_process(ngx_cycle_t *cycle);
static void ngx_http_certauth_exit_process(ngx_cycle_t *cycle);

static void *ngx_http_certauth_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_certauth_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_certauth_create_srv_conf(ngx_conf_t *cf);
static char *ngx_http_certauth_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);
static void *ngx_http_certauth_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_certauth_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_certauth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_certauth_names(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_conf_enum_t  ngx_http_certauth_refuse[] = {
    { ngx_string("request"), NGX_CERTAUTH_REQUEST },
    { ngx_string("handshake"), NGX_CERTAUTH_HANDSHAKE },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_certauth_inbound[] = {
    { ngx_string("strip"), NGX_CERTAUTH_STRIP },
    { ngx_string("keep"), NGX_CERTAUTH_KEEP },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_certauth_preflight[] = {
    { ngx_string("refuse"), 0 },
    { ngx_string("allow"), 1 },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_certauth_commands[] = {

    { ngx_string("certauth_config"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_certauth_main_conf_t, path),
      NULL },

    { ngx_string("certauth"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_certauth,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("certauth_require"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_certauth_require,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("certauth_account"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_certauth_account,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("certauth_refuse"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_http_certauth_srv_conf_t, refuse),
      &ngx_http_certauth_refuse },

    { ngx_string("certauth_report"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_certauth_loc_conf_t, report),
      NULL },

    { ngx_string("certauth_preflight"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_certauth_loc_conf_t, preflight),
      &ngx_http_certauth_preflight },

    { ngx_string("certauth_inbound"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_http_certauth_srv_conf_t, inbound),
      &ngx_http_certauth_inbound },

    { ngx_string("certauth_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_certauth_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("certauth_names"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_http_certauth_names,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_certauth_module_ctx = {
    ngx_http_certauth_add_variables,       /* preconfiguration */
    ngx_http_certauth_init,                /* postconfiguration */

    ngx_http_certauth_create_main_conf,    /* create main configuration */
    ngx_http_certauth_init_main_conf,      /* init main configuration */

    ngx_http_certauth_create_srv_conf,     /* create server configuration */
    ngx_http_certauth_merge_srv_conf,      /* merge server configuration */

    ngx_http_certauth_create_loc_conf,     /* create location configuration */
    ngx_http_certauth_merge_loc_conf       /* merge location configuration */
};


ngx_module_t  ngx_http_certauth_module = {
    NGX_MODULE_V1,
    &ngx_http_certauth_module_ctx,         /* module context */
    ngx_http_certauth_commands,            /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_certauth_init_process,        /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_certauth_exit_process,        /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* All merges are done: reach every server, its locations and its SSL_CTX. */

static ngx_int_t
ngx_http_certauth_init(ngx_conf_t *cf)
{
    ngx_uint_t                       s;
    ngx_http_core_srv_conf_t       **cscfp;
    ngx_http_core_main_conf_t       *cmcf;
    ngx_http_certauth_srv_conf_t    *scf;
    ngx_http_certauth_main_conf_t   *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_certauth_module);
    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    cscfp = cmcf->servers.elts;

    for (s = 0; s < cmcf->servers.nelts; s++) {
        if (ngx_http_certauth_init_server(cf, cscfp[s], mcf) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_certauth_status_init(cf, mcf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (mcf->engine == NULL) {
        /* loaded, and not used */
        return NGX_OK;
    }

    if (ngx_certauth_index_init(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    for (s = 0; s < cmcf->servers.nelts; s++) {

        scf = cscfp[s]->ctx->srv_conf[ngx_http_certauth_module.ctx_index];

        if (scf->profiles.nelts
            && ngx_http_certauth_check_server(cf, cscfp[s], scf) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (ngx_certauth_ssl_sessions(cf, cscfp[s], scf) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_certauth_variables_init(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_certauth_headers_init(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_certauth_gate_init(cf);
}


static ngx_int_t
ngx_http_certauth_init_process(ngx_cycle_t *cycle)
{
    ngx_http_certauth_main_conf_t  *mcf;

    /* not the cache manager */

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE) {
        return NGX_OK;
    }

    if (ngx_get_conf(cycle->conf_ctx, ngx_http_module) == NULL) {
        return NGX_OK;
    }

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_certauth_module);

    if (mcf == NULL || mcf->engine == NULL) {
        return NGX_OK;
    }

    return ngx_certauth_start_poll(cycle, mcf);
}


static void
ngx_http_certauth_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_certauth_main_conf_t  *mcf;

    if (ngx_get_conf(cycle->conf_ctx, ngx_http_module) == NULL) {
        return;
    }

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_certauth_module);

    if (mcf != NULL) {
        ngx_certauth_ask_exit(mcf);
    }
}


static void *
ngx_http_certauth_create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_certauth_main_conf_t));
}


static char *
ngx_http_certauth_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_certauth_main_conf_t  *mcf = conf;

    if (mcf->path.data == NULL) {
        ngx_str_set(&mcf->path, "/etc/certauth/certauth.conf");
    }

    return NGX_CONF_OK;
}


static void *
ngx_http_certauth_create_srv_conf(ngx_conf_t *cf)
{
    ngx_http_certauth_srv_conf_t  *scf;

    scf = ngx_pcalloc(cf->pool, sizeof(ngx_http_certauth_srv_conf_t));
    if (scf == NULL) {
        return NULL;
    }

    scf->refuse = NGX_CONF_UNSET_UINT;
    scf->inbound = NGX_CONF_UNSET_UINT;

    if (ngx_array_init(&scf->places, cf->pool, 4,
                       sizeof(ngx_http_certauth_place_t))
        != NGX_OK
        || ngx_array_init(&scf->profiles, cf->pool, 2,
                          sizeof(ngx_certauth_profile_t *))
           != NGX_OK)
    {
        return NULL;
    }

    return scf;
}


static char *
ngx_http_certauth_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_certauth_srv_conf_t *prev = parent;
    ngx_http_certauth_srv_conf_t *conf = child;

    ngx_conf_merge_uint_value(conf->refuse, prev->refuse,
                              NGX_CERTAUTH_REQUEST);
    ngx_conf_merge_uint_value(conf->inbound, prev->inbound,
                              NGX_CERTAUTH_STRIP);
    ngx_conf_merge_str_value(conf->names, prev->names, "issuers");

    return NGX_CONF_OK;
}


static void *
ngx_http_certauth_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_certauth_loc_conf_t  *lcf;

    lcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_certauth_loc_conf_t));
    if (lcf == NULL) {
        return NULL;
    }

    lcf->written = NGX_CONF_UNSET_UINT;
    lcf->preflight = NGX_CONF_UNSET_UINT;

    return lcf;
}


static char *
ngx_http_certauth_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_certauth_loc_conf_t *prev = parent;
    ngx_http_certauth_loc_conf_t *conf = child;

    ngx_http_certauth_place_t     *place;
    ngx_http_certauth_srv_conf_t  *scf;

    if (conf->written == NGX_CONF_UNSET_UINT) {

        if (prev->written == NGX_CONF_UNSET_UINT) {
            prev->written = NGX_CERTAUTH_OFF;
        }

        conf->written = prev->written;
        conf->name = prev->name;
        conf->file = prev->file;
        conf->line = prev->line;
    }

    ngx_http_certauth_merge_require(prev, conf);

    if (!conf->account_own) {
        conf->account = prev->account;
    }

    ngx_conf_merge_str_value(conf->report, prev->report, "off");
    ngx_conf_merge_uint_value(conf->preflight, prev->preflight, 0);

    /* merged server by server, each server's own configuration first */

    scf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_certauth_module);

    place = ngx_array_push(&scf->places);
    if (place == NULL) {
        return NGX_CONF_ERROR;
    }

    place->lcf = conf;
    place->clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    return NGX_CONF_OK;
}


static char *
ngx_http_certauth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_certauth_loc_conf_t *lcf = conf;

    ngx_str_t  *value;

    if (lcf->written != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    lcf->file = cf->conf_file->file.name.data;
    lcf->line = cf->conf_file->line;

    if (value[1].len == 0) {
        return "needs the name of a profile, or \"off\"";
    }

    if (ngx_strcmp(value[1].data, "off") == 0) {

        if (cf->args->nelts == 3) {
            return "off takes no further word";
        }

        lcf->written = NGX_CERTAUTH_OFF;
        return NGX_CONF_OK;
    }

    lcf->name = value[1];
    lcf->written = NGX_CERTAUTH_REQUIRED;

    if (cf->args->nelts == 3) {

        if (ngx_strcmp(value[2].data, "optional") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "certauth: \"%V\" found, \"optional\" or "
                               "nothing expected", &value[2]);
            return NGX_CONF_ERROR;
        }

        lcf->written = NGX_CERTAUTH_OPTIONAL;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_certauth_names(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_certauth_srv_conf_t *scf = conf;

    ngx_str_t  *value;

    if (scf->names.data != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;
    scf->names = value[1];

    if (ngx_strcmp(scf->names.data, "issuers") == 0
        || ngx_strcmp(scf->names.data, "anchors") == 0
        || ngx_strcmp(scf->names.data, "none") == 0)
    {
        return NGX_CONF_OK;
    }

    if (ngx_conf_full_name(cf->cycle, &scf->names, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
