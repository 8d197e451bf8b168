/*
 * counters.c - how many decisions of each kind were there?
 *
 * Adds, and makes Prometheus text or JSON of the sums. Whose memory it is and which
 * profiles there are is not known here (counted.c).
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/text.h"
#include "verdict/counters.h"

#define DAY_MS		(UINT64_C(86400) * 1000)

/* A lock would stay shut when a process that holds it is killed. */
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_LONG_LOCK_FREE == 2,
    "counters are shared between processes");

struct steps {
	const char	*name, *help;
	size_t		 num;
	const uint64_t	*ends;
};

static const uint64_t	left_ends[COUNTERS_NUM_LEFT] = {
	DAY_MS, 3 * DAY_MS, 7 * DAY_MS, 14 * DAY_MS, 30 * DAY_MS, 60 * DAY_MS,
	90 * DAY_MS, 180 * DAY_MS, 365 * DAY_MS
};
static const uint64_t	wait_ends[COUNTERS_NUM_WAIT] = {
	10, 50, 100, 250, 500, 1000, 2000, 5000
};
static const struct steps	left_steps = {
	"certauth_certificate_remaining_seconds",
	"Validity left of accepted certificates, one for each decision.",
	COUNTERS_NUM_LEFT, left_ends
};
static const struct steps	wait_steps = {
	"certauth_wait_seconds",
	"How long decisions waited for revocation data, of those that did.",
	COUNTERS_NUM_WAIT, wait_ends
};

static uint64_t
get(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void
add(_Atomic uint64_t *counter, uint64_t n)
{
	(void)atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* ------------------------------------------------------------------ adding */

static void
observe(const struct steps *steps, _Atomic uint64_t *counts,
    _Atomic uint64_t *sum, uint64_t value)
{
	size_t	i = 0;

	while (i < steps->num && value > steps->ends[i])
		i++;
	add(&counts[i], 1);
	add(sum, value);
}

static struct counters_row *
find(struct certauth_counters *c, const char *name)
{
	size_t	i, n = (size_t)atomic_load_explicit(&c->num_rows,
		    memory_order_acquire);

	for (i = 1; i < n; i++)
		if (strncmp(c->rows[i].name, name, COUNTERS_MAX_NAME - 1) == 0)
			return &c->rows[i];
	return &c->rows[0];
}

struct counters_row *
counters_row(struct certauth_counters *c, const char *name)
{
	struct counters_row	*row = find(c, name);
	uint64_t		 n = get(&c->num_rows);

	if (row != &c->rows[0] || name[0] == '\0' || n == COUNTERS_MAX_ROWS)
		return row;
	row = &c->rows[n];
	memcpy(row->name, name, strnlen(name, COUNTERS_MAX_NAME - 1));
	/* whoever sees the row sees its name */
	atomic_store_explicit(&c->num_rows, n + 1, memory_order_release);
	return row;
}

void
counters_add(struct certauth_counters *c, const struct certauth_verdict *v,
    const struct certauth_event *event, int64_t now)
{
	struct counters_row	*row = find(c, certauth_verdict_get(v, "profile"));
	int64_t			 end;

	add(&row->verdicts[reason_index(certauth_verdict_reason(v))], 1);
	if (event->resumed)
		add(&row->resumed, 1);
	if (event->waited > 0)
		observe(&wait_steps, row->wait, &row->wait_sum, event->waited);
	if (certauth_verdict_decision(v) != CERTAUTH_ACCEPT ||
	    !text_time_parse(certauth_verdict_get(v, "not_after"), &end))
		return;
	/* A sum of a histogram only grows. */
	observe(&left_steps, row->left, &row->left_sum,
	    end > now ? (uint64_t)(end - now) * 1000 : 0);
}

/* ----------------------------------------------------------------- telling */

/* As certauth_verdict_get() of "verdict" says it. */
static const char *
verdict_word(enum certauth_reason reason)
{
	if (reason == CERTAUTH_NO_CERTIFICATE)
		return "none";
	return reason == CERTAUTH_OK ? "accept" : "reject";
}

static void
add_head(struct text *out, const char *name, const char *type, const char *help)
{
	text_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* As one number is written everywhere, whatever the locale: 0.05, not 0.050. */
static void
add_seconds(struct text *out, uint64_t ms)
{
	unsigned	rest = (unsigned)(ms % 1000);
	int		digits = 3;

	text_printf(out, "%" PRIu64, ms / 1000);
	if (rest == 0)
		return;
	for (; rest % 10 == 0; digits--)
		rest /= 10;
	text_printf(out, ".%0*u", digits, rest);
}

/* Names of profiles are words of the policy file's grammar: letters, digits, - _ *;
 * a label needs no escapes for them. */
static void
add_labels(struct text *out, const char *server, const char *profile)
{
	text_printf(out, "{server=\"%s\",profile=\"%s\"", server, profile);
}

static void
add_verdicts(struct text *out, const struct counters_row *row,
    const char *server)
{
	enum certauth_reason	reason;
	size_t			i;

	for (i = 0; i < NUM_REASONS; i++) {
		reason = reason_at(i);
		text_add(out, "certauth_verdicts_total");
		add_labels(out, server, row->name);
		text_printf(out, ",verdict=\"%s\",reason=\"%s\"} %" PRIu64 "\n",
		    verdict_word(reason), certauth_reason_slug(reason),
		    get(&row->verdicts[i]));
	}
}

static void
add_histogram(struct text *out, const struct steps *steps,
    const struct counters_row *row, const _Atomic uint64_t *counts,
    const _Atomic uint64_t *sum, const char *server)
{
	uint64_t	total = 0;
	size_t		i;

	for (i = 0; i <= steps->num; i++) {
		total += get(&counts[i]);
		text_printf(out, "%s_bucket", steps->name);
		add_labels(out, server, row->name);
		text_add(out, ",le=\"");
		if (i < steps->num)
			add_seconds(out, steps->ends[i]);
		else
			text_add(out, "+Inf");
		text_printf(out, "\"} %" PRIu64 "\n", total);
	}
	text_printf(out, "%s_sum", steps->name);
	add_labels(out, server, row->name);
	text_add(out, "} ");
	add_seconds(out, get(sum));
	text_printf(out, "\n%s_count", steps->name);
	add_labels(out, server, row->name);
	text_printf(out, "} %" PRIu64 "\n", total);
}

static void
add_sum(struct text *out, const char *name, const char *help,
    const char *server, uint64_t value)
{
	add_head(out, name, "counter", help);
	text_printf(out, "%s{server=\"%s\"} %" PRIu64 "\n", name, server, value);
}

char *
certauth_counters_text(const struct certauth_counters *c, const char *server)
{
	struct text			 out = { 0 };
	const struct counters_row	*end, *row;

	end = c->rows + atomic_load_explicit(&c->num_rows, memory_order_acquire);
	add_head(&out, "certauth_build_info", "gauge", "What is counting.");
	text_printf(&out, "certauth_build_info{server=\"%s\",version=\"%s\"} 1\n",
	    server, certauth_version());
	add_head(&out, "certauth_verdicts_total", "counter",
	    "Decisions, one for each connection and change.");
	for (row = c->rows; row < end; row++)
		add_verdicts(&out, row, server);
	add_head(&out, "certauth_resumed_total", "counter",
	    "Of these, on connections that resumed a TLS session.");
	for (row = c->rows; row < end; row++) {
		text_add(&out, "certauth_resumed_total");
		add_labels(&out, server, row->name);
		text_printf(&out, "} %" PRIu64 "\n", get(&row->resumed));
	}
	add_head(&out, left_steps.name, "histogram", left_steps.help);
	for (row = c->rows; row < end; row++)
		add_histogram(&out, &left_steps, row, row->left, &row->left_sum,
		    server);
	add_head(&out, wait_steps.name, "histogram", wait_steps.help);
	for (row = c->rows; row < end; row++)
		add_histogram(&out, &wait_steps, row, row->wait, &row->wait_sum,
		    server);
	add_sum(&out, "certauth_verifications_total",
	    "Times that the engine was asked for a verdict.",
	    server, get(&c->asked));
	add_sum(&out, "certauth_verifications_remembered_total",
	    "Of these, answered by a verdict that was still in force.",
	    server, get(&c->remembered));
	return text_take(&out);
}

/* ------------------------------------------------------------------- JSON */

static json_t *
json_number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/* {"le": {"86400": n, ...}, "count": n, "sum": s}, with the meaning that the text has:
 * "le" counts all up to there. */
static json_t *
json_histogram(const struct steps *steps, const _Atomic uint64_t *counts,
    const _Atomic uint64_t *sum)
{
	json_t		*all = json_object(), *le = json_object();
	struct text	 end;
	uint64_t	 total = 0;
	size_t		 i;
	bool		 ok = all != NULL && le != NULL;

	for (i = 0; ok && i < steps->num; i++) {
		total += get(&counts[i]);
		end = (struct text){ 0 };
		add_seconds(&end, steps->ends[i]);
		ok = !end.failed &&
		    json_object_set_new(le, end.data, json_number(total)) == 0;
		text_free(&end);
	}
	total += get(&counts[steps->num]);
	ok = ok && json_object_set(all, "le", le) == 0 &&
	    json_object_set_new(all, "count", json_number(total)) == 0 &&
	    json_object_set_new(all, "sum",
	    json_real((double)get(sum) / 1000)) == 0;
	json_decref(le);
	if (ok)
		return all;
	json_decref(all);
	return NULL;
}

static json_t *
json_row(const struct counters_row *row)
{
	json_t	*verdicts = json_object();
	size_t	 i;
	bool	 ok = verdicts != NULL;

	for (i = 0; ok && i < NUM_REASONS; i++)
		if (get(&row->verdicts[i]) > 0)
			ok = json_object_set_new(verdicts,
			    certauth_reason_slug(reason_at(i)),
			    json_number(get(&row->verdicts[i]))) == 0;
	if (!ok) {
		json_decref(verdicts);
		return NULL;
	}
	return json_pack("{s:s, s:o, s:o, s:o, s:o}", "profile", row->name,
	    "verdicts", verdicts, "resumed", json_number(get(&row->resumed)),
	    "remaining", json_histogram(&left_steps, row->left, &row->left_sum),
	    "wait", json_histogram(&wait_steps, row->wait, &row->wait_sum));
}

char *
certauth_counters_json(const struct certauth_counters *c, const char *server)
{
	const struct counters_row	*end, *row;
	json_t				*root, *rows = json_array();
	char				*out = NULL;
	bool				 ok = rows != NULL;

	end = c->rows + atomic_load_explicit(&c->num_rows, memory_order_acquire);
	for (row = c->rows; ok && row < end; row++)
		ok = json_array_append_new(rows, json_row(row)) == 0;
	root = json_pack("{s:s, s:s, s:o, s:o, s:o}", "server", server,
	    "version", certauth_version(), "asked", json_number(get(&c->asked)),
	    "remembered", json_number(get(&c->remembered)), "profiles", rows);
	if (ok && root != NULL)
		out = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return out;
}

bool
certauth_counters_next(const struct certauth_counters *c, size_t *cursor,
    struct certauth_count *count_r)
{
	size_t	all = (size_t)atomic_load_explicit(&c->num_rows,
		    memory_order_acquire) * NUM_REASONS;

	while (*cursor < all) {
		const struct counters_row *row = &c->rows[*cursor / NUM_REASONS];

		count_r->profile = row->name;
		count_r->reason = reason_at(*cursor % NUM_REASONS);
		count_r->count = get(&row->verdicts[*cursor % NUM_REASONS]);
		(*cursor)++;
		if (count_r->count > 0)
			return true;
	}
	return false;
}
