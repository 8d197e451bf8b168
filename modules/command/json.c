/*
 * json.c - how does an answer become one line of JSON?
 *
 * Jansson takes UTF-8 alone and gives NULL for the rest; here NULL is never "an
 * empty answer".
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json.h"

/* A row that could not be made: the answer would be a lie by omission. */
static bool	lost;

int
print_json(json_t *root, int status)
{
	char	*text = root != NULL && !lost ?
		    json_dumps(root, JSON_COMPACT) : NULL;

	if (text != NULL)
		(void)printf("%s\n", text);
	else
		status = complain("the answer cannot be put into JSON: out of "
		    "memory, or text that is not UTF-8");
	free(text);
	json_decref(root);
	return status;
}

void
add_json(json_t *array, json_t *item)
{
	if (json_array_append_new(array, item) != 0)
		lost = true;
}

bool
json_lost(void)
{
	if (lost)
		(void)complain("a line is missing: out of memory, or text that is "
		    "not UTF-8");
	return lost;
}

const char *
text_of(const json_t *row, const char *key)
{
	const char	*text = json_string_value(json_object_get(row, key));

	return text != NULL ? text : "";
}

json_t *
name_json(const char *name)
{
	json_t	*string = json_string(name);
	size_t	 i, n = 0, size = 4 * strlen(name) + 1;
	char	*buf;

	if (string != NULL)
		return string;
	buf = malloc(size);
	for (i = 0; buf != NULL && name[i] != '\0'; i++)
		if ((unsigned char)name[i] < 0x80)
			buf[n++] = name[i];
		else
			n += (size_t)snprintf(buf + n, size - n, "\\x%02x",
			    (unsigned char)name[i]);
	if (buf != NULL)
		string = json_stringn(buf, n);
	free(buf);
	return string;
}
