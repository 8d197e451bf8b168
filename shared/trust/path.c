/*
 * path.c - which chains are worth trying, in which order?
 *
 * First the certificates that could be on a path at all are collected (names
 * only), then how far each is from an anchor. Then a depth-first walk takes the
 * best edge first, over paths of the shortest length, then of one more, and so on
 * (a mesh has few short paths and endless long ones). All that twice: over
 * certificates without a visible fault, and, only when that gave nothing, over
 * the rest, for the story.
 */

#include <stdlib.h>
#include <string.h>

#include "trust/constraints.h"
#include "trust/path.h"

/* From so many certificates on a second look costs less than a candidate. */
#define MESH	8
#define FAR	UINT32_MAX	/* no anchor can be reached */

struct node {
	struct cert	*cert;
	bool		 anchor, sent, listed, clean, dead;
	uint32_t	 distance;	/* edges to the nearest anchor */
	uint32_t	 first, num;	/* its edges */
};

struct frame {
	uint32_t	 node;
	uint32_t	 next;		/* edge to try next, relative */
	bool		 offered;	/* the path that ends here was given */
	unsigned	 unclean;	/* faults so far */
};

struct path_search {
	const struct policy_options	*options;
	int64_t				 now;
	struct node			*nodes;		/* 0: the leaf */
	size_t				 num_nodes, capacity;
	struct path_edge		*edges;
	size_t				 num_edges;
	struct frame			 stack[PATH_MAX_LENGTH];
	size_t				 depth;
	unsigned			 pass;		/* 1, 2; 0: not begun */
	size_t				 length;	/* of the paths looked for */
	bool				 cut;		/* longer ones may be there */
	size_t				 candidates, steps;
	unsigned			 comparisons_left;
	bool				 limited, no_memory;
};

/* Nothing visible speaks against it as a CA (or anchor) on this path. */
static bool
looks_clean(const struct path_search *s, const struct cert *c, bool anchor)
{
	char	why[160];

	return c->faults == 0 && !c->critical_unknown &&
	    (anchor || policy_digest_allowed(s->options, c, why, sizeof(why))) && s->now >= c->not_before &&
	    s->now <= c->not_after &&
	    (c->is_ca || (anchor && X509_get_version(c->x509) !=
	    X509_VERSION_3)) &&
	    (!c->has_key_usage || (c->key_usage & KU_KEY_CERT_SIGN) != 0) &&
	    policy_purpose_possible(s->options, c);
}

static bool
key_ids_match(const struct cert *child, const struct cert *issuer)
{
	return child->aki == NULL || issuer->ski == NULL ||
	    (child->aki_len == issuer->ski_len &&
	    memcmp(child->aki, issuer->ski, child->aki_len) == 0);
}

/*
 * Do its name constraints shut the leaf out? Worth asking in a large mesh, where
 * each such CA would cost a candidate, and only of what the administrator put into
 * the pool: constraints that somebody sent are looked at when their signature holds.
 */
static bool
shuts_out(struct path_search *s, struct cert *c)
{
	char	why[256];
	bool	fits;

	if (s->num_nodes <= MESH || s->comparisons_left == 0 ||
	    X509_get_ext_by_NID(c->x509, NID_name_constraints, -1) < 0)
		return false;
	if (!constraints_sound(c, why, sizeof(why)))
		return true;
	fits = constraints_fit(c, s->nodes[0].cert, &s->comparisons_left, why,
	    sizeof(why));
	/* at the ceiling nothing is known */
	return !fits && s->comparisons_left > 0;
}

static bool
known(const struct path_search *s, const struct cert *c)
{
	size_t	i;

	for (i = 0; i < s->num_nodes; i++)
		if (memcmp(s->nodes[i].cert->sha256, c->sha256, 32) == 0)
			return true;
	return false;
}

static void
add_node(struct path_search *s, struct cert *c, unsigned roles, bool sent)
{
	struct node	*n;
	size_t		 more;

	if (known(s, c))
		return;
	if (s->num_nodes == PATH_MAX_NODES) {
		s->limited = true;
		return;
	}
	if (s->num_nodes == s->capacity) {
		/* nearly all searches see fewer than eight certificates */
		more = s->capacity == 0 ? 8 : s->capacity * 4;
		n = reallocarray(s->nodes, more, sizeof(*n));
		if (n == NULL) {
			s->no_memory = true;
			return;
		}
		s->nodes = n;
		s->capacity = more;
	}
	n = &s->nodes[s->num_nodes++];
	memset(n, 0, sizeof(*n));
	n->cert = c;
	n->anchor = (roles & POOL_ANCHOR) != 0;
	n->listed = (roles & POOL_ISSUER) != 0;
	n->sent = sent;
	n->clean = looks_clean(s, c, n->anchor) && (sent || !shuts_out(s, c));
	n->distance = FAR;
}

/* Everything that could be above the leaf, breadth first. */
static void
collect(struct path_search *s, const struct pool *pool,
    struct cert *const *sent, size_t num_sent)
{
	const uint32_t	*found;
	const struct pool_member *m;
	const unsigned char *issuer;
	struct cert	*c;
	size_t		 i, j, n;

	for (i = 0; i < s->num_nodes; i++) {
		issuer = s->nodes[i].cert->issuer_sha256;
		n = pool_by_subject(pool, issuer, &found);
		for (j = 0; j < n; j++) {
			m = pool_at(pool, found[j]);
			c = pool_cert(m);
			if (c != NULL)
				add_node(s, c, m->roles, false);
		}
		for (j = 0; j < num_sent; j++)
			if (memcmp(sent[j]->subject_sha256, issuer, 32) == 0)
				add_node(s, sent[j], 0, true);
	}
}

/* ------------------------------------------------------------------- edges */

static int
compare_bool(bool a, bool b)	/* true first */
{
	return (int)b - (int)a;
}

static int
compare_edges(const void *a, const void *b, void *context)
{
	const struct path_search	*s = context;
	const struct path_edge		*x = a, *y = b;
	const struct node		*p = &s->nodes[x->issuer];
	const struct node		*q = &s->nodes[y->issuer];
	int				 c;

	if ((c = compare_bool(x->clean, y->clean)) != 0 ||
	    (c = compare_bool(p->anchor, q->anchor)) != 0 ||
	    (c = compare_bool(p->listed, q->listed)) != 0)
		return c;
	if (p->distance != q->distance)
		return p->distance < q->distance ? -1 : 1;
	if ((c = compare_bool(q->sent, p->sent)) != 0)
		return c;
	/* the newest of several certificates of one CA */
	if (p->cert->not_before != q->cert->not_before)
		return p->cert->not_before > q->cert->not_before ? -1 : 1;
	return memcmp(p->cert->sha256, q->cert->sha256, 32);
}

/* Could j have issued i? `lean`: the unclean are left out, as they serve the
 * story alone. */
static bool
could_issue(const struct path_search *s, size_t i, size_t j, bool lean)
{
	return i != j && (s->nodes[j].clean || !lean) &&
	    memcmp(s->nodes[i].cert->issuer_sha256,
	    s->nodes[j].cert->subject_sha256, 32) == 0;
}

static size_t
count_edges(const struct path_search *s, bool lean)
{
	size_t	i, j, n = 0;

	for (i = 0; i < s->num_nodes; i++)
		for (j = 1; j < s->num_nodes; j++)
			n += could_issue(s, i, j, lean);
	return n;
}

static void
link_nodes(struct path_search *s, bool lean)
{
	size_t		 i, j;
	struct node	*child, *issuer;

	for (i = 0; i < s->num_nodes; i++) {
		child = &s->nodes[i];
		child->first = (uint32_t)s->num_edges;
		for (j = 1; j < s->num_nodes; j++) {
			issuer = &s->nodes[j];
			if (!could_issue(s, i, j, lean))
				continue;
			if (s->num_edges == PATH_MAX_EDGES) {
				s->limited = true;
				return;
			}
			s->edges[s->num_edges].issuer = (uint32_t)j;
			s->edges[s->num_edges].clean = issuer->clean &&
			    key_ids_match(child->cert, issuer->cert);
			s->num_edges++;
			child->num++;
		}
	}
}

/* Distance to the nearest anchor: rounds until nothing changes. */
static void
measure(struct path_search *s)
{
	size_t	 i, j, round;
	bool	 changed = true;
	uint32_t d;

	for (i = 0; i < s->num_nodes; i++)
		s->nodes[i].distance = s->nodes[i].anchor ? 0 : FAR;
	for (round = 0; changed && round < PATH_MAX_LENGTH; round++) {
		changed = false;
		for (i = 0; i < s->num_nodes; i++) {
			struct node *n = &s->nodes[i];

			for (j = 0; j < n->num; j++) {
				d = s->nodes[s->edges[n->first + j].issuer].
				    distance;
				if (d != FAR && d + 1 < n->distance) {
					n->distance = d + 1;
					changed = true;
				}
			}
		}
	}
}

struct path_search *
path_search_new(const struct pool *pool, const struct policy_options *options,
    struct cert *leaf, struct cert *const *sent, size_t num_sent, int64_t now)
{
	struct path_search		*s = calloc(1, sizeof(*s));
	const struct pool_member	*m;
	size_t				 i, num;
	bool				 lean;

	if (s == NULL)
		return NULL;
	s->options = options;
	s->now = now;
	s->comparisons_left = CONSTRAINTS_MAX_COMPARISONS;
	m = pool_find(pool, leaf->sha256);
	add_node(s, leaf, m != NULL ? m->roles : 0, false);
	collect(s, pool, sent, num_sent);
	num = count_edges(s, false);
	lean = num > PATH_MAX_EDGES;
	if (lean)
		num = count_edges(s, true);
	s->edges = calloc((num < PATH_MAX_EDGES ? num : PATH_MAX_EDGES) + 1,
	    sizeof(*s->edges));
	if (s->edges == NULL || s->no_memory) {
		path_search_free(s);
		return NULL;
	}
	link_nodes(s, lean);
	/* what was left out is not told of */
	s->limited |= lean;
	measure(s);
	for (i = 0; i < s->num_nodes; i++)
		qsort_r(&s->edges[s->nodes[i].first], s->nodes[i].num,
		    sizeof(*s->edges), compare_edges, s);
	return s;
}

void
path_search_free(struct path_search *s)
{
	if (s == NULL)
		return;
	free(s->edges);
	free(s->nodes);
	free(s);
}

/* -------------------------------------------------------------------- walk */

/* Same subject and key once more is a loop, whatever the certificate. */
static bool
on_stack(const struct path_search *s, const struct cert *c)
{
	const struct cert	*d;
	size_t			 i;

	for (i = 0; i < s->depth; i++) {
		d = s->nodes[s->stack[i].node].cert;
		if (memcmp(d->subject_sha256, c->subject_sha256, 32) == 0 &&
		    memcmp(d->spki_sha256, c->spki_sha256, 32) == 0)
			return true;
	}
	return false;
}

/* Puts the best edge not yet tried on the stack; false: none is left. */
static bool
descend(struct path_search *s)
{
	struct frame		*top = &s->stack[s->depth - 1];
	const struct node	*n = &s->nodes[top->node], *up;
	struct path_edge	*e;

	/* Above a self-issued anchor there is nothing but others of its name. */
	if (n->anchor && n->cert->self_issued)
		return false;
	while (top->next < n->num) {
		e = &s->edges[n->first + top->next++];
		up = &s->nodes[e->issuer];
		s->steps++;
		if (e->state == PATH_EDGE_BAD || up->dead ||
		    up->distance == FAR || (s->pass == 1 && !e->clean))
			continue;
		if (s->depth + 1 + up->distance > s->length) {
			s->cut = true;
			continue;
		}
		if (on_stack(s, up->cert))
			continue;
		s->stack[s->depth++] = (struct frame){ .node = e->issuer,
		    .unclean = top->unclean + !e->clean };
		return true;
	}
	return false;
}

/* A dead edge or certificate below means: leave that branch. */
static bool
stack_is_dead(const struct path_search *s, struct path *path)
{
	const struct node	*n;
	size_t			 i;

	for (i = 0; i < s->depth; i++) {
		n = &s->nodes[s->stack[i].node];
		if (n->dead)
			return true;
		if (i + 1 == s->depth)
			break;
		path->edges[i] = &s->edges[n->first + s->stack[i].next - 1];
		if (path->edges[i]->state == PATH_EDGE_BAD)
			return true;
	}
	return false;
}

static void
give(const struct path_search *s, struct path *path)
{
	size_t	i;

	for (i = 0; i < s->depth; i++)
		path->certs[i] = s->nodes[s->stack[i].node].cert;
	path->num_certs = s->depth;
}

/* The next round of the walk; false: there is none. */
static bool
next_round(struct path_search *s)
{
	if (s->nodes[0].distance == FAR)
		return false;
	if (s->pass == 0 || !s->cut || s->length == PATH_MAX_LENGTH) {
		if (s->pass == 2)
			return false;
		s->pass++;
		s->length = s->nodes[0].distance;
	}
	if (s->length >= PATH_MAX_LENGTH)
		return false;
	s->length++;
	s->cut = false;
	s->stack[0] = (struct frame){ .node = 0 };
	s->depth = 1;
	return true;
}

enum path_next
path_next(struct path_search *s, struct path *path_r)
{
	struct frame	*top;

	memset(path_r, 0, sizeof(*path_r));
	for (;;) {
		if (s->depth == 0 && !next_round(s))
			return s->limited ? PATH_LIMIT : PATH_END;
		if (s->steps > PATH_MAX_STEPS)
			return PATH_LIMIT;
		top = &s->stack[s->depth - 1];
		if (stack_is_dead(s, path_r)) {
			s->depth--;
			continue;
		}
		if (!top->offered && s->depth == s->length &&
		    s->nodes[top->node].anchor) {
			top->offered = true;
			/* the second walk gives only what the first left out */
			if (s->pass == 1 || top->unclean > 0) {
				if (s->candidates++ >= PATH_MAX_CANDIDATES)
					return PATH_LIMIT;
				give(s, path_r);
				return PATH_FOUND;
			}
		}
		if (s->depth == s->length || !descend(s)) {
			if (s->depth == s->length)
				s->cut = true;
			s->depth--;
		}
	}
}

void
path_dead(struct path_search *s, const struct path *path, size_t i)
{
	size_t	n;

	for (n = 1; n < s->num_nodes; n++)
		if (s->nodes[n].cert == path->certs[i] && !s->nodes[n].anchor)
			s->nodes[n].dead = true;
}

const struct cert *
path_missing_issuer(const struct path_search *s)
{
	const struct node	*best = NULL;
	size_t			 i;

	/* the last one reached that nobody known could have issued */
	for (i = 0; i < s->num_nodes; i++)
		if (s->nodes[i].num == 0 && !s->nodes[i].anchor)
			best = &s->nodes[i];
	return best != NULL ? best->cert : NULL;
}
