/*
 * log_lines.c - what did a server decide, by its log?
 *
 * The one reader of decisions, whichever server wrote them and in whichever form.
 * A subject stands in the line before the detail and may hold any words, so nothing
 * is searched for: the line is read from "certauth: " on, value by value.
 */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "json.h"
#include "log_lines.h"
#include "terminal.h"

#define MARK		"certauth: "
/* A server cuts its lines at 2 or 8 KB; one of JSON through syslog may have 64. */
#define MAX_LINE	(128 * 1024)
/* Names of one line; ours have a dozen. */
#define MAX_FIELDS	64
/* Lines between two words of how far it is. */
#define STEP		1000u
/* Lines looked at to tell a log from a certificate. */
#define FIRST_LINES	1000

/* -------------------------------------------------------------------- text */

static int
hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ?
	    c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Apache escapes a whole message once more: \" \\ \xHH \n. In place. */
static void
unescape(char *p)
{
	char	*to = p;

	for (; *p != '\0'; p++) {
		if (*p != '\\' || p[1] == '\0') {
			*to++ = *p;
			continue;
		}
		p++;
		if (*p == 'x' && hex(p[1]) >= 0 && hex(p[2]) >= 0) {
			*to = (char)(hex(p[1]) * 16 + hex(p[2]));
			to += *to != '\0';
			p += 2;
		} else if (*p == '"' || *p == '\\')
			*to++ = *p;
		else
			*to++ = ' ';
	}
	*to = '\0';
}

/* A line that the server has cut may end within a character. */
static void
add_value(json_t *row, const char *name, char *value, size_t len)
{
	char	*shown = malloc(4 * len + 1);
	size_t	 cut;
	json_t	*string = NULL;

	for (cut = 0; cut < 4 && cut <= len && string == NULL; cut++)
		string = json_stringn(value, len - cut);
	if (string != NULL && cut > 1)
		len -= cut - 1;
	json_decref(string);
	value[len] = '\0';
	if (shown != NULL)
		json_object_set_new(row, name, json_string(
		    certauth_printable(shown, 4 * len + 1, value)));
	free(shown);
}

/* Two fields of the text have another name in JSON. */
static const char *
name_in_json(const char *name)
{
	return strcmp(name, "detail") == 0 ? "message" :
	    strcmp(name, "not_after") == 0 ? "notAfter" : name;
}

/* ` NAME=VALUE` or ` NAME="VALUE"` at *p_r, which is cut up. False: something else
 * stands there, the server's own words. */
static bool
take_field(char **p_r, json_t *row)
{
	char		*p = *p_r + 1, *value, *to;
	const char	*name = p;
	bool		 quoted;

	if (**p_r != ' ')
		return false;
	while (islower((unsigned char)*p) || *p == '_')
		p++;
	if (p == name || *p != '=')
		return false;
	*p++ = '\0';
	quoted = *p == '"';
	p += quoted;
	for (value = to = p; *p != '\0' && (quoted ? *p != '"' :
	    *p != ' ' && *p != ','); p++) {
		if (quoted && *p == '\\' && p[1] != '\0')
			p++;
		*to++ = *p;
	}
	p += quoted && *p == '"';
	*p_r = p;
	/* The first of a name counts; `to` may be where the next one begins. */
	name = name_in_json(name);
	if (json_object_get(row, name) == NULL) {
		char	*copy = strndup(value, (size_t)(to - value));

		if (copy != NULL)
			add_value(row, name, copy, strlen(copy));
		free(copy);
	}
	return true;
}

/* "REJECT 1506 new-key user=..." */
static json_t *
parse_text(const char *line, const char **why_r)
{
	static const struct { const char *word, *result; } words[] = {
		{ "ACCEPT ", "accept" }, { "REJECT ", "reject" },
		{ "UNDECIDED ", "undecided" },
	};
	char	*copy, *p, *slug;
	json_t	*row;
	size_t	 i, n;

	for (i = 0; i < 3 && strncmp(line, words[i].word,
	    strlen(words[i].word)) != 0; i++)
		;
	if (i == 3)
		return NULL;
	line += strlen(words[i].word);
	n = strspn(line, "0123456789");
	copy = n == 4 && line[n] == ' ' ? strdup(line + n + 1) : NULL;
	row = copy != NULL ? json_object() : NULL;
	if (row == NULL) {
		*why_r = "a verdict without its number";
		free(copy);
		return NULL;
	}
	slug = p = copy;
	p += strspn(p, "abcdefghijklmnopqrstuvwxyz-");
	if (strncmp(p, " user=\\\"", 8) == 0)
		unescape(p);
	json_object_set_new(row, "result", json_string(words[i].result));
	json_object_set_new(row, "reason", json_stringn(slug,
	    (size_t)(p - slug)));
	for (n = 0; n < MAX_FIELDS && take_field(&p, row); n++)
		;
	free(copy);
	return row;
}

/* -------------------------------------------------------------------- JSON */

/* JSON can say what no line may: a line's end, an escape of the terminal. */
static void
make_printable(json_t *row)
{
	json_t		*value;
	const char	*key;
	void		*next;
	char		*copy;

	json_object_foreach_safe(row, next, key, value) {
		if (!json_is_string(value))
			continue;
		copy = strdup(json_string_value(value));
		if (copy != NULL)
			add_value(row, key, copy, strlen(copy));
		else
			json_object_del(row, key);
		free(copy);
	}
}

static json_t *
parse_json(const char *line, const char **why_r)
{
	char	*copy = strdup(line);
	json_t	*row = NULL;

	if (copy != NULL && strncmp(copy, "{\\\"", 3) == 0)
		unescape(copy);
	/* What the server puts behind it is not ours. */
	if (copy != NULL)
		row = json_loads(copy, JSON_REJECT_DUPLICATES |
		    JSON_DISABLE_EOF_CHECK, NULL);
	free(copy);
	if (row == NULL)
		*why_r = "a line that is no JSON";
	else if (!json_is_string(json_object_get(row, "result"))) {
		*why_r = "a line without a verdict";
		json_decref(row);
		row = NULL;
	} else
		make_printable(row);
	return row;
}

/* -------------------------------------------------------------------- lines */

json_t *
log_lines_parse(const char *line, const char **why_r)
{
	const char	*mark;
	json_t		*row;

	*why_r = NULL;
	line += strspn(line, " \t");
	if (*line == '{')
		return parse_json(line, why_r);
	/* `certauth verify` prints the verdict alone. */
	row = parse_text(line, why_r);
	mark = strstr(line, MARK);
	/* In front of a server's are times and numbers, and never a quoted word of
	 * somebody. */
	if (row != NULL || *why_r != NULL || mark == NULL ||
	    memchr(line, '"', (size_t)(mark - line)) != NULL)
		return row;
	mark += strlen(MARK);
	return *mark == '{' ? parse_json(mark, why_r) : parse_text(mark, why_r);
}

bool
log_lines_read(const char *file, log_lines_fn *fn, void *context)
{
	FILE		*f = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
	char		*line = NULL;
	const char	*why;
	json_t		*row;
	struct stat	 st;
	size_t		 size = 0, done = 0, total, num = 0;
	ssize_t		 len;
	bool		 ok = f != NULL;

	total = ok && fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) ?
	    (size_t)st.st_size : 0;
	if (ok)
		progress_bytes(0, total, file);
	while (ok && (len = getline(&line, &size, f)) >= 0) {
		if (++num % STEP == 0)
			progress_bytes(done, total, file);
		done += (size_t)len;
		line[strcspn(line, "\r\n")] = '\0';
		row = NULL;
		why = "a line that is too long";
		if (strlen(line) <= MAX_LINE)
			row = log_lines_parse(line, &why);
		if (row != NULL || why != NULL)
			fn(context, row, why);
		json_decref(row);
	}
	ok = ok && ferror(f) == 0;
	if (!ok)
		(void)complain("%s: %s", file, strerror(errno));
	free(line);
	if (f != NULL && f != stdin)
		(void)fclose(f);
	return ok;
}

bool
log_lines_looks_like(const char *file)
{
	FILE		*f = fopen(file, "re");
	char		 line[4096];
	const char	*why;
	json_t		*row;
	unsigned	 n;
	bool		 yes = false;

	for (n = 0; f != NULL && !yes && n < FIRST_LINES &&
	    fgets(line, sizeof(line), f) != NULL; n++) {
		row = log_lines_parse(line, &why);
		yes = row != NULL || why != NULL;
		json_decref(row);
	}
	if (f != NULL)
		(void)fclose(f);
	return yes;
}
