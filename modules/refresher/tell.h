/* tell.h - says something to the refresher that runs already. */
#ifndef REFRESHER_TELL_H
#define REFRESHER_TELL_H

#include <stdbool.h>

/* --now: ask that authority's addresses at once. False: said on the log. */
bool	tell_now(const char *path, const char *authority);

#endif
