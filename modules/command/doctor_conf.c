/*
 * doctor_conf.c - a server's configuration as a list of lines: how they are kept,
 * cut and found.
 *
 * Knows nothing of any directive. The texts are an administrator's own files; the
 * ceilings are there all the same.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "doctor.h"

/* Lines of one configuration, words of a line, texts; bytes of one file. */
#define MAX_LINES	200000
#define MAX_WORDS	4096
#define MAX_TEXTS	10000
#define MAX_FILE	(16u << 20)

void
conf_free(struct conf *c)
{
	size_t	i;

	for (i = 0; i < c->num_lines; i++)
		free(c->lines[i].words);
	for (i = 0; i < c->num_texts; i++)
		free(c->texts[i]);
	free(c->lines);
	free(c->texts);
	memset(c, 0, sizeof(*c));
}

/* Room for one more of `num`, in steps of a power of two. NULL: none. */
static void *
grow(void *items, size_t num, size_t size)
{
	if (num > 0 && (num & (num - 1)) != 0)
		return items;
	return reallocarray(items, num > 0 ? num * 2 : 1, size);
}

char *
conf_keep(struct conf *c, char *text)
{
	char	**grown = NULL;

	if (text != NULL && c->num_texts < MAX_TEXTS)
		grown = grow(c->texts, c->num_texts, sizeof(*grown));
	if (grown == NULL) {
		free(text);
		c->failed = true;
		return NULL;
	}
	c->texts = grown;
	c->texts[c->num_texts++] = text;
	return text;
}

bool
conf_add(struct conf *c, const char *file, unsigned line, size_t parent, size_t *at)
{
	struct conf_line	*grown = NULL;

	if (c->num_lines < MAX_LINES)
		grown = grow(c->lines, c->num_lines, sizeof(*grown));
	if (grown == NULL) {
		c->failed = true;
		return false;
	}
	c->lines = grown;
	*at = c->num_lines++;
	memset(&c->lines[*at], 0, sizeof(*grown));
	c->lines[*at].file = file;
	c->lines[*at].line = line;
	c->lines[*at].parent = parent;
	return true;
}

bool
conf_word(struct conf *c, size_t at, char *word)
{
	struct conf_line	*l = &c->lines[at];
	char			**grown = NULL;

	if (l->num_words < MAX_WORDS)
		grown = grow(l->words, l->num_words, sizeof(*grown));
	if (grown == NULL) {
		c->failed = true;
		return false;
	}
	l->words = grown;
	l->words[l->num_words++] = word;
	return true;
}

char *
conf_file(const char *path)
{
	FILE	*in = fopen(path, "re");
	char	*text = NULL, *grown;
	size_t	 len = 0, got = 1;

	while (in != NULL && got > 0 && len < MAX_FILE) {
		grown = realloc(text, len + 65536 + 1);
		if (grown == NULL)
			break;
		text = grown;
		got = fread(text + len, 1, 65536, in);
		len += got;
		text[len] = '\0';
	}
	if (in == NULL || got > 0 || ferror(in)) {
		free(text);
		text = NULL;
	}
	if (in != NULL)
		(void)fclose(in);
	return text;
}

char *
conf_cut(char **text)
{
	char	*p = *text + strspn(*text, " \t"), *from, *to, quote = '\0';

	if (*p == '\0')
		return NULL;
	if (*p == '"' || *p == '\'')
		quote = *p++;
	for (from = to = p; *from != '\0'; from++) {
		if (quote != '\0' ? *from == quote : *from == ' ' || *from == '\t')
			break;
		if (quote != '\0' && from[0] == '\\' && from[1] != '\0')
			from++;
		*to++ = *from;
	}
	*text = *from != '\0' ? from + 1 : from;
	*to = '\0';
	return p;
}

char *
conf_cut_line(char **text, unsigned *line, bool continued)
{
	char	*start = *text, *p = start;

	if (*start == '\0')
		return NULL;
	for (; *p != '\0'; p++) {
		if (*p != '\n')
			continue;
		++*line;
		if (!continued || p == start || p[-1] != '\\')
			break;
		p[-1] = *p = ' ';
	}
	if (*p == '\0')
		++*line;
	*text = *p != '\0' ? p + 1 : p;
	*p = '\0';
	if (p > start && p[-1] == '\r')
		p[-1] = '\0';
	return start + strspn(start, " \t");
}

const char *
conf_at(const struct conf_line *l, size_t i)
{
	return i < l->num_words ? l->words[i] : "";
}

bool
conf_is(const struct conf_line *l, const char *name)
{
	return strcasecmp(conf_at(l, 0), name) == 0;
}

bool
conf_has(const struct conf_line *l, const char *word)
{
	size_t	i;

	for (i = 1; i < l->num_words; i++)
		if (strcasecmp(l->words[i], word) == 0)
			return true;
	return false;
}

bool
conf_inside(const struct conf *c, size_t at, size_t block)
{
	while (at != NO_LINE) {
		at = c->lines[at].parent;
		if (at == block)
			return true;
	}
	return false;
}

size_t
conf_in(const struct conf *c, size_t block, const char *name)
{
	size_t	i;

	for (i = c->num_lines; i-- > 0;)
		if (c->lines[i].parent == block && conf_is(&c->lines[i], name))
			return i;
	return NO_LINE;
}

size_t
conf_effective(const struct conf *c, size_t block, const char *name)
{
	size_t	found = conf_in(c, block, name);

	while (found == NO_LINE && block != NO_LINE) {
		block = c->lines[block].parent;
		found = conf_in(c, block, name);
	}
	return found;
}

/* Dovecot 2.4 takes "a_b_c = x" and "a_b { c = x", and prints the second. */
size_t
conf_setting(const struct conf *c, size_t block, const char *name)
{
	size_t		 at = conf_in(c, block, name), i;
	const char	*p;

	for (p = strchr(name, '_'); at == NO_LINE && p != NULL; p = strchr(p + 1, '_'))
		for (i = c->num_lines; at == NO_LINE && i-- > 0;)
			if (c->lines[i].parent == block && c->lines[i].block &&
			    c->lines[i].num_words == 1 &&
			    strlen(c->lines[i].words[0]) == (size_t)(p - name) &&
			    strncasecmp(c->lines[i].words[0], name,
			    (size_t)(p - name)) == 0)
				at = conf_setting(c, i, p + 1);
	return at;
}

/* A list is "name = a b", or in 2.4 also "name { a = yes", each on its line. */
bool
conf_lists(const struct conf *c, size_t at, const char *word)
{
	size_t	own = conf_in(c, at, word);

	return conf_has(&c->lines[at], word) || (own != NO_LINE &&
	    strcasecmp(conf_at(&c->lines[own], 1), "yes") == 0);
}

size_t
conf_num_listed(const struct conf *c, size_t at)
{
	size_t	i, n = c->lines[at].num_words - 1;

	for (i = at + 1; i < c->num_lines; i++)
		n += c->lines[i].parent == at &&
		    strcasecmp(conf_at(&c->lines[i], 1), "no") != 0;
	return n;
}
