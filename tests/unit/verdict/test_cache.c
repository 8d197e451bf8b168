/* test_cache.c - one question, one verdict; no other question ever gets it. */

#include "trust/mesh.h"
#include "verdict/cache.h"

static struct verdict_cache	*cache;
static EVP_PKEY			*key;
static X509			*one, *two;

static int
set_up(void **state)
{
	(void)state;
	cache = verdict_cache_new();
	key = mesh_key();
	one = mesh_cert("one", key, "ca", key, false, NOW, NOW + DAY);
	two = mesh_cert("two", key, "ca", key, false, NOW, NOW + DAY);
	return cache != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	verdict_cache_free(cache);
	X509_free(one);
	X509_free(two);
	EVP_PKEY_free(key);
	return 0;
}

static struct certauth_verdict *
verdict(enum certauth_reason fault, bool softened)
{
	struct certauth_verdict	*v = verdict_new(NULL, "web", NOW, 0);
	STACK_OF(X509)		*none = sk_X509_new_null();
	int			 p = verdict_path_begin(v, none, "a");

	sk_X509_free(none);
	verdict_set_generation(v, 7, 3);
	verdict_holds(v, NOW, NOW + 60);
	if (softened)
		verdict_add(v, CERTAUTH_REVOCATION_STALE, CERTAUTH_WARNING, p, 0,
		    "old");
	if (fault != CERTAUTH_OK)
		verdict_fault(v, fault, p, 0, "%s", "");
	verdict_close(v, fault != CERTAUTH_OK ? -1 : p);
	return v;
}

static bool
has(const struct verdict_key *k, uint64_t engine, uint64_t generation,
    int64_t now)
{
	struct certauth_verdict	*v = verdict_cache_get(cache, k, engine,
				    generation, now);

	certauth_verdict_free(v);
	return v != NULL;
}

static void
test_same_question(void **state)
{
	const struct certauth_profile	*a = (const void *)&cache,
					*b = (const void *)&key;
	STACK_OF(X509)			*sent = sk_X509_new_null();
	struct certauth_verdict		*v = verdict(CERTAUTH_OK, false);
	struct verdict_key		*k = malloc(sizeof(*k));
	struct verdict_key		*other = malloc(sizeof(*other));

	(void)state;
	verdict_key_make(cache, k, "http", a, one, NULL);
	assert_true(k->data_len > 0);
	assert_false(has(k, 7, 3, NOW));
	verdict_cache_put(cache, k, v);
	assert_true(has(k, 7, 3, NOW));
	assert_true(has(k, 7, 3, NOW + 59));
	assert_false(has(k, 7, 3, NOW + 60));	/* its time is over */
	assert_false(has(k, 7, 4, NOW));	/* other data */
	assert_false(has(k, 8, 3, NOW));	/* another engine */
	verdict_key_make(cache, other, "http", a, two, NULL);
	assert_false(has(other, 7, 3, NOW));
	/* the same person may be another user for mail */
	verdict_key_make(cache, other, "imap", a, one, NULL);
	assert_false(has(other, 7, 3, NOW));
	verdict_key_make(cache, other, NULL, a, one, NULL);
	assert_false(has(other, 7, 3, NOW));
	verdict_key_make(cache, other, "a-service-of-a-long-name", a, one, NULL);
	assert_int_equal(other->data_len, 0);
	verdict_key_make(cache, other, "http", b, one, NULL);
	assert_false(has(other, 7, 3, NOW));
	/* what was sent beside it may have been needed */
	sk_X509_push(sent, two);
	verdict_key_make(cache, other, "http", a, one, sent);
	assert_false(has(other, 7, 3, NOW));
	/* equal hashes are not enough */
	other->hash = k->hash;
	assert_false(has(other, 7, 3, NOW));
	/* an empty list of sent ones is as none */
	sk_X509_pop(sent);
	verdict_key_make(cache, other, "http", a, one, sent);
	assert_true(has(other, 7, 3, NOW));
	sk_X509_free(sent);
	certauth_verdict_free(v);
	free(k);
	free(other);
}

/* The key grows by what was sent, and goes back to the leaf. */
static void
test_two_keys(void **state)
{
	const struct certauth_profile	*a = (const void *)&one;
	STACK_OF(X509)			*sent = sk_X509_new_null();
	struct certauth_verdict		*v = verdict(CERTAUTH_OK, false);
	struct verdict_key		*k = malloc(sizeof(*k));
	struct verdict_key		*whole = malloc(sizeof(*whole));

	(void)state;
	sk_X509_push(sent, two);
	verdict_key_make(cache, whole, "http", a, one, sent);
	verdict_key_make(cache, k, "http", a, one, NULL);
	assert_int_equal(k->leaf_len, i2d_X509(one, NULL));
	assert_false(verdict_cache_has_sent(cache));
	verdict_key_add(cache, k, sent);
	assert_int_equal(k->data_len, whole->data_len);
	assert_int_equal(k->hash, whole->hash);
	verdict_cache_put(cache, k, v);
	assert_true(verdict_cache_has_sent(cache));
	assert_true(has(whole, 7, 3, NOW));
	/* where the chain was needed, the leaf alone is another question */
	verdict_key_leaf_only(cache, k);
	assert_false(has(k, 7, 3, NOW));
	verdict_key_make(cache, whole, "http", a, one, NULL);
	assert_int_equal(k->data_len, whole->data_len);
	assert_int_equal(k->hash, whole->hash);
	sk_X509_free(sent);
	certauth_verdict_free(v);
	free(k);
	free(whole);
}

static void
test_what_is_kept(void **state)
{
	const struct { enum certauth_reason fault; bool softened, kept; } rows[] = {
		{ CERTAUTH_OK, false, true }, { CERTAUTH_OK, true, false },
		{ CERTAUTH_REVOKED, false, true },
		{ CERTAUTH_ON_HOLD, false, false },
		{ CERTAUTH_EXPIRED, false, false },
		{ CERTAUTH_NO_PATH, false, false },
		{ CERTAUTH_REVOCATION_UNKNOWN, false, false },
		{ CERTAUTH_NO_USER, false, false },
		{ CERTAUTH_INTERNAL, false, false },
	};
	struct certauth_verdict	*v;
	struct verdict_key	*k = malloc(sizeof(*k));
	size_t			 i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		verdict_key_make(cache, k, "http", (const void *)&rows[i], one, NULL);
		v = verdict(rows[i].fault, rows[i].softened);
		verdict_cache_put(cache, k, v);
		assert_int_equal(has(k, 7, 3, NOW), rows[i].kept);
		certauth_verdict_free(v);
	}
	free(k);
}

/* However many come, the table stays as large as it is. */
static void
test_bounded(void **state)
{
	struct certauth_verdict	*v = verdict(CERTAUTH_OK, false);
	struct verdict_key	*k = malloc(sizeof(*k));
	size_t			 i, kept = 0;

	(void)state;
	for (i = 0; i < 4096; i++) {
		verdict_key_make(cache, k, "http", (const void *)(uintptr_t)(i + 1), one,
		    NULL);
		verdict_cache_put(cache, k, v);
	}
	for (i = 0; i < 4096; i++) {
		verdict_key_make(cache, k, "http", (const void *)(uintptr_t)(i + 1), one,
		    NULL);
		kept += has(k, 7, 3, NOW);
	}
	assert_in_range(kept, 256, 512);
	certauth_verdict_free(v);
	free(k);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_two_keys),
		cmocka_unit_test(test_same_question),
		cmocka_unit_test(test_what_is_kept),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
