/*
 * directory.h - people out of an LDAP directory, into a compiled table.
 *
 * A process of its own (certauth-refresher --directory FILE): no login waits for a
 * directory, and no CRL does. The only files that link libldap.
 */
#ifndef REFRESHER_DIRECTORY_H
#define REFRESHER_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "certauth_data.h"

#define DIRECTORY_MAX_KEYS	8
/* Entries of one directory; what a table can hold is more. */
#define DIRECTORY_MAX_ENTRIES	4000000u

/* directory_conf.c: what FILE says. */
struct directory {
	char	*url, *base, *filter, *user, *groups, *bind_dn, *password_file,
		*ca_file, *table;
	char	*keys[DIRECTORY_MAX_KEYS + 1];	/* attributes; ends in NULL */
	bool	 starttls;
	int	 page, refresh, full;		/* entries; seconds */
};
bool	directory_read(struct directory *, const char *file,
	    struct certauth_error *error_r);
void	directory_free(struct directory *);

/* directory_search.c: entries by their DN, each with its lines of the map. */
struct person { char *dn, *lines; };
struct people {
	struct person	*items;
	size_t		 num_items, max_items;
	size_t		 skipped;	/* entries or values that no map takes */
	char		 newest[32];	/* greatest modifyTimestamp, "" none */
};
/* Shall the search end? Looked at between pages and while one is waited for. */
typedef bool directory_stop_fn(void *context);
/*
 * All people, or those changed since `since` (a modifyTimestamp; NULL: all), which
 * replace those of the same DN. False: error_r, the people are as they were.
 */
bool	directory_search(const struct directory *, const char *since,
	    directory_stop_fn *, void *context, struct people *,
	    struct certauth_error *error_r);
void	people_clear(struct people *);

/* directory.c: --directory FILE [--once] [--accept]. The exit status. */
int	directory_run(const char *file, bool once, bool accept);

#endif
