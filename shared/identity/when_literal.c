/*
 * when_literal.c - how is a value of this source spelled, after these steps?
 *
 * A condition compares bytes. So what an administrator wrote is spelled as the
 * certificate's value will be, and what no value can equal is refused: under `not`
 * it would be true of everybody.
 */

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/err.h>
#include <openssl/objects.h>

#include "base/text.h"
#include "identity/class.h"
#include "identity/dn.h"
#include "identity/extract.h"
#include "identity/when_node.h"

/* What is left of the text while steps are taken off its ends. */
struct literal {
	char	*data;
	size_t	 len, size;	/* size: room, with the NUL */
};

const char *
when_number(const struct source *source, const char *data, int64_t *number_r)
{
	size_t	i;

	if (source != NULL && source->kind == SOURCE_LIFETIME)
		return text_duration_parse(data, number_r) ? NULL :
		    "a duration, as 825d or 90d";
	*number_r = 0;
	for (i = 0; data[i] >= '0' && data[i] <= '9' && i < 9; i++)
		*number_r = *number_r * 10 + (data[i] - '0');
	return i > 0 && data[i] == '\0' ? NULL : "a whole number";
}

static const char *
put(struct literal *l, const char *data, size_t len)
{
	if (len >= l->size)
		return "a shorter value";
	memmove(l->data, data, len);
	l->data[len] = '\0';
	l->len = len;
	return NULL;
}

/* --------------------------------------------------------------- the source */

static const char *
spell_number(const struct source *source, struct literal *l)
{
	const char	*fault;
	int64_t		 number;
	char		 digits[32];
	int		 n;

	fault = when_number(source, l->data, &number);
	if (fault != NULL)
		return fault;
	n = snprintf(digits, sizeof(digits), "%lld", (long long)number);
	return n > 0 ? put(l, digits, (size_t)n) : "a whole number";
}

/* A name, or what `subject.dn.normal` gives of one. */
static const char *
spell_dn(struct literal *l)
{
	unsigned char	 sha256[32];
	struct text	 hex = { 0 };
	const char	*fault = NULL;
	size_t		 n;

	if (memchr(l->data, '=', l->len) != NULL)
		fault = dn_parse(l->data, l->len, sha256);
	else if (!text_hex_parse(l->data, sha256, sizeof(sha256), &n) || n != 32)
		fault = "a name as in RFC 4514, or 64 hexadecimal digits";
	if (fault != NULL)
		return fault;
	text_add_hex(&hex, sha256, sizeof(sha256));
	fault = hex.failed ? "a name" : put(l, hex.data, hex.len);
	text_free(&hex);
	return fault;
}

static bool
is_upper(const struct source *source)
{
	return source->kind == SOURCE_SERIAL && source->form == FORM_PLAIN;
}

/* Letters of hexadecimal digits, as extract.c writes them. */
static void
hex_case(const struct source *source, struct literal *l)
{
	size_t	i;

	text_lower_ascii(l->data, l->len);
	for (i = 0; is_upper(source) && i < l->len; i++)
		if (l->data[i] >= 'a' && l->data[i] <= 'f')
			l->data[i] = (char)(l->data[i] - 'a' + 'A');
}

static const char *
spell_hex(const struct source *source, struct literal *l)
{
	unsigned char	 bytes[RULES_MAX_USER_LEN];
	struct text	 hex = { 0 };
	const char	*fault;
	size_t		 n;
	bool		 negative;

	negative = source->kind == SOURCE_SERIAL && l->data[0] == '-';
	if (!text_hex_parse(l->data + negative, bytes, sizeof(bytes), &n) ||
	    n == 0)
		return "hexadecimal digits, two a byte";
	/* A serial number is spelled without leading zero bytes. */
	while (is_upper(source) && n > 1 && bytes[0] == 0)
		memmove(bytes, bytes + 1, --n);
	text_add(&hex, negative ? "-" : "");
	text_add_hex(&hex, bytes, n);
	fault = hex.failed ? "hexadecimal digits" : put(l, hex.data, hex.len);
	text_free(&hex);
	if (fault == NULL)
		hex_case(source, l);
	return fault;
}

static const char *
convert(struct literal *l, bool unicode)
{
	char	out[RULES_MAX_USER_LEN + 1];
	size_t	at = mailbox_at(l->data, l->len), n = 0;

	if (at == 0 && memchr(l->data, '@', l->len) != NULL)
		return "a mailbox or a domain";
	at += at != 0;
	if (at >= sizeof(out))
		return "a shorter value";
	memcpy(out, l->data, at);
	if (domain_convert(l->data + at, l->len - at, unicode, out + at,
	    sizeof(out) - at, &n) != MAILBOX_GOOD)
		return "a domain, as example.com";
	return put(l, out, at + n);
}

/* The domain of a mailbox: lower case, and of san.email in A-labels. */
static const char *
spell_domain(const struct source *source, struct literal *l)
{
	size_t	i;

	if (!source_is_mailbox(source))
		return NULL;
	for (i = 0; source->kind == SOURCE_SAN_EMAIL && i < l->len; i++)
		if (((unsigned char)l->data[i] & 0x80) != 0)
			return convert(l, false);
	text_lower_ascii(l->data, l->len);
	return NULL;
}

static const char *
spell_mailbox(const struct source *source, struct literal *l)
{
	size_t	at = mailbox_at(l->data, l->len), i;

	if (at == 0)
		return NULL;	/* any text may stand in an rfc822Name */
	for (i = at; source->kind == SOURCE_SAN_EMAIL && i < l->len; i++)
		if (((unsigned char)l->data[i] & 0x80) != 0)
			return convert(l, false);
	mailbox_fold(l->data, l->len);
	return NULL;
}

/* By its name where it has one, as facts.c gives it; RFC 5280 4.2.1.12. */
static const char *
spell_oid(const struct source *source, struct literal *l)
{
	ASN1_OBJECT	*oid = NULL;
	const char	*fault = source->kind == SOURCE_EKU ?
			    "a purpose, as clientAuth, or an OID" : "an OID";
	char		 dotted[256];
	bool		 digits = l->data[0] >= '0' && l->data[0] <= '9';
	int		 nid;

	ERR_set_mark();
	if (digits || source->kind == SOURCE_EKU)
		oid = OBJ_txt2obj(l->data, digits ? 1 : 0);
	nid = oid != NULL ? OBJ_obj2nid(oid) : NID_undef;
	if (oid != NULL && source->kind == SOURCE_EKU && nid != NID_undef)
		fault = put(l, OBJ_nid2sn(nid), strlen(OBJ_nid2sn(nid)));
	else if (oid != NULL && OBJ_obj2txt(dotted, (int)sizeof(dotted), oid, 1)
	    < (int)sizeof(dotted))
		fault = put(l, dotted, strlen(dotted));
	ASN1_OBJECT_free(oid);
	ERR_pop_to_mark();
	return fault;
}

/* One of the words that facts.c gives. */
static const char *
spell_word(const struct source *source, bool folded, struct literal *l)
{
	const char	*word;
	size_t		 i;

	for (i = 0; (word = fact_word(source->kind, i)) != NULL; i++)
		if ((folded ? strcasecmp : strcmp)(word, l->data) == 0)
			return NULL;
	return source->kind == SOURCE_CLASS ? "a class, as sponsor" :
	    source->kind == SOURCE_KEY_USAGE ? "a key usage, as digitalSignature" :
	    "a key type: rsa, P-256, P-384, P-521, ec, Ed25519 or Ed448";
}

static const char *
spell_source(const struct source *source, bool whole, bool folded,
    struct literal *l)
{
	if (source_is_number(source))
		return spell_number(source, l);
	if (source->kind == SOURCE_DN && source->form == FORM_NORMAL && whole)
		return spell_dn(l);
	if (source_is_hex(source))
		return spell_hex(source, l);
	switch (source->kind) {
	case SOURCE_SERIAL:
		if (source->form == FORM_COLON)
			text_lower_ascii(l->data, l->len);
		return NULL;
	case SOURCE_POLICY:
	case SOURCE_EKU:
		return spell_oid(source, l);
	case SOURCE_CLASS:
	case SOURCE_KEY_USAGE:
	case SOURCE_KEY_TYPE:
		return spell_word(source, folded, l);
	default:
		break;
	}
	if (source_is_mailbox(source))
		return spell_mailbox(source, l);
	if (source->kind == SOURCE_ATTRIBUTE && whole) {
		l->len = dn_value_fold(l->data, l->len);
		l->data[l->len] = '\0';
	}
	return l->len > 0 ? NULL : "more than blanks";
}

/* ---------------------------------------------------------------- the steps */

enum piece { PIECE_ANY, PIECE_DOMAIN, PIECE_CONVERTED };

/* A piece of what the first k steps gave: what is known of its letters. */
static const char *
spell_piece(const struct expression *e, size_t k, enum piece piece,
    struct literal *l)
{
	while (k-- > 0) {
		switch (e->steps[k].kind) {
		case STEP_LOWER:
			text_lower_ascii(l->data, l->len);
			break;
		case STEP_IDNA:
		case STEP_UNICODE:
			return piece == PIECE_DOMAIN ? convert(l,
			    e->steps[k].kind == STEP_UNICODE) : NULL;
		case STEP_PREFIX:
		case STEP_SUFFIX:
			return NULL;
		case STEP_LOCAL:
		case STEP_DOMAIN:
		case STEP_CAPTURE:
			if (piece == PIECE_ANY &&
			    e->steps[k].kind == STEP_DOMAIN)
				piece = PIECE_DOMAIN;
			break;
		}
	}
	if (source_is_hex(&e->source) && !expression_has(e, STEP_LOWER))
		hex_case(&e->source, l);
	return piece == PIECE_DOMAIN ? spell_domain(&e->source, l) : NULL;
}

static const char *spell(const struct expression *, size_t k, bool folded,
    struct literal *);

/* What prefix or suffix puts there has to be there. */
static const char *
spell_joined(const struct expression *e, size_t k, bool folded,
    struct literal *l)
{
	const struct step	*step = &e->steps[k];
	bool			 front = step->kind == STEP_PREFIX;
	size_t			 n = step->text.data_len;
	struct literal		 rest = *l;
	const char		*fault;

	if (l->len <= n || (folded ? strncasecmp : strncmp)(front ? l->data :
	    l->data + l->len - n, step->text.data, n) != 0)
		return front ? "a value that begins with what prefix puts there" :
		    "a value that ends with what suffix puts there";
	rest.len -= n;
	rest.size -= n;
	if (front)
		rest.data += n;
	rest.data[rest.len] = '\0';
	fault = spell(e, k, folded, &rest);
	if (fault != NULL)
		return fault;
	memcpy(front ? l->data : rest.data + rest.len, step->text.data, n);
	l->len = rest.len + n;
	l->data[l->len] = '\0';
	return NULL;
}

/* As what the first k steps give; `folded`: a later step makes it lower case. */
static const char *
spell(const struct expression *e, size_t k, bool folded, struct literal *l)
{
	const struct step	*step;
	const char		*fault;
	size_t			 i;

	if (k == 0)
		return spell_source(&e->source, e->num_steps == 0, folded, l);
	step = &e->steps[--k];
	switch (step->kind) {
	case STEP_LOWER:
		fault = spell(e, k, true, l);
		text_lower_ascii(l->data, l->len);
		return fault;
	case STEP_LOCAL:
	case STEP_DOMAIN:
		for (i = 0; i < l->len; i++)
			if (memchr("@ ,;<>", l->data[i], 6) != NULL)
				return step->kind == STEP_LOCAL ? "what stands "
				    "before the @ of a mailbox" :
				    "what stands behind the @ of a mailbox";
		return spell_piece(e, k, step->kind == STEP_DOMAIN ?
		    PIECE_DOMAIN : PIECE_ANY, l);
	case STEP_IDNA:
	case STEP_UNICODE:
		fault = convert(l, step->kind == STEP_UNICODE);
		return fault != NULL ? fault : spell_piece(e, k,
		    PIECE_CONVERTED, l);
	case STEP_CAPTURE:
		return spell_piece(e, k, PIECE_ANY, l);
	case STEP_PREFIX:
	case STEP_SUFFIX:
		return spell_joined(e, k, folded, l);
	}
	return "a known step";
}

const char *
when_literal(const struct expression *e, char *data, size_t size, size_t *len)
{
	struct literal	 l = { data, *len, size };
	const char	*fault = spell(e, e->num_steps, false, &l);

	*len = l.len;
	return fault;
}
