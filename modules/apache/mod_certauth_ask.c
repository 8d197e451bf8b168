/*
 * mod_certauth_ask.c - what is the verdict, if it takes a question to know?
 *
 * An undecided verdict has questions for the refresher, which are carried over
 * its unix socket. The thread of the request waits, with the deadline of the
 * profile; equal questions of one child are asked once; and only a part of the
 * child's threads may wait, so that a dead responder never takes all of them.
 * Whoever is on the other side is not trusted: frames are cut off here, the core
 * looks at them. At the deadline the core is asked with CERTAUTH_FINAL.
 */

#include "mod_certauth.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <ap_mpm.h>
#include <apr_atomic.h>
#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <openssl/evp.h>

APLOG_USE_MODULE(certauth);

/* Half of the child's threads at most wait for the refresher. */
#define ASK_SHARE       2
/* Different questions of one child that are open or overdue. */
#define ASK_SLOTS       64
/* A question that was not answered in time is not waited for again so long: a
 * dead responder costs each of its clients one wait, not one for each request. */
#define ASK_OVERDUE     apr_time_from_sec(10)
/* The refresher's queue of connections is full: once more after so long (ms). */
#define ASK_AGAIN       20
/* The first frames; a longer one gets the room that it needs. */
#define ASK_BUFFER      4096

typedef enum { SLOT_FREE, SLOT_ASKING, SLOT_DONE, SLOT_OVERDUE } slot_state;

/* What one thread asks, for all that ask the same. */
typedef struct {
    slot_state state;
    unsigned char id[32];
    int users;              /* threads that look at it */
    apr_time_t until;       /* overdue */
    unsigned char *data;    /* whole frames */
    size_t len;
    int whole;              /* as many as there were questions */
} slot;

/* Of a child; NULL before child_init: nobody waits then. */
static struct {
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *done;
    slot slots[ASK_SLOTS];
    apr_uint32_t waiting;   /* threads */
    apr_uint32_t ceiling;
    apr_uint32_t down;      /* said so, once until it answers again */
} *child;

static void child_init(apr_pool_t *p, server_rec *s)
{
    int threads = 0;

    (void)s;
    child = NULL;
    if (certauth_proc == NULL || certauth_proc->engine == NULL) {
        return;
    }
    child = apr_pcalloc(p, sizeof(*child));
    if (apr_thread_mutex_create(&child->mutex, APR_THREAD_MUTEX_DEFAULT, p)
            != APR_SUCCESS
        || apr_thread_cond_create(&child->done, p) != APR_SUCCESS) {
        child = NULL;
        return;
    }
    if (ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads) != APR_SUCCESS
        || threads < ASK_SHARE) {
        threads = ASK_SHARE;    /* prefork: the one thread of this process */
    }
    child->ceiling = (apr_uint32_t)threads / ASK_SHARE;
    if (child->ceiling > ASK_SLOTS) {
        child->ceiling = ASK_SLOTS;
    }
}

static void log_down(request_rec *r, int error, const char *what)
{
    if (apr_atomic_xchg32(&child->down, 1) != 0) {
        return;
    }
    ap_log_error(APLOG_MARK, APLOG_ERR, error, r->server,
                 "certauth: certauth-refresher at %s does not answer: %s%s; "
                 "what is not known here is decided by `unknown` of the "
                 "authority", certauth_refresher(certauth_proc->engine), what,
                 error == EACCES ? " (is the server's user in the group of the "
                                   "socket?)" : "");
}

/* -------------------------------------------------------------- the socket */

/* Milliseconds until `end`, none when it is over. */
static int left(apr_time_t end)
{
    apr_time_t ms = (end - apr_time_now() + 999) / 1000;

    return ms > 0 && ms < 3600000 ? (int)ms : 0;
}

/* -1: nobody there. */
static int dial(request_rec *r, apr_time_t end)
{
    const char *path = certauth_refresher(certauth_proc->engine);
    struct sockaddr_un sun = { .sun_family = AF_UNIX };
    int fd, error;

    if (path[0] == '\0' || strlen(path) >= sizeof(sun.sun_path)) {
        log_down(r, 0, "no path of a unix socket");
        return -1;
    }
    memcpy(sun.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd == -1) {
        log_down(r, errno, "socket() failed");
        return -1;
    }
    while (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1) {
        error = errno;
        if (error == EAGAIN && left(end) > ASK_AGAIN) {
            apr_sleep(ASK_AGAIN * 1000);
            continue;
        }
        log_down(r, error, "connect() failed");
        (void)close(fd);
        return -1;
    }
    return fd;
}

static int wait_for(int fd, short events, apr_time_t end)
{
    struct pollfd p = { .fd = fd, .events = events };
    int ms, n;

    do {
        ms = left(end);
        n = ms > 0 ? poll(&p, 1, ms) : 0;
    } while (n == -1 && errno == EINTR);
    return n > 0;
}

static int send_all(int fd, const struct certauth_bytes *questions, size_t n,
                    apr_time_t end)
{
    size_t i, at;
    ssize_t sent;

    for (i = 0; i < n; i++) {
        for (at = 0; at < questions[i].data_len; ) {
            sent = send(fd, questions[i].data + at, questions[i].data_len - at,
                        MSG_NOSIGNAL);
            if (sent > 0) {
                at += (size_t)sent;
            }
            else if (sent == -1 && errno == EAGAIN) {
                if (!wait_for(fd, POLLOUT, end)) {
                    return 0;
                }
            }
            else if (sent != -1 || errno != EINTR) {
                return 0;
            }
        }
    }
    return 1;
}

/* How many bytes at the front of `data` are whole frames, `n` of them at most;
 * *more_r: the length of the next one as far as it is known, or BAD. */
static size_t whole_frames(const unsigned char *data, size_t len, size_t n,
                           size_t *num_r, size_t *more_r)
{
    size_t at = 0, size = 0;

    for (*num_r = 0; *num_r < n; (*num_r)++) {
        size = certauth_frame_length(data + at, len - at);
        if (size == 0 || size == CERTAUTH_FRAME_BAD || size > len - at) {
            break;
        }
        at += size;
    }
    *more_r = *num_r < n ? size : 0;
    return at;
}

/* Reads `n` frames, or as many as come until `end`; malloc'ed. */
static void receive(request_rec *r, int fd, size_t n, apr_time_t end, slot *into)
{
    unsigned char *data = malloc(ASK_BUFFER), *larger;
    size_t size = ASK_BUFFER, got = 0, whole = 0, num = 0, more = 0;
    ssize_t len;

    while (data != NULL && wait_for(fd, POLLIN, end)) {
        len = recv(fd, data + got, size - got, 0);
        if (len == -1 && (errno == EAGAIN || errno == EINTR)) {
            continue;
        }
        if (len <= 0) {
            log_down(r, len == 0 ? 0 : errno, "the connection was closed");
            break;
        }
        got += (size_t)len;
        whole = whole_frames(data, got, n, &num, &more);
        if (num == n) {
            break;
        }
        if (more == CERTAUTH_FRAME_BAD) {
            log_down(r, 0, "it says what is no answer");
            break;
        }
        if (more < ASK_BUFFER) {
            more = ASK_BUFFER;
        }
        if (whole + more > size) {
            larger = realloc(data, whole + more);
            if (larger == NULL) {
                break;
            }
            data = larger;
            size = whole + more;
        }
    }
    into->data = data;
    into->len = data != NULL ? whole : 0;
    into->whole = data != NULL && num == n;
    if (into->whole && apr_atomic_xchg32(&child->down, 0) != 0) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, r->server,
                     "certauth: certauth-refresher answers again");
    }
}

/* ---------------------------------------------------------------- the slots */

static int name_questions(const struct certauth_bytes *questions, size_t n,
                          unsigned char id[32])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    size_t i;
    int ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;

    for (i = 0; ok && i < n; i++) {
        ok = EVP_DigestUpdate(md, questions[i].data,
                              questions[i].data_len) == 1;
    }
    ok = ok && EVP_DigestFinal_ex(md, id, NULL) == 1;
    EVP_MD_CTX_free(md);
    return ok;
}

/* child->mutex is held. The slot where this is asked already, or one to ask in
 * (*mine_r); NULL: not to be waited for. */
static slot *take_slot(const unsigned char id[32], int *mine_r)
{
    apr_time_t now = apr_time_now();
    slot *s, *found = NULL;
    int i;

    *mine_r = 0;
    for (i = 0; i < ASK_SLOTS; i++) {
        s = &child->slots[i];
        if (s->state == SLOT_OVERDUE && s->until <= now && s->users == 0) {
            s->state = SLOT_FREE;
        }
        if ((s->state == SLOT_ASKING || s->state == SLOT_OVERDUE)
            && memcmp(s->id, id, sizeof(s->id)) == 0) {
            if (s->state == SLOT_OVERDUE) {
                return NULL;
            }
            s->users++;
            return s;
        }
        /* of those overdue the oldest makes room */
        if (s->users == 0 && (s->state == SLOT_FREE
            || (s->state == SLOT_OVERDUE && (found == NULL
                || (found->state == SLOT_OVERDUE && s->until < found->until))))
            && (found == NULL || found->state != SLOT_FREE)) {
            found = s;
        }
    }
    if (found != NULL) {
        *mine_r = 1;
        found->state = SLOT_ASKING;
        found->users = 1;
        memcpy(found->id, id, sizeof(found->id));
    }
    return found;
}

/* child->mutex is held. */
static void leave_slot(slot *s)
{
    if (--s->users > 0) {
        return;
    }
    free(s->data);
    s->data = NULL;
    s->len = 0;
    s->whole = 0;
    if (s->state == SLOT_DONE) {
        s->state = SLOT_FREE;
    }
}

/* In the thread that came first; child->mutex is not held. */
static void fill_slot(request_rec *r, slot *s,
                      const struct certauth_bytes *questions, size_t n,
                      apr_time_t end)
{
    slot got = { 0 };
    int fd = dial(r, end), late = 0;

    if (fd != -1) {
        if (send_all(fd, questions, n, end)) {
            receive(r, fd, n, end, &got);
        }
        else if (left(end) > 0) {
            log_down(r, 0, "the connection was closed");
        }
        late = !got.whole && left(end) == 0;
        (void)close(fd);
    }
    (void)apr_thread_mutex_lock(child->mutex);
    s->data = got.data;
    s->len = got.len;
    s->whole = got.whole;
    s->state = late ? SLOT_OVERDUE : SLOT_DONE;
    s->until = apr_time_now() + ASK_OVERDUE;
    (void)apr_thread_cond_broadcast(child->done);
    (void)apr_thread_mutex_unlock(child->mutex);
}

/* Copies what came into `p`; true when nothing is missing. */
static int copy_slot(const slot *s, apr_pool_t *p, apr_array_header_t *replies)
{
    unsigned char *copy = s->len > 0 ? apr_pmemdup(p, s->data, s->len) : NULL;
    struct certauth_bytes *reply;
    size_t at, size;

    for (at = 0; at < s->len; at += size) {
        size = certauth_frame_length(copy + at, s->len - at);
        if (size == 0 || size > s->len - at) {
            return 0;
        }
        reply = apr_array_push(replies);
        reply->data = copy + at;
        reply->data_len = size;
    }
    return s->whole;
}

/* True: as many replies as questions. */
static int ask(request_rec *r, const struct certauth_bytes *questions, size_t n,
               apr_time_t end, apr_array_header_t *replies)
{
    unsigned char id[32];
    slot *s;
    int mine, ms, whole = 0;

    if (!name_questions(questions, n, id)) {
        return 0;
    }
    (void)apr_thread_mutex_lock(child->mutex);
    s = take_slot(id, &mine);
    if (s != NULL && mine) {
        (void)apr_thread_mutex_unlock(child->mutex);
        fill_slot(r, s, questions, n, end);
        (void)apr_thread_mutex_lock(child->mutex);
    }
    while (s != NULL && s->state == SLOT_ASKING && (ms = left(end)) > 0) {
        (void)apr_thread_cond_timedwait(child->done, child->mutex,
                                        (apr_interval_time_t)ms * 1000);
    }
    if (s != NULL) {
        if (s->state != SLOT_ASKING) {
            whole = copy_slot(s, r->pool, replies);
        }
        leave_slot(s);
    }
    (void)apr_thread_mutex_unlock(child->mutex);
    return whole;
}

/* -------------------------------------------------------------- the verdict */

struct certauth_verdict *certauth_settle(request_rec *r, certauth_conn *cc,
                                         int use, struct certauth_verdict *v)
{
    const struct certauth_profile *profile = certauth_use_at(use)->profile;
    const struct certauth_bytes *questions;
    apr_array_header_t *replies = apr_array_make(r->pool, 4,
                                                 sizeof(struct certauth_bytes));
    apr_time_t start = apr_time_now();
    apr_time_t end = start + (apr_time_t)certauth_profile_deadline(profile)
                             * 1000;
    unsigned flags = CERTAUTH_FINAL;
    size_t n;
    int round;

    if (child == NULL) {
        goto out;
    }
    if (apr_atomic_inc32(&child->waiting) >= child->ceiling) {
        log_down(r, 0, "too many threads wait for it already");
        goto leave;
    }
    for (round = 0; round < CERTAUTH_MAX_ROUNDS; round++) {
        n = certauth_verdict_questions(v, &questions);
        if (n == 0 || left(end) == 0
            || !ask(r, questions, n, end, replies)) {
            break;
        }
        certauth_verdict_free(v);
        /* the refresher may have published what it found */
        certauth_poll_now(r->server);
        v = certauth_conn_judge_with(cc, use, replies, 0);
        if (certauth_verdict_decision(v) != CERTAUTH_UNDECIDED) {
            flags = 0;
            break;
        }
    }
leave:
    apr_atomic_dec32(&child->waiting);
out:
    if (flags != 0) {
        certauth_verdict_free(v);
        certauth_poll_now(r->server);
        v = certauth_conn_judge_with(cc, use, replies, flags);
    }
    apr_table_setn(r->notes, CERTAUTH_NOTE_WAITED,
                   apr_psprintf(r->pool, "%" APR_TIME_T_FMT,
                                (apr_time_now() - start) / 1000));
    return v;
}

void certauth_ask_register_hooks(void)
{
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
}
