/*
 * directives.h - which settings are there, and what did the typist mean?
 *
 * directives.def as a table. Immutable; any thread.
 */
#ifndef CERTAUTH_CONFIG_DIRECTIVES_H
#define CERTAUTH_CONFIG_DIRECTIVES_H

#include <stdbool.h>
#include <stddef.h>

/* Letters of the issues whose settings exist. */
#define DIRECTIVES_DONE	"FRIO"

enum directive_section {
	SECTION_TOP, SECTION_AUTHORITY, SECTION_REVOCATION, SECTION_PROFILE,
	SECTION_KEYS, SECTION_RENEWAL, SECTION_RULE, SECTION_USERS,
	SECTION_LOG,
	SECTION_COUNT
};

enum directive_type {
	TYPE_INT, TYPE_BOOL, TYPE_STRING, TYPE_WORD, TYPE_DURATION, TYPE_FILE,
	TYPE_STRINGS, TYPE_FILES,	/* lists of strings */
	TYPE_AUTHORITIES, TYPE_PROFILES,/* named groups */
	TYPE_REVOCATION, TYPE_KEYS, TYPE_RENEWAL, TYPE_USERS, TYPE_LOG, /* one group */
	TYPE_RULES,			/* list of groups */
	TYPE_GROUP_LATER		/* of an issue to come */
};

struct directive {
	enum directive_section	 section;
	const char		*name;
	enum directive_type	 type;
	bool			 required;
	const char		*fallback;	/* as written, NULL: none */
	char			 issue;
	const char		*help;
};

/* Every row that is done, in the order of directives.def: the first (NULL) or the
 * one behind; NULL past the end. */
const struct directive *directive_next(const struct directive *);
/* NULL: unknown, or of an issue to come. */
const struct directive *directive_find(enum directive_section,
    const char *name);
/* True when the row says that "" is allowed and means none. */
bool	directive_may_be_empty(const struct directive *);

/* "the top level", "an authority", ...: static. */
const char *directive_section_name(enum directive_section);
/* The name in that section that looks most like `name`; NULL: none does. */
const char *directive_suggest(enum directive_section, const char *name);
/* Another section that has a setting of exactly this name; SECTION_COUNT: none. */
enum directive_section directive_elsewhere(enum directive_section,
    const char *name);
/* The word most like `word` when it is close enough to be meant, else NULL. */
const char *directive_closest(const char *word, const char *const *words,
    size_t num_words);

#endif
