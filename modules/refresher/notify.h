/* notify.h - tells systemd; does nothing without it. */
#ifndef REFRESHER_NOTIFY_H
#define REFRESHER_NOTIFY_H

#include <stdint.h>

void	notify_ready(void);
void	notify_reloading(void);
void	notify_stopping(void);
void	notify_status(const char *text);
/* Call it on every turn of the loop. Returns the milliseconds after which it
 * wants to be called again; -1: whenever. */
int	notify_alive(int64_t ticks);

#endif
