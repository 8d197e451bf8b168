/*
 * fetch_body.c - where do the bytes of an answer go?
 *
 * Under which ceiling is fetch.c's.
 */

#include <stdlib.h>
#include <string.h>

#include "fetch.h"
#include "fetch_body.h"

#define SLOW_SECONDS	30L

bool
body_append(unsigned char **memory, size_t *capacity, size_t used,
    const char *data, size_t len)
{
	unsigned char	*grown;
	size_t		 more = *capacity;

	while (more - used < len)
		more = more == 0 ? 4096 : more * 2;
	if (more != *capacity) {
		grown = realloc(*memory, more);
		if (grown == NULL)
			return false;
		*memory = grown;
		*capacity = more;
	}
	if (len > 0)
		memcpy(*memory + used, data, len);
	return true;
}

void
body_validator(char *buf, const char *data, size_t len)
{
	size_t	i;

	while (len > 0 && (*data == ' ' || *data == '\t')) {
		data++;
		len--;
	}
	while (len > 0 && (unsigned char)data[len - 1] <= ' ')
		len--;
	buf[0] = '\0';
	if (len >= FETCH_MAX_VALIDATOR)
		return;
	for (i = 0; i < len; i++)
		if (data[i] < ' ' || data[i] > '~')
			return;
	memcpy(buf, data, len);
	buf[len] = '\0';
}

long
body_slow_seconds(void)
{
#ifdef CERTAUTH_TEST
	/* A test cannot wait for half a minute. */
	if (getenv("CERTAUTH_TEST_SLOW_SECONDS") != NULL)
		return strtol(getenv("CERTAUTH_TEST_SLOW_SECONDS"), NULL, 10);
#endif
	return SLOW_SECONDS;
}
