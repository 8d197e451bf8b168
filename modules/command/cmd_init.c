/*
 * cmd_init.c - the least that a server needs to let people in by a profile: lines to
 * paste, with the paths of this machine.
 *
 * Prints; writes no file and touches no server. What the server has already (the
 * module, the policy file, a certificate of its own) is not said again.
 */

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "init.h"

/* Of the package ssl-cert. */
#define SNAKEOIL	"/etc/ssl/certs/ssl-cert-snakeoil.pem"
#define SNAKEOIL_KEY	"/etc/ssl/private/ssl-cert-snakeoil.key"

FILE *
init_begin(char **text, size_t *len)
{
	*text = NULL;
	*len = 0;
	return open_memstream(text, len);
}

bool
init_end(struct init *in, FILE *out, char **text, const char *where)
{
	bool	ok = out != NULL && fclose(out) == 0 && *text != NULL;

	if (ok)
		add_json(in->parts, json_pack("{s:s,s:s}", "where", where, "text",
		    *text));
	else
		(void)complain("out of memory");
	free(*text);
	*text = NULL;
	return ok;
}

bool
init_find(const char *folder, const char *name, char path[INIT_PATH])
{
	char	 own[INIT_PATH];
	ssize_t	 len = readlink("/proc/self/exe", own, sizeof(own) - 1);
	char	*slash;

	if (snprintf(path, INIT_PATH, "%s/%s", folder, name) < INIT_PATH &&
	    access(path, F_OK) == 0)
		return true;
	if (len <= 0)
		return false;
	own[len] = '\0';
	slash = strrchr(own, '/');
	return slash != NULL && snprintf(path, INIT_PATH, "%.*s/%s",
	    (int)(slash - own), own, name) < INIT_PATH && access(path, F_OK) == 0;
}

/* A word that every server takes as it is, without quotes. */
static bool
is_plain(const char *word)
{
	return word[0] != '\0' && word[strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789/._+:@=-")] == '\0';
}

static bool
is_file(const char *path)
{
	return path[0] == '/' && is_plain(path) && strlen(path) < INIT_PATH &&
	    access(path, F_OK) == 0;
}

void
init_certificate(struct init *in, const char *cert, const char *key)
{
	const struct conf	*c = &in->doctor.conf;
	const char		*file = NULL, *of = NULL;
	size_t			 i, at;

	for (i = 0; i < c->num_lines && file == NULL; i++) {
		if (!conf_is(&c->lines[i], cert) ||
		    !is_file(conf_at(&c->lines[i], 1)))
			continue;
		at = conf_in(c, c->lines[i].parent, key);
		if (at == NO_LINE || !is_file(conf_at(&c->lines[at], 1)))
			continue;
		file = conf_at(&c->lines[i], 1);
		of = conf_at(&c->lines[at], 1);
	}
	if (file == NULL && is_file(SNAKEOIL) && is_file(SNAKEOIL_KEY)) {
		file = SNAKEOIL;
		of = SNAKEOIL_KEY;
	}
	in->own_cert = file != NULL;
	if (file != NULL) {
		(void)snprintf(in->cert, sizeof(in->cert), "%s", file);
		(void)snprintf(in->key, sizeof(in->key), "%s", of);
		return;
	}
	(void)snprintf(in->cert, sizeof(in->cert), "/etc/ssl/certs/%s.pem", in->host);
	(void)snprintf(in->key, sizeof(in->key), "/etc/ssl/private/%s.key", in->host);
}

/* What is wrong now is `certauth check --server`'s to say. */
static void
say_nothing(void *context, enum certauth_severity severity, const char *file,
    unsigned line, const char *text, const char *remedy)
{
	(void)context;
	(void)severity;
	(void)file;
	(void)line;
	(void)text;
	(void)remedy;
}

/* The server as it is now; the policy file that it reads, or is to read. */
static bool
read_server(struct init *in)
{
	const struct args	*a = in->args;
	const char		*named;

	in->doctor.args = a;
	in->doctor.say = say_nothing;
	if (!doctor_look(&in->doctor))
		return false;
	if (in->doctor.refused) {
		(void)complain("%s does not take its configuration as it is; "
		    "certauth check --server %s says why", a->server, a->server);
		return false;
	}
	named = in->doctor.policy;
	if (a->config != NULL && realpath(a->config, in->policy) == NULL) {
		(void)complain("%s: cannot be found", a->config);
		return false;
	}
	if (a->config == NULL)
		(void)snprintf(in->policy, sizeof(in->policy), "%s",
		    named != NULL ? named : DEFAULT_CONFIG);
	else if (named != NULL && strcmp(named, in->policy) != 0) {
		(void)complain("%s reads the policy file %s; leave out --config, or "
		    "change that first", a->server, named);
		return false;
	}
	in->policy_named = named != NULL || strcmp(in->policy, DEFAULT_CONFIG) == 0;
	if (is_plain(in->policy))
		return true;
	(void)complain("%s: a name that a server would take for several words",
	    in->policy);
	return false;
}

static bool
read_policy(struct init *in)
{
	const struct certauth_profile	*profile;
	struct args			 mine = *in->args;
	struct certauth			*engine;

	mine.config = in->policy;
	engine = open_profile(&mine, &profile);
	if (engine == NULL)
		return false;
	in->maps = certauth_profile_maps(profile);
	certauth_free(engine);
	return true;
}

static int
print_parts(const struct init *in)
{
	const struct args	*a = in->args;
	json_t			*part;
	size_t			 i;

	if (a->json)
		return print_json(json_pack("{s:s,s:s,s:s,s:s,s:O,s:s}", "result",
		    "fine", "server", a->server, "profile", a->profile, "policy",
		    in->policy, "parts", in->parts, "then", in->then), EXIT_FINE);
	json_array_foreach(in->parts, i, part)
		(void)printf("%s# ---- %s:\n%s", i > 0 ? "\n" : "",
		    text_of(part, "where"), text_of(part, "text"));
	(void)printf("\n# ---- then: %s && certauth check --server %s\n", in->then,
	    a->server);
	return json_lost() ? EXIT_USAGE : EXIT_FINE;
}

int
cmd_init(struct args *args)
{
	struct init	in = { .args = args };
	int		status = EXIT_USAGE;
	bool		ok;

	if (args->rest.num_items > 0 || args->server == NULL || args->profile == NULL)
		return complain("init wants --server and --profile, and nothing "
		    "else");
	in.parts = json_array();
	if (gethostname(in.host, sizeof(in.host) - 1) != 0 || !is_plain(in.host))
		(void)snprintf(in.host, sizeof(in.host), "www.example.com");
	ok = in.parts != NULL && read_server(&in) && read_policy(&in);
	if (ok)
		ok = strcmp(args->server, "nginx") == 0 ? init_nginx(&in) :
		    strcmp(args->server, "apache") == 0 ? init_apache(&in) :
		    init_dovecot(&in);
	if (ok)
		status = print_parts(&in);
	doctor_free(&in.doctor);
	json_decref(in.parts);
	return status;
}
