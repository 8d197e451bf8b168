/*
 * ngx_http_certauth_server.c - can this server be served as it is configured?
 *
 * Finds the profiles of a server and its locations and refuses, before nginx
 * starts or reloads, what would be weaker than it looks. Judges nobody.
 */

#include "ngx_certauth.h"


static ngx_int_t ngx_http_certauth_add_profile(
    ngx_http_certauth_srv_conf_t *scf, ngx_certauth_profile_t *profile);
static ngx_int_t ngx_http_certauth_nothing(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf);
static ngx_int_t ngx_http_certauth_digest(ngx_http_certauth_srv_conf_t *scf,
    ngx_conf_t *cf);
static int ngx_libc_cdecl ngx_http_certauth_cmp_profiles(const void *one,
    const void *two);
static ngx_int_t ngx_http_certauth_check_handshake(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf, ngx_http_certauth_srv_conf_t *scf);
static ngx_uint_t ngx_http_certauth_on_ssl_port(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf);


ngx_int_t
ngx_http_certauth_init_server(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf,
    ngx_http_certauth_main_conf_t *mcf)
{
    ngx_uint_t                      i;
    ngx_http_certauth_place_t      *place;
    ngx_http_certauth_loc_conf_t   *lcf;
    ngx_http_certauth_srv_conf_t   *scf;

    scf = cscf->ctx->srv_conf[ngx_http_certauth_module.ctx_index];
    scf->main = mcf;

    scf->host = ngx_pnalloc(cf->pool, cscf->server_name.len + 1);
    if (scf->host == NULL) {
        return NGX_ERROR;
    }

    /* a server without server_name has the machine's, which ends in no NUL */
    *ngx_cpymem(scf->host, cscf->server_name.data, cscf->server_name.len) = 0;

    place = scf->places.elts;

    for (i = 0; i < scf->places.nelts; i++) {

        lcf = place[i].lcf;
        /*
         * Then a refusal waits for the location: it may be open, or let a
         * password do, or have its own error pages.
         */

        if (lcf->mode != place[0].lcf->mode
            || lcf->name.len != place[0].lcf->name.len
            || (lcf->name.len
                && ngx_strncmp(lcf->name.data, place[0].lcf->name.data,
                               lcf->name.len)
                   != 0)
            || lcf->requires != place[0].lcf->requires
            || lcf->preflight != place[0].lcf->preflight
            || lcf->account != place[0].lcf->account
            || ngx_strcmp(lcf->report.data, place[0].lcf->report.data) != 0
            || place[i].clcf->satisfy != place[0].clcf->satisfy
            || place[i].clcf->error_pages != place[0].clcf->error_pages)
        {
            scf->mixed = 1;
        }

        if (lcf->mode == NGX_CERTAUTH_OFF) {

            if (i && lcf->requires_own) {
                return ngx_http_certauth_nothing(cf, cscf);
            }

            continue;
        }

        if (mcf->engine == NULL && ngx_certauth_open(cf, mcf) != NGX_OK) {
            return NGX_ERROR;
        }

        lcf->profile = ngx_certauth_profile(cf, mcf, lcf);

        if (lcf->profile == NULL
            || ngx_http_certauth_add_profile(scf, lcf->profile) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (ngx_http_certauth_report_init(cf, mcf, lcf) != NGX_OK) {
            return NGX_ERROR;
        }

        if (i == 0) {
            scf->own = 1;
        }
    }

    if (scf->profiles.nelts == 0) {
        return place[0].lcf->requires_own ? ngx_http_certauth_nothing(cf, cscf)
                                          : NGX_OK;
    }

    return ngx_http_certauth_digest(scf, cf);
}


static ngx_int_t
ngx_http_certauth_nothing(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf)
{
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "certauth: \"certauth_require\" where no profile is in force "
                  "would require nothing; give the place a \"certauth "
                  "PROFILE\" in the server in %s:%ui",
                  cscf->file_name, cscf->line);
    return NGX_ERROR;
}


static ngx_int_t
ngx_http_certauth_add_profile(ngx_http_certauth_srv_conf_t *scf,
    ngx_certauth_profile_t *profile)
{
    ngx_uint_t                i;
    ngx_certauth_profile_t  **known;

    known = scf->profiles.elts;

    for (i = 0; i < scf->profiles.nelts; i++) {
        if (known[i] == profile) {
            return NGX_OK;
        }
    }

    known = ngx_array_push(&scf->profiles);
    if (known == NULL) {
        return NGX_ERROR;
    }

    *known = profile;

    return NGX_OK;
}


/*
 * One digest for all that decides in this server, whatever the order: for the
 * session id context, and to see whether two virtual hosts ask the same.
 */

static ngx_int_t
ngx_http_certauth_digest(ngx_http_certauth_srv_conf_t *scf, ngx_conf_t *cf)
{
    u_char                   *all;
    size_t                    len;
    ngx_uint_t                i;
    ngx_certauth_profile_t  **profile;

    all = ngx_pnalloc(cf->pool, scf->profiles.nelts * NGX_CERTAUTH_DIGEST_LEN);
    if (all == NULL) {
        return NGX_ERROR;
    }

    profile = scf->profiles.elts;

    for (i = 0; i < scf->profiles.nelts; i++) {
        ngx_memcpy(all + i * NGX_CERTAUTH_DIGEST_LEN, profile[i]->digest,
                   NGX_CERTAUTH_DIGEST_LEN);
    }

    ngx_qsort(all, (size_t) i, NGX_CERTAUTH_DIGEST_LEN,
              ngx_http_certauth_cmp_profiles);

    if (EVP_Q_digest(NULL, "SHA256", NULL, all, i * NGX_CERTAUTH_DIGEST_LEN,
                     scf->digest, &len)
        != 1)
    {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "certauth: EVP_Q_digest() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static int ngx_libc_cdecl
ngx_http_certauth_cmp_profiles(const void *one, const void *two)
{
    return ngx_memcmp(one, two, NGX_CERTAUTH_DIGEST_LEN);
}


ngx_int_t
ngx_http_certauth_check_server(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf,
    ngx_http_certauth_srv_conf_t *scf)
{
    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    if (sscf->ssl.ctx == NULL) {

        if (ngx_http_certauth_on_ssl_port(cf, cscf)) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "certauth: the server in %s:%ui listens with \"ssl\" "
                          "and has no \"ssl_certificate\": its clients would "
                          "be asked by the default server; give it one",
                          cscf->file_name, cscf->line);
            return NGX_ERROR;
        }

        /* plain HTTP only: every request is refused with no-tls */
        return NGX_OK;
    }

    if (sscf->verify == 1 || sscf->verify == 2) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "certauth: \"ssl_verify_client %s\" cannot be beside "
                      "\"certauth\" in the server in %s:%ui; remove it with "
                      "ssl_client_certificate: certauth asks for a certificate "
                      "by itself%s", sscf->verify == 1 ? "on" : "optional",
                      cscf->file_name, cscf->line,
                      sscf->verify == 1 ? ""
                                        : ", and \"certauth PROFILE optional\" "
                                          "lets those without in");
        return NGX_ERROR;
    }

    if (sscf->builtin_session_cache == NGX_SSL_DFLT_BUILTIN_SCACHE
        || sscf->builtin_session_cache >= 0)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "certauth: \"ssl_session_cache builtin\" cannot be "
                      "looked into; use \"ssl_session_cache shared:NAME:SIZE\" "
                      "in the server in %s:%ui", cscf->file_name, cscf->line);
        return NGX_ERROR;
    }

    if (scf->refuse == NGX_CERTAUTH_HANDSHAKE
        && ngx_http_certauth_check_handshake(cf, cscf, scf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_certauth_ssl_server(cf, cscf, scf);
}


/* In the handshake no location is known: all must ask the same. */

static ngx_int_t
ngx_http_certauth_check_handshake(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf, ngx_http_certauth_srv_conf_t *scf)
{
    ngx_uint_t                      i;
    ngx_http_certauth_place_t      *place;
    ngx_http_certauth_loc_conf_t   *lcf;

    place = scf->places.elts;

    for (i = 0; i < scf->places.nelts; i++) {

        lcf = place[i].lcf;

        if (lcf->mode == NGX_CERTAUTH_REQUIRED
            && lcf->profile == place[0].lcf->profile)
        {
            continue;
        }

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "certauth: \"certauth_refuse handshake\" needs one "
                      "profile, required, in the whole server in %s:%ui, and "
                      "%s has %s%V; use \"certauth_refuse request\"",
                      cscf->file_name, cscf->line,
                      i ? "a location" : "the server itself",
                      lcf->mode == NGX_CERTAUTH_OFF ? "\"certauth off\"" :
                      lcf->mode == NGX_CERTAUTH_OPTIONAL ? "an optional " : "",
                      &lcf->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_certauth_on_ssl_port(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf)
{
    ngx_uint_t                   p, a, s;
    ngx_http_conf_addr_t        *addr;
    ngx_http_conf_port_t        *port;
    ngx_http_core_srv_conf_t   **cscfp;
    ngx_http_core_main_conf_t   *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (cmcf->ports == NULL) {
        return 0;
    }

    port = cmcf->ports->elts;

    for (p = 0; p < cmcf->ports->nelts; p++) {

        addr = port[p].addrs.elts;

        for (a = 0; a < port[p].addrs.nelts; a++) {

            if (!addr[a].opt.ssl) {
                continue;
            }

            cscfp = addr[a].servers.elts;

            for (s = 0; s < addr[a].servers.nelts; s++) {
                if (cscfp[s] == cscf) {
                    return 1;
                }
            }
        }
    }

    return 0;
}
