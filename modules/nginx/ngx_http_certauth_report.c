/*
 * ngx_http_certauth_report.c - what would another profile have said?
 *
 * "certauth_report PROFILE" judges each connection a second time and writes a line
 * when the answers differ. It changes nothing: no status, no variable, no wait.
 */

#include "ngx_certauth.h"


/* what was said of a connection last; a cleanup of its pool, to be found again */
typedef struct {
    const struct certauth_profile  *profile;
    enum certauth_reason            reason;
    enum certauth_reason            real;
} ngx_http_certauth_reported_t;


static void ngx_http_certauth_reported_cleanup(void *data);
static ngx_uint_t ngx_http_certauth_reported(ngx_connection_t *c,
    const struct certauth_profile *profile, enum certauth_reason reason,
    enum certauth_reason real);


ngx_int_t
ngx_http_certauth_report_init(ngx_conf_t *cf,
    ngx_http_certauth_main_conf_t *mcf, ngx_http_certauth_loc_conf_t *lcf)
{
    ngx_http_certauth_loc_conf_t  asked;

    if (ngx_strcmp(lcf->report.data, "off") == 0) {
        return NGX_OK;
    }

    asked = *lcf;
    asked.name = lcf->report;

    lcf->report_profile = ngx_certauth_profile(cf, mcf, &asked);

    return lcf->report_profile ? NGX_OK : NGX_ERROR;
}


void
ngx_http_certauth_report(ngx_http_request_t *r,
    ngx_http_certauth_loc_conf_t *lcf, struct certauth_verdict *verdict)
{
    SSL                           *ssl;
    char                          *line;
    u_char                         client[NGX_SOCKADDR_STRLEN + 1];
    ngx_uint_t                     same;
    struct certauth_event          event;
    struct certauth_request        request;
    struct certauth_verdict       *other;
    ngx_http_certauth_srv_conf_t  *scf;

    if (lcf->report_profile == NULL || r->connection->ssl == NULL) {
        return;
    }

    scf = ngx_http_get_module_srv_conf(r, ngx_http_certauth_module);
    ssl = r->connection->ssl->connection;

    ngx_memzero(&request, sizeof(struct certauth_request));
    request.profile = lcf->report_profile->profile;
    request.leaf = SSL_get0_peer_certificate(ssl);
    request.sent = SSL_get_peer_cert_chain(ssl);
    request.service = "http";

    if (request.leaf == NULL) {
        /* both profiles say the same of nobody */
        return;
    }

    other = certauth_verify(scf->main->engine, &request);

    if (certauth_verdict_decision(other) == CERTAUTH_UNDECIDED) {
        /* the refresher is asked for the profile in force alone */
        certauth_verdict_free(other);
        return;
    }

    /* the same account is asked for */
    other = ngx_http_certauth_as(r, lcf, other);

    same = certauth_verdict_reason(other) == certauth_verdict_reason(verdict)
           && ngx_strcmp(certauth_verdict_user(other),
                         certauth_verdict_user(verdict))
              == 0;

    if (!same
        && ngx_http_certauth_reported(r->connection, request.profile,
                                      certauth_verdict_reason(other),
                                      certauth_verdict_reason(verdict)))
    {
        ngx_certauth_event(&event, r->connection, client, 0);

        line = certauth_decision_report(scf->main->engine, other, verdict,
                                        &event, 0);

        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0, "certauth: %s",
                      line ? line : "report: out of memory");
        free(line);
    }

    certauth_verdict_free(other);
}


/* One line for a connection and answer, not one for each request. */

static ngx_uint_t
ngx_http_certauth_reported(ngx_connection_t *c,
    const struct certauth_profile *profile, enum certauth_reason reason,
    enum certauth_reason real)
{
    ngx_pool_cleanup_t            *cln;
    ngx_http_certauth_reported_t  *said;

    for (cln = c->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler != ngx_http_certauth_reported_cleanup) {
            continue;
        }

        said = cln->data;

        if (said->profile == profile) {

            if (said->reason == reason && said->real == real) {
                return 0;
            }

            said->reason = reason;
            said->real = real;

            return 1;
        }
    }

    cln = ngx_pool_cleanup_add(c->pool, sizeof(ngx_http_certauth_reported_t));
    if (cln == NULL) {
        return 1;
    }

    said = cln->data;
    said->profile = profile;
    said->reason = reason;
    said->real = real;

    cln->handler = ngx_http_certauth_reported_cleanup;

    return 1;
}


static void
ngx_http_certauth_reported_cleanup(void *data)
{
    /* the pool has it */
}
