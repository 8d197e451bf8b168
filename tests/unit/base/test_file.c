/*
 * test_file.c - is a file believed only when nobody else can have written it?
 *
 * Real files, links, owners, a real chroot. What needs root is skipped without.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

#define NOBODY	65534

static char			 base[64];
static struct file_owners	 owners;
static struct certauth_error	 error;

/* A fresh folder for each test. */
static int
setup(void **state)
{
	(void)state;
	snprintf(base, sizeof(base), "/tmp/certauth-file.XXXXXX");
	if (mkdtemp(base) == NULL)
		return -1;
	memset(&error, 0, sizeof(error));
	file_owners_init(&owners);
	umask(022);
	return 0;
}

static int
teardown(void **state)
{
	char	command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", base);
	return system(command) == 0 ? 0 : -1;
}

static const char *
in_base(const char *name)
{
	static char	paths[4][PATH_MAX];
	static int	turn;

	turn = (turn + 1) % 4;
	snprintf(paths[turn], sizeof(paths[turn]), "%s/%s", base, name);
	return paths[turn];
}

static void
put(const char *name, const char *text)
{
	FILE	*f = fopen(in_base(name), "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
folder(const char *name, mode_t mode)
{
	assert_int_equal(mkdir(in_base(name), 0700), 0);
	assert_int_equal(chmod(in_base(name), mode), 0);
}

/* errno of reading that file, 0: it was read and holds `text`. */
static int
read_as(const char *name, const char *text)
{
	struct file_ref		ref;
	struct file_bytes	bytes;
	int			result = 0;

	assert_true(file_ref_open(&ref, base, name, &error));
	if (!file_read(&ref, &owners, 100, &bytes, &error)) {
		result = errno;
		assert_int_not_equal(result, 0);
		assert_string_equal(error.file, ref.path);
		assert_true(strlen(error.text) > 5);
		assert_null(bytes.data);
	} else {
		assert_int_equal(bytes.data_len, strlen(text));
		assert_string_equal((char *)bytes.data, text);
	}
	file_bytes_free(&bytes);
	file_ref_close(&ref);
	return result;
}

static void
test_owners(void **state)
{
	struct file_owners	o;

	(void)state;
	file_owners_init(&o);
	assert_int_equal(o.uids[0], 0);
	assert_int_equal(o.num_uids, geteuid() == 0 ? 1 : 2);
	assert_true(file_owners_add(&o, "root", &error));
	assert_int_equal(o.num_uids, geteuid() == 0 ? 1 : 2);
	assert_true(file_owners_add(&o, "nobody", &error));
	assert_false(file_owners_add(&o, "no-such-user\n", &error));
	assert_non_null(strstr(error.text, "no-such-user\\x0a"));
	assert_non_null(strstr(error.text, "does not exist"));
	assert_false(file_owners_add(&o, "", &error));
}

static void
test_ref(void **state)
{
	struct file_ref	ref;
	char		cwd[PATH_MAX], expected[PATH_MAX + 64];

	(void)state;
	assert_true(file_ref_open(&ref, base, "not-there", &error));
	assert_string_equal(ref.path, in_base("not-there"));
	assert_string_equal(ref.name, "not-there");
	assert_true(ref.folder_fd >= 0);
	assert_int_equal(fcntl(ref.folder_fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	file_ref_close(&ref);
	assert_null(ref.path);
	file_ref_close(&ref);

	assert_true(file_ref_open(&ref, "/nowhere", in_base("x"), &error));
	assert_string_equal(ref.path, in_base("x"));
	file_ref_close(&ref);

	folder("sub", 0755);
	assert_true(file_ref_open(&ref, base, "sub///", &error));
	assert_string_equal(ref.name, "sub");
	assert_true(file_is_folder(&ref));
	file_ref_close(&ref);

	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_true(file_ref_open(&ref, NULL, "x", &error));
	snprintf(expected, sizeof(expected), "%s/x", cwd);
	assert_string_equal(ref.path, expected);
	file_ref_close(&ref);

	assert_true(file_ref_open(&ref, NULL, "/", &error));
	assert_true(file_is_folder(&ref));
	file_ref_close(&ref);

	assert_false(file_ref_open(&ref, base, "no/file", &error));
	assert_int_equal(errno, ENOENT);
	assert_string_equal(error.file, in_base("no/file"));
	assert_false(file_ref_open(&ref, base, "", &error));
	assert_false(file_ref_open(&ref, base, NULL, &error));
	put("plain", "x");
	assert_false(file_ref_open(&ref, base, "plain/x", &error));

	/* A zeroed one closes nothing, not even descriptor 0. */
	memset(&ref, 0, sizeof(ref));
	file_ref_close(&ref);
	file_ref_close(NULL);
	assert_true(fcntl(0, F_GETFD) >= 0 || errno == EBADF);
}

/* A folder that may be missing: no data, never an error at open. */
static void
test_ref_missing(void **state)
{
	static const struct file_stamp	none;
	struct file_ref			ref;
	struct file_stamp		stamp;
	struct file_bytes		bytes;
	struct file_list		list;

	(void)state;
	assert_true(file_ref_open_missing(&ref, base, "no/such/x.crl", &error));
	assert_int_equal(ref.folder_fd, -1);
	assert_string_equal(ref.name, "x.crl");
	file_stat(&ref, &stamp);
	assert_true(file_stamp_equal(&stamp, &none));
	assert_false(file_is_folder(&ref));
	assert_false(file_read(&ref, &owners, 100, &bytes, &error));
	assert_int_equal(errno, ENOENT);
	assert_false(file_list_read(&ref, &owners, 100, &list, &error));
	assert_int_equal(errno, ENOENT);
	file_ref_close(&ref);
	assert_false(file_ref_open_missing(&ref, base, "", &error));
}

static void
test_read(void **state)
{
	char	big[102];

	(void)state;
	put("a", "hello");
	assert_int_equal(read_as("a", "hello"), 0);
	put("empty", "");
	assert_int_equal(read_as("empty", ""), 0);
	assert_int_equal(read_as("missing", ""), ENOENT);

	memset(big, 'x', sizeof(big));
	big[100] = '\0';
	put("b", big);
	assert_int_equal(read_as("b", big), 0);
	big[100] = 'x';
	big[101] = '\0';
	put("b", big);
	assert_int_equal(read_as("b", ""), EFBIG);
	assert_non_null(strstr(error.text, "101 bytes"));

	folder("f", 0755);
	assert_int_equal(read_as("f", ""), EISDIR);
	/* A pipe must not hang a server. */
	assert_int_equal(mkfifo(in_base("pipe"), 0644), 0);
	assert_int_equal(read_as("pipe", ""), EINVAL);
}

static void
test_modes(void **state)
{
	static const struct { mode_t mode; int error; } cases[] = {
		{ 0644, 0 }, { 0640, 0 }, { 0600, 0 }, { 0755, 0 },
		{ 0664, EPERM }, { 0646, EPERM }, { 0622, EPERM },
		{ 0666, EPERM },
	};
	size_t	i;

	(void)state;
	put("a", "x");
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(chmod(in_base("a"), cases[i].mode), 0);
		assert_int_equal(read_as("a", "x"), cases[i].error);
	}
	assert_non_null(strstr(error.text, "0666"));
}

static void
test_owner(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	put("a", "x");
	assert_int_equal(chown(in_base("a"), NOBODY, 0), 0);
	assert_int_equal(read_as("a", ""), EPERM);
	assert_non_null(strstr(error.text, "65534"));
	assert_true(file_owners_add(&owners, "nobody", &error));
	assert_int_equal(read_as("a", "x"), 0);
}

static void
test_links(void **state)
{
	(void)state;
	put("target", "x");
	assert_int_equal(symlink("target", in_base("link")), 0);
	assert_int_equal(symlink("link", in_base("link2")), 0);
	assert_int_equal(symlink(in_base("target"), in_base("absolute")), 0);
	assert_int_equal(symlink("nothing", in_base("dangling")), 0);
	assert_int_equal(symlink("loop", in_base("loop")), 0);
	assert_int_equal(read_as("link", "x"), 0);
	assert_int_equal(read_as("link2", "x"), 0);
	assert_int_equal(read_as("absolute", "x"), 0);
	assert_int_equal(read_as("dangling", ""), ENOENT);
	assert_int_equal(read_as("loop", ""), ELOOP);

	/* The target passes the same checks. */
	assert_int_equal(chmod(in_base("target"), 0666), 0);
	assert_int_equal(read_as("link", ""), EPERM);
	assert_int_equal(chmod(in_base("target"), 0644), 0);

	/* A folder that others can write, sticky or not. */
	assert_int_equal(chmod(base, 0770), 0);
	assert_int_equal(read_as("link", ""), ELOOP);
	assert_int_equal(read_as("target", "x"), 0);
	assert_int_equal(chmod(base, 01777), 0);
	assert_int_equal(read_as("link", ""), ELOOP);
	assert_int_equal(chmod(base, 0755), 0);
	assert_int_equal(read_as("link", "x"), 0);

	/* A good link to a link in a folder that others can write. */
	folder("open", 0777);
	assert_int_equal(symlink("../target", in_base("open/inner")), 0);
	assert_int_equal(symlink("open/inner", in_base("outer")), 0);
	assert_int_equal(read_as("outer", ""), ELOOP);
	assert_int_equal(chmod(in_base("open"), 0755), 0);
	assert_int_equal(read_as("outer", "x"), 0);
}

static void
test_link_folder_owner(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	folder("theirs", 0755);
	put("theirs/target", "x");
	assert_int_equal(symlink("target", in_base("theirs/link")), 0);
	assert_int_equal(chown(in_base("theirs"), NOBODY, 0), 0);
	assert_int_equal(read_as("theirs/link", ""), ELOOP);
	assert_int_equal(read_as("theirs/target", "x"), 0);
	assert_true(file_owners_add(&owners, "nobody", &error));
	assert_int_equal(read_as("theirs/link", "x"), 0);
}

/* Each way a file can change gives another stamp. */
static void
test_stamp(void **state)
{
	static const struct file_stamp	none;
	struct file_ref			ref;
	struct file_stamp		one, two;
	struct file_bytes		bytes;
	struct timespec			times[2] = { { 5, 5 }, { 5, 5 } };

	(void)state;
	assert_true(file_ref_open(&ref, base, "a", &error));
	file_stat(&ref, &one);
	assert_true(file_stamp_equal(&one, &none));
	put("a", "x");
	file_stat(&ref, &one);
	assert_false(file_stamp_equal(&one, &none));
	assert_true(file_read(&ref, &owners, 100, &bytes, &error));
	assert_true(file_stamp_equal(&one, &bytes.stamp));
	file_bytes_free(&bytes);

	put("new", "x");
	assert_int_equal(rename(in_base("new"), in_base("a")), 0);
	file_stat(&ref, &two);
	assert_false(file_stamp_equal(&one, &two));
	one = two;
	/* The same size, an old mtime: the ctime tells. */
	put("a", "y");
	assert_int_equal(utimensat(AT_FDCWD, in_base("a"), times, 0), 0);
	file_stat(&ref, &two);
	assert_false(file_stamp_equal(&one, &two));
	one = two;
	two.ctime_ns++;
	assert_false(file_stamp_equal(&one, &two));
	assert_int_equal(unlink(in_base("a")), 0);
	file_stat(&ref, &two);
	assert_true(file_stamp_equal(&two, &none));
	file_ref_close(&ref);
}

/* Reading a file that somebody writes gives all of it or a refusal. */
static void
test_changing(void **state)
{
	struct file_ref		ref;
	struct file_bytes	bytes;
	char			line[2001];
	pid_t			writer;
	time_t			until;
	unsigned		i, changed = 0;
	int			fd;

	(void)state;
	memset(line, 'x', sizeof(line));
	put("a", "");
	writer = fork();
	assert_true(writer >= 0);
	if (writer == 0) {
		alarm(120);	/* should the test fail before it kills us */
		fd = open(in_base("a"), O_WRONLY);
		for (i = 0; i < UINT_MAX; i++)
			if (ftruncate(fd, 0) != 0 ||
			    pwrite(fd, line, 1 + i % 2000, 0) < 0)
				_exit(1);
		_exit(0);
	}
	assert_true(file_ref_open(&ref, base, "a", &error));
	/* On a busy machine the two take turns and meet rarely. */
	until = time(NULL) + 60;
	for (i = 0; (i < 5000 || changed == 0) && time(NULL) < until; i++) {
		if (file_read(&ref, &owners, 100000, &bytes, &error)) {
			assert_true(strspn((char *)bytes.data, "x") ==
			    bytes.data_len);
			file_bytes_free(&bytes);
		} else {
			assert_int_equal(errno, EAGAIN);
			assert_non_null(strstr(error.text, "changed while"));
			changed++;
		}
	}
	kill(writer, SIGKILL);
	assert_int_equal(waitpid(writer, NULL, 0), writer);
	file_ref_close(&ref);
	assert_true(changed > 0);
}

/* --wrap=read: somebody renames another over "a" before that many reads. */
static unsigned	replace_in;

ssize_t	__real_read(int fd, void *buf, size_t len);
ssize_t	__wrap_read(int fd, void *buf, size_t len);

ssize_t
__wrap_read(int fd, void *buf, size_t len)
{
	if (replace_in > 0) {
		replace_in--;
		put("new", replace_in == 0 ? "last" : "one more");
		assert_int_equal(rename(in_base("new"), in_base("a")), 0);
	}
	return __real_read(fd, buf, len);
}

/* Who reads while it is replaced, as it should be, gets one of the two. */
static void
test_replaced(void **state)
{
	struct file_ref		ref;
	struct file_bytes	bytes;

	(void)state;
	put("a", "first");
	assert_true(file_ref_open(&ref, base, "a", &error));
	replace_in = 1;
	assert_true(file_read(&ref, &owners, 100, &bytes, &error));
	assert_string_equal((char *)bytes.data, "last");
	file_bytes_free(&bytes);
	/* But not for ever. */
	replace_in = 1000;
	assert_false(file_read(&ref, &owners, 100, &bytes, &error));
	assert_int_equal(errno, EAGAIN);
	assert_in_range(replace_in, 900, 999);
	replace_in = 0;
	file_ref_close(&ref);
}

/* The kernel's own files have no size; what they give was not announced. */
static void
test_grows(void **state)
{
	struct file_ref		ref;
	struct file_bytes	bytes;

	(void)state;
	assert_true(file_ref_open(&ref, NULL, "/proc/version", &error));
	assert_false(file_read(&ref, &owners, 1000, &bytes, &error));
	assert_int_equal(errno, EAGAIN);
	file_ref_close(&ref);
}

static void
test_list(void **state)
{
	static const char *const expected[] = { "10.pem", "B.pem", "a.pem",
	    "link.0", "z" };
	struct file_ref		ref;
	struct file_list	list;
	struct file_bytes	bytes;
	size_t			i;

	(void)state;
	folder("certs", 0755);
	put("certs/z", "z");
	put("certs/a.pem", "a.pem");
	put("certs/B.pem", "B.pem");
	put("certs/10.pem", "10.pem");
	put("certs/.hidden", "");
	put("certs/a.pem~", "");
	put("certs/new.crl.part", "");
	folder("certs/sub", 0755);
	assert_int_equal(symlink("a.pem", in_base("certs/link.0")), 0);
	assert_int_equal(symlink("sub", in_base("certs/sublink")), 0);
	assert_int_equal(symlink("gone", in_base("certs/dangling")), 0);
	assert_int_equal(mkfifo(in_base("certs/pipe"), 0644), 0);

	assert_true(file_ref_open(&ref, base, "certs", &error));
	assert_true(file_is_folder(&ref));
	assert_true(file_list_read(&ref, &owners, 5, &list, &error));
	assert_int_equal(list.num_refs, 5);
	for (i = 0; i < 5; i++) {
		assert_string_equal(list.refs[i].name, expected[i]);
		assert_true(file_read(&list.refs[i], &owners, 100, &bytes,
		    &error));
		assert_string_equal((char *)bytes.data,
		    i == 3 ? "a.pem" : expected[i]);
		file_bytes_free(&bytes);
	}
	/* Closing one leaves the others their descriptor. */
	file_ref_close(&list.refs[0]);
	assert_true(file_read(&list.refs[1], &owners, 100, &bytes, &error));
	file_bytes_free(&bytes);
	file_list_free(&list);
	file_list_free(&list);

	assert_false(file_list_read(&ref, &owners, 4, &list, &error));
	assert_int_equal(errno, EFBIG);
	assert_null(list.refs);
	assert_int_equal(chmod(in_base("certs"), 0775), 0);
	assert_false(file_list_read(&ref, &owners, 100, &list, &error));
	assert_int_equal(errno, EPERM);
	file_ref_close(&ref);

	folder("none", 0755);
	assert_true(file_ref_open(&ref, base, "none", &error));
	assert_true(file_list_read(&ref, &owners, 5, &list, &error));
	assert_int_equal(list.num_refs, 0);
	file_list_free(&list);
	assert_false(file_list_read(&ref, &owners, 5, &list, &error) &&
	    list.num_refs != 0);
	file_list_free(&list);
	file_ref_close(&ref);

	/* Through a link to the folder, and not for a file. */
	assert_int_equal(chmod(in_base("certs"), 0755), 0);
	assert_int_equal(symlink("certs", in_base("current")), 0);
	assert_true(file_ref_open(&ref, base, "current", &error));
	assert_true(file_is_folder(&ref));
	assert_true(file_list_read(&ref, &owners, 5, &list, &error));
	assert_int_equal(list.num_refs, 5);
	file_list_free(&list);
	assert_int_equal(chmod(base, 0777), 0);
	assert_false(file_list_read(&ref, &owners, 5, &list, &error));
	assert_int_equal(errno, ELOOP);
	assert_int_equal(chmod(base, 0755), 0);
	file_ref_close(&ref);
	put("plain", "x");
	assert_true(file_ref_open(&ref, base, "plain", &error));
	assert_false(file_list_read(&ref, &owners, 5, &list, &error));
	assert_int_equal(errno, ENOTDIR);
	file_ref_close(&ref);
}

/* Four thousand files in a process that may have a hundred open. */
static void
test_list_descriptors(void **state)
{
	struct file_ref		ref;
	struct file_list	list;
	struct rlimit		before, few;
	char			name[32];
	int			i;

	(void)state;
	folder("many", 0755);
	for (i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "many/%03d", i);
		put(name, "x");
	}
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = 100;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_true(file_ref_open(&ref, base, "many", &error));
	assert_true(file_list_read(&ref, &owners, 4096, &list, &error));
	assert_int_equal(list.num_refs, 500);
	assert_string_equal(list.refs[499].name, "499");
	file_list_free(&list);
	file_ref_close(&ref);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void
test_replace(void **state)
{
	struct stat	st;
	int		fd;

	(void)state;
	fd = open(base, O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	umask(077);
	assert_true(file_replace(fd, "current", "one", 3, &error));
	assert_int_equal(read_as("current", "one"), 0);
	assert_int_equal(stat(in_base("current"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	/* What a crash left behind does not stop the next. */
	put("current.part", "half of a much longer old text");
	assert_true(file_replace(fd, "current", "two", 3, &error));
	assert_int_equal(read_as("current", "two"), 0);
	assert_int_equal(access(in_base("current.part"), F_OK), -1);
	assert_true(file_replace(fd, "current", "", 0, &error));
	assert_int_equal(read_as("current", ""), 0);
	/* A planted link is replaced, what it points to is not written. */
	put("victim", "mine");
	assert_int_equal(symlink("victim", in_base("x.part")), 0);
	assert_true(file_replace(fd, "x", "new", 3, &error));
	assert_int_equal(read_as("victim", "mine"), 0);
	assert_int_equal(read_as("x", "new"), 0);

	/* Where it cannot: the old one stands, nothing is left. */
	folder("busy", 0755);
	put("busy/x", "x");
	assert_false(file_replace(fd, "busy", "two", 3, &error));
	assert_string_equal(error.file, "busy");
	assert_int_equal(access(in_base("busy.part"), F_OK), -1);
	assert_int_equal(read_as("busy/x", "x"), 0);
	assert_false(file_replace(fd, "a/b", "x", 1, &error));
	assert_false(file_replace(fd, "", "x", 1, &error));
	assert_false(file_replace(-1, "x", "x", 1, &error));
	umask(022);
	close(fd);
}

/* DESIGN F4: in a chroot and without root, only the descriptors are left. */
static int
inside_chroot(const struct file_ref *file, const struct file_ref *certs,
    const struct file_ref *link)
{
	struct file_bytes	bytes;
	struct file_list	list;
	struct file_stamp	stamp;

	if (chroot("/var/empty") != 0 && chroot(in_base("jail")) != 0)
		return 10;
	if (chdir("/") != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
		return 11;
	if (access(file->path, F_OK) == 0)
		return 12;
	if (!file_read(file, &owners, 100, &bytes, &error) ||
	    strcmp((char *)bytes.data, "new") != 0)
		return 13;
	file_bytes_free(&bytes);
	file_stat(file, &stamp);
	if (stamp.size != 3)
		return 14;
	if (!file_read(link, &owners, 100, &bytes, &error))
		return 15;
	file_bytes_free(&bytes);
	if (!file_is_folder(certs) ||
	    !file_list_read(certs, &owners, 10, &list, &error))
		return 16;
	if (list.num_refs != 2 ||
	    !file_read(&list.refs[1], &owners, 100, &bytes, &error) ||
	    strcmp((char *)bytes.data, "a") != 0)
		return 17;
	file_bytes_free(&bytes);
	file_list_free(&list);
	return 0;
}

static void
test_chroot(void **state)
{
	struct file_ref	file, certs, link;
	pid_t		child;
	int		status;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(base, 0755), 0);
	folder("certs", 0755);
	folder("jail", 0755);
	put("certs/a", "a");
	assert_int_equal(symlink("a", in_base("certs/hash.0")), 0);
	assert_int_equal(symlink("certs/a", in_base("link")), 0);
	put("file", "old");
	assert_true(file_ref_open(&file, base, "file", &error));
	assert_true(file_ref_open(&link, base, "link", &error));
	assert_true(file_ref_open(&certs, base, "certs", &error));
	put("other", "new");
	assert_int_equal(rename(in_base("other"), in_base("file")), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(inside_chroot(&file, &certs, &link));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	file_ref_close(&file);
	file_ref_close(&link);
	file_ref_close(&certs);
}

/* No descriptor stays open, whatever was refused before. */
static void
test_no_leak(void **state)
{
	DIR		*dir = opendir("/proc/self/fd");
	struct dirent	*entry;
	int		 open_fds = 0;

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.' && atoi(entry->d_name) > 2 &&
		    atoi(entry->d_name) != dirfd(dir))
			open_fds++;
	closedir(dir);
	assert_int_equal(open_fds, *(int *)*state);
}

/* Our own want is told from the file's fault by errno, whoever reads. */
static void
test_look_again(void **state)
{
	struct file_ref		ref;
	struct file_bytes	bytes;
	struct file_stamp	stamp, none = { 0 };
	struct rlimit		before, few;

	(void)state;
	put("file", "x");
	assert_true(file_ref_open(&ref, base, "file", &error));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_false(file_read(&ref, &owners, 100, &bytes, &error));
	assert_true(file_look_again(errno));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_true(file_read(&ref, &owners, 100, &bytes, &error));
	file_bytes_free(&bytes);
	assert_int_equal(chmod(ref.path, 0666), 0);
	assert_false(file_read(&ref, &owners, 100, &bytes, &error));
	assert_false(file_look_again(errno));
	assert_int_equal(unlink(ref.path), 0);
	assert_false(file_read(&ref, &owners, 100, &bytes, &error));
	assert_false(file_look_again(errno));
	file_stat(&ref, &none);
	file_stamp_forget(&stamp);
	assert_false(file_stamp_equal(&stamp, &none));
	file_ref_close(&ref);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static int
count_fds(void)
{
	int	fd, num = 0;

	for (fd = 3; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			num++;
	return num;
}

int
main(void)
{
	int	fds = count_fds();
	const struct CMUnitTest	tests[] = {
		TEST(test_owners), TEST(test_ref), TEST(test_ref_missing),
		TEST(test_read), TEST(test_modes), TEST(test_owner),
		TEST(test_links), TEST(test_link_folder_owner),
		TEST(test_stamp), TEST(test_replaced), TEST(test_changing),
		TEST(test_grows),
		TEST(test_list), TEST(test_list_descriptors),
		TEST(test_replace), TEST(test_chroot), TEST(test_look_again),
		cmocka_unit_test_prestate(test_no_leak, &fds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
