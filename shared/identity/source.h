/*
 * source.h - one thing that a certificate says: `san.email|domain|lower`.
 *
 * Typed values only, taken from the decoded certificate; no printed name is ever
 * taken apart. Used by templates and by `when`.
 */
#ifndef CERTAUTH_IDENTITY_SOURCE_H
#define CERTAUTH_IDENTITY_SOURCE_H

#include "base/arena.h"
#include "identity/rules.h"
#include "trust/cert.h"

/* DER bytes of an attribute's OID; longer ones are refused when compiled. */
#define SOURCE_MAX_OID		64u
#define SOURCE_MAX_NAME		96u
/* Attributes of a subject that are looked at; more is no person. */
#define SOURCE_MAX_ENTRIES	1024
/* Different sources that one certificate may be asked for. */
#define SOURCE_MAX_CACHED	512u

enum source_kind {
	SOURCE_NONE,		/* zero has no value */
	SOURCE_SAN_EMAIL, SOURCE_SAN_UPN, SOURCE_SAN_URI, SOURCE_SAN_DNS,
	SOURCE_SUBJECT,
	SOURCE_SERIAL, SOURCE_SPKI_SHA256, SOURCE_CERT_SHA256, SOURCE_SKI
};
enum source_part { PART_WHOLE, PART_LOCAL, PART_DOMAIN };

struct source {
	enum source_kind kind;
	unsigned char	 oid[SOURCE_MAX_OID];	/* SOURCE_SUBJECT */
	size_t		 oid_len;
	char		 name[SOURCE_MAX_NAME];	/* as written, for messages */
};
/* A source and its transforms; these three say all that lower, local and domain
 * can, in whichever order they were written. */
struct expression {
	struct source	 source;
	enum source_part part;
	bool		 lower;
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

/*
 * "san.email|local|lower" or the alias spelling "san.email.local.lower". False:
 * error_r says what was found and expected (column: in `text`, 1 first).
 */
bool	expression_parse(const char *text, size_t text_len,
	    struct expression *expression_r, struct certauth_error *error_r);

bool	source_equal(const struct source *, const struct source *);
/* May a certificate have several values of it? */
bool	source_is_san(const struct source *);
/* Is the value a mailbox, its domain folded? */
bool	source_is_mailbox(const struct source *);
/* Hexadecimal: no mailbox, no letters to fold. */
bool	source_is_hex(const struct source *);

/* What one certificate says, each source read once. */
struct extractor {
	const struct cert	*cert;
	struct arena		*arena;
	struct cached		*cached;
	size_t			 num_cached;
};
/* Never NULL. Lives as long as the arena. */
const struct values *source_values(struct extractor *, const struct source *);

/* The part the expression asks for, a slice of `in`. False: it has none, as local
 * and domain of what is not one plain mailbox. Lower case is left to the caller. */
bool	expression_part(const struct expression *, const struct value *in,
	    struct value *out_r);

/*
 * Folds the domain of a mailbox in place: exactly one `@`, something on both
 * sides. Anything else stays as it is.
 */
void	mailbox_fold(char *data, size_t data_len);

#endif
