/* fetch.h - gets what lies at a URL, within ceilings, without waiting. */
#ifndef REFRESHER_FETCH_H
#define REFRESHER_FETCH_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

/* Transfers at one time, lists and what somebody waits for apart; the others wait
 * for their turn. One authority, and one host, have a share: a CA whose server
 * hangs or drips holds up nobody but itself. */
#define FETCH_MAX_LISTS		32
#define FETCH_MAX_SMALL		64
#define FETCH_SHARE_LISTS	4
#define FETCH_SHARE_SMALL	16
#define FETCH_MAX_REDIRECTS	5
#define FETCH_MAX_VALIDATOR	256	/* bytes of an ETag, a date */
/* Ten million entries are 350 MB. */
#define FETCH_MAX_CRL		(512u * 1024 * 1024)
#define FETCH_MAX_CERT		(256u * 1024)
#define FETCH_MAX_OCSP		(64u * 1024)
/* libldap and libcurl keep a whole entry in memory, several times. */
#define FETCH_MAX_LDAP		(32u * 1024 * 1024)
/* Seconds for a whole transfer. */
#define FETCH_CRL_SECONDS	600
#define FETCH_SMALL_SECONDS	10

/* Zero it first; strings and bytes are borrowed until the end of the transfer,
 * but `url`, which is copied. */
struct fetch_request {
	const char	*url;
	bool		 own;		/* the administrator wrote it: may be private, file: */
	bool		 private_ok;	/* private_addresses of the authority */
	bool		 ldap;		/* ldap: and ldaps: too; what comes is the CRL */
	const char	*ca_file;	/* NULL: the system's */
	const char	*etag, *modified;	/* "" or NULL: unconditional */
	const void	*post;		size_t post_len;	/* NULL: GET */
	const char	*type;		/* of what is posted */
	size_t		 authority;	/* whose share it takes */
	int		(*open)(void *context);	/* where to write to, called when its
					 * turn comes; NULL: kept in memory */
	size_t		 max;		/* bytes; more is a failure */
	long		 seconds;
};

struct fetch_result {
	bool		 ok;		/* a body came, whole */
	bool		 not_modified;
	char		 etag[FETCH_MAX_VALIDATOR], modified[FETCH_MAX_VALIDATOR];
	const unsigned char *data;	size_t data_len;	/* borrowed; no `open` */
	size_t		 size;
	char		 error[256];	/* printable; "" unless neither */
};
/* Called once for each transfer, from fetcher_run() or fetcher_free(). It may
 * start others. */
typedef void fetch_done_fn(void *context, const struct fetch_result *);

struct fetcher;
/* NULL: no memory. One thread uses it. */
struct fetcher *fetcher_new(void);
/* Ends every transfer: each hears of a failure. */
void	fetcher_free(struct fetcher *);
/* False: no memory; `fn` is not called then. */
bool	fetch_start(struct fetcher *, const struct fetch_request *,
	    fetch_done_fn *, void *context);
size_t	fetcher_busy(const struct fetcher *);
/* Waits for the transfers, for `fds` (at most `num_fds`, revents are filled), for
 * fetcher_wake(), or `timeout_ms`, then does what can be done. */
void	fetcher_run(struct fetcher *, struct pollfd *fds, size_t num_fds,
	    int timeout_ms);
/* From any thread. */
void	fetcher_wake(struct fetcher *);

/* Is it a URL that a certificate may name? False: *why_r is a static text. */
bool	fetch_url_ok(const char *url, bool own, bool private_ok, bool ldap,
	    const char **why_r);

#endif
