/*
 * crl_stream.h - a long CRL, read once and piece by piece from its file.
 */
#ifndef CERTAUTH_REVOCATION_CRL_STREAM_H
#define CERTAUTH_REVOCATION_CRL_STREAM_H

#include "revocation/crl.h"
#include "revocation/index_stage.h"

/* Shorter ones are not worth it. */
#define CRL_STREAM_LEAST	((size_t)1024 * 1024)

/* The list but for its entries: what `crl` borrows from. */
struct crl_stream { unsigned char *map; size_t len; };

enum crl_streamed { CRL_STREAM_TAKEN, CRL_STREAM_BAD, CRL_STREAM_OTHER };
/*
 * Reads `len` bytes of the open file. TAKEN: *crl_r is as after crl_parse() with
 * its digest, but the entries are in `stage` (initialized by the caller) and
 * nowhere else; nothing is said of the signature. BAD: error_r. OTHER: no list
 * that can be read so (PEM, short, indirect, Ed25519, ...): nothing is known of
 * it, read it whole. In every case crl_stream_free(), when crl_r is no longer used.
 */
enum crl_streamed crl_stream_read(struct crl_stream *stream_r, int fd, size_t len,
	    struct crl *crl_r, struct stage *stage,
	    struct certauth_error *error_r);
void	crl_stream_free(struct crl_stream *);		/* zeroed struct allowed */

#endif
