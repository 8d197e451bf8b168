/*
 * input.c - what did the person hand us?
 *
 * Door 2's readers: whole files by name, and the leaf among what is in one.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/err.h>

#include "base/text.h"
#include "certauth_data.h"
#include "input.h"
#include "trust/read.h"

bool
input_read(const char *file, unsigned char **data_r, size_t *data_len_r,
    struct certauth_error *error_r)
{
	FILE		*f = NULL;
	struct stat	 st;
	unsigned char	*data = NULL, *grown;
	size_t		 len = 0, size = 65536, n;
	bool		 ok = false;

	f = fopen(file, "rb");
	if (f == NULL || fstat(fileno(f), &st) != 0) {
		error_set(error_r, file, 0, "cannot be opened: %s",
		    strerror(errno));
		goto out;
	}
	if (S_ISDIR(st.st_mode)) {
		error_set(error_r, file, 0, "is a folder; expected a file");
		goto out;
	}
	if (S_ISREG(st.st_mode) && (unsigned long)st.st_size < INPUT_MAX_BYTES)
		size = (size_t)st.st_size + 1;
	for (;;) {
		if (len + 1 >= size || data == NULL) {
			size = data == NULL ? size + 1 : size * 2;
			grown = size <= INPUT_MAX_BYTES ?
			    realloc(data, size) : NULL;
			if (grown == NULL) {
				error_set(error_r, file, 0, "is over %lu bytes, "
				    "or memory is short", INPUT_MAX_BYTES);
				goto out;
			}
			data = grown;
		}
		n = fread(data + len, 1, size - len - 1, f);
		if (n == 0)
			break;
		len += n;
	}
	if (ferror(f)) {
		error_set(error_r, file, 0, "cannot be read: %s",
		    strerror(errno));
		goto out;
	}
	data[len] = '\0';
	*data_r = data;
	*data_len_r = len;
	data = NULL;
	ok = true;
out:
	free(data);
	if (f != NULL)
		(void)fclose(f);
	return ok;
}

static bool
push(STACK_OF(X509) *stack, X509 *x)
{
	if (X509_up_ref(x) != 1)
		return false;
	if (sk_X509_push(stack, x) > 0)
		return true;
	X509_free(x);
	return false;
}

bool
certauth_read_leaf(const char *file, const char *password, X509 **leaf_r,
    STACK_OF(X509) **sent_r, struct certauth_error *error_r)
{
	struct read_result	 found = { .certs = NULL };
	unsigned char		*data = NULL;
	size_t			 data_len;
	STACK_OF(X509)		*sent = NULL;
	X509			*leaf;
	int			 i;
	bool			 ok = false;

	memset(error_r, 0, sizeof(*error_r));
	*leaf_r = NULL;
	*sent_r = NULL;
	if (!input_read(file, &data, &data_len, error_r))
		return false;
	if (!read_certs(data, data_len, password, &found)) {
		error_set(error_r, file, 0, "out of memory");
		goto out;
	}
	sent = sk_X509_new_null();
	if (sent == NULL)
		goto out;
	leaf = found.key_cert != NULL ? found.key_cert :
	    sk_X509_value(found.certs, 0);
	for (i = 0; i < sk_X509_num(found.certs); i++)
		if (sk_X509_value(found.certs, i) != leaf &&
		    !push(sent, sk_X509_value(found.certs, i)))
			goto out;
	if (leaf != NULL && X509_up_ref(leaf) != 1)
		goto out;
	*leaf_r = leaf;
	*sent_r = sent;
	sent = NULL;
	/* A .pfx that stays shut says nothing of the certificate in it. */
	ok = leaf != NULL || !found.locked;
	if (!ok)
		error_set(error_r, file, 0, "%s; verify and explain take its "
		    "password (--password-file, the first line), and "
		    "\"openssl pkcs12 -nokeys\" the certificate out of it",
		    found.hint);
	else if (leaf == NULL)	/* not an I/O error: the answer is "malformed" */
		error_set(error_r, file, 0, "%s", found.hint != NULL ?
		    found.hint : "holds no certificate that can be read; "
		    "expected PEM, DER, PKCS#7 or PKCS#12");
out:
	free(data);
	sk_X509_pop_free(sent, X509_free);
	read_result_free(&found);
	return ok;
}

bool
certauth_read_sent(const char *file, STACK_OF(X509) **sent,
    struct certauth_error *error_r)
{
	struct read_result	 found = { .certs = NULL };
	unsigned char		*data = NULL;
	size_t			 data_len;
	int			 i;
	bool			 ok = false;

	memset(error_r, 0, sizeof(*error_r));
	if (!input_read(file, &data, &data_len, error_r))
		return false;
	if (*sent == NULL)
		*sent = sk_X509_new_null();
	if (*sent == NULL || !read_certs(data, data_len, NULL, &found)) {
		error_set(error_r, file, 0, "out of memory");
		goto out;
	}
	ok = true;
	for (i = 0; ok && i < sk_X509_num(found.certs); i++)
		ok = push(*sent, sk_X509_value(found.certs, i));
out:
	free(data);
	read_result_free(&found);
	return ok;
}

bool
certauth_time_parse(const char *text, int64_t *seconds_r)
{
	return text_time_parse(text, seconds_r);
}

char *
certauth_time_print(char *buf, size_t buf_len, int64_t seconds)
{
	return text_time_print(buf, buf_len, seconds);
}
