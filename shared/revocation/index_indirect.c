/*
 * index_indirect.c - turns an indirect list into a row for each issuer it names.
 *
 * RFC 5280 5.3.3: an entry is of the issuer that its certificateIssuer or the
 * last one before it names, and at first of the list's own. The entries of each
 * issuer are put together and become tables like those of any list
 * (index_build.c). Called when the signature holds, not before: names are
 * decoded here.
 */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "revocation/crl_idp.h"
#include "revocation/index_build.h"

/* Issuers of one indirect list, and ways in which their names are written. */
#define MAX_PARTS	1024u

/* What the list says of one issuer; two parts may be of one, when its name is
 * written in two ways. */
struct part {
	const unsigned char	*name;		/* as it is in the list */
	size_t			 name_len;
	unsigned char		 sha256[32];
	size_t			 same;		/* the first part of this issuer */
	unsigned char		*entries;
	size_t			 entries_len, num_entries;
	size_t			 lengths[2][CERT_MAX_SERIAL + 1];
};
struct split {
	struct part	*parts;		/* the first is the list's own issuer */
	size_t		 num_parts, last;
};

static bool
no_memory(struct certauth_error *error_r)
{
	error_set(error_r, NULL, 0, "out of memory");
	return false;
}

static bool
add_part(struct split *split, const struct crl_entry *entry,
    struct certauth_error *error_r)
{
	struct part	*part = &split->parts[split->num_parts];

	if (split->num_parts == MAX_PARTS) {
		error_set(error_r, NULL, 0, "the indirect list names more than "
		    "%u issuers", MAX_PARTS);
		return false;
	}
	memset(part, 0, sizeof(*part));
	part->name = entry->issuer;
	part->name_len = entry->issuer_len;
	if (!crl_hash_name(part->name, part->name_len, part->sha256)) {
		error_set(error_r, NULL, 0, "a certificateIssuer is not a name "
		    "(RFC 5280 5.3.3)");
		return false;
	}
	while (part->same < split->num_parts && memcmp(part->sha256,
	    split->parts[part->same].sha256, 32) != 0)
		part->same++;
	split->last = split->num_parts++;
	return true;
}

/* The part of this entry's issuer becomes split->last. */
static bool
find_part(struct split *split, const struct crl_entry *entry,
    struct certauth_error *error_r)
{
	const struct part	*part = &split->parts[split->last];
	size_t			 i;

	if (entry->issuer == NULL) {
		split->last = 0;
		return true;
	}
	if (part->name == entry->issuer)
		return true;
	for (i = 1; i < split->num_parts; i++) {
		part = &split->parts[i];
		if (part->name_len == entry->issuer_len &&
		    memcmp(part->name, entry->issuer, part->name_len) == 0) {
			split->last = i;
			return true;
		}
	}
	return add_part(split, entry, error_r);
}

/* First round: counts; second: copies, into memory of that size. */
static bool
walk(struct split *split, const struct crl *crl, bool copy,
    struct certauth_error *error_r)
{
	struct crl_entry	 entry = { 0 };
	struct part		*part;
	size_t			 offset = 0, begin = 0;

	while (crl_entry_next(crl, &offset, &entry)) {
		if (!find_part(split, &entry, error_r))
			return false;
		part = &split->parts[split->parts[split->last].same];
		if (copy)
			memcpy(part->entries + part->entries_len,
			    crl->entries + begin, offset - begin);
		else {
			part->lengths[entry.negative][entry.serial_len]++;
			part->num_entries++;
		}
		part->entries_len += offset - begin;
		begin = offset;
	}
	return true;
}

static bool
split_entries(struct split *split, const struct crl *crl,
    struct certauth_error *error_r)
{
	struct part	*part;
	size_t		 i;

	split->parts = calloc(MAX_PARTS, sizeof(*split->parts));
	if (split->parts == NULL)
		return no_memory(error_r);
	memcpy(split->parts[0].sha256, crl->issuer_sha256, 32);
	split->num_parts = 1;
	if (!walk(split, crl, false, error_r))
		return false;
	for (i = 0; i < split->num_parts; i++) {
		part = &split->parts[i];
		part->entries = malloc(part->entries_len + 1);
		if (part->entries == NULL)
			return no_memory(error_r);
		part->entries_len = 0;
	}
	return walk(split, crl, true, error_r);
}

/* The list as if it had these entries only. */
static void
view_part(struct crl *view, const struct crl *crl, const struct part *part)
{
	*view = *crl;
	view->entries = part->entries;
	view->entries_len = part->entries_len;
	view->num_entries = part->num_entries;
	memcpy(view->lengths, part->lengths, sizeof(view->lengths));
}

static bool
add_member(struct built_row *head, const struct crl *crl,
    const struct part *part, struct certauth_error *error_r)
{
	struct index_source	 source = { head->source, { 0 } };
	struct built_row	*member;
	struct crl		 view;

	view_part(&view, crl, part);
	memcpy(view.issuer_sha256, part->sha256, 32);
	view.issuer = part->name;
	view.issuer_len = part->name_len;
	view.num_dps = 0;	/* the head's are asked */
	index_row_stamp(&head->row, &source.stamp);
	member = built_row_new(&view, head->row.key_sha256, &source, error_r);
	if (member == NULL)
		return false;
	member->row.flags |= INDEX_MEMBER;
	if (!built_row_tables(member, &view, error_r)) {
		built_row_free(member);
		return false;
	}
	return built_row_member(head, member, error_r);
}

bool
built_row_member(struct built_row *head, struct built_row *member,
    struct certauth_error *error_r)
{
	struct built_row	**grown;
	size_t			 n = head->num_members;

	/* At powers of two. */
	if ((n & (n - 1)) == 0) {
		grown = reallocarray(head->members, n == 0 ? 1 : 2 * n,
		    sizeof(*grown));
		if (grown == NULL) {
			built_row_free(member);
			return no_memory(error_r);
		}
		head->members = grown;
	}
	head->members[head->num_members++] = member;
	return true;
}

bool
built_row_fill(struct built_row *row, const struct crl *crl,
    struct certauth_error *error_r)
{
	struct split	split = { 0 };
	struct crl	view;
	size_t		i;
	bool		ok;

	if (!crl->indirect)
		return built_row_tables(row, crl, error_r);
	ok = split_entries(&split, crl, error_r);
	if (ok) {
		view_part(&view, crl, &split.parts[0]);
		row->row.entries = view.num_entries;
		ok = built_row_tables(row, &view, error_r);
	}
	for (i = 1; ok && i < split.num_parts; i++)
		if (split.parts[i].same == i)
			ok = add_member(row, crl, &split.parts[i], error_r);
	for (i = 0; i < split.num_parts; i++)
		free(split.parts[i].entries);
	free(split.parts);
	return ok;
}
