/*
 * bench_dear.c - what is the most CPU that one client can make the core spend?
 *
 *   bench_dear [-r ROUNDS]
 *
 * Chains that pass the parser and were built to cost. What a stranger can send:
 *   mesh          32 CAs that all certify one another, one of them says it is ours
 *   twins         32 issuers of the leaf, each with our CA's name on it: 32
 *                 signatures that fail (with P-256, P-384 or RSA-4096 above)
 *   names-sent    a leaf of 511 names and 31 CAs of 80 subtrees, not ours: what
 *                 fits into the 100 KB that OpenSSL takes in one handshake
 *   rsa-16384     a leaf with a key that nobody would want to use
 * What only a CA below our anchors can do, by malice or by accident:
 *   policies      a chain whose policies and mappings double at each step
 *                 (CVE-2023-0464)
 *   names         511 names under 512 subtrees
 *   rsa-8192      a chain of the largest keys that are allowed
 * Beside each, X509_verify_cert on the same certificates, whatever it says.
 */

#include "bench.h"

#include <unistd.h>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#define SENT_MAX	32
/* SSL_CTX_set_max_cert_list: what a server takes when nobody says otherwise */
#define STRANGER_MAX_BYTES	(100u * 1024)

/* One question, as bytes; parsed anew for each answer. */
struct dear {
	const char	*name;
	X509		*root, *issuer;	/* anchor; pinned issuer */
	struct der_copy	 leaf, sent[SENT_MAX];
	size_t		 num_sent;
	char		*conf;
	int		 depth;		/* the profile's; 0: the default */
};

static const char	*core_answer;

static void
write_conf(struct dear *d)
{
	char	*root = scratch_path("%s-root.pem", d->name);

	d->conf = scratch_path("%s.conf", d->name);
	write_pem(root, &d->root, 1);
	write_text(d->conf, "version = 1;\nstate = \"%s/state\";\n"
	    "authorities: { bench: { anchors = [\"%s\"];\n"
	    "\trevocation: { check = \"none\"; }; }; };\n"
	    "profiles: { bench: { authorities = [\"bench\"]; depth = %d;\n"
	    "\tkeys: { rsa_max = 8192; }; identity = (\n"
	    "\t{ name = \"cn\"; user = \"{subject.CN}\"; }); }; };\n",
	    scratch(), root, d->depth > 0 ? d->depth : 5);
	free(root);
}

static void
add_sent(struct dear *d, X509 *x)
{
	must(d->num_sent < SENT_MAX);
	d->sent[d->num_sent++] = make_der(x);
	X509_free(x);
}

static X509 *
make_root(EVP_PKEY *key)
{
	return make_cert(&(struct make){ .subject = "Dear Root", .key = key,
	    .ca = true, .path_len = -1 });
}

/* -------------------------------------------------------------- by strangers */

static X509 *
named(const char *cn, EVP_PKEY *key)
{
	return make_cert(&(struct make){ .subject = cn, .key = key, .ca = true,
	    .path_len = -1 });
}

/* Six names, each certified by each other and by "our" root. */
static void
mesh(struct dear *d)
{
	EVP_PKEY	*root = make_key("P-256"), *evil = make_key("P-256");
	EVP_PKEY	*keys[6];
	X509		*as[6];
	char		 cn[16];
	size_t		 i, j;

	d->name = "mesh";
	d->root = make_root(root);
	for (i = 0; i < 6; i++) {
		snprintf(cn, sizeof(cn), "Mesh %zu", i);
		keys[i] = make_key("P-256");
		as[i] = named(cn, keys[i]);
	}
	for (i = 0; i < 6; i++) {
		snprintf(cn, sizeof(cn), "Mesh %zu", i);
		for (j = 0; j < 6; j++)
			if (i != j && d->num_sent + 1 < SENT_MAX)
				add_sent(d, make_cert(&(struct make){
				    .subject = cn, .key = keys[i],
				    .issuer = as[j], .issuer_key = keys[j],
				    .ca = true, .path_len = -1 }));
	}
	add_sent(d, make_cert(&(struct make){ .subject = "Mesh 5", .key = keys[5],
	    .issuer = d->root, .issuer_key = evil, .ca = true,
	    .path_len = -1 }));
	d->leaf = make_der(make_cert(&(struct make){ .subject = "mesh",
	    .key = evil, .issuer = as[0], .issuer_key = keys[0],
	    .path_len = -1 }));
}

static void
twins(struct dear *d, const char *name, const char *kind)
{
	EVP_PKEY	*root = make_key(kind), *evil = make_key(kind);
	EVP_PKEY	*key = make_key("P-256");
	X509		*twin = named("Twin", key);

	d->name = name;
	d->root = make_root(root);
	while (d->num_sent < SENT_MAX)
		add_sent(d, make_cert(&(struct make){ .subject = "Twin",
		    .key = key, .issuer = d->root, .issuer_key = evil,
		    .ca = true, .path_len = -1 }));
	d->leaf = make_der(make_cert(&(struct make){ .subject = "twins",
	    .key = key, .issuer = twin, .issuer_key = key, .path_len = -1 }));
}

/* "email:a@d0.example.org,email:a@d1.example.org,...": before, number, behind. */
static char *
list(const char *before, const char *behind, size_t n)
{
	char	*text = calloc(n + 1, 64), *p = text;
	size_t	 i;

	must(text != NULL);
	for (i = 0; i < n; i++)
		p += snprintf(p, 64, "%s%s%03zu%s", i > 0 ? "," : "", before, i,
		    behind);
	return text;
}

static void
names_sent(struct dear *d)
{
	EVP_PKEY	*root = make_key("P-256"), *key = make_key("P-256");
	char		*subtrees = list("permitted;email:d", ".example.org", 80);
	char		*names = list("email:a@d", ".example.org", 511);
	X509		*last = NULL, *x;
	char		 cn[32];
	size_t		 bytes;
	int		 i;

	d->name = "names-sent";
	d->root = make_root(root);
	for (i = 0; i < SENT_MAX - 1; i++) {
		snprintf(cn, sizeof(cn), "Names %d", i);
		x = make_cert(&(struct make){ .subject = cn, .key = key,
		    .issuer = i == 0 ? d->root : last, .issuer_key = key,
		    .ca = true, .path_len = -1,
		    .more = { { NID_name_constraints, subtrees } } });
		if (last != NULL)
			add_sent(d, last);
		last = x;
	}
	d->leaf = make_der(make_cert(&(struct make){ .subject = "names",
	    .key = key, .issuer = last, .issuer_key = key, .path_len = -1,
	    .san = names }));
	add_sent(d, last);
	for (bytes = d->leaf.len, i = 0; i < (int)d->num_sent; i++)
		bytes += d->sent[i].len;
	must(bytes < STRANGER_MAX_BYTES);
	free(subtrees);
	free(names);
}

/* A modulus of so many bits that is no key: nobody has to make one. */
static EVP_PKEY *
huge_key(int bits)
{
	OSSL_PARAM_BLD	*build = OSSL_PARAM_BLD_new();
	OSSL_PARAM	*params;
	EVP_PKEY_CTX	*ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, NULL);
	BIGNUM		*n = BN_new(), *e = BN_new();
	EVP_PKEY	*key = NULL;

	must(BN_rand(n, bits, BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ODD) == 1 &&
	    BN_set_word(e, RSA_F4) == 1);
	must(OSSL_PARAM_BLD_push_BN(build, "n", n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(build, "e", e) == 1);
	params = OSSL_PARAM_BLD_to_param(build);
	must(params != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) == 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(ctx);
	BN_free(n);
	BN_free(e);
	return key;
}

static void
rsa_16384(struct dear *d)
{
	EVP_PKEY	*root = make_key("P-256"), *evil = make_key("P-256");

	d->name = "rsa-16384";
	d->root = make_root(root);
	d->leaf = make_der(make_cert(&(struct make){ .subject = "huge",
	    .key = huge_key(16384), .issuer = d->root, .issuer_key = evil,
	    .path_len = -1 }));
}

/* -------------------------------------------------------------------- by CAs */

/*
 * Each CA asserts 30 policies, and maps each to two of the next level: 2^depth
 * nodes without a ceiling.
 */
static void
policies(struct dear *d)
{
	EVP_PKEY	*key = make_key("P-256");
	X509		*last, *x;
	char		 cn[32], *asserted;
	char		 mapped[4096], *p;
	int		 i, j;

	d->name = "policies";
	d->depth = 16;
	d->root = last = make_root(key);
	asserted = list("1.3.6.1.4.1.99999.9.1", "", 30);
	for (p = mapped, j = 0; j < 30; j++)
		p += snprintf(p, 120, "%s1.3.6.1.4.1.99999.9.1%03d:"
		    "1.3.6.1.4.1.99999.9.1%03d", j > 0 ? "," : "", j / 2,
		    j);
	for (i = 0; i < 16; i++) {
		snprintf(cn, sizeof(cn), "Policy %d", i);
		x = make_cert(&(struct make){ .subject = cn, .key = key,
		    .issuer = last, .issuer_key = key, .ca = true,
		    .path_len = -1, .more = {
			{ NID_certificate_policies, asserted },
			{ NID_policy_mappings, mapped } } });
		if (i > 0)
			add_sent(d, last);
		last = x;
	}
	d->leaf = make_der(make_cert(&(struct make){ .subject = "policies",
	    .key = key, .issuer = last, .issuer_key = key, .path_len = -1,
	    .more = { { NID_certificate_policies, asserted } } }));
	add_sent(d, last);
	free(asserted);
}

/* Permitted are 511 domains that fit nothing and, last, the one that does. */
static void
names(struct dear *d)
{
	EVP_PKEY	*key = make_key("P-256");
	char		*subtrees, *mails;
	X509		*ca;

	d->name = "names";
	d->root = make_root(key);
	subtrees = list("permitted;email:d", ".example.org", 512);
	mails = list("email:a", "@d511.example.org", 511);
	ca = make_cert(&(struct make){ .subject = "Constrained", .key = key,
	    .issuer = d->root, .issuer_key = key, .ca = true, .path_len = -1,
	    .more = { { NID_name_constraints, subtrees } } });
	d->leaf = make_der(make_cert(&(struct make){ .subject = "names",
	    .key = key, .issuer = ca, .issuer_key = key, .path_len = -1,
	    .san = mails }));
	add_sent(d, ca);
	free(subtrees);
	free(mails);
}

/* Five primes: the same public key to whoever checks, made in a second. */
static EVP_PKEY *
rsa_8192_key(void)
{
	EVP_PKEY_CTX	*ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, NULL);
	EVP_PKEY	*key = NULL;

	must(ctx != NULL && EVP_PKEY_keygen_init(ctx) == 1);
	must(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 8192) == 1);
	must(EVP_PKEY_CTX_set_rsa_keygen_primes(ctx, 5) == 1);
	must(EVP_PKEY_keygen(ctx, &key) == 1);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static void
rsa_8192(struct dear *d)
{
	EVP_PKEY	*key = rsa_8192_key();
	X509		*last, *x;
	char		 cn[32];
	int		 i;

	d->name = "rsa-8192";
	d->depth = 16;
	d->root = last = make_root(key);
	for (i = 0; i < 16; i++) {
		snprintf(cn, sizeof(cn), "Large %d", i);
		x = make_cert(&(struct make){ .subject = cn, .key = key,
		    .issuer = last, .issuer_key = key, .ca = true,
		    .path_len = -1 });
		if (i > 0)
			add_sent(d, last);
		last = x;
	}
	d->leaf = make_der(make_cert(&(struct make){ .subject = "large",
	    .key = key, .issuer = last, .issuer_key = key, .path_len = -1 }));
	add_sent(d, last);
}

/* ----------------------------------------------------------------- measuring */

static double
core_us(struct certauth *e, X509 *leaf, STACK_OF(X509) *sent)
{
	struct certauth_request	 request = {
		.profile = certauth_profile_at(e, 0), .leaf = leaf, .sent = sent,
	};
	struct certauth_verdict	*v;
	double			 begin = cpu_us(), end;

	v = certauth_verify(e, &request);
	end = cpu_us();
	core_answer = certauth_reason_slug(certauth_verdict_reason(v));
	certauth_verdict_free(v);
	return end - begin;
}

static double
stock_us(X509 *root, X509 *leaf, STACK_OF(X509) *sent)
{
	X509_STORE	*store = stock_store(root);
	X509_STORE_CTX	*ctx = X509_STORE_CTX_new();
	double		 begin, end;

	X509_STORE_set_flags(store, X509_V_FLAG_POLICY_CHECK);
	begin = cpu_us();
	must(X509_STORE_CTX_init(ctx, store, leaf, sent) == 1);
	must(X509_STORE_CTX_set_default(ctx, "ssl_client") == 1);
	(void)X509_verify_cert(ctx);
	X509_STORE_CTX_free(ctx);
	end = cpu_us();
	ERR_clear_error();
	X509_STORE_free(store);
	return end - begin;
}

static void
one(struct dear *d, bool core, bool count)
{
	struct certauth	*e = core ? open_engine(d->conf) : NULL;
	STACK_OF(X509)	*sent = sk_X509_new_null();
	X509		*leaf = parse(&d->leaf);
	double		 us;
	size_t		 i;

	for (i = 0; i < d->num_sent; i++)
		must(sk_X509_push(sent, parse(&d->sent[i])) > 0);
	us = core ? core_us(e, leaf, sent) : stock_us(d->root, leaf, sent);
	if (count)
		sample("us", us, "dear %s %s", d->name, core ? "core" : "stock");
	X509_free(leaf);
	sk_X509_pop_free(sent, X509_free);
	certauth_free(e);
}

int
main(int argc, char **argv)
{
	static struct dear	all[9];
	size_t			rounds = 7, i, k;
	int			c;

	while ((c = getopt(argc, argv, "r:")) != -1)
		switch (c) {
		case 'r': rounds = strtoul(optarg, NULL, 10); break;
		default: return 2;
		}
	mesh(&all[0]);
	twins(&all[1], "twins-P-256", "P-256");
	twins(&all[2], "twins-RSA-4096", "RSA-4096");
	names_sent(&all[3]);
	rsa_16384(&all[4]);
	policies(&all[5]);
	names(&all[6]);
	rsa_8192(&all[7]);
	twins(&all[8], "twins-P-384", "P-384");
	for (k = 0; k < 9; k++)
		write_conf(&all[k]);
	for (i = 0; i <= rounds; i++) {
		for (k = 0; k < 9; k++) {
			one(&all[k], true, i > 0);
			if (i == 0)
				printf("dear %s answer\tword\t%s\n", all[k].name,
				    core_answer);
			one(&all[k], false, i > 0);
		}
	}
	return 0;
}
