/*
 * directory_conf.c - which directory, whom in it, into which table?
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libconfig.h>

#include "directory.h"

static bool
refuse(struct certauth_error *error_r, const char *file, unsigned line,
    const char *what, const char *name)
{
	memset(error_r, 0, sizeof(*error_r));
	(void)snprintf(error_r->file, sizeof(error_r->file), "%s", file);
	(void)snprintf(error_r->text, sizeof(error_r->text), "%s%s%s", name,
	    name[0] != '\0' ? ": " : "", what);
	error_r->line = line;
	return false;
}

/* Root's or our own, and nobody else may write it. */
static bool
owner_ok(const char *file)
{
	struct stat	st;

	return stat(file, &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_uid == 0 || st.st_uid == geteuid()) &&
	    (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static const struct { const char *name; size_t offset; bool required; }
strings[] = {
	{ "url", offsetof(struct directory, url), true },
	{ "base", offsetof(struct directory, base), true },
	{ "filter", offsetof(struct directory, filter), false },
	{ "user", offsetof(struct directory, user), false },
	{ "groups", offsetof(struct directory, groups), false },
	{ "bind_dn", offsetof(struct directory, bind_dn), false },
	{ "password_file", offsetof(struct directory, password_file), false },
	{ "ca_file", offsetof(struct directory, ca_file), false },
	{ "table", offsetof(struct directory, table), true },
};
#define NUM_STRINGS	(sizeof(strings) / sizeof(strings[0]))

static char **
string_at(struct directory *d, size_t i)
{
	return (char **)(void *)((char *)d + strings[i].offset);
}

static bool
read_keys(struct directory *d, const config_setting_t *at)
{
	int		 i, num;
	const char	*word;

	num = config_setting_length(at);
	if ((config_setting_type(at) != CONFIG_TYPE_ARRAY &&
	    config_setting_type(at) != CONFIG_TYPE_LIST) || num < 1 ||
	    num > DIRECTORY_MAX_KEYS)
		return false;
	for (i = 0; i < num; i++) {
		word = config_setting_get_string_elem(at, i);
		if (word == NULL || (d->keys[i] = strdup(word)) == NULL)
			return false;
	}
	return true;
}

static bool
read_setting(struct directory *d, const char *file, const config_setting_t *at,
    struct certauth_error *error_r)
{
	static const struct { const char *name; size_t offset; int min, max; }
	numbers[] = {
		{ "page", offsetof(struct directory, page), 1, 10000 },
		{ "refresh", offsetof(struct directory, refresh), 1, 86400 },
		{ "full", offsetof(struct directory, full), 1, 86400 },
	};
	const char	*name = config_setting_name(at), *value;
	unsigned	 line = config_setting_source_line(at);
	size_t		 i;
	int		 n;

	for (i = 0; i < NUM_STRINGS; i++) {
		if (strcmp(name, strings[i].name) != 0)
			continue;
		value = config_setting_get_string(at);
		if (value == NULL || value[0] == '\0')
			return refuse(error_r, file, line, "expected a string",
			    name);
		free(*string_at(d, i));
		*string_at(d, i) = strdup(value);
		return *string_at(d, i) != NULL ||
		    refuse(error_r, file, line, "out of memory", name);
	}
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (strcmp(name, numbers[i].name) != 0)
			continue;
		n = config_setting_get_int(at);
		if (config_setting_type(at) != CONFIG_TYPE_INT ||
		    n < numbers[i].min || n > numbers[i].max)
			return refuse(error_r, file, line, "expected a number "
			    "in its bounds", name);
		*(int *)(void *)((char *)d + numbers[i].offset) = n;
		return true;
	}
	if (strcmp(name, "keys") == 0)
		return read_keys(d, at) || refuse(error_r, file, line,
		    "expected a list of 1 to 8 attributes", name);
	if (strcmp(name, "starttls") == 0 &&
	    config_setting_type(at) == CONFIG_TYPE_BOOL) {
		d->starttls = config_setting_get_bool(at) != 0;
		return true;
	}
	return refuse(error_r, file, line, "is no setting of a directory", name);
}

static bool
starts(const char *text, const char *with)
{
	return strncasecmp(text, with, strlen(with)) == 0;
}

/* In clear text only where nobody else listens. */
static bool
is_safe(const struct directory *d)
{
	return starts(d->url, "ldaps://") || starts(d->url, "ldapi://") ||
	    (starts(d->url, "ldap://") && (d->starttls ||
	    starts(d->url + 7, "127.0.0.1:") || starts(d->url + 7, "[::1]:") ||
	    strcmp(d->url + 7, "127.0.0.1") == 0));
}

bool
directory_read(struct directory *d, const char *file,
    struct certauth_error *error_r)
{
	const config_setting_t	*root;
	config_t		 tree;
	size_t			 i;
	bool			 ok = true;

	memset(d, 0, sizeof(*d));
	d->starttls = true;
	d->page = 1000;
	d->refresh = 60;
	d->full = 900;
	d->filter = strdup("(objectClass=person)");
	d->user = strdup("uid");
	if (!owner_ok(file))
		return refuse(error_r, file, 0, "expected a file of root's, "
		    "which neither group nor others may write", "");
	config_init(&tree);
	if (config_read_file(&tree, file) != CONFIG_TRUE) {
		refuse(error_r, file, (unsigned)config_error_line(&tree),
		    config_error_text(&tree), "");
		config_destroy(&tree);
		return false;
	}
	root = config_root_setting(&tree);
	for (i = 0; ok && i < (size_t)config_setting_length(root); i++)
		ok = read_setting(d, file, config_setting_get_elem(root,
		    (unsigned)i), error_r);
	config_destroy(&tree);
	for (i = 0; ok && i < NUM_STRINGS; i++)
		if (strings[i].required && *string_at(d, i) == NULL)
			ok = refuse(error_r, file, 0, "is missing",
			    strings[i].name);
	if (ok && d->keys[0] == NULL && (d->keys[0] = strdup("mail")) == NULL)
		ok = refuse(error_r, file, 0, "out of memory", "");
	if (ok && !is_safe(d))
		ok = refuse(error_r, file, 0, "expected ldaps://, ldapi:// or "
		    "ldap:// with starttls; in clear text only to 127.0.0.1",
		    "url");
	if (ok && d->table[0] != '/')
		ok = refuse(error_r, file, 0, "expected an absolute path",
		    "table");
	if (ok && (d->bind_dn != NULL) != (d->password_file != NULL))
		ok = refuse(error_r, file, 0, "goes with password_file",
		    "bind_dn");
	return ok;
}

void
directory_free(struct directory *d)
{
	size_t	i;

	for (i = 0; i < NUM_STRINGS; i++)
		free(*string_at(d, i));
	for (i = 0; i < DIRECTORY_MAX_KEYS; i++)
		free(d->keys[i]);
	memset(d, 0, sizeof(*d));
}
