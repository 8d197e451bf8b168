/*
 * certificates.c - which certificates of people are in these files?
 *
 * For commands that look at many of them. Judges none.
 */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certificates.h"
#include "terminal.h"

static void
read_file(const char *file, certificates_fn *fn, void *context)
{
	struct certauth_error	 error = { .line = 0 };
	X509			*leaf = NULL;
	STACK_OF(X509)		*sent = NULL;
	bool			 ok;

	ok = certauth_read_leaf(file, NULL, &leaf, &sent, &error) &&
	    leaf != NULL;
	fn(context, file, ok ? leaf : NULL, sent, ok ? NULL :
	    error.text[0] != '\0' ? error.text : "holds no certificate");
	X509_free(leaf);
	sk_X509_pop_free(sent, X509_free);
}

/* Of files and folders, for how far the work has come. */
static size_t
count_entries(DIR *dir)
{
	const struct dirent	*entry;
	size_t			 n = 0;

	while (n < CERTIFICATES_MAX && (entry = readdir(dir)) != NULL)
		n += strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0;
	rewinddir(dir);
	return n;
}

static bool
read_folder(const char *path, certificates_fn *fn, void *context)
{
	DIR		*dir = opendir(path);
	struct dirent	*entry;
	struct stat	 st;
	char		 name[4096];
	size_t		 done = 0, seen = 0, total;

	if (dir == NULL) {
		(void)complain("%s: %s", path, strerror(errno));
		return false;
	}
	total = count_entries(dir);
	while ((entry = readdir(dir)) != NULL) {
		if (seen++ >= CERTIFICATES_MAX) {
			fn(context, path, NULL, NULL, "too many files; the rest was "
			    "not read");
			break;
		}
		if ((size_t)snprintf(name, sizeof(name), "%s/%s", path,
		    entry->d_name) >= sizeof(name)) {
			fn(context, path, NULL, NULL, "has a file whose name is too "
			    "long");
		} else if (stat(name, &st) != 0) {
			fn(context, name, NULL, NULL, strerror(errno));
		} else if (S_ISREG(st.st_mode)) {
			progress_at(done++, total, name);
			read_file(name, fn, context);
		}
	}
	(void)closedir(dir);
	return true;
}

bool
certificates_read(const char *path, certificates_fn *fn, void *context)
{
	struct stat	st;

	if (stat(path, &st) != 0 || access(path, R_OK) != 0) {
		(void)complain("%s: %s", path, strerror(errno));
		return false;
	}
	if (S_ISDIR(st.st_mode))
		return read_folder(path, fn, context);
	read_file(path, fn, context);
	return true;
}
