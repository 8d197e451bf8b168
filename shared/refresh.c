/*
 * refresh.c - door 2 for the refresher: what may be fetched for whom, and is what
 * came worth keeping?
 *
 * An address in a certificate counts only after signatures lead from that
 * certificate to a configured anchor: else a stranger would send us where he
 * wants. Reaches nothing itself.
 */

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "ask/ask.h"
#include "base/text.h"
#include "certauth_data.h"
#include "engine.h"
#include "fetched.h"
#include "revocation/crl.h"

/* A CA names one address for each mirror: two or three. */
#define REFRESH_MAX_URLS	16
/* Distribution points of one certificate. */
#define REFRESH_MAX_POINTS	CERT_MAX_DISTRIBUTION_POINTS
#define REFRESH_MAX_URL_BYTES	2048
/* Clocks differ: a list may begin so much later than now, seconds. */
#define REFRESH_SKEW		300
/* Signatures checked to prove a pool: each member against a few namesakes. */
#define REFRESH_MAX_TRIES	(4 * POOL_MAX_CERTS)

/* ------------------------------------------------------------- authorities */

bool
certauth_authority_at(const struct certauth *e, size_t i,
    struct certauth_authority *authority_r)
{
	const struct config_authority	*from;
	size_t				 s;

	memset(authority_r, 0, sizeof(*authority_r));
	if (e == NULL || e->config == NULL || i >= e->config->num_authorities)
		return false;
	from = &e->config->authorities[i];
	authority_r->name = from->name;
	authority_r->crl_urls = (const char *const *)from->crl_urls;
	authority_r->num_crl_urls = from->num_crl_urls;
	authority_r->ocsp_url = from->ocsp_url;
	authority_r->ca_file = from->ca_file;
	authority_r->refresh = from->refresh;
	authority_r->grace = from->revocation.grace;
	authority_r->private_addresses = from->private_addresses;
	authority_r->ldap = from->ldap;
	authority_r->ocsp_nonce = from->ocsp_nonce;
	authority_r->checked = from->revocation.check != REVOCATION_NONE;
	for (s = 0; s < from->revocation.num_sources; s++)
		switch (from->revocation.sources[s]) {
		case REVOCATION_CRL:
			authority_r->crl = true;
			break;
		case REVOCATION_OCSP:
			authority_r->ocsp = true;
			authority_r->ocsp_first = s == 0;
			break;
		}
	return true;
}

int64_t
certauth_now(const struct certauth *e)
{
	return engine_clock(e);
}

const char *
certauth_state(const struct certauth *e)
{
	return e != NULL && e->config != NULL && e->config->has_state ?
	    e->config->state.path : "";
}

/* --------------------------------------------------------------- addresses */

/* RFC 3986 has no blanks, no control characters and no letters beyond ASCII. */
static bool
give_url(const GENERAL_NAME *name, enum certauth_url_kind kind,
    certauth_url_fn *fn, void *context)
{
	char			 url[REFRESH_MAX_URL_BYTES + 1];
	const unsigned char	*data;
	int			 i, len;

	if (name == NULL || name->type != GEN_URI)
		return false;
	data = ASN1_STRING_get0_data(name->d.uniformResourceIdentifier);
	len = ASN1_STRING_length(name->d.uniformResourceIdentifier);
	if (data == NULL || len <= 0 || len > REFRESH_MAX_URL_BYTES)
		return false;
	for (i = 0; i < len; i++)
		if (data[i] <= ' ' || data[i] >= 0x7f)
			return false;
	memcpy(url, data, (size_t)len);
	url[len] = '\0';
	fn(context, kind, url);
	return true;
}

static void
give_points(const CRL_DIST_POINTS *points, certauth_url_fn *fn, void *context)
{
	const DIST_POINT	*point;
	const GENERAL_NAMES	*names;
	int			 i, j, given = 0;

	for (i = 0; i < sk_DIST_POINT_num(points) && i < REFRESH_MAX_POINTS; i++) {
		point = sk_DIST_POINT_value(points, i);
		/* type 0 is fullName, RFC 5280 4.2.1.13 */
		if (point->distpoint == NULL || point->distpoint->type != 0)
			continue;
		names = point->distpoint->name.fullname;
		for (j = 0; j < sk_GENERAL_NAME_num(names) &&
		    given < REFRESH_MAX_URLS; j++)
			given += give_url(sk_GENERAL_NAME_value(names, j),
			    CERTAUTH_URL_CRL, fn, context);
	}
}

static void
give_crl_urls(const X509 *cert, int nid, certauth_url_fn *fn, void *context)
{
	CRL_DIST_POINTS	*points = X509_get_ext_d2i(cert, nid, NULL, NULL);

	give_points(points, fn, context);
	CRL_DIST_POINTS_free(points);
}

static void
give_access_urls(const X509 *cert, certauth_url_fn *fn, void *context)
{
	AUTHORITY_INFO_ACCESS	*list;
	ACCESS_DESCRIPTION	*at;
	int			 i, nid;

	list = X509_get_ext_d2i(cert, NID_info_access, NULL, NULL);
	for (i = 0; i < sk_ACCESS_DESCRIPTION_num(list) &&
	    i < REFRESH_MAX_URLS; i++) {
		at = sk_ACCESS_DESCRIPTION_value(list, i);
		nid = OBJ_obj2nid(at->method);
		if (nid == NID_ad_OCSP)
			give_url(at->location, CERTAUTH_URL_OCSP, fn, context);
		else if (nid == NID_ad_ca_issuers)
			give_url(at->location, CERTAUTH_URL_ISSUER, fn, context);
	}
	AUTHORITY_INFO_ACCESS_free(list);
}

void
certauth_crl_urls(const struct certauth_bytes *object, certauth_url_fn *fn,
    void *context)
{
	struct certauth_error	 error;
	struct crl_file		 cursor = { 0 };
	struct crl		 crl;
	CRL_DIST_POINTS		*points;
	const unsigned char	*der, *p;
	unsigned char		*owned;
	size_t			 der_len;

	ERR_set_mark();
	while (crl_file_next(&cursor, object->data, object->data_len, &owned,
	    &der, &der_len, &error) == CRL_NEXT_TAKEN) {
		if (crl_parse_frame(&crl, der, der_len, &error) &&
		    (p = crl.freshest) != NULL) {
			points = d2i_CRL_DIST_POINTS(NULL, &p,
			    (long)crl.freshest_len);
			give_points(points, fn, context);
			CRL_DIST_POINTS_free(points);
		}
		free(owned);
	}
	ERR_pop_to_mark();
}

void
certauth_cert_urls(const X509 *cert, certauth_url_fn *fn, void *context)
{
	ERR_set_mark();
	give_crl_urls(cert, NID_crl_distribution_points, fn, context);
	/* RFC 5280 4.2.1.15: where delta CRLs are */
	give_crl_urls(cert, NID_freshest_crl, fn, context);
	give_access_urls(cert, fn, context);
	ERR_pop_to_mark();
}

/* ------------------------------------------------------------------- proof */

bool
engine_signed_by(const struct policy_options *floors, const struct cert *cert,
    const struct cert *issuer)
{
	EVP_PKEY	*key;
	char		 why[128];

	if (memcmp(cert->issuer_sha256, issuer->subject_sha256, 32) != 0 ||
	    !policy_key_allowed(floors, issuer, why, sizeof(why)))
		return false;
	key = X509_get0_pubkey(issuer->x509);
	return key != NULL && X509_verify(cert->x509, key) == 1;
}

bool
engine_may_issue(const struct cert *cert)
{
	return cert->is_ca && (!cert->has_key_usage ||
	    (cert->key_usage & KU_KEY_CERT_SIGN) != 0);
}

/* Pool members to which signatures lead from an anchor. */
struct proof {
	const struct pool	*pool;
	bool			*good;
	uint32_t		*queue;		/* good ones, in the order found */
	size_t			 num_queue;
};

static void
prove_pool(struct proof *proof, const struct policy_options *floors, int64_t now)
{
	const struct pool_member	*m;
	const struct cert		*issuer, *cert;
	size_t				 at, i, tries = 0;

	for (i = 0; (m = pool_at(proof->pool, i)) != NULL; i++)
		if ((m->roles & POOL_ANCHOR) != 0 && pool_cert(m) != NULL) {
			proof->good[i] = true;
			proof->queue[proof->num_queue++] = (uint32_t)i;
		}
	for (at = 0; at < proof->num_queue; at++) {
		m = pool_at(proof->pool, proof->queue[at]);
		issuer = pool_cert(m);
		if ((m->roles & POOL_ANCHOR) == 0 && !engine_may_issue(issuer))
			continue;
		for (i = 0; (m = pool_at(proof->pool, i)) != NULL; i++) {
			if (proof->good[i] || (cert = pool_cert(m)) == NULL ||
			    cert->not_after < now || memcmp(cert->issuer_sha256,
			    issuer->subject_sha256, 32) != 0)
				continue;
			if (tries++ == REFRESH_MAX_TRIES)
				return;
			if (!engine_signed_by(floors, cert, issuer))
				continue;
			proof->good[i] = true;
			proof->queue[proof->num_queue++] = (uint32_t)i;
		}
	}
}

bool
certauth_proven_urls(struct certauth *e, size_t authority, int64_t now,
    certauth_url_fn *fn, void *context)
{
	struct policy_options	floors;
	struct proof		proof = { 0 };
	size_t			i, size;
	bool			ok = false;

	if (authority >= e->num_authorities)
		return false;
	ERR_set_mark();
	policy_options_init(&floors);
	proof.pool = e->authorities[authority].pool;
	size = pool_size(proof.pool);
	proof.good = calloc(size + 1, sizeof(*proof.good));
	proof.queue = calloc(size + 1, sizeof(*proof.queue));
	if (proof.good == NULL || proof.queue == NULL)
		goto out;
	prove_pool(&proof, &floors, now != 0 ? now : engine_clock(e));
	for (i = 0; i < proof.num_queue; i++)
		certauth_cert_urls(pool_cert(pool_at(proof.pool,
		    proof.queue[i]))->x509, fn, context);
	ok = true;
out:
	free(proof.good);
	free(proof.queue);
	policy_options_clear(&floors);
	ERR_pop_to_mark();
	return ok;
}

static struct cert *
read_cert(const struct certauth_bytes *bytes)
{
	const unsigned char	*p = bytes->data;
	struct cert		*cert = NULL;
	X509			*x509;

	if (bytes->data_len == 0 || bytes->data_len > CERT_MAX_BYTES)
		return NULL;
	x509 = d2i_X509(NULL, &p, (long)bytes->data_len);
	if (x509 != NULL && p == bytes->data + bytes->data_len)
		cert = cert_new(x509);
	X509_free(x509);
	return cert;
}

/* From the anchor downwards, so that only a key that was vouched for is used. */
static bool
prove_chain(const struct pool *pool, struct cert *const *certs, size_t num,
    const struct policy_options *floors, struct certauth_error *error_r)
{
	const struct pool_member	*m;
	size_t				 i;

	m = pool_find(pool, certs[num - 1]->sha256);
	if (m == NULL || (m->roles & POOL_ANCHOR) == 0) {
		error_set(error_r, NULL, 0, "the path does not end at an anchor "
		    "of that authority");
		return false;
	}
	for (i = num - 1; i-- > 0; ) {
		if ((i + 1 < num - 1 && !engine_may_issue(certs[i + 1])) ||
		    !engine_signed_by(floors, certs[i], certs[i + 1])) {
			error_set(error_r, NULL, 0, "certificate %zu of the path "
			    "was not signed by the next one", i);
			return false;
		}
	}
	return true;
}

static bool
find_authority(const struct certauth *e, const char *name, size_t name_len,
    size_t *authority_r)
{
	size_t	i;

	for (i = 0; i < e->num_authorities; i++)
		if (strlen(e->authorities[i].name) == name_len &&
		    memcmp(e->authorities[i].name, name, name_len) == 0) {
			*authority_r = i;
			return true;
		}
	return false;
}

STACK_OF(X509) *
certauth_prove(struct certauth *e, const char *name, size_t name_len,
    const struct certauth_bytes *path, size_t num_path, size_t *authority_r,
    struct certauth_error *error_r)
{
	struct cert		*certs[ASK_MAX_CERTS] = { NULL };
	struct policy_options	 floors;
	STACK_OF(X509)		*stack = NULL;
	size_t			 i;
	bool			 ok;

	ERR_set_mark();
	policy_options_init(&floors);
	ok = num_path >= 2 && num_path <= ASK_MAX_CERTS &&
	    find_authority(e, name, name_len, authority_r);
	if (!ok)
		error_set(error_r, NULL, 0, "no such authority, or no path");
	for (i = 0; ok && i < num_path; i++) {
		certs[i] = read_cert(&path[i]);
		ok = certs[i] != NULL;
		if (!ok)
			error_set(error_r, NULL, 0, "certificate %zu cannot be "
			    "read", i);
	}
	ok = ok && prove_chain(e->authorities[*authority_r].pool, certs,
	    num_path, &floors, error_r);
	if (ok)
		stack = sk_X509_new_null();
	for (i = 0; stack != NULL && i < num_path; i++)
		if (X509_up_ref(certs[i]->x509) != 1 ||
		    sk_X509_push(stack, certs[i]->x509) <= 0) {
			sk_X509_pop_free(stack, X509_free);
			stack = NULL;
		}
	for (i = 0; i < ASK_MAX_CERTS; i++)
		cert_free(certs[i]);
	policy_options_clear(&floors);
	ERR_pop_to_mark();
	return stack;
}

/* -------------------------------------------------------------------- CRLs */

/* The same list in another edition: issuer and scope agree. */
static bool
same_list(const struct crl *a, const struct crl *b)
{
	return memcmp(a->issuer_sha256, b->issuer_sha256, 32) == 0 &&
	    a->user_only == b->user_only && a->ca_only == b->ca_only &&
	    a->delta == b->delta && a->indirect == b->indirect &&
	    a->reasons == b->reasons && a->num_dps == b->num_dps &&
	    memcmp(a->dps, b->dps, sizeof(a->dps[0]) * a->num_dps) == 0;
}

/* Of another key the numbers begin anew: a CA that changed its key and keeps name
 * and address. */
static bool
same_signer(const struct crl *crl, const struct pool *const *pools,
    size_t num_pools, const unsigned char signer[32])
{
	unsigned char	other[32];

	return crl_find_signer(crl, pools, num_pools, other, NULL) &&
	    memcmp(other, signer, sizeof(other)) == 0;
}

/* -1, 0, 1: older, as old, newer than the edition of that signer among `last`; 1:
 * there is none. */
static int
compare_last(const struct crl *crl, const struct certauth_bytes *last,
    const struct pool *const *pools, size_t num_pools,
    const unsigned char signer[32])
{
	struct crl_file		 cursor = { 0 };
	struct crl		 other;
	const unsigned char	*der;
	unsigned char		*owned;
	size_t			 der_len;
	enum crl_next		 next;
	int			 age = 1;

	if (last == NULL || last->data_len == 0)
		return 1;
	while (age == 1 && (next = crl_file_next(&cursor, last->data,
	    last->data_len, &owned, &der, &der_len, NULL)) != CRL_NEXT_END) {
		if (next != CRL_NEXT_TAKEN)
			continue;
		if (crl_parse(&other, der, der_len, NULL) &&
		    same_list(crl, &other))
			age = crl_compare_age(crl->number, crl->number_len,
			    crl->this_update, other.number, other.number_len,
			    other.this_update);
		/* Last, since it costs a signature. */
		if (age < 1 && !same_signer(&other, pools, num_pools, signer))
			age = 1;
		free(owned);
	}
	return age < 0 ? -1 : age > 0;
}

static void
describe_crl(const struct crl *crl, struct certauth_crl_report *report)
{
	char	*issuer = crl_issuer_print(crl);
	size_t	 i;

	(void)text_printable(report->issuer, sizeof(report->issuer),
	    issuer != NULL ? issuer : "", issuer != NULL ? strlen(issuer) : 0);
	free(issuer);
	for (i = 0; i < crl->number_len; i++)
		snprintf(report->number + 2 * i, 3, "%02X", crl->number[i]);
	report->this_update = crl->this_update;
	report->next_update = crl->next_update == CRL_NO_TIME ? 0 :
	    crl->next_update;
	report->entries += crl->num_entries;
}

/* One list of the object. *age_r as compare_last(). */
static bool
examine(const struct pool *const pools[2], const struct crl *crl,
    const struct certauth_bytes *last, int64_t now, int *age_r,
    struct certauth_error *error_r)
{
	size_t			 num_pools = pools[1] != NULL ? 2 : 1;
	unsigned char		 signer[32];
	char			 when[32];

	if (!crl_find_signer(crl, pools, num_pools, signer, error_r))
		return false;
	if (crl->this_update > now + REFRESH_SKEW) {
		error_set(error_r, NULL, 0, "the list begins in the future, on "
		    "%s", text_time_print(when, sizeof(when), crl->this_update));
		return false;
	}
	*age_r = compare_last(crl, last, pools, num_pools, signer);
	if (*age_r < 0)
		error_set(error_r, NULL, 0, "the list is older than the one that "
		    "is here");
	return *age_r >= 0;
}

enum certauth_crl_news
certauth_crl_examine(struct certauth *e, size_t authority,
    const struct certauth_bytes *object, const struct certauth_bytes *last,
    int64_t now, struct certauth_crl_report *report_r,
    struct certauth_error *error_r)
{
	enum certauth_crl_news	 news = CERTAUTH_CRL_SAME;
	struct crl_file		 cursor = { 0 };
	struct crl		 crl;
	const unsigned char	*der;
	unsigned char		*owned;
	const struct pool	*pools[2];
	struct pool		*fetched;
	size_t			 der_len;
	enum crl_next		 next;
	bool			 ok = true;
	int			 age = 0;

	memset(report_r, 0, sizeof(*report_r));
	memset(error_r, 0, sizeof(*error_r));
	if (authority >= e->num_authorities)
		return CERTAUTH_CRL_REFUSED;
	if (now == 0)
		now = engine_clock(e);
	ERR_set_mark();
	fetched = engine_fetched_pool(e);
	pools[0] = e->authorities[authority].pool;
	pools[1] = fetched;
	while (ok && (next = crl_file_next(&cursor, object->data,
	    object->data_len, &owned, &der, &der_len, error_r)) !=
	    CRL_NEXT_END) {
		ok = next == CRL_NEXT_TAKEN;
		if (!ok)
			break;
		ok = crl_parse(&crl, der, der_len, error_r);
		if (ok) {
			describe_crl(&crl, report_r);
			ok = examine(pools, &crl, last, now, &age, error_r);
		}
		if (ok && age > 0)
			news = CERTAUTH_CRL_NEWER;
		free(owned);
	}
	pool_free(fetched);
	ERR_pop_to_mark();
	if (ok)
		return news;
	(void)snprintf(report_r->error, sizeof(report_r->error), "%.255s",
	    error_r->text);
	return CERTAUTH_CRL_REFUSED;
}
