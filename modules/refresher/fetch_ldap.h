/* fetch_ldap.h - the list in what libcurl writes for an LDAP entry. */
#ifndef REFRESHER_FETCH_LDAP_H
#define REFRESHER_FETCH_LDAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * DER of the one value of a list's attribute (RFC 4523 2.3 to 2.5), malloc'ed.
 * NULL: *why_r is a static text.
 */
unsigned char *ldap_value(const unsigned char *text, size_t text_len,
	    size_t *len_r, const char **why_r);

/* The sockets of one transfer: second descriptors of our own, for libcurl does not
 * say which one it uses. */
#define LDAP_MAX_SOCKETS	8
struct ldap_sockets { int fds[LDAP_MAX_SOCKETS]; size_t num; };
/* False: too many, none left. */
bool	ldap_watch(struct ldap_sockets *, int fd);
void	ldap_unwatch(struct ldap_sockets *);
/* Bytes that they have received. */
uint64_t ldap_received(const struct ldap_sockets *);

#endif
