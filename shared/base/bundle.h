/*
 * bundle.h - files kept together in one, by the paths they had.
 *
 * What was below the root is kept by its path from there, so that a folder can be
 * called by another name later. A file_ref into a bundle is read with the functions
 * of file.h like any other; the disk is not looked at.
 */
#ifndef CERTAUTH_BASE_BUNDLE_H
#define CERTAUTH_BASE_BUNDLE_H

#include "base/file.h"
#include "base/text.h"

/* Files and folders; 256 authorities name a few files each, PersonalSign 178. */
#define BUNDLE_MAX_FILES	20000u
#define BUNDLE_MAX_BYTES	((size_t)64 * 1024 * 1024)

struct bundle_file {
	const char		*path;		/* from the root, or absolute */
	const unsigned char	*data;		/* NULL: a folder */
	size_t			 data_len;
};

struct bundle {
	struct bundle_file	*files;		/* sorted by path */
	size_t			 num_files;
	size_t			 bytes;
	/* Folders without "/" at the end, owned: what the root is called, and what it was
	 * called when the bundle was made. NULL: there is none. */
	char			*root, *made_at;
};

/* Both copy. The path is there already: nothing happens. False: error_r, and the
 * bundle is as it was: out of memory, over a ceiling, a path with a line feed. */
bool	bundle_add_file(struct bundle *, const char *path,
	    const unsigned char *data, size_t data_len,
	    struct certauth_error *error_r);
bool	bundle_add_folder(struct bundle *, const char *path,
	    struct certauth_error *error_r);
void	bundle_free(struct bundle *);			/* zeroed allowed */

/* By an absolute path. NULL: it is not in there. */
const struct bundle_file *bundle_find(const struct bundle *, const char *path);
bool	bundle_equal(const struct bundle *, const struct bundle *);

/* As lines and bytes; text->failed when out of memory. */
void	bundle_print(const struct bundle *, struct text *);
/* All of `data` must be what bundle_print() made. False: error_r, nothing to
 * free. `name`: for the error. */
bool	bundle_parse(struct bundle *bundle_r, const unsigned char *data,
	    size_t data_len, const char *name, struct certauth_error *error_r);

/* The place in the bundle that `path` is, below `base` unless it is absolute. Close
 * it with file_ref_close(); it borrows the bundle. */
bool	bundle_ref(struct file_ref *, const struct bundle *, const char *base,
	    const char *path, struct certauth_error *error_r);

#endif
