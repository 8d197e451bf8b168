/*
 * test_mapping_doc.c - is what docs/mapping.md shows true?
 *
 * Runs from the project's root. Takes the fenced blocks of the page: `identity`
 * blocks are compiled, `map NAME` and `denied` blocks parsed, and the people of
 * the examples looked up.
 */

#include <stdio.h>

#include <libconfig.h>

#include "map.h"

#define MAX_BLOCKS	32

struct block { char head[64]; char *text; };

static struct block	blocks[MAX_BLOCKS];
static size_t		num_blocks;

static int
read_page(void **state)
{
	FILE	*file = fopen("docs/mapping.md", "r");
	char	 line[512];
	struct block *open = NULL;

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, "```", 3) != 0) {
			if (open != NULL) {
				open->text = realloc(open->text,
				    strlen(open->text) + strlen(line) + 1);
				strcat(open->text, line);
			}
			continue;
		}
		if (open != NULL) {
			open = NULL;
			continue;
		}
		assert_true(num_blocks < MAX_BLOCKS);
		open = &blocks[num_blocks++];
		line[strcspn(line, "\n")] = '\0';
		snprintf(open->head, sizeof(open->head), "%.60s", line + 3);
		open->text = calloc(1, 1);
	}
	assert_null(open);
	fclose(file);
	assert_true(num_blocks >= 9);
	return 0;
}

static int
free_page(void **state)
{
	(void)state;
	while (num_blocks > 0)
		free(blocks[--num_blocks].text);
	return 0;
}

static struct table *
map_named(const char *name)
{
	char	head[64];
	size_t	i;

	snprintf(head, sizeof(head), "map %s", name);
	for (i = 0; i < num_blocks; i++)
		if (strcmp(blocks[i].head, head) == 0)
			return make_table(blocks[i].text);
	return make_table("");
}

/* The n-th identity block asked about a certificate. */
static struct asked
ask_block(size_t n, const char *authority, struct cert *cert)
{
	struct rule_options	 rules[8];
	struct table		*tables[16] = { NULL };
	const char		*authorities[8][4], *text;
	config_setting_t	*list, *group, *names, *users;
	config_t		 config;
	struct asked		 asked;
	size_t			 i, num_tables = 0;
	int			 r, a;

	for (i = 0; i < num_blocks; i++)
		if (strcmp(blocks[i].head, "identity") == 0 && n-- == 0)
			break;
	assert_true(i < num_blocks);
	config_init(&config);
	if (config_read_string(&config, blocks[i].text) != CONFIG_TRUE)
		fail_msg("%s: %s", config_error_text(&config), blocks[i].text);
	list = config_lookup(&config, "identity");
	assert_non_null(list);
	memset(rules, 0, sizeof(rules));
	assert_true(config_setting_length(list) <= 8);
	for (r = 0; r < config_setting_length(list); r++) {
		group = config_setting_get_elem(list, (unsigned)r);
		rules[r].file = "docs/mapping.md";
		rules[r].table = rules[r].must_exist = -1;
		config_setting_lookup_string(group, "name", &rules[r].name);
		config_setting_lookup_string(group, "when", &rules[r].when);
		config_setting_lookup_string(group, "user", &rules[r].user);
		config_setting_lookup_string(group, "key", &rules[r].key);
		users = config_setting_lookup(group, "users");
		if (users != NULL) {
			config_setting_lookup_string(users, "web", &rules[r].web);
			config_setting_lookup_string(users, "mail",
			    &rules[r].mail);
		}
		config_setting_lookup_string(group, "groups", &rules[r].groups);
		if (config_setting_lookup_string(group, "on_miss", &text) ==
		    CONFIG_TRUE)
			rules[r].on_miss = strcmp(text, "next") == 0 ?
			    RULE_MISS_NEXT : RULE_MISS_REFUSE;
		if (config_setting_lookup_string(group, "table", &text) ==
		    CONFIG_TRUE) {
			rules[r].table = (int)num_tables;
			tables[num_tables++] = map_named(text);
		}
		if (config_setting_lookup_string(group, "must_exist", &text) ==
		    CONFIG_TRUE) {
			rules[r].must_exist = (int)num_tables;
			tables[num_tables++] = map_named(text);
		}
		names = config_setting_lookup(group, "authorities");
		for (a = 0; names != NULL && a < config_setting_length(names) &&
		    a < 4; a++)
			authorities[r][rules[r].num_authorities++] =
			    config_setting_get_string_elem(names, a);
		rules[r].authorities = authorities[r];
	}
	asked = ask_as(rules, (size_t)r, authority, cert, tables, num_tables);
	config_destroy(&config);
	while (num_tables > 0)
		table_free(tables[--num_tables]);
	return asked;
}

static void
gives(size_t n, const char *authority, struct cert *cert, const char *user,
    const char *groups)
{
	struct asked	asked = ask_block(n, authority, cert);

	if (asked.answer.reason != CERTAUTH_OK)
		fail_msg("%s", asked.answer.detail);
	assert_string_equal(asked.answer.user, user);
	assert_string_equal(asked.answer.groups, groups);
	asked_free(&asked);
}

static void
refuses(size_t n, const char *authority, struct cert *cert, int reason)
{
	struct asked	asked = ask_block(n, authority, cert);

	assert_int_equal(asked.answer.reason, reason);
	asked_free(&asked);
}

static void
the_examples_do_what_they_say(void **state)
{
	(void)state;
	/* People, by a map. NOW is 2026-06-01. */
	gives(0, "any", CERT(EMAIL("alice.smith@Example.com")), "alice",
	    "staff,admins");
	gives(0, "any", CERT(EMAIL("Bob.Baker@example.com")), "bob", "staff");
	gives(0, "any", CERT(EMAIL("o'brien@example.com")), "obrien", "staff");
	refuses(0, "any", CERT(EMAIL("bob.baker@example.com")), CERTAUTH_NO_USER);
	/* By a template. */
	gives(1, "any", CERT(EMAIL("Alice@example.org")), "alice", "");
	refuses(1, "any", CERT(EMAIL("root@anybody.example")), CERTAUTH_NO_USER);
	refuses(1, "any", CERT(EMAIL("carol@example.org")), CERTAUTH_NO_USER);
	/* Devices. */
	refuses(2, "any", CERT(SUBJECT("CN", "pump-17")), CERTAUTH_NO_USER);
	/* Smart cards, and the public CA. */
	gives(3, "smartcards", CERT(UPN("Bob@CORP.example")), "bob", "");
	gives(3, "personalsign", CERT(EMAIL("alice@example.com")), "alice",
	    "staff,admins");
	refuses(3, "personalsign", CERT(UPN("bob@corp.example")),
	    CERTAUTH_NO_USER);
	refuses(3, "other", CERT(EMAIL("alice@example.com")), CERTAUTH_NO_USER);
	/* Pinned first. */
	gives(4, "any", CERT(EMAIL("alice@example.com")), "alice",
	    "staff,admins");
	/* Groups. */
	gives(5, "any", CERT(EMAIL("a@x"), SUBJECT("O", "Example ag"),
	    SUBJECT("OU", "Sales")), "a@x", "staff,sales");
	refuses(5, "any", CERT(EMAIL("a@x"), SUBJECT("O", "Example ag"),
	    SUBJECT("OU", "Sale")), CERTAUTH_NO_USER);
	/* A pattern. */
	gives(6, "any", CERT(SUBJECT("CN", "CC-12345P678901, LAST FIRST")),
	    "12345p678901", "");
	refuses(6, "any", CERT(SUBJECT("CN", "x CC-1P1, LAST")),
	    CERTAUTH_NO_USER);
	/* Web and mail: no service asks here. */
	refuses(7, "any", CERT(EMAIL("alice@example.com")), CERTAUTH_NO_USER);
}

static void
maps_and_lists_are_taken(void **state)
{
	struct certauth_error	 error = { 0 };
	struct table		*table;
	struct table_entry	 entry;
	struct denied		*denied;
	size_t			 i, num_denied = 0;
	static const char	 key[] =
	    "77:AA:6B:0E:9A:4D:2F:77:88:B3:C6:D5:E4:F3:A2:B1:"
	    "90:81:72:63:54:45:36:27:18:19:A0:B1:C2:D3:E4:F5";

	(void)state;
	table = map_named("devices.map");
	assert_int_equal(table_size(table), 2);
	assert_false(table_lookup(table, key, sizeof(key) - 1, NOW, &entry));
	/* 2026-11-01 */
	assert_true(table_lookup(table, key, sizeof(key) - 1,
	    INT64_C(1793491200), &entry));
	assert_string_equal(entry.user, "pump-17");
	table_free(table);
	for (i = 0; i < num_blocks; i++) {
		if (strcmp(blocks[i].head, "denied") != 0)
			continue;
		denied = denied_parse((const unsigned char *)blocks[i].text,
		    strlen(blocks[i].text), "denied", &error);
		if (denied == NULL)
			fail_msg("line %u: %s", error.line, error.text);
		denied_free(denied);
		num_denied++;
	}
	assert_int_equal(num_denied, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_examples_do_what_they_say),
		cmocka_unit_test(maps_and_lists_are_taken),
	};

	return cmocka_run_group_tests(tests, read_page, free_page);
}
