/*
 * kept.c - replies given lately, and the certificates asked about lately.
 *
 * Plain arrays under ceilings: a few thousand ids are compared in microseconds,
 * and nothing here grows with what strangers do.
 */

#include <stdlib.h>
#include <string.h>

#include "kept.h"

struct answer {
	unsigned char	 id[ASK_ID_BYTES];
	enum ask_result	 result;
	unsigned char	*payload;
	size_t		 payload_len;
	int64_t		 expires;	/* ticks */
};

struct kept {
	struct answer	 items[KEPT_MAX];
	size_t		 num_items, next, bytes;
};

struct kept *
kept_new(void)
{
	return calloc(1, sizeof(struct kept));
}

static void
empty(struct kept *a, struct answer *item)
{
	a->bytes -= item->payload_len;
	free(item->payload);
	memset(item, 0, sizeof(*item));
}

void
kept_clear(struct kept *a)
{
	size_t	i;

	for (i = 0; i < a->num_items; i++)
		empty(a, &a->items[i]);
	a->num_items = a->next = 0;
}

void
kept_free(struct kept *a)
{
	if (a == NULL)
		return;
	kept_clear(a);
	free(a);
}

static struct answer *
find_answer(struct kept *a, const unsigned char id[ASK_ID_BYTES])
{
	size_t	i;

	for (i = 0; i < a->num_items; i++)
		if (memcmp(a->items[i].id, id, ASK_ID_BYTES) == 0)
			return &a->items[i];
	return NULL;
}

bool
kept_find(struct kept *a, const unsigned char id[ASK_ID_BYTES],
    int64_t ticks, enum ask_result *result_r, const unsigned char **payload_r,
    size_t *payload_len_r)
{
	struct answer	*item = find_answer(a, id);

	if (item == NULL || item->expires <= ticks)
		return false;
	*result_r = item->result;
	*payload_r = item->payload;
	*payload_len_r = item->payload_len;
	return true;
}

void
kept_add(struct kept *a, const unsigned char id[ASK_ID_BYTES],
    enum ask_result result, const void *payload, size_t payload_len,
    int64_t expires)
{
	struct answer	*item = find_answer(a, id);
	unsigned char	*copy;

	if (payload_len > KEPT_MAX_BYTES / 2)
		return;
	copy = malloc(payload_len + 1);
	if (copy == NULL)
		return;
	if (payload_len > 0)
		memcpy(copy, payload, payload_len);
	if (item == NULL && a->num_items < KEPT_MAX)
		item = &a->items[a->num_items++];
	if (item == NULL) {
		/* The oldest makes room. */
		item = &a->items[a->next];
		a->next = (a->next + 1) % KEPT_MAX;
	}
	empty(a, item);
	while (a->bytes + payload_len > KEPT_MAX_BYTES) {
		empty(a, &a->items[a->next]);
		a->next = (a->next + 1) % a->num_items;
	}
	memcpy(item->id, id, ASK_ID_BYTES);
	item->result = result;
	item->payload = copy;
	item->payload_len = payload_len;
	item->expires = expires;
	a->bytes += payload_len;
}

/* -------------------------------------------------------------------- known */

struct certificate {
	unsigned char	 id[ASK_ID_BYTES];
	unsigned char	*frame;		/* of the question; NULL: free */
	size_t		 frame_len;
	int64_t		 seen, next;
};

struct known {
	struct certificate	items[KNOWN_MAX];
	size_t			num_items, bytes;
};

struct known *
known_new(void)
{
	return calloc(1, sizeof(struct known));
}

static void
forget(struct known *k, struct certificate *c)
{
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
		if (frame == NULL || k->bytes + len > KNOWN_MAX_BYTES ||
		    (c = place(k)) == NULL) {
			free(frame);
			return;
		}
		c->frame = frame;
		c->frame_len = len;
		k->bytes += len;
		memcpy(c->id, id, ASK_ID_BYTES);
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
