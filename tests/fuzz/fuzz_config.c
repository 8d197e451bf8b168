/*
 * fuzz_config.c - does any policy file crash us, or pass and mean two things?
 *
 * Loads the bytes as a policy file in a folder that has the files seeds name.
 * A line of %% splits them into the main file and the file "i" to include.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "config/config.h"
#include "config/read.h"

#define SPLIT	"\n%%\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

static char	folder[64], main_file[80], include_file[80];

/* libconfig 1.5 forgets the text it was at when the grammar is broken. */
const char *
__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

static void
check(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "fuzz_config: %s\n", what);
		abort();
	}
}

static void
put(const char *path, const void *data, size_t size)
{
	FILE	*f = fopen(path, "w");

	check(f != NULL && fwrite(data, 1, size, f) == size && fclose(f) == 0,
	    "cannot write");
}

static void
remove_folder(void)
{
	char	command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	if (system(command) != 0)
		fprintf(stderr, "left: %s\n", folder);
}

static void
make_folder(void)
{
	static const char *const	names[] = { "root.pem", "map", "denied" };
	char				path[100];
	size_t				i;

	umask(022);
	/* In memory where there is such a place: two files for each input. */
	snprintf(folder, sizeof(folder), "%s/certauth-fuzz.XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	check(mkdtemp(folder) != NULL, "no folder");
	atexit(remove_folder);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		put(path, "x", 1);
	}
	snprintf(path, sizeof(path), "%s/d", folder);
	check(mkdir(path, 0755) == 0, "no folder");
	snprintf(main_file, sizeof(main_file), "%s/c", folder);
	snprintf(include_file, sizeof(include_file), "%s/i", folder);
}

/* What libconfig gets: no line of it begins an include. */
static void
check_source(void)
{
	struct conf_source	 source;
	struct file_owners	 owners;
	const char		*at;
	size_t			 lines = 1;

	file_owners_init(&owners);
	if (!conf_source_read(&source, NULL, main_file, &owners, NULL))
		return;
	for (at = source.text; at != NULL; at = strchr(at, '\n')) {
		if (*at == '\n') {
			at++;
			lines++;
		}
		check(at[strspn(at, " \t")] != '@', "an include is left");
	}
	check(lines == source.num_places, "a line without place");
	conf_source_free(&source);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct certauth_error	 error;
	struct config		*config, *again;
	const uint8_t		*cut;
	size_t			 i;

	if (folder[0] == '\0')
		make_folder();
	cut = memmem(data, size, SPLIT, strlen(SPLIT));
	if (cut != NULL) {
		put(main_file, data, (size_t)(cut - data) + 1);
		cut += strlen(SPLIT);
		put(include_file, cut, size - (size_t)(cut - data));
	} else {
		put(main_file, data, size);
		unlink(include_file);
	}
	memset(&error, 0, sizeof(error));
	config = config_load(main_file, &error);
	check_source();
	if (config == NULL) {
		check(error.text[0] != '\0', "refused without a word");
		check(text_utf8_valid(error.text, strlen(error.text)) &&
		    !text_has_control(error.text, strlen(error.text)),
		    "an error that cannot be printed");
		return 0;
	}
	check(config->num_profiles > 0 && config->num_authorities > 0,
	    "nothing to ask");
	again = config_load(main_file, NULL);
	check(again != NULL, "taken once, refused twice");
	for (i = 0; i < config->num_profiles; i++) {
		check(config->profiles[i].num_authorities > 0, "no authority");
		check(config->profiles[i].policy.num_purposes > 0, "no purpose");
		check(config->profiles[i].policy.rsa_max <= 8192, "large keys");
		check(strcmp(config->profiles[i].canonical,
		    again->profiles[i].canonical) == 0, "two digests");
	}
	config_free(again);
	config_free(config);
	return 0;
}
