/*
 * exchange_sssd.c - SSSD's certificate mapping rules ([certmap/DOMAIN/RULE] of
 * sssd.conf, man sss-certmap) as identity rules.
 *
 * Those that have an equal: a match rule becomes `when`, the search in LDAP a key
 * and a table that holds what the directory says. Anything else is refused.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exchange_sssd.h"

struct rule {
	char	*name, *match, *map;
	unsigned line;
	long	 priority;
};

/* ---------------------------------------------------------------- matchrule */

static void
condition(struct text *when, const char *word)
{
	text_add(when, when->len > 0 ? " and " : "");
	text_add(when, word);
}

/* One or several words of a list, each of which must be in the certificate. */
static bool
add_words(struct exchange *x, struct text *when, const struct sssd_tag *tag,
    char *list)
{
	const char	*ours;
	char		 buf[160], *word;
	size_t		 len;

	while ((word = strsep(&list, ",")) != NULL) {
		word += strspn(word, " ");
		for (len = strlen(word); len > 0 && word[len - 1] == ' ';)
			word[--len] = '\0';
		ours = sssd_word_in(tag->value, word);
		if (ours == NULL)
			return exchange_refuse(x, "found \"%.60s\", expected the "
			    "name or OID of a usage", word);
		(void)snprintf(buf, sizeof(buf), "%s == %s", tag->source, ours);
		condition(when, buf);
	}
	return true;
}

/* SSSD searches, we match the whole value: an anchor at an end is no ".*" there. */
static bool
add_pattern(struct exchange *x, struct text *when, const char *source,
    const char *pattern)
{
	struct text	text = { 0 };
	size_t		len = strlen(pattern);
	bool		from, until;

	from = pattern[0] == '^';
	until = sssd_pattern_ends(pattern + from, len - from, "$");
	if (len == (size_t)from + until || !sssd_pattern_is_common(pattern + from,
	    len - from - until))
		return exchange_refuse(x, "found the expression \"%.100s\", "
		    SSSD_PATTERN_EXPECTED, pattern);
	text_printf(&text, "%s matches '%s%.*s%s'", source, from ? "" : ".*",
	    (int)(len - from - until), pattern + from, until ? "" : ".*");
	if (!text.failed)
		condition(when, text.data);
	text_free(&text);
	return true;
}

/* <ISSUER>... <EKU>...: all of them, as SSSD's && and its default. */
static bool
read_match(struct exchange *x, const char *match, struct text *when)
{
	const char	*next;
	char		*value;
	size_t		 i;
	bool		 ok;

	if (strcmp(match, SSSD_MATCH_ALWAYS) == 0)
		return true;
	if (strncmp(match, "KRB5:", 5) == 0)
		match += 5;
	if (strncmp(match, "||", 2) == 0)
		return exchange_refuse(x, "found || in a matchrule, which has no "
		    "equal; write one rule for each");
	if (strncmp(match, "&&", 2) == 0)
		match += 2;
	for (; *match != '\0'; match = next) {
		for (i = 0; i < sssd_num_tags; i++)
			if (strncmp(match, sssd_tags[i].tag,
			    strlen(sssd_tags[i].tag)) == 0)
				break;
		if (i == sssd_num_tags)
			return exchange_refuse(x, "found \"%.40s\" in a "
			    "matchrule, which has no equal", match);
		match += strlen(sssd_tags[i].tag);
		next = match + strcspn(match, "<");
		value = strndup(match, (size_t)(next - match));
		if (value == NULL)
			return exchange_refuse(x, "out of memory");
		ok = sssd_tags[i].value == SSSD_PATTERN ?
		    add_pattern(x, when, sssd_tags[i].source, value) :
		    add_words(x, when, &sssd_tags[i], value);
		free(value);
		if (!ok)
			return false;
	}
	return true;
}

/* ------------------------------------------------------------------ maprule */

static bool
rule_begin(struct exchange *x, const struct rule *rule, size_t part,
    const struct text *when)
{
	text_add(x->out, strchr(x->out->data, '{') != NULL ? ",\n  { name = \"" :
	    "  { name = \"");
	text_add(x->out, rule->name);
	if (part > 0)
		text_printf(x->out, "-%zu", part + 1);
	text_add(x->out, "\";");
	if (when->len > 0) {
		text_add(x->out, " when = \"");
		for (const char *p = when->data; *p != '\0'; p++) {
			if (*p == '\\')
				text_add(x->out, "\\");
			text_add_n(x->out, p, 1);
		}
		text_add(x->out, "\";");
	}
	return true;
}

/* (attribute={template}); `last` of its rule: SSSD asks no further rule when the
 * search of the one that matches finds nobody. */
static bool
add_filter(struct exchange *x, const struct rule *rule, size_t part,
    const struct text *when, char *filter, bool last)
{
	char	*value = strchr(filter, '=');
	size_t	 i, len;

	if (value == NULL)
		return exchange_refuse(x, "found \"%.100s\", expected "
		    "(attribute={template})", filter);
	*value++ = '\0';
	len = strspn(filter, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-;");
	if (filter[0] == '\0' || filter[len] != '\0')
		return exchange_refuse(x, "found \"%.100s\", expected the name of "
		    "an attribute", filter);
	filter[strcspn(filter, ";")] = '\0';
	for (i = 0; i < sssd_num_templates; i++)
		if (strcmp(value, sssd_templates[i].theirs) == 0)
			break;
	if (i == sssd_num_templates)
		return exchange_refuse(x, "found \"%.100s\", which has no equal "
		    "here", value);
	return rule_begin(x, rule, part, when) &&
	    (text_printf(x->out, "\n    key = \"%s\"; table = \"%s.map\";%s }",
	    sssd_templates[i].ours, filter, last ? "" :
	    " on_miss = \"next\";"), true);
}

/* (filter) or (|(filter)(filter)...): one rule each, the next on a miss. */
static bool
read_map(struct exchange *x, const struct rule *rule, const struct text *when)
{
	char	*map = rule->map, *end;
	size_t	 part = 0, depth;
	bool	 any;

	if (strncmp(map, "LDAP:", 5) == 0)
		map += 5;
	else if (strncmp(map, "LDAPU1:", 7) == 0)
		map += 7;
	any = strncmp(map, "(|(", 3) == 0;
	if (any) {
		map += 2;
		end = strrchr(map, ')');
		if (end == NULL || end[1] != '\0')
			return exchange_refuse(x, "found no closing )");
		*end = '\0';
	}
	for (; *map != '\0'; map = end + 1, part++) {
		depth = strcspn(map, ")");
		end = map + depth;
		if (map[0] != '(' || *end == '\0' || part == SSSD_MAX_PARTS ||
		    strchr("(&|!", map[1]) != NULL || (part > 0 && !any))
			return exchange_refuse(x, "found the search \"%.100s\", "
			    "expected (attribute={template}) or several in (|...)",
			    rule->map);
		*end = '\0';
		if (!add_filter(x, rule, part, when, map + 1, end[1] == '\0'))
			return false;
	}
	return part > 0 || exchange_refuse(x, "found an empty search");
}

/* -------------------------------------------------------------------- file */

static bool
read_setting(struct exchange *x, struct rule *rule, char *line)
{
	char	*value = strchr(line, '='), *end;

	if (value == NULL)
		return exchange_refuse(x, "found \"%.100s\", expected name = "
		    "value", line);
	for (end = value; end > line && (end[-1] == ' ' || end[-1] == '\t'); )
		end--;
	*end = '\0';
	value += 1 + strspn(value + 1, " \t");
	if (strcmp(line, "matchrule") == 0)
		rule->match = value;
	else if (strcmp(line, "maprule") == 0)
		rule->map = value;
	else if (strcmp(line, "priority") == 0) {
		rule->priority = strtol(value, &end, 10);
		if (*end != '\0' || rule->priority < 0)
			return exchange_refuse(x, "found the priority \"%.40s\", "
			    "expected a number", value);
	} else if (strcmp(line, "domains") != 0)
		return exchange_refuse(x, "found \"%.60s\", which has no equal",
		    line);
	return true;
}

static bool
read_section(struct exchange *x, char *line, struct rule *rule)
{
	char	*name, *end = strchr(line, ']');

	if (end == NULL)
		return exchange_refuse(x, "found no closing ]");
	*end = '\0';
	name = strrchr(line, '/');
	if (name == NULL || name[1] == '\0' ||
	    strpbrk(name + 1, "\"\\") != NULL)
		return exchange_refuse(x, "found \"%.100s\", expected "
		    "[certmap/DOMAIN/RULE]", line + 1);
	rule->name = name + 1;
	rule->line = x->line;
	/* man sss-certmap: the lowest priority is the default */
	rule->priority = 4294967295L;
	return true;
}

/* The smallest number first; those of one number as they stand. */
static int
compare(const void *one, const void *two)
{
	const struct rule	*a = one, *b = two;

	if (a->priority != b->priority)
		return a->priority < b->priority ? -1 : 1;
	return a->line < b->line ? -1 : a->line > b->line;
}

static bool
write_rules(struct exchange *x, struct rule *rules, size_t num_rules)
{
	struct text	when = { 0 };
	size_t		i;
	bool		ok = true;

	qsort(rules, num_rules, sizeof(*rules), compare);
	text_add(x->out, "# from sssd.conf; each table holds what the directory "
	    "has in that attribute\nidentity = (\n");
	for (i = 0; ok && i < num_rules; i++) {
		x->line = rules[i].line;
		text_free(&when);
		memset(&when, 0, sizeof(when));
		if (rules[i].map == NULL)
			ok = exchange_refuse(x, "found no maprule in \"%.100s\"; "
			    "SSSD's default searches for the whole certificate",
			    rules[i].name);
		ok = ok && read_match(x, rules[i].match != NULL ?
		    rules[i].match : SSSD_MATCH_DEFAULT, &when) &&
		    read_map(x, &rules[i], &when);
	}
	text_free(&when);
	text_add(x->out, "\n);\n");
	return ok;
}

bool
exchange_read_sssd(struct exchange *x, char *data)
{
	struct rule	*rules = calloc(SSSD_MAX_RULES, sizeof(*rules));
	char		*line;
	size_t		 num = 0, len;
	bool		 ours = false, ok = rules != NULL;

	while (ok && (line = strsep(&data, "\n")) != NULL) {
		x->line++;
		line += strspn(line, " \t");
		len = strlen(line);
		while (len > 0 && strchr(" \t\r", line[len - 1]) != NULL)
			line[--len] = '\0';
		if (line[0] == '\0' || line[0] == '#' || line[0] == ';')
			continue;
		if (line[0] == '[') {
			ours = strncmp(line, "[certmap/", 9) == 0;
			if (ours)
				ok = num < SSSD_MAX_RULES ?
				    read_section(x, line, &rules[num++]) :
				    exchange_refuse(x, "found more than %d "
				    "rules", SSSD_MAX_RULES);
		} else if (ours)
			ok = read_setting(x, &rules[num - 1], line);
	}
	if (ok && num == 0)
		ok = exchange_refuse(x, "found no [certmap/DOMAIN/RULE]");
	ok = ok && write_rules(x, rules, num);
	free(rules);
	return ok;
}
