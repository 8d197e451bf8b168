/*
 * refresh.c - whom do we ask for CRLs, when, and what came of it?
 *
 * The addresses come from the policy file, else from certificates to which
 * signatures lead from a configured anchor. Judges no list: that is the core's.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "refresher.h"
#include "schedule.h"

/* A list that has ended, asked for again because somebody needs it, seconds. */
#define SEEN_STALE	30

/* ----------------------------------------------------------- the addresses */

struct listing {
	struct refresher	*r;
	const struct certauth_authority *authority;
	size_t			 number;
};

static void
take_url(void *context, enum certauth_url_kind kind, const char *url)
{
	struct listing	*l = context;
	const char	*why;

	hosts_add(&l->r->hosts, l->number, url);
	if (kind != CERTAUTH_URL_CRL || !l->authority->checked ||
	    !l->authority->crl || l->authority->num_crl_urls > 0)
		return;
	/* A Microsoft CA names ldap: beside http:, without a host: no fault. */
	if (!fetch_url_ok(url, false, l->authority->private_addresses,
	    l->authority->ldap, &why)) {
		say(LEVEL_INFO, "authority \"%s\": a certificate names %s, which "
		    "%s", l->authority->name, url, why);
		return;
	}
	if (store_source(&l->r->store, l->authority->name, l->number, url,
	    ORIGIN_POOL) == NULL)
		say(LEVEL_WARNING, "authority \"%s\": %s is one address too "
		    "many", l->authority->name, url);
}

/* Addresses of clients' certificates count where the policy names none. */
static bool
wants_seen(void *context, const char *name, size_t *number_r)
{
	struct refresher		*r = context;
	struct certauth_authority	 a;
	size_t				 i;

	for (i = 0; certauth_authority_at(r->engine, i, &a); i++)
		if (strcmp(a.name, name) == 0) {
			*number_r = i;
			return a.checked && a.crl && a.num_crl_urls == 0;
		}
	return false;
}

void
refresh_list(struct refresher *r)
{
	struct certauth_authority	 a;
	struct listing			 l = { .r = r, .authority = &a };
	struct source			*source;
	int64_t				 now = schedule_now();
	size_t				 i, j;

	hosts_clear(&r->hosts);
	/* What the policy no longer says is a stranger's word again. */
	for (i = 0; i < r->store.num_sources; i++) {
		r->store.sources[i]->listed = false;
		r->store.sources[i]->origin = ORIGIN_SEEN;
	}
	for (i = 0; certauth_authority_at(r->engine, i, &a); i++) {
		for (j = 0; j < a.num_crl_urls; j++) {
			hosts_add(&r->hosts, i, a.crl_urls[j]);
			if (a.checked && a.crl)
				(void)store_source(&r->store, a.name, i,
				    a.crl_urls[j], ORIGIN_POLICY);
		}
		if (a.ocsp_url != NULL)
			hosts_add(&r->hosts, i, a.ocsp_url);
		l.number = i;
		if (!certauth_proven_urls(r->engine, i, 0, take_url, &l))
			say(LEVEL_ERROR, "authority \"%s\": out of memory",
			    a.name);
	}
	store_read_seen(&r->store, wants_seen, r);
	for (i = 0; i < r->store.num_sources; i++) {
		source = r->store.sources[i];
		/* While its list is fresh no server asks: one that is fetched is
		 * in use. */
		if (source->origin == ORIGIN_SEEN &&
		    source->seen + STORE_FORGET < now &&
		    source->succeeded + STORE_FORGET < now)
			source->listed = false;
	}
	if (store_sweep(&r->store))
		publish_force(r->publisher);
	r->changed = true;
}

/* ------------------------------------------------------------ what came */

static void
settings_of(const struct refresher *r, const struct source *source,
    struct certauth_authority *a)
{
	if (!certauth_authority_at(r->engine, source->number, a)) {
		memset(a, 0, sizeof(*a));
		a->refresh = 3600;
	}
}

/* What was under way when somebody said "now" may be of before. */
static int64_t
not_before(struct source *source, int64_t now, int64_t next)
{
	bool	again = source->again;

	source->again = false;
	return again ? now : next;
}

static void
failed(struct refresher *r, struct source *source, const char *why)
{
	struct certauth_authority	 a;
	int64_t				 now = schedule_now();

	source->busy = false;
	if (!source->listed)
		return;
	settings_of(r, source, &a);
	if (source->failures < 1000)
		source->failures++;
	source->next = not_before(source, now, schedule_after_failure(now,
	    source->failures, a.refresh, schedule_random()));
	/* Once, and again when it fails otherwise. */
	if (source->failures == 1 || strncmp(source->error, why,
	    sizeof(source->error) - 1) != 0)
		say(LEVEL_WARNING, "authority \"%s\": %s: %s%s",
		    source->authority, source->url, why, source->has_object ?
		    "; the last good list stays" : "");
	(void)snprintf(source->error, sizeof(source->error), "%s", why);
	(void)store_save(&r->store, source);
	r->changed = true;
}

static void
succeeded(struct refresher *r, struct source *source)
{
	struct certauth_authority	 a;
	int64_t				 now = schedule_now();

	source->busy = false;
	if (!source->listed)
		return;
	settings_of(r, source, &a);
	if (source->failures > 0)
		say(LEVEL_NOTICE, "authority \"%s\": %s answers again",
		    source->authority, source->url);
	source->failures = 0;
	source->error[0] = '\0';
	source->succeeded = now;
	source->next = not_before(source, now, schedule_after_success(now,
	    source->this_update, source->next_update, a.refresh,
	    schedule_random()));
	(void)store_save(&r->store, source);
	r->changed = true;
}

/* One transfer, with what it needs until its end. */
struct job {
	struct refresher	*r;
	struct source		*source;
	char			*ca_file;
	int			 fd;
};

static void
fetched(void *context, const struct fetch_result *result)
{
	struct job	*job = context;
	struct refresher *r = job->r;
	struct source	*source = job->source;

	if (job->fd >= 0)
		(void)close(job->fd);
	r->bytes += result->size;
	if (!result->ok)
		store_part_remove(&r->store, source->name);
	if (result->not_modified) {
		succeeded(r, source);
	} else if (!result->ok) {
		r->fetch_errors++;
		failed(r, source, result->error);
	} else if (!publish_add(r->publisher, source, result)) {
		store_part_remove(&r->store, source->name);
		failed(r, source, "too many lists at one time");
	}
	free(job->ca_file);
	free(job);
}

/* Not before its turn comes: hundreds of lists would be hundreds of files. */
static int
open_part(void *context)
{
	struct job	*job = context;

	job->fd = store_part(&job->r->store, job->source);
	return job->fd;
}

static void
start(struct refresher *r, struct source *source, int64_t now)
{
	struct certauth_authority	 a;
	struct fetch_request		 request = { .url = source->url };
	struct job			*job = calloc(1, sizeof(*job));

	settings_of(r, source, &a);
	source->busy = true;
	source->tried = now;
	if (job == NULL) {
		failed(r, source, "out of memory");
		return;
	}
	job->r = r;
	job->source = source;
	job->fd = -1;
	if (a.ca_file != NULL)
		job->ca_file = strdup(a.ca_file);
	request.own = source->origin == ORIGIN_POLICY;
	request.private_ok = a.private_addresses;
	request.ldap = a.ldap;
	request.ca_file = job->ca_file;
	request.etag = source->has_object ? source->etag : NULL;
	request.modified = source->has_object ? source->modified : NULL;
	request.authority = source->number;
	request.open = open_part;
	request.max = FETCH_MAX_CRL;
	request.seconds = FETCH_CRL_SECONDS;
	r->fetches++;
	if ((a.ca_file == NULL || job->ca_file != NULL) &&
	    fetch_start(r->fetcher, &request, fetched, job))
		return;
	failed(r, source, "out of memory");
	free(job->ca_file);
	free(job);
}

void
refresh_start(struct refresher *r, int64_t now, bool all, const char *authority)
{
	struct source	*source;
	size_t		 i;

	for (i = 0; i < r->store.num_sources; i++) {
		source = r->store.sources[i];
		if (!source->listed || (authority != NULL &&
		    strcmp(authority, source->authority) != 0))
			continue;
		if (source->busy)
			source->again = source->again || all;
		/* A clock that went back must not make us wait for years. */
		else if (all || source->next <= now || source->tried > now)
			start(r, source, now);
	}
}

bool
refresh_seen(struct refresher *r, size_t authority, const char *url, int64_t now,
    char name_r[STORE_NAME_BYTES])
{
	struct certauth_authority	 a;
	struct source			*source;
	const char			*why;

	if (!certauth_authority_at(r->engine, authority, &a) || !a.checked ||
	    !a.crl || a.num_crl_urls > 0 ||
	    !fetch_url_ok(url, false, a.private_addresses, a.ldap, &why))
		return false;
	source = store_source(&r->store, a.name, authority, url, ORIGIN_SEEN);
	if (source == NULL)
		return false;
	/* Once a day is enough to keep it. */
	if (source->origin == ORIGIN_SEEN && source->seen + 86400 < now) {
		source->seen = now;
		(void)store_save(&r->store, source);
	}
	if (!source->busy && (source->tried == 0 || (source->failures == 0 &&
	    source->next_update != 0 && source->next_update < now &&
	    source->tried + SEEN_STALE < now)))
		start(r, source, now);
	memcpy(name_r, source->name, STORE_NAME_BYTES);
	return source->busy;
}

size_t
refresh_waiting(const struct refresher *r, size_t authority,
    char (*names_r)[STORE_NAME_BYTES], size_t max)
{
	const struct source	*source;
	size_t			 i, n = 0;

	for (i = 0; i < r->store.num_sources && n < max; i++) {
		source = r->store.sources[i];
		if (source->busy && source->number == authority &&
		    source->origin == ORIGIN_POLICY)
			memcpy(names_r[n++], source->name, STORE_NAME_BYTES);
	}
	return n;
}

/* ----------------------------------------------------------------- publish */

static void
take_item(struct refresher *r, const struct publish_item *item)
{
	struct source	*source = item->source;
	const struct certauth_crl_report *report = &item->report;
	char		name[STORE_NAME_BYTES];
	size_t		i;

	if (item->news == CERTAUTH_CRL_REFUSED) {
		r->refused++;
		failed(r, source, item->error.text);
		return;
	}
	(void)snprintf(source->etag, sizeof(source->etag), "%s", item->etag);
	(void)snprintf(source->modified, sizeof(source->modified), "%s",
	    item->modified);
	(void)snprintf(source->issuer, sizeof(source->issuer), "%s",
	    report->issuer);
	(void)snprintf(source->crl_number, sizeof(source->crl_number), "%s",
	    report->number);
	source->this_update = report->this_update;
	source->next_update = report->next_update;
	source->entries = report->entries;
	source->has_object = true;
	if (item->news == CERTAUTH_CRL_NEWER)
		source->alerts = 0;
	succeeded(r, source);
	/* Where its delta CRLs are: an address like those of certificates. */
	for (i = 0; i < item->num_deltas; i++)
		(void)refresh_seen(r, source->number, item->deltas[i],
		    schedule_now(), name);
}

/* What of the published index is not as the files say. The same faults are said
 * once; the first stands in the status. */
static void
say_faults(struct refresher *r, const struct certauth_compile *report)
{
	const struct certauth_crl_report *crl;
	uint64_t	hash = 0xcbf29ce484222325u;	/* FNV-1a */
	const char	*p;
	size_t		i, n = 0;

	r->publish_fault[0] = '\0';
	for (i = 0; i < report->num_crls; i++) {
		crl = &report->crls[i];
		if (crl->error[0] == '\0')
			continue;
		if (n++ == 0)
			(void)snprintf(r->publish_fault,
			    sizeof(r->publish_fault), "%s: %s", crl->file,
			    crl->error);
		for (p = crl->file; *p != '\0'; p++)
			hash = (hash ^ (unsigned char)*p) * 0x100000001b3u;
		for (p = crl->error; *p != '\0'; p++)
			hash = (hash ^ (unsigned char)*p) * 0x100000001b3u;
	}
	for (i = 0; i < report->num_crls && n > 0 && hash != r->faults; i++) {
		crl = &report->crls[i];
		if (crl->error[0] != '\0')
			say(LEVEL_WARNING, "%s: %s", crl->file, crl->error);
	}
	r->faults = n > 0 ? hash : 0;
}

void
refresh_publish(struct refresher *r, int64_t now)
{
	struct publish_result	result;
	size_t			i;

	if (publish_collect(r->publisher, &result)) {
		for (i = 0; i < result.num_items; i++)
			take_item(r, &result.items[i]);
		for (i = 0; i < result.num_issuers; i++)
			result.issuers[i].fn(result.issuers[i].context,
			    result.issuers[i].news, result.issuers[i].error);
		if (result.compiled) {
			r->published++;
			r->published_at = now;
			r->publish_error[0] = '\0';
			say_faults(r, &result.report);
			say(LEVEL_INFO, "published: %zu entries, %zu bytes, "
			    "%.3f s", result.report.entries, result.report.bytes,
			    result.report.seconds);
		} else if (result.failed) {
			(void)snprintf(r->publish_error,
			    sizeof(r->publish_error), "%s",
			    result.error.text);
			say(LEVEL_WARNING, "nothing is published: %s",
			    result.error.text);
		}
		r->answers += result.num_answers;
		if (result.answers_failed)
			say(LEVEL_WARNING, "OCSP answers are not published: %s",
			    result.answers_error.text);
		if (result.num_items > 0 || result.compiled || result.failed)
			r->changed = true;
		publish_release(&result);
	}
	if (!r->reload)
		publish_start(r->publisher, r->engine, schedule_ticks());
}

/* ------------------------------------------------------------------- state */

int64_t
refresh_next(const struct refresher *r)
{
	int64_t	next = INT64_MAX;
	size_t	i;

	for (i = 0; i < r->store.num_sources; i++)
		if (!r->store.sources[i]->busy && r->store.sources[i]->listed &&
		    r->store.sources[i]->next < next)
			next = r->store.sources[i]->next;
	return next;
}

bool
refresh_idle(const struct refresher *r)
{
	size_t	i;

	for (i = 0; i < r->store.num_sources; i++)
		if (r->store.sources[i]->busy)
			return false;
	return publisher_idle(r->publisher);
}

size_t
refresh_failing(const struct refresher *r, const char *authority)
{
	size_t	i, n = 0;

	for (i = 0; i < r->store.num_sources; i++)
		n += r->store.sources[i]->listed &&
		    r->store.sources[i]->failures > 0 && (authority == NULL ||
		    strcmp(authority, r->store.sources[i]->authority) == 0);
	return n;
}

void
refresh_alerts(struct refresher *r, int64_t now)
{
	struct certauth_authority	 a;
	struct source			*source;
	char				 until[32], ended[32];
	unsigned			 alerts;
	size_t				 i;

	for (i = 0; i < r->store.num_sources; i++) {
		source = r->store.sources[i];
		settings_of(r, source, &a);
		alerts = schedule_alerts(now, source->next_update, a.grace);
		if (!source->listed || alerts <= source->alerts)
			continue;
		source->alerts = alerts;
		(void)store_save(&r->store, source);
		certauth_time_print(ended, sizeof(ended), source->next_update);
		certauth_time_print(until, sizeof(until),
		    source->next_update + a.grace);
		if (now < source->next_update + a.grace)
			say(LEVEL_ALERT, "authority \"%s\": the list of %s ended "
			    "on %s and counts until %s (grace); %s: %s",
			    a.name, source->issuer, ended, until, source->url,
			    source->error[0] != '\0' ? source->error :
			    "has no newer one");
		else
			say(LEVEL_ALERT, "authority \"%s\": the list of %s ended "
			    "on %s and counts no more: its certificates are "
			    "refused; certauth override can prolong it", a.name,
			    source->issuer, ended);
	}
}
