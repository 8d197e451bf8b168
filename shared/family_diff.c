/*
 * family_diff.c - what does a record of the Common CA Database say that our manifest
 * does not?
 *
 * Tells a person what to look at. Takes nothing into a pool.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "family.h"
#include "input.h"
#include "trust/name_alike.h"

struct diff {
	const struct certauth_family *f;
	const char		*file;
	certauth_family_fn	*fn;
	void			*context;
	bool			*seen;		/* one for each CA */
};

static void
say(const struct diff *d, enum family_word word, const unsigned char sha256[32],
    const char *name, const char *text)
{
	struct text		hash = { 0 };
	char			shown[256];
	struct family_line	line = { word, "", "", "", d->file, text };

	text_add_hex(&hash, sha256, 32);
	line.sha256 = hash.data != NULL ? hash.data : "";
	line.name = text_printable(shown, sizeof(shown), name, strlen(name));
	d->fn(d->context, &line);
	text_free(&hash);
}

static const char *
field(char *const *fields, size_t num, int column)
{
	return column >= 0 && (size_t)column < num ? fields[column] : "";
}

static bool
is_revoked(const char *status)
{
	return strcasestr(status, "revoked") != NULL &&
	    strncasecmp(status, "not revoked", 11) != 0;
}

/* One that is in use has such a name, but for its numbers. */
static const struct family_ca *
find_alike(const struct certauth_family *f, const char *name)
{
	size_t	i;

	for (i = 0; i < f->num_cas; i++)
		if (f->cas[i].role != FAMILY_APART && !f->cas[i].retired &&
		    name_alike(f->cas[i].name, name))
			return &f->cas[i];
	return NULL;
}

static void
look_at(const struct diff *d, const struct csv_columns *c, char *const *fields,
    size_t num)
{
	const struct family_ca	*ca, *parent;
	const char		*name = field(fields, num, c->name);
	unsigned char		 sha256[32], above[32];
	size_t			 len;
	char			 text[300];

	if (!text_hex_parse(field(fields, num, c->sha256), sha256,
	    sizeof(sha256), &len) || len != 32)
		return;
	ca = certauth_family_find(d->f, sha256);
	if (ca != NULL) {
		d->seen[ca - d->f->cas] = true;
		if (ca->role != FAMILY_APART && !ca->retired &&
		    is_revoked(field(fields, num, c->status)))
			say(d, FAMILY_REVOKED, sha256, ca->name, "the record "
			    "says that it is revoked");
		return;
	}
	if (!text_hex_parse(field(fields, num, c->parent), above, sizeof(above),
	    &len) || len != 32)
		return;
	parent = certauth_family_find(d->f, above);
	if (parent == NULL || parent->role == FAMILY_APART ||
	    is_revoked(field(fields, num, c->status)))
		return;
	ca = find_alike(d->f, name);
	if (ca == NULL) {
		say(d, FAMILY_OTHER, sha256, name, parent->name);
		return;
	}
	(void)snprintf(text, sizeof(text), "like %s, under %s; certauth pool "
	    "accept takes it", ca->name, parent->name);
	say(d, FAMILY_NEW, sha256, name, text);
}

bool
certauth_family_diff(const struct certauth_family *f, const char *file,
    certauth_family_fn *fn, void *context, struct certauth_error *error_r)
{
	struct diff		d = { f, file, fn, context, NULL };
	struct csv_columns	columns;
	struct csv		csv = { .data = NULL };
	enum csv_result		got;
	unsigned char		*data = NULL;
	char			*fields[CSV_MAX_FIELDS];
	size_t			data_len, num, i;
	bool			ok = false;

	memset(error_r, 0, sizeof(*error_r));
	d.seen = calloc(f->num_cas, sizeof(*d.seen));
	if (d.seen == NULL || !input_read(file, &data, &data_len, error_r) ||
	    !csv_open(&csv, file, data, data_len, error_r))
		goto out;
	if (csv_next(&csv, fields, &num, error_r) != CSV_ROW ||
	    !csv_columns(fields, num, &columns) || columns.sha256 < 0 ||
	    columns.parent < 0) {
		error_set(error_r, file, 1, "has no columns \"SHA-256 "
		    "Fingerprint\" and \"Parent SHA-256 Fingerprint\"; is it a "
		    "record of the Common CA Database?");
		goto out;
	}
	while ((got = csv_next(&csv, fields, &num, error_r)) == CSV_ROW)
		look_at(&d, &columns, fields, num);
	ok = got == CSV_END;
	for (i = 0; ok && i < f->num_cas; i++)
		if (!d.seen[i] && !f->cas[i].retired &&
		    f->cas[i].role != FAMILY_APART)
			say(&d, FAMILY_GONE, f->cas[i].sha256, f->cas[i].name,
			    "the record does not have it");
out:
	csv_close(&csv);
	free(data);
	free(d.seen);
	return ok;
}
