/*
 * online.c - where is data fetched for an authority, in which order is it asked
 * for, and how long may a login wait for it?
 *
 * Looks at the shape of the URLs alone: who fetches decides what may be reached.
 */

#include <stdlib.h>
#include <string.h>

#include "config/load.h"

/* Nobody should wait longer for a login than a person does. */
#define ONLINE_MAX_DEADLINE	60
/* Longer than any CA's; libcurl takes up to 8 MB. */
#define ONLINE_MAX_URL		2048

static bool
starts(const char *url, const char *scheme)
{
	return strncasecmp(url, scheme, strlen(scheme)) == 0 &&
	    url[strlen(scheme)] != '\0' && url[strlen(scheme)] != '/';
}

/* Printable ASCII without blanks, as RFC 3986 wants it. */
static bool
plain(const char *url)
{
	size_t	i;

	for (i = 0; url[i] != '\0'; i++)
		if (url[i] <= ' ' || url[i] >= 0x7f || i >= ONLINE_MAX_URL)
			return false;
	return true;
}

/* An administrator's URL may be a file. */
static bool
crl_url_ok(const char *url, bool ldap)
{
	return plain(url) && (starts(url, "http://") ||
	    starts(url, "https://") || (ldap && (starts(url, "ldap://") ||
	    starts(url, "ldaps://"))) ||
	    (strncasecmp(url, "file:///", 8) == 0 && url[8] != '\0'));
}

static bool
load_crl_urls(struct load *load, const config_setting_t *at,
    struct config_authority *authority)
{
	const config_setting_t	*elem;
	size_t			 i, num;

	if (at == NULL)
		return true;
	num = (size_t)config_setting_length(at);
	authority->crl_urls = calloc(num + 1, sizeof(*authority->crl_urls));
	if (authority->crl_urls == NULL)
		return load_no_memory(load);
	for (i = 0; i < num; i++) {
		elem = config_setting_get_elem(at, (unsigned)i);
		if (!crl_url_ok(elem->value.sval, authority->ldap))
			return load_expected(load, elem, "a URL as "
			    "http://HOST/PATH, https: or file:///PATH, without "
			    "blanks (ldap:// with ldap = true)");
		authority->crl_urls[i] = strdup(elem->value.sval);
		if (authority->crl_urls[i] == NULL)
			return load_no_memory(load);
		authority->num_crl_urls++;
	}
	return true;
}

static bool
load_sources(struct load *load, const config_setting_t *at,
    struct revocation_options *options)
{
	static const char *const words[] = { "crl", "ocsp" };
	const config_setting_t	*elem;
	size_t			 i, j, word, num;

	num = (size_t)config_setting_length(at);
	if (num > REVOCATION_MAX_SOURCES)
		return load_expected(load, at, "\"crl\" and \"ocsp\", each once");
	for (i = 0; i < num; i++) {
		elem = config_setting_get_elem(at, (unsigned)i);
		if (!values_word(load, elem, words, 2, &word))
			return false;
		options->sources[i] = word == 0 ? REVOCATION_CRL :
		    REVOCATION_OCSP;
		for (j = 0; j < i; j++)
			if (options->sources[j] == options->sources[i])
				return load_expected(load, at, "\"crl\" and "
				    "\"ocsp\", each once");
	}
	options->num_sources = num;
	return true;
}

static bool
load_path(struct load *load, const config_setting_t *at, bool may_miss,
    char **path_r)
{
	struct file_ref	ref;

	if (!refs_open(load, at, may_miss, &ref))
		return false;
	*path_r = strdup(ref.path);
	file_ref_close(&ref);
	return *path_r != NULL ? true : load_no_memory(load);
}

bool
online_revocation(struct load *load, const struct chain *chain,
    struct config_authority *authority)
{
	const config_setting_t	*at;

	authority->ldap = values_find(load, chain, "ldap")->value.ival != 0;
	authority->ocsp_nonce = values_find(load, chain,
	    "ocsp_nonce")->value.ival != 0;
	if (!load_crl_urls(load, values_find(load, chain, "crl_urls"),
	    authority) ||
	    !load_sources(load, values_find(load, chain, "sources"),
	    &authority->revocation))
		return false;
	at = values_find(load, chain, "ocsp_url");
	if (at != NULL) {
		if (!plain(at->value.sval) ||
		    (!starts(at->value.sval, "http://") &&
		    !starts(at->value.sval, "https://")))
			return load_expected(load, at, "a URL as "
			    "http://HOST/PATH or https:, without blanks");
		authority->ocsp_url = strdup(at->value.sval);
		if (authority->ocsp_url == NULL)
			return load_no_memory(load);
	}
	at = values_find(load, chain, "ca_file");
	if (at != NULL && !load_path(load, at, false, &authority->ca_file))
		return false;
	authority->private_addresses = values_find(load, chain,
	    "private_addresses")->value.ival != 0;
	at = values_find(load, chain, "refresh");
	if (!values_duration(load, at, &authority->refresh))
		return false;
	return authority->refresh > 0 ? true :
	    load_expected(load, at, "a duration over 0");
}

bool
online_refresher(struct load *load, const struct chain *top)
{
	return load_path(load, values_find(load, top, "refresher"), true,
	    &load->config->refresher);
}

bool
online_deadline(struct load *load, const struct chain *chain,
    struct config_profile *profile)
{
	const config_setting_t	*at = values_find(load, chain, "deadline");
	int64_t			 seconds;

	if (!values_duration(load, at, &seconds))
		return false;
	if (seconds > ONLINE_MAX_DEADLINE)
		return load_expected(load, at, "at most \"60s\"");
	profile->deadline = (unsigned)seconds * 1000;
	return true;
}

void
online_free(struct config_authority *authority)
{
	size_t	i;

	for (i = 0; i < authority->num_crl_urls; i++)
		free(authority->crl_urls[i]);
	free(authority->crl_urls);
	free(authority->ocsp_url);
	free(authority->ca_file);
}
