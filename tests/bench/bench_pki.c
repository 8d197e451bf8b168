/*
 * bench_pki.c - writes what the servers of `make bench` need into a folder.
 *
 *   bench_pki FOLDER LEAVES
 *
 * root.pem ca.pem ca.key leaves.pem leaf.key server.pem server.key, P-256; the
 * leaves share one key. all.pem holds root and CA, as a stock server wants them;
 * forged.pem people of the CA's name that it has never seen.
 */

#include "bench.h"

#include <unistd.h>

#define FORGED	256

int
main(int argc, char **argv)
{
	struct chain	 chain;
	struct der_copy	 der;
	X509		**leaves, *server, *both[2], *forged[FORGED];
	EVP_PKEY	*key = make_key("P-256");
	size_t		 i, n;

	if (argc != 3 || chdir(argv[1]) != 0) {
		fprintf(stderr, "bench_pki FOLDER LEAVES\n");
		return 2;
	}
	n = strtoul(argv[2], NULL, 10);
	chain_make(&chain, "P-256", n);
	leaves = calloc(n + 1, sizeof(X509 *));
	must(leaves != NULL);
	for (i = 0; i < n; i++)
		leaves[i] = parse(&chain.leaves[i]);
	server = make_cert(&(struct make){ .subject = "localhost", .key = key,
	    .path_len = -1, .san = "DNS:localhost,IP:127.0.0.1" });
	both[0] = chain.root;
	both[1] = chain.ca;
	write_pem("root.pem", both, 1);
	write_pem("ca.pem", both + 1, 1);
	write_pem("all.pem", both, 2);
	write_key("root.key", chain.root_key);
	write_key("ca.key", chain.ca_key);
	write_pem("leaves.pem", leaves, n);
	write_key("leaf.key", chain.leaf_key);
	for (i = 0; i < FORGED; i++) {
		der = chain_leaf(&chain, key);
		forged[i] = parse(&der);
	}
	write_pem("forged.pem", forged, FORGED);
	write_pem("server.pem", &server, 1);
	write_key("server.key", key);
	return 0;
}
