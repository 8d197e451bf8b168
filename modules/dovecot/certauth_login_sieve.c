/*
 * certauth_login_sieve.c - which name does a sieve client ask for in its response
 * to an empty challenge?
 *
 * Looks, takes nothing away, decides nothing. With the command the name comes
 * another way: certauth_login_sasl.c.
 */

#include "login-common.h"
#include "istream.h"
#include "certauth_login_plugin.h"

#include <ctype.h>

/* Sieve reads the response to an empty challenge by itself and passes it on, where
   Dovecot takes the mapped user or nothing. Look at what lies in the buffer; if
   that was refused and is a name that may be dropped, the attempt is made anew
   (certauth_explain_failure). Nothing is decided by it that the client could not
   have by asking for nobody, so a wrong reading does no harm.

   FALSE: the response is not whole yet. Then Dovecot may not read either, as it
   could find the rest that came in between, which nobody has looked at. */
bool certauth_sieve_peek(struct client *client)
{
	struct certauth_client *cclient = CERTAUTH_CLIENT(client);
	const unsigned char *data;
	size_t size, i, start;
	ssize_t ret;
	bool more;

	/* seen before: only the end of its line was missing */
	if (cclient->sieve_response != NULL)
		return TRUE;
	while ((ret = i_stream_read(client->input)) > 0) ;
	more = ret == 0;
	data = i_stream_get_data(client->input, &size);
	/* "base64" or {n+} CRLF base64, perhaps after the end of the command */
	for (i = 0; i < size && (data[i] == '\r' || data[i] == '\n'); i++) ;
	if (i == size)
		return !more;
	if (data[i] == '{') {
		while (i < size && data[i] != '\n')
			i++;
	} else if (data[i] != '"')
		return TRUE;
	start = ++i;
	while (i < size && (i_isalnum(data[i]) || data[i] == '+' ||
			    data[i] == '/' || data[i] == '='))
		i++;
	if (i >= size)
		return !more;
	if (i == start)
		return TRUE;
	cclient->sieve_response = i_strndup(data + start, i - start);
	return TRUE;
}
