/*
 * bench_open.c - how long does an engine with a large family of CAs take to open,
 * and what does it weigh?
 *
 *   bench_open [-r ROUNDS] [-f CAS.pem]
 *
 * Without -f 180 certificates are made, alike in number and shape to a public
 * CA's family: 12 roots, the rest issuing CAs. Each round opens in a new process,
 * as each login process of Dovecot does, after one warming round. Beside it:
 * X509_STORE_load_file of the same certificates, what a stock server reads.
 */

#include "bench.h"

#include <sys/wait.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#define ROOTS	12
#define FAMILY	180

static X509	*certs[4096];
static size_t	 num_certs;

static void
make_family(void)
{
	static const char *const kinds[] = { "RSA-2048", "RSA-4096", "P-384" };
	EVP_PKEY	*keys[3];
	struct make	 m;
	char		 name[64];
	size_t		 i;

	for (i = 0; i < 3; i++)
		keys[i] = make_key(kinds[i]);
	for (i = 0; i < FAMILY; i++) {
		snprintf(name, sizeof(name), "Example Atlas R%zu CA %zu",
		    i % ROOTS, i);
		m = (struct make){ .subject = name, .key = keys[i % 3],
		    .ca = true, .path_len = -1 };
		if (i >= ROOTS) {
			m.issuer = certs[i % ROOTS];
			m.issuer_key = keys[i % ROOTS % 3];
			m.path_len = 0;
			m.more[0].nid = NID_ext_key_usage;
			m.more[0].text = "clientAuth,emailProtection";
			m.more[1].nid = NID_certificate_policies;
			m.more[1].text = "1.3.6.1.4.1.4146.10.3.1,2.23.140.1.5.1.1";
			m.more[2].nid = NID_crl_distribution_points;
			m.more[2].text = "URI:http://crl.example.org/root.crl";
			m.more[3].nid = NID_info_access;
			m.more[3].text = "OCSP;URI:http://ocsp.example.org/root";
		}
		certs[num_certs++] = make_cert(&m);
	}
}

static void
read_family(const char *file)
{
	FILE	*f = fopen(file, "r");
	X509	*x;

	must(f != NULL);
	while (num_certs < 4096 && (x = PEM_read_X509(f, NULL, NULL, NULL)) != NULL)
		certs[num_certs++] = x;
	ERR_clear_error();
	fclose(f);
	must(num_certs > 0);
}

static bool
is_root(X509 *x)
{
	return X509_NAME_cmp(X509_get_subject_name(x),
	    X509_get_issuer_name(x)) == 0;
}

/* In a process of its own: microseconds and private bytes of one opening. */
static void
round_of(const char *name, const char *conf, const char *pem, bool count)
{
	struct certauth	*e;
	X509_STORE	*store;
	double		 cpu, wall, bytes;
	pid_t		 pid;
	int		 status;

	fflush(stdout);
	pid = fork();
	must(pid >= 0);
	if (pid == 0) {
		bytes = private_bytes();
		cpu = process_cpu_us();
		wall = wall_us();
		if (conf != NULL) {
			e = open_engine(conf);
			must(e != NULL);
		} else {
			store = X509_STORE_new();
			must(X509_STORE_load_file(store, pem) == 1);
		}
		wall = wall_us() - wall;
		cpu = process_cpu_us() - cpu;
		if (count) {
			sample("us", wall, "%s wall", name);
			sample("us", cpu, "%s cpu", name);
			sample("bytes", private_bytes() - bytes, "%s memory", name);
		}
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid && status == 0);
}

int
main(int argc, char **argv)
{
	const char	*file = NULL;
	X509		*roots[4096], *others[4096];
	size_t		 num_roots = 0, num_others = 0, rounds = 9, i;
	char		*r, *o, *all, *conf;
	int		 c;

	while ((c = getopt(argc, argv, "r:f:")) != -1)
		switch (c) {
		case 'r': rounds = strtoul(optarg, NULL, 10); break;
		case 'f': file = optarg; break;
		default: return 2;
		}
	if (file != NULL)
		read_family(file);
	else
		make_family();
	for (i = 0; i < num_certs; i++) {
		if (is_root(certs[i]))
			roots[num_roots++] = certs[i];
		else
			others[num_others++] = certs[i];
	}
	must(num_roots > 0);
	r = scratch_path("roots.pem");
	o = scratch_path("issuers.pem");
	all = scratch_path("all.pem");
	conf = scratch_path("certauth.conf");
	write_pem(r, roots, num_roots);
	write_pem(o, others, num_others);
	write_pem(all, certs, num_certs);
	write_text(conf, "version = 1;\nstate = \"%s/state\";\n"
	    "authorities: { family: { anchors = [\"%s\"]; issuers = [\"%s\"];\n"
	    "\trevocation: { check = \"none\"; }; }; };\n"
	    "profiles: { mail: { authorities = [\"family\"]; identity = (\n"
	    "\t{ name = \"mail\"; user = \"{san.email|local|lower}\"; }); }; };\n",
	    scratch(), r, o);
	sample("certificates", (double)num_certs, "open family");
	for (i = 0; i <= rounds; i++) {
		round_of("open engine", conf, NULL, i > 0);
		round_of("open stock", NULL, all, i > 0);
	}
	return 0;
}
