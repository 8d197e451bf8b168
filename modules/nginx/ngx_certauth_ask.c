/*
 * ngx_certauth_ask.c - what does the refresher say to these questions?
 *
 * Carries the core's questions over the refresher's unix socket and gives back
 * whole frames, on nginx's events. Equal questions of one worker share a socket.
 * Whoever is on the other side is not trusted: a frame is only cut off here, the
 * core looks at it. Knows nothing of requests; ngx_certauth_wait.c waits.
 */

#include "ngx_certauth.h"


/* The first frames of a socket; a longer one gets the room that it needs. */
#define NGX_CERTAUTH_ASK_BUFFER     4096
/* The refresher's queue of connections is full: once more after so long. */
#define NGX_CERTAUTH_ASK_AGAIN      20
/*
 * A question that was not answered in time is not waited for again as long as
 * it is under way, and so long at most: a dead responder costs each of its
 * clients one wait and not one for each request.
 */
#define NGX_CERTAUTH_ASK_OVERDUE    10000
/* Of the worker's connections, this part at most leads to the refresher. */
#define NGX_CERTAUTH_ASK_SHARE      4


struct ngx_certauth_ask_s {
    ngx_queue_t                       queue;    /* of the worker */
    ngx_connection_t                 *connection;
    ngx_int_t                         ident;    /* after three pointers, as in
                                                   ngx_connection_t */
    ngx_event_t                       timer;
    ngx_pool_t                       *pool;
    ngx_http_certauth_main_conf_t    *main;

    ngx_queue_t                       askers;   /* ngx_certauth_asker_t */

    u_char                           *questions;
    size_t                            len;
    size_t                            sent;
    ngx_uint_t                        nquestions;

    u_char                           *in;
    size_t                            size;
    size_t                            got;
    struct certauth_bytes            *replies;
    ngx_uint_t                        nreplies;

    unsigned                          overdue:1;
    unsigned                          ended:1;
};


static size_t ngx_certauth_ask_len(const struct certauth_bytes *questions,
    size_t n);
static ngx_certauth_ask_t *ngx_certauth_ask_find(
    ngx_http_certauth_main_conf_t *mcf, const struct certauth_bytes *questions,
    size_t n);
static ngx_certauth_ask_t *ngx_certauth_ask_create(
    ngx_http_certauth_main_conf_t *mcf, const struct certauth_bytes *questions,
    size_t n);
static ngx_int_t ngx_certauth_ask_connect(ngx_certauth_ask_t *ask);
static ngx_int_t ngx_certauth_ask_send(ngx_certauth_ask_t *ask);
static ngx_int_t ngx_certauth_ask_frames(ngx_certauth_ask_t *ask);
static void ngx_certauth_ask_write_handler(ngx_event_t *wev);
static void ngx_certauth_ask_read_handler(ngx_event_t *rev);
static void ngx_certauth_ask_timer_handler(ngx_event_t *ev);
static void ngx_certauth_ask_end(ngx_certauth_ask_t *ask);
static void ngx_certauth_ask_free(ngx_certauth_ask_t *ask);
static void ngx_certauth_ask_down(ngx_http_certauth_main_conf_t *mcf,
    ngx_err_t err, const char *what);


ngx_int_t
ngx_certauth_ask(ngx_http_certauth_main_conf_t *mcf,
    ngx_certauth_asker_t *asker, const struct certauth_bytes *questions,
    size_t n)
{
    ngx_certauth_ask_t  *ask;

    ask = ngx_certauth_ask_find(mcf, questions, n);

    if (ask == NULL) {

        if (mcf->nasks >= ngx_cycle->connection_n / NGX_CERTAUTH_ASK_SHARE) {
            ngx_certauth_ask_down(mcf, 0, "too many questions are open");
            return NGX_DECLINED;
        }

        ask = ngx_certauth_ask_create(mcf, questions, n);
        if (ask == NULL) {
            return NGX_DECLINED;
        }

        if (ngx_certauth_ask_connect(ask) != NGX_OK) {
            ngx_certauth_ask_free(ask);
            return NGX_DECLINED;
        }
    }

    if (ask->overdue) {
        return NGX_DECLINED;
    }

    asker->ask = ask;
    ngx_queue_insert_tail(&ask->askers, &asker->queue);

    return NGX_OK;
}


ngx_uint_t
ngx_certauth_ask_replies(ngx_certauth_asker_t *asker,
    const struct certauth_bytes **replies_r, ngx_uint_t *whole_r)
{
    ngx_certauth_ask_t  *ask = asker->ask;

    *replies_r = NULL;
    *whole_r = 0;

    if (ask == NULL) {
        return 0;
    }

    *replies_r = ask->replies;
    *whole_r = ask->nreplies == ask->nquestions;

    return ask->nreplies;
}


void
ngx_certauth_ask_leave(ngx_certauth_asker_t *asker, ngx_uint_t overdue)
{
    ngx_certauth_ask_t  *ask = asker->ask;

    if (ask == NULL) {
        return;
    }

    asker->ask = NULL;
    ngx_queue_remove(&asker->queue);

    if (ask->ended) {
        return;
    }

    /* without a socket the timer is that of the next try, for who came later */
    overdue = overdue && (ask->connection || ngx_queue_empty(&ask->askers));

    if (overdue && !ask->overdue) {
        ask->overdue = 1;
        ngx_add_timer(&ask->timer, NGX_CERTAUTH_ASK_OVERDUE);

    } else if (!ask->overdue && ngx_queue_empty(&ask->askers)) {
        ngx_certauth_ask_free(ask);
    }
}


void
ngx_certauth_ask_exit(ngx_http_certauth_main_conf_t *mcf)
{
    ngx_queue_t           *q;
    ngx_certauth_ask_t    *ask;
    ngx_certauth_asker_t  *asker;

    if (mcf->asks.next == NULL) {
        return;
    }

    while (!ngx_queue_empty(&mcf->asks)) {
        q = ngx_queue_head(&mcf->asks);
        ask = ngx_queue_data(q, ngx_certauth_ask_t, queue);

        for (q = ngx_queue_head(&ask->askers);
             q != ngx_queue_sentinel(&ask->askers);
             q = ngx_queue_next(q))
        {
            asker = ngx_queue_data(q, ngx_certauth_asker_t, queue);
            asker->ask = NULL;
        }

        ngx_certauth_ask_free(ask);
    }
}


static size_t
ngx_certauth_ask_len(const struct certauth_bytes *questions, size_t n)
{
    size_t  i, len = 0;

    for (i = 0; i < n; i++) {
        len += questions[i].data_len;
    }

    return len;
}


static ngx_certauth_ask_t *
ngx_certauth_ask_find(ngx_http_certauth_main_conf_t *mcf,
    const struct certauth_bytes *questions, size_t n)
{
    u_char              *p;
    size_t               i, len;
    ngx_queue_t         *q;
    ngx_certauth_ask_t  *ask;

    len = ngx_certauth_ask_len(questions, n);

    for (q = ngx_queue_head(&mcf->asks);
         q != ngx_queue_sentinel(&mcf->asks);
         q = ngx_queue_next(q))
    {
        ask = ngx_queue_data(q, ngx_certauth_ask_t, queue);

        if (ask->len != len || ask->nquestions != n) {
            continue;
        }

        p = ask->questions;

        for (i = 0; i < n; i++) {

            if (ngx_memcmp(p, questions[i].data, questions[i].data_len) != 0) {
                break;
            }
            p += questions[i].data_len;
        }

        if (i == n) {
            return ask;
        }
    }

    return NULL;
}


static ngx_certauth_ask_t *
ngx_certauth_ask_create(ngx_http_certauth_main_conf_t *mcf,
    const struct certauth_bytes *questions, size_t n)
{
    u_char              *p;
    size_t               i;
    ngx_pool_t          *pool;
    ngx_certauth_ask_t  *ask;

    pool = ngx_create_pool(1024, mcf->poll.log);
    if (pool == NULL) {
        return NULL;
    }

    ask = ngx_pcalloc(pool, sizeof(ngx_certauth_ask_t));
    if (ask == NULL) {
        goto failed;
    }

    ask->ident = -1;
    ask->pool = pool;
    ask->main = mcf;
    ask->len = ngx_certauth_ask_len(questions, n);
    ask->nquestions = n;
    ask->size = NGX_CERTAUTH_ASK_BUFFER;

    ask->questions = ngx_pnalloc(pool, ask->len);
    ask->in = ngx_pnalloc(pool, ask->size);
    ask->replies = ngx_pcalloc(pool, n * sizeof(struct certauth_bytes));

    if (ask->questions == NULL || ask->in == NULL || ask->replies == NULL) {
        goto failed;
    }

    p = ask->questions;

    for (i = 0; i < n; i++) {
        p = ngx_cpymem(p, questions[i].data, questions[i].data_len);
    }

    ask->timer.handler = ngx_certauth_ask_timer_handler;
    ask->timer.data = ask;
    ask->timer.log = mcf->poll.log;
    /* who waits has a timer that keeps the worker */
    ask->timer.cancelable = 1;

    ngx_queue_init(&ask->askers);
    ngx_queue_insert_tail(&mcf->asks, &ask->queue);
    mcf->nasks++;

    return ask;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


/* NGX_OK: under way, or will be tried again. */

static ngx_int_t
ngx_certauth_ask_connect(ngx_certauth_ask_t *ask)
{
    ngx_err_t            err;
    const char          *path;
    ngx_log_t           *log;
    ngx_socket_t         s;
    ngx_connection_t    *c;
    struct sockaddr_un   sun;

    log = ask->timer.log;
    path = certauth_refresher(ask->main->engine);

    if (path[0] == '\0' || ngx_strlen(path) >= sizeof(sun.sun_path)) {
        ngx_certauth_ask_down(ask->main, 0, "no path of a unix socket");
        return NGX_DECLINED;
    }

    s = ngx_socket(AF_UNIX, SOCK_STREAM, 0);

    if (s == (ngx_socket_t) -1) {
        ngx_certauth_ask_down(ask->main, ngx_socket_errno, "socket() failed");
        return NGX_DECLINED;
    }

    ngx_memzero(&sun, sizeof(struct sockaddr_un));
    sun.sun_family = AF_UNIX;
    ngx_memcpy(sun.sun_path, path, ngx_strlen(path));

    if (ngx_nonblocking(s) == -1
        || connect(s, (struct sockaddr *) &sun, sizeof(struct sockaddr_un))
           == -1)
    {
        err = ngx_socket_errno;

        (void) ngx_close_socket(s);

        if (err == NGX_EAGAIN) {
            ngx_add_timer(&ask->timer, NGX_CERTAUTH_ASK_AGAIN);
            return NGX_OK;
        }

        ngx_certauth_ask_down(ask->main, err, "connect() failed");
        return NGX_DECLINED;
    }

    c = ngx_get_connection(s, log);

    if (c == NULL) {
        (void) ngx_close_socket(s);
        return NGX_DECLINED;
    }

    ask->connection = c;

    c->recv = ngx_recv;
    c->send = ngx_send;
    c->data = ask;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->log_error = NGX_ERROR_INFO;

    c->read->log = log;
    c->read->handler = ngx_certauth_ask_read_handler;
    c->write->log = log;
    c->write->handler = ngx_certauth_ask_write_handler;
    c->write->ready = 1;

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_certauth_ask_send(ask);
}


static ngx_int_t
ngx_certauth_ask_send(ngx_certauth_ask_t *ask)
{
    ssize_t            n;
    ngx_connection_t  *c = ask->connection;

    while (ask->sent < ask->len) {
        n = c->send(c, ask->questions + ask->sent, ask->len - ask->sent);

        if (n == NGX_AGAIN) {
            return ngx_handle_write_event(c->write, 0);
        }

        if (n <= 0) {
            ngx_certauth_ask_down(ask->main, ngx_socket_errno,
                                  "the connection was closed");
            return NGX_DECLINED;
        }

        ask->sent += n;
    }

    return NGX_OK;
}


static void
ngx_certauth_ask_write_handler(ngx_event_t *wev)
{
    ngx_connection_t    *c = wev->data;
    ngx_certauth_ask_t  *ask = c->data;

    if (ngx_certauth_ask_send(ask) != NGX_OK) {
        ngx_certauth_ask_end(ask);
    }
}


static void
ngx_certauth_ask_read_handler(ngx_event_t *rev)
{
    ssize_t              n;
    ngx_int_t            rc;
    ngx_connection_t    *c = rev->data;
    ngx_certauth_ask_t  *ask = c->data;

    for ( ;; ) {

        if (c->close) {
            /* the worker goes, and waits no longer */
            break;
        }

        n = c->recv(c, ask->in + ask->got, ask->size - ask->got);

        if (n == NGX_AGAIN) {

            if (ngx_handle_read_event(rev, 0) != NGX_OK) {
                break;
            }

            return;
        }

        if (n <= 0) {
            ngx_certauth_ask_down(ask->main, n ? ngx_socket_errno : 0,
                                  "the connection was closed");
            break;
        }

        ask->got += n;

        rc = ngx_certauth_ask_frames(ask);

        if (rc == NGX_AGAIN) {
            continue;
        }

        if (rc == NGX_OK && ask->main->down) {
            ask->main->down = 0;
            ngx_log_error(NGX_LOG_NOTICE, rev->log, 0,
                          "certauth: certauth-refresher answers again");
        }

        break;
    }

    ngx_certauth_ask_end(ask);
}


/* Cuts off whole frames. NGX_OK: as many as there were questions. */

static ngx_int_t
ngx_certauth_ask_frames(ngx_certauth_ask_t *ask)
{
    u_char  *p;
    size_t   len;

    for ( ;; ) {

        len = certauth_frame_length(ask->in, ask->got);

        if (len == CERTAUTH_FRAME_BAD) {
            ngx_certauth_ask_down(ask->main, 0, "it says what is no answer");
            return NGX_ERROR;
        }

        if (len == 0 || len > ask->got) {
            break;
        }

        p = ngx_pnalloc(ask->pool, len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(p, ask->in, len);

        ask->replies[ask->nreplies].data = p;
        ask->replies[ask->nreplies].data_len = len;
        ask->nreplies++;

        if (ask->nreplies == ask->nquestions) {
            return NGX_OK;
        }

        ask->got -= len;
        ngx_memmove(ask->in, ask->in + len, ask->got);
    }

    if (len > ask->size) {

        p = ngx_pnalloc(ask->pool, len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(p, ask->in, ask->got);

        ask->in = p;
        ask->size = len;
    }

    return NGX_AGAIN;
}


static void
ngx_certauth_ask_timer_handler(ngx_event_t *ev)
{
    ngx_certauth_ask_t  *ask = ev->data;

    if (ask->overdue || ngx_certauth_ask_connect(ask) != NGX_OK) {
        ngx_certauth_ask_end(ask);
    }
}


/*
 * Tells all who ask: their handlers leave, and may make others leave. Who asks
 * the same from now on asks anew.
 */

static void
ngx_certauth_ask_end(ngx_certauth_ask_t *ask)
{
    ngx_certauth_asker_t  *asker;

    ask->ended = 1;

    ngx_queue_remove(&ask->queue);
    ngx_queue_init(&ask->queue);

    while (!ngx_queue_empty(&ask->askers)) {
        asker = ngx_queue_data(ngx_queue_head(&ask->askers),
                               ngx_certauth_asker_t, queue);
        asker->handler(asker);
    }

    ngx_certauth_ask_free(ask);
}


static void
ngx_certauth_ask_free(ngx_certauth_ask_t *ask)
{
    ngx_queue_remove(&ask->queue);
    ask->main->nasks--;

    if (ask->timer.timer_set) {
        ngx_del_timer(&ask->timer);
    }

    if (ask->connection) {
        ngx_close_connection(ask->connection);
    }

    ngx_destroy_pool(ask->pool);
}


/* Once, until it answers again: every client could repeat it. */

static void
ngx_certauth_ask_down(ngx_http_certauth_main_conf_t *mcf, ngx_err_t err,
    const char *what)
{
    if (mcf->down) {
        return;
    }

    mcf->down = 1;

    ngx_log_error(NGX_LOG_ERR, mcf->poll.log, err,
                  "certauth: certauth-refresher at \"%s\" does not answer: %s%s; "
                  "what is not known here is decided by \"unknown\" of the "
                  "authority", certauth_refresher(mcf->engine), what,
                  err == NGX_EACCES ? " (is the worker's user in the group of "
                                      "the socket?)" : "");
}
