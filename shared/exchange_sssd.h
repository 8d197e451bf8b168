/*
 * exchange_sssd.h - private to exchange_sssd*.c: the words of SSSD's rules (man
 * sss-certmap) beside ours.
 */
#ifndef CERTAUTH_EXCHANGE_SSSD_H
#define CERTAUTH_EXCHANGE_SSSD_H

#include "exchange.h"

#define SSSD_MAX_RULES	256
/* Searches of one rule. */
#define SSSD_MAX_PARTS	16

enum sssd_value { SSSD_PATTERN, SSSD_KU, SSSD_EKU };
struct sssd_tag { const char *tag, *source; enum sssd_value value; };
extern const struct sssd_tag	sssd_tags[];
extern const size_t		sssd_num_tags;

/* What SSSD puts into its search, and what a template puts into a key; of several
 * for one key the first is what a rule becomes. */
struct sssd_template {
	const char	*theirs, *ours;
	bool		 newer;		/* only behind LDAPU1: */
};
extern const struct sssd_template sssd_templates[];
extern const size_t		  sssd_num_templates;

/* The attribute that holds certificates, which SSSD searches by their bytes; our
 * tables have the SHA-256. */
#define SSSD_CERTIFICATE	"userCertificate"
/* What SSSD asks where there is no matchrule. */
#define SSSD_MATCH_DEFAULT	"<KU>digitalSignature<EKU>clientAuth"
/* What every certificate is. */
#define SSSD_MATCH_ALWAYS	"<ISSUER>.*"

/* A usage or purpose as our rules spell it (NULL: none), and one as SSSD does. */
const char *sssd_word_in(enum sssd_value, const char *word);
bool	sssd_word_out(enum sssd_value, const char *word, char *buf, size_t size);

/* Does an expression mean the same to PCRE2 and to regex(7)? And its end: does it
 * end in `tail`, which no backslash takes its meaning? */
bool	sssd_pattern_is_common(const char *pattern, size_t len);
bool	sssd_pattern_ends(const char *pattern, size_t len, const char *tail);
/* For refusals. */
#define SSSD_PATTERN_EXPECTED	"expected one in ASCII without |, quotes, <, classes " \
				"as [[:alpha:]] and what only one of PCRE2 and " \
				"regex(7) has; write a rule with `matches` by hand"

#endif
