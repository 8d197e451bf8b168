/*
 * ocsp.c - what does this OCSP response say of one certificate?
 *
 * RFC 6960 4.2, DER and nothing behind it. Everything is walked before anything is
 * believed: a response with one bad part says nothing. Checks no signature.
 */

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>

#include "base/text.h"
#include "revocation/crl.h"
#include "revocation/ocsp.h"

static bool
refuse(struct certauth_error *error_r, const char *text)
{
	error_set(error_r, NULL, 0, "%s", text);
	return false;
}

static bool
is_oid(const struct der *oid, const unsigned char *bytes, size_t len)
{
	return der_length(oid) == len && memcmp(oid->p, bytes, len) == 0;
}

/* GeneralizedTime alone (RFC 6960 4.2.1). */
static bool
take_time(struct der *in, int64_t *seconds_r)
{
	return der_next_is(in, TAG_GENERALIZED) && der_take_time(in, seconds_r);
}

/* -------------------------------------------------------------- extensions */

/* 1.3.6.1.5.5.7.48.1.x */
static const unsigned char ocsp_arc[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07,
    0x30, 0x01 };
#define EXT_NONCE	2
#define EXT_CRL		3	/* which list it was taken from: only told */
#define EXT_ARCHIVE	6	/* archive cutoff: only told */

/* 0: not one of these. */
static unsigned
extension_number(const struct der *oid)
{
	if (der_length(oid) != sizeof(ocsp_arc) + 1 ||
	    memcmp(oid->p, ocsp_arc, sizeof(ocsp_arc)) != 0)
		return 0;
	switch (oid->p[sizeof(ocsp_arc)]) {
	case EXT_NONCE:
	case EXT_CRL:
	case EXT_ARCHIVE:
		return oid->p[sizeof(ocsp_arc)];
	}
	return 0;
}

/* RFC 8954: an OCTET STRING in the extension's own; older responders give back
 * what they got, without it. */
static bool
read_nonce(const struct der *value, struct ocsp *o)
{
	struct der	in = *value, inner;

	if (!der_take(&in, TAG_OCTETS, &inner) || in.p != in.end)
		inner = *value;
	if (o->nonce != NULL || der_length(&inner) == 0 ||
	    der_length(&inner) > OCSP_MAX_NONCE + 2)
		return false;
	o->nonce = inner.p;
	o->nonce_len = der_length(&inner);
	return true;
}

/*
 * Extensions behind an explicit tag that was taken. `o` NULL: those of a single
 * response. *critical_r: one that nobody here knows must be understood.
 */
static bool
walk_extensions(struct der in, struct ocsp *o, bool *critical_r)
{
	struct der	list, one, oid, value;
	unsigned	number;
	int		i;

	if (!der_take(&in, TAG_SEQUENCE, &list) || in.p != in.end ||
	    list.p == list.end)
		return false;
	for (i = 0; list.p != list.end; i++) {
		bool	critical = false;

		if (i == OCSP_MAX_EXTENSIONS ||
		    !der_take(&list, TAG_SEQUENCE, &one) ||
		    !der_take(&one, TAG_OID, &oid))
			return false;
		if (der_next_is(&one, TAG_BOOLEAN)) {
			/* DEFAULT FALSE is left out (X.690 11.5). */
			if (!der_take(&one, TAG_BOOLEAN, &value) ||
			    !der_true(&value))
				return false;
			critical = true;
		}
		if (!der_take(&one, TAG_OCTETS, &value) || one.p != one.end)
			return false;
		number = extension_number(&oid);
		*critical_r |= critical && number == 0;
		if (o != NULL && number == EXT_NONCE && !read_nonce(&value, o))
			return false;
	}
	return true;
}

/* --------------------------------------------------------- single responses */

struct single {
	struct der	 algorithm, name_hash, key_hash, serial;
	struct ocsp_answer answer;
	bool		 critical;
};

/* CertID: algorithm (its parameters NULL or absent), two hashes, a serial. */
static bool
walk_cert_id(struct der in, struct single *s)
{
	struct der	algorithm, null;

	if (!der_take(&in, TAG_SEQUENCE, &algorithm) ||
	    !der_take(&algorithm, TAG_OID, &s->algorithm))
		return false;
	if (algorithm.p != algorithm.end &&
	    (!der_take(&algorithm, 0x05u, &null) || null.p != null.end ||
	    algorithm.p != algorithm.end))
		return false;
	return der_take(&in, TAG_OCTETS, &s->name_hash) &&
	    der_take(&in, TAG_OCTETS, &s->key_hash) &&
	    der_take(&in, TAG_INTEGER, &s->serial) && in.p == in.end;
}

/* RevokedInfo: when, and perhaps why. */
static bool
walk_revoked(struct der in, struct ocsp_answer *answer)
{
	struct der	tagged, reason;

	answer->status = OCSP_REVOKED;
	answer->reason = CRL_NO_REASON;
	if (!take_time(&in, &answer->date))
		return false;
	if (in.p == in.end)
		return true;
	/* RFC 5280 5.3.1: 0 to 10 without 7. */
	if (!der_take(&in, CONTEXT_CONS(0), &tagged) || in.p != in.end ||
	    !der_take(&tagged, TAG_ENUMERATED, &reason) ||
	    tagged.p != tagged.end || der_length(&reason) != 1 ||
	    reason.p[0] > 10 || reason.p[0] == 7)
		return false;
	answer->reason = reason.p[0];
	if (answer->reason == CRL_HOLD)
		answer->status = OCSP_HOLD;
	return true;
}

static bool
walk_status(struct der *in, struct ocsp_answer *answer)
{
	struct der	value;
	unsigned	tag;

	if (!der_take_any(in, &tag, &value))
		return false;
	switch (tag) {
	case CONTEXT(0):
		answer->status = OCSP_GOOD;
		return value.p == value.end;
	case CONTEXT_CONS(1):
		return walk_revoked(value, answer);
	case CONTEXT(2):
		answer->status = OCSP_UNKNOWN;
		return value.p == value.end;
	}
	return false;
}

static bool
walk_single(struct der *in, struct single *s)
{
	struct der	one, id, tagged;

	memset(s, 0, sizeof(*s));
	if (!der_take(in, TAG_SEQUENCE, &one) ||
	    !der_take(&one, TAG_SEQUENCE, &id) || !walk_cert_id(id, s) ||
	    !walk_status(&one, &s->answer) ||
	    !take_time(&one, &s->answer.this_update))
		return false;
	s->answer.next_update = s->answer.this_update + OCSP_SHORT_LIFE;
	s->answer.short_lived = !der_next_is(&one, CONTEXT_CONS(0));
	if (!s->answer.short_lived &&
	    (!der_take(&one, CONTEXT_CONS(0), &tagged) ||
	    !take_time(&tagged, &s->answer.next_update) ||
	    tagged.p != tagged.end ||
	    s->answer.next_update < s->answer.this_update))
		return false;
	if (der_next_is(&one, CONTEXT_CONS(1)) &&
	    (!der_take(&one, CONTEXT_CONS(1), &tagged) ||
	    !walk_extensions(tagged, NULL, &s->critical)))
		return false;
	return one.p == one.end;
}

/* ------------------------------------------------------------ the response */

/* What a responder says instead of an answer (RFC 6960 4.2.1). */
static bool
refuse_status(const struct der *status, struct certauth_error *error_r)
{
	switch (der_length(status) == 1 ? status->p[0] : 255) {
	case 1:
		return refuse(error_r, "the responder says: malformed request");
	case 2:
		return refuse(error_r, "the responder says: internal error");
	case 3:
		return refuse(error_r, "the responder says: try later");
	case 5:
		return refuse(error_r, "the responder says: signature required");
	case 6:
		return refuse(error_r, "the responder says: unauthorized");
	}
	return refuse(error_r, "the responder gives a status that is not known");
}

/* OCSPResponse, down to the BasicOCSPResponse. */
static bool
open_response(struct der in, struct der *basic_r, struct certauth_error *error_r)
{
	/* id-pkix-ocsp-basic */
	static const unsigned char basic[] = { 0x2b, 0x06, 0x01, 0x05, 0x05,
	    0x07, 0x30, 0x01, 0x01 };
	struct der	response, status, tagged, bytes, type, octets;

	if (!der_take(&in, TAG_SEQUENCE, &response) || in.p != in.end ||
	    !der_take(&response, TAG_ENUMERATED, &status))
		return refuse(error_r, "is no OCSP response");
	if (der_length(&status) != 1 || status.p[0] != 0)
		return refuse_status(&status, error_r);
	if (!der_take(&response, CONTEXT_CONS(0), &tagged) ||
	    response.p != response.end ||
	    !der_take(&tagged, TAG_SEQUENCE, &bytes) || tagged.p != tagged.end ||
	    !der_take(&bytes, TAG_OID, &type) ||
	    !der_take(&bytes, TAG_OCTETS, &octets) || bytes.p != bytes.end)
		return refuse(error_r, "is an OCSP response without an answer");
	if (!is_oid(&type, basic, sizeof(basic)))
		return refuse(error_r, "is an OCSP response of a type that is not "
		    "known");
	if (!der_take(&octets, TAG_SEQUENCE, basic_r) ||
	    octets.p != octets.end)
		return refuse(error_r, "has no basic OCSP response in it");
	return true;
}

static bool
walk_data(struct der in, struct ocsp *o, bool *critical_r)
{
	struct der	tagged, version;
	struct single	single;
	struct der	singles;
	int		n;

	if (der_next_is(&in, CONTEXT_CONS(0)))
		/* v1 is the default, must be left out, and there is no v2 */
		return false;
	if (der_next_is(&in, CONTEXT_CONS(1))) {
		if (!der_take(&in, CONTEXT_CONS(1), &o->responder) ||
		    !der_next_is(&o->responder, TAG_SEQUENCE))
			return false;
		tagged = o->responder;
		if (!der_take(&tagged, TAG_SEQUENCE, &version) ||
		    tagged.p != tagged.end)
			return false;
	} else {
		o->by_key = true;
		if (!der_take(&in, CONTEXT_CONS(2), &tagged) ||
		    !der_take(&tagged, TAG_OCTETS, &o->responder) ||
		    tagged.p != tagged.end)
			return false;
	}
	if (!take_time(&in, &o->produced) ||
	    !der_take(&in, TAG_SEQUENCE, &o->singles))
		return false;
	singles = o->singles;
	for (n = 0; singles.p != singles.end; n++)
		if (n == OCSP_MAX_SINGLES || !walk_single(&singles, &single))
			return false;
	if (der_next_is(&in, CONTEXT_CONS(1)) &&
	    (!der_take(&in, CONTEXT_CONS(1), &tagged) ||
	    !walk_extensions(tagged, o, critical_r)))
		return false;
	return n > 0 && in.p == in.end;
}

bool
ocsp_parse(struct ocsp *o, const unsigned char *data, size_t data_len,
    struct certauth_error *error_r)
{
	struct der	in, basic, value;
	const unsigned char *start;
	bool		critical = false;

	memset(o, 0, sizeof(*o));
	/* Nothing may come as NULL, which has no offsets. */
	if (data_len == 0)
		return refuse(error_r, "is empty");
	if (data_len > OCSP_MAX_BYTES)
		return refuse(error_r, "is too large for an OCSP response");
	in.p = data;
	in.end = data + data_len;
	if (!open_response(in, &basic, error_r))
		return false;
	start = basic.p;
	if (!der_take(&basic, TAG_SEQUENCE, &value) ||
	    !walk_data(value, o, &critical))
		return refuse(error_r, "has response data that break RFC 6960 "
		    "4.2.1");
	o->tbs = start;
	o->tbs_len = (size_t)(basic.p - start);
	o->algorithm = basic.p;
	if (!der_take(&basic, TAG_SEQUENCE, &value))
		return refuse(error_r, "has no signature algorithm");
	o->algorithm_len = (size_t)(basic.p - o->algorithm);
	if (!der_take(&basic, TAG_BIT_STRING, &value) ||
	    der_length(&value) < 2 || value.p[0] != 0)
		return refuse(error_r, "has no signature of whole octets");
	o->signature = value.p + 1;
	o->signature_len = der_length(&value) - 1;
	if (der_next_is(&basic, CONTEXT_CONS(0)) &&
	    (!der_take(&basic, CONTEXT_CONS(0), &value) ||
	    !der_take(&value, TAG_SEQUENCE, &o->certs) ||
	    value.p != value.end))
		return refuse(error_r, "has certificates that do not decode");
	if (basic.p != basic.end)
		return refuse(error_r, "has something behind its end");
	if (critical)
		return refuse(error_r, "has a critical extension that is not "
		    "known");
	return true;
}

/* --------------------------------------------------------- which certificate */

static const EVP_MD *
id_digest(const struct der *oid)
{
	static const unsigned char sha1[] = { 0x2b, 0x0e, 0x03, 0x02, 0x1a };
	static const unsigned char sha2[] = { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03,
	    0x04, 0x02 };

	if (is_oid(oid, sha1, sizeof(sha1)))
		return EVP_sha1();	/* finds the certificate, proves nothing */
	if (der_length(oid) != sizeof(sha2) + 1 ||
	    memcmp(oid->p, sha2, sizeof(sha2)) != 0)
		return NULL;
	switch (oid->p[sizeof(sha2)]) {
	case 1:
		return EVP_sha256();
	case 2:
		return EVP_sha384();
	case 3:
		return EVP_sha512();
	}
	return NULL;
}

static bool
hash_is(const struct der *hash, const EVP_MD *md, const unsigned char *data,
    size_t data_len)
{
	unsigned char	digest[EVP_MAX_MD_SIZE];
	unsigned	len = 0;

	return EVP_Digest(data, data_len, digest, &len, md, NULL) == 1 &&
	    der_length(hash) == len && memcmp(hash->p, digest, len) == 0;
}

static bool
serial_is(const struct der *value, const struct cert *cert)
{
	unsigned char	serial[CERT_MAX_SERIAL];
	size_t		len;
	bool		negative;

	return der_integer(value, serial, sizeof(serial), &len, &negative) &&
	    negative == cert->serial_negative && len == cert->serial_len &&
	    memcmp(serial, cert->serial, len) == 0;
}

static bool
is_about(const struct single *s, const struct cert *cert,
    const struct cert *issuer)
{
	const EVP_MD		*md = id_digest(&s->algorithm);
	const ASN1_BIT_STRING	*key = X509_get0_pubkey_bitstr(issuer->x509);
	const unsigned char	*name;
	size_t			 name_len;

	/* The name as the certificate writes it, the key without its wrapping. */
	return md != NULL && key != NULL && serial_is(&s->serial, cert) &&
	    X509_NAME_get0_der(X509_get_issuer_name(cert->x509), &name,
	    &name_len) == 1 &&
	    hash_is(&s->name_hash, md, name, name_len) &&
	    hash_is(&s->key_hash, md, ASN1_STRING_get0_data(key),
	    (size_t)ASN1_STRING_length(key));
}

bool
ocsp_find(const struct ocsp *o, const struct cert *cert,
    const struct cert *issuer, struct ocsp_answer *answer_r,
    struct certauth_error *error_r)
{
	struct der	in = o->singles;
	struct single	s;

	memset(answer_r, 0, sizeof(*answer_r));
	if ((cert->faults & CERT_FAULT_SERIAL) != 0 || cert->serial_len == 0)
		return refuse(error_r, "no response can name that serial number");
	while (in.p != in.end) {
		if (!walk_single(&in, &s))
			return refuse(error_r, "does not decode");
		if (!is_about(&s, cert, issuer))
			continue;
		if (s.critical)
			return refuse(error_r, "has a critical extension that is "
			    "not known");
		/* The worst counts; of equal ones the newer. */
		if (s.answer.status > answer_r->status ||
		    (s.answer.status == answer_r->status &&
		    s.answer.this_update > answer_r->this_update))
			*answer_r = s.answer;
	}
	if (answer_r->status == OCSP_NOTHING)
		return refuse(error_r, "is about another certificate");
	return true;
}

/* ----------------------------------------------------------------- request */

unsigned char *
ocsp_request_make(X509 *cert, X509 *issuer, const unsigned char *nonce,
    size_t nonce_len, size_t *len_r)
{
	OCSP_REQUEST	*request = NULL;
	OCSP_CERTID	*id = NULL;
	unsigned char	 copy[OCSP_MAX_NONCE], *der = NULL, *out = NULL;
	int		 len;

	*len_r = 0;
	if (cert == NULL || issuer == NULL || nonce_len > OCSP_MAX_NONCE)
		return NULL;
	ERR_set_mark();
	request = OCSP_REQUEST_new();
	id = OCSP_cert_to_id(EVP_sha1(), cert, issuer);
	if (request == NULL || id == NULL ||
	    OCSP_request_add0_id(request, id) == NULL)
		goto out;
	id = NULL;	/* the request's */
	if (nonce_len > 0) {
		memcpy(copy, nonce, nonce_len);
		if (OCSP_request_add1_nonce(request, copy, (int)nonce_len) != 1)
			goto out;
	}
	len = i2d_OCSP_REQUEST(request, &der);
	if (len <= 0)
		goto out;
	out = malloc((size_t)len);
	if (out != NULL) {
		memcpy(out, der, (size_t)len);
		*len_r = (size_t)len;
	}
out:
	OPENSSL_free(der);
	OCSP_CERTID_free(id);
	OCSP_REQUEST_free(request);
	ERR_pop_to_mark();
	return out;
}
