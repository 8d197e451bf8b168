/*
 * doctor_dovecot.c - what would Dovecot's configuration do to those who log in?
 *
 * What counts is what `doveconf -n` prints, which tells no file and line; those are
 * looked up in the files. What stands in the master's environment is not seen.
 */

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "doctor.h"

#define DEFAULT_FILE	"/etc/dovecot/dovecot.conf"
/* Includes within includes; blocks within blocks. */
#define MAX_DEPTH	20

static bool	read_file(struct conf *, const char *path, size_t parent,
		    unsigned depth);

static bool
include(struct conf *c, const char *from, const char *pattern, size_t parent,
    unsigned depth)
{
	const char	*slash = strrchr(from, '/');
	char		 full[4096];
	glob_t		 found;
	size_t		 i;
	bool		 ok = true;

	(void)snprintf(full, sizeof(full), "%.*s%s", pattern[0] == '/' ||
	    slash == NULL ? 0 : (int)(slash - from + 1), from, pattern);
	if (depth >= MAX_DEPTH)
		return false;
	if (glob(full, 0, NULL, &found) != 0)
		return true;	/* doveconf has said so if that is wrong */
	for (i = 0; ok && i < found.gl_pathc; i++)
		ok = read_file(c, found.gl_pathv[i], parent, depth + 1);
	globfree(&found);
	return ok;
}

/* "name = value", "name {", "name word {", "}"; `text` and `file` are the conf's. */
static bool
read_lines(struct conf *c, char *text, const char *file, size_t parent,
    unsigned depth)
{
	char		*p, *word;
	size_t		 at, top = parent;
	unsigned	 line = 0;

	while ((p = conf_cut_line(&text, &line, true)) != NULL) {
		if (*p == '#' || *p == '\0')
			continue;
		if (*p == '}') {
			if (parent != top && parent != NO_LINE)
				parent = c->lines[parent].parent;
			continue;
		}
		if (!conf_add(c, file, line, parent, &at))
			return false;
		while ((word = conf_cut(&p)) != NULL) {
			if (c->lines[at].num_words == 1 && strcmp(word, "=") == 0)
				continue;
			if (strcmp(word, "{") == 0)
				c->lines[at].block = true;
			else if (!conf_word(c, at, word))
				return false;
		}
		if (c->lines[at].block)
			parent = at;
		else if (strncmp(conf_at(&c->lines[at], 0), "!include", 8) == 0 &&
		    !include(c, file, conf_at(&c->lines[at], 1), parent, depth))
			return false;
	}
	return true;
}

static bool
read_file(struct conf *c, const char *path, size_t parent, unsigned depth)
{
	char	*text = conf_file(path), *name;

	if (text == NULL)
		return true;	/* not for our eyes: its lines have no place */
	text = conf_keep(c, text);
	name = conf_keep(c, strdup(path));
	return text != NULL && name != NULL &&
	    read_lines(c, text, name, parent, depth);
}

static bool
same_block(const struct conf_line *a, const struct conf_line *b)
{
	size_t	i;

	for (i = 0; i < a->num_words && i < b->num_words; i++)
		if (strcasecmp(a->words[i], b->words[i]) != 0)
			return false;
	return a->block && b->block && a->num_words == b->num_words;
}

/* How many blocks like `at` stand beside it in lines [from, to)? */
static size_t
num_like(const struct conf *c, size_t at, size_t from, size_t to)
{
	size_t	n = 0;

	for (; from < to; from++)
		n += c->lines[from].parent == c->lines[at].parent &&
		    same_block(&c->lines[from], &c->lines[at]);
	return n;
}

/* Each block printed is one of the files' (2.3: several passdb), or what several of
 * them say together (2.4). Of several settings the last counts. `block`: where the
 * block's own surroundings were written. */
static size_t
written_in(const struct conf *files, const struct conf *c, size_t at, size_t block,
    size_t own)
{
	size_t			 parent = c->lines[at].parent, i, found = NO_LINE;
	const struct conf_line	*l = &c->lines[parent];
	const char		*name = conf_at(&c->lines[at], 0);
	char			 whole[256];

	if (num_like(c, parent, 0, c->num_lines) > 1)
		return own != NO_LINE ? conf_setting(files, own, name) : NO_LINE;
	for (i = files->num_lines; found == NO_LINE && i-- > 0;)
		if (files->lines[i].parent == block && same_block(&files->lines[i], l))
			found = conf_setting(files, i, name);
	if (found != NO_LINE || l->num_words != 1 ||
	    snprintf(whole, sizeof(whole), "%s_%s", l->words[0], name) >=
	    (int)sizeof(whole))
		return found;
	return conf_setting(files, block, whole);
}

static size_t
same_line(const struct conf *files, const struct conf *c, size_t at,
    const size_t *where)
{
	const struct conf_line	*l = &c->lines[at];
	size_t			 parent = l->parent, block = NO_LINE, i, n, before;

	if (l->num_words == 0)
		return NO_LINE;
	if (l->block) {
		if (parent != NO_LINE && where[parent] == NO_LINE)
			return NO_LINE;
		block = parent != NO_LINE ? where[parent] : NO_LINE;
		before = num_like(c, at, 0, at);
		for (i = n = 0; i < files->num_lines; i++)
			if (files->lines[i].parent == block &&
			    same_block(&files->lines[i], l) && n++ == before)
				return i;
		return NO_LINE;
	}
	if (parent == NO_LINE)
		return conf_setting(files, NO_LINE, l->words[0]);
	if (c->lines[parent].parent != NO_LINE) {
		block = where[c->lines[parent].parent];
		if (block == NO_LINE)
			return NO_LINE;
	}
	return written_in(files, c, at, block, where[parent]);
}

/* Gives each line of `c` the place where it was written. */
static bool
locate(struct conf *c, const struct conf *files)
{
	size_t	*where = calloc(c->num_lines + 1, sizeof(*where)), i;

	if (where == NULL)
		return false;
	for (i = 0; i < c->num_lines; i++) {
		where[i] = same_line(files, c, i, where);
		c->lines[i].line = where[i] != NO_LINE ?
		    files->lines[where[i]].line : 0;
		if (where[i] != NO_LINE)
			c->lines[i].file = files->lines[where[i]].file;
	}
	free(where);
	return true;
}

/* ---------------------------------------------------------------------- checks */

static size_t
top(const struct doctor *d, const char *name)
{
	return conf_setting(&d->conf, NO_LINE, name);
}

/* Each configuration of 2.4 begins with it, and none of 2.3 may have it. */
bool
doctor_dovecot_24(const struct doctor *d)
{
	return top(d, "dovecot_config_version") != NO_LINE;
}

static bool
is_yes(const struct doctor *d, const char *name)
{
	size_t	at = top(d, name);

	return at != NO_LINE && strcasecmp(conf_at(&d->conf.lines[at], 1), "yes") == 0;
}

/* NAME=VALUE of import_environment (2.4: NAME = VALUE in its block). NULL: not
 * there; "": named, without a value. */
static const char *
imported(const struct doctor *d, const char *name, size_t *at_r, size_t *word_r)
{
	const struct conf	*c = &d->conf;
	const char		*value = NULL, *word;
	size_t			 len = strlen(name), block, i;

	block = *at_r = top(d, "import_environment");
	for (i = 1; block != NO_LINE && i < c->lines[block].num_words; i++) {
		word = c->lines[block].words[i];
		if (strncmp(word, name, len) != 0 ||
		    (word[len] != '=' && word[len] != '\0'))
			continue;
		*word_r = i;
		value = word[len] == '=' ? word + len + 1 : "";
	}
	if (block != NO_LINE && (i = conf_in(c, block, name)) != NO_LINE) {
		*at_r = i;
		*word_r = 1;
		value = conf_at(&c->lines[i], 1);
		if (strncmp(value, "%{env:", 6) == 0)
			value = "";
	}
	return value;
}

/* Of a setting that is not as it should be: written so, or left at its default,
 * which doveconf -n does not print. */
static void
say_setting(struct doctor *d, enum certauth_severity severity, const char *name,
    const char *text, const char *remedy)
{
	size_t	at = top(d, name), written = conf_setting(&d->sources, NO_LINE, name);

	if (at == NO_LINE && written != NO_LINE)
		doctor_say_at(d, severity, d->sources.lines[written].file,
		    d->sources.lines[written].line, text, remedy);
	else
		doctor_say(d, severity, at, text, remedy);
}

static bool
gives_nopassword(const struct conf *c, size_t at)
{
	static const char *const	lists[] = { "args", "default_fields",
					    "override_fields" };
	const struct conf_line		*l = &c->lines[at];
	size_t				 i;

	if (conf_is(l, "nopassword"))	/* 2.4: in fields { } */
		return strcasecmp(conf_at(l, 1), "no") != 0;
	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (conf_is(l, lists[i]))
			break;
	if (i == sizeof(lists) / sizeof(lists[0]))
		return false;
	for (i = 1; i < l->num_words; i++)
		if (strcasecmp(l->words[i], "nopassword") == 0 ||
		    (strncasecmp(l->words[i], "nopassword=", 11) == 0 &&
		    strncasecmp(l->words[i] + 11, "n", 1) != 0))
			return true;
	return false;
}

/* A passdb that asks for no password may be asked for EXTERNAL alone. */
static void
check_passdb(struct doctor *d, size_t passdb)
{
	static const char *const names[] = { "mechanisms", "mechanisms_filter",
					    "passdb_mechanisms_filter" };
	const struct conf	*c = &d->conf;
	size_t			 i, at;
	bool			 open = false;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		at = conf_in(c, passdb, names[i]);
		if (at != NO_LINE && conf_lists(c, at, "external") &&
		    conf_num_listed(c, at) == 1)
			return;
	}
	for (i = passdb + 1; i < c->num_lines; i++)
		open = open || (conf_inside(c, i, passdb) && gives_nopassword(c, i));
	if (open)
		doctor_say(d, CERTAUTH_FATAL, passdb, "this passdb asks for no "
		    "password and is not for EXTERNAL alone: anybody logs in as "
		    "anybody, with any password", doctor_dovecot_24(d) ?
		    "write \"mechanisms_filter = external\" into it" :
		    "write \"mechanisms = external\" into it");
}

static void
check_login(struct doctor *d, bool require)
{
	const struct conf	*c = &d->conf;
	size_t			 at = top(d, "auth_mechanisms");

	if (!require && (at == NO_LINE || !conf_lists(c, at, "external")))
		say_setting(d, CERTAUTH_FATAL, "auth_mechanisms", "EXTERNAL is not offered: nobody "
		    "can log in with a certificate", "write \"auth_mechanisms = "
		    "plain login external\"");
	if (!require && !is_yes(d, "auth_ssl_username_from_cert"))
		say_setting(d, CERTAUTH_FATAL, "auth_ssl_username_from_cert",
		    "without auth_ssl_username_from_cert EXTERNAL logs nobody in",
		    "write \"auth_ssl_username_from_cert = yes\"");
	if (!require && is_yes(d, "auth_ssl_require_client_cert"))
		doctor_say(d, CERTAUTH_FATAL, top(d, "auth_ssl_require_client_cert"),
		    "every login with a password fails", "remove this line, or set "
		    "CERTAUTH_MODE=require if that is meant");
}

static void
check_tls(struct doctor *d)
{
	static const char *const	left[] = { "ssl_ca", "ssl_verify_client_cert",
					    "ssl_server_ca_file",
					    "ssl_server_request_client_cert" };
	const struct conf	*c = &d->conf;
	size_t			 at = top(d, "ssl"), i;
	const char		*least;

	if (at != NO_LINE && strcasecmp(conf_at(&c->lines[at], 1), "no") == 0)
		doctor_say(d, CERTAUTH_FATAL, at, "no TLS: nobody can show a "
		    "certificate", "write \"ssl = required\"");
	at = top(d, "ssl_min_protocol");
	least = at != NO_LINE ? conf_at(&c->lines[at], 1) : "TLSv1.2";
	if (strcasecmp(least, "TLSv1.2") != 0 && strcasecmp(least, "TLSv1.3") != 0 &&
	    strcasecmp(least, "LATEST") != 0)
		doctor_say(d, CERTAUTH_FATAL, at, "versions of TLS that RFC 8996 "
		    "forbids are offered: certificates travel in the clear there",
		    "write \"ssl_min_protocol = TLSv1.2\"");
	for (i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
		at = top(d, left[i]);
		if (at != NO_LINE && conf_at(&c->lines[at], 1)[0] != '\0' &&
		    strcasecmp(conf_at(&c->lines[at], 1), "no") != 0)
			doctor_say(d, CERTAUTH_WARNING, at, "left over: it decides "
			    "nothing beside certauth", "remove this line");
	}
}

static void
check_profiles(struct doctor *d)
{
	static const char *const	names[] = { "CERTAUTH_PROFILE",
					    "CERTAUTH_PROFILE_IMAP",
					    "CERTAUTH_PROFILE_POP3",
					    "CERTAUTH_PROFILE_SUBMISSION",
					    "CERTAUTH_PROFILE_SIEVE" };
	const char		*value;
	size_t			 at, word = 0, i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		value = imported(d, names[i], &at, &word);
		if (value == NULL && i == 0)
			doctor_say(d, CERTAUTH_FATAL, at, "no CERTAUTH_PROFILE: "
			    "nobody gets in with a certificate", doctor_dovecot_24(d) ?
			    "write \"import_environment { CERTAUTH_PROFILE = NAME "
			    "}\", in three lines, and restart Dovecot" :
			    "write \"import_environment = $import_environment "
			    "CERTAUTH_PROFILE=NAME\" and restart Dovecot");
		else if (value != NULL && value[0] == '\0')
			doctor_say(d, CERTAUTH_WARNING, at, "a profile comes from "
			    "the environment in which Dovecot was started, which "
			    "is not seen here", "write its name behind a \"=\"");
		else if (value != NULL) {
			doctor_profile(d, at, word);
			doctor_names(d, at, word, NO_LINE, true);
		}
	}
}

static void
check_plugin(struct doctor *d)
{
	const struct conf	*c = &d->conf;
	size_t			 i, dir = top(d, "login_plugin_dir"), at = NO_LINE;
	char			 path[4096];

	for (i = 0; i < c->num_lines; i++)
		if (conf_is(&c->lines[i], "login_plugins") &&
		    conf_lists(c, i, "certauth"))
			at = i;
	if (at == NO_LINE) {
		say_setting(d, CERTAUTH_FATAL, "login_plugins", "the plugin is not "
		    "loaded: no certificate is asked for",
		    "write \"login_plugins = certauth\"");
		return;
	}
	(void)snprintf(path, sizeof(path), "%s/" DOVECOT_PLUGIN, dir != NO_LINE ?
	    conf_at(&c->lines[dir], 1) : DOVECOT_PLUGIN_DIR);
	if (access(path, F_OK) != 0)
		doctor_say(d, CERTAUTH_FATAL, dir != NO_LINE ? dir : at, "there is "
		    "no " DOVECOT_PLUGIN " in login_plugin_dir: no login process starts",
		    "install dovecot-certauth, or name the folder that has it");
}

static bool
check_all(struct doctor *d)
{
	const char	*mode, *value;
	size_t		 i, at, word = 0;

	for (i = 0; i < d->conf.num_lines; i++)
		if (conf_is(&d->conf.lines[i], "passdb") && d->conf.lines[i].block)
			check_passdb(d, i);
	mode = imported(d, "CERTAUTH_MODE", &at, &word);
	if (mode != NULL && mode[0] != '\0' && strcmp(mode, "require") != 0 &&
	    strcmp(mode, "external") != 0)
		doctor_say(d, CERTAUTH_FATAL, at, "CERTAUTH_MODE is neither external "
		    "nor require: every login is refused", "write one of the two");
	check_plugin(d);
	check_login(d, mode != NULL && strcmp(mode, "require") == 0);
	check_tls(d);
	check_profiles(d);
	value = imported(d, "CERTAUTH_CONF", &at, &word);
	if (value != NULL && value[0] != '\0')
		d->policy = strdup(value);
	at = top(d, "default_login_user");
	d->user = strdup(at != NO_LINE ? conf_at(&d->conf.lines[at], 1) : "dovenull");
	return d->user != NULL;
}

/* "# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf" */
static const char *
main_file(struct doctor *d, const char *out)
{
	const char	*colon = strstr(out, "): "), *end = strchr(out, '\n');
	char		*name;

	if (d->args->server_config != NULL)
		return d->args->server_config;
	if (colon == NULL || end == NULL || colon > end)
		return DEFAULT_FILE;
	name = conf_keep(&d->sources, strndup(colon + 3, (size_t)(end - colon - 3)));
	return name != NULL ? name : DEFAULT_FILE;
}

bool
doctor_dovecot(struct doctor *d)
{
	const char	*argv[] = { doctor_binary(d, "doveconf"), "-n",
			    d->args->server_config != NULL ? "-c" : NULL,
			    d->args->server_config, NULL }, *name;
	struct ran	 ran;
	char		*err, *line;
	unsigned	 n = 0;
	bool		 ok;

	if (!doctor_run(argv, &ran))
		return false;
	err = ran.err;
	while (ran.status != 0 && (line = conf_cut_line(&err, &n, false)) != NULL)
		if (strstr(line, "Fatal: ") != NULL) {
			doctor_say(d, CERTAUTH_FATAL, NO_LINE, line, "Dovecot does "
			    "not start with this; mend it");
			break;
		}
	if (ran.status != 0) {
		d->refused = true;
		if (line == NULL)
			complain("doveconf ends with %d", ran.status);
		ok = line != NULL;
		doctor_ran_free(&ran);
		return ok;
	}
	name = main_file(d, ran.out);
	line = conf_keep(&d->conf, ran.out);
	ran.out = NULL;
	ok = line != NULL && read_lines(&d->conf, line, name, NO_LINE, MAX_DEPTH) &&
	    read_file(&d->sources, name, NO_LINE, 0) &&
	    locate(&d->conf, &d->sources) && check_all(d);
	if (!ok)
		complain("what doveconf -n prints cannot be read");
	doctor_ran_free(&ran);
	return ok;
}
