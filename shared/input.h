/* input.h - bytes of a file that a person names on the command line. */
#ifndef CERTAUTH_INPUT_H
#define CERTAUTH_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "certauth.h"

/* A CRL bundle of ten million entries is 350 MB. */
#define INPUT_MAX_BYTES	(2048ul * 1024 * 1024)

/* Owner and mode do not matter here: the person who asks chose the file. *data_r
 * is the caller's (free), with a NUL behind the end. False: error_r. */
bool	input_read(const char *file, unsigned char **data_r, size_t *data_len_r,
	    struct certauth_error *error_r);

#endif
