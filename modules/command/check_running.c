/*
 * check_running.c - does the refresher reach everybody, and do the servers run the
 * code that is installed?
 *
 * For `certauth check`. Reads the refresher's status file and /proc; what cannot
 * be read there (another's process, no /proc) is passed over.
 */

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "json.h"

/* Without a word from the refresher for so long it is not running, seconds. It
 * writes each minute. */
#define SILENT		600
/* Processes looked at; lines of one process's maps. */
#define MAX_PROCESSES	100000
#define MAX_MAPS	100000

static bool
answers(const char *path)
{
	int	fd = refresher_dial(path);

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
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
	if (text_of(status, "publishFault")[0] != '\0') {
		(void)snprintf(line, sizeof(line), "not all lists are as "
		    "published by the refresher: %s", text_of(status,
		    "publishFault"));
		say(context, CERTAUTH_WARNING, line);
	}
}

bool
refresher_dead(const struct certauth *engine, const json_t *status, char *line,
    size_t line_size)
{
	const char	*path = certauth_refresher(engine);
	struct stat	 st;
	int64_t		 written;

	if (path[0] == '\0' || answers(path))
		return false;
	if (lstat(path, &st) == 0) {
		(void)snprintf(line, line_size, "%s is there but nobody "
		    "answers on it: the refresher has died, or this user may not "
		    "ask it", path);
		return true;
	}
	if (status == NULL ||
	    !certauth_time_parse(text_of(status, "written"), &written) ||
	    written + SILENT >= certauth_now(engine))
		return false;
	(void)snprintf(line, line_size, "the refresher does not run; its last "
	    "word is of %s", text_of(status, "written"));
	return true;
}

void
check_refresher(struct certauth *engine, certauth_audit_fn *say, void *context)
{
	json_t	*status = state_read(engine);
	char	 line[1500];

	if (status != NULL)
		check_sources(status, say, context);
	if (refresher_dead(engine, status, line, sizeof(line)))
		say(context, CERTAUTH_WARNING, line);
	json_decref(status);
}

/* ------------------------------------------------------------------ processes */

struct found {
	const char	*module;
	bool		 old;		/* its file was replaced, moved, removed */
	bool		 stamped;
	struct certauth_stamp stamp;
};

/* The module of ours that this line of /proc/PID/maps is the beginning of. */
static const char *
module_of(const char *line, unsigned long *start_r, unsigned long *end_r,
    bool *old_r)
{
	static const char *const	modules[] = {
		"ngx_http_certauth_module.so", "mod_certauth.so",
		"lib50_certauth_plugin.so"
	};
	const char			*name = strrchr(line, '/');
	unsigned long			 offset;
	size_t				 i, len;

	if (name == NULL || sscanf(line, "%lx-%lx %*s %lx", start_r, end_r,
	    &offset) != 3 || offset != 0)
		return NULL;
	for (i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
		len = strlen(modules[i]);
		if (strncmp(name + 1, modules[i], len) != 0)
			continue;
		/* " (deleted)", or another name: moved away. */
		*old_r = name[1 + len] != '\0';
		return modules[i];
	}
	return NULL;
}

/* What the process has mapped, not what now has the file's name. Both ways want
 * the rights of a debugger. */
static bool
read_stamp(const char *pid, unsigned long start, unsigned long end,
    struct certauth_stamp *stamp_r)
{
	char	path[128];
	int	fd;
	bool	have = false;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/map_files/%lx-%lx", pid,
	    start, end);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		have = module_stamp(fd, 0, stamp_r);
		(void)close(fd);
	}
	if (have)
		return true;
	(void)snprintf(path, sizeof(path), "/proc/%.20s/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		have = module_stamp(fd, (off_t)start, stamp_r);
		(void)close(fd);
	}
	return have;
}

static bool
look_at(const char *pid, struct found *found)
{
	char		 path[64], *line = NULL;
	size_t		 size = 0;
	unsigned long	 start, end;
	unsigned	 lines;
	FILE		*in;

	memset(found, 0, sizeof(*found));
	(void)snprintf(path, sizeof(path), "/proc/%.20s/maps", pid);
	in = fopen(path, "re");
	for (lines = 0; in != NULL && found->module == NULL &&
	    lines < MAX_MAPS && getline(&line, &size, in) > 0; lines++) {
		line[strcspn(line, "\n")] = '\0';
		found->module = module_of(line, &start, &end, &found->old);
	}
	if (found->module != NULL)
		found->stamped = read_stamp(pid, start, end, &found->stamp);
	free(line);
	if (in != NULL)
		(void)fclose(in);
	return found->module != NULL;
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

static void
say_found(const char *pid, const struct found *f, unsigned published,
    certauth_audit_fn *say, void *context)
{
	char	line[400], name[32], version[64] = "";
	size_t	i;

	name_of(pid, name, sizeof(name));
	if (f->stamped) {
		(void)snprintf(version, sizeof(version), " (certauth %.15s)",
		    f->stamp.version);
		for (i = 0; version[i] != '\0'; i++)
			if (!isprint((unsigned char)version[i]))
				version[i] = '?';
	}
	if (f->stamped && published != 0 && f->stamp.index_version != published) {
		(void)snprintf(line, sizeof(line), "process %.20s (%s) cannot "
		    "read the published index: it has format %u, %s%s there reads "
		    "%u; %s", pid, name, published, f->module, version,
		    f->stamp.index_version, f->old ? "restart it" :
		    "install the same version everywhere, then restart it");
		say(context, CERTAUTH_FATAL, line);
	} else if (f->old) {
		(void)snprintf(line, sizeof(line), "process %.20s (%s) runs an "
		    "older %s%s than the one installed: restart it", pid, name,
		    f->module, version);
		say(context, CERTAUTH_WARNING, line);
	}
}

void
check_processes(unsigned published, certauth_audit_fn *say, void *context)
{
	DIR		*dir = opendir("/proc");
	struct dirent	*entry;
	struct found	 found;
	unsigned	 n;

	for (n = 0; dir != NULL && n < MAX_PROCESSES &&
	    (entry = readdir(dir)) != NULL; n++)
		if (isdigit((unsigned char)entry->d_name[0]) &&
		    look_at(entry->d_name, &found))
			say_found(entry->d_name, &found, published, say, context);
	if (dir != NULL)
		(void)closedir(dir);
}
