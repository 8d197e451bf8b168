/*
 * maps.c - the lines of the maps that a profile's rules look in: told, and taken
 * out again.
 *
 * A map may be a text, a folder of texts, or a compiled table, which is only read:
 * whoever is in it stays in it until it is built again, and that is said.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/edit.h"
#include "certauth_data.h"
#include "engine.h"

struct walk {
	struct certauth		*engine;
	struct certauth_removed	*removed;
	certauth_enrolled_fn	*tell;
	void			*context;
	const char		*file;
	/* what is to be taken out: a user, or a key as tables spell it */
	bool			 by_user;
	char			 what[TABLE_MAX_LINE + 1];
	size_t			 num;
};
/* What is done with one text. */
typedef bool text_fn(struct walk *, const struct file_ref *,
    struct certauth_error *error_r);

/* ------------------------------------------------------------------ telling */

static bool
tell_line(void *context, const struct enrolled_line *line)
{
	struct walk			*w = context;
	const struct certauth_map_line	 told = { w->file, line->line, line->key,
	    line->user, line->groups, line->mark.authority, line->mark.same,
	    line->mark.issuer, line->mark.ends, line->from, line->until,
	    line->also };

	w->tell(w->context, &told);
	return true;
}

static bool
tell_text(struct walk *w, const struct file_ref *ref,
    struct certauth_error *error_r)
{
	struct file_bytes	bytes;
	bool			ok;

	w->file = ref->path;
	if (!file_read(ref, &w->engine->config->owners, TABLE_MAX_BYTES, &bytes,
	    error_r))
		return false;
	ok = enrolled_each(bytes.data, bytes.data_len, w->file, tell_line, w,
	    error_r);
	file_bytes_free(&bytes);
	return ok;
}

/* Of the mark it keeps authority and name alone. */
static void
tell_compiled(struct walk *w, const struct table *table, const char *path)
{
	struct table_line	 line;
	char			*authority;
	size_t			 at = 0;

	while (table_next_line(table, &at, &line)) {
		authority = strndup(line.authority, line.authority_len);
		w->tell(w->context, &(struct certauth_map_line){ path, line.line,
		    line.key, line.user, line.groups, authority != NULL ?
		    authority : "", line.same, "", INT64_MAX, line.from,
		    line.until, line.also });
		free(authority);
	}
}

/* ------------------------------------------------------------------ walking */

static bool
each_text(struct walk *w, const struct file_ref *ref, text_fn *fn,
    struct certauth_error *error_r)
{
	struct file_list	list;
	size_t			i;
	bool			ok = true;

	if (!file_is_folder(ref))
		return fn(w, ref, error_r);
	if (!file_list_read(ref, &w->engine->config->owners, TABLE_MAX_FILES,
	    &list, error_r))
		return false;
	for (i = 0; ok && i < list.num_refs; i++)
		ok = fn(w, &list.refs[i], error_r);
	file_list_free(&list);
	return ok;
}

bool
certauth_map_list(struct certauth *engine, const struct certauth_profile *profile,
    certauth_enrolled_fn *tell, void *context, struct certauth_error *error_r)
{
	struct walk		 w = { .engine = engine, .tell = tell,
				    .context = context };
	const struct config	*c = engine->config;
	struct snapshot		*data = engine_snapshot(engine);
	size_t			 i;
	bool			 ok = true;

	for (i = 0; ok && c != NULL && data != NULL && i < c->num_live; i++) {
		if (!rules_use_table(profile->rules, (int)i))
			continue;
		if (data->tables[i] != NULL && table_is_compiled(data->tables[i]))
			tell_compiled(&w, data->tables[i], c->live[i].ref.path);
		else
			ok = each_text(&w, &c->live[i].ref, tell_text, error_r);
	}
	snapshot_free(data);
	return ok;
}

/* ----------------------------------------------------------------- removing */

static bool
is_what(const struct walk *w, const char *key, const char *user)
{
	return strcmp(w->by_user ? user : key, w->what) == 0;
}

static bool
is_meant(void *context, const struct enrolled_line *line)
{
	struct walk	*w = context;

	w->num += is_what(w, line->key, line->user);
	return true;
}

/* Lines stay as they are, byte by byte, but for those that are meant. */
static bool
edit_remove(void *context, const struct file_bytes *bytes, struct text *text_r,
    bool *changed_r, struct certauth_error *error_r)
{
	struct walk	*w = context;
	struct table	*table;
	const char	*at = (const char *)bytes->data, *end, *stop;
	unsigned	 line = 0;
	size_t		 removed = 0;

	end = at + bytes->data_len;
	for (; at < end; at = stop) {
		stop = memchr(at, '\n', (size_t)(end - at));
		stop = stop != NULL ? stop + 1 : end;
		line++;
		w->num = 0;
		if (!enrolled_each((const unsigned char *)at, (size_t)(stop - at),
		    w->file, is_meant, w, error_r)) {
			if (error_r != NULL)
				error_r->line = line;
			return false;
		}
		if (w->num > 0)
			removed++;
		else
			text_add_n(text_r, at, (size_t)(stop - at));
	}
	*changed_r = removed > 0;
	w->num = removed;
	if (removed == 0)
		return true;
	table = table_parse((const unsigned char *)(text_r->data != NULL ?
	    text_r->data : ""), text_r->len, w->file, error_r);
	table_free(table);
	return table != NULL && !text_r->failed;
}

static bool
remove_from(struct walk *w, const struct file_ref *ref,
    struct certauth_error *error_r)
{
	w->file = ref->path;
	w->num = 0;
	if (!edit_file(ref->path, &w->engine->config->owners, TABLE_MAX_BYTES,
	    edit_remove, w, error_r))
		return false;
	w->removed->num += w->num;
	return true;
}

static void
count_compiled(struct walk *w, const struct table *table, const char *path)
{
	struct table_line	line;
	size_t			at = 0;

	while (table_next_line(table, &at, &line)) {
		if (!is_what(w, line.key, line.user))
			continue;
		if (w->removed->left++ == 0)
			(void)snprintf(w->removed->where,
			    sizeof(w->removed->where), "%s", path);
	}
}

static bool
read_what(struct walk *w, const char *what, struct certauth_error *error_r)
{
	w->by_user = strncmp(what, "user:", 5) == 0;
	what += w->by_user ? 5 : 0;
	if (what[0] == '\0' || strlen(what) > TABLE_MAX_LINE) {
		error_set(error_r, NULL, 0, "expected a key of a map, or "
		    "user:NAME");
		return false;
	}
	memcpy(w->what, what, strlen(what) + 1);
	if (!w->by_user)
		w->what[table_key_fold(w->what, strlen(w->what))] = '\0';
	return true;
}

bool
certauth_map_remove(struct certauth *engine,
    const struct certauth_profile *profile, const char *what,
    struct certauth_removed *removed_r, struct certauth_error *error_r)
{
	const struct config	*c = engine->config;
	struct walk		 w = { .engine = engine, .removed = removed_r };
	struct snapshot		*data;
	size_t			 i;
	bool			 ok = true;

	memset(removed_r, 0, sizeof(*removed_r));
	if (!read_what(&w, what, error_r))
		return false;
	data = engine_snapshot(engine);
	for (i = 0; ok && c != NULL && data != NULL && i < c->num_live; i++) {
		if (!rules_use_table(profile->rules, (int)i))
			continue;
		if (data->tables[i] != NULL && table_is_compiled(data->tables[i]))
			count_compiled(&w, data->tables[i], c->live[i].ref.path);
		else
			ok = each_text(&w, &c->live[i].ref, remove_from, error_r);
	}
	snapshot_free(data);
	return ok;
}
