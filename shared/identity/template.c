/*
 * template.c - which names does this template make of this certificate?
 *
 * Fills in and refuses; does not know users or tables.
 */

#include <string.h>

#include "base/text.h"
#include "identity/expression.h"
#include "identity/template.h"

struct piece {
	const char		*literal;	/* NULL: an expression */
	size_t			 literal_len;
	struct expression	 expression;
	size_t			 source;	/* number in sources */
};

struct template {
	const char		*text;
	enum template_use	 use;
	struct piece		*pieces;
	size_t			 num_pieces;
	/* different sources, in the order of their first use */
	const struct source	*sources[TEMPLATE_MAX_PIECES];
	size_t			 num_sources;
};

/* --------------------------------------------------------------- compiling */

static void
fault_at(struct certauth_error *error_r, size_t offset, const char *found,
    const char *expected)
{
	error_set(error_r, NULL, 0, "found %s, expected %s", found, expected);
	if (error_r != NULL)
		error_r->column = (unsigned)(offset + 1);
}

static struct piece *
new_piece(struct template *template, size_t offset,
    struct certauth_error *error_r)
{
	if (template->num_pieces == TEMPLATE_MAX_PIECES) {
		fault_at(error_r, offset, "more", "at most 32 pieces");
		return NULL;
	}
	return &template->pieces[template->num_pieces++];
}

/* Length in the text of the literal at `at`, unescaped into `out`. */
static bool
literal_read(const char *text, size_t *at, char *out, size_t *out_len_r,
    struct certauth_error *error_r)
{
	size_t	i, n = 0;

	for (i = *at; text[i] != '\0'; i++) {
		if (text[i] == '{' && text[i + 1] != '{')
			break;
		if (text[i] == '}' && text[i + 1] != '}') {
			fault_at(error_r, i, "a } that closes nothing",
			    "}} for a literal one");
			return false;
		}
		if (text[i] == '{' || text[i] == '}')
			i++;
		out[n++] = text[i];
	}
	*at = i;
	*out_len_r = n;
	return true;
}

/*
 * Values of two sources are never combined when both may have several: the
 * local part of one mailbox with the domain of another name is nobody. So two
 * different SAN sources are refused here, others when they are filled.
 */
static bool
source_number(struct template *template, struct piece *piece, size_t offset,
    struct certauth_error *error_r)
{
	const struct source	*source = &piece->expression.source;
	size_t			 i;

	for (i = 0; i < template->num_sources; i++) {
		if (source_equal(template->sources[i], source)) {
			piece->source = i;
			return true;
		}
		if (source_is_san(template->sources[i]) && source_is_san(source)) {
			error_set(error_r, NULL, 0, "found %s beside %s, "
			    "expected one san source in a template: a "
			    "certificate may hold several of each, and which "
			    "belong together it does not say", source->name,
			    template->sources[i]->name);
			if (error_r != NULL)
				error_r->column = (unsigned)(offset + 1);
			return false;
		}
	}
	piece->source = i;
	template->sources[template->num_sources++] = source;
	return true;
}

static bool
hole_read(struct template *template, const char *text, size_t *at,
    struct arena *arena, struct certauth_error *error_r)
{
	size_t		 start = *at + 1;
	size_t		 stop = expression_length(text + start, "{}");
	struct piece	*piece;

	if (text[start + stop] != '}') {
		fault_at(error_r, *at, "a { that is not closed",
		    "{SOURCE}, or {{ for a literal one");
		return false;
	}
	piece = new_piece(template, *at, error_r);
	if (piece == NULL)
		return false;
	if (!expression_parse(text + start, stop, arena, &piece->expression,
	    error_r)) {
		if (error_r != NULL && error_r->column > 0)
			error_r->column += (unsigned)start;
		return false;
	}
	*at = start + stop + 1;
	return source_number(template, piece, start, error_r);
}

const struct template *
template_compile(const char *text, enum template_use use, struct arena *arena,
    struct certauth_error *error_r)
{
	struct template	*template;
	struct piece	*piece;
	char		 literal[TEMPLATE_MAX_BYTES];
	size_t		 at = 0, n, before, len = strlen(text);

	if (len == 0 || len >= TEMPLATE_MAX_BYTES) {
		fault_at(error_r, 0, len == 0 ? "nothing" : "a longer text",
		    "a template of 1 to 1023 bytes");
		return NULL;
	}
	if (!text_utf8_valid(text, len) || text_has_control(text, len)) {
		fault_at(error_r, 0, "control characters or invalid UTF-8",
		    "printable UTF-8");
		return NULL;
	}
	template = arena_alloc(arena, sizeof(*template));
	if (template == NULL ||
	    (template->text = arena_string(arena, text)) == NULL ||
	    (template->pieces = arena_array(arena, TEMPLATE_MAX_PIECES,
	    sizeof(*template->pieces))) == NULL)
		goto no_memory;
	template->use = use;
	while (text[at] != '\0') {
		before = at;
		if (!literal_read(text, &at, literal, &n, error_r))
			return NULL;
		if (n > 0) {
			piece = new_piece(template, before, error_r);
			if (piece == NULL)
				return NULL;
			piece->literal = arena_string_n(arena, literal, n);
			piece->literal_len = n;
			if (piece->literal == NULL)
				goto no_memory;
		}
		if (text[at] == '{' &&
		    !hole_read(template, text, &at, arena, error_r))
			return NULL;
	}
	return template;

no_memory:
	error_set(error_r, NULL, 0, "out of memory");
	return NULL;
}

const char *
template_text(const struct template *template)
{
	return template->text;
}

static bool
piece_equal(const struct piece *a, const struct piece *b)
{
	size_t	i;

	if (a->literal != NULL || b->literal != NULL)
		return a->literal != NULL && b->literal != NULL &&
		    a->literal_len == b->literal_len &&
		    memcmp(a->literal, b->literal, a->literal_len) == 0;
	if (!source_equal(&a->expression.source, &b->expression.source) ||
	    a->expression.num_steps != b->expression.num_steps)
		return false;
	for (i = 0; i < a->expression.num_steps; i++)
		if (a->expression.steps[i].kind != b->expression.steps[i].kind ||
		    a->expression.steps[i].kind == STEP_CAPTURE ||
		    a->expression.steps[i].text.data_len != 0)
			return false;
	return true;
}

bool
template_equal(const struct template *a, const struct template *b)
{
	size_t	i;

	if (a->num_pieces != b->num_pieces)
		return false;
	for (i = 0; i < a->num_pieces; i++)
		if (!piece_equal(&a->pieces[i], &b->pieces[i]))
			return false;
	return true;
}

bool
template_has_source(const struct template *template)
{
	return template->num_sources > 0;
}

bool
template_uses(const struct template *template, enum source_kind kind)
{
	size_t	i;

	for (i = 0; i < template->num_sources; i++)
		if (template->sources[i]->kind == kind)
			return true;
	return false;
}

bool
template_folds(const struct template *template, enum step_kind kind)
{
	size_t	i;

	for (i = 0; i < template->num_pieces; i++)
		if (template->pieces[i].literal == NULL &&
		    expression_has(&template->pieces[i].expression, kind))
			return true;
	return false;
}

/* As strong as the strongest: whoever has all of it has that too. */
enum rule_strength
template_strength(const struct template *template, bool pinned)
{
	enum rule_strength	best = STRENGTH_NONE, one;
	const struct expression	*e;
	bool			 serial = false, issuer = false;
	size_t			 i;

	for (i = 0; i < template->num_pieces; i++) {
		if (template->pieces[i].literal != NULL)
			continue;
		e = &template->pieces[i].expression;
		one = expression_strength(e, pinned);
		best = one > best ? one : best;
		if (expression_has(e, STEP_CAPTURE))
			continue;
		serial = serial || e->source.kind == SOURCE_SERIAL;
		issuer = issuer || (e->source.kind == SOURCE_DN &&
		    e->source.where == WHERE_ISSUER);
	}
	return serial && issuer ? STRENGTH_STRONG : best;
}

/* ------------------------------------------------------------- legal names */

/* Every byte as text_printable() would show it? It knows what is invisible. */
static bool
is_visible(const char *data, size_t data_len, bool quotes)
{
	char	shown[4 * RULES_MAX_USER_LEN + 1];
	size_t	i, start = 0;

	for (i = 0; i <= data_len; i++) {
		if (i < data_len && !(quotes && (data[i] == '"' || data[i] == '\\')))
			continue;
		text_printable(shown, sizeof(shown), data + start, i - start);
		if (strlen(shown) != i - start ||
		    memcmp(shown, data + start, i - start) != 0)
			return false;
		start = i + 1;
	}
	return true;
}

const char *
user_name_fault(const char *data, size_t data_len)
{
	size_t	i;

	if (data_len == 0)
		return "an empty user name";
	if (data_len > RULES_MAX_USER_LEN)
		return "a user name over 255 bytes";
	if (!text_utf8_valid(data, data_len))
		return "a user name that is not UTF-8";
	if (data[0] == ' ' || data[data_len - 1] == ' ')
		return "a user name with a blank at its end";
	if (!is_visible(data, data_len, true))
		return "a user name with control or invisible characters";
	/* An option to some script, or a path of one of the forms ".", "..",
	 * ".ssh": as a whole and as what %n and %d of Dovecot make of it. */
	for (i = 0; i < data_len; i++)
		if ((i == 0 || data[i - 1] == '@') &&
		    (data[i] == '-' || data[i] == '.'))
			return "a user name or domain that begins with - or .";
	return NULL;
}

/* A "." or ".." between slashes. */
static bool
has_dot_segment(const char *data, size_t data_len)
{
	size_t	start = 0, i;

	for (i = 0; i <= data_len; i++) {
		if (i < data_len && data[i] != '/')
			continue;
		if ((i - start == 1 && data[start] == '.') ||
		    (i - start == 2 && data[start] == '.' &&
		    data[start + 1] == '.'))
			return true;
		start = i + 1;
	}
	return false;
}

/*
 * What the certificate itself puts into a user name or a group. An
 * administrator's own text, in the template or a map, is not asked this.
 */
static const char *
part_fault(enum template_use use, const struct expression *expression,
    const struct value *part)
{
	const char	*unsafe;
	bool		 uri = expression->source.kind == SOURCE_SAN_URI;
	size_t		 i;

	switch (use) {
	case TEMPLATE_KEY:
		return NULL;
	case TEMPLATE_GROUPS:
		/* A comma would be a second group. */
		if (memchr(part->data, ',', part->data_len) != NULL)
			return "a comma, which separates groups";
		if (part->data[0] == ' ' || part->data[part->data_len - 1] == ' ')
			return "a blank at its end";
		return is_visible(part->data, part->data_len, false) ? NULL :
		    "invisible characters, a quote or a backslash";
	case TEMPLATE_USER:
		/* Paths, LDAP filters, quoted strings, and the separator of
		 * passwd-like files and of Basic authentication. */
		unsafe = uri ? "\\*()\"" : "/\\:*()\"";
		for (i = 0; i < part->data_len; i++)
			if (strchr(unsafe, part->data[i]) != NULL)
				return "one of / \\ : * ( ) \", which no user "
				    "name may take from a certificate";
		return uri && has_dot_segment(part->data, part->data_len) ?
		    "a path segment . or .." : NULL;
	}
	return "no use";
}

/* ----------------------------------------------------------------- filling */

static const char *
describe(struct arena *arena, const char *name, const char *fault,
    const char *data, size_t data_len)
{
	char		 shown[256];
	const char	*text;

	text_printable(shown, sizeof(shown), data, data_len);
	text = arena_printf(arena, "%s has %s: \"%s\"", name, fault, shown);
	return text != NULL ? text : fault;
}

static bool
already_there(const struct template_results *results, const char *data,
    size_t data_len)
{
	size_t	i;

	for (i = 0; i < results->num_items; i++)
		if (results->items[i].data_len == data_len &&
		    memcmp(results->items[i].data, data, data_len) == 0)
			return true;
	return false;
}

/* `chosen[i]`: the value that source i has this time. */
static enum template_status
fill_once(const struct template *template, const struct value *chosen,
    struct extractor *extractor, struct template_results *results)
{
	char		 out[TEMPLATE_MAX_KEY];
	struct room	 room;
	size_t		 i, n = 0, max;
	const char	*fault;

	max = template->use == TEMPLATE_KEY ? sizeof(out) : RULES_MAX_USER_LEN;
	for (i = 0; i < template->num_pieces; i++) {
		const struct piece	*piece = &template->pieces[i];
		struct value		 part = { piece->literal,
					    piece->literal_len };

		if (piece->literal == NULL) {
			switch (expression_apply(&piece->expression,
			    &chosen[piece->source], &room, &part, &fault)) {
			case APPLY_BAD:
				results->detail = fault;
				return fault == NULL ? TEMPLATE_NO_MEMORY :
				    TEMPLATE_BAD;
			case APPLY_NONE:
				return TEMPLATE_NONE;
			case APPLY_DONE:
				break;
			}
			fault = part_fault(template->use, &piece->expression,
			    &part);
			if (fault != NULL) {
				results->detail = describe(extractor->arena,
				    piece->expression.source.name, fault,
				    part.data, part.data_len);
				return TEMPLATE_BAD;
			}
		}
		if (part.data_len > max - n) {
			results->detail = "the filled template is too long";
			return TEMPLATE_BAD;
		}
		memcpy(out + n, part.data, part.data_len);
		n += part.data_len;
	}
	if (template->use == TEMPLATE_USER &&
	    (fault = user_name_fault(out, n)) != NULL) {
		results->detail = describe(extractor->arena, "the template",
		    fault, out, n);
		return TEMPLATE_BAD;
	}
	if (already_there(results, out, n))
		return TEMPLATE_FILLED;
	results->items[results->num_items].data =
	    arena_string_n(extractor->arena, out, n);
	if (results->items[results->num_items].data == NULL)
		return TEMPLATE_NO_MEMORY;
	results->items[results->num_items++].data_len = n;
	return TEMPLATE_FILLED;
}

/* Reads every source; *many_r is the one with several values, -1: none. */
static enum template_status
choose(const struct template *template, struct extractor *extractor,
    struct value *chosen, int *many_r, struct template_results *results)
{
	const struct values	*values;
	size_t			 i;
	int			 none = -1;

	*many_r = -1;
	for (i = 0; i < template->num_sources; i++) {
		values = source_values(extractor, template->sources[i]);
		if (values->no_memory)
			return TEMPLATE_NO_MEMORY;
		if (values->fault != NULL) {
			results->detail = values->fault;
			return TEMPLATE_BAD;
		}
		if (values->num_items == 0) {
			none = (int)i;
			continue;
		}
		chosen[i] = values->items[0];
		if (values->num_items == 1)
			continue;
		if (*many_r >= 0) {
			results->detail = arena_printf(extractor->arena,
			    "%s and %s both have several values",
			    template->sources[*many_r]->name,
			    template->sources[i]->name);
			if (results->detail == NULL)
				return TEMPLATE_NO_MEMORY;
			return TEMPLATE_AMBIGUOUS;
		}
		*many_r = (int)i;
	}
	if (none < 0)
		return TEMPLATE_FILLED;
	results->detail = arena_printf(extractor->arena,
	    "the certificate has no %s", template->sources[none]->name);
	return results->detail != NULL ? TEMPLATE_NONE : TEMPLATE_NO_MEMORY;
}

enum template_status
template_fill(const struct template *template, const struct when *when,
    struct extractor *extractor, struct template_results *results_r)
{
	struct value		 chosen[TEMPLATE_MAX_PIECES];
	const struct values	*values;
	const struct source	*source;
	const char		*fault;
	enum template_status	 status;
	size_t			 i;
	int			 many;

	results_r->num_items = 0;
	results_r->detail = "";
	status = choose(template, extractor, chosen, &many, results_r);
	if (status != TEMPLATE_FILLED)
		return status;
	if (many < 0)
		status = fill_once(template, chosen, extractor, results_r);
	else {
		source = template->sources[many];
		values = source_values(extractor, source);
		for (i = 0; i < values->num_items; i++) {
			if (when != NULL) {
				switch (when_ask(when, extractor, source,
				    &values->items[i], &fault)) {
				case WHEN_BAD:
					results_r->detail = fault;
					return fault == NULL ?
					    TEMPLATE_NO_MEMORY : TEMPLATE_BAD;
				case WHEN_FALSE:
					continue;
				case WHEN_TRUE:
					break;
				}
			}
			chosen[many] = values->items[i];
			status = fill_once(template, chosen, extractor,
			    results_r);
			if (status != TEMPLATE_FILLED && status != TEMPLATE_NONE)
				return status;
		}
		status = results_r->num_items > 0 ? TEMPLATE_FILLED :
		    TEMPLATE_NONE;
	}
	if (status == TEMPLATE_NONE)
		results_r->detail =
		    "no value in the certificate has what the template asks for";
	return status;
}
