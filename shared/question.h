/* question.h - private to verify.c and vouch.c: one question while it is answered. */
#ifndef CERTAUTH_QUESTION_H
#define CERTAUTH_QUESTION_H

#include "engine.h"
#include "fetched.h"
#include "trust/path.h"
#include "trust/validate.h"

/* A CRL signer's own status may hang on another CRL signer, and so on. */
#define VOUCH_MAX_DEPTH		4

struct question {
	struct certauth			*engine;
	const struct certauth_request	*request;
	const struct certauth_profile	*profile;
	const struct verdict_key	*key;	/* has the leaf's DER; or NULL */
	struct snapshot			*data;
	struct certauth_verdict		*v;
	struct cert			*leaf;
	struct cert			*sent[VERIFY_MAX_SENT + FETCHED_MAX];
	size_t				 num_sent, first_fetched;	/* of sent */
	int64_t				 now;
	struct signatures		 signatures;
	/* the path that is looked at */
	const struct engine_authority	*authority;
	struct engine_authority		 prolonged;	/* override.h */
	const struct cert		*anchor;
	struct replies			 replies;
	bool				 limited;	/* a ceiling was reached */
	bool				 sent_used;	/* a path had what was sent */
	char				 no_path[512];
	/* CRL signers that are being vouched for, innermost last */
	struct signer { const unsigned char *subject, *key; }
					 signers[VOUCH_MAX_DEPTH];
	size_t				 num_signers;
};

/* verify.c: the verdict ends as soon as any certificate of a path that it stands on. */
void	question_hold(struct question *, const struct path *);

/* vouch.c; `context` is the question. */
revocation_vouch_fn	question_vouch;

#endif
