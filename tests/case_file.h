/*
 * case_file.h - what does this .case file ask? Read, and laid out as a policy
 * file with its data in a folder of its own.
 *
 * Does not judge and asks nothing. The format: tests/cases/README.md.
 */
#ifndef CERTAUTH_TESTS_CASE_FILE_H
#define CERTAUTH_TESTS_CASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CASE_MAX_PAIRS	128
#define CASE_MAX_WORDS	64
#define CASE_MAX_PATH	1024

struct case_pair { char *key, *value; };
struct case_file {
	char		 path[CASE_MAX_PATH];
	struct case_pair pairs[CASE_MAX_PAIRS];
	size_t		 num_pairs;
};
struct case_words { char *words[CASE_MAX_WORDS]; size_t num_words; };

/* False after saying why on stderr. */
bool	case_read(struct case_file *, const char *path);
void	case_clear(struct case_file *);
/* The last value of `key`, or `otherwise`. */
const char *case_get(const struct case_file *, const char *key,
	    const char *otherwise);
bool	case_has(const struct case_file *, const char *key);
/* All words of all values of `key`; free with case_words_clear(). */
void	case_words(const struct case_file *, const char *key,
	    struct case_words *words_r);
void	case_words_clear(struct case_words *);
/* tests/pki/NAME into `path_r` (CASE_MAX_PATH bytes). */
void	case_pki(const char *pki, const char *name, char *path_r);
bool	case_time(const char *text, int64_t *time_r);

/* Writes folder/policy.conf and what it names; `reverse`: every list of files
 * the other way round. False after saying why. */
bool	case_lay_out(const struct case_file *, const char *pki,
	    const char *folder, bool reverse);
/* One `then:` that changes data. A clock step sets *now. */
bool	case_step(const char *step, const char *pki, const char *folder,
	    int64_t *now);
/* Only what `certauth verify --roots` can be told? */
bool	case_chain_only(const struct case_file *);

#endif
