/*
 * config.c - what does the policy file say?
 *
 * Goes through it once: bytes (read.c), grammar (libconfig), names and types
 * (values.c), then each part into the options struct of its room. Opens the
 * places it names and reads none of them.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "config/load.h"

/* ----------------------------------------------------------------- grammar */

/* What stands in line `line` of the text that libconfig saw. */
static void
show_line(const struct load *load, unsigned line, char *buf, size_t buf_len)
{
	const char	*at = load->source.text, *end;

	while (line > 1 && (end = strchr(at, '\n')) != NULL) {
		at = end + 1;
		line--;
	}
	end = strchr(at, '\n');
	text_printable(buf, buf_len, at,
	    end == NULL ? strlen(at) : (size_t)(end - at));
}

bool
load_grammar(struct load *load)
{
	const char	*file, *text, *mend;
	char		 shown[80];
	unsigned	 line, out_line;

	if (config_read_string(&load->tree, load->source.text) == CONFIG_TRUE)
		return true;
	text = config_error_text(&load->tree);
	out_line = config_error_line(&load->tree) <= 0 ? 1 :
	    (unsigned)config_error_line(&load->tree);
	file = conf_source_place(&load->source, out_line, &line);
	show_line(load, out_line, shown, sizeof(shown));
	mend = "expected NAME = VALUE; with a \";\" behind each setting and a "
	    "\",\" between the elements of a list";
	if (text != NULL && strstr(text, "duplicate") != NULL)
		mend = "expected each name once in its group";
	else if (text != NULL && strstr(text, "mismatched") != NULL)
		mend = "expected elements of one kind in [ ]";
	error_set(load->error_r, file, line, "%s: found \"%s\"; %s",
	    text != NULL ? text : "syntax error", shown, mend);
	return false;
}

/* Before all else: a file of a later version has settings we do not know. */
bool
load_version(struct load *load)
{
	const config_setting_t	*root = config_root_setting(&load->tree), *at;

	at = config_setting_get_member(root, "version");
	if (at == NULL) {
		error_set(load->error_r, load->source.files[0], 1,
		    "found no version; expected version = 1; at the top");
		return false;
	}
	if (config_setting_type(at) != CONFIG_TYPE_INT || at->value.ival != 1)
		return load_expected(load, at, "version = 1;");
	return true;
}

/* --------------------------------------------------------------------- top */

static bool
load_state(struct load *load, const config_setting_t *at)
{
	struct config	*config = load->config;

	/* Missing altogether: nothing was compiled yet. */
	if (!refs_open(load, at, true, &config->state))
		return false;
	config->has_state = config->state.folder_fd >= 0;
	return true;
}

static bool
load_owner(struct load *load, const config_setting_t *at)
{
	struct certauth_error	why;

	if (at->value.sval[0] == '\0')
		return true;
	if (!file_owners_add(&load->config->owners, at->value.sval, &why))
		return load_fault(load, at, "%s", why.text);
	return true;
}

/* The secret is hashed to its length at once and not kept. */
static bool
load_log_key(struct load *load, const config_setting_t *at)
{
	struct certauth_error	why;
	struct file_bytes	bytes;
	struct file_ref		ref;
	bool			ok;

	if (!refs_open(load, at, true, &ref))
		return false;
	if (!file_read(&ref, &load->config->owners, DECISION_MAX_KEY, &bytes,
	    &why)) {
		file_ref_close(&ref);
		return load_fault(load, at, "%s", why.text);
	}
	file_ref_close(&ref);
	ok = bytes.data_len >= DECISION_MIN_KEY ?
	    SHA256(bytes.data, bytes.data_len, load->config->log.key) != NULL :
	    load_expected(load, at, "a file with a secret of at least 16 bytes");
	OPENSSL_cleanse(bytes.data, bytes.data_len);
	file_bytes_free(&bytes);
	return ok;
}

static bool
load_log(struct load *load, const struct chain *top)
{
	static const char *const	formats[] = { "text", "json" };
	static const char *const	personals[] = { "plain", "hashed" };
	struct decision_options		*options = &load->config->log;
	struct chain			 chain;
	const config_setting_t		*at, *key;
	size_t				 word;

	values_sub_chain(top, "log", SECTION_LOG, &chain);
	if (!values_word(load, values_find(load, &chain, "format"), formats, 2,
	    &word))
		return false;
	options->json = word == 1;
	at = values_find(load, &chain, "personal");
	if (!values_word(load, at, personals, 2, &word))
		return false;
	options->personal = word == 0 ? DECISION_PLAIN : DECISION_HASHED;
	key = values_find(load, &chain, "key");
	if (options->personal == DECISION_HASHED && key == NULL)
		return load_expected(load, at, "the setting key beside it: a "
		    "file with the secret (head -c 32 /dev/urandom makes one)");
	if (key != NULL && !load_log_key(load, key))
		return false;
	at = values_find(load, &chain, "limit");
	if (at->value.ival < 0 || at->value.ival > DECISION_MAX_LIMIT)
		return load_expected(load, at, "a number from 0 to 100000");
	options->limit = (unsigned)at->value.ival;
	return true;
}

#ifdef CERTAUTH_TEST
static bool
load_test_clock(struct load *load, const struct chain *top)
{
	const config_setting_t	*at = values_find(load, top, "test_clock");
	struct file_ref		 ref;
	bool			 ok;

	if (at == NULL)
		return true;
	if (!refs_open(load, at, true, &ref))
		return false;
	load->config->test_clock = strdup(ref.path);
	ok = load->config->test_clock != NULL;
	file_ref_close(&ref);
	return ok ? true : load_no_memory(load);
}
#else
/* A release build does not know the setting: it was refused before. */
static bool
load_test_clock(struct load *load, const struct chain *top)
{
	(void)load;
	(void)top;
	return true;
}
#endif

/* ------------------------------------------------------------- authorities */

static bool
load_revocation(struct load *load, const struct chain *parent,
    struct config_authority *authority)
{
	static const char *const checks[] = { "chain", "leaf", "none" };
	static const char *const unknowns[] = { "refuse", "accept" };
	struct revocation_options *options = &authority->revocation;
	struct chain		 chain;
	const config_setting_t	*at;
	size_t			 word;

	values_sub_chain(parent, "revocation", SECTION_REVOCATION, &chain);
	if (!values_word(load, values_find(load, &chain, "check"), checks, 3,
	    &word))
		return false;
	options->check = word == 0 ? REVOCATION_CHAIN :
	    word == 1 ? REVOCATION_LEAF : REVOCATION_NONE;
	if (!values_word(load, values_find(load, &chain, "unknown"), unknowns,
	    2, &word))
		return false;
	options->unknown = word == 0 ? REVOCATION_REFUSE : REVOCATION_ACCEPT;
	if (!values_duration(load, values_find(load, &chain, "grace"),
	    &options->grace) ||
	    !values_duration(load, values_find(load, &chain, "max_age"),
	    &options->max_age))
		return false;
	at = values_find(load, &chain, "max_age");
	if (options->max_age == 0 && at->value.sval[0] != '\0')
		return load_expected(load, at, "a duration over 0, or \"\" for "
		    "no limit");
	at = values_find(load, &chain, "crls");
	return (at == NULL || refs_open_list(load, at, REFS_LIVE,
	    &authority->crls)) &&
	    online_revocation(load, &chain, authority);
}

static bool
load_authority(struct load *load, const config_setting_t *group,
    struct config_authority *authority)
{
	static const char *const words[] = { "refuse", "accept" };
	struct chain		 chain = { SECTION_AUTHORITY, { group }, 1 };
	const config_setting_t	*at;
	size_t			 word;

	authority->file = load_place(load, group, &authority->line);
	authority->name = strdup(config_setting_name(group));
	if (authority->name == NULL)
		return load_no_memory(load);
	if (!values_required(load, &chain) ||
	    !refs_open_list(load, values_find(load, &chain, "anchors"), REFS_KEPT,
	    &authority->anchors))
		return false;
	at = values_find(load, &chain, "issuers");
	if (at != NULL && !refs_open_list(load, at, REFS_KEPT,
	    &authority->issuers))
		return false;
	if (!values_word(load, values_find(load, &chain, "new_issuers"), words,
	    2, &word))
		return false;
	authority->new_issuers = word == 1;
	at = values_find(load, &chain, "intermediates");
	if (at != NULL && !refs_open_list(load, at, REFS_KEPT,
	    &authority->intermediates))
		return false;
	return load_revocation(load, &chain, authority);
}

static bool
load_authorities(struct load *load, const config_setting_t *groups)
{
	struct config	*config = load->config;
	size_t		 num = (size_t)config_setting_length(groups), i;

	config->authorities = calloc(num, sizeof(*config->authorities));
	if (config->authorities == NULL)
		return load_no_memory(load);
	for (i = 0; i < num; i++) {
		config->num_authorities++;
		if (!load_authority(load, config_setting_get_elem(groups,
		    (unsigned)i), &config->authorities[i]))
			return false;
	}
	return true;
}

static bool
load_profiles(struct load *load, const config_setting_t *groups)
{
	struct config	*config = load->config;
	size_t		 num = (size_t)config_setting_length(groups), i;

	config->profiles = calloc(num, sizeof(*config->profiles));
	if (config->profiles == NULL)
		return load_no_memory(load);
	for (i = 0; i < num; i++) {
		config->profiles[i].denied = -1;
		config->num_profiles++;
		if (!profile_load(load, config_setting_get_elem(groups,
		    (unsigned)i), &config->profiles[i]))
			return false;
	}
	return true;
}

/* -------------------------------------------------------------------- door */

static bool
load_tree(struct load *load)
{
	const config_setting_t	*root = config_root_setting(&load->tree);
	struct chain		 top = { SECTION_TOP, { root }, 1 };

	return load_version(load) && values_fallbacks(load) &&
	    values_check(load, root, SECTION_TOP) &&
	    values_required(load, &top) &&
	    load_owner(load, values_find(load, &top, "owner")) &&
	    load_state(load, values_find(load, &top, "state")) &&
	    online_refresher(load, &top) &&
	    load_log(load, &top) &&
	    load_test_clock(load, &top) &&
	    load_authorities(load, values_find(load, &top, "authorities")) &&
	    load_profiles(load, values_find(load, &top, "profiles"));
}

/* What was wrong is in the generation; the words name the file as it was then. */
static void
say_generation(const struct applied *applied, struct certauth_error *error_r)
{
	char	text[sizeof(error_r->text)];

	if (error_r == NULL)
		return;
	(void)snprintf(text, sizeof(text), "%s", error_r->text);
	(void)snprintf(error_r->text, sizeof(error_r->text), "(generation %u) "
	    "%.*s", applied->number, (int)sizeof(text) - 40, text);
}

/* `applied` (taken over) NULL: the file. */
static struct config *
load_from(const char *path, struct applied *applied,
    struct certauth_error *error_r)
{
	struct load	 load = { .error_r = error_r };
	struct config	*config;
	const char	*main_file;
	bool		 ok = false;

	config = calloc(1, sizeof(*config));
	if (config == NULL) {
		load_no_memory(&load);
		if (applied != NULL)
			applied_free(applied);
		free(applied);
		return NULL;
	}
	config->applied = applied;
	load.bundle = applied != NULL ? &applied->bundle : NULL;
	load.config = config;
	config_init(&load.tree);
	config_init(&load.fallbacks);
	file_owners_init(&config->owners);
	if (!conf_source_read(&load.source, load.bundle, path, &config->owners,
	    error_r))
		goto out;
	main_file = load.source.files[0];
	config->path = strdup(main_file);
	load.folder = strndup(main_file,
	    (size_t)(strrchr(main_file, '/') - main_file) + 1);
	if (config->path == NULL || load.folder == NULL) {
		load_no_memory(&load);
		goto out;
	}
	ok = load_grammar(&load) && load_tree(&load);
out:
	/* The `file` fields point at the names. */
	config->files = load.source.files;
	config->num_files = load.source.num_files;
	load.source.files = NULL;
	load.source.num_files = 0;
	conf_source_free(&load.source);
	config_destroy(&load.fallbacks);
	config_destroy(&load.tree);
	free(load.folder);
	if (!ok) {
		if (applied != NULL)
			say_generation(applied, error_r);
		config_free(config);
		config = NULL;
	}
	return config;
}

struct config *
config_load(const char *path, struct certauth_error *error_r)
{
	return load_from(path, NULL, error_r);
}

struct config *
config_load_applied(const char *path, const char *name,
    struct certauth_error *error_r)
{
	struct applied		*applied = calloc(1, sizeof(*applied));
	struct file_owners	 owners;

	file_owners_init(&owners);
	if (applied == NULL) {
		error_set(error_r, path, 0, "out of memory");
		return NULL;
	}
	if (!applied_read(path, name, &owners, applied, error_r)) {
		free(applied);
		return NULL;
	}
	return load_from(path, applied, error_r);
}

struct config *
config_load_in_force(const char *path, struct certauth_error *error_r)
{
	struct applied		*applied = calloc(1, sizeof(*applied));
	struct file_owners	 owners;

	file_owners_init(&owners);
	if (applied == NULL) {
		error_set(error_r, path, 0, "out of memory");
		return NULL;
	}
	switch (applied_in_force(path, &owners, applied, error_r)) {
	case APPLIED_FOUND:
		return load_from(path, applied, error_r);
	case APPLIED_NONE:
		free(applied);
		return load_from(path, NULL, error_r);
	case APPLIED_BAD:
		break;
	}
	free(applied);
	return NULL;
}

static void
free_profile(struct config_profile *profile)
{
	policy_options_clear(&profile->policy);
	rules_free(profile->rules);
	free(profile->name);
	free(profile->authorities);
	free(profile->canonical);
}

void
config_free(struct config *config)
{
	size_t	i;

	if (config == NULL)
		return;
	for (i = 0; i < config->num_profiles; i++)
		free_profile(&config->profiles[i]);
	free(config->profiles);
	for (i = 0; i < config->num_authorities; i++) {
		refs_free_list(&config->authorities[i].anchors);
		refs_free_list(&config->authorities[i].issuers);
		refs_free_list(&config->authorities[i].intermediates);
		refs_free_list(&config->authorities[i].crls);
		online_free(&config->authorities[i]);
		free(config->authorities[i].name);
	}
	free(config->authorities);
	for (i = 0; i < config->num_live; i++)
		file_ref_close(&config->live[i].ref);
	free(config->live);
	file_ref_close(&config->state);
	for (i = 0; i < config->num_folder_fds; i++)
		close(config->folder_fds[i]);
	free(config->folder_fds);
	for (i = 0; i < config->num_files; i++)
		free(config->files[i]);
	free(config->files);
	if (config->applied != NULL)
		applied_free(config->applied);
	free(config->applied);
	free(config->refresher);
	free(config->test_clock);
	free(config->path);
	free(config);
}
