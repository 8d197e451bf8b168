/*
 * edit.h - change a file that people write: a map, a list of those who are denied.
 *
 * Two commands at the same time wait for each other, a reader sees the old or the
 * new, and owner, group, mode and access lists stay.
 */
#ifndef CERTAUTH_BASE_EDIT_H
#define CERTAUTH_BASE_EDIT_H

#include "base/file.h"
#include "base/text.h"

/*
 * What shall stand there instead of `bytes`, into *text_r (zeroed). *changed_r
 * comes as false; left so, the file stays as it is. False: error_r, likewise.
 */
typedef bool edit_fn(void *context, const struct file_bytes *bytes,
    struct text *text_r, bool *changed_r, struct certauth_error *error_r);

/*
 * Held to the same owners and modes as file_read(), at most `max` bytes before and
 * after. Links are followed as file_read() does. Refuses when somebody else changed the file
 * meanwhile, when its owner or access list cannot be kept, and when it has other
 * names (hard links). False: error_r, the file is as it was.
 */
bool	edit_file(const char *path, const struct file_owners *, size_t max,
	    edit_fn *, void *context, struct certauth_error *error_r);

#endif
