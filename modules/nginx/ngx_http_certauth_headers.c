/*
 * ngx_http_certauth_headers.c - what may a client say in headers that backends
 * believe?
 *
 * Nothing: names in which a proxy tells an application who somebody is are taken
 * out of every request before anything else sees it, on refused and on plain
 * ones too. Also knows what a CORS preflight is. Judges nobody.
 */

#include "ngx_certauth.h"


static ngx_int_t ngx_http_certauth_strip_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_certauth_remove_header(ngx_list_t *list,
    ngx_list_part_t *prev, ngx_list_part_t *part, ngx_uint_t i);


/* room in a list that has lost all it had */
#define NGX_CERTAUTH_HEADERS  4


ngx_int_t
ngx_http_certauth_headers_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_POST_READ_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_certauth_strip_handler;

    return NGX_OK;
}


static ngx_int_t
ngx_http_certauth_strip_handler(ngx_http_request_t *r)
{
    ngx_uint_t                     i;
    ngx_list_part_t               *part, *prev;
    ngx_table_elt_t               *h;
    ngx_http_certauth_srv_conf_t  *scf;

    scf = ngx_http_get_module_srv_conf(r, ngx_http_certauth_module);

    if (scf->inbound == NGX_CERTAUTH_KEEP) {
        return NGX_DECLINED;
    }

    prev = NULL;
    part = &r->headers_in.headers.part;
    i = 0;

    while (part != NULL) {

        h = part->elts;

        if (i >= part->nelts) {
            prev = part;
            part = part->next;
            i = 0;
            continue;
        }

        if (!certauth_header_is_ours((char *) h[i].key.data, h[i].key.len)) {
            i++;
            continue;
        }

        if (ngx_http_certauth_remove_header(&r->headers_in.headers, prev, part,
                                            i)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (part->nelts == 0 && prev != NULL) {
            part = prev->next;
        }
    }

    return NGX_DECLINED;
}


/*
 * The elements must stay where they are, as nginx keeps pointers to them: the
 * hole is at an end of its part, or the part becomes two. Nobody expects an empty
 * part, but for the first, nor one without room for a first element.
 */

static ngx_int_t
ngx_http_certauth_remove_header(ngx_list_t *list, ngx_list_part_t *prev,
    ngx_list_part_t *part, ngx_uint_t i)
{
    ngx_table_elt_t  *h;
    ngx_list_part_t  *rest;

    h = part->elts;

    if (i == 0) {

        part->elts = &h[1];
        part->nelts--;

        if (part == list->last) {
            list->nalloc--;
        }

    } else if (i + 1 == part->nelts) {

        part->nelts--;

        if (part == list->last) {
            /* nobody is to write where a pointer may lead */
            list->nalloc = part->nelts;
        }

    } else {

        rest = ngx_palloc(list->pool, sizeof(ngx_list_part_t));
        if (rest == NULL) {
            return NGX_ERROR;
        }

        rest->elts = &h[i + 1];
        rest->nelts = part->nelts - i - 1;
        rest->next = part->next;

        part->nelts = i;
        part->next = rest;

        if (part == list->last) {
            list->last = rest;
            list->nalloc -= i + 1;
        }
    }

    if (part->nelts == 0 && prev != NULL) {

        prev->next = part->next;

        if (part == list->last) {
            list->last = prev;
            list->nalloc = prev->nelts;
        }
    }

    if (list->nalloc == 0) {

        list->last->elts = ngx_palloc(list->pool,
                                      NGX_CERTAUTH_HEADERS * list->size);
        if (list->last->elts == NULL) {
            return NGX_ERROR;
        }

        list->nalloc = NGX_CERTAUTH_HEADERS;
    }

    return NGX_OK;
}


/*
 * Fetch Standard 3.2.2: a browser asks with OPTIONS, without credentials, whether
 * it may ask at all. It never sends a certificate with it.
 */

ngx_uint_t
ngx_http_certauth_is_preflight(ngx_http_request_t *r)
{
    ngx_uint_t        i, origin, method;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    if (r->method != NGX_HTTP_OPTIONS || r->headers_in.content_length_n > 0
        || r->headers_in.chunked)
    {
        return 0;
    }

    origin = 0;
    method = 0;
    part = &r->headers_in.headers.part;

    for ( ; part; part = part->next) {

        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len == sizeof("Origin") - 1
                && ngx_strncasecmp(h[i].key.data, (u_char *) "Origin",
                                   h[i].key.len)
                   == 0)
            {
                origin = h[i].value.len;
            }

            if (h[i].key.len == sizeof("Access-Control-Request-Method") - 1
                && ngx_strncasecmp(h[i].key.data,
                                   (u_char *) "Access-Control-Request-Method",
                                   h[i].key.len)
                   == 0)
            {
                method = h[i].value.len;
            }
        }
    }

    return origin && method;
}
