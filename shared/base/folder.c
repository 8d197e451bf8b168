/*
 * folder.c - which files are in this folder now?
 *
 * Names and one shared descriptor. Reads no file.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/open.h"
#include "base/text.h"

/* Names looked at in one folder, passed-over ones included. */
#define FILE_MAX_NAMES		200000u

void
file_list_free(struct file_list *list)
{
	size_t	i;

	if (list == NULL)
		return;
	/* Zeroed, there is no list and 0 is no descriptor of ours. */
	if (list->refs != NULL && list->folder_fd >= 0)
		close(list->folder_fd);
	for (i = 0; i < list->num_refs; i++)
		file_ref_close(&list->refs[i]);
	free(list->refs);
	memset(list, 0, sizeof(*list));
	list->folder_fd = -1;
}

static bool
ends_with(const char *name, const char *end)
{
	size_t	name_len = strlen(name), end_len = strlen(end);

	return name_len >= end_len &&
	    memcmp(name + name_len - end_len, end, end_len) == 0;
}

/* Left behind by editors and unfinished copies, or not a file at all. */
static bool
passed_over(int fd, const char *name)
{
	struct stat	st;

	if (name[0] == '.' || ends_with(name, "~") || ends_with(name, ".part"))
		return true;
	return fstatat(fd, name, &st, 0) != 0 || !S_ISREG(st.st_mode);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(((const struct file_ref *)a)->name,
	    ((const struct file_ref *)b)->name);
}

static bool
add_entry(struct file_list *list, size_t *capacity, const char *folder,
    const char *name)
{
	struct file_ref	*refs, *ref;
	size_t		 more;

	if (list->num_refs == *capacity) {
		more = *capacity == 0 ? 16 : *capacity * 2;
		refs = reallocarray(list->refs, more, sizeof(*refs));
		if (refs == NULL)
			return false;
		list->refs = refs;
		*capacity = more;
	}
	ref = &list->refs[list->num_refs];
	memset(ref, 0, sizeof(*ref));
	ref->folder_fd = list->folder_fd;
	ref->borrowed = true;
	ref->path = open_absolute(folder, name);
	ref->name = strdup(name);
	if (ref->path == NULL || ref->name == NULL) {
		file_ref_close(ref);
		return false;
	}
	list->num_refs++;
	return true;
}

static bool
fill_list(struct file_list *list, DIR *dir, const char *path, size_t max_files,
    struct certauth_error *error_r)
{
	struct dirent	*entry;
	size_t		 capacity = 0, names;

	for (names = 0; names < FILE_MAX_NAMES; names++) {
		errno = 0;
		entry = readdir(dir);
		if (entry == NULL) {
			if (errno != 0)
				return open_refuse(error_r, path, errno, NULL);
			return true;
		}
		if (passed_over(list->folder_fd, entry->d_name))
			continue;
		if (list->num_refs == max_files)
			break;
		if (!add_entry(list, &capacity, path, entry->d_name))
			return open_refuse(error_r, path, ENOMEM, NULL);
	}
	error_set(error_r, path, 0, "folder has more than %zu files",
	    names < FILE_MAX_NAMES ? max_files : (size_t)FILE_MAX_NAMES);
	errno = EFBIG;
	return false;
}

bool
file_list_read(const struct file_ref *folder, const struct file_owners *owners,
    size_t max_files, struct file_list *list_r, struct certauth_error *error_r)
{
	struct stat	 st;
	DIR		*dir = NULL;
	int		 fd, saved;
	bool		 ok = false;

	if (folder->bundle != NULL)
		return bundle_list(folder, max_files, list_r, error_r);
	memset(list_r, 0, sizeof(*list_r));
	list_r->folder_fd = -1;
	fd = open_checked(folder, owners, O_DIRECTORY, error_r);
	if (fd < 0)
		return false;
	if (fstat(fd, &st) != 0) {
		open_refuse(error_r, folder->path, errno, NULL);
		goto out;
	}
	if (!open_owner_ok(owners, &st, folder->path, "folder", error_r))
		goto out;
	list_r->folder_fd = openat(fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	dir = fdopendir(fd);
	if (list_r->folder_fd < 0 || dir == NULL) {
		open_refuse(error_r, folder->path, errno, NULL);
		goto out;
	}
	fd = -1;	/* closedir closes it */
	if (!fill_list(list_r, dir, folder->path, max_files, error_r))
		goto out;
	if (list_r->refs == NULL) {
		/* Keeps the descriptor's owner visible to file_list_free(). */
		close(list_r->folder_fd);
		list_r->folder_fd = -1;
	} else
		qsort(list_r->refs, list_r->num_refs, sizeof(*list_r->refs),
		    compare_names);
	ok = true;
out:
	saved = errno;
	if (dir != NULL)
		closedir(dir);
	if (fd >= 0)
		close(fd);
	if (!ok) {
		if (list_r->refs == NULL && list_r->folder_fd >= 0)
			close(list_r->folder_fd);
		file_list_free(list_r);
	}
	errno = saved;
	return ok;
}
