/*
 * engine.h - what certauth.c, engine.c, verify.c and setup.c share: the engine.
 *
 * Rules and trust never change after open. Data is an immutable snapshot,
 * reference counted; poll makes the next one and swaps the pointer.
 */
#ifndef CERTAUTH_ENGINE_H
#define CERTAUTH_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>

#include "certauth.h"
#include "config/config.h"
#include "identity/enrolled.h"
#include "trust/sigcache.h"
#include "verdict/cache.h"
#include "verdict/decision.h"
#include "verdict/limit.h"

/* Remarks kept until the host takes them. */
#define ENGINE_MAX_NOTES	64

struct engine_authority {
	char			 *name;
	struct pool		 *pool;
	bool			  has_issuers;	/* some are pinned */
	struct revocation_options revocation;
	const struct config_authority *config;	/* NULL: certauth_open_setup */
};

struct certauth_profile {
	char			*name;
	size_t			*authorities;	/* numbers */
	size_t			 num_authorities;
	struct policy_options	 policy;
	const struct rules	*rules;		/* the config's; NULL: none */
	enum rule_strength	 min_strength;
	int			 denied;	/* live number, -1: none */
	unsigned		 deadline;	/* milliseconds */
	unsigned char		 digest[32];
	STACK_OF(X509_NAME)	*names_issuers, *names_anchors;
};

struct snapshot {
	atomic_uint		 refs;
	uint64_t		 generation;
	struct revocation_data	*revocation;
	struct fetched		*fetched;	/* intermediates; NULL: none */
	struct overrides	*overrides;	/* NULL: none */
	/* one entry per config live file; the other kind's entry is NULL */
	struct table	       **tables;
	struct denied	       **denied;
	size_t			 num_live;
	bool			 timed;	/* some line of them begins or ends */
};

struct certauth {
	pthread_mutex_t		 lock;		/* current, notes */
	pthread_mutex_t		 polling;	/* one poll at a time */
	uint64_t		 id;		/* random: verdicts of another engine are not ours */
	char			*path;
	struct config		*config;	/* NULL: certauth_open_setup */
	struct engine_authority	*authorities;	size_t num_authorities;
	struct certauth_profile	*profiles;	size_t num_profiles;
	struct snapshot		*current;
	struct live_state	*live;	/* of the configuration's; poll only */
	struct file_stamp	 fetched_manifest;	/* likewise */
	struct revocation_seen	 seen;		/* likewise */
	struct file_ref		*crls;		size_t num_crls;	/* borrowed */
	const struct pool      **pools;		/* of all authorities */
	struct certauth_bytes	*responses;	size_t num_responses;	/* setup.c */
	struct verdict_cache	*verdicts;	/* NULL: none is remembered */
	struct sigcache		*signatures;	/* likewise */
	struct file_ref		 refresher;	/* its socket */
	atomic_bool		 asks;		/* it is there */
	_Atomic uint64_t	 num_verdicts;	/* for their ids */
	/* questions, and those of them that were answered before; since they were
	 * last added to the host's counters */
	_Atomic uint64_t	 asked, remembered;
	struct decision_limit	 logged;	/* under `lock` */
	struct file_ref		 test_clock;	/* -DCERTAUTH_TEST */
	struct certauth_note	 notes[ENGINE_MAX_NOTES];
	size_t			 first_note, num_notes, lost_notes;
};

/* What is remembered of a map or denied file between two polls. */
struct live_state {
	struct file_stamp	 stamp;	/* of what was read, or refused */
	bool			 again;	/* our own want: no change is waited for */
	char			*said;	/* of this stamp, last; NULL: nothing */
};

/* verify.c */
/* More certificates than this in one handshake are an attack; the largest
 * honest chain seen has four. */
#define VERIFY_MAX_SENT		32
/* The whole way, from the certificate to a closed verdict. `key` NULL: none was
 * made. *sent_used_r: another chain may lead to another answer. */
struct certauth_verdict *verify_anew(struct certauth *,
	    const struct certauth_request *, int64_t now,
	    const struct verdict_key *, bool *sent_used_r);

/* engine.c */
struct certauth *engine_new(const char *path);		/* NULL: no memory */
void	engine_note(struct certauth *, enum certauth_severity, const char *file,
	    const char *text);
/* CA names of all profiles; after the pools are sealed. False: no memory. */
bool	engine_name_profiles(struct certauth *);
/* First (last NULL) or next snapshot. False: error_r, nothing changed. At the
 * first load a bad map or denied file is an error; later it is a note. */
bool	engine_load(struct certauth *, bool first, bool *changed_r, bool *failed_r,
	    struct certauth_error *error_r);
struct snapshot *engine_snapshot(struct certauth *);	/* a reference */
void	snapshot_free(struct snapshot *);		/* drops one */
struct snapshot *snapshot_new(size_t num_live);

/* waiting.c */
void	engine_find_refresher(struct certauth *);

/* Authorities that may know an issuer that is missing. */
#define REPLIES_MAX_ORPHANS	4
/* replies.c: what a host brought to one question. Borrows from its request. */
struct replies {
	struct revocation_evidence	 evidence;
	struct certauth_bytes		 responses[REVOCATION_MAX_RESPONSES];
	unsigned char			 answered[ASK_MAX_QUESTIONS][ASK_ID_BYTES];
	bool				 may_ask, final;
	struct certauth_bytes		 orphans[REPLIES_MAX_ORPHANS];
	size_t				 num_orphans;
};
void	replies_read(struct replies *, const struct certauth *,
	    const struct certauth_request *, struct certauth_verdict *);
/* The query of one authority, without vouch and context. */
void	replies_query(const struct replies *, const struct engine_authority *,
	    const struct revocation_data *, int64_t now,
	    struct revocation_query *query_r);
/* Under that authority the issuer of `orphan` is missing. */
void	replies_orphan(struct replies *, const struct engine_authority *,
	    const struct cert *orphan, bool is_leaf);
/* Asks for those issuers: the finding recorded last is open. */
void	replies_ask_issuers(struct replies *, struct certauth_verdict *);
/* After the search; `chosen` the accepted path or -1. What was said for want of an
 * answer holds for so many seconds: a connection must not keep it until its end. */
#define REPLIES_MAKESHIFT_AGE	5
void	replies_hold(const struct replies *, struct certauth_verdict *, int chosen,
	    int64_t now);
void	replies_free(struct replies *);

/* renewal.c: a NO_USER of somebody whose former certificate a map knows becomes
 * NEW_KEY, with the line that would let the new one in. */
void	renewal_explain(struct rules_answer *, const struct snapshot *,
	    const struct cert *leaf, const char *authority, const char *profile,
	    struct arena *);

/* refresh.c: did that CA sign this, with a key we use at all? */
bool	engine_signed_by(const struct policy_options *floors, const struct cert *,
	    const struct cert *issuer);
bool	engine_may_issue(const struct cert *);

/* describe.c */
void	describe_leaf(struct certauth_verdict *, const struct cert *leaf,
	    const struct policy_options *, int64_t now);
/* `denied` NULL: nobody is. */
void	describe_accounts(struct certauth_verdict *, const struct rules_answer *,
	    const struct denied *, const struct cert *leaf, int64_t now);

/* certauth.c */
int64_t	engine_clock(const struct certauth *);	/* may be NULL */

#endif
