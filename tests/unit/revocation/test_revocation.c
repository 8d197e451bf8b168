/*
 * test_revocation.c - listed, covered, fresh: each alone and together.
 *
 * The clock is an argument; THIS is 2026-01-01, NEXT a week later.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/err.h>

#include "revocation/make.h"
#include "revocation/load.h"
#include "revocation/revocation.h"

#define NOW	(T_THIS + DAY)
#define MAX_CRLS 8

static struct ca	root, issuing, leaf, twin;
static const struct ca *known[MAX_CRLS];
static size_t		num_known;
static struct revocation_options options;
static char		detail[1024];

static int
setup(void **state)
{
	const struct make_cert	r = { .name = "Root" };
	const struct make_cert	i = { .name = "Issuing", .issuer = &root,
				    .serial = "\x77\x01", .serial_len = 2 };
	const struct make_cert	l = { .name = "Alice", .issuer = &issuing,
				    .leaf = true, .serial = "\x03\xa1", .serial_len = 2 };
	const struct make_cert	t = { .name = "Issuing", .issuer = &root };

	(void)state;
	make_cert(&root, &r);
	make_cert(&issuing, &i);
	make_cert(&leaf, &l);
	make_cert(&twin, &t);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	ca_free(&root);
	ca_free(&issuing);
	ca_free(&leaf);
	ca_free(&twin);
	return 0;
}

static int
fresh(void **state)
{
	(void)state;
	memset(&options, 0, sizeof(options));
	options.grace = 3 * DAY;
	known[0] = &root;
	known[1] = &issuing;
	num_known = 2;
	return 0;
}

/* ----------------------------------------------------------------- asking */

static void
no_remark(void *context, enum certauth_severity severity, const char *file,
    const char *text)
{
	(void)severity;
	(void)file;
	if (context != NULL)
		++*(size_t *)context;
	else
		fail_msg("remark: %s", text);
}

/* Compiles and frees the lists. `refused` NULL: none may be refused. */
static struct revocation_data *
take(struct buf *ders, size_t num, size_t *refused)
{
	struct certauth_bytes	bytes[MAX_CRLS];
	struct pool		*pool = make_pool(known, num_known);
	struct revocation_data	*data;
	size_t			i;

	if (refused != NULL)
		*refused = 0;
	for (i = 0; i < num; i++)
		bytes[i] = (struct certauth_bytes){ ders[i].data, ders[i].len };
	data = revocation_load_bytes(bytes, num, pool, no_remark, refused);
	assert_non_null(data);
	for (i = 0; i < num; i++)
		buf_free(&ders[i]);
	pool_free(pool);
	return data;
}

struct expect { enum certauth_reason reason; enum certauth_severity severity; int depth; };

/* The findings of one question; true when they are exactly these. */
static bool
says(const struct revocation_data *data, struct cert *const *path, size_t n,
    int64_t now, revocation_vouch_fn *vouch, void *context,
    const struct expect *expect, size_t num_expect)
{
	struct certauth_verdict		*verdict = verdict_new(NULL, "t", now, 0);
	STACK_OF(X509)			*stack = sk_X509_new_null();
	const struct certauth_finding	*findings;
	size_t				 num, i;
	int				 path_no;
	bool				 ok;

	assert_non_null(verdict);
	assert_non_null(stack);
	for (i = 0; i < n; i++)
		must(sk_X509_push(stack, path[i]->x509) > 0);
	path_no = verdict_path_begin(verdict, stack, "test");
	must(path_no >= 0);
	revocation_check(data, &options, path, n, now, vouch, context, verdict,
	    path_no);
	verdict_close(verdict, verdict_faulty(verdict, path_no) ? -1 : path_no);
	num = certauth_verdict_findings(verdict, &findings);
	detail[0] = '\0';
	ok = num == num_expect;
	for (i = 0; i < num; i++) {
		if (i == 0)
			snprintf(detail, sizeof(detail), "%s", findings[i].detail);
		if (i >= num_expect || findings[i].reason != expect[i].reason ||
		    findings[i].severity != expect[i].severity ||
		    findings[i].depth != expect[i].depth)
			ok = false;
	}
	if (!ok)
		for (i = 0; i < num; i++)
			print_message("found: %d severity %d depth %d: %s\n",
			    (int)findings[i].reason, (int)findings[i].severity,
			    findings[i].depth, findings[i].detail);
	certauth_verdict_free(verdict);
	sk_X509_free(stack);
	assert_int_equal(ERR_peek_error(), 0);
	return ok;
}

/* About the leaf, path leaf - issuing - root. */
static bool
leaf_says_at(const struct revocation_data *data, int64_t now,
    enum certauth_reason reason, enum certauth_severity severity)
{
	struct cert *const	path[] = { leaf.cert, issuing.cert, root.cert };
	const struct expect	one = { reason, severity, 0 };

	options.check = REVOCATION_LEAF;
	return says(data, path, 3, now, NULL, NULL, &one,
	    reason == CERTAUTH_OK ? 0 : 1);
}

static bool
leaf_says(const struct revocation_data *data, enum certauth_reason reason)
{
	return leaf_says_at(data, NOW, reason, CERTAUTH_FATAL);
}

static struct revocation_data *
one_list(const struct make_crl *m)
{
	struct buf	der = make_crl(m);

	return take(&der, 1, NULL);
}

/* ----------------------------------------------------------------- answers */

static void
test_plain(void **state)
{
	struct buf		entries = { 0 };
	struct make_crl		m = { .ca = &issuing, .entries = &entries };
	struct revocation_data	*data = one_list(&m);

	(void)state;
	assert_true(leaf_says(data, CERTAUTH_OK));
	revocation_free(data);
	buf_entry(&entries, "\x03\xa2", 2, THIS, -1);
	data = one_list(&m);
	assert_true(leaf_says(data, CERTAUTH_OK));
	revocation_free(data);
	buf_entry(&entries, "\x03\xa1", 2, THIS, 1);
	data = one_list(&m);
	assert_true(leaf_says(data, CERTAUTH_REVOKED));
	assert_non_null(strstr(detail, "03A1"));
	assert_non_null(strstr(detail, "CN=Issuing"));
	assert_non_null(strstr(detail, "given CRL"));
	assert_non_null(strstr(detail, "thisUpdate 2026-01-01T00:00:00Z"));
	assert_non_null(strstr(detail, "keyCompromise"));
	revocation_free(data);
	buf_free(&entries);
	buf_entry(&entries, "\x03\xa1", 2, THIS, 6);
	data = one_list(&m);
	assert_true(leaf_says(data, CERTAUTH_ON_HOLD));
	revocation_free(data);
	buf_free(&entries);
}

/* A revoked issuing CA, the rule of depth, and the anchor that nobody asks. */
static void
test_chain(void **state)
{
	struct cert *const	path[] = { leaf.cert, issuing.cert, root.cert };
	struct buf		entries = { 0 }, ders[2];
	struct make_crl		down = { .ca = &issuing }, up = { .ca = &root, .entries = &entries };
	const struct expect	revoked = { CERTAUTH_ISSUER_REVOKED, CERTAUTH_FATAL, 1 };
	const struct expect	unknown = { CERTAUTH_REVOCATION_UNKNOWN, CERTAUTH_FATAL, 1 };
	const struct expect	both[] = {
		{ CERTAUTH_REVOCATION_UNKNOWN, CERTAUTH_FATAL, 0 },
		{ CERTAUTH_REVOCATION_UNKNOWN, CERTAUTH_FATAL, 1 }
	};
	struct revocation_data	*data;

	(void)state;
	ders[0] = make_crl(&down);
	ders[1] = make_crl(&up);
	data = take(ders, 2, NULL);
	assert_true(says(data, path, 3, NOW, NULL, NULL, NULL, 0));
	revocation_free(data);
	/* a hold on a CA is no softer for its users */
	buf_entry(&entries, "\x77\x01", 2, THIS, 6);
	buf_entry(&entries, "\x01", 1, THIS, -1);	/* the anchor itself */
	ders[0] = make_crl(&down);
	ders[1] = make_crl(&up);
	data = take(ders, 2, NULL);
	assert_true(says(data, path, 3, NOW, NULL, NULL, &revoked, 1));
	options.check = REVOCATION_LEAF;
	assert_true(says(data, path, 3, NOW, NULL, NULL, NULL, 0));
	revocation_free(data);
	options.check = REVOCATION_CHAIN;
	ders[0] = make_crl(&down);
	data = take(ders, 1, NULL);
	assert_true(says(data, path, 3, NOW, NULL, NULL, &unknown, 1));
	revocation_free(data);
	assert_true(says(NULL, path, 3, NOW, NULL, NULL, both, 2));
	options.check = REVOCATION_NONE;
	assert_true(says(NULL, path, 3, NOW, NULL, NULL, NULL, 0));
	options.check = REVOCATION_CHAIN;
	assert_true(says(NULL, path + 2, 1, NOW, NULL, NULL, NULL, 0));
	buf_free(&entries);
}

/* C4 row 45: without a list the answer is no; "accept" must be spelt out, and
 * never softens a listed serial. */
static void
test_c4_45_missing(void **state)
{
	struct buf		entries = { 0 };
	struct make_crl		m = { .ca = &issuing, .entries = &entries };
	struct make_crl		other = { .ca = &root };
	struct revocation_data	*data = one_list(&other);

	(void)state;
	assert_true(leaf_says(data, CERTAUTH_REVOCATION_UNKNOWN));
	assert_non_null(strstr(detail, "no CRL of this issuer"));
	options.unknown = REVOCATION_ACCEPT;
	assert_true(leaf_says_at(data, NOW, CERTAUTH_REVOCATION_UNKNOWN,
	    CERTAUTH_WARNING));
	revocation_free(data);
	buf_entry(&entries, "\x03\xa1", 2, THIS, -1);
	data = one_list(&m);
	assert_true(leaf_says(data, CERTAUTH_REVOKED));
	assert_true(leaf_says_at(data, T_NEXT + 1000 * DAY, CERTAUTH_REVOKED,
	    CERTAUTH_FATAL));
	revocation_free(data);
	buf_free(&entries);
}

/* --------------------------------------------------------------- freshness */

/* C4 row 37: nextUpdate is compared; fresh, grace, stale; per authority. */
static void
test_c4_37_stale(void **state)
{
	struct make_crl		m = { .ca = &issuing };
	struct revocation_data	*data = one_list(&m);

	(void)state;
	assert_true(leaf_says_at(data, T_NEXT, CERTAUTH_OK, 0));
	assert_true(leaf_says_at(data, T_NEXT + 1, CERTAUTH_REVOCATION_STALE,
	    CERTAUTH_WARNING));
	assert_non_null(strstr(detail, "within its grace"));
	assert_true(leaf_says_at(data, T_NEXT + 3 * DAY,
	    CERTAUTH_REVOCATION_STALE, CERTAUTH_WARNING));
	assert_true(leaf_says_at(data, T_NEXT + 3 * DAY + 1,
	    CERTAUTH_REVOCATION_STALE, CERTAUTH_FATAL));
	options.grace = 0;
	assert_true(leaf_says_at(data, T_NEXT, CERTAUTH_OK, 0));
	assert_true(leaf_says_at(data, T_NEXT + 1, CERTAUTH_REVOCATION_STALE,
	    CERTAUTH_FATAL));
	options.unknown = REVOCATION_ACCEPT;
	assert_true(leaf_says_at(data, T_NEXT + 1, CERTAUTH_REVOCATION_STALE,
	    CERTAUTH_WARNING));
	revocation_free(data);
}

static void
test_max_age(void **state)
{
	struct make_crl		m = { .ca = &issuing };
	struct revocation_data	*data = one_list(&m);

	(void)state;
	options.max_age = 2 * DAY;
	assert_true(leaf_says_at(data, T_THIS + 2 * DAY - 1, CERTAUTH_OK, 0));
	/* no grace behind it: the most age is the most age */
	assert_true(leaf_says_at(data, T_THIS + 2 * DAY,
	    CERTAUTH_REVOCATION_STALE, CERTAUTH_FATAL));
	options.max_age = 8 * DAY;
	assert_true(leaf_says_at(data, T_NEXT + 1, CERTAUTH_REVOCATION_STALE,
	    CERTAUTH_WARNING));
	assert_true(leaf_says_at(data, T_THIS + 8 * DAY,
	    CERTAUTH_REVOCATION_STALE, CERTAUTH_FATAL));
	revocation_free(data);
}

static void
test_no_next_update(void **state)
{
	struct make_crl		m = { .ca = &issuing, .next_update = "" };
	struct revocation_data	*data = one_list(&m);

	(void)state;
	assert_true(leaf_says_at(data, T_THIS, CERTAUTH_REVOCATION_STALE,
	    CERTAUTH_WARNING));
	assert_true(leaf_says_at(data, T_THIS + 3 * DAY,
	    CERTAUTH_REVOCATION_STALE, CERTAUTH_FATAL));
	options.max_age = 30 * DAY;
	assert_true(leaf_says_at(data, T_THIS + 30 * DAY - 1, CERTAUTH_OK, 0));
	assert_true(leaf_says_at(data, T_THIS + 30 * DAY,
	    CERTAUTH_REVOCATION_STALE, CERTAUTH_FATAL));
	revocation_free(data);
}

static void
test_future(void **state)
{
	struct buf		entries = { 0 };
	struct make_crl		m = { .ca = &issuing, .entries = &entries };
	struct revocation_data	*data = one_list(&m);

	(void)state;
	assert_true(leaf_says_at(data, T_THIS - 300, CERTAUTH_OK, 0));
	assert_true(leaf_says_at(data, T_THIS - 301, CERTAUTH_REVOCATION_STALE,
	    CERTAUTH_FATAL));
	assert_non_null(strstr(detail, "not yet in force"));
	revocation_free(data);
	buf_entry(&entries, "\x03\xa1", 2, THIS, -1);
	data = one_list(&m);
	assert_true(leaf_says_at(data, T_THIS - 301, CERTAUTH_REVOKED,
	    CERTAUTH_FATAL));
	revocation_free(data);
	buf_free(&entries);
}

/* A damaged index may hide a revocation: refused, and not softened. */
static void
test_damaged_index(void **state)
{
	struct buf		entries = { 0 };
	struct make_crl		m = { .ca = &issuing, .entries = &entries };
	struct revocation_data	*data;
	struct load_memory	*memory;

	(void)state;
	buf_entry(&entries, "\x07\x07", 2, THIS, -1);
	data = one_list(&m);
	assert_true(leaf_says_at(data, T_THIS, CERTAUTH_OK, 0));
	memory = data->units[0].memory;
	assert_true(index_row(&memory->index, 0)->num_tables > 0);
	memset(memory->bytes + memory->index.tables[0].lines, 0xff, 8);
	assert_true(leaf_says_at(data, T_THIS, CERTAUTH_DATA_REFUSED,
	    CERTAUTH_FATAL));
	revocation_free(data);
	buf_free(&entries);
}

/* The verdict ends with what it relied on. */
static void
test_holds(void **state)
{
	struct make_crl		m = { .ca = &issuing };
	struct revocation_data	*data = one_list(&m);
	struct cert *const	path[] = { leaf.cert, issuing.cert };
	static const struct { int64_t now, last; } ends[] = {
		{ NOW, T_NEXT },			/* fresh */
		{ T_NEXT + 1, T_NEXT + 3 * DAY }	/* grace */
	};
	size_t			i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct certauth_verdict *v = verdict_new(NULL, "t", ends[i].now, 0);

		verdict_set_generation(v, 1, 1);
		revocation_check(data, &options, path, 2, ends[i].now, NULL, NULL,
		    v, 0);
		verdict_close(v, -1);
		assert_true(verdict_is_current(v, 1, 1, ends[i].last));
		assert_false(verdict_is_current(v, 1, 1, ends[i].last + 1));
		assert_true(verdict_is_current(v, 1, 1, T_THIS - 300));
		assert_false(verdict_is_current(v, 1, 1, T_THIS - 301));
		certauth_verdict_free(v);
	}
	revocation_free(data);
}

/* -------------------------------------------------------------------- scope */

/* C4 row 35: the list's point is the second of the certificate's; partitions;
 * users only. */
static void
test_c4_35_points(void **state)
{
	static const char *const	second[] = { "http://two/", NULL };
	static const char *const	third[] = { "http://x/", "http://three/", NULL };
	static const unsigned char	users[] = { 1, 0 }, cas[] = { 2, 0 };
	const struct make_cert		with = {
		.name = "Points", .issuer = &issuing, .leaf = true,
		.points = "URI:http://one/,URI:http://two/,URI:http://three/"
	};
	struct buf			entries = { 0 }, idp, ders[2];
	struct make_crl			m = { .ca = &issuing, .idp = &idp };
	struct revocation_data		*data;
	struct ca			points;
	struct cert			*path[2];
	const struct expect		unknown = { CERTAUTH_REVOCATION_UNKNOWN, CERTAUTH_FATAL, 0 };
	const struct expect		revoked = { CERTAUTH_REVOKED, CERTAUTH_FATAL, 0 };

	(void)state;
	make_cert(&points, &with);
	path[0] = points.cert;
	path[1] = issuing.cert;
	idp = make_idp(second, users);
	data = one_list(&m);
	assert_true(says(data, path, 2, NOW, NULL, NULL, NULL, 0));
	/* a certificate without points is not of that partition */
	assert_true(leaf_says(data, CERTAUTH_REVOCATION_UNKNOWN));
	assert_non_null(strstr(detail, "scope"));
	options.check = REVOCATION_CHAIN;
	revocation_free(data);

	/* two partitions of which it is in both: the one that names it counts */
	ders[0] = make_crl(&m);
	buf_free(&idp);
	idp = make_idp(third, NULL);
	buf_entry(&entries, "\x01", 1, THIS, -1);
	m.entries = &entries;
	ders[1] = make_crl(&m);
	data = take(ders, 2, NULL);
	assert_true(says(data, path, 2, NOW, NULL, NULL, &revoked, 1));
	revocation_free(data);
	buf_free(&idp);

	/* CAs only, users only */
	m.entries = NULL;
	idp = make_idp(NULL, cas);
	data = one_list(&m);
	assert_true(says(data, path, 2, NOW, NULL, NULL, &unknown, 1));
	revocation_free(data);
	buf_free(&idp);
	idp = make_idp(NULL, users);
	m.ca = &root;
	data = one_list(&m);
	path[0] = issuing.cert;
	path[1] = root.cert;
	assert_true(says(data, path, 2, NOW, NULL, NULL, &unknown, 1));
	revocation_free(data);
	buf_free(&idp);
	idp = make_idp(NULL, cas);
	data = one_list(&m);
	assert_true(says(data, path, 2, NOW, NULL, NULL, NULL, 0));
	revocation_free(data);
	buf_free(&idp);
	buf_free(&entries);
	ca_free(&points);
}

/* C4 row 42: old and new of one issuer in any order: the newer; both used. */
static void
test_c4_42_two_lists(void **state)
{
	struct buf		entries = { 0 }, ders[2];
	struct make_crl		old = { .ca = &issuing, .number = "05", .entries = &entries };
	struct make_crl		new = { .ca = &issuing, .number = "06" };
	struct revocation_row	row;
	struct revocation_data	*data;
	int			order;

	(void)state;
	/* on hold in the old list, off it in the new one */
	buf_entry(&entries, "\x03\xa1", 2, THIS, 6);
	for (order = 0; order < 2; order++) {
		ders[order] = make_crl(&old);
		ders[1 - order] = make_crl(&new);
		data = take(ders, 2, NULL);
		assert_true(leaf_says(data, CERTAUTH_OK));
		assert_true(revocation_row_at(data, 0, &row));
		assert_int_equal(row.entries, 0);
		assert_false(revocation_row_at(data, 1, &row));
		revocation_free(data);
	}
	/* numbers alike: the later thisUpdate */
	new.number = "05";
	new.this_update = "260101000001Z";
	for (order = 0; order < 2; order++) {
		ders[order] = make_crl(&old);
		ders[1 - order] = make_crl(&new);
		data = take(ders, 2, NULL);
		assert_true(leaf_says(data, CERTAUTH_OK));
		revocation_free(data);
	}
	/* a later number wins over a later date */
	old.number = "0100";
	for (order = 0; order < 2; order++) {
		ders[order] = make_crl(&old);
		ders[1 - order] = make_crl(&new);
		data = take(ders, 2, NULL);
		assert_true(leaf_says(data, CERTAUTH_ON_HOLD));
		revocation_free(data);
	}
	buf_free(&entries);
}

/* ------------------------------------------------------------------ signer */

struct vouched { unsigned asked; bool yes; unsigned char key[32]; };

static bool
vouch(void *context, const unsigned char subject[32], const unsigned char key[32])
{
	struct vouched	*v = context;

	v->asked++;
	assert_memory_equal(subject, issuing.cert->subject_sha256, 32);
	assert_memory_equal(key, v->key, 32);
	return v->yes;
}

/* C4 row 47: a CA of the same name with another key says nothing about our
 * certificate, good or bad, unless the conductor vouches for it. */
static void
test_c4_47_same_name(void **state)
{
	struct buf		entries = { 0 };
	struct make_crl		m = { .ca = &twin, .entries = &entries };
	struct cert *const	path[] = { leaf.cert, issuing.cert };
	const struct expect	unknown = { CERTAUTH_REVOCATION_UNKNOWN, CERTAUTH_FATAL, 0 };
	const struct expect	revoked = { CERTAUTH_REVOKED, CERTAUTH_FATAL, 0 };
	struct vouched		v = { 0, false, { 0 } };
	struct revocation_data	*data;

	(void)state;
	memcpy(v.key, twin.cert->spki_sha256, 32);
	known[2] = &twin;
	num_known = 3;
	data = one_list(&m);
	assert_true(leaf_says(data, CERTAUTH_REVOCATION_UNKNOWN));
	assert_non_null(strstr(detail, "key"));
	assert_true(says(data, path, 2, NOW, vouch, &v, &unknown, 1));
	assert_int_equal(v.asked, 1);
	v.yes = true;
	assert_true(says(data, path, 2, NOW, vouch, &v, NULL, 0));
	revocation_free(data);
	buf_entry(&entries, "\x03\xa1", 2, THIS, -1);
	data = one_list(&m);
	assert_true(leaf_says(data, CERTAUTH_REVOCATION_UNKNOWN));
	assert_true(says(data, path, 2, NOW, vouch, &v, &revoked, 1));
	revocation_free(data);
	buf_free(&entries);
}

/* C4 row 47: the path's issuer may sign certificates but not CRLs; the list of
 * its key is good only when somebody vouches. */
static void
test_c4_47_no_crl_sign(void **state)
{
	const struct make_cert	silent = {
		.name = "Issuing", .use_key = issuing.key, .issuer = &root,
		.key_usage = "critical,keyCertSign"
	};
	struct make_crl		m = { .ca = &issuing };
	struct ca		no_sign;
	struct cert		*path[2];
	const struct expect	unknown = { CERTAUTH_REVOCATION_UNKNOWN, CERTAUTH_FATAL, 0 };
	struct vouched		v = { 0, true, { 0 } };
	struct revocation_data	*data;
	struct buf		der = make_crl(&m);
	size_t			refused;

	(void)state;
	make_cert(&no_sign, &silent);
	memcpy(v.key, issuing.cert->spki_sha256, 32);
	/* alone it cannot even sign the list */
	known[1] = &no_sign;
	data = take(&der, 1, &refused);
	assert_int_equal(refused, 1);
	revocation_free(data);
	known[2] = &issuing;
	num_known = 3;
	data = one_list(&m);
	path[0] = leaf.cert;
	path[1] = no_sign.cert;
	assert_true(says(data, path, 2, NOW, NULL, NULL, &unknown, 1));
	assert_true(says(data, path, 2, NOW, vouch, &v, NULL, 0));
	revocation_free(data);
	ca_free(&no_sign);
}

/* C4 row 46: an intermediate as anchor, and its CRL alone: valid passes, revoked
 * fails. */
static void
test_c4_46_intermediate_anchor(void **state)
{
	struct buf		entries = { 0 };
	struct make_crl		m = { .ca = &issuing, .entries = &entries };
	struct cert *const	path[] = { leaf.cert, issuing.cert };
	const struct expect	revoked = { CERTAUTH_REVOKED, CERTAUTH_FATAL, 0 };
	struct revocation_data	*data;

	(void)state;
	known[0] = &issuing;
	num_known = 1;
	data = one_list(&m);
	assert_true(says(data, path, 2, NOW, NULL, NULL, NULL, 0));
	revocation_free(data);
	buf_entry(&entries, "\x03\xa1", 2, THIS, -1);
	data = one_list(&m);
	assert_true(says(data, path, 2, NOW, NULL, NULL, &revoked, 1));
	revocation_free(data);
	buf_free(&entries);
}

/* C4 row 36: many CAs, each the other's issuer, each with a CRL: no loop. */
static void
test_c4_36_many(void **state)
{
	struct cert	*path[MAX_CRLS];
	struct buf	ders[3];
	struct make_crl	a = { .ca = &root }, b = { .ca = &issuing }, c = { .ca = &twin };
	struct revocation_data *data;

	(void)state;
	known[2] = &twin;
	num_known = 3;
	ders[0] = make_crl(&a);
	ders[1] = make_crl(&b);
	ders[2] = make_crl(&c);
	data = take(ders, 3, NULL);
	path[0] = leaf.cert;
	path[1] = issuing.cert;
	path[2] = root.cert;
	path[3] = root.cert;
	assert_true(says(data, path, 4, NOW, NULL, NULL, NULL, 0));
	revocation_free(data);
}

/* C4 row 34, for bytes: what is no list gives "no status", never good. */
static void
test_c4_34_bad_bytes(void **state)
{
	struct buf		ders[4] = { { 0 } };
	struct make_crl		m = { .ca = &issuing, .bad_signature = true };
	struct revocation_data	*data;
	size_t			refused;

	(void)state;
	ders[0] = make_crl(&m);
	buf_add(&ders[1], "hello", 5);
	buf_add(&ders[2], "", 0);
	m.bad_signature = false;
	ders[3] = make_crl(&m);
	ders[3].len--;
	data = take(ders, 4, &refused);
	assert_int_equal(refused, 4);
	assert_true(leaf_says(data, CERTAUTH_REVOCATION_UNKNOWN));
	revocation_free(data);
	data = take(NULL, 0, &refused);
	assert_int_equal(refused, 0);
	assert_true(leaf_says(data, CERTAUTH_REVOCATION_UNKNOWN));
	revocation_free(data);
}

/* Serials at the edges: zero, negative, twenty octets, a sign octet. */
static void
test_odd_serials(void **state)
{
	static const struct {
		const char *serial; size_t len; bool negative;
		const char *content; size_t content_len;
	} odd[] = {
		{ "\x00", 1, false, "\x00", 1 },
		{ "\x05", 1, true, "\xfb", 1 },
		{ "\xff\x01", 2, false, "\x00\xff\x01", 3 },
		{ "\x80\x00", 2, true, "\x80\x00", 2 },
		{ "\xff" "0123456789012345678", 20, false,
		    "\x00\xff" "0123456789012345678", 21 },
	};
	const struct expect	revoked = { CERTAUTH_REVOKED, CERTAUTH_FATAL, 0 };
	size_t			i, j;

	(void)state;
	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct make_cert	 l = {
			.name = "Odd", .issuer = &issuing, .leaf = true,
			.serial = odd[i].serial, .serial_len = odd[i].len,
			.negative = odd[i].negative
		};
		struct ca		 one;
		struct cert		*path[2];

		make_cert(&one, &l);
		path[0] = one.cert;
		path[1] = issuing.cert;
		for (j = 0; j < sizeof(odd) / sizeof(odd[0]); j++) {
			struct buf		 entries = { 0 };
			struct make_crl		 m = { .ca = &issuing, .entries = &entries };
			struct revocation_data	*data;

			buf_entry(&entries, odd[j].content, odd[j].content_len,
			    THIS, -1);
			data = one_list(&m);
			assert_true(says(data, path, 2, NOW, NULL, NULL,
			    &revoked, i == j));
			revocation_free(data);
			buf_free(&entries);
		}
		ca_free(&one);
	}
}

/* RFC 5280 7.1: the CA's name in other letters is the same name. */
static void
test_name_forms(void **state)
{
	const struct make_cert	loud = { .name = "  ISSUING ", .use_key = issuing.key };
	struct ca		other;
	struct make_crl		m = { .ca = &other };
	struct revocation_data	*data;

	(void)state;
	make_cert(&other, &loud);
	data = one_list(&m);
	assert_true(leaf_says(data, CERTAUTH_OK));
	revocation_free(data);
	ca_free(&other);
}

/* Names in a CA's certificate are the CA's: nothing of them gets into a line. */
static void
test_hostile_name(void **state)
{
	const struct make_cert	ca = { .name = "x\ny\x1b[31m\"%s%n" };
	struct ca		evil, victim;
	struct make_cert	l = { .name = "l", .issuer = &evil, .leaf = true };
	struct buf		entries = { 0 };
	struct make_crl		m = { .ca = &evil, .entries = &entries };
	const struct expect	revoked = { CERTAUTH_REVOKED, CERTAUTH_FATAL, 0 };
	struct cert		*path[2];
	struct revocation_data	*data;
	size_t			i;

	(void)state;
	make_cert(&evil, &ca);
	make_cert(&victim, &l);
	path[0] = victim.cert;
	path[1] = evil.cert;
	known[0] = &evil;
	num_known = 1;
	buf_entry(&entries, "\x01", 1, THIS, -1);
	data = one_list(&m);
	assert_true(says(data, path, 2, NOW, NULL, NULL, &revoked, 1));
	for (i = 0; detail[i] != '\0'; i++)
		assert_true((unsigned char)detail[i] >= 0x20 && detail[i] != 0x7f);
	revocation_free(data);
	buf_free(&entries);
	ca_free(&evil);
	ca_free(&victim);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_plain, fresh),
		cmocka_unit_test_setup(test_chain, fresh),
		cmocka_unit_test_setup(test_c4_45_missing, fresh),
		cmocka_unit_test_setup(test_c4_37_stale, fresh),
		cmocka_unit_test_setup(test_max_age, fresh),
		cmocka_unit_test_setup(test_no_next_update, fresh),
		cmocka_unit_test_setup(test_future, fresh),
		cmocka_unit_test_setup(test_damaged_index, fresh),
		cmocka_unit_test_setup(test_holds, fresh),
		cmocka_unit_test_setup(test_c4_35_points, fresh),
		cmocka_unit_test_setup(test_c4_42_two_lists, fresh),
		cmocka_unit_test_setup(test_c4_47_same_name, fresh),
		cmocka_unit_test_setup(test_c4_47_no_crl_sign, fresh),
		cmocka_unit_test_setup(test_c4_46_intermediate_anchor, fresh),
		cmocka_unit_test_setup(test_c4_36_many, fresh),
		cmocka_unit_test_setup(test_c4_34_bad_bytes, fresh),
		cmocka_unit_test_setup(test_odd_serials, fresh),
		cmocka_unit_test_setup(test_name_forms, fresh),
		cmocka_unit_test_setup(test_hostile_name, fresh),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
