/*
 * picture.c - which certificates did the path search meet, and where did it break?
 *
 * A certificate that many paths share is one node. Says nothing of how it is drawn.
 */

#include <stdlib.h>
#include <string.h>

#include "verdict/name.h"
#include "verdict/picture.h"

#define NONE	((size_t)-1)

static size_t
find_node(const struct picture *p, const X509 *cert)
{
	size_t	i;

	for (i = 0; i < p->num_nodes; i++)
		if (p->nodes[i].cert != NULL && X509_cmp(p->nodes[i].cert, cert) == 0)
			return i;
	return NONE;
}

/* NONE: no room, or (then *ok_r is false) no memory. Takes `name`. */
static size_t
add_node(struct picture *p, const X509 *cert, enum picture_kind kind,
    char *name, unsigned column, bool *ok_r)
{
	struct picture_node	*node = &p->nodes[p->num_nodes];

	if (name == NULL) {
		*ok_r = false;
		return NONE;
	}
	if (p->num_nodes == PICTURE_MAX_NODES) {
		free(name);
		return NONE;
	}
	*node = (struct picture_node){ .kind = kind, .cert = cert, .name = name,
	    .column = column };
	return p->num_nodes++;
}

static bool
add_edge(struct picture *p, size_t from, size_t to, bool shown)
{
	size_t	i;

	for (i = 0; i < p->num_edges; i++)
		if (p->edges[i].from == from && p->edges[i].to == to) {
			p->edges[i].shown |= shown;
			return true;
		}
	if (p->num_edges == PICTURE_MAX_EDGES)
		return false;
	p->edges[p->num_edges++] = (struct picture_edge){ from, to, shown };
	return true;
}

/* The first fault of a certificate is the one to look at. */
static void
mark_fault(struct picture_node *node, const struct certauth_verdict *v,
    int path_no, int depth)
{
	const struct certauth_finding	*f;
	size_t				 i, n = certauth_verdict_findings(v, &f);

	for (i = 0; i < n && node->slug == NULL; i++)
		if (f[i].severity == CERTAUTH_FATAL && f[i].path == path_no &&
		    f[i].depth == depth) {
			node->slug = certauth_reason_slug(f[i].reason);
			node->detail = f[i].detail;
		}
}

static bool
add_path(struct picture *p, const struct certauth_verdict *v, size_t number)
{
	const char	*authority;
	STACK_OF(X509)	*path = verdict_path(v, number, &authority);
	size_t		 node, before = NONE;
	bool		 ok = true, left_out = false;
	int		 i, n = sk_X509_num(path);
	X509		*cert;

	for (i = 0; i < n && ok && !left_out; i++) {
		cert = sk_X509_value(path, i);
		node = find_node(p, cert);
		if (node == NONE)
			node = add_node(p, cert, i == 0 ? PICTURE_LEAF :
			    i == n - 1 ? PICTURE_ANCHOR : PICTURE_CA,
			    name_print(X509_get_subject_name(cert)), (unsigned)i,
			    &ok);
		if (node == NONE) {
			left_out = true;
			break;
		}
		p->nodes[node].shown |= number == 0;
		if (p->nodes[node].column < (unsigned)i)
			p->nodes[node].column = (unsigned)i;
		mark_fault(&p->nodes[node], v, (int)number, i);
		left_out = before != NONE && !add_edge(p, before, node,
		    number == 0);
		before = node;
	}
	p->num_left_out += left_out;
	return ok;
}

/* No path at all: the certificate, and the name of who should have signed it. */
static bool
add_lonely(struct picture *p, const struct certauth_verdict *v)
{
	bool	ok = true;
	size_t	leaf, issuer;

	if (verdict_attr(v, VERDICT_SERIAL)[0] == '\0')
		return true;	/* no certificate was sent */
	leaf = add_node(p, NULL, PICTURE_LEAF, strdup(verdict_attr(v,
	    VERDICT_SUBJECT)), 0, &ok);
	issuer = add_node(p, NULL, PICTURE_MISSING, strdup(verdict_attr(v,
	    VERDICT_ISSUER)), 1, &ok);
	if (!ok || leaf == NONE || issuer == NONE)
		return false;
	p->nodes[leaf].shown = true;
	mark_fault(&p->nodes[leaf], v, -1, 0);
	p->nodes[issuer].slug = certauth_reason_slug(certauth_verdict_reason(v));
	p->nodes[issuer].detail = verdict_message(v);
	return add_edge(p, leaf, issuer, false);
}

/* Columns by distance from the leaf; in each, the rows in order of meeting. */
static void
place(struct picture *p)
{
	unsigned	rows[PICTURE_MAX_NODES] = { 0 }, column;
	size_t		i;

	for (i = 0; i < p->num_nodes; i++) {
		column = p->nodes[i].column;
		if (column >= PICTURE_MAX_NODES)
			column = p->nodes[i].column = PICTURE_MAX_NODES - 1;
		p->nodes[i].row = rows[column]++;
		if (rows[column] > p->num_rows)
			p->num_rows = rows[column];
		if (column + 1 > p->num_columns)
			p->num_columns = column + 1;
	}
}

bool
picture_make(struct picture *p, const struct certauth_verdict *v)
{
	size_t	i;
	bool	ok = true;

	memset(p, 0, sizeof(*p));
	for (i = 0; ok && i < verdict_num_paths(v); i++)
		ok = add_path(p, v, i);
	if (ok && verdict_num_paths(v) == 0)
		ok = add_lonely(p, v);
	if (!ok) {
		picture_free(p);
		return false;
	}
	place(p);
	return true;
}

void
picture_free(struct picture *p)
{
	size_t	i;

	for (i = 0; i < p->num_nodes; i++)
		free(p->nodes[i].name);
	p->num_nodes = 0;
}
