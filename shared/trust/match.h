/*
 * match.h - is this name within that one? One rule for each kind of name
 * (RFC 5280 4.2.1.10). Knows no certificate.
 *
 * A name that is text, and what a subtree says of such names, is taken apart
 * and checked once; then comparing it with another is comparing bytes.
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

enum match_kind { MATCH_MAIL, MATCH_MAIL_UTF8, MATCH_DNS, MATCH_URI };

/* A name, or a base to compare names with. */
struct match_side {
	bool		never;	/* not what its kind demands */
	bool		any;	/* base: an empty dNSName, which is all of them */
	struct span	local;	/* of a mailbox, as it is written; p NULL: no mailbox */
	struct span	folded;	/* the same in lower case */
	struct span	host;	/* in lower case, a base's with its leading dot */
};

/* `room` has to hold value.len bytes for as long as the side is used. */
void	match_name(enum match_kind, struct span value, unsigned char *room,
	    struct match_side *);
void	match_base(enum match_kind, struct span value, unsigned char *room,
	    struct match_side *);
/* Both of one kind. `excluded`: of what could be meant, the wider is taken. */
enum match	match_within(enum match_kind, const struct match_side *name,
		    const struct match_side *base, bool excluded);

enum match	match_ip(struct span name, struct span base);
/* The second half of an address constraint: ones, then zeros (RFC 4632). */
bool	match_mask_valid(struct span);

#endif
