/*
 * values.c - does every setting have a name and a type we know, and what is it?
 *
 * Walks libconfig's tree by directives.def. Knows types and defaults, not what a
 * setting means.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/load.h"

/* Bytes of one string; a rule's condition is the longest. */
#define VALUES_MAX_STRING	4096u

/* ------------------------------------------------------------------ faults */

/* "profiles.staff.identity[2].user" */
static void
add_path(struct text *text, const config_setting_t *at)
{
	const config_setting_t	*ancestors[SOURCE_MAX_NESTING + 2];
	size_t			 num = 0;

	for (; at != NULL && at->parent != NULL &&
	    num < sizeof(ancestors) / sizeof(ancestors[0]); at = at->parent)
		ancestors[num++] = at;
	while (num-- > 0) {
		if (ancestors[num]->name == NULL) {
			text_printf(text, "[%d]",
			    config_setting_index(ancestors[num]) + 1);
			continue;
		}
		if (text->len != 0)
			text_add(text, ".");
		text_add(text, ancestors[num]->name);
	}
	if (text->len == 0)
		text_add(text, "policy file");
}

const char *
load_place(const struct load *load, const config_setting_t *at,
    unsigned *line_r)
{
	return conf_source_place(&load->source, at->line, line_r);
}

bool
load_fault(const struct load *load, const config_setting_t *at,
    const char *format, ...)
{
	struct text	 path = { 0 };
	const char	*file;
	char		 what[400];
	unsigned	 line;
	va_list		 ap;

	va_start(ap, format);
	vsnprintf(what, sizeof(what), format, ap);
	va_end(ap);
	add_path(&path, at);
	file = load_place(load, at, &line);
	error_set(load->error_r, file, line, "%s: %s",
	    path.failed ? "a setting" : path.data, what);
	text_free(&path);
	return false;
}

bool
load_no_memory(const struct load *load)
{
	error_set(load->error_r, NULL, 0, "out of memory");
	return false;
}

/* What stands there, for "found ...". */
static void
describe(char *buf, size_t buf_len, const config_setting_t *at)
{
	char	shown[80];

	switch (config_setting_type(at)) {
	case CONFIG_TYPE_GROUP:
		snprintf(buf, buf_len, "a group { }");
		break;
	case CONFIG_TYPE_LIST:
		snprintf(buf, buf_len, "a list ( ) of %d",
		    config_setting_length(at));
		break;
	case CONFIG_TYPE_ARRAY:
		snprintf(buf, buf_len, "a list [ ] of %d",
		    config_setting_length(at));
		break;
	case CONFIG_TYPE_STRING:
		text_printable(shown, sizeof(shown), at->value.sval,
		    strlen(at->value.sval));
		snprintf(buf, buf_len, "the text \"%s\"", shown);
		break;
	case CONFIG_TYPE_BOOL:
		snprintf(buf, buf_len, at->value.ival != 0 ? "true" : "false");
		break;
	case CONFIG_TYPE_INT:
		snprintf(buf, buf_len, "the number %d", at->value.ival);
		break;
	default:
		snprintf(buf, buf_len, "a value of another kind");
		break;
	}
}

bool
load_expected(const struct load *load, const config_setting_t *at,
    const char *expected)
{
	char	found[128];

	describe(found, sizeof(found), at);
	return load_fault(load, at, "found %s; expected %s", found, expected);
}

/* ------------------------------------------------------------------- types */

static bool
unknown_setting(const struct load *load, const config_setting_t *at,
    enum directive_section section)
{
	enum directive_section	 other;
	const char		*meant;

	meant = directive_suggest(section, at->name);
	other = directive_elsewhere(section, at->name);
	/* The very name in another place beats one that only looks alike. */
	if (other != SECTION_COUNT)
		return load_fault(load, at, "unknown setting \"%s\" of %s; it "
		    "belongs into %s", at->name,
		    directive_section_name(section),
		    directive_section_name(other));
	if (meant != NULL)
		return load_fault(load, at, "unknown setting \"%s\" of %s; did "
		    "you mean \"%s\"?", at->name,
		    directive_section_name(section), meant);
	return load_fault(load, at, "unknown setting \"%s\" of %s; expected one "
	    "of those in docs/configuration.md", at->name,
	    directive_section_name(section));
}

static bool
check_text(const struct load *load, const config_setting_t *at,
    const char *expected, bool may_be_empty)
{
	const char	*string;
	size_t		 len;

	if (config_setting_type(at) != CONFIG_TYPE_STRING)
		return load_expected(load, at, expected);
	string = at->value.sval;
	len = strlen(string);
	if (len == 0 && !may_be_empty)
		return load_expected(load, at, expected);
	if (len > VALUES_MAX_STRING)
		return load_fault(load, at, "found a text of %zu bytes; "
		    "expected at most %u", len, VALUES_MAX_STRING);
	/* libconfig turns \n and \xHH into bytes that check_bytes() did not
	 * see. */
	if (!text_utf8_valid(string, len) || text_has_control(string, len))
		return load_expected(load, at,
		    "UTF-8 without control characters");
	return true;
}

static bool
check_list(const struct load *load, const config_setting_t *at,
    const char *expected)
{
	int	i, len;

	if (config_setting_type(at) != CONFIG_TYPE_ARRAY &&
	    config_setting_type(at) != CONFIG_TYPE_LIST)
		return load_expected(load, at, expected);
	len = config_setting_length(at);
	if (len == 0)
		return load_fault(load, at, "found an empty list; expected %s, "
		    "or leave the setting out", expected);
	if (len > CONFIG_MAX_LIST)
		return load_fault(load, at, "found %d elements; expected at "
		    "most %d", len, CONFIG_MAX_LIST);
	for (i = 0; i < len; i++)
		if (!check_text(load, config_setting_get_elem(at, (unsigned)i),
		    "a text that is not empty", false))
			return false;
	return true;
}

/* `authorities` and `profiles`: groups that the administrator named. */
static bool
check_named(const struct load *load, const config_setting_t *at,
    enum directive_section section, int max)
{
	const config_setting_t	*group;
	int			 i, len;

	if (config_setting_type(at) != CONFIG_TYPE_GROUP)
		return load_expected(load, at,
		    "groups with names: { NAME: { ... }; }");
	len = config_setting_length(at);
	if (len == 0)
		return load_fault(load, at, "found none; expected at least one: "
		    "{ NAME: { ... }; }");
	if (len > max)
		return load_fault(load, at, "found %d; expected at most %d", len,
		    max);
	for (i = 0; i < len; i++) {
		group = config_setting_get_elem(at, (unsigned)i);
		if (config_setting_type(group) != CONFIG_TYPE_GROUP)
			return load_expected(load, group, "a group { ... }");
		if (!values_check(load, group, section))
			return false;
	}
	return true;
}

static bool
check_rules(const struct load *load, const config_setting_t *at)
{
	const config_setting_t	*group;
	int			 i, len;

	if (config_setting_type(at) != CONFIG_TYPE_LIST)
		return load_expected(load, at, "a list of rules "
		    "( { name = ...; ... }, { ... } )");
	len = config_setting_length(at);
	if (len == 0)
		return load_fault(load, at, "found an empty list; expected "
		    "rules, or leave the setting out");
	if (len > RULES_MAX)
		return load_fault(load, at, "found %d rules; expected at most "
		    "%d", len, RULES_MAX);
	for (i = 0; i < len; i++) {
		group = config_setting_get_elem(at, (unsigned)i);
		if (config_setting_type(group) != CONFIG_TYPE_GROUP)
			return load_expected(load, group,
			    "a rule { name = ...; ... }");
		if (!values_check(load, group, SECTION_RULE))
			return false;
	}
	return true;
}

static bool
check_group(const struct load *load, const config_setting_t *at,
    enum directive_section section)
{
	if (config_setting_type(at) != CONFIG_TYPE_GROUP)
		return load_expected(load, at, "a group { ... }");
	return values_check(load, at, section);
}

static bool
check_type(const struct load *load, const config_setting_t *at,
    const struct directive *row)
{
	bool	empty = directive_may_be_empty(row);

	switch (row->type) {
	case TYPE_INT:
		if (config_setting_type(at) == CONFIG_TYPE_INT &&
		    at->value.ival >= 0)
			return true;
		return load_expected(load, at, "a whole number");
	case TYPE_BOOL:
		if (config_setting_type(at) == CONFIG_TYPE_BOOL)
			return true;
		return load_expected(load, at, "true or false");
	case TYPE_STRING:
		return check_text(load, at, "a text in quotes", empty);
	case TYPE_WORD:
		return check_text(load, at, "a word in quotes", empty);
	case TYPE_DURATION:
		return check_text(load, at,
		    "a duration in quotes, as \"72h\" (s, m, h or d)", empty);
	case TYPE_FILE:
		return check_text(load, at, "a file name in quotes", empty);
	case TYPE_STRINGS:
		return check_list(load, at,
		    "a list as [ \"one\", \"two\" ]");
	case TYPE_FILES:
		return check_list(load, at,
		    "a list of files or folders as [ \"FILE\" ]");
	case TYPE_AUTHORITIES:
		return check_named(load, at, SECTION_AUTHORITY,
		    CONFIG_MAX_AUTHORITIES);
	case TYPE_PROFILES:
		return check_named(load, at, SECTION_PROFILE,
		    CONFIG_MAX_PROFILES);
	case TYPE_REVOCATION:
		return check_group(load, at, SECTION_REVOCATION);
	case TYPE_KEYS:
		return check_group(load, at, SECTION_KEYS);
	case TYPE_RENEWAL:
		return check_group(load, at, SECTION_RENEWAL);
	case TYPE_USERS:
		return check_group(load, at, SECTION_USERS);
	case TYPE_LOG:
		return check_group(load, at, SECTION_LOG);
	case TYPE_RULES:
		return check_rules(load, at);
	case TYPE_GROUP_LATER:
		break;
	}
	return load_fault(load, at, "unknown setting");
}

bool
values_check(const struct load *load, const config_setting_t *group,
    enum directive_section section)
{
	const struct directive	*row;
	const config_setting_t	*at;
	int			 i, len = config_setting_length(group);

	for (i = 0; i < len; i++) {
		at = config_setting_get_elem(group, (unsigned)i);
		row = directive_find(section, at->name);
		if (row == NULL)
			return unknown_setting(load, at, section);
		if (!check_type(load, at, row))
			return false;
	}
	return true;
}

/* ---------------------------------------------------------------- defaults */

static const char *
fallback_group(enum directive_section section)
{
	static const char *const	names[SECTION_COUNT] = {
		"top", "authority", "revocation", "profile", "keys", "renewal",
		"rule", "users", "log"
	};

	return names[section];
}

bool
values_fallbacks(struct load *load)
{
	const struct directive	*row;
	struct text		 text = { 0 };
	int			 section;
	bool			 ok;

	for (section = 0; section < SECTION_COUNT; section++) {
		text_printf(&text, "%s: { ",
		    fallback_group((enum directive_section)section));
		for (row = NULL; (row = directive_next(row)) != NULL;)
			if ((int)row->section == section &&
			    row->fallback != NULL)
				text_printf(&text, "%s = %s; ", row->name,
				    row->fallback);
		text_add(&text, "};\n");
	}
	if (text.failed) {
		text_free(&text);
		return load_no_memory(load);
	}
	ok = config_read_string(&load->fallbacks, text.data) == CONFIG_TRUE;
	text_free(&text);
	return ok ? true : load_no_memory(load);
}

static const config_setting_t *
member(const config_setting_t *group, const char *name)
{
	return config_setting_get_member(group, name);
}

const config_setting_t *
values_find(const struct load *load, const struct chain *chain,
    const char *name)
{
	const config_setting_t	*at;
	size_t			 i;

	for (i = 0; i < chain->num_groups; i++) {
		at = member(chain->groups[i], name);
		if (at != NULL)
			return at;
	}
	return member(member(config_root_setting(&load->fallbacks),
	    fallback_group(chain->section)), name);
}

void
values_sub_chain(const struct chain *chain, const char *name,
    enum directive_section section, struct chain *sub_r)
{
	const config_setting_t	*at;
	size_t			 i;

	memset(sub_r, 0, sizeof(*sub_r));
	sub_r->section = section;
	for (i = 0; i < chain->num_groups; i++) {
		at = member(chain->groups[i], name);
		if (at != NULL)
			sub_r->groups[sub_r->num_groups++] = at;
	}
}

bool
values_is_fallback(const struct load *load, const config_setting_t *at)
{
	return at->config == &load->fallbacks;
}

bool
values_required(const struct load *load, const struct chain *chain)
{
	const struct directive	*row;

	for (row = NULL; (row = directive_next(row)) != NULL;)
		if (row->section == chain->section && row->required &&
		    values_find(load, chain, row->name) == NULL)
			return load_fault(load, chain->groups[0],
			    "found no setting \"%s\"; expected it in %s",
			    row->name, directive_section_name(chain->section));
	return true;
}

/* ------------------------------------------------------------------ values */

bool
values_number(const struct load *load, const config_setting_t *at,
    unsigned min, unsigned max, unsigned *number_r)
{
	char		expected[64];
	unsigned	number = (unsigned)at->value.ival;

	if (number < min || number > max) {
		snprintf(expected, sizeof(expected), "a number from %u to %u",
		    min, max);
		return load_expected(load, at, expected);
	}
	*number_r = number;
	return true;
}

bool
values_duration(const struct load *load, const config_setting_t *at,
    int64_t *seconds_r)
{
	*seconds_r = 0;
	if (at->value.sval[0] == '\0')
		return true;
	if (!text_duration_parse(at->value.sval, seconds_r))
		return load_expected(load, at,
		    "a duration as \"72h\" (s, m, h or d), a century at most");
	return true;
}

bool
values_word(const struct load *load, const config_setting_t *at,
    const char *const *words, size_t num_words, size_t *index_r)
{
	struct text	 expected = { 0 };
	const char	*meant;
	size_t		 i;

	for (i = 0; i < num_words; i++)
		if (strcmp(at->value.sval, words[i]) == 0) {
			*index_r = i;
			return true;
		}
	for (i = 0; i < num_words; i++)
		text_printf(&expected, "%s\"%s\"", i == 0 ? "" :
		    i + 1 == num_words ? " or " : ", ", words[i]);
	meant = directive_closest(at->value.sval, words, num_words);
	if (meant != NULL)
		text_printf(&expected, "; did you mean \"%s\"?", meant);
	load_expected(load, at, expected.failed || expected.data == NULL ?
	    "another word" : expected.data);
	text_free(&expected);
	return false;
}
