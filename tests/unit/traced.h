/*
 * traced.h - a piece of work in a child, stopped before each of its system calls
 * (ptrace), or killed before the k-th.
 *
 * SIGKILL between two system calls changes nothing that a file system can see, so
 * these are all the places where it can die. For cmocka's programs.
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

/* Something that is replaced as a whole, in numbered editions. */
struct traced_world {
	void		(*clear)(void);		/* nothing is there */
	void		(*write)(unsigned n);	/* what `work` will bring: n */
	bool		(*work)(void);
	unsigned	(*edition)(void);	/* what a reader sees; 0: nothing */
	void		(*age)(void);		/* before who comes next; or NULL */
	void		(*tidy)(void);		/* asserts that nothing is left over */
	unsigned	spare;			/* calls that one run may make less */
};

static const struct traced_world	*traced_world;
static unsigned				 traced_seen, traced_old, traced_new;

static void
traced_look(void)
{
	unsigned	n = traced_world->edition();

	assert_true(n == traced_old || n == traced_new);
	/* nor back again */
	assert_false(traced_seen == traced_new && n == traced_old);
	traced_seen = n;
}

/* From one edition to the other, killed before every system call in turn: readers see
 * the old or the new, whole, and whoever works next is not in anybody's way. */
static void
traced_kill_at_each(const struct traced_world *w, unsigned from, unsigned to)
{
	unsigned	calls, last, seen, olds = 0, news = 0;

	traced_world = w;
	traced_old = from;
	traced_new = to;
	for (calls = TRACED_MAX_CALLS, last = 1; last <= calls; last++) {
		w->clear();
		if (from != 0) {
			w->write(from);
			assert_true(w->work());
		}
		w->write(to);
		if (last == 1) {
			/* a reader beside it, all the way */
			traced_seen = from;
			calls = traced(w->work, 0, traced_look);
			assert_int_equal(w->edition(), to);
			continue;
		}
		if (traced(w->work, last, NULL) < last)
			break;
		seen = w->edition();
		assert_true(seen == from || seen == to);
		olds += seen == from;
		news += seen == to;
		if (w->age != NULL)
			w->age();
		w->write(3);
		assert_true(w->work());
		assert_int_equal(w->edition(), 3);
		w->tidy();
	}
	/* the end came between them: there was something to see */
	assert_true(olds > 5 && news > 0);
	assert_true(last + w->spare >= calls);
}

#endif
