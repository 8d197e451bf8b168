/*
 * renewal.c - is this unknown key the renewed certificate of somebody known?
 *
 * A renewal makes a new key, so a map of keys refuses it. What the map keeps
 * beside the old key (identity/enrolled.h) tells it from a stranger's: the same
 * name, certified by the same authority. It stays refused; the reason and the log
 * say what an administrator may add.
 */

#include <string.h>

#include "engine.h"
#include "identity/lines.h"

struct search {
	const struct snapshot		*data;
	const struct rules_miss		*miss;
	const char			*authority;
	struct table_entry		 found;		/* user NULL: nobody */
	const char			*name;
	bool				 others;
};

static void
look_for(void *context, const char *name, size_t name_len)
{
	struct search		*s = context;
	struct table_entry	 entry;
	bool			 others;

	if (!enrolled_find(s->data->tables[s->miss->table], s->authority, name,
	    name_len, &entry, &others))
		return;
	/* Two names, two people: whose renewal it is cannot be said. */
	s->others |= others || (s->found.user != NULL &&
	    strcmp(s->found.user, entry.user) != 0);
	s->found = entry;
	s->name = name;
}

/* The line as it would stand in the map; "" when it cannot be shown as it is. */
static const char *
ready_line(const struct search *s, const struct cert *leaf, struct arena *arena)
{
	struct enrolled_mark	 mark = { .authority = s->authority,
				    .same = s->name, .issuer = "",
				    .ends = leaf->not_after };
	struct text		 line = { 0 }, shown = { 0 };
	const char		*out;

	enrolled_print(&line, s->miss->key, s->found.user, s->found.groups,
	    &mark, s->miss->continuity);
	if (line.len > 0)
		line.data[line.len - 1] = '\0';		/* its end */
	text_add_printable(&shown, line.data, line.len > 0 ? line.len - 1 : 0,
	    LINES_MAX_LINE);
	out = line.failed || shown.failed || strcmp(line.data, shown.data) != 0 ?
	    NULL : arena_printf(arena, ", or the line: %s", shown.data);
	text_free(&line);
	text_free(&shown);
	return out != NULL ? out : "";
}

static const char *
explain(const struct search *s, const struct cert *leaf, const char *profile,
    struct arena *arena)
{
	char	name[256], user[256];

	text_printable(name, sizeof(name), s->name, strlen(s->name));
	text_printable(user, sizeof(user), s->found.user,
	    strlen(s->found.user));
	if (s->others)
		return arena_printf(arena, "rule %s: \"%s\" is enrolled for \"%s\" "
		    "and for others with other keys; see `certauth map enroll "
		    "--profile %s`", s->miss->rule, name, user, profile);
	if (s->miss->num_keys != 1)
		return arena_printf(arena, "rule %s: \"%s\" is enrolled for \"%s\" "
		    "with another key; see `certauth map enroll --profile %s`",
		    s->miss->rule, name, user, profile);
	return arena_printf(arena, "rule %s: \"%s\" is enrolled for \"%s\" with "
	    "another key. To let this one in: certauth map enroll --profile %s "
	    "--user %s CERT%s", s->miss->rule, name, user,
	    profile, user, ready_line(s, leaf, arena));
}

void
renewal_explain(struct rules_answer *answer, const struct snapshot *data,
    const struct cert *leaf, const char *authority, const char *profile,
    struct arena *arena)
{
	struct search	 s = { .data = data, .authority = authority };
	const char	*detail;
	size_t		 i;

	if (answer->reason != CERTAUTH_NO_USER)
		return;
	for (i = 0; i < answer->num_misses && s.found.user == NULL; i++) {
		s.miss = &answer->misses[i];
		if (s.miss->table < 0 ||
		    (size_t)s.miss->table >= data->num_live ||
		    data->tables[s.miss->table] == NULL)
			continue;
		enrolled_names(leaf, s.miss->continuity, arena, look_for, &s);
	}
	if (s.found.user == NULL)
		return;
	detail = explain(&s, leaf, profile, arena);
	if (detail == NULL)
		return;
	answer->reason = CERTAUTH_NEW_KEY;
	answer->detail = detail;
}
