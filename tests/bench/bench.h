/*
 * bench.h - what the programs of tests/bench share: clocks, samples, and a small
 * public key infrastructure made anew in each run.
 *
 * A program prints lines of three fields with tabs between them: a name, a unit
 * and one measured value. tests/bench/run gathers them, many values of one name
 * being rounds, and makes the table. Nothing passes or fails by time here; what
 * has the wrong answer ends the program.
 */
#ifndef CERTAUTH_BENCH_H
#define CERTAUTH_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "certauth.h"

#define must(x) do { if (!(x)) { \
	fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); exit(1); \
} } while (0)

/* ------------------------------------------------------------------- clocks */

double	cpu_us(void);		/* of this thread */
double	wall_us(void);
double	process_cpu_us(void);
/* Resident memory of this process that no other could share, in bytes. */
double	private_bytes(void);
void	sample(const char *unit, double value, const char *format, ...)
	    __attribute__((format(printf, 3, 4)));

/* --------------------------------------------------------------------- PKI */

struct der_copy { unsigned char *data; size_t len; };

/* "P-256", "RSA-2048", "RSA-4096" ... */
EVP_PKEY *make_key(const char *kind);

struct make {
	const char	*subject;	/* CN */
	EVP_PKEY	*key;
	X509		*issuer;	/* NULL: self-signed */
	EVP_PKEY	*issuer_key;	/* NULL: its own */
	bool		 ca;
	int		 path_len;	/* -1: none */
	uint64_t	 serial;	/* 0: counted up */
	const char	*san;		/* as in openssl.cnf, NULL: none */
	/* further extensions: NID and text as in openssl.cnf, ends with 0 */
	struct { int nid; const char *text; } more[6];
};
X509	*make_cert(const struct make *);
struct der_copy make_der(X509 *);
X509	*parse(const struct der_copy *);
/* A folder of our own under TMPDIR, and files in it. */
const char *scratch(void);
void	scratch_remove(void);
char	*scratch_path(const char *format, ...) __attribute__((format(printf, 1, 2)));
void	write_pem(const char *path, X509 *const *, size_t n);
void	write_key(const char *path, EVP_PKEY *);
void	write_text(const char *path, const char *format, ...)
	    __attribute__((format(printf, 2, 3)));

/* ------------------------------------------------------------------- chains */

/* root -> issuing CA -> leaves; the shape of the field's client certificates. */
struct chain {
	const char	*kind;
	EVP_PKEY	*root_key, *ca_key, *leaf_key;
	X509		*root, *ca;
	struct der_copy	*leaves;	size_t num_leaves;
	struct der_copy	 ca_der;
	char		*conf;		/* policy file with the profile "bench" */
};
void	chain_make(struct chain *, const char *kind, size_t num_leaves);
/* `revocation` goes into the authority: "check = ...;" */
void	chain_write(struct chain *, const char *revocation);
/* A leaf that nobody has seen yet; `signer` is not the CA's key: forged. */
struct der_copy chain_leaf(const struct chain *, EVP_PKEY *signer);

struct certauth *open_engine(const char *conf);
/* The core's answer; ends the program when it is not `expected`. */
void	ask(struct certauth *, X509 *leaf, STACK_OF(X509) *sent,
	    enum certauth_reason expected);
/* One EVP_DigestVerify of the leaf (der: its bytes) with the CA's key. */
void	check_signature(const struct der_copy *der, X509 *leaf, EVP_PKEY *ca_key,
	    bool good);
/* What a stock server does: purpose, path, dates, and CRLs if the store says. */
void	stock_verify(X509_STORE *, X509 *leaf, STACK_OF(X509) *sent, bool good);
X509_STORE *stock_store(X509 *root);

#endif
