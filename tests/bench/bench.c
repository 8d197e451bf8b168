/*
 * bench.c - clocks, samples and throw-away certificates for tests/bench.
 */

#include "bench.h"

#include <dirent.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/conf.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

/* ------------------------------------------------------------------- clocks */

static double
us(clockid_t clock)
{
	struct timespec	t;

	must(clock_gettime(clock, &t) == 0);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

double
cpu_us(void)
{
	return us(CLOCK_THREAD_CPUTIME_ID);
}

double
wall_us(void)
{
	return us(CLOCK_MONOTONIC);
}

double
process_cpu_us(void)
{
	return us(CLOCK_PROCESS_CPUTIME_ID);
}

double
private_bytes(void)
{
	FILE	*f = fopen("/proc/self/smaps_rollup", "r");
	char	 line[256];
	double	 sum = 0;
	long	 kb;

	must(f != NULL);
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "Private_Clean: %ld", &kb) == 1 ||
		    sscanf(line, "Private_Dirty: %ld", &kb) == 1)
			sum += (double)kb * 1024;
	fclose(f);
	return sum;
}

void
sample(const char *unit, double value, const char *format, ...)
{
	va_list	ap;

	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\t%s\t%.6g\n", unit, value);
	fflush(stdout);
}

/* -------------------------------------------------------------------- files */

static char	folder[256];

static void
remove_tree(const char *path)
{
	DIR		*dir = opendir(path);
	struct dirent	*d;
	char		 inner[768];

	while (dir != NULL && (d = readdir(dir)) != NULL) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		snprintf(inner, sizeof(inner), "%s/%s", path, d->d_name);
		if (d->d_type == DT_DIR)
			remove_tree(inner);
		else
			unlink(inner);
	}
	if (dir != NULL)
		closedir(dir);
	rmdir(path);
}

void
scratch_remove(void)
{
	if (folder[0] != '\0')
		remove_tree(folder);
	folder[0] = '\0';
}

const char *
scratch(void)
{
	const char	*tmp = getenv("TMPDIR");

	if (folder[0] == '\0') {
		snprintf(folder, sizeof(folder), "%s/certauth-bench.XXXXXX",
		    tmp != NULL ? tmp : "/tmp");
		must(mkdtemp(folder) != NULL);
		atexit(scratch_remove);
	}
	return folder;
}

char *
scratch_path(const char *format, ...)
{
	char	 name[200], *path;
	va_list	 ap;

	va_start(ap, format);
	vsnprintf(name, sizeof(name), format, ap);
	va_end(ap);
	must(asprintf(&path, "%s/%s", scratch(), name) > 0);
	return path;
}

void
write_text(const char *path, const char *format, ...)
{
	FILE	*f = fopen(path, "w");
	va_list	 ap;

	must(f != NULL);
	va_start(ap, format);
	vfprintf(f, format, ap);
	va_end(ap);
	must(fclose(f) == 0);
}

void
write_pem(const char *path, X509 *const *certs, size_t n)
{
	FILE	*f = fopen(path, "w");
	size_t	 i;

	must(f != NULL);
	for (i = 0; i < n; i++)
		must(PEM_write_X509(f, certs[i]) == 1);
	must(fclose(f) == 0);
}

void
write_key(const char *path, EVP_PKEY *key)
{
	FILE	*f = fopen(path, "w");

	must(f != NULL && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL,
	    NULL) == 1);
	must(fclose(f) == 0);
}

/* --------------------------------------------------------------------- PKI */

EVP_PKEY *
make_key(const char *kind)
{
	EVP_PKEY	*key;

	if (strncmp(kind, "RSA-", 4) == 0)
		key = EVP_RSA_gen((unsigned)atoi(kind + 4));
	else
		key = EVP_EC_gen(kind);
	must(key != NULL);
	return key;
}

static void
add_ext(X509 *x, X509V3_CTX *ctx, int nid, const char *text)
{
	X509_EXTENSION	*ext = X509V3_EXT_conf_nid(NULL, ctx, nid, text);

	if (ext == NULL)
		ERR_print_errors_fp(stderr);
	must(ext != NULL && X509_add_ext(x, ext, -1) == 1);
	X509_EXTENSION_free(ext);
}

static void
set_name(X509_NAME *name, const char *cn)
{
	static const struct { const char *type, *text; } fixed[] = {
		{ "C", "XX" }, { "O", "Example Organisation" }
	};
	size_t	i;

	for (i = 0; i < 2; i++)
		must(X509_NAME_add_entry_by_txt(name, fixed[i].type,
		    MBSTRING_UTF8, (const unsigned char *)fixed[i].text, -1, -1,
		    0) == 1);
	must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
	    (const unsigned char *)cn, -1, -1, 0) == 1);
}

X509 *
make_cert(const struct make *m)
{
	static uint64_t	 counter = 0x4b01020304050607u;
	X509		*x = X509_new(), *issuer = m->issuer;
	EVP_PKEY	*key = m->issuer_key != NULL ? m->issuer_key : m->key;
	unsigned char	 serial[16] = { 0x4b };
	uint64_t	 n = m->serial != 0 ? m->serial : counter++;
	CONF		*conf = NCONF_new(NULL);
	X509V3_CTX	 ctx;
	BIGNUM		*bn;
	char		 bc[64];
	size_t		 i;

	must(x != NULL);
	for (i = 0; i < 8; i++)
		serial[15 - i] = (unsigned char)(n >> (8 * i));
	bn = BN_bin2bn(serial, sizeof(serial), NULL);
	must(BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x)) != NULL);
	BN_free(bn);
	must(X509_set_version(x, X509_VERSION_3) == 1);
	must(X509_gmtime_adj(X509_getm_notBefore(x), -86400) != NULL);
	must(X509_gmtime_adj(X509_getm_notAfter(x), 86400L * 365) != NULL);
	set_name(X509_get_subject_name(x), m->subject);
	must(X509_set_issuer_name(x, X509_get_subject_name(
	    issuer != NULL ? issuer : x)) == 1);
	must(X509_set_pubkey(x, m->key) == 1);
	X509V3_set_ctx(&ctx, issuer != NULL ? issuer : x, x, NULL, NULL, 0);
	X509V3_set_nconf(&ctx, conf);	/* policies want one, be it empty */
	snprintf(bc, sizeof(bc), m->path_len >= 0 ? "critical,CA:TRUE,pathlen:%d" :
	    "critical,CA:TRUE", m->path_len);
	add_ext(x, &ctx, NID_basic_constraints, m->ca ? bc : "critical,CA:FALSE");
	add_ext(x, &ctx, NID_key_usage, m->ca ? "critical,keyCertSign,cRLSign" :
	    "critical,digitalSignature");
	add_ext(x, &ctx, NID_subject_key_identifier, "hash");
	if (issuer != NULL)
		add_ext(x, &ctx, NID_authority_key_identifier, "keyid");
	if (m->san != NULL)
		add_ext(x, &ctx, NID_subject_alt_name, m->san);
	for (i = 0; i < 6 && m->more[i].nid != 0; i++)
		add_ext(x, &ctx, m->more[i].nid, m->more[i].text);
	must(X509_sign(x, key, EVP_sha256()) > 0);
	NCONF_free(conf);
	return x;
}

struct der_copy
make_der(X509 *x)
{
	struct der_copy	der = { NULL, 0 };
	int		len = i2d_X509(x, &der.data);

	must(len > 0);
	der.len = (size_t)len;
	return der;
}

X509 *
parse(const struct der_copy *der)
{
	const unsigned char	*p = der->data;
	X509			*x = d2i_X509(NULL, &p, (long)der->len);

	must(x != NULL);
	return x;
}

/* ------------------------------------------------------------------- chains */

static X509 *
leaf_cert(const struct chain *c, EVP_PKEY *signer)
{
	static unsigned	number;
	char		subject[64], san[160];

	number++;
	snprintf(subject, sizeof(subject), "Person %u", number);
	snprintf(san, sizeof(san), "email:person.%u@example.org,"
	    "otherName:msUPN;UTF8:person.%u@example.org", number, number);
	return make_cert(&(struct make){ .subject = subject, .key = c->leaf_key,
	    .issuer = c->ca, .issuer_key = signer, .path_len = -1, .san = san,
	    .more = {
		{ NID_ext_key_usage, "clientAuth,emailProtection" },
		{ NID_certificate_policies, "2.16.840.1.101.3.2.1.3.13" },
		{ NID_crl_distribution_points, "URI:http://ca.example.org/ca.crl" },
		{ NID_info_access, "OCSP;URI:http://ocsp.example.org/" } } });
}

struct der_copy
chain_leaf(const struct chain *c, EVP_PKEY *signer)
{
	X509		*x = leaf_cert(c, signer);
	struct der_copy	 der = make_der(x);

	X509_free(x);
	return der;
}

void
chain_make(struct chain *c, const char *kind, size_t num_leaves)
{
	char	name[64];
	size_t	i;

	memset(c, 0, sizeof(*c));
	c->kind = kind;
	c->root_key = make_key(kind);
	c->ca_key = make_key(kind);
	/* people with RSA-4096 above them have RSA-2048 themselves */
	c->leaf_key = make_key(strcmp(kind, "RSA-4096") == 0 ? "RSA-2048" : kind);
	snprintf(name, sizeof(name), "Bench Root %s", kind);
	c->root = make_cert(&(struct make){ .subject = name, .key = c->root_key,
	    .ca = true, .path_len = -1 });
	snprintf(name, sizeof(name), "Bench Issuing CA %s", kind);
	c->ca = make_cert(&(struct make){ .subject = name, .key = c->ca_key,
	    .issuer = c->root, .issuer_key = c->root_key, .ca = true,
	    .path_len = 0, .more = {
		{ NID_certificate_policies, "2.16.840.1.101.3.2.1.3.13" },
		{ NID_crl_distribution_points, "URI:http://ca.example.org/root.crl" },
		{ NID_info_access, "OCSP;URI:http://ocsp.example.org/" } } });
	c->ca_der = make_der(c->ca);
	c->leaves = calloc(num_leaves + 1, sizeof(*c->leaves));
	must(c->leaves != NULL);
	c->num_leaves = num_leaves;
	for (i = 0; i < num_leaves; i++)
		c->leaves[i] = chain_leaf(c, c->ca_key);
}

void
chain_write(struct chain *c, const char *revocation)
{
	char	*root = scratch_path("%s-root.pem", c->kind);
	char	*ca = scratch_path("%s-ca.pem", c->kind);
	char	*state = scratch_path("%s-state", c->kind);

	c->conf = scratch_path("%s.conf", c->kind);
	write_pem(root, &c->root, 1);
	write_pem(ca, &c->ca, 1);
	must(mkdir(state, 0755) == 0 || access(state, F_OK) == 0);
	write_text(c->conf,
	    "version = 1;\nstate = \"%s\";\n"
	    "authorities: { bench: { anchors = [\"%s\"]; issuers = [\"%s\"];\n"
	    "\trevocation: { %s }; }; };\n"
	    "profiles: { bench: { authorities = [\"bench\"]; identity = (\n"
	    "\t{ name = \"mail\"; user = \"{san.email|local|lower}\"; }); }; };\n",
	    state, root, ca, revocation);
	free(root);
	free(ca);
	free(state);
}

/* ------------------------------------------------------------------ answers */

struct certauth *
open_engine(const char *conf)
{
	struct certauth_error	 error;
	struct certauth		*e = certauth_open(conf, &error);

	if (e == NULL)
		fprintf(stderr, "%s:%u: %s\n", error.file, error.line, error.text);
	must(e != NULL);
	return e;
}

void
ask(struct certauth *e, X509 *leaf, STACK_OF(X509) *sent,
    enum certauth_reason expected)
{
	struct certauth_request	 request = {
		.profile = certauth_profile_at(e, 0), .leaf = leaf, .sent = sent,
		.service = "http",
	};
	struct certauth_verdict	*v = certauth_verify(e, &request);

	if (certauth_verdict_reason(v) != expected)
		fprintf(stderr, "%s\n", certauth_verdict_text(v));
	must(certauth_verdict_reason(v) == expected);
	certauth_verdict_free(v);
}

/* The element at *p with its header; its value begins at *p after. */
static size_t
element(const unsigned char **p, size_t left, long *len_r)
{
	const unsigned char	*begin = *p;
	int			 tag, class;

	must((ASN1_get_object(p, len_r, &tag, &class, (long)left) & 0x80) == 0);
	return (size_t)(*p - begin) + (size_t)*len_r;
}

void
check_signature(const struct der_copy *der, X509 *leaf, EVP_PKEY *ca_key, bool good)
{
	const ASN1_BIT_STRING	*sig;
	const unsigned char	*tbs = der->data, *p;
	EVP_MD_CTX		*ctx = EVP_MD_CTX_new();
	size_t			 tbs_len;
	long			 len;

	(void)element(&tbs, der->len, &len);
	p = tbs;
	tbs_len = element(&p, (size_t)len, &len);
	X509_get0_signature(&sig, NULL, leaf);
	must(ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL,
	    ca_key) == 1);
	must((EVP_DigestVerify(ctx, sig->data, (size_t)sig->length, tbs,
	    tbs_len) == 1) == good);
	if (!good)
		ERR_clear_error();
	EVP_MD_CTX_free(ctx);
}

X509_STORE *
stock_store(X509 *root)
{
	X509_STORE	*store = X509_STORE_new();

	must(store != NULL && X509_STORE_add_cert(store, root) == 1);
	return store;
}

void
stock_verify(X509_STORE *store, X509 *leaf, STACK_OF(X509) *sent, bool good)
{
	X509_STORE_CTX	*ctx = X509_STORE_CTX_new();

	must(ctx != NULL && X509_STORE_CTX_init(ctx, store, leaf, sent) == 1);
	must(X509_STORE_CTX_set_default(ctx, "ssl_client") == 1);
	if ((X509_verify_cert(ctx) == 1) != good) {
		fprintf(stderr, "%s\n", X509_verify_cert_error_string(
		    X509_STORE_CTX_get_error(ctx)));
		exit(1);
	}
	if (!good)
		ERR_clear_error();
	X509_STORE_CTX_free(ctx);
}
