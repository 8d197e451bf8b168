/*
 * when_parse.c - what does this condition ask?
 *
 * A recursive descent parser over one line. Every literal is spelled as the
 * certificate's value will be (when_literal.c), so that asking compares bytes.
 */

#include <string.h>

#include "base/text.h"
#include "identity/suggest.h"
#include "identity/when_node.h"

/* Of one literal: a whole name is the longest. */
#define WHEN_MAX_LITERAL	SOURCE_MAX_DN

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

/* A bare word or "quoted", \" and \\ inside. */
static bool
parse_literal(struct parser *p, const struct expression *expression,
    struct value *value_r)
{
	const char	*start = p->at, *at = p->at;
	char		 room[WHEN_MAX_LITERAL + 1], *data;
	const char	*fault;
	size_t		 n = 0, max;

	max = expression->source.kind == SOURCE_DN ? SOURCE_MAX_DN :
	    RULES_MAX_USER_LEN;
	data = room;
	if (*at == '"') {
		for (at++; *at != '"'; at++) {
			if (*at == '\\' && (at[1] == '"' || at[1] == '\\'))
				at++;
			else if (*at == '\0' || *at == '\\')
				return fault_here(p, "a value in quotes, with "
				    "\\\" and \\\\ for \" and \\");
			if (n == max)
				return fault_here(p, "a value of at most 255 bytes");
			data[n++] = *at;
		}
		at++;
	} else {
		n = word_len(at);
		if (n > max)
			return fault_here(p, "a value of at most 255 bytes");
		memcpy(data, at, n);
		at += n;
	}
	data[n] = '\0';
	if (n == 0)
		return fault_here(p, "a value");
	if (!text_utf8_valid(data, n) || text_has_control(data, n))
		return fault_here(p, "a value without control characters, in UTF-8");
	fault = when_literal(expression, data, sizeof(room), &n);
	if (fault != NULL)
		return fault_here(p, fault);
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

static const char *const condition_words[] = {
	"in", "present", "matches", "count", "==", NULL
};

/* The source and its transforms; quotes in parentheses belong to them. */
static const char *
expression_end(const char *at)
{
	const char	*stop = at;

	while (expression_length(at, " \t\r\n|,)=<>\"") > 0) {
		stop = at + expression_length(at, " \t\r\n|,)=<>\"");
		/* the parenthesis that it opened itself */
		if (*stop == ')' && memchr(at, '(', (size_t)(stop - at)) != NULL)
			stop++;
		for (at = stop; *at == ' '; at++)
			;
		if (*at != '|')
			break;
		for (at++; *at == ' '; at++)
			;
		stop = at;
	}
	return stop;
}

static bool
parse_comparison(struct parser *p, struct when *node, const struct source *source)
{
	static const struct { const char *text; enum comparison is; } signs[] = {
		{ "<=", LESS_OR_EQUAL }, { ">=", MORE_OR_EQUAL },
		{ "==", EQUAL }, { "<", LESS }, { ">", MORE }
	};
	const char	*fault;
	char		 word[32];
	size_t		 i, n;

	skip_blanks(p);
	for (i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if (strncmp(p->at, signs[i].text, strlen(signs[i].text)) == 0)
			break;
	if (i == sizeof(signs) / sizeof(signs[0]))
		return fault_here(p, "<, <=, ==, >= or >");
	node->comparison = signs[i].is;
	p->at += strlen(signs[i].text);
	skip_blanks(p);
	n = word_len(p->at);
	if (n == 0 || n >= sizeof(word))
		return fault_here(p, "a number");
	memcpy(word, p->at, n);
	word[n] = '\0';
	fault = when_number(source, word, &node->number);
	if (fault != NULL)
		return fault_here(p, fault);
	p->at += n;
	return true;
}

static bool
parse_pattern(struct parser *p, struct when *node)
{
	struct value	text;
	size_t		n;

	skip_blanks(p);
	n = quoted_read(p->at, p->arena, &text);
	if (n == 0)
		return fault_here(p, "a pattern in quotes, as '[a-z]+'");
	node->pattern = pattern_compile(text.data, text.data_len, -1, p->arena,
	    p->error_r);
	if (node->pattern == NULL) {
		if (p->error_r != NULL && p->error_r->column > 0)
			p->error_r->column += (unsigned)(p->at - p->text + 1);
		return false;
	}
	p->at += n;
	return true;
}

static bool
parse_test(struct parser *p, struct when *node)
{
	struct source	*source = &node->expression.source;
	bool		 number;

	if (take_word(p, "present"))
		return true;
	number = source_is_number(source) && node->expression.num_steps == 0;
	if (take_word(p, "matches")) {
		node->kind = NODE_MATCHES;
		return parse_pattern(p, node);
	}
	if (take_word(p, "count")) {
		node->kind = NODE_COUNT;
		return parse_comparison(p, node, NULL);
	}
	skip_blanks(p);
	if (number && strchr("<>=", *p->at) != NULL && *p->at != '\0') {
		node->kind = NODE_NUMBER;
		return parse_comparison(p, node, source);
	}
	node->kind = NODE_IN;
	/* Names are compared by their normal form, RFC 5280 7.1. */
	if (source->kind == SOURCE_DN && source->form != FORM_SHA256 &&
	    node->expression.num_steps == 0)
		source->form = FORM_NORMAL;
	node->alike = source->kind == SOURCE_ATTRIBUTE &&
	    !source_is_mailbox(source) && node->expression.num_steps == 0;
	if (take_word(p, "in"))
		return parse_list(p, node);
	if (p->at[0] == '=' && p->at[1] == '=') {
		p->at += 2;
		skip_blanks(p);
		node->values = arena_alloc(p->arena, sizeof(*node->values));
		node->num_values = 1;
		if (node->values == NULL) {
			error_set(p->error_r, NULL, 0, "out of memory");
			return false;
		}
		return parse_literal(p, &node->expression, node->values);
	}
	(void)fault_here(p, "in LIST, == VALUE, matches 'PATTERN', count == N "
	    "or present");
	error_suggest(p->error_r, p->at, word_len(p->at), condition_words);
	return false;
}

static const struct when *
parse_condition(struct parser *p)
{
	struct when	*node = new_node(p, NODE_PRESENT);
	const char	*start = p->at, *stop;

	if (node == NULL)
		return NULL;
	stop = expression_end(start);
	if (start == stop) {
		(void)fault_here(p, "a source, not or (");
		return NULL;
	}
	if (!expression_parse(start, (size_t)(stop - start), p->arena,
	    &node->expression, p->error_r)) {
		if (p->error_r != NULL && p->error_r->column > 0)
			p->error_r->column += (unsigned)(start - p->text);
		return NULL;
	}
	/* Nobody is found yet: `not user == x` would be true of everybody. */
	if (node->expression.source.kind == SOURCE_USER) {
		(void)fault_here(p, "a source of the certificate, not {user}");
		return NULL;
	}
	p->at = stop;
	return parse_test(p, node) ? node : NULL;
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
