/*
 * ask.h - the bytes of a question to the refresher and of its reply.
 *
 * No sockets here: the core makes questions, the host carries them over
 * the refresher's unix socket (a stream; several frames in a row, replies in any
 * order), the refresher answers. A reply is evidence at most: what it brings is
 * checked by the core, the socket is not trusted. Knows nothing of certificates
 * but that they are bytes.
 *
 * frame     magic "CAQ1" (question) or "CAR1" (reply), u32 length of the body
 *           (big-endian, as all numbers here), body
 * question  u8 kind, u16 length and bytes of the authority's name, u8 number of
 *           certificates, each u32 length and DER: for ASK_STATUS the one asked
 *           about, its issuer ... the anchor; for ASK_ISSUER the orphan alone.
 *           ASK_ADMIN: u8 kind, text (JSON)
 * reply     16 bytes id (SHA-256 of the question's body, cut), u8 result, then
 *           payload: for ASK_OCSP the DER of the response, for ASK_ADMIN's
 *           ASK_TEXT text (JSON), else one printable line that says why
 */
#ifndef CERTAUTH_ASK_ASK_H
#define CERTAUTH_ASK_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "certauth.h"

#define ASK_HEADER_BYTES	8u
/* A path of ten RSA-4096 certificates fits three times. */
#define ASK_MAX_BYTES		(128u * 1024)
#define ASK_MAX_CERTS		33
#define ASK_ID_BYTES		16u
/* Questions of one verdict; replies that are looked at. */
#define ASK_MAX_QUESTIONS	33
#define ASK_MAX_AUTHORITY	256

enum ask_kind {
	ASK_STATUS = 1,		/* is path[0] revoked? */
	ASK_ISSUER = 2,		/* who issued this one? */
	ASK_ADMIN = 16		/* the command's own words to the daemon */
};

enum ask_result {
	ASK_NOTHING = 0,	/* not found out: "unknown", never "good" */
	ASK_OCSP = 1,		/* an OCSP response, unchecked */
	ASK_PUBLISHED = 2,	/* new data is in the state folder: poll, ask again */
	ASK_TEXT = 3		/* ASK_ADMIN */
};

struct ask_question {
	enum ask_kind		 kind;
	const char		*authority;	/* not terminated */
	size_t			 authority_len;
	struct certauth_bytes	 certs[ASK_MAX_CERTS];
	size_t			 num_certs;
	struct certauth_bytes	 text;		/* ASK_ADMIN */
};

struct ask_reply {
	unsigned char		 id[ASK_ID_BYTES];
	enum ask_result		 result;
	struct certauth_bytes	 payload;
};

/*
 * Length of the whole frame that begins at `data`, as soon as its header is
 * there. ASK_MORE: not yet known. ASK_BAD: not a frame, or over ASK_MAX_BYTES.
 */
#define ASK_MORE	((size_t)0)
#define ASK_BAD		((size_t)-1)
size_t	ask_frame_length(const unsigned char *data, size_t data_len);

/* A whole frame, malloc'ed, the caller frees with free(). NULL: out of memory or
 * over a ceiling. */
unsigned char *ask_question_make(const struct ask_question *, size_t *len_r);
unsigned char *ask_reply_make(const struct ask_reply *, size_t *len_r);
/* One whole frame; everything borrowed from it. False: not one, trailing bytes,
 * unknown kind. */
bool	ask_question_parse(const unsigned char *frame, size_t frame_len,
	    struct ask_question *question_r);
bool	ask_reply_parse(const unsigned char *frame, size_t frame_len,
	    struct ask_reply *reply_r);
/* The id of a question's frame. */
bool	ask_question_id(const unsigned char *frame, size_t frame_len,
	    unsigned char id_r[ASK_ID_BYTES]);

#endif
