/*
 * fuzz_rules.c - do rules, with any text in them, and any certificate, ever lead
 * to a name that is none?
 *
 * Input: `when`, user or key, and groups, each ended by 0xff; then the names.
 */

#include "identity.h"

static void
check_line(void *context, const char *line)
{
	++*(size_t *)context;
	must_be_one_line(line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char	 map[] = "a u\nb@x u g,h\nc \"v w\" g\nd@x "
				    "w not-after=2020-01-01\n";
	struct rule_options	 options[2];
	struct certauth_error	 error = { 0 };
	struct rules_answer	 answer;
	struct rules		*rules;
	struct table		*table;
	struct arena		*arena;
	struct hostile		 h;
	char			*when, *name, *groups;
	struct rules_fold	 fold;
	unsigned		 flags;
	size_t			 told = 0, i;

	if (size == 0)
		return 0;
	flags = data[0];
	data++;
	size--;
	when = next_string(&data, &size);
	name = next_string(&data, &size);
	groups = next_string(&data, &size);
	memset(options, 0, sizeof(options));
	options[0].name = "one";
	options[0].file = "f";
	options[0].table = options[0].must_exist = -1;
	options[0].when = when[0] != '\0' ? when : NULL;
	options[0].groups = groups[0] != '\0' ? groups : NULL;
	options[0].on_miss = (flags & 1) != 0 ? RULE_MISS_NEXT : RULE_MISS_REFUSE;
	if ((flags & 2) != 0) {
		options[0].key = name;
		options[0].table = 0;
	} else
		options[0].user = name;
	if ((flags & 4) != 0)
		options[0].must_exist = 0;
	/* `users` that dresses what was found, with what else is at hand */
	if ((flags & 16) != 0) {
		options[0].web = "w-{user}";
		options[0].mail = options[0].groups;
	}
	options[1] = options[0];
	options[1].name = "two";
	options[1].when = NULL;
	rules = rules_compile(options, 2, &error);
	if (rules == NULL) {
		must_be_one_line(error.text);
		MUST(error.text[0] != '\0');
		goto out;
	}
	table = table_parse((const unsigned char *)map, sizeof(map) - 1, "m", NULL);
	arena = arena_new(4 * 1024 * 1024);
	hostile_fill(&h, data, size);
	rules_ask(rules, &(struct rules_query){ .cert = &h.cert,
	    .authority = "ca", .pinned = (flags & 32) != 0,
	    .service = (flags & 64) != 0 ? "http" : "imap",
	    .min_strength = (flags & 128) != 0 ? STRENGTH_MEDIUM :
	    STRENGTH_WEAK, .tables = &table, .num_tables = 1,
	    .now = 1780272000, .tell = (flags & 8) != 0 ? check_line : NULL,
	    .context = &told }, arena, &answer);
	for (i = 0; rules_fold_at(rules, i, &fold); i++)
		MUST(fold.rule != NULL);
	MUST(i == 2);
	MUST(rules_too_weak(rules, STRENGTH_WEAK) == NULL);
	rules_free(rules);
	must_be_one_line(answer.detail);
	must_be_one_line(answer.rule);
	must_be_one_line(answer.groups);
	if (answer.reason == CERTAUTH_OK)
		must_be_user(answer.user);
	else
		MUST(answer.user[0] == '\0' && answer.groups[0] == '\0' &&
		    answer.strength[0] == '\0');
	MUST(answer.reason != CERTAUTH_INTERNAL);
	MUST((flags & 8) == 0 || told > 0);
	MUST(ERR_peek_error() == 0);
	hostile_clear(&h);
	arena_free(arena);
	table_free(table);
out:
	free(when);
	free(name);
	free(groups);
	return 0;
}
