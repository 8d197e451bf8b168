/*
 * index.h - is this serial on the list of that CA? Written once, then read-only.
 *
 * index_read.c looks up, index_write.c builds, publish.c puts files in place
 * and finds the one in force.
 */
#ifndef CERTAUTH_REVOCATION_INDEX_H
#define CERTAUTH_REVOCATION_INDEX_H

#include <string.h>

#include "base/file.h"
#include "revocation/answers.h"
#include "revocation/crl.h"
#include "revocation/index_format.h"

/* ------------------------------------------------------------------- reading */

/* An index over borrowed bytes. Copy it freely; any thread may read. */
struct index {
	const unsigned char		*data;
	size_t				 data_len;
	const struct index_header	*header;
	const struct index_row		*rows;
	const struct index_table	*tables;
};

/*
 * Checks the header, the small parts and that every table lies inside; does not
 * touch the tables' pages. `data` 8-aligned, borrowed. False: error_r.
 */
bool	index_open(struct index *index_r, const unsigned char *data,
	    size_t data_len, struct certauth_error *error_r);
/* The whole of it: order, lines, counts. For `certauth check` and writers. */
bool	index_check(const struct index *, struct certauth_error *error_r);

size_t	index_num_rows(const struct index *);
/* NULL: none, a row with flags that this reader does not know, or a member: only
 * heads stand for lists. */
const struct index_row *index_row(const struct index *, size_t i);
/* Is this row of the same index a member of that head's list? */
bool	index_is_member(const struct index_row *, const struct index_row *head);
/* What an indirect list says of another issuer; NULL: nothing. */
const struct index_row *index_member(const struct index *,
	    const struct index_row *head, const unsigned char issuer_sha256[32]);
/* Entries of the list, members included. */
uint64_t index_entries(const struct index *, const struct index_row *head);
/* The rows of that issuer name are [first, first + n). */
size_t	index_find(const struct index *, const unsigned char issuer_sha256[32],
	    size_t *first_r);
const char *index_string(const struct index *, uint32_t offset);
/* num_dps x 32 bytes, sorted. */
const unsigned char *index_dps(const struct index *, const struct index_row *);
void	index_row_stamp(const struct index_row *, struct file_stamp *stamp_r);

enum index_answer { INDEX_BROKEN, INDEX_NOT_LISTED, INDEX_LISTED };
struct index_entry {
	int64_t		date;
	unsigned	reason;		/* CRL_NO_REASON, CRL_HOLD, ... */
};
/*
 * The serial as in struct cert: magnitude without leading zeros. No allocation;
 * checks the bounds of what it touches. BROKEN: the file is damaged there, which
 * is no answer.
 */
enum index_answer index_lookup(const struct index *, const struct index_row *,
	    const unsigned char *serial, size_t serial_len, bool negative,
	    struct index_entry *entry_r);

/* The flags of its rows, of a member's too but for INDEX_MEMBER. */
uint32_t index_flags(const struct crl *);
/* Same issuer, key, flags, reasons and distribution points: two editions of one
 * list. A delta CRL is another list than the complete one. */
bool	index_same_scope(const struct index *, const struct index_row *,
	    const struct index *, const struct index_row *);
/* The same with delta CRLs of different bases held apart: the newer one does not
 * repeat what an older one with a lower base says. */
bool	index_same_edition(const struct index *, const struct index_row *,
	    const struct index *, const struct index_row *);
/* As crl_compare_age(). */
int	index_compare_age(const struct index_row *, const struct index_row *);

/* ------------------------------------------------------------------- writing */

struct index_writer;

struct index_writer *index_writer_new(void);		/* NULL: out of memory */
void	index_writer_free(struct index_writer *);	/* NULL allowed */

struct index_source {
	const char		*file;		/* printable */
	struct file_stamp	 stamp;		/* zero: no file */
};
/* What the clock says, before the first add. Without it every list has begun. */
void	index_writer_set_now(struct index_writer *, int64_t now);
/*
 * Adds a parsed CRL whose signature holds under the key `key_sha256`. Of two
 * lists of one scope the newer stays (equal: the first), and while it has not
 * begun, the newest that has; *kept_r says whether this one did. False: out of
 * memory or too many (error_r).
 */
bool	index_writer_add(struct index_writer *, const struct crl *,
	    const unsigned char key_sha256[32], const struct index_source *,
	    bool *kept_r, struct certauth_error *error_r);
/* The same with the list's entries staged already (index_stage.h); they are used
 * up, whatever comes of it. */
struct stage;
bool	index_writer_add_stage(struct index_writer *, const struct crl *,
	    struct stage *, const unsigned char key_sha256[32],
	    const struct index_source *, bool *kept_r,
	    struct certauth_error *error_r);
/* The same for a row of another index: its tables are copied as they are. That
 * index must live as long as the writer. */
bool	index_writer_copy(struct index_writer *, const struct index *,
	    const struct index_row *, bool *kept_r, struct certauth_error *error_r);
/* Does it have a list of that scope, of any age? */
bool	index_writer_has(const struct index_writer *, const struct index *,
	    const struct index_row *);
/* Does it have a newer one? */
bool	index_writer_newer(const struct index_writer *, const struct index *,
	    const struct index_row *);

/* After the last add: the sizes of the result. False: too big. */
bool	index_writer_seal(struct index_writer *, struct certauth_error *error_r);
size_t	index_writer_size(const struct index_writer *);
size_t	index_writer_entries(const struct index_writer *);
size_t	index_writer_rows(const struct index_writer *);
/* One block of index_writer_size() bytes, the caller frees it with free(). */
unsigned char *index_writer_bytes(const struct index_writer *);
/* Into a descriptor, with the sha256 of the head. False: errno. */
bool	index_writer_write(const struct index_writer *, int fd,
	    unsigned char sha256_r[32]);

/* --------------------------------------------------------------- publishing */

/* One line of the manifest `current`: "name size sha256 generation". */
#define PUBLISH_MANIFEST	"current"
#define PUBLISH_LOCK		"lock"
#define PUBLISH_MAX_MANIFEST	(64u * 1024)
struct publish_entry {
	char		name[64];
	uint64_t	size, generation;
	unsigned char	sha256[32];
};
/* The line of the CRL index; lines of other kinds are passed over. False: the
 * manifest is not one (error_r), or names none. */
bool	publish_manifest_parse(const unsigned char *data, size_t data_len,
	    struct publish_entry *entry_r, struct certauth_error *error_r);

/* Each kind has its own numbers and its own line. */
enum publish_kind { PUBLISH_CRL, PUBLISH_ANSWERS, PUBLISH_POOL };
/* The line of that kind; an empty name when there is none. False: no manifest. */
bool	publish_manifest_find(enum publish_kind, const unsigned char *data,
	    size_t data_len, struct publish_entry *entry_r,
	    struct certauth_error *error_r);

/* A published file, mapped. */
struct publish_map {
	const unsigned char	*data;
	size_t			 data_len;
	struct index		 index;		/* PUBLISH_CRL */
	struct answers		 answers;	/* PUBLISH_ANSWERS */
	struct publish_entry	 entry;
	struct file_stamp	 stamp;		/* of the manifest */
};
enum publish_news { PUBLISH_FAILED, PUBLISH_NONE, PUBLISH_SAME, PUBLISH_TAKEN };
/*
 * Looks into the folder `state`. NONE: there is no manifest. SAME: the manifest
 * is the one of `seen`. TAKEN: map_r is filled, unmap with publish_unmap().
 * FAILED: error_r; stamp_r (as always) tells what was looked at, and is one that no
 * file has where it was our own want (file_look_again).
 */
enum publish_news publish_open(const struct file_ref *state,
	    const struct file_owners *, const struct file_stamp *seen,
	    struct file_stamp *stamp_r, struct publish_map *map_r,
	    struct certauth_error *error_r);
/* The same for one kind of file. NONE: there is no line of that kind. */
enum publish_news publish_open_kind(enum publish_kind,
	    const struct file_ref *state, const struct file_owners *,
	    const struct file_stamp *seen, struct file_stamp *stamp_r,
	    struct publish_map *map_r, struct certauth_error *error_r);
void	publish_unmap(struct publish_map *);
/* Would a reader with these owners believe what is in the folder? A missing one
 * says nothing false. */
bool	publish_believed(const struct file_ref *state, const struct file_owners *,
	    struct certauth_error *error_r);

/* The folder, opened and locked for writing. Made (0755) when missing. */
struct publish_folder { char *path; int fd, lock_fd; };
bool	publish_begin(struct publish_folder *folder_r, const char *path,
	    struct certauth_error *error_r);
/* Writes the sealed index, checks it, puts it in force; removes what nobody has
 * named for a minute. */
bool	publish_commit(struct publish_folder *, const struct index_writer *,
	    struct certauth_error *error_r);
/* The same for answers: the bytes of answers_make(). */
bool	publish_commit_answers(struct publish_folder *, const unsigned char *data,
	    size_t data_len, struct certauth_error *error_r);
/* The same for fetched intermediates, PEM. */
bool	publish_commit_pool(struct publish_folder *, const unsigned char *data,
	    size_t data_len, struct certauth_error *error_r);
void	publish_end(struct publish_folder *);

/* Is the mapped CRL index what was written, by the hash in its head? Does not
 * stay in memory. For writers: index_check() is for what may be wrong in itself. */
bool	publish_intact(const struct publish_map *, struct certauth_error *error_r);
/* size and sha256 of the published file as the manifest says (of a CRL index:
 * sha256 of its head, which has the hash of the rest), and index_check(). */
bool	publish_verify(const struct publish_map *, struct certauth_error *error_r);

#endif
