/*
 * decision.c - how is one decision told in one line of a log?
 *
 * As text for people or as JSON for programs, with the person's names or with
 * hashes in their place. Which decisions get a line is not asked here (logged.c).
 */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/x509v3.h>

#include "base/text.h"
#include "verdict/decision.h"
#include "verdict/list.h"

/* Bytes of one value; names may be longer than any line. */
#define MAX_VALUE	256u
#define MAX_NAME	320u
/* Hex digits of a hash: enough to tell people apart, too few to look long. */
#define HASH_BYTES	12u
/* Of all policies together: more are left out, not cut. */
#define MAX_POLICIES	400u

struct teller {
	const struct decision_options	*options;
	const struct certauth_verdict	*verdict;
	const struct certauth_event	*event;
	int64_t				 now;
	uint64_t			 unlogged;
};

/* ----------------------------------------------------------------- values */

/* A copy of at most `max` bytes, cut between characters. */
static char *
cut(const char *value, size_t max)
{
	size_t	len = strlen(value);

	if (len > max) {
		len = max;
		while (len > 0 && ((unsigned char)value[len] & 0xc0) == 0x80)
			len--;
	}
	return strndup(value, len);
}

/* The same person always has the same hash, and nobody without the key can try
 * names until one fits. */
static char *
hashed(const struct decision_options *options, const char *value)
{
	struct text	out = { 0 };
	unsigned char	mac[EVP_MAX_MD_SIZE];
	unsigned	mac_len = 0;

	if (value[0] == '\0')
		return strdup("");
	if (HMAC(EVP_sha256(), options->key, (int)sizeof(options->key),
	    (const unsigned char *)value, strlen(value), mac, &mac_len) == NULL)
		return NULL;
	text_add(&out, "hmac:");
	text_add_hex(&out, mac, HASH_BYTES);
	return text_take(&out);
}

/* NULL: out of memory. */
static char *
personal(const struct teller *t, const char *value, size_t max)
{
	switch (t->options->personal) {
	case DECISION_PLAIN:
		return cut(value, max);
	case DECISION_HASHED:
		break;
	}
	return hashed(t->options, value);
}

/* Details of these are about CAs and data; those of others may name a person. */
static bool
detail_names_nobody(enum certauth_reason reason)
{
	return certauth_reason_ours(reason) ||
	    reason == CERTAUTH_ISSUER_NOT_LISTED || reason == CERTAUTH_REVOKED ||
	    reason == CERTAUTH_ISSUER_REVOKED || reason == CERTAUTH_ON_HOLD ||
	    reason == CERTAUTH_REVOCATION_UNKNOWN ||
	    reason == CERTAUTH_REVOCATION_STALE;
}

static char *
message(const struct teller *t)
{
	enum certauth_reason	reason = certauth_verdict_reason(t->verdict);

	if (t->options->personal != DECISION_PLAIN &&
	    !detail_names_nobody(reason))
		return strdup(certauth_reason_text(reason));
	return cut(certauth_verdict_get(t->verdict, "message"), MAX_NAME);
}

static X509 *
leaf_of(const struct certauth_verdict *v)
{
	STACK_OF(X509)	*path = certauth_verdict_get0_path(v);

	return path != NULL && sk_X509_num(path) > 0 ? sk_X509_value(path, 0) :
	    NULL;
}

/* Which key of that issuer signed: two CAs may have one name. */
static char *
issuer_key_id(const struct certauth_verdict *v)
{
	X509				*leaf = leaf_of(v);
	const ASN1_OCTET_STRING		*id;
	struct text			 out = { 0 };

	id = leaf != NULL ? X509_get0_authority_key_id(leaf) : NULL;
	if (id == NULL || ASN1_STRING_length(id) > 32)
		return strdup("");
	text_add(&out, "");
	text_add_hex(&out, ASN1_STRING_get0_data(id),
	    (size_t)ASN1_STRING_length(id));
	return text_take(&out);
}

/* As `key.type` of a rule, an RSA key with its bits; "": another. */
static char *
key_word(EVP_PKEY *key)
{
	struct text	 out = { 0 };
	const char	*curve;
	char		 group[64];

	text_add(&out, "");
	if (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS"))
		text_printf(&out, "rsa-%d", EVP_PKEY_get_bits(key));
	else if (EVP_PKEY_is_a(key, "ED25519"))
		text_add(&out, "Ed25519");
	else if (EVP_PKEY_is_a(key, "ED448"))
		text_add(&out, "Ed448");
	else if (EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group,
	    sizeof(group), NULL) == 1 && (curve = EC_curve_nid2nist(
	    OBJ_txt2nid(group))) != NULL)
		text_add(&out, curve);
	return text_take(&out);
}

/* ------------------------------------------------------------------- JSON */

/* Takes `value`; NULL (out of memory) is told as a failure. */
static bool
set_taken(json_t *root, const char *key, char *value)
{
	bool	ok = value != NULL;

	if (ok && value[0] != '\0')
		ok = json_object_set_new(root, key, json_string(value)) == 0;
	free(value);
	return ok;
}

static bool
set(json_t *root, const char *key, const char *value)
{
	return set_taken(root, key, cut(value == NULL ? "" : value, MAX_VALUE));
}

/* What the host tells may hold any bytes. */
static bool
set_foreign(json_t *root, const char *key, const char *value)
{
	char	shown[MAX_VALUE];

	return value == NULL || set(root, key, text_printable(shown,
	    sizeof(shown), value, strlen(value)));
}

static bool
set_number(json_t *root, const char *key, int64_t value)
{
	return json_object_set_new(root, key, json_integer(value)) == 0;
}

static bool
set_attr(json_t *root, const char *key, const struct teller *t, const char *attr)
{
	return set(root, key, certauth_verdict_get(t->verdict, attr));
}

static bool
set_person(json_t *root, const struct teller *t)
{
	return set_taken(root, "user", personal(t,
	    certauth_verdict_user(t->verdict), MAX_VALUE)) &&
	    set_taken(root, "email", personal(t,
	    certauth_verdict_get(t->verdict, "email"), MAX_VALUE)) &&
	    set_taken(root, "subject", personal(t,
	    certauth_verdict_get(t->verdict, "subject"), MAX_NAME));
}

/* What another profile may ask of it: certauth forecast --profile NEW LOG. */
static bool
set_certificate(json_t *root, const struct teller *t)
{
	const char	*policies = certauth_verdict_get(t->verdict, "policies");
	X509		*leaf = leaf_of(t->verdict);
	EVP_PKEY	*key;
	struct tm	 tm;
	char		 from[32];
	bool		 ok = true;

	if (leaf == NULL ||
	    certauth_verdict_decision(t->verdict) != CERTAUTH_ACCEPT)
		return true;
	ERR_set_mark();
	if (ASN1_TIME_to_tm(X509_get0_notBefore(leaf), &tm) == 1)
		ok = set(root, "notBefore", text_time_print(from, sizeof(from),
		    (int64_t)timegm(&tm)));
	key = X509_get0_pubkey(leaf);
	if (ok && key != NULL)
		ok = set_taken(root, "key", key_word(key));
	ERR_pop_to_mark();
	return ok && (strlen(policies) > MAX_POLICIES ||
	    json_object_set_new(root, "policies", json_list(policies)) == 0);
}

static bool
set_revocation(json_t *root, const struct teller *t)
{
	int64_t	from;

	if (!set_attr(root, "revocation", t, "revocation"))
		return false;
	return !text_time_parse(certauth_verdict_get(t->verdict,
	    "revocation_from"), &from) ||
	    set_number(root, "revocation_age", t->now - from);
}

static bool
set_event(json_t *root, const struct teller *t)
{
	const struct certauth_event	*event = t->event;

	return set_foreign(root, "server", event->server) &&
	    set_foreign(root, "service", event->service) &&
	    set_foreign(root, "host", event->host) &&
	    set_foreign(root, "client", event->client) &&
	    json_object_set_new(root, "resumed",
	    json_boolean(event->resumed)) == 0 &&
	    set_number(root, "waited", event->waited) &&
	    (t->unlogged == 0 ||
	    set_number(root, "unlogged", (int64_t)t->unlogged));
}

static json_t *
tell_json(const struct teller *t)
{
	enum certauth_reason	 reason = certauth_verdict_reason(t->verdict);
	json_t			*root = json_object();
	char			 when[32];

	if (root != NULL &&
	    set_attr(root, "id", t, "id") &&
	    set(root, "time", text_time_print(when, sizeof(when), t->now)) &&
	    set(root, "result", certauth_verdict_decision(t->verdict) ==
	    CERTAUTH_ACCEPT ? "accept" : "reject") &&
	    set_attr(root, "verdict", t, "verdict") &&
	    set(root, "reason", certauth_reason_slug(reason)) &&
	    set_number(root, "code", (int)reason) &&
	    set_attr(root, "profile", t, "profile") &&
	    set_attr(root, "authority", t, "authority") &&
	    set_attr(root, "rule", t, "rule") &&
	    set_attr(root, "strength", t, "strength") &&
	    set_attr(root, "serial", t, "serial") &&
	    set_attr(root, "fingerprint", t, "fingerprint") &&
	    set_taken(root, "issuer", cut(certauth_verdict_get(t->verdict,
	    "issuer"), MAX_NAME)) &&
	    set_taken(root, "issuer_key_id", issuer_key_id(t->verdict)) &&
	    set_attr(root, "notAfter", t, "not_after") &&
	    set_attr(root, "renewal", t, "renewal") &&
	    set_certificate(root, t) &&
	    set_revocation(root, t) && set_event(root, t) &&
	    set_person(root, t) &&
	    set_taken(root, "message", message(t)))
		return root;
	json_decref(root);
	return NULL;
}

static char *
json_line(const struct teller *t)
{
	/* What goes first where the line is too long. */
	static const char *const	spare[] = { "message", "subject", "issuer",
					    "policies", "email", "host" };
	json_t				*root = tell_json(t);
	char				*out;
	size_t				 i;

	if (root == NULL)
		return NULL;
	out = json_dumps(root, JSON_COMPACT);
	for (i = 0; out != NULL && strlen(out) > DECISION_MAX_BYTES &&
	    i < sizeof(spare) / sizeof(spare[0]); i++) {
		(void)json_object_del(root, spare[i]);
		free(out);
		out = json_dumps(root, JSON_COMPACT);
	}
	json_decref(root);
	return out;
}

/* ------------------------------------------------------------------- text */

/* The words of explain_line(), as far as they name nobody. */
static void
hashed_words(const struct teller *t, struct text *out, const char *user,
    const char *subject, const char *said)
{
	enum certauth_reason	reason = certauth_verdict_reason(t->verdict);

	text_printf(out, "%s %d %s",
	    certauth_verdict_decision(t->verdict) == CERTAUTH_ACCEPT ?
	    "ACCEPT" : "REJECT", (int)reason, certauth_reason_slug(reason));
	text_add_quoted(out, "user", user);
	text_printf(out, " profile=%s", certauth_verdict_get(t->verdict,
	    "profile"));
	if (certauth_verdict_get(t->verdict, "serial")[0] != '\0') {
		text_printf(out, " serial=%s", certauth_verdict_get(t->verdict,
		    "serial"));
		if (certauth_verdict_get(t->verdict, "not_after")[0] != '\0')
			text_printf(out, " not_after=%s",
			    certauth_verdict_get(t->verdict, "not_after"));
		text_add_quoted(out, "subject", subject);
		text_add_quoted(out, "issuer", certauth_verdict_get(t->verdict,
		    "issuer"));
	}
	text_printf(out, " id=%s", certauth_verdict_get(t->verdict, "id"));
	text_add_quoted(out, "detail", said);
}

static char *
text_line(const struct teller *t)
{
	struct text	 out = { 0 };
	char		*user, *subject, *said;

	if (t->options->personal == DECISION_PLAIN) {
		text_add(&out, certauth_verdict_text(t->verdict));
	} else {
		user = personal(t, certauth_verdict_user(t->verdict), MAX_VALUE);
		subject = personal(t, certauth_verdict_get(t->verdict, "subject"),
		    MAX_NAME);
		said = message(t);
		if (user == NULL || subject == NULL || said == NULL)
			out.failed = true;
		else
			hashed_words(t, &out, user, subject, said);
		free(user);
		free(subject);
		free(said);
	}
	if (t->event->waited > 0)
		text_printf(&out, " waited=%ums", t->event->waited);
	if (t->unlogged > 0)
		text_printf(&out, " unlogged=%llu",
		    (unsigned long long)t->unlogged);
	return text_take(&out);
}

char *
decision_line(const struct decision_options *options,
    const struct certauth_verdict *verdict, const struct certauth_event *event,
    int64_t now, uint64_t unlogged)
{
	const struct teller	t = { options, verdict, event, now, unlogged };

	return options->json ? json_line(&t) : text_line(&t);
}
