/*
 * bench_forged.c - what does a certificate cost that only claims a CA's name?
 *
 *   bench_forged -m MKCRL [-e ENTRIES] [-r ROUNDS] [-n LEAVES]
 *
 * With a CRL of ENTRIES (a million) in force, the issuing CA sent. Forged: the
 * CA's name and key id, a stranger's signature; each one is another.
 *   signature       one EVP_DigestVerify that fails
 *   core-forged, core-good      certauth_verify, leaves never seen
 *   stock-forged, stock-good    X509_verify_cert with CRL_CHECK (few: they take
 *                               milliseconds each), CRL in the store
 *   stock-no-crl    X509_verify_cert of the forged one, without any CRL
 */

#include "bench.h"

#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/x509_vfy.h>

#include "certauth_data.h"

struct set {
	struct der_copy	*ders;
	X509		**leaves;
	size_t		 n;
};

static struct set
make_set(const struct chain *c, EVP_PKEY *signer, size_t n)
{
	struct set	s = { calloc(n, sizeof(*s.ders)),
			    calloc(n, sizeof(*s.leaves)), n };
	size_t		i;

	must(s.ders != NULL && s.leaves != NULL);
	for (i = 0; i < n; i++)
		s.ders[i] = chain_leaf(c, signer);
	return s;
}

static STACK_OF(X509) *
sent_ca(const struct chain *c)
{
	STACK_OF(X509)	*sent = sk_X509_new_null();

	must(sent != NULL && sk_X509_push(sent, parse(&c->ca_der)) > 0);
	return sent;
}

static void
publish(struct chain *c, const char *mkcrl, unsigned long entries, char *crl)
{
	struct certauth_error	 error;
	struct certauth_compile	 report;
	char			 command[1200];
	char			*ca = scratch_path("issuer.pem");
	char			*key = scratch_path("issuer.key");

	write_pem(ca, &c->ca, 1);
	write_key(key, c->ca_key);
	snprintf(command, sizeof(command), "%s %s %s %lu %s", mkcrl, ca, key,
	    entries, crl);
	must(system(command) == 0);
	must(certauth_compile_conf(c->conf, NULL, &report, &error));
	must(report.entries == entries);
	certauth_compile_free(&report);
	free(ca);
	free(key);
}

static X509_STORE *
store_with_crl(X509 *root, const char *crl)
{
	X509_STORE	*store = stock_store(root);
	BIO		*bio = BIO_new_file(crl, "rb");
	X509_CRL	*list = bio != NULL ? d2i_X509_CRL_bio(bio, NULL) : NULL;

	must(list != NULL && X509_STORE_add_crl(store, list) == 1);
	must(X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK) == 1);
	X509_CRL_free(list);
	BIO_free(bio);
	return store;
}

enum variant { SIGNATURE, CORE, STOCK };

static double
measure(const struct chain *c, const struct set *s, size_t n, enum variant v,
    void *with, bool good)
{
	STACK_OF(X509)	*sent = sent_ca(c);
	double		 begin, end;
	size_t		 i;

	for (i = 0; i < n; i++)
		s->leaves[i] = parse(&s->ders[i]);
	begin = cpu_us();
	for (i = 0; i < n; i++) {
		if (v == SIGNATURE)
			check_signature(&s->ders[i], s->leaves[i], c->ca_key,
			    good);
		else if (v == CORE)
			ask(with, s->leaves[i], sent, good ? CERTAUTH_OK :
			    CERTAUTH_BAD_SIGNATURE);
		else
			stock_verify(with, s->leaves[i], sent, good);
	}
	end = cpu_us();
	for (i = 0; i < n; i++)
		X509_free(s->leaves[i]);
	sk_X509_pop_free(sent, X509_free);
	return (end - begin) / (double)n;
}

int
main(int argc, char **argv)
{
	struct chain	 chain;
	struct set	 good, forged;
	struct certauth	*e;
	X509_STORE	*plain, *listed;
	X509		*first;
	STACK_OF(X509)	*sent;
	const char	*mkcrl = NULL;
	char		*crl = scratch_path("list.crl"), *text;
	unsigned long	 entries = 1000000;
	size_t		 n = 200, rounds = 5, i;
	int		 c;

	while ((c = getopt(argc, argv, "m:e:r:n:")) != -1)
		switch (c) {
		case 'm': mkcrl = optarg; break;
		case 'e': entries = strtoul(optarg, NULL, 10); break;
		case 'r': rounds = strtoul(optarg, NULL, 10); break;
		case 'n': n = strtoul(optarg, NULL, 10); break;
		default: return 2;
		}
	must(mkcrl != NULL);
	chain_make(&chain, "P-256", 1);
	must(asprintf(&text, "check = \"leaf\"; crls = [\"%s\"];", crl) > 0);
	chain_write(&chain, text);
	good = make_set(&chain, chain.ca_key, n);
	forged = make_set(&chain, make_key("P-256"), n);
	publish(&chain, mkcrl, entries, crl);
	plain = stock_store(chain.root);
	listed = store_with_crl(chain.root, crl);
	/* the first look-up sorts the list: not counted */
	(void)measure(&chain, &good, 1, STOCK, listed, true);
	for (i = 0; i < rounds; i++) {
		e = open_engine(chain.conf);
		first = parse(&chain.leaves[0]);
		sent = sent_ca(&chain);
		ask(e, first, sent, CERTAUTH_OK);
		sample("us", measure(&chain, &forged, n, SIGNATURE, NULL, false),
		    "forged signature");
		sample("us", measure(&chain, &forged, n, CORE, e, false),
		    "forged core-forged");
		sample("us", measure(&chain, &good, n, CORE, e, true),
		    "forged core-good");
		sample("us", measure(&chain, &forged, n, STOCK, plain, false),
		    "forged stock-no-crl");
		sample("us", measure(&chain, &forged, 2, STOCK, listed, false),
		    "forged stock-forged");
		sample("us", measure(&chain, &good, 2, STOCK, listed, true),
		    "forged stock-good");
		X509_free(first);
		sk_X509_pop_free(sent, X509_free);
		certauth_free(e);
	}
	X509_STORE_free(plain);
	X509_STORE_free(listed);
	return 0;
}
