/*
 * connect_mean.c - what does that answer mean: an alert, a page, the words of a mail
 * server?
 *
 * Knows what servers say, not why ours said it: that is in its log, and `certauth
 * explain` tells it.
 */

#include <stdio.h>
#include <string.h>

#include "connect.h"

#define EXPLAIN		"on the server, certauth explain --profile NAME CERT tells " \
			"all of it, and its log has the line"
/* internal_error */
#define ALERT_OURS	80
#define FILES		"on the server, certauth check and certauth show revocation " \
			"tell what is missing"

static const struct alert {
	int		 number;
	const char	*name, *means, *remedy;	/* RFC 8446 6.2 */
} alerts[] = {
	{ 40, "handshake_failure",
	    "no kind of TLS in common, or (TLS 1.2) no certificate where one is "
	    "demanded", EXPLAIN },
	{ 42, "bad_certificate",
	    "the certificate, or one on its path, is not accepted", EXPLAIN },
	{ 43, "unsupported_certificate",
	    "the certificate is not made for this", "its extended key usage must "
	    "have clientAuth; certauth explain tells what the profile wants" },
	{ 44, "certificate_revoked",
	    "the certificate, or a CA on its path, is revoked", EXPLAIN },
	{ 45, "certificate_expired",
	    "the certificate, or one on its path, or a list of the server has "
	    "ended", EXPLAIN },
	{ 46, "certificate_unknown",
	    "the certificate is refused", EXPLAIN },
	{ 48, "unknown_ca",
	    "no path leads from the certificate to an anchor of the server",
	    "name its CA in \"anchors\" and \"intermediates\" of an authority of "
	    "the profile; certauth explain tells which is missing" },
	{ 49, "access_denied",
	    "whoever comes so may not enter", EXPLAIN },
	{ 51, "decrypt_error",
	    "a signature is wrong", EXPLAIN },
	{ 70, "protocol_version",
	    "this version of TLS is not spoken", "" },
	{ 71, "insufficient_security",
	    "the key or the signature of the certificate is too weak", EXPLAIN },
	{ ALERT_OURS, "internal_error",
	    "the server itself is at fault: mostly it lacks data", FILES },
	{ 112, "unrecognized_name",
	    "there is no virtual host of that name", "ask by a name that the "
	    "server knows" },
	{ 116, "certificate_required",
	    "a certificate is demanded, and none came", "" },
};

static const struct page {
	int			 status;
	enum certauth_severity	 severity;
	const char		*means, *remedy;
} pages[] = {
	{ 401, CERTAUTH_WARNING, "a password is asked for all the same", "on the "
	    "server, look for auth_basic or AuthType at this place" },
	{ 404, CERTAUTH_NOTE, "let in; there is no such page", "" },
	{ 405, CERTAUTH_NOTE, "let in; the page is not for GET", "" },
	{ 421, CERTAUTH_FATAL, "this connection is for another virtual host", "ask "
	    "by the name that the server has" },
	{ 425, CERTAUTH_FATAL, "TLS early data are not taken", "" },
	{ 502, CERTAUTH_WARNING, "let in; the application behind does not answer",
	    "" },
	{ 503, CERTAUTH_FATAL, "the server lacks data, or is overloaded", FILES },
	{ 504, CERTAUTH_WARNING, "let in; the application behind does not answer",
	    "" },
};

static const struct alert *
find_alert(int number)
{
	size_t	i;

	for (i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++)
		if (alerts[i].number == number)
			return &alerts[i];
	return NULL;
}

const char *
alert_name(int number)
{
	const struct alert	*alert = find_alert(number);

	return number < 0 ? "" : alert != NULL ? alert->name :
	    SSL_alert_desc_string_long(number);
}

static const struct page *
find_page(const char *line)
{
	const char	*status = strchr(line, ' ');
	size_t		 i;
	int		 number;

	if (status == NULL || sscanf(status, " %3d", &number) != 1)
		return NULL;
	for (i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (pages[i].status == number)
			return &pages[i];
	return NULL;
}

/* What came, as it came. */
static void
quote(const struct visit *v, char *buf, size_t size)
{
	if (v->alert >= 0)
		(void)snprintf(buf, size, "TLS alert %s (%d)",
		    alert_name(v->alert), v->alert);
	else if (v->talk.line[0] == '\0')
		(void)snprintf(buf, size, "%s", v->why != NULL ? v->why :
		    "no answer");
	else
		(void)snprintf(buf, size, "%s%s%s", v->talk.line,
		    v->talk.accepted || v->talk.text[0] == '\0' ? "" : ": ",
		    v->talk.accepted ? "" : v->talk.text);
}

/* "TEXT: WHAT CAME: WHAT IT MEANS" */
static void
put(struct saying *s, enum certauth_severity severity, const struct visit *v,
    const char *text, const char *means, const char *remedy)
{
	char	what[1000];

	quote(v, what, sizeof(what));
	s->severity = severity;
	s->remedy = remedy;
	(void)snprintf(s->text, sizeof(s->text), "%s: %s%s%s", text, what,
	    means[0] != '\0' ? ": " : "", means);
}

/* A refusal, whatever it is; `severity` where the certificate is at fault. Nobody
 * has to mend what is as it should be. */
static void
put_refusal(struct saying *s, enum certauth_severity severity,
    const struct visit *v, const char *text)
{
	const struct alert	*alert = find_alert(v->alert);
	const struct page	*page = v->talk.speech == SPEECH_HTTP ?
				    find_page(v->talk.line) : NULL;
	enum certauth_reason	 reason = v->talk.reason;
	bool			 ours = v->alert >= 0 ? v->alert == ALERT_OURS :
				    v->talk.told ? certauth_reason_ours(reason) :
				    false;

	if (ours)
		severity = CERTAUTH_FATAL;
	else if (v->alert < 0 && !v->talk.told && page != NULL)
		severity = page->severity < severity || page->status == 503 ?
		    page->severity : severity;
	if (v->alert >= 0)
		put(s, severity, v, text, alert != NULL ? alert->means : "",
		    alert != NULL ? alert->remedy : EXPLAIN);
	else if (v->talk.told)
		put(s, severity, v, text, certauth_reason_slug(reason),
		    certauth_reason_mend(reason));
	else
		put(s, severity, v, text, page != NULL ? page->means : "",
		    page != NULL ? page->remedy : EXPLAIN);
	if (severity == CERTAUTH_NOTE)
		s->remedy = "";
}

void
mean_asking(const struct visit *v, struct saying *s)
{
	if (v->version == 0)
		return;
	if (v->asked) {
		(void)snprintf(s->text, sizeof(s->text), "asks for a certificate, "
		    "and offers the names of %d CAs (%zu bytes)",
		    v->names != NULL ? sk_X509_NAME_num(v->names) : 0,
		    v->names_size);
		s->severity = CERTAUTH_NOTE;
		s->remedy = "";
		return;
	}
	if (!v->done) {
		put(s, CERTAUTH_NOTE, v, "no handshake", v->alert >= 0 &&
		    find_alert(v->alert) != NULL ? find_alert(v->alert)->means : "",
		    "");
		return;
	}
	(void)snprintf(s->text, sizeof(s->text), "asks for no certificate: nobody "
	    "can come in with one");
	s->severity = CERTAUTH_FATAL;
	s->remedy = "name a profile in the server, under the name that was asked for; "
	    "certauth check --server, on it, tells more";
}

void
mean_without(const struct visit *v, struct saying *s)
{
	bool	heard = v->talk.line[0] != '\0';

	if (!v->asked && !v->done)
		return;		/* said already: no handshake */
	if (v->alert >= 0)
		put_refusal(s, CERTAUTH_NOTE, v, "without a certificate refused");
	else if (!heard)
		put(s, CERTAUTH_WARNING, v, "without a certificate there is no "
		    "answer", "", "look into the server's log");
	else if (v->talk.speech >= SPEECH_IMAP)
		put(s, CERTAUTH_NOTE, v, v->talk.external ? "without a certificate "
		    "EXTERNAL is offered" : "without a certificate EXTERNAL is not "
		    "offered", "", "");
	else if (v->talk.accepted)
		put(s, CERTAUTH_WARNING, v, "without a certificate there is a page",
		    "no profile is in force here, or it is optional",
		    "name a profile for this place, unless it is meant to be open");
	else
		put_refusal(s, CERTAUTH_NOTE, v, "without a certificate refused");
}

bool
visit_let_in(const struct visit *v)
{
	const struct page	*page = find_page(v->talk.line);

	return v->alert < 0 && (v->talk.accepted || (!v->talk.told &&
	    v->talk.speech == SPEECH_HTTP && page != NULL &&
	    page->severity == CERTAUTH_NOTE));
}

void
mean_with(const struct visit *v, struct saying *s)
{
	if (v->version == 0)
		return;		/* not with this version of TLS */
	if (visit_let_in(v) && v->talk.accepted)
		put(s, CERTAUTH_NOTE, v, v->talk.speech == SPEECH_HTTP ?
		    "with the certificate let in" : "with the certificate logged in",
		    "", "");
	else if (v->alert < 0 && v->talk.speech >= SPEECH_IMAP &&
	    v->talk.line[0] != '\0' && !v->talk.external)
		put(s, CERTAUTH_FATAL, v, "with the certificate EXTERNAL is not "
		    "offered", "", "write \"auth_mechanisms = plain login "
		    "external\"; certauth check --server dovecot tells more");
	else if (!v->asked && !v->done)
		put(s, CERTAUTH_FATAL, v, "with the certificate there is no "
		    "handshake", "", "");
	else
		put_refusal(s, CERTAUTH_FATAL, v, v->talk.speech == SPEECH_HTTP &&
		    visit_let_in(v) ? "with the certificate" :
		    "with the certificate refused");
}

void
mean_again(const struct visit *v, struct saying *s)
{
	if (v->version == 0)
		return;		/* there was no session to resume */
	if (visit_let_in(v)) {
		(void)snprintf(s->text, sizeof(s->text), "%s", v->resumed ? "who comes "
		    "back resumes the session, and is let in" : "who comes back "
		    "makes a whole handshake, and is let in");
		s->severity = CERTAUTH_NOTE;
		s->remedy = "";
		return;
	}
	put(s, CERTAUTH_FATAL, v, "who was let in and comes back, to resume the "
	    "session, is refused", "no session id context, or the server forgets "
	    "what was sent beside the certificate", "the modules of certauth take "
	    "care of both: is one in force here? certauth check --server");
}
