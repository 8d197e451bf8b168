/* list.h - private to verdict/: a list in one text as a list in JSON. */
#ifndef CERTAUTH_VERDICT_LIST_H
#define CERTAUTH_VERDICT_LIST_H

#include <jansson.h>

/* explain.c. "a,b" gives ["a","b"], "" none. NULL: out of memory. */
json_t *json_list(const char *comma_list);

#endif
