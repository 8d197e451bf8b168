/* log.h - one line each on standard error, for the journal or a terminal. */
#ifndef REFRESHER_LOG_H
#define REFRESHER_LOG_H

/* syslog's numbers; what people should act on is LOG_ALERT to LOG_WARNING. */
enum log_level { LEVEL_ALERT = 1, LEVEL_ERROR = 3, LEVEL_WARNING = 4,
	LEVEL_NOTICE = 5, LEVEL_INFO = 6 };

void	say(enum log_level, const char *format, ...)
	    __attribute__((format(printf, 2, 3)));

#endif
