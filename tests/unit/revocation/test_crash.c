/*
 * test_crash.c - a publisher that is killed at any system call: do readers see
 * the old or the new, and does the next publisher tidy up?
 *
 * Killed before the k-th, for every k there is (traced.h). Power loss is not tried
 * here: that is what the fsync()s are for.
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
#include <sys/wait.h>

#include <openssl/pem.h>

#include "certauth_data.h"
#include "revocation/index.h"
#include "revocation/make.h"
#include "traced.h"

/* Entries of each list: tables of more than one page. */
#define ENTRIES		600u

static struct ca	ca;
static struct certauth_error error;
static char		base[64], folder[80], issuer[80], list[80];

static int
setup(void **state)
{
	const struct make_cert	 m = { .name = "Crash CA" };
	FILE			*f;

	(void)state;
	make_cert(&ca, &m);
	/* in memory where possible: hundreds of publications, all with fsync */
	snprintf(base, sizeof(base), "%s/test_crash.XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	must(mkdtemp(base) != NULL);
	snprintf(folder, sizeof(folder), "%s/state", base);
	snprintf(issuer, sizeof(issuer), "%s/ca.pem", base);
	snprintf(list, sizeof(list), "%s/list.crl", base);
	f = fopen(issuer, "w");
	must(f != NULL && PEM_write_X509(f, ca.x509) == 1 && fclose(f) == 0);
	return 0;
}

static void
remove_all(const char *path)
{
	DIR		*dir = opendir(path);
	struct dirent	*entry;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
		unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	must(rmdir(path) == 0);
}

static int
teardown(void **state)
{
	(void)state;
	remove_all(folder);
	remove_all(base);
	ca_free(&ca);
	return 0;
}

/* --------------------------------------------------------------- publisher */

/* The n-th edition: its number is n, and so is the first octet of its serials. */
static void
write_edition(unsigned char n)
{
	const char	 number[3] = { '0', (char)('0' + n), '\0' };
	struct buf	 entries = { 0 }, der;
	struct make_crl	 m = { .ca = &ca, .number = number, .entries = &entries };
	unsigned	 i;

	for (i = 0; i < ENTRIES; i++) {
		const unsigned char serial[8] = { n, 1, 2, 3, 4, 5,
		    (unsigned char)(i >> 8), (unsigned char)i };

		buf_entry(&entries, serial, sizeof(serial), THIS, -1);
	}
	der = make_crl(&m);
	write_file(base, "list.crl", der.data, der.len);
	buf_free(&der);
	buf_free(&entries);
}

static bool
compile(void)
{
	const char		*issuers[] = { issuer }, *crls[] = { list };
	struct certauth_compile	 report;
	bool			 ok;

	ok = certauth_compile(issuers, 1, crls, 1, folder, NULL, &report,
	    &error) &&
	    report.num_crls == 1 && report.crls[0].error[0] == '\0';
	certauth_compile_free(&report);
	return ok;
}

static void
publish(unsigned char n)
{
	write_edition(n);
	assert_true(compile());
}

/* ------------------------------------------------------------------ readers */

static bool
listed(const struct index *index, unsigned char n, unsigned i)
{
	const unsigned char	serial[8] = { n, 1, 2, 3, 4, 5,
				    (unsigned char)(i >> 8), (unsigned char)i };
	enum index_answer	answer;

	answer = index_lookup(index, index_row(index, 0), serial,
	    sizeof(serial), false, NULL);
	assert_int_not_equal(answer, INDEX_BROKEN);
	return answer == INDEX_LISTED;
}

/* Which edition does a reader see now, whole? 0: none is published. */
static unsigned char
edition(void)
{
	struct file_owners	 owners;
	struct file_stamp	 stamp;
	struct publish_map	 map;
	struct file_ref		 ref;
	enum publish_news	 news;
	const struct index_row	*row;
	unsigned char		 n;
	unsigned		 i;

	file_owners_init(&owners);
	memset(&error, 0, sizeof(error));
	must(file_ref_open(&ref, NULL, folder, &error));
	news = publish_open(&ref, &owners, NULL, &stamp, &map, &error);
	file_ref_close(&ref);
	if (news == PUBLISH_NONE)
		return 0;
	if (news != PUBLISH_TAKEN)
		fail_msg("a reader is refused: %s: %s", error.file, error.text);
	assert_true(publish_verify(&map, &error));
	assert_int_equal(index_num_rows(&map.index), 1);
	row = index_row(&map.index, 0);
	assert_int_equal(row->entries, ENTRIES);
	n = row->number[0];
	for (i = 0; i < ENTRIES; i += 7) {
		assert_true(listed(&map.index, n, i));
		assert_false(listed(&map.index, (unsigned char)(n - 1), i));
		assert_false(listed(&map.index, (unsigned char)(n + 1), i));
	}
	publish_unmap(&map);
	return n;
}

/* Everything in the folder lost its name long ago. */
static void
age(void)
{
	const struct timespec	 times[2] = { { 1700000000, 0 }, { 1700000000, 0 } };
	DIR			*dir = opendir(folder);
	struct dirent		*entry;

	must(dir != NULL);
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			must(utimensat(dirfd(dir), entry->d_name, times, 0) == 0);
	closedir(dir);
}

/* manifest, lock, the index in force and the one before: nothing else. */
static void
assert_tidy(void)
{
	DIR		*dir = opendir(folder);
	struct dirent	*entry;
	unsigned	 indexes = 0;

	must(dir != NULL);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' ||
		    strcmp(entry->d_name, PUBLISH_MANIFEST) == 0 ||
		    strcmp(entry->d_name, PUBLISH_LOCK) == 0)
			continue;
		if (strncmp(entry->d_name, "crl.", 4) == 0 &&
		    strstr(entry->d_name, ".idx") != NULL)
			indexes++;
		else
			fail_msg("left over: %s", entry->d_name);
	}
	closedir(dir);
	assert_true(indexes >= 1 && indexes <= 2);
}

/* -------------------------------------------------------------------- tests */

static void
clear(void)
{
	remove_all(folder);
	must(mkdir(folder, 0755) == 0);
}

static void
write_number(unsigned n)
{
	write_edition((unsigned char)n);
}

static unsigned
number(void)
{
	return edition();
}

static const struct traced_world	world = {
	clear, write_number, compile, number, age, assert_tidy, 2
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

/* A publisher that hangs holds the others up, but no reader. */
static void
test_killed_with_lock(void **state)
{
	struct publish_folder	mine;
	pid_t			pid;
	int			status;

	(void)state;
	remove_all(folder);
	publish(1);
	assert_true(publish_begin(&mine, folder, &error));
	write_edition(2);
	fflush(NULL);
	pid = fork();
	must(pid >= 0);
	if (pid == 0) {
		publish_end(&mine);	/* our share of the lock */
		_exit(compile() ? 0 : 4);
	}
	usleep(20000);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	assert_int_equal(edition(), 1);
	/* a holder that dies lets go */
	publish_end(&mine);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(edition(), 2);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_killed_first),
		cmocka_unit_test(test_killed_with_lock)
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
