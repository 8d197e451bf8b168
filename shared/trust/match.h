/*
 * match.h - is this name within that one? One function for each kind of name
 * (RFC 5280 4.2.1.10). Knows no certificate.
 */
#ifndef CERTAUTH_TRUST_MATCH_H
#define CERTAUTH_TRUST_MATCH_H

#include <stdbool.h>
#include <stddef.h>

struct span {
	const unsigned char	*p;
	size_t			 len;
};

/* NEVER: one of the two is not what its kind demands. */
enum match { MATCH_NO, MATCH_YES, MATCH_NEVER };

/* `excluded`: of what could be meant, the wider is taken. */
enum match	match_dns(struct span name, struct span base, bool excluded);
enum match	match_mail(struct span name, bool utf8, struct span base,
		    bool excluded);
enum match	match_uri(struct span name, struct span base);
enum match	match_ip(struct span name, struct span base);
/* The second half of an address constraint: ones, then zeros (RFC 4632). */
bool	match_mask_valid(struct span);

#endif
