/*
 * source.h - one thing that a certificate says: `san.email`, `subject.OU[2]`,
 * `serial.dec`. And its values.
 *
 * Typed values only, taken from the decoded certificate; no printed name is ever
 * taken apart. Used by templates and by `when`.
 */
#ifndef CERTAUTH_IDENTITY_SOURCE_H
#define CERTAUTH_IDENTITY_SOURCE_H

#include "base/arena.h"
#include "identity/mailbox.h"
#include "identity/rules.h"
#include "trust/cert.h"

/* DER bytes of an attribute's OID; longer ones are refused when compiled. */
#define SOURCE_MAX_OID		64u
#define SOURCE_MAX_NAME		96u
/* Attributes of a subject that are looked at; more is no person. */
#define SOURCE_MAX_ENTRIES	1024
/* Different sources that one certificate may be asked for. */
#define SOURCE_MAX_CACHED	512u
/* A whole name is longer than a user may be. */
#define SOURCE_MAX_DN		2000u
#define SOURCE_MAX_POSITION	99

enum source_kind {
	SOURCE_NONE,		/* zero has no value */
	SOURCE_SAN_EMAIL, SOURCE_SAN_UPN, SOURCE_SAN_URI, SOURCE_SAN_DNS,
	SOURCE_SAN_OTHER,	/* otherName of that OID */
	SOURCE_ATTRIBUTE,	/* of a name */
	SOURCE_DN,		/* a whole name */
	SOURCE_SERIAL, SOURCE_SPKI_SHA256, SOURCE_SPKI_SHA1,
	SOURCE_CERT_SHA256, SOURCE_SKI, SOURCE_SID,
	SOURCE_POLICY, SOURCE_CLASS, SOURCE_EKU, SOURCE_KEY_USAGE,
	SOURCE_KEY_TYPE, SOURCE_KEY_BITS, SOURCE_LIFETIME, SOURCE_AUTHORITY,
	SOURCE_USER		/* what the rule found, in `users` */
};
enum source_where { WHERE_SUBJECT, WHERE_ISSUER, WHERE_SAN };
enum source_form {
	FORM_PLAIN,
	FORM_COLON, FORM_DEC, FORM_REVERSED,			/* serial */
	FORM_RFC4514, FORM_NGINX, FORM_APACHE, FORM_ONELINE,	/* whole names */
	FORM_AD, FORM_SHA256, FORM_NORMAL
};

struct source {
	enum source_kind  kind;
	enum source_where where;	/* ATTRIBUTE, DN */
	enum source_form  form;		/* SERIAL, DN */
	int		  position;	/* ATTRIBUTE: 1 first, -1 last, 0 all */
	unsigned char	  oid[SOURCE_MAX_OID];	/* ATTRIBUTE, OTHER */
	size_t		  oid_len;
	char		  name[SOURCE_MAX_NAME];	/* as written, for messages */
};

struct value { const char *data; size_t data_len; };
struct values {
	struct value	 items[RULES_MAX_VALUES];
	size_t		 num_items;
	/* Not NULL: a value that must not be used, so that nothing may be
	 * decided from this source; printable, in the arena or static. */
	const char	*fault;
	bool		 no_memory;
};

/* Exactly this word? False: it is no source, *source_r is undefined. */
bool	source_parse(const char *word, size_t word_len, struct source *source_r);
/* Known words, for "did you mean"; the last is NULL. */
const char *const *source_words(void);

bool	source_equal(const struct source *, const struct source *);
/* May a certificate have several values of it? */
bool	source_is_san(const struct source *);
/* Is the value a mailbox, its domain folded? */
bool	source_is_mailbox(const struct source *);
/* Hexadecimal: no mailbox, no letters to fold. */
bool	source_is_hex(const struct source *);
/* A whole number: it may be compared with < and >. */
bool	source_is_number(const struct source *);

/* How surely it is one person's: see docs/mapping.md. `pinned`: the authority
 * lists the CAs that may issue. */
enum rule_strength source_strength(const struct source *, bool pinned);

/* What one certificate says, each source read once. */
struct extractor {
	const struct cert	*cert;
	struct arena		*arena;
	const char		*authority;	/* NULL: not known */
	struct value		 user;		/* SOURCE_USER */
	struct cached		*cached;
	size_t			 num_cached;
};
/* Never NULL. Lives as long as the arena. SOURCE_USER is read anew each time. */
const struct values *source_values(struct extractor *, const struct source *);

#endif
