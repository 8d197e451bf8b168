/*
 * fuzz_compiled.c - is a compiled table, whatever stands in it, refused or read within
 * its bounds?
 *
 * The head is made whole first, or nothing behind it would ever be read.
 */

#include <sys/mman.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "identity.h"
#include "identity/table_inside.h"

/* Magic, byte order and size of rows; file size; ...; digest of what is before. */
#define HEAD		128
#define AT_SIZE		16
#define AT_DIGEST	96

static void
must_end(const char *text, size_t size)
{
	MUST(text != NULL && strlen(text) <= size);
}

static void
ask(const struct table *table, size_t size)
{
	static const char *const	keys[] = { "alice@example.com", "a", "",
					    "\x01" "ca\x01" "a@x" };
	struct table_entry	entry;
	struct table_line	line;
	size_t			i, at = 0, num = 0;
	bool			others;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		(void)table_lookup(table, keys[i], strlen(keys[i]), 1780272000,
		    &entry);
		must_end(entry.user, size);
		must_end(entry.groups, size);
		must_end(entry.also, size);
		(void)table_has(table, keys[i], strlen(keys[i]), 0);
	}
	if (enrolled_find(table, "ca", "a@x", 3, &entry, &others))
		must_end(entry.user, size);
	while (table_next_line(table, &at, &line)) {
		must_end(line.key, size);
		must_end(line.user, size);
		must_end(line.also, size);
		must_end(line.same, size);
		num++;
	}
	MUST(num <= table_size(table));
	(void)table_is_timed(table);
	(void)table_is_sound(table, NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct certauth_error	 error = { .line = 0 };
	struct table		*table;
	uint64_t		 length = size;
	uint8_t			*copy;
	int			 fd;

	if (size < HEAD || size > (1 << 20))
		return 0;
	copy = malloc(size);
	MUST(copy != NULL);
	memcpy(copy, data, size);
	memcpy(copy, TABLE_MAGIC, TABLE_MAGIC_LEN);
	memcpy(copy + AT_SIZE, &length, sizeof(length));
	(void)SHA256(copy, AT_DIGEST, copy + AT_DIGEST);
	fd = memfd_create("t", MFD_CLOEXEC);
	MUST(fd >= 0 && write(fd, copy, size) == (ssize_t)size);
	free(copy);
	table = table_map(fd, size, "t", &error);	/* closes it */
	if (table != NULL)
		ask(table, size);
	else
		must_be_one_line(error.text);
	table_free(table);
	return 0;
}
