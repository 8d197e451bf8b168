/* pattern.h - one regular expression over one whole value, under hard limits. */
#ifndef CERTAUTH_IDENTITY_PATTERN_H
#define CERTAUTH_IDENTITY_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "certauth.h"

/* Bytes of a pattern, and nested parentheses in it. */
#define PATTERN_MAX_BYTES	512u
#define PATTERN_MAX_NEST	32u
/* Steps of one match, levels of backtracking, memory in KiB. A sane pattern over
 * the 2000 bytes that a value may have takes some thousand steps. */
#define PATTERN_MAX_STEPS	50000u
#define PATTERN_MAX_DEPTH	10000u
#define PATTERN_MAX_HEAP	4096u

struct pattern;

enum pattern_result { PATTERN_BAD, PATTERN_NO, PATTERN_YES };

/*
 * In `arena`, immutable. The pattern must match the whole value, whatever is
 * written in it. `groups`: how many ( ) it must have, -1: any number. NULL:
 * error_r (column in `text`, 1 first; 0: out of memory).
 */
const struct pattern *pattern_compile(const char *text, size_t text_len,
	    int groups, struct arena *, struct certauth_error *error_r);

/* What was compiled. */
const char *pattern_text(const struct pattern *);

/* BAD: a limit was reached, so nothing is known. */
enum pattern_result pattern_match(const struct pattern *, const char *data,
	    size_t data_len);
/* YES: *start_r and *len_r are the first group, a part of `data`. */
enum pattern_result pattern_capture(const struct pattern *, const char *data,
	    size_t data_len, size_t *start_r, size_t *len_r);

#endif
