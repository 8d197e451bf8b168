/* address.h - may a stranger's URL lead there? */
#ifndef REFRESHER_ADDRESS_H
#define REFRESHER_ADDRESS_H

#include <stdbool.h>

#include <sys/socket.h>

/* A public unicast address of IPv4 or IPv6, as everybody can reach it. False for
 * all others: private, loopback, link-local, shared, documentation, multicast,
 * reserved, and IPv6 addresses that carry such an IPv4 address. */
bool	address_public(const struct sockaddr *);
/* The same of a URL's host when it is written as a number (in any of the ways
 * that inet_aton() takes), or is "localhost". Other names: true. */
bool	address_host_public(const char *host);

#endif
