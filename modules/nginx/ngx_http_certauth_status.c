/*
 * ngx_http_certauth_status.c - how often was what decided, in all workers?
 *
 * A shared zone in which every worker counts, and "certauth_status", the location
 * that prints it. The zone goes on over a reload. The words are the core's; who may
 * read them is up to the location's allow and deny.
 */

#include "ngx_certauth.h"


/* what a slab pool needs for itself, with room to spare */
#define NGX_CERTAUTH_ZONE_PAGES     8


static ngx_int_t ngx_http_certauth_init_zone(ngx_shm_zone_t *zone, void *data);
static ngx_int_t ngx_http_certauth_status_handler(ngx_http_request_t *r);


char *
ngx_http_certauth_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t       *clcf;
    ngx_http_certauth_main_conf_t  *mcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_certauth_status_handler;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_certauth_module);
    mcf->status = 1;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_certauth_status_init(ngx_conf_t *cf,
    ngx_http_certauth_main_conf_t *mcf)
{
    size_t           size;
    u_char          *p;
    ngx_str_t        name;
    ngx_shm_zone_t  *zone;

    if (mcf->engine == NULL && !mcf->status) {
        return NGX_OK;
    }

    size = ngx_align(certauth_counters_size(), ngx_pagesize)
           + NGX_CERTAUTH_ZONE_PAGES * ngx_pagesize;

    /*
     * Old workers go on with the old zone when a newer module counts more: by
     * its name it is another one.
     */

    name.data = ngx_pnalloc(cf->pool, sizeof("certauth_status:") + NGX_SIZE_T_LEN);
    if (name.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(name.data, "certauth_status:%uz", certauth_counters_size());
    name.len = p - name.data;

    zone = ngx_shared_memory_add(cf, &name, size, &ngx_http_certauth_module);
    if (zone == NULL) {
        return NGX_ERROR;
    }

    zone->init = ngx_http_certauth_init_zone;
    zone->data = mcf;

    return NGX_OK;
}


/* `data` is of the cycle before, NULL when there is none */

static ngx_int_t
ngx_http_certauth_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t                *pool;
    ngx_http_certauth_main_conf_t  *mcf;

    mcf = zone->data;
    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (data == NULL) {
        pool->data = ngx_slab_calloc(pool, certauth_counters_size());

        if (pool->data == NULL) {
            return NGX_ERROR;
        }
    }

    mcf->counters = certauth_counters_open(pool->data, mcf->engine);

    if (mcf->counters == NULL) {
        ngx_log_error(NGX_LOG_WARN, zone->shm.log, 0,
                      "certauth: nothing is counted for certauth_status until "
                      "nginx is restarted: the counters are of another module");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_certauth_status_handler(ngx_http_request_t *r)
{
    char                           *text;
    size_t                          len;
    ngx_int_t                       rc;
    ngx_buf_t                      *b;
    ngx_str_t                       format;
    ngx_uint_t                      json;
    ngx_chain_t                     out;
    ngx_http_certauth_main_conf_t  *mcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    mcf = ngx_http_get_module_main_conf(r, ngx_http_certauth_module);

    if (mcf->counters == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    json = ngx_http_arg(r, (u_char *) "format", 6, &format) == NGX_OK
           && format.len == 4 && ngx_strncmp(format.data, "json", 4) == 0;

    text = json ? certauth_counters_json(mcf->counters, "nginx")
                : certauth_counters_text(mcf->counters, "nginx");

    if (text == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    len = ngx_strlen(text);

    b = ngx_create_temp_buf(r->pool, len);

    if (b != NULL) {
        b->last = ngx_cpymem(b->last, text, len);
    }

    free(text);

    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (json) {
        ngx_str_set(&r->headers_out.content_type, "application/json");

    } else {
        ngx_str_set(&r->headers_out.content_type, CERTAUTH_METRICS_TYPE);
    }

    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
