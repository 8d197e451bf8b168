/*
 * doctor_run.c - runs a server's own program to hear how it reads its
 * configuration.
 *
 * The words are fixed, no shell sees them, and whoever hangs or babbles is ended.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "doctor.h"

/* A policy with many large CRLs takes seconds to open; bytes of both outputs. */
#define DEADLINE_MS	60000
#define MAX_OUTPUT	(64u << 20)

struct pipe_end { int fd; char *data; size_t len; };

static void
child(const char *const *argv, int out, int err)
{
	static char	 path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:"
			    "/usr/bin:/sbin:/bin";
	static char	 lang[] = "LC_ALL=C";
	static char	*environment[] = { path, lang, NULL };
	int		 null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)setpgid(0, 0);
	environ = environment;
	if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
	    dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0)
		(void)execvp(argv[0], (char *const *)(uintptr_t)argv);
	(void)fprintf(stderr, "cannot be started: %s\n", strerror(errno));
	_exit(127);
}

/* Takes what is there. False: too much, or no memory. */
static bool
drain(struct pipe_end *end)
{
	char	*grown = realloc(end->data, end->len + 65536 + 1);
	ssize_t	 got;

	if (grown == NULL || end->len > MAX_OUTPUT)
		return false;
	end->data = grown;
	got = read(end->fd, end->data + end->len, 65536);
	if (got < 0)
		return errno == EINTR;
	end->len += (size_t)got;
	end->data[end->len] = '\0';
	if (got == 0) {
		(void)close(end->fd);
		end->fd = -1;
	}
	return true;
}

/* NULL: all was read; else why not. */
static const char *
listen_to(struct pipe_end ends[2])
{
	struct pollfd	fds[2];
	int64_t		end = monotonic_ms() + DEADLINE_MS, left;
	size_t		i;

	while (ends[0].fd >= 0 || ends[1].fd >= 0) {
		left = end - monotonic_ms();
		for (i = 0; i < 2; i++)
			fds[i] = (struct pollfd){ .fd = ends[i].fd,
			    .events = POLLIN };
		if (left <= 0)
			return "does not come to an end";
		if (poll(fds, 2, (int)left) < 0 && errno != EINTR)
			return "cannot be waited for";
		for (i = 0; i < 2; i++)
			if (fds[i].fd >= 0 && fds[i].revents != 0 &&
			    !drain(&ends[i]))
				return "says too much";
	}
	return NULL;
}

bool
doctor_run(const char *const *argv, struct ran *ran)
{
	struct pipe_end	 ends[2] = { { .fd = -1 }, { .fd = -1 } };
	int		 out[2] = { -1, -1 }, err[2] = { -1, -1 };
	const char	*why = NULL;
	pid_t		 pid;

	memset(ran, 0, sizeof(*ran));
	(void)fflush(NULL);
	if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0 ||
	    (pid = fork()) < 0) {
		complain("%s: %s", argv[0], strerror(errno));
		(void)close(out[0]);
		(void)close(out[1]);
		(void)close(err[0]);
		(void)close(err[1]);
		return false;
	}
	if (pid == 0)
		child(argv, out[1], err[1]);
	/* Here and there: whoever is first, the group is there before a kill. */
	(void)setpgid(pid, pid);
	(void)close(out[1]);
	(void)close(err[1]);
	ends[0].fd = out[0];
	ends[1].fd = err[0];
	why = listen_to(ends);
	if (why != NULL)
		(void)kill(-pid, SIGKILL);
	(void)waitpid(pid, &ran->status, 0);
	if (ends[0].fd >= 0)
		(void)close(ends[0].fd);
	if (ends[1].fd >= 0)
		(void)close(ends[1].fd);
	ran->out = ends[0].data;
	ran->err = ends[1].data;
	ran->status = WIFEXITED(ran->status) ? WEXITSTATUS(ran->status) : -1;
	if (why == NULL && ran->out != NULL && ran->err != NULL &&
	    ran->status != 127)
		return true;
	complain("%s: %s", argv[0], why != NULL ? why : ran->status == 127 ?
	    "cannot be started; --server-binary names it" : "out of memory");
	doctor_ran_free(ran);
	return false;
}

void
doctor_ran_free(struct ran *ran)
{
	free(ran->out);
	free(ran->err);
	memset(ran, 0, sizeof(*ran));
}
