/*
 * rules.c - who is it?
 *
 * Asks the ordered rules of a profile one after the other. The first whose
 * authorities and `when` match decides; only a lookup that misses may pass the
 * question on, and only when the rule says so.
 */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "identity/rules_inside.h"

/* Groups of one person, joined. */
#define RULES_MAX_GROUPS_LEN	4096u

/* One question: all that is the same for every rule. */
struct question {
	struct extractor	 extractor;
	const struct rules_query *query;
	struct rules_answer	*answer;
};

enum outcome { OUTCOME_DECIDED, OUTCOME_MISS, OUTCOME_PASS };

/* Does anybody hear why a rule let somebody in, or passed the question on? */
static bool
heard(const struct question *q)
{
	return q->query->tell != NULL;
}

/* The end of the story for one rule: tells it and keeps it for the finding. */
static enum outcome
conclude(struct question *q, const struct rule *rule, enum outcome outcome,
    enum certauth_reason reason, const char *detail)
{
	const char	*line = "", *name;

	if (outcome == OUTCOME_PASS && !heard(q))
		return outcome;
	if (reason != CERTAUTH_OK || heard(q))
		line = arena_printf(q->extractor.arena, "rule %s: %s", rule->name,
		    detail != NULL ? detail : "out of memory");
	/* The answer outlives the rules. */
	name = arena_string(q->extractor.arena, rule->name);
	if (name == NULL)
		line = NULL;
	if (heard(q))
		q->query->tell(q->query->context, line != NULL ? line : "out of memory");
	if (outcome == OUTCOME_PASS)
		return outcome;
	q->answer->reason = line != NULL ? reason : CERTAUTH_INTERNAL;
	q->answer->detail = line != NULL ? line : "out of memory";
	q->answer->rule = name != NULL ? name : "";
	return line != NULL ? outcome : OUTCOME_DECIDED;
}

static bool
authority_matches(const struct rule *rule, const char *authority)
{
	size_t	i;

	if (rule->num_authorities == 0)
		return true;
	for (i = 0; authority != NULL && i < rule->num_authorities; i++)
		if (strcmp(rule->authorities[i], authority) == 0)
			return true;
	return false;
}

/* NULL: not loaded; that refuses, as no data is not "not in the data". */
static const struct table *
table_of(const struct question *q, int number)
{
	if (number < 0 || q->query->tables == NULL || (size_t)number >= q->query->num_tables)
		return NULL;
	return q->query->tables[number];
}

/* Adds the comma-separated groups that are not there yet, without blanks round
 * them ("staff, mail" in a template). */
static bool
groups_add(struct text *out, const char *groups)
{
	const char	*name, *comma, *at;
	size_t		 len, n;
	bool		 there;

	for (name = groups; *name != '\0'; name = comma + (*comma == ',')) {
		comma = name + strcspn(name, ",");
		while (*name == ' ')
			name++;
		for (len = (size_t)(comma - name); len > 0 &&
		    name[len - 1] == ' '; len--)
			;
		there = len == 0;
		for (at = out->data; !there && at != NULL && *at != '\0';
		    at += n + (at[n] == ',')) {
			n = strcspn(at, ",");
			there = n == len && memcmp(at, name, n) == 0;
		}
		if (there)
			continue;
		if (out->len > 0)
			text_add_n(out, ",", 1);
		text_add_n(out, name, len);
	}
	return !out->failed && out->len <= RULES_MAX_GROUPS_LEN;
}

/* The accounts of a line that exist, each once. */
static void
also_add(struct question *q, const struct table *exist, const char *also)
{
	struct rules_answer	*a = q->answer;
	const char		*name, *copy;
	size_t			 len, i;

	for (name = also; *name != '\0'; name += len + (name[len] == ',')) {
		len = strcspn(name, ",");
		if (len == 0 || a->num_also == RULES_MAX_ALSO ||
		    (exist != NULL && !table_has(exist, name, len,
		    q->query->now)))
			continue;
		copy = arena_string_n(q->extractor.arena, name, len);
		for (i = 0; copy != NULL && i < a->num_also; i++)
			if (strcmp(a->also[i].found, copy) == 0)
				copy = NULL;
		if (copy != NULL)
			a->also[a->num_also++] = (struct rules_account){ copy,
			    copy };
	}
}

/*
 * Which of the values lead to a user? All that do must lead to the same one;
 * those that lead nowhere do not matter.
 */
static enum outcome
look_up(struct question *q, const struct rule *rule,
    const struct template_results *results, const char **user_r,
    struct text *groups)
{
	const struct table	*table = NULL, *exist = NULL;
	struct table_entry	 entry;
	const struct value	*value;
	size_t			 i;

	*user_r = NULL;
	q->answer->num_also = 0;
	if (rule->key != NULL && (table = table_of(q, rule->table)) == NULL)
		return conclude(q, rule, OUTCOME_DECIDED, CERTAUTH_DATA_MISSING,
		    "its table is not loaded");
	if (rule->must_exist >= 0 &&
	    (exist = table_of(q, rule->must_exist)) == NULL)
		return conclude(q, rule, OUTCOME_DECIDED, CERTAUTH_DATA_MISSING,
		    "its must_exist table is not loaded");
	for (i = 0; i < results->num_items; i++) {
		value = &results->items[i];
		entry.user = value->data;
		entry.groups = entry.also = "";
		if (table != NULL && !table_lookup(table, value->data,
		    value->data_len, q->query->now, &entry))
			continue;
		if (exist != NULL && !table_has(exist, entry.user,
		    strlen(entry.user), q->query->now))
			continue;
		if (*user_r != NULL && strcmp(*user_r, entry.user) != 0) {
			char	one[256], other[256];

			return conclude(q, rule, OUTCOME_DECIDED,
			    CERTAUTH_AMBIGUOUS_USER,
			    arena_printf(q->extractor.arena,
			    "the names of the certificate lead to \"%s\" and "
			    "to \"%s\"", text_printable(one, sizeof(one),
			    *user_r, strlen(*user_r)), text_printable(other,
			    sizeof(other), entry.user, strlen(entry.user))));
		}
		*user_r = entry.user;
		also_add(q, exist, entry.also);
		if (!groups_add(groups, entry.groups))
			return conclude(q, rule, OUTCOME_DECIDED, groups->failed ?
			    CERTAUTH_INTERNAL : CERTAUTH_BAD_NAME,
			    "its groups have more than 4096 bytes");
	}
	return OUTCOME_PASS;
}

static enum outcome
fill_groups(struct question *q, const struct rule *rule, struct text *groups)
{
	struct template_results	results;
	size_t			i;

	switch (template_fill(rule->groups, rule->when, &q->extractor, &results)) {
	case TEMPLATE_BAD:
		return conclude(q, rule, OUTCOME_DECIDED, CERTAUTH_BAD_NAME,
		    results.detail);
	case TEMPLATE_AMBIGUOUS:
		return conclude(q, rule, OUTCOME_DECIDED,
		    CERTAUTH_AMBIGUOUS_USER, results.detail);
	case TEMPLATE_NO_MEMORY:
		return conclude(q, rule, OUTCOME_DECIDED, CERTAUTH_INTERNAL,
		    NULL);
	case TEMPLATE_NONE:
		return OUTCOME_PASS;	/* nobody's group */
	case TEMPLATE_FILLED:
		break;
	}
	for (i = 0; i < results.num_items; i++)
		if (!groups_add(groups, results.items[i].data))
			return conclude(q, rule, OUTCOME_DECIDED, groups->failed ?
			    CERTAUTH_INTERNAL : CERTAUTH_BAD_NAME,
			    "its groups have more than 4096 bytes");
	return OUTCOME_PASS;
}

/* "{san.email} gave "a@b", "c@d"": for people who ask why. */
static const char *
show_results(struct question *q, const struct template *template,
    const struct template_results *results)
{
	struct text	 out = { 0 };
	const char	*shown;
	size_t		 i;

	text_add_printable(&out, template_text(template),
	    strlen(template_text(template)), 256);
	text_add(&out, " gives");
	for (i = 0; i < results->num_items && i < 8; i++) {
		text_add(&out, i == 0 ? " \"" : ", \"");
		text_add_printable(&out, results->items[i].data,
		    results->items[i].data_len, 128);
		text_add(&out, "\"");
	}
	if (i < results->num_items)
		text_add(&out, ", ...");
	shown = out.failed ? NULL : arena_string(q->extractor.arena, out.data);
	text_free(&out);
	return shown != NULL ? shown : "";
}

static enum outcome
miss(struct question *q, const struct rule *rule, const char *why)
{
	bool	next = rule->on_miss == RULE_MISS_NEXT;

	return conclude(q, rule, next ? OUTCOME_MISS : OUTCOME_DECIDED,
	    CERTAUTH_NO_USER, arena_printf(q->extractor.arena, "%s%s", why,
	    next ? "; the next rule is asked" : ""));
}

/* Which of `users` is asked for; NULL: none of them. */
static const struct template *
service_template(const struct question *q, const struct rule *rule)
{
	static const char *const mail[] = {
		"imap", "pop3", "submission", "sieve", "managesieve", "lmtp",
		"mail"
	};
	const char	*service = q->query->service;
	size_t		 i;

	if (service == NULL)
		return NULL;
	if (strcmp(service, "http") == 0 || strcmp(service, "web") == 0)
		return rule->web;
	for (i = 0; i < sizeof(mail) / sizeof(mail[0]); i++)
		if (strcmp(service, mail[i]) == 0)
			return rule->mail;
	return NULL;
}

static enum outcome
template_outcome(struct question *q, const struct rule *rule,
    enum template_status status, const char *detail)
{
	switch (status) {
	case TEMPLATE_BAD:
		return conclude(q, rule, OUTCOME_DECIDED, CERTAUTH_BAD_NAME,
		    detail);
	case TEMPLATE_AMBIGUOUS:
		return conclude(q, rule, OUTCOME_DECIDED,
		    CERTAUTH_AMBIGUOUS_USER, detail);
	case TEMPLATE_NO_MEMORY:
		return conclude(q, rule, OUTCOME_DECIDED, CERTAUTH_INTERNAL,
		    NULL);
	case TEMPLATE_NONE:
		return miss(q, rule, detail);
	case TEMPLATE_FILLED:
		break;
	}
	return OUTCOME_PASS;
}

/* The name that this service knows somebody by. */
static enum outcome
dress(struct question *q, const struct rule *rule, const char **user)
{
	const struct template	*template = service_template(q, rule);
	struct template_results	 results;
	enum template_status	 status;
	enum outcome		 outcome;

	if (template == NULL)
		return conclude(q, rule, OUTCOME_DECIDED, CERTAUTH_NO_USER,
		    "users has no name for this service");
	q->extractor.user.data = *user;
	q->extractor.user.data_len = strlen(*user);
	status = template_fill(template, rule->when, &q->extractor, &results);
	outcome = template_outcome(q, rule, status, results.detail);
	if (outcome != OUTCOME_PASS)
		return outcome;
	if (results.num_items != 1)
		return conclude(q, rule, OUTCOME_DECIDED,
		    CERTAUTH_AMBIGUOUS_USER, "users makes several names");
	*user = results.items[0].data;
	return OUTCOME_PASS;
}

/* The other accounts likewise; one that has no name here is none here. */
static void
dress_also(struct question *q, const struct rule *rule)
{
	const struct template	*template = service_template(q, rule);
	struct template_results	 results;
	struct rules_answer	*a = q->answer;
	size_t			 i, num = 0;

	for (i = 0; template != NULL && i < a->num_also; i++) {
		q->extractor.user.data = a->also[i].found;
		q->extractor.user.data_len = strlen(a->also[i].found);
		if (template_fill(template, rule->when, &q->extractor,
		    &results) != TEMPLATE_FILLED || results.num_items != 1 ||
		    strchr(results.items[0].data, ',') != NULL)
			continue;
		a->also[num].found = a->also[i].found;
		a->also[num++].user = results.items[0].data;
	}
	a->num_also = num;
}

static const char *
strength_word(enum rule_strength strength)
{
	static const char *const	words[] = {
		"", "weak", "medium", "strong"
	};

	return words[strength];
}

/* A constant name is as sure as what `when` asks for. */
static enum rule_strength
strength_of(const struct rule *rule, const struct template *template,
    bool pinned)
{
	enum rule_strength	strength = template_strength(template, pinned);

	if (strength == STRENGTH_NONE)
		strength = rule->when != NULL ? when_strength(rule->when,
		    pinned) : STRENGTH_WEAK;
	return strength;
}

static bool
strong_enough(struct question *q, const struct rule *rule,
    const struct template *template, enum outcome *outcome_r)
{
	enum rule_strength	strength;

	strength = strength_of(rule, template, q->query->pinned);
	q->answer->strength = strength_word(strength);
	if (strength >= q->query->min_strength)
		return true;
	*outcome_r = conclude(q, rule, OUTCOME_DECIDED, CERTAUTH_NO_USER,
	    arena_printf(q->extractor.arena, "%s names people by what is %s "
	    "here, min_strength is %s", template_text(template),
	    strength_word(strength), strength_word(q->query->min_strength)));
	return false;
}

/* Who renews a certificate has another key: renewal.c looks for the old one. */
static void
note_miss(struct question *q, const struct rule *rule,
    const struct template_results *results)
{
	struct rules_miss	*m = &q->answer->misses[q->answer->num_misses];

	if (rule->key == NULL || q->answer->num_misses == RULES_MAX_MISSES)
		return;
	m->table = rule->table;
	m->num_keys = results->num_items;
	m->key = arena_string_n(q->extractor.arena, results->items[0].data,
	    results->items[0].data_len);
	/* The answer outlives the rules. */
	m->rule = arena_string(q->extractor.arena, rule->name);
	m->continuity = arena_string(q->extractor.arena, rule->continuity);
	if (m->key != NULL && m->rule != NULL && m->continuity != NULL)
		q->answer->num_misses++;
}

/* Who it is, once the rule's own template is filled. */
static enum outcome
name_user(struct question *q, const struct rule *rule,
    const struct template *template, const struct template_results *results)
{
	struct text	 groups = { 0 };
	const char	*user, *found, *what;
	char		 name[4 * RULES_MAX_USER_LEN + 1];
	enum outcome	 outcome;

	outcome = look_up(q, rule, results, &user, &groups);
	if (outcome != OUTCOME_PASS)
		goto out;
	if (user == NULL) {
		note_miss(q, rule, results);
		what = arena_printf(q->extractor.arena, "%s, which %s",
		    show_results(q, template, results),
		    rule->key != NULL ? rule->must_exist >= 0 ?
		    "the tables do not lead to a user for" :
		    "is not in the table" : "must_exist does not list");
		outcome = what != NULL ? miss(q, rule, what) : conclude(q, rule,
		    OUTCOME_DECIDED, CERTAUTH_INTERNAL, NULL);
		goto out;
	}
	if (rule->groups != NULL) {
		text_free(&groups);
		outcome = fill_groups(q, rule, &groups);
		if (outcome != OUTCOME_PASS)
			goto out;
	}
	found = user;
	if ((rule->web != NULL || rule->mail != NULL) &&
	    (rule->user != NULL || rule->key != NULL)) {
		outcome = dress(q, rule, &user);
		if (outcome != OUTCOME_PASS)
			goto out;
		dress_also(q, rule);
	}
	q->answer->user = arena_string(q->extractor.arena, user);
	q->answer->found = arena_string(q->extractor.arena, found);
	q->answer->groups = arena_string(q->extractor.arena,
	    groups.data != NULL ? groups.data : "");
	what = !heard(q) ? "" : arena_printf(q->extractor.arena,
	    "%s: the user is \"%s\" (%s)", show_results(q, template, results),
	    text_printable(name, sizeof(name), user, strlen(user)),
	    q->answer->strength);
	outcome = conclude(q, rule, OUTCOME_DECIDED,
	    q->answer->user != NULL && q->answer->found != NULL &&
	    q->answer->groups != NULL ? CERTAUTH_OK : CERTAUTH_INTERNAL, what);
out:
	text_free(&groups);
	return outcome;
}

/* The rule speaks of this certificate: what does it say? */
static enum outcome
decide(struct question *q, const struct rule *rule)
{
	const struct template	*template;
	struct template_results	 results;
	enum template_status	 status;
	enum outcome		 outcome;

	template = rule->key != NULL ? rule->key : rule->user != NULL ?
	    rule->user : service_template(q, rule);
	if (template == NULL)
		return conclude(q, rule, OUTCOME_DECIDED, CERTAUTH_NO_USER,
		    "users has no name for this service");
	if (!strong_enough(q, rule, template, &outcome))
		return outcome;
	status = template_fill(template, rule->when, &q->extractor, &results);
	outcome = template_outcome(q, rule, status, results.detail);
	if (outcome != OUTCOME_PASS)
		return outcome;
	return name_user(q, rule, template, &results);
}

/* The first rule that can never be strong enough, even under pinned issuers. */
const char *
rules_too_weak(const struct rules *rules, enum rule_strength min)
{
	const struct template	*templates[4];
	size_t			 i, j;

	for (i = 0; i < rules->num_rules; i++) {
		const struct rule	*rule = &rules->rules[i];

		templates[0] = rule->key;
		templates[1] = rule->user;
		templates[2] = rule->key || rule->user ? NULL : rule->web;
		templates[3] = rule->key || rule->user ? NULL : rule->mail;
		for (j = 0; j < 4; j++)
			if (templates[j] != NULL &&
			    strength_of(rule, templates[j], true) < min)
				return rule->name;
	}
	return NULL;
}

static enum outcome
ask_rule(struct question *q, const struct rule *rule)
{
	const char	*why = NULL;
	char		 shown[256];

	if (!authority_matches(rule, q->query->authority))
		return conclude(q, rule, OUTCOME_PASS, CERTAUTH_NO_USER,
		    "is for other authorities");
	if (rule->when == NULL)
		return decide(q, rule);
	switch (when_ask(rule->when, &q->extractor, NULL, NULL, &why)) {
	case WHEN_TRUE:
		return decide(q, rule);
	case WHEN_FALSE:
		if (!heard(q))
			return OUTCOME_PASS;
		text_printable(shown, sizeof(shown), rule->when_text,
		    strlen(rule->when_text));
		return conclude(q, rule, OUTCOME_PASS, CERTAUTH_NO_USER,
		    arena_printf(q->extractor.arena, "`%s` is not so", shown));
	case WHEN_BAD:
		break;
	}
	/* Whether the rule speaks of this certificate cannot be said, so no
	 * later rule may speak in its place. */
	return conclude(q, rule, OUTCOME_DECIDED,
	    why != NULL ? CERTAUTH_BAD_NAME : CERTAUTH_INTERNAL, why);
}

void
rules_ask(const struct rules *rules, const struct rules_query *query,
    struct arena *arena, struct rules_answer *answer_r)
{
	struct question	q = { { .cert = query->cert, .arena = arena,
			    .authority = query->authority }, query, answer_r };
	enum outcome	outcome = OUTCOME_PASS;
	bool		missed = false;
	size_t		i;

	memset(answer_r, 0, sizeof(*answer_r));
	answer_r->user = answer_r->groups = answer_r->rule = "";
	answer_r->found = "";
	answer_r->strength = "";
	answer_r->detail = "out of memory";
	answer_r->reason = CERTAUTH_INTERNAL;
	if (rules == NULL || query->cert == NULL || arena == NULL) {
		answer_r->detail = "there are no rules to ask";
		return;
	}
	if (rules->num_rules == 0) {
		answer_r->reason = CERTAUTH_OK;
		answer_r->detail = "the profile has no identity rules";
		return;
	}
	for (i = 0; i < rules->num_rules && outcome != OUTCOME_DECIDED; i++) {
		outcome = ask_rule(&q, &rules->rules[i]);
		missed = missed || outcome == OUTCOME_MISS;
	}
	if (outcome != OUTCOME_DECIDED) {
		answer_r->reason = CERTAUTH_NO_USER;
		if (!missed)
			answer_r->detail =
			    "no identity rule speaks of this certificate";
	}
	if (answer_r->reason != CERTAUTH_OK) {
		answer_r->user = answer_r->groups = answer_r->strength = "";
		answer_r->found = "";
		answer_r->num_also = 0;
	}
}

void
rules_map(const struct rules *rules, const struct cert *cert,
    const char *authority, struct table *const *tables, size_t num_tables,
    int64_t now, struct arena *arena, rules_tell_fn *tell, void *context,
    struct rules_answer *answer_r)
{
	const struct rules_query	query = { .cert = cert,
					    .authority = authority,
					    .tables = tables,
					    .num_tables = num_tables,
					    .now = now, .tell = tell,
					    .context = context };

	rules_ask(rules, &query, arena, answer_r);
}
