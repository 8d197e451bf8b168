/*
 * certauth_family.h - public door 2: the CAs of one family, as facts.
 *
 * A manifest says who they are by SHA-256; the folders of a policy get no other
 * certificate. For the command only; never for a server module. No network.
 */
#ifndef CERTAUTH_FAMILY_H
#define CERTAUTH_FAMILY_H

#include "certauth.h"

/* Ceilings of a manifest; GlobalSign's has 112 CAs and 6 groups. */
#define FAMILY_MAX_BYTES	(1u * 1024 * 1024)
#define FAMILY_MAX_CAS		4096u
#define FAMILY_MAX_GROUPS	32u
#define FAMILY_MAX_PROFILES	64u
#define FAMILY_MAX_URLS		8u
#define FAMILY_MAX_POLICIES	32u

enum family_role {
	FAMILY_APART,		/* known, and never taken */
	FAMILY_ANCHOR,
	FAMILY_ISSUER,		/* may sign the certificates of people */
	FAMILY_INTERMEDIATE	/* helps to build a path */
};

/* Borrowed strings: they live as long as the family. */
struct family_ca {
	const char	*name;
	enum family_role role;
	bool		 retired;
	uint32_t	 groups;	/* bit n: group n */
	unsigned char	 sha256[32], key_sha256[32];
	unsigned char	 ski[64];	size_t ski_len;		/* 0: none */
	int64_t		 not_before, not_after;
	const char	*urls[FAMILY_MAX_URLS];	size_t num_urls;
	const char	*policies[FAMILY_MAX_POLICIES];	size_t num_policies;
	unsigned	 line;
};
struct family_group { const char *name, *title; };
struct family_profile { const char *name; uint32_t groups; };

struct certauth_family {
	const char	*name, *as_of;
	struct family_ca *cas;		size_t num_cas;
	struct family_group groups[FAMILY_MAX_GROUPS];	size_t num_groups;
	struct family_profile profiles[FAMILY_MAX_PROFILES];
	size_t		 num_profiles;
	char		*text;		/* owned */
};

/* Any bytes; `file` for messages, borrowed for the call. NULL: error_r. */
struct certauth_family *certauth_family_parse(const char *file,
	    const void *data, size_t data_len, struct certauth_error *error_r);
/* The file, which belongs to whom it may (INTERFACE 1). NULL: error_r. */
struct certauth_family *certauth_family_open(const char *file,
	    struct certauth_error *error_r);
void	certauth_family_free(struct certauth_family *);	/* NULL allowed */
/* NULL: not of the family. */
const struct family_ca *certauth_family_find(const struct certauth_family *,
	    const unsigned char sha256[32]);

/* ------------------------------------------------------------------ folders */

/*
 * Below a folder: GROUP/anchors, GROUP/issuers, GROUP/intermediates, one file for
 * each certificate. Writers hold a lock in it.
 */
enum family_word {
	FAMILY_TAKEN,		/* written now */
	FAMILY_HAD,		/* there already */
	FAMILY_LEFT,		/* known, and not taken: apart, or retired */
	FAMILY_UNKNOWN,		/* no certificate of the family */
	FAMILY_UNREADABLE,	/* nothing in it could be read */
	FAMILY_MISSING,		/* current, in a group that is in use, not there */
	FAMILY_ENDING,		/* ends within FAMILY_SOON */
	FAMILY_SUPERSEDED,	/* there, but ended or retired */
	FAMILY_OWN,		/* there, and not of the family: accepted by hand */
	FAMILY_WRONG,		/* there, and must not be: apart, or in a wrong folder */
	FAMILY_NEW,		/* diff: like one of ours, and not in the manifest */
	FAMILY_REVOKED,		/* diff: current in the manifest, revoked in the record */
	FAMILY_GONE,		/* diff: current in the manifest, not in the record */
	FAMILY_OTHER		/* diff: another under the same anchors */
};
const char *certauth_family_word(enum family_word);	/* "taken", ... */
#define FAMILY_SOON	((int64_t)90 * 86400)

/* Borrowed for the call; printable. */
struct family_line {
	enum family_word word;
	const char	*sha256;	/* hex; "" where there is no certificate */
	const char	*name, *group, *file, *text;
};
typedef void certauth_family_fn(void *context, const struct family_line *);

/*
 * Takes from the file (PEM, DER, PKCS#7, or a CSV of the Common CA Database with
 * a PEM column) what the manifest names as current. `data` NULL: it is read.
 * False: error_r; what was written stays, each file whole.
 */
bool	certauth_family_import(const struct certauth_family *, const char *folder,
	    const char *file, const void *data, size_t data_len,
	    certauth_family_fn *, void *context, struct certauth_error *error_r);
/* What is missing, ending, superseded, or should not be there. */
bool	certauth_family_check(const struct certauth_family *, const char *folder,
	    int64_t now, certauth_family_fn *, void *context,
	    struct certauth_error *error_r);
/* What a CSV of the Common CA Database says and the manifest does not. */
bool	certauth_family_diff(const struct certauth_family *, const char *csv,
	    certauth_family_fn *, void *context, struct certauth_error *error_r);
/* Groups that have an anchor and an issuer there: bit n, group n. */
uint32_t certauth_family_ready(const struct certauth_family *, const char *folder);
/* Writes a whole file (0644), never half of one. */
bool	certauth_family_write(const char *folder, const char *name,
	    const void *data, size_t data_len, struct certauth_error *error_r);

/* --------------------------------------------------- CAs that are not listed */

/* One that stands under an anchor of an authority and is not among its `issuers`. */
struct certauth_pending {
	char	 sha256[65], authority[64];
	char	 name[256], anchor_of[256];	/* RFC 4514: it, and its issuer */
	int64_t	 not_after;
};
/*
 * Those that the refresher fetched because a certificate named them. What clients
 * bring along is remembered nowhere but in the servers' logs. False: past the end.
 */
bool	certauth_pending_at(struct certauth *, size_t i, struct certauth_pending *);

/*
 * Writes that certificate into the first folder of the authority's `issuers`. It is
 * looked for among what was fetched, the pools, and the files. `authority` NULL: the
 * only one it fits. `family` NULL: none; what it says is apart is refused. False:
 * error_r, errno EINVAL unless something could not be read or written. *path_r: the
 * file.
 */
bool	certauth_accept_issuer(struct certauth *, const struct certauth_family *,
	    const unsigned char sha256[32], const char *authority,
	    const char *const *files, size_t num_files, char *path_r,
	    size_t path_size, struct certauth_error *error_r);

#endif
