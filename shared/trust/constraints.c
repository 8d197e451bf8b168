/*
 * constraints.c - may a CA's name constraints let this certificate's names be?
 *
 * RFC 5280 4.2.1.10 for each kind of name, RFC 9598 6 for SmtpUTF8Mailbox. A name
 * that is not what its kind demands cannot be compared, so it does not fit (match.c);
 * only names of a kind that is constrained are looked at.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/text.h"
#include "trust/cert.h"
#include "trust/constraints.h"
#include "trust/match.h"

struct subtree {
	const GENERAL_NAME	*base;
	bool			 excluded;
	bool			 ranged;	/* minimum or maximum are used */
	unsigned char	       (*rdns)[32];	/* of a directoryName */
	size_t			 num_rdns;
};

struct constraints {
	NAME_CONSTRAINTS	*nc;
	struct subtree		*trees;
	size_t			 num_trees;
};

/* One name of the certificate that is compared. */
struct name {
	int			 type;	/* GEN_*; GEN_EMAIL also for SmtpUTF8Mailbox */
	struct span		 value;	/* the text, or the address */
	bool			 utf8;	/* the local part may be */
	bool			 broken;	/* not the ASN.1 type it has to be */
	const ASN1_OBJECT	*other;	/* type of an otherName */
	unsigned char	       (*rdns)[32];
	size_t			 num_rdns;
};

static struct span
span_of(const ASN1_STRING *s)
{
	return (struct span){ ASN1_STRING_get0_data(s),
	    (size_t)ASN1_STRING_length(s) };
}

static enum match
match_one(const struct name *name, const struct subtree *t)
{
	if (name->broken || t->ranged)
		return MATCH_NEVER;
	switch (name->type) {
	case GEN_EMAIL:
		return match_mail(name->value, name->utf8,
		    span_of(t->base->d.rfc822Name), t->excluded);
	case GEN_DNS:
		return match_dns(name->value, span_of(t->base->d.dNSName),
		    t->excluded);
	case GEN_URI:
		return match_uri(name->value,
		    span_of(t->base->d.uniformResourceIdentifier));
	case GEN_IPADD:
		return match_ip(name->value, span_of(t->base->d.iPAddress));
	case GEN_DIRNAME:
		return name->num_rdns >= t->num_rdns && (t->num_rdns == 0 ||
		    memcmp(name->rdns, t->rdns, t->num_rdns * 32) == 0) ?
		    MATCH_YES : MATCH_NO;
	default:	/* no rule says how: refuse (4.2.1.10) */
		return MATCH_NEVER;
	}
}

/* Does the subtree say anything about names of this kind? */
static bool
concerns(const struct subtree *t, const struct name *name)
{
	if (t->base->type != name->type)
		return false;
	return name->type != GEN_OTHERNAME ||
	    OBJ_cmp(t->base->d.otherName->type_id, name->other) == 0;
}

/* --------------------------------------------------------------- the names */

static const char *
kind_of(int type)
{
	switch (type) {
	case GEN_EMAIL:
		return "mailbox";
	case GEN_DNS:
		return "DNS name";
	case GEN_URI:
		return "URI";
	case GEN_IPADD:
		return "address";
	case GEN_DIRNAME:
		return "directory name";
	default:
		return "name of another kind";
	}
}

static bool
refuse(const struct name *name, const char *what, char *why, size_t why_len)
{
	char	shown[120] = "";

	if (name->type == GEN_EMAIL || name->type == GEN_DNS ||
	    name->type == GEN_URI)
		text_printable(shown, sizeof(shown), name->value.p,
		    name->value.len);
	(void)snprintf(why, why_len, "Its %s%s%s%s %s", kind_of(name->type),
	    shown[0] != '\0' ? " \"" : "", shown, shown[0] != '\0' ? "\"" : "",
	    what);
	return false;
}

static bool
fits(const struct constraints *c, const struct name *name,
    unsigned *left, char *why, size_t why_len)
{
	const struct subtree	*t;
	bool			 wanted = false, permitted = false;
	size_t			 i;

	for (i = 0; i < c->num_trees; i++) {
		t = &c->trees[i];
		if (*left == 0)
			return refuse(name, "is one of too many to compare", why,
			    why_len);
		(*left)--;
		if (!concerns(t, name) || (!t->excluded && permitted))
			continue;
		wanted |= !t->excluded;
		switch (match_one(name, t)) {
		case MATCH_NO:
			break;
		case MATCH_YES:
			if (t->excluded)
				return refuse(name, "is excluded", why, why_len);
			permitted = true;
			break;
		case MATCH_NEVER:
			return refuse(name, "cannot be compared", why, why_len);
		}
	}
	return !wanted || permitted ||
	    refuse(name, "is not permitted", why, why_len);
}

static bool
directory_fits(const struct constraints *c, const X509_NAME *dn,
    unsigned *left, char *why, size_t why_len)
{
	struct name	name = { .type = GEN_DIRNAME };
	bool		ok;

	name.broken = !cert_name_rdns(dn, &name.rdns, &name.num_rdns);
	ok = fits(c, &name, left, why, why_len);
	free(name.rdns);
	return ok;
}

static bool
subject_fits(const struct constraints *c, X509 *x, unsigned *left,
    char *why, size_t why_len)
{
	const X509_NAME		*dn = X509_get_subject_name(x);
	const ASN1_STRING	*value;
	struct name		 name = { .type = GEN_EMAIL };
	int			 at = -1;

	if (X509_NAME_entry_count(dn) == 0)
		return true;
	if (!directory_fits(c, dn, left, why, why_len))
		return false;
	/* Also where a SAN is present: the attribute is a mailbox to people. */
	while ((at = X509_NAME_get_index_by_NID(dn, NID_pkcs9_emailAddress,
	    at)) >= 0) {
		value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(dn, at));
		name.value = span_of(value);
		name.broken = ASN1_STRING_type(value) != V_ASN1_IA5STRING;
		if (!fits(c, &name, left, why, why_len))
			return false;
	}
	return true;
}

static bool
general_name_fits(const struct constraints *c, const GENERAL_NAME *g,
    unsigned *left, char *why, size_t why_len)
{
	struct name		 name = { .type = g->type };
	const ASN1_TYPE		*other;

	switch (g->type) {
	case GEN_DIRNAME:
		return directory_fits(c, g->d.directoryName, left, why, why_len);
	case GEN_EMAIL:
	case GEN_DNS:
	case GEN_URI:
		name.value = span_of(g->d.ia5);
		break;
	case GEN_IPADD:
		name.value = span_of(g->d.iPAddress);
		break;
	case GEN_OTHERNAME:
		name.other = g->d.otherName->type_id;
		if (!fits(c, &name, left, why, why_len))
			return false;
		if (OBJ_obj2nid(name.other) != NID_id_on_SmtpUTF8Mailbox)
			return true;
		other = g->d.otherName->value;
		name.type = GEN_EMAIL;
		name.utf8 = true;
		name.broken = other == NULL || other->type != V_ASN1_UTF8STRING;
		if (!name.broken)
			name.value = span_of(other->value.utf8string);
		break;
	default:
		break;
	}
	return fits(c, &name, left, why, why_len);
}

bool
constraints_fit(const struct constraints *c, X509 *x, unsigned *left,
    char *why, size_t why_len)
{
	GENERAL_NAMES	*names;
	int		 i;
	bool		 ok;

	ERR_set_mark();
	ok = subject_fits(c, x, left, why, why_len);
	names = ok ? X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL) : NULL;
	for (i = 0; ok && i < sk_GENERAL_NAME_num(names); i++)
		ok = general_name_fits(c, sk_GENERAL_NAME_value(names, i), left,
		    why, why_len);
	GENERAL_NAMES_free(names);
	ERR_pop_to_mark();
	return ok;
}

/* ----------------------------------------------------------------- reading */

/* RFC 5280 4.2.1.10: minimum 0 and no maximum, which nobody defines. */
static bool
is_ranged(const GENERAL_SUBTREE *s)
{
	return s->maximum != NULL ||
	    (s->minimum != NULL && ASN1_INTEGER_get(s->minimum) != 0);
}

static bool
add_trees(struct constraints *c, const STACK_OF(GENERAL_SUBTREE) *list,
    bool excluded, char *why, size_t why_len)
{
	const GENERAL_SUBTREE	*s;
	struct subtree		*t;
	struct span		 ip;
	int			 i;

	for (i = 0; i < sk_GENERAL_SUBTREE_num(list); i++) {
		s = sk_GENERAL_SUBTREE_value(list, i);
		t = &c->trees[c->num_trees++];
		t->base = s->base;
		t->excluded = excluded;
		t->ranged = is_ranged(s);
		if (s->base->type == GEN_DIRNAME &&
		    !cert_name_rdns(s->base->d.directoryName, &t->rdns,
		    &t->num_rdns)) {
			(void)snprintf(why, why_len, "Its name constraints have "
			    "a directory name that is too long.");
			return false;
		}
		if (s->base->type != GEN_IPADD)
			continue;
		ip = span_of(s->base->d.iPAddress);
		if ((ip.len != 8 && ip.len != 32) || !match_mask_valid(ip)) {
			(void)snprintf(why, why_len, "Its name constraints have "
			    "an address that is no network (RFC 4632).");
			return false;
		}
	}
	return true;
}

bool
constraints_new(X509 *ca, struct constraints **constraints_r, char *why,
    size_t why_len)
{
	struct constraints	*c;
	NAME_CONSTRAINTS	*nc;
	int			 permitted, excluded;

	*constraints_r = NULL;
	ERR_set_mark();
	nc = X509_get_ext_d2i(ca, NID_name_constraints, NULL, NULL);
	ERR_pop_to_mark();
	if (nc == NULL)
		return true;
	permitted = sk_GENERAL_SUBTREE_num(nc->permittedSubtrees);
	excluded = sk_GENERAL_SUBTREE_num(nc->excludedSubtrees);
	permitted = permitted > 0 ? permitted : 0;
	excluded = excluded > 0 ? excluded : 0;
	(void)snprintf(why, why_len, "It has over %d name constraints.",
	    CONSTRAINTS_MAX_SUBTREES);
	c = calloc(1, sizeof(*c));
	if (c == NULL || permitted > CONSTRAINTS_MAX_SUBTREES - excluded ||
	    (c->trees = calloc((size_t)(permitted + excluded) + 1,
	    sizeof(*c->trees))) == NULL) {
		NAME_CONSTRAINTS_free(nc);
		free(c);
		return false;
	}
	c->nc = nc;
	if (!add_trees(c, nc->permittedSubtrees, false, why, why_len) ||
	    !add_trees(c, nc->excludedSubtrees, true, why, why_len)) {
		constraints_free(c);
		return false;
	}
	*constraints_r = c;
	return true;
}

void
constraints_free(struct constraints *c)
{
	size_t	i;

	if (c == NULL)
		return;
	for (i = 0; i < c->num_trees; i++)
		free(c->trees[i].rdns);
	free(c->trees);
	NAME_CONSTRAINTS_free(c->nc);
	free(c);
}
