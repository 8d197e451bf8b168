/*
 * push.c - a CRL that somebody hands in: whose is it, and is it good?
 *
 * Kept where the refresher keeps what it fetches, under a name made of the hash of
 * issuer, key and scope, so that the next edition takes its place. For CAs that push, and
 * for machines that reach no network.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/text.h"
#include "certauth_data.h"
#include "engine.h"
#include "fetched.h"
#include "input.h"
#include "revocation/crl.h"
#include "revocation/index.h"

/* "pushed-" 32 hex digits ".crl" */
#define PUSH_NAME_BYTES	64

/* Issuer, key and scope of a list, not its edition. The key: a CA that changes it
 * and keeps its name has a list for each. */
static bool
add_identity(EVP_MD_CTX *ctx, const struct crl *crl,
    const struct pool *const *pools, size_t num_pools,
    struct certauth_error *error_r)
{
	unsigned char	signer[32];
	char		scope[64];

	if (!crl_find_signer(crl, pools, num_pools, signer, error_r))
		return false;
	(void)snprintf(scope, sizeof(scope), "%d %d %d %d %u %zu",
	    crl->user_only, crl->ca_only, crl->delta, crl->indirect,
	    (unsigned)crl->reasons, crl->num_dps);
	return EVP_DigestUpdate(ctx, crl->issuer_sha256, 32) == 1 &&
	    EVP_DigestUpdate(ctx, signer, sizeof(signer)) == 1 &&
	    EVP_DigestUpdate(ctx, scope, strlen(scope) + 1) == 1 &&
	    EVP_DigestUpdate(ctx, crl->dps, sizeof(crl->dps[0]) * crl->num_dps) ==
	    1;
}

/* Of all lists in the object: one alone does not take the place of a bundle. */
static bool
make_name(const struct certauth *e, const struct certauth_bytes *object,
    char name_r[PUSH_NAME_BYTES], struct certauth_error *error_r)
{
	const struct pool	*pools[CONFIG_MAX_AUTHORITIES + 1];
	struct pool		*fetched = engine_fetched_pool(e);
	struct crl_file		 cursor = { 0 };
	struct crl		 crl;
	const unsigned char	*der;
	unsigned char		*owned, digest[EVP_MAX_MD_SIZE];
	enum crl_next		 next;
	size_t			 der_len, num = 0, i;
	EVP_MD_CTX		*ctx = EVP_MD_CTX_new();
	bool			 ok;

	for (i = 0; i < e->num_authorities && i < CONFIG_MAX_AUTHORITIES; i++)
		pools[i] = e->authorities[i].pool;
	if (fetched != NULL)
		pools[i++] = fetched;
	ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;
	while (ok && (next = crl_file_next(&cursor, object->data,
	    object->data_len, &owned, &der, &der_len, error_r)) !=
	    CRL_NEXT_END) {
		ok = next == CRL_NEXT_TAKEN;
		if (!ok)
			break;
		num++;
		ok = crl_parse(&crl, der, der_len, error_r) &&
		    add_identity(ctx, &crl, pools, i, error_r);
		free(owned);
	}
	ok = ok && num > 0 && EVP_DigestFinal_ex(ctx, digest, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	pool_free(fetched);
	if (!ok)
		return false;
	(void)snprintf(name_r, PUSH_NAME_BYTES, "pushed-");
	for (i = 0; i < 16; i++)
		(void)snprintf(name_r + 7 + 2 * i, 3, "%02x", digest[i]);
	(void)snprintf(name_r + 39, PUSH_NAME_BYTES - 39, ".crl");
	return true;
}

/* STATE/spool/crl, made when missing. What root makes is the folder's owner's. */
static int
open_spool(int state_fd)
{
	struct stat	 st;
	const char	*path = CERTAUTH_SPOOL, *slash = strchr(path, '/');
	char		 first[32];
	int		 fd, inner;

	(void)snprintf(first, sizeof(first), "%.*s", (int)(slash - path), path);
	if (fstat(state_fd, &st) != 0)
		return -1;
	if (mkdirat(state_fd, first, 0755) == 0 && geteuid() == 0 &&
	    fchownat(state_fd, first, st.st_uid, st.st_gid,
	    AT_SYMLINK_NOFOLLOW) != 0)
		return -1;
	fd = openat(state_fd, first, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (mkdirat(fd, slash + 1, 0755) == 0 && geteuid() == 0 &&
	    fchownat(fd, slash + 1, st.st_uid, st.st_gid,
	    AT_SYMLINK_NOFOLLOW) != 0) {
		close(fd);
		return -1;
	}
	inner = openat(fd, slash + 1, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
	close(fd);
	return inner;
}

/* What lies under that name, for comparison. */
static void
read_last(int dirfd, const char *name, struct certauth_bytes *last_r,
    unsigned char **owned_r)
{
	struct stat	st;
	ssize_t		n;
	int		fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW |
			    O_NONBLOCK | O_CLOEXEC);

	memset(last_r, 0, sizeof(*last_r));
	*owned_r = NULL;
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    (uint64_t)st.st_size <= INPUT_MAX_BYTES &&
	    (*owned_r = malloc((size_t)st.st_size + 1)) != NULL) {
		n = read(fd, *owned_r, (size_t)st.st_size);
		last_r->data = *owned_r;
		last_r->data_len = n > 0 ? (size_t)n : 0;
	}
	close(fd);
}

static bool
whose(struct certauth *e, const struct certauth_bytes *object,
    const struct certauth_bytes *last, size_t *authority_r,
    struct certauth_crl_report *report_r, struct certauth_error *error_r)
{
	size_t	i;

	for (i = 0; i < e->num_authorities; i++)
		if (certauth_crl_examine(e, i, object, last, 0, report_r,
		    error_r) != CERTAUTH_CRL_REFUSED) {
			*authority_r = i;
			return true;
		}
	return false;
}

bool
certauth_push(const char *conf, const char *file, size_t *authority_r,
    struct certauth_crl_report *report_r, struct certauth_error *error_r)
{
	struct certauth_compile	 compile = { 0 };
	struct publish_folder	 folder = { .fd = -1, .lock_fd = -1 };
	struct certauth_bytes	 object, last = { NULL, 0 };
	unsigned char		*data = NULL, *last_data = NULL;
	struct certauth		*e = certauth_open(conf, error_r);
	char			 name[PUSH_NAME_BYTES];
	size_t			 data_len;
	int			 spool = -1, error = EIO;
	bool			 ok = false;

	if (e == NULL) {
		errno = error;
		return false;
	}
	if (!input_read(file, &data, &data_len, error_r))
		goto out;
	object.data = data;
	object.data_len = data_len;
	if (!make_name(e, &object, name, error_r)) {
		error = EINVAL;
		goto out;
	}
	if (certauth_state(e)[0] == '\0' ||
	    !publish_believed(&e->config->state, &e->config->owners, error_r) ||
	    !publish_begin(&folder, certauth_state(e), error_r))
		goto out;
	spool = open_spool(folder.fd);
	if (spool < 0) {
		error_set(error_r, certauth_state(e), 0, "the spool cannot be "
		    "opened: %s", strerror(errno));
		goto out;
	}
	read_last(spool, name, &last, &last_data);
	if (!whose(e, &object, last.data_len > 0 ? &last : NULL, authority_r,
	    report_r, error_r)) {
		error = EINVAL;
		goto out;
	}
	if (!file_replace(spool, name, data, data_len, error_r))
		goto out;
	/* compile takes the lock itself */
	publish_end(&folder);
	ok = certauth_compile_conf(conf, NULL, &compile, error_r);
	certauth_compile_free(&compile);
out:
	if (folder.fd >= 0)
		publish_end(&folder);
	if (spool >= 0)
		close(spool);
	free(last_data);
	free(data);
	certauth_free(e);
	errno = error;
	return ok;
}
