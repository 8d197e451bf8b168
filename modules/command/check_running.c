/*
 * check_running.c - does the refresher reach everybody, and do the servers run the
 * code that is installed?
 *
 * For `certauth check`. Reads the refresher's status file and /proc; what cannot
 * be read there (another's process, no /proc) is passed over.
 */

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <jansson.h>

#include "command.h"

/* Without a word from the refresher for so long it is not running, seconds. It
 * writes each minute. */
#define SILENT		600
/* Processes looked at; lines of one process's maps. */
#define MAX_PROCESSES	100000
#define MAX_MAPS	100000

static const char *
text_of(const json_t *row, const char *name)
{
	const char	*text = json_string_value(json_object_get(row, name));

	return text != NULL ? text : "";
}

static bool
answers(const char *path)
{
	struct sockaddr_un	address = { .sun_family = AF_UNIX };
	int			fd;
	bool			yes;

	if (strlen(path) >= sizeof(address.sun_path))
		return false;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	yes = fd >= 0 && connect(fd, (const struct sockaddr *)&address,
	    sizeof(address)) == 0;
	if (fd >= 0)
		(void)close(fd);
	return yes;
}

static void
check_sources(const json_t *status, certauth_audit_fn *say, void *context)
{
	const json_t	*row;
	char		 line[1500];
	size_t		 i;

	json_array_foreach(json_object_get(status, "sources"), i, row) {
		if (text_of(row, "error")[0] == '\0')
			continue;
		(void)snprintf(line, sizeof(line), "authority \"%s\": %s: %s; "
		    "last good answer: %s; next try: %s",
		    text_of(row, "authority"), text_of(row, "url"),
		    text_of(row, "error"), text_of(row, "lastSuccess")[0] != '\0'
		    ? text_of(row, "lastSuccess") : "never",
		    text_of(row, "nextTry"));
		say(context, CERTAUTH_WARNING, line);
	}
	if (text_of(status, "publishError")[0] != '\0') {
		(void)snprintf(line, sizeof(line), "the refresher publishes "
		    "nothing: %s", text_of(status, "publishError"));
		say(context, CERTAUTH_WARNING, line);
	}
}

void
check_refresher(struct certauth *engine, certauth_audit_fn *say, void *context)
{
	json_t		*status = state_read(engine);
	const char	*path = certauth_refresher(engine);
	char		 line[1500];
	struct stat	 st;
	int64_t		 written;

	if (status != NULL)
		check_sources(status, say, context);
	if (path[0] != '\0' && lstat(path, &st) == 0 && !answers(path)) {
		(void)snprintf(line, sizeof(line), "%s is there but nobody "
		    "answers on it: the refresher has died, or this user may not "
		    "ask it", path);
		say(context, CERTAUTH_WARNING, line);
	} else if (status != NULL && path[0] != '\0' && !answers(path) &&
	    certauth_time_parse(text_of(status, "written"), &written) &&
	    written + SILENT < certauth_now(engine)) {
		(void)snprintf(line, sizeof(line), "the refresher does not run; "
		    "its last word is of %s", text_of(status, "written"));
		say(context, CERTAUTH_WARNING, line);
	}
	json_decref(status);
}

/* ------------------------------------------------------------------ processes */

/* A module of ours whose file was replaced or removed since it was mapped. */
static const char *
old_module(const char *line)
{
	static const char *const	modules[] = {
		"ngx_http_certauth_module.so", "mod_certauth.so",
		"lib50_certauth_plugin.so"
	};
	size_t				i, len = strlen(line);

	if (len < 10 || strcmp(line + len - 10, " (deleted)") != 0)
		return NULL;
	for (i = 0; i < sizeof(modules) / sizeof(modules[0]); i++)
		if (strstr(line, modules[i]) != NULL)
			return modules[i];
	return NULL;
}

static const char *
look_at(const char *pid)
{
	const char	*found = NULL;
	char		 path[64], *line = NULL;
	size_t		 size = 0;
	unsigned	 lines;
	FILE		*in;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/maps", pid);
	in = fopen(path, "re");
	for (lines = 0; in != NULL && found == NULL && lines < MAX_MAPS &&
	    getline(&line, &size, in) > 0; lines++) {
		line[strcspn(line, "\n")] = '\0';
		found = old_module(line);
	}
	free(line);
	if (in != NULL)
		(void)fclose(in);
	return found;
}

static void
name_of(const char *pid, char *buf, size_t size)
{
	char	 path[64];
	FILE	*in;
	size_t	 i;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	buf[0] = '\0';
	in = fopen(path, "re");
	if (in != NULL) {
		if (fgets(buf, (int)size, in) == NULL)
			buf[0] = '\0';
		(void)fclose(in);
	}
	for (i = 0; buf[i] != '\0'; i++)
		if (!isprint((unsigned char)buf[i]))
			buf[i] = buf[i] == '\n' ? '\0' : '?';
}

void
check_processes(certauth_audit_fn *say, void *context)
{
	DIR		*dir = opendir("/proc");
	struct dirent	*entry;
	const char	*module;
	char		 line[300], name[32];
	unsigned	 n;

	for (n = 0; dir != NULL && n < MAX_PROCESSES &&
	    (entry = readdir(dir)) != NULL; n++) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		module = look_at(entry->d_name);
		if (module == NULL)
			continue;
		name_of(entry->d_name, name, sizeof(name));
		(void)snprintf(line, sizeof(line), "process %.20s (%s) runs an "
		    "older %s than the one installed: restart it",
		    entry->d_name, name, module);
		say(context, CERTAUTH_WARNING, line);
	}
	if (dir != NULL)
		(void)closedir(dir);
}
