/*
 * hosts.h - which hosts do the policy and proven certificates of an authority name?
 *
 * A stranger's certificate may say where its issuer's certificate lies; it is
 * looked for only where that authority is at home.
 */
#ifndef REFRESHER_HOSTS_H
#define REFRESHER_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

#define HOSTS_MAX	4096

struct hosts {
	struct host { size_t authority; char *name; unsigned port; } *items;
	size_t	num_items;
};

void	hosts_add(struct hosts *, size_t authority, const char *url);
/* The host, and its port or the usual one: the CA's printer is not meant. */
bool	hosts_have(const struct hosts *, size_t authority, const char *url);
void	hosts_clear(struct hosts *);

#endif
