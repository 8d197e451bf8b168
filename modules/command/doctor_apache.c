/*
 * doctor_apache.c - what would httpd's configuration do to those who log in?
 *
 * `apachectl -t -D DUMP_INCLUDES` says whether httpd takes it, and which file it
 * reads in which line of which other; the files are read here. A section whose
 * condition is not understood (IfDefine, IfVersion ...) is read as if it held.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "doctor.h"

/* Files of one configuration; includes within includes, sections within sections. */
#define MAX_FILES	5000
#define MAX_DEPTH	50

#define DEFAULT_USER	"www-data"
#define DEFAULT_ROOT	"/etc/apache2"

/* A file that httpd reads, in the order of reading. */
struct source { unsigned depth, line; const char *name; };

struct reading {
	struct doctor	*d;
	struct source	*sources;
	size_t		 num_sources;
};

static bool	read_source(struct reading *, size_t source, size_t parent);

/* "  (*) FILE" is the main one, "    (12) FILE" one of its line 12, and so on. */
static bool
find_sources(struct reading *r, char *out)
{
	char		*p, *end;
	unsigned	 n = 0;
	size_t		 indent;
	struct source	*s;

	r->sources = calloc(MAX_FILES, sizeof(*r->sources));
	if (r->sources == NULL)
		return false;
	while (*out != '\0' && r->num_sources < MAX_FILES) {
		indent = strspn(out, " ");
		p = conf_cut_line(&out, &n, false);
		if (p == NULL || *p != '(' || (end = strstr(p, ") ")) == NULL)
			continue;
		s = &r->sources[r->num_sources++];
		s->depth = (unsigned)(indent > 2 ? (indent - 2) / 2 : 0);
		s->line = (unsigned)strtoul(p + 1, NULL, 10);
		s->name = end + 2;
	}
	return r->num_sources > 0 && r->num_sources < MAX_FILES;
}

/* Those that were read in that line of sources[from]. */
static bool
include(struct reading *r, size_t from, unsigned line, size_t parent)
{
	unsigned	depth = r->sources[from].depth;
	size_t		i;

	if (depth >= MAX_DEPTH)
		return false;
	for (i = from + 1; i < r->num_sources && r->sources[i].depth > depth; i++)
		if (r->sources[i].depth == depth + 1 && r->sources[i].line == line &&
		    !read_source(r, i, parent))
			return false;
	return true;
}

bool
doctor_apache_loaded(const struct conf *c, const char *module)
{
	/* linked into Debian's httpd */
	static const char *const	built_in[] = { "core_module", "so_module",
		"watchdog_module", "http_module", "log_config_module",
		"logio_module", "version_module", "unixd_module" };
	size_t				i;

	for (i = 0; i < sizeof(built_in) / sizeof(built_in[0]); i++)
		if (strcmp(module, built_in[i]) == 0)
			return true;
	for (i = 0; i < c->num_lines; i++)
		if (conf_is(&c->lines[i], "LoadModule") &&
		    strcmp(conf_at(&c->lines[i], 1), module) == 0)
			return true;
	return false;
}

/* <IfModule mod_ssl.c>, <IfModule !ssl_module>: as far as modules are loaded here. */
static bool
if_module(const struct conf *c, const char *word)
{
	bool	not = word[0] == '!', loaded;
	char	name[128];
	size_t	len;

	word += not;
	len = strlen(word);
	if (strncmp(word, "mod_", 4) == 0 && len > 6 && len < sizeof(name) &&
	    strcmp(word + len - 2, ".c") == 0)
		(void)snprintf(name, sizeof(name), "%.*s_module", (int)(len - 6),
		    word + 4);
	else if (len > 7 && len < sizeof(name) &&
	    strcmp(word + len - 7, "_module") == 0)
		(void)snprintf(name, sizeof(name), "%s", word);
	else
		return true;	/* worker.c and the like: not known */
	loaded = doctor_apache_loaded(c, name);
	return not ? !loaded : loaded;
}

struct level { size_t parent; bool skip; };

/* "<NAME words>": levels[*depth] is the new one. Conditions leave no block. */
static bool
open_section(struct conf *c, const char *file, unsigned line, char *p,
    struct level *levels, size_t *depth)
{
	struct level	*up = &levels[*depth], *mine = &levels[*depth + 1];
	char		*end = p + strlen(p), *word;
	size_t		 at;

	if (*depth + 1 >= MAX_DEPTH)
		return false;
	++*depth;
	*mine = *up;
	if (up->skip)
		return true;
	while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (end > p && end[-1] == '>')
		end[-1] = '\0';
	if (!conf_add(c, file, line, up->parent, &at))
		return false;
	while ((word = conf_cut(&p)) != NULL)
		if (!conf_word(c, at, word))
			return false;
	if (conf_is(&c->lines[at], "IfModule"))
		mine->skip = !if_module(c, conf_at(&c->lines[at], 1));
	else if (!conf_is(&c->lines[at], "IfDefine") &&
	    !conf_is(&c->lines[at], "IfVersion") &&
	    !conf_is(&c->lines[at], "IfFile") &&
	    !conf_is(&c->lines[at], "IfDirective") &&
	    !conf_is(&c->lines[at], "IfSection")) {
		c->lines[at].block = true;
		mine->parent = at;
	}
	return true;
}

static bool
read_source(struct reading *r, size_t source, size_t parent)
{
	struct conf	*c = &r->d->conf;
	struct level	 levels[MAX_DEPTH] = { { parent, false } };
	const char	*file = r->sources[source].name;
	char		*text = conf_file(file), *p, *word;
	unsigned	 line = 0;
	size_t		 depth = 0, at;

	if (text == NULL) {
		doctor_say_at(r->d, CERTAUTH_WARNING, file, 0, "cannot be read: "
		    "what stands in it is not looked at", "run this as root");
		return true;
	}
	text = conf_keep(c, text);
	while (text != NULL && (p = conf_cut_line(&text, &line, true)) != NULL) {
		if (*p == '#' || *p == '\0')
			continue;
		if (p[0] == '<' && p[1] == '/') {
			depth -= depth > 0;
			continue;
		}
		if (*p == '<') {
			if (!open_section(c, file, line, p + 1, levels, &depth))
				return false;
			continue;
		}
		if (levels[depth].skip)
			continue;
		if (!conf_add(c, file, line, levels[depth].parent, &at))
			return false;
		while ((word = conf_cut(&p)) != NULL)
			if (!conf_word(c, at, word))
				return false;
		if (strncasecmp(conf_at(&c->lines[at], 0), "Include", 7) == 0 &&
		    !include(r, source, line, levels[depth].parent))
			return false;
	}
	return text != NULL;
}

/* ---------------------------------------------------------------------- checks */

static bool
names_profile(const struct conf *c, size_t i)
{
	return conf_is(&c->lines[i], "CertAuthProfile") &&
	    strcasecmp(conf_at(&c->lines[i], 1), "off") != 0;
}

/* The virtual host in which a line stands. NO_LINE: the main server. */
static size_t
host_of(const struct conf *c, size_t i)
{
	while (i != NO_LINE && !conf_is(&c->lines[i], "VirtualHost"))
		i = c->lines[i].parent;
	return i;
}

/* What the main server says holds for all that do not say otherwise. */
bool
doctor_apache_guarded(const struct conf *c, size_t host)
{
	size_t	i, own = conf_in(c, host, "CertAuthProfile");
	bool	inherited = false;

	for (i = 0; i < c->num_lines; i++) {
		if (!names_profile(c, i))
			continue;
		if (host_of(c, i) == host)
			return true;
		inherited = inherited || host_of(c, i) == NO_LINE;
	}
	return inherited && own == NO_LINE;
}

/* SSLProtocol: words one after the other, "all" includes TLS 1.0. */
static void
check_protocol(struct doctor *d, size_t host)
{
	enum { V10 = 1, V11 = 2, OTHER = 4 };
	size_t			 at = conf_effective(&d->conf, host, "SSLProtocol");
	const struct conf_line	*l;
	const char		*word;
	unsigned		 have = 0, bit;
	size_t			 i;
	bool			 by_name = false;

	if (at == NO_LINE) {
		doctor_say(d, CERTAUTH_WARNING, host, "no SSLProtocol: TLS 1.0 and "
		    "1.1 are offered as far as OpenSSL has them",
		    "write \"SSLProtocol -all +TLSv1.2 +TLSv1.3\"");
		return;
	}
	l = &d->conf.lines[at];
	for (i = 1; i < l->num_words; i++) {
		word = l->words[i] + strspn(l->words[i], "+-");
		bit = strcasecmp(word, "all") == 0 ? V10 | V11 | OTHER :
		    strcasecmp(word, "TLSv1") == 0 ? V10 :
		    strcasecmp(word, "TLSv1.1") == 0 ? V11 : OTHER;
		if (l->words[i][0] == '-')
			have &= ~bit;
		else if (l->words[i][0] == '+')
			have |= bit;
		else
			have = bit;
		by_name = by_name || (l->words[i][0] != '-' &&
		    (bit == V10 || bit == V11));
	}
	if ((have & (V10 | V11)) != 0)
		doctor_say(d, by_name ? CERTAUTH_FATAL : CERTAUTH_WARNING, at,
		    "versions of TLS that RFC 8996 forbids are offered, as far as "
		    "OpenSSL has them: certificates travel in the clear there",
		    "write \"SSLProtocol -all +TLSv1.2 +TLSv1.3\"");
}

/* What mod_ssl no longer does itself, or not well. */
static const struct leftover {
	const char		*name;
	enum certauth_severity	 severity;
	const char		*text, *remedy;
} leftovers[] = {
#define REVOKED		CERTAUTH_FATAL, "does nothing under a profile: who is revoked " \
			"by this alone gets in", "name the CRLs in \"crls\" of the " \
			"authority in the policy file or let certauth-refresher " \
			"fetch them, and remove this line"
#define NAMES		CERTAUTH_WARNING, "does nothing under a profile: its names " \
			"are not offered to clients", "write CertAuthNames with a " \
			"file of certificates instead"
	{ "SSLCARevocationFile", REVOKED },
	{ "SSLCARevocationPath", REVOKED },
	{ "SSLCARevocationCheck", REVOKED },
	{ "SSLOCSPEnable", REVOKED },
	{ "SSLCADNRequestFile", NAMES },
	{ "SSLCADNRequestPath", NAMES },
	{ "SSLVerifyDepth", CERTAUTH_WARNING, "does nothing under a profile",
	    "set \"depth\" in the profile, and remove this line" },
	{ "SSLSessionTicketKeyFile", CERTAUTH_WARNING, "with OpenSSL 3 mod_ssl takes "
	    "the key that proves a ticket from memory it has given back, and a "
	    "ticket carries the client's certificate", "remove this line" },
#undef REVOKED
#undef NAMES
};

static void
check_leftovers(struct doctor *d, size_t host)
{
	const struct leftover	*left;
	const struct conf_line	*l;
	size_t			 i, at;

	for (i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++) {
		left = &leftovers[i];
		at = conf_effective(&d->conf, host, left->name);
		l = at != NO_LINE ? &d->conf.lines[at] : NULL;
		if (l != NULL && !conf_has(l, "none") && !conf_has(l, "off"))
			doctor_say(d, left->severity, at, left->text, left->remedy);
	}
	for (i = 0; i < d->conf.num_lines; i++)
		if (conf_is(&d->conf.lines[i], "SSLOptions") &&
		    (host_of(&d->conf, i) == host ||
		    host_of(&d->conf, i) == NO_LINE) &&
		    conf_has(&d->conf.lines[i], "+OptRenegotiate"))
			doctor_say(d, CERTAUTH_WARNING, i, "+OptRenegotiate has no "
			    "effect under a profile", "remove the word");
}

static bool
has_part(const struct conf_line *l, const char *part)
{
	size_t	i;

	for (i = 1; i < l->num_words; i++)
		if (strcasestr(l->words[i], part) != NULL)
			return true;
	return false;
}

/* "[P]", "[L,proxy]": the last word of a RewriteRule. */
static bool
is_proxied(const struct conf_line *l)
{
	const char	*p = l->num_words > 3 ? l->words[l->num_words - 1] : "";

	for (; *p != '\0'; p += strcspn(p, "[,]")) {
		p += strspn(p, "[,]");
		if (strcspn(p, ",]") == 1 && (*p == 'P' || *p == 'p'))
			return true;
		if (strcspn(p, ",]") == 5 && strncasecmp(p, "proxy", 5) == 0)
			return true;
	}
	return false;
}

/* Does an application behind this line get the client's Authorization? FastCGI, SCGI
 * and CGI do not, unless somebody sees to it; all others do. */
static bool
passes_authorization(const struct conf_line *l)
{
	bool	quiet = has_part(l, "fcgi://") || has_part(l, "scgi://");

	if (conf_is(l, "ProxyPass") || conf_is(l, "ProxyPassMatch"))
		return !quiet && !conf_has(l, "!");
	if (conf_is(l, "SetHandler"))
		return !quiet && has_part(l, "proxy:");
	if (conf_is(l, "RewriteRule"))
		return has_part(l, "HTTP_AUTHORIZATION") ||
		    (is_proxied(l) && !quiet);
	if (conf_is(l, "SetEnvIf") || conf_is(l, "SetEnvIfNoCase"))
		return conf_has(l, "Authorization") &&
		    has_part(l, "HTTP_AUTHORIZATION");
	return (conf_is(l, "CGIPassAuth") || conf_is(l, "WSGIPassAuthorization")) &&
	    conf_has(l, "on");
}

/* What holds for a host, wherever in it or around it it stands. */
static void
check_places(struct doctor *d, size_t host)
{
	const struct conf	*c = &d->conf;
	size_t			 i, own, names = conf_effective(c, host,
				    "CertAuthNames");
	bool			 cleared = false;

	for (i = 0; i < c->num_lines; i++)
		cleared = cleared || ((host_of(c, i) == host ||
		    host_of(c, i) == NO_LINE) &&
		    conf_is(&c->lines[i], "RequestHeader") &&
		    conf_has(&c->lines[i], "Authorization"));
	for (i = 0; i < c->num_lines; i++) {
		if (host_of(c, i) != host && host_of(c, i) != NO_LINE)
			continue;
		if (names_profile(c, i))
			doctor_names(d, i, 1, names, true);
		own = conf_in(c, c->lines[i].parent, "CertAuthProfile");
		if (!cleared && passes_authorization(&c->lines[i]) &&
		    (own == NO_LINE || names_profile(c, own)))
			doctor_say(d, CERTAUTH_WARNING, i, "what the client writes "
			    "into Authorization is passed on beside the "
			    "certificate's user: an application may believe it",
			    "write \"RequestHeader unset Authorization\"");
	}
}

static void
check_host(struct doctor *d, size_t host)
{
	const struct conf	*c = &d->conf;
	size_t			 at = conf_effective(c, host, "SSLEngine");

	if (at == NO_LINE || conf_has(&c->lines[at], "off"))
		doctor_say(d, CERTAUTH_WARNING, host, "a host without TLS under a "
		    "profile: whoever comes here gets 403 no-tls", "write "
		    "\"SSLEngine on\" into it, or \"CertAuthProfile off\"");
	else
		check_protocol(d, host);
	check_leftovers(d, host);
	check_places(d, host);
}

static void
check_all(struct doctor *d)
{
	const struct conf	*c = &d->conf;
	size_t			 i, num = 0;
	bool			 any = false;

	for (i = 0; i < c->num_lines; i++) {
		if (names_profile(c, i)) {
			doctor_profile(d, i, 1);
			any = true;
		}
		if (conf_is(&c->lines[i], "VirtualHost") &&
		    doctor_apache_guarded(c, i)) {
			num++;
			check_host(d, i);
		}
	}
	if (num == 0 && any)
		check_host(d, NO_LINE);
	if (!doctor_apache_loaded(c, "ssl_module"))
		doctor_say(d, CERTAUTH_FATAL, NO_LINE, "mod_ssl is not loaded: "
		    "nobody can show a certificate", "a2enmod ssl");
	if (!doctor_apache_loaded(c, "certauth_module"))
		doctor_say(d, CERTAUTH_FATAL, NO_LINE, "mod_certauth is not loaded",
		    "a2enmod certauth");
	else if (!any)
		doctor_say(d, CERTAUTH_FATAL, NO_LINE, "mod_certauth is loaded, but "
		    "no profile is named anywhere: nobody is asked for a "
		    "certificate", "write \"CertAuthProfile NAME\" into a "
		    "<VirtualHost>");
}

/* What the policy file and the user are called. */
static bool
take_names(struct doctor *d)
{
	const struct conf	*c = &d->conf;
	size_t			 conf = conf_in(c, NO_LINE, "CertAuthConfig");
	size_t			 root = conf_in(c, NO_LINE, "ServerRoot");
	size_t			 user = conf_in(c, NO_LINE, "User");
	const char		*name;
	char			 path[4096];

	d->folder = strdup(root != NO_LINE ? conf_at(&c->lines[root], 1) :
	    DEFAULT_ROOT);
	if (conf != NO_LINE && d->folder != NULL) {
		name = conf_at(&c->lines[conf], 1);
		(void)snprintf(path, sizeof(path), "%s%s%s", name[0] == '/' ? "" :
		    d->folder, name[0] == '/' ? "" : "/", name);
		d->policy = strdup(path);
	}
	/* Debian's is ${APACHE_RUN_USER}, set in envvars */
	name = user != NO_LINE ? conf_at(&c->lines[user], 1) : DEFAULT_USER;
	d->user = strdup(name[0] == '$' ? DEFAULT_USER : name);
	return d->user != NULL;
}

/* Our own module's "FILE:LINE: TEXT". */
static void
own_words(struct doctor *d, char *text)
{
	char		*colon = strchr(text, ':'), *end;
	unsigned	 number = 0;

	if (text[0] == '/' && colon != NULL) {
		number = (unsigned)strtoul(colon + 1, &end, 10);
		if (number > 0 && strncmp(end, ": ", 2) == 0) {
			*colon = '\0';
			doctor_say_at(d, CERTAUTH_FATAL, text, number, end + 2,
			    "httpd does not start with this; mend it");
			return;
		}
	}
	doctor_say_at(d, CERTAUTH_FATAL, "", 0, text,
	    "httpd does not start with this; mend it");
}

/* Of an httpd that does not start: "AH00526: Syntax error on line N of FILE:", and what
 * it is in the next line; or our module's. */
static void
pass_on(struct doctor *d, char *err)
{
	static const char	 begin[] = "Syntax error on line ", own[] = "certauth: ";
	char			*line, *p, *file;
	unsigned		 n = 0, number;

	while ((line = conf_cut_line(&err, &n, false)) != NULL) {
		if (strncmp(line, own, strlen(own)) == 0)
			own_words(d, line + strlen(own));
		p = strstr(line, begin);
		if (p == NULL)
			continue;
		number = (unsigned)strtoul(p + strlen(begin), &file, 10);
		file += strncmp(file, " of ", 4) == 0 ? 4 : 0;
		if (file[0] != '\0' && file[strlen(file) - 1] == ':')
			file[strlen(file) - 1] = '\0';
		p = conf_cut_line(&err, &n, false);
		doctor_say_at(d, CERTAUTH_FATAL, file, number, p != NULL ? p :
		    "a syntax error", p != NULL && strstr(p, "'CertAuth") != NULL ?
		    "a2enmod certauth" : "httpd does not start with this; mend it");
		if (p == NULL)
			break;
	}
}

bool
doctor_apache(struct doctor *d)
{
	const char	*argv[] = { doctor_binary(d, "apachectl"), "-t", "-D",
			    "DUMP_INCLUDES", d->args->server_config != NULL ? "-f" :
			    NULL, d->args->server_config, NULL };
	struct reading	 r = { .d = d };
	struct ran	 ran;
	char		*out;
	bool		 ok;

	if (!doctor_run(argv, &ran))
		return false;
	if (ran.status != 0) {
		pass_on(d, ran.err);
		d->refused = true;
		doctor_say(d, CERTAUTH_FATAL, NO_LINE, "httpd does not take its "
		    "configuration", "mend what apachectl configtest says, and ask "
		    "again");
		doctor_ran_free(&ran);
		return true;
	}
	/* names of files point into it */
	out = conf_keep(&d->conf, ran.out);
	ran.out = NULL;
	ok = out != NULL && find_sources(&r, out) && read_source(&r, 0, NO_LINE) &&
	    take_names(d);
	if (ok)
		check_all(d);
	else
		complain("what apachectl -D DUMP_INCLUDES prints cannot be read");
	free(r.sources);
	doctor_ran_free(&ran);
	return ok;
}
