/*
 * store.h - what is remembered on disk: the objects that were fetched, and for
 * each address what it said and when it is asked again.
 *
 *   STATE/spool/crl/NAME.crl   the object as it came, good when it came
 *   STATE/spool/url/NAME.txt   what is known of its address, lines "word value"
 *   STATE/refresher.lock       one refresher for one state folder
 *
 * NAME is made from a hash of authority and URL: no letter of a URL becomes part
 * of a path.
 */
#ifndef REFRESHER_STORE_H
#define REFRESHER_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "certauth_data.h"
#include "fetch.h"

/* Addresses of all authorities; of these, ones that only clients' certificates
 * name. */
#define STORE_MAX_SOURCES	8192
#define STORE_MAX_SEEN		4096
#define STORE_SHARE_SEEN	512	/* of one authority */
#define STORE_NAME_BYTES	33
_Static_assert(STORE_MAX_SOURCES <= CERTAUTH_SPOOL_MAX / 2, "the spool holds more");
/* An address that no certificate named, and that gave nothing, for so long is
 * forgotten, seconds. */
#define STORE_FORGET		(30 * 86400)

/* Who named the address; the higher the better. */
enum origin { ORIGIN_SEEN, ORIGIN_POOL, ORIGIN_POLICY };

struct source {
	char		*url, *authority;
	size_t		 number;	/* of the authority */
	enum origin	 origin;
	char		 name[STORE_NAME_BYTES];
	bool		 listed;	/* still named by somebody */
	bool		 busy;		/* being fetched or looked at */
	bool		 again;		/* told meanwhile to fetch it now */
	bool		 has_object;
	/* saved */
	char		 etag[FETCH_MAX_VALIDATOR], modified[FETCH_MAX_VALIDATOR];
	int64_t		 seen, tried, succeeded, next;
	unsigned	 failures;
	char		 error[256];
	char		 issuer[256], crl_number[48];
	int64_t		 this_update, next_update;
	size_t		 entries;
	unsigned	 alerts;	/* see schedule_alerts() */
};

struct store {
	char		*path;
	int		 state_fd, crl_fd, url_fd, lock_fd;
	struct source  **sources;	size_t num_sources;
};

enum store_open { STORE_OPEN, STORE_LOCKED, STORE_FAILED };
/* Makes the folders, takes the lock, clears what a killed one left half-written.
 * Fills error_r unless STORE_OPEN. */
enum store_open	store_open(struct store *, const char *state,
	    struct certauth_error *error_r);
void	store_close(struct store *);

/* The source of that address, made (and its memory read) when it is new. NULL: a
 * ceiling, no memory. Lives as long as the store. */
struct source *store_source(struct store *, const char *authority, size_t number,
	    const char *url, enum origin);
/* By its name; NULL: none. */
struct source *store_find(const struct store *, const char *name);
/* Reads the memory of addresses that clients' certificates named, for those
 * authorities that `find` knows. */
void	store_read_seen(struct store *, bool (*find)(void *context,
	    const char *authority, size_t *number_r), void *context);
/* Forgets what nobody lists any more; busy ones stay for now. True: an object is
 * gone, the index should know. */
bool	store_sweep(struct store *);

/* False: said on the log; nothing is lost but memory. */
bool	store_save(struct store *, const struct source *);
/* A new file NAME.part to write to; -1: errno. */
int	store_part(struct store *, const struct source *);
void	store_part_remove(const struct store *, const char *name);
/* The part becomes the object: fsync, rename, fsync. Any thread. */
bool	store_keep(const struct store *, const char *name);
/* Is there any object, fetched or pushed? */
bool	store_has_objects(struct store *);
/* Descriptor for reading of NAME.part or NAME.crl; -1: none. Any thread. */
int	store_read(const struct store *, const char *name, bool part);
/* All of a regular file of at most `max` bytes into private memory, with a NUL
 * behind it; the caller frees. A file that is cut while it is read gives what was
 * left. False: errno. Any thread. */
bool	store_read_all(int fd, size_t max, unsigned char **data_r,
	    size_t *data_len_r);
/* A small file of the state folder, by rename. */
bool	store_replace(const struct store *, const char *name, const char *data,
	    size_t data_len, mode_t mode);
/* Its text, the caller frees. NULL: there is none, or it is larger than `max`. */
char   *store_text(const struct store *, const char *name, size_t max);

#endif
