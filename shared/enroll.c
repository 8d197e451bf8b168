/*
 * enroll.c - a line for somebody's certificate in the map that its rule looks in.
 *
 * Asks the very question that a login asks: only a certificate that is good but
 * unknown gets a line, and only when the login would then lead to that user. What
 * a login would refuse is not enrolled.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/edit.h"
#include "certauth_data.h"
#include "engine.h"
#include "services.h"

/* In a folder of maps, where nothing else is asked for. */
#define ENROLL_FILE	"enrolled.map"

struct enroll {
	struct certauth			*engine;
	const struct certauth_enroll	*ask;
	struct certauth_enrolled	*result;
	struct snapshot			*data;
	struct cert			*leaf;
	const char			*authority;
	const char			*service;	/* by which it comes in */
	struct arena			*arena;
	const struct rules_miss		*miss;
	const struct config_live	*live;		/* that map */
	bool				 folder;
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

/* What the rules say, as in a login. */
static void
ask_rules(struct enroll *e, const char *service, struct table *const *tables,
    struct rules_answer *answer_r)
{
	const struct certauth_profile	*profile = e->ask->profile;
	bool				 pinned = false;
	size_t				 i;

	for (i = 0; i < e->engine->num_authorities; i++)
		if (strcmp(e->engine->authorities[i].name, e->authority) == 0)
			pinned = e->engine->authorities[i].has_issuers;
	rules_ask(profile->rules, &(struct rules_query){ .cert = e->leaf,
	    .authority = e->authority, .pinned = pinned, .service = service,
	    .min_strength = profile->min_strength, .tables = tables,
	    .num_tables = e->data->num_live, .now = e->now }, e->arena, answer_r);
}

/* -------------------------------------------------------------- which map */

/* Which table would have to have it? The first rule that looked and missed. */
static bool
find_table(struct enroll *e, struct rules_answer *answer,
    struct certauth_error *error_r)
{
	size_t	i;

	ask_rules(e, e->service, e->data->tables, answer);
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
	e->live = &e->engine->config->live[e->miss->table];
	e->folder = file_is_folder(&e->live->ref);
	enrolled_names(e->leaf, e->miss->continuity, e->arena, take_name, e);
	return true;
}

/* A name that readers of the folder do not pass over. */
static bool
is_file_name(const char *name)
{
	size_t	len = strlen(name);

	return len > 0 && len < 200 && name[0] != '.' &&
	    strchr(name, '/') == NULL && name[len - 1] != '~' &&
	    (len < 5 || strcmp(name + len - 5, ".part") != 0);
}

/* The text that gets the line, into result->file. */
static bool
find_file(struct enroll *e, struct certauth_error *error_r)
{
	const char	*name = e->ask->file != NULL ? e->ask->file : ENROLL_FILE;
	int		 n;

	if (!e->folder && e->ask->file != NULL)
		return refuse(error_r, "the map is no folder, so there is no "
		    "file to choose in it", e->live->ref.path);
	if (e->folder && !is_file_name(name))
		return refuse(error_r, "this can be no file of a folder of maps",
		    name);
	n = snprintf(e->result->file, sizeof(e->result->file), "%s%s%s",
	    e->live->ref.path, e->folder ? "/" : "", e->folder ? name : "");
	return (n > 0 && (size_t)n < sizeof(e->result->file)) ||
	    refuse(error_r, "the file's name is too long", name);
}

/* ------------------------------------------------------------ what it says */

/* The whole map, with `text` for what stands in the file now. */
static struct table *
whole_map(struct enroll *e, const char *text, size_t text_len,
    struct certauth_error *error_r)
{
	const char		*name = strrchr(e->result->file, '/') + 1;
	struct file_list	 list = { 0 };
	struct file_bytes	*bytes = NULL;
	struct table_source	*sources = NULL;
	struct table		*table = NULL;
	size_t			 i, num = 1;

	if (!e->folder)
		return table_parse((const unsigned char *)text, text_len, "",
		    error_r);
	if (!file_list_read(&e->live->ref, &e->engine->config->owners,
	    TABLE_MAX_FILES, &list, error_r))
		return NULL;
	bytes = calloc(list.num_refs + 1, sizeof(*bytes));
	sources = calloc(list.num_refs + 1, sizeof(*sources));
	if (bytes == NULL || sources == NULL) {
		refuse(error_r, "out of memory", "");
		goto out;
	}
	sources[0] = (struct table_source){ (const unsigned char *)text,
	    text_len, e->result->file };
	for (i = 0; i < list.num_refs; i++) {
		if (strcmp(list.refs[i].name, name) == 0)
			continue;
		if (!file_read(&list.refs[i], &e->engine->config->owners,
		    TABLE_MAX_BYTES, &bytes[num], error_r))
			goto out;
		sources[num] = (struct table_source){ bytes[num].data,
		    bytes[num].data_len, list.refs[i].path };
		num++;
	}
	table = table_parse_all(sources, num, error_r);
out:
	for (i = 0; bytes != NULL && i <= list.num_refs; i++)
		file_bytes_free(&bytes[i]);
	free(bytes);
	free(sources);
	file_list_free(&list);
	return table;
}

static bool
is_denied(struct enroll *e, const char *user, struct certauth_error *error_r)
{
	const char	*detail = "";
	int		 n = e->ask->profile->denied;

	if (n < 0 || (e->data->denied[n] != NULL && !denied_match(
	    e->data->denied[n], e->leaf, user, e->now, e->arena, &detail)))
		return false;
	refuse(error_r, "the user is denied", detail);
	return true;
}

static bool
enters_by(struct enroll *e, const char *service, struct table *const *tables,
    struct certauth_error *error_r)
{
	struct rules_answer	answer;

	ask_rules(e, service, tables, &answer);
	if (answer.reason != CERTAUTH_OK)
		return refuse(error_r, "the login would still be refused",
		    answer.detail != NULL ? answer.detail : "");
	if (strcmp(answer.found, e->ask->user) != 0)
		return refuse(error_r, "the login would lead to another user",
		    answer.found);
	return !is_denied(e, answer.found, error_r) &&
	    !is_denied(e, answer.user, error_r);
}

/* Would a login lead to that user, with this table in place of the old one? */
static bool
would_enter(struct enroll *e, struct table *after,
    struct certauth_error *error_r)
{
	struct table	**tables;
	const char	 *service;
	size_t		  i;

	tables = arena_array(e->arena, e->data->num_live + 1, sizeof(*tables));
	if (tables == NULL)
		return refuse(error_r, "out of memory", "");
	for (i = 0; i < e->data->num_live; i++)
		tables[i] = e->data->tables[i];
	tables[e->miss->table] = after;
	for (i = 0; services_at(e->ask->profile, e->ask->service, i, &service);
	    i++)
		if (enters_by(e, service, tables, error_r))
			return true;
	return false;
}

/* The line, without its end, into result->line. */
static bool
make_line(struct enroll *e, struct text *line, struct certauth_error *error_r)
{
	struct enrolled_mark	 mark = { .ends = e->leaf->not_after };
	char			*issuer = cert_issuer_print(e->leaf);
	bool			 ok;

	mark.authority = e->authority;
	mark.same = e->num_names == 1 ? e->names[0] : "";
	mark.issuer = issuer != NULL ? issuer : "";
	enrolled_print(line, e->miss->key, e->ask->user, e->ask->groups,
	    mark.same[0] != '\0' ? &mark : NULL, e->miss->continuity);
	ok = issuer != NULL && !line->failed && line->len > 0;
	if (ok)
		(void)snprintf(e->result->line, sizeof(e->result->line), "%.*s",
		    (int)line->len - 1, line->data);
	free(issuer);
	return ok || refuse(error_r, "out of memory", "");
}

static bool
edit(void *context, const struct file_bytes *bytes, struct text *text_r,
    bool *changed_r, struct certauth_error *error_r)
{
	struct enroll		*e = context;
	struct table		*before, *after = NULL;
	struct table_entry	 entry;
	struct text		 line = { 0 };
	bool			 ok = false;

	before = whole_map(e, (const char *)bytes->data, bytes->data_len,
	    error_r);
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
	if (!make_line(e, &line, error_r))
		goto out;
	text_add_n(text_r, (const char *)bytes->data, bytes->data_len);
	if (bytes->data_len > 0 && bytes->data[bytes->data_len - 1] != '\n')
		text_add(text_r, "\n");
	text_add(text_r, line.data);
	if (text_r->failed) {
		refuse(error_r, "out of memory", "");
		goto out;
	}
	/* What no server would take up is not written. */
	after = whole_map(e, text_r->data, text_r->len, error_r);
	if (after == NULL || !would_enter(e, after, error_r))
		goto out;
	*changed_r = !e->ask->dry;
	ok = true;
out:
	if (!ok)
		e->result->line[0] = '\0';
	table_free(before);
	table_free(after);
	text_free(&line);
	return ok;
}

/* ----------------------------------------------------------------- writing */

/* A file that is not there yet: nobody's line, and read by whom reads the folder. */
static bool
create_file(struct enroll *e, struct certauth_error *error_r)
{
	const char	*name = strrchr(e->result->file, '/') + 1;
	struct stat	 st;
	int		 dirfd, fd = -1;
	bool		 ok;

	dirfd = open(e->live->ref.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd >= 0 && fstat(dirfd, &st) == 0)
		fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL |
		    O_NOFOLLOW | O_CLOEXEC, 0600);
	ok = fd >= 0 && (geteuid() != 0 || fchown(fd, st.st_uid, st.st_gid) == 0)
	    && fchmod(fd, 0640) == 0;
	if (fd >= 0)
		close(fd);
	if (fd >= 0 && !ok)
		(void)unlinkat(dirfd, name, 0);
	if (dirfd >= 0)
		close(dirfd);
	return ok || refuse(error_r, "cannot be made", e->result->file);
}

static bool
write_line(struct enroll *e, struct certauth_error *error_r)
{
	static unsigned char	 nothing[1] = "";
	const struct file_bytes	 empty = { .data = nothing };
	struct text		 text = { 0 };
	struct stat		 st;
	bool			 changed = false, ok;

	if (!find_file(e, error_r))
		return false;
	if (e->folder && stat(e->result->file, &st) != 0) {
		ok = edit(e, &empty, &text, &changed, error_r);
		text_free(&text);
		if (!ok || !changed)
			return ok;
		if (!create_file(e, error_r))
			return false;
	}
	return edit_file(e->result->file, &e->engine->config->owners,
	    TABLE_MAX_BYTES, edit, e, error_r);
}

/* The refusal brings the line, for the text that the table is made from. */
static bool
refuse_compiled(struct enroll *e, struct certauth_error *error_r)
{
	struct text	line = { 0 };
	bool		ok = make_line(e, &line, error_r);

	text_free(&line);
	if (!ok)
		return false;
	error_set(error_r, NULL, 0, "%.200s is a compiled table: put the line "
	    "into the text that it is made from, and build it again with "
	    "certauth table build", e->live->ref.path);
	return false;
}

/* ------------------------------------------------------------------ public */

/* True: it is good and unknown. */
static bool
ask_login(struct enroll *e, const struct certauth_verdict *v,
    struct certauth_error *error_r)
{
	struct rules_answer	answer;
	const char		*user = certauth_verdict_user(v);

	if (certauth_verdict_decision(v) == CERTAUTH_ACCEPT && user[0] == '\0')
		return refuse(error_r, "the profile names no user", "");
	if (certauth_verdict_decision(v) == CERTAUTH_ACCEPT) {
		ask_rules(e, e->service, e->data->tables, &answer);
		e->result->already = strcmp(answer.found, e->ask->user) == 0;
		return e->result->already ? false : refuse(error_r, "the "
		    "certificate is another user's already", answer.found);
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
				    .now = ask->now, .service = ask->service,
				    .flags = CERTAUTH_FINAL };
	struct enroll		 e = { .engine = engine, .ask = ask,
				    .result = result_r };
	struct rules_answer	 answer;
	struct certauth_verdict	*v = NULL;
	bool			 ok = false;

	memset(result_r, 0, sizeof(*result_r));
	e.now = ask->now != 0 ? ask->now : engine_clock(engine);
	v = services_verify(engine, &request, &e.service);
	e.data = engine_snapshot(engine);
	e.leaf = cert_new(ask->leaf);
	e.arena = arena_new(VERDICT_MAX_BYTES);
	if (v == NULL || e.data == NULL || e.leaf == NULL || e.arena == NULL) {
		refuse(error_r, "out of memory", "");
		goto out;
	}
	e.authority = certauth_verdict_get(v, "authority");
	if (!ask_login(&e, v, error_r)) {
		ok = result_r->already;
		goto out;
	}
	if (!find_table(&e, &answer, error_r))
		goto out;
	ok = table_is_compiled(e.data->tables[e.miss->table]) ?
	    refuse_compiled(&e, error_r) : write_line(&e, error_r);
out:
	certauth_verdict_free(v);
	snapshot_free(e.data);
	cert_free(e.leaf);
	arena_free(e.arena);
	return ok;
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
