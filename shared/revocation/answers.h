/*
 * answers.h - the answers index: what OCSP responders said, kept for everybody.
 *
 * One file of fixed records sorted by key, mapped by readers. Only checked answers
 * come in, and never "unknown". The layout is here because it is so small.
 *
 * Little-endian. A record is found by SHA-256 over issuer name (as struct cert's
 * hash), issuer key (likewise), sign and magnitude of the serial.
 */
#ifndef CERTAUTH_REVOCATION_ANSWERS_H
#define CERTAUTH_REVOCATION_ANSWERS_H

#include "revocation/ocsp.h"

/* A million people with an answer each: 64 MB. */
#define ANSWERS_MAX		(1024u * 1024)
#define ANSWERS_MAGIC		"CERTAUTHANS1\0\0\0"	/* with its NUL: 16 */

struct answers_header {
	unsigned char	magic[16];
	uint32_t	version, record_size;
	uint64_t	num_records;
	uint64_t	hash;		/* XXH3 of the records */
	unsigned char	reserved[24];	/* zero */
};
_Static_assert(sizeof(struct answers_header) == 64, "answers_header");

struct answers_record {
	unsigned char	key[32];
	int64_t		this_update, next_update;
	int64_t		keep_until;	/* the writer drops it then */
	uint32_t	date;		/* revoked since, seconds since 1970 */
	uint8_t		status;		/* enum ocsp_status: GOOD, HOLD, REVOKED */
	uint8_t		reason;
	uint8_t		short_lived;	/* 0 or 1 */
	uint8_t		reserved;
};
_Static_assert(sizeof(struct answers_record) == 64, "answers_record");

/* Over borrowed bytes; copy it freely, any thread may read. */
struct answers { const struct answers_record *records; size_t num_records; };

/* Checks the whole of it. `data` 8-aligned. False: error_r. */
bool	answers_open(struct answers *, const unsigned char *data,
	    size_t data_len, struct certauth_error *error_r);
/* False: out of memory. */
bool	answers_key(const struct cert *cert, const struct cert *issuer,
	    unsigned char key_r[32]);
/* What is kept of that certificate; false: nothing. No allocation. */
bool	answers_find(const struct answers *, const unsigned char key[32],
	    struct ocsp_answer *answer_r);

/*
 * The next file: `fresh` on top of `last` (NULL: none). Of two records of one key
 * the newer counts; one whose status is OCSP_UNKNOWN removes older ones. What is
 * over at `now` is left out; of more than ANSWERS_MAX good ones go, those in their
 * grace first. 8-aligned, the caller frees with free(). NULL: out of memory, or
 * more revocations than ANSWERS_MAX.
 */
unsigned char *answers_make(const struct answers *last,
	    const struct answers_record *fresh, size_t num_fresh, int64_t now,
	    size_t *len_r);

#endif
