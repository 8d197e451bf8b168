/*
 * ocsp.h - what does this OCSP response say of one certificate, and who signed it?
 *
 * A strict DER walker over borrowed bytes (RFC 6960). Judges form, signer and
 * which certificate is meant; how fresh it must be is revocation.c's.
 */
#ifndef CERTAUTH_REVOCATION_OCSP_H
#define CERTAUTH_REVOCATION_OCSP_H

#include "revocation/der.h"
#include "trust/cert.h"

/* One certificate's answer with two certificates in it has 3 KB. */
#define OCSP_MAX_BYTES		(64u * 1024)
/* Single responses looked at; an honest answer has one. */
#define OCSP_MAX_SINGLES	64
/* Certificates of signers that are looked at. */
#define OCSP_MAX_CERTS		8
#define OCSP_MAX_EXTENSIONS	16
/* RFC 8954 2.1: 1 to 32 octets; older ones are shorter still. */
#define OCSP_MAX_NONCE		32
/* Without nextUpdate newer word can be had at any time (RFC 6960 4.2.2.1): such an
 * answer ends quickly, seconds after thisUpdate. */
#define OCSP_SHORT_LIFE		300
/* Clocks of two machines. */
#define OCSP_SKEW_SECONDS	300

/* From the mildest to the worst: of several single responses the worst counts. */
enum ocsp_status { OCSP_NOTHING, OCSP_GOOD, OCSP_UNKNOWN, OCSP_HOLD, OCSP_REVOKED };

struct ocsp_answer {
	enum ocsp_status status;
	int64_t		 this_update, next_update;	/* next: always a time */
	bool		 short_lived;	/* it gave no nextUpdate */
	int64_t		 date;		/* HOLD, REVOKED: since when */
	unsigned	 reason;	/* RFC 5280 5.3.1 or CRL_NO_REASON */
};

struct ocsp {
	/* all borrowed from the bytes given */
	const unsigned char *tbs;	size_t tbs_len;
	const unsigned char *algorithm;	size_t algorithm_len;
	const unsigned char *signature;	size_t signature_len;
	struct der	 responder;	/* a Name's DER, or a key's SHA-1 */
	bool		 by_key;
	int64_t		 produced;
	struct der	 singles, certs;	/* of what SEQUENCE OF holds */
	const unsigned char *nonce;	size_t nonce_len;	/* NULL: none */
};

/*
 * The whole response, every single response's form included. False: error_r says
 * which rule it breaks, or what the responder said instead of an answer (try
 * later, unauthorized). `data` is borrowed as long as the struct is used.
 */
bool	ocsp_parse(struct ocsp *, const unsigned char *data, size_t data_len,
	    struct certauth_error *error_r);

/*
 * What it says of that certificate: issuer's name and key, serial (RFC 6960
 * 4.1.1; SHA-1, or SHA-2 of RFC 5019's successors). False: nothing, or a
 * critical extension that is not known (error_r).
 */
bool	ocsp_find(const struct ocsp *, const struct cert *cert,
	    const struct cert *issuer, struct ocsp_answer *answer_r,
	    struct certauth_error *error_r);

/*
 * ocsp_sign.c. Is the signer the issuer itself, or a responder that the issuer's
 * own key delegated to directly (RFC 6960 4.2.2.2)? A delegate must be valid at
 * `now`, within our floors, meant for it (id-kp-OCSPSigning), and not revoked: it
 * has nocheck and `status` does not call it revoked, or `status` calls it good.
 */
enum ocsp_delegate { OCSP_DELEGATE_UNKNOWN, OCSP_DELEGATE_GOOD,
    OCSP_DELEGATE_REVOKED };
typedef enum ocsp_delegate ocsp_delegate_fn(void *context,
    const struct cert *delegate, const struct cert *issuer);
bool	ocsp_signed(const struct ocsp *, const struct cert *issuer, int64_t now,
	    ocsp_delegate_fn *status, void *context,
	    struct certauth_error *error_r);

/* DER of a request for one certificate (SHA-1 CertID, which every responder
 * knows), with a nonce when nonce_len > 0. Caller frees with free(). NULL: out of
 * memory, or no certificate for it. */
unsigned char *ocsp_request_make(X509 *cert, X509 *issuer,
	    const unsigned char *nonce, size_t nonce_len, size_t *len_r);

#endif
