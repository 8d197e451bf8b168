/* fetch_body.h - private to fetch.c: where the bytes of an answer go. */
#ifndef REFRESHER_FETCH_BODY_H
#define REFRESHER_FETCH_BODY_H

#include <stdbool.h>
#include <stddef.h>

/* Behind the first `used` bytes of *memory, which grows; the caller frees it. */
bool	body_append(unsigned char **memory, size_t *capacity, size_t used,
	    const char *data, size_t len);
/* A validator is sent back as it came, so it must fit a header line: into `buf`
 * of FETCH_MAX_VALIDATOR, "" where it does not. */
void	body_validator(char *buf, const char *data, size_t len);

/* A body that is too slow for so long has ended. */
long	body_slow_seconds(void);

#endif
