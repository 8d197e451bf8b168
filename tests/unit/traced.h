/*
 * traced.h - a piece of work in a child, stopped before each of its system calls
 * (ptrace), or killed before the k-th.
 *
 * SIGKILL between two system calls changes nothing that a file system can see, so
 * these are all the places where it can die.
 */
#ifndef CERTAUTH_TEST_TRACED_H
#define CERTAUTH_TEST_TRACED_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* More system calls than any work makes; a loop would be found. */
#define TRACED_MAX_CALLS	100000u

#ifndef must
/* What must not fail in a test's own preparations. */
#define must(x) do { if (!(x)) { \
	fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); abort(); \
} } while (0)
#endif

static pid_t
traced_begin(bool (*work)(void))
{
	pid_t	pid;
	int	status;

	fflush(NULL);
	pid = fork();
	must(pid >= 0);
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(3);
		raise(SIGSTOP);
		_exit(work() ? 0 : 4);
	}
	must(waitpid(pid, &status, 0) == pid);
	must(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	must(ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(uintptr_t)
	    (PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)) == 0);
	return pid;
}

/*
 * Works in a child, which dies before its `last`-th system call (0: lives on, and
 * must end well); before each call `look` is asked. Returns the calls that were begun.
 */
static unsigned
traced(bool (*work)(void), unsigned last, void (*look)(void))
{
	pid_t		pid = traced_begin(work);
	unsigned	calls = 0;
	bool		inside = false;
	int		status, signal = 0;

	for (;;) {
		must(ptrace(PTRACE_SYSCALL, pid, NULL,
		    (void *)(uintptr_t)signal) == 0);
		must(waitpid(pid, &status, 0) == pid);
		if (!WIFSTOPPED(status))
			break;
		signal = 0;
		if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
			signal = WSTOPSIG(status);
			continue;
		}
		inside = !inside;
		if (!inside)
			continue;
		must(++calls < TRACED_MAX_CALLS);
		if (look != NULL)
			look();
		if (calls == last) {
			must(kill(pid, SIGKILL) == 0);
			must(waitpid(pid, &status, 0) == pid);
			must(WIFSIGNALED(status));
			return calls;
		}
	}
	must(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return calls;
}

#endif
