/*
 * bench_table.c - how dear is a map of a million users?
 *
 *   bench_table [-e USERS] [-r ROUNDS]
 *
 * Per round: reading the map as a text, opening the compiled one, look-ups of users
 * who are in it and of others, in an order that no cache foresees. The
 * time in which the keys are made is taken off.
 */

#include "bench.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "identity/table.h"

#define LOOKUPS	1000000u

/* A key's length. */
static size_t
key_of(char *buf, size_t buf_len, const char *name, uint32_t n)
{
	int	len = snprintf(buf, buf_len, "%s%u@example.com",
		    name, (unsigned)n);

	must(len > 0 && (size_t)len < buf_len);
	return (size_t)len;
}

static uint32_t
next(uint64_t *state, uint32_t users)
{
	*state = *state * UINT64_C(6364136223846793005) +
	    UINT64_C(1442695040888963407);
	return (uint32_t)((*state >> 33) % users);
}

/* Making the key costs too; it is measured alone and taken off. */
static double
look_up(const struct table *table, const char *name, uint32_t users, bool listed)
{
	struct table_entry	entry;
	char			key[64];
	uint64_t		state = 1;
	double			start, whole, keys;
	size_t			i, len, sum = 0;

	start = cpu_us();
	for (i = 0; i < LOOKUPS; i++) {
		len = key_of(key, sizeof(key), name, next(&state, users));
		must(table_lookup(table, key, len, 1780272000, &entry) ==
		    listed);
		sum += (unsigned char)entry.user[0];
	}
	whole = cpu_us() - start;
	must(!listed || sum > 0);
	state = 1;
	start = cpu_us();
	for (i = 0; i < LOOKUPS; i++)
		sum += key_of(key, sizeof(key), name, next(&state, users));
	keys = cpu_us() - start;
	must(sum > 0);
	return (whole - keys) / LOOKUPS;
}

static struct table *
load(const char *path)
{
	struct certauth_error	 error;
	struct file_owners	 owners;
	struct file_stamp	 stamp;
	struct file_ref		 ref;
	struct table		*table;

	file_owners_init(&owners);
	must(file_ref_open(&ref, NULL, path, &error));
	table = table_load(&ref, &owners, &stamp, &error);
	if (table == NULL)
		fprintf(stderr, "%s: %s\n", error.file, error.text);
	must(table != NULL);
	file_ref_close(&ref);
	return table;
}

/* Another process that has it, and stays until the pipe is closed. */
static int
neighbour(const char *compiled, uint32_t users, pid_t *pid_r)
{
	struct table	*table;
	char		 byte = 0;
	int		 ready[2], end[2];

	must(pipe(ready) == 0 && pipe(end) == 0);
	*pid_r = fork();
	must(*pid_r >= 0);
	if (*pid_r == 0) {
		close(ready[0]);
		close(end[1]);
		table = load(compiled);
		(void)look_up(table, "user", users, true);
		must(write(ready[1], &byte, 1) == 1);
		/* until the other end is closed */
		_exit(read(end[0], &byte, 1) == 0 ? 0 : 1);
	}
	close(ready[1]);
	close(end[0]);
	must(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	return end[1];
}

static void
one_round(const char *text, const char *compiled, uint32_t users)
{
	struct table	*table;
	double		 start = cpu_us(), before = private_bytes();
	pid_t		 pid;
	int		 end;

	table = load(text);
	sample("us", cpu_us() - start, "table parse cpu");
	sample("bytes", private_bytes() - before, "table text private");
	sample("ns", 1000 * look_up(table, "user", users, true),
	    "table text listed");
	table_free(table);
	end = neighbour(compiled, users, &pid);
	before = private_bytes();
	start = wall_us();
	table = load(compiled);
	sample("us", wall_us() - start, "table open");
	sample("ns", 1000 * look_up(table, "user", users, true),
	    "table listed");
	sample("ns", 1000 * look_up(table, "other", users, false),
	    "table not-listed");
	sample("bytes", private_bytes() - before, "table private");
	table_free(table);
	close(end);
	must(waitpid(pid, NULL, 0) == pid);
}

int
main(int argc, char **argv)
{
	struct certauth_error	 error;
	struct table		*table;
	FILE			*file;
	char			*text = scratch_path("people.map");
	char			*compiled = scratch_path("people.table");
	double			 start;
	unsigned		 users = 1000000, rounds = 5, i;
	int			 option;

	while ((option = getopt(argc, argv, "e:r:")) != -1)
		*(option == 'e' ? &users : &rounds) =
		    (unsigned)strtoul(optarg, NULL, 10);
	must(users > 0);
	file = fopen(text, "w");
	must(file != NULL);
	for (i = 0; i < users; i++)
		fprintf(file, "user%u@example.com user%u staff,group%u\n", i, i,
		    i % 50);
	must(fclose(file) == 0);
	table = load(text);
	start = cpu_us();
	must(table_write(table, compiled, -1, &error));
	sample("us", cpu_us() - start, "table write cpu");
	table_free(table);
	for (i = 0; i < rounds; i++)
		one_round(text, compiled, users);
	scratch_remove();
	free(text);
	free(compiled);
	return 0;
}
