/*
 * fuzz_ocsp.c - any bytes at all as an OCSP response: walked, searched for a
 * certificate, its signer looked for.
 *
 * The issuer is the one of tests/pki/ocsp, so that seeds from there come through
 * to the end; a mutant may say nothing that its CA did not sign.
 */

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "revocation/ocsp.h"

int	LLVMFuzzerInitialize(int *argc, char ***argv);
int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW	((int64_t)1772366400)	/* 2026-03-01T12:00:00Z */

static struct cert	*issuer, *leaf;

static struct cert *
read_cert(const char *path)
{
	FILE		*f = fopen(path, "r");
	X509		*x = f != NULL ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
	struct cert	*cert = x != NULL ? cert_new(x) : NULL;

	if (f != NULL)
		fclose(f);
	X509_free(x);
	if (cert == NULL) {
		fprintf(stderr, "%s: run it from the top folder\n", path);
		exit(2);
	}
	return cert;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	issuer = read_cert("tests/pki/ocsp/issuing.pem");
	leaf = read_cert("tests/pki/ocsp/alice.pem");
	return 0;
}

static enum ocsp_delegate
delegate(void *context, const struct cert *who, const struct cert *by)
{
	(void)context;
	assert(by == issuer);
	assert(memcmp(who->issuer_sha256, issuer->subject_sha256, 32) == 0);
	return OCSP_DELEGATE_GOOD;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct certauth_error	error;
	struct ocsp		response;
	struct ocsp_answer	answer;

	if (ocsp_parse(&response, data, size, &error)) {
		assert(response.tbs > data &&
		    response.tbs + response.tbs_len <= data + size);
		assert(response.signature + response.signature_len <=
		    data + size);
		if (ocsp_find(&response, leaf, issuer, &answer, &error)) {
			assert(answer.status > OCSP_NOTHING &&
			    answer.status <= OCSP_REVOKED);
			assert(answer.next_update >= answer.this_update);
		}
		(void)ocsp_signed(&response, issuer, NOW, delegate, NULL,
		    &error);
	}
	assert(ERR_peek_error() == 0);
	return 0;
}
