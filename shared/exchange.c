/*
 * exchange.c - maps for and from other programs.
 *
 * grid-mapfile and pg_ident.conf, and the way back from a map; exchange_ad.c knows
 * Active Directory, exchange_sssd*.c SSSD's rules. What has no equal is refused, and
 * what is made is read as a map before anybody gets it.
 */

#include <stdarg.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "exchange.h"
#include "identity/table.h"

bool
exchange_refuse(struct exchange *x, const char *format, ...)
{
	char	text[400];
	va_list	ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	error_set(x->error_r, x->file, x->line, "%s", text);
	return false;
}

void
exchange_word(struct text *out, const char *word, size_t len)
{
	size_t	i;
	bool	bare = len > 0 && word[0] != '#';

	for (i = 0; bare && i < len; i++)
		bare = strchr(" \t\"\\=", word[i]) == NULL;
	if (bare) {
		text_add_n(out, word, len);
		return;
	}
	text_add(out, "\"");
	for (i = 0; i < len; i++) {
		if (word[i] == '"' || word[i] == '\\')
			text_add(out, "\\");
		text_add_n(out, word + i, 1);
	}
	text_add(out, "\"");
}

void
exchange_row(struct exchange *x, const char *key, const char *user)
{
	exchange_word(x->out, key, strlen(key));
	text_add(x->out, " ");
	exchange_word(x->out, user, strlen(user));
	text_add(x->out, "\n");
}

/* The next line without its end; NULL: no more. */
static char *
next_line(struct exchange *x, char **data)
{
	char	*line = strsep(data, "\n");
	size_t	 len = line != NULL ? strlen(line) : 0;

	if (line == NULL)
		return NULL;
	x->line++;
	if (len > 0 && line[len - 1] == '\r')
		line[--len] = '\0';
	while (*line == ' ' || *line == '\t')
		line++;
	return line;
}

/* ------------------------------------------------------------ grid-mapfile */

/* "/C=DE/O=Grid/CN=Alice" alice */
static bool
read_grid_line(struct exchange *x, char *line)
{
	char	*dn = line, *rest;

	if (line[0] == '"') {
		dn = line + 1;
		rest = strchr(dn, '"');
		if (rest == NULL)
			return exchange_refuse(x, "found no closing \"");
	} else
		rest = dn + strcspn(dn, " \t");
	if (*rest != '\0')
		*rest++ = '\0';
	rest += strspn(rest, " \t");
	rest[strcspn(rest, " \t")] = '\0';
	if (strchr(dn, '\\') != NULL)
		return exchange_refuse(x, "found a backslash in a name; how it "
		    "is meant differs, write the line by hand");
	if (dn[0] != '/' || strchr(dn, '=') == NULL ||
	    strcspn(dn + 1, "/") < strcspn(dn + 1, "="))
		return exchange_refuse(x, "found \"%.100s\", expected a name as "
		    "/C=DE/CN=Alice; a VOMS group has no equal in a map", dn);
	if (rest[0] == '\0')
		return exchange_refuse(x, "found no user");
	if (strchr(rest, ',') != NULL)
		return exchange_refuse(x, "found several accounts, expected one "
		    "user for a name");
	if (rest[0] == '.')
		return exchange_refuse(x, "found the pool of accounts \"%.100s\", "
		    "which has no equal in a map", rest);
	exchange_row(x, dn, rest);
	return true;
}

bool
exchange_read_grid(struct exchange *x, char *data)
{
	char	*line;

	text_add(x->out, "# from a grid-mapfile; "
	    "in the rule: key = \"{subject.dn.oneline}\"\n");
	while ((line = next_line(x, &data)) != NULL)
		if (line[0] != '\0' && line[0] != '#' &&
		    !read_grid_line(x, line))
			return false;
	return true;
}

/* ---------------------------------------------------------------- pg_ident */

/* A word, or a "quoted" one in which "" is a quote; *quoted_r. NULL: none. */
static char *
pg_word(char **p, bool *quoted_r)
{
	char	*from, *to, *word;

	*p += strspn(*p, " \t");
	*quoted_r = **p == '"';
	if (**p == '\0' || **p == '#')
		return NULL;
	word = to = from = *p + *quoted_r;
	for (; *from != '\0'; from++) {
		if (*quoted_r && *from == '"') {
			if (from[1] != '"')
				break;
			from++;
		} else if (!*quoted_r && strchr(" \t", *from) != NULL)
			break;
		*to++ = *from;
	}
	*p = *from != '\0' ? from + 1 : from;
	*to = '\0';
	return word;
}

static bool
read_pg_line(struct exchange *x, char *line)
{
	bool	 quoted[3];
	char	*map, *system, *user;

	if (strncmp(line, "include", 7) == 0)
		return exchange_refuse(x, "found an include; give that file, too");
	map = pg_word(&line, &quoted[0]);
	system = map != NULL ? pg_word(&line, &quoted[1]) : NULL;
	user = system != NULL ? pg_word(&line, &quoted[2]) : NULL;
	if (user == NULL)
		return exchange_refuse(x, "found fewer than three words, expected "
		    "MAP SYSTEM-USER DATABASE-USER");
	if (x->map != NULL && strcmp(x->map, map) != 0)
		return true;
	if (x->seen[0] != '\0' && strcmp(x->seen, map) != 0)
		return exchange_refuse(x, "found a second map, \"%.100s\"; say "
		    "which with --map NAME", map);
	(void)snprintf(x->seen, sizeof(x->seen), "%s", map);
	if (system[0] == '/')
		return exchange_refuse(x, "found a regular expression, which has "
		    "no equal in a map; a rule with `matches` can do it");
	if (!quoted[2] && (strcmp(user, "all") == 0 || user[0] == '+' ||
	    user[0] == '/'))
		return exchange_refuse(x, "found \"%.100s\" for the user, which "
		    "has no equal in a map", user);
	exchange_row(x, system, user);
	return true;
}

bool
exchange_read_pg(struct exchange *x, char *data)
{
	char	*line;

	text_add(x->out, "# from pg_ident.conf; in the rule: key = "
	    "\"{subject.CN}\", or \"{subject.dn.rfc4514}\" with clientname=DN\n");
	while ((line = next_line(x, &data)) != NULL)
		if (line[0] != '\0' && line[0] != '#' && !read_pg_line(x, line))
			return false;
	return true;
}

/* ------------------------------------------------------------------ import */

static const struct {
	const char	*name;
	bool		(*read)(struct exchange *, char *);
	bool		 rules;		/* identity rules, no map */
} formats[] = {
	{ "grid-mapfile", exchange_read_grid, false },
	{ "pg_ident", exchange_read_pg, false },
	{ "ad", exchange_read_ad, false },
	{ "sssd", exchange_read_sssd, true },
};
#define NUM_FORMATS	(sizeof(formats) / sizeof(formats[0]))

static size_t
find_format(const char *name, struct certauth_error *error_r)
{
	size_t	i;

	for (i = 0; i < NUM_FORMATS; i++)
		if (name != NULL && strcmp(name, formats[i].name) == 0)
			return i;
	error_set(error_r, NULL, 0, "--format: expected grid-mapfile, pg_ident, ad "
	    "or sssd");
	return NUM_FORMATS;
}

static bool
read_file(const char *path, struct file_bytes *bytes_r,
    struct certauth_error *error_r)
{
	struct file_owners	owners;
	struct file_ref		ref;
	bool			ok;

	file_owners_init(&owners);
	if (!file_ref_open(&ref, NULL, path, error_r))
		return false;
	ok = file_read(&ref, &owners, EXCHANGE_MAX_BYTES, bytes_r, error_r);
	file_ref_close(&ref);
	return ok;
}

/* What no server would take up is not given out. */
static bool
is_map(const char *text, size_t len, const char *file,
    struct certauth_error *error_r)
{
	struct certauth_error	 error = { .line = 0 };
	struct table		*table;

	table = table_parse((const unsigned char *)text, len, "", &error);
	if (table == NULL)
		error_set(error_r, file, 0, "would make a map with a fault in "
		    "line %u: %.300s", error.line, error.text);
	table_free(table);
	return table != NULL;
}

bool
certauth_map_import(const char *format, const char *file, const char *map,
    char **text_r, struct certauth_error *error_r)
{
	struct text		out = { 0 };
	struct exchange		x = { .file = file, .map = map, .out = &out,
				    .error_r = error_r };
	struct file_bytes	bytes;
	size_t			f = find_format(format, error_r);
	bool			ok;

	*text_r = NULL;
	if (f == NUM_FORMATS || !read_file(file, &bytes, error_r)) {
		errno = f == NUM_FORMATS ? ENOTSUP : errno;
		return false;
	}
	if (memchr(bytes.data, '\0', bytes.data_len) != NULL ||
	    !text_utf8_valid(bytes.data, bytes.data_len)) {
		error_set(error_r, file, 0, "is no text in UTF-8");
		ok = false;
	} else
		ok = formats[f].read(&x, (char *)bytes.data);
	file_bytes_free(&bytes);
	if (ok && out.failed) {
		error_set(error_r, file, 0, "out of memory");
		ok = false;
	}
	ok = ok && (formats[f].rules || is_map(out.data, out.len, file, error_r));
	*text_r = ok ? text_take(&out) : NULL;
	if (!ok)
		text_free(&out);
	errno = EINVAL;
	return *text_r != NULL;
}

/* ------------------------------------------------------------------ export */

static void
quoted(struct text *out, const char *word)
{
	text_add(out, "\"");
	for (; *word != '\0'; word++) {
		if (*word == '"')
			text_add(out, "\"");
		text_add_n(out, word, 1);
	}
	text_add(out, "\"");
}

static bool
write_row(struct exchange *x, size_t format, const struct table_line *row)
{
	if (row->from != INT64_MIN || row->until != INT64_MAX ||
	    row->also[0] != '\0')
		return exchange_refuse(x, "found not-before, not-after or also=, "
		    "which have no equal there");
	if (row->groups[0] != '\0')
		return exchange_refuse(x, "found groups, which have no equal "
		    "there");
	if (strcmp(formats[format].name, "ad") == 0) {
		if (strncmp(row->key, "X509:<", 6) != 0)
			return exchange_refuse(x, "found the key \"%.100s\", "
			    "expected one that begins with X509:<", row->key);
		text_printf(x->out, "dn: CN=%s\nsAMAccountName: %s\n"
		    "altSecurityIdentities: %s\n\n", row->user, row->user,
		    row->key);
		return true;
	}
	if (strcmp(formats[format].name, "pg_ident") == 0) {
		if (row->key[0] == '/')
			return exchange_refuse(x, "found a key that begins with "
			    "/, which would be a regular expression there");
		text_printf(x->out, "%s ", x->map);
		quoted(x->out, row->key);
		text_add(x->out, " ");
		quoted(x->out, row->user);
		text_add(x->out, "\n");
		return true;
	}
	if (row->key[0] != '/' || strchr(row->key, '=') == NULL ||
	    strpbrk(row->key, "\"\\") != NULL ||
	    strpbrk(row->user, " ,\t") != NULL)
		return exchange_refuse(x, "found the key \"%.100s\", expected a "
		    "name as /C=DE/CN=Alice and a user of one word", row->key);
	text_printf(x->out, "\"%s\" %s\n", row->key, row->user);
	return true;
}

/* Of a file that can be read at all: errno. */
static bool
write_rules(struct exchange *x, const char *profile)
{
	struct certauth_table_report	 report;
	struct certauth_error		 ignored;
	struct config_rules		 rules;
	struct file_bytes		 bytes;
	bool				 ok;

	if (!read_file(x->file, &bytes, x->error_r))
		return false;
	file_bytes_free(&bytes);
	ok = config_rules_read(x->file, profile, &rules, x->error_r);
	if (ok) {
		ok = exchange_write_sssd(x, rules.rules, rules.num_rules);
		config_rules_free(&rules);
	} else if (certauth_table_check(x->file, &report, &ignored))
		error_set(x->error_r, x->file, 0, "is a map, which has no equal "
		    "among SSSD's rules: they say how to look somebody up, not "
		    "whom");
	errno = EINVAL;
	return ok;
}

/* Likewise. */
static bool
write_map(struct exchange *x, size_t format)
{
	struct file_owners	owners;
	struct file_stamp	stamp;
	struct file_ref		ref;
	struct table		*table;
	struct table_line	row = { .line = 0 };
	size_t			at = 0;
	bool			ok;

	errno = EINVAL;
	file_owners_init(&owners);
	if (!file_ref_open(&ref, NULL, x->file, x->error_r))
		return false;
	table = table_load(&ref, &owners, &stamp, x->error_r);
	file_ref_close(&ref);
	if (table == NULL)
		return false;
	ok = table_is_sound(table, x->error_r);
	while (ok && table_next_line(table, &at, &row)) {
		x->line = row.line;
		ok = write_row(x, format, &row);
	}
	table_free(table);
	errno = EINVAL;
	return ok;
}

bool
certauth_map_export(const char *format, const char *file, const char *map,
    const char *profile, char **text_r, struct certauth_error *error_r)
{
	struct text		out = { 0 };
	struct exchange		x = { .file = file,
				    .map = map != NULL ? map : "certauth",
				    .out = &out, .error_r = error_r };
	size_t			f = find_format(format, error_r);
	bool			ok;

	*text_r = NULL;
	errno = ENOTSUP;
	if (f == NUM_FORMATS)
		return false;
	ok = formats[f].rules ? write_rules(&x, profile) : write_map(&x, f);
	if (ok && out.failed) {
		error_set(error_r, file, 0, "out of memory");
		ok = false;
	}
	*text_r = ok ? (out.data != NULL ? text_take(&out) : strdup("")) : NULL;
	if (!ok)
		text_free(&out);
	return *text_r != NULL;
}
