/*
 * init_servers.c - the lines to paste, in the language of each server.
 *
 * Each line is there because something would be missing or dangerous without it;
 * docs/nginx.md, apache.md and dovecot.md tell of all the others.
 */

#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "init.h"

#define DOCUMENTS	"/var/www/html"
#define PUT_YOURS	"    # Not there yet: put yours here.\n"

static bool
has_documents(void)
{
	return access(DOCUMENTS, F_OK) == 0;
}

/* What is there already and stays open, or takes the place of what is pasted. */
static void
careful(const struct conf *c, size_t at, const char *text, FILE *out)
{
	char	file[INIT_PATH];

	if (at == NO_LINE)
		(void)fprintf(out, "    # Careful: the main server %s.\n", text);
	else
		(void)fprintf(out, "    # Careful: %s:%u %s.\n", certauth_printable(
		    file, sizeof(file), c->lines[at].file), c->lines[at].line, text);
}

#define SAME_NAME	"has this name, too: of two the first is taken, so put the lines " \
			"below in there"
#define SAME_FOLDER	"serves this folder to everybody"

/* -------------------------------------------------------------------- nginx */

/* The folder of modules, as nginx was built. */
static void
nginx_modules(const struct init *in, char folder[INIT_PATH])
{
	static const char	 option[] = "--modules-path=";
	const char		*argv[] = { doctor_binary(&in->doctor, "nginx"),
				    "-V", NULL }, *p;
	struct ran		 ran;

	(void)snprintf(folder, INIT_PATH, "/usr/lib/nginx/modules");
	if (!doctor_run(argv, &ran))
		return;
	p = strstr(ran.err, option);
	if (p != NULL) {
		p += strlen(option);
		(void)snprintf(folder, INIT_PATH, "%.*s",
		    (int)strcspn(p, " \n'"), p);
	}
	doctor_ran_free(&ran);
}

static bool
nginx_load(struct init *in)
{
	const struct conf	*c = &in->doctor.conf;
	char			 folder[INIT_PATH], path[INIT_PATH], *text;
	char			 where[300];
	size_t			 i, len;
	FILE			*out;
	bool			 found;

	for (i = 0; i < c->num_lines; i++)
		if (conf_is(&c->lines[i], "load_module") &&
		    strstr(conf_at(&c->lines[i], 1), NGINX_MODULE) != NULL)
			return true;
	nginx_modules(in, folder);
	found = init_find(folder, NGINX_MODULE, path);
	if (!found)
		(void)snprintf(path, sizeof(path), "modules/" NGINX_MODULE);
	out = init_begin(&text, &len);
	if (out != NULL)
		(void)fprintf(out, "%sload_module %s;\n", found ? "" :
		    "# Not there yet: install libnginx-mod-http-certauth.\n", path);
	(void)snprintf(where, sizeof(where), "on top of %.200s",
	    c->lines[0].file);
	return init_end(in, out, &text, where);
}

/* Something that a server takes from http { } if it has none of its own. */
static size_t
nginx_http(const struct conf *c, const char *name)
{
	size_t	http = conf_in(c, NO_LINE, "http");

	return http != NO_LINE ? conf_in(c, http, name) : NO_LINE;
}

/* Do others listen to IPv6? */
static bool
nginx_listens6(const struct conf *c)
{
	size_t	i;

	for (i = 0; i < c->num_lines; i++)
		if (conf_is(&c->lines[i], "listen") &&
		    strncmp(conf_at(&c->lines[i], 1), "[::]", 4) == 0)
			return true;
	return false;
}

static void
nginx_others(const struct init *in, FILE *out)
{
	const struct conf	*c = &in->doctor.conf;
	const char		*root = DOCUMENTS;
	size_t			 i, k, at = nginx_http(c, "root");
	bool			 tls;

	if (at != NO_LINE)
		root = conf_at(&c->lines[at], 1);
	for (i = 0; i < c->num_lines; i++) {
		if (!conf_is(&c->lines[i], "server") || !c->lines[i].block ||
		    c->lines[i].parent != conf_in(c, NO_LINE, "http"))
			continue;
		for (tls = false, k = i + 1; k < c->num_lines; k++)
			tls = tls || (c->lines[k].parent == i && conf_is(&c->lines[k],
			    "listen") && conf_has(&c->lines[k], "ssl"));
		at = conf_in(c, i, "server_name");
		if (tls && at != NO_LINE && conf_has(&c->lines[at], in->host))
			careful(c, i, SAME_NAME, out);
		at = conf_effective(c, i, "root");
		if (at != NO_LINE && strcmp(conf_at(&c->lines[at], 1), root) == 0 &&
		    conf_in(c, i, "return") == NO_LINE &&
		    !doctor_nginx_guarded(c, i))
			careful(c, i, SAME_FOLDER, out);
	}
}

bool
init_nginx(struct init *in)
{
	const struct conf	*c = &in->doctor.conf;
	char			*text;
	size_t			 len;
	FILE			*out;

	in->then = "nginx -t && systemctl reload nginx";
	if (!nginx_load(in) || (out = init_begin(&text, &len)) == NULL)
		return false;
	if (!in->policy_named)
		(void)fprintf(out, "certauth_config %s;\n\n", in->policy);
	(void)fprintf(out, "server {\n    listen 443 ssl;\n%s    server_name %s;\n",
	    nginx_listens6(c) ? "    listen [::]:443 ssl;\n" : "", in->host);
	if (nginx_http(c, "ssl_certificate") == NO_LINE) {
		init_certificate(in, "ssl_certificate", "ssl_certificate_key");
		(void)fprintf(out, "%s    ssl_certificate %s;\n    "
		    "ssl_certificate_key %s;\n", in->own_cert ? "" : PUT_YOURS,
		    in->cert, in->key);
	}
	(void)fputs("    ssl_protocols TLSv1.2 TLSv1.3;\n", out);
	if (nginx_http(c, "root") == NO_LINE && has_documents())
		(void)fputs("    root " DOCUMENTS ";\n", out);
	nginx_others(in, out);
	(void)fprintf(out, "\n    # Asks for a certificate, and refuses who has "
	    "none.\n    certauth %s;\n\n"
	    "    # Tells people why.\n"
	    "    error_page 403 495 496 = @refused;\n"
	    "    location @refused {\n"
	    "        default_type text/plain;\n"
	    "        return 403 \"$certauth_message\\n\";\n"
	    "    }\n}\n", in->args->profile);
	return init_end(in, out, &text, "into http { }, for example as "
	    "/etc/nginx/conf.d/certauth.conf");
}

/* ------------------------------------------------------------------- Apache */

/* The folder from which mod_ssl was loaded. */
static void
apache_modules(const struct conf *c, char folder[INIT_PATH])
{
	const char	*path, *slash;
	size_t		 i;

	(void)snprintf(folder, INIT_PATH, "/usr/lib/apache2/modules");
	for (i = 0; i < c->num_lines; i++) {
		path = conf_at(&c->lines[i], 2);
		slash = strrchr(path, '/');
		if (conf_is(&c->lines[i], "LoadModule") && path[0] == '/' &&
		    strcmp(conf_at(&c->lines[i], 1), "ssl_module") == 0)
			(void)snprintf(folder, INIT_PATH, "%.*s",
			    (int)(slash - path), path);
	}
}

static bool
apache_listens(const struct conf *c)
{
	const char	*where, *colon;
	size_t		 i;

	for (i = 0; i < c->num_lines; i++) {
		where = conf_at(&c->lines[i], 1);
		colon = strrchr(where, ':');
		if (conf_is(&c->lines[i], "Listen") &&
		    strcmp(colon != NULL ? colon + 1 : where, "443") == 0)
			return true;
	}
	return false;
}

static void
apache_top(struct init *in, FILE *out)
{
	const struct conf	*c = &in->doctor.conf;
	char			 folder[INIT_PATH], path[INIT_PATH];
	bool			 found;

	if (!doctor_apache_loaded(c, "certauth_module")) {
		apache_modules(c, folder);
		found = init_find(folder, APACHE_MODULE, path);
		if (!found)
			(void)snprintf(path, sizeof(path),
			    "/usr/lib/apache2/modules/" APACHE_MODULE);
		(void)fprintf(out, "%sLoadModule certauth_module %s\n", found ? "" :
		    "# Not there yet: install libapache2-mod-certauth.\n", path);
	}
	if (!in->policy_named)
		(void)fprintf(out, "CertAuthConfig %s\n", in->policy);
	if (!apache_listens(c))
		(void)fputs("Listen 443\n", out);
}

static void
apache_others(const struct init *in, FILE *out)
{
	const struct conf	*c = &in->doctor.conf;
	const char		*root = DOCUMENTS;
	size_t			 i, host, at = conf_in(c, NO_LINE, "DocumentRoot");
	bool			 tls;

	if (at != NO_LINE) {
		root = conf_at(&c->lines[at], 1);
		if (!doctor_apache_guarded(c, NO_LINE))
			careful(c, NO_LINE, SAME_FOLDER, out);
	}
	for (i = 0; i < c->num_lines; i++) {
		host = c->lines[i].parent;
		if (host == NO_LINE || !conf_is(&c->lines[host], "VirtualHost"))
			continue;
		at = conf_effective(c, host, "SSLEngine");
		tls = at != NO_LINE && conf_has(&c->lines[at], "on");
		if (tls && (conf_is(&c->lines[i], "ServerName") ||
		    conf_is(&c->lines[i], "ServerAlias")) &&
		    conf_has(&c->lines[i], in->host))
			careful(c, host, SAME_NAME, out);
		if (conf_is(&c->lines[i], "DocumentRoot") &&
		    strcmp(conf_at(&c->lines[i], 1), root) == 0 &&
		    !doctor_apache_guarded(c, host))
			careful(c, host, SAME_FOLDER, out);
	}
}

bool
init_apache(struct init *in)
{
	const struct conf	*c = &in->doctor.conf;
	char			*text;
	size_t			 len;
	FILE			*out;

	in->then = "apachectl configtest && systemctl reload apache2";
	if (!doctor_apache_loaded(c, "ssl_module")) {
		(void)complain("mod_ssl is not loaded; a2enmod ssl, and once more");
		return false;
	}
	out = init_begin(&text, &len);
	if (out == NULL)
		return false;
	apache_top(in, out);
	init_certificate(in, "SSLCertificateFile", "SSLCertificateKeyFile");
	(void)fprintf(out, "%s<VirtualHost *:443>\n    ServerName %s\n",
	    ftell(out) > 0 ? "\n" : "", in->host);
	if (conf_in(c, NO_LINE, "DocumentRoot") == NO_LINE && has_documents())
		(void)fputs("    DocumentRoot " DOCUMENTS "\n", out);
	apache_others(in, out);
	(void)fprintf(out, "    SSLEngine on\n"
	    "    SSLProtocol -all +TLSv1.2 +TLSv1.3\n"
	    "%s    SSLCertificateFile %s\n    SSLCertificateKeyFile %s\n\n"
	    "    # Asks for a certificate, and refuses who has none.\n"
	    "    # httpd's own page tells people why.\n"
	    "    CertAuthProfile %s\n", in->own_cert ? "" : PUT_YOURS,
	    in->cert, in->key, in->args->profile);
	if (in->maps)
		(void)fprintf(out, "\n    # Gives httpd the user.\n"
		    "    <Location \"/\">\n        AuthType CertAuth\n"
		    "        AuthName \"%s\"\n        Require valid-user\n"
		    "    </Location>\n", in->host);
	(void)fputs("</VirtualHost>\n", out);
	return init_end(in, out, &text, "a new file, for example "
	    "/etc/apache2/sites-enabled/certauth.conf");
}

/* ------------------------------------------------------------------ Dovecot */

/* The words of a list that is in force, and ours if it is not among them. */
static void
print_list(const struct conf *c, FILE *out, const char *name, const char *ours,
    const char *unset)
{
	size_t	at = conf_in(c, NO_LINE, name), i;

	if (at != NO_LINE && conf_lists(c, at, ours))
		return;
	(void)fprintf(out, "%s =", name);
	if (at == NO_LINE || conf_num_listed(c, at) == 0)
		(void)fprintf(out, "%s%s", unset[0] != '\0' ? " " : "", unset);
	for (i = 1; at != NO_LINE && i < c->lines[at].num_words; i++)
		(void)fprintf(out, " %s", c->lines[at].words[i]);
	for (i = at + 1; at != NO_LINE && i < c->num_lines; i++)
		if (c->lines[i].parent == at &&
		    strcasecmp(conf_at(&c->lines[i], 1), "no") != 0)
			(void)fprintf(out, " %s", conf_at(&c->lines[i], 0));
	(void)fprintf(out, " %s\n", ours);
}

static void
dovecot_plugin(const struct conf *c, FILE *out)
{
	size_t		 at = conf_in(c, NO_LINE, "login_plugin_dir");
	const char	*folder = at != NO_LINE ? conf_at(&c->lines[at], 1) :
			    DOVECOT_PLUGIN_DIR;
	char		 path[INIT_PATH];

	if (!init_find(folder, DOVECOT_PLUGIN, path))
		(void)fputs("# Not there yet: install dovecot-certauth.\n", out);
	else if (strncmp(path, folder, strlen(folder)) != 0)
		(void)fprintf(out, "login_plugin_dir = %.*s\n",
		    (int)(strrchr(path, '/') - path), path);
	print_list(c, out, "login_plugins", "certauth", "");
}

static void
dovecot_environment(const struct init *in, bool old, FILE *out)
{
	bool	named = in->policy_named;

	if (old)
		(void)fprintf(out, "import_environment = $import_environment"
		    "%s%s CERTAUTH_PROFILE=%s\n", named ? "" : " CERTAUTH_CONF=",
		    named ? "" : in->policy, in->args->profile);
	else
		(void)fprintf(out, "import_environment {\n%s%s%s"
		    "  CERTAUTH_PROFILE = %s\n}\n", named ? "" :
		    "  CERTAUTH_CONF = ", named ? "" : in->policy, named ? "" : "\n",
		    in->args->profile);
}

/* TLS itself, where it is not set up. */
static void
dovecot_tls(struct init *in, bool old, FILE *out)
{
	const struct conf	*c = &in->doctor.conf;
	size_t			 at = conf_in(c, NO_LINE, "ssl");

	if (at != NO_LINE && strcasecmp(conf_at(&c->lines[at], 1), "no") == 0)
		(void)fputs("ssl = required\n", out);
	if (conf_setting(c, NO_LINE, old ? "ssl_cert" : "ssl_server_cert_file") !=
	    NO_LINE)
		return;
	init_certificate(in, "", "");
	(void)fprintf(out, "%s%s%s\n%s%s\n", in->own_cert ? "" :
	    "# Not there yet: put yours here.\n", old ? "ssl_cert = <" :
	    "ssl_server_cert_file = ", in->cert, old ? "ssl_key = <" :
	    "ssl_server_key_file = ", in->key);
}

/* Each of these reads the maps and asks the refresher. */
static void
dovecot_services(FILE *out)
{
	static const char *const names[] = { "imap-login", "pop3-login",
					    "submission-login",
					    "managesieve-login" };
	char			 path[64];
	size_t			 i;

	if (getgrnam("certauth") == NULL)
		return;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "/usr/lib/dovecot/%s", names[i]);
		if (access(path, F_OK) == 0)
			(void)fprintf(out, "service %s {\n  extra_groups = "
			    "certauth\n}\n", names[i]);
	}
}

bool
init_dovecot(struct init *in)
{
	const struct conf	*c = &in->doctor.conf;
	bool			 old = !doctor_dovecot_24(&in->doctor);
	char			*text;
	size_t			 len;
	FILE			*out;

	in->then = "systemctl restart dovecot";
	if (!in->maps) {
		(void)complain("the profile \"%s\" leads to no users: whom should "
		    "Dovecot log in?", in->args->profile);
		return false;
	}
	out = init_begin(&text, &len);
	if (out == NULL)
		return false;
	dovecot_tls(in, old, out);
	dovecot_plugin(c, out);
	dovecot_environment(in, old, out);
	(void)fputs("\n# Beside passwords: give the passdb for those "
	    "\"mechanisms", out);
	(void)fprintf(out, "%s = plain login\".\n", old ? "" : "_filter");
	print_list(c, out, "auth_mechanisms", "external", "plain");
	(void)fprintf(out, "auth_ssl_username_from_cert = yes\n\n"
	    "# The certificate was the proof. Without \"external\" alone this would "
	    "take any\n# password.\npassdb%s {\n  driver = static\n  %s = external\n"
	    "%s}\n", old ? "" : " certauth", old ? "mechanisms" :
	    "mechanisms_filter", old ? "  args = nopassword=yes\n" :
	    "  fields {\n    nopassword = yes\n  }\n");
	dovecot_services(out);
	return init_end(in, out, &text, "a new file, for example "
	    "/etc/dovecot/conf.d/99-certauth.conf");
}
