/*
 * exchange_ad.c - Active Directory's altSecurityIdentities, as LDIF.
 *
 * A key of the map is the whole value, spelled as the rules below make it from a
 * certificate; so one map holds all five kinds.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "exchange.h"

/* RFC 2849: name, colon, blank, value. */
#define USER_MAX	256
/* Values of one entry. */
#define AD_MAX_VALUES	256

struct entry {
	char	 user[USER_MAX];
	bool	 account;	/* sAMAccountName; uid gives way to it */
	char	*values[AD_MAX_VALUES];
	unsigned lines[AD_MAX_VALUES];
	size_t	 num_values;
};

static bool
hex_only(const char *text, size_t *len_r)
{
	*len_r = strlen(text);
	return *len_r >= 2 && *len_r % 2 == 0 &&
	    strspn(text, "0123456789abcdefABCDEF") == *len_r;
}

/* The value as a rule spells it, in place. */
static bool
spell(struct exchange *x, char *value)
{
	static const char *const	hex[] = { "X509:<SKI>", "X509:<SHA1-PUKEY>" };
	char				*rest, *at;
	size_t				 i, len;

	for (i = 0; i < 2; i++) {
		if (strncmp(value, hex[i], strlen(hex[i])) != 0)
			continue;
		rest = value + strlen(hex[i]);
		if (!hex_only(rest, &len) || (i == 1 && len != 40))
			return exchange_refuse(x, "found \"%.100s\", expected "
			    "hexadecimal digits", value);
		text_lower_ascii(rest, len);
		return true;
	}
	if (strncmp(value, "X509:<RFC822>", 13) == 0) {
		at = strrchr(value, '@');
		if (at == NULL || at == value + 13 || at[1] == '\0')
			return exchange_refuse(x, "found \"%.100s\", expected a "
			    "mailbox", value);
		text_lower_ascii(at, strlen(at));
		return true;
	}
	if (strncmp(value, "X509:<I>", 8) == 0) {
		rest = strstr(value + 8, "<SR>");
		if (rest != NULL && rest > value + 8 && hex_only(rest + 4, &len)) {
			text_lower_ascii(rest + 4, len);
			return true;
		}
		rest = strstr(value + 8, "<S>");
		if (rest != NULL && rest > value + 8 && rest[3] != '\0')
			return true;
	}
	return exchange_refuse(x, "found \"%.100s\", expected X509: with <SKI>, "
	    "<SHA1-PUKEY>, <RFC822>, <I>...<SR> or <I>...<S>; others have no equal",
	    value);
}

/* The end of an entry. */
static bool
flush(struct exchange *x, struct entry *entry)
{
	unsigned	line = x->line;
	size_t		i;
	bool		ok = true;

	for (i = 0; ok && i < entry->num_values; i++) {
		x->line = entry->lines[i];
		ok = entry->user[0] != '\0' ? spell(x, entry->values[i]) :
		    exchange_refuse(x, "found altSecurityIdentities in an entry "
		    "without sAMAccountName or uid");
		if (ok)
			exchange_row(x, entry->values[i], entry->user);
	}
	x->line = line;
	memset(entry, 0, sizeof(*entry));
	return ok;
}

/* RFC 2849: base64 behind two colons. In place. */
static bool
decode(struct exchange *x, char *value)
{
	size_t	len = strlen(value), pad = 0;
	char	*copy;
	int	 n = -1;

	while (pad < 2 && pad < len && value[len - 1 - pad] == '=')
		pad++;
	copy = malloc(len + 1);
	if (copy != NULL && len > 0 && len % 4 == 0)
		n = EVP_DecodeBlock((unsigned char *)copy,
		    (const unsigned char *)value, (int)len);
	n -= (int)pad;
	if (n <= 0 || text_has_control(copy, (size_t)n) ||
	    !text_utf8_valid(copy, (size_t)n)) {
		free(copy);
		return exchange_refuse(x, "found a value that is no base64 of a "
		    "text");
	}
	memcpy(value, copy, (size_t)n);
	value[n] = '\0';
	free(copy);
	return true;
}

static bool
read_pair(struct exchange *x, struct entry *entry, char *line)
{
	char	*value = strchr(line, ':');
	bool	 base64, account;

	if (value == NULL)
		return strcmp(line, "-") == 0 || exchange_refuse(x,
		    "found \"%.100s\", expected LDIF: name: value", line);
	*value++ = '\0';
	base64 = *value == ':';
	value += base64;
	value += strspn(value, " ");
	account = strcasecmp(line, "sAMAccountName") == 0;
	if (!account && strcasecmp(line, "uid") != 0 &&
	    strcasecmp(line, "altSecurityIdentities") != 0)
		return true;
	if (base64 && !decode(x, value))
		return false;
	if (strcasecmp(line, "altSecurityIdentities") == 0) {
		/* Kerberos: is another door, not a certificate. */
		if (strncasecmp(value, "Kerberos:", 9) == 0)
			return true;
		if (entry->num_values == AD_MAX_VALUES)
			return exchange_refuse(x, "found more than %d values in "
			    "one entry", AD_MAX_VALUES);
		entry->lines[entry->num_values] = x->line;
		entry->values[entry->num_values++] = value;
		return true;
	}
	if (strlen(value) >= USER_MAX)
		return exchange_refuse(x, "found a user of more than %d bytes",
		    USER_MAX - 1);
	if (account || !entry->account) {
		(void)snprintf(entry->user, sizeof(entry->user), "%s", value);
		entry->account |= account;
	}
	return true;
}

/* RFC 2849: a line that begins with a blank goes on with the one before. */
static void
unfold(char *line, char **data)
{
	char	*end = line + strlen(line), *next;
	size_t	 len;

	while (*data != NULL && **data == ' ') {
		next = strsep(data, "\n") + 1;
		len = strlen(next);
		if (len > 0 && next[len - 1] == '\r')
			len--;
		memmove(end, next, len);
		end += len;
		*end = '\0';
	}
}

bool
exchange_read_ad(struct exchange *x, char *data)
{
	struct entry	 entry = { .num_values = 0 };
	char		*line, *p;
	size_t		 len;

	text_add(x->out, "# from altSecurityIdentities; in the rules:\n"
	    "#   key = \"X509:<SKI>{ski}\"\n"
	    "#   key = \"X509:<SHA1-PUKEY>{spki.sha1}\"\n"
	    "#   key = \"X509:<I>{issuer.dn.ad}<SR>{serial.reversed}\"\n"
	    "#   key = \"X509:<I>{issuer.dn.ad}<S>{subject.dn.ad}\"\n"
	    "#   key = \"X509:<RFC822>{san.email}\"\n"
	    "# each but the last with on_miss = \"next\"\n");
	while (data != NULL) {
		for (p = data; (p = strchr(p, '\n')) != NULL && p[1] == ' '; p++)
			x->line++;
		line = strsep(&data, "\n");
		x->line++;
		len = strlen(line);
		if (len > 0 && line[len - 1] == '\r')
			line[--len] = '\0';
		unfold(line, &data);
		if (line[0] == '#')
			continue;
		if (line[0] == '\0' ? !flush(x, &entry) :
		    !read_pair(x, &entry, line))
			return false;
	}
	return flush(x, &entry);
}

bool
certauth_ad_key(char *value)
{
	struct certauth_error	error = { .line = 0 };
	struct exchange		x = { .file = "", .error_r = &error };

	return spell(&x, value);
}
