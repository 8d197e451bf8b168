/*
 * when.c - does this rule speak of this certificate?
 *
 * A recursive descent parser over one line and an evaluator over its tree. Asks
 * left to right and no further than needed.
 */

#include <string.h>

#include "base/text.h"
#include "identity/suggest.h"
#include "identity/when.h"

enum node_kind { NODE_IN, NODE_PRESENT, NODE_NOT, NODE_AND, NODE_OR };

struct when {
	enum node_kind		 kind;
	const struct when	*left, *right;	/* NOT: left only */
	struct expression	 expression;	/* IN, PRESENT */
	struct value		*values;	/* IN */
	size_t			 num_values;
};

struct parser {
	const char		*text, *at;
	struct arena		*arena;
	struct certauth_error	*error_r;
	size_t			 num_nodes, num_values;
	unsigned		 depth;
};

/* ----------------------------------------------------------------- reading */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void
skip_blanks(struct parser *p)
{
	while (is_blank(*p->at))
		p->at++;
}

/* Length of the bare word here; 0: there is none. */
static size_t
word_len(const char *at)
{
	size_t	n;

	for (n = 0; at[n] != '\0' && !is_blank(at[n]) &&
	    strchr(",()|\"=", at[n]) == NULL; n++)
		;
	return n;
}

static bool
fault_here(struct parser *p, const char *expected)
{
	char	shown[96];
	size_t	n = word_len(p->at);

	if (*p->at == '\0')
		error_set(p->error_r, NULL, 0,
		    "found the end, expected %s", expected);
	else
		error_set(p->error_r, NULL, 0, "found \"%s\", expected %s",
		    text_printable(shown, sizeof(shown), p->at, n > 0 ? n : 1),
		    expected);
	if (p->error_r != NULL)
		p->error_r->column = (unsigned)(p->at - p->text + 1);
	return false;
}

static bool
is_word(const char *at, size_t n, const char *word)
{
	return n == strlen(word) && memcmp(at, word, n) == 0;
}

static bool
take_word(struct parser *p, const char *word)
{
	size_t	n;

	skip_blanks(p);
	n = word_len(p->at);
	if (!is_word(p->at, n, word))
		return false;
	p->at += n;
	return true;
}

static struct when *
new_node(struct parser *p, enum node_kind kind)
{
	struct when	*node;

	if (++p->num_nodes > WHEN_MAX_NODES) {
		(void)fault_here(p, "at most 256 conditions");
		return NULL;
	}
	node = arena_alloc(p->arena, sizeof(*node));
	if (node == NULL) {
		error_set(p->error_r, NULL, 0, "out of memory");
		return NULL;
	}
	node->kind = kind;
	return node;
}

/* ---------------------------------------------------------------- literals */

/* As the certificate's value will be spelled after extraction. */
static bool
literal_normalise(struct parser *p, const struct expression *expression,
    char *data, size_t *len)
{
	unsigned char	bytes[RULES_MAX_USER_LEN];
	struct text	hex = { 0 };
	size_t		n;
	bool		negative, ok;

	if (source_is_hex(&expression->source)) {
		negative = expression->source.kind == SOURCE_SERIAL &&
		    data[0] == '-';
		if (!text_hex_parse(data + negative, bytes, sizeof(bytes), &n))
			return fault_here(p, "hexadecimal digits, two a byte");
		/* A serial number is spelled without leading zero bytes. */
		while (expression->source.kind == SOURCE_SERIAL && n > 1 &&
		    bytes[0] == 0)
			memmove(bytes, bytes + 1, --n);
		text_add_hex(&hex, bytes, n);
		ok = !hex.failed && hex.len + negative <= *len;
		if (ok && hex.len > 0)
			memcpy(data + negative, hex.data, hex.len);
		*len = hex.len + negative;
		text_free(&hex);
		if (!ok)
			return fault_here(p, "hexadecimal digits");
		for (n = 0; n < *len; n++)
			if (expression->source.kind == SOURCE_SERIAL &&
			    !expression->lower && data[n] >= 'a')
				data[n] = (char)(data[n] - 'a' + 'A');
		return true;
	}
	if (expression->lower || (expression->part == PART_DOMAIN &&
	    source_is_mailbox(&expression->source)))
		text_lower_ascii(data, *len);
	else if (expression->part == PART_WHOLE &&
	    source_is_mailbox(&expression->source))
		mailbox_fold(data, *len);
	return true;
}

/* A bare word or "quoted", \" and \\ inside. */
static bool
parse_literal(struct parser *p, const struct expression *expression,
    struct value *value_r)
{
	const char	*start = p->at, *at = p->at;
	char		*data;
	size_t		 n = 0;

	data = arena_alloc(p->arena, RULES_MAX_USER_LEN + 1);
	if (data == NULL) {
		error_set(p->error_r, NULL, 0, "out of memory");
		return false;
	}
	if (*at == '"') {
		for (at++; *at != '"'; at++) {
			if (*at == '\\' && (at[1] == '"' || at[1] == '\\'))
				at++;
			else if (*at == '\0' || *at == '\\')
				return fault_here(p, "a value in quotes, with "
				    "\\\" and \\\\ for \" and \\");
			if (n == RULES_MAX_USER_LEN)
				return fault_here(p, "a value of at most 255 bytes");
			data[n++] = *at;
		}
		at++;
	} else {
		n = word_len(at);
		if (n > RULES_MAX_USER_LEN)
			return fault_here(p, "a value of at most 255 bytes");
		memcpy(data, at, n);
		at += n;
	}
	data[n] = '\0';
	if (n == 0)
		return fault_here(p, "a value");
	if (!text_utf8_valid(data, n) || text_has_control(data, n))
		return fault_here(p, "a value without control characters, in UTF-8");
	if (!literal_normalise(p, expression, data, &n))
		return false;
	p->at = at;
	value_r->data = arena_string_n(p->arena, data, n);
	value_r->data_len = n;
	if (value_r->data == NULL) {
		p->at = start;
		error_set(p->error_r, NULL, 0, "out of memory");
		return false;
	}
	return true;
}

static bool
at_list_end(struct parser *p)
{
	size_t	n;

	skip_blanks(p);
	if (*p->at == '\0' || *p->at == ')')
		return true;
	n = word_len(p->at);
	return is_word(p->at, n, "and") || is_word(p->at, n, "or");
}

/* Separated by commas, blanks or both. */
static bool
parse_list(struct parser *p, struct when *node)
{
	size_t		capacity = 0, larger;
	struct value	*grown;

	do {
		skip_blanks(p);
		if (++p->num_values > WHEN_MAX_VALUES)
			return fault_here(p, "at most 4096 values; use a table "
			    "for more");
		if (node->num_values == capacity) {
			larger = capacity == 0 ? 4 : capacity * 2;
			grown = arena_array(p->arena, larger, sizeof(*grown));
			if (grown == NULL) {
				error_set(p->error_r, NULL, 0, "out of memory");
				return false;
			}
			if (capacity > 0)
				memcpy(grown, node->values,
				    capacity * sizeof(*grown));
			node->values = grown;
			capacity = larger;
		}
		if (at_list_end(p))
			return fault_here(p, "a value (in quotes if it is a word "
			    "of the language)");
		if (!parse_literal(p, &node->expression,
		    &node->values[node->num_values]))
			return false;
		node->num_values++;
		skip_blanks(p);
		if (*p->at == ',') {
			p->at++;
			continue;
		}
		if (at_list_end(p))
			return true;
	} while (true);
}

/* ----------------------------------------------------------------- grammar */

static const char *const condition_words[] = { "in", "present", "==", NULL };

static const struct when *
parse_condition(struct parser *p)
{
	struct when	*node = new_node(p, NODE_PRESENT);
	const char	*start, *stop, *at;

	if (node == NULL)
		return NULL;
	start = stop = p->at;
	for (at = p->at; word_len(at) > 0; ) {
		stop = at + word_len(at);
		for (at = stop; *at == ' '; at++)
			;
		if (*at != '|')
			break;
		for (at++; *at == ' '; at++)
			;
		stop = at;
	}
	if (start == stop) {
		(void)fault_here(p, "a source, not or (");
		return NULL;
	}
	if (!expression_parse(start, (size_t)(stop - start), &node->expression,
	    p->error_r)) {
		if (p->error_r != NULL)
			p->error_r->column += (unsigned)(start - p->text);
		return NULL;
	}
	p->at = stop;
	if (take_word(p, "present"))
		return node;
	node->kind = NODE_IN;
	if (take_word(p, "in"))
		return parse_list(p, node) ? node : NULL;
	if (p->at[0] == '=' && p->at[1] == '=') {
		p->at += 2;
		skip_blanks(p);
		node->values = arena_alloc(p->arena, sizeof(*node->values));
		node->num_values = 1;
		if (node->values == NULL) {
			error_set(p->error_r, NULL, 0, "out of memory");
			return NULL;
		}
		return parse_literal(p, &node->expression, node->values) ?
		    node : NULL;
	}
	(void)fault_here(p, "in LIST, == VALUE or present");
	error_suggest(p->error_r, p->at, word_len(p->at), condition_words);
	return NULL;
}

static const struct when *parse_or(struct parser *);

static const struct when *
parse_one(struct parser *p)
{
	const struct when	*inner = NULL;
	struct when		*node;

	skip_blanks(p);
	if (++p->depth > WHEN_MAX_DEPTH) {
		(void)fault_here(p, "at most 16 levels of parentheses and not");
		return NULL;
	}
	if (*p->at == '(') {
		p->at++;
		inner = parse_or(p);
		if (inner == NULL)
			return NULL;
		skip_blanks(p);
		if (*p->at != ')') {
			(void)fault_here(p, "and, or, or a closing )");
			return NULL;
		}
		p->at++;
	} else if (take_word(p, "not")) {
		node = new_node(p, NODE_NOT);
		if (node != NULL && (node->left = parse_one(p)) != NULL)
			inner = node;
	} else
		inner = parse_condition(p);
	p->depth--;
	return inner;
}

static const struct when *
parse_chain(struct parser *p, enum node_kind kind)
{
	const char		*word = kind == NODE_AND ? "and" : "or";
	const struct when	*left, *right;
	struct when		*node;

	left = kind == NODE_AND ? parse_one(p) : parse_chain(p, NODE_AND);
	while (left != NULL && take_word(p, word)) {
		right = kind == NODE_AND ? parse_one(p) :
		    parse_chain(p, NODE_AND);
		if (right == NULL || (node = new_node(p, kind)) == NULL)
			return NULL;
		node->left = left;
		node->right = right;
		left = node;
	}
	return left;
}

static const struct when *
parse_or(struct parser *p)
{
	return parse_chain(p, NODE_OR);
}

const struct when *
when_compile(const char *text, struct arena *arena,
    struct certauth_error *error_r)
{
	struct parser		 p = { text, text, arena, error_r, 0, 0, 0 };
	const struct when	*when;

	if (strlen(text) > WHEN_MAX_BYTES) {
		error_set(error_r, NULL, 0,
		    "found %zu bytes, expected at most %u; use a table",
		    strlen(text), WHEN_MAX_BYTES);
		return NULL;
	}
	when = parse_or(&p);
	skip_blanks(&p);
	if (when != NULL && *p.at != '\0') {
		(void)fault_here(&p, "and, or, or the end");
		return NULL;
	}
	return when;
}

/* ------------------------------------------------------------------ asking */

static bool
value_matches(const struct when *node, const struct value *value)
{
	struct value	part;
	size_t		i, j;
	char		c;

	if (!expression_part(&node->expression, value, &part))
		return false;
	if (node->kind == NODE_PRESENT)
		return true;
	for (i = 0; i < node->num_values; i++) {
		if (node->values[i].data_len != part.data_len)
			continue;
		for (j = 0; j < part.data_len; j++) {
			c = part.data[j];
			if (node->expression.lower && c >= 'A' && c <= 'Z')
				c = (char)(c - 'A' + 'a');
			if (c != node->values[i].data[j])
				break;
		}
		if (j == part.data_len)
			return true;
	}
	return false;
}

static enum when_result
ask_condition(const struct when *node, struct extractor *extractor,
    const struct source *bound, const struct value *value,
    const char **fault_r)
{
	const struct values	*values;
	size_t			 i;

	if (bound != NULL && source_equal(bound, &node->expression.source))
		return value_matches(node, value) ? WHEN_TRUE : WHEN_FALSE;
	values = source_values(extractor, &node->expression.source);
	if (values->no_memory || values->fault != NULL) {
		*fault_r = values->fault;
		return WHEN_BAD;
	}
	for (i = 0; i < values->num_items; i++)
		if (value_matches(node, &values->items[i]))
			return WHEN_TRUE;
	return WHEN_FALSE;
}

/* Depth: WHEN_MAX_DEPTH and the chains of `and` and `or`, which lean left. */
enum when_result
when_ask(const struct when *when, struct extractor *extractor,
    const struct source *bound, const struct value *value,
    const char **fault_r)
{
	enum when_result	left;

	switch (when->kind) {
	case NODE_IN:
	case NODE_PRESENT:
		return ask_condition(when, extractor, bound, value, fault_r);
	case NODE_NOT:
		left = when_ask(when->left, extractor, bound, value, fault_r);
		if (left == WHEN_BAD)
			return WHEN_BAD;
		return left == WHEN_TRUE ? WHEN_FALSE : WHEN_TRUE;
	case NODE_AND:
		left = when_ask(when->left, extractor, bound, value, fault_r);
		return left != WHEN_TRUE ? left : when_ask(when->right,
		    extractor, bound, value, fault_r);
	case NODE_OR:
		left = when_ask(when->left, extractor, bound, value, fault_r);
		return left != WHEN_FALSE ? left : when_ask(when->right,
		    extractor, bound, value, fault_r);
	}
	*fault_r = NULL;
	return WHEN_BAD;
}
