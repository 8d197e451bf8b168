/*
 * load.c - which CRL files and indexes are there now, and what of them is good?
 *
 * Reads what changed, shares what did not, keeps the last good of what is bad.
 * Does not judge freshness: that is a question of the moment of a verdict.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "revocation/load.h"

/* One load in progress. */
struct loader {
	const struct revocation_sources	*sources;
	const struct revocation_data	*last;
	struct revocation_data		*data;
	size_t				 capacity;
	revocation_remark_fn		*remark;
	void				*context;
	struct revocation_seen		 seen;
	bool				 changed, failed, no_memory;
};

static void
say(struct loader *loader, enum certauth_severity severity, const char *file,
    const char *text)
{
	if (loader->remark != NULL)
		loader->remark(loader->context, severity, file, text);
}

/* ------------------------------------------------------------------- units */

static int
compare_units(const void *a, const void *b)
{
	return strcmp(((const struct load_unit *)a)->path,
	    ((const struct load_unit *)b)->path);
}

static const struct load_unit *
find_unit(const struct revocation_data *data, const char *path)
{
	struct load_unit	key = { 0 };

	if (data == NULL || data->num_units == 0)
		return NULL;
	key.path = (void *)(uintptr_t)path;
	return bsearch(&key, data->units, data->num_units, sizeof(key),
	    compare_units);
}

/* Takes over memory's reference. */
static void
add_unit(struct loader *loader, const char *path, const struct file_stamp *stamp,
    struct load_memory *memory, bool covered)
{
	struct revocation_data	*data = loader->data;
	struct load_unit	*grown;
	size_t			 more;

	if (data->num_units == loader->capacity) {
		more = loader->capacity == 0 ? 16 : loader->capacity * 2;
		grown = reallocarray(data->units, more, sizeof(*grown));
		if (grown == NULL)
			goto fail;
		data->units = grown;
		loader->capacity = more;
	}
	grown = &data->units[data->num_units];
	memset(grown, 0, sizeof(*grown));
	grown->path = strdup(path);
	if (grown->path == NULL)
		goto fail;
	grown->stamp = *stamp;
	grown->memory = memory;
	grown->covered = covered;
	data->num_units++;
	return;
fail:
	load_memory_free(memory);
	loader->no_memory = true;
}

/* The published index when it has a list from this file, or NULL; *same_r: from
 * exactly this edition, so that we need not read it. */
static const struct index *
published(const struct loader *loader, const char *path,
    const struct file_stamp *stamp, bool *same_r)
{
	const struct index	*index, *found = NULL;
	struct file_stamp	 compiled;
	size_t			 i;

	*same_r = false;
	if (loader->data->mapped == NULL)
		return NULL;
	index = &loader->data->mapped->map.index;
	for (i = 0; i < index_num_rows(index); i++) {
		const struct index_row *row = index_row(index, i);

		if (row == NULL || !load_from_file(index, row, path))
			continue;
		found = index;
		index_row_stamp(row, &compiled);
		if (file_stamp_equal(&compiled, stamp))
			*same_r = true;
	}
	return found;
}

struct remark_context { struct loader *loader; const char *path; bool has_last; };

static void
remark_crl(void *context, const struct crl *crl, const char *error)
{
	struct remark_context	*remark = context;
	char			 text[640];

	(void)crl;
	if (error == NULL)
		return;
	snprintf(text, sizeof(text), "CRL refused: %s; %s", error,
	    remark->has_last ? "the last good one stays in force" :
	    "there is no earlier one");
	say(remark->loader, CERTAUTH_WARNING, remark->path, text);
}

static struct load_memory *
memory_new(struct loader *loader, struct index_writer *writer, const char *path)
{
	struct certauth_error	 error;
	struct load_memory	*memory;

	if (!index_writer_seal(writer, &error)) {
		say(loader, CERTAUTH_WARNING, path, error.text);
		return NULL;
	}
	memory = calloc(1, sizeof(*memory));
	if (memory == NULL) {
		loader->no_memory = true;
		return NULL;
	}
	atomic_init(&memory->refs, 1);
	memory->bytes = index_writer_bytes(writer);
	if (memory->bytes == NULL || !index_open(&memory->index, memory->bytes,
	    index_writer_size(writer), &error)) {
		loader->no_memory = memory->bytes == NULL;
		load_memory_free(memory);
		return NULL;
	}
	return memory;
}

/* What the bytes give; `old` (NULL: none) is shared when it is all there is. */
static struct load_memory *
compile_bytes(struct loader *loader, const unsigned char *data, size_t data_len,
    const char *path, const struct file_stamp *stamp, struct load_memory *old)
{
	struct index_source	 source = { path, *stamp };
	struct remark_context	 remark = { loader, path, false };
	struct index_writer	*writer = index_writer_new();
	struct load_memory	*memory = NULL;
	const struct index	*last;
	bool			 same;

	if (writer == NULL) {
		loader->no_memory = true;
		return load_memory_ref(old);
	}
	/* What is published stays in force by itself and is not copied. */
	last = old != NULL ? &old->index : published(loader, path, stamp, &same);
	remark.has_last = last != NULL;
	if (!load_crls(writer, data, data_len, &source, loader->sources->pools,
	    loader->sources->num_pools, last, old != NULL, remark_crl, &remark))
		loader->failed = true;
	if (index_writer_rows(writer) > 0)
		memory = memory_new(loader, writer, path);
	index_writer_free(writer);
	return memory != NULL ? memory : load_memory_ref(old);
}

static void
advise(struct loader *loader, const char *path, int64_t size, bool too_big)
{
	char	text[256];

	snprintf(text, sizeof(text), too_big ? "has %lld MB; a CRL of more than "
	    "%u MB is taken in compiled form only: run `certauth compile`" :
	    "has %lld MB and every process compiles it for itself; run "
	    "`certauth compile` (from %u MB on it pays)",
	    (long long)(size / (1024 * 1024)),
	    (too_big ? REVOCATION_MAX_BYTES : REVOCATION_ADVISE_BYTES) /
	    (1024 * 1024));
	say(loader, CERTAUTH_WARNING, path, text);
}

/* A new or changed file. */
static void
read_unit(struct loader *loader, const struct file_ref *ref,
    const struct file_stamp *seen, const struct load_unit *old)
{
	struct load_memory	*last = old != NULL ? old->memory : NULL;
	struct load_memory	*memory;
	struct certauth_error	 error;
	struct file_bytes	 bytes;
	struct file_stamp	 stamp = *seen;
	char			 text[640];

	loader->changed = true;
	if (stamp.size > (int64_t)REVOCATION_MAX_BYTES) {
		loader->failed = true;
		advise(loader, ref->path, stamp.size, true);
		add_unit(loader, ref->path, &stamp, load_memory_ref(last), false);
		return;
	}
	if (!file_read(ref, loader->sources->owners, REVOCATION_MAX_BYTES,
	    &bytes, &error)) {
		if (file_look_again(errno))
			file_stamp_forget(&stamp);
		loader->failed = true;
		snprintf(text, sizeof(text), "CRL refused: %s; %s", error.text,
		    last != NULL ? "the last good one stays in force" :
		    "there is no earlier one");
		say(loader, CERTAUTH_WARNING, ref->path, text);
		add_unit(loader, ref->path, &stamp, load_memory_ref(last), false);
		return;
	}
	if (bytes.data_len >= REVOCATION_ADVISE_BYTES)
		advise(loader, ref->path, bytes.stamp.size, false);
	errno = 0;
	memory = compile_bytes(loader, bytes.data, bytes.data_len, ref->path,
	    &bytes.stamp, last);
	/* Refused for want of memory, ours or OpenSSL's: both are malloc's. */
	if (errno == ENOMEM)
		file_stamp_forget(&bytes.stamp);
	add_unit(loader, ref->path, &bytes.stamp, memory, false);
	file_bytes_free(&bytes);
}

/* A file that is not there (any more): what it said last stays. */
static void
missing_unit(struct loader *loader, const char *path,
    const struct load_unit *old)
{
	struct file_stamp	 none = { 0 };
	struct load_memory	*memory = old != NULL ? old->memory : NULL;

	if (old == NULL || !file_stamp_equal(&old->stamp, &none)) {
		loader->changed = true;
		loader->failed = true;
		say(loader, CERTAUTH_WARNING, path, memory != NULL ||
		    (old != NULL && old->covered) ?
		    "the CRL file is gone; the last good one stays in force" :
		    "there is no such CRL file");
	}
	add_unit(loader, path, &none, load_memory_ref(memory), false);
}

static void
load_file(struct loader *loader, const struct file_ref *ref)
{
	const struct load_unit	*old = find_unit(loader->last, ref->path);
	struct file_stamp	 stamp, none = { 0 };
	bool			 same;

	file_stat(ref, &stamp);
	if (file_stamp_equal(&stamp, &none)) {
		missing_unit(loader, ref->path, old);
		return;
	}
	/* Neither the file nor what is published changed: as it was. */
	if (old != NULL && file_stamp_equal(&old->stamp, &stamp) &&
	    loader->data->mapped == loader->last->mapped) {
		add_unit(loader, ref->path, &stamp,
		    load_memory_ref(old->memory), old->covered);
		return;
	}
	published(loader, ref->path, &stamp, &same);
	if (same) {
		if (old == NULL || !old->covered)
			loader->changed = true;
		add_unit(loader, ref->path, &stamp, NULL, true);
		return;
	}
	if (old != NULL && !old->covered &&
	    file_stamp_equal(&old->stamp, &stamp)) {
		add_unit(loader, ref->path, &stamp,
		    load_memory_ref(old->memory), false);
		return;
	}
	read_unit(loader, ref, &stamp, old);
}

/* ----------------------------------------------------------------- sources */

static void
load_folder(struct loader *loader, size_t source)
{
	const struct file_ref	*ref = &loader->sources->crls[source];
	struct file_list	 list = { 0 };
	struct certauth_error	 error;
	size_t			 i, left = REVOCATION_MAX_FILES;
	bool			 was = loader->last != NULL &&
				    source < loader->last->num_broken &&
				    loader->last->broken[source];

	left -= loader->data->num_units < left ? loader->data->num_units : left;
	if (!file_list_read(ref, loader->sources->owners, left, &list, &error)) {
		/* Its files are gone for us: keep_gone() keeps what they said. */
		loader->data->broken[source] = true;
		if (!was) {
			loader->changed = true;
			loader->failed = true;
			say(loader, CERTAUTH_WARNING, ref->path, error.text);
		}
		return;
	}
	if (was)
		loader->changed = true;
	for (i = 0; i < list.num_refs; i++)
		load_file(loader, &list.refs[i]);
	file_list_free(&list);
}

static void
load_sources(struct loader *loader)
{
	const struct revocation_sources	*sources = loader->sources;
	size_t				 i;

	for (i = 0; i < sources->num_crls; i++) {
		if (file_is_folder(&sources->crls[i]))
			load_folder(loader, i);
		else if (loader->data->num_units < REVOCATION_MAX_FILES)
			load_file(loader, &sources->crls[i]);
	}
}

static void
sort_units(struct revocation_data *data)
{
	size_t	i, n = 0;

	if (data->num_units == 0)
		return;
	qsort(data->units, data->num_units, sizeof(*data->units), compare_units);
	/* One file named twice (by two authorities) is one unit. */
	for (i = 0; i < data->num_units; i++) {
		if (n > 0 && strcmp(data->units[n - 1].path,
		    data->units[i].path) == 0) {
			free(data->units[i].path);
			load_memory_free(data->units[i].memory);
		} else
			data->units[n++] = data->units[i];
	}
	data->num_units = n;
}

/*
 * Files of `last` that no source gives any more: removed from a folder. What
 * they said stays until somebody says something at least as new; a renamed file
 * or one with the date in its name is no loss and no remark.
 */
static void
keep_gone(struct loader *loader)
{
	size_t	i, num_units = loader->data->num_units;

	if (loader->last == NULL)
		return;
	for (i = 0; i < loader->last->num_units; i++) {
		const struct load_unit *old = &loader->last->units[i];
		struct load_unit	key = { 0 };

		key.path = old->path;
		if (num_units > 0 && bsearch(&key, loader->data->units,
		    num_units, sizeof(key), compare_units) != NULL)
			continue;
		if (old->memory == NULL ||
		    load_superseded(loader->data, num_units, old->memory) ||
		    loader->data->num_units >= 2 * REVOCATION_MAX_FILES) {
			loader->changed = true;
			continue;
		}
		missing_unit(loader, old->path, old);
	}
}

/* --------------------------------------------------------------- published */

/* Of some scope it has lists, and all of them are older than one it had. */
static bool
goes_back(const struct index *old, const struct index *new)
{
	size_t	i, j, first, n;
	bool	older;

	for (i = 0; i < index_num_rows(old); i++) {
		const struct index_row *was = index_row(old, i);

		if (was == NULL)
			continue;
		n = index_find(new, was->issuer_sha256, &first);
		for (older = false, j = first; j < first + n; j++) {
			const struct index_row *is = index_row(new, j);

			if (is == NULL || !index_same_scope(old, was, new, is))
				continue;
			older = index_compare_age(is, was) < 0;
			if (!older)
				break;
		}
		if (older)
			return true;
	}
	return false;
}

static void
refuse_published(struct loader *loader, const char *text)
{
	char	line[640];

	loader->failed = true;
	snprintf(line, sizeof(line), "published index refused: %s; %s", text,
	    loader->data->mapped != NULL ? "the last good one stays in force" :
	    "there is no earlier one");
	say(loader, CERTAUTH_WARNING, loader->sources->state->path, line);
}

static void
load_published(struct loader *loader)
{
	const struct file_stamp	 was = loader->seen.crls;
	struct revocation_data	*data = loader->data;
	struct load_mapped	*mapped;
	struct certauth_error	 error = { 0 };
	struct publish_map	 map;
	enum publish_news	 news;

	if (loader->last != NULL && loader->last->mapped != NULL) {
		data->mapped = loader->last->mapped;
		atomic_fetch_add_explicit(&data->mapped->refs, 1,
		    memory_order_relaxed);
	}
	if (loader->sources->state == NULL)
		return;
	news = publish_open(loader->sources->state, loader->sources->owners,
	    &was, &loader->seen.crls, &map, &error);
	if (news == PUBLISH_SAME)
		return;
	/* Another line of the manifest changed, not this one. */
	if (news == PUBLISH_TAKEN && data->mapped != NULL &&
	    memcmp(&data->mapped->map.entry, &map.entry,
	    sizeof(map.entry)) == 0) {
		publish_unmap(&map);
		return;
	}
	if (file_stamp_equal(&was, &loader->seen.crls) &&
	    (news == PUBLISH_NONE ||
	    (news == PUBLISH_FAILED && loader->last != NULL)))
		return;		/* as before, and said already */
	if (news == PUBLISH_NONE) {
		if (data->mapped != NULL)
			refuse_published(loader, "the manifest is gone");
		return;
	}
	if (news == PUBLISH_FAILED) {
		refuse_published(loader, error.text);
		return;
	}
	if (data->mapped != NULL &&
	    goes_back(&data->mapped->map.index, &map.index)) {
		refuse_published(loader, "it has a list that is older than the "
		    "one in force");
		publish_unmap(&map);
		return;
	}
	mapped = calloc(1, sizeof(*mapped));
	if (mapped == NULL) {
		publish_unmap(&map);
		loader->no_memory = true;
		return;
	}
	atomic_init(&mapped->refs, 1);
	mapped->map = map;
	snprintf(mapped->source, sizeof(mapped->source), "index %s",
	    map.entry.name);
	load_mapped_free(data->mapped);
	data->mapped = mapped;
	loader->changed = true;
}

/* ------------------------------------------------------------------ public */

struct revocation_data *
revocation_load(const struct revocation_sources *sources,
    const struct revocation_data *last, revocation_remark_fn *remark,
    void *context, bool *changed_r, bool *failed_r)
{
	struct loader	loader = {
		.sources = sources, .last = last, .remark = remark,
		.context = context, .changed = last == NULL
	};

	*changed_r = *failed_r = false;
	if (last != NULL && sources->seen != NULL)
		loader.seen = *sources->seen;
	loader.data = load_data_new(sources->num_crls);
	if (loader.data == NULL)
		return NULL;
	load_published(&loader);
	loader.changed |= load_answers(sources, last, loader.data,
	    &loader.seen.answers, remark, context);
	load_sources(&loader);
	sort_units(loader.data);
	keep_gone(&loader);
	sort_units(loader.data);
	*changed_r = loader.changed;
	*failed_r = loader.failed;
	if (loader.no_memory || (loader.changed &&
	    !load_put_in_force(loader.data))) {
		revocation_free(loader.data);
		return NULL;
	}
	/* Also when nothing is new: another line of the manifest may be, and is
	 * looked at once. */
	if (sources->seen != NULL)
		*sources->seen = loader.seen;
	if (loader.changed)
		return loader.data;
	revocation_free(loader.data);
	return revocation_ref(last);
}

struct revocation_data *
revocation_load_bytes(const struct certauth_bytes *crls, size_t num_crls,
    const struct pool *pool, revocation_remark_fn *remark, void *context)
{
	const struct file_stamp		 none = { 0 };
	const struct revocation_sources	 sources = {
		.pools = &pool, .num_pools = 1
	};
	struct loader			 loader = {
		.sources = &sources, .remark = remark, .context = context
	};
	char				 name[48];
	size_t				 i;

	loader.data = load_data_new(0);
	if (loader.data == NULL)
		return NULL;
	for (i = 0; i < num_crls && i < REVOCATION_MAX_FILES; i++) {
		snprintf(name, sizeof(name), "given CRL %04zu", i + 1);
		add_unit(&loader, name, &none, compile_bytes(&loader,
		    crls[i].data, crls[i].data_len, name, &none, NULL), false);
	}
	if (loader.no_memory || !load_put_in_force(loader.data)) {
		revocation_free(loader.data);
		return NULL;
	}
	return loader.data;
}
