/*
 * case_file.c - what does this .case file ask? Reads it and writes the policy
 * file with its data.
 *
 * Test code: runs out of memory by abort(), prints its own faults to stderr.
 */

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "case_file.h"

static const char *const authority_keys[] = { "anchors", "issuers",
    "intermediates", "crls", "check", "unknown", "grace", "max_age" };
static const char *const other_keys[] = { "at", "leaf", "sent", "purposes",
    "policies", "max_lifetime", "depth_limit", "keys", "rule", "map",
    "map-file", "denied", "denied-file", "profile", "email", "connect",
    "first", "then", "ocsp", "expect", "depth", "user", "groups", "oids", "says", "account", "http",
    "imap", "worlds" };

#define NUM(a)	(sizeof(a) / sizeof((a)[0]))

static void fill(char *, size_t, const char *, ...)
    __attribute__((format(printf, 3, 4)));

/* snprintf that takes no cut text. */
static void
fill(char *buf, size_t buf_len, const char *format, ...)
{
	va_list ap;
	int	n;

	va_start(ap, format);
	n = vsnprintf(buf, buf_len, format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= buf_len)
		abort();
}

static char *
copy(const char *text)
{
	char *s = strdup(text);

	if (s == NULL)
		abort();
	return s;
}

static bool
known_key(const char *key)
{
	size_t i, n = strcspn(key, ".");

	for (i = 0; i < NUM(authority_keys); i++)
		if (strlen(authority_keys[i]) == n &&
		    memcmp(authority_keys[i], key, n) == 0)
			return true;
	for (i = 0; i < NUM(other_keys); i++)
		if (strcmp(other_keys[i], key) == 0)
			return true;
	return false;
}

bool
case_read(struct case_file *c, const char *path)
{
	char	 line[8192], *value, *end;
	FILE	*f;
	bool	 ok = false;

	memset(c, 0, sizeof(*c));
	fill(c->path, sizeof(c->path), "%s", path);
	if ((f = fopen(path, "re")) == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return false;
	}
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#' || line[strspn(line, " \t")] == '\0')
			continue;
		value = strchr(line, ':');
		if (value != NULL)
			*value++ = '\0';
		if (value == NULL || !known_key(line) ||
		    c->num_pairs == CASE_MAX_PAIRS) {
			fprintf(stderr, "%s: cannot take \"%s\"\n", path, line);
			goto out;
		}
		value += strspn(value, " \t");
		end = value + strlen(value);
		while (end > value && isspace((unsigned char)end[-1]))
			*--end = '\0';
		c->pairs[c->num_pairs].key = copy(line);
		c->pairs[c->num_pairs++].value = copy(value);
	}
	ok = case_has(c, "leaf") && case_has(c, "expect");
	if (!ok)
		fprintf(stderr, "%s: no leaf or no expect\n", path);
out:
	fclose(f);
	return ok;
}

void
case_clear(struct case_file *c)
{
	size_t i;

	for (i = 0; i < c->num_pairs; i++) {
		free(c->pairs[i].key);
		free(c->pairs[i].value);
	}
	c->num_pairs = 0;
}

const char *
case_get(const struct case_file *c, const char *key, const char *otherwise)
{
	size_t i;

	for (i = c->num_pairs; i > 0; i--)
		if (strcmp(c->pairs[i - 1].key, key) == 0)
			return c->pairs[i - 1].value;
	return otherwise;
}

bool
case_has(const struct case_file *c, const char *key)
{
	return case_get(c, key, NULL) != NULL;
}

void
case_words(const struct case_file *c, const char *key, struct case_words *w)
{
	char	*value, *word, *rest;
	size_t	 i;

	memset(w, 0, sizeof(*w));
	for (i = 0; i < c->num_pairs; i++) {
		if (strcmp(c->pairs[i].key, key) != 0)
			continue;
		value = copy(c->pairs[i].value);
		for (word = strtok_r(value, " \t", &rest); word != NULL;
		    word = strtok_r(NULL, " \t", &rest)) {
			if (w->num_words == CASE_MAX_WORDS)
				abort();
			w->words[w->num_words++] = copy(word);
		}
		free(value);
	}
}

void
case_words_clear(struct case_words *w)
{
	while (w->num_words > 0)
		free(w->words[--w->num_words]);
}

void
case_pki(const char *pki, const char *name, char *path_r)
{
	fill(path_r, CASE_MAX_PATH, "%s/%s", pki, name);
}

bool
case_time(const char *text, int64_t *time_r)
{
	struct tm	 tm = { 0 };
	const char	*end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);

	if (end == NULL || *end != '\0') {
		fprintf(stderr, "not a time: %s\n", text);
		return false;
	}
	*time_r = timegm(&tm);
	return true;
}

/* ------------------------------------------------------------------- files */

static bool
put(const char *path, const char *data, size_t data_len)
{
	char	 part[CASE_MAX_PATH + 8];
	FILE	*f;
	bool	 ok;

	fill(part, sizeof(part), "%s.part", path);
	if ((f = fopen(part, "we")) == NULL) {
		fprintf(stderr, "%s: %s\n", part, strerror(errno));
		return false;
	}
	ok = fwrite(data, 1, data_len, f) == data_len;
	ok = fclose(f) == 0 && ok;
	ok = ok && chmod(part, 0644) == 0 && rename(part, path) == 0;
	if (!ok)
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
	return ok;
}

/* NULL: errno. The caller frees. */
static char *
slurp(const char *path, size_t *len_r)
{
	char	*data = NULL;
	FILE	*f = fopen(path, "re");
	long	 size;

	if (f == NULL)
		return NULL;
	if (fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0)
		abort();
	rewind(f);
	if ((data = malloc((size_t)size + 1)) == NULL ||
	    fread(data, 1, (size_t)size, f) != (size_t)size)
		abort();
	fclose(f);
	*len_r = (size_t)size;
	return data;
}

static bool
copy_file(const char *from, const char *to)
{
	size_t	 len = 0;
	char	*data = slurp(from, &len);
	bool	 ok = data != NULL && put(to, data, len);

	if (data == NULL)
		fprintf(stderr, "%s: %s\n", from, strerror(errno));
	free(data);
	return ok;
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* The named files into the folder, their new names into the policy file. A file
 * that is not in tests/pki stays missing: that is what its case is about. */
static bool
write_files(FILE *out, const struct case_file *c, const char *key,
    const char *word, const char *pki, const char *folder, bool reverse)
{
	char		  from[CASE_MAX_PATH], to[CASE_MAX_PATH];
	struct case_words w;
	bool		  ok = true;
	size_t		  i, n;

	case_words(c, key, &w);
	fprintf(out, "    %s = [", word);
	for (i = 0; i < w.num_words && ok; i++) {
		n = reverse ? w.num_words - 1 - i : i;
		case_pki(pki, w.words[n], from);
		fill(to, sizeof(to), "%s/%s-%zu-%s", folder, key, i,
		    base_name(w.words[n]));
		if (access(from, F_OK) == 0)
			ok = copy_file(from, to);
		fprintf(out, "%s \"%s\"", i > 0 ? "," : "", to);
	}
	fprintf(out, " ];\n");
	case_words_clear(&w);
	return ok;
}

/* A folder is read in the order of its names, so reversed means other names. */
static bool
write_crls(const struct case_file *c, const char *key, const char *pki,
    const char *crls, bool reverse)
{
	char		  from[CASE_MAX_PATH], to[CASE_MAX_PATH];
	struct case_words w;
	bool		  ok;
	size_t		  i;

	case_words(c, key, &w);
	ok = mkdir(crls, 0755) == 0 || errno == EEXIST;
	for (i = 0; i < w.num_words && ok; i++) {
		case_pki(pki, w.words[i], from);
		if (reverse)
			fill(to, sizeof(to), "%s/%02zu-%s", crls,
			    w.num_words - i, base_name(w.words[i]));
		else
			fill(to, sizeof(to), "%s/%s", crls,
			    base_name(w.words[i]));
		ok = copy_file(from, to);
	}
	case_words_clear(&w);
	return ok;
}

static bool
write_authority(FILE *out, const struct case_file *c, const char *name,
    const char *pki, const char *folder, bool reverse)
{
	char		 key[64], crls[CASE_MAX_PATH];
	const char	*dot = strcmp(name, "ca") == 0 ? "" : ".";
	const char	*end = *dot != '\0' ? name : "";
	const char	*value;
	bool		 has_crls, ok;
	size_t		 i;

	fprintf(out, "  %s: {\n", name);
	fill(key, sizeof(key), "anchors%s%s", dot, end);
	ok = write_files(out, c, key, "anchors", pki, folder, reverse);
	for (i = 1; i <= 2 && ok; i++) {
		fill(key, sizeof(key), "%s%s%s", authority_keys[i], dot, end);
		if (case_has(c, key))
			ok = write_files(out, c, key, authority_keys[i], pki,
			    folder, reverse);
	}
	fill(key, sizeof(key), "crls%s%s", dot, end);
	has_crls = case_has(c, key);
	fill(crls, sizeof(crls), "%s/crls-%s", folder, name);
	if (has_crls)
		ok = ok && write_crls(c, key, pki, crls, reverse);
	fprintf(out, "    revocation: {\n");
	for (i = 4; i < NUM(authority_keys); i++) {
		fill(key, sizeof(key), "%s%s%s", authority_keys[i], dot, end);
		value = case_get(c, key, i > 4 ? NULL :
		    has_crls ? "chain" : "none");
		if (value != NULL)
			fprintf(out, "      %s = \"%s\";\n", authority_keys[i],
			    value);
	}
	if (has_crls)
		fprintf(out, "      crls = [ \"%s\" ];\n", crls);
	fprintf(out, "    };\n  };\n");
	return ok;
}

static void
write_words(FILE *out, const struct case_file *c, const char *key)
{
	struct case_words w;
	size_t		  i;

	if (!case_has(c, key))
		return;
	case_words(c, key, &w);
	fprintf(out, "    %s = [", key);
	for (i = 0; i < w.num_words; i++)
		fprintf(out, "%s \"%s\"", i > 0 ? "," : "", w.words[i]);
	fprintf(out, " ];\n");
	case_words_clear(&w);
}

/* A rule, with "map" replaced by the whole name of the case's map file. */
static void
write_rule(FILE *out, const char *rule, const char *folder)
{
	const char *at;

	fprintf(out, "{ ");
	while ((at = strstr(rule, "\"map\"")) != NULL) {
		fprintf(out, "%.*s\"%s/map\"", (int)(at - rule), rule, folder);
		rule = at + strlen("\"map\"");
	}
	fprintf(out, "%s }", rule);
}

static void
write_profile(FILE *out, const struct case_file *c, const char *folder)
{
	size_t i, rules = 0;

	write_words(out, c, "purposes");
	write_words(out, c, "policies");
	if (case_has(c, "keys"))
		fprintf(out, "    keys: { %s };\n", case_get(c, "keys", ""));
	if (case_has(c, "max_lifetime"))
		fprintf(out, "    max_lifetime = \"%s\";\n",
		    case_get(c, "max_lifetime", ""));
	if (case_has(c, "depth_limit"))
		fprintf(out, "    depth = %s;\n", case_get(c, "depth_limit", ""));
	if (case_has(c, "denied") || case_has(c, "denied-file"))
		fprintf(out, "    denied = \"%s/denied\";\n", folder);
	for (i = 0; i < c->num_pairs; i++)
		if (strcmp(c->pairs[i].key, "profile") == 0)
			fprintf(out, "    %s\n", c->pairs[i].value);
	for (i = 0; i < c->num_pairs; i++) {
		if (strcmp(c->pairs[i].key, "rule") != 0)
			continue;
		fprintf(out, "%s", rules++ == 0 ? "    identity = ( " : ",\n      ");
		write_rule(out, c->pairs[i].value, folder);
	}
	if (rules > 0)
		fprintf(out, " );\n");
}

/* The file "map" or "denied". */
static bool
write_lines(const struct case_file *c, const char *kind, const char *pki,
    const char *folder)
{
	char		  key[32], path[CASE_MAX_PATH], *data = NULL, *more;
	struct case_words w;
	size_t		  i, len = 0, more_len;
	bool		  ok = true;
	FILE		 *out;

	fill(key, sizeof(key), "%s-file", kind);
	if (!case_has(c, kind) && !case_has(c, key))
		return true;
	if ((out = open_memstream(&data, &len)) == NULL)
		abort();
	case_words(c, key, &w);
	for (i = 0; i < w.num_words; i++) {
		case_pki(pki, w.words[i], path);
		if ((more = slurp(path, &more_len)) == NULL) {
			fprintf(stderr, "%s: %s\n", path, strerror(errno));
			ok = false;
			continue;
		}
		fwrite(more, 1, more_len, out);
		free(more);
	}
	case_words_clear(&w);
	for (i = 0; i < c->num_pairs; i++)
		if (strcmp(c->pairs[i].key, kind) == 0)
			fprintf(out, "%s\n", c->pairs[i].value);
	fclose(out);
	fill(path, sizeof(path), "%s/%s", folder, kind);
	ok = put(path, data, len) && ok;
	free(data);
	return ok;
}

bool
case_lay_out(const struct case_file *c, const char *pki, const char *folder,
    bool reverse)
{
	char	 path[CASE_MAX_PATH], *text = NULL;
	char	 names[8][64] = { "ca" };
	size_t	 i, j, num = 1, len = 0;
	FILE	*out;
	bool	 ok = true;

	for (i = 0; i < c->num_pairs; i++) {
		const char *dot = strchr(c->pairs[i].key, '.');

		for (j = 0; dot != NULL && j < num; j++)
			if (strcmp(names[j], dot + 1) == 0)
				dot = NULL;
		if (dot != NULL && num < NUM(names))
			fill(names[num++], sizeof(names[0]), "%s", dot + 1);
	}
	if ((out = open_memstream(&text, &len)) == NULL)
		abort();
	fprintf(out, "version = 1;\nstate = \"%s/state\";\nauthorities: {\n",
	    folder);
	for (i = 0; i < num && ok; i++)
		ok = write_authority(out, c, names[i], pki, folder, reverse);
	fprintf(out, "};\nprofiles: {\n  case: {\n    authorities = [");
	for (i = 0; i < num; i++)
		fprintf(out, "%s \"%s\"", i > 0 ? "," : "", names[i]);
	fprintf(out, " ];\n");
	write_profile(out, c, folder);
	fprintf(out, "  };\n};\n");
	fclose(out);
	ok = ok && write_lines(c, "map", pki, folder) &&
	    write_lines(c, "denied", pki, folder);
	fill(path, sizeof(path), "%s/policy.conf", folder);
	ok = ok && put(path, text, len);
	free(text);
	return ok;
}

bool
case_step(const char *step, const char *pki, const char *folder, int64_t *now)
{
	char	 verb[32], what[256], as[256] = "";
	char	 from[CASE_MAX_PATH], to[CASE_MAX_PATH], *data, *all = NULL;
	size_t	 n = strcspn(step, " "), len = 0;
	bool	 ok;
	FILE	*out;

	fill(verb, sizeof(verb), "%.*s", (int)n, step);
	step += n + strspn(step + n, " ");
	if (strcmp(verb, "clock") == 0)
		return case_time(step, now);
	if (strcmp(verb, "crl") == 0) {
		if (sscanf(step, "%255s as %255s", what, as) < 1)
			return false;
		case_pki(pki, what, from);
		fill(to, sizeof(to), "%s/crls-ca/%s", folder,
		    as[0] != '\0' ? as : base_name(what));
		return copy_file(from, to);
	}
	if (strcmp(verb, "map") != 0 && strcmp(verb, "denied") != 0) {
		fprintf(stderr, "unknown step %s\n", verb);
		return false;
	}
	fill(to, sizeof(to), "%s/%s", folder, verb);
	data = slurp(to, &len);
	if (data == NULL || (out = open_memstream(&all, &n)) == NULL)
		abort();
	fwrite(data, 1, len, out);
	fprintf(out, "%s\n", step);
	fclose(out);
	ok = put(to, all, n);
	free(all);
	free(data);
	return ok;
}

bool
case_chain_only(const struct case_file *c)
{
	static const char *const more[] = { "issuers", "unknown", "grace",
	    "max_age", "max_lifetime", "keys", "rule", "map", "map-file",
	    "denied", "denied-file", "profile", "then" };
	const char *purposes = case_get(c, "purposes", "");
	size_t	    i;

	for (i = 0; i < NUM(more); i++)
		if (case_has(c, more[i]))
			return false;
	for (i = 0; i < c->num_pairs; i++)
		if (strchr(c->pairs[i].key, '.') != NULL)
			return false;
	return strchr(purposes, ' ') == NULL &&
	    strcmp(case_get(c, "leaf", ""), "none") != 0 &&
	    strcmp(case_get(c, "expect", ""), "config-error") != 0;
}
