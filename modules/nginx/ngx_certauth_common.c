/*
 * ngx_certauth_common.c - what does the engine say about this connection?
 *
 * One engine per cycle, opened in the master; a timer in each worker takes up
 * new data; the verdicts of a connection are kept with it, one per profile.
 * Refuses nobody: that is the gate's and the handshake's part.
 */

#include "ngx_certauth.h"


#define NGX_CERTAUTH_POLL           1000
/* A note that comes back at once must not hold up the worker. */
#define NGX_CERTAUTH_MAX_NOTES      256


typedef struct {
    ngx_certauth_profile_t           *profile;
    X509                             *leaf;     /* whom the verdict is about */
    struct certauth_verdict          *verdict;
    ngx_certauth_wait_t              *wait;     /* NULL: nobody waits */
    enum certauth_reason              logged;
    /* a place asked for more than the profile: said once for its answer */
    ngx_uint_t                        narrowed;
} ngx_certauth_answer_t;


typedef struct {
    ngx_array_t                       answers;  /* ngx_certauth_answer_t */
} ngx_certauth_connection_t;


static void ngx_certauth_close(void *data);
static void ngx_certauth_poll_handler(ngx_event_t *ev);
static void ngx_certauth_log_rest(ngx_http_certauth_main_conf_t *mcf);
static void ngx_certauth_take_notes(ngx_http_certauth_main_conf_t *mcf,
    ngx_log_t *log, ngx_uint_t quiet);
static struct certauth_verdict *ngx_certauth_question(
    ngx_http_certauth_srv_conf_t *scf, ngx_certauth_profile_t *profile,
    X509 *leaf, STACK_OF(X509) *sent);
static ngx_certauth_answer_t *ngx_certauth_answer(ngx_connection_t *c,
    ngx_certauth_profile_t *profile);
static void ngx_certauth_connection_cleanup(void *data);


/*
 * No free function: it would be left in libcrypto's table when nginx unloads
 * this module at a reload with a newer file. The connection's pool frees.
 */
static int  ngx_certauth_index = -1;


ngx_int_t
ngx_certauth_index_init(ngx_conf_t *cf)
{
    if (ngx_certauth_index != -1) {
        return NGX_OK;
    }

    ngx_certauth_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);

    if (ngx_certauth_index == -1) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "certauth: SSL_get_ex_new_index() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_certauth_open(ngx_conf_t *cf, ngx_http_certauth_main_conf_t *mcf)
{
    ngx_pool_cleanup_t     *cln;
    struct certauth_error   error;

    if (ngx_conf_full_name(cf->cycle, &mcf->path, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_array_init(&mcf->profiles, cf->pool, 4,
                       sizeof(ngx_certauth_profile_t *))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_certauth_close;
    cln->data = mcf;

    ngx_memzero(&error, sizeof(struct certauth_error));

    mcf->engine = certauth_open((char *) mcf->path.data, &error);

    if (mcf->engine == NULL) {

        if (error.line) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "certauth: %s:%ud: %s",
                          error.file, error.line, error.text);

        } else {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "certauth: %s: %s",
                          error.file[0] ? error.file
                                        : (char *) mcf->path.data,
                          error.text);
        }

        return NGX_ERROR;
    }

    if (certauth_is_test_build()) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "certauth: this is a build for tests, whose clock can "
                      "be set from a file; never use it on a real server");
    }

    ngx_certauth_take_notes(mcf, cf->log, 0);

    return NGX_OK;
}


static void
ngx_certauth_close(void *data)
{
    ngx_http_certauth_main_conf_t  *mcf = data;

    /* without a master process the timer runs in the process that reloads */

    if (mcf->poll.timer_set) {
        ngx_del_timer(&mcf->poll);
    }

    certauth_free(mcf->engine);
    mcf->engine = NULL;
}


ngx_certauth_profile_t *
ngx_certauth_profile(ngx_conf_t *cf, ngx_http_certauth_main_conf_t *mcf,
    ngx_http_certauth_loc_conf_t *lcf)
{
    u_char                         *p, *last;
    size_t                          i;
    ngx_uint_t                      n;
    ngx_certauth_profile_t         *profile, **profilep;
    const struct certauth_profile  *found;
    u_char                          known[512];

    found = certauth_profile_find(mcf->engine, (char *) lcf->name.data);

    if (found == NULL) {
        p = known;
        last = known + sizeof(known);

        for (i = 0; certauth_profile_at(mcf->engine, i) != NULL; i++) {
            p = ngx_slprintf(p, last, "%s%s", i ? ", " : "",
                     certauth_profile_name(certauth_profile_at(mcf->engine, i)));
        }

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "certauth: no profile \"%V\" in %s in %s:%ui; "
                      "it has: %*s", &lcf->name, mcf->path.data,
                      lcf->file, lcf->line, (size_t) (p - known), known);
        return NULL;
    }

    profilep = mcf->profiles.elts;

    for (n = 0; n < mcf->profiles.nelts; n++) {
        if (profilep[n]->profile == found) {
            return profilep[n];
        }
    }

    profile = ngx_palloc(cf->pool, sizeof(ngx_certauth_profile_t));
    profilep = ngx_array_push(&mcf->profiles);

    if (profile == NULL || profilep == NULL) {
        return NULL;
    }

    *profilep = profile;

    profile->profile = found;
    certauth_profile_digest(found, profile->digest);

    return profile;
}


ngx_int_t
ngx_certauth_start_poll(ngx_cycle_t *cycle, ngx_http_certauth_main_conf_t *mcf)
{
    mcf->dumb.fd = (ngx_socket_t) -1;
    mcf->dumb.data = mcf;

    mcf->poll.handler = ngx_certauth_poll_handler;
    mcf->poll.data = &mcf->dumb;
    mcf->poll.log = cycle->log;
    /* a worker that is to go does not wait for us */
    mcf->poll.cancelable = 1;

    ngx_queue_init(&mcf->asks);

    /* at once: a worker that is started again begins with the master's data */
    ngx_certauth_poll_handler(&mcf->poll);

    return NGX_OK;
}


static void
ngx_certauth_poll_handler(ngx_event_t *ev)
{
    ngx_connection_t  *dumb = ev->data;

    ngx_certauth_poll(dumb->data);

    ngx_add_timer(ev, NGX_CERTAUTH_POLL);
}


void
ngx_certauth_poll(ngx_http_certauth_main_conf_t *mcf)
{
    struct certauth_error  error;

    if (certauth_poll(mcf->engine, &error) != CERTAUTH_NEWS_NONE) {
        /* every worker has the same to say: once is enough */
        ngx_certauth_take_notes(mcf, mcf->poll.log, ngx_worker != 0);
    }

    ngx_certauth_log_rest(mcf);
}


/* each worker counts by itself */

static void
ngx_certauth_log_rest(ngx_http_certauth_main_conf_t *mcf)
{
    char        *line;
    ngx_uint_t   i;

    for (i = 0; i < NGX_CERTAUTH_MAX_NOTES; i++) {

        line = certauth_decision_rest(mcf->engine, 0);
        if (line == NULL) {
            return;
        }

        ngx_log_error(NGX_LOG_WARN, mcf->poll.log, 0, "certauth: %s", line);
        free(line);
    }
}


static void
ngx_certauth_take_notes(ngx_http_certauth_main_conf_t *mcf, ngx_log_t *log,
    ngx_uint_t quiet)
{
    ngx_uint_t            i, level;
    struct certauth_note  note;

    for (i = 0; i < NGX_CERTAUTH_MAX_NOTES; i++) {

        if (!certauth_take_note(mcf->engine, &note)) {
            return;
        }

        level = NGX_LOG_ERR;

        switch (note.severity) {

        case CERTAUTH_NOTE:
            level = NGX_LOG_NOTICE;
            break;

        case CERTAUTH_WARNING:
            level = NGX_LOG_WARN;
            break;

        case CERTAUTH_FATAL:
            break;
        }

        if (quiet) {
            level = NGX_LOG_INFO;
        }

        ngx_log_error(level, log, 0, "certauth: %s", note.text);
    }
}


struct certauth_verdict *
ngx_certauth_current(ngx_connection_t *c, ngx_http_certauth_srv_conf_t *scf,
    ngx_certauth_profile_t *profile)
{
    SSL                    *ssl = c->ssl->connection;
    X509                   *leaf;
    ngx_certauth_answer_t  *answer;

    leaf = SSL_get0_peer_certificate(ssl);
    answer = ngx_certauth_answer(c, profile);

    if (answer != NULL && answer->verdict != NULL && answer->leaf == leaf
        && certauth_verdict_current(scf->main->engine, answer->verdict, 0))
    {
        return answer->verdict;
    }

    /*
     * A resumed session (RFC 8446 2.2) brings the leaf alone, and the handshake
     * asked nobody. Or the data changed since.
     */

    return ngx_certauth_verify(c, scf, profile, leaf,
                               SSL_get_peer_cert_chain(ssl));
}


struct certauth_verdict *
ngx_certauth_verify(ngx_connection_t *c, ngx_http_certauth_srv_conf_t *scf,
    ngx_certauth_profile_t *profile, X509 *leaf, STACK_OF(X509) *sent)
{
    ngx_certauth_answer_t  *answer;

    /* a verdict that nobody would free is not made */

    answer = ngx_certauth_answer(c, profile);
    if (answer == NULL) {
        return NULL;
    }

    certauth_verdict_free(answer->verdict);
    answer->verdict = NULL;

    X509_free(answer->leaf);
    answer->leaf = NULL;

    if (leaf != NULL) {
        if (X509_up_ref(leaf) != 1) {
            return NULL;
        }

        answer->leaf = leaf;
    }

    answer->verdict = ngx_certauth_question(scf, profile, leaf, sent);

    return answer->verdict;
}


ngx_uint_t
ngx_certauth_would_accept(ngx_http_certauth_srv_conf_t *scf,
    ngx_certauth_profile_t *profile, X509 *leaf)
{
    ngx_uint_t                accepted;
    struct certauth_verdict  *verdict;

    verdict = ngx_certauth_question(scf, profile, leaf, NULL);
    accepted = certauth_verdict_decision(verdict) == CERTAUTH_ACCEPT;
    certauth_verdict_free(verdict);

    return accepted;
}


static struct certauth_verdict *
ngx_certauth_question(ngx_http_certauth_srv_conf_t *scf,
    ngx_certauth_profile_t *profile, X509 *leaf, STACK_OF(X509) *sent)
{
    struct certauth_request  request;

    ngx_memzero(&request, sizeof(struct certauth_request));

    request.profile = profile->profile;
    request.leaf = leaf;
    request.sent = sent;
    request.service = "http";
    request.host = scf->host;

    return certauth_verify(scf->main->engine, &request);
}


static ngx_certauth_answer_t *
ngx_certauth_answer(ngx_connection_t *c, ngx_certauth_profile_t *profile)
{
    ngx_uint_t                  i;
    ngx_connection_t           *rc;
    ngx_pool_cleanup_t         *cln;
    ngx_certauth_answer_t      *answer;
    ngx_certauth_connection_t  *cc;

    cc = SSL_get_ex_data(c->ssl->connection, ngx_certauth_index);

    if (cc == NULL) {

        /* the streams of HTTP/2 are connections of their own; this is the one */

        rc = ngx_ssl_get_connection(c->ssl->connection);

        cln = ngx_pool_cleanup_add(rc->pool, sizeof(ngx_certauth_connection_t));
        if (cln == NULL) {
            return NULL;
        }

        cc = cln->data;

        if (ngx_array_init(&cc->answers, rc->pool, 2,
                           sizeof(ngx_certauth_answer_t))
            != NGX_OK)
        {
            return NULL;
        }

        cln->handler = ngx_certauth_connection_cleanup;

        if (SSL_set_ex_data(c->ssl->connection, ngx_certauth_index, cc) != 1) {
            return NULL;
        }
    }

    answer = cc->answers.elts;

    for (i = 0; i < cc->answers.nelts; i++) {
        if (answer[i].profile == profile) {
            return &answer[i];
        }
    }

    answer = ngx_array_push(&cc->answers);
    if (answer == NULL) {
        return NULL;
    }

    ngx_memzero(answer, sizeof(ngx_certauth_answer_t));
    answer->profile = profile;

    return answer;
}


ngx_certauth_wait_t **
ngx_certauth_waiting(ngx_connection_t *c, ngx_certauth_profile_t *profile)
{
    ngx_certauth_answer_t  *answer;

    answer = ngx_certauth_answer(c, profile);

    return answer ? &answer->wait : NULL;
}


void
ngx_certauth_settle(ngx_connection_t *c, ngx_certauth_profile_t *profile,
    X509 *leaf, struct certauth_verdict *verdict)
{
    ngx_certauth_answer_t  *answer;

    answer = ngx_certauth_answer(c, profile);

    if (answer == NULL || answer->leaf != leaf || verdict == NULL) {
        return;
    }

    certauth_verdict_free(answer->verdict);
    answer->verdict = certauth_verdict_ref(verdict);
}


static void
ngx_certauth_connection_cleanup(void *data)
{
    ngx_certauth_connection_t  *cc = data;

    ngx_uint_t              i;
    ngx_certauth_answer_t  *answer;

    answer = cc->answers.elts;

    for (i = 0; i < cc->answers.nelts; i++) {

        if (answer[i].wait) {
            ngx_certauth_wait_abandon(answer[i].wait);
        }

        certauth_verdict_free(answer[i].verdict);
        X509_free(answer[i].leaf);
    }
}


ngx_uint_t
ngx_certauth_log_level(struct certauth_verdict *verdict, ngx_uint_t optional)
{
    if (optional || certauth_verdict_decision(verdict) == CERTAUTH_ACCEPT
        || certauth_reason_anybody(certauth_verdict_reason(verdict)))
    {
        return NGX_LOG_INFO;
    }

    return NGX_LOG_ERR;
}


/* what the log tells of a connection beside the verdict; borrows from `buf` */

void
ngx_certauth_event(struct certauth_event *event, ngx_connection_t *c,
    u_char *buf, ngx_msec_t waited)
{
    size_t  len;

    ngx_memzero(event, sizeof(struct certauth_event));

    event->server = "nginx";
    event->service = "http";
    event->waited = (unsigned) waited;

    len = ngx_min(c->addr_text.len, NGX_SOCKADDR_STRLEN);
    ngx_memcpy(buf, c->addr_text.data, len);
    buf[len] = '\0';
    event->client = (char *) buf;

    if (c->ssl) {
        event->host = SSL_get_servername(c->ssl->connection,
                                         TLSEXT_NAMETYPE_host_name);
        event->resumed = SSL_session_reused(c->ssl->connection) == 1;
    }
}


void
ngx_certauth_log(ngx_http_certauth_main_conf_t *mcf, ngx_connection_t *c,
    ngx_log_t *log, ngx_certauth_profile_t *profile,
    struct certauth_verdict *verdict, ngx_uint_t level, ngx_msec_t waited)
{
    char                   *line;
    u_char                  client[NGX_SOCKADDR_STRLEN + 1];

    enum certauth_reason    reason;
    struct certauth_event   event;
    ngx_certauth_answer_t  *answer;

    reason = certauth_verdict_reason(verdict);
    answer = c->ssl ? ngx_certauth_answer(c, profile) : NULL;

    if (answer != NULL) {

        if (reason == CERTAUTH_NOT_PERMITTED) {

            /* the answer of a place, not of the profile */

            if (answer->narrowed) {
                return;
            }

            answer->narrowed = 1;

        } else {

            if (answer->logged == reason) {
                return;
            }

            answer->logged = reason;
            answer->narrowed = 0;
        }
    }

    ngx_certauth_event(&event, c, client, waited);
    certauth_counters_add(mcf->counters, mcf->engine, verdict, &event, 0);

    if (log->log_level < level) {
        return;
    }

    line = certauth_decision(mcf->engine, verdict, &event, 0);
    if (line == NULL) {
        return;
    }

    ngx_log_error(level, log, 0, "certauth: %s", line);
    free(line);
}
