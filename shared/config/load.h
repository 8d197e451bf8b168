/*
 * load.h - private to config/: what its files share while one policy is loaded.
 */
#ifndef CERTAUTH_CONFIG_LOAD_H
#define CERTAUTH_CONFIG_LOAD_H

#include <libconfig.h>

#include "base/text.h"
#include "config/config.h"
#include "config/directives.h"
#include "config/read.h"

struct load {
	struct config		*config;
	const struct bundle	*bundle;	/* NULL: the disk */
	struct conf_source	 source;
	config_t		 tree;
	config_t		 fallbacks;	/* every default, parsed alike */
	char			*folder;	/* of the main file */
	size_t			 canonical_bytes;
	struct certauth_error	*error_r;
};

/*
 * A group and those it stands on (base), nearest first: the first one that has
 * the setting gives it.
 */
struct chain {
	enum directive_section	 section;
	const config_setting_t	*groups[CONFIG_MAX_BASES + 1];
	size_t			 num_groups;
};

/* config.c: libconfig's tree of the source, and that it is one of ours. */
bool	load_grammar(struct load *);
bool	load_version(struct load *);

/* values.c. All faults name the file, the line and the setting. */
bool	load_fault(const struct load *, const config_setting_t *,
	    const char *format, ...) CERTAUTH_PRINTF(3, 4);
bool	load_no_memory(const struct load *);
const char *load_place(const struct load *, const config_setting_t *,
	    unsigned *line_r);
/* "found X; expected ..." for a value that has the right type. */
bool	load_expected(const struct load *, const config_setting_t *,
	    const char *expected);

/* Names and types of everything in a group of that section, to the bottom. */
bool	values_check(const struct load *, const config_setting_t *group,
	    enum directive_section);
/* Parses the defaults of directives.def. */
bool	values_fallbacks(struct load *);
/* NULL: neither written nor a default. */
const config_setting_t *values_find(const struct load *, const struct chain *,
	    const char *name);
/* The groups `name` of a chain's groups, in the same order. */
void	values_sub_chain(const struct chain *, const char *name,
	    enum directive_section, struct chain *sub_r);
/* Is the setting a default (true) or written by somebody? */
bool	values_is_fallback(const struct load *, const config_setting_t *);
/* Faults at the nearest group when a required setting is nowhere in the chain. */
bool	values_required(const struct load *, const struct chain *);

/* For settings whose type was checked. */
bool	values_number(const struct load *, const config_setting_t *,
	    unsigned min, unsigned max, unsigned *number_r);
bool	values_duration(const struct load *, const config_setting_t *,
	    int64_t *seconds_r);	/* "" gives 0 */
bool	values_word(const struct load *, const config_setting_t *,
	    const char *const *words, size_t num_words, size_t *index_r);

/* profile.c */
bool	profile_load(struct load *, const config_setting_t *,
	    struct config_profile *);
/* The group and its bases. False: error_r. */
bool	profile_chain(const struct load *, const config_setting_t *,
	    struct chain *);
bool	profile_authority(const struct load *, const config_setting_t *name,
	    size_t *number_r);

/* online.c: what is fetched, from where; how long somebody waits for it */
bool	online_revocation(struct load *, const struct chain *,
	    struct config_authority *);
bool	online_refresher(struct load *, const struct chain *top);
bool	online_deadline(struct load *, const struct chain *,
	    struct config_profile *);
void	online_free(struct config_authority *);

/* canonical.c: the text of config.h; NULL: error_r. */
char   *canonical_profile(struct load *, const struct chain *);

/* refs.c: the place a setting names, relative to the main policy file. */
bool	refs_open(struct load *, const config_setting_t *, bool may_miss,
	    struct file_ref *);
/* KEPT: must be there, and a generation has it; LIVE: may be missing, and is always
 * looked for on the disk. */
enum refs_kind { REFS_KEPT, REFS_LIVE };
bool	refs_open_list(struct load *, const config_setting_t *, enum refs_kind,
	    struct config_refs *);
void	refs_free_list(struct config_refs *);
/* Its number in config.live, -1: error_r. */
int	refs_live(struct load *, const config_setting_t *,
	    enum config_live_kind);

#endif
