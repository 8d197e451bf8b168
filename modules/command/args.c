/*
 * args.c - which words did the person type?
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

enum kind { FLAG, VALUE, LIST };

struct option {
	const char	*name;
	enum kind	 kind;
	size_t		 offset;
	const char	*value, *text;	/* for help */
};

#define OFFSET(member)	offsetof(struct args, member)

static const struct option	options[] = {
	{ "--config", VALUE, OFFSET(config), "FILE",
	    "the policy file" },
	{ "--in-force", FLAG, OFFSET(in_force), "",
	    "what the servers read of it: the generation, where there is one" },
	{ "--profile", VALUE, OFFSET(profile), "NAME",
	    "the profile to ask, as a server's configuration names it" },
	{ "--time", VALUE, OFFSET(time), "T",
	    "RFC 3339 or @epoch; now unless given" },
	{ "--purpose", VALUE, OFFSET(purpose), "client|email|any|OID",
	    "extended key usage and key usage asked for" },
	{ "--max-depth", VALUE, OFFSET(max_depth), "N",
	    "most intermediates between leaf and anchor" },
	{ "--email", VALUE, OFFSET(email), "ADDR",
	    "a mailbox that the certificate must carry" },
	{ "--revocation", VALUE, OFFSET(revocation), "none|leaf|chain",
	    "what must be known not to be revoked" },
	{ "--output", VALUE, OFFSET(output), "FILE",
	    "what is written" },
	{ "--index", VALUE, OFFSET(index), "DIR",
	    "folder of a compiled index" },
	{ "--from", VALUE, OFFSET(from), "DIR",
	    "folder that is shipped" },
	{ "--serial", VALUE, OFFSET(serial), "HEX",
	    "serial number of a certificate" },
	{ "--stale-until", VALUE, OFFSET(stale_until), "TIME",
	    "until when stale data counts" },
	{ "--reason", VALUE, OFFSET(reason), "TEXT",
	    "why, for those who read it later" },
	{ "--until", VALUE, OFFSET(until), "TIME",
	    "until when; a date or a time" },
	{ "--format", VALUE, OFFSET(format), "NAME",
	    "whose list: grid-mapfile, pg_ident, ad, sssd" },
	{ "--map", VALUE, OFFSET(map), "NAME",
	    "name of the map in pg_ident.conf, or SSSD's domain" },
	{ "--password-file", VALUE, OFFSET(password_file), "FILE",
	    "first line: the password of a .pfx" },
	{ "--issuer", LIST, OFFSET(issuers), "FILE",
	    "the CA's certificate" },
	{ "--issuers", LIST, OFFSET(issuers), "FILE",
	    "certificates of the CAs whose CRLs are taken" },
	{ "--roots", LIST, OFFSET(roots), "FILE",
	    "anchors, instead of a policy file" },
	{ "--intermediates", LIST, OFFSET(intermediates), "FILE",
	    "CA certificates that help to build a path" },
	{ "--crls", LIST, OFFSET(crls), "FILE",
	    "revocation lists" },
	{ "--ocsp-response", LIST, OFFSET(responses), "FILE",
	    "OCSP responses, DER" },
	{ "--require-policy", LIST, OFFSET(policies), "OID",
	    "certificate policies, one of which must hold" },
	{ "--sent", LIST, OFFSET(sent), "FILE",
	    "certificates that the client sends beside its own" },
	{ "--user", LIST, OFFSET(users), "NAME",
	    "a user" },
	{ "--groups", VALUE, OFFSET(groups), "G,G",
	    "groups of the user" },
	{ "--into", VALUE, OFFSET(into), "NAME",
	    "the file of a folder of maps that gets the line" },
	{ "--csv", VALUE, OFFSET(csv), "FILE",
	    "rows CERT,USER[,GROUP;GROUP]" },
	{ "--pending", LIST, OFFSET(pending), "LOG",
	    "logs of the servers" },
	{ "--server", VALUE, OFFSET(server), "nginx|apache|dovecot",
	    "the server whose configuration is looked at" },
	{ "--server-config", VALUE, OFFSET(server_config), "FILE",
	    "that server's main file, if it is another than it would take" },
	{ "--server-binary", VALUE, OFFSET(server_binary), "FILE",
	    "the program that is asked: nginx, apachectl, doveconf" },
	{ "--connect", VALUE, OFFSET(connect), "HOST:PORT",
	    "a server that runs, asked as a client would; /PATH may follow" },
	{ "--cert", VALUE, OFFSET(cert), "FILE",
	    "the certificate to come with" },
	{ "--key", VALUE, OFFSET(key), "FILE",
	    "its private key, unless it is in the same file" },
	{ "--starttls", VALUE, OFFSET(starttls), "imap|pop3|submission|sieve",
	    "the protocol in which TLS is begun" },
	{ "--html", FLAG, OFFSET(html), "",
	    "one page with a picture of the path search" },
	{ "--dot", FLAG, OFFSET(dot), "",
	    "the path search as input of graphviz" },
	{ "--id", VALUE, OFFSET(id), "ID",
	    "of a decision, as the log and the refusal page show it" },
	{ "--log", LIST, OFFSET(logs), "FILE",
	    "log of a server; \"-\" is standard input" },
	{ "--dry-run", FLAG, OFFSET(dry_run), "",
	    "says what would be done, and does nothing" },
	{ "--new", VALUE, OFFSET(new_policy), "FILE",
	    "another policy file" },
	{ "--to", VALUE, OFFSET(to), "N",
	    "a generation, instead of the file" },
	{ "--list", FLAG, OFFSET(list), "",
	    "the generations there are, and which is in force" },
	{ "--remove", FLAG, OFFSET(remove), "",
	    "none is in force any more: the file is" },
	{ "--force", FLAG, OFFSET(force), "",
	    "although there are faults; never what cannot be opened" },
	{ "--json", FLAG, OFFSET(json), "",
	    "one line of JSON instead of text" },
	{ "--explain", FLAG, OFFSET(story), "",
	    "tells of each rule" },
	{ "--service", VALUE, OFFSET(service), "NAME",
	    "the service asked for, such as http or imap" },
	{ "--account", VALUE, OFFSET(account), "NAME",
	    "as whom of the certificate's accounts" },
	{ "--end", FLAG, OFFSET(end), "",
	    "ends it now" },
	{ "--explicit-policy", FLAG, OFFSET(explicit_policy), "",
	    "RFC 5280 6.1.1 (e)" },
	{ "--inhibit-any-policy", FLAG, OFFSET(inhibit_any), "",
	    "RFC 5280 6.1.1 (g)" },
	{ "--inhibit-policy-mapping", FLAG, OFFSET(inhibit_mapping), "",
	    "RFC 5280 6.1.1 (f)" },
	{ "--help", FLAG, OFFSET(help), "",
	    "how it is called" },
	{ "-h", FLAG, OFFSET(help), "",
	    "how it is called" },
	{ "--version", FLAG, OFFSET(version), "",
	    "which certauth this is" },
};
#define NUM_OPTIONS	(sizeof(options) / sizeof(options[0]))

static void *
member(struct args *args, const struct option *o)
{
	return (char *)args + o->offset;
}

static bool
append(struct list *list, const char *item)
{
	const char	**grown;

	grown = realloc(list->items, (list->num_items + 1) * sizeof(*grown));
	if (grown == NULL)
		return false;
	list->items = grown;
	list->items[list->num_items++] = item;
	return true;
}

/* The option `word` names, its value behind "=" in *value_r. */
static const struct option *
find(const char *word, const char **value_r)
{
	const char	*equals = strchr(word, '=');
	size_t		 i, len = equals != NULL ? (size_t)(equals - word) :
			    strlen(word);

	*value_r = equals != NULL ? equals + 1 : NULL;
	for (i = 0; i < NUM_OPTIONS; i++)
		if (strlen(options[i].name) == len &&
		    strncmp(options[i].name, word, len) == 0)
			return &options[i];
	return NULL;
}

static bool
is_option(const char *word)
{
	return word[0] == '-' && word[1] != '\0';
}

/* Takes what belongs to options[i]; *i is left on the last word taken. */
static bool
take(struct args *args, const struct option *o, const char *value, int argc,
    char **argv, int *i)
{
	const char	*unused;
	size_t		 before;

	switch (o->kind) {
	case FLAG:
		if (value != NULL) {
			complain("%s takes no value", o->name);
			return false;
		}
		*(bool *)member(args, o) = true;
		return true;
	case VALUE:
		/* `--reason --until ...`: a value was forgotten; one that looks so
		 * is written --reason=--until. */
		if (value == NULL && *i + 1 < argc &&
		    find(argv[*i + 1], &unused) == NULL)
			value = argv[++*i];
		if (value == NULL) {
			complain("%s wants a value", o->name);
			return false;
		}
		/* Of two the first would be passed over: `--profile` of deny. */
		if (*(const char **)member(args, o) != NULL) {
			complain("%s is given twice", o->name);
			return false;
		}
		*(const char **)member(args, o) = value;
		return true;
	case LIST:
		args->last_list = member(args, o);
		if (value != NULL)
			return append(member(args, o), value);
		before = ((struct list *)member(args, o))->num_items;
		while (*i + 1 < argc && !is_option(argv[*i + 1]))
			if (!append(member(args, o), argv[++*i]))
				return false;
		if (((struct list *)member(args, o))->num_items == before) {
			complain("%s wants at least one value", o->name);
			return false;
		}
		return true;
	}
	return false;
}

bool
args_read(struct args *args, int argc, char **argv)
{
	const struct option	*o;
	const char		*value;
	bool			 only_rest = false;
	int			 i;

	memset(args, 0, sizeof(*args));
	for (i = 0; i < argc; i++) {
		if (only_rest || !is_option(argv[i])) {
			if (!append(&args->rest, argv[i]))
				return false;
			continue;
		}
		if (strcmp(argv[i], "--") == 0) {
			only_rest = true;
			continue;
		}
		o = find(argv[i], &value);
		if (o == NULL) {
			complain("unknown option %s; see certauth --help",
			    argv[i]);
			return false;
		}
		if (!append(&args->given, o->name) ||
		    !take(args, o, value, argc, argv, &i))
			return false;
	}
	if (args->time != NULL && !certauth_time_parse(args->time, &args->now)) {
		complain("--time: \"%s\" is no time; expected for example "
		    "2026-03-01T12:00:00Z or @1772366400", args->time);
		return false;
	}
	/* to the core 0 means the clock; the first second of 1970 is close */
	if (args->time != NULL && args->now == 0)
		args->now = 1;
	return true;
}

void
args_give_last(struct args *args)
{
	struct list	*last = args->last_list;

	if (args->rest.num_items == 0 && last != NULL && last->num_items > 1 &&
	    append(&args->rest, last->items[last->num_items - 1]))
		last->num_items--;
}

const char *
args_conf(const struct args *args)
{
	return args->config != NULL ? args->config : DEFAULT_CONFIG;
}

bool
option_at(size_t i, struct option_row *row_r)
{
	if (i >= NUM_OPTIONS)
		return false;
	row_r->name = options[i].name;
	row_r->value = options[i].value;
	row_r->text = options[i].text;
	row_r->many = options[i].kind == LIST;
	return true;
}

void
args_free(struct args *args)
{
	free(args->given.items);
	free(args->roots.items);
	free(args->intermediates.items);
	free(args->crls.items);
	free(args->responses.items);
	free(args->policies.items);
	free(args->sent.items);
	free(args->issuers.items);
	free(args->users.items);
	free(args->pending.items);
	free(args->logs.items);
	free(args->rest.items);
}
