/*
 * certauth_family.h - public door 2: the CAs of one family, as facts.
 *
 * A manifest says who they are by SHA-256; the folders of a policy get no other
 * certificate. For the command only; never for a server module. No network.
 */
#ifndef CERTAUTH_FAMILY_H
#define CERTAUTH_FAMILY_H

#include "certauth.h"

/* Ceilings of a manifest; GlobalSign's has 112 CAs and 6 groups. */
#define FAMILY_MAX_BYTES	(1u * 1024 * 1024)
#define FAMILY_MAX_CAS		4096u
#define FAMILY_MAX_GROUPS	32u
#define FAMILY_MAX_PROFILES	64u
#define FAMILY_MAX_URLS		8u
#define FAMILY_MAX_POLICIES	32u

enum family_role {
	FAMILY_APART,		/* known, and never taken */
	FAMILY_ANCHOR,
	FAMILY_ISSUER,		/* may sign the certificates of people */
	FAMILY_INTERMEDIATE	/* helps to build a path */
};

/* Borrowed strings: they live as long as the family. */
struct family_ca {
	const char	*name;
	enum family_role role;
	bool		 retired;
	uint32_t	 groups;	/* bit n: group n */
	unsigned char	 sha256[32], key_sha256[32];
	unsigned char	 ski[64];	size_t ski_len;		/* 0: none */
	int64_t		 not_before, not_after;
	const char	*urls[FAMILY_MAX_URLS];	size_t num_urls;
	const char	*policies[FAMILY_MAX_POLICIES];	size_t num_policies;
	unsigned	 line;
};
struct family_group { const char *name, *title; };
struct family_profile { const char *name; uint32_t groups; };

struct certauth_family {
	const char	*name, *as_of;
	struct family_ca *cas;		size_t num_cas;
	struct family_group groups[FAMILY_MAX_GROUPS];	size_t num_groups;
	struct family_profile profiles[FAMILY_MAX_PROFILES];
	size_t		 num_profiles;
	char		*text;		/* owned */
};

/* Any bytes; `file` for messages, borrowed for the call. NULL: error_r. */
struct certauth_family *certauth_family_parse(const char *file,
	    const void *data, size_t data_len, struct certauth_error *error_r);
/* The file, which belongs to whom it may (INTERFACE 1). NULL: error_r. */
struct certauth_family *certauth_family_open(const char *file,
	    struct certauth_error *error_r);
void	certauth_family_free(struct certauth_family *);	/* NULL allowed */
/* NULL: not of the family. */
const struct family_ca *certauth_family_find(const struct certauth_family *,
	    const unsigned char sha256[32]);

#endif
