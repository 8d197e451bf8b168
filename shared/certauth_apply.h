/*
 * certauth_apply.h - public door 4: generations of a policy, for the command.
 *
 * A generation is the policy file with what it includes and the CA certificates that
 * it names, in one file that nobody changes any more. Whoever opens the policy by
 * certauth_open() gets the generation in force, without one the file.
 */
#ifndef CERTAUTH_APPLY_H
#define CERTAUTH_APPLY_H

#include "certauth.h"

/* Generations that stay, the one in force and the one before it among them. */
#define CERTAUTH_APPLY_KEEP	10

/* The file, whatever is in force. */
struct certauth *certauth_open_file(const char *conf,
	    struct certauth_error *error_r);
/* The generation whose file has that name, in force or not. */
struct certauth *certauth_open_applied(const char *conf, const char *name,
	    struct certauth_error *error_r);
/* The number of the generation that an engine was opened from; 0: from the file. */
unsigned certauth_applied(const struct certauth *);

struct certauth_generation {
	unsigned number;
	unsigned replaces;	/* what was in force before; 0: the file */
	int64_t	 time;		/* when it was applied */
	char	 by[64];	/* printable */
	size_t	 files;
	bool	 in_force, damaged;	/* damaged: nothing but `number` is known */
};
typedef void certauth_generation_fn(void *context,
    const struct certauth_generation *);
/* fn (may be NULL) for each, the newest first; nothing where none was ever applied. *in_force_r: the
 * number, 0: the file is in force. False: error_r, it cannot be told which is in force;
 * fn was called all the same where there are some. */
bool	certauth_generations(const char *conf, certauth_generation_fn *, void *context,
	    unsigned *in_force_r, struct certauth_error *error_r);

enum certauth_difference {
	CERTAUTH_DIFFERENCE_UNKNOWN,	/* error_r: one cannot be read */
	CERTAUTH_DIFFERENCE_NONE,	/* they are the same, byte by byte */
	CERTAUTH_DIFFERENCE_SOME
};
/* Between the file, with all that it names, and the generation in force; where none
 * is, NONE. */
enum certauth_difference certauth_applied_differs(const char *conf,
	    struct certauth_error *error_r);

/*
 * A change of what is in force, in two steps, so that somebody can look in between.
 * FILE: of the file as it is now becomes a new generation, which is on the disk and
 * not in force; look at it with certauth_open_applied(). BACK: to generation `number`,
 * 0: the one before. REMOVE: to the file itself. Others who change it wait until
 * certauth_apply_end(). NULL: error_r.
 */
enum certauth_apply_kind { CERTAUTH_APPLY_FILE, CERTAUTH_APPLY_BACK,
	CERTAUTH_APPLY_REMOVE };
struct certauth_apply_ask {
	enum certauth_apply_kind kind;
	unsigned	 number;
	const char	*by;		/* who; any bytes */
	int64_t		 now;		/* 0: the clock */
};
struct certauth_apply;
struct certauth_apply *certauth_apply_begin(const char *conf,
	    const struct certauth_apply_ask *, struct certauth_error *error_r);
/* What will be in force: the name of its file, "" for the policy file itself. */
const char *certauth_apply_name(const struct certauth_apply *);
unsigned certauth_apply_number(const struct certauth_apply *);	/* 0: the file */
unsigned certauth_apply_was(const struct certauth_apply *);	/* likewise */
/* It is in force already, byte by byte. */
bool	certauth_apply_is_same(const struct certauth_apply *);
/* In force from here on, for whoever opens the policy. False: error_r; what was in
 * force is so still, unless the error says otherwise. */
bool	certauth_apply_commit(struct certauth_apply *, struct certauth_error *error_r);
/* What was begun and is not in force is removed. NULL allowed. */
void	certauth_apply_end(struct certauth_apply *);

#endif
