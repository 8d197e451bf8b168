/*
 * file.h - read and replace files safely, also after chroot.
 *
 * A file_ref keeps a descriptor of the folder, opened once, so that a process
 * that has entered a chroot or given up root can still look whether the file
 * changed. Owners and modes are checked as INTERFACE 1 says.
 */
#ifndef CERTAUTH_BASE_FILE_H
#define CERTAUTH_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "certauth.h"

/* Who may own what we read: root, the effective user at open, `owner`. */
struct file_owners {
	uid_t	uids[3];
	size_t	num_uids;
};
/* root and the process's effective user. */
void	file_owners_init(struct file_owners *);
/* Adds the user of that name; false: no such user (error_r filled). */
bool	file_owners_add(struct file_owners *, const char *user,
	    struct certauth_error *error_r);

/* How a change is seen (INTERFACE 1). All zero: no such file. */
struct file_stamp {
	uint64_t	device, inode;
	int64_t		size, mtime_ns, ctime_ns;
};
bool	file_stamp_equal(const struct file_stamp *, const struct file_stamp *);

struct bundle;
struct file_ref {
	char	*path;		/* absolute, as in messages */
	char	*name;		/* last component, in `folder_fd` */
	int	 folder_fd;	/* O_PATH, close-on-exec; -1: no such folder */
	bool	 borrowed;	/* folder_fd belongs to a file_list */
	const struct bundle *bundle;	/* it is in there (bundle.h); NULL: on the disk */
};
/* `path` absolute, or relative to `base` (a folder, NULL: the cwd). The file
 * need not exist, its folder must. False: error_r filled, nothing to free. */
bool	file_ref_open(struct file_ref *, const char *base, const char *path,
	    struct certauth_error *error_r);
/* The same, but a folder that does not exist is no error: file_read() and
 * file_list_read() then say ENOENT, file_stat() gives the zero stamp. For data
 * that may be missing (CRLs). */
bool	file_ref_open_missing(struct file_ref *, const char *base,
	    const char *path, struct certauth_error *error_r);
void	file_ref_close(struct file_ref *);		/* zeroed struct allowed */

struct file_bytes {
	unsigned char	 *data;	/* private memory, one NUL behind the end */
	size_t		  data_len;
	struct file_stamp stamp;	/* of what was read */
};
void	file_bytes_free(struct file_bytes *);

/*
 * Whole regular file into private memory, at most `max` bytes. Refuses (false,
 * error_r filled) a wrong owner, group- or other-writable, not regular, a
 * symbolic link in a folder that someone else can write, too big, or changed
 * while reading. On false errno is kept (ENOENT: no such file).
 */
bool	file_read(const struct file_ref *, const struct file_owners *,
	    size_t max, struct file_bytes *bytes_r, struct certauth_error *error_r);

/*
 * Does this errno tell of our own want (no descriptor left, no memory, a disk that
 * does not answer) or of a file that is being written, and not of what stands in
 * the file? Whoever remembers a stamp so as not to read twice must then forget
 * it: nothing will change in the file when the want is over.
 */
bool	file_look_again(int error);
/* The stamp of nothing that was read: no file has it, missing ones neither. */
void	file_stamp_forget(struct file_stamp *);

/*
 * The same checks, without the reading: a descriptor, and what it is of. -1:
 * error_r filled, errno kept. Whoever reads must bear that the file changes, and
 * look with file_stat_fd() whether it did.
 */
int	file_open(const struct file_ref *, const struct file_owners *, size_t max,
	    struct file_stamp *stamp_r, struct certauth_error *error_r);
/* Zero stamp: no regular file. */
void	file_stat_fd(int fd, struct file_stamp *stamp_r);

/* What file_read would see, without reading. Never fails: zero stamp. Follows
 * a symbolic link. For a folder: its own stamp. */
void	file_stat(const struct file_ref *, struct file_stamp *stamp_r);

/*
 * The regular files (or links to such) in the folder `ref` names, sorted by name;
 * names starting with "." or ending in "~", ".part" are passed over, and links to
 * nothing. The folder is held to the same owners and modes as a file. The refs
 * share one descriptor: they live as long as the list (file_ref_close() on one
 * does nothing to it). More than `max_files`: refused. Works after chroot. On
 * false errno is kept, nothing to free.
 */
struct file_list { struct file_ref *refs; size_t num_refs; int folder_fd; };
bool	file_list_read(const struct file_ref *folder, const struct file_owners *,
	    size_t max_files, struct file_list *list_r,
	    struct certauth_error *error_r);
void	file_list_free(struct file_list *);		/* zeroed struct allowed */
bool	file_is_folder(const struct file_ref *);

/* All of it, however the kernel cuts it up. False: errno. */
bool	file_write_all(int fd, const void *data, size_t data_len);

/*
 * A new file that takes the place of an old one: NAME.part beside it, which readers
 * of folders pass over. A reader sees the old or the new. Zero it first; `dirfd` is
 * borrowed and may not be O_PATH; it or a lock elsewhere keeps other writers out.
 */
struct file_part {
	int	dirfd, fd;
	bool	open, made, placed;	/* `made`: it has its own name still */
	char	part[256], name[256];	/* NAME_MAX and the NUL */
};
/* Empty, mode 0600; what a crash left behind is removed. False: errno. */
bool	file_part_make(struct file_part *, int dirfd, const char *name);
/* The bytes of `fd` are on the disk, and it is closed. False: errno. */
bool	file_part_seal(struct file_part *);
/* Rename, and the folder on the disk. False: errno; `placed`: it stands in its place
 * all the same, and may not outlive a power cut. */
bool	file_part_place(struct file_part *);
/* Removes what is not in place; keeps errno. Zeroed struct allowed. */
void	file_part_drop(struct file_part *);

/* The four of them; file_replace(): mode 0644. False: error_r filled. */
bool	file_replace_mode(int dirfd, const char *name, const void *data,
	    size_t data_len, mode_t mode, struct certauth_error *error_r);
bool	file_replace(int dirfd, const char *name, const void *data,
	    size_t data_len, struct certauth_error *error_r);

#endif
