/*
 * enrolled.c - what a map keeps beside a key: whose certificate it was.
 *
 * Reads and writes the comment behind a line of a map. Decides nothing: the key is
 * looked up in table.c, and a certificate whose key is not there is refused
 * whatever is found here.
 */

#include <stdlib.h>
#include <string.h>

#include "identity/enrolled.h"
#include "identity/lines.h"
#include "identity/table_inside.h"

/* Lines of one name that are looked at: keys of one person. */
#define ENROLLED_MAX_SAME	64

/* ----------------------------------------------------------------- reading */

static void
read_field(const char *word, struct enrolled_mark *mark)
{
	const char	*value = strchr(word, '=');
	size_t		 len;

	if (value == NULL)
		return;
	len = (size_t)(value++ - word);
	if (len == 9 && memcmp(word, "authority", len) == 0)
		mark->authority = value;
	else if ((len == 7 && memcmp(word, "mailbox", len) == 0) ||
	    (len == 4 && memcmp(word, "same", len) == 0))
		mark->same = value;
	else if (len == 6 && memcmp(word, "issuer", len) == 0)
		mark->issuer = value;
	else if (len == 4 && memcmp(word, "ends", len) == 0 &&
	    !text_time_parse(value, &mark->ends))
		mark->ends = INT64_MAX;
}

/* issuer="CN=..." stands as "issuer=CN=..." in quotes, as lines.c wants it. */
void
enrolled_read(char *rest, struct enrolled_mark *mark_r)
{
	struct lines		lines;
	struct word		word;

	mark_r->authority = mark_r->same = mark_r->issuer = "";
	mark_r->ends = INT64_MAX;
	while (*rest == '#' || *rest == ' ' || *rest == '\t')
		rest++;
	if (strncmp(rest, ENROLLED_MARK, strlen(ENROLLED_MARK)) != 0)
		return;		/* most lines have none */
	lines_init(&lines, rest, strlen(rest), "");
	if (lines_next(&lines, NULL) != LINES_GOT ||
	    lines_word(&lines, &word, NULL) != LINES_GOT ||
	    strcmp(word.data, ENROLLED_MARK) != 0)
		return;
	while (lines_word(&lines, &word, NULL) == LINES_GOT)
		read_field(word.data, mark_r);
	if (mark_r->authority[0] == '\0')
		mark_r->same = "";	/* half a mark is none */
}

bool
enrolled_each(const unsigned char *data, size_t data_len, const char *file,
    enrolled_each_fn *each, void *context, struct certauth_error *error_r)
{
	struct lines		 lines;
	struct table_text_line	 text;
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
	while ((got = lines_next(&lines, error_r)) == LINES_GOT) {
		if (!table_text_read(&lines, &text, error_r))
			goto out;
		line.key = text.key.data;
		line.user = text.user.data;
		line.groups = text.groups.data != NULL ? text.groups.data : "";
		line.also = text.also != NULL ? text.also : "";
		line.from = text.time.from;
		line.until = text.time.until;
		line.mark = text.mark;
		line.line = lines.line;
		if (!each(context, &line))
			goto out;
	}
	ok = got == LINES_END;
out:
	free(copy);
	return ok;
}

/* ----------------------------------------------------------------- finding */

size_t
enrolled_key(const char *authority, const char *same, size_t same_len,
    char *key, size_t size)
{
	size_t	len = strlen(authority);

	if (len + same_len + 2 > size)
		return 0;
	key[0] = TABLE_MARK;
	memcpy(key + 1, authority, len);
	key[len + 1] = TABLE_MARK;
	memcpy(key + len + 2, same, same_len);
	return len + same_len + 2;
}

bool
enrolled_find(const struct table *table, const char *authority, const char *same,
    size_t same_len, struct table_entry *entry_r, bool *others_r)
{
	const struct table_row	*row;
	char			 key[TABLE_MAX_LINE];
	uint32_t		 n, seen;
	size_t			 len;
	bool			 found = false;

	*others_r = false;
	len = same_len == 0 || authority[0] == '\0' ? 0 :
	    enrolled_key(authority, same, same_len, key, sizeof(key));
	if (len == 0)
		return false;
	n = table_find_row(table, false, key, len, NULL);
	for (seen = 0; seen < ENROLLED_MAX_SAME &&
	    (row = table_row_at(table, n)) != NULL; seen++) {
		if (!found) {
			entry_r->user = table->data + row->user;
			entry_r->groups = table->data + row->groups;
			entry_r->also = "";
			found = true;
		} else if (strcmp(entry_r->user, table->data + row->user) != 0)
			*others_r = true;
		n = row->next_key < n ? row->next_key : TABLE_NO_ROW;
	}
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
    const char *groups, const struct enrolled_mark *mark,
    const char *continuity)
{
	char	when[32];

	add_word(out, "", "", key);
	add_word(out, " ", "", user);
	if (groups != NULL && groups[0] != '\0')
		add_word(out, " ", "", groups);
	if (mark != NULL) {
		text_add(out, " # " ENROLLED_MARK);
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
