/*
 * mod_certauth_headers.c - what may a client say in headers that applications
 * believe, and what would another profile have said?
 *
 * The first: nothing. Such headers are taken out of every request before anything
 * else sees it, on refused and on plain ones too. The second is for the log and
 * changes nothing. Judges nobody.
 */

#include "mod_certauth.h"

#include <http_protocol.h>
#include <http_request.h>
#include <apr_strings.h>

APLOG_USE_MODULE(certauth);

static void strip(apr_table_t *headers)
{
    const apr_array_header_t *all = apr_table_elts(headers);
    const apr_table_entry_t *entry = (const apr_table_entry_t *)all->elts;
    int i = 0;

    /* taking one out moves the others up */
    while (i < all->nelts) {
        if (entry[i].key != NULL
            && certauth_header_is_ours(entry[i].key, strlen(entry[i].key))) {
            apr_table_unset(headers, entry[i].key);
            i = 0;
        }
        else {
            i++;
        }
    }
}

static int post_read_request(request_rec *r)
{
    certauth_server_conf *sc = certauth_server_conf_of(r->server);

    if (r->main == NULL && r->prev == NULL && certauth_proc->uses->nelts > 0
        && sc->inbound != CERTAUTH_INBOUND_KEEP) {
        strip(r->headers_in);
    }
    return DECLINED;
}

/* Fetch Standard 3.2.2: a browser asks with OPTIONS, without credentials, whether
 * it may ask at all. It never sends a certificate with it. */
int certauth_is_preflight(request_rec *r)
{
    const char *origin = apr_table_get(r->headers_in, "Origin");
    const char *method = apr_table_get(r->headers_in,
                                       "Access-Control-Request-Method");
    const char *length = apr_table_get(r->headers_in, "Content-Length");

    return r->method_number == M_OPTIONS && origin != NULL && *origin != '\0'
           && method != NULL && *method != '\0'
           && (length == NULL || length[strspn(length, "0")] == '\0')
           && apr_table_get(r->headers_in, "Transfer-Encoding") == NULL;
}

void certauth_report(request_rec *r, const certauth_dir_conf *dc,
                     const struct certauth_verdict *v)
{
    certauth_conn *cc = certauth_conn_of(r->connection);
    struct certauth_verdict *other;
    enum certauth_reason reason;
    int use = dc->report;

    if (use < 0 || cc == NULL
        || certauth_verdict_reason(v) == CERTAUTH_NO_CERTIFICATE) {
        return;
    }
    /* the same account is asked for */
    other = certauth_account(r, dc, certauth_own(r, certauth_conn_verdict(cc,
                                                                          use)));
    reason = certauth_verdict_reason(other);
    if (certauth_verdict_decision(other) != CERTAUTH_UNDECIDED
        && (reason != certauth_verdict_reason(v)
            || strcmp(certauth_verdict_user(other),
                      certauth_verdict_user(v)) != 0)
        && certauth_conn_news(cc, use, reason)) {
        certauth_log_report(r, cc, other, v);
    }
}

void certauth_headers_register_hooks(void)
{
    ap_hook_post_read_request(post_read_request, NULL, NULL,
                              APR_HOOK_REALLY_FIRST);
}
