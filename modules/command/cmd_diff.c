/*
 * cmd_diff.c - whom would a change of the policy let in or keep out?
 *
 * Judges certificates by what the servers read and by what is to come, and tells those
 * whose answer would be another. They are files, or those that the refresher was asked
 * about lately.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "ask/ask.h"
#include "certificates.h"
#include "command.h"
#include "json.h"
#include "terminal.h"

/* What the refresher keeps: a line for each, "SEEN NEXT QUESTION". */
#define SEEN_FILE	"refresher.known"
#define MAX_SEEN	10000
#define MAX_SEEN_LINE	(256u * 1024)
/* Told on stderr; all are counted. */
#define MAX_COMPLAINTS	20

struct diff {
	struct certauth	*old, *new;
	const struct args *args;
	json_t		*rows, *profiles;
	size_t		 judged, unreadable, lose, gain;
	bool		 gone;		/* a profile is */
};

/* ----------------------------------------------------------------- judging */

/* Borrowed from the verdicts, never NULL. */
struct answer { const char *result, *reason, *user, *groups; };

static struct answer
answer_of(const struct certauth_verdict *v)
{
	const char	*groups = certauth_verdict_get(v, "groups");

	return (struct answer){
		certauth_verdict_decision(v) == CERTAUTH_ACCEPT ? "accept" :
		"reject", certauth_reason_slug(certauth_verdict_reason(v)),
		certauth_verdict_user(v), groups != NULL ? groups : "" };
}

/* What changes, in a word; NULL: nothing. */
static const char *
change_of(const struct answer *was, const struct answer *is)
{
	if (strcmp(was->result, is->result) != 0)
		return strcmp(is->result, "accept") == 0 ? "gains" : "loses";
	if (strcmp(was->reason, is->reason) != 0)
		return "reason";
	if (strcmp(was->user, is->user) != 0)
		return "user";
	return strcmp(was->groups, is->groups) != 0 ? "groups" : NULL;
}

static json_t *
answer_json(const struct answer *a, const struct certauth_verdict *v)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:s}", "result", a->result, "reason",
	    a->reason, "user", a->user, "groups", a->groups, "message",
	    certauth_verdict_get(v, "message"));
}

static void
compare(struct diff *d, const char *file, const char *profile,
    const struct certauth_verdict *before, const struct certauth_verdict *after)
{
	struct answer	 was = answer_of(before), is = answer_of(after);
	const char	*change = change_of(&was, &is);

	if (change == NULL)
		return;
	d->lose += strcmp(change, "loses") == 0;
	d->gain += strcmp(change, "gains") == 0;
	add_json(d->rows, json_pack("{s:s,s:s,s:o,s:s,s:s,s:s,s:o,s:o}", "change",
	    change, "profile", profile, "file", name_json(file), "subject",
	    certauth_verdict_get(before, "subject"), "issuer",
	    certauth_verdict_get(before, "issuer"), "serial",
	    certauth_verdict_get(before, "serial"), "was",
	    answer_json(&was, before), "becomes", answer_json(&is, after)));
}

/* By one profile of both; one that is gone refuses everybody. False: no memory. */
static bool
judge(struct diff *d, const char *file, const struct certauth_profile *p,
    struct certauth_request *ask)
{
	const char			*name = certauth_profile_name(p);
	struct certauth_verdict		*before, *after;
	bool				 ok;

	ask->profile = p;
	before = certauth_verify(d->old, ask);
	ask->profile = certauth_profile_find(d->new, name);
	after = ask->profile != NULL ? certauth_verify(d->new, ask) :
	    certauth_refuse(NULL, CERTAUTH_DATA_MISSING, "there is no such "
	    "profile");
	ok = before != NULL && after != NULL;
	if (ok)
		compare(d, file, name, before, after);
	certauth_verdict_free(before);
	certauth_verdict_free(after);
	return ok;
}

static void
take_certificate(void *context, const char *file, X509 *leaf,
    STACK_OF(X509) *sent, const char *why)
{
	struct diff			*d = context;
	const struct certauth_profile	*p;
	struct certauth_request		 ask = { .leaf = leaf, .sent = sent,
					    .now = d->args->now, .flags =
					    CERTAUTH_FINAL, .service =
					    d->args->service };
	size_t				 i;
	bool				 ok = leaf != NULL;

	for (i = 0; ok && (p = certauth_profile_at(d->old, i)) != NULL; i++)
		if (d->args->profile == NULL ||
		    strcmp(certauth_profile_name(p), d->args->profile) == 0)
			ok = judge(d, file, p, &ask);
	if (ok)
		d->judged++;
	else if (d->unreadable++ < MAX_COMPLAINTS)
		(void)complain("%s: %s", file, why != NULL ? why :
		    "out of memory");
}

/* -------------------------------------------------------------- seen lately */

static X509 *
read_der(const struct certauth_bytes *der)
{
	const unsigned char	*p = der->data;

	return d2i_X509(NULL, &p, (long)der->data_len);
}

/* The certificates of one question; CAs are asked about as well. */
static void
take_question(struct diff *d, const char *file,
    const struct ask_question *question)
{
	STACK_OF(X509)	*sent = sk_X509_new_null();
	X509		*leaf, *x;
	size_t		 i;

	leaf = question->kind == ASK_STATUS && question->num_certs > 0 ?
	    read_der(&question->certs[0]) : NULL;
	for (i = 1; sent != NULL && i < question->num_certs; i++)
		if ((x = read_der(&question->certs[i])) != NULL &&
		    sk_X509_push(sent, x) <= 0)
			X509_free(x);
	if (leaf != NULL && (X509_get_extension_flags(leaf) & EXFLAG_CA) == 0)
		take_certificate(d, file, leaf, sent, NULL);
	X509_free(leaf);
	sk_X509_pop_free(sent, X509_free);
}

/* "SEEN NEXT QUESTION": what is none was written by another version. */
static void
take_line(struct diff *d, const char *file, const char *line)
{
	const char		*word = strrchr(line, ' ');
	size_t			 len = word != NULL ? strcspn(word + 1, "\n") : 0,
				 padding = 0;
	struct ask_question	 question;
	unsigned char		*frame;
	int			 n;

	if (len == 0 || len % 4 != 0 || len >= MAX_SEEN_LINE)
		return;
	while (padding < 2 && word[len - padding] == '=')
		padding++;
	frame = malloc(len / 4 * 3);
	if (frame == NULL)
		return;
	n = EVP_DecodeBlock(frame, (const unsigned char *)word + 1, (int)len);
	if (n > 0 && ask_question_parse(frame, (size_t)n - padding, &question))
		take_question(d, file, &question);
	free(frame);
}

/* False: it is there and cannot be read. */
static bool
read_seen(struct diff *d)
{
	char	 path[4096], *line = malloc(MAX_SEEN_LINE);
	size_t	 lines = 0;
	FILE	*f;
	int	 fd;
	bool	 whole, within = false;

	(void)snprintf(path, sizeof(path), "%s/" SEEN_FILE,
	    certauth_state(d->old));
	/* the refresher's user may put anything there */
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT && errno != ENOTDIR) {
		(void)complain("%s: %s", path, strerror(errno));
		free(line);
		return false;
	}
	f = fd >= 0 ? fdopen(fd, "r") : NULL;
	/* of a line that is too long each part is passed over */
	while (f != NULL && line != NULL && lines++ < MAX_SEEN &&
	    fgets(line, MAX_SEEN_LINE, f) != NULL) {
		whole = strchr(line, '\n') != NULL;
		if (whole && !within)
			take_line(d, path, line);
		within = !whole;
	}
	free(line);
	if (f != NULL)
		(void)fclose(f);
	else if (fd >= 0)
		(void)close(fd);
	if (d->judged == 0)
		(void)complain("note: no certificate was seen lately (the refresher "
		    "knows those it was asked about); name files or folders");
	return true;
}

/* ----------------------------------------------------------------- profiles */

static void
add_profile(struct diff *d, const struct certauth_profile *p,
    const struct certauth_profile *other, const char *alone)
{
	unsigned char	 a[32], b[32];
	const char	*state = alone;

	if (other != NULL) {
		certauth_profile_digest(p, a);
		certauth_profile_digest(other, b);
		state = memcmp(a, b, sizeof(a)) == 0 ? "same" : "differs";
	}
	add_json(d->profiles, json_pack("{s:s,s:s}", "profile",
	    certauth_profile_name(p), "state", state));
}

static void
compare_profiles(struct diff *d)
{
	const struct certauth_profile	*p, *other;
	size_t				 i;

	for (i = 0; (p = certauth_profile_at(d->old, i)) != NULL; i++) {
		other = certauth_profile_find(d->new, certauth_profile_name(p));
		d->gone = d->gone || other == NULL;
		add_profile(d, p, other, "gone");
	}
	for (i = 0; (p = certauth_profile_at(d->new, i)) != NULL; i++)
		if (certauth_profile_find(d->old, certauth_profile_name(p)) ==
		    NULL)
			add_profile(d, p, NULL, "new");
}

/* ----------------------------------------------------------------- telling */

static void
print_row(const json_t *row)
{
	const json_t	*was = json_object_get(row, "was"),
			*is = json_object_get(row, "becomes");
	const char	*change = text_of(row, "change");

	print_toned(strcmp(change, "loses") == 0 ? TONE_BAD :
	    strcmp(change, "gains") == 0 ? TONE_WARN : TONE_NONE, "%-7s",
	    change);
	(void)printf(" %s: %s (serial %s, issued by %s)\n        %s%s%s -> %s%s%s%s%s\n",
	    text_of(row, "profile"), text_of(row, "subject"),
	    text_of(row, "serial"), text_of(row, "issuer"),
	    text_of(was, "reason"), text_of(was, "user")[0] != '\0' ? " " : "",
	    text_of(was, "user"), text_of(is, "reason"),
	    text_of(is, "user")[0] != '\0' ? " " : "", text_of(is, "user"),
	    strcmp(change, "groups") == 0 ? " groups " : "",
	    strcmp(change, "groups") == 0 ? text_of(is, "groups") : "");
}

static int
print(const struct diff *d, int status)
{
	const json_t	*row;
	size_t		 i, changed = json_array_size(d->rows);

	if (d->args->json)
		return print_json(json_pack("{s:I,s:I,s:I,s:I,s:O,s:O}", "judged",
		    (json_int_t)d->judged, "unreadable",
		    (json_int_t)d->unreadable, "lose", (json_int_t)d->lose,
		    "gain", (json_int_t)d->gain, "profiles", d->profiles,
		    "rows", d->rows), status);
	if (json_lost())
		return EXIT_USAGE;
	json_array_foreach(d->profiles, i, row)
		if (strcmp(text_of(row, "state"), "same") != 0)
			(void)printf("profile %s: %s\n", text_of(row, "profile"),
			    text_of(row, "state"));
	json_array_foreach(d->rows, i, row)
		print_row(row);
	(void)printf("%zu certificate%s judged, %zu unreadable; %zu answer%s would "
	    "be another: %zu lose access, %zu gain it\n", d->judged,
	    d->judged == 1 ? "" : "s", d->unreadable, changed,
	    changed == 1 ? "" : "s", d->lose, d->gain);
	return status;
}

/* What is to come. NULL: said. */
static struct certauth *
open_new(const struct args *args, const struct certauth *old)
{
	struct certauth_error	 error;
	struct certauth		*engine;

	if (args->new_policy == NULL && args->to == NULL &&
	    certauth_applied(old) == 0) {
		(void)complain("no generation is in force: %s is what the servers "
		    "read, so nothing can differ from it; --new FILE compares it "
		    "with another", args_conf(args));
		return NULL;
	}
	engine = args->to != NULL ?
	    certauth_open_applied(args_conf(args), args->to, &error) :
	    certauth_open_file(args->new_policy != NULL ? args->new_policy :
	    args_conf(args), &error);
	if (engine == NULL)
		(void)complain_error(&error);
	return engine;
}

static bool
is_number(const char *word)
{
	return word[0] >= '1' && word[0] <= '9' &&
	    strspn(word, "0123456789") == strlen(word);
}

int
cmd_diff(struct args *args)
{
	struct certauth_error	 error;
	struct diff		 d = { .args = args, .rows = json_array(),
				    .profiles = json_array() };
	size_t			 i;
	bool			 ok = true;
	int			 status = EXIT_USAGE;

	if (args->new_policy != NULL && args->to != NULL) {
		(void)complain("expected one of --new and --to");
		goto out;
	}
	if (args->to != NULL && !is_number(args->to)) {
		(void)complain("--to: \"%s\" is no number of a generation",
		    args->to);
		goto out;
	}
	d.old = certauth_open(args_conf(args), &error);
	if (d.old == NULL) {
		(void)complain_error(&error);
		goto out;
	}
	d.new = open_new(args, d.old);
	if (d.new == NULL)
		goto out;
	if (args->profile != NULL &&
	    certauth_profile_find(d.old, args->profile) == NULL) {
		(void)complain("there is no profile \"%s\" in force",
		    args->profile);
		goto out;
	}
	compare_profiles(&d);
	progress_begin("diff");
	for (i = 0; ok && i < args->rest.num_items; i++)
		ok = certificates_read(args->rest.items[i], take_certificate, &d);
	progress_end();
	if (ok && args->rest.num_items == 0)
		ok = read_seen(&d);
	if (ok)
		status = print(&d, json_array_size(d.rows) > 0 || d.gone ||
		    d.unreadable > 0 ? EXIT_REJECTED : EXIT_FINE);
out:
	json_decref(d.rows);
	json_decref(d.profiles);
	certauth_free(d.old);
	certauth_free(d.new);
	return status;
}
