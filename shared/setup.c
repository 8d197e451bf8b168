/*
 * setup.c - an engine without policy file, from files named one by one.
 *
 * What `certauth verify --roots` and test suites need. Never looks at /etc.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "base/text.h"
#include "certauth_data.h"
#include "engine.h"
#include "input.h"

static void
note_member(void *context, const char *file, const char *text)
{
	engine_note(context, CERTAUTH_WARNING, file, text);
}

static void
note_crl(void *context, enum certauth_severity severity, const char *file,
    const char *text)
{
	engine_note(context, severity, file, text);
}

static bool
load_pool(struct certauth *e, const char *const *files, size_t num,
    enum pool_role role, struct certauth_error *error_r)
{
	unsigned char	*data;
	size_t		 i, data_len;
	bool		 ok;

	for (i = 0; i < num; i++) {
		if (!input_read(files[i], &data, &data_len, error_r))
			return false;
		ok = pool_load_bytes(e->authorities[0].pool, data, data_len,
		    files[i], role, note_member, e, error_r);
		free(data);
		if (!ok)
			return false;
	}
	return true;
}

static bool
load_crls(struct certauth *e, const struct certauth_setup *setup,
    struct certauth_error *error_r)
{
	struct certauth_bytes	*crls;
	unsigned char		*data;
	size_t			 i, n = 0, data_len;
	bool			 ok = false;

	crls = calloc(setup->num_crls + 1, sizeof(*crls));
	if (crls == NULL)
		return false;
	for (i = 0; i < setup->num_crls; i++) {
		if (!input_read(setup->crls[i], &data, &data_len, error_r))
			goto out;
		crls[n].data = data;
		crls[n++].data_len = data_len;
	}
	e->current->revocation = revocation_load_bytes(crls, n,
	    e->authorities[0].pool, note_crl, e);
	ok = e->current->revocation != NULL;
	if (!ok)
		error_set(error_r, NULL, 0, "out of memory");
out:
	for (i = 0; i < n; i++)
		free((void *)(uintptr_t)crls[i].data);
	free(crls);
	return ok;
}

/* As they are: one that says nothing is no status. */
static bool
load_responses(struct certauth *e, const struct certauth_setup *setup,
    struct certauth_error *error_r)
{
	struct certauth_bytes	*responses;
	unsigned char		*data;
	size_t			 i, data_len;

	if (setup->num_ocsp_responses > REVOCATION_MAX_RESPONSES) {
		error_set(error_r, NULL, 0, "found %zu OCSP responses; expected "
		    "at most %d", setup->num_ocsp_responses,
		    REVOCATION_MAX_RESPONSES);
		return false;
	}
	responses = calloc(setup->num_ocsp_responses + 1, sizeof(*responses));
	if (responses == NULL)
		return false;
	e->responses = responses;
	for (i = 0; i < setup->num_ocsp_responses; i++) {
		if (!input_read(setup->ocsp_responses[i], &data, &data_len,
		    error_r))
			return false;
		responses[i].data = data;
		responses[i].data_len = data_len;
		e->num_responses++;
	}
	return true;
}

static bool
fill_policy(struct policy_options *o, const struct certauth_setup *s,
    struct certauth_error *error_r)
{
	const char	*purpose = s->purpose != NULL ? s->purpose : "client";
	size_t		 i;

	policy_options_init(o);
	if (!policy_add_purpose(o, purpose)) {
		error_set(error_r, NULL, 0, "\"%s\" is no purpose; expected "
		    "client, email, any or an OID", purpose);
		return false;
	}
	for (i = 0; i < s->num_policies; i++) {
		if (policy_add_oid(o, s->policies[i]))
			continue;
		error_set(error_r, NULL, 0, "\"%s\" is no policy OID (dotted "
		    "numbers), or there are over %d", s->policies[i],
		    POLICY_MAX_OIDS);
		return false;
	}
	o->explicit_policy = s->explicit_policy;
	o->inhibit_any = s->inhibit_any_policy;
	o->inhibit_mapping = s->inhibit_policy_mapping;
	o->depth = s->max_depth;
	if (s->email != NULL && (o->email = strdup(s->email)) == NULL) {
		error_set(error_r, NULL, 0, "out of memory");
		return false;
	}
	return true;
}

static bool
fill_revocation(struct revocation_options *o, const char *word,
    struct certauth_error *error_r)
{
	memset(o, 0, sizeof(*o));	/* refuse, no grace, any age */
	o->sources[o->num_sources++] = REVOCATION_CRL;
	o->sources[o->num_sources++] = REVOCATION_OCSP;
	if (word == NULL || strcmp(word, "none") == 0) {
		o->check = REVOCATION_NONE;
	} else if (strcmp(word, "leaf") == 0) {
		o->check = REVOCATION_LEAF;
	} else if (strcmp(word, "chain") == 0) {
		o->check = REVOCATION_CHAIN;
	} else {
		error_set(error_r, NULL, 0, "\"%s\" is no kind of revocation "
		    "check; expected none, leaf or chain", word);
		return false;
	}
	return true;
}

static bool
fill(struct certauth *e, const struct certauth_setup *setup,
    struct certauth_error *error_r)
{
	struct engine_authority	*a;
	struct certauth_profile	*p;

	error_set(error_r, NULL, 0, "out of memory");
	e->authorities = calloc(1, sizeof(*e->authorities));
	e->profiles = calloc(1, sizeof(*e->profiles));
	e->pools = calloc(1, sizeof(const struct pool *));
	e->current = snapshot_new(0);
	if (e->authorities == NULL || e->profiles == NULL || e->pools == NULL ||
	    e->current == NULL)
		return false;
	a = &e->authorities[0];
	p = &e->profiles[0];
	e->num_authorities = e->num_profiles = 1;
	a->name = strdup("command");
	p->name = strdup("command");
	p->authorities = calloc(1, sizeof(*p->authorities));
	e->pools[0] = a->pool = pool_new();
	if (a->name == NULL || p->name == NULL || p->authorities == NULL ||
	    a->pool == NULL)
		return false;
	p->num_authorities = 1;
	p->denied = -1;
	if (!fill_policy(&p->policy, setup, error_r) ||
	    !fill_revocation(&a->revocation, setup->revocation, error_r) ||
	    !load_pool(e, setup->roots, setup->num_roots, POOL_ANCHOR,
	    error_r) ||
	    !load_pool(e, setup->intermediates, setup->num_intermediates,
	    POOL_INTERMEDIATE, error_r))
		return false;
	return pool_seal(a->pool) && load_crls(e, setup, error_r) &&
	    load_responses(e, setup, error_r) &&
	    engine_name_profiles(e);
}

struct certauth *
certauth_open_setup(const struct certauth_setup *setup,
    struct certauth_error *error_r)
{
	struct certauth	*e;

	memset(error_r, 0, sizeof(*error_r));
	e = engine_new("(command line)");
	if (e == NULL) {
		error_set(error_r, NULL, 0, "out of memory");
		return NULL;
	}
	ERR_set_mark();
	if (!fill(e, setup, error_r)) {
		certauth_free(e);
		e = NULL;
	} else {
		memset(error_r, 0, sizeof(*error_r));
	}
	ERR_pop_to_mark();
	return e;
}
