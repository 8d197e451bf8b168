/*
 * compile.c - door 2: CRL files in, one published index out; and what is in it?
 *
 * Only coordinates: the walker, the signer search and the writer are in
 * revocation/, certificates in trust/. A list that is bad, older or gone keeps
 * what the published index has of it.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/text.h"
#include "certauth_data.h"
#include "compile_pools.h"
#include "engine.h"
#include "fetched.h"
#include "input.h"
#include "revocation/load.h"

/* One compilation in progress. */
struct job {
	const struct pool *const *pools;
	size_t			  num_pools;
	const struct file_owners *owners;	/* NULL: anyone's files */
	struct index_writer	 *writer;
	struct publish_folder	  folder;
	struct publish_map	  last;		/* zero: none published */
	struct certauth_compile	 *report;
	size_t			  capacity;
	const char		 *file;		/* being read */
	const struct certauth_progress *progress;	/* NULL: nobody asks */
	size_t			  num_done, num_files;
	struct file_ref		  spool;	/* path NULL: none */
	bool			  spool_read;
	bool			  no_memory;
};

static const struct index *
last_index(const struct job *job)
{
	return job->last.index.header != NULL ? &job->last.index : NULL;
}

/* ------------------------------------------------------------------ report */

static struct certauth_crl_report *
add_report(struct job *job, const char *file)
{
	struct certauth_compile		*report = job->report;
	struct certauth_crl_report	*grown;
	size_t				 more;

	if (report->num_crls == job->capacity) {
		more = job->capacity == 0 ? 8 : job->capacity * 2;
		grown = reallocarray(report->crls, more, sizeof(*grown));
		if (grown == NULL) {
			job->no_memory = true;
			return NULL;
		}
		report->crls = grown;
		job->capacity = more;
	}
	grown = &report->crls[report->num_crls++];
	memset(grown, 0, sizeof(*grown));
	text_printable(grown->file, sizeof(grown->file), file, strlen(file));
	return grown;
}

/* Cut between letters: the report becomes JSON. */
static void
set_text(char *buf, size_t buf_len, const char *text)
{
	size_t	len = text != NULL ? strlen(text) : 0;

	if (len >= buf_len)
		len = buf_len - 1;
	while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	if (len > 0)
		memcpy(buf, text, len);
	buf[len] = '\0';
}

static void
add_error(struct job *job, const char *file, const char *error)
{
	struct certauth_crl_report	*report = add_report(job, file);

	if (report != NULL)
		set_text(report->error, sizeof(report->error), error);
}

static void
report_crl(void *context, const struct crl *crl, const char *error)
{
	struct job			*job = context;
	struct certauth_crl_report	*report = add_report(job, job->file);
	char				*issuer;
	size_t				 i;

	if (report == NULL)
		return;
	set_text(report->error, sizeof(report->error), error);
	if (crl == NULL)
		return;
	issuer = crl_issuer_print(crl);
	set_text(report->issuer, sizeof(report->issuer), issuer);
	free(issuer);
	for (i = 0; i < crl->number_len; i++)
		snprintf(report->number + 2 * i, 3, "%02X", crl->number[i]);
	for (i = 0; i < crl->base_len; i++)
		snprintf(report->base + 2 * i, 3, "%02X", crl->base[i]);
	report->indirect = crl->indirect;
	report->this_update = crl->this_update;
	report->next_update = crl->next_update == CRL_NO_TIME ? 0 :
	    crl->next_update;
	report->entries = crl->num_entries;
}

/* Was the whole file taken this time? */
static bool
taken(const struct certauth_compile *report, const char *file)
{
	char	shown[sizeof(report->crls->file)];
	size_t	i;
	bool	found = false;

	text_printable(shown, sizeof(shown), file, strlen(file));
	for (i = 0; i < report->num_crls; i++)
		if (strcmp(report->crls[i].file, shown) == 0) {
			if (report->crls[i].error[0] != '\0')
				return false;
			found = true;
		}
	return found;
}

static bool
reported(const struct certauth_compile *report, const char *file)
{
	char	shown[sizeof(report->crls->file)];
	size_t	i;

	text_printable(shown, sizeof(shown), file, strlen(file));
	for (i = 0; i < report->num_crls; i++)
		if (strcmp(report->crls[i].file, shown) == 0 &&
		    report->crls[i].error[0] != '\0')
			return true;
	return false;
}

/* ------------------------------------------------------------------- files */

static void
tell(const struct job *job, const char *name)
{
	if (job->progress != NULL)
		job->progress->fn(job->progress->context, job->num_done,
		    job->num_files, name);
}

/* Private memory and the stamp of what is in it. */
static bool
read_file(struct job *job, const struct file_ref *ref, struct file_bytes *bytes,
    struct certauth_error *error_r)
{
	struct file_stamp	after;

	if (job->owners != NULL)
		return file_read(ref, job->owners, INPUT_MAX_BYTES, bytes,
		    error_r);
	memset(bytes, 0, sizeof(*bytes));
	file_stat(ref, &bytes->stamp);
	if (!input_read(ref->path, &bytes->data, &bytes->data_len, error_r))
		return false;
	file_stat(ref, &after);
	if (!file_stamp_equal(&bytes->stamp, &after) ||
	    (uint64_t)after.size != bytes->data_len)
		memset(&bytes->stamp, 0, sizeof(bytes->stamp));
	return true;
}

/* The rows that the published index has of this file stay. */
static void
keep_file(struct job *job, const char *path)
{
	const struct index	*last = last_index(job);
	const struct index_row	*row;
	bool			 kept;
	size_t			 i;

	for (i = 0; last != NULL && i < index_num_rows(last); i++) {
		row = index_row(last, i);
		if (row != NULL &&
		    load_from_file(last, row, path) &&
		    !index_writer_copy(job->writer, last, row, &kept, NULL))
			job->no_memory = true;
	}
}

/* False: no long list, nothing was done. */
static bool
compile_long(struct job *job, const struct file_ref *ref)
{
	struct index_source	source = { ref->path, { 0 } };
	bool			done;
	int			fd;

	if (job->owners != NULL)
		fd = file_open(ref, job->owners, INPUT_MAX_BYTES, &source.stamp,
		    NULL);
	else {
		fd = open(ref->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK |
		    O_NOCTTY);
		if (fd >= 0)
			file_stat_fd(fd, &source.stamp);
	}
	if (fd < 0)
		return false;
	/* A file that changed has another stamp by now: servers that find it
	 * beside the index read it. What was read stands by its signature. */
	done = source.stamp.size > 0 && load_long_crl(job->writer, fd,
	    (size_t)source.stamp.size, &source, job->pools, job->num_pools,
	    last_index(job), report_crl, job);
	close(fd);
	return done;
}

static void
compile_file(struct job *job, const struct file_ref *ref)
{
	struct index_source	source = { ref->path, { 0 } };
	struct certauth_error	error = { 0 };
	struct file_bytes	bytes;

	job->file = ref->path;
	tell(job, ref->path);
	job->num_done++;
	if (compile_long(job, ref))
		return;
	if (!read_file(job, ref, &bytes, &error)) {
		add_error(job, ref->path, error.text);
		keep_file(job, ref->path);
		return;
	}
	source.stamp = bytes.stamp;
	load_crls(job->writer, bytes.data, bytes.data_len, &source, job->pools,
	    job->num_pools, last_index(job), true, report_crl, job);
	file_bytes_free(&bytes);
}

/* `max`: files of a folder. */
static void
compile_ref(struct job *job, const struct file_ref *ref, size_t max)
{
	struct file_owners	owners;
	struct certauth_error	error = { 0 };
	struct file_list	list = { 0 };
	struct stat		st;
	size_t			i;

	if (!file_is_folder(ref)) {
		compile_file(job, ref);
		return;
	}
	if (job->owners != NULL)
		owners = *job->owners;
	else {
		file_owners_init(&owners);
		if (stat(ref->path, &st) == 0 && owners.num_uids < 3)
			owners.uids[owners.num_uids++] = st.st_uid;
	}
	if (!file_list_read(ref, &owners, max, &list, &error)) {
		add_error(job, ref->path, error.text);
		return;
	}
	job->num_files += list.num_refs - 1;	/* the folder itself is none */
	for (i = 0; i < list.num_refs; i++)
		compile_file(job, &list.refs[i]);
	file_list_free(&list);
}

/* What the refresher fetched. The folder's owner is the one who publishes. */
static void
compile_spool(struct job *job)
{
	const struct file_owners	*before = job->owners;
	struct file_owners		 owners;
	struct stat			 st;
	size_t				 reports = job->report->num_crls;

	if (job->spool.path == NULL || !file_is_folder(&job->spool))
		return;
	owners = *before;
	if (fstat(job->folder.fd, &st) == 0 &&
	    owners.num_uids < sizeof(owners.uids) / sizeof(owners.uids[0]))
		owners.uids[owners.num_uids++] = st.st_uid;
	job->owners = &owners;
	job->num_files++;
	compile_ref(job, &job->spool, CERTAUTH_SPOOL_MAX);
	job->owners = before;
	/* A folder that cannot be listed is reported under its own name. */
	job->spool_read = job->report->num_crls == reports ||
	    strcmp(job->report->crls[reports].file, job->spool.path) != 0;
}

/* ----------------------------------------------------------------- publish */

/* Is that source the file `ref` or in the folder `ref`? */
static bool
given(const struct file_ref *refs, size_t num_refs, const char *source)
{
	size_t	i, len;

	for (i = 0; i < num_refs; i++) {
		len = strlen(refs[i].path);
		if (strncmp(refs[i].path, source, len) == 0 &&
		    (source[len] == '\0' || source[len] == '/'))
			return true;
	}
	return false;
}

/*
 * What the published index has and the files do not: a list that is newer than
 * any of its scope (nobody may go back), or one whose file is gone or bad. A
 * list that was taken out of a good file, or out of the policy, or that the
 * refresher no longer keeps, goes.
 */
static void
keep_last(struct job *job, const struct file_ref *refs, size_t num_refs)
{
	const struct index	*last = last_index(job);
	const struct index_row	*row;
	const char		*source;
	size_t			 i, n;
	bool			 kept, has, spooled;

	for (i = 0, n = last != NULL ? index_num_rows(last) : 0; i < n; i++) {
		row = index_row(last, i);
		if (row == NULL)
			continue;
		source = index_string(last, row->source);
		has = index_writer_has(job->writer, last, row);
		spooled = job->spool.path != NULL &&
		    given(&job->spool, 1, source);
		if (!has && (taken(job->report, source) || (spooled ?
		    job->spool_read : !given(refs, num_refs, source))))
			continue;
		if (!index_writer_copy(job->writer, last, row, &kept, NULL))
			job->no_memory = true;
		else if (kept && !reported(job->report, source) &&
		    /* in force until the newer one begins */
		    !index_writer_newer(job->writer, last, row))
			add_error(job, source, has ? "the lists given are older "
			    "than the published one, which stays" : "the CRL "
			    "file is gone; the published list stays");
	}
}

static void
open_last(struct job *job)
{
	struct file_owners	owners;
	struct file_ref		ref = { 0 };
	struct file_stamp	stamp;
	struct stat		st;

	if (!file_ref_open(&ref, NULL, job->folder.path, NULL))
		return;
	/* Whoever may write here writes the index: its owner is ours. */
	file_owners_init(&owners);
	if (fstat(job->folder.fd, &st) == 0 && owners.num_uids < 3)
		owners.uids[owners.num_uids++] = st.st_uid;
	if (publish_open(&ref, &owners, NULL, &stamp, &job->last, NULL) !=
	    PUBLISH_TAKEN)
		memset(&job->last, 0, sizeof(job->last));
	else if (!publish_intact(&job->last, NULL))
		publish_unmap(&job->last);	/* damaged: nothing to keep */
	file_ref_close(&ref);
}

static bool
compile_all(struct job *job, const char *folder, const struct file_ref *refs,
    size_t num_refs, struct certauth_error *error_r)
{
	struct timespec	begin, end;
	size_t		i;
	bool		ok = false;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	if (!publish_begin(&job->folder, folder, error_r))
		return false;
	open_last(job);
	job->writer = index_writer_new();
	if (job->writer == NULL)
		goto no_memory;
	index_writer_set_now(job->writer, engine_clock(NULL));
	job->num_files = num_refs;
	for (i = 0; i < num_refs; i++)
		compile_ref(job, &refs[i], REVOCATION_MAX_FILES);
	compile_spool(job);
	keep_last(job, refs, num_refs);
	if (job->no_memory)
		goto no_memory;
	if (index_writer_rows(job->writer) == 0) {
		error_set(error_r, folder, 0, "no CRL could be taken, nothing is "
		    "published%s%s", job->report->num_crls > 0 ? ": " : "",
		    job->report->num_crls > 0 ? job->report->crls[0].error : "");
		goto out;
	}
	tell(job, "the index");
	if (!index_writer_seal(job->writer, error_r) ||
	    !publish_commit(&job->folder, job->writer, error_r))
		goto out;
	job->report->entries = index_writer_entries(job->writer);
	job->report->bytes = index_writer_size(job->writer);
	clock_gettime(CLOCK_MONOTONIC, &end);
	job->report->seconds = (double)(end.tv_sec - begin.tv_sec) +
	    (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
	ok = true;
	goto out;
no_memory:
	error_set(error_r, folder, 0, "out of memory");
out:
	index_writer_free(job->writer);
	publish_unmap(&job->last);
	publish_end(&job->folder);
	return ok;
}

/* ------------------------------------------------------------------ public */

static void
free_refs(struct file_ref *refs, size_t num_refs)
{
	size_t	i;

	for (i = 0; refs != NULL && i < num_refs; i++)
		file_ref_close(&refs[i]);
	free(refs);
}

static bool
open_refs(const char *const *files, size_t num_files, struct file_ref *refs,
    struct certauth_error *error_r)
{
	size_t	i;

	for (i = 0; i < num_files; i++)
		if (!file_ref_open_missing(&refs[i], NULL, files[i], error_r))
			return false;
	return true;
}

bool
certauth_compile(const char *const *issuers, size_t num_issuers,
    const char *const *crls, size_t num_crls, const char *folder,
    const struct certauth_progress *progress, struct certauth_compile *report_r,
    struct certauth_error *error_r)
{
	struct file_ref		*refs = calloc(num_crls + 1, sizeof(*refs));
	struct pool		*pool;
	const struct pool	*pools[1];
	struct job		 job = { .report = report_r,
				    .progress = progress };
	bool			 ok = false;

	memset(report_r, 0, sizeof(*report_r));
	pool = compile_issuer_pool(issuers, num_issuers, error_r);
	if (pool == NULL)
		goto out;
	if (refs == NULL) {
		error_set(error_r, NULL, 0, "out of memory");
		goto out;
	}
	if (!open_refs(crls, num_crls, refs, error_r))
		goto out;
	pools[0] = pool;
	job.pools = pools;
	job.num_pools = 1;
	ok = compile_all(&job, folder, refs, num_crls, error_r);
out:
	pool_free(pool);
	free_refs(refs, num_crls);
	return ok;
}

/* All authorities' CRL refs in a row; descriptors stay the config's. */
static struct file_ref *
all_crls(const struct config *config, size_t *num_r)
{
	struct file_ref	*refs;
	size_t		 i, j, n = 0;

	for (i = 0; i < config->num_authorities; i++)
		n += config->authorities[i].crls.num_refs;
	refs = calloc(n + 1, sizeof(*refs));
	*num_r = 0;
	for (i = 0; refs != NULL && i < config->num_authorities; i++)
		for (j = 0; j < config->authorities[i].crls.num_refs; j++)
			refs[(*num_r)++] = config->authorities[i].crls.refs[j];
	return refs;
}

bool
certauth_compile_conf(const char *conf, const struct certauth_progress *progress,
    struct certauth_compile *report_r, struct certauth_error *error_r)
{
	struct config	 *config = NULL;
	struct pool	**pools = NULL;
	struct file_ref	 *refs = NULL;
	struct job	  job = { .report = report_r, .progress = progress };
	size_t		  num_refs, i;
	bool		  ok = false;

	memset(report_r, 0, sizeof(*report_r));
	config = config_load_in_force(conf, error_r);
	if (config == NULL)
		return false;
	if (!config->has_state) {
		error_set(error_r, config->path, 0, "the folder that `state` is "
		    "in does not exist");
		goto out;
	}
	if (!publish_believed(&config->state, &config->owners, error_r))
		goto out;
	pools = calloc(config->num_authorities + 2, sizeof(*pools));
	refs = all_crls(config, &num_refs);
	if (pools == NULL || refs == NULL) {
		error_set(error_r, NULL, 0, "out of memory");
		goto out;
	}
	if (!compile_pools(config, pools, error_r))
		goto out;
	job.pools = (const struct pool *const *)pools;
	job.num_pools = config->num_authorities;
	/* Lists of CAs that were fetched are taken like those of known ones. */
	pools[job.num_pools] = fetched_pool(&config->state, &config->owners);
	if (pools[job.num_pools] != NULL)
		job.num_pools++;
	job.owners = &config->owners;
	if (!file_ref_open_missing(&job.spool, config->state.path,
	    CERTAUTH_SPOOL, error_r))
		goto out;
	ok = compile_all(&job, config->state.path, refs, num_refs, error_r);
out:
	file_ref_close(&job.spool);
	for (i = 0; pools != NULL && i < config->num_authorities + 1; i++)
		pool_free(pools[i]);
	free(pools);
	free(refs);
	config_free(config);
	return ok;
}

void
certauth_compile_free(struct certauth_compile *report)
{
	if (report == NULL)
		return;
	free(report->crls);
	memset(report, 0, sizeof(*report));
}
