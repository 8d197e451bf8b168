/*
 * command.h - the terminal is a host too: what its files share.
 *
 * No certificate logic here: words in, the core's answer out.
 */
#ifndef CERTAUTH_COMMAND_H
#define CERTAUTH_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "certauth_apply.h"
#include "certauth_data.h"

/* INTERFACE: accepted or fine; rejected or faults found; usage or I/O. */
enum { EXIT_FINE = 0, EXIT_REJECTED = 1, EXIT_USAGE = 2 };

#define DEFAULT_CONFIG	"/etc/certauth/certauth.conf"

struct list { const char **items; size_t num_items; };

/* Everything that any subcommand takes; strings are argv's. */
struct args {
	const char	*config, *profile, *time, *purpose, *max_depth, *email,
			*revocation, *output, *index, *serial, *password_file, *stale_until, *reason, *from,
			*until, *format, *map;
	struct list	 roots, intermediates, crls, responses, policies, sent, issuers,
			 users, rest;
	const char	*groups, *csv;	/* map enroll */
	struct list	 pending;
	const char	*id;		/* explain --id */
	const char	*server, *server_config, *server_binary;
	const char	*connect, *cert, *key, *starttls;
	bool		 html, dot;
	struct list	 logs;
	bool		 dry_run, story;
	bool		 list, remove, force;	/* apply */
	const char	*new_policy, *to;	/* diff */
	bool		 in_force;	/* what the servers read, though `config` is set */
	/* No option: a generation, by its name, instead of it; "": the file; or NULL. */
	const char	*generation;
	const char	*service, *into, *account;
	struct list	 given;		/* the names of the options, as typed */
	const char	*verb;		/* "enroll" of map enroll; "" none */
	struct list	*last_list;	/* the list option read last */
	bool		 end, json, explicit_policy, inhibit_any, inhibit_mapping,
			 help, version;
	int64_t		 now;		/* of --time; 0: the clock */
};

/* Reads argv[0 .. argc-1] (subcommand excluded). False: said on stderr. */
bool	args_read(struct args *, int argc, char **argv);
void	args_free(struct args *);
/* `--roots A B CERT`: a list option takes all the words behind it; when `rest` is
 * still empty, the last word was meant for it. */
void	args_give_last(struct args *);
/* The policy file: --config, or the one that everybody has. */
const char *args_conf(const struct args *);

/* cmd_apply.c: the policy that a command looks at. --config names a file, and that file
 * is looked at; without it what the servers read: the generation in force. */
struct certauth *args_open(const struct args *, struct certauth_error *error_r);
/* The same, for who asks one question: NULL was said on stderr, and so is which of the
 * two it was, where they differ. */
struct certauth *args_open_saying(const struct args *);

/*
 * commands.c: one row for each way to call a command. An option belongs to a
 * command when one of its rows names it, or when all take it.
 */
struct command {
	const char	*name;		/* "map enroll" */
	int		(*run)(struct args *);
	const char	*usage;		/* what stands behind the name */
	const char	*text;		/* what it is for; "": as the row above */
};
extern const struct command	commands[];
extern const size_t		num_commands;
/* The row that the first words of `rest` name, which are taken out; its options are
 * looked at. NULL: said on stderr. */
const struct command *command_find(struct args *);
/* Usage of all commands, or of those whose name begins with `word`. */
void	command_usage(FILE *, const char *word);
/* The same, with every option, for programs. */
bool	command_takes(const struct command *, const char *option);
bool	command_takes_all(const char *option);
/* complete.c: prints what may come behind these words. */
int	cmd_complete(size_t num, char **words);
int	command_json(void);

/* args.c: what the options table says, for usage and for programs; false past the
 * end. */
struct option_row {
	const char	*name, *value, *text;	/* value "": a flag */
	bool		 many;			/* takes several words */
};
bool	option_at(size_t i, struct option_row *row_r);

/* "certauth: ..." on stderr; returns EXIT_USAGE. */
int	complain(const char *format, ...) CERTAUTH_PRINTF(1, 2);
int	complain_error(const struct certauth_error *);
/* The same after a door that left EINVAL where what was handed in is at fault: then
 * EXIT_REJECTED. */
int	complain_fault(const struct certauth_error *);
/* waiting.c: of a clock that nobody sets; until it says so, is the descriptor ready? */
int64_t	monotonic_ms(void);
bool	wait_until(int fd, short events, int64_t until);
/* Bytes of names of CAs in a handshake: from here on mobile clients and boxes
 * between begin to lose some. */
#define NAMES_WARN	16384
/* The core's remarks, on stderr. */
void	print_notes(struct certauth *);

/* cmd_publish.c: who sits at the terminal. */
const char *who(void);

/* cmd_check.c: what was found, as each user who opens the policy. */
struct check_report {
	json_t	*lines;		/* { severity, user, text }, of a server's
				   configuration with file, line, remedy */
	size_t	 faults, warnings;
	size_t	 unopened;	/* users for whom nothing works at all */
	const char *server;	/* of --server, or of --connect */
	json_t	*seen;		/* by --connect; NULL */
};
/* As whoever asks, and as root as each of --user, else of the servers' on Debian.
 * False: said on stderr. */
bool	check_as_servers(struct check_report *, const struct args *);
/* One more line; `severity` as certauth_audit()'s. */
void	check_add(struct check_report *, const char *user, int severity,
	    const char *text);
void	check_print(const struct check_report *);

/* cmd_state.c: the refresher's status file, the caller's; NULL: none. */
json_t *state_read(const struct certauth *);
/* ask_refresher.c: a connection that does not block; -1 with errno. */
int	refresher_dial(const char *path);
/* What a login would be told in the end, with `request`'s profile and its deadline.
 * Takes `verdict`, which may be decided already or NULL; NULL: out of memory. */
struct certauth_verdict *refresher_settle(struct certauth *,
	    struct certauth_request *, struct certauth_verdict *verdict);
/* check_running.c: does nobody fetch any more? True: `line` says why it looks so. A
 * refresher that never was is none that is missing. */
bool	refresher_dead(const struct certauth *, const struct json_t *status,
	    char *line, size_t line_size);
/* Lines for `certauth check`. */
void	check_refresher(struct certauth *, certauth_audit_fn *, void *context);
/* `published`: the format of the index in force; 0: there is none. */
void	check_processes(unsigned published, certauth_audit_fn *, void *context);
/* module_stamp.c: of the ELF file that begins at `offset` of `fd`, a file or a
 * process's memory. False: there is none. */
bool	module_stamp(int fd, off_t offset, struct certauth_stamp *stamp_r);

int	cmd_verify(struct args *);
int	cmd_explain(struct args *);
int	cmd_explain_id(struct args *);
int	cmd_check(struct args *);
int	cmd_init(struct args *);
int	cmd_compile(struct args *);
int	cmd_show(struct args *);
int	cmd_show_authorities(struct args *);
int	cmd_show_revocation(struct args *);
int	cmd_publish(struct args *);
int	cmd_override(struct args *);
int	cmd_pool(struct args *);
int	cmd_deny(struct args *);
int	cmd_map_list(struct args *);
int	cmd_map_remove(struct args *);
int	cmd_forecast(struct args *);
/* cmd_enroll.c */
int	cmd_map_enroll(struct args *);
/* cmd_map_explain.c */
int	cmd_map_explain(struct args *);
/* cmd_verify.c: first line of the file, the caller's; NULL (said): it cannot be read. */
char   *read_password(const char *file);
/* cmd_verify.c: the engine of --config and the profile of --profile, or the only
 * one there is. NULL: said on stderr. */
struct certauth *open_profile(const struct args *,
	    const struct certauth_profile **profile_r);
int	cmd_allow(struct args *);
int	cmd_apply(struct args *);
int	cmd_rollback(struct args *);
int	cmd_diff(struct args *);
int	cmd_table_build(struct args *);
int	cmd_table_check(struct args *);
int	cmd_table_lookup(struct args *);
int	cmd_table_import(struct args *);
int	cmd_table_export(struct args *);

#endif
