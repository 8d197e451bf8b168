/* rules_inside.h - private to rules.c and rules_compile.c: rules, compiled. */
#ifndef CERTAUTH_IDENTITY_RULES_INSIDE_H
#define CERTAUTH_IDENTITY_RULES_INSIDE_H

#include "identity/rules.h"
#include "identity/template.h"
#include "identity/when.h"

struct rule {
	const char		*name;
	const char	       **authorities;
	size_t			 num_authorities;
	const struct when	*when;			/* NULL: always */
	const char		*when_text;
	const struct template	*user, *key, *groups;
	const struct template	*web, *mail;	/* users */
	int			 table, must_exist;
	enum rule_miss		 on_miss;
	const char		*continuity;
};

struct rules {
	struct arena	*arena;
	struct rule	*rules;
	size_t		 num_rules;
};

#endif
