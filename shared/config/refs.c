/*
 * refs.c - where is the file that a setting names?
 *
 * Opens the folders, each once however many files are in it, so that a list of
 * thousands of CRLs costs one descriptor. Reads nothing.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/load.h"

/* The same folder as one opened before: borrow that descriptor. */
static bool
share_folder(struct load *load, struct file_ref *ref)
{
	struct config	*config = load->config;
	struct stat	 own, other;
	size_t		 i;
	int		*fds;

	if (ref->folder_fd < 0)
		return true;
	if (fstat(ref->folder_fd, &own) != 0)
		return load_no_memory(load);
	for (i = 0; i < config->num_folder_fds; i++)
		if (fstat(config->folder_fds[i], &other) == 0 &&
		    own.st_dev == other.st_dev && own.st_ino == other.st_ino) {
			close(ref->folder_fd);
			ref->folder_fd = config->folder_fds[i];
			ref->borrowed = true;
			return true;
		}
	fds = reallocarray(config->folder_fds, config->num_folder_fds + 1,
	    sizeof(*fds));
	if (fds == NULL)
		return load_no_memory(load);
	config->folder_fds = fds;
	fds[config->num_folder_fds++] = ref->folder_fd;
	ref->borrowed = true;
	return true;
}

static bool
exists(const struct file_ref *ref)
{
	static const struct file_stamp	none;
	struct file_stamp		stamp;

	file_stat(ref, &stamp);
	return !file_stamp_equal(&stamp, &none);
}

bool
refs_open(struct load *load, const config_setting_t *at, bool may_miss,
    struct file_ref *ref)
{
	struct certauth_error	 why;
	char			 shown[128];
	bool			 ok;

	ok = may_miss ?
	    file_ref_open_missing(ref, load->folder, at->value.sval, &why) :
	    file_ref_open(ref, load->folder, at->value.sval, &why);
	if (!ok)
		return load_fault(load, at, "%s: %s", why.file, why.text);
	if (!may_miss && !exists(ref)) {
		text_printable(shown, sizeof(shown), ref->path,
		    strlen(ref->path));
		load_fault(load, at, "found no file \"%s\"; expected one that "
		    "exists and can be reached", shown);
		goto fail;
	}
	if (share_folder(load, ref))
		return true;
fail:
	file_ref_close(ref);
	return false;
}

static bool
open_kept(struct load *load, const config_setting_t *at, struct file_ref *ref)
{
	struct certauth_error	 why;

	if (load->bundle == NULL)
		return refs_open(load, at, false, ref);
	if (bundle_ref(ref, load->bundle, load->folder, at->value.sval, &why) &&
	    exists(ref))
		return true;
	file_ref_close(ref);
	return load_fault(load, at, "found no file \"%s\" in the generation",
	    at->value.sval);
}

bool
refs_open_list(struct load *load, const config_setting_t *at,
    enum refs_kind kind, struct config_refs *refs)
{
	const config_setting_t	*elem;
	size_t			 num = (size_t)config_setting_length(at), i;

	refs->refs = calloc(num, sizeof(*refs->refs));
	refs->files = calloc(num, sizeof(*refs->files));
	refs->lines = calloc(num, sizeof(*refs->lines));
	if (refs->refs == NULL || refs->files == NULL || refs->lines == NULL)
		return load_no_memory(load);
	for (i = 0; i < num; i++) {
		elem = config_setting_get_elem(at, (unsigned)i);
		if (!(kind == REFS_KEPT ?
		    open_kept(load, elem, &refs->refs[i]) :
		    refs_open(load, elem, true, &refs->refs[i])))
			return false;
		refs->num_refs++;
		refs->files[i] = load_place(load, elem, &refs->lines[i]);
	}
	return true;
}

void
refs_free_list(struct config_refs *refs)
{
	size_t	i;

	for (i = 0; i < refs->num_refs; i++)
		file_ref_close(&refs->refs[i]);
	free(refs->refs);
	free(refs->files);
	free(refs->lines);
	memset(refs, 0, sizeof(*refs));
}

int
refs_live(struct load *load, const config_setting_t *at,
    enum config_live_kind kind)
{
	struct config		*config = load->config;
	struct config_live	*live;
	struct file_ref		 ref;
	size_t			 i;

	if (!refs_open(load, at, false, &ref))
		return -1;
	/* Folders are shared, so one folder is one descriptor. */
	for (i = 0; i < config->num_live; i++) {
		live = &config->live[i];
		if (live->kind == kind && live->ref.folder_fd == ref.folder_fd &&
		    strcmp(live->ref.name, ref.name) == 0) {
			file_ref_close(&ref);
			return (int)i;
		}
	}
	if (config->num_live == CONFIG_MAX_LIVE) {
		load_fault(load, at, "more than %d maps and denied files",
		    CONFIG_MAX_LIVE);
		file_ref_close(&ref);
		return -1;
	}
	live = reallocarray(config->live, config->num_live + 1, sizeof(*live));
	if (live == NULL) {
		load_no_memory(load);
		file_ref_close(&ref);
		return -1;
	}
	config->live = live;
	live += config->num_live;
	memset(live, 0, sizeof(*live));
	live->kind = kind;
	live->ref = ref;
	live->file = load_place(load, at, &live->line);
	return (int)config->num_live++;
}
