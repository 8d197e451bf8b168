/*
 * rules_text.c - which identity rules does a file have, in the words they are
 * written in?
 *
 * For those who hand them on to another program. Does not compile them, and opens
 * no place that they name.
 */

#include <string.h>

#include "config/load.h"

/* Texts of 256 rules with 4 KiB for each setting. */
#define RULES_TEXT_MAX_BYTES	(16u * 1024 * 1024)

static bool
copy_setting(const struct load *load, const struct chain *chain,
    const char *name, struct arena *arena, const char **text_r)
{
	const config_setting_t	*at = values_find(load, chain, name);

	*text_r = at != NULL ? arena_string(arena, at->value.sval) : NULL;
	return at == NULL || *text_r != NULL || load_no_memory(load);
}

static bool
copy_rule(const struct load *load, const config_setting_t *group,
    struct arena *arena, struct config_rule *rule)
{
	static const char *const misses[] = { "refuse", "next" };
	static const char *const told[] = { "name", "when", "key", "table",
	    "on_miss" };
	struct chain		chain = { SECTION_RULE, { group }, 1 };
	const config_setting_t	*at;
	size_t			word, i;
	int			n;

	if (!values_required(load, &chain) ||
	    !values_word(load, values_find(load, &chain, "on_miss"), misses, 2,
	    &word) || !copy_setting(load, &chain, "name", arena, &rule->name) ||
	    !copy_setting(load, &chain, "when", arena, &rule->when) ||
	    !copy_setting(load, &chain, "key", arena, &rule->key) ||
	    !copy_setting(load, &chain, "table", arena, &rule->table))
		return false;
	rule->next = word == 1;
	for (n = 0; rule->other == NULL && n < config_setting_length(group); n++) {
		at = config_setting_get_elem(group, (unsigned)n);
		for (i = 0; i < sizeof(told) / sizeof(told[0]); i++)
			if (strcmp(at->name, told[i]) == 0)
				break;
		if (i < sizeof(told) / sizeof(told[0]))
			continue;
		rule->other = arena_string(arena, at->name);
		if (rule->other == NULL)
			return load_no_memory(load);
	}
	rule->file = arena_string(arena, load_place(load, group, &rule->line));
	return rule->file != NULL || load_no_memory(load);
}

/* The profile that was meant. */
static const config_setting_t *
find_group(const struct load *load, const config_setting_t *profiles,
    const char *name)
{
	const config_setting_t	*group;

	if (name != NULL) {
		group = config_setting_get_member(profiles, name);
		if (group == NULL)
			(void)load_fault(load, profiles, "found no profile of "
			    "the name that --profile gives");
		return group;
	}
	if (config_setting_length(profiles) != 1) {
		(void)load_fault(load, profiles, "found %d profiles; expected "
		    "--profile NAME", config_setting_length(profiles));
		return NULL;
	}
	return config_setting_get_elem(profiles, 0);
}

/* The settings that stand for the profile. */
static bool
find_chain(struct load *load, const char *profile, struct chain *chain)
{
	const config_setting_t	*root = config_root_setting(&load->tree);
	const config_setting_t	*profiles, *group;

	profiles = config_setting_get_member(root, "profiles");
	if (profiles != NULL) {
		if (!load_version(load) || !values_check(load, root, SECTION_TOP))
			return false;
		group = find_group(load, profiles, profile);
		return group != NULL && profile_chain(load, group, chain);
	}
	memset(chain, 0, sizeof(*chain));
	chain->section = SECTION_PROFILE;
	chain->groups[chain->num_groups++] = root;
	if (!values_check(load, root, SECTION_PROFILE))
		return false;
	return profile == NULL || load_fault(load, root, "found no profiles; "
	    "expected --profile with a policy file alone");
}

bool
config_rules_read(const char *path, const char *profile,
    struct config_rules *rules_r, struct certauth_error *error_r)
{
	struct load		 load = { .error_r = error_r };
	struct file_owners	 owners;
	struct chain		 chain;
	const config_setting_t	*list;
	size_t			 i, num;
	bool			 ok = false;

	memset(rules_r, 0, sizeof(*rules_r));
	config_init(&load.tree);
	config_init(&load.fallbacks);
	file_owners_init(&owners);
	if (!conf_source_read(&load.source, NULL, path, &owners, error_r) ||
	    !load_grammar(&load) || !values_fallbacks(&load) ||
	    !find_chain(&load, profile, &chain))
		goto out;
	list = values_find(&load, &chain, "identity");
	if (list == NULL) {
		load_fault(&load, chain.groups[0], "found no setting \"identity\"; "
		    "expected rules");
		goto out;
	}
	num = (size_t)config_setting_length(list);
	rules_r->arena = arena_new(RULES_TEXT_MAX_BYTES);
	if (rules_r->arena != NULL)
		rules_r->rules = arena_array(rules_r->arena, num,
		    sizeof(*rules_r->rules));
	if (rules_r->rules == NULL) {
		load_no_memory(&load);
		goto out;
	}
	for (i = 0; i < num; i++) {
		if (!copy_rule(&load, config_setting_get_elem(list, (unsigned)i),
		    rules_r->arena, &rules_r->rules[i]))
			goto out;
		rules_r->num_rules++;
	}
	ok = true;
out:
	conf_source_free(&load.source);
	config_destroy(&load.fallbacks);
	config_destroy(&load.tree);
	if (!ok)
		config_rules_free(rules_r);
	return ok;
}

void
config_rules_free(struct config_rules *rules)
{
	arena_free(rules->arena);
	memset(rules, 0, sizeof(*rules));
}
