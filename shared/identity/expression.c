/*
 * expression.c - which part of a value, and spelled how?
 *
 * Steps from left to right, each total: it gives one value, none, or says that
 * nothing may be decided. Knows no certificate.
 */

#include <string.h>

#include "base/text.h"
#include "identity/expression.h"
#include "identity/suggest.h"

static const struct { const char *name; enum step_kind kind; } transforms[] = {
	{ "lower", STEP_LOWER }, { "local", STEP_LOCAL },
	{ "domain", STEP_DOMAIN }, { "idna", STEP_IDNA },
	{ "unicode", STEP_UNICODE }, { "capture", STEP_CAPTURE },
	{ "prefix", STEP_PREFIX }, { "suffix", STEP_SUFFIX }
};
#define NUM_TRANSFORMS	(sizeof(transforms) / sizeof(transforms[0]))

static const char *const transform_names[] = {
	"lower", "local", "domain", "idna", "unicode", "capture", "prefix",
	"suffix", NULL
};

/* ----------------------------------------------------------------- parsing */

static bool
fault_at(struct certauth_error *error_r, size_t offset, const char *word,
    size_t word_len, const char *expected)
{
	char	shown[128];

	text_printable(shown, sizeof(shown), word, word_len);
	error_set(error_r, NULL, 0, "found \"%s\", expected %s", shown, expected);
	if (error_r != NULL)
		error_r->column = (unsigned)(offset + 1);
	return false;
}

/* Behind the quote at `text`; its end when it is never closed. In "..." a
 * backslash is for \" alone, in '...' for nothing: patterns are full of them. */
static const char *
quote_end(const char *text)
{
	const char	*at;

	for (at = text + 1; *at != '\0' && *at != *text; at++)
		if (*text == '"' && at[0] == '\\' && at[1] == '"')
			at++;
	return *at == '\0' ? at : at + 1;
}

size_t
expression_length(const char *text, const char *stops)
{
	const char	*at = text;
	bool		 inside = false;

	/* A quote means something only as what stands in parentheses. */
	while (*at != '\0' && strchr(stops, *at) == NULL) {
		if (*at == '(')
			inside = true;
		else if (*at == ')')
			inside = false;
		if (inside && (*at == '"' || *at == '\''))
			at = quote_end(at);
		else
			at++;
	}
	return (size_t)(at - text);
}

size_t
quoted_read(const char *text, struct arena *arena, struct value *value_r)
{
	const char	*end, *at;
	char		*copy;
	size_t		 n = 0;

	if (*text != '\'' && *text != '"')
		return 0;
	end = quote_end(text);
	if (end - text < 3 || end[-1] != *text)
		return 0;
	copy = arena_alloc(arena, (size_t)(end - text));
	if (copy == NULL)
		return 0;
	for (at = text + 1; at < end - 1; at++) {
		if (*text == '"' && at[0] == '\\' && at[1] == '"')
			at++;
		copy[n++] = *at;
	}
	value_r->data = copy;
	value_r->data_len = n;
	return (size_t)(end - text);
}

static bool
step_argument(struct step *step, const char *text, size_t text_len,
    size_t offset, struct arena *arena, struct certauth_error *error_r)
{
	struct value	value;

	if (step->kind != STEP_CAPTURE && step->kind != STEP_PREFIX &&
	    step->kind != STEP_SUFFIX)
		return text_len == 0 || fault_at(error_r, offset, text, text_len,
		    "nothing behind this transform");
	if (text_len < 4 || text[0] != '(' || text[text_len - 1] != ')' ||
	    quoted_read(text + 1, arena, &value) != text_len - 2)
		return fault_at(error_r, offset, text, text_len,
		    "its text in quotes and parentheses, as ('...')");
	step->text = value;
	if (step->kind != STEP_CAPTURE)
		return (value.data_len <= EXPRESSION_MAX_TEXT &&
		    text_utf8_valid(value.data, value.data_len) &&
		    !text_has_control(value.data, value.data_len)) ||
		    fault_at(error_r, offset, text, text_len,
		    "at most 255 bytes of printable UTF-8");
	step->pattern = pattern_compile(value.data, value.data_len, 1, arena,
	    error_r);
	if (step->pattern == NULL && error_r != NULL && error_r->column > 0)
		error_r->column += (unsigned)offset + 2;
	return step->pattern != NULL;
}

/* Would it never have a value? */
static bool
step_is_vain(const struct expression *expression, const struct step *step)
{
	switch (step->kind) {
	case STEP_LOCAL:
	case STEP_DOMAIN:
		/* What is left has no `@` any more. */
		return expression_has(expression, STEP_LOCAL) ||
		    expression_has(expression, STEP_DOMAIN) ||
		    source_is_hex(&expression->source);
	case STEP_LOWER:
		return false;	/* twice does no harm */
	default:
		return source_is_hex(&expression->source) &&
		    step->kind != STEP_CAPTURE && step->kind != STEP_PREFIX &&
		    step->kind != STEP_SUFFIX;
	}
}

static bool
step_add(struct expression *expression, const char *word, size_t word_len,
    size_t offset, struct arena *arena, struct certauth_error *error_r)
{
	struct step	*step = &expression->steps[expression->num_steps];
	size_t		 i, len;

	for (len = 0; len < word_len && word[len] != '('; len++)
		;
	for (i = 0; i < NUM_TRANSFORMS; i++)
		if (strlen(transforms[i].name) == len &&
		    memcmp(word, transforms[i].name, len) == 0)
			break;
	if (i == NUM_TRANSFORMS) {
		(void)fault_at(error_r, offset, word, word_len, "a transform "
		    "(lower, local, domain, idna, unicode, capture('...'), "
		    "prefix('...'), suffix('...'))");
		error_suggest(error_r, word, len, transform_names);
		return false;
	}
	if (expression->num_steps == EXPRESSION_MAX_STEPS)
		return fault_at(error_r, offset, word, word_len,
		    "at most 8 transforms");
	memset(step, 0, sizeof(*step));
	step->kind = transforms[i].kind;
	if (step_is_vain(expression, step))
		return fault_at(error_r, offset, word, word_len,
		    "it only once, and on a value that may hold an @");
	if (!step_argument(step, word + len, word_len - len, offset + len, arena,
	    error_r))
		return false;
	expression->num_steps++;
	return true;
}

/*
 * The alias spelling: "san.email.domain" is "san.email|domain". From the right,
 * as long as what is left is no source by itself.
 */
static bool
alias_parse(const char *word, size_t word_len, size_t offset,
    struct arena *arena, struct expression *expression,
    struct certauth_error *error_r)
{
	size_t	dot, len = word_len;

	while (!source_parse(word, len, &expression->source)) {
		for (dot = len; dot > 0 && word[dot - 1] != '.'; dot--)
			;
		if (dot <= 1) {
			(void)fault_at(error_r, offset, word, word_len,
			    "a source (san.email, san.upn, san.uri, san.dns, "
			    "subject.ATTRIBUTE, subject.dn, serial, "
			    "spki.sha256, cert.sha256, ski, ...)");
			error_suggest(error_r, word, word_len, source_words());
			return false;
		}
		len = dot - 1;
	}
	while (len < word_len) {
		size_t	start = len + 1;

		for (len = start; len < word_len && word[len] != '.'; len++)
			;
		if (!step_add(expression, word + start, len - start,
		    offset + start, arena, error_r))
			return false;
	}
	return true;
}

bool
expression_parse(const char *text, size_t text_len, struct arena *arena,
    struct expression *expression_r, struct certauth_error *error_r)
{
	char	*copy;
	size_t	 start, stop, next;
	bool	 first = true;

	memset(expression_r, 0, sizeof(*expression_r));
	copy = arena_string_n(arena, text, text_len);
	if (copy == NULL) {
		error_set(error_r, NULL, 0, "out of memory");
		return false;
	}
	for (start = 0; first || start <= text_len; start = next + 1) {
		next = start + expression_length(copy + start, "|");
		if (next > text_len)
			next = text_len;
		while (start < next && text[start] == ' ')
			start++;
		for (stop = next; stop > start && text[stop - 1] == ' '; stop--)
			;
		if (first ? !alias_parse(text + start, stop - start, start,
		    arena, expression_r, error_r) :
		    !step_add(expression_r, text + start, stop - start, start,
		    arena, error_r))
			return false;
		first = false;
	}
	return true;
}

bool
expression_has(const struct expression *expression, enum step_kind kind)
{
	size_t	i;

	for (i = 0; i < expression->num_steps; i++)
		if (expression->steps[i].kind == kind)
			return true;
	return false;
}

enum rule_strength
expression_strength(const struct expression *expression, bool pinned)
{
	enum rule_strength	strength;

	strength = source_strength(&expression->source, pinned);
	/* Half a digest is no digest. */
	if (expression_has(expression, STEP_CAPTURE) &&
	    (strength == STRENGTH_STRONG || source_is_hex(&expression->source)))
		return STRENGTH_WEAK;
	return strength;
}

/* ---------------------------------------------------------------- applying */

/* "Alice <alice@example.com>" and "alice@example.com, x" hold an address and are
 * none (RFC 5280 4.2.1.6: Mailbox of RFC 2821). */
static bool
split(const struct value *in, bool domain, struct value *out_r)
{
	size_t	at = mailbox_at(in->data, in->data_len), i;

	if (at == 0)
		return false;
	for (i = 0; i < in->data_len; i++)
		if (memchr(" ,;<>", in->data[i], 5) != NULL)
			return false;
	*out_r = *in;
	if (domain) {
		out_r->data += at + 1;
		out_r->data_len -= at + 1;
	} else
		out_r->data_len = at;
	return true;
}

static enum apply_result
convert(const struct value *in, bool unicode, char *room, struct value *out_r,
    const char **fault_r)
{
	size_t	at = mailbox_at(in->data, in->data_len), n;

	if (at == 0 && memchr(in->data, '@', in->data_len) != NULL)
		return APPLY_NONE;
	at += at != 0;
	if (at > EXPRESSION_MAX_VALUE)
		return APPLY_NONE;
	memcpy(room, in->data, at);
	switch (domain_convert(in->data + at, in->data_len - at, unicode,
	    room + at, EXPRESSION_MAX_VALUE - at, &n)) {
	case MAILBOX_GOOD:
		break;
	case MAILBOX_NO_MEMORY:
		*fault_r = NULL;
		return APPLY_BAD;
	case MAILBOX_BAD:
		return APPLY_NONE;
	}
	out_r->data = room;
	out_r->data_len = at + n;
	return APPLY_DONE;
}

static enum apply_result
join(const struct value *a, const struct value *b, char *room,
    struct value *out_r, const char **fault_r)
{
	if (a->data_len + b->data_len > EXPRESSION_MAX_VALUE) {
		*fault_r = "a value becomes too long";
		return APPLY_BAD;
	}
	memcpy(room, a->data, a->data_len);
	memcpy(room + a->data_len, b->data, b->data_len);
	out_r->data = room;
	out_r->data_len = a->data_len + b->data_len;
	return APPLY_DONE;
}

static enum apply_result
capture(const struct step *step, const struct value *in, struct value *out_r,
    const char **fault_r)
{
	size_t	start, len;

	switch (pattern_capture(step->pattern, in->data, in->data_len, &start,
	    &len)) {
	case PATTERN_BAD:
		*fault_r = "a pattern needed too many steps for a value";
		return APPLY_BAD;
	case PATTERN_NO:
		return APPLY_NONE;
	case PATTERN_YES:
		break;
	}
	out_r->data = in->data + start;
	out_r->data_len = len;
	return len > 0 ? APPLY_DONE : APPLY_NONE;
}

/* `room` is not what `in` stands in. */
static enum apply_result
step_apply(const struct step *step, const struct value *in, char *room,
    struct value *out_r, const char **fault_r)
{
	switch (step->kind) {
	case STEP_LOCAL:
	case STEP_DOMAIN:
		return split(in, step->kind == STEP_DOMAIN, out_r) ?
		    APPLY_DONE : APPLY_NONE;
	case STEP_LOWER:
		memcpy(room, in->data, in->data_len);
		text_lower_ascii(room, in->data_len);
		out_r->data = room;
		out_r->data_len = in->data_len;
		return APPLY_DONE;
	case STEP_IDNA:
	case STEP_UNICODE:
		return convert(in, step->kind == STEP_UNICODE, room, out_r,
		    fault_r);
	case STEP_CAPTURE:
		return capture(step, in, out_r, fault_r);
	case STEP_PREFIX:
		return join(&step->text, in, room, out_r, fault_r);
	case STEP_SUFFIX:
		return join(in, &step->text, room, out_r, fault_r);
	}
	*fault_r = "a transform that is none";
	return APPLY_BAD;
}

enum apply_result
expression_apply(const struct expression *expression, const struct value *in,
    struct room *room, struct value *out_r, const char **fault_r)
{
	enum apply_result	result;
	struct value		next = *in;
	size_t			i;
	unsigned		side = 0;

	*fault_r = NULL;
	*out_r = *in;
	if (in->data_len > EXPRESSION_MAX_VALUE) {
		*fault_r = "a value is too long";
		return APPLY_BAD;
	}
	for (i = 0; i < expression->num_steps; i++) {
		result = step_apply(&expression->steps[i], out_r,
		    room->data[side], &next, fault_r);
		if (result != APPLY_DONE)
			return result;
		/* A slice of one side keeps that side in use. */
		if (next.data == room->data[side])
			side = !side;
		*out_r = next;
	}
	return APPLY_DONE;
}
