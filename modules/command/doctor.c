/*
 * doctor.c - what would a server's configuration do to those who log in? What all
 * three servers have in common.
 *
 * Reads; changes nothing and opens no connection.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"

/* Of a message, and of the names of profiles in it. */
#define MAX_TEXT	1500
#define MAX_PROFILES	10000

void
doctor_say_at(struct doctor *d, enum certauth_severity severity, const char *file,
    unsigned line, const char *text, const char *remedy)
{
	char	shown[MAX_TEXT], name[MAX_TEXT];

	d->say(d->context, severity, certauth_printable(name, sizeof(name), file),
	    line, certauth_printable(shown, sizeof(shown), text), remedy);
}

void
doctor_say(struct doctor *d, enum certauth_severity severity, size_t at,
    const char *text, const char *remedy)
{
	struct conf_line	*l = at != NO_LINE ? &d->conf.lines[at] : NULL;

	if (l != NULL && l->said)
		return;
	if (l != NULL)
		l->said = true;
	doctor_say_at(d, severity, l != NULL ? l->file : "",
	    l != NULL ? l->line : 0, text, remedy);
}

void
doctor_profile(struct doctor *d, size_t at, size_t word)
{
	size_t	*grown;

	if (d->num_profiles >= MAX_PROFILES)
		return;
	grown = reallocarray(d->profiles, d->num_profiles + 1, 2 * sizeof(*grown));
	if (grown == NULL) {
		d->conf.failed = true;
		return;
	}
	d->profiles = grown;
	d->profiles[2 * d->num_profiles] = at;
	d->profiles[2 * d->num_profiles++ + 1] = word;
}

const char *
doctor_binary(const struct doctor *d, const char *name)
{
	return d->args->server_binary != NULL ? d->args->server_binary : name;
}

/* "pop3=admin" and the like: the name stands behind the "=". */
static const char *
name_in(const char *word)
{
	const char	*equals = strchr(word, '=');

	return equals != NULL ? equals + 1 : word;
}

/* A policy file that cannot be opened is told of by the check as each user. */
static void
look_up_profiles(struct doctor *d)
{
	struct certauth_error	 error;
	struct certauth		*engine;
	const struct certauth_profile *p;
	const struct conf_line	*l;
	char			 text[300], there[MAX_TEXT] = "";
	const char		*name;
	size_t			 i, len = 0;

	/* What the server reads, unless a file is named. */
	engine = d->args->config == NULL && d->policy != NULL ?
	    certauth_open(d->policy, &error) : args_open(d->args, &error);
	if (engine == NULL)
		return;
	len = (size_t)snprintf(there, sizeof(there), "name a profile of %.500s:",
	    certauth_conf_path(engine));
	for (i = 0; (p = certauth_profile_at(engine, i)) != NULL &&
	    len + strlen(certauth_profile_name(p)) + 2 < sizeof(there); i++)
		len += (size_t)snprintf(there + len, sizeof(there) - len, " %s",
		    certauth_profile_name(p));
	for (i = 0; i < d->num_profiles; i++) {
		l = &d->conf.lines[d->profiles[2 * i]];
		name = name_in(conf_at(l, d->profiles[2 * i + 1]));
		if (certauth_profile_find(engine, name) != NULL)
			continue;
		(void)snprintf(text, sizeof(text), "there is no profile \"%.100s\": "
		    "nobody gets in", name);
		doctor_say(d, CERTAUTH_FATAL, d->profiles[2 * i], text, there);
	}
	certauth_free(engine);
}

bool
doctor_look(struct doctor *d)
{
	const char	*server = d->args->server;
	bool		 ok;

	if (strcmp(server, "nginx") == 0)
		ok = doctor_nginx(d);
	else if (strcmp(server, "apache") == 0)
		ok = doctor_apache(d);
	else if (strcmp(server, "dovecot") == 0)
		ok = doctor_dovecot(d);
	else {
		complain("--server: expected nginx, apache or dovecot");
		return false;
	}
	if (ok)
		look_up_profiles(d);
	/* Half of a configuration may not pass for a good one. */
	if (ok && d->conf.failed) {
		complain("the configuration of %s is too large to be looked at",
		    server);
		ok = false;
	}
	return ok;
}

void
doctor_free(struct doctor *d)
{
	conf_free(&d->conf);
	conf_free(&d->sources);
	free(d->policy);
	free(d->user);
	free(d->profiles);
}
