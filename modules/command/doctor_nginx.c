/*
 * doctor_nginx.c - what would nginx's configuration do to those who log in?
 *
 * Reads what `nginx -T` prints, with each file in the place where it is included.
 * What nginx refuses by itself is told in its own words.
 */

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"

/* Includes within includes. */
#define MAX_DEPTH	20
/* Files of one dump. */
#define MAX_FILES	5000

#define BEGIN		"# configuration file "

/* One file of the dump: borrowed. A file is cut up where it is read, and may be
 * included again, so each time from a copy. */
struct source { const char *name; const char *text; };

struct reading {
	struct doctor	*d;
	struct source	*sources;
	size_t		 num_sources;
	unsigned	 depth;
};

static bool	read_source(struct reading *, const struct source *, size_t parent);

/* "# configuration file NAME:" begins each. The dump is cut in place. */
static bool
find_sources(struct reading *r, char *dump)
{
	char	*p = dump, *end;

	r->sources = calloc(MAX_FILES, sizeof(*r->sources));
	if (r->sources == NULL)
		return false;
	while (p != NULL && r->num_sources < MAX_FILES) {
		if (strncmp(p, BEGIN, strlen(BEGIN)) == 0 &&
		    (end = strstr(p, ":\n")) != NULL) {
			if (p > dump)
				p[-1] = '\0';
			*end = '\0';
			r->sources[r->num_sources].name = p + strlen(BEGIN);
			r->sources[r->num_sources++].text = end + 2;
			p = end + 2;
			continue;	/* an empty file is followed at once */
		}
		p = strchr(p, '\n');
		p = p != NULL ? p + 1 : NULL;
	}
	return p == NULL && r->num_sources > 0;
}

static bool
include(struct reading *r, const char *pattern, size_t parent)
{
	const char	*main = r->sources[0].name, *slash = strrchr(main, '/');
	char		 full[4096];
	size_t		 i;
	bool		 ok = true;

	(void)snprintf(full, sizeof(full), "%.*s%s", pattern[0] == '/' ||
	    slash == NULL ? 0 : (int)(slash - main + 1), main, pattern);
	if (r->depth >= MAX_DEPTH)
		return false;
	r->depth++;
	for (i = 0; ok && i < r->num_sources; i++)
		if (fnmatch(full, r->sources[i].name,
		    FNM_PATHNAME | FNM_PERIOD) == 0)
			ok = read_source(r, &r->sources[i], parent);
	r->depth--;
	return ok;
}

/* A word cut out of *p in place, as nginx has it; what ended it in *stop_r. */
static char *
cut_token(char **p, unsigned *line, char *stop_r)
{
	char	*from = *p, *to, *start, quote = '\0';

	for (; *from != '\0' && strchr(" \t\r\n#", *from) != NULL; from++) {
		if (*from == '#')
			from += strcspn(from, "\n");
		if (*from == '\0')
			break;
		*line += *from == '\n';
	}
	if (*from == '"' || *from == '\'')
		quote = *from++;
	for (start = to = from; *from != '\0'; from++) {
		if (quote != '\0' ? *from == quote :
		    strchr(" \t\r\n;{", *from) != NULL || (*from == '}' &&
		    from == start))
			/* ${name} is no block */
			if (quote != '\0' || *from != '{' || from == start ||
			    from[-1] != '$')
				break;
		*line += *from == '\n';
		if (from[0] == '\\' && from[1] != '\0' &&
		    strchr("\"'\\ ", from[1]) != NULL)
			from++;
		*to++ = *from;
	}
	*stop_r = *from;
	if (quote != '\0' && *from != '\0')
		*stop_r = ' ';
	else if (*from == '\n')
		++*line;
	*p = *from != '\0' ? from + 1 : from;
	*to = '\0';
	return quote != '\0' || to > start ? start : NULL;
}

/* The text of another language, behind its "{". */
static void
skip_block(char **p, unsigned *line)
{
	unsigned	depth = 1;

	for (; **p != '\0' && depth > 0; ++*p) {
		depth += **p == '{';
		depth -= **p == '}';
		*line += **p == '\n';
	}
}

/* A directive is complete: what it leads to. */
static bool
complete(struct reading *r, size_t at, char stop, size_t *parent, char **p,
    unsigned *line)
{
	struct conf_line	*l = &r->d->conf.lines[at];

	l->block = stop == '{';
	if (stop == '{' && strstr(conf_at(l, 0), "_by_lua_block") != NULL)
		skip_block(p, line);
	else if (stop == '{')
		*parent = at;
	else if (strcmp(conf_at(l, 0), "include") == 0)
		return include(r, conf_at(l, 1), *parent);
	return true;
}

static bool
read_source(struct reading *r, const struct source *source, size_t parent)
{
	struct conf	*c = &r->d->conf;
	char		*p = conf_keep(c, strdup(source->text)), *word, stop = ' ';
	char		*name = conf_keep(c, strdup(source->name));
	size_t		 at = NO_LINE, top = parent;
	unsigned	 line = 1, before;

	while (p != NULL && name != NULL && *p != '\0') {
		before = line;
		word = cut_token(&p, &line, &stop);
		if (word != NULL && at == NO_LINE &&
		    !conf_add(c, name, stop == '\n' ? line - 1 : line, parent, &at))
			return false;
		if (word != NULL && !conf_word(c, at, word))
			return false;
		if ((stop == ';' || stop == '{') && at != NO_LINE) {
			if (!complete(r, at, stop, &parent, &p, &line))
				return false;
			at = NO_LINE;
		} else if (stop == '}' && parent != top && parent != NO_LINE)
			parent = c->lines[parent].parent;
		else if (stop == '\0' && before == line && word == NULL)
			break;
	}
	return p != NULL && name != NULL;
}

/* ------------------------------------------------------- what nginx itself says */

/* "2026/03/01 12:00:00 [warn] 1234#1234: TEXT in FILE:LINE", or without the time and
 * the process. NULL: another level. */
static char *
text_behind(char *line, const char *level)
{
	char	*text = strstr(line, level);
	size_t	 len;

	if (text == NULL)
		return NULL;
	text += strlen(level);
	len = strspn(text, "0123456789#");
	return len > 0 && strncmp(text + len, ": ", 2) == 0 ? text + len + 2 : text;
}

/* Cuts " in FILE:LINE" out of a text, the last if there are two. */
static bool
take_place(char *text, char *file, size_t size, unsigned *line_r)
{
	char	*p = text, *found = NULL, *colon, *rest = NULL;
	size_t	 digits;

	for (; (p = strstr(p, " in /")) != NULL; p++) {
		colon = p + strcspn(p, ":");
		digits = *colon == ':' ? strspn(colon + 1, "0123456789") : 0;
		if (digits == 0 || strchr(";", colon[1 + digits]) == NULL)
			continue;
		found = p;
		rest = colon + 1 + digits;
		*line_r = (unsigned)strtoul(colon + 1, NULL, 10);
		(void)snprintf(file, size, "%.*s", (int)(colon - p - 4), p + 4);
	}
	if (found != NULL)
		memmove(found, rest, strlen(rest) + 1);
	return found != NULL;
}

static void
pass_on(struct doctor *d, char *err)
{
	char		*line, *text, file[1024];
	unsigned	 n = 0, number;
	bool		 emerg, placed, twice;

	while ((line = conf_cut_line(&err, &n, false)) != NULL) {
		text = text_behind(line, "[emerg] ");
		emerg = text != NULL;
		if (text == NULL)
			text = text_behind(line, "[warn] ");
		/* these two are looked at below, each line of them */
		if (text == NULL ||
		    strstr(text, "\"ssl_crl\" does nothing") != NULL ||
		    strstr(text, "\"ssl_ocsp\" does nothing") != NULL)
			continue;
		file[0] = '\0';
		number = 0;
		placed = take_place(text, file, sizeof(file), &number);
		/* of the policy file, not of nginx's: the check as each user says it */
		twice = strstr(text, "conflicting server name") != NULL;
		if (!emerg && !placed && !twice)
			continue;
		doctor_say_at(d, emerg ? CERTAUTH_FATAL : CERTAUTH_WARNING, file,
		    number, text, strstr(text, "unknown directive \"certauth") !=
		    NULL ? "put \"load_module modules/" NGINX_MODULE ";\" on top of "
		    "nginx.conf" : emerg ? "nginx does not start with this; mend it"
		    : twice ? "of two servers with this name only the first is "
		    "in force: a profile in the other guards nothing; give each "
		    "a name of its own" : "see docs/nginx.md, Pitfalls");
	}
}

/* ---------------------------------------------------------------------- checks */

static bool
on(const struct conf *c, size_t at)
{
	return at != NO_LINE && c->lines[at].num_words > 1 &&
	    strcmp(c->lines[at].words[1], "off") != 0;
}

bool
doctor_nginx_guarded(const struct conf *c, size_t server)
{
	size_t	i;

	if (on(c, conf_effective(c, server, "certauth")))
		return true;
	for (i = server + 1; i < c->num_lines; i++)
		if (conf_is(&c->lines[i], "certauth") && on(c, i) &&
		    conf_inside(c, i, server))
			return true;
	return false;
}

static void
check_protocols(struct doctor *d, size_t server)
{
	static const char *const	old[] = { "SSLv2", "SSLv3", "TLSv1",
					    "TLSv1.1" };
	size_t		at = conf_effective(&d->conf, server, "ssl_protocols"), i;

	if (at == NO_LINE) {
		doctor_say(d, CERTAUTH_WARNING, server, "no ssl_protocols: nginx "
		    "before 1.27.3 then offers TLS 1.0, before 1.23.4 without "
		    "TLS 1.3", "write \"ssl_protocols TLSv1.2 TLSv1.3;\"");
		return;
	}
	for (i = 0; i < sizeof(old) / sizeof(old[0]); i++)
		if (conf_has(&d->conf.lines[at], old[i]))
			doctor_say(d, CERTAUTH_FATAL, at, "versions of TLS that "
			    "RFC 8996 forbids are offered: certificates travel in "
			    "the clear there", "write \"ssl_protocols TLSv1.2 "
			    "TLSv1.3;\"");
}

/* A listener is plain unless it says otherwise; a server without any is, too. */
static void
check_listeners(struct doctor *d, size_t server)
{
	static const char	 text[] = "a plain listener under a profile: whoever "
				    "comes here gets 403 no-tls";
	static const char	 remedy[] = "add \"ssl\" to it, or give plain HTTP a "
				    "server of its own that redirects";
	const struct conf_line	*l;
	size_t			 i, num = 0;

	for (i = server + 1; i < d->conf.num_lines; i++) {
		l = &d->conf.lines[i];
		if (l->parent != server || !conf_is(l, "listen"))
			continue;
		num++;
		if (!conf_has(l, "ssl") && !conf_has(l, "quic"))
			doctor_say(d, CERTAUTH_WARNING, i, text, remedy);
	}
	if (num == 0)
		doctor_say(d, CERTAUTH_WARNING, server, text, remedy);
}

/* Ways to an application behind, what sets a header there (a line of one level takes
 * the place of all those further out), and what holds all headers back. */
static const struct pass {
	const char	*name, *sets, *header, *headers, *remedy;
} passes[] = {
	{ "proxy_pass", "proxy_set_header", "Authorization",
	    "proxy_pass_request_headers",
	    "write \"proxy_set_header Authorization \"\";\" here" },
	{ "grpc_pass", "grpc_set_header", "Authorization", "",
	    "write \"grpc_set_header Authorization \"\";\" here" },
	{ "fastcgi_pass", "fastcgi_param", "HTTP_AUTHORIZATION",
	    "fastcgi_pass_request_headers",
	    "write \"fastcgi_param HTTP_AUTHORIZATION \"\";\" here" },
	{ "uwsgi_pass", "uwsgi_param", "HTTP_AUTHORIZATION",
	    "uwsgi_pass_request_headers",
	    "write \"uwsgi_param HTTP_AUTHORIZATION \"\";\" here" },
	{ "scgi_pass", "scgi_param", "HTTP_AUTHORIZATION",
	    "scgi_pass_request_headers",
	    "write \"scgi_param HTTP_AUTHORIZATION \"\";\" here" },
};

static void
check_authorization(struct doctor *d, size_t at, const struct pass *pass)
{
	const struct conf	*c = &d->conf;
	size_t			 block = c->lines[at].parent, i, headers;
	bool			 any = false, mine = false;

	headers = conf_effective(c, block, pass->headers);
	if (headers != NO_LINE && !on(c, headers))
		return;
	for (;;) {
		for (i = 0; i < c->num_lines; i++) {
			if (c->lines[i].parent != block ||
			    !conf_is(&c->lines[i], pass->sets))
				continue;
			any = true;
			mine = mine || conf_has(&c->lines[i], pass->header);
		}
		if (any || block == NO_LINE)
			break;
		block = c->lines[block].parent;
	}
	if (!mine)
		doctor_say(d, CERTAUTH_WARNING, at, "what the client writes into "
		    "Authorization is passed on beside the certificate's user: an "
		    "application may believe it", pass->remedy);
}

/* Applications behind, and names of CAs: all that needs a profile in force. */
static void
check_places(struct doctor *d, size_t server)
{
	const struct conf	*c = &d->conf;
	size_t			 i, k, own = conf_effective(c, server, "certauth");
	size_t			 names = conf_effective(c, server, "certauth_names");

	if (on(c, own))
		doctor_names(d, own, 1, names, false);
	for (i = server + 1; i < c->num_lines; i++) {
		if (!conf_inside(c, i, server))
			continue;
		if (conf_is(&c->lines[i], "certauth") && on(c, i) && i != own)
			doctor_names(d, i, 1, names, false);
		for (k = 0; k < sizeof(passes) / sizeof(passes[0]); k++)
			if (conf_is(&c->lines[i], passes[k].name) &&
			    on(c, conf_effective(c, c->lines[i].parent, "certauth")))
				check_authorization(d, i, &passes[k]);
	}
}

static void
check_server(struct doctor *d, size_t server)
{
	const struct conf	*c = &d->conf;
	size_t			 at;

	at = conf_effective(c, server, "ssl_crl");
	if (at != NO_LINE)
		doctor_say(d, CERTAUTH_FATAL, at, "ssl_crl does nothing under a "
		    "profile: who is revoked in that file alone gets in",
		    "name the file in \"crls\" of the authority in the policy "
		    "file, and remove this line");
	at = conf_effective(c, server, "ssl_ocsp");
	if (on(c, at))
		doctor_say(d, CERTAUTH_FATAL, at, "ssl_ocsp does nothing under a "
		    "profile: nginx asks no responder", "let certauth-refresher "
		    "ask (docs/refresher.md), and remove this line");
	at = conf_effective(c, server, "ssl_early_data");
	if (on(c, at))
		doctor_say(d, CERTAUTH_WARNING, at, "TLS early data can be "
		    "replayed: under a profile it gets 425",
		    "write \"ssl_early_data off;\"");
	check_protocols(d, server);
	check_listeners(d, server);
	check_places(d, server);
}

/* nginx runs the handlers of a later module first (docs/nginx.md, Pitfalls). */
static void
check_modules(struct doctor *d, bool *loaded_r)
{
	const struct conf	*c = &d->conf;
	size_t			 i;

	*loaded_r = false;
	for (i = 0; i < c->num_lines; i++) {
		if (!conf_is(&c->lines[i], "load_module"))
			continue;
		if (strstr(conf_at(&c->lines[i], 1), NGINX_MODULE) != NULL)
			*loaded_r = true;
		else if (*loaded_r && strstr(conf_at(&c->lines[i], 1), "lua") != NULL)
			doctor_say(d, CERTAUTH_WARNING, i, "loaded behind certauth: "
			    "it can answer before certauth is asked", "move the "
			    "load_module of certauth below this line");
	}
}

static void
check_all(struct doctor *d)
{
	struct conf	*c = &d->conf;
	size_t		 i, num = 0;
	bool		 loaded;

	check_modules(d, &loaded);
	for (i = 0; i < c->num_lines; i++) {
		if (conf_is(&c->lines[i], "certauth") && on(c, i))
			doctor_profile(d, i, 1);
		if (conf_is(&c->lines[i], "server") && c->lines[i].block &&
		    c->lines[i].parent != NO_LINE &&
		    conf_is(&c->lines[c->lines[i].parent], "http") &&
		    doctor_nginx_guarded(c, i)) {
			num++;
			check_server(d, i);
		}
	}
	if (!loaded && num == 0)
		doctor_say(d, CERTAUTH_FATAL, NO_LINE, "the module is not loaded",
		    "put \"load_module modules/" NGINX_MODULE ";\" on top of nginx.conf, "
		    "and \"certauth PROFILE;\" into a server");
	else if (num == 0)
		doctor_say(d, CERTAUTH_FATAL, NO_LINE, "the module is loaded, but "
		    "no server names a profile: nobody is asked for a certificate",
		    "write \"certauth PROFILE;\" into a server");
}

/* What the policy file and the user are called. */
static bool
take_names(struct doctor *d)
{
	const struct conf	*c = &d->conf;
	const char		*name, *slash;
	char			 path[4096];
	size_t			 i, user = conf_in(c, NO_LINE, "user");

	slash = strrchr(c->lines[0].file, '/');
	d->folder = strndup(c->lines[0].file, slash != NULL ?
	    (size_t)(slash - c->lines[0].file) : 0);
	for (i = 0; i < c->num_lines; i++) {
		if (!conf_is(&c->lines[i], "certauth_config"))
			continue;
		name = conf_at(&c->lines[i], 1);
		(void)snprintf(path, sizeof(path), "%.*s%s", name[0] == '/' ||
		    slash == NULL ? 0 : (int)(slash - c->lines[0].file + 1),
		    c->lines[0].file, name);
		free(d->policy);
		d->policy = strdup(path);
	}
	/* nginx's own default, unless it was built with another */
	d->user = strdup(user != NO_LINE ? conf_at(&c->lines[user], 1) : "nobody");
	return d->user != NULL;
}

bool
doctor_nginx(struct doctor *d)
{
	const char	*argv[] = { doctor_binary(d, "nginx"), "-T", "-e", "stderr",
			    d->args->server_config != NULL ? "-c" : NULL,
			    d->args->server_config, NULL };
	struct reading	 r = { .d = d };
	struct ran	 ran;
	bool		 ok;

	if (!doctor_run(argv, &ran))
		return false;
	pass_on(d, ran.err);
	if (ran.status != 0) {
		/* it has said why, and prints nothing then */
		d->refused = true;
		doctor_say(d, CERTAUTH_FATAL, NO_LINE, "nginx does not take its "
		    "configuration", "mend what it says, and ask again");
		doctor_ran_free(&ran);
		return true;
	}
	ok = find_sources(&r, ran.out) && read_source(&r, &r.sources[0], NO_LINE) &&
	    d->conf.num_lines > 0 && take_names(d);
	if (ok)
		check_all(d);
	else
		complain("what nginx -T prints cannot be read");
	free(r.sources);
	doctor_ran_free(&ran);
	return ok;
}
