/*
 * ngx_certauth_wait.c - what is the verdict, if it takes a question to know?
 *
 * An undecided verdict has questions for the refresher: the request is put
 * aside, others go on, and the phase it stood in runs again with the answer, or
 * when the deadline of the profile is over. All requests of one connection that
 * ask the same wait together. Decides nothing: at the deadline the core is asked
 * with CERTAUTH_FINAL.
 */

#include "ngx_certauth.h"


/* One connection and profile; lives as long as somebody waits. */

struct ngx_certauth_wait_s {
    ngx_queue_t                       waiters;
    ngx_connection_t                 *connection;
    ngx_int_t                         ident;    /* as in ngx_connection_t */
    ngx_pool_t                       *pool;
    ngx_event_t                       timer;
    ngx_certauth_asker_t              asker;

    ngx_http_certauth_srv_conf_t     *scf;
    ngx_certauth_profile_t           *profile;
    X509                             *leaf;
    STACK_OF(X509)                   *sent;

    ngx_uint_t                        round;
    ngx_array_t                       replies;  /* struct certauth_bytes */
    struct certauth_verdict          *verdict;
};


/* One request; kept with it when the wait is over, so that it waits once. */

typedef struct {
    ngx_queue_t                       queue;
    ngx_http_request_t               *request;
    ngx_certauth_profile_t           *profile;
    ngx_certauth_wait_t              *wait;     /* NULL: none, or over */
    struct certauth_verdict          *verdict;  /* of a wait that is over */
    ngx_msec_t                        since;
    ngx_msec_t                        waited;
    ngx_http_posted_request_t         posted;

    unsigned                          over:1;
} ngx_certauth_waiter_t;


static ngx_int_t ngx_certauth_wait_join(ngx_certauth_waiter_t *waiter,
    ngx_http_certauth_srv_conf_t *scf, struct certauth_verdict *undecided);
static void ngx_certauth_wait_give(ngx_certauth_waiter_t *waiter,
    struct certauth_verdict **verdict_r);
static ngx_certauth_waiter_t *ngx_certauth_waiter(ngx_http_request_t *r,
    ngx_certauth_profile_t *profile, ngx_uint_t create);
static void ngx_certauth_waiter_cleanup(void *data);
static void ngx_certauth_wake(ngx_certauth_waiter_t *waiter);
static ngx_certauth_wait_t *ngx_certauth_wait_create(ngx_http_request_t *r,
    ngx_http_certauth_srv_conf_t *scf, ngx_certauth_profile_t *profile);
static ngx_int_t ngx_certauth_wait_step(ngx_certauth_wait_t *wait,
    struct certauth_verdict *verdict);
static struct certauth_verdict *ngx_certauth_wait_verify(
    ngx_certauth_wait_t *wait, unsigned flags);
static ngx_uint_t ngx_certauth_wait_take(ngx_certauth_wait_t *wait);
static void ngx_certauth_wait_answered(ngx_certauth_asker_t *asker);
static void ngx_certauth_wait_timeout(ngx_event_t *ev);
static void ngx_certauth_wait_end(ngx_certauth_wait_t *wait);
static void ngx_certauth_wait_free(ngx_certauth_wait_t *wait);


ngx_int_t
ngx_certauth_decide(ngx_http_request_t *r, ngx_http_certauth_srv_conf_t *scf,
    ngx_certauth_profile_t *profile, ngx_uint_t may_wait,
    struct certauth_verdict **verdict_r)
{
    ngx_connection_t         *c;
    ngx_certauth_waiter_t    *waiter;
    struct certauth_verdict  *verdict;

    c = r->connection;
    verdict = ngx_certauth_current(c, scf, profile);

    *verdict_r = verdict ? certauth_verdict_ref(verdict) : NULL;

    if (certauth_verdict_decision(verdict) != CERTAUTH_UNDECIDED) {
        return NGX_OK;
    }

    waiter = ngx_certauth_waiter(r, profile, may_wait);

    if (waiter != NULL && waiter->over) {

        /* it has waited for this; the answer may be too short-lived to keep */

        ngx_certauth_wait_give(waiter, verdict_r);
        return NGX_OK;
    }

    if (!may_wait || waiter == NULL || c->error) {
        /* not an acceptance: it refuses */
        return NGX_OK;
    }

    if (waiter->wait == NULL
        && ngx_certauth_wait_join(waiter, scf, *verdict_r) != NGX_AGAIN)
    {
        if (waiter->over) {
            ngx_certauth_wait_give(waiter, verdict_r);
        }

        return NGX_OK;
    }

    certauth_verdict_free(*verdict_r);
    *verdict_r = NULL;

    if (r == r->main) {

        /* see a client that goes away, as limit_req does */

        if (c->read->ready) {
            ngx_post_event(c->read, &ngx_posted_events);

        } else if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
            return NGX_ERROR;
        }

        r->read_event_handler = ngx_http_test_reading;
    }

    r->write_event_handler = ngx_http_request_empty_handler;

    return NGX_AGAIN;
}


/* NGX_OK: waiter->over, as nobody could be asked; NGX_ERROR: no memory. */

static ngx_int_t
ngx_certauth_wait_join(ngx_certauth_waiter_t *waiter,
    ngx_http_certauth_srv_conf_t *scf, struct certauth_verdict *undecided)
{
    ngx_connection_t     *c;
    ngx_certauth_wait_t  *wait, **waitp;

    c = waiter->request->connection;

    waitp = ngx_certauth_waiting(c, waiter->profile);
    if (waitp == NULL) {
        return NGX_ERROR;
    }

    wait = *waitp;

    if (wait == NULL) {

        wait = ngx_certauth_wait_create(waiter->request, scf, waiter->profile);
        if (wait == NULL) {
            return NGX_ERROR;
        }

        if (ngx_certauth_wait_step(wait, certauth_verdict_ref(undecided))
            == NGX_OK)
        {
            waiter->over = 1;
            waiter->verdict = wait->verdict;
            wait->verdict = NULL;

            ngx_certauth_wait_free(wait);

            return NGX_OK;
        }

        *waitp = wait;
    }

    waiter->wait = wait;
    waiter->since = ngx_current_msec;
    ngx_queue_insert_tail(&wait->waiters, &waiter->queue);

    return NGX_AGAIN;
}


static void
ngx_certauth_wait_give(ngx_certauth_waiter_t *waiter,
    struct certauth_verdict **verdict_r)
{
    certauth_verdict_free(*verdict_r);
    *verdict_r = waiter->verdict ? certauth_verdict_ref(waiter->verdict) : NULL;
}


/* How long this request has waited, milliseconds. */

ngx_msec_t
ngx_certauth_waited(ngx_http_request_t *r, ngx_certauth_profile_t *profile)
{
    ngx_certauth_waiter_t  *waiter;

    waiter = ngx_certauth_waiter(r, profile, 0);

    return waiter ? waiter->waited : 0;
}


static ngx_certauth_waiter_t *
ngx_certauth_waiter(ngx_http_request_t *r, ngx_certauth_profile_t *profile,
    ngx_uint_t create)
{
    ngx_http_cleanup_t     *cln;
    ngx_certauth_waiter_t  *waiter;

    for (cln = r->main->cleanup; cln; cln = cln->next) {

        if (cln->handler != ngx_certauth_waiter_cleanup) {
            continue;
        }

        waiter = cln->data;

        if (waiter->request == r && waiter->profile == profile) {
            return waiter;
        }
    }

    if (!create) {
        return NULL;
    }

    cln = ngx_http_cleanup_add(r, sizeof(ngx_certauth_waiter_t));
    if (cln == NULL) {
        return NULL;
    }

    waiter = cln->data;
    ngx_memzero(waiter, sizeof(ngx_certauth_waiter_t));

    waiter->request = r;
    waiter->profile = profile;
    ngx_queue_init(&waiter->queue);

    cln->handler = ngx_certauth_waiter_cleanup;

    return waiter;
}


static void
ngx_certauth_waiter_cleanup(void *data)
{
    ngx_certauth_waiter_t *waiter = data;

    ngx_certauth_wait_t  *wait;

    wait = waiter->wait;
    waiter->wait = NULL;

    ngx_queue_remove(&waiter->queue);
    ngx_queue_init(&waiter->queue);

    if (wait != NULL && ngx_queue_empty(&wait->waiters)) {
        ngx_certauth_wait_free(wait);
    }

    certauth_verdict_free(waiter->verdict);
    waiter->verdict = NULL;
}


/* The phase in which the request was put aside runs again. */

static void
ngx_certauth_wake(ngx_certauth_waiter_t *waiter)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = waiter->request;
    c = r->connection;

    if (r == r->main) {

        r->read_event_handler = ngx_http_block_reading;

        if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
            c->error = 1;
        }
    }

    r->write_event_handler = ngx_http_core_run_phases;

    (void) ngx_http_post_request(r, &waiter->posted);

    ngx_http_run_posted_requests(c);
}


static ngx_certauth_wait_t *
ngx_certauth_wait_create(ngx_http_request_t *r,
    ngx_http_certauth_srv_conf_t *scf, ngx_certauth_profile_t *profile)
{
    SSL                  *ssl;
    X509                 *leaf;
    ngx_log_t            *log;
    ngx_pool_t           *pool;
    STACK_OF(X509)       *sent;
    ngx_certauth_wait_t  *wait;

    ssl = r->connection->ssl->connection;
    log = scf->main->poll.log;

    pool = ngx_create_pool(1024, log);
    if (pool == NULL) {
        return NULL;
    }

    wait = ngx_pcalloc(pool, sizeof(ngx_certauth_wait_t));

    if (wait == NULL
        || ngx_array_init(&wait->replies, pool, 4,
                          sizeof(struct certauth_bytes))
           != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NULL;
    }

    ngx_queue_init(&wait->waiters);

    wait->pool = pool;
    wait->ident = -1;
    wait->connection = ngx_ssl_get_connection(ssl);
    wait->scf = scf;
    wait->profile = profile;

    leaf = SSL_get0_peer_certificate(ssl);
    sent = SSL_get_peer_cert_chain(ssl);

    if (leaf != NULL && X509_up_ref(leaf) == 1) {
        wait->leaf = leaf;
        wait->sent = sent ? X509_chain_up_ref(sent) : NULL;
    }

    wait->asker.handler = ngx_certauth_wait_answered;
    wait->asker.data = wait;

    wait->timer.handler = ngx_certauth_wait_timeout;
    wait->timer.data = wait;
    wait->timer.log = log;

    ngx_add_timer(&wait->timer, certauth_profile_deadline(profile->profile));

    return wait;
}


/*
 * Takes the verdict over. NGX_AGAIN: its questions are under way; NGX_OK: it is
 * the last one, in wait->verdict.
 */

static ngx_int_t
ngx_certauth_wait_step(ngx_certauth_wait_t *wait,
    struct certauth_verdict *verdict)
{
    size_t                        n;
    ngx_int_t                     rc;
    const struct certauth_bytes  *questions;

    if (certauth_verdict_decision(verdict) != CERTAUTH_UNDECIDED) {
        wait->verdict = verdict;
        return NGX_OK;
    }

    rc = NGX_DECLINED;
    n = certauth_verdict_questions(verdict, &questions);

    if (n != 0 && wait->round < CERTAUTH_MAX_ROUNDS) {
        wait->round++;
        rc = ngx_certauth_ask(wait->scf->main, &wait->asker, questions, n);
    }

    certauth_verdict_free(verdict);

    if (rc == NGX_OK) {
        return NGX_AGAIN;
    }

    wait->verdict = ngx_certauth_wait_verify(wait, CERTAUTH_FINAL);

    return NGX_OK;
}


static struct certauth_verdict *
ngx_certauth_wait_verify(ngx_certauth_wait_t *wait, unsigned flags)
{
    struct certauth_request  request;

    ngx_memzero(&request, sizeof(struct certauth_request));

    request.profile = wait->profile->profile;
    request.leaf = wait->leaf;
    request.sent = wait->sent;
    request.service = "http";
    request.host = wait->scf->host;
    request.flags = flags;
    request.replies = wait->replies.elts;
    request.num_replies = wait->replies.nelts;

    return certauth_verify(wait->scf->main->engine, &request);
}


/* Copies what has been answered so far; true when nothing is missing. */

static ngx_uint_t
ngx_certauth_wait_take(ngx_certauth_wait_t *wait)
{
    u_char                       *p;
    ngx_uint_t                    i, n, whole;
    struct certauth_bytes        *reply;
    const struct certauth_bytes  *replies;

    n = ngx_certauth_ask_replies(&wait->asker, &replies, &whole);

    for (i = 0; i < n; i++) {

        p = ngx_pnalloc(wait->pool, replies[i].data_len);
        reply = p ? ngx_array_push(&wait->replies) : NULL;

        if (reply == NULL) {
            return 0;
        }

        ngx_memcpy(p, replies[i].data, replies[i].data_len);

        reply->data = p;
        reply->data_len = replies[i].data_len;
    }

    return whole;
}


static void
ngx_certauth_wait_answered(ngx_certauth_asker_t *asker)
{
    ngx_uint_t                whole;
    ngx_certauth_wait_t      *wait = asker->data;
    struct certauth_verdict  *verdict;

    whole = ngx_certauth_wait_take(wait);
    ngx_certauth_ask_leave(asker, 0);

    /* the refresher may have published what it found */
    ngx_certauth_poll(wait->scf->main);

    verdict = ngx_certauth_wait_verify(wait, whole ? 0 : CERTAUTH_FINAL);

    if (ngx_certauth_wait_step(wait, verdict) == NGX_OK) {
        ngx_certauth_wait_end(wait);
    }
}


static void
ngx_certauth_wait_timeout(ngx_event_t *ev)
{
    ngx_certauth_wait_t  *wait = ev->data;

    (void) ngx_certauth_wait_take(wait);
    ngx_certauth_ask_leave(&wait->asker, 1);

    ngx_certauth_poll(wait->scf->main);

    wait->verdict = ngx_certauth_wait_verify(wait, CERTAUTH_FINAL);

    ngx_certauth_wait_end(wait);
}


/*
 * Every request that is woken may end others: of this list they take
 * themselves, the wait itself is gone before.
 */

static void
ngx_certauth_wait_end(ngx_certauth_wait_t *wait)
{
    ngx_queue_t               waiters, *q;
    ngx_certauth_waiter_t    *waiter;
    struct certauth_verdict  *verdict;

    verdict = wait->verdict;
    wait->verdict = NULL;

    ngx_certauth_settle(wait->connection, wait->profile, wait->leaf, verdict);

    ngx_queue_init(&waiters);

    if (!ngx_queue_empty(&wait->waiters)) {
        ngx_queue_add(&waiters, &wait->waiters);
        ngx_queue_init(&wait->waiters);
    }

    for (q = ngx_queue_head(&waiters);
         q != ngx_queue_sentinel(&waiters);
         q = ngx_queue_next(q))
    {
        waiter = ngx_queue_data(q, ngx_certauth_waiter_t, queue);

        waiter->wait = NULL;
        waiter->over = 1;
        waiter->waited = ngx_current_msec - waiter->since;
        waiter->verdict = verdict ? certauth_verdict_ref(verdict) : NULL;
    }

    certauth_verdict_free(verdict);
    ngx_certauth_wait_free(wait);

    while (!ngx_queue_empty(&waiters)) {
        q = ngx_queue_head(&waiters);

        ngx_queue_remove(q);
        ngx_queue_init(q);

        ngx_certauth_wake(ngx_queue_data(q, ngx_certauth_waiter_t, queue));
    }
}


/* The connection is gone, and with it whatever could be woken. */

void
ngx_certauth_wait_abandon(ngx_certauth_wait_t *wait)
{
    ngx_queue_t            *q;
    ngx_certauth_waiter_t  *waiter;

    while (!ngx_queue_empty(&wait->waiters)) {
        q = ngx_queue_head(&wait->waiters);
        waiter = ngx_queue_data(q, ngx_certauth_waiter_t, queue);

        waiter->wait = NULL;

        ngx_queue_remove(q);
        ngx_queue_init(q);
    }

    wait->connection = NULL;

    ngx_certauth_wait_free(wait);
}


static void
ngx_certauth_wait_free(ngx_certauth_wait_t *wait)
{
    ngx_certauth_wait_t  **waitp;

    waitp = wait->connection
            ? ngx_certauth_waiting(wait->connection, wait->profile) : NULL;

    if (waitp != NULL && *waitp == wait) {
        *waitp = NULL;
    }

    ngx_certauth_ask_leave(&wait->asker, 0);

    if (wait->timer.timer_set) {
        ngx_del_timer(&wait->timer);
    }

    certauth_verdict_free(wait->verdict);
    X509_free(wait->leaf);
    sk_X509_pop_free(wait->sent, X509_free);

    ngx_destroy_pool(wait->pool);
}
