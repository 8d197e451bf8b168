/*
 * test_apply.c - generations: what is in their files, read by whom, and a `certauth
 * apply` that is killed at any system call. The command's own tests are in
 * tests/command/test_apply.py.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "certauth_apply.h"
#include "config/config.h"
#include "traced.h"

#define POLICY	"version = 1; state = \"state\";\n@include \"more.conf\"\n" \
		"authorities: { a: { anchors = [ \"roots\" ]; " \
		"issuers = [ \"ca.pem\" ]; }; };\n"
#define PROFILE	"profiles: { p: { authorities = [ \"a\" ]; }; };\n"

static char			base[64], conf[96], folder[104];
static struct certauth_error	error;

static void
put(const char *name, const char *text)
{
	char	path[128];
	FILE	*f;

	snprintf(path, sizeof(path), "%s/%s", base, name);
	f = fopen(path, "w");
	must(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

/* The n-th edition of the policy: a comment tells which. */
static void
write_edition(unsigned n)
{
	char	text[400];

	snprintf(text, sizeof(text), "# edition %u\n" POLICY, n);
	put("certauth.conf", text);
	snprintf(text, sizeof(text), "# edition %u\n" PROFILE, n);
	put("more.conf", text);
}

static int
setup(void **state)
{
	char	path[128];

	(void)state;
	umask(022);
	/* in memory where possible: hundreds of generations, all with fsync */
	snprintf(base, sizeof(base), "%s/test_apply.XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	must(mkdtemp(base) != NULL && chmod(base, 0755) == 0);
	snprintf(conf, sizeof(conf), "%s/certauth.conf", base);
	snprintf(folder, sizeof(folder), "%s.applied", conf);
	snprintf(path, sizeof(path), "%s/roots", base);
	must(mkdir(path, 0755) == 0);
	put("roots/a.pem", "one\n");
	put("roots/b.pem", "two\n");
	put("ca.pem", "three");
	write_edition(1);
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

static bool
apply(void)
{
	const struct certauth_apply_ask	 ask = { .by = "somebody\n", .now = 1 };
	struct certauth_apply		*a;
	bool				 ok;

	a = certauth_apply_begin(conf, &ask, &error);
	ok = a != NULL && certauth_apply_commit(a, &error);
	certauth_apply_end(a);
	return ok;
}

static bool
is_edition(const struct bundle *bundle, const char *name, unsigned n)
{
	const struct bundle_file	*f;
	char				 path[128], text[32];

	snprintf(path, sizeof(path), "%s/%s", base, name);
	snprintf(text, sizeof(text), "# edition %u\n", n);
	f = bundle_find(bundle, path);
	return f != NULL && f->data_len > strlen(text) &&
	    memcmp(f->data, text, strlen(text)) == 0;
}

/* What a reader sees now, whole; 0: the file is in force. */
static unsigned
edition(void)
{
	struct file_owners	owners;
	struct applied		applied;
	unsigned		n;

	file_owners_init(&owners);
	switch (applied_in_force(conf, &owners, &applied, &error)) {
	case APPLIED_NONE:
		return 0;
	case APPLIED_BAD:
		fail_msg("a reader is refused: %s: %s", error.file, error.text);
		break;
	case APPLIED_FOUND:
		break;
	}
	for (n = 1; !is_edition(&applied.bundle, "certauth.conf", n); n++)
		assert_true(n < 100);
	assert_true(is_edition(&applied.bundle, "more.conf", n));
	assert_int_equal(applied.bundle.num_files, 6);
	applied_free(&applied);
	return n;
}

static void
clear(void)
{
	DIR		*dir = opendir(folder);
	struct dirent	*entry;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
		(void)unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	must(rmdir(folder) == 0);
}

/* Generations by their numbers, the one in force by name, the lock. */
static void
assert_tidy(void)
{
	DIR		*dir = opendir(folder);
	struct dirent	*entry;

	must(dir != NULL);
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.' && applied_number(entry->d_name) == 0 &&
		    strcmp(entry->d_name, APPLIED_CURRENT) != 0)
			fail_msg("left over: %s", entry->d_name);
	closedir(dir);
}

/* ------------------------------------------------------------------- killed */

static const struct traced_world	world = {
	clear, write_edition, apply, edition, NULL, assert_tidy, 8
};

static void
test_killed(void **state)
{
	(void)state;
	traced_kill_at_each(&world, 1, 2);
}

static void
test_killed_first(void **state)
{
	(void)state;
	traced_kill_at_each(&world, 0, 2);
}

/* ------------------------------------------------------------------- inside */

static void
fill(struct applied *a)
{
	memset(a, 0, sizeof(*a));
	a->number = 7;
	a->time = 1;
	snprintf(a->by, sizeof(a->by), "root");
	a->bundle.root = strdup(base);
	assert_non_null(a->bundle.root);
	assert_true(bundle_add_file(&a->bundle, "/elsewhere/x", (const unsigned char
	    *)"\0\n\0", 3, &error));
	assert_true(bundle_add_file(&a->bundle, conf, (const unsigned char *)"",
	    0, &error));
}

/* Every cut and every changed byte is refused, with a word. */
static void
test_each_byte_counts(void **state)
{
	struct file_owners	 owners;
	struct applied		 a, b;
	struct text		 text = { 0 };
	char			 path[128];
	size_t			 i;
	int			 fd;

	(void)state;
	clear();
	must(mkdir(folder, 0755) == 0);
	snprintf(path, sizeof(path), "%s/7", folder);
	file_owners_init(&owners);
	fill(&a);
	applied_print(&a, &text);
	assert_false(text.failed);
	for (i = 0; i <= 2 * text.len; i++) {
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
		must(fd >= 0);
		if (i < text.len) {
			text.data[i] ^= 4;
			must(file_write_all(fd, text.data, text.len));
			text.data[i] ^= 4;
		} else
			must(file_write_all(fd, text.data, 2 * text.len - i));
		must(close(fd) == 0);
		memset(&error, 0, sizeof(error));
		if (i == text.len) {
			assert_true(applied_read(conf, "7", &owners, &b, &error));
			assert_true(bundle_equal(&a.bundle, &b.bundle));
			assert_int_equal(b.number, 7);
			applied_free(&b);
		} else {
			assert_false(applied_read(conf, "7", &owners, &b, &error));
			assert_true(error.text[0] != '\0');
		}
	}
	text_free(&text);
	applied_free(&a);
}

/* What no SHA-256 covers: a bundle by itself, of anybody's making. */
static void
test_bundles_that_are_none(void **state)
{
	static const char *const	bad[] = {
		"", "\n", "end", "end\n\n", "end\nend\n", "file 3 a\nabc\n",
		"file 3 a\nab\nend\n", "file 3 a\nabcd\nend\n", "file 3 a\nabcend\n",
		"file  a\n\nend\n", "file 03 a\nabc\nend\n", "file -1 a\n\nend\n", "file 3a\nabc\nend\n",
		"file 99999999999999999999 a\nabc\nend\n",
		"file 18446744073709551615 a\nabc\nend\n", "file 67108865 a\nabc\nend\n",
		"file 1 b\nx\nfile 1 a\nx\nend\n", "file 1 a\nx\nfile 1 a\nx\nend\n",
		"folder a\nfolder a\nend\n", "folder\nend\n", "files 1 a\nx\nend\n"
	};
	struct bundle	bundle;
	size_t		i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(&error, 0, sizeof(error));
		if (bundle_parse(&bundle, (const unsigned char *)bad[i],
		    strlen(bad[i]), "b", &error))
			fail_msg("taken: %s", bad[i]);
		assert_string_equal(error.file, "b");
	}
	assert_true(bundle_parse(&bundle, (const unsigned char *)
	    "folder \nfile 0 a\n\nend\n", 22, "b", &error));
	assert_int_equal(bundle.num_files, 2);
	bundle_free(&bundle);
}

/* The functions of file.h say the same of both. */
static void
test_a_ref_into_a_bundle(void **state)
{
	struct file_owners	 owners;
	struct applied		 a;
	struct file_ref		 ref;
	struct file_bytes	 bytes;
	struct file_list	 list;
	struct file_stamp	 stamp, none = { 0 };
	char			 path[128];

	(void)state;
	clear();
	write_edition(1);
	assert_true(apply());
	file_owners_init(&owners);
	assert_int_equal(applied_in_force(conf, &owners, &a, &error),
	    APPLIED_FOUND);
	assert_string_equal(a.by, "somebody\\x0a");
	assert_true(bundle_ref(&ref, &a.bundle, base, "roots/", &error));
	assert_true(file_is_folder(&ref));
	assert_false(file_read(&ref, &owners, 100, &bytes, &error));
	assert_true(file_list_read(&ref, &owners, 2, &list, &error));
	assert_int_equal(list.num_refs, 2);
	snprintf(path, sizeof(path), "%s/roots/b.pem", base);
	assert_string_equal(list.refs[1].path, path);
	assert_true(file_read(&list.refs[1], &owners, 4, &bytes, &error));
	assert_memory_equal(bytes.data, "two\n", 5);
	file_bytes_free(&bytes);
	assert_false(file_read(&list.refs[1], &owners, 3, &bytes, &error));
	file_list_free(&list);
	assert_false(file_list_read(&ref, &owners, 1, &list, &error));
	file_ref_close(&ref);
	assert_true(bundle_ref(&ref, &a.bundle, base, "none", &error));
	file_stat(&ref, &stamp);
	assert_true(file_stamp_equal(&stamp, &none));
	assert_false(file_is_folder(&ref));
	assert_false(file_read(&ref, &owners, 100, &bytes, &error));
	assert_int_equal(errno, ENOENT);
	file_ref_close(&ref);
	applied_free(&a);
}

/* A generation that lacks what it names is refused; the disk does not help out. */
static void
test_what_is_not_in_it(void **state)
{
	struct applied	 a;
	struct config	*config;
	struct text	 text = { 0 };
	const char	*policy = POLICY;
	char		 path[128];

	(void)state;
	clear();
	write_edition(1);
	must(mkdir(folder, 0755) == 0);
	fill(&a);
	bundle_free(&a.bundle);
	a.bundle.root = strdup(base);
	assert_true(bundle_add_file(&a.bundle, conf, (const unsigned char *)policy,
	    strlen(policy), &error));
	applied_print(&a, &text);
	put("certauth.conf.applied/7", text.data);
	config = config_load_applied(conf, "7", &error);
	assert_null(config);
	assert_non_null(strstr(error.text, "more.conf"));
	assert_non_null(strstr(error.text, "(generation 7)"));
	text_free(&text);
	/* with the include the anchors are missed */
	policy = PROFILE;
	put("roots/a.pem", "one\n");
	snprintf(path, sizeof(path), "%s/more.conf", base);
	assert_true(bundle_add_file(&a.bundle, path, (const unsigned char *)policy,
	    strlen(policy), &error));
	text = (struct text){ 0 };
	applied_print(&a, &text);
	put("certauth.conf.applied/7", text.data);
	assert_null(config_load_applied(conf, "7", &error));
	assert_non_null(strstr(error.text, "anchors[1]"));
	text_free(&text);
	applied_free(&a);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_killed_first),
		cmocka_unit_test(test_each_byte_counts),
		cmocka_unit_test(test_bundles_that_are_none),
		cmocka_unit_test(test_a_ref_into_a_bundle),
		cmocka_unit_test(test_what_is_not_in_it)
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
