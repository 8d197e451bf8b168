/*
 * validate.c - does this one chain hold under RFC 5280 section 6.1?
 *
 * The chain is fixed before it comes here, so the algorithm is one walk from
 * the anchor to the leaf. Signatures are OpenSSL's, policies are policies.c's, name
 * constraints are constraints.c's; the walk is ours, because X509_verify_cert insists on choosing a
 * chain of its own (docs/developing.md tells the traps).
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/text.h"
#include "trust/constraints.h"
#include "trust/extension.h"
#include "trust/policies.h"
#include "trust/renewal.h"
#include "trust/signature.h"
#include "trust/validate.h"

struct walk {
	const struct policy_options	*options;
	struct path			*path;
	int64_t				 now;
	struct signatures		*signatures;
	struct certauth_verdict		*v;	/* NULL: no story wanted */
	int				 path_no;
	bool				 faulty;
};

static void fault(struct walk *, enum certauth_reason, size_t depth,
    const char *format, ...) CERTAUTH_PRINTF(4, 5);

static void
fault(struct walk *w, enum certauth_reason reason, size_t depth,
    const char *format, ...)
{
	char	detail[512];
	va_list	ap;

	w->faulty = true;
	if (w->v == NULL)
		return;
	va_start(ap, format);
	(void)vsnprintf(detail, sizeof(detail), format, ap);
	va_end(ap);
	verdict_fault(w->v, reason, w->path_no, (int)depth, "%s", detail);
}

/* ------------------------------------------------------ one certificate */

static void
check_encoding(struct walk *w, size_t depth)
{
	unsigned	f = w->path->certs[depth]->faults;

	if ((f & CERT_FAULT_TOO_BIG) != 0)
		fault(w, CERTAUTH_TOO_BIG, depth, "The certificate is over %u "
		    "bytes, or has over %d names.", CERT_MAX_BYTES,
		    CERT_MAX_NAMES);
	if ((f & CERT_FAULT_DUPLICATE) != 0)
		fault(w, CERTAUTH_BAD_EXTENSION, depth,
		    "An extension is there twice (RFC 5280 4.2).");
	if ((f & CERT_FAULT_TRAILING) != 0)
		fault(w, CERTAUTH_BAD_EXTENSION, depth,
		    "An extension has bytes behind its value (X.690 8.1).");
	if ((f & CERT_FAULT_SAN) != 0)
		fault(w, CERTAUTH_BAD_EXTENSION, depth, "The subject "
		    "alternative name is unreadable or empty, or a text in it is "
		    "not ASCII (RFC 5280 4.2.1.6).");
	if ((f & CERT_FAULT_EXTENSION) != 0)
		fault(w, CERTAUTH_BAD_EXTENSION, depth,
		    "An extension is unreadable or contradicts itself "
		    "(RFC 5280 4.2.1).");
	if ((f & CERT_FAULT_VERSION) != 0)
		fault(w, CERTAUTH_BAD_EXTENSION, depth,
		    "It has extensions but is no v3 certificate "
		    "(RFC 5280 4.1.2.1).");
	if ((f & CERT_FAULT_CA_ONLY) != 0)
		fault(w, CERTAUTH_BAD_EXTENSION, depth, "It has name constraints "
		    "and is no CA (RFC 5280 4.2.1.10).");
	if ((f & CERT_FAULT_QUALIFIER) != 0)
		fault(w, CERTAUTH_CRITICAL_EXTENSION, depth, "Its critical "
		    "policies have a qualifier that is not understood "
		    "(RFC 5280 4.2.1.4).");
	if ((f & CERT_FAULT_DER) != 0)
		fault(w, CERTAUTH_MALFORMED, depth, "It is not encoded in DER, or "
		    "of no known version (X.690 10, RFC 5280 4.1.2.1).");
	if ((f & CERT_FAULT_ISSUER) != 0)
		fault(w, CERTAUTH_MALFORMED, depth, "The name of a CA is empty "
		    "(RFC 5280 4.1.2.4, 4.1.2.6).");
	if ((f & CERT_FAULT_SERIAL) != 0)
		fault(w, CERTAUTH_MALFORMED, depth,
		    "The serial number is over 20 octets (RFC 5280 4.1.2.2).");
	if ((f & CERT_FAULT_TIME) != 0)
		fault(w, CERTAUTH_MALFORMED, depth,
		    "A validity date is unreadable (RFC 5280 4.1.2.5).");
}

/* RFC 5280 6.1.3 (a)(2); the last second of notAfter still counts. */
static void
check_dates(struct walk *w, size_t depth)
{
	const struct cert	*c = w->path->certs[depth];
	char			 when[32], until[32];

	if (w->now < c->not_before)
		fault(w, CERTAUTH_NOT_YET_VALID, depth,
		    "It is valid from %s.",
		    text_time_print(when, sizeof(when), c->not_before));
	if (w->now <= c->not_after)
		return;
	text_time_print(when, sizeof(when), c->not_after);
	if (depth == 0 && renewal_state(w->options, c, w->now) == RENEWAL_OVERDUE)
		fault(w, CERTAUTH_EXPIRED, depth, "It was valid until %s. Its CA "
		    "still renews it until %s.", when, text_time_print(until,
		    sizeof(until), renewal_end(w->options, c)));
	else
		fault(w, depth == 0 ? CERTAUTH_EXPIRED : CERTAUTH_ISSUER_EXPIRED,
		    depth, "It was valid until %s.", when);
}

static void
check_critical(struct walk *w, size_t depth)
{
	const struct cert	*c = w->path->certs[depth];
	X509_EXTENSION		*ext;
	char			 name[80];
	int			 i, n = X509_get_ext_count(c->x509);

	for (i = 0; c->critical_unknown && i < n; i++) {
		ext = X509_get_ext(c->x509, i);
		if (X509_EXTENSION_get_critical(ext) == 0 ||
		    extension_processed(ext))
			continue;
		OBJ_obj2txt(name, sizeof(name), X509_EXTENSION_get_object(ext), 0);
		fault(w, CERTAUTH_CRITICAL_EXTENSION, depth, "Extension %s is "
		    "critical and not understood (RFC 5280 4.2).", name);
		return;
	}
}

/* RFC 5280 6.1.4 (k), (l), (m), (n): may it stand above another? */
static void
check_issuer(struct walk *w, size_t depth)
{
	const struct cert	*c = w->path->certs[depth];
	size_t			 i, below = 0;
	bool			 v1_anchor;

	/* A v1 anchor has no extensions to say that it is a CA: that it was
	 * configured says so (6.1.4 (k), "by out-of-band means"). */
	v1_anchor = depth + 1 == w->path->num_certs && c->self_issued &&
	    X509_get_version(c->x509) != X509_VERSION_3;
	if (!c->is_ca && !v1_anchor)
		fault(w, CERTAUTH_NOT_A_CA, depth, "Its basic constraints do "
		    "not make it a CA (RFC 5280 4.2.1.9).");
	if (c->has_key_usage && (c->key_usage & KU_KEY_CERT_SIGN) == 0)
		fault(w, CERTAUTH_KEY_USAGE, depth, "Its key usage lacks "
		    "keyCertSign (RFC 5280 4.2.1.3).");
	for (i = 1; i < depth; i++)
		below += !w->path->certs[i]->self_issued;
	if (c->path_len >= 0 && below > (size_t)c->path_len)
		fault(w, CERTAUTH_PATH_LENGTH, depth, "%zu intermediates below "
		    "it, its path length constraint allows %ld "
		    "(RFC 5280 4.2.1.9).", below, c->path_len);
}

/* -------------------------------------------------------------- signatures */

/* False: nothing below `depth` is vouched for. */
static bool
check_signature(struct walk *w, size_t depth)
{
	struct cert		*issuer = w->path->certs[depth + 1];
	struct path_edge	*edge = w->path->edges[depth];
	char			 why[160];
	bool			 good;

	if (edge->state == PATH_EDGE_GOOD)
		return true;
	if ((w->path->certs[depth]->faults & CERT_FAULT_ALGORITHM) != 0) {
		fault(w, CERTAUTH_MALFORMED, depth, "The signature algorithm "
		    "differs inside and outside (RFC 5280 4.1.1.2).");
		return false;
	}
	if (!policy_key_allowed(w->options, issuer, why, sizeof(why))) {
		fault(w, CERTAUTH_WEAK_KEY, depth + 1, "%s.", why);
		return false;
	}
	/* A CA's own certificate comes with each leaf; leaves seldom come twice. */
	if (depth > 0 && sigcache_known(w->signatures->known,
	    w->path->certs[depth], issuer)) {
		edge->state = PATH_EDGE_GOOD;
		return true;
	}
	if (w->signatures->left < key_cost(&issuer->key)) {
		w->signatures->left = 0;
		fault(w, CERTAUTH_PATH_LIMIT, depth, "Too many signatures would "
		    "have to be checked.");
		return false;
	}
	w->signatures->left -= key_cost(&issuer->key);
	good = signature_good(w->path->certs[depth], issuer);
	edge->state = good ? PATH_EDGE_GOOD : PATH_EDGE_BAD;
	if (good && depth > 0)
		sigcache_add(w->signatures->known, w->path->certs[depth], issuer);
	if (!good)
		fault(w, CERTAUTH_BAD_SIGNATURE, depth, "It is not signed with "
		    "the key of the certificate above it (RFC 5280 6.1.3).");
	return good;
}

/* -------------------------------------------------------- name constraints */

/* RFC 5280 6.1.3 (b), (c): certs below `depth`, self-issued ones but the leaf
 * excepted. The anchor's constraints bind as any other's. */
static void
check_constraints(struct walk *w, size_t depth)
{
	struct cert	*ca = w->path->certs[depth], *c;
	char		 why[256];
	size_t		 i;

	if (!constraints_sound(ca, why, sizeof(why))) {
		if ((ca->faults & CERT_FAULTS_EXTENSION) != 0 && w->faulty)
			return;		/* check_encoding() said more of it */
		fault(w, CERTAUTH_NAME_CONSTRAINTS, depth, "%s", why);
		return;
	}
	for (i = depth; i-- > 0;) {
		c = w->path->certs[i];
		if (i > 0 && c->self_issued)
			continue;
		if (constraints_fit(ca, c, &w->signatures->comparisons_left, why,
		    sizeof(why)))
			continue;
		/* whatever lies between, this leaf is not below this CA */
		if (i == 0)
			w->path->hopeless |= (uint64_t)1 << depth;
		if ((c->faults & CERT_FAULT_SAN) != 0 && w->faulty)
			continue;	/* as above */
		fault(w, CERTAUTH_NAME_CONSTRAINTS, i, "%s by the name "
		    "constraints of the CA at depth %zu (RFC 5280 4.2.1.10).",
		    why, depth);
	}
}

/* RFC 5280 6.1.5 (g). */
static void
check_policies(struct walk *w, const char **policies_r)
{
	struct text		 set = { 0 };
	struct text		 told = { 0 };
	enum certauth_reason	 reason;
	const char		*why;

	reason = policies_check(w->options, w->path->certs, w->path->num_certs,
	    &set, &why);
	if (reason != CERTAUTH_OK) {
		if (reason == CERTAUTH_POLICY_REQUIRED && w->v != NULL)
			policies_tell(&told, w->path->certs, w->path->num_certs);
		fault(w, reason, 0, "%s%s", why,
		    told.data != NULL ? told.data : "");
	}
	else if (set.failed)
		*policies_r = NULL;
	else if (set.len > 0 && w->v != NULL)
		*policies_r = arena_string(verdict_arena(w->v), set.data);
	text_free(&told);
	text_free(&set);
}

/* ------------------------------------------------------------------- walk */

/* True: every signature below the anchor holds. */
static bool
walk_down(struct walk *w)
{
	size_t	depth, n = w->path->num_certs;

	for (depth = n; depth-- > 0;) {
		if (depth + 1 < n && !check_signature(w, depth))
			return false;
		check_encoding(w, depth);
		check_dates(w, depth);
		check_critical(w, depth);
		if (depth > 0)
			check_issuer(w, depth);
	}
	return true;
}

unsigned
validate_signature_budget(const struct policy_options *o)
{
	unsigned	path = (o->depth + 2) * PATH_DEAREST_SIGNATURE;

	return path > PATH_MAX_SIGNATURES ? path : PATH_MAX_SIGNATURES;
}

enum validate_result
validate_path(const struct policy_options *options, struct path *path,
    int64_t now, struct signatures *signatures, struct certauth_verdict *v,
    int path_no, const char **policies_r)
{
	struct walk		 w = { options, path, now, signatures, v,
				    path_no, false };
	enum validate_result	 result = VALIDATE_UNVOUCHED;
	size_t			 depth;

	*policies_r = "";
	ERR_set_mark();
	if (!walk_down(&w))
		goto out;
	if (path->num_certs == 1 && path->certs[0]->is_ca)
		fault(&w, CERTAUTH_NO_PATH, 0, "It is an anchor itself and a "
		    "CA: a CA may vouch for others, not enter.");
	for (depth = 1; depth < path->num_certs; depth++)
		check_constraints(&w, depth);
	check_policies(&w, policies_r);
	result = w.faulty ? VALIDATE_FAULTY : VALIDATE_HOLDS;
out:
	if (*policies_r == NULL) {
		*policies_r = "";
		fault(&w, CERTAUTH_INTERNAL, 0, "Out of memory.");
		result = VALIDATE_FAULTY;
	}
	ERR_pop_to_mark();
	return result;
}

bool
validate_signer(const struct policy_options *options, struct path *path,
    int64_t now, struct signatures *signatures)
{
	struct walk	w = { options, path, now, signatures, NULL, -1,
			    false };
	const struct cert *signer = path->certs[0];
	char		why[160];
	size_t		depth;

	if ((signer->has_key_usage && (signer->key_usage & KU_CRL_SIGN) == 0) ||
	    !policy_key_allowed(options, signer, why, sizeof(why)))
		return false;
	for (depth = 0; depth + 1 < path->num_certs; depth++)
		if (!policy_digest_allowed(options, path->certs[depth], why,
		    sizeof(why)))
			return false;
	ERR_set_mark();
	if (!walk_down(&w))
		w.faulty = true;
	for (depth = 1; !w.faulty && depth < path->num_certs; depth++)
		check_constraints(&w, depth);
	ERR_pop_to_mark();
	return !w.faulty;
}
