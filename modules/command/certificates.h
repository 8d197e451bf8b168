/* certificates.h - certificates of people, out of files and folders. */
#ifndef CERTAUTH_COMMAND_CERTIFICATES_H
#define CERTAUTH_COMMAND_CERTIFICATES_H

#include "command.h"

/* Files of one folder. */
#define CERTIFICATES_MAX	1000000

/*
 * One file: a leaf with what was beside it, borrowed; or NULL and why it is none.
 */
typedef void certificates_fn(void *context, const char *file, X509 *leaf,
    STACK_OF(X509) *sent, const char *why);

/* Of a file, or of all files in a folder. False: it cannot be read, said on stderr. */
bool	certificates_read(const char *path, certificates_fn *, void *context);

#endif
