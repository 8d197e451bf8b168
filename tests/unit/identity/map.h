/* map.h - compile rules and ask them, in one line. */
#ifndef TESTS_IDENTITY_MAP_H
#define TESTS_IDENTITY_MAP_H

#include <stdio.h>

#include "certs.h"
#include "identity/rules.h"
#include "identity/table.h"

/* RULE() gives defaults first, and a test overrides some. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#else
#pragma GCC diagnostic ignored "-Woverride-init"
#endif

/* 2026-06-01T00:00:00Z */
#define NOW	INT64_C(1780272000)

#define RULE(...)	{ .name = "r", .table = -1, .must_exist = -1, \
			.file = "test.conf", .line = 7, __VA_ARGS__ }

struct asked {
	struct rules_answer	 answer;
	struct arena		*arena;
};

static inline void
asked_free(struct asked *asked)
{
	arena_free(asked->arena);
	asked->arena = NULL;
}

static inline struct table *
make_table(const char *text)
{
	struct certauth_error	 error = { 0 };
	struct table		*table;

	table = table_parse((const unsigned char *)text, strlen(text), "map",
	    &error);
	if (table == NULL)
		fail_msg("line %u: %s", error.line, error.text);
	return table;
}

/* Frees `cert`. Tables numbered in the order given. */
static inline struct asked
ask_as(const struct rule_options *options, size_t num, const char *authority,
    struct cert *cert, struct table *const *tables, size_t num_tables)
{
	struct certauth_error	 error = { 0 };
	struct rules		*rules;
	struct asked		 asked = { 0 };

	rules = rules_compile(options, num, &error);
	if (rules == NULL)
		fail_msg("column %u: %s", error.column, error.text);
	asked.arena = arena_new(4 * 1024 * 1024);
	rules_map(rules, cert, authority, tables, num_tables, NOW, asked.arena,
	    NULL, NULL, &asked.answer);
	assert_non_null(asked.answer.user);
	assert_non_null(asked.answer.groups);
	assert_non_null(asked.answer.rule);
	assert_non_null(asked.answer.detail);
	/* A refusal never carries a name. */
	if (asked.answer.reason != CERTAUTH_OK)
		assert_string_equal(asked.answer.user, "");
	assert_int_equal(ERR_peek_error(), 0);
	rules_free(rules);
	cert_free(cert);
	return asked;
}

/* One rule: the user, or the reason's number in *reason_r and "". */
static inline const char *
ask_one(const struct rule_options *option, struct cert *cert,
    struct table *const *tables, size_t num_tables, int *reason_r)
{
	static char	user[RULES_MAX_USER_LEN + 1];
	struct asked	asked = ask_as(option, 1, "ca", cert, tables, num_tables);

	snprintf(user, sizeof(user), "%s", asked.answer.user);
	*reason_r = (int)asked.answer.reason;
	asked_free(&asked);
	return user;
}

/* user = TEMPLATE gives this user / this reason. */
#define assert_user(option, cert, name) do { \
		const struct rule_options o_ = option; \
		int reason_; \
		const char *user_ = ask_one(&o_, cert, NULL, 0, &reason_); \
		assert_int_equal(reason_, CERTAUTH_OK); \
		assert_string_equal(user_, name); \
	} while (0)
#define assert_refused(option, cert, reason) do { \
		const struct rule_options o_ = option; \
		int reason_; \
		(void)ask_one(&o_, cert, NULL, 0, &reason_); \
		assert_int_equal(reason_, reason); \
	} while (0)

/* Compiling refuses; the message holds `part` and points at `column`. */
static inline void
refused_rule(const struct rule_options *options, size_t num, unsigned column,
    const char *part, const char *part2)
{
	struct certauth_error	 error = { 0 };
	struct rules		*rules = rules_compile(options, num, &error);

	if (rules != NULL)
		fail_msg("compiled, expected: %s", part);
	assert_string_equal(error.file, "test.conf");
	assert_int_equal(error.line, 7);
	if (strstr(error.text, part) == NULL ||
	    (part2 != NULL && strstr(error.text, part2) == NULL) ||
	    error.column != column)
		fail_msg("column %u: %s", error.column, error.text);
}
#define assert_no_rule(column, part, part2, ...) do { \
		const struct rule_options o_[] = { __VA_ARGS__ }; \
		refused_rule(o_, sizeof(o_) / sizeof(o_[0]), column, part, part2); \
	} while (0)

#endif
