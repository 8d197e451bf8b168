/*
 * verdict.c - the sink that every room writes to, and how it is closed. Decides
 * only which finding is told first; what is a fault its room has decided.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "verdict/inside.h"
#include "verdict/name.h"

#define MAX_DETAIL	1024

static const struct { const char *name; enum verdict_attr attr; } attr_names[] = {
	{ "user", VERDICT_USER }, { "groups", VERDICT_GROUPS },
	{ "email", VERDICT_EMAIL }, { "serial", VERDICT_SERIAL },
	{ "issuer", VERDICT_ISSUER }, { "subject", VERDICT_SUBJECT },
	{ "fingerprint", VERDICT_FINGERPRINT }, { "strength", VERDICT_STRENGTH },
	{ "policies", VERDICT_POLICIES }, { "days_left", VERDICT_DAYS_LEFT },
	{ "profile", VERDICT_PROFILE }, { "authority", VERDICT_AUTHORITY },
	{ "rule", VERDICT_RULE }, { "revocation", VERDICT_REVOCATION },
	{ "id", VERDICT_ID }, { "revocation_from", VERDICT_REVOCATION_FROM },
	{ "not_after", VERDICT_NOT_AFTER }, { "renewal", VERDICT_RENEWAL },
	{ "accounts", VERDICT_ACCOUNTS },
};

/* Room for one more: most verdicts have one path and no finding, a few have
 * hundreds. The lists double, at 4, 8, 16 ...; what they were is the arena's. */
static void *
room(struct arena *arena, void *list, size_t num, size_t size)
{
	void	*more;

	if (num != 0 && (num < 4 || (num & (num - 1)) != 0))
		return list;
	more = arena_array(arena, num == 0 ? 4 : num * 2, size);
	if (more != NULL && num > 0)
		memcpy(more, list, num * size);
	return more;
}

struct certauth_verdict *
verdict_new(const struct certauth_profile *profile, const char *profile_name,
    int64_t now, unsigned flags)
{
	struct certauth_verdict	*v = calloc(1, sizeof(*v));

	if (v == NULL)
		return NULL;
	atomic_init(&v->refs, 1);
	v->arena = arena_new(VERDICT_MAX_BYTES);
	if (v->arena == NULL) {
		certauth_verdict_free(v);
		return NULL;
	}
	v->profile = profile;
	v->now = now;
	v->from = INT64_MIN;
	v->until = INT64_MAX;
	v->flags = flags;
	v->reason = CERTAUTH_INTERNAL;	/* the decision is 0: reject */
	verdict_set(v, VERDICT_PROFILE, profile_name != NULL ? profile_name : "");
	return v;
}

struct certauth_verdict *
certauth_verdict_ref(struct certauth_verdict *v)
{
	if (v != NULL)
		atomic_fetch_add(&v->refs, 1);
	return v;
}

void
certauth_verdict_free(struct certauth_verdict *v)
{
	size_t	i;

	if (v == NULL || atomic_fetch_sub(&v->refs, 1) != 1)
		return;
	for (i = 0; i < v->num_paths; i++)
		sk_X509_pop_free(v->paths[i].certs, X509_free);
	questions_free(v);
	text_free(&v->story);
	X509_free(v->leaf);
	free(atomic_load(&v->subject));
	free(atomic_load(&v->issuer));
	free(atomic_load(&v->line));
	free(atomic_load(&v->json));
	free(atomic_load(&v->explained));
	arena_free(v->arena);
	free(v);
}

struct arena *
verdict_arena(struct certauth_verdict *v)
{
	return v->arena;
}

void
verdict_add(struct certauth_verdict *v, enum certauth_reason reason,
    enum certauth_severity severity, int path, int depth, const char *format,
    ...)
{
	struct certauth_finding	*f = NULL;
	char			 detail[MAX_DETAIL];
	va_list			 ap;

	if (v->closed)
		return;
	if (v->num_findings < VERDICT_MAX_FINDINGS)
		f = room(v->arena, v->findings, v->num_findings, sizeof(*f));
	if (f == NULL) {
		/* A fault that finds no place must still refuse. */
		if (severity == CERTAUTH_FATAL)
			v->dropped++;
		return;
	}
	va_start(ap, format);
	(void)vsnprintf(detail, sizeof(detail), format, ap);
	va_end(ap);
	v->findings = f;
	f += v->num_findings;
	f->reason = reason;
	f->severity = severity;
	f->path = path;
	f->depth = depth;
	f->detail = arena_string(v->arena, detail);
	if (f->detail == NULL) {
		f->detail = "";
		v->no_memory = true;
	}
	v->num_findings++;
}

int
verdict_path_begin(struct certauth_verdict *v, STACK_OF(X509) *certs,
    const char *authority)
{
	struct verdict_path	*p;

	p = v->num_paths < VERDICT_MAX_PATHS ?
	    room(v->arena, v->paths, v->num_paths, sizeof(*p)) : NULL;
	if (p == NULL) {
		v->no_memory = true;
		return -1;
	}
	v->paths = p;
	p += v->num_paths;
	p->certs = X509_chain_up_ref(certs);
	p->authority = arena_string(v->arena, authority);
	if (p->certs == NULL || p->authority == NULL) {
		sk_X509_pop_free(p->certs, X509_free);
		p->certs = NULL;
		v->no_memory = true;
		return -1;
	}
	return (int)v->num_paths++;
}

bool
verdict_faulty(const struct certauth_verdict *v, int path)
{
	size_t	i;

	if (v->no_memory || v->dropped > 0)
		return true;
	for (i = 0; i < v->num_findings; i++)
		if (v->findings[i].path == path &&
		    v->findings[i].severity == CERTAUTH_FATAL)
			return true;
	return false;
}

bool
verdict_has(const struct certauth_verdict *v, int path,
    enum certauth_reason reason)
{
	size_t	i;

	for (i = 0; i < v->num_findings; i++)
		if (v->findings[i].path == path &&
		    v->findings[i].severity == CERTAUTH_FATAL &&
		    v->findings[i].reason == reason)
			return true;
	return false;
}

void
verdict_set(struct certauth_verdict *v, enum verdict_attr attr,
    const char *printable)
{
	v->attrs[attr] = arena_string(v->arena,
	    printable != NULL ? printable : "");
	if (v->attrs[attr] == NULL)
		v->no_memory = true;
}

void
verdict_set_leaf(struct certauth_verdict *v, X509 *leaf)
{
	if (v->leaf == NULL && X509_up_ref(leaf) == 1)
		v->leaf = leaf;
}

void
verdict_set_user(struct certauth_verdict *v, const char *user,
    const char *groups, const char *rule)
{
	verdict_set(v, VERDICT_USER, user);
	verdict_set(v, VERDICT_GROUPS, groups);
	verdict_set(v, VERDICT_RULE, rule);
}

void
verdict_add_mailbox(struct certauth_verdict *v, const char *mailbox,
    size_t mailbox_len)
{
	struct verdict_mailbox	*m;

	if (v->num_mailboxes == VERDICT_MAX_MAILBOXES)
		return;		/* a mailbox too many may be acted as by nobody */
	m = room(v->arena, v->mailboxes, v->num_mailboxes, sizeof(*m));
	if (m == NULL) {
		v->no_memory = true;
		return;
	}
	v->mailboxes = m;
	m += v->num_mailboxes;
	m->data = arena_string_n(v->arena, mailbox, mailbox_len);
	m->data_len = mailbox_len;
	if (m->data == NULL)
		v->no_memory = true;
	else
		v->num_mailboxes++;
}

void
verdict_tell(struct certauth_verdict *v, const char *format, ...)
{
	char	line[MAX_DETAIL];
	va_list	ap;

	if ((v->flags & CERTAUTH_EXPLAIN) == 0 || v->closed)
		return;
	va_start(ap, format);
	(void)vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	text_add(&v->story, line);
	text_add(&v->story, "\n");
}

/* ----------------------------------------------------------------- closing */

/* How far a path came: the earliest stage at which it failed. */
static int
path_stage(const struct certauth_verdict *v, int path)
{
	size_t	i;
	int	stage = 99, s;

	for (i = 0; i < v->num_findings; i++) {
		if (v->findings[i].path != path ||
		    v->findings[i].severity != CERTAUTH_FATAL)
			continue;
		s = reason_stage(v->findings[i].reason);
		if (s < stage)
			stage = s;
	}
	return stage;
}

/* The most blameworthy FATAL finding of one path or the other (-1: of none). */
static const struct certauth_finding *
primary(const struct certauth_verdict *v, int path, int other)
{
	const struct certauth_finding	*f, *best = NULL;
	size_t				 i;

	for (i = 0; i < v->num_findings; i++) {
		f = &v->findings[i];
		if (f->severity != CERTAUTH_FATAL ||
		    (f->path != path && f->path != other))
			continue;
		if (best == NULL ||
		    reason_rank(f->reason) > reason_rank(best->reason))
			best = f;
	}
	return best;
}

/* Path `shown` becomes number 0; those before it move up by one. */
static void
renumber(struct certauth_verdict *v, int shown)
{
	struct verdict_path	kept;
	size_t			i;

	if (shown <= 0)
		return;
	kept = v->paths[shown];
	memmove(&v->paths[1], &v->paths[0], (size_t)shown * sizeof(v->paths[0]));
	v->paths[0] = kept;
	for (i = 0; i < v->num_findings; i++) {
		if (v->findings[i].path == shown)
			v->findings[i].path = 0;
		else if (v->findings[i].path >= 0 &&
		    v->findings[i].path < shown)
			v->findings[i].path++;
	}
}

static void
set_message(struct certauth_verdict *v, const struct certauth_finding *f)
{
	const char	*text = certauth_reason_text(v->reason);

	if (f != NULL && f->detail[0] != '\0')
		v->message = arena_printf(v->arena, "%s %s", text, f->detail);
	else
		v->message = text;
	if (v->message == NULL)
		v->message = text;
}

void
verdict_close(struct certauth_verdict *v, int chosen)
{
	const struct certauth_finding	*f;
	size_t				 i;
	int				 shown = chosen, stage, best = -1, open = -1;

	if (chosen >= 0 && (verdict_faulty(v, chosen) || verdict_faulty(v, -1)))
		chosen = -1;
	if (shown < 0)
		open = shown = questions_path(v);
	if (shown < 0) {
		for (i = 0; i < v->num_paths; i++) {
			stage = path_stage(v, (int)i);
			/* of two that came as far, what ended the search */
			if (stage != 99 && (stage > best || (stage == best &&
			    questions_settled(v, (int)i)))) {
				best = stage;
				shown = (int)i;
			}
		}
	}
	/* A search that was cut short cannot say that no good path is there. */
	if (open >= 0)
		f = primary(v, open, open);
	else if (chosen < 0 && shown >= 0 && path_stage(v, shown) <= 2 &&
	    verdict_has(v, -1, CERTAUTH_PATH_LIMIT))
		f = primary(v, -1, -1);
	else
		f = primary(v, shown, -1);
	if (v->no_memory || v->dropped > 0) {
		v->decision = CERTAUTH_REJECT;
		v->reason = CERTAUTH_INTERNAL;
		f = NULL;
	} else if (chosen >= 0 && f == NULL) {
		v->decision = CERTAUTH_ACCEPT;
		v->reason = CERTAUTH_OK;
	} else {
		v->decision = f != NULL && (open >= 0 || questions_no_path(v)) ?
		    CERTAUTH_UNDECIDED : CERTAUTH_REJECT;
		v->reason = f != NULL ? f->reason : CERTAUTH_INTERNAL;
	}
	set_message(v, f);
	if (v->decision != CERTAUTH_ACCEPT) {
		/* Nobody is anybody on a refusal. */
		v->attrs[VERDICT_USER] = "";
		v->attrs[VERDICT_GROUPS] = "";
		v->attrs[VERDICT_POLICIES] = "";
		v->attrs[VERDICT_ACCOUNTS] = "";
		v->num_mailboxes = v->num_accounts = 0;
	}
	renumber(v, shown);
	for (i = 0; i < VERDICT_NUM_ATTRS; i++)
		if (v->attrs[i] == NULL)
			v->attrs[i] = "";
	if (v->num_paths > 0)
		v->attrs[VERDICT_AUTHORITY] = v->paths[0].authority;
	v->closed = true;
}

/* ----------------------------------------------------------------- answers */

enum certauth_decision
certauth_verdict_decision(const struct certauth_verdict *v)
{
	return v != NULL && v->closed ? v->decision : CERTAUTH_REJECT;
}

enum certauth_reason
certauth_verdict_reason(const struct certauth_verdict *v)
{
	return v != NULL && v->closed ? v->reason : CERTAUTH_INTERNAL;
}

const char *
certauth_verdict_user(const struct certauth_verdict *v)
{
	return certauth_verdict_decision(v) == CERTAUTH_ACCEPT ?
	    v->attrs[VERDICT_USER] : "";
}

STACK_OF(X509) *
certauth_verdict_get0_path(const struct certauth_verdict *v)
{
	return v != NULL && v->num_paths > 0 ? v->paths[0].certs : NULL;
}

size_t
certauth_verdict_findings(const struct certauth_verdict *v,
    const struct certauth_finding **findings_r)
{
	*findings_r = v != NULL ? v->findings : NULL;
	return v != NULL ? v->num_findings : 0;
}

const struct certauth_profile *
certauth_verdict_profile(const struct certauth_verdict *v)
{
	return v != NULL ? v->profile : NULL;
}

const char *
certauth_verdict_get(const struct certauth_verdict *v, const char *name)
{
	enum certauth_reason	reason = certauth_verdict_reason(v);
	size_t			i;

	if (strcmp(name, "verdict") == 0) {
		if (certauth_verdict_decision(v) == CERTAUTH_ACCEPT)
			return "accept";
		return reason == CERTAUTH_NO_CERTIFICATE ? "none" : "reject";
	}
	if (strcmp(name, "reason") == 0)
		return certauth_reason_slug(reason);
	if (strcmp(name, "message") == 0)
		return v != NULL ? v->message : certauth_reason_text(reason);
	for (i = 0; i < sizeof(attr_names) / sizeof(attr_names[0]); i++)
		if (strcmp(name, attr_names[i].name) == 0)
			return v != NULL ?
			    verdict_attr(v, attr_names[i].attr) : "";
	return NULL;
}

/* What is made on demand is made once; verdicts are shared by threads. */
static const char *
made(_Atomic(char *) *slot, char *(*make)(const struct certauth_verdict *),
    const struct certauth_verdict *v)
{
	char	*have = atomic_load(slot), *mine;

	if (have != NULL)
		return have;
	mine = make(v);
	if (mine == NULL)
		return "";
	if (atomic_compare_exchange_strong(slot, &have, mine))
		return mine;
	free(mine);
	return have;
}

const char *
certauth_verdict_text(const struct certauth_verdict *v)
{
	if (v == NULL)
		return "REJECT 1901 internal: out of memory";
	return made(&((struct certauth_verdict *)(uintptr_t)v)->line,
	    explain_line, v);
}

const char *
certauth_verdict_json(const struct certauth_verdict *v)
{
	if (v == NULL)
		return "{\"result\":\"reject\",\"reason\":\"internal\"}";
	return made(&((struct certauth_verdict *)(uintptr_t)v)->json,
	    explain_json, v);
}

const char *
certauth_verdict_explain(const struct certauth_verdict *v)
{
	if (v == NULL)
		return "Out of memory.\n";
	return made(&((struct certauth_verdict *)(uintptr_t)v)->explained,
	    explain_story, v);
}

static char *
make_subject(const struct certauth_verdict *v)
{
	return name_print(X509_get_subject_name(v->leaf));
}

static char *
make_issuer(const struct certauth_verdict *v)
{
	return name_print(X509_get_issuer_name(v->leaf));
}

const char *
verdict_attr(const struct certauth_verdict *v, enum verdict_attr attr)
{
	struct certauth_verdict	*mine = (struct certauth_verdict *)(uintptr_t)v;

	if (v->leaf != NULL && attr == VERDICT_SUBJECT)
		return made(&mine->subject, make_subject, v);
	if (v->leaf != NULL && attr == VERDICT_ISSUER)
		return made(&mine->issuer, make_issuer, v);
	return v->attrs[attr];
}

const char *
verdict_story(const struct certauth_verdict *v)
{
	return v->story.data != NULL ? v->story.data : "";
}

const char *
verdict_message(const struct certauth_verdict *v)
{
	return v->message;
}

int64_t
verdict_now(const struct certauth_verdict *v)
{
	return v->now;
}

size_t
verdict_num_paths(const struct certauth_verdict *v)
{
	return v->num_paths;
}

STACK_OF(X509) *
verdict_path(const struct certauth_verdict *v, size_t i, const char **authority_r)
{
	*authority_r = v->paths[i].authority;
	return v->paths[i].certs;
}
