/*
 * enroll.c - a line for somebody's certificate in the map that its rule looks in.
 *
 * Asks the very question that a login asks: only a certificate that is good but
 * unknown gets a line, and only when the login would then lead to that user. What
 * a login would refuse is not enrolled.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "base/edit.h"
#include "certauth_data.h"
#include "engine.h"

struct enroll {
	struct certauth			*engine;
	const struct certauth_enroll	*ask;
	struct certauth_enrolled	*result;
	struct snapshot			*data;
	struct cert			*leaf;
	const char			*authority;
	struct arena			*arena;
	const struct rules_miss		*miss;
	const char			*names[2];	/* of the continuity */
	size_t				 num_names;
	int64_t				 now;
};

static bool
refuse(struct certauth_error *error_r, const char *text, const char *detail)
{
	error_set(error_r, NULL, 0, "%s%s%.300s", text, detail[0] != '\0' ? ": " :
	    "", detail);
	return false;
}

static void
take_name(void *context, const char *name, size_t name_len)
{
	struct enroll	*e = context;

	(void)name_len;
	if (e->num_names < 2)
		e->names[e->num_names++] = name;
}

/* Which table would have to have it? The first rule that looked and missed. */
static bool
find_table(struct enroll *e, struct rules_answer *answer,
    struct certauth_error *error_r)
{
	const struct config_live	*live;
	size_t				 i;

	rules_map(e->ask->profile->rules, e->leaf, e->authority,
	    e->data->tables, e->data->num_live, e->now, e->arena, NULL, NULL,
	    answer);
	if (answer->reason != CERTAUTH_NO_USER)
		return refuse(error_r, "the rules changed their mind",
		    answer->detail != NULL ? answer->detail : "");
	if (answer->num_misses == 0)
		return refuse(error_r, "no rule looks this certificate up in a "
		    "map", answer->detail != NULL ? answer->detail : "");
	for (i = 0; i < answer->num_misses; i++)
		if (answer->misses[i].num_keys == 1)
			break;
	if (i == answer->num_misses)
		return refuse(error_r, "the certificate gives several keys for one "
		    "rule: which one is meant cannot be said; write the line by "
		    "hand", "");
	e->miss = &answer->misses[i];
	live = &e->engine->config->live[e->miss->table];
	if (file_is_folder(&live->ref) ||
	    table_is_compiled(e->data->tables[e->miss->table]))
		return refuse(error_r, "the map is a folder or a compiled table: "
		    "enroll in the text that it is made from", live->ref.path);
	enrolled_names(e->leaf, e->miss->continuity, e->arena, take_name, e);
	return true;
}

/* Would the login lead to that user, with this table in place of the old one? */
static bool
would_enter(struct enroll *e, struct table *after,
    struct certauth_error *error_r)
{
	struct rules_answer	 answer;
	struct table		**tables;
	const char		*detail = "";
	int			 denied = e->ask->profile->denied;
	size_t			 i;

	tables = arena_array(e->arena, e->data->num_live + 1, sizeof(*tables));
	if (tables == NULL)
		return refuse(error_r, "out of memory", "");
	for (i = 0; i < e->data->num_live; i++)
		tables[i] = e->data->tables[i];
	tables[e->miss->table] = after;
	rules_map(e->ask->profile->rules, e->leaf, e->authority, tables,
	    e->data->num_live, e->now, e->arena, NULL, NULL, &answer);
	if (answer.reason != CERTAUTH_OK)
		return refuse(error_r, "the login would still be refused",
		    answer.detail != NULL ? answer.detail : "");
	if (strcmp(answer.user, e->ask->user) != 0)
		return refuse(error_r, "the login would lead to another user",
		    answer.user);
	if (denied >= 0 && (e->data->denied[denied] == NULL ||
	    denied_match(e->data->denied[denied], e->leaf, answer.user, e->now,
	    e->arena, &detail)))
		return refuse(error_r, "the user is denied", detail);
	return true;
}

static bool
edit(void *context, const struct file_bytes *bytes, struct text *text_r,
    bool *changed_r, struct certauth_error *error_r)
{
	struct enroll		*e = context;
	struct enrolled_line	 mark = { .issuer = "", .ends =
				    e->leaf->not_after };
	struct table		*before, *after = NULL;
	struct table_entry	 entry;
	struct text		 line = { 0 };
	char			*issuer = NULL;
	bool			 ok = false;

	before = table_parse(bytes->data, bytes->data_len, "", error_r);
	if (before == NULL)
		return false;
	if (table_lookup(before, e->miss->key, strlen(e->miss->key), e->now,
	    &entry)) {
		/* another command was faster */
		e->result->already = strcmp(entry.user, e->ask->user) == 0;
		ok = e->result->already ? true : refuse(error_r,
		    "the key is another user's", entry.user);
		goto out;
	}
	mark.authority = e->authority;
	mark.same = e->num_names == 1 ? e->names[0] : "";
	mark.issuer = issuer = cert_issuer_print(e->leaf);
	enrolled_print(&line, e->miss->key, e->ask->user, e->ask->groups,
	    issuer != NULL && mark.same[0] != '\0' ? &mark : NULL,
	    e->miss->continuity);
	text_add_n(text_r, (const char *)bytes->data, bytes->data_len);
	if (bytes->data_len > 0 && bytes->data[bytes->data_len - 1] != '\n')
		text_add(text_r, "\n");
	text_add(text_r, line.data != NULL ? line.data : "");
	if (line.failed || text_r->failed || issuer == NULL) {
		refuse(error_r, "out of memory", "");
		goto out;
	}
	/* What no server would take up is not written. */
	after = table_parse((const unsigned char *)text_r->data, text_r->len, "",
	    error_r);
	if (after == NULL || !would_enter(e, after, error_r))
		goto out;
	line.data[line.len - 1] = '\0';
	(void)snprintf(e->result->line, sizeof(e->result->line), "%s",
	    line.data);
	*changed_r = !e->ask->dry;
	ok = true;
out:
	table_free(before);
	table_free(after);
	text_free(&line);
	free(issuer);
	return ok;
}

/* True: it is good and unknown. */
static bool
ask_login(struct enroll *e, const struct certauth_verdict *v,
    struct certauth_error *error_r)
{
	const char	*user = certauth_verdict_user(v);

	if (certauth_verdict_decision(v) == CERTAUTH_ACCEPT) {
		e->result->already = strcmp(user, e->ask->user) == 0 &&
		    user[0] != '\0';
		if (!e->result->already)
			refuse(error_r, user[0] != '\0' ? "the certificate is "
			    "another user's already" : "the profile names no "
			    "user", user);
		return false;
	}
	if (certauth_verdict_reason(v) == CERTAUTH_NO_USER ||
	    certauth_verdict_reason(v) == CERTAUTH_NEW_KEY)
		return true;
	(void)snprintf(e->result->reason, sizeof(e->result->reason), "%s",
	    certauth_reason_slug(certauth_verdict_reason(v)));
	return refuse(error_r, "a login with it would be refused",
	    certauth_verdict_get(v, "message"));
}

bool
certauth_enroll(struct certauth *engine, const struct certauth_enroll *ask,
    struct certauth_enrolled *result_r, struct certauth_error *error_r)
{
	struct certauth_request	 request = { .profile = ask->profile,
				    .leaf = ask->leaf, .sent = ask->sent,
				    .now = ask->now, .flags = CERTAUTH_FINAL };
	struct enroll		 e = { .engine = engine, .ask = ask,
				    .result = result_r };
	struct rules_answer	 answer;
	struct certauth_verdict	*v = NULL;
	bool			 ok = false;

	memset(result_r, 0, sizeof(*result_r));
	e.now = ask->now != 0 ? ask->now : engine_clock(engine);
	v = certauth_verify(engine, &request);
	if (!ask_login(&e, v, error_r)) {
		ok = result_r->already;
		goto out;
	}
	e.authority = certauth_verdict_get(v, "authority");
	e.data = engine_snapshot(engine);
	e.leaf = cert_new(ask->leaf);
	e.arena = arena_new(VERDICT_MAX_BYTES);
	if (e.data == NULL || e.leaf == NULL || e.arena == NULL) {
		refuse(error_r, "out of memory", "");
		goto out;
	}
	if (!find_table(&e, &answer, error_r))
		goto out;
	(void)snprintf(result_r->file, sizeof(result_r->file), "%s",
	    engine->config->live[e.miss->table].ref.path);
	ok = edit_file(result_r->file, &engine->config->owners, TABLE_MAX_BYTES,
	    edit, &e, error_r);
out:
	certauth_verdict_free(v);
	snapshot_free(e.data);
	cert_free(e.leaf);
	arena_free(e.arena);
	return ok;
}

/* ------------------------------------------------------------ list, remove */

struct walk {
	certauth_enrolled_fn	*tell;
	void			*context;
	const char		*file, *what;
	size_t			 num;
};

static bool
tell_line(void *context, const struct enrolled_line *line)
{
	struct walk			*w = context;
	const struct certauth_map_line	 told = { w->file, line->line, line->key,
	    line->user, line->groups, line->authority, line->same, line->issuer,
	    line->ends };

	w->num++;
	w->tell(w->context, &told);
	return true;
}

bool
certauth_map_list(struct certauth *engine, const struct certauth_profile *profile,
    certauth_enrolled_fn *tell, void *context, struct certauth_error *error_r)
{
	struct walk		 w = { .tell = tell, .context = context };
	const struct config	*c = engine->config;
	struct file_bytes	 bytes;
	size_t			 i;
	bool			 ok = true;

	for (i = 0; ok && c != NULL && i < c->num_live; i++) {
		if (!rules_use_table(profile->rules, (int)i) ||
		    file_is_folder(&c->live[i].ref))
			continue;
		w.file = c->live[i].ref.path;
		if (!file_read(&c->live[i].ref, &c->owners, TABLE_MAX_BYTES,
		    &bytes, error_r))
			return false;
		ok = enrolled_each(bytes.data, bytes.data_len, w.file, tell_line,
		    &w, error_r);
		file_bytes_free(&bytes);
	}
	return ok;
}

static bool
is_meant(void *context, const struct enrolled_line *line)
{
	struct walk	*w = context;

	if (strncmp(w->what, "user:", 5) == 0 ?
	    strcmp(line->user, w->what + 5) == 0 :
	    strcasecmp(line->key, w->what) == 0)
		w->num = 1;
	return true;
}

/* Lines stay as they are, byte by byte, but for those that are meant. */
static bool
edit_remove(void *context, const struct file_bytes *bytes, struct text *text_r,
    bool *changed_r, struct certauth_error *error_r)
{
	struct walk	*w = context, one;
	struct table	*table;
	const char	*at = (const char *)bytes->data, *end, *stop;
	size_t		 removed = 0;

	end = at + bytes->data_len;
	for (; at < end; at = stop) {
		stop = memchr(at, '\n', (size_t)(end - at));
		stop = stop != NULL ? stop + 1 : end;
		one = *w;
		one.num = 0;
		if (!enrolled_each((const unsigned char *)at, (size_t)(stop - at),
		    w->file, is_meant, &one, error_r))
			return false;
		if (one.num > 0)
			removed++;
		else
			text_add_n(text_r, at, (size_t)(stop - at));
	}
	*changed_r = removed > 0;
	w->num += removed;
	if (removed == 0)
		return true;
	table = table_parse((const unsigned char *)(text_r->data != NULL ?
	    text_r->data : ""), text_r->len, w->file, error_r);
	table_free(table);
	return table != NULL && !text_r->failed;
}

bool
certauth_map_remove(struct certauth *engine,
    const struct certauth_profile *profile, const char *what, size_t *num_r,
    struct certauth_error *error_r)
{
	const struct config	*c = engine->config;
	struct walk		 w = { .what = what };
	size_t			 i;

	*num_r = 0;
	for (i = 0; c != NULL && i < c->num_live; i++) {
		if (!rules_use_table(profile->rules, (int)i) ||
		    file_is_folder(&c->live[i].ref) ||
		    table_is_compiled(engine->current->tables[i]))
			continue;
		w.file = c->live[i].ref.path;
		w.num = 0;
		if (!edit_file(w.file, &c->owners, TABLE_MAX_BYTES, edit_remove,
		    &w, error_r))
			return false;
		*num_r += w.num;
	}
	return true;
}

bool
certauth_cert_hashes(X509 *x, char cert_r[65], char spki_r[65])
{
	struct cert	*c = cert_new(x);
	size_t		 i;

	if (c == NULL)
		return false;
	for (i = 0; i < 32; i++) {
		(void)snprintf(cert_r + 2 * i, 3, "%02x", c->sha256[i]);
		(void)snprintf(spki_r + 2 * i, 3, "%02x", c->spki_sha256[i]);
	}
	cert_free(c);
	return true;
}
