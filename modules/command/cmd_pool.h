/* cmd_pool.h - what the verbs of `certauth pool` share. */
#ifndef CERTAUTH_COMMAND_POOL_H
#define CERTAUTH_COMMAND_POOL_H

#include "certauth_family.h"
#include "command.h"
#include "json.h"
#include "terminal.h"

#ifndef CERTAUTH_SHARE
#define CERTAUTH_SHARE	"/usr/share/certauth"
#endif
/* The folder beside the policy file. */
#define POOL_FOLDER	"personalsign"
#define POOL_MAX_PATH	4096

struct pool_run {
	const struct args	*args;
	char			 conf[POOL_MAX_PATH];	/* the policy file */
	char			 folder[POOL_MAX_PATH];	/* POOL_FOLDER beside it */
	struct certauth_family	*family;
	json_t			*lines;
	size_t			 counts[FAMILY_OTHER + 1];
};

/* "FOLDER/NAME"; false: too long (said on stderr). */
bool	pool_path(char *buf, const char *folder, const char *name);
/* A line of the core into the report. */
void	pool_line(void *context, const struct family_line *);
/* The report on stdout; returns `status`. */
int	pool_report(struct pool_run *, int status);

/* cmd_pool_setup.c */
int	pool_setup(struct pool_run *);
/* authorities.conf and profiles.conf, of what is there. *profiles_r: how many. */
bool	pool_lists(struct pool_run *, size_t *profiles_r);

/* cmd_pool_accept.c; without a manifest too */
int	pool_pending(struct pool_run *);
int	pool_accept(struct pool_run *);

/* cmd_pool_fetch.c: what is missing, by the refresher, into the folders. */
bool	pool_fetch(struct pool_run *);

#endif
