/*
 * status.c - what does the refresher know, for those who ask the command?
 *
 * STATE/status.json, by rename. `certauth show revocation` and `certauth check`
 * read it; no server does.
 */

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "log.h"
#include "refresher.h"

static const char *
origin_word(enum origin origin)
{
	switch (origin) {
	case ORIGIN_SEEN:
		return "client certificate";
	case ORIGIN_POOL:
		return "CA certificate";
	case ORIGIN_POLICY:
		return "policy";
	}
	return "";
}

static json_t *
when(int64_t seconds)
{
	char	text[32];

	return seconds == 0 ? json_string("") :
	    json_string(certauth_time_print(text, sizeof(text), seconds));
}

static json_t *
source_json(const struct source *s)
{
	return json_pack("{s:s,s:s,s:s,s:s+,s:s,s:s,s:o,s:o,s:I,s:o,s:o,s:o,s:I,"
	    "s:s}", "authority", s->authority, "url", s->url, "origin",
	    origin_word(s->origin), "object", s->has_object ?
	    CERTAUTH_SPOOL "/" : "", s->has_object ? s->name : "",
	    "issuer", s->issuer, "number", s->crl_number, "thisUpdate",
	    when(s->this_update), "nextUpdate", when(s->next_update), "entries",
	    (json_int_t)s->entries, "lastTry", when(s->tried), "lastSuccess",
	    when(s->succeeded), "nextTry", when(s->next), "failures",
	    (json_int_t)s->failures, "error", s->error);
}

void
status_write(struct refresher *r, int64_t now)
{
	json_t	*root, *list = json_array();
	char	*text;
	size_t	 i;

	for (i = 0; i < r->store.num_sources; i++)
		if (r->store.sources[i]->listed)
			json_array_append_new(list,
			    source_json(r->store.sources[i]));
	root = json_pack("{s:i,s:s,s:o,s:o,s:o,s:s,s:s,s:o}", "version", 1,
	    "program", certauth_version(), "written", when(now), "started",
	    when(r->started), "published", when(r->published_at),
	    "publishError", r->publish_error,
	    "publishFault", r->publish_fault, "sources", list);
	text = root != NULL ? json_dumps(root, JSON_INDENT(1)) : NULL;
	if (text == NULL)
		say(LEVEL_ERROR, "the status cannot be written: out of memory");
	else if (store_replace(&r->store, STATUS_NAME, text, strlen(text), 0644))
		r->changed = false;
	free(text);
	json_decref(root);
}
