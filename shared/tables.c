/*
 * tables.c - door 2 for maps: build, check, ask.
 *
 * Without a policy file: somebody tries a map before servers take it up.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certauth_data.h"
#include "engine.h"
#include "identity/table.h"

static struct table *
load(const char *file, struct file_stamp *stamp_r,
    struct certauth_error *error_r)
{
	struct file_owners	 owners;
	struct file_ref		 ref;
	struct table		*table;

	file_owners_init(&owners);
	if (!file_ref_open(&ref, NULL, file, error_r))
		return NULL;
	table = table_load(&ref, &owners, stamp_r, error_r);
	file_ref_close(&ref);
	return table;
}

/* All files of all inputs, folders opened up. */
struct inputs {
	struct file_bytes	*bytes;
	struct table_source	*sources;
	char		       **names;
	size_t			 num;
	int			 like;	/* the first */
};

static void
inputs_free(struct inputs *in)
{
	size_t	i;

	for (i = 0; i < in->num; i++) {
		file_bytes_free(&in->bytes[i]);
		free(in->names[i]);
	}
	free(in->bytes);
	free(in->sources);
	free(in->names);
	if (in->like >= 0)
		close(in->like);
}

static bool
add_file(struct inputs *in, const struct file_ref *ref,
    const struct file_owners *owners, struct certauth_error *error_r)
{
	struct file_stamp	stamp;
	struct file_bytes	bytes;
	char			*name;

	if (in->num == TABLE_MAX_FILES) {
		error_set(error_r, ref->path, 0, "found more than %u files",
		    TABLE_MAX_FILES);
		return false;
	}
	if (in->like < 0)
		in->like = file_open(ref, owners, TABLE_MAX_BYTES, &stamp,
		    error_r);
	if (in->like < 0 || !file_read(ref, owners, TABLE_MAX_BYTES, &bytes,
	    error_r))
		return false;
	name = strdup(ref->path);
	if (name == NULL) {
		file_bytes_free(&bytes);
		error_set(error_r, ref->path, 0, "out of memory");
		return false;
	}
	in->bytes[in->num] = bytes;
	in->names[in->num] = name;
	in->sources[in->num].data = bytes.data;
	in->sources[in->num].data_len = bytes.data_len;
	in->sources[in->num].file = name;
	in->num++;
	return true;
}

static bool
add_input(struct inputs *in, const char *path, const struct file_owners *owners,
    struct certauth_error *error_r)
{
	struct file_list	list;
	struct file_ref		ref;
	size_t			i;
	bool			ok = true;

	if (!file_ref_open(&ref, NULL, path, error_r))
		return false;
	if (!file_is_folder(&ref)) {
		ok = add_file(in, &ref, owners, error_r);
	} else if (!file_list_read(&ref, owners, TABLE_MAX_FILES, &list,
	    error_r)) {
		ok = false;
	} else {
		for (i = 0; ok && i < list.num_refs; i++)
			ok = add_file(in, &list.refs[i], owners, error_r);
		file_list_free(&list);
	}
	file_ref_close(&ref);
	return ok;
}

static bool
describe(const char *file, struct certauth_table_report *report_r,
    struct certauth_error *error_r)
{
	struct file_stamp	 stamp;
	struct table		*table;
	bool			 ok;

	memset(report_r, 0, sizeof(*report_r));
	table = load(file, &stamp, error_r);
	if (table == NULL)
		return false;
	ok = table_is_sound(table, error_r);
	if (!ok)
		(void)snprintf(error_r->file, sizeof(error_r->file), "%s", file);
	errno = EINVAL;
	report_r->rows = table_size(table);
	report_r->bytes = (size_t)stamp.size;
	report_r->compiled = table_is_compiled(table);
	table_free(table);
	return ok;
}

bool
certauth_table_build(const char *const *inputs, size_t num_inputs,
    const char *output, const struct certauth_progress *progress,
    struct certauth_table_report *report_r, struct certauth_error *error_r)
{
	struct file_owners	 owners;
	struct inputs		 in = { .like = -1 };
	struct table		*table = NULL;
	size_t			 i;
	bool			 ok;

	memset(report_r, 0, sizeof(*report_r));
	file_owners_init(&owners);
	in.bytes = calloc(TABLE_MAX_FILES, sizeof(*in.bytes));
	in.sources = calloc(TABLE_MAX_FILES, sizeof(*in.sources));
	in.names = calloc(TABLE_MAX_FILES, sizeof(*in.names));
	ok = in.bytes != NULL && in.sources != NULL && in.names != NULL;
	if (!ok)
		error_set(error_r, output, 0, "out of memory");
	for (i = 0; ok && i < num_inputs; i++) {
		if (progress != NULL)
			progress->fn(progress->context, i, num_inputs, inputs[i]);
		ok = add_input(&in, inputs[i], &owners, error_r);
	}
	if (ok && progress != NULL)
		progress->fn(progress->context, num_inputs, num_inputs, output);
	if (ok) {
		table = table_parse_all(in.sources, in.num, error_r);
		ok = table != NULL && table_write(table, output, in.like,
		    error_r);
	}
	table_free(table);
	inputs_free(&in);
	/* What servers will see, not what was meant. */
	return ok && describe(output, report_r, error_r);
}

bool
certauth_table_make(const struct certauth_bytes *text, const char *name,
    size_t least, const char *output, struct certauth_table_report *report_r,
    struct certauth_error *error_r)
{
	struct table	*table;
	bool		 ok = false;

	memset(report_r, 0, sizeof(*report_r));
	table = table_parse(text->data, text->data_len, name, error_r);
	if (table == NULL)
		return false;
	if (table_size(table) < least)
		error_set(error_r, name, 0, "found %zu lines, and at least %zu "
		    "are expected: over a fifth would be lost; --accept takes it",
		    table_size(table), least);
	else
		ok = table_write(table, output, -1, error_r);
	table_free(table);
	return ok && describe(output, report_r, error_r);
}

bool
certauth_table_check(const char *file, struct certauth_table_report *report_r,
    struct certauth_error *error_r)
{
	return describe(file, report_r, error_r);
}

bool
certauth_table_lookup(const char *file, const char *key, int64_t now,
    char *user_r, size_t user_len, char *groups_r, size_t groups_len,
    bool *found_r, struct certauth_error *error_r)
{
	struct table_entry	 entry;
	struct file_stamp	 stamp;
	struct table		*table = load(file, &stamp, error_r);

	if (table == NULL)
		return false;
	*found_r = table_lookup(table, key, strlen(key),
	    now != 0 ? now : engine_clock(NULL), &entry);
	(void)snprintf(user_r, user_len, "%s", entry.user);
	(void)snprintf(groups_r, groups_len, "%s", entry.groups);
	table_free(table);
	return true;
}
