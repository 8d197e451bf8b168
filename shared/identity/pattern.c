/*
 * pattern.c - does this whole value look like that?
 *
 * PCRE2 with limits on every match, since both the pattern's author and the
 * certificate's may be careless. Never looks for a pattern somewhere inside a
 * value: "admin" does not match "not-admin".
 */

#define PCRE2_CODE_UNIT_WIDTH	8
#include <pcre2.h>

#include "base/text.h"
#include "identity/pattern.h"

struct pattern {
	const pcre2_code	*code;
	const char		*text;
};

static void *
take(PCRE2_SIZE size, void *arena)
{
	return arena_alloc(arena, size);
}

/* It lives as long as its arena. */
static void
keep(void *memory, void *arena)
{
	(void)memory;
	(void)arena;
}

static bool
fault_at(struct certauth_error *error_r, size_t offset, const char *text)
{
	error_set(error_r, NULL, 0, "found a pattern with a fault, %s", text);
	if (error_r != NULL)
		error_r->column = (unsigned)(offset + 1);
	return false;
}

static bool
groups_fit(const pcre2_code *code, int groups, struct certauth_error *error_r)
{
	uint32_t	count = 0;

	if (groups < 0)
		return true;
	if (pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &count) == 0 &&
	    count == (uint32_t)groups)
		return true;
	return fault_at(error_r, 0, "expected exactly one ( ) that holds what is "
	    "wanted, and (?: ) for the others");
}

const struct pattern *
pattern_compile(const char *text, size_t text_len, int groups,
    struct arena *arena, struct certauth_error *error_r)
{
	pcre2_general_context	*general = NULL;
	pcre2_compile_context	*context = NULL;
	struct pattern		*pattern;
	pcre2_code		*code;
	PCRE2_UCHAR		 message[128] = "";
	PCRE2_SIZE		 at = 0;
	int			 error = 0;

	if (text_len == 0 || text_len > PATTERN_MAX_BYTES) {
		(void)fault_at(error_r, 0, "expected 1 to 512 bytes");
		return NULL;
	}
	/* (*UTF), (*LIMIT_MATCH=...) and others would change the rules. */
	if (text_len > 1 && text[0] == '(' && text[1] == '*') {
		(void)fault_at(error_r, 0, "expected none that begins with (*");
		return NULL;
	}
	pattern = arena_alloc(arena, sizeof(*pattern));
	general = pcre2_general_context_create(take, keep, arena);
	if (general != NULL)
		context = pcre2_compile_context_create(general);
	if (pattern == NULL || context == NULL ||
	    (pattern->text = arena_string_n(arena, text, text_len)) == NULL) {
		error_set(error_r, NULL, 0, "out of memory");
		return NULL;
	}
	(void)pcre2_set_parens_nest_limit(context, PATTERN_MAX_NEST);
	code = pcre2_compile((PCRE2_SPTR)text, text_len, PCRE2_UTF |
	    PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY |
	    PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UCP, &error, &at, context);
	if (code == NULL) {
		(void)pcre2_get_error_message(error, message, sizeof(message));
		(void)fault_at(error_r, at < text_len ? at : text_len - 1,
		    (const char *)message);
		return NULL;
	}
	if (!groups_fit(code, groups, error_r))
		return NULL;
	pattern->code = code;
	return pattern;
}

const char *
pattern_text(const struct pattern *pattern)
{
	return pattern->text;
}

enum pattern_result
pattern_capture(const struct pattern *pattern, const char *data,
    size_t data_len, size_t *start_r, size_t *len_r)
{
	pcre2_match_context	*limits = NULL;
	pcre2_match_data	*match = NULL;
	const PCRE2_SIZE	*at;
	enum pattern_result	 result = PATTERN_BAD;
	int			 n;

	*start_r = *len_r = 0;
	limits = pcre2_match_context_create(NULL);
	match = pcre2_match_data_create(2, NULL);
	if (limits == NULL || match == NULL)
		goto out;
	(void)pcre2_set_match_limit(limits, PATTERN_MAX_STEPS);
	(void)pcre2_set_depth_limit(limits, PATTERN_MAX_DEPTH);
	(void)pcre2_set_heap_limit(limits, PATTERN_MAX_HEAP);
	n = pcre2_match(pattern->code, (PCRE2_SPTR)data, data_len, 0, 0, match,
	    limits);
	if (n == PCRE2_ERROR_NOMATCH)
		result = PATTERN_NO;
	if (n < 0)
		goto out;
	result = PATTERN_YES;
	at = pcre2_get_ovector_pointer(match);
	/* \K can put the end before the start; a group may be unset. */
	if (n != 1 && at[2] != PCRE2_UNSET && at[3] >= at[2] &&
	    at[3] <= data_len) {
		*start_r = at[2];
		*len_r = at[3] - at[2];
	}
out:
	pcre2_match_data_free(match);
	pcre2_match_context_free(limits);
	return result;
}

enum pattern_result
pattern_match(const struct pattern *pattern, const char *data, size_t data_len)
{
	size_t	start, len;

	return pattern_capture(pattern, data, data_len, &start, &len);
}
