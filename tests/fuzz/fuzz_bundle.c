/*
 * fuzz_bundle.c - is every bundle either refused with a word, or written again byte by
 * byte, with each of its files where it was?
 *
 * The bytes behind the SHA-256 of a generation, so nobody but its writer makes them up;
 * a reader must bear them all the same.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bundle.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
look(const struct bundle *bundle, size_t i)
{
	struct file_owners	 owners;
	struct file_bytes	 bytes;
	struct file_list	 list;
	struct file_ref		 ref;
	size_t			 k;

	file_owners_init(&owners);
	if (!bundle_ref(&ref, bundle, bundle->root, bundle->files[i].path, NULL))
		abort();
	if (bundle_find(bundle, ref.path) == NULL) {
		/* ends in "/", or is above the root: nobody asks for such a name */
		file_ref_close(&ref);
		return;
	}
	if (file_is_folder(&ref)) {
		if (file_list_read(&ref, &owners, 1000, &list, NULL)) {
			for (k = 0; k < list.num_refs; k++)
				assert(!file_is_folder(&list.refs[k]));
			file_list_free(&list);
		}
	} else if (file_read(&ref, &owners, BUNDLE_MAX_BYTES, &bytes, NULL)) {
		assert(bytes.data[bytes.data_len] == '\0');
		file_bytes_free(&bytes);
	}
	file_ref_close(&ref);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct certauth_error	 error = { .line = 0 };
	struct bundle		 bundle;
	struct text		 text = { 0 };
	size_t			 i;

	if (!bundle_parse(&bundle, data, size, "b", &error)) {
		assert(error.text[0] != '\0');
		return 0;
	}
	bundle_print(&bundle, &text);
	assert(!text.failed && text.len == size &&
	    memcmp(text.data, data, size) == 0);
	text_free(&text);
	bundle.root = strdup("/etc/x");
	bundle.made_at = strdup("/was");
	for (i = 0; i < bundle.num_files && i < 200; i++)
		look(&bundle, i);
	bundle_free(&bundle);
	return 0;
}
