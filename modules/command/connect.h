/*
 * connect.h - what the files of `certauth check --connect` share: one connection to a
 * server, and what was seen on it.
 */
#ifndef CERTAUTH_COMMAND_CONNECT_H
#define CERTAUTH_COMMAND_CONNECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <openssl/ssl.h>

#include "command.h"
#include "doctor.h"

/* ----------------------------------------------------------- connect_link.c */

/* Bytes of one line of a server, its end included; longer ones are cut off there. */
#define LINK_LINE	8192

/* One connection. Every wait on it ends. */
struct link {
	int		 fd;
	SSL		*ssl;		/* NULL: in the clear */
	int64_t		 until;		/* monotonic_ms() */
	const char	*why;		/* how it ended; NULL: it did not */
	int		 alert;		/* that the server sent; -1: none */
	bool		 asked;		/* for a certificate */
	bool		 late;		/* `why`: no answer in time */
	char		 in[LINK_LINE], line[LINK_LINE + 1];
	size_t		 in_len;
};

/* TCP. False: `why`. link_close() in any case. */
bool	link_open(struct link *, const char *host, const char *port);
/* The handshake; `name` for SNI. `session` NULL: a new one. False: `why`. */
bool	link_tls(struct link *, SSL_CTX *, const char *name, SSL_SESSION *session);
/* False: `why`. What the server has said before can still be read. */
bool	link_say(struct link *, const char *text);
/* The next line, without its end; borrowed until the next call. NULL: `why`. */
const char *link_line(struct link *);
/* Does the server say anything within so many milliseconds? */
bool	link_speaks(struct link *, int64_t ms);
void	link_close(struct link *);

/* ----------------------------------------------------------- connect_talk.c */

enum speech { SPEECH_UNKNOWN, SPEECH_HTTP, SPEECH_IMAP, SPEECH_POP3,
    SPEECH_SUBMISSION, SPEECH_SIEVE };

/* What a server said to somebody who came. Zero it first. */
struct talk {
	enum speech	 speech;	/* in: which; out: which it is */
	bool		 login;		/* in: log in, where there is a login */
	bool		 anew;		/* it speaks otherwise than was asked: once
					   more, with that speech */
	bool		 external;	/* mail: EXTERNAL is offered */
	bool		 accepted;	/* mail: logged in; HTTP: 2xx or 3xx */
	bool		 told;		/* one of our reasons: */
	enum certauth_reason reason;
	char		 line[300];	/* the answer, as it came; "": none */
	char		 text[600];	/* the words of a page */
};

/* --starttls NAME; SPEECH_UNKNOWN: there is none of that name. */
enum speech speech_find(const char *name);
/* What is spoken on that port, TLS from the first byte; SPEECH_UNKNOWN: who knows. */
enum speech speech_of_port(const char *port);
/* From the greeting up to the handshake. False: the link's `why`. */
bool	talk_starttls(struct link *, enum speech);
/* Behind the handshake. `host` and `path` for HTTP. `started`: by STARTTLS. */
void	talk(struct link *, struct talk *, const char *host, const char *path,
	    bool started);

/* ---------------------------------------------------------------- connect.c */

/* One visit: with one version of TLS, with or without the certificate. */
struct visit {
	int		 version;	/* TLS1_2_VERSION ...; 0: there was none */
	bool		 with;		/* the certificate */
	bool		 reached;	/* TCP, and STARTTLS */
	bool		 done;		/* the handshake, on our side */
	bool		 asked;		/* for a certificate */
	bool		 resumed;
	bool		 late;		/* it did not end by itself */
	int		 alert;		/* -1: none */
	const char	*why;		/* how it ended; NULL: in peace */
	STACK_OF(X509_NAME) *names;	/* offered; NULL: none */
	size_t		 names_size;
	long		 verified;	/* X509_V_...: the server's own certificate */
	SSL_SESSION	*session;	/* NULL: none to resume */
	struct talk	 talk;
};

/* For cmd_check.c. `seen_r`: each visit, the caller's. False: said; nothing could be
 * asked. */
bool	connect_look(const struct args *, doctor_fn *, void *context,
	    json_t **seen_r);

/* ----------------------------------------------------------- connect_mean.c */

struct saying {
	enum certauth_severity	 severity;
	char			 text[1400];	/* "": nothing to say */
	const char		*remedy;
};

/* "": none came */
const char *alert_name(int number);
/* Does it ask? What came without, and with a certificate? */
void	mean_asking(const struct visit *, struct saying *);
void	mean_without(const struct visit *, struct saying *);
void	mean_with(const struct visit *, struct saying *);
/* Of a visit that resumed the session of one that was let in. */
void	mean_again(const struct visit *, struct saying *);
/* Is it over with the certificate's word: no more to ask? */
bool	visit_let_in(const struct visit *);

#endif
