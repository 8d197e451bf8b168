/* refresher.h - what the refresher's files share. */
#ifndef REFRESHER_REFRESHER_H
#define REFRESHER_REFRESHER_H

#include "certauth_data.h"
#include "fetch.h"
#include "hosts.h"
#include "publish.h"
#include "store.h"

#define STATUS_NAME	"status.json"

struct refresher {
	const char		*conf, *metrics;	/* metrics NULL: none */
	struct certauth		*engine;
	struct store		 store;
	struct fetcher		*fetcher;
	struct publisher	*publisher;
	struct hosts		 hosts;
	int64_t			 started;
	/* counted since the start */
	uint64_t		 fetches, fetch_errors, bytes, refused, published;
	uint64_t		 questions, answered, cached, ocsp_fetches;
	uint64_t		 answers;	/* OCSP answers published */
	char			 publish_error[512];	/* of the last batch */
	/* lists that were not taken into what was published: the first, and a
	 * hash of all of them */
	char			 publish_fault[520];
	uint64_t		 faults;
	int64_t			 published_at;
	bool			 changed;	/* the status file is old */
	bool			 reload;	/* as soon as no batch runs */
};

/* refresh.c: whom to ask, and what came of it */

/* Makes the list of addresses anew from policy, pools and memory. */
void	refresh_list(struct refresher *);
/* Starts what is due; `all`: everything; `authority` not NULL: only its. */
void	refresh_start(struct refresher *, int64_t now, bool all,
	    const char *authority);
/* Takes what a batch of the publisher brought, starts the next. */
void	refresh_publish(struct refresher *, int64_t now);
/* When something is due next; INT64_MAX: never. */
int64_t	refresh_next(const struct refresher *);
/* Nothing is on its way. */
bool	refresh_idle(const struct refresher *);
/* Says who runs out of grace. */
void	refresh_alerts(struct refresher *, int64_t now);
/* How many addresses (of that authority; NULL: all) have no answer now. */
size_t	refresh_failing(const struct refresher *, const char *authority);
/* A certificate to which signatures lead names this address. True: its list is on
 * the way, and the source's name is *name_r. */
bool	refresh_seen(struct refresher *, size_t authority, const char *url,
	    int64_t now, char name_r[STORE_NAME_BYTES]);
/* Names of that authority's lists of the policy that are on the way. */
size_t	refresh_waiting(const struct refresher *, size_t authority,
	    char (*names_r)[STORE_NAME_BYTES], size_t max);

/* status.c: for `certauth show revocation`, into the state folder */
void	status_write(struct refresher *, int64_t now);
/* metrics.c: Prometheus text file, by rename */
void	metrics_write(const struct refresher *, int64_t now);

#endif
