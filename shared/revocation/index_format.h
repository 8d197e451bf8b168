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
/* 3: the hash of a name has the length in front of each value. */
#define INDEX_VERSION		3u	/* that readers know */
/* What writers write: a later program may know more and go on writing this until
 * the servers that map it have been restarted. */
#define INDEX_VERSION_WRITTEN	3u

/* More rows than CRLs one engine takes; a file may bring several. */
#define INDEX_MAX_ROWS		65536u
/* Two signs, seventeen widths, and as many of kinds to come. */
#define INDEX_MAX_ROW_TABLES	64u
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
	uint64_t	tables_hash;	/* XXH3 of all behind meta_size */
	unsigned char	reserved[8];	/* zero */
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
 * Serials of one sign in one width: those of that many octets; shorter ones than
 * four are padded with zeros in front.
 *
 * head   the first four octets, big-endian       rest   the other width-4
 * h      mix(head ^ XXH3(rest, seed)), a bijection of head (index_hash())
 * line   h / span       offset  h % span, a number of bits(span - 1) bits
 * print  the upper 8 bits of offset (all of them, if there are fewer)
 * record tail_size bytes, little-endian: the other low_bits of offset, 4 bits
 *        reason (RFC 5280 5.3.1 or 15), the rest date - date_base; then `rest`
 *
 * Line and print together say most of h, so it is not stored again, and yet
 * nothing is lost: line, print and record give back the whole serial. Records lie
 * in the order of h, then rest; no serial comes twice.
 *
 * A line is one cache line and answers most questions about serials that are not
 * listed by itself: their print is not among its own.
 */
struct index_table {
	uint64_t	seed;
	uint64_t	lines;		/* offset; 64-aligned */
	uint64_t	records;	/* offset; INDEX_SLACK bytes behind the last */
	uint64_t	spill;		/* offset; prints of lines that are too full */
	uint64_t	span;		/* 1 to 2^32 */
	uint32_t	num_lines, num_records;
	uint32_t	spill_size, date_base;
	uint8_t		width;		/* 4 to 20 */
	uint8_t		negative;	/* 0 or 1 */
	uint8_t		kind;
	uint8_t		tail_size;	/* 1 to 8 */
	uint8_t		low_bits;	/* 0 to 24 */
	uint8_t		reserved[3];	/* zero */
};
_Static_assert(sizeof(struct index_table) == 64, "index_table");

#define INDEX_LINE_PRINTS	59u
/* In `count`: print[0..3] are where in the spill the prints are, [4..7] how many. */
#define INDEX_LINE_SPILLED	0xffu
struct index_line {
	uint32_t	first;		/* record */
	uint8_t		count;
	uint8_t		print[INDEX_LINE_PRINTS];
};
_Static_assert(sizeof(struct index_line) == 64, "index_line");

#define INDEX_MIN_WIDTH		4u
#define INDEX_MAX_WIDTH		20u
#define INDEX_MAX_TAIL		8u
#define INDEX_REASON_BITS	4u
#define INDEX_PRINT_BITS	8u
/* Records may be read eight bytes at a time. */
#define INDEX_SLACK		8u
#define INDEX_ALIGN		64u

#define INDEX_STRIDE(width, tail_size)	((size_t)(width) - 4 + (tail_size))

#endif
