/*
 * fuzz_denied.c - is every list of those who are denied either refused with a
 * line, or obeyed?
 *
 * Input: one byte, the list up to 0xff, then the names of a certificate.
 */

#include "identity.h"
#include "identity/table.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct certauth_error	 error = { 0 };
	struct denied		*denied;
	struct arena		*arena;
	struct hostile		 h;
	const char		*detail, *at;
	char			*text, line[300];
	int64_t			 now;

	if (size == 0)
		return 0;
	now = data[0] % 2 != 0 ? 1780272000 : 0;
	data++;
	size--;
	text = next_string(&data, &size);
	denied = denied_parse((const unsigned char *)text, strlen(text), "d",
	    &error);
	if (denied == NULL) {
		must_be_one_line(error.text);
		MUST(error.text[0] != '\0' && error.line > 0);
		free(text);
		return 0;
	}
	arena = arena_new(1024 * 1024);
	hostile_fill(&h, data, size);
	if (denied_match(denied, &h.cert, "alice", now, arena, &detail)) {
		must_be_one_line(detail);
		MUST(detail[0] != '\0');
		MUST(strchr(text, ':') != NULL);
	}
	/* A user of a plain line is never let in. */
	if (strncmp(text, "user:", 5) == 0 && strlen(text) < 200 &&
	    strcspn(text, " \t\"#\r\n") == strlen(text)) {
		snprintf(line, sizeof(line), "%s", text + 5);
		at = line;
		MUST(denied_match(denied, &h.cert, at, now, arena, &detail));
	}
	MUST(ERR_peek_error() == 0);
	hostile_clear(&h);
	arena_free(arena);
	denied_free(denied);
	free(text);
	return 0;
}
