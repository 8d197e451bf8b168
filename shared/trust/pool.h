/*
 * pool.h - whom do we trust, and who could have issued this?
 *
 * Filled once, then immutable: any thread may search it.
 */
#ifndef CERTAUTH_TRUST_POOL_H
#define CERTAUTH_TRUST_POOL_H

#include "base/file.h"
#include "trust/cert.h"
#include "trust/outline.h"

/* GlobalSign's whole family is 178; a large site lists a few thousand. */
#define POOL_MAX_CERTS		20000
#define POOL_MAX_FILE_BYTES	(32u * 1024 * 1024)
#define POOL_MAX_FILES		4096

enum pool_role {
	POOL_ANCHOR	  = 1,	/* trusted as it is */
	POOL_ISSUER	  = 2,	/* its key may sign leaves */
	POOL_INTERMEDIATE = 4	/* only helps to build */
};

struct pool_member {
	struct outline	 outline;
	unsigned	 roles;		/* enum pool_role bits */
	const char	*source;	/* file it came from */
	unsigned char	*der;		/* until it is decoded; NULL: it is */
	size_t		 der_len;
	_Atomic(struct cert *) cert;	/* ask pool_cert() */
};

/* The member's certificate, decoded when first asked for, by any thread; lives
 * as long as the pool. NULL: it cannot be read, and is as if it were not there. */
struct cert *pool_cert(const struct pool_member *);

/* Its subject, without decoding the rest; the caller frees. NULL: no memory. */
X509_NAME *pool_name(const struct pool_member *);

struct pool;

struct pool *pool_new(void);
void	pool_free(struct pool *);

/* What pool_load has to say of members that are not fatal. */
typedef void pool_remark_fn(void *context, const char *file, const char *text);

/*
 * One file or folder of PEM, DER or PKCS#7 (several objects in one file are
 * fine). An unreadable member is a remark; a file with no certificate at all is
 * fatal for POOL_ANCHOR and POOL_ISSUER, a remark for POOL_INTERMEDIATE; a file
 * that cannot be read, is missing or wrongly owned is fatal for all.
 * What is readable is decoded when a path first needs it. The same certificate
 * twice is one member with both roles.
 */
bool	pool_load(struct pool *, const struct file_ref *, const struct file_owners *,
	    enum pool_role, pool_remark_fn *, void *context,
	    struct certauth_error *error_r);
/* Bytes from elsewhere (the command). The same rules; PKCS#12 without a
 * password as well. */
bool	pool_load_bytes(struct pool *, const unsigned char *data, size_t data_len,
	    const char *source, enum pool_role, pool_remark_fn *, void *context,
	    struct certauth_error *error_r);
bool	pool_add(struct pool *, X509 *, enum pool_role, const char *source);
/* Call once after the last load, before the first search. */
bool	pool_seal(struct pool *);

size_t	pool_size(const struct pool *);
const struct pool_member *pool_at(const struct pool *, size_t i);
/* Members whose subject is that name (sha256 of the canonical form): indexes in
 * an array that lives as long as the pool. */
size_t	pool_by_subject(const struct pool *, const unsigned char sha256[32],
	    const uint32_t **indexes_r);
/* The member with this exact certificate, or NULL. */
const struct pool_member *pool_find(const struct pool *,
	    const unsigned char sha256[32]);
/*
 * The member of that name with the serial and the signature of this certificate,
 * or NULL; without encoding or hashing it. Of two different ones with the same
 * signature one is a forgery: good for leaving out what somebody sent, never for
 * trusting it.
 */
struct cert *pool_find_alike(const struct pool *,
	    const unsigned char subject_sha256[32], const X509 *);
/* Is a key with this SPKI hash listed with that role? */
bool	pool_key_has_role(const struct pool *, const unsigned char spki_sha256[32],
	    enum pool_role);

#endif
