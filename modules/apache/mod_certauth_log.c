/*
 * mod_certauth_log.c - what stands in Apache's error log about a decision, and at
 * which level?
 *
 * The words are the core's, the place and the level are Apache's.
 */

#include "mod_certauth.h"

#include <stdlib.h>
#include <string.h>

APLOG_USE_MODULE(certauth);

/* All of it is borrowed. */
static void event_of(struct certauth_event *event, const conn_rec *c,
                     const certauth_conn *cc)
{
    memset(event, 0, sizeof(*event));
    event->server = "apache";
    event->service = "http";
    event->client = c->client_ip;
    if (cc != NULL) {
        event->host = SSL_get_servername(cc->ssl, TLSEXT_NAMETYPE_host_name);
        event->resumed = SSL_session_reused(cc->ssl) == 1;
    }
}

/* One line per connection, slot and change of verdict. */
void certauth_log_verdict(request_rec *r, int slot,
                          const struct certauth_verdict *v)
{
    certauth_conn *cc = certauth_conn_of(r->connection);
    enum certauth_reason reason = certauth_verdict_reason(v);
    const char *waited = apr_table_get(r->notes, CERTAUTH_NOTE_WAITED);
    struct certauth_event event;
    int level = APLOG_ERR;
    char *line;

    if (reason == CERTAUTH_OK || certauth_reason_anybody(reason)) {
        level = APLOG_INFO;
    }
    if (cc != NULL && !certauth_conn_news(cc, slot, reason)) {
        return;
    }
    event_of(&event, r->connection, cc);
    event.waited = waited != NULL ? (unsigned)strtoul(waited, NULL, 10) : 0;
    certauth_counters_add(certauth_proc->counters, certauth_proc->engine, v,
                          &event, 0);
    if (!APLOG_R_IS_LEVEL(r, level)) {
        return;
    }
    line = certauth_decision(certauth_proc->engine, v, &event, 0);
    if (line != NULL) {
        ap_log_rerror(APLOG_MARK, level, 0, r, "certauth: %s", line);
    }
    free(line);
}

void certauth_log_handshake(const certauth_conn *cc,
                            const struct certauth_verdict *v)
{
    struct certauth_event event;
    char *line;

    event_of(&event, cc->c, cc);
    certauth_counters_add(certauth_proc->counters, certauth_proc->engine, v,
                          &event, 0);
    line = certauth_decision(certauth_proc->engine, v, &event, 0);
    if (line != NULL) {
        ap_log_cerror(APLOG_MARK, APLOG_ERR, 0, cc->c,
                      "certauth: %s (in the handshake)", line);
    }
    free(line);
}

void certauth_log_report(request_rec *r, const certauth_conn *cc,
                         const struct certauth_verdict *other,
                         const struct certauth_verdict *v)
{
    struct certauth_event event;
    char *line;

    event_of(&event, r->connection, cc);
    line = certauth_decision_report(certauth_proc->engine, other, v, &event, 0);
    ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r, "certauth: %s",
                  line != NULL ? line : "report: out of memory");
    free(line);
}

/* What was too much of one kind; each child counts by itself. */
void certauth_log_rest(server_rec *s)
{
    char *line;

    while ((line = certauth_decision_rest(certauth_proc->engine, 0)) != NULL) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "certauth: %s", line);
        free(line);
    }
}
