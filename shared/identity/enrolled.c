/*
 * enrolled.c - what a map keeps beside a key: whose certificate it was.
 *
 * Reads and writes the comment behind a line of a map. Decides nothing: the key is
 * looked up in table.c, and a certificate whose key is not there is refused
 * whatever is found here.
 */

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "identity/enrolled.h"
#include "identity/keyindex.h"
#include "identity/lines.h"

#define MARK		"enrolled"
/* Lines of one name: keys of one person. The index walks over all of them. */
#define ENROLLED_MAX_SAME	64

struct enrolled {
	atomic_uint		 refs;
	struct arena		*arena;
	struct enrolled_line	*lines;
	size_t			 num_lines, max_lines;
	struct keyindex		 index;
};

/* ----------------------------------------------------------------- reading */

static void
read_field(const char *word, struct enrolled_line *line)
{
	const char	*value = strchr(word, '=');
	size_t		 len;

	if (value == NULL)
		return;
	len = (size_t)(value++ - word);
	if (len == 9 && memcmp(word, "authority", len) == 0)
		line->authority = value;
	else if ((len == 7 && memcmp(word, "mailbox", len) == 0) ||
	    (len == 4 && memcmp(word, "same", len) == 0))
		line->same = value;
	else if (len == 6 && memcmp(word, "issuer", len) == 0)
		line->issuer = value;
	else if (len == 4 && memcmp(word, "ends", len) == 0 &&
	    !text_time_parse(value, &line->ends))
		line->ends = INT64_MAX;
}

/* issuer="CN=..." stands as "issuer=CN=..." in quotes, as lines.c wants it. */
static void
read_mark(char *rest, struct enrolled_line *line)
{
	struct lines		mark;
	struct word		word;

	while (*rest == '#' || *rest == ' ' || *rest == '\t')
		rest++;
	lines_init(&mark, rest, strlen(rest), "");
	if (lines_next(&mark, NULL) != LINES_GOT ||
	    lines_word(&mark, &word, NULL) != LINES_GOT ||
	    strcmp(word.data, MARK) != 0)
		return;
	while (lines_word(&mark, &word, NULL) == LINES_GOT)
		read_field(word.data, line);
	if (line->authority[0] == '\0')
		line->same = "";	/* half a mark is none */
}

static bool
read_line(struct lines *lines, struct enrolled_line *line_r,
    struct certauth_error *error_r)
{
	struct word		word;
	enum lines_result	got;
	size_t			n = 0;

	memset(line_r, 0, sizeof(*line_r));
	line_r->key = line_r->user = line_r->groups = line_r->authority =
	    line_r->same = line_r->issuer = "";
	line_r->ends = INT64_MAX;
	line_r->line = lines->line;
	while ((got = lines_word(lines, &word, error_r)) == LINES_GOT) {
		if (n > 0 && !word.quoted && strchr(word.data, '=') != NULL)
			continue;	/* a date */
		if (n == 0)
			line_r->key = line_r->user = word.data;
		else if (n == 1)
			line_r->user = word.data;
		else if (n == 2)
			line_r->groups = word.data;
		n++;
	}
	if (got != LINES_END)
		return false;
	lines_rest(lines, &word);
	if (word.data[0] == '#')
		read_mark(word.data, line_r);
	return true;
}

bool
enrolled_each(const unsigned char *data, size_t data_len, const char *file,
    enrolled_each_fn *each, void *context, struct certauth_error *error_r)
{
	struct lines		 lines;
	struct enrolled_line	 line;
	enum lines_result	 got;
	char			*copy = malloc(data_len + 1);
	bool			 ok = false;

	if (copy == NULL) {
		error_set(error_r, file, 0, "out of memory");
		return false;
	}
	if (data_len > 0)
		memcpy(copy, data, data_len);
	copy[data_len] = '\0';
	lines_init(&lines, copy, data_len, file);
	while ((got = lines_next(&lines, error_r)) == LINES_GOT)
		if (!read_line(&lines, &line, error_r) || !each(context, &line))
			goto out;
	ok = got == LINES_END;
out:
	free(copy);
	return ok;
}

/* --------------------------------------------------------------- the index */

/* Authority and name, a NUL between them: no name has one. */
static char *
index_key(struct arena *arena, const char *authority, const char *same,
    size_t same_len, size_t *len_r)
{
	size_t	len = strlen(authority) + 1;
	char	*key = arena_alloc(arena, len + same_len + 1);

	if (key == NULL)
		return NULL;
	memcpy(key, authority, len);
	memcpy(key + len, same, same_len);
	*len_r = len + same_len;
	return key;
}

static bool
add_line(void *context, const struct enrolled_line *line)
{
	struct enrolled		*e = context;
	struct enrolled_line	*grown, *l;
	size_t			 more;

	if (line->same[0] == '\0' || e->num_lines == ENROLLED_MAX)
		return true;
	if (e->num_lines == e->max_lines) {
		more = e->max_lines == 0 ? 64 : e->max_lines * 2;
		grown = realloc(e->lines, more * sizeof(*grown));
		if (grown == NULL)
			return false;
		e->lines = grown;
		e->max_lines = more;
	}
	l = &e->lines[e->num_lines];
	*l = *line;
	l->key = arena_string(e->arena, line->key);
	l->user = arena_string(e->arena, line->user);
	l->groups = arena_string(e->arena, line->groups);
	l->authority = arena_string(e->arena, line->authority);
	l->same = arena_string(e->arena, line->same);
	l->issuer = "";		/* nobody asks the index for it */
	if (l->key == NULL || l->user == NULL || l->groups == NULL ||
	    l->authority == NULL || l->same == NULL)
		return false;
	e->num_lines++;
	return true;
}

static bool
build_index(struct enrolled *e)
{
	struct keyindex_probe	 probe;
	const struct enrolled_line *l;
	char			*key;
	size_t			 i, len, same;

	if (!keyindex_init(&e->index, e->num_lines))
		return false;
	for (i = 0; i < e->num_lines; i++) {
		l = &e->lines[i];
		key = index_key(e->arena, l->authority, l->same,
		    strlen(l->same), &len);
		if (key == NULL)
			return false;
		keyindex_probe(&e->index, key, len, &probe);
		for (same = 0; same < ENROLLED_MAX_SAME &&
		    keyindex_next(&e->index, &probe) != KEYINDEX_NONE; same++)
			;
		if (same < ENROLLED_MAX_SAME)
			keyindex_put(&e->index, &probe, (uint32_t)i);
	}
	return true;
}

struct enrolled *
enrolled_parse(const unsigned char *data, size_t data_len)
{
	struct enrolled	*e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	atomic_init(&e->refs, 1);
	e->arena = arena_new(ENROLLED_MAX_BYTES);
	if (e->arena == NULL)
		goto fail;
	/* Most maps have no mark at all. A line that table.c refuses ends it
	 * early; then the whole map is not taken up. */
	if (memmem(data != NULL ? data : (const unsigned char *)"", data_len,
	    MARK, strlen(MARK)) != NULL)
		(void)enrolled_each(data, data_len, "", add_line, e, NULL);
	if (!build_index(e))
		goto fail;
	return e;
fail:
	enrolled_free(e);
	return NULL;
}

struct enrolled *
enrolled_ref(struct enrolled *e)
{
	atomic_fetch_add(&e->refs, 1);
	return e;
}

void
enrolled_free(struct enrolled *e)
{
	if (e == NULL || atomic_fetch_sub(&e->refs, 1) != 1)
		return;
	keyindex_free(&e->index);
	arena_free(e->arena);
	free(e->lines);
	free(e);
}

const struct enrolled_line *
enrolled_find(const struct enrolled *e, const char *authority, const char *same,
    size_t same_len, bool *others_r)
{
	const struct enrolled_line	*l, *found = NULL;
	struct keyindex_probe		 probe;
	struct arena			*arena;
	char				*key;
	size_t				 len;
	uint32_t			 n;

	*others_r = false;
	if (e == NULL || same_len == 0 || e->num_lines == 0)
		return NULL;
	arena = arena_new(4096 + same_len);
	key = index_key(arena, authority, same, same_len, &len);
	if (key != NULL) {
		keyindex_probe(&e->index, key, len, &probe);
		while ((n = keyindex_next(&e->index, &probe)) !=
		    KEYINDEX_NONE) {
			l = &e->lines[n];
			if (strcmp(l->authority, authority) != 0 ||
			    strlen(l->same) != same_len ||
			    memcmp(l->same, same, same_len) != 0)
				continue;
			if (found != NULL && strcmp(found->user, l->user) != 0)
				*others_r = true;
			if (found == NULL || l->ends > found->ends)
				found = l;
		}
	}
	arena_free(arena);
	return found;
}

/* --------------------------------------------------------------- the names */

/* What a renewal keeps; other parts of a certificate change with it. */
static const struct {
	const char		*name;
	enum cert_san_kind	 kind, other;
} kinds[] = {
	{ "san.email", CERT_SAN_EMAIL, CERT_SAN_SMTP_UTF8 },
	{ "san.upn", CERT_SAN_UPN, CERT_SAN_UPN },
	{ "san.uri", CERT_SAN_URI, CERT_SAN_URI },
	{ "san.dns", CERT_SAN_DNS, CERT_SAN_DNS },
};
#define NUM_KINDS	(sizeof(kinds) / sizeof(kinds[0]))

static size_t
find_kind(const char *text)
{
	size_t	i;

	for (i = 0; i < NUM_KINDS && strcmp(kinds[i].name, text) != 0; i++)
		;
	return i;
}

bool
enrolled_continuity(const char *text)
{
	return find_kind(text) < NUM_KINDS;
}

/* Domains and DNS names in lower case; a name with odd bytes is nobody's. */
static char *
fold_name(struct arena *arena, const struct cert_san *san)
{
	char	*name, *at;

	if (san->data_len == 0 || !text_utf8_valid(san->data, san->data_len) ||
	    text_has_control(san->data, san->data_len))
		return NULL;
	name = arena_string_n(arena, (const char *)san->data, san->data_len);
	if (name == NULL)
		return NULL;
	if (san->kind == CERT_SAN_DNS)
		text_lower_ascii(name, san->data_len);
	else if (san->kind != CERT_SAN_URI &&
	    (at = strrchr(name, '@')) != NULL)
		text_lower_ascii(at, strlen(at));
	return name;
}

void
enrolled_names(const struct cert *cert, const char *continuity,
    struct arena *arena, enrolled_name_fn *each, void *context)
{
	size_t	i, k = find_kind(continuity);
	char	*name;

	for (i = 0; k < NUM_KINDS && i < cert->num_sans; i++) {
		if (cert->sans[i].kind != kinds[k].kind &&
		    cert->sans[i].kind != kinds[k].other)
			continue;
		name = fold_name(arena, &cert->sans[i]);
		if (name != NULL)
			each(context, name, strlen(name));
	}
}

/* ----------------------------------------------------------------- writing */

static void
add_word(struct text *out, const char *before, const char *name,
    const char *value)
{
	const char	*p;
	bool		 plain = value[0] != '\0' || name[0] != '\0';

	for (p = value; *p != '\0'; p++)
		if (*p == ' ' || *p == '"' || *p == '\\' || *p == '\t')
			plain = false;
	/* bare, `#` begins a comment and `=` a date */
	if (name[0] == '\0' && (value[0] == '#' || strchr(value, '=') != NULL))
		plain = false;
	text_add(out, before);
	text_add(out, plain ? "" : "\"");
	text_add(out, name);
	for (p = value; *p != '\0'; p++) {
		if (!plain && (*p == '"' || *p == '\\'))
			text_add(out, "\\");
		text_add_n(out, p, 1);
	}
	text_add(out, plain ? "" : "\"");
}

void
enrolled_print(struct text *out, const char *key, const char *user,
    const char *groups, const struct enrolled_line *mark,
    const char *continuity)
{
	char	when[32];

	add_word(out, "", "", key);
	add_word(out, " ", "", user);
	if (groups != NULL && groups[0] != '\0')
		add_word(out, " ", "", groups);
	if (mark != NULL) {
		text_add(out, " # " MARK);
		add_word(out, " ", "authority=", mark->authority);
		add_word(out, " ", strcmp(continuity, "san.email") == 0 ?
		    "mailbox=" : "same=", mark->same);
		if (mark->ends != INT64_MAX)
			add_word(out, " ", "ends=", text_time_print(when,
			    sizeof(when), mark->ends));
		if (mark->issuer[0] != '\0')
			add_word(out, " ", "issuer=", mark->issuer);
	}
	text_add(out, "\n");
}
