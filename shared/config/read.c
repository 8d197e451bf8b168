/*
 * read.c - what is written in the policy file, with its includes?
 *
 * libconfig 1.5 ends the process on `@include "FOLDER"`, takes a cut comment or
 * an empty file for complete, stops at NUL and cuts large numbers. So we read
 * the bytes and split them into tokens (scan.c); libconfig gets a text in which
 * none of that is left, and knows the grammar. Knows no setting.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/read.h"
#include "config/scan.h"

static bool scan_file(struct scan *, const char *, const char *);

/* Says where the include stands, and what was wrong with the file. */
static bool
include_fault(const struct cursor *cur, const char *name,
    const struct certauth_error *why)
{
	char	shown[128];

	text_printable(shown, sizeof(shown), name, strlen(name));
	error_set(cur->scan->error_r, cur->scan->source->files[cur->file],
	    cur->line, "@include \"%s\": %s %s", shown, why->file, why->text);
	return false;
}

bool
scan_include(struct cursor *cur, const char *name)
{
	struct scan		*scan = cur->scan;
	struct certauth_error	 why;
	const char		*file;
	char			*folder = NULL;
	bool			 ok = false;

	if (++scan->includes > CONFIG_MAX_INCLUDES) {
		scan_fault(cur, "more than 64 includes");
		goto out;
	}
	if (scan->depth > SOURCE_MAX_DEPTH) {
		scan_fault(cur, "includes within includes, more than 8 deep");
		goto out;
	}
	/* Relative to the folder of this file, not of the main one. */
	file = scan->source->files[cur->file];
	folder = strndup(file, (size_t)(strrchr(file, '/') - file) + 1);
	if (folder == NULL) {
		scan_no_memory(scan);
		goto out;
	}
	ok = scan_file(scan, folder, name);
	/* With a line the fault is inside that file and says so itself. */
	if (!ok && scan->error_r != NULL && scan->error_r->line == 0) {
		why = *scan->error_r;
		include_fault(cur, name, &why);
	}
out:
	free(folder);
	return ok;
}

static bool
add_file(struct scan *scan, const char *path)
{
	struct conf_source	*source = scan->source;
	char		**files;

	files = reallocarray(source->files, source->num_files + 1,
	    sizeof(*files));
	if (files == NULL)
		return scan_no_memory(scan);
	source->files = files;
	files[source->num_files] = strdup(path);
	if (files[source->num_files] == NULL)
		return scan_no_memory(scan);
	source->num_files++;
	return true;
}

static bool
check_file(struct scan *scan, const char *path, const struct file_bytes *bytes)
{
	unsigned	i;

	for (i = 0; i < scan->depth; i++)
		if (scan->open[i].device == bytes->stamp.device &&
		    scan->open[i].inode == bytes->stamp.inode) {
			error_set(scan->error_r, path, 0, "includes itself");
			return false;
		}
	if (bytes->data_len == 0) {
		error_set(scan->error_r, path, 0, "is empty; expected settings");
		return false;
	}
	scan->bytes += bytes->data_len;
	if (scan->bytes > CONFIG_MAX_BYTES) {
		error_set(scan->error_r, path, 0, "brings the policy over %u "
		    "bytes in all", CONFIG_MAX_BYTES);
		return false;
	}
	return true;
}

static bool
scan_file(struct scan *scan, const char *base, const char *path)
{
	struct file_ref		 ref = { 0 };
	struct file_bytes	 bytes = { 0 };
	bool			 ok = false;

	if (!(scan->bundle != NULL ?
	    bundle_ref(&ref, scan->bundle, base, path, scan->error_r) :
	    file_ref_open(&ref, base, path, scan->error_r)))
		return false;
	if (!file_read(&ref, scan->owners, CONFIG_MAX_BYTES, &bytes,
	    scan->error_r) || !check_file(scan, ref.path, &bytes) ||
	    !add_file(scan, ref.path))
		goto out;
	scan->open[scan->depth].device = bytes.stamp.device;
	scan->open[scan->depth].inode = bytes.stamp.inode;
	scan->depth++;
	ok = scan_bytes(scan, (unsigned)scan->source->num_files - 1, &bytes);
	scan->depth--;
out:
	file_bytes_free(&bytes);
	file_ref_close(&ref);
	return ok;
}

bool
conf_source_read(struct conf_source *source, const struct bundle *bundle,
    const char *path, const struct file_owners *owners,
    struct certauth_error *error_r)
{
	struct certauth_error	 own;
	struct scan		 scan = { .source = source, .bundle = bundle,
				    .owners = owners };
	bool			 ok;

	memset(source, 0, sizeof(*source));
	/* take_include() looks at it. */
	scan.error_r = error_r != NULL ? error_r : &own;
	ok = scan_file(&scan, NULL, path);
	if (ok && source->num_places == 0) {
		error_set(scan.error_r, source->files[0], 1, "holds no setting; "
		    "expected at least version = 1;");
		ok = false;
	}
	if (ok) {
		source->text = text_take(&scan.out);
		if (source->text == NULL)
			ok = scan_no_memory(&scan);
	}
	text_free(&scan.out);
	if (!ok)
		conf_source_free(source);
	return ok;
}

void
conf_source_free(struct conf_source *source)
{
	size_t	i;

	if (source == NULL)
		return;
	for (i = 0; i < source->num_files; i++)
		free(source->files[i]);
	free(source->files);
	free(source->places);
	free(source->text);
	memset(source, 0, sizeof(*source));
}

const char *
conf_source_place(const struct conf_source *source, unsigned line, unsigned *line_r)
{
	/* libconfig gives 0 or one past the end where it has no line. */
	if (line == 0)
		line = 1;
	if (line > source->num_places)
		line = (unsigned)source->num_places;
	*line_r = source->places[line - 1].line;
	return source->files[source->places[line - 1].file];
}
