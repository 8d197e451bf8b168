/*
 * canonical.c - which settings are in force for a profile, in one form?
 *
 * Sorted "name=value" lines, defaults included, so that the same rules give the
 * same bytes however they were written, and other rules give others. The lines
 * are hashed into the profile's digest; nobody parses them. Paths as written:
 * what the files hold is the digest's other half.
 */

#include <stdlib.h>
#include <string.h>

#include "config/load.h"

struct lines {
	char	**items;
	size_t	  num_items, capacity;
	bool	  failed;
};

static int
compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Takes `text`. */
static void
add_line(struct lines *lines, struct text *text)
{
	char	*line = text_take(text), **items;
	size_t	 more;

	if (line == NULL || lines->failed)
		goto fail;
	if (lines->num_items == lines->capacity) {
		more = lines->capacity == 0 ? 64 : lines->capacity * 2;
		items = reallocarray(lines->items, more, sizeof(*items));
		if (items == NULL)
			goto fail;
		lines->items = items;
		lines->capacity = more;
	}
	lines->items[lines->num_items++] = line;
	return;
fail:
	free(line);
	lines->failed = true;
}

static void
free_lines(struct lines *lines)
{
	size_t	i;

	for (i = 0; i < lines->num_items; i++)
		free(lines->items[i]);
	free(lines->items);
	memset(lines, 0, sizeof(*lines));
}

/* Quoted, so that no value can look like two. */
static void
add_quoted(struct text *text, const char *string)
{
	text_add(text, "\"");
	for (; *string != '\0'; string++) {
		if (*string == '"' || *string == '\\')
			text_add(text, "\\");
		text_add_n(text, string, 1);
	}
	text_add(text, "\"");
}

static void
add_list(struct text *text, const config_setting_t *list, bool ordered)
{
	const char	**strings;
	size_t		  num = (size_t)config_setting_length(list), i;

	strings = calloc(num, sizeof(*strings));
	if (strings == NULL) {
		text->failed = true;
		return;
	}
	for (i = 0; i < num; i++)
		strings[i] = config_setting_get_elem(list,
		    (unsigned)i)->value.sval;
	if (!ordered)
		qsort(strings, num, sizeof(*strings), compare_strings);
	for (i = 0; i < num; i++) {
		/* Any of: twice is once. */
		if (!ordered && i != 0 && strcmp(strings[i - 1], strings[i]) == 0)
			continue;
		text_add(text, i == 0 ? "" : " ");
		add_quoted(text, strings[i]);
	}
	free(strings);
}

static void
add_value(struct text *text, const struct directive *row,
    const config_setting_t *at, bool ordered)
{
	int64_t	seconds;

	switch (row->type) {
	case TYPE_INT:
		text_printf(text, "%d", at->value.ival);
		break;
	case TYPE_BOOL:
		text_add(text, at->value.ival != 0 ? "true" : "false");
		break;
	case TYPE_DURATION:
		/* "72h" and "3d" are one setting. */
		if (text_duration_parse(at->value.sval, &seconds))
			text_printf(text, "%llds", (long long)seconds);
		else
			text_add(text, "none");
		break;
	case TYPE_STRING:
	case TYPE_WORD:
	case TYPE_FILE:
		add_quoted(text, at->value.sval);
		break;
	case TYPE_STRINGS:
	case TYPE_FILES:
		add_list(text, at, ordered);
		break;
	case TYPE_AUTHORITIES:
	case TYPE_PROFILES:
	case TYPE_REVOCATION:
	case TYPE_KEYS:
	case TYPE_RENEWAL:
	case TYPE_USERS:
	case TYPE_LOG:
	case TYPE_RULES:
	case TYPE_GROUP_LATER:
		break;
	}
}

static bool
is_value(const struct directive *row)
{
	switch (row->type) {
	case TYPE_AUTHORITIES:
	case TYPE_PROFILES:
	case TYPE_REVOCATION:
	case TYPE_KEYS:
	case TYPE_RENEWAL:
	case TYPE_USERS:
	case TYPE_LOG:
	case TYPE_RULES:
	case TYPE_GROUP_LATER:
		return false;
	case TYPE_INT:
	case TYPE_BOOL:
	case TYPE_STRING:
	case TYPE_WORD:
	case TYPE_DURATION:
	case TYPE_FILE:
	case TYPE_STRINGS:
	case TYPE_FILES:
		break;
	}
	return true;
}

/* One line for each plain setting in force of one section. */
static void
add_section(struct lines *lines, const struct load *load,
    const struct chain *chain, const char *prefix)
{
	const struct directive	*row;
	const config_setting_t	*at;
	struct text		 text;
	bool			 ordered;

	for (row = NULL; (row = directive_next(row)) != NULL;) {
		if (row->section != chain->section || !is_value(row))
			continue;
		/* What it led to is in force, not how it was written. */
		if (row->section == SECTION_PROFILE &&
		    strcmp(row->name, "base") == 0)
			continue;
		at = values_find(load, chain, row->name);
		if (at == NULL)
			continue;
		/* The first authority under which a path is found counts;
		 * sources are asked in turn. */
		ordered = (row->section == SECTION_PROFILE &&
		    strcmp(row->name, "authorities") == 0) ||
		    (row->section == SECTION_REVOCATION &&
		    strcmp(row->name, "sources") == 0);
		memset(&text, 0, sizeof(text));
		text_printf(&text, "%s%s=", prefix, row->name);
		add_value(&text, row, at, ordered);
		add_line(lines, &text);
	}
}

static void
add_rules(struct lines *lines, const struct load *load,
    const config_setting_t *list)
{
	struct chain	chain = { .section = SECTION_RULE, .num_groups = 1 };
	struct chain	users;
	struct text	prefix = { 0 };
	int		i, num;

	if (list == NULL)
		return;
	num = config_setting_length(list);
	for (i = 0; i < num; i++) {
		text_printf(&prefix, "identity.%03d.", i);
		if (prefix.failed)
			lines->failed = true;
		else {
			chain.groups[0] = config_setting_get_elem(list,
			    (unsigned)i);
			add_section(lines, load, &chain, prefix.data);
			values_sub_chain(&chain, "users", SECTION_USERS, &users);
			text_add(&prefix, "users.");
			if (prefix.failed)
				lines->failed = true;
			else
				add_section(lines, load, &users, prefix.data);
		}
		text_free(&prefix);
	}
}

static void
add_authority(struct lines *lines, const struct load *load,
    const config_setting_t *group)
{
	struct chain	authority = { SECTION_AUTHORITY, { group }, 1 };
	struct chain	revocation;
	struct text	prefix = { 0 };

	text_printf(&prefix, "authority.%s.", config_setting_name(group));
	if (!prefix.failed)
		add_section(lines, load, &authority, prefix.data);
	values_sub_chain(&authority, "revocation", SECTION_REVOCATION,
	    &revocation);
	text_add(&prefix, "revocation.");
	if (prefix.failed)
		lines->failed = true;
	else
		add_section(lines, load, &revocation, prefix.data);
	text_free(&prefix);
}

static void
add_authorities(struct lines *lines, const struct load *load,
    const config_setting_t *names)
{
	const config_setting_t	*groups;
	int			 i, num = config_setting_length(names);

	groups = config_setting_get_member(config_root_setting(&load->tree),
	    "authorities");
	for (i = 0; i < num; i++)
		add_authority(lines, load, config_setting_get_member(groups,
		    config_setting_get_elem(names, (unsigned)i)->value.sval));
}

static void
add_top(struct lines *lines, const struct load *load)
{
	struct chain	top = { .section = SECTION_TOP, .num_groups = 1 };

	top.groups[0] = config_root_setting(&load->tree);
	add_section(lines, load, &top, "");
}

char *
canonical_profile(struct load *load, const struct chain *chain)
{
	struct lines	lines = { 0 };
	struct chain	keys, renewal;
	struct text	text = { 0 };
	char		*canonical = NULL;
	size_t		 i;

	add_top(&lines, load);
	add_section(&lines, load, chain, "profile.");
	values_sub_chain(chain, "keys", SECTION_KEYS, &keys);
	add_section(&lines, load, &keys, "profile.keys.");
	values_sub_chain(chain, "renewal", SECTION_RENEWAL, &renewal);
	add_section(&lines, load, &renewal, "profile.renewal.");
	add_rules(&lines, load, values_find(load, chain, "identity"));
	add_authorities(&lines, load, values_find(load, chain, "authorities"));
	if (lines.failed)
		goto out;
	qsort(lines.items, lines.num_items, sizeof(*lines.items),
	    compare_strings);
	for (i = 0; i < lines.num_items; i++) {
		text_add(&text, lines.items[i]);
		text_add(&text, "\n");
	}
	load->canonical_bytes += text.len;
	if (load->canonical_bytes > CONFIG_MAX_CANONICAL) {
		load_fault(load, chain->groups[0], "expected fewer or shorter "
		    "profiles: in full they have over %u bytes",
		    CONFIG_MAX_CANONICAL);
		text_free(&text);
		goto out_quiet;
	}
	canonical = text_take(&text);
out:
	if (canonical == NULL)
		load_no_memory(load);
out_quiet:
	free_lines(&lines);
	return canonical;
}
