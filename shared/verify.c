/*
 * verify.c - may this certificate in, and as whom? The large question.
 *
 * Goes from room to room and back to none: cert -> path -> validate -> policy
 * -> revocation -> identity -> verdict. The first clean path wins.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/rand.h>

#include "base/text.h"
#include "listed.h"
#include "override.h"
#include "question.h"
#include "trust/constraints.h"
#include "trust/digest.h"

/* A verdict is made again after this long even if nothing changed; where lines
 * of maps or denied lists begin or end by themselves, as soon as a change of the
 * file would be seen. Seconds. */
#define VERDICT_MAX_AGE		60
#define VERDICT_TIMED_AGE	1

/* --------------------------------------------------------------- the leaf */

/* Finds a decision again in the logs; unique enough for that, and no secret. The
 * processes of one server share an engine made before the fork, so each adds its
 * own number. */
static void
set_id(struct certauth_verdict *v, struct certauth *e)
{
	uint64_t	n = 0;
	char		id[17] = "";
	size_t		i;

	if (e != NULL)
		n = e->id + 0x9e3779b97f4a7c15u *
		    (((uint64_t)getpid() << 40) +
		    atomic_fetch_add(&e->num_verdicts, 1));
	else if (RAND_bytes((unsigned char *)&n, (int)sizeof(n)) != 1)
		n = 0;
	for (i = 16; i-- > 0; n >>= 4)
		id[i] = "0123456789abcdef"[n & 15];
	verdict_set(v, VERDICT_ID, id);
}

/* Most clients send what the pool has, which is decoded already, and in the order
 * of the path: `below` is the one before. */
static struct cert *
view_sent(const struct question *q, X509 *x, const struct cert *below)
{
	const struct pool_member	*m;
	const struct pool		*pool;
	struct cert			*known;
	unsigned char			 sha256[32];
	size_t				 i;

	for (i = 0; i < q->profile->num_authorities; i++) {
		pool = q->engine->authorities[q->profile->authorities[i]].pool;
		known = pool_find_alike(pool, below->issuer_sha256, x);
		if (known != NULL)
			return cert_ref(known);
	}
	if (!digest_x509(x, CERT_MAX_BYTES, sha256))
		return NULL;
	for (i = 0; i < q->profile->num_authorities; i++) {
		pool = q->engine->authorities[q->profile->authorities[i]].pool;
		m = pool_find(pool, sha256);
		if (m != NULL && (known = pool_cert(m)) != NULL)
			return cert_ref(known);
	}
	return cert_new(x);
}

/* False: the answer is already a refusal. */
static bool
read_sent(struct question *q)
{
	const STACK_OF(X509)	*sent = q->request->sent;
	const struct cert	*below = q->leaf;
	struct cert		*c;
	int			 i, n = sent != NULL ? sk_X509_num(sent) : 0;

	for (i = 0; i < n; i++) {
		if (q->num_sent == VERIFY_MAX_SENT) {
			verdict_fault(q->v, CERTAUTH_TOO_BIG, -1, -1,
			    "Over %d certificates were sent.", VERIFY_MAX_SENT);
			return false;
		}
		c = view_sent(q, sk_X509_value(sent, i), below);
		if (c == NULL)
			continue;	/* helps nobody; not fatal */
		if (memcmp(c->sha256, q->leaf->sha256, 32) == 0 ||
		    (c->faults & CERT_FAULT_TOO_BIG) != 0) {
			cert_free(c);
			continue;
		}
		q->sent[q->num_sent++] = c;
		below = c;
	}
	q->first_fetched = q->num_sent;
	q->num_sent += fetched_give(q->data->fetched, q->sent + q->num_sent);
	return true;
}

/* ---------------------------------------------------- one path, room by room */

void
question_hold(struct question *q, const struct path *path)
{
	size_t	i;

	for (i = 0; i < path->num_certs; i++)
		verdict_holds(q->v, path->certs[i]->not_before,
		    path->certs[i]->not_after + 1);
}

static void
check_denied(struct question *q, int path_no, const char *user)
{
	const char	*detail = "";
	int		 n = q->profile->denied;

	if (n < 0)
		return;
	if ((size_t)n >= q->data->num_live || q->data->denied[n] == NULL) {
		verdict_fault(q->v, CERTAUTH_DATA_MISSING, path_no, 0,
		    "The list of those who are denied is not there.");
		return;
	}
	if (denied_match(q->data->denied[n], q->leaf, user, q->now,
	    verdict_arena(q->v), &detail))
		verdict_fault(q->v, CERTAUTH_DENIED, path_no, 0, "%s", detail);
}

static void
tell(void *context, const char *line)
{
	verdict_tell(context, "    %s", line);
}

/* `severity` NOTE: only for the story of who it would have been. */
static void
map_user(struct question *q, int path_no, enum certauth_severity severity)
{
	struct rules_answer	answer;
	bool			explain;

	explain = (q->request->flags & CERTAUTH_EXPLAIN) != 0;
	if (q->profile->rules == NULL) {
		verdict_tell(q->v, "  identity: the profile has no rules, so no "
		    "user is named");
		return;
	}
	verdict_tell(q->v, "  identity, authority %s:", q->authority->name);
	rules_ask(q->profile->rules, &(struct rules_query){ .cert = q->leaf,
	    .authority = q->authority->name, .pinned = q->authority->has_issuers,
	    .service = q->request->service,
	    .min_strength = q->profile->min_strength,
	    .tables = q->data->tables, .num_tables = q->data->num_live,
	    .now = q->now, .tell = explain ? tell : NULL, .context = q->v },
	    verdict_arena(q->v), &answer);
	renewal_explain(&answer, q->data, q->leaf, q->authority->name,
	    q->profile->name, verdict_arena(q->v));
	if (answer.reason != CERTAUTH_OK) {
		verdict_add(q->v, answer.reason, severity, path_no, 0, "%s",
		    answer.detail != NULL ? answer.detail : "");
		return;
	}
	if (severity == CERTAUTH_NOTE) {
		verdict_tell(q->v, "    it would have been \"%s\"", answer.user);
		return;
	}
	verdict_set_user(q->v, answer.user, answer.groups, answer.rule);
	verdict_set(q->v, VERDICT_STRENGTH, answer.strength);
	if (answer.user[0] != '\0')
		check_denied(q, path_no, answer.user);
	if (strcmp(answer.found, answer.user) != 0)
		check_denied(q, path_no, answer.found);
	describe_accounts(q->v, &answer, q->profile->denied >= 0 ?
	    q->data->denied[q->profile->denied] : NULL, q->leaf, q->now);
}

/* Would this path be there, had nothing been sent? */
static bool
is_from_pool(const struct question *q, const struct path *path)
{
	size_t	i;

	for (i = 1; i < path->num_certs; i++)
		if (pool_find(q->authority->pool, path->certs[i]->sha256) == NULL)
			return false;
	return true;
}

/* True: this path is accepted. */
static bool
judge(struct question *q, struct path *path, int path_no)
{
	const char		*policies;
	enum validate_result	 result;
	struct revocation_query	 query;

	if ((q->request->flags & CERTAUTH_EXPLAIN) != 0)
		path_tell(q->v, q->authority->pool, path);
	result = validate_path(&q->profile->policy, path, q->now,
	    &q->signatures, q->v, path_no, &policies);
	if (result == VALIDATE_UNVOUCHED)
		return false;
	policy_check(&q->profile->policy, path->certs, path->num_certs, q->v,
	    path_no);
	listed_check(q->v, q->authority, path, path_no);
	/* Only now: a forged certificate must not cost a look-up. */
	replies_query(&q->replies, q->authority, q->data->revocation, q->now,
	    &query);
	query.vouch = question_vouch;
	query.context = q;
	if (verdict_faulty(q->v, path_no))
		query.authority = NULL;	/* no answer would help it */
	revocation_judge(&query, path->certs, path->num_certs, q->v, path_no);
	check_denied(q, path_no, "");
	if (verdict_faulty(q->v, path_no) &&
	    !verdict_undecided(q->v, path_no)) {
		if ((q->request->flags & CERTAUTH_EXPLAIN) != 0)
			map_user(q, path_no, CERTAUTH_NOTE);	/* who it would have been */
		return false;
	}
	map_user(q, path_no, CERTAUTH_FATAL);
	if (verdict_faulty(q->v, path_no))
		return false;
	verdict_set(q->v, VERDICT_POLICIES, policies);
	question_hold(q, path);
	return true;
}

static STACK_OF(X509) *
path_stack(const struct path *path)
{
	STACK_OF(X509)	*stack = sk_X509_new_null();
	size_t		 i;

	for (i = 0; stack != NULL && i < path->num_certs; i++) {
		if (sk_X509_push(stack, path->certs[i]->x509) <= 0) {
			sk_X509_free(stack);
			return NULL;
		}
	}
	return stack;
}

/* ------------------------------------------------------------- all the paths */

/* What an administrator would have to add, if he trusts it. */
static void
tell_no_path(struct question *q, const struct path_search *search)
{
	const struct cert	*orphan = path_missing_issuer(search);
	char			*subject, *issuer;
	char			 text[sizeof(q->no_path)];

	if (orphan == NULL)
		orphan = q->leaf;
	subject = cert_subject_print(orphan);
	issuer = cert_issuer_print(orphan);
	if (orphan->self_issued)
		(void)snprintf(text, sizeof(text), "It leads to %s, which is no "
		    "anchor of authority \"%s\".",
		    subject != NULL ? subject : "?", q->authority->name);
	else
		(void)snprintf(text, sizeof(text), "Authority \"%s\" has no "
		    "certificate of %s, which issued %s.", q->authority->name,
		    issuer != NULL ? issuer : "?",
		    subject != NULL ? subject : "?");
	/* Another authority may know better; the first one's word is told. */
	verdict_add(q->v, CERTAUTH_NO_PATH, CERTAUTH_NOTE, -1, -1, "%s", text);
	if (q->no_path[0] == '\0')
		memcpy(q->no_path, text, sizeof(text));
	replies_orphan(&q->replies, q->authority, orphan, orphan == q->leaf);
	free(subject);
	free(issuer);
}

/* A fault of the certificate itself, on whatever path it stands as a CA? */
static bool
is_own_fault(enum certauth_reason reason)
{
	switch (reason) {
	case CERTAUTH_MALFORMED:
	case CERTAUTH_TOO_BIG:
	case CERTAUTH_CRITICAL_EXTENSION:
	case CERTAUTH_BAD_EXTENSION:
	case CERTAUTH_NOT_A_CA:
	case CERTAUTH_KEY_USAGE:
	case CERTAUTH_ISSUER_EXPIRED:
	case CERTAUTH_NOT_YET_VALID:
	case CERTAUTH_WEAK_KEY:
	case CERTAUTH_WEAK_SIGNATURE:
	case CERTAUTH_ISSUER_REVOKED:
		return true;
	default:
		return false;
	}
}

/* What was wrong with a CA on this path is wrong on every other. */
static void
bury(struct question *q, struct path_search *search, const struct path *path,
    int no)
{
	const struct certauth_finding	*f;
	size_t				 i, n;

	n = certauth_verdict_findings(q->v, &f);
	for (i = 0; i < n; i++)
		if (f[i].path == no && f[i].severity == CERTAUTH_FATAL &&
		    f[i].depth > 0 && (size_t)f[i].depth < path->num_certs &&
		    is_own_fault(f[i].reason))
			path_dead(search, path, (size_t)f[i].depth);
	for (i = 1; i < path->num_certs; i++)
		if ((path->hopeless >> i & 1) != 0)
			path_dead(search, path, i);
}

/* The number of the accepted path, or -1. *stop_r: look no further. */
static int
search_authority(struct question *q, bool *stop_r)
{
	struct path_search	*search;
	struct path		 path;
	STACK_OF(X509)		*stack;
	enum path_next		 next;
	bool			 any = false;
	int			 no, chosen = -1;

	search = path_search_new(q->authority->pool, &q->profile->policy,
	    q->leaf, q->sent, q->num_sent, q->now);
	if (search == NULL) {
		verdict_fault(q->v, CERTAUTH_INTERNAL, -1, -1, "Out of memory.");
		*stop_r = true;
		return -1;
	}
	while ((next = path_next(search, &path)) == PATH_FOUND) {
		any = true;
		if (verdict_num_paths(q->v) == VERDICT_MAX_PATHS) {
			next = PATH_LIMIT;
			break;
		}
		stack = path_stack(&path);
		no = stack != NULL ?
		    verdict_path_begin(q->v, stack, q->authority->name) : -1;
		sk_X509_free(stack);
		if (no < 0) {
			*stop_r = true;
			break;
		}
		q->anchor = path.certs[path.num_certs - 1];
		q->sent_used |= !is_from_pool(q, &path);
		if (judge(q, &path, no)) {
			chosen = no;
			*stop_r = true;
			break;
		}
		bury(q, search, &path, no);
		if (q->signatures.left == 0) {
			next = PATH_LIMIT;
			break;
		}
		/* A revoked leaf stays revoked on every path. */
		if (verdict_has(q->v, no, CERTAUTH_REVOKED) ||
		    verdict_has(q->v, no, CERTAUTH_ON_HOLD) ||
		    verdict_has(q->v, no, CERTAUTH_DENIED)) {
			*stop_r = true;
			break;
		}
	}
	q->limited |= next == PATH_LIMIT;
	if (!any && next == PATH_END)
		tell_no_path(q, search);
	path_search_free(search);
	return chosen;
}

static int
search_all(struct question *q)
{
	size_t	i;
	int	chosen = -1;
	bool	stop = false;

	for (i = 0; !stop && i < q->profile->num_authorities; i++) {
		q->authority = override_authority(q->data->overrides,
		    &q->engine->authorities[q->profile->authorities[i]],
		    &q->prolonged);
		chosen = search_authority(q, &stop);
	}
	if (chosen >= 0)
		return chosen;
	if (q->limited)
		verdict_fault(q->v, CERTAUTH_PATH_LIMIT, -1, -1,
		    "Over %d paths or %d steps of the search, or too many "
		    "signatures, were tried.", PATH_MAX_CANDIDATES,
		    PATH_MAX_STEPS);
	else if (verdict_num_paths(q->v) == 0 && !verdict_faulty(q->v, -1)) {
		verdict_fault(q->v, CERTAUTH_NO_PATH, -1, -1, "%s", q->no_path);
		replies_ask_issuers(&q->replies, q->v);
	}
	return chosen;
}

/* The chosen path or -1; the verdict is still open. */
static int
answer(struct question *q)
{
	int	chosen = -1;
	size_t	i;

	if (q->request->leaf == NULL) {
		verdict_fault(q->v, CERTAUTH_NO_CERTIFICATE, -1, -1, "%s", "");
		return -1;
	}
	q->leaf = q->key != NULL && q->key->leaf_len > 0 ?
	    cert_new_der(q->request->leaf, q->key->data + q->key->leaf_at,
	    q->key->leaf_len) : cert_new(q->request->leaf);
	if (q->leaf == NULL) {
		verdict_fault(q->v, CERTAUTH_MALFORMED, -1, 0,
		    "OpenSSL reads it, but not all of it.");
		return -1;
	}
	describe_leaf(q->v, q->leaf, &q->profile->policy, q->now);
	if ((q->leaf->faults & CERT_FAULT_TOO_BIG) != 0)
		verdict_fault(q->v, CERTAUTH_TOO_BIG, -1, 0,
		    "The certificate is over %u bytes, or has over %d names.",
		    CERT_MAX_BYTES, CERT_MAX_NAMES);
	else if (read_sent(q))
		chosen = search_all(q);
	for (i = 0; i < q->num_sent; i++)
		cert_free(q->sent[i]);
	cert_free(q->leaf);
	return chosen;
}

struct certauth_verdict *
verify_anew(struct certauth *e, const struct certauth_request *request,
    int64_t now, const struct verdict_key *key, bool *sent_used_r)
{
	struct question	q = { .engine = e, .request = request,
			    .profile = request->profile, .now = now,
			    .key = key,
			    .signatures = { validate_signature_budget(
			    &request->profile->policy),
			    CONSTRAINTS_MAX_COMPARISONS, e->signatures } };
	int		chosen;

	q.v = verdict_new(q.profile, q.profile->name, q.now, request->flags);
	if (q.v == NULL)
		return NULL;
	set_id(q.v, e);
	replies_read(&q.replies, e, request, q.v);
	q.data = engine_snapshot(e);
	if (q.data == NULL) {
		certauth_verdict_free(q.v);
		return NULL;
	}
	verdict_set_generation(q.v, e->id, q.data->generation);
	verdict_holds(q.v, q.now, q.now + (q.data->timed ? VERDICT_TIMED_AGE :
	    VERDICT_MAX_AGE));
	ERR_set_mark();
	chosen = answer(&q);
	ERR_pop_to_mark();
	replies_hold(&q.replies, q.v, chosen, q.now);
	verdict_close(q.v, chosen);
	replies_free(&q.replies);
	snapshot_free(q.data);
	*sent_used_r = q.sent_used;
	return q.v;
}

struct certauth_verdict *
certauth_refuse(const struct certauth_profile *profile,
    enum certauth_reason reason, const char *detail)
{
	struct certauth_verdict	*v;
	char			 shown[400] = "";

	v = verdict_new(profile, profile != NULL ? profile->name : "", 0, 0);
	if (v == NULL)
		return NULL;
	set_id(v, NULL);
	if (detail != NULL)
		text_printable(shown, sizeof(shown), detail, strlen(detail));
	if (reason == CERTAUTH_OK)
		reason = CERTAUTH_INTERNAL;	/* this door only refuses */
	verdict_fault(v, reason, -1, -1, "%s", shown);
	verdict_close(v, -1);
	return v;
}
