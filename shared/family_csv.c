/*
 * family_csv.c - the rows of a record of the Common CA Database.
 *
 * Splits and checks bytes. Knows columns by their titles, since the record comes
 * in several forms, and believes nothing: hashes decide elsewhere.
 */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "family.h"

bool
csv_open(struct csv *csv, const char *file, const void *data, size_t data_len,
    struct certauth_error *error_r)
{
	memset(csv, 0, sizeof(*csv));
	if (data_len > CSV_MAX_BYTES || memchr(data, '\0', data_len) != NULL) {
		error_set(error_r, file, 0, "is no CSV file, or over %u bytes",
		    CSV_MAX_BYTES);
		return false;
	}
	csv->data = malloc(data_len + 1);
	if (csv->data == NULL) {
		error_set(error_r, file, 0, "out of memory");
		return false;
	}
	memcpy(csv->data, data, data_len);
	csv->data[data_len] = '\0';
	csv->file = file;
	csv->next = csv->data;
	csv->end = csv->data + data_len;
	if (data_len >= 3 && memcmp(csv->data, "\xef\xbb\xbf", 3) == 0)
		csv->next += 3;
	csv->line = 1;
	return true;
}

void
csv_close(struct csv *csv)
{
	free(csv->data);
	memset(csv, 0, sizeof(*csv));
}

/* Cuts one field at *p in place; *p is left on what stands behind it. False: a
 * quote that is not closed. */
static bool
take_field(struct csv *csv, char **p, char **field_r)
{
	char	*from = *p, *to = *p;

	*field_r = to;
	if (*from != '"') {
		while (from < csv->end && *from != ',' && *from != '\n')
			from++;
		to = from;
		if (to > *field_r && from < csv->end && *from == '\n' &&
		    to[-1] == '\r')
			to[-1] = '\0';
		*p = from;
		return true;
	}
	for (from++; from < csv->end; from++) {
		if (*from == '"' && from[1] == '"')
			from++;
		else if (*from == '"')
			break;
		csv->line += *from == '\n';
		*to++ = *from;
	}
	if (from >= csv->end)
		return false;
	from++;
	if (*from == '\r' && from[1] == '\n')
		from++;
	*p = from;
	if (to < from)
		*to = '\0';
	return true;
}

enum csv_result
csv_next(struct csv *csv, char *fields[CSV_MAX_FIELDS], size_t *num_r,
    struct certauth_error *error_r)
{
	unsigned	first = csv->line;
	char		*p = csv->next, separator;

	*num_r = 0;
	if (p >= csv->end)
		return CSV_END;
	for (;;) {
		if (*num_r == CSV_MAX_FIELDS) {
			error_set(error_r, csv->file, first, "found over %u "
			    "columns", CSV_MAX_FIELDS);
			return CSV_BAD;
		}
		if (!take_field(csv, &p, &fields[*num_r])) {
			error_set(error_r, csv->file, first, "found a \" that "
			    "is not closed");
			return CSV_BAD;
		}
		(*num_r)++;
		separator = p < csv->end ? *p : '\n';
		*p = '\0';	/* at the end: over the NUL there */
		if (p < csv->end)
			p++;
		if (separator == '\n')
			break;
		if (separator != ',') {
			error_set(error_r, csv->file, csv->line, "found text "
			    "right behind a closing \", expected a comma");
			return CSV_BAD;
		}
	}
	csv->next = p;
	csv->line++;
	return CSV_ROW;
}

static bool
contains(const char *text, const char *part)
{
	return strcasestr(text, part) != NULL;
}

bool
csv_columns(char *const *fields, size_t num, struct csv_columns *c)
{
	size_t	i;

	*c = (struct csv_columns){ -1, -1, -1, -1, -1 };
	for (i = 0; i < num; i++) {
		if (contains(fields[i], "sha-256") ||
		    contains(fields[i], "sha256")) {
			/* not those of its key and its subject */
			if (!contains(fields[i], "fingerprint"))
				continue;
			if (contains(fields[i], "parent"))
				c->parent = (int)i;
			else if (c->sha256 < 0)
				c->sha256 = (int)i;
		} else if (contains(fields[i], "pem")) {
			if (c->pem < 0)
				c->pem = (int)i;
		} else if (contains(fields[i], "certificate name")) {
			c->name = (int)i;
		} else if (contains(fields[i], "revocation status") &&
		    c->status < 0) {
			c->status = (int)i;
		}
	}
	return c->sha256 >= 0 || c->pem >= 0;
}

bool
csv_is(const void *data, size_t data_len)
{
	const char		*text = data, *end;
	struct csv_columns	 columns;
	struct csv		 csv;
	struct certauth_error	 error;
	char			*fields[CSV_MAX_FIELDS];
	size_t			 num;
	bool			 is;

	end = memchr(text, '\n', data_len);
	if (end == NULL || end - text > 65536 ||
	    memchr(text, ',', (size_t)(end - text)) == NULL ||
	    !csv_open(&csv, "", data, (size_t)(end - text) + 1, &error))
		return false;
	is = csv_next(&csv, fields, &num, &error) == CSV_ROW &&
	    csv_columns(fields, num, &columns);
	csv_close(&csv);
	return is;
}

char *
csv_pem(const char *field)
{
	static const char	 begin[] = "-----BEGIN CERTIFICATE-----",
				 end[] = "-----END CERTIFICATE-----";
	const char		*p = strstr(field, begin), *stop;
	struct text		 out = { 0 };
	size_t			 column = 0;

	if (p == NULL || (stop = strstr(p, end)) == NULL)
		return NULL;
	text_add(&out, begin);
	text_add(&out, "\n");
	for (p += sizeof(begin) - 1; p < stop; p++) {
		if (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')
			continue;
		text_add_n(&out, p, 1);
		if (++column % 64 == 0)
			text_add(&out, "\n");
	}
	text_add(&out, column % 64 != 0 ? "\n" : "");
	text_add(&out, end);
	text_add(&out, "\n");
	return text_take(&out);
}
