/*
 * certauth.c - the conductor: open, poll, and the small questions.
 *
 * Only coordinates. verify.c holds the large question.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/sha.h>

#include "base/text.h"
#include "certauth_apply.h"
#include "certauth_data.h"
#include "engine.h"
#include "revocation/index_format.h"

#ifdef CERTAUTH_TEST
/* A build for tests takes the time from a file, so that cases never expire. */
static bool
test_time(const struct certauth *e, int64_t *now_r)
{
	struct file_owners	owners;
	struct file_bytes	bytes;
	char			*end;
	bool			 ok;

	if (e == NULL || e->test_clock.path == NULL)
		return false;
	file_owners_init(&owners);
	if (e->config != NULL)
		owners = e->config->owners;
	if (!file_read(&e->test_clock, &owners, 64, &bytes, NULL))
		return false;
	end = strpbrk((char *)bytes.data, "\r\n");
	if (end != NULL)
		*end = '\0';
	ok = text_time_parse((char *)bytes.data, now_r);
	file_bytes_free(&bytes);
	return ok;
}
#endif

int64_t
engine_clock(const struct certauth *e)
{
	int64_t	now;

#ifdef CERTAUTH_TEST
	if (test_time(e, &now))
		return now;
#else
	(void)e;
#endif
	now = (int64_t)time(NULL);
	return now;
}

bool
certauth_is_test_build(void)
{
#ifdef CERTAUTH_TEST
	return true;
#else
	return false;
#endif
}

#define ALIGNED(n)	(((n) + 3u) / 4 * 4)

/* As elf(5) has it: sizes, type, name, what is said. Nobody here reads it. */
static const struct {
	uint32_t		name_size, size, type;
	char			name[ALIGNED(sizeof(CERTAUTH_STAMP_NAME))];
	struct certauth_stamp	stamp;
} note __attribute__((section(".note.certauth"), used, aligned(4))) = {
	sizeof(CERTAUTH_STAMP_NAME), sizeof(struct certauth_stamp),
	CERTAUTH_STAMP_TYPE, CERTAUTH_STAMP_NAME,
	{ INDEX_VERSION, CERTAUTH_VERSION }
};

const char *
certauth_version(void)
{
	return "certauth " CERTAUTH_VERSION;
}

/* -------------------------------------------------------------------- open */

static void
note_member(void *context, const char *file, const char *text)
{
	engine_note(context, CERTAUTH_WARNING, file, text);
}

static bool
load_refs(struct certauth *e, struct engine_authority *a,
    const struct config_refs *refs, enum pool_role role,
    struct certauth_error *error_r)
{
	struct certauth_error	inner;
	size_t			i;

	for (i = 0; i < refs->num_refs; i++) {
		if (pool_load(a->pool, &refs->refs[i], &e->config->owners, role,
		    note_member, e, &inner))
			continue;
		/* the setting's own line is what the administrator edits */
		error_set(error_r, refs->files[i], refs->lines[i], "authority \"%s\": "
		    "%s%s%s", a->name, inner.file,
		    inner.file[0] != '\0' ? ": " : "", inner.text);
		return false;
	}
	return true;
}

static bool
open_authorities(struct certauth *e, struct certauth_error *error_r)
{
	const struct config	*c = e->config;
	struct engine_authority	*a;
	size_t			 i;

	e->authorities = calloc(c->num_authorities + 1, sizeof(*e->authorities));
	e->pools = calloc(c->num_authorities + 1, sizeof(const struct pool *));
	if (e->authorities == NULL || e->pools == NULL)
		goto no_memory;
	for (i = 0; i < c->num_authorities; i++) {
		a = &e->authorities[i];
		e->num_authorities = i + 1;
		a->name = strdup(c->authorities[i].name);
		e->pools[i] = a->pool = pool_new();
		if (a->name == NULL || a->pool == NULL)
			goto no_memory;
		a->config = &c->authorities[i];
		a->revocation = c->authorities[i].revocation;
		a->has_issuers = c->authorities[i].issuers.num_refs > 0;
		if (!load_refs(e, a, &c->authorities[i].anchors, POOL_ANCHOR,
		    error_r) ||
		    !load_refs(e, a, &c->authorities[i].issuers, POOL_ISSUER,
		    error_r) ||
		    !load_refs(e, a, &c->authorities[i].intermediates,
		    POOL_INTERMEDIATE, error_r))
			return false;
		if (!pool_seal(a->pool))
			goto no_memory;
	}
	return true;
no_memory:
	error_set(error_r, e->path, 0, "out of memory");
	return false;
}

/* SHA-256 of what decides: the settings and the certificates they name. */
static bool
digest_profile(const struct certauth *e, struct certauth_profile *p,
    const char *canonical)
{
	const struct pool_member	*m;
	struct text			 all = { 0 };
	size_t				 i, j;
	bool				 ok;

	text_add(&all, canonical);
	for (i = 0; i < p->num_authorities; i++) {
		const struct pool *pool =
		    e->authorities[p->authorities[i]].pool;

		text_add(&all, "\n");
		for (j = 0; (m = pool_at(pool, j)) != NULL; j++) {
			text_printf(&all, "%u:", m->roles);
			text_add_hex(&all, m->outline.sha256, 32);
		}
	}
	ok = !all.failed && all.data != NULL &&
	    SHA256((unsigned char *)all.data, all.len, p->digest) != NULL;
	text_free(&all);
	return ok;
}

static bool
open_profiles(struct certauth *e, struct certauth_error *error_r)
{
	const struct config_profile	*from;
	struct certauth_profile		*p;
	size_t				 i, size;

	e->profiles = calloc(e->config->num_profiles + 1, sizeof(*e->profiles));
	if (e->profiles == NULL)
		goto no_memory;
	for (i = 0; i < e->config->num_profiles; i++) {
		from = &e->config->profiles[i];
		p = &e->profiles[i];
		e->num_profiles = i + 1;
		size = from->num_authorities * sizeof(*p->authorities);
		p->name = strdup(from->name);
		p->authorities = malloc(size + 1);
		if (p->name == NULL || p->authorities == NULL)
			goto no_memory;
		memcpy(p->authorities, from->authorities, size);
		p->num_authorities = from->num_authorities;
		policy_options_init(&p->policy);
		if (!policy_options_copy(&p->policy, &from->policy))
			goto no_memory;
		p->rules = from->rules;
		p->min_strength = from->min_strength;
		p->denied = from->denied;
		p->deadline = from->deadline;
		if (!digest_profile(e, p, from->canonical))
			goto no_memory;
	}
	if (engine_name_profiles(e))
		return true;
no_memory:
	error_set(error_r, e->path, 0, "out of memory");
	return false;
}

/* By its folder, so that it is found after a chroot. */
static bool
open_refresher(struct certauth *e, struct certauth_error *error_r)
{
	if (!file_ref_open_missing(&e->refresher, NULL, e->config->refresher,
	    error_r))
		return false;
	engine_find_refresher(e);
	return true;
}

static bool
open_data(struct certauth *e, struct certauth_error *error_r)
{
	const struct config	*c = e->config;
	size_t			 i, j, n = 0;
	bool			 changed, failed;

	for (i = 0; i < c->num_authorities; i++)
		n += c->authorities[i].crls.num_refs;
	e->crls = calloc(n + 1, sizeof(*e->crls));
	e->live = calloc(c->num_live + 1, sizeof(*e->live));
	if (e->crls == NULL || e->live == NULL) {
		error_set(error_r, e->path, 0, "out of memory");
		return false;
	}
	for (i = 0; i < c->num_authorities; i++)
		for (j = 0; j < c->authorities[i].crls.num_refs; j++)
			e->crls[e->num_crls++] = c->authorities[i].crls.refs[j];
	if (c->test_clock != NULL && !file_ref_open(&e->test_clock, NULL,
	    c->test_clock, error_r))
		return false;
	return open_refresher(e, error_r) &&
	    engine_load(e, true, &changed, &failed, error_r);
}

enum source { IN_FORCE, THE_FILE, GENERATION };

static struct certauth *
open_policy(const char *conf, enum source source, const char *name,
    struct certauth_error *error_r)
{
	struct certauth	*e;

	memset(error_r, 0, sizeof(*error_r));
	e = engine_new(conf);
	if (e == NULL) {
		error_set(error_r, conf, 0, "out of memory");
		return NULL;
	}
	ERR_set_mark();
	e->config = source == IN_FORCE ? config_load_in_force(conf, error_r) :
	    source == THE_FILE ? config_load(conf, error_r) :
	    config_load_applied(conf, name, error_r);
	if (e->config == NULL || !open_authorities(e, error_r) ||
	    !open_profiles(e, error_r) || !open_data(e, error_r)) {
		certauth_free(e);
		e = NULL;
	}
	ERR_pop_to_mark();
	return e;
}

struct certauth *
certauth_open(const char *conf, struct certauth_error *error_r)
{
	return open_policy(conf, IN_FORCE, NULL, error_r);
}

struct certauth *
certauth_open_file(const char *conf, struct certauth_error *error_r)
{
	return open_policy(conf, THE_FILE, NULL, error_r);
}

struct certauth *
certauth_open_applied(const char *conf, const char *name,
    struct certauth_error *error_r)
{
	return open_policy(conf, GENERATION, name, error_r);
}

unsigned
certauth_applied(const struct certauth *e)
{
	return e->config != NULL && e->config->applied != NULL ?
	    e->config->applied->number : 0;
}

void
certauth_free(struct certauth *e)
{
	size_t	i;

	if (e == NULL)
		return;
	verdict_cache_free(e->verdicts);
	sigcache_free(e->signatures);
	snapshot_free(e->current);
	for (i = 0; i < e->num_profiles; i++) {
		free(e->profiles[i].name);
		free(e->profiles[i].authorities);
		policy_options_clear(&e->profiles[i].policy);
		sk_X509_NAME_pop_free(e->profiles[i].names_issuers,
		    X509_NAME_free);
		sk_X509_NAME_pop_free(e->profiles[i].names_anchors,
		    X509_NAME_free);
	}
	free(e->profiles);
	for (i = 0; i < e->num_authorities; i++) {
		free(e->authorities[i].name);
		pool_free(e->authorities[i].pool);
	}
	free(e->authorities);
	free(e->pools);
	free(e->crls);
	for (i = 0; i < e->num_responses; i++)
		free((void *)(uintptr_t)e->responses[i].data);
	free(e->responses);
	for (i = 0; e->live != NULL && i < e->config->num_live; i++)
		free(e->live[i].said);
	free(e->live);
	if (e->test_clock.path != NULL)
		file_ref_close(&e->test_clock);
	file_ref_close(&e->refresher);
	config_free(e->config);
	pthread_mutex_destroy(&e->lock);
	pthread_mutex_destroy(&e->polling);
	free(e->path);
	free(e);
}

enum certauth_news
certauth_poll(struct certauth *e, struct certauth_error *error_r)
{
	bool	changed = false, failed = false;

	memset(error_r, 0, sizeof(*error_r));
	if (e->config == NULL || pthread_mutex_trylock(&e->polling) != 0)
		return CERTAUTH_NEWS_NONE;
	engine_find_refresher(e);
	ERR_set_mark();
	(void)engine_load(e, false, &changed, &failed, error_r);
	ERR_pop_to_mark();
	pthread_mutex_unlock(&e->polling);
	if (failed)
		return CERTAUTH_NEWS_FAILED;
	return changed ? CERTAUTH_NEWS_TAKEN : CERTAUTH_NEWS_NONE;
}

/* ---------------------------------------------------------------- profiles */

const struct certauth_profile *
certauth_profile_find(const struct certauth *e, const char *name)
{
	size_t	i;

	if (e == NULL || name == NULL)
		return NULL;
	for (i = 0; i < e->num_profiles; i++)
		if (strcmp(e->profiles[i].name, name) == 0)
			return &e->profiles[i];
	return NULL;
}

const struct certauth_profile *
certauth_profile_at(const struct certauth *e, size_t i)
{
	return e != NULL && i < e->num_profiles ? &e->profiles[i] : NULL;
}

const char *
certauth_profile_name(const struct certauth_profile *p)
{
	return p->name;
}

const char *
certauth_conf_path(const struct certauth *e)
{
	return e->path;
}

STACK_OF(X509_NAME) *
certauth_profile_get0_ca_names(const struct certauth_profile *p,
    enum certauth_names which)
{
	return which == CERTAUTH_NAMES_ANCHORS ? p->names_anchors :
	    p->names_issuers;
}

void
certauth_profile_digest(const struct certauth_profile *p,
    unsigned char digest_r[32])
{
	memcpy(digest_r, p->digest, 32);
}

/* -------------------------------------------------------- small questions */

bool
certauth_verdict_current(const struct certauth *e,
    const struct certauth_verdict *v, int64_t now)
{
	if (e == NULL || v == NULL)
		return false;
	if (now == 0)
		now = engine_clock(e);
	return verdict_is_current(v, e->id, certauth_generation(e), now);
}

static bool
same_san(const struct cert_san *san, enum cert_san_kind kind, const char *value)
{
	size_t	len = strlen(value);

	if (kind == CERT_SAN_EMAIL && strchr(value, '@') != NULL)
		return cert_mailbox_is(san->data, san->data_len, value);
	if (san->data_len != len)
		return false;
	if (kind == CERT_SAN_DNS)
		return strncasecmp((const char *)san->data, value, len) == 0;
	return memcmp(san->data, value, len) == 0;
}

bool
certauth_verdict_has_san(const struct certauth_verdict *v, const char *type,
    const char *value)
{
	STACK_OF(X509)		*path = certauth_verdict_get0_path(v);
	enum cert_san_kind	 kind;
	struct cert		*leaf;
	size_t			 i;
	bool			 found = false;

	if (certauth_verdict_decision(v) != CERTAUTH_ACCEPT || path == NULL ||
	    type == NULL || value == NULL)
		return false;
	if (strcmp(type, "email") == 0)
		kind = CERT_SAN_EMAIL;
	else if (strcmp(type, "upn") == 0)
		kind = CERT_SAN_UPN;
	else if (strcmp(type, "uri") == 0)
		kind = CERT_SAN_URI;
	else if (strcmp(type, "dns") == 0)
		kind = CERT_SAN_DNS;
	else
		return false;
	leaf = cert_new(sk_X509_value(path, 0));
	for (i = 0; leaf != NULL && !found && i < leaf->num_sans; i++)
		found = leaf->sans[i].kind == kind &&
		    same_san(&leaf->sans[i], kind, value);
	cert_free(leaf);
	return found;
}
