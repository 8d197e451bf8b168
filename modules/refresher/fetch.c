/*
 * fetch.c - gets what lies at a URL, within ceilings, without waiting.
 *
 * A URL out of a certificate is a stranger's wish. It may lead to a public
 * address over http: or https: alone; what is looked at is the address that the
 * socket is opened for, after DNS and for each redirect. Redirects are followed
 * here and not by libcurl, so that each step is looked at like the first. No
 * connection is used twice: one that was opened for an administrator's URL would
 * otherwise serve a stranger's.
 *
 * Proxies of the environment (http_proxy, https_proxy, all_proxy, no_proxy) are
 * used. Behind one the names are resolved elsewhere; what is looked at then is a
 * host written as a number and "localhost".
 *
 * Over ldap: libcurl makes the connection too, through the same look at its
 * address; referrals are not followed. libldap reads a whole message into memory
 * before libcurl sees a byte of it, so what counts there is what the socket has
 * received.
 *
 * Does not know what the bytes mean, but which of an LDAP entry's are the list.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <sys/socket.h>

#include <curl/curl.h>

#include "address.h"
#include "certauth_data.h"
#include "fetch.h"
#include "fetch_body.h"
#include "fetch_url.h"
#include "fetch_ldap.h"

#define CONNECT_SECONDS		10L
/* Slower than this for body_slow_seconds() is as good as dead. */
#define SLOW_BYTES		100L
/* Names and other attributes of an entry. */
#define LDAP_SPARE		65536u

struct transfer {
	struct transfer		*next;
	struct fetcher		*fetcher;
	struct fetch_request	 request;
	fetch_done_fn		*fn;
	void			*context;
	char			*url;		/* of this step */
	char			*origin;	/* scheme, host, port of the first */
	int			 fd;		/* -1: kept in memory */
	unsigned		 redirects;
	CURL			*easy;		/* NULL: not running */
	struct curl_slist	*headers;
	unsigned char		*data;
	size_t			 capacity;
	bool			 private_ok;	/* in this step */
	bool			 private_refused, too_big;
	bool			 ldap;		/* in this step */
	struct ldap_sockets	 sockets;
	char			 curl_error[CURL_ERROR_SIZE];
	struct fetch_result	 result;
};

struct fetcher {
	CURLM			*multi;
	struct transfer		*running, *waiting, **waiting_end;
	size_t			 num_running, num_waiting;
	size_t			 lists, small;	/* of those that run */
	/* of the environment's proxies */
	struct proxies		 proxies;
};

/* --------------------------------------------------------------- callbacks */

static curl_socket_t
open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct transfer	*t = context;
	bool		 allowed;
	int		 fd;

	if (purpose != CURLSOCKTYPE_IPCXN)
		return CURL_SOCKET_BAD;
	allowed = t->private_ok || address_public(&address->addr) ||
	    proxies_have(&t->fetcher->proxies, t->url, &address->addr);
	if (!allowed) {
		t->private_refused = true;
		return CURL_SOCKET_BAD;
	}
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC,
	    address->protocol);
	if (fd >= 0 && t->ldap && !ldap_watch(&t->sockets, fd)) {
		(void)close(fd);
		return CURL_SOCKET_BAD;
	}
	return fd;
}

static bool
keep(struct transfer *t, const char *data, size_t len)
{
	if (t->fd < 0 || t->ldap)
		return body_append(&t->data, &t->capacity, t->result.size, data,
		    len);
	if (certauth_write(t->fd, data, len))
		return true;
	snprintf(t->result.error, sizeof(t->result.error),
	    "cannot be written: %s", strerror(errno));
	return false;
}

/* base64 is a third longer; names and other attributes stand beside it. */
static size_t
body_max(const struct transfer *t)
{
	size_t	max = t->request.max;

	if (!t->ldap)
		return max;
	return (max < FETCH_MAX_LDAP ? max : FETCH_MAX_LDAP) / 3 * 4 + LDAP_SPARE;
}

static size_t
take_body(char *data, size_t one, size_t len, void *context)
{
	struct transfer	*t = context;
	long		 status = 0;

	(void)one;
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	/* The page behind a redirect or an error is nobody's. */
	if (status != 0 && status != 200) {
		t->result.size += len;
		if (t->result.size <= FETCH_MAX_OCSP)
			return len;
		t->too_big = true;
		return 0;
	}
	if (len > body_max(t) - t->result.size) {
		t->too_big = true;
		return 0;
	}
	if (!keep(t, data, len))
		return 0;
	t->result.size += len;
	return len;
}

static size_t
take_header(char *data, size_t one, size_t len, void *context)
{
	struct transfer	*t = context;

	(void)one;
	if (len > 5 && strncasecmp(data, "etag:", 5) == 0)
		body_validator(t->result.etag, data + 5, len - 5);
	else if (len > 14 && strncasecmp(data, "last-modified:", 14) == 0)
		body_validator(t->result.modified, data + 14, len - 14);
	return len;
}

/* --------------------------------------------------------------- transfers */

static void
free_transfer(struct transfer *t)
{
	curl_slist_free_all(t->headers);
	free(t->url);
	free(t->origin);
	free(t->data);
	free(t);
}

static void
finish(struct transfer *t)
{
	/* libcurl quotes servers: keep what it says printable. */
	unsigned char	*p;

	for (p = (unsigned char *)t->result.error; *p != '\0'; p++)
		if (*p < ' ' || *p >= 0x7f || *p == '"' || *p == '\\')
			*p = '?';
	t->result.data = t->data != NULL ? t->data : (const unsigned char *)"";
	t->result.data_len = t->fd < 0 && t->result.ok ?
	    t->result.size : 0;
	t->fn(t->context, &t->result);
	free_transfer(t);
}

static void fail(struct transfer *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
fail(struct transfer *t, const char *format, ...)
{
	va_list	ap;

	t->result.ok = t->result.not_modified = false;
	if (t->result.error[0] == '\0') {
		va_start(ap, format);
		(void)vsnprintf(t->result.error, sizeof(t->result.error),
		    format, ap);
		va_end(ap);
	}
	finish(t);
}

static bool
add_header(struct transfer *t, const char *name, const char *value)
{
	char			 line[FETCH_MAX_VALIDATOR + 64];
	struct curl_slist	*grown;

	if (value == NULL || value[0] == '\0')
		return true;
	(void)snprintf(line, sizeof(line), "%s: %s", name, value);
	grown = curl_slist_append(t->headers, line);
	if (grown == NULL)
		return false;
	t->headers = grown;
	return true;
}

#define SET(option, value) \
	(curl_easy_setopt(t->easy, CURLOPT_##option, value) == CURLE_OK)

static bool
set_options(struct transfer *t)
{
	const struct fetch_request	*r = &t->request;
	bool				 file = strncasecmp(t->url, "file:", 5) == 0;

	if (!SET(URL, t->url) || !SET(PRIVATE, t) || !SET(NOSIGNAL, 1L) ||
	    !SET(PROTOCOLS_STR, file ? "file" : t->ldap ? "ldap,ldaps" :
	    "http,https") || (t->ldap && !SET(NOPROXY, "*")) ||
	    !SET(FOLLOWLOCATION, 0L) || !SET(FORBID_REUSE, 1L) ||
	    !SET(FRESH_CONNECT, 1L) || !SET(ERRORBUFFER, t->curl_error) ||
	    !SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) ||
	    !SET(CONNECTTIMEOUT, CONNECT_SECONDS) || !SET(TIMEOUT, r->seconds) ||
	    /* A resolver that hangs is left behind, not waited for. */
	    !SET(QUICK_EXIT, 1L) ||
	    !SET(LOW_SPEED_LIMIT, SLOW_BYTES) ||
	    !SET(LOW_SPEED_TIME, body_slow_seconds()) ||
	    !SET(OPENSOCKETFUNCTION, open_socket) || !SET(OPENSOCKETDATA, t) ||
	    !SET(WRITEFUNCTION, take_body) || !SET(WRITEDATA, t) ||
	    !SET(HEADERFUNCTION, take_header) || !SET(HEADERDATA, t) ||
	    !SET(MAXFILESIZE_LARGE, (curl_off_t)body_max(t)) ||
	    !SET(USERAGENT, "certauth-refresher/" CERTAUTH_VERSION) ||
	    (r->ca_file != NULL && (!SET(CAINFO, r->ca_file) ||
	    !SET(CAPATH, NULL))))
		return false;
	if (r->post != NULL && (!SET(POSTFIELDSIZE_LARGE,
	    (curl_off_t)r->post_len) || !SET(POSTFIELDS, r->post) ||
	    !add_header(t, "Content-Type", r->type)))
		return false;
	return add_header(t, "If-None-Match", r->etag) &&
	    add_header(t, "If-Modified-Since", r->modified) &&
	    (t->headers == NULL || SET(HTTPHEADER, t->headers));
}

/* False: `t` is gone, its owner knows. */
static bool
run_step(struct transfer *t)
{
	struct fetcher	*f = t->fetcher;
	char		*origin = fetch_origin(t->url);
	const char	*why;
	bool		 own;

	/* What the administrator wrote is one place, not all it points to. */
	own = t->request.own && (t->redirects == 0 || (origin != NULL &&
	    t->origin != NULL && strcmp(origin, t->origin) == 0));
	t->private_ok = own || t->request.private_ok;
	free(origin);
	t->ldap = t->request.ldap && t->redirects == 0 && fetch_is_ldap(t->url);
	if (!fetch_url_ok(t->url, own && t->redirects == 0, t->private_ok,
	    t->ldap, &why)) {
		fail(t, "%s%s", t->redirects > 0 ? "the redirect's target " :
		    "the URL ", why);
		return false;
	}
	if (strncasecmp(t->url, "file:", 5) == 0 && !fetch_file_ok(t->url,
	    &why)) {
		fail(t, "%s", why);
		return false;
	}
	if (t->request.open != NULL && t->fd < 0 &&
	    (t->fd = t->request.open(t->context)) < 0) {
		fail(t, "cannot be written: %s", strerror(errno));
		return false;
	}
	t->result.size = 0;
	t->curl_error[0] = '\0';
	t->result.etag[0] = t->result.modified[0] = '\0';
	t->easy = curl_easy_init();
	if (t->easy == NULL || !set_options(t) ||
	    curl_multi_add_handle(f->multi, t->easy) != CURLM_OK) {
		curl_easy_cleanup(t->easy);
		t->easy = NULL;
		fail(t, "libcurl cannot do it");
		return false;
	}
	t->next = f->running;
	f->running = t;
	f->num_running++;
	*(t->request.open != NULL ? &f->lists : &f->small) += 1;
	return true;
}

/* Is there room, and has neither its authority nor its host had its share? */
static bool
has_turn(const struct fetcher *f, const struct transfer *t)
{
	const struct transfer	*other;
	bool			 list = t->request.open != NULL;
	size_t			 share = list ? FETCH_SHARE_LISTS :
				    FETCH_SHARE_SMALL;
	size_t			 same_authority = 0, same_host = 0;

	if (list ? f->lists >= FETCH_MAX_LISTS : f->small >= FETCH_MAX_SMALL)
		return false;
	for (other = f->running; other != NULL; other = other->next) {
		if ((other->request.open != NULL) != list)
			continue;
		same_authority += other->request.authority ==
		    t->request.authority;
		same_host += t->origin != NULL && other->origin != NULL &&
		    strcmp(t->origin, other->origin) == 0;
	}
	return same_authority < share && same_host < share;
}

static void
start_waiting(struct fetcher *f)
{
	struct transfer	**at = &f->waiting, *t;

	while ((t = *at) != NULL) {
		if (!has_turn(f, t)) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		if (t->next == NULL)
			f->waiting_end = at;
		f->num_waiting--;
		/* This may call somebody who starts another: from the front. */
		if (!run_step(t))
			at = &f->waiting;
	}
}

static void
leave(struct transfer *t)
{
	struct transfer	**at = &t->fetcher->running;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	t->fetcher->num_running--;
	*(t->request.open != NULL ? &t->fetcher->lists :
	    &t->fetcher->small) -= 1;
	curl_multi_remove_handle(t->fetcher->multi, t->easy);
	curl_easy_cleanup(t->easy);
	t->easy = NULL;
	curl_slist_free_all(t->headers);
	t->headers = NULL;
	ldap_unwatch(&t->sockets);
}

static void
redirect(struct transfer *t, const char *target, long status)
{
	char	*next = target != NULL ? strdup(target) : NULL;

	leave(t);
	if (next == NULL)
		fail(t, "HTTP %ld without a target", status);
	else if (t->request.post != NULL)
		fail(t, "HTTP %ld, a redirect of a question", status);
	else if (t->redirects++ == FETCH_MAX_REDIRECTS)
		fail(t, "more than %d redirects", FETCH_MAX_REDIRECTS);
	else {
		free(t->url);
		t->url = next;
		(void)run_step(t);
		return;
	}
	free(next);
}

/* The list out of the entry takes the place of what came. */
static void
ended_ldap(struct transfer *t)
{
	const char	*why = "";
	unsigned char	*der;
	size_t		 len;

	der = ldap_value(t->data, t->result.size, &len, &why);
	if (der == NULL) {
		fail(t, "%s", why);
		return;
	}
	free(t->data);
	t->data = NULL;
	t->capacity = t->result.size = 0;
	t->ldap = false;
	t->result.ok = keep(t, (const char *)der, len);
	t->result.size = len;
	free(der);
	if (t->result.ok)
		finish(t);
	else
		fail(t, "cannot be kept");
}

static void
ended(struct transfer *t, CURLcode code)
{
	long		 status = 0;
	char		*target = NULL;
	const char	*why;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &target);
	if (code == CURLE_OK && (status == 301 || status == 302 ||
	    status == 303 || status == 307 || status == 308)) {
		redirect(t, target, status);
		return;
	}
	leave(t);
	why = t->curl_error[0] != '\0' ? t->curl_error :
	    curl_easy_strerror(code);
	if (t->too_big || code == CURLE_FILESIZE_EXCEEDED)
		fail(t, "is larger than %zu bytes", t->request.max);
	else if (t->private_refused && code != CURLE_OK)
		fail(t, "leads to a private address, which only URLs of the "
		    "policy file may");
	else if (code != CURLE_OK)
		fail(t, "%s", why);
	else if (status == 304 && ((t->request.etag != NULL &&
	    t->request.etag[0] != '\0') || (t->request.modified != NULL &&
	    t->request.modified[0] != '\0'))) {
		t->result.not_modified = true;
		finish(t);
	} else if (status != 200 && status != 0)
		fail(t, "HTTP %ld", status);
	else if (t->ldap)
		ended_ldap(t);
	else {
		t->result.ok = true;
		finish(t);
	}
}

/* LDAP: what the sockets received, see above. */
static void
look_at_sizes(struct fetcher *f)
{
	struct transfer	*t, *next;

	for (t = f->running; t != NULL; t = next) {
		next = t->next;
		if (!t->ldap || ldap_received(&t->sockets) <= body_max(t))
			continue;
		leave(t);
		fail(t, "is larger than %u bytes", FETCH_MAX_LDAP);
	}
}

/* -------------------------------------------------------------------- door */

struct fetcher *
fetcher_new(void)
{
	struct fetcher	*f = calloc(1, sizeof(*f));

	if (f == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(f);
		return NULL;
	}
	f->multi = curl_multi_init();
	if (f->multi == NULL) {
		free(f);
		return NULL;
	}
	f->waiting_end = &f->waiting;
	/* One connection, one transfer: see above. */
	curl_multi_setopt(f->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	proxies_find(&f->proxies);
	return f;
}

void
fetcher_free(struct fetcher *f)
{
	struct transfer	*t;

	if (f == NULL)
		return;
	while ((t = f->running) != NULL) {
		leave(t);
		fail(t, "stopped");
	}
	while ((t = f->waiting) != NULL) {
		f->waiting = t->next;
		if (f->waiting == NULL)
			f->waiting_end = &f->waiting;
		fail(t, "stopped");
	}
	curl_multi_cleanup(f->multi);
	curl_global_cleanup();
	free(f);
}

bool
fetch_start(struct fetcher *f, const struct fetch_request *request,
    fetch_done_fn *fn, void *context)
{
	struct transfer	*t = calloc(1, sizeof(*t));

	if (t == NULL || (t->url = strdup(request->url)) == NULL) {
		free(t);
		return false;
	}
	t->fetcher = f;
	t->request = *request;
	t->request.url = NULL;
	t->origin = fetch_origin(t->url);
	t->fd = -1;
	t->fn = fn;
	t->context = context;
	*f->waiting_end = t;
	f->waiting_end = &t->next;
	f->num_waiting++;
	return true;
}

size_t
fetcher_busy(const struct fetcher *f)
{
	return f->num_running + f->num_waiting;
}

void
fetcher_run(struct fetcher *f, struct pollfd *fds, size_t num_fds,
    int timeout_ms)
{
	struct curl_waitfd	*waits = calloc(num_fds + 1, sizeof(*waits));
	struct transfer		*t;
	CURLMsg			*message;
	size_t			 i;
	int			 n;

	start_waiting(f);
	(void)curl_multi_perform(f->multi, &n);
	for (i = 0; waits != NULL && i < num_fds; i++) {
		waits[i].fd = fds[i].fd;
		waits[i].events = (short)(
		    ((fds[i].events & POLLIN) != 0 ? CURL_WAIT_POLLIN : 0) |
		    ((fds[i].events & POLLOUT) != 0 ? CURL_WAIT_POLLOUT : 0));
		fds[i].revents = 0;
	}
	if (waits != NULL)
		(void)curl_multi_poll(f->multi, waits, (unsigned)num_fds,
		    timeout_ms, &n);
	free(waits);
	/* libcurl's answer leaves out hang-ups; ask again, without waiting. */
	if (num_fds > 0)
		(void)poll(fds, (nfds_t)num_fds, 0);
	(void)curl_multi_perform(f->multi, &n);
	while ((message = curl_multi_info_read(f->multi, &n)) != NULL)
		if (message->msg == CURLMSG_DONE && curl_easy_getinfo(
		    message->easy_handle, CURLINFO_PRIVATE, (char **)&t) ==
		    CURLE_OK)
			ended(t, message->data.result);
	look_at_sizes(f);
	start_waiting(f);
}

void
fetcher_wake(struct fetcher *f)
{
	(void)curl_multi_wakeup(f->multi);
}
