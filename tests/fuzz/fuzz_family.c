/*
 * fuzz_family.c - is every manifest of CAs either refused with one line, or whole?
 */

#include "identity.h"
#include "certauth_family.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct certauth_error	 error = { .line = 0 };
	struct certauth_family	*f;
	size_t			 i;

	f = certauth_family_parse("m", data, size, &error);
	if (f == NULL) {
		must_be_one_line(error.text);
		MUST(error.text[0] != '\0');
		return 0;
	}
	MUST(f->name != NULL && f->num_cas > 0 && f->num_cas <= FAMILY_MAX_CAS);
	for (i = 0; i < f->num_groups; i++)
		MUST(strchr(f->groups[i].name, '/') == NULL &&
		    f->groups[i].name[0] != '.');
	for (i = 0; i < f->num_cas; i++) {
		MUST(certauth_family_find(f, f->cas[i].sha256) == &f->cas[i]);
		MUST(f->num_groups >= 32 ||
		    f->cas[i].groups >> f->num_groups == 0);
		MUST(f->cas[i].num_urls <= FAMILY_MAX_URLS);
	}
	certauth_family_free(f);
	return 0;
}
