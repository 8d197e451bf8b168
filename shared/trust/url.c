/*
 * url.c - does a certificate name a place to ask?
 *
 * CRL distribution points (RFC 5280 4.2.1.13) and authority information access
 * (4.2.2.1). Other schemes are no place that anybody of ours asks. Whether it may
 * be followed is not judged here.
 */

#include <string.h>
#include <strings.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "trust/url.h"

/* Distribution points, names of one, access descriptions that are looked at. */
#define MAX_POINTS	64

static bool
is_http(const GENERAL_NAME *name)
{
	const ASN1_IA5STRING	*s;
	const char		*p;
	int			 n;

	if (name->type != GEN_URI)
		return false;
	s = name->d.uniformResourceIdentifier;
	p = (const char *)ASN1_STRING_get0_data(s);
	n = ASN1_STRING_length(s);
	return (n > 7 && strncasecmp(p, "http://", 7) == 0) ||
	    (n > 8 && strncasecmp(p, "https://", 8) == 0);
}

static bool
has_point(X509 *x)
{
	CRL_DIST_POINTS		*points;
	const DIST_POINT	*point;
	const GENERAL_NAMES	*names;
	int			 i, j;
	bool			 found = false;

	points = X509_get_ext_d2i(x, NID_crl_distribution_points, NULL, NULL);
	for (i = 0; i < sk_DIST_POINT_num(points) && i < MAX_POINTS; i++) {
		point = sk_DIST_POINT_value(points, i);
		/* A relative name is part of a directory name: no URL. */
		if (point->distpoint == NULL || point->distpoint->type != 0)
			continue;
		names = point->distpoint->name.fullname;
		for (j = 0; j < sk_GENERAL_NAME_num(names) && j < MAX_POINTS;
		    j++)
			found |= is_http(sk_GENERAL_NAME_value(names, j));
	}
	CRL_DIST_POINTS_free(points);
	return found;
}

static bool
has_access(X509 *x, int method)
{
	AUTHORITY_INFO_ACCESS		*access;
	const ACCESS_DESCRIPTION	*one;
	int				 i;
	bool				 found = false;

	access = X509_get_ext_d2i(x, NID_info_access, NULL, NULL);
	for (i = 0; i < sk_ACCESS_DESCRIPTION_num(access) && i < MAX_POINTS;
	    i++) {
		one = sk_ACCESS_DESCRIPTION_value(access, i);
		found |= OBJ_obj2nid(one->method) == method &&
		    is_http(one->location);
	}
	AUTHORITY_INFO_ACCESS_free(access);
	return found;
}

bool
url_has_http(X509 *x, enum url_kind kind)
{
	bool	found = false;

	ERR_set_mark();
	switch (kind) {
	case URL_CRL:
		found = has_point(x);
		break;
	case URL_OCSP:
		found = has_access(x, NID_ad_OCSP);
		break;
	case URL_ISSUER:
		found = has_access(x, NID_ad_ca_issuers);
		break;
	}
	ERR_pop_to_mark();
	return found;
}
