/*
 * bundle.c - which files are kept in this one?
 *
 * Knows nothing of what is in them, nor where a bundle comes from.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bundle.h"
#include "base/open.h"

/* ----------------------------------------------------------------- filling */

static const char *
below(const char *path, const char *root)
{
	size_t	len = root != NULL ? strlen(root) : 0;

	if (root == NULL || strncmp(path, root, len) != 0)
		return NULL;
	return path[len] == '/' ? path + len + 1 :
	    path[len] == '\0' ? path + len : NULL;
}

/* What it is kept by: "" is the root. */
static const char *
key(const struct bundle *bundle, const char *path)
{
	const char	*rest = below(path, bundle->root);

	if (rest == NULL)
		rest = below(path, bundle->made_at);
	return rest != NULL ? rest : path;
}

/* The first whose path is not below `path`: where it is, or belongs. */
static size_t
position(const struct bundle *bundle, const char *path)
{
	size_t	low = 0, high = bundle->num_files, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (strcmp(bundle->files[middle].path, path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct bundle_file *
bundle_find(const struct bundle *bundle, const char *path)
{
	size_t	at;

	path = key(bundle, path);
	at = position(bundle, path);
	return at < bundle->num_files &&
	    strcmp(bundle->files[at].path, path) == 0 ? &bundle->files[at] : NULL;
}

static bool
add(struct bundle *bundle, const char *path, const unsigned char *data,
    size_t data_len, struct certauth_error *error_r)
{
	struct bundle_file	*files, new = { .data_len = data_len };
	unsigned char		*copy = NULL;
	size_t			 at;

	if (bundle_find(bundle, path) != NULL)
		return true;
	path = key(bundle, path);
	at = position(bundle, path);
	if (strchr(path, '\n') != NULL) {
		error_set(error_r, path, 0, "has a line feed in its name");
		return false;
	}
	if (bundle->num_files >= BUNDLE_MAX_FILES ||
	    data_len > BUNDLE_MAX_BYTES - bundle->bytes) {
		error_set(error_r, path, 0, "is one too many: more than %u files, "
		    "or %zu bytes", BUNDLE_MAX_FILES, BUNDLE_MAX_BYTES);
		return false;
	}
	files = reallocarray(bundle->files, bundle->num_files + 1,
	    sizeof(*files));
	if (files != NULL)
		bundle->files = files;
	new.path = strdup(path);
	if (data != NULL)
		copy = malloc(data_len + 1);
	if (files == NULL || new.path == NULL || (data != NULL && copy == NULL)) {
		error_set(error_r, path, 0, "out of memory");
		free((char *)(uintptr_t)new.path);
		free(copy);
		return false;
	}
	if (copy != NULL)
		memcpy(copy, data, data_len);
	new.data = copy;
	memmove(files + at + 1, files + at, (bundle->num_files - at) *
	    sizeof(*files));
	files[at] = new;
	bundle->num_files++;
	bundle->bytes += data_len;
	return true;
}

bool
bundle_add_file(struct bundle *bundle, const char *path,
    const unsigned char *data, size_t data_len, struct certauth_error *error_r)
{
	return add(bundle, path, data, data_len, error_r);
}

bool
bundle_add_folder(struct bundle *bundle, const char *path,
    struct certauth_error *error_r)
{
	return add(bundle, path, NULL, 0, error_r);
}

void
bundle_free(struct bundle *bundle)
{
	size_t	i;

	for (i = 0; i < bundle->num_files; i++) {
		free((char *)(uintptr_t)bundle->files[i].path);
		free((unsigned char *)(uintptr_t)bundle->files[i].data);
	}
	free(bundle->files);
	free(bundle->root);
	free(bundle->made_at);
	memset(bundle, 0, sizeof(*bundle));
}

bool
bundle_equal(const struct bundle *a, const struct bundle *b)
{
	const struct bundle_file	*x, *y;
	size_t				 i;

	if (a->num_files != b->num_files)
		return false;
	for (i = 0; i < a->num_files; i++) {
		x = &a->files[i];
		y = &b->files[i];
		if (strcmp(x->path, y->path) != 0 ||
		    (x->data == NULL) != (y->data == NULL) ||
		    x->data_len != y->data_len || (x->data != NULL &&
		    memcmp(x->data, y->data, x->data_len) != 0))
			return false;
	}
	return true;
}

/* -------------------------------------------------------------------- text */

void
bundle_print(const struct bundle *bundle, struct text *text)
{
	const struct bundle_file	*f;
	size_t				 i;

	for (i = 0; i < bundle->num_files; i++) {
		f = &bundle->files[i];
		if (f->data == NULL) {
			text_printf(text, "folder %s\n", f->path);
			continue;
		}
		text_printf(text, "file %zu %s\n", f->data_len, f->path);
		text_add_n(text, (const char *)f->data, f->data_len);
		text_add(text, "\n");
	}
	text_add(text, "end\n");
}

struct reader { const unsigned char *at, *end; };

/* The line at r->at without its end, terminated, the caller's; NULL: none. */
static char *
take_line(struct reader *r)
{
	const unsigned char	*end;
	char			*line;

	end = memchr(r->at, '\n', (size_t)(r->end - r->at));
	if (end == NULL || memchr(r->at, '\0', (size_t)(end - r->at)) != NULL)
		return NULL;
	line = strndup((const char *)r->at, (size_t)(end - r->at));
	r->at = end + 1;
	return line;
}

/* "LEN PATH": the path, NULL when it is not that. */
static const char *
take_length(const char *word, size_t *len_r)
{
	size_t	len = 0;

	if (*word < '0' || *word > '9' || (*word == '0' && word[1] != ' '))
		return NULL;
	for (; *word >= '0' && *word <= '9'; word++) {
		len = len * 10 + (size_t)(*word - '0');
		if (len > BUNDLE_MAX_BYTES)
			return NULL;
	}
	*len_r = len;
	return *word == ' ' ? word + 1 : NULL;
}

/* One entry; *end_r at the last line. Paths ascend, so none is there twice. */
static bool
take_entry(struct bundle *bundle, struct reader *r, bool *end_r)
{
	char		*line = take_line(r);
	const char	*path = NULL;
	size_t		 len = 0;
	bool		 ok = false, is_file = false;

	*end_r = false;
	if (line == NULL)
		return false;
	if (strcmp(line, "end") == 0) {
		*end_r = ok = r->at == r->end;
	} else if (strncmp(line, "folder ", 7) == 0) {
		path = line + 7;
	} else if (strncmp(line, "file ", 5) == 0) {
		path = take_length(line + 5, &len);
		is_file = true;
	}
	if (path != NULL && (bundle->num_files == 0 || strcmp(path,
	    bundle->files[bundle->num_files - 1].path) > 0) && (!is_file || ((size_t)(r->end - r->at) > len &&
	    r->at[len] == '\n'))) {
		ok = add(bundle, path, is_file ? r->at : NULL, len, NULL);
		if (is_file)
			r->at += len + 1;
	}
	free(line);
	return ok;
}

bool
bundle_parse(struct bundle *bundle_r, const unsigned char *data,
    size_t data_len, const char *name, struct certauth_error *error_r)
{
	struct reader	r = { data, data + data_len };
	bool		end = false;

	memset(bundle_r, 0, sizeof(*bundle_r));
	/* add() has the ceilings; each turn takes a line or ends */
	while (!end)
		if (!take_entry(bundle_r, &r, &end)) {
			error_set(error_r, name, 0, "is damaged at byte %zu",
			    (size_t)(r.at - data));
			errno = EINVAL;
			bundle_free(bundle_r);
			return false;
		}
	return true;
}

/* -------------------------------------------------------------- references */

bool
bundle_ref(struct file_ref *ref, const struct bundle *bundle, const char *base,
    const char *path, struct certauth_error *error_r)
{
	char	*folder = NULL;

	memset(ref, 0, sizeof(*ref));
	ref->folder_fd = -1;
	ref->bundle = bundle;
	ref->path = open_absolute(base, path);
	if (ref->path == NULL || !open_split(ref->path, &folder, &ref->name)) {
		error_set(error_r, path, 0, "out of memory or no current folder");
		file_ref_close(ref);
		return false;
	}
	free(folder);
	return true;
}

/* No file of the disk is like it: see file_stamp. */
void
bundle_stat(const struct file_ref *ref, struct file_stamp *stamp_r)
{
	const struct bundle_file	*f = bundle_find(ref->bundle, ref->path);

	memset(stamp_r, 0, sizeof(*stamp_r));
	if (f == NULL)
		return;
	stamp_r->device = UINT64_MAX;
	stamp_r->inode = (uint64_t)(f - ref->bundle->files) + 1;
	stamp_r->size = (int64_t)f->data_len;
}

bool
bundle_is_folder(const struct file_ref *ref)
{
	const struct bundle_file	*f = bundle_find(ref->bundle, ref->path);

	return f != NULL && f->data == NULL;
}

bool
bundle_read(const struct file_ref *ref, size_t max, struct file_bytes *bytes_r,
    struct certauth_error *error_r)
{
	const struct bundle_file	*f = bundle_find(ref->bundle, ref->path);

	memset(bytes_r, 0, sizeof(*bytes_r));
	if (f == NULL)
		return open_refuse(error_r, ref->path, ENOENT, "is not in the "
		    "generation");
	if (f->data == NULL)
		return open_refuse(error_r, ref->path, EISDIR,
		    "is a folder; expected a file");
	if (f->data_len > max) {
		error_set(error_r, ref->path, 0, "has %zu bytes; expected at "
		    "most %zu", f->data_len, max);
		errno = EFBIG;
		return false;
	}
	bytes_r->data = malloc(f->data_len + 1);
	if (bytes_r->data == NULL)
		return open_refuse(error_r, ref->path, ENOMEM, NULL);
	memcpy(bytes_r->data, f->data, f->data_len);
	bytes_r->data[f->data_len] = '\0';
	bytes_r->data_len = f->data_len;
	bundle_stat(ref, &bytes_r->stamp);
	return true;
}

/* Is it in that folder itself, not in one below? By keys. */
static bool
directly_in(const char *path, const char *folder, size_t len)
{
	if (len == 0)
		return path[0] != '\0' && strchr(path, '/') == NULL;
	return strncmp(path, folder, len) == 0 && path[len] == '/' &&
	    path[len + 1] != '\0' && strchr(path + len + 1, '/') == NULL;
}

bool
bundle_list(const struct file_ref *folder, size_t max_files,
    struct file_list *list_r, struct certauth_error *error_r)
{
	const struct bundle	*bundle = folder->bundle;
	const char		*name = key(bundle, folder->path);
	size_t			 i, num = 0, len = strlen(name);

	memset(list_r, 0, sizeof(*list_r));
	list_r->folder_fd = -1;
	for (i = 0; i < bundle->num_files; i++)
		num += bundle->files[i].data != NULL &&
		    directly_in(bundle->files[i].path, name, len);
	if (num > max_files) {
		error_set(error_r, folder->path, 0, "folder has more than %zu "
		    "files", max_files);
		errno = EFBIG;
		return false;
	}
	list_r->refs = calloc(num + 1, sizeof(*list_r->refs));
	for (i = 0; list_r->refs != NULL && i < bundle->num_files; i++) {
		if (bundle->files[i].data == NULL ||
		    !directly_in(bundle->files[i].path, name, len))
			continue;
		if (!bundle_ref(&list_r->refs[list_r->num_refs], bundle,
		    bundle->root == NULL || bundle->root[0] == '\0' ? "/" :
		    bundle->root, bundle->files[i].path, error_r)) {
			file_list_free(list_r);
			return false;
		}
		list_r->num_refs++;
	}
	return list_r->refs != NULL ? true :
	    open_refuse(error_r, folder->path, ENOMEM, NULL);
}
