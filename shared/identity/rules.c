/*
 * rules.c - who is it?
 *
 * Compiles the ordered rules of a profile and asks them one after the other. The
 * first whose authorities and `when` match decides; only a lookup that misses
 * may pass the question on, and only when the rule says so.
 */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "identity/rules.h"
#include "identity/template.h"
#include "identity/when.h"

/* Rules of a profile, compiled: 256 rules of a few KB. */
#define RULES_MAX_BYTES		(64u * 1024 * 1024)
#define RULES_MAX_NAME		64u
#define RULES_MAX_AUTHORITIES	256u
/* Groups of one person, joined. */
#define RULES_MAX_GROUPS_LEN	4096u

struct rule {
	const char		*name;
	const char	       **authorities;
	size_t			 num_authorities;
	const struct when	*when;			/* NULL: always */
	const char		*when_text;
	const struct template	*user, *key, *groups;
	int			 table, must_exist;
	enum rule_miss		 on_miss;
	const char		*continuity;
};

struct rules {
	struct arena	*arena;
	struct rule	*rules;
	size_t		 num_rules;
};

/* --------------------------------------------------------------- compiling */

/* Puts "rule NAME, SETTING:" before a message of the parsers below. */
static void
wrap_error(const struct rule_options *option, const char *setting,
    const char *text, struct certauth_error *error_r)
{
	struct certauth_error	inner;
	char			name[160], shown[160];

	if (error_r == NULL)
		return;
	inner = *error_r;
	text_printable(name, sizeof(name), option->name, strlen(option->name));
	if (inner.column == 0) {
		error_set(error_r, option->file, option->line,
		    "rule \"%s\", %s: %.300s", name, setting, inner.text);
		return;
	}
	text_printable(shown, sizeof(shown), text, strlen(text));
	error_set(error_r, option->file, option->line,
	    "rule \"%s\", %s = \"%s\", column %u: %.300s", name, setting, shown,
	    inner.column, inner.text);
	error_r->column = inner.column;
}

static bool
fault(const struct rule_options *option, const char *text,
    struct certauth_error *error_r)
{
	char	name[160];

	text_printable(name, sizeof(name), option->name, strlen(option->name));
	error_set(error_r, option->file, option->line, "rule \"%s\": %s", name,
	    text);
	return false;
}

/* The name goes into logs and variables as it is. */
static bool
name_is_plain(const char *name)
{
	char	shown[4 * RULES_MAX_NAME + 1];
	size_t	len = strlen(name);

	if (len == 0 || len > RULES_MAX_NAME)
		return false;
	return strcmp(text_printable(shown, sizeof(shown), name, len), name) == 0;
}

static bool
options_check(const struct rule_options *options, size_t i,
    struct certauth_error *error_r)
{
	const struct rule_options	*option = &options[i];
	size_t				 j;

	if (option->name == NULL || !name_is_plain(option->name)) {
		error_set(error_r, option->file, option->line, "found %s, "
		    "expected a rule with a name of 1 to 64 printable bytes",
		    option->name == NULL ? "no name" : "another name");
		return false;
	}
	for (j = 0; j < i; j++)
		if (strcmp(options[j].name, option->name) == 0)
			return fault(option, "found the name a second time, "
			    "expected each rule to have its own", error_r);
	if (option->user != NULL && (option->key != NULL || option->table >= 0))
		return fault(option, "found user and key or table, expected "
		    "either user, or key and table", error_r);
	if (option->user == NULL && (option->key == NULL || option->table < 0))
		return fault(option, option->key != NULL ?
		    "found key without table, expected both" :
		    option->table >= 0 ?
		    "found table without key, expected both" :
		    "found neither user nor key, expected user = TEMPLATE, or "
		    "key = TEMPLATE and table = FILE", error_r);
	if (option->num_authorities > RULES_MAX_AUTHORITIES)
		return fault(option, "found more authorities, expected at most "
		    "256", error_r);
	return true;
}

static bool
compile_template(struct rules *rules, const struct rule_options *option,
    const char *setting, const char *text, enum template_use use,
    const struct template **template_r, struct certauth_error *error_r)
{
	if (text == NULL)
		return true;
	*template_r = template_compile(text, use, rules->arena, error_r);
	if (*template_r == NULL) {
		wrap_error(option, setting, text, error_r);
		return false;
	}
	if (use == TEMPLATE_KEY && !template_has_source(*template_r))
		return fault(option, "found a key that is the same for every "
		    "certificate, expected a source in it, as {san.email}",
		    error_r);
	return true;
}

static bool
compile_rule(struct rules *rules, const struct rule_options *option,
    struct rule *rule, struct certauth_error *error_r)
{
	size_t	i;

	rule->table = option->table;
	rule->must_exist = option->must_exist;
	rule->on_miss = option->on_miss;
	rule->name = arena_string(rules->arena, option->name);
	rule->continuity = arena_string(rules->arena,
	    option->continuity != NULL ? option->continuity : "san.email");
	if (rule->continuity == NULL)
		return fault(option, "out of memory", error_r);
	rule->authorities = arena_array(rules->arena, option->num_authorities,
	    sizeof(*rule->authorities));
	if (rule->name == NULL || rule->authorities == NULL)
		return fault(option, "out of memory", error_r);
	for (i = 0; i < option->num_authorities; i++) {
		rule->authorities[i] = arena_string(rules->arena,
		    option->authorities[i]);
		if (rule->authorities[i] == NULL)
			return fault(option, "out of memory", error_r);
		rule->num_authorities++;
	}
	if (option->when != NULL) {
		rule->when = when_compile(option->when, rules->arena, error_r);
		if (rule->when == NULL) {
			wrap_error(option, "when", option->when, error_r);
			return false;
		}
		rule->when_text = arena_string(rules->arena, option->when);
		if (rule->when_text == NULL)
			return fault(option, "out of memory", error_r);
	}
	return compile_template(rules, option, "user", option->user,
	    TEMPLATE_USER, &rule->user, error_r) &&
	    compile_template(rules, option, "key", option->key, TEMPLATE_KEY,
	    &rule->key, error_r) &&
	    compile_template(rules, option, "groups", option->groups,
	    TEMPLATE_GROUPS, &rule->groups, error_r);
}

struct rules *
rules_compile(const struct rule_options *options, size_t num,
    struct certauth_error *error_r)
{
	struct rules	*rules = NULL;
	size_t		 i;
	bool		 ok = false;

	if (num > RULES_MAX) {
		error_set(error_r, options[RULES_MAX].file,
		    options[RULES_MAX].line,
		    "found %zu rules, expected at most %d", num, RULES_MAX);
		return NULL;
	}
	rules = calloc(1, sizeof(*rules));
	if (rules == NULL ||
	    (rules->arena = arena_new(RULES_MAX_BYTES)) == NULL ||
	    (rules->rules = arena_array(rules->arena, num,
	    sizeof(*rules->rules))) == NULL) {
		error_set(error_r, NULL, 0, "out of memory");
		goto out;
	}
	for (i = 0; i < num; i++) {
		if (!options_check(options, i, error_r) ||
		    !compile_rule(rules, &options[i], &rules->rules[i], error_r))
			goto out;
		rules->num_rules++;
	}
	ok = true;
out:
	if (!ok) {
		rules_free(rules);
		return NULL;
	}
	return rules;
}

void
rules_free(struct rules *rules)
{
	if (rules == NULL)
		return;
	arena_free(rules->arena);
	free(rules);
}

bool
rules_use_table(const struct rules *rules, int table)
{
	size_t	i;

	for (i = 0; rules != NULL && i < rules->num_rules; i++)
		if (rules->rules[i].key != NULL && rules->rules[i].table == table)
			return true;
	return false;
}

/* ------------------------------------------------------------------ asking */

/* One question: all that is the same for every rule. */
struct question {
	struct extractor	 extractor;
	const char		*authority;
	struct table *const	*tables;
	size_t			 num_tables;
	int64_t			 now;
	rules_tell_fn		*tell;
	void			*context;
	struct rules_answer	*answer;
};

enum outcome { OUTCOME_DECIDED, OUTCOME_MISS, OUTCOME_PASS };

/* The end of the story for one rule: tells it and keeps it for the finding. */
static enum outcome
conclude(struct question *q, const struct rule *rule, enum outcome outcome,
    enum certauth_reason reason, const char *detail)
{
	char	*line, *name;

	line = arena_printf(q->extractor.arena, "rule %s: %s", rule->name,
	    detail != NULL ? detail : "out of memory");
	/* The answer outlives the rules. */
	name = arena_string(q->extractor.arena, rule->name);
	if (name == NULL)
		line = NULL;
	if (q->tell != NULL)
		q->tell(q->context, line != NULL ? line : "out of memory");
	if (outcome == OUTCOME_PASS)
		return outcome;
	q->answer->reason = line != NULL ? reason : CERTAUTH_INTERNAL;
	q->answer->detail = line != NULL ? line : "out of memory";
	q->answer->rule = name != NULL ? name : "";
	return line != NULL ? outcome : OUTCOME_DECIDED;
}

static bool
authority_matches(const struct rule *rule, const char *authority)
{
	size_t	i;

	if (rule->num_authorities == 0)
		return true;
	for (i = 0; authority != NULL && i < rule->num_authorities; i++)
		if (strcmp(rule->authorities[i], authority) == 0)
			return true;
	return false;
}

/* NULL: not loaded; that refuses, as no data is not "not in the data". */
static const struct table *
table_of(const struct question *q, int number)
{
	if (number < 0 || q->tables == NULL || (size_t)number >= q->num_tables)
		return NULL;
	return q->tables[number];
}

/* Adds the comma-separated groups that are not there yet, without blanks round
 * them ("staff, mail" in a template). */
static bool
groups_add(struct text *out, const char *groups)
{
	const char	*name, *comma, *at;
	size_t		 len, n;
	bool		 there;

	for (name = groups; *name != '\0'; name = comma + (*comma == ',')) {
		comma = name + strcspn(name, ",");
		while (*name == ' ')
			name++;
		for (len = (size_t)(comma - name); len > 0 &&
		    name[len - 1] == ' '; len--)
			;
		there = len == 0;
		for (at = out->data; !there && at != NULL && *at != '\0';
		    at += n + (at[n] == ',')) {
			n = strcspn(at, ",");
			there = n == len && memcmp(at, name, n) == 0;
		}
		if (there)
			continue;
		if (out->len > 0)
			text_add_n(out, ",", 1);
		text_add_n(out, name, len);
	}
	return !out->failed && out->len <= RULES_MAX_GROUPS_LEN;
}

/*
 * Which of the values lead to a user? All that do must lead to the same one;
 * those that lead nowhere do not matter.
 */
static enum outcome
look_up(struct question *q, const struct rule *rule,
    const struct template_results *results, const char **user_r,
    struct text *groups)
{
	const struct table	*table = NULL, *exist = NULL;
	struct table_entry	 entry;
	const struct value	*value;
	size_t			 i;

	*user_r = NULL;
	if (rule->key != NULL && (table = table_of(q, rule->table)) == NULL)
		return conclude(q, rule, OUTCOME_DECIDED, CERTAUTH_DATA_MISSING,
		    "its table is not loaded");
	if (rule->must_exist >= 0 &&
	    (exist = table_of(q, rule->must_exist)) == NULL)
		return conclude(q, rule, OUTCOME_DECIDED, CERTAUTH_DATA_MISSING,
		    "its must_exist table is not loaded");
	for (i = 0; i < results->num_items; i++) {
		value = &results->items[i];
		entry.user = value->data;
		entry.groups = "";
		if (table != NULL && !table_lookup(table, value->data,
		    value->data_len, q->now, &entry))
			continue;
		if (exist != NULL && !table_has(exist, entry.user,
		    strlen(entry.user), q->now))
			continue;
		if (*user_r != NULL && strcmp(*user_r, entry.user) != 0) {
			char	one[256], other[256];

			return conclude(q, rule, OUTCOME_DECIDED,
			    CERTAUTH_AMBIGUOUS_USER,
			    arena_printf(q->extractor.arena,
			    "the names of the certificate lead to \"%s\" and "
			    "to \"%s\"", text_printable(one, sizeof(one),
			    *user_r, strlen(*user_r)), text_printable(other,
			    sizeof(other), entry.user, strlen(entry.user))));
		}
		*user_r = entry.user;
		if (!groups_add(groups, entry.groups))
			return conclude(q, rule, OUTCOME_DECIDED, groups->failed ?
			    CERTAUTH_INTERNAL : CERTAUTH_BAD_NAME,
			    "its groups have more than 4096 bytes");
	}
	return OUTCOME_PASS;
}

static enum outcome
fill_groups(struct question *q, const struct rule *rule, struct text *groups)
{
	struct template_results	results;
	size_t			i;

	switch (template_fill(rule->groups, rule->when, &q->extractor, &results)) {
	case TEMPLATE_BAD:
		return conclude(q, rule, OUTCOME_DECIDED, CERTAUTH_BAD_NAME,
		    results.detail);
	case TEMPLATE_AMBIGUOUS:
		return conclude(q, rule, OUTCOME_DECIDED,
		    CERTAUTH_AMBIGUOUS_USER, results.detail);
	case TEMPLATE_NO_MEMORY:
		return conclude(q, rule, OUTCOME_DECIDED, CERTAUTH_INTERNAL,
		    NULL);
	case TEMPLATE_NONE:
		return OUTCOME_PASS;	/* nobody's group */
	case TEMPLATE_FILLED:
		break;
	}
	for (i = 0; i < results.num_items; i++)
		if (!groups_add(groups, results.items[i].data))
			return conclude(q, rule, OUTCOME_DECIDED, groups->failed ?
			    CERTAUTH_INTERNAL : CERTAUTH_BAD_NAME,
			    "its groups have more than 4096 bytes");
	return OUTCOME_PASS;
}

/* "{san.email} gave "a@b", "c@d"": for people who ask why. */
static const char *
show_results(struct question *q, const struct template *template,
    const struct template_results *results)
{
	struct text	 out = { 0 };
	const char	*shown;
	size_t		 i;

	text_add_printable(&out, template_text(template),
	    strlen(template_text(template)), 256);
	text_add(&out, " gives");
	for (i = 0; i < results->num_items && i < 8; i++) {
		text_add(&out, i == 0 ? " \"" : ", \"");
		text_add_printable(&out, results->items[i].data,
		    results->items[i].data_len, 128);
		text_add(&out, "\"");
	}
	if (i < results->num_items)
		text_add(&out, ", ...");
	shown = out.failed ? NULL : arena_string(q->extractor.arena, out.data);
	text_free(&out);
	return shown != NULL ? shown : "";
}

static enum outcome
miss(struct question *q, const struct rule *rule, const char *why)
{
	bool	next = rule->on_miss == RULE_MISS_NEXT;

	return conclude(q, rule, next ? OUTCOME_MISS : OUTCOME_DECIDED,
	    CERTAUTH_NO_USER, arena_printf(q->extractor.arena, "%s%s", why,
	    next ? "; the next rule is asked" : ""));
}

/* Who renews a certificate has another key: renewal.c looks for the old one. */
static void
note_miss(struct question *q, const struct rule *rule,
    const struct template_results *results)
{
	struct rules_miss	*m = &q->answer->misses[q->answer->num_misses];

	if (rule->key == NULL || q->answer->num_misses == RULES_MAX_MISSES)
		return;
	m->table = rule->table;
	m->num_keys = results->num_items;
	m->key = arena_string_n(q->extractor.arena, results->items[0].data,
	    results->items[0].data_len);
	/* The answer outlives the rules. */
	m->rule = arena_string(q->extractor.arena, rule->name);
	m->continuity = arena_string(q->extractor.arena, rule->continuity);
	if (m->key != NULL && m->rule != NULL && m->continuity != NULL)
		q->answer->num_misses++;
}

/* The rule speaks of this certificate: what does it say? */
static enum outcome
decide(struct question *q, const struct rule *rule)
{
	const struct template	*template;
	struct template_results	 results;
	struct text		 groups = { 0 };
	const char		*user, *what, *shown;
	char			 name[4 * RULES_MAX_USER_LEN + 1];
	enum outcome		 outcome;

	template = rule->key != NULL ? rule->key : rule->user;
	switch (template_fill(template, rule->when, &q->extractor, &results)) {
	case TEMPLATE_BAD:
		return conclude(q, rule, OUTCOME_DECIDED, CERTAUTH_BAD_NAME,
		    results.detail);
	case TEMPLATE_AMBIGUOUS:
		return conclude(q, rule, OUTCOME_DECIDED,
		    CERTAUTH_AMBIGUOUS_USER, results.detail);
	case TEMPLATE_NO_MEMORY:
		return conclude(q, rule, OUTCOME_DECIDED, CERTAUTH_INTERNAL,
		    NULL);
	case TEMPLATE_NONE:
		return miss(q, rule, results.detail);
	case TEMPLATE_FILLED:
		break;
	}
	shown = show_results(q, template, &results);
	outcome = look_up(q, rule, &results, &user, &groups);
	if (outcome != OUTCOME_PASS)
		goto out;
	if (user == NULL) {
		note_miss(q, rule, &results);
		what = arena_printf(q->extractor.arena, "%s, which %s", shown,
		    rule->key != NULL ? rule->must_exist >= 0 ?
		    "the tables do not lead to a user for" :
		    "is not in the table" : "must_exist does not list");
		outcome = what != NULL ? miss(q, rule, what) : conclude(q, rule,
		    OUTCOME_DECIDED, CERTAUTH_INTERNAL, NULL);
		goto out;
	}
	if (rule->groups != NULL) {
		text_free(&groups);
		outcome = fill_groups(q, rule, &groups);
		if (outcome != OUTCOME_PASS)
			goto out;
	}
	q->answer->user = arena_string(q->extractor.arena, user);
	q->answer->groups = arena_string(q->extractor.arena,
	    groups.data != NULL ? groups.data : "");
	outcome = conclude(q, rule, OUTCOME_DECIDED,
	    q->answer->user != NULL && q->answer->groups != NULL ?
	    CERTAUTH_OK : CERTAUTH_INTERNAL, arena_printf(q->extractor.arena,
	    "%s: the user is \"%s\"", shown,
	    text_printable(name, sizeof(name), user, strlen(user))));
out:
	text_free(&groups);
	return outcome;
}

static enum outcome
ask_rule(struct question *q, const struct rule *rule)
{
	const char	*why = NULL;
	char		 shown[256];

	if (!authority_matches(rule, q->authority))
		return conclude(q, rule, OUTCOME_PASS, CERTAUTH_NO_USER,
		    "is for other authorities");
	if (rule->when == NULL)
		return decide(q, rule);
	switch (when_ask(rule->when, &q->extractor, NULL, NULL, &why)) {
	case WHEN_TRUE:
		return decide(q, rule);
	case WHEN_FALSE:
		text_printable(shown, sizeof(shown), rule->when_text,
		    strlen(rule->when_text));
		return conclude(q, rule, OUTCOME_PASS, CERTAUTH_NO_USER,
		    arena_printf(q->extractor.arena, "`%s` is not so", shown));
	case WHEN_BAD:
		break;
	}
	/* Whether the rule speaks of this certificate cannot be said, so no
	 * later rule may speak in its place. */
	return conclude(q, rule, OUTCOME_DECIDED,
	    why != NULL ? CERTAUTH_BAD_NAME : CERTAUTH_INTERNAL, why);
}

void
rules_map(const struct rules *rules, const struct cert *cert,
    const char *authority, struct table *const *tables, size_t num_tables,
    int64_t now, struct arena *arena, rules_tell_fn *tell, void *context,
    struct rules_answer *answer_r)
{
	struct question	q = { { .cert = cert, .arena = arena,
			    .authority = authority }, authority, tables,
			    num_tables, now, tell, context, answer_r };
	enum outcome	outcome = OUTCOME_PASS;
	bool		missed = false;
	size_t		i;

	memset(answer_r, 0, sizeof(*answer_r));
	answer_r->user = answer_r->groups = answer_r->rule = "";
	answer_r->detail = "out of memory";
	answer_r->reason = CERTAUTH_INTERNAL;
	if (rules == NULL || cert == NULL || arena == NULL) {
		answer_r->detail = "there are no rules to ask";
		return;
	}
	if (rules->num_rules == 0) {
		answer_r->reason = CERTAUTH_OK;
		answer_r->detail = "the profile has no identity rules";
		return;
	}
	for (i = 0; i < rules->num_rules && outcome != OUTCOME_DECIDED; i++) {
		outcome = ask_rule(&q, &rules->rules[i]);
		missed = missed || outcome == OUTCOME_MISS;
	}
	if (outcome != OUTCOME_DECIDED) {
		answer_r->reason = CERTAUTH_NO_USER;
		if (!missed)
			answer_r->detail =
			    "no identity rule speaks of this certificate";
	}
	if (answer_r->reason != CERTAUTH_OK)
		answer_r->user = answer_r->groups = "";
	if (answer_r->user == NULL || answer_r->groups == NULL)
		answer_r->user = answer_r->groups = "";
}
