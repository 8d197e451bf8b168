/*
 * names.c - what do the names of a certificate hold: the subject's, the issuer's,
 * and those inside the subjectAltName that are no plain strings?
 */

#include <string.h>

#include <openssl/err.h>
#include <openssl/objects.h>

#include "identity/dn.h"
#include "identity/extract.h"

static bool
is_wanted(const struct source *source, const ASN1_OBJECT *oid)
{
	return OBJ_length(oid) == source->oid_len &&
	    memcmp(OBJ_get0_data(oid), source->oid, source->oid_len) == 0;
}

/*
 * Entry by entry, the members of a multi-valued RDN like any other, in the order
 * of the certificate. A position counts what is there, twice the same too; a
 * value that must not be used refuses also at another position.
 */
static bool
attribute_values(struct extract *x, const X509_NAME *name)
{
	const struct source	*source = x->source;
	struct values		 all = { .num_items = 0 };
	struct extract		 one = { x->extractor, source, &all };
	const X509_NAME_ENTRY	*entry, *chosen = NULL;
	int			 i, at = 0, n = X509_NAME_entry_count(name);

	for (i = 0; i < n; i++) {
		entry = X509_NAME_get_entry(name, i);
		if (!is_wanted(source, X509_NAME_ENTRY_get_object(entry)))
			continue;
		if (source->position == 0) {
			if (!extract_string(x, X509_NAME_ENTRY_get_data(entry)))
				return false;
			continue;
		}
		all.num_items = 0;
		if (!extract_string(&one, X509_NAME_ENTRY_get_data(entry))) {
			x->values->fault = all.fault;
			x->values->no_memory = all.no_memory;
			return false;
		}
		if (++at == source->position)
			chosen = entry;
	}
	if (source->position < 0 && -source->position <= at) {
		at += source->position + 1;	/* -1: the last */
		for (i = 0; i < n && chosen == NULL; i++) {
			entry = X509_NAME_get_entry(name, i);
			if (is_wanted(source, X509_NAME_ENTRY_get_object(entry)) &&
			    --at == 0)
				chosen = entry;
		}
	}
	return chosen == NULL ||
	    extract_string(x, X509_NAME_ENTRY_get_data(chosen));
}

/* Every value of the name must be one that could be used, or its print would
 * carry what no value may hold. */
static bool
whole_name(struct extract *x, const X509_NAME *name)
{
	struct values	 all = { .num_items = 0 };
	struct extract	 one = { x->extractor, x->source, &all };
	struct text	 out = { 0 };
	int		 i, n = X509_NAME_entry_count(name);
	bool		 ok;

	if (n == 0)
		return true;	/* an empty name is nobody's */
	for (i = 0; i < n; i++) {
		all.num_items = 0;
		if (!extract_string(&one, X509_NAME_ENTRY_get_data(
		    X509_NAME_get_entry(name, i)))) {
			x->values->fault = all.fault;
			x->values->no_memory = all.no_memory;
			return false;
		}
	}
	if (dn_print(name, x->source->form, &out))
		ok = extract_add(x, (const unsigned char *)out.data, out.len,
		    false);
	else
		ok = extract_fault(x, "a name that cannot be printed so", "", 0);
	text_free(&out);
	return ok;
}

static bool
name_values(struct extract *x, const X509_NAME *name)
{
	if (X509_NAME_entry_count(name) > SOURCE_MAX_ENTRIES) {
		x->values->fault = "the name has more than 1024 attributes";
		return false;
	}
	return x->source->kind == SOURCE_DN ? whole_name(x, name) :
	    attribute_values(x, name);
}

/* The view has strings alone, so it is decoded once more. NULL: there is none,
 * or the values have a fault. */
static GENERAL_NAMES *
alternative_names(struct extract *x)
{
	const struct cert	*cert = x->extractor->cert;
	GENERAL_NAMES		*names;
	int			 critical = 0;

	if ((cert->faults & (CERT_FAULT_SAN | CERT_FAULT_TOO_BIG |
	    CERT_FAULT_DUPLICATE | CERT_FAULT_TRAILING)) != 0) {
		x->values->fault = "the subjectAltName is not readable";
		return NULL;
	}
	if (cert->x509 == NULL)
		return NULL;
	ERR_set_mark();
	names = X509_get_ext_d2i(cert->x509, NID_subject_alt_name, &critical,
	    NULL);
	ERR_pop_to_mark();
	if (names == NULL && critical != -1)
		x->values->fault = "the subjectAltName is not readable";
	return names;
}

void
extract_names(struct extract *x)
{
	GENERAL_NAMES		*names;
	const GENERAL_NAME	*name;
	const X509_NAME		*only = NULL;
	int			 i;

	if (x->extractor->cert->x509 == NULL)
		return;
	switch (x->source->where) {
	case WHERE_SUBJECT:
		(void)name_values(x,
		    X509_get_subject_name(x->extractor->cert->x509));
		return;
	case WHERE_ISSUER:
		(void)name_values(x,
		    X509_get_issuer_name(x->extractor->cert->x509));
		return;
	case WHERE_SAN:
		break;
	}
	names = alternative_names(x);
	for (i = 0; i < sk_GENERAL_NAME_num(names) && i < CERT_MAX_NAMES; i++) {
		name = sk_GENERAL_NAME_value(names, i);
		if (name->type != GEN_DIRNAME)
			continue;
		/* An attribute of one and an attribute of the other would be
		 * taken for one person's. */
		if (only != NULL) {
			x->values->fault = "the subjectAltName has several "
			    "directory names, and which is meant nobody knows";
			break;
		}
		only = name->d.directoryName;
	}
	if (only != NULL && x->values->fault == NULL)
		(void)name_values(x, only);
	GENERAL_NAMES_free(names);
}

void
extract_other(struct extract *x)
{
	GENERAL_NAMES		*names = alternative_names(x);
	const OTHERNAME		*other;
	int			 i;

	for (i = 0; i < sk_GENERAL_NAME_num(names) && i < CERT_MAX_NAMES; i++) {
		if (sk_GENERAL_NAME_value(names, i)->type != GEN_OTHERNAME)
			continue;
		other = sk_GENERAL_NAME_value(names, i)->d.otherName;
		if (!is_wanted(x->source, other->type_id))
			continue;
		/* Strings alone are names; a SEQUENCE is somebody else's. */
		if (other->value == NULL || other->value->type == V_ASN1_NULL ||
		    other->value->type == V_ASN1_BOOLEAN ||
		    other->value->type == V_ASN1_OBJECT) {
			(void)extract_fault(x, "a value that is no text", "", 0);
			break;
		}
		if (!extract_string(x, other->value->value.asn1_string))
			break;
	}
	GENERAL_NAMES_free(names);
}
