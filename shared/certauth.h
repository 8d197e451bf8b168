/*
 * certauth.h - public door 1: ask "may this certificate in, and as whom?"
 *
 * The only header a server module may include. The library behind it opens no
 * socket, starts no thread, installs no signal handler, keeps no global and
 * writes no log: what it has to say is in a verdict, a certauth_error or a
 * certauth_note.
 *
 * Refuse by default: a NULL verdict, the value zero of each enum, and every
 * reason but CERTAUTH_OK mean "no".
 */
#ifndef CERTAUTH_H
#define CERTAUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#if defined(__GNUC__)
#define CERTAUTH_PRINTF(f, a)	__attribute__((format(printf, f, a)))
#else
#define CERTAUTH_PRINTF(f, a)
#endif

struct certauth;		/* engine: rules, trust, current data */
struct certauth_profile;	/* one named rule set, borrowed from its engine */
struct certauth_verdict;	/* one answer, owned by whoever asked */

/*
 * Where a configuration or data fault is. Filled by the functions that take
 * one, caller's storage. `line` 0: no line applies. `text` is one printable
 * line that says what was found, what was expected and what to do.
 */
struct certauth_error {
	char		file[256];
	unsigned	line;
	unsigned	column;
	char		text[512];
};

/* ------------------------------------------------------------------ reasons */

/*
 * One number per reason, never reused (reasons.def has the whole row).
 * REASON(number, symbol, slug, rank, stage, x509, http, nginx, imap, flags,
 *        text, mend)
 */
enum certauth_reason {
#define REASON(number, symbol, ...) CERTAUTH_##symbol = number,
#include "reasons.def"
#undef REASON
};

/* All: static storage; an unknown reason is treated as CERTAUTH_INTERNAL. */
const char *certauth_reason_slug(enum certauth_reason);
enum certauth_reason certauth_reason_find(const char *slug);
const char *certauth_reason_text(enum certauth_reason);	/* one sentence */
const char *certauth_reason_mend(enum certauth_reason);	/* what to do */
int	    certauth_reason_x509(enum certauth_reason);	/* X509_V_ERR_* */
int	    certauth_reason_http(enum certauth_reason);	/* 403, 503, 421 ... */
int	    certauth_reason_nginx(enum certauth_reason);/* 495, 496, 403 ... */
const char *certauth_reason_imap(enum certauth_reason);	/* RFC 5530 code */
/* True: no other proof of identity (a password) may replace this refusal. */
bool	    certauth_reason_final(enum certauth_reason);
/* True: the certificate is not at fault, our own data or code is. */
bool	    certauth_reason_ours(enum certauth_reason);
/* True: a TLS alert can say it. No alert says that a good certificate may not enter
 * (no-user, denied ...): a handshake lets it by, and the request is refused. */
bool	    certauth_reason_alert(enum certauth_reason);
/* True: anybody can have it a thousand times a second; not an error in a log. */
bool	    certauth_reason_anybody(enum certauth_reason);

/* ------------------------------------------------------------------- engine */

/*
 * Reads the policy file `conf` and everything it names; where a generation of it was
 * applied, that one instead of the file. NULL after filling
 * `error_r` (file, line, what was expected). The caller frees the engine with
 * certauth_free(). Stale or missing revocation data is not an error; a missing,
 * empty, unreadable or wrongly owned policy file, anchor, map or denied file is.
 * Call it in the master before fork: all directories that poll needs later are
 * opened here, so the engine survives chroot and the loss of privilege.
 */
struct certauth *certauth_open(const char *conf, struct certauth_error *error_r);

/* NULL allowed. No other thread may use the engine; verdicts may outlive it. */
void certauth_free(struct certauth *);

enum certauth_news {
	CERTAUTH_NEWS_FAILED,	/* some new data was bad; the last good stays */
	CERTAUTH_NEWS_NONE,
	CERTAUTH_NEWS_TAKEN	/* a new generation is in force */
};

/*
 * Looks whether CRL files, published indexes, maps or denied files changed and
 * takes them up; never the policy file, profiles or anchors. Call it about once
 * a second. Any thread, beside any number of certauth_verify(); a second caller
 * at the same time gets NEWS_NONE at once. FAILED fills `error_r` with the first
 * fault; all faults and advice are also queued as notes.
 */
enum certauth_news certauth_poll(struct certauth *, struct certauth_error *error_r);

enum certauth_severity { CERTAUTH_NOTE, CERTAUTH_WARNING, CERTAUTH_FATAL };

/*
 * Takes the oldest queued remark about our own data (an unreadable member, a CRL
 * that was refused, "run certauth compile"). False: none left. Any thread. Call
 * it in a loop after open and after each poll that was not NEWS_NONE and log
 * each line: CERTAUTH_WARNING and FATAL at the server's warning/error level. The
 * queue is bounded; remarks over its size are counted in a last one.
 */
struct certauth_note {
	enum certauth_severity	severity;
	char			text[768];	/* printable, one line, with file */
};
bool certauth_take_note(struct certauth *, struct certauth_note *note_r);

/* Counts up with each data change. Any thread. */
uint64_t certauth_generation(const struct certauth *);

/* Borrowed until certauth_free(). NULL: no profile of that name. */
const struct certauth_profile *certauth_profile_find(const struct certauth *,
    const char *name);
/* The i-th profile of the file, NULL past the end. */
const struct certauth_profile *certauth_profile_at(const struct certauth *,
    size_t i);
const char *certauth_profile_name(const struct certauth_profile *);
/* Path of the policy file, for messages. Borrowed. */
const char *certauth_conf_path(const struct certauth *);

enum certauth_names { CERTAUTH_NAMES_ISSUERS, CERTAUTH_NAMES_ANCHORS };

/*
 * CA names for the CertificateRequest: NAMES_ISSUERS gives pinned issuers,
 * intermediates that may issue, and anchors; NAMES_ANCHORS the anchors alone.
 * Owned by the profile; duplicate it (SSL_dup_CA_list) before giving it away.
 */
STACK_OF(X509_NAME) *certauth_profile_get0_ca_names(
    const struct certauth_profile *, enum certauth_names);

/*
 * SHA-256 over everything that decides in this profile (settings, anchors,
 * issuers): the same over restarts and processes, another as soon as one
 * setting changes. For SSL_CTX_set_session_id_context.
 */
void certauth_profile_digest(const struct certauth_profile *,
    unsigned char digest_r[32]);

/* ----------------------------------------------------------------- question */

struct certauth_bytes { const unsigned char *data; size_t data_len; };

#define CERTAUTH_EXPLAIN	0x01u	/* collect the story of every path */
#define CERTAUTH_FINAL		0x02u	/* undecided becomes the profile's answer */

/* Zero it first. Everything is borrowed for the length of the call. */
struct certauth_request {
	const struct certauth_profile *profile;	/* NULL refuses: data-missing */
	X509		*leaf;		/* NULL: none was sent */
	STACK_OF(X509)	*sent;		/* NULL: resumed session. May contain
					   the leaf itself, it is skipped */
	int64_t		 now;		/* seconds since 1970; 0: the clock */
	const char	*service;	/* "http", "imap", "pop3", ... or NULL */
	const char	*host;		/* virtual host, for the log, or NULL */
	unsigned	 flags;
	/* What the refresher said to earlier questions: whole frames, any bytes
	 * (checked here). Keep adding; none is asked twice. */
	const struct certauth_bytes *replies;	size_t num_replies;
};

/*
 * The decision, in one call, from local data only. NULL: out of memory, which
 * refuses like CERTAUTH_INTERNAL. Free with certauth_verdict_free(). Any number
 * of threads. Leaves the caller's OpenSSL error queue as it was.
 */
struct certauth_verdict *certauth_verify(struct certauth *,
    const struct certauth_request *);

/*
 * Waiting. An UNDECIDED verdict (never in a request with CERTAUTH_FINAL) has
 * questions that would settle it. The host writes them as they are to the
 * refresher's socket, waits in its own way until as many frames came back or the
 * profile's deadline is over, calls certauth_poll(), and asks again with all the
 * replies so far; UNDECIDED again: the same once more, CERTAUTH_MAX_ROUNDS in all.
 * No socket, no answer, no time left: once more with CERTAUTH_FINAL, and the
 * policy's rule decides. A host that does not wait treats UNDECIDED as REJECT.
 */
#define CERTAUTH_MAX_ROUNDS	3
/* Whole frames, borrowed from the verdict. 0 unless UNDECIDED. */
size_t		certauth_verdict_questions(const struct certauth_verdict *,
		    const struct certauth_bytes **);
/* Length of the reply frame that begins at `data`: 0 when more bytes are needed
 * to know, CERTAUTH_FRAME_BAD when it is none (close the connection). */
#define CERTAUTH_FRAME_BAD	((size_t)-1)
size_t		certauth_frame_length(const unsigned char *data, size_t data_len);
/* Longest wait for all rounds of one decision, milliseconds. */
unsigned	certauth_profile_deadline(const struct certauth_profile *);
/* Absolute path of the refresher's unix socket. Borrowed; "" when there is no
 * policy file. A process that will be chrooted opens its folder beforehand. */
const char     *certauth_refresher(const struct certauth *);

/*
 * A REJECT verdict for what only the host can see: no-tls, early-data,
 * misdirected, data-missing when no engine could be opened. `profile` may be
 * NULL. `detail` may be NULL, any bytes, is escaped. NULL: out of memory.
 */
struct certauth_verdict *certauth_refuse(const struct certauth_profile *profile,
    enum certauth_reason, const char *detail);

/* Another owner of the same verdict (threads of one HTTP/2 connection). */
struct certauth_verdict *certauth_verdict_ref(struct certauth_verdict *);
void certauth_verdict_free(struct certauth_verdict *);	/* NULL allowed */

/* ------------------------------------------------------------------- answer */
/* Closed verdicts never change; every pointer lives as long as the verdict. */

enum certauth_decision { CERTAUTH_REJECT, CERTAUTH_UNDECIDED, CERTAUTH_ACCEPT };

struct certauth_finding {
	enum certauth_reason	 reason;
	enum certauth_severity	 severity;
	int			 path;	/* 0: the path shown, -1: no path */
	int			 depth;	/* 0: the leaf, -1: no one certificate */
	const char		*detail;/* printable UTF-8, one line; never parse */
};

/* All of these take NULL as a REJECT with CERTAUTH_INTERNAL. */
enum certauth_decision certauth_verdict_decision(const struct certauth_verdict *);
enum certauth_reason   certauth_verdict_reason(const struct certauth_verdict *);
/* The mapped user of an ACCEPT; "" otherwise, and when no rule maps. */
const char     *certauth_verdict_user(const struct certauth_verdict *);
/* leaf first, anchor last; of a REJECT the best path tried, or NULL. */
STACK_OF(X509) *certauth_verdict_get0_path(const struct certauth_verdict *);
size_t		certauth_verdict_findings(const struct certauth_verdict *,
		    const struct certauth_finding **);
const struct certauth_profile *certauth_verdict_profile(
		    const struct certauth_verdict *);
/* One line for a log; the contract of INTERFACE 3 as JSON; the whole story. */
const char     *certauth_verdict_text(const struct certauth_verdict *);
const char     *certauth_verdict_json(const struct certauth_verdict *);
const char     *certauth_verdict_explain(const struct certauth_verdict *);
/* The path search as graphviz input, and the whole as one page of HTML with the
 * picture in it. The caller frees with free(); NULL: out of memory. More of the
 * story is told with CERTAUTH_EXPLAIN. */
char	       *certauth_verdict_dot(const struct certauth_verdict *);
char	       *certauth_verdict_html(const struct certauth_verdict *);
/*
 * One attribute as text, NULL when unknown name, "" when it has no value:
 * verdict (accept, reject, none), reason, message, user, groups (comma), email,
 * serial, issuer, subject, fingerprint, policies (comma), days_left, not_after
 * (RFC 3339), renewal (due: valid, time to renew; overdue: expired, its CA still
 * renews it; or ""), profile, authority, rule, strength (weak, medium, strong; or ""),
 * id, revocation (crl, ocsp: what the leaf's status rests on; or ""), revocation_from
 * (its thisUpdate, RFC 3339), accounts (comma: who he may also ask to be). "none" is
 * the verdict of a request without certificate.
 */
const char     *certauth_verdict_get(const struct certauth_verdict *,
		    const char *name);

/*
 * The decision log: one line for one decision, as the policy's `log` wants it (text
 * or JSON, names or hashes), to be printed behind "certauth: " in the server's own
 * log. The caller frees with free(). NULL: none is due, as there were too many of
 * its kind in the last seconds (they are counted), or out of memory. All pointers of
 * the event may be NULL and may hold any bytes. `engine` NULL: text, no limit. `now`
 * 0: the clock. Any thread. Call it once for each connection and change.
 */
struct certauth_event {
	const char	*server;	/* "nginx", "apache", "dovecot" */
	const char	*service;	/* as in the request */
	const char	*host;		/* virtual host */
	const char	*client;	/* address */
	bool		 resumed;	/* the session was */
	unsigned	 waited;	/* milliseconds for revocation data */
};
char	       *certauth_decision(struct certauth *, const struct certauth_verdict *,
		    const struct certauth_event *, int64_t now);
/* The same of a profile that is only tried out (`other`), beside what is in force
 * (`v`): "report: profile P would say ...". Not limited. */
char	       *certauth_decision_report(struct certauth *,
		    const struct certauth_verdict *other,
		    const struct certauth_verdict *v,
		    const struct certauth_event *, int64_t now);
/* A line about refusals that were not logged and whose ten seconds are over; NULL:
 * none (left). Free with free(). Call it in a loop after each poll. */
char	       *certauth_decision_rest(struct certauth *, int64_t now);

/*
 * Counters of decisions, in memory that the host shares between its processes:
 * certauth_counters_size() bytes, 8-aligned, zeroes at first. Profiles and reasons
 * are all that they are told apart by: never people, nothing a client can invent.
 * Numbers only grow; with the memory they begin again.
 *
 * Open it in one process at a time, before those that count are forked; memory that
 * was opened before (a reload) goes on counting. Rows are made for the profiles of
 * `engine` (NULL: none yet). NULL: something else is in that memory.
 */
struct certauth_counters;
size_t		certauth_counters_size(void);
struct certauth_counters *certauth_counters_open(void *memory,
		    const struct certauth *engine);
/*
 * Counts one decision: where certauth_decision() is called, whether or not it has a
 * line. NULL as first argument: nothing. Any thread, any process, no lock.
 */
void		certauth_counters_add(struct certauth_counters *,
		    struct certauth *, const struct certauth_verdict *,
		    const struct certauth_event *, int64_t now);
/* All of them as Prometheus text (CERTAUTH_METRICS_TYPE) or JSON; `server` as in the
 * event. The caller frees with free(); NULL: out of memory. */
#define CERTAUTH_METRICS_TYPE	"text/plain; version=0.0.4; charset=utf-8"
char	       *certauth_counters_text(const struct certauth_counters *,
		    const char *server);
char	       *certauth_counters_json(const struct certauth_counters *,
		    const char *server);
/* The next count over zero, for a host's own page; `cursor` 0 at first. False: that
 * was all. A decision without profile has "" there, borrowed as all of it. */
struct certauth_count {
	const char	       *profile;
	enum certauth_reason	reason;
	uint64_t		count;
};
bool		certauth_counters_next(const struct certauth_counters *,
		    size_t *cursor, struct certauth_count *count_r);

/*
 * For a backend: the leaf of an ACCEPT as RFC 9440 writes the field Client-Cert, or
 * with `chain` the rest of the validated path, anchor included, as
 * Client-Cert-Chain. The caller frees with free(). NULL: no ACCEPT, nothing to
 * tell, over CERTAUTH_FORWARD_MAX bytes (most servers take no longer header), or
 * out of memory.
 */
#define CERTAUTH_FORWARD_MAX	((size_t)16 * 1024)
char	       *certauth_verdict_forward(const struct certauth_verdict *,
		    bool chain);
/*
 * Is it the name of a header in which a proxy tells an application who somebody is?
 * No client may send it. In any case; `_` is `-`, as CGI and WSGI cannot tell them
 * apart.
 */
bool		certauth_header_is_ours(const char *name, size_t name_len);

/*
 * May the verdict still be used at `now` (0: the clock)? False when the data
 * changed or something on the path has begun, ended or gone stale since.
 */
bool certauth_verdict_current(const struct certauth *,
    const struct certauth_verdict *, int64_t now);

/*
 * The name the client asks to act as (SASL authzid, what a web application sends),
 * `name_len` bytes, any bytes: who he is then, borrowed. The mapped user of an
 * ACCEPT when it is empty or one of the certificate's own mailboxes; that very name
 * when it is the mapped user or an account that the map allows beside it (also=).
 * NULL: he is not. may_act_as: is there one?
 */
const char *certauth_verdict_account(const struct certauth_verdict *,
    const char *name, size_t name_len);
bool certauth_verdict_may_act_as(const struct certauth_verdict *,
    const char *name, size_t name_len);
/* True when `name` is exactly the mapped user of an ACCEPT, or such an account. */
bool certauth_verdict_is_user(const struct certauth_verdict *,
    const char *name, size_t name_len);
/*
 * The verdict of him who asks so: the same (a reference), one of the same kind in
 * which `user` is the account, or a refusal (wrong-user). A REJECT stays what it
 * is. The caller frees it. NULL: out of memory, which refuses.
 */
struct certauth_verdict *certauth_verdict_as(struct certauth_verdict *,
    const char *name, size_t name_len);

/*
 * Does the leaf of an ACCEPT carry this subject alternative name? `type` is
 * "email", "upn", "uri" or "dns"; another type is false. Compared as RFC 5280
 * says: the domain of a mailbox and a dns name without regard to case (ASCII),
 * the local part and all else exactly; no wildcards. Compares the raw bytes, so
 * a name with a NUL never matches. False for a REJECT, NULL and no such name.
 */
bool certauth_verdict_has_san(const struct certauth_verdict *,
    const char *type, const char *value);

/*
 * A place that asks for more than the profile: is `word` one of the ACCEPT's
 * "groups" or "policies", or its "authority" or "user"? Exactly; false for
 * everybody else and for "". And the refusal (not-permitted) of such a verdict, in
 * which the certificate can still be seen; `detail` as of certauth_refuse(). NULL:
 * out of memory, which refuses.
 */
bool certauth_verdict_has(const struct certauth_verdict *, const char *name,
    const char *word);
struct certauth_verdict *certauth_verdict_not_permitted(
    const struct certauth_verdict *, const char *detail);

/* "certauth 0.1.0"; and, in a build with fixed times for tests only, true. */
const char *certauth_version(void);
bool certauth_is_test_build(void);

#endif
