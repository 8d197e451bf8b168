/*
 * index_build.h - one row of an index while it is being made: between
 * index_build.c, index_indirect.c and index_write.c only.
 */
#ifndef CERTAUTH_REVOCATION_INDEX_BUILD_H
#define CERTAUTH_REVOCATION_INDEX_BUILD_H

#include "revocation/index.h"

struct built_table {
	struct index_table	 table;
	const uint32_t		*buckets;
	const unsigned char	*records;
	uint32_t		*own_buckets;	/* NULL: borrowed */
	unsigned char		*own_records;
};
struct built_row {
	struct index_row	 row;
	struct built_table	 tables[INDEX_MAX_ROW_TABLES];
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
/* Takes the member over, whatever comes of it. */
bool	built_row_member(struct built_row *, struct built_row *member,
	    struct certauth_error *error_r);
void	built_row_free(struct built_row *);		/* NULL allowed */

#endif
