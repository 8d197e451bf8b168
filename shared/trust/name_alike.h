/* name_alike.h - are these names of one series? */
#ifndef CERTAUTH_TRUST_NAME_ALIKE_H
#define CERTAUTH_TRUST_NAME_ALIKE_H

#include <stdbool.h>

/* The same text but for its numbers: "CA 2025" and "CA 2027". */
bool	name_alike(const char *, const char *);

#endif
