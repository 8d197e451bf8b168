/*
 * test_memory.c - no allocation that fails may let somebody in.
 *
 * The n-th allocation of a verify, an open or a poll fails, ours (--wrap) or OpenSSL's, for each n in
 * turn, alone or with all that follow. Whoever has to be refused is refused, whoever
 * may enter enters as himself or not at all; and when the memory is back, the same
 * engine gives the right answer: nothing half made was kept.
 */

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certauth_apply.h"
#include "trust/mesh.h"

/* No verify of these has so many. */
#define MAX_ALLOCATIONS	20000u
/* The first are OpenSSL's, which decodes the anchor: some of them, and each of the
 * rest. CERTAUTH_SWEEP in the environment: each of all. */
#define LAST		200u
#define STEP		(getenv("CERTAUTH_SWEEP") != NULL ? 1u : 61u)

/* ------------------------------------------------------------ failing malloc */

static unsigned	count, fail_at;	/* fail_at 0: none fails */
static bool	and_after;

static bool
fails(void)
{
	count++;
	if (fail_at == 0 || count < fail_at || (count > fail_at && !and_after))
		return false;
	errno = ENOMEM;
	return true;
}

void	*__real_malloc(size_t);
void	*__real_calloc(size_t, size_t);
void	*__real_realloc(void *, size_t);
void	*__real_reallocarray(void *, size_t, size_t);
void	*__real_aligned_alloc(size_t, size_t);
char	*__real_strdup(const char *);
char	*__real_strndup(const char *, size_t);
void	*__wrap_malloc(size_t);
void	*__wrap_calloc(size_t, size_t);
void	*__wrap_realloc(void *, size_t);
void	*__wrap_reallocarray(void *, size_t, size_t);
void	*__wrap_aligned_alloc(size_t, size_t);
char	*__wrap_strdup(const char *);
char	*__wrap_strndup(const char *, size_t);

void *
__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

void *
__wrap_reallocarray(void *old, size_t n, size_t size)
{
	return fails() ? NULL : __real_reallocarray(old, n, size);
}

void *
__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return fails() ? NULL : __real_aligned_alloc(alignment, size);
}

char *
__wrap_strdup(const char *s)
{
	return fails() ? NULL : __real_strdup(s);
}

char *
__wrap_strndup(const char *s, size_t n)
{
	return fails() ? NULL : __real_strndup(s, n);
}

static void *
openssl_malloc(size_t size, const char *file, int line)
{
	(void)file, (void)line;
	return size == 0 || fails() ? NULL : __real_malloc(size);
}

static void *
openssl_realloc(void *old, size_t size, const char *file, int line)
{
	(void)file, (void)line;
	if (size > 0)
		return fails() ? NULL : __real_realloc(old, size);
	free(old);
	return NULL;
}

static void
openssl_free(void *p, const char *file, int line)
{
	(void)file, (void)line;
	free(p);
}

/* ----------------------------------------------------------------- the world */

static char	folder[] = "/tmp/certauth-memory-XXXXXX";

/* A leaf, what the profile says beside its authorities, and how it must end. */
struct scene {
	const char		*name;
	const char		*san;		/* of the leaf */
	const char		*authority;	/* settings of the authority */
	const char		*profile;	/* settings of the profile */
	enum certauth_reason	 reason;
	const char		*user;
	const char		*subject_mail;	/* in its subject; NULL: none */
	bool			 evil;		/* OU=Evil there, as a BMPString */
};

#define NO_CRL		"revocation: { check = \"none\"; crls = [ \"crl\" ]; };"
#define CRL(unknown)	"revocation: { check = \"leaf\"; unknown = \"" unknown \
			"\"; crls = [ \"crl\" ]; };"
#define MAIL		"identity = ( { name = \"mail\"; key = \"{san.email}\";" \
			" table = \"map\"; } );"
#define GOOD		"email:alice@good.example"
#define MAP		"alice@good.example alice staff\n" \
			"carol@good.example carol staff\n" \
			"alice@bad.example alice staff\n"

static const struct scene scenes[] = {
	{ "accepted", GOOD, NO_CRL, MAIL, CERTAUTH_OK, "alice", NULL, false },
	{ "accepted, listed in no CRL", "email:carol@good.example",
	    CRL("refuse"), MAIL, CERTAUTH_OK, "carol", NULL, false },
	{ "not permitted mailbox", "email:alice@bad.example", NO_CRL, MAIL,
	    CERTAUTH_NAME_CONSTRAINTS, NULL, NULL, false },
	{ "second name excluded", GOOD ",DNS:x.evil.example", NO_CRL, MAIL,
	    CERTAUTH_NAME_CONSTRAINTS, NULL, NULL, false },
	{ "revoked", GOOD, CRL("refuse"), MAIL, CERTAUTH_REVOKED, NULL, NULL, false },
	{ "revoked, unknown would do", GOOD, CRL("accept"), MAIL,
	    CERTAUTH_REVOKED, NULL, NULL, false },
	{ "policy", GOOD, NO_CRL, "policies = [ \"1.2.3\" ];" MAIL,
	    CERTAUTH_POLICY_REQUIRED, NULL, NULL, false },
	{ "purpose", GOOD, NO_CRL, "purposes = [ \"1.2.3.4\" ];" MAIL,
	    CERTAUTH_PURPOSE, NULL, NULL, false },
	{ "denied user", GOOD, NO_CRL, "denied = \"denied-user\";" MAIL,
	    CERTAUTH_DENIED, NULL, NULL, false },
	{ "denied mailbox", GOOD, NO_CRL, "denied = \"denied-mailbox\";" MAIL,
	    CERTAUTH_DENIED, NULL, NULL, false },
	{ "denied mailbox in the subject", "DNS:a.good.example", NO_CRL,
	    "denied = \"denied-mailbox\"; identity = ( { name = \"cn\"; "
	    "user = \"{subject.CN}\"; } );", CERTAUTH_DENIED, NULL,
	    "alice@good.example", false },
	{ "excluded directory name", GOOD, NO_CRL, MAIL,
	    CERTAUTH_NAME_CONSTRAINTS, NULL, NULL, true },
	{ "denied certificate", GOOD, NO_CRL, "denied = \"denied-cert\";" MAIL,
	    CERTAUTH_DENIED, NULL, NULL, false },
	{ "issuer not listed", GOOD, "issuers = [ \"other.pem\" ];" NO_CRL, MAIL,
	    CERTAUTH_ISSUER_NOT_LISTED, NULL, NULL, false },
	{ "two users", GOOD ",email:carol@good.example", NO_CRL, MAIL,
	    CERTAUTH_AMBIGUOUS_USER, NULL, NULL, false },
	{ "nobody", "email:dora@good.example", NO_CRL, MAIL, CERTAUTH_NO_USER,
	    NULL, NULL, false },
	{ "a condition that does not hold", GOOD ",email:carol@good.example",
	    NO_CRL, "identity = ( { name = \"one mailbox\"; when = "
	    "\"san.email count == 1\"; user = \"staff\"; } );",
	    CERTAUTH_NO_USER, NULL, NULL, false },
	{ "the user must exist", GOOD, NO_CRL, "identity = ( { name = \"cn\"; "
	    "user = \"{subject.CN}\"; must_exist = \"others\"; } );",
	    CERTAUTH_NO_USER, NULL, NULL, false },
};
#define NUM_SCENES	(sizeof(scenes) / sizeof(scenes[0]))

static EVP_PKEY	*root_key, *sub_key;
static X509	*root, *sub, *other, *leaves[NUM_SCENES];

static const char *
in_folder(const char *name)
{
	static char	path[2][100];
	static int	turn;

	turn ^= 1;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
	return path[turn];
}

static void
write_text(const char *name, const char *text)
{
	FILE	*f = fopen(in_folder(name), "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(in_folder(name), 0644), 0);
}

static void
write_pem(const char *name, X509 *x, X509_CRL *crl)
{
	FILE	*f = fopen(in_folder(name), "w");

	assert_non_null(f);
	if (x != NULL)
		assert_int_equal(PEM_write_X509(f, x), 1);
	if (crl != NULL)
		assert_int_equal(PEM_write_X509_CRL(f, crl), 1);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(in_folder(name), 0644), 0);
}

/* Every leaf but Carol's is on it. */
static void
write_crl(void)
{
	X509_CRL	*crl = X509_CRL_new();
	X509_REVOKED	*row;
	ASN1_INTEGER	*number = ASN1_INTEGER_new();
	ASN1_TIME	*at = ASN1_TIME_new();
	size_t		 i;

	X509_CRL_set_version(crl, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(sub));
	ASN1_TIME_set(at, (time_t)(NOW - DAY));
	X509_CRL_set1_lastUpdate(crl, at);
	for (i = 0; i < NUM_SCENES; i++) {
		if (scenes[i].reason != CERTAUTH_REVOKED)
			continue;
		row = X509_REVOKED_new();
		X509_REVOKED_set_serialNumber(row,
		    X509_get_serialNumber(leaves[i]));
		X509_REVOKED_set_revocationDate(row, at);
		X509_CRL_add0_revoked(crl, row);
	}
	ASN1_TIME_set(at, (time_t)(NOW + DAY));
	X509_CRL_set1_nextUpdate(crl, at);
	ASN1_INTEGER_set(number, 7);
	X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0);
	assert_true(X509_CRL_sign(crl, sub_key, EVP_sha256()) > 0);
	write_pem("crl", NULL, crl);
	X509_CRL_free(crl);
	ASN1_INTEGER_free(number);
	ASN1_TIME_free(at);
}

static void
write_denied_cert(void)
{
	unsigned char	sha256[32];
	char		line[80] = "cert:";
	unsigned	len;
	size_t		i, n;

	for (n = 0; n < NUM_SCENES &&
	    strcmp(scenes[n].name, "denied certificate") != 0; n++)
		;
	assert_int_equal(X509_digest(leaves[n], EVP_sha256(), sha256, &len), 1);
	for (i = 0; i < len; i++)
		snprintf(line + 5 + 2 * i, 3, "%02x", sha256[i]);
	write_text("denied-cert", line);
}

static void
add_constraints(X509 *ca)
{
	CONF		*conf = NCONF_new(NULL);
	BIO		*in = BIO_new_mem_buf("[evil]\nOU=Evil\n", -1);
	X509V3_CTX	 ctx;
	X509_EXTENSION	*ext;
	long		 line;

	assert_int_equal(NCONF_load_bio(conf, in, &line), 1);
	X509V3_set_ctx(&ctx, NULL, NULL, NULL, NULL, 0);
	X509V3_set_nconf(&ctx, conf);
	ext = X509V3_EXT_nconf_nid(conf, &ctx, NID_name_constraints,
	    "critical,permitted;email:good.example,excluded;DNS:evil.example,"
	    "excluded;dirName:evil");
	assert_non_null(ext);
	assert_int_equal(X509_add_ext(ca, ext, -1), 1);
	X509_EXTENSION_free(ext);
	NCONF_free(conf);
	BIO_free(in);
}

static void
add_subject(X509 *x, const struct scene *s)
{
	static const unsigned char	evil[] = { 0, 'E', 0, 'v', 0, 'i', 0, 'l' };
	X509_NAME			*name = X509_get_subject_name(x);

	if (s->subject_mail != NULL)
		assert_int_equal(X509_NAME_add_entry_by_NID(name,
		    NID_pkcs9_emailAddress, V_ASN1_IA5STRING,
		    (const unsigned char *)s->subject_mail, -1, -1, 0), 1);
	if (s->evil)
		assert_int_equal(X509_NAME_add_entry_by_NID(name,
		    NID_organizationalUnitName, V_ASN1_BMPSTRING, evil,
		    sizeof(evil), 0, 0), 1);
}

static int
set_up(void **state)
{
	EVP_PKEY	*leaf_key = mesh_key();
	size_t		 i;

	(void)state;
	if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0)
		return -1;
	root_key = mesh_key();
	sub_key = mesh_key();
	root = mesh_cert("Root", root_key, "Root", root_key, true, NOW - DAY,
	    NOW + 9 * DAY);
	other = mesh_cert("Other", leaf_key, "Root", root_key, true, NOW - DAY,
	    NOW + 9 * DAY);
	sub = mesh_cert("Sub", sub_key, "Root", root_key, true, NOW - DAY,
	    NOW + 9 * DAY);
	add_constraints(sub);
	mesh_policy(sub, "2.5.29.32.0");
	assert_true(X509_sign(sub, root_key, EVP_sha256()) > 0);
	for (i = 0; i < NUM_SCENES; i++) {
		leaves[i] = mesh_cert("alice", leaf_key, "Sub", sub_key, false,
		    NOW - DAY, NOW + 9 * DAY);
		add_subject(leaves[i], &scenes[i]);
		mesh_ext(leaves[i], NID_subject_alt_name, scenes[i].san);
		mesh_ext(leaves[i], NID_ext_key_usage, "clientAuth");
		mesh_policy(leaves[i], "1.2.4");
		assert_true(X509_sign(leaves[i], sub_key, EVP_sha256()) > 0);
	}
	EVP_PKEY_free(leaf_key);
	write_pem("root.pem", root, NULL);
	write_pem("sub.pem", sub, NULL);
	write_pem("other.pem", other, NULL);
	write_crl();
	write_denied_cert();
	write_text("denied-user", "user:alice\n");
	write_text("denied-mailbox", "mailbox:alice@good.example\n");
	write_text("others", "bob\n");
	write_text("map", MAP);
	return 0;
}

static int
tear_down(void **state)
{
	char	command[100];
	size_t	i;

	(void)state;
	for (i = 0; i < NUM_SCENES; i++)
		X509_free(leaves[i]);
	X509_free(root);
	X509_free(sub);
	X509_free(other);
	EVP_PKEY_free(root_key);
	EVP_PKEY_free(sub_key);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command) == 0 ? 0 : -1;
}

static struct certauth *
open_scene(const struct scene *s, struct certauth_error *error_r)
{
	char	conf[2000];

	snprintf(conf, sizeof(conf), "version = 1;\n"
	    "authorities: { a: { anchors = [ \"root.pem\" ]; intermediates = "
	    "[ \"sub.pem\" ]; %s }; };\n"
	    "profiles: { p: { authorities = [ \"a\" ]; %s }; };\n",
	    s->authority, s->profile);
	write_text("conf", conf);
	return certauth_open(in_folder("conf"), error_r);
}

/* ------------------------------------------------------------------ asking */

static struct certauth_verdict *
ask(struct certauth *engine, const struct scene *s, unsigned n, bool all)
{
	/* A copy that nobody has looked at: as it comes from a handshake. */
	X509			*leaf = X509_dup(leaves[s - scenes]);
	struct certauth_request	 request = {
		.profile = certauth_profile_find(engine, "p"), .leaf = leaf,
		.now = NOW
	};
	struct certauth_verdict	*v;

	assert_non_null(leaf);
	count = 0;
	fail_at = n;
	and_after = all;
	v = certauth_verify(engine, &request);
	fail_at = 0;
	X509_free(leaf);
	return v;
}

static void
check(const struct scene *s, const struct certauth_verdict *v, unsigned n)
{
	if (certauth_verdict_decision(v) == CERTAUTH_ACCEPT) {
		if (s->reason != CERTAUTH_OK)
			fail_msg("%s: accepted when allocation %u fails",
			    s->name, n);
		assert_string_equal(certauth_verdict_user(v), s->user);
		assert_string_equal(certauth_verdict_get(v, "groups"),
		    "staff");
	}
}

static struct certauth *
opened(const struct scene *s)
{
	struct certauth_error	error;
	struct certauth		*engine = open_scene(s, &error);

	if (engine == NULL)
		fail_msg("%s: %s", s->name, error.text);
	return engine;
}

static void
sweep(const struct scene *s, bool all)
{
	struct certauth_verdict	*v;
	struct certauth		*engine = opened(s);
	unsigned		 n, num;

	v = ask(engine, s, 0, false);
	num = count;
	if (certauth_verdict_reason(v) != s->reason)
		fail_msg("%s: %d, expected %d: %s", s->name,
		    (int)certauth_verdict_reason(v), (int)s->reason,
		    certauth_verdict_text(v));
	certauth_verdict_free(v);
	certauth_free(engine);
	assert_in_range(num, 10, MAX_ALLOCATIONS);
	for (n = 1; n <= num; n += n + LAST < num ? STEP : 1) {
		engine = opened(s);
		v = ask(engine, s, n, all);
		check(s, v, n);
		certauth_verdict_free(v);
		v = ask(engine, s, 0, false);
		if (certauth_verdict_reason(v) != s->reason)
			fail_msg("%s: after allocation %u had failed: %d, %s",
			    s->name, n, (int)certauth_verdict_reason(v),
			    certauth_verdict_text(v));
		check(s, v, 0);
		certauth_verdict_free(v);
		certauth_free(engine);
	}
	print_message("%s: %u allocations\n", s->name, num);
}

static void
test_one_fails(void **state)
{
	size_t	i;

	(void)state;
	for (i = 0; i < NUM_SCENES; i++)
		sweep(&scenes[i], false);
}

static void
test_all_fail_from_there(void **state)
{
	size_t	i, step = getenv("CERTAUTH_SWEEP") != NULL ? 1 : 4;

	(void)state;
	for (i = 0; i < NUM_SCENES; i += step)
		sweep(&scenes[i], true);
}

/* The same at start: no engine, or one that lets nobody in who has to be refused
 * (a file of which a part could not be read may refuse more). Until its first poll
 * `unknown` may speak for a CRL that could not be read. */
static void
sweep_open(const struct scene *s)
{
	struct certauth_error	 error;
	struct certauth_verdict	*v;
	struct certauth		*engine;
	unsigned		 n, num;
	bool			 soft = strstr(s->authority, "\"accept\"") != NULL;

	count = 0;
	certauth_free(opened(s));
	num = count;
	for (n = 1; n <= num; n += num < 2 * LAST ? 1 : STEP) {
		count = 0;
		fail_at = n;
		and_after = false;
		engine = open_scene(s, &error);
		fail_at = 0;
		if (engine == NULL)
			continue;
		if (!soft) {
			v = ask(engine, s, 0, false);
			check(s, v, n);
			certauth_verdict_free(v);
		}
		(void)certauth_poll(engine, &error);
		v = ask(engine, s, 0, false);
		check(s, v, n);
		certauth_verdict_free(v);
		certauth_free(engine);
	}
	print_message("%s: %u allocations at start\n", s->name, num);
}

static void
test_open(void **state)
{
	size_t	i;

	(void)state;
	for (i = 0; i < NUM_SCENES; i++)
		sweep_open(&scenes[i]);
}

static const struct scene *
scene(const char *name)
{
	size_t	i;

	for (i = 0; i < NUM_SCENES; i++)
		if (strcmp(scenes[i].name, name) == 0)
			return &scenes[i];
	fail_msg("no scene %s", name);
	return NULL;
}

/* Read from a generation: bytes that were copied twice before they are a policy. */
static void
test_open_generation(void **state)
{
	struct certauth_apply_ask	 what = { .kind = CERTAUTH_APPLY_FILE,
					    .by = "test" };
	const struct scene		*s = scene("denied user");
	struct certauth_error		 error;
	struct certauth_apply		*a;

	(void)state;
	certauth_free(opened(s));
	a = certauth_apply_begin(in_folder("conf"), &what, &error);
	assert_non_null(a);
	assert_true(certauth_apply_commit(a, &error));
	certauth_apply_end(a);
	sweep_open(s);
	what.kind = CERTAUTH_APPLY_REMOVE;
	a = certauth_apply_begin(in_folder("conf"), &what, &error);
	assert_non_null(a);
	assert_true(certauth_apply_commit(a, &error));
	certauth_apply_end(a);
}

/* What a poll could not take up, the next one does. `name` becomes `after`, which
 * makes of OK the reason of the scene. */
static void
sweep_poll(const struct scene *s, const char *name, const char *before,
    const char *after)
{
	struct certauth_error	 error;
	struct certauth_verdict	*v;
	struct certauth		*engine;
	unsigned		 n, num = 1;

	for (n = 0; n <= num; n++) {
		write_text(name, before);
		engine = opened(s);
		v = ask(engine, s, 0, false);
		assert_int_equal(certauth_verdict_reason(v), CERTAUTH_OK);
		certauth_verdict_free(v);
		assert_int_equal(unlink(in_folder(name)), 0);
		write_text(name, after);
		count = 0;
		fail_at = n;
		and_after = false;
		(void)certauth_poll(engine, &error);
		fail_at = 0;
		if (n == 0)
			num = count;
		(void)certauth_poll(engine, &error);
		v = ask(engine, s, 0, false);
		if (certauth_verdict_reason(v) != s->reason)
			fail_msg("%s changed, allocation %u of the poll failed: "
			    "%s", name, n, certauth_verdict_text(v));
		certauth_verdict_free(v);
		certauth_free(engine);
	}
	print_message("%s: %u allocations of a poll\n", name, num);
}

static void
test_poll(void **state)
{
	char	 crl[2000];
	FILE	*f;
	size_t	 n;

	(void)state;
	sweep_poll(scene("denied user"), "denied-user", "user:bob\n",
	    "user:alice\n");
	sweep_poll(scene("nobody"), "map", "dora@good.example dora staff\n",
	    "alice@good.example alice staff\n");
	f = fopen(in_folder("crl"), "r");
	assert_non_null(f);
	n = fread(crl, 1, sizeof(crl) - 1, f);
	crl[n] = '\0';
	fclose(f);
	/* there was none, and no word of it counts as good */
	sweep_poll(scene("revoked, unknown would do"), "crl", "", crl);
	/* for the scenes that follow */
	write_text("map", MAP);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_one_fails),
		cmocka_unit_test(test_all_fail_from_there),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_open_generation),
		cmocka_unit_test(test_poll),
	};

	if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc,
	    openssl_free) != 1)
		return 1;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
