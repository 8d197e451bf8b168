/*
 * crl.h - what does this CRL say, and did its issuer sign it?
 *
 * A strict DER walker over borrowed bytes: no X509_CRL (200 bytes an entry), no
 * memory of its own. Judges form, scope and signature; freshness, order and
 * coverage are revocation.c's.
 */
#ifndef CERTAUTH_REVOCATION_CRL_H
#define CERTAUTH_REVOCATION_CRL_H

#include <limits.h>

#include "trust/cert.h"
#include "trust/pool.h"

/* An issuer name longer than this is no name. */
#define CRL_MAX_NAME_BYTES	(16u * 1024)
/* RFC 5280 knows seven CRL extensions and four entry extensions. */
#define CRL_MAX_EXTENSIONS	32
#define CRL_MAX_ENTRY_EXTENSIONS 16
/* One entry, its extensions with it: reason, date, an issuer's name. */
#define CRL_MAX_ENTRY_BYTES	(CRL_MAX_NAME_BYTES * 2)
/* Names of one distribution point (one per mirror). */
#define CRL_MAX_DPS		CERT_MAX_DISTRIBUTION_POINTS
/* RFC 5280 5.2.3: up to 20 octets; one more for a sign octet. */
#define CRL_MAX_NUMBER		20
/* Keys of one CA name that are tried on one CRL (key rollover: two or three). */
#define CRL_MAX_SIGNERS		16
#define CRL_MAX_DIGEST		64
/* CRLs in one PEM file. */
#define CRL_MAX_PER_FILE	4096

/* "No nextUpdate". */
#define CRL_NO_TIME		INT64_MIN
/* RFC 5280 5.3.1 has 0 to 10; this: no reasonCode given. */
#define CRL_NO_REASON		15
#define CRL_HOLD		6
#define CRL_REMOVE		8	/* in delta CRLs only */
/* Reasons as a mask: bit n is ReasonFlags' bit n (RFC 5280 4.2.1.13). */
#define CRL_ALL_REASONS		0x1feu
#define CRL_NUM_REASONS		9

struct crl {
	/* all borrowed from the bytes given */
	const unsigned char	*der;		size_t der_len;
	const unsigned char	*tbs;		size_t tbs_len;
	const unsigned char	*algorithm;	size_t algorithm_len;
	const unsigned char	*signature;	size_t signature_len;
	const unsigned char	*issuer;	size_t issuer_len;	/* DER */
	const unsigned char	*aki;		size_t aki_len;	/* NULL: none */
	const unsigned char	*entries;	size_t entries_len;
	/* the value of freshestCRL: where delta CRLs are; NULL: none */
	const unsigned char	*freshest;	size_t freshest_len;

	/* of tbs, with the digest of the signature algorithm, when it was made
	 * while the list was read (crl_stream.c); 0: not */
	unsigned char	digest[CRL_MAX_DIGEST];
	size_t		digest_len;

	unsigned char	issuer_sha256[32];	/* as struct cert's */
	bool		v2;
	int64_t		this_update, next_update;	/* CRL_NO_TIME: none */
	unsigned char	number[CRL_MAX_NUMBER];	/* big-endian, no leading zeros */
	size_t		number_len;		/* 0: no CRL number */
	bool		delta;			/* deltaCRLIndicator */
	unsigned char	base[CRL_MAX_NUMBER];	/* of it, as number */
	size_t		base_len;
	bool		user_only, ca_only;	/* issuingDistributionPoint */
	bool		indirect;
	uint16_t	reasons;		/* onlySomeReasons; 0: all */
	bool		has_dps;
	unsigned char	dps[CRL_MAX_DPS][32];	/* as struct cert's; sorted, no twins */
	size_t		num_dps;
	size_t		num_entries;
	/* entries by [serial is negative][bytes of the serial]: what a writer of
	 * tables needs before its first pass */
	size_t		lengths[2][CERT_MAX_SERIAL + 1];
};

struct crl_entry {
	/* as struct cert's: magnitude, big-endian, no leading zeros */
	unsigned char	serial[CERT_MAX_SERIAL];
	/* the same octets, where they were written longer ago (in the list, if
	 * they are there): for whoever reads them by the million */
	const unsigned char *octets;
	size_t		serial_len;
	bool		negative;
	int64_t		date;
	unsigned	reason;		/* RFC 5280 5.3.1 or CRL_NO_REASON */
	/* certificateIssuer as the DER of a Name, borrowed; it holds for the
	 * entries that follow too (RFC 5280 5.3.3). NULL: the list's issuer. */
	const unsigned char *issuer;
	size_t		 issuer_len;
};

/*
 * Reads the whole list once, entries included. `data` is borrowed as long as the
 * struct is used. False: error_r says which rule it breaks (X.690, RFC 5280 5)
 * or what it has that we do not take: onlyContainsAttributeCerts, unknown
 * critical extensions of the list or of an entry.
 */
bool	crl_parse(struct crl *crl_r, const unsigned char *data, size_t data_len,
	    struct certauth_error *error_r);

/* The same without looking into the entries, whose bytes are not touched: entries
 * and entries_len say where they are. */
bool	crl_parse_frame(struct crl *crl_r, const unsigned char *data,
	    size_t data_len, struct certauth_error *error_r);
/* The entry at *p, which then points behind it; *entry_r as in crl_entry_next().
 * False: error_r (NULL allowed). */
bool	crl_entry_take(const struct crl *, const unsigned char **p,
	    const unsigned char *end, struct crl_entry *entry_r,
	    struct certauth_error *error_r);
/* The entry at *offset (0 first) of a CRL that crl_parse() took; false at the
 * end. No allocation. *entry_r is zero before the first and given back
 * unchanged: the issuer is carried forward in it. */
bool	crl_entry_next(const struct crl *, size_t *offset, struct crl_entry *entry_r);

/*
 * The pool members that could have signed: same name, key within our floors, not
 * denied by key usage (RFC 5280 4.2.1.3), signature holds; those the AKI names
 * first. Gives the signer's SPKI hash. False: error_r says why nobody did.
 */
bool	crl_find_signer(const struct crl *, const struct pool *const *pools,
	    size_t num_pools, unsigned char spki_sha256_r[32],
	    struct certauth_error *error_r);

/* What the signature's algorithm does to tbs before the key comes in; NULL: it is
 * unknown, not allowed (error_r), or the key itself reads all of tbs (Ed25519). */
const EVP_MD *crl_digest(const struct crl *, struct certauth_error *error_r);
/* Does this key hold for the CRL's signature? No floors, no names. */
bool	crl_signed_by(const struct crl *, EVP_PKEY *, struct certauth_error *error_r);

/* Printable RFC 4514, at most CRL_MAX_ISSUER_TEXT bytes; caller frees with
 * free(). NULL: out of memory. */
#define CRL_MAX_ISSUER_TEXT	250
char   *crl_issuer_print(const struct crl *);
/* Cuts UTF-8 to at most `max` bytes, between letters. */
void	crl_cut_text(char *text, size_t max);
/* <0, 0, >0 of two numbers as in struct crl. */
int	crl_compare_number(const unsigned char *a, size_t a_len,
	    const unsigned char *b, size_t b_len);
/* <0, 0, >0 as `a` is older than, as old as, newer than `b`: CRL number first,
 * then thisUpdate; a list without number is compared by thisUpdate alone. */
int	crl_compare_age(const unsigned char *a_number, size_t a_len, int64_t a_this,
	    const unsigned char *b_number, size_t b_len, int64_t b_this);

/*
 * The CRLs in a file's bytes: DER (one) or PEM (many; blocks of other kinds are
 * passed over). Zero the cursor before the first call. TAKEN: *crl_r borrows
 * from `data`, or from *owned_r (not NULL), which the caller frees with free().
 * BAD: error_r; the next call goes on behind it. No CRL at all is one BAD.
 */
struct crl_file { size_t offset; size_t num; bool ended; };
enum crl_next { CRL_NEXT_END, CRL_NEXT_TAKEN, CRL_NEXT_BAD };
enum crl_next crl_file_next(struct crl_file *cursor, const unsigned char *data,
	    size_t data_len, unsigned char **owned_r,
	    const unsigned char **crl_r, size_t *crl_len_r,
	    struct certauth_error *error_r);

#endif
