/* json.h - what --json prints. Never half of it: what is lost ends with exit 2. */
#ifndef CERTAUTH_COMMAND_JSON_H
#define CERTAUTH_COMMAND_JSON_H

#include <stdbool.h>

#include <jansson.h>

/* One line on stdout; frees `root`. Returns `status`, or EXIT_USAGE (said on stderr)
 * when `root` is NULL or add_json() has lost something: then nothing is printed. */
int	print_json(json_t *root, int status);
/* `item` becomes the array's; NULL is remembered for print_json(). */
void	add_json(json_t *array, json_t *item);
/* Has add_json() lost something? Says so; for those who print text of it. */
bool	json_lost(void);
/* "" when the row has no such text. */
const char *text_of(const json_t *row, const char *key);
/* A file's name: bytes over 0x7f that are no UTF-8 become \\xHH. */
json_t *name_json(const char *name);

#endif
