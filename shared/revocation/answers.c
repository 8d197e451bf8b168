/*
 * answers.c - what did OCSP responders say, as long as it counts?
 *
 * Looks up, and merges the next file. Checks no response: only what was checked
 * comes here. Reads and writes no file.
 */

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/text.h"
#include "revocation/answers.h"

/* 2: the hash of a name has the length in front of each value. */
#define ANSWERS_VERSION	2u

static bool
refuse(struct certauth_error *error_r, const char *text)
{
	error_set(error_r, NULL, 0, "%s", text);
	return false;
}

static bool
record_ok(const struct answers_record *r)
{
	return (r->status == OCSP_GOOD || r->status == OCSP_HOLD ||
	    r->status == OCSP_REVOKED) && r->short_lived <= 1;
}

bool
answers_open(struct answers *answers, const unsigned char *data, size_t data_len,
    struct certauth_error *error_r)
{
	struct answers_header	header;
	size_t			i, n;

	memset(answers, 0, sizeof(*answers));
	if (data_len < sizeof(header) || ((uintptr_t)data & 7) != 0)
		return refuse(error_r, "is too short for an answers index");
	memcpy(&header, data, sizeof(header));
	if (memcmp(header.magic, ANSWERS_MAGIC, sizeof(header.magic)) != 0)
		return refuse(error_r, "is no answers index");
	if (header.version != ANSWERS_VERSION ||
	    header.record_size != sizeof(struct answers_record))
		return refuse(error_r, "is an answers index of another version");
	n = (data_len - sizeof(header)) / sizeof(struct answers_record);
	if (n > ANSWERS_MAX || header.num_records != n ||
	    data_len != sizeof(header) + n * sizeof(struct answers_record))
		return refuse(error_r, "has another length than it says");
	if (XXH3_64bits(data + sizeof(header), data_len - sizeof(header)) !=
	    header.hash)
		return refuse(error_r, "is damaged");
	answers->records = (const struct answers_record *)(const void *)(data +
	    sizeof(header));
	answers->num_records = n;
	for (i = 0; i < n; i++)
		if (!record_ok(&answers->records[i]) || (i > 0 &&
		    memcmp(answers->records[i - 1].key,
		    answers->records[i].key, 32) >= 0)) {
			memset(answers, 0, sizeof(*answers));
			return refuse(error_r, "has records that are wrong or "
			    "out of order");
		}
	return true;
}

bool
answers_key(const struct cert *cert, const struct cert *issuer,
    unsigned char key_r[32])
{
	unsigned char	buf[32 + 32 + 1 + CERT_MAX_SERIAL];

	if (cert->serial_len == 0 || cert->serial_len > CERT_MAX_SERIAL)
		return false;
	memcpy(buf, cert->issuer_sha256, 32);
	memcpy(buf + 32, issuer->spki_sha256, 32);
	buf[64] = cert->serial_negative;
	memcpy(buf + 65, cert->serial, cert->serial_len);
	return EVP_Digest(buf, 65 + cert->serial_len, key_r, NULL, EVP_sha256(),
	    NULL) == 1;
}

bool
answers_find(const struct answers *answers, const unsigned char key[32],
    struct ocsp_answer *answer)
{
	const struct answers_record	*r;
	size_t				 low = 0, high = answers->num_records;
	size_t				 middle;
	int				 c;

	while (low < high) {
		middle = low + (high - low) / 2;
		r = &answers->records[middle];
		c = memcmp(r->key, key, 32);
		if (c == 0) {
			memset(answer, 0, sizeof(*answer));
			answer->status = (enum ocsp_status)r->status;
			answer->this_update = r->this_update;
			answer->next_update = r->next_update;
			answer->short_lived = r->short_lived != 0;
			answer->date = r->date;
			answer->reason = r->reason;
			return true;
		}
		if (c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* ----------------------------------------------------------------- writing */

/*
 * By key; of one key the newest first, of equal ones the worst. But a revocation
 * is for ever: a responder that lags behind, or that is somebody else's by now,
 * does not take it away.
 */
static int
compare_records(const void *a, const void *b)
{
	const struct answers_record	*x = a, *y = b;
	int				 c = memcmp(x->key, y->key, 32);

	if (c != 0)
		return c;
	if ((x->status == OCSP_REVOKED) != (y->status == OCSP_REVOKED))
		return x->status == OCSP_REVOKED ? -1 : 1;
	if (x->this_update != y->this_update)
		return x->this_update > y->this_update ? -1 : 1;
	return (int)y->status - (int)x->status;
}

/*
 * Too many: first those that count by their grace alone go, then other good ones,
 * since whoever misses one asks again. A revocation stays.
 */
static size_t
drop_goods(struct answers_record *records, size_t n, int64_t now)
{
	size_t	i, kept;
	int	all;

	for (all = 0; all <= 1 && n > ANSWERS_MAX; all++) {
		for (i = kept = 0; i < n; i++)
			if (records[i].status != OCSP_GOOD ||
			    (!all && records[i].next_update > now) ||
			    kept + (n - i) <= ANSWERS_MAX)
				records[kept++] = records[i];
		n = kept;
	}
	return n;
}

unsigned char *
answers_make(const struct answers *last, const struct answers_record *fresh,
    size_t num_fresh, int64_t now, size_t *len_r)
{
	struct answers_header	 header = { .version = ANSWERS_VERSION,
				    .record_size = sizeof(*fresh) };
	struct answers_record	*records;
	unsigned char		*data, seen[32] = { 0 };
	size_t			 i, n = 0, total, num_last;
	bool			 any = false;

	num_last = last != NULL ? last->num_records : 0;
	total = num_last + num_fresh;
	if (num_last > ANSWERS_MAX || num_fresh > ANSWERS_MAX)
		return NULL;
	data = malloc(sizeof(header) + (total + 1) * sizeof(*records));
	if (data == NULL)
		return NULL;
	records = (struct answers_record *)(void *)(data + sizeof(header));
	if (num_last > 0)
		memcpy(records, last->records, num_last * sizeof(*records));
	if (num_fresh > 0)
		memcpy(records + num_last, fresh, num_fresh * sizeof(*records));
	qsort(records, total, sizeof(*records), compare_records);
	for (i = 0; i < total; i++) {
		if (any && memcmp(seen, records[i].key, 32) == 0)
			continue;
		memcpy(seen, records[i].key, 32);
		any = true;
		/* Unknown, and what is over, hides what is behind it as well. */
		if (record_ok(&records[i]) && records[i].keep_until > now)
			records[n++] = records[i];
	}
	n = drop_goods(records, n, now);
	if (n > ANSWERS_MAX) {
		free(data);
		return NULL;
	}
	memcpy(header.magic, ANSWERS_MAGIC, sizeof(header.magic));
	header.num_records = n;
	header.hash = XXH3_64bits(records, n * sizeof(*records));
	memcpy(data, &header, sizeof(header));
	*len_r = sizeof(header) + n * sizeof(*records);
	return data;
}
