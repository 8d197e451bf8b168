/*
 * terminal.c - is a person looking, how wide is the screen, and which words deserve
 * a colour?
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/ioctl.h>
#include <unistd.h>

#include <unistr.h>
#include <uniwidth.h>

#include "terminal.h"

/* Of a terminal that does not say. */
#define USUAL_WIDTH	80

static const struct { const char *word; enum tone tone; } words[] = {
	{ "ACCEPT", TONE_GOOD }, { "REJECT", TONE_BAD }, { "UNDECIDED", TONE_WARN },
	{ "ok", TONE_GOOD }, { "FAILED", TONE_BAD }, { "REFUSED", TONE_BAD },
	{ "fault", TONE_BAD }, { "warning", TONE_WARN },
	/* certauth pool */
	{ "taken", TONE_GOOD }, { "accepted", TONE_GOOD },
	{ "missing", TONE_BAD }, { "wrong", TONE_BAD }, { "revoked", TONE_BAD },
	{ "unreadable", TONE_BAD }, { "ending", TONE_WARN },
	{ "pending", TONE_WARN },
};

enum tone
tone_of(const char *word, size_t len)
{
	size_t	i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].word) == len &&
		    memcmp(words[i].word, word, len) == 0)
			return words[i].tone;
	return TONE_NONE;
}

bool
terminal_moves(void)
{
	const char	*term = getenv("TERM");

	return term != NULL && term[0] != '\0' && strcmp(term, "dumb") != 0;
}

/* https://no-color.org: set, and not empty. */
static bool
has_colours(void)
{
	const char	*no = getenv("NO_COLOR");

	return (no == NULL || no[0] == '\0') && terminal_moves() &&
	    isatty(STDOUT_FILENO) == 1;
}

void
print_toned(enum tone tone, const char *format, ...)
{
	static const char *const	on[] = { "", "\033[32m", "\033[33m",
					    "\033[31m" };
	va_list				ap;
	bool				coloured = tone != TONE_NONE &&
					    has_colours();

	if (coloured)
		(void)fputs(on[tone], stdout);
	va_start(ap, format);
	(void)vprintf(format, ap);
	va_end(ap);
	if (coloured)
		(void)fputs("\033[0m", stdout);
}

void
print_story(const char *text)
{
	size_t	len;

	while (*text != '\0') {
		len = strspn(text, " ");
		(void)printf("%.*s", (int)len, text);
		text += len;
		len = strcspn(text, " :\n");
		print_toned(tone_of(text, len), "%.*s", (int)len, text);
		text += len;
		len = strcspn(text, "\n");
		len += text[len] == '\n';
		(void)fwrite(text, 1, len, stdout);
		text += len;
	}
}

size_t
terminal_width(int fd)
{
	struct winsize	size = { 0 };

	if (isatty(fd) != 1)
		return 0;
	if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return USUAL_WIDTH;
	return size.ws_col;
}

size_t
terminal_fit(const char *text, size_t columns, size_t *used_r)
{
	const uint8_t	*p = (const uint8_t *)text;
	size_t		 left = strlen(text);
	ucs4_t		 c;
	int		 len, width;

	for (*used_r = 0; left > 0; p += len, left -= (size_t)len) {
		len = u8_mbtouc(&c, p, left);
		width = uc_width(c, "UTF-8");
		if (width > 0 && *used_r + (size_t)width > columns)
			break;
		*used_r += width > 0 ? (size_t)width : 0;
	}
	return (size_t)((const char *)p - text);
}
