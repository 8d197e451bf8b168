/*
 * index_format.h - the layout of an index, byte by byte (docs/index-format.md).
 *
 * The same in a published file and in memory. Little-endian, 8-aligned, offsets
 * from the start of the file. Everything up to meta_size is small and covered by
 * meta_hash; behind it are the tables.
 *
 * A reader refuses another `version`, and passes over rows and tables that have
 * flags or kinds it does not know: an unknown row covers nothing. That is how
 * delta lists, indirect lists and OCSP answers can come without a new version.
 */
#ifndef CERTAUTH_REVOCATION_INDEX_FORMAT_H
#define CERTAUTH_REVOCATION_INDEX_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the index is little-endian and mapped as it is"
#endif

#define INDEX_MAGIC	"CERTAUTHREV1\0\0\0"	/* and the string's own NUL: 16 */
#define INDEX_VERSION	1u

/* More rows than CRLs one engine takes; a file may bring several. */
#define INDEX_MAX_ROWS		65536u
/* Two signs, sixteen widths. */
#define INDEX_MAX_ROW_TABLES	32u
#define INDEX_MAX_DPS		(INDEX_MAX_ROWS * 4u)
#define INDEX_MAX_STRINGS	(64u * 1024 * 1024)

#define INDEX_NO_TIME		INT64_MIN

struct index_header {
	unsigned char	magic[16];
	uint32_t	version;
	uint32_t	header_size;
	uint64_t	file_size;
	uint64_t	meta_size;	/* header, rows, tables, dps, strings */
	uint64_t	meta_hash;	/* XXH3 of those bytes, this field zero */
	uint64_t	entries;	/* records of all tables */
	uint32_t	num_rows, row_size;
	uint32_t	num_tables, table_size;
	uint64_t	rows, tables;	/* offsets */
	uint64_t	dps;		/* 32 bytes each */
	uint64_t	strings;	/* NUL-terminated */
	uint32_t	num_dps, strings_size;
	unsigned char	reserved[16];	/* zero */
};
_Static_assert(sizeof(struct index_header) == 128, "index_header");

/* flags */
#define INDEX_USER_ONLY		0x01u
#define INDEX_CA_ONLY		0x02u
#define INDEX_HAS_DPS		0x04u	/* partition: dps must match */
#define INDEX_INDIRECT		0x08u	/* speaks for other issuers too */
#define INDEX_DELTA		0x10u	/* only what changed since `base` */
/* The part of an indirect list that is of another issuer. It has the key and the
 * signature of its head, the row of the list itself, and no names of its own. */
#define INDEX_MEMBER		0x20u
#define INDEX_KNOWN_FLAGS	0x3fu

/* One CRL. Rows are sorted by issuer, then key, then scope. */
struct index_row {
	/* of the list's issuer name; of a member: the certificates' */
	unsigned char	issuer_sha256[32];
	unsigned char	key_sha256[32];		/* SPKI of the signer */
	unsigned char	signature_sha256[32];	/* of the list's signature bits */
	int64_t		this_update, next_update;	/* INDEX_NO_TIME: none */
	uint64_t	entries;
	uint32_t	flags;
	uint16_t	reasons;	/* mask as in struct crl; 0: all */
	uint8_t		number_len;	/* 0: no CRL number */
	uint8_t		base_len;	/* 0 where it is no delta */
	unsigned char	number[24];	/* big-endian, no leading zeros */
	uint32_t	first_table, num_tables;
	uint32_t	first_dp, num_dps;
	uint32_t	source;		/* string: the file */
	uint32_t	issuer;		/* string: printable RFC 4514 */
	/* the file when it was read: device, inode, size, mtime, ctime */
	uint64_t	stamp[5];
	unsigned char	base[24];	/* BaseCRLNumber, as number */
	unsigned char	reserved[16];	/* zero */
};
_Static_assert(sizeof(struct index_row) == 256, "index_row");

/* kind. A row with a table of a kind below AUXILIARY that the reader does not
 * know answers nothing; tables from there on (a filter in front, say) only help
 * and are passed over. */
#define INDEX_KIND_REVOKED	0x00u
#define INDEX_KIND_AUXILIARY	0x80u

/*
 * Serials of one sign in one width. A serial shorter than the width is padded
 * with zeros in front; it lives in the narrowest table of its row that is wide
 * enough.
 *
 * head   the first four bytes, big-endian        rest   the other width-4 bytes
 * h      mix(head ^ XXH3(rest, seed)), a bijection of head (index_hash())
 * bucket the upper bucket_bits of h
 * record the lower 4 - bucket_bits/8 bytes of h (big-endian), rest, date (u32
 *        seconds since 1970), state (low half: reason of RFC 5280 5.3.1 or 15)
 *
 * What the bucket's number says is not stored again, and yet nothing is lost:
 * bucket and record give back the whole serial. Records of a bucket are sorted
 * by their serial part; of the same serial the worst comes first.
 */
struct index_table {
	uint64_t	seed;
	uint64_t	buckets;	/* offset; uint32 x (2^bucket_bits + 1) */
	uint64_t	records;	/* offset */
	uint32_t	num_records;
	uint8_t		width;		/* 4 to 20 */
	uint8_t		negative;	/* 0 or 1 */
	uint8_t		bucket_bits;	/* at most 28 */
	uint8_t		kind;
};
_Static_assert(sizeof(struct index_table) == 32, "index_table");

#define INDEX_MIN_WIDTH		4u
#define INDEX_MAX_WIDTH		20u
#define INDEX_MAX_BITS		28u
#define INDEX_TAIL		5u	/* date and state */

/* Bytes of h that the number of the bucket makes superfluous. */
#define INDEX_SPARED(bits)	((bits) / 8u)
#define INDEX_STRIDE(width, bits) \
	((width) - INDEX_SPARED(bits) + INDEX_TAIL)

#endif
