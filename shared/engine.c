/*
 * engine.c - how is data taken up while others verify?
 *
 * Snapshots and notes. Reads maps and denied files; the revocation room reads
 * its own. Judges nothing.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "base/text.h"
#include "engine.h"
#include "fetched.h"
#include "override.h"

struct certauth *
engine_new(const char *path)
{
	struct certauth	*e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->path = strdup(path);
	if (e->path == NULL) {
		free(e);
		return NULL;
	}
	e->test_clock.folder_fd = e->refresher.folder_fd = -1;
	e->verdicts = verdict_cache_new();
	e->signatures = sigcache_new();
	if (RAND_bytes((unsigned char *)&e->id, (int)sizeof(e->id)) != 1)
		e->id = (uint64_t)(uintptr_t)e;
	pthread_mutex_init(&e->lock, NULL);
	pthread_mutex_init(&e->polling, NULL);
	return e;
}

/* ------------------------------------------------------------------- notes */

void
engine_note(struct certauth *e, enum certauth_severity severity,
    const char *file, const char *text)
{
	struct certauth_note	*n;
	char			 shown[512];

	text_printable(shown, sizeof(shown), file, strlen(file));
	pthread_mutex_lock(&e->lock);
	if (e->num_notes == ENGINE_MAX_NOTES) {
		e->lost_notes++;
	} else {
		n = &e->notes[(e->first_note + e->num_notes++) % ENGINE_MAX_NOTES];
		n->severity = severity;
		(void)snprintf(n->text, sizeof(n->text), "%s%s%s", shown,
		    shown[0] != '\0' ? ": " : "", text);
	}
	pthread_mutex_unlock(&e->lock);
}

bool
certauth_take_note(struct certauth *e, struct certauth_note *note_r)
{
	bool	have = true;

	pthread_mutex_lock(&e->lock);
	if (e->num_notes > 0) {
		*note_r = e->notes[e->first_note];
		e->first_note = (e->first_note + 1) % ENGINE_MAX_NOTES;
		e->num_notes--;
	} else if (e->lost_notes > 0) {
		note_r->severity = CERTAUTH_WARNING;
		(void)snprintf(note_r->text, sizeof(note_r->text),
		    "%zu more remarks were left out; run certauth check",
		    e->lost_notes);
		e->lost_notes = 0;
	} else {
		have = false;
	}
	pthread_mutex_unlock(&e->lock);
	return have;
}

/* --------------------------------------------------------------- snapshots */

struct snapshot *
snapshot_new(size_t num_live)
{
	struct snapshot	*s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	atomic_init(&s->refs, 1);
	s->num_live = num_live;
	s->tables = calloc(num_live + 1, sizeof(*s->tables));
	s->denied = calloc(num_live + 1, sizeof(*s->denied));
	if (s->tables == NULL || s->denied == NULL) {
		snapshot_free(s);
		return NULL;
	}
	return s;
}

void
snapshot_free(struct snapshot *s)
{
	size_t	i;

	if (s == NULL || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	revocation_free(s->revocation);
	fetched_free(s->fetched);
	override_free(s->overrides);
	for (i = 0; i < s->num_live; i++) {
		if (s->tables != NULL)
			table_free(s->tables[i]);
		if (s->denied != NULL)
			denied_free(s->denied[i]);
	}
	free(s->tables);
	free(s->denied);
	free(s);
}

struct snapshot *
engine_snapshot(struct certauth *e)
{
	struct snapshot	*s;

	pthread_mutex_lock(&e->lock);
	s = e->current;
	if (s != NULL)
		atomic_fetch_add(&s->refs, 1);
	pthread_mutex_unlock(&e->lock);
	return s;
}

uint64_t
certauth_generation(const struct certauth *e)
{
	struct certauth	*open = (struct certauth *)(uintptr_t)e;
	uint64_t	 generation;

	pthread_mutex_lock(&open->lock);
	generation = e->current != NULL ? e->current->generation : 0;
	pthread_mutex_unlock(&open->lock);
	return generation;
}

/* One map or denied file, parsed into the new snapshot. False: errno tells our own
 * want from the file's fault (file_look_again). */
static bool
load_live(struct certauth *e, struct snapshot *next, size_t i,
    struct certauth_error *error_r)
{
	const struct config_live	*live = &e->config->live[i];
	struct file_bytes		 bytes;
	struct file_stamp		 stamp;
	int				 error;

	if (live->kind == CONFIG_TABLE) {
		next->tables[i] = table_load(&live->ref, &e->config->owners,
		    &stamp, error_r);
		if (next->tables[i] != NULL)
			e->live[i].stamp = stamp;
		return next->tables[i] != NULL;
	}
	if (!file_read(&live->ref, &e->config->owners, DENIED_MAX_BYTES, &bytes,
	    error_r))
		return false;
	/* What was read counts, not what stands there by now. */
	e->live[i].stamp = bytes.stamp;
	next->denied[i] = denied_parse(bytes.data, bytes.data_len,
	    live->ref.path, error_r);
	error = errno;
	file_bytes_free(&bytes);
	errno = error;
	return next->denied[i] != NULL;
}

static void
live_stamp(const struct certauth *e, size_t i, struct file_stamp *stamp_r)
{
	const struct config_live	*live = &e->config->live[i];

	if (live->kind == CONFIG_TABLE)
		table_stamp(&live->ref, &e->config->owners, stamp_r);
	else
		file_stat(&live->ref, stamp_r);
}

static void
keep_live(struct snapshot *next, const struct snapshot *last, size_t i)
{
	if (last->tables[i] != NULL)
		next->tables[i] = table_ref(last->tables[i]);
	if (last->denied[i] != NULL)
		next->denied[i] = denied_ref(last->denied[i]);
}

/* True: it was told. The same words of the same file are told once. */
static bool
tell_live(struct certauth *e, struct live_state *live,
    const struct certauth_error *error)
{
	char	text[600];

	if (error->line > 0)
		(void)snprintf(text, sizeof(text), "line %u: %s; the last good "
		    "version stays in force", error->line, error->text);
	else
		(void)snprintf(text, sizeof(text), "%s; the last good version "
		    "stays in force", error->text);
	if (live->said != NULL && strcmp(live->said, text) == 0)
		return false;
	free(live->said);
	live->said = strdup(text);	/* NULL: told again, no harm */
	engine_note(e, CERTAUTH_FATAL, error->file, text);
	return true;
}

/* Is there anything to read? Then what was said of the former file is over. */
static bool
live_changed(const struct certauth *e, size_t i)
{
	struct live_state	*live = &e->live[i];
	struct file_stamp	 stamp;

	live_stamp(e, i, &stamp);
	if (file_stamp_equal(&stamp, &live->stamp))
		return live->again;
	live->stamp = stamp;	/* remarked once per change */
	free(live->said);
	live->said = NULL;
	return true;
}

static bool
load_live_files(struct certauth *e, struct snapshot *next, bool *changed_r,
    bool *failed_r, struct certauth_error *error_r)
{
	struct certauth_error	error = { .line = 0 };
	size_t			i;

	for (i = 0; i < next->num_live; i++) {
		if (e->current != NULL && !live_changed(e, i)) {
			keep_live(next, e->current, i);
			continue;
		}
		e->live[i].again = false;
		if (load_live(e, next, i, &error)) {
			*changed_r = true;
			continue;
		}
		e->live[i].again = file_look_again(errno);
		if (e->current == NULL) {
			*error_r = error;
			*failed_r = true;
			return false;
		}
		keep_live(next, e->current, i);
		if (!tell_live(e, &e->live[i], &error))
			continue;
		if (!*failed_r)
			*error_r = error;
		*failed_r = true;
	}
	return true;
}

static void
note_revocation(void *context, enum certauth_severity severity,
    const char *file, const char *text)
{
	engine_note(context, severity, file, text);
}

static void
note_times(struct snapshot *s)
{
	size_t	i;

	for (i = 0; i < s->num_live && !s->timed; i++)
		s->timed = (s->tables[i] != NULL &&
		    table_is_timed(s->tables[i])) ||
		    (s->denied[i] != NULL && denied_is_timed(s->denied[i]));
}

bool
engine_load(struct certauth *e, bool first, bool *changed_r, bool *failed_r,
    struct certauth_error *error_r)
{
	const struct revocation_sources	 sources = {
		.pools = e->pools, .num_pools = e->num_authorities,
		.crls = e->crls, .num_crls = e->num_crls,
		.state = e->config->has_state ? &e->config->state : NULL,
		.owners = &e->config->owners, .seen = &e->seen,
	};
	struct snapshot	*next, *last;
	bool		 crl_changed = false, crl_failed = false;
	size_t		 i;

	*changed_r = *failed_r = false;
	next = snapshot_new(e->config->num_live);
	if (next == NULL) {
		error_set(error_r, e->path, 0, "out of memory");
		*failed_r = true;
		return false;
	}
	if (!load_live_files(e, next, changed_r, failed_r, error_r)) {
		snapshot_free(next);
		return false;
	}
	note_times(next);
	next->revocation = revocation_load(&sources,
	    first ? NULL : e->current->revocation, note_revocation, e,
	    &crl_changed, &crl_failed);
	if (next->revocation == NULL) {
		error_set(error_r, e->path, 0, "out of memory");
		*failed_r = true;
		snapshot_free(next);
		/* what was read just now is lost with it */
		for (i = 0; i < e->config->num_live; i++)
			e->live[i].again = true;
		return false;
	}
	next->fetched = fetched_load(e, first ? NULL : e->current->fetched,
	    changed_r);
	next->overrides = override_load(e, first ? NULL : e->current->overrides,
	    changed_r);
	if (crl_failed && !*failed_r)
		error_set(error_r, e->path, 0, "new revocation data was "
		    "refused; the last good stays in force (see the notes)");
	*changed_r |= crl_changed || first;
	*failed_r |= crl_failed;
	last = e->current;
	next->generation = (last != NULL ? last->generation : 0) + *changed_r;
	pthread_mutex_lock(&e->lock);
	e->current = next;
	pthread_mutex_unlock(&e->lock);
	snapshot_free(last);
	return true;
}

/* ---------------------------------------------------------------- CA names */

/* Few CAs: a list is searched. Returns false on no memory. */
static bool
add_name(STACK_OF(X509_NAME) *names, const struct pool_member *m)
{
	X509_NAME	*name = pool_name(m);
	int		 i;

	if (name == NULL)
		return false;
	for (i = 0; i < sk_X509_NAME_num(names); i++)
		if (X509_NAME_cmp(sk_X509_NAME_value(names, i), name) == 0)
			break;
	if (i == sk_X509_NAME_num(names) && sk_X509_NAME_push(names, name) > 0)
		return true;
	X509_NAME_free(name);
	return i < sk_X509_NAME_num(names);
}

static bool
add_names(STACK_OF(X509_NAME) *names, const struct engine_authority *a,
    unsigned roles)
{
	const struct pool_member	*m;
	size_t				 i;

	for (i = 0; (m = pool_at(a->pool, i)) != NULL; i++)
		if ((m->roles & roles) != 0 && !add_name(names, m))
			return false;
	return true;
}

bool
engine_name_profiles(struct certauth *e)
{
	struct certauth_profile		*p;
	const struct engine_authority	*a;
	size_t				 i, j;

	for (i = 0; i < e->num_profiles; i++) {
		p = &e->profiles[i];
		p->names_issuers = sk_X509_NAME_new_null();
		p->names_anchors = sk_X509_NAME_new_null();
		if (p->names_issuers == NULL || p->names_anchors == NULL)
			return false;
		/* Issuing CAs first: a client looks for its own issuer. */
		for (j = 0; j < p->num_authorities; j++) {
			a = &e->authorities[p->authorities[j]];
			if (!add_names(p->names_issuers, a, a->has_issuers ?
			    POOL_ISSUER : POOL_INTERMEDIATE))
				return false;
		}
		for (j = 0; j < p->num_authorities; j++) {
			a = &e->authorities[p->authorities[j]];
			if (!add_names(p->names_issuers, a, POOL_ANCHOR) ||
			    !add_names(p->names_anchors, a, POOL_ANCHOR))
				return false;
		}
	}
	return true;
}
