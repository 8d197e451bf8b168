/*
 * fuzz_csv.c - is every record of CAs either refused with one line, or cut into rows?
 */

#include "identity.h"
#include "family.h"
#include "trust/name_alike.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct certauth_error	 error = { .line = 0 };
	struct csv_columns	 columns;
	struct csv		 csv;
	enum csv_result		 got;
	char			*fields[CSV_MAX_FIELDS], *pem;
	size_t			 i, num, bytes = 0;

	(void)csv_is(data, size);
	if (!csv_open(&csv, "r", data, size, &error)) {
		must_be_one_line(error.text);
		return 0;
	}
	while ((got = csv_next(&csv, fields, &num, &error)) == CSV_ROW) {
		MUST(num > 0 && num <= CSV_MAX_FIELDS);
		for (i = 0; i < num; i++) {
			bytes += strlen(fields[i]) + 1;
			pem = csv_pem(fields[i]);
			MUST(pem == NULL || strncmp(pem, "-----BEGIN", 10) == 0);
			free(pem);
			MUST(name_alike(fields[i], fields[i]));
		}
		if (csv_columns(fields, num, &columns))
			MUST(columns.sha256 < (int)num && columns.pem < (int)num);
	}
	/* what was cut out is never more than what was there */
	MUST(bytes <= size + 1);
	if (got == CSV_BAD) {
		must_be_one_line(error.text);
		MUST(error.text[0] != '\0');
	}
	csv_close(&csv);
	return 0;
}
