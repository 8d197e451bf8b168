/*
 * publish.c - looks at what was fetched, keeps what is good, publishes the index.
 *
 * Whether a list is good is the core's word (door 2). A bad one is thrown away
 * and the last good stays, in the spool and so in the index.
 */

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "publish.h"

/* Objects of one batch; the others wait for the next. */
#define MAX_BATCH	256

struct batch {
	struct publish_item	*items;
	size_t			 num_items;
	struct certauth_answer	*answers;
	size_t			 num_answers;
	struct publish_issuer	*issuers;
	size_t			 num_issuers;
	bool			 force;
};

struct publisher {
	const char		*conf;
	struct store		*store;
	struct fetcher		*fetcher;
	struct batch		 waiting, running;
	bool			 started;	/* a thread is there to be joined */
	pthread_t		 thread;
	/* the thread's */
	struct certauth		*engine;
	struct publish_result	 result;
	atomic_bool		 done;
	int64_t			 answers_at;	/* ticks of the last answers */
};

/* ------------------------------------------------------------- in the thread */

/* Private memory: a file that is cut while we read it must not hurt us. */
static bool
read_object(const struct store *store, const char *name, bool part,
    struct certauth_bytes *bytes_r, unsigned char **owned_r)
{
	int	fd = store_read(store, name, part);

	memset(bytes_r, 0, sizeof(*bytes_r));
	*owned_r = NULL;
	if (fd < 0)
		return false;
	if (store_read_all(fd, FETCH_MAX_CRL, owned_r, &bytes_r->data_len))
		bytes_r->data = *owned_r;
	(void)close(fd);
	return bytes_r->data != NULL;
}

static void
keep_delta(void *context, enum certauth_url_kind kind, const char *url)
{
	struct publish_item	*item = context;

	(void)kind;
	if (item->num_deltas < PUBLISH_MAX_DELTAS &&
	    (item->deltas[item->num_deltas] = strdup(url)) != NULL)
		item->num_deltas++;
}

static void
look_at(struct publisher *p, struct publish_item *item)
{
	struct certauth_bytes	 object, last;
	unsigned char		*object_data, *last_data;
	const char		*name = item->source->name;

	item->news = CERTAUTH_CRL_REFUSED;
	(void)read_object(p->store, name, false, &last, &last_data);
	object_data = NULL;
	if (!item->listed)
		(void)snprintf(item->error.text, sizeof(item->error.text),
		    "nobody names this address any more");
	else if (!read_object(p->store, name, true, &object, &object_data))
		(void)snprintf(item->error.text, sizeof(item->error.text),
		    "what was fetched cannot be read again");
	else
		item->news = certauth_crl_examine(p->engine, item->authority,
		    &object,
		    last.data != NULL ? &last : NULL, 0, &item->report,
		    &item->error);
	if (item->news != CERTAUTH_CRL_REFUSED)
		certauth_crl_urls(&object, keep_delta, item);
	/* Of the same age and not the same bytes: what is here stays. */
	if (item->news == CERTAUTH_CRL_NEWER && !store_keep(p->store, name)) {
		item->news = CERTAUTH_CRL_REFUSED;
		(void)snprintf(item->error.text, sizeof(item->error.text),
		    "cannot be kept: %s", strerror(errno));
	}
	store_part_remove(p->store, name);
	free(object_data);
	free(last_data);
}

/* Waits for the state folder's lock, which a long compilation may hold. */
static void
take_issuer(struct publisher *p, struct publish_issuer *issuer)
{
	struct certauth_error		error = { .text = "" };
	enum certauth_issuer_news	news;
	size_t				i;

	issuer->news = CERTAUTH_ISSUER_REFUSED;
	for (i = 0; i < issuer->num_certs; i++) {
		news = certauth_issuer_publish(p->engine, issuer->authority,
		    &issuer->certs[i], 0, &error);
		if (news == CERTAUTH_ISSUER_REFUSED)
			(void)snprintf(issuer->error, sizeof(issuer->error),
			    "%.255s", error.text);
		if (news > issuer->news)
			issuer->news = news;
	}
}

/* What was published, by us or beside us, for our own engine. Servers say what is
 * wrong with it, and so did the compilation. */
static void
look_at_lists(struct certauth *engine)
{
	struct certauth_error	error;
	struct certauth_note	note;

	(void)certauth_poll(engine, &error);
	while (certauth_take_note(engine, &note))
		;
}

static void *
work(void *context)
{
	struct publisher	*p = context;
	struct publish_result	*r = &p->result;
	size_t			 i;
	bool			 news = p->running.force;

	/* First: a list of theirs may be in this batch. */
	for (i = 0; i < p->running.num_issuers; i++)
		take_issuer(p, &p->running.issuers[i]);
	for (i = 0; i < p->running.num_items; i++) {
		look_at(p, &p->running.items[i]);
		news = news || p->running.items[i].news == CERTAUTH_CRL_NEWER;
	}
	if (news) {
		r->compiled = certauth_compile_conf(p->conf, NULL, &r->report,
		    &r->error);
		r->failed = !r->compiled;
	}
	/* Who signs answers stands on the lists of now. */
	look_at_lists(p->engine);
	if (p->running.num_answers > 0)
		r->answers_failed = !certauth_answers_publish(p->engine,
		    p->running.answers, p->running.num_answers, 0,
		    &r->num_answers, &r->answers_error);
	atomic_store(&p->done, true);
	fetcher_wake(p->fetcher);
	return NULL;
}

/* -------------------------------------------------------------------- door */

static void
free_answers(struct batch *b)
{
	size_t	i;

	for (i = 0; i < b->num_answers; i++) {
		sk_X509_pop_free(b->answers[i].proof, X509_free);
		free((void *)(uintptr_t)b->answers[i].response.data);
	}
	free(b->answers);
	b->answers = NULL;
	b->num_answers = 0;
}

void
publish_issuer_clear(struct publish_issuer *issuer)
{
	size_t	i;

	for (i = 0; i < issuer->num_certs; i++)
		free((void *)(uintptr_t)issuer->certs[i].data);
	issuer->num_certs = 0;
}

static void
free_issuers(struct batch *b)
{
	size_t	i;

	for (i = 0; i < b->num_issuers; i++)
		publish_issuer_clear(&b->issuers[i]);
	free(b->issuers);
	b->issuers = NULL;
	b->num_issuers = 0;
}

struct publisher *
publisher_new(const char *conf, struct store *store, struct fetcher *fetcher)
{
	struct publisher	*p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->conf = conf;
	p->store = store;
	p->fetcher = fetcher;
	return p;
}

void
publisher_wait(struct publisher *p)
{
	if (p != NULL && p->started) {
		(void)pthread_join(p->thread, NULL);
		p->started = false;
	}
}

void
publisher_free(struct publisher *p)
{
	if (p == NULL)
		return;
	publisher_wait(p);
	certauth_compile_free(&p->result.report);
	free_answers(&p->running);
	free_answers(&p->waiting);
	free_issuers(&p->running);
	free_issuers(&p->waiting);
	free(p->running.items);
	free(p->waiting.items);
	free(p);
}

bool
publish_add(struct publisher *p, struct source *source,
    const struct fetch_result *result)
{
	struct batch		*b = &p->waiting;
	struct publish_item	*grown, *item;

	if (b->num_items >= MAX_BATCH)
		return false;
	grown = reallocarray(b->items, b->num_items + 1, sizeof(*grown));
	if (grown == NULL)
		return false;
	b->items = grown;
	item = &b->items[b->num_items++];
	memset(item, 0, sizeof(*item));
	item->source = source;
	memcpy(item->etag, result->etag, sizeof(item->etag));
	memcpy(item->modified, result->modified, sizeof(item->modified));
	return true;
}

bool
publish_answer(struct publisher *p, size_t authority, STACK_OF(X509) *proof,
    const struct certauth_bytes *response)
{
	struct batch		*b = &p->waiting;
	struct certauth_answer	*grown, answer = { .authority = authority };
	unsigned char		*data;

	if (b->num_answers >= PUBLISH_MAX_ANSWERS)
		return true;
	grown = reallocarray(b->answers, b->num_answers + 1, sizeof(*grown));
	if (grown == NULL)
		return false;
	b->answers = grown;
	data = malloc(response->data_len + 1);
	answer.proof = X509_chain_up_ref(proof);
	if (data == NULL || answer.proof == NULL) {
		free(data);
		sk_X509_pop_free(answer.proof, X509_free);
		return false;
	}
	memcpy(data, response->data, response->data_len);
	answer.response.data = data;
	answer.response.data_len = response->data_len;
	b->answers[b->num_answers++] = answer;
	return true;
}

bool
publish_issuers(struct publisher *p, const struct publish_issuer *issuer)
{
	struct batch		*b = &p->waiting;
	struct publish_issuer	*grown;

	if (b->num_issuers >= MAX_BATCH)
		return false;
	grown = reallocarray(b->issuers, b->num_issuers + 1, sizeof(*grown));
	if (grown == NULL)
		return false;
	b->issuers = grown;
	b->issuers[b->num_issuers++] = *issuer;
	return true;
}

void
publish_force(struct publisher *p)
{
	p->waiting.force = true;
}

void
publish_start(struct publisher *p, struct certauth *engine, int64_t ticks)
{
	struct publish_item	*item;
	size_t			 i;
	int			 error;

	if (p->started || (p->waiting.num_items == 0 && !p->waiting.force &&
	    p->waiting.num_issuers == 0 && (p->waiting.num_answers == 0 ||
	    ticks - p->answers_at < PUBLISH_ANSWERS_MS)))
		return;
	if (p->waiting.num_answers > 0)
		p->answers_at = ticks;
	p->running = p->waiting;
	memset(&p->waiting, 0, sizeof(p->waiting));
	memset(&p->result, 0, sizeof(p->result));
	p->engine = engine;
	for (i = 0; i < p->running.num_items; i++) {
		item = &p->running.items[i];
		item->authority = item->source->number;
		item->listed = item->source->listed;
	}
	atomic_store(&p->done, false);
	error = pthread_create(&p->thread, NULL, work, p);
	if (error != 0) {
		/* Slower, but not lost. */
		say(LEVEL_WARNING, "no thread: %s", strerror(error));
		(void)work(p);
	}
	p->started = error == 0;
}

bool
publisher_still(const struct publisher *p)
{
	return !p->started && !atomic_load(&p->done);
}

void
publish_forget(struct publisher *p)
{
	struct batch	old = p->waiting;
	size_t		i;

	free_answers(&p->waiting);
	p->waiting.issuers = NULL;
	p->waiting.num_issuers = 0;
	for (i = 0; i < old.num_issuers; i++)
		old.issuers[i].fn(old.issuers[i].context,
		    CERTAUTH_ISSUER_REFUSED, "the policy is another now");
	free_issuers(&old);
}

bool
publisher_idle(const struct publisher *p)
{
	return !p->started && !atomic_load(&p->done) &&
	    p->waiting.num_items == 0 && !p->waiting.force &&
	    p->waiting.num_answers == 0 && p->waiting.num_issuers == 0;
}

bool
publish_collect(struct publisher *p, struct publish_result *result_r)
{
	if (!atomic_load(&p->done))
		return false;
	if (p->started)
		(void)pthread_join(p->thread, NULL);
	p->started = false;
	atomic_store(&p->done, false);
	*result_r = p->result;
	result_r->items = p->running.items;
	result_r->num_items = p->running.num_items;
	result_r->issuers = p->running.issuers;
	result_r->num_issuers = p->running.num_issuers;
	free_answers(&p->running);
	memset(&p->running, 0, sizeof(p->running));
	memset(&p->result, 0, sizeof(p->result));
	return true;
}

void
publish_release(struct publish_result *result)
{
	size_t	i, j;

	for (i = 0; i < result->num_items; i++)
		for (j = 0; j < result->items[i].num_deltas; j++)
			free(result->items[i].deltas[j]);
	free(result->items);
	for (i = 0; i < result->num_issuers; i++)
		publish_issuer_clear(&result->issuers[i]);
	free(result->issuers);
	certauth_compile_free(&result->report);
	memset(result, 0, sizeof(*result));
}
