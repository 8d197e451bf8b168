/*
 * table_load.c - which table does this file, or this folder, hold now?
 *
 * Text is read into private memory, a compiled table mapped. Knows files; what
 * stands in them the other table*.c know.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "identity/table_inside.h"

/* A changed stamp of any file, a new or a missing one: another number. */
static void
mix(uint64_t *sum, uint64_t value)
{
	*sum = (*sum ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	*sum ^= *sum >> 29;
}

static void
mix_stamp(struct file_stamp *sum, const char *name, const struct file_stamp *s)
{
	uint64_t	all = sum->inode;

	for (; *name != '\0'; name++)
		mix(&all, (unsigned char)*name);
	mix(&all, s->device);
	mix(&all, s->inode);
	mix(&all, (uint64_t)s->size);
	mix(&all, (uint64_t)s->mtime_ns);
	mix(&all, (uint64_t)s->ctime_ns);
	sum->inode = all;
	sum->size += s->size;
}

void
table_stamp(const struct file_ref *ref, const struct file_owners *owners,
    struct file_stamp *stamp_r)
{
	struct file_list	list;
	struct file_stamp	stamp;
	size_t			i;

	if (!file_is_folder(ref)) {
		file_stat(ref, stamp_r);
		return;
	}
	memset(stamp_r, 0, sizeof(*stamp_r));
	stamp_r->inode = 1;
	if (!file_list_read(ref, owners, TABLE_MAX_FILES, &list, NULL))
		return;
	for (i = 0; i < list.num_refs; i++) {
		file_stat(&list.refs[i], &stamp);
		mix_stamp(stamp_r, list.refs[i].name, &stamp);
	}
	file_list_free(&list);
}

static bool
is_compiled(const unsigned char *data, size_t len)
{
	return len >= TABLE_MAGIC_LEN &&
	    memcmp(data, TABLE_MAGIC, TABLE_MAGIC_LEN) == 0;
}

static struct table *
load_folder(const struct file_ref *ref, const struct file_owners *owners,
    struct file_stamp *stamp_r, struct certauth_error *error_r)
{
	struct file_list	 list;
	struct file_bytes	*bytes = NULL;
	struct table_source	*sources = NULL;
	struct table		*table = NULL;
	size_t			 i = 0, all = 0;
	int			 error = 0;

	memset(stamp_r, 0, sizeof(*stamp_r));
	stamp_r->inode = 1;
	if (!file_list_read(ref, owners, TABLE_MAX_FILES, &list, error_r))
		return NULL;
	bytes = calloc(list.num_refs + 1, sizeof(*bytes));
	sources = calloc(list.num_refs + 1, sizeof(*sources));
	if (bytes == NULL || sources == NULL) {
		error_set(error_r, ref->path, 0, "out of memory");
		errno = ENOMEM;
		goto out;
	}
	for (i = 0; i < list.num_refs; i++) {
		if (!file_read(&list.refs[i], owners, TABLE_MAX_BYTES - all,
		    &bytes[i], error_r))
			goto out;
		all += bytes[i].data_len;
		mix_stamp(stamp_r, list.refs[i].name, &bytes[i].stamp);
		if (is_compiled(bytes[i].data, bytes[i].data_len)) {
			error_set(error_r, list.refs[i].path, 0, "is a compiled "
			    "table; expected texts alone in a folder of maps");
			errno = EINVAL;
			goto out;
		}
		sources[i].data = bytes[i].data;
		sources[i].data_len = bytes[i].data_len;
		sources[i].file = list.refs[i].path;
	}
	table = table_parse_all(sources, list.num_refs, error_r);
out:
	error = errno;
	for (i = 0; bytes != NULL && i < list.num_refs; i++)
		file_bytes_free(&bytes[i]);
	free(bytes);
	free(sources);
	file_list_free(&list);
	errno = error;
	return table;
}

struct table *
table_load(const struct file_ref *ref, const struct file_owners *owners,
    struct file_stamp *stamp_r, struct certauth_error *error_r)
{
	unsigned char		 magic[TABLE_MAGIC_LEN];
	struct file_bytes	 bytes;
	struct table		*table;
	int			 fd, error;

	if (file_is_folder(ref))
		return load_folder(ref, owners, stamp_r, error_r);
	fd = file_open(ref, owners, SIZE_MAX / 2, stamp_r, error_r);
	if (fd < 0)
		return NULL;
	if (pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
	    is_compiled(magic, sizeof(magic)))
		return table_map(fd, (size_t)stamp_r->size, ref->path, error_r);
	close(fd);
	if (!file_read(ref, owners, TABLE_MAX_BYTES, &bytes, error_r))
		return NULL;
	*stamp_r = bytes.stamp;
	table = table_parse(bytes.data, bytes.data_len, ref->path, error_r);
	error = errno;
	file_bytes_free(&bytes);
	errno = error;
	return table;
}
