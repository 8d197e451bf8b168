/*
 * cmd_verify.c - verify and explain: one verdict, two ways to print it.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "terminal.h"

/* More intermediates than the search ever tries are not worth asking for. */
#define DEFAULT_MAX_DEPTH	10
#define HIGHEST_MAX_DEPTH	32

static bool
read_depth(const char *word, unsigned *depth_r)
{
	char		*end;
	unsigned long	 n;

	*depth_r = DEFAULT_MAX_DEPTH;
	if (word == NULL)
		return true;
	errno = 0;
	n = strtoul(word, &end, 10);
	if (errno != 0 || *word < '0' || *word > '9' || *end != '\0') {
		complain("--max-depth: \"%s\" is no number", word);
		return false;
	}
	*depth_r = n > HIGHEST_MAX_DEPTH ? HIGHEST_MAX_DEPTH : (unsigned)n;
	return true;
}

/* Words that belong to the other way of asking. */
static bool
mixes_ways(const struct args *a)
{
	bool	roots_way = a->roots.num_items > 0;

	if (roots_way && (a->config != NULL || a->profile != NULL ||
	    a->in_force)) {
		complain("--roots cannot be mixed with --config or --profile: "
		    "either the policy file decides, or the command line");
		return true;
	}
	if (!roots_way && (a->intermediates.num_items > 0 ||
	    a->crls.num_items > 0 || a->responses.num_items > 0 ||
	    a->purpose != NULL ||
	    a->policies.num_items > 0 || a->explicit_policy ||
	    a->inhibit_any || a->inhibit_mapping || a->max_depth != NULL ||
	    a->email != NULL || a->revocation != NULL)) {
		complain("--intermediates, --crls, --ocsp-response, --purpose, "
		    "--require-policy, --explicit-policy, --inhibit-..., "
		    "--max-depth, --email and --revocation go with --roots only");
		return true;
	}
	return false;
}

static struct certauth *
open_roots(const struct args *a)
{
	struct certauth_error	error;
	struct certauth		*engine;
	struct certauth_setup	setup = {
		.roots = a->roots.items, .num_roots = a->roots.num_items,
		.intermediates = a->intermediates.items,
		.num_intermediates = a->intermediates.num_items,
		.crls = a->crls.items, .num_crls = a->crls.num_items,
		.ocsp_responses = a->responses.items,
		.num_ocsp_responses = a->responses.num_items,
		.purpose = a->purpose,
		.policies = a->policies.items,
		.num_policies = a->policies.num_items,
		.explicit_policy = a->explicit_policy,
		.inhibit_any_policy = a->inhibit_any,
		.inhibit_policy_mapping = a->inhibit_mapping,
		.email = a->email, .revocation = a->revocation,
	};

	if (!read_depth(a->max_depth, &setup.max_depth))
		return NULL;
	engine = certauth_open_setup(&setup, &error);
	if (engine == NULL)
		complain_error(&error);
	return engine;
}

static struct certauth *
open_config(const struct args *a, const struct certauth_profile **profile_r)
{
	const struct certauth_profile	*p;
	struct certauth			*engine;
	size_t				 i;

	engine = args_open_saying(a);
	if (engine == NULL)
		return NULL;
	*profile_r = certauth_profile_find(engine, a->profile);
	if (*profile_r != NULL)
		return engine;
	if (a->profile == NULL)
		complain("--profile is missing; %s has:",
		    certauth_conf_path(engine));
	else
		complain("there is no profile \"%s\"; %s has:", a->profile,
		    certauth_conf_path(engine));
	for (i = 0; (p = certauth_profile_at(engine, i)) != NULL; i++)
		(void)fprintf(stderr, "    %s\n", certauth_profile_name(p));
	certauth_free(engine);
	return NULL;
}

struct certauth *
open_profile(const struct args *a, const struct certauth_profile **profile_r)
{
	struct certauth			*engine;

	if (a->profile != NULL)
		return open_config(a, profile_r);
	engine = args_open_saying(a);
	if (engine == NULL)
		return NULL;
	*profile_r = certauth_profile_at(engine, 0);
	if (certauth_profile_at(engine, 1) == NULL)
		return engine;
	certauth_free(engine);
	return open_config(a, profile_r);	/* says which there are */
}

char *
read_password(const char *file)
{
	FILE	*f = fopen(file, "r");
	char	*line = NULL;
	size_t	 size = 0;

	if (f == NULL || getline(&line, &size, f) < 0) {
		complain("%s: no password can be read: %s", file,
		    strerror(errno));
		free(line);
		line = NULL;
	} else {
		line[strcspn(line, "\r\n")] = '\0';
	}
	if (f != NULL)
		(void)fclose(f);
	return line;
}

static bool
read_inputs(const struct args *a, X509 **leaf, STACK_OF(X509) **sent,
    struct certauth_error *error)
{
	struct certauth_error	 sent_error;
	char			*password = NULL;
	size_t			 i;
	bool			 ok;

	if (a->password_file != NULL &&
	    (password = read_password(a->password_file)) == NULL)
		return false;
	ok = certauth_read_leaf(a->rest.items[0], password, leaf, sent, error);
	free(password);
	if (!ok) {
		complain_error(error);
		return false;
	}
	for (i = 0; i < a->sent.num_items; i++) {
		if (!certauth_read_sent(a->sent.items[i], sent, &sent_error)) {
			complain_error(&sent_error);
			return false;
		}
	}
	return true;
}

static int
ask(struct args *a, bool explain)
{
	const struct certauth_profile	*profile = NULL;
	struct certauth_request		 request = { .flags =
					    explain ? CERTAUTH_EXPLAIN : 0 };
	struct certauth_error		 error = { .line = 0 };
	struct certauth_verdict		*verdict = NULL, *own;
	struct certauth			*engine;
	X509				*leaf = NULL;
	STACK_OF(X509)			*sent = NULL;
	int				 status = EXIT_USAGE;
	char				*drawn = NULL;

	args_give_last(a);
	if (a->html + a->dot + a->json > 1)
		return complain("expected one of --html, --dot and --json");
	if (mixes_ways(a))
		return EXIT_USAGE;
	if (a->rest.num_items != 1)
		return complain("%s", a->rest.num_items == 0 ?
		    "which certificate? see certauth --help" :
		    "one certificate at a time");
	engine = a->roots.num_items > 0 ? open_roots(a) :
	    open_config(a, &profile);
	if (engine == NULL)
		return EXIT_USAGE;
	print_notes(engine);
	if (profile == NULL)
		profile = certauth_profile_at(engine, 0);
	if (!read_inputs(a, &leaf, &sent, &error))
		goto out;
	request.profile = profile;
	request.leaf = leaf;
	request.sent = sent;
	request.now = a->now;
	request.service = a->service;
	if (leaf == NULL)
		verdict = certauth_refuse(profile, CERTAUTH_MALFORMED,
		    error.text);
	else
		verdict = refresher_settle(engine, &request,
		    certauth_verify(engine, &request));
	if (verdict != NULL && a->account != NULL) {
		own = verdict;
		verdict = certauth_verdict_as(own, a->account,
		    strlen(a->account));
		certauth_verdict_free(own);
	}
	if (verdict == NULL) {
		complain("out of memory");
		goto out;
	}
	if (a->html || a->dot) {
		drawn = a->html ? certauth_verdict_html(verdict) :
		    certauth_verdict_dot(verdict);
		if (drawn == NULL) {
			complain("out of memory");
			goto out;
		}
		(void)printf("%s", drawn);
	} else if (a->json)
		(void)printf("%s\n", certauth_verdict_json(verdict));
	else if (explain)
		print_story(certauth_verdict_explain(verdict));
	else {
		print_story(certauth_verdict_text(verdict));
		(void)putchar('\n');
	}
	status = certauth_verdict_decision(verdict) == CERTAUTH_ACCEPT ?
	    EXIT_FINE : EXIT_REJECTED;
out:
	free(drawn);
	certauth_verdict_free(verdict);
	X509_free(leaf);
	sk_X509_pop_free(sent, X509_free);
	certauth_free(engine);
	return status;
}

int
cmd_verify(struct args *args)
{
	return ask(args, false);
}

int
cmd_explain(struct args *args)
{
	return args->id != NULL ? cmd_explain_id(args) : ask(args, true);
}
