/*
 * output.c - how do programs outside write what others read?
 *
 * As the core does, nothing more.
 */

#include "base/file.h"
#include "certauth_data.h"

bool
certauth_write(int fd, const void *data, size_t data_len)
{
	return file_write_all(fd, data, data_len);
}

bool
certauth_replace(int dirfd, const char *name, const void *data,
    size_t data_len, struct certauth_error *error_r)
{
	return file_replace(dirfd, name, data, data_len, error_r);
}
