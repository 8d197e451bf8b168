/* exchange.h - what exchange*.c share: lists of other programs, read and written. */
#ifndef CERTAUTH_EXCHANGE_H
#define CERTAUTH_EXCHANGE_H

#include "base/text.h"
#include "certauth_data.h"
#include "config/config.h"

/* Bytes of one list; what Active Directory exports of 100 000 people is less. */
#define EXCHANGE_MAX_BYTES	((size_t)64 * 1024 * 1024)
#define EXCHANGE_MAX_LINE	4096u

struct exchange {
	const char		*file;		/* for messages */
	unsigned		 line;
	const char		*map;		/* pg_ident: its name; NULL: any. sssd,
						 * on the way out: the domain */
	char			 seen[128];	/* pg_ident: the one that was read */
	struct text		*out;
	struct certauth_error	*error_r;
};

/* "FILE:LINE: found ..., ..."; always false. */
bool	exchange_refuse(struct exchange *, const char *format, ...)
	    CERTAUTH_PRINTF(2, 3);
/* A line of a map: key and user, in quotes where they want them. */
void	exchange_row(struct exchange *, const char *key, const char *user);
void	exchange_word(struct text *, const char *word, size_t len);

/* Text to a map (sssd: to identity rules). `data` is writable and ends in NUL. */
bool	exchange_read_grid(struct exchange *, char *data);
bool	exchange_read_pg(struct exchange *, char *data);
bool	exchange_read_ad(struct exchange *, char *data);
bool	exchange_read_sssd(struct exchange *, char *data);
/* Identity rules to sections of sssd.conf. */
bool	exchange_write_sssd(struct exchange *, const struct config_rule *,
	    size_t num_rules);

#endif
