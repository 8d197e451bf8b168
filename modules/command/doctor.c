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

static void
add_use(struct doctor *d, struct doctor_use use)
{
	struct doctor_use	*grown;

	if (d->num_uses >= MAX_PROFILES)
		return;
	grown = reallocarray(d->uses, d->num_uses + 1, sizeof(*grown));
	if (grown == NULL) {
		d->conf.failed = true;
		return;
	}
	d->uses = grown;
	d->uses[d->num_uses++] = use;
}

void
doctor_profile(struct doctor *d, size_t at, size_t word)
{
	add_use(d, (struct doctor_use){ .at = at, .word = word });
}

void
doctor_names(struct doctor *d, size_t at, size_t word, size_t names, bool weigh)
{
	add_use(d, (struct doctor_use){ .at = at, .word = word, .offers = true,
	    .weigh = weigh, .names = names });
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

static bool
has_name(const STACK_OF(X509_NAME) *names, const X509_NAME *name)
{
	int	i;

	for (i = 0; names != NULL && i < sk_X509_NAME_num(names); i++)
		if (X509_NAME_cmp(sk_X509_NAME_value(names, i), name) == 0)
			return true;
	return false;
}

/* The subjects of the certificates in a file that a directive names. NULL: none. */
static STACK_OF(X509_NAME) *
read_names(const struct doctor *d, const char *file)
{
	STACK_OF(X509_NAME)	*names = sk_X509_NAME_new_null();
	STACK_OF(X509)		*certs = NULL;
	struct certauth_error	 error;
	X509_NAME		*name;
	char			 path[4096];
	int			 i;

	(void)snprintf(path, sizeof(path), "%s%s%s", file[0] == '/' ||
	    d->folder == NULL ? "" : d->folder, file[0] == '/' ||
	    d->folder == NULL ? "" : "/", file);
	if (names != NULL && certauth_read_sent(path, &certs, &error))
		for (i = 0; i < sk_X509_num(certs); i++) {
			name = X509_NAME_dup(X509_get_subject_name(
			    sk_X509_value(certs, i)));
			if (name == NULL || sk_X509_NAME_push(names, name) <= 0) {
				X509_NAME_free(name);
				break;
			}
		}
	sk_X509_pop_free(certs, X509_free);
	return names;
}

size_t
names_size(const STACK_OF(X509_NAME) *names)
{
	size_t	size = 0;
	int	i, len;

	for (i = 0; names != NULL && i < sk_X509_NAME_num(names); i++) {
		len = i2d_X509_NAME(sk_X509_NAME_value(names, i), NULL);
		size += len > 0 ? (size_t)len + 2 : 0;
	}
	return size;
}

/* Programs that look for the issuer of a certificate among the names do not offer it
 * when it is not there; too many names, and handshakes are lost. */
static void
check_names(struct doctor *d, const struct doctor_use *use,
    const struct certauth_profile *p)
{
	const char		*word = use->names != NO_LINE ?
				    conf_at(&d->conf.lines[use->names], 1) : "issuers";
	STACK_OF(X509_NAME)	*all, *anchors, *own = NULL;
	const STACK_OF(X509_NAME) *offered;
	char			 text[MAX_TEXT], *shown = NULL;
	size_t			 size, missing = 0;
	int			 i;

	all = certauth_profile_get0_ca_names(p, CERTAUTH_NAMES_ISSUERS);
	anchors = certauth_profile_get0_ca_names(p, CERTAUTH_NAMES_ANCHORS);
	if (strcmp(word, "none") == 0)
		return;
	if (strcmp(word, "issuers") != 0 && strcmp(word, "anchors") != 0)
		own = read_names(d, word);
	offered = own != NULL ? own : strcmp(word, "anchors") == 0 ? anchors : all;
	size = names_size(offered);
	/* the anchors alone are the way out where there are too many */
	for (i = 0; (offered != anchors || names_size(all) <= NAMES_WARN) && all != NULL && i < sk_X509_NAME_num(all); i++) {
		/* an anchor above them helps nobody to choose */
		if (has_name(offered, sk_X509_NAME_value(all, i)) ||
		    has_name(anchors, sk_X509_NAME_value(all, i)))
			continue;
		if (missing++ == 0)
			shown = certauth_name_print(sk_X509_NAME_value(all, i));
	}
	if (missing > 0) {
		(void)snprintf(text, sizeof(text), "the names offered to clients miss "
		    "%zu CAs that issue for profile \"%s\", such as %.300s: "
		    "programs that look for the issuer there (GnuTLS, browsers) offer "
		    "no certificate", missing, certauth_profile_name(p),
		    shown != NULL ? shown : "?");
		doctor_say(d, CERTAUTH_WARNING, use->names, text, "write issuers "
		    "instead, or add them to the file");
	}
	if (size > NAMES_WARN && use->weigh) {
		(void)snprintf(text, sizeof(text), "the names of %d CAs take %zu "
		    "bytes in every handshake: some clients give up over %d",
		    sk_X509_NAME_num(offered), size, NAMES_WARN);
		doctor_say(d, CERTAUTH_WARNING, use->names != NO_LINE ? use->names :
		    use->at, text, "list those that issue in \"issuers\" of the "
		    "authority, or (CertAuthNames) offer anchors, none or a file");
	}
	free(shown);
	sk_X509_NAME_pop_free(own, X509_NAME_free);
}

/* A policy file that cannot be opened is told of by the check as each user. */
static void
look_up_profiles(struct doctor *d)
{
	struct certauth_error	 error;
	struct certauth		*engine;
	const struct certauth_profile *p;
	const struct doctor_use	*use;
	char			 text[300], there[MAX_TEXT] = "";
	const char		*name;
	size_t			 i, len = 0;

	engine = certauth_open(d->args->config != NULL ? d->args->config :
	    d->policy != NULL ? d->policy : DEFAULT_CONFIG, &error);
	if (engine == NULL)
		return;
	len = (size_t)snprintf(there, sizeof(there), "name a profile of %.500s:",
	    certauth_conf_path(engine));
	for (i = 0; (p = certauth_profile_at(engine, i)) != NULL &&
	    len + strlen(certauth_profile_name(p)) + 2 < sizeof(there); i++)
		len += (size_t)snprintf(there + len, sizeof(there) - len, " %s",
		    certauth_profile_name(p));
	for (i = 0; i < d->num_uses; i++) {
		use = &d->uses[i];
		name = name_in(conf_at(&d->conf.lines[use->at], use->word));
		p = certauth_profile_find(engine, name);
		if (p != NULL && use->offers)
			check_names(d, use, p);
		if (p != NULL || use->offers)
			continue;
		(void)snprintf(text, sizeof(text), "there is no profile \"%.100s\": "
		    "nobody gets in", name);
		doctor_say(d, CERTAUTH_FATAL, use->at, text, there);
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
	free(d->folder);
	free(d->uses);
}
