/* get.h - certauth-refresher --fetch: small files, once, for `certauth pool`. */
#ifndef REFRESHER_GET_H
#define REFRESHER_GET_H

#include <stddef.h>

#define GET_MAX_URLS	512

/* For each URL that answers "LENGTH URL" and the bytes on standard output, a line
 * of the log for each other. Exit status. */
int	get_urls(char *const *urls, size_t num_urls);

#endif
