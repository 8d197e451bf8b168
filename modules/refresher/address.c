/*
 * address.c - may a stranger's URL lead there?
 *
 * The answer is about the address that a connection really goes to, after DNS
 * and redirects: a name proves nothing.
 */

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "address.h"

/* IANA's registries of special addresses (RFC 6890), IPv4. */
static const struct { uint32_t net; unsigned bits; } special4[] = {
	{ 0x00000000, 8 },	/* this network */
	{ 0x0a000000, 8 },	/* private, RFC 1918 */
	{ 0x64400000, 10 },	/* shared, RFC 6598 */
	{ 0x7f000000, 8 },	/* loopback */
	{ 0xa9fe0000, 16 },	/* link-local; cloud metadata lives here */
	{ 0xac100000, 12 },	/* private */
	{ 0xc0000000, 24 },	/* protocol assignments */
	{ 0xc0000200, 24 },	/* documentation */
	{ 0xc0586300, 24 },	/* 6to4 relays, ended by RFC 7526 */
	{ 0xc0a80000, 16 },	/* private */
	{ 0xc6120000, 15 },	/* benchmarks */
	{ 0xc6336400, 24 },	/* documentation */
	{ 0xcb007100, 24 },	/* documentation */
	{ 0xe0000000, 3 }	/* multicast, reserved, broadcast */
};

static bool
public4(uint32_t address)
{
	uint32_t	mask;
	size_t		i;

	for (i = 0; i < sizeof(special4) / sizeof(special4[0]); i++) {
		mask = UINT32_MAX << (32 - special4[i].bits);
		if ((address & mask) == special4[i].net)
			return false;
	}
	return true;
}

static uint32_t
four(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

static bool
public6(const unsigned char a[16])
{
	static const unsigned char	nat64[12] = { 0, 0x64, 0xff, 0x9b };
	static const unsigned char	mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0,
					    0, 0, 0xff, 0xff };

	/* An IPv4 address in IPv6's clothes is what it is inside. */
	if (memcmp(a, mapped, 12) == 0 || memcmp(a, nat64, 12) == 0)
		return public4(four(a + 12));
	if (a[0] == 0x20 && a[1] == 0x02)	/* 6to4 */
		return public4(four(a + 2));
	/* Global unicast is 2000::/3; all else is local, multicast, reserved. */
	if ((a[0] & 0xe0) != 0x20)
		return false;
	if (a[0] == 0x20 && a[1] == 0x01 &&
	    (a[2] < 0x02 ||			/* 2001::/23: Teredo, ORCHID */
	    (a[2] == 0x0d && a[3] == 0xb8)))	/* documentation */
		return false;
	return !(a[0] == 0x3f && a[1] == 0xff && a[2] < 0x10);	/* 3fff::/20 */
}

bool
address_public(const struct sockaddr *address)
{
	const struct sockaddr_in6	*in6;
	const struct sockaddr_in	*in;

	switch (address->sa_family) {
	case AF_INET:
		in = (const struct sockaddr_in *)(const void *)address;
		return public4(ntohl(in->sin_addr.s_addr));
	case AF_INET6:
		in6 = (const struct sockaddr_in6 *)(const void *)address;
		return public6(in6->sin6_addr.s6_addr);
	default:
		return false;
	}
}

bool
address_host_public(const char *host)
{
	struct in_addr	in;
	struct in6_addr	in6;
	char		bare[INET6_ADDRSTRLEN + 1];
	size_t		len = strlen(host);

	if (strcasecmp(host, "localhost") == 0 ||
	    strcasecmp(host, "localhost.") == 0 ||
	    (len > 10 && strcasecmp(host + len - 10, ".localhost") == 0))
		return false;
	if (inet_aton(host, &in) != 0)
		return public4(ntohl(in.s_addr));
	if (strchr(host, ':') == NULL)
		return true;
	if (host[0] == '[')
		host++;
	/* A zone ("%eth0") is for link-local addresses only. */
	len = strcspn(host, "]");
	if (len >= sizeof(bare))
		return false;
	memcpy(bare, host, len);
	bare[len] = '\0';
	return inet_pton(AF_INET6, bare, &in6) == 1 && public6(in6.s6_addr);
}
