/*
 * load.h - what revocation.c asks and load.c fills; inside this room, and
 * load_crls() for compile.c.
 */
#ifndef CERTAUTH_REVOCATION_LOAD_H
#define CERTAUTH_REVOCATION_LOAD_H

#include <stdatomic.h>

#include "revocation/index.h"
#include "revocation/revocation.h"

/* An index in private memory, shared between generations. */
struct load_memory {
	atomic_uint	 refs;
	unsigned char	*bytes;
	struct index	 index;
};
/* A published index, mapped, likewise. */
struct load_mapped {
	atomic_uint	 refs;
	struct publish_map map;
	char		 source[96];	/* "index crl.3.idx" */
};

/* One CRL file as it was last seen. */
struct load_unit {
	char		   *path;
	struct file_stamp   stamp;	/* zero: there was none */
	struct load_memory *memory;	/* NULL: nothing usable, or published */
	bool		    covered;	/* the published index has just this file */
};

/* Delta CRLs of one scope that are kept; a CA has one or two in force. */
#define LOAD_MAX_DELTAS		16u

/* A list in force: one a scope, and behind it its delta CRLs. */
struct load_row {
	const struct index	*index;
	const struct index_row	*row;
	const char		*source;
	bool			 published;
	bool			 waits;	/* in force until the row before begins */
	bool			 alone;	/* a delta CRL without a complete one */
	/* of a complete list: its delta CRLs among the rows, newest first */
	size_t			 first_delta, num_deltas;
};

struct revocation_data {
	atomic_uint		 refs;
	struct load_unit	*units;		/* sorted by path */
	size_t			 num_units;
	bool			*broken;	/* a source could not be listed */
	size_t			 num_broken;
	struct load_mapped	*mapped;	/* NULL: none */
	struct load_mapped	*answers;	/* NULL: none */
	struct load_row		*rows;		/* sorted by issuer */
	size_t			 num_rows;
};

/* in_force.c */
struct load_memory *load_memory_ref(struct load_memory *);	/* NULL allowed */
void	load_memory_free(struct load_memory *);			/* NULL allowed */
void	load_mapped_free(struct load_mapped *);			/* NULL allowed */
struct revocation_data *load_data_new(size_t num_sources);
/* Fills rows from units and map. False: out of memory. */
bool	load_put_in_force(struct revocation_data *);
/* The state that has this published index only; takes the map over. NULL: out of
 * memory. */
struct revocation_data *load_map_in_force(struct publish_map *);
/* Has some other source (the first num_units, the map) a list at least as new for
 * every list in `memory`? */
bool	load_superseded(const struct revocation_data *, size_t num_units,
	    const struct load_memory *memory);

/*
 * load_answers.c: the answers index of the manifest into `data`, or what `last`
 * (NULL: first load) had. `seen`: the manifest, as it was and is. True: it is
 * another one. A bad one is remarked.
 */
bool	load_answers(const struct revocation_sources *,
	    const struct revocation_data *last, struct revocation_data *data,
	    struct file_stamp *seen, revocation_remark_fn *, void *context);

/*
 * load_crls.c: reads the CRLs of one file into the writer: parsed, signed by a
 * CA of the pools, not older than the edition that `last` (NULL: none) has from
 * the same file. Calls fn for each with an error, or NULL when it was taken.
 * True: all of them were taken and there was one. When one was not and `copy`,
 * what `last` has from the file and the file no longer gives is copied, so that
 * the last good list stays. `last` must live as long as the writer.
 */
typedef void load_crl_fn(void *context, const struct crl *crl, const char *error);
bool	load_crls(struct index_writer *, const unsigned char *data, size_t data_len,
	    const struct index_source *, const struct pool *const *pools,
	    size_t num_pools, const struct index *last, bool copy, load_crl_fn *,
	    void *context);

/*
 * The same for a file with one long list, read piece by piece from its
 * descriptor; copies as with `copy`. False: it is no such file (PEM, short, ...),
 * nothing was called and nothing is known of it: read it whole.
 */
bool	load_long_crl(struct index_writer *, int fd, size_t len,
	    const struct index_source *, const struct pool *const *pools,
	    size_t num_pools, const struct index *last, load_crl_fn *,
	    void *context);

/* Was this row made from that file? */
bool	load_from_file(const struct index *, const struct index_row *,
	    const char *file);

#endif
