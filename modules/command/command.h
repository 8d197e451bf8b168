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
	bool		 dry_run, story;
	const char	*service;
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

/* "certauth: ..." on stderr; returns EXIT_USAGE. */
int	complain(const char *format, ...) CERTAUTH_PRINTF(1, 2);
int	complain_error(const struct certauth_error *);
/* The core's remarks, on stderr. */
void	print_notes(struct certauth *);

/* cmd_state.c: the refresher's status file, the caller's; NULL: none. */
struct json_t;
struct json_t *state_read(const struct certauth *);
/* check_running.c: lines for `certauth check` */
void	check_refresher(struct certauth *, certauth_audit_fn *, void *context);
/* `published`: the format of the index in force; 0: there is none. */
void	check_processes(unsigned published, certauth_audit_fn *, void *context);
/* module_stamp.c: of the ELF file that begins at `offset` of `fd`, a file or a
 * process's memory. False: there is none. */
bool	module_stamp(int fd, off_t offset, struct certauth_stamp *stamp_r);

int	cmd_verify(struct args *);
int	cmd_explain(struct args *);
int	cmd_check(struct args *);
int	cmd_compile(struct args *);
int	cmd_show(struct args *);
int	cmd_show_revocation(struct args *);
int	cmd_publish(struct args *);
int	cmd_override(struct args *);
int	cmd_pool(struct args *);
int	cmd_deny(struct args *);
int	cmd_map(struct args *);
int	cmd_forecast(struct args *);
/* cmd_enroll.c */
int	cmd_map_enroll(struct args *);
int	cmd_map_pending(struct args *);
/* cmd_map_explain.c */
int	cmd_map_explain(struct args *);
/* cmd_verify.c: the engine of --config and the profile of --profile, or the only
 * one there is. NULL: said on stderr. */
struct certauth *open_profile(const struct args *,
	    const struct certauth_profile **profile_r);
int	cmd_allow(struct args *);
int	cmd_table(struct args *);

#endif
