/*
 * fetch_ldap.c - where in an LDAP entry is the list?
 *
 * libcurl writes an entry as lines: "DN: name", then a tab, an attribute and ": "
 * with text or ":: " with base64 for each value. A CRL's attribute is binary, so
 * it is base64. What a server puts into other attributes is passed over. Several
 * values are several lists, and nobody says which one was meant: refused.
 */

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <netinet/in.h>
#include <linux/tcp.h>
#include <sys/socket.h>

#include <openssl/evp.h>

#include "fetch_ldap.h"

static const char *const attributes[] = {
	"certificateRevocationList", "authorityRevocationList",
	"deltaRevocationList"
};

/* The base64 of a line with a list; NULL: another line. */
static const unsigned char *
base64_of(const unsigned char *line, const unsigned char *end)
{
	static const char	option[] = ";binary";
	const char		*name = (const char *)line + 1;
	size_t			 i, len, left = (size_t)(end - line);

	if (left == 0 || line[0] != '\t')
		return NULL;
	left--;
	for (i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		len = strlen(attributes[i]);
		if (left < len || strncasecmp(name, attributes[i], len) != 0)
			continue;
		if (left - len >= sizeof(option) - 1 &&
		    strncasecmp(name + len, option, sizeof(option) - 1) == 0)
			len += sizeof(option) - 1;
		if (left - len >= 3 && memcmp(name + len, ":: ", 3) == 0)
			return line + 1 + len + 3;
	}
	return NULL;
}

static unsigned char *
decode(const unsigned char *text, size_t len, size_t *len_r)
{
	unsigned char	*der;
	size_t		 padding = 0;

	if (len == 0 || len % 4 != 0 || len > INT_MAX / 2)
		return NULL;
	while (padding < 2 && text[len - 1 - padding] == '=')
		padding++;
	/* EVP_DecodeBlock() takes it for a zero wherever it stands. */
	if (memchr(text, '=', len - padding) != NULL)
		return NULL;
	der = malloc(len / 4 * 3);
	if (der == NULL)
		return NULL;
	if (EVP_DecodeBlock(der, text, (int)len) != (int)(len / 4 * 3)) {
		free(der);
		return NULL;
	}
	*len_r = len / 4 * 3 - padding;
	return der;
}

unsigned char *
ldap_value(const unsigned char *text, size_t text_len, size_t *len_r,
    const char **why_r)
{
	const unsigned char	*at = text, *end = text + text_len, *line_end;
	const unsigned char	*found = NULL, *value;
	unsigned char		*der;
	size_t			 found_len = 0;

	*len_r = 0;
	for (; at < end; at = line_end + (line_end < end)) {
		line_end = memchr(at, '\n', (size_t)(end - at));
		if (line_end == NULL)
			line_end = end;
		value = base64_of(at, line_end);
		if (value == NULL)
			continue;
		if (found != NULL) {
			*why_r = "the LDAP entries have several CRLs";
			return NULL;
		}
		found = value;
		found_len = (size_t)(line_end - value);
	}
	*why_r = "the LDAP entry has no CRL";
	if (found == NULL)
		return NULL;
	*why_r = "the LDAP entry's CRL is no base64, or memory is out";
	der = decode(found, found_len, len_r);
	return der;
}

bool
ldap_watch(struct ldap_sockets *s, int fd)
{
	int	copy;

	if (s->num == LDAP_MAX_SOCKETS ||
	    (copy = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0)
		return false;
	s->fds[s->num++] = copy;
	return true;
}

void
ldap_unwatch(struct ldap_sockets *s)
{
	while (s->num > 0)
		(void)close(s->fds[--s->num]);
}

uint64_t
ldap_received(const struct ldap_sockets *s)
{
	struct tcp_info	info;
	socklen_t	len;
	uint64_t	sum = 0;
	size_t		i;

	for (i = 0; i < s->num; i++) {
		len = sizeof(info);
		memset(&info, 0, sizeof(info));
		if (getsockopt(s->fds[i], IPPROTO_TCP, TCP_INFO, &info,
		    &len) == 0)
			sum += info.tcpi_bytes_received;
	}
	return sum;
}
