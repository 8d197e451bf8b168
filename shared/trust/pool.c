/*
 * pool.c - whom do we trust, and who could have issued this?
 *
 * Members are kept in the order of their hashes, so that no answer depends on
 * the order of files.
 */

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "base/text.h"
#include "trust/pool.h"
#include "trust/read.h"

struct pool {
	struct pool_member	*members;
	size_t			 num_members, capacity;
	uint32_t		*by_subject;	/* sorted by subject, then cert */
	uint32_t		*by_key;	/* sorted by SPKI */
	char			**sources;	/* names that members point to */
	size_t			 num_sources;
	bool			 sealed;
};

struct pool *
pool_new(void)
{
	return calloc(1, sizeof(struct pool));
}

static void
free_member(struct pool_member *m)
{
	cert_free(atomic_load(&m->cert));
	free(m->der);
}

void
pool_free(struct pool *pool)
{
	size_t	i;

	if (pool == NULL)
		return;
	for (i = 0; i < pool->num_members; i++)
		free_member(&pool->members[i]);
	for (i = 0; i < pool->num_sources; i++)
		free(pool->sources[i]);
	free(pool->sources);
	free(pool->members);
	free(pool->by_subject);
	free(pool->by_key);
	free(pool);
}

static const char *
keep_source(struct pool *pool, const char *source)
{
	char	**grown;

	if (pool->num_sources > 0 &&
	    strcmp(pool->sources[pool->num_sources - 1], source) == 0)
		return pool->sources[pool->num_sources - 1];
	grown = realloc(pool->sources,
	    (pool->num_sources + 1) * sizeof(*grown));
	if (grown == NULL)
		return NULL;
	pool->sources = grown;
	grown[pool->num_sources] = strdup(source);
	if (grown[pool->num_sources] == NULL)
		return NULL;
	return grown[pool->num_sources++];
}

/* A place for one more; NULL: none. */
static struct pool_member *
new_member(struct pool *pool, enum pool_role role, const char *source)
{
	struct pool_member	*grown;
	const char		*kept;
	size_t			 n;

	if (pool->sealed || pool->num_members >= POOL_MAX_CERTS)
		return NULL;
	if (pool->num_members == pool->capacity) {
		n = pool->capacity == 0 ? 64 : pool->capacity * 2;
		grown = realloc(pool->members, n * sizeof(*grown));
		if (grown == NULL)
			return NULL;
		pool->members = grown;
		pool->capacity = n;
	}
	kept = keep_source(pool, source);
	if (kept == NULL)
		return NULL;
	grown = &pool->members[pool->num_members];
	memset(grown, 0, sizeof(*grown));
	grown->roles = role;
	grown->source = kept;
	return grown;
}

bool
pool_add(struct pool *pool, X509 *x509, enum pool_role role, const char *source)
{
	struct pool_member	*m = new_member(pool, role, source);
	struct cert		*cert;

	if (m == NULL || (cert = cert_new(x509)) == NULL)
		return false;
	memcpy(m->outline.sha256, cert->sha256, 32);
	memcpy(m->outline.subject_sha256, cert->subject_sha256, 32);
	memcpy(m->outline.spki_sha256, cert->spki_sha256, 32);
	atomic_init(&m->cert, cert);
	pool->num_members++;
	return true;
}

/* Takes over the bytes. */
static bool
add_der(struct pool *pool, struct read_der *der, enum pool_role role,
    const char *source)
{
	struct pool_member	*m = new_member(pool, role, source);

	if (m == NULL)
		return false;
	m->outline = der->outline;
	m->der = der->data;
	m->der_len = der->data_len;
	der->data = NULL;
	pool->num_members++;
	return true;
}

static struct cert *
decode(const struct pool_member *m)
{
	const unsigned char	*p = m->der;
	X509			*x = d2i_X509(NULL, &p, (long)m->der_len);
	struct cert		*cert = cert_new(x);

	X509_free(x);
	return cert;
}

struct cert *
pool_cert(const struct pool_member *member)
{
	struct pool_member	*m = (struct pool_member *)(uintptr_t)member;
	struct cert		*have = atomic_load(&m->cert), *mine;

	if (have != NULL || m->der == NULL)
		return have;
	ERR_set_mark();
	mine = decode(m);
	/* OpenSSL makes an unreadable part of a want of memory. Nobody may be refused
	 * for that until the next start: what looks faulty is looked at again. */
	if (mine != NULL && (mine->faults != 0 || mine->key.kind == KEY_OTHER)) {
		cert_free(mine);
		mine = decode(m);
	}
	ERR_pop_to_mark();
	if (mine == NULL)
		return NULL;
	if (atomic_compare_exchange_strong(&m->cert, &have, mine))
		return mine;
	cert_free(mine);
	return have;
}

X509_NAME *
pool_name(const struct pool_member *m)
{
	struct pool_member	*mine = (struct pool_member *)(uintptr_t)m;
	const struct cert	*cert = atomic_load(&mine->cert);
	const unsigned char	*p;

	if (cert != NULL)
		return X509_NAME_dup(X509_get_subject_name(cert->x509));
	p = m->der + m->outline.subject_at;
	return d2i_X509_NAME(NULL, &p, (long)m->outline.subject_len);
}

bool
pool_load_bytes(struct pool *pool, const unsigned char *data, size_t data_len,
    const char *source, enum pool_role role, pool_remark_fn *remark,
    void *context, struct certauth_error *error_r)
{
	struct read_result	 found;
	size_t			 k;
	int			 i;
	bool			 ok = true;
	char			 text[256];

	if (!read_outlines(data, data_len, &found)) {
		error_set(error_r, source, 0, "out of memory");
		return false;
	}
	if (found.unreadable > 0 && remark != NULL) {
		snprintf(text, sizeof(text), "%zu member%s not readable as a "
		    "certificate%s%s", found.unreadable,
		    found.unreadable == 1 ? " is" : "s are",
		    found.hint != NULL ? ": " : "",
		    found.hint != NULL ? found.hint : "");
		remark(context, source, text);
	}
	for (i = 0; ok && i < sk_X509_num(found.certs); i++)
		ok = pool_add(pool, sk_X509_value(found.certs, i), role, source);
	for (k = 0; ok && k < found.num_ders; k++)
		ok = add_der(pool, &found.ders[k], role, source);
	if (!ok)
		error_set(error_r, source, 0, "out of memory, or more than %d "
		    "certificates in one authority", POOL_MAX_CERTS);
	read_result_free(&found);
	return ok;
}

struct strict_remark {
	pool_remark_fn	*remark;
	void		*context;
	bool		 unreadable;
	char		 text[256];
};

static void
note_unreadable(void *context, const char *file, const char *text)
{
	struct strict_remark	*s = context;

	s->unreadable = true;
	snprintf(s->text, sizeof(s->text), "%s", text);
	if (s->remark != NULL)
		s->remark(s->context, file, text);
}

static bool
load_file(struct pool *pool, const struct file_ref *ref,
    const struct file_owners *owners, enum pool_role role,
    pool_remark_fn *remark, void *context, struct certauth_error *error_r)
{
	struct strict_remark	 strict = { remark, context, false, "" };
	struct file_bytes	 bytes;
	size_t			 before = pool->num_members;
	bool			 ok;

	if (!file_read(ref, owners, POOL_MAX_FILE_BYTES, &bytes, error_r))
		return false;
	ok = pool_load_bytes(pool, bytes.data, bytes.data_len, ref->path, role,
	    note_unreadable, &strict, error_r);
	file_bytes_free(&bytes);
	if (!ok)
		return false;
	if (role != POOL_INTERMEDIATE && strict.unreadable) {
		error_set(error_r, ref->path, 0, "%s; every member of a file of "
		    "anchors or issuers must be readable", strict.text);
		return false;
	}
	if (pool->num_members > before)
		return true;
	if (role == POOL_INTERMEDIATE) {
		if (remark != NULL && !strict.unreadable)
			remark(context, ref->path, "holds no certificate");
		return true;
	}
	error_set(error_r, ref->path, 0, "holds no certificate; expected PEM, "
	    "DER or PKCS#7 (keep other files out of a folder of anchors or "
	    "issuers)");
	return false;
}

bool
pool_load(struct pool *pool, const struct file_ref *ref,
    const struct file_owners *owners, enum pool_role role,
    pool_remark_fn *remark, void *context, struct certauth_error *error_r)
{
	struct file_list	list;
	size_t			i, before = pool->num_members;
	bool			ok = true;

	if (!file_is_folder(ref))
		return load_file(pool, ref, owners, role, remark, context,
		    error_r);
	if (!file_list_read(ref, owners, POOL_MAX_FILES, &list, error_r))
		return false;
	for (i = 0; ok && i < list.num_refs; i++)
		ok = load_file(pool, &list.refs[i], owners, role, remark,
		    context, error_r);
	file_list_free(&list);
	if (ok && pool->num_members == before) {
		if (role == POOL_INTERMEDIATE) {
			if (remark != NULL)
				remark(context, ref->path,
				    "the folder holds no certificate");
			return true;
		}
		error_set(error_r, ref->path, 0,
		    "the folder holds no certificate");
		return false;
	}
	return ok;
}

/* ------------------------------------------------------------------ search */

static int
compare_members(const void *a, const void *b)
{
	const struct pool_member	*x = a, *y = b;

	return memcmp(x->outline.sha256, y->outline.sha256, 32);
}

static int
compare_subject(const void *a, const void *b, void *context)
{
	const struct pool_member	*m = context;
	const struct outline		*x = &m[*(const uint32_t *)a].outline;
	const struct outline		*y = &m[*(const uint32_t *)b].outline;
	int				 c;

	c = memcmp(x->subject_sha256, y->subject_sha256, 32);
	return c != 0 ? c : memcmp(x->sha256, y->sha256, 32);
}

static int
compare_key(const void *a, const void *b, void *context)
{
	const struct pool_member	*m = context;
	const struct outline		*x = &m[*(const uint32_t *)a].outline;
	const struct outline		*y = &m[*(const uint32_t *)b].outline;

	return memcmp(x->spki_sha256, y->spki_sha256, 32);
}

/* The same certificate twice: what is decoded stays. */
static void
merge(struct pool_member *kept, struct pool_member *other)
{
	struct pool_member	gone = *other;

	if (atomic_load(&kept->cert) == NULL) {
		gone = *kept;
		atomic_store(&kept->cert, atomic_load(&other->cert));
		kept->der = other->der;
		kept->der_len = other->der_len;
	}
	free_member(&gone);
}

bool
pool_seal(struct pool *pool)
{
	struct pool_member	*m = pool->members;
	size_t			 i, kept = 0;

	if (pool->sealed)
		return true;
	if (pool->num_members > 0)
		qsort(m, pool->num_members, sizeof(*m), compare_members);
	for (i = 0; i < pool->num_members; i++) {
		if (kept > 0 && compare_members(&m[kept - 1], &m[i]) == 0) {
			m[kept - 1].roles |= m[i].roles;
			merge(&m[kept - 1], &m[i]);
			continue;
		}
		m[kept++] = m[i];
	}
	pool->num_members = kept;
	pool->by_subject = calloc(kept + 1, sizeof(uint32_t));
	pool->by_key = calloc(kept + 1, sizeof(uint32_t));
	if (pool->by_subject == NULL || pool->by_key == NULL)
		return false;
	for (i = 0; i < kept; i++)
		pool->by_subject[i] = pool->by_key[i] = (uint32_t)i;
	qsort_r(pool->by_subject, kept, sizeof(uint32_t), compare_subject, m);
	qsort_r(pool->by_key, kept, sizeof(uint32_t), compare_key, m);
	pool->sealed = true;
	return true;
}

size_t
pool_size(const struct pool *pool)
{
	return pool->num_members;
}

const struct pool_member *
pool_at(const struct pool *pool, size_t i)
{
	return i < pool->num_members ? &pool->members[i] : NULL;
}

size_t
pool_by_subject(const struct pool *pool, const unsigned char sha256[32],
    const uint32_t **indexes_r)
{
	size_t	low = 0, high = pool->num_members, mid, end;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (memcmp(pool->members[pool->by_subject[mid]].outline.
		    subject_sha256, sha256, 32) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (end = low; end < pool->num_members &&
	    memcmp(pool->members[pool->by_subject[end]].outline.subject_sha256,
	    sha256, 32) == 0; end++)
		;
	*indexes_r = pool->by_subject != NULL ? &pool->by_subject[low] : NULL;
	return end - low;
}

const struct pool_member *
pool_find(const struct pool *pool, const unsigned char sha256[32])
{
	size_t	low = 0, high = pool->num_members, mid;
	int	c;

	while (low < high) {
		mid = low + (high - low) / 2;
		c = memcmp(pool->members[mid].outline.sha256, sha256, 32);
		if (c == 0)
			return &pool->members[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* Only to tell a few of one name from each other. */
#define MAX_ALIKE	8

struct cert *
pool_find_alike(const struct pool *pool, const unsigned char subject_sha256[32],
    const X509 *x)
{
	const ASN1_BIT_STRING	*want, *have;
	const uint32_t		*found;
	struct cert		*c;
	size_t			 i, n;

	X509_get0_signature(&want, NULL, x);
	n = pool_by_subject(pool, subject_sha256, &found);
	for (i = 0; i < n && i < MAX_ALIKE; i++) {
		c = pool_cert(pool_at(pool, found[i]));
		if (c == NULL)
			continue;
		X509_get0_signature(&have, NULL, c->x509);
		if (ASN1_STRING_cmp(have, want) == 0 &&
		    ASN1_INTEGER_cmp(X509_get0_serialNumber(c->x509),
		    X509_get0_serialNumber(x)) == 0)
			return c;
	}
	return NULL;
}

bool
pool_key_has_role(const struct pool *pool, const unsigned char spki_sha256[32],
    enum pool_role role)
{
	size_t	low = 0, high = pool->num_members, mid;
	const struct pool_member *m;

	while (low < high) {
		mid = low + (high - low) / 2;
		m = &pool->members[pool->by_key[mid]];
		if (memcmp(m->outline.spki_sha256, spki_sha256, 32) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < pool->num_members; low++) {
		m = &pool->members[pool->by_key[low]];
		if (memcmp(m->outline.spki_sha256, spki_sha256, 32) != 0)
			break;
		if ((m->roles & role) != 0)
			return true;
	}
	return false;
}
