/*
 * known.c - which certificates were asked about lately, and when is the next answer
 * of each to be fetched?
 *
 * A plain array under ceilings, and a file of lines, so that a restart does not
 * leave everybody to wait. Proves nothing: each question is looked at like a
 * server's.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "known.h"

/* Two numbers, two blanks, the line's end. */
#define LINE_SPARE	48u

struct certificate {
	unsigned char	 id[ASK_ID_BYTES];
	unsigned char	*frame;		/* of the question; NULL: free */
	size_t		 frame_len;
	int64_t		 seen, next;
};

struct known {
	struct certificate	items[KNOWN_MAX];
	size_t			num_items, bytes;
	bool			changed;	/* the file lacks some, or has others */
};

struct known *
known_new(void)
{
	return calloc(1, sizeof(struct known));
}

static void
forget(struct known *k, struct certificate *c)
{
	if (c->frame != NULL)
		k->changed = true;
	k->bytes -= c->frame_len;
	free(c->frame);
	memset(c, 0, sizeof(*c));
}

void
known_free(struct known *k)
{
	size_t	i;

	if (k == NULL)
		return;
	for (i = 0; i < k->num_items; i++)
		forget(k, &k->items[i]);
	free(k);
}

size_t
known_count(const struct known *k)
{
	size_t	i, n = 0;

	for (i = 0; i < k->num_items; i++)
		n += k->items[i].frame != NULL;
	return n;
}

static struct certificate *
find_known(struct known *k, const unsigned char id[ASK_ID_BYTES])
{
	size_t	i;

	for (i = 0; i < k->num_items; i++)
		if (k->items[i].frame != NULL &&
		    memcmp(k->items[i].id, id, ASK_ID_BYTES) == 0)
			return &k->items[i];
	return NULL;
}

/* A free place, or that of the one that nobody asked about for longest. */
static struct certificate *
place(struct known *k)
{
	struct certificate	*oldest = NULL, *c;
	size_t			 i;

	for (i = 0; i < k->num_items; i++) {
		c = &k->items[i];
		if (c->frame == NULL)
			return c;
		if (oldest == NULL || c->seen < oldest->seen)
			oldest = c;
	}
	if (k->num_items < KNOWN_MAX)
		return &k->items[k->num_items++];
	if (oldest != NULL)
		forget(k, oldest);
	return oldest;
}

/* After three quarters of what the answer has left, not all in one second. */
static int64_t
ahead(int64_t now, int64_t until, uint32_t random)
{
	int64_t	left = until - now, at = left - left / 4;

	if (left <= 0)
		return now + KNOWN_RETRY;
	if (left >= 40)
		at -= (int64_t)(random % (uint64_t)(left / 10));
	return now + (at > 1 ? at : 1);
}

/* Takes the frame over. NULL: there is no room. */
static struct certificate *
add(struct known *k, const unsigned char id[ASK_ID_BYTES], unsigned char *frame,
    size_t len)
{
	struct certificate	*c = NULL;

	if (k->bytes + len > KNOWN_MAX_BYTES || (c = place(k)) == NULL) {
		free(frame);
		return NULL;
	}
	c->frame = frame;
	c->frame_len = len;
	k->bytes += len;
	memcpy(c->id, id, ASK_ID_BYTES);
	k->changed = true;
	return c;
}

void
known_keep(struct known *k, const unsigned char id[ASK_ID_BYTES],
    const struct ask_question *question, int64_t now, int64_t until,
    uint32_t random)
{
	struct certificate	*c = find_known(k, id);
	unsigned char		*frame;
	size_t			 len;

	if (c == NULL) {
		frame = ask_question_make(question, &len);
		if (frame == NULL || (c = add(k, id, frame, len)) == NULL)
			return;
	}
	c->seen = now;
	c->next = ahead(now, until, random);
}

bool
known_due(struct known *k, int64_t now, struct ask_question *question_r,
    unsigned char id_r[ASK_ID_BYTES])
{
	struct certificate	*c;
	size_t			 i;

	for (i = 0; i < k->num_items; i++) {
		c = &k->items[i];
		if (c->frame == NULL || c->next > now)
			continue;
		if (c->seen + KNOWN_SECONDS < now ||
		    !ask_question_parse(c->frame, c->frame_len, question_r)) {
			forget(k, c);
			continue;
		}
		c->next = now + KNOWN_RETRY;
		memcpy(id_r, c->id, ASK_ID_BYTES);
		return true;
	}
	return false;
}

void
known_fetched(struct known *k, const unsigned char id[ASK_ID_BYTES], int64_t now,
    int64_t until, uint32_t random)
{
	struct certificate	*c = find_known(k, id);

	if (c != NULL)
		c->next = ahead(now, until, random);
}

/* ---------------------------------------------------------------- the file */

bool
known_changed(const struct known *k)
{
	return k->changed;
}

/* One line, "SEEN NEXT QUESTION", the question in base64. Its length. */
static size_t
print_line(const struct certificate *c, char *at, size_t size)
{
	int	n = snprintf(at, size, "%" PRId64 " %" PRId64 " ", c->seen, c->next);

	n += EVP_EncodeBlock((unsigned char *)at + n, c->frame,
	    (int)c->frame_len);
	at[n++] = '\n';
	return (size_t)n;
}

char *
known_print(struct known *k, size_t *len_r)
{
	size_t	 i, size = 1, len = 0;
	char	*text;

	for (i = 0; i < k->num_items; i++)
		if (k->items[i].frame != NULL)
			size += LINE_SPARE + (k->items[i].frame_len + 2) / 3 * 4;
	text = malloc(size);
	if (text == NULL)
		return NULL;
	for (i = 0; i < k->num_items; i++)
		if (k->items[i].frame != NULL)
			len += print_line(&k->items[i], text + len, size - len);
	*len_r = len;
	k->changed = false;
	return text;
}

/* The question at the end of a line; NULL: it is none. */
static unsigned char *
read_frame(const char *text, size_t text_len, size_t *len_r)
{
	struct ask_question	 question;
	unsigned char		*frame;
	size_t			 padding = 0;
	int			 n;

	if (text_len == 0 || text_len % 4 != 0 ||
	    text_len > (ASK_HEADER_BYTES + ASK_MAX_BYTES + 2) / 3 * 4)
		return NULL;
	while (padding < 2 && text[text_len - 1 - padding] == '=')
		padding++;
	frame = malloc(text_len / 4 * 3);
	if (frame == NULL)
		return NULL;
	n = EVP_DecodeBlock(frame, (const unsigned char *)text, (int)text_len);
	*len_r = n > 0 ? (size_t)n - padding : 0;
	if (n > 0 && ask_question_parse(frame, *len_r, &question) &&
	    question.kind == ASK_STATUS)
		return frame;
	free(frame);
	return NULL;
}

static void
take_line(struct known *k, char *line, int64_t now)
{
	unsigned char		 id[ASK_ID_BYTES], *frame;
	struct certificate	*c;
	char			*end;
	size_t			 len;
	int64_t			 seen = strtoll(line, &end, 10), next;

	if (*end++ != ' ' || seen > now || seen + KNOWN_SECONDS < now)
		return;
	next = strtoll(end, &end, 10);
	if (*end++ != ' ' || k->num_items == KNOWN_MAX)
		return;
	frame = read_frame(end, strlen(end), &len);
	if (frame == NULL)
		return;
	if (!ask_question_id(frame, len, id) || find_known(k, id) != NULL) {
		free(frame);
		return;
	}
	c = add(k, id, frame, len);
	if (c == NULL)
		return;
	c->seen = seen;
	c->next = next;
}

void
known_read(struct known *k, char *text, int64_t now)
{
	char	*line;

	while ((line = strsep(&text, "\n")) != NULL)
		take_line(k, line, now);
	k->changed = false;
}
