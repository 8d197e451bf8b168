/* fetch_url.h - private to fetch.c: shapes of URLs, addresses of proxies. */
#ifndef REFRESHER_FETCH_URL_H
#define REFRESHER_FETCH_URL_H

#include <stdbool.h>
#include <stddef.h>

#include <sys/socket.h>

#define PROXIES_MAX	32

struct proxies {
	struct sockaddr_storage	items[PROXIES_MAX];
	bool			https[PROXIES_MAX];	/* for these, else http: */
	size_t			num_items;
};
/* Those that the environment names, looked up once: this may wait for DNS. */
void	proxies_find(struct proxies *);
/* Is it one through which this URL is fetched? */
bool	proxies_have(const struct proxies *, const char *url,
	    const struct sockaddr *);

/* Is there a regular file? A FIFO would never end, a folder is listed. */
bool	fetch_file_ok(const char *url, const char **why_r);
bool	fetch_is_ldap(const char *url);
/* scheme://host:port, the caller frees with free(); NULL: no such thing. */
char   *fetch_origin(const char *url);
/* The host of an http: or https: URL, likewise, and its port. */
char   *fetch_host(const char *url, unsigned *port_r);

#endif
