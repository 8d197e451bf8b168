/*
 * family.c - which CAs does this manifest name?
 *
 * Reads lines of one word and its value into facts. Looks at no certificate.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "certauth_family.h"
#include "identity/lines.h"

/* What a line speaks of. */
enum at { AT_TOP, AT_GROUP, AT_PROFILE, AT_CA };

struct parse {
	struct certauth_family	*f;
	struct lines		 lines;
	struct certauth_error	*error_r;
	enum at			 at;
	struct family_ca	*ca;
	size_t			 capacity;
	unsigned		 seen;	/* bit n: word n of this CA */
	unsigned		 first;	/* line of what is read */
};

static bool fault(struct parse *, unsigned line, const char *format, ...)
    CERTAUTH_PRINTF(3, 4);

static bool
fault(struct parse *p, unsigned line, const char *format, ...)
{
	char	text[400];
	va_list	ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	error_set(p->error_r, p->lines.file, line, "%s", text);
	return false;
}

static bool
expected(struct parse *p, const char *found, const char *what)
{
	char	shown[120];

	text_printable(shown, sizeof(shown), found, strlen(found));
	return fault(p, p->lines.line, "found \"%s\"; expected %s", shown, what);
}

/* ------------------------------------------------------------------- values */

static bool
is_name(const char *s)
{
	size_t	i;

	for (i = 0; s[i] != '\0'; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' &&
		    s[i] <= '9') || (s[i] == '-' && i > 0)))
			return false;
	return i > 0 && i < 64;	/* it becomes a folder */
}

static bool
is_url(const char *s)
{
	return (strncmp(s, "http://", 7) == 0 || strncmp(s, "https://", 8) == 0)
	    && strlen(s) < 1024 && strpbrk(s, " \t\"'\\<>") == NULL;
}

static bool
is_oid(const char *s)
{
	return s[0] >= '0' && s[0] <= '2' && strchr(s, '.') != NULL &&
	    s[strspn(s, "0123456789.")] == '\0' && strlen(s) < 256 &&
	    strstr(s, "..") == NULL && s[strlen(s) - 1] != '.';
}

/* Cuts the next word off *rest; NULL: none. */
static char *
next_word(char **rest)
{
	char	*word = *rest + strspn(*rest, " \t");
	char	*end = word + strcspn(word, " \t");

	if (*word == '\0')
		return NULL;
	*rest = *end != '\0' ? end + 1 : end;
	*end = '\0';
	return word;
}

static bool
read_groups(struct parse *p, char *value, uint32_t *groups_r)
{
	char	*word;
	size_t	 i;

	while ((word = next_word(&value)) != NULL) {
		for (i = 0; i < p->f->num_groups; i++)
			if (strcmp(p->f->groups[i].name, word) == 0)
				break;
		if (i == p->f->num_groups)
			return expected(p, word, "the name of a group that "
			    "stands above");
		*groups_r |= 1u << i;
	}
	return true;
}

static bool
read_hash(struct parse *p, const char *value, unsigned char *hash, size_t size,
    size_t *len_r)
{
	if (text_hex_parse(value, hash, size, len_r) && *len_r > 0)
		return true;
	return expected(p, value, "hexadecimal digits");
}

static bool
read_sha256(struct parse *p, const char *value, unsigned char hash[32])
{
	size_t	len;

	if (text_hex_parse(value, hash, 32, &len) && len == 32)
		return true;
	return expected(p, value, "a SHA-256, 64 hexadecimal digits");
}

static bool
read_valid(struct parse *p, char *value)
{
	char	*from = next_word(&value), *to = next_word(&value);

	if (from != NULL && to != NULL && next_word(&value) == NULL &&
	    text_time_parse(from, &p->ca->not_before) &&
	    text_time_parse(to, &p->ca->not_after) &&
	    p->ca->not_before < p->ca->not_after)
		return true;
	return fault(p, p->lines.line, "expected two times, the later one "
	    "second, as 2026-03-01T12:00:00Z");
}

/* -------------------------------------------------------------------- words */

enum word_of_ca { W_ROLE, W_GROUPS, W_STATUS, W_SHA256, W_KEY, W_SKI, W_VALID,
    W_POLICIES, W_GET, W_TRY, W_AIA, W_CRL, W_ISSUES_CRL, NUM_WORDS };
static const char *const	ca_words[NUM_WORDS] = { "role", "groups", "status",
    "sha256", "key", "ski", "valid", "policies", "get", "try", "aia", "crl",
    "issues-crl" };
#define MANY	(1u << W_GET | 1u << W_TRY)
#define NEEDED	(1u << W_ROLE | 1u << W_STATUS | 1u << W_SHA256 | 1u << W_KEY | \
		    1u << W_VALID)

static bool
read_role(struct parse *p, const char *value)
{
	static const char *const	roles[] = { [FAMILY_APART] = "apart",
	    [FAMILY_ANCHOR] = "anchor", [FAMILY_ISSUER] = "issuer",
	    [FAMILY_INTERMEDIATE] = "intermediate" };
	size_t				i;

	for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strcmp(value, roles[i]) == 0) {
			p->ca->role = (enum family_role)i;
			return true;
		}
	return expected(p, value, "anchor, issuer, intermediate or apart");
}

static bool
read_policies(struct parse *p, char *value)
{
	char	*word;

	while ((word = next_word(&value)) != NULL) {
		if (p->ca->num_policies == FAMILY_MAX_POLICIES)
			return fault(p, p->lines.line, "over %u policies",
			    FAMILY_MAX_POLICIES);
		if (strcmp(word, "any") != 0 && !is_oid(word))
			return expected(p, word, "an OID, or any");
		p->ca->policies[p->ca->num_policies++] = word;
	}
	return true;
}

static bool
read_url(struct parse *p, const char *value, bool of_itself)
{
	if (!is_url(value))
		return expected(p, value, "an http: or https: URL");
	if (!of_itself)
		return true;
	if (p->ca->num_urls == FAMILY_MAX_URLS)
		return fault(p, p->lines.line, "over %u addresses",
		    FAMILY_MAX_URLS);
	p->ca->urls[p->ca->num_urls++] = value;
	return true;
}

static bool
read_ca_word(struct parse *p, const char *word, char *value)
{
	size_t	i, len;

	for (i = 0; i < NUM_WORDS && strcmp(word, ca_words[i]) != 0; i++)
		;
	if (i == NUM_WORDS)
		return expected(p, word, "role, groups, status, sha256, key, "
		    "ski, valid, policies, get, try, aia, crl or issues-crl");
	if ((p->seen >> i & 1) != 0 && (MANY >> i & 1) == 0)
		return fault(p, p->lines.line, "found \"%s\" a second time",
		    word);
	p->seen |= 1u << i;
	switch ((enum word_of_ca)i) {
	case W_ROLE:
		return read_role(p, value);
	case W_GROUPS:
		return read_groups(p, value, &p->ca->groups);
	case W_STATUS:
		p->ca->retired = strcmp(value, "retired") == 0;
		return p->ca->retired || strcmp(value, "current") == 0 ||
		    expected(p, value, "current or retired");
	case W_SHA256:
		return read_sha256(p, value, p->ca->sha256);
	case W_KEY:
		return read_sha256(p, value, p->ca->key_sha256);
	case W_SKI:
		if (!read_hash(p, value, p->ca->ski, sizeof(p->ca->ski), &len))
			return false;
		p->ca->ski_len = len;
		return true;
	case W_VALID:
		return read_valid(p, value);
	case W_POLICIES:
		return read_policies(p, value);
	case W_GET:
	case W_TRY:
		return read_url(p, value, true);
	case W_AIA:
	case W_CRL:
	case W_ISSUES_CRL:
		return read_url(p, value, false);
	case NUM_WORDS:
		break;
	}
	return false;
}

/* ----------------------------------------------------------------- sections */

/* What was begun above is whole. */
static bool
end_section(struct parse *p)
{
	size_t	i;

	if (p->at == AT_PROFILE &&
	    p->f->profiles[p->f->num_profiles - 1].groups == 0)
		return fault(p, p->first, "this profile has no groups");
	if (p->at != AT_CA)
		return true;
	for (i = 0; i < NUM_WORDS; i++)
		if ((NEEDED >> i & 1) != 0 && (p->seen >> i & 1) == 0)
			return fault(p, p->first, "this CA has no %s",
			    ca_words[i]);
	if (p->ca->role != FAMILY_APART && p->ca->groups == 0)
		return fault(p, p->first, "this CA has no groups; expected some, "
		    "or the role apart");
	if (p->ca->role == FAMILY_APART && p->ca->groups != 0)
		return fault(p, p->first, "this CA is apart, and has groups");
	return true;
}

static bool
begin_group(struct parse *p, const char *value)
{
	struct certauth_family	*f = p->f;
	size_t			 i;

	if (!is_name(value))
		return expected(p, value, "a name of a-z, 0-9 and -");
	for (i = 0; i < f->num_groups; i++)
		if (strcmp(f->groups[i].name, value) == 0)
			return fault(p, p->lines.line, "group \"%s\" stands "
			    "above already", value);
	if (f->num_groups == FAMILY_MAX_GROUPS)
		return fault(p, p->lines.line, "over %u groups",
		    FAMILY_MAX_GROUPS);
	f->groups[f->num_groups].title = "";
	f->groups[f->num_groups++].name = value;
	p->at = AT_GROUP;
	return true;
}

static bool
begin_profile(struct parse *p, const char *value)
{
	struct certauth_family	*f = p->f;
	size_t			 i;

	if (!is_name(value))
		return expected(p, value, "a name of a-z, 0-9 and -");
	for (i = 0; i < f->num_profiles; i++)
		if (strcmp(f->profiles[i].name, value) == 0)
			return fault(p, p->lines.line, "profile \"%s\" stands "
			    "above already", value);
	if (f->num_profiles == FAMILY_MAX_PROFILES)
		return fault(p, p->lines.line, "over %u profiles",
		    FAMILY_MAX_PROFILES);
	f->profiles[f->num_profiles++].name = value;
	p->at = AT_PROFILE;
	return true;
}

static bool
begin_ca(struct parse *p, const char *value)
{
	struct certauth_family	*f = p->f;
	struct family_ca	*grown;
	size_t			 more;

	if (f->num_cas == FAMILY_MAX_CAS)
		return fault(p, p->lines.line, "over %u CAs", FAMILY_MAX_CAS);
	if (f->num_cas == p->capacity) {
		more = p->capacity == 0 ? 64 : p->capacity * 2;
		grown = reallocarray(f->cas, more, sizeof(*grown));
		if (grown == NULL)
			return fault(p, 0, "out of memory");
		f->cas = grown;
		p->capacity = more;
	}
	p->ca = &f->cas[f->num_cas++];
	memset(p->ca, 0, sizeof(*p->ca));
	p->ca->name = value;
	p->ca->line = p->lines.line;
	p->seen = 0;
	p->at = AT_CA;
	return true;
}

static bool
read_line(struct parse *p, const char *word, char *value)
{
	struct certauth_family	*f = p->f;
	bool			 begins;

	if (*value == '\0')
		return expected(p, word, "a word and its value");
	begins = strcmp(word, "group") == 0 || strcmp(word, "profile") == 0 ||
	    strcmp(word, "ca") == 0;
	if (begins) {
		if (!end_section(p))
			return false;
		p->first = p->lines.line;
		return word[0] == 'g' ? begin_group(p, value) :
		    word[0] == 'p' ? begin_profile(p, value) :
		    begin_ca(p, value);
	}
	switch (p->at) {
	case AT_TOP:
		if (strcmp(word, "family") == 0 && f->name == NULL)
			f->name = value;
		else if (strcmp(word, "as-of") == 0 && f->as_of == NULL)
			f->as_of = value;
		else
			return expected(p, word, "family, as-of, group, profile "
			    "or ca");
		return true;
	case AT_GROUP:
		if (strcmp(word, "title") != 0)
			return expected(p, word, "title, group, profile or ca");
		f->groups[f->num_groups - 1].title = value;
		return true;
	case AT_PROFILE:
		if (strcmp(word, "groups") != 0)
			return expected(p, word, "groups, profile or ca");
		return read_groups(p, value,
		    &f->profiles[f->num_profiles - 1].groups);
	case AT_CA:
		return read_ca_word(p, word, value);
	}
	return false;
}

static int
by_sha256(const void *a, const void *b)
{
	return memcmp(((const struct family_ca *)a)->sha256,
	    ((const struct family_ca *)b)->sha256, 32);
}

static bool
finish(struct parse *p)
{
	struct certauth_family	*f = p->f;
	size_t			 i;

	if (!end_section(p))
		return false;
	if (f->name == NULL)
		return fault(p, 0, "has no line \"family NAME\"; is it a "
		    "manifest of CAs?");
	if (f->num_cas == 0)
		return fault(p, 0, "names no CA");
	qsort(f->cas, f->num_cas, sizeof(f->cas[0]), by_sha256);
	for (i = 1; i < f->num_cas; i++)
		if (by_sha256(&f->cas[i - 1], &f->cas[i]) == 0)
			return fault(p, f->cas[i].line > f->cas[i - 1].line ?
			    f->cas[i].line : f->cas[i - 1].line,
			    "a certificate that stands above already");
	if (f->as_of == NULL)
		f->as_of = "";
	return true;
}

struct certauth_family *
certauth_family_parse(const char *file, const void *data, size_t data_len,
    struct certauth_error *error_r)
{
	struct parse		 p = { .error_r = error_r };
	struct word		 word, value;
	enum lines_result	 got;
	bool			 ok = false;

	p.f = calloc(1, sizeof(*p.f));
	if (p.f == NULL || (p.f->text = malloc(data_len + 1)) == NULL) {
		error_set(error_r, file, 0, "out of memory");
		goto out;
	}
	if (data_len > FAMILY_MAX_BYTES) {
		error_set(error_r, file, 0, "is over %u bytes",
		    FAMILY_MAX_BYTES);
		goto out;
	}
	if (data_len > 0)
		memcpy(p.f->text, data, data_len);
	p.f->text[data_len] = '\0';
	lines_init(&p.lines, p.f->text, data_len, file);
	while ((got = lines_next(&p.lines, error_r)) == LINES_GOT) {
		if (lines_word(&p.lines, &word, error_r) != LINES_GOT)
			goto out;
		lines_rest(&p.lines, &value);
		if (!read_line(&p, word.data, value.data))
			goto out;
	}
	ok = got == LINES_END && finish(&p);
out:
	if (!ok) {
		certauth_family_free(p.f);
		p.f = NULL;
	}
	return p.f;
}

struct certauth_family *
certauth_family_open(const char *file, struct certauth_error *error_r)
{
	struct certauth_family	*f = NULL;
	struct file_owners	 owners;
	struct file_bytes	 bytes = { .data = NULL };
	struct file_ref		 ref;

	file_owners_init(&owners);
	if (!file_ref_open(&ref, NULL, file, error_r))
		return NULL;
	if (file_read(&ref, &owners, FAMILY_MAX_BYTES, &bytes, error_r))
		f = certauth_family_parse(file, bytes.data, bytes.data_len,
		    error_r);
	file_bytes_free(&bytes);
	file_ref_close(&ref);
	return f;
}

const struct family_ca *
certauth_family_find(const struct certauth_family *f,
    const unsigned char sha256[32])
{
	struct family_ca	key;

	memcpy(key.sha256, sha256, 32);
	return bsearch(&key, f->cas, f->num_cas, sizeof(f->cas[0]), by_sha256);
}

void
certauth_family_free(struct certauth_family *f)
{
	if (f == NULL)
		return;
	free(f->cas);
	free(f->text);
	free(f);
}
