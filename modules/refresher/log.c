/*
 * log.c - one line each on standard error, for the journal or a terminal.
 *
 * Whatever comes from outside is printable before it gets here.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "log.h"

void
say(enum log_level level, const char *format, ...)
{
	char	line[1200];
	va_list	ap;

	va_start(ap, format);
	(void)vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	/* sd-daemon(3): the journal takes the level from the first letters. */
	if (getenv("JOURNAL_STREAM") != NULL)
		(void)fprintf(stderr, "<%d>%s\n", (int)level, line);
	else
		(void)fprintf(stderr, "certauth-refresher: %s%s\n",
		    level == LEVEL_ALERT ? "ALERT: " :
		    level == LEVEL_ERROR ? "error: " :
		    level == LEVEL_WARNING ? "warning: " : "", line);
}
