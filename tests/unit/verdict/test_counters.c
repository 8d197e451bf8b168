/* Counters that several processes share: sums, text, JSON, what may not be in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/text.h"
#include "engine.h"
#include "verdict/counters.h"

#define NOW		INT64_C(1800000000)
#define DAY		86400
#define CHILDREN	4
#define EACH		5000

/* The counters' memory as a host has it, with rows for two profiles. */
static struct certauth_counters *
board(struct certauth *e)
{
	static char			 staff[] = "staff", web[] = "web";
	static struct certauth_profile	 profiles[2] = {
		{ .name = staff }, { .name = web }
	};
	struct certauth_counters	*c;
	void				*memory;

	memory = mmap(NULL, certauth_counters_size(), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	memset(e, 0, sizeof(*e));
	e->profiles = profiles;
	e->num_profiles = 2;
	c = certauth_counters_open(memory, e);
	assert_non_null(c);
	return c;
}

static void
drop(struct certauth_counters *c)
{
	assert_int_equal(munmap(c, certauth_counters_size()), 0);
}

static struct certauth_verdict *
verdict(const char *profile, enum certauth_reason reason, int64_t not_after)
{
	struct certauth_verdict	*v = verdict_new(NULL, profile, NOW, 0);
	STACK_OF(X509)		*path = sk_X509_new_null();
	char			 when[32];
	int			 no;

	assert_non_null(v);
	assert_non_null(path);
	verdict_set(v, VERDICT_EMAIL, "alice@example.com");
	verdict_set(v, VERDICT_SUBJECT, "CN=Alice");
	verdict_set(v, VERDICT_SERIAL, "0A1B");
	verdict_set(v, VERDICT_NOT_AFTER, text_time_print(when, sizeof(when),
	    not_after));
	verdict_set_user(v, "alice", "", "mail");
	no = verdict_path_begin(v, path, "ca");
	assert_int_equal(no, 0);
	if (reason != CERTAUTH_OK)
		verdict_fault(v, reason, no, -1, "%s", "alice");
	verdict_close(v, reason == CERTAUTH_OK ? no : -1);
	sk_X509_free(path);
	assert_int_equal(certauth_verdict_reason(v), reason);
	return v;
}

static void
count(struct certauth_counters *c, const char *profile,
    enum certauth_reason reason, int64_t left, bool resumed, unsigned waited)
{
	struct certauth_event	 event = { .client = "192.0.2.7",
				    .host = "www.example.com",
				    .resumed = resumed, .waited = waited };
	struct certauth_verdict	*v = verdict(profile, reason, NOW + left);

	certauth_counters_add(c, NULL, v, &event, NOW);
	certauth_verdict_free(v);
}

/* The number behind exactly that name and labels. */
static unsigned long long
number(const char *text, const char *what)
{
	const char	*at = text;
	size_t		 len = strlen(what);

	while ((at = strstr(at, what)) != NULL) {
		if ((at == text || at[-1] == '\n') && at[len] == ' ')
			return strtoull(at + len + 1, NULL, 10);
		at += len;
	}
	fail_msg("not there: %s", what);
	return 0;
}

#define VERDICTS(p, v, r) \
	"certauth_verdicts_total{server=\"nginx\",profile=\"" p "\",verdict=\"" v \
	"\",reason=\"" r "\"}"
#define LEFT(p, le) \
	"certauth_certificate_remaining_seconds_bucket{server=\"nginx\"," \
	"profile=\"" p "\",le=\"" le "\"}"
#define WAIT(le) \
	"certauth_wait_seconds_bucket{server=\"nginx\",profile=\"staff\"," \
	"le=\"" le "\"}"

static void
some(struct certauth_counters *c)
{
	count(c, "staff", CERTAUTH_OK, 10 * DAY, false, 0);
	count(c, "staff", CERTAUTH_OK, 14 * DAY, true, 40);
	count(c, "staff", CERTAUTH_OK, 4000 * (int64_t)DAY, false, 6000);
	/* refused: not in the histogram of those who come */
	count(c, "staff", CERTAUTH_REVOKED, 20 * DAY, false, 0);
	count(c, "web", CERTAUTH_NO_CERTIFICATE, 0, false, 0);
	/* accepted in the second in which it ends */
	count(c, "web", CERTAUTH_OK, -1, false, 0);
	/* nobody made a row for it */
	count(c, "other", CERTAUTH_DATA_MISSING, 0, false, 0);
}

static void
test_text(void **state)
{
	struct certauth			 e;
	struct certauth_counters	*c = board(&e);
	char				*out;

	(void)state;
	some(c);
	certauth_counters_add(c, NULL, NULL, &(struct certauth_event){ 0 }, NOW);
	certauth_counters_add(NULL, &e, NULL, &(struct certauth_event){ 0 }, NOW);
	out = certauth_counters_text(c, "nginx");
	assert_non_null(out);
	assert_int_equal(number(out, VERDICTS("staff", "accept", "ok")), 3);
	assert_int_equal(number(out, VERDICTS("staff", "reject", "revoked")), 1);
	assert_int_equal(number(out, VERDICTS("staff", "reject", "expired")), 0);
	assert_int_equal(number(out, VERDICTS("web", "none", "no-certificate")),
	    1);
	assert_int_equal(number(out, VERDICTS("", "reject", "data-missing")), 1);
	/* a NULL verdict is a refusal, and is counted as one */
	assert_int_equal(number(out, VERDICTS("", "reject", "internal")), 1);
	assert_int_equal(number(out, LEFT("staff", "604800")), 0);
	assert_int_equal(number(out, LEFT("staff", "1209600")), 2);
	assert_int_equal(number(out, LEFT("staff", "31536000")), 2);
	assert_int_equal(number(out, LEFT("staff", "+Inf")), 3);
	assert_int_equal(number(out, LEFT("web", "86400")), 1);
	assert_int_equal(number(out, "certauth_certificate_remaining_seconds_sum"
	    "{server=\"nginx\",profile=\"staff\"}"), 4024ull * DAY);
	assert_int_equal(number(out, "certauth_certificate_remaining_seconds_sum"
	    "{server=\"nginx\",profile=\"web\"}"), 0);
	assert_int_equal(number(out, WAIT("0.01")), 0);
	assert_int_equal(number(out, WAIT("0.05")), 1);
	assert_int_equal(number(out, WAIT("5")), 1);
	assert_int_equal(number(out, WAIT("+Inf")), 2);
	assert_non_null(strstr(out, "certauth_wait_seconds_sum{server=\"nginx\","
	    "profile=\"staff\"} 6.04\n"));
	assert_int_equal(number(out,
	    "certauth_resumed_total{server=\"nginx\",profile=\"staff\"}"), 1);
	/* never per user, client or host */
	assert_null(strstr(out, "lice"));
	assert_null(strstr(out, "192.0.2"));
	assert_null(strstr(out, "example"));
	assert_null(strstr(out, "other"));
	free(out);
	drop(c);
}

static void
test_json(void **state)
{
	struct certauth			 e;
	struct certauth_counters	*c = board(&e);
	char				*out;
	const char			*profile;
	json_int_t			 ok, revoked, count_left, soon, none;
	json_t				*root;

	(void)state;
	some(c);
	out = certauth_counters_json(c, "apache");
	assert_non_null(out);
	root = json_loads(out, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	assert_int_equal(json_array_size(json_object_get(root, "profiles")), 3);
	assert_int_equal(json_unpack(json_array_get(json_object_get(root,
	    "profiles"), 1), "{s:s, s:{s:I, s:I}, s:{s:I, s:{s:I}}}", "profile",
	    &profile, "verdicts", "ok", &ok, "revoked", &revoked, "remaining",
	    "count", &count_left, "le", "1209600", &soon), 0);
	assert_string_equal(profile, "staff");
	assert_int_equal(ok, 3);
	assert_int_equal(revoked, 1);
	assert_int_equal(count_left, 3);
	assert_int_equal(soon, 2);
	/* zeroes are left out */
	assert_int_equal(json_unpack(json_array_get(json_object_get(root,
	    "profiles"), 2), "{s:{s:I, s:I !}}", "verdicts", "no-certificate",
	    &none, "ok", &ok), 0);
	json_decref(root);
	free(out);
	drop(c);
}

static void
test_next(void **state)
{
	struct certauth			 e;
	struct certauth_counters	*c = board(&e);
	struct certauth_count		 one;
	size_t				 cursor = 0, kinds = 0;
	uint64_t			 all = 0;

	(void)state;
	assert_false(certauth_counters_next(c, &cursor, &one));
	some(c);
	for (cursor = 0; certauth_counters_next(c, &cursor, &one); kinds++) {
		all += one.count;
		if (one.reason == CERTAUTH_REVOKED)
			assert_string_equal(one.profile, "staff");
	}
	assert_int_equal(kinds, 5);
	assert_int_equal(all, 7);
	assert_false(certauth_counters_next(c, &cursor, &one));
	drop(c);
}

/* Processes that add at the same time lose nothing. */
static void
test_processes(void **state)
{
	struct certauth			 e;
	struct certauth_counters	*c = board(&e);
	struct certauth_verdict		*v = verdict("web", CERTAUTH_OK, NOW);
	struct certauth_event		 event = { .waited = 1 };
	pid_t				 pids[CHILDREN];
	char				*out;
	int				 i, k, status;

	(void)state;
	for (i = 0; i < CHILDREN; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] > 0)
			continue;
		for (k = 0; k < EACH; k++) {
			atomic_fetch_add(&e.asked, 2);
			atomic_fetch_add(&e.remembered, 1);
			certauth_counters_add(c, &e, v, &event, NOW);
		}
		_exit(0);
	}
	for (i = 0; i < CHILDREN; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	out = certauth_counters_text(c, "nginx");
	assert_non_null(out);
	assert_int_equal(number(out, VERDICTS("web", "accept", "ok")),
	    CHILDREN * EACH);
	assert_int_equal(number(out, "certauth_verifications_total"
	    "{server=\"nginx\"}"), 2 * CHILDREN * EACH);
	assert_int_equal(number(out, "certauth_verifications_remembered_total"
	    "{server=\"nginx\"}"), CHILDREN * EACH);
	free(out);
	certauth_verdict_free(v);
	drop(c);
}

/* After a reload: the sums go on, a new profile has a row, an old one keeps its. */
static void
test_again(void **state)
{
	struct certauth_profile		 profiles[2] = {
		{ .name = (char []){ "new" } }, { .name = (char []){ "web" } }
	};
	struct certauth			 e;
	struct certauth_counters	*c = board(&e);
	char				*out;

	(void)state;
	some(c);
	e.profiles = profiles;
	assert_ptr_equal(certauth_counters_open(c, &e), c);
	assert_int_equal(c->num_rows, 4);
	assert_ptr_equal(certauth_counters_open(c, NULL), c);
	count(c, "new", CERTAUTH_OK, DAY, false, 0);
	count(c, "staff", CERTAUTH_OK, DAY, false, 0);
	out = certauth_counters_text(c, "nginx");
	assert_non_null(out);
	assert_int_equal(number(out, VERDICTS("new", "accept", "ok")), 1);
	assert_int_equal(number(out, VERDICTS("staff", "accept", "ok")), 4);
	free(out);
	drop(c);
}

/* Memory of another version is not touched. */
static void
test_foreign(void **state)
{
	struct certauth			 e;
	struct certauth_counters	*c = board(&e);

	(void)state;
	c->layout--;
	assert_null(certauth_counters_open(c, &e));
	c->layout++;
	c->num_rows = COUNTERS_MAX_ROWS + 1;
	assert_null(certauth_counters_open(c, &e));
	c->num_rows = 3;
	c->magic[0]++;
	assert_null(certauth_counters_open(c, &e));
	c->magic[0]--;
	assert_non_null(certauth_counters_open(c, &e));
	drop(c);
}

/* More profiles than rows, and names longer than a row has: counted all the same. */
static void
test_full(void **state)
{
	struct certauth			 e;
	struct certauth_counters	*c = board(&e);
	struct certauth_profile		 one;
	char				 name[200], *out;
	int				 i;

	(void)state;
	e.profiles = &one;
	e.num_profiles = 1;
	one.name = name;
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_non_null(certauth_counters_open(c, &e));
	assert_non_null(certauth_counters_open(c, &e));
	assert_int_equal(c->num_rows, 4);
	count(c, name, CERTAUTH_OK, DAY, false, 0);
	assert_int_equal(c->rows[3].verdicts[reason_index(CERTAUTH_OK)], 1);
	for (i = 0; i < 2 * COUNTERS_MAX_ROWS; i++) {
		(void)snprintf(name, sizeof(name), "p%d", i);
		assert_non_null(certauth_counters_open(c, &e));
	}
	assert_int_equal(c->num_rows, COUNTERS_MAX_ROWS);
	count(c, name, CERTAUTH_EXPIRED, 0, false, 0);
	out = certauth_counters_text(c, "nginx");
	assert_non_null(out);
	assert_int_equal(number(out, VERDICTS("", "reject", "expired")), 1);
	free(out);
	drop(c);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_processes),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
