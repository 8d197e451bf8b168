/* mailbox.h - mailboxes and their domains: spelled alike or not at all. */
#ifndef CERTAUTH_IDENTITY_MAILBOX_H
#define CERTAUTH_IDENTITY_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes before the only `@`; 0: not something, one `@`, something. */
size_t	mailbox_at(const char *data, size_t data_len);

/*
 * Folds the domain of a mailbox in place: exactly one `@`, something on both
 * sides. Anything else stays as it is.
 */
void	mailbox_fold(char *data, size_t data_len);

enum mailbox_result { MAILBOX_BAD, MAILBOX_NO_MEMORY, MAILBOX_GOOD };

/*
 * The domain, or what stands behind the `@`, as A-labels in lower case (or, with
 * `unicode`, as U-labels). `out` of `out_size` bytes is not terminated. BAD: no
 * name of IDNA 2008, or too long.
 */
enum mailbox_result domain_convert(const char *data, size_t data_len,
	    bool unicode, char *out, size_t out_size, size_t *out_len_r);

/*
 * SmtpUTF8Mailbox, RFC 9598 3: valid UTF-8 without a control character. NULL: the
 * local part is in NFC and not ASCII alone, the domain can be spelled in A-labels
 * (as in `out`). Else why it must not be used, a constant; "" when out of memory.
 */
const char *mailbox_smtp_utf8(const char *data, size_t data_len, char *out,
	    size_t out_size, size_t *out_len_r);

#endif
