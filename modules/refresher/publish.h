/*
 * publish.h - looks at what was fetched, keeps what is good, publishes the index.
 *
 * In a thread of its own, one batch at a time: ten million entries take a second,
 * and questions must not wait for them.
 */
#ifndef REFRESHER_PUBLISH_H
#define REFRESHER_PUBLISH_H

#include "fetch.h"
#include "store.h"

/* Addresses of delta CRLs that one object names. */
#define PUBLISH_MAX_DELTAS	4

struct publish_item {
	struct source		*source;
	/* of the source, when the batch starts */
	size_t			 authority;
	bool			 listed;
	char			 etag[FETCH_MAX_VALIDATOR];
	char			 modified[FETCH_MAX_VALIDATOR];
	/* filled by the batch */
	enum certauth_crl_news	 news;
	struct certauth_crl_report report;
	struct certauth_error	 error;		/* REFUSED */
	char			*deltas[PUBLISH_MAX_DELTAS];	/* URLs that it names */
	size_t			 num_deltas;
};

/* Certificates that may be a missing issuer, of one question. */
#define PUBLISH_MAX_CERTS	16
struct publish_issuer;
/* When the batch is over: TAKEN when one of them was, else KNOWN when one is. */
typedef void publish_issuer_fn(void *context, enum certauth_issuer_news,
	    const char *error);
struct publish_issuer {
	size_t			 authority;
	struct certauth_bytes	 certs[PUBLISH_MAX_CERTS];	/* its own, DER */
	size_t			 num_certs;
	publish_issuer_fn	*fn;
	void			*context;
	/* filled by the batch */
	enum certauth_issuer_news news;
	char			 error[256];
};

/* All of a batch, when it is over; from publish_collect(). */
struct publish_result {
	struct publish_item	*items;		size_t num_items;
	struct publish_issuer	*issuers;	size_t num_issuers;
	bool			 compiled;	/* the index was made anew */
	bool			 failed;	/* it could not; `error` */
	struct certauth_compile	 report;
	struct certauth_error	 error;
	size_t			 num_answers;	/* OCSP answers taken */
	bool			 answers_failed;
	struct certauth_error	 answers_error;
};

/* OCSP answers of one batch; those over it wait for the next question. */
#define PUBLISH_MAX_ANSWERS	1024
/* They are published at most so often, milliseconds. */
#define PUBLISH_ANSWERS_MS	500

struct publisher;
/* The store and the fetcher (to be woken) must outlive it. NULL: no memory. */
struct publisher *publisher_new(const char *conf, struct store *,
	    struct fetcher *);
/* The thread has ended: from now on it wakes nobody. Before fetcher_free(). */
void	publisher_wait(struct publisher *);	/* NULL allowed */
void	publisher_free(struct publisher *);	/* likewise; after fetcher_free() */
/* NAME.part of the source came whole: the next batch looks at it. */
bool	publish_add(struct publisher *, struct source *,
	    const struct fetch_result *);
/* An OCSP answer that the core took. Copies. False: no memory. */
bool	publish_answer(struct publisher *, size_t authority,
	    STACK_OF(X509) *proof, const struct certauth_bytes *response);
/* Takes the certificates over. False: no room or no memory, fn is not called. */
bool	publish_issuers(struct publisher *, const struct publish_issuer *);
void	publish_issuer_clear(struct publish_issuer *);
/* The next batch makes the index even when nothing new came. */
void	publish_force(struct publisher *);
/* Starts a batch when there is something to do and none is running. */
void	publish_start(struct publisher *, struct certauth *engine, int64_t ticks);
/* No batch runs: nobody else uses the engine that publish_start() was given. */
bool	publisher_still(const struct publisher *);
/* The numbers of the authorities are others now: answers and issuers that wait are
 * thrown away; servers ask again. */
void	publish_forget(struct publisher *);
/* Nothing waits and nothing runs. */
bool	publisher_idle(const struct publisher *);
/* True: a batch has ended; release it with publish_release(). */
bool	publish_collect(struct publisher *, struct publish_result *result_r);
void	publish_release(struct publish_result *);

#endif
