/*
 * verdict.h - the sink that every room writes to, and how it is closed.
 *
 * While open it belongs to one thread. verdict_close() picks the path to tell
 * of, the primary reason and the decision; afterwards nothing changes.
 */
#ifndef CERTAUTH_VERDICT_VERDICT_H
#define CERTAUTH_VERDICT_VERDICT_H

#include <stdarg.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "certauth.h"

/* More than any honest chain gives; further ones are counted, not kept. */
#define VERDICT_MAX_FINDINGS	256
/* Candidate paths kept for the story; the search stops at 64 per authority. */
#define VERDICT_MAX_PATHS	256
/* Questions of one verdict: each certificate of a path under the largest depth. */
#define VERDICT_MAX_QUESTIONS	33
/* A verdict's whole memory. */
#define VERDICT_MAX_BYTES	(4u * 1024 * 1024)

/* Attributes by name; the order is verdict_get's table in verdict.c. */
enum verdict_attr {
	VERDICT_USER, VERDICT_GROUPS, VERDICT_EMAIL, VERDICT_SERIAL,
	VERDICT_ISSUER, VERDICT_SUBJECT, VERDICT_FINGERPRINT, VERDICT_POLICIES,
	VERDICT_DAYS_LEFT, VERDICT_PROFILE, VERDICT_AUTHORITY, VERDICT_RULE,
	VERDICT_ID, VERDICT_NOT_AFTER, VERDICT_RENEWAL, VERDICT_STRENGTH,
	VERDICT_REVOCATION, VERDICT_REVOCATION_FROM,
	VERDICT_ACCOUNTS,
	VERDICT_NUM_ATTRS
};

/* NULL: out of memory. `profile` may be NULL. */
struct certauth_verdict *verdict_new(const struct certauth_profile *profile,
    const char *profile_name, int64_t now, unsigned flags);

struct arena *verdict_arena(struct certauth_verdict *);

/*
 * Records a finding. Severity FATAL makes the path (or, with path -1, the whole
 * question) a refusal; WARNING and NOTE never change the decision. `path` is the
 * number verdict_path_begin() gave. The detail may hold hostile text only where
 * the caller escaped it. Out of memory marks the verdict CERTAUTH_INTERNAL.
 */
void	verdict_add(struct certauth_verdict *, enum certauth_reason,
	    enum certauth_severity, int path, int depth, const char *format, ...)
	    CERTAUTH_PRINTF(6, 7);
#define verdict_fault(v, reason, path, depth, ...) \
	verdict_add(v, reason, CERTAUTH_FATAL, path, depth, __VA_ARGS__)

/* A new candidate path; keeps references. -1: no memory (verdict is marked). */
int	verdict_path_begin(struct certauth_verdict *, STACK_OF(X509) *path,
	    const char *authority);
/* Has that path (or -1: the whole) a FATAL finding? */
bool	verdict_faulty(const struct certauth_verdict *, int path);
/* Does any FATAL finding of that path have this reason? */
bool	verdict_has(const struct certauth_verdict *, int path,
	    enum certauth_reason);

/*
 * questions.c. The FATAL finding recorded last would fall if this question (a
 * whole frame, malloc'ed, taken; NULL: out of memory, marks the verdict) were
 * answered well. A path with open findings alone is UNDECIDED, not refused; so is
 * a question as a whole (path -1) of which no path is known. Over
 * VERDICT_MAX_QUESTIONS the finding stays a plain refusal.
 */
void	verdict_ask(struct certauth_verdict *, unsigned char *frame,
	    size_t frame_len);
/* Does nothing but open findings stand in the way of that path? */
bool	verdict_undecided(const struct certauth_verdict *, int path);
/* It rests on what only this question brought (replies): never to be kept. */
void	verdict_transient(struct certauth_verdict *);
bool	verdict_is_transient(const struct certauth_verdict *);

void	verdict_set(struct certauth_verdict *, enum verdict_attr,
	    const char *printable);
/* The certificate asked about; its names are printed only when somebody looks. */
void	verdict_set_leaf(struct certauth_verdict *, X509 *leaf);
/* The mapped user; bytes already checked by identity/. */
void	verdict_set_user(struct certauth_verdict *, const char *user,
	    const char *groups, const char *rule);
/* account.c. Another user that may be asked for instead; bytes checked likewise,
 * no comma. Over VERDICT_MAX_ACCOUNTS: nobody. */
#define VERDICT_MAX_ACCOUNTS	16
void	verdict_add_account(struct certauth_verdict *, const char *name);
/* The refusal of an ACCEPT, in which the certificate can still be seen. */
struct certauth_verdict *verdict_refuse_as(const struct certauth_verdict *from,
    enum certauth_reason, const char *detail);
/* The certificate's own mailboxes, for certauth_verdict_may_act_as(). */
void	verdict_add_mailbox(struct certauth_verdict *, const char *mailbox,
	    size_t mailbox_len);
/* Narrow the time in which the verdict holds: [from, until). */
void	verdict_holds(struct certauth_verdict *, int64_t from, int64_t until);
/* As long as another one that it stands on (who vouches for a CRL's signer). */
void	verdict_holds_with(struct certauth_verdict *,
	    const struct certauth_verdict *other);
void	verdict_set_generation(struct certauth_verdict *, uint64_t engine,
	    uint64_t generation);
/* Same engine, same generation, and now within what verdict_holds() left. */
bool	verdict_is_current(const struct certauth_verdict *, uint64_t engine,
	    uint64_t generation, int64_t now);
/* A line of the story, kept only under CERTAUTH_EXPLAIN. */
void	verdict_tell(struct certauth_verdict *, const char *format, ...)
	    CERTAUTH_PRINTF(2, 3);

/* chosen: path number that was accepted, or -1. Renumbers findings so that the
 * path told of is 0. Makes text, JSON and explain. */
void	verdict_close(struct certauth_verdict *, int chosen);

/* For explain.c. */
const char *verdict_attr(const struct certauth_verdict *, enum verdict_attr);
const char *verdict_story(const struct certauth_verdict *);
const char *verdict_message(const struct certauth_verdict *);	/* text + detail */
int64_t	    verdict_now(const struct certauth_verdict *);
size_t	    verdict_num_paths(const struct certauth_verdict *);
/* Path i of the closed verdict (0: the one told of); authority may be "". */
STACK_OF(X509) *verdict_path(const struct certauth_verdict *, size_t i,
	    const char **authority_r);
/* explain.c makes them, the caller frees with free(); NULL: out of memory. */
char	   *explain_line(const struct certauth_verdict *);
char	   *explain_json(const struct certauth_verdict *);
char	   *explain_story(const struct certauth_verdict *);

/* reasons.c */
int	reason_rank(enum certauth_reason);
int	reason_stage(enum certauth_reason);
/* The rows of the table, in its order; an unknown reason is CERTAUTH_INTERNAL. */
enum {
	NUM_REASONS = 0
#define REASON(...) + 1
#include "reasons.def"
#undef REASON
};
size_t	reason_index(enum certauth_reason);
enum certauth_reason reason_at(size_t i);

#endif
