/*
 * applied.h - the policy in force: a generation that `certauth apply` published, or
 * the file itself.
 *
 * FILE.applied/ holds the generations, one file each, written once, and `current`,
 * which names the one in force by number and SHA-256. No `current`: the file is in
 * force. A generation holds the policy file, what it includes, and the anchors,
 * issuers and intermediates that it names.
 */
#ifndef CERTAUTH_CONFIG_APPLIED_H
#define CERTAUTH_CONFIG_APPLIED_H

#include "base/bundle.h"

#define APPLIED_SUFFIX		".applied"
#define APPLIED_CURRENT		"current"
#define APPLIED_MAX_NUMBER	999999999u
/* The bytes of the bundle, and a path beside each of its files. */
#define APPLIED_MAX_BYTES	(2 * BUNDLE_MAX_BYTES)
#define APPLIED_BY_BYTES	64
#define APPLIED_NAME_BYTES	32

struct applied {
	unsigned	number;
	unsigned	replaces;	/* what was in force before; 0: the file */
	int64_t		time;		/* when it was applied */
	char		by[APPLIED_BY_BYTES];		/* printable */
	unsigned char	sha256[32];	/* of all in its file but the first line */
	/* Its root is the folder of the policy file. */
	struct bundle	bundle;
};

enum applied_found {
	APPLIED_BAD,		/* error_r: neither it nor the file may be used */
	APPLIED_NONE,		/* the file is in force */
	APPLIED_FOUND
};

/* What `current` says. */
enum applied_found applied_current(const char *conf,
	    const struct file_owners *, unsigned *number_r,
	    unsigned char sha256_r[32], struct certauth_error *error_r);
/* The generation in force. Free it when FOUND. */
enum applied_found applied_in_force(const char *conf,
	    const struct file_owners *, struct applied *applied_r,
	    struct certauth_error *error_r);
/* The one whose file is called `name`, in force or not. */
bool	applied_read(const char *conf, const char *name,
	    const struct file_owners *, struct applied *applied_r,
	    struct certauth_error *error_r);
void	applied_free(struct applied *);			/* zeroed allowed */

/* The folder of the policy file, absolute, without "/" at the end; the caller's. NULL:
 * error_r. */
char	*applied_root(const char *conf, struct certauth_error *error_r);
/* What is written into the two kinds of files; ->failed: out of memory. The first
 * fills in the SHA-256. */
void	applied_print(struct applied *, struct text *);
void	applied_print_current(unsigned number, const unsigned char sha256[32],
	    struct text *);
/* The number that a generation's file is called by, 0: another file. */
unsigned applied_number(const char *name);

#endif
