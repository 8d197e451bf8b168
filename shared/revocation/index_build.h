/*
 * index_build.h - one row of an index while it is being made: between the files
 * index_*.c that write.
 */
#ifndef CERTAUTH_REVOCATION_INDEX_BUILD_H
#define CERTAUTH_REVOCATION_INDEX_BUILD_H

#include "revocation/index.h"
#include "revocation/index_stage.h"

struct built_table {
	struct index_table	 table;
	const struct index_line	*lines;
	const unsigned char	*spill;
	const unsigned char	*records;	/* NULL: in the chain */
	struct stage_chain	 chain;		/* blocks of the row */
	struct index_line	*own_lines;	/* NULL: borrowed */
	unsigned char		*own_spill, *own_records;
};
struct built_row {
	struct index_row	 row;
	struct built_table	 tables[INDEX_MAX_ROW_TABLES];
	struct stage_blocks	 blocks;	/* of its tables */
	unsigned char		*dps;		/* num_dps x 32 */
	char			*source, *issuer;
	struct built_row       **members;	/* of an indirect list, or NULL */
	size_t			 num_members;
};

/* A row without tables. NULL: error_r. */
struct built_row *built_row_new(const struct crl *,
	    const unsigned char key_sha256[32], const struct index_source *,
	    struct certauth_error *error_r);
/* Its tables, and of an indirect CRL its members; of the same CRL. False:
 * error_r; free the row. */
bool	built_row_fill(struct built_row *, const struct crl *,
	    struct certauth_error *error_r);
/* The tables alone: of all entries of `crl`, whoever issued them. */
bool	built_row_tables(struct built_row *, const struct crl *,
	    struct certauth_error *error_r);
/* Its tables, of what was staged; the stage's blocks are the row's then. */
bool	built_row_pack(struct built_row *, struct stage *,
	    struct certauth_error *error_r);
/* Takes the member over, whatever comes of it. */
bool	built_row_member(struct built_row *, struct built_row *member,
	    struct certauth_error *error_r);
void	built_row_free(struct built_row *);		/* NULL allowed */

/* index_copy.c: a row of `from`, which must live as long, without and with its
 * members. NULL, false: error_r. */
struct built_row *built_row_copy(const struct index *from,
	    const struct index_row *, struct certauth_error *error_r);
bool	built_row_copy_members(struct built_row *, const struct index *from,
	    const struct index_row *head, struct certauth_error *error_r);

/* index_pack.c: one bin's table. False: out of memory. */
bool	pack_table(struct built_table *, struct stage *, struct stage_bin *,
	    unsigned width, bool negative);

#endif
