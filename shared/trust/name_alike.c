/*
 * name_alike.c - are these names of one series?
 */

#include "trust/name_alike.h"

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool
name_alike(const char *a, const char *b)
{
	while (*a != '\0' && *b != '\0') {
		if (is_digit(*a) && is_digit(*b)) {
			while (is_digit(*a))
				a++;
			while (is_digit(*b))
				b++;
		} else if (*a++ != *b++)
			return false;
	}
	return *a == *b;
}
