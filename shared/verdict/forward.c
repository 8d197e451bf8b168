/*
 * forward.c - the certificate for a backend, as RFC 9440 writes it, and what nobody
 * else may say to one.
 *
 * Only of an ACCEPT: a header that is there means "checked".
 */

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/text.h"
#include "verdict/verdict.h"

/* RFC 8941 3.3.5: a byte sequence, base64 between colons. */
static bool
add_bytes(struct text *out, X509 *x)
{
	unsigned char	*der = NULL, *base64;
	int		 der_len = i2d_X509(x, &der), len;
	bool		 ok = false;

	if (der_len <= 0)
		return false;
	base64 = malloc(((size_t)der_len + 2) / 3 * 4 + 1);
	if (base64 != NULL) {
		len = EVP_EncodeBlock(base64, der, der_len);
		text_add(out, out->len > 0 ? ", :" : ":");
		text_add_n(out, (const char *)base64, (size_t)len);
		text_add(out, ":");
		ok = len > 0;
	}
	free(base64);
	OPENSSL_free(der);
	return ok;
}

char *
certauth_verdict_forward(const struct certauth_verdict *v, bool chain)
{
	STACK_OF(X509)	*path = certauth_verdict_get0_path(v);
	struct text	 out = { 0 };
	int		 i, n;
	bool		 ok = true;

	if (certauth_verdict_decision(v) != CERTAUTH_ACCEPT || path == NULL)
		return NULL;
	n = chain ? sk_X509_num(path) : 1;
	for (i = chain ? 1 : 0; ok && i < n; i++)
		ok = add_bytes(&out, sk_X509_value(path, i));
	if (!ok || out.len > CERTAUTH_FORWARD_MAX) {
		text_free(&out);
		return NULL;
	}
	return text_take(&out);
}

/* RFC 9440, what our examples set, and what else is believed. A name that ends in
 * "-" is a beginning. */
static const char *const	ours[] = {
	"client-cert", "client-cert-", "certauth-", "x-certauth-",
	"x-client-cert", "x-client-cert-", "x-ssl-client-", "remote-user",
	"remote-groups", "x-remote-user", "x-remote-groups",
};

bool
certauth_header_is_ours(const char *name, size_t name_len)
{
	size_t	i, n, len;
	char	c;

	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		len = strlen(ours[i]);
		if (name_len < len ||
		    (name_len > len && ours[i][len - 1] != '-'))
			continue;
		for (n = 0; n < len; n++) {
			c = name[n] == '_' ? '-' : name[n];
			text_lower_ascii(&c, 1);
			if (c != ours[i][n])
				break;
		}
		if (n == len)
			return true;
	}
	return false;
}
