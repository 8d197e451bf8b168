/*
 * inquire.c - what a server's question means, and who is asked for it.
 *
 * First of all signatures must lead from the certificate to a configured anchor;
 * then a CRL that it names and that is not known is fetched, and its responder is
 * asked. Equal questions, of whichever server, are one. What comes back is
 * evidence for the core; only what the core takes is kept.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "inquire_inside.h"
#include "log.h"
#include "schedule.h"

/* RFC 6960 A.1: up to so many bytes a request goes by GET. */
#define MAX_GET		255
/* A CRL that is on its way has this start before the responder is asked. */
#define HEAD_START_MS	500
/* Answers fetched ahead in one turn of the loop. */
#define MAX_AHEAD	8
/* Which certificates are in use, in the state folder; written at most so often. */
#define KNOWN_NAME	"refresher.known"
#define KNOWN_SAVE_MS	60000

/* ------------------------------------------------------------------ replies */

void
inquire_reply(struct inquiry *q, enum ask_result result, const void *payload,
    size_t len, int64_t keep_ms)
{
	struct inquiries	*all = q->all;
	size_t			 i;

	q->done = true;
	if (keep_ms > 0)
		kept_add(all->answers, q->id, result, payload, len,
		    schedule_ticks() + keep_ms);
	for (i = 0; i < q->num_waiters; i++) {
		all->r->answered += result != ASK_NOTHING;
		if (all->server != NULL)
			(void)serve_reply(all->server, q->waiters[i], q->id,
			    result, payload, len);
	}
	q->num_waiters = 0;
}

static void
reply_nothing(struct inquiry *q, const char *why)
{
	inquire_reply(q, ASK_NOTHING, why, strlen(why), KEPT_NOTHING_MS);
	known_fetched(q->all->known, q->id, schedule_now(), 0, 0);
}

static void
free_inquiry(struct inquiry *q)
{
	size_t	i;

	for (i = 0; i < q->num_responders; i++)
		free(q->responders[i]);
	sk_X509_pop_free(q->proof, X509_free);
	free(q->authority_name);
	free(q->request);
	free(q->ca_file);
	free(q->waiters);
	free(q->frame);
	free(q);
}

/* ----------------------------------------------------------------- responder */

static void ask_responder(struct inquiry *);

static void
keep_answer(struct inquiry *q, const struct certauth_bytes *response)
{
	if (!publish_answer(q->all->r->publisher, q->authority, q->proof,
	    response))
		say(LEVEL_WARNING, "an OCSP answer is not kept: out of memory");
}

/* The answer holds; the next one is fetched before it ends. */
static void
take_answer(struct inquiry *q, const struct certauth_bytes *response,
    const struct certauth_ocsp_report *report)
{
	struct ask_question	question;
	int64_t			now = schedule_now(), ms = KEPT_GOOD_MS;

	if (report->until - now < ms / 1000)
		ms = report->until > now ? (report->until - now) * 1000 : 0;
	inquire_reply(q, ASK_OCSP, response->data, response->data_len, ms);
	keep_answer(q, response);
	if (q->ahead)
		known_fetched(q->all->known, q->id, now, report->until,
		    schedule_random());
	else if (ask_question_parse(q->frame, q->frame_len, &question))
		known_keep(q->all->known, q->id, &question, now, report->until,
		    schedule_random());
}

static void
answered(void *context, const struct fetch_result *result)
{
	struct inquiry			*q = context;
	struct certauth_bytes		 response;
	struct certauth_ocsp_report	 report = { .until = 0 };
	enum certauth_ocsp		 status = CERTAUTH_OCSP_NOTHING;
	struct certauth_authority	 a;

	q->asking = false;
	q->all->r->bytes += result->size;
	if (result->ok) {
		response.data = result->data;
		response.data_len = result->data_len;
		/* After a reload the number may be another's. */
		if (certauth_authority_at(q->all->r->engine, q->authority, &a) &&
		    strcmp(a.name, q->authority_name) == 0)
			status = certauth_ocsp_check(q->all->r->engine,
			    q->authority, q->proof, &response,
			    q->nonced ? q->nonce : NULL, 0, &report);
		(void)snprintf(q->why, sizeof(q->why), "%.190s", report.error);
	} else {
		q->all->r->fetch_errors++;
		(void)snprintf(q->why, sizeof(q->why), "%.190s", result->error);
	}
	if (status == CERTAUTH_OCSP_GOOD || status == CERTAUTH_OCSP_REVOKED) {
		take_answer(q, &response, &report);
		return;
	}
	/* Not kept, but what the same responder said before is unsaid. */
	if (status == CERTAUTH_OCSP_UNKNOWN) {
		(void)snprintf(q->why, sizeof(q->why), "the responder does not "
		    "know the certificate");
		keep_answer(q, &response);
	}
	say(LEVEL_INFO, "authority \"%s\": %s: %s", q->authority_name,
	    q->responders[q->next_responder - 1], q->why);
	ask_responder(q);
}

/* URL/base64 of the request, percent-encoded where base64 needs it. NULL: too
 * long for GET. */
static char *
get_url(const char *url, const unsigned char *request, size_t len)
{
	char		 encoded[MAX_GET * 2], out[MAX_GET + 8];
	size_t		 n, i;
	const char	*slash = url[strlen(url) - 1] == '/' ? "" : "/";

	if (strlen(url) + 1 + len * 4 / 3 > MAX_GET || strchr(url, '?') != NULL)
		return NULL;
	EVP_EncodeBlock((unsigned char *)encoded, request, (int)len);
	n = (size_t)snprintf(out, sizeof(out), "%s%s", url, slash);
	for (i = 0; encoded[i] != '\0'; i++) {
		if (n + 3 > MAX_GET)
			return NULL;
		if (strchr("+/=", encoded[i]) == NULL)
			out[n++] = encoded[i];
		else
			n += (size_t)snprintf(out + n, sizeof(out) - n, "%%%02X",
			    (unsigned)encoded[i]);
	}
	out[n] = '\0';
	return strdup(out);
}

/* The next responder, or the end. */
static void
ask_responder(struct inquiry *q)
{
	struct fetch_request	 request = { .authority = q->authority,
				    .max = FETCH_MAX_OCSP,
				    .seconds = FETCH_SMALL_SECONDS };
	char			*get;

	q->ask_at = 0;
	if (q->proof == NULL) {
		issuer_ask(q);
		return;
	}
	while (!q->asking && q->next_responder < q->num_responders) {
		request.url = q->responders[q->next_responder++];
		request.own = q->own;
		request.private_ok = q->private_ok;
		request.ca_file = q->ca_file;
		/* GET is for caches, and no cache has the answer to a nonce. */
		get = q->nonced ? NULL :
		    get_url(request.url, q->request, q->request_len);
		if (get != NULL) {
			request.url = get;
		} else {
			request.post = q->request;
			request.post_len = q->request_len;
			request.type = "application/ocsp-request";
		}
		q->all->r->ocsp_fetches++;
		q->asking = fetch_start(q->all->r->fetcher, &request, answered,
		    q);
		free(get);
	}
}

struct finding { struct inquiry *q; int64_t now; bool responders, lists; };

static void
take_url(void *context, enum certauth_url_kind kind, const char *url)
{
	struct finding	*f = context;
	struct inquiry	*q = f->q;
	const char	*why;
	char		*copy;

	if (kind == CERTAUTH_URL_CRL && f->lists && q->num_lists < MAX_LISTS &&
	    refresh_seen(q->all->r, q->authority, url, f->now,
	    q->lists[q->num_lists]))
		q->num_lists++;
	hosts_add(&q->all->r->hosts, q->authority, url);
	if (kind != CERTAUTH_URL_OCSP || !f->responders ||
	    q->num_responders == MAX_RESPONDERS ||
	    !fetch_url_ok(url, q->own, q->private_ok, false, &why))
		return;
	copy = strdup(url);
	if (copy != NULL)
		q->responders[q->num_responders++] = copy;
}

/* Who could know? True: somebody is on the way or will be asked. */
static bool
find_sources(struct inquiry *q, int64_t now)
{
	struct certauth_authority	 a;
	struct finding			 f = { .q = q, .now = now };
	X509				*cert = sk_X509_value(q->proof, 0);

	if (!certauth_authority_at(q->all->r->engine, q->authority, &a) ||
	    !a.checked)
		return false;
	q->authority_name = strdup(a.name);
	q->ca_file = a.ca_file != NULL ? strdup(a.ca_file) : NULL;
	if (q->authority_name == NULL || (a.ca_file != NULL &&
	    q->ca_file == NULL))
		return false;
	q->own = a.ocsp_url != NULL;
	q->private_ok = a.private_addresses;
	f.lists = a.crl && !q->ahead;
	f.responders = a.ocsp && a.ocsp_url == NULL;
	if (a.ocsp && a.ocsp_url != NULL &&
	    (q->responders[0] = strdup(a.ocsp_url)) != NULL)
		q->num_responders = 1;
	certauth_cert_urls(cert, take_url, &f);
	if (f.lists)
		q->num_lists += refresh_waiting(q->all->r, q->authority,
		    q->lists + q->num_lists, MAX_LISTS - q->num_lists);
	if (q->num_responders > 0) {
		q->nonced = a.ocsp_nonce;
		if (!q->nonced || schedule_nonce(q->nonce, sizeof(q->nonce)))
			q->request = certauth_ocsp_request(cert,
			    sk_X509_value(q->proof, 1), q->nonced ? q->nonce :
			    NULL, &q->request_len);
		if (q->request == NULL)
			return false;
		q->ask_at = q->began + (q->num_lists > 0 && !a.ocsp_first ?
		    HEAD_START_MS : 0);
	}
	return q->num_lists > 0 || q->num_responders > 0;
}

/* ----------------------------------------------------------------- questions */

static struct inquiry *
find_inquiry(struct inquiries *all, const unsigned char id[ASK_ID_BYTES])
{
	struct inquiry	*q;

	for (q = all->first; q != NULL; q = q->next)
		if (memcmp(q->id, id, ASK_ID_BYTES) == 0 &&
		    (!q->done || q->asking))
			return q;
	return NULL;
}

static bool
add_waiter(struct inquiry *q, struct asker asker)
{
	struct asker	*grown;

	if (q->num_waiters == INQUIRE_MAX_WAITERS)
		return false;
	grown = reallocarray(q->waiters, q->num_waiters + 1, sizeof(*grown));
	if (grown == NULL)
		return false;
	q->waiters = grown;
	q->waiters[q->num_waiters++] = asker;
	/* Whoever comes after the others gave up waits for the same answer. */
	q->done = false;
	return true;
}

/* NULL: nobody is asked, `why` (200 bytes) says so. */
static struct inquiry *
begin(struct inquiries *all, const struct ask_question *question,
    const unsigned char id[ASK_ID_BYTES], bool ahead, char *why)
{
	struct certauth_error	 error = { .text = "out of memory" };
	struct inquiry		*q;

	(void)snprintf(why, 200, "too many questions at one time");
	if (all->num_items >= INQUIRE_MAX)
		return NULL;
	(void)snprintf(why, 200, "out of memory");
	q = calloc(1, sizeof(*q));
	if (q == NULL)
		return NULL;
	q->all = all;
	q->ahead = ahead;
	q->began = schedule_ticks();
	q->began_now = schedule_now();
	memcpy(q->id, id, ASK_ID_BYTES);
	q->frame = ask_question_make(question, &q->frame_len);
	if (q->frame != NULL && question->kind == ASK_ISSUER) {
		(void)snprintf(why, 200, "nowhere to look for its issuer");
		if (issuer_find_sources(q, question, q->began_now))
			goto begun;
		free_inquiry(q);
		return NULL;
	}
	/* Nobody is asked anything before this holds. */
	if (q->frame != NULL)
		q->proof = certauth_prove(all->r->engine, question->authority,
		    question->authority_len, question->certs,
		    question->num_certs, &q->authority, &error);
	if (q->proof == NULL)
		(void)snprintf(why, 200, "%.190s", error.text);
	else {
		(void)snprintf(why, 200, "nobody to ask: no CRL that is not "
		    "known, no responder");
		if (find_sources(q, q->began_now))
			goto begun;
	}
	free_inquiry(q);
	return NULL;
begun:
	q->next = all->first;
	all->first = q;
	all->num_items++;
	return q;
}

/* {"now": AUTHORITY}: ask its addresses at once. */
static void
admin(struct inquiries *all, struct asker asker,
    const struct ask_question *question, const unsigned char id[ASK_ID_BYTES])
{
	struct certauth_authority	 a;
	json_t				*root;
	const char			*name, *text = "{\"error\":\"unknown\"}";
	size_t				 i;

	root = json_loadb((const char *)question->text.data,
	    question->text.data_len, JSON_REJECT_DUPLICATES, NULL);
	name = json_string_value(json_object_get(root, "now"));
	for (i = 0; name != NULL &&
	    certauth_authority_at(all->r->engine, i, &a); i++)
		if (strcmp(a.name, name) == 0) {
			refresh_start(all->r, schedule_now(), true, name);
			text = "{\"result\":\"asked\"}";
		}
	(void)serve_reply(all->server, asker, id, ASK_TEXT, text, strlen(text));
	json_decref(root);
}

void
inquire_question(void *context, struct asker asker,
    const struct ask_question *question, const unsigned char id[ASK_ID_BYTES])
{
	struct inquiries	*all = context;
	const unsigned char	*payload;
	struct inquiry		*q;
	enum ask_result		 result;
	char			 why[200];
	size_t			 len;

	all->r->questions++;
	if (question->kind == ASK_ADMIN) {
		admin(all, asker, question, id);
		return;
	}
	if (kept_find(all->answers, id, schedule_ticks(), &result, &payload,
	    &len)) {
		all->r->cached++;
		all->r->answered += result != ASK_NOTHING;
		(void)serve_reply(all->server, asker, id, result, payload, len);
		return;
	}
	q = find_inquiry(all, id);
	if (q != NULL)
		all->r->cached++;
	else
		q = begin(all, question, id, false, why);
	if (q != NULL && add_waiter(q, asker))
		return;
	if (q != NULL)
		(void)snprintf(why, sizeof(why), "too many wait for this");
	else
		kept_add(all->answers, id, ASK_NOTHING, why, strlen(why),
		    schedule_ticks() + KEPT_NOTHING_MS);
	(void)serve_reply(all->server, asker, id, ASK_NOTHING, why, strlen(why));
}

/* ---------------------------------------------------------------------- time */

/* Of the CRLs that were on their way: has one come, are some still coming? */
static void
look_at_lists(struct inquiry *q)
{
	const struct source	*source;
	size_t			 i, n = 0;
	bool			 came = false;

	for (i = 0; i < q->num_lists; i++) {
		source = store_find(&q->all->r->store, q->lists[i]);
		if (source != NULL && source->busy)
			memmove(q->lists[n++], q->lists[i], STORE_NAME_BYTES);
		else if (source != NULL && source->has_object &&
		    source->failures == 0 &&
		    source->succeeded >= q->began_now)
			came = true;
		else if (source != NULL && q->why[0] == '\0')
			(void)snprintf(q->why, sizeof(q->why), "%.190s",
			    source->error);
	}
	q->num_lists = n;
	/* Not remembered: the core asks again when it does not cover. */
	if (came && !q->done)
		inquire_reply(q, ASK_PUBLISHED, "published", 9, 0);
}

/* Milliseconds until it wants to be looked at again. */
static int
look_at(struct inquiry *q, int64_t ticks)
{
	look_at_lists(q);
	if (q->ask_at > 0 && !q->asking && (q->num_lists == 0 ||
	    ticks >= q->ask_at))
		ask_responder(q);
	if (!q->done && !q->asking && q->ask_at == 0 && q->num_lists == 0)
		reply_nothing(q, q->why[0] != '\0' ? q->why : "no answer");
	if (!q->done && ticks - q->began > INQUIRE_MS)
		reply_nothing(q, "no answer in time");
	if (q->ask_at > ticks)
		return (int)(q->ask_at - ticks);
	return 1000;
}

static void
save_known(struct inquiries *all, int64_t ticks)
{
	size_t	 len;
	char	*text = known_print(all->known, &len);

	all->known_at = ticks;
	/* Whose certificates are in use is nobody else's business. */
	if (text == NULL || !store_replace(&all->r->store, KNOWN_NAME, text, len,
	    0600))
		say(LEVEL_WARNING, "which certificates are in use is not kept "
		    "over a restart");
	free(text);
}

int
inquire_tick(struct inquiries *all, int64_t ticks, int64_t now)
{
	struct inquiry		**at = &all->first, *q;
	struct ask_question	  question;
	unsigned char		  id[ASK_ID_BYTES];
	char			  why[200];
	int			  ms = 60000, wants;
	unsigned		  i;

	for (i = 0; i < MAX_AHEAD && known_due(all->known, now, &question, id);
	    i++)
		if (find_inquiry(all, id) == NULL)
			(void)begin(all, &question, id, true, why);
	if (known_changed(all->known) && ticks - all->known_at >= KNOWN_SAVE_MS)
		save_known(all, ticks);
	at = &all->first;
	while ((q = *at) != NULL) {
		wants = look_at(q, ticks);
		/* A published list has answered: the responder need not. */
		if (q->done && !q->asking) {
			*at = q->next;
			all->num_items--;
			free_inquiry(q);
			continue;
		}
		ms = wants < ms ? wants : ms;
		at = &q->next;
	}
	if (known_count(all->known) > 0 && ms > 1000)
		ms = 1000;
	return ms;
}

/* ---------------------------------------------------------------------- door */

struct inquiries *
inquire_new(struct refresher *r)
{
	struct inquiries	*all = calloc(1, sizeof(*all));

	if (all == NULL)
		return NULL;
	all->r = r;
	all->answers = kept_new();
	all->known = known_new();
	if (all->answers == NULL || all->known == NULL) {
		inquire_free(all);
		return NULL;
	}
	return all;
}

void
inquire_serve(struct inquiries *all, struct server *server)
{
	char	*text;

	all->server = server;
	if (server == NULL) {
		save_known(all, schedule_ticks());
		return;
	}
	text = store_text(&all->r->store, KNOWN_NAME, KNOWN_MAX_TEXT);
	if (text != NULL)
		known_read(all->known, text, schedule_now());
	free(text);
}

void
inquire_reload(struct inquiries *all)
{
	kept_clear(all->answers);
}

void
inquire_free(struct inquiries *all)
{
	struct inquiry	*q;

	if (all == NULL)
		return;
	while ((q = all->first) != NULL) {
		all->first = q->next;
		free_inquiry(q);
	}
	kept_free(all->answers);
	known_free(all->known);
	free(all);
}
