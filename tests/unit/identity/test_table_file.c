/* test_table_file.c - a compiled table says what the text says, and a damaged one
 * never leads out of its bounds. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "identity/enrolled.h"
#include "map.h"

#define PEOPLE	200
#define ROUNDS	3000

static char	folder[] = "/tmp/certauth-table-XXXXXX";
static char	path[64];

static struct table *
load(void)
{
	struct file_owners	 owners;
	struct file_stamp	 stamp;
	struct file_ref		 ref;
	struct table		*table;

	file_owners_init(&owners);
	assert_true(file_ref_open(&ref, NULL, path, NULL));
	table = table_load(&ref, &owners, &stamp, NULL);
	file_ref_close(&ref);
	return table;
}

static size_t
make_text(char *text, size_t text_len)
{
	size_t	len = 0;
	int	i;

	for (i = 0; i < PEOPLE; i++)
		len += (size_t)snprintf(text + len, text_len - len,
		    "user%d@example.com user%d g%d,h also=a%d%s # enrolled authority=ca "
		    "mailbox=user%d@x\n", i, i / 2, i % 7, i, i % 3 == 0 ?
		    " not-after=2027-01-01" : "", i);
	return len;
}

/* Everybody: how many are found, and is what is found the table's own? */
static size_t
ask_all(const struct table *table, bool exact)
{
	struct table_entry	entry;
	struct table_line	line;
	char			key[64], user[64];
	size_t			i, found = 0, at = 0, marks = 0;
	bool			others;

	while (table_next_line(table, &at, &line))
		marks += strlen(line.key) > 0 && line.authority_len == 2 &&
		    strlen(line.same) > 0;
	if (exact)
		assert_int_equal(marks, PEOPLE);

	for (i = 0; i < PEOPLE; i++) {
		snprintf(key, sizeof(key), "user%zu@example.com", i);
		snprintf(user, sizeof(user), "user%zu@x", i);
		entry.user = "";
		if (!enrolled_find(table, "ca", user, strlen(user), &entry,
		    &others))
			assert_false(exact);
		assert_true(strlen(entry.user) < 8192 * 8);
		snprintf(user, sizeof(user), "user%zu", i / 2);
		if (exact)
			assert_string_equal(entry.user, user);
		if (!table_lookup(table, key, strlen(key), 1780272000, &entry)) {
			assert_string_equal(entry.user, "");
			continue;
		}
		found++;
		snprintf(key, sizeof(key), "a%zu", i);
		if (exact)
			assert_string_equal(entry.also, key);
		assert_true(strlen(entry.also) < 8192 * 8);
		if (exact)
			assert_string_equal(entry.user, user);
		/* whatever they say, they end */
		assert_true(strlen(entry.user) + strlen(entry.groups) < 8192 * 8);
		(void)table_has(table, user, strlen(user), 1780272000);
	}
	return found;
}

static void
written_and_mapped(void **state)
{
	static char	 text[PEOPLE * 140];
	struct table	*table;
	size_t		 len = make_text(text, sizeof(text));

	(void)state;
	table = table_parse((unsigned char *)text, len, "m", NULL);
	assert_non_null(table);
	assert_true(table_write(table, path, -1, NULL));
	assert_int_equal(ask_all(table, true), PEOPLE);
	table_free(table);
	table = load();
	assert_non_null(table);
	assert_true(table_is_compiled(table));
	assert_true(table_is_timed(table));
	assert_true(table_is_sound(table, NULL));
	assert_int_equal(table_size(table), PEOPLE);
	assert_int_equal(ask_all(table, true), PEOPLE);
	table_free(table);
}

/* Behind the head, whose own digest would tell. */
static void
damaged_anywhere(void **state)
{
	unsigned char	*good, *bad;
	struct table	*table;
	off_t		 size, head = 128;
	uint64_t	 random = 42;
	unsigned	 round, i;
	int		 fd = open(path, O_RDWR);

	(void)state;
	assert_true(fd >= 0);
	size = lseek(fd, 0, SEEK_END);
	assert_true(size > head);
	good = malloc((size_t)size);
	bad = malloc((size_t)size);
	assert_int_equal(pread(fd, good, (size_t)size, 0), size);
	for (round = 0; round < ROUNDS; round++) {
		memcpy(bad, good, (size_t)size);
		for (i = 0; i <= round % 16; i++) {
			random = random * 6364136223846793005u + 1442695040888963407u;
			bad[head + (off_t)((random >> 20) % (uint64_t)(size - head))] =
			    round % 2 == 0 ? 0xff : (unsigned char)(random >> 8);
		}
		assert_int_equal(pwrite(fd, bad, (size_t)size, 0), size);
		table = load();
		if (table == NULL)
			continue;
		(void)ask_all(table, false);
		assert_true(memcmp(good, bad, (size_t)size) == 0 ||
		    !table_is_sound(table, NULL));
		table_free(table);
	}
	/* every slot taken: the search ends all the same */
	memset(bad + head, 0x01, (size_t)(size - head));
	assert_int_equal(pwrite(fd, bad, (size_t)size, 0), size);
	table = load();
	if (table != NULL)
		(void)ask_all(table, false);
	table_free(table);
	close(fd);
	free(good);
	free(bad);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(written_and_mapped),
		cmocka_unit_test(damaged_anywhere),
	};
	int	status;

	if (mkdtemp(folder) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/t", folder);
	status = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(path);
	(void)rmdir(folder);
	return status;
}
