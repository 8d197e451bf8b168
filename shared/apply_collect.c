/*
 * apply_collect.c - what does a generation of this policy hold?
 *
 * The policy file, its includes, and the certificates of anchors, issuers and
 * intermediates. Maps, denied lists, CRLs and keys stay where they are: they are
 * looked at while servers run. Writes nothing.
 */

#include <string.h>
#include <sys/stat.h>

#include "apply.h"
#include "config/config.h"
#include "trust/pool.h"

static void
narrow(struct apply_rights *rights, const struct file_ref *ref)
{
	struct stat	st;

	if (fstatat(ref->folder_fd, ref->name, &st, 0) != 0)
		st.st_mode = 0;
	if ((st.st_mode & S_IROTH) == 0) {
		if (rights->has_gid && rights->gid != st.st_gid)
			st.st_mode &= (mode_t)~S_IRGRP;
		rights->gid = st.st_gid;
		rights->has_gid = true;
	}
	rights->mode &= st.st_mode | S_IRUSR | S_IWUSR;
}

static bool
take_file(struct bundle *bundle, struct apply_rights *rights,
    const struct file_ref *ref, const struct file_owners *owners, size_t max,
    struct certauth_error *error_r)
{
	struct file_bytes	bytes;
	bool			ok;

	if (!file_read(ref, owners, max, &bytes, error_r))
		return false;
	narrow(rights, ref);
	ok = bundle_add_file(bundle, ref->path, bytes.data, bytes.data_len,
	    error_r);
	file_bytes_free(&bytes);
	return ok;
}

static bool
take_ref(struct bundle *bundle, struct apply_rights *rights,
    const struct file_ref *ref, const struct file_owners *owners,
    struct certauth_error *error_r)
{
	struct file_list	list;
	size_t			i;
	bool			ok;

	if (!file_is_folder(ref))
		return take_file(bundle, rights, ref, owners,
		    POOL_MAX_FILE_BYTES, error_r);
	if (!file_list_read(ref, owners, POOL_MAX_FILES, &list, error_r))
		return false;
	ok = bundle_add_folder(bundle, ref->path, error_r);
	for (i = 0; ok && i < list.num_refs; i++)
		ok = take_file(bundle, rights, &list.refs[i], owners,
		    POOL_MAX_FILE_BYTES, error_r);
	file_list_free(&list);
	return ok;
}

static bool
take_refs(struct bundle *bundle, struct apply_rights *rights,
    const struct config_refs *refs, const struct file_owners *owners,
    struct certauth_error *error_r)
{
	size_t	i;

	for (i = 0; i < refs->num_refs; i++)
		if (!take_ref(bundle, rights, &refs->refs[i], owners, error_r))
			return false;
	return true;
}

/* The policy file and its includes. */
static bool
take_sources(struct bundle *bundle, struct apply_rights *rights,
    const struct config *config, struct certauth_error *error_r)
{
	struct file_ref	ref;
	size_t		i;
	bool		ok = true;

	for (i = 0; ok && i < config->num_files; i++) {
		ok = file_ref_open(&ref, NULL, config->files[i], error_r) &&
		    take_file(bundle, rights, &ref, &config->owners,
		    CONFIG_MAX_BYTES, error_r);
		file_ref_close(&ref);
	}
	return ok;
}

bool
apply_collect(const char *conf, struct bundle *bundle, struct apply_rights *rights,
    struct certauth_error *error_r)
{
	struct config			*config = config_load(conf, error_r);
	const struct config_authority	*a;
	size_t				 i;
	bool				 ok;

	memset(bundle, 0, sizeof(*bundle));
	memset(rights, 0, sizeof(*rights));
	rights->mode = 0644;
	if (config == NULL)
		return false;
	bundle->root = applied_root(conf, error_r);
	ok = bundle->root != NULL &&
	    take_sources(bundle, rights, config, error_r);
	for (i = 0; ok && i < config->num_authorities; i++) {
		a = &config->authorities[i];
		ok = take_refs(bundle, rights, &a->anchors, &config->owners,
		    error_r) && take_refs(bundle, rights, &a->issuers,
		    &config->owners, error_r) && take_refs(bundle, rights,
		    &a->intermediates, &config->owners, error_r);
	}
	config_free(config);
	if (!ok)
		bundle_free(bundle);
	return ok;
}
