/* class.h - kinds of certificates that have a name: sets of policy OIDs. */
#ifndef CERTAUTH_IDENTITY_CLASS_H
#define CERTAUTH_IDENTITY_CLASS_H

#include <stddef.h>

/* The class that a policy OID stands for, dotted; NULL: none. */
const char *class_of_policy(const char *oid);
/* The i-th OID of a class, NULL past the end; and the i-th class. */
const char *class_policy(const char *class, size_t i);
const char *class_name(size_t i);

#endif
