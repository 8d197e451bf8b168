/*
 * connect_talk.c - what does a server say to a client: a page, or the words of a mail
 * protocol, STARTTLS before and EXTERNAL behind the handshake?
 *
 * Asks for one page, or logs in once with the certificate; changes nothing. What it
 * hears is kept as it came: who prints it escapes it.
 */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "connect.h"

/* Of one answer; of a page. */
#define MAX_LINES	300
/* Answers to what a server asks back; each gives it time anew. */
#define MAX_ASKS	3
/* Servers of mail speak first, soon after the handshake. One that is slower is
 * recognised all the same, by what it says to a request for a page. */
#define GREETING_MS	500

#define REFUSED		"Client certificate refused: "

static const struct mail {
	const char	*name, *port;	/* of --starttls; of TLS from the first byte */
	const char	*hello, *starttls, *capabilities, *login, *quit;
} mails[] = {
	[SPEECH_IMAP] = { "imap", "993", NULL, "a1 STARTTLS\r\n",
	    "a2 CAPABILITY\r\n", "a3 AUTHENTICATE EXTERNAL =\r\n",
	    "a4 LOGOUT\r\n" },
	[SPEECH_POP3] = { "pop3", "995", NULL, "STLS\r\n", "CAPA\r\n",
	    "AUTH EXTERNAL =\r\n", "QUIT\r\n" },
	[SPEECH_SUBMISSION] = { "submission", "465", "EHLO certauth.invalid\r\n",
	    "STARTTLS\r\n", "EHLO certauth.invalid\r\n", "AUTH EXTERNAL =\r\n",
	    "QUIT\r\n" },
	[SPEECH_SIEVE] = { "sieve", "", NULL, "STARTTLS\r\n", "CAPABILITY\r\n",
	    "AUTHENTICATE \"EXTERNAL\" \"\"\r\n", "LOGOUT\r\n" },
};
#define NUM_MAILS	(sizeof(mails) / sizeof(mails[0]))

enum said { SAID_MORE, SAID_YES, SAID_NO, SAID_ASKS };

enum speech
speech_find(const char *name)
{
	size_t	i;

	for (i = SPEECH_IMAP; i < NUM_MAILS; i++)
		if (strcmp(mails[i].name, name) == 0)
			return (enum speech)i;
	return SPEECH_UNKNOWN;
}

enum speech
speech_of_port(const char *port)
{
	size_t	i;

	for (i = SPEECH_IMAP; i < NUM_MAILS; i++)
		if (strcmp(mails[i].port, port) == 0)
			return (enum speech)i;
	return strcmp(port, "443") == 0 ? SPEECH_HTTP : SPEECH_UNKNOWN;
}

static bool
begins(const char *line, const char *with)
{
	return strncasecmp(line, with, strlen(with)) == 0;
}

static enum speech
speech_of_line(const char *line)
{
	if (begins(line, "HTTP/"))
		return SPEECH_HTTP;
	if (begins(line, "* "))
		return SPEECH_IMAP;
	if (begins(line, "+OK") || begins(line, "-ERR"))
		return SPEECH_POP3;
	if (strspn(line, "0123456789") == 3)
		return SPEECH_SUBMISSION;
	if (line[0] == '"' || begins(line, "OK") || begins(line, "NO") ||
	    begins(line, "BYE"))
		return SPEECH_SIEVE;
	return SPEECH_UNKNOWN;
}

/* --------------------------------------------------------------------- mail */

static enum said
meaning(enum speech speech, const char *line)
{
	switch (speech) {
	case SPEECH_IMAP:
		if (line[0] == 'a' && line[1] != '\0' && line[2] == ' ')
			return begins(line + 3, "OK") ? SAID_YES : SAID_NO;
		return line[0] == '+' ? SAID_ASKS :
		    begins(line, "* BYE") ? SAID_NO : SAID_MORE;
	case SPEECH_POP3:
		return begins(line, "+OK") ? SAID_YES : begins(line, "-ERR") ?
		    SAID_NO : line[0] == '+' ? SAID_ASKS : SAID_MORE;
	case SPEECH_SUBMISSION:
		if (strspn(line, "0123456789") < 3 || line[3] == '-')
			return SAID_MORE;
		return line[0] == '2' ? SAID_YES : line[0] == '3' ? SAID_ASKS :
		    SAID_NO;
	case SPEECH_SIEVE:
		return begins(line, "OK") ? SAID_YES : begins(line, "NO") ||
		    begins(line, "BYE") ? SAID_NO : SAID_MORE;
	case SPEECH_UNKNOWN:
	case SPEECH_HTTP:
		break;
	}
	return SAID_NO;
}

/* "AUTH=EXTERNAL", "SASL PLAIN EXTERNAL", `"SASL" "PLAIN EXTERNAL"`. */
static bool
offers_external(const char *line)
{
	const char	*p = strcasestr(line, "EXTERNAL");

	return p != NULL && p > line && strchr(" =\"", p[-1]) != NULL &&
	    strchr(" \"", p[strlen("EXTERNAL")]) != NULL;	/* or the end */
}

static void
keep(struct talk *t, const char *line)
{
	(void)snprintf(t->line, sizeof(t->line), "%s", line);
}

/* Says the command (NULL: the server begins) and hears all of the answer. */
static enum said
exchange(struct link *l, struct talk *t, const char *command)
{
	enum said	 said = SAID_MORE;
	const char	*line;
	size_t		 i, asks = 0;

	/* if it cannot be said, an answer may be there all the same */
	if (command != NULL)
		(void)link_say(l, command);
	for (i = 0; i < MAX_LINES && (line = link_line(l)) != NULL; i++) {
		said = meaning(t->speech, line);
		if (command == NULL && speech_of_line(line) != t->speech) {
			keep(t, line);
			l->why = "the greeting is of another protocol";
			return SAID_MORE;
		}
		/* the greeting has no tag */
		if (command == NULL && said == SAID_MORE &&
		    t->speech == SPEECH_IMAP && begins(line, "* "))
			said = SAID_YES;
		t->external = t->external || offers_external(line);
		if (said != SAID_MORE)
			keep(t, line);
		if (said == SAID_ASKS && (asks++ == MAX_ASKS ||
		    !link_say(l, "\r\n")))
			break;
		if (said == SAID_YES || said == SAID_NO)
			break;
	}
	/* sieve: NO {12}, and the words in the next line */
	if (said == SAID_NO && t->speech == SPEECH_SIEVE &&
	    t->line[strlen(t->line) - 1] == '}' && (line = link_line(l)) != NULL)
		keep(t, line);
	return said == SAID_YES || said == SAID_NO ? said : SAID_MORE;
}

/* The list behind "+OK", up to ".". */
static void
hear_list(struct link *l, struct talk *t)
{
	const char	*line;
	size_t		 i;

	for (i = 0; i < MAX_LINES && (line = link_line(l)) != NULL &&
	    strcmp(line, ".") != 0; i++)
		t->external = t->external || offers_external(line);
}

bool
talk_starttls(struct link *l, enum speech speech)
{
	const struct mail	*m = &mails[speech];
	struct talk		 t = { .speech = speech };

	if (exchange(l, &t, NULL) != SAID_YES || (m->hello != NULL &&
	    exchange(l, &t, m->hello) != SAID_YES) ||
	    exchange(l, &t, m->starttls) != SAID_YES) {
		if (l->why == NULL)
			l->why = "STARTTLS is refused";
		return false;
	}
	/* whoever stands between could have said that */
	if (l->in_len > 0)
		l->why = "the server goes on in the clear behind STARTTLS";
	return l->in_len == 0;
}

static void
talk_mail(struct link *l, struct talk *t, bool started)
{
	const struct mail	*m = &mails[t->speech];
	const char		*slug;
	char			 word[64];

	/* behind STARTTLS a server of sieve begins anew (RFC 5804 2.2), others wait */
	if ((!started || t->speech == SPEECH_SIEVE) &&
	    exchange(l, t, NULL) == SAID_MORE)
		return;
	t->external = false;
	if (exchange(l, t, m->capabilities) != SAID_YES)
		return;
	if (t->speech == SPEECH_POP3)
		hear_list(l, t);
	if (!t->login || !t->external)
		goto out;
	t->line[0] = '\0';
	t->accepted = exchange(l, t, m->login) == SAID_YES;
	slug = strstr(t->line, REFUSED);
	if (slug != NULL) {
		slug += strlen(REFUSED);
		(void)snprintf(word, sizeof(word), "%.*s",
		    (int)strcspn(slug, ":"), slug);
		t->reason = certauth_reason_find(word);
		t->told = true;
	}
out:
	if (l->why == NULL && link_say(l, m->quit))
		(void)link_line(l);
}

/* --------------------------------------------------------------------- HTTP */

/* Adds the words of a line of HTML; *hidden: inside a tag, or of the head. */
static void
add_words(struct talk *t, const char *p, char *hidden)
{
	size_t	len = strlen(t->text);

	for (; *p != '\0' && len + 1 < sizeof(t->text); p++) {
		if (*p == '<' && *hidden != 'h') {
			*hidden = begins(p, "<head>") || begins(p, "<style") ||
			    begins(p, "<script") ? 'h' : '<';
		} else if (*hidden == 'h') {
			if (begins(p, "</head") || begins(p, "</style") ||
			    begins(p, "</script"))
				*hidden = '<';
		} else if (*hidden == '<') {
			if (*p == '>')
				*hidden = '\0';
		} else if (!isspace((unsigned char)*p))
			t->text[len++] = *p;
		else if (len > 0 && t->text[len - 1] != ' ')
			t->text[len++] = ' ';
	}
	if (len > 0 && len + 1 < sizeof(t->text) && t->text[len - 1] != ' ')
		t->text[len++] = ' ';
	t->text[len] = '\0';
}

/* Whose sentence stands on the page? */
static void
find_reason(struct talk *t)
{
	static const enum certauth_reason	all[] = {
#define REASON(number, symbol, ...) CERTAUTH_##symbol,
#include "reasons.def"
#undef REASON
	};
	size_t	i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]) && !t->told; i++)
		if (all[i] != CERTAUTH_OK &&
		    strstr(t->text, certauth_reason_text(all[i])) != NULL) {
			t->told = true;
			t->reason = all[i];
		}
}

static void
hear_page(struct link *l, struct talk *t, const char *line)
{
	static const char	 header[] = "Certauth-Reason:";
	char			 hidden = '\0';
	bool			 body = false;
	size_t			 i, len;
	int			 status;

	keep(t, line);
	status = line[strcspn(line, " ")] == ' ' ?
	    (int)strtol(line + strcspn(line, " "), NULL, 10) : 0;
	t->accepted = status >= 200 && status < 400;
	for (i = 0; i < MAX_LINES && (line = link_line(l)) != NULL; i++) {
		if (body)
			add_words(t, line, &hidden);
		else if (line[0] == '\0')
			body = true;
		else if (begins(line, header) && !t->accepted) {
			line += strlen(header);
			t->reason = certauth_reason_find(line +
			    strspn(line, " \t"));
			t->told = true;
		}
	}
	len = strlen(t->text);
	if (len > 0 && t->text[len - 1] == ' ')
		t->text[len - 1] = '\0';
	if (!t->accepted)
		find_reason(t);
}

static void
talk_http(struct link *l, struct talk *t, const char *host, const char *path)
{
	char		 request[2048];
	const char	*line, *mark = strchr(host, ':') != NULL ? "[]" : "";

	/* 1.0: the page comes in one piece, and then the end */
	(void)snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\nHost: "
	    "%.1s%s%s\r\nUser-Agent: certauth-check\r\n\r\n", path, mark, host,
	    mark + (mark[0] != '\0'));
	(void)link_say(l, request);
	line = link_line(l);
	if (line == NULL)
		return;
	if (t->speech == SPEECH_UNKNOWN) {
		t->speech = speech_of_line(line);
		t->anew = t->speech >= SPEECH_IMAP;
	}
	if (t->speech == SPEECH_HTTP)
		hear_page(l, t, line);
	else
		keep(t, line);
}

void
talk(struct link *l, struct talk *t, const char *host, const char *path,
    bool started)
{
	/* what came is no whole line yet, but its beginning says enough */
	if (t->speech == SPEECH_UNKNOWN && link_speaks(l, GREETING_MS) &&
	    l->in_len >= 3 && l->in_len < sizeof(l->in)) {
		l->in[l->in_len] = '\0';
		t->speech = speech_of_line(l->in);
	}
	if (t->speech >= SPEECH_IMAP)
		talk_mail(l, t, started);
	else
		talk_http(l, t, host, path);
}
