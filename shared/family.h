/* family.h - what the files of a family share: rows of a CSV, names that are alike. */
#ifndef CERTAUTH_FAMILY_PARTS_H
#define CERTAUTH_FAMILY_PARTS_H

#include "certauth_family.h"

/* The largest record of the Common CA Database seen has 15 MB and 60 columns. */
#define CSV_MAX_BYTES	(256u * 1024 * 1024)
#define CSV_MAX_FIELDS	256u

struct csv {
	const char	*file;
	char		*data;		/* owned copy, cut in place */
	char		*next, *end;
	unsigned	 line;
};
enum csv_result { CSV_BAD, CSV_END, CSV_ROW };

/* Any bytes. False: error_r. */
bool	csv_open(struct csv *, const char *file, const void *data,
	    size_t data_len, struct certauth_error *error_r);
/* RFC 4180: quoted fields may hold line ends. Fields live as long as the csv. */
enum csv_result csv_next(struct csv *, char *fields[CSV_MAX_FIELDS],
	    size_t *num_r, struct certauth_error *error_r);
void	csv_close(struct csv *);
/* Could it be the first line of such a record? */
bool	csv_is(const void *data, size_t data_len);

/* Columns of the record; -1: it has none. */
struct csv_columns { int sha256, parent, name, status, pem; };
/* False: neither a hash nor a certificate to go by. */
bool	csv_columns(char *const *fields, size_t num, struct csv_columns *);

/* The certificate in a field, which may stand in one line or in quotes; NULL: none.
 * The caller frees with free(). */
char   *csv_pem(const char *field);

#endif
