/*
 * logged.c - which decisions get a line in the log, and where the count of the
 * others is told.
 *
 * What stands in a line is verdict/decision.c; printing it is the host's.
 */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "engine.h"

/* -1: no path led to one. */
static int
authority_number(const struct certauth *e, const char *name)
{
	size_t	i;

	for (i = 0; name[0] != '\0' && i < e->num_authorities; i++)
		if (strcmp(e->authorities[i].name, name) == 0)
			return (int)i;
	return -1;
}

char *
certauth_decision(struct certauth *e, const struct certauth_verdict *v,
    const struct certauth_event *event, int64_t now)
{
	static const struct decision_options	 plain = { .json = false };
	const struct decision_options		*options = &plain;
	uint64_t				 unlogged = 0;
	bool					 due = true;

	if (now == 0)
		now = engine_clock(e);
	if (e != NULL && e->config != NULL)
		options = &e->config->log;
	if (e != NULL && certauth_verdict_decision(v) != CERTAUTH_ACCEPT) {
		(void)pthread_mutex_lock(&e->lock);
		due = limit_take(&e->logged, certauth_verdict_reason(v),
		    authority_number(e, certauth_verdict_get(v, "authority")),
		    options->limit, now, &unlogged);
		(void)pthread_mutex_unlock(&e->lock);
	}
	return due ? decision_line(options, v, event, now, unlogged) : NULL;
}

char *
certauth_decision_report(struct certauth *e, const struct certauth_verdict *other,
    const struct certauth_verdict *v, const struct certauth_event *event,
    int64_t now)
{
	struct text	 out = { 0 };
	char		*line;
	bool		 plain;

	if (e == NULL || e->config == NULL)
		return NULL;
	line = decision_line(&e->config->log, other, event,
	    now == 0 ? engine_clock(e) : now, 0);
	if (line == NULL)
		return NULL;
	plain = e->config->log.personal == DECISION_PLAIN;
	text_printf(&out, "report: profile %s would say %s; in force is %s",
	    certauth_verdict_get(other, "profile"), line,
	    certauth_verdict_get(v, "reason"));
	if (plain)
		text_printf(&out, " with user \"%s\"", certauth_verdict_user(v));
	free(line);
	return text_take(&out);
}

char *
certauth_decision_rest(struct certauth *e, int64_t now)
{
	struct limit_kind	kind;
	struct text		out = { 0 };
	bool			some;

	if (e == NULL)
		return NULL;
	if (now == 0)
		now = engine_clock(e);
	(void)pthread_mutex_lock(&e->lock);
	some = limit_rest(&e->logged, now, &kind);
	(void)pthread_mutex_unlock(&e->lock);
	if (!some)
		return NULL;
	text_printf(&out, "%llu more refusals were not logged: %s%s%s",
	    (unsigned long long)kind.unlogged,
	    certauth_reason_slug(kind.reason),
	    kind.authority >= 0 ? ", authority " : "",
	    kind.authority >= 0 ? e->authorities[kind.authority].name : "");
	return text_take(&out);
}
