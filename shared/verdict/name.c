/*
 * name.c - how is a distinguished name shown?
 *
 * For people and logs only: a printed name is never parsed and never compared.
 */

#include <openssl/bio.h>
#include <openssl/err.h>

#include "base/text.h"
#include "verdict/name.h"

/* Printable UTF-8 but for the backslashes and quotes that RFC 4514 needs? */
static bool
name_is_plain(const char *data, size_t len)
{
	struct text	bare = { 0 }, shown = { 0 };
	size_t		i;
	bool		plain;

	for (i = 0; i < len; i++)
		if (data[i] != '\\' && data[i] != '"')
			text_add_n(&bare, &data[i], 1);
	text_add_printable(&shown, bare.data != NULL ? bare.data : "", bare.len,
	    bare.len);
	plain = !bare.failed && !shown.failed && bare.len == shown.len;
	text_free(&bare);
	text_free(&shown);
	return plain;
}

/* As UTF-8 where that is safe to look at, else with every byte over 7f as \XX. */
char *
name_print(const X509_NAME *name)
{
	unsigned long	 flags[2] = { XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB,
			    XN_FLAG_RFC2253 };
	struct text	 out = { 0 };
	BIO		*bio;
	char		*data;
	long		 len;
	size_t		 i;

	ERR_set_mark();
	for (i = 0; i < 2; i++) {
		bio = BIO_new(BIO_s_mem());
		if (bio == NULL)
			break;
		if (X509_NAME_print_ex(bio, name, 0, flags[i]) >= 0 &&
		    (len = BIO_get_mem_data(bio, &data)) >= 0 &&
		    (i == 1 || name_is_plain(data, (size_t)len))) {
			text_add_n(&out, data, (size_t)len);
			BIO_free(bio);
			break;
		}
		BIO_free(bio);
	}
	ERR_pop_to_mark();
	if (i == 2)
		text_add(&out, "(unreadable name)");
	if (out.len == 0)
		text_add(&out, "");
	return text_take(&out);
}
