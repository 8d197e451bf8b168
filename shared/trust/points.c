/*
 * points.c - where does this certificate say its CRLs are, and whose are they?
 *
 * Reads cRLDistributionPoints (RFC 5280 4.2.1.13) into plain fields: names and
 * CRL issuers as hashes, to be compared with those of lists. Judges nothing and
 * fetches nothing.
 */

#include <stdlib.h>

#include <openssl/x509v3.h>

#include "trust/cert.h"
#include "trust/points.h"

/* Names beyond the ceiling match no list. */
static bool
add_name(unsigned char (*names)[32], size_t *num, const GENERAL_NAME *name)
{
	if (*num == CERT_MAX_DISTRIBUTION_POINTS)
		return true;
	if (!cert_general_name_sha256(name, names[*num]))
		return false;
	(*num)++;
	return true;
}

static bool
add_names(unsigned char (*names)[32], size_t *num, const GENERAL_NAMES *from)
{
	int	i;

	for (i = 0; i < sk_GENERAL_NAME_num(from) &&
	    i < CERT_MAX_DISTRIBUTION_POINTS; i++)
		if (!add_name(names, num, sk_GENERAL_NAME_value(from, i)))
			return false;
	return true;
}

/* A name relative to the CRL issuer: of cRLIssuer if that is one name, else of
 * the certificate's issuer. */
static bool
add_relative(struct cert *cert, const DIST_POINT *point)
{
	const X509_NAME	*base = X509_get_issuer_name(cert->x509);
	GENERAL_NAME	 name, *issuer;

	if (point->CRLissuer != NULL && sk_GENERAL_NAME_num(point->CRLissuer) == 1) {
		issuer = sk_GENERAL_NAME_value(point->CRLissuer, 0);
		if (issuer->type == GEN_DIRNAME)
			base = issuer->d.directoryName;
	}
	if (DIST_POINT_set_dpname(point->distpoint,
	    (X509_NAME *)(uintptr_t)base) != 1)
		return true;		/* no name that any list could have */
	name.type = GEN_DIRNAME;
	name.d.directoryName = point->distpoint->dpname;
	return add_name(cert->dps, &cert->num_dps, &name);
}

static unsigned
reason_mask(const ASN1_BIT_STRING *bits)
{
	unsigned	mask = 0;
	int		i;

	for (i = 1; i <= 8; i++)
		if (ASN1_BIT_STRING_get_bit(bits, i) != 0)
			mask |= 1u << i;
	return mask;
}

static bool
read_point(struct cert *cert, const DIST_POINT *point)
{
	struct cert_point	*out = &cert->points[cert->num_points++];

	out->first_dp = cert->num_dps;
	out->first_issuer = cert->num_point_issuers;
	out->has_reasons = point->reasons != NULL;
	if (out->has_reasons)
		out->reasons = reason_mask(point->reasons);
	if (point->CRLissuer != NULL) {
		out->has_issuer = true;
		if (!add_names(cert->point_issuers, &cert->num_point_issuers,
		    point->CRLissuer))
			return false;
	}
	if (point->distpoint != NULL) {
		out->has_name = true;
		if (point->distpoint->type == 0 ?
		    !add_names(cert->dps, &cert->num_dps,
		    point->distpoint->name.fullname) :
		    !add_relative(cert, point))
			return false;
	}
	out->num_dps = cert->num_dps - out->first_dp;
	out->num_issuers = cert->num_point_issuers - out->first_issuer;
	return true;
}

/* No more than is needed: a pool holds thousands of certificates. */
static bool
make_room(struct cert *cert, const CRL_DIST_POINTS *points)
{
	const DIST_POINT	*point;
	size_t			 dps = 0, issuers = 0, max;
	int			 i;

	for (i = 0; i < sk_DIST_POINT_num(points) &&
	    i < CERT_MAX_DISTRIBUTION_POINTS; i++) {
		point = sk_DIST_POINT_value(points, i);
		if (point->CRLissuer != NULL)
			issuers += (size_t)sk_GENERAL_NAME_num(point->CRLissuer);
		if (point->distpoint != NULL)
			dps += point->distpoint->type != 0 ? 1 : (size_t)
			    sk_GENERAL_NAME_num(point->distpoint->name.fullname);
	}
	max = CERT_MAX_DISTRIBUTION_POINTS;
	cert->points = calloc((size_t)i + 1, sizeof(*cert->points));
	cert->dps = calloc((dps < max ? dps : max) + 1, sizeof(*cert->dps));
	cert->point_issuers = calloc((issuers < max ? issuers : max) + 1,
	    sizeof(*cert->point_issuers));
	return cert->points != NULL && cert->dps != NULL &&
	    cert->point_issuers != NULL;
}

bool
points_read(struct cert *cert, const CRL_DIST_POINTS *points)
{
	const DIST_POINT	*point;
	int			 i;
	bool			 ok = make_room(cert, points);

	for (i = 0; ok && i < sk_DIST_POINT_num(points) &&
	    i < CERT_MAX_DISTRIBUTION_POINTS; i++) {
		point = sk_DIST_POINT_value(points, i);
		/* "MUST NOT consist of only the reasons field" */
		if (point->distpoint == NULL &&
		    sk_GENERAL_NAME_num(point->CRLissuer) <= 0)
			cert->faults |= CERT_FAULT_EXTENSION;
		ok = read_point(cert, point);
	}
	return ok;
}

void
points_free(struct cert *cert)
{
	free(cert->points);
	free(cert->dps);
	free(cert->point_issuers);
}
