/*
 * mod_certauth.h - what the files of the Apache module share.
 *
 *   mod_certauth.c        directives, engine, hooks
 *   mod_certauth_check.c  is the configuration sound?
 *   mod_certauth_ssl.c    the TLS side: callbacks, sessions, the connection
 *   mod_certauth_ask.c    questions to the refresher, and who waits
 *   mod_certauth_gate.c   the request side: gate, environment, user
 *   mod_certauth_authz.c  Require cert-...
 *   mod_certauth_status.c how often was what decided
 *
 * No certificate logic anywhere in here: the core decides, this translates.
 */
#ifndef MOD_CERTAUTH_H
#define MOD_CERTAUTH_H

#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <apr_thread_mutex.h>
#include <openssl/ssl.h>

#include "certauth.h"

#define CERTAUTH_CONF_DEFAULT   "/etc/certauth/certauth.conf"
/* RFC 8446 allows 64 KiB of names; many clients fail much earlier. */
#define CERTAUTH_NAMES_WARN     (16 * 1024)

/* All else is hidden (-fvisibility=hidden, exports.map). */
extern module AP_MODULE_DECLARE_DATA certauth_module
    __attribute__((visibility("default")));

/* In r->notes: milliseconds in which this request waited for the refresher. */
#define CERTAUTH_NOTE_WAITED    "certauth-waited"

/* An index into certauth_process.uses, or one of these two. */
#define CERTAUTH_USE_UNSET  (-1)
#define CERTAUTH_USE_OFF    (-2)

/* A profile name that the configuration uses, resolved. */
typedef struct {
    const char *name;
    const char *file;       /* where it is named first */
    int line;
    const struct certauth_profile *profile;     /* NULL: refuse, data-missing */
    unsigned char digest[32];
} certauth_use;

/* All that one reading of the configuration leads to; lives in pconf. */
typedef struct {
    const char *conf;               /* NULL: CertAuthConfig was not given */
    struct certauth *engine;        /* NULL: everything refuses, data-missing */
    const char *fault;              /* why certauth_check() failed */
    int broken;                     /* up all the same: refuse everything */
    apr_array_header_t *uses;       /* certauth_use */
    apr_array_header_t *warnings;   /* const char * */
    apr_uint32_t polled;            /* the second of the last poll */
    struct certauth_counters *counters;     /* of all children; NULL: none */
} certauth_process;

/* CertAuthProfile inside a section, kept with the server around it: httpd
 * finds a section only per request, the handshake has to know before. */
typedef struct {
    int use;                /* or CERTAUTH_USE_OFF */
    int optional;
    int late;               /* not a Location: known only after the file walk */
    int proxy;              /* <Proxy> or <ProxyMatch> */
    const char *file;
    int line;
} certauth_section;

typedef enum { CERTAUTH_REFUSE_UNSET, CERTAUTH_REFUSE_REQUEST,
               CERTAUTH_REFUSE_HANDSHAKE } certauth_refuse_e;
typedef enum { CERTAUTH_INBOUND_UNSET, CERTAUTH_INBOUND_STRIP,
               CERTAUTH_INBOUND_KEEP } certauth_inbound_e;

typedef struct {
    int use;                        /* the server's own CertAuthProfile */
    int optional;
    certauth_refuse_e refuse;
    certauth_inbound_e inbound;
    const char *names;              /* NULL: issuers */
    STACK_OF(X509_NAME) *name_list; /* names is a file: what is in it */
    apr_array_header_t *sections;   /* certauth_section */
    int alternatives;               /* CertAuthAlternative on, somewhere */
} certauth_server_conf;

typedef struct {
    int use;
    int optional;
    int alternative;                /* -1 unset, 0 off, 1 on */
    int preflight;                  /* likewise */
    int report;                     /* a use of its own, or off, or unset */
    ap_expr_info_t *account;        /* CertAuthAccount, or NULL */
    int account_set;
} certauth_dir_conf;

/* Hung on each SSL_CTX: after SNI its ctx tells which server is in force. */
typedef struct {
    server_rec *s;
    certauth_server_conf *sc;
    int handshake_use;      /* profile that judges in the handshake, or unset */
} certauth_ctx;

/* One TLS connection. HTTP/2 requests of one connection run in parallel
 * threads; all of it is behind the mutex once the handshake is over. */
typedef struct {
    conn_rec *c;
    SSL *ssl;
    apr_thread_mutex_t *mutex;
    int settled;                        /* the first handshake is over */
    X509 *leaf;                         /* what the verdicts are about */
    STACK_OF(X509) *sent;
    struct certauth_verdict **verdicts; /* one per use, NULL: none yet */
    enum certauth_reason *logged;       /* one per slot, 0: nothing yet */
    int num;
} certauth_conn;

typedef enum {
    CERTAUTH_STATE_PASSED,          /* accepted, or optional */
    CERTAUTH_STATE_REFUSED,
    CERTAUTH_STATE_ALTERNATIVE,     /* no certificate: another AuthType must */
    CERTAUTH_STATE_ERROR_PAGE       /* the page that tells of our refusal */
} certauth_state_e;

/* What the gate said of one request (also of each sub-request, redirect). */
typedef struct {
    certauth_state_e state;
    int use;                        /* or unset: error page, no profile */
    struct certauth_verdict *verdict;
    int preflight;                  /* let through as nobody */
} certauth_request_rec;

/* mod_certauth.c */
extern certauth_process *certauth_proc;
certauth_server_conf *certauth_server_conf_of(server_rec *s);
certauth_use *certauth_use_at(int use);
/* Takes up changed data, at most once a second over all threads. */
void certauth_poll_sometimes(server_rec *s);
void certauth_poll_now(server_rec *s);

/* mod_certauth_status.c */
void certauth_status_register_hooks(void);
/* In the parent, when the engine is open. */
void certauth_status_open(server_rec *s);

/* mod_certauth_log.c: what is decided is counted, and logged when the level is. */
void certauth_log_verdict(request_rec *r, int slot,
                          const struct certauth_verdict *v);
void certauth_log_handshake(const certauth_conn *cc,
                            const struct certauth_verdict *v);
void certauth_log_report(request_rec *r, const certauth_conn *cc,
                         const struct certauth_verdict *other,
                         const struct certauth_verdict *v);
void certauth_log_rest(server_rec *s);
void certauth_log_notes(server_rec *s);

/* mod_certauth_check.c: fills certauth_proc. A message (one line, with file and
 * line) when the configuration must not be used, NULL when it is sound. */
const char *certauth_check(apr_pool_t *p, server_rec *main_server);
/* Does this server, or a section of it, ever want a certificate? */
int certauth_asks(const certauth_server_conf *sc);
/* The profile for the handshake: the server's own, or else the only one that
 * its sections name. Unset when there is none or there are several. */
int certauth_handshake_use(const certauth_server_conf *sc);

/* mod_certauth_ssl.c */
void certauth_ssl_register_hooks(void);
void certauth_ssl_pre_config(void);
/* Of the TLS connection under `c` (HTTP/2: under its master). NULL: no TLS. */
certauth_conn *certauth_conn_of(conn_rec *c);
/* The server whose SSL_CTX the handshake ended with; NULL: not known. */
certauth_ctx *certauth_conn_ctx(const certauth_conn *cc);
/*
 * The verdict of this connection for one profile, made anew when there is none
 * or it no longer holds. The caller's reference; NULL is a refusal (no memory).
 */
struct certauth_verdict *certauth_conn_verdict(certauth_conn *cc, int use);
/* The same with replies (struct certauth_bytes), always made anew, and the
 * connection's from then on. */
struct certauth_verdict *certauth_conn_judge_with(certauth_conn *cc, int use,
    const apr_array_header_t *replies, unsigned flags);
/* True once for each new reason of this connection and profile: log it now. */
int certauth_conn_news(certauth_conn *cc, int slot, enum certauth_reason reason);
/* Where a later look at the same request is logged: beside the gate's own word for
 * that use, not over it. */
#define CERTAUTH_SLOT_AUTHN(cc, use) ((cc) != NULL ? (cc)->num + (use) : (use))
/* What mod_ssl shall tell of this connection (SSL_CLIENT_VERIFY). */
void certauth_conn_mark(certauth_conn *cc, const struct certauth_verdict *v);

/* mod_certauth_ask.c */
void certauth_ask_register_hooks(void);
/* Takes an undecided verdict over; waits in this thread, to the profile's
 * deadline at most. The caller's reference, never undecided. */
struct certauth_verdict *certauth_settle(request_rec *r, certauth_conn *cc,
                                         int use, struct certauth_verdict *v);

/* mod_certauth_gate.c */
void certauth_gate_register_hooks(void);
certauth_request_rec *certauth_request_of(request_rec *r);
/* For readers of the verdict: the gate's, or made now. Borrowed for the life
 * of the request. NULL: no profile applies. */
const struct certauth_verdict *certauth_request_verdict(request_rec *r);

/* The verdict's reference, given back when the request ends. */
struct certauth_verdict *certauth_own(request_rec *r, struct certauth_verdict *v);

/* mod_certauth_account.c: CertAuthAccount, and of an accepted verdict that of the
 * account asked for (the request's, or a borrowed one as it came). */
const char *certauth_set_account(cmd_parms *cmd, void *dir, const char *text);
struct certauth_verdict *certauth_account(request_rec *r,
                                          const certauth_dir_conf *dc,
                                          struct certauth_verdict *v);

/* mod_certauth_headers.c */
void certauth_headers_register_hooks(void);
int certauth_is_preflight(request_rec *r);
int certauth_passes_as_nobody(request_rec *r);
/* A line when the profile of CertAuthReport says otherwise. Changes nothing. */
void certauth_report(request_rec *r, const certauth_dir_conf *dc,
                     const struct certauth_verdict *v);

/* mod_certauth_authz.c */
void certauth_authz_register(apr_pool_t *p);

#endif
