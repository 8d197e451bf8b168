/*
 * log_lines.h - decisions out of a server's log.
 *
 * Text or JSON, with what the server puts before and behind. The log is somebody
 * else's file: each value comes back printable.
 */
#ifndef CERTAUTH_COMMAND_LOG_LINES_H
#define CERTAUTH_COMMAND_LOG_LINES_H

#include <stdbool.h>

#include <jansson.h>

/*
 * Once for each decision, by the names of certauth_verdict_json(): result, reason,
 * message, user, profile, serial, subject, issuer, id and what else is there;
 * borrowed. For a line that should be one and is not: NULL and why.
 */
typedef void log_lines_fn(void *context, const json_t *decision,
    const char *why);

/* `file` "-": standard input. What is no decision of ours is passed over. False: it
 * cannot be read, said on stderr. */
bool	log_lines_read(const char *file, log_lines_fn *, void *context);
/* Is it a log with decisions, by its first lines? False as well when it cannot be
 * read. */
bool	log_lines_looks_like(const char *file);
/* The decision in one line, the caller's; NULL: none, *why_r NULL when nothing says
 * that there should be one. */
json_t *log_lines_parse(const char *line, const char **why_r);

#endif
