/*
 * certauth_login_output.c - where in a session's output may a line of ours stand?
 *
 * After the login the login process only passes bytes on: the mail process writes,
 * TLS is ours. This stream lies on top of TLS, counts lines and literals as they go
 * by, and when it is told to, says last words at the next place where a line may
 * begin, and lets nothing through after them. It changes nothing before.
 *
 * What it cannot read (IMAP COMPRESS) has no such place: then it says nothing.
 */

#include "login-common.h"
#include "ostream-private.h"
#include "certauth_login_plugin.h"

/* A literal's length of more digits is none. */
#define CERTAUTH_MAX_DIGITS 18

/* How far in a line: `{`, digits, `}`, CR; then LF makes it a literal. */
enum certauth_brace { BRACE_NONE, BRACE_OPEN, BRACE_CLOSED, BRACE_CR };

struct certauth_place {
	enum certauth_brace brace;
	unsigned int digits;
	uint64_t number;
	/* bytes of a literal that are still to come */
	uint64_t literal;
	/* place in the line; SMTP: 4th byte `-`, the reply goes on */
	unsigned int column;
	bool goes_on;
	/* a line may begin here */
	bool free;
	/* these are no lines */
	bool opaque;
};

struct certauth_ostream {
	struct ostream_private ostream;
	struct certauth_place place;
	bool smtp;
	char *last_words;
	bool said;
};

static void
certauth_place_byte(struct certauth_ostream *cstream,
		    struct certauth_place *place, unsigned char c)
{
	if (place->literal > 0) {
		place->literal--;
		return;
	}
	if (c == '\n') {
		if (place->brace == BRACE_CLOSED || place->brace == BRACE_CR)
			place->literal = place->number;
		else
			place->free = !place->goes_on;
		place->brace = BRACE_NONE;
		place->column = 0;
		place->goes_on = FALSE;
		return;
	}
	place->free = FALSE;
	if (c < ' ' && c != '\r' && c != '\t')
		place->opaque = TRUE;
	if (cstream->smtp) {
		if (++place->column == 4)
			place->goes_on = c == '-';
		return;
	}
	if (c == '{') {
		place->brace = BRACE_OPEN;
		place->number = place->digits = 0;
	} else if (place->brace == BRACE_OPEN && c >= '0' && c <= '9' &&
		   place->digits < CERTAUTH_MAX_DIGITS) {
		place->number = place->number * 10 + (c - '0');
		place->digits++;
	} else if (place->brace == BRACE_OPEN && c == '}' && place->digits > 0)
		place->brace = BRACE_CLOSED;
	else if (place->brace == BRACE_CLOSED && c == '\r')
		place->brace = BRACE_CR;
	else
		place->brace = BRACE_NONE;
}

/* Over `size` bytes, or up to the first free place. How many it were. */
static size_t
certauth_place_move(struct certauth_ostream *cstream,
		    struct certauth_place *place, const unsigned char *data,
		    size_t size, bool stop)
{
	size_t i = 0;

	while (i < size && !(stop && place->free))
		certauth_place_byte(cstream, place, data[i++]);
	return i;
}

static void certauth_output_say(struct certauth_ostream *cstream)
{
	cstream->said = TRUE;
	o_stream_nsend_str(cstream->ostream.parent, cstream->last_words);
}

/* Up to the place for the last words; what follows is dropped. */
static ssize_t
certauth_output_send_last(struct certauth_ostream *cstream,
			  const struct const_iovec *iov, unsigned int count)
{
	ssize_t ret, sent = 0;
	unsigned int i;

	for (i = 0; i < count; i++) {
		struct certauth_place ahead = cstream->place;
		size_t size = certauth_place_move(cstream, &ahead,
			iov[i].iov_base, iov[i].iov_len, TRUE);

		ret = o_stream_send(cstream->ostream.parent, iov[i].iov_base,
				    size);
		if (ret < 0)
			return sent > 0 ? sent : -1;
		(void)certauth_place_move(cstream, &cstream->place,
			iov[i].iov_base, (size_t)ret, FALSE);
		sent += ret;
		if ((size_t)ret < size)
			return sent;
		if (cstream->place.free && !cstream->place.opaque) {
			certauth_output_say(cstream);
			/* as if all had gone out */
			for (sent = 0, i = 0; i < count; i++)
				sent += (ssize_t)iov[i].iov_len;
			return sent;
		}
		if (size < iov[i].iov_len) {
			/* a place, but unreadable: it ends without words */
			return sent;
		}
	}
	return sent;
}

static ssize_t
certauth_output_sendv(struct ostream_private *stream,
		      const struct const_iovec *iov, unsigned int iov_count)
{
	struct certauth_ostream *cstream =
		container_of(stream, struct certauth_ostream, ostream);
	ssize_t ret, left;
	unsigned int i;

	if (cstream->said) {
		for (ret = 0, i = 0; i < iov_count; i++)
			ret += (ssize_t)iov[i].iov_len;
	} else if (cstream->last_words != NULL && !cstream->place.opaque) {
		ret = certauth_output_send_last(cstream, iov, iov_count);
	} else {
		ret = o_stream_sendv(stream->parent, iov, iov_count);
		for (left = ret, i = 0; i < iov_count && left > 0; i++) {
			size_t size = I_MIN(iov[i].iov_len, (size_t)left);

			(void)certauth_place_move(cstream, &cstream->place,
				iov[i].iov_base, size, FALSE);
			left -= (ssize_t)size;
		}
	}
	if (ret < 0) {
		o_stream_copy_error_from_parent(stream);
		return -1;
	}
	stream->ostream.offset += (uoff_t)ret;
	return ret;
}

static void certauth_output_destroy(struct iostream_private *stream)
{
	struct certauth_ostream *cstream =
		container_of(stream, struct certauth_ostream, ostream.iostream);

	i_free(cstream->last_words);
	o_stream_unref(&cstream->ostream.parent);
}

struct ostream *certauth_output_create(struct ostream *parent)
{
	struct certauth_ostream *cstream = i_new(struct certauth_ostream, 1);
	struct ostream *output;

	/* all that the login process says are whole lines */
	cstream->place.free = TRUE;
	cstream->smtp = strcmp(login_binary->protocol, "submission") == 0;
	cstream->ostream.sendv = certauth_output_sendv;
	cstream->ostream.iostream.destroy = certauth_output_destroy;
	output = o_stream_create(&cstream->ostream, parent,
				 o_stream_get_fd(parent));
	o_stream_set_no_error_handling(output, TRUE);
	return output;
}

bool certauth_output_end(struct ostream *output, const char *last_words)
{
	struct certauth_ostream *cstream =
		container_of(output->real_stream, struct certauth_ostream,
			     ostream);

	if (cstream->last_words == NULL) {
		cstream->last_words = i_strdup(last_words);
		if (cstream->place.free && !cstream->place.opaque)
			certauth_output_say(cstream);
	}
	return cstream->said;
}
