/*
 * ask.c - how is a question to the refresher written, and its reply read?
 *
 * Lengths and kinds only; what a certificate or an OCSP response says is judged
 * elsewhere. Every byte may come from somebody else.
 */

#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include "ask/ask.h"

static const unsigned char	question_magic[4] = { 'C', 'A', 'Q', '1' };
static const unsigned char	reply_magic[4] = { 'C', 'A', 'R', '1' };

/* ------------------------------------------------------------------- bytes */

static uint32_t
get_u32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

static unsigned char *
put_u32(unsigned char *p, size_t n)
{
	p[0] = (unsigned char)(n >> 24);
	p[1] = (unsigned char)(n >> 16);
	p[2] = (unsigned char)(n >> 8);
	p[3] = (unsigned char)n;
	return p + 4;
}

static unsigned char *
put_bytes(unsigned char *p, const void *data, size_t data_len)
{
	if (data_len > 0)
		memcpy(p, data, data_len);
	return p + data_len;
}

/* What is left to read. */
struct rest { const unsigned char *p; size_t len; };

static bool
take(struct rest *rest, size_t n, const unsigned char **data_r)
{
	if (n > rest->len)
		return false;
	*data_r = rest->p;
	rest->p += n;
	rest->len -= n;
	return true;
}

/* ------------------------------------------------------------------ frames */

size_t
ask_frame_length(const unsigned char *data, size_t data_len)
{
	size_t	n = data_len < sizeof(question_magic) ? data_len :
		    sizeof(question_magic), body;

	/* A stranger is known by its first bytes. */
	if (n > 0 && memcmp(data, question_magic, n) != 0 &&
	    memcmp(data, reply_magic, n) != 0)
		return ASK_BAD;
	if (data_len < ASK_HEADER_BYTES)
		return ASK_MORE;
	body = get_u32(data + 4);
	if (body == 0 || body > ASK_MAX_BYTES - ASK_HEADER_BYTES)
		return ASK_BAD;
	return ASK_HEADER_BYTES + body;
}

/* The header; the body's place. NULL: over the ceiling, or no memory. */
static unsigned char *
new_frame(const unsigned char magic[4], size_t body_len, unsigned char **body_r,
    size_t *len_r)
{
	unsigned char	*frame;

	if (body_len == 0 || body_len > ASK_MAX_BYTES - ASK_HEADER_BYTES)
		return NULL;
	*len_r = ASK_HEADER_BYTES + body_len;
	frame = malloc(*len_r);
	if (frame != NULL)
		*body_r = put_u32(put_bytes(frame, magic, 4), body_len);
	return frame;
}

/* The body of one whole frame of that kind. */
static bool
open_frame(const unsigned char magic[4], const unsigned char *frame,
    size_t frame_len, struct rest *body_r)
{
	if (frame_len < ASK_HEADER_BYTES || memcmp(frame, magic, 4) != 0 ||
	    ask_frame_length(frame, frame_len) != frame_len)
		return false;
	body_r->p = frame + ASK_HEADER_BYTES;
	body_r->len = frame_len - ASK_HEADER_BYTES;
	return true;
}

/* --------------------------------------------------------------- questions */

static bool
is_kind(unsigned byte, enum ask_kind *kind_r)
{
	switch ((enum ask_kind)byte) {
	case ASK_STATUS:
	case ASK_ISSUER:
	case ASK_ADMIN:
		*kind_r = (enum ask_kind)byte;
		return true;
	}
	return false;
}

/* A status has the certificate and its issuer at least; an orphan is alone. */
static bool
fits_kind(const struct ask_question *q)
{
	switch (q->kind) {
	case ASK_STATUS:
		return q->num_certs >= 2 && q->num_certs <= ASK_MAX_CERTS;
	case ASK_ISSUER:
		return q->num_certs == 1;
	case ASK_ADMIN:
		return q->num_certs == 0 && q->authority_len == 0;
	}
	return false;
}

unsigned char *
ask_question_make(const struct ask_question *q, size_t *len_r)
{
	unsigned char	*frame, *p;
	size_t		 body = 1, i;

	if (!fits_kind(q) || q->authority_len > ASK_MAX_AUTHORITY ||
	    q->text.data_len > ASK_MAX_BYTES)
		return NULL;
	if (q->kind == ASK_ADMIN)
		body += q->text.data_len;
	else
		body += 2 + q->authority_len + 1;
	for (i = 0; i < q->num_certs; i++) {
		if (q->certs[i].data_len == 0 ||
		    q->certs[i].data_len > ASK_MAX_BYTES)
			return NULL;
		body += 4 + q->certs[i].data_len;
	}
	frame = new_frame(question_magic, body, &p, len_r);
	if (frame == NULL)
		return NULL;
	*p++ = (unsigned char)q->kind;
	if (q->kind == ASK_ADMIN) {
		put_bytes(p, q->text.data, q->text.data_len);
		return frame;
	}
	*p++ = (unsigned char)(q->authority_len >> 8);
	*p++ = (unsigned char)q->authority_len;
	p = put_bytes(p, q->authority, q->authority_len);
	*p++ = (unsigned char)q->num_certs;
	for (i = 0; i < q->num_certs; i++)
		p = put_bytes(put_u32(p, q->certs[i].data_len), q->certs[i].data,
		    q->certs[i].data_len);
	return frame;
}

static bool
take_certs(struct rest *rest, struct ask_question *q)
{
	const unsigned char	*p;
	size_t			 i, n;

	if (!take(rest, 1, &p) || *p > ASK_MAX_CERTS)
		return false;
	n = *p;
	for (i = 0; i < n; i++) {
		if (!take(rest, 4, &p))
			return false;
		q->certs[i].data_len = get_u32(p);
		if (q->certs[i].data_len == 0 ||
		    !take(rest, q->certs[i].data_len, &q->certs[i].data))
			return false;
	}
	q->num_certs = n;
	return rest->len == 0;
}

bool
ask_question_parse(const unsigned char *frame, size_t frame_len,
    struct ask_question *q)
{
	struct rest		 rest;
	const unsigned char	*p;

	memset(q, 0, sizeof(*q));
	if (!open_frame(question_magic, frame, frame_len, &rest) ||
	    !take(&rest, 1, &p) || !is_kind(*p, &q->kind))
		return false;
	if (q->kind == ASK_ADMIN) {
		q->text.data = rest.p;
		q->text.data_len = rest.len;
		return true;
	}
	if (!take(&rest, 2, &p))
		return false;
	q->authority_len = (size_t)p[0] << 8 | p[1];
	if (q->authority_len > ASK_MAX_AUTHORITY ||
	    !take(&rest, q->authority_len, &p))
		return false;
	q->authority = (const char *)p;
	return take_certs(&rest, q) && fits_kind(q);
}

bool
ask_question_id(const unsigned char *frame, size_t frame_len,
    unsigned char id_r[ASK_ID_BYTES])
{
	unsigned char	sha256[SHA256_DIGEST_LENGTH];
	struct rest	rest;

	if (!open_frame(question_magic, frame, frame_len, &rest) ||
	    SHA256(rest.p, rest.len, sha256) == NULL)
		return false;
	memcpy(id_r, sha256, ASK_ID_BYTES);
	return true;
}

/* ----------------------------------------------------------------- replies */

static bool
is_result(unsigned byte, enum ask_result *result_r)
{
	switch ((enum ask_result)byte) {
	case ASK_NOTHING:
	case ASK_OCSP:
	case ASK_PUBLISHED:
	case ASK_TEXT:
		*result_r = (enum ask_result)byte;
		return true;
	}
	return false;
}

unsigned char *
ask_reply_make(const struct ask_reply *reply, size_t *len_r)
{
	unsigned char	*frame, *p;

	if (reply->payload.data_len > ASK_MAX_BYTES)
		return NULL;
	frame = new_frame(reply_magic, ASK_ID_BYTES + 1 +
	    reply->payload.data_len, &p, len_r);
	if (frame == NULL)
		return NULL;
	p = put_bytes(p, reply->id, ASK_ID_BYTES);
	*p++ = (unsigned char)reply->result;
	put_bytes(p, reply->payload.data, reply->payload.data_len);
	return frame;
}

bool
ask_reply_parse(const unsigned char *frame, size_t frame_len,
    struct ask_reply *reply)
{
	struct rest		 rest;
	const unsigned char	*p;

	memset(reply, 0, sizeof(*reply));
	if (!open_frame(reply_magic, frame, frame_len, &rest) ||
	    !take(&rest, ASK_ID_BYTES, &p))
		return false;
	memcpy(reply->id, p, ASK_ID_BYTES);
	if (!take(&rest, 1, &p) || !is_result(*p, &reply->result))
		return false;
	reply->payload.data = rest.p;
	reply->payload.data_len = rest.len;
	return true;
}
