/*
 * args.c - which words did the person type?
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

enum kind { FLAG, VALUE, LIST };

struct option {
	const char	*name;
	enum kind	 kind;
	size_t		 offset;
};

#define OFFSET(member)	offsetof(struct args, member)

static const struct option	options[] = {
	{ "--config", VALUE, OFFSET(config) },
	{ "--profile", VALUE, OFFSET(profile) },
	{ "--time", VALUE, OFFSET(time) },
	{ "--purpose", VALUE, OFFSET(purpose) },
	{ "--max-depth", VALUE, OFFSET(max_depth) },
	{ "--email", VALUE, OFFSET(email) },
	{ "--revocation", VALUE, OFFSET(revocation) },
	{ "--output", VALUE, OFFSET(output) },
	{ "--index", VALUE, OFFSET(index) },
	{ "--from", VALUE, OFFSET(from) },
	{ "--serial", VALUE, OFFSET(serial) },
	{ "--stale-until", VALUE, OFFSET(stale_until) },
	{ "--reason", VALUE, OFFSET(reason) },
	{ "--until", VALUE, OFFSET(until) },
	{ "--format", VALUE, OFFSET(format) },
	{ "--map", VALUE, OFFSET(map) },
	{ "--password-file", VALUE, OFFSET(password_file) },
	{ "--issuer", LIST, OFFSET(issuers) },
	{ "--issuers", LIST, OFFSET(issuers) },
	{ "--roots", LIST, OFFSET(roots) },
	{ "--intermediates", LIST, OFFSET(intermediates) },
	{ "--crls", LIST, OFFSET(crls) },
	{ "--ocsp-response", LIST, OFFSET(responses) },
	{ "--require-policy", LIST, OFFSET(policies) },
	{ "--sent", LIST, OFFSET(sent) },
	{ "--user", LIST, OFFSET(users) },
	{ "--groups", VALUE, OFFSET(groups) },
	{ "--csv", VALUE, OFFSET(csv) },
	{ "--pending", LIST, OFFSET(pending) },
	{ "--dry-run", FLAG, OFFSET(dry_run) },
	{ "--json", FLAG, OFFSET(json) },
	{ "--explain", FLAG, OFFSET(story) },
	{ "--service", VALUE, OFFSET(service) },
	{ "--end", FLAG, OFFSET(end) },
	{ "--explicit-policy", FLAG, OFFSET(explicit_policy) },
	{ "--inhibit-any-policy", FLAG, OFFSET(inhibit_any) },
	{ "--inhibit-policy-mapping", FLAG, OFFSET(inhibit_mapping) },
	{ "--help", FLAG, OFFSET(help) },
	{ "-h", FLAG, OFFSET(help) },
	{ "--version", FLAG, OFFSET(version) },
};
#define NUM_OPTIONS	(sizeof(options) / sizeof(options[0]))

static void *
member(struct args *args, const struct option *o)
{
	return (char *)args + o->offset;
}

static bool
append(struct list *list, const char *item)
{
	const char	**grown;

	grown = realloc(list->items, (list->num_items + 1) * sizeof(*grown));
	if (grown == NULL)
		return false;
	list->items = grown;
	list->items[list->num_items++] = item;
	return true;
}

/* The option `word` names, its value behind "=" in *value_r. */
static const struct option *
find(const char *word, const char **value_r)
{
	const char	*equals = strchr(word, '=');
	size_t		 i, len = equals != NULL ? (size_t)(equals - word) :
			    strlen(word);

	*value_r = equals != NULL ? equals + 1 : NULL;
	for (i = 0; i < NUM_OPTIONS; i++)
		if (strlen(options[i].name) == len &&
		    strncmp(options[i].name, word, len) == 0)
			return &options[i];
	return NULL;
}

static bool
is_option(const char *word)
{
	return word[0] == '-' && word[1] != '\0';
}

/* Takes what belongs to options[i]; *i is left on the last word taken. */
static bool
take(struct args *args, const struct option *o, const char *value, int argc,
    char **argv, int *i)
{
	size_t	before;

	switch (o->kind) {
	case FLAG:
		if (value != NULL) {
			complain("%s takes no value", o->name);
			return false;
		}
		*(bool *)member(args, o) = true;
		return true;
	case VALUE:
		if (value == NULL && *i + 1 < argc)
			value = argv[++*i];
		if (value == NULL) {
			complain("%s wants a value", o->name);
			return false;
		}
		*(const char **)member(args, o) = value;
		return true;
	case LIST:
		args->last_list = member(args, o);
		if (value != NULL)
			return append(member(args, o), value);
		before = ((struct list *)member(args, o))->num_items;
		while (*i + 1 < argc && !is_option(argv[*i + 1]))
			if (!append(member(args, o), argv[++*i]))
				return false;
		if (((struct list *)member(args, o))->num_items == before) {
			complain("%s wants at least one value", o->name);
			return false;
		}
		return true;
	}
	return false;
}

bool
args_read(struct args *args, int argc, char **argv)
{
	const struct option	*o;
	const char		*value;
	bool			 only_rest = false;
	int			 i;

	memset(args, 0, sizeof(*args));
	for (i = 0; i < argc; i++) {
		if (only_rest || !is_option(argv[i])) {
			if (!append(&args->rest, argv[i]))
				return false;
			continue;
		}
		if (strcmp(argv[i], "--") == 0) {
			only_rest = true;
			continue;
		}
		o = find(argv[i], &value);
		if (o == NULL) {
			complain("unknown option %s; see certauth --help",
			    argv[i]);
			return false;
		}
		if (!take(args, o, value, argc, argv, &i))
			return false;
	}
	if (args->time != NULL && !certauth_time_parse(args->time, &args->now)) {
		complain("--time: \"%s\" is no time; expected for example "
		    "2026-03-01T12:00:00Z or @1772366400", args->time);
		return false;
	}
	/* to the core 0 means the clock; the first second of 1970 is close */
	if (args->time != NULL && args->now == 0)
		args->now = 1;
	return true;
}

void
args_give_last(struct args *args)
{
	struct list	*last = args->last_list;

	if (args->rest.num_items == 0 && last != NULL && last->num_items > 1 &&
	    append(&args->rest, last->items[last->num_items - 1]))
		last->num_items--;
}

void
args_free(struct args *args)
{
	free(args->roots.items);
	free(args->intermediates.items);
	free(args->crls.items);
	free(args->responses.items);
	free(args->policies.items);
	free(args->sent.items);
	free(args->issuers.items);
	free(args->users.items);
	free(args->pending.items);
	free(args->rest.items);
}
