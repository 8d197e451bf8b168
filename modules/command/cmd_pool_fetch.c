/*
 * cmd_pool_fetch.c - what is missing, fetched by the one program that has a network.
 *
 * Starts `certauth-refresher --fetch` and reads what it got. The manifest decides
 * what of it is taken, so an address that lies does no harm.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cmd_pool.h"

#define REFRESHER	"certauth-refresher"
#define MAX_URLS	512
#define MAX_BODY	(256 * 1024)

struct wishes {
	const char	*argv[MAX_URLS + 3];	/* with the program and --fetch */
	size_t		 num;
};

/* Every address of a current CA that is in some group, each once. */
static void
collect(const struct certauth_family *f, struct wishes *w)
{
	const struct family_ca	*ca;
	size_t			 i, k, n;

	for (i = 0; i < f->num_cas; i++) {
		ca = &f->cas[i];
		for (k = 0; !ca->retired && ca->role != FAMILY_APART &&
		    k < ca->num_urls && w->num < MAX_URLS + 2; k++) {
			for (n = 2; n < w->num &&
			    strcmp(w->argv[n], ca->urls[k]) != 0; n++)
				;
			if (n == w->num)
				w->argv[w->num++] = ca->urls[k];
		}
	}
	w->argv[w->num] = NULL;
}

/* The refresher that was installed with this program, else that of the PATH. */
static void
start_program(struct wishes *w)
{
	char	path[POOL_MAX_PATH];
	ssize_t	len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char	*slash;

	path[len > 0 ? len : 0] = '\0';
	slash = strrchr(path, '/');
	if (slash != NULL && (size_t)(slash - path) + sizeof(REFRESHER) + 1 <
	    sizeof(path)) {
		memcpy(slash + 1, REFRESHER, sizeof(REFRESHER));
		(void)execv(path, (char *const *)(uintptr_t)w->argv);
	}
	(void)execvp(REFRESHER, (char *const *)(uintptr_t)w->argv);
	complain(REFRESHER ": cannot be started: %s; import the certificates "
	    "from files instead", strerror(errno));
	_exit(127);
}

/* "LENGTH URL" and the bytes. False: the end, or nothing to go on with. */
static bool
read_one(FILE *in, char **url, size_t *size, char *body, size_t *len_r)
{
	char	*end;
	ssize_t	 len = getline(url, size, in);
	long	 n;

	if (len <= 1)
		return false;
	(*url)[strcspn(*url, "\n")] = '\0';
	n = strtol(*url, &end, 10);
	if (n <= 0 || n > MAX_BODY || *end != ' ')
		return false;
	memmove(*url, end + 1, strlen(end + 1) + 1);
	*len_r = (size_t)n;
	return fread(body, 1, *len_r, in) == *len_r;
}

static bool
take_bodies(struct pool_run *run, FILE *in, size_t num_urls)
{
	struct certauth_error	error = { .line = 0 };
	char			*url = NULL, *body = malloc(MAX_BODY);
	size_t			 size = 0, len, num = 0;
	bool			 ok = body != NULL;

	progress_begin("pool fetch");
	progress_at(0, num_urls, "");
	while (ok && read_one(in, &url, &size, body, &len)) {
		progress_at(++num, num_urls, url);
		ok = certauth_family_import(run->family, run->folder, url, body,
		    len, pool_line, run, &error);
		if (!ok)
			complain_error(&error);
	}
	progress_end();
	free(url);
	free(body);
	return ok;
}

bool
pool_fetch(struct pool_run *run)
{
	struct wishes		w = { { REFRESHER, "--fetch" }, 2 };
	struct certauth_error	error = { .line = 0 };
	FILE			*in = NULL;
	int			 fds[2], status = 0;
	pid_t			 pid;
	bool			 ok;

	collect(run->family, &w);
	if (w.num == 2) {
		complain("the manifest has no addresses; import the "
		    "certificates from files");
		return false;
	}
	(void)fflush(NULL);
	if (pipe(fds) != 0 || (pid = fork()) < 0) {
		complain("cannot start " REFRESHER ": %s", strerror(errno));
		return false;
	}
	if (pid == 0) {
		if (dup2(fds[1], STDOUT_FILENO) != STDOUT_FILENO)
			_exit(127);
		(void)close(fds[0]);
		(void)close(fds[1]);
		start_program(&w);
	}
	(void)close(fds[1]);
	in = fdopen(fds[0], "r");
	ok = in != NULL && take_bodies(run, in, w.num - 2);
	if (in != NULL)
		(void)fclose(in);
	else
		(void)close(fds[0]);
	(void)waitpid(pid, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		complain(REFRESHER " did not end well");
		ok = false;
	}
	if (ok && !certauth_family_check(run->family, run->folder,
	    run->args->now != 0 ? run->args->now : (int64_t)time(NULL),
	    pool_line, run, &error)) {
		complain_error(&error);
		ok = false;
	}
	return ok;
}
