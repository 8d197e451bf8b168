/*
 * exchange_sssd_out.c - identity rules as SSSD's ([certmap/DOMAIN/RULE] of sssd.conf,
 * man sss-certmap).
 *
 * Those that have an equal, as exchange_sssd.c makes them: rules that look a key up
 * and ask for what a match rule can say. Anything else is refused.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exchange_sssd.h"
#include "identity/template.h"

/* Conditions and templates of one file, compiled to be looked at. */
#define OUT_MAX_BYTES	((size_t)64 * 1024 * 1024)

struct match {
	struct exchange		*x;
	struct text		*out;
	const struct sssd_tag	*last;	/* whose list of words may go on */
};

/* ---------------------------------------------------------------- matchrule */

static const struct sssd_tag *
find_tag(const struct expression *expression, struct arena *arena)
{
	struct expression	ours;
	size_t			i;

	for (i = 0; expression->num_steps == 0 && i < sssd_num_tags; i++)
		if (expression_parse(sssd_tags[i].source,
		    strlen(sssd_tags[i].source), arena, &ours, NULL) &&
		    source_equal(&ours.source, &expression->source))
			return &sssd_tags[i];
	return NULL;
}

/* SSSD searches, ours is the whole value: without .* there is an anchor. */
static bool
write_pattern(struct match *m, const char *pattern)
{
	size_t	len = strlen(pattern);
	bool	from, until;

	if (len > 0 && pattern[0] == '^') {
		pattern++;
		len--;
	}
	if (sssd_pattern_ends(pattern, len, "$"))
		len--;
	if (len == 0 || !sssd_pattern_is_common(pattern, len))
		return exchange_refuse(m->x, "found the expression \"%.100s\", "
		    SSSD_PATTERN_EXPECTED, pattern);
	from = len < 2 || memcmp(pattern, ".*", 2) != 0;
	if (!from) {
		pattern += 2;
		len -= 2;
	}
	until = !sssd_pattern_ends(pattern, len, ".*");
	if (!until)
		len -= 2;
	if (len == 0)
		text_add(m->out, ".*");
	else
		text_printf(m->out, "%s%.*s%s", from ? "^" : "", (int)len, pattern,
		    until ? "$" : "");
	return true;
}

/* A value as an expression that only it matches. */
static bool
write_value(struct match *m, const struct value *value)
{
	struct text	pattern = { 0 };
	size_t		i;
	bool		ok;

	for (i = 0; i < value->data_len; i++) {
		if (strchr(".[]()*+?{}|^$\\", value->data[i]) != NULL)
			text_add(&pattern, "\\");
		text_add_n(&pattern, value->data + i, 1);
	}
	ok = pattern.data != NULL && !pattern.failed ?
	    write_pattern(m, pattern.data) :
	    exchange_refuse(m->x, "out of memory");
	text_free(&pattern);
	return ok;
}

static bool
write_word(struct match *m, const struct sssd_tag *tag, const struct value *word)
{
	char	buf[128];

	if (!sssd_word_out(tag->value, word->data, buf, sizeof(buf)))
		return exchange_refuse(m->x, "found %s == %.60s, which has no "
		    "equal there", tag->source, word->data);
	text_add(m->out, m->last == tag ? "," : tag->tag);
	text_add(m->out, buf);
	m->last = tag;
	return true;
}

static bool
write_condition(void *context, const struct when_condition *condition)
{
	struct match		*m = context;
	const struct sssd_tag	*tag = NULL;
	struct arena		*arena = arena_new(OUT_MAX_BYTES);

	if (arena != NULL && condition->expression != NULL)
		tag = find_tag(condition->expression, arena);
	arena_free(arena);
	if (tag == NULL)
		return exchange_refuse(m->x, "found %s%s in `when`, which has no "
		    "equal there; expected conditions joined by and, of whole "
		    "values of subject.dn, issuer.dn, ku, eku, san.email, san.dns, "
		    "san.uri or san.upn, as san.email matches "
		    "'.*@example\\.com'", condition->expression == NULL ?
		    "or, or not" : condition->expression->source.name,
		    condition->expression != NULL &&
		    condition->expression->num_steps > 0 ? " with a transform" :
		    "");
	if (tag->value != SSSD_PATTERN && condition->equal != NULL)
		return write_word(m, tag, condition->equal);
	if (tag->value != SSSD_PATTERN || (condition->pattern == NULL &&
	    (condition->equal == NULL || strncmp(tag->source, "san.", 4) != 0)))
		return exchange_refuse(m->x, "found a test of %s that has no equal "
		    "there, expected %s", tag->source, tag->value != SSSD_PATTERN ?
		    "== with one word" : "matches '...'");
	text_add(m->out, tag->tag);
	m->last = NULL;
	return condition->pattern != NULL ? write_pattern(m, condition->pattern) :
	    write_value(m, condition->equal);
}

static bool
write_match(struct exchange *x, const struct config_rule *rule,
    struct arena *arena, struct text *out)
{
	struct match		 m = { .x = x, .out = out };
	const struct when	*when;

	if (rule->when == NULL) {
		text_add(out, SSSD_MATCH_ALWAYS);
		return true;
	}
	when = when_compile(rule->when, arena, NULL);
	if (when == NULL)
		return exchange_refuse(x, "out of memory");
	if (!when_each(when, write_condition, &m))
		return false;
	return out->len == 0 || out->data[out->len - 1] != ' ' ||
	    exchange_refuse(x, "found a blank at the end of `when`, which would be "
	    "lost there");
}

/* ------------------------------------------------------------------ maprule */

/* The name of the table without folder and .map: the attribute that holds its keys,
 * as exchange_sssd.c names tables. False: it is none. */
static bool
attribute_of(const char *table, char *buf, size_t size)
{
	const char	*name = strrchr(table, '/');
	size_t		 len;

	name = name != NULL ? name + 1 : table;
	len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789-");
	if (len == 0 || len >= size || strcmp(name + len, ".map") != 0)
		return false;
	memcpy(buf, name, len);
	buf[len] = '\0';
	return true;
}

static const struct sssd_template *
find_template(const struct template *key, struct arena *arena)
{
	const struct template	*ours;
	size_t			 i;

	for (i = 0; i < sssd_num_templates; i++) {
		ours = template_compile(sssd_templates[i].ours, TEMPLATE_KEY,
		    arena, NULL);
		if (ours != NULL && template_equal(ours, key))
			return &sssd_templates[i];
	}
	return NULL;
}

/* (attribute={template}); *newer_r: only SSSD's newer rules have it. */
static bool
write_filter(struct exchange *x, const struct config_rule *rule,
    struct arena *arena, struct text *out, bool *newer_r)
{
	const struct sssd_template	*found = NULL;
	const struct template		*key;
	char				 attribute[65];

	key = template_compile(rule->key, TEMPLATE_KEY, arena, NULL);
	if (key != NULL)
		found = find_template(key, arena);
	if (found == NULL)
		return exchange_refuse(x, "found the key \"%.100s\", which has no "
		    "equal there", rule->key);
	if (!attribute_of(rule->table, attribute, sizeof(attribute)))
		return exchange_refuse(x, "found the table \"%.100s\", expected "
		    "ATTRIBUTE.map: its name says which attribute of the directory "
		    "has its keys", rule->table);
	if (strcmp(found->ours, "{cert.sha256}") == 0 &&
	    strcmp(attribute, SSSD_CERTIFICATE) == 0) {
		text_add(out, "(" SSSD_CERTIFICATE ";binary={cert!bin})");
		return true;
	}
	text_printf(out, "(%s=%s)", attribute, found->theirs);
	*newer_r |= found->newer;
	return true;
}

/* ----------------------------------------------------------------- sections */

static bool
is_name(const char *name)
{
	size_t	len = strlen(name);

	return len > 0 && name[0] != ' ' && name[len - 1] != ' ' &&
	    strpbrk(name, "[]/\\\",=+<>#;") == NULL;
}

/*
 * One section of as many rules as SSSD's one search stands for: those that hand on
 * to the next with the same `when`. SSSD stops at the first rule that matches,
 * whatever its search finds. *num_r: how many they are.
 */
static bool
write_section(struct exchange *x, const struct config_rule *rules, size_t num,
    size_t priority, struct arena *arena, size_t *num_r)
{
	struct text	match = { 0 }, other = { 0 }, search = { 0 };
	size_t		i;
	bool		newer = false, ok = true;

	for (i = 0; ok && i < num && (i == 0 || rules[i - 1].next); i++) {
		x->file = rules[i].file;
		x->line = rules[i].line;
		text_free(&other);
		memset(&other, 0, sizeof(other));
		ok = write_match(x, &rules[i], arena, i == 0 ? &match : &other) &&
		    write_filter(x, &rules[i], arena, &search, &newer);
		if (!ok)
			break;
		if (i == SSSD_MAX_PARTS)
			ok = exchange_refuse(x, "found more than %d rules for one "
			    "search", SSSD_MAX_PARTS);
		else if (i > 0 && !other.failed && !match.failed &&
		    strcmp(other.data, match.data) != 0)
			ok = exchange_refuse(x, "found on_miss = \"next\" before a "
			    "rule with another `when`; SSSD asks no further rule "
			    "once one matches");
	}
	if (ok && !is_name(rules[0].name))
		ok = exchange_refuse(x, "found the name \"%.100s\", which has no "
		    "equal there", rules[0].name);
	if (ok && (match.failed || search.failed || other.failed))
		ok = exchange_refuse(x, "out of memory");
	if (ok)
		text_printf(x->out, "\n[certmap/%s/%s]\nmatchrule = %s\n"
		    "maprule = %s%s%s%s\npriority = %zu\n", x->map, rules[0].name,
		    match.data, newer ? "LDAPU1:" : "", i > 1 ? "(|" : "",
		    search.data, i > 1 ? ")" : "", priority);
	*num_r = i;
	text_free(&match);
	text_free(&other);
	text_free(&search);
	return ok;
}

/* Are they rules at all, each with key and table and nothing beside? */
static bool
check_rules(struct exchange *x, const struct config_rule *rules, size_t num)
{
	struct rule_options	*options;
	struct rules		*compiled = NULL;
	size_t			 i;

	for (i = 0; i < num; i++) {
		x->file = rules[i].file;
		x->line = rules[i].line;
		if (rules[i].other != NULL)
			return exchange_refuse(x, "found `%.60s` in rule "
			    "\"%.100s\", which has no equal there", rules[i].other,
			    rules[i].name);
	}
	options = calloc(num, sizeof(*options));
	if (options == NULL)
		return exchange_refuse(x, "out of memory");
	for (i = 0; i < num; i++) {
		options[i].name = rules[i].name;
		options[i].when = rules[i].when;
		options[i].key = rules[i].key;
		options[i].table = rules[i].table != NULL ? 0 : -1;
		options[i].must_exist = -1;
		options[i].file = rules[i].file;
		options[i].line = rules[i].line;
	}
	compiled = rules_compile(options, num, x->error_r);
	rules_free(compiled);
	free(options);
	return compiled != NULL;
}

bool
exchange_write_sssd(struct exchange *x, const struct config_rule *rules,
    size_t num_rules)
{
	struct arena	*arena;
	size_t		 i, taken, priority = 0;
	bool		 ok;

	if (!is_name(x->map))
		return exchange_refuse(x, "found the domain \"%.100s\", expected "
		    "one of sssd.conf", x->map);
	if (!check_rules(x, rules, num_rules))
		return false;
	arena = arena_new(OUT_MAX_BYTES);
	ok = arena != NULL || exchange_refuse(x, "out of memory");
	text_add(x->out, "# from identity rules; each search asks for the attribute "
	    "that the rule's table is named after\n");
	for (i = 0; ok && i < num_rules; i += taken)
		ok = write_section(x, rules + i, num_rules - i, ++priority, arena,
		    &taken);
	arena_free(arena);
	return ok;
}
