/*
 * revocation.h - is any link revoked, and how fresh is that knowledge?
 *
 * The door of this room: revocation_data is what is known (one immutable,
 * reference counted state), revocation_check() asks it for one path.
 */
#ifndef CERTAUTH_REVOCATION_REVOCATION_H
#define CERTAUTH_REVOCATION_REVOCATION_H

#include "ask/ask.h"
#include "base/file.h"
#include "trust/cert.h"
#include "trust/pool.h"
#include "verdict/verdict.h"

/* From here on `certauth compile` is advised; over the second a CRL file is
 * taken in compiled form only. */
#define REVOCATION_ADVISE_BYTES	(4u * 1024 * 1024)
#define REVOCATION_MAX_BYTES	(64u * 1024 * 1024)
/* CRL files of one engine. */
#define REVOCATION_MAX_FILES	4096

enum revocation_depth { REVOCATION_CHAIN, REVOCATION_LEAF, REVOCATION_NONE };
enum revocation_unknown { REVOCATION_REFUSE, REVOCATION_ACCEPT };
/* Kinds of data that may be asked for when none is here. */
enum revocation_source { REVOCATION_CRL, REVOCATION_OCSP };
#define REVOCATION_MAX_SOURCES	2

struct revocation_options {
	enum revocation_depth	check;		/* zero is the strictest */
	enum revocation_unknown	unknown;
	int64_t			grace;		/* seconds after nextUpdate */
	int64_t			max_age;	/* seconds after thisUpdate; 0: none */
	int64_t			prolonged;	/* stale data counts until then, by override */
	/* in the order of the policy; none: nobody is asked */
	enum revocation_source	sources[REVOCATION_MAX_SOURCES];
	size_t			num_sources;
};

/* The manifest as it was last looked at, for each kind of file in it. */
struct revocation_seen { struct file_stamp crls, answers; };

/* Where knowledge comes from. All borrowed, must outlive the data. */
struct revocation_sources {
	const struct pool *const *pools;	/* CRL signers are found there */
	size_t			  num_pools;
	const struct file_ref	 *crls;		/* files and folders */
	size_t			  num_crls;
	const struct file_ref	 *state;	/* folder with `current`, or NULL; need not exist */
	const struct file_owners *owners;
	/* from one load to the next, zero before the first; NULL without `state` */
	struct revocation_seen	 *seen;
};

struct revocation_data;

typedef void revocation_remark_fn(void *context, enum certauth_severity,
    const char *file, const char *text);

/*
 * The next state of knowledge. `last` NULL: first load. What did not change on
 * disk is shared with `last`; a CRL that is bad, older, foreign or gone keeps
 * the last good one and remarks it (once per change of the file). NULL only when
 * out of memory. *changed_r: the new state differs from `last`. *failed_r: some
 * new data was refused.
 */
struct revocation_data *revocation_load(const struct revocation_sources *,
    const struct revocation_data *last, revocation_remark_fn *, void *context,
    bool *changed_r, bool *failed_r);
/* CRLs as bytes (the command's --crls): compiled as above, no files kept.
 * An unreadable one is a remark and "no status". */
struct revocation_data *revocation_load_bytes(const struct certauth_bytes *crls,
    size_t num_crls, const struct pool *, revocation_remark_fn *, void *context);
struct revocation_data *revocation_ref(const struct revocation_data *);
void	revocation_free(struct revocation_data *);

/*
 * A CRL may be signed with a key that is not the one that signed the
 * certificate (RFC 5280 6.3.3 (f)): is there a valid path to the same anchor for
 * a certificate with this subject and this key that may sign CRLs? May be NULL:
 * then no such CRL is used.
 */
typedef bool revocation_vouch_fn(void *context,
    const unsigned char subject_sha256[32], const unsigned char spki_sha256[32]);

/*
 * Looks at path[0 .. n-2] as the options say (an anchor is never looked up) and
 * writes findings: revoked / on-hold for the leaf, issuer-revoked for a CA,
 * revocation-unknown and -stale as FATAL or, softened by the options, WARNING.
 * A listed serial refuses at any age of the data. Calls verdict_holds() with the
 * end of the data that was relied on. No allocation beyond the verdict's.
 */
void	revocation_check(const struct revocation_data *,
	    const struct revocation_options *, struct cert *const *path,
	    size_t num_path, int64_t now, revocation_vouch_fn *, void *context,
	    struct certauth_verdict *, int path_no);

/* OCSP responses as they came, unchecked: what the caller brought beside the data.
 * All borrowed. */
#define REVOCATION_MAX_RESPONSES	64
struct revocation_evidence {
	const struct certauth_bytes	*responses;
	size_t				 num_responses;
	/* questions that somebody answered, whatever the answer was */
	const unsigned char	       (*answered)[ASK_ID_BYTES];
	size_t				 num_answered;
};

struct revocation_query {
	const struct revocation_data	*data;		/* NULL: none */
	const struct revocation_options	*options;
	const struct revocation_evidence *evidence;	/* NULL: none */
	int64_t				 now;
	revocation_vouch_fn		*vouch;		/* may be NULL */
	void				*context;
	/* name to ask under when no source has a status; NULL: nobody is asked */
	const char			*authority;
	/* the policy names a place to ask, whatever the certificates say */
	bool				 crl_place, ocsp_place;
};
/*
 * The whole of it, of which revocation_check() has the part without evidence and
 * questions. Sources in the order of the options: the first that has a status
 * decides, a revocation known from any of them refuses, a hold until a newer word
 * lifts it. Where nothing has a status and a place to ask is known, the finding is
 * FATAL whatever `unknown` says, and open (verdict_ask); likewise where an OCSP
 * answer has ended and counts by its grace.
 */
void	revocation_judge(const struct revocation_query *,
	    struct cert *const *path, size_t num_path,
	    struct certauth_verdict *, int path_no);

/* For `certauth check` and the demo: every CRL in force, one at a time. */
struct revocation_row {
	const char	*source;	/* file, or "index crl.3.idx" */
	const char	*issuer;	/* printable RFC 4514 */
	int64_t		 this_update, next_update;	/* next 0: none given */
	size_t		 entries;
	bool		 published;
	bool		 delta, indirect;
};
bool	revocation_row_at(const struct revocation_data *, size_t i,
	    struct revocation_row *);

#endif
