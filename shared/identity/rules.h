/*
 * rules.h - who is it? Ordered rules, compiled once.
 *
 * The first rule whose authorities and `when` match decides, unless its lookup
 * misses and says "next". No value that the client typed is ever looked at.
 */
#ifndef CERTAUTH_IDENTITY_RULES_H
#define CERTAUTH_IDENTITY_RULES_H

#include "base/arena.h"
#include "identity/table.h"
#include "trust/cert.h"

#define RULES_MAX		256
/* Values that one template may expand to (mailboxes of one certificate). */
#define RULES_MAX_VALUES	64
#define RULES_MAX_USER_LEN	255
/* Accounts of one certificate beside its user; more are nobody's. */
#define RULES_MAX_ALSO		16

/* How surely a rule's name is one person's: docs/mapping.md. */
enum rule_strength {
	STRENGTH_NONE, STRENGTH_WEAK, STRENGTH_MEDIUM, STRENGTH_STRONG
};

enum rule_miss { RULE_MISS_REFUSE, RULE_MISS_NEXT };

/* One rule as written; strings borrowed for rules_compile() only. */
struct rule_options {
	const char	*name;
	const char *const *authorities;	/* empty: every one of the profile's */
	size_t		 num_authorities;
	const char	*when;		/* NULL: always */
	const char	*user;		/* template; or NULL with key + table */
	const char	*web, *mail;	/* users: templates, {user} what was found */
	const char	*key;		/* template looked up in `table` */
	int		 table;		/* number in the tables array, -1: none */
	int		 must_exist;	/* likewise */
	enum rule_miss	 on_miss;
	const char	*groups;	/* template, or NULL: from the table */
	const char	*continuity;	/* enrolled.h; NULL: san.email */
	const char	*file;		/* for messages */
	unsigned	 line;
};

struct rules;

/* NULL: error_r says which rule, what was found and what was expected. */
struct rules *rules_compile(const struct rule_options *, size_t num,
    struct certauth_error *error_r);
void	rules_free(struct rules *);

/* A key that its table does not have. */
#define RULES_MAX_MISSES	8
struct rules_miss {
	const char	*rule, *key, *continuity;	/* in the arena */
	size_t		 num_keys;	/* values that the certificate gave */
	int		 table;
};
/* Does a rule look keys up in that table? NULL: none does. */
bool	rules_use_table(const struct rules *, int table);

/* Has one of them names for the web or for mail (users)? */
bool	rules_use_services(const struct rules *);

struct rules_answer {
	/* OK, NO_USER, AMBIGUOUS_USER, BAD_NAME, DATA_MISSING, INTERNAL */
	enum certauth_reason reason;
	const char	*user, *groups, *rule;	/* in the arena; "" when none */
	/* Who it is before `users` dresses the name for the service: whoever is
	 * denied under this name is denied at every door. "" when none. */
	const char	*found;
	/* Accounts that may be asked for instead (also=), dressed as `user` is, and
	 * as they were found. */
	struct rules_account { const char *user, *found; } also[RULES_MAX_ALSO];
	size_t		 num_also;
	const char	*strength;	/* weak, medium, strong; static */
	/* printable, for the finding; of a good answer only if it was told */
	const char	*detail;
	struct rules_miss misses[RULES_MAX_MISSES];	/* in the order asked */
	size_t		 num_misses;
};
typedef void rules_tell_fn(void *context, const char *line);

/* All borrowed for the length of the call. */
struct rules_query {
	const struct cert  *cert;
	const char	   *authority;
	bool		    pinned;	/* that authority lists its issuers */
	const char	   *service;	/* "http", "imap", ...; NULL: none */
	enum rule_strength  min_strength;
	struct table *const *tables;	/* by number; a NULL entry refuses */
	size_t		    num_tables;
	int64_t		    now;
	/* NULL, or gets one printable line per rule tried, what it extracted and
	 * what came of it. */
	rules_tell_fn	   *tell;
	void		   *context;
};

/* No rules at all (num 0): reason OK and user "". `rules` NULL: INTERNAL. */
void	rules_ask(const struct rules *, const struct rules_query *,
	    struct arena *, struct rules_answer *answer_r);
/* The same of no service, under no pinned issuer, whatever the strength. */
void	rules_map(const struct rules *, const struct cert *, const char *authority,
	    struct table *const *tables, size_t num_tables, int64_t now,
	    struct arena *, rules_tell_fn *tell, void *context,
	    struct rules_answer *answer_r);
/* How the i-th rule may take two people for one; false: past the end. */
struct rules_fold {
	const char	*rule;
	int		 table;		/* of `key`; -1: none */
	bool		 lowers_key;	/* keys that differ in case are one */
	bool		 drops_domain;	/* the user is before the @, of any domain */
};
bool	rules_fold_at(const struct rules *, size_t i, struct rules_fold *);
/* Name of the first rule that is never so strong; NULL: none. */
const char *rules_too_weak(const struct rules *, enum rule_strength min);

#endif
