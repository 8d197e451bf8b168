/*
 * explain.c - a closed verdict as a log line, as JSON, and as a story.
 *
 * Only tells; changes and decides nothing.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/text.h"
#include "verdict/list.h"
#include "verdict/name.h"
#include "verdict/verdict.h"

static const char *
decision_word(enum certauth_decision decision)
{
	switch (decision) {
	case CERTAUTH_ACCEPT:
		return "ACCEPT";
	case CERTAUTH_UNDECIDED:
		return "UNDECIDED";
	case CERTAUTH_REJECT:
		break;
	}
	return "REJECT";
}

/* The finding that gave the primary reason; NULL on an accept. */
static const struct certauth_finding *
told_finding(const struct certauth_verdict *v)
{
	const struct certauth_finding	*f;
	size_t				 i, n = certauth_verdict_findings(v, &f);

	for (i = 0; i < n; i++)
		if (f[i].severity == CERTAUTH_FATAL && f[i].path <= 0 &&
		    f[i].reason == certauth_verdict_reason(v))
			return &f[i];
	return NULL;
}

char *
explain_line(const struct certauth_verdict *v)
{
	enum certauth_reason		 reason = certauth_verdict_reason(v);
	const struct certauth_finding	*told = told_finding(v), *f;
	struct text			 out = { 0 };
	size_t				 i, n;

	text_printf(&out, "%s %d %s",
	    decision_word(certauth_verdict_decision(v)), (int)reason,
	    certauth_reason_slug(reason));
	text_add_quoted(&out, "user", certauth_verdict_user(v));
	if (verdict_attr(v, VERDICT_STRENGTH)[0] != '\0')
		text_printf(&out, " strength=%s",
		    verdict_attr(v, VERDICT_STRENGTH));
	text_printf(&out, " profile=%s", verdict_attr(v, VERDICT_PROFILE));
	if (told != NULL && told->depth >= 0)
		text_printf(&out, " depth=%d", told->depth);
	if (verdict_attr(v, VERDICT_SERIAL)[0] != '\0') {
		/* In front of the names, which may be so long that a server cuts. */
		text_printf(&out, " serial=%s", verdict_attr(v, VERDICT_SERIAL));
		if (verdict_attr(v, VERDICT_NOT_AFTER)[0] != '\0')
			text_printf(&out, " not_after=%s",
			    verdict_attr(v, VERDICT_NOT_AFTER));
		text_add_quoted(&out, "subject", verdict_attr(v, VERDICT_SUBJECT));
		text_add_quoted(&out, "issuer", verdict_attr(v, VERDICT_ISSUER));
	}
	if (verdict_attr(v, VERDICT_RENEWAL)[0] != '\0')
		text_printf(&out, " renewal=%s days_left=%s",
		    verdict_attr(v, VERDICT_RENEWAL),
		    verdict_attr(v, VERDICT_DAYS_LEFT));
	text_printf(&out, " id=%s", verdict_attr(v, VERDICT_ID));
	if (told != NULL && told->detail[0] != '\0')
		text_add_quoted(&out, "detail", told->detail);
	/* What was softened must be seen in the log too. */
	n = certauth_verdict_findings(v, &f);
	for (i = 0; i < n; i++)
		if (f[i].severity == CERTAUTH_WARNING && f[i].path <= 0) {
			text_printf(&out, " softened=%s",
			    certauth_reason_slug(f[i].reason));
			text_add_quoted(&out, "warning", f[i].detail);
		}
	return text_take(&out);
}

/* ----------------------------------------------------------------- JSON */

static const char *
severity_word(enum certauth_severity severity)
{
	switch (severity) {
	case CERTAUTH_NOTE:
		return "note";
	case CERTAUTH_WARNING:
		return "warning";
	case CERTAUTH_FATAL:
		break;
	}
	return "fatal";
}

static void
add_string(json_t *object, const char *key, const char *value)
{
	json_t	*s = json_string(value);	/* NULL when no UTF-8 */

	json_object_set_new(object, key, s != NULL ? s : json_string(""));
}

json_t *
json_list(const char *comma_list)
{
	json_t		*list = json_array();
	const char	*p = comma_list, *end;

	while (*p != '\0') {
		end = strchr(p, ',');
		if (end == NULL)
			end = p + strlen(p);
		json_array_append_new(list, json_stringn(p, (size_t)(end - p)));
		p = *end == ',' ? end + 1 : end;
	}
	return list;
}

static json_t *
json_path(STACK_OF(X509) *path)
{
	json_t	*list = json_array();
	char	*name;
	int	 i;

	for (i = 0; path != NULL && i < sk_X509_num(path); i++) {
		name = name_print(X509_get_subject_name(
		    sk_X509_value(path, i)));
		json_array_append_new(list,
		    json_string(name != NULL ? name : ""));
		free(name);
	}
	return list;
}

char *
explain_json(const struct certauth_verdict *v)
{
	const struct certauth_finding	*f;
	size_t				 i, n;
	json_t				*root = json_object(), *list, *item;
	char				*out;

	if (root == NULL)
		return NULL;
	add_string(root, "result",
	    certauth_verdict_decision(v) == CERTAUTH_ACCEPT ? "accept" : "reject");
	add_string(root, "reason",
	    certauth_reason_slug(certauth_verdict_reason(v)));
	add_string(root, "message", verdict_message(v));
	json_object_set_new(root, "path",
	    json_path(certauth_verdict_get0_path(v)));
	json_object_set_new(root, "policies",
	    json_list(verdict_attr(v, VERDICT_POLICIES)));
	add_string(root, "user", certauth_verdict_user(v));
	add_string(root, "groups", verdict_attr(v, VERDICT_GROUPS));
	if (verdict_attr(v, VERDICT_ACCOUNTS)[0] != '\0')
		add_string(root, "accounts", verdict_attr(v, VERDICT_ACCOUNTS));
	add_string(root, "profile", verdict_attr(v, VERDICT_PROFILE));
	add_string(root, "authority", verdict_attr(v, VERDICT_AUTHORITY));
	add_string(root, "rule", verdict_attr(v, VERDICT_RULE));
	add_string(root, "strength", verdict_attr(v, VERDICT_STRENGTH));
	add_string(root, "serial", verdict_attr(v, VERDICT_SERIAL));
	add_string(root, "fingerprint", verdict_attr(v, VERDICT_FINGERPRINT));
	add_string(root, "email", verdict_attr(v, VERDICT_EMAIL));
	add_string(root, "subject", verdict_attr(v, VERDICT_SUBJECT));
	add_string(root, "issuer", verdict_attr(v, VERDICT_ISSUER));
	add_string(root, "notAfter", verdict_attr(v, VERDICT_NOT_AFTER));
	add_string(root, "renewal", verdict_attr(v, VERDICT_RENEWAL));
	add_string(root, "id", verdict_attr(v, VERDICT_ID));
	list = json_array();
	n = certauth_verdict_findings(v, &f);
	for (i = 0; i < n; i++) {
		item = json_object();
		add_string(item, "reason", certauth_reason_slug(f[i].reason));
		add_string(item, "severity", severity_word(f[i].severity));
		json_object_set_new(item, "path", json_integer(f[i].path));
		json_object_set_new(item, "depth", json_integer(f[i].depth));
		add_string(item, "detail", f[i].detail);
		json_array_append_new(list, item);
	}
	json_object_set_new(root, "findings", list);
	out = json_dumps(root, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(root);
	return out;
}

/* ---------------------------------------------------------------- story */

static void
tell_path(struct text *out, const struct certauth_verdict *v, size_t number)
{
	const struct certauth_finding	*f;
	const char			*authority;
	STACK_OF(X509)			*path = verdict_path(v, number, &authority);
	size_t				 k, n = certauth_verdict_findings(v, &f);
	char				*name;
	int				 i;

	text_printf(out, "  path %zu, authority %s\n", number + 1, authority);
	for (i = 0; i < sk_X509_num(path); i++) {
		name = name_print(X509_get_subject_name(
		    sk_X509_value(path, i)));
		text_printf(out, "    %d %-8s %s\n", i, i == 0 ? "leaf" :
		    i == sk_X509_num(path) - 1 ? "anchor" : "CA",
		    name != NULL ? name : "?");
		free(name);
		for (k = 0; k < n; k++)
			if (f[k].path == (int)number && f[k].depth == i)
				text_printf(out, "      %s %s %s\n",
				    f[k].severity == CERTAUTH_FATAL ? "FAILED" :
				    severity_word(f[k].severity),
				    certauth_reason_slug(f[k].reason),
				    f[k].detail);
	}
	for (k = 0; k < n; k++)
		if (f[k].path == (int)number && f[k].depth < 0)
			text_printf(out, "    %s %s %s\n",
			    f[k].severity == CERTAUTH_FATAL ? "FAILED" :
			    severity_word(f[k].severity),
			    certauth_reason_slug(f[k].reason), f[k].detail);
}

char *
explain_story(const struct certauth_verdict *v)
{
	enum certauth_reason		 reason = certauth_verdict_reason(v);
	const struct certauth_finding	*f;
	struct text			 out = { 0 };
	size_t				 i, n;
	char				 when[32];

	text_printf(&out, "%s: %s (%d)\n  %s\n",
	    decision_word(certauth_verdict_decision(v)),
	    certauth_reason_slug(reason), (int)reason, verdict_message(v));
	if (certauth_verdict_decision(v) == CERTAUTH_ACCEPT)
		text_printf(&out, "  user: %s%s%s\n",
		    certauth_verdict_user(v)[0] != '\0' ?
		    certauth_verdict_user(v) : "(no rule names one)",
		    verdict_attr(v, VERDICT_GROUPS)[0] != '\0' ? ", groups: " : "",
		    verdict_attr(v, VERDICT_GROUPS));
	else
		text_printf(&out, "  what to do: %s\n",
		    certauth_reason_mend(reason));
	text_printf(&out, "\ncertificate\n  subject     %s\n  issuer      %s\n"
	    "  serial      %s\n  sha256      %s\n  mailboxes   %s\n"
	    "  days left   %s%s%s\n  judged at   %s\n  profile     %s\n",
	    verdict_attr(v, VERDICT_SUBJECT), verdict_attr(v, VERDICT_ISSUER),
	    verdict_attr(v, VERDICT_SERIAL),
	    verdict_attr(v, VERDICT_FINGERPRINT),
	    verdict_attr(v, VERDICT_EMAIL), verdict_attr(v, VERDICT_DAYS_LEFT),
	    verdict_attr(v, VERDICT_RENEWAL)[0] != '\0' ? ", renewal " : "",
	    verdict_attr(v, VERDICT_RENEWAL),
	    text_time_print(when, sizeof(when), verdict_now(v)),
	    verdict_attr(v, VERDICT_PROFILE));
	if (verdict_attr(v, VERDICT_POLICIES)[0] != '\0')
		text_printf(&out, "  policies    %s\n",
		    verdict_attr(v, VERDICT_POLICIES));
	text_printf(&out, "\npaths tried: %zu\n", verdict_num_paths(v));
	for (i = 0; i < verdict_num_paths(v); i++)
		tell_path(&out, v, i);
	n = certauth_verdict_findings(v, &f);
	for (i = 0; i < n; i++)
		if (f[i].path < 0)
			text_printf(&out, "  %s %s %s\n",
			    f[i].severity == CERTAUTH_FATAL ? "FAILED" :
			    severity_word(f[i].severity),
			    certauth_reason_slug(f[i].reason), f[i].detail);
	if (verdict_story(v)[0] != '\0')
		text_printf(&out, "\nsteps\n%s", verdict_story(v));
	return text_take(&out);
}
