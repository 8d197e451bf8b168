/*
 * init.h - what the files of `certauth init` share.
 */
#ifndef CERTAUTH_COMMAND_INIT_H
#define CERTAUTH_COMMAND_INIT_H

#include <stdbool.h>
#include <stdio.h>

#include "command.h"
#include "doctor.h"
#include "json.h"

#define INIT_PATH	4096

struct init {
	const struct args *args;
	struct doctor	 doctor;	/* the server's configuration as it is */
	char		 policy[INIT_PATH];
	bool		 policy_named;	/* the server knows it: named, or the default */
	bool		 maps;		/* the profile leads to users */
	char		 host[256];	/* of this machine */
	char		 cert[INIT_PATH], key[INIT_PATH];	/* of the server */
	bool		 own_cert;	/* they are files of this machine */
	json_t		*parts;		/* { where, text } */
	const char	*then;		/* the command that puts it in force */
};

/* Begins a part; what is written to the file becomes its text at init_end(). NULL:
 * out of memory. */
FILE   *init_begin(char **text_r, size_t *len_r);
bool	init_end(struct init *, FILE *, char **text, const char *where);
/* Where is that file of ours: in `folder`, beside this program, or (false) nowhere? */
bool	init_find(const char *folder, const char *name, char path_r[INIT_PATH]);
/* A certificate with its key that the configuration names, or the one that Debian
 * makes, or a name to be replaced. */
void	init_certificate(struct init *, const char *cert, const char *key);

/* One for each server. False: said. */
bool	init_nginx(struct init *);
bool	init_apache(struct init *);
bool	init_dovecot(struct init *);

#endif
