/*
 * when.c - does this rule speak of this certificate?
 *
 * An evaluator over the tree that when_parse.c made. Asks left to right and no
 * further than needed.
 */

#include <string.h>

#include "identity/dn.h"
#include "identity/when_node.h"

static bool
compare(enum comparison comparison, int64_t value, int64_t with)
{
	switch (comparison) {
	case LESS:
		return value < with;
	case LESS_OR_EQUAL:
		return value <= with;
	case EQUAL:
		return value == with;
	case MORE_OR_EQUAL:
		return value >= with;
	case MORE:
		return value > with;
	}
	return false;
}

/* Of a value that facts.c wrote: digits. */
static int64_t
number_of(const struct value *value)
{
	int64_t	number = 0;
	size_t	i;

	for (i = 0; i < value->data_len && i < 18; i++)
		number = number * 10 + (value->data[i] - '0');
	return number;
}

static enum when_result
ask_value(const struct when *node, const struct value *value,
    const char **fault_r)
{
	struct value	part;
	struct room	room;
	char		folded[RULES_MAX_USER_LEN + 1];
	size_t		i;

	switch (expression_apply(&node->expression, value, &room, &part,
	    fault_r)) {
	case APPLY_BAD:
		return WHEN_BAD;
	case APPLY_NONE:
		return WHEN_FALSE;
	case APPLY_DONE:
		break;
	}
	switch (node->kind) {
	case NODE_PRESENT:
	case NODE_COUNT:
		return WHEN_TRUE;
	case NODE_NUMBER:
		return compare(node->comparison, number_of(&part), node->number) ?
		    WHEN_TRUE : WHEN_FALSE;
	case NODE_MATCHES:
		switch (pattern_match(node->pattern, part.data, part.data_len)) {
		case PATTERN_YES:
			return WHEN_TRUE;
		case PATTERN_NO:
			return WHEN_FALSE;
		case PATTERN_BAD:
			break;
		}
		*fault_r = "a pattern needed too many steps for a value";
		return WHEN_BAD;
	default:
		break;
	}
	/* RFC 5280 7.1, as whole names are compared */
	if (node->alike && part.data_len < sizeof(folded)) {
		memcpy(folded, part.data, part.data_len);
		part.data = folded;
		part.data_len = dn_value_fold(folded, part.data_len);
	}
	for (i = 0; i < node->num_values; i++)
		if (node->values[i].data_len == part.data_len &&
		    memcmp(node->values[i].data, part.data, part.data_len) == 0)
			return WHEN_TRUE;
	return WHEN_FALSE;
}

static enum when_result
ask_condition(const struct when *node, struct extractor *extractor,
    const struct source *bound, const struct value *value,
    const char **fault_r)
{
	const struct values	*values;
	enum when_result	 one;
	size_t			 i;
	int64_t			 count = 0;

	/* How many there are does not depend on which one is looked at. */
	if (bound != NULL && node->kind != NODE_COUNT &&
	    source_equal(bound, &node->expression.source))
		return ask_value(node, value, fault_r);
	values = source_values(extractor, &node->expression.source);
	if (values->no_memory || values->fault != NULL) {
		*fault_r = values->fault;
		return WHEN_BAD;
	}
	for (i = 0; i < values->num_items; i++) {
		one = ask_value(node, &values->items[i], fault_r);
		if (one == WHEN_BAD)
			return WHEN_BAD;
		if (one == WHEN_TRUE && node->kind != NODE_COUNT)
			return WHEN_TRUE;
		count += one == WHEN_TRUE;
	}
	return node->kind == NODE_COUNT && compare(node->comparison, count,
	    node->number) ? WHEN_TRUE : WHEN_FALSE;
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
	case NODE_MATCHES:
	case NODE_COUNT:
	case NODE_NUMBER:
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

/*
 * What somebody has to hold at least for it to be true: of `and` the surer half,
 * of `or` the other, of `not` nothing.
 */
enum rule_strength
when_strength(const struct when *when, bool pinned)
{
	enum rule_strength	left, right;

	switch (when->kind) {
	case NODE_IN:
		return expression_strength(&when->expression, pinned);
	case NODE_AND:
	case NODE_OR:
		left = when_strength(when->left, pinned);
		right = when_strength(when->right, pinned);
		return (left > right) == (when->kind == NODE_AND) ? left : right;
	default:
		return STRENGTH_WEAK;
	}
}

bool
when_pins_domain(const struct when *when)
{
	switch (when->kind) {
	case NODE_IN:
		return expression_has(&when->expression, STEP_DOMAIN) &&
		    when->num_values == 1;
	case NODE_MATCHES:
		return true;	/* whoever writes a pattern means something */
	case NODE_AND:
		return when_pins_domain(when->left) ||
		    when_pins_domain(when->right);
	case NODE_OR:
		return when_pins_domain(when->left) &&
		    when_pins_domain(when->right);
	default:
		return false;
	}
}

bool
when_each(const struct when *when, when_condition_fn *each, void *context)
{
	struct when_condition	condition = { 0 };

	switch (when->kind) {
	case NODE_AND:
		return when_each(when->left, each, context) &&
		    when_each(when->right, each, context);
	case NODE_NOT:
	case NODE_OR:
		break;
	default:
		condition.expression = &when->expression;
		if (when->kind == NODE_MATCHES)
			condition.pattern = pattern_text(when->pattern);
		if (when->kind == NODE_IN && when->num_values == 1)
			condition.equal = when->values;
		break;
	}
	return each(context, &condition);
}
