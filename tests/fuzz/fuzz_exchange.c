/*
 * fuzz_exchange.c - is every list of another program either refused with its line, or
 * made into a map that certauth itself takes? And do rules that go out to SSSD come
 * back as they went?
 *
 * The first byte says whose list it is; over 127 it is rules: four lines each of name
 * (with > it goes on to the next), when, key, table.
 */

#include <libconfig.h>

#include "identity.h"
#include "exchange.h"
#include "identity/table.h"

#define FUZZ_MAX_RULES	32

static bool
(*const readers[])(struct exchange *, char *) = {
	exchange_read_grid, exchange_read_pg, exchange_read_ad, exchange_read_sssd
};
#define NUM_READERS	(sizeof(readers) / sizeof(readers[0]))

/* NULL: refused, in one line. */
static char *
go_out(const struct config_rule *rules, size_t num, struct certauth_error *error)
{
	struct text	out = { 0 };
	struct exchange	x = { .file = "rules", .map = "example", .out = &out,
			    .error_r = error };

	if (exchange_write_sssd(&x, rules, num) && !out.failed)
		return text_take(&out);
	must_be_one_line(error->text);
	MUST(error->text[0] != '\0');
	text_free(&out);
	return NULL;
}

/* The rules of `text`, which import gave, go out again: as `before`, or (NULL)
 * somehow. A name may be refused: import makes some of its own. */
static void
out_again(const char *text, const char *before)
{
	struct certauth_error	error = { .line = 0 };
	struct config_rule	rules[FUZZ_MAX_RULES];
	const config_setting_t	*list, *at;
	config_t		tree;
	const char		*word;
	char			*after;
	size_t			num, i;

	config_init(&tree);
	MUST(config_read_string(&tree, text) == CONFIG_TRUE);
	list = config_lookup(&tree, "identity");
	MUST(list != NULL);
	num = (size_t)config_setting_length(list);
	memset(rules, 0, sizeof(rules));
	for (i = 0; i < num && i < FUZZ_MAX_RULES; i++) {
		at = config_setting_get_elem(list, (unsigned)i);
		MUST(config_setting_lookup_string(at, "name", &rules[i].name));
		MUST(config_setting_lookup_string(at, "key", &rules[i].key));
		MUST(config_setting_lookup_string(at, "table", &rules[i].table));
		(void)config_setting_lookup_string(at, "when", &rules[i].when);
		rules[i].next = config_setting_lookup_string(at, "on_miss", &word);
	}
	if (num <= FUZZ_MAX_RULES) {
		after = go_out(rules, num, &error);
		if (before != NULL)
			MUST(after != NULL ? strcmp(before, after) == 0 :
			    strstr(error.text, "name") != NULL);
		free(after);
	}
	config_destroy(&tree);
}

static void
fuzz_rules(char *data)
{
	struct certauth_error	 error = { .line = 0 };
	struct config_rule	 rules[FUZZ_MAX_RULES];
	struct text		 back = { 0 };
	struct exchange		 x = { .file = "sections", .out = &back,
				    .error_r = &error };
	char			*out, *copy;
	size_t			 num;

	memset(rules, 0, sizeof(rules));
	for (num = 0; num < FUZZ_MAX_RULES && data != NULL; num++) {
		rules[num].name = strsep(&data, "\n");
		rules[num].when = strsep(&data, "\n");
		rules[num].key = strsep(&data, "\n");
		rules[num].table = strsep(&data, "\n");
		rules[num].next = rules[num].name[0] == '>';
		rules[num].name += rules[num].next;
		if (rules[num].when != NULL && rules[num].when[0] == '\0')
			rules[num].when = NULL;
		/* config/values.c lets none through */
		if (rules[num].when != NULL &&
		    text_has_control(rules[num].when, strlen(rules[num].when)))
			return;
	}
	out = go_out(rules, num, &error);
	if (out == NULL)
		return;
	copy = strdup(out);
	MUST(copy != NULL);
	MUST(exchange_read_sssd(&x, copy) && !back.failed);
	out_again(back.data, out);
	free(copy);
	free(out);
	text_free(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct certauth_error	 error = { .line = 0 }, table_error = { .line = 0 };
	struct text		 out = { 0 };
	struct exchange		 x = { .file = "list", .out = &out,
				    .error_r = &error };
	struct table		*table;
	size_t			 which;
	char			*copy;

	/* as certauth_map_import() looks before it reads */
	if (size == 0 || memchr(data + 1, '\0', size - 1) != NULL ||
	    !text_utf8_valid(data + 1, size - 1))
		return 0;
	which = data[0] % NUM_READERS;
	copy = malloc(size);
	MUST(copy != NULL);
	memcpy(copy, data + 1, size - 1);
	copy[size - 1] = '\0';
	if (data[0] > 127) {
		fuzz_rules(copy);
	} else if (!readers[which](&x, copy)) {
		must_be_one_line(error.text);
		MUST(error.text[0] != '\0');
	} else if (which + 1 < NUM_READERS && !out.failed) {
		/* One line for each line: what is wrong with the whole, as a key
		 * for two users, is for the command to say. */
		table = table_parse((const unsigned char *)
		    (out.data != NULL ? out.data : ""), out.len, "m", &table_error);
		if (table == NULL)
			must_be_one_line(table_error.text);
		table_free(table);
	} else if (which + 1 == NUM_READERS && !out.failed)
		out_again(out.data, NULL);
	free(copy);
	text_free(&out);
	return 0;
}
