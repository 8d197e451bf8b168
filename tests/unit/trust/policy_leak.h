#ifndef TESTS_TRUST_POLICY_LEAK_H
#define TESTS_TRUST_POLICY_LEAK_H

/*
 * policy_leak.h - a leak of OpenSSL's is none of the program that includes this.
 *
 * policy_cache_new() (3.0 to 3.5) loses the policyConstraints of a certificate without
 * certificatePolicies, once for each X509 object that is asked. What is allocated in
 * X509_policy_check() counts as no leak. LeakSanitizer's own suppressions go by the
 * stack, which Debian 13's libcrypto, without frame pointers, does not let it see.
 */

#include <dlfcn.h>
#include <stdlib.h>

#include <openssl/x509_vfy.h>

/* Not there in a build without sanitizer. */
void	__lsan_disable(void) __attribute__((weak));
void	__lsan_enable(void) __attribute__((weak));

int
X509_policy_check(X509_POLICY_TREE **tree, int *explicit_policy, STACK_OF(X509) *certs,
    STACK_OF(ASN1_OBJECT) *oids, unsigned int flags)
{
	static int	(*openssl)(X509_POLICY_TREE **, int *, STACK_OF(X509) *,
			    STACK_OF(ASN1_OBJECT) *, unsigned int);
	int		  rc;

	if (openssl == NULL)
		*(void **)&openssl = dlsym(RTLD_NEXT, "X509_policy_check");
	if (openssl == NULL)
		abort();
	if (__lsan_disable != NULL)
		__lsan_disable();
	rc = openssl(tree, explicit_policy, certs, oids, flags);
	if (__lsan_enable != NULL)
		__lsan_enable();
	return rc;
}

#endif
