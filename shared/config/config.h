/*
 * config.h - the policy, read and checked: the file, or the generation of it that is
 * in force. Reads no other file than it and what it includes; opens (file_ref) the
 * places it names.
 */
#ifndef CERTAUTH_CONFIG_CONFIG_H
#define CERTAUTH_CONFIG_CONFIG_H

#include "base/arena.h"
#include "base/file.h"
#include "config/applied.h"
#include "identity/rules.h"
#include "revocation/revocation.h"
#include "trust/policy.h"
#include "verdict/decision.h"

#define CONFIG_MAX_BYTES	(1024u * 1024)
#define CONFIG_MAX_INCLUDES	64
#define CONFIG_MAX_AUTHORITIES	256
#define CONFIG_MAX_PROFILES	1024
#define CONFIG_MAX_LIVE		1024
/* Elements of one list; pool and revocation take as many files. */
#define CONFIG_MAX_LIST		4096
/* Profiles that one profile stands on. */
#define CONFIG_MAX_BASES	16
#define CONFIG_MAX_DEPTH	32
#define CONFIG_MAX_CANONICAL	(64u * 1024 * 1024)

/* `files[i]`, `lines[i]`: where refs[i] was written; borrowed from the config. */
struct config_refs {
	struct file_ref *refs; const char **files; unsigned *lines;
	size_t num_refs;
};

struct config_authority {
	char			 *name;
	const char		 *file;
	unsigned		  line;
	struct config_refs	  anchors, issuers, intermediates, crls;
	struct revocation_options revocation;
	/* For the refresher. */
	char			**crl_urls;	/* instead of the certificates' own */
	size_t			  num_crl_urls;
	char			 *ocsp_url;	/* NULL: the certificates' own */
	char			 *ca_file;	/* for https; NULL: the system's */
	int64_t			  refresh;	/* seconds, over 0 */
	bool			  private_addresses;
	bool			  new_issuers;	/* the next of a series may issue */
	bool			  ldap;		/* may ldap: be fetched? */
	bool			  ocsp_nonce;
};

enum config_live_kind { CONFIG_TABLE, CONFIG_DENIED };
/* A file that poll looks at: maps and denied lists; one entry however often it
 * is named, so its number is what rules and profiles hold. */
struct config_live {
	enum config_live_kind	kind;
	struct file_ref		ref;
	const char	       *file;	/* where it was written first */
	unsigned		line;
};

struct config_profile {
	char			*name;
	const char		*file;
	unsigned		 line;
	size_t			*authorities;	/* numbers, in the order written */
	size_t			 num_authorities;
	struct policy_options	 policy;
	struct rules		*rules;		/* NULL: no identity setting */
	enum rule_strength	 min_strength;
	int			 denied;	/* live number, -1: none */
	unsigned		 deadline;	/* milliseconds; 0: nobody waits */
	/* every setting in force in canonical form, for the profile's digest:
	 * "name=value" lines sorted, authorities' settings included */
	char			*canonical;
};

struct config {
	char			*path;		/* absolute */
	struct file_owners	 owners;
	struct file_ref		 state;
	bool			 has_state;	/* its parent folder exists */
	struct config_authority	*authorities;	size_t num_authorities;
	struct config_profile	*profiles;	size_t num_profiles;
	struct config_live	*live;		size_t num_live;
	char			*refresher;	/* path of its socket */
	struct decision_options	 log;
	char			*test_clock;	/* -DCERTAUTH_TEST: file with the time; else NULL */
	/* The policy file and its includes; all `file` fields point here. */
	char		       **files;		size_t num_files;
	/* Descriptors of the folders that the refs share. */
	int			*folder_fds;	size_t num_folder_fds;
	/* The generation it was read from, which refs of anchors, issuers and
	 * intermediates lead into. NULL: it was the file. */
	struct applied		*applied;
};

/* An identity rule in the words it was written in. */
struct config_rule {
	const char	*name, *when, *key, *table;	/* NULL: not written */
	const char	*other;		/* the first setting beside those; NULL: none */
	bool		 next;		/* on_miss */
	const char	*file;
	unsigned	 line;
};
struct config_rules {
	struct arena		*arena;
	struct config_rule	*rules;
	size_t			 num_rules;
};
/*
 * The identity rules of a policy file's profile (NULL: its only one), or of a file
 * that has `identity` alone. Checks names and types of all settings, opens no place
 * that one names. False: error_r, nothing to free.
 */
bool	config_rules_read(const char *path, const char *profile,
	    struct config_rules *rules_r, struct certauth_error *error_r);
void	config_rules_free(struct config_rules *);

/* What servers use: the generation in force, without one the file. A generation that
 * cannot be read is an error; the file does not take its place. NULL: error_r names
 * file and line. Out of memory too. */
struct config *config_load_in_force(const char *path,
	    struct certauth_error *error_r);
/* The file, whatever is in force. */
struct config *config_load(const char *path, struct certauth_error *error_r);
/* The generation whose file is called `name`, in force or not. */
struct config *config_load_applied(const char *path, const char *name,
	    struct certauth_error *error_r);
void	config_free(struct config *);

#endif
