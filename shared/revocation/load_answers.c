/*
 * load_answers.c - which answers index is in force?
 *
 * Maps the one that the manifest names; a bad one leaves the last good one, loudly.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "revocation/load.h"

static void
refuse(const struct revocation_sources *sources, const char *why, bool have,
    revocation_remark_fn *remark, void *context)
{
	char	line[640];

	(void)snprintf(line, sizeof(line), "answers index refused: %s; %s", why,
	    have ? "the last good one stays in force" :
	    "there is no earlier one");
	if (remark != NULL)
		remark(context, CERTAUTH_WARNING, sources->state->path, line);
}

bool
load_answers(const struct revocation_sources *sources,
    const struct revocation_data *last, struct revocation_data *data,
    struct file_stamp *seen, revocation_remark_fn *remark, void *context)
{
	const struct file_stamp	 was = *seen;
	struct load_mapped	*mapped;
	struct certauth_error	 error = { 0 };
	struct publish_map	 map;

	if (last != NULL && last->answers != NULL) {
		data->answers = last->answers;
		atomic_fetch_add_explicit(&data->answers->refs, 1,
		    memory_order_relaxed);
	}
	if (sources->state == NULL)
		return false;
	switch (publish_open_kind(PUBLISH_ANSWERS, sources->state,
	    sources->owners, &was, seen, &map, &error)) {
	case PUBLISH_SAME:
	case PUBLISH_NONE:
		/* No line of this kind: nobody has asked a responder yet. */
		return false;
	case PUBLISH_FAILED:
		/* Without a manifest that can be read the CRLs' part speaks. */
		if (map.entry.name[0] != '\0' && !file_stamp_equal(&was, seen))
			refuse(sources, error.text, data->answers != NULL,
			    remark, context);
		return false;
	case PUBLISH_TAKEN:
		break;
	}
	if (data->answers != NULL && memcmp(&data->answers->map.entry,
	    &map.entry, sizeof(map.entry)) == 0) {
		publish_unmap(&map);
		return false;
	}
	mapped = calloc(1, sizeof(*mapped));
	if (mapped == NULL) {
		publish_unmap(&map);
		file_stamp_forget(seen);
		return false;
	}
	atomic_init(&mapped->refs, 1);
	mapped->map = map;
	load_mapped_free(data->answers);
	data->answers = mapped;
	return true;
}
