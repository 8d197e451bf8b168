/*
 * questions.c - which questions would settle a verdict that local data cannot?
 *
 * Keeps the frames that other rooms made and says which findings they may turn.
 * Knows nothing of what is in them.
 */

#include <stdlib.h>
#include <string.h>

#include "verdict/inside.h"

void
questions_free(struct certauth_verdict *v)
{
	size_t	i;

	for (i = 0; i < v->num_questions; i++)
		free((void *)(uintptr_t)v->questions[i].data);
}

void
verdict_ask(struct certauth_verdict *v, unsigned char *frame, size_t frame_len)
{
	const struct certauth_bytes	*known;
	size_t				 i;

	if (frame == NULL || v->closed || v->num_findings == 0 ||
	    v->dropped > 0) {
		v->no_memory |= frame == NULL;
		free(frame);
		return;
	}
	/* Two paths with the same certificates ask the same. */
	for (i = 0; i < v->num_questions; i++) {
		known = &v->questions[i];
		if (known->data_len == frame_len &&
		    memcmp(known->data, frame, frame_len) == 0)
			break;
	}
	if (i == VERDICT_MAX_QUESTIONS) {
		free(frame);
		return;
	}
	if (i < v->num_questions) {
		free(frame);
	} else {
		v->questions[i].data = frame;
		v->questions[i].data_len = frame_len;
		v->num_questions++;
	}
	v->open[v->num_findings - 1] = true;
}

/* Has that path FATAL findings, and are all of them open? */
static bool
only_open(const struct certauth_verdict *v, int path)
{
	size_t	i;
	bool	any = false;

	if (v->no_memory || v->dropped > 0)
		return false;
	for (i = 0; i < v->num_findings; i++) {
		if (v->findings[i].path != path ||
		    v->findings[i].severity != CERTAUTH_FATAL)
			continue;
		if (!v->open[i])
			return false;
		any = true;
	}
	return any;
}

bool
verdict_undecided(const struct certauth_verdict *v, int path)
{
	return only_open(v, path);
}

void
verdict_transient(struct certauth_verdict *v)
{
	v->transient = true;
}

bool
verdict_is_transient(const struct certauth_verdict *v)
{
	return v->transient;
}

/* A leaf found revoked on one path is so on all: no answer can turn that. */
bool
questions_settled(const struct certauth_verdict *v, int path)
{
	return verdict_has(v, path, CERTAUTH_REVOKED) ||
	    verdict_has(v, path, CERTAUTH_ON_HOLD) ||
	    verdict_has(v, path, CERTAUTH_DENIED);
}

static bool
settled(const struct certauth_verdict *v)
{
	const struct certauth_finding	*f;
	size_t				 i;

	for (i = 0; i < v->num_paths; i++)
		if (questions_settled(v, (int)i))
			return true;
	for (i = 0; i < v->num_findings; i++) {
		f = &v->findings[i];
		if (f->severity != CERTAUTH_FATAL)
			continue;
		/* A search that was cut short may have had a good path. */
		if (f->path == -1 && f->reason != CERTAUTH_PATH_LIMIT &&
		    !v->open[i])
			return true;
	}
	return false;
}

int
questions_path(const struct certauth_verdict *v)
{
	size_t	i;

	if (v->num_questions == 0 || settled(v))
		return -1;
	for (i = 0; i < v->num_paths; i++)
		if (only_open(v, (int)i))
			return (int)i;
	return -1;
}

bool
questions_no_path(const struct certauth_verdict *v)
{
	return v->num_questions > 0 && v->num_paths == 0 && only_open(v, -1);
}

size_t
certauth_verdict_questions(const struct certauth_verdict *v,
    const struct certauth_bytes **questions_r)
{
	bool	undecided = certauth_verdict_decision(v) == CERTAUTH_UNDECIDED;

	*questions_r = undecided ? v->questions : NULL;
	return undecided ? v->num_questions : 0;
}
