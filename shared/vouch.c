/*
 * vouch.c - may this other key of the CA have signed its CRL?
 *
 * Looks for a path from that key's certificate to the anchor of the path in question.
 */

#include <string.h>

#include "question.h"

/* Of a path to a CRL's signer: is nothing on it revoked, where that is asked? */
static bool
signer_is_good(struct question *q, const struct path *path)
{
	struct certauth_verdict	*side;
	bool			 good;

	if (q->authority->revocation.check == REVOCATION_CHAIN) {
		side = verdict_new(NULL, NULL, q->now, 0);
		if (side == NULL)
			return false;
		revocation_check(q->data->revocation, &q->authority->revocation,
		    path->certs, path->num_certs, q->now, question_vouch, q,
		    side, 0);
		good = !verdict_faulty(side, 0);
		if (good)
			verdict_holds_with(q->v, side);
		certauth_verdict_free(side);
		if (!good)
			return false;
	}
	question_hold(q, path);
	return true;
}

/* Is there a path to the same anchor for this signer of a CRL, good itself where
 * CAs are asked for? */
static bool
vouch_for(struct question *q, struct cert *signer)
{
	struct path_search	*search;
	struct path		 path;
	bool			 good = false;

	search = path_search_new(q->authority->pool, &q->profile->policy, signer,
	    q->sent, q->num_sent, q->now);
	while (search != NULL && !good &&
	    path_next(search, &path) == PATH_FOUND)
		good = path.certs[path.num_certs - 1] == q->anchor &&
		    validate_signer(&q->profile->policy, &path, q->now,
		    &q->signatures) && signer_is_good(q, &path);
	path_search_free(search);
	return good;
}

/* RFC 5280 6.3.3 (f): another key of the CA may sign its CRL, if that key's
 * certificate is valid under the same anchor and, if CAs are asked for, good. It is
 * looked for where the signers of lists are: in the pool and among what was
 * fetched. */
bool
question_vouch(void *context, const unsigned char subject_sha256[32],
    const unsigned char spki_sha256[32])
{
	struct question		*q = context;
	const struct pool	*pool = q->authority->pool;
	struct cert		*signer;
	const uint32_t		*found;
	size_t			 i, n;
	bool			 good = false;

	/* A CRL may list the certificate of the very key that signed it (a CA that
	 * changed its key): its word on itself counts. */
	for (i = 0; i < q->num_signers; i++)
		if (memcmp(q->signers[i].subject, subject_sha256, 32) == 0 &&
		    memcmp(q->signers[i].key, spki_sha256, 32) == 0)
			return true;
	if (q->num_signers == VOUCH_MAX_DEPTH)
		return false;
	q->signers[q->num_signers++] = (struct signer){ subject_sha256,
	    spki_sha256 };
	n = pool_by_subject(pool, subject_sha256, &found);
	for (i = 0; !good && i < n; i++) {
		signer = pool_cert(pool_at(pool, found[i]));
		good = signer != NULL &&
		    memcmp(signer->spki_sha256, spki_sha256, 32) == 0 &&
		    vouch_for(q, signer);
	}
	for (i = q->first_fetched; !good && i < q->num_sent; i++) {
		signer = q->sent[i];
		good = memcmp(signer->subject_sha256, subject_sha256, 32) == 0 &&
		    memcmp(signer->spki_sha256, spki_sha256, 32) == 0 &&
		    vouch_for(q, signer);
	}
	q->num_signers--;
	return good;
}
