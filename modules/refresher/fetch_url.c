/*
 * fetch_url.c - what is wrong with this URL, and which addresses are proxies?
 *
 * A proxy of the environment is the administrator's: it may be private.
 */

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <netinet/in.h>
#include <sys/stat.h>

#include <curl/curl.h>

#include "address.h"
#include "fetch.h"
#include "fetch_url.h"

#define MAX_URL			4096

/* -------------------------------------------------------------------- URLs */

static const char *
look_at(CURLU *u, const char *url, bool own, bool private_ok, bool ldap)
{
	char		*scheme = NULL, *host = NULL, *user = NULL;
	const char	*why = NULL;

	if (strlen(url) > MAX_URL)
		return "is too long";
	if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK)
		return "is no URL";
	if (strcasecmp(scheme, "file") == 0) {
		if (!own)
			why = "is a file, which a certificate cannot ask for";
		goto out;
	}
	if (strcasecmp(scheme, "http") != 0 && strcasecmp(scheme, "https") != 0 &&
	    !(ldap && fetch_is_ldap(url)))
		why = fetch_is_ldap(url) ?
		    "is ldap:, which is not fetched; name an http: URL in "
		    "crl_urls, or set ldap = true" :
		    "is neither http: nor https:";
	/* libcurl takes http:///name for http://name/; nobody else does. */
	else if (strstr(url, ":///") != NULL ||
	    curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK)
		why = "has no host";
	else if (curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK && !own)
		why = "has a user name";
	else if (!own && !private_ok && !address_host_public(host))
		why = "leads to a private address";
out:
	curl_free(scheme);
	curl_free(host);
	curl_free(user);
	return why;
}

bool
fetch_url_ok(const char *url, bool own, bool private_ok, bool ldap,
    const char **why_r)
{
	CURLU	*u = curl_url();

	*why_r = u == NULL ? "cannot be looked at" :
	    look_at(u, url, own, private_ok, ldap);
	curl_url_cleanup(u);
	return *why_r == NULL;
}

bool
fetch_file_ok(const char *url, const char **why_r)
{
	struct stat	 st;
	CURLU		*u = curl_url();
	char		*path = NULL;

	*why_r = NULL;
	if (u == NULL || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_PATH, &path, CURLU_URLDECODE) != CURLUE_OK)
		*why_r = "no path";
	else if (stat(path, &st) != 0)
		*why_r = errno == ENOENT ? "No such file or directory" :
		    errno == EACCES ? "Permission denied" : "cannot be read";
	else if (!S_ISREG(st.st_mode))
		*why_r = "is no regular file";
	curl_free(path);
	curl_url_cleanup(u);
	return *why_r == NULL;
}

bool
fetch_is_ldap(const char *url)
{
	return strncasecmp(url, "ldap:", 5) == 0 ||
	    strncasecmp(url, "ldaps:", 6) == 0;
}

char *
fetch_origin(const char *url)
{
	CURLU	*u = curl_url();
	char	*scheme = NULL, *host = NULL, *port = NULL, *text = NULL;

	if (u != NULL && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ==
	    CURLUE_OK && asprintf(&text, "%s://%s:%s", scheme, host, port) < 0)
		text = NULL;
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
	return text;
}

char *
fetch_host(const char *url, unsigned *port_r)
{
	CURLU	*u = curl_url();
	char	*host = NULL, *port = NULL, *copy = NULL;

	*port_r = 0;
	if (u != NULL && strncasecmp(url, "http", 4) == 0 &&
	    curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ==
	    CURLUE_OK) {
		*port_r = (unsigned)strtoul(port, NULL, 10);
		copy = strdup(host);
	}
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
	return copy;
}

/* ----------------------------------------------------------------- proxies */

static bool
same_address(const struct sockaddr *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in	*a4, *b4;
	const struct sockaddr_in6	*a6, *b6;

	if (a->sa_family != b->ss_family)
		return false;
	if (a->sa_family == AF_INET) {
		a4 = (const struct sockaddr_in *)(const void *)a;
		b4 = (const struct sockaddr_in *)(const void *)b;
		return a4->sin_port == b4->sin_port &&
		    a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	}
	a6 = (const struct sockaddr_in6 *)(const void *)a;
	b6 = (const struct sockaddr_in6 *)(const void *)b;
	return a->sa_family == AF_INET6 && a6->sin6_port == b6->sin6_port &&
	    memcmp(&a6->sin6_addr, &b6->sin6_addr, 16) == 0;
}

/* False: the variable is not set. */
static bool
add_proxy(struct proxies *p, const char *variable, bool https)
{
	const char	*url = getenv(variable);
	struct addrinfo	 hints = { .ai_socktype = SOCK_STREAM }, *list = NULL, *a;
	char		*host = NULL, *port = NULL;
	CURLU		*u = curl_url();

	if (url != NULL && url[0] != '\0' && u != NULL &&
	    curl_url_set(u, CURLUPART_URL, url, CURLU_DEFAULT_SCHEME |
	    CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
		/* 1080 is what libcurl takes for a proxy without a port. */
		if (curl_url_get(u, CURLUPART_PORT, &port, 0) != CURLUE_OK)
			port = NULL;
		if (getaddrinfo(host, port != NULL ? port : "1080", &hints,
		    &list) != 0)
			list = NULL;
	}
	for (a = list; a != NULL && p->num_items < PROXIES_MAX;
	    a = a->ai_next)
		if (a->ai_addrlen <= sizeof(p->items[0])) {
			p->https[p->num_items] = https;
			memcpy(&p->items[p->num_items++], a->ai_addr,
			    a->ai_addrlen);
		}
	if (list != NULL)
		freeaddrinfo(list);
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
	return url != NULL && url[0] != '\0';
}

/* As libcurl chooses: HTTP_PROXY is a header of CGI, and nobody's setting. */
void
proxies_find(struct proxies *p)
{
	memset(p, 0, sizeof(*p));
	if (!add_proxy(p, "http_proxy", false) &&
	    !add_proxy(p, "all_proxy", false))
		(void)add_proxy(p, "ALL_PROXY", false);
	if (!add_proxy(p, "https_proxy", true) &&
	    !add_proxy(p, "HTTPS_PROXY", true) &&
	    !add_proxy(p, "all_proxy", true))
		(void)add_proxy(p, "ALL_PROXY", true);
}

bool
proxies_have(const struct proxies *p, const char *url,
    const struct sockaddr *address)
{
	bool	https = strncasecmp(url, "https:", 6) == 0;
	size_t	i;

	if (!https && strncasecmp(url, "http:", 5) != 0)
		return false;
	for (i = 0; i < p->num_items; i++)
		if (p->https[i] == https && same_address(address, &p->items[i]))
			return true;
	return false;
}
