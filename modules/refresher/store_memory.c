/*
 * store_memory.c - what do we remember of one address?
 *
 * One small text file each, lines "word value": `cat` is its debugger. A word that
 * is not known, or a damaged file, is as if it were not there.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "store.h"
#include "store_memory.h"

enum kind { WORD, TIME, NUMBER, SIZE };
static const struct field {
	const char	*name;
	enum kind	 kind;
	size_t		 offset, size;
} fields[] = {
#define FIELD(name, kind, member) { name, kind, offsetof(struct source, member), \
	sizeof(((struct source *)0)->member) }
	FIELD("etag", WORD, etag), FIELD("modified", WORD, modified),
	FIELD("seen", TIME, seen), FIELD("tried", TIME, tried),
	FIELD("succeeded", TIME, succeeded), FIELD("next", TIME, next),
	FIELD("failures", NUMBER, failures), FIELD("error", WORD, error),
	FIELD("issuer", WORD, issuer), FIELD("number", WORD, crl_number),
	FIELD("this-update", TIME, this_update),
	FIELD("next-update", TIME, next_update), FIELD("entries", SIZE, entries),
	FIELD("alerts", NUMBER, alerts),
#undef FIELD
};
#define NUM_FIELDS	(sizeof(fields) / sizeof(fields[0]))

static void
set_field(struct source *source, const char *name, const char *value)
{
	const struct field	*f;
	char			*at;
	size_t			 i;

	for (i = 0; i < NUM_FIELDS; i++) {
		f = &fields[i];
		if (strcmp(f->name, name) != 0)
			continue;
		at = (char *)source + f->offset;
		switch (f->kind) {
		case WORD:
			(void)snprintf(at, f->size, "%s", value);
			break;
		case TIME:
			*(int64_t *)(void *)at = strtoll(value, NULL, 10);
			break;
		case NUMBER:
			*(unsigned *)(void *)at =
			    (unsigned)strtoul(value, NULL, 10);
			break;
		case SIZE:
			*(size_t *)(void *)at = strtoul(value, NULL, 10);
			break;
		}
	}
}

bool
store_memory_read(const struct store *s, const char *file, char *buf, size_t size)
{
	int	fd = openat(s->url_fd, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
		    O_CLOEXEC);
	ssize_t	n = fd >= 0 ? read(fd, buf, size - 1) : -1;

	if (fd >= 0)
		(void)close(fd);
	if (n < 0)
		return false;
	buf[n] = '\0';
	return true;
}

void
store_memory_lines(char *text, void (*fn)(void *, const char *, const char *),
    void *context)
{
	char	*line, *value;

	while ((line = strsep(&text, "\n")) != NULL) {
		value = strchr(line, ' ');
		if (value == NULL)
			continue;
		*value++ = '\0';
		fn(context, line, value);
	}
}

static void
take_line(void *context, const char *name, const char *value)
{
	set_field(context, name, value);
}

void
store_memory_load(const struct store *s, struct source *source)
{
	char	file[STORE_NAME_BYTES + 8], text[STORE_MAX_MEMORY];
	int	fd;

	(void)snprintf(file, sizeof(file), "%s.txt", source->name);
	if (store_memory_read(s, file, text, sizeof(text)))
		store_memory_lines(text, take_line, source);
	fd = store_read(s, source->name, false);
	source->has_object = fd >= 0;
	if (fd >= 0)
		(void)close(fd);
	else	/* "not modified" would leave us with nothing */
		source->etag[0] = source->modified[0] = '\0';
}

bool
store_save(struct store *s, const struct source *source)
{
	struct certauth_error	 error;
	const struct field	*f;
	const char		*at;
	char			 file[STORE_NAME_BYTES + 8], text[STORE_MAX_MEMORY];
	int			 n;
	size_t			 len, i;

	n = snprintf(text, sizeof(text), "url %s\nauthority %s\norigin %d\n",
	    source->url, source->authority, (int)source->origin);
	len = n > 0 ? (size_t)n : sizeof(text);
	for (i = 0; i < NUM_FIELDS && len < sizeof(text); i++) {
		f = &fields[i];
		at = (const char *)source + f->offset;
		switch (f->kind) {
		case WORD:
			n = snprintf(text + len, sizeof(text) - len, "%s %s\n",
			    f->name, at);
			break;
		case TIME:
			n = snprintf(text + len, sizeof(text) - len, "%s %lld\n",
			    f->name, (long long)*(const int64_t *)
			    (const void *)at);
			break;
		case NUMBER:
			n = snprintf(text + len, sizeof(text) - len, "%s %u\n",
			    f->name, *(const unsigned *)(const void *)at);
			break;
		case SIZE:
			n = snprintf(text + len, sizeof(text) - len, "%s %zu\n",
			    f->name, *(const size_t *)(const void *)at);
			break;
		}
		len += n > 0 ? (size_t)n : sizeof(text);
	}
	(void)snprintf(file, sizeof(file), "%s.txt", source->name);
	if (len < sizeof(text) && certauth_replace(s->url_fd, file, text, len,
	    0644, &error))
		return true;
	say(LEVEL_ERROR, "%s/spool/url/%s %s", s->path, file,
	    len < sizeof(text) ? error.text : "is too long");
	return false;
}
