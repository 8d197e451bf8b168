/* test_path.c - paths come best first, each once, and the search always ends. */

#include <time.h>

#include "trust/mesh.h"
#include "trust/path.h"
#include "trust/pool.h"

#define MESH	12

static struct policy_options	options;

static int
set_up(void **state)
{
	(void)state;
	policy_options_init(&options);
	return policy_add_purpose(&options, "any") ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	policy_options_clear(&options);
	return 0;
}

static void
add(struct pool *pool, X509 *x, enum pool_role role)
{
	assert_true(pool_add(pool, x, role, "test"));
	X509_free(x);
}

static struct cert *
leaf_of(const char *issuer, EVP_PKEY *key)
{
	X509		*x = mesh_cert("leaf", key, issuer, key, false,
			    NOW - DAY, NOW + DAY);
	struct cert	*c = cert_new(x);

	assert_non_null(c);
	X509_free(x);
	return c;
}

/* Two ways up: the short one first, then the longer; then the end. */
static void
test_order(void **state)
{
	EVP_PKEY		*key = mesh_key(), *root = mesh_key();
	struct pool		*pool = pool_new();
	struct cert		*leaf = leaf_of("CA", key);
	struct path_search	*s;
	struct path		 path;

	(void)state;
	add(pool, mesh_cert("CA", key, "Bridge", key, true, NOW - DAY,
	    NOW + DAY), POOL_INTERMEDIATE);
	add(pool, mesh_cert("Bridge", key, "Root", root, true, NOW - DAY,
	    NOW + DAY), POOL_INTERMEDIATE);
	add(pool, mesh_cert("CA", key, "Root", root, true, NOW - DAY,
	    NOW + DAY), POOL_INTERMEDIATE);
	add(pool, mesh_cert("Root", root, "Root", root, true, NOW - DAY,
	    NOW + DAY), POOL_ANCHOR);
	assert_true(pool_seal(pool));
	s = path_search_new(pool, &options, leaf, NULL, 0, NOW);
	assert_int_equal(path_next(s, &path), PATH_FOUND);
	assert_int_equal(path.num_certs, 3);
	assert_int_equal(path_next(s, &path), PATH_FOUND);
	assert_int_equal(path.num_certs, 4);
	assert_int_equal(path_next(s, &path), PATH_END);
	assert_int_equal(path_next(s, &path), PATH_END);
	path_search_free(s);

	/* a bad edge is not proposed again, and takes its path along */
	s = path_search_new(pool, &options, leaf, NULL, 0, NOW);
	assert_int_equal(path_next(s, &path), PATH_FOUND);
	path.edges[1]->state = PATH_EDGE_BAD;
	assert_int_equal(path_next(s, &path), PATH_FOUND);
	assert_int_equal(path.num_certs, 4);
	path_dead(s, &path, 2);
	assert_int_equal(path_next(s, &path), PATH_END);
	path_search_free(s);

	cert_free(leaf);
	pool_free(pool);
	EVP_PKEY_free(key);
	EVP_PKEY_free(root);
}

static void
test_faulty_last(void **state)
{
	EVP_PKEY		*key = mesh_key(), *root = mesh_key();
	struct pool		*pool = pool_new();
	struct cert		*leaf = leaf_of("CA", key);
	struct path_search	*s;
	struct path		 path;

	(void)state;
	add(pool, mesh_cert("CA", key, "Root", root, true, NOW - 9 * DAY,
	    NOW - DAY), POOL_INTERMEDIATE);
	add(pool, mesh_cert("CA", key, "Mid", key, true, NOW - DAY, NOW + DAY),
	    POOL_INTERMEDIATE);
	add(pool, mesh_cert("Mid", key, "Root", root, true, NOW - DAY,
	    NOW + DAY), POOL_INTERMEDIATE);
	add(pool, mesh_cert("Root", root, "Root", root, true, NOW - DAY,
	    NOW + DAY), POOL_ANCHOR);
	assert_true(pool_seal(pool));
	s = path_search_new(pool, &options, leaf, NULL, 0, NOW);
	assert_int_equal(path_next(s, &path), PATH_FOUND);
	assert_int_equal(path.num_certs, 4);	/* the long but clean one */
	assert_int_equal(path_next(s, &path), PATH_FOUND);
	assert_int_equal(path.num_certs, 3);	/* the expired one, for the story */
	assert_int_equal(path_next(s, &path), PATH_END);
	path_search_free(s);
	cert_free(leaf);
	pool_free(pool);
	EVP_PKEY_free(key);
	EVP_PKEY_free(root);
}

/* Everybody certifies everybody: ends at a ceiling, soon. */
static void
mesh(bool with_anchor)
{
	EVP_PKEY		*keys[MESH], *root = mesh_key();
	struct pool		*pool = pool_new();
	struct cert		*leaf;
	struct path_search	*s;
	struct path		 path;
	struct timespec		 a, b;
	enum path_next		 next;
	char			 subject[16], issuer[16];
	size_t			 found = 0;
	int			 i, j;

	for (i = 0; i < MESH; i++)
		keys[i] = mesh_key();
	for (i = 0; i < MESH; i++) {
		for (j = 0; j < MESH; j++) {
			if (i == j)
				continue;
			snprintf(subject, sizeof(subject), "CA %d", i);
			snprintf(issuer, sizeof(issuer), "CA %d", j);
			add(pool, mesh_cert(subject, keys[i], issuer, keys[j],
			    true, NOW - DAY, NOW + DAY), POOL_INTERMEDIATE);
		}
	}
	if (with_anchor)
		add(pool, mesh_cert("CA 5", root, "CA 5", root, true, NOW - DAY,
		    NOW + DAY), POOL_ANCHOR);
	assert_true(pool_seal(pool));
	leaf = leaf_of("CA 0", keys[0]);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	s = path_search_new(pool, &options, leaf, NULL, 0, NOW);
	while ((next = path_next(s, &path)) == PATH_FOUND)
		found++;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	print_message("%zu paths, %.1f ms\n", found,
	    (double)(b.tv_sec - a.tv_sec) * 1e3 +
	    (double)(b.tv_nsec - a.tv_nsec) / 1e6);
	assert_int_equal(next, with_anchor ? PATH_LIMIT : PATH_END);
	assert_int_equal(found, with_anchor ? PATH_MAX_CANDIDATES : 0);
	path_search_free(s);
	cert_free(leaf);
	pool_free(pool);
	for (i = 0; i < MESH; i++)
		EVP_PKEY_free(keys[i]);
	EVP_PKEY_free(root);
}

static void
test_mesh(void **state)
{
	(void)state;
	mesh(true);
	mesh(false);
}

static struct cert *
alike(const struct pool *pool, const struct cert *ca, X509 *x)
{
	struct cert	*found = pool_find_alike(pool, ca->subject_sha256, x);

	X509_free(x);
	return found;
}

/* What was sent stands for the member it seems to be, and never for itself. */
static void
test_alike(void **state)
{
	EVP_PKEY	*key = mesh_key(), *root = mesh_key();
	struct pool	*pool = pool_new();
	X509		*x = mesh_cert("CA", key, "Root", root, true, NOW - DAY,
			    NOW + DAY), *other;
	struct cert	*ca = cert_new(x), *leaf = leaf_of("CA", key), *found;

	(void)state;
	assert_true(pool_add(pool, x, POOL_INTERMEDIATE, "test"));
	add(pool, mesh_cert("CA", key, "Root", root, true, NOW - DAY,
	    NOW + DAY), POOL_INTERMEDIATE);
	assert_true(pool_seal(pool));
	found = alike(pool, ca, X509_dup(x));
	assert_non_null(found);
	assert_memory_equal(found->sha256, ca->sha256, 32);
	assert_null(pool_find_alike(pool, leaf->subject_sha256, x));

	/* a forgery with the signature of the real one */
	other = X509_dup(x);
	assert_int_equal(X509_set_pubkey(other, root), 1);
	found = alike(pool, ca, other);
	assert_non_null(found);
	assert_memory_equal(found->sha256, ca->sha256, 32);
	assert_memory_equal(found->spki_sha256, ca->spki_sha256, 32);

	/* another serial; the same with another signature */
	other = X509_dup(x);
	ASN1_INTEGER_set(X509_get_serialNumber(other), 7);
	assert_null(alike(pool, ca, other));
	other = X509_dup(x);
	assert_true(X509_sign(other, root, EVP_sha256()) > 0);
	assert_null(alike(pool, ca, other));

	X509_free(x);
	cert_free(ca);
	cert_free(leaf);
	pool_free(pool);
	EVP_PKEY_free(key);
	EVP_PKEY_free(root);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_faulty_last),
		cmocka_unit_test(test_mesh),
		cmocka_unit_test(test_alike),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
