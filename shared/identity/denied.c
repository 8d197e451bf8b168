/*
 * denied.c - is this certificate, or its user, on the list of those who may not
 * enter?
 *
 * Immutable after parsing. A line that is not understood refuses the whole file:
 * nobody may stay in because of a typing error.
 */

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/objects.h>

#include "base/text.h"
#include "identity/denied.h"
#include "identity/keyindex.h"
#include "identity/rules.h"
#include "identity/source.h"
#include "identity/suggest.h"
#include "identity/table.h"
#include "identity/twin.h"

#define DENIED_NO_ROW		UINT32_MAX
/* Bytes of a reason that are shown. */
#define DENIED_MAX_REASON	200u

const char *const denied_kinds[] = {
	"cert:", "key:", "serial:", "user:", "mailbox:", NULL
};

struct denied {
	atomic_uint	 refs;
	char		*data;
	struct denied_row	*rows;
	size_t		 num_rows, max_rows;
	bool		 has_certs;	/* any cert: line */
	bool		 timed;		/* any until= */
	struct keyindex	 index;
};

/* ----------------------------------------------------------------- parsing */

static bool
expected(const struct lines *lines, const char *found, size_t found_len,
    const char *text, struct certauth_error *error_r)
{
	char	shown[128];

	text_printable(shown, sizeof(shown), found, found_len);
	error_set(error_r, lines->file, lines->line,
	    "found \"%s\", expected %s", shown, text);
	return false;
}

/*
 * Hexadecimal, colons between the bytes allowed, into the one spelling that
 * denied_match() uses: lower case, and a serial number without leading zeros
 * (X.690 8.3), "-" in front of a negative one.
 */
static bool
read_hex(const struct lines *lines, struct denied_row *row, struct word *word,
    struct certauth_error *error_r)
{
	bool	serial = row->kind == DENIED_SERIAL;
	bool	negative = serial && word->data[0] == '-';
	char	*from, *to = word->data + negative;
	size_t	n;

	for (from = to; *from != '\0'; from++) {
		if (*from == ':' && from > word->data + negative &&
		    from[1] != '\0' && from[1] != ':')
			continue;
		if (strchr("0123456789abcdefABCDEF", *from) == NULL) {
			to = word->data;
			break;
		}
		if (serial && *from == '0' && to == word->data + negative &&
		    from[1] != '\0')
			continue;
		*to++ = *from;
	}
	n = (size_t)(to - word->data) - negative;
	if (to == word->data || n == 0 ||
	    (serial ? n > 2 * CERT_MAX_SERIAL : n != 64))
		return expected(lines, word->data, word->data_len, serial ?
		    "a serial number of at most 20 bytes in hexadecimal" :
		    "SHA-256 in 64 hexadecimal digits", error_r);
	*to = '\0';
	text_lower_ascii(word->data, (size_t)(to - word->data));
	row->data = word->data;
	row->data_len = (size_t)(to - word->data);
	return true;
}

static bool
read_value(const struct lines *lines, struct denied_row *row, struct word *word,
    struct certauth_error *error_r)
{
	const char	*at;

	if (word->data_len == 0)
		return expected(lines, "", 0, "a value right behind the colon",
		    error_r);
	switch (row->kind) {
	case DENIED_CERT:
	case DENIED_KEY:
	case DENIED_SERIAL:
		return read_hex(lines, row, word, error_r);
	case DENIED_MAILBOX:
		at = memchr(word->data, '@', word->data_len);
		if (at == NULL || at == word->data || at[1] == '\0')
			return expected(lines, word->data, word->data_len,
			    "a mailbox, local@domain", error_r);
		text_lower_ascii(word->data, word->data_len);
		break;
	case DENIED_USER:
		if (word->data_len > RULES_MAX_USER_LEN)
			return expected(lines, word->data, 64,
			    "a user name of at most 255 bytes", error_r);
		text_lower_ascii(word->data, word->data_len);
		break;
	case DENIED_NUM_KINDS:
		return false;
	}
	row->data = word->data;
	row->data_len = word->data_len;
	return true;
}

/* until=TIME; a date alone is the whole day, in UTC. */
static bool
read_until(const struct lines *lines, struct denied_row *row, const struct word *word,
    struct certauth_error *error_r)
{
	const char	*text = word->data + strlen("until=");

	if (row->until != INT64_MAX)
		return expected(lines, word->data, word->data_len,
		    "until= once", error_r);
	if (!text_time_parse(text, &row->until))
		return expected(lines, word->data, word->data_len,
		    "until=2026-03-31, until=2026-03-31T12:00:00Z or "
		    "until=@1774958400", error_r);
	if (text[0] != '@' && strchr(text, ':') == NULL)
		row->until += 24 * 3600 - 1;
	return true;
}

bool
denied_read_row(struct lines *lines, struct denied_row *row,
    struct certauth_error *error_r)
{
	struct word		 word;
	enum lines_result	 got;
	size_t			 kind;

	memset(row, 0, sizeof(*row));
	row->reason = "";
	row->until = INT64_MAX;
	row->line = lines->line;
	for (kind = 0; kind < DENIED_NUM_KINDS; kind++)
		if (strncmp(lines->at, denied_kinds[kind],
		    strlen(denied_kinds[kind])) == 0)
			break;
	if (kind == DENIED_NUM_KINDS) {
		size_t	n = strcspn(lines->at, ": \t");

		n += lines->at[n] == ':';
		(void)expected(lines, lines->at, n,
		    "cert:, key:, serial:, user: or mailbox:", error_r);
		error_suggest(error_r, lines->at, n, denied_kinds);
		return false;
	}
	row->kind = (enum denied_kind)kind;
	lines->at += strlen(denied_kinds[kind]);
	/* A blank here would make the next word, an until= perhaps, the value. */
	if (*lines->at == ' ' || *lines->at == '\t' || *lines->at == '#')
		return expected(lines, "", 0, "a value right behind the colon",
		    error_r);
	got = lines_word(lines, &word, error_r);
	if (got == LINES_BAD || !read_value(lines, row, &word, error_r))
		return false;
	for (;;) {
		while (*lines->at == ' ' || *lines->at == '\t')
			lines->at++;
		if (strncmp(lines->at, "reason=", 7) == 0) {
			lines->at += 7;
			lines_rest(lines, &word);
			row->reason = word.data;
			return true;
		}
		got = lines_word(lines, &word, error_r);
		if (got != LINES_GOT)
			return got == LINES_END;
		if (word.quoted || strncmp(word.data, "until=", 6) != 0)
			return expected(lines, word.data, word.data_len,
			    "until=TIME, reason=TEXT or the end of the line",
			    error_r);
		if (!read_until(lines, row, &word, error_r))
			return false;
	}
}

/* ------------------------------------------------------------------- index */

/* Kind and value in one buffer: what is hashed. Returns its length. */
static size_t
make_key(char *buf, enum denied_kind kind, const void *data, size_t data_len)
{
	buf[0] = (char)kind;
	memcpy(buf + 1, data, data_len);
	return data_len + 1;
}

static uint32_t
find_row(const struct denied *denied, enum denied_kind kind, const void *data,
    size_t data_len, struct keyindex_probe *end_r)
{
	char			 key[LINES_MAX_LINE + 1];
	struct keyindex_probe	 probe;
	const struct denied_row	*row;
	uint32_t		 n;

	if (data_len > LINES_MAX_LINE)
		return DENIED_NO_ROW;
	keyindex_probe(&denied->index, key, make_key(key, kind, data, data_len),
	    &probe);
	if (end_r != NULL)
		*end_r = probe;
	while ((n = keyindex_next(&denied->index, &probe)) != KEYINDEX_NONE) {
		row = &denied->rows[n];
		if (row->kind == kind && row->data_len == data_len &&
		    memcmp(row->data, data, data_len) == 0)
			return n;
	}
	return DENIED_NO_ROW;
}

static bool
add_row(struct denied *denied, const struct denied_row *row)
{
	struct denied_row	*grown;
	size_t		 larger;

	if (denied->num_rows == denied->max_rows) {
		larger = denied->max_rows == 0 ? 64 : denied->max_rows * 2;
		grown = realloc(denied->rows, larger * sizeof(*grown));
		if (grown == NULL)
			return false;
		denied->rows = grown;
		denied->max_rows = larger;
	}
	denied->rows[denied->num_rows++] = *row;
	denied->has_certs |= row->kind == DENIED_CERT;
	return true;
}

static bool
index_rows(struct denied *denied)
{
	struct keyindex_probe	 end;
	struct denied_row		*row;
	uint32_t		 n, head;

	if (!keyindex_init(&denied->index, denied->num_rows))
		return false;
	for (n = 0; n < denied->num_rows; n++) {
		row = &denied->rows[n];
		row->next = DENIED_NO_ROW;
		head = find_row(denied, row->kind, row->data, row->data_len,
		    &end);
		if (head == DENIED_NO_ROW)
			keyindex_put(&denied->index, &end, n);
		else {
			row->next = denied->rows[head].next;
			denied->rows[head].next = n;
		}
	}
	return true;
}

struct denied *
denied_parse(const unsigned char *data, size_t data_len, const char *file,
    struct certauth_error *error_r)
{
	struct denied		*denied;
	struct lines		 lines;
	struct denied_row		 row;
	enum lines_result	 got;
	int			 error = EINVAL;

	if (data_len > DENIED_MAX_BYTES) {
		error_set(error_r, file, 0, "found %zu bytes, expected at most "
		    "%u", data_len, DENIED_MAX_BYTES);
		errno = EINVAL;
		return NULL;
	}
	denied = calloc(1, sizeof(*denied));
	if (denied == NULL) {
		error_set(error_r, file, 0, "out of memory");
		errno = ENOMEM;
		return NULL;
	}
	atomic_init(&denied->refs, 1);
	denied->data = malloc(data_len + 1);
	if (denied->data == NULL)
		goto no_memory;
	if (data_len > 0)
		memcpy(denied->data, data, data_len);
	denied->data[data_len] = '\0';
	lines_init(&lines, denied->data, data_len, file);
	while ((got = lines_next(&lines, error_r)) == LINES_GOT) {
		if (!denied_read_row(&lines, &row, error_r))
			goto fail;
		if (!add_row(denied, &row))
			goto no_memory;
		denied->timed |= row.until != INT64_MAX;
	}
	if (got != LINES_END)
		goto fail;
	if (!index_rows(denied))
		goto no_memory;
	return denied;

no_memory:
	error_set(error_r, file, 0, "out of memory");
	error = ENOMEM;
fail:
	denied_free(denied);
	errno = error;
	return NULL;
}

struct denied *
denied_ref(struct denied *denied)
{
	atomic_fetch_add(&denied->refs, 1);
	return denied;
}

void
denied_free(struct denied *denied)
{
	if (denied == NULL || atomic_fetch_sub(&denied->refs, 1) != 1)
		return;
	keyindex_free(&denied->index);
	free(denied->rows);
	free(denied->data);
	free(denied);
}

/* ------------------------------------------------------------------ asking */

struct question {
	const struct denied	*denied;
	int64_t			 now;
	struct arena		*arena;
	const char	       **detail_r;
};

static bool
is_listed(const struct question *q, enum denied_kind kind, const char *data,
    size_t data_len)
{
	const struct denied_row	*row;
	char			 shown[256], reason[4 * DENIED_MAX_REASON + 1];
	uint32_t		 n;

	for (n = find_row(q->denied, kind, data, data_len, NULL);
	    n != DENIED_NO_ROW; n = row->next) {
		row = &q->denied->rows[n];
		if (q->now > row->until)
			continue;
		text_printable(shown, sizeof(shown), data, data_len);
		text_printable(reason, sizeof(reason), row->reason,
		    strnlen(row->reason, DENIED_MAX_REASON));
		*q->detail_r = arena_printf(q->arena, "line %u denies %s%s%s%s",
		    row->line, denied_kinds[kind], shown,
		    row->reason[0] != '\0' ? ": " : "", reason);
		if (*q->detail_r == NULL)
			*q->detail_r = "a line denies it";
		return true;
	}
	return false;
}

/* As read_hex() spells it. */
static bool
hex_is_listed(const struct question *q, enum denied_kind kind,
    const unsigned char *data, size_t data_len, bool negative)
{
	static const char	digits[] = "0123456789abcdef";
	char			hex[1 + 64 + 1];
	size_t			i, n = 0;

	if (negative)
		hex[n++] = '-';
	for (i = 0; i < data_len && i < 32; i++) {
		hex[n++] = digits[data[i] >> 4];
		hex[n++] = digits[data[i] & 0x0f];
	}
	if (kind == DENIED_SERIAL && n > (size_t)negative + 1 &&
	    hex[negative] == '0')
		memmove(hex + negative, hex + negative + 1,
		    --n - (size_t)negative);
	return is_listed(q, kind, hex, n);
}

/* In whichever case of its ASCII letters. */
static bool
folded_is_listed(const struct question *q, enum denied_kind kind,
    const void *data, size_t data_len)
{
	char	low[LINES_MAX_LINE + 1];

	/* Longer than any line: not listed. */
	if (data_len == 0 || data_len > LINES_MAX_LINE)
		return false;
	memcpy(low, data, data_len);
	low[data_len] = '\0';
	text_lower_ascii(low, data_len);
	return is_listed(q, kind, low, data_len);
}

/*
 * Every place where a certificate may carry a mailbox, the one that maps or
 * another, in whichever case: who is denied stays out with each spelling.
 */
static bool
mailboxes_are_listed(const struct question *q, const struct cert *cert)
{
	const X509_NAME		*subject;
	const X509_NAME_ENTRY	*entry;
	unsigned char		*utf8 = NULL;
	size_t			 i;
	int			 n, at, len;
	bool			 found = false;

	for (i = 0; i < cert->num_sans && i < CERT_MAX_NAMES; i++)
		if ((cert->sans[i].kind == CERT_SAN_EMAIL ||
		    cert->sans[i].kind == CERT_SAN_UPN ||
		    cert->sans[i].kind == CERT_SAN_SMTP_UTF8) &&
		    folded_is_listed(q, DENIED_MAILBOX, cert->sans[i].data,
		    cert->sans[i].data_len))
			return true;
	if (cert->x509 == NULL)
		return false;
	subject = X509_get_subject_name(cert->x509);
	n = X509_NAME_entry_count(subject);
	ERR_set_mark();
	for (at = 0; !found && at < n && at < SOURCE_MAX_ENTRIES; at++) {
		entry = X509_NAME_get_entry(subject, at);
		if (OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)) !=
		    NID_pkcs9_emailAddress)
			continue;
		len = cert_string_utf8(X509_NAME_ENTRY_get_data(entry), &utf8);
		if (len == CERT_NO_MEMORY) {
			*q->detail_r = "out of memory";
			found = true;
		}
		if (len < 0)
			continue;
		found = folded_is_listed(q, DENIED_MAILBOX, utf8, (size_t)len);
		OPENSSL_free(utf8);
	}
	ERR_pop_to_mark();
	return found;
}

/* By its fingerprint, or by the one it had before somebody turned its signature. */
static bool
cert_is_listed(const struct question *q, const struct cert *cert)
{
	unsigned char	sha256[TWIN_MAX][32];
	size_t		i, n;

	if (!q->denied->has_certs)
		return false;
	if (hex_is_listed(q, DENIED_CERT, cert->sha256, 32, false))
		return true;
	n = twin_sha256(cert, sha256);
	if (n > TWIN_MAX) {
		*q->detail_r = "out of memory";
		return true;
	}
	for (i = 0; i < n; i++)
		if (hex_is_listed(q, DENIED_CERT, sha256[i], 32, false))
			return true;
	return false;
}

bool
denied_match(const struct denied *denied, const struct cert *cert,
    const char *user, int64_t now, struct arena *arena, const char **detail_r)
{
	struct question	q = { denied, now, arena, detail_r };

	*detail_r = "the list of those who are denied is not loaded";
	if (denied == NULL || cert == NULL)
		return true;
	*detail_r = "";
	return cert_is_listed(&q, cert) ||
	    hex_is_listed(&q, DENIED_KEY, cert->spki_sha256, 32, false) ||
	    hex_is_listed(&q, DENIED_SERIAL, cert->serial, cert->serial_len,
	    cert->serial_negative) ||
	    /* Dovecot's auth_username_format folds the case after us. */
	    (user != NULL && user[0] != '\0' &&
	    folded_is_listed(&q, DENIED_USER, user, strlen(user))) ||
	    mailboxes_are_listed(&q, cert);
}

bool
denied_is_timed(const struct denied *denied)
{
	return denied->timed;
}
