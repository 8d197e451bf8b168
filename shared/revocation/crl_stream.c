/*
 * crl_stream.c - reads a long CRL once, piece by piece: hashed, decoded and
 * staged while each piece is in the processor's cache.
 *
 * The last part is read first, because extensions say how entries are to be read.
 * Everything is read into private memory, and what is decoded is what is hashed: a
 * file that changes meanwhile can only fail its signature. The
 * signature itself is crl_sign.c's.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/text.h"
#include "revocation/crl_stream.h"
#include "revocation/der.h"

/* In front of the entries: two times, two algorithms, a name. */
#define HEAD		((size_t)64 * 1024)
/* Behind the entries: extensions and signature. */
#define MAX_TAIL	((size_t)1024 * 1024)
/* Fits into a processor's second cache. */
#define PIECE		((size_t)256 * 1024)
/* Signals that may interrupt one read. */
#define MAX_INTERRUPTS	1000u

static bool
read_at(int fd, unsigned char *to, size_t len, size_t at,
    struct certauth_error *error_r)
{
	unsigned	interrupts = 0;
	ssize_t		n;

	while (len > 0) {
		n = pread(fd, to, len, (off_t)at);
		if (n < 0 && errno == EINTR && ++interrupts < MAX_INTERRUPTS)
			continue;
		if (n <= 0) {
			error_set(error_r, NULL, 0, "cannot be read: %s",
			    n == 0 ? "cut short while it was read" :
			    strerror(errno));
			return false;
		}
		to += n;
		at += (size_t)n;
		len -= (size_t)n;
	}
	return true;
}

/*
 * Where the entries are, from the first `head` bytes of `len`. What is behind the
 * head is memory of zeros that is never taken for the list: every element that is
 * stepped into or over to a next one begins in the head.
 */
static bool
find_entries(const unsigned char *map, size_t head, size_t len, size_t *begin_r,
    size_t *end_r)
{
	struct der	in = { map, map + len }, list, tbs, value;
	unsigned	i, tag;

	if (!der_take(&in, TAG_SEQUENCE, &list) || in.p != in.end ||
	    !der_take(&list, TAG_SEQUENCE, &tbs))
		return false;
	/* version, signature, issuer, thisUpdate, nextUpdate; two of them may
	 * be missing */
	for (i = 0; i < 6; i++) {
		if (tbs.p + 8 > map + head || !der_take_any(&tbs, &tag, &value))
			return false;
		/* algorithm, name and a time are in front of them */
		if (i >= 3 && tag == TAG_SEQUENCE) {
			*begin_r = (size_t)(value.p - map);
			*end_r = (size_t)(value.end - map);
			return *begin_r <= head && *end_r >= head;
		}
	}
	return false;
}

/* Everything but the entries, at the addresses it would have in memory. */
static enum crl_streamed
read_frame(struct crl_stream *stream, int fd, struct crl *crl,
    struct certauth_error *error_r)
{
	size_t	begin, end;

	if (!read_at(fd, stream->map, HEAD, 0, error_r))
		return CRL_STREAM_BAD;
	if (!find_entries(stream->map, HEAD, stream->len, &begin, &end) ||
	    stream->len - end > MAX_TAIL)
		return CRL_STREAM_OTHER;
	if (!read_at(fd, stream->map + end, stream->len - end, end, error_r) ||
	    !crl_parse_frame(crl, stream->map, stream->len, error_r))
		return CRL_STREAM_BAD;
	/* both have walked the same bytes */
	if (crl->entries != stream->map + begin ||
	    crl->entries_len != end - begin || crl->indirect)
		return CRL_STREAM_OTHER;
	return CRL_STREAM_TAKEN;
}

/* A piece of the file, and of its end what belongs to the next entry. */
struct piece {
	unsigned char	*data;
	size_t		 len;
	size_t		 at;		/* in the file, of what comes next */
	size_t		 left;		/* in the file, of the entries */
};

static bool
next_piece(struct piece *piece, int fd, const unsigned char *rest,
    EVP_MD_CTX *ctx, struct certauth_error *error_r)
{
	size_t	keep = (size_t)(piece->data + piece->len - rest);
	size_t	n = piece->left < PIECE ? piece->left : PIECE;

	memmove(piece->data, rest, keep);
	if (!read_at(fd, piece->data + keep, n, piece->at, error_r))
		return false;
	if (EVP_DigestUpdate(ctx, piece->data + keep, n) != 1) {
		error_set(error_r, NULL, 0, "the digest failed");
		return false;
	}
	piece->len = keep + n;
	piece->at += n;
	piece->left -= n;
	return true;
}

/* All entries that are whole in the piece, or the last ones. */
static bool
take_entries(struct crl *crl, const struct piece *piece,
    const unsigned char **rest_r, struct stage *stage,
    struct certauth_error *error_r)
{
	struct crl_entry	 entry = { 0 };
	const unsigned char	*p = piece->data, *end = p + piece->len;

	while (p < end && ((size_t)(end - p) >= CRL_MAX_ENTRY_BYTES ||
	    piece->left == 0)) {
		if (!crl_entry_take(crl, &p, end, &entry, error_r))
			return false;
		if (!stage_add(stage, &entry)) {
			error_set(error_r, NULL, 0, "%s", stage->too_many ?
			    "the list is too long" : "out of memory");
			return false;
		}
		crl->num_entries++;
	}
	*rest_r = p;
	return true;
}

static bool
read_entries(const struct crl_stream *stream, int fd, struct crl *crl,
    struct stage *stage, EVP_MD_CTX *ctx, struct certauth_error *error_r)
{
	const unsigned char	*rest;
	struct piece		 piece = { 0 };
	bool			 ok = false;

	piece.data = malloc(PIECE + CRL_MAX_ENTRY_BYTES);
	if (piece.data == NULL) {
		error_set(error_r, NULL, 0, "out of memory");
		return false;
	}
	piece.at = (size_t)(crl->entries - stream->map);
	piece.left = crl->entries_len;
	rest = piece.data;
	while (piece.left > 0)
		if (!next_piece(&piece, fd, rest, ctx, error_r) ||
		    !take_entries(crl, &piece, &rest, stage, error_r))
			goto out;
	ok = true;
out:
	free(piece.data);
	return ok;
}

/* Head, entries, tail: in the order in which they were signed. */
static bool
read_signed(const struct crl_stream *stream, int fd, struct crl *crl,
    struct stage *stage, const EVP_MD *md, struct certauth_error *error_r)
{
	const unsigned char	*behind = crl->entries + crl->entries_len;
	EVP_MD_CTX		*ctx = EVP_MD_CTX_new();
	unsigned		 len = 0;
	bool			 ok = false;

	if (ctx == NULL || EVP_DigestInit_ex(ctx, md, NULL) != 1 ||
	    EVP_DigestUpdate(ctx, crl->tbs,
	    (size_t)(crl->entries - crl->tbs)) != 1) {
		error_set(error_r, NULL, 0, "the digest failed");
		goto out;
	}
	if (!read_entries(stream, fd, crl, stage, ctx, error_r))
		goto out;
	if (EVP_DigestUpdate(ctx, behind,
	    (size_t)(crl->tbs + crl->tbs_len - behind)) != 1 ||
	    EVP_DigestFinal_ex(ctx, crl->digest, &len) != 1) {
		error_set(error_r, NULL, 0, "the digest failed");
		goto out;
	}
	crl->digest_len = len;
	ok = true;
out:
	EVP_MD_CTX_free(ctx);
	return ok;
}

enum crl_streamed
crl_stream_read(struct crl_stream *stream, int fd, size_t len, struct crl *crl,
    struct stage *stage, struct certauth_error *error_r)
{
	const EVP_MD		*md;
	enum crl_streamed	 answer;

	memset(stream, 0, sizeof(*stream));
	if (len < CRL_STREAM_LEAST)
		return CRL_STREAM_OTHER;
	/* Addresses, not memory: what is never read into is never there. */
	stream->map = mmap(NULL, len, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (stream->map == MAP_FAILED) {
		stream->map = NULL;
		return CRL_STREAM_OTHER;
	}
	stream->len = len;
	answer = read_frame(stream, fd, crl, error_r);
	if (answer != CRL_STREAM_TAKEN)
		return answer;
	md = crl_digest(crl, NULL);
	if (md == NULL || EVP_MD_get_size(md) > CRL_MAX_DIGEST)
		return CRL_STREAM_OTHER;
	return read_signed(stream, fd, crl, stage, md, error_r) ?
	    CRL_STREAM_TAKEN : CRL_STREAM_BAD;
}

void
crl_stream_free(struct crl_stream *stream)
{
	if (stream->map != NULL)
		munmap(stream->map, stream->len);
	memset(stream, 0, sizeof(*stream));
}
