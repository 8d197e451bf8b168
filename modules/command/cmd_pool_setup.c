/*
 * cmd_pool_setup.c - from nothing to a policy that works, in one command.
 *
 * Copies what is shipped beside the policy file, brings the certificates in, and
 * lists the profiles whose CAs are there. What somebody has changed stays.
 */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd_pool.h"

#define MAX_SHIPPED	(1024 * 1024)
/* Who refreshes (conf-examples/certauth.sysusers) and owns the state folder. */
#define POOL_OWNER	"certauth"

/* The caller frees; NULL: said on stderr. */
static char *
read_shipped(const char *path, size_t *len_r)
{
	char	*data = malloc(MAX_SHIPPED + 1);
	FILE	*f = fopen(path, "rb");

	*len_r = data != NULL && f != NULL ? fread(data, 1, MAX_SHIPPED, f) : 0;
	if (data == NULL || f == NULL || ferror(f)) {
		complain("%s: cannot be read: %s; --from names the folder that "
		    "is shipped", path, strerror(errno));
		free(data);
		data = NULL;
	}
	if (f != NULL)
		(void)fclose(f);
	return data;
}

static bool
write_file(const char *folder, const char *name, const char *data, size_t len)
{
	struct certauth_error	error = { .line = 0 };

	if (certauth_family_write(folder, name, data, len, &error))
		return true;
	complain("%s/%s: %s", folder, name, error.text);
	return false;
}

/* Who has which mailbox is the servers' business alone (group certauth). */
static void
make_private(const char *path)
{
	const struct group	*gr = getgrnam("certauth");

	if (gr != NULL && chown(path, (uid_t)-1, gr->gr_gid) == 0)
		(void)chmod(path, 0640);
}

/* `keep`: what is there already stays as it is. */
static bool
copy(struct pool_run *run, const char *from, const char *sub, const char *name,
    bool keep)
{
	char	shelf[POOL_MAX_PATH], source[POOL_MAX_PATH],
		folder[POOL_MAX_PATH], target[POOL_MAX_PATH], *data;
	size_t	len;
	bool	ok;

	if (!pool_path(shelf, from, sub) || !pool_path(source, shelf, name) ||
	    !pool_path(folder, run->folder, sub) ||
	    !pool_path(target, folder, name))
		return false;
	if (keep && access(target, F_OK) == 0)
		return true;
	data = read_shipped(source, &len);
	ok = data != NULL && write_file(folder, name, data, len);
	free(data);
	return ok;
}

static bool
copy_all(struct pool_run *run, const char *from)
{
	static const char *const	data[] = { "people.map", "exact.map",
	    "denied" };
	char				name[128], path[POOL_MAX_PATH];
	size_t				i;
	bool				ok = true;

	for (i = 0; ok && i < run->family->num_groups; i++) {
		(void)snprintf(name, sizeof(name), "%s.conf",
		    run->family->groups[i].name);
		ok = copy(run, from, "authorities", name, true);
	}
	for (i = 0; ok && i < run->family->num_profiles; i++) {
		(void)snprintf(name, sizeof(name), "%s.conf",
		    run->family->profiles[i].name);
		ok = copy(run, from, "profiles", name, true);
	}
	for (i = 0; ok && i < sizeof(data) / sizeof(data[0]); i++) {
		if (!pool_path(path, run->folder, data[i]))
			return false;
		if (access(path, F_OK) == 0)
			continue;
		ok = copy(run, from, ".", data[i], true);
		make_private(path);
	}
	return ok;
}

/* ------------------------------------------------------------------- lists */

/* An authority may name this folder, whether something is in it or not. */
static bool
make_intermediates(struct pool_run *run, const char *group)
{
	char	top[POOL_MAX_PATH], path[POOL_MAX_PATH];

	if (!pool_path(top, run->folder, group) ||
	    !pool_path(path, top, "intermediates"))
		return false;
	if (mkdir(path, 0755) == 0 || errno == EEXIST)
		return true;
	complain("%s: cannot be made: %s", path, strerror(errno));
	return false;
}

bool
pool_lists(struct pool_run *run, size_t *profiles_r)
{
	const struct certauth_family	*f = run->family;
	uint32_t			 ready;
	char				*lists[2] = { NULL, NULL };
	size_t				 i, lens[2] = { 0, 0 };
	FILE				*authorities, *profiles;
	bool				 ok = true;

	*profiles_r = 0;
	authorities = open_memstream(&lists[0], &lens[0]);
	profiles = open_memstream(&lists[1], &lens[1]);
	if (authorities == NULL || profiles == NULL) {
		complain("out of memory");
		ok = false;
		goto out;
	}
	(void)fprintf(authorities, "# Written by certauth pool: the authorities "
	    "whose CAs are in their folders.\n");
	(void)fprintf(profiles, "# Written by certauth pool: the profiles whose "
	    "authorities are there.\n");
	ready = certauth_family_ready(f, run->folder);
	for (i = 0; ok && i < f->num_groups; i++)
		if ((ready >> i & 1) != 0) {
			ok = make_intermediates(run, f->groups[i].name);
			(void)fprintf(authorities, "@include \"authorities/"
			    "%s.conf\"\n", f->groups[i].name);
		}
	for (i = 0; i < f->num_profiles; i++)
		if ((f->profiles[i].groups & ~ready) == 0) {
			(void)fprintf(profiles, "@include \"profiles/%s.conf\""
			    "\n", f->profiles[i].name);
			(*profiles_r)++;
		}
out:
	if (authorities != NULL && fclose(authorities) != 0)
		ok = false;
	if (profiles != NULL && fclose(profiles) != 0)
		ok = false;
	ok = ok && write_file(run->folder, "authorities.conf", lists[0],
	    lens[0]) && write_file(run->folder, "profiles.conf", lists[1],
	    lens[1]);
	free(lists[0]);
	free(lists[1]);
	return ok;
}

/* ------------------------------------------------------------------- setup */

/* An owner who does not exist is a configuration error: where nobody made that
 * user yet the shipped line becomes a comment. Takes `data`; NULL: no memory. */
static char *
only_owner_here(char *data, size_t *len)
{
	static const char	 line[] = "\nowner = \"" POOL_OWNER "\";";
	char			*at = data != NULL ?
				    memmem(data, *len, line, strlen(line)) : NULL;
	char			*grown;
	size_t			 before;

	if (at == NULL || getpwnam(POOL_OWNER) != NULL)
		return data;
	before = (size_t)(at - data) + 1;
	grown = malloc(*len + 2);
	if (grown != NULL) {
		memcpy(grown, data, before);
		memcpy(grown + before, "# ", 2);
		memcpy(grown + before + 2, data + before, *len - before);
		*len += 2;
		complain("note: there is no user " POOL_OWNER " yet; when "
		    "there is, take the # before \"owner\" away");
	}
	free(data);
	return grown;
}

/* The policy file itself, unless there is one. */
static bool
make_policy(struct pool_run *run, const char *from)
{
	char		 base[POOL_MAX_PATH], source[POOL_MAX_PATH], *data, *end;
	const char	*name = strrchr(run->conf, '/');
	size_t		 len;
	bool		 ok;

	if (access(run->conf, F_OK) == 0) {
		complain("note: %s is yours and stays; its authorities and "
		    "profiles may say @include \"" POOL_FOLDER
		    "/authorities.conf\" and \"" POOL_FOLDER
		    "/profiles.conf\"", run->conf);
		return true;
	}
	name = name != NULL ? name + 1 : run->conf;
	(void)snprintf(base, sizeof(base), "%s", run->folder);
	end = strrchr(base, '/');
	if (end == NULL || !pool_path(source, from, "certauth.conf"))
		return false;
	*end = '\0';
	data = only_owner_here(read_shipped(source, &len), &len);
	ok = data != NULL && write_file(base, name, data, len);
	free(data);
	return ok;
}

/* The policy's and ours beside it. */
static bool
make_folders(const struct pool_run *run)
{
	char	base[POOL_MAX_PATH], *end;

	(void)snprintf(base, sizeof(base), "%s", run->folder);
	end = strrchr(base, '/');
	if (end != NULL && end > base) {
		*end = '\0';
		(void)mkdir(base, 0755);
	}
	if (mkdir(run->folder, 0755) == 0 || errno == EEXIST)
		return true;
	complain("%s: cannot be made: %s", run->folder, strerror(errno));
	return false;
}

/* Does a server start with it? */
static int
try_policy(struct pool_run *run, size_t profiles)
{
	struct certauth_error	 error = { .line = 0 };
	struct certauth		*engine;
	size_t			 i, found = 0;

	if (profiles == 0) {
		complain("no profile has all of its CAs yet: import them, from "
		    "the CA's pages or a record of the Common CA Database");
		return EXIT_REJECTED;
	}
	engine = certauth_open_file(run->conf, &error);
	if (engine == NULL) {
		complain_error(&error);
		return EXIT_REJECTED;
	}
	for (i = 0; i < run->family->num_profiles; i++)
		found += certauth_profile_find(engine,
		    run->family->profiles[i].name) != NULL;
	certauth_free(engine);
	if (!run->args->json && found == 0)
		(void)printf("%zu profile%s ready, and %s includes none of them\n",
		    profiles, profiles == 1 ? "" : "s", run->conf);
	else if (!run->args->json)
		(void)printf("%zu profile%s in %s; next: who is who, in %s, and "
		    "certauth-refresher for the CRLs\n", found,
		    found == 1 ? "" : "s", run->conf, run->folder);
	return EXIT_FINE;
}

int
pool_setup(struct pool_run *run)
{
	const char		*from = run->args->from != NULL ?
				    run->args->from :
				    CERTAUTH_SHARE "/" POOL_FOLDER;
	struct certauth_error	 error = { .line = 0 };
	char			 path[POOL_MAX_PATH];
	size_t			 i, profiles;
	bool			 ok;

	if (!pool_path(path, from, "manifest"))
		return EXIT_USAGE;
	run->family = certauth_family_open(path, &error);
	if (run->family == NULL)
		return complain_error(&error);
	/* The manifest of an older version is ours to replace. */
	if (!make_folders(run) || !copy(run, from, ".", "manifest", false) ||
	    !copy_all(run, from))
		return EXIT_USAGE;
	for (i = 0; i < run->args->rest.num_items; i++)
		if (!certauth_family_import(run->family, run->folder,
		    run->args->rest.items[i], NULL, 0, pool_line, run, &error))
			return complain_error(&error);
	ok = run->args->rest.num_items > 0 || pool_fetch(run);
	if (!pool_lists(run, &profiles) || !make_policy(run, from))
		return EXIT_USAGE;
	return pool_report(run, ok ? try_policy(run, profiles) : EXIT_REJECTED);
}
