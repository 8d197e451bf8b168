/*
 * inside.h - what a verdict is made of; for the files of this room alone.
 */
#ifndef CERTAUTH_VERDICT_INSIDE_H
#define CERTAUTH_VERDICT_INSIDE_H

#include "base/text.h"
#include "verdict/verdict.h"

/* Mailboxes of one certificate that a client may ask to act as. */
#define VERDICT_MAX_MAILBOXES	64

struct verdict_path {
	STACK_OF(X509)	*certs;
	const char	*authority;
};

struct verdict_mailbox { const char *data; size_t data_len; };

struct certauth_verdict {
	atomic_uint			 refs;
	struct arena			*arena;
	const struct certauth_profile	*profile;
	int64_t				 now, from, until;
	unsigned			 flags;
	uint64_t			 engine, generation;
	bool				 no_memory, closed;
	enum certauth_decision		 decision;
	enum certauth_reason		 reason;
	struct certauth_finding		*findings;	/* grows */
	size_t				 num_findings, dropped;
	struct verdict_path		*paths;		/* grows */
	size_t				 num_paths;
	const char			*attrs[VERDICT_NUM_ATTRS];
	const char			*message;
	struct verdict_mailbox		*mailboxes;	/* grows */
	size_t				 num_mailboxes;
	const char			*accounts[VERDICT_MAX_ACCOUNTS];
	size_t				 num_accounts;
	struct text			 story;
	/* questions.c: whole frames, malloc'ed; which findings they may turn */
	struct certauth_bytes		 questions[VERDICT_MAX_QUESTIONS];
	size_t				 num_questions;
	bool				 open[VERDICT_MAX_FINDINGS];
	bool				 transient;
	X509				*leaf;
	/* made when first asked for; whoever loses the race frees its own */
	_Atomic(char *)			 line, json, explained, subject, issuer;
};

/* questions.c: the path on which nothing but open findings stands in the way, and
 * whether questions may settle it at all. -1: none. */
int	questions_path(const struct certauth_verdict *);
bool	questions_settled(const struct certauth_verdict *, int path);
bool	questions_no_path(const struct certauth_verdict *);
void	questions_free(struct certauth_verdict *);

#endif
