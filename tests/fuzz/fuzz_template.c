/*
 * fuzz_template.c - does any template, filled from any certificate, stay inside
 * its bounds?
 *
 * Input: what for, the template up to 0xff, then the names.
 */

#include "identity.h"
#include "identity/template.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct certauth_error	 error = { 0 };
	const struct template	*template;
	struct template_results	 results;
	struct extractor	 extractor = { 0 };
	enum template_use	 use;
	struct arena		*arena;
	struct hostile		 h;
	char			*text;
	size_t			 i, j, max;

	if (size == 0)
		return 0;
	use = (enum template_use)(data[0] % 3);
	data++;
	size--;
	text = next_string(&data, &size);
	arena = arena_new(4 * 1024 * 1024);
	template = template_compile(text, use, arena, &error);
	if (template == NULL) {
		must_be_one_line(error.text);
		MUST(error.text[0] != '\0');
		MUST(error.column <= strlen(text) + 1);
		goto out;
	}
	MUST(strcmp(template_text(template), text) == 0);
	hostile_fill(&h, data, size);
	extractor.cert = &h.cert;
	extractor.arena = arena;
	switch (template_fill(template, NULL, &extractor, &results)) {
	case TEMPLATE_FILLED:
		MUST(results.num_items > 0 &&
		    results.num_items <= RULES_MAX_VALUES);
		max = use == TEMPLATE_KEY ? TEMPLATE_MAX_KEY : RULES_MAX_USER_LEN;
		for (i = 0; i < results.num_items; i++) {
			MUST(results.items[i].data_len > 0 &&
			    results.items[i].data_len <= max);
			MUST(strlen(results.items[i].data) ==
			    results.items[i].data_len);
			must_be_one_line(results.items[i].data);
			if (use == TEMPLATE_USER)
				must_be_user(results.items[i].data);
			for (j = 0; j < i; j++)
				MUST(strcmp(results.items[i].data,
				    results.items[j].data) != 0);
		}
		break;
	case TEMPLATE_BAD:
	case TEMPLATE_AMBIGUOUS:
	case TEMPLATE_NONE:
		must_be_one_line(results.detail);
		break;
	case TEMPLATE_NO_MEMORY:
		abort();	/* 4 MB are enough */
		break;
	}
	MUST(ERR_peek_error() == 0);
	hostile_clear(&h);
out:
	arena_free(arena);
	free(text);
	return 0;
}
