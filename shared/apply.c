/*
 * apply.c - how does a policy come into force, whole or not at all?
 *
 * Writes a generation as one file, and makes `current` name it: the rename of that
 * file is the change. Does not judge what it applies: the command looks at it as
 * each server's user in between.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "apply.h"
#include "certauth_apply.h"
#include "engine.h"

/* Files in FILE.applied/ looked at; far more than ever are there. */
#define MAX_FILES	1000u
/* What is not in force yet. */
#define NEW_SUFFIX	".new"
/* Locked by who changes something: nobody else may open it. */
#define LOCK_NAME	".lock"

struct certauth_apply {
	char			*conf;
	enum certauth_apply_kind kind;
	struct file_owners	 owners;
	int			 dirfd, lock;	/* FILE.applied; -1: none */
	char			 name[APPLIED_NAME_BYTES];
	unsigned		 number, was;
	unsigned char		 sha256[32];
	bool			 same, made;	/* made: NAME is ours to remove */
};

static bool
refuse_errno(struct certauth_error *error_r, const char *path, const char *what)
{
	error_set(error_r, path, 0, "%s: %s", what, strerror(errno));
	return false;
}

/* ------------------------------------------------------------------- folder */

static char *
folder_path(const char *conf)
{
	struct text	path = { 0 };

	text_printf(&path, "%s" APPLIED_SUFFIX, conf);
	return text_take(&path);
}

/* The names in it; none where it is not there. False: error_r. */
static bool
read_folder(const char *conf, const struct file_owners *owners,
    struct file_list *list_r, struct certauth_error *error_r)
{
	struct file_ref	 ref;
	char		*path = folder_path(conf);
	bool		 ok;

	memset(list_r, 0, sizeof(*list_r));
	list_r->folder_fd = -1;
	if (path == NULL) {
		error_set(error_r, conf, 0, "out of memory");
		return false;
	}
	ok = file_ref_open_missing(&ref, NULL, path, error_r);
	free(path);
	if (!ok)
		return false;
	ok = file_list_read(&ref, owners, MAX_FILES, list_r, error_r) ||
	    errno == ENOENT;
	file_ref_close(&ref);
	return ok;
}

/* Not what the umask leaves of it; and on the disk, or what is in force could be gone
 * after a power cut. */
static bool
make_folder(const char *path, struct certauth_error *error_r)
{
	char	*parent;
	bool	 ok;
	int	 fd = -1;

	if (mkdir(path, 0755) != 0)
		return errno == EEXIST ||
		    refuse_errno(error_r, path, "cannot be made");
	ok = chmod(path, 0755) == 0 ||
	    refuse_errno(error_r, path, "cannot be made");
	parent = strdup(path);
	if (parent != NULL && strrchr(parent, '/') != NULL)
		strrchr(parent, '/')[1] = '\0';
	if (parent != NULL)
		fd = open(strchr(parent, '/') != NULL ? parent : ".",
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(parent);
	if (fd >= 0) {
		(void)fsync(fd);	/* some file systems cannot */
		close(fd);
	}
	return ok;
}

/* Made where it is missing, held to the rules of files, and ours alone until it is
 * closed. */
static bool
open_folder(struct certauth_apply *a, bool make, struct certauth_error *error_r)
{
	struct file_list	 list;
	char			*path = folder_path(a->conf);
	bool			 ok = false;

	if (path == NULL) {
		error_set(error_r, a->conf, 0, "out of memory");
		return false;
	}
	if (make && !make_folder(path, error_r))
		goto out;
	a->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (a->dirfd < 0 && errno == ENOENT) {
		error_set(error_r, path, 0, "does not exist: nothing was ever "
		    "applied");
		goto out;
	}
	if (a->dirfd >= 0)
		a->lock = openat(a->dirfd, LOCK_NAME, O_RDWR | O_CREAT |
		    O_NOFOLLOW | O_CLOEXEC, 0600);
	if (a->dirfd < 0 || a->lock < 0 || flock(a->lock, LOCK_EX) != 0) {
		refuse_errno(error_r, path, "cannot be written");
		goto out;
	}
	ok = read_folder(a->conf, &a->owners, &list, error_r);
	file_list_free(&list);
out:
	free(path);
	return ok;
}

/* The next number of a generation; whatever stopped in the middle is removed. */
static bool
tidy(struct certauth_apply *a, unsigned *next_r, struct certauth_error *error_r)
{
	struct file_list	 list;
	const char		*end;
	size_t			 i;
	unsigned		 number, highest = a->was;

	if (!read_folder(a->conf, &a->owners, &list, error_r))
		return false;
	for (i = 0; i < list.num_refs; i++) {
		number = applied_number(list.refs[i].name);
		if (number > highest)
			highest = number;
		end = strrchr(list.refs[i].name, '.');
		if (end != NULL && strcmp(end, NEW_SUFFIX) == 0)
			(void)unlinkat(a->dirfd, list.refs[i].name, 0);
	}
	file_list_free(&list);
	*next_r = highest + 1;
	if (highest < APPLIED_MAX_NUMBER)
		return true;
	error_set(error_r, a->conf, 0, "generation %u has the last number there "
	    "is; remove its file", highest);
	return false;
}

static bool
keeps(const struct certauth_apply *a, const unsigned *numbers, size_t num,
    size_t i)
{
	size_t	newer = 0, k;

	if (numbers[i] == a->number || numbers[i] == a->was)
		return true;
	for (k = 0; k < num; k++)
		newer += numbers[k] > numbers[i] && numbers[k] != a->was &&
		    numbers[k] != a->number;
	/* those two have a place of their own */
	return newer < CERTAUTH_APPLY_KEEP - 2;
}

/* In force already: what cannot be removed is removed next time. */
static void
remove_old(const struct certauth_apply *a)
{
	struct file_list	list;
	unsigned		numbers[MAX_FILES];
	size_t			i, num = 0;
	char			name[APPLIED_NAME_BYTES];

	if (!read_folder(a->conf, &a->owners, &list, NULL))
		return;
	for (i = 0; i < list.num_refs; i++) {
		numbers[num] = applied_number(list.refs[i].name);
		num += numbers[num] != 0;
	}
	file_list_free(&list);
	for (i = 0; i < num; i++) {
		(void)snprintf(name, sizeof(name), "%u", numbers[i]);
		if (!keeps(a, numbers, num, i))
			(void)unlinkat(a->dirfd, name, 0);
	}
}

/* ------------------------------------------------------------------ looking */

struct look {
	const char			*conf;
	const struct file_owners	*owners;
	unsigned			 in_force;
	unsigned char			 sha256[32];
};

static void
tell(const struct look *look, unsigned number, certauth_generation_fn *fn,
    void *context)
{
	struct certauth_generation	row = { .number = number };
	struct applied			applied;
	char				name[APPLIED_NAME_BYTES];

	(void)snprintf(name, sizeof(name), "%u", number);
	row.in_force = number == look->in_force;
	row.damaged = !applied_read(look->conf, name, look->owners, &applied,
	    NULL) || applied.number != number || (row.in_force &&
	    memcmp(applied.sha256, look->sha256, 32) != 0);
	if (!row.damaged) {
		row.replaces = applied.replaces;
		row.time = applied.time;
		row.files = applied.bundle.num_files;
		(void)snprintf(row.by, sizeof(row.by), "%s", applied.by);
	}
	applied_free(&applied);
	fn(context, &row);
}

static int
compare_down(const void *a, const void *b)
{
	unsigned	x = *(const unsigned *)a, y = *(const unsigned *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

bool
certauth_generations(const char *conf, certauth_generation_fn *fn,
    void *context, unsigned *in_force_r, struct certauth_error *error_r)
{
	struct file_owners	owners;
	struct look		look = { .conf = conf, .owners = &owners };
	struct file_list	list;
	unsigned		numbers[MAX_FILES];
	size_t			i, num = 0;
	bool			ok;

	memset(error_r, 0, sizeof(*error_r));
	file_owners_init(&owners);
	ok = applied_current(conf, &owners, &look.in_force, look.sha256,
	    error_r) != APPLIED_BAD;
	*in_force_r = look.in_force;
	if (fn == NULL)
		return ok;
	if (!read_folder(conf, &owners, &list, ok ? error_r : NULL))
		return false;
	for (i = 0; i < list.num_refs; i++) {
		numbers[num] = applied_number(list.refs[i].name);
		num += numbers[num] != 0;
	}
	file_list_free(&list);
	qsort(numbers, num, sizeof(numbers[0]), compare_down);
	for (i = 0; i < num; i++)
		tell(&look, numbers[i], fn, context);
	return ok;
}

enum certauth_difference
certauth_applied_differs(const char *conf, struct certauth_error *error_r)
{
	struct file_owners		owners;
	struct applied			applied;
	struct bundle			bundle;
	struct apply_rights			rights;
	enum certauth_difference	answer = CERTAUTH_DIFFERENCE_UNKNOWN;

	memset(error_r, 0, sizeof(*error_r));
	file_owners_init(&owners);
	switch (applied_in_force(conf, &owners, &applied, error_r)) {
	case APPLIED_BAD:
		return CERTAUTH_DIFFERENCE_UNKNOWN;
	case APPLIED_NONE:
		return CERTAUTH_DIFFERENCE_NONE;
	case APPLIED_FOUND:
		break;
	}
	if (apply_collect(conf, &bundle, &rights, error_r)) {
		answer = bundle_equal(&bundle, &applied.bundle) ?
		    CERTAUTH_DIFFERENCE_NONE : CERTAUTH_DIFFERENCE_SOME;
		bundle_free(&bundle);
	}
	applied_free(&applied);
	return answer;
}

/* ----------------------------------------------------------------- changing */

static mode_t
wanted_mode(const struct apply_rights *rights)
{
	return rights->mode & 0644;
}

/* NAME: what `text` says, readable for those who may read all of its parts. */
static bool
write_new(struct certauth_apply *a, const struct apply_rights *rights,
    const struct text *text, struct certauth_error *error_r)
{
	struct file_part	part = { .open = false };
	bool			ok;

	ok = file_part_make(&part, a->dirfd, a->name) && (!rights->has_gid ||
	    fchown(part.fd, (uid_t)-1, rights->gid) == 0) &&
	    fchmod(part.fd, wanted_mode(rights)) == 0 &&
	    file_write_all(part.fd, text->data, text->len) &&
	    file_part_seal(&part) && file_part_place(&part);
	if (!ok)
		refuse_errno(error_r, a->name, "cannot be written");
	a->made = part.placed;
	file_part_drop(&part);
	return ok;
}

static bool
make_generation(struct certauth_apply *a, struct applied *new,
    const struct apply_rights *rights, struct certauth_error *error_r)
{
	struct text	text = { 0 };
	bool		ok;

	(void)snprintf(a->name, sizeof(a->name), "%u" NEW_SUFFIX, a->number);
	applied_print(new, &text);
	memcpy(a->sha256, new->sha256, 32);
	ok = !text.failed && write_new(a, rights, &text, error_r);
	if (text.failed)
		error_set(error_r, a->conf, 0, "out of memory");
	text_free(&text);
	return ok;
}

/* Can those read it who may read its parts as they are now? */
static bool
same_rights(const struct certauth_apply *a, unsigned number,
    const struct apply_rights *rights)
{
	struct stat	st;
	char		name[APPLIED_NAME_BYTES];

	(void)snprintf(name, sizeof(name), "%u", number);
	return fstatat(a->dirfd, name, &st, 0) == 0 &&
	    (st.st_mode & 0777) == wanted_mode(rights) &&
	    (!rights->has_gid || st.st_gid == rights->gid);
}

/* Of the file as it is now. */
static bool
begin_file(struct certauth_apply *a, const struct certauth_apply_ask *ask,
    struct certauth_error *error_r)
{
	struct applied		 new = { .replaces = a->was }, old;
	struct apply_rights	 rights;
	enum applied_found	 found;
	bool			 ok = false;

	if (!apply_collect(a->conf, &new.bundle, &rights, error_r))
		return false;
	/* A damaged one is replaced by what is good. */
	found = applied_in_force(a->conf, &a->owners, &old, NULL);
	if (found == APPLIED_FOUND && bundle_equal(&old.bundle, &new.bundle) &&
	    same_rights(a, old.number, &rights)) {
		a->same = ok = true;
		a->number = old.number;
		(void)snprintf(a->name, sizeof(a->name), "%u", a->number);
	} else if (tidy(a, &new.number, error_r)) {
		a->number = new.number;
		new.time = ask->now != 0 ? ask->now : engine_clock(NULL);
		(void)text_printable(new.by, sizeof(new.by), ask->by,
		    strlen(ask->by));
		ok = make_generation(a, &new, &rights, error_r);
	}
	if (found == APPLIED_FOUND)
		applied_free(&old);
	applied_free(&new);
	return ok;
}

static bool
begin_back(struct certauth_apply *a, unsigned number,
    const unsigned char in_force[32], struct certauth_error *error_r)
{
	struct applied	 target;
	char		 name[APPLIED_NAME_BYTES];
	bool		 ok = false;

	(void)snprintf(name, sizeof(name), "%u", a->was);
	if (number == 0 && a->was == 0) {
		error_set(error_r, a->conf, 0, "no generation is in force, so "
		    "there is none before it; expected certauth rollback N");
		return false;
	}
	if (number == 0) {
		if (!applied_read(a->conf, name, &a->owners, &target, error_r))
			return false;
		number = target.replaces;
		applied_free(&target);
		if (number == 0) {
			error_set(error_r, a->conf, 0, "generation %u is the "
			    "first; before it the file itself was in force "
			    "(certauth apply --remove)", a->was);
			return false;
		}
	}
	a->number = number;
	(void)snprintf(a->name, sizeof(a->name), "%u", number);
	ok = applied_read(a->conf, a->name, &a->owners, &target, error_r);
	if (ok && target.number != number) {
		error_set(error_r, a->conf, 0, "%s is not generation %u, but %u "
		    "under its name", a->name, number, target.number);
		ok = false;
	}
	memcpy(a->sha256, target.sha256, 32);
	a->same = ok && number == a->was &&
	    memcmp(target.sha256, in_force, 32) == 0;
	applied_free(&target);
	return ok;
}

struct certauth_apply *
certauth_apply_begin(const char *conf, const struct certauth_apply_ask *ask,
    struct certauth_error *error_r)
{
	struct certauth_apply	*a = calloc(1, sizeof(*a));
	enum applied_found	 found = APPLIED_BAD;
	unsigned char		 sha256[32] = { 0 };
	bool			 ok;

	memset(error_r, 0, sizeof(*error_r));
	if (a == NULL || (a->conf = strdup(conf)) == NULL) {
		error_set(error_r, conf, 0, "out of memory");
		free(a);
		return NULL;
	}
	a->dirfd = a->lock = -1;
	a->kind = ask->kind;
	file_owners_init(&a->owners);
	ok = open_folder(a, ask->kind == CERTAUTH_APPLY_FILE, error_r);
	/* One that cannot be told is replaced: that is how it is mended. */
	if (ok)
		found = applied_current(conf, &a->owners, &a->was, sha256, NULL);
	switch (ask->kind) {
	case CERTAUTH_APPLY_FILE:
		ok = ok && begin_file(a, ask, error_r);
		break;
	case CERTAUTH_APPLY_BACK:
		ok = ok && begin_back(a, ask->number, sha256, error_r);
		break;
	case CERTAUTH_APPLY_REMOVE:
		a->same = found == APPLIED_NONE;
		break;
	}
	if (!ok) {
		certauth_apply_end(a);
		a = NULL;
	}
	return a;
}

const char *
certauth_apply_name(const struct certauth_apply *a)
{
	return a->name;
}

unsigned
certauth_apply_number(const struct certauth_apply *a)
{
	return a->number;
}

unsigned
certauth_apply_was(const struct certauth_apply *a)
{
	return a->was;
}

bool
certauth_apply_is_same(const struct certauth_apply *a)
{
	return a->same;
}

static bool
remove_current(struct certauth_apply *a, struct certauth_error *error_r)
{
	if (unlinkat(a->dirfd, APPLIED_CURRENT, 0) != 0 && errno != ENOENT)
		return refuse_errno(error_r, a->conf, "the generation cannot be "
		    "taken out of force");
	if (fsync(a->dirfd) != 0)
		return refuse_errno(error_r, a->conf, "the file is in force, and "
		    "may not be so after a power cut");
	return true;
}

bool
certauth_apply_commit(struct certauth_apply *a, struct certauth_error *error_r)
{
	struct text	text = { 0 };
	char		name[APPLIED_NAME_BYTES];
	bool		ok;

	if (a->kind == CERTAUTH_APPLY_REMOVE)
		return remove_current(a, error_r);
	if (a->same)
		return true;
	(void)snprintf(name, sizeof(name), "%u", a->number);
	if (a->made) {
		if (renameat(a->dirfd, a->name, a->dirfd, name) != 0)
			return refuse_errno(error_r, a->name, "cannot be "
			    "renamed");
		a->made = false;
		(void)snprintf(a->name, sizeof(a->name), "%s", name);
	}
	applied_print_current(a->number, a->sha256, &text);
	ok = !text.failed && file_replace(a->dirfd, APPLIED_CURRENT, text.data,
	    text.len, error_r);
	if (text.failed)
		error_set(error_r, a->conf, 0, "out of memory");
	text_free(&text);
	if (ok)
		remove_old(a);
	return ok;
}

void
certauth_apply_end(struct certauth_apply *a)
{
	if (a == NULL)
		return;
	if (a->made)
		(void)unlinkat(a->dirfd, a->name, 0);
	if (a->lock >= 0)
		close(a->lock);
	if (a->dirfd >= 0)
		close(a->dirfd);
	free(a->conf);
	free(a);
}
