/*
 * override.c - for whom does stale data count longer than its grace, until when,
 * and who said so?
 *
 * For the long weekend on which a CA brings no list. A listed serial refuses all
 * the same, and the end comes by itself. Judges no certificate.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "certauth_data.h"
#include "override.h"
#include "revocation/index.h"

/* An emergency; longer is a decision, and belongs into the policy. */
#define OVERRIDE_MAX_SECONDS	((int64_t)30 * 86400)
#define OVERRIDE_MAX_REASON	200
#define OVERRIDE_MAX_BY		64

/* -------------------------------------------------------------------- lines */

static void
clear(struct override *o)
{
	free(o->authority);
	free(o->by);
	free(o->reason);
	memset(o, 0, sizeof(*o));
}

/* The next word; the rest of the line is *p. NULL: none. */
static char *
word(char **p)
{
	char	*start = *p;
	size_t	 len = strcspn(start, " ");

	if (len == 0 || start[len] == '\0')
		return NULL;
	start[len] = '\0';
	*p = start + len + 1;
	return start;
}

/* Cuts the line up. */
static bool
read_line(char *line, struct override *o)
{
	char	*authority, *until, *written, *by, *reason = line;

	memset(o, 0, sizeof(*o));
	authority = word(&reason);
	until = authority != NULL ? word(&reason) : NULL;
	written = until != NULL ? word(&reason) : NULL;
	by = written != NULL ? word(&reason) : NULL;
	if (by == NULL || reason[0] == '\0' ||
	    text_has_control(reason, strlen(reason)) ||
	    !text_utf8_valid(reason, strlen(reason)) ||
	    !text_time_parse(until, &o->until) ||
	    !text_time_parse(written, &o->written))
		return false;
	o->authority = strdup(authority);
	o->by = strdup(by);
	o->reason = strdup(reason);
	if (o->authority != NULL && o->by != NULL && o->reason != NULL)
		return true;
	clear(o);
	return false;
}

/* False: `line_r` is wrong. */
static bool
read_lines(char *text, struct overrides *o, unsigned *line_r)
{
	char	*line;

	for (*line_r = 1; (line = strsep(&text, "\n")) != NULL; (*line_r)++) {
		if (line[0] == '\0' || line[0] == '#')
			continue;
		if (o->num_items == CONFIG_MAX_AUTHORITIES ||
		    !read_line(line, &o->items[o->num_items]))
			return false;
		o->num_items++;
	}
	return true;
}

/* ------------------------------------------------------------------ reading */

void
override_free(struct overrides *o)
{
	size_t	i;

	if (o == NULL || atomic_fetch_sub(&o->refs, 1) != 1)
		return;
	for (i = 0; i < o->num_items; i++)
		clear(&o->items[i]);
	free(o);
}

static struct overrides *
new_overrides(void)
{
	struct overrides	*o = calloc(1, sizeof(*o));

	if (o != NULL)
		atomic_init(&o->refs, 1);
	return o;
}

/* The file in the state folder as it is now; the folder may be new. */
static bool
open_ref(const struct file_ref *state, struct file_ref *ref_r, int *dirfd_r)
{
	static char	name[] = OVERRIDE_NAME;

	memset(ref_r, 0, sizeof(*ref_r));
	*dirfd_r = state->folder_fd < 0 ? -1 : openat(state->folder_fd,
	    state->name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*dirfd_r < 0)
		return false;
	if (asprintf(&ref_r->path, "%s/%s", state->path, name) < 0) {
		ref_r->path = NULL;
		close(*dirfd_r);
		return false;
	}
	ref_r->name = name;
	ref_r->folder_fd = *dirfd_r;
	ref_r->borrowed = true;
	return true;
}

static void
tell(struct certauth *e, const struct overrides *o)
{
	char	line[640], until[32];
	size_t	i;

	for (i = 0; i < o->num_items; i++) {
		(void)snprintf(line, sizeof(line), "authority \"%s\": stale data "
		    "counts until %s by an override of %s: %s",
		    o->items[i].authority, text_time_print(until, sizeof(until),
		    o->items[i].until), o->items[i].by, o->items[i].reason);
		engine_note(e, CERTAUTH_WARNING, e->config->state.path, line);
	}
	if (o->num_items == 0)
		engine_note(e, CERTAUTH_NOTE, e->config->state.path,
		    "no override is in force any more");
}

/* *again_r: our own want, nothing was read. */
static struct overrides *
read_file(struct certauth *e, const struct file_ref *ref, bool *again_r)
{
	struct overrides	*o = new_overrides();
	struct file_owners	 owners = e->config->owners;
	struct certauth_error	 error = { 0 };
	struct file_bytes	 bytes;
	char			 why[640];
	unsigned		 line;

	if (o == NULL)
		return NULL;
	if (!file_read(ref, &owners, OVERRIDE_MAX_BYTES, &bytes, &error)) {
		*again_r = file_look_again(errno);
		if (errno != ENOENT && !*again_r)
			engine_note(e, CERTAUTH_WARNING, ref->path, error.text);
		return o;
	}
	if (memchr(bytes.data, '\0', bytes.data_len) != NULL ||
	    !read_lines((char *)bytes.data, o, &line)) {
		(void)snprintf(why, sizeof(why), "is no file of certauth "
		    "override; it overrides nothing");
		engine_note(e, CERTAUTH_WARNING, ref->path, why);
		while (o->num_items > 0)
			clear(&o->items[--o->num_items]);
	}
	file_bytes_free(&bytes);
	return o;
}

struct overrides *
override_load(struct certauth *e, struct overrides *last, bool *changed_r)
{
	struct file_stamp	 stamp = { 0 };
	struct overrides	*next;
	struct file_ref		 ref;
	bool			 open, again;
	int			 dirfd;

	if (e->config == NULL || !e->config->has_state)
		return NULL;
	open = open_ref(&e->config->state, &ref, &dirfd);
	again = !open && file_look_again(errno);
	if (open)
		file_stat(&ref, &stamp);
	next = again || (last != NULL &&
	    file_stamp_equal(&stamp, &last->stamp)) ? last :
	    open ? read_file(e, &ref, &again) : new_overrides();
	if (again && last != NULL) {
		/* Its stamp is the old one: the next poll looks again. */
		if (next != last)
			override_free(next);
		next = last;
	}
	if (next == last) {
		if (last != NULL)
			atomic_fetch_add(&last->refs, 1);
	} else {
		if (again)
			file_stamp_forget(&stamp);
		if (next != NULL) {
			next->stamp = stamp;
			if (next->num_items > 0 ||
			    (last != NULL && last->num_items > 0)) {
				tell(e, next);
				*changed_r = true;
			}
		}
	}
	if (open) {
		free(ref.path);
		close(dirfd);
	}
	return next;
}

const struct engine_authority *
override_authority(const struct overrides *o, const struct engine_authority *a,
    struct engine_authority *copy)
{
	size_t	i;

	for (i = 0; o != NULL && i < o->num_items; i++)
		if (strcmp(o->items[i].authority, a->name) == 0) {
			*copy = *a;
			copy->revocation.prolonged = o->items[i].until;
			return copy;
		}
	return a;
}

/* --------------------------------------------------------------------- door */

bool
certauth_override_at(struct certauth *e, size_t i,
    struct certauth_override *override_r)
{
	struct snapshot		*data = engine_snapshot(e);
	const struct overrides	*o = data != NULL ? data->overrides : NULL;
	bool			 have = o != NULL && i < o->num_items;

	memset(override_r, 0, sizeof(*override_r));
	if (have) {
		(void)snprintf(override_r->authority,
		    sizeof(override_r->authority), "%s", o->items[i].authority);
		(void)snprintf(override_r->by, sizeof(override_r->by), "%s",
		    o->items[i].by);
		(void)snprintf(override_r->reason, sizeof(override_r->reason),
		    "%s", o->items[i].reason);
		override_r->until = o->items[i].until;
		override_r->written = o->items[i].written;
	}
	snapshot_free(data);
	return have;
}

static bool
known(const struct certauth *e, const char *authority)
{
	size_t	i;

	for (i = 0; i < e->num_authorities; i++)
		if (strcmp(e->authorities[i].name, authority) == 0)
			return true;
	return false;
}

/* Those of others that have not ended stay. */
static void
add_others(struct certauth *e, const char *authority, int64_t now,
    struct text *text)
{
	struct certauth_override	 o;
	char				 until[32], written[32];
	size_t				 i;

	for (i = 0; certauth_override_at(e, i, &o); i++)
		if (o.until > now && strcmp(o.authority, authority) != 0)
			text_printf(text, "%s %s %s %s %s\n", o.authority,
			    text_time_print(until, sizeof(until), o.until),
			    text_time_print(written, sizeof(written), o.written),
			    o.by, o.reason);
}

static bool
ask_back(const struct certauth *e, const char *authority, int64_t now,
    int64_t until, const char *by, const char *reason,
    struct certauth_error *error_r)
{
	size_t	len = strlen(reason);

	if (!known(e, authority)) {
		error_set(error_r, e->path, 0, "there is no such authority");
		return false;
	}
	if (until <= now || until > now + OVERRIDE_MAX_SECONDS) {
		error_set(error_r, NULL, 0, "the time must lie ahead, 30 days "
		    "at most; a longer grace belongs into the policy file");
		return false;
	}
	if (len == 0 || len > OVERRIDE_MAX_REASON ||
	    !text_utf8_valid(reason, len) || text_has_control(reason, len)) {
		error_set(error_r, NULL, 0, "the reason must be one line of 1 to "
		    "%d bytes", OVERRIDE_MAX_REASON);
		return false;
	}
	if (by[0] == '\0' || strlen(by) > OVERRIDE_MAX_BY ||
	    strpbrk(by, " \n\r\t") != NULL) {
		error_set(error_r, NULL, 0, "who asks?");
		return false;
	}
	return true;
}

bool
certauth_override_write(struct certauth *e, const char *authority,
    int64_t until, const char *by, const char *reason,
    struct certauth_error *error_r)
{
	struct publish_folder	folder;
	struct text		text = { 0 };
	char			end[32], begin[32];
	int64_t			now = engine_clock(e);
	bool			ok;

	if (e->config == NULL || !e->config->has_state) {
		error_set(error_r, NULL, 0, "there is no state folder");
		return false;
	}
	if (until != 0 && !ask_back(e, authority, now, until, by, reason,
	    error_r))
		return false;
	if (!publish_begin(&folder, e->config->state.path, error_r))
		return false;
	add_others(e, authority, now, &text);
	if (until != 0)
		text_printf(&text, "%s %s %s %s %s\n", authority,
		    text_time_print(end, sizeof(end), until),
		    text_time_print(begin, sizeof(begin), now), by, reason);
	ok = !text.failed && file_replace(folder.fd, OVERRIDE_NAME,
	    text.data != NULL ? text.data : "", text.len, error_r);
	if (text.failed)
		error_set(error_r, NULL, 0, "out of memory");
	text_free(&text);
	publish_end(&folder);
	return ok;
}
