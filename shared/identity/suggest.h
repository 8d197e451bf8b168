/* suggest.h - "did you mean ...?" */
#ifndef CERTAUTH_IDENTITY_SUGGEST_H
#define CERTAUTH_IDENTITY_SUGGEST_H

#include <stddef.h>

#include "certauth.h"

/* Adds "; did you mean ...?" to the message when one of the options (the last
 * NULL) is near the word. error_r NULL allowed. */
void	error_suggest(struct certauth_error *error_r, const char *word,
	    size_t word_len, const char *const *options);

#endif
