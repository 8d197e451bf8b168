/*
 * mapped.c - what do the rules make of this certificate, whatever else is to be
 * said of it? And which two people do they take for one?
 *
 * For `certauth map --explain` and `certauth check`. Lets nobody in: paths, dates
 * and revocation are not looked at.
 */

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "base/text.h"
#include "certauth_data.h"
#include "engine.h"
#include "mapped.h"

/* Memory of one certificate's story. */
#define MAPPED_MAX_BYTES	(4u * 1024 * 1024)

struct lines {
	const char	*items[RULES_MAX];
	size_t		 num_items;
	struct arena	*arena;
};

static void
keep_line(void *context, const char *line)
{
	struct lines	*lines = context;
	const char	*copy = arena_string(lines->arena, line);

	if (copy != NULL && lines->num_items < RULES_MAX)
		lines->items[lines->num_items++] = copy;
}

static bool
try_authority(struct certauth *e, const struct certauth_profile *profile,
    const struct engine_authority *authority, const struct cert *cert,
    const struct certauth_map_ask *ask, struct snapshot *data,
    certauth_map_try_fn *fn, void *context)
{
	struct certauth_map_try	 try = { .authority = authority->name };
	struct rules_answer	 answer;
	struct lines		*lines;
	struct arena		*arena = arena_new(MAPPED_MAX_BYTES);

	lines = arena == NULL ? NULL : arena_alloc(arena, sizeof(*lines));
	if (lines == NULL) {
		arena_free(arena);
		return false;
	}
	lines->arena = arena;
	rules_ask(profile->rules, &(struct rules_query){ .cert = cert,
	    .authority = authority->name, .pinned = authority->has_issuers,
	    .service = ask->service, .min_strength = profile->min_strength,
	    .tables = data->tables, .num_tables = data->num_live,
	    .now = ask->now != 0 ? ask->now : engine_clock(e),
	    .tell = keep_line, .context = lines }, arena, &answer);
	try.reason = answer.reason;
	try.user = answer.user;
	try.groups = answer.groups;
	try.rule = answer.rule;
	try.strength = answer.strength;
	try.detail = answer.detail;
	try.lines = lines->items;
	try.num_lines = lines->num_items;
	fn(context, &try);
	arena_free(arena);
	return true;
}

bool
certauth_profile_maps(const struct certauth_profile *profile)
{
	return profile->rules != NULL;
}

bool
certauth_map_explain(struct certauth *e, const struct certauth_profile *profile,
    const struct certauth_map_ask *ask, certauth_map_try_fn *fn, void *context,
    struct certauth_error *error_r)
{
	struct snapshot	*data = NULL;
	struct cert	*cert = NULL;
	bool		 ok = false;
	size_t		 i;

	if (profile->rules == NULL) {
		error_set(error_r, NULL, 0,
		    "profile \"%s\" has no identity rules", profile->name);
		return false;
	}
	ERR_set_mark();
	cert = ask->leaf != NULL ? cert_new(ask->leaf) : NULL;
	data = engine_snapshot(e);
	if (cert == NULL || data == NULL) {
		error_set(error_r, NULL, 0, cert == NULL ?
		    "the certificate is not readable" : "out of memory");
		goto out;
	}
	for (i = 0; i < profile->num_authorities; i++)
		if (!try_authority(e, profile,
		    &e->authorities[profile->authorities[i]], cert, ask, data,
		    fn, context)) {
			error_set(error_r, NULL, 0, "out of memory");
			goto out;
		}
	ok = true;
out:
	cert_free(cert);
	if (data != NULL)
		snapshot_free(data);
	ERR_pop_to_mark();
	return ok;
}

/* ------------------------------------------------------------- two, one name */

struct folding {
	const char		*profile, *rule, *file;
	mapped_fold_fn		*say;
	void			*context;
};

static void
tell_twins(void *context, unsigned line, unsigned other, const char *key)
{
	struct folding	*f = context;
	char		 shown[160], text[640];

	text_printable(shown, sizeof(shown), key, strlen(key));
	(void)snprintf(text, sizeof(text), "profile \"%s\", rule \"%s\": lines "
	    "%u and %u of %s differ in case alone and are different users, and "
	    "the rule looks keys up in lower case: \"%s\"", f->profile, f->rule,
	    line, other, f->file, shown);
	f->say(f->context, text);
}

void
mapped_folds(struct certauth *e, const struct snapshot *data,
    mapped_fold_fn *say, void *context)
{
	const struct certauth_profile	*p;
	struct rules_fold		 fold;
	struct folding			 f;
	char				 text[512];
	size_t				 i, j;

	for (i = 0; i < e->num_profiles; i++) {
		p = &e->profiles[i];
		for (j = 0; rules_fold_at(p->rules, j, &fold); j++) {
			f = (struct folding){ p->name, fold.rule, "", say,
			    context };
			if (fold.drops_domain) {
				(void)snprintf(text, sizeof(text), "profile "
				    "\"%s\", rule \"%s\": the user is what "
				    "stands before the @, and `when` does not "
				    "ask for one domain: people of two domains "
				    "become one user", p->name, fold.rule);
				say(context, text);
			}
			if (!fold.lowers_key || fold.table < 0 ||
			    (size_t)fold.table >= data->num_live ||
			    data->tables[fold.table] == NULL ||
			    e->config == NULL)
				continue;
			f.file = e->config->live[fold.table].ref.path;
			(void)table_case_twins(data->tables[fold.table],
			    tell_twins, &f);
		}
	}
}
