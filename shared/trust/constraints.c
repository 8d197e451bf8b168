/*
 * constraints.c - may a CA's name constraints let this certificate's names be?
 *
 * RFC 5280 4.2.1.10 for each kind of name, RFC 9598 6 for SmtpUTF8Mailbox. A name
 * that is not what its kind demands cannot be compared, so it does not fit (match.c);
 * only names of a kind that is constrained are looked at.
 */

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/text.h"
#include "trust/constraints.h"
#include "trust/match.h"

/* GeneralName has so many kinds (RFC 5280 4.2.1.6), GEN_OTHERNAME to GEN_RID. */
#define KINDS	9

#define UNREADABLE	"Its name constraints are unreadable."

struct subtree {
	bool			 excluded;
	bool			 ranged;	/* minimum or maximum are used */
	const ASN1_OBJECT	*other;		/* type of an otherName */
	struct match_side	 side;		/* mail, DNS, URI */
	struct span		 ip;
	unsigned char	       (*rdns)[32];	/* of a directoryName */
	size_t			 num_rdns;
};

struct constraints {
	NAME_CONSTRAINTS	*nc;	/* NULL: none */
	const char		*fault;	/* why they cannot be used */
	struct subtree		*trees;	/* those of one kind together */
	size_t			 first[KINDS + 1];	/* of a kind, by GEN_* */
	unsigned char		*room;
};

/* One name of the certificate that is compared. */
struct name {
	int			 type;	/* GEN_*; GEN_EMAIL also for SmtpUTF8Mailbox */
	struct span		 value;	/* the text, or the address */
	bool			 utf8;	/* the local part may be */
	bool			 broken;	/* not the ASN.1 type it has to be */
	const ASN1_OBJECT	*other;	/* type of an otherName */
	struct match_side	 side;
	unsigned char	       (*rdns)[32];
	size_t			 num_rdns;
};

struct constraints_names {
	GENERAL_NAMES	*san;
	struct name	*names;
	size_t		 num;
	unsigned char	*room;
};

static struct span
span_of(const ASN1_STRING *s)
{
	return (struct span){ ASN1_STRING_get0_data(s),
	    (size_t)ASN1_STRING_length(s) };
}

/* False: no text with a rule of its own. */
static bool
text_kind(int type, enum match_kind *kind_r)
{
	switch (type) {
	case GEN_EMAIL:
		*kind_r = MATCH_MAIL;
		return true;
	case GEN_DNS:
		*kind_r = MATCH_DNS;
		return true;
	case GEN_URI:
		*kind_r = MATCH_URI;
		return true;
	default:
		return false;
	}
}

/* ------------------------------------------------------- names of a certificate */

static void
add_text(struct constraints_names *names, int type, const ASN1_STRING *value,
    bool utf8, bool broken, unsigned char **room)
{
	struct name	*name = &names->names[names->num++];
	enum match_kind	 kind;

	name->type = type;
	name->utf8 = utf8;
	name->broken = broken;
	if (broken || !text_kind(type, &kind))
		return;
	name->value = span_of(value);
	match_name(utf8 ? MATCH_MAIL_UTF8 : kind, name->value, *room,
	    &name->side);
	*room += name->value.len;
}

/* Too long to be compared, as cert_name_rdns() sees it? */
static bool
too_long(const X509_NAME *dn)
{
	return X509_NAME_entry_count(dn) > CERT_MAX_NAME_ENTRIES;
}

/* False: out of memory. */
static bool
add_directory(struct constraints_names *names, const X509_NAME *dn)
{
	struct name	*name = &names->names[names->num++];

	name->type = GEN_DIRNAME;
	name->broken = !cert_name_rdns(dn, &name->rdns, &name->num_rdns);
	return !name->broken || too_long(dn);
}

/* False: out of memory. */
static bool
add_general(struct constraints_names *names, const GENERAL_NAME *g,
    unsigned char **room)
{
	const ASN1_TYPE	*other;
	struct name	*name;
	bool		 utf8;

	switch (g->type) {
	case GEN_DIRNAME:
		return add_directory(names, g->d.directoryName);
	case GEN_EMAIL:
	case GEN_DNS:
	case GEN_URI:
		add_text(names, g->type, g->d.ia5, false, false, room);
		return true;
	default:
		break;
	}
	name = &names->names[names->num++];
	name->type = g->type;
	if (g->type == GEN_IPADD)
		name->value = span_of(g->d.iPAddress);
	if (g->type != GEN_OTHERNAME)
		return true;
	name->other = g->d.otherName->type_id;
	if (OBJ_obj2nid(name->other) != NID_id_on_SmtpUTF8Mailbox)
		return true;
	/* RFC 9598 6: constraints on rfc822Name are on these as well. */
	other = g->d.otherName->value;
	utf8 = other != NULL && other->type == V_ASN1_UTF8STRING;
	add_text(names, GEN_EMAIL, utf8 ? other->value.utf8string : NULL, true,
	    !utf8, room);
	return true;
}

/* False: out of memory. */
static bool
add_subject(struct constraints_names *names, const X509_NAME *dn,
    unsigned char **room)
{
	const ASN1_STRING	*value;
	int			 at = -1;

	if (X509_NAME_entry_count(dn) == 0)
		return true;
	if (!add_directory(names, dn))
		return false;
	/* Also where a SAN is present: the attribute is a mailbox to people. */
	while ((at = X509_NAME_get_index_by_NID(dn, NID_pkcs9_emailAddress,
	    at)) >= 0) {
		value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(dn, at));
		add_text(names, GEN_EMAIL, value, false,
		    ASN1_STRING_type(value) != V_ASN1_IA5STRING, room);
	}
	return true;
}

/* Room for the octets of all names together: no more than the whole has. */
static unsigned char *
names_room(X509 *x)
{
	int	der = i2d_X509(x, NULL);

	return der > 0 ? malloc((size_t)der) : NULL;
}

/* NULL: out of memory, or names that are there and do not decode. */
static struct constraints_names *
names_new(X509 *x)
{
	struct constraints_names	*names = calloc(1, sizeof(*names));
	const X509_NAME			*dn = X509_get_subject_name(x);
	unsigned char			*room;
	size_t				 most;
	int				 i, n, critical = -1;

	if (names == NULL)
		return NULL;
	ERR_set_mark();
	names->san = X509_get_ext_d2i(x, NID_subject_alt_name, &critical, NULL);
	ERR_pop_to_mark();
	if (names->san == NULL && critical != -1)
		goto fail;	/* not "there is none" */
	n = sk_GENERAL_NAME_num(names->san);
	if (n < 0)
		n = 0;
	/* an otherName may be two; the subject is one beside its mailboxes */
	most = 2 * (size_t)n + (size_t)X509_NAME_entry_count(dn) + 1;
	names->names = calloc(most, sizeof(*names->names));
	names->room = names_room(x);
	if (names->names == NULL || names->room == NULL)
		goto fail;
	room = names->room;
	if (!add_subject(names, dn, &room))
		goto fail;
	for (i = 0; i < n; i++)
		if (!add_general(names, sk_GENERAL_NAME_value(names->san, i),
		    &room))
			goto fail;
	return names;
fail:
	constraints_names_free(names);
	return NULL;
}

void
constraints_names_free(struct constraints_names *names)
{
	size_t	i;

	if (names == NULL)
		return;
	for (i = 0; i < names->num; i++)
		free(names->names[i].rdns);
	free(names->names);
	free(names->room);
	GENERAL_NAMES_free(names->san);
	free(names);
}

/* ---------------------------------------------------------- subtrees of a CA */

/* RFC 5280 4.2.1.10: minimum 0 and no maximum, which nobody defines. */
static bool
is_ranged(const GENERAL_SUBTREE *s)
{
	return s->maximum != NULL ||
	    (s->minimum != NULL && ASN1_INTEGER_get(s->minimum) != 0);
}

/* False: c->fault, or out of memory. */
static bool
read_tree(struct constraints *c, const GENERAL_SUBTREE *s, bool excluded,
    struct subtree *t, unsigned char **room)
{
	enum match_kind	kind;
	struct span	text;

	t->excluded = excluded;
	t->ranged = is_ranged(s);
	if (text_kind(s->base->type, &kind)) {
		text = span_of(s->base->d.ia5);
		match_base(kind, text, *room, &t->side);
		*room += text.len;
	} else if (s->base->type == GEN_OTHERNAME) {
		t->other = s->base->d.otherName->type_id;
	} else if (s->base->type == GEN_DIRNAME) {
		if (!cert_name_rdns(s->base->d.directoryName, &t->rdns,
		    &t->num_rdns)) {
			if (too_long(s->base->d.directoryName))
				c->fault = "Its name constraints have a "
				    "directory name that is too long.";
			return false;
		}
	} else if (s->base->type == GEN_IPADD) {
		t->ip = span_of(s->base->d.iPAddress);
		if ((t->ip.len != 8 && t->ip.len != 32) ||
		    !match_mask_valid(t->ip))
			c->fault = "Its name constraints have an address that "
			    "is no network (RFC 4632).";
	}
	return c->fault == NULL;
}

/* Two lists, each in its order, kind by kind. False: c->fault, or out of memory. */
static bool
read_trees(struct constraints *c)
{
	const STACK_OF(GENERAL_SUBTREE)	*lists[2] = {
		c->nc->permittedSubtrees, c->nc->excludedSubtrees };
	const GENERAL_SUBTREE		*s;
	unsigned char			*room = c->room;
	size_t				 next[KINDS + 1] = { 0 };
	int				 i, kind, l;

	for (l = 0; l < 2; l++)
		for (i = 0; i < sk_GENERAL_SUBTREE_num(lists[l]); i++) {
			kind = sk_GENERAL_SUBTREE_value(lists[l], i)->base->type;
			if (kind < 0 || kind >= KINDS) {
				c->fault = UNREADABLE;
				return false;
			}
			c->first[kind + 1]++;
		}
	for (kind = 0; kind < KINDS; kind++)
		c->first[kind + 1] += c->first[kind];
	memcpy(next, c->first, sizeof(next));
	for (l = 0; l < 2; l++)
		for (i = 0; i < sk_GENERAL_SUBTREE_num(lists[l]); i++) {
			s = sk_GENERAL_SUBTREE_value(lists[l], i);
			if (!read_tree(c, s, l == 1,
			    &c->trees[next[s->base->type]++], &room))
				return false;
		}
	return true;
}

/* NULL: out of memory. What is kept with the CA is never a want of ours. */
static struct constraints *
constraints_new(const struct cert *ca)
{
	struct constraints	*c = calloc(1, sizeof(*c));
	size_t			 permitted, excluded;

	if (c == NULL || !ca->has_name_constraints)
		return c;
	ERR_set_mark();
	c->nc = X509_get_ext_d2i(ca->x509, NID_name_constraints, NULL, NULL);
	ERR_pop_to_mark();
	if (c->nc == NULL) {
		if ((ca->faults & CERT_FAULTS_EXTENSION) == 0)
			goto no_memory;	/* it did decode in extension.c */
		c->fault = UNREADABLE;
		return c;
	}
	permitted = c->nc->permittedSubtrees == NULL ? 0 :
	    (size_t)sk_GENERAL_SUBTREE_num(c->nc->permittedSubtrees);
	excluded = c->nc->excludedSubtrees == NULL ? 0 :
	    (size_t)sk_GENERAL_SUBTREE_num(c->nc->excludedSubtrees);
	if (permitted + excluded > CONSTRAINTS_MAX_SUBTREES) {
		c->fault = "It has too many name constraints.";
		return c;
	}
	c->trees = calloc(permitted + excluded + 1, sizeof(*c->trees));
	c->room = names_room(ca->x509);
	if (c->trees != NULL && c->room != NULL &&
	    (read_trees(c) || c->fault != NULL))
		return c;
no_memory:
	constraints_free(c);
	return NULL;
}

void
constraints_free(struct constraints *c)
{
	size_t	i;

	if (c == NULL)
		return;
	for (i = 0; c->trees != NULL && i < c->first[KINDS]; i++)
		free(c->trees[i].rdns);
	free(c->trees);
	free(c->room);
	NAME_CONSTRAINTS_free(c->nc);
	free(c);
}

/* -------------------------------------------------- kept with the certificate */

static const struct constraints *
constraints_of(struct cert *ca)
{
	struct constraints	*c = atomic_load(&ca->constraints), *made;

	if (c != NULL)
		return c;
	made = constraints_new(ca);
	if (made == NULL || atomic_compare_exchange_strong(&ca->constraints, &c,
	    made))
		return made;
	constraints_free(made);	/* another thread was faster */
	return c;
}

static const struct constraints_names *
names_of(struct cert *cert)
{
	struct constraints_names	*names = atomic_load(&cert->names);
	struct constraints_names	*made;

	if (names != NULL)
		return names;
	made = names_new(cert->x509);
	if (made == NULL || atomic_compare_exchange_strong(&cert->names, &names,
	    made))
		return made;
	constraints_names_free(made);
	return names;
}

/* --------------------------------------------------------------- comparing */

static enum match
match_one(const struct name *name, const struct subtree *t)
{
	enum match_kind	kind;

	if (name->broken || t->ranged)
		return MATCH_NEVER;
	if (text_kind(name->type, &kind))
		return match_within(kind, &name->side, &t->side, t->excluded);
	switch (name->type) {
	case GEN_IPADD:
		return match_ip(name->value, t->ip);
	case GEN_DIRNAME:
		return name->num_rdns >= t->num_rdns && (t->num_rdns == 0 ||
		    memcmp(name->rdns, t->rdns, t->num_rdns * 32) == 0) ?
		    MATCH_YES : MATCH_NO;
	default:	/* no rule says how: refuse (4.2.1.10) */
		return MATCH_NEVER;
	}
}

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
name_fits(const struct constraints *c, const struct name *name,
    unsigned *left, char *why, size_t why_len)
{
	const struct subtree	*t = &c->trees[c->first[name->type]];
	const struct subtree	*end = &c->trees[c->first[name->type + 1]];
	bool			 wanted = false, permitted = false;

	for (; t < end; t++) {
		if (!t->excluded && permitted)
			continue;
		if (*left == 0)
			return refuse(name, "is one of too many to compare", why,
			    why_len);
		(*left)--;
		if (name->type == GEN_OTHERNAME &&
		    OBJ_cmp(t->other, name->other) != 0)
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

bool
constraints_sound(struct cert *ca, char *why, size_t why_len)
{
	const struct constraints	*c = constraints_of(ca);
	const char			*fault;

	fault = c == NULL ? "Out of memory." : c->fault;
	if (fault != NULL)
		(void)snprintf(why, why_len, "%s", fault);
	return fault == NULL;
}

bool
constraints_fit(struct cert *ca, struct cert *below, unsigned *left,
    char *why, size_t why_len)
{
	const struct constraints	*c = constraints_of(ca);
	const struct constraints_names	*names;
	size_t				 i;

	if (c != NULL && c->nc == NULL && c->fault == NULL)
		return true;
	names = c != NULL && c->fault == NULL ? names_of(below) : NULL;
	if (names == NULL) {
		(void)snprintf(why, why_len, "Its names cannot be compared");
		return false;
	}
	for (i = 0; i < names->num; i++)
		if (!name_fits(c, &names->names[i], left, why, why_len))
			return false;
	return true;
}
