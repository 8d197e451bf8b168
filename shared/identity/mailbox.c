/*
 * mailbox.c - how is this mailbox, or its domain, spelled so that it can be
 * compared byte by byte?
 *
 * Folds what RFC 5321 and IDNA 2008 say is the same, and nothing else: the local
 * part is its owner's, and is left alone.
 */

#include <stdlib.h>
#include <string.h>

#include <idn2.h>
#include <uninorm.h>

#include "base/text.h"
#include "identity/mailbox.h"

/* RFC 1035 2.3.4, and what a U-label may take in UTF-8 for 63 letters. */
#define DOMAIN_MAX_BYTES	1024u

size_t
mailbox_at(const char *data, size_t data_len)
{
	const char	*at = memchr(data, '@', data_len);
	size_t		 n;

	if (at == NULL)
		return 0;
	n = (size_t)(at - data);
	if (n == 0 || n + 1 == data_len ||
	    memchr(at + 1, '@', data_len - n - 1) != NULL)
		return 0;
	return n;
}

void
mailbox_fold(char *data, size_t data_len)
{
	size_t	at = mailbox_at(data, data_len);

	if (at != 0)
		text_lower_ascii(data + at + 1, data_len - at - 1);
}

static bool
is_ascii(const char *data, size_t data_len)
{
	size_t	i;

	for (i = 0; i < data_len; i++)
		if (((unsigned char)data[i] & 0x80) != 0)
			return false;
	return true;
}

enum mailbox_result
domain_convert(const char *data, size_t data_len, bool unicode, char *out,
    size_t out_size, size_t *out_len_r)
{
	char			 domain[DOMAIN_MAX_BYTES + 1];
	char			*made = NULL;
	enum mailbox_result	 result = MAILBOX_BAD;
	int			 code;

	*out_len_r = 0;
	if (data_len == 0 || data_len > DOMAIN_MAX_BYTES ||
	    memchr(data, '\0', data_len) != NULL)
		return MAILBOX_BAD;
	memcpy(domain, data, data_len);
	domain[data_len] = '\0';
	/* an empty label; libidn2 passes some */
	if (domain[0] == '.' || domain[data_len - 1] == '.' ||
	    strstr(domain, "..") != NULL)
		return MAILBOX_BAD;
	if (!unicode && is_ascii(domain, data_len)) {
		/* LDH and A-labels: nothing to convert. */
		text_lower_ascii(domain, data_len);
		if (data_len > out_size)
			return MAILBOX_BAD;
		memcpy(out, domain, data_len);
		*out_len_r = data_len;
		return MAILBOX_GOOD;
	}
	code = unicode ? idn2_to_unicode_8z8z(domain, &made, 0) :
	    idn2_to_ascii_8z(domain, &made, IDN2_NFC_INPUT |
	    IDN2_NONTRANSITIONAL);
	if (code == IDN2_MALLOC)
		result = MAILBOX_NO_MEMORY;
	if (code == IDN2_OK && made != NULL && made[0] != '\0' &&
	    strlen(made) <= out_size) {
		*out_len_r = strlen(made);
		memcpy(out, made, *out_len_r);
		text_lower_ascii(out, *out_len_r);
		result = MAILBOX_GOOD;
	}
	idn2_free(made);
	return result;
}

/* Unicode 15.0, UAX 15: canonically composed already? */
static bool
is_composed(const char *data, size_t data_len, bool *no_memory_r)
{
	uint8_t	*made;
	size_t	 made_len = 0;
	bool	 same;

	made = u8_normalize(UNINORM_NFC, (const uint8_t *)data, data_len, NULL,
	    &made_len);
	*no_memory_r = made == NULL;
	same = made != NULL && made_len == data_len &&
	    memcmp(made, data, data_len) == 0;
	free(made);
	return same;
}

const char *
mailbox_smtp_utf8(const char *data, size_t data_len, char *out, size_t out_size,
    size_t *out_len_r)
{
	size_t	at = mailbox_at(data, data_len), n;
	bool	no_memory;

	*out_len_r = 0;
	if (at == 0)
		return "a SmtpUTF8Mailbox that is no mailbox";
	/* RFC 9598 3: never for what an rfc822Name can say, on which other name
	 * constraints would bind. */
	if (is_ascii(data, at))
		return "a SmtpUTF8Mailbox whose local part is ASCII";
	if (!is_composed(data, at, &no_memory))
		return no_memory ? "" :
		    "a SmtpUTF8Mailbox that is not in Unicode's form NFC";
	if (at + 1 >= out_size)
		return "a value over 255 bytes";
	memcpy(out, data, at + 1);
	switch (domain_convert(data + at + 1, data_len - at - 1, false,
	    out + at + 1, out_size - at - 1, &n)) {
	case MAILBOX_GOOD:
		*out_len_r = at + 1 + n;
		return NULL;
	case MAILBOX_NO_MEMORY:
		return "";
	case MAILBOX_BAD:
		break;
	}
	return "a SmtpUTF8Mailbox whose domain is no name of IDNA";
}
