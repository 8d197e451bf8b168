/*
 * hosts.c - which hosts do the policy and proven certificates of an authority name?
 */

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fetch_url.h"
#include "hosts.h"

static bool
have(const struct hosts *h, size_t authority, const char *name, unsigned port,
    bool usual)
{
	size_t	i;

	for (i = 0; i < h->num_items; i++)
		if (h->items[i].authority == authority &&
		    (h->items[i].port == port || usual) &&
		    strcasecmp(h->items[i].name, name) == 0)
			return true;
	return false;
}

void
hosts_add(struct hosts *h, size_t authority, const char *url)
{
	struct host	*grown;
	unsigned	 port;
	char		*name = fetch_host(url, &port);

	if (name == NULL || h->num_items == HOSTS_MAX ||
	    have(h, authority, name, port, false)) {
		free(name);
		return;
	}
	grown = reallocarray(h->items, h->num_items + 1, sizeof(*grown));
	if (grown == NULL) {
		free(name);
		return;
	}
	h->items = grown;
	h->items[h->num_items++] = (struct host){ authority, name, port };
}

bool
hosts_have(const struct hosts *h, size_t authority, const char *url)
{
	unsigned	 port;
	char		*name = fetch_host(url, &port);
	bool		 yes = name != NULL && have(h, authority, name, port,
			    port == 80 || port == 443);

	free(name);
	return yes;
}

void
hosts_clear(struct hosts *h)
{
	size_t	i;

	for (i = 0; i < h->num_items; i++)
		free(h->items[i].name);
	free(h->items);
	memset(h, 0, sizeof(*h));
}
