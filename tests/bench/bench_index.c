/*
 * bench_index.c - how dear are large CRLs?
 *
 *   bench_index -m MKCRL [-e ENTRIES] [-r ROUNDS] [-s]
 *
 * Per round: one SHA-256 pass over the CRL (the floor of any check of its
 * signature), certauth_compile from file to published index, each in a process of
 * its own; opening the index; look-ups of listed and of other serials. -s: the
 * same list as OpenSSL's X509_CRL as well: read, verified, sorted (slow and large).
 */

#include "bench.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include "certauth_data.h"
#include "revocation/index.h"
#include "trust/cert.h"

#define LOOKUPS	1000000u
#define SERIAL	16

static const char	*crl_file, *ca_file, *state;

static const unsigned char *
map(const char *path, size_t *len_r)
{
	struct stat	 st;
	void		*p;
	int		 fd = open(path, O_RDONLY | O_CLOEXEC);

	must(fd >= 0 && fstat(fd, &st) == 0);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	must(p != MAP_FAILED);
	close(fd);
	*len_r = (size_t)st.st_size;
	return p;
}

static void
hash_file(void)
{
	size_t			 len;
	const unsigned char	*data = map(crl_file, &len);
	unsigned char		 md[32];

	must(EVP_Digest(data, len, md, NULL, EVP_sha256(), NULL) == 1);
	must(munmap((void *)(uintptr_t)data, len) == 0);
}

static void
compile(void)
{
	struct certauth_compile	report;
	struct certauth_error	error;

	if (!certauth_compile(&ca_file, 1, &crl_file, 1, state, NULL, &report,
	    &error)) {
		fprintf(stderr, "%s: %s\n", error.file, error.text);
		exit(1);
	}
	must(report.num_crls == 1 && report.crls[0].error[0] == '\0');
	certauth_compile_free(&report);
}

static void
stock_crl(void)
{
	BIO		*bio = BIO_new_file(crl_file, "rb");
	BIO		*issuer = BIO_new_file(ca_file, "r");
	X509_CRL	*crl = bio != NULL ? d2i_X509_CRL_bio(bio, NULL) : NULL;
	X509		*ca = PEM_read_bio_X509(issuer, NULL, NULL, NULL);
	X509_REVOKED	*found;
	ASN1_INTEGER	*serial = ASN1_INTEGER_new();

	must(crl != NULL && ca != NULL && ASN1_INTEGER_set(serial, 7) == 1);
	must(X509_CRL_verify(crl, X509_get0_pubkey(ca)) == 1);
	/* sorts */
	must(X509_CRL_get0_by_serial(crl, &found, serial) == 0);
}

/* In a new process: wall time, CPU, and the most memory it ever had. */
static void
alone(const char *name, void (*what)(void), bool count)
{
	struct rusage	use;
	double		begin;
	pid_t		pid;
	int		status;

	fflush(stdout);
	begin = wall_us();
	pid = fork();
	must(pid >= 0);
	if (pid == 0) {
		what();
		_exit(0);
	}
	must(wait4(pid, &status, 0, &use) == pid && status == 0);
	if (!count)
		return;
	sample("us", wall_us() - begin, "index %s wall", name);
	sample("us", (double)use.ru_utime.tv_sec * 1e6 +
	    (double)use.ru_utime.tv_usec + (double)use.ru_stime.tv_sec * 1e6 +
	    (double)use.ru_stime.tv_usec, "index %s cpu", name);
	sample("bytes", (double)use.ru_maxrss * 1024, "index %s peak", name);
}

static char *
published(void)
{
	DIR		*dir = opendir(state);
	struct dirent	*d;
	char		*path = NULL;

	must(dir != NULL);
	while (path == NULL && (d = readdir(dir)) != NULL)
		if (strncmp(d->d_name, "crl.", 4) == 0)
			must(asprintf(&path, "%s/%s", state, d->d_name) > 0);
	closedir(dir);
	must(path != NULL);
	return path;
}

static double
look_up(const struct index *index, const struct index_row *row,
    const unsigned char *serials, enum index_answer expected)
{
	struct index_entry	entry;
	double			begin = cpu_us();
	size_t			i;

	for (i = 0; i < LOOKUPS; i++)
		must(index_lookup(index, row, serials + i * SERIAL, SERIAL, false,
		    &entry) == expected);
	return (cpu_us() - begin) * 1e3 / LOOKUPS;
}

/* LOOKUPS serials of the list, taken from its bytes by chance (35 octets each,
 * as mkcrl writes them). */
static unsigned char *
listed_serials(unsigned long entries)
{
	static const unsigned char	 head[] = { 0x30, 0x21, 0x02, 0x10 };
	size_t				 len, i, at = 0;
	const unsigned char		*data = map(crl_file, &len);
	unsigned char			*out = malloc((size_t)LOOKUPS * SERIAL);
	uint32_t			 r;

	must(out != NULL);
	while (at + 40 < len && (memcmp(data + at, head, 4) != 0 ||
	    memcmp(data + at + 35, head, 4) != 0))
		at++;
	for (i = 0; i < LOOKUPS; i++) {
		must(RAND_bytes((unsigned char *)&r, sizeof(r)) == 1);
		memcpy(out + i * SERIAL, data + at + 35 * (r % entries) + 4, SERIAL);
	}
	must(munmap((void *)(uintptr_t)data, len) == 0);
	return out;
}

static void
lookups(size_t rounds, unsigned long entries)
{
	unsigned char		*in = listed_serials(entries);
	unsigned char		*out = malloc((size_t)LOOKUPS * SERIAL);
	const unsigned char	*data;
	struct index		 index;
	struct certauth_error	 error;
	struct index_row const	*row;
	char			*path = published();
	double			 begin;
	size_t			 i, len;

	must(out != NULL && RAND_bytes(out, LOOKUPS * SERIAL) == 1);
	for (i = 0; i < LOOKUPS; i++)
		out[i * SERIAL] = (unsigned char)(0x40 | (out[i * SERIAL] & 0x3f));
	for (i = 0; i <= rounds; i++) {
		begin = wall_us();
		data = map(path, &len);
		must(index_open(&index, data, len, &error));
		if (i > 0)
			sample("us", wall_us() - begin, "index open");
		row = index_row(&index, 0);
		must(row != NULL && index_num_rows(&index) == 1);
		begin = look_up(&index, row, in, INDEX_LISTED);
		if (i > 0)
			sample("ns", begin, "index listed");
		begin = look_up(&index, row, out, INDEX_NOT_LISTED);
		if (i > 0)
			sample("ns", begin, "index not-listed");
		if (i == rounds) {
			sample("bytes", (double)len / (double)entries,
			    "index bytes-per-entry");
			sample("bytes", (double)len, "index file");
		}
		must(munmap((void *)(uintptr_t)data, len) == 0);
	}
	free(in);
	free(out);
	free(path);
}

int
main(int argc, char **argv)
{
	struct chain	 chain;
	const char	*mkcrl = NULL;
	char		*key = scratch_path("issuer.key");
	char		 command[1200];
	unsigned long	 entries = 1000000;
	size_t		 rounds = 5, i;
	bool		 stock = false;
	int		 c;

	while ((c = getopt(argc, argv, "m:e:r:s")) != -1)
		switch (c) {
		case 'm': mkcrl = optarg; break;
		case 'e': entries = strtoul(optarg, NULL, 10); break;
		case 'r': rounds = strtoul(optarg, NULL, 10); break;
		case 's': stock = true; break;
		default: return 2;
		}
	must(mkcrl != NULL);
	crl_file = scratch_path("list.crl");
	ca_file = scratch_path("issuer.pem");
	state = scratch_path("state");
	chain_make(&chain, "P-256", 0);
	write_pem(ca_file, &chain.ca, 1);
	write_key(key, chain.ca_key);
	for (i = 0; i <= rounds; i++) {
		/* another list each time: an unchanged one is copied */
		snprintf(command, sizeof(command), "%s --seed %zu --number %zX "
		    "%s %s %lu %s", mkcrl, i + 1, i + 0x1000, ca_file, key,
		    entries, crl_file);
		must(system(command) == 0);
		alone("sha256", hash_file, i > 0);
		alone("compile", compile, i > 0);
		if (stock)
			alone("stock", stock_crl, i > 0);
	}
	/* the index in force is of the list that lies there now */
	snprintf(command, sizeof(command), "rm -rf %s", state);
	must(system(command) == 0);
	compile();
	lookups(rounds, entries);
	return 0;
}
