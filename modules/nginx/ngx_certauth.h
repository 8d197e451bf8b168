/*
 * ngx_certauth.h - what the files of the nginx module share.
 *
 * ngx_certauth_common.c       the engine of a cycle, verdicts of a connection
 * ngx_certauth_ask.c          a question to the refresher, on nginx's events
 * ngx_certauth_wait.c         requests that wait for its answer
 * ngx_certauth_ssl.c          what is done to an SSL_CTX
 * ngx_http_certauth_module.c  directives and how they are merged
 * ngx_http_certauth_server.c  what is checked before nginx starts or reloads
 * ngx_http_certauth_gate.c    who gets through, in which phase
 * ngx_http_certauth_judge.c   the verdict about a request
 * ngx_http_certauth_account.c as which of the certificate's accounts
 * ngx_http_certauth_require.c what a location asks for besides
 * ngx_http_certauth_report.c  what another profile would have said
 * ngx_http_certauth_status.c  how often was what decided
 * ngx_http_certauth_headers.c  what clients may not say in headers
 * ngx_http_certauth_variables.c  $certauth_* and $remote_user
 *
 * None of them knows anything about certificates: what is decided is decided
 * behind certauth.h.
 */

#ifndef _NGX_CERTAUTH_H_INCLUDED_
#define _NGX_CERTAUTH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "certauth.h"


#define NGX_CERTAUTH_OFF            0
#define NGX_CERTAUTH_REQUIRED       1
#define NGX_CERTAUTH_OPTIONAL       2

#define NGX_CERTAUTH_REQUEST        0
#define NGX_CERTAUTH_HANDSHAKE      1

#define NGX_CERTAUTH_STRIP          0
#define NGX_CERTAUTH_KEEP           1

#define NGX_CERTAUTH_DIGEST_LEN     32


typedef struct {
    const struct certauth_profile    *profile;
    u_char                            digest[NGX_CERTAUTH_DIGEST_LEN];
} ngx_certauth_profile_t;


typedef struct {
    ngx_str_t                         path;
    struct certauth                  *engine;   /* NULL: not used anywhere */
    ngx_array_t                       profiles; /* ngx_certauth_profile_t * */
    ngx_event_t                       poll;
    ngx_connection_t                  dumb;

    ngx_uint_t                        status;   /* certauth_status is used */
    struct certauth_counters         *counters; /* of all workers, or NULL */

    /* of a worker */
    ngx_queue_t                       asks;     /* ngx_certauth_ask_t */
    ngx_uint_t                        nasks;
    ngx_uint_t                        down;     /* the refresher is silent */
} ngx_http_certauth_main_conf_t;


typedef struct {
    ngx_http_certauth_main_conf_t    *main;
    ngx_uint_t                        refuse;
    ngx_uint_t                        inbound;
    ngx_str_t                         names;
    char                             *host;     /* for messages */

    /* of the server and each of its locations, the server's own first */
    ngx_array_t                       places;   /* ngx_http_certauth_place_t */

    /*
     * The profiles somebody may meet in this server; a session of it counts as
     * accepted when the server's own profile (the first) accepts, or one of the
     * locations' when the server itself has none.
     */
    ngx_array_t                       profiles; /* ngx_certauth_profile_t * */
    u_char                            digest[NGX_CERTAUTH_DIGEST_LEN];

    /* the server has a profile of its own */
    unsigned                          own:1;
    /* a location differs: the server's gate waits until it is known */
    unsigned                          mixed:1;
} ngx_http_certauth_srv_conf_t;


typedef struct {
    /* in force; `written` is what "certauth" says */
    ngx_uint_t                        mode;
    ngx_uint_t                        written;
    ngx_str_t                         name;
    ngx_certauth_profile_t           *profile;

    /* judged besides, changes nothing; "off" or none: NULL */
    ngx_str_t                         report;
    ngx_certauth_profile_t           *report_profile;

    ngx_uint_t                        preflight;

    /* where the directive stands, for messages */
    u_char                           *file;
    ngx_uint_t                        line;

    /* ngx_http_certauth_require_t; all must hold; NULL: none */
    ngx_array_t                      *requires;
    unsigned                          requires_own:1;

    /* certauth_account; NULL: the mapped user */
    ngx_http_complex_value_t         *account;
    unsigned                          account_own:1;
} ngx_http_certauth_loc_conf_t;


typedef struct {
    ngx_http_certauth_loc_conf_t     *lcf;
    ngx_http_core_loc_conf_t         *clcf;
} ngx_http_certauth_place_t;


typedef struct ngx_certauth_ask_s  ngx_certauth_ask_t;
typedef struct ngx_certauth_wait_s  ngx_certauth_wait_t;
typedef struct ngx_certauth_asker_s  ngx_certauth_asker_t;

struct ngx_certauth_asker_s {
    ngx_queue_t                       queue;
    ngx_certauth_ask_t               *ask;      /* NULL: nothing under way */
    void                            (*handler)(ngx_certauth_asker_t *asker);
    void                             *data;
};


/* of the main request */
typedef struct {
    struct certauth_verdict          *verdict;
    ngx_msec_t                        waited;

    unsigned                          judged:1;      /* verdict is valid */
    unsigned                          placed:1;      /* by a location's profile */
    unsigned                          passed:1;      /* what is served now may be */
    unsigned                          refused:1;     /* an error page follows */
    unsigned                          page:1;        /* and has been found */
    unsigned                          choosing:1;    /* certauth_account */
    unsigned                          alternative:1; /* a password may do */
    unsigned                          let_in:1;      /* without certificate */
    unsigned                          basic:1;       /* by auth_basic */
} ngx_http_certauth_ctx_t;


/* ngx_certauth_common.c */

ngx_int_t ngx_certauth_open(ngx_conf_t *cf,
    ngx_http_certauth_main_conf_t *mcf);
ngx_certauth_profile_t *ngx_certauth_profile(ngx_conf_t *cf,
    ngx_http_certauth_main_conf_t *mcf, ngx_http_certauth_loc_conf_t *lcf);
ngx_int_t ngx_certauth_start_poll(ngx_cycle_t *cycle,
    ngx_http_certauth_main_conf_t *mcf);
/* Takes up new data now, not only once a second. */
void ngx_certauth_poll(ngx_http_certauth_main_conf_t *mcf);

/*
 * The connection's verdict, made anew when it is no longer current; borrowed
 * until the next call for this connection and profile. NULL refuses.
 */
struct certauth_verdict *ngx_certauth_current(ngx_connection_t *c,
    ngx_http_certauth_srv_conf_t *scf, ngx_certauth_profile_t *profile);
/* The same for a handshake that brings this leaf, always made anew. */
struct certauth_verdict *ngx_certauth_verify(ngx_connection_t *c,
    ngx_http_certauth_srv_conf_t *scf, ngx_certauth_profile_t *profile,
    X509 *leaf, STACK_OF(X509) *sent);
/* Keeps nothing: who has this session need not be who ends the handshake. */
ngx_uint_t ngx_certauth_would_accept(ngx_http_certauth_srv_conf_t *scf,
    ngx_certauth_profile_t *profile, X509 *leaf);
void ngx_certauth_event(struct certauth_event *event, ngx_connection_t *c,
    u_char *buf, ngx_msec_t waited);
/* When the profile's answer on this connection has changed it is counted, and logged
 * when the level is. */
void ngx_certauth_log(ngx_http_certauth_main_conf_t *mcf,
    ngx_connection_t *c, ngx_log_t *log, ngx_certauth_profile_t *profile,
    struct certauth_verdict *verdict, ngx_uint_t level, ngx_msec_t waited);
ngx_uint_t ngx_certauth_log_level(struct certauth_verdict *verdict,
    ngx_uint_t optional);
/* The wait of this connection and profile: where its pointer is; NULL: no
 * memory. Valid until the next call. */
ngx_certauth_wait_t **ngx_certauth_waiting(ngx_connection_t *c,
    ngx_certauth_profile_t *profile);
/* The connection's verdict from now on. */
void ngx_certauth_settle(ngx_connection_t *c, ngx_certauth_profile_t *profile,
    X509 *leaf, struct certauth_verdict *verdict);
ngx_int_t ngx_certauth_index_init(ngx_conf_t *cf);

/* ngx_certauth_ask.c */

/*
 * Sends whole questions to the refresher. NGX_OK: the asker's handler is called
 * later, once; it has to leave. NGX_DECLINED: nobody to ask. The asker's queue
 * and ask are not its own till then.
 */
ngx_int_t ngx_certauth_ask(ngx_http_certauth_main_conf_t *mcf,
    ngx_certauth_asker_t *asker, const struct certauth_bytes *questions,
    size_t n);
/* What has come so far, borrowed until the asker leaves. */
ngx_uint_t ngx_certauth_ask_replies(ngx_certauth_asker_t *asker,
    const struct certauth_bytes **replies_r, ngx_uint_t *whole_r);
/* Waits no longer. `overdue`: because it took too long. */
void ngx_certauth_ask_leave(ngx_certauth_asker_t *asker, ngx_uint_t overdue);
/* The worker ends. */
void ngx_certauth_ask_exit(ngx_http_certauth_main_conf_t *mcf);

/* ngx_certauth_wait.c */

/*
 * The verdict about this request, NULL refuses; the caller frees. NGX_AGAIN (with
 * `may_wait` only): none yet, the request is put aside and its phase runs again.
 */
ngx_int_t ngx_certauth_decide(ngx_http_request_t *r,
    ngx_http_certauth_srv_conf_t *scf, ngx_certauth_profile_t *profile,
    ngx_uint_t may_wait, struct certauth_verdict **verdict_r);
ngx_msec_t ngx_certauth_waited(ngx_http_request_t *r,
    ngx_certauth_profile_t *profile);
void ngx_certauth_wait_abandon(ngx_certauth_wait_t *wait);

/* ngx_certauth_ssl.c */

ngx_int_t ngx_certauth_ssl_server(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf, ngx_http_certauth_srv_conf_t *scf);
ngx_int_t ngx_certauth_ssl_sessions(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf, ngx_http_certauth_srv_conf_t *scf);

/* ngx_http_certauth_server.c */

ngx_int_t ngx_http_certauth_init_server(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf, ngx_http_certauth_main_conf_t *mcf);
ngx_int_t ngx_http_certauth_check_server(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf, ngx_http_certauth_srv_conf_t *scf);

/* ngx_http_certauth_gate.c */

ngx_int_t ngx_http_certauth_gate_init(ngx_conf_t *cf);

/* ngx_http_certauth_judge.c */

/*
 * The verdict for the profile of `lcf`, NULL refuses; the caller frees.
 * NGX_AGAIN (with `may_wait` only): the request is put aside.
 */
ngx_int_t ngx_http_certauth_judge(ngx_http_request_t *r,
    ngx_http_certauth_loc_conf_t *lcf, ngx_uint_t may_wait,
    struct certauth_verdict **verdict_r);
/* CERTAUTH_OK, or what is wrong before any certificate is looked at. */
enum certauth_reason ngx_http_certauth_transport(ngx_http_request_t *r);
/* Takes the verdict over. */
void ngx_http_certauth_keep(ngx_http_request_t *r,
    ngx_http_certauth_ctx_t *ctx, struct certauth_verdict *verdict);
ngx_http_certauth_ctx_t *ngx_http_certauth_get_ctx(ngx_http_request_t *r,
    ngx_uint_t create);
/* Judges by the profile in force when that was not done yet; NULL: no profile. */
ngx_http_certauth_ctx_t *ngx_http_certauth_judged(ngx_http_request_t *r);

/* ngx_http_certauth_require.c */

char *ngx_http_certauth_require(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
void ngx_http_certauth_merge_require(ngx_http_certauth_loc_conf_t *prev,
    ngx_http_certauth_loc_conf_t *conf);
/* The verdict, or in its place the refusal of it; takes it over. */
struct certauth_verdict *ngx_http_certauth_required(
    ngx_http_certauth_loc_conf_t *lcf, struct certauth_verdict *verdict);

/* ngx_http_certauth_account.c */

char *ngx_http_certauth_account(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
/* Of an accepted verdict that of the account asked for; takes it over. */
struct certauth_verdict *ngx_http_certauth_as(ngx_http_request_t *r,
    ngx_http_certauth_loc_conf_t *lcf, struct certauth_verdict *verdict);

/* ngx_http_certauth_report.c */

ngx_int_t ngx_http_certauth_report_init(ngx_conf_t *cf,
    ngx_http_certauth_main_conf_t *mcf, ngx_http_certauth_loc_conf_t *lcf);
void ngx_http_certauth_report(ngx_http_request_t *r,
    ngx_http_certauth_loc_conf_t *lcf, struct certauth_verdict *verdict);

/* ngx_http_certauth_status.c */

char *ngx_http_certauth_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_certauth_status_init(ngx_conf_t *cf,
    ngx_http_certauth_main_conf_t *mcf);

/* ngx_http_certauth_headers.c */

ngx_int_t ngx_http_certauth_headers_init(ngx_conf_t *cf);
ngx_uint_t ngx_http_certauth_is_preflight(ngx_http_request_t *r);

/* ngx_http_certauth_variables.c */

ngx_int_t ngx_http_certauth_add_variables(ngx_conf_t *cf);
ngx_int_t ngx_http_certauth_variables_init(ngx_conf_t *cf);
/* Cached values of our variables are of an older verdict: forget them. */
void ngx_http_certauth_forget(ngx_http_request_t *r);


extern ngx_module_t  ngx_http_certauth_module;


#endif /* _NGX_CERTAUTH_H_INCLUDED_ */
