/*
 * rules_compile.c - what do the ordered rules of a profile say?
 *
 * Reads and refuses what an administrator wrote; asks nobody (rules.c does).
 */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "identity/rules_inside.h"

/* Rules of a profile, compiled: 256 rules of a few KB. */
#define RULES_MAX_BYTES		(64u * 1024 * 1024)
#define RULES_MAX_NAME		64u
#define RULES_MAX_AUTHORITIES	256u

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
	if ((option->key != NULL) != (option->table >= 0))
		return fault(option, option->key != NULL ?
		    "found key without table, expected both" :
		    "found table without key, expected both", error_r);
	if (option->user == NULL && option->key == NULL &&
	    option->web == NULL && option->mail == NULL)
		return fault(option, "found neither user nor key, expected "
		    "user = TEMPLATE, or key = TEMPLATE and table = FILE",
		    error_r);
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
	/* {user} is what the rule found, for `users` to dress. */
	if (template_uses(*template_r, SOURCE_USER) &&
	    (strncmp(setting, "users", 5) != 0 ||
	    (option->user == NULL && option->key == NULL)))
		return fault(option, "found {user}, expected it in users alone, "
		    "beside user or key", error_r);
	/* The rule's strength, its must_exist and its table are of what it found;
	 * a name that is made of something else would have none of them. */
	if (strncmp(setting, "users", 5) == 0 &&
	    (option->user != NULL || option->key != NULL) &&
	    template_has_source(*template_r) &&
	    !template_uses(*template_r, SOURCE_USER))
		return fault(option, "found users without {user} beside user or "
		    "key, expected {user} in it: what the rule found", error_r);
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
	    compile_template(rules, option, "users.web", option->web,
	    TEMPLATE_USER, &rule->web, error_r) &&
	    compile_template(rules, option, "users.mail", option->mail,
	    TEMPLATE_USER, &rule->mail, error_r) &&
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

bool
rules_use_services(const struct rules *rules)
{
	size_t	i;

	for (i = 0; rules != NULL && i < rules->num_rules; i++)
		if (rules->rules[i].web != NULL || rules->rules[i].mail != NULL)
			return true;
	return false;
}

bool
rules_fold_at(const struct rules *rules, size_t i, struct rules_fold *fold_r)
{
	const struct rule	*rule;
	const struct template	*name;

	if (rules == NULL || i >= rules->num_rules)
		return false;
	rule = &rules->rules[i];
	fold_r->rule = rule->name;
	fold_r->table = rule->key != NULL ? rule->table : -1;
	fold_r->lowers_key = rule->key != NULL &&
	    template_folds(rule->key, STEP_LOWER);
	name = rule->key != NULL ? rule->key : rule->user != NULL ? rule->user :
	    rule->web != NULL ? rule->web : rule->mail;
	fold_r->drops_domain = template_folds(name, STEP_LOCAL) &&
	    !template_folds(name, STEP_DOMAIN) &&
	    (rule->when == NULL || !when_pins_domain(rule->when));
	return true;
}
