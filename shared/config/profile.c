/*
 * profile.c - what does one profile ask of a certificate, and who is it then?
 *
 * Fills the options of trust/policy and identity/rules from a profile and those
 * it stands on. Judges words and references, never a certificate.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/load.h"
#include "identity/class.h"
#include "identity/enrolled.h"

#define KEYS_RSA_FLOOR		1024u
#define KEYS_RSA_CEILING	8192u

/* ------------------------------------------------------------------- bases */

static const config_setting_t *
find_profile(const config_setting_t *profiles, const config_setting_t *name,
    const char **meant_r)
{
	const char		*words[CONFIG_MAX_PROFILES];
	const config_setting_t	*found;
	size_t			 num, i;

	found = config_setting_get_member(profiles, name->value.sval);
	if (found != NULL)
		return found;
	num = (size_t)config_setting_length(profiles);
	if (num > CONFIG_MAX_PROFILES)
		num = CONFIG_MAX_PROFILES;
	for (i = 0; i < num; i++)
		words[i] = config_setting_name(config_setting_get_elem(profiles,
		    (unsigned)i));
	*meant_r = directive_closest(name->value.sval, words, num);
	return NULL;
}

static bool
no_such(const struct load *load, const config_setting_t *name, const char *what,
    const char *meant)
{
	char	expected[160];

	snprintf(expected, sizeof(expected), "the name of %s%s%s%s", what,
	    meant == NULL ? "" : "; did you mean \"",
	    meant == NULL ? "" : meant, meant == NULL ? "" : "\"?");
	return load_expected(load, name, expected);
}

bool
profile_chain(const struct load *load, const config_setting_t *group,
    struct chain *chain)
{
	const config_setting_t	*profiles = config_setting_parent(group), *base;
	const char		*meant = NULL;
	size_t			 i;

	memset(chain, 0, sizeof(*chain));
	chain->section = SECTION_PROFILE;
	for (;;) {
		chain->groups[chain->num_groups++] = group;
		base = config_setting_get_member(group, "base");
		if (base == NULL)
			return true;
		group = find_profile(profiles, base, &meant);
		if (group == NULL)
			return no_such(load, base, "a profile", meant);
		for (i = 0; i < chain->num_groups; i++)
			if (chain->groups[i] == group)
				return load_expected(load, base,
				    "a profile that does not stand on this one");
		if (chain->num_groups > CONFIG_MAX_BASES)
			return load_fault(load, base, "expected at most %d "
			    "profiles below each other", CONFIG_MAX_BASES);
	}
}

/* ------------------------------------------------------------- authorities */

bool
profile_authority(const struct load *load, const config_setting_t *name,
    size_t *number_r)
{
	const char	*words[CONFIG_MAX_AUTHORITIES];
	size_t		 i;

	for (i = 0; i < load->config->num_authorities; i++) {
		words[i] = load->config->authorities[i].name;
		if (strcmp(words[i], name->value.sval) == 0) {
			*number_r = i;
			return true;
		}
	}
	return no_such(load, name, "an authority", directive_closest(
	    name->value.sval, words, load->config->num_authorities));
}

static bool
load_authorities(struct load *load, const config_setting_t *names,
    struct config_profile *profile)
{
	const config_setting_t	*name;
	size_t			 num = (size_t)config_setting_length(names);
	size_t			 i, j, number = 0;

	profile->authorities = calloc(num, sizeof(*profile->authorities));
	if (profile->authorities == NULL)
		return load_no_memory(load);
	for (i = 0; i < num; i++) {
		name = config_setting_get_elem(names, (unsigned)i);
		if (!profile_authority(load, name, &number))
			return false;
		for (j = 0; j < i; j++)
			if (profile->authorities[j] == number)
				return load_expected(load, name,
				    "each authority once");
		profile->authorities[i] = number;
		profile->num_authorities++;
	}
	return true;
}

/* ------------------------------------------------------------------ policy */

static bool
load_purposes(struct load *load, const config_setting_t *words,
    struct policy_options *policy)
{
	const config_setting_t	*word;
	int			 i, num = config_setting_length(words);

	if (num > POLICY_MAX_PURPOSES)
		return load_fault(load, words, "found %d purposes; expected at "
		    "most %d", num, POLICY_MAX_PURPOSES);
	for (i = 0; i < num; i++) {
		word = config_setting_get_elem(words, (unsigned)i);
		if (!policy_add_purpose(policy, word->value.sval))
			return load_expected(load, word, "clientAuth, "
			    "emailProtection, any or the OID of an extended key "
			    "usage");
	}
	return true;
}

static bool
load_policies(struct load *load, const config_setting_t *oids,
    struct policy_options *policy)
{
	const config_setting_t	*oid;
	int			 i, num;

	if (oids == NULL)
		return true;
	num = config_setting_length(oids);
	if (num > POLICY_MAX_OIDS)
		return load_fault(load, oids, "found %d policies; expected at "
		    "most %d", num, POLICY_MAX_OIDS);
	for (i = 0; i < num; i++) {
		oid = config_setting_get_elem(oids, (unsigned)i);
		if (!policy_add_oid(policy, oid->value.sval))
			return load_expected(load, oid,
			    "a policy OID in digits and dots");
	}
	/* RFC 5280 6.1.1 (e): without it a path with no policy at all passes. */
	policy->explicit_policy = true;
	return true;
}

/*
 * A class is a set of policies. Beside `policies` the user-initial-policy-set is
 * both, and policies.c asks for one of each.
 */
static bool
load_classes(struct load *load, const config_setting_t *words,
    struct policy_options *policy)
{
	const config_setting_t	*word;
	const char		*oid;
	int			 i, num;
	size_t			 j;

	if (words == NULL)
		return true;
	policy->num_plain = policy->num_policies;
	policy->has_classes = true;
	policy->explicit_policy = true;
	num = config_setting_length(words);
	for (i = 0; i < num; i++) {
		word = config_setting_get_elem(words, (unsigned)i);
		if (class_policy(word->value.sval, 0) == NULL)
			return load_expected(load, word, "mailbox, organization, "
			    "sponsor, individual, naesb-rudimentary, "
			    "naesb-basic, naesb-medium or naesb-high");
		for (j = 0; (oid = class_policy(word->value.sval, j)) != NULL; j++)
			if (!policy_add_oid(policy, oid))
				return load_expected(load, word,
				    "fewer policies and classes");
	}
	return true;
}

/* A list of words, each of which is one bit. */
static bool
load_bits(struct load *load, const config_setting_t *words,
    bool (*word_parse)(const char *, unsigned *), const char *expected,
    unsigned *bits_r)
{
	const config_setting_t	*word;
	unsigned		 bit;
	int			 i, num = config_setting_length(words);

	*bits_r = 0;
	for (i = 0; i < num; i++) {
		word = config_setting_get_elem(words, (unsigned)i);
		if (!word_parse(word->value.sval, &bit))
			return load_expected(load, word, expected);
		*bits_r |= bit;
	}
	return true;
}

static bool
load_keys(struct load *load, const struct chain *profile,
    struct policy_options *policy)
{
	struct chain		 keys;
	const config_setting_t	*min, *max;

	values_sub_chain(profile, "keys", SECTION_KEYS, &keys);
	min = values_find(load, &keys, "rsa_min");
	max = values_find(load, &keys, "rsa_max");
	if (!values_number(load, min, KEYS_RSA_FLOOR, KEYS_RSA_CEILING,
	    &policy->rsa_min) ||
	    !values_number(load, max, KEYS_RSA_FLOOR, KEYS_RSA_CEILING,
	    &policy->rsa_max))
		return false;
	if (policy->rsa_min > policy->rsa_max)
		return load_fault(load, values_is_fallback(load, min) ? max : min,
		    "found rsa_min %u over rsa_max %u; expected them the other "
		    "way round", policy->rsa_min, policy->rsa_max);
	policy->ed = values_find(load, &keys, "ed")->value.ival != 0;
	return load_bits(load, values_find(load, &keys, "curves"),
	    policy_curve_parse, "\"P-256\", \"P-384\" or \"P-521\"",
	    &policy->curves) &&
	    load_bits(load, values_find(load, &keys, "digests"),
	    policy_digest_parse, "\"sha256\", \"sha384\" or \"sha512\"",
	    &policy->digests);
}

static bool
load_renewal(struct load *load, const struct chain *profile,
    struct policy_options *policy)
{
	struct chain	renewal;

	values_sub_chain(profile, "renewal", SECTION_RENEWAL, &renewal);
	return values_duration(load, values_find(load, &renewal, "before"),
	    &policy->renew_before) &&
	    values_duration(load, values_find(load, &renewal, "after"),
	    &policy->renew_after);
}

static bool
load_policy(struct load *load, const struct chain *chain,
    struct policy_options *policy)
{
	const config_setting_t	*at;

	policy_options_init(policy);
	at = values_find(load, chain, "max_lifetime");
	if (at != NULL && !values_duration(load, at, &policy->max_lifetime))
		return false;
	if (at != NULL && policy->max_lifetime == 0)
		return load_expected(load, at, "a duration over 0");
	at = values_find(load, chain, "min_lifetime");
	if (at != NULL && !values_duration(load, at, &policy->min_lifetime))
		return false;
	if (policy->max_lifetime != 0 &&
	    policy->min_lifetime > policy->max_lifetime)
		return load_expected(load, at, "no more than max_lifetime");
	policy->no_empty_names =
	    values_find(load, chain, "no_empty_names")->value.ival != 0;
	return values_number(load, values_find(load, chain, "depth"), 0,
	    CONFIG_MAX_DEPTH, &policy->depth) &&
	    load_purposes(load, values_find(load, chain, "purposes"), policy) &&
	    load_policies(load, values_find(load, chain, "policies"), policy) &&
	    load_classes(load, values_find(load, chain, "classes"), policy) &&
	    load_keys(load, chain, policy) &&
	    load_renewal(load, chain, policy);
}

/* ---------------------------------------------------------------- identity */

static const char *
string_or_null(const struct load *load, const struct chain *chain,
    const char *name)
{
	const config_setting_t	*at = values_find(load, chain, name);

	return at == NULL ? NULL : at->value.sval;
}

static bool
load_live(struct load *load, const struct chain *chain, const char *name,
    int *number_r)
{
	const config_setting_t	*at = values_find(load, chain, name);

	*number_r = -1;
	if (at == NULL)
		return true;
	*number_r = refs_live(load, at, CONFIG_TABLE);
	return *number_r >= 0;
}

/* The names are the tree's, the array is *names_r, the caller's. */
static bool
load_rule_authorities(struct load *load, const struct chain *chain,
    const char ***names_r, struct rule_options *rule)
{
	const config_setting_t	*at = values_find(load, chain, "authorities");
	const config_setting_t	*name;
	size_t			 i, num, number;

	if (at == NULL)
		return true;
	num = (size_t)config_setting_length(at);
	*names_r = calloc(num, sizeof(**names_r));
	if (*names_r == NULL)
		return load_no_memory(load);
	for (i = 0; i < num; i++) {
		name = config_setting_get_elem(at, (unsigned)i);
		if (!profile_authority(load, name, &number))
			return false;
		(*names_r)[i] = name->value.sval;
	}
	rule->authorities = *names_r;
	rule->num_authorities = num;
	return true;
}

static bool
load_rule(struct load *load, const config_setting_t *group,
    const char ***names_r, struct rule_options *rule)
{
	static const char *const misses[] = { "refuse", "next" };
	struct chain	chain = { SECTION_RULE, { group }, 1 }, users;
	const config_setting_t	*at;
	size_t		word;

	if (!values_required(load, &chain) ||
	    !load_rule_authorities(load, &chain, names_r, rule) ||
	    !load_live(load, &chain, "table", &rule->table) ||
	    !load_live(load, &chain, "must_exist", &rule->must_exist) ||
	    !values_word(load, values_find(load, &chain, "on_miss"), misses, 2,
	    &word))
		return false;
	rule->name = string_or_null(load, &chain, "name");
	rule->when = string_or_null(load, &chain, "when");
	rule->user = string_or_null(load, &chain, "user");
	values_sub_chain(&chain, "users", SECTION_USERS, &users);
	rule->web = string_or_null(load, &users, "web");
	rule->mail = string_or_null(load, &users, "mail");
	rule->key = string_or_null(load, &chain, "key");
	rule->groups = string_or_null(load, &chain, "groups");
	at = values_find(load, &chain, "continuity");
	if (!enrolled_continuity(at->value.sval))
		return load_expected(load, at, "san.email, san.upn, san.uri or "
		    "san.dns");
	rule->continuity = at->value.sval;
	rule->on_miss = word == 0 ? RULE_MISS_REFUSE : RULE_MISS_NEXT;
	rule->file = load_place(load, group, &rule->line);
	return true;
}

static bool
load_strength(struct load *load, const struct chain *chain,
    struct config_profile *profile)
{
	static const char *const	words[] = { "weak", "medium", "strong" };
	const config_setting_t		*at;
	const char			*name;
	char				 expected[200];
	size_t				 word;

	at = values_find(load, chain, "min_strength");
	if (!values_word(load, at, words, 3, &word))
		return false;
	profile->min_strength = word == 0 ? STRENGTH_WEAK : word == 1 ?
	    STRENGTH_MEDIUM : STRENGTH_STRONG;
	if (profile->rules == NULL)
		return true;
	name = rules_too_weak(profile->rules, profile->min_strength);
	if (name == NULL)
		return true;
	snprintf(expected, sizeof(expected), "a strength that rule \"%s\" has",
	    name);
	return load_expected(load, at, expected);
}

static bool
load_rules(struct load *load, const config_setting_t *list,
    struct config_profile *profile)
{
	struct rule_options	*options = NULL;
	const char		***names = NULL;
	size_t			 i, num;
	bool			 ok = false;

	if (list == NULL)
		return true;
	num = (size_t)config_setting_length(list);
	options = calloc(num, sizeof(*options));
	names = calloc(num, sizeof(*names));
	if (options == NULL || names == NULL) {
		load_no_memory(load);
		goto out;
	}
	for (i = 0; i < num; i++)
		if (!load_rule(load, config_setting_get_elem(list, (unsigned)i),
		    &names[i], &options[i]))
			goto out;
	profile->rules = rules_compile(options, num, load->error_r);
	ok = profile->rules != NULL;
out:
	for (i = 0; names != NULL && i < num; i++)
		free(names[i]);
	free(names);
	free(options);
	return ok;
}

/* -------------------------------------------------------------------- door */

bool
profile_load(struct load *load, const config_setting_t *group,
    struct config_profile *profile)
{
	struct chain		 chain;
	const config_setting_t	*denied;

	profile->file = load_place(load, group, &profile->line);
	profile->name = strdup(config_setting_name(group));
	if (profile->name == NULL)
		return load_no_memory(load);
	if (!profile_chain(load, group, &chain) ||
	    !values_required(load, &chain) ||
	    !load_authorities(load, values_find(load, &chain, "authorities"),
	    profile) ||
	    !load_policy(load, &chain, &profile->policy) ||
	    !online_deadline(load, &chain, profile) ||
	    !load_rules(load, values_find(load, &chain, "identity"), profile) ||
	    !load_strength(load, &chain, profile))
		return false;
	denied = values_find(load, &chain, "denied");
	if (denied != NULL) {
		profile->denied = refs_live(load, denied, CONFIG_DENIED);
		if (profile->denied < 0)
			return false;
	}
	profile->canonical = canonical_profile(load, &chain);
	return profile->canonical != NULL;
}
