/*
 * test_address.c - which addresses may a stranger's URL lead to?
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "address.h"

static bool
is_public(const char *text)
{
	struct sockaddr_in6	in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in	in = { .sin_family = AF_INET };

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		return address_public((struct sockaddr *)&in);
	if (inet_pton(AF_INET6, text, &in6.sin6_addr) != 1)
		fail_msg("%s is no address", text);
	return address_public((struct sockaddr *)&in6);
}

static void
test_private(void **state)
{
	static const char *const	addresses[] = {
		"0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255",
		"100.64.0.0", "100.127.255.255", "127.0.0.1", "127.255.255.255",
		"169.254.169.254", "172.16.0.0", "172.31.255.255", "192.0.0.1",
		"192.0.2.1", "192.88.99.1", "192.168.0.0", "192.168.255.255",
		"198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.7",
		"224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.1.2.3",
		"::ffff:169.254.169.254", "64:ff9b::10.0.0.1",
		"64:ff9b:1::8.8.8.8", "100::1", "2001::1", "2001:10::1",
		"2001:db8::1", "2002:7f00:1::", "2002:c0a8:101::1", "3fff::1",
		"fc00::1", "fdff::1", "fe80::1", "febf::1", "fec0::1", "ff02::1",
		"5f00::1", "4000::1", "e000::1"
	};
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		if (is_public(addresses[i]))
			fail_msg("%s would be reached", addresses[i]);
}

static void
test_public(void **state)
{
	static const char *const	addresses[] = {
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0",
		"100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1",
		"169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0",
		"192.0.1.1", "192.167.255.255", "192.169.0.0", "198.17.255.255",
		"198.20.0.0", "223.255.255.255", "::ffff:8.8.8.8",
		"64:ff9b::8.8.8.8", "2001:200::1", "2001:4860:4860::8888",
		"2002:808:808::1", "2606:4700::1111", "2a00:1450::1"
	};
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		if (!is_public(addresses[i]))
			fail_msg("%s would not be reached", addresses[i]);
}

static void
test_other_families(void **state)
{
	struct sockaddr_un	un = { .sun_family = AF_UNIX };

	(void)state;
	assert_false(address_public((struct sockaddr *)&un));
}

static void
test_hosts(void **state)
{
	static const char *const	bad[] = {
		"localhost", "LocalHost", "localhost.", "x.localhost",
		"127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1",
		"10.0.0.1", "[::1]", "[fe80::1%eth0]", "::1", "[::ffff:10.0.0.1]",
		"[fd00::1]", "0", "169.254.169.254", "[garbage:]"
	};
	static const char *const	good[] = {
		"crl.example.com", "8.8.8.8", "[2001:4860:4860::8888]",
		"localhost.example.com", "10.example.com", "mylocalhost"
	};
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (address_host_public(bad[i]))
			fail_msg("%s would be reached", bad[i]);
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!address_host_public(good[i]))
			fail_msg("%s would not be reached", good[i]);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_private), cmocka_unit_test(test_public),
		cmocka_unit_test(test_other_families),
		cmocka_unit_test(test_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
