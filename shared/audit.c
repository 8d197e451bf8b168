/*
 * audit.c - what should an administrator know before the users do?
 *
 * Looks at an open engine only: revocation data that is missing or old, CAs that
 * end. Decides about nobody.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "base/text.h"
#include "certauth_data.h"
#include "engine.h"
#include "mapped.h"
#include "revocation/index.h"

/* An anchor or issuer that ends within this is worth a line. */
#define AUDIT_SOON	((int64_t)30 * 86400)

struct audit {
	struct certauth		*engine;
	struct snapshot		*data;
	int64_t			 now;
	certauth_audit_fn	*say;
	void			*context;
};

static void say(struct audit *, enum certauth_severity, const char *format, ...)
    CERTAUTH_PRINTF(3, 4);

static void
say(struct audit *a, enum certauth_severity severity, const char *format, ...)
{
	char	line[1024];
	va_list	ap;

	va_start(ap, format);
	(void)vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	a->say(a->context, severity, line);
}

static bool
covered(struct audit *a, const char *issuer)
{
	struct revocation_row	row;
	size_t			i;

	for (i = 0; revocation_row_at(a->data->revocation, i, &row); i++)
		if (!row.delta && strcmp(row.issuer, issuer) == 0)
			return true;
	return false;
}

static void
audit_member(struct audit *a, const struct engine_authority *authority,
    const struct pool_member *m)
{
	const struct revocation_options	*r = &authority->revocation;
	const struct cert		*cert = pool_cert(m);
	char				*name = cert != NULL ?
					    cert_subject_print(cert) : NULL;
	char				 when[32];
	bool				 issues_leaves;

	if (cert == NULL) {
		say(a, (m->roles & (POOL_ANCHOR | POOL_ISSUER)) != 0 ?
		    CERTAUTH_FATAL : CERTAUTH_WARNING, "authority \"%s\": a "
		    "certificate in %s cannot be decoded and is as if it were "
		    "not there", authority->name, m->source);
		return;
	}
	if (name == NULL)
		return;
	text_time_print(when, sizeof(when), cert->not_after);
	if (cert->not_after < a->now)
		say(a, CERTAUTH_WARNING, "authority \"%s\": %s of %s has ended "
		    "on %s", authority->name, (m->roles & POOL_ANCHOR) != 0 ?
		    "anchor" : "CA", name, when);
	else if (cert->not_after < a->now + AUDIT_SOON)
		say(a, CERTAUTH_WARNING, "authority \"%s\": %s ends on %s",
		    authority->name, name, when);
	issues_leaves = authority->has_issuers ?
	    (m->roles & POOL_ISSUER) != 0 : cert->is_ca;
	if (cert->not_after >= a->now && r->check != REVOCATION_NONE &&
	    (issues_leaves || (r->check == REVOCATION_CHAIN &&
	    (m->roles & POOL_ANCHOR) != 0)) && !covered(a, name))
		say(a, r->unknown == REVOCATION_ACCEPT ? CERTAUTH_WARNING :
		    CERTAUTH_FATAL, "authority \"%s\": no CRL of %s is there; "
		    "what it issued is %s", authority->name, name,
		    r->unknown == REVOCATION_ACCEPT ?
		    "accepted without a check (unknown = accept)" :
		    "refused with revocation-unknown");
	free(name);
}

static int64_t
longest_grace(const struct certauth *e)
{
	int64_t	grace = 0;
	size_t	i;

	for (i = 0; i < e->num_authorities; i++)
		if (e->authorities[i].revocation.grace > grace)
			grace = e->authorities[i].revocation.grace;
	return grace;
}

static void
audit_crls(struct audit *a)
{
	struct revocation_row	row;
	size_t			i;
	char			when[32];

	for (i = 0; revocation_row_at(a->data->revocation, i, &row); i++) {
		if (row.next_update == 0 || row.next_update >= a->now)
			continue;
		text_time_print(when, sizeof(when), row.next_update);
		/* Nobody is refused for want of a delta CRL. */
		say(a, !row.delta && row.next_update +
		    longest_grace(a->engine) < a->now ?
		    CERTAUTH_FATAL : CERTAUTH_WARNING,
		    "%s: the %sCRL of %s is stale since %s; get the current "
		    "one", row.source, row.delta ? "delta " : "", row.issuer,
		    when);
	}
}

static void
audit_overrides(struct audit *a)
{
	struct certauth_override	o;
	char				when[32];
	size_t				i;

	for (i = 0; certauth_override_at(a->engine, i, &o); i++)
		if (o.until > a->now)
			say(a, CERTAUTH_WARNING, "authority \"%s\": stale data "
			    "counts until %s by an override of %s: %s",
			    o.authority, text_time_print(when, sizeof(when),
			    o.until), o.by, o.reason);
}

static void
say_warning(void *context, const char *line)
{
	say(context, CERTAUTH_WARNING, "%s", line);
}

/* Compiled tables: a digest that no look-up checks. */
static void
audit_tables(struct audit *a)
{
	struct certauth_error	error;
	char			line[640];
	size_t			i;

	for (i = 0; i < a->data->num_live; i++) {
		if (a->data->tables[i] == NULL ||
		    table_is_sound(a->data->tables[i], &error))
			continue;
		(void)snprintf(line, sizeof(line), "%s: %s",
		    a->engine->config->live[i].ref.path, error.text);
		a->say(a->context, CERTAUTH_FATAL, line);
	}
}

/* Everything is published in vain when nobody believes the folder. */
static void
audit_state(struct audit *a)
{
	const struct config	*config = a->engine->config;
	struct certauth_error	 error;

	if (config->has_state && !publish_believed(&config->state,
	    &config->owners, &error))
		say(a, CERTAUTH_FATAL, "%s: %s", error.file, error.text);
}

void
certauth_audit(struct certauth *e, int64_t now, certauth_audit_fn *fn,
    void *context)
{
	struct audit			 a = { .engine = e, .say = fn,
					    .context = context };
	const struct pool_member	*m;
	size_t				 i, j;

	a.now = now != 0 ? now : engine_clock(e);
	a.data = engine_snapshot(e);
	if (a.data == NULL)
		return;
	for (i = 0; i < e->num_authorities; i++)
		for (j = 0; (m = pool_at(e->authorities[i].pool, j)) != NULL;
		    j++)
			audit_member(&a, &e->authorities[i], m);
	audit_state(&a);
	audit_policies(e, fn, context);
	mapped_folds(e, a.data, say_warning, &a);
	audit_tables(&a);
	audit_overrides(&a);
	audit_crls(&a);
	snapshot_free(a.data);
}

bool
certauth_revocation_at(struct certauth *e, size_t i,
    struct certauth_revocation_row *row_r)
{
	struct snapshot		*data = engine_snapshot(e);
	struct revocation_row	 row;
	bool			 have = false;

	memset(row_r, 0, sizeof(*row_r));
	if (data != NULL && revocation_row_at(data->revocation, i, &row)) {
		have = true;
		(void)snprintf(row_r->source, sizeof(row_r->source), "%s",
		    row.source);
		(void)snprintf(row_r->issuer, sizeof(row_r->issuer), "%s",
		    row.issuer);
		row_r->this_update = row.this_update;
		row_r->next_update = row.next_update;
		row_r->entries = row.entries;
		row_r->published = row.published;
	}
	snapshot_free(data);
	return have;
}
