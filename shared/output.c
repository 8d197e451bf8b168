/*
 * output.c - how do programs outside write what others read, and print what others
 * wrote?
 *
 * As the core does, nothing more.
 */

#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "verdict/name.h"
#include "certauth_data.h"

char *
certauth_printable(char *buf, size_t size, const char *text)
{
	size_t	n, at = 0;

	/* Between the quotes and backslashes, which harm nobody here. */
	buf[0] = '\0';
	while (*text != '\0' && at + 1 < size) {
		n = strcspn(text, "\"\\");
		text_printable(buf + at, size - at, text, n);
		at += strlen(buf + at);
		text += n;
		if (*text != '\0' && at + 1 < size) {
			buf[at++] = *text++;
			buf[at] = '\0';
		}
	}
	return buf;
}

bool
certauth_write(int fd, const void *data, size_t data_len)
{
	return file_write_all(fd, data, data_len);
}

bool
certauth_replace(int dirfd, const char *name, const void *data,
    size_t data_len, mode_t mode, struct certauth_error *error_r)
{
	return file_replace_mode(dirfd, name, data, data_len, mode, error_r);
}

char *
certauth_name_print(const X509_NAME *name)
{
	return name_print(name);
}
