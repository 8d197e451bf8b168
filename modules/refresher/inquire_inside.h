/* inquire_inside.h - private to inquire.c and issuer.c: one question looked into. */
#ifndef REFRESHER_INQUIRE_INSIDE_H
#define REFRESHER_INQUIRE_INSIDE_H

#include "inquire.h"
#include "kept.h"
#include "known.h"

/* Responders of one certificate that are tried, one after the other. */
#define MAX_RESPONDERS	2
/* CRLs of one certificate that are waited for. */
#define MAX_LISTS	4
struct inquiry {
	struct inquiry	*next;
	struct inquiries *all;
	unsigned char	 id[ASK_ID_BYTES];
	struct asker	*waiters;	size_t num_waiters;
	bool		 ahead;		/* nobody asked: fetched ahead */
	size_t		 authority;
	char		*authority_name;
	STACK_OF(X509)	*proof;		/* NULL: who issued it is asked */
	unsigned char	*frame;		size_t frame_len;	/* the question */
	/* CRLs on their way, by the name of their source */
	char		 lists[MAX_LISTS][STORE_NAME_BYTES];
	size_t		 num_lists;
	/* the responder */
	char		*responders[MAX_RESPONDERS];
	size_t		 num_responders, next_responder;
	unsigned char	*request;	size_t request_len;
	bool		 nonced;	/* the request carries `nonce` */
	unsigned char	 nonce[CERTAUTH_OCSP_NONCE];
	char		*ca_file;
	bool		 own, private_ok;	/* as fetch_request's */
	bool		 asking;	/* a transfer or a batch has us */
	int64_t		 ask_at;	/* ticks; 0: not at all, or asked */
	int64_t		 began, began_now;	/* ticks, seconds */
	bool		 done;		/* waiters have their reply */
	char		 why[200];
};

struct inquiries {
	struct refresher	*r;
	struct server		*server;
	struct kept		*answers;
	struct known		*known;
	int64_t			 known_at;	/* ticks of the file's last writing */
	struct inquiry		*first;
	size_t			 num_items;
	/* questions for issuers in this minute, of each authority */
	int64_t			 minute;
	unsigned char		 num_minute[256];
};

/* The waiters hear it; equal questions for a while, too. */
void	inquire_reply(struct inquiry *, enum ask_result, const void *payload,
	    size_t len, int64_t keep_ms);

/* issuer.c: who could have issued certs[0] of the question? True: somewhere to
 * look. */
bool	issuer_find_sources(struct inquiry *, const struct ask_question *,
	    int64_t now);
/* The next place; the end when `asking` stays false. */
void	issuer_ask(struct inquiry *);

#endif
