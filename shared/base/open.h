/*
 * open.h - private to base/: opening what may be believed, for file.c,
 * folder.c and edit.c.
 */
#ifndef CERTAUTH_BASE_OPEN_H
#define CERTAUTH_BASE_OPEN_H

#include <sys/stat.h>

#include "base/file.h"

/* bundle.c: what file_stat() and its like do for a ref into a bundle. */
void	bundle_stat(const struct file_ref *, struct file_stamp *stamp_r);
bool	bundle_is_folder(const struct file_ref *);
bool	bundle_read(const struct file_ref *, size_t max,
	    struct file_bytes *bytes_r, struct certauth_error *error_r);
bool	bundle_list(const struct file_ref *folder, size_t max_files,
	    struct file_list *list_r, struct certauth_error *error_r);

/* base/path, or path when it is absolute. The caller's. NULL: out of memory or
 * no current folder. */
char   *open_absolute(const char *base, const char *path);
/* Splits into folder ("" for none, ends in "/" otherwise) and last component.
 * Both are the caller's. False: out of memory. */
bool	open_split(const char *path, char **folder_r, char **name_r);

/* Fills error_r (text NULL: errno's words), makes errno `error`; always false. */
bool	open_refuse(struct certauth_error *error_r, const char *path, int error,
	    const char *text);
/* Owner and mode of something open. False: error_r and errno filled. */
bool	open_owner_ok(const struct file_owners *, const struct stat *,
	    const char *path, const char *what, struct certauth_error *error_r);
/*
 * Opens what `ref` names for reading (flags are added), without waiting: a FIFO
 * must not hang a server. Links are followed one by one, each only inside a
 * folder that nobody but an accepted owner can write. -1: error_r and errno.
 */
int	open_checked(const struct file_ref *, const struct file_owners *,
	    int flags, struct certauth_error *error_r);
/* The same, and `ref` then names what was reached, without links. */
int	open_reached(struct file_ref *, const struct file_owners *, int flags,
	    struct certauth_error *error_r);

#endif
