/*
 * kept.c - which replies were given lately?
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
