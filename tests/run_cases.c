/*
 * run_cases.c - does the core answer each .case file as it says?
 *
 * usage: run_cases [-v] [-p PKI] [CASE | FOLDER]...   (tests/cases/README.md)
 * Without names: all of tests/cases. -v: log lines, notes, the story of a failure.
 *
 * Each case is asked several times: as it is; with EXPLAIN and the leaf among
 * the sent; with every list of files reversed; and, where `certauth verify
 * --roots` could ask it, without policy file. Every answer must be the same.
 */

#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/err.h>

#include "ask/ask.h"
#include "case_file.h"
#include "certauth.h"
#include "certauth_data.h"

static bool verbose;

#define MAX_REPLIES	8

/* One case being asked. */
struct run {
	const struct case_file	*c;
	const char		*pki;
	const char		*variant;
	char			 folder[CASE_MAX_PATH];
	char			 fault[2048];	/* "" fine so far */
	int64_t			 now;
	X509			*leaf;
	STACK_OF(X509)		*sent;
	/* `ocsp`, as the refresher would bring them */
	struct certauth_bytes	 replies[MAX_REPLIES];
	size_t			 num_replies;
};

static void fault(struct run *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

/* Keeps the first fault: the others follow from it. */
static void
fault(struct run *r, const char *format, ...)
{
	va_list ap;

	if (r->fault[0] != '\0')
		return;
	va_start(ap, format);
	vsnprintf(r->fault, sizeof(r->fault), format, ap);
	va_end(ap);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* ------------------------------------------------------------------ checks */

static bool
printable(const char *text, bool lines)
{
	const unsigned char *s = (const unsigned char *)text;

	for (; *s != '\0'; s++)
		if (*s == 0x7f || (*s < 0x20 && !(lines && *s == '\n') &&
		    !(lines && *s == '\t')))
			return false;
	return true;
}

static void
check_json(struct run *r, const struct certauth_verdict *v, bool accept,
    const char *slug)
{
	json_error_t	 error;
	json_t		*json = json_loads(certauth_verdict_json(v), 0, &error);
	const char	*result, *reason, *user;

	if (json == NULL) {
		fault(r, "JSON: %s in %s", error.text, certauth_verdict_json(v));
		return;
	}
	result = json_string_value(json_object_get(json, "result"));
	reason = json_string_value(json_object_get(json, "reason"));
	user = json_string_value(json_object_get(json, "user"));
	if (result == NULL || reason == NULL || user == NULL ||
	    !json_is_array(json_object_get(json, "path")) ||
	    !json_is_array(json_object_get(json, "policies")) ||
	    !json_is_string(json_object_get(json, "message")) ||
	    strcmp(result, accept ? "accept" : "reject") != 0 ||
	    strcmp(reason, slug) != 0 ||
	    strcmp(user, certauth_verdict_user(v)) != 0 ||
	    strchr(certauth_verdict_json(v), '\n') != NULL)
		fault(r, "JSON says otherwise: %s", certauth_verdict_json(v));
	json_decref(json);
}

/* Is there a fatal finding of the primary reason at that depth, on the path
 * told of? */
static void
check_depth(struct run *r, const struct certauth_verdict *v, int depth)
{
	const struct certauth_finding	*findings;
	size_t				 i, n;
	int				 seen = -2;

	n = certauth_verdict_findings(v, &findings);
	for (i = 0; i < n; i++) {
		if (findings[i].reason != certauth_verdict_reason(v) ||
		    findings[i].severity != CERTAUTH_FATAL ||
		    findings[i].path > 0)
			continue;
		seen = findings[i].depth;
		if (seen == depth)
			return;
	}
	fault(r, "depth %d expected, got %d", depth, seen);
}

/* Comma separated on one side, blanks on the other; any order. */
static void
check_oids(struct run *r, const struct certauth_verdict *v, const char *want)
{
	char	 got[1024], word[128];
	size_t	 n, in_want = 0, in_got = 0;
	char	*p;

	snprintf(got, sizeof(got), ",%s,", certauth_verdict_get(v, "policies"));
	for (p = got; p[1] != '\0'; p++)
		in_got += *p == ',';
	for (; *want != '\0'; want += n + strspn(want + n, " ")) {
		n = strcspn(want, " ");
		snprintf(word, sizeof(word), ",%.*s,", (int)n, want);
		in_want++;
		if (strstr(got, word) == NULL)
			fault(r, "policy %s not in \"%s\"", word, got);
	}
	if (in_want != in_got && !(in_want == 0 && strcmp(got, ",,") == 0))
		fault(r, "policies: %s", got);
}

static void
check_text(struct run *r, const struct certauth_verdict *v, bool explain)
{
	static const char *const names[] = { "verdict", "reason", "message",
	    "user", "groups", "email", "serial", "issuer", "subject",
	    "fingerprint", "policies", "days_left", "profile", "authority",
	    "rule", "id", "not_after", "renewal" };
	const char	*value;
	size_t		 i;

	if (certauth_verdict_text(v)[0] == '\0' ||
	    !printable(certauth_verdict_text(v), false))
		fault(r, "log line: %s", certauth_verdict_text(v));
	if (explain && (certauth_verdict_explain(v)[0] == '\0' ||
	    !printable(certauth_verdict_explain(v), true)))
		fault(r, "explain: %s", certauth_verdict_explain(v));
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		value = certauth_verdict_get(v, names[i]);
		if (value == NULL || !printable(value, false))
			fault(r, "attribute %s: %s", names[i],
			    value != NULL ? value : "NULL");
	}
	if (certauth_verdict_get(v, "no-such-thing") != NULL)
		fault(r, "an unknown attribute has a value");
}

/* `expect`: "accept" or "reject SLUG". */
static void
check_verdict(struct run *r, const struct certauth_verdict *v,
    const char *expect, bool last, bool explain, bool setup)
{
	const char	*slug = strchr(expect, ' ');
	bool		 accept = strncmp(expect, "accept", 6) == 0;
	const char	*got = certauth_reason_slug(certauth_verdict_reason(v));
	const char	*want;

	slug = slug != NULL ? slug + strspn(slug, " ") : "ok";
	if ((certauth_verdict_decision(v) == CERTAUTH_ACCEPT) != accept ||
	    strcmp(got, slug) != 0) {
		fault(r, "expected %s, got %s: %s", expect,
		    certauth_verdict_decision(v) == CERTAUTH_ACCEPT ?
		    "accept" : got, certauth_verdict_text(v));
		return;
	}
	if (!accept && (certauth_verdict_user(v)[0] != '\0' ||
	    certauth_verdict_may_act_as(v, "", 0)))
		fault(r, "a refused certificate has a user");
	if (accept && (certauth_verdict_get0_path(v) == NULL ||
	    X509_cmp(sk_X509_value(certauth_verdict_get0_path(v), 0),
	    r->leaf) != 0))
		fault(r, "the path does not begin with the leaf");
	want = setup ? NULL : case_get(r->c, "user", NULL);
	if (last && accept && want != NULL &&
	    strcmp(want, certauth_verdict_user(v)) != 0)
		fault(r, "user %s expected, got %s", want,
		    certauth_verdict_user(v));
	want = setup ? NULL : case_get(r->c, "groups", NULL);
	if (last && want != NULL &&
	    strcmp(want, certauth_verdict_get(v, "groups")) != 0)
		fault(r, "groups %s expected, got %s", want,
		    certauth_verdict_get(v, "groups"));
	want = case_get(r->c, "oids", NULL);
	if (last && want != NULL)
		check_oids(r, v, want);
	want = case_get(r->c, "says", NULL);
	if (last && want != NULL &&
	    strstr(certauth_verdict_get(v, "message"), want) == NULL)
		fault(r, "message without \"%s\": %s", want,
		    certauth_verdict_get(v, "message"));
	want = case_get(r->c, "depth", NULL);
	if (last && want != NULL)
		check_depth(r, v, (int)strtol(want, NULL, 10));
	check_json(r, v, accept, slug);
	check_text(r, v, explain);
}

/* ------------------------------------------------------------------ asking */

/* One question. The host's error queue holds an entry of its own, which must be
 * the only one afterwards. */
static struct certauth_verdict *
ask(struct run *r, struct certauth *engine, const char *profile, bool resumed,
    unsigned flags)
{
	struct certauth_request	 request = { 0 };
	struct certauth_verdict	*v;
	unsigned long		 mark;

	request.profile = certauth_profile_find(engine, profile);
	request.leaf = r->leaf;
	request.sent = resumed ? NULL : r->sent;
	request.now = r->now;
	request.service = "test";
	request.flags = flags;
	if (strcmp(profile, "command") != 0) {
		request.replies = r->replies;
		request.num_replies = r->num_replies;
	}
	ERR_clear_error();
	ERR_raise(ERR_LIB_USER, 4711);
	mark = ERR_peek_error();
	v = certauth_verify(engine, &request);
	if (case_has(r->c, "account")) {
		struct certauth_verdict	*before = v;
		const char		*name = case_get(r->c, "account", "");

		v = certauth_verdict_as(before, name, strlen(name));
		certauth_verdict_free(before);
	}
	if (v == NULL)
		fault(r, "no verdict");
	if (ERR_get_error() != mark || ERR_peek_error() != 0)
		fault(r, "OpenSSL's error queue was touched: %s",
		    ERR_reason_error_string(ERR_peek_error()));
	ERR_clear_error();
	return v;
}

static void
show_notes(struct certauth *engine)
{
	struct certauth_note note;

	while (certauth_take_note(engine, &note))
		if (verbose)
			printf("#   note: %s\n", note.text);
}

/* The first connection, what `then` changes, and the second one. */
static void
connections(struct run *r, struct certauth *engine, unsigned flags)
{
	const struct case_file	*c = r->c;
	struct certauth_verdict	*v;
	struct certauth_error	 error = { 0 };
	const char		*expect = case_get(c, "expect", "");
	bool			 resume, steps = case_has(c, "then");
	size_t			 i;

	resume = strcmp(case_get(c, "connect", "full"), "resume") == 0;
	if (resume || steps) {
		v = ask(r, engine, "case", false, flags);
		check_verdict(r, v, case_get(c, "first", "accept"), false,
		    (flags & CERTAUTH_EXPLAIN) != 0, false);
		for (i = 0; i < c->num_pairs; i++)
			if (strcmp(c->pairs[i].key, "then") == 0 &&
			    !case_step(c->pairs[i].value, r->pki, r->folder,
			    &r->now))
				fault(r, "step %s", c->pairs[i].value);
		if (steps)
			certauth_poll(engine, &error);
		show_notes(engine);
		if (steps && strncmp(expect, "reject", 6) == 0 &&
		    strcmp(case_get(c, "first", "accept"), "accept") == 0 &&
		    certauth_verdict_current(engine, v, r->now))
			fault(r, "the old verdict is still called current");
		certauth_verdict_free(v);
	}
	v = ask(r, engine, "case", resume, flags);
	check_verdict(r, v, expect, true, (flags & CERTAUTH_EXPLAIN) != 0, false);
	if (verbose)
		printf("#   %s\n", certauth_verdict_text(v));
	if (certauth_verdict_decision(v) == CERTAUTH_ACCEPT &&
	    !certauth_verdict_current(engine, v, r->now))
		fault(r, "a fresh verdict is not current");
	if (verbose && r->fault[0] != '\0' && (flags & CERTAUTH_EXPLAIN) != 0)
		printf("%s\n", certauth_verdict_explain(v));
	certauth_verdict_free(v);
}

static void
ask_policy(struct run *r, bool reverse, unsigned flags)
{
	struct certauth		*engine;
	struct certauth_error	 error = { 0 };
	char			 conf[CASE_MAX_PATH + 16];
	bool			 refuse;

	refuse = strcmp(case_get(r->c, "expect", ""), "config-error") == 0;
	if (!case_lay_out(r->c, r->pki, r->folder, reverse)) {
		fault(r, "cannot lay it out");
		return;
	}
	snprintf(conf, sizeof(conf), "%s/policy.conf", r->folder);
	engine = certauth_open(conf, &error);
	if (engine == NULL && !refuse)
		fault(r, "%s:%u: %s", error.file, error.line, error.text);
	if (engine != NULL && refuse)
		fault(r, "the policy should not open");
	if (refuse && engine == NULL && (error.text[0] == '\0' ||
	    !printable(error.text, false) || strstr(error.text,
	    case_get(r->c, "says", "")) == NULL))
		fault(r, "error text: %s", error.text);
	if (ERR_peek_error() != 0)
		fault(r, "open left an error in OpenSSL's queue");
	if (engine != NULL && !refuse) {
		show_notes(engine);
		connections(r, engine, flags);
	}
	certauth_free(engine);
}

/* The case as `certauth verify --roots` would ask it. */
static void
ask_setup(struct run *r)
{
	static const char *const keys[] = { "anchors", "intermediates", "crls",
	    "ocsp", "policies" };
	struct certauth_setup	 setup = { 0 };
	struct certauth_error	 error = { 0 };
	struct certauth		*engine;
	struct certauth_verdict	*v;
	struct case_words	 w[5];
	char			 path[CASE_MAX_PATH];
	const char		*check;
	size_t			 i, j;

	for (i = 0; i < 5; i++) {
		case_words(r->c, keys[i], &w[i]);
		for (j = 0; i < 4 && j < w[i].num_words; j++) {
			case_pki(r->pki, w[i].words[j], path);
			free(w[i].words[j]);
			if ((w[i].words[j] = strdup(path)) == NULL)
				abort();
		}
	}
	check = case_has(r->c, "crls") ? "chain" : "none";
	setup.roots = (const char *const *)w[0].words;
	setup.num_roots = w[0].num_words;
	setup.intermediates = (const char *const *)w[1].words;
	setup.num_intermediates = w[1].num_words;
	setup.crls = (const char *const *)w[2].words;
	setup.num_crls = w[2].num_words;
	setup.ocsp_responses = (const char *const *)w[3].words;
	setup.num_ocsp_responses = w[3].num_words;
	setup.policies = (const char *const *)w[4].words;
	setup.num_policies = w[4].num_words;
	setup.explicit_policy = w[4].num_words > 0;
	setup.purpose = case_get(r->c, "purposes", "client");
	setup.revocation = case_get(r->c, "check", check);
	setup.email = case_get(r->c, "email", NULL);
	setup.max_depth = (unsigned)strtoul(case_get(r->c, "depth_limit", "5"),
	    NULL, 10);
	engine = certauth_open_setup(&setup, &error);
	if (engine == NULL) {
		fault(r, "setup: %s: %s", error.file, error.text);
	} else {
		show_notes(engine);
		v = ask(r, engine, "command", strcmp(case_get(r->c, "connect",
		    "full"), "resume") == 0, CERTAUTH_EXPLAIN);
		check_verdict(r, v, case_get(r->c, "expect", ""), true, true,
		    true);
		certauth_verdict_free(v);
	}
	certauth_free(engine);
	for (i = 0; i < 5; i++)
		case_words_clear(&w[i]);
}

/* -------------------------------------------------------------------- runs */

static bool
read_certificates(struct run *r, bool leaf_among_sent)
{
	struct certauth_error	 error = { 0 };
	struct case_words	 w;
	STACK_OF(X509)		*more = NULL;
	char			 path[CASE_MAX_PATH];
	const char		*leaf = case_get(r->c, "leaf", "none");
	bool			 ok = true;
	size_t			 i;

	if (strcmp(leaf, "none") == 0)
		return true;
	case_pki(r->pki, leaf, path);
	ok = certauth_read_leaf(path, NULL, &r->leaf, &more, &error);
	/* What lies behind the leaf in its file is not sent: `sent` says what is. */
	sk_X509_pop_free(more, X509_free);
	/*
	 * The command is the world that answers for a leaf that OpenSSL does not
	 * decode. Its releases differ in what they do: 3.5 minds the form of the
	 * dates, 3.0 leaves that to us.
	 */
	if (ok && r->leaf == NULL && strcmp(case_get(r->c, "expect", ""),
	    "reject malformed") == 0 && !case_has(r->c, "worlds"))
		return false;
	if (ok && r->leaf == NULL) {
		fault(r, "OpenSSL cannot read the leaf: a case for the command");
		return false;
	}
	case_words(r->c, "sent", &w);
	for (i = 0; i < w.num_words && ok; i++) {
		case_pki(r->pki, w.words[i], path);
		ok = certauth_read_sent(path, &r->sent, &error);
	}
	case_words_clear(&w);
	if (ok && leaf_among_sent) {
		if (r->sent == NULL && (r->sent = sk_X509_new_null()) == NULL)
			abort();
		if (X509_up_ref(r->leaf) != 1 ||
		    sk_X509_unshift(r->sent, r->leaf) <= 0)
			abort();
	}
	if (!ok)
		fault(r, "%s: %s", error.file, error.text);
	return ok;
}

/* The responses in frames whose id nobody asked under. */
static bool
read_responses(struct run *r, bool reverse)
{
	struct ask_reply	 reply = { .result = ASK_OCSP };
	struct case_words	 w;
	unsigned char		*data;
	char			 path[CASE_MAX_PATH];
	size_t			 i, n, len;
	bool			 ok = true;
	FILE			*f;

	case_words(r->c, "ocsp", &w);
	for (i = 0; i < w.num_words && ok; i++) {
		case_pki(r->pki, w.words[reverse ? w.num_words - 1 - i : i],
		    path);
		f = fopen(path, "rb");
		data = malloc(ASK_MAX_BYTES);
		if (data == NULL)
			abort();
		len = f != NULL ? fread(data, 1, ASK_MAX_BYTES, f) : 0;
		ok = f != NULL && r->num_replies < MAX_REPLIES;
		if (f != NULL)
			fclose(f);
		reply.payload = (struct certauth_bytes){ data, len };
		n = r->num_replies;
		if (ok && (r->replies[n].data = ask_reply_make(&reply,
		    &r->replies[n].data_len)) != NULL)
			r->num_replies++;
		else
			fault(r, "%s cannot be a reply", path);
		free(data);
	}
	case_words_clear(&w);
	return ok;
}

static bool
run_variant(const struct case_file *c, const char *pki, const char *variant)
{
	struct run	 r = { .c = c, .pki = pki, .variant = variant };
	const char	*tmp = getenv("TMPDIR");

	snprintf(r.folder, sizeof(r.folder), "%s/certauth-case-XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(r.folder) == NULL)
		abort();
	if (!case_time(case_get(c, "at", "2026-03-01T12:00:00Z"), &r.now))
		fault(&r, "at");
	else if (!read_certificates(&r, strcmp(variant, "explain") == 0) ||
	    !read_responses(&r, strcmp(variant, "reverse") == 0))
		;
	else if (strcmp(variant, "setup") == 0)
		ask_setup(&r);
	else
		ask_policy(&r, strcmp(variant, "reverse") == 0,
		    strcmp(variant, "explain") == 0 ? CERTAUTH_EXPLAIN : 0);
	nftw(r.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	X509_free(r.leaf);
	sk_X509_pop_free(r.sent, X509_free);
	while (r.num_replies > 0)
		free((void *)(uintptr_t)r.replies[--r.num_replies].data);
	if (r.fault[0] != '\0')
		printf("# %s (%s): %s\n", c->path, variant, r.fault);
	return r.fault[0] == '\0';
}

/* 1 passed, 0 failed, -1 not for the core. */
static int
run_case(const char *path, const char *pki)
{
	struct case_file c;
	const char	*worlds;
	bool		 ok;
	int		 result = 0;

	if (!case_read(&c, path))
		goto out;
	worlds = case_get(&c, "worlds", "core");
	if (strstr(worlds, "core") == NULL) {
		result = -1;
		goto out;
	}
	if (case_has(&c, "email")) {
		result = run_variant(&c, pki, "setup");
		goto out;
	}
	ok = run_variant(&c, pki, "plain");
	ok = run_variant(&c, pki, "explain") && ok;
	ok = run_variant(&c, pki, "reverse") && ok;
	if (case_chain_only(&c))
		ok = run_variant(&c, pki, "setup") && ok;
	result = ok;
out:
	case_clear(&c);
	return result;
}

/* --------------------------------------------------------------------- all */

#define MAX_CASES	4096
static char	*found[MAX_CASES];	/* nftw() has no context */
static size_t	 num_found;

static int
find_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	size_t n = strlen(path);

	(void)st;
	(void)ftw;
	if (type != FTW_F || n < 5 || strcmp(path + n - 5, ".case") != 0)
		return 0;
	if (num_found == MAX_CASES || (found[num_found++] = strdup(path)) == NULL)
		abort();
	return 0;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int
main(int argc, char **argv)
{
	size_t	i;
	int	arg, passed = 0, failed = 0, result, option;
	const char *pki = "tests/pki";

	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((option = getopt(argc, argv, "vp:")) != -1) {
		if (option == 'v') {
			verbose = true;
		} else if (option == 'p') {
			pki = optarg;
		} else {
			fprintf(stderr,
			    "usage: run_cases [-v] [-p PKI] [CASE | FOLDER]...\n");
			return 2;
		}
	}
	for (arg = optind; arg < argc; arg++)
		nftw(argv[arg], find_one, 16, FTW_PHYS);
	if (optind == argc)
		nftw("tests/cases", find_one, 16, FTW_PHYS);
	qsort(found, num_found, sizeof(found[0]), compare);
	for (i = 0; i < num_found; i++) {
		result = run_case(found[i], pki);
		if (result >= 0)
			printf("%s - %s\n", result ? "ok" : "not ok", found[i]);
		passed += result > 0;
		failed += result == 0;
		free(found[i]);
	}
	printf("%d passed, %d failed\n", passed, failed);
	return failed == 0 && passed > 0 ? 0 : 1;
}
