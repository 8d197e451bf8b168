/*
 * fuzz_exchange.c - is every list of another program either refused with its line, or
 * made into a map that certauth itself takes?
 *
 * The first byte says whose list it is.
 */

#include "identity.h"
#include "exchange.h"
#include "identity/table.h"

static bool
(*const readers[])(struct exchange *, char *) = {
	exchange_read_grid, exchange_read_pg, exchange_read_ad, exchange_read_sssd
};
#define NUM_READERS	(sizeof(readers) / sizeof(readers[0]))

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
	if (!readers[which](&x, copy)) {
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
	}
	free(copy);
	text_free(&out);
	return 0;
}
